"""The tables of the state, and the few types that make both databases answer alike.

`ledger` gives each ledger key a number; everything that is kept of an action is filed under that number. `items` is the large
one (a row for every message), so it is narrow, clustered by its key and has no foreign key. `sums` holds what a count over
`items` would answer, kept in the same transactions: a tally costs the same after ten messages and after ten million.

A change here needs a revision in `revisions/versions` and a new number in `schema.py`; a test compares the two.
"""

from __future__ import annotations

import enum
import re
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    event,
    text,
)
from sqlalchemy.types import TypeEngine

from migrator.engine.contract import Fate, Verb
from migrator.engine.ledger import Ending, Status

ESCAPE = "\x1a"  # SUBSTITUTE: what follows stands for one character, as four hexadecimal digits
_UNSTORABLE = re.compile(f"[\x00{ESCAPE}\ud800-\udfff]")
_ESCAPED = re.compile(f"{ESCAPE}([0-9a-f]{{4}})")
_LONGEST_WORD = 20  # room for the values of our enums, with some to spare


def storable(value: str) -> str:
    """A text as AnyText keeps it; for the few statements that pass many texts as one value."""
    if _UNSTORABLE.search(value) is None:
        return value
    return _UNSTORABLE.sub(lambda found: f"{ESCAPE}{ord(found[0]):04x}", value)


class AnyText(TypeDecorator[str]):
    """Text that comes back exactly as it was given, also where it holds NUL or a lone surrogate (a raw byte of some server),
    which a database refuses. On PostgreSQL it sorts by code point, so that keys page alike everywhere.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return Text(collation="C" if dialect.name == "postgresql" else None)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else storable(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        if value is None or ESCAPE not in value:
            return value
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)


class Moment(TypeDecorator[datetime]):
    """An instant, kept and answered as UTC. SQLite keeps no zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _word(values: type[enum.Enum]) -> Enum:
    """A column that holds the enum's values as text; anything else in it is a LookupError when read."""
    return Enum(
        values,
        values_callable=lambda members: [member.value for member in members],
        native_enum=False,
        length=_LONGEST_WORD,
    )


# SQLite only numbers rows by itself in a column of exactly this type.
_Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("host", AnyText, nullable=False),
    Column("boot", AnyText, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started", AnyText, nullable=False),
    Column("began", Moment, nullable=False),
    Column("last_sign", Moment, nullable=False),
    Column("ended", Moment),
    Column("ending", _word(Ending)),
    Column("exit_code", Integer),
    Column("words", AnyText, nullable=False),
    Column("purpose", AnyText, nullable=False),
    Column("plan_digest", AnyText, nullable=False),
    Column("version", AnyText, nullable=False),
)

# Exactly one row, made by the first revision. The holder's sign of life is here and not in `runs`, so that one UPDATE proves the
# epoch, locks out a taker until the transaction ends, and signs.
lease = Table(
    "lease",
    metadata,
    Column("one", Integer, CheckConstraint("one = 1", name="only_one"), primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("run", _Number, ForeignKey("runs.number")),
    Column("last_sign", Moment),
)

ledger = Table(
    "ledger",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("key", AnyText, nullable=False, unique=True),
)

actions = Table(
    "actions",
    metadata,
    Column("step", AnyText, primary_key=True),
    Column("action", _Number, ForeignKey("ledger.number"), primary_key=True, autoincrement=False),
    Column("subject", AnyText, nullable=False),
    Column("subject_label", AnyText, nullable=False),
    Column("key", AnyText, nullable=False),
    Column("verb", _word(Verb), nullable=False),
    Column("label", AnyText, nullable=False),
    Column("why", AnyText, nullable=False),
    Column("items", BigInteger, nullable=False),
    Column("bytes", BigInteger),
    Column("total_items", BigInteger, nullable=False),
    Column("total_bytes", BigInteger),
    Column("status", _word(Status), nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("cure", AnyText, nullable=False),
    Column("position", BigInteger, nullable=False),
    Index("actions_in_order", "step", "position", "action"),
    sqlite_with_rowid=False,
)

troubles = Table(
    "troubles",
    metadata,
    Column("step", AnyText, primary_key=True),
    Column("subject", AnyText, primary_key=True),
    Column("label", AnyText, nullable=False),
    Column("code", AnyText, nullable=False),
    Column("text", AnyText, nullable=False),
    Column("remedy", AnyText, nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("ledger_key", AnyText, nullable=False, server_default=""),
)

# Written out, because both databases use a partial index only for a question that repeats its words.
NOT_AS_SENT = "fate IN ('left-behind', 'altered')"
CALLED = "about <> ''"

items = Table(
    "items",
    metadata,
    Column("action", BigInteger, primary_key=True, autoincrement=False),
    Column("key", AnyText, primary_key=True),
    Column("fate", _word(Fate), nullable=False),
    Column("ref", AnyText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", AnyText, nullable=False),
    Column("mark", AnyText, nullable=False),
    Column("note", AnyText, nullable=False),
    Column("cure", AnyText, nullable=False),
    Column("things", BigInteger, nullable=False, server_default="1"),
    Column("as_sent", BigInteger, nullable=False, server_default="0"),
    Column("about", AnyText, nullable=False, server_default=""),
    Index("items_not_as_sent", "action", "key", sqlite_where=text(NOT_AS_SENT)),
    Index("items_called", "action", "key", sqlite_where=text(CALLED)),
    sqlite_with_rowid=False,
)


@event.listens_for(items, "before_create")
def _partial_on_postgresql_too(items: Table, connection: Connection, **_: object) -> None:
    """To name an option of PostgreSQL is to import all that SQLAlchemy knows of it, which a state in a file has no use for."""
    if connection.dialect.name == "postgresql":
        for index in items.indexes:
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


sums = Table(
    "sums",
    metadata,
    Column("action", BigInteger, primary_key=True, autoincrement=False),
    Column("fate", _word(Fate), primary_key=True),
    Column("items", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# A number is never given twice: a batch that was closed stays closed.
intents = Table(
    "intents",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("action", BigInteger, nullable=False),
    Column("fence", AnyText, nullable=False),
    Column("items", Text, nullable=False),  # JSON: [[key, size, digest], ...]
    Index("intents_of_action", "action"),
    sqlite_autoincrement=True,
)

facts = Table(
    "facts",
    metadata,
    Column("action", BigInteger, primary_key=True, autoincrement=False),
    Column("name", AnyText, primary_key=True),
    Column("value", AnyText, nullable=False),
)

findings = Table(
    "findings",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("step", AnyText, nullable=False),
    Column("action", _Number, ForeignKey("ledger.number"), nullable=False),
    Column("source", AnyText, nullable=False),
    Column("code", AnyText, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("about", AnyText, nullable=False),
    Column("text", AnyText, nullable=False),
    Column("remedy", AnyText, nullable=False),
    Index("findings_of_action", "step", "action", "source"),
)
