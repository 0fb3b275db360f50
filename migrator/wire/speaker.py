"""Who answers at a port that does not answer as the plan says: a wrong port is most often another service's.

Asked only after something went wrong, on a connection of its own. A server of mail greets whoever comes; a web server waits to be asked,
so it is asked for nothing (HEAD /). No login is sent, and no certificate is looked at: nothing that is told here is trusted.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from migrator.frozen import dataclass
from migrator.wire import tls

PATIENCE = 2.0  # seconds for a greeting; who has one says it at once
ENOUGH = 512  # bytes of it that are looked at
_QUESTION = b"HEAD / HTTP/1.0\r\n\r\n"
IMAP = "an IMAP server"
WEB = "a web server"
_SMTP_OR_FTP = "an SMTP or FTP server"
_MARIADB, _MYSQL = "a MariaDB server", "a MySQL server"
DATABASES = frozenset({_MARIADB, _MYSQL})
_LEADING = 4  # bytes of a packet of MariaDB or MySQL before what it says: its length in three, and its number
_GREETS, _REFUSES = 10, 255  # what the first packet's next byte says: the protocol's version, or that this is an error
_BEGINNINGS = (
    (b"HTTP/", WEB),
    (b"<HTML", WEB),
    (b"<!DOCTYPE HTML", WEB),
    (b"* OK", IMAP),
    (b"* PREAUTH", IMAP),
    (b"* BYE", IMAP),
    (b"+OK", "a POP3 server"),
    (b"220", _SMTP_OR_FTP),  # both begin with this number, and most say which they are
    (b"554", "an SMTP server"),
    (b"421", "an SMTP server"),
    (b"SSH-", "an SSH server"),
    (b'"IMPLEMENTATION"', "a ManageSieve server"),
)


@dataclass(frozen=True, slots=True)
class Speaker:
    """What answers: "a web server", "an SMTP server"; and whether it does so inside TLS."""

    what: str
    in_tls: bool


def who_answers(host: str, port: int, patience: float = PATIENCE) -> Speaker | None:
    """Who answers at this port, as far as it is one of those that are taken for one another; None of any other. Never raises."""
    plain = _heard(host, port, patience, in_tls=False)
    what = _named(plain)
    if what and not (what == WEB and _wants_tls(plain)):
        return Speaker(what, in_tls=False)
    inside = _named(_heard(host, port, patience, in_tls=True))
    if inside:
        return Speaker(inside, in_tls=True)
    return Speaker(what, in_tls=False) if what else None


def _heard(host: str, port: int, patience: float, *, in_tls: bool) -> bytes:
    """The greeting, or the answer to a question where there is no greeting; empty where nothing can be heard."""
    with suppress(OSError, ValueError), socket.create_connection((host, port), patience) as dialled:
        if not in_tls:
            return _greeting(dialled)
        with tls.without_trust().wrap_socket(dialled, server_hostname=host) as safe:
            return _greeting(safe)
    return b""


def _greeting(line: socket.socket | ssl.SSLSocket) -> bytes:
    with suppress(TimeoutError):
        return line.recv(ENOUGH)
    line.sendall(_QUESTION)
    return line.recv(ENOUGH)


def _named(said: bytes) -> str:
    """What speaks so; empty for what is not known."""
    first = said.partition(b"\n")[0].upper()
    what = next((what for begins, what in _BEGINNINGS if first.startswith(begins)), "")
    if what == _SMTP_OR_FTP:
        return "an FTP server" if b"FTP" in first else "an SMTP server" if b"SMTP" in first else what
    return what or _database(said)


def _database(said: bytes) -> str:
    """MariaDB or MySQL, which greet in packets: the first has number 0. https://mariadb.com/kb/en/connection/"""
    length = int.from_bytes(said[: _LEADING - 1], "little")
    if len(said) <= _LEADING or said[_LEADING - 1] != 0 or not _LEADING < length <= ENOUGH:
        return ""
    if said[_LEADING] not in {_GREETS, _REFUSES} or (
        said[_LEADING] == _GREETS and not said[_LEADING + 1 :][:1].isdigit()
    ):
        return ""
    return _MARIADB if b"MariaDB" in said else _MYSQL


def _wants_tls(said: bytes) -> bool:
    """Whether it is the answer that web servers give to whoever speaks plain HTTP to a port for TLS."""
    return said.partition(b"\r\n")[0].split(b" ")[1:2] == [b"400"]
