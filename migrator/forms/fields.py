"""What a form's fields are called, from a table of them or from the cell that describes the form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from migrator.forms.answers import Reader, inside, text_of, told
from migrator.forms.model import Value
from migrator.forms.php import Plain
from migrator.forms.plugins.shape import FieldRows, FieldTree
from migrator.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """A field, or a part of one (`1.3`, `names.first_name`): its key, what people call it, its kind, and the plugin's own name for it where
    the key is a number that only this site has given it.
    """

    key: str
    label: str
    kind: str = ""
    slug: str = ""


def from_rows(rows: Iterable[Mapping[str, Value]], where: FieldRows) -> Sequence[Field]:
    """The fields of a form that are rows of a table, in the form's order."""
    found = sorted(rows, key=lambda row: number(row.get(where.order)))
    columns = (where.key, where.label, where.kind, where.slug)
    return [Field(*(text_of(row.get(column)) if column else "" for column in columns)) for row in found]


def from_cell(cell: Value, where: FieldTree) -> Sequence[Field]:
    """The fields that a cell describes, in its order, each before its parts."""
    tree = inside(Reader().read(cell, where.spelling), where.path.split(".") if where.path else ())
    found: dict[str, Field] = {}
    for one in _walked(tree, where, ""):
        found.setdefault(one.key, one)
    return list(found.values())


def _walked(node: Plain, where: FieldTree, above: str) -> Iterator[Field]:
    """Every object that is a field; members that nest are keyed below it, those that do not are fields beside it or none at all."""
    if isinstance(node, list):
        for one in node:
            yield from _walked(one, where, above)
        return
    if not isinstance(node, dict):
        return
    key = told(inside(node, where.key.split(".")))
    labels = [inside(node, path.split(".")) for path in where.label]
    if key and any(isinstance(label, str) for label in labels):
        key = f"{above}.{key}" if above else key
        label = next((label for label in labels if isinstance(label, str) and label.strip()), "")
        yield Field(key, label.strip(), told(inside(node, where.kind.split("."))))
    for name, member in node.items():
        if isinstance(member, dict | list):
            yield from _walked(member, where, key if name in where.nests and key else above)


def number(value: Value) -> float:
    """A cell that orders rows; 0 where it is no number."""
    try:
        return float(value or 0)
    except ValueError:
        return 0.0
