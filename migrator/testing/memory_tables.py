"""A database in memory, for tests of the forms room and for the crash floor: it keeps rows as they are, can refuse, break, end early, lie
and be poor.

    site = MemoryTables("old")
    site.fill(table, rows)

Many sessions of many threads may use one; each `load` happens at once or not at all. `before_write` and `after_write` are called around every
write: raise there to die at that point.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from migrator.engine.contract import Adapter, Login, Service, Side
from migrator.errors import Dropped, EndpointRefused, EndpointUnfit, NotFound, Refused
from migrator.forms.choosing import chooser, in_order, is_among, parts_of, ranges_of
from migrator.forms.contract import SHADOW, TableReader, TableWriter
from migrator.forms.model import (
    Checksum,
    Extract,
    Features,
    Key,
    KeyRange,
    LeftRow,
    Paging,
    Row,
    Server,
    Table,
    checksum_of,
)
from migrator.testing.memory_strongbox import MemoryStrongbox

ABLE = Features(title="Memory tables")


class Options(Service):
    """There is nothing to say."""


@dataclass(slots=True)
class Kept:
    """One table as the database has it."""

    table: Table
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class MemoryTables:
    """The database; sessions share it. What is public is for tests.

    `steady` is whether sessions can keep to one moment. `refuses` answers the words of a refusal of a row, "" for none. `drops` breaks the
    connection at the nth page read. `short` are pages (the nth of all) that lack their last row, in silence: an export that the server's
    time limit ended. `keeps` is how it changes rows. `left` are rows too large to be given, by table.
    """

    name: str
    features: Features = ABLE
    steady: bool = True
    page: int = 3
    refuses: Callable[[Row], str] = lambda _: ""
    drops: set[int] = field(default_factory=set)
    short: set[int] = field(default_factory=set)
    keeps: Callable[[Row], Row] = lambda row: row
    before_write: Callable[[str], None] = lambda _: None
    after_write: Callable[[str], None] = lambda _: None
    kept: dict[str, Kept] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    left: dict[str, list[LeftRow]] = field(default_factory=dict)
    pages_read: int = 0
    may_not_write: str = ""  # why, where the login has no right to
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fill(self, table: Table, rows: Sequence[Row]) -> None:
        """Put a table with these rows in, in place of one of that name."""
        self.kept[table.name] = Kept(table, list(rows))

    def rows(self, table: str) -> list[Row]:
        """The rows of a table, in its order."""
        kept = self.kept[table]
        return in_order(kept.table, kept.rows)

    # -- what the engine wants of an endpoint

    def reader(self, options: Options, login: Login) -> TableReader:
        """A session that reads."""
        del options, login
        return SteadyReader(self) if self.steady else MemoryReader(self)

    def writer(self, options: Options, login: Login) -> TableWriter:
        """A session that writes."""
        del options, login
        return MergingWriter(self) if self.features.merges else MemoryWriter(self)

    @property
    def adapter(self) -> Adapter[TableReader, TableWriter]:
        """As an adapter module would offer it."""
        return Adapter("memory", self.features.title, Options, self.reader, self.writer)


class MemoryReader:
    """Fulfils TableReader."""

    def __init__(self, database: MemoryTables) -> None:
        self._there = database
        self._moment: dict[str, Kept] | None = None

    @property
    def features(self) -> Features:
        return self._there.features

    def server(self) -> Server:
        return Server("Memory", "1", "utf8mb4", "", "+00:00", self._there.name)

    def tables(self) -> Sequence[Table]:
        kept = sorted(self._kept().items())
        return [replace(one.table, rows=len(one.rows)) for name, one in kept if not name.startswith(SHADOW)]

    def shadows(self) -> Sequence[str]:
        return [name for name in sorted(self._kept()) if name.startswith(SHADOW)]

    def want_of_rights(self) -> EndpointRefused | None:
        return EndpointUnfit(self._there.may_not_write, remedy="Grant them.") if self._there.may_not_write else None

    def left_rows(self, table: Table) -> Sequence[LeftRow]:
        return self._there.left.get(table.name, ())

    def count(self, extract: Extract) -> int:
        return len(self._chosen(extract))

    def ranges(self, extract: Extract, after: Key | None, rows: int) -> Iterator[KeyRange]:
        table = extract.table
        chosen = self._chosen(extract)
        if table.paging is Paging.CONTENT:
            yield from parts_of(len(chosen), rows)
            return
        behind = [row for row in chosen if is_among(table, row, KeyRange(after))]
        yield from ranges_of([table.key_of(row) for row in in_order(table, behind)], after, rows)

    def rows(self, extract: Extract, among: KeyRange) -> Iterator[Sequence[Row]]:
        rows = self._among(extract, among)
        for start in range(0, len(rows), self._there.page):
            with self._there.lock:
                self._there.pages_read += 1
                number = self._there.pages_read
            if number in self._there.drops:
                raise Dropped(f"{self._there.name}: the connection broke.")
            page = rows[start : start + self._there.page]
            if number in self._there.short:
                yield page[:-1]
                return
            yield page

    def checksum(self, extract: Extract, among: KeyRange) -> Checksum:
        return checksum_of(self._among(extract, among))

    def close(self) -> None:
        self._moment = None

    def _kept(self) -> dict[str, Kept]:
        with self._there.lock:
            return self._moment if self._moment is not None else dict(self._there.kept)

    def _chosen(self, extract: Extract) -> list[Row]:
        kept = self._kept().get(extract.table.name)
        if kept is None:
            raise NotFound(f"{self._there.name}: there is no table {extract.table.name}.", remedy="Run again.")
        belongs = chooser(replace(extract, table=kept.table), self._inner)
        return [row for row in kept.rows if belongs(row)]

    def _inner(self, extract: Extract) -> Sequence[tuple[Table, Row]]:
        table = self._kept()[extract.table.name].table
        return [(table, row) for row in self._chosen(replace(extract, table=table))]

    def _among(self, extract: Extract, among: KeyRange) -> list[Row]:
        chosen = self._chosen(extract)
        if among == KeyRange():
            return in_order(extract.table, chosen)
        return in_order(extract.table, [row for row in chosen if is_among(extract.table, row, among)])


class SteadyReader(MemoryReader):
    """Fulfils SeesOneMoment."""

    def snapshot(self) -> None:
        with self._there.lock:
            self._moment = {name: Kept(one.table, list(one.rows)) for name, one in self._there.kept.items()}


class MemoryWriter(MemoryReader):
    """Fulfils TableWriter."""

    def as_kept(self, table: Table, rows: Sequence[Row]) -> Sequence[Row]:
        del table
        return [self._there.keeps(row) for row in rows]

    def shadow(self, table: Table) -> Table:
        wanted = replace(table, name=f"{SHADOW}{table.name}", rows=None, bytes=None)
        with self._writing(f"shadow {table.name}"):
            there = self._there.kept.get(wanted.name)
            if there is None or there.table.columns != wanted.columns:
                self._there.kept[wanted.name] = Kept(wanted)
        return wanted

    def load(self, extract: Extract, among: KeyRange, rows: Sequence[Row], instead_of: Checksum | None) -> None:
        with self._writing(f"load {extract.table.name} {among.key}"):
            if instead_of is not None and self.checksum(extract, among) != instead_of:
                raise Refused(f"{extract.table.name}, {among.label}: the target's rows have been changed.")
            for row in rows:
                if words := self._there.refuses(row):
                    raise Refused(f"{extract.table.name}, {among.label}: {words}")
            kept = self._there.kept[extract.table.name]
            old = set(self._among(extract, among))
            rest = [row for row in kept.rows if row not in old]
            if clash := self._clash(kept.table, rest, rows):
                raise Refused(f"{extract.table.name}: {clash}")
            kept.rows = [*rest, *map(self._there.keeps, rows)]

    def swap(self, table: Table) -> None:
        with self._writing(f"swap {table.name}"):
            there, shadow = (self._there.kept.get(name) for name in (table.name, f"{SHADOW}{table.name}"))
            if shadow is None:
                if there is None:
                    raise NotFound(f"{table.name}: there is no shadow to swap.")
                return
            if there is not None and there.rows:
                raise Refused(f"{table.name}: the target's table has {len(there.rows):,} rows.")
            self._there.kept[table.name] = Kept(replace(shadow.table, name=table.name), shadow.rows)
            del self._there.kept[shadow.table.name]

    def discard(self, table: Table) -> None:
        with self._writing(f"discard {table.name}"):
            self._there.kept.pop(f"{SHADOW}{table.name}", None)

    def _clash(self, table: Table, there: Sequence[Row], rows: Sequence[Row]) -> str:
        if table.paging is not Paging.KEY:
            return ""
        keys = [table.key_of(row) for row in [*there, *rows]]
        return "" if len(keys) == len(set(keys)) else "a key is taken already."

    def _writing(self, what: str) -> _Writing:
        return _Writing(self._there, what)


class MergingWriter(MemoryWriter):
    """Fulfils PutsBeside."""

    def merge(self, extract: Extract) -> int:
        with self._writing(f"merge {extract.table.name}"):
            kept, shadow = self._there.kept[extract.table.name], self._there.kept[f"{SHADOW}{extract.table.name}"]
            if clash := self._clash(kept.table, kept.rows, shadow.rows):
                raise Refused(f"{extract.table.name}: {clash}")
            kept.rows = [*kept.rows, *shadow.rows]
            return len(shadow.rows)

    def reserve(self, table: Table, upto: int) -> None:
        with self._writing(f"reserve {table.name}"):
            kept = self._there.kept[table.name]
            kept.table = replace(kept.table, next_number=max(kept.table.next_number or 1, upto + 1))


@dataclass(slots=True)
class _Writing:
    """One write: nothing else happens meanwhile, and one that raises has changed nothing."""

    there: MemoryTables
    what: str
    before: dict[str, Kept] = field(default_factory=dict)

    def __enter__(self) -> None:
        self.there.before_write(self.what)
        self.there.lock.acquire()
        self.before = {name: Kept(one.table, list(one.rows)) for name, one in self.there.kept.items()}

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.there.kept = self.before
        self.there.lock.release()
        if kind is None:
            self.there.writes.append(self.what)
            self.there.after_write(self.what)


# -- a route between two ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class TablesRoute:
    """Opener between two databases in memory."""

    old: MemoryTables
    new: MemoryTables
    strongbox: MemoryStrongbox = field(default_factory=MemoryStrongbox)

    def endpoint(self, side: Side) -> str:
        return (self.old if side is Side.SOURCE else self.new).name

    def connections(self, side: Side) -> tuple[int, int]:
        del side
        return 4, 4

    def for_reading(self, side: Side, service: str, account: str) -> TableReader:
        assert service == "forms"
        return self._at(side).reader(Options(), Login(account, account))

    def for_writing(self, side: Side, service: str, account: str) -> TableWriter:
        assert service == "forms"
        return self._at(side).writer(Options(), Login(account, account))

    def login(self, side: Side, account: str) -> Login:
        del side
        return Login(account, account)

    def keep_password(self, account: str, password: SecretStr) -> None:
        raise AssertionError(f"no password is made here ({account}, {password})")

    def _at(self, side: Side) -> MemoryTables:
        return self.old if side is Side.SOURCE else self.new
