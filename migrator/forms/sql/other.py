"""Tables of MariaDB in a database of another kind, PostgreSQL or SQLite: made, filled, counted, read back as MariaDB would spell them.

What surprises: beside the tables there is one of our own, _migrator_tables, which remembers what each column was; a table that is not in it
is only known by its name and its rows. Nothing is summed by the server here: rows are read and summed by us.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import NoSuchTableError

from migrator.errors import NotFound, Refused
from migrator.forms.choosing import parts_of
from migrator.forms.contract import SHADOW
from migrator.forms.described import described, shape
from migrator.forms.model import (
    EVERYTHING,
    NOTHING,
    Checksum,
    Column,
    Condition,
    Extract,
    Features,
    Key,
    KeyRange,
    Operator,
    Paging,
    Row,
    Server,
    Table,
    Value,
    Within,
    checksum_of,
    crc_of,
)
from migrator.frozen import dataclass
from migrator.wire.sql import Database

MEMORY = f"{SHADOW}tables"
PAGE = 1000
LEAVING = f"{SHADOW}leaving"
Said = tuple[str, list[Any]]  # a condition and its parameters, which the driver takes as they are
Run = Callable[[str, Sequence[Any]], Any]  # says a statement with its parameters, and answers as SQLAlchemy does


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a kind of database says what MariaDB says. Functions of a column: its type, the expression that shows it, the one it is ordered by,
    what a shown value is in our words, what is given to the driver, and what is kept of a value (None: all of it). `count_on` has a table that
    others made, by its name, number new rows above so much.
    """

    product: str
    mark: str
    type_of: Callable[[Column], str]
    shown: Callable[[Column], str]
    ordered: Callable[[Column], str]
    told: Callable[[Column], Callable[[Any], Value] | None]
    given: Callable[[Column], Callable[[Value], Any] | None]
    kept: Callable[[Column], Callable[[Value], Value] | None]
    starts: Callable[[Column, str], str]  # the condition that a text begins with the parameter, letter by letter
    count_on: Callable[[Run, str, int], None]
    alone: str = ""  # makes a transaction wait until no other session of ours makes tables


def quoted(name: str) -> str:
    """A name, quoted as both databases do."""
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


