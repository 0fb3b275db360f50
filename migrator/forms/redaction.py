"""What is left out of what people wrote, column by column, before it goes anywhere. Pure.

What surprises: NULL stays NULL and an empty text stays empty under every rule, for there is nothing to hide; and a column that rows are told
apart or joined by cannot be changed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from migrator.errors import PlanError
from migrator.forms.model import Column, Family, Row, Table, Value
from migrator.forms.options import RedactOptions

HASH_LENGTH = 32
_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Redaction:
    """The rules for one table: by place in a row, what becomes of a value."""

    rules: tuple[tuple[int, str, Callable[[Value], Value]], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules)

    def __call__(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows as they go to the target."""
        return [self._row(row) for row in rows] if self.rules else rows

    def _row(self, row: Row) -> Row:
        changed = list(row)
        for place, _, rule in self.rules:
            changed[place] = rule(changed[place])
        return tuple(changed)

    @property
    def told(self) -> str:
        """In words, for a preview."""
        return ", ".join(word for _, word, _ in self.rules)


def redaction_of(table: Table, options: RedactOptions, joined_by: Sequence[str], key: bytes = b"") -> Redaction:
    """The rules of a plan that concern this table. Raises PlanError for a column that rows are told apart or joined by, and for one
    that cannot hold what a rule makes. `key` is what hashes are made with; without it the rules only tell what they would do.
    """
    rules = []
    for word, patterns in (("drop", options.drop), ("mask", options.mask), ("hash", options.hash)):
        for place, column in enumerate(table.columns):
            if any(fnmatchcase(f"{table.name}.{column.name}".lower(), pattern.lower()) for pattern in patterns):
                if column.name in {*table.page_by, *joined_by}:
                    raise PlanError(
                        f"redact.{word}: {table.name}.{column.name} is what rows are told apart or joined by.",
                        remedy="Leave it out of redact; other columns can be left empty.",
                    )
                rules.append((place, f"{column.name} ({word})", _rule(word, table, column, key)))
    return Redaction(tuple(rules))


def _rule(word: str, table: Table, column: Column, key: bytes) -> Callable[[Value], Value]:
    if word == "drop":
        nothing = None if column.nullable else empty(column)
        return lambda value: None if value is None else nothing
    if (
        column.family not in {Family.TEXT, Family.BINARY}
        or column.type.lower().startswith(("enum", "set"))
        or column.is_json
    ):
        raise PlanError(
            f"redact.{word}: {table.name}.{column.name} holds no text ({column.type}).",
            remedy="It can only be dropped.",
        )
    if word == "mask":
        return _masked
    return lambda value: _hashed(value, key, column)


def empty(column: Column) -> Value:
    """What a column says where nothing is said: its default, else nothing of its kind."""
    if column.default is not None and not column.default_is_words:
        return column.default.encode() if column.family.is_bytes else column.default
    if column.family.is_bytes:
        return b""
    dates = {"date": "0000-00-00", "time": "00:00:00"}
    if column.family is Family.TEMPORAL:
        return dates.get(column.type.lower().split("(")[0], "0000-00-00 00:00:00")
    return "" if column.family is Family.TEXT else "0"


def _masked(value: Value) -> Value:
    if isinstance(value, bytes):
        return b"x" * len(value)
    return None if value is None else _DIGIT.sub("0", _LETTER.sub("x", value))


def _hashed(value: Value, key: bytes, column: Column) -> Value:
    assert key, "a hash without a key could be looked up"
    if not value:
        return value
    content = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    digest = hmac.new(key, content, hashlib.sha256).hexdigest()[:HASH_LENGTH]
    most = re.search(r"\((\d+)\)", column.type)
    digest = digest[: int(most[1])] if most else digest
    return digest.encode() if column.family.is_bytes else digest
