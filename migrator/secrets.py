"""Secrets: a plan names them, this reads them, as late as possible and once each.

A plan never holds a password. It says where one comes from: an environment variable, a file, a command, or the person at the
terminal. What is read is a SecretStr, which prints as stars; no message here repeats what was read or what a command said.
"""

from __future__ import annotations

import os
import shlex
import signal
import stat
import subprocess
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from migrator.errors import PlanError

KB = 1024
LARGEST_SECRET = 64 * KB
COMMAND_PATIENCE = timedelta(seconds=30)

Ask = Callable[[str], str]


class SecretSource(BaseModel):
    """Where a secret comes from: exactly one of the four."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"minProperties": 1, "maxProperties": 1})

    env: str | None = Field(None, min_length=1, description="The environment variable that holds it.")
    file: str | None = Field(
        None,
        min_length=1,
        description="The file that holds it, readable by its owner alone; a relative path starts at the plan.",
    )
    command: str | None = Field(
        None, min_length=1, description="A command that prints it, such as `pass show old/admin`; run without a shell."
    )
    ask: str | None = Field(
        None, min_length=1, description="The question to ask at the terminal, such as `Password of admin`."
    )

    @model_validator(mode="before")
    @classmethod
    def _no_password(cls, written: Any) -> Any:  # Any: whatever the plan says; it is looked at, never shown
        if isinstance(written, bool) or not isinstance(written, str | int | float):
            return written
        found = "text" if isinstance(written, str) else "a number"
        raise ValueError(
            f"holds {found}. A password does not stand in the plan; say where it comes from: "
            "{env: NAME}, {file: PATH}, {command: ...} or {ask: QUESTION}."
        )

    @field_validator("env")
    @classmethod
    def _no_dollar(cls, name: str | None) -> str | None:
        if name and name.startswith("$"):
            raise ValueError("write the name without the $.")
        return name

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [word for word in ("env", "file", "command", "ask") if getattr(self, word) is not None]
        if len(given) != 1:
            found = f"here are {' and '.join(given)}" if given else "here is none"
            raise ValueError(f"a secret comes from exactly one of env, file, command and ask; {found}.")
        return self


class Secrets:
    """The secrets of one plan. Safe to use from any thread; a secret that could not be read is not tried again.

    `folder` is where relative files start, `environ` the environment, `ask` how the person at the terminal is asked, None where
    there is no terminal, `patience` how long a command may take, `where` the place in the plan that says where a secret comes from.
    """

    def __init__(
        self,
        sources: Mapping[str, SecretSource],
        *,
        folder: Path,
        environ: Mapping[str, str],
        ask: Ask | None = None,
        patience: timedelta = COMMAND_PATIENCE,
        where: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._sources = sources
        self._folder = folder
        self._environ = environ
        self._ask = ask
        self._patience = patience
        self._where = where
        self._read: dict[str, SecretStr | PlanError] = {}
        self._one_at_a_time = Lock()

    def read(self, name: str) -> SecretStr:
        """The secret called `name`. Raises PlanError, with what to do, if it cannot be had."""
        with self._one_at_a_time:
            if name not in self._read:
                self._read[name] = self._try(name)
            found = self._read[name]
        if isinstance(found, PlanError):
            place = self._where(name)
            raise PlanError(f"{place}: {found}" if place else str(found), remedy=found.remedy)
        return found

    def _try(self, name: str) -> SecretStr | PlanError:
        try:
            text = self._find(name)
        except PlanError as error:
            return error
        if not text:
            return self._empty(name, self._sources[name])
        return SecretStr(text)

    def _empty(self, name: str, source: SecretSource) -> PlanError:
        if source.env is not None:
            told = f"The secret {name} comes from the environment variable {source.env}, which is set, but empty."
            return PlanError(told, remedy=f"Set it (export {source.env}=...), then start again.")
        if source.file is not None:
            path = self._folder / Path(source.file).expanduser()
            told = f"The secret {name} comes from {path}, which is empty."
            return PlanError(told, remedy="Write the secret into it, then start again.")
        if source.command is not None:
            told = f"The command {shlex.split(source.command)[0]} of the secret {name} printed nothing."
            return PlanError(told, remedy="Run it by hand and see what it says.")
        return PlanError(f"Nothing was typed for the secret {name}.", remedy="Start again.")

    def _find(self, name: str) -> str:
        source = self._sources.get(name)
        if source is None:
            raise PlanError(f"There is no secret called {name}.", remedy="Add it under secrets in the plan.")
        if source.env is not None:
            return self._from_environment(name, source.env)
        if source.file is not None:
            return self._from_file(name, source.file)
        if source.command is not None:
            return self._from_command(name, source.command)
        return self._from_terminal(name, source.ask or name)

    def _from_environment(self, name: str, variable: str) -> str:
        value = self._environ.get(variable)
        if value is None:
            raise PlanError(
                f"The secret {name} comes from the environment variable {variable}, which is not set.",
                remedy=f"Set it (export {variable}=...), then start again.",
            )
        return value

    def _from_file(self, name: str, written: str) -> str:
        path = self._folder / Path(written).expanduser()
        try:
            with open(path, "rb", opener=_without_waiting) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise PlanError(
                        f"The secret {name} comes from {path}, which is not a file.", remedy="Correct the plan."
                    )
                if status.st_mode & 0o077:
                    raise PlanError(
                        f"The secret {name} comes from {path}, which others may use (mode {stat.S_IMODE(status.st_mode):04o}).",
                        remedy=f"Run: chmod 600 {shlex.quote(str(path))}",
                    )
                raw = file.read(LARGEST_SECRET + 1)
        except OSError as error:
            reason = (error.strerror or "it cannot be opened").lower()
            raise PlanError(
                f"The secret {name} cannot be read from {path} ({reason}).", remedy="Correct the plan."
            ) from error
        return _text(name, raw)

    def _from_command(self, name: str, command: str) -> str:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise PlanError(
                f"The command of the secret {name} has a quote without its end.", remedy="Correct it."
            ) from error
        if not words:
            raise PlanError(f"The command of the secret {name} is empty.", remedy="Write the command.")
        program = words[0]
        # Other secrets are none of the command's business, and /proc shows a child's environment to its owner's processes.
        hidden = {source.env for source in self._sources.values() if source.env}
        environ = {key: value for key, value in self._environ.items() if key not in hidden}
        try:
            # A session of its own, so that a command that never ends can be stopped with all it started.
            with subprocess.Popen(  # noqa: S603 - the plan's author wrote the command, and no shell reads it
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environ,
                cwd=self._folder,
                start_new_session=True,
            ) as process:
                try:
                    raw, _ = process.communicate(timeout=self._patience.total_seconds())
                finally:
                    if process.poll() is None:
                        os.killpg(process.pid, signal.SIGKILL)
        except subprocess.TimeoutExpired:
            # Not "from": the exception holds what the command had printed so far.
            raise PlanError(
                f"The command {program} of the secret {name} did not end in {self._patience.total_seconds():.0f} seconds.",
                remedy="It must not ask questions; run it by hand once and see what it waits for.",
            ) from None
        except OSError as error:
            reason = (error.strerror or "it cannot be started").lower()
            raise PlanError(
                f"The command {program} of the secret {name} cannot be started ({reason}).", remedy="Correct the plan."
            ) from error
        if process.returncode != 0:
            raise PlanError(
                f"The command {program} of the secret {name} ended with status {process.returncode}.",
                remedy="Run it by hand and see what it says.",
            )
        return _text(name, raw)

    def _from_terminal(self, name: str, question: str) -> str:
        if self._ask is None:
            raise PlanError(
                f"The secret {name} is asked for at the terminal, and there is none.",
                remedy="Start in a terminal, or let the secret come from env, file or command.",
            )
        return self._ask(f"{question.rstrip(' :')}: ")


def _without_waiting(path: str, flags: int) -> int:
    """Opens without waiting for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _text(name: str, raw: bytes) -> str:
    """The secret without the line end that editors and commands put behind it."""
    if len(raw) > LARGEST_SECRET:
        raise PlanError(
            f"The secret {name} is larger than {LARGEST_SECRET // KB} KB.", remedy="It must be the secret alone."
        )
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        # Not "from": the exception holds the bytes.
        raise PlanError(f"The secret {name} is not UTF-8 text.", remedy="Store it as text.") from None
    return text.removesuffix("\n").removesuffix("\r")
