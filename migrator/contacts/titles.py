"""Titles of columns as programs in several languages and versions write them: told apart by what does not differ between versions."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache


def folded(title: str) -> str:
    """A title without case, accents, brackets, punctuation and blanks."""
    plain = unicodedata.normalize("NFKD", title.casefold())
    return "".join(letter for letter in plain if letter.isalnum())


@cache
def known_as(lines: tuple[str, ...]) -> Mapping[str, Sequence[str]]:
    """Our names of columns by their folded titles, from lines like `Home Phone=Tel. privat|Telefon privat`; a name without a title in its
    line is its own. One title may be several columns' (Ville, at home and at work): they are meant in order.
    """
    known: dict[str, list[str]] = {}
    for line in lines:
        name, _, said = line.partition("=")
        for title in said.split("|"):
            known.setdefault(folded(title or name), []).append(name)
    return known


def own(lines: Iterable[str]) -> dict[str, str]:
    """What a program calls each column itself: the first title of its line."""
    return {
        line.partition("=")[0]: line.partition("=")[2].partition("|")[0] or line.partition("=")[0] for line in lines
    }


def names_of(header: Sequence[str], known: Mapping[str, Sequence[str]]) -> list[str | None]:
    """Our names of a file's columns, None for one that is none of ours; of two that mean one column the first has it."""
    taken: set[str] = set()
    found: list[str | None] = []
    for title in header:
        free = next((name for name in known.get(folded(title), ()) if name not in taken), None)
        if free:
            taken.add(free)
        found.append(free)
    return found
