"""Any IMAP4rev1 server as a source or a target of mail (RFC 3501; extensions are used where they are advertised).

Seen working with Dovecot 2.3, Cyrus 3.6 and Courier 5.0. IMAPClient connects and secures; from the login on, commands travel through
our own wire layer, since a copy's speed is made of pipelining and of not parsing bodies (see wire/imap.py).

What it cannot do: ACLs, METADATA, Sieve, folders of other users. The capability list decides, never an OK: Courier and Dovecot
say OK to an ENABLE of things they do not have.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal as OneOf

from imapclient import IMAPClient
from pydantic import BaseModel, ByteSize, Field, SecretStr, field_validator, model_validator

from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import (
    Dropped,
    EndpointRefused,
    LoginRefused,
    MigratorError,
    Misbehaved,
    NoSpace,
    NotFound,
    Refused,
    TlsFailed,
    TooManyConnections,
    Unavailable,
    Unreachable,
)
from migrator.mail.contract import MailReader, MailWriter
from migrator.mail.dates import clamp, format_internaldate, parse_internaldate
from migrator.mail.flags import SYSTEM, to_send
from migrator.mail.headers import message_id
from migrator.mail.imap_shapes import (
    as_number,
    expanded,
    flags_of,
    list_entry,
    namespaces,
    number_after,
    pair_by_order,
    quota_left,
    status_entry,
    told_at_opening,
    without,
)
from migrator.mail.model import Added, Content, Features, Folder, Header, Message, Namespace, Opened
from migrator.wire import tls
from migrator.wire.imap import (
    GB,
    Argument,
    Connection,
    Fetched,
    Incoming,
    Limits,
    Literal,
    SaidBye,
    Spoken,
    Untagged,
    plain,
    string,
    uid_sets,
)
from migrator.wire.imap_login import Credentials, asks_for_patience, log_in, refused_otherwise, unavailable

PORTS = {"tls": 993, "starttls": 143, "none": 143}
PATIENCE_TO_CONNECT = 30.0  # seconds for the TCP connection, the handshake and the greeting
LINES_UNTIL_LOGIN = 1_000
LARGEST_UID = 2**32 - 1
ROWS = 10_000  # headers held at once while a folder is listed
UIDS_A_FETCH = 500
FETCHES_AT_ONCE = 2
APPENDS_AT_ONCE = 256  # commands; their answers must fit the sockets' buffers, since nobody reads while we write
STATUSES_AT_ONCE = 200

ROW = b"(UID FLAGS INTERNALDATE RFC822.SIZE)"
ROW_WITH_MODSEQ = b"(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)"
WHOLE = b"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"
WHOLE_IN_COURIER = b"(UID FLAGS INTERNALDATE RFC822.SIZE RFC822)"


# -- what a plan says -------------------------------------------------------------------------------------------------


class NamespaceOption(BaseModel):
    """The personal namespace of a server that tells it wrongly or not at all."""

    model_config = {"frozen": True, "extra": "forbid"}

    prefix: str = Field("", description="What stands before every folder's name but INBOX, such as `INBOX.`")
    separator: str = Field("/", max_length=1, description="What stands between the parts of a folder's name")


class Options(Service):
    """How to reach the mailboxes of one IMAP server."""

    host: str = Field(min_length=1, description="Name or address of the server, as its certificate has it")
    port: int | None = Field(None, ge=1, le=65535, description="Left out: 993 for tls, 143 for starttls and none")
    security: OneOf["tls", "starttls", "none"] = Field(
        "tls",
        description="tls from the first byte; starttls: required after a plain greeting; none: only on this machine",
    )
    allow_cleartext: bool = Field(False, description="Let security: none send passwords over a network unprotected")
    connections: int = Field(
        6, ge=1, le=100, description="Connections to this server at once, for all accounts together"
    )
    connections_per_account: int = Field(4, ge=1, le=100, description="Connections at once for one account")
    auth: OneOf["auto", "plain", "login", "cram-md5", "xoauth2", "oauthbearer"] = Field(
        "auto",
        description="How to log in; auto takes the best the server offers. For xoauth2 and oauthbearer the password is the token",
    )
    master_user: str | None = Field(
        None, description="A user that may open every mailbox, so that no account needs its own password"
    )
    master_password: SecretStr | str | None = Field(
        None, description="Name of the secret with the master user's password", json_schema_extra={"secret": True}
    )
    master_style: OneOf["separator", "authzid"] = Field(
        "separator",
        description="separator: log in as `user*master` (Dovecot); authzid: name both in AUTHENTICATE PLAIN (Cyrus, Zimbra)",
    )
    master_separator: str = Field("*", min_length=1, description="What stands between user and master user")
    ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority to trust instead of the system's",
        json_schema_extra={"path": True},
    )
    tls_fingerprint: str | None = Field(
        None,
        description="SHA-256 fingerprint of the one certificate to accept, whoever signed it and whatever name it carries",
    )
    namespace: NamespaceOption | None = Field(None, description="Overrides what the server says of its namespace")
    timeout: float = Field(120, gt=0, le=3600, description="Seconds of silence after which a connection counts as lost")
    largest_message: ByteSize = Field(
        ByteSize(2 * GB), gt=0, description="A message announced larger than this is taken for a fault of the server"
    )

    @field_validator("tls_fingerprint")
    @classmethod
    def _readable_fingerprint(cls, value: str | None) -> str | None:
        return value and tls.read_fingerprint(value)

    @model_validator(mode="after")
    def _safe(self) -> Options:
        if self.security == "none" and not (self.allow_cleartext or tls.is_loopback(self.host)):
            raise ValueError(
                "security: none would send passwords over the network unprotected. Use tls or starttls, or say allow_cleartext: true"
            )
        if (self.master_user is None) != (self.master_password is None):
            raise ValueError("master_user and master_password belong together")
        return self

    @property
    def where(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or PORTS[self.security]


# -- reading ----------------------------------------------------------------------------------------------------------


class ImapReader:
    """A mailbox on an IMAP server, held read-only: folders are only EXAMINEd, and the connection refuses other commands."""

    _enters = b"EXAMINE"

    def __init__(self, wire: Connection, options: Options, server: str) -> None:
        self._wire = wire
        self._open: tuple[str, bytes] | None = None  # the folder and the command it was entered with
        self._opened = Opened(0, 0, 0)
        self._numbering: dict[str, int] = {}  # UIDVALIDITY of each folder as last told to the caller
        self._flag_sets: dict[bytes, frozenset[str]] = {}
        self._foreign: tuple[str, ...] = ()  # prefixes of other users' and shared folders
        self.namespace, quota_left = self._arrive(options)
        has = wire.capabilities
        self.features = Features(
            largest=number_after(has, b"APPENDLIMIT="),
            tells_sizes=b"STATUS=SIZE" in has,
            tells_changes=b"CONDSTORE" in has or b"QRESYNC" in has,
            server=server,
            quota_left=quota_left,
            notes=tuple(wire.alerts),
        )

    def folders(self) -> Sequence[Folder]:
        """See MailReader. One round trip where LIST-STATUS is offered, else two or more."""
        if {b"LIST-EXTENDED", b"LIST-STATUS"} <= self._wire.capabilities:
            special = b" SPECIAL-USE" if b"SPECIAL-USE" in self._wire.capabilities else b""
            answer = self._wire.run(
                b"LIST", b'"" "*" RETURN (SUBSCRIBED CHILDREN%s STATUS (%s))' % (special, self._countable())
            )
            if answer.end.ok:
                return self._counted(self._listed(answer.untagged), answer.untagged)
        return self._folders_step_by_step()

    def _folders_step_by_step(self) -> Sequence[Folder]:
        listed, subscribed = self._wire.run_all(
            [self._wire.begin(b"LIST", b'"" "*"'), self._wire.begin(b"LSUB", b'"" "*"')]
        )
        if not listed.end.ok:
            raise Misbehaved(f"{self._wire.peer}: the server does not list its folders: {listed.end.words}")
        followed = {name for _, _, name in map(list_entry, subscribed.of(b"LSUB")) if name is not None}
        found = {
            name: replace(folder, subscribed=folder.subscribed or name in followed)
            for name, folder in self._listed(listed.untagged).items()
        }
        countable = [name for name, folder in found.items() if folder.selectable]
        counts: list[Untagged] = []
        for start in range(0, len(countable), STATUSES_AT_ONCE):
            part = countable[start : start + STATUSES_AT_ONCE]
            # a STATUS may fail (no right to look); the folder then goes without counts
            answers = self._wire.run_all(
                [self._wire.begin(b"STATUS", _name(name), b"(%s)" % self._countable()) for name in part]
            )
            counts.extend(answers[-1].untagged)
        return self._counted(found, counts)

    def _countable(self) -> bytes:
        # one item the server does not know costs all (Courier answers an empty list with OK)
        items = [b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY"]
        if self.features.tells_changes:
            items.append(b"HIGHESTMODSEQ")
        if self.features.tells_sizes:
            items.append(b"SIZE")
        return b" ".join(items)

    def _listed(self, responses: Iterable[Untagged]) -> dict[str, Folder]:
        found: dict[str, Folder] = {}
        for response in responses:
            if response.word != b"LIST":
                continue
            attributes, separator, name = list_entry(response)
            if name is None or name.startswith(self._foreign):
                continue
            found[name] = Folder(name, separator, attributes, subscribed="\\subscribed" in attributes)
        return found

    @staticmethod
    def _counted(found: Mapping[str, Folder], responses: Iterable[Untagged]) -> list[Folder]:
        counted = dict(found)
        for response in responses:
            if response.word != b"STATUS":
                continue
            name, items = status_entry(response)
            if name in counted and "MESSAGES" in items:
                counted[name] = replace(
                    counted[name],
                    messages=items["MESSAGES"],
                    bytes=items.get("SIZE"),
                    uidvalidity=items.get("UIDVALIDITY", 0),
                    uidnext=items.get("UIDNEXT", 0),
                    modseq=items.get("HIGHESTMODSEQ", 0),
                )
        return list(counted.values())

    def open(self, folder: str) -> Opened:
        """See MailReader."""
        opened = self._enter(folder, self._enters)
        self._numbering[folder] = opened.uidvalidity
        return opened

    def _look_into(self, folder: str, command: bytes | None = None) -> Opened:
        """Have the folder open for a caller who holds uids of it. Raises Misbehaved if they have lost their meaning."""
        opened = self._enter(folder, command or self._enters)
        known = self._numbering.setdefault(folder, opened.uidvalidity)
        if known != opened.uidvalidity:
            raise Misbehaved(
                f"{_shown(folder)}: the server began to number the folder anew while it was being read.",
                remedy="Run again: the folder will be read from its beginning, and what arrived will be recognised.",
            )
        return opened

    def _enter(self, folder: str, command: bytes) -> Opened:
        if self._open == (folder, command):
            return self._opened
        self._open = None  # a failed EXAMINE leaves no folder open
        answer = self._wire.run(command, _name(folder))
        if not answer.end.ok:
            raise self._refusal(answer.end, folder, opening=True)
        opened = told_at_opening(answer.untagged)
        if not opened.uidnext:
            opened = replace(opened, uidnext=self._uidnext_asked(folder, opened.messages))
        self._opened, self._open = opened, (folder, command)
        return opened

    def _uidnext_asked(self, folder: str, messages: int) -> int:
        """The end of an open folder whose server does not tell it at opening (Courier)."""
        for response in self._wire.run(b"STATUS", _name(folder), b"(UIDNEXT)").of(b"STATUS"):
            if uidnext := status_entry(response)[1].get("UIDNEXT"):
                return uidnext
        if not messages:
            return 1
        tag = self._wire.begin(b"UID FETCH", b"*", b"(UID)")
        last = max((row.uid or 0 for row in self._rows([tag], rows_expected=1)), default=0)
        self._must(tag, "name its last message")
        return last + 1

    def index(self, folder: str, first: int = 1, last: int | None = None, changed_since: int = 0) -> Iterator[Header]:
        """See MailReader. A window is read whole before its first header is answered, so the session is free in between."""
        opened = self._look_into(folder)
        changed_since = changed_since if self.features.tells_changes else 0
        items = ROW_WITH_MODSEQ if self.features.tells_changes else ROW
        changed = (b"(CHANGEDSINCE %d)" % changed_since,) if changed_since else ()
        end = LARGEST_UID if last is None else last
        width = ROWS
        if opened.messages:  # a folder with gaps in its numbering is walked with longer strides
            width = max(ROWS, ROWS * max(opened.uidnext - first, 0) // opened.messages)
        if changed_since:
            width = LARGEST_UID
        may_be_open = last is None
        while first <= end:
            self._look_into(folder)
            upto = min(first + width - 1, end)
            # Past the UIDNEXT we know of there may be anything (it lies on some servers), so the last window is open.
            open_end = may_be_open and upto + 1 >= opened.uidnext
            upto = end if open_end else upto
            wanted = b"%d:*" % first if open_end else b"%d:%d" % (first, upto)
            rows, cut = self._window((wanted, items, *changed), first, upto)
            if cut is not None:
                upto, width = cut - 1, max(ROWS, width // 2)
                may_be_open = may_be_open and upto >= first  # a server that starts at the end would keep us here
            elif len(rows) < ROWS // 4:
                width *= 4
            for uid in sorted(uid for uid in rows if uid <= upto):
                if rows[uid].size is not None:
                    yield self._header(rows[uid])
            first = upto + 1

    def _window(self, arguments: Sequence[bytes], first: int, last: int) -> tuple[dict[int, Fetched], int | None]:
        """The rows of a range of uids, by uid; with more than ROWS of them also the smallest uid left out."""
        rows: dict[int, Fetched] = {}
        cut: int | None = None
        tag = self._wire.begin(b"UID FETCH", *arguments)
        for row in self._rows([tag], rows_expected=2 * ROWS + self._opened.messages):
            uid = row.uid or 0
            if not first <= uid <= last:
                continue  # an answer to n:* below n, or one nobody asked for
            if known := rows.get(uid):
                known.merge(row)
            elif len(rows) < ROWS:
                rows[uid] = row
            else:
                cut = min(uid, cut or uid)
        self._must(tag, "list messages")
        return rows, cut

    def fetch(self, folder: str, uids: Sequence[int]) -> Iterator[Message]:
        """See MailReader."""
        sets = list(uid_sets(uids, most=UIDS_A_FETCH))
        for start in range(0, len(sets), FETCHES_AT_ONCE):
            yield from self._fetch(folder, sets[start : start + FETCHES_AT_ONCE])

    def _fetch(self, folder: str, sets: Sequence[tuple[bytes, list[int]]]) -> Iterator[Message]:
        # Courier cuts BODY[] of deeply nested messages but not RFC822, which leaves \Seen alone only after EXAMINE.
        courier = self.features.server == "courier"
        self._look_into(folder, b"EXAMINE" if courier else None)
        items = WHOLE_IN_COURIER if courier else WHOLE
        tags = [self._wire.begin(b"UID FETCH", wanted, items) for wanted, _ in sets]
        awaited: set[int | None] = {uid for _, part in sets for uid in part}
        told: dict[int | None, Fetched] = {}  # rows without a body yet
        for row in self._rows(tags, rows_expected=4 * len(awaited)):
            if row.uid not in awaited:
                row.discard()
                continue
            if before := told.pop(row.uid, None):
                before.merge(row)
                row = before  # noqa: PLW2901
            if row.body_size is None:
                told[row.uid] = row
                continue
            awaited.discard(row.uid)
            yield self._message(row)
        for tag in tags:
            self._must(tag, "give messages")
        for row in told.values():
            if row.size is not None:  # listed but not delivered
                yield self._message(row)

    def message_ids(self, folder: str, uids: Sequence[int]) -> Mapping[int, str]:
        """See MailReader."""
        found: dict[int, str] = {}
        for wanted, part in uid_sets(uids):
            self._look_into(folder)
            tag = self._wire.begin(b"UID FETCH", wanted, b"(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            asked = set(part)
            for row in self._rows([tag], rows_expected=4 * len(part)):
                if row.uid in asked and isinstance(row.body, bytes) and row.body_size is not None:
                    found[row.uid] = message_id(row.body.rstrip() + b"\r\n")
                else:
                    row.discard()
            self._must(tag, "give Message-IDs")
        return found

    def close(self) -> None:
        """See MailReader."""
        self._wire.close()

    # -- what came over the wire, as our nouns

    def _rows(self, tags: Sequence[bytes], rows_expected: int) -> Iterator[Fetched]:
        """The FETCH rows until these commands have ended."""
        for response in self._wire.answers(tags, rows=rows_expected):
            if isinstance(response, Fetched):
                yield response

    def _must(self, tag: bytes, what: str) -> None:
        end = self._wire.end(tag)
        if not end.ok:
            if asks_for_patience(end):
                raise unavailable(self._wire.peer, end)
            raise Misbehaved(f"{self._wire.peer}: the server did not {what}: {end.words}")

    def _header(self, row: Fetched) -> Header:
        size = row.size if row.size is not None else row.body_size or 0
        date = parse_internaldate(row.date.decode("latin-1")) if row.date else None
        return Header(row.uid or 0, size, self._flags(row.flags or b""), date, row.modseq or 0)

    def _flags(self, raw: bytes) -> frozenset[str]:
        known = self._flag_sets.get(raw)
        if known is None:
            known = flags_of(raw.split())
            if len(self._flag_sets) < ROWS:
                self._flag_sets[raw] = known
        return known

    def _message(self, row: Fetched) -> Message:
        body = row.body
        content = Content(body) if isinstance(body, bytes) else Content(file=body, size=row.body_size)
        return Message(self._header(row), content)

    def _refusal(self, end: Spoken, folder: str, *, opening: bool = False) -> MigratorError:
        """A NO or BAD about a folder, as our error."""
        words, said = end.words, end.words.lower()
        name = _shown(folder)
        if end.code == "OVERQUOTA" or "over quota" in said or "quota exceeded" in said or "overquota" in said:
            return NoSpace(
                f"{self._wire.peer}: the account is full: {words}",
                remedy="Raise its quota or make room there, then run again.",
            )
        if asks_for_patience(end):
            return unavailable(self._wire.peer, end)
        if end.code in ("TRYCREATE", "NONEXISTENT") or opening:
            return NotFound(f"{name}: the folder cannot be opened: {words}", remedy="Run again to look for it anew.")
        if end.code in ("LIMIT", "TOOBIG") or "too large" in said or "larger than" in said or "too big" in said:
            return Refused(
                f"the server says: {words}",
                remedy="The message is larger than the server takes. Raise its limit for the time of the move, or keep the message as a file.",
            )
        return Refused(
            f"the server says: {words}",
            remedy="The target does not take this message as it is. Save it as a file from the old webmail while that is there.",
        )

    # -- arriving

    def _arrive(self, options: Options) -> tuple[Namespace, int | None]:
        """What there is to know of the account before its folders, in one round trip: namespace and free space."""
        wire = self._wire
        has = wire.capabilities
        tags = (
            [wire.begin(b"NAMESPACE")]
            if b"NAMESPACE" in has
            else [wire.begin(b"LIST", b'"" ""'), wire.begin(b"LIST", b'"" "%"')]
        )
        if b"QUOTA" in has or any(word.startswith(b"QUOTA=") for word in has):
            tags.append(wire.begin(b"GETQUOTAROOT", b"INBOX"))
        untagged = wire.run_all(tags)[-1].untagged
        with suppress(Misbehaved):  # a server that garbles this may still hold all the mail
            namespace, self._foreign = namespaces(untagged)
            if options.namespace:
                namespace = Namespace(options.namespace.prefix, options.namespace.separator)
            return namespace, quota_left(untagged)
        return Namespace(), None


# -- writing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it will be sent: flags the folder takes, a date it can keep. `later` are keywords to be set one by one
    afterwards, `dropped` those left out.
    """

    content: Content
    flags: frozenset[str]
    date: datetime | None
    dropped: frozenset[str]
    later: frozenset[str] = frozenset()

    def arguments(self, *, literal8: bool) -> Iterator[Argument]:
        """What stands in an APPEND for this message."""
        if self.flags:
            yield b"(%s)" % " ".join(sorted(self.flags)).encode("latin-1")
        if self.date:
            yield b'"%s"' % format_internaldate(self.date).encode("ascii")
        binary = literal8 and any(b"\0" in chunk for chunk in self.content.chunks())
        # a refusal of a large message should not cost its transfer
        yield Literal(self.content.size, self.content.chunks(), binary=binary, ask_first=not self.content.in_memory)

    def without_keywords(self) -> Letter:
        """The same with system flags alone, its keywords for later."""
        system = self.flags & frozenset(SYSTEM)
        return replace(self, flags=system, later=self.flags - system)


