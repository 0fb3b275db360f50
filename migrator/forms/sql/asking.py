"""What a MariaDB or MySQL tells of itself and of its tables, by whatever road statements reach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from migrator.forms.model import Table
from migrator.forms.sql import schema, spelling
from migrator.forms.sql.schema import Told

FLOAT_CASTS = {"mariadb": (10, 4), "mysql": (8, 0, 17)}

Ask: TypeAlias = Callable[[str, int], list[Told]]  # a statement, and how many columns its answer has


def casts_float(product: str, version: str) -> bool:
    """Whether this server knows CAST(... AS FLOAT)."""
    numbers = tuple(int(one) for one in version.split("-", maxsplit=1)[0].split(".") if one.isdecimal())
    return numbers >= FLOAT_CASTS[product]


def tables(ask: Ask, *, mariadb: bool, only: str = "") -> list[Table]:
    """Every table of the database, shadows too, or `only` the one of this name, if it is there."""
    about = f" AND TABLE_NAME = {spelling.text(only)}" if only else ""
    # Servers from before 2016 compute no columns and check nothing; they do not know the words either.
    computes = _knows(ask, "COLUMNS", "GENERATION_EXPRESSION")
    columns = schema.COLUMNS.format(computed="GENERATION_EXPRESSION" if computes else "''")
    checks = ask(schema.CHECKS + about, 2) if mariadb and _knows(ask, "CHECK_CONSTRAINTS", "TABLE_NAME") else []
    return schema.described(
        ask(schema.TABLES + about, 8),
        ask(columns + about + schema.COLUMNS_ORDER, 9),
        ask(schema.INDEXES + about + schema.INDEXES_ORDER, 6),
        checks,
        mariadb=mariadb,
    )


def collations(ask: Ask) -> Mapping[str, str]:
    """The collations the server knows, with their charsets."""
    told = ask("SELECT COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATIONS", 2)
    # MariaDB's newer ones are told without a charset, and fit several.
    if _knows(ask, "COLLATION_CHARACTER_SET_APPLICABILITY", "FULL_COLLATION_NAME"):
        wanted = "SELECT FULL_COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
        told = [*told, *ask(wanted, 2)]
    known = {one[0] or "": one[1] or "" for one in told}
    return {collation: charset for collation, charset in known.items() if charset}


def _knows(ask: Ask, table: str, column: str) -> bool:
    """Whether the server's own tables have this column."""
    about = f"TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = '{table}' AND COLUMN_NAME = '{column}'"
    return bool(ask(f"SELECT 1 FROM information_schema.COLUMNS WHERE {about}", 1))
