"""Which known word somebody probably meant, for "Did you mean domains?" in whatever message names a word that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_WORD = 60  # characters of somebody's text that are looked at
SHORTEST_BEGINNING = 2  # characters of a word that may stand for a longer one


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, if one is near: one that begins with `word`, or one that is spelled alike."""
    known = sorted(known)
    longer = [other for other in known if other.startswith(word)] if len(word) >= SHORTEST_BEGINNING else []
    near = sorted(longer, key=len) or difflib.get_close_matches(word[:LONGEST_WORD], known, n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The question "Did you mean x?" with a blank before it, or nothing if no known word is near."""
    near = nearest(word, known)
    return f" Did you mean {near}?" if near else ""


def perhaps(word: str, known: Iterable[str]) -> str:
    """The same within a sentence: " (did you mean x?)", or nothing."""
    near = nearest(word, known)
    return f" (did you mean {near}?)" if near else ""
