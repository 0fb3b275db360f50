"""Address books in memory, for tests of the step and for the crash floor: they keep every card, can refuse, break, mangle and be poor.

    books = MemoryBooks("new", importer=True, keeps=dropping(lambda card: not card.text("FN")))
    books.fill("ann@example.com", "Contacts", card, another)

Many sessions of many threads may use one. A write is what one request to a product would be: a card, or with `importer` all cards of
an `add`. `before_write` and `after_write` are called around every write: raise there to die at that point.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field, replace

from pydantic import SecretStr

from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.model import Book, Card, Changes, Entry, Features, Held, Put, text_property
from migrator.engine.contract import Account, Adapter, Login, Service, Side
from migrator.errors import Dropped, LoginRefused, NotFound, Refused
from migrator.frozen import dataclass
from migrator.testing.memory_strongbox import MemoryStrongbox

ABLE = Features(title="Memory books", versions=("4.0", "3.0"), needs_name=False, rewrites=False)


class Options(Service):
    """There is nothing to say."""


# -- habits of importers ----------------------------------------------------------------------------------------------

Keeps = Callable[
    [Card, Sequence[Card]], Card | None
]  # a card and those already there: as it is kept, None if it is dropped


def everything(card: Card, there: Sequence[Card]) -> Card | None:
    """Keeps every card as it is."""
    del there
    return card


def dropping(unwanted: Callable[[Card], bool]) -> Keeps:
    """Drops some cards without a word."""
    return lambda card, _: None if unwanted(card) else card


def losing(*names: str) -> Keeps:
    """Loses all properties of these names without a word."""
    return lambda card, _: card.without(*names)


def rewriting(change: Callable[[Card], Card]) -> Keeps:
    """Keeps something else than it was given."""
    return lambda card, _: change(card)


def skipping_likeness(card: Card, there: Sequence[Card]) -> Card | None:
    """Skips a card that has an e-mail address or the formatted name of one that is there, as Roundcube 1.6 does."""
    emails = {one.text.lower() for one in card.all("EMAIL")}
    for other in there:
        if emails & {one.text.lower() for one in other.all("EMAIL")} or card.text("FN") == other.text("FN"):
            return None
    return card


def giving_uids(prefix: str) -> Keeps:
    """Forgets the card's UID and gives one of its own."""
    return lambda card, there: card.without("UID").with_property(text_property("UID", f"{prefix}{len(there) + 1}"))


# -- the product ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shelved:
    """A card on a shelf. `dropped` is what a reader would say of a card that came broken."""

    card: Card
    tag: str
    dropped: tuple[str, ...] = ()


@dataclass(slots=True)
class Shelf:
    """One address book."""

    book: Book
    cards: dict[str, Shelved] = field(default_factory=dict)


@dataclass(slots=True)
class MemoryBooks:
    """The product; sessions share it. What is public is for tests.

    `refuses` answers the words of a refusal, "" for none; `implied` whether it is a group of which other cards tell all. `vanishing` are
    refs that are listed and gone when they are fetched. `drops` breaks the connection at the nth write, "before" or "after" it was made. `read_drops` does so at the nth fetch. With `told` it
    tells what has changed. `detour` is what it says of words of the plan that lead nowhere.
    """

    name: str
    features: Features = ABLE
    importer: bool = False
    tells_refs: bool = True  # an importer does not
    categories_later: bool = False  # a second write puts what is added into its CATEGORIES, as Roundcube's groups want
    fixed_books: bool = False
    keeps: Keeps = everything
    refuses: Callable[[Card], str] = lambda _: ""
    implied: Callable[[Card], bool] = lambda _: False
    wants_password: bool = False
    refused_accounts: set[str] = field(default_factory=set)
    vanishing: set[str] = field(default_factory=set)
    drops: dict[int, str] = field(default_factory=dict)
    read_drops: set[int] = field(default_factory=set)
    told: dict[str, dict[str, str]] | None = (
        None  # tags by token, where it tells changes; without a token it has forgotten
    )
    detour: str = ""
    connections: tuple[int, int] = (2, 2)
    before_write: Callable[[str], None] = lambda _: None
    after_write: Callable[[str], None] = lambda _: None
    shelves: dict[str, dict[str, Shelf]] = field(default_factory=dict)  # by account and book
    calls: Counter[str] = field(default_factory=Counter)
    writes: list[str] = field(default_factory=list)
    logins: Counter[str] = field(default_factory=Counter)
    open_sessions: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    changes: int = 0

    def fill(self, account: str, book: str, *cards: Card, dropped: tuple[str, ...] = (), writable: bool = True) -> None:
        """Have cards there, as if they had always been; the book comes by itself."""
        shelf = self._books_of(account).setdefault(book, Shelf(Book(book, book, writable=writable)))
        for card in cards:
            self._shelve(shelf, card, dropped)

    def cards(self, account: str, book: str) -> list[Card]:
        """What a book holds now, in order of arrival."""
        return [shelved.card for shelved in self._books_of(account)[book].cards.values()]

    def reader(self, options: Options, login: Login) -> BookReader:
        """A session that cannot write."""
        del options
        return _Reader(self, login)

    def writer(self, options: Options, login: Login) -> BookWriter:
        """A session that can write."""
        del options
        return _Writer(self, login)

    @property
    def adapter(self) -> Adapter[BookReader, BookWriter]:
        """The product as an adapter."""
        return Adapter("memory", self.features.title, Options, self.reader, self.writer, lambda _: self.connections)

    def change(self, what: str, effect: Callable[[], None]) -> None:
        """Make a change, with whatever was planned to go wrong."""
        self.before_write(what)
        with self.lock:
            drop = self.drops.pop(len(self.writes) + 1, "")
            if drop == "before":
                self.writes.append(f"lost {what}")
                raise Dropped(f"{self.name} broke the connection.")
            effect()
            self.writes.append(what)
        self.after_write(what)
        if drop:
            raise Dropped(f"{self.name} broke the connection after the change.")

    def put(self, shelf: Shelf, card: Card) -> str:
        """Put a card on a shelf as the product keeps it; its ref, "" if it was dropped in silence."""
        kept = self.keeps(card, [shelved.card for shelved in shelf.cards.values()])
        return self._shelve(shelf, kept, ()) if kept is not None else ""

    def tagged(self) -> str:
        """A tag that no card has had yet."""
        self.changes += 1
        return f"tag-{self.changes}"

    def _shelve(self, shelf: Shelf, card: Card, dropped: tuple[str, ...]) -> str:
        with self.lock:
            tag = self.tagged()
            ref = f"card-{self.changes}"
            shelf.cards[ref] = Shelved(card, tag, dropped)
            return ref

    def _books_of(self, account: str) -> dict[str, Shelf]:
        with self.lock:
            return self.shelves.setdefault(account, {})


