"""A proxy before a real mail server, on loopback: it makes the server far away, poorer, or die at a chosen byte, and counts
what the client asked for.

    with Proxy(to=("127.0.0.1", 143), delay=0.01, hide={"UIDPLUS"}) as proxy:
        proxy.fail(CutAppend(number=3))
        ...                                     # the client connects to proxy.host, proxy.port
        assert not proxy.writes

    python -m migrator.testing.proxy --listen 0 --to 127.0.0.1:143 --delay-ms 10

Delay is one way, so a round trip costs twice as much; bandwidth is not limited, and the opening handshake is not delayed. The
proxy reads along only in clear text: after STARTTLS, COMPRESS, or on a TLS port it passes bytes and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import socket
import sys
import threading
from collections import Counter, deque
from collections.abc import Collection, Iterator
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from migrator.frozen import dataclass

HOST = "127.0.0.1"
TIMER_GRAIN = 0.001  # seconds
WINDOW = 16 * 1024 * 1024  # bytes under way per direction before the sender is made to wait

WRITING = frozenset({
    "APPEND", "STORE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "EXPUNGE", "COPY", "MOVE",
    "SETQUOTA", "SETACL", "DELETEACL", "SETMETADATA", "SELECT",
})  # fmt: skip
"""Commands that change something, and SELECT, which opens a folder so that it may be changed (EXAMINE does not)."""

# -- faults -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CutSent:
    """The connection ends when the server has got so many bytes of it."""

    bytes: int


@dataclass(frozen=True, slots=True)
class CutReceived:
    """The connection ends when the client has got so many bytes of it."""

    bytes: int


@dataclass(frozen=True, slots=True)
class CutAppend:
    """The connection ends when the server has answered the so-manieth APPEND (over all connections, from 1), and the client
    never sees the answer. What the client sent behind that APPEND does not reach the server.
    """

    number: int = 1


@dataclass(frozen=True, slots=True)
class CutLiteral:
    """The connection ends inside the so-manieth literal of a server's answer that is longer than `at` bytes, after `at` of them."""

    at: int
    number: int = 1


@dataclass(frozen=True, slots=True)
class Stall:
    """After the so-manieth command of this word, the client hears nothing more on that connection, which stays open."""

    word: str
    number: int = 1


Fault = CutSent | CutReceived | CutAppend | CutLiteral | Stall
F = TypeVar("F", CutSent, CutReceived, CutAppend, CutLiteral, Stall)

# -- reading along ----------------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """A whole line with its line end, or bytes of a literal."""

    data: bytes
    literal: bool


_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r?\n\Z")


class Talk:
    """One direction of an IMAP conversation, cut into lines and literals. Feed it bytes as they come; a line appears when it
    is complete, a literal's bytes at once.
    """

    def __init__(self) -> None:
        self.literal = 0  # bytes of the open literal still to come
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Piece]:
        """What is complete by now, in order. Between two pieces the caller may set `literal` to 0 (it was refused)."""
        self._rest += data
        while self._rest:
            if self.literal:
                part = bytes(self._rest[: self.literal])
                del self._rest[: len(part)]
                self.literal -= len(part)
                yield Piece(part, literal=True)
                continue
            end = self._rest.find(b"\n") + 1
            if not end:
                return
            line = bytes(self._rest[:end])
            del self._rest[:end]
            if found := _LITERAL.search(line):
                self.literal = int(found[1])
            yield Piece(line, literal=False)

    def take_rest(self) -> bytes:
        """Give up the bytes of a line that is not complete."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest


def command_word(line: bytes) -> str:
    """The command of a client's line in capitals, without UID before it; "" if the line is none (a continuation)."""
    words = line.upper().split(maxsplit=3)[1:3]
    if words and words[0] == b"UID":
        del words[0]
    return words[0].decode("latin-1") if words else ""


def without_secrets(line: bytes) -> str:
    """A client's line as it may be shown: what follows LOGIN or AUTHENTICATE is left out."""
    text = line.decode("latin-1").rstrip("\r\n")
    if command_word(line) in {"LOGIN", "AUTHENTICATE"}:
        return " ".join(text.split(maxsplit=2)[:2])
    return text


_CAPABILITY = re.compile(rb"(?i)(\* CAPABILITY |\[CAPABILITY )([^\]\r\n]*)")
_UID_CODE = re.compile(rb"(?i)\[(?:APPENDUID|COPYUID) [^\]]*\] ?")


