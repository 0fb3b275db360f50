"""A raw dump in files of this machine: exact, restorable, and proven by itself. One folder a table.

    <path>/wp_db7_forms/manifest.json          what it came from, its columns and indexes, and every file with its range, rows, CRC and SHA-256
    <path>/wp_db7_forms/20000-30000-1f3a….jsonl    the rows of one range: JSON Lines (RFC 8259), a row a line, its values in the manifest's order

A file may be packed (`.zst`), sealed (`.age`) or both (`.jsonl.zst.age`), each by itself; manifest and journal never are: they hold names of
columns, counts, sums and the keys at which ranges end.

A value is the text the server spells, or null; of BLOB, BINARY and BIT columns the bytes in hexadecimal. A table that is being filled is in
a folder whose name begins with _migrator_, with a journal of its ranges; all of it is on the disk before the folder gets its name, and proven
by its sums. Everything is 0600.

What it cannot do: put rows beside others into a dump that is there (name another path); without an identity, look into one that is sealed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from binascii import hexlify
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from io import BufferedReader
from json.encoder import encode_basestring, encode_basestring_ascii
from operator import itemgetter, lt
from pathlib import Path
from typing import Any, Literal, Self, cast

from pydantic import Field, SecretStr, field_validator, model_validator

from migrator import age
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import Misbehaved, NotFound, PlanError, Refused
from migrator.forms.choosing import chooser, is_among
from migrator.forms.contract import SHADOW, TableReader, TableWriter
from migrator.forms.described import described, shape
from migrator.forms.model import (
    EVERYTHING,
    NOTHING,
    Checksum,
    Extract,
    Family,
    Features,
    Key,
    KeyRange,
    Paging,
    Row,
    Server,
    Spelt,
    Table,
    checksum_of,
    range_of,
)
from migrator.forms.wrapping import Wrapping
from migrator.frozen import dataclass
from migrator.wire import disk

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(Service):
    """A raw dump of form entries on a disk of this machine."""

    path: Path = Field(description="the folder that holds one folder a table", json_schema_extra={"path": True})
    compress: Literal["zstd"] | None = Field(None, description="Pack what is written: zstd")
    encrypt: Literal["age"] | None = Field(None, description="Encrypt what is written: age, for `recipients`")
    recipients: tuple[str, ...] = Field(
        (), description="Public keys (age1...) of those who can read what is written with `encrypt: age`"
    )
    identity: SecretStr | str | None = Field(
        None,
        description="Name of the secret with the age identity (AGE-SECRET-KEY-1...) that opens what is encrypted; writing needs none",
        json_schema_extra={"secret": True},
    )

    @field_validator("recipients")
    @classmethod
    def _are_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(map(age.checked, value))
        except PlanError as error:
            raise ValueError(error.sentence()) from error

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if bool(self.encrypt) != bool(self.recipients):
            raise ValueError("encrypt: age and recipients belong together")
        return self

    @property
    def wrapping(self) -> Wrapping:
        """How files are written, and what opens them."""
        identity = self.identity.get_secret_value() if isinstance(self.identity, SecretStr) else self.identity
        return Wrapping(self.compress == "zstd", self.recipients, identity or "")


# -- what it can ------------------------------------------------------------------------------------------------------

FEATURES = Features(title="files", checksums=False, merges=False, chosen=True, seeks=False)
FORMAT = "migrator-forms-1"
MANIFEST, JOURNAL, SHAPE, SUFFIX = "manifest.json", "journal.jsonl", "table.json", ".jsonl"
PAGE = 1000
LONG = 64 * 1024  # letters of a text that is quoted part by part
PIECE = 250  # rows, whose bytes stay in the processor's cache while they are quoted
_PLAIN = re.compile(r"[A-Za-z0-9_$.-]{1,120}")
_OF_ROWS = re.compile(r".+-[0-9a-f]{12}\.jsonl(\.zst)?(\.age)?")
_FROM_A_COPY = "Take it from a copy of the dump, or make the dump anew in another folder."

# -- one folder -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one range, in a file of their own; `file` is "" where there are none."""

    among: KeyRange
    file: str
    sum: Checksum
    sha256: str = ""  # of the file as it lies there
    size: int = 0  # of the file
    content: int = 0  # bytes of JSON Lines in it

    def told(self) -> dict[str, object]:
        """As manifest and journal have it."""
        said = {"range": self.among.key, "file": self.file, "rows": self.sum.rows, "crc": f"{self.sum.crc:x}"}
        return {**said, "sha256": self.sha256, "bytes": self.size, "content": self.content}


