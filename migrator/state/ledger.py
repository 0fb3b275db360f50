"""The ledger in SQL: the one place that puts questions and records to the tables.

Writing happens on one connection, one transaction a method, under a lock; `store.py` sees to it that such a transaction starts by
locking out other processes and ends on the disk. Reading happens beside it, on connections of its own. A listing is read page by
page, each page a question of its own that starts behind the last key: nothing stays open while the caller works (on SQLite a
reader left open would keep the log from ever being folded back), and memory holds one page.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    case,
    column,
    delete,
    func,
    insert,
    select,
    text,
    true,
    tuple_,
    update,
)

from migrator.engine.contract import ARRIVED, Fate, Finding, Intended, Outcome, Size, Weight
from migrator.engine.departed import of_fact, without
from migrator.engine.ledger import (
    DEPARTED,
    UNNAMED,
    ActionRow,
    Claim,
    Ending,
    Holder,
    OpenBatch,
    Records,
    RunRow,
    Status,
    SubjectTrouble,
    Tally,
)
from migrator.errors import LeaseLost, StateError
from migrator.state.failures import sensible, translated
from migrator.state.lease import held, is_held
from migrator.state.tables import (
    CALLED,
    NOT_AS_SENT,
    AnyText,
    actions,
    facts,
    findings,
    intents,
    items,
    lease,
    ledger,
    runs,
    storable,
    sums,
    troubles,
)
from migrator.state.told import LEASE_LOST, NOT_OPEN, ToldRecords, newest_batch, tell

K = TypeVar("K")
T = TypeVar("T")

AnyRow = Row[*tuple[Any, ...]]  # Any: SQLAlchemy types a row by the statement that asked for it, not by its table
AnySelect = Select[*tuple[Any, ...]]

_PAGE = 2000  # rows of a listing held in memory at once
_KEYS = 500  # keys in one question; a batch has as many

# Built once, so that SQLAlchemy finds its compiled form by identity on the paths that run for every batch.
_SIGN = (
    update(lease)
    .where(lease.c.epoch == bindparam("of_epoch"), lease.c.run.is_not(None))
    .values(last_sign=bindparam("at"))
)
_NUMBER = select(ledger.c.number).where(ledger.c.key == bindparam("of_key"))
_NUMBERS = select(ledger.c.key, ledger.c.number).where(ledger.c.key.in_(bindparam("of_keys", expanding=True)))
_FIELDS = (
    items.c.key,
    items.c.fate,
    items.c.ref,
    items.c.size,
    items.c.digest,
    items.c.mark,
    items.c.note,
    items.c.cure,
    items.c.things,
    items.c.as_sent,
    items.c.about,
)
_OUTCOME = select(*_FIELDS)  # in the order of Outcome's fields
_OF_ACTION = items.c.action == bindparam("of_action")
_STRIKE_ITEMS = delete(items).where(_OF_ACTION, items.c.key == bindparam("of_key"))
_KEEP_ITEMS = insert(items)


def _by_keys(*columns: ColumnElement[Any]) -> Mapping[str, AnySelect]:
    """How to ask for some items of an action by their keys (see `_keys_for`), by the name of the database.

    PostgreSQL, guessing from a table it has not analysed yet, would compare every item of the action with every key. The OFFSET
    keeps it from guessing: one look-up in the primary key for each.
    """
    listed = select(func.json_each(bindparam("of_keys")).table_valued("value").c.value)
    keys = func.unnest(bindparam("of_keys", type_=ARRAY(AnyText)))
    asked = keys.table_valued(column("key", AnyText), name="asked").render_derived()
    one = select(*columns).where(_OF_ACTION, items.c.key == asked.c.key).offset(0).lateral("one")
    return {
        "sqlite": select(*columns).where(_OF_ACTION, items.c.key.in_(listed)),
        "postgresql": select(one).select_from(asked.join(one, true())),
    }


_SETTLED = _by_keys(*_FIELDS)
_WEIGHED = _by_keys(items.c.key, items.c.fate, items.c.size, items.c.things, items.c.as_sent)

_OF_KEY = ledger.c.key == bindparam("of_key")
_OPEN_BATCHES = (
    select(intents.c.number, intents.c.fence, intents.c["items"])
    .join(ledger, ledger.c.number == intents.c.action)
    .where(_OF_KEY)
    .order_by(intents.c.number)
)
_REMEMBERED = select(facts.c.name, facts.c.value).join(ledger, ledger.c.number == facts.c.action).where(_OF_KEY)
_FATES = (
    select(sums.c.fate, sums.c["items"], sums.c.bytes)
    .join(ledger, ledger.c.number == sums.c.action)
    .where(_OF_KEY, sums.c["items"] > 0)
)
_ALL_FATES = (
    select(ledger.c.key, sums.c.fate, sums.c["items"], sums.c.bytes)
    .join(ledger, ledger.c.number == sums.c.action)
    .where(sums.c["items"] > 0)
)
_NOTED = (items.c.fate, items.c.note, items.c.cure)
_NOTES = (
    select(ledger.c.key, *_NOTED, func.sum(items.c.things))
    .join(ledger, ledger.c.number == items.c.action)
    .where(items.c.note != "")
    .group_by(items.c.action, ledger.c.key, *_NOTED)
    .order_by(items.c.action, *_NOTED)
)

# Both databases speak this dialect of INSERT, SQLAlchemy has a construct of its own for each.
_ADD_SUM = text(
    "INSERT INTO sums (action, fate, items, bytes) VALUES (:of_action, :of_fate, :more_items, :more_bytes)"
    " ON CONFLICT (action, fate) DO UPDATE SET items = sums.items + excluded.items, bytes = sums.bytes + excluded.bytes"
).bindparams(bindparam("of_fate", type_=sums.c.fate.type))
_KEEP_FACT = text(
    "INSERT INTO facts (action, name, value) VALUES (:action, :name, :value)"
    " ON CONFLICT (action, name) DO UPDATE SET value = excluded.value"
).bindparams(bindparam("name", type_=AnyText), bindparam("value", type_=AnyText))
_INTEND = insert(intents)
_STRIKE_INTENT = delete(intents).where(intents.c.number == bindparam("of_number")).returning(intents.c.action)

# Also asked of an older state before it is upgraded, so it names only columns of the first schema.
_RUN = select(
    runs.c.number,
    runs.c.epoch,
    runs.c.host,
    runs.c.boot,
    runs.c.pid,
    runs.c.started,
    runs.c.began,
    func.coalesce(lease.c.last_sign, runs.c.last_sign).label("last_sign"),
    runs.c.ended,
    runs.c.ending,
    runs.c.exit_code,
    runs.c.words,
    runs.c.purpose,
).select_from(runs.outerjoin(lease, lease.c.run == runs.c.number))


def current_run(connection: Connection) -> RunRow | None:
    """The run that holds the lease, dead or alive."""
    row = connection.execute(_RUN.where(lease.c.run.is_not(None))).one_or_none()
    return None if row is None else _run(row)


class SqlStore:
    """The Store of the engine, kept in SQLite or PostgreSQL. Made by `open_store` and `open_for_questions`.

    `name` is what messages call it. Without a `writer` it answers questions only. Where `reader` is the writer itself (a database in
    memory has one connection), questions wait for their turn. `now` dates the sign of life that every record is.
    """

    def __init__(
        self,
        name: str,
        reader: Engine,
        writer: Engine | None,
        now: Callable[[], datetime],
        lives: Callable[[Holder], bool],
    ) -> None:
        self._name = name
        self._reader = reader
        self._writer = writer
        self._now = now
        self._lives = lives
        self._lock = threading.Lock()
        self._filed: set[str] = set()  # ledger keys that have a number
        self._newest_batch: int | None = None  # once a batch was opened under the lease

    # -- the lease ----------------------------------------------------------------------------------------------------

    def claim(self, holder: Holder, now: datetime, plan_digest: str, version: str, purpose: str = "run") -> Claim:
        # Asked first without a transaction: a living run may be in the middle of a long one, and the refusal must not wait for it.
        self._refuse_held(self.current(), holder, now)
        with self._writing() as connection:
            _lock_lease(connection)
            self._newest_batch = None  # others may have opened some meanwhile
            self._refuse_held(current_run(connection), holder, now)
            return _take(connection, holder, now, plan_digest, version, purpose)

    def seize(self, holder: Holder, now: datetime, plan_digest: str, version: str, purpose: str = "run") -> Claim:
        with self._writing() as connection:
            _lock_lease(connection)
            self._newest_batch = None  # others may have opened some meanwhile
            run = current_run(connection)
            lived = run is not None and is_held(run, holder, now, self._lives)
            claim = _take(connection, holder, now, plan_digest, version, purpose)
            was_run = run is not None and claim.previous is not None and claim.previous.number == run.number
            return replace(claim, taken=lived and was_run)

    def heartbeat(self, epoch: int, now: datetime) -> None:
        with self._recording(epoch, now):
            pass  # signing is all there is to do

    def end_run(self, epoch: int, now: datetime, ending: Ending, exit_code: int, words: str) -> None:
        with self._recording(epoch, now) as connection:
            end = {"last_sign": now, "ended": now, "ending": ending, "exit_code": exit_code, "words": words}
            connection.execute(update(runs).where(runs.c.epoch == epoch).values(end))
            connection.execute(update(lease).values(run=None, last_sign=None))

    # -- planning -----------------------------------------------------------------------------------------------------

    def planned(self, epoch: int, actions: Sequence[ActionRow]) -> None:
        with self._recording(epoch) as connection:
            _keep_actions(connection, actions)
            subjects = {(row.step, row.subject, row.ledger_key.removesuffix(row.key) + row.subject) for row in actions}
            for step, subject, ledger_key in subjects:
                _forget_trouble(connection, step, subject)
                connection.execute(delete(troubles).where(troubles.c.ledger_key == ledger_key))

    def trouble(self, epoch: int, trouble: SubjectTrouble) -> None:
        with self._recording(epoch) as connection:
            _forget_trouble(connection, trouble.step, trouble.subject)
            row = {
                "step": trouble.step,
                "subject": trouble.subject,
                "label": trouble.label,
                "code": trouble.code,
                "text": trouble.text,
                "remedy": trouble.remedy,
                "run": trouble.run,
                "ledger_key": trouble.ledger_key,
            }
            connection.execute(insert(troubles), row)

    def progressed(self, epoch: int, step: str, ledger_key: str, status: Status, why: str = "", cure: str = "") -> None:
        with self.recording(epoch) as records:
            records.progressed(step, ledger_key, status, why, cure)

    # -- items --------------------------------------------------------------------------------------------------------

    @contextmanager
    def recording(self, epoch: int) -> Iterator[Records]:
        if self._writer is not None and self._writer.dialect.name == "sqlite":
            told = ToldRecords(self._next_batch, self._filed)
            yield told
            self._tell(self._writer, epoch, told)
            return
        with self._recording(epoch) as connection:
            yield SqlRecords(self._name, connection)

    def _tell(self, writer: Engine, epoch: int, told: ToldRecords) -> None:
        try:
            with translated(self._name), self._lock:
                tell(writer, epoch, self._now(), told.rows)
        except StateError as error:
            words = str(error.__cause__)
            if words == LEASE_LOST:
                raise _lost(self.current()) from None
            if words == NOT_OPEN:
                raise _not_open(self._name, told.closed) from None
            raise
        self._filed |= told.keys

    def _next_batch(self) -> int:
        assert self._writer is not None
        with translated(self._name), self._lock:
            if self._newest_batch is None:
                self._newest_batch = newest_batch(self._writer)
            self._newest_batch += 1
            return self._newest_batch

    def open_batch(self, epoch: int, ledger_key: str, fence: str, items: Sequence[Intended]) -> int:
        with self.recording(epoch) as records:
            return records.open_batch(ledger_key, fence, items)

    def close_batch(self, epoch: int, number: int, outcomes: Sequence[Outcome]) -> None:
        with self.recording(epoch) as records:
            records.close_batch(number, outcomes)

    def record(self, epoch: int, ledger_key: str, outcomes: Sequence[Outcome]) -> None:
        with self.recording(epoch) as records:
            records.record(ledger_key, outcomes)

    def open_batches(self, ledger_key: str) -> Sequence[OpenBatch]:
        with self._asking() as connection:
            return [
                OpenBatch(number, ledger_key, fence, tuple(Intended(*item) for item in json.loads(told)))
                for number, fence, told in connection.execute(_OPEN_BATCHES, {"of_key": ledger_key})
            ]

    def is_under_way(self) -> bool:
        with self._asking() as connection:
            return connection.execute(select(intents.c.action).limit(1)).first() is not None

    def settled(self, ledger_key: str, keys: Sequence[str]) -> Mapping[str, Outcome]:
        with self._asking() as connection:
            action = connection.scalar(_NUMBER, {"of_key": ledger_key})
            if action is None:
                return {}
            return {
                row.key: _outcome(row)
                for some in _portions(keys)
                for row in connection.execute(_SETTLED[connection.dialect.name], _keys_for(connection, action, some))
            }

    def outcomes(self, ledger_key: str) -> Iterator[Outcome]:
        action = self._number(ledger_key)
        if action is None:
            return
        of_action = _OUTCOME.where(items.c.action == action).order_by(items.c.key)
        yield from self._pages(
            lambda last: of_action if last is None else of_action.where(items.c.key > last),
            _outcome,
            lambda row: str(row.key),
        )

    def remember(self, epoch: int, ledger_key: str, facts: Mapping[str, str]) -> None:
        with self.recording(epoch) as records:
            records.remember(ledger_key, facts)

    def remembered(self, ledger_key: str) -> Mapping[str, str]:
        with self._asking() as connection:
            return {row.name: row.value for row in connection.execute(_REMEMBERED, {"of_key": ledger_key})}

    def forget_items(self, epoch: int, ledger_key: str) -> None:
        with self._recording(epoch) as connection:
            action = connection.scalar(_NUMBER, {"of_key": ledger_key})
            for table in (items, sums, intents, facts):
                connection.execute(delete(table).where(table.c.action == action))

    # -- findings -----------------------------------------------------------------------------------------------------

    def found(self, epoch: int, step: str, ledger_key: str, source: str, findings: Sequence[Finding]) -> None:
        with self.recording(epoch) as records:
            records.found(step, ledger_key, source, findings)

    # -- questions ----------------------------------------------------------------------------------------------------

    def runs(self) -> Sequence[RunRow]:
        with self._asking() as connection:
            return [_run(row) for row in connection.execute(_RUN.order_by(runs.c.number))]

    def current(self) -> RunRow | None:
        with self._asking() as connection:
            return current_run(connection)

    def actions(self, step: str | None = None) -> Iterator[ActionRow]:
        place = tuple_(actions.c.step, actions.c.position, actions.c.action)
        listing = (
            select(actions, ledger.c.key.label("ledger_key"))
            .join(ledger, ledger.c.number == actions.c.action)
            .order_by(actions.c.step, actions.c.position, actions.c.action)
        )
        if step is not None:
            listing = listing.where(actions.c.step == step)
        return self._pages(
            lambda last: listing if last is None else listing.where(place > last),
            _action,
            lambda row: (row.step, row.position, row.action),
        )

    def troubles(self) -> Sequence[SubjectTrouble]:
        columns = ("step", "subject", "label", "code", "text", "remedy", "run", "ledger_key")
        with self._asking() as connection:
            listing = select(*(troubles.c[word] for word in columns)).order_by(troubles.c.step, troubles.c.subject)
            return [SubjectTrouble(*row) for row in connection.execute(listing)]

    def fates(self, ledger_key: str) -> Mapping[Fate, Size]:
        with self._asking() as connection:
            return {fate: Size(count, size) for fate, count, size in connection.execute(_FATES, {"of_key": ledger_key})}

    def all_remembered(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        listing = (
            select(ledger.c.key, facts.c.name, facts.c.value)
            .join(ledger, ledger.c.number == facts.c.action)
            .where(facts.c.name.in_(names))
        )
        kept: dict[str, dict[str, str]] = {}
        with self._asking() as connection:
            for ledger_key, name, value in connection.execute(listing):
                kept.setdefault(ledger_key, {})[name] = value
        return kept

    def all_fates(self) -> Mapping[str, Mapping[Fate, Size]]:
        counts: dict[str, dict[Fate, Size]] = {}
        with self._asking() as connection:
            for ledger_key, fate, count, size in connection.execute(_ALL_FATES):
                counts.setdefault(ledger_key, {})[fate] = Size(count, size)
        return counts

    def notes(self) -> Mapping[str, Sequence[tuple[Fate, str, str, int]]]:
        noted: dict[str, list[tuple[Fate, str, str, int]]] = {}
        with self._asking() as connection:
            for ledger_key, fate, note, cure, count in connection.execute(_NOTES):
                noted.setdefault(ledger_key, []).append((fate, note, cure, int(count)))
        return noted

    def left_behind(self) -> Iterator[tuple[str, Outcome]]:
        return self._outcomes_where(NOT_AS_SENT)

    def called(self) -> Iterator[tuple[str, Outcome]]:
        return self._outcomes_where(CALLED)

    def _outcomes_where(self, words: str) -> Iterator[tuple[str, Outcome]]:
        place = tuple_(items.c.action, items.c.key)
        listing = (
            _OUTCOME.add_columns(items.c.action, ledger.c.key.label("ledger_key"))
            .join(ledger, ledger.c.number == items.c.action)
            .where(text(words))
            .order_by(items.c.action, items.c.key)
        )
        return self._pages(
            lambda last: listing if last is None else listing.where(place > last),
            lambda row: (str(row.ledger_key), _outcome(row)),
            lambda row: (row.action, row.key),
        )

    def findings(self) -> Iterator[tuple[str, str, str, Finding]]:
        listing = (
            select(findings, ledger.c.key.label("ledger_key"))
            .join(ledger, ledger.c.number == findings.c.action)
            .order_by(findings.c.number)
        )
        return self._pages(
            lambda last: listing if last is None else listing.where(findings.c.number > last),
            lambda row: (
                row.step,
                row.ledger_key,
                row.source,
                Finding(row.code, Weight(row.weight), row.about, row.text, row.remedy),
            ),
            lambda row: int(row.number),
        )

    def tally(self) -> Tally:
        with self._asking() as connection:
            return _tally(connection)

    def close(self) -> None:
        self._reader.dispose()
        if self._writer is not None:
            with self._lock:
                self._writer.dispose()

    # -- how we speak to the database -----------------------------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that no other writer shares; committed at the end, undone by any error."""
        if self._writer is None:
            raise StateError(f"{self._name} is open for questions only.")
        with translated(self._name), self._lock, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _recording(self, epoch: int, now: datetime | None = None) -> Iterator[Connection]:
        """A transaction of the run that holds the lease. Raises LeaseLost, recording nothing, for any other."""
        with self._writing() as connection:
            signed = connection.execute(_SIGN, {"of_epoch": epoch, "at": now or self._now()})
            if signed.rowcount != 1:
                raise _lost(current_run(connection))
            yield connection

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        turn = self._lock if self._reader is self._writer else nullcontext()
        with translated(self._name), sensible(self._name), turn, self._reader.connect() as connection:
            yield connection

    def _pages(
        self,
        behind: Callable[[K | None], AnySelect],
        noun: Callable[[AnyRow], T],
        place: Callable[[AnyRow], K],
    ) -> Iterator[T]:
        """The nouns of a listing, asked for page by page; `behind` starts it after the place of the last row."""
        last: K | None = None
        while True:
            with self._asking() as connection:
                page = connection.execute(behind(last).limit(_PAGE)).all()
                nouns = [noun(row) for row in page]
            yield from nouns
            if len(page) < _PAGE:
                return
            last = place(page[-1])

    def _number(self, ledger_key: str) -> int | None:
        with self._asking() as connection:
            number: int | None = connection.scalar(_NUMBER, {"of_key": ledger_key})
            return number

    def _refuse_held(self, run: RunRow | None, here: Holder, now: datetime) -> None:
        if run is not None and is_held(run, here, now, self._lives):
            raise held(run, here)


