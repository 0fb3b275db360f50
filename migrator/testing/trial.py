"""A stage tried out: run, previewed and verified against a state in memory, and everything the engine told on the way kept.

    trial = Trial([Stage("words", "words", step, ToyRoute(source, target))])
    result = trial.run()
    assert trial.fates() == {Fate.COPIED: 3}

No time is lost with waiting: unless the trial is given a clock of its own, time jumps over every pause the engine tells of.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from migrator.engine.contract import Fate, Finding
from migrator.engine.events import Event, Waiting
from migrator.engine.lease import utc_now
from migrator.engine.ledger import ActionRow, Store
from migrator.engine.preview import Preview, preview
from migrator.engine.report import Sums, report
from migrator.engine.run import RunResult, run
from migrator.engine.stage import Programme, Stage, Verification
from migrator.engine.stop import Stop
from migrator.engine.verify import VerifyResult, verify
from migrator.engine.walk import Surroundings
from migrator.state.lease import this_process
from migrator.state.store import open_store

T = TypeVar("T")


class SkippingClock:
    """Seconds that pass as they do, and jump over every pause that is told."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._lock = threading.Lock()
        self._to_skip: dict[int, float] = {}

    def __call__(self) -> float:
        """The seconds now. The thread that told of a pause is the one that looks at the clock to date its end; then it is over."""
        with self._lock:
            now = time.monotonic() + self._skipped
            self._skipped += self._to_skip.pop(threading.get_ident(), 0)
            return now

    def skip(self, seconds: float) -> None:
        """Jump over so many seconds after the next look of this thread."""
        with self._lock:
            me = threading.get_ident()
            self._to_skip[me] = self._to_skip.get(me, 0) + seconds


def forgetful_store() -> Store:
    """A state that ends with the process, and believes no earlier holder of its lease to be alive."""
    return open_store("sqlite://", lives=lambda _: False)


@dataclass
class Trial:
    """Stages with a memory that outlives their runs. `events` is what the newest run, preview or verification told."""

    stages: Sequence[Stage | Verification]
    workers: int = 4
    patience: float = 900.0
    store: Store = field(default_factory=forgetful_store)
    stop: Stop = field(default_factory=Stop)
    clock: Callable[[], float] | None = None  # None: pauses are skipped
    events: list[Event] = field(default_factory=list)

    def run(self) -> RunResult:
        """One run; raises what it raises."""
        claim = self.store.claim(this_process(), utc_now(), "digest", "0")
        return run(self._programme(), self.store, claim, self._around(), lambda _: 0)

    def preview(self, store: Store | None = None) -> Preview:
        """What a run would do; without a store, nothing is known of earlier ones."""
        return preview(self._programme(), self._around(), store)

    def verify(self, sample: float = 1.0) -> VerifyResult:
        """Compare both sides, as the verb does."""
        claim = self.store.claim(this_process(), utc_now(), "digest", "0", "verify")
        wanted = Verification("verify", default_sample=sample)
        return verify(self._programme(), self.store, claim, wanted, self._around(), lambda _: 0)

    # -- what became of it ---------------------------------------------------------------------------------------------

    def told(self, kind: type[T]) -> list[T]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def sums(self) -> Sums:
        """What a report would say now of everything together."""
        return report(self.store, utc_now()).sums

    def fates(self) -> Counter[Fate]:
        """How many items met each fate, over all actions."""
        counts: Counter[Fate] = Counter()
        for key in {row.ledger_key for row in self.store.actions()}:
            counts.update({fate: size.items for fate, size in self.store.fates(key).items()})
        return counts

    def actions(self) -> dict[str, ActionRow]:
        """The actions by their keys, as the newest planning left them."""
        return {row.key: row for row in self.store.actions()}

    def findings(self, source: str) -> list[Finding]:
        """What "run" or "verify" found."""
        return [finding for _, _, who, finding in self.store.findings() if who == source]

    def _programme(self) -> Programme:
        return Programme("trial", self.stages, self.workers, self.patience)

    def _around(self) -> Surroundings:
        """Surroundings for one verb: the events start anew."""
        skipping = SkippingClock()
        self.events = []

        def tell(event: Event) -> None:
            self.events.append(event)
            if isinstance(event, Waiting):
                skipping.skip(event.seconds)

        return Surroundings(tell, self.stop, self.clock or skipping, chance=lambda: 0.0, room=lambda _: True)
