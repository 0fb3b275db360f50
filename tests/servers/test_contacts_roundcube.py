"""A real Roundcube 1.6 keeps the promises of an address book over its own pages; what its importer does to cards, and what we make of it."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import httpx2
import pytest
from lab import dovecot as dovecot_lab
from lab import roundcube as roundcube_lab
from pydantic import SecretStr, ValidationError

from migrator.contacts import vcard
from migrator.contacts.adapters import roundcube as product
from migrator.contacts.adapters import roundcube_db
from migrator.contacts.adapters.roundcube import Options
from migrator.contacts.meaning import differences
from migrator.contacts.model import Card, Entry, Property, text_property
from migrator.contacts.roundcube import pages
from migrator.contacts.roundcube.dialect import to_roundcube
from migrator.engine.contract import Login
from migrator.errors import Dropped, EndpointRefused, LoginRefused, Misbehaved, Refused, Unavailable
from migrator.testing.book_store import CARDS, ONE_PIXEL, BookContract, cards, everything, group, mail, person
from migrator.testing.panels.server import Answer, Mishap, Panel, Request

NUMBERS = itertools.count(1)


def a_login() -> Login:
    address = f"rc{next(NUMBERS)}@{dovecot_lab.FRESH_DOMAIN}"
    return Login(address, address, SecretStr(dovecot_lab.fresh_password(address)))


@pytest.fixture
def options(roundcube):
    return Options(url=roundcube.url)


@pytest.fixture
def login():
    return a_login()


class TestRoundcube(BookContract):
    adapter = product.ADAPTER
    needs_password = True

    @pytest.fixture
    def options(self, roundcube):
        return Options(url=roundcube.url)

    @pytest.fixture
    def login(self):
        return a_login()


@pytest.fixture
def writer(options, login):
    with closing(product.ADAPTER.writer(options, login)) as session:
        yield session


def read(options, login, book="0"):
    with closing(product.ADAPTER.reader(options, login)) as reader:
        return cards(reader, book)


def card(*lines: str, version: str = "3.0") -> Card:
    return vcard.parse("\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""]).encode()).card


# -- what the import does to cards ------------------------------------------------------------------------------------------

MANGLED = {  # trait -> a card's lines, its version, whether something is lost for any reader when the importer gets it as it is
    "an invalid address": (["UID:1", "FN:Ann Doe", "EMAIL:ann@@example", "EMAIL:ann@example.com"], "3.0", True),
    "a phone and nothing else": (["UID:1", "TEL:+49 30 1"], "3.0", True),
    "a phone as URI with quoted types": (["UID:1", "FN:Ann", 'TEL;TYPE="cell,voice";VALUE=uri:tel:+49-30-1'], "4.0", False),
    "departments": (["UID:1", "FN:Ann", "ORG:Acme;Dept;Sub"], "3.0", True),
    "a phone with a prefix": (["UID:1", "FN:Ann", "home.TEL:111"], "3.0", False),
    "Apple's label": (["UID:1", "FN:Ann", "item1.URL:https://example.com", "item1.X-ABLabel:_$!<HomePage>!$_"], "3.0", False),
    "a label of one's own": (["UID:1", "FN:Ann", "item1.TEL:1", "item1.X-ABLabel:Her Größe; own, phone"], "3.0", True),
    "three types": (["UID:1", "FN:Ann", "TEL;TYPE=home,work,fax:1"], "3.0", True),
    "a fax at work": (["UID:1", "FN:Ann", "TEL;TYPE=work,fax:1", "TEL;TYPE=home,fax:2"], "3.0", True),
    "preferred ones": (["UID:1", "FN:Ann", "TEL:1", "TEL;TYPE=pref,cell:2", "EMAIL:a@example.com", "EMAIL;TYPE=pref:b@example.com"], "3.0", True),
    "a category with a comma": (["UID:1", "FN:Ann", r"CATEGORIES:Friends\, old,Work"], "3.0", True),
    "a birthday without a year": (["UID:1", "FN:Ann", "BDAY:--0412"], "4.0", True),
    "nicknames": (["UID:1", "FN:Ann", "NICKNAME:Annie,Nan", "NICKNAME:A."], "3.0", True),
    "a nickname with a comma": (["UID:1", "FN:Ann", r"NICKNAME:Ann\, the great"], "3.0", True),
    "a box and a floor": (["UID:1", "FN:Ann", "ADR;TYPE=work:PO 1;Floor 2;Street 3;City;;12345;Germany"], "3.0", True),
    "a photo's link": (["UID:1", "FN:Ann", "PHOTO;VALUE=uri:https://example.com/ann.png"], "3.0", True),
    "messengers": (["UID:1", "FN:Ann", "IMPP:xmpp:ann@example.com", "IMPP;TYPE=work:skype:ann", "X-SKYPE:ann.doe"], "3.0", True),
    "a wife": (["UID:1", "FN:Bob", "RELATED;TYPE=spouse;VALUE=text:Ann", "RELATED;TYPE=friend;VALUE=text:Carmen"], "4.0", False),
    "an anniversary and a gender": (["UID:1", "FN:Ann", "ANNIVERSARY:20040612", "GENDER:F"], "4.0", False),
    "what nobody knows": (["UID:1", "FN:Ann", "X-SHOE;SIZE=wide:42", "ROLE:Boss", "GEO:52.5;13.4", "TZ:+01:00", "CLASS:PRIVATE"], "3.0", False),
    "a long text nobody knows": (["UID:1", "FN:Ann", f"X-STORY:{'once upon a time ' * 40}"], "3.0", True),
    "a note of lines": (["UID:1", "FN:Ann", r"NOTE:one\ntwo\n\n  four\, five\; six"], "3.0", False),
    "several notes": (["UID:1", "FN:Ann", "NOTE:one", "NOTE:two"], "3.0", False),
    "two names": (["UID:1", "FN:Ann Doe", "FN:Ann Roe", "N:Doe;Ann;;;"], "4.0", True),
    "every part of a name": (["UID:1", "FN:Dr. Ann M. Doe Jr.", "N:Doe;Ann;M.,Louise;Dr.;Jr.,PhD"], "3.0", False),
    "a company": (["UID:1", "FN:Acme", "N:;;;;", "ORG:Acme", "X-ABShowAs:COMPANY"], "3.0", False),
    "logo and key": (["UID:1", "FN:Ann", "LOGO;ENCODING=b;TYPE=PNG:iVBORw0KGgo=", "KEY;ENCODING=b:AAAA"], "3.0", False),
}  # fmt: skip


@pytest.mark.parametrize("trait", MANGLED)
def test_what_the_importer_mangles_comes_back_as_it_was(writer, options, login, trait):
    lines, version, _ = MANGLED[trait]
    sent = card(*lines, version=version)
    assert not writer.add("0", [sent])[0].refused
    (back,) = [one for one in read(options, login) if not one.is_group]
    made_up = frozenset({"FN"}) if not sent.text("FN") else frozenset()
    assert differences(sent, back, made_up) == []


@pytest.mark.parametrize("trait", MANGLED)
def test_the_importer_by_itself_does_what_we_know_of_it(writer, options, login, trait):
    lines, version, loses = MANGLED[trait]
    raw = "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])
    writer._upload("0", [raw])
    found = [one for one in read(options, login) if not one.is_group]
    lost = not found or differences(card(*lines, version=version), found[0]) != []
    assert lost is loses


def test_people_of_one_name_or_one_address_all_arrive(writer, options, login):
    ann = person("u1", "Ann Doe", mail("info@example.com"), text_property("X-SHOE-SIZE", "37"))
    namesake = person("u2", "Ann Doe", mail("ann@example.com"), Property("PHOTO", data=ONE_PIXEL, media="image/png"))
    colleague = person("u3", "Bob Roe", mail("info@example.com"), text_property("NOTE", "at the\ndesk"))
    twin = person("u4", "Ann Doe", mail("info@example.com"))
    writer._upload("0", [to_roundcube(one).text() for one in (ann, namesake, colleague)])
    assert len(read(options, login)) == 1  # what the importer by itself keeps of them
    puts = writer.add("0", [namesake, colleague, twin, ann])
    assert [bool(put.refused) for put in puts] == [False, False, False, True]
    back = {one.uid: one for one in read(options, login)}
    for sent in (ann, namesake, colleague, twin):
        assert differences(sent, back[sent.uid]) == []


def test_what_a_run_left_under_another_name_when_it_died_is_brought_in_by_the_next(writer, options, login):
    ann = person("u1", "Ann Doe", mail("info@example.com"))
    namesake = person("u2", "Ann Doe", mail("ann@example.com"), text_property("X-SHOE-SIZE", "37"))
    died_over = to_roundcube(namesake).text(without=frozenset({"EMAIL"}), name=product._stand_in("u2"))
    writer._upload("0", [to_roundcube(ann).text(), died_over])
    with closing(product.ADAPTER.writer(options, login)) as resumed:
        assert [held.card.uid for held in everything(resumed, "0")] == ["u1"]
        (put,) = resumed.add("0", [namesake])
        assert not put.refused
        assert {held.card.uid: held.entry.ref for held in everything(resumed, "0")}["u2"] == put.ref
    back = {one.uid: one for one in read(options, login)}
    assert len(read(options, login)) == 2
    assert [differences(sent, back[sent.uid]) for sent in (ann, namesake)] == [[], []]


def test_what_was_to_take_the_place_of_a_contact_when_the_run_died_does_so_in_the_next(writer, options, login):
    first = person("u1", "Ann Doe", mail("a@example.com"), text_property("X-SHOE-SIZE", "37"))
    second = person("u1", "Ann Doe", mail("a@example.com"), text_property("X-SHOE-SIZE", "38"))
    writer.add("0", [first])
    died_over = to_roundcube(second).text(without=frozenset({"EMAIL"}), name=product._stand_in("u1"))
    writer._upload("0", [died_over])
    with closing(product.ADAPTER.writer(options, login)) as resumed:
        (held,) = everything(resumed, "0")
        assert not resumed.update("0", held.entry, second).refused
    (back,) = read(options, login)
    assert differences(second, back) == []


def test_a_contact_whose_place_was_taken_when_the_run_died_goes_in_the_next(writer, options, login):
    first = person("u1", "Ann Doe", mail("a@example.com"), text_property("X-SHOE-SIZE", "37"))
    second = person("u1", "Ann Doe", mail("a@example.com"), text_property("X-SHOE-SIZE", "38"))
    bob = person("u2", "Bob Roe", mail("b@example.com"))
    (put, *_) = writer.add("0", [first, bob, group("g", "Team", "u1", "u2")])
    assert writer._bring_in("0", {"u1": to_roundcube(second).instead_of(put.ref)}, beside=put.ref) == {}
    assert len(read(options, login)) == 4
    with closing(product.ADAPTER.writer(options, login)) as resumed:
        assert sorted(held.card.label for held in everything(resumed, "0")) == ["Ann Doe", "Bob Roe", "Team"]
    back = {one.uid: one for one in read(options, login) if not one.is_group}
    assert set(back) == {"u1", "u2"}
    assert differences(second, back["u1"]) == []
    (team,) = [one for one in read(options, login) if one.is_group]
    assert set(team.members) == {"u1", "u2"}


def test_a_card_from_another_roundcube_takes_no_strangers_place(writer, options, login):
    (put,) = writer.add("0", [person("u1", "Ann Doe", mail("a@example.com"))])
    stranger = to_roundcube(person("u2", "Bob Roe", mail("b@example.com"))).instead_of(put.ref)
    writer._upload("0", [stranger.text()])
    with closing(product.ADAPTER.writer(options, login)) as resumed:
        assert sorted(held.card.uid for held in everything(resumed, "0")) == ["u1", "u2"]


def test_departments_messengers_and_addresses_stand_in_the_form_where_a_person_sees_them(writer):
    sent = card(
        "UID:1", "FN:Ann", "ORG:Acme;Sales", "TEL;TYPE=work,cell:+1 1", "IMPP:xmpp:ann@example.com", "GENDER:F",
        "ADR;TYPE=home:PO 1;;Street 2;City;;;", "RELATED;TYPE=spouse;VALUE=text:Bob",
    )  # fmt: skip
    (put,) = writer.add("0", [sent])
    shown = pages.values(writer._webmail.page("edit", _source="0", _cid=put.ref, _framed="1"))
    assert {"Acme", "Sales", "+1 1", "ann@example.com", "PO 1, Street 2", "City", "Bob"} <= set(shown)


def test_a_card_of_another_charset_in_the_same_call_harms_none(writer, options, login):
    old = vcard.parse(
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nUID:old\r\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;Zo=EB\r\nTEL;CELL:1\r\nEND:VCARD\r\n"
    ).card
    writer.add("0", [old, person("new", "Jürgen Größe", mail("j@example.com"))])
    assert {one.label for one in read(options, login)} == {"Zoë Müller", "Jürgen Größe"}


# -- what is there ------------------------------------------------------------------------------------------------------------


def user_of(roundcube, login, options) -> int:
    """The user's number, who has logged in at least once."""
    with closing(product.ADAPTER.reader(options, login)) as reader:
        reader.books()
    return say(roundcube, "SELECT user_id FROM users WHERE username = ?", login.user)[0][0]


