"""A file of SQLite 3 as a target: MariaDB's tables to look things up in, with any tool and without a server.

Documents: https://www.sqlite.org/datatype3.html. Numbers are numbers, dates are texts as MariaDB writes them (zeros too), bytes are bytes;
DECIMAL is text, so that no digit is lost. A lone surrogate, which UTF-8 has no bytes for, is U+FFFD. The file is made if it is not there,
for its owner only. Of indexes only unique ones are made.

What it cannot do: be a source of its own tables; divide tables without a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import NotFound
from migrator.forms.contract import TableReader, TableWriter
from migrator.forms.model import Column, Extract, Family, Features, Server, Table, Value
from migrator.forms.sql.other import Dialect, OtherReader, OtherWriter, Run, number, quoted, without_lead
from migrator.wire import disk
from migrator.wire.sql import Database, DatabaseOptions

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(DatabaseOptions, Service):
    """A file of SQLite."""

    dialect: Literal["sqlite"] = Field("sqlite", description="Always sqlite; may be left out")
    path: Path = Field(description="The file; made if it is not there", json_schema_extra={"path": True})


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(title="SQLite", checksums=False, exact=False, orders_text=False)

# -- how it says things -----------------------------------------------------------------------------------------------

LARGEST = 2**63 - 1
_SURROGATES = re.compile("[\ud800-\udfff]")


def _type_of(column: Column) -> str:
    if column.family is Family.INTEGER:
        return "" if _may_be_larger(column) else "INTEGER"  # no type at all leaves what does not fit a text
    return {Family.FLOAT: "REAL", Family.BINARY: "BLOB", Family.BIT: "BLOB"}.get(column.family, "TEXT")


def _may_be_larger(column: Column) -> bool:
    return column.unsigned and "bigint" in column.type.lower()


def _given(column: Column) -> Callable[[Value], Any] | None:  # Any: as sqlite3 takes it
    if column.family is Family.INTEGER:
        return lambda value: None if value is None else _as_number(str(value))
    if column.family is Family.FLOAT:
        return lambda value: None if value is None else float(str(value))
    return None


def _as_number(value: str) -> int | str:
    found = int(value)
    return found if abs(found) <= LARGEST else value


def _told(column: Column) -> Callable[[Any], Value] | None:  # Any: as above
    if column.family is Family.INTEGER:
        return lambda value: None if value is None else str(value)
    if column.family is Family.FLOAT:
        return lambda value: None if value is None else number(str(value))
    return None


def _kept(column: Column) -> Callable[[Value], Value] | None:
    if column.family is Family.FLOAT:
        return number
    if "zerofill" in column.type.lower():
        return without_lead
    if column.family is Family.TEXT:
        return lambda value: _SURROGATES.sub("\ufffd", value) if isinstance(value, str) else value
    return None


def _ordered(column: Column) -> str:
    return f"CAST({quoted(column.name)} AS REAL)" if column.family is Family.DECIMAL else quoted(column.name)


def _count_on(run: Run, name: str, upto: int) -> None:
    """Move on the counter of a table that has one (AUTOINCREMENT). Without one SQLite goes on above the highest row, whoever put it."""
    counted = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? AND upper(sql) LIKE '%AUTOINCREMENT%'"
    if run(counted, (name,)).first() is None:
        return
    if name not in {one for (one,) in run("SELECT name FROM sqlite_sequence", ()).all()}:
        run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, upto))
    run("UPDATE sqlite_sequence SET seq = ? WHERE name = ? AND seq < ?", (upto, name, upto))


DIALECT = Dialect(
    product="SQLite",
    mark="?",
    type_of=_type_of,
    shown=lambda column: quoted(column.name),
    ordered=_ordered,
    told=_told,
    given=_given,
    kept=_kept,
    starts=lambda column, mark: f"substr({quoted(column.name)}, 1, length({mark})) = {mark}",
    count_on=_count_on,
)

# -- sessions ---------------------------------------------------------------------------------------------------------


class SqliteReader(OtherReader):
    """A file, which may not be there yet."""

    def __init__(self, options: Options) -> None:
        super().__init__(Database(options, writes=False, exact=True), DIALECT, FEATURES)
        self._path = options.path

    def server(self) -> Server:
        return super().server() if self._path.exists() else Server("SQLite")

    def tables(self) -> Sequence[Table]:
        return super().tables() if self._path.exists() else []

    def count(self, extract: Extract) -> int:
        if not self._path.exists():
            raise NotFound(f"{self._path} is not there.", remedy="Correct the path.")
        return super().count(extract)


def _read(options: Options, login: Login) -> TableReader:
    del login
    return SqliteReader(options)


def _fill(options: Options, login: Login) -> TableWriter:
    del login
    if not options.path.exists():
        with disk.in_our_words(f"making {options.path}"):
            disk.make_folder(options.path.parent)
            with disk.opened(options.path, "xb"):
                pass
    return OtherWriter(Database(options, writes=True, exact=True), DIALECT, FEATURES)


ADAPTER: Adapter[TableReader, TableWriter] = Adapter(
    word="sqlite",
    title=FEATURES.title,
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda _: (1, 1),
)
