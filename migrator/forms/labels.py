"""What the forms of a site call the fields whose answers are in a table: asked of the tables that describe the forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from migrator.forms import fields as naming
from migrator.forms.answers import text_of
from migrator.forms.contract import TableReader
from migrator.forms.fields import Field
from migrator.forms.model import EVERYTHING, Condition, Extract, Operator, Table, Value
from migrator.forms.plugins.detect import kept_in, table_of
from migrator.forms.plugins.shape import FieldRows, FieldTree


def labels_in(reader: TableReader, table: Table) -> dict[tuple[str, str], list[Field]]:
    """The fields by form and key, and by "" and key whatever the form; nothing where no form is described. Raises what the session raises."""
    there = {one.name: one for one in reader.tables()}
    found: dict[tuple[str, str], list[Field]] = {}
    for view, where in kept_in(table):
        prefix = table.name.removesuffix(table_of(view, where))
        described = there.get(f"{prefix}{view.fields.table}") if view.fields else None
        if view.fields is None or described is None:
            continue
        for form, one in _described(reader, described, view.fields):
            for key in ((form, one.key), ("", one.key)):
                if one not in found.setdefault(key, []):
                    found[key].append(one)
    return found


def _described(reader: TableReader, table: Table, where: FieldRows | FieldTree) -> Iterator[tuple[str, Field]]:
    only = where.only if isinstance(where, FieldTree) else {}
    conditions = tuple(Condition(column, Operator.IN, values) for column, values in only.items())
    names = [one.name for one in table.columns]
    for page in reader.rows(Extract(table, conditions), EVERYTHING):
        for row in page:
            cells: Mapping[str, Value] = dict(zip(names, row, strict=True))
            told = (
                naming.from_rows([cells], where)
                if isinstance(where, FieldRows)
                else naming.from_cell(cells.get(where.cell), where)
            )
            for one in told:
                yield text_of(cells.get(where.form)), one
