"""A contact as Turba's columns hold it (config/backends.php and the migrations of Turba 4).

Columns are narrow: what has none, or is too long for it, stands below the notes, a line each, where a person reads it and we read it
back. The columns for e-mail at home and at work exist, but Horde shows them only where its administrator says so; unless the plan
tells that, they merely say which kind the one address is that is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from migrator.contacts import columns, leftovers
from migrator.contacts.columns import Said
from migrator.contacts.model import Card, Property, text_property
from migrator.frozen import dataclass

_NAME = ("object_lastname", "object_firstname", "object_middlenames", "object_nameprefix", "object_namesuffix")
_PHONES: Mapping[str, frozenset[str]] = {
    f"object_{column}": frozenset(types)
    for column, types in {
        "homephone": {"home"}, "homephone2": {"home"}, "workphone": {"work"}, "workphone2": {"work"}, "cellphone": {"cell"},
        "carphone": {"car"}, "radiophone": {"radio"}, "companyphone": {"main"}, "assistantphone": {"assistant"},
        "homefax": {"home", "fax"}, "fax": {"fax"}, "pager": {"pager"},
    }.items()
}  # fmt: skip
_PLACES: Mapping[str, frozenset[str]] = {"home": frozenset({"home"}), "work": frozenset({"work"}), "other": frozenset()}
_ADDRESS = ("pob", "", "street", "city", "province", "postalcode", "country")  # "": what is added to an address
_PLAIN = {
    "object_title": "TITLE", "object_role": "ROLE", "object_url": "URL", "object_freebusyurl": "FBURL", "object_tz": "TZ",
    "object_geo": "GEO", "object_spouse": "X-SPOUSE", "object_manager": "X-MANAGER", "object_assistant": "X-ASSISTANT",
    "object_yomifirstname": "X-PHONETIC-FIRST-NAME", "object_yomilastname": "X-PHONETIC-LAST-NAME",
}  # fmt: skip
_DAYS = {"object_bday": "BDAY", "object_anniversary": "ANNIVERSARY"}
_MESSENGERS = ("object_imaddress", "object_imaddress2", "object_imaddress3")
_KINDS_OF_MAIL = {"object_homeemail": "home", "object_workemail": "work"}
_PICTURES = {"PHOTO": ("object_photo", "object_phototype"), "LOGO": ("object_logo", "object_logotype")}
_KEYS = {"object_pgppublickey": "application/pgp-keys", "object_smimepublickey": "application/x-pem-file"}
_PEM = b"-----BEGIN CERT"
OCTETS = frozenset({"object_photo", "object_logo"})
TEXTS = frozenset({
    "object_uid", *_NAME, *_PHONES, *_PLAIN, *_DAYS, *_MESSENGERS, *_KINDS_OF_MAIL, *_KEYS, "object_email", "object_alias",
    "object_nickname", "object_company", "object_department", "object_category", "object_notes",
    *(column for _, column in _PICTURES.values()),
    *(f"object_{place}{part}" for place in _PLACES for part in _ADDRESS if part),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cells:
    """A row's cells by their columns."""

    texts: dict[str, str] = field(default_factory=dict)
    octets: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turba:
    """The columns of one installation. `room` has those that are there and how many characters fit, None for no limit; `shows_kinds`
    says that Horde shows the columns for e-mail at home and at work.
    """

    room: Mapping[str, int | None]
    shows_kinds: bool = False

    def cells(self, card: Card) -> Cells:
        """A card's row; what has no column stands below the notes."""
        cells = Cells()
        for column, text in self._wanted(card):
            if text and not cells.texts.get(column) and self._fits(column, text):
                cells.texts[column] = text
        self._put_mails(card, cells)
        self._put_phones(card, cells)
        self._put_addresses(card, cells)
        self._put_octets(card, cells)
        rest = columns.left_over(card, list(_said_in(cells, ())))
        cells.texts["object_notes"] = leftovers.below(card.text("NOTE"), columns.fields_of(rest))
        return cells

    @staticmethod
    def card(cells: Cells, tags: Sequence[str] = ()) -> Card:
        """A row's card. `tags` are what newer versions have instead of a category."""
        note, rest = leftovers.above(cells.texts.get("object_notes", ""))
        read = _said_in(Cells({**cells.texts, "object_notes": note}, cells.octets), tags)
        card = Card(columns.grouped(columns.restored(read, columns.labelled(rest))))
        return card.with_property(*_octets_in(cells))

    def _fits(self, column: str, text: str) -> bool:
        if column not in self.room:
            return False
        longest = self.room[column]
        return longest is None or len(text) <= longest

    def _wanted(self, card: Card) -> Iterator[tuple[str, str]]:
        """What goes into which column as it is."""
        yield "object_uid", card.uid
        name, organisation = card.first("N"), card.first("ORG") or Property("ORG")
        if name and any(map(any, name.parts)):
            yield from ((column, name.component(place)) for place, column in enumerate(_NAME))
        elif card.text("FN") != organisation.component(0):
            yield "object_lastname", card.text("FN")
        yield "object_company", organisation.component(0)
        yield "object_department", ";".join(map(organisation.component, range(1, len(organisation.parts))))
        nicknames = card.first("NICKNAME")
        yield "object_alias", nicknames.text if nicknames else ""
        categories = [word for one in card.all("CATEGORIES") for part in one.parts for word in part]
        yield "object_category", categories[0] if len(categories) == 1 else ""
        for column, known in _PLAIN.items():
            yield column, card.text(known)
        yield from zip(_MESSENGERS, (one.text for one in card.all("IMPP")), strict=False)
        for column, known in _DAYS.items():
            one = card.first(known)
            date = columns.date_of(one) if one else None
            if date and date[0]:
                yield column, "{:04d}-{:02d}-{:02d}".format(*date)
        yield "object_notes", card.text("NOTE")

    def _put_mails(self, card: Card, cells: Cells) -> None:
        mails = sorted(card.all("EMAIL"), key=lambda one: one.preferred or 101)
        if not mails:
            return
        first = mails[0]
        if self._fits("object_email", first.text):
            cells.texts["object_email"] = first.text
        for column, kind in _KINDS_OF_MAIL.items():
            others = mails[1:] if self.shows_kinds else []
            one = first if kind in first.types else next((other for other in others if kind in other.types), None)
            if one and self._fits(column, one.text):
                cells.texts[column] = one.text

    def _put_phones(self, card: Card, cells: Cells) -> None:
        """Each in the free column that says most of its types, first those that one says exactly."""
        late = [
            one
            for one in card.all("TEL")
            if not self._put_phone(cells, one, [name for name, types in _PHONES.items() if types == one.types])
        ]
        for one in late:
            near = [name for name, types in _PHONES.items() if types <= one.types]
            self._put_phone(cells, one, sorted(near, key=lambda name: -len(_PHONES[name])))

    def _put_phone(self, cells: Cells, one: Property, names: Sequence[str]) -> bool:
        free = (name for name in names if not cells.texts.get(name) and self._fits(name, one.text))
        column = next(free, "")
        if column:
            cells.texts[column] = one.text
        return bool(column)

    def _put_addresses(self, card: Card, cells: Cells) -> None:
        taken: set[str] = set()
        for one in card.all("ADR"):
            exact = (place for place, types in _PLACES.items() if types == one.types)
            near = (place for place, types in _PLACES.items() if types <= one.types)
            parts = [one.component(place) for place in range(len(_ADDRESS))]
            parts[2] = "\n".join(filter(None, (parts[1], parts[2])))
            for place in [*exact, *near]:
                wanted = {
                    f"object_{place}{part}": text for part, text in zip(_ADDRESS, parts, strict=True) if part and text
                }
                if place not in taken and all(self._fits(column, text) for column, text in wanted.items()):
                    cells.texts.update(wanted)
                    taken.add(place)
                    break

    def _put_octets(self, card: Card, cells: Cells) -> None:
        for name, (column, kind) in _PICTURES.items():
            one = next((one for one in card.all(name) if one.data), None)
            if one and one.data and column in self.room:
                cells.octets[column] = one.data
                if self._fits(kind, one.media):
                    cells.texts[kind] = one.media
        for one in card.all("KEY"):
            column = "object_smimepublickey" if (one.data or b"").startswith(_PEM) else "object_pgppublickey"
            if one.data and column in self.room and not cells.texts.get(column) and one.data.isascii():
                cells.texts[column] = one.data.decode()


