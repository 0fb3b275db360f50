"""The contract of address books on Google's CSV, and what its labels and columns mean."""

from __future__ import annotations

import csv
import tracemalloc
from contextlib import closing

import pytest

from migrator.contacts import files
from migrator.contacts.adapters import google_csv
from migrator.contacts.meaning import differences
from migrator.contacts.model import Property, text_property
from migrator.contacts.options import ContactsOptions
from migrator.contacts.step import KIND
from migrator.engine.contract import Fate, Login, Side
from migrator.engine.ledger import Ending
from migrator.engine.stage import Stage
from migrator.testing.book_store import BookContract, cards, everything, group, mail, person
from migrator.testing.memory_books import MemoryBooks, accounts_of
from migrator.testing.memory_strongbox import MemoryStrongbox
from migrator.testing.trial import Trial

ANN = Login("ann@example.com", "ann@example.com")


class TestFolder(BookContract):
    adapter = google_csv.ADAPTER

    @pytest.fixture
    def options(self, tmp_path):
        return google_csv.Options(path=tmp_path / "contacts")


class TestUnguarded(TestFolder):
    @pytest.fixture
    def options(self, tmp_path):
        return google_csv.Options(path=tmp_path / "contacts", guard=False)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "contacts.csv"


@pytest.fixture
def writer(path):
    with closing(google_csv.ADAPTER.writer(google_csv.Options(path=path), ANN)) as session:
        session.create_book("contacts")
        yield session


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


ANNE, BOB = person("1", "Ann Doe", mail("ann@example.com")), person("2", "Bob Roe", mail("bob@example.com"))


def test_a_group_is_a_label_of_its_members(writer, path):
    writer.add(path.name, [ANNE, BOB])
    before = [(entry.ref, entry.tag) for entry in writer.index(path.name)]
    (put,) = writer.add(path.name, [group("g", "Friends, old and new", "2")])
    assert not put.refused
    assert [row["Labels"] for row in rows(path)] == ["* myContacts", "* myContacts ::: Friends, old and new"]
    assert [(entry.ref, entry.tag) for entry in writer.index(path.name)][:2] == before, (
        "who joins a group is no changed card"
    )


def test_a_group_that_changes_leaves_no_old_member_and_no_old_name(writer, path):
    writer.add(path.name, [ANNE, BOB, group("g", "Friends", "1")])
    entry = list(writer.index(path.name))[-1]
    assert not writer.update(path.name, entry, group("g", "Old friends", "2")).refused
    assert [row["Labels"] for row in rows(path)] == ["* myContacts", "* myContacts ::: Old friends"]


def test_a_group_without_a_member_or_with_a_name_that_google_has_not_is_refused_in_words(writer, path):
    puts = writer.add(
        path.name, [ANNE, group("g", "Nobody"), group("h", "a ::: b", "1"), group("i", "myContacts", "1")]
    )
    assert [put.refused for put in puts] == [
        "",
        "contacts.csv has none of its members",
        "Google has no label of the name a ::: b",
        "Google has no label of the name myContacts",
    ]
    assert all(put.remedy for put in puts[1:])


def test_a_second_group_of_one_name_does_not_take_the_first_one_s_members(writer, path):
    puts = writer.add(path.name, [ANNE, BOB, group("g", "Friends", "1"), group("h", "Friends", "2")])
    assert [bool(put.refused) for put in puts] == [False, False, False, True]
    assert [one.members for one in cards(writer, path.name) if one.is_group] == [("1",)]


def test_a_category_that_is_a_group_too_stays_both(writer, path):
    sorted_in = ANNE.with_property(Property("CATEGORIES", (("Friends", "Chess"),)))
    writer.add(path.name, [sorted_in, BOB, group("g", "Friends", "1", "2")])
    ann, bob, friends = cards(writer, path.name)
    assert differences(sorted_in, ann) == []
    assert differences(BOB, bob) == []
    assert friends.members == ("1", "2")
    assert rows(path)[0]["Labels"] == "* myContacts ::: Friends ::: Chess"
    entry = list(writer.index(path.name))[-1]
    writer.update(path.name, entry, group("g", "Friends", "2"))
    ann, bob, friends = cards(writer, path.name)
    assert differences(sorted_in, ann) == []
    assert friends.members == ("2",)


def test_a_card_with_more_of_a_kind_than_there_are_columns_widens_the_table(writer, path):
    writer.add(path.name, [ANNE])
    many = person("3", "Many Mails", *(mail(f"m{n}@example.com") for n in range(9)))
    assert not any(put.refused for put in writer.add(path.name, [many, BOB]))
    found = cards(writer, path.name)
    assert [differences(*pair) for pair in zip([ANNE, many, BOB], found, strict=True)] == [[], [], []]
    assert "E-mail 9 - Value" in rows(path)[0]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_formula_is_harmless_in_a_sheet_and_itself_when_read_back(writer, path):
    evil = person(
        "4", "=HYPERLINK(0) @SUM(1)", text_property("NOTE", "-2+3+cmd|' /C calc'!A0"), text_property("TEL", "+49 30 1")
    )
    writer.add(path.name, [evil])
    (row,) = rows(path)
    assert row["Notes"] == "'-2+3+cmd|' /C calc'!A0"
    assert row["First Name"].startswith("'=")
    assert row["Phone 1 - Value"] == "+49 30 1", "a number is no formula, and Google has to dial it"
    assert differences(evil, cards(writer, path.name)[0]) == []