def say(roundcube, statement, *values):
    with closing(sqlite3.connect(roundcube_lab.database(roundcube), timeout=20)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def test_the_generated_books_are_only_read(writer, roundcube, options, login):
    number = user_of(roundcube, login, options)
    say(
        roundcube,
        "INSERT INTO collected_addresses (user_id, changed, name, email, type) VALUES (?, '2024-01-01', 'Bob Roe', 'bob@example.com', 1)",
        number,
    )
    assert [(book.id, book.writable) for book in writer.books()] == [("0", True), ("1", False), ("2", False)]
    (found,) = read(options, login, "1")
    assert (found.label, found.text("EMAIL")) == ("Bob Roe", "bob@example.com")
    assert read(options, login, "2") == []
    for attempt in (lambda: writer.add("1", [CARDS["plain"]]), lambda: writer.update("1", Entry("1"), CARDS["plain"])):
        with pytest.raises(Refused):
            attempt()


def test_twins_and_nameless_ones_are_all_read(roundcube, options, login):
    number = user_of(roundcube, login, options)
    twin = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Doe;Ann;;;\r\nFN:Ann Doe\r\nEMAIL:a@example.com\r\nNOTE:{}\r\nEND:VCARD"
    bare = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:;;;;\r\nFN:\r\nTEL:{}\r\nEND:VCARD"
    for n in range(3):
        say(
            roundcube,
            "INSERT INTO contacts (user_id, name, email, vcard) VALUES (?, 'Ann Doe', 'a@example.com', ?)",
            number,
            twin.format(n),
        )
        say(
            roundcube,
            "INSERT INTO contacts (user_id, name, email, vcard) VALUES (?, '', '', ?)",
            number,
            bare.format(n),
        )
    found = read(options, login)
    assert sorted(one.text("NOTE") for one in found if one.text("NOTE")) == ["0", "1", "2"]
    assert sorted(one.text("TEL") for one in found if one.text("TEL")) == ["0", "1", "2"]


@pytest.mark.parametrize("listing", [0, 1, 2, 3])
def test_however_the_user_likes_names_listed_every_card_is_itself(writer, roundcube, options, login, listing):
    sent = [
        person("u1", "Ann Doe", mail("a@example.com")),
        person("u2", "Doe Ann", mail("b@example.com")),
        person("u3", "Carmen", text_property("NOTE", "x")),
    ]
    number = user_of(roundcube, login, options)
    say(
        roundcube,
        "UPDATE users SET preferences = ? WHERE user_id = ?",
        f'a:1:{{s:24:"addressbook_name_listing";i:{listing};}}',
        number,
    )
    with closing(product.ADAPTER.writer(options, login)) as other:
        puts = dict(zip(("u1", "u2", "u3"), (put.ref for put in other.add("0", sent)), strict=True))
        for uid, ref in puts.items():
            assert [held.card.uid for held in other.fetch("0", [ref])] == [uid]
        for uid, ref in puts.items():
            assert uid in say(roundcube, "SELECT vcard FROM contacts WHERE contact_id = ?", int(ref))[0][0]


def test_a_group_is_renamed_grows_and_shrinks(writer, options, login):
    people = [person(f"p{n}", f"Person N{n}", mail(f"p{n}@example.com")) for n in range(3)]
    writer.add("0", [*people, group("g", "Team, A", "p0", "p1")])
    (again,) = writer.add("0", [group("h", "Team, A", "p1", "p2")])
    assert not again.refused
    with closing(product.ADAPTER.reader(options, login)) as reader:
        (team,) = [held for held in everything(reader, "0") if held.card.is_group]
    assert (team.entry.ref, set(team.card.members)) == (again.ref, {"p0", "p1", "p2"})
    assert not writer.update("0", team.entry, group("g", "Team; B", "p2")).refused
    (team,) = [one for one in read(options, login) if one.is_group]
    assert (team.label, team.members) == ("Team; B", ("p2",))


def test_of_many_categories_nothing_is_told_as_lost(writer, options, login):
    names = tuple(f"group of people, number {number}" for number in range(5))
    writer.add("0", [person("u1", "Ann Doe").with_property(Property("CATEGORIES", (names,)))])
    with closing(product.ADAPTER.reader(options, login)) as reader:
        (held,) = [one for one in everything(reader, "0") if not one.card.is_group]
    (categories,) = held.card.all("CATEGORIES")
    assert (sorted(categories.parts[0]), held.dropped) == (sorted(names), ())


def test_a_group_that_its_members_categories_tell_of_is_there_for_who_fills_the_book(writer, options, login):
    ann = person("u1", "Ann Doe").with_property(Property("CATEGORIES", (("Friends",),)))
    put = writer.add("0", [ann, group("g", "Friends", "u1")])[1]
    with closing(product.ADAPTER.reader(options, login)) as reader:
        assert [one.label for one in cards(reader, "0")] == ["Ann Doe"]
        assert [entry.ref for entry in reader.index("0") if entry.implied] == [put.ref]


def test_categories_become_groups_that_people_see(writer, options, login, roundcube):
    writer.add("0", [CARDS["categories"]])
    number = user_of(roundcube, login, options)
    rows = say(roundcube, "SELECT name FROM contactgroups WHERE user_id = ? AND del = 0 ORDER BY name", number)
    assert rows == [("Friends",), ("Work, and so on",)]
    entry = next(writer.index("0"))
    fewer = CARDS["categories"].without("CATEGORIES").with_property(Property("CATEGORIES", (("Friends",),)))
    assert not writer.update("0", entry, fewer).refused
    back = read(options, login)
    assert [one.text("CATEGORIES") for one in back if not one.is_group] == ["Friends"]
    assert [(one.label, one.members) for one in back if one.is_group] == [
        ("Work, and so on", ())
    ]  # nobody is left in it


def test_an_update_of_what_no_field_shows_takes_a_new_contact_and_leaves_none_behind(writer, options, login):
    first = person("u1", "Ann Doe", mail("a@example.com"), text_property("X-SHOE-SIZE", "37"))
    writer.add("0", [first, person("u2", "Bob Roe", mail("b@example.com")), group("g", "Team", "u1", "u2")])
    entry = next(held.entry for held in everything(writer, "0") if held.card.uid == "u1")
    second = person("u1", "Ann Doe", mail("a@example.com"), text_property("X-SHOE-SIZE", "38"))
    put = writer.update("0", entry, second)
    assert not put.refused
    back = {one.uid: one for one in read(options, login) if not one.is_group}
    assert set(back) == {"u1", "u2"}
    assert differences(second, back["u1"]) == []
    (team,) = [one for one in read(options, login) if one.is_group]
    assert set(team.members) == {"u1", "u2"}


def test_a_text_that_the_export_folds_keeps_its_blanks_and_its_neighbours(roundcube, options, login):
    number = user_of(roundcube, login, options)
    wanted = {}
    for length in (60, 62, 69, 71, 100, 138, 145, 147, 150, 214, 221, 223):  # most end a line where a fold does
        note = f"{length} ".ljust(length, "x").replace("xxxx", "xx y")
        text = f"BEGIN:VCARD\r\nVERSION:3.0\r\nN:;;;;\r\nFN:N{length}\r\nADR:;;{note};City;;;\r\nNOTE:{note}\r\nEMAIL:n{length}@example.com\r\nX-LONG:{note}\r\nEND:VCARD"
        say(
            roundcube,
            "INSERT INTO contacts (user_id, name, email, vcard) VALUES (?, ?, ?, ?)",
            number,
            f"N{length}",
            f"n{length}@example.com",
            text,
        )
        wanted[f"N{length}"] = note.strip()
    found = read(options, login)
    assert len(found) == len(wanted)
    for one in found:
        note = wanted[one.label]
        assert (one.text("NOTE"), one.first("ADR").component(2)) == (note, note)
        assert one.text("EMAIL") == f"{one.label.lower()}@example.com"
        assert one.text("X-LONG").replace(" ", "") == note.replace(" ", "")


def test_notes_of_many_kinds_keep_their_blanks(roundcube, options, login):
    number = user_of(roundcube, login, options)
    for note in ("word " * 60, "a " * 120, "ä  ö " * 50, "x" * 69 + " " + "y" * 80):
        text = f"BEGIN:VCARD\r\nVERSION:3.0\r\nN:;;;;\r\nFN:{note[:5]}\r\nNOTE:{note}\r\nEND:VCARD"
        say(
            roundcube, "INSERT INTO contacts (user_id, name, email, vcard) VALUES (?, ?, '', ?)", number, note[:5], text
        )
        (found,) = [one for one in read(options, login) if one.text("FN") == note[:5].strip()]
        assert found.text("NOTE") == note.strip()


# -- limits ---------------------------------------------------------------------------------------------------------------------


def pictured(uid: str, size: int) -> Card:
    return person(uid, f"Person {uid}", Property("PHOTO", data=ONE_PIXEL + os.urandom(size), media="image/png"))


def test_large_cards_travel_by_portions_below_the_upload_limit(writer, options, login):
    sent = [pictured(f"u{n}", 600_000) for n in range(5)]
    assert [put.refused for put in writer.add("0", sent)] == [""] * 5
    back = {one.uid: one for one in read(options, login)}
    assert all(differences(one, back[one.uid]) == [] for one in sent)


def test_the_largest_photo_that_is_told_fits_and_one_that_hardly_fits_is_larger(writer, options, login):
    largest = writer.features.largest_photo
    with closing(product.ADAPTER.reader(options, login)) as reader:
        assert reader.features.largest_photo == largest
    puts = writer.add("0", [pictured("fits", largest - len(ONE_PIXEL))])
    assert [put.refused for put in puts] == [""]
    assert 1_400_000 < largest < 2_000_000


def test_a_card_above_the_upload_limit_is_refused_and_hides_no_other(writer, options, login):
    puts = writer.add("0", [pictured("huge", 2_000_000), CARDS["plain"]])
    assert "no file larger than 2,09" in puts[0].refused
    assert "photo" in puts[0].remedy
    assert [one.label for one in read(options, login)] == ["Ann Doe"]


# -- a front that lets things go wrong on the way, and counts -------------------------------------------------------------------


class Front(Panel):
    """Passes everything on to the real Roundcube and keeps its cookies; one client at a time."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.instead: dict[str, Answer] = {}  # by a part of `METHOD path?query`
        self.before: Callable[[Request], None] = lambda _: None
        self.behind = httpx2.Client(base_url=url)

    def answer(self, request: Request) -> Answer:
        self.before(request)
        for part, answer in self.instead.items():
            if part in f"{request.method} {request.path}?{request.query}":
                return answer
        return self.pass_on(request, request.path)

    def pass_on(self, request: Request, path: str) -> Answer:
        if request.method == "GET" and "_task=login" in request.query:
            self.behind.cookies.clear()
        kept = ("content-type", "x-roundcube-request", "accept-language")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        asked = f"{path}?{request.query}"
        reply = self.behind.request(request.method, asked, content=request.body, headers=headers)
        told = {name.title(): reply.headers[name] for name in ("location",) if name in reply.headers}
        return Answer(reply.content, reply.status_code, reply.headers.get("content-type", "text/plain"), told)

    def logins(self) -> int:
        return sum(request.method == "POST" and "_task=login" in request.query for request in self.requests)

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        self.behind.close()


@pytest.fixture
def front(roundcube):
    with Front(roundcube.url) as panel:
        yield panel


@pytest.fixture
def through(front):
    return Options(url=front.url, tls_fingerprint=front.fingerprint, timeout=30)


def test_looking_changes_nothing_but_the_login(front, through, writer, login):
    writer.add("0", [CARDS["plain"], CARDS["categories"], CARDS["long-note"], group("g", "Team", "suite-plain")])
    with closing(product.ADAPTER.reader(through, login)) as reader:
        reader.books()
        assert len(everything(reader, "0")) == 4
        with pytest.raises(RuntimeError):
            reader._webmail.tell("delete", [("_source", "0"), ("_cid", "1")])
        assert [request.query for request in front.written] == ["_task=login"]


def test_a_wrong_password_goes_to_the_server_once(front, through, login):
    wrong = replace(login, password=SecretStr("not-this-one"))
    with closing(product.ADAPTER.reader(through, wrong)) as reader:
        for _ in range(3):
            with pytest.raises(LoginRefused, match="refused the login") as refused:
                reader.books()
            assert "not-this-one" not in refused.value.sentence()
    assert front.logins() == 1


def test_a_mail_server_that_is_down_is_no_wrong_password(front, through, login):
    page = '<script>rcmail.display_message("Connection to storage server failed.","warning",0);</script>'
    front.instead["POST /?_task=login"] = Answer(page.encode(), 401, "text/html")
    with closing(product.ADAPTER.reader(through, login)) as reader:
        with pytest.raises(Unavailable):
            reader.books()
        del front.instead["POST /?_task=login"]
        assert reader.books()


def test_a_login_form_whose_session_is_gone_is_no_wrong_password(front, through, login, roundcube):
    def forget(request: Request) -> None:
        if request.method == "POST":
            roundcube_lab.forget_sessions(roundcube)

    front.before = forget
    with closing(product.ADAPTER.reader(through, login)) as reader:
        with pytest.raises(Unavailable, match="Invalid request"):
            reader.books()
        front.before = lambda _: None
        assert reader.books()


def test_an_url_with_no_roundcube_is_told(front, through, login):
    front.instead["GET /?_task=login"] = Answer(b"<html>It works</html>", 200, "text/html")
    with (
        closing(product.ADAPTER.reader(through, login)) as reader,
        pytest.raises(EndpointRefused, match="no login form"),
    ):
        reader.books()


def test_a_second_factor_after_the_login_is_told(front, through, login):
    front.instead["GET /?_task=addressbook"] = Answer(b"<html><form>Your code?</form></html>", 200, "text/html")
    with (
        closing(product.ADAPTER.reader(through, login)) as reader,
        pytest.raises(EndpointRefused, match="shows no address book"),
    ):
        reader.books()


@pytest.mark.parametrize("word", ["list", "export", "import", "group-create", "save"])
def test_a_session_that_ends_midway_is_begun_anew_and_nothing_is_lost_or_twice(
    front, through, login, roundcube, options, word
):
    sent = [CARDS["plain"], person("like", "Ann Doe", mail("other@example.com")), CARDS["categories"]]
    forgotten = []

    def forget(request: Request) -> None:
        if f"_action={word}" in request.query and not forgotten:
            forgotten.append(request)
            say(roundcube, "DELETE FROM session")

    front.before = forget
    with closing(product.ADAPTER.writer(through, login)) as writer:
        assert [put.refused for put in writer.add("0", sent)] == ["", "", ""]
    assert forgotten
    assert front.logins() == 2
    back = {one.uid: one for one in read(options, login)}
    assert len(back) == 3
    assert all(differences(one, back[one.uid]) == [] for one in sent)


def test_a_token_that_is_too_old_is_had_anew(front, through, login, writer):
    writer.add("0", [CARDS["plain"]])
    with closing(product.ADAPTER.reader(through, login)) as reader:
        reader.books()
        stale = {**reader._webmail.state(), "request_token": "x" * 32}
        reader._webmail._state = stale
        assert [one.label for one in cards(reader, "0")] == ["Ann Doe"]
    assert front.logins() == 1


@pytest.mark.parametrize("what", ["before", "lost"])
@pytest.mark.parametrize(
    "about", ["_action=import", "_action=save", "_action=group-create", "_action=group-addmembers"]
)
def test_after_a_broken_connection_the_same_call_completes_what_was_begun(front, through, login, options, about, what):
    sent = [CARDS["plain"], person("like", "Ann Doe", mail("other@example.com")), CARDS["categories"]]
    sent.append(group("g", "Team", "like", "suite-plain"))
    front.mishaps.append(Mishap(what, about=about))
    with closing(product.ADAPTER.writer(through, login)) as writer, pytest.raises(Dropped):
        writer.add("0", sent)
    with closing(product.ADAPTER.writer(through, login)) as writer:
        writer.add("0", sent)
        for held in everything(writer, "0"):  # what a step does with a card that is there and not the same
            whole = next((one for one in sent if one.uid == held.card.uid), held.card)
            if differences(whole, held.card):
                assert not writer.update("0", held.entry, whole).refused
    back = read(options, login)
    assert sorted(one.label for one in back) == ["Ann Doe", "Ann Doe", "Ann Sorted", "Team"]
    by_uid = {one.uid: one for one in back}
    for one in sent[:2]:
        assert differences(one, by_uid[one.uid]) == []
    (team,) = [one for one in back if one.is_group]
    assert set(team.members) == {"like", "suite-plain"}


def test_a_server_that_fails_is_asked_later(front, through, login):
    front.mishaps.append(Mishap("500", about="_action=list"))
    with closing(product.ADAPTER.reader(through, login)) as reader:
        with pytest.raises(Dropped):
            list(reader.index("0"))
        assert list(reader.index("0")) == []


def test_an_account_without_a_password_is_not_even_asked_for(front, through, login):
    with (
        closing(product.ADAPTER.reader(through, replace(login, password=None))) as reader,
        pytest.raises(LoginRefused, match="wants this mailbox's password"),
    ):
        reader.books()
    assert front.requests == []


# -- through cPanel ---------------------------------------------------------------------------------------------------------------

TOKEN = "CPANEL0TOKEN0CPANEL0TOKEN0CPANEL"


CPANEL_LOGIN = b"""<!DOCTYPE html><html><head><title>Webmail Login</title></head><body>
<form novalidate id="login_form" action="/login/" method="post" target="_top">
<input name="user" id="user" type="text" required><input name="pass" id="pass" type="password" required>
<button name="login" type="submit" id="login_submit">Log in</button></form></body></html>"""


class CpanelFront(Front):
    """A cPanel with a webmail, as its documentation has them: an API that opens sessions, a webmail that knows them by path and cookie,
    and a Roundcube below it whose user is logged in already.
    """

    def __init__(self, url: str, passwords: dict[str, str]) -> None:
        super().__init__(url)
        self.passwords = passwords
        self.sessions: dict[str, str] = {}  # path -> mailbox
        self.opened: dict[str, str] = {}  # session -> path
        self.hostname: str | None = None
        self.second_factor = ""  # how it is asked for: "in the session", "at the login"

    def answer(self, request: Request) -> Answer:
        doors = {
            "/": lambda _: Answer(CPANEL_LOGIN, 401, "text/html"),
            "/login/": self._login,
            "/execute/Session/create_webmail_session_for_mail_user": self._api,
        }
        if request.path in doors:
            return doors[request.path](request)
        path, _, rest = request.path.lstrip("/").partition("/")
        if rest == "login":
            known = self.opened.get(request.form.get("session", "")) == path
            cookie = {"Set-Cookie": f"webmailsession={path}; HttpOnly; path=/", "Location": f"/{path}/"}
            return Answer(b"", 301, "text/html", cookie) if known else Answer(b"no", 401, "text/html")
        if path not in self.sessions or f"webmailsession={path}" not in request.headers.get("cookie", ""):
            return Answer(b"<html>Webmail Login</html>", 401, "text/html")
        if self.second_factor:
            return Answer(
                b'<html><form><input type="text" name="tfatoken" id="tfatoken"></form></html>', 200, "text/html"
            )
        assert rest.startswith("3rdparty/roundcube/")
        return self.pass_on(request, rest.removeprefix("3rdparty/roundcube").replace("/index.php", "/"))

    def end_sessions(self) -> None:
        self.sessions.clear()
        self.behind.cookies.clear()

    def _api(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"cpanel acme:{TOKEN}":
            return Answer(b"<html>Forbidden</html>", 403, "text/html")
        mailbox = f"{request.form['login']}@{request.form['domain']}"
        if mailbox not in self.passwords:
            told = {"status": 0, "data": None, "errors": [f"You do not have a mailbox {mailbox}."]}
            return Answer(json.dumps(told).encode())
        path = self._open(mailbox)
        session = f"acme:{path}:CREATE_WEBMAIL_SESSION_FOR_MAIL_USER,0123456789abcdef"
        self.opened[session] = path
        data = {"hostname": self.hostname, "session": session, "token": f"/{path}"}
        return Answer(json.dumps({"status": 1, "data": data, "errors": None}).encode())

    def _login(self, request: Request) -> Answer:
        """What the login form's script sends."""
        assert request.query == "login_only=1"
        mailbox = request.form["user"]
        if self.passwords.get(mailbox) != request.form["pass"]:
            return Answer(b'{"status":0,"message":"invalid_login"}', 401)
        if self.second_factor == "at the login":
            return Answer(b'{"status":0,"message":"Two-Factor Authentication is required"}', 401)
        path = self._open(mailbox)
        told = {
            "status": 1,
            "redirect": f"/{path}/webmail/jupiter/index.html?mailclient=none",
            "security_token": f"/{path}",
        }
        cookie = {"Set-Cookie": f"webmailsession={path}; HttpOnly; path=/"}
        return Answer(json.dumps(told).encode(), headers=cookie)

    def _open(self, mailbox: str) -> str:
        """A session in which Roundcube is logged in."""
        path = f"cpsess{next(NUMBERS):010}"
        self.sessions[path] = mailbox
        form = self.behind.get("/?_task=login").text
        fields = {
            "_task": "login", "_action": "login", "_token": pages.login_token(form), "_user": mailbox,
            "_pass": self.passwords[mailbox],
        }  # fmt: skip
        assert self.behind.post("/?_task=login", data=fields).status_code == 302
        return path


@pytest.fixture
def owned(login):
    """The login without its password, which cPanel does not need."""
    return replace(login, password=None)


@pytest.fixture
def cpanel(roundcube, login):
    with CpanelFront(roundcube.url, {login.account: login.password.get_secret_value()}) as panel:
        yield panel


@pytest.fixture
def by_cpanel(cpanel):
    return Options(
        url=cpanel.url,
        cpanel_url=cpanel.url,
        cpanel_user="acme",
        cpanel_token=SecretStr(TOKEN),
        tls_fingerprint=cpanel.fingerprint,
    )


def test_cpanel_opens_a_mailbox_without_its_password(cpanel, by_cpanel, owned, options, login):
    assert not by_cpanel.needs_password
    sent = [CARDS["plain"], CARDS["photo"], CARDS["categories"]]
    with closing(product.ADAPTER.writer(by_cpanel, owned)) as writer:
        assert [put.refused for put in writer.add("0", sent)] == ["", "", ""]
    with closing(product.ADAPTER.reader(by_cpanel, owned)) as reader:
        back = {one.uid: one for one in cards(reader, "0")}
    assert all(differences(one, back[one.uid]) == [] for one in sent)
    assert not any(login.password.get_secret_value().encode() in request.body for request in cpanel.requests)


def test_cpanel_opens_another_session_when_one_has_ended(cpanel, by_cpanel, owned):
    with closing(product.ADAPTER.writer(by_cpanel, owned)) as writer:
        writer.add("0", [CARDS["plain"]])
        cpanel.end_sessions()
        assert not writer.add("0", [CARDS["umlauts"]])[0].refused
        assert len(cards(writer, "0")) == 2


def test_a_mailbox_that_cpanel_does_not_have_is_refused_alone(cpanel, by_cpanel):
    stranger = Login("stranger@example.com", "stranger@example.com")
    with (
        closing(product.ADAPTER.reader(by_cpanel, stranger)) as reader,
        pytest.raises(LoginRefused, match="You do not have a mailbox"),
    ):
        reader.books()


def test_a_refused_token_is_the_endpoints_trouble(cpanel, by_cpanel, owned):
    wrong = by_cpanel.model_copy(update={"cpanel_token": SecretStr("WRONG")})
    with closing(product.ADAPTER.reader(wrong, owned)) as reader, pytest.raises(EndpointRefused, match="API token"):
        reader.books()


def test_the_webmail_may_be_on_the_host_that_cpanel_names(cpanel, by_cpanel, owned):
    cpanel.hostname = "127.0.0.1"
    elsewhere = by_cpanel.model_copy(update={"url": cpanel.url.replace("127.0.0.1", "127.0.0.3")})
    with closing(product.ADAPTER.reader(elsewhere, owned)) as reader:
        assert reader.books()


@pytest.fixture
def by_webmail(cpanel):
    return Options(url=cpanel.url, tls_fingerprint=cpanel.fingerprint)


def test_cpanels_webmail_takes_the_mailboxes_own_password(cpanel, by_webmail, login, options):
    assert by_webmail.needs_password
    sent = [CARDS["plain"], CARDS["photo"], CARDS["categories"]]
    with closing(product.ADAPTER.writer(by_webmail, login)) as writer:
        assert [put.refused for put in writer.add("0", sent)] == ["", "", ""]
    with closing(product.ADAPTER.reader(by_webmail, login)) as reader:
        back = {one.uid: one for one in cards(reader, "0")}
    assert all(differences(one, back[one.uid]) == [] for one in sent)
    carriers = [request for request in cpanel.requests if login.password.get_secret_value().encode() in request.body]
    assert {(request.method, request.path) for request in carriers} == {("POST", "/login/")}


def test_cpanels_webmail_is_entered_again_when_the_session_has_ended(cpanel, by_webmail, login):
    with closing(product.ADAPTER.writer(by_webmail, login)) as writer:
        writer.add("0", [CARDS["plain"]])
        cpanel.end_sessions()
        assert not writer.add("0", [CARDS["umlauts"]])[0].refused
        assert len(cards(writer, "0")) == 2


def test_a_wrong_password_goes_to_cpanels_webmail_once(cpanel, by_webmail, login):
    wrong = replace(login, password=SecretStr("not-this-one"))
    with closing(product.ADAPTER.reader(by_webmail, wrong)) as reader:
        for _ in range(3):
            with pytest.raises(
                LoginRefused, match=r"cPanel's webmail at \S+ refused the login \S+ \(“invalid login”\)"
            ) as refused:
                reader.books()
            assert "not-this-one" not in refused.value.sentence()
    assert [request.path for request in cpanel.requests].count("/login/") == 1


@pytest.mark.parametrize("asked", ["in the session", "at the login"])
def test_a_second_factor_of_cpanel_is_told_and_not_tried_again(cpanel, by_webmail, login, asked):
    cpanel.second_factor = asked
    with closing(product.ADAPTER.reader(by_webmail, login)) as reader:
        for _ in range(2):
            with pytest.raises(LoginRefused, match="wants a second factor") as refused:
                reader.books()
    assert "cpanel_token" in refused.value.remedy
    assert [request.path for request in cpanel.requests].count("/login/") == 1


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (Answer(b"<html>maintenance</html>", 200, "text/html"), "did not answer the login as expected"),
        (Answer(b'{"status":1,"security_token":"/elsewhere"}', 200), "refused the login"),
        (Answer(b"[]", 200), "did not answer the login as expected"),
        (Answer(b"", 401, "text/html"), "refused the login"),
    ],
)
def test_an_answer_to_cpanels_login_that_opens_no_session_is_told(cpanel, by_webmail, login, answer, match):
    cpanel._login = lambda _: answer
    with (
        closing(product.ADAPTER.reader(by_webmail, login)) as reader,
        pytest.raises((Misbehaved, LoginRefused), match=match),
    ):
        reader.books()


