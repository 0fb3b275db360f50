"""What all tables of contacts share: labels, dates, names, and the promise that what a column only half says is said in full elsewhere.

A table's columns say most of a card in the table's own words. `left_over` compares what they mean with what the card means; what is
missing or was bent is kept in whole (see leftovers.py), and `restored` puts it in the place of the bent one when the table is read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from migrator.contacts import dates, meaning
from migrator.contacts.model import BINARY, Card, Property, text_property

LABEL = "X-ABLABEL"
NAMING = frozenset({"FN", "N"})  # made up from the columns where the card does not say otherwise
ONE_OF_A_KIND = frozenset({"FN", "N", "UID", "BDAY", "ANNIVERSARY", "KIND", "SORT-STRING", "GENDER"})
NOT_KEPT = frozenset({"VERSION", "PRODID"})
LOST = frozenset({"PHOTO", "LOGO", "SOUND"})  # where they are embedded; as addresses they are kept
SEVERAL = re.compile(r",(?=\S)")
ROW_LINE = re.compile(r"\r\n?|\n")

_DATE = re.compile(r"(\d{4}|-)-(\d\d)-(\d\d)")
_APPLE_LABEL = re.compile(r"_\$!<(.*)>!\$_")


class Columns(Protocol):
    """How a table of one program holds a card. Cells go by the program's own names of columns, in English, whatever the file calls them."""

    def canonical(self, header: Sequence[str]) -> tuple[str, ...] | None:
        """The columns of a file by our names, in its order; None if this is another program's table."""

    def header(self, wanted: Iterable[Mapping[str, str]], there: Sequence[str]) -> tuple[str, ...]:
        """Our names of the columns that these rows need beside those that are there, in order."""

    def titles(self, columns: Sequence[str]) -> tuple[str, ...]:
        """What the first row of a file that is written calls these columns."""

    def cells(self, card: Card) -> dict[str, str]:
        """A card's row."""

    def card(self, cells: Mapping[str, str]) -> Card:
        """A row's card."""


@dataclass(frozen=True, slots=True)
class Said:
    """A property apart from its group, with the label that a person gave it."""

    what: Property
    label: str = ""


def said(card: Card) -> list[Said]:
    """What a card says, but for embedded data and what only the program that wrote it wants to know. Of several of a kind the preferred
    one is marked so, and no other.
    """
    labels = {one.group: one.text for one in card.all(LABEL) if one.group}
    users = Counter(one.group for one in card.properties if one.name != LABEL)
    many = Counter(one.name for one in card.properties)
    found = []
    for one in card.properties:
        if one.name in NOT_KEPT or (one.data is not None and one.name in BINARY):
            continue
        if one.name == LABEL and one.group and users[one.group]:
            continue
        best = many[one.name] > 1 and one.preferred is not None and one.preferred == _best(card, one.name)
        alone = one.group and (one.group in labels or users[one.group] == 1)
        what = replace(one, preferred=1 if best else None, group="" if alone else one.group)
        found.append(Said(what, labels.get(one.group, "") if one.group else ""))
    return found


def _best(card: Card, name: str) -> int | None:
    return min((one.preferred for one in card.all(name) if one.preferred is not None), default=None)


def grouped(found: Iterable[Said]) -> tuple[Property, ...]:
    """The same as properties of a card: what has a label shares a group with it."""
    properties: list[Property] = []
    number = 0
    for one in found:
        if not one.label:
            properties.append(one.what)
            continue
        number += 1
        properties.append(replace(one.what, group=f"item{number}"))
        properties.append(Property(LABEL, ((one.label,),), group=f"item{number}"))
    return tuple(properties)


def left_over(card: Card, read: Sequence[Said]) -> list[Said]:
    """What a card means and its columns, read again, do not. A name that they make up and the card does not have comes empty."""
    pool = Counter(map(_meaning, read))
    missing = []
    for one in said(card):
        key = _meaning(one)
        if one.what.name in NAMING:
            continue
        if pool[key]:
            pool[key] -= 1
        else:
            missing.append(one)
    back = Card(grouped([*read, *missing]))
    if any(one.name in NAMING for one in meaning.compare(card, back)):
        names = [Said(replace(one, group="")) for one in card.properties if one.name in NAMING]
        empty = NAMING - {one.what.name for one in names}
        missing += [*names, *(Said(Property(name, (("",),))) for name in sorted(empty))]
    return missing


def _meaning(one: Said) -> Hashable:
    alone = Card(grouped([one]))
    facts = frozenset(fact.all_but_shown for fact in meaning.facts(alone))
    return (facts, one.what.preferred) if facts else one


def restored(read: Iterable[Said], leftovers: Iterable[Said]) -> list[Said]:
    """What columns and leftovers say together: a leftover takes the place of what the columns say of the same thing."""
    found = list(read)
    for one in leftovers:
        place = next((place for place, other in enumerate(found) if _same_thing(one.what, other.what)), None)
        empty = one.what.name in NAMING and not one.what.text.strip(";")
        if place is not None:
            found[place : place + 1] = [] if empty else [one]
        elif not empty:
            found.append(one)
    return found


def _same_thing(one: Property, other: Property) -> bool:
    return one.name == other.name and (one.name in ONE_OF_A_KIND or one.text.rstrip(";") == other.text.rstrip(";"))


def fields_of(leftovers: Iterable[Said]) -> Iterator[Property]:
    """Leftovers as properties, each labelled one in a group of its own that no card has."""
    for number, one in enumerate(leftovers, start=1):
        if one.label:
            yield replace(one.what, group=f"more{number}")
            yield Property(LABEL, ((one.label,),), group=f"more{number}")
        else:
            yield one.what


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
