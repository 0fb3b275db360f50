"""The hand-out: passwords that were made during a move, in a file for the admin alone, until their owners have them.

It lies beside the plan, readable by its owner only, one line of CSV for each password; the last line of an address counts. With an
age recipient (https://age-encryption.org) every line is a message of its own to that recipient: this program can add to the file,
and only the holder of the identity can read it.
"""

from __future__ import annotations

import csv
import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

from pydantic import SecretStr

from migrator import age
from migrator.errors import PlanError, StateFull

COLUMNS = ("address", "password")
ADDRESS = "# "
_ARMOR_END = "-----END AGE ENCRYPTED FILE-----"


def handout_of(plan: Path, *, encrypted: bool = False) -> Path:
    """Where a plan's hand-out lies: `plan.handout.csv` beside `plan.yaml`, `plan.handout.age` when it is encrypted."""
    return plan.with_name(f"{plan.stem}.handout.{'age' if encrypted else 'csv'}")


class Handout:
    """The passwords made for one plan. Safe to use from any thread."""

    def __init__(self, path: Path, recipient: str | None = None, heard: Callable[[str], None] = lambda _: None) -> None:
        """`recipient` is an age public key; `heard` hears every password, so that no output shows it."""
        self._path = path
        self._recipient = recipient
        self._heard = heard
        self._lock = Lock()
        self._known: dict[str, SecretStr] | None = None
        self._sealed: set[str] = (
            set()
        )  # addresses of an encrypted hand-out, which stand before each message in the clear

    def password_of(self, address: str) -> SecretStr | None:
        """The password made for an address; None where there is none, or where only the holder of the identity can tell."""
        with self._lock:
            return self._read().get(address.lower())

    def holds(self, address: str) -> bool:
        """Whether a password was made for an address, be it one that cannot be read here."""
        with self._lock:
            return address.lower() in self._read() or address.lower() in self._sealed

    def add(self, address: str, password: SecretStr) -> None:
        """Write one down, on disk before this returns. Raises StateFull where there is no room, PlanError where it cannot be written."""
        with self._lock:
            known = self._read()
            self._heard(password.get_secret_value())
            self._append(address, _line(address, password))
            known[address.lower()] = password

    def _read(self) -> dict[str, SecretStr]:
        if self._known is None:
            readable = not self._recipient and self._path.exists()
            self._known = dict(passwords_in(self._path)) if readable else {}
            for password in self._known.values():
                self._heard(password.get_secret_value())
            if self._recipient and self._path.exists():
                lines = self._path.read_text(encoding="utf-8").splitlines()
                self._sealed = {line.removeprefix(ADDRESS) for line in lines if line.startswith(ADDRESS)}
        return self._known

    def _append(self, address: str, line: str) -> None:
        text = f"{ADDRESS}{address.lower()}\n{_sealed(line, self._recipient)}" if self._recipient else line
        new = not self._path.exists()
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                if new and not self._recipient:
                    file.write(",".join(COLUMNS) + "\n")
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StateFull(
                f"The hand-out {self._path} cannot be written ({(error.strerror or 'it cannot be opened').lower()}); no account was made.",
                remedy="Make room or correct its permissions, then run again.",
            ) from error


def passwords_in(path: Path, identity: Path | None = None) -> Iterator[tuple[str, SecretStr]]:
    """The passwords of a hand-out by address in lower case, oldest first. An encrypted one needs the file with the age identity.
    Raises PlanError where it cannot be read, or others may read it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"The hand-out {path} cannot be read.", remedy="Restore it, or move it away.") from error
    if mode & 0o077:
        raise PlanError(
            f"The hand-out {path} may be read by others (mode {mode:04o}).", remedy=f"Run: chmod 600 {path}"
        )
    if _ARMOR_END in text:
        clear = "\n".join(line for line in text.splitlines() if not line.startswith(ADDRESS))
        text = "".join(_opened(block + _ARMOR_END + "\n", path, identity) for block in clear.split(_ARMOR_END)[:-1])
    for row in csv.reader(io.StringIO(text)):
        if len(row) == len(COLUMNS) and tuple(row) != COLUMNS:
            yield row[0].lower(), SecretStr(row[1])


def _line(address: str, password: SecretStr) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([address, password.get_secret_value()])
    return out.getvalue()


def _sealed(line: str, recipient: str) -> str:
    try:
        return age.sealed(line.encode(), [recipient], armored=True).decode().rstrip("\n") + "\n"
    except ValueError as error:
        raise PlanError("handout.recipient is no age public key (age1...).", remedy="Correct the plan.") from error


def _opened(message: str, path: Path, identity: Path | None) -> str:
    if identity is None:
        raise PlanError(
            f"The hand-out {path} is encrypted.", remedy="Name the file with the age identity: --identity FILE."
        )
    try:
        return age.opened(message.strip().encode(), identity.read_text(encoding="utf-8")).decode()
    except (OSError, ValueError) as error:
        raise PlanError(
            f"The hand-out {path} cannot be opened with {identity}.",
            remedy="Use the identity that belongs to the plan's recipient.",
        ) from error
