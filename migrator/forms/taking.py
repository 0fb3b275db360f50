"""What is taken out of a site's database: the tables that plugins keep entries in, those the plan names, and which of their rows. Pure.

What surprises: plugins share tables (posts and their meta), and each table is moved once. So rows of several plugins are taken together;
where that cannot be said exactly, more meta of the same posts is taken, never less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final, TypeAlias  # Any: as json has it

from migrator.forms.model import (
    Clock,
    Condition,
    Extract,
    Family,
    Keyed,
    Link,
    Operator,
    Paging,
    Role,
    Stored,
    StoredTable,
    Table,
    Within,
)
from migrator.forms.options import FormsOptions
from migrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Taking:
    """A table, or rows of it. `plugins` keep something in it, `parents` are tables that are restored before it; `references` are columns
    that name rows of others, by table and key column; `identity` is a column that tells the same row wherever it is, "" without one.
    `links` and `keyed` are what else names rows, forms or fields; `describes` are those references by which rows belong to a form's
    description, `moment` is a column that never changes in a row that is an entry. `aside` is what no site is given.
    """

    extract: Extract
    plugins: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    references: tuple[tuple[str, str, str], ...] = ()
    identity: str = ""
    links: tuple[Link, ...] = ()
    keyed: tuple[Keyed, ...] = ()
    describes: tuple[str, ...] = ()
    moment: str = ""
    aside: bool = False

    @property
    def table(self) -> Table:
        """The table."""
        return self.extract.table


_LIMITS: Final = frozenset({Operator.FROM, Operator.BELOW})
Zones: TypeAlias = Mapping[str, tzinfo]  # the clocks of sites, by what stands before their tables' names


def takings(
    tables: Sequence[Table], stored: Sequence[Stored], options: FormsOptions, zones: Zones = MappingProxyType({})
) -> list[Taking]:
    """Everything that is moved, parents before children; each table once. A site whose zone is not known is taken for one in UTC."""
    by_name = {one.name: one for one in tables}
    found: dict[str, Taking] = {}
    for one in stored:
        for part in one.tables:
            if part.table in by_name:
                taking = _of(part, one, by_name[part.table], options, zones.get(one.prefix, UTC))
                found[part.table] = _together(found[part.table], taking) if part.table in found else taking
    for name, table in by_name.items():
        if _fits(name, options.tables):
            before = found.get(name, Taking(Extract(table)))
            found[name] = replace(before, extract=_where(Extract(table), options))
    return _in_order(found)


def _of(part: StoredTable, stored: Stored, table: Table, options: FormsOptions, zone: tzinfo) -> Taking:
    within = part.within
    conditions = part.conditions
    entries = {one.table: one for one in stored.tables if one.role is Role.ENTRIES and one.moment}
    if part.role is Role.ENTRIES and part.moment:
        conditions = (*conditions, *_in_time(part, options, zone))
    elif within is not None:
        within = _limited(within, entries, options, zone)
    elif part.role is not Role.FORMS:
        within = next(
            (
                Within(one.column, one.table, one.key, chosen)
                for one in part.references
                if one.table in entries and (chosen := _of_entry(entries[one.table], options, zone))
            ),
            None,
        )
    extract = _where(Extract(table, conditions, within), options)
    parents = tuple(dict.fromkeys(one.table for one in part.references if one.table != part.table))
    references = tuple((one.column, one.table, one.key) for one in part.references)
    describes: tuple[str, ...] = ()
    if part.role is Role.FORMS:
        links = (one.column for one in part.links if one.otherwise is None and not (one.way or one.named))
        describes = (*(one.column for one in part.references), *links)
    return Taking(
        extract,
        (stored.title,),
        parents,
        references,
        part.identity,
        part.links,
        part.keyed,
        describes,
        part.moment if part.role is Role.ENTRIES else "",
        aside=part.aside,
    )


def _of_entry(entries: StoredTable, options: FormsOptions, zone: tzinfo) -> tuple[Condition, ...]:
    """What an entry must say to be taken; nothing where all are."""
    limits = (*_in_time(entries, options, zone), *_wanted(entries.table, options))
    return (*entries.conditions, *limits) if limits else ()


def _limited(within: Within, entries: Mapping[str, StoredTable], options: FormsOptions, zone: tzinfo) -> Within:
    if within.table in entries:
        return replace(
            within,
            conditions=(
                *within.conditions,
                *_of_entry(entries[within.table], options, zone)[len(entries[within.table].conditions) :],
            ),
        )
    return replace(within, within=_limited(within.within, entries, options, zone)) if within.within else within


def _in_time(part: StoredTable, options: FormsOptions, zone: tzinfo) -> tuple[Condition, ...]:
    limits = ((Operator.FROM, options.since), (Operator.BELOW, options.older_than))
    return tuple(
        Condition(part.moment, operator, (_spelt(moment, part.clock, zone),)) for operator, moment in limits if moment
    )


def _spelt(moment: datetime, clock: Clock, zone: tzinfo) -> str:
    """A moment as a column with that clock has it, at a site in that zone. One without a zone is the site's own time."""
    there = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    if clock is Clock.UNIX:
        return f"{there.timestamp():.4f}"
    with suppress(OverflowError):  # at the ends of the calendar an hour says nothing
        there = there.astimezone(zone if clock is Clock.LOCAL else UTC)
    return f"{there:%Y-%m-%d %H:%M:%S}".rjust(19, "0")


