"""What every panel emulator stands on: an HTTPS server on loopback with a certificate of its own, a log of what was asked, and mishaps.

    class Hestia(Panel):
        def answer(self, request: Request) -> Answer: ...

    with Hestia() as panel:
        panel.mishaps.append(Mishap("lost", path="/api/"))      # the next request to it takes effect, the answer never comes
        ...                                                     # the client connects to panel.url, pinning panel.fingerprint

An emulator refuses what the vendor refuses. It has one lock, so a request is answered whole before the next.
"""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qsl, urlsplit

from migrator.frozen import dataclass
from migrator.wire import tls

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the emulator gets it. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The query's fields and then those of a form in the body, in order."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            pairs += parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return pairs

    @property
    def form(self) -> dict[str, str]:
        """The same as a mapping; the last of a name counts."""
        return dict(self.fields)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mishap:
    """One request goes wrong: the first whose path, query or body holds `about`.

    "500": it takes effect and a 500 comes back. "lost": it takes effect and the connection breaks without an answer. "before": the
    connection breaks before it takes effect. "busy": 429 with Retry-After: 1. "garbled": it takes effect and the answer is cut in half.
    "html": a login page with status 200. "redirect": a 302 to a login page. "blank": it takes effect, 200 and nothing in it.
    """

    what: Literal["500", "lost", "before", "busy", "garbled", "html", "redirect", "blank"]
    about: str = ""


class Panel(ABC):
    """An emulator. Subclasses keep the state and fulfil `answer`; `writes` says which requests change something. It listens on a free port
    unless one is given, with the certificate of `certificate()` unless `pem` names a file that holds another with its key.
    """

    def __init__(self, *, port: int = 0, pem: Path | None = None) -> None:
        self.mishaps: list[Mishap] = []
        self.requests: list[Request] = []
        self.lock = threading.RLock()
        self.delay = 0.0  # seconds before each answer
        self._pem = pem
        self._server = _Server(self, port, _context_of(pem) if pem else _context())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Do what is asked, and answer in the vendor's shape."""

    def writes(self, request: Request) -> bool:
        """Whether a request changes something at the panel."""
        return request.method not in {"GET", "HEAD"}

    @property
    def written(self) -> list[Request]:
        """The requests so far that changed something, or tried to."""
        return [request for request in self.requests if self.writes(request)]

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"https://{HOST}:{self._server.server_address[1]}"

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint of its certificate."""
        shown = self._pem.read_bytes() if self._pem else certificate()[0]
        first, end = shown.index(b"-----BEGIN CERTIFICATE"), b"-----END CERTIFICATE-----"
        return tls.fingerprint(ssl.PEM_cert_to_DER_cert((shown[first:].partition(end)[0] + end).decode()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, request: Request) -> Answer | None:
        """The answer with the next fitting mishap worked in; None breaks the connection."""
        with self.lock:
            self.requests.append(request)
            mishap = self._mishap(request)
            if self.delay:
                time.sleep(self.delay)
            early = {
                "before": None,
                "busy": Answer(b"slow down", 429, "text/plain", {"Retry-After": "1"}),
                "html": Answer(b"<!DOCTYPE html><html><title>Login</title><form></form></html>", 200, "text/html"),
                "redirect": Answer(b"", 302, "text/html", {"Location": "/login/?goto=%2F"}),
            }
            if mishap in early:
                return early[mishap]
            answer = self.answer(request)
            if mishap == "500":
                return Answer(b"<html><body>Internal Server Error</body></html>", 500, "text/html")
            if mishap == "garbled":
                return Answer(answer.body[: len(answer.body) // 2], answer.status, answer.kind, answer.headers)
            if mishap == "blank":
                return Answer(b"", 200, answer.kind)
            return None if mishap == "lost" else answer

    def _mishap(self, request: Request) -> str:
        asked = f"{request.path}?{request.query}\n{request.body.decode('utf-8', 'replace')}"
        for mishap in self.mishaps:
            if mishap.about in asked:
                self.mishaps.remove(mishap)
                return mishap.what
        return ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, panel: Panel, port: int, context: ssl.SSLContext) -> None:
        super().__init__((HOST, port), _Handler)
        self.panel = panel
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are sent apart: each answer would wait 40 ms for an acknowledgement
    server: _Server
    timeout = 30
    wbufsize = -1

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.panel.serve(Request(self.command, url.path, url.query, headers, body))
        if answer is None:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, **answer.headers}.items():
            self.send_header(name, value)
        if answer.status != 204:  # RFC 9110: no body, no length
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.status != 204 and self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815 - names of the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """The log is `Panel.requests`."""


@cache
def certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate for 127.0.0.1 and its key, PEM; the same for all emulators of a process."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "panel.example.com")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


@cache
def _context() -> ssl.SSLContext:
    with tempfile.TemporaryDirectory() as folder:
        both = Path(folder) / "panel.pem"
        both.write_bytes(b"".join(certificate()))
        both.chmod(0o600)
        return _context_of(both)


def _context_of(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
