"""What is left out of what people wrote, by column or by field, before it goes anywhere. Pure.

What surprises: NULL stays NULL and an empty text stays empty under every rule, for there is nothing to hide; and a column that rows are told
apart or joined by cannot be changed. A field is looked for inside what a cell packs, and by the name that stands beside a cell in its row;
a cell in which it cannot be looked for is hidden whole.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

from migrator.errors import PlanError
from migrator.forms import hiding, php
from migrator.forms.fields import Field
from migrator.forms.hiding import Hiding, Members, Opaque
from migrator.forms.model import Column, Family, Row, Table, Value
from migrator.forms.options import RedactOptions
from migrator.forms.plugins.detect import kept_in
from migrator.forms.plugins.shape import InCell, InRows, Spelling, View
from migrator.frozen import dataclass

HASH_LENGTH = 32
OF: Final = ":"  # between a column and a field in it
FILES: Final = "@files"  # stands for fields in which files were sent
_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")
_ROOM: Final = {"tinytext": 2**8 - 1, "tinyblob": 2**8 - 1, "text": 2**16 - 1, "blob": 2**16 - 1}  # bytes

Rule: TypeAlias = Callable[[Value, Row], Value]
Labels: TypeAlias = Mapping[
    tuple[str, str], Sequence[Field]
]  # by form ("" where a table does not say) and key, what forms say of it


@dataclass(frozen=True, slots=True)
class Redaction:
    """The rules for one table: by place in a row, what becomes of a value. `opaque` counts cells that were hidden whole because they could
    not be looked into for a field, `met` those in which it was found; both by the words of the plan.
    """

    rules: tuple[tuple[int, str, Rule], ...] = ()
    opaque: Counter[str] = field(default_factory=Counter, compare=False)
    met: Counter[str] = field(default_factory=Counter, compare=False)

    def __bool__(self) -> bool:
        return bool(self.rules)

    def __call__(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows as they go to the target."""
        return [self._row(row) for row in rows] if self.rules else rows

    def _row(self, row: Row) -> Row:
        changed = list(row)
        for place, _, rule in self.rules:
            changed[place] = rule(changed[place], row)
        return tuple(changed)

    @property
    def fields(self) -> Sequence[str]:
        """The rules that are about fields of a column the plan names, in its words."""
        return [rule.pattern for _, _, rule in self.rules if isinstance(rule, _Fields) and rule.is_meant]

    @property
    def told(self) -> str:
        """In words, for a preview."""
        return ", ".join(word for _, word, _ in self.rules)


def redaction_of(
    table: Table, options: RedactOptions, joined_by: Sequence[str], key: bytes = b"", labels: Labels | None = None
) -> Redaction:
    """The rules of a plan that concern this table. Raises PlanError for a column that rows are told apart or joined by, and for one
    that cannot hold what a rule makes. `key` is what hashes are made with; without it the rules only tell what they would do. `labels` are
    what forms call the fields whose answers are in the table.
    """
    opaque, met = Counter[str](), Counter[str]()
    rules = []
    for word, patterns in _words(options):
        for place, column in enumerate(table.columns):
            fixed = column.name in {*table.page_by, *joined_by}
            if any(_fits(table, column, pattern) for pattern in patterns):
                if fixed:
                    raise PlanError(
                        f"redact.{word}: {table.name}.{column.name} is what rows are told apart or joined by.",
                        remedy="Leave it out of redact; other columns can be left empty.",
                    )
                change = _rule(word, table, column, key)
                rules.append((place, f"{column.name} ({word})", _whole(change)))
                continue
            for pattern in patterns:
                where, of, name = pattern.partition(OF)
                if not (of and name and _fits(table, column, where)):
                    continue
                is_meant = not re.search(r"[*?\[]", where)
                if fixed or not _holds_text(column):
                    if is_meant:
                        raise PlanError(f"redact.{word}: {table.name}.{column.name} holds no fields ({column.type}).")
                    continue
                within = _Fields(word, pattern, name, table, column, key, labels or {}, opaque, met, is_meant=is_meant)
                rules.append((place, f"{column.name}{OF}{name} ({word})", within))
    return Redaction(tuple(rules), opaque, met)


