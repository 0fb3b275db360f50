"""Lists as files in a folder, one CSV for each list: what the adapters for tables share.

    <path>/announce@example.com.csv             whoever is on the list
    <path>/announce@example.com.settings.csv    what is set for it, where the layout has that

A file is replaced whole, on disk, by one writer at a time; rows and columns that are not ours stay. The file of members is there when the
list is; where an address makes no harmless file name, the settings name the list.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from migrator.addresses import same_form, split
from migrator.engine.contract import Contents, Mistake
from migrator.errors import EndpointUnfit, MigratorError, Misbehaved, NotFound, PlanError, Refused
from migrator.frozen import dataclass
from migrator.lists.model import (
    Features,
    MailingList,
    Member,
    Put,
    Role,
    Settings,
    member_without_lost,
    settings_of,
    settings_without_lost,
)
from migrator.lists.spelling import (
    SETTING_COLUMNS,
    holds_several,
    is_address,
    setting_rows,
    settings_told,
    wrong_setting,
)
from migrator.meant import nearest, perhaps
from migrator.wire import disk, table
from migrator.wire.table import Look

SUFFIX = ".csv"
OF_SETTINGS = ".settings.csv"
ADDRESS = "address"  # the row among the settings that names the list
PAGE = 1000
NO_ADDRESS = "this is no address"
FOUND = 60  # characters of a first line in a message
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")  # .xlsx and .ods, .xls
BOOKS = (".xlsx", ".xls", ".ods")

UTF8 = Look()

Cells = dict[str, str]


class Layout(Protocol):
    """How a program's table says who is on a list."""

    @property
    def features(self) -> Features:
        """What such a file can hold."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns of a new file."""

    @property
    def needed(self) -> str:
        """The column that has to be there, by our name."""

    @property
    def bare(self) -> bool:
        """Whether a file of addresses alone, that names no columns, is a list."""

    @property
    def has_settings(self) -> bool:
        """Whether a second file holds what is set for the list."""

    def wrong(self, cells: Mapping[str, str]) -> Iterator[str]:
        """Everything that is wrong with a row, in words."""

    def header(self, cells: Sequence[str]) -> Sequence[str] | None:
        """Our names of a file's columns; None if this line does not name them."""

    def members(self, cells: Mapping[str, str], role: Role) -> Iterator[Member]:
        """Those of this role whom a row tells. Raises ValueError with what is wrong."""

    def rows(self, cells: Mapping[str, str], member: Member, address: str) -> Cells | None:
        """The row (empty for a new one) with this member; None if it stays as it is."""

    def without(self, cells: Mapping[str, str], role: Role) -> Cells | None:
        """The row once somebody has this role no longer; None if the row goes."""

    def key(self, cells: Mapping[str, str]) -> str:
        """Whose row it is: `key_of` of those who stand in it."""

    def key_of(self, member: Member) -> str:
        """What tells this one's row from others: the address, and the role where each role has rows of its own."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file: our names of its columns beside its own, its rows by our names with the line each begins on, and what stands before them."""

    path: Path
    header: tuple[str, ...]
    titles: tuple[str, ...]
    rows: tuple[tuple[int, Cells], ...]
    look: Look = UTF8
    before: tuple[tuple[str, ...], ...] = ()  # lines above the columns' names
    mark: bytes = b""  # of the byte order
    header_line: int = 0  # where the columns' names stand; 0 if nowhere


