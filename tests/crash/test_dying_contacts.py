"""The contacts step dies before and after every write to state and address book, and is started again: no card lost, none twice."""

from collections import Counter
from collections.abc import Callable

import pytest

from migrator.contacts.model import Card, Property, text_property
from migrator.contacts.options import ContactsOptions
from migrator.contacts.step import KIND
from migrator.engine.contract import Fate
from migrator.engine.lease import utc_now
from migrator.engine.run import run
from migrator.engine.stage import Programme, Stage, Verification
from migrator.engine.stop import Stop
from migrator.engine.walk import Surroundings
from migrator.state.lease import this_process
from migrator.state.store import open_store
from migrator.testing.crash import Died, FencelessStore, Mortality, MortalStore
from migrator.testing.memory_books import BooksRoute, MemoryBooks, Shelved, accounts_of, giving_uids

pytestmark = pytest.mark.crash
ANN = "ann@example.com"


def person(number: int, uid: str = "") -> Card:
    said = [text_property("FN", f"Person {number}"), text_property("EMAIL", f"p{number}@example.com")]
    return Card((*([text_property("UID", uid)] if uid else []), *said))


class World:
    """Two products and a state; they outlive the process."""

    def __init__(self, habit: str) -> None:
        self.old, self.new = MemoryBooks("old"), MemoryBooks("new")
        self.old.told = {}  # a run that ended well makes the next one pass over the book
        self.old.fill(
            ANN,
            "Contacts",
            *(person(n, f"u{n}" if n % 2 else "") for n in range(5)),
            person(3, "twin-of-3"),
            person(9, "u3"),
            person(1, "u1").with_property(text_property("TEL", "+49 30 1")),
        )
        members = (text_property("MEMBER", "urn:uuid:u1"), text_property("MEMBER", "urn:uuid:u3"))
        self.old.fill(
            ANN,
            "Contacts",
            Card((text_property("UID", "g"), text_property("FN", "G"), text_property("KIND", "group"), *members)),
        )
        older = Card((text_property("UID", "u1"), text_property("FN", "Person 1"), text_property("NOTE", "older")))
        self.new.fill(ANN, "Contacts", *([older] if habit != "own uids" else []))
        self.new.importer = habit in {"importer", "categories later"}
        if habit == "categories later":
            self.new.categories_later = True
            friend = person(11, "u11").with_property(text_property("CATEGORIES", "Friends"))
            self.old.fill(
                ANN, "Contacts", friend, person(12, "u12").with_property(Property("CATEGORIES", (("A", "B"),)))
            )
        self.new.tells_refs = habit == "cards"
        if habit == "own uids":
            self.new.keeps = giving_uids("own-")
        self.options = ContactsOptions()
        self.store = open_store("sqlite://", lives=lambda _: False)

    def run(self, mortality: Mortality, store_class: type[MortalStore] = MortalStore) -> None:
        self.new.before_write = lambda what: mortality.moment(f"before {what}")
        self.new.after_write = lambda what: mortality.moment(f"after {what}")
        step = KIND.build(self.options, accounts_of(ANN))
        stage = Stage("contacts", "contacts", step, BooksRoute(self.old, self.new))
        programme = Programme("crash", [stage, Verification("verify")], workers=1)
        claim = self.store.claim(this_process(), utc_now(), "digest", "0")
        run(programme, store_class(self.store, mortality), claim, Surroundings(lambda _: None, Stop()), lambda _: 0)

    def contents(self) -> Counter[str]:
        return Counter(
            f"{card.label}: {card.text('EMAIL')} {card.text('NOTE')} {len(card.members)} {card.text('CATEGORIES')}"
            for card in self.new.cards(ANN, "Contacts")
        )

    def change_source(self) -> None:
        """What people do between two passes: a number is another, a card comes, one goes."""
        shelf = self.old.shelves[ANN]["Contacts"]
        first, second, *_ = shelf.cards
        changed = shelf.cards[second].card.with_property(text_property("TEL", "+49 30 2"))
        shelf.cards[second] = Shelved(changed, self.old.tagged())
        del shelf.cards[first]
        self.old.fill(ANN, "Contacts", person(7, "u7"))

    def told(self) -> dict[str, tuple[str, ...]]:
        """What a report says of each card, and of the book."""
        lines = {
            f"{row.key}: {one.key}": (one.fate.value, one.note, one.cure, one.about)
            for row in self.store.actions()
            for one in self.store.outcomes(row.ledger_key)
        }
        return lines | {row.key: (row.why.removeprefix("nothing new"), row.cure) for row in self.store.actions()}

    def fates(self) -> Counter[Fate]:
        counts: Counter[Fate] = Counter()
        for row in self.store.actions():
            counts.update({fate: size.items for fate, size in self.store.fates(row.ledger_key).items()})
        return counts


