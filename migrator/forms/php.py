"""Values as PHP's serialize() writes them, read and written as bytes: the form of most answers and options in a site's tables.

Nothing is ever built from them: an object, a class that packs itself and an enum case are records with the name of their class. What
surprises: lengths count bytes of the charset the value was stored in. Text that was converted, or had a domain's name replaced in it, has
wrong ones; such a value is told as broken and kept as it is, unless a repair is asked for and there is one way only.

PHP: https://www.php.net/manual/en/function.serialize.php, ext/standard/var_unserializer.re.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from decimal import Decimal
from typing import Final, TypeAlias

from migrator.frozen import dataclass

DEEPEST = 100  # arrays inside arrays
MOST_PACKS = 8  # serialised strings inside serialised strings
MOST_VALUES = 1_000_000
MOST_WAYS = 20_000  # places looked at before a repair is given up
CHARSET = "utf-8"
MAX_INT, MIN_INT = 2**63 - 1, -(2**63)

# -- what there is ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Double:
    """A float, as it is spelt (`0.5`, `1.0E+25`, `INF`, `-INF`, `NAN`), so that it is written back to the last digit."""

    text: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)


@dataclass(frozen=True, slots=True)
class Array:
    """An array: pairs in order, keys int or bytes. Of two pairs of one key the last counts, as in PHP."""

    items: tuple[tuple[Key, Value], ...] = ()

    def get(self, key: Key) -> Value:
        """The value of a key; None without it."""
        return next((value for known, value in reversed(self.items) if known == key), None)

    def with_value(self, key: Key, value: Value) -> Array:
        """The array with this value where the key's stands, behind all others if it is not there."""
        if any(known == key for known, _ in self.items):
            return replace(self, items=tuple((known, value if known == key else old) for known, old in self.items))
        return replace(self, items=(*self.items, (key, value)))


@dataclass(frozen=True, slots=True)
class Object:
    """An object that was not built: its class, and its properties as they are spelt (`\\0*\\0name` protected, `\\0Class\\0name` private)."""

    class_name: bytes
    items: tuple[tuple[Key, Value], ...] = ()

    def get(self, key: Key) -> Value:
        """The value of a property, however visible it is; None without it."""
        return next((value for known, value in reversed(self.items) if property_name(known) == key), None)


@dataclass(frozen=True, slots=True)
class Custom:
    """An object of a class that packs itself (Serializable): what it packed is known to that class alone."""

    class_name: bytes
    packed: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """A case of an enum, `Class:Name`."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Reference:
    """Stands for the value of this number, counted as PHP counts (see `numbered`). `shared`: both are one variable (R), else one object (r)."""

    number: int
    shared: bool = True


@dataclass(frozen=True, slots=True)
class Packed:
    """A string that is itself a serialised array or object, as WordPress leaves what was serialised before it was handed over."""

    value: Value


Key: TypeAlias = int | bytes
Value: TypeAlias = bool | int | Double | bytes | Array | Object | Custom | Case | Reference | Packed | None
Plain: TypeAlias = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: `value` is the bytes themselves where `broken` says why they cannot be read, or where they are no serialised value
    at all. `repair` says in words what was presumed to read it nevertheless.
    """

    value: Value
    broken: str = ""
    repair: str = ""


class _Broken(Exception):  # never leaves this file
    pass


