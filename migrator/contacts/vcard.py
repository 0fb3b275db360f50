"""vCards 2.1, 3.0 and 4.0 as cards, and cards as vCards 3.0 and 4.0 (RFC 2426, 6350, 6868, 9554; Apple's and Android's habits).

Reading takes what comes: lines.py cuts, this file decodes. What could not be read is told in words, never raised. Writing is strict. What
surprises: the spelling a version asks for (a telephone as URI, `data:` photos, KIND or Apple's word for it) ends and begins here, so that
two cards can be compared without knowing where they came from. vobject, by which many servers read cards, sees only text that this file
wrote: real cards it loses or breaks.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from migrator.contacts import charsets, dates, meaning
from migrator.contacts.lines import (
    LARGEST_CARD,
    MB,
    WIDTH,
    Line,
    Nested,
    Stray,
    content_lines,
    cut,
    narrow,
    strays_in_words,
    version_of,
)
from migrator.contacts.model import BINARY, COMPONENTS, LISTS, Card, Parts, Property
from migrator.frozen import dataclass

VERSIONS = ("3.0", "4.0")

APPLE_KIND, APPLE_MEMBER = "X-ADDRESSBOOKSERVER-KIND", "X-ADDRESSBOOKSERVER-MEMBER"
_FROM_APPLE = {APPLE_KIND: "KIND", APPLE_MEMBER: "MEMBER"}
OTHER_NAME = "X-N"  # how a second N is written, of which a card may have one
# A group says nothing of these, and vobject, and a server that reads with it, refuses a card in which they have one.
_UNGROUPED = LISTS | {"PRODID", "UID", "VERSION"}
_DAYS = frozenset({"BDAY", "ANNIVERSARY", "DEATHDATE"})
_INSTANTS = frozenset({"REV", "CREATED"})
# Names of which the value is one text, whatever commas and semicolons stand in it bare (RFC 2426, 6350; X- names that everybody writes so).
_ONE_TEXT = frozenset(
    "AGENT ANNIVERSARY BDAY BIRTHPLACE CALADRURI CALURI CLASS CREATED DEATHDATE DEATHPLACE EMAIL EXPERTISE FBURL FN GEO HOBBY "  # noqa: SIM905
    "IMPP INTEREST KEY KIND LABEL LANG LANGUAGE LOGO MAILER MEMBER NAME NOTE ORG-DIRECTORY PHOTO PRODID PROFILE RELATED REV ROLE "
    "SORT-STRING SOUND SOURCE TEL TITLE TZ UID URL VERSION XML X-ABLABEL X-ABADR X-ABRELATEDNAMES X-ABDATE X-ABSHOWAS X-ABUID "
    "X-ADDRESSBOOKSERVER-KIND X-ADDRESSBOOKSERVER-MEMBER X-AIM X-ANNIVERSARY X-ASSISTANT X-DEPARTMENT X-GENDER X-GADUGADU "
    "X-GOOGLE-TALK X-GROUPWISE X-ICQ X-JABBER X-MANAGER X-MAIDENNAME X-MSN X-PHONETIC-FIRST-NAME X-PHONETIC-LAST-NAME X-PHONETIC-MIDDLE-NAME X-SKYPE X-SKYPE-USERNAME X-SPOUSE "
    "X-TWITTER X-YAHOO".split()
)
_URIS = frozenset(
    {"CALADRURI", "CALURI", "FBURL", "IMPP", "MEMBER", "SOURCE", "UID", "URL", "KEY", "PHOTO", "LOGO", "SOUND"}
)
_PLAIN_VALUES = frozenset(  # words of VALUE= that tell nothing about a property we know
    {"uri", "url", "text", "date", "date-time", "date-and-or-time", "timestamp", "inline", "binary", "phone-number"}
)
_ENCODINGS_21 = frozenset({"QUOTED-PRINTABLE", "BASE64", "8BIT", "7BIT"})
_VALUES_21 = frozenset({"INLINE", "URL", "CONTENT-ID", "CID"})
_TYPE_OF_MEDIA = {
    "audio/basic": "BASIC",
    "audio/wav": "WAVE",
    "application/pgp-keys": "PGP",
    "application/pkix-cert": "X509",
}
_MEDIA_OF_TYPE = {
    **{word.lower(): media for media, word in _TYPE_OF_MEDIA.items()},
    "jpg": "image/jpeg",
    "x-evolution-unknown": "",
}
_MAIN_TYPE = {"PHOTO": "image", "LOGO": "image", "SOUND": "audio", "KEY": "application"}
_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"-----BEGIN PGP", "application/pgp-keys"),
)
_SPELT = {"X-ABLABEL": "X-ABLabel", "X-ABSHOWAS": "X-ABShowAs", "X-ABADR": "X-ABADR"}  # as Apple spells its own

_DATA_URI = re.compile(r"data:(?P<media>[^,;\\]*)(?P<params>[^,]*),(?P<data>.*)", re.IGNORECASE | re.DOTALL)
_BASE64_DATA = re.compile(rb"data:(?P<media>[^,;\\]*)[^,]*?;base64\\?,", re.IGNORECASE)
_SPACE = b" \t\r\n"
_NOT_BASE64 = bytes(octet for octet in range(256) if not (bytes([octet]).isalnum() or octet in b"+/="))
_NO_LINK = re.compile(r"[\\\x00-\x1f\x7f]")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE | re.ASCII)
_GEO = re.compile(r"geo:(-?[\d.]+),(-?[\d.]+)", re.IGNORECASE | re.ASCII)
_COORDINATES = re.compile(r"(-?[\d.]+)\s*[;,]\s*(-?[\d.]+)", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PLAIN_BACKSLASH = re.compile(r"\\(?![;,:])")
_PATH = re.compile(r"(?<!\S)(?:[A-Za-z]:\\|\\\\)[^\s;,]*")  # of Windows
_UNESCAPED = {"n": "\n", "N": "\n", ",": ",", ";": ";", ":": ":", "\\": "\\", '"': '"'}
_SOFT_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
_DEEPEST = 4  # cards in cards in cards
_SHOWN = 60
LONGEST_WORD = 100


@dataclass(frozen=True, slots=True)
class Read:
    """A card as it was read. `dropped` tells in words what of it could not be read; `raw` are its bytes, which begin at `offset`. A card of
    which nothing could be read has no properties.
    """

    card: Card
    raw: bytes = b""
    offset: int = 0
    dropped: tuple[str, ...] = ()


# -- reading ------------------------------------------------------------------------------------------------------------


def read(stream: BinaryIO, charset: str | None = None) -> Iterator[Read]:
    """Every card of a file, in order, holding one at a time; a broken one never hides the next. `charset` is that of texts that do not
    say and are not UTF-8; without it, it is guessed card by card. A file in which there is no card, only text, is one empty card.
    """
    for found in cut(stream):
        one = parse(found.raw, charset)
        told = [*one.dropped]
        if found.outside:
            where = "before this card" if found.raw else "here"
            told.insert(0, strays_in_words(found.outside, where))
        if found.too_large:
            told.append(f"the card is larger than {LARGEST_CARD // MB} MB; its rest was left out")
        yield Read(one.card, found.raw, found.offset, tuple(told))


def parse(raw: bytes, charset: str | None = None) -> Read:
    """One card from its bytes, whatever they are. What follows its END is told as dropped."""
    return _parse(raw, charset, depth=0)


def _parse(raw: bytes, charset: str | None, depth: int) -> Read:
    text = narrow(raw)
    lines, ended = content_lines(text)
    reading = _Reading(version_of(text), _charset_of(text, lines, charset), depth)
    for line in lines:
        match line:
            case Line():
                reading.line(line)
            case Stray():
                shown = line.text.decode("utf-8", "replace").strip()[:_SHOWN]
                reading.told.append(f"line {line.number} is no property: {shown}")
            case Nested():
                reading.nested(line)
    if lines and not ended:
        reading.told.append("the card has no END; what comes after its last line is missing")
    return Read(Card(_tidied(reading.properties), reading.version), raw, dropped=tuple(reading.told))


def _charset_of(text: bytes, lines: Iterable[Line | Stray | Nested], charset: str | None) -> str:
    """The charset of what is neither labelled nor UTF-8. "" if everything is UTF-8."""
    if text.isascii() or _is_utf8(text):
        # Quoted-printable hides its octets; they are asked for one by one.
        return charset or ""
    if charset and charsets.known(charset):
        return charsets.known(charset)
    return charsets.guess(
        line.value for line in lines if isinstance(line, Line) and not line.value.isascii() and not _is_utf8(line.value)
    )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Reading:
    """The properties of one card, as they come."""

    def __init__(self, version: str, charset: str, depth: int) -> None:
        self.version = version
        self.properties: list[Property] = []
        self.told: list[str] = []
        self._charset = charset
        self._depth = depth

    def line(self, line: Line) -> None:
        """Add what a content line says."""
        if line.name in {"VERSION", "BEGIN", "END"}:
            return
        header = _Header(line, old=self.version.startswith("2"))
        if (
            not header.base64
            and line.value[:5].lower() == b"data:"
            and _may_be_data(line.name)
            and _BASE64_DATA.match(line.value)
        ):
            header.base64 = True
        found = self._embedded(line, header) if header.base64 else self._text(line, header)
        if found is not None:
            self.properties.append(found)

    def nested(self, nested: Nested) -> None:
        """Add a card that stands inside this one, as the text of AGENT."""
        if not nested.name:
            self.told.append(f"a card stands inside the card at line {nested.number}; it was kept as AGENT")
        if self._depth >= _DEEPEST:
            self.told.append(f"the card at line {nested.number} lies too deep in others and was left out")
            return
        inner = _parse(nested.raw, self._charset or None, self._depth + 1)
        self.told += [f"AGENT: {told}" for told in inner.dropped]
        self.properties.append(Property("AGENT", ((_inline(inner.card),),)))

    def _text(self, line: Line, header: _Header) -> Property | None:
        value = line.value
        if header.quoted_printable:
            value = _SOFT_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), value)
        text = self._cleaned(self._decoded(value, header.charset, line), line)
        if "\\" in text and self.version.startswith("2"):
            text = _with_plain_backslashes_doubled(text, everywhere=header.quoted_printable)
        if line.name == "AGENT" and "BEGIN" in text[:LONGEST_WORD].upper() and self._depth < _DEEPEST:
            inner = _parse(unescaped(text).encode(), None, self._depth + 1)
            self.told += [f"AGENT: {told}" for told in inner.dropped]
            return header.property(((_inline(inner.card),),))
        data = _percent_data(text) if _may_be_data(line.name) and text[:5].lower() == "data:" else None
        if data is not None:
            media, octets = data
            return header.embedded(octets, media)
        return header.property(_parts(line.name, text, old=self.version.startswith("2")))

    def _embedded(self, line: Line, header: _Header) -> Property | None:
        value = line.value
        media = ""
        found = _BASE64_DATA.match(value[:LONGEST_WORD]) or _BASE64_DATA.match(value)
        if found:
            media = found["media"].decode("ascii", "replace").lower()
            value = value[found.end() :]
        octets, spoilt = _from_base64(value)
        if spoilt:
            self.told.append(f"{line.shown} is damaged: not all of it is base64")
        if not octets:
            if value.strip():  # a link that is labelled base64
                return header.property(((self._decoded(line.value, header.charset, line).strip(),),))
            return None
        if _may_be_data(line.name):
            return header.embedded(octets, media)
        text = self._cleaned(self._decoded(octets, header.charset, line), line)
        return header.property(_parts(line.name, escaped(text) if line.name in _ONE_TEXT else text, old=False))

    def _decoded(self, value: bytes, label: str, line: Line) -> str:
        """The text of a value: by its own CHARSET, else UTF-8, else the card's charset."""
        if value.isascii() and not label.lower().startswith(("utf-16", "utf-7", "iso-2022", "hz")):
            return value.decode("ascii")
        wanted = charsets.known(label) if label else ""
        for charset in filter(None, (wanted, "utf-8")):
            try:
                text = charsets.decode(value, charset)
            except UnicodeDecodeError:
                continue
            if label and charset != wanted:
                self.told.append(
                    f"{line.shown} names the charset {label[:_SHOWN]}, which it is not in; it was read as UTF-8"
                )
            return text
        charset = charsets.known(self._charset) or charsets.guess([value])
        if label:
            self.told.append(
                f"{line.shown} names the charset {label[:_SHOWN]}, which it is not in; it was read as {charset}"
            )
        try:
            return charsets.decode(value, charset)
        except UnicodeDecodeError:
            self.told.append(f"{line.shown} has octets that are not {charset}; they were replaced")
            return value.decode(charset, "replace")

    def _cleaned(self, text: str, line: Line) -> str:
        """The text with line ends as one and without what no card may hold."""
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not text.isprintable() and _CONTROLS.search(text):
            self.told.append(f"{line.shown} had control characters, which were left out")
            text = _CONTROLS.sub("", text.replace("\x0b", "\n"))
        return text


