"""Roundcube 1.6 and later over its own web pages, as its user: with the mailbox's password, or through a session that cPanel opens.

A `url` is that of Roundcube's folder, or of cPanel's webmail (https://old.example.net:2096), whose login form is then used.
Measured on 1.6.5; the same parameters are in 1.4 to 1.7. Cards come by the export and go in by the import, whose dialect and whose
gaps are in contacts/roundcube/. The importer skips a card whose e-mail address or name is in the book already: such a card is imported
under another name and without its addresses, then saved once more by the form of one contact, which does not look for likeness.

What it cannot do: make books; the generated ones (collected recipients, trusted senders) are only read. A card larger than PHP's upload
limit is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from hashlib import sha256
from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from migrator.contacts import vcard
from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.model import Book, Card, Entry, Features, Held, Property, Put
from migrator.contacts.roundcube import groups, mending, pages
from migrator.contacts.roundcube.dialect import INSTEAD_OF, SEEN_AS_FIELDS, Sent, instead_of, meant, to_roundcube
from migrator.contacts.roundcube.pages import Row
from migrator.contacts.roundcube.webmail import TOO_LARGE, ByCpanel, ByForm, Webmail
from migrator.engine.contract import KB, MB, Adapter, Login, Service
from migrator.errors import Misbehaved, NotFound, Refused
from migrator.frozen import dataclass
from migrator.wire.http import Site, WebOptions

GROUP = "G"
CARDS_AT_ONCE = 100  # of an export by numbers, which stand in the URL
CARDS_OF_A_FILE = 200
LARGEST_FILE = 4 * MB  # PHP holds it in memory several times
ROOM_FOR_THE_FORM = 4 * KB
PHOTO_OF_AN_UPLOAD = 0.7  # base64 and folding make a third and more of it; the rest of the card wants some room
MEMBERS_AT_ONCE = 200


# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(WebOptions, Service):
    """How to reach a Roundcube."""

    cpanel_url: str | None = Field(
        None,
        description="cPanel, such as https://old.example.net:2083, to open each mailbox's webmail without its password; "
        "url is then the webmail's, such as https://old.example.net:2096",
    )
    cpanel_user: str | None = Field(None, description="The cPanel account that the mailboxes belong to")
    cpanel_token: SecretStr | str | None = Field(
        None, description="Name of the secret with an API token of that account", json_schema_extra={"secret": True}
    )

    @model_validator(mode="after")
    def _whole_way(self) -> Self:
        given = [self.cpanel_url, self.cpanel_user, self.cpanel_token]
        if any(given) and not all(given):
            raise ValueError("cpanel_url, cpanel_user and cpanel_token: they go together")
        if self.cpanel_url:
            self.cpanel  # noqa: B018 - its own rules for URLs
        return self

    @property
    def needs_password(self) -> bool:
        """Whether each account has to bring a password of its own."""
        return self.cpanel_url is None

    @property
    def cpanel(self) -> WebOptions:
        """How to reach the cPanel."""
        said = {"url": self.cpanel_url, **self.model_dump(include={"ca_file", "tls_fingerprint", "timeout"})}
        return WebOptions.model_validate(said)


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(title="Roundcube", makes_books=False)


# -- sessions ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Shelf:
    """What is known of a book for the time being: as it was read, with what this session has made of it since. `touched` says that there is
    such, so that who reads the book asks anew.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    groups: dict[str, frozenset[str]] | None = None  # members by the group's id
    touched: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """A contact as it was exported."""

    id: str
    raw: bytes
    card: Card
    dropped: tuple[str, ...]

    @property
    def entry(self) -> Entry:
        return Entry(self.id, len(self.raw), sha256(self.raw).hexdigest()[:32])


