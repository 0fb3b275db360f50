"""A cell's value that can be changed inside and written again as it was spelt: PHP's serialised form, JSON in PHP's own styles, plain text.

What surprises: nothing is changed that cannot be written again to the last byte; `faithful` says so before anything is touched.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol, Self, TypeAlias

from migrator.forms import php
from migrator.frozen import dataclass

ANY: Final = "*"  # in a way: each member
Way: TypeAlias = tuple[str, ...]  # names of members, from the outside in; places in a list are spelt as numbers


class Spelt(Protocol):
    """A value and how it is spelt."""

    def places(self, way: Sequence[str]) -> Iterator[tuple[Way, str]]:
        """Every text or whole number that a way leads to (ANY for each member), and what it says."""

    def texts(self) -> Iterator[str]:
        """Every text in it."""

    def put(self, way: Way, text: str) -> Self:
        """The value with this in the place of a text or number, as the kind that is there. Raises ValueError where there is none, or where
        a text cannot be the number that stands there.
        """

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The value with its outermost members called by other names; as it is where two would be called alike."""

    def write(self) -> bytes:
        """It as it is spelt."""


def read(raw: bytes) -> Spelt:
    """The value that a cell holds. What is broken or spelt otherwise is a plain text."""
    if php.looks_serialised(raw):
        found = php.read(raw)
        if not found.broken:
            return InPhp(found.value)
    if raw[:1] + raw[-1:] in {b"{}", b"[]"}:
        try:
            value = json.loads(raw.decode("utf-8", "surrogatepass"))
            for style in _STYLES:
                if style(value) == raw:
                    return InJson(value, style)
        except (ValueError, RecursionError):
            pass
    return InText(raw)


def faithful(spelt: Spelt, raw: bytes) -> bool:
    """Whether writing the value makes these bytes again."""
    return spelt.write() == raw


# -- plain text ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InText:
    """Fulfils Spelt: one text, to which the empty way leads."""

    raw: bytes

    def places(self, way: Sequence[str]) -> Iterator[tuple[Way, str]]:
        if not way:
            yield (), self._text
        return

    def texts(self) -> Iterator[str]:
        yield self._text

    def put(self, way: Way, text: str) -> InText:
        if way:
            raise ValueError("a text has no members")
        return InText(text.encode("utf-8", "surrogateescape"))

    def renamed(self, names: Mapping[str, str]) -> InText:
        del names
        return self

    def write(self) -> bytes:
        return self.raw

    @property
    def _text(self) -> str:
        return self.raw.decode("utf-8", "surrogateescape")


# -- PHP ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InPhp:
    """Fulfils Spelt. What was serialised twice is one value; members of objects are named without their visibility."""

    value: php.Value

    def places(self, way: Sequence[str]) -> Iterator[tuple[Way, str]]:
        yield from _in_php(self.value, tuple(way), ())

    def texts(self) -> Iterator[str]:
        to_do: list[php.Value] = [self.value]
        while to_do:
            one = _unpacked(to_do.pop())
            if isinstance(one, bytes):
                yield one.decode("utf-8", "surrogateescape")
            elif isinstance(one, php.Array | php.Object):
                to_do += [member for _, member in reversed(one.items)]

    def put(self, way: Way, text: str) -> InPhp:
        return InPhp(_put_in_php(self.value, way, text))

    def renamed(self, names: Mapping[str, str]) -> InPhp:
        if not isinstance(self.value, php.Array):
            return self
        items = tuple((_key(names.get(_name(key)), key), member) for key, member in self.value.items)
        distinct = len({key for key, _ in items}) == len(items)
        return InPhp(replace(self.value, items=items)) if distinct else self

    def write(self) -> bytes:
        return php.written(self.value)


def _unpacked(value: php.Value) -> php.Value:
    while isinstance(value, php.Packed):
        value = value.value
    return value


def _name(key: php.Key) -> str:
    plain = php.property_name(key)
    return str(plain) if isinstance(plain, int) else plain.decode("utf-8", "surrogateescape")


def _key(name: str | None, key: php.Key) -> php.Key:
    """A member's name as PHP has it: a number where it looks like one."""
    if name is None:
        return key
    return int(name) if name.isdecimal() and str(int(name)) == name else name.encode("utf-8", "surrogateescape")


