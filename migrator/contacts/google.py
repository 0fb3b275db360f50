"""A contact as a row of the CSV that Google Contacts exports and imports: both layouts are read, the newer one is written.

What surprises: Google has no column for much of a card (IM, gender, UID), but as many custom fields as one likes. They take it, so
that a card comes back whole; only embedded photos do not. Labels are Google's groups; `* myContacts` is its word for everybody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from migrator.contacts import columns, leftovers
from migrator.contacts.columns import Said
from migrator.contacts.model import Card, Property, text_property
from migrator.errors import EndpointUnfit
from migrator.frozen import dataclass

JOINT = " ::: "
STAR = "* "
EVERYBODY = "* myContacts"
STARRED = "* starred"
IN_GROUPS = "X-IN-GROUPS"  # a parameter of categories: those that are groups too
STARRED_PROPERTY = "X-GOOGLE-STARRED"
SYSTEM = frozenset({"mycontacts", "my contacts", "other contacts", "starred"})
LABELS = "Labels"
OLD_LABELS = "Group Membership"

SINGLE: Final = (
    "First Name", "Middle Name", "Last Name", "Phonetic First Name", "Phonetic Middle Name", "Phonetic Last Name", "Name Prefix",
    "Name Suffix", "Nickname", "File As", "Organization Name", "Organization Title", "Organization Department", "Birthday", "Notes",
    "Photo", LABELS,
)  # fmt: skip
ADDRESS: Final = (
    "PO Box", "Extended Address", "Street", "City", "Region", "Postal Code", "Country",
)  # fmt: skip  # in the order of ADR's components
NUMBERED: Final[Mapping[str, tuple[str, ...]]] = {
    "E-mail": ("Label", "Value"),
    "Phone": ("Label", "Value"),
    "Address": (
        "Label", "Formatted", "Street", "City", "PO Box", "Region", "Postal Code", "Country", "Extended Address",
    ),
    "Website": ("Label", "Value"),
    "Event": ("Label", "Value"),
    "Relation": ("Label", "Value"),
    "Custom Field": ("Label", "Value"),
}  # fmt: skip
FEWEST: Final = {"E-mail": 3, "Phone": 4, "Address": 2, "Website": 2, "Event": 1, "Relation": 1, "Custom Field": 2}
_NAMES: Final = (
    ("Last Name", "Family Name"), ("First Name", "Given Name"), ("Middle Name", "Additional Name"), ("Name Prefix",), ("Name Suffix",),
)  # fmt: skip
_PLAIN: Final = {
    "X-PHONETIC-FIRST-NAME": ("Phonetic First Name", "Given Name Yomi"),
    "X-PHONETIC-MIDDLE-NAME": ("Phonetic Middle Name", "Additional Name Yomi"),
    "X-PHONETIC-LAST-NAME": ("Phonetic Last Name", "Family Name Yomi"),
    "SORT-STRING": ("File As",),
    "NOTE": ("Notes",),
    "ROLE": ("Occupation",),
    "X-MAIDENNAME": ("Maiden Name",),
    "X-INITIALS": ("Initials",),
    "X-LOCATION": ("Location",),
}
_MEANT: Final = {
    *SINGLE,
    OLD_LABELS,
    "Name",
    "Gender",
    *(name for names in (*_NAMES, *_PLAIN.values()) for name in names),
}
_FIELDS: Final = {
    **{kind: {*fields, "Type"} for kind, fields in NUMBERED.items()},
    "IM": {"Type", "Service", "Value"},
    "Organization": {"Type", "Name", "Title", "Department"},
}
_OLD = {"Name", "Given Name", "Family Name"}
_COLUMN = re.compile(r"(.+?) (\d{1,4}) - (.+)")
FEWEST_KNOWN = 2  # columns by which a table is taken for Google's
MOST = 200  # of one kind; sheets end at 16,384 columns

_PHONES: Final = {
    "mobile": {"cell"}, "home": {"home"}, "work": {"work"}, "home fax": {"home", "fax"}, "work fax": {"work", "fax"},
    "pager": {"pager"}, "main": {"main"}, "fax": {"fax"}, "other": set[str](), "work mobile": {"work", "cell"},
    "home mobile": {"home", "cell"}, "work pager": {"work", "pager"}, "car": {"car"}, "video": {"video"}, "isdn": {"isdn"},
}  # fmt: skip
_PLACES: Final = {"home": {"home"}, "work": {"work"}, "other": set[str]()}
_TYPED: Final[Mapping[str, tuple[str, Mapping[str, set[str]]]]] = {
    "EMAIL": ("E-mail", _PLACES),
    "TEL": ("Phone", _PHONES),
    "URL": ("Website", _PLACES),
}
# TYPE's words in 2.1, 3.0 and 4.0 for which Google has no label.
_EVERYBODYS = frozenset(
    "aol applelink attmail bbs car cell cis dom eworld fax home ibmmail internet intl isdn main-number mcimail modem msg pager parcel pcs "  # noqa: SIM905
    "postal powershare pref prodigy text textphone tlx video voice work x400".split()
)
_RELATIVES: Final = {"Spouse": "X-SPOUSE", "Manager": "X-MANAGER", "Assistant": "X-ASSISTANT"}
_KIN = frozenset(
    {"child", "parent", "sibling", "friend", "kin", "neighbor", "colleague", "co-worker", "acquaintance", "contact"}
)


@dataclass(frozen=True, slots=True)
class GoogleColumns:
    """Fulfils Columns. The names of columns are Google's own, which are English everywhere. `old` is the older layout, which is only read."""

    old: bool = False

    def recognised(self, header: Sequence[str]) -> tuple[GoogleColumns, tuple[str, ...]] | None:
        """The columns as they are called, if they are Google's."""
        names = tuple(name.strip() for name in header)
        marks = [name for name in names if _COLUMN.fullmatch(name)]
        known = set(names) & ({*SINGLE, OLD_LABELS} | _OLD)
        ours = len(known) >= FEWEST_KNOWN and (marks or LABELS in names or OLD_LABELS in names)
        return (GoogleColumns(bool(_OLD & set(names)) or OLD_LABELS in names), names) if ours else None

    def told(self, cells: Mapping[str, str]) -> tuple[str, ...]:
        """Nothing: what has no meaning of its own is kept as it is."""
        del cells
        return ()

    def header(self, wanted: Iterable[Mapping[str, str]], there: Sequence[str]) -> tuple[str, ...]:
        """The newer layout, with as many columns of each kind as these rows and those there need. Raises EndpointUnfit for a file
        of the older one.
        """
        if self.old:
            raise EndpointUnfit(
                "a file in Google's older layout is only read.",
                remedy="Give another path; it is written in the newer one.",
            )
        counts = dict(FEWEST)
        for name in (*there, *(name for cells in wanted for name in cells)):
            found = _COLUMN.fullmatch(name)
            if found and found[1] in counts:
                counts[found[1]] = max(counts[found[1]], int(found[2]))
        names = [*SINGLE]
        for kind, fields in NUMBERED.items():
            names += [f"{kind} {number} - {field}" for number in range(1, counts[kind] + 1) for field in fields]
        return (*names, *(name for name in there if name not in names))

    def titles(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The same."""
        return tuple(columns)

    # -- writing

    def cells(self, card: Card) -> dict[str, str]:
        """A card's row; what has no column stands in custom fields."""
        cells = _columns_of(card)
        rest = columns.left_over(card, _said_in(cells))
        for number, one in enumerate(columns.fields_of(rest), start=1):
            label, value = _field(one)
            cells[f"Custom Field {number} - Label"] = label
            cells[f"Custom Field {number} - Value"] = value
        return cells

    # -- reading

    def card(self, cells: Mapping[str, str]) -> Card:
        """A row's card. Labels are groups and no part of it."""
        rest = [
            leftovers.as_property(label, value) or columns.custom(label, value)
            for label, value in _custom_fields(cells)
        ]
        rest = [replace(one, params=tuple(param for param in one.params if param[0] != IN_GROUPS)) for one in rest]
        return Card(columns.grouped(columns.restored(_said_in(cells), columns.labelled(rest))))


# -- labels -----------------------------------------------------------------------------------------------------------


def labels_of(cells: Mapping[str, str]) -> tuple[str, ...]:
    """The labels of a row that are groups: not Google's word for everybody, and not those that are only the card's categories."""
    categories = [one for _, one in _categories(cells)]
    sorted_in = {name for one in categories for name in one.parts[0]}
    in_groups = {name for one in categories for name in _in_groups(one)}
    return tuple(
        name for name in _labels(cells) if name.lower() not in SYSTEM and (name not in sorted_in or name in in_groups)
    )


def labelled(cells: Mapping[str, str], label: str, *, on: bool) -> dict[str, str]:
    """The row with this label or without it. What is a category of the card as well stays one, and keeps its label."""
    said = dict(cells)
    for column, one in _categories(cells):
        if label in one.parts[0]:
            groups = _in_groups(one) | {label} if on else _in_groups(one) - {label}
            params = [param for param in one.params if param[0] != IN_GROUPS]
            params += [(IN_GROUPS, tuple(sorted(groups)))] if groups else []
            said[column] = leftovers.as_field(replace(one, params=tuple(params)))[0]
            return said
    there = [one for one in _raw_labels(cells) if one.removeprefix(STAR) != label]
    return {**said, LABELS: JOINT.join([*there, label] if on else there)}


def _categories(cells: Mapping[str, str]) -> Iterator[tuple[str, Property]]:
    """The categories that a row has in full in custom fields, each with the column of its label."""
    for column, label in cells.items():
        if column.startswith("Custom Field") and label.startswith("CATEGORIES"):
            one = leftovers.as_property(label, cells.get(f"{column.rpartition(' - ')[0]} - Value", ""))
            if one and one.name == "CATEGORIES":
                yield column, one


def _in_groups(categories: Property) -> frozenset[str]:
    return frozenset(name for param, values in categories.params if param == IN_GROUPS for name in values)


def can_be_label(name: str) -> bool:
    """Whether Google can have a label of this name."""
    return bool(name.strip()) and ":::" not in name and not name.startswith(STAR) and name.lower() not in SYSTEM


def _labels(cells: Mapping[str, str]) -> list[str]:
    return [label.removeprefix(STAR).strip() for label in _raw_labels(cells)]


def _raw_labels(cells: Mapping[str, str]) -> list[str]:
    text = cells.get(LABELS) or cells.get(OLD_LABELS) or ""
    return [label for label in map(str.strip, text.split(JOINT.strip())) if label]


# -- columns into properties ------------------------------------------------------------------------------------------


def _said_in(cells: Mapping[str, str]) -> list[Said]:
    """What the columns say, custom fields apart."""
    found = [Said(one) for one in _person(cells)]
    kinds = _by_kind(cells)
    for name, (kind, words) in _TYPED.items():
        found += [_typed(name, label, value, words) for label, value in _valued(kinds.get(kind, ()))]
    found += [one for fields in kinds.get("Address", ()) for one in _addresses(fields)]
    found += [_event(label, value) for label, value in _valued(kinds.get("Event", ()))]
    found += [_relation(label, value) for label, value in _valued(kinds.get("Relation", ()))]
    for fields in kinds.get("IM", ()):
        service = fields.get("Service", "").strip().lower() or "im"
        found += [Said(text_property("IMPP", f"{service}:{value}")) for value in _several(fields.get("Value", ""))]
    found += [Said(one) for fields in kinds.get("Organization", ()) for one in _organisation(fields)]
    found += [Said(one) for one in _unknown(cells)]
    return found


def _person(cells: Mapping[str, str]) -> Iterator[Property]:
    name = columns.name_of(*(_first(cells, *names) for names in _NAMES))
    organisation = cells.get("Organization Name", "") or cells.get("Organization 1 - Name", "")
    called = cells.get("Name", "") or (columns.called(name) if name else organisation)
    if called:
        yield text_property("FN", called)
    if name:
        yield name
    nicknames = tuple(_several(cells.get("Nickname", "")))
    if nicknames:
        yield Property("NICKNAME", (nicknames,))
    for known, names in _PLAIN.items():
        if _first(cells, *names):
            yield text_property(known, _first(cells, *names))
    if cells.get("Gender"):
        yield Property("GENDER", ((_gender(cells["Gender"]),),))
    born = cells.get("Birthday", "").strip()
    if born:
        yield text_property("BDAY", born)
    photo = cells.get("Photo", "").strip()
    if photo:
        yield replace(text_property("PHOTO", photo), params=(("VALUE", ("uri",)),))
    yield from _organisation({name: cells.get(f"Organization {name}", "") for name in ("Name", "Title", "Department")})
    if any(label == STARRED for label in _raw_labels(cells)):
        yield text_property(STARRED_PROPERTY, "1")


def _gender(word: str) -> str:
    return {"male": "M", "female": "F", "other": "O"}.get(word.strip().lower(), word)


def _organisation(fields: Mapping[str, str]) -> Iterator[Property]:
    name, department = fields.get("Name", ""), fields.get("Department", "")
    if name or department:
        yield Property("ORG", ((name,), *((part,) for part in department.split(";") if department)))
    if fields.get("Title"):
        yield text_property("TITLE", fields["Title"])


def _by_kind(cells: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    """The numbered columns of a row: of each kind those that say something, in order."""
    found: dict[str, dict[int, dict[str, str]]] = {}
    for column, value in cells.items():
        parts = _COLUMN.fullmatch(column) if value else None
        if parts:
            field = "Label" if parts[3] == "Type" else parts[3]
            found.setdefault(parts[1], {}).setdefault(int(parts[2]), {})[field] = value
    return {kind: [numbered[number] for number in sorted(numbered)] for kind, numbered in found.items()}


def _valued(many: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for fields in many:
        for value in _several(fields.get("Value", "")):
            yield fields.get("Label", ""), value


def _custom_fields(cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for fields in _by_kind(cells).get("Custom Field", ()):
        yield fields.get("Label", ""), fields.get("Value", "")


def _field(one: Property) -> tuple[str, str]:
    """Label and value of a custom field: a person's own go by what that person called them."""
    label = one.param("LABEL")
    if one == columns.custom(label, one.text) and leftovers.as_property(label, "") is None:
        return label, one.text
    return leftovers.as_field(one)


def _unknown(cells: Mapping[str, str]) -> Iterator[Property]:
    """What stands in columns that mean nothing here, kept under the columns' names."""
    for column, value in cells.items():
        parts = _COLUMN.fullmatch(column)
        if column in _MEANT or (parts and parts[3] in _FIELDS.get(parts[1], ())) or not value.strip():
            continue
        yield columns.custom(column, value)


def _several(text: str) -> list[str]:
    return [part for part in text.split(JOINT) if part]


def _first(cells: Mapping[str, str], *names: str) -> str:
    return next((cells[name] for name in names if cells.get(name)), "")


def _typed(name: str, label: str, value: str, words: Mapping[str, set[str]]) -> Said:
    """A property with the types that a label means; a label of the person's own stays one."""
    preferred = 1 if label.startswith(STAR) or label == STAR.strip() else None
    word = label.removeprefix(STAR.strip()).strip() if preferred else label.strip()
    types = words.get(word.lower())
    one = replace(text_property(name, value), preferred=preferred)
    if types is not None or not word:
        return Said(replace(one, types=frozenset(types or ())))
    return Said(one, word)


def _addresses(fields: Mapping[str, str]) -> Iterator[Said]:
    many = {name: fields.get(name, "").split(JOINT) for name in (*ADDRESS, "Formatted")}
    for number in range(max(map(len, many.values()))):
        parts = [many[name][number] if number < len(many[name]) else "" for name in ADDRESS]
        formatted = many["Formatted"][number] if number < len(many["Formatted"]) else ""
        if not any(parts):
            if not formatted:
                continue
            parts[2] = formatted
        words = _typed("ADR", fields.get("Label", ""), "", _PLACES)
        yield replace(words, what=replace(words.what, parts=tuple((part,) for part in parts)))


def _event(label: str, value: str) -> Said:
    if label.removeprefix(STAR).strip().lower() == "anniversary":
        return Said(text_property("ANNIVERSARY", value.strip()))
    return Said(text_property("X-ABDATE", value.strip()), label.strip())


def _relation(label: str, value: str) -> Said:
    word = label.strip()
    if word in _RELATIVES:
        return Said(text_property(_RELATIVES[word], value))
    if word.lower() in _KIN:
        return Said(replace(text_property("RELATED", value, word.lower()), params=(("VALUE", ("text",)),)))
    return Said(text_property("X-ABRELATEDNAMES", value), word)


# -- properties into columns ------------------------------------------------------------------------------------------


def _columns_of(card: Card) -> dict[str, str]:
    """What Google's columns can say of a card, as near as they come."""
    cells: dict[str, str] = {}
    _put_name(card, cells)
    _put_person(card, cells)
    counts: Counter[str] = Counter()
    for one in columns.said(card):
        kind, fields = _numbered(one)
        if kind and counts[kind] < MOST and one.what.text.strip() and JOINT not in one.what.text:
            counts[kind] += 1
            cells |= {f"{kind} {counts[kind]} - {field}": value for field, value in fields.items()}
    return cells


def _numbered(one: Said) -> tuple[str, dict[str, str]]:
    """The kind of columns a property stands in, and what it says there; no kind if it has none."""
    what, text = one.what, one.what.text
    if what.name in _TYPED:
        kind, words = _TYPED[what.name]
        return kind, {"Label": _label(one, words), "Value": text}
    if what.name == "ADR":
        parts = {name: what.component(place) for place, name in enumerate(ADDRESS)}
        return "Address", {"Label": _label(one, _PLACES), "Formatted": _formatted(what), **parts}
    if what.name == "ANNIVERSARY":
        return "Event", {"Label": "Anniversary", "Value": _day(what)}
    if what.name == "X-ABDATE" and one.label:
        return "Event", {"Label": columns.plain_label(one.label), "Value": _day(what)}
    kin = _kin(one)
    return ("Relation", {"Label": kin, "Value": text}) if kin else ("", {})


def _day(one: Property) -> str:
    """A date as Google reads it: 2010-05-05, --05-05 without a year. What is none, or has a time, stays as it is."""
    date = columns.date_of(one)
    shown = columns.dated(one.name, *date) if date else None
    return shown.text if shown else one.text


def _kin(one: Said) -> str:
    """Google's word for what somebody is to this person; "" if that is not what the property says."""
    if one.what.name in _RELATIVES.values():
        return next(word for word, name in _RELATIVES.items() if name == one.what.name)
    if one.what.name == "RELATED" and one.what.param("VALUE") == "text" and len(one.what.types & _KIN) == 1:
        return next(iter(one.what.types & _KIN)).capitalize()
    return columns.plain_label(one.label) if one.what.name == "X-ABRELATEDNAMES" else ""


def _put_name(card: Card, cells: dict[str, str]) -> None:
    name = card.first("N")
    if name and any(map(any, name.parts)):
        for place, names in enumerate(_NAMES):
            cells[names[0]] = name.component(place)
    elif card.text("FN") and card.text("FN") != _organisation_of(card).component(0):
        cells["First Name"] = card.text("FN")
    nicknames = card.first("NICKNAME")
    if nicknames:
        cells["Nickname"] = JOINT.join(name for part in nicknames.parts for name in part)


def _put_person(card: Card, cells: dict[str, str]) -> None:
    for known, names in _PLAIN.items():
        if names[0] in SINGLE:
            cells[names[0]] = card.text(known)
    organisation = _organisation_of(card)
    cells["Organization Name"] = organisation.component(0)
    cells["Organization Department"] = ";".join(organisation.component(n) for n in range(1, len(organisation.parts)))
    cells["Organization Title"] = card.text("TITLE")
    born = card.first("BDAY")
    cells["Birthday"] = _day(born) if born and columns.date_of(born) else ""
    photos = (one.text for one in card.all("PHOTO") if one.data is None and one.text.startswith("http"))
    cells["Photo"] = next(photos, "")
    categories = dict.fromkeys(name for one in card.all("CATEGORIES") for part in one.parts for name in part)
    starred = [STARRED] if card.text(STARRED_PROPERTY) else []
    cells[LABELS] = JOINT.join([EVERYBODY, *starred, *filter(can_be_label, categories)])


def _organisation_of(card: Card) -> Property:
    return card.first("ORG") or Property("ORG")


def _label(one: Said, words: Mapping[str, set[str]]) -> str:
    """Google's word for the types of a property, the star for the preferred one before it."""
    word = columns.plain_label(one.label).removeprefix(STAR) or _own_word(one.what, words)
    if not word:
        exact = next((label for label, types in words.items() if types and types == one.what.types), "")
        near = next((label for label, types in words.items() if types and types <= one.what.types), "")
        word = (exact or near).title()
    return f"{STAR}{word}".rstrip() if one.what.preferred == 1 else word


def _own_word(what: Property, words: Mapping[str, set[str]]) -> str:
    """The word that a person made up for a property, as products that have no labels keep it: as a type; "" for everybody's words."""
    known = _EVERYBODYS.union(*words.values())
    own = sorted(word for word in what.types if word not in known and not word.startswith("x-"))
    return own[0].capitalize() if len(own) == 1 else ""


def _formatted(address: Property) -> str:
    """An address as one writes it on a letter."""
    box, extended, street, city, region, code, country = (address.component(place) for place in range(7))
    town = " ".join(filter(None, (", ".join(filter(None, (city, region))), code)))
    return "\n".join(filter(None, (street, extended, box, town, country)))