class _Header:
    """What stands before a value's colon, sorted."""

    def __init__(self, line: Line, *, old: bool) -> None:
        self._line = line
        self.charset = ""
        self.quoted_printable = False
        self.base64 = False
        self._preferred: int | None = None
        self._types: list[str] = []
        self._params: list[tuple[str, tuple[str, ...]]] = []
        for name, values in line.params:
            self._sort(name, values, old=old)

    def _sort(self, name: str, values: tuple[str, ...], *, old: bool) -> None:
        word = values[0] if values else ""
        if not name:
            self._bare(word, old=old)
        elif name == "TYPE":
            self._add_types(values)
        elif name == "PREF":
            self._preferred = min(max(int(word), 1), 100) if word.isdecimal() and word.isascii() else 1
        elif name == "ENCODING":
            self._encode(word)
        elif name == "CHARSET":
            self.charset = word
        elif name == "VALUE" and (word.lower() in _PLAIN_VALUES or not word) and _is_known(self._line.name):
            pass
        elif any(values):
            self._params.append((name, values))

    def _bare(self, word: str, *, old: bool) -> None:
        if word.upper() in _ENCODINGS_21:
            self._encode(word)
        elif word.upper() in _VALUES_21 and old:
            if word.upper() in {"CONTENT-ID", "CID"}:
                self._params.append(("VALUE", (word.lower(),)))
        else:
            self._add_types((word,))

    def _encode(self, word: str) -> None:
        self.quoted_printable |= word.upper() == "QUOTED-PRINTABLE"
        self.base64 |= word.upper() in {"BASE64", "B"}

    def _add_types(self, values: Iterable[str]) -> None:
        for word in (part.strip().lower() for value in values for part in value.split(",")):
            if word == "pref":
                self._preferred = self._preferred or 1
            elif word:
                self._types.append(word)

    def property(self, parts: Parts) -> Property:
        """The property with a value in words."""
        line = self._line
        types, media = self._types, ""
        if line.name in BINARY:
            media, types = self._media("")
        params = tuple(self._params)
        if line.name == "TEL" and parts[0][0][:4].lower() == "tel:":
            parts = ((parts[0][0][4:],),)
        elif line.name == "GEO" and (geo := _GEO.fullmatch(parts[0][0].strip())):
            parts = ((f"{geo[1]};{geo[2]}",),)
        elif line.name in _DAYS and (omitted := [value for name, value in params if name == "X-APPLE-OMIT-YEAR"]):
            parts = ((dates.day(parts[0][0], omitted[0][0]) or parts[0][0],),)
            params = tuple(one for one in params if one[0] != "X-APPLE-OMIT-YEAR")
        return Property(
            "N" if line.name == OTHER_NAME else _FROM_APPLE.get(line.name, line.name),
            parts,
            frozenset(types),
            self._preferred,
            params,
            line.group,
            media=media,
        )

    def embedded(self, data: bytes, media: str) -> Property:
        """The property with octets as its value."""
        media, types = self._media(media)
        media = media or next((kind for magic, kind in _MAGIC if data.startswith(magic)), "")
        line = self._line
        return Property(
            line.name, (), frozenset(types), self._preferred, tuple(self._params), line.group, data=data, media=media
        )

    def _media(self, media: str) -> tuple[str, list[str]]:
        """The media type, and the TYPE words that do not tell it."""
        for name, values in list(self._params):
            if name == "MEDIATYPE":
                media = media or values[0].lower()
                self._params.remove((name, values))
        rest = []
        main = _MAIN_TYPE.get(self._line.name, "image")
        for word in self._types:
            if word in {"home", "work"}:
                rest.append(word)
            else:
                media = media or _MEDIA_OF_TYPE.get(word, word if "/" in word else f"{main}/{word}")
        return media, rest


