"""What people call an item has a place of its own beside the note, which is told once for all items it is true of.

Notes that earlier runs recorded keep the names they hold.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    words = sa.Text(collation="C") if op.get_bind().dialect.name == "postgresql" else sa.Text()
    op.add_column("items", sa.Column("about", words, nullable=False, server_default=""))
    where = sa.text("about <> ''")
    op.create_index("items_called", "items", ["action", "key"], sqlite_where=where, postgresql_where=where)
