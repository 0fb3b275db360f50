"""How many jobs at once are worth it: as many as find the processor idle.

Python computes in one thread at a time. Where a job mostly waits for its servers, each further one is a gain; where the program itself is
what everything waits for, more jobs only get in each other's way, and hold connections that bring nothing (measured without distance:
four lanes cost a copy 8 % more CPU than two, and take no less time). The servers cannot tell which of the two it is; our own clock can.
"""

from __future__ import annotations

import time
from collections.abc import Callable

ENOUGH = 2  # while one computes, the other waits for its server
LOOK = 0.05  # seconds that are looked back upon
BUSY = 0.75  # of one processor; beyond it another job finds next to nothing left


class Pace:
    """Begins with room for ENOUGH jobs, and allows one more each time a look back finds the processor idle, one less when it was busy.

    `clock` and `used` are in seconds: the time, and what of it this process has computed. Not safe for several threads at once.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, used: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._used = used
        self._allowed = ENOUGH
        self._since = clock()
        self._used_before = used()

    def room(self, running: int) -> bool:
        """Whether one more job is worth beginning beside those that run."""
        if running < ENOUGH:
            self._look_from_here()
            return True
        elapsed = self._clock() - self._since
        if elapsed >= LOOK:
            busy = self._used() - self._used_before >= BUSY * elapsed
            if busy:
                self._allowed = max(ENOUGH, self._allowed - 1)
            elif running >= self._allowed:
                self._allowed += 1
            self._look_from_here()
        return running < self._allowed

    def _look_from_here(self) -> None:
        self._since, self._used_before = self._clock(), self._used()
