"""PHP's serialize(), as far as it is data: null, booleans, numbers, texts, arrays. Objects and references are refused, never made.

Lengths count bytes, and each is checked against what follows: a text that was cut, or recoded after it was written, is told as broken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Value = None | bool | int | float | bytes | dict[int | bytes, "Value"]
DEEPEST = 16
_SCALAR = re.compile(rb"(?:N|b:([01])|i:(-?\d{1,19})|d:(-?(?:\d+\.?\d*(?:E[+-]?\d+)?|INF)|NAN));")
_TEXT = re.compile(rb's:(\d{1,9}):"')
_ARRAY = re.compile(rb"a:(\d{1,9}):\{")


class Broken(ValueError):
    """The text is no data of PHP's, or no longer."""


def read(text: bytes) -> Value:
    """The value. Raises Broken where the text is no data of PHP's, with the place."""
    value, end = _value(text, 0, DEEPEST)
    if text[end:].strip():
        raise Broken(f"something follows at byte {end}")
    return value


def texts(text: str) -> list[str]:
    """An array's texts in its order, whatever its keys. Raises Broken where it is none."""
    value = read(text.encode())
    if not isinstance(value, dict):
        raise Broken("no array")
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in value.values()]


def write(values: Sequence[str]) -> str:
    """A list of texts."""
    rows = "".join(f'i:{place};s:{len(value.encode())}:"{value}";' for place, value in enumerate(values))
    return f"a:{len(values)}:{{{rows}}}"


def _value(text: bytes, place: int, depth: int) -> tuple[Value, int]:
    scalar = _SCALAR.match(text, place)
    if scalar:
        yes, whole, broken = scalar.groups()
        if whole is not None:
            return int(whole), scalar.end()
        if broken is not None:
            return float(broken), scalar.end()
        return (None if yes is None else yes == b"1"), scalar.end()
    found = _TEXT.match(text, place)
    if found:
        end = found.end() + int(found[1])
        if text[end : end + 2] != b'";':
            raise Broken(f"the text at byte {place} is not as long as it says")
        return text[found.end() : end], end + 2
    found = _ARRAY.match(text, place)
    if not found or not depth:
        raise Broken(f"no data at byte {place}")
    return _array(text, found.end(), int(found[1]), depth - 1)


def _array(text: bytes, place: int, count: int, depth: int) -> tuple[Value, int]:
    held: dict[int | bytes, Value] = {}
    for _ in range(count):
        key, place = _value(text, place, 0)
        if isinstance(key, bool) or not isinstance(key, int | bytes):
            raise Broken(f"no key before byte {place}")
        held[key], place = _value(text, place, depth)
    if text[place : place + 1] != b"}":
        raise Broken(f"the array does not end at byte {place}")
    return held, place + 1
