"""Thunderbird's and Horde's LDIF as a layout of cards: an entry says what a row of Thunderbird's CSV says, and lists are entries too.

A list is a groupOfNames whose members are named by the `dn` of theirs, which is made of name and address. Two of one name and address are
both meant, unless the list has UIDs too. Attributes that begin with `x-` are ours (UIDs of a list and of its members); other programs pass
over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from migrator.contacts import columns, files, ldif, thunderbird_titles
from migrator.contacts.model import Card, Features, Property, text_property
from migrator.contacts.shelf import Place, tag_of
from migrator.contacts.thunderbird import ThunderbirdColumns
from migrator.contacts.vcard import uid_for
from migrator.frozen import dataclass

SUFFIX = ".ldif"
LISTS = frozenset({"groupofnames", "groupofuniquenames"})
CLASSES = ("top", "person", "organizationalPerson", "inetOrgPerson", "mozillaAbPersonAlpha")
LIST_CLASSES = ("top", "groupOfNames")
OUR_UID = "x-uid"
OUR_MEMBER = "x-member"
PHOTO = "jpegPhoto"
JPEG = "image/jpeg"

_COLUMN_OF = {name.lower(): column for column, names in thunderbird_titles.ATTRIBUTES.items() for name in names}
_OF_THE_FILE = frozenset(
    {"dn", "objectclass", "modifytimestamp", "changetype", OUR_UID, OUR_MEMBER, PHOTO.lower(), "cn;displayname"}
)
_ALSO = frozenset({"Primary Email", "Secondary Email"})  # a second value of these is one more address


@dataclass(frozen=True, slots=True)
class LdifFile:
    """Fulfils Opened."""

    file: BinaryIO

    def places(self, start: int = 0) -> Iterator[Place]:
        """Every entry that is no list."""
        for offset, raw in ldif.entries(self.file, start):
            entry = ldif.read(raw)
            if not is_list(entry):
                yield Place(offset, len(raw), card_of(entry).uid, tag_of(raw.strip()))

    def card(self, raw: bytes) -> tuple[Card, tuple[str, ...]]:
        """The entry as a card."""
        entry = ldif.read(raw)
        return card_of(entry), entry.dropped

    def refusal(self, card: Card) -> str:
        """Nothing: any card can be written."""
        del card
        return ""

    def groups(self) -> Iterator[Card]:
        """The lists, their members by UID."""
        uids: dict[str, list[str]] = {}
        lists = []
        for _, raw in ldif.entries(self.file):
            entry = ldif.read(raw)
            if is_list(entry):
                lists.append(entry)
            else:
                card = card_of(entry)
                uids.setdefault(dn_key(entry.first("dn")), []).append(card.uid or uid_for(card))
        for entry in lists:
            exact = entry.texts(OUR_MEMBER)
            for dn in entry.texts("member", "uniqueMember"):
                meant = uids.get(dn_key(dn), [])
                exact += [] if set(meant) & set(exact) else meant
            yield _list_card(entry, exact)


@dataclass(frozen=True, slots=True)
class LdifLayout:
    """Fulfils Layout and GroupsApart."""

    features: Features
    suffix: str = SUFFIX
    joins: bool = False

    def opened(self, file: BinaryIO, name: str) -> LdifFile:
        """A file; any is one of LDIF, if of no entry."""
        del name
        return LdifFile(file)

    def beginning(self) -> bytes:
        """Nothing."""
        return b""

    def prepared(self, path: Path, cards: Sequence[Card]) -> Sequence[bytes]:
        """Each card as an entry."""
        del path
        return [ldif.written(attributes_of(card)) for card in cards]

    def put_group(self, path: Path, group: Card, instead_of: Card | None) -> str:
        """Put the list at the end, or in place of the other."""
        with path.open("rb") as file:
            wanted = frozenset(group.members)
            named: dict[str, str] = {}
            place: tuple[int, int] | None = None
            for offset, raw in ldif.entries(file):
                entry = ldif.read(raw)
                if is_list(entry):
                    if instead_of is not None and _list_card(entry, ()).uid == instead_of.uid:
                        place = offset, len(raw)
                    continue
                card = card_of(entry)
                uid = card.uid or uid_for(card)
                if uid in wanted:
                    named[uid] = entry.first("dn") or dn_of(card)
            fresh = ldif.written(_list_attributes(group, named))
            if place is None:
                files.append(path, b"\r\n" + fresh)  # the entry before it may lack the blank line that ends it
                return ""
            with files.replacing(path) as whole:
                files.copy(file, whole, 0, place[0])
                whole.write(fresh)
                files.copy(file, whole, sum(place), file.seek(0, 2))
        return ""

    def in_groups_of(self, path: Path, raw: bytes, before: bytes) -> bytes:
        """The entry as it is: lists name their members themselves."""
        del path, before
        return raw


# -- entries and cards ------------------------------------------------------------------------------------------------


def is_list(entry: ldif.Entry) -> bool:
    """Whether an entry is a list of others."""
    return bool(LISTS & {one.lower() for one in entry.texts("objectClass")})


def card_of(entry: ldif.Entry) -> Card:
    """An entry's card."""
    cells: dict[str, str] = {}
    more: list[Property] = []
    for name, value in entry.attributes:
        base = ldif.base_of(name)
        column = _COLUMN_OF.get(base)
        text = ldif.text_of(value)
        if base == PHOTO.lower() and value:
            more.append(Property("PHOTO", data=value, media=JPEG))
        elif base in _OF_THE_FILE or not text.strip() or cells.get(column or "") == text:
            continue
        elif column and column not in cells:
            cells[column] = text
        elif column in _ALSO:
            more.append(text_property("EMAIL", text))
        else:
            more.append(columns.custom(name, text))
    return ThunderbirdColumns().card(cells).with_property(*more)