class RoundcubeReader:
    """One user's address books in a Roundcube, being read."""

    _writes: ClassVar[bool] = False

    def __init__(self, options: Options, login: Login) -> None:
        """Opens nothing yet; the login is proven by the first question."""
        self._account = login.account
        self._way: ByCpanel | Site
        if options.cpanel_url and options.cpanel_user and options.cpanel_token:
            self._way = ByCpanel(
                options, options.cpanel, options.cpanel_user, options.cpanel_token, login, writes=self._writes
            )
            self._webmail = Webmail(self._way, login.account)
        else:
            self._way = Site(options, writes=self._writes)
            self._webmail = Webmail(ByForm(self._way, login), login.account)
        self._shelves: dict[str, _Shelf] = {}
        self._limit: int | None = None

    @property
    def features(self) -> Features:
        """With the largest photo that fits into an upload, of which this Roundcube tells how much it takes."""
        return replace(FEATURES, largest_photo=int(self._upload_limit() * PHOTO_OF_AN_UPLOAD))

    def books(self) -> Sequence[Book]:
        """The user's own book and the others that Roundcube shows; the generated ones are not writable."""
        return [
            Book(str(one["id"]), str(one.get("name") or one["id"]), writable=not one.get("readonly"))
            for one in self._sources()
        ]

    def index(self, book: str) -> Iterator[Entry]:
        """Every card in the order of Roundcube's list, then the groups that are cards of their own."""
        self._look_anew(book)
        self._check(book)
        self._shelves.pop(book, None)
        cards: dict[str, Card] = {}
        for found in self._export_all(book):
            cards[found.id] = Card(tuple(one for one in found.card.properties if one.name in {"UID", "CATEGORIES"}))
            yield found.entry
        for number, name, members in self._groups(book):
            told = groups.told_by_categories(name, (cards[one] for one in members if one in cards))
            yield replace(_group_entry(number, name, members), implied=told)

    def fetch(self, book: str, refs: Sequence[str]) -> Iterator[Held]:
        """These cards, the groups last."""
        self._look_anew(book)
        self._check(book)
        numbers = [ref for ref in dict.fromkeys(refs) if _is_number(ref)]
        for found in self._export(book, numbers):
            yield Held(found.entry, found.card, found.dropped, found.raw)
        wanted = {ref for ref in refs if ref.startswith(GROUP)}
        for number, name, members in self._groups(book) if wanted else ():
            if f"{GROUP}{number}" in wanted:
                cards = [found.card for found in self._export(book, sorted(members))]
                told = groups.told_by_categories(name, cards)
                yield Held(replace(_group_entry(number, name, members), implied=told), groups.group_card(name, cards))

    def close(self) -> None:
        """End the session; never raises."""
        self._way.close()

    # -- books and groups

    def _sources(self) -> Sequence[Mapping[str, object]]:
        told = self._webmail.state().get("address_sources") or []
        listed = told.values() if isinstance(told, Mapping) else told
        return [one for one in listed if isinstance(one, Mapping) and one.get("id") is not None]

    def _source(self, book: str) -> Mapping[str, object]:
        for one in self._sources():
            if str(one["id"]) == book:
                return one
        raise NotFound(f"{self._account}: this Roundcube has no such address book.")

    def _check(self, book: str) -> None:
        self._source(book)

    def _look_anew(self, book: str) -> None:
        """Ask the server from here on, where this session has changed something."""
        if self._shelf(book).touched:
            self._shelves.pop(book)
            self._webmail.forget()

    def _shelf(self, book: str) -> _Shelf:
        return self._shelves.setdefault(book, _Shelf())

    def _group_names(self, book: str) -> Mapping[str, str]:
        """The names of a book's groups by their ids."""
        told = self._webmail.state().get("contactgroups") or {}
        listed = told.values() if isinstance(told, Mapping) else told
        return {
            str(one["id"]): str(one.get("name") or "")
            for one in listed
            if isinstance(one, Mapping) and str(one.get("source")) == book and one.get("id") is not None
        }

    def _groups(self, book: str) -> list[tuple[str, str, frozenset[str]]]:
        """Every group: its id, its name, the ids of its members."""
        shelf = self._shelf(book)
        names = self._group_names(book)
        if shelf.groups is None:
            shelf.groups = {number: frozenset(row.id for row in self._list(book, number)) for number in names}
        return [(number, name, shelf.groups.get(number, frozenset())) for number, name in names.items()]

    def _names_of_groups(self, book: str) -> Mapping[str, frozenset[str]]:
        """The names of the groups each contact is in."""
        found: dict[str, set[str]] = {}
        for _, name, members in self._groups(book):
            for member in members:
                found.setdefault(member, set()).add(name)
        return {member: frozenset(names) for member, names in found.items()}

    # -- contacts

    def _list(self, book: str, group: str = "") -> Iterator[Row]:
        """The rows of a book's list, or of a group's, page by page; each contact once, whatever moves meanwhile."""
        seen: set[str] = set()
        page, last = 1, 1
        while page <= last:
            more = {"_gid": group} if group else {}
            told = self._webmail.script("list", _source=book, _page=str(page), **more)
            last = int((told.get("env") or {}).get("pagecount") or 0)
            for row in pages.rows(str(told.get("exec") or "")):
                if row.id not in seen and _is_number(row.id):
                    seen.add(row.id)
                    yield row
            page += 1

    def _look_again(self, book: str) -> dict[str, Row]:
        """The list as it is now."""
        shelf = self._shelf(book)
        shelf.rows = {row.id: row for row in self._list(book)}
        return shelf.rows

    def _export_all(self, book: str) -> Iterator[_Found]:
        yield from self._export(book, list(self._look_again(book)))

    def _export(self, book: str, numbers: Sequence[str]) -> Iterator[_Found]:
        """These contacts, those that are there. An export does not say which is which, so the list has to."""
        if not numbers:
            return
        shelf = self._shelf(book)
        if not shelf.rows:
            self._look_again(book)
        in_groups = self._names_of_groups(book)
        for start in range(0, len(numbers), CARDS_AT_ONCE):
            for number, raw, read in self._portion(book, numbers[start : start + CARDS_AT_ONCE], shelf.rows):
                card = groups.in_groups(read.card, in_groups.get(number, frozenset()))
                yield _Found(number, raw, card, read.dropped)

    def _alone(self, book: str, number: str) -> _Found | None:
        """One contact as it is now, without a look at the list; None where it is not there."""
        for raw in self._texts(book, [number]):
            read = self._meant(book, number, vcard.parse(raw, "utf-8"))
            names = frozenset(name for _, name, members in self._groups(book) if number in members)
            return _Found(number, raw, groups.in_groups(read.card, names), read.dropped)
        return None

    def _portion(
        self, book: str, numbers: Sequence[str], rows: Mapping[str, Row]
    ) -> Iterator[tuple[str, bytes, vcard.Read]]:
        exported = self._texts(book, numbers)
        reads = [vcard.parse(raw, "utf-8") for raw in exported]
        listed = {number: rows[number] for number in numbers if number in rows}
        pairs = pages.paired(listed, [read.card for read in reads])
        for number in numbers:
            if number in pairs:
                place = pairs[number]
                yield number, exported[place], self._meant(book, number, reads[place])
            elif len(pairs) < len(exported):  # twins, or a list that shows names in another way
                for raw in self._texts(book, [number]):
                    yield number, raw, self._meant(book, number, vcard.parse(raw, "utf-8"))

    def _meant(self, book: str, number: str, read: vcard.Read) -> vcard.Read:
        """What the export means, with what it has broken mended from the contact's form."""
        if mending.may_be_broken(read.raw):
            page = self._webmail.page("edit", _source=book, _cid=number, _framed="1")
            whole, left = mending.mended(read.raw, pages.values(page))
            told = tuple(
                f"{name}: blanks may be missing, Roundcube's export loses some"
                for name in left
                if name not in _CATEGORIES
            )
            again = vcard.parse(whole, "utf-8")
            read = replace(again, raw=read.raw, dropped=(*again.dropped, *told))
        # The export's CATEGORIES are names of groups without their commas.
        return meant(read, without=_CATEGORIES)

    def _upload_limit(self) -> int:
        if self._limit is None:
            told = pages.state(self._webmail.page("import", _framed="1")).get("max_filesize")
            said = told if isinstance(told, int) and told > 0 else LARGEST_FILE
            self._limit = min(said, LARGEST_FILE) - ROOM_FOR_THE_FORM
        return self._limit

    def _texts(self, book: str, numbers: Sequence[str]) -> list[bytes]:
        return mending.cards(self._webmail.export(_source=book, _cid=",".join(numbers)))


