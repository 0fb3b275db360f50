"""Where rows that keep their ids meet rows of the target: which are there already, and whose ids belong to others. It reads only.

What surprises: an id proves nothing. A row is found where the target's row of that id says the same; else the id is somebody else's, and
what hangs on ours must not hang on theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from enum import Enum
from itertools import groupby

from migrator.errors import Refused
from migrator.forms.contract import TableReader
from migrator.forms.model import Condition, Extract, Key, KeyRange, Operator, Paging, Row, Table
from migrator.frozen import dataclass

MOST_SHOWN = 20  # ids, or stretches of them, in one sentence
MOST_PIECES = 20  # of one range
STRETCH = 3  # ids that follow each other are shown by their ends, from so many on
AT_ONCE = 500  # values in one question


class Met(Enum):
    """What becomes of a row."""

    FRESH = "is to be put"
    FOUND = "is there as it would be put"
    ELSEWHERE = "is there under another id, by the plugin's own mark"
    TAKEN = "has an id that belongs to another row there"
    HANGING = "hangs on a row of ours that is not there"

    __hash__ = object.__hash__


BEHIND = frozenset({Met.TAKEN, Met.HANGING})


@dataclass(slots=True)
class Rows:
    """Rows of a range, in order, each with what becomes of it; `table` tells their ids."""

    table: Table
    each: list[tuple[Row, Met]] = field(default_factory=list)

    def of(self, *fates: Met) -> list[Row]:
        """Those of which this becomes, in order."""
        return [row for row, met in self.each if met in fates]

    def keys(self, fate: Met) -> list[Key]:
        """The ids of those."""
        return [self.table.key_of(row) for row in self.of(fate)]

    @property
    def left_out(self) -> bool:
        """Whether some of the rows are not to be put."""
        return any(met is not Met.FRESH for _, met in self.each)

    def part_from(self, column: str, gone: set[str | bytes]) -> None:
        """What was to be put and names one of these in that column hangs on what is not there."""
        at = self.table.place(column)
        self.each = [(row, Met.HANGING if met is Met.FRESH and row[at] in gone else met) for row, met in self.each]

    def pieces(self, among: KeyRange) -> list[tuple[KeyRange, Rows]]:
        """The same in smaller ranges, so that none holds rows that stay behind and others as well; itself where it cannot be divided, or only in
        very many.
        """
        stretches = [list(some) for _, some in groupby(self.each, lambda one: one[1] in BEHIND)]
        if self.table.paging is not Paging.KEY or not 1 < len(stretches) <= MOST_PIECES:
            return [(among, self)]
        inner: list[Key | None] = [self.table.key_of(some[-1][0]) for some in stretches[:-1]]
        starts, ends = [among.after, *inner], [*inner, among.upto]
        return [
            (KeyRange(after, upto), Rows(self.table, some))
            for after, upto, some in zip(starts, ends, stretches, strict=True)
        ]


def why_behind(taken: Sequence[Key], hanging: Sequence[Key]) -> str:
    """What is told of rows that cannot be put, by their ids; "" if there are none."""
    whose = "whose id belongs to another row" if len(taken) == 1 else "whose ids belong to other rows"
    hangs = "which hangs on one that is not" if len(hanging) == 1 else "which hang on rows that are not"
    parts = (
        f"{_rows_are(taken)} left behind, {whose} there ({shown(taken)})" if taken else "",
        f"{_rows_are(hanging)} left behind, {hangs} there ({shown(hanging)})" if hanging else "",
    )
    return "; ".join(filter(None, parts))


def belong_to_others(keys: Sequence[Key]) -> str:
    """That these ids are given out, as an admin reads it."""
    if len(keys) == 1:
        return f"one id of ours belongs to another row there ({shown(keys)})"
    return f"{len(keys):,} ids of ours belong to other rows there ({shown(keys)})"


def _rows_are(keys: Sequence[Key]) -> str:
    return f"{len(keys):,} {'row is' if len(keys) == 1 else 'rows are'}"


def shown(keys: Sequence[Key]) -> str:
    """Ids as an admin reads them, those that follow each other by their ends, not all where they are many."""
    stretches = list(_stretches(keys))
    words = [
        _said(one[0]) if len(one) == 1 else f"{_said(one[0])} to {_said(one[-1])}" for one in stretches[:MOST_SHOWN]
    ]
    more = sum(map(len, stretches[MOST_SHOWN:]))
    return f"{'id' if len(keys) == 1 else 'ids'} {', '.join(words)}{f' and {more:,} more' if more else ''}"


def _stretches(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Keys in stretches of whole numbers that follow each other; one by one where they are few, or no numbers."""
    for _, some in groupby(enumerate(keys), lambda one: _number(one[1], one[0])):
        stretch = [key for _, key in some]
        if len(stretch) < STRETCH:
            yield from ([key] for key in stretch)
        else:
            yield stretch


def _number(key: Key, place: int) -> object:
    """The same for whole numbers that follow each other at places that do."""
    word = key[0] if len(key) == 1 else ""
    return int(word) - place if isinstance(word, str) and word.isascii() and word.isdigit() else key


