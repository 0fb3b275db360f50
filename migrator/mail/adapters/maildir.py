"""Maildir++ trees: one for each account below a folder, as Dovecot and Courier keep and serve them.

    <path>/alice@example.com/            the INBOX: cur/ new/ tmp/
    <path>/alice@example.com/.Sent/      one folder each, named `.Sub.Folder` in modified UTF-7

Layout: https://www.courier-mta.org/maildir.html ; Dovecot's files beside it: https://doc.dovecot.org (Maildir format).
A tree filled here is served by Dovecot as it stands (`mail_location = maildir:<path>/<account>`).

Bytes are kept exactly as given, CRLF and all; a tree that Dovecot filled holds bare LF, and is read as it is. Uids:

- a folder written here keeps `migrator-uidlist` (one line a message, only ever appended to);
- else the list of the server that keeps the folder is read (`dovecot-uidlist`, `courierimapuiddb`), never written;
- else a message's uid is its place among the sorted names and UIDVALIDITY is a digest of all names: when anything arrives or
  goes, the whole numbering is declared new, rather than naming another message by an old number.

Messages that a list does not know yet follow it in the order of their names. That is how a message put away right before a
crash gets its uid: behind the fence. A session that reads moves nothing from new/ to cur/ and writes no list.

Cannot do: more than 26 keywords in one folder (a file name has letters a to z for them), change counters, shared folders.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import NotFound
from migrator.frozen import dataclass
from migrator.mail.contract import MailReader, MailWriter
from migrator.mail.flags import to_send
from migrator.mail.headers import header_block, message_id
from migrator.mail.model import MB, Added, Content, Features, Folder, Header, Message, Namespace, Opened
from migrator.wire import disk


class MaildirOptions(Service):
    """Maildir++ trees on a disk of this machine."""

    type: Literal["maildir"] = Field(default="maildir", description="Maildir++ trees on a disk of this machine")
    path: Path = Field(
        description="the folder that holds one tree for each account, named by its address; made when first written to",
        json_schema_extra={"path": True},
    )


SEPARATOR = "."
INBOX = "INBOX"
OWN_LIST = "migrator-uidlist"
FOREIGN_LISTS = ("dovecot-uidlist", "courierimapuiddb")
KEYWORDS = "dovecot-keywords"  # the one keyword file other programs understand, so we keep no other
SUBSCRIPTIONS = "subscriptions"
COURIER_SUBSCRIPTIONS = "courierimapsubscribed"
LARGEST_UID = 10**9  # far above any honest one, far below the 32 bits where counting on would end
IN_MEMORY = 1 * MB  # a larger message is handed out as its open file

FLAG_LETTERS = {"D": "\\Draft", "F": "\\Flagged", "P": "$Forwarded", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}
SYSTEM_LETTERS = {flag: letter for letter, flag in FLAG_LETTERS.items() if flag.startswith("\\")}
KEYWORD_LETTERS = "abcdefghijklmnopqrstuvwxyz"


# -- what a folder holds ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Look:
    """A folder as it was looked at: uids and files side by side, ascending by uid.

    A file is one bytes object, `<unique name> NUL <cur or new><:2,flags>`: sorted, they stand in the order of unique names,
    and one can be found by its unique name without a second table.
    """

    uidvalidity: int
    uidnext: int
    uids: array[int]
    files: list[bytes]
    listed: bool  # a list, ours or a server's, gave the uids
    unlisted: int  # how many files at the end that list did not know

    def place(self, uid: int) -> int | None:
        place = bisect_left(self.uids, uid)
        return place if place < len(self.uids) and self.uids[place] == uid else None


def _files(folder: Path) -> list[bytes]:
    """Every message file of a folder, each unique name once, sorted."""
    found = []
    for sub in ("cur", "new"):
        with os.scandir(folder / sub) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                if name.startswith(b".") or not entry.is_file(follow_symlinks=False):
                    continue
                unique, colon, info = name.partition(b":")
                found.append(unique + b"\0" + sub.encode() + colon + info)
    found.sort()
    # A server that died while moving a file may have left it under two names; a message is one message.
    return [file for file, before in zip(found, [b"", *found], strict=False) if _unique(file) != _unique(before)]


def _unique(file: bytes) -> bytes:
    return file.partition(b"\0")[0]


def _relative(file: bytes) -> str:
    unique, _, rest = file.partition(b"\0")
    return os.fsdecode(rest[:3] + b"/" + unique + rest[3:])


def _info(file: bytes) -> str:
    """The flag letters of a file."""
    _, _, info = file.partition(b"\0")[2].partition(b":2,")
    return info.decode("latin-1")


def _look(folder: Path) -> _Look:
    files = _files(folder)
    uids = array("I", bytes(4 * len(files)))
    uidvalidity = uidnext = 0
    listed = False
    for name in (OWN_LIST, *FOREIGN_LISTS):
        uid_list = _UidList.found(folder / name)
        if uid_list is None:
            continue
        listed = True
        uidvalidity, uidnext = uid_list.uidvalidity, uid_list.uidnext
        for uid, unique in uid_list.lines():
            place = bisect_left(files, unique + b"\0")
            if place < len(files) and files[place].startswith(unique + b"\0"):
                uids[place] = uid
            uidnext = max(uidnext, uid + 1)
        break
    if not listed:
        uidvalidity, uidnext = _fingerprint(files), 1
    unlisted = [place for place, uid in enumerate(uids) if not uid]
    for uid, place in enumerate(unlisted, start=uidnext):
        uids[place] = uid
    uidnext += len(unlisted)
    order = sorted(range(len(files)), key=uids.__getitem__)
    return _Look(
        uidvalidity, uidnext, array("I", (uids[i] for i in order)), [files[i] for i in order], listed, len(unlisted)
    )


def _fingerprint(files: Sequence[bytes]) -> int:
    digest = 0
    for file in files:
        digest = zlib.crc32(_unique(file) + b"\0", digest)
    return digest & 0x7FFFFFFF or 1


@dataclass(frozen=True, slots=True)
class _UidList:
    """A file that says which message has which uid. Three spellings are read:

    ours                 `1 <uidvalidity>` and `<uid> <unique name>`
    Courier, old Dovecot `1 <uidvalidity> <uidnext>` and `<uid> <file name>`
    Dovecot              `3 V<uidvalidity> N<uidnext> ...` and `<uid> <extensions> :<file name>`
    """

    path: Path
    uidvalidity: int
    uidnext: int

    @classmethod
    def found(cls, path: Path) -> _UidList | None:
        """The list at `path`; None if there is none or its first line is not whole."""
        try:
            with disk.opened(path) as file:
                first = file.readline(4096)
        except FileNotFoundError:
            return None
        if match := re.fullmatch(rb"1 (\d{1,10})(?: (\d{1,9}))?\n", first):
            return cls(path, int(match[1]), int(match[2] or 1))
        validity, following = re.search(rb" V(\d{1,10})\b", first), re.search(rb" N(\d{1,9})\b", first)
        if first.startswith(b"3 ") and validity and following:
            return cls(path, int(validity[1]), int(following[1]))
        return None

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Uid and unique name, in the order of the file; a torn last line is no line."""
        with disk.opened(self.path) as file:
            dovecot = file.readline().startswith(b"3 ")
            for line in file:
                uid, _, rest = line.partition(b" ")
                if not line.endswith(b"\n") or not uid.isdigit() or not 0 < int(uid) < LARGEST_UID:
                    continue
                name = (b" " + rest).partition(b" :")[2] if dovecot else rest
                yield int(uid), name.rstrip(b"\n").partition(b":")[0]


