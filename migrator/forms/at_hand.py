"""Tables that can only be read through, kept at hand while many small questions are asked of them.

What surprises: the copy is a database without a name. SQLite makes it in the machine's folder for temporary files once it outgrows its cache,
for its owner only, and takes it out of the folder at once: nothing of it stays, however the program ends.
"""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final
from weakref import finalize

from migrator.errors import NoSpace
from migrator.forms.choosing import chooser, place_of
from migrator.forms.contract import TableReader
from migrator.forms.model import EVERYTHING, Column, Condition, Extract, Operator, Row, Table, Value

# It is lost with the program anyway, so nothing is done to keep it; 16 MB of it stay in memory.
_AT_RISK: Final = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -16384")


class AtHand:
    """Tells rows by the values of one of their columns, of a reader that would have to read the whole table each time. It is read once for
    each column it is asked by; memory does not grow with it.
    """

    def __init__(self, reader: TableReader) -> None:
        """Reads nothing yet."""
        self._reader = reader
        self._copies: dict[tuple[str, str], _Copy] = {}

    def rows(self, extract: Extract) -> Iterator[Sequence[Row]]:
        """The rows of an extract in pages; those with the same value in the order of the table. Raises what the reader raises, and NoSpace
        where the copy does not fit on the disk.
        """
        asked = next((one for one in extract.conditions if one.operator is Operator.IN), None)
        if asked is None or extract.within is not None:
            yield from self._reader.rows(extract, EVERYTHING)
            return
        others = tuple(one for one in extract.conditions if one is not asked)
        belongs = chooser(replace(extract, conditions=others), lambda _: ())
        try:
            for page in self._copy(extract.table, asked.column).rows(asked):
                yield [row for row in page if belongs(row)]
        except sqlite3.Error as error:
            raise NoSpace(
                f"{extract.table.name}: its rows cannot be kept on this machine's disk while they are put together ({error}).",
                remedy="Make room in the folder for temporary files, or name another one in TMPDIR.",
            ) from error

    def _copy(self, table: Table, column: str) -> _Copy:
        made = self._copies.get((table.name, column))
        if made is None:
            made = _Copy(table, table.column(column))
            made.fill(self._reader.rows(Extract(table), EVERYTHING))
            self._copies[table.name, column] = made
        return made


class _Copy:
    """The rows of one table, found by one of its columns."""

    def __init__(self, table: Table, column: Column) -> None:
        self._place, self._column = table.place(column.name), column
        self._database = sqlite3.connect("", check_same_thread=False)  # whoever drops the last reference closes it
        finalize(self, self._database.close)
        for one in (*_AT_RISK, "CREATE TABLE kept (value BLOB, row BLOB)"):
            self._database.execute(one)

    def fill(self, pages: Iterator[Sequence[Row]]) -> None:
        for page in pages:
            told = ((self._known_by(row[self._place]), marshal.dumps(tuple(row))) for row in page)
            self._database.executemany("INSERT INTO kept VALUES (?, ?)", told)
        self._database.execute("CREATE INDEX by_value ON kept (value)")
        self._database.commit()

    def rows(self, asked: Condition) -> Iterator[list[Row]]:
        """The rows with each of these values."""
        for value in dict.fromkeys(map(self._known_by, asked.values)):
            found = self._database.execute("SELECT row FROM kept WHERE value = ? ORDER BY rowid", (value,))
            yield [marshal.loads(row) for (row,) in found]  # noqa: S302 - nobody else can have written it

    def _known_by(self, value: Value) -> bytes:
        """The same bytes for all that a condition takes for the same value."""
        kind, number, text = place_of(self._column, value)
        return b"%d %b %b" % (kind, str(number.normalize()).encode() if number else b"0", text)