def test_the_three_words_for_cpanel_go_together():
    with pytest.raises(ValidationError, match="go together"):
        Options(url="https://webmail.example.com", cpanel_user="acme")
    with pytest.raises(ValidationError, match="https"):
        Options(
            url="https://webmail.example.com", cpanel_user="a", cpanel_token="b", cpanel_url="http://panel.example.com"
        )


# -- its database, while it runs ------------------------------------------------------------------------------------------------


@pytest.fixture
def in_database(roundcube, login, options):
    user_of(roundcube, login, options)
    database = roundcube_db.Options(dialect="sqlite", path=roundcube_lab.database(roundcube))
    with closing(roundcube_db.ADAPTER.writer(database, login)) as session:
        yield session


def test_what_is_written_to_the_database_is_what_the_pages_show(in_database, options, login):
    sent = [*CARDS.values(), group("g", "Team, all", "suite-plain", "suite-photo")]
    assert not [put for put in in_database.add("0", sent) if put.refused]
    back = {one.uid: one for one in read(options, login)}
    for one in CARDS.values():
        assert differences(one, back[one.uid]) == []
    (team,) = [one for one in back.values() if one.is_group]
    assert (team.label, set(team.members)) == ("Team, all", {"suite-plain", "suite-photo"})


def test_what_is_written_over_the_pages_is_what_the_database_says(writer, in_database):
    sent = [*CARDS.values(), group("g", "Team, all", "suite-plain", "suite-photo")]
    assert not [put for put in writer.add("0", sent) if put.refused]
    back = {one.uid: one for one in cards(in_database, "0")}
    for one in CARDS.values():
        assert differences(one, back[one.uid]) == []