def _is_known(name: str) -> bool:
    return name in _ONE_TEXT or name in COMPONENTS or name in LISTS


def _may_be_data(name: str) -> bool:
    return name in BINARY or name.startswith("X-")


def _from_base64(value: bytes) -> tuple[bytes, bool]:
    """The octets, and whether something was wrong with them."""
    value = value.translate(None, _SPACE)
    clean = value.translate(None, _NOT_BASE64)
    body = clean.rstrip(b"=")
    spoilt = len(clean) != len(value) or b"=" in body
    body = body.replace(b"=", b"")
    if len(body) % 4 == 1:  # a letter alone holds no octet
        body, spoilt = body[:-1], True
    return binascii.a2b_base64(body + b"=" * (-len(body) % 4)), spoilt


def _percent_data(text: str) -> tuple[str, bytes] | None:
    """Media type and octets of a `data:` URI that is not base64."""
    found = _DATA_URI.fullmatch(text)
    if not found:
        return None
    return found["media"].lower(), unquote_to_bytes(unescaped(found["data"]))


def unescaped(text: str) -> str:
    """A value without its backslashes; one before a letter that needs none stays."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: _UNESCAPED.get(found[1], found[0]), text)


def _with_plain_backslashes_doubled(text: str, *, everywhere: bool) -> str:
    """A value of 2.1 as later versions would have it. There a backslash escapes a semicolon and nothing else; line ends are for
    quoted-printable. Many write \\n all the same, which is taken for one outside quoted-printable, but not in a path.
    """
    if everywhere:
        return _PLAIN_BACKSLASH.sub(r"\\\\", text)
    return _PATH.sub(lambda found: _PLAIN_BACKSLASH.sub(r"\\\\", found[0]), text)


def _parts(name: str, text: str, *, old: bool) -> Parts:
    """The value as components and lists, as far as its property has them."""
    name = "N" if name == OTHER_NAME else name
    if name in _ONE_TEXT:
        return ((unescaped(text if name == "NOTE" else text.strip()),),)
    if name in LISTS:
        words = [word.strip() for word in _cut(text, ",")]
        return (tuple(unescaped(word) for word in words if word) or ("",),)
    if name == "ORG":
        return tuple((unescaped(part).strip(),) for part in _cut(text, ";"))
    if name in COMPONENTS:
        parts = [tuple(_list(part, old=old)) for part in _cut(text, ";")]
        return tuple(parts + [("",)] * (COMPONENTS[name] - len(parts)))
    return tuple(tuple(unescaped(word) for word in _cut(part, ",")) for part in _cut(text, ";"))


def _list(component: str, *, old: bool) -> Iterator[str]:
    """The values of one component. A comma before a space is prose, and in 2.1 every comma is."""
    if old or "," not in component:
        yield unescaped(component).strip()
        return
    words = _cut(component, ",")
    whole = words[0]
    for word in words[1:]:
        if word[:1].isspace():
            whole += "," + word
        else:
            yield unescaped(whole).strip()
            whole = word
    yield unescaped(whole).strip()


def _cut(text: str, separator: str) -> list[str]:
    """The text cut at every separator without a backslash; what is escaped stays so."""
    if "\\" not in text:
        return text.split(separator)
    found, start, place = [], 0, 0
    while place < len(text):
        if text[place] == "\\":
            place += 2
            continue
        if text[place] == separator:
            found.append(text[start:place])
            start = place + 1
        place += 1
    return [*found, text[start:]]


def _tidied(properties: list[Property]) -> tuple[Property, ...]:
    """Without an empty FN or N beside one that says something: products that fill a form write both."""
    filled = {one.name for one in properties if one.name in {"FN", "N"} and one.is_filled}
    return tuple(one for one in properties if one.name not in filled or one.is_filled)


def _inline(card: Card) -> str:
    return write(replace(card, version="3.0"), fold=False).replace("\r\n", "\n")


# -- writing ------------------------------------------------------------------------------------------------------------


def write(card: Card, version: str = "3.0", *, fold: bool = True) -> str:
    """The card as vCard 3.0 or 4.0, every property kept, its lines ended by CRLF. FN, and N in 3.0, are made up where the card has none;
    nothing else is: a card without a UID stays so. A name of a property or parameter that no version allows is spelt with hyphens.
    """
    if version not in VERSIONS:
        raise ValueError(version)
    assert card.is_whole, "a photo that was set aside would be lost"
    lines = ["BEGIN:VCARD", f"VERSION:{version}"]
    writing = _Writing(version, card)
    lines += map(writing.line, _with_names(card, version))
    lines.append("END:VCARD")
    return "".join(f"{_folded(line) if fold else line}\r\n" for line in lines)


def _with_names(card: Card, version: str) -> Iterator[Property]:
    only = {"N": meaning.structured_name(card), "PRODID": card.first("PRODID")}
    weddings = [one for one in card.properties if meaning.common_name(one.name) == "ANNIVERSARY"]
    # 4.0 has a name of its own for it, once in a card (RFC 6350, 6.2.6); before it programs made up theirs.
    wedding = next((one for one in weddings if one.name == "ANNIVERSARY"), weddings[0] if weddings else None)
    if not card.text("FN").strip():
        yield Property("FN", ((card.label,),))
    if version == "3.0" and only["N"] is None:
        yield derived_name(card)
    for one in card.properties:
        if one.name in {"VERSION", "BEGIN", "END"} or (one.name in {"FN", "N"} and not one.is_filled):
            continue
        if one.name == "PRODID" and one is not only["PRODID"]:
            continue
        # More than one N is an error in 3.0 (2426, 3.1.2; vobject refuses the card) and in 4.0 but for other alphabets' (6350, 5.4).
        surplus = one.name == "N" and one is not only["N"] and not (version == "4.0" and one.param("ALTID"))
        if version == "4.0" and one is wedding:
            yield replace(one, name="ANNIVERSARY")
        else:
            yield replace(one, name=OTHER_NAME) if surplus else one


def derived_name(card: Card) -> Property:
    """An N for a card that has none: the last word is the family's, unless it is no person or has one word only. A company has none."""
    label = card.label
    if _is_company(card):
        return Property("N", (("",),) * COMPONENTS["N"])
    if card.is_group or card.text("KIND").lower() in {"org", "location"} or not card.text("FN").strip():
        return Property("N", ((label,), ("",), ("",), ("",), ("",)))
    family, comma, given = label.partition(", ")
    if not comma:
        given, _, family = label.rpartition(" ")
        if not given:
            given, family = family, ""
    return Property("N", ((family,), (given,), ("",), ("",), ("",)))


