"""Cards as Roundcube keeps them: 3.0, unfolded, one word of TYPE, the fields of its form and whatever else it does not know.

Roundcube builds a card anew from its form's fields each time it is imported or saved; what no field has room for (a second word of TYPE,
a birthday without a year, an address it calls invalid, a label) would be gone. Properties it does not know are left alone. So a
property that would not come back as it was travels twice: as Roundcube shows it, and whole, in an X- property of ours. Read back, the
whole one counts as long as what it was shown as is still there: what a person has changed in Roundcube since is what they meant.

Measured on 1.6.5: rcube_vcard.php (load, get_assoc, set, vcard_encode), rcube_contacts.php (convert_save_data).
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from urllib.parse import quote, unquote

from migrator.addresses import same_form
from migrator.contacts import meaning, vcard
from migrator.contacts.model import COMPONENTS, Card, Property, text_property
from migrator.frozen import dataclass

KEPT = "X-MIGRATOR-KEPT"
INSTEAD_OF = "X-MIGRATOR-INSTEAD-OF"  # the contact that this one was brought in to replace
SHOWN, HIDDEN = "shown", "hidden"  # whether Roundcube shows anything of a kept unit

# What its form has one field for; a second one of the name is not shown.
_SINGLE = frozenset({"FN", "N", "ORG", "NICKNAME", "BDAY", "X-ANNIVERSARY", "X-GENDER", "PHOTO"})
_TYPED = frozenset({"TEL", "EMAIL", "URL", "ADR"})
# What the form has fields for: built anew from them, so that parameters are lost.
SEEN_AS_FIELDS = _SINGLE | _TYPED | {
    "NOTE", "TITLE", "X-DEPARTMENT", "X-MAIDENNAME", "X-ASSISTANT", "X-MANAGER", "X-SPOUSE",
    "X-JABBER", "X-ICQ", "X-MSN", "X-AIM", "X-YAHOO", "X-SKYPE-USERNAME",
}  # fmt: skip
_MESSENGERS = {
    "xmpp": "X-JABBER", "skype": "X-SKYPE-USERNAME", "aim": "X-AIM", "icq": "X-ICQ", "msnim": "X-MSN", "ymsgr": "X-YAHOO",
}  # fmt: skip
_RELATIVES = {"spouse": "X-SPOUSE", "manager": "X-MANAGER", "assistant": "X-ASSISTANT"}
_SEXES = {"M": "male", "F": "female"}
# Of several words the one that says most about a number.
_TELLING = ("cell", "mobile", "iphone", "pager", "car", "video", "isdn", "main", "work", "home", "assistant")
_READ_AS = {
    "workfax": ("work", "fax"), "homefax": ("home", "fax"), "mobile": ("cell",), "home2": ("home",), "work2": ("work",),
}  # fmt: skip
_WORDS = frozenset({*_TELLING, *_READ_AS, "fax"})
_SAYS_NOTHING = frozenset({"voice", "internet"})
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")
_APPLE_LABEL = re.compile(r"_\$!<(.*)>!\$_")
_SAFE_NAME = re.compile(r"[A-Z0-9-]+")
_SAFE_VALUE = re.compile(r"[\w.+/-]+")
_UID = re.compile(r"^UID(?:;[^:\r\n]*)?:(.*?)\r?$", re.IGNORECASE | re.MULTILINE)
_INSTEAD_OF = re.compile(rf"^{INSTEAD_OF}:(\d+)\r?$".encode(), re.MULTILINE)
_LONGEST_EMAIL = 254
_LONGEST_LINE = 72  # bytes that are not folded
_FOLDED_AT = 76  # bytes between two folds
Unit = tuple[Property, ...]  # one property, or those that a group ties to a label


@dataclass(frozen=True, slots=True)
class Sent:
    """A card on its way into Roundcube. `shown` is what its form has fields for, `rest` what it leaves alone."""

    shown: tuple[Property, ...]
    rest: tuple[Property, ...]

    def instead_of(self, contact: str) -> Sent:
        """The card with the number of the contact that it is to replace, which tells the next run what to do if this one dies between."""
        return replace(self, rest=(*self.rest, text_property(INSTEAD_OF, contact)))

    def text(self, *, without: AbstractSet[str] = frozenset(), name: str = "") -> str:
        """The card as Roundcube writes it down, without properties of these names, or under another `name`."""
        shown = [one for one in self.shown if one.name not in without]
        if name:
            shown = [one for one in shown if one.name != "FN"] + [text_property("FN", name)]
        lines = "".join(f"{_line(one)}\r\n" for one in (*self.rest, *shown))
        return f"BEGIN:VCARD\r\nVERSION:3.0\r\n{lines}END:VCARD"


def to_roundcube(card: Card) -> Sent:
    """The card in Roundcube's words. One without a name gets its label as a name: without one it would be dropped."""
    shown: list[Property] = []
    rest: list[Property] = []
    kept: list[Property] = []
    names = Counter(one.name for one in card.properties)
    for unit in _units(card):
        several = names[unit[0].name] > 1
        seen = _as_shown(unit, {one.name for one in shown})
        fields = [one for one in seen if one.name in SEEN_AS_FIELDS]
        shown += fields
        rest += [one for one in seen if one.name not in SEEN_AS_FIELDS]
        if not _says_all(seen, unit, several=several):
            kept.append(_keep(unit, SHOWN if seen else HIDDEN))
    if not any(one.name == "FN" and one.text.strip() for one in shown):
        shown = [one for one in shown if one.name != "FN"] + [text_property("FN", card.label)]
    return Sent(tuple(shown), (*rest, *kept))