def test_the_columns_and_the_search_index_are_those_that_roundcube_writes(
    writer, in_database, roundcube, login, options
):
    sent = [
        *CARDS.values(),
        person("u1", "Łukasz Żółć", mail("lukasz@example.com"), text_property("NOTE", "Große Straße 12-34 a b")),
        card("UID:u2", "FN:Dr. O'Neil", "N:O'Neil;Tim;Q.;Dr.;", "TEL;TYPE=cell:+49 (30) 12-34", "IMPP:xmpp:tim@example.com", "URL:https://example.com/x"),
    ]  # fmt: skip
    in_database.add("0", sent)
    number = user_of(roundcube, login, options)
    columns = "name, email, firstname, surname, words, vcard"
    asked = f"SELECT {columns} FROM contacts WHERE user_id = ? AND del = 0"
    ours = {row[5].partition("UID:")[2].split()[0]: row for row in say(roundcube, asked, number)}
    say(roundcube, "UPDATE contacts SET del = 1 WHERE user_id = ?", number)
    with closing(product.ADAPTER.writer(options, login)) as other:
        other.add("0", sent)
    theirs = {row[5].partition("UID:")[2].split()[0]: row for row in say(roundcube, asked, number)}
    assert ours.keys() == theirs.keys()
    for uid, row in ours.items():
        assert row[:4] == theirs[uid][:4]
        assert set(row[4].split()) == set(theirs[uid][4].split()), uid
        assert sorted(row[5].splitlines()) == sorted(theirs[uid][5].splitlines())


