"""What becomes of the numbers by which rows name each other, where the target has given out numbers of its own. Pure.

What surprises: rows are not numbered one by one. A stretch of the source's numbers is moved as a whole, by one distance, to where the target has
none: so the number of every row is known before any row is put, no two can become one, and a few lines are all there is to remember. Numbers
stay as they are where the target has given out none so high.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from migrator.forms.model import Column, Key, KeyRange
from migrator.frozen import dataclass

NONE = frozenset({None, "", "0"})  # what a column says that names no row
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "integer": 32, "bigint": 64}


@dataclass(frozen=True, slots=True)
class Stretch:
    """The source's numbers behind `after`, up to and with `upto`, are `by` more at the target. Not `sure` while the target has not been told to
    give them to nobody else; until then no row has one.
    """

    after: int
    upto: int
    by: int = 0
    sure: bool = True

    @property
    def highest(self) -> int:
        """The highest number it may become."""
        return self.upto + self.by


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of one table: its stretches, in order; `forms` that are at the target already, and entries that are `there` already, each with its
    number at the target; and what is `nowhere` at the target. Keys that are no numbers may be among the last three.
    """

    stretches: tuple[Stretch, ...] = ()
    forms: Mapping[str, str] = field(default_factory=dict)
    there: Mapping[str, str] = field(default_factory=dict)
    nowhere: frozenset[str] = frozenset()

    def of(self, number: str) -> str | None:
        """The number at the target; None for one that leads nowhere there. A key that is no number was made to be the only one anywhere, and
        stays.
        """
        if number in self.forms:
            return self.forms[number]
        if number in self.there:
            return self.there[number]
        if number in self.nowhere:
            return None
        if not number.isdecimal():
            return number
        stretch = self.stretch_of(int(number))
        return None if stretch is None else str(int(number) + stretch.by)

    def stretch_of(self, number: int) -> Stretch | None:
        """The stretch a number lies in."""
        place = bisect_left(self.stretches, number, key=lambda one: one.upto)
        if place < len(self.stretches) and self.stretches[place].after < number:
            return self.stretches[place]
        return None

    @property
    def upto(self) -> int:
        """The highest number that has been given a place."""
        return self.stretches[-1].upto if self.stretches else 0

    @property
    def highest(self) -> int:
        """The highest number that is promised at the target."""
        return max((one.highest for one in self.stretches), default=0)

    @property
    def is_sure(self) -> bool:
        """Whether rows may be put there."""
        return all(one.sure for one in self.stretches)

    def with_stretch(self, one: Stretch) -> Numbers:
        """The same with one more stretch, behind the others."""
        return replace(self, stretches=(*self.stretches, one))


def next_stretch(known: Sequence[Stretch], lowest: int, highest: int, *, ceiling: int) -> Stretch:
    """Where the source's numbers up to `highest` go, all of them behind the stretches that are `known`; `lowest` is the lowest that it has or names.
    `ceiling` is the highest that the target has given out or promised to anybody. Numbers stay only above all of these.
    """
    ceiling = max([ceiling, *(one.highest for one in known)])
    if ceiling < lowest:
        return Stretch(ceiling, highest)
    # What hangs on a row that the source has deleted still names its number, and so that has a place of its own too.
    after = max([0, *(one.upto for one in known)])
    return Stretch(after, highest, ceiling - after)


def largest_of(column: Column) -> int:
    """The largest number a column can hold."""
    bits = _BITS.get(column.type.lower().split("(", 1)[0].split(" ", 1)[0], 64)
    return (1 << (bits if column.unsigned else bits - 1)) - 1


def image(numbers: Numbers, among: KeyRange) -> KeyRange | None:
    """Where a range that is divided by its first column's numbers lies at the target; None where its end has no place yet. No row of
    another's lies in it.
    """
    if among.upto is None:
        return None
    stretch = numbers.stretch_of(_number(among.upto))
    if stretch is None:
        return None
    after = stretch.after if among.after is None else max(_number(among.after), stretch.after)
    return KeyRange((str(after + stretch.by),), (str(_number(among.upto) + stretch.by),))


def _number(key: Key) -> int:
    return int(key[0])


# -- keys of fields -----------------------------------------------------------------------------------------------------

SPARE = 1000


@dataclass(frozen=True, slots=True)
class FieldKeys:
    """What the keys of a form's fields become at the target. With `spare`, one without a counterpart gets a number that no field there has: the
    answer stays with its entry. Without, it has no place.
    """

    keys: Mapping[str, str | None] = field(default_factory=dict)
    spare: int | None = None

    def of(self, key: str) -> str | None:
        """The key at the target; None where it has no place. A part that nobody describes (`1.3`) goes with its field."""
        whole, dot, part = key.partition(".")
        found = self.keys.get(key)
        if found is None and dot and key not in self.keys and (into := self.keys.get(whole)) is not None:
            found = f"{into}.{part}"
        if found is None and self.spare is not None and key.isdecimal():
            return str(self.spare + int(key))
        return found


def spare_above(keys: Iterable[str]) -> int:
    """What is added to a number so that it is none of these keys."""
    highest = max((int(one) for one in keys if one.isdecimal()), default=0)
    return SPARE * (1 + highest // SPARE)
