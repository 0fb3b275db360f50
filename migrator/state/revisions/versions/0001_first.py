"""The first schema: runs and their lease, actions, items with their sums, intents, facts, findings.

Written out and not taken from `tables.py`, which moves on. There is no way down: the copy made before an upgrade is the way back.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NOT_AS_SENT = "fate IN ('left-behind', 'altered')"


def upgrade() -> None:
    text = sa.Text(collation="C") if op.get_bind().dialect.name == "postgresql" else sa.Text()
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    big = sa.BigInteger()
    word = sa.String(20)
    moment = sa.DateTime(timezone=True)

    op.create_table(
        "runs",
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("epoch", big, nullable=False),
        sa.Column("host", text, nullable=False),
        sa.Column("boot", text, nullable=False),
        sa.Column("pid", big, nullable=False),
        sa.Column("started", text, nullable=False),
        sa.Column("began", moment, nullable=False),
        sa.Column("last_sign", moment, nullable=False),
        sa.Column("ended", moment),
        sa.Column("ending", word),
        sa.Column("exit_code", sa.Integer),
        sa.Column("words", text, nullable=False),
        sa.Column("purpose", text, nullable=False),
        sa.Column("plan_digest", text, nullable=False),
        sa.Column("version", text, nullable=False),
    )
    lease = op.create_table(
        "lease",
        sa.Column(
            "one", sa.Integer, sa.CheckConstraint("one = 1", name="only_one"), primary_key=True, autoincrement=False
        ),
        sa.Column("epoch", big, nullable=False),
        sa.Column("run", number, sa.ForeignKey("runs.number")),
        sa.Column("last_sign", moment),
    )
    op.bulk_insert(lease, [{"one": 1, "epoch": 0}])
    op.create_table(
        "ledger",
        sa.Column("number", number, primary_key=True),
        sa.Column("key", text, nullable=False, unique=True),
    )
    op.create_table(
        "actions",
        sa.Column("step", text, primary_key=True),
        sa.Column("action", number, sa.ForeignKey("ledger.number"), primary_key=True, autoincrement=False),
        sa.Column("subject", text, nullable=False),
        sa.Column("subject_label", text, nullable=False),
        sa.Column("key", text, nullable=False),
        sa.Column("verb", word, nullable=False),
        sa.Column("label", text, nullable=False),
        sa.Column("why", text, nullable=False),
        sa.Column("items", big, nullable=False),
        sa.Column("bytes", big),
        sa.Column("total_items", big, nullable=False),
        sa.Column("total_bytes", big),
        sa.Column("status", word, nullable=False),
        sa.Column("run", big, nullable=False),
        sa.Column("cure", text, nullable=False),
        sa.Column("position", big, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("actions_in_order", "actions", ["step", "position", "action"])
    op.create_table(
        "troubles",
        sa.Column("step", text, primary_key=True),
        sa.Column("subject", text, primary_key=True),
        sa.Column("label", text, nullable=False),
        sa.Column("code", text, nullable=False),
        sa.Column("text", text, nullable=False),
        sa.Column("remedy", text, nullable=False),
        sa.Column("run", big, nullable=False),
    )
    op.create_table(
        "items",
        sa.Column("action", big, primary_key=True, autoincrement=False),
        sa.Column("key", text, primary_key=True),
        sa.Column("fate", word, nullable=False),
        sa.Column("ref", text, nullable=False),
        sa.Column("size", big, nullable=False),
        sa.Column("digest", text, nullable=False),
        sa.Column("mark", text, nullable=False),
        sa.Column("note", text, nullable=False),
        sa.Column("cure", text, nullable=False),
        sqlite_with_rowid=False,
    )
    where = sa.text(NOT_AS_SENT)
    op.create_index("items_not_as_sent", "items", ["action", "key"], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "sums",
        sa.Column("action", big, primary_key=True, autoincrement=False),
        sa.Column("fate", word, primary_key=True),
        sa.Column("items", big, nullable=False),
        sa.Column("bytes", big, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "intents",
        sa.Column("number", number, primary_key=True),
        sa.Column("action", big, nullable=False),
        sa.Column("fence", text, nullable=False),
        sa.Column("items", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("intents_of_action", "intents", ["action"])
    op.create_table(
        "facts",
        sa.Column("action", big, primary_key=True, autoincrement=False),
        sa.Column("name", text, primary_key=True),
        sa.Column("value", text, nullable=False),
    )
    op.create_table(
        "findings",
        sa.Column("number", number, primary_key=True),
        sa.Column("step", text, nullable=False),
        sa.Column("action", number, sa.ForeignKey("ledger.number"), nullable=False),
        sa.Column("source", text, nullable=False),
        sa.Column("code", text, nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("about", text, nullable=False),
        sa.Column("text", text, nullable=False),
        sa.Column("remedy", text, nullable=False),
    )
    op.create_index("findings_of_action", "findings", ["step", "action", "source"])
