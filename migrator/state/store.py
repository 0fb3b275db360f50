"""Opens the memory of a plan: a file beside it, a PostgreSQL database by its URL, or nothing but memory (`sqlite://`).

A file is created readable by its owner alone, is checked before it is trusted, and is never altered by a version that does not know
its schema. One state serves one plan.

Nothing here opens the file but SQLite itself: closing any other descriptor of it would drop the locks SQLite holds.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection, IsolationLevel
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool, StaticPool

from migrator.engine.ledger import Holder
from migrator.errors import Held, NothingRun, StateError
from migrator.state.failures import damaged, full, sensible, translated
from migrator.state.lease import held, is_held, process_lives, this_process
from migrator.state.ledger import SqlStore, current_run
from migrator.state.schema import SCHEMA, Schema, bring_up, create, refuse_newer, revision_of

__all__ = ["SqlStore", "open_for_questions", "open_store", "rebuild", "state_beside", "this_process"]

PATIENCE_SECONDS = 10  # how long a writer waits for another process's transaction
_READERS = 4  # connections kept for questions; more are opened for a moment when all are busy
_MORE_READERS = 28
_CACHE_KB = 16 * 1024  # pages the writer keeps in memory; a large folder's keys arrive in no order
_UPGRADE_LOCK = 0x6D69_6772  # names the advisory lock that two processes creating one schema on PostgreSQL meet at
_COMPANIONS = ("-wal", "-shm")


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


def state_beside(plan: Path) -> Path:
    """Where the state of a plan lies unless told otherwise: `plan.state.sqlite` beside `plan.yaml`."""
    return plan.with_suffix(".state.sqlite")


def open_store(
    where: str | Path,
    now: Callable[[], datetime] = utc_now,
    *,
    lives: Callable[[Holder], bool] = process_lives,
    schema: Schema = SCHEMA,
) -> SqlStore:
    """The state at `where` (a file's path, or a URL: `postgresql+psycopg://...`, `sqlite:///...`, `sqlite://` for memory only), made
    if there is none and upgraded if it is older; a file is copied to `<name>.before-<schema>` first.

    Raises StateError, having changed nothing, when it is damaged, newer, not ours, or cannot be reached; Held when it would have to
    be upgraded under a living run.
    """
    place = _place(where)
    if isinstance(place, Path):
        return _open_file(place, now, lives, schema)
    if place.get_backend_name() == "sqlite":
        return _open_memory(now, lives)
    return _open_server(place, now, lives, schema)


def open_for_questions(
    where: str | Path, now: Callable[[], datetime] = utc_now, *, schema: Schema = SCHEMA
) -> SqlStore:
    """The state at `where`, for reading only, also while a run writes to it, and without being in its way.

    Raises NothingRun when there is none yet, StateError when it cannot be read; nothing is created.
    """
    place = _place(where)
    if isinstance(place, URL) and place.get_backend_name() == "sqlite":
        raise StateError(
            "Nothing has been run yet: no state in the memory of this process.", remedy="Name a file with --state."
        )
    if isinstance(place, Path):
        refuse_place(place)
        name, reader, there = str(place), _file_reader(place), place.exists()
    else:
        name, reader, there = _shown(place), _server_reader(place), True
    with ExitStack() as undo:
        undo.callback(reader.dispose)
        _refuse_unlike(name, _revision(name, reader) if there else None, schema)
        undo.pop_all()
    return SqlStore(name, reader, None, now, process_lives)


def _refuse_unlike(name: str, revision: str | None, schema: Schema) -> None:
    """Raises StateError for a state that cannot be read as it is."""
    refuse_newer(name, revision, schema)
    if revision is None:
        raise NothingRun(f"Nothing has been run yet: no state at {name}.", remedy="Start with `migrator run`.")
    if revision != schema.revision:
        raise StateError(
            f"{name} was written by an older migrator (schema {revision}; this one speaks {schema.revision}).",
            remedy="The next `migrator run` upgrades it.",
        )


def rebuild(
    where: str | Path,
    now: Callable[[], datetime] = utc_now,
    *,
    lives: Callable[[Holder], bool] = process_lives,
) -> Path | None:
    """Set a state file aside as `<name>.damaged-<n>` and answer its new name, None if there was no file; `open_store` then makes a
    fresh one. Raises Held if the file can still tell that a living run holds it, StateError for a database on a server.
    """
    place = _place(where)
    if not isinstance(place, Path):
        raise StateError(
            f"{_shown(place)} is a database on a server, which is not rebuilt from here.",
            remedy="Restore it from its backup, or name an empty database with --state: what arrived is found again.",
        )
    refuse_place(place)
    if not place.exists():
        return None
    _refuse_held_file(place, now, lives)
    aside = _free_name(place)
    try:
        place.rename(aside)
    except OSError as error:
        raise StateError(
            f"{place} cannot be set aside: {error.strerror}.", remedy="Check that you may write to its folder."
        ) from error
    for companion in _COMPANIONS:
        # They belong to the file as it is: left behind, SQLite would apply them to the fresh one.
        with suppress(FileNotFoundError):
            Path(f"{place}{companion}").rename(f"{aside}{companion}")
    return aside


# -- where -------------------------------------------------------------------------------------------------------------


def _place(where: str | Path) -> Path | URL:
    """A path for anything that lies in a file, else the URL. Raises StateError for a database we cannot speak to."""
    if isinstance(where, Path) or "://" not in where:
        return Path(where).absolute()
    try:
        url = make_url(where)
    except ArgumentError as error:
        raise StateError(
            "The URL of the state cannot be understood.",
            remedy="It looks like postgresql+psycopg://user:password@host/database.",
        ) from error
    backend = url.get_backend_name()
    if backend == "sqlite":
        return Path(url.database).absolute() if url.database and url.database != ":memory:" else url
    if backend != "postgresql":
        raise _not_spoken(url)
    return url.set(drivername="postgresql+psycopg")


def _not_spoken(url: URL) -> StateError:
    return StateError(
        f"{_shown(url)}: the state can be kept in SQLite or PostgreSQL, not in {url.get_backend_name()}.",
        remedy="Leave --state out to keep it in a file beside the plan.",
    )


def _shown(url: URL) -> str:
    """The URL as messages may show it."""
    return url.render_as_string(hide_password=True)


def refuse_place(path: Path) -> None:
    """Raises StateError where no file could be opened at `path`, in words better than the database's."""
    try:
        if path.is_dir():
            raise StateError(f"{path} is a folder; the state is a file.", remedy="Name a file with --state.")
        if not path.parent.is_dir():
            raise StateError(
                f"There is no folder {path.parent} for the state.", remedy="Make it, or name another with --state."
            )
    except OSError as error:
        raise _cannot_be_made(path, error) from error


# -- SQLite ------------------------------------------------------------------------------------------------------------


def _open_file(path: Path, now: Callable[[], datetime], lives: Callable[[Holder], bool], schema: Schema) -> SqlStore:
    refuse_place(path)
    name = str(path)
    reader, writer = _file_reader(path), _file_writer(path)
    with ExitStack() as undo:
        undo.callback(reader.dispose)
        undo.callback(writer.dispose)
        revision = _revision(name, reader) if path.exists() else None
        refuse_newer(name, revision, schema)
        if revision is not None:
            _refuse_unwritable(path)
            _keep_private(path)
            _check(name, reader, now, lives)
        if revision != schema.revision:
            with _alone_for(path), translated(name):
                _create(path)
                with writer.begin() as connection:
                    copy = Path(f"{path}.before-{schema.revision}")
                    _bring_up(name, connection, now, lives, schema, keep=lambda: _copy(path, copy))
        undo.pop_all()
    return SqlStore(name, reader, writer, now, lives)


def _file_reader(path: Path) -> Engine:
    """Connections that cannot write. Each question is a transaction of its own; in WAL mode it waits for nobody."""
    return create_engine(
        "sqlite://",
        creator=lambda: _connect(path, "ro&immutable=1" if _is_at_rest(path) else "ro"),
        poolclass=QueuePool,
        pool_size=_READERS,
        max_overflow=_MORE_READERS,
        pool_reset_on_return=None,
        hide_parameters=True,
    )


def _is_at_rest(path: Path) -> bool:
    """Whether a reader may do without the log's companions, because it could not make them: a folder we may not write to (a backup, a
    read-only mount) in which no run has left a log.
    """
    return not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()


def _file_writer(path: Path) -> Engine:
    """The one connection that writes: on disk when a commit returns, and no other writer from a transaction's start."""

    def connect() -> sqlite3.Connection:
        connection = _connect(path, "rw")
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", f"cache_size = -{_CACHE_KB}"):
            connection.execute(f"PRAGMA {setting}")
        return connection

    writer = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=0, hide_parameters=True
    )
    event.listen(writer, "begin", _begin_immediate)
    return writer


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection whose transactions are ours to begin; it never makes a file, which would be readable by others."""
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=PATIENCE_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _create(path: Path) -> None:
    """Make the empty file, its owner's alone from its first moment and under any umask; one that is there stays as it is."""
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise _cannot_be_made(path, error) from error
    try:
        os.fchmod(file, 0o600)
    finally:
        os.close(file)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Put the folder's list of names on the disk; SQLite syncs what is in a file, not that there is one."""
    entry = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems sync no folders
            os.fsync(entry)
    finally:
        os.close(entry)


