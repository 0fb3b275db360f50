"""Files with contacts in them: names that become paths, appending and replacing that survive a death, the disk's errors in our words.

What surprises: an append is announced in a small file beside the book, `.<name>.appending`, before it begins. Whoever opens the book for
writing next finds it there if the append was cut short, and takes back what is only half there. What somebody else wrote meanwhile is
never cut.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from migrator.errors import EndpointRefused, MigratorError, Misbehaved, NoSpace, NotFound, Refused, Unavailable

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
LONGEST_NAME = 200  # bytes of one name on disk; file systems end at 255, and suffixes are still to come
CHUNK = 1024 * 1024

_PLAIN_ACCOUNT = re.compile(r"[a-z0-9_][a-z0-9@._+=-]*")
_NOT_PLAIN = re.compile(r"[^a-z0-9@_+=-]+")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # where a disk is shared with Windows
_NOT_IN_A_NAME = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|%]')

# -- names ------------------------------------------------------------------------------------------------------------


def account_folder(account: str) -> str:
    """The folder name of an account: the address itself where that is a harmless name, else a readable remainder and a digest, so that
    no two accounts share one.
    """
    if _PLAIN_ACCOUNT.fullmatch(account) and len(account) <= LONGEST_NAME and not _DEVICE.fullmatch(account):
        return account
    remainder = _NOT_PLAIN.sub("-", account.lower()).strip("-")[:60]
    return f"{remainder or 'account'}--{hashlib.sha256(account.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def book_file(name: str, suffix: str) -> str:
    """The file name of an address book; `book_name` gives the name back. Raises Refused for a name that no file can have."""
    escaped = _NOT_IN_A_NAME.sub(lambda found: f"%{ord(found[0]):02X}", name)
    if escaped.startswith(".") or _DEVICE.fullmatch(escaped):
        escaped = f"%{ord(escaped[0]):02X}{escaped[1:]}"
    if not escaped or len(escaped.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
        raise Refused(
            f"{name[:60] or '(no name)'}: an address book of this name cannot be a file.",
            remedy="Rename it at the source.",
        )
    return escaped + suffix


def book_name(file: str, suffix: str) -> str:
    """The address book's name that a file's name spells."""
    stem = file[: -len(suffix)] if file.lower().endswith(suffix) else file
    return unquote(stem, errors="replace")


# -- writing ----------------------------------------------------------------------------------------------------------


def make_folder(path: Path) -> None:
    """Make a folder and the missing ones above it, for its owner only; on disk when this returns."""
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent)
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Have a folder's list of names on disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of the one at `path` when all went well, on disk; else nothing has changed. To be held."""
    whole = Path(os.path.realpath(path))  # a link stays a link
    draft = whole.with_name(f".{whole.name}.new")  # the same each time: what a death leaves behind is written over
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), whole.stat().st_mode & 0o777)
            os.fsync(file.fileno())
        draft.replace(whole)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    sync_folder(whole.parent)


def append(path: Path, content: bytes) -> int:
    """Put content at the end of a file, on disk when this returns; answers where it begins. A file that is not there is made."""
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        with replacing(path) as fresh:
            fresh.write(content)
        return 0
    with file:
        at = file.seek(0, os.SEEK_END)
        announced = {"at": at, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        with replacing(_announcement(path)) as journal:
            journal.write(json.dumps(announced).encode())
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                os.ftruncate(file.fileno(), at)
            raise
    _forget_announcement(path)
    return at


def take_back_half(path: Path) -> bool:
    """Cut away what an append that died left half-way; whether there was such a thing. To be called before a file is changed."""
    if not _announcement(path).exists():
        return False
    end = whole_until(path)
    if end is not None:
        with path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())
    _forget_announcement(path)
    return end is not None


def whole_until(path: Path) -> int | None:
    """Where a file ends for who reads it while an append is under way, or after it died; None where nothing is half-way."""
    try:
        announced = json.loads(_announcement(path).read_bytes())
        at, size, digest = int(announced["at"]), int(announced["size"]), str(announced["sha256"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Misbehaved(
            f"{_announcement(path)} is not what was written there.",
            remedy=f"Look at the end of {path.name}, remove that file, then run again.",
        ) from error
    with suppress(FileNotFoundError), path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(at)
        # More than was announced is somebody else's writing: it stays, and so does what is before it.
        if at < end <= at + size and hashlib.sha256(file.read(size)).hexdigest() != digest:
            return at
    return None


def _announcement(path: Path) -> Path:
    return path.with_name(f".{path.name}.appending")


def _forget_announcement(path: Path) -> None:
    _announcement(path).unlink(missing_ok=True)
    sync_folder(path.parent)


def copy(file: IO[bytes], fresh: IO[bytes], start: int, stop: int) -> None:
    """Put a part of one file at the end of another."""
    file.seek(start)
    while start < stop:
        piece = file.read(min(CHUNK, stop - start))
        if not piece:
            return
        fresh.write(piece)
        start += len(piece)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder's files against other sessions that write, of this process or another; the kernel lets go at our death."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


# -- errors -----------------------------------------------------------------------------------------------------------


@contextmanager
def in_our_words(about: str) -> Iterator[None]:
    """Errors of the file system leave as ours; `about` is what was being done, as `writing Friends of ann@example.com`."""
    try:
        yield
    except OSError as error:
        raise _translated(error, about) from error


def _translated(error: OSError, about: str) -> MigratorError:
    kind, remedy = _MEANINGS.get(error.errno or 0, (Misbehaved, "Look after that disk, then run again."))
    return kind(f"{about}: {error.strerror or error}.", remedy=remedy)


_NO_ROOM = (NoSpace, "Make room on that disk, then run again.")
_NOT_THERE = (NotFound, "The file was moved or removed meanwhile; run again.")
_NO_RIGHT = (EndpointRefused, "Give the user who runs this the right to it, then run again.")
_IN_THE_WAY = (Misbehaved, "Something else stands in that place; move it away, then run again.")
_BUSY = (Unavailable, "")
_MEANINGS: dict[int, tuple[type[MigratorError], str]] = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.ENOENT: _NOT_THERE,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: (EndpointRefused, "Mount that disk for writing, then run again."),
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EMFILE: _BUSY,
    errno.ENFILE: _BUSY,
    errno.EAGAIN: _BUSY,
    errno.ESTALE: _BUSY,
}
