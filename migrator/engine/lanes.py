"""Connection budgets: how many jobs may hold a session to one endpoint, and to one account of it, at the same time.

A job takes all its lanes in one step or none, so two jobs never wait for each other half-way. When a server refuses one more
connection its lane is narrowed; after a quiet time it is widened again, one by one, up to what the plan allows.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from migrator.engine.contract import Lane, Side
from migrator.engine.stage import Opener

QUIET = 60.0  # seconds without a refusal before a narrowed lane is tried one wider


@dataclass(slots=True)
class _Width:
    allowed: int
    now: int
    changed: float = 0.0


class Lanes:
    """The widths of all lanes and who is in them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._widths: dict[str, _Width] = {}
        self._busy: Counter[str] = Counter()

    def keys(self, kind: str, opener: Opener, lanes: Iterable[Lane]) -> Counter[str]:
        """The lanes' names with how often each is needed; their widths are learned from the opener at first sight."""
        needed: Counter[str] = Counter()
        for lane in lanes:
            endpoint = endpoint_lane(kind, opener, lane.side)
            account = account_lane(endpoint, lane.account)
            in_all, for_one = opener.connections(lane.side)
            with self._lock:
                self._widths.setdefault(endpoint, _Width(in_all, in_all))
                self._widths.setdefault(account, _Width(for_one, for_one))
            needed.update((endpoint, account))
        return needed

    def take(self, needed: Counter[str]) -> bool:
        """Enter all of them, or none if one is full. An empty lane always takes one job, however wide that job is."""
        with self._lock:
            for key, count in needed.items():
                busy = self._busy[key]
                if busy and busy + count > self._width(key):
                    return False
            self._busy.update(needed)
            return True

    def give(self, needed: Counter[str]) -> None:
        """Leave them."""
        with self._lock:
            self._busy.subtract(needed)

    def busy(self, key: str) -> int:
        """How many connections jobs hold in a lane now."""
        with self._lock:
            return self._busy[key]

    def width(self, key: str) -> int:
        """How wide a lane is now."""
        with self._lock:
            return self._width(key)

    def narrow(self, key: str) -> int:
        """The server refused one more connection: half as wide as it was busy, at least one. Answers the new width."""
        with self._lock:
            width = self._widths[key]
            width.now = max(1, min(width.now, self._busy[key] or 1) // 2)
            width.changed = self._clock()
            return width.now

    def _width(self, key: str) -> int:
        width = self._widths[key]
        if width.now < width.allowed and self._clock() - width.changed > QUIET:
            width.now += 1
            width.changed = self._clock()
        return width.now


def endpoint_lane(kind: str, opener: Opener, side: Side) -> str:
    """The name of the lane that every session of this kind to this endpoint shares."""
    return f"{opener.endpoint(side)}/{kind}"


def account_lane(endpoint: str, account: str) -> str:
    """The name of the lane, within an endpoint's, that only the sessions of this account share."""
    return f"{endpoint}/{account}"
