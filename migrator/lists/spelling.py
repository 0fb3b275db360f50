"""Members and settings as words in the cells of a table, and back.

What surprises: a setting that holds several things (banned addresses) stands in several rows, one for each; with none it stands in one row
without a value, so that "nobody is banned" and "nothing is said" are two.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any

from migrator.addresses import same_form
from migrator.lists.model import OWN, Delivery, HeaderRule, Member, Role, Settings, Stopped, Treatment
from migrator.meant import perhaps

MEMBER_COLUMNS = (
    "address",
    "name",
    "role",
    "delivery",
    "stopped",
    "moderation",
    "hidden",
    "acknowledge",
    "own_posts",
    "list_copies",
    "language",
)
SETTING_COLUMNS = ("setting", "value")
_ENUMS: Mapping[str, type[Enum]] = {"role": Role, "delivery": Delivery, "stopped": Stopped, "moderation": Treatment}
_FLAGS = ("hidden", "acknowledge", "own_posts", "list_copies")
_ADDRESS = re.compile(r"[^\s@\"(),:;<>\[\]\\]+@[^\s@\"(),:;<>\[\]\\]+")
_YES = {"yes", "y", "true", "1", "on", "sí", "si"}
_NO = {"no", "n", "false", "0", "off"}


def is_address(text: str) -> bool:
    """Whether a text is an address that a list can send to, and nothing beside it."""
    return bool(_ADDRESS.fullmatch(text))


# -- members ----------------------------------------------------------------------------------------------------------


def member_cells(member: Member) -> dict[str, str]:
    """A member as cells by column; an option that is as products have it by themselves is an empty cell."""
    cells = {"address": member.address, "name": member.name, "role": member.role.value, "language": member.language}
    cells["delivery"] = member.delivery.value
    cells["stopped"] = member.stopped.value if member.stopped else ""
    cells["moderation"] = member.moderation.value if member.moderation else ""
    return cells | {flag: _said(getattr(member, flag)) for flag in _FLAGS}


def member_of(cells: Mapping[str, str]) -> Member:
    """The member that cells tell; those that are missing or empty say what products do by themselves. Raises ValueError with what is wrong."""
    said = {name: cells.get(name, "").strip() for name in MEMBER_COLUMNS}
    if not said["address"]:
        raise ValueError("address is empty")
    options: dict[str, Any] = {name: _one_of(name, said[name], kind) for name, kind in _ENUMS.items() if said[name]}
    options |= {name: _yes(name, said[name]) for name in _FLAGS if said[name]}
    return Member(same_form(said["address"]), cells.get("name", ""), language=said["language"], **options)


def wrong_cells(cells: Mapping[str, str]) -> Iterator[str]:
    """Everything that is wrong with the cells of a row, in words; nothing where `member_of` makes a member of them that a list can have."""
    said = {name: cells.get(name, "").strip() for name in MEMBER_COLUMNS}
    if not said["address"]:
        yield "address is empty"
    elif not is_address(said["address"]):
        yield f"address is {said['address']!r}, which is none"
    for name in (*_ENUMS, *_FLAGS):
        try:
            if said[name]:
                _one_of(name, said[name], _ENUMS[name]) if name in _ENUMS else _yes(name, said[name])
        except ValueError as error:
            yield str(error)


# -- settings ---------------------------------------------------------------------------------------------------------


def wrong_setting(name: str, value: str) -> str:
    """What is wrong with one row of name and value; "" if nothing is."""
    try:
        settings_told([(name, value)])
    except ValueError as error:
        return str(error)
    return ""


def holds_several(name: str) -> bool:
    """Whether a setting of this name holds several things, and so stands in several rows."""
    return typing.get_origin(_kinds().get(name)) is tuple


def setting_rows(told: Mapping[str, Any]) -> list[tuple[str, str]]:  # Any: as in Settings.told
    """Settings as rows of name and value."""
    rows: list[tuple[str, str]] = []
    for name, value in told.items():
        values = value if isinstance(value, tuple) else (value,)
        rows += [(name, _spelt(one)) for one in values] or [(name, "")]
    return rows


def settings_told(rows: Sequence[tuple[str, str]]) -> dict[str, Any]:  # Any: as above
    """What rows of name and value tell, as Settings.told does. Raises ValueError with what is wrong."""
    by_name: dict[str, list[str]] = {}
    for name, value in rows:
        by_name.setdefault(name.strip(), []).append(value)
    return {name: values[-1] if name.startswith(OWN) else _setting(name, values) for name, values in by_name.items()}


def _setting(name: str, values: Sequence[str]) -> Any:  # Any: the setting's own type
    kind = _kinds().get(name)
    if kind is None:
        raise ValueError(f"{name!r} is no setting of a list{perhaps(name, _kinds())}")
    if typing.get_origin(kind) is tuple:
        element = typing.get_args(kind)[0]
        return tuple(_value(name, one, element) for one in values if one != "")
    return _value(name, values[-1], kind)


def _value(name: str, text: str, kind: Any) -> Any:  # Any: a type, and a value of it
    if kind is str:
        return text
    word = text.strip()
    if kind is bool:
        return _yes(name, word)
    if kind is HeaderRule:
        treatment, _, pattern = word.partition(" ")
        return HeaderRule(pattern, _one_of(name, treatment, Treatment))
    if kind in {int, float}:
        try:
            return kind(word)
        except ValueError:
            raise ValueError(f"{name} is no number") from None
    return _one_of(name, word, kind)


@cache
def _kinds() -> Mapping[str, Any]:  # Any: types
    """The type of every setting, without None."""
    hints = typing.get_type_hints(Settings)
    return {
        name: next(one for one in typing.get_args(hint) if one is not NoneType)
        for name, hint in hints.items()
        if name != "own"
    }


def _spelt(value: Any) -> str:  # Any: as above
    match value:
        case bool():
            return _said(value)
        case Enum():
            return str(value.value)
        case HeaderRule():
            return f"{value.treatment.value} {value.pattern}"
    return str(value)


def _said(value: bool) -> str:  # noqa: FBT001 - that is what it turns into a word
    return "yes" if value else "no"


def _yes(name: str, word: str) -> bool:
    if word.lower() not in _YES | _NO:
        raise ValueError(f"{name} is neither yes nor no")
    return word.lower() in _YES


@cache
def _words_of(kind: type[Enum]) -> Mapping[str, Enum]:
    return {str(one.value).lower(): one for one in kind}


def _one_of(name: str, word: str, kind: type[Enum]) -> Any:  # Any: a member of that enumeration
    known = _words_of(kind)
    found = known.get(word.strip().lower())
    if found is None:
        raise ValueError(f"{name} is none of {', '.join(known)}{perhaps(word.strip().lower(), known)}")
    return found
