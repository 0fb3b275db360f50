"""The bytes of vCards as content lines: cut into cards, unfolded, with group, name, parameters and an undecoded value.

Tolerant, because cards are: a card may lack its end, hold another card, be folded by three different rules, or be UTF-16 in a file of
UTF-8. What a value says is the business of vcard.py. All cutting is done in bytes: a fold may stand in the middle of a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import BinaryIO

from migrator.frozen import dataclass

MB = 1024 * 1024
LARGEST_CARD = 64 * MB  # what a card may hold in memory; a file that never ends its card must not fill it
LONGEST_READ = MB
WIDTH = 75  # octets of a folded line (RFC 6350, 3.2)
FOLDS_AT_WIDTH = range(WIDTH - 4, WIDTH + 3)  # 75, or a little less where a character would have been cut

_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_MARK = re.compile(
    rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?(?P<indent>[ \t\0]*)(?:(?P<begin>B\0?E\0?G\0?I\0?N)|E\0?N\0?D)"
    rb"[ \t\0]*:[ \t\0]*V\0?C\0?A\0?R\0?D[\s\0]*",
    re.IGNORECASE,
)
_MAY_BE_MARK = frozenset(b"BbEe \t\0\xef\xff\xfe")  # what its line begins with
_AGENT = re.compile(rb"\s*(?:[\w-]+\.)?AGENT(?:;[^:]*)?:\s*", re.IGNORECASE)
_MAY_BE_AGENT = frozenset(b"AaIi \t\0")
_BLANKS = frozenset(b" \t")
_VERSION = re.compile(rb"^\s*VERSION(?:;[^:\n]*)?:\s*([\d.]+)", re.IGNORECASE | re.MULTILINE)
_QUOTED_PRINTABLE = re.compile(rb"[^:]*;\s*(?:ENCODING\s*=\s*\"?)?QUOTED-PRINTABLE", re.IGNORECASE)
_BASE64_HEAD = re.compile(
    rb"[^:]*;\s*(?:ENCODING\s*=\s*\"?(?:BASE64|B)\b|BASE64)|[^:]*:data:[^,]*;base64", re.IGNORECASE
)
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,3}\s*")
_NAME = re.compile(r"[A-Za-z0-9_./+-]+|X-[A-Za-z0-9_ ./+-]+", re.IGNORECASE | re.ASCII)
_GROUP = re.compile(r"item\d+", re.IGNORECASE | re.ASCII)
_LINK = re.compile(r"(?:https?|ftps?|mailto|tel)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cut:
    """The bytes of one card in a file. `outside` counts the lines before it that belong to no card."""

    raw: bytes
    offset: int
    outside: int = 0
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One content line. `name` and the names of `params` are in capitals; a word without `=` is a parameter without a name. `value` is
    what stands behind the colon, in the file's own bytes.
    """

    number: int
    group: str
    name: str
    params: tuple[tuple[str, tuple[str, ...]], ...]
    value: bytes

    @property
    def shown(self) -> str:
        """How a message names it."""
        return f"{self.name} (line {self.number})"


@dataclass(frozen=True, slots=True)
class Stray:
    """A line that is none: no property begins there, and no value goes on."""

    number: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Nested:
    """A card inside the card, as its bytes. `name` is AGENT's, "" where it merely stands there."""

    number: int
    name: str
    raw: bytes


def strays_in_words(count: int, where: str) -> str:
    """2 lines before this card that belong to no card."""
    return (
        f"1 line {where} that belongs to no card" if count == 1 else f"{count:,} lines {where} that belong to no card"
    )


# -- a file into cards --------------------------------------------------------------------------------------------------


def cut(stream: BinaryIO) -> Iterator[Cut]:
    """Every card of a file, in order, each with its place; what lies between cards is counted. Holds one card at a time.

    A BEGIN inside a card is a card of its own, unless the outer one goes on or ends after it, or AGENT announced it.
    """
    pending = _Pending()
    outside = 0
    for offset, line in _lines(stream):
        mark = _MARK.fullmatch(line) if line[0] in _MAY_BE_MARK and not pending.folds(line) else None
        if mark and not pending.fits(mark["indent"]):
            mark = None
        if mark is None:
            if pending.open:
                pending.go_on(line)
            else:
                outside += _says_something(line)
            continue
        if not pending.open and not mark["begin"]:
            outside += 1
            continue
        for done in pending.take(offset, line, mark):
            yield Cut(done.raw, done.offset, outside, done.too_large)
            outside = 0
    for done in pending.rest():
        yield Cut(done.raw, done.offset, outside, done.too_large)
        outside = 0
    if outside:
        yield Cut(b"", 0, outside)