class ImapWriter(ImapReader):
    """A mailbox on an IMAP server that is being filled; the folder being filled is SELECTed."""

    _enters = b"SELECT"

    def __init__(self, wire: Connection, options: Options, server: str) -> None:
        super().__init__(wire, options, server)
        self._next = 0  # in the open folder, no message that arrives from now on has a smaller uid
        self._refused_keywords: dict[str, set[str]] = {}
        self._sendable: dict[frozenset[str], tuple[frozenset[str], frozenset[str]]] = {}

    def create(self, folders: Sequence[str]) -> Mapping[str, str]:
        """See MailWriter."""
        wire = self._wire
        said, refused = self._ask_for_each(b"CREATE", folders)
        doubtful = [folder for folder, end in said.items() if end.code != "ALREADYEXISTS"]
        # servers without that code say "exists" in many languages; whether it is there is what counts
        looks = wire.run_all([wire.begin(b"STATUS", _name(folder), b"(UIDVALIDITY)") for folder in doubtful])
        return refused | {
            folder: said[folder].words for folder, look in zip(doubtful, looks, strict=True) if not look.end.ok
        }

    def subscribe(self, folders: Sequence[str]) -> Mapping[str, str]:
        """See MailWriter."""
        said, refused = self._ask_for_each(b"SUBSCRIBE", folders)
        return refused | {folder: end.words for folder, end in said.items()}

    def _ask_for_each(self, command: bytes, folders: Sequence[str]) -> tuple[dict[str, Spoken], dict[str, str]]:
        """Send a command for every folder: the server's refusals, and our own where a server could take another folder."""
        refused = {folder: words for folder in folders if (words := self._ambiguous(folder))}
        sendable = [folder for folder in folders if folder not in refused]
        said: dict[str, Spoken] = {}
        for start in range(0, len(sendable), STATUSES_AT_ONCE):
            part = sendable[start : start + STATUSES_AT_ONCE]
            answers = self._wire.run_all([self._wire.begin(command, _name(folder)) for folder in part])
            said |= {folder: answer.end for folder, answer in zip(part, answers, strict=True) if not answer.end.ok}
        return said, refused

    def _ambiguous(self, folder: str) -> str:
        """Why a name is not even sent; "" if it is."""
        if any(letter < " " or letter == "\x7f" for letter in folder):
            return "the name holds a control character"  # Courier makes a folder of another name
        separator = self.namespace.separator
        if separator and 2 * separator in folder:
            return "a part of the name is empty"  # Cyrus folds the separators and takes a folder that is there
        return ""

    def end_of(self, folder: str) -> str:
        """See MailWriter. Costs nothing while the folder stays open: uids only grow, so what we saw last is a lower bound."""
        opened = self._look_into(folder)
        return f"{opened.uidvalidity}/{self._next}"

    def _enter(self, folder: str, command: bytes) -> Opened:
        if self._open == (folder, command):
            return self._opened
        opened = super()._enter(folder, command)
        self._sendable = {}
        self._next = opened.uidnext
        return opened

    def add(self, folder: str, messages: Sequence[Message]) -> Sequence[Added]:
        """See MailWriter. With LITERAL+ a batch takes one round trip, reading back included, or two."""
        if not all(message.content.size for message in messages):
            # to MULTIAPPEND an empty literal means "never mind" (RFC 3502), and Dovecot says OK to that
            raise Refused("a message of zero bytes cannot be stored over IMAP")
        opened = self._look_into(folder)
        letters = [self._letter(folder, opened, message) for message in messages]
        if b"MULTIAPPEND" in self._wire.capabilities:
            return self._put(folder, letters) if letters else []
        added: list[Added] = []
        for start in range(0, len(letters), APPENDS_AT_ONCE):
            added += self._put(folder, letters[start : start + APPENDS_AT_ONCE])
        return added

    def _letter(self, folder: str, opened: Opened, message: Message) -> Letter:
        header = message.header
        flags = self._sendable.get(header.flags)
        if flags is None:
            flags = to_send(header.flags, opened.permanent_flags, opened.keywords_allowed)
            self._sendable[header.flags] = flags
        kept, dropped = flags
        if refused := self._refused_keywords.get(folder):
            given_up = frozenset(flag for flag in kept if flag.lower() in refused)
            kept, dropped = kept - given_up, dropped | given_up
        return Letter(message.content, kept, header.date and clamp(header.date)[0], dropped)

    def _put(self, folder: str, letters: Sequence[Letter], *, again: bool = False) -> list[Added]:
        fence = self._next
        all_or_nothing = b"MULTIAPPEND" in self._wire.capabilities or len(letters) == 1
        tags = self._append(folder, letters)
        # Dovecot often answers this before it shows what was just appended, whatever stands in between; only a SELECT would
        # hold it up, which costs more than the second look (measured: 70 ms in a Maildir of 20,000).
        look = self._wire.begin(b"UID FETCH", b"%d:*" % fence, ROW)
        arrived = self._arrivals([*tags, look], fence, len(letters))
        self._wire.end(look)
        ends = [self._wire.end(tag) for tag in tags]
        refusals = [end for end in ends if not end.ok]
        if refusals:
            if (
                all_or_nothing
                and not again
                and _may_be_the_flags(refusals[0])
                and any(letter.flags for letter in letters)
            ):
                return self._put(folder, [letter.without_keywords() for letter in letters], again=True)
            raise max((self._refusal(end, folder) for end in refusals), key=lambda error: error.stops)
        uids = self._uids_told(ends, len(letters)) or self._uids_found(letters, arrived, fence)
        self._look_again([uid for uid in uids if uid is not None and uid not in arrived], arrived)
        self._next = max(self._next, *(uid + 1 for uid in (*uids, *arrived) if uid is not None), 0)
        added = [self._added(letter, uid, arrived) for letter, uid in zip(letters, uids, strict=True)]
        return self._with_keywords(folder, letters, added) if again else added

    def _append(self, folder: str, letters: Sequence[Letter]) -> list[bytes]:
        """Send the letters; the tags of the commands, which is one for all with MULTIAPPEND. Stops at a refused literal."""
        wire = self._wire
        literal8 = b"BINARY" in wire.capabilities
        if b"MULTIAPPEND" in wire.capabilities:
            arguments = (argument for letter in letters for argument in letter.arguments(literal8=literal8))
            return [wire.begin(b"APPEND", _name(folder), *arguments)]
        tags: list[bytes] = []
        for letter in letters:
            tags.append(wire.begin(b"APPEND", _name(folder), *letter.arguments(literal8=literal8)))
            if wire.ended(tags[-1]):
                break
        return tags

    def _arrivals(self, tags: Sequence[bytes], fence: int, count: int) -> dict[int, Fetched]:
        """Rows of what is behind the fence, by uid."""
        arrived: dict[int, Fetched] = {}
        for row in self._rows(tags, rows_expected=4 * count + ROWS):
            if (row.uid or 0) >= fence:
                uid = row.uid or 0
                if known := arrived.get(uid):
                    known.merge(row)
                else:
                    arrived[uid] = row
        return {uid: row for uid, row in arrived.items() if row.size is not None}

    def _uids_told(self, ends: Sequence[Spoken], count: int) -> list[int | None]:
        """The uids by APPENDUID, in the order of sending; empty if they were not told or not believable."""
        uids: list[int | None] = []
        for end in ends:
            validity, _, told = end.arguments.partition(b" ")
            if end.code != "APPENDUID" or as_number(validity) != self._opened.uidvalidity:
                return []
            uids += expanded(told, count)
        return uids if len(uids) == count and len(set(uids)) == count else []

    def _uids_found(self, letters: Sequence[Letter], arrived: dict[int, Fetched], fence: int) -> list[int | None]:
        """The uids by what stands behind the fence now; None where that is not certain."""
        if len(arrived) < len(letters):
            noop = self._wire.begin(b"NOOP")
            look = self._wire.begin(b"UID FETCH", b"%d:*" % fence, ROW)
            arrived |= self._arrivals([noop, look], fence, len(letters))
            self._wire.end(noop)
            self._wire.end(look)
        there = [(uid, row.size or 0, self._header(row).date) for uid, row in sorted(arrived.items())]
        return pair_by_order([(letter.content.size, letter.date) for letter in letters], there)

    def _look_again(self, missing: Sequence[int], arrived: dict[int, Fetched]) -> None:
        """Ask once more for messages the server named but did not show yet."""
        if not missing:
            return
        noop = self._wire.begin(b"NOOP")
        looks = [self._wire.begin(b"UID FETCH", wanted, ROW) for wanted, _ in uid_sets(missing)]
        arrived |= self._arrivals([noop, *looks], min(missing), len(missing))
        for tag in (noop, *looks):
            self._wire.end(tag)

    def _added(self, letter: Letter, uid: int | None, arrived: Mapping[int, Fetched]) -> Added:
        row = arrived.get(uid) if uid is not None else None
        if row is None:
            return Added(uid, dropped_flags=letter.dropped)
        header = self._header(row)
        return Added(uid, row.size, header.date, header.flags, letter.dropped | without(letter.flags, header.flags))

    # -- flags

    def _with_keywords(self, folder: str, letters: Sequence[Letter], added: Sequence[Added]) -> list[Added]:
        """Set the keywords that had to wait, each for itself, and remember the refused ones for this folder."""
        flags: dict[int, frozenset[str]] = {}
        by_keyword: dict[str, list[int]] = {}
        for letter, there in zip(letters, added, strict=True):
            for keyword in letter.later:
                if there.uid is not None:
                    by_keyword.setdefault(keyword, []).append(there.uid)
        if by_keyword:
            self._add_keywords(folder, by_keyword)
            flags = self._flags_of({uid for uids in by_keyword.values() for uid in uids})
        return [
            replace(there, flags=now, dropped_flags=there.dropped_flags | without(letter.later, now))
            for letter, there in zip(letters, added, strict=True)
            for now in [flags.get(there.uid or 0, there.flags)]
        ]

    def _add_keywords(self, folder: str, by_keyword: Mapping[str, Sequence[int]]) -> None:
        wire = self._wire
        tags = [
            (keyword, wire.begin(b"UID STORE", wanted, b"+FLAGS.SILENT", b"(%s)" % keyword.encode("latin-1")))
            for keyword, uids in by_keyword.items()
            for wanted, _ in uid_sets(uids)
        ]
        answers = wire.run_all([tag for _, tag in tags])
        for (keyword, _), answer in zip(tags, answers, strict=True):
            if not answer.end.ok:
                self._refused_keywords.setdefault(folder, set()).add(keyword.lower())

    def _flags_of(self, uids: Iterable[int]) -> dict[int, frozenset[str]]:
        wanted = set(uids)
        tags = [self._wire.begin(b"UID FETCH", part, b"(UID FLAGS)") for part, _ in uid_sets(wanted)]
        flags: dict[int, frozenset[str]] = {}
        for row in self._rows(tags, rows_expected=4 * len(wanted)):
            if row.uid in wanted and row.flags is not None:
                flags[row.uid] = self._flags(row.flags)
        for tag in tags:
            self._must(tag, "show flags")
        return flags

    def set_flags(self, folder: str, flags: Mapping[int, frozenset[str]]) -> Mapping[int, frozenset[str]]:
        """See MailWriter."""
        if not flags:
            return {}
        opened = self._look_into(folder)
        refused = self._refused_keywords.get(folder, set())
        groups: dict[frozenset[str], list[int]] = {}
        for uid, wanted in flags.items():
            kept, _ = to_send(wanted, opened.permanent_flags, opened.keywords_allowed)
            groups.setdefault(frozenset(flag for flag in kept if flag.lower() not in refused), []).append(uid)
        failed = self._store(groups)
        if failed:  # one refused keyword costs the whole STORE: set what is sure, then the keywords one by one
            self._store({kept & frozenset(SYSTEM): uids for kept, uids in failed.items()})
            by_keyword: dict[str, list[int]] = {}
            for kept, uids in failed.items():
                for keyword in kept - frozenset(SYSTEM):
                    by_keyword.setdefault(keyword, []).extend(uids)
            self._add_keywords(folder, by_keyword)
        return self._flags_of(flags)

    def _store(self, groups: Mapping[frozenset[str], Sequence[int]]) -> dict[frozenset[str], Sequence[int]]:
        """Replace the flags of each group; those groups that were refused."""
        tags = [
            (
                kept,
                self._wire.begin(
                    b"UID STORE", wanted, b"FLAGS.SILENT", b"(%s)" % " ".join(sorted(kept)).encode("latin-1")
                ),
            )
            for kept, uids in groups.items()
            for wanted, _ in uid_sets(uids)
        ]
        answers = self._wire.run_all([tag for _, tag in tags])
        return {kept: groups[kept] for (kept, _), answer in zip(tags, answers, strict=True) if not answer.end.ok}