def _is_company(card: Card) -> bool:
    """Whether a card that has no N is called what its organisation is, so that no part of that is a person's name."""
    organisation = card.first("ORG")
    named = meaning.plain(card.label).casefold()
    return (
        organisation is not None
        and organisation.is_filled
        and named in {meaning.plain(one).casefold() for one in (organisation.component(0), organisation.text)}
    )


class _Writing:
    """How one version spells properties."""

    def __init__(self, version: str, card: Card) -> None:
        self._new = version == "4.0"
        self._best: dict[str, int] = {}
        for one in card.properties:
            if one.preferred is not None:
                self._best[one.name] = min(one.preferred, self._best.get(one.name, one.preferred))

    def line(self, one: Property) -> str:
        """The content line of a property, not folded."""
        head = self._name(one)
        group = "" if one.name in _UNGROUPED else re.sub(r"[^A-Za-z0-9-]", "-", one.group)
        params = [f"{name}={','.join(map(_param, values))}" for name, values in self._params(one) if values]
        return f"{group}{'.' if group else ''}{';'.join([head, *params])}:{self._value(one)}"

    def _name(self, one: Property) -> str:
        name = one.name
        if not self._new and one.name == "MEMBER":
            name = APPLE_MEMBER
        elif not self._new and one.name == "KIND" and one.text.lower() == "group":
            name = APPLE_KIND
        elif self._new:
            name = _FROM_APPLE.get(name, name)
        return _SPELT.get(name) or meaning.plain_name(name)

    def _params(self, one: Property) -> Iterator[tuple[str, tuple[str, ...]]]:
        types = sorted(one.types)
        best = one.preferred is not None and one.preferred == self._best.get(one.name)
        if one.data is not None and not self._new:
            yield "ENCODING", ("b",)
        if one.media and not self._new:
            types = [_TYPE_OF_MEDIA.get(one.media) or one.media.rpartition("/")[2], *types]
        elif one.media and one.data is None:
            yield "MEDIATYPE", (one.media,)
        if not self._new:
            types = [word.upper() for word in types] + ["PREF"] * best
        yield "TYPE", tuple(types)
        if one.preferred is not None and (self._new or not best):
            yield "PREF", (str(one.preferred),)
        named_value = False
        for name, values in one.params:
            named_value |= name == "VALUE"
            yield meaning.plain_name(name), values
        if not named_value:
            yield "VALUE", self._value_type(one)

    def _value_type(self, one: Property) -> tuple[str, ...]:
        """The VALUE a reader needs, where it is not what the version expects."""
        if one.data is not None:
            return ()
        if one.name in BINARY and not self._new and _SCHEME.match(one.text):
            return ("uri",)
        if not self._new or one.name not in {*BINARY, *_DAYS, "RELATED"} or one.params:
            return ()
        fits = dates.day(one.text) if one.name in _DAYS else _SCHEME.match(one.text)
        return () if fits else ("text",)

    def _value(self, one: Property) -> str:
        if one.data is not None:
            text = base64.b64encode(one.data).decode("ascii")
            return f"data:{one.media or 'application/octet-stream'};base64,{text}" if self._new else text
        if one.name in _DAYS or one.name in _INSTANTS:
            return escaped((dates.basic if self._new else dates.extended)(one.text))
        if one.name == "GEO" and (found := _COORDINATES.fullmatch(one.text.strip())):
            return f"geo:{found[1]},{found[2]}" if self._new else f"{found[1]};{found[2]}"
        if one.name in {"MEMBER", APPLE_MEMBER}:
            text = one.text.strip()
            return _uri(text if _SCHEME.match(text) else f"urn:uuid:{text}", new=self._new)
        if one.name in _URIS and _SCHEME.match(one.text):
            return _uri(one.text, new=self._new)
        # Readers of 3.0 (vobject, and Radicale with it) take a bare comma in what they do not know for the end of the value.
        comma = "," if self._new or one.name in LISTS or one.name in COMPONENTS else "\\,"
        return ";".join(comma.join(map(escaped, part)) for part in one.parts)


