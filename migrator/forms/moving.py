"""One table on its way: the carrier the engine moves ranges of rows with.

An item is a range, its key the range's own text, and it counts as its rows. A range is read, and counted and summed by the server as well; one that does not agree is
read again in halves. At the target it is loaded at once or not at all, and counted and summed there: so what a death left open is found by
asking what the range holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from migrator.engine.contract import MB, Fate, Intended, Item, Loaded, Outcome
from migrator.errors import Refused
from migrator.forms.contract import TableReader, TableWriter
from migrator.forms.model import (
    NOTHING,
    Checksum,
    Extract,
    Features,
    KeyRange,
    Paging,
    Row,
    Summed,
    Table,
    checksum_of,
    range_of,
)
from migrator.forms.redaction import Redaction
from migrator.frozen import dataclass

LARGEST_RANGE = 4 * MB  # what rows of a range are meant to come to
MOST_ROWS, FEWEST_ROWS = 10_000, 50
HEAVIEST_RANGE = 8 * MB  # what the fewest rows may come to; a row that is larger has its own range
TRIES = 3  # readings of a range that cannot be divided
SIDES = "|"  # in a digest, between the source's checksum and the target's
UNDIVIDED = 2**62  # rows, more than any table has
BY_RULE = "what the target cannot hold is written by its rule"
NAMED_KEYS = 3  # rows named in a column of which some are changed
LONGEST_KEY = 40  # characters of a key in a message
USUAL_ROW = 500  # bytes, where nobody tells


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a range as they go to the target, and what proves them at either side."""

    among: KeyRange
    rows: Sequence[Row]
    source: Checksum
    target: Checksum
    note: str = ""
    altered: int = 0  # rows that the target cannot hold as they are
    about: str = ""  # which these are

    @property
    def digest(self) -> str:
        """As the ledger keeps it."""
        return f"{self.source}{SIDES}{self.target}"


def sums_of(outcome: Outcome | Intended) -> tuple[Checksum, Checksum]:
    """What was recorded of a range: the source's checksum and the target's."""
    source, _, target = outcome.digest.partition(SIDES)
    return Checksum.read(source or "0:0"), Checksum.read(target or "0:0")


