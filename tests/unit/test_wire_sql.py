"""A database's port at which something else answers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from socketserver import BaseRequestHandler, ThreadingTCPServer
from types import ModuleType

import pytest

from migrator.errors import EndpointRefused, EndpointUnfit, MigratorError, PlanError, Unreachable
from migrator.forms.adapters import mysql
from migrator.wire.sql import Database, DatabaseOptions

# mysqlclient has no wheels: scripts/test builds it for the floor with servers.
MYSQL_DRIVERS = ["pymysql", *(["mysqldb"] if find_spec("MySQLdb") else [])]


@contextmanager
def served(server: ThreadingTCPServer | HTTPServer) -> Iterator[int]:
    """The server's port, while it answers."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Web(BaseHTTPRequestHandler):
    """Waits to be asked."""

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Threads(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


class ThreadedWeb(Threads):
    """Answers several at once, for the database's driver holds its line."""


class Imap(BaseRequestHandler):
    """Greets whoever comes."""

    def handle(self) -> None:
        self.request.sendall(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        self.request.recv(100)


class MariaDb(BaseRequestHandler):
    """Greets as MariaDB does, and hangs up at the login."""

    def handle(self) -> None:
        said = (
            b"\x0a11.4.2-MariaDB\0\1\0\0\0abcdefgh\0\xfe\xf7\x08\2\0\xff\x81\x15"
            + bytes(10)
            + b"abcdefghijkl\0mysql_native_password\0"
        )
        self.request.sendall(len(said).to_bytes(3, "little") + b"\0" + said)
        self.request.recv(100)


class Hasty(BaseRequestHandler):
    """Hangs up before a word."""

    def handle(self) -> None:
        self.request.close()


def mysql_that_says(code: int, words: str) -> type[BaseRequestHandler]:
    """A MariaDB that ends every login with an error."""

    class Mysql(BaseRequestHandler):
        def handle(self) -> None:
            said = b"\xff" + code.to_bytes(2, "little") + b"#42000" + words.encode()
            self.request.sendall(len(said).to_bytes(3, "little") + b"\0" + said)
            self.request.recv(100)

    return Mysql


def postgresql_that_says(code: str, words: str) -> type[BaseRequestHandler]:
    """A PostgreSQL that does the same, without TLS."""

    class Postgresql(BaseRequestHandler):
        def handle(self) -> None:
            while int.from_bytes(self.request.recv(1000)[4:8], "big") >> 16 != PROTOCOL:
                self.request.sendall(b"N")  # to whoever asks for TLS or GSS first
            said = (
                b"".join(f"{kind}{text}\0".encode() for kind, text in (("S", "FATAL"), ("C", code), ("M", words)))
                + b"\0"
            )
            self.request.sendall(b"E" + (len(said) + 4).to_bytes(4, "big") + said)

    return Postgresql


PROTOCOL = 3  # of PostgreSQL
BY_NAME = [
    ("mysql", mysql_that_says(1049, "Unknown database 'wp_x'")),
    ("mysql", mysql_that_says(1044, "Access denied for user 'wp'@'%' to database 'wp_x'")),
    ("postgresql", postgresql_that_says("3D000", 'database "wp_x" does not exist')),
    ("postgresql", postgresql_that_says("3D000", "no existe la base de datos «wp_x»")),
    ("postgresql", postgresql_that_says("42501", 'permission denied for database "wp_x"')),
]
BY_PASSWORD = [
    ("mysql", mysql_that_says(1045, "Access denied for user 'wp'@'localhost' (using password: YES)")),
    ("postgresql", postgresql_that_says("28P01", 'password authentication failed for user "wp"')),
    ("postgresql", postgresql_that_says("28000", 'no pg_hba.conf entry for host "::1", user "wp", database "wp_x", no encryption')),
    ("postgresql", postgresql_that_says("28000", 'role "wp" does not exist')),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "server"), BY_NAME)
def test_a_database_that_is_not_there_is_no_refused_login(dialect: str, server: type[BaseRequestHandler]) -> None:
    with served(Threads(("127.0.0.1", 0), server)) as port, pytest.raises(EndpointUnfit) as told:
        look(port, dialect, "pymysql", database="wp_x")
    assert f"127.0.0.1:{port}/wp_x: " in str(told.value)
    assert "There is no database of that name, or the user may not use it." in str(told.value)
    assert told.value.remedy == "Correct database in the plan, or what the user is granted."


@pytest.mark.parametrize(("dialect", "server"), BY_PASSWORD)
@pytest.mark.parametrize("database", ["wp_x", "wp"])
def test_a_refused_login_is_no_missing_database(dialect: str, server: type[BaseRequestHandler], database: str) -> None:
    with served(Threads(("127.0.0.1", 0), server)) as port, pytest.raises(EndpointRefused) as told:
        look(port, dialect, "pymysql", database=database)
    assert not isinstance(told.value, EndpointUnfit)


def look(port: int, dialect: str, driver: str, *, exact: bool = False, database: str = "wp") -> None:
    class Options(DatabaseOptions):
        @property
        def driver(self) -> str:
            return driver

    options = Options(dialect=dialect, port=port, database=database, user="wp", password="pw", timeout=1)
    session = Database(options, writes=False, exact=exact)
    try:
        with session.reading():
            pass
    finally:
        session.close()


def test_mariadb_at_the_port_of_postgresql_is_named() -> None:
    with served(Threads(("127.0.0.1", 0), MariaDb)) as port, pytest.raises(EndpointUnfit) as told:
        look(port, "postgresql", "")

    assert str(told.value) == f"127.0.0.1:{port}: a MariaDB server answers there, not PostgreSQL."


@pytest.mark.parametrize("driver", MYSQL_DRIVERS)
def test_mariadb_that_hangs_up_is_not_taken_for_another_service(driver) -> None:
    with served(Threads(("127.0.0.1", 0), MariaDb)) as port, pytest.raises(MigratorError) as told:
        look(port, "mysql", driver)

    assert "answers there" not in str(told.value)


@pytest.mark.parametrize(("dialect", "driver"), [*(("mysql", name) for name in MYSQL_DRIVERS), ("postgresql", "")])
@pytest.mark.parametrize(
    ("server", "what"),
    [
        (lambda: ThreadedWeb(("127.0.0.1", 0), Web), "a web server"),
        (lambda: Threads(("127.0.0.1", 0), Imap), "an IMAP server"),
    ],
)
def test_another_service_at_the_port_is_named(server, what, dialect, driver) -> None:
    with served(server()) as port, pytest.raises(EndpointUnfit) as told:
        look(port, dialect, driver)

    assert str(told.value) == f"127.0.0.1:{port}: {what} answers there, not a database."
    assert "port" in told.value.remedy


@pytest.mark.parametrize("driver", MYSQL_DRIVERS)
def test_a_line_that_ends_before_a_greeting_had_no_effect_to_look_for(driver) -> None:
    with served(Threads(("127.0.0.1", 0), Hasty)) as port, pytest.raises(Unreachable) as told:
        look(port, "mysql", driver)

    assert "effect" not in str(told.value)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("dialect", "driver", "module", "package", "extra"),
    [
        ("mysql", "mysqldb", "MySQLdb", "mysqlclient", "mysqlclient"),
        ("postgresql", "", "psycopg", "psycopg", "postgresql"),
    ],
)
def test_a_driver_that_is_not_installed_is_named(dialect, driver, module, package, extra, exact, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(PlanError) as told:
        look(1, dialect, driver, exact=exact)

    assert str(told.value) == f"The Python package {package} is not installed, or does not work."
    assert told.value.remedy == f"Run `pip install '.[{extra}]'` in the checkout of migrator."


@pytest.mark.parametrize(("module", "driver"), [(None, "pymysql"), (ModuleType("MySQLdb"), "mysqldb")])
def test_the_faster_driver_is_taken_where_it_can_be_imported(module, driver, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "MySQLdb", module)

    assert mysql.Options(database="wp", user="wp", password="pw").driver == driver