@contextmanager
def _alone_for(path: Path) -> Iterator[None]:
    """Processes that create or upgrade a state in one folder do it one after the other. Leaves no lock file behind."""
    try:
        entry = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise _cannot_be_made(path, error) from error
    try:
        with suppress(OSError):  # some network file systems lock no folders; the transaction still decides then
            fcntl.flock(entry, fcntl.LOCK_EX)
        yield
    finally:
        os.close(entry)


def _bring_up(
    name: str,
    connection: Connection,
    now: Callable[[], datetime],
    lives: Callable[[Holder], bool],
    schema: Schema,
    keep: Callable[[], None],
) -> None:
    """Create the schema, or upgrade to it after `keep`; nothing if another process was faster."""
    revision = revision_of(name, connection)
    if revision == schema.revision:
        return
    if revision is None and schema == SCHEMA:
        create(connection, schema)
        return
    if revision is not None:
        _refuse_held(connection, now, lives)
        keep()
    bring_up(connection, schema)


def _check(name: str, reader: Engine, now: Callable[[], datetime], lives: Callable[[Holder], bool]) -> None:
    """Raises StateError if the file is damaged. Where a living run holds it, that run has checked it, and whoever asks next is
    told so at once instead of waiting for a large file to be read.
    """
    with translated(name), sensible(name), reader.connect() as connection:
        run = current_run(connection)
        if run is not None and is_held(run, this_process(), now(), lives):
            return
        if connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
            raise damaged(name)


