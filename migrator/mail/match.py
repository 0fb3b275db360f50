"""Which message at the target is which message of the source. Each side's message is used once: twins are two.

Two questions, one rule. Behind a fence everything is known by its digest (`pair_by_digest`). In a target that held mail before we
came, reading it all would cost as much as copying it, so cheap facts pair what is beyond doubt (`adopt`) and only the
doubtful are read (`confirm`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from migrator.frozen import dataclass

K = TypeVar("K", bound=Hashable)

# Reads messages and answers the digest of each by its uid; one that cannot be read is absent.
DigestsOf = Callable[[Sequence[int]], Mapping[int, str]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What an index tells of one message. `message_id` is "" where there is none."""

    uid: int
    size: int
    date: datetime | None
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Messages of both sides that may be the same; only their content can tell."""

    source: tuple[Candidate, ...]
    target: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is known without reading: pairs of source uid and target uid, and the groups to be read. Who is in neither is new."""

    certain: Mapping[int, int]
    to_confirm: tuple[Group, ...]


def pair_by_digest(wanted: Iterable[tuple[K, str]], arrived: Iterable[tuple[int, str]]) -> dict[K, int]:
    """A uid for each wanted key that has one of its own with the same digest, in the order given on both sides.

    Of n wanted and m arrived with one digest exactly min(n, m) are paired. An empty digest is unknown and pairs with nothing.
    """
    free: dict[str, deque[int]] = defaultdict(deque)
    for uid, digest in dict(arrived).items():
        free[digest].append(uid)
    return {key: free[digest].popleft() for key, digest in dict(wanted).items() if digest and free.get(digest)}


def adopt(source: Iterable[Candidate], target: Iterable[Candidate]) -> Adoption:
    """Pair what only one message on either side can be, by Message-ID, size and instant together, and group what is doubtful:
    several alike, a Message-ID with another size or date, and all that have no Message-ID.
    """
    sources, targets = list(source), list(target)
    certain: dict[int, int] = {}
    adopted: set[int] = set()
    alike = _by_facts(targets)
    for facts, ours in _by_facts(sources).items():
        theirs = alike.get(facts, [])
        if facts[0] and len(ours) == len(theirs) == 1:
            certain[ours[0].uid] = theirs[0].uid
            adopted.add(theirs[0].uid)

    rest_of_target = defaultdict(list)
    for candidate in targets:
        if candidate.uid not in adopted:
            rest_of_target[candidate.message_id].append(candidate)
    rest_of_source = defaultdict(list)
    for candidate in sources:
        if candidate.uid not in certain and candidate.message_id in rest_of_target:
            rest_of_source[candidate.message_id].append(candidate)
    groups = (Group(tuple(ours), tuple(rest_of_target[name])) for name, ours in rest_of_source.items())
    return Adoption(certain, tuple(groups))


def confirm(groups: Iterable[Group], digests_of_source: DigestsOf, digests_of_target: DigestsOf) -> dict[int, int]:
    """Pairs of source uid and target uid with equal digests, each uid used once, twins with equal dates first.

    Reads as little as it can: first those with the same size and date, then the same size, then the same date, at last those
    whose sizes do not exclude each other; no message twice. The digests must be canonical ones, so that a
    message the target tidied is recognised.
    """
    pairs: dict[int, int] = {}
    for group in groups:
        pairs.update(_confirm_group(group, digests_of_source, digests_of_target))
    return pairs


def unpaired(groups: Iterable[Group], pairs: Mapping[int, int]) -> Iterator[Group]:
    """What is left of the groups when these pairs of source uid and target uid are out of them, where both sides have something left."""
    taken = set(pairs.values())
    for group in groups:
        ours = tuple(one for one in group.source if one.uid not in pairs)
        theirs = tuple(one for one in group.target if one.uid not in taken)
        if ours and theirs:
            yield Group(ours, theirs)


def _confirm_group(group: Group, digests_of_source: DigestsOf, digests_of_target: DigestsOf) -> dict[int, int]:
    pairs: dict[int, int] = {}
    digest_at_source: dict[int, str] = {}
    digest_at_target: dict[int, str] = {}
    ours, theirs = list(group.source), list(group.target)
    for alike in (_size_and_instant, _only_size, _only_instant, None):
        if not ours or not theirs:
            break
        buckets = _possible(ours, theirs) if alike is None else _shared(ours, theirs, alike)
        _read(digests_of_source, digest_at_source, (c for mine, _ in buckets for c in mine))
        _read(digests_of_target, digest_at_target, (c for _, found in buckets for c in found))
        for mine, found in buckets:
            pairs |= pair_by_digest(
                [(c.uid, digest_at_source.get(c.uid, "")) for c in mine],
                [(c.uid, digest_at_target.get(c.uid, "")) for c in found],
            )
        taken = set(pairs.values())
        ours = [c for c in ours if c.uid not in pairs]
        theirs = [c for c in theirs if c.uid not in taken]
    return pairs


def _read(digests_of: DigestsOf, known: dict[int, str], candidates: Iterable[Candidate]) -> None:
    unread = [candidate.uid for candidate in candidates if candidate.uid not in known]
    if unread:
        answered = digests_of(unread)
        known.update({uid: answered.get(uid, "") for uid in unread})


Bucket = tuple[list[Candidate], list[Candidate]]


def _shared(ours: list[Candidate], theirs: list[Candidate], alike: Callable[[Candidate], Hashable]) -> list[Bucket]:
    """Both sides' candidates with the same trait, where both sides have some."""
    buckets: dict[Hashable, Bucket] = {}
    for candidate in theirs:
        buckets.setdefault(alike(candidate), ([], []))[1].append(candidate)
    for candidate in ours:
        if bucket := buckets.get(alike(candidate)):
            bucket[0].append(candidate)
    return [bucket for bucket in buckets.values() if bucket[0]]


def _possible(ours: list[Candidate], theirs: list[Candidate]) -> list[Bucket]:
    """All that is left, without those whose size no candidate of the other side can have become."""
    mine, found = _fitting(ours, theirs), _fitting(theirs, ours)
    return [(mine, found)] if mine and found else []


def _fitting(candidates: list[Candidate], others: list[Candidate]) -> list[Candidate]:
    # Tidying changes line ends: at most it doubles a message (every byte a bare LF) and adds one line end.
    sizes = sorted(other.size for other in others)

    def fits(size: int) -> bool:
        nearest = bisect_left(sizes, (size - 1) // 2)
        return nearest < len(sizes) and sizes[nearest] <= 2 * size + 2

    return [candidate for candidate in candidates if fits(candidate.size)]


def _by_facts(candidates: Iterable[Candidate]) -> dict[tuple[str, int, float | None], list[Candidate]]:
    facts: dict[tuple[str, int, float | None], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        facts[candidate.message_id, candidate.size, _instant(candidate)].append(candidate)
    return facts


def _instant(candidate: Candidate) -> float | None:
    return None if candidate.date is None else candidate.date.timestamp() // 1


def _size_and_instant(candidate: Candidate) -> Hashable:
    return candidate.size, _instant(candidate)


def _only_size(candidate: Candidate) -> Hashable:
    return candidate.size


def _only_instant(candidate: Candidate) -> Hashable:
    return _instant(candidate)