class FolderReader:
    """A folder of lists, being read."""

    def __init__(self, layout: Layout, path: Path) -> None:
        self._layout = layout
        self._path = path
        if not path.exists() and not path.parent.is_dir():
            raise EndpointUnfit(
                f"{path}: neither this folder nor the one around it is there.", remedy="Check the path in the plan."
            )
        if path.exists() and not path.is_dir():
            raise PlanError(f"{path}: this is no folder.", remedy="Check the path in the plan.")

    @property
    def features(self) -> Features:
        """What the files can hold."""
        return self._layout.features

    def look_for_folder(self) -> None:
        """Raises NotFound where it is not there."""
        if not self._path.is_dir():
            raise NotFound(f"{self._path}: there is no such folder.", remedy="Correct the path in the plan.")

    def contents(self) -> Contents:
        """The lists, and everything that is wrong with their files. Raises NotFound where the folder is not there."""
        self.look_for_folder()
        names = [address for path in self._files(SUFFIX) if all(split(address := self._address_of(path)))]
        mistakes: list[Mistake] = []
        for path in self._files(SUFFIX):
            mistakes += _or_why_not(path, partial(mistakes_of_members, path, self._layout))
        for path in self._files(OF_SETTINGS) if self._layout.has_settings else ():
            mistakes += _or_why_not(path, partial(_mistakes_of_settings, path))
        mistakes += [Mistake(self._path / name, 0, why) for name, why in self.no_lists()]
        for path in self._all_files():
            if path.suffix.lower() in BOOKS:
                text = f"is passed over. To make a list of it, save it as CSV and call it like news@example.com{SUFFIX}"
                mistakes.append(Mistake(path, 0, text, odd=True))
        return Contents(tuple(names), tuple(mistakes))

    def no_lists(self) -> Sequence[tuple[str, str]]:
        """Files of members whose name is no list's, and files of settings without members."""
        files = self._files(SUFFIX)
        why = f"its name is no address of a list. Call it like news@example.com{SUFFIX}"
        found = [(path.name, why) for path in files if not all(split(self._address_of(path)))]
        for path in self._files(OF_SETTINGS) if self._layout.has_settings else ():
            beside = path.name.removesuffix(OF_SETTINGS) + SUFFIX
            if not path.with_name(beside).is_file():
                hint = perhaps(beside, [one.name for one in files])
                found.append((path.name, f"there is no {beside} with the members beside it, so this is no list{hint}"))
        return found

    def _address_of(self, path: Path) -> str:
        """The list whose file this is, as far as its settings can be read."""
        stem = path.name.removesuffix(SUFFIX)
        try:
            return self._named(stem)
        except MigratorError:  # the file of settings tells why
            return stem

    def lists(self) -> Sequence[MailingList]:
        """One for each file of members."""
        return [MailingList(self._named(path.name.removesuffix(SUFFIX))) for path in self._files(SUFFIX)]

    def _files(self, suffix: str) -> list[Path]:
        """The folder's files of members, or those of settings."""
        named = [path for path in self._all_files() if path.name.endswith(suffix) and not path.name.startswith(".")]
        return [path for path in named if suffix == OF_SETTINGS or not path.name.endswith(OF_SETTINGS)]

    def _all_files(self) -> list[Path]:
        with disk.in_our_words(f"listing {self._path}"):
            return sorted(self._path.iterdir()) if self._path.is_dir() else []

    def _named(self, stem: str) -> str:
        """The list whose file has this name."""
        if not self._layout.has_settings:
            return stem
        rows = self._setting_rows(self._path / f"{stem}{OF_SETTINGS}")
        return next((value for name, value in rows if name == ADDRESS and value.strip()), stem)

    def settings(self, address: str) -> Settings:
        """What the list's second file tells."""
        path = self._file(address)
        if not self._layout.has_settings:
            return Settings()
        of_settings = _of_settings(path)
        rows = [row for row in self._setting_rows(of_settings) if row[0] != ADDRESS]
        try:
            return settings_of(settings_told(rows))
        except ValueError as error:
            raise Misbehaved(f"{of_settings}: {error}.", remedy="Correct the file, then run again.") from error

    def roster(self, address: str, role: Role) -> Iterator[Sequence[Member]]:
        """Everybody of one role, in the file's order; whoever has two rows is told twice."""
        everybody = list(self._members(self._file(address), role))
        return (everybody[start : start + PAGE] for start in range(0, len(everybody), PAGE))

    def as_kept(self, member: Member) -> Member:
        """The member without what the file has no column for."""
        return member_without_lost(member, self.features)

    def settings_as_kept(self, settings: Settings) -> Settings:
        """The settings the file has place for."""
        return settings_without_lost(settings, self.features)

    def why_not(self, address: str, member: Member, banned: Sequence[str]) -> str:
        """Only what is no address; files ban nobody."""
        del address, banned
        return "" if is_address(member.address) else NO_ADDRESS

    def close(self) -> None:
        """Nothing is open between two questions."""

    # -- files

    def _file(self, address: str) -> Path:
        """The list's file of members. Raises NotFound."""
        path = self._place(address)
        if not path.is_file():
            raise NotFound(f"{address}: {self._path} has no such list.")
        return path

    def _place(self, address: str) -> Path:
        """Where the list's file of members is, or is to be: one that somebody named in capitals, or whose settings name the list, counts."""
        wanted = same_form(address).lower()
        path = self._path / f"{disk.account_folder(wanted)}{SUFFIX}"
        if path.is_file():
            return path
        stems = {one: one.name.removesuffix(SUFFIX) for one in self._files(SUFFIX)}
        others = (
            one
            for one, stem in stems.items()
            if same_form(stem if "@" in stem else self._named(stem)).lower() == wanted
        )
        return next(others, path)

    def _setting_rows(self, path: Path) -> list[tuple[str, str]]:
        if not path.is_file():
            return []
        sheet = _parse(path, _SETTINGS)
        return [(cells.get("setting", ""), cells.get("value", "")) for _, cells in sheet.rows]

    def _sheet(self, path: Path) -> Sheet:
        return _parse(path, _named_by(self._layout))

    def _members(self, path: Path, role: Role) -> list[Member]:
        """In the file's order. Raises Misbehaved naming file and line where a row cannot be read."""
        found: list[Member] = []
        for line, cells in self._sheet(path).rows:
            try:
                found += self._layout.members(cells, role)
            except ValueError as error:
                raise Misbehaved(
                    f"{path}, line {line}: {error}.", remedy="Correct the file, then run again."
                ) from error
        return found