# -- the lease, within a transaction -----------------------------------------------------------------------------------


def _lock_lease(connection: Connection) -> None:
    """Wait for a record in progress and keep others out. SQLite's transactions do that from their start."""
    connection.execute(select(lease.c.epoch).with_for_update()).one()


def _take(connection: Connection, holder: Holder, now: datetime, plan_digest: str, version: str, purpose: str) -> Claim:
    """Make the next run and hand it the lease; the one before, if it never ended, keeps its last sign and stays without an end."""
    interrupted = current_run(connection)
    if interrupted is not None:
        connection.execute(
            update(runs).where(runs.c.number == interrupted.number).values(last_sign=interrupted.last_sign)
        )
    previous = _newest(connection)
    number = (connection.scalar(select(func.max(runs.c.number))) or 0) + 1
    epoch = connection.scalars(select(lease.c.epoch)).one() + 1
    run = RunRow(number, epoch, holder, began=now, last_sign=now, purpose=purpose)
    row = {
        "number": number,
        "epoch": epoch,
        "host": holder.host,
        "boot": holder.boot,
        "pid": holder.pid,
        "started": holder.started,
        "began": now,
        "last_sign": now,
        "words": "",
        "purpose": purpose,
        "plan_digest": plan_digest,
        "version": version,
    }
    connection.execute(insert(runs), row)
    connection.execute(update(lease).values(epoch=epoch, run=number, last_sign=now))
    resumes = previous is not None and previous.ending not in {Ending.DONE, Ending.LEFT_BEHIND}
    return Claim(run, previous, resumes)