# -- reading ------------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    rb"""
    (?P<null>N);
    | b:(?P<bool>[01]);
    | i:(?P<int>[+-]?[0-9]{1,20});
    | d:(?P<double>-?INF | NAN | [+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?);
    | s:(?P<text>[0-9]{1,20}):"
    | a:(?P<array>[0-9]{1,20}):\{
    | O:(?P<object>[0-9]{1,20}):"
    | C:(?P<custom>[0-9]{1,20}):"
    | E:(?P<case>[0-9]{1,20}):"
    | R:(?P<shared>[0-9]{1,20});
    | r:(?P<same>[0-9]{1,20});
    """,
    re.VERBOSE,
)
_COUNT = re.compile(rb":([0-9]{1,20}):\{")
_BEGINS = re.compile(rb'(?:N;|b:[01];|[id]:[+-]?[0-9.IN][^;]{0,40};|s:[0-9]+:"|[aO]:[0-9]+:|[CE]:[0-9]+:")')
_NESTED = re.compile(rb"(?:a:[0-9]+:\{|O:[0-9]+:\")")
_CLASS = re.compile(rb"[A-Za-z0-9_\x7f-\xff\\]+")
_CASE = re.compile(rb"[A-Za-z0-9_\x7f-\xff\\]+:[A-Za-z0-9_\x7f-\xff]+")
_SMALLEST_PAIR = len(b"i:0;N;")
_AFTER_TEXT = b'";'


def looks_serialised(raw: bytes) -> bool:
    """Whether bytes begin and end like a serialised value; what people type hardly ever does."""
    return raw[-1:] in {b";", b"}"} and _BEGINS.match(raw) is not None


def read(raw: bytes, *, deepest: int = DEEPEST, most_values: int = MOST_VALUES) -> Read:
    """The value that these bytes are, all of them. Never raises: what is cut off, lies about a length, is nested or counts more than
    allowed is told in `broken`, with the place. Strings that are serialised arrays or objects come as Packed.
    """
    try:
        return Read(_Reading(raw, deepest, most_values).whole())
    except _Broken as error:
        return Read(raw, broken=str(error))


def decoded(raw: bytes, *, repair: bool = False, always: bool = False) -> Read:
    """The same for a cell that may as well hold plain text, which comes back as it is. With `repair`, what is broken is read by `repaired`
    if it can be. With `always`, there is no text in such cells but the empty one.
    """
    if not raw or not (always or looks_serialised(raw)):
        return Read(raw)
    found = read(raw)
    return (repaired(raw) or found) if found.broken and repair else found


class _Reading:
    """One pass over bytes with a stack of our own. `ends` names where strings end (by where they begin) against what they announce."""

    def __init__(self, raw: bytes, deepest: int, left: int, ends: Mapping[int, int] | None = None) -> None:
        self.raw, self.deepest, self.left, self.told_ends = raw, deepest, left, ends or {}
        self.packs = MOST_PACKS
        self.at = 0
        self.ends: dict[int, int] = {}  # of every string that was met

    def whole(self) -> Value:
        value = self.value()
        if self.at != len(self.raw):
            raise _Broken(f"byte {self.at:,}: {len(self.raw) - self.at:,} bytes stand behind the end")
        return value

    def value(self) -> Value:
        open_: list[_Open] = []
        while True:
            value: Value
            if open_ and not open_[-1].left:
                self.expect(b"}")
                value = open_.pop().closed()
            else:
                if open_:
                    open_[-1].keys.append(self.key())
                start = self.value_or_start(len(open_))
                if isinstance(start, _Open):
                    open_.append(start)
                    continue
                value = start
            if not open_:
                return value
            open_[-1].values.append(value)
            open_[-1].left -= 1

    def value_or_start(self, depth: int) -> Value | _Open:
        token = self.token()
        self.left -= 1
        if self.left < 0:
            raise _Broken(f"byte {self.at:,}: there are more values than are read")
        kind, said = token.lastgroup or "", token[token.lastgroup or 0]
        if kind in {"array", "object"}:
            return self.started(kind, said, depth)
        if kind in {"custom", "case"}:
            return self.custom(said) if kind == "custom" else self.case(said)
        return self.unpacked(self.text(said), depth) if kind == "text" else self.scalar(kind, said)

    def scalar(self, kind: str, said: bytes) -> Value:
        match kind:
            case "null":
                return None
            case "bool":
                return said == b"1"
            case "int":
                return self.integer(said)
            case "double":
                return Double(said.decode())
            case _:
                return Reference(int(said), shared=kind == "shared")

    def started(self, kind: str, said: bytes, depth: int) -> _Open:
        if kind == "array":
            return self.opened(int(said), depth, None)
        name = self.class_name(said)
        return self.opened(self.counted(), depth, name)

    def counted(self) -> int:
        count = _COUNT.match(self.raw, self.at)
        if not count:
            raise self.unexpected()
        self.at = count.end()
        return int(count[1])

    def token(self) -> re.Match[bytes]:
        found = _TOKEN.match(self.raw, self.at)
        if not found:
            raise self.unexpected()
        self.at = found.end()
        return found

    def key(self) -> Key:
        token = self.token()
        if token.lastgroup == "int":
            return self.integer(token["int"])
        if token.lastgroup == "text":
            return self.text(token["text"])
        raise _Broken(f"byte {token.start():,}: a key is an integer or a string")

    def integer(self, said: bytes) -> int:
        number = int(said)
        if not MIN_INT <= number <= MAX_INT:
            raise _Broken(f"byte {self.at:,}: {number} does not fit in 64 bits")
        return number

    def text(self, said: bytes) -> bytes:
        start = self.at
        end = self.told_ends.get(start) or start + int(said)
        if self.raw[end : end + 2] != _AFTER_TEXT:
            left = len(self.raw) - start
            wrong = f"{left:,} are left" if end > len(self.raw) else "it does not end there"
            raise _Broken(f"byte {start:,}: a string of {int(said):,} bytes is announced, {wrong}")
        self.ends[start] = end
        self.at = end + 2
        return self.raw[start:end]

    def class_name(self, said: bytes, shape: re.Pattern[bytes] = _CLASS) -> bytes:
        start, end = self.at, self.at + int(said)
        name = self.raw[start:end]
        if not shape.fullmatch(name) or self.raw[end : end + 1] != b'"':
            raise _Broken(f"byte {start:,}: a class with a name of {int(said):,} bytes is announced, and there is none")
        self.at = end + 1
        return name

    def custom(self, said: bytes) -> Custom:
        name = self.class_name(said)
        size = self.counted()
        start = self.at
        self.at += size
        self.expect(b"}")
        return Custom(name, self.raw[start : start + size])

    def case(self, said: bytes) -> Case:
        name = self.class_name(said, _CASE)
        self.expect(b";")
        return Case(name)

    def opened(self, count: int, depth: int, class_name: bytes | None) -> _Open:
        if depth >= self.deepest:
            raise _Broken(f"byte {self.at:,}: values stand deeper than {self.deepest} inside each other")
        if count * _SMALLEST_PAIR > len(self.raw) - self.at:
            raise _Broken(
                f"byte {self.at:,}: {count:,} pairs are announced, {len(self.raw) - self.at:,} bytes are left"
            )
        return _Open(count, class_name)

    def unpacked(self, text: bytes, depth: int) -> bytes | Packed:
        """What the string holds, where that is a value and comes back to the last byte; else the string."""
        if not self.packs or depth >= self.deepest or not _NESTED.match(text):
            return text
        inner = _Reading(text, self.deepest - depth - 1, self.left)
        inner.packs = self.packs - 1
        try:
            value = inner.whole()
        except _Broken:
            return text
        if written(value) != text:
            return text
        self.left = inner.left
        return Packed(value)

    def expect(self, what: bytes) -> None:
        if self.raw[self.at : self.at + len(what)] != what:
            raise self.unexpected()
        self.at += len(what)

    def unexpected(self) -> _Broken:
        if self.at >= len(self.raw):
            return _Broken(f"byte {len(self.raw):,}: it is cut off")
        return _Broken(f"byte {self.at:,}: no value begins or ends like this")


@dataclass(slots=True)
class _Open:
    """An array or object whose pairs are being read."""

    left: int
    class_name: bytes | None
    keys: list[Key] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    def closed(self) -> Array | Object:
        items = tuple(zip(self.keys, self.values, strict=True))
        return Array(items) if self.class_name is None else Object(self.class_name, items)


# -- repairing ----------------------------------------------------------------------------------------------------------

BY_CHARACTERS: Final = "its lengths were taken as characters: its charset was changed after it was written"
BY_SHAPE: Final = "wrong lengths were passed over: there is one way only to read it"


def repaired(raw: bytes) -> Read | None:
    """A broken value read by a presumption that leaves one way only: all lengths count characters of UTF-8, or else every string with a wrong
    length ends where the rest can be read. None where there is no way or more than one. The lengths of what is written from it are right.
    """
    by_characters = _ends_by_characters(raw)
    for ends, told in ((by_characters, BY_CHARACTERS), (None if by_characters else _ends_by_shape(raw), BY_SHAPE)):
        if ends:
            try:
                return Read(_Reading(raw, DEEPEST, MOST_VALUES, ends).whole(), repair=told)
            except _Broken:
                continue
    return None


def _ends_by_characters(raw: bytes) -> Mapping[int, int]:
    """Where strings end if lengths count characters; empty if they do not."""
    try:
        letters = raw.decode()
    except UnicodeDecodeError:
        return {}
    reading = _Reading(letters.encode("ascii", "replace"), DEEPEST, MOST_VALUES)  # one byte for each character
    try:
        reading.whole()
    except _Broken:
        return {}
    places = [place for place, byte in enumerate(raw) if byte & 0xC0 != 0x80]  # noqa: PLR2004 - bytes inside a character
    return {places[start]: places[end] for start, end in reading.ends.items()}


# What is still to come at a place: tokens of the innermost array, counting keys and values, and around it those of the outer ones.
_Rest: TypeAlias = tuple[int, int, "_Rest | None"]  # how many, and how deep that is
_Place: TypeAlias = tuple[int, _Rest]


def _ends_by_shape(raw: bytes) -> Mapping[int, int]:
    """Where strings end if there is one way only to read the whole; empty if there is none, or more."""
    first: _Place = (0, (1, 0, None))
    last: _Place = (len(raw), (0, 0, None))
    reached_from: dict[_Place, list[tuple[_Place, tuple[int, int] | None]]] = {first: []}
    to_do = [first]
    looked = 0
    while to_do:
        here = to_do.pop()
        for there, ended in _next_places(raw, *here):
            looked += 1
            if looked > MOST_WAYS:
                return {}
            if there not in reached_from:
                reached_from[there] = []
                to_do.append(there)
            reached_from[there].append((here, ended))
    ends: dict[int, int] = {}
    here = last
    while here != first:
        roads = reached_from.get(here, [])
        if len(roads) != 1:
            return {}
        here, ended = roads[0]
        if ended:
            ends[ended[0]] = ended[1]
    return ends


def _next_places(raw: bytes, at: int, rest: _Rest) -> Iterator[tuple[_Place, tuple[int, int] | None]]:
    """Where one more token leads, and the string it was, by its begin and end."""
    left, depth, outer = rest
    if not left:
        if outer is not None and raw[at : at + 1] == b"}":
            yield (at + 1, outer), None
        return
    token = _TOKEN.match(raw, at)
    if not token or (left % 2 == 0 and token.lastgroup not in {"int", "text"}):
        return
    after: _Rest = (left - 1, depth, outer)
    at, kind = token.end(), token.lastgroup or ""
    if kind == "text":
        announced = at + int(token[kind])
        fits = raw[announced : announced + 2] == _AFTER_TEXT
        for end in [announced] if fits else _all(raw, _AFTER_TEXT, at):
            yield (end + 2, after), (at, end)
    elif kind in {"array", "object", "custom"}:
        inside = _inside(raw, token)
        if inside and kind == "custom":
            yield (inside[0] + inside[1] + 1, after), None
        elif inside and depth < DEEPEST:
            yield (inside[0], (2 * inside[1], depth + 1, after)), None
    else:
        yield (at + int(token[kind]) + 2 if kind == "case" else at, after), None


def _inside(raw: bytes, token: re.Match[bytes]) -> tuple[int, int] | None:
    """Where a value that has an inside has it, and the count before it."""
    if token.lastgroup == "array":
        return token.end(), int(token["array"])
    count = _COUNT.match(raw, token.end() + int(token[token.lastgroup or 0]) + 1)
    return (count.end(), int(count[1])) if count else None


def _all(raw: bytes, what: bytes, start: int) -> Iterator[int]:
    at = raw.find(what, start)
    while at >= 0:
        yield at
        at = raw.find(what, at + 1)


# -- writing ------------------------------------------------------------------------------------------------------------


def written(value: Value) -> bytes:
    """The value as PHP writes it, with exact lengths; what PHP wrote and `read` read comes back to the last byte. Raises ValueError for
    what PHP has no room for: an integer of more than 64 bits, more than DEEPEST inside each other.
    """
    out: list[bytes] = []
    _write(value, out, DEEPEST)
    return b"".join(out)


_PLAIN_POWER = 16  # PHP spells this power of ten out, Python does not


def double(number: float) -> Double:
    """A float in PHP's spelling (the shortest one that reads back as the same number)."""
    if math.isnan(number):
        return Double("NAN")
    if math.isinf(number):
        return Double("INF" if number > 0 else "-INF")
    mantissa, _, power = repr(number).partition("e")
    if not power or int(power) == _PLAIN_POWER:
        return Double(mantissa.removesuffix(".0") if not power else format(Decimal(mantissa).scaleb(_PLAIN_POWER), "f"))
    return Double(f"{mantissa if '.' in mantissa else f'{mantissa}.0'}E{int(power):+}")


def _write(value: Value, out: list[bytes], depth: int) -> None:
    match value:
        case Packed():
            inner: list[bytes] = []
            _write(value.value, inner, depth - 1)
            _write(b"".join(inner), out, depth)
        case Array() | Object():
            if depth <= 0:
                raise ValueError("values stand too deep inside each other")
            count = len(value.items)
            out.append(
                b"a:%d:{" % count if isinstance(value, Array) else _named(b"O", value.class_name, b":%d:{" % count)
            )
            for key, item in value.items:
                _write(key, out, depth)
                _write(item, out, depth - 1)
            out.append(b"}")
        case Custom(name, packed):
            out.append(_named(b"C", name, b":%d:{%s}" % (len(packed), packed)))
        case Case(name):
            out.append(_named(b"E", name, b";"))
        case Reference(number, shared):
            out.append(b"%s:%d;" % (b"R" if shared else b"r", number))
        case _:
            out.append(_scalar(value))


def _scalar(value: bool | int | Double | bytes | None) -> bytes:  # noqa: FBT001 - the value itself
    match value:
        case None:
            return b"N;"
        case bool():
            return b"b:%d;" % value
        case Double():
            return b"d:%s;" % value.text.encode("ascii")
        case bytes():
            return b's:%d:"%s";' % (len(value), value)
    if not MIN_INT <= value <= MAX_INT:
        raise ValueError("an integer does not fit in the 64 bits that PHP has")
    return b"i:%d;" % value


def _named(letter: bytes, name: bytes, rest: bytes) -> bytes:
    return b'%s:%d:"%s"%s' % (letter, len(name), name, rest)


# -- for people -----------------------------------------------------------------------------------------------------------

MOST_FOLLOWED = 10_000  # values told because something refers to them; references multiply
CIRCLE: Final = "(the value refers to itself)"
UNKNOWN: Final = "(the value refers to one that is not there)"
TOO_MUCH: Final = "(the value refers to more than is told)"


def property_name(key: Key) -> Key:
    """A property's name without its visibility: `\\0*\\0name` is `name`."""
    return key.rpartition(b"\0")[2] if isinstance(key, bytes) and key.startswith(b"\0") else key


def numbered(value: Value) -> list[Value]:
    """Every value in the order in which references count them (the first is number 1): keys and R do not count, r does. Behind a class
    that packs itself nobody can count but the class, so the list ends there.
    """
    found: list[Value] = []
    to_do = [value]
    while to_do:
        one = to_do.pop()
        if isinstance(one, Custom):
            break
        if not (isinstance(one, Reference) and one.shared):
            found.append(one)
        if isinstance(one, Array | Object):
            to_do += [item for _, item in reversed(one.items)]
    return found


def plain(value: Value, charset: str = CHARSET) -> Plain:
    """The value as text, numbers, lists and dicts. Arrays whose keys count from 0 are lists; objects are dicts of their properties without
    visibility; references are followed, unless they lead in a circle, too deep or to more than MOST_FOLLOWED values, which is said in
    their place. Bytes that are no text of the charset come as lone surrogates (`surrogateescape`).
    """
    return _Telling(value, charset).one(value, 0)


class _Telling:
    def __init__(self, root: Value, charset: str) -> None:
        self.root, self.charset = root, charset
        self.may_follow = MOST_FOLLOWED
        self.following = 0
        self.numbers: Sequence[Value] | None = None
        self.inside: list[Value] = []  # arrays and objects around what is being told

    def one(self, value: Value, depth: int) -> Plain:
        if self.following:
            self.may_follow -= 1
            if self.may_follow < 0 or depth > DEEPEST:
                return TOO_MUCH
        match value:
            case Array() | Object():
                return self.many(value, depth + 1)
            case Packed():
                return _Telling(value.value, self.charset).one(value.value, depth + 1)
            case Custom():
                return {self.text(value.class_name): self.text(value.packed)}
            case Reference():
                return self.referred(value.number, depth)
            case _:
                return self.single(value)

    def single(self, value: bool | int | Double | bytes | Case | None) -> Plain:  # noqa: FBT001 - the value itself
        match value:
            case Double():
                return value.value
            case bytes():
                return self.text(value)
            case Case():
                return self.text(value.name)
        return value

    def many(self, value: Array | Object, depth: int) -> Plain:
        self.inside.append(value)
        told = [(key, self.one(item, depth)) for key, item in value.items]
        self.inside.pop()
        if isinstance(value, Array) and [key for key, _ in told] == list(range(len(told))):
            return [item for _, item in told]
        return {self.key(key): item for key, item in told}

    def referred(self, number: int, depth: int) -> Plain:
        if self.numbers is None:
            self.numbers = numbered(self.root)
        if not 0 < number <= len(self.numbers):
            return UNKNOWN
        target = self.numbers[number - 1]
        if isinstance(target, Reference) or any(target is one for one in self.inside):
            return CIRCLE
        self.following += 1
        told = self.one(target, depth)
        self.following -= 1
        return told

    def key(self, key: Key) -> str:
        name = property_name(key)
        return str(name) if isinstance(name, int) else self.text(name)

    def text(self, raw: bytes) -> str:
        return raw.decode(self.charset, "surrogateescape")
