r"""Tables as CSV, as phpMyAdmin exports them, read from the front to the back in constant memory.

What surprises: only a reader that knows whether a cell was quoted can tell NULL (a bare NULL or \N) from the word, so Python's own does not do.
The file's name is the table's, its first line the columns. Nothing in a CSV tells that it was cut between two rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from migrator.errors import Misbehaved
from migrator.forms.packed import Source
from migrator.forms.sql_text import SENTINEL, End, Insert, Place, Rows, Spelling, Value, Want, Window
from migrator.frozen import dataclass

_NAME = re.compile(r"(.+?)\.csv(\.(gz|zst|bz2))?", re.IGNORECASE)
_SEPARATORS = (",", ";", "\t", "|")
LONGEST_HEADER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV is written. `separator` is told by the first line if it is ""; `escape` is what stands before a quote in a quoted cell."""

    separator: str = ""
    escape: str = '"'
    null: tuple[str, ...] = (r"\N", "NULL")


def is_csv(path: Path) -> bool:
    """Whether a file is one by its name."""
    return _NAME.fullmatch(path.name) is not None


def parts(
    source: Source,
    path: Path,
    dialect: Dialect,
    wants: Callable[[str, str], Want],
    *,
    start: Place,
    inside: Insert | None = None,
) -> Iterator[Rows | End]:
    """The rows in batches, an `End` last. `inside` says that the source begins at a row, which is at `start`. Raises Misbehaved."""
    window = Window(source, path.name, start)
    window.more(0)
    at = 3 if start.byte == 0 and window.text.startswith(b"\xef\xbb\xbf") else 0
    if inside is None:
        inside, at = _header(window, at, path, dialect)
    # The separator that the first line told is kept where the statement would be.
    pattern = _pattern(len(inside.columns), inside.head, dialect.escape.encode())
    null = frozenset(one.encode() for one in dialect.null)
    want = wants(inside.database, inside.table)
    while True:
        stop = len(window.text) - (len(SENTINEL) - 1 if window.ended else 0)
        place = window.place(at)
        found = pattern.findall(window.text, at, stop)
        rest = found[-1][-1] if found else b""
        if rest:
            found.pop()
        at = stop - len(rest)
        if found:
            values = _values(found, len(inside.columns), dialect, null) if want is Want.VALUES else ()
            yield Rows(inside, values, len(found), place, Spelling(charset="utf8mb4"))
        elif window.ended:
            break
        else:
            at = window.more(at)
    left = window.text[at:].strip()
    if left and left.count(b'"') % 2 == 0:
        raise window.misbehaved(at, f"a row has not {len(inside.columns)} cells, as the first line has")
    yield End(window.place(len(window.text) - len(SENTINEL)), False, False, window.place(at) if left else None)


def cells(content: bytes, width: int, dialect: Dialect) -> tuple[list[tuple[Value, ...]], bytes]:
    """The rows of a CSV without a first line of names, each of `width` cells, and what at its end is no such row."""
    found = _pattern(width, dialect.separator.encode(), dialect.escape.encode()).findall(content)
    rest = found.pop()[-1] if found and found[-1][-1] else b""
    return (_values(found, width, dialect, frozenset(one.encode() for one in dialect.null)) if found else []), rest


def _header(window: Window, at: int, path: Path, dialect: Dialect) -> tuple[Insert, int]:
    """What the first line says, and where it ends."""
    line = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r(?!\n))").match(window.text, at, at + LONGEST_HEADER)
    if line is None:
        raise Misbehaved(
            f"{path}: the first line is none of names of columns.",
            remedy="Export the table again, with column names in the first row.",
        )
    text = line[0].decode("utf-8", "replace").rstrip("\r\n")
    separator = dialect.separator or max(_SEPARATORS, key=text.count)
    names = tuple(
        one[1:-1].replace('""', '"') if one.startswith('"') else one
        for one in re.findall(rf'"(?:[^"]|"")*"|[^"{re.escape(separator)}]+', text)
    )
    if not names or len(set(names)) != len(names):
        raise Misbehaved(
            f"{path}: the first line does not name the columns, each once.",
            remedy="Export the table again, with column names in the first row.",
        )
    table = _NAME.fullmatch(path.name)
    return Insert("", table[1] if table else path.stem, names, separator.encode()), line.end()


@lru_cache(maxsize=32)
def _pattern(width: int, separator: bytes, escape: bytes) -> re.Pattern[bytes]:
    """As many rows as stand one behind another, each cell in two groups (quoted, bare), and in a last group the rest of the text."""
    by = re.escape(separator)
    doubled = rb'""' if escape == b'"' else re.escape(escape) + rb'[\s\S]|""'
    plain = rb'[^"]*+' if escape == b'"' else rb'[^"' + re.escape(escape) + rb"]*+"
    cell = rb'(?:"(' + plain + rb"(?:(?:" + doubled + rb")" + plain + rb')*+)"|([^"\r\n' + by + rb"]*+))"
    return re.compile(by.join([cell] * width) + rb"(?:\r\n|\n|\r(?!\n))|([\s\S]++)")


def _values(
    found: Sequence[tuple[bytes, ...]], width: int, dialect: Dialect, null: frozenset[bytes]
) -> list[tuple[Value, ...]]:
    cells = list(zip(*found, strict=True))
    columns: list[Sequence[Value]] = []
    for at in range(0, 2 * width, 2):
        quoted: Sequence[bytes] = cells[at]
        together = b" ".join(quoted)
        if b'""' in together:
            quoted = [one.replace(b'""', b'"') for one in quoted]
        if dialect.escape == "\\" and b"\\" in together:
            quoted = [re.sub(rb"\\([\s\S])", rb"\1", one) for one in quoted]
        bare = cells[at + 1]
        columns.append(
            [(None if plain in null else plain) if plain else text for text, plain in zip(quoted, bare, strict=True)]
            if any(bare)
            else quoted
        )
    return list(zip(*columns, strict=True))