def longest_text(cells: Cells) -> int:
    """The bytes of the longest text of a row."""
    return max((len(text.encode()) for text in cells.texts.values()), default=0)


# -- columns into properties ------------------------------------------------------------------------------------------------


def _said_in(cells: Cells, tags: Sequence[str]) -> list[Said]:
    texts = {column: text.strip() if column != "object_notes" else text for column, text in cells.texts.items()}
    found = [*_person(texts), *_mails(texts)]
    found += [
        text_property("TEL", texts[column], *sorted(types)) for column, types in _PHONES.items() if texts.get(column)
    ]
    found += _addresses(texts)
    found += [text_property(name, texts[column]) for column, name in _PLAIN.items() if texts.get(column)]
    found += [text_property("IMPP", texts[column]) for column in _MESSENGERS if texts.get(column)]
    for column, name in _DAYS.items():
        year, _, rest = texts.get(column, "").partition("-")
        month, _, day = rest.partition("-")
        if year.isdecimal() and month.isdecimal() and day.isdecimal() and int(year):
            one = columns.dated(name, int(year), int(month), int(day))
            found += [one] if one else []
    words = tuple(tags) or tuple(filter(None, (texts.get("object_category"),)))
    found += [Property("CATEGORIES", (words,))] if words else []
    found += [text_property("NOTE", texts["object_notes"])] if texts.get("object_notes") else []
    return [Said(one) for one in found]


