"""An HTTP server on loopback that answers as a test says and passes everything else on to a real server.

    with Front(radicale.url) as front:
        front.on("PROPFIND", "/.well-known/", Answer(status=301, headers={"Location": "https://elsewhere.example.net/"}))
        ...                                                          # the client connects to front.url
        assert [request.method for request in front.requests] == [...]

Any method is understood. With a context (see authority.py) it speaks TLS. Without a server behind it, what no rule answers is 404.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from migrator.testing.panels.server import HOST, Answer, Request

Says = Answer | None | Callable[[Request], Answer | None]  # None breaks the connection
_OF_THE_WAY = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "date",
    "server",
    "host",
    "accept-encoding",
}


@dataclass(slots=True)
class _Rule:
    method: str
    part: str
    says: Says
    times: int


class Front:
    """The server. `requests` are those it got, in order, also those it passed on; `rewrite` changes real answers on their way back."""

    def __init__(self, behind: str = "", context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.rewrite: Callable[[Request, Answer], Answer] = lambda _, answer: answer
        self._behind = urlsplit(behind).netloc
        self._rules: list[_Rule] = []
        self._scheme = "https" if context else "http"
        self._server = _Server(self, context)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def on(self, method: str, part: str, says: Says, times: int = -1) -> None:
        """Answer so where the method is this one ("" for any) and the path holds `part`; so many times, always without a number. Later
        rules come first.
        """
        self._rules.insert(0, _Rule(method, part, says, times))

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"{self._scheme}://{HOST}:{self.port}"

    @property
    def port(self) -> int:
        """Its port on loopback."""
        return int(self._server.server_address[1])

    @property
    def methods(self) -> list[str]:
        """The methods of the requests so far."""
        return [request.method for request in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, request: Request) -> Answer | None:
        self.requests.append(request)
        for rule in self._rules:
            if rule.times and rule.method in {"", request.method} and rule.part in request.path:
                rule.times -= 1
                return rule.says(request) if callable(rule.says) else rule.says
        if not self._behind:
            return Answer(b"nothing here", 404, "text/plain")
        return self.rewrite(request, self._passed_on(request))

    def _passed_on(self, request: Request) -> Answer:
        with closing(http.client.HTTPConnection(self._behind, timeout=60)) as behind:
            headers = {name: value for name, value in request.headers.items() if name not in _OF_THE_WAY}
            path = f"{request.path}?{request.query}" if request.query else request.path
            behind.request(request.method, path, request.body, headers)
            reply = behind.getresponse()
            told = {name: value for name, value in reply.getheaders() if name.lower() not in _OF_THE_WAY}
            kind = told.pop("Content-Type", "text/plain")
            return Answer(reply.read(), reply.status, kind, told)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, front: Front, context: ssl.SSLContext | None) -> None:
        super().__init__((HOST, 0), _Handler)
        self.front = front
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    timeout = 30
    wbufsize = -1

    def __getattr__(self, name: str) -> Any:  # Any: what getattr is for; do_PROPFIND and all others are one
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.front.serve(Request(self.command, url.path, url.query, headers, body))
        if answer is None:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, **answer.headers}.items():
            self.send_header(name, value)
        has_body = answer.status not in {204, 304} and self.command != "HEAD"
        if has_body:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if has_body:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """The log is `Front.requests`."""
