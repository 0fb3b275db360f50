"""MariaDB 5.5 and later, MySQL 5.6 and later, over their own protocol: what hosts call "Remote MySQL", or a tunnel's near end.

Documents: https://mariadb.com/kb/en/sql-statements/, https://dev.mysql.com/doc/refman/8.4/en/information-schema.html. As a source, SELECT on
the database is all the user needs. Read with MariaDB 10.11, by PyMySQL and by mysqlclient (taken where it can be imported: four times as fast).

What it cannot do: tell one moment of tables without transactions (MyISAM, Aria); make columns that the server computes, or whose default
is an expression of somebody's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal, cast

from pydantic import Field
from sqlalchemy import Connection

from migrator.engine.contract import MB, Adapter, Login, Service
from migrator.errors import EndpointRefused, EndpointUnfit, NotFound, Refused
from migrator.forms.choosing import parts_of
from migrator.forms.contract import SHADOW, TableReader, TableWriter
from migrator.forms.model import (
    EVERYTHING,
    NOTHING,
    Checksum,
    Extract,
    Family,
    Features,
    Key,
    KeyRange,
    Paging,
    Row,
    Server,
    Spelt,
    Table,
)
from migrator.forms.sql import asking, rights, schema, spelling
from migrator.wire.sql import Database, DatabaseOptions

PAGE = 1000  # rows fetched at once
LONGEST_STATEMENT = MB  # of rows that are put; servers take 16 MB, old ones 1 MB
SLACK = 64 * 1024
MOST_GAPS = 2  # numbers for each row, where ranges are reckoned and not counted

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(DatabaseOptions, Service):
    """A site's database in MariaDB or MySQL."""

    dialect: Literal["mysql"] = Field("mysql", description="Always mysql; may be left out")
    client: Literal["auto", "pymysql", "mysqlclient"] = Field(
        "auto",
        description="Python's driver: mysqlclient is several times as fast and has to be installed; auto takes it where it is there",
    )
    allow_cleartext: bool = Field(
        False,
        description="Go without TLS to another machine, for hosts that offer none: everything can be read on the way",
    )

    @property
    def in_clear(self) -> bool:
        """Whether the plan allows that."""
        return self.allow_cleartext

    @property
    def driver(self) -> str:
        """SQLAlchemy's word for the driver. A certificate can only be pinned with PyMySQL."""
        there = self.client == "mysqlclient" or (self.client == "auto" and _mysqlclient_works())
        return "mysqldb" if there and not self.tls_fingerprint else "pymysql"


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(title="MariaDB or MySQL")

# -- sessions ---------------------------------------------------------------------------------------------------------