def rows_at_once(table: Table, features: Features) -> tuple[int, int]:
    """How many rows a range of this table should have on its way to a target that can so much, and how many bytes a row has on average."""
    width = table.bytes // table.rows if table.rows and table.bytes else USUAL_ROW
    if table.paging is Paging.CONTENT and not features.orders_text:
        return UNDIVIDED, max(width, 1)
    # Servers reckon widths, at times far too large: small ranges of small rows would take a question for each.
    fewest = max(1, min(FEWEST_ROWS, HEAVIEST_RANGE // max(width, 1)))
    return max(fewest, min(MOST_ROWS, LARGEST_RANGE // max(width, 1))), max(width, 1)


@dataclass(slots=True)
class RangeMove:
    """Carries the ranges of one table. `known` are ranges that were recorded, in order; what lies behind the last one is asked for.

    `place` is where the rows go (the shadow, or the table itself), `held` what the target's range is known to hold where that is the table
    itself. `about` is how many rows the source had when it was planned, for the progress shown. `anew`: what stands there was put under other
    rules of `redaction`. `unsure` counts ranges whose first reading was not the whole truth.
    """

    source: TableReader
    target: TableWriter
    extract: Extract
    place: Extract
    known: Mapping[KeyRange, Outcome]
    redaction: Callable[[Sequence[Row]], Sequence[Row]] = field(default_factory=Redaction)
    held: Mapping[KeyRange, Checksum] | None = None
    about: int = 0
    anew: bool = False
    unsure: Counter[str] = field(default_factory=Counter)

    def items(self) -> Iterator[Item]:
        rows, width = rows_at_once(self.extract.table, self.target.features)
        each = min(rows, MOST_ROWS)
        yield from known_items(self.known)
        fresh = fresh_ranges(self.source, self.extract, list(self.known), rows)
        yield from fresh_items(self.known, fresh, each, width, self.about)

    def read(self, part: Sequence[Item]) -> Sequence[Loaded[Rows] | Outcome]:
        return [self._load(item) for item in part]

    def _load(self, item: Item) -> Loaded[Rows] | Outcome:
        among = range_of(item.key)
        rows, proven = self._proven(among)
        if not proven:
            return Outcome(
                item.key,
                Fate.LEFT_BEHIND,
                size=item.size,
                note=f"{among.label}: read {TRIES} times, and each time the server counted other rows than it gave",
                cure="Run again when nobody writes to the site, or raise the server's time limit.",
                things=max(1, len(rows)),
            )
        source = checksum_of(rows)
        told = self.redaction(rows)
        kept = self.target.as_kept(self.place.table, told)
        changed = (
            [(one, other) for one, other in zip(told, kept, strict=True) if one is not other and one != other]
            if kept is not told
            else []
        )
        target = source if kept is rows else checksum_of(kept)
        note, about = (BY_RULE, cells_changed(self.extract.table, changed)) if changed else ("", "")
        bundle = Rows(among, kept, source, target, note, len(changed), about)
        return Loaded(item.key, rows.size, bundle.digest, bundle, source.rows)

    def _proven(self, among: KeyRange, tries: int = TRIES) -> tuple[Summed, bool]:
        """The rows of a range, and whether the server agrees that these are all."""
        rows = Summed.of(self.source.rows(self.extract, among))
        if not self.source.features.checksums:
            return rows, True
        wanted = self.source.checksum(self.extract, among)
        if wanted == checksum_of(rows):
            return rows, True
        self.unsure[among.key] += 1
        halves = list(self._halves(among, wanted.rows))
        if len(halves) > 1:
            parts = [self._proven(half, tries) for half in halves]
            return Summed.of(some for some, _ in parts), all(well for _, well in parts)
        return self._proven(among, tries - 1) if tries > 1 else (rows, False)

    def _halves(self, among: KeyRange, rows: int) -> Iterator[KeyRange]:
        """The same range as smaller ones, down to single rows; nothing where it cannot be divided."""
        if self.extract.table.paging is Paging.CONTENT or rows < 2:  # noqa: PLR2004 - two halves
            return
        for one in self.source.ranges(self.extract, among.after, -(-rows // 2)):
            if one.upto == among.upto:
                yield one
                return
            inside = self.source.checksum(self.extract, KeyRange(one.upto, among.upto)).rows
            if not inside:
                yield KeyRange(one.after, among.upto)
                return
            yield one

    def fence(self) -> str:
        """Nothing is needed: a range is known by its ends."""
        return ""

    def write(self, part: Sequence[Loaded[Rows]]) -> Sequence[Outcome]:
        return [self._put(one) for one in part]

    def _put(self, loaded: Loaded[Rows]) -> Outcome:
        bundle = loaded.content
        if self.held is None:
            self.target.load(self.place, bundle.among, bundle.rows, None)
        else:
            bundle = self._put_beside(bundle, self.held.get(bundle.among, NOTHING))
        there = self.target.checksum(self.place, bundle.among)
        if there != bundle.target:
            return Outcome(
                loaded.key,
                Fate.LEFT_BEHIND,
                size=loaded.size,
                note=f"{bundle.among.label}: {bundle.target.rows:,} rows were put, and the target has {there.rows:,} or others",
                cure="Run again; if it stays so, the target changes what it is given.",
                things=loaded.things,
            )
        return self._arrived(loaded, bundle)

    def _put_beside(self, bundle: Rows, held: Checksum) -> Rows:
        """Put rows into the table itself, where nothing is ever removed: what is gone from the source stays. Answers what is there then.
        Raises Refused if somebody else has changed what is there.
        """
        there = [row for page in self.target.rows(self.place, bundle.among) for row in page]
        stays = self._stay(bundle, there, held)
        wanted = bundle
        if stays:
            note = (
                f"{bundle.among.label}: 1 row that is gone from the source stays at the target"
                if len(stays) == 1
                else f"{bundle.among.label}: {len(stays):,} rows that are gone from the source stay at the target"
            )
            rows = (*bundle.rows, *stays)
            wanted = replace(
                bundle, rows=rows, target=checksum_of(rows), note="; ".join(filter(None, (bundle.note, note)))
            )
        if checksum_of(there) != wanted.target:
            self.target.load(self.place, bundle.among, wanted.rows, held)
        return wanted

    def _stay(self, bundle: Rows, there: Sequence[Row], held: Checksum) -> Sequence[Row]:
        """The rows there that are gone from the source, as they are to stand there. Raises Refused where rows that were put under other rules
        cannot be told from them.
        """
        gone = without(self.extract.table, self.place.table, there, bundle.rows)
        if not (self.anew and gone):
            return gone
        if self.extract.table.paging is Paging.KEY:
            return self.target.as_kept(self.place.table, self.redaction(gone))
        before = sums_of(self.known[bundle.among])[0] if bundle.among in self.known else NOTHING
        if (checksum_of(there), bundle.source, bundle.source.rows) != (held, before, held.rows):
            raise Refused(
                f"{bundle.among.label}: the plan hides other fields than when these rows were put, and without a key nobody can tell which of "
                "them are gone from the source or of others.",
                remedy="Empty this table at the target and move it anew with a new state.",
            )
        return ()

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        del fence
        return [
            Outcome(one.key, Fate.COPIED, size=one.size, digest=one.digest, things=sums_of(one)[0].rows)
            for one in intended
            if self.target.checksum(self.place, range_of(one.key)) == sums_of(one)[1]
        ]

    @staticmethod
    def _arrived(loaded: Loaded[Rows], bundle: Rows) -> Outcome:
        copied = Outcome(
            loaded.key,
            Fate.COPIED,
            size=loaded.size,
            digest=bundle.digest,
            note=bundle.note,
            about=bundle.about,
            things=loaded.things,
        )
        return partly(copied, Fate.NORMALISED, bundle.altered)


def cells_changed(table: Table, changed: Sequence[tuple[Row, Row]]) -> str:
    """Which cells are otherwise in the second row of each pair than in the first: "wp_log.at: 1,204 (id 3, 7, 12, ...)" for each column, without
    a value but those that the rows are known by.
    """
    found: dict[str, list[Row]] = {}
    for before, after in changed:
        for column, one, other in zip(table.columns, before, after, strict=True):
            if one != other:
                found.setdefault(column.name, []).append(before)
    return "; ".join(f"{table.name}.{name}: {len(rows):,}{_whose(table, rows)}" for name, rows in found.items())


def _whose(table: Table, rows: Sequence[Row]) -> str:
    if table.paging is not Paging.KEY:
        return ""
    keys = ["/".join(_in_short(part) for part in table.key_of(row)) for row in rows[:NAMED_KEYS]]
    more = ", ..." if len(rows) > NAMED_KEYS else ""
    return f" ({'/'.join(table.page_by)} {', '.join(keys)}{more})"


def _in_short(value: str | bytes) -> str:
    text = value.hex() if isinstance(value, bytes) else " ".join(value.split())
    return text if len(text) <= LONGEST_KEY else f"{text[:LONGEST_KEY]}..."


def without(source: Table, target: Table, there: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Those of the rows there that have no successor among `rows`: by their key, else only those that equal one."""
    if source.paging is Paging.KEY:
        keys = {source.key_of(row) for row in rows}
        return [row for row in there if target.key_of(row) not in keys]
    rest = Counter(rows)
    stays = []
    for row in there:
        if rest[row]:
            rest[row] -= 1
        else:
            stays.append(row)
    return stays


def partly(outcome: Outcome, fate: Fate, rows: int) -> Outcome:
    """The outcome of a range of which so many rows met this fate and the others were copied as they are."""
    return replace(outcome, fate=fate, things=rows, as_sent=outcome.things - rows) if rows else outcome


def known_items(known: Mapping[KeyRange, Outcome]) -> Iterator[Item]:
    """What earlier runs have recorded."""
    for among, outcome in known.items():
        yield Item(among.key, outcome.size, rows_in(outcome))


def fresh_items(
    known: Mapping[KeyRange, Outcome], ranges: Iterable[KeyRange], each: int, width: int, about: int
) -> Iterator[Item]:
    """These ranges as items, with how many rows each is about, for the progress shown: `each`, or what is left by then of the `about` so many that
    the source has, and one at least.
    """
    rest = about - sum(map(rows_in, known.values()))
    for among in ranges:
        rows = max(1, min(each, rest))
        rest -= rows
        yield Item(among.key, rows * width, rows)


def rows_in(outcome: Outcome) -> int:
    """How many rows of the source an outcome is about."""
    return outcome.things + outcome.as_sent


def fresh_ranges(source: TableReader, extract: Extract, known: Sequence[KeyRange], rows: int) -> Iterable[KeyRange]:
    """The ranges that no run has recorded: behind the last one. What is divided by content is divided once."""
    if known and known[-1].parts > 1:
        return ()
    if known and extract.table.paging is Paging.CONTENT:
        return ()
    return source.ranges(extract, known[-1].upto if known else None, rows)


def in_a_chain(ranges: Iterable[KeyRange]) -> list[KeyRange]:
    """Ranges in order, each beginning where the one before it ends; parts of a division by content by their number."""
    by_start: dict[object, KeyRange] = {}
    parts = []
    for one in ranges:
        if one.parts > 1 or (one.after is None and one.upto is None):
            parts.append(one)
        else:
            by_start[one.after] = one
    if parts:
        return sorted(parts, key=lambda one: one.part)
    chain = []
    at = by_start.pop(None, None)
    while at is not None:
        chain.append(at)
        at = by_start.pop(at.upto, None)
    return chain
