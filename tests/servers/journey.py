"""A whole journey as a person makes it: a plan in a folder, the real program in its own process, and mail on real servers.

What arrived is looked at by the lab's own road, never by the program's word alone.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from lab.road import Found, Letter, RoadError

CHECKOUT = Path(__file__).resolve().parents[2]
ODD = CHECKOUT / "fixtures" / "messages"
PATIENCE = 120  # seconds a command may take before the test gives up on it
FLAGS = (
    ("\\Seen",), ("\\Seen", "\\Answered"), ("\\Flagged",), ("\\Seen", "$Forwarded"), ("$Label1", "\\Seen"), ("\\Deleted",), (),
)  # fmt: skip
FIRST = datetime(2018, 3, 25, 0, 30, tzinfo=timezone(timedelta(hours=1)))

Contents = dict[tuple[str, ...], Counter[Found]]


# -- what a plan says -------------------------------------------------------------------------------------------------


def imap(server: Any, **more: Any) -> dict[str, Any]:
    """A server (or a proxy before one) as the endpoint of a plan, in clear text unless `more` says otherwise."""
    return {"type": "imap", "host": server.host, "port": server.port, "security": "none", **more}


def secure(server: Any, **more: Any) -> dict[str, Any]:
    """The same on its TLS port, trusting the lab's authority."""
    return {
        **imap(server),
        "host": "localhost",
        "port": server.tls_port,
        "security": "tls",
        "ca_file": server.ca_file,
        **more,
    }


@dataclass(frozen=True)
class Box:
    """One account of a plan. A password that is None is not told to the plan at all (an archive, a master user)."""

    source: str
    target: str
    source_password: str | None = None
    target_password: str | None = None

    @classmethod
    def between(cls, source: Any, source_user: str, target: Any, target_user: str) -> Box:
        """With the passwords that the two servers know."""
        return cls(source_user, target_user, source.users[source_user], target.users[target_user])


