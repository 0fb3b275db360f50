"""Real servers for the tests of this floor. Each kind is started once per session, at the first test that asks for it, and
every test takes a mailbox (`fresh_user`) or a database (`fresh_database`) that nobody has used.

A server that cannot be started here fails the test and says why.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lab import courier as courier_lab
from lab import cyrus as cyrus_lab
from lab import dav as dav_lab
from lab import dovecot as dovecot_lab
from lab import ground, road
from lab import mailman3 as mailman3_lab
from lab import mariadb as mariadb_lab
from lab import postgresql as postgresql_lab

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = CHECKOUT / "scripts" / "servers"
ACCOUNT_TABLES = CHECKOUT / "fixtures" / "panel" / "postfix_sql"


@dataclass
class Mailserver:
    """A running mail server. `users` maps logins to passwords and grows with `fresh_user`."""

    server: ground.Server
    users: dict[str, str] = field(init=False)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), init=False)

    def __post_init__(self) -> None:
        self.users = dict(self.server.users)
        self.kind, self.host, self.folder = self.server.kind, self.server.host, Path(self.server.folder)
        self.port, self.tls_port, self.ca_file = self.server.port, self.server.tls_port, self.server.ca_file
        self.prefix, self.separator = self.server.prefix, self.server.separator

    def fresh_user(self) -> str:
        """A login with an empty mailbox that nobody has used; its password is in `users`."""
        user = f"box{next(self._numbers)}@{dovecot_lab.FRESH_DOMAIN}"
        password = dovecot_lab.fresh_password(user)  # Dovecot takes it without being told
        if self.kind == "cyrus":
            cyrus_lab.add_user(self.server, user, password)
        elif self.kind == "courier":
            courier_lab.add_user(self.server, user, password)
        self.users[user] = password
        return user

    def named(self, *parts: str) -> str:
        """A folder's name on this server's wire, from its parts (modified UTF-7 where they need it)."""
        return self.prefix + self.separator.join(parts)

    def road(self, user: str) -> road.Road:
        """A raw connection, logged in, for what `fill` and `contents` do not do."""
        return road.Road(self.host, self.port, user, self.users[user])

    def fill(self, user: str, folder: str, messages: Iterable[road.Letter | bytes]) -> int:
        """Put messages into a folder, byte for byte and in order; the folder is made if it is missing."""
        letters = (message if isinstance(message, road.Letter) else road.Letter(message) for message in messages)
        with self.road(user) as connection:
            return road.fill(connection, folder, letters)

    def contents(self, user: str) -> dict[str, Counter[road.Found]]:
        """Everything a mailbox holds, folder by folder: (digest, flags, date), twins twice. Changes nothing."""
        with self.road(user) as connection:
            return road.contents(connection)

    def watch(self, user: str) -> None:
        """Dovecot only: from now on keep what this user's new connections say."""
        dovecot_lab.watch(self.server, user)

    def said(self, user: str) -> bytes:
        """Dovecot only: what a watched user's connections have said after their logins."""
        return dovecot_lab.said(self.server, user)


@dataclass(frozen=True)
class Database:
    """A running PostgreSQL. `url` names a database that tests share; better take a fresh one."""

    server: ground.Server
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        return self.server.url

    def fresh_database(self) -> str:
        """The URL of an empty database that nobody has used."""
        name = f"fresh{next(self._numbers)}"
        postgresql_lab.create_database(self.server.port, name)
        return postgresql_lab.url(self.server.port, name)


@dataclass(frozen=True)
class MariaDb:
    """A running MariaDB."""

    server: ground.Server
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def fresh_accounts(self, schema: str) -> str:
        """A database that nobody has used, with the empty tables of a file in fixtures/panel/postfix_sql."""
        name = f"accounts{next(self._numbers)}"
        mariadb_lab.create_database(self.server, name, [ACCOUNT_TABLES / f"{schema}.sql"])
        return name

    def say(self, statements: str, database: str = "") -> str:
        """What the database answers to its administrator."""
        return mariadb_lab.say(self.server, statements, database)


@dataclass(frozen=True)
class DavServer:
    """A running CardDAV server."""

    server: ground.Server
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def ca_file(self) -> Path | None:
        return Path(self.server.ca_file) if self.server.ca_file else None

    def fresh_user(self) -> tuple[str, str]:
        """A login that nobody has used, and its password."""
        user = f"book{next(self._numbers)}@example.com"
        dav_lab.add_user(self.server, user, f"pw-{user}")
        return user, f"pw-{user}"