def _said(key: Key) -> str:
    return " ".join(one if isinstance(one, str) else one.hex() for one in key)


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

    def met(self, among: KeyRange, rows: Sequence[Row]) -> Rows:
        """What is there of these rows of a range. Of what the target has there, only what meets one of them is held."""
        by_key = self.ours.paging is Paging.KEY
        met = self._by_key(among, rows) if by_key else self._as_they_are(among, rows)
        if self.identity:
            known = self._known([row for row, one in met if one is Met.FRESH])
            mark = self.ours.place(self.identity)
            met = [(row, Met.ELSEWHERE if one is Met.FRESH and row[mark] in known else one) for row, one in met]
        return Rows(self.ours, met)

    def same(self, ours: Row, theirs: Row) -> bool:
        """Whether two rows of one id are the same one; both with our columns in our order."""
        mark = self.ours.place(self.identity) if self.identity else None
        return ours == theirs or (mark is not None and bool(ours[mark]) and ours[mark] == theirs[mark])

    def told(self, pages: Iterable[Sequence[Row]]) -> Iterator[Row]:
        """Rows of the table there with our columns in our order."""
        order = [self.there.place(one.name) for one in self.ours.columns]
        for page in pages:
            for row in page:
                yield tuple(row[at] for at in order)

    def _theirs(self, among: KeyRange) -> Iterator[Row]:
        return self.told(self.target.rows(self.place, among))

    def _by_key(self, among: KeyRange, rows: Sequence[Row]) -> list[tuple[Row, Met]]:
        keys = {self.ours.key_of(row) for row in rows}
        there = {key: row for row in self._theirs(among) if (key := self.ours.key_of(row)) in keys}

        def met(row: Row) -> Met:
            other = there.get(self.ours.key_of(row))
            if other is None:
                return Met.FRESH
            return Met.FOUND if self.same(row, other) else Met.TAKEN

        return [(row, met(row)) for row in rows]

    def _as_they_are(self, among: KeyRange, rows: Sequence[Row]) -> list[tuple[Row, Met]]:
        """Rows without an id: as many of each as are there are found."""
        ours = set(rows)
        rest = Counter(row for row in self._theirs(among) if row in ours)
        met = []
        for row in rows:
            met.append((row, Met.FOUND if rest[row] else Met.FRESH))
            rest[row] -= min(1, rest[row])
        return met

    def _known(self, rows: Sequence[Row]) -> set[object]:
        """The marks of these rows that the target has."""
        here, there = self.ours.place(self.identity), self.there.place(self.identity)
        marks = list(dict.fromkeys(row[here] for row in rows if row[here]))
        return {
            row[there] for page in rows_naming(self.target, Extract(self.there), self.identity, marks) for row in page
        }


@dataclass(slots=True)
class Foreseen:
    """What will be met: how many rows are found, and the ids of those that are not put because others have them."""

    found: int = 0
    taken: list[Key] = field(default_factory=list)


def foreseen(
    meeting: Meeting,
    source: TableReader,
    extract: Extract,
    ranges: Sequence[KeyRange],
    hidden: Callable[[Sequence[Row]], Sequence[Row]],
) -> Foreseen:
    """The same of all these ranges, before anything is moved; only those are read in which the target has rows."""
    total, place = Foreseen(), meeting.place
    for among in ranges:
        if not (meeting.identity or meeting.target.checksum(place, among).rows):
            continue
        one = meeting.met(among, [row for page in source.rows(extract, among) for row in hidden(page)])
        total.found += len(one.of(Met.FOUND, Met.ELSEWHERE))
        total.taken += one.keys(Met.TAKEN)
    return total


def missing_parents(
    parent: Extract,
    meeting: Meeting | None,
    key: str,
    values: Sequence[str | bytes],
    source: TableReader,
    hidden: Callable[[Sequence[Row]], Sequence[Row]],
) -> set[str | bytes]:
    """Those of the values that name a row which is moved and is not at the target as it was put there; `meeting` is of the rows' table, None
    where the target has none.
    """
    wanted = [*dict.fromkeys(values)]
    at = parent.table.place(key)
    ours = {row[at]: row for page in rows_naming(source, parent, key, wanted) for row in hidden(page)}
    theirs = {}
    if meeting is not None and ours:
        pages = rows_naming(meeting.target, Extract(meeting.there), key, wanted)
        theirs = {row[at]: row for row in meeting.told(pages)}
    return {
        value
        for value in wanted
        if value in ours and not (meeting and value in theirs and meeting.same(ours[value], theirs[value]))
    }


def rows_naming(
    reader: TableReader, extract: Extract, column: str, values: Sequence[object]
) -> Iterator[Sequence[Row]]:
    """The rows that have one of these values in a column, page by page."""
    for start in range(0, len(values), AT_ONCE):
        some = tuple(one for one in values[start : start + AT_ONCE] if isinstance(one, str | bytes))
        among = Condition(column, Operator.IN, some)
        yield from reader.rows(replace(extract, conditions=(*extract.conditions, among)), KeyRange())
