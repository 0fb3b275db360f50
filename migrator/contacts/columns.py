"""What all tables of contacts share: labels, dates, names, and the promise that what a column only half says is said in full elsewhere.

A table's columns say most of a card in the table's own words. `left_over` compares what they mean with what the card means; what is
missing or was bent is kept in whole (see leftovers.py), and `restored` puts it in the place of the bent one when the table is read.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from migrator.contacts import dates, meaning
from migrator.contacts.model import LISTS, Card, Property, text_property
from migrator.frozen import dataclass

LABEL = "X-ABLABEL"
NAMING = frozenset({"FN", "N"})  # made up from the columns where the card does not say otherwise
ONE_OF_A_KIND = frozenset(
    {"FN", "N", "UID", "BDAY", "ANNIVERSARY", "KIND", "SORT-STRING", "GENDER", "CATEGORIES", "NICKNAME"}
)
NOT_KEPT = frozenset({"VERSION", "PRODID", "REV", "PROFILE"})  # of the file or the moment, not of the person
CUSTOM = "X-CUSTOM"  # what stands in a column or field of a person's own; its parameter LABEL is what that is called
REPLACES = "X-REPLACES"  # a leftover's parameter: which thing of the columns it stands for, from 1; 0 is none of them
LOST = frozenset({"PHOTO", "LOGO", "SOUND"})  # where they are embedded, not as the address of one
_ONE_COLUMN = (
    frozenset({"ANNIVERSARY", "X-ABDATE"}),
    frozenset({"X-SPOUSE", "X-MANAGER", "X-ASSISTANT", "X-ABRELATEDNAMES", "RELATED"}),
)
SEVERAL = re.compile(r",(?=\S)")
ROW_LINE = re.compile(r"\r\n?|\n")

_DATE = re.compile(r"(\d{4}|-)-(\d\d)-(\d\d)")
_APPLE_LABEL = re.compile(r"_\$!<(.*)>!\$_")


class Columns(Protocol):
    """How a table of one program holds a card. Cells go by the program's own names of columns, in English, whatever the file calls them."""

    def recognised(self, header: Sequence[str]) -> tuple[Columns, tuple[str, ...]] | None:
        """The columns as a file with this first row has them (its language), and our names of them in its order; None if it is
        another program's.
        """

    def header(self, wanted: Iterable[Mapping[str, str]], there: Sequence[str]) -> tuple[str, ...]:
        """Our names of the columns that these rows need beside those that are there, in order."""

    def titles(self, columns: Sequence[str]) -> tuple[str, ...]:
        """What the first row of a file that is written calls these columns."""

    def cells(self, card: Card) -> dict[str, str]:
        """A card's row."""

    def card(self, cells: Mapping[str, str]) -> Card:
        """A row's card."""

    def told(self, cells: Mapping[str, str]) -> tuple[str, ...]:
        """What of a row is no contact's, in words."""


@dataclass(frozen=True, slots=True)
class Said:
    """A property apart from its group, with the label that a person gave it."""

    what: Property
    label: str = ""


def said(card: Card) -> list[Said]:
    """What a card says, but for embedded pictures and sounds and what is not of the person. Of several of a kind the preferred one is marked so, and no
    other; lists of one kind are one.
    """
    labels = {one.group.lower(): one.text for one in card.all(LABEL) if one.group}
    users = Counter(one.group.lower() for one in card.properties if one.name != LABEL)
    many = Counter(one.name for one in card.properties)
    found: list[Said] = []
    for one in card.properties:
        if one.name in NOT_KEPT or (one.data is not None and one.name in LOST):
            continue
        group = one.group.lower()
        if one.name == LABEL and group and users[group]:
            continue
        best = many[one.name] > 1 and one.preferred is not None and one.preferred == _best(card, one.name)
        alone = group in labels or users[group] == 1
        what = replace(one, preferred=1 if best else None, group="" if alone else one.group)
        _say(found, Said(what, labels.get(group, "") if group else ""))
    return found


