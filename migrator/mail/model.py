"""The nouns of mail: folder, header, message, and what a server can do.

Names of folders travel raw, as the server spelled them (modified UTF-7 bytes held in an ASCII str), and are only decoded to be
shown or translated: a name we did not change goes back byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO

from migrator.frozen import dataclass

KB = 1024
MB = 1024 * KB
CHUNK = 256 * KB
IN_MEMORY = MB  # a longer message goes to a file


@dataclass(frozen=True, slots=True)
class Namespace:
    """The personal namespace: what stands before every folder's name, and what stands between its parts ("" for none: flat)."""

    prefix: str = ""
    separator: str = "/"


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder as a server lists it.

    `name` raw; `attributes` lower-case with the backslash (`\\noselect`, `\\sent`). The counts are None where the server did
    not tell. `modseq` is HIGHESTMODSEQ, 0 where CONDSTORE is missing.
    """

    name: str
    separator: str = "/"
    attributes: frozenset[str] = frozenset()
    subscribed: bool = False
    messages: int | None = None
    bytes: int | None = None
    uidvalidity: int = 0
    uidnext: int = 0
    modseq: int = 0

    @property
    def selectable(self) -> bool:
        """Whether the folder can hold mail at all."""
        return not self.attributes & {"\\noselect", "\\nonexistent"}


@dataclass(frozen=True, slots=True)
class Opened:
    """What a server says when a folder is opened. `keywords_allowed` is `\\*` in PERMANENTFLAGS."""

    uidvalidity: int
    uidnext: int
    messages: int
    modseq: int = 0
    permanent_flags: frozenset[str] = frozenset()
    keywords_allowed: bool = True


@dataclass(frozen=True, slots=True)
class Header:
    """One message as an index shows it: identity, size, marks, arrival. `date` is INTERNALDATE, aware, zone as given; None if
    the server sent none that can be read.
    """

    uid: int
    size: int
    flags: frozenset[str] = frozenset()
    date: datetime | None = None
    modseq: int = 0


class Content:
    """The bytes of one message, in memory or, when large, in an unlinked temporary file. Read it as often as you like."""

    __slots__ = ("_bytes", "_file", "nul", "size")

    def __init__(self, data: bytes = b"", file: IO[bytes] | None = None, size: int | None = None) -> None:
        self._bytes = data
        self._file = file
        self.size = len(data) if size is None else size
        self.nul: bool | None = None  # whether a NUL is among them, for who has looked to say

    @property
    def holds_nul(self) -> bool:
        """Whether a NUL is among the bytes; looked for unless somebody did."""
        if self.nul is None:
            self.nul = any(b"\0" in chunk for chunk in self.chunks())
        return self.nul

    @property
    def in_memory(self) -> bool:
        """Whether `whole()` costs nothing."""
        return self._file is None

    def whole(self) -> bytes:
        """All of it; for a large message only where there is no other way."""
        return b"".join(self.chunks()) if self._file else self._bytes

    def chunks(self, step: int = CHUNK) -> Iterator[bytes]:
        """All of it, in order, in pieces."""
        if self._file is None:
            yield self._bytes
            return
        self._file.seek(0)
        while piece := self._file.read(step):
            yield piece

    def close(self) -> None:
        """Give the temporary file back."""
        if self._file is not None:
            self._file.close()


def content_of(chunks: Iterable[bytes], size: int) -> Content:
    """The bytes of all chunks, in memory up to IN_MEMORY, else in an unlinked temporary file; `size` only chooses."""
    if size <= IN_MEMORY:
        return Content(b"".join(chunks))
    file = TemporaryFile()  # noqa: SIM115 - closed by Content, or by the last reference to it
    written = sum(map(file.write, chunks))
    return Content(file=file, size=written)


@dataclass(frozen=True, slots=True)
class Message:
    """A message with its content, ready to be put somewhere else."""

    header: Header
    content: Content

    @property
    def key(self) -> str:
        return str(self.header.uid)


@dataclass(frozen=True, slots=True)
class Added:
    """What the target holds after a message was put there, as read back. `uid` is None if it could not be learned.

    `dropped_flags` are those the target would not keep.
    """

    uid: int | None
    size: int | None = None
    date: datetime | None = None
    flags: frozenset[str] = frozenset()
    dropped_flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Features:
    """What a mail store can do, as far as it matters above the adapter.

    `keeps_uids`       can name what it stored (UIDPLUS or by looking behind the fence)
    `largest`          largest message in bytes it says it takes (APPENDLIMIT), None if it does not tell
    `tells_sizes`      counts bytes of a folder without an index (STATUS=SIZE)
    `tells_changes`    keeps a change counter (CONDSTORE)
    `server`           what it calls itself, for reports and learned rules ("dovecot", "cyrus", "courier", "")
    `quota_left`       bytes free as far as the server tells, None if it does not
    `nowhere`          that what the plan names is not there at all, in words; "" where it is
    """

    keeps_uids: bool = True
    largest: int | None = None
    tells_sizes: bool = False
    tells_changes: bool = False
    server: str = ""
    quota_left: int | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    nowhere: str = ""
