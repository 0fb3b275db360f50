"""Entries on sheets, one for each form: labels as headings, choices joined, and no cell that a spreadsheet would run as a formula.

What surprises: which columns a sheet has is known only when its last entry is. So entries wait in a file of JSON lines, and memory holds the
columns alone.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from pathlib import Path
from typing import IO, Final, Literal, TypeAlias

from migrator.forms import parquet
from migrator.forms.answers import Answer, told
from migrator.forms.fields import Field
from migrator.forms.flat import HEADER, Entry
from migrator.forms.php import Plain
from migrator.frozen import dataclass
from migrator.wire import disk, table

JOINT: Final = " | "
NO_FORM: Final = "all entries"  # names with blanks are never made of a form's
FILES: Final = "files not in the database.csv"
DRAFT, FRESH = ".entries", ".new"  # end the names of files that are not whole
LONGEST_TITLE: Final = 40  # characters of a form's title in a file's name
_NO_WORDS: Final = re.compile(r"[^\w .,-]+")
FILES_HEADER: Final = ("form", "entry_id", "file")
# What these columns are called for people; where nothing is said, by their names.
TITLES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {},
    "es": {
        "site": "sitio",
        "form_id": "número de formulario",
        "form_title": "formulario",
        "entry_id": "número de entrada",
        "submitted_at": "enviado (UTC)",
        "submitted_local": "enviado (hora del sitio)",
        "status": "estado",
        "ip": "IP",
        "user_agent": "navegador",
        "source_url": "página",
        "user_id": "número de usuario",
        "form": "formulario",
        "file": "archivo",
    },
}
AT_ONCE: Final = 256 * 1024  # bytes of entries of one form that are held before they are written

PLAIN: Final = table.Look()
SEPARATORS: Final = {"comma": ",", "semicolon": ";", "tab": "\t"}

Format: TypeAlias = Literal["csv", "parquet"]
Place = tuple[str, ...]  # a column: the field's key, and the way inside its value


@dataclass(slots=True)
class Columns:
    """The columns of a form's sheet, as its entries show them. Names of the header and their titles are never given to a field."""

    fields: Sequence[Field] = ()
    header: Sequence[str] = HEADER
    titles: Mapping[str, str] = field(default_factory=dict)
    _labels: dict[str, str] = field(default_factory=dict)
    _places: dict[Place, None] = field(default_factory=dict)
    _joined: set[Place] = field(default_factory=set)

    def cells(self, answers: Iterable[Answer]) -> dict[Place, str]:
        """The cells of an entry, by column; its columns are learnt."""
        found: dict[Place, str] = {}
        for one in answers:
            self._labels.setdefault(one.key, one.label.strip())
            for way, value in _spread(one.value):
                place = (one.key, *way)
                self._places.setdefault(place)
                text = told(value)
                found[place] = f"{found[place]}{JOINT}{text}" if place in found else text
                if isinstance(value, list):
                    self._joined.add(place)
        return found

    def headings(self) -> Mapping[Place, str]:
        """What each column is called, in the order of the sheet: the form's fields first. A label that two fields share, or that is a name
        of the header, is followed by the field's key.
        """
        taken = {*self.header, *self.title_row()}
        order = {one.key: number for number, one in enumerate(self.fields)}
        places = sorted(self._places, key=lambda place: order.get(place[0], len(order)))
        labels = {one.key: one.label for one in self.fields} | {
            key: label for key, label in self._labels.items() if label
        }
        shown = {key: labels.get(key) or key for key in {place[0] for place in places}}
        often = Counter(shown.values())
        headings: dict[Place, str] = {}
        for place in places:
            label = shown[place[0]]
            if (often[label] > 1 or label in taken) and label != place[0]:
                label = f"{label} ({place[0]})"
            headings[place] = _free(".".join((label, *place[1:])), {*taken, *headings.values()})
        return headings

    def title_row(self) -> Sequence[str]:
        """What the columns before the answers are called for people."""
        return [self.titles.get(name, name) for name in self.header]

    def joined(self) -> Sequence[str]:
        """The columns in which several choices were joined."""
        return [heading for place, heading in self.headings().items() if place in self._joined]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that was written: of which form, where, how many entries, which columns hold joined choices, how many files its entries
    name, and which sheets lie beside it that were its own under an earlier title.
    """

    form: str
    title: str
    path: Path
    entries: int
    joined: tuple[str, ...] = ()
    files: int = 0
    earlier: tuple[str, ...] = ()


def write(
    entries: Iterable[Entry],
    folder: Path,
    fields: Callable[[str], Sequence[Field]] = lambda _: (),
    *,
    guard: bool = True,
    formats: Sequence[Format] = ("csv",),
    header: Sequence[str] = HEADER,
    titles: Mapping[str, str] = TITLES["en"],
    look: table.Look = PLAIN,
) -> Iterator[Sheet]:
    """Write entries to files of these formats below `folder`, one for each form, in place of those of the same names; each is whole or not there, for its
    owner only; CSV is in UTF-8 with a byte order mark. Files that entries name, which no database holds, are listed in FILES beside them.
    `fields` gives the fields of a form; it is asked when all entries are drawn. With `guard`, cells of CSV that begin like a formula get an
    apostrophe (`table.unguarded` takes it away). `header` are the columns before the answers, some of HEADER,
    which `titles` may call otherwise in CSV; `look` is how CSV is written.
    """
    with _writing(folder):
        disk.make_folder(folder)
        for draft in [*folder.glob(f"*{DRAFT}"), *folder.glob(f"*{FRESH}")]:
            draft.unlink()  # of a run that died: what people wrote does not lie about
    waiting: dict[str, _Waiting] = {}
    files = _Lines(folder / f"{FILES}{FRESH}")
    try:
        for one in entries:
            if one.form not in waiting:
                path = folder / f"{disk.account_folder(one.form) if one.form else NO_FORM}.csv"
                waiting[one.form] = _Waiting(
                    path, _Lines(path.with_name(f"{path.name}{DRAFT}")), Columns(header=header, titles=titles)
                )
            waiting[one.form].take(one)
            for name in one.files:
                row = (one.header["form_title"] or one.form, one.header["entry_id"], name)
                first = [titles.get(name, name) for name in FILES_HEADER]
                files.add(table.written(row, look, guard=guard), table.BOM + table.written(first, look))
        for form, held in waiting.items():
            yield held.written(form, fields(form), formats, look, guard=guard)
        files.become(folder / FILES)
    finally:
        for lines in (files, *(held.lines for held in waiting.values())):
            lines.path.unlink(missing_ok=True)


@dataclass(slots=True)
class _Lines:
    """Lines on their way into a file, some of them held; for its owner only."""

    path: Path
    _held: list[bytes] = field(default_factory=list)
    _bytes: int = 0
    _begun: bool = False

    def add(self, line: bytes, first: bytes = b"") -> None:
        """One more; `first` goes before the very first one."""
        if not self._begun and not self._held:
            self._held.append(first)
        self._held.append(line)
        self._bytes += len(line)
        if self._bytes > AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Have everything in the file."""
        with _writing(self.path.parent), disk.opened(self.path, "r+b" if self._begun else "wb") as file:
            file.seek(0, os.SEEK_END)
            file.write(b"".join(self._held))
        self._begun = True
        self._held.clear()
        self._bytes = 0

    def become(self, path: Path) -> None:
        """Be this file, in place of the one there; without lines there is none."""
        if self._begun or self._held:
            self.flush()
            self.path.replace(path)
        else:
            path.unlink(missing_ok=True)


