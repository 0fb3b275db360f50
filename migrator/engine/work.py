"""Reading and Work: what a step holds in its hands. Here one action's items are read ahead, fenced, written and recorded.

    reader thread   items -> not settled yet -> cut into parts -> carrier.read        (one part ahead)
    this thread     fence -> intent on disk -> carrier.write -> outcomes on disk      (one part at a time)

The order of the second line is the whole promise: whatever the moment of death, what may have arrived is named by an intent, and
what an intent names is looked for behind its fence before anything is written again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager
from dataclasses import field
from itertools import islice
from typing import Any, Self, TypeVar

from pydantic import SecretStr

from migrator.engine.contract import (
    Action,
    BatchLimit,
    Carrier,
    Contract,
    Fate,
    Finding,
    Intended,
    Item,
    Loaded,
    Login,
    Outcome,
    Side,
    Size,
    Strongbox,
    Subject,
)
from migrator.engine.crew import Job
from migrator.engine.departed import Departed, Listing, by_fate, left_since, of_fact, without
from migrator.engine.events import BatchRecorded, Noted, Tell
from migrator.engine.ledger import DEPARTED, Records, Status, Store
from migrator.engine.named import known_subjects
from migrator.engine.sessions import Sessions
from migrator.engine.stage import Stage
from migrator.engine.stop import Stop
from migrator.errors import Dropped, Interrupted, MigratorError, Refused
from migrator.frozen import dataclass

R = TypeVar("R")
W = TypeVar("W")

LOOK_UP = 500  # items asked of the ledger at once
STRIKES = (
    3  # times an item may be in hand when the line breaks before it is read or written alone, and then left behind
)
ANOTHER_CHANCE = frozenset({Fate.LEFT_BEHIND, Fate.GONE})
SHRINK = 8  # how much smaller a part gets with every strike of an item in it


@dataclass(frozen=True, slots=True)
class Desk:
    """What all work of a run shares."""

    store: Store
    epoch: int
    sessions: Sessions
    stop: Stop
    tell: Tell
    noted: set[str] = field(
        default_factory=set
    )  # ledger keys of actions that have findings of a run, this or an earlier one


class StageReading:
    """`Reading` for one stage."""

    def __init__(self, stage: Stage, sessions: Sessions, store: Store | None) -> None:
        """Without a store (a preview before the first run) nothing is remembered."""
        self._stage = stage
        self._sessions = sessions
        self._store = store

    def source(self, contract: Contract[R, W], account: str) -> AbstractContextManager[R]:
        return self._sessions.reading(self._stage, Side.SOURCE, contract, account)

    def target(self, contract: Contract[R, W], account: str) -> AbstractContextManager[R]:
        return self._sessions.reading(self._stage, Side.TARGET, contract, account)

    def login(self, side: Side, account: str) -> Login:
        return self._stage.opener.login(side, account)

    @property
    def strongbox(self) -> Strongbox:
        return self._stage.opener.strongbox

    def remembered(self, action_key: str) -> Mapping[str, str]:
        return self._store.remembered(self._stage.ledger_key(action_key)) if self._store else {}

    def outcomes(self, action_key: str) -> Iterator[Outcome]:
        return self._store.outcomes(self._stage.ledger_key(action_key)) if self._store else iter(())

    def intended(self, action_key: str) -> AbstractSet[str]:
        batches = self._store.open_batches(self._stage.ledger_key(action_key)) if self._store else ()
        return frozenset(item.key for batch in batches for item in batch.items)

    def settled(self, action_key: str, keys: Sequence[str]) -> Mapping[str, Outcome]:
        return self._store.settled(self._stage.ledger_key(action_key), keys) if self._store else {}

    def counts(self, action_key: str) -> Mapping[Fate, Size]:
        return self._store.fates(self._stage.ledger_key(action_key)) if self._store else {}

    def present_counts(self, action_key: str) -> Mapping[Fate, Size]:
        return without(self.counts(action_key), of_fact(self.remembered(action_key).get(DEPARTED, "")))

    def known_subjects(self) -> Mapping[str, str]:
        return known_subjects(self._store, self._stage) if self._store else {}


class ActionWork(StageReading):
    """`Work` for one try of one action."""

    def __init__(self, stage: Stage, subject: Subject, action: Action, job: Job, desk: Desk) -> None:
        super().__init__(stage, desk.sessions, desk.store)
        self._subject = subject
        self._action = action
        self._job = job
        self._desk = desk
        self._key = stage.ledger_key(action.key)
        self._findings: list[Finding] = []
        self._recorded = threading.Lock()  # the reading thread records what it gives up
        self._waiting = _Waiting(begun=True)
        self._facts: Mapping[str, str] | None = None  # all that is remembered of this action, once asked for
        self._things = self._listed = 0
        self._present = Listing()  # what the newest pass lists
        self.seen: Size | None = None  # what the source held, once `carry` has seen all of it

    def target_for_writing(self, contract: Contract[R, W], account: str) -> AbstractContextManager[W]:
        return self._sessions.writing(self._stage, Side.TARGET, contract, account)

    def source_for_writing(self, contract: Contract[R, W], account: str) -> AbstractContextManager[W]:
        return self._sessions.writing(self._stage, Side.SOURCE, contract, account)

    def remembered(self, action_key: str) -> Mapping[str, str]:
        if action_key != self._action.key:
            return super().remembered(action_key)
        if self._facts is None:
            self._facts = super().remembered(action_key)
        return {**self._facts, **self._waiting.facts}

    def record(self, outcomes: Iterable[Outcome]) -> None:
        ended = list(outcomes)
        if ended:
            with self._recording() as records:
                records.record(self._key, ended)
            self._tell_of(ended)

    def remember(self, facts: Mapping[str, str]) -> None:
        with self._recorded:
            self._waiting.facts.update(facts)

    def forget(self) -> None:
        self._waiting.facts.clear()
        self._facts = {}
        self._desk.store.forget_items(self._desk.epoch, self._key)

    def keep_password(self, account: str, password: SecretStr) -> None:
        self._stage.opener.keep_password(account, password)

    def note(self, finding: Finding) -> None:
        self._findings.append(finding)
        self._desk.tell(Noted(self._stage.name, finding, self._subject.key))

    def edge(self) -> None:
        if self._desk.stop.asked:
            raise Interrupted(f"{self._action.label}: stopped between two batches ({self._desk.stop.words}).")

    def close(self) -> None:
        """Record that the action has ended, with the findings of this try in place of those of earlier ones."""
        left = left_since(self._desk.store, self._key, self._present, self.seen.items) if self.seen else Departed()
        if self.seen and left.fact != self.remembered(self._action.key).get(DEPARTED, ""):
            self.remember({DEPARTED: left.fact})
        self._waiting.begun = False
        with self._recording() as records:
            if left.gone:
                records.record(self._key, left.gone)
            if self._findings or self._key in self._desk.noted:
                records.found(self._stage.name, self._key, "run", self._findings)
                self._desk.noted.add(self._key)
            records.progressed(self._stage.name, self._key, Status.DONE, total=self.seen)

    def break_off(self) -> None:
        """Record what has waited: this try of the action has failed."""
        with self._recording():
            pass

    @contextmanager
    def _recording(self) -> Iterator[Records]:
        """One transaction, which takes along what has waited for it."""
        with self._recorded:
            waiting = self._waiting
            with self._desk.store.recording(self._desk.epoch) as records:
                if waiting.begun:
                    records.progressed(self._stage.name, self._key, Status.RUNNING)
                if waiting.facts:
                    records.remember(self._key, waiting.facts)
                yield records
            if self._facts is not None:
                self._facts = {**self._facts, **waiting.facts}
            self._waiting = _Waiting()

    # -- the road of the items -------------------------------------------------------------------------------------------

    def carry(self, carrier: Carrier[Any], limit: BatchLimit = BatchLimit()) -> None:  # noqa: B008 - frozen
        self.edge()
        self.resolve(carrier)
        recorded = sum(size.items for size in self.counts(self._action.key).values())
        with _ReadAhead(self._loads(carrier, limit, recorded)) as ahead:
            for part in ahead:
                self.edge()
                self._settle(carrier, part)

    def resolve(self, carrier: Carrier[Any]) -> bool:
        batches = self._desk.store.open_batches(self._key)
        for batch in batches:
            self._close_batch(batch.number, carrier.landed(batch.fence, batch.items))
        return bool(batches)

    def _loads(
        self, carrier: Carrier[Any], limit: BatchLimit, recorded: int
    ) -> Iterator[Sequence[Loaded[Any] | Outcome]]:
        for part in self._parts(carrier, limit, recorded):
            with self._striking(part):
                answers = carrier.read(part)
            answered = {answer.key for answer in answers}
            gone = [
                Outcome(item.key, Fate.GONE, size=item.size, things=item.things)
                for item in part
                if item.key not in answered
            ]
            self._things += sum(map(_things, answers)) + sum(map(_things, gone))
            yield [*answers, *gone]
        self.seen = Size(self._things, self._listed)

    def _parts(self, carrier: Carrier[Any], limit: BatchLimit, recorded: int) -> Iterator[Sequence[Item]]:
        """What is not settled, in order, cut by count and bytes; items that were in hand when a line broke in smaller parts."""
        part: list[Item] = []
        room_items, room_bytes = limit.items, limit.bytes
        for item in self._unsettled(carrier.items(), recorded):
            most = max(1, limit.items // SHRINK ** self._job.strikes[item.key])
            if part and (len(part) >= min(room_items, most) or item.size > room_bytes):
                yield part
                part, room_items, room_bytes = [], limit.items, limit.bytes
            part.append(item)
            room_items = min(room_items, most)
            room_bytes -= item.size
        if part:
            yield part

    def _unsettled(self, items: Iterable[Item], recorded: int) -> Iterator[Item]:
        """Items without an outcome; what an earlier run left behind, or found gone, gets another chance, once in a run."""
        stream = iter(items)
        self._things = self._listed = 0
        self._present = Listing()
        while portion := list(islice(stream, LOOK_UP)):
            settled = self.settled(self._action.key, [item.key for item in portion]) if recorded else {}
            self._listed += sum(item.size for item in portion)
            for item in portion:
                self._present.add(item.key)
                outcome = settled.get(item.key)
                if outcome is None or (outcome.fate in ANOTHER_CHANCE and item.key not in self._job.tried):
                    yield item  # what it stands for is counted when it is read
                else:
                    self._things += _things(outcome)

    def _settle(self, carrier: Carrier[Any], part: Sequence[Loaded[Any] | Outcome]) -> None:
        settled = [answer for answer in part if isinstance(answer, Outcome)]
        self._job.tried.update(outcome.key for outcome in settled)
        self.record(settled)
        loaded = [answer for answer in part if isinstance(answer, Loaded)]
        if loaded:
            self._write(carrier, loaded)

    def _write(self, carrier: Carrier[Any], part: Sequence[Loaded[Any]]) -> None:
        fence = carrier.fence()
        intended = [Intended(one.key, one.size, one.digest) for one in part]
        with self._recording() as records:
            number = records.open_batch(self._key, fence, intended)
        try:
            with self._striking(part):
                outcomes = carrier.write(part)
        except Refused as refusal:
            self._split(carrier, part, refusal, number, fence)
            return
        # Not before: what was in hand when a line broke has had no chance yet.
        self._job.tried.update(one.key for one in part)
        self._close_batch(number, outcomes)

    def _split(
        self, carrier: Carrier[Any], part: Sequence[Loaded[Any]], refusal: Refused, number: int, fence: str
    ) -> None:
        """Halve a refused batch until the guilty item stands alone; that one is left behind with the server's words."""
        if len(part) == 1:
            outcomes = [_left_behind(part[0], refusal)]
        else:
            outcomes = list(carrier.landed(fence, [Intended(one.key, one.size, one.digest) for one in part]))
        self._close_batch(number, outcomes)
        ended = {outcome.key for outcome in outcomes}
        self._job.tried.update(ended)
        rest = [one for one in part if one.key not in ended]
        half = (len(rest) + 1) // 2
        for some in (rest[:half], rest[half:]):
            if some:
                self.edge()
                self._write(carrier, some)

    def _close_batch(self, number: int, outcomes: Sequence[Outcome]) -> None:
        with self._recording() as records:
            records.close_batch(number, outcomes)
        self._tell_of(outcomes)

    @contextmanager
    def _striking(self, part: Sequence[Item] | Sequence[Loaded[Any]]) -> Iterator[None]:
        """Remember what was in hand when the line broke; an item that broke it alone, time after time, is left behind."""
        try:
            yield
        except Dropped as error:
            self._job.strikes.update(one.key for one in part)
            if len(part) == 1 and self._job.strikes[part[0].key] >= STRIKES:
                self._job.tried.add(part[0].key)
                self.record([_left_behind(part[0], error)])
            raise

    def _tell_of(self, outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            self._desk.tell(BatchRecorded(self._stage.name, self._subject.key, self._action, by_fate(outcomes)))


def _left_behind(item: Item | Loaded[Any], error: MigratorError) -> Outcome:
    return Outcome(item.key, Fate.LEFT_BEHIND, size=item.size, note=str(error), cure=error.remedy, things=item.things)


def _things(one: Loaded[Any] | Outcome) -> int:
    return one.things + one.as_sent if isinstance(one, Outcome) else one.things


@dataclass(slots=True)
class _Waiting:
    """What may wait for the next record of its action: to die before it is to have died a little earlier."""

    begun: bool = False
    facts: dict[str, str] = field(default_factory=dict)


class _ReadAhead:
    """Runs an iterator in a thread of its own, exactly one element ahead of whoever consumes it."""

    def __init__(self, elements: Iterator[Sequence[Loaded[Any] | Outcome]]) -> None:
        self._elements = elements
        self._ready: queue.SimpleQueue[tuple[Sequence[Loaded[Any] | Outcome] | None, BaseException | None]] = (
            queue.SimpleQueue()
        )
        self._room = threading.Semaphore(1)
        self._wanted = True
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wanted = False
        self._room.release()
        self._thread.join()

    def __iter__(self) -> Iterator[Sequence[Loaded[Any] | Outcome]]:
        while True:
            element, error = self._ready.get()
            if error is not None:
                raise error
            if element is None:
                return
            self._room.release()
            yield element

    def _run(self) -> None:
        try:
            while True:
                self._room.acquire()
                element = next(self._elements, None) if self._wanted else None
                self._ready.put((element, None))
                if element is None:
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the consuming thread
            self._ready.put((None, error))