def from_roundcube(raw: bytes) -> vcard.Read:
    """The card that a text of Roundcube's means, with everything of it that we sent and nobody has changed since."""
    return meant(vcard.parse(raw, "utf-8"))


def meant(read: vcard.Read, without: AbstractSet[str] = frozenset()) -> vcard.Read:
    """The same for a text that has been read already; properties `without` which it is read are those that Roundcube adds of its own."""
    there = [_unsplit(one) for one in read.card.properties if one.name not in {"VERSION", KEPT, INSTEAD_OF, *without}]
    found: list[Property] = []
    dropped = list(read.dropped)
    for one in read.card.all(KEPT):
        kept = _kept(one.text)
        if kept is None:
            dropped.append(f"{KEPT}: it cannot be read any more")
            continue
        unit, how = kept
        seen = _as_shown(unit, frozenset()) if how == SHOWN else ()
        if _take(there, seen):
            found += unit
    return replace(read, card=replace(read.card, properties=(*_read_as(there), *found)), dropped=tuple(dropped))


def uid_in(text: str) -> str:
    """The UID in a text of Roundcube's; "" without one. Much faster than reading the card."""
    found = _UID.search(text)
    return vcard.unescaped(found[1]).strip().removeprefix("urn:uuid:") if found else ""


def instead_of(raw: bytes) -> str:
    """The number of the contact that the one of this text was brought in to replace, "" for any other."""
    found = _INSTEAD_OF.search(raw)
    return found[1].decode() if found else ""


def takes_email(address: str) -> bool:
    """Whether Roundcube calls the address valid (rcube_utils::check_email); a card with one that is not is dropped whole."""
    address = same_form(address) if address.isprintable() else ""
    local, at, domain = address.rpartition("@")
    if not (at and local) or len(address.encode()) > _LONGEST_EMAIL:
        return False
    if local.startswith('"'):
        if re.search(r'[\\"]', re.sub(r'\\[\\"]', "", local[1:-1])):
            return False
    elif re.search(r'^\.|\.\.|\.$|[\\ ",:;<>@]', local):
        return False
    if re.fullmatch(r"\[(\d{1,3}(\.\d{1,3}){3}|IPv6:[0-9a-f:.]+)\]", domain, re.IGNORECASE):
        return True
    parts = domain.split(".")
    good = all(re.fullmatch(r"(xn--)?[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]|[A-Za-z0-9]", part) for part in parts)
    last = parts[-1]
    return good and len(parts) > 1 and (last.startswith("xn--") or (last.isalnum() and not last.isdecimal()))