def _says_something(line: bytes) -> bool:
    return bool(line.strip(b" \t\r\n\0\x1a")) and line.strip() not in _BOMS


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Every physical line with its offset. A file of an old Macintosh ends its lines with CR alone."""
    offset = 0
    head = stream.readline(LONGEST_READ)
    if b"\r" in head.rstrip(b"\r\n\0"):
        yield from _lines_of_carriage_returns(stream, head)
        return
    line = head
    while line:
        yield offset, line
        offset += len(line)
        line = stream.readline(LONGEST_READ)


def _lines_of_carriage_returns(stream: BinaryIO, head: bytes) -> Iterator[tuple[int, bytes]]:
    offset, rest = 0, head
    while True:
        *lines, rest = rest.split(b"\r")
        for line in lines:
            yield offset, line + b"\r"
            offset += len(line) + 1
        more = stream.read(LONGEST_READ)
        if not more:
            break
        rest += more
        if len(rest) > LARGEST_CARD:
            yield offset, rest
            offset, rest = offset + len(rest), b""
    if rest:
        yield offset, rest


class _Pending:
    """The card being gathered, and perhaps one inside it of which it is not yet known whether it is nested."""

    def __init__(self) -> None:
        self._little_endian = False
        self._clear()

    def _clear(self) -> None:
        self._lines: list[bytes] = []
        self._sizes = 0
        self._offset = 0
        self._indent = b""
        self._agents = 0  # nested cards that AGENT announced and that are not ended
        self._inner: tuple[int, int] | None = None  # a card that may be nested: its first line, its offset
        self._inner_ended = False
        self._announced = False  # the last line was `AGENT:`
        self._too_large = False

    @property
    def open(self) -> bool:
        return bool(self._lines)

    def fits(self, indent: bytes) -> bool:
        """Whether BEGIN or END stands where the card's BEGIN stood, or at the margin: a fold may have moved others to lines of their own."""
        return not self._lines or indent.replace(b"\0", b"") in {b"", self._indent}

    def folds(self, line: bytes) -> bool:
        """Whether a line begins with a blank because it goes on with the one before."""
        return line[0] in _BLANKS and bool(self._lines) and not self._indent

    def go_on(self, line: bytes) -> None:
        """Add a line that is neither BEGIN nor END."""
        if self._inner_ended and line.strip(b"\r\n \t\0"):
            self._inner, self._inner_ended = None, False
        self._add(line)

    def take(self, offset: int, line: bytes, mark: re.Match[bytes]) -> Iterator[Cut]:
        """Add a BEGIN or END; yields the cards that are known to be complete by it."""
        if mark["begin"]:
            yield from self._begin(offset, line, mark)
            return
        self._add(line)
        if self._agents:
            self._agents -= 1
        elif self._inner and not self._inner_ended:
            self._inner_ended = True
        else:
            self._inner = None
            yield from self.rest()

    def rest(self) -> Iterator[Cut]:
        """What is gathered, as one card, or as two if the inner one proved to be none."""
        if self._inner:
            at, offset = self._inner
            yield self._made(self._lines[:at], self._offset)
            yield self._made(self._lines[at:], offset)
        elif self._lines:
            yield self._made(self._lines, self._offset)
        self._clear()

    def _begin(self, offset: int, line: bytes, mark: re.Match[bytes]) -> Iterator[Cut]:
        if self._lines and self._announced:
            self._agents += 1
            self._add(line)
            return
        if self._inner_ended:
            yield from self.rest()
        elif self._inner:
            at, inner_offset = self._inner
            yield self._made(self._lines[:at], self._offset)
            self._lines, self._offset, self._inner = self._lines[at:], inner_offset, None
            self._sizes = sum(map(len, self._lines))
        if self._lines:
            self._agents = 0
            self._inner = (len(self._lines), offset)
        else:
            if self._little_endian and line[:1] == b"\0":
                line, offset = line[1:], offset + 1  # the second byte of the line end before
            wide = b"\0" in line
            self._little_endian = wide and line.lstrip(b"\xff\xfe")[:1] != b"\0"
            self._offset = offset
            self._indent = mark["indent"].replace(b"\0", b"")
        self._add(line)

    def _add(self, line: bytes) -> None:
        self._sizes += len(line)
        if self._sizes > LARGEST_CARD:
            self._too_large = True
            return
        self._lines.append(line)
        if line[0] in _MAY_BE_AGENT and not self.folds(line):
            self._announced = _AGENT.fullmatch(line.replace(b"\0", b"")) is not None
        elif self._announced and line.strip():
            self._announced = False

    def _made(self, lines: list[bytes], offset: int) -> Cut:
        return Cut(b"".join(lines), offset, too_large=self._too_large)


