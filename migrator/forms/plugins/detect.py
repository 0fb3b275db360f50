"""What a database's tables show to be stored by plugins, in which of its sites.

What surprises: a prefix is whatever stands before `options` and `posts`; it need not end in `_`, may hold numbers, and `wp_2_` is the second
site of a multisite only where there is no `wp_2_users`. Plugins that keep entries as posts of WordPress cannot be told by names, so they are
told for every site, and `present` asks a session which of them have anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Final

from migrator.forms import php
from migrator.forms.contract import TableReader
from migrator.forms.model import (
    EVERYTHING,
    Clock,
    Condition,
    Extract,
    Operator,
    Reference,
    Role,
    Stored,
    StoredTable,
    Table,
    Value,
    Within,
)
from migrator.forms.options import FormsOptions
from migrator.forms.plugins.known import KNOWN, OF_THE_SITE
from migrator.forms.plugins.shape import InCell, InColumns, InRows, Part, Plugin, System, View
from migrator.frozen import dataclass

_OF_A_BLOG: Final = re.compile(r"(?P<base>.*?)(?P<number>[1-9]\d*)_", re.DOTALL)
LEFT_OVER: Final = "No WordPress stands beside these tables: they are part of a dump, or left over."
INACTIVE: Final = "The plugin is not active at the site: these are entries from before."
MOST_ACTIVE: Final = 10_000  # plugins of one list

# -- sites ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Site:
    """A WordPress in a database: `prefix` before its tables' names, `base` that of the whole (users stand there), `number` of a blog of a
    multisite, "" for the main one.
    """

    prefix: str
    base: str
    number: str = ""


def sites(names: Collection[str]) -> tuple[Site, ...]:
    """Every WordPress that these tables belong to, by prefix."""
    there = set(names)
    prefixes = sorted(
        name.removesuffix("options") for name in there if name.endswith("options") and f"{name[:-7]}posts" in there
    )
    return tuple(_site(prefix, set(prefixes), there) for prefix in prefixes)


def _site(prefix: str, prefixes: set[str], names: set[str]) -> Site:
    found = _OF_A_BLOG.fullmatch(prefix)
    if found and found["base"] in prefixes and f"{prefix}users" not in names:
        return Site(prefix, found["base"], found["number"])
    return Site(prefix, prefix)


# -- by names alone -----------------------------------------------------------------------------------------------------


def stored(tables: Sequence[Table], wanted: Sequence[str], known: Sequence[Plugin] = KNOWN) -> Sequence[Stored]:
    """What tables show by their names alone, told apart by case as on most servers: every plugin and site, or those `wanted`. Of plugins
    that keep posts it only says where they would stand; those that store nothing have no tables that speak of them.
    """
    names = {one.name for one in tables}
    there = sites(names)
    # What is left of a site in a dump: its posts, which no other program's table of that name is like.
    alone = {
        one.name for one in tables if one.name.endswith("posts") and "post_type" in {each.name for each in one.columns}
    }
    return [
        found
        for plugin in known
        if plugin.parts and (not wanted or plugin.word in wanted)
        for found in _of_plugin(plugin, names, there, alone)
    ]


def words(known: Sequence[Plugin] = KNOWN) -> tuple[str, ...]:
    """The words by which a plan names plugins."""
    return tuple(one.word for one in known)


def by_word(word: str, known: Sequence[Plugin] = KNOWN) -> Plugin:
    """The plugin of a word. Raises KeyError."""
    return {one.word: one for one in known}[word]


def _of_plugin(plugin: Plugin, names: set[str], there: Sequence[Site], alone: set[str]) -> Iterator[Stored]:
    own = [part.table for part in plugin.parts if part.needed and not part.only and not part.within]
    needed = own or [part.table for part in plugin.parts if part.needed]
    by_prefix = {site.prefix: site for site in there}
    for prefix in _prefixes(needed, names):
        site = by_prefix.get(prefix)
        may_be = _may_be_left_over(plugin, prefix, by_prefix) if own else f"{prefix}posts" in alone
        if site is None and not may_be:
            continue
        notes = plugin.notes if site or plugin.system is not System.WORDPRESS else (LEFT_OVER, *plugin.notes)
        yield Stored(
            plugin.word,
            plugin.title,
            prefix,
            site.number if site else "",
            _tables(plugin, prefix, names),
            notes=notes,
        )


def _prefixes(needed: Sequence[str], names: set[str]) -> Iterator[str]:
    """What stands before all of these tables, where they are all there."""
    first = max(needed, key=len)
    for name in sorted(names):
        prefix = name.removesuffix(first)
        if name.endswith(first) and all(f"{prefix}{one}" in names for one in needed):
            yield prefix


def _may_be_left_over(plugin: Plugin, prefix: str, known: Mapping[str, Site]) -> bool:
    """Whether tables without their WordPress are likely the plugin's: `wp_nice_submissions` is not Elementor's at `wp_nic`."""
    if plugin.system is not System.WORDPRESS:
        return not prefix or prefix.endswith("_")
    return prefix.endswith("_") or (not prefix and not known)


def _tables(plugin: Plugin, prefix: str, names: set[str]) -> tuple[StoredTable, ...]:
    of_the_site = (OF_THE_SITE,) if plugin.system is System.WORDPRESS and f"{prefix}posts" in names else ()
    parts = [part for part in (*plugin.parts, *of_the_site) if f"{prefix}{part.table}" in names]
    kept = {part.table for part in parts}
    return tuple(
        StoredTable(
            f"{prefix}{part.table}",
            part.role,
            _conditions(part.only),
            _within(plugin, part, prefix),
            tuple(
                Reference(one.column, f"{prefix}{one.table}", one.key) for one in part.references if one.table in kept
            ),
            part.moment,
            part.clock,
            part.identity,
            tuple(replace(one, table=f"{prefix}{one.table}") for one in part.links if f"{prefix}{one.table}" in names),
            part.keyed,
            part.aside,
        )
        for part in parts
        if not part.within or next(one.table for one in part.references if one.column == part.within) in kept
    )


def _conditions(only: Mapping[str, tuple[Value, ...]]) -> tuple[Condition, ...]:
    return tuple(Condition(column, Operator.IN, values) for column, values in only.items())


def _within(plugin: Plugin, part: Part, prefix: str) -> Within | None:
    """Which rows of a shared table hang on rows that are taken."""
    if not part.within:
        return None
    to = next(one for one in part.references if one.column == part.within)
    chosen: dict[str, tuple[Value, ...]] = {}
    for other in plugin.parts:
        if other.table == to.table and other.role is not Role.FORMS:
            for column, values in other.only.items():
                chosen[column] = (*chosen.get(column, ()), *values)
    return Within(part.within, f"{prefix}{to.table}", to.key, _conditions(chosen))


def kept_in(table: Table, known: Sequence[Plugin] = KNOWN) -> Iterator[tuple[View, InCell | InRows]]:
    """Where known plugins keep answers in a table of this name, whatever stands before it: in a cell of it, or in its rows."""
    for plugin in known:
        for where in (*plugin.view.answers, *plugin.view.copies) if plugin.view else ():
            if plugin.view and not isinstance(where, InColumns) and table.name.endswith(table_of(plugin.view, where)):
                yield plugin.view, where


def table_of(view: View, where: InCell | InRows) -> str:
    """The table in which such answers are, without what stands before its name."""
    return where.table if isinstance(where, InRows) else view.entries


# -- tables that are named ------------------------------------------------------------------------------------------------------


def stored_table(table: Table) -> Stored:
    """A table by itself, of which nobody knows the plugin; its word is its name."""
    return Stored(table.name, table.name, tables=(StoredTable(table.name, Role.ENTRIES),))


def plugin_of(table: Table) -> Plugin:
    """How the rows of such a table are read as entries: each column as it is, under its name."""
    key = table.page_by[0] if len(table.page_by) == 1 else ""
    view = View(table.name, key, form="", submitted="", clock=Clock.UTC, answers=(InColumns(),))
    return Plugin(table.name, table.name, parts=(Part(table.name, Role.ENTRIES),), view=view)


# -- by asking ------------------------------------------------------------------------------------------------------------


def present(reader: TableReader, wanted: Sequence[str], known: Sequence[Plugin] = KNOWN) -> Sequence[Stored]:
    """Fulfils Plugins. Asks for the count of posts of a type and for a site's list of plugins, nothing else."""
    asked = _Asked(reader)
    found = [asked.completed(one, by_word(one.plugin, known)) for one in stored(asked.tables, wanted, known)]
    kept = [one for one in found if one is not None]
    return [*kept, *(one for one in asked.silent(known, kept) if not wanted or one.plugin in wanted)]