class OtherReader:
    """Fulfils TableReader; an adapter gives the dialect."""

    _writes = False

    def __init__(self, database: Database, dialect: Dialect, features: Features) -> None:
        self.features = features
        self._db = database
        self._dialect = dialect
        self._known: dict[str, Table] | None = None

    def server(self) -> Server:
        with self._db.reading() as connection:
            version = ".".join(str(one) for one in connection.dialect.server_version_info or ())
        return Server(self._dialect.product, version, "utf8", zone="")

    def tables(self) -> Sequence[Table]:
        return [one for name, one in sorted(self._described().items()) if not name.startswith(SHADOW)]

    def count(self, extract: Extract) -> int:
        said, values = self._where(extract, EVERYTHING)
        with self._asking(extract.table) as connection:
            return int(
                self._run(connection, f"SELECT COUNT(*) FROM {quoted(extract.table.name)}{said}", values).scalar_one()
            )

    def ranges(self, extract: Extract, after: Key | None, rows: int) -> Iterator[KeyRange]:
        table = extract.table
        if table.paging is Paging.CONTENT:
            yield from parts_of(self.count(extract), rows)
            return
        columns = [table.column(name) for name in table.page_by]
        shown = ",".join(map(self._dialect.shown, columns))
        down = ",".join(f"{self._dialect.ordered(one)} DESC" for one in columns)
        while True:
            said, values = self._where(extract, KeyRange(after))
            asked = f"SELECT {shown} FROM {quoted(table.name)}{said} ORDER BY "
            found = self._key(table, f"{asked}{self._order(table)} LIMIT 1 OFFSET {rows - 1}", values)
            found = found or self._key(table, f"{asked}{down} LIMIT 1", values)
            if not found:
                return
            yield KeyRange(after, found)
            after = found

    def rows(self, extract: Extract, among: KeyRange) -> Iterator[Sequence[Row]]:
        table = extract.table
        said, values = self._where(extract, among)
        shown = ",".join(map(self._dialect.shown, table.columns))
        order = f" ORDER BY {self._order(table)}" if table.paging is Paging.KEY else ""
        told = [self._dialect.told(column) for column in table.columns]
        parted = table.paging is Paging.CONTENT and among.parts > 1
        with self._asking(table) as connection:
            statement = f"SELECT {shown} FROM {quoted(table.name)}{said}{order}"
            result = self._run(connection, statement, values, stream_results=True)
            try:
                for page in result.yield_per(PAGE).partitions():
                    read = _by_columns(page, told)
                    chosen = [row for row in read if crc_of(row) % among.parts == among.part] if parted else read
                    if chosen:
                        yield chosen
            finally:
                result.close()

    def checksum(self, extract: Extract, among: KeyRange) -> Checksum:
        return sum((checksum_of(page) for page in self.rows(extract, among)), NOTHING)

    def close(self) -> None:
        self._db.close()

    # -- wire

    @contextmanager
    def _asking(self, table: Table) -> Iterator[Connection]:
        with self._db.reading() as connection:
            if not self._is_there(connection, table.name):
                raise NotFound(f"{self._db.place}: there is no table {table.name}.", remedy="Run again.")
            yield connection

    @staticmethod
    def _is_there(connection: Connection, name: str) -> bool:
        return bool(inspect(connection).has_table(name))

    @staticmethod
    def _run(
        connection: Connection, statement: str, values: Sequence[Any] = (), **options: Any
    ) -> Any:  # Any: as SQLAlchemy
        if not values:
            options["no_parameters"] = True
        return connection.exec_driver_sql(statement, tuple(values) or None, execution_options=options)

    def _key(self, table: Table, statement: str, values: Sequence[Any]) -> Key | None:
        with self._asking(table) as connection:
            row = self._run(connection, statement, values).first()
        if row is None:
            return None
        told = [self._dialect.told(table.column(name)) for name in table.page_by]
        return tuple(one if isinstance(one, str | bytes) else "" for one in _by_columns([row], told)[0])

    def _described(self) -> dict[str, Table]:
        with self._db.reading() as connection:
            return self._described_by(connection)

    def _described_by(self, connection: Connection) -> dict[str, Table]:
        names = set(inspect(connection).get_table_names())
        shapes: dict[str, str] = {}
        if MEMORY in names:
            shapes = dict(self._run(connection, f"SELECT name, shape FROM {quoted(MEMORY)}").all())
        found: dict[str, Table] = {}
        for name in names - {MEMORY}:
            with suppress(NoSuchTableError):  # another session has swapped it into its place since it was listed
                found[name] = self._table(connection, name, shapes.get(name))
        return found

    @staticmethod
    def _table(connection: Connection, name: str, told: str | None) -> Table:
        if told is not None:
            return described(json.loads(told))
        columns = inspect(connection).get_columns(name)
        return Table(name, tuple(Column(one["name"], "longtext") for one in columns))

    def _order(self, table: Table) -> str:
        return ",".join(self._dialect.ordered(table.column(name)) for name in table.page_by)

    # -- which rows

    def _where(self, extract: Extract, among: KeyRange) -> Said:
        table = extract.table
        parts = [self._condition(table.column(one.column), one) for one in extract.conditions]
        if extract.within is not None:
            parts.append(self._within(extract.within))
        if table.paging is not Paging.CONTENT:
            if among.after is not None:
                parts.append(self._compared(table, among.after, ">", closed=False))
            if among.upto is not None:
                parts.append(self._compared(table, among.upto, "<", closed=True))
        said = f" WHERE {' AND '.join(f'({one})' for one, _ in parts)}" if parts else ""
        return said, [value for _, values in parts for value in values]

    def _given(self, column: Column, value: Value) -> Any:  # Any: as the driver takes it
        given = self._dialect.given(column)
        return given(value) if given else value

    def _compared(self, table: Table, key: Key, sign: str, *, closed: bool) -> Said:
        columns = [table.column(name) for name in table.page_by]
        ways, values = [], []
        for depth, column in enumerate(columns):
            last = depth == len(columns) - 1
            equal = [f"{self._dialect.ordered(one)} = {self._dialect.mark}" for one in columns[:depth]]
            beyond = f"{self._dialect.ordered(column)} {sign}{'=' if closed and last else ''} {self._dialect.mark}"
            ways.append(f"({' AND '.join([*equal, beyond])})")
            values += [self._given(one, value) for one, value in zip(columns[: depth + 1], key, strict=False)]
        return " OR ".join(ways), values

    def _condition(self, column: Column, one: Condition) -> Said:
        name, mark = self._dialect.ordered(column), self._dialect.mark
        values = [self._given(column, value) for value in one.values if value is not None]
        if one.operator is Operator.STARTS:
            return self._dialect.starts(column, mark), values * 2
        if one.operator in {Operator.FROM, Operator.BELOW}:
            return f"{name} {'>=' if one.operator is Operator.FROM else '<'} {mark}", values
        null, inside = None in one.values, one.operator is Operator.IN
        listed = f"{name} {'IN' if inside else 'NOT IN'} ({','.join([mark] * len(values))})" if values else ""
        empty = f"{name} IS {'NULL' if inside == null or not null else 'NOT NULL'}"
        if inside:
            return " OR ".join(filter(None, (listed, empty if null else ""))) or "1 = 0", values
        if null:
            return " AND ".join(filter(None, (listed, f"{name} IS NOT NULL"))), values
        return " OR ".join(filter(None, (listed, f"{name} IS NULL"))), values

    def _within(self, within: Within) -> Said:
        there = self._described().get(within.table)

        def column(name: str) -> Column:
            return there.column(name) if there else Column(name, "longtext")

        parts = [self._condition(column(one.column), one) for one in within.conditions]
        if within.within is not None:
            parts.append(self._within(within.within))
        inner = f" WHERE {' AND '.join(f'({one})' for one, _ in parts)}" if parts else ""
        said = f"{quoted(within.column)} IN (SELECT {quoted(within.key)} FROM {quoted(within.table)}{inner})"
        return said, [value for _, values in parts for value in values]


