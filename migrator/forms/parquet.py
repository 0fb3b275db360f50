"""A sheet as Apache Parquet, for programs that analyse: the same columns, texts as text, moments as moments, nothing where nothing was said.

It is an output, never the truth: what is no UTF-8 has U+FFFD in it. pyarrow is an extra, asked for when it is first needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from importlib.util import find_spec
from typing import IO, Any, Final

MISSING: Final = "Parquet needs a package that is not installed. Install it with `pip install '.[parquet]'` in the checkout of migrator."
MOMENTS: Final = frozenset({"submitted_at", "submitted_local"})
AT_ONCE: Final = 5_000  # rows of a row group, which are held
_NO_LETTER = re.compile("[\ud800-\udfff]")


def is_installed() -> bool:
    """Whether sheets can be written."""
    return find_spec("pyarrow") is not None


class ParquetSheet:
    """A sheet with these columns, being written into a file that is open. Columns of MOMENTS hold moments: in UTC where rows say an offset."""

    def __init__(self, file: IO[bytes], headings: Sequence[str]) -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        self._arrow: Any = pa  # Any: pyarrow tells little of its types
        kinds = {"submitted_at": pa.timestamp("us", tz="UTC"), "submitted_local": pa.timestamp("us")}
        self._schema = pa.schema([(heading, kinds.get(heading, pa.string())) for heading in headings])
        self._writer = ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[Sequence[object]] = []

    def add(self, cells: Sequence[str]) -> None:
        """One more row."""
        self._rows.append(
            [
                _moment(cell) if heading in MOMENTS else _clean(cell) if cell else None
                for heading, cell in zip(self._schema.names, cells, strict=True)
            ]
        )
        if len(self._rows) >= AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Have everything in the file, which stays open."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            columns = [
                self._arrow.array(list(column), kind)
                for column, kind in zip(zip(*self._rows, strict=True), self._schema.types, strict=True)
            ]
            self._writer.write_table(self._arrow.table(columns, schema=self._schema))
            self._rows.clear()


def _clean(text: str) -> str:
    return _NO_LETTER.sub("\N{REPLACEMENT CHARACTER}", text)


def _moment(text: str) -> datetime | None:
    """A moment as a sheet tells it; None where it tells none, or one that no calendar has."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
