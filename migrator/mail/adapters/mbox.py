"""mbox files: one file a folder, one tree for each account below a folder; or one single file as one account's INBOX.

    <path>/alice@example.com/INBOX.mbox
    <path>/alice@example.com/Clients/2024.mbox      the folder Clients/2024, each part in modified UTF-7
    <path>/alice@example.com/Clients/2024.mbox.index

Formats: RFC 4155 and https://www.loc.gov/preservation/digital/formats/fdd/fdd000385.shtml (mboxrd, which is what is written).

A file of another program is read like this: a message begins at a line `From ` with a time and a year in it, at the start of
the file or after a blank line; Content-Length is not believed; one `>` goes from every line `>From `, `>>From `...; a message
without any CR gets its LF made CRLF, as mail has it. Flags come from Status, X-Status, X-Keywords and X-Mozilla-Status, which
stay in the message as they are; the date is that of the From line, in UTC where it names no zone. A message's uid is its place
in the file and UIDVALIDITY a digest of all From lines: when mail arrives or goes, the numbering is declared new.

A file written here has a `.index` beside it: uids, places, dates, flags and the exact bytes, one JSON line a message, only ever
appended to. Messages come back byte for byte as they were put in. The index says before a batch where it will start, so what a
crash leaves behind that place is ours and is cut away at the next opening for writing; what anybody else appended gets uids.
An index that does not fit its file any more is not used.

Cannot do: folders inside names that end in `.mbox` or `.index`, change counters. Links are not followed.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
import time
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import field
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import IO, Literal

from pydantic import Field

from migrator.engine.contract import Adapter, Contents, Login, Service, Side
from migrator.errors import Misbehaved, NotFound
from migrator.frozen import dataclass
from migrator.mail.contract import MailReader, MailWriter
from migrator.mail.flags import to_send
from migrator.mail.headers import fields, header_block, message_id
from migrator.mail.model import CHUNK, MB, Added, Content, Features, Folder, Header, Message, Namespace, Opened
from migrator.wire import disk


class MboxOptions(Service):
    """mbox files on a disk of this machine."""

    type: Literal["mbox"] = Field(default="mbox", description="mbox files on a disk of this machine")
    path: Path = Field(
        description="the folder that holds one folder of .mbox files for each account, named by its address; or one .mbox file",
        json_schema_extra={"path": True, "one_file": [".mbox"]},
    )


SEPARATOR = "/"
INBOX = "INBOX"
SUFFIX = ".mbox"
INDEX_SUFFIX = ".index"
NO_SUFFIX = "its name does not end in .mbox, so it is not read"
ADD_SUFFIX = "Add .mbox to its name, or take it out of this folder."
SUBSCRIPTIONS = "subscriptions.index"
IN_MEMORY = 1 * MB  # a larger message is handed out in a temporary file
LONGEST_FROM_LINE = 1024
UNKNOWN = -1  # a size that takes reading the message
NO_DATE = -(1 << 62)  # no honest number of seconds
SYSTEM_FLAGS = frozenset({"\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"})

STATUS_LETTERS = {"R": "\\Seen"}
X_STATUS_LETTERS = {"A": "\\Answered", "D": "\\Deleted", "F": "\\Flagged", "T": "\\Draft"}
MOZILLA_BITS = {0x0001: "\\Seen", 0x0002: "\\Answered", 0x0004: "\\Flagged", 0x0008: "\\Deleted", 0x1000: "$Forwarded"}
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DATED = re.compile(rb"\d:\d\d.*\b\d{4}\b")
_ASCTIME = re.compile(
    rb"\b([A-Z][a-z]{2}) +(\d{1,2}) +(\d{1,2}):(\d\d)(?::(\d\d))?(?: +([+-]\d{4}))?(?: +[A-Z]{1,5})? +(\d{4})(?: +([+-]\d{4}))?"
)
_QUOTABLE = re.compile(rb"\n(?=>*From )")
_QUOTED = re.compile(rb"\n>(?=>*From )")
_BEGINS_QUOTABLE = re.compile(rb"\n>*(?:F(?:r(?:om?)?)?)?\Z")


# -- what a file holds ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Contents:
    """The messages of one file, column by column, ascending by uid. Dates are seconds since 1970."""

    uidvalidity: int = 0
    uidnext: int = 1
    end: int = 0  # offset behind the last message that counts
    uids: array[int] = field(default_factory=lambda: array("I"))
    starts: array[int] = field(default_factory=lambda: array("Q"))  # of the message, behind its From line
    lengths: array[int] = field(default_factory=lambda: array("Q"))  # as it stands in the file
    sizes: array[int] = field(default_factory=lambda: array("q"))  # as it is handed out
    dates: array[int] = field(default_factory=lambda: array("q"))
    exact: bytearray = field(default_factory=bytearray)  # 1: put in by us, comes out byte for byte
    flags: list[frozenset[str]] = field(default_factory=list)

    def place(self, uid: int) -> int | None:
        place = bisect_left(self.uids, uid)
        return place if place < len(self.uids) and self.uids[place] == uid else None

    def append(self, entry: _Entry) -> None:
        self.uids.append(entry.uid)
        self.starts.append(entry.start)
        self.lengths.append(entry.length)
        self.sizes.append(entry.size)
        self.dates.append(entry.date)
        self.exact.append(entry.exact)
        self.flags.append(frozenset(entry.flags))
        self.uidnext = max(self.uidnext, entry.uid + 1)
        self.end = entry.end


@dataclass(frozen=True, slots=True)
class _Entry:
    """One message as the index has it. `end` is the offset behind the blank line that follows it."""

    uid: int
    start: int
    length: int
    end: int
    size: int
    date: int
    exact: int
    flags: tuple[str, ...]

    def line(self) -> bytes:
        facts = (self.uid, self.start, self.length, self.end, self.size, self.date, self.exact, sorted(self.flags))
        return _line(message=facts)

    @classmethod
    def read(cls, facts: Sequence[object]) -> _Entry:
        """Raises ValueError or TypeError for what `line` has not written."""
        *numbers, flags = facts
        uid, start, length, end, size, date, exact = (_number(number) for number in numbers)
        if not isinstance(flags, list) or not 0 < uid < 1 << 32 or min(start, length, end) < 0:
            raise ValueError("not a message of an index")
        return cls(uid, start, length, end, size, date, exact & 1, tuple(map(str, flags)))


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("not a number")
    return value


def _line(**facts: object) -> bytes:
    return json.dumps(facts, separators=(",", ":")).encode() + b"\n"


@dataclass(slots=True)
class _Index:
    """What a `.index` tells. `under_way`: a batch was begun and its end was never written."""

    contents: _Contents
    under_way: bool = False
    whole: bool = True  # no torn line at its end
    messages: int = 0  # how many it knows; behind them are those the file alone told


def _read_index(path: Path) -> _Index | None:
    """The index at `path`; None if there is none or it is not one of ours."""
    index = _Index(_Contents())
    try:
        with disk.opened(path) as file:
            for line in file:
                index.whole = line.endswith(b"\n")
                if index.whole:  # a line torn by a crash was never relied on
                    _take(json.loads(line), index)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    index.messages = len(index.contents.uids)
    return index if index.contents.uidvalidity else None


def _take(facts: Mapping[str, object], index: _Index) -> None:
    """Follow one line of an index."""
    contents = index.contents
    match facts:
        case {"message": list(entry)}:
            contents.append(_Entry.read(entry))
        case {"uid": int(uid), "flags": list(flags)}:
            if (place := contents.place(uid)) is not None:
                contents.flags[place] = frozenset(map(str, flags))
        case {"appending": int()}:
            index.under_way = True
        case {"ended": int()}:
            index.under_way = False
        case {"uidvalidity": int(uidvalidity)}:
            contents.uidvalidity = uidvalidity
        case _:
            raise ValueError("not a line of an index")


def _fits(contents: _Contents, file: IO[bytes]) -> bool:
    """Whether an index still describes its file, judged by its end and its last message."""
    if contents.end > file.seek(0, os.SEEK_END):
        return False
    if not contents.uids:
        return True
    start = contents.starts[-1]
    before = _bytes_at(file, max(start - LONGEST_FROM_LINE, 0), min(start, LONGEST_FROM_LINE))
    line_start = before.rfind(b"\n", 0, -1) + 1
    return before.endswith(b"\n") and before.startswith(b"From ", line_start)


def _contents(path: Path) -> tuple[_Contents, _Index | None]:
    """All messages of a file, and the index they were taken from; what the index does not know is read from the file."""
    with disk.opened(path) as file:
        index = _read_index(_index_path(path))
        if index and not _fits(index.contents, file):
            index = None
        contents = index.contents if index else _Contents()
        if index is None or not index.under_way:
            digest = 0
            for entry, from_line in _scanned(file, contents.end, contents.uidnext, path):
                digest = zlib.crc32(from_line, digest)
                contents.append(entry)
            if index is None:
                contents.uidvalidity = digest & 0x7FFFFFFF or 1
        return contents, index


def _index_path(path: Path) -> Path:
    return path.with_name(path.name + INDEX_SUFFIX)


# -- reading files of other programs ----------------------------------------------------------------------------------


def _scanned(file: IO[bytes], begin: int, uid: int, path: Path) -> Iterator[tuple[_Entry, bytes]]:
    """The messages behind `begin`, each with its From line. `size` is not known yet: it takes reading the message."""
    found = _from_lines(file, begin, path)
    size = file.seek(0, os.SEEK_END)
    at, line = next(found, (size, b""))
    for next_at, next_line in chain(found, [(size, b"")] if line else []):
        start = at + len(line)
        stop = max(start, next_at - _blank_line(file, start, next_at))
        flags = _flags_of(header_block(_pieces(file, start, stop - start)))
        yield _Entry(uid, start, stop - start, next_at, UNKNOWN, _date_of(line), 0, flags), line
        uid, at, line = uid + 1, next_at, next_line


def _from_lines(file: IO[bytes], begin: int, path: Path) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of every line that begins a message, in constant memory. Raises Misbehaved if mail does not start
    with one.
    """
    file.seek(begin)
    held = file.read(CHUNK)
    blank = len(held) - len(held.lstrip(b"\r\n"))
    if blank == len(held):
        return
    base, held = begin + blank, held[blank:]
    first, newline, _ = held.partition(b"\n")
    if not held.startswith(b"From ") or not newline:
        raise Misbehaved(
            f"{path} is not an mbox file: at byte {base} there is no line that begins with From.",
            remedy="Take it out of this folder, or convert it.",
        )
    yield base, first + newline
    searched = len(first)
    while True:
        while (hit := held.find(b"\nFrom ", searched)) >= 0:
            line_end = held.find(b"\n", hit + 1, hit + LONGEST_FROM_LINE)
            if line_end < 0 and len(held) < hit + LONGEST_FROM_LINE:
                break  # the line may go on in the next piece
            line = held[hit + 1 : line_end + 1]
            if line_end > 0 and held[max(hit - 2, 0) : hit + 1].endswith((b"\n\n", b"\n\r\n")) and _DATED.search(line):
                yield base + hit + 1, line
            searched = hit + 1
        keep = max((hit if hit >= 0 else len(held) - len(b"\nFrom")) - 2, 0)
        more = file.read(CHUNK)
        if not more:
            return
        base, held, searched = base + keep, held[keep:] + more, max(searched - keep, 0)


