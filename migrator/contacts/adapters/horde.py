"""Horde's address books in Turba's tables (Turba 4 and 5; read in their migrations, not run against a Horde): MySQL, MariaDB, PostgreSQL,
sqlite (cPanel kept such a file, `.cphorde/horde.sqlite`).

A book is a share of the user's, or the user's own name where nothing is shared; its rows carry that as their owner. What Turba has no
column for stands below the notes (see contacts/horde/turba.py). CardDAV of a Horde is the carddav adapter's business.

What it cannot do: make books (Horde does, with their permissions); write tags, which newer versions have instead of categories: they
are read, and written below the notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.horde import php
from migrator.contacts.horde.turba import OCTETS, TEXTS, Cells, Turba, longest_text
from migrator.contacts.model import Book, Card, Entry, Features, Held, Property, Put, text_property
from migrator.contacts.vcard import uid_for, with_uid
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import NotFound, NotMadeYet, Refused
from migrator.wire.sql import Database, DatabaseOptions

SHARES = ("turba_sharesng", "turba_shares")
TAGS = ("rampage_tagged", "rampage_tags", "rampage_objects", "rampage_types", "rampage_users")
PERSON, GROUP = "Object", "Group"
ROWS_AT_ONCE = 200
LONGEST_TEXT = 65_535  # bytes: MySQL's type TEXT
LONGEST_UID = 255
RowOf = Row[Any]  # Any: the columns are learned at run time

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(DatabaseOptions, Service):
    """Address books in the tables of Horde's Turba."""

    table: str = Field("turba_objects", pattern=r"^\w+$", description="The table of contacts (backends.php, params)")
    shows_home_and_work_email: bool = Field(
        False,
        description="Horde's backends.php shows homeEmail and workEmail, so that second addresses may go there; else they stand below the notes",
    )


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(title="Horde", needs_name=False, makes_books=False)


# -- sessions ---------------------------------------------------------------------------------------------------------


