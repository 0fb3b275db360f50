"""Which card at the target is which of those that were put there."""

from migrator.contacts.model import Card, Entry, Held, text_property
from migrator.contacts.moving import paired


def held(ref: str, name: str, uid: str) -> Held:
    return Held(Entry(ref), Card((text_property("UID", uid), text_property("FN", name))))


def test_twins_are_paired_one_to_one_though_they_are_equal_in_everything() -> None:
    twin, other_twin = held("same", "Ann", "u1"), held("same", "Ann", "u1")
    assert twin == other_twin
    found = paired({"first": twin.card, "second": twin.card, "third": twin.card}, [twin, other_twin])
    assert found["first"] is twin
    assert found["second"] is other_twin
    assert "third" not in found


def test_a_twin_whose_equal_was_known_by_uid_is_still_there_for_a_card_of_its_meaning() -> None:
    twin, other_twin = held("same", "Ann", "u1"), held("same", "Ann", "u1")
    found = paired({"known": twin.card, "renamed": held("", "Ann", "another").card}, [twin, other_twin])
    assert found["known"] is twin
    assert found["renamed"] is other_twin
