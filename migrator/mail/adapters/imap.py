"""Any IMAP4rev1 server as a source or a target of mail (RFC 3501; extensions are used where they are advertised).

Seen working with Dovecot 2.3, Cyrus 3.6 and Courier 5.0. IMAPClient connects and secures; from the login on, commands travel through
our own wire layer, since a copy's speed is made of pipelining and of not parsing bodies (see wire/imap.py). What a session then
does is in mail/imap/: reading.py, writing.py.

What it cannot do: ACLs, METADATA, Sieve, folders of other users. The capability list decides, never an OK: Courier and Dovecot
say OK to an ENABLE of things they do not have.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from imapclient import IMAPClient
from pydantic import BaseModel, ByteSize, Field, SecretStr, field_validator, model_validator

from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import (
    Dropped,
    EndpointRefused,
    EndpointUnfit,
    LoginRefused,
    MigratorError,
    Misbehaved,
    TlsFailed,
    TooManyConnections,
    Unavailable,
    Unreachable,
)
from migrator.mail.contract import MailReader, MailWriter
from migrator.mail.imap.reading import ImapReader
from migrator.mail.imap.writing import ImapWriter
from migrator.mail.model import Namespace
from migrator.wire import hosts, tls
from migrator.wire.imap import GB, Connection, Incoming, Limits, SaidBye, Spoken, plain
from migrator.wire.imap_login import Credentials, log_in, refused_otherwise
from migrator.wire.speaker import IMAP, PATIENCE, who_answers

PORTS = {"tls": 993, "starttls": 143, "none": 143}
PATIENCE_TO_CONNECT = 20.0  # seconds for the TCP connection, the handshake and the greeting
LINES_UNTIL_LOGIN = 1_000


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
    security: Literal["tls", "starttls", "none"] = Field(
        "tls",
        description="tls from the first byte; starttls: required after a plain greeting; none: only on this machine",
    )
    allow_cleartext: bool = Field(False, description="Let security: none send passwords over a network unprotected")
    connections: int = Field(
        6, ge=1, le=100, description="Connections to this server at once, for all accounts together"
    )
    connections_per_account: int = Field(4, ge=1, le=100, description="Connections at once for one account")
    auth: Literal["auto", "plain", "login", "cram-md5", "xoauth2", "oauthbearer"] = Field(
        "auto",
        description="How to log in; auto takes the best the server offers. For xoauth2 and oauthbearer the password is the token",
    )
    master_user: str | None = Field(
        None, description="A user that may open every mailbox, so that no account needs its own password"
    )
    master_password: SecretStr | str | None = Field(
        None, description="Name of the secret with the master user's password", json_schema_extra={"secret": True}
    )
    master_style: Literal["separator", "authzid"] = Field(
        "separator",
        description="separator: log in as `user*master` (Dovecot); authzid: name both in AUTHENTICATE PLAIN (Cyrus, Zimbra)",
    )
    master_separator: str = Field("*", min_length=1, description="What stands between user and master user")
    ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority to trust instead of the system's",
        json_schema_extra={"path": True, "must_exist": True},
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

    @field_validator("host")
    @classmethod
    def _only_a_host(cls, value: str) -> str:
        return hosts.only_a_host(value)

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
    def needs_password(self) -> bool:
        """Whether each account has to bring a password of its own."""
        return self.master_user is None

    @property
    def where(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or PORTS[self.security]


# -- sessions ---------------------------------------------------------------------------------------------------------


def open_reader(options: Options, login: Login) -> ImapReader:
    """A session that cannot write. Raises LoginRefused, TlsFailed, Unreachable, TooManyConnections, Unavailable, ..."""
    wire, server = _session(options, login, read_only=True)
    with _closing_on_error(wire):
        return ImapReader(wire, server, _namespace(options))


def open_writer(options: Options, login: Login) -> ImapWriter:
    """A session that can write; raises as `open_reader`."""
    wire, server = _session(options, login, read_only=False)
    with _closing_on_error(wire):
        return ImapWriter(wire, server, _namespace(options))


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


def _namespace(options: Options) -> Namespace | None:
    told = options.namespace
    return None if told is None else Namespace(told.prefix, told.separator)


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


def _dial(options: Options, limits: Limits, context: ssl.SSLContext | None) -> _Client:
    """A connection that is as safe as the plan says, before the login. `context` is None where it says none."""
    host, port = options.where
    client = _Client(host, port, limits, context if options.security == "tls" else None)
    try:
        _secure(client, options, context)
    except BaseException:
        with suppress(OSError):
            client.shutdown()
        raise
    return client


def _secure(client: _Client, options: Options, context: ssl.SSLContext | None) -> None:
    if client.protocol.state == "AUTH":
        raise _logged_in_already(options)
    if options.security == "starttls":
        if not client.has_capability("STARTTLS"):
            raise tls.starttls_missing(*options.where)
        assert context is not None
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
    context = None if options.security == "none" else tls.context(options.ca_file, options.tls_fingerprint or "")

    def look(other: ssl.SSLContext) -> ssl.SSLSocket:
        sock = _dial(options, limits, other).protocol.sock
        assert isinstance(sock, ssl.SSLSocket)
        return sock

    try:
        return _dial(options, limits, context)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, Dropped) as error:
        if isinstance(error.__cause__, TimeoutError) and options.security != "tls":
            raise _otherwise(options, _said_nothing(options)) from error
        told = _hung_up_on(host, port, error)
        silent = isinstance(error.__cause__, TimeoutError)
        raise (_otherwise(options, told) if silent else told) from error
    except ssl.SSLError as error:
        refused = tls.failure(error, host, port, options.ca_file, look)
        certified = isinstance(error, ssl.SSLCertVerificationError)
        raise (refused if certified else _otherwise(options, refused)) from error
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


def _said_nothing(options: Options) -> TlsFailed:
    """It took the connection and waits for us to speak first, as only TLS does. Trying again would wait as long again."""
    host, port = options.where
    return TlsFailed(
        f"{host}:{port} took the connection and said nothing.",
        remedy=f"If that port speaks TLS, use security: tls; for security: {options.security} name the port without TLS (usually 143).",
    )


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
    return _otherwise(
        options,
        Misbehaved(
            f"{host}:{port}: what answers there does not speak IMAP: {said}",
            remedy="Correct host and port in the plan.",
        ),
    )


def _otherwise(options: Options, error: MigratorError) -> MigratorError:
    """The error, or a better one where another look shows who it is that answers there."""
    host, port = options.where
    answers = who_answers(host, port, min(PATIENCE, options.timeout))
    if answers is None:
        return error
    if answers.what != IMAP:
        return EndpointUnfit(
            f"{host}:{port}: {answers.what} answers there, not an IMAP server.",
            remedy="Name the port for IMAP in the plan: usually 993 with security: tls, or 143 with security: starttls.",
        )
    if answers.in_tls and options.security != "tls":
        return TlsFailed(f"{host}:{port}: IMAP is spoken there inside TLS alone.", remedy="Write security: tls for it.")
    if not answers.in_tls and options.security == "tls":
        return TlsFailed(
            f"{host}:{port}: the server does not speak TLS on this port from the first byte; IMAP is spoken there in the clear.",
            remedy="Write security: starttls for it, or name the port for TLS (usually 993).",
        )
    return error


# -- the adapter ------------------------------------------------------------------------------------------------------


ADAPTER: Adapter[MailReader, MailWriter] = Adapter(
    word="imap",
    title="IMAP",
    options=Options,
    reader=open_reader,
    writer=open_writer,
    connections=lambda options: (options.connections, min(options.connections, options.connections_per_account)),
    opens_all=lambda options: f"the master user {options.master_user}" if options.master_user else "",
)
