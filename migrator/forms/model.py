"""What a site's database keeps of its forms, as data: tables, rows, ranges of rows, and what proves that two of them hold the same.

What surprises: a value is what the server spells, never a number or a date of Python's. Text, numbers, dates and times are str as MariaDB
writes them ('0000-00-00', '1.50', '-838:59:59'; a FLOAT as '4.3', or with the digits of its double where six are not enough); what is in BLOB, BINARY, VARBINARY, BIT and geometry columns is bytes; NULL is None. A
lone surrogate in a text is a lone surrogate in the str ("surrogatepass"), so that nothing a server can hold is lost on the way.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from enum import Enum
from itertools import chain
from typing import Final, TypeAlias, cast, overload

from migrator.frozen import dataclass

Value: TypeAlias = str | bytes | None
Row: TypeAlias = tuple[Value, ...]
Key: TypeAlias = tuple[str | bytes, ...]  # the values of a row's key columns; never NULL

# -- tables -----------------------------------------------------------------------------------------------------------


class Family(Enum):
    """What kind of values a column holds: how they are compared, ordered and told to another database."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    TEXT = "text"  # char, varchar, text, enum, set, json
    BINARY = "binary"  # binary, varbinary, blob, geometry
    BIT = "bit"
    TEMPORAL = "temporal"  # date, datetime, timestamp, time
    YEAR = "year"

    __hash__ = object.__hash__

    @property
    def is_bytes(self) -> bool:
        """Whether its values are bytes."""
        return self in {Family.BINARY, Family.BIT}


_FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "integer", "bigint", "bool", "boolean", "serial"), Family.INTEGER),
    **dict.fromkeys(("decimal", "numeric", "dec", "fixed"), Family.DECIMAL),
    **dict.fromkeys(("float", "double", "real"), Family.FLOAT),
    **dict.fromkeys(("date", "datetime", "timestamp", "time"), Family.TEMPORAL),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"), Family.BINARY),
    **dict.fromkeys(
        ("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection"), Family.BINARY
    ),
    "bit": Family.BIT,
    "year": Family.YEAR,
}  # fmt: skip


def family_of(type_: str) -> Family:
    """The family of a column's type as MariaDB spells it (`bigint(20) unsigned`); a type nobody knows is text."""
    word = type_.lower().split("(", 1)[0].split(" ", 1)[0]
    return _FAMILIES.get(word, Family.TEXT)


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `type` is exact, as MariaDB spells it (`varchar(127)`, `decimal(16,4)`, `enum('a','b')`), also where the product is none.

    `default` is the value a row gets without one, as the server spells it, None for NULL or none at all; `default_is_words` says that it
    is an expression (`current_timestamp()`). `extra` are further words of its definition (`auto_increment`, `on update
    current_timestamp()`). `charset` and `collation` are "" where it holds no text. `computed` columns are made by the server of others:
    they are read and compared, and never written. `is_json` says that the server refuses what is no JSON.
    """

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    default_is_words: bool = False
    extra: str = ""
    charset: str = ""
    collation: str = ""
    computed: str = ""
    is_json: bool = False

    @property
    def family(self) -> Family:
        """What kind of values it holds."""
        return family_of(self.type)

    @property
    def unsigned(self) -> bool:
        """Whether its numbers are never below 0."""
        return "unsigned" in self.type.lower()

    @property
    def counts_up(self) -> bool:
        """Whether the server numbers rows in it."""
        return "auto_increment" in self.extra.lower()


@dataclass(frozen=True, slots=True)
class Index:
    """An index. `lengths` are those of prefixes, None for a whole column. The primary key is called PRIMARY. `kind` is "" for an ordinary
    one, FULLTEXT or SPATIAL.
    """

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    lengths: tuple[int | None, ...] = ()
    kind: str = ""


class Paging(Enum):
    """How the rows of a table are divided into ranges."""

    KEY = "key"  # by a unique key without NULL: every row has a place of its own
    INDEX = "index"  # by an index that is not unique: rows of one value stay together
    CONTENT = "content"  # there is no index to go by: by what the rows say (their CRC), one reading of the table for each range


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `page_by` are the columns that `paging` goes by, in order. `rows` and `bytes` are the server's own guesses, None where it
    makes none. `engine` is as MariaDB calls it ("" if it is none); only some engines show one moment of all tables (`steady`).
    """

    name: str
    columns: tuple[Column, ...]
    paging: Paging = Paging.CONTENT
    page_by: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    engine: str = ""
    charset: str = ""
    collation: str = ""
    rows: int | None = None
    bytes: int | None = None
    next_number: int | None = None  # AUTO_INCREMENT
    row_format: str = ""
    comment: str = ""

    @property
    def steady(self) -> bool:
        """Whether its engine has transactions; MyISAM, Aria and MEMORY show every change at once and undo nothing."""
        return self.engine.lower() in {"", "innodb", "xtradb", "rocksdb", "tokudb"}

    def column(self, name: str) -> Column:
        """A column by its name, whatever its case. Raises KeyError."""
        for one in self.columns:
            if one.name.lower() == name.lower():
                return one
        raise KeyError(name)

    def place(self, name: str) -> int:
        """Where a column's values stand in a row. Raises KeyError."""
        return self.columns.index(self.column(name))

    def key_of(self, row: Row) -> Key:
        """The values a row is paged by; a NULL there is told as an empty text (it sorts first)."""
        return tuple(value if (value := row[self.place(name)]) is not None else "" for name in self.page_by)