class HordeReader:
    """One user's address books in Turba's tables, being read."""

    features = FEATURES
    _writes: ClassVar[bool] = False

    def __init__(self, options: Options, login: Login) -> None:
        """Raises EndpointRefused and what a database has to say."""
        self._account, self._user = login.account, login.user
        self._db = Database(options, writes=self._writes)
        self._db.open_tables([options.table], [*SHARES, *TAGS])
        self._table = self._db[options.table]
        room = {name: getattr(one.type, "length", None) for name, one in self._table.c.items()}
        self._turba = Turba(room, options.shows_home_and_work_email)
        self._narrow = options.dialect == "mysql"

    def books(self) -> Sequence[Book]:
        """The shares that the user owns; the user's own name where there is none."""
        with self._db.reading() as connection:
            names = self._names(connection)
            counted = select(self._table.c.owner_id, func.count()).where(self._table.c.owner_id.in_(list(names)))
            counts = {row[0]: row[1] for row in connection.execute(counted.group_by(self._table.c.owner_id))}
        return [Book(owner, name, counts.get(owner, 0)) for owner, name in names.items()]

    def index(self, book: str) -> Iterator[Entry]:
        """Every card and every list, in the order of their keys."""
        self._check(book)
        last = ""
        while True:
            with self._db.reading() as connection:
                found = self._chosen(connection, book, self._table.c.object_id > last)
                tags = self._tags(connection, found)
            for row in found:
                yield self._entry(row, tags)
            if len(found) < ROWS_AT_ONCE:
                return
            last = found[-1].object_id

    def fetch(self, book: str, refs: Sequence[str]) -> Iterator[Held]:
        """These cards."""
        self._check(book)
        for start in range(0, len(refs), ROWS_AT_ONCE):
            wanted = list(refs[start : start + ROWS_AT_ONCE])
            with self._db.reading() as connection:
                found = self._chosen(connection, book, self._table.c.object_id.in_(wanted))
                tags = self._tags(connection, found)
                held = [self._held(connection, book, row, tags) for row in found]
            yield from held

    def close(self) -> None:
        """End the session; never raises."""
        self._db.close()

    # -- asking

    def _check(self, book: str) -> None:
        with self._db.reading() as connection:
            if book not in self._names(connection):
                raise NotFound(f"{self._account}: this Horde has no such address book of the user's.")

    def _names(self, connection: Connection) -> dict[str, str]:
        """The books' names by what their rows have as owner."""
        found = self._shares(connection)
        if not found or self._has_rows(connection, self._user):
            found.setdefault(self._user, "Address Book")
        return found

    def _shares(self, connection: Connection) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in SHARES:
            if not self._db.has(name, "share_owner", "share_name", "attribute_name", "attribute_params"):
                continue
            table = self._db[name]
            asked = select(table.c.share_name, table.c.attribute_name, table.c.attribute_params)
            for row in connection.execute(asked.where(table.c.share_owner == self._user).order_by(table.c.share_id)):
                found.setdefault(_owner(row.attribute_params, row.share_name), row.attribute_name or row.share_name)
        return found

    def _has_rows(self, connection: Connection, owner: str) -> bool:
        asked = select(self._table.c.object_id).where(self._table.c.owner_id == owner).limit(1)
        return connection.execute(asked).first() is not None

    def _chosen(self, connection: Connection, book: str, which: ColumnElement[bool]) -> Sequence[RowOf]:
        known = ["object_id", "object_type", "object_members", *sorted((TEXTS | OCTETS) & set(self._table.c.keys()))]
        asked = select(*(self._table.c[name] for name in known)).where(self._table.c.owner_id == book, which)
        return connection.execute(asked.order_by(self._table.c.object_id).limit(ROWS_AT_ONCE)).all()

    def _tags(self, connection: Connection, rows: Sequence[RowOf]) -> Mapping[str, tuple[str, ...]]:
        """The user's tags by the UIDs of what they are on."""
        if not all(name in self._db for name in TAGS):
            return {}
        tagged, tags, objects, kinds, users = (self._db[name] for name in TAGS)
        asked = (
            select(objects.c.object_name, tags.c.tag_name)
            .join(tagged, tagged.c.object_id == objects.c.object_id)
            .join(tags, tags.c.tag_id == tagged.c.tag_id)
            .join(kinds, kinds.c.type_id == objects.c.type_id)
            .join(users, users.c.user_id == tagged.c.user_id)
            .where(kinds.c.type_name == "contact", users.c.user_name == self._user)
            .where(objects.c.object_name.in_([row.object_uid for row in rows if row.object_uid]))
            .order_by(tags.c.tag_name)
        )
        found: dict[str, tuple[str, ...]] = {}
        for uid, tag in connection.execute(asked):
            found[uid] = (*found.get(uid, ()), tag)
        return found

    def _entry(self, row: RowOf, tags: Mapping[str, tuple[str, ...]]) -> Entry:
        cells = _cells(row)
        said = repr((sorted(cells.texts.items()), row.object_members, tags.get(row.object_uid or "", ())))
        octets = b"".join(cells.octets[name] for name in sorted(cells.octets))
        size = sum(map(len, cells.texts.values())) + len(octets)
        return Entry(row.object_id, size, sha256(said.encode() + octets).hexdigest()[:32])

    def _held(self, connection: Connection, book: str, row: RowOf, tags: Mapping[str, tuple[str, ...]]) -> Held:
        entry = self._entry(row, tags)
        if row.object_type != GROUP:
            return Held(entry, self._turba.card(_cells(row), tags.get(row.object_uid or "", ())))
        members, told = _members(row)
        own = [member for member in members if ":" not in member]
        if len(own) < len(members):
            told = (*told, f"{len(members) - len(own):,} members are in another address book")
        uids: dict[str, str] = {}
        for start in range(0, len(own), ROWS_AT_ONCE):
            some = own[start : start + ROWS_AT_ONCE]
            found = self._chosen(connection, book, self._table.c.object_id.in_(some))
            known = self._tags(connection, found)
            for one in found:
                uids[one.object_id] = one.object_uid or uid_for(
                    self._turba.card(_cells(one), known.get(one.object_uid or "", ()))
                )
        return Held(entry, _group(row, [uids[member] for member in own if member in uids]), told)


