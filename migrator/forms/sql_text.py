"""SQL text as dump programs write it, read from the front to the back in constant memory: statements, and the rows of INSERTs in batches.

Whose: mysqldump, mariadb-dump, phpMyAdmin, HeidiSQL, Adminer (MySQL's grammar: https://dev.mysql.com/doc/refman/8.0/en/language-structure.html).

What surprises: nobody looks at single characters. A batch of rows is cut by one regular expression that knows how many values a row has and
runs over 64 KB at once; a whole column is then looked at together, and only values with an escape in them are touched.
Whatever that expression does not know (comments between values, charset introducers, TRUE) goes through `_Reader._odd_row`, value by value.
A line may be as long as the file: nothing is read line by line.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import lru_cache
from typing import Final

from migrator.errors import Misbehaved
from migrator.forms.packed import Source
from migrator.frozen import dataclass

KB = 1024
MB = 1024 * KB
CHUNK = 64 * KB  # larger ones leave the processor's cache: narrow rows are read a quarter slower
LONGEST_HEAD = 64 * KB  # an INSERT's column list
LARGEST_STATEMENT = 16 * MB  # but for INSERTs, which may be of any length
LARGEST_ROW = 32 * MB
LARGEST_STEP = 2 * MB
LEAST_REACH = 4 * KB
LONGEST_WORD = 64
MOST_HELD = LARGEST_ROW + 2 * LONGEST_WORD  # of a row: so much of what stands behind it has to be seen
SENTINEL = b"\n" * 16  # stands behind the end of a text, so that what ends with it is seen to end

Value = bytes | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the unpacked text: byte from 0, line from 1."""

    byte: int
    line: int

    def __str__(self) -> str:
        return f"line {self.line:,} (byte {self.byte:,})"


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the text is to be understood from some place on: what SET, USE and DELIMITER said so far. `charset` is MySQL's word."""

    charset: str = "utf8mb4"
    backslashes: bool = True
    ansi_quotes: bool = False
    delimiter: bytes = b";"
    database: str = ""
    time_zone: str = ""

    @property
    def codec(self) -> str:
        """Python's name of the charset; "" for `binary` and those we do not know."""
        return CODECS.get(self.charset, "")


@dataclass(frozen=True, slots=True)
class Statement:
    """Any statement but an INSERT of values, without its delimiter and the markers of comments that are executed."""

    text: bytes
    place: Place
    spelling: Spelling


@dataclass(frozen=True, slots=True)
class Insert:
    """What an INSERT says before its rows. `columns` is empty where it names none; `head` is its text up to the first row."""

    database: str
    table: str
    columns: tuple[str, ...]
    head: bytes


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of INSERTs into one table, written one behind another from `place` on. A text value is in `spelling.charset`, one
    that was written as hexadecimal, as bits or `_binary` is what it is; numbers are as they are written.
    """

    insert: Insert
    values: Sequence[tuple[Value, ...]]
    count: int
    place: Place
    spelling: Spelling


@dataclass(frozen=True, slots=True)
class LongRow:
    """A row of more than LARGEST_ROW that was passed over: its first values as far as they are short, where it begins, its bytes."""

    insert: Insert
    values: tuple[Value, ...]
    place: Place
    bytes: int


@dataclass(frozen=True, slots=True)
class End:
    """How the text ended. `unfinished` is where the statement or the row begins that has no end; `completed` says that the program that
    wrote it said so at its end ("-- Dump completed", or phpMyAdmin's last lines), `promised` that by its first lines it would.
    """

    place: Place
    completed: bool
    promised: bool
    unfinished: Place | None

    @property
    def whole(self) -> bool:
        """Whether nothing tells that the text was cut."""
        return self.unfinished is None and (self.completed or not self.promised)


class Want(Enum):
    """What is wanted of a table's rows."""

    NOTHING = "nothing"
    COUNT = "count"
    VALUES = "values"


CODECS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("utf8mb4", "utf8mb3", "utf8"), "utf-8"),
    "ascii": "ascii",
    "latin1": "cp1252",  # MySQL's latin1 is that, with the five undefined bytes as control characters
    "latin2": "iso8859-2",
    "latin5": "iso8859-9",
    "latin7": "iso8859-13",
    "greek": "iso8859-7",
    "hebrew": "iso8859-8",
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "tis620": "tis-620",
    "euckr": "euc-kr",
    "ujis": "euc-jp",
    "gb2312": "gb2312",
    **{name: name for name in ("cp850", "cp852", "cp866", "cp1250", "cp1251", "cp1256", "cp1257")},
}
# In these a quote or a backslash may be the second half of a letter, so bytes alone do not tell where a text ends.
UNSAFE: Final = frozenset({"big5", "gbk", "gb18030", "sjis", "cp932", "ucs2", "utf16", "utf16le", "utf32"})
_OTHER_ENCODINGS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def parts(
    source: Source,
    name: str,
    wants: Callable[[str, str], Want],
    *,
    start: Place = Place(0, 1),  # noqa: B008 - frozen
    spelling: Spelling = Spelling(),  # noqa: B008 - frozen
    inside: Insert | None = None,
) -> Iterator[Statement | Rows | LongRow | End]:
    """Everything in a text in order, an `End` last. `wants(database, table)` is asked at each INSERT (for one statement after another of the
    same table only once). `name` is for messages. A source that does not begin at the text's front is told its `start` and the `spelling` there, and `inside` of which
    INSERT's rows that is.

    Raises Misbehaved, with the place, for what no program writes: a value that is none, a charset that cannot be read by bytes.
    """
    return _Reader(source, name, wants, start, spelling, inside).parts()