# -- the program ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: the signal that killed it) and all that it said."""

    code: int
    stdout: str
    stderr: str
    seconds: float = 0.0

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of `--json`; a line that a kill cut short is left out."""
        return list(_documents(self.stdout.splitlines()))

    @property
    def result(self) -> dict[str, Any]:
        """The last line of `--json`."""
        last = self.events[-1]
        assert last["event"] == "result", self
        return last

    def moved(self, *fates: str) -> int:
        """How many messages met one of these fates, so far, over all runs."""
        by_fate = self.result["sums"]["by_fate"]
        return sum(by_fate[fate]["items"] for fate in fates if fate in by_fate)

    def recorded(self) -> int:
        """How many outcomes this very run recorded."""
        batches = (event["by_fate"] for event in self.events if event["event"] == "batch-recorded")
        return sum(size["items"] for by_fate in batches for size in by_fate.values())

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.stdout[-3000:]}\n{self.stderr[-3000:]}"


def _documents(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


class Running:
    """A command at work, its events read along as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._began = time.monotonic()
        self._lines: list[str] = []
        self._told: list[str] = []
        self._told_more = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read_along, args=(process.stdout, self._lines), daemon=True),
            threading.Thread(target=self._read_along, args=(process.stderr, self._told), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def after(self, event: str, number: int = 1, *, step: str = "") -> None:
        """Wait until this event has come so many times (of one step of the plan, where that is named), or the command has ended."""
        of_step = f'"step": "{step}"' if step else ""
        self._wait_for(lambda: sum(f'"event": "{event}"' in line and of_step in line for line in self._lines) >= number)

    def says(self, words: str) -> None:
        """Wait until stderr has said this, or the command has ended."""
        self._wait_for(lambda: any(words in line for line in self._told))

    def kill(self) -> Ended:
        """kill -9, now."""
        return self.signal(signal.SIGKILL)

    def signal(self, number: int) -> Ended:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> Ended:
        """Wait for the end."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join()
        return Ended(code, "".join(self._lines), "".join(self._told), time.monotonic() - self._began)

    def _read_along(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            with self._told_more:
                lines.append(line)
                self._told_more.notify_all()
        with self._told_more:
            self._told_more.notify_all()

    def _wait_for(self, come: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        with self._told_more:
            while not come() and self.process.poll() is None and time.monotonic() < deadline:
                self._told_more.wait(0.05)


def begun(folder: Path, environment: Mapping[str, str], verb: str, *words: str) -> Running:
    """The real program at work on the plan in a folder, in a process of its own."""
    return Running(
        subprocess.Popen(
            [sys.executable, "-m", "migrator", verb, "plan.yaml", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    )


@dataclass
class Journey:
    """A folder with one plan in it, and the program to run there. Passwords reach it by its environment alone."""

    folder: Path
    source: Mapping[str, Any]
    target: Mapping[str, Any]
    boxes: Sequence[Box]
    steps: Sequence[Any] = ("mail",)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Further secrets, by the name the plan knows them under."""
    words: Sequence[str] = ()
    """Options that every command gets, such as --state."""

    def __post_init__(self) -> None:
        self.plan = self.folder / "plan.yaml"
        self.state = self.folder / "plan.state.sqlite"
        self._passwords: dict[str, str] = {}
        self.write()

    def write(self, **changed: Any) -> None:
        """Write the plan down again, with some of its parts changed."""
        for word, value in changed.items():
            setattr(self, word, value)
        self._passwords = dict(self.secrets)
        accounts = [self._account(number, box) for number, box in enumerate(self.boxes)]
        document = {
            "version": 1,
            "name": "journey",
            "secrets": {name: {"env": _variable(name)} for name in self._passwords},
            "endpoints": {"old": {"mail": dict(self.source)}, "new": {"mail": dict(self.target)}},
            "accounts": accounts,
            "defaults": {"route": "old -> new"},
            "steps": list(self.steps),
            "limits": {"patience": "30s"},
        }
        # JSON is YAML too, and whatever stands in a name is quoted by it.
        self.plan.write_text(json.dumps(document, indent=1))

    def _account(self, number: int, box: Box) -> dict[str, str]:
        account = {"source": box.source, "target": box.target}
        for side, password in (("source", box.source_password), ("target", box.target_password)):
            if password is not None:
                name = f"{side}-{number}"
                self._passwords[name] = password
                account[f"{side}_password"] = name
        return account

    @property
    def environment(self) -> dict[str, str]:
        """What the program finds in its environment: the passwords, and nothing that a terminal would add."""
        passwords = {_variable(name): password for name, password in self._passwords.items()}
        return {**os.environ, "PYTHONPATH": str(CHECKOUT), "TZ": "UTC", "COLUMNS": "120", **passwords}

    def begins(self, *words: str) -> Running:
        """A command, begun."""
        verb, *rest = words
        return begun(self.folder, self.environment, verb, *self.words, *rest)

    def does(self, *words: str) -> Ended:
        """A command, done. It never ends with a traceback."""
        ended = self.begins(*words).end()
        assert "Traceback" not in ended.stderr, ended
        assert ended.code != 1, ended
        return ended

    def runs(self, *words: str) -> Ended:
        """`migrator run --json`, done."""
        return self.does("run", "--json", *words)

    def succeeds(self, *words: str) -> Ended:
        """A command that ends with 0."""
        ended = self.does(*words)
        assert ended.code == 0, ended
        return ended


def _variable(secret: str) -> str:
    return "JOURNEY_" + secret.replace("-", "_").upper()


# -- mail on both sides -----------------------------------------------------------------------------------------------


def letter(number: int, *, size: int = 0) -> Letter:
    """One ordinary message; every number makes another, and always the same."""
    chance = random.Random(number)
    text = "".join(f"Una línea de texto {chance.random()}.\r\n" for _ in range(chance.randint(1, 40) + size // 40))
    content = (
        f"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: number {number}\r\n"
        f"Message-ID: <{number}.{chance.randrange(2**32)}@example.com>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}"
    )
    date = FIRST + timedelta(seconds=chance.randrange(200_000_000))
    return Letter(content.encode(), chance.choice(FLAGS), date)


def letters(count: int, *, first: int = 1, size: int = 0) -> list[Letter]:
    """So many ordinary messages."""
    return [letter(number, size=size) for number in range(first, first + count)]


def twins() -> list[Letter]:
    """Three messages with the same bytes; two of them agree in everything else too."""
    one = letter(99_000)
    return [one, one, Letter(one.content, ("\\Flagged",), FIRST)]


def odd_letters() -> list[Letter]:
    """The messages of fixtures/, as they are."""
    return [
        Letter(path.read_bytes(), FLAGS[number % len(FLAGS)], FIRST + timedelta(hours=number))
        for number, path in enumerate(sorted(ODD.glob("*.eml")))
    ]


def fill_with_odd_ones(server: Any, user: str, folder: str) -> int:
    """Put the odd messages into a folder; how many the server took (none takes all of them)."""
    taken = server.fill(user, folder, [])
    for one in odd_letters():
        try:
            taken += server.fill(user, folder, [one])
        except RoadError:
            continue
    return taken


def contents(server: Any, user: str) -> Contents:
    """Everything a mailbox holds, under the parts of the folders' names, so that two servers can be compared."""
    return {parts(server, folder): found for folder, found in server.contents(user).items() if found}


def parts(server: Any, folder: str) -> tuple[str, ...]:
    """A folder's name without prefix and separators; INBOX is ("INBOX",)."""
    if folder.upper() == "INBOX":
        return ("INBOX",)
    return tuple(folder.removeprefix(server.prefix).split(server.separator))


def texts(found: Contents) -> dict[tuple[str, ...], Counter[str]]:
    """Only what the messages say: no flags, no dates."""
    return {folder: Counter(row.digest for row in rows.elements()) for folder, rows in found.items()}


def count(found: Contents) -> int:
    """How many messages there are."""
    return sum(rows.total() for rows in found.values())
