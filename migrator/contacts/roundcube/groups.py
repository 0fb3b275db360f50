"""Roundcube's groups as the two things other products have: CATEGORIES of cards, and cards of their own with members.

A group that came from CATEGORIES goes back into them: its members carry the word (see dialect.py). A group with a member that does
not is a card of its own. Roundcube gives groups no UID; theirs is made of the name.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from migrator.contacts import vcard
from migrator.contacts.model import Card, Property, text_property

LONGEST_NAME = 128  # characters of the column


def categories(card: Card) -> tuple[str, ...]:
    """The words of a card's CATEGORIES, each once, without empty ones."""
    words = (word.strip() for one in card.all("CATEGORIES") for part in one.parts for word in part)
    return tuple(dict.fromkeys(word for word in words if word))


def in_groups(card: Card, groups: AbstractSet[str]) -> Card:
    """The card with those of its CATEGORIES whose group it is in: a person may have taken it out."""
    words = categories(card)
    there = tuple(word for word in words if word in groups)
    if there == words:
        return card
    card = card.without("CATEGORIES")
    return card.with_property(Property("CATEGORIES", (there,))) if there else card


def told_by_categories(name: str, members: Iterable[Card]) -> bool:
    """Whether all of a group's members carry its name, so that no card has to tell of it. Not of an empty one."""
    carried = [name in categories(card) for card in members]
    return bool(carried) and all(carried)


def group_card(name: str, members: Iterable[Card]) -> Card:
    """A group as a card of its own."""
    bare = Card((text_property("FN", name), text_property("KIND", "group")))
    found = sorted({vcard.with_uid(card).uid for card in members})
    return Card(
        (
            text_property("UID", vcard.uid_for(bare)),
            *bare.properties,
            *(text_property("MEMBER", f"urn:uuid:{uid}") for uid in found),
        )
    )


def refusal(name: str) -> str:
    """Why Roundcube cannot have a group of this name; "" where it can."""
    if not name.strip():
        return "Roundcube has no groups without a name."
    if len(name) > LONGEST_NAME:
        return f"Roundcube has no groups whose name is longer than {LONGEST_NAME} characters."
    return ""
