"""The contacts step between two products in memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from migrator.cli.summary import finding_lines
from migrator.contacts.meaning import digest
from migrator.contacts.model import Card, Property, text_property
from migrator.contacts.options import ContactsOptions
from migrator.contacts.step import KIND
from migrator.contacts.vcard import with_uid
from migrator.engine.contract import Fate, Outcome, Side, Verb, Weight, prepares
from migrator.engine.lease import utc_now
from migrator.engine.report import report
from migrator.engine.stage import Stage
from migrator.state.lease import this_process
from migrator.testing.memory_books import (
    BooksRoute,
    MemoryBooks,
    Shelved,
    accounts_of,
    dropping,
    giving_uids,
    losing,
    skipping_likeness,
)
from migrator.testing.trial import Trial

ANN = "ann@example.com"
A_GROUP = "; 1 of the cards to move is a group"


def person(name: str, uid: str = "", *more: Property, email: str = "") -> Card:
    family, _, given = name.rpartition(" ")[::-1]
    said = [Property("N", ((family,), (given,), ("",), ("",), ("",))), text_property("FN", name)]
    if uid:
        said.insert(0, text_property("UID", uid))
    if email:
        said.append(text_property("EMAIL", email))
    return Card((*said, *more))


def group(name: str, uid: str, *members: str) -> Card:
    return Card(
        (
            text_property("UID", uid),
            text_property("FN", name),
            text_property("KIND", "group"),
            *(text_property("MEMBER", f"urn:uuid:{member}") for member in members),
        )
    )


PEOPLE = [
    person("Ana Peña", "u1", email="ana@example.com"),
    person("Zoë Müller", "u2", text_property("TEL", "+49 30 1"), email="zoe@example.com"),
    person("Sin Uid", email="sin@example.com"),
    Card((text_property("UID", "u4"), text_property("TEL", "+34 1"))),
    group("Amigos, y familia", "g1", "u1", "u2"),
]


class World:
    """Two products, a plan for one account, and a state."""

    def __init__(self, *cards: Card, **options: object) -> None:
        self.old, self.new = MemoryBooks("old"), MemoryBooks("new")
        self.old.fill(ANN, "Contacts", *(cards or PEOPLE))
        self.route = BooksRoute(self.old, self.new)
        step = KIND.build(ContactsOptions(**options), accounts_of(ANN))
        self.trial = Trial([Stage("contacts", "contacts", step, self.route)])

    def notes(self, fate: Fate) -> list[str]:
        key = f"contacts/old>new/{ANN}/Contacts"
        return [
            f"{one.about}: {one.note}".removeprefix(": ") for one in self.trial.store.outcomes(key) if one.fate is fate
        ]

    def there(self, book: str = "Contacts") -> list[Card]:
        return self.new.cards(ANN, book)


def test_a_book_arrives_whole_with_its_groups_and_the_sums_add_up() -> None:
    world = World()
    result = world.trial.run()
    assert not result.codes
    assert world.trial.fates() == {Fate.COPIED: 5}
    assert [card.label for card in world.there()] == [card.label for card in PEOPLE]
    assert world.there()[-1].members == ("u1", "u2")
    assert all(card.uid for card in world.there())
    assert world.trial.verify().differences == 0


def test_a_second_run_changes_nothing_and_an_empty_state_finds_everything() -> None:
    world = World()
    world.trial.run()
    before = list(world.new.writes)
    world.trial.run()
    assert {row.verb for row in world.trial.actions().values()} == {Verb.KEEP}
    again = World()
    again.new = world.new
    again.route.new = world.new
    again.trial.run()
    assert world.new.writes == before
    assert again.trial.fates() == {Fate.FOUND: 5}


def test_a_preview_counts_and_writes_nothing() -> None:
    world = World()
    world.new.fill(ANN, "Contacts", PEOPLE[0])
    (stage,) = world.trial.preview().stages
    ((_, action),) = stage.actions
    assert (action.verb, action.size.items, action.total.items) == (Verb.COPY, 4, 5)
    assert action.amounts == f"add 4, 1 there already{A_GROUP}"
    assert not world.new.writes


def test_cards_that_say_more_are_united_and_nothing_of_the_target_is_lost() -> None:
    world = World(person("Ana Peña", "u1", text_property("TEL", "+34 9"), email="ana@example.com"))
    world.new.fill(
        ANN, "Contacts", person("Ana Peña", "u1", text_property("NOTE", "de Madrid"), email="ana@example.com")
    )
    world.trial.run()
    (card,) = world.there()
    assert (card.text("TEL"), card.text("NOTE")) == ("+34 9", "de Madrid")
    assert world.notes(Fate.COPIED) == ["Ana Peña: the target has its UID"]
    assert world.trial.verify().differences == 0
    before = list(world.new.writes)
    world.trial.run()
    assert world.new.writes == before


def test_what_the_target_keeps_otherwise_is_told_as_a_conflict() -> None:
    world = World(person("Ana Peña", "u1", text_property("BDAY", "1980-04-12")))
    world.new.fill(ANN, "Contacts", person("Ana Peña", "u1", text_property("BDAY", "1981-04-12")))
    world.trial.run()
    assert world.there()[0].text("BDAY") == "1981-04-12"
    (note,) = world.notes(Fate.NORMALISED)
    assert note.startswith("Ana Peña: BDAY: the source has 1980-04-12, the target keeps 1981-04-12: ")
    assert note.endswith("; BDAY: the target says otherwise, and keeps it")
    (found,) = world.trial.findings("run")
    assert found.weight is Weight.WARNING
    assert found.text == "1 card says otherwise at the source (BDAY); the target's is kept, and the report names each"


def test_a_number_that_changes_at_the_source_is_kept_beside_the_old_one_and_told() -> None:
    world = World(person("Ana Peña", "u1", text_property("TEL", "+34 1"), email="ana@example.com"), PEOPLE[1])
    world.trial.run()
    shelf = world.old.shelves[ANN]["Contacts"]
    ref, shelved = next(iter(shelf.cards.items()))
    changed = shelved.card.without("TEL").with_property(text_property("TEL", "+34 2"))
    shelf.cards[ref] = replace(shelved, card=changed)
    told = "TEL: +34 2 is put beside +34 1, both are kept"
    (stage,) = world.trial.preview(world.trial.store).stages
    ((_, action),) = stage.actions
    assert action.details == (f"~ Ana Peña  (the target has its UID; {told})",)
    world.trial.run()
    assert [one.text for one in world.there()[0].all("TEL")] == ["+34 1", "+34 2"]
    shared = "TEL: what the source says is put beside what the target said, both are kept"
    assert world.notes(Fate.NORMALISED) == [f"Ana Peña: {told}: the target has its UID; {shared}"]
    (found,) = world.trial.findings("run")
    assert found.text == "1 card has what the source says beside what the target said (TEL), and the report names each"
    assert found.remedy == "Take away at the target what is old."
    assert "+34" not in found.text
    assert world.trial.verify().differences == 0
    world.old.fill(ANN, "Contacts", PEOPLE[2])
    world.trial.run()
    assert world.trial.findings("run") == [found], "it is told until somebody has changed the card"


def test_whose_uid_is_made_of_what_it_says_stays_in_its_groups_when_it_changes() -> None:
    maria, luis = person("María Gómez", email="maria@example.com"), person("Luis Roe", email="luis@example.com")
    others, rest = person("Ana Peña", "u1", email="ana@example.com"), with_uid(luis).uid

    def groups(member: Card) -> tuple[Card, Card]:
        uid = with_uid(member).uid
        return group("Trabajo", "g1", uid, rest, "u1"), group("Ñandúes", "g2", uid)

    world = World(maria, luis, others, *groups(maria))
    world.trial.run()
    changed = maria.with_property(text_property("TEL", "+34 2"))
    assert with_uid(changed).uid != with_uid(maria).uid
    shelf = world.old.shelves[ANN]["Contacts"]
    for ref, card in zip(list(shelf.cards), (changed, luis, others, *groups(changed)), strict=True):
        shelf.cards[ref] = replace(shelf.cards[ref], card=card)
    world.trial.run()
    first, *_, trabajo, alone = world.there()
    assert (first.uid, first.text("TEL")) == (with_uid(maria).uid, "+34 2")
    assert (trabajo.members, alone.members) == ((first.uid, rest, "u1"), (first.uid,))
    assert world.trial.verify().differences == 0
    before = list(world.new.writes)
    world.trial.run()
    assert world.new.writes == before


def test_a_member_that_a_group_has_lost_at_the_target_is_missed_by_verify_under_any_uid() -> None:
    maria = person("María Gómez", email="maria@example.com")
    world = World(maria, group("Trabajo", "g1", with_uid(maria).uid))
    world.new.fill(ANN, "Contacts", person("María Gómez", "theirs", email="maria@example.com"))
    world.trial.run()
    assert world.there()[-1].members == ("theirs",)
    assert world.trial.verify().differences == 0
    shelf = world.new.shelves[ANN]["Contacts"]
    ref = list(shelf.cards)[-1]
    shelf.cards[ref] = replace(shelf.cards[ref], card=shelf.cards[ref].card.without("MEMBER"))
    assert world.trial.verify().differences == 1


def test_a_card_dropped_in_silence_is_left_behind_by_name() -> None:
    world = World()
    world.new.importer, world.new.tells_refs = True, False
    world.new.keeps = dropping(lambda card: not card.text("FN"))
    result = world.trial.run()
    assert result.left_behind == 1
    assert world.notes(Fate.LEFT_BEHIND) == ["+34 1: the target took it and does not have it"]


def test_a_card_an_importer_skips_beside_others_is_put_by_itself() -> None:
    twin = person("Ana Peña", "u9", email="other@example.com")
    world = World(PEOPLE[0], twin)
    world.new.importer, world.new.tells_refs = True, False
    skipped: list[str] = []

    def skip_in_company(card: Card, there: object) -> Card | None:
        if card.uid == "u9" and not skipped:
            skipped.append(card.uid)
            return None
        return card

    world.new.keeps = skip_in_company
    world.trial.run()
    assert world.trial.fates() == {Fate.COPIED: 2}


def test_what_an_importer_loses_is_told_card_by_card() -> None:
    world = World(person("Ana Peña", "u1", text_property("BDAY", "1980-04-12")))
    world.new.keeps = losing("BDAY")
    world.trial.run()
    assert world.notes(Fate.ALTERED) == ["Ana Peña: BDAY 1980-04-12: BDAY is missing"]
    assert world.trial.verify().differences == 0, "it is on record"
    before = list(world.new.writes)
    world.trial.run()
    assert world.new.writes == before, "and not tried again and again"


def test_what_many_cards_lose_or_are_refused_for_is_told_once_with_their_names() -> None:
    people = [person(f"Ana {number:03}", f"u{number}", text_property("BDAY", "1980-04-12")) for number in range(30)]
    world = World(*people)
    world.new.keeps = losing("BDAY")
    world.new.refuses = lambda card: "no more than ten" if card.uid > "u2" else ""
    world.trial.run()
    (line,) = report(world.trial.store, datetime.now(UTC)).lines
    told = [(one.fate, one.items, one.note, one.named[0]) for one in line.reasons]
    refused = [one.label for one in people if one.uid > "u2"]
    (behind, altered) = told
    assert behind[:3] == (Fate.LEFT_BEHIND, len(refused), "the target says: no more than ten")
    assert behind[3] in refused
    assert altered[:3] == (Fate.ALTERED, 30 - len(refused), "BDAY is missing")
    assert altered[3].endswith(": BDAY 1980-04-12")


@pytest.mark.parametrize(
    ("photos", "lost", "cure"),
    [
        ((), "BDAY", "The target does not keep it there: write it elsewhere into that card"),
        (("PHOTO",), "PHOTO", "The target cannot have it: keep a copy"),
        ((), "PHOTO", "The target cannot have it: keep a copy"),
    ],
)
def test_nobody_is_told_to_correct_by_hand_what_the_target_has_no_place_for(
    photos: tuple[str, ...], lost: str, cure: str
) -> None:
    image = Property("PHOTO", data=b"x" * 50, media="image/jpeg")
    world = World(person("Ana Peña", "u1", image, text_property("BDAY", "1980-04-12")))
    world.new.features = replace(world.new.features, lost=frozenset(photos))
    world.new.keeps = losing(lost)
    world.trial.run()
    (outcome,) = world.trial.store.outcomes(f"contacts/old>new/{ANN}/Contacts")
    assert outcome.cure.startswith(cure)
    assert "Correct it by hand" not in outcome.cure


def test_a_product_that_gives_uids_of_its_own_is_no_reason_for_twins() -> None:
    world = World(*PEOPLE[:3])
    world.new.keeps = giving_uids("new-")
    world.new.tells_refs = False
    world.trial.run()
    world.trial.run()
    assert len(world.there()) == 3


def test_a_refused_card_costs_nothing_else_and_is_tried_again() -> None:
    world = World()
    world.new.refuses = lambda card: "no umlauts here" if "ü" in card.label else ""
    assert world.trial.run().left_behind == 1
    assert world.notes(Fate.LEFT_BEHIND) == ["Zoë Müller: the target says: no umlauts here"]
    world.new.refuses = lambda _: ""
    assert world.trial.run().left_behind == 0


TWINS = (
    person("Ana Peña", "u1", text_property("TEL", "+34 1"), email="ana@example.com"),
    person("Ana Peña", "u1", text_property("TEL", "+34 2"), email="ana@example.com"),
)
WITHOUT_UID_FIRST = (
    person("Zoë Müller", "", text_property("TEL", "+49 2"), email="zoe@example.com"),
    person("Zoë Müller", "u2", text_property("TEL", "+49 1"), email="zoe@example.com"),
)


@pytest.mark.parametrize("pair", [TWINS, WITHOUT_UID_FIRST], ids=["one-uid", "written-by-a-later-card"])
def test_a_card_written_with_another_arrives_only_when_that_one_does(pair: tuple[Card, Card]) -> None:
    world = World(*pair)
    world.new.fill(ANN, "Contacts", pair[1].without("TEL"))
    world.new.refuses = lambda _: "the disk is full"
    assert world.trial.run().left_behind == 2
    world.new.refuses = lambda _: ""
    assert world.trial.run().left_behind == 0
    (card,) = world.there()
    assert {one.text for one in card.all("TEL")} == {one.text("TEL") for one in pair}
    assert world.trial.verify().differences == 0


def test_a_card_that_comes_later_is_written_with_one_that_was_moved_before() -> None:
    world = World(TWINS[0])
    world.trial.run()
    world.old.fill(ANN, "Contacts", TWINS[1])
    world.trial.run()
    (card,) = world.there()
    assert [one.text for one in card.all("TEL")] == ["+34 1", "+34 2"]
    assert world.trial.fates() == {Fate.COPIED: 1, Fate.NORMALISED: 1}
    before = list(world.new.writes)
    world.trial.run()
    assert world.new.writes == before


def test_what_a_target_loses_of_a_card_written_with_another_is_told() -> None:
    world = World(*TWINS)
    world.new.keeps = losing("TEL")
    world.trial.run()
    assert world.trial.fates() == {Fate.ALTERED: 2}


EQUAL = person("Ana Peña", "u1", email="ana@example.com")
EQUAL_WITHOUT_UID = person("Sin Uid", "", email="sin@example.com")


@pytest.mark.parametrize(("twin", "theirs"), [(EQUAL, 0), (EQUAL, 1), (EQUAL_WITHOUT_UID, 0), (EQUAL_WITHOUT_UID, 1)])
def test_a_card_that_the_source_has_twice_is_not_told_as_there_already(twin: Card, theirs: int) -> None:
    world = World(twin, twin, PEOPLE[1])
    world.new.fill(ANN, "Contacts", *[twin] * theirs)
    (stage,) = world.trial.preview().stages
    ((_, action),) = stage.actions
    assert action.amounts == (
        "add 1, 1 there already, 1 twice in the source" if theirs else "add 2, 1 twice in the source"
    )
    world.trial.run()
    expected = {Fate.COPIED: 2 - theirs, Fate.NORMALISED: 1}
    assert world.trial.fates() == (expected | {Fate.FOUND: 1} if theirs else expected)
    assert world.notes(Fate.NORMALISED) == [f"{twin.label}: the source has the same card twice"]
    assert world.trial.verify().differences == 0


def test_twins_of_the_source_that_say_otherwise_are_told_as_that_and_not_as_the_targets_word() -> None:
    first, second = (person("Ana Peña", "u1", text_property("BDAY", day)) for day in ("1980-01-01", "1979-01-01"))
    world = World(first, second)
    told = "BDAY: this one says 1979-01-01, another card of the source says 1980-01-01, which counts"
    (stage,) = world.trial.preview().stages
    ((_, action),) = stage.actions
    assert action.details == (f"~ Ana Peña  (another card of the source has its UID; {told})",)
    world.trial.run()
    assert world.trial.findings("run") == []
    assert world.notes(Fate.NORMALISED) == [f"Ana Peña: another card of the source has its UID; {told}"]
    key = f"contacts/old>new/{ANN}/Contacts"
    assert [one.mark for one in world.trial.store.outcomes(key)] == ["", ""]
    assert world.trial.verify().differences == 0


def test_numbers_of_a_preview_add_up_to_what_the_source_holds() -> None:
    world = World(*PEOPLE, EQUAL, groups=False)
    world.old.fill(ANN, "Contacts", Card(), dropped=("nothing of it can be read",))
    world.new.fill(ANN, "Contacts", PEOPLE[1])

    def told() -> str:
        (stage,) = world.trial.preview(world.trial.store).stages
        ((_, action),) = stage.actions
        return action.amounts

    left_out = "1 left out as groups (groups: false)"
    assert told() == f"add 3, 1 there already, 1 twice in the source, 1 cannot be read, {left_out}"
    world.trial.run()
    assert told() == f"1 cannot be read, 5 moved before, {left_out}"


TWO_OF_ONE_UID = (
    person("Jürgen Müßig", "u-1", email="muessig@example.com"),
    person("Jürgen Doppelt", "u-1", email="doppelt@example.com"),
)


def test_two_people_with_one_uid_both_arrive_and_the_preview_and_the_run_say_so() -> None:
    world = World(*TWO_OF_ONE_UID, group("Amigos", "g1", "u-1"))
    told = "its UID is another card's too, Jürgen Müßig; it is kept under one of its own"
    (stage,) = world.trial.preview().stages
    ((_, action),) = stage.actions
    assert action.details == (f"+ Jürgen Doppelt  ({told})",)
    world.trial.run()
    assert [card.label for card in world.there()] == ["Jürgen Müßig", "Jürgen Doppelt", "Amigos"]
    assert world.there()[2].members == ("u-1",)
    assert world.notes(Fate.NORMALISED) == [f"Jürgen Doppelt: {told}"]
    assert world.trial.verify().differences == 0
    before = list(world.new.writes)
    world.trial.run()
    again = World(*TWO_OF_ONE_UID, group("Amigos", "g1", "u-1"))
    again.new = again.route.new = world.new
    again.trial.run()
    assert world.new.writes == before
    assert again.trial.fates() == {Fate.FOUND: 3}


def test_of_two_people_with_one_uid_the_one_that_vanishes_at_the_target_is_missed_by_verify() -> None:
    world = World(*TWO_OF_ONE_UID)
    world.trial.run()
    shelf = world.new.shelves[ANN]["Contacts"]
    shelf.cards.pop(list(shelf.cards)[1])
    assert [one.code for one in world.trial.findings("verify")] == []
    assert world.trial.verify().differences == 1
    assert [one.code for one in world.trial.findings("verify")] == ["missing"]


ANN_OF_A, BOB_OF_B = (
    person("Ann Doe", "u-1", email="ann.doe@example.com"),
    person("Bob Roe", "u-1", email="bob@example.com"),
)
FROM_TWO_BOOKS = {"map": {"A": "All", "B": "All"}}


def two_books(a: Card = ANN_OF_A, b: Card = BOB_OF_B, **books: object) -> World:
    world = World(books=FROM_TWO_BOOKS | books)
    world.old.shelves.clear()
    world.old.fill(ANN, "A", a)
    world.old.fill(ANN, "B", b, person("Carl Poe", "u-2"), group("Club", "g-b", "u-1", "u-2"))
    return world


def again_without_state(world: World) -> World:
    fresh = two_books()
    fresh.old = fresh.route.old = world.old
    fresh.new = fresh.route.new = world.new
    return fresh


def details(world: World) -> list[tuple[str, ...]]:
    (stage,) = world.trial.preview(world.trial.store).stages
    return [action.details for _, action in stage.actions]


def test_two_people_of_two_books_that_go_to_one_with_one_uid_both_arrive_as_the_preview_says() -> None:
    world = two_books()
    told = "its UID is another card's too, Ann Doe; it is kept under one of its own"
    assert details(world) == [(), (f"+ Bob Roe  ({told})",)]
    assert not world.trial.run().codes
    assert [card.label for card in world.there("All")] == ["Ann Doe", "Bob Roe", "Carl Poe", "Club"]
    ann, bob, _, club = world.there("All")
    assert ann.uid == "u-1"
    assert club.members == (bob.uid, "u-2"), "a group means whom its own book has under that UID"
    outcomes = world.trial.store.outcomes(f"contacts/old>new/{ANN}/B")
    assert [(one.about, one.note) for one in outcomes if one.about.startswith("Bob")] == [("Bob Roe", told)]
    assert world.trial.fates() == {Fate.COPIED: 3, Fate.NORMALISED: 1}
    assert world.trial.verify().differences == 0
    before = list(world.new.writes)
    assert details(world) == [(), ()]
    world.trial.run()
    assert {row.verb for row in world.trial.actions().values()} == {Verb.KEEP}
    fresh = again_without_state(world)
    assert not fresh.trial.run().codes
    assert fresh.trial.fates() == {Fate.FOUND: 4}
    assert fresh.trial.verify().differences == 0
    assert world.new.writes == before


def test_what_is_one_by_its_name_in_two_books_that_go_to_one_is_one() -> None:
    world = two_books(ANN_OF_A, person("ann doe", "u-1", text_property("TEL", "+1 555")))
    world.trial.run()
    assert [card.label for card in world.there("All")] == ["Ann Doe", "Carl Poe", "Club"]
    assert world.there("All")[0].text("TEL") == "+1 555"


def test_a_photo_of_a_later_book_comes_with_the_card_that_an_earlier_one_writes() -> None:
    photo = Property("PHOTO", data=b"\xff\xd8" + b"p" * 5000, media="image/jpeg")
    world = two_books(ANN_OF_A, ANN_OF_A.with_property(photo))
    assert not world.trial.run().codes
    (ann,) = (one for one in world.there("All") if one.label == ANN_OF_A.label)
    assert ann.first("PHOTO") == photo
    assert world.trial.fates() == {Fate.COPIED: 3, Fate.FOUND: 1}
    assert world.trial.verify().differences == 0


@pytest.mark.parametrize("many", [2, 5])
def test_books_that_go_to_one_are_read_as_often_as_books_that_do_not(many: int) -> None:
    names = [f"Book {number}" for number in range(many)]
    world = World(books={"map": dict.fromkeys(names, "All")})
    world.old.shelves.clear()
    for name in names:
        world.old.fill(ANN, name, person(f"Ann {name}", name), person("Bob", "u-1"))
    readings = []
    for passing in (world.trial.preview, world.trial.run, world.trial.verify, world.trial.run):
        world.old.calls.clear()
        passing()
        readings.append(world.old.calls["index"])
    planning = applying = proving = many
    assert readings == [planning, planning + applying, planning + proving, planning]
    assert [one.label for one in world.there("All")] == ["Ann Book 0", "Bob", *(f"Ann {name}" for name in names[1:])]


def test_what_was_read_of_books_beside_another_is_read_anew_by_the_next_run() -> None:
    world = two_books()
    world.trial.run()
    world.old.fill(ANN, "A", person("Zoë Müller", "u-3"))
    world.old.fill(ANN, "B", person("Dan Coe", "u-3"))
    world.trial.run()
    uids = {one.label: one.uid for one in world.there("All")}
    assert uids["Zoë Müller"] == "u-3"
    assert uids["Dan Coe"] != "u-3"
    assert world.trial.verify().differences == 0


def test_a_group_of_several_books_is_written_by_each_with_the_members_that_are_there() -> None:
    world = two_books()
    world.old.fill(
        ANN, "A", group("Choir", "g-c", "u-1"), person("Zoë Müller", "u-3"), group("All", "g-a", "u-3", "u-4")
    )
    world.old.fill(ANN, "B", person("Dan Coe", "u-4"), group("Choir", "g-c", "u-4"), group("All", "g-a", "u-4"))

    def known(card: Card, there: Sequence[Card]) -> Card:
        """As Roundcube does: a member is a contact of the book."""
        uids = {f"urn:uuid:{one.uid}" for one in there}
        return replace(
            card, properties=tuple(one for one in card.properties if one.name != "MEMBER" or one.text in uids)
        )

    world.new.keeps = known
    world.trial.run()
    members = {one.label: set(one.members) for one in world.there("All") if one.is_group}
    assert (members["Choir"], members["All"]) == ({"u-1", "u-4"}, {"u-3", "u-4"})
    notes = [
        one.note
        for key in ("A", "B")
        for one in world.trial.store.outcomes(f"contacts/old>new/{ANN}/{key}")
        if one.fate is Fate.ALTERED
    ]
    assert notes == ["MEMBER is missing"], "the first book's All names somebody who comes with the second"
    before = list(world.new.writes)
    world.trial.run()
    assert world.new.writes == before
    assert world.trial.verify().differences == 0


def test_a_preview_counts_with_what_an_earlier_book_will_have_brought() -> None:
    same = person("Zoë Müller", "u-3", email="zoe@example.com")
    world = two_books(ANN_OF_A, ANN_OF_A.with_property(text_property("TEL", "+1 555")))
    world.old.fill(ANN, "A", same)
    world.old.fill(ANN, "B", same, BOB_OF_B)
    (stage,) = world.trial.preview().stages
    assert [action.amounts for _, action in stage.actions] == ["add 2", f"add 3, 2 there already{A_GROUP}"]
    assert stage.actions[1][1].details == (
        "+ Bob Roe  (its UID is another card's too, Ann Doe; it is kept under one of its own)",
    )
    world.trial.run()
    assert world.trial.fates() == {Fate.COPIED: 4, Fate.FOUND: 2, Fate.NORMALISED: 1}
    assert len(world.there("All")) == 5
    (stage,) = world.trial.preview(world.trial.store).stages
    assert {action.verb for _, action in stage.actions} == {Verb.KEEP}


def test_a_book_that_follows_its_plan_later_finds_its_place_beside_those_that_are_there() -> None:
    world = two_books(only=["B"])
    world.trial.run()
    assert [card.uid for card in world.there("All")][:2] == ["u-1", "u-2"]
    wider = again_without_state(world)
    wider.trial.store = world.trial.store
    told = "its UID is another card's too, Bob Roe; it is kept under one of its own"
    assert details(wider)[0] == (f"+ Ann Doe  ({told})",)
    wider.trial.run()
    assert sorted(card.label for card in wider.there("All")) == ["Ann Doe", "Bob Roe", "Carl Poe", "Club"]
    before = list(wider.new.writes)
    wider.trial.run()
    fresh = again_without_state(wider)
    fresh.trial.run()
    assert wider.new.writes == before


def test_a_card_that_an_earlier_version_took_for_another_books_gets_a_place_of_its_own() -> None:
    world = two_books()
    world.new.fill(ANN, "All", ANN_OF_A.with_property(text_property("EMAIL", "bob@example.com")))
    key = f"contacts/old>new/{ANN}"
    world.trial.run()
    shelf = world.new.shelves[ANN]["All"]
    ann, bob = list(shelf.cards)[:2]
    del shelf.cards[bob]
    claim = world.trial.store.claim(this_process(), utc_now(), "digest", "0")
    with world.trial.store.recording(claim.run.epoch) as records:
        ref = next(iter(world.old.shelves[ANN]["B"].cards))
        records.record(f"{key}/B", [Outcome(ref, Fate.NORMALISED, ann, digest=digest(BOB_OF_B)[:32])])
    world.trial.run()
    assert sorted(card.label for card in world.there("All")) == ["Ann Doe", "Bob Roe", "Carl Poe", "Club"]


def shared_target() -> World:
    world = World()
    world.old.shelves.clear()
    world.old.fill(ANN, "Contacts", ANN_OF_A)
    world.old.fill("bob@example.com", "Contacts", BOB_OF_B)
    team = "team@example.com"
    step = KIND.build(ContactsOptions(), accounts_of((ANN, team), ("bob@example.com", team)))
    world.trial = Trial([Stage("contacts", "contacts", step, world.route)], workers=1)
    return world


def test_people_of_two_accounts_that_fill_one_are_two_though_they_share_a_uid() -> None:
    world = shared_target()
    world.trial.run()
    assert [card.label for card in world.new.cards("team@example.com", "Contacts")] == ["Ann Doe", "Bob Roe"]
    told = "its UID is another card's at the target, Ann Doe; it is kept under one of its own"
    outcomes = world.trial.store.outcomes("contacts/old>new/bob@example.com>team@example.com/Contacts")
    assert [(one.fate, one.note) for one in outcomes] == [(Fate.NORMALISED, told)]
    assert world.trial.verify().differences == 0
    before = list(world.new.writes)
    world.trial.run()
    fresh = shared_target()
    fresh.new = fresh.route.new = world.new
    fresh.trial.run()
    assert fresh.trial.fates() == {Fate.FOUND: 2}
    assert world.new.writes == before


def test_whoever_has_the_uid_at_the_target_and_is_somebody_else_loses_nothing_to_a_newer_card() -> None:
    world = World(person("Bob Roe", "u-1", text_property("REV", "2024-01-01"), email="bob@example.com"))
    there = person("Ann Doe", "u-1", text_property("REV", "2020-01-01"), email="ann.doe@example.com")
    world.new.fill(ANN, "Contacts", there)
    told = "its UID is another card's at the target, Ann Doe; it is kept under one of its own"
    assert details(world) == [(f"+ Bob Roe  ({told})",)]
    world.trial.run()
    assert world.there()[0] == there
    assert [card.label for card in world.there()] == ["Ann Doe", "Bob Roe"]


def test_whoever_is_renamed_at_the_source_stays_one_card_because_it_is_on_record_or_has_an_address_in_common() -> None:
    world = World(ANN_OF_A)
    world.trial.run()
    shelf = world.old.shelves[ANN]["Contacts"]
    ((ref, shelved),) = shelf.cards.items()
    shelf.cards[ref] = replace(shelved, card=person("Zoe Married", "u-1", email="zoe@example.com"), tag="2")
    world.trial.run()
    assert [one.text for card in world.there() for one in card.all("EMAIL")] == [
        "ann.doe@example.com",
        "zoe@example.com",
    ]
    assert world.trial.verify().differences == 0
    before = list(world.new.writes)
    fresh = World(person("Zoe Married", "u-1", email="zoe@example.com"))
    fresh.new = fresh.route.new = world.new
    fresh.trial.run()
    assert fresh.trial.fates() == {Fate.NORMALISED: 1}
    assert world.new.writes == before


def test_a_card_changed_at_the_source_since_follows() -> None:
    world = World(PEOPLE[0])
    world.trial.run()
    ((ref, shelved),) = world.old.shelves[ANN]["Contacts"].cards.items()
    changed = shelved.card.with_property(text_property("TEL", "+34 600"))
    world.old.shelves[ANN]["Contacts"].cards[ref] = replace(shelved, card=changed)
    world.trial.run()
    assert world.there()[0].text("TEL") == "+34 600"


def test_what_could_not_be_read_of_a_card_is_told() -> None:
    world = World(PEOPLE[0])
    world.old.fill(ANN, "Contacts", person("Rota", "u7"), dropped=("line 3: nobody can read it",))
    world.trial.run()
    assert world.notes(Fate.ALTERED) == ["Rota: line 3: nobody can read it"]


TELL = (
    "A run leaves it so, for its owner may have deleted it. "
    "To have it back: add `on_target_missing: recopy` to the options of this step for one run."
)


@pytest.mark.parametrize("group_too", ["card", "card and book"])
def test_what_was_deleted_at_the_target_stays_away_and_run_and_verify_say_the_same(group_too: str) -> None:
    world = World()
    world.trial.run()
    shelf = world.new.shelves[ANN]["Contacts"]
    if group_too == "card":
        del shelf.cards[next(iter(shelf.cards))]
    else:
        del world.new.shelves[ANN]["Contacts"]
    lost = 1 if group_too == "card" else 5
    before = list(world.new.writes)
    (stage,) = world.trial.preview(world.trial.store).stages
    ((_, action),) = stage.actions
    assert (action.verb, action.size.items, action.why) == (Verb.CHANGE, 0, "nothing new")
    assert action.amounts == f"{lost} not at the target any more"
    if group_too == "card":
        world.trial.run()
        assert world.new.writes == before
        (found,) = world.trial.findings("run")
        assert found.text == "1 of its cards was moved and is not at the target any more: Ana Peña"
        assert (found.weight, found.remedy) == (Weight.WARNING, TELL)
        assert world.trial.verify().differences == 1
        assert world.trial.findings("verify") == [replace(found, weight=Weight.DIFFERENCE)]
    step = KIND.build(ContactsOptions(on_target_missing="recopy"), accounts_of(ANN))
    world.trial.stages = [Stage("contacts", "contacts", step, world.route)]
    (stage,) = world.trial.preview(world.trial.store).stages
    ((_, action),) = stage.actions
    moved = ", 4 moved before" if lost == 1 else A_GROUP
    assert (action.verb, action.amounts) == (Verb.COPY, f"add {lost}{moved}")
    assert world.trial.run().left_behind == 0
    assert len(world.there()) == 5
    assert world.trial.fates() == {Fate.COPIED: 5}
    assert world.trial.verify().differences == 0
    assert world.trial.findings("run") == []


def test_numbers_of_a_preview_add_up_where_a_card_was_deleted_at_the_target() -> None:
    world = World(*PEOPLE[:2])
    world.trial.run()
    shelf = world.new.shelves[ANN]["Contacts"]
    del shelf.cards[next(iter(shelf.cards))]
    world.old.fill(ANN, "Contacts", PEOPLE[2])
    (stage,) = world.trial.preview(world.trial.store).stages
    ((_, action),) = stage.actions
    assert action.amounts == "add 1, 1 moved before, 1 not at the target any more"


def test_a_book_that_cards_were_brought_to_is_known_though_its_name_would_not_tell() -> None:
    world = World()
    world.new.fill(ANN, "Adressbuch")
    world.trial.run()
    world.new.fill(ANN, "Zweites")
    (stage,) = world.trial.preview(world.trial.store).stages
    ((_, action),) = stage.actions
    assert (action.verb, action.why, action.amounts) == (Verb.KEEP, "nothing new", "")


def test_a_card_that_was_deleted_at_the_target_comes_back_when_the_source_changes_it() -> None:
    world = World(PEOPLE[0])
    world.trial.run()
    world.new.shelves[ANN]["Contacts"].cards.clear()
    changed_card(world)
    world.trial.run()
    assert [card.text("TEL") for card in world.there()] == ["+34 600"]
    assert world.trial.findings("run") == []


def test_large_photos_are_left_out_when_the_plan_says_so() -> None:
    photo = Property("PHOTO", data=b"x" * 5000, media="image/jpeg")
    world = World(person("Ana Peña", "u1", photo), largest_photo=1000)
    world.trial.run()
    assert world.there()[0].first("PHOTO") is None
    assert world.notes(Fate.ALTERED) == ["Ana Peña: a photo of more than 1,000 bytes is left out (largest_photo)"]


def test_photos_that_are_too_large_for_the_target_are_told_before() -> None:
    world = World(person("Ana Peña", "u1", Property("PHOTO", data=b"x" * 5000, media="image/jpeg")))
    world.new.features = replace(world.new.features, largest_photo=1000)
    (stage,) = world.trial.preview().stages
    ((_, action),) = stage.actions
    told = "a photo of more than 1,000 bytes is left out, for the target takes none that large"
    assert action.details == ()
    assert [found.text for found in stage.findings] == [f"{told} (Ana Peña)"]
    world.trial.run()
    assert world.notes(Fate.ALTERED) == [f"Ana Peña: {told}"]
    world.new.features = replace(world.new.features, largest_photo=10_000)
    world.trial.run()
    assert world.trial.fates() == {Fate.COPIED: 1}
    assert world.there()[0].first("PHOTO") is not None


def test_what_cannot_be_read_of_cards_is_foreseen_and_ends_a_preview_as_the_run() -> None:
    world = World(PEOPLE[0])
    world.old.fill(ANN, "Contacts", *(person(f"P {n}", f"p{n}") for n in range(7)), dropped=("the card has no END",))
    world.old.fill(ANN, "Contacts", Card(), dropped=("nothing in it is a property",))
    seen = world.trial.preview(world.trial.store)
    (stage,) = seen.stages
    assert [(found.code, found.text) for found in stage.findings] == [
        ("will-be-altered", "7 cards: the card has no END (P 0; P 1; P 2; P 3; P 4; and 2 more)"),
        ("will-be-left-behind", "nothing in it is a property (a card without a name)"),
    ]
    assert all(found.remedy for found in stage.findings)
    assert seen.codes == {"will-be-altered", "will-be-left-behind"}
    world.trial.run()
    assert world.trial.fates() == {Fate.COPIED: 1, Fate.ALTERED: 7, Fate.LEFT_BEHIND: 1}


def test_a_fixed_set_of_books_takes_the_cards_of_others() -> None:
    world = World()
    world.old.fill(ANN, "Trabajo", person("Jefa", "u8"))
    world.new.fill(ANN, "Contacts")
    world.new.fixed_books = True
    (stage,) = world.trial.preview().stages
    first, second = (action for _, action in stage.actions)
    assert (second.label, second.after) == ("Trabajo -> Contacts", (first.key,))
    assert (second.why, second.amounts) == ("no other address book can be made at the target", "add 1")
    world.trial.run()
    assert len(world.there()) == 6


def test_a_source_without_a_book_says_so() -> None:
    world = World()
    world.old.shelves.clear()
    (stage,) = world.trial.preview().stages
    ((subject, action),) = stage.actions
    assert prepares(subject.key, action.key), "it counts as no address book"
    assert (action.verb, action.label, action.why) == (
        Verb.KEEP,
        "no address book",
        "the source has none of this account",
    )
    assert not world.trial.run().codes
    assert world.trial.verify().differences == 0


def test_books_the_product_fills_itself_stay_unless_they_are_named() -> None:
    world = World()
    world.old.fill(ANN, "Collected", person("Alguien", "u8"), writable=False)
    world.trial.run()
    assert "Collected" not in world.new.shelves[ANN]
    assert world.trial.actions()[f"{ANN}/Collected"].verb is Verb.KEEP


@pytest.mark.parametrize("books", [{"except": ["Work"]}, {"only": ["Contacts"]}])
def test_a_book_that_the_plan_leaves_out_since_it_was_moved_counts_as_it_did(books: dict[str, object]) -> None:
    world = World()
    world.old.fill(ANN, "Work", person("Jefa", "u8"))
    world.trial.run()
    narrower = World(books=books)
    narrower.old.fill(ANN, "Work", person("Jefa", "u8"))
    narrower.new = narrower.route.new = world.new
    narrower.trial.store = world.trial.store
    before = list(world.new.writes)
    assert not narrower.trial.run().codes
    assert world.new.writes == before
    sums = report(world.trial.store, datetime.now(UTC)).sums
    assert (sums.total.items, sums.by_fate[Fate.COPIED].items, sums.departed, sums.adds_up) == (6, 6, 0, True)
    assert "the plan" in narrower.trial.actions()[f"{ANN}/Work"].why
    assert narrower.trial.verify().differences == 0


def test_a_single_book_goes_to_a_single_book() -> None:
    world = World()
    world.new.fill(ANN, "Adressbuch")
    world.trial.run()
    assert len(world.there("Adressbuch")) == 5


@pytest.mark.parametrize("is_there", [False, True], ids=["to be made", "there"])
@pytest.mark.parametrize("asked", [("", "Parientes"), ("Parientes", ""), ("Parientes", "Primos")])
def test_a_book_that_the_plan_sends_elsewhere_since_it_was_moved_goes_there_too(
    asked: tuple[str, str], *, is_there: bool
) -> None:
    def step(name: str) -> Stage:
        books = {"map": {"Contacts": name}} if name else {}
        return Stage("contacts", "contacts", KIND.build(ContactsOptions(books=books), accounts_of(ANN)), world.route)

    world = World()
    world.old.told = {}
    before, now = (name or "Contacts" for name in asked)
    world.new.fill(ANN, "Otros")
    world.new.fill(ANN, "Más")
    world.trial.stages = [step(asked[0])]
    world.trial.run()
    assert len(world.there(before)) == 5
    if is_there:
        world.new.fill(ANN, now, PEOPLE[0])
    world.trial.stages = [step(asked[1])]
    told = f"it was moved to {before} before, which stays as it is"
    (stage,) = world.trial.preview(world.trial.store).stages
    ((_, action),) = stage.actions
    assert (action.verb, action.why) == (Verb.COPY, told)
    assert action.amounts == ("add 4, 1 there already" if is_there else "add 5") + A_GROUP
    assert world.trial.verify().differences == 1, "what is asked for now is not moved yet"
    assert not world.trial.run().codes
    assert [finding.text for finding in world.trial.findings("run")] == [told]
    assert [len(world.there(name)) for name in (before, now)] == [5, 5]
    assert world.trial.verify().differences == 0
    writes = list(world.new.writes)
    world.trial.run()
    assert world.new.writes == writes
    assert {row.verb for row in world.trial.actions().values()} == {Verb.KEEP}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 8))
def test_a_book_on_its_way_elsewhere_survives_a_lost_answer(number: int, moment: str) -> None:
    world = World()
    world.trial.run()
    world.new.drops[len(world.new.writes) + number] = moment
    step = KIND.build(ContactsOptions(books={"map": {"Contacts": "Parientes"}}), accounts_of(ANN))
    world.trial.stages = [Stage("contacts", "contacts", step, world.route)]
    assert not world.trial.run().codes
    assert [len(world.there(name)) for name in ("Contacts", "Parientes")] == [5, 5]
    assert sum(world.trial.fates().values()) == 5
    assert world.trial.verify().differences == 0


def test_a_book_that_its_owner_has_renamed_at_the_target_is_gone_on_with() -> None:
    world = World(books={"map": {"Contacts": "Parientes"}})
    world.new.fill(ANN, "Otros")
    world.new.fill(ANN, "Más")
    world.trial.run()
    shelves = world.new.shelves[ANN]
    shelves["Parientes"].book = replace(shelves["Parientes"].book, name="Los míos")
    world.old.fill(ANN, "Contacts", person("Nueva", "u9"))
    world.trial.run()
    assert [shelf.book.name for shelf in shelves.values()] == ["Otros", "Más", "Los míos"]
    assert len(shelves["Parientes"].cards) == 6


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("importer", ["one by one", "all at once"])
def test_an_answer_that_was_lost_is_looked_up(number: int, moment: str, importer: str) -> None:
    world = World()
    world.new.importer = importer == "all at once"
    world.new.drops[number] = moment
    result = world.trial.run()
    assert not result.codes
    assert sorted(card.label for card in world.there()) == sorted(card.label for card in PEOPLE)
    assert sum(world.trial.fates().values()) == 5


def test_likeness_that_an_importer_takes_for_sameness_is_found_out() -> None:
    world = World(PEOPLE[0], person("Ana Peña", "u9", email="ana@example.com"))
    world.new.importer, world.new.tells_refs = True, False
    world.new.keeps = skipping_likeness
    world.trial.run()
    assert world.trial.fates()[Fate.LEFT_BEHIND] == 1


def test_what_the_target_has_no_place_for_is_told_once_and_asked_for_no_more() -> None:
    world = World(person("Ana Peña", "u1", Property("PHOTO", data=b"x" * 50, media="image/jpeg")))
    world.new.features = replace(world.new.features, lost=frozenset({"PHOTO"}))
    world.new.keeps = losing("PHOTO")
    world.trial.run()
    assert world.notes(Fate.ALTERED) == ["Ana Peña: the target has no place for PHOTO"]
    assert world.trial.verify().differences == 0
    again = World(*world.old.cards(ANN, "Contacts"))
    again.new = again.route.new = world.new
    before = list(world.new.writes)
    again.trial.run()
    assert world.new.writes == before, "without a state it is found, not written again"


@pytest.mark.parametrize(("there", "lanes"), [(0, 3), (20, 2), (30, 1), (60, 1)])
def test_a_book_holds_as_many_connections_to_the_target_as_its_cards_are_worth(there: int, lanes: int) -> None:
    many = [person(f"Person {number}", f"u{number}") for number in range(75)]
    world = World(*many)
    world.new.features = replace(world.new.features, connections=4)
    world.new.fill(ANN, "Contacts", *many[:there])
    (stage,) = world.trial.preview().stages
    ((_, action),) = stage.actions
    assert [lane.side for lane in action.lanes] == [Side.SOURCE, *[Side.TARGET] * lanes]


def test_the_target_is_listed_once_to_decide_and_once_to_write() -> None:
    world = World()
    world.new.fill(ANN, "Contacts")
    world.trial.run()
    assert world.new.calls["index"] == 2


# -- what has changed since


def telling_changes(*cards: Card, **options: object) -> World:
    world = World(*cards, **options)
    world.old.told = {}
    return world


def test_a_book_that_has_not_changed_since_all_of_it_arrived_is_not_read_again() -> None:
    world = telling_changes()
    world.trial.run()
    fetched = world.old.calls["fetch"], world.new.calls["fetch"]
    before = world.trial.actions()[f"{ANN}/Contacts"].total
    assert world.trial.run().left_behind == 0
    assert (world.old.calls["fetch"], world.new.calls["fetch"]) == fetched
    row = world.trial.actions()[f"{ANN}/Contacts"]
    assert (row.verb, row.why, row.total) == (Verb.KEEP, "nothing new", before)
    assert world.trial.verify().differences == 0


def changed_card(world: World) -> None:
    shelf = world.old.shelves[ANN]["Contacts"]
    ref, shelved = next(iter(shelf.cards.items()))
    card = shelved.card.with_property(text_property("TEL", "+34 600"))
    shelf.cards[ref] = replace(shelved, card=card, tag=world.old.tagged())


def new_card(world: World) -> None:
    world.old.fill(ANN, "Contacts", person("Otra", "u77"))


def forgotten(world: World) -> None:
    world.old.told = {}
    changed_card(world)


def silent(world: World) -> None:
    world.old.told = None
    changed_card(world)


@pytest.mark.parametrize("happens", [changed_card, new_card, forgotten, silent])
def test_what_has_changed_since_arrives_whatever_the_source_still_knows(happens: Callable[[World], None]) -> None:
    world = telling_changes()
    world.trial.run()
    happens(world)
    world.trial.run()
    assert {card.text("TEL") for card in world.there() if card.uid == "u1"} == (
        {""} if happens is new_card else {"+34 600"}
    )
    assert len(world.there()) == (6 if happens is new_card else 5)
    assert world.trial.verify().differences == 0


def test_a_card_that_comes_while_its_book_is_moved_is_seen_by_the_next_pass() -> None:
    world = telling_changes()
    world.new.before_write = lambda what: new_card(world) if what == "add g1" else None
    world.trial.run()
    assert len(world.there()) == 5
    world.trial.run()
    assert len(world.there()) == 6


def test_a_card_that_was_left_behind_is_tried_again_though_nothing_has_changed() -> None:
    world = telling_changes()
    world.new.refuses = lambda card: "no umlauts here" if "ü" in card.label else ""
    assert world.trial.run().left_behind == 1
    world.new.refuses = lambda _: ""
    assert world.trial.run().left_behind == 0
    assert len(world.there()) == 5


@pytest.mark.parametrize("made", [World, telling_changes])
def test_a_card_that_was_left_behind_and_has_left_the_source_since_is_nothing_to_be_seen_to(
    made: Callable[[], World],
) -> None:
    world = made()
    world.new.refuses = no_umlauts
    assert world.trial.run().left_behind == 1
    shelf = world.old.shelves[ANN]["Contacts"]
    del shelf.cards[next(ref for ref, one in shelf.cards.items() if "ü" in one.card.label)]
    (stage,) = world.trial.preview(world.trial.store).stages
    ((_, action),) = stage.actions
    assert (action.verb, action.amounts) == (Verb.COPY, "1 left behind and gone from the source since")
    assert world.trial.run().left_behind == 0
    assert world.trial.fates() == {Fate.COPIED: 4, Fate.GONE: 1}
    world.trial.run()
    row = world.trial.actions()[f"{ANN}/Contacts"]
    assert (row.verb, row.why) == (Verb.KEEP, "nothing new")


@pytest.mark.parametrize("made", [World, telling_changes])
def test_sums_are_of_what_the_source_has_when_cards_leave_it_and_come_back(made: Callable[[], World]) -> None:
    world = made()
    world.trial.run()
    cards = world.old.shelves[ANN]["Contacts"].cards
    left = {ref: cards.pop(ref) for ref in list(cards)[:2]}
    world.trial.run()
    sums = world.trial.sums()
    assert (sums.total.items, sums.items(Fate.COPIED), sums.departed, sums.open) == (3, 3, 2, 0)
    world.trial.run()
    assert world.trial.sums() == sums
    cards.update(left)
    world.trial.run()
    sums = world.trial.sums()
    assert (sums.total.items, sums.items(Fate.COPIED), sums.departed, sums.open) == (5, 5, 0, 0)


def test_a_twin_keeps_the_place_it_was_given_when_the_other_has_left_the_source() -> None:
    world = World(
        person("Ana Uno", "same", email="ana@example.com"), person("Bob Dos", "same", email="bob@example.com")
    )
    world.trial.run()
    before = {card.label: card for card in world.there()}
    cards = world.old.shelves[ANN]["Contacts"].cards
    first = next(ref for ref, one in cards.items() if one.card.label == "Ana Uno")
    ana = cards.pop(first)
    for _ in range(2):
        world.trial.run()
        assert {card.label: card for card in world.there()} == before
        assert world.trial.verify().differences == 0
    cards[first] = ana
    world.trial.run()
    assert {card.label: card for card in world.there()} == before


def test_a_group_of_which_the_targets_cards_tell_all_is_there() -> None:
    world = World()
    world.new.implied = lambda card: card.is_group
    assert world.trial.run().left_behind == 0
    assert world.trial.verify().differences == 0
    before = list(world.new.writes)
    world.trial.run()
    assert (world.trial.actions()[f"{ANN}/Contacts"].verb, world.new.writes) == (Verb.KEEP, before)


def test_a_group_of_which_the_sources_cards_tell_all_is_no_card_of_its_own() -> None:
    world = World()
    world.old.implied = lambda card: card.is_group
    world.trial.run()
    assert [card.is_group for card in world.there()] == [False] * 4
    assert world.trial.sums().total.items == 4


def test_a_group_that_was_left_behind_and_is_left_out_since_is_skipped_and_not_gone_from_the_source() -> None:
    world = World()
    world.new.refuses = lambda card: "no groups here" if card.is_group else ""
    assert world.trial.run().left_behind == 1
    step = KIND.build(ContactsOptions(groups=False), accounts_of(ANN))
    world.trial.stages = [Stage("contacts", "contacts", step, world.route)]
    (stage,) = world.trial.preview(world.trial.store).stages
    ((_, action),) = stage.actions
    assert (action.verb, action.amounts) == (Verb.COPY, "1 left out as groups (groups: false)")
    assert world.trial.run().left_behind == 0
    assert world.trial.fates() == {Fate.COPIED: 4, Fate.SKIPPED: 1}
    assert world.notes(Fate.SKIPPED) == ["Amigos, y familia: left out as a group (groups: false)"]
    assert world.trial.verify().differences == 0
    before = list(world.new.writes)
    world.trial.run()
    row = world.trial.actions()[f"{ANN}/Contacts"]
    assert (row.verb, row.why, world.new.writes) == (Verb.KEEP, "nothing new", before)
    world.new.refuses = lambda _: ""
    world.trial.stages = [Stage("contacts", "contacts", KIND.build(ContactsOptions(), accounts_of(ANN)), world.route)]
    world.trial.run()
    assert world.trial.fates() == {Fate.COPIED: 5}


def test_a_report_has_what_became_of_a_book_and_not_what_the_newest_planning_would_have_done() -> None:
    world = World()
    world.new.fill(ANN, "Adressbuch")
    world.trial.run()
    assert world.trial.actions()[f"{ANN}/Contacts"].why == "it is the target's only address book"


def test_other_options_read_the_book_anew() -> None:
    world = telling_changes(groups=False)
    world.trial.run()
    step = KIND.build(ContactsOptions(groups=True), accounts_of(ANN))
    world.trial.stages = [Stage("contacts", "contacts", step, world.route)]
    world.trial.run()
    assert len(world.there()) == 5


def test_what_an_owner_changes_at_the_target_is_seen_by_verify_though_the_source_is_not_read_for_it() -> None:
    world = telling_changes()
    world.trial.run()
    shelf = world.new.shelves[ANN]["Contacts"]
    shelf.cards.pop(next(iter(shelf.cards)))
    world.trial.run()
    assert world.trial.verify().differences == 1


def no_umlauts(card: Card) -> str:
    return "no umlauts here" if "ü" in card.label else ""


@pytest.mark.parametrize("books", [[], ["Contacts"]])
def test_a_preview_tells_which_cards_will_be_refused_and_the_run_refuses_those(books: list[str]) -> None:
    world = World()
    world.new.refuses = no_umlauts
    for book in books:
        world.new.fill(ANN, book)
    (stage,) = world.trial.preview().stages
    (found,) = stage.findings
    assert found.code == "will-be-refused"
    assert found.weight is Weight.WARNING
    assert found.text == "Zoë Müller: the target says: no umlauts here"
    assert found.about == f"{ANN}: Contacts"
    world.trial.run()
    assert world.notes(Fate.LEFT_BEHIND) == ["Zoë Müller: the target says: no umlauts here"]


def test_a_card_without_a_name_is_told_as_that() -> None:
    world = World(Card((text_property("NOTE", "who was it"),)))
    world.new.refuses = lambda _: "no"
    (stage,) = world.trial.preview().stages
    assert [one.text for one in stage.findings] == ["a card without a name: the target says: no"]


def test_of_many_cards_that_will_be_refused_a_preview_names_the_first_on_the_screen() -> None:
    world = World(*(person(f"Ana {number}", f"u{number}") for number in range(9)))
    world.new.refuses = lambda _: "no"
    (stage,) = world.trial.preview().stages
    assert len(stage.findings) == 9
    lines = finding_lines(stage.findings)
    assert len(lines) == 6
    assert "Ana 4: the target says: no" in lines[4]
    assert lines[5] == "  and 4 more like these; --json tells all"


def test_what_is_at_the_target_already_is_not_foreseen_as_refused() -> None:
    world = World()
    world.trial.run()
    world.new.refuses = no_umlauts
    (stage,) = world.trial.preview().stages
    assert stage.findings == []
    assert world.new.calls["objection"] == 0
    again = World()
    again.new.fill(ANN, "Contacts", *PEOPLE)
    again.new.refuses = no_umlauts
    (stage,) = again.trial.preview().stages
    assert stage.findings == [], "without a state it is found"


def test_a_book_that_the_plan_names_and_the_source_lacks_is_told_in_the_preview() -> None:
    world = World(books={"except": ["Contacts", "Freinds"]})
    (stage,) = world.trial.preview().stages
    (found,) = stage.findings
    assert (found.weight, found.text) == (
        Weight.WARNING,
        "books: except: Freinds fits no address book of the source",
    )


def test_a_run_asks_for_no_objections() -> None:
    world = World()
    world.trial.run()
    assert world.new.calls["objection"] == 0


# -- photos, which stay where they are until they are written


def photo(letter: bytes, octets: int = 5000) -> Property:
    return Property("PHOTO", data=letter * octets, media="image/jpeg")


def photos(card: Card) -> set[bytes]:
    return {(one.data or b"")[:1] for one in card.all("PHOTO")}


def test_photos_arrive_whole_and_are_compared() -> None:
    world = World(person("Ana Peña", "u1", photo(b"a")), person("Zoë Müller", "u2", photo(b"z"), photo(b"y")))
    world.trial.run()
    assert world.trial.fates() == {Fate.COPIED: 2}
    assert [photos(card) for card in world.there()] == [{b"a"}, {b"z", b"y"}]
    assert all(len(one.data or b"") == 5000 for card in world.there() for one in card.all("PHOTO"))
    assert world.trial.verify().differences == 0


def test_a_photo_that_a_target_loses_or_mangles_is_told() -> None:
    world = World(person("Ana Peña", "u1", photo(b"a")), person("Zoë Müller", "u2", photo(b"z")))
    world.new.keeps = lambda card, _: (
        card.without("PHOTO") if card.uid == "u1" else card.without("PHOTO").with_property(photo(b"z", 4000))
    )
    world.trial.run()
    assert sorted(world.notes(Fate.ALTERED)) == [
        "Ana Peña: PHOTO 5,000 bytes: PHOTO is missing",
        "Zoë Müller: PHOTO was 5,000 bytes and is 4,000 bytes: PHOTO is not the same",
    ]


def test_cards_that_become_one_keep_the_photos_of_all() -> None:
    world = World(
        person("Ana Peña", "u1", photo(b"a"), email="ana@example.com"),
        person("Ana Peña", "u1", photo(b"b"), email="ana@example.com"),  # a twin, written with the first
    )
    world.new.fill(ANN, "Contacts", person("Ana Peña", "u1", photo(b"t"), email="ana@example.com"))
    world.trial.run()
    assert [photos(card) for card in world.there()] == [{b"a", b"b", b"t"}]
    assert world.trial.verify().differences == 0


@pytest.mark.parametrize(
    "theirs", [(), (person("Ana Peña", "u1", text_property("NOTE", "mine")),)], ids=["added", "united"]
)
def test_a_photo_that_changes_while_its_book_is_moved_is_left_behind_until_the_next_run(
    theirs: tuple[Card, ...],
) -> None:
    world = World(person("Zoë Müller", "u0"), person("Ana Peña", "u1", photo(b"a")))
    world.new.fill(ANN, "Contacts", *theirs)
    shelf = world.old.shelves[ANN]["Contacts"]
    ref = list(shelf.cards)[1]
    seen = iter(range(10))

    class Changing(dict[str, Shelved]):
        """Answers another photo from the third reading on: after the plan's and the step's."""

        def __getitem__(self, key: str) -> Shelved:
            found = super().__getitem__(key)
            if key == ref and next(seen) >= 2:
                return replace(found, card=found.card.without("PHOTO").with_property(photo(b"n")))
            return found

    shelf.cards = Changing(shelf.cards)
    assert world.trial.run().left_behind == 1
    assert world.notes(Fate.LEFT_BEHIND) == ["Ana Peña: a photo of it has changed since its book was read"]
    assert b"a" not in {letter for card in world.there() for letter in photos(card)}
    assert world.trial.run().left_behind == 0
    assert b"n" in {letter for card in world.there() for letter in photos(card)}


def test_a_card_that_is_too_large_for_its_photos_is_foreseen_as_refused() -> None:
    twins = (
        person("Ana Peña", "u1", photo(b"a"), email="ana@example.com"),
        person("Ana Peña", "u1", photo(b"b"), email="ana@example.com"),
    )
    world = World(*twins, person("Zoë Müller", "u2", photo(b"z")))
    world.new.fill(ANN, "Contacts", person("Ana Peña", "u1", photo(b"t"), email="ana@example.com"))
    world.new.refuses = lambda card: (
        "too large" if sum(len(one.data or b"") for one in card.all("PHOTO")) == 15_000 else ""
    )
    (stage,) = world.trial.preview().stages
    assert [found.text for found in stage.findings] == ["Ana Peña: the target says: too large"]


def test_cards_that_are_not_moved_yet_are_one_difference_that_names_some() -> None:
    world = World(*(person(f"Person {number}", f"u{number}") for number in range(8)))
    assert world.trial.verify().differences == 1
    (told,) = world.trial.findings("verify")
    assert (told.code, told.about) == ("not-moved", f"{ANN}, Contacts")
    assert told.text == "8 of its cards are not moved yet: Person 0, Person 1, Person 2, Person 3, Person 4 and 3 more"


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_preview_tells_which_words_of_the_plan_led_nowhere(side: str) -> None:
    world = World()
    (world.old if side == "source" else world.new).detour = "the path /x leads to no address books"
    (stage,) = world.trial.preview().stages
    assert [(one.code, one.about, one.text) for one in stage.findings] == [
        ("other-path", f"{ANN}: {side}", "the path /x leads to no address books")
    ]