def _refuse_held(connection: Connection, now: Callable[[], datetime], lives: Callable[[Holder], bool]) -> None:
    run, here = current_run(connection), this_process()
    if run is not None and is_held(run, here, now(), lives):
        raise held(run, here)


def _refuse_held_file(path: Path, now: Callable[[], datetime], lives: Callable[[Holder], bool]) -> None:
    reader = _file_reader(path)
    try:
        with translated(str(path)), sensible(str(path)), reader.connect() as connection:
            _refuse_held(connection, now, lives)
    except Held:
        raise
    except StateError:
        pass  # too damaged to tell, which is why it is to be rebuilt
    finally:
        reader.dispose()


def _refuse_unwritable(path: Path) -> None:
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise StateError(
            f"{path} cannot be written.",
            remedy="Check who owns it and its folder, and whether the disk is mounted read-only, or name another place with --state.",
        )


def _keep_private(path: Path) -> None:
    """Take back what a copy or a careless chmod gave to others; where the file is not ours to change, its owner decides."""
    if path.stat().st_mode & 0o077:
        with suppress(PermissionError):
            path.chmod(0o600)


def _copy(path: Path, copy: Path) -> None:
    """A complete copy as of now, its owner's alone. An older one of the same name is replaced."""
    copy.unlink(missing_ok=True)
    _create(copy)
    try:
        with closing(_connect(path, "ro")) as source, closing(_connect(copy, "rw")) as target:
            source.backup(target)
    except sqlite3.Error:
        copy.unlink(missing_ok=True)
        raise


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := Path(f"{path}.damaged-{number}")).exists():
        number += 1
    return aside