def hiding(line: bytes, hidden: frozenset[bytes]) -> bytes:
    """A server's line without the hidden capabilities, and without the codes that only UIDPLUS explains if that is hidden."""
    if not hidden:
        return line

    def poorer(found: re.Match[bytes]) -> bytes:
        return found[1] + b" ".join(word for word in found[2].split() if word.upper() not in hidden)

    line = _CAPABILITY.sub(poorer, line, count=1)
    return _UID_CODE.sub(b"", line, count=1) if b"UIDPLUS" in hidden else line


class _Cut(Exception):
    """The connection ends here; `rest` is what may still pass."""

    def __init__(self, rest: bytes) -> None:
        super().__init__()
        self.rest = rest


class _Conversation:
    """What one connection says, both ways: counted, made poorer, and broken where a fault says so."""

    def __init__(self, proxy: Proxy) -> None:
        self.commands: Counter[str] = Counter()
        self._proxy = proxy
        self._client, self._server = Talk(), Talk()
        self._opaque = not proxy.watches
        self._tag = b""
        self._word = ""
        self._number = 0  # how many commands of that word there were on all connections when it began, itself included
        self._inside = False  # the client's command goes on after a literal
        self._waits = False  # and the client asked whether that literal is welcome
        self._doomed = b""  # tag of the APPEND whose answer ends the connection
        self._stalled = False
        self._literal_size = 0
        self._cut_at: int | None = None
        self._sent = self._received = 0

    def from_client(self, data: bytes) -> bytes:
        """What to pass on to the server now. Raises _Cut."""
        if self._doomed:
            return b""
        if self._opaque:
            return self._counted_sent(data)
        passed = bytearray()
        for piece in self._client.feed(data):
            passed += piece.data
            if piece.literal:
                continue
            self._read_command(piece.data)
            if self._opaque:
                passed += self._client.take_rest()
                break
            if self._doomed:
                break
        return self._counted_sent(bytes(passed))

    def from_server(self, data: bytes) -> bytes:
        """What to pass on to the client now. Raises _Cut."""
        if self._stalled:
            return b""
        if self._opaque:
            return self._counted_received(self._server.take_rest() + data)
        passed = bytearray()
        for piece in self._server.feed(data):
            if piece.literal:
                passed += piece.data
                self._cut_literal(passed)
                continue
            if self._inside and self._waits and piece.data.startswith(self._tag + b" "):
                # The literal was refused: what the client says next is a command again.
                self._client.literal, self._inside = 0, False
            if self._doomed and piece.data.startswith(self._doomed + b" "):
                raise _Cut(bytes(passed))
            passed += hiding(piece.data, self._proxy.hidden)
            self._open_literal()
        return self._counted_received(bytes(passed))

    def rest(self) -> tuple[bytes, bytes]:
        """What each side had begun to say when it stopped: client, server."""
        return self._client.take_rest(), self._server.take_rest()

    def _read_command(self, line: bytes) -> None:
        if not self._inside:
            self._word = command_word(line)
            if not self._word:
                return
            self._tag = line.split(maxsplit=1)[0]
            self.commands[self._word] += 1
            self._proxy.commands[self._word] += 1
            self._number = self._proxy.commands[self._word]
            self._proxy.said.append(without_secrets(line))
        literal = _LITERAL.search(line)
        self._inside = literal is not None
        if literal is not None:
            self._waits = not literal[2]
            return
        if self._word in {"STARTTLS", "COMPRESS"}:
            self._opaque = True
        if self._word == "APPEND" and self._proxy.strikes(CutAppend(self._number)):
            self._doomed = self._tag
        if self._proxy.strikes(Stall(self._word, self._number)):
            self._stalled = True

    def _open_literal(self) -> None:
        self._literal_size = self._server.literal
        self._cut_at = self._proxy.cut_for_literal(self._literal_size) if self._literal_size else None

    def _cut_literal(self, passed: bytearray) -> None:
        if self._cut_at is None:
            return
        over = self._literal_size - self._server.literal - self._cut_at
        if over >= 0:
            raise _Cut(bytes(passed[: len(passed) - over]))

    def _counted_sent(self, data: bytes) -> bytes:
        self._sent += len(data)
        for fault in self._proxy.pending(CutSent):
            if self._sent >= fault.bytes and self._proxy.strikes(fault):
                raise _Cut(data[: len(data) - (self._sent - fault.bytes)])
        return data

    def _counted_received(self, data: bytes) -> bytes:
        self._received += len(data)
        for fault in self._proxy.pending(CutReceived):
            if self._received >= fault.bytes and self._proxy.strikes(fault):
                raise _Cut(data[: len(data) - (self._received - fault.bytes)])
        return data


