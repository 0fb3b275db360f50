"""A product's database: how it is reached, sessions that can only read, its errors as ours.

What surprises: a session for reading is made read-only at the database itself, so that a preview cannot write whatever we get wrong.
And MySQL without strict mode cuts what is too long and says OK, so every session asks for strict mode.

An `exact` session of MySQL gives every value as the bytes the server spells, for drivers make None of a date of zeros, and its errors
never hold a value, as MySQL's own do.
"""

from __future__ import annotations

import re
import sqlite3
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from sqlalchemy import URL, Connection, Engine, MetaData, Table, create_engine, event, inspect
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoneFree

from migrator.errors import (
    Dropped,
    EndpointRefused,
    EndpointUnfit,
    MigratorError,
    Misbehaved,
    NoSpace,
    NotFound,
    PlanError,
    Refused,
    TlsFailed,
    TooManyConnections,
    Unavailable,
    Unreachable,
)
from migrator.wire import hosts, tls
from migrator.wire.speaker import DATABASES, PATIENCE, who_answers

PORTS = {"mysql": 3306, "postgresql": 5432}
LONGEST_WORDS = 200
NO_DATABASE = "There is no database of that name, or the user may not use it."
CURE_FOR_DATABASE = "Correct database in the plan, or what the user is granted."


class DatabaseOptions(BaseModel):
    """How to reach a database; an adapter's Options add what is in it (`class Options(DatabaseOptions, Service)`)."""

    model_config = {"frozen": True, "extra": "forbid"}

    dialect: Literal["mysql", "postgresql", "sqlite"] = Field(
        "mysql", description="Kind of database; mysql is MariaDB too"
    )
    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Name or address of the server; TLS is required but for this machine, so a tunnel's near end works too",
    )
    port: int | None = Field(None, ge=1, le=65535, description="Left out: 3306 for mysql, 5432 for postgresql")
    database: str | None = Field(None, description="Name of the database")
    user: str | None = Field(None, description="Who logs in; as a source, SELECT is all it needs")
    password: SecretStr | str | None = Field(
        None, description="Name of the secret with that user's password", json_schema_extra={"secret": True}
    )
    path: Path | None = Field(
        None, description="The file of an sqlite database", json_schema_extra={"path": True, "must_exist": True}
    )
    ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority to trust instead of the system's",
        json_schema_extra={"path": True, "must_exist": True},
    )
    tls_fingerprint: str | None = Field(
        None,
        description="mysql only: SHA-256 fingerprint of the one certificate to accept, whoever signed it and whatever name it carries",
    )
    timeout: int = Field(60, gt=0, le=3600, description="Seconds without an answer after which the connection is lost")
    connections: int = Field(2, ge=1, le=32, description="Connections to this database at once")

    @field_validator("host")
    @classmethod
    def _only_a_host(cls, value: str) -> str:
        return hosts.only_a_host(value)

    @field_validator("tls_fingerprint")
    @classmethod
    def _readable_fingerprint(cls, value: str | None) -> str | None:
        return value and tls.read_fingerprint(value)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.dialect == "sqlite":
            if self.path is None and not self.names_its_file:
                raise ValueError("path: an sqlite database is a file; say where it is")
        elif not (self.database and self.user and self.password):
            raise ValueError("database, user and password are needed to log in, all three")
        elif self.path is not None:
            raise ValueError("path: only an sqlite database is a file")
        if self.tls_fingerprint and self.dialect != "mysql":
            raise ValueError("tls_fingerprint: only mysql can be pinned; give ca_file instead")
        return self

    @property
    def names_its_file(self) -> bool:
        """Whether an adapter's own options say which file of sqlite is meant."""
        return False

    @property
    def in_clear(self) -> bool:
        """Whether the connection may go without TLS to another machine."""
        return False

    @property
    def driver(self) -> str:
        """Which of Python's drivers for MySQL is used: pymysql, or mysqldb (the package mysqlclient)."""
        return "pymysql"

    @property
    def place(self) -> str:
        """The database as messages name it."""
        if self.dialect == "sqlite":
            return f"{self.path}"
        return f"{self.host}:{self.port or PORTS[self.dialect]}/{self.database}"


