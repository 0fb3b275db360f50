"""Rows on their way to a target that has other numbers: every number in them that names a row, a form or a field becomes the target's. Pure.

What surprises: a number may stand in a text or inside a serialised value. A value is changed only where it can be written again to the last
byte as it was, lengths included; else it stays, and that is counted. A row whose number leads nowhere is left behind, never put under a
stranger's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Final, TypeAlias

from migrator.forms import spelt
from migrator.forms.answers import bytes_of, text_of
from migrator.forms.model import Keyed, Link, Row, Table, Value
from migrator.forms.remap.book import Place
from migrator.forms.remap.numbers import NONE, FieldKeys, Numbers
from migrator.frozen import dataclass

Taken: TypeAlias = Mapping[Place, frozenset[str]]  # numbers at the target
Forms: TypeAlias = Callable[[Keyed, Sequence[str]], Mapping[str, str]]  # the form of each of these entries
_VALUES: Final = b"{[aO"  # begins what is no plain text


@dataclass(slots=True)
class Rewritten:
    """Rows as they go to the target. `there` counts those that the target has already, `left` those that have no place, by reason; `stayed`
    counts values that could not be written again.
    """

    rows: list[Row] = field(default_factory=list)
    there: int = 0
    left: Counter[str] = field(default_factory=Counter)
    stayed: Counter[str] = field(default_factory=Counter)

    @property
    def note(self) -> str:
        """What has no place, in words; "" for nothing."""
        return "; ".join(
            f"{count:,} {'row' if count == 1 else 'rows'} {reason}" for reason, count in sorted(self.left.items())
        )


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What is done to the rows of a table. `own` is the column that holds a row's own number, "" without one; `references` are columns with numbers
    of others, `describes` those of them by which a row belongs to a form's description. `fields` are the keys of fields, by form. What is `taken`
    was to be the number of one of our rows, and is a stranger's.
    """

    table: Table
    numbers: Mapping[Place, Numbers]
    own: str = ""
    references: tuple[tuple[str, Place], ...] = ()
    describes: frozenset[str] = frozenset()
    links: tuple[Link, ...] = ()
    keyed: tuple[Keyed, ...] = ()
    fields: Mapping[str, FieldKeys] = field(default_factory=dict)
    taken: Taken = field(default_factory=dict)

    @property
    def is_sure(self) -> bool:
        """Whether every number that a row may get, or names, is sure by now."""
        named = {to for _, to in self.references} | {(one.table, one.key) for one in self.links}
        places = {(self.table.name, self.own), *named}
        return all(self.numbers.get(one, Numbers()).is_sure for one in places)

    def __call__(self, rows: Sequence[Row], forms: Forms) -> Rewritten:
        """The rows as the target is to have them; `forms` is asked for the forms of entries where rows do not say them."""
        found = Rewritten()
        of_entries = {one: forms(one, self._entries(rows, one)) for one in self.keyed if one.entry and self.fields}
        for row in rows:
            try:
                found.rows.append(self._row(row, of_entries, found))
            except _IsThereError:
                found.there += 1
            except _NowhereError as error:
                found.left[str(error)] += 1
        return found

    def _entries(self, rows: Sequence[Row], keyed: Keyed) -> list[str]:
        place = self.table.place(keyed.entry)
        return list(dict.fromkeys(text_of(row[place]) for row in rows))

    def _row(self, row: Row, of_entries: Mapping[Keyed, Mapping[str, str]], found: Rewritten) -> Row:
        changed = list(row)
        if self.own:
            place = self.table.place(self.own)
            changed[place] = self._own(text_of(row[place]))
        for column, to in self.references:
            place = self.table.place(column)
            if column != self.own and row[place] not in NONE:
                changed[place] = self._referred(column, to, text_of(row[place]))
        for keyed in self.keyed:
            self._rekey(keyed, row, changed, of_entries)
        for link in self.links:
            column, said = link.only
            if not column or text_of(row[self.table.place(column)]) in said:
                self._relink(link, changed, found)
        return tuple(changed)

    def _own(self, number: str) -> str:
        numbers = self.numbers[self.table.name, self.own]
        if number in numbers.forms or number in numbers.there or number in numbers.nowhere:
            raise _IsThereError
        if not number.isdecimal() or not int(number):
            raise _NowhereError(f"of {self.table.name} with a number below 1, which no database gives out")
        become = numbers.of(number)
        if become is None:
            raise _NowhereError(f"of {self.table.name} that came after numbers were given")
        return become

    def _referred(self, column: str, to: Place, number: str) -> str:
        numbers = self.numbers.get(to, Numbers())
        own_table = to[0] == self.table.name
        become = numbers.of(number)
        if column in self.describes and (number in numbers.forms or become is None):
            raise _IsThereError
        if number in numbers.there and not own_table:
            raise _IsThereError
        if become is None:
            raise _NowhereError(_nowhere(self.table.name, column, to))
        if self._is_taken(to, number, become):
            raise _NowhereError(f"of {self.table.name} whose {column} is somebody else's at the target")
        return become

    def _is_taken(self, to: Place, number: str, become: str) -> bool:
        numbers = self.numbers.get(to, Numbers())
        return become in self.taken.get(to, ()) and number not in numbers.forms and number not in numbers.there

    # -- inside

    def _relink(self, link: Link, changed: list[Value], found: Rewritten) -> None:
        place = self.table.place(link.column)
        cell = changed[place]
        if link.way:
            changed[place] = self._inside(link, cell, found)
            return
        text = text_of(cell)
        if text in NONE:
            return
        matched = re.fullmatch(link.named, text) if link.named else None
        if link.named and not matched:
            return
        start, end = matched.span(1) if matched else (0, len(text))
        numbers = self.numbers.get((link.table, link.key), Numbers())
        if link.column in self.describes and link.otherwise is None and text in numbers.forms:
            raise _IsThereError
        become = self._linked(link, text[start:end])
        if become is None:
            raise _NowhereError(_nowhere(self.table.name, link.column, (link.table, link.key)))
        if text[start:end] != become:
            changed[place] = _as(cell, f"{text[:start]}{become}{text[end:]}")

    def _linked(self, link: Link, number: str) -> str | None:
        to = (link.table, link.key)
        become = self.numbers.get(to, Numbers()).of(number)
        return link.otherwise if become is None or self._is_taken(to, number, become) else become

    def _inside(self, link: Link, cell: Value, found: Rewritten) -> Value:
        raw = bytes_of(cell)
        value = spelt.read(raw)
        if isinstance(value, spelt.InText):
            if raw[:1] and raw[:1] in _VALUES:
                found.stayed[f"{self.table.name}.{link.column}"] += 1
            return cell
        faithful = spelt.faithful(value, raw)
        for way, was in list(value.places(link.way.split("."))):
            become = self._linked(link, was)
            if was in NONE or become in {None, was}:
                continue
            if not faithful:
                found.stayed[f"{self.table.name}.{link.column}"] += 1
                return cell
            value = value.put(way, str(become))
        return _as(cell, value.write()) if faithful else cell

    # -- keys of fields

    def _rekey(
        self, keyed: Keyed, row: Row, changed: list[Value], of_entries: Mapping[Keyed, Mapping[str, str]]
    ) -> None:
        if keyed.form:
            form = text_of(row[self.table.place(keyed.form)])
        else:
            form = of_entries.get(keyed, {}).get(text_of(row[self.table.place(keyed.entry)]), "")
        keys = self.fields.get(form)
        if keys is None:
            return
        place = self.table.place(keyed.column)
        cell = row[place]
        if keyed.items:
            changed[place] = _items(cell, keyed.items, keys)
            return
        text = text_of(cell)
        matched = re.fullmatch(keyed.named, text)
        if not matched:
            return
        become = keys.of(matched[1])
        if become is None:
            raise _NowhereError(f"with an answer in field {matched[1]} of form {form}, which the target's form has not")
        if become != matched[1]:
            changed[place] = _as(cell, f"{text[: matched.start(1)]}{become}{text[matched.end(1) :]}")


class _IsThereError(Exception):
    """The target has this row already; never leaves this file."""


class _NowhereError(Exception):
    """What it names is not at the target; never leaves this file."""


def _nowhere(table: str, column: str, to: Place) -> str:
    return f"of {table} whose {column} names what has no counterpart in {to[0]} at the target"


def _as(cell: Value, text: str | bytes) -> Value:
    if isinstance(cell, bytes):
        return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return text if isinstance(text, str) else text.decode("utf-8", "surrogatepass")


def _items(cell: Value, member: str, keys: FieldKeys) -> Value:
    """A list of objects, or of objects by the same key, with the keys of the target. What cannot be written again as it is stays: such
    objects say what their field is called, too.
    """
    raw = bytes_of(cell)
    value = spelt.read(raw)
    if isinstance(value, spelt.InText) or not spelt.faithful(value, raw):
        return cell
    names: dict[str, str] = {}
    for way, was in list(value.places((spelt.ANY, member))):
        become = keys.of(was)
        if become is not None and become != was:
            value = value.put(way, become)
            if way[0] == was:
                names[was] = become
    return _as(cell, value.renamed(names).write())
