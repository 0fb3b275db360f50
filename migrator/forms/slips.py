"""What a plan names and a source does not have. Where passing over it would move what was to stay or let out what was to be hidden, the run
is refused; where something would only not move, it is told. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from migrator.errors import PlanError
from migrator.forms.model import Stored, Table
from migrator.forms.options import FormsOptions
from migrator.forms.redaction import without_column
from migrator.meant import did_you_mean

SOME: Final = 5  # names in a sentence


def refuse_slips(tables: Sequence[Table], options: FormsOptions) -> None:
    """Raises PlanError for rules about tables or columns that are not at the source."""
    for word, pattern in without_column(tables, options.redact):
        raise PlanError(
            f"redact.{word}: no column of the source's tables is {pattern}; this run has moved nothing of this step.",
            remedy="Write table.column, or table.column:field for a field inside a column.",
        )
    by_name = {one.name: one for one in tables}
    for prefix in options.prefixes:
        if not any(name.startswith(prefix) for name in by_name):
            raise PlanError(
                f"prefixes: no table of the source begins with {prefix}; this run has moved nothing of this step.",
                remedy=f"Correct the plan: its tables are {', '.join(sorted(by_name)[:SOME]) or 'none'}.",
            )
    for name, columns in options.where.items():
        if name not in by_name:
            hint = did_you_mean(name, by_name)
            raise PlanError(
                f"where: there is no table {name} at the source; this run has moved nothing of this step.{hint}",
                remedy="Correct the plan.",
            )
        known = {one.name.lower(): one.name for one in by_name[name].columns}
        for column in columns:
            if column.lower() not in known:
                hint = did_you_mean(column, known.values())
                raise PlanError(
                    f"where: {name} has no column {column}; this run has moved nothing of this step.{hint}",
                    remedy="Correct the plan.",
                )


def absent(tables: Sequence[Table], found: Sequence[Stored], options: FormsOptions) -> Iterator[tuple[str, str]]:
    """Names and patterns of `tables` that no table of the source has, and `plugins` of which nothing was found, each with words for it."""
    there = {one.plugin for one in found}
    for word in options.plugins:
        if word not in there:
            has = ", ".join(sorted(there)) or "nothing of the plugins that the plan names"
            yield word, f"the source has nothing of this plugin, but `plugins` names it; it has {has}."
    names = [one.name for one in tables]
    for pattern in options.tables:
        if not any(fnmatchcase(name, pattern) for name in names):
            yield pattern, f"the source has no such table, but `tables` names it.{did_you_mean(pattern, names)}"