# -- patterns ---------------------------------------------------------------------------------------------------------

_ANY = rb"[\s\S]"
# Python before 3.11.5 takes a possessive group wrongly whose failing round had looked ahead (gh-106052), and Debian 12 has 3.11.2. So groups
# are possessive only where a round that fails has consumed nothing.
_NAME = rb'(?:`(?:[^`]++|``)+`|"(?:[^"]++|"")+"|[\w$\x80-\xff]++)'
_SPACE = re.compile(rb"\s*+")
_HEAD = re.compile(
    rb"(?:insert|replace)\b(?:\s++(?:low_priority|delayed|high_priority|ignore)\b)*(?:\s++into\b)?\s*+"
    rb"(" + _NAME + rb")(?:\s*+\.\s*+(" + _NAME + rb"))?\s*+"
    rb"(?:\(((?:[^()`\"']++|`[^`]*+`|\"[^\"]*+\")*)\)\s*+)?values?\s*+(?=\()",
    re.IGNORECASE,
)
_NAMES = re.compile(_NAME)
_QUOTE_OR_END = re.compile(rb"['\")]")
_DELIMITER = re.compile(rb"delimiter[ \t]++(\S++)[^\n]*+\n", re.IGNORECASE)
_OPENER = re.compile(rb"/\*M?!(?:\d++|)(?!\d)\s*+")
_COMPLETED = re.compile(rb"-- Dump completed|-- Export finished")
_BEGUN = re.compile(rb"-- (?:MySQL|MariaDB) dump |-- mysqldump-php")
# phpMyAdmin and HeidiSQL say no such words: their last statements put back what their first ones changed.
_TAKEN = re.compile(rb"SET\s+@OLD_CHARACTER_SET_CLIENT", re.IGNORECASE)
_PUT_BACK = re.compile(
    rb"SET\s+(?:COLLATION_CONNECTION|SQL_NOTES|CHARACTER_SET_CLIENT)\s*=\s*(?:IFNULL\(\s*)?@OLD_", re.IGNORECASE
)
_NUMBER = re.compile(rb"[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?")
_HEX = re.compile(rb"0x([0-9A-Fa-f]*+)")
_QUOTED_BASE = re.compile(rb"([xXbB])'([0-9A-Fa-f]*+)'")
_INTRODUCER = re.compile(rb"(?:_([0-9A-Za-z]++)\s*+|[nN])(?=['\"])")
_WORD = re.compile(rb"[A-Za-z_]++")
_WORDS: Final[Mapping[bytes, Value]] = {b"NULL": None, b"TRUE": b"1", b"FALSE": b"0"}


@dataclass(frozen=True, slots=True)
class _Grammar:
    """The patterns of one spelling. `piece` takes as many whole pieces of a statement as there are, and stops before its delimiter."""

    piece: re.Pattern[bytes]
    text: re.Pattern[bytes]
    double: re.Pattern[bytes]
    inner: bytes
    inside: re.Pattern[bytes]


@lru_cache(maxsize=32)
def _grammar(delimiter: bytes, *, backslashes: bool) -> _Grammar:
    escape = rb"\\" + _ANY if backslashes else rb"(?!)"
    plain = rb"[^'\\]*+" if backslashes else rb"[^']*+"
    plain_double = rb'[^"\\]*+' if backslashes else rb'[^"]*+'
    inner = plain + rb"(?:(?:" + escape + rb"|'')" + plain + rb")*+"
    double = plain_double + rb"(?:(?:" + escape + rb'|"")' + plain_double + rb")*+"
    first = re.escape(delimiter[:1])
    behind = rb"(?=[\s\S]{%d})" % len(delimiter)
    piece = (
        rb"(?:" + behind + rb"(?!" + re.escape(delimiter) + rb")(?:"
        rb"[^'\"`#/\-" + first + rb"]++"
        rb"|'" + inner + rb"'(?=[^'])"
        rb'|"' + double + rb'"(?=[^"])'
        rb"|`[^`]*+`"
        rb"|--\s[^\n]*+(?=\n)|--(?=[^\s])|-(?=[^\-])"
        rb"|#[^\n]*+(?=\n)"
        rb"|/\*(?![!M])[\s\S]*?\*/|/\*(?=[!M])|/(?=[^*])"
        + (b"" if first in {b"'", b'"', b"`", rb"\#", b"/", rb"\-"} else rb"|" + first)
        + rb"))*"
    )
    return _Grammar(
        re.compile(piece),
        re.compile(rb"'(" + inner + rb")'(?=[^'])"),
        re.compile(rb'"(' + double + rb')"(?=[^"])'),
        inner,
        re.compile(inner),
    )


