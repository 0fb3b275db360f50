"""The contract of address books on Outlook's CSV, in its languages and charsets."""

from __future__ import annotations

import csv
from contextlib import closing
from typing import ClassVar

import pytest

from migrator.contacts.adapters import outlook_csv
from migrator.contacts.meaning import differences
from migrator.contacts.model import Property, text_property
from migrator.engine.contract import Login
from migrator.testing.book_store import BookContract, cards, group, mail, person

ANN = Login("ann@example.com", "ann@example.com")


class TestEnglish(BookContract):
    adapter = outlook_csv.ADAPTER

    @pytest.fixture
    def options(self, tmp_path):
        return outlook_csv.Options(path=tmp_path / "contacts")


class TestGerman(TestEnglish):
    @pytest.fixture
    def options(self, tmp_path):
        return outlook_csv.Options(path=tmp_path / "contacts", language="de")


class TestCodePage(TestEnglish):
    cannot: ClassVar = {"far-scripts": "the Windows code page has no such letters"}

    @pytest.fixture
    def options(self, tmp_path):
        return outlook_csv.Options(path=tmp_path / "contacts", charset="cp1252")

    def test_a_uid_of_any_shape_comes_back(self):
        """A UID with letters outside the code page is refused with the card, as test_letters_... has it."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "contacts.csv"


def opened(path, **more):
    return closing(outlook_csv.ADAPTER.writer(outlook_csv.Options(path=path, **more), ANN))


def test_letters_that_the_code_page_has_not_are_refused_and_never_replaced(path):
    with opened(path, charset="cp1252") as writer:
        writer.create_book("contacts")
        puts = writer.add(path.name, [person("1", "Jörg Müßig"), person("2", "王 小明")])
        assert puts[0].refused == ""
        assert "letters that cp1252 has not" in puts[1].refused
        assert [one.label for one in cards(writer, path.name)] == ["Jörg Müßig"]
    assert "Jörg".encode("cp1252") in path.read_bytes()


def test_a_german_file_has_german_titles_dates_and_semicolons(path):
    with opened(path, language="de") as writer:
        writer.create_book("contacts")
        writer.add(path.name, [person("1", "Ann Doe", text_property("BDAY", "1980-04-12"))])
    with path.open(newline="", encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file, delimiter=";")
    assert len(row) == 92
    assert (row["Vorname"], row["Nachname"], row["Geburtstag"]) == ("Ann", "Doe", "12.4.1980")


def test_a_file_goes_on_in_the_language_it_has(path):
    with opened(path, language="fr") as writer:
        writer.create_book("contacts")
    with opened(path, language="en") as writer:
        card = person("1", "Ann Doe", text_property("BDAY", "1980-04-12"), text_property("TITLE", "Head"))
        writer.add(path.name, [card])
        assert differences(card, cards(writer, path.name)[0]) == []
    assert "12/4/1980" in path.read_text(encoding="utf-8")


def test_a_group_is_refused_in_words_and_its_members_are_not(path):
    with opened(path) as writer:
        writer.create_book("contacts")
        puts = writer.add(path.name, [person("1"), group("g", "Friends", "1")])
    assert puts[0].ref
    assert puts[1].refused == "Outlook's CSV has no place for a group"
    assert puts[1].remedy


def test_a_formula_is_harmless_in_a_sheet_and_itself_when_read_back(path):
    evil = person("1", "=1+1 Doe", text_property("NOTE", "@SUM(1+9)"), Property("ORG", (("+cmd|' /C calc'!A0",),)))
    with opened(path) as writer:
        writer.create_book("contacts")
        writer.add(path.name, [evil])
        assert differences(evil, cards(writer, path.name)[0]) == []
    with path.open(newline="", encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert [cell for cell in row.values() if cell[:1] in set("=+-@")] == []


def test_the_fourth_address_stands_below_the_note_and_comes_back(path):
    card = person("1", "Ann Doe", *(mail(f"m{n}@example.com", "home") for n in range(4)))
    with opened(path) as writer:
        writer.create_book("contacts")
        writer.add(path.name, [card])
        assert differences(card, cards(writer, path.name)[0]) == []