def _blank_line(file: IO[bytes], start: int, stop: int) -> int:
    """How long the blank line is that separates a message from the next, or ends the file; 0 if there is none."""
    tail = _bytes_at(file, max(start - 1, stop - 4, 0), min(4, stop - max(start - 1, stop - 4, 0)))
    if tail.endswith(b"\n\r\n"):
        return 2
    return 1 if tail.endswith(b"\n\n") else 0


def _flags_of(block: bytes) -> tuple[str, ...]:
    found = set()
    for name, letters in (("Status", STATUS_LETTERS), ("X-Status", X_STATUS_LETTERS)):
        for value in fields(block, name):
            found |= {flag for letter, flag in letters.items() if letter.encode() in value}
    for value in fields(block, "X-Keywords"):
        found |= {word.decode("latin-1") for word in value.replace(b",", b" ").split()}
    for value in fields(block, "X-Mozilla-Status"):
        if re.fullmatch(rb"[0-9a-fA-F]{1,8}", value):
            found |= {flag for bit, flag in MOZILLA_BITS.items() if int(value, 16) & bit}
    return tuple(sorted(found))


def _date_of(line: bytes) -> int:
    """Seconds since 1970 of a From line; NO_DATE if it holds none."""
    match = _ASCTIME.search(line)
    month = match and match[1].decode()
    if match is None or month not in MONTHS:
        return NO_DATE
    day, hour, minute, second, year = (int(match[i] or 0) for i in (2, 3, 4, 5, 7))
    zone = (match[6] or match[8] or b"+0000").decode()
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])) * (-1 if zone[0] == "-" else 1)
    try:
        instant = datetime(year, MONTHS.index(month) + 1, day, hour, minute, min(second, 59), tzinfo=timezone(offset))
    except ValueError:
        return NO_DATE
    return int(instant.timestamp())


