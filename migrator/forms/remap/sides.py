"""Both sides of a move under new ids, and what is asked of them from many places: tables, their own numbers, the forms of a plugin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from migrator.forms.answers import text_of
from migrator.forms.contract import TableReader
from migrator.forms.flat import Flat, Site
from migrator.forms.model import (
    Condition,
    Extract,
    Family,
    KeyRange,
    Operator,
    Paging,
    Row,
    Stored,
    Table,
    choose_paging,
)
from migrator.forms.options import FormMapOptions
from migrator.forms.plugins.detect import by_word
from migrator.forms.plugins.shape import Terms, Titles, View
from migrator.forms.remap.book import Place
from migrator.forms.remap.matching import Form
from migrator.forms.taking import Taking, renamed
from migrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides, with what the plan takes and says."""

    source: TableReader
    target: TableReader
    takings: Sequence[Taking]
    stored: Sequence[Stored]
    prefixes: Mapping[str, str]
    options: FormMapOptions

    def there(self) -> dict[str, Table]:
        """The target's tables by what they are called at the source; several of the source may be one there."""
        at = {one.name: one for one in self.target.tables()}
        names = {one.table.name: renamed(one.table.name, self.prefixes) for one in self.takings}
        return {
            one.table.name: known(at[name], one.table) for one in self.takings if (name := names[one.table.name]) in at
        }


def known(there: Table, here: Table) -> Table:
    """A target's table, told by the source's columns where the target tells of a table that others made no more than their names."""
    told = {one.name.lower() for one in there.columns}
    if (
        there.paging is Paging.CONTENT
        and here.paging is not Paging.CONTENT
        and told == {one.name.lower() for one in here.columns}
    ):
        return replace(here, name=there.name, engine=there.engine, next_number=there.next_number)
    return there


def key_of(table: Table) -> tuple[str, ...]:
    """The columns by which a table's rows are told apart or found, however they are divided."""
    if table.page_by:
        return table.page_by
    return choose_paging(table.columns, table.indexes)[1]


def own_number(taking: Taking) -> str:
    """The column in which a database numbers rows of this table; "" without one."""
    table = taking.table
    paging, key = choose_paging(table.columns, table.indexes) if table.indexes else (table.paging, table.page_by)
    if paging is not Paging.KEY or len(key) != 1:
        return ""
    named = {*(one for one, _, _ in taking.references), *(one.column for one in taking.links if not one.way)}
    return key[0] if table.column(key[0]).family is Family.INTEGER and key[0] not in named else ""


def rows_of(reader: TableReader, extract: Extract, among: KeyRange) -> Iterator[Row]:
    """The rows of a range, one by one."""
    for page in reader.rows(extract, among):
        yield from page


# -- plugins and their forms ---------------------------------------------------------------------------------------------------


def is_known(stored: Stored) -> bool:
    """Whether it is of a plugin of ours."""
    try:
        by_word(stored.plugin)
    except KeyError:
        return False
    return True


def flat_there(sides: Sides, stored: Stored) -> Flat:
    """A plugin of the source as it is at the target."""
    at_target = replace(stored, prefix=renamed(stored.prefix, sides.prefixes), tables=())
    return Flat(sides.target, at_target, Site())


def place_of(view: View, prefix: str) -> Place:
    """Where the numbers of a plugin's forms are given."""
    if isinstance(view.titles, Titles):
        return (f"{prefix}{view.titles.table}", view.titles.key)
    return (f"{prefix}term_taxonomy", "term_taxonomy_id")


def forms_in(flat: Flat, view: View) -> Iterator[Form]:
    """The forms of a plugin at one side."""
    where = view.titles
    if isinstance(where, Titles):
        only = tuple(Condition(column, Operator.IN, values) for column, values in where.only.items())
        for row in flat.rows(where.table, only):
            slug = text_of(row.get(where.slug)) if where.slug else ""
            yield Form(text_of(row.get(where.key)), flat.title_in(row, where), slug)
    elif isinstance(where, Terms):
        found = {
            text_of(row["term_id"]): text_of(row["term_taxonomy_id"])
            for row in flat.rows("term_taxonomy", (Condition("taxonomy", Operator.IN, (where.taxonomy,)),))
        }
        for row in flat.rows("terms", (Condition("term_id", Operator.IN, tuple(found)),)) if found else ():
            yield Form(found[text_of(row["term_id"])], text_of(row["name"]), text_of(row["slug"]))
