"""A contact as Thunderbird's address book exports and imports it, as a row of its CSV; its LDIF says the same (see ldif.py).

What surprises: two e-mail addresses, two postal addresses, five telephones, and no word for what kind an address is. What does not fit
stands below the note, a line each; the UID stands in Custom 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from migrator.contacts import columns, leftovers, thunderbird_titles, titles
from migrator.contacts.columns import Said
from migrator.contacts.model import Card, Property, text_property
from migrator.frozen import dataclass

UID_COLUMN = "Custom 4"
UID_MARK = "UID:"
FEWEST_KNOWN = 3  # columns by which a table is taken for Thunderbird's

_MAILS: Final = ("Primary Email", "Secondary Email")
_PHONES: Final[Mapping[str, set[str]]] = {
    "Work Phone": {"work"}, "Home Phone": {"home"}, "Fax Number": {"fax"}, "Pager Number": {"pager"}, "Mobile Number": {"cell"},
}  # fmt: skip
_FOR_ANY_PHONE: Final = ("Home Phone", "Work Phone", "Mobile Number")
_PAGES: Final[Mapping[str, set[str]]] = {"Web Page 1": {"work"}, "Web Page 2": set()}
_PLACES: Final = {"Home": {"home"}, "Work": {"work"}}
_PLAIN: Final = {
    "Job Title": "TITLE", "Nickname": "NICKNAME", "Screen Name": "X-AIM", "Custom 1": "X-CUSTOM1", "Custom 2": "X-CUSTOM2",
    "Custom 3": "X-CUSTOM3", "Notes": "NOTE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ThunderbirdColumns:
    """Fulfils Columns, in one language."""

    language: str = "en"

    def recognised(self, header: Sequence[str]) -> tuple[ThunderbirdColumns, tuple[str, ...]] | None:
        """The language that knows most of the columns."""
        named = {
            language: titles.names_of(
                header, titles.known_as((*thunderbird_titles.OF[language], *thunderbird_titles.ENGLISH))
            )
            for language in dict.fromkeys([self.language, *thunderbird_titles.LANGUAGES])
        }
        best = max(named, key=lambda language: sum(name is not None for name in named[language]))
        names = tuple(name or title.strip() for name, title in zip(named[best], header, strict=True))
        known = sum(name is not None for name in named[best])
        if known < FEWEST_KNOWN or not {"Display Name", "Primary Email"} & set(names):
            return None
        return ThunderbirdColumns(best), names

    def header(self, wanted: Iterable[Mapping[str, str]], there: Sequence[str]) -> tuple[str, ...]:
        """Thunderbird's 37 columns, and those that a file has beside them."""
        del wanted
        more = (name for name in thunderbird_titles.ENGLISH if there and name not in there)
        return (*(there or thunderbird_titles.ENGLISH), *more)

    def titles(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The titles in this language."""
        said = titles.own(thunderbird_titles.OF[self.language])
        return tuple(said.get(name, name) for name in columns)

    def cells(self, card: Card) -> dict[str, str]:
        """A card's row; what has no column stands below the note."""
        cells = _columns_of(card)
        rest = columns.left_over(card, _said_in(cells))
        cells["Notes"] = leftovers.below(cells.get("Notes", ""), columns.fields_of(rest))
        return cells

    def card(self, cells: Mapping[str, str]) -> Card:
        """A row's card."""
        note, rest = leftovers.above(cells.get("Notes", ""))
        return Card(columns.grouped(columns.restored(_said_in({**cells, "Notes": note}), columns.labelled(rest))))

    def told(self, cells: Mapping[str, str]) -> tuple[str, ...]:
        """Nothing: what has no meaning of its own is kept as it is."""
        del cells
        return ()


# -- columns into properties ------------------------------------------------------------------------------------------


def _said_in(cells: Mapping[str, str]) -> list[Said]:
    found = [*_person(cells)]
    found += [text_property("EMAIL", cells[column].strip()) for column in _MAILS if cells.get(column, "").strip()]
    for kind, slots in (("TEL", _PHONES), ("URL", _PAGES)):
        found += [
            text_property(kind, cells[column], *sorted(types)) for column, types in slots.items() if cells.get(column)
        ]
    found += [one for place in _PLACES for one in _addresses(cells, place)]
    for column, name in _PLAIN.items():
        if cells.get(column):
            found.append(text_property(name, cells[column]))
    found += _day(cells)
    found += [
        columns.custom(column, value)
        for column, value in cells.items()
        if column not in thunderbird_titles.ENGLISH and value.strip()
    ]
    return [Said(one) for one in found]


def _person(cells: Mapping[str, str]) -> Iterator[Property]:
    extra = cells.get(UID_COLUMN, "")
    if extra:
        ours = extra.startswith(UID_MARK)
        yield text_property("UID", extra.removeprefix(UID_MARK)) if ours else text_property("X-CUSTOM4", extra)
    name = columns.name_of(cells.get("Last Name", ""), cells.get("First Name", ""), "", "", "")
    company, department = cells.get("Organization", ""), cells.get("Department", "")
    called = cells.get("Display Name", "") or (columns.called(name) if name else company)
    if called:
        yield text_property("FN", called)
    if name:
        yield name
    if company or department:
        yield Property("ORG", ((company,), *((part,) for part in department.split(";") if department)))


def _addresses(cells: Mapping[str, str], place: str) -> Iterator[Property]:
    street = "\n".join(filter(None, (cells.get(f"{place} Address", ""), cells.get(f"{place} Address 2", ""))))
    parts = ("", "", street, *(cells.get(f"{place} {part}", "") for part in ("City", "State", "ZipCode", "Country")))
    if any(parts):
        yield Property("ADR", tuple((part,) for part in parts), frozenset(_PLACES[place]))


def _day(cells: Mapping[str, str]) -> Iterator[Property]:
    year, month, day = (cells.get(f"Birth {part}", "").strip() for part in ("Year", "Month", "Day"))
    if not (year or month or day):
        return
    date = None
    if month.isdecimal() and day.isdecimal() and (not year or year.isdecimal()):
        date = columns.dated("BDAY", int(year or 0) or None, int(month), int(day))
    yield date or text_property("BDAY", "-".join(filter(None, (year, month, day))))


# -- properties into columns ------------------------------------------------------------------------------------------


def _columns_of(card: Card) -> dict[str, str]:
    """What Thunderbird's columns can say of a card, as near as they come."""
    cells: dict[str, str] = {}
    _put_person(card, cells)
    said = [one.what for one in columns.said(card) if one.what.text.strip()]
    _put_mails([one for one in said if one.name == "EMAIL"], cells)
    _put(said, "TEL", _PHONES, _FOR_ANY_PHONE, cells)
    _put(said, "URL", _PAGES, ("Web Page 2", "Web Page 1"), cells)
    for one in said:
        place = next(
            (name for name, types in _PLACES.items() if types <= one.types), "Home" if one.name == "ADR" else ""
        )
        if one.name == "ADR" and not any(
            name.startswith(f"{place} ") and name not in _PHONES for name in cells if cells[name]
        ):
            _put_address(one, place, cells)
    return cells


def _put_person(card: Card, cells: dict[str, str]) -> None:
    name = card.first("N") or Property("N")
    cells |= {"Last Name": name.component(0), "First Name": name.component(1), "Display Name": card.text("FN")}
    organisation = card.first("ORG") or Property("ORG")
    cells["Organization"] = organisation.component(0)
    cells["Department"] = ";".join(organisation.component(place) for place in range(1, len(organisation.parts)))
    cells |= {column: card.text(name) for column, name in _PLAIN.items()}
    if card.uid:
        cells[UID_COLUMN] = f"{UID_MARK}{card.uid}"
    else:
        cells[UID_COLUMN] = "" if card.text("X-CUSTOM4").startswith(UID_MARK) else card.text("X-CUSTOM4")
    born = card.first("BDAY")
    date = columns.date_of(born) if born else None
    if date:
        cells |= {"Birth Year": str(date[0] or ""), "Birth Month": str(date[1]), "Birth Day": str(date[2])}


def _put_mails(mails: Sequence[Property], cells: dict[str, str]) -> None:
    """Two of them, the preferred one first."""
    order = sorted(mails, key=lambda one: one.preferred is None)
    cells |= {column: one.text for column, one in zip(_MAILS, order, strict=False)}


def _put(
    said: Sequence[Property], name: str, slots: Mapping[str, set[str]], for_any: Sequence[str], cells: dict[str, str]
) -> None:
    """Each in the free column that says most of its types; first those that one says exactly."""
    late = []
    for one in (one for one in said if one.name == name):
        column = next((column for column, types in slots.items() if types == one.types and not cells.get(column)), None)
        if column:
            cells[column] = one.text
        else:
            late.append(one)
    for one in late:
        near = [column for column, types in slots.items() if types and types <= one.types]
        column = next((column for column in (*near, *for_any) if not cells.get(column)), None)
        if column:
            cells[column] = one.text


def _put_address(one: Property, place: str, cells: dict[str, str]) -> None:
    lines = "\n".join(filter(None, (one.component(2), one.component(1), one.component(0)))).split("\n")
    cells |= {f"{place} Address": lines[0], f"{place} Address 2": "\n".join(lines[1:])}
    cells |= {
        f"{place} {part}": one.component(n) for n, part in enumerate(("City", "State", "ZipCode", "Country"), start=3)
    }
