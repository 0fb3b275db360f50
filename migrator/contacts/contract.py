"""What a product must be able to do to be a source or a target of contacts.

Reading and writing are two protocols; a session that reads cannot write. Groups travel as cards of their own (Card.is_group, members by
UID), whatever the product calls them; an adapter turns its groups into such cards and back. Errors are ours only: LoginRefused,
EndpointRefused, Refused, NotFound, Unavailable, Dropped, Misbehaved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from migrator.contacts.model import Book, Card, Changes, Entry, Features, Held, Put
from migrator.engine.contract import Contract


class BookReader(Protocol):
    """The address books of one account, being read. Nothing this session does changes anything there."""

    @property
    def features(self) -> Features:
        """What the product does with cards."""

    def books(self) -> Sequence[Book]:
        """Every address book of the account."""

    def index(self, book: str) -> Iterator[Entry]:
        """Every card of a book (groups too) by its ref, streamed, in a stable order. Raises NotFound."""

    def fetch(self, book: str, refs: Sequence[str]) -> Iterator[Held]:
        """These cards, whole; one that is gone is not answered. A card that cannot be read at all comes with what could be read
        and `dropped` saying so: one bad card never hides another.
        """

    def close(self) -> None:
        """End the session; never raises."""


class BookWriter(BookReader, Protocol):
    """The address books of one account, being filled."""

    def create_book(self, name: str) -> Book:
        """Make a book. Raises Refused where the product has a fixed set of them, which `features.makes_books` tells before."""

    def add(self, book: str, cards: Sequence[Card]) -> Sequence[Put]:
        """Put cards into a book, each under its UID (every card has one); an answer for each, in order. A card of that UID is never
        overwritten: it is answered as refused. What the product drops in silence is found by the step, which reads the book again. No more
        than `features.connections_for` connections are used, which the step has asked the engine for.
        """

    def update(self, book: str, entry: Entry, card: Card) -> Put:
        """Put a card in place of the one that `entry` names, unless it has changed since (`entry.tag`); then refused."""


@runtime_checkable
class TellsChanges(Protocol):
    """A product that remembers what has changed in a book, so that a later pass costs what changed."""

    def changes(self, book: str, since: str) -> Changes | None:
        """What has changed since `since` (a token it gave; "" for everything there is). None where it cannot tell, or no longer:
        then the book is listed. Raises NotFound.
        """


@runtime_checkable
class TellsOddities(Protocol):
    """A product that people have put together themselves: something may lie in the wrong place, or be no card."""

    def look_for_account(self) -> None:
        """Raises NotFound, with what to do, where there is no place for the account's books at all; to be asked where none was found."""

    def strays(self, book: str) -> int:
        """How many lines of a book belong to no card. Raises NotFound."""


@runtime_checkable
class TellsRoom(Protocol):
    """A product of which can be seen beforehand whether anything can be written there."""

    def look_for_room(self) -> None:
        """Raises what whoever fills the account's books would meet before the first card, with what to do. By reading only."""


@runtime_checkable
class TellsDetour(Protocol):
    """A product that finds its books by what the server says, where the plan's words lead nowhere."""

    def detour(self) -> str:
        """Which of the plan's words led nowhere, and what was taken instead; "" where none did."""


@runtime_checkable
class Objects(Protocol):
    """A product of which is known, before a card is sent, what it will have against it."""

    def objection(self, book: str, card: Card) -> str:
        """Why a card will be refused in a book ("" for one that is not made yet), in words that follow "the target"; "" where nothing is
        known against it. By reading only; the card has a UID.
        """


@runtime_checkable
class Rehearses(Protocol):
    """A product of which can be tried what it makes of cards."""

    def rehearsal(self, name: str) -> AbstractContextManager[tuple[BookWriter, str]]:
        """An empty book as this product would make it under this name, and its id; it is nobody's, and gone in the end. Nothing of the
        account is changed.
        """


CONTACTS: Contract[BookReader, BookWriter] = Contract("contacts", connects=False)