def undated(taking: Taking) -> Iterator[Extract]:
    """Entries that limits of time leave out only because they have no date, or one of zeros; nothing where there are no such limits."""
    extract = taking.extract
    limits = [one for one in extract.conditions if one.column == taking.moment and one.operator in _LIMITS]
    if not limits:
        return
    others = tuple(one for one in extract.conditions if one not in limits)
    yield replace(extract, conditions=(*others, Condition(taking.moment, Operator.IN, (None,))))
    if any(one.operator is Operator.FROM for one in limits):
        in_words = extract.table.column(taking.moment).family in {Family.TEMPORAL, Family.TEXT}
        least = "0001-01-01 00:00:00" if in_words else "1"
        yield replace(extract, conditions=(*others, Condition(taking.moment, Operator.BELOW, (least,))))


def _wanted(table: str, options: FormsOptions) -> tuple[Condition, ...]:
    wanted = options.where.get(table, {})
    return tuple(
        Condition(column, Operator.IN, tuple(map(str, values if isinstance(values, tuple) else (values,))))
        for column, values in wanted.items()
    )


def _where(extract: Extract, options: FormsOptions) -> Extract:
    return replace(extract, conditions=(*extract.conditions, *_wanted(extract.table.name, options)))


def _together(one: Taking, other: Taking) -> Taking:
    """Both, as one taking of the table."""
    return Taking(
        united(one.extract, other.extract),
        tuple(dict.fromkeys((*one.plugins, *other.plugins))),
        tuple(dict.fromkeys((*one.parents, *other.parents))),
        tuple(dict.fromkeys((*one.references, *other.references))),
        one.identity if one.identity == other.identity else "",
        tuple(dict.fromkeys((*one.links, *other.links))),
        tuple(dict.fromkeys((*one.keyed, *other.keyed))),
        tuple(dict.fromkeys((*one.describes, *other.describes))),
        one.moment or other.moment,
        aside=one.aside and other.aside,
    )


def united(one: Extract, other: Extract) -> Extract:
    """An extract that has the rows of both, as few others as can be said."""
    if one.within is None or other.within is None:
        within = None
        if (one.within is None) != (other.within is None):
            return Extract(one.table)
    else:
        within = _either(one.within, other.within)
        if within is None:
            return Extract(one.table)
    return Extract(one.table, _any_of(one.conditions, other.conditions), within)


def _either(one: Within, other: Within) -> Within | None:
    if (one.column, one.table, one.key) != (other.column, other.table, other.key):
        return None
    inner = _either(one.within, other.within) if one.within and other.within else None
    return replace(one, conditions=_any_of(one.conditions, other.conditions), within=inner)


