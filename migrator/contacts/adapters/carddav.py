"""Any server of address books that speaks CardDAV (RFC 6352): Radicale, Xandikos, Nextcloud, SOGo, Baikal, cPanel's, Horde's.

A plan's `url` may be the host alone, the server's DAV folder or a book: what the server tells of the account's books is asked for there,
then at /.well-known/carddav and at the root. It may be a domain alone, or be missing, which means the domain of each account's address:
then the domain's SRV and TXT records name the server (RFC 6764). Where a server tells nothing, `home` says where the books are.
A password goes to no other host than the plan says (`hosts`), whatever redirects, hrefs and DNS name.

Cards are written as vCard 3.0, those that came as 4.0 as 4.0 where the book names that version. What this cannot: logins other than
Basic and Digest, books of one account on several hosts, a second card in one resource, SOGo's own lists (VLIST).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import ClassVar, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, field_validator, model_validator

from migrator.addresses import ascii_domain, split
from migrator.contacts import dav, vcard
from migrator.contacts.carddav import finding
from migrator.contacts.carddav.line import (
    REDIRECTS,
    SERVER_ERROR,
    Line,
    Server,
    Trust,
    read_domain,
    read_host,
    unexpected,
)
from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.dav import CARD, DAV, Multistatus, NotMultistatus, Resource
from migrator.contacts.model import Book, Card, Changes, Entry, Features, Held, Property, Put
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointUnfit, Misbehaved, NoSpace, NotFound, Refused, Unavailable
from migrator.frozen import dataclass
from migrator.wire.dns import Resolver, read_nameserver
from migrator.wire.http import Reply, WebOptions, must_be_safe
from migrator.wire.parallel import each

PORTION = 100  # cards in one REPORT
MOST_PARTS = 10_000  # of a list of changes
LONGEST_QUOTE = 200  # characters of the server's own words in a sentence of ours
BEFORE_A_NUMBER = 40  # characters of a book's name in its address

MULTISTATUS = 207
FORBIDDEN, NOT_FOUND, NOT_ALLOWED = 403, 404, 405
CONFLICT, GONE, PRECONDITION, TOO_LARGE = 409, 410, 412, 413
NO_STORAGE = 507

ADDRESS_DATA = f"{CARD}address-data"
VERSIONS = f"{CARD}supported-address-data"
LARGEST = f"{CARD}max-resource-size"
ETAG = f"{DAV}getetag"
ONLY_UID = '<C:address-data><C:prop name="VERSION"/><C:prop name="UID"/><C:prop name="FN"/></C:address-data>'

# A name that every server takes as it is: no slash, which Radicale and Xandikos refuse even when escaped, and not too long for a disk.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_+=@-][A-Za-z0-9._+=@-]{0,119}")
_MAY_WRITE = (f"{DAV}all", f"{DAV}write", f"{DAV}write-content", f"{DAV}bind")


# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(WebOptions, Service):
    """How to reach a CardDAV server; each account logs in with its own password."""

    url: str = Field(
        "",
        min_length=1,
        description="Where it is, such as https://new.example.net/dav; or a domain alone, such as example.com, whose DNS names the server; "
        "without it, the domain of each account's address",
    )
    hosts: tuple[str, ...] = Field(
        (),
        description="Other hosts that the passwords may go to, over https, where the server, a redirect or DNS says that the books are "
        'there; "*.example.net" stands for every host directly below example.net',
    )
    nameserver: str | None = Field(
        None,
        description="Address of the nameserver to ask which server a domain has, with a port if it is not 53, such as that of a zone not yet "
        "in use; else this machine's, which also tell where that server is",
    )
    home: str | None = Field(
        None,
        description="Path of an account's address books where the server does not tell it, such as /addressbooks/{user}/; "
        "{user} is the login, {account} the address",
    )

    @field_validator("home")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith("/") or re.search(r"[{}]", re.sub(r"\{(user|account)\}", "", value)):
            raise ValueError("write a path that starts with / and holds no braces but {user} and {account}")
        return value if value.endswith("/") else f"{value}/"

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(read_host(ascii_domain(one)) for one in value)

    @field_validator("nameserver")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                read_nameserver(value)
            except ValueError:
                raise ValueError("write an IP address, with a port if it is not 53, such as 192.0.2.53") from None
        return value

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if "://" in self.url:
            must_be_safe(self.url)
        elif self.url:
            read_domain(ascii_domain(self.url))
        return self

    def domain_for(self, account: str) -> str:
        """The domain that is asked for its server; "" where the plan names the server."""
        if "://" in self.url:
            return ""
        domain = ascii_domain(self.url) or split(account)[1]
        if not domain:
            raise EndpointUnfit(
                f"{account}: there is no domain in it to ask for its server of address books.",
                remedy="Write the server's url.",
            )
        return domain

    @property
    def needs_password(self) -> bool:
        """Whether each account has to bring a password of its own."""
        return True


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(title="CardDAV", versions=("3.0",), needs_name=True, rewrites=True, keeps_groups=True)


# -- sessions ---------------------------------------------------------------------------------------------------------


class CardDavReader:
    """The address books of one account, being read. Refs and book ids are paths, in one spelling whatever the server's."""

    _writes: ClassVar[bool] = False

    def __init__(self, options: Options, login: Login) -> None:
        """Asks nothing yet: the login is proven by the first question. Raises LoginRefused where there is no password."""
        self.features = replace(FEATURES, connections=options.connections)
        self._options = options
        self._login = login
        self._domain = options.domain_for(login.account)
        self._trust = Trust(options.hosts, self._domain)
        self._line = Line(options, login, self._trust, writes=self._writes)
        url = urlsplit(options.url)
        self._start = dav.encoded(url.path or "/")
        if not self._domain:
            self._line.move(Server(f"{url.scheme}://{url.netloc}"))
        self._homes: finding.Homes | None = None
        self._limits_of: dict[str, _Limits] = {}

    def books(self) -> Sequence[Book]:
        """Every address book in the account's homes; the one book where the plan's url is a book itself. A book on another host than its
        home is only named, by its URL: whatever is done with it raises Refused.
        """
        found: dict[str, Book] = {}
        for home in self._found_homes():
            for resource in self._listed(
                home, "resourcetype", "displayname", "current-user-privilege-set", about=f"the folder {home}"
            ):
                if resource.is_book:
                    book = _book(resource)
                    if self._line.is_elsewhere(resource, home):
                        book = replace(book, id=f"{resource.origin}{book.id}", writable=False)
                    found.setdefault(book.id, book)
        return sorted(found.values(), key=lambda book: book.id)

    def index(self, book: str) -> Iterator[Entry]:
        """Every card of a book by its path, in the order of paths. Raises NotFound."""
        listed = self._listed(book, "getetag", "getcontentlength", "resourcetype", about=f"the address book {book}")
        yield from sorted(_entries(listed, book), key=lambda entry: entry.ref)

    def changes(self, book: str, since: str) -> Changes | None:
        """What has changed in a book since `since` was told (RFC 6578); everything for an empty one. None where the server cannot
        tell, or has forgotten what it told. Raises NotFound.
        """
        changed: dict[str, Entry] = {}
        gone: dict[str, None] = {}
        token = since
        for _ in range(MOST_PARTS):
            reply = self._ask("REPORT", book, dav.sync_collection(token), depth="0")
            if reply.status in {NOT_FOUND, GONE}:
                raise _no_book(self._login.account, book)
            # A token it has forgotten is 403 (RFC 6578, 3.2), Xandikos' 412; a report it does not know is 403, 405, 415 or 501.
            if reply.status != MULTISTATUS:
                return None
            told = self._multistatus(reply, book)
            for resource in told.resources:
                if resource.status == NOT_FOUND:
                    changed.pop(resource.path, None)
                    gone[resource.path] = None
            for entry in _entries(told.resources, book):
                gone.pop(entry.ref, None)
                changed[entry.ref] = entry
            # 3.6: a part of the answer is marked by 507 for the book itself, and goes on from the token that came with it.
            more = any(resource.status == NO_STORAGE for resource in told.resources)
            if not more:
                return Changes(told.token, tuple(changed.values()), tuple(gone)) if told.token else None
            if told.token in {"", token}:
                return None
            token = told.token
        return None

    def fetch(self, book: str, refs: Sequence[str]) -> Iterator[Held]:
        """These cards, in the order asked. One that the server cannot give comes empty, with its words."""
        own = dav.folder(book)  # a server that is asked for the book itself answers every card of it once more
        wanted = [ref for ref in refs if dav.folder(ref) != own]
        for start in range(0, len(wanted), PORTION):
            portion = wanted[start : start + PORTION]
            answered = self._cards(book, portion)
            for ref in portion:
                got = answered.get(ref)
                if got is not None:
                    yield _held(ref, got)

    def objection(self, book: str, card: Card) -> str:
        """What the server will have against a card: its size, where the book names the largest it takes (RFC 6352, 6.2.3), or that vobject,
        by which Radicale and Xandikos read cards, cannot read this one.
        """
        limits = self._limits(book) if book else _Limits()
        text = _text(vcard.with_uid(card), limits.versions)
        size = len(text.encode("utf-8"))
        if limits.largest is not None and size > limits.largest:
            return f"takes no card larger than {limits.largest:,} bytes, and this one has {size:,}"
        said = " ".join(vcard.objection(text).split())[:LONGEST_QUOTE]
        return (
            f"will refuse it if it is Radicale, Xandikos or another that reads cards by vobject ({said})"
            if said
            else ""
        )

    def close(self) -> None:
        """End the session; never raises."""
        self._line.close()

    # -- finding the books

    def detour(self) -> str:
        """That the path in the plan's url is not the way to the books; "" where it is."""
        self._found_homes()
        assert self._homes is not None
        by, home = self._homes.found_by, self._homes.paths[0]
        if self._domain or self._start == "/" or by in {"", self._start}:
            return ""
        return f"the path {self._start} of the url leads to no address books; {by} led to {home}, and what is there is taken"

    def _found_homes(self) -> Sequence[str]:
        if self._homes is None:
            stated = self._stated_home()
            if self._domain:
                resolver = Resolver(self._options.nameserver or "")
                pinned = self._options.tls_fingerprint is not None
                starts = finding.starts_of(self._domain, resolver, self._trust, pinned=pinned)
                self._homes = finding.homes_of_domain(self._line, starts, self._domain, stated)
            else:
                paths = dict.fromkeys([*([self._start] if self._start != "/" else []), finding.WELL_KNOWN, "/"])
                self._homes = finding.Homes(stated) if stated else finding.homes(self._line, tuple(paths))
        return self._homes.paths

    def _be_there(self) -> None:
        """Lead to the server of the books, where that may be another than the plan's url."""
        if self._domain or self._options.hosts:
            self._found_homes()

    def _has_to_be_here(self, path: str) -> None:
        if origin := dav.origin_of(path):
            raise Refused(
                f"{self._login.account}: the server says that the address book {dav.last_name(path)} is on another host "
                f"({urlsplit(origin).hostname}) than the others, and one session goes to one host.",
                remedy=f"Make an endpoint of its own for it, with url: {path}, and leave it out here (books: except).",
            )

    def _stated_home(self) -> Sequence[str]:
        if self._options.home is None:
            return ()
        path = self._options.home
        for word, value in (("{user}", self._login.user), ("{account}", self._login.account)):
            path = path.replace(word, quote(value, safe="@"))
        return (dav.encoded(path),)

    # -- cards

    def _cards(self, book: str, refs: Sequence[str]) -> dict[str, _Got]:
        """These cards, by ref. An answer that cannot be read is asked for in halves, at last card by card: a control character in one
        spoils the XML of all (Radicale and Xandikos send it as it is).
        """
        try:
            got = self._portion(book, refs)
        except Misbehaved:
            if len(refs) == 1:
                return self._single(book, refs[0])
            half = len(refs) // 2
            return {**self._cards(book, refs[:half]), **self._cards(book, refs[half:])}
        for ref in refs:
            if ref not in got:
                got.update(self._single(book, ref))
        return {key: one for key, one in got.items() if one.status not in {NOT_FOUND, GONE}}

    def _portion(self, book: str, refs: Sequence[str], what: str = "<C:address-data/>") -> dict[str, _Got]:
        reply = self._ask("REPORT", book, dav.multiget(refs, what), depth="1")
        if reply.status != MULTISTATUS:
            raise Misbehaved(f"{reply.place}: the server did not give the cards asked for (status {reply.status}).")
        got = {}
        for resource in self._multistatus(reply, book).resources:
            if ADDRESS_DATA in resource.found:
                text = resource.text(ADDRESS_DATA)
                got[resource.path] = _Got(resource.text(ETAG).strip(), text.encode("utf-8"))
            elif resource.status != dav.OK:
                got[resource.path] = _Got(status=resource.status)
        return got

    def _single(self, book: str, ref: str) -> dict[str, _Got]:
        """One card by itself; nothing where it is gone. Raises what concerns more than this card."""
        reply = self._ask("GET", ref)
        if reply.status in {NOT_FOUND, GONE}:
            return {}
        if reply.ok and not reply.headers.get("content-type", "").startswith("text/html"):
            return {ref: _Got(_tag(reply), reply.content)}
        if reply.status != FORBIDDEN and reply.status < SERVER_ERROR:
            raise unexpected(reply)
        self._book_is_well(book, reply)
        return {ref: _Got(status=reply.status)}

    def _book_is_well(self, book: str, reply: Reply) -> None:
        """Whether it is the card and not the book or the server that a failure is about; raises where it is not."""
        looked = self._ask("PROPFIND", book, dav.propfind("resourcetype"), depth="0")
        resources = self._found(looked, book)
        if resources is None:
            raise _no_book(self._login.account, book)
        if not resources:
            raise Unavailable(f"{reply.place}: the server fails at everything now (status {reply.status}).")

    def _limits(self, book: str) -> _Limits:
        """What a book says of the cards it takes."""
        if book not in self._limits_of:
            asked = dav.propfind("C:supported-address-data", "C:max-resource-size")
            reply = self._ask("PROPFIND", book, asked, depth="0")
            told = self._multistatus(reply, book).resources if reply.status == MULTISTATUS else []
            kinds = [kind for one in told if VERSIONS in one.found for kind in one.found[VERSIONS].iter()]
            sizes = [size for one in told if (size := one.text(LARGEST).strip()).isascii() and size.isdigit()]
            self._limits_of[book] = _Limits(
                frozenset(version for kind in kinds if (version := kind.get("version", ""))),
                int(sizes[0]) if sizes else None,
            )
        return self._limits_of[book]

    # -- asking

    def _listed(self, path: str, *names: str, about: str) -> Sequence[Resource]:
        """What a collection holds, and itself. Raises NotFound with `about`."""
        reply = self._ask("PROPFIND", path, dav.propfind(*names), depth="1")
        resources = self._found(reply, path)
        if resources is None:
            raise NotFound(
                f"{self._login.account}: {about} is not there.", remedy="Look whether it was deleted or renamed."
            )
        if reply.status == FORBIDDEN:
            raise Refused(
                f"{self._login.account}: the server does not let this account look into {about}.",
                remedy="Check its rights there.",
            )
        if not any(resource.found for resource in resources):
            raise unexpected(reply)
        if any(resource.status == NO_STORAGE for resource in resources):
            raise Misbehaved(
                f"{reply.place}: the server lists only a part of {about}.",
                remedy="Raise its limit of answers, then run again.",
            )
        return resources

    def _found(self, reply: Reply, asked: str) -> Sequence[Resource] | None:
        """What a PROPFIND found; None where it says that there is nothing, empty where it says something else."""
        if reply.status in {NOT_FOUND, GONE}:
            return None
        if reply.status != MULTISTATUS:
            return ()
        resources = self._multistatus(reply, asked).resources
        found = any(resource.found for resource in resources)
        # Xandikos answers 207 for what is not there, with a 404 inside.
        nothing = not found and any(resource.status in {NOT_FOUND, GONE} for resource in resources)
        return None if nothing else resources

    def _multistatus(self, reply: Reply, asked: str) -> Multistatus:
        try:
            return dav.multistatus(reply.content, asked)
        except NotMultistatus as error:
            raise Misbehaved(f"{reply.place}: the answer cannot be read: {error}.") from error

    def _ask(self, method: str, path: str, body: bytes | None = None, *, depth: str = "") -> Reply:
        self._be_there()
        self._has_to_be_here(path)
        return self._line.ask(method, path, body, depth=depth)