class _Reader:
    """Fulfils BookReader and TellsDetour."""

    def __init__(self, product: MemoryBooks, login: Login) -> None:
        with product.lock:
            product.logins[login.account] += 1
        if login.account in product.refused_accounts or (product.wants_password and login.password is None):
            raise LoginRefused(
                f"{login.account}: {product.name} refused the password.", remedy="Correct it in the plan's accounts."
            )
        self._product = product
        self._account = login.account
        self._open = True
        self.features = replace(product.features, makes_books=not product.fixed_books)
        with product.lock:
            product.open_sessions += 1

    def detour(self) -> str:
        return self._product.detour

    def books(self) -> Sequence[Book]:
        self._asked("books")
        with self._product.lock:
            shelves = self._product.shelves.get(self._account, {})
            return [replace(shelf.book, cards=len(shelf.cards)) for shelf in shelves.values()]

    def index(self, book: str) -> Iterator[Entry]:
        self._asked("index")
        with self._product.lock:
            listed = list(self._shelf(book).cards.items())
        implied = self._product.implied
        return (Entry(ref, _size(one.card), one.tag, implied(one.card)) for ref, one in listed)

    def fetch(self, book: str, refs: Sequence[str]) -> Iterator[Held]:
        self._asked("fetch")
        if self._product.calls["fetch"] in self._product.read_drops:
            raise Dropped(f"{self._product.name} broke the connection.")
        with self._product.lock:
            cards = self._shelf(book).cards
            found = [(ref, cards[ref]) for ref in refs if ref in cards and ref not in self._product.vanishing]
        return (Held(Entry(ref, _size(one.card), one.tag), one.card, one.dropped) for ref, one in found)

    def changes(self, book: str, since: str) -> Changes | None:
        self._asked("changes")
        with self._product.lock:
            now = {ref: shelved.tag for ref, shelved in self._shelf(book).cards.items()}
            told = self._product.told
            if told is None or (since and since not in told):
                return None
            before = told.get(since, {})
            token = f"token-{len(told) + 1}"
            told[token] = now
            changed = tuple(Entry(ref, tag=tag) for ref, tag in now.items() if before.get(ref) != tag)
            return Changes(token, changed, tuple(before.keys() - now.keys()))

    def objection(self, book: str, card: Card) -> str:
        """Fulfils Objects."""
        self._asked("objection")
        assert card.is_whole, "a card was asked about without its photo"
        del book
        words = self._product.refuses(card)
        return f"says: {words}" if words else ""

    def close(self) -> None:
        with self._product.lock:
            self._product.open_sessions -= self._open
            self._open = False

    def _asked(self, call: str) -> None:
        with self._product.lock:
            self._product.calls[call] += 1

    def _shelf(self, book: str) -> Shelf:
        shelf = self._product.shelves.get(self._account, {}).get(book)
        if shelf is None:
            raise NotFound(f"{self._account}: {self._product.name} has no address book {book}.")
        return shelf