def _say(found: list[Said], one: Said) -> None:
    """Add it, a list to the one of its kind that is there."""
    if one.what.name in LISTS and not one.label:
        words = tuple(word for part in one.what.parts for word in part)
        for place, other in enumerate(found):
            if (
                replace(other.what, parts=()) == Property(one.what.name) == replace(one.what, parts=())
                and not other.label
            ):
                found[place] = Said(replace(one.what, parts=((*other.what.parts[0], *words),)))
                return
        one = Said(replace(one.what, parts=(words,)))
    found.append(one)


def _best(card: Card, name: str) -> int | None:
    return min((one.preferred for one in card.all(name) if one.preferred is not None), default=None)


def grouped(found: Iterable[Said]) -> tuple[Property, ...]:
    """The same as properties of a card: what has a label shares a group with it."""
    every = list(found)
    taken = {one.what.group for one in every}
    free = (group for number in itertools.count(1) if (group := f"item{number}") not in taken)
    properties: list[Property] = []
    for one in every:
        if not one.label:
            properties.append(one.what)
            continue
        group = next(free)
        properties.append(replace(one.what, group=group))
        properties.append(Property(LABEL, ((one.label,),), group=group))
    return tuple(properties)


def left_over(card: Card, read: Sequence[Said]) -> list[Said]:
    """What a card means and its columns, read again, do not. A name that they make up and the card does not have comes empty."""
    wanted = [one for one in said(card) if one.what.name not in NAMING]
    pool = Counter(map(_meaning, read))
    missing = [one for one in wanted if not _taken(pool, _meaning(one))]
    if Counter(map(_meaning, restored(read, missing))) != _without_names(read, wanted):
        missing = _numbered(read, wanted)
    back = Card(grouped([*read, *missing]))
    if any(one.name in NAMING for one in meaning.compare(card, back)):
        names = [Said(replace(one, group="")) for one in card.properties if one.name in NAMING]
        empty = NAMING - {one.what.name for one in names}
        names += [Said(Property(name, (("",),))) for name in sorted(empty)]
        if Card(grouped(restored(read, [*missing, *names]))).label != card.label:
            # Nobody gave it a name: it is called by its first address or number, and a table has an order of its own for these.
            names = [Said(text_property("FN", card.label)), *(one for one in names if one.what.name != "FN")]
        missing += names
    return missing


def restored(read: Iterable[Said], leftovers: Iterable[Said]) -> list[Said]:
    """What columns and leftovers say together: a leftover takes the place of what the columns say of the same thing."""
    found = list(read)
    free = set(range(len(found)))
    gone: set[int] = set()
    for leftover in leftovers:
        told = leftover.what.param(REPLACES)
        params = tuple(param for param in leftover.what.params if param[0] != REPLACES)
        one = replace(leftover, what=replace(leftover.what, params=params))
        empty = one.what.name in NAMING and not one.what.is_filled
        place = (int(told) - 1 if told.isdecimal() else None) if told else _place_of(one, found, free)
        if place is not None and place in free and _same_kind(one.what, found[place].what):
            free.discard(place)
            gone |= {place} if empty else set()
            found[place] = one
        elif not empty:
            found.append(one)
    return [one for place, one in enumerate(found) if place not in gone]


def _place_of(one: Said, found: Sequence[Said], free: set[int]) -> int | None:
    """Where the columns speak of the same thing, the likest one."""
    alike = [place for place in sorted(free) if _same_thing(one.what, found[place].what)]
    return max(alike, key=lambda place: len(one.what.types & found[place].what.types), default=None)


def _same_thing(one: Property, other: Property) -> bool:
    if not _same_kind(one, other):
        return False
    if one.name == "ADR":  # a table may have no column for a component; its words then stand in another, or nowhere
        return not Counter(other.text.replace(";", " ").split()) - Counter(one.text.replace(";", " ").split())
    return one.name in ONE_OF_A_KIND or one.text.strip() == other.text.strip()