class CardDavWriter(CardDavReader):
    """The address books of one account, being filled. Every card is one request, many go over several connections at once."""

    _writes = True

    def __init__(self, options: Options, login: Login) -> None:
        """As the reader."""
        super().__init__(options, login)
        self._read: dict[str, dict[str, str]] = {}  # by book: the UID at each ref, as far as it was read
        self._there: dict[str, dict[str, str]] = {}  # by book: where each UID is

    def fetch(self, book: str, refs: Sequence[str]) -> Iterator[Held]:
        """As the reader; the UIDs need not be asked for again when a card is added."""
        for held in super().fetch(book, refs):
            self._read.setdefault(book, {})[held.entry.ref] = held.card.uid
            yield held

    def create_book(self, name: str) -> Book:
        """Make a book in the first home. Its address comes from the name; one that is taken gets a number."""
        home = self._found_homes()[0]
        for attempt in range(1, PORTION):
            path = f"{home}{_book_address(name)}{f'-{attempt}' if attempt > 1 else ''}/"
            reply = self._tell("MKCOL", path, dav.make_book(name), {"Content-Type": "application/xml; charset=utf-8"})
            if reply.ok:
                return self._made(path, name)
            if reply.status != NOT_ALLOWED:  # RFC 4918, 9.3.1: something is there already
                break
        raise Refused(
            f"{self._login.account}: the server did not make the address book {name} ({_words(reply)}).",
            remedy="Make it by hand, as its owner, then run again.",
        )

    def add(self, book: str, cards: Sequence[Card]) -> Sequence[Put]:
        """Put cards into a book, each under a name made from its UID."""
        if not cards:
            return []
        there = self._known_uids(book)
        versions = self._limits(book).versions
        # What one thread finds out while another puts is met by the server: If-None-Match lets one of two with one name in.
        at_once = 1 if self._line.takes_turns else self.features.connections_for(len(cards))
        return each(lambda card: self._add(book, vcard.with_uid(card), there, versions), cards, at_once)

    def update(self, book: str, entry: Entry, card: Card) -> Put:
        """Put a card in place of another. A tag that cannot be compared by the server (weak, or none) is compared here, before."""
        tag = entry.tag
        if not tag or tag.startswith("W/"):
            if self._current_tag(entry.ref) != tag:
                return _changed_since()
            tag = "*"
        card = vcard.with_uid(card)
        reply = self._put(entry.ref, card, self._limits(book).versions, {"If-Match": tag})
        if reply.status in {PRECONDITION, NOT_FOUND, GONE} and not dav.conditions(reply.content) & _NOT_VALID:
            return _changed_since()
        put = self._outcome(reply, book, entry.ref)
        if not put.refused and book in self._there:
            self._there[book][card.uid] = entry.ref
        return put

    # -- cards

    def _add(self, book: str, card: Card, there: dict[str, str], versions: frozenset[str]) -> Put:
        if card.uid in there:
            return _there_already()
        for name in _names(card.uid):
            ref = f"{dav.folder(book)}{name}"
            reply = self._put(ref, card, versions, {"If-None-Match": "*"})
            if reply.status == PRECONDITION and not dav.conditions(reply.content) & _NOT_VALID:
                # The name is taken: by this very card, which another session has put there, or by a stranger.
                if any(_held(ref, got).card.uid == card.uid for got in self._single(book, ref).values()):
                    break
                continue
            put = self._outcome(reply, book, ref)
            if not put.refused:
                there[card.uid] = ref
            return put
        return _there_already()

    def _put(self, ref: str, card: Card, versions: frozenset[str], condition: Mapping[str, str]) -> Reply:
        return self._tell(
            "PUT",
            ref,
            _text(card, versions).encode("utf-8"),
            {"Content-Type": "text/vcard; charset=utf-8", **condition},
        )

    def _outcome(self, reply: Reply, book: str, ref: str) -> Put:
        """What the answer to a PUT says of the card. Raises what concerns more than this card."""
        if reply.ok:
            return Put(ref, _tag(reply))
        named = dav.conditions(reply.content)
        if reply.status == NO_STORAGE or "quota-not-exceeded" in named:
            raise NoSpace(
                f"{self._login.account}: there is no room left for more cards.",
                remedy="Raise the quota, then run again.",
            )
        if reply.status >= SERVER_ERROR or (reply.status in {NOT_FOUND, GONE, CONFLICT} and not named):
            self._book_is_well(book, reply)
        for condition, put in _REFUSALS.items():
            if condition in named:
                return put
        if reply.status == TOO_LARGE:
            return _REFUSALS["max-resource-size"]
        if reply.status in REDIRECTS:
            raise unexpected(reply)
        return Put(
            refused=f"the server refused the card ({_words(reply)})",
            remedy="Look at the card at its source; correct it there or add it by hand.",
        )

    def _known_uids(self, book: str) -> dict[str, str]:
        """Where each UID of the book is, looked up once: some servers take a second card of a UID under another name (Xandikos). What
        others put there meanwhile under the name we would give is met when it is put.
        """
        if book not in self._there:
            known = dict(self._read.get(book, {}))
            refs = [entry.ref for entry in self.index(book)]
            unknown = [ref for ref in refs if ref not in known]
            for start in range(0, len(unknown), PORTION):
                portion = unknown[start : start + PORTION]
                known.update((ref, _held(ref, got).card.uid) for ref, got in self._only_uids(book, portion).items())
            self._there[book] = {known[ref]: ref for ref in refs if known.get(ref)}
        return self._there[book]

    def _only_uids(self, book: str, refs: Sequence[str]) -> dict[str, _Got]:
        try:
            got = self._portion(book, refs, ONLY_UID)
        except Misbehaved:
            got = {}
        if any(ref not in got for ref in refs):
            got = self._cards(book, refs)
        return {ref: got[ref] for ref in refs if ref in got}

    def _current_tag(self, ref: str) -> str | None:
        """The tag of a card as it is now; None where it is gone."""
        resources = self._found(self._ask("PROPFIND", ref, dav.propfind("getetag"), depth="0"), ref)
        return resources[0].text(ETAG).strip() if resources else None

    # -- books

    def _made(self, path: str, name: str) -> Book:
        (book,) = self._look_at_book(path)
        if book.name != name:
            self._tell("PROPPATCH", path, dav.rename(name), {"Content-Type": "application/xml; charset=utf-8"})
            (book,) = self._look_at_book(path)
        return book

    def _look_at_book(self, path: str) -> Sequence[Book]:
        asked = dav.propfind("resourcetype", "displayname", "current-user-privilege-set")
        reply = self._ask("PROPFIND", path, asked, depth="0")
        found = self._multistatus(reply, path).resources if reply.status == MULTISTATUS else []
        books = [_book(one) for one in found if one.is_book]
        if not books:
            raise Misbehaved(
                f"{reply.place}: the server said it had made an address book, and none is there.",
                remedy="Make it by hand, as its owner, then run again.",
            )
        return books[:1]

    # -- telling

    def _tell(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        self._be_there()
        self._has_to_be_here(path)
        return self._line.tell(method, path, body, headers)


# -- our nouns and the server's ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Limits:
    """The versions of vCard a book names, none where it does not say, and the size of the largest card it takes."""

    versions: frozenset[str] = frozenset()
    largest: int | None = None


@dataclass(frozen=True, slots=True)
class _Got:
    """A card as it was answered: its text, or the status that came instead."""

    tag: str = ""
    raw: bytes = b""
    status: int = dav.OK


def _held(ref: str, got: _Got) -> Held:
    if got.status != dav.OK:
        return Held(Entry(ref), Card(), (f"the server did not give this card (status {got.status})",))
    read, *more = list(vcard.read(BytesIO(got.raw))) or [vcard.parse(got.raw)]
    dropped = read.dropped
    if not read.card.properties and not dropped:
        dropped = ("the server gave nothing for this card",)
    if more:  # forbidden by RFC 6352, 5.1, and taken by Xandikos
        labels = ", ".join(one.card.shown for one in more)
        dropped = (*dropped, f"the server keeps {len(more) + 1} cards as one; not read: {labels[:LONGEST_QUOTE]}")
    return Held(Entry(ref, len(got.raw), got.tag), read.card, dropped, got.raw)


def _entries(resources: Sequence[Resource], book: str) -> Iterator[Entry]:
    """The cards among what a book lists: neither itself nor folders in it."""
    own = dav.folder(book)
    for resource in resources:
        if not resource.found or resource.is_collection or dav.folder(resource.path) == own:
            continue
        size = resource.text(f"{DAV}getcontentlength").strip()
        yield Entry(resource.path, int(size) if size.isascii() and size.isdigit() else 0, resource.text(ETAG).strip())


def _book(resource: Resource) -> Book:
    told = f"{DAV}current-user-privilege-set"
    writable = told not in resource.found or any(resource.has(told, right) for right in _MAY_WRITE)
    name = resource.text(f"{DAV}displayname").strip() or dav.last_name(resource.path)
    return Book(dav.folder(resource.path), name, writable=writable)


def _tag(reply: Reply) -> str:
    return reply.headers.get("etag", "").strip()


def _text(card: Card, versions: frozenset[str]) -> str:
    """A card as it is sent to a book that names these versions."""
    newer = "4.0" in versions and (card.version == "4.0" or "3.0" not in versions)
    return vcard.write(_one_nickname_a_line(card), "4.0" if newer else "3.0")


def _one_nickname_a_line(card: Card) -> Card:
    """The same card, of whose nicknames Radicale's vobject does not cut off all but the first."""
    lines: list[Property] = []
    for line in card.properties:
        if line.name == "NICKNAME" and len(line.parts) == 1:
            lines += [replace(line, parts=((word,),)) for word in line.parts[0]]
        else:
            lines.append(line)
    return replace(card, properties=tuple(lines))


def _names(uid: str) -> Iterator[str]:
    """The names a card of this UID may get, best first; always the same ones."""
    if _PLAIN_NAME.fullmatch(uid):
        yield f"{dav.encoded(uid)}.vcf"
    yield f"{hashlib.sha256(uid.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}.vcf"


def _book_address(name: str) -> str:
    """A folder name that people recognise, in letters every server takes."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:BEFORE_A_NUMBER].rstrip("-") or "contacts"


# -- what the server says when it will not -------------------------------------------------------------------------------

_REFUSALS = {
    "no-uid-conflict": Put(
        refused="the book holds a card of this UID under another name",
        remedy="Look at both; delete the one that is not wanted, or keep what is there.",
    ),
    "valid-address-data": Put(
        refused="the server says that this is no valid card",
        remedy="Look at the card at its source; often it has no name. Correct it there or add it by hand.",
    ),
    "supported-address-data": Put(
        refused="the book takes no cards of this version", remedy="Add the card by hand, or choose another book."
    ),
    "max-resource-size": Put(
        refused="the card is larger than the server takes",
        remedy="Make its photo smaller, or leave the photo out.",
    ),
    "need-privileges": Put(
        refused="this account may not write to the book", remedy="Give it the right, or choose another book."
    ),
}

# What 412 is about where it is not about If-Match or If-None-Match: Xandikos answers so to a card without a name.
_NOT_VALID = frozenset({"valid-address-data", "supported-address-data", "no-uid-conflict", "max-resource-size"})


def _there_already() -> Put:
    return Put(
        refused="the book holds a card of this UID already", remedy="Compare both; what is there was not touched."
    )


def _changed_since() -> Put:
    return Put(refused="the card has changed since it was read, or is gone", remedy="Run again; it is compared anew.")


def _no_book(account: str, book: str) -> NotFound:
    return NotFound(
        f"{account}: the address book {book} is not there.", remedy="Look whether it was deleted or renamed."
    )


def _words(reply: Reply) -> str:
    """The server's own words, short, with the status."""
    named = sorted(dav.conditions(reply.content))
    said = dav.described(reply.content) or ", ".join(named)
    kind = reply.headers.get("content-type", "")
    if not said and kind.startswith("text/plain"):
        said = reply.text
    said = " ".join(said.split())[:LONGEST_QUOTE].rstrip(".")
    return f"status {reply.status}: {said}" if said else f"status {reply.status}"


ADAPTER: Adapter[BookReader, BookWriter] = Adapter(
    word="carddav",
    title="A CardDAV server",
    options=Options,
    reader=CardDavReader,
    writer=CardDavWriter,
    connections=lambda options: (options.connections, options.connections),
)