def _person(texts: Mapping[str, str]) -> Iterator[Property]:
    if texts.get("object_uid"):
        yield text_property("UID", texts["object_uid"])
    name = columns.name_of(*(texts.get(column, "") for column in _NAME))
    company, department = texts.get("object_company", ""), texts.get("object_department", "")
    called = columns.called(name) if name else company
    if called:
        yield text_property("FN", called)
    if name:
        yield name
    if company or department:
        yield Property("ORG", ((company,), *((part,) for part in department.split(";") if department)))
    nicknames = [
        word for column in ("object_alias", "object_nickname") for word in texts.get(column, "").split(",") if word
    ]
    if nicknames:
        yield Property("NICKNAME", (tuple(dict.fromkeys(nicknames)),))


def _mails(texts: Mapping[str, str]) -> Iterator[Property]:
    first = texts.get("object_email", "")
    kinds = {kind: texts.get(column, "") for column, kind in _KINDS_OF_MAIL.items()}
    if first:
        yield text_property("EMAIL", first, *(kind for kind, address in kinds.items() if address == first))
    for kind, address in kinds.items():
        if address and address != first:
            yield text_property("EMAIL", address, kind)


def _addresses(texts: Mapping[str, str]) -> Iterator[Property]:
    for place, types in _PLACES.items():
        parts = [texts.get(f"object_{place}{part}", "") if part else "" for part in _ADDRESS]
        if any(parts):
            yield Property("ADR", tuple((part,) for part in parts), types)


def _octets_in(cells: Cells) -> Iterator[Property]:
    for name, (column, kind) in _PICTURES.items():
        if cells.octets.get(column):
            yield Property(name, data=cells.octets[column], media=cells.texts.get(kind, ""))
    for column, media in _KEYS.items():
        if cells.texts.get(column):
            yield Property("KEY", data=cells.texts[column].encode(), media=media)