class RoundcubeWriter(RoundcubeReader):
    """One user's address book in a Roundcube, being filled."""

    _writes = True

    def __init__(self, options: Options, login: Login) -> None:
        """Opens nothing yet."""
        super().__init__(options, login)
        self._uids: dict[str, dict[str, str]] = {}  # book -> UID -> contact
        self._ids: dict[str, set[str]] = {}  # the contacts that were there when it was last looked

    def index(self, book: str) -> Iterator[Entry]:
        """The same; what a run left half done when it died is cleared up before."""
        self._check(book)
        self._known(book)
        yield from super().index(book)

    def create_book(self, name: str) -> Book:
        """Raises Refused: Roundcube has a fixed set of books."""
        raise Refused(
            f"{name}: Roundcube has one address book a user and makes no more.",
            remedy="Let the cards go into that one.",
        )

    def add(self, book: str, cards: Sequence[Card]) -> Sequence[Put]:
        """Put cards into a book; a group is put together with one of its name that is there."""
        self._check_writable(book)
        if not cards:
            return []
        known = self._known(book)
        sent: dict[str, Sent] = {}
        puts: dict[int, Put] = {}
        for place, card in enumerate(cards):
            if card.uid in sent or card.uid in known:
                puts[place] = Put(refused="A card of this UID is in the book already.")
            elif not card.is_group:
                sent[card.uid] = to_roundcube(card)
        refusals = self._bring_in(book, sent)
        people = [card for card in cards if card.uid in sent and card.uid not in refusals]
        self._categorise(book, {known[card.uid]: groups.categories(card) for card in people})
        puts |= {place: self._add_group(book, card) for place, card in enumerate(cards) if card.is_group}
        self._changed(book)
        entries = {found.id: found.entry for found in self._export(book, [known[card.uid] for card in people])}
        for place, card in enumerate(cards):
            if place not in puts:
                entry = entries.get(known.get(card.uid, ""))
                puts[place] = Put(entry.ref, entry.tag) if entry else refusals.get(card.uid, _GONE)
        return [puts[place] for place in range(len(cards))]

    def update(self, book: str, entry: Entry, card: Card) -> Put:
        """Put a card in place of another. Where the form of a contact has no field for what is new, the card is imported anew and the old
        one deleted, so that its `ref` changes.
        """
        self._check_writable(book)
        if entry.ref.startswith(GROUP):
            return self._update_group(book, entry, card)
        there = self._alone(book, entry.ref) if _is_number(entry.ref) else None
        if there is None:
            return _GONE
        if there.entry.tag != entry.tag:
            return _CHANGED
        sent, before, number = to_roundcube(card), groups.categories(there.card), entry.ref
        if _beside_the_form(sent) == _beside_the_form_of(there.raw):
            if refused := self._save(book, number, sent):
                return Put(refused=refused)
        else:
            refusals = self._bring_in(book, {card.uid: sent.instead_of(number)}, beside=number)
            if refusals:
                return refusals[card.uid]
            number = self._known(book)[card.uid]
            self._take_over(book, entry.ref, number, before)
        self._categorise(book, {number: groups.categories(card)})
        for group, name, members in self._groups(book):
            if name in before and name not in groups.categories(card) and number in members:
                self._members(book, "group-delmembers", group, [number])
        found = self._alone(book, number)
        return Put(found.id, found.entry.tag) if found else _GONE

    def _take_over(self, book: str, old: str, number: str, categories: Sequence[str]) -> None:
        """Have a contact in the groups of the one it replaces, but for those of its CATEGORIES, and delete that one."""
        for name in self._names_of_groups(book).get(old, frozenset()):
            if name not in categories:
                self._join(book, name, [number])
        self._delete(book, old)
        self._ids[book].discard(old)

    # -- what is there

    def _check_writable(self, book: str) -> None:
        if self._source(book).get("readonly"):
            raise Refused(f"{self._account}: Roundcube fills this address book by itself, or it may only be read.")

    def _known(self, book: str) -> dict[str, str]:
        """The contacts by their UIDs, and those without one by the UID they get."""
        if book not in self._uids:
            uids: dict[str, str] = {}
            ids: set[str] = set()
            left: list[_Found] = []
            for found in self._export_all(book):
                ids.add(found.id)
                unfinished = _is_unfinished(found.card)
                if not unfinished:
                    uids.setdefault(vcard.with_uid(found.card).uid, found.id)
                if unfinished or instead_of(found.raw):
                    left.append(found)
            self._uids[book], self._ids[book] = uids, ids
            for found in left:
                self._clear_up(book, found)
        return self._uids[book]

    def _clear_up(self, book: str, left: _Found) -> None:
        """What stands under another name has not arrived: it goes, to be brought in anew. What stands beside the contact that it
        replaces has arrived: that one goes.
        """
        if _is_unfinished(left.card):
            self._delete(book, left.id)
            self._ids[book].discard(left.id)
            return
        old = instead_of(left.raw)
        if old in self._ids[book] and any(_replaces(left.card, found.card) for found in self._export(book, [old])):
            self._take_over(book, old, left.id, ())
            self._uids[book][left.card.uid] = left.id

    def _changed(self, book: str) -> None:
        """Groups and members are not what they were."""
        shelf = self._shelf(book)
        shelf.groups, shelf.touched = None, False
        self._webmail.forget()

    # -- bringing cards in

    def _bring_in(self, book: str, sent: Mapping[str, Sent], beside: str = "") -> dict[str, Put]:
        """Import cards; the refusals of those that are not there afterwards. With `beside`, one that stands beside the contact it replaces.

        What the importer skipped for its likeness to another is brought in under another name, then saved by the form.
        """
        known = self._known(book)
        refusals: dict[str, Put] = {}
        texts = {} if beside else {uid: one.text() for uid, one in sent.items()}
        self._import(book, texts, refusals)
        left = {uid: one for uid, one in sent.items() if uid not in refusals and (beside or uid not in known)}
        stand_ins = {uid: one.text(without=_EMAIL, name=_stand_in(uid)) for uid, one in left.items()}
        self._import(book, stand_ins, refusals)
        for uid, one in sent.items():
            number = known.get(uid)
            if uid in refusals:
                continue
            if number is None or number == beside:
                refusals[uid] = Put(
                    refused="Roundcube's importer took the file and did not keep this card, without saying why.",
                    remedy="Put it in by hand.",
                )
            elif (uid not in texts or uid in left) and (words := self._save(book, number, one)):
                self._delete(book, number)
                known.pop(uid)
                if beside:
                    known[uid] = beside
                refusals[uid] = Put(refused=f"Roundcube did not save this card (“{words}”).")
        return refusals

    def _import(self, book: str, texts: Mapping[str, str], refusals: dict[str, Put]) -> None:
        """Upload cards by portions, then learn which contacts are new."""
        limit = self._upload_limit()
        portion: list[str] = []
        size = 0
        for uid, text in texts.items():
            length = len(text.encode()) + 2
            if length > limit:
                refusals[uid] = Put(
                    refused=f"The card has {length:,} bytes, and this Roundcube takes no file larger than {limit:,}.",
                    remedy="Leave its photo out, or have upload_max_filesize raised.",
                )
                continue
            if portion and (size + length > limit or len(portion) >= CARDS_OF_A_FILE):
                self._upload(book, portion)
                portion, size = [], 0
            portion.append(text)
            size += length
        if portion:
            self._upload(book, portion)
        if len(refusals) < len(texts) or portion:
            self._learn(book)

    def _upload(self, book: str, texts: Sequence[str]) -> None:
        content = "".join(f"{text}\r\n" for text in texts).encode()
        fields = {"_target": book, "_groups": "0", "_unlock": ""}
        reply = self._webmail.upload("import", fields, "contacts.vcf", content)
        if reply.status == TOO_LARGE:
            raise Refused(
                f"{self._account}: the web server takes no upload of {len(content):,} bytes.",
                remedy="Have the limit of its request bodies raised, or leave large photos out.",
            )
        if words := pages.complaint(reply.text):
            raise Misbehaved(f"{self._account}: Roundcube did not import the cards (“{words}”).")

    def _learn(self, book: str) -> None:
        """Find the UIDs of contacts that were not there before."""
        known, before = self._known(book), self._ids[book]
        there = self._look_again(book)
        for found in self._export(book, [number for number in there if number not in before]):
            known[vcard.with_uid(found.card).uid] = found.id
        self._ids[book] = set(there)

    def _save(self, book: str, number: str, sent: Sent) -> str:
        """Save a contact by its form; the words of a refusal, "" when it is saved."""
        fields = [("_source", book), ("_cid", number), *pages.form(sent)]
        answer = self._webmail.post("save", fields)
        self._touched(book).rows = {}  # it may be called otherwise now
        return "" if pages.confirms(answer) else pages.complaint(answer) or "no confirmation"

    def _delete(self, book: str, number: str) -> None:
        self._order("delete", [("_source", book), ("_cid", number)])
        shelf = self._touched(book)
        shelf.rows.pop(number, None)
        if shelf.groups is not None:
            shelf.groups = {group: members - {number} for group, members in shelf.groups.items()}

    def _touched(self, book: str) -> _Shelf:
        shelf = self._shelf(book)
        shelf.touched = True
        return shelf

    # -- groups

    def _add_group(self, book: str, card: Card) -> Put:
        if not self._source(book).get("groups"):
            return Put(refused="This address book has no groups.")
        if refused := groups.refusal(card.label):
            return Put(refused=refused)
        known = self._known(book)
        number = self._join(book, card.label, [known[uid] for uid in card.members if uid in known])
        return self._group_put(book, number)

    def _update_group(self, book: str, entry: Entry, card: Card) -> Put:
        self._webmail.forget()
        self._read_group(book, entry.ref.removeprefix(GROUP))
        there = {f"{GROUP}{number}": (number, name, members) for number, name, members in self._groups(book)}
        if entry.ref not in there:
            return _GONE
        number, name, members = there[entry.ref]
        if _group_entry(number, name, members).tag != entry.tag:
            return _CHANGED
        if refused := groups.refusal(card.label):
            return Put(refused=refused)
        if card.label != name:
            if card.label in self._group_names(book).values():
                return Put(refused="Another group has this name already.")
            self._order("group-rename", [("_source", book), ("_gid", number), ("_name", card.label)])
            self._webmail.forget()
        known = self._known(book)
        wanted = {known[uid] for uid in card.members if uid in known}
        self._members(book, "group-addmembers", number, sorted(wanted - members))
        self._members(book, "group-delmembers", number, sorted(members - wanted))
        return self._group_put(book, number)

    def _group_put(self, book: str, number: str) -> Put:
        self._read_group(book, number)
        return next(
            (
                Put(f"{GROUP}{number}", _group_entry(number, name, members).tag)
                for one, name, members in self._groups(book)
                if one == number
            ),
            _GONE,
        )

    def _read_group(self, book: str, number: str) -> None:
        """Look who is in a group now."""
        shelf = self._shelf(book)
        if shelf.groups is not None and number in shelf.groups:
            shelf.groups[number] = frozenset(row.id for row in self._list(book, number))

    def _categorise(self, book: str, categories: Mapping[str, Sequence[str]]) -> None:
        """Have contacts in the groups that their CATEGORIES name."""
        if not self._source(book).get("groups"):
            return
        wanted: dict[str, list[str]] = {}
        for number, names in categories.items():
            for name in names:
                if not groups.refusal(name):
                    wanted.setdefault(name, []).append(number)
        for name, numbers in wanted.items():
            self._join(book, name, numbers)

    def _join(self, book: str, name: str, numbers: Sequence[str]) -> str:
        """Put contacts into the group of this name, which is made if need be; its id."""
        group = next((number for number, known in self._group_names(book).items() if known == name), "")
        if not group:
            told = self._order("group-create", [("_source", book), ("_name", name)])
            made = next(pages.calls(told, "insert_contact_group"), ())
            if not made or not isinstance(made[0], Mapping) or not made[0].get("id"):
                raise Misbehaved(f"{self._account}: Roundcube did not say which group it made.")
            group = str(made[0]["id"])
            self._webmail.forget()
            if (shelf := self._touched(book)).groups is not None:
                shelf.groups[group] = frozenset()
        members = {number: there for number, _, there in self._groups(book)}.get(group, frozenset())
        self._members(book, "group-addmembers", group, [number for number in numbers if number not in members])
        return group

    def _members(self, book: str, action: str, group: str, numbers: Sequence[str]) -> None:
        for start in range(0, len(numbers), MEMBERS_AT_ONCE):
            portion = numbers[start : start + MEMBERS_AT_ONCE]
            self._order(action, [("_source", book), ("_gid", group), ("_cid", ",".join(portion))])
            if (shelf := self._touched(book)).groups is not None:
                there = shelf.groups.get(group, frozenset())
                shelf.groups[group] = (
                    there.union(portion) if action == "group-addmembers" else there.difference(portion)
                )

    def _order(self, action: str, fields: Sequence[tuple[str, str]]) -> str:
        told = str(self._webmail.tell(action, fields).get("exec") or "")
        if words := pages.complaint(told):
            raise Refused(f"{self._account}: Roundcube refused {action} (“{words}”).")
        return told