class FolderWriter(FolderReader):
    """A folder of lists, being filled."""

    def create_list(self, address: str, owner: str, password: SecretStr | None) -> None:
        """Two files, without anybody in them. Raises Refused if they are there."""
        del owner, password
        with self._held():
            path = self._place(address)
            if path.exists():
                raise Refused(f"{address}: {path} is there already.")
            if self._layout.has_settings:
                _write_settings(_of_settings(path), [(ADDRESS, same_form(address))])
            self._write(Sheet(path, (), (), ()), [])

    def configure(self, address: str, settings: Settings) -> None:
        """Into the second file."""
        with self._held():
            path = self._file(address)
            told = settings.told()
            if not told:
                return
            if not self._layout.has_settings:
                raise Refused(f"{address}: {self.features.title} has no place for {', '.join(told)}.")
            rows = [row for row in self._setting_rows(_of_settings(path)) if row[0] not in told]
            rows = rows if any(name == ADDRESS for name, _ in rows) else [(ADDRESS, same_form(address)), *rows]
            _write_settings(_of_settings(path), [*rows, *setting_rows(told)])

    def add(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """New rows at the end."""

        def put(rows: list[Cells]) -> list[Put]:
            places = self._places(rows)
            answers: list[Put] = []
            for member in members:
                place = places.get(self._layout.key_of(member))
                there = place is not None and any(self._layout.members(rows[place], member.role))
                if not is_address(member.address):
                    answers.append(Put(refused=NO_ADDRESS))
                elif there:
                    answers.append(Put(already=True))
                else:
                    row = self._layout.rows(rows[place] if place is not None else {}, member, address)
                    if place is not None and row is not None:
                        rows[place] = row
                    elif row is not None:
                        places[self._layout.key_of(member)] = len(rows)
                        rows.append(row)
                    answers.append(Put())
            return answers

        return self._change(address, members, put)

    def update(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Other cells in their rows."""

        def put(rows: list[Cells]) -> list[Put]:
            places = self._places(rows)
            answers: list[Put] = []
            for member in members:
                place = places.get(self._layout.key_of(member))
                if place is None or not any(self._layout.members(rows[place], member.role)):
                    answers.append(Put(refused="no such row"))
                    continue
                rows[place] = self._layout.rows(rows[place], member, address) or rows[place]
                answers.append(Put())
            return answers

        return self._change(address, members, put)

    def remove(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Their rows go, or their role in them."""
        leaving = {self._layout.key_of(member): member.role for member in members}

        def put(rows: list[Cells]) -> list[Put]:
            kept: list[Cells] = []
            for cells in rows:
                role = leaving.get(self._layout.key(cells))
                row = self._layout.without(cells, role) if role is not None else cells
                if row is not None:
                    kept.append(row)
            rows[:] = kept
            return [Put() for _ in members]

        return self._change(address, members, put)

    def _places(self, rows: Sequence[Cells]) -> dict[str, int]:
        """Where each stands; of several rows the first counts."""
        return {self._layout.key(cells): number for number, cells in reversed(list(enumerate(rows)))}

    def _change(
        self, address: str, members: Sequence[Member], put: Callable[[list[Cells]], list[Put]]
    ) -> Sequence[Put]:
        with self._held():
            sheet = self._sheet(self._file(address))
            if not members:
                return []
            rows = [dict(cells) for _, cells in sheet.rows]
            answers = put(rows)
            if rows != [cells for _, cells in sheet.rows]:
                self._write(sheet, rows)
            return answers

    @contextmanager
    def _held(self) -> Iterator[None]:
        with disk.in_our_words(f"writing in {self._path}"):
            disk.make_folder(self._path)
            with disk.locked(self._path):
                yield

    def _write(self, sheet: Sheet, rows: Sequence[Cells]) -> None:
        ours = zip(self._layout.header(self._layout.columns) or (), self._layout.columns, strict=True)
        missing = [(name, title) for name, title in ours if name not in sheet.header]
        header = (*sheet.header, *(name for name, _ in missing))
        titles = (*sheet.titles, *(title for _, title in missing))
        text = io.BytesIO()
        text.write(sheet.mark)
        for line in (*sheet.before, titles):
            text.write(table.written(line, sheet.look))
        for cells in rows:
            text.write(table.written((cells.get(name, "") for name in header), sheet.look))
        disk.replace_file(sheet.path, text.getvalue())


# -- files --------------------------------------------------------------------------------------------------------------


def _or_why_not(path: Path, find: Callable[[], Iterable[Mistake]]) -> list[Mistake]:
    """The mistakes of a file, or why it cannot be looked at: one such file hides nothing of the others."""
    try:
        return list(find())
    except MigratorError as error:
        return [Mistake(path, 0, error.sentence().removeprefix(f"reading {path}: "))]


def mistakes_of_members(path: Path, layout: Layout) -> list[Mistake]:
    """What is wrong with one file of members: all of it, in the order of its lines."""
    sheet, wrong = _look_through(path, _named_by(layout))
    if not sheet.header:
        broken = [Mistake(path, line, f"{text}.") for line, text in wrong if line]
        if broken and broken[0].line == 1:  # nobody knows what it would have named
            return broken
        return [*broken, *(Mistake(path, 1, f"{text}.") for line, text in wrong if not line)]
    mistakes = [Mistake(path, line, f"{text}.") for line, text in wrong]
    known = layout.header(layout.columns) or ()
    for name in sheet.header:
        if name not in known and (near := nearest(name, set(known) - set(sheet.header))):
            text = f"the column {name!r} is not one of ours and is passed over. Did you mean {near}?"
            mistakes.append(Mistake(path, sheet.header_line, text, odd=True))
    seen: dict[str, int] = {}
    for line, cells in sheet.rows:
        if found := list(layout.wrong(cells)):
            mistakes += [Mistake(path, line, f"{text}.") for text in found]
            continue
        first_line = seen.setdefault(layout.key(cells), line)
        if first_line != line:
            text = f"{cells[layout.needed].strip()} stands on line {first_line} already; this row is passed over."
            mistakes.append(Mistake(path, line, text, odd=True))
    return sorted(mistakes, key=lambda one: one.line)


def _mistakes_of_settings(path: Path) -> Iterator[Mistake]:
    sheet, wrong = _look_through(path, _SETTINGS)
    if not sheet.header:
        yield from (Mistake(path, line or 1, f"{text}.") for line, text in wrong)
        return
    yield from (Mistake(path, line, f"{text}.") for line, text in wrong)
    seen: dict[str, int] = {}
    for line, cells in sheet.rows:
        name, value = cells.get("setting", "").strip(), cells.get("value", "")
        if name == ADDRESS:
            continue
        if text := wrong_setting(name, value):
            yield Mistake(path, line, f"{text}.")
        elif seen.setdefault(name, line) != line and not holds_several(name):
            yield Mistake(path, seen[name], f"{name} stands on line {line} too, which counts.", odd=True)


def _of_settings(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(SUFFIX) + OF_SETTINGS)


@dataclass(frozen=True, slots=True)
class _Named:
    """How a file's columns are named: `header` answers our names for a line that names them. `needed` is what has to be among them, in words,
    `bare` the one column of a file that names none; "" if there has to be a line that does.
    """

    header: Callable[[Sequence[str]], Sequence[str] | None]
    needed: tuple[str, ...]
    bare: str = ""

    def missing(self, before: Sequence[tuple[int, tuple[str, ...]]]) -> str:
        """What is wrong with a file whose lines are these, none of which names the columns."""
        what = f"column{'s' if len(self.needed) > 1 else ''} {' and '.join(self.needed)}"
        first = next((cells for _, cells in before), ())
        if not first:
            return f"the file is empty; its first line has to name the {what}"
        near = nearest(self.needed[0], [cell.strip().lower() for cell in first])
        hint = f" (is {near} meant for it?)" if near else ""
        found = ", ".join(cell.strip() for cell in first if cell.strip())
        shown = f"{found[:FOUND]}..." if len(found) > FOUND else found
        return f"no line names the {what}, which has to be there{hint}; the first one says: {shown}"


def _named_by(layout: Layout) -> _Named:
    return _Named(layout.header, (layout.needed,), layout.needed if layout.bare else "")


def _setting_header(cells: Sequence[str]) -> Sequence[str] | None:
    names = [cell.strip().lower() for cell in cells]
    return names if set(SETTING_COLUMNS) <= set(names) else None


_SETTINGS = _Named(_setting_header, SETTING_COLUMNS)


def _write_settings(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    lines = [SETTING_COLUMNS, *rows]
    disk.replace_file(path, b"".join(table.written(line, UTF8) for line in lines))


def _parse(path: Path, named: _Named) -> Sheet:
    """A file as a sheet. Raises Misbehaved naming file and line where it cannot be read."""
    sheet, wrong = _look_through(path, named)
    if wrong:
        line, text = wrong[0]
        raise Misbehaved(
            f"{path}, line {line}: {text}." if line else f"{path}: {text}.", remedy="Correct the file, then run again."
        )
    return sheet


def _look_through(path: Path, named: _Named) -> tuple[Sheet, list[tuple[int, str]]]:
    """A file as a sheet, as far as it can be read, and what cannot be, by line."""
    wrong: list[tuple[int, str]] = []
    with disk.in_our_words(f"reading {path}"), path.open("rb") as file:
        content = file.read()
    look = table.look_of(content[: table.HEAD])
    if why := _no_table(content, look):
        return Sheet(path, (), (), ()), [(0, why)]
    before: list[tuple[int, tuple[str, ...]]] = []
    header: Sequence[str] | None = None
    titles: tuple[str, ...] = ()
    rows: list[tuple[int, Cells]] = []
    header_line = 0
    line, seen = 1, look.begins
    short = False
    last = b""
    for row in table.rows(io.BytesIO(content), look, look.begins):
        line += content.count(b"\n", seen, row.offset)  # blank lines are no rows
        seen = row.offset
        last = row.raw
        if row.broken:
            wrong.append((line, row.broken))
        elif header is None:
            header, titles = named.header(row.cells), row.cells
            if header is None:
                before.append((line, row.cells))
            else:
                header_line = line
        elif len(row.cells) > len(header) and any(row.cells[len(header) :]):
            wrong.append((line, "there are more cells than columns"))
        else:
            short = short or (bool(rows) and len(rows[-1][1]) < len(header))  # people leave empty cells out
            rows.append((line, dict(zip(header, row.cells, strict=False))))
    if header is not None and rows and not short and rows[-1][0] == line and _is_cut(last, rows[-1][1], header, look):
        held = f"{len(rows.pop()[1])} of {len(header)} cells"
        wrong.append((line, f"the file stops in the middle of this row ({held}). If it is whole, end the line"))
    if header is None and named.bare and not wrong and _are_addresses([cells for _, cells in before]):
        header = titles = (named.bare,)
        rows = [(line, {named.bare: cells[0]}) for line, cells in before]
        before = []
    if header is None:
        wrong.append((0, named.missing(before)))
    mark = content[: look.begins]
    above = tuple(cells for _, cells in before)
    return Sheet(path, tuple(header or ()), titles, tuple(rows), look, above, mark, header_line), wrong


def _is_cut(raw: bytes, cells: Cells, header: Sequence[str], look: Look) -> bool:
    """Whether a file's last row, which has no end of line, stops before its last cell, or in quotes that nobody closes."""
    if raw.endswith("\n".encode(look.charset)):
        return False
    return len(cells) < len(header) or raw.count('"'.encode(look.charset)) % 2 == 1


def _are_addresses(lines: Sequence[Sequence[str]]) -> bool:
    """Whether these are lines of one cell each, of which the first is an address."""
    alone = all(not any(cells[1:]) for cells in lines)
    return alone and bool(lines) and is_address(lines[0][0].strip())


def _no_table(content: bytes, look: Look) -> str:
    """Why this is no text that a table could be in; "" if it may be."""
    if content.startswith(WORKBOOKS):
        return "this is a spreadsheet program's own file, whatever its name says. Save it as CSV there"
    if b"\0" in content[: table.HEAD] and not look.charset.startswith("utf-16"):
        return "this is no text"
    return ""
