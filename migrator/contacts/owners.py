"""Whose a UID is, where cards of several names claim it: a mistake of some program, and no book can hold both under it.

In all that a source brings to one book a name has a UID for itself, whatever else its cards say: uniting two people loses one, keeping one apart
loses nothing. The target's card under a UID may be the source's under another name, for people marry and products spell; there a name in
the other, an address or number in common, or the record of an earlier run decides. Whoever does not get a UID has one made of it and the
name, the same at every pass, and keeps it as long as the target has it, also when the other card is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from migrator.contacts import meaning
from migrator.contacts.model import MEMBERS, Card, Property, member_of
from migrator.contacts.vcard import uid_beside, with_uid
from migrator.frozen import dataclass

REACHES = ("EMAIL", "TEL", "IMPP")

Name = tuple[tuple[str, ...], bool]


@dataclass(frozen=True, slots=True)
class Claim:
    """A card of the source; `place` is the index of the target's card that is on record as what became of it, None without one."""

    card: Card
    place: int | None = None


@dataclass(slots=True)
class _Claimed:
    """A UID: the claims of each name, in order, whose it is (None: the target's card under it is none of them), and that one as it is shown."""

    names: dict[Name, list[Claim]] = field(default_factory=dict)
    owner: Name | None = None
    shown: str = ""


class Owners:
    """Who has which UID in a book of the target, of all that its sources bring there: the same for each of them, whoever comes first."""

    def __init__(self, claims: Iterable[Claim], target: Sequence[Card]) -> None:
        self._there: dict[str, tuple[int, Card]] = {}
        for place, card in enumerate(target):
            self._there.setdefault(with_uid(card).uid, (place, card))
        self._claimed: dict[str, _Claimed] = {}
        for claim in claims:
            claimed = self._claimed.setdefault(with_uid(claim.card).uid, _Claimed())
            claimed.names.setdefault(called(claim.card), []).append(claim)
        for uid, claimed in self._claimed.items():
            self._decide(uid, claimed)
        self._own = self._made()

    def apart(self, source: Sequence[Card]) -> list[tuple[Card, str]]:
        """These cards of the claims in their order, each under the UID that it has at the target, groups with their members under theirs.
        Beside a card that got one of its own stands why, in words; "" beside all others.
        """
        found = [self._placed(card) for card in source]
        moved = self._moved(source, [card for card, _ in found])
        return [(_with_members(card, moved), told) if moved and card.is_group else (card, told) for card, told in found]

    def _placed(self, card: Card) -> tuple[Card, str]:
        uid, name = with_uid(card).uid, called(card)
        claimed = self._claimed[uid]
        if name == claimed.owner:
            return card, ""
        its = "its UID" if card.uid else "the UID that is made from what it says"
        of_whom = f" too, {claimed.shown}" if claimed.owner in claimed.names else f" at the target, {claimed.shown}"
        is_another = f"is another card's{of_whom}" if claimed.shown else "was another card's"
        return under(card, self._own[uid, name]), f"{its} {is_another}; it is kept under one of its own"

    def _moved(self, source: Sequence[Card], placed: Sequence[Card]) -> Mapping[str, str]:
        """The UIDs that no card of these has any more, and which their first has instead: whom a group of theirs means."""
        kept = {with_uid(card).uid for card in placed}
        moved: dict[str, str] = {}
        for before, after in zip(source, placed, strict=True):
            if before.uid and before.uid not in kept:
                moved.setdefault(before.uid, after.uid)
        return moved

    # -- whose a UID is

    def _decide(self, uid: str, claimed: _Claimed) -> None:
        there = self._there.get(uid)
        if there is None:
            claimed.owner = next((name for name in claimed.names if not self._has_own(uid, name)), None)
        else:
            claimed.owner = self._owner_beside(uid, claimed.names, *there)
        if claimed.owner is not None:
            claimed.shown = claimed.names[claimed.owner][0].card.shown
        elif there is not None:
            claimed.shown = there[1].shown

    def _owner_beside(self, uid: str, names: Mapping[Name, Sequence[Claim]], place: int, there: Card) -> Name | None:
        theirs = called(there)
        if theirs in names:
            return theirs
        waiting = [name for name in names if not self._has_own(uid, name)]
        known = (name for name in waiting if any(claim.place == place for claim in names[name]))
        alike = (name for name in waiting if any(may_be(claim.card, there) for claim in names[name]))
        return next(known, None) or next(alike, None)

    def _has_own(self, uid: str, name: Name) -> bool:
        """Whether the target has the card that was made for this name beside another's."""
        there = self._there.get(uid_beside(uid, name[0])) if self._there else None
        return there is not None and there[1].is_group == name[1]

    def _made(self) -> dict[tuple[str, Name], str]:
        """The UID of its own for each name that does not get the one it claims; nobody else has it."""
        taken: dict[str, Name | None] = {uid: one.owner for uid, one in self._claimed.items()}
        made: dict[tuple[str, Name], str] = {}
        for uid, claimed in self._claimed.items():
            for name in claimed.names:
                if name != claimed.owner:
                    own = uid_beside(uid, name[0])
                    while taken.setdefault(own, name) != name:
                        own = uid_beside(own, name[0])
                    made[uid, name] = own
        return made


def apart(source: Sequence[Card], target: Sequence[Card]) -> list[tuple[Card, str]]:
    """The cards of a source that brings nothing else to this target, and of which nothing is on record: see Owners."""
    return Owners(map(Claim, source), target).apart(source)


def called(card: Card) -> Name:
    """Of what name a card is, and whether it is a group's: a group and a person are never one."""
    return meaning.called(card), card.is_group


def may_be(card: Card, there: Card) -> bool:
    """Whether two cards of one UID may be one though their names are not the same: one has none, one name is in the other, or they have an
    address, a number or, as groups, a member in common.
    """
    if card.is_group != there.is_group:
        return False
    ours, theirs = meaning.names_of(card), meaning.names_of(there)
    if not ours or not theirs or any(one <= other or other <= one for one in ours for other in theirs):
        return True
    if card.is_group:
        return not set(card.members).isdisjoint(there.members)
    return not meaning.values_of(card, REACHES).isdisjoint(meaning.values_of(there, REACHES))


def under(card: Card, uid: str) -> Card:
    """The card under this UID."""
    if card.uid == uid:
        return card
    return Card((Property("UID", ((uid,),)), *card.without("UID").properties), card.version)


def _with_members(card: Card, moved: Mapping[str, str]) -> Card:
    if moved.keys().isdisjoint(card.members):
        return card
    return replace(card, properties=tuple(following(one, moved) for one in card.properties))


def following(one: Property, moved: Mapping[str, str]) -> Property:
    """A member under the UID it has now; any other property as it is."""
    if one.name not in MEMBERS:
        return one
    member = member_of(one)
    return replace(one, parts=((f"urn:uuid:{moved[member]}",),)) if member in moved else one
