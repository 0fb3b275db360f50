"""CSV as people's programs write it: found by its own look (charset, separator, line ends), read row by row, written safe for sheets.

What surprises: a cell that a spreadsheet would take for a formula (= + - @ in front, or a control character) gets an apostrophe before
it when written for people, and loses it when read back. A cell that itself began with an apostrophe before such a letter gets one more,
so that every cell comes back as it was. Telephone numbers (+49 30 1) are no formulas to anybody and stay as they are.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from migrator.frozen import dataclass

LONGEST_CELL = 16 * 1024 * 1024
HEAD = 64 * 1024
BOM = codecs.BOM_UTF8

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\x00-\x1f]")
_NUMBER = re.compile(r"[+-][0-9 ()./-]+")


@dataclass(frozen=True, slots=True)
class Look:
    """How a file is written: `begins` is where its text begins, behind a byte order mark."""

    charset: str = "utf-8"
    separator: str = ","
    begins: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row and where it stands. `broken` says in words why its cells are not to be trusted."""

    offset: int
    raw: bytes
    cells: tuple[str, ...]
    broken: str = ""


def look_of(head: bytes, separators: str = ",;\t", plain: str = "utf-8") -> Look:
    """How a file that begins like this is written. UTF-16 is told by its mark; what is no UTF-8 is the Windows code page. `plain` is the
    charset of a file that does not tell, being all ASCII so far.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        charset, begins = "utf-16-le" if head.startswith(codecs.BOM_UTF16_LE) else "utf-16-be", 2
    elif head.startswith(codecs.BOM_UTF8):
        charset, begins = "utf-8", 3
    else:
        charset, begins = plain if head.isascii() else "utf-8" if _is_utf8(head) else "cp1252", 0
    first = re.sub(r'"[^"]*"', "", head[begins:].decode(charset, "replace").lstrip("\r\n").partition("\n")[0])
    return Look(charset, max(separators, key=first.count), begins)


def rows(file: BinaryIO, look: Look, offset: int) -> Iterator[Row]:
    """The rows of a file from an offset on, which is where one begins. Blank lines are no rows. Bytes that the charset has no letter for
    are read as the Windows code page has them.
    """
    csv.field_size_limit(LONGEST_CELL)  # the module's own is 128 KB, less than some notes
    file.seek(offset)
    taken: list[bytes] = []

    def lines() -> Iterator[str]:
        for line in _lines(file, look):
            taken.append(line)
            yield _decoded(line, look.charset)

    reader = csv.reader(lines(), delimiter=look.separator)
    while True:
        broken = ""
        cells: Sequence[str] = ()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            why = "a line ends with a carriage return alone" if "new-line" in str(error) else str(error)
            broken = f"the row cannot be read ({why})"
        raw = b"".join(taken)
        taken.clear()
        if broken or any(cells):
            yield Row(offset, raw, tuple(map(unguarded, cells)), broken)
        offset += len(raw)


def rows_of(raw: bytes, look: Look) -> Iterator[Row]:
    """The rows of some bytes of a file that looks like this."""
    return rows(io.BytesIO(raw), look, 0)


def written(cells: Iterable[str], look: Look, *, guard: bool = True) -> bytes:
    """One row's bytes. Letters that the charset has not are written as `?`."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=look.separator).writerow(map(guarded, cells) if guard else cells)
    return text.getvalue().encode(look.charset, "replace")


def fits(text: str, charset: str) -> bool:
    """Whether a charset has every letter of a text."""
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def guarded(cell: str) -> str:
    """The cell as no spreadsheet takes it for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def unguarded(cell: str) -> str:
    """The cell without the apostrophe that `guarded` put before it."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell[1:]) else cell


def _lines(file: BinaryIO, look: Look) -> Iterator[bytes]:
    """The lines of a file with their ends, also where two bytes make a letter."""
    if not look.charset.startswith("utf-16"):
        for line in file:  # noqa: UP028 - `yield from` would close the file with the generator
            yield line
        return
    end = "\n".encode(look.charset)
    held = b""
    while True:
        piece = file.read(HEAD)
        held += piece
        start = at = 0
        while (at := held.find(end, at)) >= 0:
            if at % 2:
                at += 1
                continue
            at += 2
            yield held[start:at]
            start = at
        held = held[start:]
        if not piece:
            if held:
                yield held
            return


def _decoded(line: bytes, charset: str) -> str:
    if charset.startswith("utf-16"):
        return line.decode(charset, "replace")
    try:
        return line.decode()  # also in a file of the code page: what is UTF-8 by chance is hardly text there
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def _is_utf8(head: bytes) -> bool:
    """Whether a head is UTF-8, though its last letter may be cut through."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