# -- carrying bytes ---------------------------------------------------------------------------------------------------


class _Road:
    """One direction of one connection: bytes leave `delay` seconds after they came, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, delay: float) -> None:
        self._loop, self._delay = loop, delay
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._ending = False
        self.source: asyncio.Transport | None = None
        self.target: asyncio.Transport | None = None

    def send(self, data: bytes) -> None:
        if not data or self._ending:
            return
        self._held += len(data)
        self._under_way.append((self._loop.time() + self._delay, data))
        if not self._delay:
            self._arrive()
        elif len(self._under_way) == 1:
            self._loop.call_at(self._under_way[0][0] - TIMER_GRAIN / 2, self._arrive)
        self.regulate()

    def end(self) -> None:
        """Close the target when all that is under way has arrived; take nothing more."""
        self._ending = True
        self._finish()

    def regulate(self) -> None:
        """Let the sender wait while too much is under way."""
        if self.source is None or self.target is None or self.source.is_closing():
            return
        if self._held + self.target.get_write_buffer_size() > WINDOW:
            self.source.pause_reading()
        else:
            self.source.resume_reading()

    def _arrive(self) -> None:
        # The loop's timers have a grain of a millisecond and fire late by it: aiming half of it early makes the mean right.
        now = self._loop.time() + TIMER_GRAIN / 2
        due = bytearray()
        while self._under_way and self._under_way[0][0] <= now:
            due += self._under_way.popleft()[1]
        self._held -= len(due)
        if self.target is not None and due and not self.target.is_closing():
            self.target.write(due)
        if self._under_way:
            self._loop.call_at(self._under_way[0][0] - TIMER_GRAIN / 2, self._arrive)
        self._finish()
        self.regulate()

    def _finish(self) -> None:
        if self._ending and not self._under_way and self.target is not None:
            self.target.close()


class _End(asyncio.Protocol):
    """One of the two sockets of a connection: tells its link what came."""

    def __init__(self, link: _Link, *, client: bool) -> None:
        self._link, self._client = link, client
        self._out = link.to_client if client else link.to_server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._link.joined(transport, client=self._client)

    def data_received(self, data: bytes) -> None:
        self._link.heard(data, client=self._client)

    def eof_received(self) -> bool:
        self._link.silent(client=self._client)
        return True

    def resume_writing(self) -> None:
        self._out.regulate()

    def connection_lost(self, _error: Exception | None) -> None:
        self._link.lost(client=self._client)


class _Link:
    """One client's connection with the one we hold to the server for it."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy, self._loop = proxy, loop
        self.conversation = _Conversation(proxy)
        self.to_server, self.to_client = _Road(loop, proxy.delay), _Road(loop, proxy.delay)
        self._transports: list[asyncio.Transport] = []
        self._connecting: asyncio.Task[None] | None = None

    def joined(self, transport: asyncio.Transport, *, client: bool) -> None:
        self._transports.append(transport)
        if not client:
            self.to_server.target = self.to_client.source = transport
            # The client may have left while we were connecting for it.
            if self.to_client.target is None or self.to_client.target.is_closing():
                transport.abort()
            self.to_server.regulate()
            return
        self.to_client.target = self.to_server.source = transport
        transport.pause_reading()
        self._connecting = self._loop.create_task(self._connect())

    def heard(self, data: bytes, *, client: bool) -> None:
        road = self.to_server if client else self.to_client
        try:
            road.send(self.conversation.from_client(data) if client else self.conversation.from_server(data))
        except _Cut as cut:
            road.send(cut.rest)
            self.to_server.end()
            self.to_client.end()

    def silent(self, *, client: bool) -> None:
        from_client, from_server = self.conversation.rest()
        self.to_server.send(from_client)
        self.to_client.send(from_server)
        (self.to_server if client else self.to_client).end()

    def lost(self, *, client: bool) -> None:
        self._proxy.links.discard(self)
        (self.to_server if client else self.to_client).end()

    def abort(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        for transport in self._transports:
            transport.abort()

    async def _connect(self) -> None:
        try:
            await self._loop.create_connection(lambda: _End(self, client=False), *self._proxy.to)
        except OSError:
            for transport in self._transports:
                transport.abort()


class Proxy:
    """A proxy on loopback for as long as the `with` block lasts. Counts and faults may be used from any thread.

    `delay` in seconds, one way. `hide` names capabilities the client shall not see. `watch=False` passes bytes without reading
    along: cheaper, for measuring; then nothing is counted or hidden, and only the faults that count bytes work.
    """

    host = HOST

    def __init__(
        self, to: tuple[str, int], *, delay: float = 0.0, hide: Collection[str] = (), port: int = 0, watch: bool = True
    ) -> None:
        self.to = to
        self.delay = delay
        self.port = port
        self.watches = watch
        self.hidden = frozenset(word.upper().encode() for word in hide)
        self.commands: Counter[str] = Counter()
        """What clients asked for, by word, all connections together."""
        self.connections: list[Counter[str]] = []
        """The same for each connection, in the order they came."""
        self.said: list[str] = []
        """Every command line of the clients, without the secrets of a login and without literals."""
        self.links: set[_Link] = set()
        self._faults: list[Fault] = []
        self._literals: Counter[CutLiteral] = Counter()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._trouble: OSError | None = None
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def writes(self) -> int:
        """How many commands so far changed something, or opened a folder so that it may be changed."""
        return sum(count for word, count in self.commands.items() if word in WRITING)

    def fail(self, fault: Fault) -> None:
        """Let this happen, once."""
        self._faults.append(fault)

    def cut(self) -> None:
        """End every connection now; what is under way is lost."""
        self._loop.call_soon_threadsafe(self._cut)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._trouble is not None:
            raise self._trouble
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def wait(self) -> None:
        """Serve until interrupted."""
        self._thread.join()

    # -- asked by the conversations --

    def pending(self, kind: type[F]) -> list[F]:
        """The faults of a kind that have not happened yet."""
        return [fault for fault in self._faults if isinstance(fault, kind)]

    def strikes(self, fault: Fault) -> bool:
        """Whether this fault was asked for; it is used up by the question."""
        if fault not in self._faults:
            return False
        self._faults.remove(fault)
        return True

    def cut_for_literal(self, size: int) -> int | None:
        """After how many bytes a literal of this size that opens now is to be cut; None if it may pass."""
        for fault in self.pending(CutLiteral):
            if size > fault.at:
                self._literals[fault] += 1
                if self._literals[fault] == fault.number:
                    self.strikes(fault)
                    return fault.at
        return None

    # -- the thread --

    def _run(self) -> None:
        try:
            self._server = self._loop.run_until_complete(self._loop.create_server(self._accept, HOST, self.port))
            self.port = self._server.sockets[0].getsockname()[1]
        except OSError as error:
            self._trouble = error
            self._loop.close()
            return
        finally:
            self._ready.set()
        self._loop.run_forever()
        self._server.close()
        self._cut()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _accept(self) -> asyncio.Protocol:
        link = _Link(self, self._loop)
        self.links.add(link)
        self.connections.append(link.conversation.commands)
        return _End(link, client=True)

    def _cut(self) -> None:
        for link in list(self.links):
            link.abort()


def main() -> None:
    """Serve from the command line, announcing the port, until interrupted."""
    grammar = argparse.ArgumentParser(
        prog="python -m migrator.testing.proxy", description="Make a server on loopback far away."
    )
    grammar.add_argument("--listen", type=int, default=0, metavar="PORT", help="0 for any free port; it is printed")
    grammar.add_argument("--to", required=True, metavar="HOST:PORT")
    grammar.add_argument("--delay-ms", type=float, default=0.0, help="one way; a round trip costs twice as much")
    grammar.add_argument("--hide", nargs="*", default=[], metavar="CAPABILITY")
    asked = grammar.parse_args()
    host, _, port = asked.to.rpartition(":")
    to = (host, int(port))
    with Proxy(to, delay=asked.delay_ms / 1000, hide=asked.hide, port=asked.listen, watch=bool(asked.hide)) as proxy:
        sys.stdout.write(f"{proxy.port}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            proxy.wait()


if __name__ == "__main__":
    main()