def choose_paging(columns: Sequence[Column], indexes: Sequence[Index]) -> tuple[Paging, tuple[str, ...]]:
    """How a table with these columns and indexes is best divided: by its primary key, else by a unique one without NULL (whole columns,
    fewest first), else by an index that begins with a number or a date without NULL, else by content.
    """
    by_name = {one.name.lower(): one for one in columns}

    def orders(column: Column | None) -> bool:
        # What compares as float cannot be named exactly in a condition; an enum is ordered by its number and compared by its word.
        word = column.type.lower() if column else ""
        return (
            column is not None
            and column.family not in {Family.FLOAT, Family.BIT}
            and not word.startswith(("enum", "set", "json"))
        )

    def whole(index: Index) -> bool:
        return (
            not index.kind
            and not any(index.lengths)
            and all(orders(by_name.get(name.lower())) for name in index.columns)
        )

    usable = [one for one in indexes if whole(one)]
    unique = [one for one in usable if one.unique and not any(by_name[name.lower()].nullable for name in one.columns)]
    unique.sort(key=lambda one: (one.name != "PRIMARY", len(one.columns)))
    if unique:
        return Paging.KEY, unique[0].columns
    sorted_by = {Family.INTEGER, Family.DECIMAL, Family.TEMPORAL}
    single = [
        one for one in usable if (first := by_name[one.columns[0].lower()]).family in sorted_by and not first.nullable
    ]
    if single:
        return Paging.INDEX, single[0].columns[:1]
    return Paging.CONTENT, ()


# -- a part of a table --------------------------------------------------------------------------------------------------


class Operator(Enum):
    """How a column's value is compared with what is wanted of it."""

    IN = "in"  # is one of these; None among them is NULL
    NOT_IN = "not in"
    FROM = "from"  # is this or greater
    BELOW = "below"  # is less than this
    STARTS = "starts"  # begins with this, case told apart

    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row's column must say. Values are spelt as in a row."""

    column: str
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """Only rows whose `column` names a row of another table (`key` there) that fulfils conditions: post meta of certain posts."""

    column: str
    table: str
    key: str
    conditions: tuple[Condition, ...] = ()
    within: Within | None = None


