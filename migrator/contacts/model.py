"""A card as data: every line of a vCard, whatever its version, in a form in which escaping, folding, charsets and encodings are gone.

Nothing a card says is dropped here: properties nobody knows are kept as they are. What two cards mean the same is asked of
meaning.py, how a card is spelt is the business of vcard.py and of the adapters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256

from migrator.frozen import dataclass

Parts = tuple[tuple[str, ...], ...]

# Properties whose value has components (RFC 6350, 6.2.2, 6.3.1, 6.6.4), and those that are lists; all others are one text.
COMPONENTS = {"N": 5, "ADR": 7, "ORG": 0, "GENDER": 2, "CLIENTPIDMAP": 2}  # 0: any number
LISTS = frozenset({"CATEGORIES", "NICKNAME"})
WORTH_A_CONNECTION = 25  # cards
LONGEST_SHOWN = 60  # characters of what a card is called in messages
LARGE = 1024  # bytes of embedded data that are worth being set aside
UNPREFERRED = 101  # PREF is 1 to 100
BINARY = frozenset({"PHOTO", "LOGO", "SOUND", "KEY"})
MEMBERS = frozenset({"MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"})  # properties that name a group's members


_NAMELESS = "(without a name)"  # of which UIDs are made: it stays as it is


@dataclass(frozen=True, slots=True)
class Aside:
    """Embedded data that was left where it is: its SHA-256 in hexadecimal, and how many bytes it has."""

    sha256: str
    octets: int


@dataclass(frozen=True, slots=True)
class Property:
    """One line of a card.

    `name` is in capitals. `parts` are the components of its value, each a list: `N:Doe;Ann;;;` is (("Doe",), ("Ann",), ("",), ("",),
    ("",)), `CATEGORIES:a,b` is (("a", "b"),), a plain text is ((text,),). `types` are the TYPE words in lower case without "pref";
    `preferred` is PREF (1 is most; also for 2.1's and 3.0's word), None without one. `params` are all other parameters, names in
    capitals. `data` is the value of an embedded photo, logo, sound or key, whose `parts` are then empty and whose media type
    ("image/jpeg", "" if unknown) is `media`; `aside` stands for it in a card that is only looked at. `group` ties lines together ("item1").
    """

    name: str
    parts: Parts = ()
    types: frozenset[str] = frozenset()
    preferred: int | None = None
    params: tuple[tuple[str, tuple[str, ...]], ...] = ()
    group: str = ""
    data: bytes | None = None
    media: str = ""
    aside: Aside | None = None

    @property
    def text(self) -> str:
        """The value as one text: components by `;`, lists by `,`, nothing escaped."""
        return ";".join(",".join(part) for part in self.parts)

    def component(self, place: int) -> str:
        """One component, its list joined by commas; "" where there is none."""
        return ",".join(self.parts[place]) if place < len(self.parts) else ""

    @property
    def is_filled(self) -> bool:
        """Whether there is anything in its value."""
        return bool(self.data or self.aside) or any(word.strip() for part in self.parts for word in part)

    @property
    def embedded(self) -> Aside | None:
        """What tells its embedded data from other; None where its value is a text."""
        return self.aside if self.data is None else Aside(sha256(self.data).hexdigest(), len(self.data))

    def param(self, name: str) -> str:
        """The first value of a parameter; "" without it."""
        return next((values[0] for known, values in self.params if known == name and values), "")


def member_of(one: Property) -> str:
    """The UID of the member that a property of a group names."""
    return one.text.strip().removeprefix("urn:uuid:")


def text_property(name: str, text: str, *types: str) -> Property:
    """A property that is one text."""
    return Property(name.upper(), ((text,),), frozenset(types))


@dataclass(frozen=True, slots=True)
class Card:
    """A person, an organisation, or a group of contacts. `version` is the one it was written in, "" if it was no vCard."""

    properties: tuple[Property, ...] = ()
    version: str = ""

    def all(self, name: str) -> Iterator[Property]:
        """Every property of a name, in order."""
        return (one for one in self.properties if one.name == name)

    def first(self, name: str) -> Property | None:
        """The preferred property of a name, else the first; one in which there is nothing only where all are such; None without one."""
        return min(self.all(name), key=lambda one: (not one.is_filled, one.preferred or UNPREFERRED), default=None)

    def text(self, name: str) -> str:
        """The text of the first property of a name; "" without one."""
        found = self.first(name)
        return found.text if found else ""

    @property
    def uid(self) -> str:
        """Its UID without `urn:uuid:`; "" without one."""
        return self.text("UID").strip().removeprefix("urn:uuid:")

    @property
    def is_group(self) -> bool:
        """Whether it is a group of contacts (KIND:group, Apple's X-ADDRESSBOOKSERVER-KIND)."""
        return "group" in (self.text("KIND").lower(), self.text("X-ADDRESSBOOKSERVER-KIND").lower())

    @property
    def members(self) -> tuple[str, ...]:
        """The UIDs of a group's members."""
        return tuple(map(member_of, (one for one in self.properties if one.name in MEMBERS)))

    def with_property(self, *more: Property) -> Card:
        """The card with these properties at its end."""
        return replace(self, properties=(*self.properties, *more))

    def without(self, *names: str) -> Card:
        """The card without all properties of these names."""
        return replace(self, properties=tuple(one for one in self.properties if one.name not in names))

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it was set aside. Only such a card is written anywhere."""
        return all(one.aside is None for one in self.properties)

    def with_data_aside(self) -> Card:
        """The card without the bytes of its photos: it means the same, and many of them fit into memory."""
        large = any(len(one.data or b"") > LARGE for one in self.properties)
        return replace(self, properties=tuple(map(_set_aside, self.properties))) if large else self

    def restored(self, data: Mapping[str, bytes]) -> Card:
        """The card with what was set aside back in its place, as far as it is among these data by their SHA-256."""
        return replace(
            self,
            properties=tuple(
                replace(one, data=data[one.aside.sha256], aside=None) if one.aside and one.aside.sha256 in data else one
                for one in self.properties
            ),
        )

    @property
    def label(self) -> str:
        """What people call it: the formatted name, else what stands for one."""
        name = self.first("N")
        composed = " ".join(filter(None, (name.component(1), name.component(0)))) if name else ""
        return next(
            filter(
                None,
                (
                    self.text("FN").strip(),
                    composed.strip(),
                    self.text("ORG"),
                    self.text("EMAIL"),
                    self.text("TEL"),
                    self.uid,
                ),
            ),
            _NAMELESS,
        )

    @property
    def is_nameless(self) -> bool:
        """Whether nothing in it stands for a name, so that nothing but its UID tells what to call it."""
        label = self.label
        return label == _NAMELESS or (label == self.uid and self.without("UID").label == _NAMELESS)

    @property
    def shown(self) -> str:
        """The label as messages name the card: a very long one is cut."""
        label = self.label
        if label == _NAMELESS:
            return "a card without a name"
        return label if len(label) <= LONGEST_SHOWN else f"{label[: LONGEST_SHOWN - 1]}…"


def _set_aside(one: Property) -> Property:
    return replace(one, data=None, aside=one.embedded) if len(one.data or b"") > LARGE else one


@dataclass(frozen=True, slots=True)
class Book:
    """An address book. `id` is the product's own name for it, `cards` how many it holds, None where that is not told."""

    id: str
    name: str
    cards: int | None = None
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """A card as a listing shows it: `ref` names it at the product (a path, a row, a place in a file), `tag` changes with it. `implied` says
    that it is a group of which its members' CATEGORIES tell all, so that who reads the book needs no card of it.
    """

    ref: str
    size: int = 0
    tag: str = ""
    implied: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A card as a book holds it. `dropped` tells in words what could not be read of it, `raw` is its text where there is one."""

    entry: Entry
    card: Card
    dropped: tuple[str, ...] = ()
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Put:
    """What became of a card that was put into a book: where it is, or why not (the product's words)."""

    ref: str = ""
    tag: str = ""
    refused: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed in a book since it was last asked, and the `token` to ask with next time."""

    token: str
    changed: tuple[Entry, ...] = ()
    gone: tuple[str, ...] = ()  # refs


@dataclass(frozen=True, slots=True)
class Features:
    """What a product does with cards. `versions` are those it takes, best first; `needs_name` that it refuses or drops a card without FN;
    `rewrites` that it stores cards in its own words, so that they are compared by meaning alone; `largest_photo` in bytes, None without a
    limit; `keeps_groups` that group cards come back; `connections` is how many a session may use at once while it adds cards. `makes_books`
    is False for a fixed set of books, and `only_book` the name of the one there is, or will be, where there can be no other.
    """

    title: str
    versions: tuple[str, ...] = ("3.0",)
    needs_name: bool = True
    rewrites: bool = True
    keeps_groups: bool = True
    largest_photo: int | None = None
    lost: frozenset[str] = frozenset()  # properties it has no place for where they are embedded
    connections: int = 1
    makes_books: bool = True
    only_book: str = ""

    def connections_for(self, cards: int) -> int:
        """How many connections an `add` of so many cards uses: no more than are worth their opening."""
        return max(1, min(self.connections, cards // WORTH_A_CONNECTION))