# -- a card into content lines ------------------------------------------------------------------------------------------


def narrow(raw: bytes) -> bytes:
    """The card in a charset that agrees with ASCII: UTF-16 becomes UTF-8, a byte order mark goes."""
    if raw.startswith(b"\xef\xbb\xbf"):
        return raw[3:]
    start = raw.lstrip(b"\r\n")[:2]
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        charset = "utf-16"
    elif len(start) > 1 and b"\0" in start:
        charset = "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
    else:
        return raw
    # Lines are cut behind the octet of LF; in little-endian text one more belongs to it.
    return raw[: len(raw) // 2 * 2].decode(charset, errors="replace").encode()


def version_of(raw: bytes) -> str:
    """The version a card names; "" if none."""
    found = _VERSION.search(raw)
    return found[1].decode("ascii") if found else ""


@dataclass(slots=True)
class _Open:
    """A content line that may go on."""

    number: int
    pieces: list[bytes]
    quoted_printable: bool
    base64: bool


def content_lines(raw: bytes) -> tuple[list[Line | Stray | Nested], bool]:
    """The lines of one card between its BEGIN and END, and whether its END was there. `raw` must be narrow."""
    physical = raw.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n")
    if b"\n" not in physical.rstrip(b"\n"):
        physical = physical.replace(b"\r", b"\n")
    rows = physical.split(b"\n")
    first = next((place for place, row in enumerate(rows) if row.strip()), 0)
    begin = _MARK.fullmatch(rows[first])
    if begin and begin["begin"]:
        indent, rows[: first + 1] = begin["indent"], [b""] * (first + 1)
        if indent:
            rows = [row.removeprefix(indent) for row in rows]
    keeps_space = version_of(physical).startswith("2") and not _folds_at_width(rows)
    return _logical(rows, keeps_space=keeps_space)


def _folds_at_width(rows: list[bytes]) -> bool:
    """Whether a 2.1 card is folded as later versions are, in the middle of words, and not before a space of its own."""
    folded = [len(row) for row, after in pairwise(rows) if after[:1] in (b" ", b"\t")]
    return bool(folded) and all(size in FOLDS_AT_WIDTH for size in folded)


def _logical(rows: list[bytes], *, keeps_space: bool) -> tuple[list[Line | Stray | Nested], bool]:
    found: list[Line | Stray | Nested] = []
    last: _Open | None = None

    def close() -> None:
        if last is not None:
            _close(last, found)

    place = 0
    while place < len(rows):
        row = rows[place]
        place += 1
        mark = _MARK.fullmatch(row) if row and row[0] in _MAY_BE_MARK and row[0] not in _BLANKS else None
        if mark:
            close()
            if not mark["begin"]:
                return found, True
            size, nested = _nested(rows, place - 1)
            found.append(_as_nested(found, place, nested))
            last, place = None, place - 1 + size
            continue
        if last is not None and _goes_on(last, row, keeps_space=keeps_space):
            continue
        if not row.strip(b" \t\0\x1a"):
            continue
        close()
        head = row.find(b":") < 0 or b";" in row[: row.find(b":")] or b"data:" in row[:100].lower()
        last = _Open(
            place,
            [row],
            head and _QUOTED_PRINTABLE.match(row) is not None,
            head and _BASE64_HEAD.match(row) is not None,
        )
    close()
    return found, False


def _goes_on(last: _Open, row: bytes, *, keeps_space: bool) -> bool:
    """Add a physical line to the content line before it, if it belongs there."""
    if last.quoted_printable and (before := last.pieces[-1].rstrip(b" \t")).endswith(b"="):
        last.pieces[-1] = before[:-1]
        last.pieces.append(row)
        return True
    if row[:1] in (b" ", b"\t"):
        last.pieces.append(row if keeps_space and not last.base64 else row[1:])
        return True
    if last.base64 and (not row.strip() or _BASE64_LINE.fullmatch(row)):
        last.pieces.append(row)
        return True
    return False


def _nested(rows: list[bytes], begin: int) -> tuple[int, bytes]:
    """The card that begins at a row inside another: how many rows it has, and its bytes."""
    depth = 0
    for place in range(begin, len(rows)):
        mark = _MARK.fullmatch(rows[place])
        if mark:
            depth += 1 if mark["begin"] else -1
            if not depth:
                return place - begin + 1, b"\n".join(rows[begin : place + 1]) + b"\n"
    return len(rows) - begin, b"\n".join(rows[begin:])


def _as_nested(found: list[Line | Stray | Nested], number: int, raw: bytes) -> Nested:
    """The nested card under the name of the empty AGENT line before it, which it replaces."""
    if found and isinstance(found[-1], Line) and found[-1].name == "AGENT" and not found[-1].value.strip():
        found.pop()
        return Nested(number, "AGENT", raw)
    return Nested(number, "", raw)


def _close(last: _Open, found: list[Line | Stray | Nested]) -> None:
    """File a complete content line. One without a name goes on what stood before it where that can be."""
    whole = last.pieces[0] if len(last.pieces) == 1 else b"".join(last.pieces)
    line = _line(last.number, whole)
    if line is not None:
        found.append(line)
        return
    before = found[-1] if found and isinstance(found[-1], Line) else None
    if before is None:
        found.append(Stray(last.number, whole))
    elif _is_encoded(before, "QUOTED-PRINTABLE"):
        found[-1] = _with_value(before, before.value + whole)
    elif before.name == "NOTE":
        found[-1] = _with_value(before, before.value + b"\\n" + whole)
    else:
        found.append(Stray(last.number, whole))


def _is_encoded(line: Line, word: str) -> bool:
    return any(name in {"", "ENCODING"} and word in map(str.upper, values) for name, values in line.params)


def _with_value(line: Line, value: bytes) -> Line:
    return Line(line.number, line.group, line.name, line.params, value)


def _line(number: int, whole: bytes) -> Line | None:
    """Group, name, parameters and value; None if there is no property in it."""
    colon = _colon(whole)
    if colon < 0:
        return None
    read = _usual_header if colon <= WIDTH else _header
    header, value = read(whole[:colon]), whole[colon + 1 :]
    if header is None or (value.startswith(b"//") and _LINK.match(header[1])):
        return None
    return Line(number, *header, value)


Header = tuple[str, str, tuple[tuple[str, tuple[str, ...]], ...]]


def _header(head: bytes) -> Header | None:
    """Group, name and parameters; None if there is no name."""
    name, *params = _cut_outside_quotes(_header_text(head), ";")
    name = name.strip()
    if not _NAME.fullmatch(name):
        return None
    group = ""
    if "." in name:
        before, _, after = name.partition(".")
        if after and ("." not in after or _GROUP.fullmatch(before)):
            group, name = before, after
    return group, name.upper(), tuple(map(_param, params))


_usual_header = lru_cache(maxsize=1000)(_header)  # a file has few of them, again and again


def _colon(whole: bytes) -> int:
    """Where the value begins: at the first colon outside quotes, or at the first if the quotes do not match."""
    colon = whole.find(b":")
    if colon < 0 or b'"' not in whole[:colon]:
        return colon
    quoted = False
    for place, octet in enumerate(whole):
        if octet == ord('"'):
            quoted = not quoted
        elif octet == ord(":") and not quoted:
            return place
    return colon


def _header_text(head: bytes) -> str:
    try:
        return head.decode()
    except UnicodeDecodeError:
        return head.decode("cp1252", errors="replace")


def _cut_outside_quotes(text: str, separator: str) -> list[str]:
    if separator not in text:
        return [text]
    if '"' not in text:
        return text.split(separator)
    found, start, quoted = [], 0, False
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter == separator and not quoted:
            found.append(text[start:place])
            start = place + 1
    return [*found, text[start:]]


_ESCAPED = {"^n": "\n", "^'": '"', "^^": "^"}  # RFC 6868
_ESCAPE = re.compile(r"\^[n'^]")


def _param(text: str) -> tuple[str, tuple[str, ...]]:
    name, equals, value = text.partition("=")
    if not equals:
        return "", (_bare(name),)
    return name.strip().upper(), tuple(map(_bare, _cut_outside_quotes(value, ",")))


def _bare(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    value = value.replace('"', "")
    return _ESCAPE.sub(lambda found: _ESCAPED[found[0]], value) if "^" in value else value
