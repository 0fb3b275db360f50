"""An item may stand for several things: a range of rows counts as its rows.

What earlier runs recorded of form entries was counted in ranges. Each range's checksum says how many rows it had at the source, so they are
counted anew here, or the sums of a state that goes on would not add up.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger()
    op.add_column("items", sa.Column("things", big, nullable=False, server_default="1"))
    op.add_column("items", sa.Column("as_sent", big, nullable=False, server_default="0"))
    connection = op.get_bind()
    items = sa.table("items", *map(sa.column, ("action", "key", "fate", "digest", "things")))
    ledger = sa.table("ledger", *map(sa.column, ("number", "key")))
    sums = sa.table("sums", *map(sa.column, ("action", "fate", "items")))
    actions = sa.table("actions", *map(sa.column, ("action", "total_items")))
    ours = sa.select(ledger.c.number).where(ledger.c.key.like("forms/%"))
    this = (items.c.action == sa.bindparam("of_action"), items.c.key == sa.bindparam("of_key"))
    listing = sa.select(items.c.action, items.c.key, items.c.digest).where(items.c.action.in_(ours))
    for action, key, digest in connection.execute(listing).all():
        rows = digest.partition(":")[0]
        if rows.isdigit():
            values = {"of_action": action, "of_key": key, "rows": int(rows)}
            connection.execute(sa.update(items).where(*this).values(things=sa.bindparam("rows")), values)
    counted = (
        sa.select(items.c.action, items.c.fate, sa.func.sum(items.c.things))
        .where(items.c.action.in_(ours))
        .group_by(items.c.action, items.c.fate)
    )
    whole: dict[int, int] = {}
    for action, fate, rows in connection.execute(counted).all():
        of_fate = (sums.c.action == action, sums.c.fate == fate)
        connection.execute(sa.update(sums).where(*of_fate).values(items=int(rows)))
        whole[action] = whole.get(action, 0) + int(rows)
    for action, rows in whole.items():
        connection.execute(sa.update(actions).where(actions.c.action == action).values(total_items=rows))
