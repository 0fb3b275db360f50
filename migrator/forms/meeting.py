"""Where rows that keep their ids meet rows of the target: which are there already, and whose ids belong to others. It reads only.

What surprises: an id proves nothing. A row is found where the target's row of that id says the same; else the id is somebody else's, and
what hangs on ours must not hang on theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from migrator.errors import Refused
from migrator.forms.contract import TableReader
from migrator.forms.model import Condition, Extract, Key, KeyRange, Operator, Paging, Row, Table

MOST_SHOWN = 20  # ids in one sentence
AT_ONCE = 500  # values in one question


@dataclass(slots=True)
class Met:
    """What became of rows. `fresh` are to be put, `found` says how many are there; the others are told by their ids: `taken` belong to other
    rows there, `elsewhere` are there under another id by the plugin's own mark, `hanging` hang on a row of ours that is not there.
    """

    fresh: list[Row] = field(default_factory=list)
    found: int = 0
    taken: list[Key] = field(default_factory=list)
    elsewhere: list[Key] = field(default_factory=list)
    hanging: list[Key] = field(default_factory=list)

    @property
    def left_out(self) -> bool:
        """Whether some of the rows are not to be put."""
        return bool(self.found or self.taken or self.elsewhere or self.hanging)

    @property
    def why_behind(self) -> str:
        """What is told of rows that cannot be put; "" if there are none."""
        return "; ".join(
            filter(
                None,
                (
                    f"{rows_are(self.taken)} left behind, whose ids belong to other rows there ({shown(self.taken)})"
                    if self.taken
                    else "",
                    f"{rows_are(self.hanging)} left behind, which hang on rows that are not there ({shown(self.hanging)})"
                    if self.hanging
                    else "",
                ),
            )
        )


def belong_to_others(keys: Sequence[Key]) -> str:
    """That these ids are given out, as an admin reads it."""
    if len(keys) == 1:
        return f"one id of ours belongs to another row there ({shown(keys)})"
    return f"{len(keys):,} ids of ours belong to other rows there ({shown(keys)})"


def rows_are(keys: Sequence[Key]) -> str:
    """How many, as the beginning of a sentence."""
    return f"{len(keys):,} {'row is' if len(keys) == 1 else 'rows are'}"


def shown(keys: Sequence[Key]) -> str:
    """Ids as an admin reads them, not all where they are many."""
    words = [" ".join(one if isinstance(one, str) else one.hex() for one in key) for key in keys[:MOST_SHOWN]]
    more = len(keys) - len(words)
    return f"{'id' if len(keys) == 1 else 'ids'} {', '.join(words)}{f' and {more:,} more' if more else ''}"


@dataclass(frozen=True, slots=True)
class Meeting:
    """Rows of a table of the source, `ours`, as the target has them or would have them, and the table there. `identity` is a column that tells
    the same row wherever it is, "" without one.
    """

    ours: Table
    there: Table
    target: TableReader
    identity: str = ""

    @property
    def place(self) -> Extract:
        """The whole table there, divided as ours is. Raises Refused where it has other columns."""
        names = {one.name.lower() for one in self.there.columns}
        lacking = [one.name for one in self.ours.columns if one.name.lower() not in names]
        if lacking:
            raise Refused(
                f"{self.there.name}: the target's table has no column {lacking[0]}.",
                remedy="Bring the plugin to the same version at both sites, then run again.",
            )
        return Extract(replace(self.there, paging=self.ours.paging, page_by=self.ours.page_by))

    def met(self, among: KeyRange, rows: Sequence[Row]) -> Met:
        """What is there of these rows of a range."""
        theirs = list(self._theirs(among))
        found = self._by_key(rows, theirs) if self.ours.paging is Paging.KEY else _as_they_are(rows, theirs)
        if self.identity and found.fresh:
            known = self._known(found.fresh)
            place = self.ours.place(self.identity)
            found.elsewhere = [self.ours.key_of(row) for row in found.fresh if row[place] in known]
            found.fresh = [row for row in found.fresh if row[place] not in known]
        return found

    def _theirs(self, among: KeyRange) -> Iterator[Row]:
        place = self.place
        order = [self.there.place(one.name) for one in self.ours.columns]
        for page in self.target.rows(place, among):
            for row in page:
                yield tuple(row[at] for at in order)

    def _by_key(self, rows: Sequence[Row], theirs: Sequence[Row]) -> Met:
        there = {self.ours.key_of(row): row for row in theirs}
        mark = self.ours.place(self.identity) if self.identity else None
        found = Met()
        for row in rows:
            key = self.ours.key_of(row)
            other = there.get(key)
            if other is None:
                found.fresh.append(row)
            elif other == row or (mark is not None and row[mark] and other[mark] == row[mark]):
                found.found += 1
            else:
                found.taken.append(key)
        return found

    def _known(self, rows: Sequence[Row]) -> set[object]:
        """The marks of these rows that the target has."""
        here, there = self.ours.place(self.identity), self.there.place(self.identity)
        marks = list(dict.fromkeys(row[here] for row in rows if row[here]))
        return {row[there] for row in _rows_of(self.target, Extract(self.there), self.identity, marks)}


def _as_they_are(rows: Sequence[Row], theirs: Sequence[Row]) -> Met:
    """Rows without an id: as many of each as are there are found."""
    rest, found = Counter(theirs), Met()
    for row in rows:
        if rest[row]:
            rest[row] -= 1
            found.found += 1
        else:
            found.fresh.append(row)
    return found


def foreseen(
    meeting: Meeting,
    source: TableReader,
    extract: Extract,
    ranges: Sequence[KeyRange],
    hidden: Callable[[Sequence[Row]], Sequence[Row]],
) -> Met:
    """The same of all these ranges, before anything is moved; only those are read in which the target has rows. `fresh` is not told."""
    total, place = Met(), meeting.place
    for among in ranges:
        if not meeting.target.checksum(place, among).rows:
            continue
        rows = [row for page in source.rows(extract, among) for row in hidden(page)]
        one = replace(meeting, identity="").met(among, rows)
        total.found += one.found
        total.taken += one.taken
    return total


def missing_parents(
    parent: Extract,
    there: Table | None,
    key: str,
    values: Sequence[str | bytes],
    source: TableReader,
    target: TableReader,
    hidden: Callable[[Sequence[Row]], Sequence[Row]],
) -> set[str | bytes]:
    """Those of the values that name a row which is moved and is not at the target as it was put there."""
    wanted = [*dict.fromkeys(values)]
    at = parent.table.place(key)
    ours = {row[at]: row for row in hidden(list(_rows_of(source, parent, key, wanted)))}
    if there is None or not ours:
        return {value for value in wanted if value in ours}
    order = [there.place(one.name) for one in parent.table.columns]
    theirs = {
        row[there.place(key)]: tuple(row[each] for each in order)
        for row in _rows_of(target, Extract(there), key, wanted)
    }
    return {value for value in wanted if value in ours and theirs.get(value) != ours[value]}


def _rows_of(reader: TableReader, extract: Extract, column: str, values: Sequence[object]) -> Iterator[Row]:
    for start in range(0, len(values), AT_ONCE):
        some = tuple(one for one in values[start : start + AT_ONCE] if isinstance(one, str | bytes))
        among = Condition(column, Operator.IN, some)
        for page in reader.rows(replace(extract, conditions=(*extract.conditions, among)), KeyRange()):
            yield from page
