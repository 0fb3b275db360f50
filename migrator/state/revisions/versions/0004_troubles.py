"""What was given up says of which kind and route it is, also where nothing else is known of its step.

Of what earlier runs gave up that stays unknown until the next one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    words = sa.Text(collation="C") if op.get_bind().dialect.name == "postgresql" else sa.Text()
    op.add_column("troubles", sa.Column("ledger_key", words, nullable=False, server_default=""))
