"""A process that dies at a chosen moment: before or after any write to the state or to a server.

`Mortality` counts the moments. At the chosen one it raises Died, and again at every later one, so nothing of a dead process
writes on, whichever thread it is. Died is no Exception: nothing that catches errors can catch it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from migrator.engine.contract import Finding, Intended, Outcome
from migrator.engine.ledger import ActionRow, Ending, OpenBatch, Records, Status, Store, SubjectTrouble

T = TypeVar("T")


class Died(BaseException):
    """The process is gone."""


class Mortality:
    """Counts moments and dies at one of them, or at none (`at` 0)."""

    def __init__(self, at: int = 0) -> None:
        self._at = at
        self._lock = threading.Lock()
        self._dead = False
        self.moments: list[str] = []

    def moment(self, what: str) -> None:
        """One moment passes."""
        with self._lock:
            if self._dead:
                raise Died
            self.moments.append(what)
            if len(self.moments) == self._at:
                self._dead = True
                raise Died


class MortalStore:
    """A store whose every write is two moments: before it, and after it."""

    def __init__(self, store: Store, mortality: Mortality) -> None:
        self._store = store
        self._mortality = mortality

    def __getattr__(self, name: str) -> Any:  # Any: questions go to the store as they are
        return getattr(self._store, name)

    def open_batch(self, epoch: int, ledger_key: str, fence: str, items: Sequence[Intended]) -> int:
        return self._write("intent", lambda: self._store.open_batch(epoch, ledger_key, fence, items))

    def close_batch(self, epoch: int, number: int, outcomes: Sequence[Outcome]) -> None:
        self._write("outcomes", lambda: self._store.close_batch(epoch, number, outcomes))

    def record(self, epoch: int, ledger_key: str, outcomes: Sequence[Outcome]) -> None:
        self._write("record", lambda: self._store.record(epoch, ledger_key, outcomes))

    def remember(self, epoch: int, ledger_key: str, facts: Mapping[str, str]) -> None:
        self._write("remember", lambda: self._store.remember(epoch, ledger_key, facts))

    def forget_items(self, epoch: int, ledger_key: str) -> None:
        self._write("forget", lambda: self._store.forget_items(epoch, ledger_key))

    def planned(self, epoch: int, actions: Sequence[ActionRow]) -> None:
        self._write("planned", lambda: self._store.planned(epoch, actions))

    def progressed(self, epoch: int, step: str, ledger_key: str, status: Status, why: str = "", cure: str = "") -> None:
        self._write("progressed", lambda: self._store.progressed(epoch, step, ledger_key, status, why, cure))

    def trouble(self, epoch: int, trouble: SubjectTrouble) -> None:
        self._write("trouble", lambda: self._store.trouble(epoch, trouble))

    def found(self, epoch: int, step: str, ledger_key: str, source: str, findings: Sequence[Finding]) -> None:
        self._write("found", lambda: self._store.found(epoch, step, ledger_key, source, findings))

    def end_run(self, epoch: int, now: datetime, ending: Ending, exit_code: int, words: str) -> None:
        self._write("end", lambda: self._store.end_run(epoch, now, ending, exit_code, words))

    @contextmanager
    def recording(self, epoch: int) -> Iterator[Records]:
        self._mortality.moment("before records")
        with self._store.recording(epoch) as records:
            yield records
        self._mortality.moment("after records")

    def _write(self, what: str, effect: Callable[[], T]) -> T:
        self._mortality.moment(f"before {what}")
        result = effect()
        self._mortality.moment(f"after {what}")
        return result


class FencelessStore(MortalStore):
    """A store that forgets its intents: with it, dying must do harm. It proves that a crash test would notice."""

    def open_batches(self, ledger_key: str) -> Sequence[OpenBatch]:  # noqa: ARG002 - that is the point
        return ()