def _uri(text: str, *, new: bool) -> str:
    """A link. 3.0 has no rule of its own for it, and readers of 3.0 take a bare comma for the end of a value; in 4.0 a link is not escaped."""
    if new and not _NO_LINK.search(text):
        return text
    return escaped(text).replace("\\;", ";")


def escaped(text: str) -> str:
    """A text as the value of a property, or a part of one."""
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;").replace("\n", "\\n")


def _param(value: str) -> str:
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    value = _CONTROLS.sub("", value).replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    return value if re.fullmatch(r"[^\s,;:]+", value) else f'"{value}"'


def _folded(line: str) -> str:
    """The line in pieces of 75 octets, cut between characters and not before a space, which some readers would swallow."""
    if len(line) <= WIDTH and line.isascii():
        return line
    octets = line.encode("utf-8", "replace")
    if len(octets) <= WIDTH:
        return line
    pieces, start, room = [], 0, WIDTH
    while len(octets) - start > room:
        end = start + room
        while end > start + room // 2 and octets[end] & 0xC0 == 0x80:  # noqa: PLR2004 - inside a character of UTF-8
            end -= 1
        shorter = end
        while shorter > start + room // 2 and octets[shorter] in b" \t":
            shorter -= 1
        while octets[shorter] & 0xC0 == 0x80:  # noqa: PLR2004 - as above
            shorter -= 1
        end = shorter if octets[shorter] not in b" \t" else end
        pieces.append(octets[start:end])
        start, room = end, WIDTH - 1
    return "\r\n ".join(piece.decode() for piece in [*pieces, octets[start:]])


