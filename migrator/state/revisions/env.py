"""How alembic runs our revisions: on the connection `schema.bring_up` hands over, inside its transaction.

A new revision is a file in `versions/`, written by hand like the ones there; released ones are never edited.
"""

from __future__ import annotations

from alembic import context

from migrator.state.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