def by_field(table: Table, options: RedactOptions) -> bool:
    """Whether a plan hides fields of this table, so that its forms have to be asked what they call them."""
    return any(
        OF in pattern and not _fits(table, column, pattern) and _fits(table, column, pattern.partition(OF)[0])
        for _, patterns in _words(options)
        for pattern in patterns
        for column in table.columns
    )


def without_column(tables: Sequence[Table], options: RedactOptions) -> list[tuple[str, str]]:
    """What a plan wants hidden that fits no column of these tables: the rule's word, and what the plan says."""
    return [
        (word, pattern)
        for word, patterns in _words(options)
        for pattern in patterns
        if not any(
            _fits(table, column, pattern) or _fits(table, column, pattern.partition(OF)[0])
            for table in tables
            for column in table.columns
        )
    ]


def _words(options: RedactOptions) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (("drop", options.drop), ("mask", options.mask), ("hash", options.hash))


def _fits(table: Table, column: Column, pattern: str) -> bool:
    return fnmatchcase(f"{table.name}.{column.name}".lower(), pattern.lower())


def _holds_text(column: Column) -> bool:
    return column.family in {Family.TEXT, Family.BINARY} and not column.type.lower().startswith(("enum", "set"))


# -- a whole cell ---------------------------------------------------------------------------------------------------------


def _whole(change: Callable[[Value], Value]) -> Rule:
    return lambda value, _: change(value)


def _rule(word: str, table: Table, column: Column, key: bytes) -> Callable[[Value], Value]:
    if word == "drop":
        nothing = None if column.nullable else empty(column)
        return lambda value: None if value is None else nothing
    if not _holds_text(column) or column.is_json:
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
    if column.is_json:
        return "null"
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
    if not value:
        return value
    content = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    digest = _digest(content, key)
    most = re.search(r"\((\d+)\)", column.type)
    digest = digest[: int(most[1])] if most else digest
    return digest.encode() if column.family.is_bytes else digest


def _digest(content: bytes, key: bytes) -> str:
    assert key, "a hash without a key could be looked up"
    return hmac.new(key, content, hashlib.sha256).hexdigest()[:HASH_LENGTH]


