"""Rows that a source has and cannot give, because they are too large to be held: each is an item beside the ranges of its table, and is left
behind by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from migrator.engine.contract import MB, Fate, Intended, Item, Loaded, Outcome, Reading
from migrator.forms.contract import LeavesRows, TableReader
from migrator.forms.model import Extract, LeftRow, Table
from migrator.forms.moving import RangeMove, Rows
from migrator.frozen import dataclass

ROW = "row "  # begins the key of such an item; all others are ranges
TOO_LARGE = "Load the dump into a server and name that one in the plan, or copy this row by hand."


def left_rows(source: TableReader, table: Table) -> Sequence[LeftRow]:
    """The rows of a table that the source cannot give."""
    return source.left_rows(table) if isinstance(source, LeavesRows) else ()


def left_behind(source: TableReader, extract: Extract) -> dict[str, Outcome]:
    """What becomes of them, by the keys of their items."""
    return {
        f"{ROW}{one.name}": Outcome(
            f"{ROW}{one.name}", Fate.LEFT_BEHIND, size=one.size, note=told(one, extract), cure=TOO_LARGE
        )
        for one in left_rows(source, extract.table)
    }


def left_before(read: Reading, action_key: str) -> list[Outcome]:
    """Those that earlier runs have left behind."""
    recorded = read.outcomes(action_key)
    return [one for one in recorded if one.key.startswith(ROW) and one.fate is not Fate.GONE]


def told(left: LeftRow, extract: Extract) -> str:
    """One of them in words. Nobody looks into it, so it is told too where only some rows are wanted."""
    doubt = "" if extract.is_whole else "; whether it is one of those wanted was not looked at"
    return f"the row {left.name} is too large to be moved ({left.size / MB:,.1f} MB; {left.where}){doubt}"


def told_together(left: Sequence[LeftRow]) -> str:
    """How many there are, in words; "" for none."""
    if not left:
        return ""
    return f"{len(left):,} {'row is' if len(left) == 1 else 'rows are'} too large to be moved and left behind"


@dataclass(frozen=True, slots=True)
class Leaving:
    """Carries the ranges of a table as `move` does, and answers for the rows that are left behind. Fulfils Carrier."""

    move: RangeMove
    left: Mapping[str, Outcome]

    def items(self) -> Iterator[Item]:
        yield from self.move.items()
        yield from (Item(one.key, one.size) for one in self.left.values())

    def read(self, part: Sequence[Item]) -> Sequence[Loaded[Rows] | Outcome]:
        ranges = [one for one in part if one.key not in self.left]
        return [*self.move.read(ranges), *(self.left[one.key] for one in part if one.key in self.left)]

    def fence(self) -> str:
        return self.move.fence()

    def write(self, part: Sequence[Loaded[Rows]]) -> Sequence[Outcome]:
        return self.move.write(part)

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        return self.move.landed(fence, intended)
