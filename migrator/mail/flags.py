"""Flags and keywords: what a target will keep, how they are remembered, and who wins when both sides changed them.

One flag that a server does not like costs the whole message (Dovecot, Cyrus and Courier refuse the APPEND), so what is sent
is filtered first. Flags compare without case everywhere; the spelling a folder has already seen is the one it keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

LONGEST_KEYWORD = 50  # Dovecot refuses 51

SYSTEM = ("\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen")
_SYSTEM = {flag.lower(): flag for flag in SYSTEM}
_RECENT = "\\recent"

# System flags of single servers that have a registered keyword (RFC 5788) with the same meaning.
_REGISTERED = {
    "\\forwarded": "$Forwarded",
    "\\$forwarded": "$Forwarded",
    "\\junk": "$Junk",
    "\\$junk": "$Junk",
    "\\notjunk": "$NotJunk",
    "\\$notjunk": "$NotJunk",
    "\\mdnsent": "$MDNSent",
    "\\$mdnsent": "$MDNSent",
    "\\phishing": "$Phishing",
    "\\$phishing": "$Phishing",
    "\\submitted": "$Submitted",
    "\\$submitted": "$Submitted",
}

# An atom of RFC 3501, section 9: printable ASCII without ( ) { % * " \ ] and blank.
_ATOM = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")

# The letters Maildir gives to these flags, in the order they are written there.
_LETTERS = {"\\draft": "D", "\\flagged": "F", "\\answered": "R", "\\seen": "S", "\\deleted": "T"}
_FLAGS = {letter: _SYSTEM[flag] for flag, letter in _LETTERS.items()}
_NO_SYSTEM_FLAG = "-"

_EITHER_SIDE_SETS = frozenset({"\\seen", "\\answered", "\\flagged"})


def to_send(
    flags: Iterable[str],
    permanent: frozenset[str],
    keywords_allowed: bool,  # noqa: FBT001  # always passed on from Opened, never a bare True
    longest: int = LONGEST_KEYWORD,
) -> tuple[frozenset[str], frozenset[str]]:
    """What of `flags` to send to a folder with these PERMANENTFLAGS, and what it would not keep, spelled as given.

    Known system flags of single servers become their registered keyword. \\Recent belongs to the server and counts as neither.
    An empty `permanent` means that the server did not tell: by RFC 3501 all system flags are kept then.
    """
    listed = _spelled(permanent)
    kept: dict[str, str] = {}
    dropped: set[str] = set()
    for flag in sorted(flags):  # of two spellings the same one is sent on every pass
        wanted = _REGISTERED.get(flag.lower(), flag)
        name = wanted.lower()
        if name == _RECENT:
            continue
        if name.startswith("\\"):
            welcome = name in _SYSTEM and (not listed or name in listed)
        else:
            welcome = name in listed or (keywords_allowed and is_keyword(wanted, longest))
        if welcome:
            kept.setdefault(name, _SYSTEM.get(name) or listed.get(name) or wanted)
        else:
            dropped.add(flag)
    return frozenset(kept.values()), frozenset(dropped)


def is_keyword(flag: str, longest: int = LONGEST_KEYWORD) -> bool:
    """Whether every server takes `flag` as a keyword: an atom, 7-bit, not too long."""
    return len(flag) <= longest and _ATOM.fullmatch(flag) is not None


def as_mark(flags: Iterable[str]) -> str:
    """The flags as a short line, the same for the same flags whatever their order: `FS $Forwarded work`.

    System flags are letters, `-` where there is none: a mark is never empty. \\Recent is not remembered.
    """
    return _mark(frozenset(flags))


@lru_cache(maxsize=4096)
def _mark(flags: frozenset[str]) -> str:
    spelled = _spelled(sorted(flags, reverse=True))
    letters = "".join(letter for flag, letter in _LETTERS.items() if flag in spelled)
    others = (spelled[name] for name in sorted(spelled) if name not in _LETTERS)
    return " ".join((letters or _NO_SYSTEM_FLAG, *others))


def from_mark(mark: str) -> frozenset[str]:
    """The flags of a mark; none for an empty text, which is no mark."""
    letters, *others = mark.split(" ")
    return frozenset({*(_FLAGS[letter] for letter in letters if letter in _FLAGS), *others})


def three_way(before: Iterable[str], source: Iterable[str], target: Iterable[str]) -> frozenset[str]:
    """The flags a message at the target should have, given those of both sides now and what both had at the last pass.

    A change at the source is followed unless the target's flags changed as well: then \\Seen, \\Answered and \\Flagged hold if
    either side has them, and all others stay as the target has them, so that nothing its owner did is undone. `source` must hold
    only what the target can keep (`to_send`), else what it cannot keep looks like a change for ever.
    """
    known, wanted, present = _spelled(before), _spelled(source), _spelled(target)
    if wanted.keys() == known.keys():
        return frozenset(present.values())
    if present.keys() == known.keys():
        return frozenset(present.get(name, flag) for name, flag in wanted.items())
    kept = {name: flag for name, flag in wanted.items() if name in _EITHER_SIDE_SETS}
    return frozenset((kept | present).values())


def _spelled(flags: Iterable[str]) -> dict[str, str]:
    """Each flag by its lower-case name; system flags in the spelling of the RFC, \\Recent left out."""
    return {flag.lower(): _SYSTEM.get(flag.lower(), flag) for flag in flags if flag.lower() != _RECENT}
