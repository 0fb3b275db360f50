"""Numbers for the rows of a source that have none yet: where the target has room, what is written down, what it is told then.

What surprises: all numbers are given before any row is put. They are written down first, as a wish; then the target is told not to give them to
anybody else, and they are sure if nobody was faster. So a run that dies in between is gone on with under the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from migrator.errors import Refused
from migrator.forms.answers import text_of
from migrator.forms.contract import PutsBeside, TableReader, TableWriter
from migrator.forms.model import EVERYTHING, Condition, Extract, Family, KeyRange, Operator, Paging, Row, Table
from migrator.forms.moving import UNDIVIDED
from migrator.forms.remap import book
from migrator.forms.remap.book import Page, Place
from migrator.forms.remap.deciding import Numbering
from migrator.forms.remap.numbers import Numbers, Stretch, largest_of, next_stretch
from migrator.forms.remap.sides import Sides, own_number, rows_of
from migrator.forms.taking import Taking, renamed
from migrator.frozen import dataclass

AT_ONCE: Final = 1000  # rows whose identities are asked for at once
TURNS: Final = 10  # times that something is written down while others give out numbers as well; a quiet site needs two
ROOM: Final = 100  # numbers that are left to it


@dataclass(frozen=True, slots=True)
class Unnumbered:
    """Rows of the source that have come behind all numbers that were given: `lowest` to `highest`."""

    taking: Taking
    own: str
    lowest: int
    highest: int


def unnumbered(sides: Sides, numbering: Numbering) -> Iterator[Unnumbered]:
    """What has to be given numbers yet."""
    for taking in sides.takings:
        own = own_number(taking)
        if not own:
            continue
        upto = numbering.numbers.get((taking.table.name, own), Numbers()).upto
        found = extent(sides.source, taking.table, own, upto)
        if found is None and upto:
            continue
        named = _named(sides, taking, own)
        lowest, highest = found or (1, named)
        if highest:
            yield Unnumbered(taking, own, lowest, max(highest, named))


def _named(sides: Sides, taking: Taking, own: str) -> int:
    """The highest number that a source gave out or still names: what hangs on a row that was deleted may not come under another's."""
    if taking.table.next_number:
        return taking.table.next_number - 1
    return max((highest for _, highest in _naming(sides, taking, own)), default=0)


def _naming(sides: Sides, taking: Taking, own: str, after: int = 0) -> Iterator[tuple[int, int]]:
    """The lowest and the highest number behind `after` in each column of the source that names rows of this table."""
    for one in sides.takings:
        for column, table, key in one.references:
            if (table, key) == (taking.table.name, own) and one.table.column(column).family is Family.INTEGER:
                found = extent(sides.source, one.table, column, after)
                if found is not None:
                    yield found


def extent(reader: TableReader, table: Table, column: str, after: int = 0) -> tuple[int, int] | None:
    """The lowest and the highest number of a column, of those behind `after`; None where there is none. Where no server can be asked, all rows
    are read.
    """
    if not reader.features.checksums and not reader.features.merges:
        place = table.place(column)
        found = [0, 0]
        for row in rows_of(reader, Extract(table), EVERYTHING):
            number = int(text_of(row[place]) or 0)
            if number > after:
                found = [min(found[0] or number, number), max(found[1], number)]
        return (found[0], found[1]) if found[1] else None
    by_it = Extract(replace(table, paging=Paging.INDEX, page_by=(column,)))
    start = (str(after),)
    lowest = next(iter(reader.ranges(by_it, start, 1)), None)
    highest = next(iter(reader.ranges(by_it, start, UNDIVIDED)), None)
    if lowest is None or highest is None or lowest.upto is None or highest.upto is None:
        return None
    return int(text_of(lowest.upto[0])), int(text_of(highest.upto[0]))


def give(sides: Sides, target: TableWriter, numbering: Numbering) -> Numbering:
    """The same with numbers for all rows that had none, written down at the target. Callable any number of times. Raises Refused."""
    for turn in range(TURNS):
        was = book.written(target)
        pages = book.pages(was)
        if pages.get(numbering.origin, Page()) != numbering.written:
            break
        others = [page for origin, page in pages.items() if origin != numbering.origin]
        made_sure = replace(numbering, numbers=_made_sure(sides, target, numbering))
        # What a busy site gives out between our look and our word is below ours, and the more often it was not, the more it gets.
        given = replace(numbering, numbers=_with_stretches(sides, target, made_sure, others, ROOM * turn))
        if given.page != numbering.written:
            if not book.write(target, was, given.origin, given.page):
                continue
            numbering = replace(given, written=given.page)
        if not wishes(sides, given):
            return given
    if taken := wishes(sides, numbering):
        raise Refused(
            f"{taken[0][0]}: somebody takes numbers at the target as fast as they are looked for.",
            remedy="Run again when the new site is quiet.",
        )
    raise Refused(
        "forms: another run gives ids at the target at the same time.", remedy="Run again when the other one has ended."
    )


def wishes(sides: Sides, numbering: Numbering) -> list[Place]:
    """Whose numbers are written down and not sure yet, of the tables that are moved."""
    places = [(one.table.name, own_number(one)) for one in sides.takings]
    return [one for one in places if not numbering.numbers.get(one, Numbers()).is_sure]


