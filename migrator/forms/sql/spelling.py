"""What is said to MariaDB and MySQL about rows: names, values, conditions, checksums, as text. Pure.

What surprises: text goes as it is between quotes (only `'` and `\\` are doubled: the server takes the statement by its length), bytes and
texts with lone surrogates as hexadecimal. A number is only said without quotes if it is one, whatever a file calls it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

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
    Spelt,
    Table,
    Value,
    Within,
)

NUMBER = re.compile(r"-?\d{1,70}(\.\d{1,40})?(e[+-]?\d{1,4})?", re.IGNORECASE)
CRC_PARTS = 2**32
_UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii"})
_NUMBERS = frozenset({Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.YEAR})


def name(word: str) -> str:
    """A name, quoted. Raises ValueError for what no name can be."""
    if not word or "\0" in word or len(word) > 64:  # noqa: PLR2004 - the servers' limit
        raise ValueError(f"{word[:64]!r} is no name of a table or a column")
    return f"`{word.replace('`', '``')}`"


def value(column: Column, one: Value) -> str:
    """A value of a column."""
    if one is None:
        return "NULL"
    if isinstance(one, bytes):
        if column.family is Family.BIT:
            return f"b'{int.from_bytes(one, 'big'):b}'"
        return f"0x{one.hex()}" if one else "''"
    if column.family in _NUMBERS and NUMBER.fullmatch(one):
        return one
    return text(one)


def text(one: str) -> str:
    """A text."""
    if one.isascii() or not _has_surrogates(one):
        said = one.replace("\\", "\\\\").replace("'", "''")
        return f"'{said}'"
    return f"_utf8mb4 0x{one.encode('utf-8', 'surrogatepass').hex()}"


def _has_surrogates(one: str) -> bool:
    try:
        one.encode()
    except UnicodeEncodeError:
        return True
    return False


# -- what is asked for ------------------------------------------------------------------------------------------------


def shown(column: Column, *, casts_float: bool) -> str:
    """The expression whose text is a column's value."""
    quoted = name(column.name)
    if column.type.lower().startswith("float"):
        # FLOAT is shown with six digits, which often is another number. Where it is, the digits of the double say it exactly.
        wide = f"({quoted}+0e0)"
        return (
            f"IF({quoted}=CAST(CAST({quoted} AS CHAR) AS FLOAT),CAST({quoted} AS CHAR),CAST({wide} AS CHAR))"
            if casts_float
            else wide
        )
    return quoted


def _as_bytes(column: Column, *, alone: bool, casts_float: bool) -> tuple[str, str]:
    """The same as the bytes a checksum is taken of, and the expression of which their number is told. `alone`: no other text of the row
    has another collation, which cannot be joined to one text.
    """
    expression = shown(column, casts_float=casts_float)
    if column.family is Family.TEXT:
        if column.charset and column.charset not in _UTF8:
            expression = f"CONVERT({expression} USING utf8mb4)"
        elif not column.charset:  # MySQL's json has no charset of its own
            expression = f"CAST({expression} AS CHAR CHARACTER SET utf8mb4)"
        elif alone:
            return expression, expression
        return f"CAST({expression} AS BINARY)", expression
    if column.family is Family.BINARY:
        return f"CAST({expression} AS BINARY)", expression
    return expression, expression


def row_crc(table: Table, *, casts_float: bool) -> str:
    """The CRC of a row, as `crc_of` takes it."""
    alone = len({column.collation for column in table.columns if column.family is Family.TEXT}) == 1
    parts = []
    for column in table.columns:
        expression, counted = _as_bytes(column, alone=alone, casts_float=casts_float)
        part = f"LENGTH({counted}),':',{expression}"
        parts.append(f"IFNULL(CONCAT({part}),'-')" if column.nullable else part)
    return f"CRC32(CONCAT({','.join(parts)}))"


def columns(table: Table, *, casts_float: bool) -> str:
    """All columns of a table, as they are read."""
    return ",".join(shown(column, casts_float=casts_float) for column in table.columns)


# -- which rows -------------------------------------------------------------------------------------------------------


def where(extract: Extract, among: KeyRange, *, casts_float: bool) -> str:
    """The condition for the rows of a range of an extract, with its WHERE; "" for all rows of a table."""
    table = extract.table
    parts = [*_chosen(extract)]
    if table.paging is Paging.CONTENT:
        if among.parts > 1:
            parts.append(f"MOD({row_crc(table, casts_float=casts_float)},{among.parts})={among.part}")
    else:
        if among.after is not None:
            parts.append(beyond(table, among.after))
        if among.upto is not None:
            parts.append(_compared(table, among.upto, "<", closed=True))
    return f" WHERE {' AND '.join(parts)}" if parts else ""


def beyond(table: Table, key: Key) -> str:
    """The condition for rows behind a key."""
    return _compared(table, key, ">", closed=False)


