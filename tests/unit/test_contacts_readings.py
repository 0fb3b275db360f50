"""What is kept of books that go to one."""

from migrator.contacts.model import Card, Entry, Held
from migrator.contacts.readings import Readings

CARDS = [Held(Entry("1"), Card())]


def test_what_was_read_is_kept_of_the_accounts_that_were_seen_to_last() -> None:
    readings = Readings(accounts=2)
    readings.keep("ann", {"a": CARDS})
    readings.keep("bob", {"a": ()})
    readings.keep("ann", {"b": ()})
    readings.keep("carl", {})
    assert readings.of("ann") == {"a": CARDS, "b": ()}
    assert not readings.of("bob")


def test_what_is_forgotten_is_read_again() -> None:
    readings = Readings()
    readings.keep("ann", {"a": CARDS})
    readings.forget("ann")
    readings.forget("bob")
    assert not readings.of("ann")