# -- how Roundcube shows things ---------------------------------------------------------------------------------------------


def _units(card: Card) -> Iterator[Unit]:
    """The card's properties, preferred ones first, those with a label together with it."""
    labelled = {one.group.lower() for one in card.all("X-ABLABEL") if one.group}
    done: set[str] = set()
    for one in sorted(card.properties, key=lambda each: each.preferred or 101):
        group = one.group.lower()
        if group not in labelled:
            yield (one,)
        elif group not in done:
            done.add(group)
            together = [each for each in card.properties if each.group.lower() == group]
            yield tuple(sorted(together, key=lambda each: each.name == "X-ABLABEL"))


def _as_shown(unit: Unit, taken: AbstractSet[str]) -> tuple[Property, ...]:
    """The properties that Roundcube makes of a unit, as it exports them; none where it would drop or break it. `taken` are the names
    that are shown already.
    """
    one = unit[0]
    label = next((_label(each) for each in unit[1:] if each.name == "X-ABLABEL"), "")
    if len(unit) > (2 if label else 1):
        return ()
    seen = _one_as_shown(one, label)
    if seen and seen[0].name in _SINGLE and seen[0].name in taken:
        return ()
    return seen


def _one_as_shown(one: Property, label: str) -> tuple[Property, ...]:
    special = _SHOWN_AS.get(one.name)
    if special:
        return special(one, label)
    if one.name in SEEN_AS_FIELDS:
        return (text_property(one.name, _text(one.text)),)
    return () if label else (_unknown(one),)


def _organisation(one: Property, _label: str) -> tuple[Property, ...]:
    first, *units = [_text(",".join(part)) for part in one.parts] or [""]
    return (text_property("ORG", first), *(text_property("X-DEPARTMENT", each) for each in units))


def _name(one: Property, _label: str) -> tuple[Property, ...]:
    whole = [_text(",".join(part)) for part in one.parts][:5] + [""] * 5
    return (Property("N", tuple((each,) for each in whole[:5])),)


def _nicknames(one: Property, _label: str) -> tuple[Property, ...]:
    said = ",".join(each for part in one.parts for each in part)
    return (Property("NICKNAME", (tuple(map(_text, said.split(","))),)),)


def _email(one: Property, label: str) -> tuple[Property, ...]:
    return (_typed(one, label),) if takes_email(one.text.strip()) else ()


def _address(one: Property, label: str) -> tuple[Property, ...]:
    """The form has no field for a box or what is added to an address: they are shown before the street."""
    box, extended, street, *others = [_text(",".join(part)) for part in one.parts] + [""] * 7
    street = ", ".join(filter(None, (box, extended, street)))
    whole = ("", "", street, *others[:4])
    return (replace(_typed(one, label), parts=tuple((each,) for each in whole)),)


def _photo(one: Property, _label: str) -> tuple[Property, ...]:
    """Only an embedded one: the link of another would be taken for its octets."""
    return (Property("PHOTO", data=one.data),) if one.data else ()


def _skype(one: Property, _label: str) -> tuple[Property, ...]:
    return (text_property("X-SKYPE-USERNAME", _text(one.text)),)


def _nothing(_one: Property, _label: str) -> tuple[Property, ...]:
    return ()


def _translated(one: Property, label: str) -> tuple[Property, ...]:
    """What Roundcube has a field of another name for; else as it is, which Roundcube leaves alone."""
    text = _text(one.text)
    if one.name == "IMPP":
        scheme, _, handle = text.partition(":")
        field = _MESSENGERS.get(scheme.lower(), "")
        return (text_property(field, unquote(handle.partition("?")[0])),) if field and handle else (_unknown(one),)
    if one.name == "GENDER":
        field = _SEXES.get(one.component(0).upper(), "")
        return (text_property("X-GENDER", field),) if field else (_unknown(one),)
    words = {label.lower()} if one.name == "X-ABRELATEDNAMES" else one.types
    fields = [_RELATIVES[word] for word in words if word in _RELATIVES]
    if fields and not text.startswith("urn:"):
        return (text_property(fields[0], text),)
    return () if label else (_unknown(one),)


