"""Where each address book of the source goes, decided by names alone."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from migrator.contacts.model import Book, Features
from migrator.contacts.options import BookOptions
from migrator.frozen import dataclass

ANY = Features(title="")  # of a target that makes books


@dataclass(frozen=True, slots=True)
class BookPlan:
    """One address book of the source. `target` is the one it goes to, None for one that has to be made under `name`; an empty `name` leaves
    it out, and `why` says the reason. `asked` is the name that the plan file asks for, whatever comes of it.
    """

    source: Book
    target: Book | None = None
    name: str = ""
    why: str = ""
    asked: str = ""


def plan_books(
    source: Sequence[Book], target: Sequence[Book], options: BookOptions, features: Features = ANY
) -> list[BookPlan]:
    """A plan for each book. One of the same name is taken for the same, whatever its capitals where none has the very name; a single book
    goes to a single book, whatever the two are called. Where the target makes no books, by its `features`, its first one takes what has
    none of its name. Names in the options fit likewise: as they are written, else without capitals.
    """
    writable = [book for book in target if book.writable]
    ordinary = [book for book in source if book.writable]
    plans = []
    for book in source:
        left_out = _left_out(book, source, options)
        if left_out:
            plans.append(BookPlan(book, why=left_out))
            continue
        mapped = next((there for here, there in options.map.items() if _fits(book, (here,), source)), "")
        name = asked = mapped or book.name
        there = _named(name, writable)
        why = ""
        if there is None and not mapped and len(writable) == 1 and ordinary == [book]:
            there, why = writable[0], "it is the target's only address book"
        if there is None and not features.makes_books and (writable or features.only_book):
            there = writable[0] if writable else None
            name, why = features.only_book or name, "no other address book can be made at the target"
        plans.append(BookPlan(book, there, there.name if there else name, why, asked))
    return plans


def unmatched(source: Sequence[Book], options: BookOptions) -> list[str]:
    """What the plan names and no book of the source is called: `only: Freinds`."""
    named = {"only": options.only, "except": options.except_, "map": tuple(options.map)}
    return [
        f"{option}: {pattern}"
        for option, patterns in named.items()
        for pattern in patterns
        if not any(_fits(book, (pattern,), source) for book in source)
    ]


def _named(name: str, books: Sequence[Book]) -> Book | None:
    exact = next((one for one in books if name in {one.name, one.id}), None)
    return exact or next((one for one in books if name.casefold() in {one.name.casefold(), one.id.casefold()}), None)


def _left_out(book: Book, source: Sequence[Book], options: BookOptions) -> str:
    if options.only and not _fits(book, options.only, source):
        return "not among the books the plan wants (only)"
    if _fits(book, options.except_, source):
        return "the plan leaves it out (except)"
    if not book.writable and not _fits(book, (*options.only, *options.map), source):
        return "the product fills it by itself; to move it as well, name it in books: only or map"
    return ""


def _fits(book: Book, patterns: Sequence[str], source: Sequence[Book]) -> bool:
    """Whether one of the patterns means this book. Capitals count where a book of the source fits a pattern with them."""
    for pattern in patterns:
        exact = [one for one in source if fnmatchcase(one.name, pattern) or fnmatchcase(one.id, pattern)]
        if book in exact:
            return True
        small = pattern.casefold()
        if not exact and (fnmatchcase(book.name.casefold(), small) or fnmatchcase(book.id.casefold(), small)):
            return True
    return False