@dataclass(frozen=True, slots=True)
class Extract:
    """Rows of a table: all of them, or those that fulfil every condition. This is what is counted, read, proven and moved."""

    table: Table
    conditions: tuple[Condition, ...] = ()
    within: Within | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole table."""
        return not self.conditions and self.within is None


@dataclass(frozen=True, slots=True)
class LeftRow:
    """A row of a table that a source has and cannot give, for it is too large to be held: by its key, or where it stands if that is not
    known; and its bytes, as they are written there.
    """

    name: str
    size: int
    where: str


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Some rows of an extract: those behind `after` up to and with `upto`, in the order of what the table is paged by. None is an open
    end. With Paging.CONTENT it is the `part`th of `parts`: the rows whose CRC, divided by `parts`, leaves `part`.
    """

    after: Key | None = None
    upto: Key | None = None
    part: int = 0
    parts: int = 1

    @property
    def key(self) -> str:
        """The range as one line of text that `range_of` reads; stable, so the ledger files it under this."""
        return json.dumps(
            [_spelt(self.after), _spelt(self.upto), *([self.part, self.parts] if self.parts > 1 else [])],
            separators=(",", ":"),
        )

    @property
    def label(self) -> str:
        """The range as an admin reads it. Keys are shown: they are numbers, or what the site made up, mostly no person's words."""
        if self.parts > 1:
            return f"part {self.part + 1} of {self.parts}"
        after, upto = (" ".join(map(_shown, end)) if end else "" for end in (self.after, self.upto))
        if self.after is None and self.upto is None:
            return "all rows"
        return f"after {after or 'the beginning'}" + (f" up to {upto}" if upto else "")


EVERYTHING = KeyRange()


def range_of(key: str) -> KeyRange:
    """The range that `KeyRange.key` spells. Raises ValueError."""
    try:
        after, upto, *parts = json.loads(key)
        part, total = parts or (0, 1)
        return KeyRange(_read(after), _read(upto), int(part), int(total))
    except (TypeError, KeyError) as error:
        raise ValueError(f"{key[:80]} is no range") from error


def _spelt(key: Key | None) -> list[object] | None:
    return None if key is None else [{"hex": one.hex()} if isinstance(one, bytes) else one for one in key]


def _read(key: list[str | dict[str, str]] | None) -> Key | None:
    return (
        None if key is None else tuple(bytes.fromhex(one["hex"]) if isinstance(one, dict) else str(one) for one in key)
    )


def _shown(value: str | bytes) -> str:
    text = value.hex() if isinstance(value, bytes) else value
    return text if len(text) <= 40 and text.isprintable() else f"{text[:40]!r}..."  # noqa: PLR2004 - a word's length


# -- proof --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checksum:
    """How many rows there are and the sum of their CRCs: it does not depend on their order, and two of disjoint ranges add up."""

    rows: int = 0
    crc: int = 0

    def __add__(self, other: Checksum) -> Checksum:
        return Checksum(self.rows + other.rows, self.crc + other.crc)

    def __str__(self) -> str:
        """As the ledger and a manifest keep it."""
        return f"{self.rows}:{self.crc:x}"

    @classmethod
    def read(cls, text: str) -> Checksum:
        """What `str` wrote. Raises ValueError."""
        rows, _, crc = text.partition(":")
        return cls(int(rows), int(crc, 16))


NOTHING = Checksum()


def row_bytes(row: Row) -> bytes:
    """A row as the bytes its CRC is taken of: each value as `<length in bytes>:<bytes>`, text in UTF-8, NULL as `-`. In SQL:
    CONCAT(IFNULL(CONCAT(LENGTH(v), ':', v), '-'), ...) with v = CAST(CONVERT(column USING utf8mb4) AS BINARY).
    """
    spelt = [one if one is None or isinstance(one, bytes) else one.encode("utf-8", "surrogatepass") for one in row]
    return b"".join([b"-" if one is None else b"%d:%b" % (len(one), one) for one in spelt])


def crc_of(row: Row) -> int:
    """The CRC-32 (ISO 3309, as CRC32() in SQL and in zip files) of a row."""
    return zlib.crc32(row_bytes(row))


class Summed(Sequence[Row]):
    """Rows whose checksum is known, and how many bytes they are spelt with; nobody changes them any more."""

    def __init__(self, rows: Sequence[Row], crc: int, size: int) -> None:
        self._rows: Sequence[Row] | None = rows
        self.sum = Checksum(len(rows), crc)
        self.size = size

    @property
    def rows(self) -> Sequence[Row]:
        """The rows themselves."""
        assert self._rows is not None
        return self._rows

    def __len__(self) -> int:
        return self.sum.rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        return self.rows[at]

    @classmethod
    def of(cls, pages: Iterable[Sequence[Row]]) -> Summed:
        """All rows of these pages."""
        told = list(pages)
        spelt = [page for page in told if isinstance(page, Spelt)]
        if spelt and len(spelt) == len(told):
            return spelt[0].joined(spelt[1:])
        rows: list[Row] = []
        crc = size = 0
        for page in told:
            rows += page
            if isinstance(page, Summed):
                crc, size = crc + page.sum.crc, size + page.size
                continue
            for row in page:
                said = row_bytes(row)
                crc, size = crc + zlib.crc32(said), size + len(said)
        return Summed(rows, crc, size)


