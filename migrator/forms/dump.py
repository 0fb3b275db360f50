"""A dump as tables: what is in its files, where, and rows from anywhere in them without reading all again.

What surprises: keys may stand at the very end of a dump (phpMyAdmin), and what a DROP or TRUNCATE in it empties was never there. So a dump is
read through once before anything is said about it, and marks are kept on the way: one for each quarter of a megabyte, from which reading
may begin. That pass also sees which columns ascend from row to row; a table that is written in the order of its key can be divided by it.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from operator import le, lt
from pathlib import Path
from threading import Lock
from typing import Any

from migrator.errors import EndpointRefused, EndpointUnfit, Misbehaved, NotFound
from migrator.forms import csv_text
from migrator.forms.model import Column, Family, LeftRow, Paging, Row, Server, Table, Value
from migrator.forms.packed import Unpacked
from migrator.forms.sql import created
from migrator.forms.sql_text import LARGEST_ROW, End, Insert, LongRow, Place, Rows, Spelling, Statement, Want, parts
from migrator.frozen import dataclass

MB = 1024 * 1024
BETWEEN_MARKS = 256 * 1024  # bytes
Raw = Sequence[bytes | None]
Number = int | Decimal | bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A place where reading a table's rows may begin. `before` counts its rows up to here; `first` are the first row's values of the columns
    that ascend up to here, by their place in the statement.
    """

    file: int
    place: Place
    spelling: Spelling
    insert: Insert
    before: int
    first: Mapping[int, Number]