class Database:
    """One database under one login, one connection at a time. `writes` says whether this session may change anything."""

    def __init__(self, options: DatabaseOptions, *, writes: bool, exact: bool = False) -> None:
        """`exact` is for MySQL: see the module."""
        self._options = options
        self._writes = writes
        self._exact = exact
        self._engine = _engine(options, writes=writes, exact=exact)
        self._tables: dict[str, Table] = {}
        self.place = options.place

    def open_tables(self, needed: Sequence[str], welcome: Sequence[str] = ()) -> None:
        """Learn the columns of these tables; those that are only `welcome` may be missing. Raises EndpointRefused when a needed one is,
        and as `reading` does; then the session is over.
        """
        try:
            with self.reading() as connection:
                self._learn(connection, needed, welcome)
        except BaseException:
            self.close()
            raise

    def _learn(self, connection: Connection, needed: Sequence[str], welcome: Sequence[str]) -> None:
        there = set(inspect(connection).get_table_names())
        if missing := [name for name in needed if name not in there]:
            raise EndpointRefused(
                f"{self.place}: there is no table {', '.join(missing)} that this login may see.",
                remedy="Check in the plan that database, schema and prefix are right, and what the user is granted.",
            )
        for name in [*needed, *(name for name in welcome if name in there)]:
            self._tables[name] = Table(name, MetaData(), autoload_with=connection, resolve_fks=False)

    def __getitem__(self, name: str) -> Table:
        """A table that was opened."""
        return self._tables[name]

    def __contains__(self, name: str) -> bool:
        return name in self._tables

    def has(self, table: str, *columns: str) -> bool:
        """Whether the table was opened and has these columns."""
        return table in self._tables and set(columns) <= set(self._tables[table].c.keys())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that is rolled back, seeing one moment of the database. Raises our errors."""
        with self.translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed at the end. On a session for reading this is a bug of ours: RuntimeError."""
        if not self._writes:
            raise RuntimeError(f"writing to {self.place} in a session that may only read")
        with self.translated(), self._engine.begin() as connection:
            yield connection

    def connect(self) -> Connection:
        """A connection of one's own, for whoever ends its transactions and closes it himself. Raises our errors; what is done with it
        belongs into `translated`.
        """
        with self.translated():
            return self._engine.connect()

    def close(self) -> None:
        """End the session; never raises."""
        self._engine.dispose()

    @contextmanager
    def cursor(self, connection: Connection, *, streamed: bool) -> Iterator[DBAPICursor]:
        """The driver's own cursor for one long answer of MySQL: to make SQLAlchemy's rows of the driver's costs a good part of what reading
        them does. One that is `streamed` fetches rows as they are asked for, else all come at once. Raises our errors.
        """
        driver: Any = connection.dialect.loaded_dbapi  # Any: one of two modules
        if not connection.in_transaction():
            connection.begin()  # so that its `rollback` ends what the cursor begins
        cursor = connection.connection.cursor(*[driver.cursors.SSCursor] if streamed else [])
        try:
            yield cursor
        except driver.Error as error:
            unread: Any = getattr(cursor, "_result", None)  # Any: as above
            if getattr(unread, "unbuffered_active", False):
                unread.unbuffered_active = (
                    False  # else PyMySQL reads on from the broken line when it clears this away, and says so
                )
            raise _ours(error, self._options, discreet=self._exact) from None
        finally:
            with suppress(driver.Error):
                cursor.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of the database and its driver leave as ours."""
        try:
            yield
        except DBAPIError as error:
            if error.statement is None:  # the connection was not made yet
                _refuse_strangers(error.orig, self._options)
            # Not "from": the chain may hold statements with what was sent.
            raise _ours(error.orig, self._options, discreet=self._exact) from None
        except NoneFree:
            raise Unavailable(f"{self.place}: no connection came free in time.") from None
        except SQLAlchemyError as error:
            raise Misbehaved(f"{self.place}: the statement failed ({type(error).__name__}).") from None
        except RuntimeError as error:
            if "cryptography" not in str(error):
                raise
            raise EndpointRefused(
                f"{self.place}: this login (caching_sha2_password) needs TLS or the package cryptography.",
                remedy="Switch TLS on at the server, or run `pip install cryptography`.",
            ) from None


def _engine(options: DatabaseOptions, *, writes: bool, exact: bool) -> Engine:
    if options.dialect == "sqlite":
        # Never "create if missing": a wrong path is told, not filled.
        mode = "rw" if writes else "ro"
        url = URL.create("sqlite", database=f"file:{options.path}", query={"mode": mode, "uri": "true"})
        return _pooled(url, {"timeout": min(options.timeout, 30)})
    password = options.password
    url = URL.create(
        {"mysql": f"mysql+{options.driver}", "postgresql": "postgresql+psycopg"}[options.dialect],
        username=options.user,
        password=password.get_secret_value() if isinstance(password, SecretStr) else password,
        # mysqlclient takes this word for a socket's file.
        host="127.0.0.1" if (options.driver, options.host) == ("mysqldb", "localhost") else options.host,
        port=options.port or PORTS[options.dialect],
        database=options.database,
    )
    if options.dialect == "postgresql":
        _load("psycopg", "psycopg", "postgresql")
        return _pooled(url, _postgresql(options, writes=writes))
    if options.driver == "mysqldb":
        _load("MySQLdb", "mysqlclient", "mysqlclient")
    engine = _pooled(url, _mysql(options) | (_as_spelt(options.driver) if exact else {}))
    first_words = EXACT_WORDS if exact else ["SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"]
    if not writes:
        first_words = [*first_words, "SET SESSION TRANSACTION READ ONLY"]

    @event.listens_for(engine, "connect")
    def _begin(connection: Any, _record: object) -> None:  # Any: the driver's own connection
        with connection.cursor() as cursor:
            for words in first_words:
                cursor.execute(words)

    return engine


def _pooled(url: URL, arguments: dict[str, Any]) -> Engine:
    return create_engine(
        url, connect_args=arguments, hide_parameters=True, pool_size=1, max_overflow=0, pool_pre_ping=True
    )


def _load(module: str, package: str, extra: str) -> None:
    """PlanError where a driver is not installed, or lacks a library of the system."""
    try:
        import_module(module)
    except ImportError as error:
        raise PlanError(
            f"The Python package {package} is not installed, or does not work.",
            remedy=f"Run `pip install '.[{extra}]'` in the checkout of migrator.",
        ) from error


# Under these words a row is read and written as it is: dates of zeros and of no calendar, ids of 0, no time zone but UTC, whatever the
# server's own settings are; and what does not fit is refused.
EXACT_WORDS = (
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION net_write_timeout = 600",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION foreign_key_checks = 0",
)


def _mysql(options: DatabaseOptions) -> dict[str, Any]:
    safely = not options.in_clear and (not tls.is_loopback(options.host) or options.ca_file or options.tls_fingerprint)
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "connect_timeout": min(options.timeout, 30),
        "read_timeout": options.timeout,
        "write_timeout": options.timeout,
    }
    if options.driver == "mysqldb":
        if safely:
            authority = str(options.ca_file or ssl.get_default_verify_paths().cafile or "")
            arguments |= {"ssl": {"ca": authority}, "ssl_mode": "VERIFY_IDENTITY"}
        return arguments
    # On this machine PyMySQL takes the TLS that the server has, whatever its certificate.
    if safely:
        arguments["ssl"] = tls.context(options.ca_file, options.tls_fingerprint or "")
    return arguments


def _as_spelt(driver: str) -> dict[str, Any]:
    """Arguments that make a driver give every value as bytes; what is sent it still converts."""
    if driver == "mysqldb":
        from MySQLdb import converters as theirs

        known = theirs.conversions
    else:
        from pymysql import converters as ours

        known = ours.conversions
    return {"use_unicode": False, "conv": {kind: how for kind, how in known.items() if not isinstance(kind, int)}}


def _postgresql(options: DatabaseOptions, *, writes: bool) -> dict[str, Any]:
    arguments: dict[str, Any] = {"connect_timeout": min(options.timeout, 30), "application_name": "migrator"}
    milliseconds = options.timeout * 1000
    arguments["options"] = f"-c statement_timeout={milliseconds}" + (
        "" if writes else " -c default_transaction_read_only=on"
    )
    if not tls.is_loopback(options.host) or options.ca_file:
        arguments |= {"sslmode": "verify-full", "sslrootcert": str(options.ca_file or "system")}
    return arguments


# -- errors -----------------------------------------------------------------------------------------------------------

_Kind = Literal["login", "database", "rights", "absent", "there", "unfit", "busy", "many", "full", "nobody", "lost"]
_MYSQL: dict[int, _Kind] = {
    **dict.fromkeys((1044, 1049), "database"),  # who may use one database only is told 1044 of any other name
    **dict.fromkeys((1045, 1129, 1130, 1251, 1698, 1820, 1862, 2059), "login"),
    **dict.fromkeys((1142, 1143, 1227, 1290, 1370, 1792), "rights"),
    1146: "absent",
    **dict.fromkeys((1062, 1586), "there"),
    **dict.fromkeys((1048, 1264, 1265, 1364, 1366, 1406, 1451, 1452, 3819, 4025), "unfit"),
    **dict.fromkeys((1205, 1213, 1053), "busy"),
    **dict.fromkeys((1040, 1203, 1226), "many"),
    **dict.fromkeys((1021, 1114), "full"),
    **dict.fromkeys((2002, 2003, 2005), "nobody"),
    **dict.fromkeys((2006, 2013, 2014, 2055, 1927, 4031), "lost"),
}
_MEANING: dict[_Kind, tuple[type[MigratorError], str, str]] = {
    "login": (EndpointRefused, "", "Check host, database, user and the secret; nothing was tried again."),
    "database": (EndpointUnfit, NO_DATABASE, CURE_FOR_DATABASE),
    "rights": (EndpointRefused, "", "Grant the user what it lacks, or name another one."),
    "absent": (EndpointRefused, "", "Grant the user what it lacks, or name another one."),
    "there": (Refused, "It is there already.", ""),
    "unfit": (Refused, "", ""),
    "busy": (Unavailable, "", ""),
    "many": (TooManyConnections, "", ""),
    "full": (NoSpace, "", ""),
    "nobody": (Unreachable, "", "Check host and port in the plan, and whether the database listens there."),
    "lost": (Dropped, "Whether it had its effect is looked up.", ""),
}
# PostgreSQL's codes by class, longer ones first.
_SQLSTATE: tuple[tuple[str, _Kind], ...] = (
    ("23505", "there"), ("42501", "rights"), ("42P01", "absent"), ("25006", "rights"), ("3D000", "database"), ("53100", "full"),
    ("53300", "many"), ("57P", "busy"), ("55P03", "busy"), ("57014", "busy"), ("28", "login"), ("22", "unfit"),
    ("23", "unfit"), ("40", "busy"), ("08", "lost"),
)  # fmt: skip
_SQLITE: dict[int, _Kind] = {
    sqlite3.SQLITE_READONLY: "rights",
    sqlite3.SQLITE_PERM: "rights",
    sqlite3.SQLITE_CANTOPEN: "login",
    sqlite3.SQLITE_NOTADB: "login",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_CONSTRAINT: "unfit",
}
_LOWEST_BYTE = 0xFF  # sqlite's extended codes carry the plain one there


def _ours(foreign: BaseException | None, options: DatabaseOptions, *, discreet: bool) -> MigratorError:
    """A driver's error as ours. `discreet` leaves out what the server quotes of a row."""
    kind, words = _kind(foreign), f"{options.place}: {_words(foreign)}"
    if kind == "login" and options.dialect == "postgresql" and _is_about_database(str(foreign), options):
        kind = "database"
    if discreet and kind in {None, "there", "unfit", "busy"}:
        words = f"{options.place}: {_without_values(foreign)}"
    if discreet and kind == "absent":
        return NotFound(words, remedy="It may have been removed meanwhile; run again.")
    if isinstance(underneath := getattr(foreign, "original_exception", None), ssl.SSLError):
        return TlsFailed(
            f"{options.place}: the connection is not safe ({underneath.reason or 'TLS failed'}).",
            remedy="Give ca_file or tls_fingerprint, or reach the database through a tunnel.",
        )
    if kind is None:
        return Misbehaved(words)
    translation, more, remedy = _MEANING[kind]
    return translation(f"{words} {more}".rstrip(), remedy=remedy)