class HordeWriter(HordeReader):
    """One user's address books in Turba's tables, being filled. What one call adds arrives as a whole."""

    _writes = True

    def __init__(self, options: Options, login: Login) -> None:
        """Raises NotMadeYet where Horde has never heard of the user: under another spelling of the name nobody would see the cards."""
        super().__init__(options, login)
        try:
            with self._db.reading() as connection:
                known = bool(self._shares(connection)) or self._has_rows(connection, self._user)
        except BaseException:
            self.close()
            raise
        if not known:
            self.close()
            raise NotMadeYet(
                f"{login.account}: Horde has no address book of a user “{login.user}”.",
                remedy="Log in to Horde once as this user and open the address book; if the user is called otherwise there, say so in the accounts.",
            )

    def create_book(self, name: str) -> Book:
        """Raises Refused: a share has permissions that are Horde's to give."""
        raise Refused(f"{name}: address books are made in Horde itself.", remedy="Make it there, then run again.")

    def add(self, book: str, cards: Sequence[Card]) -> Sequence[Put]:
        """Put cards into a book, lists after the contacts that are in them."""
        self._check(book)
        if not cards:
            return []
        puts: dict[int, Put] = {}
        with self._db.writing() as connection:
            known = self._known(connection, book)
            for place, card in sorted(enumerate(cards), key=lambda one: one[1].is_group):
                puts[place] = self._add(connection, book, card, known)
        return [puts[place] for place in range(len(cards))]

    def update(self, book: str, entry: Entry, card: Card) -> Put:
        """Put a card in place of another; a list keeps its members from other address books."""
        self._check(book)
        with self._db.writing() as connection:
            found = self._chosen(connection, book, self._table.c.object_id == entry.ref)
            if not found:
                return Put(refused="The card is not there any more.")
            row = found[0]
            if self._entry(row, self._tags(connection, found)).tag != entry.tag:
                return Put(
                    refused="The card has been changed since it was read.", remedy="Run again to look at it anew."
                )
            cells, refused = self._fitting(card)
            if refused:
                return refused
            kept = [member for member in _members(row)[0] if ":" in member] if row.object_type == GROUP else []
            values = self._values(card, cells, self._known(connection, book), kept)
            where = (self._table.c.object_id == entry.ref, self._table.c.owner_id == book)
            connection.execute(update(self._table).where(*where).values(values))
            return self._put(connection, book, entry.ref)

    # -- telling

    def _known(self, connection: Connection, book: str) -> dict[str, str]:
        """The keys of what is there by its UIDs."""
        asked = select(self._table.c.object_id, self._table.c.object_uid).where(self._table.c.owner_id == book)
        found = {row.object_uid or "": row.object_id for row in connection.execute(asked)}
        if found.pop("", None) is None:
            return found
        # Rows of old versions have no UID.
        nameless = self._chosen(connection, book, self._table.c.object_uid.is_(None) | (self._table.c.object_uid == ""))
        return {**{uid_for(self._turba.card(_cells(row))): row.object_id for row in nameless}, **found}

    def _add(self, connection: Connection, book: str, card: Card, known: dict[str, str]) -> Put:
        if card.uid in known:
            return Put(refused="A card of this UID is in the book already.")
        cells, refused = self._fitting(card)
        if refused:
            return refused
        # Horde draws its keys by lot; from the UID, a card gets the same one whenever it is put.
        key = sha256(f"{book}\n{card.uid}".encode()).hexdigest()[:32]
        row = {"object_id": key, "owner_id": book, **self._values(card, cells, known, [])}
        connection.execute(insert(self._table).values(row))
        known[card.uid] = key
        return self._put(connection, book, key)

    def _fitting(self, card: Card) -> tuple[Cells, Put | None]:
        cells = self._turba.cells(_bare_group(card) if card.is_group else card)
        if len(card.uid) > LONGEST_UID:
            return cells, Put(refused=f"Its UID has {len(card.uid):,} characters, Horde takes {LONGEST_UID}.")
        if self._narrow and longest_text(cells) > LONGEST_TEXT:
            return cells, Put(
                refused=f"Its notes are longer than the {LONGEST_TEXT:,} bytes that Horde's column holds."
            )
        return cells, None

    def _values(self, card: Card, cells: Cells, known: Mapping[str, str], kept: Sequence[str]) -> dict[str, object]:
        there = set(self._table.c.keys())
        values: dict[str, object] = {name: cells.texts.get(name) or None for name in TEXTS & there}
        values |= {name: cells.octets.get(name) for name in OCTETS & there}
        values["object_type"] = GROUP if card.is_group else PERSON
        if card.is_group:
            members = [known[uid] for uid in card.members if uid in known]
            values["object_members"] = php.write([*dict.fromkeys(members), *kept])
        return values

    def _put(self, connection: Connection, book: str, key: str) -> Put:
        found = self._chosen(connection, book, self._table.c.object_id == key)
        entry = self._entry(found[0], self._tags(connection, found))
        return Put(entry.ref, entry.tag)