class Spelt(Summed):
    """Rows as a server spelt them: their values column by column as bytes, texts in UTF-8. They are told as rows only to those who look at
    them, for what writes bytes needs none: to decode every value is a good part of what a row costs.
    """

    def __init__(
        self,
        columns: Sequence[Sequence[bytes | None]],
        is_bytes: Sequence[bool],
        crc_and_size: tuple[int, int] | None = None,
    ) -> None:
        """`columns` are of equal length and not empty; `is_bytes` says of each whether its values are bytes or texts."""
        self.columns = columns
        self.is_bytes = is_bytes
        crc, self.size = crc_and_size or crc_of_bytes(columns)
        self.sum = Checksum(len(columns[0]), crc)
        self._rows = None

    @property
    def rows(self) -> Sequence[Row]:
        if self._rows is None:
            self._rows = list(zip(*[self.values(place) for place in range(len(self.columns))], strict=True))
        return self._rows

    def values(self, place: int) -> Sequence[Value]:
        """The values of one column as rows have them."""
        column = self.columns[place]
        if self.is_bytes[place]:
            return column
        try:
            return [None if one is None else one.decode() for one in column]
        except UnicodeDecodeError:
            return [None if one is None else one.decode("utf-8", "surrogatepass") for one in column]

    def pieces(self, rows: int) -> Iterator[Spelt]:
        """The same in pieces of at most so many rows. Their own sums are not asked for."""
        for start in range(0, len(self), rows):
            yield Spelt([column[start : start + rows] for column in self.columns], self.is_bytes, (0, 0))

    def joined(self, others: Sequence[Spelt]) -> Spelt:
        """These rows and those of others of the same columns."""
        if not others:
            return self
        every = (self, *others)
        columns = [[*chain.from_iterable(one)] for one in zip(*[page.columns for page in every], strict=True)]
        return Spelt(columns, self.is_bytes, (sum(one.sum.crc for one in every), sum(one.size for one in every)))


def crc_of_bytes(columns: Sequence[Sequence[bytes | None]]) -> tuple[int, int]:
    """The sum of the CRCs of rows, given column by column as bytes, and how many bytes they are spelt with."""
    if len(columns[0]) <= FEW_ROWS:  # which may be large: nothing of them is put together
        return _crc_of_few(columns)
    said = list(map(b"".join, zip(*[part for column in columns for part in _with_lengths(column)], strict=True)))
    return sum(map(zlib.crc32, said)), sum(map(len, said))


FEW_ROWS = 50


def _crc_of_few(columns: Sequence[Sequence[bytes | None]]) -> tuple[int, int]:
    crcs = size = 0
    for row in zip(*columns, strict=True):
        crc = 0
        for value in row:
            said = b"-" if value is None else b"%d:" % len(value)
            crc = zlib.crc32(value or b"", zlib.crc32(said, crc))
            size += len(said) + len(value or b"")
        crcs += crc
    return crcs, size


_LENGTHS: Final = [b"%d:" % length for length in range(4096)]  # to look one up takes half the time of writing it


