"""IMAP on a socket: commands out, responses in, with a limit on everything a server can make us keep.

It knows the protocol's shapes (tags, literals, FETCH rows), not what a mailbox is. Several commands may be under way at once;
a server may answer them in any order and mixed (Dovecot does), so completions are matched by tag and FETCH data by UID.

What surprises: a literal is never allocated because it was announced. It is read as it comes, and beyond `Limits.in_memory`
into an unlinked temporary file.
"""

from __future__ import annotations

import base64
import binascii
import re
import socket
import ssl
import tempfile
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import field
from typing import IO, TypeAlias

from migrator.errors import Dropped, Misbehaved, StateFull
from migrator.frozen import dataclass

KB = 1024
MB = 1024 * KB
GB = 1024 * MB
READ_BUFFER = 256 * KB  # measured: larger gains nothing, 8 KB costs a third of the speed
WRITE_AT_ONCE = 512 * KB  # queued bytes that go out without being asked
WRITE_SLICE = 256 * KB  # a time-out counts for one slice, so that a slow line that flows is no failure
PIECES_AT_ONCE = 1000  # that the system takes in one call; Linux, macOS and the BSDs allow 1,024
LITERALS_IN_A_RESPONSE = 64
NESTING = 50
CHALLENGES = 8
FAR_UID = 2**31
LAST_WORDS_SECONDS = 2.0

Value: TypeAlias = "bytes | list[Value] | None"

