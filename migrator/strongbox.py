"""The strongbox: secrets of others that a run has to keep for a while, such as password hashes it will put back.

A file beside the plan that is its owner's alone, written anew and whole with every change, so that a death leaves the old one or the
new one; it is gone when nothing is in it. Nothing of it ever reaches the state.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from pydantic import SecretStr

from migrator.errors import PlanError, StateFull


def strongbox_of(plan: Path) -> Path:
    """Where a plan's strongbox lies: `plan.strongbox.json` beside `plan.yaml`."""
    return plan.with_name(f"{plan.stem}.strongbox.json")


class FileStrongbox:
    """The engine's Strongbox, in a file. Safe to use from any thread."""

    def __init__(self, path: Path, heard: Callable[[str], None] = lambda _: None) -> None:
        """`heard` hears every secret, so that no output shows it."""
        self._path = path
        self._heard = heard
        self._lock = Lock()
        self._held: dict[str, str] | None = None

    def names(self) -> tuple[str, ...]:
        """What is in it."""
        with self._lock:
            return tuple(self._read())

    def get(self, name: str) -> SecretStr | None:
        """One secret; None if it is not there. Raises PlanError where the file cannot be read, or others may read it."""
        with self._lock:
            found = self._read().get(name)
            return None if found is None else SecretStr(found)

    def put(self, name: str, secret: SecretStr) -> None:
        """Put one in, on disk before this returns. Raises StateFull where it cannot be written."""
        with self._lock:
            self._heard(secret.get_secret_value())
            self._write({**self._read(), name: secret.get_secret_value()})

    def remove(self, name: str) -> None:
        """Take one out, as `put`."""
        with self._lock:
            self._write({other: secret for other, secret in self._read().items() if other != name})

    def _read(self) -> dict[str, str]:
        if self._held is None:
            self._held = self._from_disk()
            for secret in self._held.values():
                self._heard(secret)
        return self._held

    def _from_disk(self) -> dict[str, str]:
        try:
            mode = stat.S_IMODE(self._path.stat().st_mode)
            held = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise PlanError(
                f"The strongbox {self._path} cannot be read.",
                remedy="It holds passwords to be put back: restore it from a copy.",
            ) from error
        if mode & 0o077:
            raise PlanError(
                f"The strongbox {self._path} may be read by others (mode {mode:04o}).",
                remedy=f"Run: chmod 600 {self._path}",
            )
        return {str(name): str(secret) for name, secret in held.items()}

    def _write(self, held: dict[str, str]) -> None:
        try:
            if not held:
                self._path.unlink(missing_ok=True)
            else:
                new = self._path.with_suffix(".new")
                new.unlink(missing_ok=True)
                descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(held, file)
                    file.flush()
                    os.fsync(file.fileno())
                new.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StateFull(
                f"The strongbox {self._path} cannot be written ({(error.strerror or 'it cannot be opened').lower()}).",
                remedy="Make room or correct its permissions, then run again.",
            ) from error
        self._held = held
