"""Roundcube's database (1.3 and later; tables read in 1.6): MySQL, MariaDB, PostgreSQL, an sqlite file, or cPanel's one file a mailbox.

For whom the webmail itself is out of reach, or the mailbox's password is: the database's login opens every address book. What is
written is what Roundcube would have written: text, columns and search index (see contacts/roundcube/). Deleted contacts, which
Roundcube keeps for a while (`del`), are not there.

What it cannot do: make books (Roundcube has one of its own; those of LDAP and plug-ins are elsewhere), or make the user: a mailbox
whose owner has never logged in to Roundcube has no place for contacts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, func, insert, select, update

from migrator.addresses import split
from migrator.contacts import vcard
from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.model import Book, Card, Entry, Features, Held, Property, Put, text_property
from migrator.contacts.roundcube import groups
from migrator.contacts.roundcube.columns import columns
from migrator.contacts.roundcube.dialect import from_roundcube, to_roundcube, uid_in
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointUnfit, NotFound, NotMadeYet, Refused
from migrator.wire.sql import Database, DatabaseOptions

OWN = "0"  # the ids that Roundcube's own pages give
GENERATED = {"1": (1, "Collected Recipients"), "2": (2, "Trusted Senders")}  # by the column `type`
ROWS_AT_ONCE = 200
GROUP = "G"
RowOf = Row[Any]  # Any: the columns are learned at run time

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(DatabaseOptions, Service):
    """Address books in Roundcube's database."""

    prefix: str = Field(
        "", pattern=r"^\w*$", description="What Roundcube's db_prefix puts before the names of its tables"
    )
    mail_host: str | None = Field(
        None,
        description="The mail server as Roundcube's table of users has it (mail_host); needed only where a user is in it with several",
    )
    folder: Path | None = Field(
        None,
        description="sqlite only: cPanel's folder `etc` from the account's home, with one file <domain>/<local part>.rcube.db a mailbox",
        json_schema_extra={"path": True, "must_exist": True},
    )

    @model_validator(mode="after")
    def _one_file(self) -> Options:
        if self.folder is not None and (self.dialect != "sqlite" or self.path is not None):
            raise ValueError("folder: it stands for the path of an sqlite database; say dialect: sqlite and no path")
        return self

    @property
    def names_its_file(self) -> bool:
        """Whether the file follows from the account."""
        return self.folder is not None


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(title="Roundcube's database", makes_books=False)


# -- sessions ---------------------------------------------------------------------------------------------------------