@dataclass(frozen=True)
class Mailman3:
    """A running Mailman 3 core."""

    server: ground.Server
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def login(self) -> tuple[str, str]:
        """The user and the password of its REST service."""
        return next(iter(self.server.admin.items()))

    def fresh_domain(self) -> str:
        """A domain it has not heard of."""
        return f"lists{next(self._numbers)}.example.com"

    def mail(self) -> list[str]:
        """Every mail it has ever meant to send, in words: handed to its mail server or still in a queue of its own."""
        letters = (f"{one.subject!r} to {', '.join(one.recipients)}" for one in mailman3_lab.handed_over(self.server))
        return [*letters, *mailman3_lab.waiting(self.server)]

    def ask(self, method: str, path: str, **fields: object) -> tuple[int, Any]:
        """What its REST service answers, status and body: the road of tests beside the adapter's."""
        return mailman3_lab.ask(self.server, method, path, fields)


@dataclass
class Lab:
    """Starts servers, each in a folder of its own below one temporary folder."""

    folder: Path
    started: list[Path] = field(default_factory=list)

    def start(self, name: str, *options: str) -> ground.Server:
        """Start a server with options of `scripts/servers start`; it runs until the session ends."""
        folder = self.folder / f"{len(self.started) + 1}-{name}"
        self.started.append(folder)
        command(["start", name, "--folder", str(folder), *options])
        return ground.recorded(folder)[name]

    def mail(self, name: str, *options: str) -> Mailserver:
        """The same for a mail server, ready for tests."""
        return Mailserver(self.start(name, *options))

    def mailman3(self) -> Mailman3:
        """A Mailman 3 core of a test's own."""
        return Mailman3(self.start("mailman3"))


def command(words: list[str]) -> str:
    """Run scripts/servers; what it printed. The test fails with its sentence if it fails."""
    done = subprocess.run([sys.executable, str(COMMAND), *words], capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        pytest.fail(done.stderr.strip() or done.stdout.strip(), pytrace=False)
    return done.stdout


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    # Not pytest's own temporary folder: the servers' account may not enter that one.
    running = Lab(Path(tempfile.mkdtemp(prefix="migrator-lab-")))
    running.folder.chmod(0o755)
    yield running
    for folder in running.started:
        command(["stop", "--folder", str(folder)])
    shutil.rmtree(running.folder)


@pytest.fixture(scope="session")
def dovecot_inbox(lab: Lab) -> Mailserver:
    return lab.mail("dovecot-inbox")


@pytest.fixture(scope="session")
def dovecot_slash(lab: Lab) -> Mailserver:
    return lab.mail("dovecot-slash")


@pytest.fixture(scope="session")
def cyrus(lab: Lab) -> Mailserver:
    return lab.mail("cyrus")


@pytest.fixture(scope="session")
def courier(lab: Lab) -> Mailserver:
    return lab.mail("courier")


@pytest.fixture(scope="session")
def postgresql(lab: Lab) -> Iterator[Database]:
    database = Database(lab.start("postgresql"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MIGRATOR_TEST_POSTGRESQL", database.url)
        yield database


@pytest.fixture(scope="session")
def mariadb(lab: Lab) -> MariaDb:
    return MariaDb(lab.start("mariadb"))


@pytest.fixture(scope="session")
def modoboa(lab: Lab) -> ground.Server:
    return lab.start("modoboa")


@pytest.fixture(scope="session")
def radicale(lab: Lab) -> DavServer:
    return DavServer(lab.start("radicale"))


@pytest.fixture(scope="session")
def xandikos(lab: Lab) -> DavServer:
    return DavServer(lab.start("xandikos"))


@pytest.fixture(scope="session")
def phpmyadmin(lab: Lab) -> ground.Server:
    return lab.start("phpmyadmin")


@pytest.fixture(scope="session")
def phpmyadmin_hasty(lab: Lab) -> ground.Server:
    return lab.start("phpmyadmin-hasty")


@pytest.fixture(scope="session")
def lighttpd(lab: Lab) -> ground.Server:
    return lab.start("lighttpd")


@pytest.fixture(scope="session")
def roundcube(lab: Lab) -> ground.Server:
    return lab.start("roundcube")


@pytest.fixture(scope="session")
def mailman3(lab: Lab) -> Mailman3:
    return lab.mailman3()