class MysqlReader:
    """The tables of one database, being read over one connection."""

    _writes = False

    def __init__(self, options: Options, login: Login) -> None:
        """Connects to nothing yet."""
        del login  # the credentials are the database's own
        self.features = FEATURES
        self._options = options
        self._db = Database(options, writes=self._writes, exact=True)
        self._open: Connection | None = None
        self._steady = False
        self._version: tuple[str, str] | None = None

    # -- what there is

    def server(self) -> Server:
        (told,) = self._ask("SELECT @@character_set_database, @@global.sql_mode, DATABASE()")
        product, version = self._product()
        return Server(
            "MariaDB" if product == "mariadb" else "MySQL",
            version,
            *(told[0] or "", told[1] or ""),
            database=told[2] or "",
        )

    def tables(self) -> Sequence[Table]:
        return [one for one in self._described() if not one.name.startswith(SHADOW)]

    def shadows(self) -> Sequence[str]:
        return [one.name for one in self._described() if schema.is_shadow(one)]

    def want_of_rights(self) -> EndpointRefused | None:
        grants = [line or "" for (line,) in self._ask("SHOW GRANTS")]
        database = str(self._options.database)
        missing = rights.lacking(grants, database)
        if not missing:
            return None
        return EndpointUnfit(
            f"{self._options.place}: the user {self._options.user} may not {', '.join(missing)} there, and a target's user has to.",
            remedy=f"Have it granted, or name another user: {rights.granting(missing, grants, database)}",
        )

    def snapshot(self) -> None:
        with self._connected() as connection:
            connection.rollback()
            self._say(connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
            self._steady = True

    def count(self, extract: Extract) -> int:
        ((rows,),) = self._ask(f"SELECT COUNT(*) FROM {_from(extract)}{self._where(extract, EVERYTHING)}")
        return int(rows or 0)

    # -- rows

    def ranges(self, extract: Extract, after: Key | None, rows: int) -> Iterator[KeyRange]:
        table = extract.table
        if table.paging is Paging.CONTENT:
            yield from parts_of(self.count(extract), rows)
            return
        next_end = self._reckoned_end if self._is_numbered(extract, rows) else self._counted_end
        while found := next_end(extract, after, rows):
            yield KeyRange(after, found)
            after = found

    def _counted_end(self, extract: Extract, after: Key | None, rows: int) -> Key | None:
        """The key of the row that is so many behind `after`, or of the last one. The server goes over every row on the way."""
        beyond = KeyRange(after)
        return self._key_at(extract, beyond, offset=rows - 1) or self._key_at(extract, beyond, backwards=True)

    def _reckoned_end(self, extract: Extract, after: Key | None, rows: int) -> Key | None:
        """The last key among so many numbers behind `after`, or behind the gap that begins there. The server goes over no row."""
        if after is not None and (found := self._key_at(extract, _numbers(after, rows), backwards=True)):
            return found
        first = self._key_at(extract, KeyRange(after))
        if first is None:
            return None
        return self._key_at(extract, _numbers((str(int(first[0]) - 1),), rows), backwards=True)

    def _is_numbered(self, extract: Extract, rows: int) -> bool:
        """Whether most numbers from the first key to the last have a row, so that no range comes out much smaller than it was to be."""
        table = extract.table
        if not extract.is_whole or table.paging is not Paging.KEY or (table.rows or 0) <= rows:
            return False
        if [table.column(one).family for one in table.page_by] != [Family.INTEGER]:
            return False
        first, last = self._key_at(extract, EVERYTHING), self._key_at(extract, EVERYTHING, backwards=True)
        return bool(first and last and int(last[0]) - int(first[0]) < MOST_GAPS * (table.rows or 0))

    def rows(self, extract: Extract, among: KeyRange) -> Iterator[Sequence[Row]]:
        table = extract.table
        columns = spelling.columns(table, casts_float=self._casts_float)
        order = spelling.ordered(table) if table.paging is Paging.KEY else ""
        is_bytes = tuple(column.family.is_bytes for column in table.columns)
        # A range with an end was cut to fit into memory. To fetch it whole is faster: row by row, a driver gives up the interpreter
        # for every row, and gets it back when the thread that writes has done a slice of its own.
        streamed = among.upto is None or table.paging is not Paging.KEY
        statement = f"SELECT {columns} FROM {_from(extract)}{self._where(extract, among)}{order}"
        for page in self._stream(statement, streamed=streamed):
            yield Spelt(list(zip(*page, strict=True)), is_bytes)

    def checksum(self, extract: Extract, among: KeyRange) -> Checksum:
        crc = spelling.row_crc(extract.table, casts_float=self._casts_float)
        ((rows, crcs),) = self._ask(f"SELECT COUNT(*), SUM({crc}) FROM {_from(extract)}{self._where(extract, among)}")
        return Checksum(int(rows or 0), int(crcs or 0))

    def close(self) -> None:
        if self._open is not None:
            try:
                self._open.invalidate()  # without a word to the server: an answer may still be half read
            finally:
                self._open = None
        self._db.close()

    # -- wire

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """The connection, in a fresh transaction but for a snapshot's. Raises our errors."""
        if self._open is None:
            self._open = self._db.connect()
        with self._db.translated():
            if not self._steady:
                self._open.rollback()
            yield self._open

    @staticmethod
    def _say(connection: Connection, statement: str) -> None:
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    def _ask(self, statement: str) -> list[tuple[str | None, ...]]:
        """A short answer, as text."""
        with self._connected() as connection:
            return _asked(connection, statement)

    def _answer(self, statement: str, columns: int) -> list[tuple[str | None, ...]]:
        """The same, for those who say how wide it is."""
        del columns
        return self._ask(statement)

    def _stream(
        self, statement: str, *, streamed: bool
    ) -> Iterator[Sequence[Any]]:  # Any: rows of bytes, as the driver gives them
        """An answer, page by page, as bytes. One that is `streamed` has to be read to its end before anything else is asked, or closed."""
        with self._connected() as connection, self._db.cursor(connection, streamed=streamed) as cursor:
            cursor.execute(statement)
            while page := cursor.fetchmany(PAGE):
                yield page

    def _key_at(self, extract: Extract, among: KeyRange, *, offset: int = 0, backwards: bool = False) -> Key | None:
        """The key of the row that is so many behind the first of a range, or before its last; None where there is none."""
        table = extract.table
        keys = ",".join(spelling.shown(table.column(one), casts_float=False) for one in table.page_by)
        order = spelling.ordered(table)
        statement = (
            f"SELECT {keys} FROM {_from(extract)}{self._where(extract, among)}{_reversed(order) if backwards else order}"
            f" LIMIT 1 OFFSET {offset}"
        )
        with self._connected() as connection:
            row = connection.exec_driver_sql(statement, execution_options={"no_parameters": True}).first()
        if row is None:
            return None
        families = [table.column(one).family for one in table.page_by]
        told = zip(families, cast("Sequence[bytes | None]", row), strict=True)
        return tuple(
            (one or b"") if family.is_bytes else (one or b"").decode("utf-8", "surrogatepass") for family, one in told
        )

    def _where(self, extract: Extract, among: KeyRange) -> str:
        return spelling.where(extract, among, casts_float=self._casts_float)

    @property
    def _casts_float(self) -> bool:
        return asking.casts_float(*self._product())

    def _product(self) -> tuple[str, str]:
        """Which of the two it is, and its version."""
        if self._version is None:
            ((version,),) = self._ask("SELECT VERSION()")
            self._version = ("mariadb" if "mariadb" in (version or "").lower() else "mysql", version or "")
        return self._version

    def _described(self, only: str = "") -> list[Table]:
        return asking.tables(self._answer, mariadb=self._product()[0] == "mariadb", only=only)


class MysqlWriter(MysqlReader):
    """The tables of one database, being filled over one connection."""

    _writes = True

    def as_kept(self, table: Table, rows: Sequence[Row]) -> Sequence[Row]:
        del table
        return rows

    def shadow(self, table: Table) -> Table:
        called = schema.shadow_name(table.name)
        wanted = schema.fingerprint(table)
        there = next(iter(self._described(called)), None)
        if there is not None and there.comment == wanted:
            return there
        making = schema.creation(table, called, wanted, asking.collations(self._answer))
        with self._changing() as connection:
            if there is not None:  # one that another session has made since stays
                self._say(connection, f"DROP TABLE IF EXISTS {spelling.name(called)}")
            self._say(connection, making)
        (there,) = self._described(called)
        return there

    def load(self, extract: Extract, among: KeyRange, rows: Sequence[Row], instead_of: Checksum | None) -> None:
        table = extract.table
        where = self._where(extract, among)
        crc = spelling.row_crc(table, casts_float=self._casts_float)
        with self._changing() as connection:
            if instead_of is not None:
                locked = f"SELECT COUNT(*), SUM({crc}) FROM {_from(extract)}{where} FOR UPDATE"
                ((count, crcs),) = _asked(connection, locked)
                if Checksum(int(count or 0), int(crcs or 0)) != instead_of:
                    raise Refused(
                        f"{table.name}, {among.label}: the target's rows are not those that were put there.",
                        remedy="Somebody has changed them at the target. Look at them, and copy by hand what is missing.",
                    )
            if instead_of != NOTHING:
                self._say(connection, f"DELETE FROM {_from(extract)}{where}")
            for statement in spelling.inserts(table, rows, LONGEST_STATEMENT - SLACK):
                self._say(connection, statement)

    def swap(self, table: Table) -> None:
        shadow, leaving = schema.shadow_name(table.name), schema.leaving_name(table.name)
        there = {one.name: one for one in self._described()}
        if shadow not in there and table.name not in there:
            raise NotFound(f"{table.name}: there is nothing to put in its place.", remedy="Run again.")
        if shadow not in there and not schema.is_ours(there[table.name]):
            return
        quoted = {one: spelling.name(one) for one in (table.name, shadow, leaving)}
        with self._changing() as connection:
            if shadow in there:
                self._put_in_place(connection, table.name, shadow, leaving, in_the_way=table.name in there)
            elif leaving in there and not _rows_of(connection, leaving):  # a death came before it could be dropped
                self._say(connection, f"DROP TABLE {quoted[leaving]}")
            # Last: by its comment a shadow is known, and one that is not known is made anew.
            self._say(connection, f"ALTER TABLE {quoted[table.name]} COMMENT={spelling.text(table.comment)}")

    def _put_in_place(self, connection: Connection, name: str, shadow: str, leaving: str, *, in_the_way: bool) -> None:
        old, new, away = (spelling.name(one) for one in (name, shadow, leaving))
        if not in_the_way:
            self._say(connection, f"RENAME TABLE {new} TO {old}")
            return
        self._say(connection, f"DROP TABLE IF EXISTS {away}")
        self._refuse_rows(connection, name, name)
        self._say(connection, f"RENAME TABLE {old} TO {away}, {new} TO {old}")
        try:
            self._refuse_rows(connection, leaving, name)  # written to since it was looked at
        except Refused:
            self._say(connection, f"RENAME TABLE {old} TO {new}, {away} TO {old}")
            raise
        self._say(connection, f"DROP TABLE {away}")

    def _refuse_rows(self, connection: Connection, called: str, shown: str) -> None:
        if rows := _rows_of(connection, called):
            raise Refused(
                f"{shown}: the target's table has {rows:,} rows.",
                remedy="Say in the plan what is to become of them (existing), or empty the table.",
            )

    def discard(self, table: Table) -> None:
        with self._changing() as connection:
            self._say(connection, f"DROP TABLE IF EXISTS {spelling.name(schema.shadow_name(table.name))}")

    def merge(self, extract: Extract) -> int:
        statement = spelling.put_beside(extract.table, schema.shadow_name(extract.table.name))
        with self._changing() as connection:
            return connection.exec_driver_sql(statement, execution_options={"no_parameters": True}).rowcount

    def reserve(self, table: Table, upto: int) -> None:
        with self._changing() as connection:
            for statement in schema.reserving(table.name, upto):
                self._say(connection, statement)

    # -- wire

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """The connection in a transaction that is committed at the end. Raises our errors."""
        with self._connected() as connection:
            try:
                yield connection
                connection.commit()
            except BaseException:
                if not connection.invalidated:
                    connection.rollback()
                raise


# -- wire helpers -----------------------------------------------------------------------------------------------------


def _mysqlclient_works() -> bool:
    try:
        import_module("MySQLdb")
    except ImportError:  # it is not there, or the system's library that it was built with is gone
        return False
    return True


def _from(extract: Extract) -> str:
    return spelling.name(extract.table.name)


def _numbers(after: Key, count: int) -> KeyRange:
    """So many whole numbers behind one."""
    return KeyRange(after, (str(int(after[0]) + count),))


def _reversed(order: str) -> str:
    return f"{order.replace(',', ' DESC,')} DESC"


def _rows_of(connection: Connection, table: str) -> int:
    ((rows,),) = _asked(connection, f"SELECT COUNT(*) FROM {spelling.name(table)}")
    return int(rows or 0)


def _asked(connection: Connection, statement: str) -> list[tuple[str | None, ...]]:
    told = connection.exec_driver_sql(statement, execution_options={"no_parameters": True}).all()
    return [tuple(_text(one) for one in row) for row in told]


def _text(one: Any) -> str | None:  # Any: drivers give numbers and texts as bytes, one of them only most
    return one.decode("utf-8", "surrogatepass") if isinstance(one, bytes) else None if one is None else str(one)


def _read(options: Options, login: Login) -> TableReader:
    return MysqlReader(options, login)


def _fill(options: Options, login: Login) -> TableWriter:
    return MysqlWriter(options, login)


ADAPTER: Adapter[TableReader, TableWriter] = Adapter(
    word="mysql",
    title=FEATURES.title,
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda options: (options.connections, options.connections),
)