class RoundcubeDbReader:
    """One user's address books in Roundcube's database, being read."""

    features = FEATURES
    _writes: ClassVar[bool] = False

    def __init__(self, options: Options, login: Login) -> None:
        """Raises EndpointRefused and what a database has to say."""
        self._account = login.account
        self._prefix = options.prefix
        self._db = _database(options, login, writes=self._writes)
        self._user: int | None = None
        if self._db is not None:
            needed = ("users", "contacts", "contactgroups", "contactgroupmembers")
            self._db.open_tables([self._prefix + name for name in needed], [f"{self._prefix}collected_addresses"])
            try:
                self._user = self._find_user(options.mail_host, login.user)
            except BaseException:
                self.close()
                raise

    def books(self) -> Sequence[Book]:
        """The user's own book, then those that Roundcube fills by itself; none where it does not know the user."""
        if self._user is None:
            return []
        with self._reading() as connection:
            contacts = self._table("contacts")
            own = select(func.count()).select_from(contacts).where(self._mine(contacts), contacts.c["del"] != 1)
            found = [Book(OWN, "Personal Addresses", connection.execute(own).scalar_one())]
            if self._has_generated:
                table = self._table("collected_addresses")
                counted = select(table.c.type, func.count()).where(table.c.user_id == self._user).group_by(table.c.type)
                counts = {row[0]: row[1] for row in connection.execute(counted)}
                found += [
                    Book(book, name, counts.get(kind, 0), writable=False) for book, (kind, name) in GENERATED.items()
                ]
        return found

    def index(self, book: str) -> Iterator[Entry]:
        """Every card in the order of its row's number, then the groups that are cards of their own."""
        self._check(book)
        last = 0
        while True:
            with self._reading() as connection:
                rows = self._rows_after(connection, book, last)
            for ref, row in rows:
                yield Entry(ref, len(_text(row).encode()), _tag(row))
            if len(rows) < ROWS_AT_ONCE:
                break
            last = int(rows[-1][0])
        if book == OWN:
            yield from [held.entry for held in self._groups()]

    def fetch(self, book: str, refs: Sequence[str]) -> Iterator[Held]:
        """These cards, the groups last."""
        self._check(book)
        numbers = [int(ref) for ref in refs if ref.isascii() and ref.isdecimal()]
        for start in range(0, len(numbers), ROWS_AT_ONCE):
            with self._reading() as connection:
                rows = self._rows(connection, book, numbers[start : start + ROWS_AT_ONCE])
                memberships = self._memberships(connection) if book == OWN else {}
            yield from (_held(ref, row, memberships.get(int(ref), frozenset())) for ref, row in rows)
        wanted = {ref for ref in refs if ref.startswith(GROUP)}
        if wanted and book == OWN:
            yield from (held for held in self._groups() if held.entry.ref in wanted)

    def close(self) -> None:
        """End the session; never raises."""
        if self._db is not None:
            self._db.close()

    # -- asking

    def _reading(self) -> Any:  # Any: Database's own context manager
        assert self._db is not None
        return self._db.reading()

    def _table(self, name: str) -> Table:
        assert self._db is not None
        return self._db[self._prefix + name]

    @property
    def _has_generated(self) -> bool:
        assert self._db is not None
        return self._db.has(f"{self._prefix}collected_addresses", "user_id", "type", "email", "name", "address_id")

    def _mine(self, table: Table) -> ColumnElement[bool]:
        return table.c.user_id == self._user

    def _check(self, book: str) -> None:
        if self._user is None or not (book == OWN or (book in GENERATED and self._has_generated)):
            raise NotFound(f"{self._account}: Roundcube has no such address book for this user.")

    def _find_user(self, mail_host: str | None, user: str) -> int | None:
        assert self._db is not None
        table = self._table("users")
        with self._db.reading() as connection:
            asked = select(table.c.user_id, table.c.mail_host).where(func.lower(table.c.username) == user.lower())
            rows = connection.execute(asked.order_by(table.c.user_id)).all()
        if mail_host is not None:
            rows = [row for row in rows if row.mail_host == mail_host]
        if len(rows) > 1:
            hosts = ", ".join(f"“{row.mail_host}”" for row in rows)
            raise EndpointUnfit(
                f"{self._account}: {self._db.place} has this user {len(rows)} times, at the mail servers {hosts}.",
                remedy="Say in the plan which mail_host is meant.",
            )
        return int(rows[0].user_id) if rows else None

    def _rows_after(self, connection: Connection, book: str, last: int) -> Sequence[tuple[str, RowOf]]:
        return self._chosen(connection, book, lambda number: number > last, limit=ROWS_AT_ONCE)

    def _rows(self, connection: Connection, book: str, numbers: Sequence[int]) -> Sequence[tuple[str, RowOf]]:
        return self._chosen(connection, book, lambda number: number.in_(numbers), limit=len(numbers))

    def _chosen(self, connection: Connection, book: str, wanted: Any, limit: int) -> Sequence[tuple[str, RowOf]]:
        if book == OWN:
            table = self._table("contacts")
            number, where = table.c.contact_id, table.c["del"] != 1
            said = [table.c[name] for name in ("name", "email", "firstname", "surname", "vcard")]
        else:
            table = self._table("collected_addresses")
            number, where = table.c.address_id, table.c.type == GENERATED[book][0]
            said = [table.c["name"], table.c["email"]]
        # Never `changed`: old rows have dates that no calendar knows.
        asked = select(number, *said).where(self._mine(table), where, wanted(number)).order_by(number).limit(limit)
        return [(str(row[0]), row) for row in connection.execute(asked)]

    def _memberships(self, connection: Connection) -> Mapping[int, frozenset[str]]:
        """The names of the groups each contact is in."""
        found: dict[int, set[str]] = {}
        for _, name, members in self._group_rows(connection):
            for member in members:
                found.setdefault(member, set()).add(name)
        return {member: frozenset(names) for member, names in found.items()}

    def _group_rows(self, connection: Connection) -> Sequence[tuple[int, str, Sequence[int]]]:
        """Every group: its number, its name, its members that are there."""
        table, links, contacts = map(self._table, ("contactgroups", "contactgroupmembers", "contacts"))
        members: dict[int, list[int]] = {}
        joined = (
            select(links.c.contactgroup_id, links.c.contact_id)
            .join(contacts, contacts.c.contact_id == links.c.contact_id)
            .where(self._mine(contacts), contacts.c["del"] != 1)
            .order_by(links.c.contact_id)
        )
        for group, contact in connection.execute(joined):
            members.setdefault(group, []).append(contact)
        asked = select(table.c.contactgroup_id, table.c.name).where(self._mine(table), table.c["del"] != 1)
        return [
            (row.contactgroup_id, row.name, members.get(row.contactgroup_id, []))
            for row in connection.execute(asked.order_by(table.c.contactgroup_id))
        ]

    def _groups(self) -> Iterator[Held]:
        """The groups that are cards of their own."""
        with self._reading() as connection:
            rows = self._group_rows(connection)
            memberships = self._memberships(connection)
        for number, name, members in rows:
            cards: list[Card] = []
            for start in range(0, len(members), ROWS_AT_ONCE):
                with self._reading() as connection:
                    found = self._rows(connection, OWN, members[start : start + ROWS_AT_ONCE])
                cards += [_held(ref, row, memberships.get(int(ref), frozenset())).card for ref, row in found]
            told = groups.told_by_categories(name, cards)
            yield Held(Entry(f"{GROUP}{number}", 0, _group_tag(name, members), told), groups.group_card(name, cards))