def _newest(connection: Connection) -> RunRow | None:
    """The newest run that moved something; a verification has nothing to be resumed."""
    row = connection.execute(_RUN.where(runs.c.purpose == "run").order_by(runs.c.number.desc()).limit(1)).one_or_none()
    return None if row is None else _run(row)


def _not_open(name: str, numbers: Sequence[int]) -> StateError:
    which = " or ".join(map(str, numbers))
    return StateError(f"{name}: batch {which} is not open, so its outcomes cannot be recorded.")


def _lost(run: RunRow | None) -> LeaseLost:
    if run is None:
        return LeaseLost("This run has ended and can record nothing more.")
    by = f"run {run.number}, process {run.holder.pid} on {run.holder.host}"
    return LeaseLost(
        f"This run's hold on the plan was taken by another: {by}.",
        remedy="Nothing of this run is lost; the other one goes on from its last record.",
    )


# -- records, within a transaction -------------------------------------------------------------------------------------


class SqlRecords:
    """The Records of the engine, statement by statement within one transaction."""

    def __init__(self, name: str, connection: Connection) -> None:
        self._name = name
        self._connection = connection

    def progressed(
        self, step: str, ledger_key: str, status: Status, why: str = "", cure: str = "", total: Size | None = None
    ) -> None:
        told: dict[str, object] = {word: said for word, said in (("why", why), ("cure", cure)) if said}
        if total is not None:
            told |= {"total_items": total.items, "total_bytes": total.bytes}
        values = {"of_step": step, "of_action": _number(self._connection, ledger_key), "now": status, **told}
        self._connection.execute(_progress(*told), values)

    def open_batch(self, ledger_key: str, fence: str, items: Sequence[Intended]) -> int:
        told = json.dumps([(item.key, item.size, item.digest) for item in items], separators=(",", ":"))
        kept = self._connection.execute(
            _INTEND, {"action": _file(self._connection, ledger_key), "fence": fence, "items": told}
        )
        return _made(kept.inserted_primary_key)

    def close_batch(self, number: int, outcomes: Sequence[Outcome]) -> None:
        action = self._connection.scalar(_STRIKE_INTENT, {"of_number": number})
        if action is None:
            raise _not_open(self._name, [number])
        _keep_outcomes(self._connection, action, outcomes)

    def record(self, ledger_key: str, outcomes: Sequence[Outcome]) -> None:
        _keep_outcomes(self._connection, _file(self._connection, ledger_key), outcomes)

    def remember(self, ledger_key: str, facts: Mapping[str, str]) -> None:
        action = _file(self._connection, ledger_key)
        if facts:
            kept = [{"action": action, "name": name, "value": value} for name, value in facts.items()]
            self._connection.execute(_KEEP_FACT, kept)

    def found(self, step: str, ledger_key: str, source: str, findings: Sequence[Finding]) -> None:
        _replace_findings(self._connection, step, _file(self._connection, ledger_key), source, findings)