def _date(one: Property, label: str) -> tuple[Property, ...]:
    """A date that Roundcube can read; one without a year is hidden from it, since it makes today's year of it or drops it."""
    if one.name == "X-ABDATE" and label.lower() != "anniversary":
        return ()
    found = _DATE.match(one.text.strip())
    name = "BDAY" if one.name == "BDAY" else "X-ANNIVERSARY"
    return (text_property(name, "-".join(found.groups())),) if found else ()


def _typed(one: Property, label: str) -> Property:
    words = one.types - _SAYS_NOTHING
    if one.name == "TEL" and "fax" in words:
        word = next((f"{place}fax" for place in ("work", "home") if place in words), "fax")
    else:
        word = next((each for each in _TELLING if each in words), min(words, default=""))
    word = re.sub(r"[^\w-]", "", word or label.lower())
    text = _text(one.text)
    if one.name == "TEL" and text.lower().startswith("tel:"):
        text = text[4:].partition(";")[0]
    return Property(one.name, ((text,),), frozenset({word} - {"", "other"}))


def _unknown(one: Property) -> Property:
    """A property that Roundcube leaves alone: without its group, and without parameters that its reader breaks."""
    sound = tuple(
        (name, values)
        for name, values in one.params
        if name not in {"CHARSET", "ENCODING"}
        and _SAFE_NAME.fullmatch(name)
        and all(map(_SAFE_VALUE.fullmatch, values))
    )
    words = frozenset(word for word in one.types if _SAFE_VALUE.fullmatch(word)) - {"other", "internet"}
    return replace(one, group="", params=sound, types=words, preferred=None)


_SHOWN_AS: Mapping[str, Callable[[Property, str], tuple[Property, ...]]] = {
    "N": _name,
    "NICKNAME": _nicknames,
    "ORG": _organisation,
    "EMAIL": _email,
    "TEL": lambda one, label: (_typed(one, label),),
    "URL": lambda one, label: (_typed(one, label),),
    "ADR": _address,
    "PHOTO": _photo,
    "X-SKYPE": _skype,
    **dict.fromkeys(("BDAY", "ANNIVERSARY", "X-ANNIVERSARY", "X-ABDATE"), _date),
    **dict.fromkeys(("IMPP", "GENDER", "RELATED", "X-ABRELATEDNAMES"), _translated),
    **dict.fromkeys(("CATEGORIES", "AGENT"), _nothing),
}


def _label(one: Property) -> str:
    """Apple's own labels stand in a frame."""
    text = one.text.strip()
    framed = _APPLE_LABEL.fullmatch(text)
    return framed[1] if framed else text