class RoundcubeDbWriter(RoundcubeDbReader):
    """One user's address book in Roundcube's database, being filled. What one call adds arrives as a whole."""

    _writes = True

    def __init__(self, options: Options, login: Login) -> None:
        """Raises NotMadeYet where Roundcube does not know the user."""
        super().__init__(options, login)
        self._uids: dict[str, int] | None = None
        if self._user is None:
            self.close()
            raise NotMadeYet(
                f"{login.account}: Roundcube does not know this user, so there is no address book to fill.",
                remedy="Log in to the webmail once as this user, then run again; nothing was changed.",
            )

    def create_book(self, name: str) -> Book:
        """Raises Refused: Roundcube has one book of its own a user."""
        raise Refused(
            f"{name}: Roundcube has one address book a user and makes no more.",
            remedy="Let the cards go into that one.",
        )

    def add(self, book: str, cards: Sequence[Card]) -> Sequence[Put]:
        """Put cards into the user's own book; a group is put together with one of its name that is there."""
        self._check_writable(book)
        if not cards:
            return []
        known = dict(self._known())
        puts: dict[int, Put] = {}
        with self._writing() as connection:
            for place, card in enumerate(cards):
                if not card.is_group:
                    puts[place] = self._add_person(connection, card, known)
            for place, card in enumerate(cards):
                if card.is_group:
                    puts[place] = self._add_group(connection, card, known)
        self._uids = known
        return [puts[place] for place in range(len(cards))]

    def update(self, book: str, entry: Entry, card: Card) -> Put:
        """Put a card in place of another, or set a group's name and members."""
        self._check_writable(book)
        known = dict(self._known())
        with self._writing() as connection:
            number = entry.ref.removeprefix(GROUP)
            if not (number.isascii() and number.isdecimal()):
                return _GONE
            if entry.ref.startswith(GROUP):
                return self._update_group(connection, int(number), entry, card, known)
            return self._update_person(connection, int(number), entry, card, known)

    # -- telling

    def _writing(self) -> Any:  # Any: Database's own context manager
        assert self._db is not None
        return self._db.writing()

    def _check_writable(self, book: str) -> None:
        self._check(book)
        if book != OWN:
            raise Refused(f"{GENERATED[book][1]}: Roundcube fills this address book by itself.")

    def _known(self) -> dict[str, int]:
        """The UIDs of the cards that are there, and of those without one the UID they get."""
        if self._uids is None:
            self._uids = {}
            last = 0
            while True:
                with self._reading() as connection:
                    rows = self._rows_after(connection, OWN, last)
                    memberships = self._memberships(connection)
                for ref, row in rows:
                    uid = uid_in(row.vcard or "")
                    uid = uid or vcard.uid_for(_held(ref, row, memberships.get(int(ref), frozenset())).card)
                    self._uids.setdefault(uid, int(ref))
                if len(rows) < ROWS_AT_ONCE:
                    break
                last = int(rows[-1][0])
        return self._uids

    def _add_person(self, connection: Connection, card: Card, known: dict[str, int]) -> Put:
        if card.uid in known:
            return Put(refused="A card of this UID is in the book already.")
        table = self._table("contacts")
        values = {**_values(card), "user_id": self._user, "changed": func.now(), "del": 0}
        number = connection.execute(insert(table).values(values)).inserted_primary_key
        assert number is not None
        known[card.uid] = int(number[0])
        for name in groups.categories(card):
            if not groups.refusal(name):
                self._join(connection, self._group_named(connection, name), [int(number[0])])
        return self._put(connection, int(number[0]))

    def _add_group(self, connection: Connection, card: Card, known: Mapping[str, int]) -> Put:
        if refused := groups.refusal(card.label):
            return Put(refused=refused)
        number = self._group_named(connection, card.label)
        self._join(connection, number, [known[uid] for uid in card.members if uid in known])
        return self._put_group(connection, number)

    def _update_person(
        self, connection: Connection, number: int, entry: Entry, card: Card, known: dict[str, int]
    ) -> Put:
        table = self._table("contacts")
        rows = self._rows(connection, OWN, [number])
        if not rows:
            return _GONE
        ref, row = rows[0]
        if _tag(row) != entry.tag:
            return _CHANGED
        there = _held(ref, row, self._memberships(connection).get(number, frozenset())).card
        connection.execute(
            update(table).where(table.c.contact_id == number).values({**_values(card), "changed": func.now()})
        )
        wanted = [name for name in groups.categories(card) if not groups.refusal(name)]
        for name in wanted:
            self._join(connection, self._group_named(connection, name), [number])
        for name in groups.categories(there):
            if name not in wanted:
                self._leave(connection, self._group_named(connection, name), [number])
        for uid in [uid for uid, known_number in known.items() if known_number == number]:
            del known[uid]
        known[card.uid] = number
        self._uids = known
        return self._put(connection, number)

    def _update_group(
        self, connection: Connection, number: int, entry: Entry, card: Card, known: Mapping[str, int]
    ) -> Put:
        found = {group: (name, members) for group, name, members in self._group_rows(connection)}
        if number not in found:
            return _GONE
        name, members = found[number]
        if _group_tag(name, members) != entry.tag:
            return _CHANGED
        if refused := groups.refusal(card.label):
            return Put(refused=refused)
        if any(other == card.label for group, (other, _) in found.items() if group != number):
            return Put(refused="Another group has this name already.")
        table = self._table("contactgroups")
        values = {"name": card.label, "changed": func.now()}
        connection.execute(update(table).where(table.c.contactgroup_id == number).values(values))
        wanted = [known[uid] for uid in card.members if uid in known]
        self._join(connection, number, wanted)
        self._leave(connection, number, [member for member in members if member not in wanted])
        return self._put_group(connection, number)

    def _group_named(self, connection: Connection, name: str) -> int:
        """The number of the group of this name, which is made if need be."""
        found = next((number for number, known, _ in self._group_rows(connection) if known == name), None)
        if found is not None:
            return found
        values = {"user_id": self._user, "changed": func.now(), "del": 0, "name": name}
        number = connection.execute(insert(self._table("contactgroups")).values(values)).inserted_primary_key
        assert number is not None
        return int(number[0])

    def _join(self, connection: Connection, group: int, members: Sequence[int]) -> None:
        links = self._table("contactgroupmembers")
        there = set(connection.execute(select(links.c.contact_id).where(links.c.contactgroup_id == group)).scalars())
        fresh = [member for member in dict.fromkeys(members) if member not in there]
        if fresh:
            rows = [{"contactgroup_id": group, "contact_id": member} for member in fresh]
            connection.execute(insert(links).values({"created": func.now()}), rows)

    def _leave(self, connection: Connection, group: int, members: Sequence[int]) -> None:
        links = self._table("contactgroupmembers")
        if members:
            connection.execute(
                delete(links).where(and_(links.c.contactgroup_id == group, links.c.contact_id.in_(members)))
            )

    def _put(self, connection: Connection, number: int) -> Put:
        ((ref, row),) = self._rows(connection, OWN, [number])
        return Put(ref, _tag(row))

    def _put_group(self, connection: Connection, number: int) -> Put:
        ((name, members),) = [
            (name, members) for group, name, members in self._group_rows(connection) if group == number
        ]
        return Put(f"{GROUP}{number}", _group_tag(name, members))