def _in_php(value: php.Value, way: Way, led: Way) -> Iterator[tuple[Way, str]]:
    value = _unpacked(value)
    if not way:
        if isinstance(value, bytes):
            yield led, value.decode("utf-8", "surrogateescape")
        elif isinstance(value, int) and not isinstance(value, bool):
            yield led, str(value)
    elif isinstance(value, php.Array | php.Object):
        for key, member in value.items:
            if way[0] in {ANY, _name(key)}:
                yield from _in_php(member, way[1:], (*led, _name(key)))


def _put_in_php(value: php.Value, way: Way, text: str) -> php.Value:
    if isinstance(value, php.Packed):
        return php.Packed(_put_in_php(value.value, way, text))
    if way:
        if not isinstance(value, php.Array | php.Object) or way[0] not in {_name(key) for key, _ in value.items}:
            raise ValueError(f"there is no {way[0]}")
        return replace(
            value,
            items=tuple(
                (key, _put_in_php(member, way[1:], text) if _name(key) == way[0] else member)
                for key, member in value.items
            ),
        )
    if isinstance(value, bytes):
        return text.encode("utf-8", "surrogateescape")
    if isinstance(value, int) and not isinstance(value, bool):
        return int(text)
    raise ValueError("there is neither a text nor a number")


# -- JSON -----------------------------------------------------------------------------------------------------------------------


def _style(*, ascii_only: bool, slashes: bool, indent: int | None, spaced: bool) -> Callable[[Any], bytes]:
    """A way of writing JSON: as json_encode() does, with its flags for Unicode, slashes and pretty printing, or as others do."""
    separators = (", ", ": ") if spaced else (",", ": " if indent else ":")

    def write(value: Any) -> bytes:  # Any: what json.loads answers
        text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
        return (text.replace("/", "\\/") if slashes else text).encode("utf-8", "surrogatepass")

    return write


_STYLES: Final = tuple(
    _style(ascii_only=ascii_only, slashes=slashes, indent=indent, spaced=spaced)
    for (indent, spaced), ascii_only, slashes in itertools.product(
        ((None, False), (4, False), (None, True)), (True, False), (True, False)
    )
)


@dataclass(frozen=True, slots=True)
class InJson:
    """Fulfils Spelt."""

    value: Any  # what json.loads answers
    style: Callable[[Any], bytes]

    def places(self, way: Sequence[str]) -> Iterator[tuple[Way, str]]:
        yield from _in_json(self.value, tuple(way), ())

    def texts(self) -> Iterator[str]:
        to_do = [self.value]
        while to_do:
            one = to_do.pop()
            if isinstance(one, str):
                yield one
            else:
                to_do += [member for _, member in reversed(_members(one))]

    def put(self, way: Way, text: str) -> InJson:
        return replace(self, value=_put_in_json(self.value, way, text))

    def renamed(self, names: Mapping[str, str]) -> InJson:
        if not isinstance(self.value, Mapping):
            return self
        members = {names.get(name, name): one for name, one in self.value.items()}
        return replace(self, value=members) if len(members) == len(self.value) else self

    def write(self) -> bytes:
        return self.style(self.value)


def _members(value: Any) -> list[tuple[str, Any]]:  # Any: JSON
    if isinstance(value, Mapping):
        return list(value.items())
    return [(str(place), one) for place, one in enumerate(value)] if isinstance(value, list) else []


def _in_json(value: Any, way: Way, led: Way) -> Iterator[tuple[Way, str]]:  # Any: JSON
    if not way:
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield led, str(value)
        return
    for name, member in _members(value):
        if way[0] in {ANY, name}:
            yield from _in_json(member, way[1:], (*led, name))


def _put_in_json(value: Any, way: Way, text: str) -> Any:  # Any: JSON
    if way:
        if way[0] not in dict(_members(value)):
            raise ValueError(f"there is no {way[0]}")
        changed = [(name, _put_in_json(one, way[1:], text) if name == way[0] else one) for name, one in _members(value)]
        return dict(changed) if isinstance(value, Mapping) else [one for _, one in changed]
    if isinstance(value, str):
        return text
    if isinstance(value, int) and not isinstance(value, bool):
        return int(text)
    raise ValueError("there is neither a text nor a number")