def _refuse_strangers(foreign: object, options: DatabaseOptions) -> None:
    """Raises EndpointUnfit where another service answers at the port, and Unreachable where a greeting was begun that nobody ended."""
    kind = _kind(foreign)
    if options.dialect == "sqlite" or kind not in {"nobody", "lost", None}:
        return
    port = options.port or PORTS[options.dialect]
    answers = who_answers(options.host, port, min(PATIENCE, options.timeout))
    if answers is not None and not (options.dialect == "mysql" and answers.what in DATABASES):
        wanted = "PostgreSQL" if answers.what in DATABASES else "a database"
        raise EndpointUnfit(
            f"{options.host}:{port}: {answers.what} answers there, not {wanted}.",
            remedy="Correct host and port in the plan.",
        ) from None
    if kind == "lost":
        translation, _, remedy = _MEANING["nobody"]
        raise translation(f"{options.place}: {_words(foreign)}", remedy=remedy) from None


def _kind(foreign: object) -> _Kind | None:
    if isinstance(foreign, sqlite3.Error):
        code = getattr(foreign, "sqlite_errorcode", 0)
        if code in {sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE}:
            return "there"
        return _SQLITE.get(code & _LOWEST_BYTE)
    if type(foreign).__module__.startswith("psycopg"):
        state = getattr(foreign, "sqlstate", None)
        if state is None:
            return _before_login(str(foreign))
        return next((kind for start, kind in _SQLSTATE if state.startswith(start)), None)
    code = foreign.args[0] if isinstance(foreign, Exception) and foreign.args else 0
    return _MYSQL.get(code) if isinstance(code, int) else None


