"""PostgreSQL 12 and later as a target: MariaDB's tables with types of its own.

Documents: https://www.postgresql.org/docs/current/datatype.html. What it cannot hold is written by these rules: a date of zeros, or of no
calendar, is NULL; a NUL in a text and a lone surrogate are U+FFFD. TIME and YEAR go as text (a TIME may be 838 hours), BIT as bytea, an
unsigned BIGINT as numeric(20). Columns are NOT NULL in the primary key only; of indexes only unique ones are made.

What it cannot do: be a source of its own tables; divide tables without a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointRefused, EndpointUnfit
from migrator.forms.contract import TableReader, TableWriter
from migrator.forms.model import Column, Family, Features, Value
from migrator.forms.sql.other import (
    Dialect,
    OtherReader,
    OtherWriter,
    Run,
    is_mapped,
    number,
    quoted,
    without_lead,
)
from migrator.wire.sql import Database, DatabaseOptions

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(DatabaseOptions, Service):
    """A database in PostgreSQL."""

    dialect: Literal["postgresql"] = Field("postgresql", description="Always postgresql; may be left out")


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(title="PostgreSQL", checksums=False, exact=False, orders_text=False)

# -- how it says things -----------------------------------------------------------------------------------------------

_MOMENTS = {"datetime": "timestamp(6)", "timestamp": "timestamp(6)", "date": "date"}
_DIGITS = re.compile(r"\((\d+)(?:,(\d+))?\)")
_SURROGATES = re.compile("[\ud800-\udfff\0]")


def _type_of(column: Column) -> str:
    if column.family is Family.INTEGER:
        return "numeric(20)" if column.unsigned and "bigint" in column.type.lower() else "bigint"
    if column.family is Family.DECIMAL:
        digits = _DIGITS.search(column.type)
        return f"numeric({digits[1]},{digits[2] or 0})" if digits else "numeric"
    if column.family is Family.FLOAT:
        return "double precision"
    if column.family.is_bytes:
        return "bytea"
    return is_mapped(column, _MOMENTS) or 'text COLLATE "C"'


def _shown(column: Column) -> str:
    name = quoted(column.name)
    moment = is_mapped(column, _MOMENTS)
    if moment == "date":
        return f"to_char({name}, 'YYYY-MM-DD')"
    if moment:
        digits = _fraction(column)
        shape = "YYYY-MM-DD HH24:MI:SS" + (".US" if digits else "")
        return f"left(to_char({name}, '{shape}'), {20 + digits if digits else 19})"
    return name if column.family in {Family.TEXT, Family.BINARY, Family.BIT} else f"{name}::text"


def _fraction(column: Column) -> int:
    digits = _DIGITS.search(column.type)
    return int(digits[1]) if digits else 0


def _kept(column: Column) -> Callable[[Value], Value] | None:
    if is_mapped(column, _MOMENTS):
        return _a_moment
    if column.family is Family.FLOAT:
        return number
    if "zerofill" in column.type.lower():
        return without_lead
    if column.family is Family.TEXT:
        return _without_what_is_refused
    return None


def _a_moment(value: Value) -> Value:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return value


def _without_what_is_refused(value: Value) -> Value:
    return _SURROGATES.sub("\ufffd", value) if isinstance(value, str) else value


def _told(column: Column) -> Callable[[Any], Value] | None:  # Any: as psycopg has it
    if column.family is Family.FLOAT:
        return number
    return None


_BEHIND = """
    SELECT named FROM (
        SELECT pg_get_serial_sequence(quote_ident(%s::text), column_name::text)::regclass AS named
        FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = %s
    ) AS found WHERE named IS NOT NULL AND COALESCE(pg_sequence_last_value(named), 0) < %s"""


def _count_on(run: Run, name: str, upto: int) -> None:
    """Move on the sequences that belong to columns (serial, identity). Nobody puts a row meanwhile, so none is moved back."""
    if run(_BEHIND, (name, name, upto)).first() is None:
        return
    run(f"LOCK TABLE {quoted(name)} IN SHARE ROW EXCLUSIVE MODE", ())
    for (sequence,) in run(_BEHIND, (name, name, upto)).all():
        run("SELECT setval(%s::regclass, %s)", (sequence, upto))


DIALECT = Dialect(
    product="PostgreSQL",
    mark="%s",
    type_of=_type_of,
    shown=_shown,
    ordered=lambda column: quoted(column.name),
    told=_told,
    given=lambda _: None,
    kept=_kept,
    starts=lambda column, mark: f"left({quoted(column.name)}, length({mark}::text)) = {mark}::text",
    count_on=_count_on,
    alone="SELECT pg_advisory_xact_lock(hashtext('migrator.forms'))",
)

# -- sessions ---------------------------------------------------------------------------------------------------------


class PostgresReader(OtherReader):
    """The tables of one database, being read. Fulfils KnowsRights."""

    def __init__(self, options: Options, *, writes: bool = False) -> None:
        """Connects to nothing yet."""
        super().__init__(Database(options, writes=writes, exact=True), DIALECT, FEATURES)
        self._options = options

    def want_of_rights(self) -> EndpointRefused | None:
        asked = "SELECT current_schema(), has_schema_privilege(current_schema(), 'CREATE')"
        with self._db.reading() as connection:
            schema, may_create = self._run(connection, asked).one()
        if may_create:
            return None
        # Since PostgreSQL 15 only its owner may make tables in the schema public.
        return EndpointUnfit(
            f"{self._options.place}: the user {self._options.user} may not CREATE tables in {schema or 'any schema'}, and a target's user has to.",
            remedy=f"Have it granted, or name another user: GRANT CREATE ON SCHEMA {schema or 'public'} TO {quoted(self._options.user or '')}",
        )


class PostgresWriter(PostgresReader, OtherWriter):
    """The same, being filled."""

    def __init__(self, options: Options) -> None:
        """Connects to nothing yet."""
        super().__init__(options, writes=True)


def _read(options: Options, login: Login) -> TableReader:
    del login  # the credentials are the database's own
    return PostgresReader(options)


def _fill(options: Options, login: Login) -> TableWriter:
    del login
    return PostgresWriter(options)


ADAPTER: Adapter[TableReader, TableWriter] = Adapter(
    word="postgresql",
    title=FEATURES.title,
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda options: (options.connections, options.connections),
)