_GONE = Put(refused="The card is not there any more.")
_CHANGED = Put(refused="The card has been changed since it was read.", remedy="Run again to look at it anew.")
_EMAIL = frozenset({"EMAIL"})
_CATEGORIES = frozenset({"CATEGORIES"})


# -- wire helpers -----------------------------------------------------------------------------------------------------


def _is_number(ref: str) -> bool:
    return ref.isascii() and ref.isdecimal()


def _stand_in(uid: str) -> str:
    """A name that nothing else has, for a card that is like another until its form is saved."""
    return f"migrator {sha256(uid.encode()).hexdigest()[:16]}"


def _is_unfinished(card: Card) -> bool:
    """Whether a run died after it had brought the card in under another name."""
    return card.text("FN") == _stand_in(card.uid)


def _replaces(new: Card, old: Card) -> bool:
    """Whether a contact is the one that a card of ours says it was brought in to replace: in another Roundcube, its number is a stranger's."""
    return old.uid == new.uid if old.uid else old.text("FN") == new.text("FN")


def _group_entry(number: str, name: str, members: frozenset[str]) -> Entry:
    return Entry(f"{GROUP}{number}", 0, sha256(repr((name, sorted(members))).encode()).hexdigest()[:32])


def _beside_the_form(sent: Sent) -> object:
    """What saving a contact's form leaves as it is."""
    return _marks((*sent.rest, *(one for one in sent.shown if one.name == "PHOTO")))


def _beside_the_form_of(raw: bytes) -> object:
    there = vcard.parse(raw, "utf-8").card.properties
    return _marks(one for one in there if one.name not in SEEN_AS_FIELDS - {"PHOTO"} | {"CATEGORIES", INSTEAD_OF})


def _marks(properties: Iterable[Property]) -> object:
    return Counter((one.name, one.text, one.data, one.types) for one in properties)


# -- the adapter ------------------------------------------------------------------------------------------------------


def open_reader(options: Options, login: Login) -> BookReader:
    """A session that cannot write."""
    return RoundcubeReader(options, login)


def open_writer(options: Options, login: Login) -> BookWriter:
    """A session that can write."""
    return RoundcubeWriter(options, login)


ADAPTER: Adapter[BookReader, BookWriter] = Adapter(
    word="roundcube",
    title="Roundcube",
    options=Options,
    reader=open_reader,
    writer=open_writer,
    connections=lambda options: (options.connections, 1),
)