# -- connecting -------------------------------------------------------------------------------------------------------


class _Protocol(imaplib.IMAP4):
    """The standard library's client until the login, reading through our limits instead of trusting what is announced."""

    def __init__(self, host: str, port: int, limits: Limits, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._limits = limits
        self._lines = 0
        self._incoming: Incoming | None = None
        super().__init__(host, port, timeout=min(PATIENCE_TO_CONNECT, limits.silence))

    def _create_socket(self, timeout: float | None) -> socket.socket:
        sock = socket.create_connection((self.host, self.port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._context is None:
            return sock
        try:
            return self._context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise

    @property
    def incoming(self) -> Incoming:
        """What comes out of the present socket. A new socket gets a new buffer: whatever arrived in clear text before the TLS
        handshake, pretending to be an answer from behind it, is gone with the old one.
        """
        if self._incoming is None or self._incoming.sock is not self.sock:
            self._incoming = Incoming(self.sock, f"{self.host}:{self.port}", self._limits)
        return self._incoming

    def readline(self) -> bytes:
        self._lines += 1
        if self._lines > LINES_UNTIL_LOGIN:
            raise Misbehaved(f"{self.host}:{self.port}: the server sent {self._lines:,} lines before the login.")
        return self.incoming.line()

    def read(self, size: int) -> bytes:
        if size > self._limits.short_literal:
            raise Misbehaved(
                f"{self.host}:{self.port}: the server announced {size:,} bytes where a short text belongs."
            )
        return self.incoming.exactly(size)

    def _get_capabilities(self) -> None:
        told = self.untagged_responses.get("CAPABILITY")  # in the greeting: saves a round trip
        if self.state == "AUTH":  # PREAUTH: we leave without a question
            told = [b"IMAP4REV1"]
        elif not told or self._tls_established:
            told = self.capability()[1]
        if not isinstance(told[-1], bytes):
            raise self.error("no capabilities")
        self.capabilities = tuple(told[-1].decode("ascii", "replace").upper().split())


class _Client(IMAPClient):  # type: ignore[misc]  # imapclient ships no types
    """IMAPClient on a connection with limits."""

    def __init__(self, host: str, port: int, limits: Limits, context: ssl.SSLContext | None) -> None:
        self._limits = limits
        super().__init__(
            host, port, ssl=context is not None, ssl_context=context, timeout=min(PATIENCE_TO_CONNECT, limits.silence)
        )
        self._imap.debug = 0  # it would format every line it sees for a log nobody reads

    def _create_IMAP4(self) -> _Protocol:  # noqa: N802 - IMAPClient's name
        return _Protocol(self.host, self.port, self._limits, self.ssl_context)

    @property
    def protocol(self) -> _Protocol:
        """What IMAPClient stands on."""
        protocol: _Protocol = self._imap
        return protocol


def _dial(options: Options, limits: Limits, context: ssl.SSLContext) -> _Client:
    """A connection that is as safe as the plan says, before the login."""
    host, port = options.where
    client = _Client(host, port, limits, context if options.security == "tls" else None)
    try:
        _secure(client, options, context)
    except BaseException:
        with suppress(OSError):
            client.shutdown()
        raise
    return client


def _secure(client: _Client, options: Options, context: ssl.SSLContext) -> None:
    if client.protocol.state == "AUTH":
        raise _logged_in_already(options)
    if options.security == "starttls":
        if not client.has_capability("STARTTLS"):
            raise tls.starttls_missing(*options.where)
        client.starttls(context)


def _logged_in_already(options: Options) -> MigratorError:
    host, port = options.where
    if options.security == "starttls":
        return TlsFailed(
            f"{host}:{port}: the server greeted us as logged in before the connection was safe, which rules STARTTLS out.",
            remedy="Use security: tls with the port for it (993 for IMAP). Somebody may be in between.",
        )
    return EndpointRefused(
        f"{host}:{port}: the server greeted us as logged in already, without saying as whom.",
        remedy="Name the port that asks for a login.",
    )


def _connect(options: Options) -> _Client:
    """A safe connection, or the reason why there is none as a sentence."""
    host, port = options.where
    limits = _limits(options)
    context = tls.context(options.ca_file, options.tls_fingerprint or "")

    def look(other: ssl.SSLContext) -> ssl.SSLSocket:
        sock = _dial(options, limits, other).protocol.sock
        assert isinstance(sock, ssl.SSLSocket)
        return sock

    try:
        return _dial(options, limits, context)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, Dropped) as error:
        raise _hung_up_on(host, port, error) from error
    except ssl.SSLError as error:
        raise tls.failure(error, host, port, options.ca_file, look) from error
    except socket.gaierror as error:
        raise Unreachable(
            f"{host}: the name cannot be resolved ({error.strerror}).",
            remedy="Correct the host in the plan, or look at the DNS.",
        ) from error
    except OSError as error:
        raise Unreachable(
            f"{host}:{port} does not answer ({error.strerror or 'timed out'}).",
            remedy="See whether the server runs, whether the port is right and whether a firewall is in between.",
        ) from error
    except (imaplib.IMAP4.error, UnicodeError) as error:
        raise _no_greeting(options, plain(str(error).encode())) from error


def _hung_up_on(host: str, port: int, error: Exception) -> MigratorError:
    if isinstance(error, SaidBye):
        return refused_otherwise(f"{host}:{port}", "", error.spoken) or Unavailable(str(error))
    if isinstance(error.__cause__, TimeoutError):
        return Unreachable(str(error), remedy="See whether the server is overloaded, or whether the port is right.")
    # couriertcpd closes at once when it holds too many connections of one address
    return TooManyConnections(
        f"{host}:{port} closed the connection before greeting us, as servers do that hold too many connections of one address, or "
        "that are being restarted.",
        remedy="Lower `connections` in the plan if this stays so.",
    )


def _no_greeting(options: Options, said: str) -> MigratorError:
    """What imaplib could not live with, told apart by its text: it has one class for all."""
    host, port = options.where
    if "BYE" in said.upper():
        spoken = Spoken.of(b"BYE", re.sub(r"^.*?BYE\s*", "", said.removesuffix("'"), flags=re.IGNORECASE).encode())
        return refused_otherwise(f"{host}:{port}", "", spoken) or Unavailable(
            f"{host}:{port}: the server said good-bye: {spoken.words}"
        )
    if options.security == "starttls" and ("TLS" in said or "starttls" in said):
        return TlsFailed(
            f"{host}:{port}: the server refused STARTTLS: {said}", remedy="Use security: tls with the port for it."
        )
    return Misbehaved(
        f"{host}:{port}: what answers there does not speak IMAP: {said}", remedy="Correct host and port in the plan."
    )


def _session(options: Options, login: Login, *, read_only: bool) -> tuple[Connection, str]:
    """A connection that is logged in, and the kind of server."""
    credentials = _credentials(options, login)
    protocol = _connect(options).protocol
    host, port = options.where
    wire = Connection(
        protocol.incoming,
        f"{host}:{port}",
        _limits(options),
        read_only=read_only,
        capabilities=frozenset(word.encode("ascii", "replace") for word in protocol.capabilities),
    )
    with _closing_on_error(wire):
        log_in(wire, credentials, options.auth)
        protocol.sock.settimeout(options.timeout)
    return wire, _kind_of_server(plain(protocol.welcome), wire.capabilities)


@contextmanager
def _closing_on_error(wire: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        wire.close()
        raise


def _credentials(options: Options, login: Login) -> Credentials:
    if options.master_user is None:
        if login.password is None:
            raise LoginRefused(
                f"{login.account}: there is no password for this account.",
                remedy="Name it in the plan's accounts, or give the endpoint a master_user.",
            )
        return Credentials(login.account, login.user, login.password.get_secret_value())
    secret = options.master_password
    password = secret.get_secret_value() if isinstance(secret, SecretStr) else secret or ""
    if options.master_style == "authzid":
        return Credentials(login.account, options.master_user, password, authzid=login.user, master=True)
    user = f"{login.user}{options.master_separator}{options.master_user}"
    return Credentials(login.account, user, password, master=True)


def _limits(options: Options) -> Limits:
    return Limits(literal=int(options.largest_message), silence=options.timeout)


def _kind_of_server(greeting: str, capabilities: frozenset[bytes]) -> str:
    """What the server calls itself, as far as we know rules for it."""
    if b"X-GM-EXT-1" in capabilities:
        return "gmail"
    said = greeting.lower()
    kinds = (
        "dovecot",
        "cyrus",
        "courier",
        "zimbra",
        "exchange",
        "domino",
        "hmailserver",
        "mailenable",
        "smartermail",
        "icewarp",
    )
    return next((kind for kind in kinds if kind in said), "")


# -- shapes on the wire -----------------------------------------------------------------------------------------------


def _name(folder: str) -> Argument:
    """A raw folder name as an argument; one character is one byte."""
    return string(folder.encode("latin-1", "replace"))


def _shown(folder: str) -> str:
    return plain(folder.encode("latin-1", "replace"))


def _may_be_the_flags(end: Spoken) -> bool:
    said = end.words.lower()
    return end.word == b"BAD" or end.code == "CANNOT" or "flag" in said or "keyword" in said


# -- the adapter ------------------------------------------------------------------------------------------------------


def open_reader(options: Options, login: Login) -> ImapReader:
    """A session that cannot write. Raises LoginRefused, TlsFailed, Unreachable, TooManyConnections, Unavailable, ..."""
    wire, server = _session(options, login, read_only=True)
    with _closing_on_error(wire):
        return ImapReader(wire, options, server)


def open_writer(options: Options, login: Login) -> ImapWriter:
    """A session that can write; raises as `open_reader`."""
    wire, server = _session(options, login, read_only=False)
    with _closing_on_error(wire):
        return ImapWriter(wire, options, server)


ADAPTER: Adapter[MailReader, MailWriter] = Adapter(
    word="imap",
    title="IMAP",
    options=Options,
    reader=open_reader,
    writer=open_writer,
    connections=lambda options: (options.connections, min(options.connections, options.connections_per_account)),
)
