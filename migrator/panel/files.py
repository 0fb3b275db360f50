"""Files with passwords in them, changed whole or not at all, by one writer at a time.

What surprises: a file that is there keeps its owner and its mode, since a mail server has to go on reading it; one that is made here
is for its owner alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from migrator.errors import EndpointUnfit, NoSpace, Unavailable
from migrator.wire import disk

LOCK = ".lock"


def read_text(path: Path) -> str | None:
    """What is in a file, bytes that are no UTF-8 kept as they are; None where there is none. Raises EndpointUnfit where it may not be read."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, "cannot be read", error) from error


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody else of ours changes the file meanwhile. Raises Unavailable when somebody does."""
    lock = path.with_name(path.name + LOCK)
    try:
        handle = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, disk.PRIVATE_FILE)
    except OSError as error:
        raise _refused(lock, "cannot be made", error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unavailable(f"{path}: somebody else is changing it.") from error
        yield
    finally:
        os.close(handle)


def replace_text(path: Path, text: str) -> None:
    """Put this into the file, so that whoever opens it sees the old text or the new one, also after a power cut. Raises
    EndpointUnfit, NoSpace.
    """
    whole = Path(os.path.realpath(path))  # a link stays a link
    try:
        handle, name = tempfile.mkstemp(prefix=f".{whole.name}.", dir=whole.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.write(text)
                file.flush()
                _like(whole, file.fileno())
                _later(whole, file.fileno())
                os.fsync(file.fileno())
            Path(name).replace(whole)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
        disk.sync(whole.parent)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(
                f"{path}: there is no room left ({error.strerror}).", remedy="Make room on that disk, then run again."
            ) from error
        raise _refused(path, "cannot be written", error) from error


def _like(there: Path, handle: int) -> None:
    """Owner and mode of the file that is replaced. Who may not give a file away keeps it."""
    try:
        old = there.stat()
    except FileNotFoundError:
        os.fchmod(handle, disk.PRIVATE_FILE)
        return
    with suppress(PermissionError):
        os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, old.st_mode & 0o777)


def _later(there: Path, handle: int) -> None:
    """A new second on a file of the same size: by these two Dovecot tells that it has to read it again."""
    with suppress(FileNotFoundError):
        old, new = there.stat(), os.fstat(handle)
        if old.st_size == new.st_size and int(new.st_mtime) <= int(old.st_mtime):
            os.utime(handle, (old.st_mtime + 1, old.st_mtime + 1))


def _refused(path: Path, what: str, error: OSError) -> EndpointUnfit:
    return EndpointUnfit(f"{path}: it {what} ({error.strerror}).", remedy="Check the path in the plan and its rights.")