@dataclass(frozen=True, slots=True)
class _Style:
    """How a table's rows are written beside what is the same everywhere; what is not needed is not looked for, which is half of the time."""

    spaced: bool = False  # there are blanks between values
    marked: bool = False  # some are _binary

    def with_this(self, text: bytearray, at: int, end: int) -> _Style:
        """For rows like the one that stands there too."""
        spaced = self.spaced or bool(_BLANKS.search(text, at, end))
        return _Style(spaced, self.marked or text.find(b"_binary '", at, end) >= 0)


_BLANKS = re.compile(rb"[,(]\s|\s[,)]")


@lru_cache(maxsize=256)
def _rows_pattern(inner: bytes, width: int, style: _Style, delimiter: bytes, head: bytes) -> re.Pattern[bytes]:
    """As many rows as stand one behind another, each with `width` values in two groups (quoted, bare), and in a last group the rest of the
    text. Statements with the same head follow each other as rows do. Without a width, nothing is taken out of the rows.
    """
    blanks = rb"\s*+" if style.spaced else b""
    if width:
        mark = rb"(?:_binary )?" if style.marked else b""
        value = rb"(?:" + mark + rb"'(" + inner + rb")'|(NULL|-?[0-9][0-9.xA-Fa-f+\-]*+))" + blanks
        row = blanks + (b"," + blanks).join([value] * width)
    else:
        row = rb"(?:[^'()\"`/]++|'" + inner + rb"')+"
    follows = rb"\)\s*+(?:,|" + re.escape(delimiter) + rb"\s*+" + re.escape(head) + rb")"
    return re.compile(rb"\s*+\(" + row + follows + rb"|([\s\S]++)")


# -- values -----------------------------------------------------------------------------------------------------------

_ESCAPES: Final = (
    (rb"\'", b"'"), (rb"\"", b'"'), (rb"\n", b"\n"), (rb"\r", b"\r"), (rb"\t", b"\t"), (rb"\0", b"\0"), (rb"\Z", b"\x1a"),
    (rb"\b", b"\b"),
)  # fmt: skip
_OTHER_ESCAPE = re.compile(rb"\\([^%_])")


def unescape(text: bytes, *, backslashes: bool = True) -> bytes:
    """What a quoted text means, of what stands between its quotes (MySQL's manual, 9.1.1)."""
    text = text.replace(b"''", b"'")
    return _oddly_escaped(text) if backslashes and b"\\" in text else text


def _oddly_escaped(text: bytes) -> bytes:
    # Apart at the escaped backslashes, every backslash that is left begins an escape.
    return b"\\".join(map(_without_escapes, text.split(b"\\\\")))


def _without_escapes(part: bytes) -> bytes:
    for escape, meant in _ESCAPES:
        part = part.replace(escape, meant)
    return _OTHER_ESCAPE.sub(rb"\1", part) if b"\\" in part else part


def bare(word: bytes) -> Value:
    """What a value without quotes means. ValueError where it means nothing by itself."""
    if _NUMBER.fullmatch(word):
        return word
    if found := _HEX.fullmatch(word):
        return bytes.fromhex(found[1].decode().zfill(len(found[1]) + len(found[1]) % 2))
    try:
        return _WORDS[word.upper()]
    except KeyError:
        raise ValueError(word) from None