def _cannot_be_made(path: Path, error: OSError) -> StateError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return full(str(path))
    return StateError(
        f"{path} cannot be made: {error.strerror}.",
        remedy="Check that you may write to its folder, or name another place with --state.",
    )


# -- memory ------------------------------------------------------------------------------------------------------------


def _open_memory(now: Callable[[], datetime], lives: Callable[[Holder], bool]) -> SqlStore:
    """A state that ends with its store. Its one connection is the reader's and the writer's."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False),
        poolclass=StaticPool,
        hide_parameters=True,
    )
    event.listen(engine, "begin", _begin_immediate)
    with engine.begin() as connection:
        create(connection, SCHEMA)
    return SqlStore("the state in memory", engine, engine, now, lives)


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


def _open_server(url: URL, now: Callable[[], datetime], lives: Callable[[Holder], bool], schema: Schema) -> SqlStore:
    name = _shown(url)
    reader, writer = _server_reader(url), _server_writer(url)
    with ExitStack() as undo:
        undo.callback(reader.dispose)
        undo.callback(writer.dispose)
        revision = _revision(name, reader)
        refuse_newer(name, revision, schema)
        if revision != schema.revision:
            _refuse_encoding(name, reader)
            with translated(name), writer.begin() as connection:
                connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
                # The database's own backup stands for the copy that a file gets.
                _bring_up(name, connection, now, lives, schema, keep=lambda: None)
        undo.pop_all()
    return SqlStore(name, reader, writer, now, lives)


def _refuse_encoding(name: str, reader: Engine) -> None:
    with translated(name), reader.connect() as connection:
        encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise StateError(
            f"{name} keeps text as {encoding}, which does not hold every folder's name.",
            remedy="Give the state a database made with ENCODING 'UTF8'.",
        )


def _server_reader(url: URL) -> Engine:
    reader = _server(url, isolation_level="AUTOCOMMIT", pool_size=_READERS, max_overflow=_MORE_READERS)
    event.listen(reader, "connect", _set("SET default_transaction_read_only = on"))
    return reader


def _server_writer(url: URL) -> Engine:
    # A record whose UPDATE of the lease waited for another must see what that one wrote, whatever the server's default is.
    writer = _server(url, isolation_level="READ COMMITTED", pool_size=1, max_overflow=0)
    settings = (
        f"SET lock_timeout = '{PATIENCE_SECONDS}s'",
        # A commit that returned is on the disk: a server set to be faster than that is overruled, a stricter one is not.
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    )
    event.listen(writer, "connect", _set(*settings))
    return writer


def _server(url: URL, *, isolation_level: IsolationLevel, pool_size: int, max_overflow: int) -> Engine:
    try:
        return create_engine(
            url,
            isolation_level=isolation_level,
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_pre_ping=True,  # a run may pause for an hour, and firewalls forget idle connections
            connect_args={"connect_timeout": PATIENCE_SECONDS},
            hide_parameters=True,
        )
    except ImportError as error:
        raise StateError(
            "A state on PostgreSQL needs psycopg, which is not installed.",
            remedy="Install it with `pip install '.[postgresql]'` in the checkout of migrator.",
        ) from error


def _set(*settings: str) -> Callable[[DBAPIConnection, object], None]:
    """What each new connection is told, outside of any transaction so that no rollback takes it back."""

    def tell(connection: DBAPIConnection, _: object) -> None:
        before, connection.autocommit = connection.autocommit, True
        cursor = connection.cursor()
        for setting in settings:
            cursor.execute(setting)
        cursor.close()
        connection.autocommit = before

    return tell


def _revision(name: str, reader: Engine) -> str | None:
    with translated(name), reader.connect() as connection:
        return revision_of(name, connection)