def chosen(reader: TableReader, options: FormsOptions) -> Sequence[Stored]:
    """What those plugins keep that a plan chooses: all that are found where it says nothing of plugins."""
    return [] if options.no_plugins else present(reader, options.plugins)


def extract_of(stored_table: StoredTable, tables: Mapping[str, Table]) -> Extract:
    """The rows of a stored table, to be counted and read. Raises KeyError for a table that is not among these."""
    return Extract(tables[stored_table.table], stored_table.conditions, stored_table.within)


@dataclass(slots=True)
class _Asked:
    """A session, and what it has answered."""

    reader: TableReader
    tables: Sequence[Table] = field(init=False)
    sites: Sequence[Site] = field(init=False)
    _active: dict[Site, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = self.reader.tables()
        self.sites = sites({one.name for one in self.tables})

    def completed(self, one: Stored, plugin: Plugin) -> Stored | None:
        """With what the site's list of plugins adds; None where a plugin that keeps posts has none."""
        by_name = {table.name: table for table in self.tables}
        if all(part.only or part.within for part in plugin.parts):
            entries = [table for table in one.tables if table.role is Role.ENTRIES]
            if not any(self.reader.count(extract_of(table, by_name)) for table in entries):
                return None
        site = next((site for site in self.sites if site.prefix == one.prefix), None)
        if site and plugin.slugs and (active := self.active(site)) and not active & set(plugin.slugs):
            return replace(one, notes=(INACTIVE, *one.notes))
        return one

    def silent(self, known: Sequence[Plugin], kept: Sequence[Stored]) -> Iterator[Stored]:
        """Plugins that are active and store nothing, site by site, unless one that keeps their entries is there."""
        for site in self.sites:
            there = {one.plugin for one in kept if one.prefix == site.prefix}
            for plugin in known:
                if plugin.silent and self.active(site) & set(plugin.slugs) and not there & set(plugin.kept_by):
                    yield Stored(plugin.word, plugin.title, site.prefix, site.number, silent=plugin.silent)

    def active(self, site: Site) -> frozenset[str]:
        """The plugins that are active at a site, by their names there; empty where nothing is told."""
        if site not in self._active:
            single = self._told(f"{site.prefix}options", "option_name", "active_plugins", "option_value")
            everywhere = self._told(f"{site.base}sitemeta", "meta_key", "active_sitewide_plugins", "meta_value")
            self._active[site] = frozenset(
                [word for word in single.values() if isinstance(word, str)] + list(everywhere)
            )
        return self._active[site]

    def _told(self, table: str, name_column: str, name: str, column: str) -> Mapping[str, php.Plain]:
        there = next((one for one in self.tables if one.name == table), None)
        if there is None:
            return {}
        wanted = Extract(there, (Condition(name_column, Operator.IN, (name,)),))
        for page in self.reader.rows(wanted, EVERYTHING):
            for row in page:
                told = php.plain(php.decoded(_bytes(row[there.place(column)])).value)
                if isinstance(told, list):
                    return {str(place): one for place, one in enumerate(told[:MOST_ACTIVE])}
                if isinstance(told, dict):
                    return told
        return {}


def _bytes(value: Value) -> bytes:
    if value is None:
        return b""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