def _based(kind: bytes, digits: bytes) -> bytes:
    """A value written as x'...' or b'...'."""
    if kind in b"xX":
        return bytes.fromhex(digits.decode())
    return int(digits or b"0", 2).to_bytes(max((len(digits) + 7) // 8, 1), "big")


def _column(texts: Sequence[bytes], plain: Sequence[bytes], *, backslashes: bool) -> Sequence[Value]:
    """The values of one column of many rows. Looked at together, which is what makes it fast."""
    if all(plain) and b"".join(plain).isdigit():
        return plain
    together = _BETWEEN.join(texts)
    quoted: Sequence[Value] = texts
    if b"''" in together or (backslashes and b"\\" in together):
        if together.count(_BETWEEN) == len(texts) - 1 and (not backslashes or _ESCAPED_PLAINLY.fullmatch(together)):
            together = together.replace(b"''", b"'")
            quoted = (_plainly_escaped(together) if backslashes else together).split(_BETWEEN)
        else:
            quoted = [unescape(text, backslashes=backslashes) for text in texts]
    if not any(plain):
        return quoted
    return [
        (word if word.isdigit() else bare(word)) if word else text for text, word in zip(quoted, plain, strict=True)
    ]


# Escapes that mean the same to Python, whose decoder needs a thirtieth of the time. It is the one pickle uses; it is in no manual.
_BETWEEN: Final = b"\0"  # texts, while they are looked at together; of no text that was escaped for a dump, and of no escape that is plain
_ESCAPED_PLAINLY = re.compile(rb"""[^\\]*+(?:\\[nrt\\'"][^\\]*+)*+""")


def _plainly_escaped(text: bytes) -> bytes:
    decoded: object = codecs.escape_decode(text)[0]
    assert isinstance(decoded, bytes)  # whatever its annotation says
    return decoded


def unquoted(name: bytes, codec: str) -> str:
    """A name without its quotes."""
    for quote in (b"`", b'"'):
        if name.startswith(quote):
            name = name[1:-1].replace(quote * 2, quote)
    return name.decode(codec or "utf-8", "surrogateescape")


# -- the reader -------------------------------------------------------------------------------------------------------


class Window:
    """The part of a text that is in memory. Positions count from its front and hold until `more` is called, which changes `text` itself: a long
    row has room here once, and not once more for each time that it is read on.
    """

    def __init__(self, source: Source, name: str, start: Place) -> None:
        self._source = source
        self.name = name
        self.text = bytearray()
        self.ended = False
        self._before = start.byte
        self._counted, self._line = 0, start.line

    def more(self, keep: int, limit: int = 0) -> int:
        """Read on, and forget what stands before `keep`, which is at 0 from then on: the new position of what was there. Where a long
        piece is kept, more is read, so that it is seldom looked at anew. Raises Misbehaved beyond `limit` (0: LARGEST_ROW).
        """
        kept = len(self.text) - keep
        limit = limit or LARGEST_ROW
        if kept > limit:
            raise self.too_long(keep, limit)
        self._line += self.text.count(b"\n", self._counted, keep)
        self._counted = 0
        piece = self._read(min(max(CHUNK, kept), LARGEST_STEP))
        del self.text[:keep]
        self.text += piece
        self._before += keep
        if not piece:
            self.text += SENTINEL
            self.ended = True
        return 0

    def _read(self, size: int) -> bytes:
        pieces = []
        while size > 0 and (piece := self._source.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def place(self, at: int) -> Place:
        """Where a position is in the text. To be asked in ascending order."""
        self._line += self.text.count(b"\n", self._counted, at)
        self._counted = max(at, self._counted)
        return Place(self._before + at, self._line)

    def byte(self, at: int) -> int:
        """Which byte of the text a position is."""
        return self._before + at

    def at(self, byte: int) -> int:
        """The position of a byte of the text."""
        return byte - self._before

    def too_long(self, at: int, limit: int) -> Misbehaved:
        """An error about what does not end within `limit` bytes."""
        return self.misbehaved(
            at,
            f"something that begins here is longer than {limit // MB} MB and does not end",
            "Look at the file there: a quotation mark may be missing. If a row really is that long, as one with an upload in it can be, "
            "load the dump into a server and name that one in the plan.",
        )

    def misbehaved(self, at: int, what: str, remedy: str = "") -> Misbehaved:
        """An error about a position."""
        line = self._line + self.text.count(b"\n", self._counted, at)
        return Misbehaved(f"{self.name}: {Place(self._before + at, line)}: {what}.", remedy=remedy)


class _Reader:
    def __init__(
        self,
        source: Source,
        name: str,
        wants: Callable[[str, str], Want],
        start: Place,
        spelling: Spelling,
        inside: Insert | None,
    ) -> None:
        self._window = Window(source, name, start)
        self._wants = wants
        self._at = 0
        self._spelling = spelling
        self._variables: dict[str, str] = {}
        self._inside = inside
        self._completed = self._promised = False
        self._reach = CHUNK
        self._style = _Style()
        self._widths: dict[bytes, int] = {}
        self._front = start.byte == 0
        self._looked_at = (
            0,
            0,
        )  # where a long text begins that is not whole in memory yet, and how far it was looked at

    @property
    def _grammar(self) -> _Grammar:
        return _grammar(self._spelling.delimiter, backslashes=self._spelling.backslashes)

    def parts(self) -> Iterator[Statement | Rows | LongRow | End]:
        self._look_at_the_front()
        if self._inside and (unfinished := (yield from self._rows_of(self._inside, self._window.place(0)))):
            yield self._end(unfinished)
            return
        while self._come_to_a_statement():
            window = self._window
            if found := _DELIMITER.match(window.text, self._at):
                self._spelling = replace(self._spelling, delimiter=found[1][: len(SENTINEL)])
                self._at = found.end()
            elif found := _HEAD.match(window.text, self._at):
                unfinished = yield from self._insert(found)
                if unfinished:
                    yield self._end(unfinished)
                    return
            else:
                place = window.place(self._at)
                text = self._statement()
                if text is None:
                    yield self._end(place)
                    return
                self._heed(text, place)
                self._widths.clear()
                yield Statement(text, place, self._spelling)
        yield self._end(None)

    def _end(self, unfinished: Place | None) -> End:
        end = self._window.place(len(self._window.text) - len(SENTINEL))
        return End(end, completed=self._completed and not unfinished, promised=self._promised, unfinished=unfinished)

    def _look_at_the_front(self) -> None:
        self._need(LONGEST_HEAD)
        if not self._front:
            return
        start = bytes(self._window.text[:2])
        if start in _OTHER_ENCODINGS or (len(start) == 2 and b"\0" in start and start != b"\0\0"):  # noqa: PLR2004
            raise self._window.misbehaved(
                0,
                "the file is in UTF-16, as an editor or PowerShell saves it",
                "Make the dump again with --result-file.",
            )
        if self._window.text.startswith(b"\xef\xbb\xbf"):
            self._at = 3

    def _need(self, size: int) -> None:
        """See that so much of the text from here on is in memory, or all that there is."""
        while len(self._window.text) - self._at < size and not self._window.ended:
            self._at = self._window.more(self._at)

    def _come_to_a_statement(self) -> bool:
        """Pass over blanks, comments and what only opens or closes a comment that is executed; False at the end."""
        window = self._window
        while True:
            self._need(LONGEST_HEAD)
            self._at = _SPACE.match(window.text, self._at).end()  # type: ignore[union-attr]  # matches always
            text, at = window.text, self._at
            if at >= len(text):
                if window.ended:
                    return False
                self._need(LONGEST_HEAD)
            elif text.startswith(self._spelling.delimiter, at):
                self._at += len(self._spelling.delimiter)
            elif text.startswith(b"*/", at):
                self._at += 2
            elif text.startswith((b"--", b"#"), at):
                self._promised = bool(_BEGUN.match(text, at)) or self._promised
                self._completed = bool(_COMPLETED.match(text, at)) or self._completed
                self._pass(b"\n")
            elif found := _OPENER.match(text, at):
                if text.startswith(b"\\-", found.end()):
                    self._pass(b"*/")  # MariaDB's sandbox mark
                else:
                    self._at = found.end()
            elif text.startswith(b"/*", at):
                self._at += 2
                self._pass(b"*/")
            else:
                return True

    def _pass(self, mark: bytes) -> None:
        """Go behind the next `mark`, or to the end."""
        while (found := self._window.text.find(mark, self._at)) < 0:
            if self._window.ended:
                self._at = len(self._window.text)
                return
            self._at = self._window.more(max(self._at, len(self._window.text) - len(mark) + 1))
        self._at = found + len(mark)

    # -- statements ---------------------------------------------------------------------------------------------------

    def _statement(self) -> bytes | None:
        """The statement that begins here, and go behind its delimiter; None where the text ends before."""
        length = 0
        while True:
            end = self._piece_end(self._at + length)
            if self._window.text.startswith(self._spelling.delimiter, end):
                text = bytes(self._window.text[self._at : end])
                self._at = end + len(self._spelling.delimiter)
                return text.strip().removesuffix(b"*/").rstrip()
            if self._window.ended:
                return None
            length = end - self._at
            self._at = self._window.more(self._at, LARGEST_STATEMENT)

    def _piece_end(self, at: int) -> int:
        """Behind the last whole piece of a statement, from `at` on."""
        text, piece = self._window.text, self._grammar.piece
        # In portions, because each piece taken costs memory until the portion is over; then once more for one piece longer than that.
        while (end := piece.match(text, at, at + CHUNK).end()) > at:  # type: ignore[union-attr]  # it may match nothing, but it matches
            at = end
        return piece.match(text, at).end()  # type: ignore[union-attr]  # as above

    def _rest_of_statement(self) -> bool:
        """Go behind the delimiter of a statement of any length; False where the text ends before."""
        while True:
            self._at = self._piece_end(self._at)
            if self._window.text.startswith(self._spelling.delimiter, self._at):
                self._at += len(self._spelling.delimiter)
                return True
            if self._window.ended:
                return False
            if self._window.text.startswith(b"'", self._at) and len(self._window.text) - self._at > LARGEST_ROW:
                if not self._pass_text():
                    return False
                continue
            self._at = self._window.more(self._at)

    def _heed(self, text: bytes, place: Place) -> None:
        """Let SET and USE change how what follows is read."""
        word = text[:4].upper()
        if word.startswith(b"USE") and text[3:4].isspace():
            self._spelling = replace(
                self._spelling, database=unquoted(text[4:].strip(), self._spelling.codec or "utf-8")
            )
        elif word.startswith(b"SET") and text[3:4].isspace():
            settings = dict(_settings(text, self._variables, self._spelling))
            self._spelling = _changed(self._spelling, settings)
            self._promised = bool(_TAKEN.match(text)) or self._promised
            self._completed = bool(_PUT_BACK.match(text)) or self._completed
            if self._spelling.charset in UNSAFE:
                raise Misbehaved(
                    f"{self._window.name}: {place}: the dump is in {self._spelling.charset}, where a quote may be half of a letter.",
                    remedy="Make it again with --default-character-set=utf8mb4.",
                )

    # -- rows ---------------------------------------------------------------------------------------------------------

    def _insert(self, head: re.Match[bytes]) -> Generator[Rows | LongRow, None, Place | None]:
        """The rows of an INSERT and of those behind it with the same head; returns the place of the row that is cut if the text ends there."""
        window, codec = self._window, self._spelling.codec or "utf-8"
        self._completed = False
        names = [unquoted(name, codec) for name in (head[1], head[2]) if name]
        database, table = names if len(names) > 1 else (self._spelling.database, names[0])
        columns = tuple(unquoted(name, codec) for name in _NAMES.findall(head[3] or b""))
        begins = window.place(self._at)
        self._at = head.end()
        return (yield from self._rows_of(Insert(database, table, columns, head[0]), begins))

    def _rows_of(self, insert: Insert, begins: Place) -> Generator[Rows | LongRow, None, Place | None]:
        """The same, from a row on."""
        window, head, columns = self._window, insert.head, insert.columns
        want = self._wants(insert.database, insert.table)
        if want is Want.NOTHING:
            return self._skipped_rows(head, begins)
        # Where neither the statement nor its like before says how many values a row has, its first row does.
        width = (len(columns) or self._widths.get(head, 0)) if want is Want.VALUES else 0
        while True:
            place = window.place(self._at)
            values, count = self._plain_rows(head, width) if width or want is Want.COUNT else ((), 0)
            if not count:
                odd = self._odd_row()
                if odd is None and window.ended:
                    return place
                if self._is_too_long(odd):
                    passed = self._long_row(insert, place)
                    if passed is None:
                        return place
                    yield passed
                    if not self._another():
                        return self._end_of_rows()
                    continue
                if odd is None:
                    self._at = window.more(self._at, MOST_HELD)
                    continue
                self._refuse_another_width(insert.table, width, odd)
                values, count = ([odd.values], 1) if want is Want.VALUES else ((), 1)
                width = len(odd.values) if want is Want.VALUES else 0
                self._widths[head] = width
                self._style = self._style.with_this(window.text, self._at, odd.end)
                self._at = odd.end
                yield Rows(insert, values, count, place, self._spelling)
                if not odd.another:
                    return self._end_of_rows()
                continue
            yield Rows(insert, values, count, place, self._spelling)

    def _skipped_rows(self, head: bytes, begins: Place) -> Place | None:
        """Go behind the rows from here on; the place of the row that is cut if the text ends there."""
        while self._plain_rows(head, 0)[1]:
            begins = self._window.place(self._at)
        return None if self._rest_of_statement() else begins

    def _end_of_rows(self) -> Place | None:
        """Go behind the delimiter of an INSERT; where its end is missing if the text ends before."""
        return None if self._rest_of_statement() else self._window.place(self._at)

    def _plain_rows(self, head: bytes, width: int) -> tuple[Sequence[tuple[Value, ...]], int]:
        """The rows from here on that are written plainly, and their number; none where the next one is not, or not whole in memory."""
        text, backslashes = self._window.text, self._spelling.backslashes
        stop = min(len(text), self._at + self._reach)
        found = _rows_pattern(self._grammar.inner, width, self._style, self._spelling.delimiter, head).findall(
            text, self._at, stop
        )
        rest = (found[-1][-1] if width else found[-1]) if found else b""
        if rest:
            found.pop()
            stop -= len(rest)
        # Looking in vain costs a copy of what was looked at: after that, look at less.
        self._reach = min(self._reach * 4, LARGEST_ROW) if found else LEAST_REACH
        if not found:
            return (), 0
        if not width:
            self._at = stop
            return (), len(found)
        texts = list(zip(*found, strict=True))
        try:
            columns = [_column(texts[at], texts[at + 1], backslashes=backslashes) for at in range(0, 2 * width, 2)]
        except ValueError as error:
            raise self._window.misbehaved(self._at, f"in a row from here on, {error.args[0]!r} is no value") from None
        self._at = stop
        return list(zip(*columns, strict=True)), len(found)

    def _odd_row(self) -> _Odd | None:
        """The row that begins here, value by value; None where more of the text is needed to tell."""
        try:
            at = self._expect(self._at, b"(")
            values: list[Value] = []
            while True:
                at = self._blank(at)
                if not (self._window.text.startswith(b")", at) and not values):
                    value, at = self._value(at)
                    values.append(value)
                    at = self._blank(at)
                if self._window.text.startswith(b")", at):
                    break
                at = self._expect(at, b",")
            at = self._blank(at + 1)
            another = self._window.text.startswith(b",", at)
            return _Odd(tuple(values), at + another, another)
        except _ShortError:
            return None

    def _refuse_another_width(self, table: str, width: int, odd: _Odd) -> None:
        if width not in {0, len(odd.values)}:
            raise self._window.misbehaved(
                self._at, f"{table} has {width} columns, this row has {len(odd.values)} values"
            )

    def _is_too_long(self, odd: _Odd | None) -> bool:
        """Whether the row that begins here is longer than LARGEST_ROW; `odd` is what was read of it. It depends on nothing but the row: where
        reading began, and how much is in memory, differ from one reading to the next.
        """
        if odd is None:
            return len(self._window.text) - self._at > MOST_HELD
        return odd.end - self._at > LARGEST_ROW

    def _long_row(self, insert: Insert, place: Place) -> LongRow | None:
        """The row that begins here, of any length, and go behind it; None where the text ends before."""
        window, values = self._window, self._short_values()
        while True:
            found = _QUOTE_OR_END.search(window.text, self._at)
            if found is None and window.ended:
                return None
            if found is None:
                self._at = window.more(len(window.text))
                continue
            self._at = found.start()
            if found[0] == b")":
                self._at += 1
                return LongRow(insert, values, place, window.place(self._at).byte - place.byte)
            if found[0] == b'"':
                raise window.too_long(self._at, LARGEST_ROW)  # no program writes texts so
            if not self._pass_text():
                return None

    def _short_values(self) -> tuple[Value, ...]:
        """The values of the row that begins here, up to its first long one."""
        values: list[Value] = []
        try:
            at = self._expect(self._at, b"(")
            while True:
                value, at = self._value(at)
                if value is not None and len(value) > LONGEST_WORD:
                    break
                values.append(value)
                at = self._expect(at, b",")
        except _ShortError:
            pass
        return tuple(values)

    def _pass_text(self) -> bool:
        """Go behind the quoted text that begins here, of any length; False where the file ends before."""
        window = self._window
        self._at += 1
        while True:
            for _, end in self._portions(self._at):
                self._at = end
            if window.text.startswith(b"'", self._at) and self._at + 1 < len(window.text):
                self._at += 1
                return True
            if window.ended:
                return False
            self._at = window.more(self._at)

    def _portions(self, at: int) -> Iterator[tuple[int, int]]:
        """The inside of a quoted text from here on, as far as it is in memory, in portions for the same reason as the pieces of a statement: from
        where to where. None begins or ends in an escape.
        """
        text, inside, most = self._window.text, self._grammar.inside, max(CHUNK, 2)  # an escape is two bytes
        while (end := inside.match(text, at, at + most).end()) > at:  # type: ignore[union-attr]  # matches always
            yield at, end
            at = end

    def _quoted(self, at: int) -> tuple[bytes, int] | None:
        """What the quoted text means that begins here, and the position behind it; None where none begins."""
        text, spelling = self._window.text, self._spelling
        if text.startswith(b"'", at):
            found = self._grammar.text.match(text, at, at + CHUNK)
            return (unescape(found[1], backslashes=spelling.backslashes), found.end()) if found else self._long_text(at)
        if text.startswith(b'"', at) and not spelling.ansi_quotes:
            found = self._grammar.double.match(text, at)
            if found is None:
                raise _ShortError
            raw = found[1].replace(b'""', b'"').replace(b"'", b"''")
            return unescape(raw, backslashes=spelling.backslashes), found.end()
        return None

    def _long_text(self, at: int) -> tuple[bytes, int]:
        """What the text means that is quoted here, and the position behind it. What was looked at in vain is not looked at once more, and its
        escapes are taken out portion by portion: a text of 32 MB has room twice, not six times.
        """
        window, begins = self._window, self._window.byte(at)
        at += 1
        end = window.at(self._looked_at[1]) if self._looked_at[0] == begins else at
        for _, last in self._portions(end):
            end = last
        self._looked_at = begins, window.byte(end)
        if not window.text.startswith(b"'", end) or end + 1 >= len(window.text):
            raise _ShortError
        self._looked_at = 0, 0
        backslashes = self._spelling.backslashes
        meant = [
            unescape(bytes(window.text[first:last]), backslashes=backslashes) for first, last in self._portions(at)
        ]
        return b"".join(meant), end + 1

    def _another(self) -> bool:
        """Whether another row follows here, and go to it."""
        while True:
            try:
                self._at = self._blank(self._at)
            except _ShortError:
                if self._window.ended:
                    return False
                self._at = self._window.more(self._at)
                continue
            if not self._window.text.startswith(b",", self._at):
                return False
            self._at += 1
            return True

    def _expect(self, at: int, mark: bytes) -> int:
        at = self._blank(at)
        if not self._window.text.startswith(mark, at):
            raise self._wrong(at, f"{mark.decode()} is missing between the values of an INSERT")
        return at + 1

    def _blank(self, at: int) -> int:
        """Behind blanks and comments."""
        text = self._window.text
        while True:
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # matches always
            if len(text) - at < LONGEST_WORD and not self._window.ended:
                raise _ShortError
            if at >= len(text):
                raise _ShortError
            mark = b"*/" if text.startswith(b"/*", at) else b"\n" if text.startswith((b"-- ", b"#"), at) else b""
            if not mark:
                return at
            end = text.find(mark, at + 2)
            if end < 0:
                raise _ShortError
            at = end + len(mark)

    def _value(self, at: int) -> tuple[Value, int]:
        text, spelling = self._window.text, self._spelling
        charset = ""
        if introduced := _INTRODUCER.match(text, at):
            charset = (introduced[1] or b"utf8").decode().lower()
            at = introduced.end()
        if quoted := self._quoted(at):
            return _recoded(quoted[0], charset, spelling), quoted[1]
        if based := _QUOTED_BASE.match(text, at):
            return _based(based[1], based[2]), based.end()
        for pattern in (_HEX, _NUMBER, _WORD):
            if (plain := pattern.match(text, at)) and plain.end() + 1 >= len(text) and not self._window.ended:
                raise _ShortError
            if plain:
                try:
                    return bare(plain[0]), plain.end()
                except ValueError:
                    break
        raise self._wrong(
            at, f"a value begins with {bytes(text[at : at + 12])!r}, which only a server can tell the meaning of"
        )

    def _wrong(self, at: int, what: str) -> Exception:
        """What is wrong in a row; near the end of a text, that it ends there."""
        if self._window.ended and len(self._window.text) - len(SENTINEL) - at < LONGEST_WORD:
            return _ShortError()
        return self._window.misbehaved(at, what)


@dataclass(frozen=True, slots=True)
class _Odd:
    values: tuple[Value, ...]
    end: int
    another: bool


class _ShortError(Exception):
    """More of the text is needed."""


# -- what SET says ----------------------------------------------------------------------------------------------------

_NAMES_OR_CHARSET = re.compile(
    rb"set\s+(?:names|character\s+set|charset)\s+['\"]?([0-9A-Za-z_]+|default)", re.IGNORECASE
)
_SETTING = re.compile(
    rb"(@@?)?(?:(?:session|global|local)(?:\.|\s++))?`?([A-Za-z_][\w$]*+)`?\s*+:?=\s*+(?:ifnull\(\s*+)?"
    rb"('(?:[^'\\]++|\\[\s\S]|'')*'|\"[^\"]*+\"|@@?[\w.$]++|[^,\s]++)",
    re.IGNORECASE,
)
_CLIENT = "character_set_client"


def _settings(text: bytes, variables: dict[str, str], spelling: Spelling) -> Iterator[tuple[str, str]]:
    """The system variables that a SET changes; those of the user's own are kept in `variables`."""
    if found := _NAMES_OR_CHARSET.match(text):
        yield _CLIENT, found[1].decode().lower()
        return
    now = {
        _CLIENT: spelling.charset,
        "sql_mode": f"{'' if spelling.backslashes else 'NO_BACKSLASH_ESCAPES,'}{'ANSI_QUOTES' if spelling.ansi_quotes else ''}",
        "time_zone": spelling.time_zone,
    }
    for found in _SETTING.finditer(text):
        own, name, value = found[1] == b"@", found[2].decode().lower(), found[3].decode("latin-1")
        if value.startswith("@@"):
            value = now.get(value.rpartition("@")[2].rpartition(".")[2].lower(), "")
        elif value.startswith("@"):
            value = variables.get(value[1:].lower(), now.get(name, ""))
        elif value[:1] in {"'", '"'}:
            value = value[1:-1]
        if own:
            variables[name] = value
        else:
            yield name, value


def _changed(spelling: Spelling, settings: Mapping[str, str]) -> Spelling:
    if charset := settings.get(_CLIENT, "").lower():
        spelling = replace(spelling, charset="utf8mb4" if charset == "default" else charset)
    if "time_zone" in settings:
        spelling = replace(spelling, time_zone=settings["time_zone"])
    if "sql_mode" in settings:
        modes = {mode.strip() for mode in settings["sql_mode"].upper().split(",")}
        spelling = replace(
            spelling,
            backslashes="NO_BACKSLASH_ESCAPES" not in modes,
            ansi_quotes=bool(modes & {"ANSI", "ANSI_QUOTES"}),
        )
    return spelling


def _recoded(text: bytes, charset: str, spelling: Spelling) -> bytes:
    """A text with a charset of its own in that of the others; as it is where that is none we know."""
    own, common = CODECS.get(charset, ""), spelling.codec
    if not own or not common or own == common:
        return text
    try:
        return text.decode(own).encode(common)
    except UnicodeError:
        return text