def _part(told: Mapping[str, Any]) -> Part:  # Any: JSON
    total = Checksum(int(told["rows"]), int(told["crc"], 16))
    size = int(told["bytes"])
    content = int(told.get("content", size))
    return Part(range_of(told["range"]), str(told["file"]), total, str(told["sha256"]), size, content)


class Folder:
    """A table's folder, live or shadow. Raises our errors."""

    def __init__(self, path: Path, wrapping: Wrapping) -> None:
        self.path = path
        self._wrapping = wrapping
        self._parts: dict[KeyRange, Part] | None = None  # what is known of a shadow, which nobody else fills
        self._end: Key | None = None  # where its ranges end, if each begins where the one before it ends
        self.about = f"the dump in {path}"

    @property
    def is_there(self) -> bool:
        """Whether there is a dump of a table in it."""
        return (self.path / MANIFEST).exists() or (self.path / SHAPE).exists()

    @property
    def is_finished(self) -> bool:
        """Whether it has a manifest."""
        return (self.path / MANIFEST).exists()

    def table(self) -> Table:
        """The table as it was described when the dump began."""
        with self._reading():
            return described(self._json(MANIFEST)["table"] if self.is_finished else self._json(SHAPE))

    @property
    def fault(self) -> str:
        """Why its manifest tells nothing, and what to do; "" where it does."""
        try:
            self.table()
            self.parts()
        except Misbehaved as error:
            return error.sentence()
        return ""

    def server(self) -> Server:
        """Where it came from."""
        return Server(**self._json(MANIFEST)["server"]) if self.is_finished else Server("files")

    def parts(self) -> list[Part]:
        """Its files, in the order in which their ranges were first written. A line of the journal that was cut short is none."""
        if self._parts is not None:
            return list(self._parts.values())
        with self._reading():
            if self.is_finished:
                return [_part(one) for one in self._json(MANIFEST)["parts"]]
            found: dict[KeyRange, Part] = {}
            journal = self.path / JOURNAL
            for line in journal.read_bytes().splitlines() if journal.exists() else ():
                try:
                    part = _part(json.loads(line))
                except ValueError:
                    continue
                found[part.among] = part
            self._know(found)
            return list(found.values())

    def _know(self, parts: dict[KeyRange, Part]) -> None:
        self._parts, self._end = parts, _end_of(list(parts.values()))

    def beside(self, table: Table, among: KeyRange) -> list[Part]:
        """The parts of other ranges that may share rows with this one. Where ranges come in order, nothing is compared to know of none."""
        parts = self.parts()
        if among.after is not None and among.after == self._end:
            return []
        return [one for one in parts if one.among != among and _overlap(table, one.among, among)]

    def rows(self, table: Table, part: Part) -> list[Row]:
        """The rows of a part. Raises Misbehaved if the file is not the one that was written, PlanError if nothing opens it."""
        if not part.file:
            return []
        content = self._wrapping.unwrapped(self.path / part.file, self._on_disk(part), part.content)
        return read_lines(table, content)

    @property
    def opens(self) -> bool:
        """Whether all its rows can be looked at."""
        return all(self._wrapping.opens(part.file) for part in self.parts())

    def proven(self, part: Part) -> Checksum:
        """The checksum of a part whose file is the one that was written. If it is another, Misbehaved is raised; in a shadow, which can be
        filled anew, there are no rows in it.
        """
        if not part.file or self._sha256(part) == part.sha256:
            return part.sum
        if self.is_finished:
            raise self._changed(part)
        return NOTHING

    def stands(self, part: Part) -> Checksum:
        """The same for a part of a shadow, by its file's length alone: that it was written. What is in it is proven with all others, when
        the table is whole.
        """
        path = self.path / part.file
        return part.sum if not part.file or (path.exists() and path.stat().st_size == part.size) else NOTHING

    @property
    def damage(self) -> str:
        """What is missing of it, and what to do; "" where nothing is, and where it is no dump of a table."""
        if not self.is_finished:
            with self._reading():
                there = self.path.is_dir() and any(_OF_ROWS.fullmatch(one.name) for one in self.path.iterdir())
            return f"{self.path / MANIFEST} is not there, and files with rows are. {_FROM_A_COPY}" if there else ""
        if fault := self.fault:
            return fault
        gone = [one for one in self.parts() if one.file and not (self.path / one.file).exists()]
        return self._gone(gone[0], len(gone)).sentence() if gone else ""

    def _gone(self, part: Part, files: int = 1) -> Misbehaved:
        others = f", nor are {files - 1:,} others," if files > 1 else ""
        return Misbehaved(
            f"{self.path / part.file} is not there{others} and the manifest names it.", remedy=_FROM_A_COPY
        )

    def _sha256(self, part: Part) -> str:
        path = self.path / part.file
        with self._reading():
            if not path.exists():
                if self.is_finished:
                    raise self._gone(part)
                return ""
            with disk.opened(path) as file:
                return hashlib.file_digest(cast("BufferedReader", file), "sha256").hexdigest()

    def _on_disk(self, part: Part) -> bytes:
        with self._reading():
            if self.is_finished and not (self.path / part.file).exists():
                raise self._gone(part)
            content = (self.path / part.file).read_bytes()
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise self._changed(part)
        return content

    def _changed(self, part: Part) -> Misbehaved:
        return Misbehaved(
            f"{self.path / part.file} is not as it was written (its SHA-256 differs from the manifest's).",
            remedy="Take it from a copy of the dump, or make the dump anew.",
        )

    def put(self, table: Table, among: KeyRange, rows: Sequence[Row]) -> None:
        """Have these rows as those of a range, on disk when this returns; other ranges give up what lies in it."""
        with disk.in_our_words(f"writing {self.about}"):
            gone, changed = [], [self._written(table, among, rows)]
            for part in self.beside(table, among):
                rest = [row for row in self.rows(table, part) if not is_among(table, row, among)]
                if len(rest) != part.sum.rows:
                    changed.append(self._written(table, part.among, rest))
                    gone.append(part.file)
            gone += [one.file for one in self.parts() if one.among == among and one.file != changed[0].file]
            self._record(changed)
            for file in filter(None, gone):
                (self.path / file).unlink(missing_ok=True)

    def settle(self) -> None:
        """Have every file on disk."""
        for part in self.parts():
            if part.file:
                disk.sync(self.path / part.file)

    def finish(self, table: Table, server: Server, parts: Sequence[Part]) -> None:
        """Write the manifest, in order of the ranges."""
        told = {
            "format": FORMAT,
            "server": asdict(server),
            "table": shape(table),
            "rows": sum(one.sum.rows for one in parts),
            "crc": f"{sum((one.sum for one in parts), NOTHING).crc:x}",
            "parts": [one.told() for one in _in_a_chain(parts)],
        }
        disk.replace_file(self.path / MANIFEST, json.dumps(told, indent=1).encode() + b"\n")

    def _written(self, table: Table, among: KeyRange, rows: Sequence[Row]) -> Part:
        if not rows:
            return Part(among, "", NOTHING)
        said = lines(table, rows)
        content = self._wrapping.wrapped(said)
        digest = hashlib.sha256(content).hexdigest()
        file = f"{_named(among)}-{digest[:12]}{SUFFIX}{self._wrapping.suffix}"
        if self.is_finished:
            disk.replace_file(self.path / file, content)
        else:  # to wait for the disk after each range would take a third of the time; `settle` waits once
            with disk.opened(self.path / file, "wb") as opened:
                opened.write(content)
        return Part(among, file, checksum_of(rows), digest, len(content), len(said))

    def _record(self, changed: Sequence[Part]) -> None:
        if self.is_finished:
            known = {one.among: one for one in self.parts()} | {one.among: one for one in changed}
            self.finish(self.table(), self.server(), list(known.values()))
            return
        journal = self.path / JOURNAL
        if not journal.exists():
            disk.replace_file(journal, b"")
        said = b"".join(json.dumps(one.told()).encode() + b"\n" for one in changed)
        with disk.opened(journal, "r+b") as file:
            # A line that a death cut short is ended first, so that it spoils no other.
            file.write(b"\n" if file.seek(0, 2) else b"")
            file.write(said)
        known, end = {one.among: one for one in self.parts()}, self._end
        if len(changed) == 1 and end is not None and changed[0].among.after == end:
            self._parts, self._end = known | {changed[0].among: changed[0]}, changed[0].among.upto
        else:
            self._know(known | {one.among: one for one in changed})

    def _json(self, file: str) -> Any:  # Any: JSON
        with self._reading():
            return json.loads((self.path / file).read_bytes())

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with disk.in_our_words(f"reading {self.about}"):
            try:
                yield
            except (ValueError, KeyError, TypeError) as error:
                raise Misbehaved(
                    f"{self.about} has a manifest that cannot be read ({type(error).__name__}).",
                    remedy="Take it from a copy of the dump, or make the dump anew.",
                ) from error


