"""Holding the lease: a sign of life every few seconds, and one record of how it ended, whatever happens in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from migrator.engine.ledger import Ending, Store
from migrator.engine.stop import Stop
from migrator.engine.work import Desk
from migrator.errors import StateError

BEAT = 10.0  # seconds
BUG = 1  # the exit code recorded when an error of ours ends the run

End = Callable[[Ending, int, str], None]


def utc_now() -> datetime:
    """Now, aware, UTC."""
    return datetime.now(UTC)


@contextmanager
def lease_held(desk: Desk, now: Callable[[], datetime] = utc_now) -> Iterator[End]:
    """Beat while the body runs; the body calls what it is given once, with ending, exit code and words. If it cannot, the run is
    recorded as failed. Sessions are closed on the way out. Raises what the beat met (LeaseLost, StateFull).
    """
    ended = False

    def end(ending: Ending, exit_code: int, words: str) -> None:
        nonlocal ended
        beat.check()
        desk.store.end_run(desk.epoch, now(), ending, exit_code, words)
        ended = True

    beat = _Beat(desk.store, desk.epoch, now, desk.stop)
    try:
        with beat:
            yield end
    finally:
        desk.sessions.close()
        if not ended:
            with suppress(StateError):  # the error under way says more than a second one about its record
                desk.store.end_run(desk.epoch, now(), Ending.FAILED, BUG, "an error")


class _Beat:
    """The thread that beats; the first to learn that another run took the lease."""

    def __init__(self, store: Store, epoch: int, now: Callable[[], datetime], stop: Stop) -> None:
        self._store = store
        self._epoch = epoch
        self._now = now
        self._stop = stop
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._error: StateError | None = None

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Raises what a beat met."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while not self._ended.wait(BEAT):
            try:
                self._store.heartbeat(self._epoch, self._now())
            except StateError as error:
                self._error = error
                self._stop.ask(str(error))
                return
