"""Turba's tables in sqlite, MariaDB and PostgreSQL keep the promises of an address book, and what is particular to them.

The tables are made as Turba's migrations describe them; no Horde runs here.
"""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from lab import mariadb as mariadb_lab
from pydantic import SecretStr

from migrator.contacts import vcard
from migrator.contacts.adapters import horde
from migrator.contacts.adapters.horde import Options
from migrator.contacts.horde import php
from migrator.contacts.meaning import differences
from migrator.contacts.model import Card, Property, text_property
from migrator.engine.contract import Login
from migrator.errors import NotMadeYet, Refused
from migrator.testing.book_store import CARDS, BookContract, cards, everything, group, mail, person

NUMBERS = itertools.count(1)
WIDTHS = {
    "nameprefix": 32, "namesuffix": 32, "alias": 32, "phototype": 127, "logotype": 127, "bday": 10, "anniversary": 10, "homepob": 10,
    "homepostalcode": 10, "workpob": 10, "workpostalcode": 10, "otherpob": 10, "otherpostalcode": 10, "tz": 32, "homephone": 25,
    "homephone2": 25, "workphone": 25, "workphone2": 25, "cellphone": 25, "carphone": 25, "radiophone": 25, "companyphone": 25,
    "assistantphone": 25, "fax": 25, "homefax": 25, "pager": 25,
}  # fmt: skip
NAMES = (
    "uid", "firstname", "lastname", "middlenames", "nameprefix", "namesuffix", "alias", "nickname", "yomifirstname",
    "yomilastname", "phototype", "bday", "anniversary", "spouse", "homestreet", "homepob", "homecity",
    "homeprovince", "homepostalcode", "homecountry", "workstreet", "workpob", "workcity", "workprovince",
    "workpostalcode", "workcountry", "otherstreet", "otherpob", "othercity", "otherprovince", "otherpostalcode",
    "othercountry", "tz", "geo", "email", "homeemail", "workemail", "homephone", "homephone2", "workphone",
    "workphone2", "cellphone", "carphone", "radiophone", "companyphone", "assistantphone", "fax", "homefax",
    "pager", "title", "role", "company", "department", "manager", "assistant", "logotype", "url", "freebusyurl",
    "imaddress", "imaddress2", "imaddress3"
)  # fmt: skip


def tables(octets: str, *, old: bool = False) -> str:
    """Turba's tables; `old` before tags took the place of the category."""
    columns = "".join(f", object_{name} VARCHAR({WIDTHS.get(name, 255)})" for name in NAMES)
    return f"""
    CREATE TABLE turba_objects (object_id VARCHAR(32) NOT NULL PRIMARY KEY, owner_id VARCHAR(255) NOT NULL,
      object_type VARCHAR(255) DEFAULT 'Object' NOT NULL, object_members TEXT, object_notes TEXT, object_pgppublickey TEXT,
      object_smimepublickey TEXT, object_photo {octets}, object_logo {octets}
      {columns}{", object_category VARCHAR(80)" if old else ""});
    CREATE TABLE turba_sharesng (share_id INTEGER NOT NULL PRIMARY KEY, share_name VARCHAR(255) NOT NULL, share_owner VARCHAR(255),
      attribute_name VARCHAR(255) NOT NULL, attribute_params TEXT);
    CREATE TABLE rampage_types (type_id INTEGER NOT NULL PRIMARY KEY, type_name VARCHAR(255) NOT NULL);
    CREATE TABLE rampage_objects (object_id INTEGER NOT NULL PRIMARY KEY, object_name VARCHAR(255) NOT NULL, type_id INTEGER NOT NULL);
    CREATE TABLE rampage_users (user_id INTEGER NOT NULL PRIMARY KEY, user_name VARCHAR(255) NOT NULL);
    CREATE TABLE rampage_tags (tag_id INTEGER NOT NULL PRIMARY KEY, tag_name VARCHAR(255) NOT NULL);
    CREATE TABLE rampage_tagged (user_id INTEGER NOT NULL, object_id INTEGER NOT NULL, tag_id INTEGER NOT NULL,
      PRIMARY KEY (user_id, object_id, tag_id));
    """


def a_share(number: int, user: str, key: str, name: str = "Contacts") -> str:
    params = f'a:3:{{s:6:"source";s:8:"localsql";s:7:"default";b:1;s:4:"name";s:{len(key)}:"{key}";}}'
    return f"INSERT INTO turba_sharesng VALUES ({number}, 'share{number}', '{user}', '{name}', '{params}');"


