"""Which schema a database holds, and the way from there to ours.

The usual case (it holds ours) costs one small query, and an empty database gets its tables at once, marked with the revision they
equal (a test compares). Alembic, slow to import, is only loaded to upgrade.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, String, Table, column, insert, inspect, select, table

from migrator.errors import StateError
from migrator.frozen import dataclass
from migrator.state.tables import lease, metadata

VERSION_TABLE = "migrator_schema"


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema by its revision ("0001"; they sort as text) and where the scripts lie that lead to it."""

    revision: str
    scripts: str


SCHEMA = Schema("0004", "migrator:state/revisions")


def revision_of(where: str, connection: Connection) -> str | None:
    """The revision a database holds; None if it is empty. Raises StateError if it is full of something else."""
    names = inspect(connection).get_table_names()  # one question: another process may be creating them this moment
    if VERSION_TABLE in names:
        return connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    if names:
        raise StateError(
            f"{where} is a database of something else (it holds {', '.join(sorted(names)[:3])}).",
            remedy="Name a place of its own for the state with --state; nothing was changed.",
        )
    return None


def refuse_newer(where: str, revision: str | None, schema: Schema) -> None:
    """Raises StateError if a later version of migrator wrote this state."""
    if revision is not None and revision > schema.revision:
        raise StateError(
            f"{where} was written by a newer migrator (schema {revision}; this one knows {schema.revision}).",
            remedy="Install that version or a later one; nothing was changed.",
        )


def create(connection: Connection, schema: Schema) -> None:
    """The tables as this version speaks to them, in an empty database."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(lease).values(one=1, epoch=0))
    version = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))
    version.create(connection, checkfirst=False)
    connection.execute(insert(version).values(version_num=schema.revision))


def bring_up(connection: Connection, schema: Schema) -> None:
    """Create step by step or upgrade to `schema`, within the transaction the connection is in: all of it or nothing."""
    from alembic import command
    from alembic.config import Config

    config = Config()  # no alembic.ini: nothing outside the package steers this, and nothing touches logging
    config.set_main_option("script_location", schema.scripts.replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, schema.revision)
