"""Which rows belong to an extract and to a range, decided here row by row: for what has no server that could be asked (files, memory).

What surprises: text is ordered by its bytes in UTF-8. A server orders it by the column's collation; so a range of text keys means the same
only where both sides are decided here, and a transport with a server asks that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from migrator.forms.model import (
    Column,
    Condition,
    Extract,
    Family,
    Key,
    KeyRange,
    Operator,
    Paging,
    Row,
    Table,
    Value,
    crc_of,
)

Place = tuple[int, Decimal, bytes]
_NUMBERS = frozenset({Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.YEAR})


def place_of(column: Column, value: Value) -> Place:
    """Where a value stands among others of its column: NULL first, numbers by size, all else by bytes."""
    if value is None:
        return (0, Decimal(0), b"")
    if column.family in _NUMBERS and isinstance(value, str):
        try:
            return (1, Decimal(value), b"")
        except InvalidOperation:
            pass
    return (2, Decimal(0), value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass"))


def fulfils(table: Table, row: Row, condition: Condition) -> bool:
    """Whether a row says what a condition wants. A NULL is only ever among IN or NOT_IN."""
    column = table.column(condition.column)
    place = place_of(column, row[table.place(condition.column)])
    wanted = [place_of(column, one) for one in condition.values]
    if condition.operator is Operator.IN:
        return place in wanted
    if condition.operator is Operator.NOT_IN:
        return place not in wanted
    if place[0] == 0:
        return False
    if condition.operator is Operator.FROM:
        return place >= wanted[0]
    if condition.operator is Operator.BELOW:
        return place < wanted[0]
    text = row[table.place(condition.column)]
    start = condition.values[0]
    return (isinstance(text, str) and isinstance(start, str) and text.startswith(start)) or (
        isinstance(text, bytes) and isinstance(start, bytes) and text.startswith(start)
    )


def chooser(extract: Extract, rows_of: Callable[[Extract], Sequence[tuple[Table, Row]]]) -> Callable[[Row], bool]:
    """Tells rows of the extract's table that belong to the extract. `rows_of` gives the rows of another table that a `within` names, with
    that table; it is asked here, once.
    """
    table = extract.table
    wanted: set[Value] | None = None
    column = ""
    if extract.within is not None:
        inner = extract.within
        column = inner.column
        there = rows_of(Extract(Table(inner.table, ()), inner.conditions, inner.within))
        wanted = {row[at.place(inner.key)] for at, row in there}

    def belongs(row: Row) -> bool:
        if wanted is not None and row[table.place(column)] not in wanted:
            return False
        return all(fulfils(table, row, one) for one in extract.conditions)

    return belongs


def is_among(table: Table, row: Row, among: KeyRange) -> bool:
    """Whether a row lies in a range."""
    if table.paging is Paging.CONTENT:
        return crc_of(row) % among.parts == among.part
    columns = [table.column(name) for name in table.page_by]
    place = [place_of(column, row[table.place(column.name)]) for column in columns]

    def end(key: Key) -> list[Place]:
        return [place_of(column, value) for column, value in zip(columns, key, strict=True)]

    return (among.after is None or place > end(among.after)) and (among.upto is None or place <= end(among.upto))


def in_order(table: Table, rows: Sequence[Row]) -> list[Row]:
    """Rows in the order of what the table is paged by."""
    columns = [table.column(name) for name in table.page_by]
    return sorted(rows, key=lambda row: [place_of(column, row[table.place(column.name)]) for column in columns])


def ranges_of(keys: Sequence[Key], after: Key | None, rows: int) -> list[KeyRange]:
    """Keys in order, with as many twins as there are rows, divided into ranges of about `rows` rows."""
    found: list[KeyRange] = []
    start = 0
    while start < len(keys):
        end = min(start + rows, len(keys)) - 1
        while end + 1 < len(keys) and keys[end + 1] == keys[end]:
            end += 1
        found.append(KeyRange(after, keys[end]))
        after, start = keys[end], end + 1
    return found


def parts_of(count: int, rows: int) -> list[KeyRange]:
    """The ranges of a table that is divided by content."""
    parts = max(1, -(-count // rows)) if count else 0
    return [KeyRange(part=part, parts=parts) for part in range(parts)]