def second_pass(habit: str) -> World:
    world = World(habit)
    world.run(Mortality())
    world.change_source()
    return world


def two_books(habit: str) -> World:
    """Two small books of the source that go to one, with two people under one UID."""
    world = World(habit)
    world.old.shelves.clear()
    club = Card((text_property("UID", "g"), text_property("FN", "Club"), text_property("KIND", "group")))
    world.old.fill(ANN, "Contacts", person(1, "u1"), person(2, "u2"))
    world.old.fill(ANN, "More", person(3, "u2"), club.with_property(text_property("MEMBER", "urn:uuid:u2")))
    world.options = ContactsOptions.model_validate({"books": {"map": {"More": "Contacts"}}})
    return world


def die_and_resume(
    habit: str, at: int, store_class: type[MortalStore] = MortalStore, before: Callable[[str], World] = World
) -> World:
    world = before(habit)
    with pytest.raises(Died):
        world.run(Mortality(at), store_class)
    world.run(Mortality(), store_class)
    return world


@pytest.mark.parametrize("before", [World, second_pass])
@pytest.mark.parametrize("habit", ["cards", "importer", "own uids", "categories later"])
def test_dying_at_any_moment_loses_no_card_doubles_none_and_tells_the_same(
    habit: str, before: Callable[[str], World]
) -> None:
    expected, undisturbed = before(habit), Mortality()
    expected.run(undisturbed)
    cards = 11 if habit == "categories later" else 9
    assert expected.fates().total() == (cards if before is World else cards + 1)
    for at in range(1, len(undisturbed.moments) + 1):
        world = die_and_resume(habit, at, before=before)
        assert world.contents() == expected.contents(), f"after dying at moment {at}"
        assert world.fates() == expected.fates(), f"after dying at moment {at}"
        assert world.told() == expected.told(), f"after dying at moment {at}"


@pytest.mark.parametrize("habit", ["cards", "importer", "own uids"])
def test_dying_anywhere_in_two_books_that_go_to_one_makes_no_two_people_one(habit: str) -> None:
    expected, undisturbed = two_books(habit), Mortality()
    expected.run(undisturbed)
    assert expected.fates().total() == 4
    assert {card.label for card in expected.new.cards(ANN, "Contacts")} == {"Person 1", "Person 2", "Person 3", "Club"}
    (club,) = (card for card in expected.new.cards(ANN, "Contacts") if card.is_group)
    (third,) = (card for card in expected.new.cards(ANN, "Contacts") if card.label == "Person 3")
    assert club.members == (third.uid,)
    for at in range(1, len(undisturbed.moments) + 1):
        world = die_and_resume(habit, at, before=two_books)
        assert world.contents() == expected.contents(), f"after dying at moment {at}"
        assert world.told() == expected.told(), f"after dying at moment {at}"


def questions_of_a_resume(people: int) -> int:
    """How often the target is asked for cards by a run after one that died between an import and the groups."""

    def crowd(_: str) -> World:
        world = World("categories later")
        world.old.shelves.clear()
        friends = text_property("CATEGORIES", "Friends")
        world.old.fill(ANN, "Contacts", *(person(n, f"u{n}").with_property(friends) for n in range(100, 100 + people)))
        return world

    undisturbed = Mortality()
    crowd("").run(undisturbed)
    world = die_and_resume("", undisturbed.moments.index(f"after import {people}") + 1, before=crowd)
    assert [card.text("CATEGORIES") for card in world.new.cards(ANN, "Contacts")] == ["", *["Friends"] * people]
    return world.new.calls["fetch"]


def test_what_a_death_left_half_done_is_completed_without_a_question_for_each_card() -> None:
    assert questions_of_a_resume(20) == questions_of_a_resume(2)


def test_without_the_fence_our_own_cards_are_taken_for_somebody_elses() -> None:
    """The harness has teeth."""
    expected, undisturbed = World("importer"), Mortality()
    expected.run(undisturbed)
    moments = range(1, len(undisturbed.moments) + 1)
    assert any(die_and_resume("importer", at, FencelessStore).fates() != expected.fates() for at in moments)