def _text(text: str) -> str:
    """Roundcube trims values and knows one kind of line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip(" \t")


# -- reading it back ------------------------------------------------------------------------------------------------------


def _unsplit(one: Property) -> Property:
    """Roundcube does not escape commas: one in a component stands for itself."""
    if one.name in {"N", "ADR", "ORG"}:
        return replace(one, parts=tuple((",".join(part),) for part in one.parts))
    return one


def _read_as(there: Sequence[Property]) -> tuple[Property, ...]:
    """Roundcube's words in everybody's."""
    departments = [one.text for one in there if one.name == "X-DEPARTMENT"]
    found = []
    for one in there:
        match one.name:
            case "ORG":
                found.append(replace(one, parts=(*one.parts[:1], *((each,) for each in departments))))
                departments = []
            case "N" if not any(one.component(place) for place in range(len(one.parts))):
                continue
            case "BDAY" | "X-ANNIVERSARY":
                found.append(replace(one, params=tuple(each for each in one.params if each[0] != "VALUE")))
            case name if name in _TYPED:
                words = (word for each in one.types for word in _READ_AS.get(each, (each,)))
                found.append(replace(one, types=frozenset(words)))
            case "X-DEPARTMENT":
                continue
            case _:
                found.append(one)
    if departments:  # of nowhere
        found.append(Property("ORG", (("",), *((each,) for each in departments))))
    return tuple(found)


def _take(there: list[Property], seen: Sequence[Property]) -> bool:
    """Take these out of what is there; False, and nothing taken, where one of them is not."""
    wanted = Counter(map(_mark, seen))
    places = []
    for place, one in enumerate(there):
        mark = _mark(one)
        if wanted[mark] > 0:
            wanted[mark] -= 1
            places.append(place)
    if any(wanted.values()):
        return False
    for place in reversed(places):
        del there[place]
    return True


def _mark(one: Property) -> object:
    """What tells two properties as shown apart."""
    name = "X-SKYPE-USERNAME" if one.name == "X-SKYPE" else one.name
    words = frozenset(word.lower() for word in one.types) if name in _TYPED else frozenset()
    text = one.text
    if name == "NICKNAME":
        text = ",".join(word for part in one.parts for word in part if word.strip())
    # Blanks are what an export loses (see mending.py).
    return name, one.data or "".join(text.split()).rstrip(";"), words


def _says_all(seen: Sequence[Property], unit: Unit, *, several: bool) -> bool:
    """Whether what comes back says all that the unit did. Being preferred says something where there are several."""
    if several and unit[0].preferred is not None:
        return False
    if any(one.name not in SEEN_AS_FIELDS and _is_folded(one) for one in seen):
        return False
    if len(unit) > 1 and seen and seen[0].types - _WORDS:  # a word of the person's own would come back as a type
        return False
    ignoring = frozenset[str]() if unit[0].name in {"FN", "N"} else frozenset({"FN"})
    return meaning.same(Card(unit), Card(_read_as(seen)), ignoring)


# -- what is kept whole ----------------------------------------------------------------------------------------------------


def _keep(unit: Unit, how: str) -> Property:
    rows = [
        [
            one.name, one.parts, sorted(one.types), one.preferred, one.params, one.group,
            None if one.data is None else base64.b64encode(one.data).decode(), one.media,
        ]
        for one in unit
    ]  # fmt: skip
    # Roundcube's reader cuts at ; and unescapes, its export loses blanks: nothing of that kind may stand in it.
    value = quote(json.dumps([how, rows], ensure_ascii=False, separators=(",", ":")), safe="!*()@+=")
    # Nor may the line end where the export makes a fold (see mending.py).
    return text_property(KEPT, value if (len(KEPT) + 1 + len(value)) % _FOLDED_AT else f"{value}%20")


def _kept(text: str) -> tuple[Unit, str] | None:
    try:
        how, rows = json.loads(unquote(text))
        unit = tuple(
            Property(
                str(name),
                tuple(tuple(map(str, part)) for part in parts),
                frozenset(map(str, types)),
                preferred,
                tuple((str(key), tuple(map(str, values))) for key, values in params),
                str(group),
                None if data is None else base64.b64decode(data),
                str(media),
            )
            for name, parts, types, preferred, params, group, data, media in rows
        )
    except (ValueError, TypeError):
        return None
    return (unit, str(how)) if unit and how in {SHOWN, HIDDEN} else None


# -- writing ---------------------------------------------------------------------------------------------------------------


def _line(one: Property) -> str:
    params = "".join(f";TYPE={word}" for word in sorted(one.types))
    params += "".join(f";{name}={value}" for name, values in one.params for value in values)
    if one.data is not None:
        kind = one.media.partition("/")[2].upper()
        told = f";TYPE={kind}" if kind and one.name != "PHOTO" and _SAFE_VALUE.fullmatch(kind) else ""
        return f"{one.name};ENCODING=b{told}:{base64.b64encode(one.data).decode()}"
    if one.name in {"BDAY", "X-ANNIVERSARY"}:
        params = ";VALUE=date"
    pieces = [",".join(part) for part in one.parts] if one.name in COMPONENTS else [one.text]
    return f"{one.name}{params}:{';'.join(map(escaped, pieces))}"


def _is_folded(one: Property) -> bool:
    return one.data is None and one.name not in {"UID", "REV"} and len(_line(one).encode()) >= _LONGEST_LINE


def escaped(text: str) -> str:
    """A text as Roundcube escapes it: commas stand for themselves."""
    return text.replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n").replace(";", "\\;")
