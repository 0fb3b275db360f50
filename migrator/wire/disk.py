"""What the rooms share that keep things in files: names that become paths, writing that lasts, and the file system's errors in our words.

A name from a server or a plan is never a path by itself: it is checked here first, component by component. Raw names hold
one byte a character (see mail/model.py), so they go to disk and come back byte for byte whatever the locale says.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from migrator.errors import EndpointUnfit, MigratorError, Misbehaved, NoSpace, NotFound, Refused, Unavailable

LONGEST_NAME = 200  # bytes of one name on disk; file systems end at 255, and suffixes are still to come
LONGEST_PATH = 1000  # bytes of a folder's name with all its parts; a path ends at 4096, and the base is still to come
PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600

_PLAIN_ACCOUNT = re.compile(r"[a-z0-9_][a-z0-9@._+=-]*")
_NOT_PLAIN = re.compile(r"[^a-z0-9@_+=-]+")
_DEVICE = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE
)  # reserved where a disk is shared with Windows
_FIRST_PRINTABLE = 0x20
_DELETE = 0x7F

# -- names ------------------------------------------------------------------------------------------------------------


def account_folder(account: str) -> str:
    """The folder name of an account: the address itself where that is a harmless name, else a readable remainder and a
    digest, so that no two accounts share one.
    """
    if _PLAIN_ACCOUNT.fullmatch(account) and len(account) <= LONGEST_NAME and not _DEVICE.fullmatch(account):
        return account
    remainder = _NOT_PLAIN.sub("-", account.lower()).strip("-")[:60]
    return f"{remainder or 'account'}--{hashlib.sha256(account.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def escapes(component: str) -> bool:
    """Whether this would not be one name inside its folder; asked before any name meets a path, read or written."""
    return component in {"", ".", ".."} or not {"/", "\0"}.isdisjoint(component) or max(component) > "\xff"


def refusal(component: str) -> str:
    """Why one part of a folder's name is not made on disk, in words; "" if it can be."""
    if component in {"", ".", ".."}:
        return "a part of the name is empty or made of dots only"
    if "/" in component:
        return "a slash inside a part of the name would make it a path"
    if any(ord(letter) < _FIRST_PRINTABLE or ord(letter) == _DELETE for letter in component):
        return "the name holds a control character"
    if max(component) > "\xff":
        return "the name is not spelled in modified UTF-7"
    if len(component) > LONGEST_NAME:
        return f"a part of the name is longer than {LONGEST_NAME} bytes"
    return ""


def is_device(name: str) -> bool:
    """Whether some systems take this file name for a device (`con`, `aux.mbox`)."""
    return bool(_DEVICE.fullmatch(name))


def twin_in_other_case(path: Path) -> str:
    """Words of refusal if the file system takes `path` for a neighbour spelled with other letter case, so that two folders
    would become one; "" if not.
    """
    if not path.exists() or path in path.parent.iterdir():
        return ""
    return f"this disk does not tell {path.name} from a folder that is there in other letter case"


def to_disk(raw: str) -> str:
    """The file name that holds these bytes."""
    return os.fsdecode(raw.encode("latin-1"))


def from_disk(name: str) -> str:
    """The raw name that a file name's bytes spell."""
    return os.fsencode(name).decode("latin-1")


def inside(path: Path, base: Path) -> Path:
    """The same path, proven to stay below `base` once links are followed. Raises Misbehaved if a link leads out."""
    if path.resolve().is_relative_to(base.resolve()):
        return path
    raise Misbehaved(
        f"{path} is a link that leads out of {base}; it was not followed.",
        remedy="Put the real folder in its place, or name that folder as the path of an endpoint of its own.",
    )


# -- writing ----------------------------------------------------------------------------------------------------------


def make_folder(path: Path) -> None:
    """Make a folder and the missing ones above it, for its owner only; on disk when this returns."""
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent)
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have a file's content, or a folder's list of names, on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, content: bytes) -> None:
    """Put a whole file in place of the one there, so that a crash leaves one of the two, never half of either."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with opened(draft, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync(path.parent)


def append_to_file(path: Path, content: bytes, at: int) -> int:
    """Write at offset `at`, cutting what a crash may have left behind it; on disk when this returns. Answers the new size."""
    with opened(path, "r+b") as file:
        file.truncate(at)
        file.seek(at)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return at + len(content)


def opened(path: Path, mode: Literal["rb", "wb", "xb", "r+b"] = "rb") -> IO[bytes]:
    """Open a file of a store: a new one is readable by its owner only, and a link is not followed."""
    return open(path, mode, opener=_private)  # Path.open takes no opener


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder against other sessions that write, of this process or another; the kernel lets go at our death."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def space_left(path: Path) -> int | None:
    """Bytes that may still be written where `path` is or will be; None if the file system does not tell."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        room = os.statvfs(there)
    except OSError:
        return None
    return room.f_bavail * room.f_frsize


# -- errors -----------------------------------------------------------------------------------------------------------


@contextmanager
def in_our_words(about: str) -> Iterator[None]:
    """Errors of the file system leave as ours; `about` is what was being done, as `writing INBOX of alice@example.com`."""
    try:
        yield
    except OSError as error:
        raise _translated(error, about) from error


def _translated(error: OSError, about: str) -> MigratorError:
    kind, remedy = _MEANINGS.get(error.errno or 0, (Misbehaved, "Look after that disk, then run again."))
    return kind(f"{about}: {error.strerror or error}.", remedy=remedy)


_NO_ROOM = (NoSpace, "Make room on that disk, then run again.")
_NOT_THERE = (NotFound, "It was moved or removed meanwhile; run again.")
_NO_RIGHT = (Misbehaved, "Give the user who runs this the right to it, then run again.")
_IN_THE_WAY = (Misbehaved, "Something else stands in that place; move it away, then run again.")
_BUSY = (Unavailable, "")
_MEANINGS: dict[int, tuple[type[MigratorError], str]] = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.ENOENT: _NOT_THERE,
    errno.ENOTDIR: _NOT_THERE,
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: (EndpointUnfit, "Mount that disk for writing, then run again."),
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENAMETOOLONG: _NOT_THERE,  # nothing can be there; what is made has its name checked before
    errno.EFBIG: (Refused, ""),
    errno.EMFILE: _BUSY,
    errno.ENFILE: _BUSY,
    errno.EAGAIN: _BUSY,
    errno.ESTALE: _BUSY,
}
