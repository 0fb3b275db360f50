"""Roundcube's tables in MariaDB, PostgreSQL and sqlite keep the promises of an address book, and a running Roundcube shows what was written."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from lab import mariadb as mariadb_lab
from lab import roundcube as roundcube_lab
from pydantic import SecretStr, ValidationError

from migrator.contacts.adapters import roundcube_db
from migrator.contacts.adapters.roundcube_db import Options
from migrator.contacts.meaning import differences
from migrator.contacts.model import text_property
from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, NotFound, NotMadeYet, Refused
from migrator.testing.book_store import CARDS, BookContract, cards, everything, group, mail, person

NUMBERS = itertools.count(1)
MARIADB, POSTGRESQL = (
    f"INSERT INTO users (username, mail_host, created) VALUES ('{{}}', '{{}}', {now})" for now in ("now()",) * 2
)


def a_login() -> Login:
    address = f"user{next(NUMBERS)}@example.com"
    return Login(address, address)


@pytest.fixture(scope="session")
def schemas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roundcube-schemas")
    return {name: roundcube_lab.schema(name, folder) for name in ("mysql", "postgres", "sqlite")}


# -- sqlite -----------------------------------------------------------------------------------------------------------------


def sqlite_file(path: Path, schema: str, *users: tuple[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(schema)
        for user, host in users:
            connection.execute(
                "INSERT INTO users (username, mail_host, created) VALUES (?, ?, '2024-01-01')", (user, host)
            )
    return path


@pytest.fixture
def sqlite_login():
    return a_login()


@pytest.fixture
def sqlite_path(tmp_path, schemas, sqlite_login):
    return sqlite_file(tmp_path / "roundcube.sqlite", schemas["sqlite"], (sqlite_login.user, "localhost"))


class TestSqlite(BookContract):
    adapter = roundcube_db.ADAPTER

    @pytest.fixture
    def login(self, sqlite_login):
        return sqlite_login

    @pytest.fixture
    def options(self, sqlite_path):
        return Options(dialect="sqlite", path=sqlite_path)


# -- servers ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_mariadb(mariadb, schemas):
    mariadb_lab.create_database(mariadb.server, "roundcube")
    mariadb.say(schemas["mysql"], "roundcube")
    return mariadb


class TestMariaDb(BookContract):
    adapter = roundcube_db.ADAPTER

    @pytest.fixture
    def login(self, in_mariadb):
        login = a_login()
        in_mariadb.say(MARIADB.format(login.user, "localhost"), "roundcube")
        return login

    @pytest.fixture
    def options(self, in_mariadb):
        server = in_mariadb.server
        return Options(
            port=server.port,
            database="roundcube",
            user=mariadb_lab.USER,
            password=SecretStr(mariadb_lab.PASSWORD),
            ca_file=Path(server.ca_file),
        )

    def test_a_login_that_may_only_look_is_enough_to_read(self, options, login, writer, book):
        writer.add(book, [CARDS["plain"]])
        looking = options.model_copy(
            update={"user": mariadb_lab.READER, "password": SecretStr(mariadb_lab.READER_PASSWORD)}
        )
        with closing(roundcube_db.ADAPTER.reader(looking, login)) as reader:
            assert [one.label for one in cards(reader, "0")] == ["Ann Doe"]
        with closing(roundcube_db.ADAPTER.writer(looking, login)) as other, pytest.raises(EndpointRefused):
            other.add(book, [CARDS["umlauts"]])

    def test_a_name_longer_than_its_column_is_cut_there_and_whole_in_the_card(self, writer, book, reading):
        long = "Ann " + "of the very long name " * 20 + "Doe"
        assert not writer.add(book, [person("long-name", long, mail("long@example.com"))])[0].refused
        with reading() as reader:
            assert [one.text("FN") for one in cards(reader, book)] == [long]


@pytest.fixture(scope="module")
def in_postgresql(postgresql, schemas):
    url = postgresql.fresh_database()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(schemas["postgres"])
    return postgresql.server, url


class TestPostgreSql(BookContract):
    adapter = roundcube_db.ADAPTER

    @pytest.fixture
    def login(self, in_postgresql):
        login = a_login()
        with psycopg.connect(in_postgresql[1].replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(POSTGRESQL.format(login.user, "localhost"))
        return login

    @pytest.fixture
    def options(self, in_postgresql):
        server, url = in_postgresql
        ((user, password),) = server.users.items()
        return Options(
            dialect="postgresql",
            port=server.port,
            database=url.rpartition("/")[2],
            user=user,
            password=SecretStr(password),
        )


# -- what its tables mean -------------------------------------------------------------------------------------------------------


@pytest.fixture
def options(sqlite_path):
    return Options(dialect="sqlite", path=sqlite_path)


@pytest.fixture
def writer(options, sqlite_login):
    with closing(roundcube_db.ADAPTER.writer(options, sqlite_login)) as session:
        yield session


@pytest.fixture
def reader(options, sqlite_login):
    with closing(roundcube_db.ADAPTER.reader(options, sqlite_login)) as session:
        yield session


def say(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def test_a_deleted_contact_and_a_deleted_group_are_not_there(writer, reader, sqlite_path):
    writer.add("0", [CARDS["plain"], CARDS["umlauts"], group("g", "Friends", "suite-plain")])
    say(sqlite_path, "UPDATE contacts SET del = 1 WHERE name = 'Ann Doe'")
    assert [one.label for one in cards(reader, "0")] == ["Jürgen Größe-Maß", "Friends"]
    assert cards(reader, "0")[1].members == ()
    say(sqlite_path, "UPDATE contactgroups SET del = 1")
    assert [one.label for one in cards(reader, "0")] == ["Jürgen Größe-Maß"]


def test_a_contact_without_a_card_is_read_from_its_columns(reader, sqlite_path):
    say(
        sqlite_path,
        "INSERT INTO contacts (user_id, name, email, firstname, surname, vcard) VALUES (1, 'Ann Doe', 'a@example.com,b@example.com', 'Ann', 'Doe', '')",
    )
    (card,) = cards(reader, "0")
    assert card.label == "Ann Doe"
    assert [one.text for one in card.all("EMAIL")] == ["a@example.com", "b@example.com"]
    assert card.first("N").component(0) == "Doe"


def test_collected_addresses_are_books_that_are_only_read(writer, reader, sqlite_path):
    say(
        sqlite_path,
        "INSERT INTO collected_addresses (user_id, changed, name, email, type) VALUES (1, '2024-01-01', 'Bob Roe', 'bob@example.com', 1), (1, '2024-01-01', '', 'x@example.com', 2)",
    )
    assert [(book.id, book.cards, book.writable) for book in reader.books()] == [
        ("0", 0, True),
        ("1", 1, False),
        ("2", 1, False),
    ]
    assert [one.label for one in cards(reader, "1")] == ["Bob Roe"]
    assert [one.label for one in cards(reader, "2")] == ["x@example.com"]
    with pytest.raises(Refused, match="by itself"):
        writer.add("1", [CARDS["plain"]])


def test_the_cards_of_others_are_neither_seen_nor_touched(writer, reader, sqlite_path, options):
    say(
        sqlite_path,
        "INSERT INTO users (username, mail_host, created) VALUES ('bob@example.com', 'localhost', '2024-01-01')",
    )
    with closing(roundcube_db.ADAPTER.writer(options, Login("bob@example.com", "bob@example.com"))) as others:
        (theirs,) = others.add("0", [CARDS["plain"]])
        entry = next(others.index("0"))
        assert everything(reader, "0") == []
        assert list(reader.fetch("0", [theirs.ref])) == []
        assert writer.update("0", entry, CARDS["plain"]).refused
        assert [one.label for one in cards(others, "0")] == ["Ann Doe"]


def test_a_user_in_other_letters_is_the_same_user(writer, options, sqlite_login):
    writer.add("0", [CARDS["plain"]])
    with closing(roundcube_db.ADAPTER.reader(options, replace(sqlite_login, user=sqlite_login.user.upper()))) as reader:
        assert [one.label for one in cards(reader, "0")] == ["Ann Doe"]


def test_a_user_known_with_two_mail_servers_wants_one_of_them_named(options, sqlite_path, sqlite_login):
    say(
        sqlite_path,
        "INSERT INTO users (username, mail_host, created) VALUES (?, 'mail.example.com', '2024-01-01')",
        sqlite_login.user,
    )
    with pytest.raises(EndpointRefused, match="“mail") as refused:
        roundcube_db.ADAPTER.reader(options, sqlite_login)
    assert "mail_host" in refused.value.remedy
    named = options.model_copy(update={"mail_host": "mail.example.com"})
    with closing(roundcube_db.ADAPTER.writer(named, sqlite_login)) as writer:
        writer.add("0", [CARDS["plain"]])
    assert say(sqlite_path, "SELECT user_id FROM contacts") == [(2,)]


def test_who_never_logged_in_has_no_books_and_cannot_be_filled(options):
    nobody = Login("nobody@example.com", "nobody@example.com")
    with closing(roundcube_db.ADAPTER.reader(options, nobody)) as reader:
        assert list(reader.books()) == []
        with pytest.raises(NotFound):
            list(reader.index("0"))
    with pytest.raises(NotMadeYet) as raised:
        roundcube_db.ADAPTER.writer(options, nobody)
    assert "Log in to the webmail once" in raised.value.remedy


def test_a_prefix_names_other_tables(tmp_path, schemas, sqlite_login):
    path = sqlite_file(tmp_path / "prefixed.sqlite", schemas["sqlite"], (sqlite_login.user, "localhost"))
    for name in ("users", "contacts", "contactgroups", "contactgroupmembers", "collected_addresses"):
        say(path, f"ALTER TABLE {name} RENAME TO rc_{name}")
    options = Options(dialect="sqlite", path=path, prefix="rc_")
    with closing(roundcube_db.ADAPTER.writer(options, sqlite_login)) as writer:
        writer.add("0", [CARDS["plain"], CARDS["categories"]])
        assert len(cards(writer, "0")) == 2
    with pytest.raises(EndpointRefused, match="no table"):
        roundcube_db.ADAPTER.reader(Options(dialect="sqlite", path=path), sqlite_login)


def test_a_group_grows_and_keeps_its_name(writer, reader):
    people = [person(f"p{n}", f"Person N{n}", mail(f"p{n}@example.com")) for n in range(3)]
    writer.add("0", [*people, group("g", "Team, A", "p0", "p1")])
    writer.add("0", [group("h", "Team, A", "p1", "p2")])
    (team,) = [held for held in everything(reader, "0") if held.card.is_group]
    assert set(team.card.members) == {"p0", "p1", "p2"}
    assert not writer.update("0", team.entry, group("g", "Team B", "p2")).refused
    (team,) = [held for held in everything(reader, "0") if held.card.is_group]
    assert (team.card.label, team.card.members) == ("Team B", ("p2",))
    assert writer.update("0", replace(team.entry, tag="old"), group("g", "Team C")).refused


def test_a_category_whose_group_was_left_is_gone_and_a_newcomer_makes_it_a_card(writer, reader, sqlite_path):
    writer.add("0", [CARDS["categories"], CARDS["plain"]])
    assert say(sqlite_path, "SELECT name FROM contactgroups ORDER BY name") == [("Friends",), ("Work, and so on",)]
    sorted_id, plain_id = (row[0] for row in say(sqlite_path, "SELECT contact_id FROM contacts ORDER BY contact_id"))
    say(
        sqlite_path,
        "DELETE FROM contactgroupmembers WHERE contactgroup_id = (SELECT contactgroup_id FROM contactgroups WHERE name = 'Friends')",
    )
    say(
        sqlite_path,
        "INSERT INTO contactgroupmembers (contactgroup_id, contact_id, created) SELECT contactgroup_id, ?, '2024-01-01' FROM contactgroups WHERE name = 'Work, and so on'",
        plain_id,
    )
    first, _, *groups = cards(reader, "0")
    assert first.text("CATEGORIES") == "Work, and so on"
    assert {(one.label, frozenset(one.members)) for one in groups} == {
        ("Friends", frozenset()),
        ("Work, and so on", frozenset({"suite-categories", "suite-plain"})),
    }
    assert sorted_id < plain_id


def test_a_phone_that_was_changed_in_roundcube_is_what_counts(writer, reader, sqlite_path):
    sent = person("p", "Ann Doe", mail("ann@example.com"), text_property("TEL", "+1 111", "cell", "work"))
    writer.add("0", [sent])
    assert differences(sent, cards(reader, "0")[0]) == []
    say(sqlite_path, "UPDATE contacts SET vcard = replace(vcard, 'TEL;TYPE=cell:+1 111', 'TEL;TYPE=cell:+1 999')")
    (phone,) = cards(reader, "0")[0].all("TEL")
    assert (phone.text, phone.types) == ("+1 999", {"cell"})


# -- cPanel -------------------------------------------------------------------------------------------------------------------


def test_cpanel_has_one_file_a_mailbox(tmp_path, schemas):
    etc = tmp_path / "etc"
    for name in ("ann", "bob"):
        sqlite_file(etc / "example.com" / f"{name}.rcube.db", schemas["sqlite"], (f"{name}@example.com", "localhost"))
    options = Options(dialect="sqlite", folder=etc)
    ann, bob, carmen = (Login(f"{name}@example.com", f"{name}@example.com") for name in ("ann", "bob", "carmen"))
    with closing(roundcube_db.ADAPTER.writer(options, ann)) as writer:
        writer.add("0", [CARDS["plain"]])
    with closing(roundcube_db.ADAPTER.reader(options, ann)) as reader:
        assert len(cards(reader, "0")) == 1
    with closing(roundcube_db.ADAPTER.reader(options, bob)) as reader:
        assert cards(reader, "0") == []
    with closing(roundcube_db.ADAPTER.reader(options, carmen)) as reader:
        assert list(reader.books()) == []
    with pytest.raises(NotMadeYet):
        roundcube_db.ADAPTER.writer(options, carmen)


def test_an_address_never_leads_out_of_the_folder(tmp_path):
    options = Options(dialect="sqlite", folder=tmp_path)
    for address in ("../x@example.com", "x@../..", "..@example.com"):
        with pytest.raises(NotFound):
            roundcube_db.ADAPTER.reader(options, Login(address, address))


def test_a_folder_goes_with_sqlite_alone(tmp_path):
    with pytest.raises(ValidationError, match="folder"):
        Options(folder=tmp_path, database="x", user="y", password="z")
    with pytest.raises(ValidationError, match="path"):
        Options(dialect="sqlite")
