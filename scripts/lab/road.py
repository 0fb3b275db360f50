"""A second road to the mail on a server: it sends exactly the bytes it is given and shows exactly what came back.

Tests and the demo fill mailboxes by it and look at what arrived by it, so that neither leans on the code being tested. Folder
names are as on the wire.
"""

from __future__ import annotations

import hashlib
import re
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import NamedTuple, Self

TIMEOUT = 60.0  # seconds without a byte
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class RoadError(Exception):
    """The server refused or left; the message is its own."""


@dataclass(frozen=True)
class Letter:
    """A message to put somewhere: its bytes, its flags as sent, when it arrived."""

    content: bytes
    flags: tuple[str, ...] = ()
    date: datetime | None = None


class Found(NamedTuple):
    """A message as it lies on a server: what it says (canonically), its flags without \\Recent, its arrival in UTC."""

    digest: str
    flags: frozenset[str]
    date: datetime


class Response(NamedTuple):
    """One answer of a server: its text, where each literal stands as {n}, and the literals."""

    text: bytes
    literals: tuple[bytes, ...]


class Road:
    """One connection in clear text, logged in."""

    def __init__(self, host: str, port: int, user: str, password: str) -> None:
        self._socket = socket.create_connection((host, port), TIMEOUT)
        self._file = self._socket.makefile("rb")
        self._count = 0
        try:
            self._response()
            self.command(b"LOGIN " + quoted(user) + b" " + quoted(password))
        except RoadError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave without a goodbye."""
        self._file.close()
        self._socket.close()

    def command(self, words: bytes) -> list[Response]:
        """The untagged answers to a command; RoadError unless it ended with OK."""
        tag = self._say(words)
        return list(self._until(tag))

    def append(self, folder: str, letter: Letter) -> None:
        """Put one message into a folder, byte for byte. RoadError if the server will not have it."""
        head = b"APPEND " + quoted(folder)
        if letter.flags:
            head += b" (" + " ".join(letter.flags).encode() + b")"
        if letter.date:
            head += b' "' + wire_date(letter.date).encode() + b'"'
        tag = self._say(head + b" {%d}" % len(letter.content))
        welcome = self._response()
        if not welcome.text.startswith(b"+"):
            raise RoadError(welcome.text.decode(errors="replace").strip())
        self._socket.sendall(letter.content + b"\r\n")
        for _ in self._until(tag):
            pass

    def folders(self) -> list[str]:
        """All folders that can hold mail."""
        answers = self.command(b'LIST "" "*"')
        listed = [re.match(rb'\* LIST \(([^)]*)\) (?:NIL|"[^"]*") (.*)\r\n', answer.text) for answer in answers]
        return [
            _name(found[2], answer.literals)
            for found, answer in zip(listed, answers, strict=True)
            if found and b"\\noselect" not in found[1].lower()
        ]

    def messages(self, folder: str) -> Iterator[Found]:
        """All messages of a folder. It is opened so that nothing can change."""
        opened = self.command(b"EXAMINE " + quoted(folder))
        if any(re.match(rb"\* 0 EXISTS", answer.text) for answer in opened):
            return
        # RFC822: Courier's BODY.PEEK[] ends early on mail that is nested deeply.
        tag = self._say(b"UID FETCH 1:* (FLAGS INTERNALDATE RFC822)")
        for answer in self._until(tag):
            if found := re.search(rb"FLAGS \(([^)]*)\)", answer.text):
                date = re.search(rb'INTERNALDATE "([^"]*)"', answer.text)
                if date is None or len(answer.literals) != 1:
                    continue
                flags = frozenset(found[1].decode().split()) - {"\\Recent"}
                yield Found(digest(answer.literals[0]), flags, read_date(date[1].decode()))

    def _say(self, words: bytes) -> bytes:
        self._count += 1
        tag = b"r%d" % self._count
        self._socket.sendall(tag + b" " + words + b"\r\n")
        return tag

    def _until(self, tag: bytes) -> Iterator[Response]:
        while not (answer := self._response()).text.startswith(tag + b" "):
            yield answer
        if not answer.text.startswith(tag + b" OK"):
            raise RoadError(answer.text.partition(b" ")[2].decode(errors="replace").strip())

    def _response(self) -> Response:
        text = b""
        literals: list[bytes] = []
        while True:
            line = self._file.readline()
            if not line.endswith(b"\n"):
                raise RoadError("the server ended the connection")
            text += line
            literal = _LITERAL.search(line)
            if literal is None:
                return Response(text, tuple(literals))
            literals.append(self._file.read(int(literal[1])))


def fill(road: Road, folder: str, letters: Iterable[Letter]) -> int:
    """Put letters into a folder in their order, making the folder where it is missing; how many there were."""
    if folder != "INBOX" and folder not in road.folders():
        road.command(b"CREATE " + quoted(folder))
    count = 0
    for letter in letters:
        road.append(folder, letter)
        count += 1
    return count


def contents(road: Road) -> dict[str, Counter[Found]]:
    """Everything a mailbox holds: twins count twice."""
    return {folder: Counter(road.messages(folder)) for folder in road.folders()}


def digest(content: bytes) -> str:
    """SHA-256 of what servers agree on: without CR, NUL as 0x80, without line ends at the end."""
    return hashlib.sha256(content.replace(b"\r", b"").replace(b"\0", b"\x80").rstrip(b"\n")).hexdigest()


def wire_date(date: datetime) -> str:
    """An aware time as IMAP writes it."""
    return f"{date.day:02}-{_MONTHS[date.month - 1]}-{date:%Y %H:%M:%S %z}"


def read_date(text: str) -> datetime:
    """A time as a server writes it, in UTC."""
    day, month, rest = text.strip().split("-", 2)
    return datetime.strptime(f"{day}-{_MONTHS.index(month) + 1}-{rest}", "%d-%m-%Y %H:%M:%S %z").astimezone(UTC)


def quoted(name: str) -> bytes:
    """A name or password as a quoted string."""
    return b'"' + name.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _name(listed: bytes, literals: tuple[bytes, ...]) -> str:
    if literals:
        return literals[0].decode()
    if listed.startswith(b'"'):
        return re.sub(rb"\\(.)", rb"\1", listed[1:-1]).decode()
    return listed.decode()
