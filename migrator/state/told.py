"""What a run records, told to SQLite in one statement.

The driver lets go of the interpreter's lock at every step of a statement, and during a copy it waits in line to get it back, with the
state locked: a record costs as many waits as it has statements. So the records of one transaction are rows put into a view
called `told`, and triggers of the connection (told.sql) do what they say. One statement is a transaction of its own: all of it
or nothing, and on the disk when it returns.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from migrator.engine.contract import Finding, Intended, Outcome, Size
from migrator.engine.ledger import Status
from migrator.state.tables import storable

LEASE_LOST = "the lease is lost"  # as told.sql has it
NOT_OPEN = "the batch is not open"

_TRIGGERS = Path(__file__).with_name("told.sql")
_ROW = "(?, ?, ?, ?, ?)"
# In JSON. It also finds some text that is storable, which only costs time.
_UNSTORABLE = re.compile(r"\\u(?:0000|001a|d[89a-f])")


class ToldRecords:
    """The Records of the engine as rows for `told`. `number` gives the next batch its number, `filed` are ledger keys with a number."""

    def __init__(self, number: Callable[[], int], filed: set[str]) -> None:
        self._number = number
        self._filed = filed
        self.keys: set[str] = set()  # that these records file
        self.closed: list[int] = []  # batches
        self.rows: list[tuple[str | int | None, ...]] = []

    def progressed(
        self, step: str, ledger_key: str, status: Status, why: str = "", cure: str = "", total: Size | None = None
    ) -> None:
        told: dict[str, object] = {"status": status.value}
        told |= {word: said for word, said in (("why", why), ("cure", cure)) if said}
        if total is not None:
            told |= {"items": total.items, "bytes": total.bytes}
        self._tell("progress", ledger_key, None, step, told)

    def open_batch(self, ledger_key: str, fence: str, items: Sequence[Intended]) -> int:
        self._file(ledger_key)
        number = self._number()
        told = json.dumps([(item.key, item.size, item.digest) for item in items], separators=(",", ":"))
        self.rows.append(("intent", storable(ledger_key), number, storable(fence), told))
        return number

    def close_batch(self, number: int, outcomes: Sequence[Outcome]) -> None:
        self.closed.append(number)
        self._tell("outcomes", None, number, None, _newest(outcomes))

    def record(self, ledger_key: str, outcomes: Sequence[Outcome]) -> None:
        self._file(ledger_key)
        self._tell("outcomes", ledger_key, None, None, _newest(outcomes))

    def remember(self, ledger_key: str, facts: Mapping[str, str]) -> None:
        self._file(ledger_key)
        self._tell("facts", ledger_key, None, None, list(facts.items()))

    def found(self, step: str, ledger_key: str, source: str, findings: Sequence[Finding]) -> None:
        self._file(ledger_key)
        told = [(one.code, int(one.weight), one.about, one.text, one.remedy) for one in findings]
        self._tell("findings", ledger_key, None, step, (source, told))

    def _file(self, ledger_key: str) -> None:
        if ledger_key not in self._filed and ledger_key not in self.keys:
            self.keys.add(ledger_key)
            self.rows.append(("file", storable(ledger_key), None, None, None))

    def _tell(self, what: str, key: str | None, number: int | None, word: str | None, told: object) -> None:
        self.rows.append((what, key and storable(key), number, word and storable(word), _told(told)))


def _told(value: object) -> str:
    """A value as JSON, its texts as the tables keep them."""
    told = json.dumps(value, separators=(",", ":"))
    return json.dumps(_storable(value), separators=(",", ":")) if _UNSTORABLE.search(told) else told


def _storable(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {key: _storable(one) for key, one in value.items()}
    return [_storable(one) for one in value] if isinstance(value, list | tuple) else value


def _newest(outcomes: Sequence[Outcome]) -> list[tuple[str | int, ...]]:
    """Outcomes as columns of `items`, the last one of each item."""
    newest = {outcome.key: outcome for outcome in outcomes}
    return [
        (
            one.key,
            one.fate.value,
            one.ref,
            one.size,
            one.digest,
            one.mark,
            one.note,
            one.cure,
            one.things,
            one.as_sent,
            one.about,
        )
        for one in newest.values()
    ]


def tell(writer: Engine, epoch: int, at: datetime, rows: Sequence[tuple[str | int | None, ...]]) -> None:
    """Do what the rows say, under the lease of `epoch`. Raises sqlite3.Error, having done nothing; its words are LEASE_LOST or NOT_OPEN
    where that is the reason.
    """
    signed = ("sign", None, epoch, _moment(at), None)
    statement = f"INSERT INTO told VALUES {', '.join([_ROW] * (len(rows) + 1))}"  # noqa: S608 - nothing but places
    with _driver(writer) as connection:
        connection.execute(statement, [*signed, *(value for row in rows for value in row)])


def newest_batch(writer: Engine) -> int:
    """The highest number a batch was ever given."""
    with _driver(writer) as connection:
        found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'intents'").fetchone()
    return int(found[0]) if found else 0


@contextmanager
def _driver(writer: Engine) -> Iterator[sqlite3.Connection]:
    """The writer's connection below SQLAlchemy, not in a transaction, with the triggers."""
    borrowed = writer.raw_connection()
    try:
        connection: Any = borrowed.driver_connection  # Any: SQLAlchemy knows no driver's types
        if "told" not in borrowed.info:
            connection.executescript(_TRIGGERS.read_text(encoding="utf-8"))
            borrowed.info["told"] = True
        yield connection
    finally:
        borrowed.close()


def _moment(at: datetime) -> str:
    """An instant as the column type Moment keeps it in SQLite."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