class OtherWriter(OtherReader):
    """Fulfils TableWriter. A table is made, filled and swapped in transactions, which these databases have for tables too."""

    _writes = True

    def as_kept(self, table: Table, rows: Sequence[Row]) -> Sequence[Row]:
        rules = [(place, rule) for place, column in enumerate(table.columns) if (rule := self._dialect.kept(column))]
        if not rules or not rows:
            return rows
        columns: list[Sequence[Value]] = list(zip(*rows, strict=True))
        changed = False
        for place, rule in rules:
            kept = [rule(value) for value in columns[place]]
            changed = changed or any(one != other for one, other in zip(kept, columns[place], strict=True))
            columns[place] = kept
        return list(zip(*columns, strict=True)) if changed else rows

    def shadow(self, table: Table) -> Table:
        shadow = replace(table, name=SHADOW + table.name, rows=None, bytes=None, engine="")
        told = json.dumps(shape(shadow))
        with self._db.writing() as connection:
            if self._dialect.alone:
                self._run(connection, self._dialect.alone)
            if not self._is_there(connection, MEMORY):
                self._run(connection, f"CREATE TABLE {quoted(MEMORY)} (name TEXT PRIMARY KEY, shape TEXT NOT NULL)")
            known = dict(self._run(connection, f"SELECT name, shape FROM {quoted(MEMORY)}").all())
            if known.get(shadow.name) != told or not self._is_there(connection, shadow.name):
                self._forget(connection, shadow.name)
                self._run(connection, self._creation(shadow))
                self._remember(connection, shadow.name, told)
        return shadow

    def _creation(self, table: Table) -> str:
        keys = {name for one in table.indexes if one.name == "PRIMARY" for name in one.columns}
        lines = [
            f"{quoted(one.name)} {self._dialect.type_of(one)}{' NOT NULL' if one.name in keys else ''}"
            for one in table.columns
        ]
        for index in table.indexes:
            if index.unique and all(index.columns) and not any(index.lengths):
                word = "PRIMARY KEY" if index.name == "PRIMARY" else "UNIQUE"
                lines.append(f"{word} ({','.join(map(quoted, index.columns))})")
        return f"CREATE TABLE {quoted(table.name)} ({', '.join(lines)})"

    def load(self, extract: Extract, among: KeyRange, rows: Sequence[Row], instead_of: Checksum | None) -> None:
        table = extract.table
        if instead_of is not None and self.checksum(extract, among) != instead_of:
            raise Refused(
                f"{table.name}, {among.label}: the target's rows are not those that were put there.",
                remedy="Somebody has changed them at the target. Look at them, and copy by hand what is missing.",
            )
        if table.paging is Paging.CONTENT and among.parts > 1:
            raise Refused(
                f"{table.name}: has no key, and its rows cannot be divided at this target.",
                remedy="Move it to MariaDB or into files.",
            )
        said, values = self._where(extract, among)
        marks = ",".join([self._dialect.mark] * len(table.columns))
        names = ",".join(quoted(one.name) for one in table.columns)
        given = [self._dialect.given(column) for column in table.columns]
        with self._db.writing() as connection:
            if instead_of != NOTHING:
                self._run(connection, f"DELETE FROM {quoted(table.name)}{said}", values)
            if rows:
                statement = f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({marks})"
                connection.exec_driver_sql(statement, _by_columns(self.as_kept(table, rows), given))

    def swap(self, table: Table) -> None:
        shadow = SHADOW + table.name
        with self._db.writing() as connection:
            if not self._is_there(connection, shadow):
                if not self._is_there(connection, table.name):
                    raise NotFound(f"{table.name}: there is nothing to put in its place.", remedy="Run again.")
                return
            if self._is_there(connection, table.name):
                rows = self._run(connection, f"SELECT COUNT(*) FROM {quoted(table.name)}").scalar_one()
                if rows:
                    raise Refused(
                        f"{table.name}: the target's table has {rows:,} rows.",
                        remedy="Say in the plan what is to become of them (existing), or empty the table.",
                    )
                self._forget(connection, table.name)
            told = described(
                json.loads(dict(self._run(connection, f"SELECT name, shape FROM {quoted(MEMORY)}").all())[shadow])
            )
            self._run(connection, f"ALTER TABLE {quoted(shadow)} RENAME TO {quoted(table.name)}")
            self._run(connection, f"DELETE FROM {quoted(MEMORY)} WHERE name = {self._dialect.mark}", [shadow])
            self._remember(connection, table.name, json.dumps(shape(replace(told, name=table.name))))

    def discard(self, table: Table) -> None:
        with self._db.writing() as connection:
            self._forget(connection, SHADOW + table.name)

    def merge(self, extract: Extract) -> int:
        table, shadow = quoted(extract.table.name), quoted(SHADOW + extract.table.name)
        listed = ",".join(quoted(one.name) for one in extract.table.columns)
        with self._db.writing() as connection:
            return int(self._run(connection, f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {shadow}").rowcount)

    def reserve(self, table: Table, upto: int) -> None:
        with self._db.writing() as connection:
            if self._is_there(connection, table.name):  # one that was made here numbers no row itself
                self._dialect.count_on(partial(self._run, connection), table.name, upto)

    def _remember(self, connection: Connection, name: str, told: str) -> None:
        mark = self._dialect.mark
        self._run(connection, f"DELETE FROM {quoted(MEMORY)} WHERE name = {mark}", [name])
        self._run(connection, f"INSERT INTO {quoted(MEMORY)} (name, shape) VALUES ({mark}, {mark})", [name, told])

    def _forget(self, connection: Connection, name: str) -> None:
        self._run(connection, f"DROP TABLE IF EXISTS {quoted(name)}")
        if self._is_there(connection, MEMORY):
            self._run(connection, f"DELETE FROM {quoted(MEMORY)} WHERE name = {self._dialect.mark}", [name])


def _by_columns(
    rows: Sequence[Any], rules: Sequence[Callable[[Any], Any] | None]
) -> list[tuple[Any, ...]]:  # Any: as drivers have it
    """Rows with each column's rule done to it."""
    if not rows:
        return []
    columns = zip(*rows, strict=True)
    told = [[rule(value) for value in column] if rule else column for rule, column in zip(rules, columns, strict=True)]
    return list(zip(*told, strict=True))


def number(value: Value) -> Value:
    """A floating number in one spelling, whoever spelt it."""
    return value if not isinstance(value, str) else repr(float(value)).removesuffix(".0")


def without_lead(value: Value) -> Value:
    """A number without the zeros a ZEROFILL column shows before it."""
    return value if not isinstance(value, str) else str(int(value))


def is_mapped(column: Column, mapping: Mapping[str, str]) -> str:
    """What a mapping of MariaDB's type words says of a column's type; "" for nothing."""
    return mapping.get(column.type.lower().split("(", 1)[0].split(" ", 1)[0], "")
