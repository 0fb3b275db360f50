"""What a table has no column for, as lines that a person can read and that are read back: `X-SKYPE: ann.doe`, `TEL;TYPE=work: +49 30 1`.

A line's left side is a name as in a vCard with its parameters, the right side the value: plain text as it is, components and lists with
`;` and `,` escaped as in a vCard. Where a table has custom fields the two sides are a field's label and value; elsewhere they stand
below the note, behind a line that says so.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence

from migrator.contacts.model import COMPONENTS, LISTS, Parts, Property

HEADING = "-- more about this contact --"
_NAMES = """
    ADR AGENT ANNIVERSARY BDAY CALADRURI CALURI CAPURI CATEGORIES CLASS
    CLIENTPIDMAP CONTACT-URI DEATHDATE BIRTHPLACE DEATHPLACE
    EMAIL EXPERTISE FBURL FN GENDER GEO HOBBY IMPP INTEREST KEY KIND LABEL LANG LOGO MAILER
    MEMBER N NAME NICKNAME NOTE ORG
    ORG-DIRECTORY PHOTO PRODID PROFILE RELATED REV ROLE SORT-STRING SOUND SOURCE TEL TITLE TZ UID URL XML CREATED LANGUAGE GRAMGENDER PRONOUNS SOCIALPROFILE JSPROP
"""
STANDARD = frozenset(_NAMES.split())

OTHER = "X-OTHER"  # a property whose name no label can be; its parameter NAME is that
NAME = "NAME"
PARTS = "X-PARTS"  # a parameter of properties that have components though nobody expects them

_PLAIN_NAME = re.compile(r"[A-Z0-9-]+")
_LEFT = re.compile(r"(?:([A-Za-z0-9-]+)\.)?([A-Z][A-Z0-9-]*)((?:;[A-Z0-9-]+=(?:\"[^\"\r\n]*\"|[^\";\r\n])*)*)")
_PARAM = re.compile(r";([A-Z0-9-]+)=((?:\"[^\"]*\"|[^\";])*)")
_VALUE = re.compile(r'"([^"]*)"|([^",]+)')
_PLAIN_VALUE = re.compile(r"[^\",;:=\s^]+")
_CARET = {"^n": "\n", "^^": "^", "^'": '"'}
_LINE = re.compile(r"((?:[^:\"]|\"[^\"]*\")*):\s?(.*)", re.DOTALL)


def as_field(one: Property) -> tuple[str, str]:
    """A property's label and value; embedded data stands in base64, as in a vCard."""
    params: list[tuple[str, Sequence[str]]] = []
    if one.types:
        params.append(("TYPE", sorted(one.types)))
    if one.preferred is not None:
        params.append(("PREF", (str(one.preferred),)))
    params += one.params
    name = one.name
    if not _is_name(name):
        name, params = OTHER, [(NAME, (one.name,)), *params]
    if _is_structured(one):
        params.append((PARTS, ("1",)))
    if one.data is not None:
        params += [("ENCODING", ("b",)), *([("MEDIATYPE", (one.media,))] if one.media else [])]
    said = "".join(f";{name}={','.join(map(_param_value, values))}" for name, values in params)
    return f"{one.group}.{name}{said}" if one.group else f"{name}{said}", _value(one)


def as_property(label: str, value: str) -> Property | None:
    """The property that a label and a value mean; None where the label is a person's own word."""
    found = _LEFT.fullmatch(label.strip())
    if found is None:
        return None
    group, name, said = found[1] or "", found[2], found[3]
    if not _is_name(name):
        return None
    structured = name in COMPONENTS or name in LISTS
    types: frozenset[str] = frozenset()
    preferred: int | None = None
    params: list[tuple[str, tuple[str, ...]]] = []
    for param, text in _PARAM.findall(said):
        values = tuple(_uncaret(quoted or bare) for quoted, bare in _VALUE.findall(text))
        if param == "TYPE":
            types = frozenset(values)
        elif param == "PREF" and values and values[0].isdecimal():
            preferred = int(values[0])
        elif param == NAME and name == OTHER and values:
            name = values[0]
        elif param == PARTS:
            structured = True
        else:
            params.append((param, values))
    if ("ENCODING", ("b",)) in params:
        media = next((values[0] for param, values in params if param == "MEDIATYPE" and values), "")
        kept = tuple(param for param in params if param[0] not in {"ENCODING", "MEDIATYPE"})
        try:
            return Property(name, (), types, preferred, kept, group, b64decode(value, validate=True), media)
        except binascii.Error:
            return None
    parts = _parts(value, lists_only=name in LISTS) if structured else ((value,),)
    return Property(name, parts, types, preferred, tuple(params), group)


def below(note: str, leftovers: Iterable[Property]) -> str:
    """The note with the leftovers below it, a line each."""
    lines = []
    for one in leftovers:
        label, value = as_field(one)
        lines.append(f"{label}: {_one_line(value)}")
    if not lines and HEADING not in note:
        return note
    return "\n".join([*([note] if note else []), HEADING, *lines])


def above(text: str) -> tuple[str, tuple[Property, ...]]:
    """The note and the leftovers of a text that `below` made, or that a person wrote."""
    lines = text.replace("\r\n", "\n").split("\n")
    if HEADING not in lines:
        return text, ()
    heading = len(lines) - 1 - lines[::-1].index(HEADING)
    found = []
    for line in lines[heading + 1 :]:
        sides = _LINE.fullmatch(line)
        one = as_property(sides[1], _many_lines(sides[2])) if sides else None
        if one is None:
            if line.strip():
                return text, ()  # a person has written below it: all of it is their note
            continue
        found.append(one)
    return "\n".join(lines[:heading]), tuple(found)


def _value(one: Property) -> str:
    if one.data is not None:
        return b64encode(one.data).decode()
    if one.name not in COMPONENTS and one.name not in LISTS and not _is_structured(one):
        return one.text
    return ";".join(",".join(map(_escaped, part)) for part in one.parts)


def _is_name(name: str) -> bool:
    """Whether a label that begins like this cannot be a person's own word."""
    return name in STANDARD or (name.startswith("X-") and bool(_PLAIN_NAME.fullmatch(name)))


def _is_structured(one: Property) -> bool:
    """Whether a property of which that is not expected has components or a list."""
    expected = one.name in COMPONENTS or one.name in LISTS
    return not expected and (len(one.parts) > 1 or any(len(part) != 1 for part in one.parts))


def _parts(value: str, *, lists_only: bool) -> Parts:
    between = "" if lists_only else ";"
    parts: list[list[str]] = [[""]]
    letters = iter(value)
    for letter in letters:
        if letter == "\\":
            after = next(letters, "\\")
            parts[-1][-1] += "\n" if after == "n" else after
        elif letter == between:
            parts.append([""])
        elif letter == ",":
            parts[-1].append("")
        else:
            parts[-1][-1] += letter
    return tuple(map(tuple, parts))


def _escaped(text: str) -> str:
    return re.sub(r"([\\;,])", r"\\\1", text).replace("\n", "\\n")


def _param_value(value: str) -> str:
    if _PLAIN_VALUE.fullmatch(value):
        return value
    return '"' + value.replace("^", "^^").replace("\n", "^n").replace('"', "^'") + '"'


def _uncaret(value: str) -> str:
    return re.sub(r"\^[n^']", lambda found: _CARET[found[0]], value)


def _one_line(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _many_lines(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), value)