@pytest.fixture
def number():
    return next(NUMBERS)


@pytest.fixture
def login(number):
    return Login(f"ann{number}@example.com", f"ann{number}@example.com")


@pytest.fixture
def path(tmp_path, number, login):
    return sqlite_file(tmp_path / "horde.sqlite", tables("BLOB") + a_share(number, login.user, login.user))


def sqlite_file(path: Path, statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(statements)
    return path


@pytest.fixture
def options(path):
    return Options(dialect="sqlite", path=path)


@pytest.fixture
def writer(options, login):
    with closing(horde.ADAPTER.writer(options, login)) as session:
        yield session


@pytest.fixture
def book(login):
    return login.user


def say(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


# -- the promises ---------------------------------------------------------------------------------------------------------------


class TestSqlite(BookContract):
    adapter = horde.ADAPTER

    @pytest.fixture
    def login(self, login):
        return login

    @pytest.fixture
    def options(self, options):
        return options


@pytest.fixture(scope="module")
def in_mariadb(mariadb):
    mariadb_lab.create_database(mariadb.server, "horde")
    mariadb.say(tables("LONGBLOB"), "horde")
    return mariadb


class TestMariaDb(BookContract):
    adapter = horde.ADAPTER

    @pytest.fixture
    def login(self, in_mariadb, number, login):
        in_mariadb.say(a_share(number, login.user, login.user), "horde")
        return login

    @pytest.fixture
    def options(self, in_mariadb):
        return Options(
            port=in_mariadb.server.port,
            database="horde",
            user=mariadb_lab.USER,
            password=SecretStr(mariadb_lab.PASSWORD),
            ca_file=Path(in_mariadb.server.ca_file),
        )

    def test_a_note_that_is_too_long_for_its_column_is_refused_and_hides_no_other(self, writer, book, reading):
        long = person("long", "Long Note", text_property("NOTE", "x" * 70_000))
        puts = writer.add(book, [long, CARDS["plain"]])
        assert [bool(put.refused) for put in puts] == [True, False]
        with reading() as reader:
            assert [one.label for one in cards(reader, book)] == ["Ann Doe"]


@pytest.fixture(scope="module")
def in_postgresql(postgresql):
    url = postgresql.fresh_database()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(tables("BYTEA"))
    return postgresql.server, url


class TestPostgreSql(BookContract):
    adapter = horde.ADAPTER

    @pytest.fixture
    def login(self, in_postgresql, number, login):
        with psycopg.connect(in_postgresql[1].replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(a_share(number, login.user, login.user))
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


# -- columns --------------------------------------------------------------------------------------------------------------------


def card(*lines: str) -> Card:
    return vcard.parse("\r\n".join(["BEGIN:VCARD", "VERSION:4.0", *lines, "END:VCARD", ""]).encode()).card


RICH = card(
    "UID:rich", "FN:Dr. Ann M. Doe Jr.", "N:Doe;Ann;M.;Dr.;Jr.", "EMAIL;TYPE=work:ann@example.com", "TEL;TYPE=cell:+49 171 1",
    "TEL;TYPE=home:1", "TEL;TYPE=home:2", "TEL;TYPE=work:3", "TEL;TYPE=fax:4", "TEL;TYPE=home,fax:5", "TEL;TYPE=pager:6",
    "ADR;TYPE=home:PO 1;;Street 1;City;Region;12345;Germany", "ADR;TYPE=work:;;Way 2;Town;;;", "ADR:;;Third 3;;;;",
    "ORG:Acme;Sales", "TITLE:Boss", "ROLE:Lead", "BDAY:1980-04-12", "ANNIVERSARY:2004-06-12", "NICKNAME:Annie",
    "URL:https://example.com", "FBURL:https://example.com/fb", "TZ:Europe/Berlin", "X-SPOUSE:Bob", "X-MANAGER:Carmen",
    "IMPP:xmpp:ann@example.com", r"NOTE:one\ntwo",
)  # fmt: skip


def test_a_whole_contact_fills_the_columns_that_horde_shows_and_nothing_stands_below_the_notes(writer, book, path):
    assert not writer.add(book, [RICH])[0].refused
    names = "firstname lastname email workemail homeemail cellphone homephone homephone2 fax homefax homestreet homepob workcity otherstreet company department bday alias notes spouse"
    (row,) = say(path, f"SELECT {', '.join(f'object_{name}' for name in names.split())} FROM turba_objects")
    assert row == (
        "Ann", "Doe", "ann@example.com", "ann@example.com", None, "+49 171 1", "1", "2", "4", "5", "Street 1", "PO 1", "Town",
        "Third 3", "Acme", "Sales", "1980-04-12", "Annie", "one\ntwo", "Bob",
    )  # fmt: skip
    assert differences(RICH, cards(writer, book)[0]) == []


def test_what_has_no_column_or_is_too_long_for_it_stands_below_the_notes(writer, book, path):
    sent = card(
        "UID:u", "FN:Ann", "N:Doe;Ann;;;", "EMAIL:a@example.com", "EMAIL;TYPE=home:b@example.com", "X-SHOE-SIZE:42",
        "BDAY:--0412", "TEL;TYPE=cell:+49 171 1234567890 1234567890", "CATEGORIES:Friends", "NOTE:hello",
    )  # fmt: skip
    assert not writer.add(book, [sent])[0].refused
    ((note, email),) = say(path, "SELECT object_notes, object_email FROM turba_objects")
    assert email == "a@example.com"
    assert note.startswith("hello\n-- more about this contact --\n")
    assert "b@example.com" in note
    assert differences(sent, cards(writer, book)[0]) == []


def test_second_addresses_have_columns_where_horde_shows_them(options, login, book, path):
    shown = options.model_copy(update={"shows_home_and_work_email": True})
    sent = person("u", "Ann Doe", mail("a@example.com"), mail("h@example.com", "home"), mail("w@example.com", "work"))
    with closing(horde.ADAPTER.writer(shown, login)) as writer:
        writer.add(book, [sent])
        assert differences(sent, cards(writer, book)[0]) == []
    asked = "SELECT object_email, object_homeemail, object_workemail, object_notes FROM turba_objects"
    assert say(path, asked) == [("a@example.com", "h@example.com", "w@example.com", None)]


def test_an_old_table_without_newer_columns_takes_cards_too(tmp_path, login, number):
    few = "object_uid firstname lastname email notes"
    columns = ", ".join(f"object_{name.removeprefix('object_')} VARCHAR(255)" for name in few.split())
    path = sqlite_file(
        tmp_path / "old.sqlite",
        f"CREATE TABLE turba_objects (object_id VARCHAR(32) PRIMARY KEY, owner_id VARCHAR(255), object_type VARCHAR(255), object_members TEXT, {columns});"
        f"INSERT INTO turba_objects (object_id, owner_id, object_type, object_lastname) VALUES ('k', '{login.user}', 'Object', 'Old');",
    )
    with closing(horde.ADAPTER.writer(Options(dialect="sqlite", path=path), login)) as writer:
        writer.add(login.user, [RICH])
        (rich,) = [one for one in cards(writer, login.user) if one.uid == "rich"]
        assert differences(RICH, rich) == []


def test_tags_are_categories_and_an_old_category_too(writer, book, path, login, tmp_path, number):
    writer.add(book, [CARDS["plain"]])
    say(path, "INSERT INTO rampage_types VALUES (1, 'contact'), (2, 'event')")
    say(path, "INSERT INTO rampage_users VALUES (1, ?), (2, 'other@example.com')", login.user)
    say(path, "INSERT INTO rampage_tags VALUES (1, 'Friends'), (2, 'Work, and so on'), (3, 'theirs')")
    say(path, "INSERT INTO rampage_objects VALUES (1, 'suite-plain', 1), (2, 'suite-plain', 2)")
    say(path, "INSERT INTO rampage_tagged VALUES (1, 1, 1), (1, 1, 2), (2, 1, 3), (1, 2, 3)")
    before = CARDS["plain"].with_property(Property("CATEGORIES", (("Friends", "Work, and so on"),)))
    assert differences(before, cards(writer, book)[0]) == []
    old = sqlite_file(tmp_path / "old.sqlite", tables("BLOB", old=True) + a_share(number, login.user, login.user))
    with closing(horde.ADAPTER.writer(Options(dialect="sqlite", path=old), login)) as other:
        other.add(book, [CARDS["plain"].with_property(Property("CATEGORIES", (("Friends",),)))])
        assert say(old, "SELECT object_category, object_notes FROM turba_objects") == [("Friends", None)]


# -- books and lists ----------------------------------------------------------------------------------------------------------------


def test_shares_of_the_user_are_books_and_those_of_others_are_not(path, options, login, number):
    say(path, a_share(number + 10_000, login.user, "b2f1", "Clients").rstrip(";"))
    say(path, a_share(number + 20_000, "other@example.com", "0123", "Secret").rstrip(";"))
    with closing(horde.ADAPTER.writer(options, login)) as writer:
        assert [(one.id, one.name) for one in writer.books()] == [(login.user, "Contacts"), ("b2f1", "Clients")]
        writer.add("b2f1", [CARDS["plain"]])
        assert cards(writer, login.user) == []
        assert len(cards(writer, "b2f1")) == 1
    assert say(path, "SELECT owner_id FROM turba_objects") == [("b2f1",)]


def test_a_user_whom_horde_does_not_know_cannot_be_filled(options):
    with pytest.raises(NotMadeYet, match="no address book of a user"):
        horde.ADAPTER.writer(options, Login("bob@example.com", "bob"))
    with closing(horde.ADAPTER.reader(options, Login("bob@example.com", "bob"))) as reader:
        assert cards(reader, "bob") == []


def test_a_list_keeps_its_uid_and_its_members_of_other_books(writer, book, path):
    people = [person(f"p{n}", f"Person N{n}", mail(f"p{n}@example.com")) for n in range(3)]
    puts = writer.add(book, [group("g", "Team, A", "p1", "p0"), *people])
    assert not any(put.refused for put in puts)
    say(
        path,
        "UPDATE turba_objects SET object_members = ? WHERE object_type = 'Group'",
        php.write([puts[1].ref, puts[2].ref, "ldap:cn=x"]),
    )
    (team,) = [held for held in everything(writer, book) if held.card.is_group]
    assert (team.card.uid, team.card.label, team.card.members) == ("g", "Team, A", ("p0", "p1"))
    assert "another address book" in team.dropped[0]
    assert not writer.update(book, team.entry, group("g", "Team B", "p2")).refused
    ((name, members),) = say(
        path, "SELECT object_lastname, object_members FROM turba_objects WHERE object_type = 'Group'"
    )
    assert (name, php.texts(members)) == ("Team B", [puts[3].ref, "ldap:cn=x"])


def test_a_list_whose_members_cannot_be_read_says_so(writer, book, path):
    writer.add(book, [group("g", "Team")])
    say(path, "UPDATE turba_objects SET object_members = ?", 'a:1:{i:0;s:9:"short";}')
    (team,) = everything(writer, book)
    assert (team.card.label, team.card.members) == ("Team", ())
    assert "cannot be read" in team.dropped[0]


def test_contacts_of_old_versions_without_a_uid_get_one_that_lasts(writer, book, path):
    say(
        path,
        "INSERT INTO turba_objects (object_id, owner_id, object_type, object_lastname) VALUES ('k1', ?, 'Object', 'Doe')",
        book,
    )
    say(
        path,
        "INSERT INTO turba_objects (object_id, owner_id, object_type, object_lastname, object_members) VALUES ('k2', ?, 'Group', 'Team', ?)",
        book,
        php.write(["k1"]),
    )
    one, team = cards(writer, book)
    assert one.uid == ""
    assert team.members == (vcard.uid_for(one),)
    assert writer.add(book, [vcard.with_uid(one)])[0].refused


def test_books_are_made_in_horde(writer):
    with pytest.raises(Refused, match="made in Horde"):
        writer.create_book("Another")


# -- PHP's serialised data ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("N;", None),
        ("b:1;", True),
        ("i:-42;", -42),
        ("d:0.5;", 0.5),
        ('s:5:"a";b"";', b'a";b"'),
        ('s:4:"M\u00fcl";', "M\u00fcl".encode()),
        ("a:0:{}", {}),
        ('a:2:{i:3;s:1:"a";s:1:"k";a:1:{i:0;i:1;}}', {3: b"a", b"k": {0: 1}}),
    ],
)
def test_data_of_php_is_read(text, value):
    assert php.read(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "i:1", 's:5:"ab";', 's:1:"ab";', 'a:2:{i:0;s:1:"a";}', 'a:1:{i:0;s:1:"a";', 'O:8:"stdClass":0:{}',
        'C:11:"ArrayObject":0:{}', "a:1:{i:0;R:1;}", "a:1:{a:0:{}i:1;}", "i:1;i:2;", "a:1:{i:0;" * 40, 's:999999999:"x";',
    ],
)  # fmt: skip
def test_what_is_no_data_or_would_make_an_object_is_refused(text):
    with pytest.raises(php.Broken):
        php.read(text.encode())


@pytest.mark.parametrize("values", [[], ["a"], ["M\u00fcller", 'a"; s:1', "王"]])
def test_lists_of_texts_come_back(values):
    assert php.texts(php.write(values)) == values
