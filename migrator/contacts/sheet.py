"""A file of rows as a layout of cards: which program's columns it has is asked of Columns, how CSV is written of table.py.

What surprises: a row's tag is told from what its cells say, not from its bytes, so that a table that grew a column is no changed book.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from migrator.contacts import files
from migrator.contacts.columns import Columns
from migrator.contacts.model import Card, Features
from migrator.contacts.shelf import Place, tag_of
from migrator.contacts.vcard import uid_for
from migrator.errors import Misbehaved
from migrator.frozen import dataclass
from migrator.wire import table
from migrator.wire.table import Look, Row

SUFFIX = ".csv"


class Groups(Protocol):
    """How a program says in its rows which groups a contact is in."""

    def of(self, cells: Mapping[str, str]) -> Sequence[str]:
        """The groups of a row, by name."""

    def with_group(self, cells: Mapping[str, str], name: str, *, on: bool) -> Mapping[str, str]:
        """The row in this group, or out of it."""

    def refusal(self, name: str) -> str:
        """Why there cannot be a group of this name, in words; "" if there can."""

    def card(self, name: str, members: Sequence[str]) -> Card:
        """A group as a card, members by UID."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns that say it."""


@dataclass(frozen=True, slots=True)
class SheetFile:
    """Fulfils Opened."""

    file: BinaryIO
    columns: Columns
    groups_in: Groups | None
    look: Look
    header: tuple[str, ...]  # our names of its columns
    titles: tuple[str, ...]  # and its own
    first: int  # where the first row stands

    def rows(self, start: int = 0) -> Iterator[tuple[Row, dict[str, str]]]:
        """The rows from a place on, with their cells by our names of the columns."""
        for row in table.rows(self.file, self.look, max(start, self.first)):
            yield row, self.cells(row)

    def cells(self, row: Row) -> dict[str, str]:
        """A row's cells that say something, by our names of the columns."""
        return {name: cell for name, cell in zip(self.header, row.cells, strict=False) if cell}

    def places(self, start: int = 0) -> Iterator[Place]:
        """Every row."""
        apart = self.groups_in.columns if self.groups_in else frozenset()
        for row, cells in self.rows(start):
            told = "\0".join(f"{name}={cell}" for name, cell in sorted(cells.items()) if name not in apart)
            tag = tag_of(row.raw if row.broken else told.encode("utf-8", "surrogatepass"))
            yield Place(row.offset, len(row.raw), self.columns.card(cells).uid, tag)

    def card(self, raw: bytes) -> tuple[Card, tuple[str, ...]]:
        """A row's card; what has more cells than there are columns says so."""
        row = next(table.rows_of(raw, self.look), None)
        if row is None:
            return Card(), ("the row is empty",)
        over = [cell for cell in row.cells[len(self.header) :] if cell.strip()]
        told = [row.broken] if row.broken else []
        if over:
            told.append(f"{len(over)} cells stand beyond the last column")
        cells = self.cells(row)
        return self.columns.card(cells), (*told, *self.columns.told(cells))

    def refusal(self, card: Card) -> str:
        """Letters that the file's charset does not have."""
        charset = self.look.charset
        if charset.startswith("utf"):
            return ""
        odd = {
            letter for cell in self.columns.cells(card).values() for letter in cell if not table.fits(letter, charset)
        }
        return f"it has letters that {charset} has not: {' '.join(sorted(odd))[:40]}" if odd else ""

    def groups(self) -> Iterator[Card]:
        """The groups that rows are in, by name; a row without a UID is a member under the one it will be given."""
        if self.groups_in is None:
            return
        members: dict[str, list[str]] = {}
        for _, cells in self.rows():
            names = self.groups_in.of(cells)
            if names:
                uid = uid_of(self.columns.card(cells))
                for name in names:
                    members.setdefault(name, []).append(uid)
        for name, uids in members.items():
            yield self.groups_in.card(name, uids)


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """Fulfils Layout and GroupsApart."""

    features: Features
    columns: Columns
    title: str  # of the program, for messages
    groups_in: Groups | None = None
    look: Look = field(default_factory=Look)  # of files that are made
    mark: bytes = b""  # a byte order mark before it
    guard: bool = True
    no_groups: str = ""  # why a group is refused
    suffix: str = SUFFIX
    joins: bool = False
    separators: str = ",;\t"

    def opened(self, file: BinaryIO, name: str) -> SheetFile:
        """A table. Raises Misbehaved if its columns are another program's."""
        file.seek(0)
        look = table.look_of(file.read(table.HEAD), self.separators, self.look.charset)
        row = next(table.rows(file, look, look.begins), None)
        if row is None:
            return SheetFile(file, self.columns, self.groups_in, self.look, (), (), os.fstat(file.fileno()).st_size)
        found = self.columns.recognised(row.cells)
        if found is None:
            shown = ", ".join(row.cells[:4])[:120]
            raise Misbehaved(
                f"{name}: its first row ({shown}) has not the columns of {self.title}.",
                remedy="Export it again from there, or give the type of endpoint that fits it.",
            )
        columns, header = found
        first = row.offset + len(row.raw)
        return SheetFile(file, columns, self.groups_in, look, _apart(header), row.cells, first)

    def beginning(self) -> bytes:
        """The first row."""
        header = self.columns.header((), ())
        return self.mark + table.written(self.columns.titles(header), self.look, guard=False)

    def prepared(self, path: Path, cards: Sequence[Card]) -> Sequence[bytes]:
        """A row for each card; the table is written anew, wider, where they need more columns than it has."""
        with path.open("rb") as file:
            there = self.opened(file, path.name)
            wanted = [there.columns.cells(card) for card in cards]
            header, look = there.header, there.look
            needed = {name for cells in wanted for name, cell in cells.items() if cell}
            if needed - set(header):
                header = there.columns.header(wanted, header)
                with files.replacing(path) as fresh:
                    self._rewrite(there, fresh, header)
                if not there.header:
                    look = self.look
        return [self._row(cells, header, look) for cells in wanted]

    def put_group(self, path: Path, group: Card, instead_of: Card | None) -> str:
        """Say in its members' rows that they are in the group, and in no other row."""
        if self.groups_in is None:
            return self.no_groups
        refused = self.groups_in.refusal(group.label)
        if refused:
            return refused
        members = frozenset(group.members)
        with path.open("rb") as file, files.replacing(path) as fresh:
            there = self.opened(file, path.name)
            names = frozenset({group.label, instead_of.label if instead_of else group.label})
            self._rewrite(
                there,
                fresh,
                there.columns.header((), there.header),
                names,
                lambda name, uid: name == group.label and uid in members,
            )
        return ""

    def in_groups_of(self, path: Path, raw: bytes, before: bytes) -> bytes:
        """The row with the groups of the other: they are no part of a card, so that a card written anew says none."""
        if self.groups_in is None:
            return raw
        with path.open("rb") as file:
            there = self.opened(file, path.name)
        (row,), (other,) = table.rows_of(raw, there.look), table.rows_of(before, there.look)
        names = self.groups_in.of(there.cells(other))
        cells: Mapping[str, str] = there.cells(row)
        for name in names:
            cells = self.groups_in.with_group(cells, name, on=True)
        return self._row(cells, there.header, there.look) if names else raw

    def _rewrite(
        self,
        there: SheetFile,
        fresh: IO[bytes],
        header: tuple[str, ...],
        groups: frozenset[str] = frozenset(),
        is_in: Callable[[str, str], bool] = lambda _, __: False,
    ) -> None:
        """The same table with this header; and in these groups, those who are in them."""
        known = dict(zip(there.header, there.titles, strict=True))
        titles = [known.get(name) or said for name, said in zip(header, there.columns.titles(header), strict=True)]
        there.file.seek(0)
        fresh.write(there.file.read(there.look.begins) if there.header else self.mark)
        fresh.write(table.written(titles, there.look if there.header else self.look, guard=False))
        for row, cells in there.rows():
            if row.broken or any(row.cells[len(there.header) :]):
                raise Misbehaved(
                    f"the row at byte {row.offset:,} cannot be written again: it is broken or has more cells than columns.",
                    remedy="Correct it, then run again; nothing was changed.",
                )
            said: Mapping[str, str] = cells
            if groups and self.groups_in is not None:
                uid = uid_of(there.columns.card(cells))
                for name in groups:
                    said = self.groups_in.with_group(said, name, on=is_in(name, uid))
            fresh.write(self._row(said, header, there.look))

    def _row(self, cells: Mapping[str, str], header: Sequence[str], look: Look) -> bytes:
        return table.written([cells.get(name, "") for name in header], look, guard=self.guard)


def uid_of(card: Card) -> str:
    """A card's UID, or the one that is made for it."""
    return card.uid or uid_for(card)


def _apart(header: Sequence[str]) -> tuple[str, ...]:
    """Names of columns with a number where there are two of one name, so that nothing of the second is lost when it is written again."""
    seen: Counter[str] = Counter()
    names = []
    for name in header:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} (column {seen[name]})")
    return tuple(names)
