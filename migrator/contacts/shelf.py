"""Address books that are files: one for each book in a folder for each account, or one single file. What stands in them is a layout's.

    <path>/ann@example.com/Friends.vcf      the book Friends of this account
    <path>/ann@example.com/Friends/*.vcf    the same with a file for each card, where a layout has that; it is only read
    <path>/ann@example.com.vcf              the only book of this account, where somebody put it there
    <path>                                  one file: one book

What surprises: a card's ref is a hash of its UID (of its bytes where it has none) and so outlives changes to others; its place is
looked up in an index of 32 bytes a card, built by one pass over the file. No more than one card, and what is put at once, is in memory.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Protocol, runtime_checkable

from migrator.contacts import files
from migrator.contacts.contract import BookWriter
from migrator.contacts.lines import strays_in_words
from migrator.contacts.model import Book, Card, Entry, Features, Held, Put
from migrator.engine.contract import Contents, Login, Mistake, Side
from migrator.errors import EndpointUnfit, MigratorError, Misbehaved, NotFound, Refused
from migrator.frozen import dataclass
from migrator.wire import disk

FLAT = "./"  # before the id of a book that lies beside the accounts' folders
FLAT_NAME = "Contacts"
GROUP = "group-"
OPEN_IT = "Give the user who runs this the right to write there, or name another path in the plan."

_REF = re.compile(r"([0-9a-f]{16})(?:-([1-9]\d{0,6}))?")


# -- layouts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a card stands in a file, and its UID ("" without one). `tag` changes with its content. `strays` are the lines before it that
    belong to no card; a place of no size only tells of those at the end.
    """

    offset: int
    size: int
    uid: str
    tag: int
    strays: int = 0

    @property
    def key(self) -> int:
        """The number that its ref is."""
        return key_of(self.uid) if self.uid else tag_of(b"tag:" + self.tag.to_bytes(8, "big"))


class Opened(Protocol):
    """A file that is being read."""

    def places(self, start: int = 0) -> Iterator[Place]:
        """Every card from a place on (0, or one where a card begins), in the order of the file."""

    def card(self, raw: bytes) -> tuple[Card, tuple[str, ...]]:
        """The card of these bytes, and what could not be read of it."""

    def refusal(self, card: Card) -> str:
        """Why the file cannot hold this card, in words; "" if it can."""

    def groups(self) -> Iterator[Card]:
        """Groups that are no cards in the file, as cards; each has a UID."""


class Layout(Protocol):
    """How cards stand in a file."""

    @property
    def features(self) -> Features:
        """What it keeps."""

    @property
    def suffix(self) -> str:
        """How its files' names end."""

    @property
    def joins(self) -> bool:
        """Whether several files put one behind the other are one of this layout."""

    def opened(self, file: BinaryIO, name: str) -> Opened:
        """A file of this layout. Raises Misbehaved, naming it, if it is another."""

    def beginning(self) -> bytes:
        """What a file without cards holds."""

    def prepared(self, path: Path, cards: Sequence[Card]) -> Sequence[bytes]:
        """Each card's bytes, to be put at the end of the file, which may have been made fit for them before."""


@runtime_checkable
class GroupsApart(Protocol):
    """A layout in which a group is no card: it stands elsewhere in the file, or in the cards of its members."""

    def put_group(self, path: Path, group: Card, instead_of: Card | None) -> str:
        """Put a group into the file, in place of another where one is given; why not, in words, or ""."""

    def in_groups_of(self, path: Path, raw: bytes, before: bytes) -> bytes:
        """A card's bytes, in all groups that those are in whose place they take; both are of this file as it is now."""


