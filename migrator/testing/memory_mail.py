"""Mail servers in memory: the whole mail contract without a socket, with the habits of real servers on request.

    server = MemoryServer("new", accounts=["alice@example.com"], manners=COURIER)
    server.put("alice@example.com", "INBOX", b"Subject: hello\\r\\n\\r\\n")
    with closing(server.reader("alice@example.com")) as mailbox: ...

Many sessions of many threads may use one server. `before_write` and `after_write` are called around every change of what the
server holds: raise there to die at that point. `Drop` breaks a connection at a chosen call. What a test wants to know is on the
server: `writes`, `calls`, `logins`, `open_sessions`, `contents()`.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal, TypeVar

from pydantic import Field, SecretStr

from migrator.engine.contract import Adapter, Login, Service, Side
from migrator.errors import Dropped, LoginRefused, NoSpace, NotFound, Refused, TooManyConnections
from migrator.frozen import dataclass
from migrator.mail.contract import MAIL, MailReader, MailWriter
from migrator.mail.flags import SYSTEM, to_send
from migrator.mail.headers import header_block, message_id
from migrator.mail.model import Added, Content, Features, Folder, Header, Message, Namespace, Opened
from migrator.testing.memory_strongbox import MemoryStrongbox

INBOX = "INBOX"
ARRIVAL = datetime(2024, 5, 1, 12, tzinfo=UTC)  # the date of a message that was put away without one

T = TypeVar("T")


# -- habits -----------------------------------------------------------------------------------------------------------


def takes_all(raw: bytes) -> str:
    """Refuses nothing."""
    del raw
    return ""


def refuses_as_dovecot(raw: bytes) -> str:
    """Empty messages only."""
    return "" if raw else "Can't save a zero byte message."


def refuses_as_cyrus(raw: bytes) -> str:
    """What is not well formed: empty, bare newlines, NUL, a header that is none."""
    if b"\0" in raw:
        return "Message contains NUL characters"
    if re.search(rb"(?<!\r)\n", raw):
        return "Message contains bare newlines"
    lines = re.split(rb"\r\n(?![ \t])", header_block([raw]))
    if not raw or any(not re.match(rb"[!-9;-~]+:|From ", line) for line in lines if line) or lines == [b""]:
        return "Message contains invalid header"
    return ""


def keeps_bytes(raw: bytes) -> bytes:
    """Keeps every byte."""
    return raw


def normalises_as_dovecot(raw: bytes) -> bytes:
    """Bare LF becomes CRLF, NUL becomes 0x80."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", raw).replace(b"\0", b"\x80")


def normalises_as_courier(raw: bytes) -> bytes:
    """Bare CR goes, bare LF becomes CRLF, the last line gets its end."""
    lines = raw.replace(b"\r", b"").replace(b"\n", b"\r\n")
    return lines if lines.endswith(b"\n") else lines + b"\r\n"


def masks_as_cyrus(raw: bytes) -> bytes:
    """Every byte of the header that is not ASCII becomes an X (munge8bit)."""
    header, blank, body = raw.partition(b"\r\n\r\n")
    return bytes(byte if byte < 0x80 else ord("X") for byte in header) + blank + body


