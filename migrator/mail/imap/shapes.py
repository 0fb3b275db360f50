"""What IMAP servers say of folders and messages, as our nouns, and names as they take them. Pure: nothing here touches a connection.

A raw folder name holds one byte a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from migrator.mail import utf7
from migrator.mail.dates import same_instant
from migrator.mail.flags import SYSTEM
from migrator.mail.model import Namespace, Opened
from migrator.wire.imap import KB, Argument, Untagged, Value, parse, plain, string


def folder_name(value: Value) -> str | None:
    """A raw folder name; None if that is no string."""
    if not isinstance(value, bytes):
        return None
    name = value.decode("latin-1")
    return "INBOX" if name.upper() == "INBOX" else name  # the one name that has no case


def name_argument(folder: str) -> Argument:
    """A raw folder name as an argument of a command."""
    return string(folder.encode("latin-1", "replace"))


def shown(folder: str) -> str:
    """A raw folder name fit for a message to a person: short, nothing in it that a terminal would obey."""
    return plain(utf7.decode(folder).encode("utf-8", "replace"))


def list_entry(response: Untagged) -> tuple[frozenset[str], str, str | None]:
    """Attributes, separator and name of a LIST or LSUB response; the name is None if it is not one."""
    values = response.values()
    if len(values) < 3 or not isinstance(values[0], list):  # noqa: PLR2004 - attributes, separator, name
        return frozenset(), "", None
    attributes = frozenset(word.decode("latin-1").lower() for word in values[0] if isinstance(word, bytes))
    return attributes, _text(values[1]), folder_name(values[2])


def status_entry(response: Untagged) -> tuple[str | None, dict[str, int]]:
    """Folder and counts of a STATUS response."""
    values = response.values()
    if len(values) < 2 or not isinstance(values[-1], list):  # noqa: PLR2004 - name, items
        return None, {}
    return folder_name(values[0]), _numbers(values[-1])


def _numbers(values: Sequence[Value]) -> dict[str, int]:
    return {
        word.decode("latin-1").upper(): int(count)
        for word, count in zip(values[::2], values[1::2], strict=False)
        if isinstance(word, bytes) and isinstance(count, bytes) and as_number(count) is not None
    }


def told_at_opening(responses: Iterable[Untagged]) -> Opened:
    """What a SELECT or EXAMINE told."""
    messages = 0
    numbers: dict[str, int] = {}
    flags: frozenset[str] = frozenset()
    permanent: frozenset[str] | None = None
    any_keyword = True
    for response in responses:
        if response.word == b"EXISTS":
            messages = response.number
        elif response.word == b"FLAGS":
            flags = flags_of(_words(response.values()))
        elif response.word == b"OK":
            told = response.spoken()
            if told.code == "PERMANENTFLAGS":
                words = _words(parse((told.arguments,)))
                any_keyword = b"\\*" in words
                permanent = flags_of(words) - {"\\*"}
            elif (number := as_number(told.arguments)) is not None:
                numbers[told.code] = number
    return Opened(
        numbers.get("UIDVALIDITY", 0),
        numbers.get("UIDNEXT", 0),
        messages,
        numbers.get("HIGHESTMODSEQ", 0),
        flags if permanent is None else permanent,
        any_keyword,
    )


def _words(values: Sequence[Value]) -> list[bytes]:
    """The words of the first list."""
    first = values[0] if values else None
    return [word for word in first if isinstance(word, bytes)] if isinstance(first, list) else []


_SYSTEM_SPELLING = {flag.lower(): flag for flag in SYSTEM}


def flags_of(words: Iterable[bytes]) -> frozenset[str]:
    """Flags as we spell them; \\Recent tells of the session, not of the message."""
    names = (word.decode("latin-1") for word in words)
    return frozenset(_SYSTEM_SPELLING.get(name.lower(), name) for name in names if name.lower() != "\\recent")


def without(wanted: frozenset[str], present: frozenset[str]) -> frozenset[str]:
    """What was wanted and is not there; the first spelling in a folder wins, so case does not count."""
    if wanted <= present:
        return frozenset()
    there = {flag.lower() for flag in present}
    return frozenset(flag for flag in wanted if flag.lower() not in there)


def namespaces(responses: Sequence[Untagged]) -> tuple[Namespace, tuple[str, ...]]:
    """The personal namespace, and the prefixes of others'; guessed from the top of the tree where NAMESPACE is missing."""
    for response in responses:
        if response.word == b"NAMESPACE":
            personal, *others = [_prefixes(value) for value in response.values()] or [[]]
            foreign = tuple(prefix for other in others for prefix, _ in other if prefix)
            if personal:
                return Namespace(*personal[0]), foreign
    entries = [list_entry(response) for response in responses if response.word == b"LIST"]
    separator = next((separator for _, separator, name in entries if name is not None), "/")
    top = [(attributes, name) for attributes, _, name in entries if name]
    if separator and [name for _, name in top] == ["INBOX"] and "\\haschildren" in top[0][0]:
        return Namespace(f"INBOX{separator}", separator), ()
    return Namespace("", separator), ()