def _compared(table: Table, key: Key, sign: str, *, closed: bool) -> str:
    """(a, b) < (x, y) written so that an index is used: servers do not use one for a row of several."""
    pairs = [(name(one), value(table.column(one), part)) for one, part in zip(table.page_by, key, strict=True)]
    if len(pairs) == 1:
        ((column, part),) = pairs
        return f"{column}{sign}{'=' if closed else ''}{part}"
    ways = []
    for depth, (column, part) in enumerate(pairs):
        last = depth == len(pairs) - 1
        equal = [f"{one}={this}" for one, this in pairs[:depth]]
        ways.append(" AND ".join([*equal, f"{column}{sign}{'=' if closed and last else ''}{part}"]))
    first, part = pairs[0]
    return f"({first}{sign}={part} AND ({' OR '.join(f'({way})' for way in ways)}))"


def _chosen(extract: Extract) -> Iterator[str]:
    for one in extract.conditions:
        yield condition(extract.table.column(one.column), one)
    if extract.within is not None:
        yield _within(extract.within)


def _within(within: Within) -> str:
    parts = [condition(Column(one.column, "longtext"), one) for one in within.conditions]
    if within.within is not None:
        parts.append(_within(within.within))
    inner = f" WHERE {' AND '.join(parts)}" if parts else ""
    return f"{name(within.column)} IN (SELECT {name(within.key)} FROM {name(within.table)}{inner})"


def condition(column: Column, one: Condition) -> str:
    """A condition. Values of a column whose type is not known are said as texts, which a server compares as the column does."""
    quoted = name(column.name)
    if one.operator is Operator.STARTS:
        start = one.values[0]
        wanted = start if isinstance(start, bytes) else (start or "").encode("utf-8", "surrogatepass")
        return f"LEFT(CAST({quoted} AS BINARY),{len(wanted)})=0x{wanted.hex()}" if wanted else f"{quoted} IS NOT NULL"
    if one.operator in {Operator.FROM, Operator.BELOW}:
        return f"{quoted}{'>=' if one.operator is Operator.FROM else '<'}{value(column, one.values[0])}"
    said = ",".join(value(column, each) for each in one.values if each is not None)
    null = None in one.values
    if one.operator is Operator.IN:
        ways = [*([f"{quoted} IN ({said})"] if said else []), *([f"{quoted} IS NULL"] if null else [])]
        return f"({' OR '.join(ways)})" if ways else "FALSE"
    ways = [*([f"{quoted} NOT IN ({said})"] if said else [])]
    if null:
        return f"({' AND '.join([*ways, f'{quoted} IS NOT NULL'])})"
    return f"({' OR '.join([*ways, f'{quoted} IS NULL'])})" if ways else "TRUE"


def ordered(table: Table) -> str:
    """The order of the key, with its ORDER BY; "" without one."""
    return f" ORDER BY {','.join(map(name, table.page_by))}" if table.page_by else ""


# -- what is put ------------------------------------------------------------------------------------------------------


def inserts(table: Table, rows: Sequence[Row], size: int) -> Iterator[str]:
    """Statements that put rows, each of about `size` characters at most; a row that is longer has its own."""
    if not rows:
        return
    places = [place for place, column in enumerate(table.columns) if not column.computed]
    kept = [table.columns[place] for place in places]
    start = f"INSERT INTO {name(table.name)} ({','.join(name(one.name) for one in kept)}) VALUES ("
    # A row may be most of what memory has: nothing of one is kept that is not needed any more, be it for a moment.
    lines = _lines(rows, places, kept)
    lines.reverse()
    waiting: list[str] = []
    length = 0
    while lines:
        if waiting and length + len(lines[-1]) > size:
            yield _statement(start, waiting)
            length = 0
        length += len(lines[-1]) + 3
        waiting.append(lines.pop())
    yield _statement(start, waiting)


def _lines(rows: Sequence[Row], places: Sequence[int], columns: Sequence[Column]) -> list[str]:
    """Each row as a statement says it."""
    if isinstance(rows, Spelt):
        said = [list(map(_sayer(column), rows.values(place))) for place, column in zip(places, columns, strict=True)]
    else:
        values = list(zip(*rows, strict=True))
        said = [list(map(_sayer(column), values[place])) for place, column in zip(places, columns, strict=True)]
    return list(map(",".join, zip(*said, strict=True)))


def _statement(start: str, lines: list[str]) -> str:
    """The statement that puts these; the list is empty then."""
    parts = [start, lines[0]]
    for one in lines[1:]:
        parts += "),(", one
    lines.clear()
    parts.append(")")
    return "".join(parts)


def _sayer(column: Column) -> Callable[[Value], str]:
    """How the values of a column are said; as `value` does, but what is usual is said without asking much."""
    if column.family in _NUMBERS:
        return lambda one: one if isinstance(one, str) and one.isascii() and one.isdigit() else value(column, one)
    if column.family.is_bytes:
        return lambda one: value(column, one)
    return lambda one: text(one) if isinstance(one, str) else value(column, one)


def put_beside(table: Table, shadow: str) -> str:
    """The statement that puts the rows of a table's shadow, called so, beside the table's own."""
    listed = ",".join(name(one.name) for one in table.columns if not one.computed)
    return f"INSERT INTO {name(table.name)} ({listed}) SELECT {listed} FROM {name(shadow)}"