def takes_every_name(folder: str) -> str:
    """Refuses no folder."""
    del folder
    return ""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a server behaves.

    `refuses` and `refuses_folder` answer the words of a refusal, "" for none. `quota` is bytes an account may hold, `largest`
    the largest message. `limit` is how many sessions the server bears, `connections` how many its adapter says the plan allows,
    in all and for one account.
    """

    server: str = "memory"
    prefix: str = ""
    separator: str = "/"
    uidplus: bool = True  # else the uids of what was added are not told
    all_or_nothing: bool = True  # MULTIAPPEND; else messages before a refused one stay
    tells_changes: bool = True  # CONDSTORE
    tells_sizes: bool = True  # STATUS=SIZE
    keywords_allowed: bool = True
    normalises: Callable[[bytes], bytes] = keeps_bytes
    refuses: Callable[[bytes], str] = takes_all
    refuses_folder: Callable[[str], str] = takes_every_name
    largest: int | None = None
    quota: int | None = None
    limit: int | None = None
    connections: tuple[int, int] = (4, 4)


DOVECOT = Manners("dovecot", "INBOX.", ".", normalises=normalises_as_dovecot, refuses=refuses_as_dovecot)
CYRUS = Manners("cyrus", "INBOX.", ".", refuses=refuses_as_cyrus)
COURIER = Manners(
    "courier",
    "INBOX.",
    ".",
    all_or_nothing=False,
    tells_changes=False,
    tells_sizes=False,
    normalises=normalises_as_courier,
)


@dataclass(frozen=True, slots=True)
class Drop:
    """Break the connection at the nth call of an operation ("add", "create", "subscribe", "flags", "open", "index", "fetch",
    counted over all sessions; a message is one "add" where the server has no MULTIAPPEND). With `after`, the change is made
    and only its answer lost.
    """

    operation: str
    call: int = 1
    after: bool = False


# -- what a server holds ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """One message on a server."""

    uid: int
    raw: bytes
    flags: frozenset[str] = frozenset()
    date: datetime = ARRIVAL
    modseq: int = 1

    @property
    def header(self) -> Header:
        """The message as an index shows it."""
        return Header(self.uid, len(self.raw), self.flags, self.date, self.modseq)


@dataclass(slots=True)
class _Folder:
    uidvalidity: int
    attributes: frozenset[str] = frozenset()
    uidnext: int = 1
    modseq: int = 1
    messages: dict[int, Stored] = field(default_factory=dict)

    def add(self, raw: bytes, flags: frozenset[str], date: datetime | None) -> Stored:
        self.modseq += 1
        stored = Stored(self.uidnext, raw, flags, date or ARRIVAL, self.modseq)
        self.messages[self.uidnext] = stored
        self.uidnext += 1
        return stored

    def set_flags(self, uid: int, flags: frozenset[str]) -> None:
        self.modseq += 1
        self.messages[uid] = replace(self.messages[uid], flags=flags, modseq=self.modseq)


@dataclass(slots=True)
class _Mailbox:
    folders: dict[str, _Folder] = field(default_factory=dict)
    subscriptions: set[str] = field(default_factory=set)

    @property
    def bytes(self) -> int:
        return sum(len(stored.raw) for folder in self.folders.values() for stored in folder.messages.values())


class MemoryServer:
    """A mail server. The public attributes are for tests to set and to read."""

    def __init__(self, name: str = "memory", accounts: Iterable[str] = (), manners: Manners = Manners()) -> None:  # noqa: B008 - frozen
        self.name = name
        self.manners = manners
        self.refused_accounts: set[str] = set()  # accounts whose password is wrong
        self.undeliverable: set[tuple[str, str, int]] = set()  # account, folder, uid: listed, but answered empty
        self.drops: list[Drop] = []
        self.before_write: Callable[[str], None] = lambda _: None
        self.after_write: Callable[[str], None] = lambda _: None
        self.writes: list[str] = []  # every change, in order: `add alice@example.com INBOX 3`
        self.calls: Counter[str] = Counter()
        self.logins: Counter[str] = Counter()  # by account, refused ones too
        self.open_sessions = 0
        self.most_sessions = 0
        self.lock = threading.RLock()
        self._last_uidvalidity = 1000
        self.mailboxes = {account: _Mailbox({INBOX: _Folder(self._uidvalidity())}) for account in accounts}

    # -- for tests ----------------------------------------------------------------------------------------------------

    def put(
        self, account: str, folder: str, raw: bytes, flags: Iterable[str] = (), date: datetime | None = None
    ) -> int:
        """Have a message there, as if it had always been; answers its uid. The folder is made if need be."""
        with self.lock:
            self.make(account, folder)
            return self.mailboxes[account].folders[folder].add(raw, frozenset(flags), date).uid

    def make(self, account: str, folder: str, attributes: Iterable[str] = (), *, subscribed: bool = False) -> None:
        """Have an account and a folder there."""
        with self.lock:
            mailbox = self.mailboxes.setdefault(account, _Mailbox())
            if folder not in mailbox.folders:
                mailbox.folders[folder] = _Folder(self._uidvalidity(), frozenset(attributes))
            if subscribed:
                mailbox.subscriptions.add(folder)

    def change_flags(self, account: str, folder: str, uid: int, flags: Iterable[str]) -> None:
        """Change a message's flags, as its owner does."""
        with self.lock:
            self.mailboxes[account].folders[folder].set_flags(uid, frozenset(flags))

    def remove(self, account: str, folder: str, uid: int | None = None) -> None:
        """Remove a message, or the whole folder, as its owner does."""
        with self.lock:
            folders = self.mailboxes[account].folders
            if uid is None:
                del folders[folder]
            else:
                del folders[folder].messages[uid]

    def renumber(self, account: str, folder: str) -> None:
        """Give a folder a new UIDVALIDITY and its messages new uids, as a restored backup does."""
        with self.lock:
            folders = self.mailboxes[account].folders
            fresh = _Folder(self._uidvalidity(), folders[folder].attributes, uidnext=7)
            for stored in folders[folder].messages.values():
                fresh.add(stored.raw, stored.flags, stored.date)
            folders[folder] = fresh

    def contents(self, account: str) -> dict[str, list[Stored]]:
        """Every folder of an account with its messages, by uid."""
        with self.lock:
            folders = self.mailboxes[account].folders
            return {name: list(folder.messages.values()) for name, folder in folders.items()}

    def subscriptions(self, account: str) -> set[str]:
        """The folders an account is subscribed to."""
        with self.lock:
            return set(self.mailboxes[account].subscriptions)

    # -- sessions -----------------------------------------------------------------------------------------------------

    def reader(self, account: str) -> MailReader:
        """A session that cannot write. Raises LoginRefused, TooManyConnections."""
        self._login(account)
        return MemoryReader(self, account)

    def writer(self, account: str) -> MailWriter:
        """A session that can write. Raises LoginRefused, TooManyConnections."""
        self._login(account)
        return _Writer(self, account)

    def _login(self, account: str) -> None:
        with self.lock:
            self.logins[account] += 1
            if account in self.refused_accounts or account not in self.mailboxes:
                raise LoginRefused(
                    f"{account}: {self.name} refused the password.", remedy="Correct it, then run again."
                )
            if self.manners.limit is not None and self.open_sessions >= self.manners.limit:
                raise TooManyConnections(f"{self.name} bears {self.manners.limit} connections and holds as many.")
            self.open_sessions += 1
            self.most_sessions = max(self.most_sessions, self.open_sessions)

    def _uidvalidity(self) -> int:
        self._last_uidvalidity += 1
        return self._last_uidvalidity

    def planned_drop(self, operation: str) -> Drop | None:
        """Count a call; the drop that was planned for it."""
        with self.lock:
            self.calls[operation] += 1
            now = self.calls[operation]
            return next((drop for drop in self.drops if (drop.operation, drop.call) == (operation, now)), None)


