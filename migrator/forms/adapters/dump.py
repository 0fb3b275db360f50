r"""Dumps of a database on a disk of this machine: `.sql`, also packed (`.gz`, `.zst`, `.bz2`), as mysqldump, mariadb-dump, phpMyAdmin, HeidiSQL and
Adminer make them; `.csv` as phpMyAdmin exports a table; a folder of such files, as mydumper makes it. No server is needed.

Documents: https://mariadb.com/kb/en/mariadb-dump/, https://dev.mysql.com/doc/refman/8.4/en/mysqldump.html, https://docs.phpmyadmin.net/.

A dump is read through once before anything is said about it, and one that was cut short is refused. Tables that are written in the order of a
key of one number or moment are divided by it; others by content, which reads the table once for each part.

What it cannot do: be written; give a row of more than 32 MB (it is told by its key, and the others move; of a CSV it is refused); follow UPDATE,
INSERT ... SELECT or LOAD DATA in the file; tell more digits of a FLOAT than were written (six);
compute columns that the server computes and the file leaves out. A CSV has no types: every column is text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from migrator.engine.contract import Adapter, Login, Service
from migrator.forms import dump
from migrator.forms.choosing import chooser, parts_of
from migrator.forms.contract import TableReader
from migrator.forms.csv_text import Dialect
from migrator.forms.model import (
    EVERYTHING,
    Checksum,
    Extract,
    Features,
    Key,
    KeyRange,
    LeftRow,
    Paging,
    Row,
    Server,
    Table,
    checksum_of,
    crc_of,
)
from migrator.forms.sql_text import CODECS
from migrator.meant import LONGEST_WORD, did_you_mean

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(Service):
    """Dumps of a database on a disk of this machine."""

    path: Path = Field(
        description="A .sql or .csv file, also packed (.gz, .zst, .bz2), or a folder of them",
        json_schema_extra={"path": True},
    )
    database: str = Field("", description="Which database is meant, where a dump holds several")
    charset: str = Field(
        "",
        description="What texts are in, as MySQL calls it (latin1, utf8mb4), where the dump does not say or says it wrongly",
    )
    accept_cut: bool = Field(False, description="Take what is in a dump that was cut short, instead of refusing it")
    separator: str = Field(
        "", max_length=1, description="What stands between the cells of a CSV; told by its first line if not given"
    )
    escape: Literal['"', "\\"] = Field('"', description="What stands before a quote inside a cell of a CSV")
    connections: int = Field(2, ge=1, le=32, description="Readers of the files at once")

    @field_validator("charset")
    @classmethod
    def _known_charset(cls, value: str) -> str:
        if value and value not in CODECS:
            hint = did_you_mean(value.lower(), CODECS)
            raise ValueError(f"MySQL has no charset {value[:LONGEST_WORD]} that can be read.{hint}")
        return value


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(title="A dump", checksums=False, merges=False, seeks=False)

# -- sessions ---------------------------------------------------------------------------------------------------------


class DumpReader:
    """The tables of a dump, being read."""

    def __init__(self, options: Options, login: Login) -> None:
        """Reads nothing yet."""
        del login  # there is nobody to log in to
        self.features = FEATURES
        self._options = options

    # -- what there is

    def server(self) -> Server:
        return self._dump().server

    def tables(self) -> Sequence[Table]:
        return self._dump().tables()

    def count(self, extract: Extract) -> int:
        whole = self._dump().count(extract.table.name)
        return whole if extract.is_whole else sum(map(len, self.rows(extract, EVERYTHING)))

    def left_rows(self, table: Table) -> Sequence[LeftRow]:
        """Fulfils LeavesRows: rows of more than 32 MB, of which no table is held up."""
        return self._dump().left_rows(table.name)

    # -- rows

    def ranges(self, extract: Extract, after: Key | None, rows: int) -> Iterator[KeyRange]:
        if extract.table.paging is Paging.CONTENT:
            yield from parts_of(self.count(extract), rows)
            return
        table = extract.table
        last: Key | None = None
        inside = 0
        for row in self._flat(extract, KeyRange(after)):
            key = table.key_of(row)
            if inside >= rows and key != last:
                yield KeyRange(after, last)
                after, inside = last, 0
            last = key
            inside += 1
        if inside:
            yield KeyRange(after, last)

    def rows(self, extract: Extract, among: KeyRange) -> Iterator[Sequence[Row]]:
        name = extract.table.name
        self._dump().count(name)
        belongs = None if extract.is_whole else chooser(extract, self._inner)
        for page in self._among(extract.table, among):
            chosen = page if belongs is None else [row for row in page if belongs(row)]
            if chosen:
                yield chosen

    def checksum(self, extract: Extract, among: KeyRange) -> Checksum:
        return checksum_of(self._flat(extract, among))

    def close(self) -> None:
        """Nothing is open but while rows are read."""

    # -- files

    def _dump(self) -> dump.Dump:
        options = self._options
        return dump.opened(
            options.path,
            database=options.database,
            charset=options.charset,
            accept_cut=options.accept_cut,
            csv=Dialect(options.separator, options.escape),
        )

    def _flat(self, extract: Extract, among: KeyRange) -> Iterator[Row]:
        for page in self.rows(extract, among):
            yield from page

    def _inner(self, extract: Extract) -> Sequence[tuple[Table, Row]]:
        """The rows of another table that an extract's rows must belong to."""
        table = next(iter(one for one in self.tables() if one.name == extract.table.name), None)
        if table is None:
            return []
        whole = Extract(table, extract.conditions, extract.within)
        return [(table, row) for row in self._flat(whole, EVERYTHING)]

    def _among(self, table: Table, among: KeyRange) -> Iterator[list[Row]]:
        if among.parts > 1:
            for page in self._dump().rows(table.name):
                yield [row for row in page if crc_of(row) % among.parts == among.part]
            return
        if among == EVERYTHING or table.paging is Paging.CONTENT:
            yield from self._dump().rows(table.name)
            return
        yield from self._between(table, among)

    def _between(self, table: Table, among: KeyRange) -> Iterator[list[Row]]:
        """The rows of a range of keys; they are written in the order of the key."""
        (column,) = map(table.column, table.page_by)
        at = table.place(column.name)
        after, upto = (
            None if end is None else dump.number_of(column, str(end[0])) for end in (among.after, among.upto)
        )
        for page in self._dump().rows(table.name, after):
            keys: list[Any] = [dump.number_of(column, str(row[at])) for row in page]  # Any: of one kind
            start = 0 if after is None else bisect_right(keys, after)
            stop = len(keys) if upto is None else bisect_right(keys, upto)
            yield list(islice(page, start, stop))
            if stop < len(keys):
                return


def _read(options: Options, login: Login) -> TableReader:
    return DumpReader(options, login)


ADAPTER: Adapter[TableReader, Any] = Adapter(  # Any: it is never written
    word="dump",
    title=FEATURES.title,
    options=Options,
    reader=_read,
    writer=None,
    connections=lambda options: (options.connections, options.connections),
)