# -- fields of a cell -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Fields:
    """A rule for one field of a column. `is_meant`: the plan names the column itself, so that it must hold fields."""

    word: str
    pattern: str
    name: str
    table: Table
    column: Column
    key: bytes
    labels: Labels
    opaque: Counter[str]
    met: Counter[str]
    is_meant: bool
    _views: Sequence[View] = field(init=False)
    _cell: InCell | None = field(init=False)
    _rows: Sequence[InRows] = field(init=False)
    _form: int | None = field(init=False)

    def __post_init__(self) -> None:
        ours = list(kept_in(self.table))
        self._views = [view for view, _ in ours]
        self._cell = next((one for _, one in ours if isinstance(one, InCell) and one.column == self.column.name), None)
        self._rows = [one for _, one in ours if isinstance(one, InRows) and one.value == self.column.name]
        forms = [view.form for view in self._views if view.form in {one.name for one in self.table.columns}]
        self._form = self.table.place(forms[0]) if forms else None

    def __call__(self, value: Value, row: Row) -> Value:
        if not value:
            return value
        of_row = self._of_row(row)
        if self._cell is not None and self._cell.spelling is Spelling.JETPACK:
            return self._blind(value)  # a text in which nothing can be told apart for sure
        hide = self._hiding(row)
        try:
            if any(map(hide.sought.names, of_row)):
                self.met[self.pattern] += 1
                return self._fitting(self._everything(value, hide))
            must = self._cell is not None or (self.is_meant and not self._rows)
            changed, count = hide.hidden(value, packed=must)
        except Opaque:
            return self._blind(value)
        if not count:
            return value
        self.met[self.pattern] += 1
        return self._fitting(changed)

    def _everything(self, value: Value, hide: Hiding) -> Value:
        """A cell that is the field, with the shape around what was answered where it has one."""
        packed = hide.entirely(value)
        return _rule(self.word, self.table, self.column, self.key)(value) if packed is None else packed

    def _of_row(self, row: Row) -> Iterator[str]:
        """What the field of this row is called, where its answers are rows."""
        for where in self._rows:
            columns = {one.name for one in self.table.columns}
            name = _text(row[self.table.place(where.name)]) if where.name in columns else ""
            yield name
            if found := re.fullmatch(where.named, name):
                yield from (part for part in found.groups() if part)
                yield from (one.label for one in self._known(row, found[1]))
                yield from (f"{FILES}{one.kind}" for one in self._known(row, found[1]))
                if found.re.groups > 1 and found[2]:
                    yield f"{found[1]}.{found[2]}"
            if where.label in columns:
                yield _text(row[self.table.place(where.label)])

    def _known(self, row: Row, key: str) -> Sequence[Field]:
        form = _text(row[self._form]) if self._form is not None else ""
        return self.labels.get((form, key), ())

    def _hiding(self, row: Row) -> Hiding:
        members: Members | None = hiding.PRESUMED
        if self._cell is not None:
            items = self._cell.items
            naming = frozenset({items.key, items.label, items.kind} - {""}) if items else frozenset()
            members = Members(naming, frozenset({items.value}), items.kind) if items else None
        sought = _Sought(self.name.lower(), self._views, lambda key: self._known(row, key))
        return Hiding(sought, self._hide, self._hide_number, members, presumed=self._cell is None)

    def _hide(self, text: bytes) -> bytes:
        if self.word == "drop":
            return b""
        if self.word == "hash":
            return _digest(text, self.key).encode()
        for charset in ("utf-8", "cp1252", "latin-1"):
            try:
                return _DIGIT.sub("0", _LETTER.sub("x", text.decode(charset))).encode(charset)
            except UnicodeError:
                continue
        return b"x" * len(text)

    def _hide_number(self, number: bool | int | php.Double) -> php.Value:  # noqa: FBT001 - the value itself
        if self.word == "drop":
            return None
        if self.word == "hash":
            said = number.text if isinstance(number, php.Double) else str(int(number))
            return _digest(said.encode(), self.key).encode()
        return False if isinstance(number, bool) else php.Double("0.0") if isinstance(number, php.Double) else 0

    def _blind(self, value: Value) -> Value:
        self.opaque[self.pattern] += 1
        if self.column.is_json:
            return None if self.column.nullable else "null"
        return _rule(self.word, self.table, self.column, self.key)(value)

    def _fitting(self, value: Value) -> Value:
        """The value, or what stands for the whole cell where a hash has made it longer than the column."""
        most = re.search(r"char\((\d+)\)|binary\((\d+)\)", self.column.type.lower())
        too_long = most is not None and value is not None and len(value) > int(most[1] or most[2])
        room = _ROOM.get(self.column.type.lower().split("(")[0])
        too_long = too_long or (room is not None and len(_raw(value)) > room)
        return self._blind(value) if too_long else value


@dataclass(frozen=True, slots=True)
class _Sought:
    """Fulfils Sought for what a plan says, in small letters. `known` are what forms say of a key."""

    wanted: str
    views: Sequence[View]
    known: Callable[[str], Sequence[Field]]

    def names(self, name: str) -> bool:
        if self.wanted == FILES:
            marks = [view.file_mark for view in self.views if view.file_mark]
            kinds = {one.kind for one in self.known(name)} | {name.removeprefix(FILES)} - {name}
            return any(name.endswith(mark) for mark in marks) or any(map(self.kinds, kinds))
        return any(
            said.lower() == self.wanted or fnmatchcase(said.lower(), self.wanted)
            for said in (name, *(one.label for one in self.known(name)))
        )

    def kinds(self, kind: str) -> bool:
        return self.wanted == FILES and any(kind in view.files for view in self.views)

    def texts(self, text: bytes) -> bool:
        return self.wanted == FILES and hiding.UPLOADED in text.replace(b"\\/", b"/") and b"://" in text[:12]


def _text(value: Value) -> str:
    return value if isinstance(value, str) else (value or b"").decode("utf-8", "replace")


def _raw(value: Value) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value or b""