_GONE = Put(refused="The card is not there any more.")
_CHANGED = Put(refused="The card has been changed since it was read.", remedy="Run again to look at it anew.")


# -- rows and cards ---------------------------------------------------------------------------------------------------


def _database(options: Options, login: Login, *, writes: bool) -> Database | None:
    """The database; None where cPanel has no file for the mailbox, whose owner has never used Roundcube."""
    if options.folder is None:
        return Database(options, writes=writes)
    local, domain = split(login.account)
    if not re.fullmatch(r"[^/\0]+", local) or not re.fullmatch(r"[^/\0]*", domain) or {local, domain} & {".", ".."}:
        raise NotFound(f"{login.account}: cPanel keeps no file of this name.")
    file = options.folder / domain / f"{local}.rcube.db"
    return Database(options.model_copy(update={"path": file}), writes=writes) if file.is_file() else None


def _values(card: Card) -> dict[str, object]:
    sent = to_roundcube(card)
    return {"vcard": sent.text(), **columns(sent)}


def _text(row: RowOf) -> str:
    """The row's card. Rows of old versions and those of collected addresses have columns only."""
    told = row._mapping  # noqa: SLF001 - SQLAlchemy's own name
    if told.get("vcard"):
        return str(told["vcard"])
    emails = [one.strip() for one in (told["email"] or "").split(",") if one.strip()]
    name = (told["name"] or "").strip() or next(iter(emails), "")
    properties = [text_property("FN", name), *(text_property("EMAIL", one) for one in emails)]
    if told.get("surname") or told.get("firstname"):
        parts = ((told["surname"] or "",), (told["firstname"] or "",), ("",), ("",), ("",))
        properties.append(Property("N", parts))
    return vcard.write(Card(tuple(properties)), "3.0", fold=False)


def _tag(row: RowOf) -> str:
    return sha256(_text(row).encode()).hexdigest()[:32]


def _group_tag(name: str, members: Sequence[int]) -> str:
    return sha256(repr((name, sorted(members))).encode()).hexdigest()[:32]


def _held(ref: str, row: RowOf, in_groups: frozenset[str]) -> Held:
    text = _text(row)
    read = from_roundcube(text.encode())
    entry = Entry(ref, len(text.encode()), _tag(row))
    return Held(entry, groups.in_groups(read.card, in_groups), read.dropped, text.encode())


# -- the adapter ------------------------------------------------------------------------------------------------------


def open_reader(options: Options, login: Login) -> BookReader:
    """A session that cannot write."""
    return RoundcubeDbReader(options, login)


def open_writer(options: Options, login: Login) -> BookWriter:
    """A session that can write."""
    return RoundcubeDbWriter(options, login)


ADAPTER: Adapter[BookReader, BookWriter] = Adapter(
    word="roundcube_db",
    title="Roundcube's database",
    options=Options,
    reader=open_reader,
    writer=open_writer,
    connections=lambda options: (options.connections, 1),
)
