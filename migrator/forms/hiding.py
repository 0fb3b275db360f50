"""Fields inside a cell that holds many: found by their names in what PHP or JSON packed, hidden there, and packed again with right lengths.

What surprises: nothing but texts and numbers is changed, never the shape around them, so that what a plugin reads it still can. Where a
cell cannot be looked into to the last byte, nothing in it is believed to be harmless: that is Opaque, and the caller hides it whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, AnyStr, Final, Protocol, TypeAlias

from migrator.forms import php
from migrator.forms.answers import from_latin1, to_latin1
from migrator.forms.model import Value
from migrator.forms.php import Array, Case, Custom, Double, Object, Packed, Reference
from migrator.frozen import dataclass

UTF8, SURROGATES = "utf-8", "surrogatepass"
UPLOADED: Final = b"/uploads/"
# Members by which an object inside a value tells which field it is, whatever plugin wrote it, and those with what was answered.
NAMING: Final = frozenset({"name", "label", "title", "id", "key", "type", "field", "field_id", "meta_key", "slug"})
ANSWERING: Final = frozenset({"value", "values", "answer", "field_value"})


class Opaque(Exception):
    """A cell that cannot be looked into, or not changed without changing what it means."""


class Sought(Protocol):
    """Which fields are to be hidden."""

    def names(self, name: str) -> bool:
        """Whether a field of this name, key or label is one; parts are named `field.part`."""

    def kinds(self, kind: str) -> bool:
        """Whether a field of this kind is one."""

    def texts(self, text: bytes) -> bool:
        """Whether a text is one by itself, whatever field it stands in."""


@dataclass(frozen=True, slots=True)
class Members:
    """Which members of an object that stands for a field say its names, its kind, and what was answered."""

    naming: frozenset[str]
    answering: frozenset[str]
    kind: str = "type"


PRESUMED: Final = Members(NAMING, ANSWERING)  # where nobody knows the plugin


@dataclass(frozen=True, slots=True)
class Hiding:
    """How a field is hidden: `text` changes a text that is not empty, `number` what is none. `members` is how fields may stand as objects,
    None where a plugin keeps them by name alone. `presumed`: no plugin says so, so that a member's own name counts as well.
    """

    sought: Sought
    text: Callable[[bytes], bytes]
    number: Callable[[bool | int | Double], php.Value]
    members: Members | None = PRESUMED
    presumed: bool = True

    def hidden(self, cell: Value, *, packed: bool) -> tuple[Value, int]:
        """The cell with these fields hidden, and how many texts and numbers that were. A cell of plain text comes back as it is, but with
        `packed`, where it must hold fields, it is Opaque. Raises Opaque.
        """
        if not cell:
            return cell, 0
        try:
            found = self._looked_into(cell, packed=packed)
        except RecursionError:
            raise Opaque from None
        if found is not None:
            return found
        raw = _bytes(cell)
        if self.sought.texts(raw):
            return (_back_to_text if isinstance(cell, str) else bytes)(self.text(raw)), 1
        if packed:
            raise Opaque
        return cell, 0

    def entirely(self, cell: Value) -> Value:
        """A packed cell with everything in it hidden, whatever it is called, and the shape around it; None for plain text. Raises Opaque."""
        opened = _opened(cell)
        if opened is None:
            return None
        value, back = opened
        count = [0]
        changed = self._all(value, count)
        return back(changed) if count[0] else cell

    def _looked_into(self, cell: Value, *, packed: bool) -> tuple[Value, int] | None:
        """A packed cell with these fields hidden, and how many; None where it is plain text, or a number."""
        opened = _opened(cell)
        if opened is None:
            return None
        value, back = opened
        changed: php.Value
        match value:
            case Array() | Object() | Packed() | Custom():
                changed, count = self._within(value)
            case bytes():  # a text alone may be packed again
                inner, count = self.hidden(value, packed=packed)
                changed = _bytes(inner)
            case _:
                return None
        return (back(changed) if count else cell), count

    # -- what is in it

    def _within(self, value: php.Value) -> tuple[php.Value, int]:
        count = [0]
        changed = self._walked(value, (), count)
        return changed, count[0]

    def _walked(self, value: php.Value, way: tuple[str, ...], count: list[int]) -> php.Value:
        match value:
            case Array() | Object():
                return self._members(value, way, count)
            case Packed():
                return Packed(self._walked(value.value, way, count))
            case Custom():
                raise Opaque
            case bytes():
                return self._text(value, count)
        return value

    def _text(self, text: bytes, count: list[int]) -> bytes:
        """A text that is no field by its name: it may be packed itself, or say by itself that it is one."""
        if self.sought.texts(text):
            count[0] += 1
            return self.text(text)
        try:
            changed, inner = self.hidden(text, packed=False)
        except Opaque:
            count[0] += 1
            return self.text(text)
        count[0] += inner
        return _bytes(changed)

    def _members(self, value: Array | Object, way: tuple[str, ...], count: list[int]) -> Array | Object:
        names = self._names(value)
        is_one = any(map(self.sought.names, names)) or self.sought.kinds(self._kind(value) if names else "")
        items = []
        for key, member in value.items:
            name = _said(key)
            here = (*way, name)
            by_name = self.sought.names(name) or self.sought.names(".".join(here))
            by_name = by_name or any(self.sought.names(f"{one}.{name}") for one in names)
            if names and self.members is not None and name in self.members.naming:
                hide = by_name and self.presumed
            else:
                hide = is_one or by_name
            items.append((key, self._field(member, count) if hide else self._walked(member, here, count)))
        return Array(tuple(items)) if isinstance(value, Array) else Object(value.class_name, tuple(items))

    def _field(self, value: php.Value, count: list[int]) -> php.Value:
        """What stands for a field that is to be hidden. Where its plugin is known to say there which field it is, that stays."""
        if self.presumed or self.members is None or not isinstance(value, Array | Object) or not self._names(value):
            return self._all(value, count)
        naming = self.members.naming
        items = tuple((key, one if _said(key) in naming else self._all(one, count)) for key, one in value.items)
        return Array(items) if isinstance(value, Array) else Object(value.class_name, items)

    def _names(self, value: Array | Object) -> Sequence[str]:
        """What an object that stands for a field calls it; nothing for any other."""
        if self.members is None or not any(_said(key) in self.members.answering for key, _ in value.items):
            return ()
        told = [one for key, one in value.items if _said(key) in self.members.naming]
        return [_said(one) for one in told if isinstance(one, bytes | int) and one not in {b"", self._kind(value)}]

    def _kind(self, value: Array | Object) -> str:
        kind = self.members.kind if self.members else ""
        return next((_said(one) for key, one in value.items if _said(key) == kind and isinstance(one, bytes)), "")

    def _all(self, value: php.Value, count: list[int]) -> php.Value:
        """Everything in a value, hidden. Raises Opaque for what stands for something elsewhere, or is known to its class alone."""
        match value:
            case None | b"":
                return value
            case Array():
                return Array(tuple((key, self._all(one, count)) for key, one in value.items))
            case Object():
                return Object(value.class_name, tuple((key, self._all(one, count)) for key, one in value.items))
            case Packed():
                return Packed(self._all(value.value, count))
            case Custom() | Case() | Reference():
                raise Opaque
            case bytes():
                count[0] += 1
                return self.text(value)
        count[0] += 1
        return self.number(value)


# -- how a cell is packed ---------------------------------------------------------------------------------------------------

# Stand around what is packed and mean nothing: blanks, also those that PHP's trim takes, and marks of byte order in UTF-8 and as latin1 has them.
_BLANK: Final = " \t\n\r\v\f\0\xa0\ufeff\xef\xbb\xbf"
_LIKE_PHP: Final = re.compile(rb'(?:[aO]:\+?[0-9]+:[{"]|[sSCE]:\+?[0-9]+:")')
_LIKE_JSON: Final = re.compile(
    r"""
    "?\s* (?:
        \{ \s* \\*["']                                         # an object with a name, in quotes, perhaps escaped ones
      | \[ \s* (?: \\*["'] | [\[{] )                          # a list of texts, lists or objects
      | (?: \{ | \[ \s*(?:-?[0-9]|true|false|null)\b ) .* ["']\s*:  # others, if there is a name anywhere
    )""",
    re.VERBOSE | re.DOTALL,
)
_Opened: TypeAlias = tuple[php.Value, Callable[[php.Value], Value]]


def _opened(cell: Value) -> _Opened | None:
    """What PHP or JSON packed in a cell, and what packs it again with all that stands around it; None for plain text. Raises Opaque for what
    begins like such a value and cannot be read.
    """
    return _opened_php(cell) or _opened_json(cell)


def _opened_php(cell: Value) -> _Opened | None:
    before, core, after = _pared(_bytes(cell), _BLANK.encode())
    if not (php.looks_serialised(core) or _LIKE_PHP.match(core)):
        return None
    found, back = php.read(core), _back_to_text if isinstance(cell, str) else bytes
    if found.broken and isinstance(cell, str) and (counted := to_latin1(cell)) is not None:
        before, core, after = _pared(counted, _BLANK.encode())
        found, back = php.read(core), from_latin1  # its lengths count the bytes of the column
    if found.broken:
        raise Opaque
    return found.value, lambda value: back(before + php.written(value) + after)


def _opened_json(cell: Value) -> _Opened | None:
    is_unicode = True
    try:
        text = cell if isinstance(cell, str) else _bytes(cell).decode(UTF8, SURROGATES)
    except UnicodeDecodeError:
        text, is_unicode = _bytes(cell).decode("latin-1"), False
    before, core, after = _pared(text, _BLANK)
    if core[:1] not in {"{", "[", '"'}:
        return None
    try:
        tree = read_json(core) if is_unicode else _refused("another charset than UTF-8")
    except ValueError:
        if _LIKE_JSON.match(core):
            raise Opaque from None
        return None

    def back(value: php.Value) -> Value:
        told = before + written_json(value, core) + after
        return told if isinstance(cell, str) else told.encode(UTF8, SURROGATES)

    return tree, back


def _pared(cell: AnyStr, blank: AnyStr) -> tuple[AnyStr, AnyStr, AnyStr]:
    """What stands before a value, the value, and what stands behind it."""
    core = cell.strip(blank)
    return cell.partition(core) if core else (cell, core, core)


def _bytes(cell: Value) -> bytes:
    if cell is None:
        return b""
    return cell if isinstance(cell, bytes) else cell.encode(UTF8, SURROGATES)


def _back_to_text(raw: bytes) -> str:
    return raw.decode(UTF8, SURROGATES)


def _said(key: php.Value) -> str:
    name = php.property_name(key) if isinstance(key, bytes | int) else b""
    return str(name) if isinstance(name, int) else name.decode(UTF8, "replace")


# -- JSON as values of PHP ------------------------------------------------------------------------------------------------


def read_json(text: str) -> php.Value:
    """A JSON text (RFC 8259) as values: objects are Objects of no class, whose members keep their order. Raises ValueError."""
    try:
        return _valued(json.loads(text, object_pairs_hook=_Pairs, parse_float=Double, parse_constant=_refused), 0)
    except RecursionError as error:
        raise ValueError("values stand too deep inside each other") from error


class _Pairs(list[tuple[str, Any]]):  # Any: what JSON holds
    """The members of an object."""


def _refused(word: str) -> Any:  # Any: never comes back
    raise ValueError(f"{word} is no JSON")


def _valued(value: Any, depth: int) -> php.Value:  # Any: what json.loads answers
    if depth > php.DEEPEST:
        raise ValueError("values stand too deep inside each other")
    if isinstance(value, _Pairs):
        items = tuple((name.encode(UTF8, SURROGATES), _valued(one, depth + 1)) for name, one in value)
        return Object(b"", items)
    if isinstance(value, list):
        return Array(tuple((place, _valued(one, depth + 1)) for place, one in enumerate(value)))
    if isinstance(value, str):
        return value.encode(UTF8, SURROGATES)
    plain: bool | int | Double | None = value
    return plain


def written_json(value: php.Value, like: str) -> str:
    """Such a value as JSON, in the habits of a text: PHP escapes what is not ASCII, and slashes."""
    quoted = encode_basestring_ascii if like.isascii() else encode_basestring
    comma, colon = (", " if '", "' in like or '": "' in like else ","), (": " if '": ' in like else ":")
    told = "".join(_spelt(value, quoted, comma, colon))
    return told.replace("/", "\\/") if "\\/" in like else told


def _spelt(value: php.Value, quoted: Callable[[str], str], comma: str, colon: str) -> Iterator[str]:
    match value:
        case Object() | Array():
            is_object = isinstance(value, Object)
            yield "{" if is_object else "["
            for place, (key, one) in enumerate(value.items):
                yield comma if place else ""
                if is_object:
                    yield quoted(_back_to_text(_key_bytes(key))) + colon
                yield from _spelt(one, quoted, comma, colon)
            yield "}" if is_object else "]"
        case Double():
            yield value.text
        case bytes():
            yield quoted(value.decode(UTF8, SURROGATES))
        case bool() | None:
            yield {True: "true", False: "false", None: "null"}[value]
        case int():
            yield str(value)
        case _:
            raise Opaque


def _key_bytes(key: php.Key) -> bytes:
    return key if isinstance(key, bytes) else str(key).encode()