# What a connection opened for reading may send; none of it leaves a trace in a mailbox that is examined.
READING = frozenset({
    b"AUTHENTICATE", b"CAPABILITY", b"CLOSE", b"EXAMINE", b"GETQUOTAROOT", b"ID", b"LIST", b"LOGIN", b"LOGOUT", b"LSUB",
    b"NAMESPACE", b"NOOP", b"STATUS", b"UID FETCH", b"UID SEARCH", b"UNSELECT",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server may make us read, keep or wait for. Reaching a limit ends the connection with Misbehaved."""

    line: int = 1 * MB
    literal: int = 2 * GB  # a message's body
    short_literal: int = 64 * KB  # any other literal, such as a folder's name
    in_memory: int = 1 * MB  # a longer body goes to a temporary file
    responses: int = 100_000  # untagged responses in answer to what is under way, FETCH rows that were asked for aside
    response_bytes: int = 32 * MB
    silence: float = 120.0  # seconds without a byte


class SaidBye(Dropped):
    """The server ended the connection with BYE; `spoken` is what it said."""

    def __init__(self, what: str, spoken: Spoken) -> None:
        super().__init__(what)
        self.spoken = spoken


# -- reading bytes ----------------------------------------------------------------------------------------------------


class Incoming:
    """The bytes that come out of one socket, in lines and counted pieces, and never more than the limits allow.

    Raises Dropped when the peer is gone or silent, Misbehaved when it goes beyond a limit.
    """

    def __init__(self, sock: socket.socket, peer: str, limits: Limits) -> None:
        self.sock = sock
        self._peer = peer
        self._limits = limits
        self._file = sock.makefile("rb", buffering=READ_BUFFER)

    def line(self) -> bytes:
        """The next line with its end."""
        limit = self._limits.line
        try:
            line = self._file.readline(limit)
        except TimeoutError as error:
            raise self._silent() from error
        except (OSError, ValueError) as error:
            raise self._gone() from error
        if line.endswith(b"\n"):
            return line
        if len(line) == limit:
            raise Misbehaved(f"{self._peer}: the server sent a line longer than {limit:,} bytes.")
        raise self._gone()

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes; for sizes the caller has compared with a limit."""
        try:
            data: bytes = self._file.read(size)
        except TimeoutError as error:
            raise self._silent() from error
        except (OSError, ValueError) as error:
            raise self._gone() from error
        if len(data) < size:
            raise self._gone()
        return data

    def pour(self, size: int, file: IO[bytes]) -> None:
        """The next `size` bytes into a file, in pieces."""
        while size:
            piece = self.exactly(min(size, READ_BUFFER))
            size -= len(piece)
            try:
                file.write(piece)
                if not size:
                    file.flush()
            except OSError as error:
                raise StateFull(
                    f"There is no room for the temporary copy of a large message in {tempfile.gettempdir()}"
                    f" ({error.strerror}).",
                    remedy="Free space there, or set TMPDIR to a folder that has it, then run again.",
                ) from error

    def close(self) -> None:
        """Let go of the buffer; the socket stays open."""
        self._file.close()

    def _gone(self) -> Dropped:
        return Dropped(f"{self._peer}: the connection was closed from the other side.")

    def _silent(self) -> Dropped:
        return Dropped(f"{self._peer}: the server was silent for {self.sock.gettimeout() or 0:g} seconds.")


def send_pieces(sock: socket.socket, pieces: Sequence[bytes | memoryview]) -> None:
    """Send the pieces in this order; raises OSError. Where the socket takes several at once they are not copied together first (measured: 30 ms for 163 MB,
    under the interpreter's lock); TLS takes one.
    """
    if isinstance(sock, ssl.SSLSocket):
        data = memoryview(b"".join(pieces))
        for start in range(0, len(data), WRITE_SLICE):
            sock.sendall(data[start : start + WRITE_SLICE])
        return
    while pieces:
        sent = sock.sendmsg(pieces[:PIECES_AT_ONCE])
        pieces = _rest(pieces, sent)


def _rest(pieces: Sequence[bytes | memoryview], sent: int) -> Sequence[bytes | memoryview]:
    """What is left of the pieces when so many bytes of them are sent."""
    for first, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[first + 1 :]]
        sent -= len(piece)
    return ()


# -- what comes in ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Fetched:
    """One FETCH response: what it told of a message, None for what it did not.

    `body` is the whole of a BODY[...] or RFC822 item: bytes, or a temporary file when it is large. `body_size` is its length;
    None without such an item, 0 also for NIL.
    """

    number: int
    uid: int | None = None
    flags: bytes | None = None
    date: bytes | None = None
    size: int | None = None
    modseq: int | None = None
    body: bytes | IO[bytes] = b""
    body_size: int | None = None

    def merge(self, later: Fetched) -> None:
        """Take over what a later response about the same message tells."""
        for name in ("flags", "date", "size", "modseq"):
            if (told := getattr(later, name)) is not None:
                setattr(self, name, told)
        if self.body_size is None:
            self.body, self.body_size = later.body, later.body_size
        else:
            later.discard()

    def discard(self) -> None:
        """Give a temporary file back."""
        if not isinstance(self.body, bytes):
            self.body.close()


@dataclass(frozen=True, slots=True)
class Untagged:
    """One untagged response other than FETCH: `* 12 EXISTS` has number 12 and word EXISTS. `pieces` alternate between text
    and the literal that followed it, starting with text.
    """

    word: bytes
    number: int
    pieces: tuple[bytes, ...]

    def values(self) -> list[Value]:
        """The response as nested lists of strings and NILs. Raises Misbehaved if it cannot be read so."""
        return parse(self.pieces)

    def spoken(self) -> Spoken:
        """A status response (OK, NO, BAD, BYE) taken apart."""
        return Spoken.of(self.word, b"".join(self.pieces))


@dataclass(frozen=True, slots=True)
class Spoken:
    """A status response: how a command ended, or a remark. `code` is the bracketed one in capitals (`APPENDUID`), `arguments`
    what followed it there, `words` the human text, safe to show.
    """

    word: bytes
    code: str = ""
    arguments: bytes = b""
    words: str = ""

    @property
    def ok(self) -> bool:
        return self.word == b"OK"

    @classmethod
    def of(cls, word: bytes, text: bytes) -> Spoken:
        found = _CODE.match(text)
        if found is None:
            return cls(word, words=plain(text))
        code = found[1].decode("ascii").upper()
        return cls(word, code, found[2] or b"", plain(text[found.end() :]) or code)


@dataclass(frozen=True, slots=True)
class Answer:
    """One command's end and the untagged responses that came on the way."""

    end: Spoken
    untagged: tuple[Untagged, ...] = ()

    def of(self, word: bytes) -> Iterator[Untagged]:
        """The untagged responses of one kind."""
        return (response for response in self.untagged if response.word == word)


@dataclass(frozen=True, slots=True)
class _Tagged:
    tag: bytes
    end: Spoken


@dataclass(frozen=True, slots=True)
class _GoAhead:
    text: bytes


_ROW = re.compile(rb"\* (\d{1,10}) FETCH \(", re.IGNORECASE)
# A row's items, each swallowed whole so that nothing inside one (a keyword called UID) is taken for another.
_ITEM = re.compile(
    rb'UID (\d{1,10})|FLAGS \(([^)]*)\)|INTERNALDATE "([^"]*)"|RFC822\.SIZE (\d{1,19})|MODSEQ \((\d{1,20})\)'
    rb'|(?:BODY\[[^\]]*\](?:<\d+>)?|RFC822(?:\.HEADER|\.TEXT)?) (?:(NIL)|"((?:[^"\\]|\\.)*)")',
    re.IGNORECASE,
)
# A whole row, or all of it before a message's literal, as most servers write what we ask for: one match for nearly all rows there are.
_USUAL_ROW = re.compile(
    rb'\* (\d{1,10}) FETCH \(UID (\d{1,10})(?: FLAGS \(([^)]*)\) INTERNALDATE "([^"]*)")? RFC822\.SIZE (\d{1,19})'
    rb"(?: MODSEQ \((\d{1,20})\))?(?:\)| (?:BODY\[\]|RFC822) \{(\d{1,19})\})\r\n\Z"
)
_BODY_NAME = re.compile(rb"(?:BODY\[[^\]]*\](?:<\d+>)?|RFC822(?:\.HEADER|\.TEXT)?) \Z", re.IGNORECASE)
_LITERAL = re.compile(rb"~?\{(\d{1,19})\+?\}\r?\n\Z")
_RESPONSE = re.compile(rb"\* (?:(\d{1,20}) )?([A-Za-z][A-Za-z0-9-]*) ?")
_TAGGED = re.compile(rb"([A-Za-z0-9]+) (OK|NO|BAD)(?: |\r?\n)", re.IGNORECASE)
_CODE = re.compile(rb"\[([A-Za-z0-9-]+)(?: (\(.*?\)|[^\]]*))?\] ?")
_TOKEN = re.compile(rb' *(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|([^ ()"]+))')
_ESCAPED = re.compile(rb"\\(.)")
# What Dovecot adds, how long it took and when; the same words should read the same each time.
_TIMING = re.compile(r"(?: \([\d.]+(?: \+ [\d.]+)+ secs\)\.?| \[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\])+$")
# C0, DEL, C1, and what turns the direction of text: they could rewrite a terminal's screen or a reader's mind
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
LONGEST_WORDS = 300


def plain(text: bytes) -> str:
    """A server's words made safe to show: no control characters, no direction marks, at most 300 characters."""
    words = _TIMING.sub("", _UNSAFE.sub(" ", text.decode("utf-8", "replace")).strip())
    return words if len(words) <= LONGEST_WORDS else words[: LONGEST_WORDS - 3] + "..."


def parse(pieces: Sequence[bytes]) -> list[Value]:
    """Text with literals between as nested lists. Raises Misbehaved if it is not well formed or nested beyond 50."""
    top: list[Value] = []
    stack = [top]
    for place, piece in enumerate(pieces):
        if place % 2:
            stack[-1].append(piece)
            continue
        position, end = 0, len(piece.rstrip(b" \r\n"))
        while position < end:
            token = _TOKEN.match(piece, position, end)
            if token is None:
                raise Misbehaved(f"The server's answer cannot be read: {plain(piece)}")
            position = token.end()
            if token[1]:
                inner: list[Value] = []
                stack[-1].append(inner)
                stack.append(inner)
            elif token[2]:
                stack.pop()
            elif token[3] is not None:
                stack[-1].append(_ESCAPED.sub(rb"\1", token[3]))
            else:
                stack[-1].append(None if token[4].upper() == b"NIL" else token[4])
            if not 0 < len(stack) <= NESTING:
                raise Misbehaved(f"The server's answer has parentheses that do not fit: {plain(piece)}")
    if len(stack) != 1:
        raise Misbehaved(f"The server's answer breaks off: {plain(pieces[-1])}")
    return top


# -- what goes out ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes that travel counted. `binary` sends a literal8 (the only legal way for NUL); `ask_first` waits for the server's
    go-ahead even where it need not, so that a refusal costs no transfer.
    """

    size: int
    chunks: Iterable[bytes]
    binary: bool = False
    ask_first: bool = False

    @classmethod
    def of(cls, data: bytes) -> Literal:
        return cls(len(data), (data,))


Argument: TypeAlias = bytes | Literal

_QUOTABLE = re.compile(rb"[\x20-\x7e]*\Z")


def string(raw: bytes) -> Argument:
    """A string as an argument: quoted where that is legal, else a literal."""
    if len(raw) < KB and _QUOTABLE.match(raw):
        return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return Literal.of(raw)


def uid_sets(uids: Iterable[int], *, longest: int = 7 * KB, most: int = 2_000) -> Iterator[tuple[bytes, list[int]]]:
    """Uids as sequence sets with ranges, ascending, each with the uids it names.

    A set stays below `longest` bytes, since Courier closes the connection on a line of more than 8 kB. Uids beyond 2**31 go
    apart: Cyrus 3.6 finds nothing at all when a set names one that is not there.
    """
    part: list[int] = []
    words: list[bytes] = []
    length = 0
    for first, last in _ranges(sorted(set(uids))):
        at = first
        while at <= last:
            if part and at > FAR_UID >= part[0]:
                yield b",".join(words), part
                part, words, length = [], [], 0
            upto = min(last, at + most - len(part) - 1, last if at > FAR_UID else FAR_UID)
            word = b"%d" % at if at == upto else b"%d:%d" % (at, upto)
            words.append(word)
            part.extend(range(at, upto + 1))
            length += len(word) + 1
            at = upto + 1
            if len(part) >= most or length >= longest:
                yield b",".join(words), part
                part, words, length = [], [], 0
    if part:
        yield b",".join(words), part


def _ranges(uids: Sequence[int]) -> Iterator[tuple[int, int]]:
    if not uids:
        return
    first = last = uids[0]
    for uid in uids[1:]:
        if uid != last + 1:
            yield first, last
            first = uid
        last = uid
    yield first, last


# -- the connection ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Spent:
    """What a server has made us read since the last completion."""

    responses: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Connection:
    """One IMAP connection. Belongs to one thread at a time.

    With `read_only` it refuses to send any command that could leave a trace; that is a bug of ours, so it raises RuntimeError.
    All methods raise Dropped (also BYE), Misbehaved or StateFull, and after one of these the connection is of no more use.
    """

    incoming: Incoming
    peer: str
    limits: Limits = field(default_factory=Limits)
    read_only: bool = True
    capabilities: frozenset[bytes] = frozenset()
    alerts: list[str] = field(default_factory=list)
    _tags: int = 0
    _queued: list[bytes] = field(default_factory=list)
    _queued_bytes: int = 0
    _under_way: set[bytes] = field(default_factory=set)
    _ended: dict[bytes, Spoken] = field(default_factory=dict)
    _early: deque[Untagged | Fetched] = field(default_factory=deque)
    _abandoned: set[bytes] = field(default_factory=set)
    _reading: bool = False
    _broken: bool = False
    _spent: _Spent = field(default_factory=_Spent)

    # -- sending

    def begin(self, command: bytes, *arguments: Argument) -> bytes:
        """Queue a command and answer its tag. What is queued goes out together: by `flush`, by asking for an answer, when much
        has gathered, or when a literal has to wait for the server's go-ahead.
        """
        if self.read_only and command not in READING:
            raise RuntimeError(f"{command.decode('ascii')} on a connection that may only read")
        if self._reading:
            raise RuntimeError("a command was sent while the answer to another was still being read")
        if self._broken:
            raise Dropped(f"{self.peer}: the connection is broken.")
        if self._abandoned:
            self._drain()
        self._tags += 1
        tag = b"m%d" % self._tags
        self._under_way.add(tag)
        self._queue(tag + b" " + command)
        for argument in arguments:
            if isinstance(argument, bytes):
                if b"\r" in argument or b"\n" in argument:
                    raise RuntimeError("a line break inside a command")
                self._queue(b" " + argument)
            elif not self._queue_literal(tag, argument):
                return tag
        self._queue(b"\r\n")
        return tag

    def _queue(self, data: bytes) -> None:
        self._queued.append(data)
        self._queued_bytes += len(data)
        if self._queued_bytes >= WRITE_AT_ONCE:
            self.flush()

    def _queue_literal(self, tag: bytes, literal: Literal) -> bool:
        """Whether the server took the announcement; if not, the command has ended."""
        freely = b"LITERAL+" in self.capabilities or (b"LITERAL-" in self.capabilities and literal.size <= 4 * KB)
        wait = literal.ask_first or not freely
        self._queue(b" %s{%d%s}\r\n" % (b"~" if literal.binary else b"", literal.size, b"" if wait else b"+"))
        if wait and not self._go_ahead(tag):
            return False
        try:
            for chunk in literal.chunks:
                self._queue(chunk)
        except OSError:  # our own file cannot be read; the server waits for bytes that will not come
            self._broken = True
            raise
        return True

    def _go_ahead(self, tag: bytes) -> bool:
        self.flush()
        while True:
            response = self._next()
            if isinstance(response, _GoAhead):
                return True
            if isinstance(response, _Tagged):
                self._end(response)
                if response.tag == tag:
                    return False
            else:
                self._account(response)
                self._early.append(response)

    def flush(self) -> None:
        """Send what is queued."""
        if not self._queued:
            return
        queued, self._queued, self._queued_bytes = self._queued, [], 0
        try:
            send_pieces(self.incoming.sock, queued)
        except OSError as error:
            self._broken = True
            raise self._last_words() from error

    def _last_words(self) -> Dropped:
        """Why the server hung up while we were sending, if it said so."""
        try:
            self.incoming.sock.settimeout(LAST_WORDS_SECONDS)
            for _ in range(CHALLENGES):
                response = self._next()
                if isinstance(response, _Tagged) and not response.end.ok:
                    return Dropped(f"{self.peer}: the server hung up in the middle of a command: {response.end.words}")
        except SaidBye as bye:
            return bye
        except (Dropped, Misbehaved, OSError):
            pass
        return Dropped(f"{self.peer}: the connection broke while sending.")

    # -- receiving

    def answers(self, tags: Collection[bytes], *, rows: int = 0) -> Iterator[Untagged | Fetched]:
        """What the server sends until all these commands have ended, as it comes. `rows` is how many FETCH responses were
        asked for; those are not held against the limits.

        Ask `end` for how each command ended. While this is being read no other command may be sent; leave it early and the
        rest is read and dropped before the next command.
        """
        waiting = {tag for tag in tags if tag not in self._ended}
        self._reading = True
        try:
            self.flush()
            while self._early:
                yield self._early.popleft()
            while waiting:
                response = self._next()
                if isinstance(response, Fetched):
                    if rows:
                        rows -= 1
                    else:
                        self._account(response)
                    yield response
                elif isinstance(response, Untagged):
                    self._account(response)
                    yield response
                elif isinstance(response, _Tagged):
                    self._end(response)
                    waiting.discard(response.tag)
                else:
                    raise self._misbehaved("invited data that nobody offered")
        finally:
            self._reading = False
            self._abandoned |= waiting

    def ended(self, tag: bytes) -> bool:
        """Whether a command has ended already: right after `begin`, that its literal was refused."""
        return tag in self._ended

    def end(self, tag: bytes) -> Spoken:
        """How a command ended whose answers were read. Answers once."""
        return self._ended.pop(tag)

    def run(self, command: bytes, *arguments: Argument) -> Answer:
        """Send one command and wait for its end. FETCH data that comes in between is dropped."""
        return self.run_all([self.begin(command, *arguments)])[0]

    def run_all(self, tags: Sequence[bytes]) -> list[Answer]:
        """Wait for commands that were begun together, none of which answers FETCH data. Every Answer carries the untagged
        responses to all of them, since only their content tells which command they belong to.
        """
        untagged: list[Untagged] = []
        for response in self.answers(tags):
            if isinstance(response, Fetched):
                response.discard()
            else:
                untagged.append(response)
        shared = tuple(untagged)
        return [Answer(self.end(tag), shared) for tag in tags]

    def authenticate(self, mechanism: bytes, respond: Callable[[bytes], bytes], *, at_once: bool) -> Answer:
        """A SASL exchange: `respond` answers each challenge. With `at_once` (SASL-IR) the first response travels with the
        command.
        """
        arguments = [mechanism]
        if at_once:
            arguments.append(base64.b64encode(respond(b"")) or b"=")
        tag = self.begin(b"AUTHENTICATE", *arguments)
        self.flush()
        untagged: list[Untagged] = []
        challenges = 0
        while tag not in self._ended:
            response = self._next()
            if isinstance(response, _Tagged):
                self._end(response)
            elif isinstance(response, Untagged):
                self._account(response)
                untagged.append(response)
            elif isinstance(response, _GoAhead):
                challenges += 1
                if challenges > CHALLENGES:
                    raise self._misbehaved("asked again and again while logging in")
                try:
                    challenge = base64.b64decode(response.text)
                except binascii.Error as error:
                    raise self._misbehaved("sent a challenge that cannot be read") from error
                self._queue(base64.b64encode(respond(challenge)) + b"\r\n")
                self.flush()
        return Answer(self.end(tag), tuple(untagged))

    def close(self) -> None:
        """Say good-bye without waiting for an answer, and close the socket. Never raises."""
        sock = self.incoming.sock
        try:
            if not self._broken:
                sock.settimeout(LAST_WORDS_SECONDS)
                sock.sendall(b"bye LOGOUT\r\n")
        except OSError:
            pass
        finally:
            self._broken = True
            self.incoming.close()
            sock.close()

    def _drain(self) -> None:
        abandoned, self._abandoned = self._abandoned, set()
        for response in self.answers(abandoned):
            if isinstance(response, Fetched):
                response.discard()
        for tag in abandoned:
            self._ended.pop(tag, None)

    def _end(self, response: _Tagged) -> None:
        if response.tag not in self._under_way:
            raise self._misbehaved(f"ended a command that was not under way ({plain(response.tag)})")
        self._under_way.discard(response.tag)
        self._ended[response.tag] = response.end
        self._spent = _Spent()

    def _account(self, response: Untagged | Fetched) -> None:
        spent = self._spent
        spent.responses += 1
        if isinstance(response, Untagged):
            spent.bytes += sum(map(len, response.pieces))
        if spent.responses > self.limits.responses or spent.bytes > self.limits.response_bytes:
            raise self._misbehaved(f"sent {spent.responses:,} lines nobody asked for")

    def _misbehaved(self, what: str) -> Misbehaved:
        self._broken = True
        return Misbehaved(f"{self.peer}: the server {what}.")

    # -- one response

    def _next(self) -> Untagged | Fetched | _Tagged | _GoAhead:
        try:
            return self._response(self.incoming.line())
        except (Dropped, Misbehaved, StateFull):
            self._broken = True
            raise

    def _response(self, line: bytes) -> Untagged | Fetched | _Tagged | _GoAhead:
        if line.startswith(b"* "):
            if usual := _USUAL_ROW.match(line):
                return self._usual_row(usual)
            if row := _ROW.match(line):
                return self._row(Fetched(int(row[1])), line, row.end())
            return self._untagged(line)
        if line.startswith(b"+"):
            return _GoAhead(line[1:].strip())
        if found := _TAGGED.match(line):
            return _Tagged(found[1], Spoken.of(found[2].upper(), line[found.end() :]))
        raise self._misbehaved(f"sent a line that is no IMAP: {plain(line)}")

    def _untagged(self, line: bytes) -> Untagged:
        found = _RESPONSE.match(line)
        if found is None:
            raise self._misbehaved(f"sent a line that is no IMAP: {plain(line)}")
        word = found[2].upper()
        pieces: list[bytes] = []
        line = line[found.end() :]
        while literal := _LITERAL.search(line):
            size = int(literal[1])
            if size > self.limits.short_literal or len(pieces) > 2 * LITERALS_IN_A_RESPONSE:
                raise self._misbehaved(f"announced {size:,} bytes where a short text belongs")
            pieces += (line[: literal.start()], self.incoming.exactly(size))
            line = self.incoming.line()
        pieces.append(line.rstrip(b"\r\n"))
        response = Untagged(word, int(found[1] or 0), tuple(pieces))
        if word == b"BYE":
            spoken = response.spoken()
            raise SaidBye(f"{self.peer}: the server said good-bye: {spoken.words}", spoken)
        if (
            word in (b"OK", b"NO", b"BAD")
            and (remark := response.spoken()).code == "ALERT"
            and len(self.alerts) < NESTING
        ):
            self.alerts.append(remark.words)
        return response

    def _usual_row(self, row: re.Match[bytes]) -> Fetched:
        number, uid, flags, date, size, modseq, body = row.groups()
        fetched = Fetched(int(number), int(uid), flags, date, int(size), None if modseq is None else int(modseq))
        if body is None:
            return fetched
        self._body(fetched, int(body))
        line = self.incoming.line()
        return fetched if line == b")\r\n" else self._row(fetched, line, 0)

    def _row(self, fetched: Fetched, line: bytes, start: int) -> Fetched:
        """The rest of a row, which begins there in the line."""
        for _ in range(LITERALS_IN_A_RESPONSE):
            # the plain test first: most rows of an index have no literal, and a search from the left is slow on long lines
            literal = _LITERAL.search(line, max(start, len(line) - 32)) if line.endswith((b"}\r\n", b"}\n")) else None
            end = literal.start() if literal else len(line)
            self._items(fetched, line, start, end)
            if literal is None:
                return fetched
            size = int(literal[1])
            if _BODY_NAME.search(line, max(0, end - KB), end):
                self._body(fetched, size)
            elif size > self.limits.short_literal:
                raise self._misbehaved(f"announced {size:,} bytes where a short text belongs")
            else:
                self.incoming.exactly(size)
            line, start = self.incoming.line(), 0
        raise self._misbehaved("sent a message in too many parts")

    @staticmethod
    def _items(fetched: Fetched, line: bytes, start: int, end: int) -> None:
        for item in _ITEM.finditer(line, start, end):
            match item.lastindex:
                case 1:
                    fetched.uid = int(item[1])
                case 2:
                    fetched.flags = item[2]
                case 3:
                    fetched.date = item[3]
                case 4:
                    fetched.size = int(item[4])
                case 5:
                    fetched.modseq = int(item[5])
                case _ if fetched.body_size is None:
                    fetched.body = _ESCAPED.sub(rb"\1", item[7] or b"")
                    fetched.body_size = len(fetched.body)
                case _:
                    pass

    def _body(self, fetched: Fetched, size: int) -> None:
        if size > self.limits.literal:
            raise self._misbehaved(
                f"announced a message of {size:,} bytes, more than the {self.limits.literal:,} that are allowed"
            )
        if fetched.body_size is not None:
            raise self._misbehaved("sent two bodies for one message")
        if size <= self.limits.in_memory:
            fetched.body = self.incoming.exactly(size)
        else:
            # closed by whoever takes the message; unlinked from the start, so a crash leaves nothing
            file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
            fetched.body = file
            self.incoming.pour(size, file)
        fetched.body_size = size
