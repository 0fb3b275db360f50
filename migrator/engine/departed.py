"""What has left the source since it was recorded. It stays on record, for the target may hold it and it may come back, but it counts
in no sum: a sum is of what the source holds.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from migrator.engine.contract import Fate, Outcome, Size
from migrator.engine.ledger import Store
from migrator.frozen import dataclass

LEFT_OVER = frozenset({Fate.LEFT_BEHIND, Fate.ALTERED})  # nothing is to be done about these any more once they are gone


class Listing:
    """The keys of a source's items as a pass lists them, in eight bytes each. Of two keys that share a hash one is taken for the other;
    among ten million that is one chance in some hundred thousand.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._hashes = array("q", map(hash, keys))
        self._in_order = False

    def add(self, key: str) -> None:
        """One more item of the source."""
        self._hashes.append(hash(key))
        self._in_order = False

    def __contains__(self, key: str) -> bool:
        if not self._in_order:
            self._hashes = array("q", sorted(self._hashes))
            self._in_order = True
        wanted = hash(key)
        place = bisect_left(self._hashes, wanted)
        return place < len(self._hashes) and self._hashes[place] == wanted


@dataclass(frozen=True, slots=True)
class Departed:
    """What is on record of items that the source has no longer. `gone` are the new outcomes of those among them that were left over."""

    by_fate: Mapping[Fate, Size] = field(default_factory=dict)
    gone: Sequence[Outcome] = ()

    @property
    def fact(self) -> str:
        """What a fact of the action keeps; `of_fact` reads it."""
        return as_fact(self.by_fate)


def left_since(store: Store, ledger_key: str, present: Listing, items: int) -> Departed:
    """What has left the source, which has as many `items` now and all of them on record."""
    if items == sum(size.items for size in store.fates(ledger_key).values()):
        return Departed()
    gone: list[Outcome] = []
    absent = (one for one in store.outcomes(ledger_key) if one.key not in present)
    return Departed(by_fate(_when_gone(one, gone) for one in absent), gone)


def _when_gone(outcome: Outcome, gone: list[Outcome]) -> Outcome:
    if outcome.fate not in LEFT_OVER:
        return outcome
    gone.append(replace(outcome, fate=Fate.GONE, note="", cure=""))
    return gone[-1]


def by_fate(outcomes: Iterable[Outcome]) -> dict[Fate, Size]:
    """How many items met which fate, and their bytes."""
    sums: dict[Fate, Size] = {}
    for outcome in outcomes:
        so_far = sums.get(outcome.fate, Size())
        sums[outcome.fate] = Size(so_far.items + outcome.things, (so_far.bytes or 0) + outcome.size)
        if outcome.as_sent:
            so_far = sums.get(Fate.COPIED, Size())
            sums[Fate.COPIED] = Size(so_far.items + outcome.as_sent, so_far.bytes)
    return sums


def without(sums: Mapping[Fate, Size], departed: Mapping[Fate, Size]) -> Mapping[Fate, Size]:
    """What is left of the sums; a fate that nothing has met any more is not among them."""
    left = {
        fate: Size(size.items - departed[fate].items, (size.bytes or 0) - (departed[fate].bytes or 0))
        if fate in departed
        else size
        for fate, size in sums.items()
    }
    return {fate: size for fate, size in left.items() if size.items}


def as_fact(departed: Mapping[Fate, Size]) -> str:
    """What has departed, by fate, as a fact of an action keeps it."""
    return json.dumps({fate.value: [size.items, size.bytes] for fate, size in departed.items()}) if departed else ""


def of_fact(fact: str) -> Mapping[Fate, Size]:
    """What `as_fact` wrote. A number alone, as older states hold it until their next pass, was of items that had been copied."""
    told = json.loads(fact or "{}")
    if isinstance(told, int):
        return {Fate.COPIED: Size(told)} if told else {}
    return {Fate(fate): Size(items, size) for fate, (items, size) in told.items()}