@dataclass(slots=True)
class _Waiting:
    """The entries of one form, in a file until all are there."""

    path: Path
    lines: _Lines
    columns: Columns = field(default_factory=Columns)
    entries: int = 0
    files: int = 0
    title: str = ""

    def take(self, entry: Entry) -> None:
        cells = list(self.columns.cells(entry.answers).items())
        self.lines.add(json.dumps([[entry.header[name] for name in self.columns.header], cells]).encode() + b"\n")
        self.title = self.title or entry.header["form_title"]
        self.entries += 1
        self.files += len(entry.files)

    def written(
        self, form: str, fields: Sequence[Field], formats: Sequence[Format], look: table.Look, *, guard: bool
    ) -> Sheet:
        self.lines.flush()
        own, self.path = self.path, self.path.with_name(f"{named(form, self.title)}.csv")
        self.columns.fields = fields
        headings = self.columns.headings()
        with _writing(self.path.parent):
            self._write(formats, headings, look, guard=guard)
            earlier = _earlier(own, self.path)
        path = self.path.with_suffix(f".{formats[0]}")
        return Sheet(form, self.title, path, self.entries, tuple(self.columns.joined()), self.files, earlier)

    def _write(
        self, formats: Sequence[Format], headings: Mapping[Place, str], look: table.Look, *, guard: bool
    ) -> None:
        for wanted in formats:
            path = self.path.with_suffix(f".{wanted}")
            fresh = path.with_name(f"{path.name}{FRESH}")
            with disk.opened(fresh, "wb") as file:
                if wanted == "csv":
                    self._write_csv(file, headings, look, guard=guard)
                else:
                    self._write_parquet(file, headings)
            fresh.replace(path)

    def _write_csv(self, file: IO[bytes], headings: Mapping[Place, str], look: table.Look, *, guard: bool) -> None:
        file.write(table.BOM + table.written([*self.columns.title_row(), *headings.values()], look, guard=guard))
        for row in self._rows(headings):
            file.write(table.written(row, look, guard=guard))

    def _write_parquet(self, file: IO[bytes], headings: Mapping[Place, str]) -> None:
        made = parquet.ParquetSheet(file, [*self.columns.header, *headings.values()])
        for row in self._rows(headings):
            made.add(row)
        made.close()

    def _rows(self, headings: Mapping[Place, str]) -> Iterator[Sequence[str]]:
        with disk.opened(self.lines.path) as entries:
            for line in entries:
                header, cells = json.loads(line)
                by_place = {tuple(place): text for place, text in cells}
                yield [*header, *(by_place.get(place, "") for place in headings)]


def named(form: str, title: str) -> str:
    """What a form's sheet is called: by its title, and by what tells it from others of that title."""
    if not form:
        return NO_FORM
    own = disk.account_folder(form)
    words = " ".join(_NO_WORDS.sub(" ", unicodedata.normalize("NFC", title)).split())[:LONGEST_TITLE].strip(" .-")
    return own if not words or words.casefold() == form.casefold() else f"{words} ({own})"


def _earlier(own: Path, path: Path) -> tuple[str, ...]:
    """Sheets that seem to be of the same form, from when it had another title. They stay: perhaps somebody put them there."""
    there = (one for one in own.parent.iterdir() if one.suffix in {".csv", ".parquet"} and one.stem != path.stem)
    return tuple(sorted(one.name for one in there if one.stem == own.stem or one.stem.endswith(f" ({own.stem})")))


def _writing(folder: Path) -> AbstractContextManager[None]:
    return disk.in_our_words(f"writing sheets in {folder}")


def _spread(value: Plain) -> Iterator[tuple[Place, Plain]]:
    """A value's parts that get a column each, and the way to them: parts by name, repeated parts by number; choices stay together."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            for way, part in _spread(one):
                yield (name, *way), part
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for number, one in enumerate(value, 1):
            for way, part in _spread(one):
                yield (str(number), *way), part
    else:
        yield (), value


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number if it is taken."""
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