def attributes_of(card: Card) -> Iterator[tuple[str, bytes]]:
    """A card's entry, attribute by attribute."""
    yield "dn", dn_of(card).encode()
    yield from (("objectclass", one.encode()) for one in CLASSES)
    cells: Mapping[str, str] = ThunderbirdColumns().cells(card)
    for column, names in thunderbird_titles.ATTRIBUTES.items():
        if cells.get(column):
            yield names[0], cells[column].encode("utf-8", "replace")
    photo = next((one for one in card.all("PHOTO") if one.data and one.media == JPEG), None)
    if photo and photo.data:
        yield PHOTO, photo.data


def dn_of(card: Card) -> str:
    """The name an entry has in lists: made of what people call it and its first address."""
    mail = card.text("EMAIL").strip()
    return ",".join(
        filter(None, (f"cn={ldif.name_in_dn(card.label)}", f"mail={ldif.name_in_dn(mail)}" if mail else ""))
    )


def dn_key(dn: str) -> str:
    """What makes two such names one: case and the blanks behind commas are no matter."""
    return ",".join(part.strip() for part in dn.casefold().split(","))


def _list_card(entry: ldif.Entry, members: Sequence[str]) -> Card:
    card = Card((text_property("KIND", "group"), text_property("FN", entry.first("cn"))))
    uid = entry.first(OUR_UID) or uid_for(card)
    note, nickname = entry.first("description"), entry.first("mozillaNickname")
    return card.with_property(
        text_property("UID", uid),
        *([text_property("NOTE", note)] if note else []),
        *([Property("NICKNAME", ((nickname,),))] if nickname else []),
        *(text_property("MEMBER", f"urn:uuid:{one}") for one in dict.fromkeys(members)),
    )


def _list_attributes(group: Card, named: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    yield "dn", f"cn={ldif.name_in_dn(group.label)}".encode()
    yield from (("objectclass", one.encode()) for one in LIST_CLASSES)
    yield "cn", group.label.encode("utf-8", "replace")
    yield OUR_UID, group.uid.encode("utf-8", "replace")
    for attribute, name in (("mozillaNickname", "NICKNAME"), ("description", "NOTE")):
        if group.text(name):
            yield attribute, group.text(name).encode("utf-8", "replace")
    members = tuple(dict.fromkeys(group.members))
    yield from (
        ("member", dn.encode("utf-8", "replace")) for dn in dict.fromkeys(named[uid] for uid in members if uid in named)
    )
    yield from ((OUR_MEMBER, uid.encode("utf-8", "replace")) for uid in members)
