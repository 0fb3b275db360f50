"""The contract of address books on Thunderbird's CSV and LDIF."""

from __future__ import annotations

from contextlib import closing
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.contacts import ldif
from migrator.contacts.adapters import thunderbird
from migrator.contacts.meaning import differences
from migrator.contacts.model import Property, text_property
from migrator.engine.contract import Login
from migrator.testing.book_store import BookContract, cards, group, mail, person

ANN = Login("ann@example.com", "ann@example.com")


class TestCsv(BookContract):
    adapter = thunderbird.ADAPTER

    @pytest.fixture
    def options(self, tmp_path):
        return thunderbird.Options(path=tmp_path / "contacts", format="csv")


class TestLdif(BookContract):
    adapter = thunderbird.ADAPTER
    cannot: ClassVar = {
        "photo": "jpegPhoto takes JPEG only (RFC 2798, section 2.6), and the photo of the suite is a PNG"
    }

    @pytest.fixture
    def options(self, tmp_path):
        return thunderbird.Options(path=tmp_path / "contacts", format="ldif")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "contacts.ldif"


@pytest.fixture
def writer(path):
    with closing(thunderbird.ADAPTER.writer(thunderbird.Options(path=path, format="ldif"), ANN)) as session:
        session.create_book("contacts")
        yield session


ANNE, BOB = (
    person("1", "Ann Doe", mail("ann@example.com")),
    person("2", 'Roe, Bob "the second"', mail("bob@example.com")),
)


def test_a_list_names_its_members_as_thunderbird_does(writer, path):
    writer.add(path.name, [ANNE, BOB, group("g", "Friends", "1", "2")])
    text = path.read_text()
    assert "member: cn=Ann Doe,mail=ann@example.com\n" in text
    assert 'member: cn=Roe\\, Bob \\"the second\\",mail=bob@example.com\n' in text
    assert "objectclass: groupOfNames\n" in text


def test_a_list_keeps_its_uid_note_and_members_that_are_not_there(writer, path):
    team = group("g", "Team", "1", "nobody").with_property(
        text_property("NOTE", "ours"), Property("NICKNAME", (("t",),))
    )
    writer.add(path.name, [ANNE, team])
    back = cards(writer, path.name)[-1]
    assert differences(team, back) == []


def test_a_list_that_changes_stands_in_its_own_place(writer, path):
    writer.add(path.name, [ANNE, group("g", "Team", "1"), group("h", "Other", "1")])
    writer.add(path.name, [BOB])
    entry = next(entry for entry in writer.index(path.name) if entry.ref.startswith("group-"))
    assert not writer.update(path.name, entry, group("g", "Team", "2")).refused
    found = cards(writer, path.name)
    assert [one.label for one in found] == ["Ann Doe", 'Roe, Bob "the second"', "Team", "Other"]
    assert [one.members for one in found[2:]] == [("2",), ("1",)]
    assert writer.update(path.name, entry, group("g", "Team", "1")).refused


def test_two_of_one_name_and_address_are_told_apart_in_a_list(writer, path):
    twin = person("3", "Ann Doe", mail("ann@example.com"), text_property("NOTE", "the other"))
    writer.add(path.name, [ANNE, twin, group("g", "Team", "3")])
    assert cards(writer, path.name)[-1].members == ("3",)


def test_an_update_leaves_no_blank_lines_behind(writer, path):
    writer.add(path.name, [ANNE, BOB])
    before = path.read_bytes()
    for name in ("Ann Roe", "Ann Doe"):
        entry = next(iter(writer.index(path.name)))
        writer.update(path.name, entry, person("1", name, mail("ann@example.com")))
    assert path.read_bytes() == before


def test_an_empty_list_is_one_too(writer, path):
    (put,) = writer.add(path.name, [group("g", "Nobody yet")])
    assert put.ref
    assert [one.label for one in cards(writer, path.name)] == ["Nobody yet"]


def test_a_jpeg_is_kept_and_another_picture_is_not(writer, path):
    jpeg, png = (
        Property("PHOTO", data=b"\xff\xd8jpeg", media="image/jpeg"),
        Property("PHOTO", data=b"png", media="image/png"),
    )
    writer.add(path.name, [ANNE.with_property(jpeg), BOB.with_property(png)])
    ann, bob = cards(writer, path.name)
    assert ann.first("PHOTO") == jpeg
    assert bob.first("PHOTO") is None


def test_csv_refuses_a_list_and_says_what_takes_it(tmp_path):
    options = thunderbird.Options(path=tmp_path / "contacts.csv", format="csv")
    with closing(thunderbird.ADAPTER.writer(options, ANN)) as writer:
        book = writer.create_book("contacts").id
        puts = writer.add(book, [ANNE, group("g", "Team", "1")])
    assert "format: ldif" in puts[1].refused


@given(
    st.lists(
        st.tuples(st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True), st.binary(max_size=200)),
        min_size=1,
        max_size=6,
    )
)
def test_any_value_comes_back_from_ldif(attributes):
    raw = ldif.written([("dn", b"cn=x"), *attributes])
    assert all(len(line) <= 76 for line in raw.split(b"\r\n"))
    assert ldif.read(raw) == ldif.Entry((("dn", b"cn=x"), *attributes))
