"""Rows of a table in the columns of another one of the same name: two versions of a plugin rarely agree in all of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from migrator.errors import Refused
from migrator.forms.model import Column, Row, Table, Value
from migrator.forms.redaction import empty
from migrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Fitting:
    """For each column of the target where it stands in a row of the source, None where it does not, and what it then says."""

    places: tuple[tuple[int | None, Value], ...]
    same: bool

    def __call__(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows in the target's columns."""
        if self.same:
            return rows
        return [tuple(fill if place is None else row[place] for place, fill in self.places) for row in rows]

    @classmethod
    def of(cls, source: Table, target: Table) -> Fitting:
        """How rows of `source` fit into `target`. Raises Refused where the target has no place for a column."""
        there = {one.name.lower() for one in target.columns}
        lacking = [one.name for one in source.columns if one.name.lower() not in there and not one.computed]
        if lacking:
            raise Refused(
                f"{target.name}: the target's table has no column {lacking[0]}, so values would be lost.",
                remedy="Bring the plugin at the new site to the old one's version, or leave the column empty and out by hand.",
            )
        here = {one.name.lower(): place for place, one in enumerate(source.columns)}
        places = tuple((here.get(one.name.lower()), _fill(one)) for one in target.columns)
        return cls(places, [place for place, _ in places] == list(range(len(source.columns))))


def _fill(column: Column) -> Value:
    if column.default is not None and not column.default_is_words:
        return empty(column)
    return None if column.nullable else empty(column)
