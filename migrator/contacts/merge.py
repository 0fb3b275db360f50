"""What a target book should hold once a source book has come to it. No reading, no writing: two lists of cards, one decision for each card
of the source.

A UID that cards of several names claim is one card's only: the others are kept apart, each under a UID of its own (owners.py). Then the
rules, the first that fits decides. A card whose UID is there: if both mean the same it stays; the one with the newer REV counts; else both
become one. A card that is there under another UID and means the same stays. A card without a UID whose name and one e-mail or
telephone are there becomes one with it, a group without one, or one of a product that knows groups by their names alone, with the group of its name. Any other is added: what is only alike stays two.
Where two cards become one nothing is lost but what a card can have only once; that is the target's, and the decision names it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from datetime import UTC, datetime
from enum import Enum

from migrator.contacts import dates, meaning
from migrator.contacts.model import MEMBERS, Card, Property, member_of, text_property
from migrator.contacts.owners import apart, following, under
from migrator.contacts.remarks import Remark
from migrator.contacts.vcard import uid_for, with_uid
from migrator.frozen import dataclass

_ONCE = frozenset(
    {"FN", "N", "BDAY", "ANNIVERSARY", "GENDER", "KIND", "SORT-STRING", "CLASS", "MAILER", "DEATHDATE", "X-ABSHOWAS"}
)
_TOLD_ELSEWHERE = frozenset({"UID", "REV", "PRODID", "VERSION", "X-ABLABEL", "NOTE"})
_REACHES = ("EMAIL", "TEL")
_BESIDE = (
    "TEL",
    "EMAIL",
    "IMPP",
    "ADR",
    "URL",
    "ORG",
    "TITLE",
    "ROLE",
    "PHOTO",
    "NOTE",
)  # where two values may mean that one is old
_UNKNOWN = datetime.min.replace(tzinfo=UTC)
_WITHOUT_UID = frozenset({"UID"})


class Verdict(Enum):
    """What is to be done about a card of the source."""

    ADD = "add"
    KEEP = "keep"  # the target has it already, or has a newer one
    REPLACE = "replace"  # the source's counts
    UNITE = "unite"  # both become one


@dataclass(frozen=True, slots=True)
class Conflict:
    """What two cards that become one say otherwise: which property, and the value of each as it is shown. `both` says that the card says
    both in the end, else it says what the target's did.
    """

    name: str
    source: str
    target: str
    both: bool = False

    def __str__(self) -> str:
        if self.both:
            return f"{self.name}: {self.source} is put beside {self.target}, both are kept"
        return f"{self.name}: the source has {self.source}, the target keeps {self.target}"

    @property
    def remark(self) -> Remark:
        """The same in two parts: what cards may have in common, and the values of this one."""
        shared = (
            f"{self.name}: what the source says is put beside what the target said, both are kept"
            if self.both
            else f"{self.name}: the target says otherwise, and keeps it"
        )
        return Remark(shared, str(self))


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one card of the source. `card` is what the target is to hold in the end, under its UID; `place` says which card of the
    target it takes the place of (its index in what was given), None for one that is not there yet. `joins` is the index of another card of
    the source by whose decision that card is written, this one's content in it: then the verdict is KEEP, if that one succeeds. `repeats`
    is the index of the source's card that was decided before and is the same card of the target in the end: two cards come, one is there.
    `why` is told to people, `conflicts` is what the target says otherwise, `told` in words what another card of the source does. `wanted` is what the source's cards under its UID say together,
    whatever the target says. `others` are the indexes of cards that were only decided along and say something of it too.
    """

    verdict: Verdict
    card: Card
    place: int | None = None
    joins: int | None = None
    repeats: int | None = None
    why: str = ""
    conflicts: tuple[Conflict, ...] = ()
    told: tuple[str, ...] = ()
    others: tuple[int, ...] = ()
    wanted: Card = field(default_factory=Card)


def merge(source: Sequence[Card], target: Sequence[Card]) -> list[Decision]:
    """One decision for each card of the source, in its order. The same lists always give the same; merging once more into the result adds,
    replaces and unites nothing.
    """
    return decided([card for card, _ in apart(source, target)], target)


