"""A contact as a row of the CSV that Outlook exports and imports, in six languages (see outlook_titles.py).

What surprises: the table has three e-mail addresses, three postal addresses and one of each phone, and no column for a UID. What does not
fit stands below the note, a line each; the UID stands in User 4. An address of type EX is a path in somebody's Exchange server and no
e-mail address: the one in its display name is taken if there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from migrator.contacts import columns, leftovers, outlook_titles
from migrator.contacts.columns import Said
from migrator.contacts.model import Card, Property, text_property
from migrator.frozen import dataclass

ENGLISH = outlook_titles.ENGLISH_WORD
MAILS = ("E-mail", "E-mail 2", "E-mail 3")
UID_COLUMN = "User 4"
UID_MARK = "UID:"
EX_PROPERTY = "X-EX-ADDRESS"
FEWEST_KNOWN = 3  # columns by which a table is taken for Outlook's
CENTURY_TURNS = 30  # two digits of a year from here on are 19.., as Windows takes them

_NAME: Final = ("Last Name", "First Name", "Middle Name", "Title", "Suffix")
_PLACES: Final = {"Business": {"work"}, "Home": {"home"}, "Other": set[str]()}
_PHONES: Final[Mapping[str, set[str]]] = {
    "Business Phone": {"work"}, "Business Phone 2": {"work"}, "Home Phone": {"home"}, "Home Phone 2": {"home"}, "Mobile Phone": {"cell"},
    "Business Fax": {"work", "fax"}, "Home Fax": {"home", "fax"}, "Other Fax": {"fax"}, "Pager": {"pager"}, "Car Phone": {"car"},
    "ISDN": {"isdn"}, "TTY/TDD Phone": {"textphone"}, "Company Main Phone": {"main"}, "Assistant's Phone": {"assistant"},
    "Other Phone": set(),
}  # fmt: skip
_LABELLED: Final = ("Callback", "Primary Phone", "Radio Phone", "Telex")  # phones that no type says
_PLAIN: Final = {
    "Job Title": "TITLE", "Profession": "ROLE", "Spouse": "X-SPOUSE", "Manager's Name": "X-MANAGER", "Assistant's Name": "X-ASSISTANT",
    "Children": "X-CHILDREN", "Web Page": "URL", "Initials": "X-INITIALS", "Location": "X-LOCATION", "Hobby": "HOBBY", "Language": "LANG",
    "Internet Free Busy": "FBURL",
}  # fmt: skip
_OWN: Final = (  # columns that are Outlook's alone: kept under their names
    "Account", "Billing Information", "Directory Server", "Government ID Number", "Keywords", "Mileage", "Office Location",
    "Organizational ID Number", "Priority", "Referred By", "User 1", "User 2", "User 3",
)  # fmt: skip
_SAYS_NOTHING: Final = frozenset(
    {"", "normal", "unspecified", "false", "falsch", "faux", "falso", "0", "nicht angegeben", "non specificato", "sin especificar",
     "não especificado", "non spécifié", "normale"}
)  # fmt: skip
_MALE: Final = frozenset(
    {"male", "m", "männlich", "masculin", "masculino", "maschile", "hombre", "homme", "uomo", "varón"}
)
_FEMALE: Final = frozenset(
    {"female", "f", "weiblich", "féminin", "femenino", "femminile", "feminino", "mujer", "femme", "donna"}
)
_PRIVATE: Final = frozenset({"private", "privat", "privé", "privado", "privato", "particular"})
_EMPTY_DATE = re.compile(r"0+([/.-])0+\1\s?0+")
_DATE = re.compile(r"(\d{1,4})([/.-])\s?(\d{1,2})\2\s?(\d{1,4})(?:[ T].*)?")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")
_WORDS = re.compile(r"\s*\(([^()@]*)\)\Z")
_MAIL_TYPES = frozenset({"home", "work", "internet", "other", "x400", "pref"})
_PREFERRED = "preferred"


@dataclass(frozen=True, slots=True)
class OutlookColumns:
    """Fulfils Columns, in one language."""

    language: str = ENGLISH

    def recognised(self, header: Sequence[str]) -> tuple[OutlookColumns, tuple[str, ...]] | None:
        """The language that knows most of the columns; the one asked for where several do."""
        order = dict.fromkeys([self.language, *outlook_titles.LANGUAGES])
        named = {language: outlook_titles.names_of(header, language) for language in order}
        best = max(named, key=lambda language: sum(name is not None for name in named[language]))
        names = tuple(name or f"{title.strip()}" for name, title in zip(named[best], header, strict=True))
        known = sum(name is not None for name in named[best])
        if known < FEWEST_KNOWN or not {"First Name", "Last Name", "E-mail Address", "Company"} & set(names):
            return None
        return OutlookColumns(best), names

    def header(self, wanted: Iterable[Mapping[str, str]], there: Sequence[str]) -> tuple[str, ...]:
        """Outlook's 92 columns, and those that a file has beside them."""
        del wanted
        return (
            *(there or outlook_titles.ENGLISH),
            *(name for name in outlook_titles.ENGLISH if there and name not in there),
        )

    def titles(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The titles in this language."""
        said = outlook_titles.own(self.language)
        return tuple(said.get(name, name) for name in columns)

    def cells(self, card: Card) -> dict[str, str]:
        """A card's row; what has no column stands below the note."""
        cells = _columns_of(card, self.language)
        rest = columns.left_over(card, _said_in(cells, self.language))
        cells["Notes"] = leftovers.below(cells.get("Notes", ""), columns.fields_of(rest))
        return cells

    def card(self, cells: Mapping[str, str]) -> Card:
        """A row's card."""
        note, rest = leftovers.above(cells.get("Notes", ""))
        read = _said_in({**cells, "Notes": note}, self.language)
        return Card(columns.grouped(columns.restored(read, columns.labelled(rest))))

    def told(self, cells: Mapping[str, str]) -> tuple[str, ...]:
        """Exchange paths in place of addresses."""
        return tuple(
            f"{_mail_column(mail)} is a path in an Exchange server, no address ({cells[_mail_column(mail)][:60]})"
            for mail in MAILS
            if cells.get(_mail_column(mail))
            and _is_path(cells, mail)
            and not _ADDRESS.search(cells.get(f"{mail} Display Name", ""))
        )


def _mail_column(mail: str) -> str:
    return f"{mail} Address"


# -- columns into properties ------------------------------------------------------------------------------------------


def _said_in(cells: Mapping[str, str], language: str) -> list[Said]:
    found = [Said(one) for one in _person(cells)]
    found += [one for mail in MAILS for one in _mails(cells, mail)]
    for column, types in _PHONES.items():
        if cells.get(column):
            found.append(Said(text_property("TEL", cells[column], *sorted(types))))
    for column in _LABELLED:
        if cells.get(column):
            found.append(Said(text_property("TEL", cells[column]), column))
    found += [Said(one) for place, types in _PLACES.items() for one in _addresses(cells, place, types)]
    found += [Said(one) for one in _days(cells, language)]
    found += [Said(text_property(name, cells[column])) for column, name in _PLAIN.items() if cells.get(column)]
    categories = tuple(name for name in map(str.strip, cells.get("Categories", "").split(";")) if name)
    if categories:
        found.append(Said(Property("CATEGORIES", (categories,))))
    if cells.get("Notes"):
        found.append(Said(text_property("NOTE", cells["Notes"])))
    found += [Said(one) for one in _own(cells)]
    return found


def _person(cells: Mapping[str, str]) -> Iterator[Property]:
    uid = cells.get(UID_COLUMN, "")
    if uid.startswith(UID_MARK):
        yield text_property("UID", uid.removeprefix(UID_MARK))
    name = columns.name_of(*(cells.get(column, "") for column in _NAME))
    called = columns.called(name) if name else cells.get("Company", "")
    if not called:
        shown = _WORDS.sub("", cells.get("E-mail Display Name", "")).strip()
        called = "" if shown == cells.get("E-mail Address", "") else shown
    if called:
        yield text_property("FN", called)
    if name:
        yield name
    company, department = cells.get("Company", ""), cells.get("Department", "")
    if company or department:
        yield Property("ORG", ((company,), *((part,) for part in department.split(";") if department)))
    gender = cells.get("Gender", "").strip().lower()
    if gender in _MALE | _FEMALE:
        yield Property("GENDER", (("M" if gender in _MALE else "F",), ("",)))
    sensitivity = cells.get("Sensitivity", "").strip()
    if sensitivity.lower() not in _SAYS_NOTHING:
        yield text_property("CLASS", "PRIVATE" if sensitivity.lower() in _PRIVATE else sensitivity.upper())


def _mails(cells: Mapping[str, str], mail: str) -> Iterator[Said]:
    address, shown = cells.get(_mail_column(mail), "").strip(), cells.get(f"{mail} Display Name", "")
    if not address:
        return
    if _is_path(cells, mail):
        inside = _ADDRESS.search(shown)
        if inside:
            yield Said(text_property("EMAIL", inside[0]))
        yield Said(text_property(EX_PROPERTY, address))
        return
    words = _WORDS.search(shown)
    said = [word.strip() for word in words[1].split(",")] if words else []
    types = frozenset(word for word in said if word in _MAIL_TYPES)
    if set(said) <= types | {_PREFERRED}:
        best = 1 if _PREFERRED in said else None
        yield Said(replace(text_property("EMAIL", address, *sorted(types)), preferred=best))
    else:
        yield Said(text_property("EMAIL", address))


def _is_path(cells: Mapping[str, str], mail: str) -> bool:
    return cells.get(f"{mail} Type", "").strip().upper() == "EX" or cells.get(
        _mail_column(mail), ""
    ).lower().startswith("/o=")


def _addresses(cells: Mapping[str, str], place: str, types: set[str]) -> Iterator[Property]:
    street = "\n".join(filter(None, (cells.get(f"{place} Street{line}", "") for line in ("", " 2", " 3"))))
    rest = (cells.get(f"{place} {part}", "") for part in ("City", "State", "Postal Code", "Country/Region"))
    parts = (cells.get(f"{place} Address PO Box", ""), "", street, *rest)
    if any(parts):
        yield Property("ADR", tuple((part,) for part in parts), frozenset(types))


def _days(cells: Mapping[str, str], language: str) -> Iterator[Property]:
    for column, name in (("Birthday", "BDAY"), ("Anniversary", "ANNIVERSARY")):
        text = cells.get(column, "").strip()
        if text and not _EMPTY_DATE.fullmatch(text):
            yield _day(name, text, language) or text_property(name, text)


def _day(name: str, text: str, language: str) -> Property | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    first, second, third = int(found[1]), int(found[3]), int(found[4])
    if len(found[1]) == len("1980"):
        return columns.dated(name, first, second, third)
    year = third if len(found[4]) > 2 else third + (2000 if third < CENTURY_TURNS else 1900)  # noqa: PLR2004 - two digits
    month, day = (first, second) if language == ENGLISH and found[2] != "." else (second, first)
    # A month that no year has tells that the other order was meant, whatever the language.
    return columns.dated(name, year, month, day) or columns.dated(name, year, day, month)


def _own(cells: Mapping[str, str]) -> Iterator[Property]:
    for column, value in cells.items():
        if column == UID_COLUMN:
            ours = not value.startswith(UID_MARK)
        else:
            ours = column in _OWN or column not in outlook_titles.ENGLISH
        if ours and value.strip() and not (column == "Priority" and value.strip().lower() in _SAYS_NOTHING):
            yield columns.custom(column, value)


# -- properties into columns ------------------------------------------------------------------------------------------


def _columns_of(card: Card, language: str) -> dict[str, str]:
    """What Outlook's columns can say of a card, as near as they come."""
    cells: dict[str, str] = {}
    _put_person(card, cells)
    _put_days(card, cells, language)
    said = columns.said(card)
    _put_mails([one for one in said if one.what.name == "EMAIL" and one.what.text.strip()], cells)
    _put_phones([one for one in said if one.what.name == "TEL" and one.what.text.strip()], cells)
    _put_addresses([one.what for one in said if one.what.name == "ADR"], cells)
    for column, name in _PLAIN.items():
        cells[column] = card.text(name)
    for one in said:
        label = one.what.param("LABEL")
        if (
            one.what == columns.custom(label, one.what.text)
            and (label in _OWN or label == UID_COLUMN)
            and not cells.get(label)
        ):
            cells[label] = one.what.text
    return cells


def _put_person(card: Card, cells: dict[str, str]) -> None:
    name = card.first("N")
    organisation = card.first("ORG") or Property("ORG")
    if name and any(map(any, name.parts)):
        cells |= {column: name.component(place) for place, column in enumerate(_NAME)}
    elif card.text("FN") != organisation.component(0):
        cells["First Name"] = card.text("FN")
    cells["Company"] = organisation.component(0)
    cells["Department"] = ";".join(organisation.component(place) for place in range(1, len(organisation.parts)))
    cells["Notes"] = card.text("NOTE")
    names = (name for one in card.all("CATEGORIES") for part in one.parts for name in part)
    cells["Categories"] = ";".join(name for name in dict.fromkeys(names) if ";" not in name)
    gender = (card.first("GENDER") or Property("GENDER")).component(0).upper()
    cells["Gender"] = {"M": "Male", "F": "Female"}.get(gender, "Unspecified")
    cells["Sensitivity"] = {"PRIVATE": "Private", "CONFIDENTIAL": "Confidential"}.get(
        card.text("CLASS").upper(), "Normal"
    )
    cells["Priority"] = "Normal"
    if card.uid:
        cells[UID_COLUMN] = f"{UID_MARK}{card.uid}"


def _put_days(card: Card, cells: dict[str, str], language: str) -> None:
    for column, name in (("Birthday", "BDAY"), ("Anniversary", "ANNIVERSARY")):
        one = card.first(name)
        date = columns.date_of(one) if one else None
        cells[column] = "0/0/00" if language == ENGLISH else ""
        if date and date[0]:
            year, month, day = date
            between = "." if language == "de" else "/"
            cells[column] = f"{month}/{day}/{year}" if language == ENGLISH else f"{day}{between}{month}{between}{year}"


def _put_mails(mails: Sequence[Said], cells: dict[str, str]) -> None:
    """Three of them, the preferred one among them and their order kept."""
    kept = sorted(range(len(mails)), key=lambda place: (mails[place].what.preferred is None, place))[: len(MAILS)]
    for column, place in zip(MAILS, sorted(kept), strict=False):
        one = mails[place].what
        words = [*sorted(one.types & _MAIL_TYPES), *([_PREFERRED] if one.preferred == 1 else [])]
        cells[_mail_column(column)] = one.text
        cells[f"{column} Type"] = "SMTP"
        cells[f"{column} Display Name"] = f"{one.text} ({', '.join(words)})" if words else one.text


def _put_phones(phones: Sequence[Said], cells: dict[str, str]) -> None:
    """Each in the free column that says most of its types; first those that one says exactly."""
    late = []
    for one in phones:
        exact = (
            [one.label]
            if one.label in _LABELLED
            else [name for name, types in _PHONES.items() if types == one.what.types]
        )
        column = next((name for name in exact if not cells.get(name)), None)
        if column:
            cells[column] = one.what.text
        else:
            late.append(one)
    for one in late:
        near = sorted(
            (name for name, types in _PHONES.items() if types <= one.what.types), key=lambda name: -len(_PHONES[name])
        )
        column = next((name for name in near if not cells.get(name)), None)
        if column:
            cells[column] = one.what.text


def _put_addresses(addresses: Sequence[Property], cells: dict[str, str]) -> None:
    taken: set[str] = set()
    for one in addresses:
        place = next((name for name, types in _PLACES.items() if types <= one.types and name not in taken), None)
        if place is None:
            continue
        taken.add(place)
        lines = "\n".join(filter(None, (one.component(2), one.component(1)))).split("\n")
        streets = [*lines[:2], "\n".join(lines[2:])]
        for line, street in zip(("", " 2", " 3"), streets, strict=False):
            cells[f"{place} Street{line}"] = street
        cells[f"{place} Address PO Box"] = one.component(0)
        for part, number in (("City", 3), ("State", 4), ("Postal Code", 5), ("Country/Region", 6)):
            cells[f"{place} {part}"] = one.component(number)