# -- who a card is --------------------------------------------------------------------------------------------------------


def uid_for(card: Card) -> str:
    """A UID for a card that has none, made of what it means: the same card has the same one at every reading."""
    name = meaning.structured_name(card)
    octets = sha256(f"{meaning.digest(card, frozenset({'UID'}))}\n{name.text if name else ''}".encode()).digest()
    return str(uuid.UUID(bytes=octets[:16], version=5))


def uid_beside(uid: str, name: Iterable[str]) -> str:
    """A UID for whoever of this name has another's: the same at every reading, whatever else the card says."""
    octets = sha256("\n".join((uid, *name)).encode("utf-8", "surrogatepass")).digest()
    return str(uuid.UUID(bytes=octets[:16], version=5))


def with_uid(card: Card) -> Card:
    """The card under its UID, or under the one made for it."""
    if card.uid:
        return card
    return Card((Property("UID", ((uid_for(card),),)), *card.without("UID").properties), card.version)


# -- a second reader --------------------------------------------------------------------------------------------------------


def objection(text: str) -> str:
    """What vobject, by which Radicale and others read cards, has against a card that `write` wrote; "" if it takes it."""
    import vobject  # type: ignore[import-untyped]  # it ships no types

    try:
        found = vobject.readOne(text)
        found.serialize()
    except (vobject.base.VObjectError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if found is not None else "there is no card in it"