@cache
def _progress(*told: str) -> Update:
    """How to keep an action's status and what else is told of it."""
    this = (actions.c.step == bindparam("of_step"), actions.c.action == bindparam("of_action"))
    run = select(lease.c.run).scalar_subquery()
    return (
        update(actions)
        .where(*this)
        .values(status=bindparam("now"), run=run, **{word: bindparam(word) for word in told})
    )


def _number(connection: Connection, ledger_key: str) -> int | None:
    """The number under which the ledger files an action, None if it has none."""
    number: int | None = connection.scalar(_NUMBER, {"of_key": ledger_key})
    return number


def _file(connection: Connection, ledger_key: str) -> int:
    """The same, given now if it has none."""
    number = _number(connection, ledger_key)
    if number is not None:
        return number
    return _made(connection.execute(insert(ledger), {"key": ledger_key}).inserted_primary_key)


def _file_all(connection: Connection, ledger_keys: Iterable[str]) -> Mapping[str, int]:
    keys = sorted(set(ledger_keys))
    numbers = _numbers(connection, keys)
    unfiled = [{"key": key} for key in keys if key not in numbers]
    if unfiled:
        connection.execute(insert(ledger), unfiled)
        numbers |= _numbers(connection, [row["key"] for row in unfiled])
    return numbers