# -- rows and cards ---------------------------------------------------------------------------------------------------


def _owner(params: str | None, share: str) -> str:
    """What the rows of a share have as their owner: `name` in its parameters."""
    try:
        told = php.read((params or "").encode())
    except php.Broken:
        return share
    name = told.get(b"name") if isinstance(told, dict) else None
    return name.decode("utf-8", "replace") if isinstance(name, bytes) and name else share


def _cells(row: RowOf) -> Cells:
    told = row._mapping  # noqa: SLF001 - SQLAlchemy's own name
    texts = {name: _said(told[name]) for name in TEXTS if told.get(name) is not None}
    octets = {name: bytes(told[name]) for name in OCTETS if told.get(name)}
    return Cells({name: text for name, text in texts.items() if text}, octets)


def _said(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if isinstance(value, date) else str(value)


def _members(row: RowOf) -> tuple[list[str], tuple[str, ...]]:
    if not row.object_members:
        return [], ()
    try:
        return php.texts(_said(row.object_members)), ()
    except php.Broken as error:
        return [], (f"the list's members cannot be read: {error}",)


def _group(row: RowOf, members: Sequence[str]) -> Card:
    name = row.object_lastname or ""
    bare = (text_property("FN", name), text_property("KIND", "group"))
    card = Card((*([text_property("UID", row.object_uid)] if row.object_uid else []), *bare))
    return with_uid(card).with_property(*(text_property("MEMBER", f"urn:uuid:{uid}") for uid in members))


def _bare_group(card: Card) -> Card:
    """What of a list is no contact's: its UID and its name, which Turba keeps as a family name."""
    return Card(
        (
            text_property("UID", card.uid),
            text_property("FN", card.label),
            Property("N", ((card.label,), ("",), ("",), ("",), ("",))),
        )
    )


# -- the adapter ------------------------------------------------------------------------------------------------------


def open_reader(options: Options, login: Login) -> BookReader:
    """A session that cannot write."""
    return HordeReader(options, login)


def open_writer(options: Options, login: Login) -> BookWriter:
    """A session that can write."""
    return HordeWriter(options, login)


ADAPTER: Adapter[BookReader, BookWriter] = Adapter(
    word="horde",
    title="Horde's address books",
    options=Options,
    reader=open_reader,
    writer=open_writer,
    connections=lambda options: (options.connections, 1),
)