def _with_lengths(column: Sequence[bytes | None]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """What stands before each value of a column, and the values."""
    has_null = None in column
    filled = [one or b"" for one in column] if has_null else cast("Sequence[bytes]", column)
    lengths = [_LENGTHS[one] if one < len(_LENGTHS) else b"%d:" % one for one in map(len, filled)]
    if has_null:
        lengths = [b"-" if one is None else length for one, length in zip(column, lengths, strict=True)]
    return lengths, filled


def checksum_of(rows: Iterable[Row]) -> Checksum:
    """The checksum of these rows."""
    if isinstance(rows, Summed):
        return rows.sum
    count = crc = 0
    for row in rows:
        count += 1
        crc += zlib.crc32(row_bytes(row))
    return Checksum(count, crc)


# -- products -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """What stands behind a session, for the manifest. `zone` is that of sessions of ours (TIMESTAMP columns are read under it)."""

    product: str
    version: str = ""
    charset: str = ""
    sql_mode: str = ""
    zone: str = "+00:00"
    database: str = ""


@dataclass(frozen=True, slots=True)
class Features:
    """What this very endpoint can.

    `checksums`: it computes a range's checksum itself, by another road than reading the rows; where not, `checksum` reads them.
    `exact`: what is loaded comes back to the last byte, so a target's checksum is the source's; where not, `as_kept` tells the difference. `merges`: rows
    can be put beside others into a table that is not empty. `orders_text`: ranges of text keys mean the same here as where the rows come from. `runs_dry`: answers may end early in silence, so that every range is proven.
    `chosen`: what is there was chosen when it was put there, so all of it is moved unless a plan chooses anew. `seeks`: rows with certain values
    of a column are found without reading the whole table for them.
    """

    title: str
    checksums: bool = True
    exact: bool = True
    merges: bool = True
    orders_text: bool = True
    runs_dry: bool = False
    chosen: bool = False
    seeks: bool = True


# -- plugins ------------------------------------------------------------------------------------------------------------


class Role(Enum):
    """What a table is to a plugin."""

    ENTRIES = "entries"  # one row for each submission
    VALUES = "values"  # what was filled in
    NOTES = "notes"  # what the site's people added: notes, logs, status
    FORMS = "forms"  # what the forms are called, and their fields

    __hash__ = object.__hash__


class Clock(Enum):
    """What a column with the moment of a submission means."""

    UTC = "utc"
    LOCAL = "local"  # the site's wall clock
    UNIX = "unix"  # seconds since 1970, perhaps with a fraction


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that names a row of another table of the plugin, by its key."""

    column: str
    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Link:
    """A number of another table's row that stands where no reference can be: in some rows only (`only` says what a column of theirs has to be),
    inside a text (the first group of `named`), inside a value (`way`, as `fields.*.formId`), or in a circle. `otherwise` is put where it
    leads nowhere; without it such a row cannot be moved to other numbers.
    """

    column: str
    table: str
    key: str
    only: tuple[str, tuple[str, ...]] = ("", ())
    named: str = ""
    way: str = ""
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Keyed:
    """A column that names a field of a form by a key of the form's own: the first group of `named`. The form is what the row's column `form`
    says, or the entry that its column `entry` names. With `items`, it holds a list of objects whose member of that name is the field's key.
    """

    column: str
    form: str = ""
    entry: str = ""
    named: str = "(.+)"
    items: str = ""


@dataclass(frozen=True, slots=True)
class StoredTable:
    """One table, or part of one, that a plugin keeps something in. `table` is the whole name at the site. `conditions` and `within` say
    which rows of a table it shares with others (posts); `moment` is the column that `since` and `older_than` are about, `moment_of` the
    reference to the row that has it where it has none itself; `references` come before it when it is restored. `identity` is a column
    that tells the same submission wherever it is (a hash, a uuid), "" without one. `links` and `keyed` are numbers and keys in its rows that
    change when rows or forms are others at the target. What is `aside` is the site's own: it tells what entries mean and goes into dumps alone.
    """

    table: str
    role: Role
    conditions: tuple[Condition, ...] = ()
    within: Within | None = None
    references: tuple[Reference, ...] = ()
    moment: str = ""
    clock: Clock = Clock.UTC
    identity: str = ""
    links: tuple[Link, ...] = ()
    keyed: tuple[Keyed, ...] = ()
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """What one plugin keeps in one site: `plugin` is its word in a plan, `title` what people call it, `prefix` what stands before its
    tables' names, `site` the number of a blog of a multisite ("" for the main one). `tables` in the order in which they are restored:
    forms, entries, then what hangs on them. `silent` says why there is nothing where the plugin stores nothing.
    """

    plugin: str
    title: str
    prefix: str = ""
    site: str = ""
    tables: tuple[StoredTable, ...] = ()
    silent: str = ""
    notes: tuple[str, ...] = field(default=())