def _whole_lines(path: Path) -> int:
    """How many bytes of a list of ours are whole lines; a crash may have torn the last one."""
    with disk.opened(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 4096, 0))  # longer than any line of ours
        tail = file.read()
    return size - len(tail) + tail.rfind(b"\n") + 1


# -- sessions ---------------------------------------------------------------------------------------------------------


class MaildirReader:
    """One account's tree, read. Where there is no tree yet it is a mailbox without folders, and `features.notes` says so."""

    def __init__(self, options: MaildirOptions, login: Login) -> None:
        self._base = Path(options.path).expanduser()
        self._root = self._base / disk.account_folder(login.account)
        self._account = login.account
        self._opened: tuple[str, _Look] | None = None
        self._relisted: tuple[Path, tuple[int, int], list[bytes]] | None = None
        self._letters: dict[str, str] = {}  # of the open folder: letter -> keyword
        with disk.in_our_words(f"looking at {self._root}"):
            disk.inside(self._root, self._base)
            there = (self._root / "cur").is_dir()
        self.namespace = Namespace(prefix="", separator=SEPARATOR)
        self.features = Features(
            tells_sizes=True,
            server="maildir",
            quota_left=disk.space_left(self._root),
            notes=() if there else (f"there is no mailbox of {login.account} at {self._root} yet",),
            nowhere="" if there or self._base.exists() else f"{self._base} is not there",
        )

    def folders(self) -> Sequence[Folder]:
        """See MailReader. A folder that is a link out of the tree is listed, and refused when it is opened."""
        with disk.in_our_words(f"listing the folders of {self._account}"):
            if not (self._root / "cur").is_dir():
                return []
            with os.scandir(self._root) as entries:
                names = sorted(
                    disk.from_disk(entry.name)[1:]
                    for entry in entries
                    if entry.name.startswith(".") and (self._root / entry.name / "cur").is_dir()
                )
            subscribed = frozenset(self._subscriptions())
            return [self._folder(name, subscribed) for name in (INBOX, *names) if not _shadows_inbox(name)]

    def _folder(self, name: str, subscriptions: frozenset[str]) -> Folder:
        path = self._path(name)
        subscribed = name in subscriptions
        if not path.resolve().is_relative_to(self._base.resolve()):
            return Folder(name, SEPARATOR, subscribed=subscribed)
        look = _look(path)
        size = 0
        for file in look.files:
            # A file that a server renames meanwhile is one uncounted size, not an error.
            try:
                size += (path / _relative(file)).lstat().st_size
            except FileNotFoundError:
                continue
        return Folder(
            name,
            SEPARATOR,
            subscribed=subscribed,
            messages=len(look.files),
            bytes=size,
            uidvalidity=look.uidvalidity,
            uidnext=look.uidnext,
        )

    def open(self, folder: str) -> Opened:
        """See MailReader."""
        look = self._looked_at(folder)
        return Opened(
            look.uidvalidity,
            look.uidnext,
            len(look.files),
            permanent_flags=frozenset(SYSTEM_LETTERS) | frozenset(self._letters.values()),
            keywords_allowed=len(self._letters) < len(KEYWORD_LETTERS),
        )

    def index(self, folder: str, first: int = 1, last: int | None = None, changed_since: int = 0) -> Iterator[Header]:
        """See MailReader. `changed_since` is not known here and changes nothing."""
        del changed_since  # features.tells_changes is False
        look = self._looked_at(folder)
        path = self._path(folder)
        for place in range(bisect_left(look.uids, first), len(look.uids)):
            if last is not None and look.uids[place] > last:
                return
            if header := self._header(path, look, place):
                yield header

    def sizes(self, folder: str) -> Iterator[tuple[int, int]]:
        """See MailReader."""
        return ((header.uid, header.size) for header in self.index(folder))

    def fetch(self, folder: str, uids: Sequence[int]) -> Iterator[Message]:
        """See MailReader. A large message is its open file: it stays readable although it is deleted meanwhile."""
        look = self._looked_at(folder)
        path = self._path(folder)
        for uid in uids:
            place = look.place(uid)
            header = None if place is None else self._header(path, look, place)
            if place is None or header is None:
                continue
            with disk.in_our_words(f"reading message {uid} of {folder} of {self._account}"):
                try:
                    file = disk.opened(path / _relative(look.files[place]))
                except FileNotFoundError:
                    continue
                if header.size > IN_MEMORY:
                    content = Content(file=file, size=os.fstat(file.fileno()).st_size)
                else:
                    with file:
                        content = Content(file.read())
            yield Message(header, content)

    def message_ids(self, folder: str, uids: Sequence[int]) -> Mapping[int, str]:
        """See MailReader."""
        found = {}
        for message in self.fetch(folder, uids):
            found[message.header.uid] = message_id(header_block(message.content.chunks()))
            message.content.close()
        return found

    def close(self) -> None:
        """See MailReader."""
        self._opened = self._relisted = None

    # -- looking ------------------------------------------------------------------------------------------------------

    def _looked_at(self, folder: str) -> _Look:
        if self._opened is None or self._opened[0] != folder:
            path = self._existing(folder)
            with disk.in_our_words(f"opening {folder} of {self._account}"):
                self._opened = (folder, _look(path))
                self._letters = _read_keywords(path)
        return self._opened[1]

    def _header(self, path: Path, look: _Look, place: int) -> Header | None:
        """What the index shows of one file; None if it is gone. A file that got other flags meanwhile is found again."""
        with disk.in_our_words(f"reading the index of {path.name} of {self._account}"):
            try:
                facts = (path / _relative(look.files[place])).lstat()
            except FileNotFoundError:
                if (renamed := self._renamed(path, look.files[place])) is None:
                    return None
                look.files[place] = renamed
                facts = (path / _relative(renamed)).lstat()
        return Header(look.uids[place], facts.st_size, self._flags(look.files[place]), _instant(facts.st_mtime_ns))

    def _renamed(self, path: Path, file: bytes) -> bytes | None:
        """The name a message's file has now; None if it is gone. The folder is listed again only if it changed since."""
        stamp = _stamp(path)
        if self._relisted is None or self._relisted[:2] != (path, stamp):
            self._relisted = (path, stamp, _files(path))
        now = self._relisted[2]
        unique = _unique(file) + b"\0"
        place = bisect_left(now, unique)
        return now[place] if place < len(now) and now[place].startswith(unique) else None

    def _flags(self, file: bytes) -> frozenset[str]:
        known = (FLAG_LETTERS.get(letter) or self._letters.get(letter) for letter in _info(file))
        return frozenset(flag for flag in known if flag)

    # -- names --------------------------------------------------------------------------------------------------------

    def _path(self, folder: str) -> Path:
        if folder.upper() == INBOX:
            return self._root
        if disk.escapes(folder) or disk.escapes(SEPARATOR + folder):
            raise NotFound(f"{self._account}: there is no folder {folder}.")
        return self._root / disk.to_disk(SEPARATOR + folder)

    def _existing(self, folder: str) -> Path:
        path = self._path(folder)
        with disk.in_our_words(f"opening {folder} of {self._account}"):
            disk.inside(path, self._base)
            if not all((path / sub).is_dir() for sub in ("cur", "new")):
                raise NotFound(f"{self._account}: there is no folder {folder}.")
        return path

    def _subscriptions(self) -> Iterator[str]:
        """Subscribed folders, from Dovecot's file or Courier's."""
        for name, prefix in ((SUBSCRIPTIONS, ""), (COURIER_SUBSCRIPTIONS, f"{INBOX}{SEPARATOR}")):
            try:
                lines = (self._root / name).read_bytes().decode("latin-1").split("\n")
            except FileNotFoundError:
                continue
            if lines[0].startswith("V\t"):  # Dovecot 2.3: a version, a blank line, then names with tabs for separators
                lines = [line.replace("\t", SEPARATOR) for line in lines[1:]]
            yield from (line.removeprefix(prefix) for line in lines if line)
            return


