"""What a database says when something is wrong, as our own errors: one sentence, and what to do.

Nothing outside this file reads an error code of SQLite or PostgreSQL.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from migrator.errors import StateError, StateFull

_PRIMARY = 0xFF  # the low byte of an extended SQLite code is the kind of error
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_ROOM = 64 * 1024  # bytes free; SQLite reports some failures of a full disk as plain input/output errors
_POSTGRESQL_DISK_FULL = "53100"


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Lets our own errors pass and turns those of the database about `where` (a path or a URL without password) into ours."""
    try:
        yield
    except DBAPIError as error:
        raise _ours(where, error) from error
    except sqlite3.Error as error:
        raise _of_sqlite(where, error) from error
    except SQLAlchemyError as error:
        raise StateError(f"{where}: the state cannot be used: {_first_line(error)}") from error


@contextmanager
def sensible(where: str) -> Iterator[None]:
    """Turns an answer that no version of ours wrote (an unknown word where an enum was, text where a date was) into damage."""
    try:
        yield
    except (LookupError, ValueError) as error:
        raise damaged(where) from error


def damaged(where: str) -> StateError:
    """The refusal of a state that cannot be trusted."""
    return StateError(
        f"{where} is damaged, or is not a state of migrator.",
        remedy="If it is this plan's state, `migrator run --rebuild-state` sets it aside and learns from both servers what is there.",
    )


def _ours(where: str, error: DBAPIError) -> StateError:
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(where, cause)
    if getattr(cause, "sqlstate", None) == _POSTGRESQL_DISK_FULL:
        return full(where)
    if error.connection_invalidated or getattr(cause, "sqlstate", None) is None:
        return StateError(
            f"{where}: the database that holds the state does not answer: {_first_line(cause)}",
            remedy="What was recorded is safe. When the database is back, run again.",
        )
    return StateError(f"{where}: the database that holds the state refused: {_first_line(cause)}")


def _of_sqlite(where: str, cause: sqlite3.Error) -> StateError:
    kind = getattr(cause, "sqlite_errorcode", 0) & _PRIMARY
    if kind in _DAMAGED:
        return damaged(where)
    if kind == sqlite3.SQLITE_FULL or (kind == sqlite3.SQLITE_IOERR and _no_room_at(where)):
        return full(where)
    if kind == sqlite3.SQLITE_READONLY:
        return StateError(
            f"{where} cannot be written.",
            remedy="Check who owns it and whether the disk is mounted read-only, or name another place with --state.",
        )
    if kind in _LOCKED:
        return StateError(
            f"{where} is locked by another program.",
            remedy="Close what has it open (a database browser, a backup), then run again.",
        )
    if kind == sqlite3.SQLITE_CANTOPEN:
        return StateError(
            f"{where} cannot be opened.",
            remedy="Check that you may read and write it and its folder, or name another place with --state.",
        )
    return StateError(
        f"{where} cannot be used: {_first_line(cause)}",
        remedy="Check the disk it lies on, or name another place with --state.",
    )


def full(where: str) -> StateFull:
    """The disk, the quota or the server's disk is full; nothing of the transaction was kept."""
    return StateFull(
        f"{where}: no room is left to record.",
        remedy="Make room, then run again; what was recorded is safe.",
    )


def _no_room_at(where: str) -> bool:
    try:
        disk = os.statvfs(Path(where).parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _NO_ROOM


def _first_line(error: BaseException | None) -> str:
    """The rest of a database's message may quote the row it is about."""
    return f"{error}".strip().partition("\n")[0]