def test_what_a_death_left_half_way_is_not_seen_by_who_reads_and_not_kept_by_who_writes(writer, path, monkeypatch):
    writer.add(path.name, [ANNE])
    whole = path.read_bytes()
    monkeypatch.setattr(files, "_forget_announcement", lambda path: None)
    writer.add(path.name, [BOB])
    monkeypatch.undo()
    half = path.read_bytes()[: len(whole) + 20]
    path.write_bytes(half)
    with closing(google_csv.ADAPTER.reader(google_csv.Options(path=path), ANN)) as reader:
        assert [held.card.label for held in everything(reader, path.name)] == ["Ann Doe"]
    assert path.read_bytes() == half, "who reads changes nothing"
    with closing(google_csv.ADAPTER.writer(google_csv.Options(path=path), ANN)) as next_one:
        assert [one.label for one in cards(next_one, path.name)] == ["Ann Doe"]
    assert path.read_bytes() == whole


def test_reading_a_large_table_holds_an_index_and_one_row(path):
    with closing(google_csv.ADAPTER.writer(google_csv.Options(path=path), ANN)) as writer:
        writer.create_book("contacts")
        note = text_property("NOTE", "x" * 4000)
        for start in range(0, 1500, 500):
            writer.add(path.name, [person(f"u{n}", f"Person N{n}", note) for n in range(start, start + 500)])
    with closing(google_csv.ADAPTER.reader(google_csv.Options(path=path), ANN)) as reader:
        tracemalloc.start()
        refs = [entry.ref for entry in reader.index(path.name)]
        assert sum(1 for _ in reader.fetch(path.name, refs)) == 1500
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert path.stat().st_size > 6_000_000
    assert peak < 3_000_000, "the file must not be in memory"


# -- foreseen


class ToFile:
    """A route from memory to Google's file in a folder."""

    def __init__(self, old: MemoryBooks, options: google_csv.Options) -> None:
        self.old, self.options, self.strongbox = old, options, MemoryStrongbox()

    def endpoint(self, side):
        return side.value

    def connections(self, _):
        return 2, 2

    def for_reading(self, side, _, account):
        if side is Side.SOURCE:
            return self.old.reader(None, self.login(side, account))
        return google_csv.ADAPTER.reader(self.options, self.login(side, account))

    def for_writing(self, side, _, account):
        return google_csv.ADAPTER.writer(self.options, self.login(side, account))

    def login(self, _, account):
        return Login(account, account)

    def keep_password(self, account, password):
        raise AssertionError


FOREIGN = [
    group("g", "Friends", "1", "nobody"),
    group("h", "Starred", "1"),
    group("i", "Work", "2").with_property(text_property("NICKNAME", "Office")),
    group("j", "friends", "2"),
    group("k", "Alone", "nobody"),
    person("3", "Photo").with_property(Property("PHOTO", data=b"x" * 5000, media="image/jpeg")),
]
ADDED_ONES = [ANNE.with_property(text_property("TEL", "+49 30 1")), BOB]