class MaildirWriter(MaildirReader):
    """One account's tree, filled. The tree is made when the session opens. Two sessions may fill one folder at once."""

    def __init__(self, options: MaildirOptions, login: Login) -> None:
        super().__init__(options, login)
        with disk.in_our_words(f"making the mailbox of {login.account} at {self._root}"):
            disk.make_folder(self._base)
            _make_maildir(self._root)
        self._names = _unique_names()
        self._list_size = 0  # of the open folder's own list, as last seen

    def create(self, folders: Sequence[str]) -> Mapping[str, str]:
        """See MailWriter."""
        refused = {}
        for folder in folders:
            if words := _refusal(folder):
                refused[folder] = words
                continue
            path = self._path(folder)
            with disk.in_our_words(f"making the folder {folder} of {self._account}"):
                disk.inside(path, self._base)
                if not (path / "cur").is_dir() and (words := disk.twin_in_other_case(path)):
                    refused[folder] = words
                    continue
                _make_maildir(path)
                (path / "maildirfolder").touch(mode=disk.PRIVATE_FILE)  # Maildir++: this tree belongs to the one above
        return refused

    def subscribe(self, folders: Sequence[str]) -> Mapping[str, str]:
        """See MailWriter."""
        refused = {folder: words for folder in folders if (words := _refusal(folder))}
        with disk.in_our_words(f"subscribing folders of {self._account}"), disk.locked(self._root):
            before = list(self._subscriptions())
            wanted = [folder for folder in dict.fromkeys(folders) if folder not in refused and folder not in before]
            if wanted:
                lines = "".join(f"{folder}\n" for folder in (*before, *wanted))
                disk.replace_file(self._root / SUBSCRIPTIONS, lines.encode("latin-1"))
        return refused

    def end_of(self, folder: str) -> str:
        """See MailWriter."""
        look = self._looked_at(folder)
        return f"{look.uidvalidity}/{look.uidnext}"

    def add(self, folder: str, messages: Sequence[Message]) -> Sequence[Added]:
        """See MailWriter. Nothing shows before all of the batch is on disk; a crash while it is being shown leaves its first
        messages, whole and numbered at the next opening.
        """
        path = self._existing(folder)
        with disk.in_our_words(f"writing to {folder} of {self._account}"), disk.locked(path):
            look = self._synced(folder, path)
            kept = [self._storable(path, message.header.flags) for message in messages]
            drafts: list[Path] = []
            try:
                for message in messages:
                    drafts.append(path / "tmp" / next(self._names))
                    _write(drafts[-1], message)
                for draft in drafts:
                    disk.sync(draft)
            except BaseException:
                for draft in drafts:
                    draft.unlink(missing_ok=True)
                raise
            added = []
            listed = b""
            for draft, (flags, dropped, letters) in zip(drafts, kept, strict=True):
                facts = draft.stat()
                unique = os.fsencode(f"{draft.name},S={facts.st_size}")
                file = unique + b"\0cur:2," + letters.encode()
                draft.rename(path / _relative(file))
                listed += b"%d %s\n" % (look.uidnext, unique)
                look.uids.append(look.uidnext)
                look.files.append(file)
                added.append(Added(look.uidnext, facts.st_size, _instant(facts.st_mtime_ns), flags, dropped))
                look.uidnext += 1
            disk.sync(path / "cur")
            self._list_size = disk.append_to_file(path / OWN_LIST, listed, self._list_size)
        return added

    def set_flags(self, folder: str, flags: Mapping[int, frozenset[str]]) -> Mapping[int, frozenset[str]]:
        """See MailWriter."""
        path = self._existing(folder)
        after = {}
        with disk.in_our_words(f"setting flags in {folder} of {self._account}"), disk.locked(path):
            look = self._synced(folder, path)
            for uid, wanted in flags.items():
                place = look.place(uid)
                if place is None or self._header(path, look, place) is None:
                    continue
                kept, _, letters = self._storable(path, wanted)
                file = _unique(look.files[place]) + b"\0cur:2," + letters.encode()
                (path / _relative(look.files[place])).rename(path / _relative(file))
                look.files[place] = file
                after[uid] = kept
            for sub in ("cur", "new"):
                disk.sync(path / sub)
        return after

    # -- looking, and keeping the list --------------------------------------------------------------------------------

    def _looked_at(self, folder: str) -> _Look:
        path = self._existing(folder)
        with disk.in_our_words(f"opening {folder} of {self._account}"), disk.locked(path):
            return self._synced(folder, path)

    def _synced(self, folder: str, path: Path) -> _Look:
        """The folder with every message in our list, on disk. To be called with the folder locked."""
        own = path / OWN_LIST
        size = own.stat().st_size if own.exists() else -1
        if self._opened and self._opened[0] == folder and size == self._list_size:
            return self._opened[1]
        look = _look(path)
        if _UidList.found(own) is None:
            # An empty folder has no names to be told by, so its numbering is told by the time.
            look.uidvalidity = look.uidvalidity if look.files or look.listed else int(time.time())
            disk.replace_file(own, b"1 %d\n" % look.uidvalidity + _list_lines(look, 0))
        elif look.unlisted or size != _whole_lines(own):
            disk.append_to_file(own, _list_lines(look, len(look.files) - look.unlisted), _whole_lines(own))
        self._list_size = own.stat().st_size
        self._letters = _read_keywords(path)
        self._opened = (folder, look)
        return look

    def _storable(self, path: Path, flags: frozenset[str]) -> tuple[frozenset[str], frozenset[str], str]:
        """Of these flags: those the folder keeps, those it does not, and the letters for the file's name."""
        kept, dropped = to_send(flags, frozenset(SYSTEM_LETTERS), keywords_allowed=True)
        letters = set()
        by_keyword = {keyword.casefold(): letter for letter, keyword in self._letters.items()}
        stored = set()
        for flag in sorted(kept):
            letter = SYSTEM_LETTERS.get(flag) or by_keyword.get(flag.casefold()) or self._new_letter(path, flag)
            if letter is None:
                dropped |= {flag}
                continue
            letters.add(letter)
            stored.add(FLAG_LETTERS.get(letter) or self._letters[letter])
        return frozenset(stored), frozenset(dropped), "".join(sorted(letters))

    def _new_letter(self, path: Path, keyword: str) -> str | None:
        """A letter for a keyword new to the folder, on disk before it is used; None when all are taken."""
        free = next((letter for letter in KEYWORD_LETTERS if letter not in self._letters), None)
        if free is not None:
            self._letters[free] = keyword
            lines = (f"{KEYWORD_LETTERS.index(letter)} {word}\n" for letter, word in sorted(self._letters.items()))
            disk.replace_file(path / KEYWORDS, "".join(lines).encode("latin-1"))
        return free


