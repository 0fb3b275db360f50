"""The workers: they take jobs whose lanes are free, the largest first, and ask what to do about each error.

Jobs come from two places: a lazy stream (subjects to plan), which is only drawn from while little else is waiting, and the jobs
that running jobs add (actions to apply). A job whose `after` has not ended waits; so does one that was told to try again later.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from migrator.engine.lanes import Lanes
from migrator.engine.pace import LOOK
from migrator.engine.stop import Stop
from migrator.errors import MigratorError

AHEAD = 4  # jobs waiting per worker before more subjects are drawn from the stream


@dataclass(slots=True)
class Job:
    """Something to run. `failed` answers in how many seconds to try again, or None to give up."""

    name: str
    subject: str
    needs: Counter[str]
    run: Callable[[Job], None]
    failed: Callable[[Job, MigratorError], float | None]
    weight: int = 0
    after: frozenset[str] = frozenset()
    attempt: int = 0
    not_before: float = 0.0
    waited: float = 0.0
    strikes: Counter[str] = field(default_factory=Counter)
    tried: set[str] = field(default_factory=set)
    lanes: frozenset[tuple[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.lanes = frozenset(self.needs.items())


class Crew:
    """A fixed number of threads that work until stream and queue are empty, or a stop is asked for. `room` says whether one more job is
    worth beginning beside so many.
    """

    def __init__(
        self,
        workers: int,
        lanes: Lanes,
        stop: Stop,
        clock: Callable[[], float],
        room: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._workers = workers
        self._lanes = lanes
        self._stop = stop
        self._clock = clock
        self._room = room
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int, Job]] = []
        self._running = 0
        self._unended: set[str] = set()
        self._count = 0
        self._stream: Iterator[Job] | None = None
        self._drawn: Job | None = None
        self._held = 0.0
        self._broken: BaseException | None = None

    def add(self, jobs: list[Job]) -> None:
        """More to do; names in their `after` refer to jobs added before or with them."""
        with self._changed:
            for job in jobs:
                self._unended.add(job.name)
                self._put(job)
            self._changed.notify()

    def drop(self, unwanted: Callable[[Job], bool]) -> list[Job]:
        """Take waiting jobs out of the queue; answers them."""
        with self._changed:
            dropped = [job for _, _, job in self._waiting if unwanted(job)]
            self._waiting = [entry for entry in self._waiting if not unwanted(entry[2])]
            self._unended.difference_update(job.name for job in dropped)
            self._changed.notify_all()
        return dropped

    def hurry(self) -> None:
        """Let no job wait any longer to be tried again."""
        with self._changed:
            self._held = 0.0
            for _, _, job in self._waiting:
                job.not_before = 0.0
            self._changed.notify_all()

    def hold(self, seconds: float) -> None:
        """Draw nothing from the stream for so long: who waits for an endpoint that never answered, waits for all."""
        with self._changed:
            self._held = self._clock() + seconds

    def work(self, stream: Iterator[Job]) -> None:
        """Run everything. Returns when nothing is left or, after a stop, when all running jobs have ended; raises what a job
        raised that is not one of our errors, or that its `failed` raised.
        """
        self._stream = stream
        threads = [threading.Thread(target=self._loop, name=f"worker-{n}", daemon=True) for n in range(self._workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():  # a join that never times out would keep signals from the main thread
                thread.join(0.2)
        if self._broken is not None:
            raise self._broken

    # -- one worker -----------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        try:
            while (job := self._next()) is not None:
                again: float | None = None
                try:
                    again = self._run(job)
                finally:
                    self._ended(job, again)
        except BaseException as error:  # noqa: BLE001 - whatever ends one worker ends the run, and the main thread tells it
            self._break(error)

    def _run(self, job: Job) -> float | None:
        job.attempt += 1
        try:
            job.run(job)
        except MigratorError as error:
            return job.failed(job, error)
        return None

    def _next(self) -> Job | None:
        with self._changed:
            while True:
                if self._stop.asked or self._broken is not None:
                    return None
                job, pause = self._runnable() if self._room(self._running) else (None, LOOK)
                if job is not None:
                    self._running += 1
                    self._changed.notify()  # whoever finds work wakes one more to look for some
                    return job
                if not self._running and not self._waiting and self._stream is None and self._drawn is None:
                    self._changed.notify_all()
                    return None
                self._changed.wait(pause)

    def _runnable(self) -> tuple[Job | None, float]:
        """A job that can start now with its lanes taken, or how long to wait at most before looking again."""
        now = self._clock()
        pause = 0.5
        full: set[frozenset[tuple[str, int]]] = set()  # thousands of folders may wait for one account's lanes: ask once
        for place, (_, _, job) in enumerate(self._waiting):
            if job.not_before > now:
                pause = min(pause, job.not_before - now)
            elif job.lanes not in full and not (job.after & self._unended):
                if self._lanes.take(job.needs):
                    del self._waiting[place]
                    return job, 0
                full.add(job.lanes)
        if now < self._held:
            pause = min(pause, self._held - now)
        elif len(self._waiting) < AHEAD * self._workers:
            self._draw()
            if self._drawn is not None and self._lanes.take(self._drawn.needs):
                job, self._drawn = self._drawn, None
                self._unended.add(job.name)
                return job, 0
        return None, pause

    def _draw(self) -> None:
        if self._drawn is None and self._stream is not None:
            self._drawn = next(self._stream, None)
            if self._drawn is None:
                self._stream = None

    def _put(self, job: Job) -> None:
        self._count += 1
        insort(self._waiting, (-job.weight, self._count, job), key=lambda entry: entry[:2])

    def _ended(self, job: Job, again: float | None) -> None:
        self._lanes.give(job.needs)
        with self._changed:
            self._running -= 1
            if again is None:
                self._unended.discard(job.name)
            else:
                job.not_before = self._clock() + again
                job.waited += again
                self._put(job)
            self._changed.notify()

    def _break(self, error: BaseException) -> None:
        with self._changed:
            if self._broken is None:
                self._broken = error
            self._changed.notify_all()