def _any_of(one: Sequence[Condition], other: Sequence[Condition]) -> tuple[Condition, ...]:
    """Conditions that hold where all of `one` or all of `other` do: those of both, lists of values joined."""
    joined = []
    for mine in one:
        theirs = next((each for each in other if (each.column, each.operator) == (mine.column, mine.operator)), None)
        if theirs is not None and mine.operator is Operator.IN:
            joined.append(replace(mine, values=tuple(dict.fromkeys((*mine.values, *theirs.values)))))
        elif theirs == mine:
            joined.append(mine)
    return tuple(joined)


def _in_order(found: Mapping[str, Taking]) -> list[Taking]:
    """Parents before children; a circle is cut where it is met."""
    ordered: dict[str, Taking] = {}
    under_way: set[str] = set()

    def put(name: str) -> None:
        if name in ordered or name in under_way or name not in found:
            return
        under_way.add(name)
        for parent in found[name].parents:
            put(parent)
        ordered[name] = found[name]

    for name in found:
        put(name)
    # A table may only wait for one that stands before it.
    places = {name: place for place, name in enumerate(ordered)}
    return [
        replace(one, parents=tuple(parent for parent in one.parents if places.get(parent, place) < place))
        for place, one in enumerate(ordered.values())
    ]


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def divided_for(taking: Taking, *, orders_text: bool) -> Taking:
    """The same, divided into ranges that mean the same at a target which orders text otherwise: by a number or date that the key begins
    with, else not at all.
    """
    table = taking.table
    if orders_text or not table.page_by:
        return taking
    named = {Family.INTEGER, Family.DECIMAL, Family.TEMPORAL}
    fitting = [table.column(name).family in named for name in table.page_by]
    if all(fitting):
        return taking
    divided = replace(table, paging=Paging.CONTENT, page_by=())
    if fitting[0]:
        divided = replace(table, paging=Paging.INDEX, page_by=table.page_by[:1])
    return replace(taking, extract=replace(taking.extract, table=divided))


# -- names at the target ------------------------------------------------------------------------------------------------


def renamed(name: str, prefixes: Mapping[str, str]) -> str:
    """A table's name at the target: the longest prefix that the plan maps is replaced."""
    fitting = sorted((prefix for prefix in prefixes if name.startswith(prefix)), key=len)
    return prefixes[fitting[-1]] + name.removeprefix(fitting[-1]) if fitting else name


def at_target(extract: Extract, table: Table, prefixes: Mapping[str, str]) -> Extract:
    """The same rows, in a table of the target."""
    return Extract(table, extract.conditions, _within(extract.within, prefixes))


def choice_of(extract: Extract) -> str:
    """Which rows of a table these are, as it can be kept; "" for all."""
    return "" if extract.is_whole else json.dumps(_choice(extract.conditions, extract.within))


def chosen_so(choice: str, table: Table) -> Extract:
    """The rows of a table that `choice_of` has told of."""
    return Extract(table, *_read_choice(json.loads(choice))) if choice else Extract(table)


def _choice(conditions: Sequence[Condition], within: Within | None) -> list[Any]:
    said = [
        [
            one.column,
            one.operator.name,
            [{"hex": value.hex()} if isinstance(value, bytes) else value for value in one.values],
        ]
        for one in conditions
    ]
    inner = within and [within.column, within.table, within.key, _choice(within.conditions, within.within)]
    return [said, inner]


def _read_choice(choice: list[Any]) -> tuple[tuple[Condition, ...], Within | None]:
    said, inner = choice
    conditions = tuple(
        Condition(
            column,
            Operator[operator],
            tuple(bytes.fromhex(one["hex"]) if isinstance(one, dict) else one for one in values),
        )
        for column, operator, values in said
    )
    return conditions, Within(inner[0], inner[1], inner[2], *_read_choice(inner[3])) if inner else None


def _within(within: Within | None, prefixes: Mapping[str, str]) -> Within | None:
    if within is None:
        return None
    return replace(within, table=renamed(within.table, prefixes), within=_within(within.within, prefixes))