class MemoryReader:
    """Fulfils MailReader. What it answers is what its server holds."""

    def __init__(self, server: MemoryServer, account: str) -> None:
        manners = server.manners
        self._server = server
        self._account = account
        self._first_look: tuple[str, Opened] | None = None
        self._broken = False
        self._closed = False
        self.namespace = Namespace(manners.prefix, manners.separator)
        self.features = Features(
            keeps_uids=manners.uidplus,
            largest=manners.largest,
            tells_sizes=manners.tells_sizes,
            tells_changes=manners.tells_changes,
            server=manners.server,
            quota_left=None if manners.quota is None else manners.quota - self._mailbox.bytes,
        )

    def folders(self) -> Sequence[Folder]:
        self._asked("folders")
        with self._server.lock:
            return [self._listed(name, folder) for name, folder in self._mailbox.folders.items()]

    def open(self, folder: str) -> Opened:
        self._asked("open")
        with self._server.lock:
            there = self._folder(folder)
            if self._first_look is None or self._first_look[0] != folder:
                self._first_look = (folder, self._seen(there))
            return self._first_look[1]

    def index(self, folder: str, first: int = 1, last: int | None = None, changed_since: int = 0) -> Iterator[Header]:
        self._asked("index")
        with self._server.lock:
            stored = list(self._folder(folder).messages.values())
        for message in stored:
            if first <= message.uid and (last is None or message.uid <= last) and message.modseq > changed_since:
                yield message.header if self._server.manners.tells_changes else replace(message.header, modseq=0)

    def sizes(self, folder: str) -> Iterator[tuple[int, int]]:
        """See MailReader."""
        return ((header.uid, header.size) for header in self.index(folder))

    def fetch(self, folder: str, uids: Sequence[int]) -> Iterator[Message]:
        self._asked("fetch")
        for uid in uids:
            with self._server.lock:
                stored = self._folder(folder).messages.get(uid)
                withheld = (self._account, folder, uid) in self._server.undeliverable
            if stored is not None:
                yield Message(stored.header, Content(b"" if withheld else stored.raw))

    def message_ids(self, folder: str, uids: Sequence[int]) -> Mapping[int, str]:
        self._asked("message_ids")
        with self._server.lock:
            messages = self._folder(folder).messages
            return {uid: message_id(header_block([messages[uid].raw])) for uid in uids if uid in messages}

    def close(self) -> None:
        with self._server.lock:
            if not self._closed:
                self._closed = True
                self._server.open_sessions -= 1

    @property
    def _mailbox(self) -> _Mailbox:
        return self._server.mailboxes[self._account]

    def _folder(self, name: str) -> _Folder:
        folder = self._mailbox.folders.get(INBOX if name.upper() == INBOX else name)
        if folder is None or "\\noselect" in folder.attributes:
            raise NotFound(f"{self._account}: {self._server.name} has no folder {name}.")
        return folder

    def _listed(self, name: str, folder: _Folder) -> Folder:
        manners = self._server.manners
        return Folder(
            name,
            manners.separator,
            folder.attributes,
            name in self._mailbox.subscriptions,
            len(folder.messages),
            sum(len(stored.raw) for stored in folder.messages.values()) if manners.tells_sizes else None,
            folder.uidvalidity,
            folder.uidnext,
            folder.modseq if manners.tells_changes else 0,
        )

    def _seen(self, folder: _Folder) -> Opened:
        manners = self._server.manners
        modseq = folder.modseq if manners.tells_changes else 0
        return Opened(
            folder.uidvalidity,
            folder.uidnext,
            len(folder.messages),
            modseq,
            permanent_flags=frozenset(SYSTEM),
            keywords_allowed=manners.keywords_allowed,
        )

    def _asked(self, operation: str) -> None:
        """Count a call that reads, and break the connection if that was planned."""
        self._alive()
        if self._server.planned_drop(operation):
            self._break()

    def _alive(self) -> None:
        if self._broken or self._closed:
            raise Dropped(f"The connection to {self._server.name} is gone.")

    def _break(self) -> None:
        self._broken = True
        raise Dropped(f"{self._server.name} broke the connection.")


