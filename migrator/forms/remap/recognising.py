"""Whose numbers these are: a source is known again by what it holds.

What surprises: its name says little. Two sites may have one name, and one site may come by two roads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from migrator.forms.answers import text_of
from migrator.forms.contract import TableReader
from migrator.forms.flat import Flat, Site
from migrator.forms.model import EVERYTHING, Condition, Extract, Operator, Paging, Role, Table
from migrator.forms.plugins.detect import by_word
from migrator.forms.plugins.detect import stored as stored_by_names
from migrator.forms.remap.book import Page
from migrator.forms.remap.matching import are_alike
from migrator.forms.remap.numbers import Stretch
from migrator.forms.remap.sides import Sides, flat_there, forms_in, is_known, known, place_of, rows_of
from migrator.forms.taking import renamed

SAMPLE: Final = 100  # entries by which a source is known again
UNSURE: Final = "?"  # no name of a source


def known_again(sides: Sides, pages: Mapping[str, Page]) -> str:
    """The name under which the target knows this source: that of the page whose entries are the source's, else one that is free. Entries are the
    same where the moments at which they were sent are: these nobody changes. "" where a page has the source's name and nothing tells whether it is
    the source's.
    """
    name = sides.source.server().database or "source"
    own = ""
    for one in sorted(pages, key=lambda one: (one != name, one)):
        alike, other, compared = _evidence(sides, pages[one])
        if alike > other:
            return one
        if one == name and not other:
            own = name if not compared and _forms_agree(sides, pages[one]) else UNSURE
    if own:
        return "" if own == UNSURE else own
    free, count = name, 1
    while free in pages:
        count += 1
        free = f"{name} {count}"
    return free


def _evidence(sides: Sides, page: Page) -> tuple[int, int, bool]:
    """Of a sample of the entries that are at the target where a page says, how many are the source's, how many of the source's are others, and
    whether there were any. Where there are none of those that are moved, those of every plugin count: a plan may have moved them in another step.
    """
    found = _compared(sides, page, {one.table.name: one.moment for one in sides.takings})
    if found[2]:
        return found
    known_ones = stored_by_names(sides.source.tables(), ())
    parts = [part for one in known_ones for part in one.tables if part.role is Role.ENTRIES]
    return _compared(sides, page, {one.table: one.moment for one in parts})


def _compared(sides: Sides, page: Page, moments: Mapping[str, str]) -> tuple[int, int, bool]:
    here, there = ({one.name: one for one in side.tables()} for side in (sides.source, sides.target))
    alike = other = 0
    compared = False
    for (table, own), numbers in page.numbers.items():
        moment, at = moments.get(table), there.get(renamed(table, sides.prefixes))
        if not moment or at is None or table not in here:
            continue
        at = known(at, here[table])
        if not all({own, moment} <= {one.name for one in side.columns} for side in (here[table], at)):
            continue
        sure = [one for one in numbers.stretches if one.sure]  # in the others there is no row of this source
        for stretch in {*sure[:1], *sure[-1:]}:
            put = _sample(sides.target, at, own, moment, stretch)
            if not put:
                continue
            compared = True
            wanted = Extract(here[table], (Condition(own, Operator.IN, tuple(put)),))
            for row in rows_of(sides.source, wanted, EVERYTHING):
                said = text_of(row[here[table].place(moment)])
                same = put.get(text_of(row[here[table].place(own)])) == said
                alike, other = alike + same, other + (not same)
    return alike, other, compared


def _sample(target: TableReader, at: Table, own: str, moment: str, stretch: Stretch) -> dict[str, str]:
    """Entries of a stretch as they are at the target: the moment by the number at the source. Those without a moment say nothing."""
    inside = (
        Condition(own, Operator.FROM, (str(stretch.after + stretch.by + 1),)),
        Condition(own, Operator.BELOW, (str(stretch.highest + 1),)),
    )
    by_it = Extract(replace(at, paging=Paging.INDEX, page_by=(own,)), inside)
    first = next(iter(target.ranges(by_it, None, SAMPLE)), None)
    if first is None:
        return {}
    return {
        str(int(text_of(row[at.place(own)])) - stretch.by): said
        for row in rows_of(target, by_it, first)
        if (said := text_of(row[at.place(moment)])) and not said.startswith("0000")
    }


def _forms_agree(sides: Sides, page: Page) -> bool:
    """Whether the source's forms are called as those at the target that they went to, or the plan says that they are these."""
    alike = other = 0
    for stored in sides.stored:
        view = by_word(stored.plugin).view if not stored.silent and is_known(stored) else None
        numbers = page.numbers.get(place_of(view, stored.prefix)) if view and view.titles is not None else None
        if view is None or numbers is None:
            continue
        there = {one.key: one for one in forms_in(flat_there(sides, stored), view)}
        for one in forms_in(Flat(sides.source, stored, Site()), view):
            into = there.get(numbers.of(one.key) or "")
            if into is not None:
                same = are_alike(one, into, sides.options.map)
                alike, other = alike + same, other + (not same)
    return alike > other or not other
