"""A card as Apple's Contacts writes and reads it best: 3.0 with its own names for what 3.0 has no word for.

What surprises: a date without a year is written with the year 1604 and a parameter saying that it is none; labels that Apple knows are
`_$!<Anniversary>!$_`, a person's own stand as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrator.contacts.columns import LABEL
from migrator.contacts.dates import NO_YEAR, day
from migrator.contacts.model import Card, Property, text_property

_KIN = {
    "spouse",
    "child",
    "parent",
    "friend",
    "mother",
    "father",
    "brother",
    "sister",
    "assistant",
    "manager",
    "partner",
}
_NAMES = {"KIND": "X-ADDRESSBOOKSERVER-KIND", "MEMBER": "X-ADDRESSBOOKSERVER-MEMBER"}


def as_apple(card: Card) -> Card:
    """The card with what Apple says otherwise said so; all else stays as it is."""
    groups = {one.group for one in card.properties}
    free = (f"item{number}" for number in range(1, len(card.properties) + len(groups) + 2))
    fresh = (group for group in free if group not in groups)
    return replace(card, properties=tuple(one for old in card.properties for one in _said(old, fresh)))


def _said(one: Property, groups: Iterator[str]) -> Iterator[Property]:
    if one.name in _NAMES and (one.name == "MEMBER" or one.text.lower() == "group"):
        yield replace(one, name=_NAMES[one.name])
    elif one.name == "KIND" and one.text.lower() == "org":
        yield one
        yield text_property("X-ABSHOWAS", "COMPANY")
    elif one.name == "BDAY" and day(one.text).startswith("--"):
        month_day = day(one.text).removeprefix("--").replace("-", "")
        if len(month_day) == 4:  # noqa: PLR2004 - two digits each
            text = f"{NO_YEAR}-{month_day[:2]}-{month_day[2:]}"
            yield replace(one, parts=((text,),), params=(("X-APPLE-OMIT-YEAR", (NO_YEAR,)),))
        else:
            yield one
    elif one.name == "RELATED" and not one.group and one.param("VALUE") == "text" and len(one.types & _KIN) == 1:
        group = next(groups)
        yield Property("X-ABRELATEDNAMES", one.parts, group=group)
        label = next(iter(one.types & _KIN)).capitalize()
        yield Property(LABEL, ((f"_$!<{label}>!$_",),), group=group)
    else:
        yield one