# -- sessions ---------------------------------------------------------------------------------------------------------


class FilesReader:
    """The tables of a dump, being read."""

    def __init__(self, options: Options, login: Login) -> None:
        """Looks at nothing yet."""
        del login  # a dump has no accounts
        self.features = FEATURES
        self._path = options.path
        self._wrapping = options.wrapping

    def server(self) -> Server:
        return next((one.server() for one in self._folders()), Server("files"))

    def tables(self) -> Sequence[Table]:
        found = []
        for folder in self._folders():
            if folder.fault:
                continue
            rows = sum(one.sum.rows for one in folder.parts())
            size = sum(one.size for one in folder.parts())
            found.append(replace(folder.table(), rows=rows, bytes=size))
        return sorted(found, key=lambda table: table.name)

    def count(self, extract: Extract) -> int:
        if extract.is_whole:
            return sum(one.sum.rows for one in self._folder(extract.table).parts())
        return sum(len(page) for page in self.rows(extract, EVERYTHING))

    def ranges(self, extract: Extract, after: Key | None, rows: int) -> Iterator[KeyRange]:
        table = extract.table
        if table.paging is Paging.CONTENT:
            yield from self._by_content(extract, rows)
            return
        if (known := self._as_written(extract, after, rows)) is not None:
            yield from known
            return
        waiting = after is not None
        start, last, held = after, None, 0
        for key in self._keys(extract):
            if waiting:
                waiting = key != after
                continue
            if key == start and last is None:
                continue  # twins of the key that was asked for
            if held >= rows and key != last:
                yield KeyRange(start, last)
                start, held = last, 0
            last, held = key, held + 1
        if held:
            yield KeyRange(start, last)

    def rows(self, extract: Extract, among: KeyRange) -> Iterator[Sequence[Row]]:
        folder, table = self._folder(extract.table), extract.table
        belongs: Callable[[Row], bool] | None = None
        page: list[Row] = []
        for row in self._among(folder, table, among):
            if belongs is None and not extract.is_whole:
                belongs = chooser(extract, self._inner)
            if belongs is None or belongs(row):
                page.append(row)
                if len(page) == PAGE:
                    yield page
                    page = []
        if page:
            yield page

    def checksum(self, extract: Extract, among: KeyRange) -> Checksum:
        folder = self._folder(extract.table)
        if (
            extract.is_whole or not folder.opens
        ):  # what nobody can look into has the rows that were put there, and no others
            parts = [one for one in folder.parts() if among in {one.among, EVERYTHING}]
            if parts:  # a file of this SHA-256 is what was written, and what was written was summed
                read_back = folder.is_finished or among == EVERYTHING
                return sum((folder.proven(one) if read_back else folder.stands(one) for one in parts), NOTHING)
        return sum((checksum_of(page) for page in self.rows(extract, among)), NOTHING)

    def close(self) -> None:
        """Nothing is held open."""

    # -- files

    def damaged(self) -> Mapping[str, str]:
        found = {}
        for folder in self._paths():
            if damage := folder.damage:
                known = folder.is_finished and not folder.fault
                found[folder.table().name if known else folder.path.name] = damage
        return found

    def _folders(self) -> Iterator[Folder]:
        return (one for one in self._paths() if one.is_finished)

    def _paths(self) -> Iterator[Folder]:
        with disk.in_our_words(f"reading {self._path}"):
            there = sorted(self._path.iterdir()) if self._path.is_dir() else []
        for path in there:
            if path.is_dir() and not path.name.startswith(SHADOW):
                yield self._at(disk.inside(path, self._path))

    def _at(self, path: Path) -> Folder:
        return Folder(path, self._wrapping)

    def _of(self, name: str) -> Folder:
        return self._at(self._path / folder_name(name))

    def _folder(self, table: Table) -> Folder:
        folder = self._of(table.name)
        if not folder.is_there:
            raise NotFound(f"{self._path}: there is no dump of {table.name}.", remedy="Look at the path in the plan.")
        return folder

    def _among(self, folder: Folder, table: Table, among: KeyRange) -> Iterator[Row]:
        """The rows of a range. What lies in it is told by where its ends stand, for the order is that of the server it came from."""
        parts = folder.parts()
        if exact := [one for one in parts if one.among == among]:
            yield from folder.rows(table, exact[0])
            return
        if among == EVERYTHING or table.paging is Paging.CONTENT:
            for part in parts:
                yield from (
                    row for row in folder.rows(table, part) if among == EVERYTHING or is_among(table, row, among)
                )
            return
        inside, ending = among.after is None, False
        if not inside and (behind := _behind(parts, among.after)) is not None:
            parts, inside = behind, True
        for part in parts:
            for row in folder.rows(table, part):
                key = table.key_of(row)
                if ending and key != among.upto:
                    return
                if inside and key != among.after:
                    yield row
                inside = inside or key == among.after
                ending = ending or key == among.upto

    def _as_written(self, extract: Extract, after: Key | None, rows: int) -> list[KeyRange] | None:
        """The ranges in which the dump was written, where they are about as large as wanted: each is a file, and nothing has to be read to
        know them. None where they are not.
        """
        if not extract.is_whole:
            return None
        parts = self._folder(extract.table).parts()
        chain = _in_a_chain(parts)
        starts = [one.among.after for one in chain]
        if after not in starts:
            return None
        rest = chain[starts.index(after) :]
        fits = all(
            one.among.parts == 1 and one.among.upto is not None and 0 < one.sum.rows <= 2 * rows for one in chain
        )
        return [one.among for one in rest] if fits and rest[-1].among.upto == chain[-1].among.upto else None

    def _keys(self, extract: Extract) -> Iterator[Key]:
        for page in self.rows(extract, EVERYTHING):
            for row in page:
                yield extract.table.key_of(row)

    def _by_content(self, extract: Extract, rows: int) -> Iterator[KeyRange]:
        parts = max(1, -(-self.count(extract) // rows)) if self.count(extract) else 0
        yield from (KeyRange(part=part, parts=parts) for part in range(parts))

    def _inner(self, extract: Extract) -> Sequence[tuple[Table, Row]]:
        table = self._folder(extract.table).table()
        return [(table, row) for page in self.rows(replace(extract, table=table), EVERYTHING) for row in page]


class FilesWriter(FilesReader):
    """The tables of a dump, being filled."""

    def __init__(self, options: Options, login: Login) -> None:
        super().__init__(options, login)
        self._from = Server("files")
        self._shadows: dict[str, Folder] = {}

    def comes_from(self, source: Server) -> None:
        """What the manifests will say of where the rows came from."""
        self._from = source

    def as_kept(self, table: Table, rows: Sequence[Row]) -> Sequence[Row]:
        del table
        return rows

    def shadow(self, table: Table) -> Table:
        shadow = replace(table, name=SHADOW + table.name, rows=None, bytes=None)
        folder = self._of(shadow.name)
        with disk.in_our_words(f"writing {folder.about}"):
            # A swap that was cut short has given it the table's own name already.
            if folder.is_there and replace(folder.table(), name=shadow.name) != shadow:
                self._shadows.pop(shadow.name, None)
                shutil.rmtree(folder.path)
            if not folder.is_there:
                disk.make_folder(folder.path)
                disk.replace_file(folder.path / SHAPE, json.dumps(shape(shadow), indent=1).encode())
        return shadow

    def load(self, extract: Extract, among: KeyRange, rows: Sequence[Row], instead_of: Checksum | None) -> None:
        table = extract.table
        folder = self._folder(table)
        if instead_of is not None and self.checksum(extract, among) != instead_of:
            raise Refused(
                f"{table.name}, {among.label}: the dump's rows are not those that were put there.",
                remedy="Somebody has changed the dump. Make it anew in another folder.",
            )
        if table.paging is Paging.KEY:
            rest = () if instead_of == NOTHING else self._keys_beside(folder, table, among)
            if not _each_once(table, rows, rest, among):
                raise Refused(f"{table.name}, {among.label}: two rows have one key, or one has another range's.")
        folder.put(table, among, rows)

    @staticmethod
    def _keys_beside(folder: Folder, table: Table, among: KeyRange) -> Sequence[Key]:
        """The keys of rows outside a range that could be those of rows in it: none where the ranges follow each other."""
        return [
            table.key_of(row)
            for one in folder.beside(table, among)
            for row in folder.rows(table, one)
            if not is_among(table, row, among)
        ]

    def swap(self, table: Table) -> None:
        self._shadows.pop(SHADOW + table.name, None)
        live, shadow = (self._of(word) for word in (table.name, SHADOW + table.name))
        if not shadow.is_there:
            if not live.is_there:
                raise NotFound(
                    f"{self._path}: there is nothing to put in the place of {table.name}.", remedy="Run again."
                )
            return
        rows = sum(one.sum.rows for one in live.parts()) if live.is_there else 0
        if rows:
            raise Refused(
                f"{table.name}: the dump in {live.path} has {rows:,} rows.", remedy="Name another folder in the plan."
            )
        if damage := "" if live.is_there else live.damage:
            raise Refused(f"{table.name}: {damage}")
        with disk.in_our_words(f"writing {live.about}"):
            parts = shadow.parts()
            kept = {one.file for one in parts} | {MANIFEST}
            shadow.settle()
            shadow.finish(replace(shadow.table(), name=table.name), self._from, parts)
            for path in shadow.path.iterdir():
                if path.name not in kept:
                    path.unlink()
            if live.path.exists():
                shutil.rmtree(live.path)
            shadow.path.rename(live.path)
            disk.sync(self._path)

    def _folder(self, table: Table) -> Folder:
        if not table.name.startswith(SHADOW):
            return super()._folder(table)
        if table.name not in self._shadows or not self._shadows[table.name].is_there:
            self._shadows[table.name] = super()._folder(table)
        return self._shadows[table.name]

    def discard(self, table: Table) -> None:
        self._shadows.pop(SHADOW + table.name, None)
        folder = self._of(SHADOW + table.name)
        if folder.path.is_dir():
            with disk.in_our_words(f"removing {folder.about}"):
                shutil.rmtree(folder.path)


# -- what is written --------------------------------------------------------------------------------------------------


def lines(table: Table, rows: Sequence[Row]) -> bytes:
    """Rows as JSON Lines."""
    if isinstance(rows, Spelt):
        return b"".join([_quoted_at_once(some) or _quoted(table, some) for some in rows.pieces(PIECE)])
    # As text, a letter takes four bytes where one of the others is an emoji: so much of a whole range is never there at once.
    return b"".join([_quoted(table, rows[start : start + PIECE]) for start in range(0, len(rows), PIECE)])


def _quoted(table: Table, rows: Sequence[Row]) -> bytes:
    places = [place for place, column in enumerate(table.columns) if column.family.is_bytes]
    told: Iterator[Sequence[Any]] = iter(rows)  # Any: text, or None
    if places:
        told = (_in_hex(row, places) for row in rows)
    kept = list(told)
    if any(one is not None and len(one) > LONG for row in kept for one in row):
        return b"".join([part for row in kept for part in _quoted_in_parts(row)])
    try:
        return _as_json(kept, encode_basestring).encode()
    except UnicodeEncodeError:  # lone surrogates, which UTF-8 has no bytes for, are escaped
        return _as_json(kept, encode_basestring_ascii).encode()


def _as_json(rows: Sequence[Sequence[Any]], quoted: Callable[[str], str]) -> str:  # Any: text, or None
    """A row a line; to quote text by text is a third faster than to have the row encoded."""
    return "".join(["[" + ",".join(["null" if one is None else quoted(one) for one in row]) + "]\n" for row in rows])


def _quoted_in_parts(row: Sequence[Any]) -> list[bytes]:
    """The same of one row, without a second copy of its long texts."""
    try:
        return [*_parts_of(row, encode_basestring)]
    except UnicodeEncodeError:
        return [*_parts_of(row, encode_basestring_ascii)]


def _parts_of(row: Sequence[Any], quoted: Callable[[str], str]) -> Iterator[bytes]:
    for place, one in enumerate(row):
        yield b"," if place else b"["
        if one is None:
            yield b"null"
            continue
        yield b'"'
        for start in range(0, len(one), LONG):
            yield quoted(one[start : start + LONG])[1:-1].encode()
        yield b'"'
    yield b"]\n"


# Between values, behind a row, and for NULL, until everything else is quoted: what ASCII has them for.
_UNIT, _RECORD, _NULL = b"\x1f", b"\x1e", b"\x1d"
_ESCAPES = ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\t", b"\\t"))
_TEXT = bytes(range(0x20, 0x100)) + b"\n\r\t"


def _quoted_at_once(rows: Spelt) -> bytes | None:
    """The same for all rows in one go, which takes half the time of going from text to text. None where a text holds another control
    character, or a lone surrogate.
    """
    columns = [
        _hex(column) if is_bytes else column for column, is_bytes in zip(rows.columns, rows.is_bytes, strict=True)
    ]
    nulls = sum(column.count(None) for column in columns)
    if nulls:
        columns = [[_NULL if one is None else one for one in column] for column in columns]
    said = _RECORD.join(map(_UNIT.join, zip(*cast("Sequence[Sequence[bytes]]", columns), strict=True)))
    marks = said.translate(None, _TEXT)
    if marks.count(_NULL) != nulls or marks.replace(_NULL, b"") + _RECORD != (
        _UNIT * (len(columns) - 1) + _RECORD
    ) * len(rows):
        return None
    for character, escape in _ESCAPES:
        said = said.replace(character, escape)
    said = b'["' + said.replace(_UNIT, b'","').replace(_RECORD, b'"]\n["') + b'"]\n'
    if nulls:
        said = said.replace(b'"' + _NULL + b'"', b"null")
    try:
        said.decode()
    except UnicodeDecodeError:
        return None
    return said


def _hex(column: Sequence[bytes | None]) -> list[bytes | None]:
    return [None if one is None else hexlify(one) for one in column]


def _in_hex(row: Row, places: Sequence[int]) -> list[str | None]:
    said: list[Any] = list(row)  # Any: bytes before, text behind
    for place in places:
        if isinstance(said[place], bytes):
            said[place] = said[place].hex()
    return said


def read_lines(table: Table, content: bytes) -> list[Row]:
    """What `lines` wrote. Raises Misbehaved."""
    places = [place for place, column in enumerate(table.columns) if column.family.is_bytes]
    rows: list[Row] = []
    try:
        for line in content.split(b"\n")[:-1]:
            row = json.loads(line)
            for place in places:
                if row[place] is not None:
                    row[place] = bytes.fromhex(row[place])
            rows.append(tuple(row))
    except (ValueError, TypeError, IndexError) as error:
        raise Misbehaved(
            f"the dump of {table.name} has a line that is no row of it.", remedy="Make the dump anew."
        ) from error
    if any(len(row) != len(table.columns) for row in rows):
        raise Misbehaved(f"the dump of {table.name} has a row of other columns.", remedy="Make the dump anew.")
    return rows


def folder_name(table: str) -> str:
    """The name of a table's folder: the table's where that is harmless, else a readable remainder and a digest."""
    if _PLAIN.fullmatch(table) and set(table) != {"."} and not disk.is_device(table):
        return table
    remainder = re.sub(r"[^A-Za-z0-9_$-]+", "-", table).strip("-")[:60]
    return f"{remainder}--{hashlib.sha256(table.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _named(among: KeyRange) -> str:
    """A name for the file of a range, for people; that it is unique is the digest's business."""
    if among.parts > 1:
        return f"part-{among.part + 1}-of-{among.parts}"
    ends = ["-".join(map(str, end)) if end else word for end, word in ((among.after, "begin"), (among.upto, "end"))]
    readable = "-".join(re.sub(r"[^A-Za-z0-9.]+", "", end)[:24] or "x" for end in ends)
    return f"{readable}-{hashlib.sha256(among.key.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _overlap(table: Table, one: KeyRange, other: KeyRange) -> bool:
    """Whether two ranges may share rows. Those of text keys follow each other in an order only their server knows, so only an open one
    is asked.
    """
    if EVERYTHING in {one, other} or one.parts != other.parts:
        return True
    if one.parts > 1:
        return one.part == other.part
    if any(table.column(name).family in {Family.TEXT, Family.BINARY} for name in table.page_by):
        return False
    lower, upper = (
        ((one, other) if one.after is None else (other, one))
        if None in {one.after, other.after}
        else _by_start(table, one, other)
    )
    if lower.upto is None or upper.after is None:
        return True
    return is_among(table, _as_row(table, lower.upto), KeyRange(upper.after))


def _keys_of(table: Table, rows: Sequence[Row]) -> list[Key]:
    """The keys of rows; those of a unique key are never NULL."""
    if isinstance(rows, Spelt):
        return list(zip(*[rows.values(table.place(name)) for name in table.page_by], strict=True))
    pick = itemgetter(*[table.place(name) for name in table.page_by])
    return [pick(row) for row in rows] if len(table.page_by) > 1 else [(pick(row),) for row in rows]


def _each_once(table: Table, rows: Sequence[Row], rest: Sequence[Key], among: KeyRange) -> bool:
    """Whether no two rows have one key, nor one of the `rest`, and all lie in their range."""
    if not rest and _ascend_in(table, rows, among):
        return True
    keys = _keys_of(table, rows)
    return len({*rest, *keys}) == len(rest) + len(keys) and _lie_in(table, keys, among)


def _ascend_in(table: Table, rows: Sequence[Row], among: KeyRange) -> bool:
    """Whether it is seen at once that all keys lie in a range and each but once: numbers of a server, in their order."""
    if not isinstance(rows, Spelt) or [table.column(name).family for name in table.page_by] != [Family.INTEGER]:
        return False
    numbers = [int(one or b"0") for one in rows.columns[table.place(table.page_by[0])]]
    low = among.after is None or numbers[0] > int(among.after[0])
    return low and (among.upto is None or numbers[-1] <= int(among.upto[0])) and all(map(lt, numbers, numbers[1:]))


def _lie_in(table: Table, keys: Sequence[Key], among: KeyRange) -> bool:
    """Whether keys lie in a range, as far as that can be told cheaply: those of one number."""
    if not keys or among == EVERYTHING or [table.column(name).family for name in table.page_by] != [Family.INTEGER]:
        return True
    numbers = [int(key[0]) for key in keys]
    low = among.after is None or min(numbers) > int(among.after[0])
    return low and (among.upto is None or max(numbers) <= int(among.upto[0]))


def _by_start(table: Table, one: KeyRange, other: KeyRange) -> tuple[KeyRange, KeyRange]:
    assert one.after is not None
    return (other, one) if is_among(table, _as_row(table, one.after), KeyRange(other.after)) else (one, other)


def _as_row(table: Table, key: Key) -> Row:
    """A row of nothing but its key."""
    values = dict(zip((table.place(name) for name in table.page_by), key, strict=True))
    return tuple(values.get(place) for place in range(len(table.columns)))


def _in_a_chain(parts: Sequence[Part]) -> list[Part]:
    """Parts in the order in which their ranges follow each other; what hangs on none comes last."""
    by_start = {one.among.after: one for one in parts if one.among.parts == 1}
    chain: list[Part] = []
    at = by_start.pop(None, None)
    while at is not None:
        chain.append(at)
        at = by_start.pop(at.among.upto, None) if at.among.upto is not None else None
    known = {one.among for one in chain}
    return [*chain, *(one for one in parts if one.among not in known)]


def _behind(parts: Sequence[Part], after: Key | None) -> list[Part] | None:
    """The parts that follow a key at which one of them ends; None where none does, or not all hang together."""
    chain = _in_a_chain(parts)
    ends = [one.among.upto for one in chain]
    together = all(one.among.after == end for one, end in zip(chain[1:], ends, strict=False))
    return chain[ends.index(after) + 1 :] if together and after in ends else None


def _end_of(parts: Sequence[Part]) -> Key | None:
    """Where parts end that follow each other from the beginning on, every one of them; None where they do not, or have no end."""
    at, starts = None, {one.among.after: one.among.upto for one in parts if one.among.parts == 1}
    if len(starts) != len(parts):
        return None
    for _ in parts:
        if at not in starts:
            return None
        at = starts.pop(at)
    return at


def _read(options: Options, login: Login) -> TableReader:
    return FilesReader(options, login)


def _fill(options: Options, login: Login) -> TableWriter:
    return FilesWriter(options, login)


ADAPTER: Adapter[TableReader, TableWriter] = Adapter(
    word="files",
    title="Raw dump in files",
    options=Options,
    reader=_read,
    writer=_fill,
)