def decided(source: Sequence[Card], target: Sequence[Card], ours: range | None = None) -> list[Decision]:
    """The same for cards of which it has been seen to whose each UID is.

    With `ours` for these alone, by their indexes: the others come to the same book before or after, and are decided along. Then `joins` and
    `repeats` count from the first of ours.
    """
    book = _Book(target)
    ones = list(_folded(source))
    # Groups come last, each behind those that are its members: members follow the UIDs that these have got by then.
    groups = [one for one in ones if one.card.is_group]
    known = {one.place for one in ones if book.awaits(one.card)}
    found: list[tuple[_One, Decision, _Shelf]] = []
    for part in ([one for one in ones if not one.card.is_group], *_members_first(groups)):
        # Who is known by UID is not taken by another that is merely alike.
        found += [(one, *book.decide(one)) for one in sorted(part, key=lambda one: one.place not in known)]
    if ours is None or len(ours) == len(source):
        return _told_of(range(len(source)), source, found, {}, frozenset())
    now = _groups_now(ours, source, found, book)
    idle = frozenset(
        id(shelf)
        for _, _, shelf in found
        if id(shelf) in now
        and shelf.place is not None
        and meaning.same(target[shelf.place], now[id(shelf)], _WITHOUT_UID)
    )
    return _told_of(ours, source, found, now, idle)


_Found = tuple["_One", Decision, "_Shelf"]


def _groups_now(ours: range, source: Sequence[Card], found: Sequence[_Found], book: _Book) -> dict[int, Card]:
    """By shelf the groups that ours write, without members that only others name: those may not have come yet."""
    named: dict[int, set[str]] = {}
    for one, _, shelf in found:
        mine = [source[place] for place in one.places if place in ours]
        if shelf.card.is_group and mine:
            members = {book.moved.get(member, member) for card in mine for member in card.members}
            named.setdefault(id(shelf), set(shelf.before)).update(members)
    now: dict[int, Card] = {}
    for _, _, shelf in found:
        if id(shelf) in named:
            members = named[id(shelf)]
            kept = (one for one in shelf.card.properties if one.name not in MEMBERS or member_of(one) in members)
            now[id(shelf)] = replace(shelf.card, properties=tuple(kept))
    return now


def _told_of(
    ours: range,
    source: Sequence[Card],
    found: Sequence[_Found],
    now: Mapping[int, Card],
    idle: AbstractSet[int],
) -> list[Decision]:
    """What has been decided of everything, told of some of it. `now` are cards, by their shelves, of which ours write another than the whole;
    `idle` are shelves to which ours have nothing to add.
    """
    told: dict[int, _Found] = {
        first: (one, decision, shelf) for first, one, decision, shelf in _firsts(ours, found, idle)
    }
    for first, (one, decision, shelf) in list(told.items()):
        for twin in one.places:
            if twin in ours and twin != first:
                told[twin] = one, _decision_of_twin(first, source, twin, decision, one.twins[twin]), shelf
    comers: defaultdict[int, list[int]] = defaultdict(list)  # by shelf: all that come to it
    for one, _, shelf in found:
        comers[id(shelf)] += one.places
    at: dict[int, int] = {}  # by shelf: the one of ours that came to it first
    decisions: dict[int, Decision] = {}
    for place, (one, decision, shelf) in told.items():
        before = at.setdefault(id(shelf), place)
        decisions[place] = replace(
            decision,
            card=now.get(id(shelf), shelf.card),
            joins=None if decision.joins is None else decision.joins - ours.start,
            repeats=before - ours.start if before != place and decision.verdict is Verdict.KEEP else None,
            others=tuple(other for other in comers[id(shelf)] if other not in ours),
            wanted=one.card,
        )
    return [decisions[place] for place in ours]