# -- files ------------------------------------------------------------------------------------------------------------


def _shadows_inbox(name: str) -> bool:
    """Whether a folder's name in other letter case would be the INBOX again, which is the root of the tree."""
    return name != INBOX and name.upper() == INBOX


def _refusal(folder: str) -> str:
    """Why a name cannot be a Maildir++ folder, in words; "" if it can."""
    if folder.upper() == INBOX:
        return ""
    return next((words for part in folder.split(SEPARATOR) if (words := disk.refusal(part))), "") or disk.refusal(
        SEPARATOR + folder
    )


def _make_maildir(path: Path) -> None:
    disk.make_folder(path)
    for sub in ("tmp", "new", "cur"):  # cur last: with it the folder is there
        disk.make_folder(path / sub)


def _unique_names() -> Iterator[str]:
    """File names never used before, in the order of their making when sorted."""
    host = socket.gethostname().replace("/", "\\057").replace(":", "\\072").replace(",", "\\054")
    session = f"P{os.getpid()}R{secrets.token_hex(4)}"
    count = 0
    began = time.time_ns()
    while True:
        yield f"{began // 10**9}.M{began % 10**9 // 1000:06}{session}Q{count:09}.{host}"
        count += 1


def _write(draft: Path, message: Message) -> None:
    with disk.opened(draft, "xb") as file:
        for chunk in message.content.chunks():
            file.write(chunk)
    if message.header.date is not None:
        arrived = int(message.header.date.timestamp())
        os.utime(draft, (arrived, arrived))