@dataclass(slots=True)
class Kept:
    """One table of a dump. `ascending` maps places in a row to whether the value is greater each time (else it may be equal)."""

    table: Table
    marks: list[Mark] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    ascending: dict[int, bool] = field(default_factory=dict)
    last: dict[int, Number] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    unread: str = ""
    long: list[tuple[Path, LongRow]] = field(default_factory=list)
    left: list[LeftRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a dump is and how it is to be understood. `stamp` tells files that were changed apart."""

    files: tuple[Path, ...]
    stamp: tuple[tuple[int, int], ...]
    database: str = ""
    charset: str = ""
    accept_cut: bool = False
    csv: csv_text.Dialect = field(default_factory=csv_text.Dialect)


class Dump:
    """The tables of a dump. Made by `opened`; safe to use from several threads, each reading files of its own."""

    def __init__(self, source: Source, tables: Mapping[str, Kept], server: Server) -> None:
        self._source = source
        self._tables = tables
        self.server = server

    def tables(self) -> list[Table]:
        """Every table, by name."""
        return [one.table for _, one in sorted(self._tables.items())]

    def count(self, name: str) -> int:
        """How many rows a table has. Raises NotFound."""
        return self._kept(name).rows

    def left_rows(self, name: str) -> list[LeftRow]:
        """The rows of a table that are too long to be read; they are in no count. Raises NotFound."""
        return self._kept(name).left

    def rows(self, name: str, after: Number | None = None) -> Iterator[list[Row]]:
        """The rows of a table in pages, as they are written; those of a page are of one piece of the file. With `after`, pages in which every
        row's key is at most that are mostly left out: for a table that is paged by its key. Raises NotFound, Misbehaved.
        """
        kept = self._kept(name)
        if not kept.marks:
            return
        start = self._start(kept, after)
        left = kept.rows - kept.marks[start].before
        mark = kept.marks[start]
        files = range(mark.file, len(self._source.files))
        for number in files:
            for batch in self._batches(number, mark if number == mark.file else None, kept):
                page = batch.values[:left]
                left -= len(page)
                if page:
                    yield _told(kept, replace(batch, values=page), self._source.files[number])
                if not left:
                    return
        raise Misbehaved(
            f"{self._source.files[0]}: {name} has fewer rows than before.",
            remedy="Leave the file alone while it is read.",
        )

    def _kept(self, name: str) -> Kept:
        kept = self._tables.get(name)
        if kept is None:
            raise NotFound(f"{self._source.files[0].name}: there is no table {name}.")
        if kept.unread:
            raise Misbehaved(kept.unread, remedy="Load the dump into a server, and name that one in the plan.")
        return kept

    def _start(self, kept: Kept, after: Number | None) -> int:
        if after is None or not kept.table.page_by:
            return 0
        place = kept.columns.index(kept.table.page_by[0])
        firsts: list[Any] = [mark.first[place] for mark in kept.marks]  # Any: numbers of one kind can be compared
        return max(bisect_right(firsts, after) - 1, 0)

    def _batches(self, number: int, mark: Mark | None, kept: Kept) -> Iterator[Rows]:
        path = self._source.files[number]

        def wants(database: str, table: str) -> Want:
            same = table == kept.table.name and database in {"", kept.marks[0].insert.database, self._source.database}
            return Want.VALUES if same else Want.NOTHING

        for part in _read(self._source, path, wants, mark):
            if isinstance(part, Rows):
                yield part


def opened(
    path: Path, *, database: str = "", charset: str = "", accept_cut: bool = False, csv: csv_text.Dialect
) -> Dump:
    """The dump in a file, or in the files of a folder. It is read through once for all sessions that open it with the same words, for as
    long as its files stay as they are. Raises EndpointUnfit where there is none, Misbehaved for what cannot be read, EndpointRefused for what the
    plan must say.
    """
    files = _files(path)
    stamp = tuple((one.stat().st_mtime_ns, one.stat().st_size) for one in files)
    with _ONE_AT_A_TIME:  # a second session waits for the first one's pass instead of making its own
        return _indexed(Source(files, stamp, database, charset.lower(), accept_cut, csv))


_ONE_AT_A_TIME = Lock()
_FIRST = ("-schema-create.", "-schema.")  # mydumper's names for what has to be read before the rows
_A_DUMP = re.compile(r"\.(sql|csv)(\.(gz|zst|bz2))?$", re.IGNORECASE)


def _files(path: Path) -> tuple[Path, ...]:
    if not path.is_dir():
        if not path.exists():
            raise EndpointUnfit(f"{path} is not there.", remedy="Correct the path in the plan.")
        return (path,)
    found = [one for one in path.iterdir() if _A_DUMP.search(one.name)]
    if not found:
        raise EndpointUnfit(
            f"{path} holds no file that ends with .sql or .csv.", remedy="Correct the path in the plan."
        )
    return tuple(sorted(found, key=lambda one: (not any(word in one.name for word in _FIRST), one.name)))


def _read(
    source: Source, path: Path, wants: Callable[[str, str], Want], mark: Mark | None = None
) -> Iterator[Statement | Rows | LongRow | End]:
    """The parts of one file, from a mark on."""
    file = Unpacked(path)
    try:
        if mark is not None:
            file.start_at(mark.place.byte)
        start = mark.place if mark else Place(0, 1)
        spelling = mark.spelling if mark else Spelling(database=_database_of(path))
        if csv_text.is_csv(path):
            yield from csv_text.parts(file, path, source.csv, wants, start=start, inside=mark.insert if mark else None)
        else:
            found = parts(file, path.name, wants, start=start, spelling=spelling, inside=mark.insert if mark else None)
            if not source.charset:
                yield from found
                return
            for part in found:
                if isinstance(part, End | LongRow):
                    yield part
                else:
                    yield replace(part, spelling=replace(part.spelling, charset=source.charset))
    finally:
        file.close()


def _database_of(path: Path) -> str:
    """The database, where a file's name tells it, as mydumper's do."""
    found = re.match(r"([^.]+)\.[^.]+(-schema|\.\d+)\.sql", path.name)
    return found[1] if found else ""


# -- the pass through all files -----------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _indexed(source: Source) -> Dump:
    index = _Index(source)
    for number, path in enumerate(source.files):
        for part in _read(source, path, lambda *_: Want.VALUES):
            if isinstance(part, Rows):
                index.see_rows(number, part)
            elif isinstance(part, Statement):
                index.see_statement(path, part)
            elif isinstance(part, LongRow):
                index.see_long(path, part)
            else:
                index.see_end(path, part)
    return index.dump()


class _Index:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._tables: dict[tuple[str, str], Kept] = {}
        self._charset = self._zone = ""

    def see_statement(self, path: Path, part: Statement) -> None:
        text = part.text.decode(part.spelling.codec or "utf-8", "surrogateescape")
        self._zone = self._zone or part.spelling.time_zone
        if found := created.made(text):
            key = (found[0] or part.spelling.database, found[1].name)
            self._tables[key] = Kept(found[1])
        elif changes := created.altered(text):
            kept = self._tables.get((changes[0] or part.spelling.database, changes[1]))
            if kept is not None:
                kept.table = created.with_changes(kept.table, changes[2])
        elif gone := created.emptied(text):
            key = (gone[0] or part.spelling.database, gone[1])
            if kept := self._tables.get(key):
                self._tables[key] = Kept(kept.table)
        elif (touched := created.changed(text)) and (
            kept := self._tables.get((touched[0] or part.spelling.database, touched[1]))
        ):
            word = text.split(maxsplit=1)[0].upper()
            kept.unread = (
                f"{path.name}: {part.place}: {word} changes {touched[1]} in a way that only a server can work out."
            )

    def see_rows(self, number: int, part: Rows) -> None:
        insert = part.insert
        self._charset = self._charset or part.spelling.charset
        kept = self._tables.get((insert.database, insert.table))
        if kept is None:
            kept = self._tables[insert.database, insert.table] = Kept(_unknown(insert, part))
        columns = insert.columns or tuple(one.name for one in kept.table.columns)
        if len(columns) != len(part.values[0]):
            path = self._source.files[number]
            raise Misbehaved(
                f"{path.name}: {part.place}: {insert.table} has {len(columns)} columns, this row has {len(part.values[0])} values."
            )
        self._follow(kept, columns, part.values)
        last = kept.marks[-1] if kept.marks else None
        if (
            last is None
            or last.file != number
            or part.place.byte - last.place.byte >= BETWEEN_MARKS
            or part.spelling != last.spelling
            or insert.columns != last.insert.columns
        ):
            first = {at: _number(part.values[0][at]) for at in kept.ascending}
            kept.marks.append(
                Mark(
                    number,
                    part.place,
                    part.spelling,
                    insert,
                    kept.rows,
                    {k: v for k, v in first.items() if v is not None},
                )
            )
        kept.rows += part.count

    def see_long(self, path: Path, part: LongRow) -> None:
        kept = self._tables.get((part.insert.database, part.insert.table))
        if kept is None:
            raise Misbehaved(
                f"{path.name}: {part.place}: a row of {part.insert.table} is longer than {LARGEST_ROW // MB} MB, and the dump does not say "
                "what columns that table has.",
                remedy="Make the dump with the tables' structure, or load it into a server and name that one in the plan.",
            )
        kept.long.append((path, part))

    def _follow(self, kept: Kept, columns: tuple[str, ...], rows: Sequence[Raw]) -> None:
        """See which columns still ascend."""
        if not kept.columns:
            kept.columns = columns
            kept.ascending = {at: True for at, one in enumerate(rows[0]) if _number(one) is not None}
        elif kept.columns != columns:
            kept.ascending = {}
        for at in list(kept.ascending):
            numbers: list[Any] = [_number(row[at]) for row in rows]  # Any: of one kind, or given up
            if at in kept.last:
                numbers.insert(0, kept.last[at])
            try:
                if not all(map(le, numbers, numbers[1:])):
                    del kept.ascending[at]
                    continue
                kept.ascending[at] = kept.ascending[at] and all(map(lt, numbers, numbers[1:]))
            except TypeError:
                del kept.ascending[at]
                continue
            kept.last[at] = numbers[-1]

    def see_end(self, path: Path, end: End) -> None:
        if end.whole or self._source.accept_cut:
            return
        where = (
            f"what begins at {end.unfinished} has no end"
            if end.unfinished
            else f"its last words are missing at {end.place}"
        )
        raise Misbehaved(
            f"{path}: the dump was cut short: {where}.",
            remedy="Make it again; or take what is in it with accept_cut: true.",
        )

    def dump(self) -> Dump:
        wanted = self._source.database
        databases = sorted({database for database, _ in self._tables if database})
        if len(databases) > 1 and not wanted:
            raise EndpointRefused(
                f"{self._source.files[0]}: the dump holds several databases: {', '.join(databases)}.",
                remedy="Say in the plan which one is meant (database).",
            )
        if wanted and databases and wanted not in databases:
            raise EndpointUnfit(
                f"{self._source.files[0]}: the dump holds no database {wanted}, but {', '.join(databases)}.",
                remedy="Correct database in the plan.",
            )
        tables = {
            name: kept for (database, name), kept in self._tables.items() if database in {"", wanted} or not wanted
        }
        for kept in tables.values():
            kept.left = [_left(kept.table, path, long) for path, long in kept.long]
            kept.table = _divided(kept)
        server = Server(
            product="SQL dump",
            charset=self._charset,
            zone=self._zone or "+00:00",
            database=wanted or next(iter(databases), ""),
        )
        return Dump(self._source, tables, server)


def _left(table: Table, path: Path, long: LongRow) -> LeftRow:
    """A long row by its key, if that stands before what is long in it: what else a row holds is shown to nobody."""
    names = long.insert.columns or tuple(one.name for one in table.columns)
    said = dict(zip(names, long.values, strict=False))  # values end where they become long
    where = f"{path.name}, {long.place}"
    if table.paging is not Paging.KEY or not all(said.get(one) for one in table.page_by):
        return LeftRow(where, long.bytes, where)
    told = (f"{one} {(said[one] or b'').decode('utf-8', 'replace')}" for one in table.page_by)
    return LeftRow(", ".join(told), long.bytes, where)


def _divided(kept: Kept) -> Table:
    """A table with the way its rows can be divided, as they are written."""
    table = replace(kept.table, rows=kept.rows)
    if table.paging in {Paging.KEY, Paging.INDEX} and kept.rows:
        sure = [table.column(name).name for name in table.page_by]
        at = kept.columns.index(sure[0]) if sure[0] in kept.columns else -1
        strictly = kept.ascending.get(at)
        fit = len(sure) == 1 and table.column(sure[0]).family in {Family.INTEGER, Family.DECIMAL, Family.TEMPORAL}
        if (
            fit
            and strictly is not None
            and (strictly or table.paging is Paging.INDEX)
            and all(at in one.first for one in kept.marks)
        ):
            return table
        return replace(table, paging=Paging.CONTENT, page_by=())
    if len(table.page_by) > 1 or any(table.column(one).family is Family.TEXT for one in table.page_by):
        return replace(table, paging=Paging.CONTENT, page_by=())
    return table


_MOMENT = re.compile(rb"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?)?")
_DECIMAL = re.compile(rb"-?\d+\.\d+")


def _number(raw: bytes | None) -> Number | None:
    """A value that can ascend: a whole number, one with a fraction, or a moment (as it is written)."""
    if raw is None:
        return None
    if raw.isdigit() or raw[1:].isdigit():
        try:
            return int(raw)
        except ValueError:
            return None
    if _DECIMAL.fullmatch(raw):
        return Decimal(raw.decode())
    return raw if _MOMENT.fullmatch(raw) else None


def number_of(column: Column, text: str) -> Number:
    """The value of a key as `Dump.rows` takes it. Raises ValueError for none."""
    if column.family is Family.TEMPORAL:
        return text.encode()
    try:
        return Decimal(text) if "." in text else int(text)
    except InvalidOperation as error:
        raise ValueError(text[:40]) from error


def _unknown(insert: Insert, part: Rows) -> Table:
    """A table that the dump does not make: text in every column, named by the statement or by number."""
    names = insert.columns or tuple(f"column_{number}" for number in range(1, len(part.values[0]) + 1))
    columns = tuple(Column(one, "longtext", charset="utf8mb4", collation="utf8mb4_general_ci") for one in names)
    return Table(insert.table, columns, charset="utf8mb4", collation="utf8mb4_general_ci")


# -- values -------------------------------------------------------------------------------------------------------------

# MySQL's latin1: Windows' letters, and control characters where Windows has none.
_LATIN1 = "".join(bytes([one]).decode("cp1252", "ignore") or chr(one) for one in range(256))


def _told(kept: Kept, batch: Rows, path: Path) -> list[Row]:
    """Rows as the model has them, a value for each column of the table."""
    names = batch.insert.columns or kept.columns
    places = {name: at for at, name in enumerate(names)}
    raw = list(zip(*batch.values, strict=True))
    told: list[Sequence[Value]] = []
    for column in kept.table.columns:
        at = places.get(column.name)
        if at is None:
            told.append([column.default if not column.default_is_words else None] * len(batch.values))
            continue
        try:
            told.append(_values(column, raw[at], batch.spelling))
        except UnicodeDecodeError as error:
            raise Misbehaved(
                f"{path.name}: {batch.place}: among the rows from here on, {kept.table.name}.{column.name} holds a text that is not "
                f"in {batch.spelling.charset}.",
                remedy="Say in the plan what it is in, such as charset: latin1, or make the dump again.",
            ) from error
    return list(zip(*told, strict=True))


def _values(column: Column, raw: Raw, spelling: Spelling) -> Sequence[Value]:
    if column.family is Family.BINARY:
        return raw
    if column.family is Family.BIT:
        found = re.search(r"\d+", column.type)
        width = (int(found[0] if found else 1) + 7) // 8
        return [None if one is None else _bits(one, width) for one in raw]
    if spelling.codec == "cp1252":
        return [None if one is None else _latin1(one) for one in raw]
    if spelling.codec in {"utf-8", ""}:
        try:
            return [None if one is None else one.decode() for one in raw]
        except UnicodeDecodeError:
            return [None if one is None else one.decode("utf-8", "surrogatepass") for one in raw]
    return [None if one is None else one.decode(spelling.codec) for one in raw]


def _latin1(one: bytes) -> str:
    return codecs.charmap_decode(one, "strict", _LATIN1)[0]


def _bits(one: bytes, width: int) -> bytes:
    """Bits in as many bytes as the server shows; some programs write them as a number."""
    return one.rjust(width, b"\0")[-width:]
