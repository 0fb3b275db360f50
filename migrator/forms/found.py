"""Whether a table at the target holds already what would be put there, although nobody remembers having put it: the state was lost.

Range by range both sides are asked for count and CRC, and rows are read only where these differ. What surprises: rows of others are no
hindrance as long as nothing has to be written beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import field

from migrator.engine.contract import Fate, Outcome
from migrator.forms.contract import TableReader
from migrator.forms.model import Checksum, Extract, KeyRange, Paging, Row, checksum_of
from migrator.forms.moving import SIDES, fresh_ranges, rows_at_once
from migrator.forms.redaction import Redaction
from migrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """What is there: how many rows that are as they would be put, and an outcome for each range, left behind where some of its rows are to
    be put still. Its digest says what stands at both sides now.
    """

    rows: int
    outcomes: tuple[Outcome, ...]


@dataclass(slots=True)
class Search:
    """Looks for the rows of `extract` at `place`. `as_kept` is the target's rule for what it cannot hold; without it, where the target has
    such a rule, counts have to do.
    """

    source: TableReader
    target: TableReader
    extract: Extract
    place: Extract
    redaction: Redaction
    as_kept: Callable[[Sequence[Row]], Sequence[Row]] | None = None
    _same: int = field(default=0, init=False)
    _lacking: int = field(default=0, init=False)
    _otherwise: int = field(default=0, init=False)

    def found(self) -> Found | None:
        """None where that is not so. A target that lets rows stand beside others is taken as it is only where no key is another row's there,
        and either all rows are there, or no others; a dump, which nobody else writes, where most of its rows are ours.
        """
        if not self._is_alike():
            return None
        total = self.target.count(Extract(self.place.table))
        if not total:
            return None
        rows_each, width = rows_at_once(self.extract.table, self.target.features)
        outcomes = []
        for among in self._ranges(rows_each):
            outcomes.append(self._looked_at(among, width))
            if self._otherwise and self.target.features.merges:
                return None
        if self.target.features.merges:
            ours = self._same > 0 and (not self._lacking or self._same == total)
        else:
            ours = 2 * self._same > total
        return Found(self._same, tuple(outcomes)) if ours else None

    def _is_alike(self) -> bool:
        here, there = self.extract.table, self.place.table
        return (here.paging, here.page_by, [one.name for one in here.columns]) == (
            there.paging,
            there.page_by,
            [one.name for one in there.columns],
        )

    def _ranges(self, rows_each: int) -> Sequence[KeyRange]:
        """Of a dump, the ranges it was written in: it is sealed in them, and knows their sums without being read."""
        if self.target.features.merges:
            return list(fresh_ranges(self.source, self.extract, (), rows_each))
        return list(self.target.ranges(Extract(self.place.table), None, rows_each))

    def _looked_at(self, among: KeyRange, width: int) -> Outcome:
        here = self.source.checksum(self.extract, among)
        there = self.target.checksum(self.place, among)
        lacking = self._compared(among, here, there)
        size, digest = width * here.rows, f"{here}{SIDES}{there}"
        if not lacking:
            return Outcome(among.key, Fate.FOUND, size=size, digest=digest, things=here.rows)
        note = f"{among.label}: {lacking:,} of {here.rows:,} rows are not at the target yet"
        return Outcome(
            among.key, Fate.LEFT_BEHIND, size=size, digest=digest, note=note, cure="Run again.", things=here.rows
        )

    def _compared(self, among: KeyRange, here: Checksum, there: Checksum) -> int:
        """How many rows of a range are not at the target."""
        exact = self.target.features.exact
        if not self.redaction and (here == there if exact or self.as_kept else here.rows == there.rows):
            self._same += here.rows
            return 0
        if not there.rows:
            self._lacking += here.rows
            return here.rows
        read = [row for page in self.source.rows(self.extract, among) for row in page]
        ours: Sequence[Row] = self.redaction(read)
        wanted = Counter(self.as_kept(ours) if self.as_kept else ours)
        has = Counter(row for page in self.target.rows(self.place, among) for row in page)
        missing, others = wanted - has, has - wanted
        if self.extract.table.paging is Paging.KEY:
            keys = {self.extract.table.key_of(row) for row in missing}
            self._otherwise += sum(self.place.table.key_of(row) in keys for row in others)
        # What the server ended early is known to be lacking something, and is moved with more patience than is had here.
        unread = here.rows - len(read) if self.source.features.checksums and checksum_of(read) != here else 0
        lacking = missing.total() + max(unread, 0)
        self._same += wanted.total() - missing.total()
        self._lacking += lacking
        return lacking