def _numbers(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    return {key: number for some in _portions(keys) for key, number in connection.execute(_NUMBERS, {"of_keys": some})}


def _keep_actions(connection: Connection, rows: Sequence[ActionRow]) -> None:
    if not rows:
        return
    numbers = _file_all(connection, (row.ledger_key for row in rows))
    newest = {(row.step, numbers[row.ledger_key]): row for row in rows}  # the last word where one is named twice
    struck = [{"of_step": step, "of_action": number} for step, number in newest]
    this = (actions.c.step == bindparam("of_step"), actions.c.action == bindparam("of_action"))
    connection.execute(delete(actions).where(*this), struck)
    kept = [
        {
            "step": row.step,
            "action": number,
            "subject": row.subject,
            "subject_label": row.subject_label,
            "key": row.key,
            "verb": row.verb,
            "label": row.label,
            "why": row.why,
            "items": row.size.items,
            "bytes": row.size.bytes,
            "total_items": row.total.items,
            "total_bytes": row.total.bytes,
            "status": row.status,
            "run": row.run,
            "cure": row.cure,
            "position": row.position,
        }
        for (_, number), row in newest.items()
    ]
    connection.execute(insert(actions), kept)


def _forget_trouble(connection: Connection, step: str, subject: str) -> None:
    connection.execute(delete(troubles).where(troubles.c.step == step, troubles.c.subject == subject))


def _keep_outcomes(connection: Connection, action: int, outcomes: Sequence[Outcome]) -> None:
    """Keep outcomes in place of earlier ones of the same items, and the sums with them."""
    newest = {outcome.key: outcome for outcome in outcomes}
    more: dict[Fate, list[int]] = defaultdict(lambda: [0, 0])
    replaced = [
        row
        for some in _portions(list(newest))
        for row in connection.execute(_WEIGHED[connection.dialect.name], _keys_for(connection, action, some))
    ]
    for row in replaced:
        more[row.fate][0] -= row.things
        more[row.fate][1] -= row.size
        if row.as_sent:
            more[Fate.COPIED][0] -= row.as_sent
    for outcome in newest.values():
        more[outcome.fate][0] += outcome.things
        more[outcome.fate][1] += outcome.size
        if outcome.as_sent:
            more[Fate.COPIED][0] += outcome.as_sent
    if replaced:
        connection.execute(_STRIKE_ITEMS, [{"of_action": action, "of_key": row.key} for row in replaced])
    if newest:
        _keep_items(connection, action, newest.values())
    changes = [
        {"of_action": action, "of_fate": fate, "more_items": count, "more_bytes": size}
        for fate, (count, size) in more.items()
    ]
    if changes:
        connection.execute(_ADD_SUM, changes)


def _keep_items(connection: Connection, action: int, outcomes: Collection[Outcome]) -> None:
    kept = [
        {
            "action": action,
            "key": outcome.key,
            "fate": outcome.fate,
            "ref": outcome.ref,
            "size": outcome.size,
            "digest": outcome.digest,
            "mark": outcome.mark,
            "note": outcome.note,
            "cure": outcome.cure,
            "things": outcome.things,
            "as_sent": outcome.as_sent,
            "about": outcome.about,
        }
        for outcome in outcomes
    ]
    connection.execute(_KEEP_ITEMS, kept)


def _keys_for(connection: Connection, action: int, keys: Sequence[str]) -> Mapping[str, Any]:  # Any: what binds
    """What `_by_keys` is asked with: SQLite takes a list as one text of JSON, PostgreSQL as an array."""
    asked = json.dumps([storable(key) for key in keys]) if connection.dialect.name == "sqlite" else keys
    return {"of_action": action, "of_keys": asked}


def _replace_findings(connection: Connection, step: str, action: int, source: str, told: Sequence[Finding]) -> None:
    these = (findings.c.step == step, findings.c.action == action, findings.c.source == source)
    connection.execute(delete(findings).where(*these))
    if not told:
        return
    kept = [
        {
            "step": step,
            "action": action,
            "source": source,
            "code": finding.code,
            "weight": int(finding.weight),
            "about": finding.about,
            "text": finding.text,
            "remedy": finding.remedy,
        }
        for finding in told
    ]
    connection.execute(insert(findings), kept)


# -- answers -----------------------------------------------------------------------------------------------------------


@cache
def _standing() -> tuple[AnySelect, AnySelect, AnySelect]:
    """How to count, how to sum by fate, and how to find what has left of, the actions a subject's newest planning named; one that
    vanished from the source since is history, and so is a subject that the plan names no more.
    """
    newest = (
        select(actions.c.step, actions.c.subject, func.max(actions.c.run).label("run"))
        .group_by(actions.c.step, actions.c.subject)
        .subquery()
    )
    # An action's key in the ledger is its own behind kind and route, and its subject's is the subject behind the same.
    way = func.substr(ledger.c.key, 1, func.length(ledger.c.key) - func.length(actions.c.key))
    of_subject = ledger.alias()
    unnamed = (
        select(facts.c.action)
        .join(of_subject, of_subject.c.number == facts.c.action)
        .where(facts.c.name == UNNAMED, facts.c.value != "", of_subject.c.key == way.concat(actions.c.subject))
        .correlate(ledger, actions)
    )
    standing = (
        select(actions.c.action, actions.c.status)
        .join(ledger, ledger.c.number == actions.c.action)
        .join(
            newest,
            and_(
                newest.c.step == actions.c.step,
                newest.c.subject == actions.c.subject,
                newest.c.run == actions.c.run,
            ),
        )
        .where(func.substr(actions.c.key, 1, func.length(actions.c.subject) + 1) != actions.c.subject + "#")  # prepares
        .where(~unnamed.exists())
        .subquery()
    )
    ended = standing.c.status.in_([Status.DONE, Status.KEPT])
    # A delta step continues the first pass under the same number: its items count once.
    return (
        select(func.count(), func.coalesce(func.sum(case((ended, 1), else_=0)), 0)).select_from(standing),
        select(sums.c.fate, func.sum(sums.c["items"]), func.sum(sums.c.bytes))
        .where(sums.c.action.in_(select(standing.c.action)))
        .group_by(sums.c.fate),
        select(facts.c.value).where(facts.c.name == DEPARTED, facts.c.action.in_(select(standing.c.action))),
    )


def _tally(connection: Connection) -> Tally:
    counted, summed, left = _standing()
    count, done = connection.execute(counted).one()
    by_fate: Mapping[Fate, Size] = {
        fate: Size(int(held_items), int(held_bytes)) for fate, held_items, held_bytes in connection.execute(summed)
    }
    for (departed,) in connection.execute(left):
        by_fate = without(by_fate, of_fact(departed))
    return Tally(
        actions=count,
        actions_done=int(done),
        items_arrived=sum(size.items for fate, size in by_fate.items() if fate in ARRIVED),
        bytes_arrived=sum(size.bytes or 0 for fate, size in by_fate.items() if fate in ARRIVED),
        left_behind=sum(by_fate.get(fate, Size()).items for fate in (Fate.LEFT_BEHIND, Fate.ALTERED)),
    )


def _run(row: AnyRow) -> RunRow:
    return RunRow(
        number=row.number,
        epoch=row.epoch,
        holder=Holder(row.host, row.boot, row.pid, row.started),
        began=row.began,
        last_sign=row.last_sign,
        ended=row.ended,
        ending=row.ending,
        exit_code=row.exit_code,
        words=row.words,
        purpose=row.purpose,
    )


def _outcome(row: AnyRow) -> Outcome:
    """The outcome in a row that starts with the columns of `_OUTCOME`."""
    return Outcome(*row[: len(_FIELDS)])


def _action(row: AnyRow) -> ActionRow:
    return ActionRow(
        ledger_key=row.ledger_key,
        step=row.step,
        subject=row.subject,
        subject_label=row.subject_label,
        key=row.key,
        verb=row.verb,
        label=row.label,
        why=row.why,
        size=Size(row.items, row.bytes),
        total=Size(row.total_items, row.total_bytes),
        status=row.status,
        run=row.run,
        cure=row.cure,
        position=row.position,
    )


def _made(primary_key: Sequence[Any] | None) -> int:
    """The number a new row was given."""
    assert primary_key is not None
    return int(primary_key[0])


def _portions(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _KEYS):
        yield keys[start : start + _KEYS]