def _before_login(text: str) -> _Kind:
    """What libpq says before a login is through, where it gives no codes."""
    if "FATAL" in text:
        return "many" if "too many" in text else "busy" if "starting up" in text else "login"
    return "lost" if "consuming input" in text or "closed the connection" in text else "nobody"


def _is_about_database(text: str, options: DatabaseOptions) -> bool:
    """Whether libpq's words, in whatever language, are about the database alone: a refused login is told with the user's name, and that it
    comes from where nobody may with both.
    """
    if f'database "{options.database}"' in text and f'user "{options.user}"' not in text:
        return True
    said = text.partition("FATAL:")[2]
    return options.database != options.user and _names(said, options.database) and not _names(said, options.user)


def _names(text: str, name: str | None) -> bool:
    return re.search(rf"(?<!\w){re.escape(name or '')}(?!\w)", text) is not None


def _words(foreign: object) -> str:
    """The database's own words in one line. PostgreSQL's DETAIL is left out: it shows whole rows."""
    diagnosis = getattr(foreign, "diag", None)
    if diagnosis is not None and diagnosis.message_primary:
        text = str(diagnosis.message_primary)
    elif isinstance(foreign, Exception) and len(foreign.args) > 1:
        text = str(foreign.args[1])
    else:
        text = str(foreign).partition("\n")[0]
    text = " ".join(text.split())
    return (text[:LONGEST_WORDS].rstrip(".") or type(foreign).__name__) + "."


# Anchored at the end: what stands before may be anybody's words.
_NAMED = re.compile(
    r"(key|column|constraint) ['`\"]?([A-Za-z0-9_$.`]{1,200})['`\"]?(?: at row \d+)?\.?$", re.IGNORECASE
)


def _without_values(foreign: object) -> str:
    """The same without anything the server quotes of a row: the number of the error, and the key or column that it is about."""
    if isinstance(foreign, sqlite3.Error):
        return f"{getattr(foreign, 'sqlite_errorname', 'an error')}."
    diagnosis = getattr(foreign, "diag", None)
    if diagnosis is not None:
        about = diagnosis.constraint_name or diagnosis.column_name
        return f"the server's error {getattr(foreign, 'sqlstate', '')}{f', {about}' if about else ''}."
    code, *rest = foreign.args if isinstance(foreign, Exception) and foreign.args else ("",)
    named = _NAMED.search(" ".join(str(rest[0]).split())) if rest else None
    about = f", {named[1].lower()} {named[2].replace('`', '')}" if named else ""
    return f"the server's error {code if isinstance(code, int) else ''}{about}."