# -- bytes ------------------------------------------------------------------------------------------------------------


def _bytes_at(file: IO[bytes], at: int, length: int) -> bytes:
    return os.pread(file.fileno(), length, at)


def _pieces(file: IO[bytes], at: int, length: int) -> Iterator[bytes]:
    """A stretch of a file; reading it moves no position of the file."""
    while length > 0 and (piece := _bytes_at(file, at, min(length, CHUNK))):
        yield piece
        at, length = at + len(piece), length - len(piece)


def _quoted(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return _at_line_starts(chunks, _QUOTABLE, b"\n>")


def _unquoted(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return _at_line_starts(chunks, _QUOTED, b"\n")


def _at_line_starts(chunks: Iterable[bytes], pattern: re.Pattern[bytes], replacement: bytes) -> Iterator[bytes]:
    """Replace at the starts of lines, whatever the pieces are cut like: a piece's end that may begin a `From ` waits."""
    held = b"\n"  # the first line starts without a line end; one is lent, and not handed out
    lent = 1
    for chunk in chunks:
        piece = held + chunk
        unsure = _BEGINS_QUOTABLE.search(piece, max(piece.rfind(b"\n"), 0))
        cut = unsure.start() if unsure else len(piece)
        held = piece[cut:]
        if done := pattern.sub(replacement, piece[:cut]):
            yield done[lent:]
            lent = 0
    yield pattern.sub(replacement, held)[lent:]


def _as_mail(file: IO[bytes], contents: _Contents, place: int) -> Iterator[bytes]:
    """A message as it is handed out."""
    start, length = contents.starts[place], contents.lengths[place]
    message = _unquoted(_pieces(file, start, length))
    if contents.exact[place] or any(b"\r" in piece for piece in _pieces(file, start, length)):
        return message
    return (piece.replace(b"\n", b"\r\n") for piece in message)


def _content(file: IO[bytes], contents: _Contents, place: int) -> Content:
    if contents.lengths[place] <= IN_MEMORY:
        return Content(b"".join(_as_mail(file, contents, place)))
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - Content closes it
    for piece in _as_mail(file, contents, place):
        spool.write(piece)
    return Content(file=spool, size=spool.tell())


def _size(file: IO[bytes], contents: _Contents, place: int) -> int:
    if contents.sizes[place] == UNKNOWN:
        contents.sizes[place] = sum(map(len, _as_mail(file, contents, place)))
    return contents.sizes[place]


# -- sessions ---------------------------------------------------------------------------------------------------------


class MboxReader:
    """One account's files, read. Where there are none yet it is a mailbox without folders, and `features.notes` says so."""

    def __init__(self, options: MboxOptions, login: Login) -> None:
        path = Path(options.path).expanduser()
        self._single = path if path.is_file() or (path.suffix == SUFFIX and not path.is_dir()) else None
        self._base = path.parent if self._single else path
        self._root = self._base if self._single else self._base / disk.account_folder(login.account)
        self._account = login.account
        self._known: dict[str, _Contents] = {}
        with disk.in_our_words(f"looking at {self._root}"):
            disk.inside(self._root, self._base)
            there = (self._single or self._root).exists()
        self.namespace = Namespace(prefix="", separator=SEPARATOR)
        self.features = Features(
            tells_sizes=True,
            server="mbox",
            quota_left=disk.space_left(self._root),
            notes=() if there else (f"there is no mailbox of {login.account} at {self._single or self._root} yet",),
            nowhere="" if there or path.exists() else f"{path} is not there",
        )

    def folders(self) -> Sequence[Folder]:
        """See MailReader."""
        found = []
        with disk.in_our_words(f"listing the folders of {self._account}"):
            subscribed = self._subscriptions()
            broken = {} if self._single else dict(self._broken())
            for name in sorted(self._names(), key=lambda name: (name != INBOX, name)):
                if name in broken:  # `no_folders` tells of it
                    continue
                contents = self._read(name)
                with disk.opened(self._path(name)) as file:
                    size = sum(_size(file, contents, place) for place in range(len(contents.uids)))
                found.append(
                    Folder(
                        name,
                        SEPARATOR,
                        subscribed=name in subscribed,
                        messages=len(contents.uids),
                        bytes=size,
                        uidvalidity=contents.uidvalidity,
                        uidnext=contents.uidnext,
                    )
                )
        if broken and not found:
            raise next(iter(broken.values()))
        return found

    def no_folders(self) -> Iterator[tuple[str, str, str]]:
        """See KeptInFiles."""
        if self._single:
            return
        with disk.in_our_words(f"listing the folders of {self._account}"):
            yield from ((name + SUFFIX, name, error.sentence()) for name, error in self._broken())
            for name, path in sorted(self._files()):
                if not name.endswith((SUFFIX, INDEX_SUFFIX)) and _begins_as_mail(path):
                    yield name, "", f"{NO_SUFFIX}. {ADD_SUFFIX}"

    def open(self, folder: str) -> Opened:
        """See MailReader."""
        contents = self._read(folder)
        return Opened(contents.uidvalidity, contents.uidnext, len(contents.uids), permanent_flags=SYSTEM_FLAGS)

    def index(self, folder: str, first: int = 1, last: int | None = None, changed_since: int = 0) -> Iterator[Header]:
        """See MailReader. `changed_since` is not known here and changes nothing."""
        del changed_since  # features.tells_changes is False
        contents = self._read(folder)
        with disk.in_our_words(f"reading the index of {folder} of {self._account}"):
            file = disk.opened(self._path(folder))
        with file:
            for place in range(bisect_left(contents.uids, first), len(contents.uids)):
                if last is not None and contents.uids[place] > last:
                    return
                yield _header(file, contents, place)

    def sizes(self, folder: str) -> Iterator[tuple[int, int]]:
        """See MailReader."""
        return ((header.uid, header.size) for header in self.index(folder))

    def fetch(self, folder: str, uids: Sequence[int]) -> Iterator[Message]:
        """See MailReader."""
        contents = self._read(folder)
        with disk.in_our_words(f"reading {folder} of {self._account}"):
            file = disk.opened(self._path(folder))
        with file:
            for uid in uids:
                if (place := contents.place(uid)) is not None:
                    with disk.in_our_words(f"reading message {uid} of {folder} of {self._account}"):
                        content = _content(file, contents, place)
                        header = _header(file, contents, place)
                    yield Message(header, content)

    def message_ids(self, folder: str, uids: Sequence[int]) -> Mapping[int, str]:
        """See MailReader."""
        contents = self._read(folder)
        found = {}
        with disk.in_our_words(f"reading {folder} of {self._account}"), disk.opened(self._path(folder)) as file:
            for uid in uids:
                if (place := contents.place(uid)) is not None:
                    found[uid] = message_id(header_block(_as_mail(file, contents, place)))
        return found

    def close(self) -> None:
        """See MailReader."""
        self._known.clear()

    # -- looking ------------------------------------------------------------------------------------------------------

    def _read(self, folder: str) -> _Contents:
        if folder not in self._known:
            path = self._existing(folder)
            with disk.in_our_words(f"reading {folder} of {self._account}"):
                self._known[folder] = _contents(path)[0]
        return self._known[folder]

    def _names(self) -> Iterator[str]:
        if self._single:
            if self._single.exists():
                yield INBOX
            return
        for name, path in self._files():
            if path.name.endswith(SUFFIX) and path.name != SUFFIX:
                yield name.removesuffix(SUFFIX)

    def _files(self) -> Iterator[tuple[str, Path]]:
        """Every file below the account's folder, with its name as a folder's is written."""
        below = [(self._root, "")] if self._root.is_dir() else []
        while below:
            folder, prefix = below.pop()
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = disk.from_disk(entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        below.append((folder / entry.name, f"{prefix}{name}{SEPARATOR}"))
                    elif entry.is_file(follow_symlinks=False):
                        yield prefix + name, folder / entry.name

    def _broken(self) -> Iterator[tuple[str, Misbehaved]]:
        """The folders whose files are no mbox."""
        for name in sorted(self._names()):
            path = self._path(name)
            try:
                with disk.opened(path) as file:
                    next(_from_lines(file, 0, path), None)
            except Misbehaved as error:
                yield name, error

    def _subscriptions(self) -> frozenset[str]:
        try:
            return frozenset((self._root / SUBSCRIPTIONS).read_bytes().decode("latin-1").split("\n"))
        except FileNotFoundError:
            return frozenset()

    # -- names --------------------------------------------------------------------------------------------------------

    def _path(self, folder: str) -> Path:
        """Where a folder is kept. Raises NotFound for a name that cannot be below the account's root."""
        if self._single:
            if folder.upper() == INBOX:
                return self._single
            raise self._not_there(folder)
        parts = (INBOX if folder.upper() == INBOX else folder).split(SEPARATOR)
        if any(disk.escapes(part) for part in parts):
            raise self._not_there(folder)
        return self._root.joinpath(*map(disk.to_disk, parts[:-1]), disk.to_disk(parts[-1] + SUFFIX))

    def _existing(self, folder: str) -> Path:
        path = self._path(folder)
        with disk.in_our_words(f"opening {folder} of {self._account}"):
            disk.inside(path, self._base)
            if not path.is_file():
                raise self._not_there(folder)
        return path

    def _not_there(self, folder: str) -> NotFound:
        return NotFound(f"{self._account}: there is no folder {folder}.")


class MboxWriter(MboxReader):
    """One account's files, filled. INBOX is made when the session opens. Two sessions may fill one folder at once."""

    def __init__(self, options: MboxOptions, login: Login) -> None:
        super().__init__(options, login)
        self._index_sizes: dict[str, int] = {}  # as last seen: another session's writing shows
        with disk.in_our_words(f"making the mailbox of {login.account} at {self._root}"):
            disk.make_folder(self._root)
            _make_file(self._path(INBOX))

    def create(self, folders: Sequence[str]) -> Mapping[str, str]:
        """See MailWriter."""
        refused = {}
        for folder in folders:
            if words := self._refusal(folder):
                refused[folder] = words
                continue
            path = self._path(folder)
            with disk.in_our_words(f"making the folder {folder} of {self._account}"):
                disk.inside(path, self._base)
                twins = (
                    disk.twin_in_other_case(part)
                    for part in (*reversed(path.parents), path)
                    if self._root in part.parents
                )
                if words := next((words for words in twins if words), ""):
                    refused[folder] = words
                    continue
                disk.make_folder(path.parent)
                _make_file(path)
        return refused

    def subscribe(self, folders: Sequence[str]) -> Mapping[str, str]:
        """See MailWriter."""
        refused = {folder: words for folder in folders if (words := self._refusal(folder))}
        with disk.in_our_words(f"subscribing folders of {self._account}"), disk.locked(self._root):
            before = self._subscriptions()
            wanted = before | {folder for folder in folders if folder not in refused}
            if wanted != before:
                lines = "".join(f"{folder}\n" for folder in sorted(wanted) if folder)
                disk.replace_file(self._root / SUBSCRIPTIONS, lines.encode("latin-1"))
        return refused

    def end_of(self, folder: str) -> str:
        """See MailWriter."""
        contents = self._read(folder)
        return f"{contents.uidvalidity}/{contents.uidnext}"

    def add(self, folder: str, messages: Sequence[Message]) -> Sequence[Added]:
        """See MailWriter. All or nothing, also when the machine stops in the middle."""
        path = self._existing(folder)
        with disk.in_our_words(f"writing to {folder} of {self._account}"), disk.locked(path.parent):
            contents = self._synced(folder, path)
            if not messages:
                return []
            self._note(folder, path, _line(appending=contents.end))
            entries, dropped = [], []
            with disk.opened(path, "r+b") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # what delivery agents ask for
                before = file.seek(0, os.SEEK_END)
                try:
                    file.write(_missing_separator(file, before))
                    for uid, message in enumerate(messages, start=contents.uidnext):
                        kept, left_out = to_send(message.header.flags, SYSTEM_FLAGS, keywords_allowed=True)
                        entries.append(_append(file, uid, message, frozenset(kept)))
                        dropped.append(frozenset(left_out))
                    file.flush()
                    os.fsync(file.fileno())
                except BaseException:
                    file.truncate(before)
                    raise
            self._note(folder, path, b"".join(entry.line() for entry in entries) + _line(ended=entries[-1].end))
            for entry in entries:
                contents.append(entry)
        return [
            Added(entry.uid, entry.size, _instant(entry.date), frozenset(entry.flags), left_out)
            for entry, left_out in zip(entries, dropped, strict=True)
        ]

    def set_flags(self, folder: str, flags: Mapping[int, frozenset[str]]) -> Mapping[int, frozenset[str]]:
        """See MailWriter."""
        path = self._existing(folder)
        after = {}
        lines = b""
        with disk.in_our_words(f"setting flags in {folder} of {self._account}"), disk.locked(path.parent):
            contents = self._synced(folder, path)
            for uid, wanted in flags.items():
                if (place := contents.place(uid)) is not None:
                    after[uid] = frozenset(to_send(wanted, SYSTEM_FLAGS, keywords_allowed=True)[0])
                    contents.flags[place] = after[uid]
                    lines += _line(uid=uid, flags=sorted(after[uid]))
            self._note(folder, path, lines)
        return after

    # -- looking, and keeping the index -------------------------------------------------------------------------------

    def _read(self, folder: str) -> _Contents:
        path = self._existing(folder)
        with disk.in_our_words(f"opening {folder} of {self._account}"), disk.locked(path.parent):
            return self._synced(folder, path)

    def _synced(self, folder: str, path: Path) -> _Contents:
        """The contents with every message in the index, on disk, and nothing of a batch that never ended. To be called with
        the folder locked.
        """
        index_path = _index_path(path)
        known = self._known.get(folder)
        seen = self._index_sizes.get(folder)
        if known and known.end == path.stat().st_size and index_path.exists() and index_path.stat().st_size == seen:
            return known
        contents, index = _contents(path)
        if index and index.under_way:
            with disk.opened(path, "r+b") as file:
                file.truncate(contents.end)
                os.fsync(file.fileno())
        if index is None or index.under_way or not index.whole or index.messages < len(contents.uids):
            with disk.opened(path) as file:
                lines = b"".join(_entry(file, contents, place).line() for place in range(len(contents.uids)))
            # An empty file has no From lines to be told by, so its numbering is told by the time.
            contents.uidvalidity = contents.uidvalidity if index or contents.uids else int(time.time())
            disk.replace_file(index_path, _line(uidvalidity=contents.uidvalidity) + lines)
        self._index_sizes[folder] = index_path.stat().st_size
        self._known[folder] = contents
        return contents

    def _note(self, folder: str, path: Path, lines: bytes) -> None:
        """Append to the index; on disk when this returns."""
        self._index_sizes[folder] = disk.append_to_file(_index_path(path), lines, self._index_sizes[folder])

    def _refusal(self, folder: str) -> str:
        if folder.upper() == INBOX:
            return ""
        if self._single:
            return f"{self._single.name} is one single file and holds the INBOX alone"
        if len(folder) > disk.LONGEST_PATH:
            return f"the name with its parents is longer than {disk.LONGEST_PATH} bytes"
        for part in folder.split(SEPARATOR):
            if words := disk.refusal(part):
                return words
            if part.lower().endswith((SUFFIX, INDEX_SUFFIX)) or disk.is_device(part):
                return f"{part} means something else as a file name"
        return ""


# -- files ------------------------------------------------------------------------------------------------------------


def _make_file(path: Path) -> None:
    with suppress(FileExistsError):
        disk.opened(path, "xb").close()
        disk.sync(path.parent)


def _missing_separator(file: IO[bytes], size: int) -> bytes:
    """What a file must get before a From line may follow."""
    tail = _bytes_at(file, max(size - 3, 0), min(size, 3))
    if not tail or tail.endswith((b"\n\n", b"\n\r\n")):
        return b""
    return b"\n" if tail.endswith(b"\n") else b"\n\n"


def _append(file: IO[bytes], uid: int, message: Message, flags: frozenset[str]) -> _Entry:
    """Write one message at the end of the file."""
    date = int(message.header.date.timestamp() if message.header.date else time.time())
    file.write(_from_line(date))
    start = file.tell()
    last = b"\n"
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal last, size
        for chunk in message.content.chunks():
            last, size = chunk[-1:] or last, size + len(chunk)
            yield chunk

    for piece in _quoted(counted()):
        file.write(piece)
    length = file.tell() - start
    file.write(b"\n" if last == b"\n" else b"\n\n")
    return _Entry(uid, start, length, file.tell(), size, date, 1, tuple(sorted(flags)))


def _from_line(seconds: int) -> bytes:
    at = _instant(seconds) or datetime.fromtimestamp(0, UTC)
    return (
        f"From MAILER-DAEMON {DAYS[at.weekday()]} {MONTHS[at.month - 1]} {at.day:2} "
        f"{at.hour:02}:{at.minute:02}:{at.second:02} {at.year:04}\n"
    ).encode()


def _entry(file: IO[bytes], contents: _Contents, place: int) -> _Entry:
    size = _size(file, contents, place)
    start, length = contents.starts[place], contents.lengths[place]
    end = contents.end if place + 1 == len(contents.uids) else start + length
    flags = tuple(sorted(contents.flags[place]))
    return _Entry(contents.uids[place], start, length, end, size, contents.dates[place], contents.exact[place], flags)


def _header(file: IO[bytes], contents: _Contents, place: int) -> Header:
    return Header(
        contents.uids[place], _size(file, contents, place), contents.flags[place], _instant(contents.dates[place])
    )


def _instant(seconds: int) -> datetime | None:
    if seconds == NO_DATE:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):
        return None


def _begins_as_mail(path: Path) -> bool:
    with disk.opened(path) as file:
        return file.read(len(b"From ")) == b"From "


def _look_into(options: MboxOptions, login: Login, side: Side) -> None:
    """For `migrator check`: the first of the files at a source that hold mail and cannot be read as folders. Raises Misbehaved."""
    if side is Side.TARGET:
        return
    with closing(MboxReader(options, login)) as session:
        told = list(session.no_folders())
    if told:
        name, _, why = told[0]
        more = f" So it is with {len(told) - 1:,} more of its files." if told[1:] else ""
        what = f"{name}: {why}" if why.startswith(NO_SUFFIX) else why  # which otherwise begins with the file's path
        raise Misbehaved(f"{login.account}: {what}{more}")


def _read(options: MboxOptions, login: Login) -> MailReader:
    return MboxReader(options, login)


def _fill(options: MboxOptions, login: Login) -> MailWriter:
    return MboxWriter(options, login)


ADAPTER = Adapter(
    word="mbox",
    title="mbox files",
    options=MboxOptions,
    reader=_read,
    writer=_fill,
    connections=lambda _: (8, 4),
    contents=lambda _: Contents(),  # what is not there, or is nobody's, is the preview's to tell
    visit=_look_into,
)
