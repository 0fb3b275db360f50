"""Files with contacts in them: books' names that become file names, appending and replacing that survive a death.

What surprises: an append is announced in a small file beside the book, `.<name>.appending`, before it begins. Whoever opens the book for
writing next finds it there if the append was cut short, and takes back what is only half there. What somebody else wrote meanwhile is
never cut.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO, Self, cast
from urllib.parse import unquote

from migrator.errors import Misbehaved, Refused
from migrator.frozen import dataclass
from migrator.wire.disk import LONGEST_NAME, PRIVATE_FILE, is_device, sync

CHUNK = 1024 * 1024

_NOT_IN_A_NAME = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|%]')

# -- names ------------------------------------------------------------------------------------------------------------


def book_file(name: str, suffix: str) -> str:
    """The file name of an address book; `book_name` gives the name back. Raises Refused for a name that no file can have."""
    escaped = _NOT_IN_A_NAME.sub(lambda found: f"%{ord(found[0]):02X}", name)
    if escaped.startswith(".") or is_device(escaped):
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


# -- a book in many files ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Joined:
    """Files put one behind the other in a file without a name, as UTF-8 where a mark at their beginning says what they are in."""

    file: BinaryIO
    stamps: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Self:
        """These files, as they are now."""
        stamped = stamps(paths)
        file = cast("BinaryIO", TemporaryFile())  # noqa: SIM115 - open as long as its reader
        for path in paths:
            file.write(_in_utf8(path.read_bytes()))
            file.write(b"\r\n")
        file.flush()
        return cls(file, stamped)


def stamps(paths: Sequence[Path]) -> tuple[tuple[int, ...], ...]:
    """What changes when one of the files does."""
    told = (path.stat() for path in paths)
    return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in told)


def _in_utf8(raw: bytes) -> bytes:
    if raw.startswith(codecs.BOM_UTF8):
        return raw.removeprefix(codecs.BOM_UTF8)
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace").encode()
    return raw


# -- writing ----------------------------------------------------------------------------------------------------------


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
    sync(whole.parent)


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
    sync(path.parent)


def copy(file: IO[bytes], fresh: IO[bytes], start: int, stop: int) -> None:
    """Put a part of one file at the end of another."""
    file.seek(start)
    while start < stop:
        piece = file.read(min(CHUNK, stop - start))
        if not piece:
            return
        fresh.write(piece)
        start += len(piece)