def _instant(nanoseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    except (ValueError, OverflowError):  # a file's clock may say more than a calendar holds
        return None


def _stamp(path: Path) -> tuple[int, int]:
    """Changes whenever a file of the folder comes, goes or is renamed."""
    return (path / "cur").stat().st_mtime_ns, (path / "new").stat().st_mtime_ns


def _read_keywords(path: Path) -> dict[str, str]:
    """Letter -> keyword of a folder; lines that make no sense are passed over."""
    try:
        lines = (path / KEYWORDS).read_bytes().decode("latin-1").splitlines()
    except FileNotFoundError:
        return {}
    found = {}
    for line in lines:
        number, _, keyword = line.partition(" ")
        if number.isdigit() and int(number) < len(KEYWORD_LETTERS) and keyword:
            found[KEYWORD_LETTERS[int(number)]] = keyword
    return found


def _list_lines(look: _Look, start: int) -> bytes:
    return b"".join(b"%d %s\n" % (look.uids[i], _unique(look.files[i])) for i in range(start, len(look.files)))


def _read(options: MaildirOptions, login: Login) -> MailReader:
    return MaildirReader(options, login)


def _fill(options: MaildirOptions, login: Login) -> MailWriter:
    return MaildirWriter(options, login)


ADAPTER = Adapter(
    word="maildir",
    title="Maildir++ on disk",
    options=MaildirOptions,
    reader=_read,
    writer=_fill,
    connections=lambda _: (8, 4),
)