def _prefixes(value: Value) -> list[tuple[str, str]]:
    """Prefix and separator of each namespace of one class."""
    entries = value if isinstance(value, list) else []
    return [(_text(entry[0]), _text(entry[1])) for entry in entries if isinstance(entry, list) and len(entry) > 1]


def _text(value: Value) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else ""


def quota_left(responses: Iterable[Untagged]) -> int | None:
    """Free bytes of the tightest quota root, if any is told (`* QUOTA root (STORAGE used limit)`, in KB)."""
    left: list[int] = []
    for response in responses:
        if response.word == b"QUOTA":
            words = _words(response.values()[-1:])
            for name, used, limit in zip(words[::3], words[1::3], words[2::3], strict=False):
                least, most = as_number(used), as_number(limit)
                if name.upper() == b"STORAGE" and least is not None and most is not None:
                    left.append(max(most - least, 0) * KB)
    return min(left, default=None)


def number_after(words: Iterable[bytes], prefix: bytes) -> int | None:
    """The number in a capability such as APPENDLIMIT=35651584."""
    return next((as_number(word.removeprefix(prefix)) for word in words if word.startswith(prefix)), None)


def as_number(digits: bytes) -> int | None:
    """A number of a sensible length, or None."""
    return int(digits) if re.fullmatch(rb"\d{1,20}", digits) else None


def expanded(uid_set: bytes, most: int) -> list[int]:
    """The uids of a set in the order given; empty if it names more than `most` or is none."""
    uids: list[int] = []
    for part in uid_set.split(b","):
        first, colon, last = part.partition(b":")
        start, end = as_number(first), as_number(last if colon else first)
        if start is None or end is None or end - start >= most - len(uids):
            return []
        uids.extend(range(start, end + 1))
    return uids


def pair_by_order(
    sent: Sequence[tuple[int, datetime | None]], there: Sequence[tuple[int, int, datetime | None]]
) -> list[int | None]:
    """Which arrival (uid, size, date; by ascending uid) is which of the messages sent (size, date; in order), without
    UIDPLUS. None where a stranger's message may be meant.
    """
    if len(sent) == len(there) and all(
        size == seen or _same(date, stored) for (size, date), (_, seen, stored) in zip(sent, there, strict=True)
    ):
        return [uid for uid, _, _ in there]
    # A foreign message arrived in between, or one of ours is missing: pair what looks alike, if there are as many on both
    # sides; twins are then paired in order.
    pairs: list[int | None] = [None] * len(sent)
    groups: dict[tuple[int, float | None], list[int]] = {}
    for place, (size, date) in enumerate(sent):
        groups.setdefault((size, None if date is None else date.timestamp() // 1), []).append(place)
    for (size, second), places in groups.items():
        alike = [
            uid
            for uid, seen, stored in there
            if seen == size and (second is None or (stored is not None and stored.timestamp() // 1 == second))
        ]
        if len(alike) == len(places):
            for place, uid in zip(places, alike, strict=True):
                pairs[place] = uid
    taken = [uid for uid in pairs if uid is not None]
    return pairs if len(taken) == len(set(taken)) else [None] * len(sent)


def _same(date: datetime | None, stored: datetime | None) -> bool:
    return date is not None and stored is not None and same_instant(date, stored)