def _firsts(
    ours: range, found: Sequence[_Found], idle: AbstractSet[int]
) -> Iterator[tuple[int, _One, Decision, _Shelf]]:
    """The first of ours under each UID, and what becomes of it: what a card of the others would write, the first of ours in it writes."""
    decided_on = {one.place: decision for one, decision, _ in found}
    writers: dict[int, int] = {}  # by whoever writes a card of all: who of ours does
    for one, decision, shelf in found:
        first = next((place for place in one.places if place in ours), None)
        if first is None:
            continue
        mine = replace(decision, told=one.twins.get(first, ()))
        writer = one.place if decision.joins is None else decision.joins
        if id(shelf) in idle:
            mine = replace(mine, verdict=Verdict.KEEP, joins=None)
        elif writer in writers:
            mine = replace(mine, joins=writers[writer])
        elif decision.joins is not None:
            theirs = decided_on[writer]
            conflicts = tuple(dict.fromkeys((*theirs.conflicts, *decision.conflicts)))
            mine = replace(mine, verdict=theirs.verdict, joins=None, conflicts=conflicts)
        writers.setdefault(writer, first)
        yield first, one, mine, shelf


@dataclass(slots=True)
class _One:
    """What the source has under one UID: the index of its first card, and what all say together. `twins` are the indexes of the others,
    each with what it says otherwise than the whole, in words.
    """

    place: int
    card: Card
    twins: dict[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def places(self) -> tuple[int, ...]:
        """The indexes of all its cards, in order."""
        return self.place, *self.twins


def _folded(source: Sequence[Card]) -> Iterable[_One]:
    """Every UID of the source once. Cards of one name that share one are one card, told several times."""
    found: dict[str, _One] = {}
    for place, card in enumerate(source):
        one = found.setdefault(with_uid(card).uid, _One(place, card))
        if one.place == place:
            continue
        one.twins[place] = ()
        newer = _newer(card, one.card)
        if newer > 0:
            one.card = card
            one.twins = dict.fromkeys(one.twins, ())  # the newer card counts, whatever the older ones said
        elif newer == 0 and not meaning.same(one.card, card, _WITHOUT_UID):
            newest = max(_age(one.card), _age(card))
            one.card, conflicts = unite(one.card, card)
            one.card = _dated(one.card, newest)
            one.twins[place] = tuple(map(_among_twins, conflicts))
    return found.values()


def _members_first(groups: Sequence[_One]) -> Iterator[Sequence[_One]]:
    """Groups in parts, those that are members of others in an earlier one. Where groups are members of each other, none can be first."""
    by_uid = {with_uid(one.card).uid: one for one in groups}
    left = {one.place: {by_uid[uid].place for uid in one.card.members if uid in by_uid} - {one.place} for one in groups}
    while left:
        ready = {place for place, members in left.items() if members.isdisjoint(left)} or set(left)
        yield [one for one in groups if one.place in ready]
        left = {place: members for place, members in left.items() if place not in ready}


def _among_twins(conflict: Conflict) -> str:
    counts = f"another card of the source says {conflict.target}, which counts"
    return f"{conflict.name}: this one says {conflict.source}, {counts}"


def _decision_of_twin(
    place: int, source: Sequence[Card], twin: int, first: Decision, told: tuple[str, ...]
) -> Decision:
    """The decision about a card whose UID another has, that of `place`."""
    if meaning.same(source[place], source[twin], _WITHOUT_UID):
        why = "the source has the same card twice"
    elif source[twin].uid:
        why = "another card of the source has its UID"
    else:
        why = "another card of the source has the UID that is made from what it says"
    joins = first.joins if first.verdict is Verdict.KEEP else place
    return Decision(Verdict.KEEP, first.card, first.place, joins, why=why, told=told)


# -- a book being merged into -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Shelf:
    """A card of the result. `place` is the target's, None for one that the source brought; `written_by` is the source's card by whose
    decision it is written, None while it is as the target has it. `awaited` says that a card of its UID is still to
    come, `settled` that a card of another UID is known by its likeness to this one, which therefore must not change.
    """

    card: Card
    place: int | None
    taken: bool = False
    awaited: bool = False
    settled: bool = False
    written_by: int | None = None
    newest: tuple[datetime, str] = (_UNKNOWN, "")
    before: frozenset[str] = frozenset()  # whom the target's group has as members

    def decision(self, verdict: Verdict, why: str, conflicts: tuple[Conflict, ...] = ()) -> Decision:
        """A decision about this card that changes nothing, or nothing more than another does already."""
        return Decision(verdict, self.card, self.place, self.written_by, why=why, conflicts=conflicts)

    def change(self, by: int, card: Card, verdict: Verdict, why: str, conflicts: tuple[Conflict, ...] = ()) -> Decision:
        """The decision that puts another card here."""
        self.card, self.taken = card, True
        if self.written_by is not None:
            return self.decision(Verdict.KEEP, why, conflicts)
        self.written_by = by
        return Decision(verdict, card, self.place, why=why, conflicts=conflicts)


class _Book:
    """What the target would hold, decision by decision."""

    def __init__(self, target: Sequence[Card]) -> None:
        self._by_uid: dict[str, _Shelf] = {}
        self._by_meaning: defaultdict[str, list[_Shelf]] = defaultdict(list)
        self._by_name: defaultdict[tuple[str, bool], list[_Shelf]] = defaultdict(list)
        self.moved: dict[str, str] = {}  # UIDs of the source, and under which the target has them
        for place, card in enumerate(target):
            shelf = _Shelf(card, place, before=frozenset(card.members))
            self._by_uid.setdefault(with_uid(card).uid, shelf)
            for likeness in meaning.likenesses(card):
                self._by_meaning[likeness].append(shelf)
            self._by_name[_name(card)].append(shelf)

    def awaits(self, card: Card) -> bool:
        """Whether the target has a card of this UID, be it one made from its meaning; that is then kept for it."""
        shelf = self._by_uid.get(with_uid(card).uid)
        if shelf is not None:
            shelf.awaited = True
        return shelf is not None

    def decide(self, one: _One) -> tuple[Decision, _Shelf]:
        """What becomes of a card of the source, and where it is then."""
        card, uid = one.card, with_uid(one.card).uid
        ours = under(replace(card, properties=tuple(following(one, self.moved) for one in card.properties)), uid)
        shelf = self._by_uid.get(uid)
        if shelf is not None:
            known = "its UID" if card.uid else "the UID that is made from what it says"
            return self._meet(one.place, ours, shelf, f"the target has {known}"), shelf
        # Of an empty book nobody has to be asked, and what a card means costs more to say than all else here.
        likenesses = meaning.likenesses(ours) if self._by_meaning else ()
        shelf = self._free((one for likeness in likenesses for one in self._by_meaning[likeness]), ours)
        if shelf is not None:
            self._move(uid, shelf)
            shelf.settled = bool(card.uid) and not _is_told_by_name(shelf.card, card)
            return shelf.decision(Verdict.KEEP, "the target has the same under another UID"), shelf
        shelf = self._alike(card, ours)
        if shelf is not None:
            self._move(uid, shelf)
            shared = "a group of its name" if card.is_group else "its name and an address or number of it"
            return self._meet(one.place, ours, shelf, f"one of both has no UID; the target has {shared}"), shelf
        shelf = _Shelf(ours, None)
        return shelf.change(
            one.place, ours, Verdict.ADD, "" if card.uid else "its UID was made from what it says"
        ), shelf

    def _move(self, uid: str, shelf: _Shelf) -> None:
        """From now on the source's UID means this card of the target."""
        self.moved[uid] = with_uid(shelf.card).uid
        shelf.taken = True

    @staticmethod
    def _free(shelves: Iterable[_Shelf], card: Card) -> _Shelf | None:
        """The first card nobody has taken that means the same: of twins, each has one of its own."""
        free = (one for one in shelves if not one.taken and not one.awaited)
        return next((one for one in free if meaning.same(card, one.card, _WITHOUT_UID)), None)

    def _alike(self, card: Card, ours: Card) -> _Shelf | None:
        """The card of the target that a card without a UID is, beyond doubt: one that says all of it already, else the one with most addresses
        and numbers in common.
        """
        name = _name(card)
        if not name[0]:
            return None
        near = [
            one
            for one in self._by_name[name]
            if not one.awaited
            and (not (card.uid and one.card.uid) or _is_told_by_name(one.card, card))
            and _name(one.card) == name  # a newer card may be here
        ]
        reaches = meaning.values_of(ours, _REACHES)
        shared = {id(one): len(reaches & meaning.values_of(one.card, _REACHES)) for one in near}
        near = [one for one in near if card.is_group or shared[id(one)]]
        said = (one for one in near if meaning.same(one.card, unite(one.card, ours)[0], _WITHOUT_UID))
        return next(said, max((one for one in near if not one.settled), key=lambda one: shared[id(one)], default=None))

    def _meet(self, place: int, ours: Card, shelf: _Shelf, why: str) -> Decision:
        theirs = shelf.card
        shelf.taken, shelf.awaited = True, False
        newer = 0
        if ours.uid == with_uid(theirs).uid:
            newer = _newer(ours, theirs)
            shelf.newest = max(shelf.newest, _age(ours), _age(theirs))
        if meaning.same(theirs, ours, _WITHOUT_UID):
            return shelf.decision(Verdict.KEEP, why)
        if newer < 0:
            return shelf.decision(Verdict.KEEP, f"{why}; that one is newer")
        if newer > 0:
            return shelf.change(place, ours, Verdict.REPLACE, f"{why}; the source's is newer")
        united, conflicts = unite(theirs, ours)
        if meaning.same(theirs, united, _WITHOUT_UID):
            return shelf.decision(Verdict.KEEP, f"{why}; it says all the source's says", conflicts)
        conflicts = (*conflicts, *_put_beside(theirs, ours))
        return shelf.change(place, _dated(united, shelf.newest), Verdict.UNITE, why, conflicts)


def _is_told_by_name(there: Card, group: Card) -> bool:
    """Whether a group of the target is of this very name, and its UID only made of that: by products that have groups as words of their
    members.
    """
    if not there.is_group or there.label != group.label:
        return False
    return there.uid == uid_for(Card((text_property("KIND", "group"), text_property("FN", there.label))))


def _name(card: Card) -> tuple[str, bool]:
    """The name as it is compared, "" for a card that has none; and whether it is a group's."""
    named = card.text("FN").strip() or any(word.strip() for one in card.all("N") for part in one.parts for word in part)
    return " ".join(card.label.casefold().split()) if named else "", card.is_group


def _age(card: Card) -> tuple[datetime, str]:
    """When a card was last changed, as an instant and as it says so; the beginning of time where that is not known."""
    spelt = card.text("REV")
    return dates.instant(spelt) or _UNKNOWN, spelt


def _newer(ours: Card, theirs: Card) -> int:
    """1 if the first is newer, -1 if the second is, 0 if that is not known."""
    mine, other = _age(ours)[0], _age(theirs)[0]
    if _UNKNOWN in {mine, other} or mine == other:
        return 0
    return 1 if mine > other else -1


def _dated(card: Card, newest: tuple[datetime, str]) -> Card:
    """A united card with the newest REV of what went into it under its UID, so that none of that counts as newer than the whole."""
    if newest[0] == _UNKNOWN or newest[1] == card.text("REV"):
        return card
    return card.without("REV").with_property(Property("REV", ((newest[1],),)))


# -- two cards into one -------------------------------------------------------------------------------------------------------


def unite(target: Card, source: Card) -> tuple[Card, tuple[Conflict, ...]]:
    """The target's card with everything the source's says beside it, and what the source says otherwise that a card can say only once."""
    kept = list(target.properties)
    conflicts: list[Conflict] = []
    groups = _groups_renamed(source, target)
    preferred = {one.name for one in target.properties if one.preferred is not None}
    for one in _news(target, source):
        name = meaning.common_name(one.name)
        if name in _ONCE:
            conflict = _add_once(kept, one, name)
            conflicts += [conflict] if conflict else []
            continue
        if one.name in preferred:
            one = replace(one, preferred=None)  # noqa: PLW2901 - what the target prefers stays so
        if one.group:
            one = replace(one, group=groups[one.group])  # noqa: PLW2901 - its label comes under the same
        _add(kept, one)
        if one.group:
            kept += [
                replace(label, group=one.group)
                for label in source.all("X-ABLABEL")
                if label.group and groups[label.group] == one.group and not _has_label(kept, one.group)
            ]
    _add_notes(kept, target, source)
    if not target.uid and source.uid:
        kept.insert(0, Property("UID", ((source.uid,),)))
    return Card(tuple(kept), target.version), tuple(conflicts)


def _put_beside(target: Card, source: Card) -> Iterator[Conflict]:
    """Where each of two cards says something that the other does not: one of both may be old."""
    ours, theirs = list(meaning.facts(source)), list(meaning.facts(target))
    for name in _BESIDE:
        new = _said_by_one(name, ours, theirs)
        old = _said_by_one(name, theirs, ours)
        if new and old:
            yield Conflict(name, ", ".join(new), ", ".join(old), both=True)


def _said_by_one(name: str, facts: Iterable[meaning.Fact], others: Iterable[meaning.Fact]) -> Iterable[str]:
    """The values, as they are shown, that only the first of two cards has; of a note, what the other's does not hold."""
    known = {other.value for other in others if other.name == name}
    in_it = "\n".join(known) if name == "NOTE" else ""
    mine = [fact for fact in facts if fact.name == name and fact.value not in known and fact.value not in in_it]
    return dict.fromkeys(fact.shown for fact in mine)


def _news(target: Card, source: Card) -> Iterator[Property]:
    """The properties of the source with something in them that the target does not say."""
    said = {(fact.name, fact.value, fact.words, fact.extras) for fact in meaning.facts(target)}
    for one in source.properties:
        if one.name in _TOLD_ELSEWHERE:
            continue
        if one.name in {"FN", "N"}:
            yield one
            continue
        told = list(meaning.facts_of(one, source))
        if any((fact.name, fact.value, fact.words, fact.extras) not in said for fact in told):
            yield one


def _add_once(kept: list[Property], one: Property, name: str) -> Conflict | None:
    """Add what a card has only once, if it has none; else the conflict, if it is one."""
    if not one.text.strip(";, "):
        return None
    theirs = next(
        (other for other in kept if meaning.common_name(other.name) == name and other.text.strip(";, ")), None
    )
    if theirs is None:
        kept[:] = [other for other in kept if meaning.common_name(other.name) != name]
        kept.append(replace(one, group=""))
        return None
    if meaning.values_agree(one, theirs):
        return None
    return Conflict(name, meaning.shown(one), meaning.shown(theirs))


def _add(kept: list[Property], one: Property) -> None:
    """Add a property, or its types to the one that has its value already."""
    for place, other in enumerate(kept):
        is_text = one.embedded is None and other.embedded is None
        if other.name == one.name and is_text and meaning.values_agree(one, other):
            params = tuple(param for param in one.params if param[0] not in {name for name, _ in other.params})
            grown = replace(other, types=other.types | one.types, params=other.params + params)
            kept[place] = grown if other.group or not one.group else replace(grown, group=one.group)
            return
    kept.append(one)


def _has_label(kept: Iterable[Property], group: str) -> bool:
    return any(one.name == "X-ABLABEL" and one.group == group for one in kept)


def _add_notes(kept: list[Property], target: Card, source: Card) -> None:
    """Add what the source's notes say: to the target's note, because most products show one."""
    said = "\n".join(meaning.plain(one.text) for one in target.all("NOTE"))
    more = []
    for one in source.all("NOTE"):
        text = meaning.plain(one.text)
        if text and text not in said:
            more.append(text)
            said += f"\n{text}"
    if not more:
        return
    place = next((place for place, one in enumerate(kept) if one.name == "NOTE"), None)
    if place is None:
        kept.append(Property("NOTE", (("\n\n".join(more),),)))
    else:
        kept[place] = replace(kept[place], parts=(("\n\n".join([kept[place].text.rstrip(), *more]),),))


def _groups_renamed(source: Card, target: Card) -> Mapping[str, str]:
    """A name for each of the source's property groups that the target does not use."""
    used = {one.group.lower() for one in target.properties}
    names: dict[str, str] = {}
    number = 1
    for one in source.properties:
        if one.group and one.group not in names:
            while f"item{number}" in used:
                number += 1
            names[one.group] = f"item{number}"
            used.add(f"item{number}")
    return names