def _made_sure(sides: Sides, target: TableWriter, numbering: Numbering) -> dict[Place, Numbers]:
    """The same after the target was told to give nobody what is wished; without a wish that somebody was faster than."""
    numbers, there = dict(numbering.numbers), sides.there()
    for place in wishes(sides, numbering):
        *before, wish = numbers[place].stretches
        at = there.get(place[0])
        if at is None or _is_ours(target, at, place[1], wish):
            before.append(replace(wish, sure=True))
        numbers[place] = replace(numbers[place], stretches=tuple(before))
    return numbers


def _is_ours(target: TableWriter, at: Table, own: str, wish: Stretch) -> bool:
    """Whether nobody has these numbers, now that nobody gets them any more."""
    assert isinstance(target, PutsBeside)  # no other is given rows with new numbers
    target.reserve(at, wish.highest)
    wished = (
        Condition(own, Operator.FROM, (str(wish.after + wish.by + 1),)),
        Condition(own, Operator.BELOW, (str(wish.highest + 1),)),
    )
    return not target.count(Extract(at, wished))


def _with_stretches(
    sides: Sides, target: TableWriter, numbering: Numbering, others: Sequence[Page], room: int
) -> dict[Place, Numbers]:
    numbers = dict(numbering.numbers)
    for one in unnumbered(sides, numbering):
        name = one.taking.table.name
        place = (name, one.own)
        now = numbers.get(place, Numbers())
        if one.taking.identity and (at := sides.there().get(name)) is not None:
            now = replace(now, there={**now.there, **_recognised(sides, one, at)})
        beside = Page({other: said for other, said in numbers.items() if _is_one_table(sides, place, other)})
        numbers[place] = now.with_stretch(_stretch(sides, target, now, one, promised([*others, beside], place), room))
    return numbers


def _is_one_table(sides: Sides, place: Place, other: Place) -> bool:
    """Whether two tables of the source are one at the target."""
    return place != other and renamed(place[0], sides.prefixes) == renamed(other[0], sides.prefixes)


def promised(others: Iterable[Page], place: Place) -> int:
    """The highest number that rows of these others may get in the table of this place, whether or not they are there by now. Another source may
    call the table otherwise, so whatever ends like it counts.
    """
    table, column = place
    word = table.rpartition("_")[2]
    return max(
        (
            numbers.highest
            for page in others
            for (name, key), numbers in page.numbers.items()
            if key == column and _end_alike(name.rpartition("_")[2], word)
        ),
        default=0,
    )


def _end_alike(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)


def _stretch(sides: Sides, target: TableWriter, now: Numbers, one: Unnumbered, others: int, room: int) -> Stretch:
    """Where numbers go: a wish, and sure only where there is no table that could give them to others."""
    there = sides.there()
    at = there.get(one.taking.table.name)
    ceiling = max(given_out(target, at, one.own) + room, others)
    lowest = one.lowest
    if now.upto < ceiling < lowest:  # else what names a deleted row would be left behind, and only here
        lowest = min([lowest, *(low for low, _ in _naming(sides, one.taking, one.own, now.upto))])
    found = next_stretch(now.stretches, lowest, one.highest, ceiling=ceiling)
    _refuse_too_high(sides.takings, one, there, found.highest)
    return replace(found, sure=at is None)


def given_out(target: TableReader, at: Table | None, own: str) -> int:
    """The highest number that a target has or had in a table."""
    if at is None:
        return 0
    there = extent(target, at, own)
    return max(there[1] if there else 0, (at.next_number or 1) - 1)


def _refuse_too_high(takings: Sequence[Taking], one: Unnumbered, there: Mapping[str, Table], highest: int) -> None:
    """Raises Refused where the target's column cannot hold a number, or one that names it cannot."""
    name = one.taking.table.name
    columns = [(there.get(name, one.taking.table), one.own)]
    for taking in takings:
        named = [column for column, table, key in taking.references if (table, key) == (name, one.own)]
        at = there.get(taking.table.name, taking.table)
        columns += [(at, column) for column in named if column in {each.name for each in at.columns}]
    for at, column in columns:
        told = at.column(column)
        if told.family is Family.INTEGER and highest > largest_of(told):
            raise Refused(
                f"new numbers would go up to {highest:,}, and the target's column {at.name}.{column} holds {largest_of(told):,} at most.",
                remedy="Widen the column at the target (bigint), then run again.",
            )


def _recognised(sides: Sides, one: Unnumbered, at: Table) -> dict[str, str]:
    """Entries that the target has already, by what tells them wherever they are: number at the source, number at the target."""
    table, column = one.taking.table, one.taking.identity
    found: dict[str, str] = {}
    among = KeyRange((str(one.lowest - 1),))
    for rows in _portions(rows_of(sides.source, one.taking.extract, among), AT_ONCE):
        mine = {
            row[table.place(column)]: text_of(row[table.place(one.own)]) for row in rows if row[table.place(column)]
        }
        if mine:
            wanted = Extract(at, (Condition(column, Operator.IN, tuple(mine)),))
            for row in rows_of(sides.target, wanted, EVERYTHING):
                if row[at.place(column)] in mine:
                    found[mine[row[at.place(column)]]] = text_of(row[at.place(one.own)])
    return found


def _portions(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    portion: list[Row] = []
    for row in rows:
        portion.append(row)
        if len(portion) == size:
            yield portion
            portion = []
    if portion:
        yield portion