class _Writer(MemoryReader):
    """Fulfils MailWriter."""

    def create(self, folders: Sequence[str]) -> Mapping[str, str]:
        refused = {}
        for folder in folders:
            if folder in self._mailbox.folders or folder.upper() == INBOX:
                continue
            if words := self._refusal(folder):
                refused[folder] = words
                continue
            self._change(f"create {self._account} {folder}", partial(self._server.make, self._account, folder))
        return refused

    def subscribe(self, folders: Sequence[str]) -> Mapping[str, str]:
        refused = {}
        for folder in folders:
            if folder not in self._mailbox.folders:
                refused[folder] = "Mailbox does not exist"
            elif folder not in self._mailbox.subscriptions:
                self._change(f"subscribe {self._account} {folder}", partial(self._mailbox.subscriptions.add, folder))
        return refused

    def end_of(self, folder: str) -> str:
        self._asked("end_of")
        with self._server.lock:
            there = self._folder(folder)
            return f"{there.uidvalidity}/{there.uidnext}"

    def add(self, folder: str, messages: Sequence[Message]) -> Sequence[Added]:
        self._alive()
        self._folder(folder)
        if self._server.manners.all_or_nothing:
            return self._add(folder, messages)
        return [added for message in messages for added in self._add(folder, [message])]

    def set_flags(self, folder: str, flags: Mapping[int, frozenset[str]]) -> Mapping[int, frozenset[str]]:
        self._alive()
        after = {}
        for uid, wanted in flags.items():
            if uid not in self._folder(folder).messages:
                continue
            after[uid] = self._kept(wanted)[0]
            self._change(
                f"flags {self._account} {folder} {uid}",
                partial(self._folder(folder).set_flags, uid, after[uid]),
            )
        return after

    def _add(self, folder: str, messages: Sequence[Message]) -> list[Added]:
        """One command: all of these messages or none."""
        if not messages:
            return []
        manners = self._server.manners
        arriving = []
        for message in messages:
            raw = message.content.whole()
            if words := manners.refuses(raw):
                raise Refused(words)
            if manners.largest is not None and len(raw) > manners.largest:
                raise Refused("Mail size is larger than the maximum size allowed")
            arriving.append((manners.normalises(raw), self._kept(message.header.flags), message.header.date))
        size = sum(len(raw) for raw, _, _ in arriving)
        if manners.quota is not None and self._mailbox.bytes + size > manners.quota:
            raise NoSpace(f"{self._account}: the account on {self._server.name} is full.", remedy="Raise its quota.")

        def take() -> list[Stored]:
            there = self._folder(folder)
            return [there.add(raw, kept, date) for raw, (kept, _), date in arriving]

        stored = self._change(f"add {self._account} {folder} {len(messages)}", take)
        return [
            Added(one.uid if manners.uidplus else None, len(one.raw), one.date, one.flags, dropped)
            for one, (_, (_, dropped), _) in zip(stored, arriving, strict=True)
        ]

    def _change(self, what: str, effect: Callable[[], T]) -> T:
        """Make one change of what the server holds, with the hooks around it and the drop that was planned for it."""
        self._alive()
        drop = self._server.planned_drop(what.partition(" ")[0])
        if drop and not drop.after:
            self._break()
        self._server.before_write(what)
        with self._server.lock:
            result = effect()
            self._server.writes.append(what)
        self._server.after_write(what)
        if drop:
            self._break()
        return result

    def _kept(self, flags: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        kept, dropped = to_send(flags, frozenset(SYSTEM), keywords_allowed=self._server.manners.keywords_allowed)
        return frozenset(kept), frozenset(dropped)

    def _refusal(self, folder: str) -> str:
        manners = self._server.manners
        if not folder.startswith(manners.prefix):
            return "Client tried to access nonexistent namespace."
        if manners.separator and "" in folder.split(manners.separator):
            return "Mailbox name has adjacent hierarchy separators"
        if not folder.isprintable():
            return "Mailbox name has control characters"
        return manners.refuses_folder(folder)


# -- ways in ----------------------------------------------------------------------------------------------------------


class MemoryOptions(Service):
    """A mail server in memory; for tests."""

    type: Literal["memory"] = Field(default="memory", description="a mail server in memory, for tests")


def adapter(server: MemoryServer) -> Adapter[MailReader, MailWriter]:
    """An ADAPTER whose every session is one of `server`, for tests that start from a plan."""

    def read(_: MemoryOptions, login: Login) -> MailReader:
        return server.reader(login.user)

    def fill(_: MemoryOptions, login: Login) -> MailWriter:
        return server.writer(login.user)

    return Adapter("memory", "memory", MemoryOptions, read, fill, connections=lambda _: server.manners.connections)


@dataclass(frozen=True, slots=True)
class MemoryRoute:
    """Fulfils the engine's Opener: sessions between two servers in memory."""

    source: MemoryServer
    target: MemoryServer

    def endpoint(self, side: Side) -> str:
        """The server's name."""
        return self._server(side).name

    def connections(self, side: Side) -> tuple[int, int]:
        """What the server's manners say."""
        return self._server(side).manners.connections

    def for_reading(self, side: Side, service: str, account: str) -> MailReader:
        """A session that cannot write. Raises LoginRefused, TooManyConnections."""
        assert service == MAIL.service
        return self._server(side).reader(account)

    def login(self, side: Side, account: str) -> Login:
        del side
        return Login(account, account)

    def keep_password(self, account: str, password: SecretStr) -> None:
        """Nobody asks for it again."""

    @property
    def strongbox(self) -> MemoryStrongbox:
        return MemoryStrongbox()

    def for_writing(self, side: Side, service: str, account: str) -> MailWriter:
        """A session at the target that can write. Raises LoginRefused, TooManyConnections."""
        assert side is Side.TARGET
        assert service == MAIL.service
        return self.target.writer(account)

    def _server(self, side: Side) -> MemoryServer:
        return self.source if side is Side.SOURCE else self.target
