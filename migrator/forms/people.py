"""People who wrote through forms, as cards: one for each e-mail address, of what its entries say about who that is.

What surprises: no form says which field is a name. Fields are known by their kind where the plugin tells one, else by what they are called in
the languages sites are in; an entry without an e-mail address makes no card, and neither does what was marked as spam or thrown away.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from migrator.addresses import same_form
from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.model import Book, Card, Property, text_property
from migrator.forms.answers import Answer, told
from migrator.forms.flat import Entry
from migrator.forms.php import Plain

AT_ONCE: Final = 100  # cards put, or read, in one request
UNWANTED: Final = frozenset({"spam", "trash", "trashed", "flamingo-spam", "abandoned"})
LONGEST: Final = 200  # letters of a name; what is longer is none
_ADDRESS: Final = re.compile(
    r"[^\s@<>()\[\],;:\"]{1,64}@(?:[^\s@<>()\[\],;:\"./\\]{1,63}\.)+[^\s@<>()\[\],;:\"./\\]{2,63}"
)
_PHONE: Final = re.compile(r"\+?[\d ()./-]{5,30}")


class Part(Enum):
    """What a field says of a person."""

    EMAIL = "email"
    NAME = "name"
    FIRST = "first name"
    LAST = "last name"
    PHONE = "phone"
    COMPANY = "company"

    __hash__ = object.__hash__


# Without accents, signs, blanks, and "your" in front.
_WORDS: Final = {
    Part.EMAIL: "email mail emailaddress mailadresse correo correoelectronico courriel adressemail adresseemail emailadresse eposta",
    Part.NAME: "name fullname nombre nombrecompleto nombreyapellidos nom nomcomplet nometprenom nome nomecompleto nomeecognome naam",
    Part.FIRST: "first firstname givenname vorname prenom primernombre primeironome voornaam",
    Part.LAST: "last lastname surname familyname nachname familienname apellido apellidos nomdefamille cognome sobrenome achternaam",
    Part.PHONE: "phone telephone tel phonenumber telephonenumber telefon telefonnummer telefono telefone mobile mobil movil handy portable "
    "celular cellulare telefoon",
    Part.COMPANY: "company companyname organization organisation firma unternehmen empresa societe entreprise azienda organizacion bedrijf",
}
_MEANT: Final = {word: part for part, words in _WORDS.items() for word in words.split()}
_YOURS: Final = re.compile(r"(?:your|my|ihre?|deine?|su|tu|votre|ton|seu|sua|il|uw)(?=.{3})")
_KINDS: Final = {
    "email": Part.EMAIL, "input_email": Part.EMAIL, "name": Part.NAME, "input_name": Part.NAME, "phone": Part.PHONE, "tel": Part.PHONE,
    "input_phone": Part.PHONE,
}  # fmt: skip


@dataclass(slots=True)
class _Person:
    """What entries have said of the owner of an address; what was said first counts, telephones add up."""

    address: str
    said: dict[Part, str] = field(default_factory=dict)
    phones: dict[str, None] = field(default_factory=dict)
    forms: dict[str, None] = field(default_factory=dict)

    def hear(self, parts: Sequence[tuple[Part, str]], form: str) -> None:
        for part, text in parts:
            if part is Part.PHONE:
                self.phones.setdefault(text)
            elif part is not Part.EMAIL:
                self.said.setdefault(part, text)
        self.forms.setdefault(form)

    def card(self) -> Card:
        first, last, name = (self.said.get(part, "") for part in (Part.FIRST, Part.LAST, Part.NAME))
        if last and not first:
            first, name = name.removesuffix(last).strip(), ""
        full = name or " ".join(filter(None, (first, last)))
        forms = ", ".join(filter(None, self.forms))
        properties = [
            text_property("UID", str(uuid5(NAMESPACE_URL, f"mailto:{self.address.lower()}"))),
            text_property("FN", full or self.address),
            Property("N", ((last,), (first,), ("",), ("",), ("",))) if first or last else None,
            text_property("EMAIL", self.address),
            *(text_property("TEL", phone) for phone in self.phones),
            text_property("ORG", self.said[Part.COMPANY]) if Part.COMPANY in self.said else None,
            text_property("NOTE", f"Wrote through a form: {forms}") if forms else None,
        ]
        return Card(tuple(one for one in properties if one is not None))


def cards(entries: Iterable[Entry]) -> Iterator[Card]:
    """A card for each e-mail address that entries name, in the order in which they first do. Memory grows with the addresses."""
    people: dict[str, _Person] = {}
    for entry in entries:
        if entry.header["status"].lower() in UNWANTED:
            continue
        parts = list(_parts(entry.answers))
        address = next((text for part, text in parts if part is Part.EMAIL), "") or _only_address(entry.answers)
        if address:
            person = people.setdefault(address.lower(), _Person(address))
            person.hear(parts, entry.header["form_title"])
    for one in people.values():
        yield one.card()


def _parts(answers: Iterable[Answer]) -> Iterator[tuple[Part, str]]:
    """What answers say of the person, as far as it looks like that."""
    for one in answers:
        meant = _KINDS.get(one.kind) or _meaning(one.label) or _meaning(one.key)
        if isinstance(one.value, dict):
            # The parts of a name; those of an address or of anything else have words of their own.
            for name, value in one.value.items():
                inner = _meaning(name)
                if inner is not None and (meant is Part.NAME or inner is Part.EMAIL):
                    yield from _said(inner, value)
        elif meant is not None:
            yield from _said(meant, one.value)


def _said(part: Part, value: Plain) -> Iterator[tuple[Part, str]]:
    text = told(value).strip()
    if part is Part.EMAIL:
        text = same_form(text) if _ADDRESS.fullmatch(text) else ""
    elif part is Part.PHONE:
        text = text if _PHONE.fullmatch(text) else ""
    if text and len(text) <= LONGEST and text.isprintable():
        yield part, text


def _only_address(answers: Iterable[Answer]) -> str:
    """The address that is an answer by itself, if there is one only: of a field that nobody would take for it."""
    found = {
        same_form(text)
        for one in answers
        if isinstance(one.value, str) and _ADDRESS.fullmatch(text := one.value.strip())
    }
    return found.pop() if len(found) == 1 else ""


def _meaning(words: str) -> Part | None:
    plain = unicodedata.normalize("NFKD", words.casefold())
    folded = "".join(letter for letter in plain if letter.isalpha())
    return _MEANT.get(folded) or _MEANT.get(_YOURS.sub("", folded, count=1) if _YOURS.match(folded) else "")


# -- into an address book ---------------------------------------------------------------------------------------------------------


def missing(book: str, reader: BookReader, found: Iterable[Card]) -> list[Card]:
    """The cards of which neither the UID nor the address is in the book (found by its name), in order; all of them if there is no such book."""
    there = _of_name(reader, book)
    known = {word for one in _held(reader, there) for word in _words(one)} if there else set()
    return [one for one in found if known.isdisjoint(_words(one))]


def add(book: str, writer: BookWriter, found: Iterable[Card], refused: Callable[[Card, str], None]) -> int:
    """Put what is missing into the book of this name, which is made if it is not there; answers how many were put. Doing it again puts
    nothing. `refused` is told of cards the product did not take.
    """
    wanted = missing(book, writer, found)
    if not wanted:
        return 0
    there = _of_name(writer, book) or writer.create_book(book)
    put = 0
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        for card, answer in zip(some, writer.add(there.id, some), strict=True):
            if answer.refused:
                refused(card, answer.refused)
            else:
                put += 1
    return put


def _of_name(reader: BookReader, name: str) -> Book | None:
    return next((one for one in reader.books() if one.name == name), None)


def _held(reader: BookReader, book: Book) -> Iterator[Card]:
    refs = [entry.ref for entry in reader.index(book.id)]
    for start in range(0, len(refs), AT_ONCE):
        for held in reader.fetch(book.id, refs[start : start + AT_ONCE]):
            yield held.card


def _words(card: Card) -> set[str]:
    """What a card is known by: its UID and its addresses."""
    return {card.uid, *(same_form(one.text).lower() for one in card.all("EMAIL") if one.text.strip())} - {""}