def _same_kind(one: Property, other: Property) -> bool:
    """Whether one can stand for the other: they have one name, or names that tables have one column for."""
    return one.name == other.name or any({one.name, other.name} <= names for names in _ONE_COLUMN)


def _numbered(read: Sequence[Said], wanted: Iterable[Said]) -> list[Said]:
    """What is missing, each with the number of what it stands for: where the like of it is there more than once."""
    free = set(range(len(read)))
    late = []
    for one in wanted:
        place = next((place for place in sorted(free) if _meaning(read[place]) == _meaning(one)), None)
        if place is None:
            late.append(one)
        else:
            free.discard(place)
    missing = []
    for one in late:
        place = _place_of(one, read, free)
        free.discard(-1 if place is None else place)
        number = (REPLACES, (str(0 if place is None else place + 1),))
        missing.append(replace(one, what=replace(one.what, params=(*one.what.params, number))))
    return missing


def _taken(pool: Counter[Hashable], key: Hashable) -> bool:
    pool[key] -= 1
    return pool[key] >= 0


def _without_names(read: Iterable[Said], wanted: Iterable[Said]) -> Counter[Hashable]:
    """What has to come back: what is wanted, and the names that the columns make up, which are looked at apart."""
    return Counter(map(_meaning, [*wanted, *(one for one in read if one.what.name in NAMING)]))


def _meaning(one: Said) -> Hashable:
    facts = frozenset(fact.all_but_shown for fact in meaning.facts(Card(grouped([one]))))
    return (facts, one.what.preferred) if facts else one


def labelled(properties: Sequence[Property]) -> list[Said]:
    """Leftovers with their labels, as `fields_of` wrote them."""
    labels = {one.group: one.text for one in properties if one.name == LABEL and one.group}
    return [
        Said(replace(one, group=""), labels[one.group]) if one.group in labels else Said(one)
        for one in properties
        if one.name != LABEL or not one.group
    ]


def fields_of(leftovers: Iterable[Said]) -> Iterator[Property]:
    """Leftovers as properties, each labelled one in a group of its own that no card has."""
    for number, one in enumerate(leftovers, start=1):
        if one.label:
            yield replace(one.what, group=f"more{number}")
            yield Property(LABEL, ((one.label,),), group=f"more{number}")
        else:
            yield one.what


def custom(label: str, value: str) -> Property:
    """What stands in a column that nobody knows."""
    return replace(text_property(CUSTOM, value), params=(("LABEL", (label,)),) if label else ())


# -- words and dates --------------------------------------------------------------------------------------------------


def plain_label(label: str) -> str:
    """A label as people see it: Apple writes its own as `_$!<HomePage>!$_`."""
    found = _APPLE_LABEL.fullmatch(label)
    return found[1] if found else label


def name_of(family: str, given: str, middle: str, prefix: str, suffix: str) -> Property | None:
    """The name; what is separated by commas without a blank are several."""
    parts = (family, given, middle, prefix, suffix)
    if not any(parts):
        return None
    return Property("N", tuple(tuple(SEVERAL.split(part)) for part in parts))


def called(name: Property) -> str:
    """What a person of this name is called where nobody says: prefix, given, middle and family name, suffix."""
    return " ".join(filter(None, (" ".join(name.parts[place]).strip() for place in (3, 1, 2, 0, 4))))


def date_of(one: Property) -> tuple[int | None, int, int] | None:
    """Year (None without one), month and day of a date without a time; None for anything else."""
    found = _DATE.fullmatch(dates.day(one.text, one.param("X-APPLE-OMIT-YEAR")))
    if found is None:
        return None
    return None if found[1] == "-" else int(found[1]), int(found[2]), int(found[3])


def dated(name: str, year: int | None, month: int, day: int) -> Property | None:
    """A date; None if the calendar has no such one."""
    spelt = dates.day(f"{year:04d}-{month:02d}-{day:02d}" if year else f"--{month:02d}-{day:02d}")
    return text_property(name, spelt) if spelt else None