@pytest.mark.parametrize("one_file", [True, False])
@pytest.mark.parametrize("there", [[], [ANNE, BOB, group("x", "Friends", "2"), group("y", "Choir", "1")]])
def test_what_the_file_will_not_hold_is_foreseen_as_the_run_tells_it(tmp_path, one_file, there):
    path = tmp_path / "contacts.csv" if one_file else tmp_path
    options = google_csv.Options(path=path)
    old = MemoryBooks("old")
    old.fill("ann@example.com", "contacts", *ADDED_ONES, *FOREIGN)
    if there:
        with closing(google_csv.ADAPTER.writer(options, ANN)) as session:
            session.add(session.create_book("contacts").id, there)
    before = {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
    step = KIND.build(ContactsOptions(), accounts_of("ann@example.com"))
    trial = Trial([Stage("contacts", "contacts", step, ToFile(old, options))])
    (stage,) = trial.preview().stages
    assert {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()} == before
    ((_, action),) = stage.actions
    foreseen = [one.text for one in stage.findings]
    foreseen += [
        f"{lost.removesuffix(')')} ({name.removeprefix('+ ')})"
        for name, _, lost in (detail.partition("  (") for detail in action.details)
        if "PHOTO" in lost
    ]
    assert trial.run().ending is Ending.LEFT_BEHIND
    told = [
        f"{one.note} ({one.about})"
        for one in trial.store.outcomes("contacts/source>target/ann@example.com/contacts")
        if one.fate in {Fate.LEFT_BEHIND, Fate.ALTERED}
    ]
    assert len(told) == 5
    why = "one of both has no UID; the target has a group of its name; "  # which the action's details say
    assert sorted(foreseen) == sorted(one.removeprefix(why) for one in told)


def test_when_one_of_two_cards_that_became_one_has_changed_the_preview_foresees_what_the_run_does(tmp_path):
    options = google_csv.Options(path=tmp_path / "contacts")
    old = MemoryBooks("old")
    old.fill("ann@example.com", "contacts", ANNE, person("1", "Ann Doe", mail("ann2@example.com")), BOB)
    step = KIND.build(ContactsOptions(), accounts_of("ann@example.com"))
    trial = Trial([Stage("contacts", "contacts", step, ToFile(old, options))])
    trial.run()
    changed = MemoryBooks("old")
    grown = person("1", "Ann Doe", mail("ann2@example.com"), text_property("TEL", "+49 30 99"))
    changed.fill("ann@example.com", "contacts", ANNE, grown, BOB)
    trial.stages = [Stage("contacts", "contacts", step, ToFile(changed, options))]
    (stage,) = trial.preview(trial.store).stages
    ((_, action),) = stage.actions
    assert action.amounts == "unite 1, 1 twice in the source, 1 moved before"
    assert action.size.items == 1
    assert stage.findings == []
    assert trial.run().ending is Ending.DONE
    (file,) = (tmp_path / "contacts").rglob("*.csv")
    assert "+49 30 99" in rows(file)[0].values()


def test_who_was_in_googles_own_file_without_a_uid_stays_in_its_groups_and_joins_the_sources(tmp_path):
    options = google_csv.Options(path=tmp_path / "contacts.csv")
    options.path.write_text(
        "First Name,Last Name,Labels,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value\n"
        "Ann,Doe,* myContacts ::: Chess,,ann@example.com,,+49 30 1\n"
    )
    old = MemoryBooks("old")
    ann = ANNE.with_property(text_property("TEL", "+49 30 99"))
    old.fill("ann@example.com", "contacts", ann, BOB, group("x", "Friends", "1", "2"), group("y", "Work", "1"))
    step = KIND.build(ContactsOptions(), accounts_of("ann@example.com"))
    trial = Trial([Stage("contacts", "contacts", step, ToFile(old, options))])
    trial.run()
    assert Fate.LEFT_BEHIND not in trial.fates()
    assert [row["Labels"] for row in rows(options.path)] == [
        "* myContacts ::: Chess ::: Friends ::: Work",
        "* myContacts ::: Friends",
    ]
    assert trial.verify().differences == 0


@pytest.mark.parametrize(("said", "day"), [("20100505", "2010-05-05"), ("--0505", "--05-05"), ("2010", "2010")])
def test_dates_stand_in_the_columns_as_google_reads_them_whatever_their_spelling(path, writer, said, day):
    label = Property("X-ABLABEL", (("Name day",),), group="item1")
    named = Property("X-ABDATE", ((said,),), group="item1")
    card = person("1", "Ann Doe", text_property("ANNIVERSARY", said), text_property("BDAY", said), named, label)
    (put,) = writer.add("contacts.csv", [card])
    (row,) = rows(path)
    events = {row["Event 1 - Label"]: row["Event 1 - Value"], row["Event 2 - Label"]: row["Event 2 - Value"]}
    assert events == {"Anniversary": day, "Name day": day}
    assert row["Birthday"] == ("" if said == "2010" else day)
    (held,) = writer.fetch("contacts.csv", [put.ref])
    assert differences(card, held.card) == []


@pytest.mark.parametrize(
    ("words", "label"),
    [({"móvil"}, "Móvil"), ({"móvil", "voice"}, "Móvil"), ({"cell"}, "Mobile"), ({"voice"}, "")],
)
def test_a_word_of_somebodys_own_is_a_label(path, writer, words, label):
    card = person("1", "Ann Doe", text_property("TEL", "+34 1", *words))
    (put,) = writer.add("contacts.csv", [card])
    (row,) = rows(path)
    assert row["Phone 1 - Label"] == label
    assert not [value for name, value in row.items() if name.startswith("Custom Field") and "TEL" in value]
    (held,) = writer.fetch("contacts.csv", [put.ref])
    assert differences(card, held.card) == []


def test_a_group_with_a_member_that_is_nowhere_is_found_again_when_the_state_is_lost(tmp_path):
    options = google_csv.Options(path=tmp_path / "contacts")
    old = MemoryBooks("old")
    old.fill("ann@example.com", "contacts", ANNE, BOB, group("x", "Friends", "2", "nobody"))
    step = KIND.build(ContactsOptions(), accounts_of("ann@example.com"))

    def moved():
        trial = Trial([Stage("contacts", "contacts", step, ToFile(old, options))])
        trial.run()
        told = {one.fate: one.note for one in trial.store.outcomes("contacts/source>target/ann@example.com/contacts")}
        assert trial.verify().differences == 0
        return trial.fates(), told[Fate.ALTERED]

    fates, note = moved()
    assert (fates, note) == ({Fate.COPIED: 2, Fate.ALTERED: 1}, "MEMBER is missing")
    (file,) = (tmp_path / "contacts").rglob("*.csv")
    before = file.read_bytes()
    fates, note = moved()
    assert fates == {Fate.FOUND: 2, Fate.ALTERED: 1}
    assert note.endswith("; MEMBER is missing")
    assert file.read_bytes() == before