# -- where cards stand ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Index:
    """The cards of one file by their keys, column by column in the order of the file; `order` sorts them by key."""

    stamp: tuple[int, ...]
    keys: array[int] = field(default_factory=lambda: array("Q"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("I"))
    tags: array[int] = field(default_factory=lambda: array("Q"))
    order: array[int] = field(default_factory=lambda: array("I"))
    strays: dict[int, int] = field(default_factory=dict)  # by the place of the card behind them

    @classmethod
    def of(cls, opened: Opened, stamp: tuple[int, ...], end: int | None) -> _Index:
        """The index of a file; behind `end` it is still being written."""
        index = cls(stamp)
        for place in opened.places():
            if end is None or place.offset < end:
                index._append(place)
        index.order = array("I", sorted(range(len(index.keys)), key=index.keys.__getitem__))
        return index

    def add(self, place: Place) -> None:
        """One card more, at the end."""
        if place.size:
            self.order.insert(self._first(place.key + 1), len(self.keys))
        self._append(place)

    def holds(self, uid: str) -> bool:
        """Whether a card of this UID is there."""
        return self.place(f"{key_of(uid):016x}") is not None

    def place(self, ref: str) -> int | None:
        """The place of a card in this index; None if it is not there."""
        found = _REF.fullmatch(ref)
        if found is None:
            return None
        key = int(found[1], 16)
        at = self._first(key) + int(found[2] or 1) - 1
        return self.order[at] if at < len(self.order) and self.keys[self.order[at]] == key else None

    def entries(self) -> Iterator[Entry]:
        """Every card as a listing shows it. Of several with one key all but the first have a number."""
        twins: dict[int, int] = {}
        for before, place in zip(self.order, self.order[1:], strict=False):
            if self.keys[before] == self.keys[place]:
                twins[place] = twins.get(before, 1) + 1
        return (self.entry(place, twins.get(place, 1)) for place in range(len(self.keys)))

    def entry(self, place: int, twin: int = 1) -> Entry:
        """A card as a listing shows it."""
        ref = f"{self.keys[place]:016x}" + (f"-{twin}" if twin > 1 else "")
        return Entry(ref, self.sizes[place], f"{self.tags[place]:016x}")

    def _append(self, place: Place) -> None:
        if place.strays:
            self.strays[len(self.keys)] = place.strays
        if not place.size:
            return
        self.keys.append(place.key)
        self.offsets.append(place.offset)
        self.sizes.append(place.size)
        self.tags.append(place.tag)

    def _first(self, key: int) -> int:
        return bisect_left(self.order, key, key=self.keys.__getitem__)


def tag_of(raw: bytes) -> int:
    """A number that changes with these bytes."""
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big")


def key_of(uid: str) -> int:
    """The number that a UID's ref is."""
    return tag_of(b"uid:" + uid.encode("utf-8", "surrogatepass"))


def _group_entry(group: Card) -> Entry:
    said = "\0".join((group.label, *group.members)).encode("utf-8", "surrogatepass")
    return Entry(f"{GROUP}{key_of(group.uid):016x}", len(said), f"{tag_of(said):016x}")


# -- before anything is opened ------------------------------------------------------------------------------------------


def contents_of(layout_of: Callable[[Any], Layout]) -> Callable[[Any], Contents]:
    """For an adapter whose layout this is, what `Adapter.contents` is: which of its files cannot be read or hold no card, each read no
    further than to the first one. Who the accounts are is not known here: of a file beside their folders whose name is no address a mistake
    is odd, since it is nobody's unless an account is called so.
    """

    def contents(options: Any) -> Contents:  # Any: the adapter's own options, with a `path`
        layout, path = layout_of(options), options.path
        with disk.in_our_words(f"looking at {path}"):
            is_one = path.is_file()
            if not is_one and not path.is_dir():
                what = "file" if path.suffix.lower() == layout.suffix else "folder"
                raise NotFound(f"there is no {what} {path}.", remedy="Correct the path.")
            books = [path] if is_one else _all_books(layout, path)
        told = (one for book in books for one in _mistakes(layout, book, is_one=is_one))
        return Contents(
            mistakes=tuple(
                _beside(one) if one.file.parent == path and "@" not in one.file.stem else one for one in told
            )
        )

    return contents


def _all_books(layout: Layout, base: Path) -> Sequence[Path]:
    """The files of any account in a folder; what is hidden is none."""
    found = (*(one for one in base.iterdir() if one.is_file()), *base.glob("*/*"))
    books = (one for one in found if not one.name.startswith(".") and not one.parent.name.startswith("."))
    return sorted(file for one in books for file in _files_of(layout, one))


def _files_of(layout: Layout, path: Path) -> list[Path]:
    """The files of a book: itself, or those in it where it is a folder; none if it is no book."""
    if path.is_file():
        return [path] if path.suffix.lower() == layout.suffix else []
    if not layout.joins or not path.is_dir():
        return []
    return [
        one
        for one in sorted(path.iterdir())
        if one.suffix.lower() == layout.suffix and not one.name.startswith(".") and one.is_file()
    ]


def _beside(mistake: Mistake) -> Mistake:
    text = f"{mistake.text} It is read only where an account has its name."
    return replace(mistake, text=text, odd=True)


def _mistakes(layout: Layout, path: Path, *, is_one: bool) -> Iterator[Mistake]:
    """What is wrong with one file, whose error hides no other's."""
    try:
        yield from _cardless(layout, path, is_one=is_one)
    except MigratorError as error:
        yield Mistake(path, 0, error.sentence().removeprefix(f"{path.name}: "))


def _cardless(layout: Layout, path: Path, *, is_one: bool) -> Iterator[Mistake]:
    strays = 0
    with disk.in_our_words(f"reading {path}"), path.open("rb") as file:
        opened = layout.opened(file, path.name)
        for place in opened.places():
            strays += place.strays
            if place.size:
                return
        if next(iter(opened.groups()), None) is not None:
            return
    if strays:
        told = f"nothing in it is a card: {strays_in_words(strays, 'in it')}. Look at the file, or leave it out."
        yield Mistake(path, 1, told)
    elif is_one:  # in a folder it is a book that nobody has put anything into
        yield Mistake(path, 1, "it holds no card.", odd=True)


def visit_of(layout_of: Callable[[Any], Layout]) -> Callable[[Any, Login, Side], None]:
    """For an adapter whose layout this is, what `Adapter.visit` is."""

    def visit(options: Any, login: Login, side: Side) -> None:  # Any: as above
        with closing(ShelfReader(layout_of(options), options.path, login)) as session:
            if side is Side.TARGET:
                session.look_for_room()
            elif not session.books():
                session.look_for_account()

    return visit


# -- sessions ---------------------------------------------------------------------------------------------------------


class ShelfReader:
    """The books of one account, being read."""

    def __init__(self, layout: Layout, path: Path, login: Login) -> None:
        self._layout = layout
        self._base = path
        self._account = login.account
        self._indexes: dict[Path, _Index] = {}
        self._joined: dict[Path, files.Joined] = {}
        with disk.in_our_words(f"looking at {path}"):
            there, has_place = path.exists(), path.parent.is_dir()
            self._single = path.is_file() or (not there and path.suffix.lower() == layout.suffix)
        if not there and not has_place:
            raise EndpointUnfit(
                f"{path}: neither this nor the folder around it is there.", remedy="Check the path in the plan."
            )

    @property
    def features(self) -> Features:
        """What the layout keeps; one file is one book."""
        features = self._layout.features
        if not self._single:
            return features
        return replace(features, makes_books=False, only_book=self._name(self._base.name))

    def look_for_account(self) -> None:
        """Raises NotFound where neither the one file nor anything of the account's name is there."""
        with disk.in_our_words(f"looking for {self._account}"):
            if not self._base.exists():
                what = "file" if self._single else "folder"
                raise NotFound(f"{self._base}: there is no such {what}.", remedy="Correct the path in the plan.")
            if self._single or any(folder.is_dir() for folder in self._folders()) or self._paths():
                return
            suffix = self._layout.suffix
            loose = sorted(path.name for path in self._base.iterdir() if path.suffix.lower() == suffix)
        about = f"{self._base}: it holds neither a folder {self._account} nor a file {self._account}{suffix}"
        if not loose:
            remedy = "Check the account's name and the endpoint's path in the plan."
            raise NotFound(f"{about}.", remedy=remedy)
        more = f" and {len(loose) - 1:,} more" if len(loose) > 1 else ""
        raise NotFound(
            f"{about}, and {loose[0]}{more} beside it, which is no account's.",
            remedy=f"Put the files of {self._account} into {self._folders()[0]}{self._of_cards() if len(loose) > 1 else ''}.",
        )

    def _of_cards(self) -> str:
        """What to do with files that hold a card each, where the layout has such books."""
        folder = self._folders()[0] / FLAT_NAME
        return (
            f" if each is an address book, into {folder} if each is one card of the same book"
            if self._layout.joins
            else ""
        )

    def look_for_room(self) -> None:
        """Raises EndpointUnfit where nothing can be written at all, Misbehaved where only this account's folder or files are shut."""
        with disk.in_our_words(f"looking at {self._base}"):
            there = self._base.exists()
            # What is changed is written anew beside it, so the folder has to take it too.
            around = self._base.parent if self._single or not there else self._base
            own = [folder for folder in self._folders() if folder.is_dir()] if not self._single else []
            shut = None if own else _shut(around)
            shut = shut or (_shut(self._base) if self._single and there else None)
            if shut is not None:
                path, why = shut
                raise EndpointUnfit(f"{path}: nothing can be written there ({why}).", remedy=OPEN_IT)
            told = next(_cardless(self._layout, self._base, is_one=True), None) if self._single and there else None
            if told is not None and not told.odd:
                raise EndpointUnfit(
                    f"{self._base}: it is there, and it is no address book.", remedy="Name another path in the plan."
                )
            for path in (*own, *self._paths().values()):
                if path.is_dir() and path not in own:
                    raise Misbehaved(
                        f"{path}: it has a file for each card, which is read and never written.",
                        remedy="Move that folder away, or name another path in the plan.",
                    )
                if (closed := _shut(path)) is not None:
                    raise Misbehaved(f"{path}: nothing can be written there ({closed[1]}).", remedy=OPEN_IT)

    def strays(self, book: str) -> int:
        """How many lines of a file belong to no card."""
        path = self._path(book)
        with disk.in_our_words(self._about(path)), self._opened(path) as file:
            return sum(self._index(path, file).strays.values())

    def books(self) -> Sequence[Book]:
        """The files of the account."""
        with disk.in_our_words(f"listing the address books of {self._account}"):
            return [Book(book, self._name(book)) for book in self._paths()]

    def index(self, book: str) -> Iterator[Entry]:
        """Every card of a file by its ref, in the order of the file; groups that are none of its rows come last."""
        path = self._path(book)
        with disk.in_our_words(self._about(path)), self._opened(path) as file:
            yield from self._index(path, file).entries()
            yield from map(_group_entry, self._layout.opened(file, path.name).groups())

    def fetch(self, book: str, refs: Sequence[str]) -> Iterator[Held]:
        """These cards, in the order asked for."""
        path = self._path(book)
        with disk.in_our_words(self._about(path)), self._opened(path) as file:
            index = self._index(path, file)
            opened = self._layout.opened(file, path.name)
            groups: dict[str, Card] | None = None
            for ref in refs:
                place = index.place(ref)
                if place is not None:
                    raw = os.pread(file.fileno(), index.sizes[place], index.offsets[place])
                    card, dropped = opened.card(raw)
                    if strays := index.strays.get(place):
                        dropped = (strays_in_words(strays, "before this card"), *dropped)
                    yield Held(Entry(ref, len(raw), index.entry(place).tag), card, dropped, raw)
                elif ref.startswith(GROUP):
                    if groups is None:
                        groups = {_group_entry(group).ref: group for group in opened.groups()}
                    if ref in groups:
                        yield Held(_group_entry(groups[ref]), groups[ref])

    def close(self) -> None:
        """Let go of the files that were put together."""
        self._indexes.clear()
        for joined in self._joined.values():
            joined.file.close()
        self._joined.clear()

    def _paths(self) -> dict[str, Path]:
        """The files, and folders of files, by their books' ids."""
        if self._single:
            return {self._base.name: self._base} if self._base.exists() else {}
        found: dict[str, Path] = {}
        for folder in self._folders():
            if folder.is_dir():
                for path in sorted(folder.iterdir()):
                    named = path.suffix.lower() == self._layout.suffix and not path.name.startswith(".")
                    if named and (path.is_file() or _leads_nowhere(path)):
                        found.setdefault(path.name, self._inside(path))
                    elif path.is_dir() and not path.name.startswith(".") and _files_of(self._layout, path):
                        found.setdefault(f"{path.name}/", self._inside(path))
        for name in self._account_names():
            flat = self._base / f"{name}{self._layout.suffix}"
            if flat.is_file():
                found[f"{FLAT}{flat.name}"] = self._inside(flat)
        return found

    def _folders(self) -> list[Path]:
        return [self._base / name for name in self._account_names()]

    def _account_names(self) -> list[str]:
        """How the account's folder may be called: as we name it, and as a person may have written the address."""
        ours = disk.account_folder(self._account)
        plain = {"/", "\0"}.isdisjoint(self._account) and not self._account.startswith(".")
        return list(dict.fromkeys([ours, self._account] if plain else [ours]))

    def _inside(self, path: Path) -> Path:
        if _leads_nowhere(path):
            raise Misbehaved(
                f"{path} is a link that leads nowhere.",
                remedy="Put the file itself in its place, or take the link away.",
            )
        if path.resolve().is_relative_to(self._base.resolve()):
            return path
        raise Misbehaved(
            f"{path} is a link that leads out of {self._base}; it was not followed.",
            remedy="Put the file itself in its place.",
        )

    def _path(self, book: str) -> Path:
        with disk.in_our_words(f"listing the address books of {self._account}"):
            path = self._paths().get(book)
        if path is None:
            raise NotFound(f"{self._account}: there is no file {book} in {self._base}.")
        return path

    def _name(self, book: str) -> str:
        if book.startswith(FLAT):
            return FLAT_NAME
        if book.endswith("/"):
            return book.removesuffix("/")
        return files.book_name(book, self._layout.suffix)

    def _about(self, path: Path, what: str = "reading") -> str:
        return f"{what} {path.name} of {self._account}"

    @contextmanager
    def _opened(self, path: Path) -> Iterator[BinaryIO]:
        """The file, or those of a folder one behind the other, as they are now."""
        if not path.is_dir():
            with path.open("rb") as file:
                yield file
            return
        several = _files_of(self._layout, path)
        known = self._joined.get(path)
        if known is None or known.stamps != files.stamps(several):
            if known is not None:
                known.file.close()
            known = self._joined[path] = files.Joined.of([self._inside(one) for one in several])
        yield known.file

    def _index(self, path: Path, file: BinaryIO) -> _Index:
        stamp = _stamp(file)
        known = self._indexes.get(path)
        if known is None or known.stamp != stamp:
            known = _Index.of(self._layout.opened(file, path.name), stamp, files.whole_until(path))
            self._indexes[path] = known
        return known


class ShelfWriter(ShelfReader):
    """The books of one account, being filled. What a death left half-way is taken back before a book is read or written."""

    def __init__(self, layout: Layout, path: Path, login: Login) -> None:
        super().__init__(layout, path, login)
        self.look_for_room()

    def _path(self, book: str) -> Path:
        path = super()._path(book)
        with disk.in_our_words(self._about(path, "writing")), disk.locked(path.parent):
            files.take_back_half(path)
        return path

    def create_book(self, name: str) -> Book:
        """Make a file. Raises Refused where the path is one single file that is there, or no file can have this name."""
        if self._single:
            if self._base.exists():
                raise Refused(
                    f"{self._base}: this one file is one address book, {self._name(self._base.name)}.",
                    remedy="Give a folder as the path to have a file for each.",
                )
            path = self._base
        else:
            path = self._folders()[0] / files.book_file(name, self._layout.suffix)
        with disk.in_our_words(self._about(path, "making")):
            if not self._single:
                disk.make_folder(path.parent)
            with disk.locked(path.parent):
                if path.exists():
                    raise Refused(f"{name}: there is an address book of this name already, {path}.")
                with files.replacing(path) as file:
                    file.write(self._layout.beginning())
        return Book(path.name, self._name(path.name), 0)

    def add(self, book: str, cards: Sequence[Card]) -> Sequence[Put]:
        """Put cards at the end of the file, all of them or none; groups that are no cards of the layout after them."""
        path = self._path(book)
        answers: dict[int, Put] = {}
        with disk.in_our_words(self._about(path, "writing")), disk.locked(path.parent):
            layout = self._layout if isinstance(self._layout, GroupsApart) else None
            apart = [card for card in cards if card.is_group] if layout is not None else []
            with path.open("rb") as file:
                index = self._index(path, file)
                opened = self._layout.opened(file, path.name)
                groups = list(opened.groups()) if apart else []
                uids, names = {group.uid for group in groups}, {group.label for group in groups}
                fresh: dict[str, int] = {}
                for place, card in enumerate(cards):
                    refused = opened.refusal(card)
                    if index.holds(card.uid) or card.uid in fresh or card.uid in uids:
                        refused = f"{path.name} has a card of this UID already"
                    elif card in apart and card.label in names:
                        refused = f"{path.name} has a group {card.shown} already"
                    if refused:
                        answers[place] = Put(refused=refused)
                        continue
                    fresh[card.uid] = place
                    if card in apart:
                        names.add(card.label)
            rows = [place for place in fresh.values() if cards[place] not in apart]
            for place, entry in zip(rows, self._append(path, [cards[one] for one in rows]), strict=True):
                answers[place] = Put(entry.ref, entry.tag)
            if layout is not None:
                for place in fresh.values():
                    if place not in answers:
                        answers[place] = self._put_group(layout, path, cards[place], None)
        return [answers[place] for place in range(len(cards))]

    def update(self, book: str, entry: Entry, card: Card) -> Put:
        """Write the file again with this card in the other's place."""
        path = self._path(book)
        with disk.in_our_words(self._about(path, "writing")), disk.locked(path.parent):
            if card.is_group and isinstance(self._layout, GroupsApart):
                return self._update_group(self._layout, path, entry, card)
            with path.open("rb") as file:
                index = self._index(path, file)
                place = index.place(entry.ref)
                if place is None or index.entry(place).tag != entry.tag:
                    return Put(refused=f"it has changed in {path.name} meanwhile", remedy="Run again.")
                refused = self._layout.opened(file, path.name).refusal(card)
                if refused:
                    return Put(refused=refused)
            (raw,) = self._layout.prepared(path, [card])
            with path.open("rb") as file:
                index = self._index(path, file)
                offset, size = index.offsets[place], index.sizes[place]
                before = os.pread(file.fileno(), size, offset)
                if isinstance(self._layout, GroupsApart):
                    raw = self._layout.in_groups_of(path, raw, before)
                if raw == before:
                    return Put(entry.ref, entry.tag)
                with files.replacing(path) as fresh:
                    files.copy(file, fresh, 0, offset)
                    fresh.write(raw)
                    files.copy(file, fresh, offset + size, index.stamp[1])
            with path.open("rb") as file:
                index = self._index(path, file)
                written = index.place(f"{key_of(card.uid):016x}")
                return Put(index.entry(written).ref, index.entry(written).tag) if written is not None else Put()

    def _append(self, path: Path, cards: Sequence[Card]) -> list[Entry]:
        """Put cards at the end of a file, and into the index of it."""
        if not cards:
            return []
        pieces = self._layout.prepared(path, cards)
        with path.open("rb") as file:
            index = self._index(path, file)
            ends = _ends_with_a_line(file, index.stamp[1])
        before = len(index.keys)
        start = files.append(path, b"".join([b"" if ends else b"\r\n", *pieces]))
        with path.open("rb") as file:
            for place in self._layout.opened(file, path.name).places(start):
                index.add(place)
            index.stamp = _stamp(file)
        return [index.entry(place) for place in range(before, len(index.keys))]

    def _put_group(self, layout: GroupsApart, path: Path, card: Card, instead_of: Card | None) -> Put:
        refused = layout.put_group(path, card, instead_of)
        if refused:
            return Put(refused=refused, remedy="Make the group by hand; its members are moved as any other card.")
        with path.open("rb") as file:
            for group in self._layout.opened(file, path.name).groups():
                if group.uid == card.uid or group.label == card.label:
                    entry = _group_entry(group)
                    return Put(entry.ref, entry.tag)
        return Put(refused=f"{path.name} has none of its members", remedy="Make the group by hand.")

    def _update_group(self, layout: GroupsApart, path: Path, entry: Entry, card: Card) -> Put:
        with path.open("rb") as file:
            there = {_group_entry(one): one for one in self._layout.opened(file, path.name).groups()}
        old = next((one for known, one in there.items() if (known.ref, known.tag) == (entry.ref, entry.tag)), None)
        if old is None:
            return Put(refused=f"it has changed in {path.name} meanwhile", remedy="Run again.")
        return self._put_group(layout, path, card, old)


class TriedReader(ShelfReader):
    """The books of a layout that does not keep everything of a card: what it will keep can be tried."""

    @contextmanager
    def rehearsal(self, name: str) -> Iterator[tuple[BookWriter, str]]:
        """A file of this layout in a folder that only this user can read, removed in the end."""
        with disk.in_our_words("making a folder to try in what a file will hold"):
            apart = TemporaryDirectory(prefix="migrator-")
        with apart as folder:
            path = Path(folder) / self._base.name if self._single else Path(folder)
            writer = ShelfWriter(self._layout, path, Login(self._account, self._account))
            yield writer, writer.create_book(name).id


def _shut(path: Path) -> tuple[Path, str] | None:
    """A file or folder that cannot be written, and why; None where it can."""
    if os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0)):
        return None
    read_only = os.statvfs(path).f_flag & os.ST_RDONLY
    return path, "its disk is mounted read-only" if read_only else os.strerror(errno.EACCES)


def _stamp(file: BinaryIO) -> tuple[int, ...]:
    there = os.fstat(file.fileno())
    return there.st_ino, there.st_size, there.st_mtime_ns


def _ends_with_a_line(file: BinaryIO, size: int) -> bool:
    end = os.pread(file.fileno(), 2, max(size - 2, 0))
    return not size or end.endswith(b"\n") or end in {b"\n\0", b"\0\n"}


def _leads_nowhere(path: Path) -> bool:
    """Whether this is a link to something that is not there: it was a book once."""
    return path.is_symlink() and not path.exists()