def test_cards_that_a_death_left_outside_their_groups_are_put_there_with_one_look_at_these(
    front, through, writer, login
):
    names = [f"Group {number}" for number in range(6)]
    people = [
        person(f"u{number}", f"Person {number}", mail(f"p{number}@example.com")).with_property(
            Property("CATEGORIES", ((names[0], *names[number % 6 : number % 6 + 1]),))
        )
        for number in range(10)
    ]
    writer.add("0", [person("x", "Another"), *(group(f"g{place}", name, "x") for place, name in enumerate(names))])
    writer._bring_in("0", {one.uid: to_roundcube(one) for one in people})
    with closing(product.ADAPTER.writer(through, login)) as session:
        there = {held.card.uid: held for held in everything(session, "0") if not held.card.is_group}
        assert not groups_of(there["u1"].card)
        before = len(front.requests)
        puts = [session.update("0", there[one.uid].entry, one) for one in people]
        asked = front.requests[before:]
        assert not any(put.refused for put in puts)
        assert not [one for one in asked if "_action=list" in one.query], "what was just read is known"
        assert len(asked) <= 5 * len(people)
        before += len(asked)
        told = [groups_of(held.card) for held in session.fetch("0", [put.ref for put in puts])]
        assert told == [groups_of(one) for one in people]
        asked = front.requests[before:]
        assert len([one for one in asked if "_gid=" in one.query]) == len(names), "who reads them reads the server's"


def groups_of(one: Card) -> list[str]:
    return sorted({word for words in one.all("CATEGORIES") for part in words.parts for word in part})