class _Writer(_Reader):
    """Fulfils BookWriter."""

    def create_book(self, name: str) -> Book:
        if self._product.fixed_books:
            raise Refused(f"{self._product.name} has a fixed set of address books.", remedy="Choose one of them.")
        if name in self._product.shelves.get(self._account, {}):
            raise Refused(f"{self._product.name} has an address book {name} already.")
        self._product.change(f"book {name}", lambda: self._product.fill(self._account, name))
        return Book(name, name, 0)

    def add(self, book: str, cards: Sequence[Card]) -> Sequence[Put]:
        assert all(card.uid for card in cards), "a card without a UID was put"
        assert all(card.is_whole for card in cards), "a card was put without its photo"
        self._asked("add")
        with self._product.lock:
            self._writable(book)
        if not self._product.importer:
            puts = [self._add(book, card) for card in cards]
            self._categorise(book, cards)
            return puts
        answers: list[Put] = []

        def effect() -> None:
            answers.extend(self._put(book, card) for card in cards)

        self._product.change(f"import {len(cards)}", effect)
        self._categorise(book, cards)
        return answers

    def update(self, book: str, entry: Entry, card: Card) -> Put:
        self._asked("update")
        assert card.is_whole, "a card was put without its photo"
        with self._product.lock:
            shelf = self._writable(book)
            there = shelf.cards.get(entry.ref)
            if there is None or there.tag != entry.tag:
                return Put(refused="it has changed meanwhile", remedy="Run again.")
            words = self._product.refuses(card)
            if words:
                return Put(refused=words)
            tag = self._product.tagged()

            def effect() -> None:
                kept = self._product.keeps(card, [one.card for ref, one in shelf.cards.items() if ref != entry.ref])
                shelf.cards[entry.ref] = Shelved(kept if kept is not None else there.card, tag)

        self._product.change(f"update {card.uid}", effect)
        return Put(entry.ref, tag)

    def _add(self, book: str, card: Card) -> Put:
        answers: list[Put] = []
        words = self._why_refused(book, card)
        if words:
            return Put(refused=words)
        self._product.change(f"add {card.uid}", lambda: answers.append(self._put(book, card)))
        return answers[0]

    def _put(self, book: str, card: Card) -> Put:
        words = self._why_refused(book, card)
        if words:
            return Put(refused=words)
        shelf = self._shelf(book)
        ref = self._product.put(shelf, card.without("CATEGORIES") if self._product.categories_later else card)
        if not self._product.tells_refs or not ref:
            return Put()
        return Put(ref, shelf.cards[ref].tag)

    def _categorise(self, book: str, cards: Sequence[Card]) -> None:
        if not self._product.categories_later:
            return
        wanted = {card.uid: card.all("CATEGORIES") for card in cards if card.all("CATEGORIES")}
        shelf = self._shelf(book)

        def effect() -> None:
            for ref, one in shelf.cards.items():
                bare = one.card.without("CATEGORIES")
                if words := wanted.get(one.card.uid):
                    shelf.cards[ref] = replace(one, card=replace(bare, properties=(*bare.properties, *words)))

        if wanted:
            self._product.change(f"categorise {len(wanted)}", effect)

    def _why_refused(self, book: str, card: Card) -> str:
        if any(shelved.card.uid == card.uid for shelved in self._shelf(book).cards.values()):
            return "a card of this UID is there already"
        if self.features.needs_name and not card.text("FN").strip():
            return "a card needs a name"
        return self._product.refuses(card)

    def _writable(self, book: str) -> Shelf:
        shelf = self._shelf(book)
        if not shelf.book.writable:
            raise Refused(f"{self._product.name}: the address book {book} cannot be written.")
        return shelf


def _size(card: Card) -> int:
    return sum(len(one.name) + len(one.text) + len(one.data or b"") + 3 for one in card.properties)


# -- a route between two ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class BooksRoute:
    """Opener between two products in memory. `logins` are by side and account, `made` takes the passwords that are made."""

    old: MemoryBooks
    new: MemoryBooks
    logins: dict[tuple[Side, str], Login] = field(default_factory=dict)
    made: dict[str, SecretStr] = field(default_factory=dict)
    strongbox: MemoryStrongbox = field(default_factory=MemoryStrongbox)

    def endpoint(self, side: Side) -> str:
        return "old" if side is Side.SOURCE else "new"

    def connections(self, side: Side) -> tuple[int, int]:
        return self._at(side).connections

    def for_reading(self, side: Side, service: str, account: str) -> BookReader:
        assert service == "contacts"
        return self._at(side).reader(Options(), self.login(side, account))

    def for_writing(self, side: Side, service: str, account: str) -> BookWriter:
        assert service == "contacts"
        return self._at(side).writer(Options(), self.login(side, account))

    def login(self, side: Side, account: str) -> Login:
        return self.logins.get((side, account), Login(account, account, SecretStr("secret")))

    def keep_password(self, account: str, password: SecretStr) -> None:
        self.made[account] = password

    def _at(self, side: Side) -> MemoryBooks:
        return self.old if side is Side.SOURCE else self.new


def accounts_of(*addresses: str | tuple[str, str]) -> list[Account]:
    """Accounts of a plan: addresses, or pairs of them where the target's is another."""
    pairs = [one if isinstance(one, tuple) else (one, one) for one in addresses]
    return [Account(Login(source, source), Login(target, target)) for source, target in pairs]
