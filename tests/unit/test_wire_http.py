"""http where a port speaks TLS, and https where it does not: said at once, and what to write instead."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from migrator.errors import Dropped, EndpointUnfit, TlsFailed
from migrator.testing.authority import Authority
from migrator.wire.http import Site, WebOptions

REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on loopback that does this with each connection; its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                line, _ = listening.accept()
                line.settimeout(5)
                with line, suppress(OSError):
                    answer(line)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


@contextmanager
def site(url: str) -> Iterator[Site]:
    """A session for reading."""
    opened = Site(WebOptions(url=url, timeout=5), writes=False)
    try:
        yield opened
    finally:
        opened.close()


def tls_alone(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    """What a server does that speaks TLS and, to all else, nothing: it may send an alert, and ends the connection."""

    def answer(line: socket.socket) -> None:
        context.wrap_socket(line, server_side=True).close()

    return answer


def tls_or_400(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    """What nginx and Apache do: who speaks plain HTTP to the port for TLS is told so."""

    def answer(line: socket.socket) -> None:
        if line.recv(1, socket.MSG_PEEK) == b"\x16":
            context.wrap_socket(line, server_side=True).close()
            return
        line.recv(65536)
        line.sendall(REFUSAL)

    return answer


@pytest.mark.parametrize("habit", [tls_alone, tls_or_400])
def test_http_to_a_port_that_speaks_tls_is_told_at_once_with_what_to_write(
    habit: Callable[[ssl.SSLContext], Callable[[socket.socket], None]], tmp_path: Path
) -> None:
    answer = habit(Authority(tmp_path).context("127.0.0.1"))
    with serving(answer) as port, site(f"http://127.0.0.1:{port}") as plain:
        with pytest.raises(TlsFailed) as told:
            plain.read("GET", "books")
        assert str(told.value) == f"127.0.0.1:{port}: the server speaks TLS on this port, and the url begins with http."
        assert told.value.remedy == "Write https:// in front of it in the plan."


def test_a_plain_server_that_breaks_the_line_is_tried_again() -> None:
    with (
        serving(lambda line: line.close()) as port,
        site(f"http://127.0.0.1:{port}") as plain,
        pytest.raises(Dropped),
    ):
        plain.read("GET", "books")


def test_a_plain_server_that_refuses_a_request_is_answered_as_ever() -> None:
    def answer(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(REFUSAL)

    with serving(answer) as port, site(f"http://127.0.0.1:{port}") as plain:
        assert plain.read("GET", "books").status == 400


@pytest.mark.parametrize("said", [REFUSAL, b""])
def test_https_to_a_port_without_tls_is_told_with_what_to_write_on_this_machine(said: bytes) -> None:
    def answer(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(said)

    with serving(answer) as port, site(f"https://127.0.0.1:{port}") as safe:
        with pytest.raises(TlsFailed, match=r"does not speak TLS on this port") as told:
            safe.read("GET", "books")
        assert "http://" in told.value.remedy
        assert "IMAP" not in told.value.remedy


GREETINGS = {
    b"* OK [CAPABILITY IMAP4rev1] ready": "an IMAP server",
    b"220 smtp.example.com ESMTP": "an SMTP server",
    b"+OK ready": "a POP3 server",
}


@pytest.mark.parametrize("in_tls", [False, True])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("greeting", GREETINGS, ids=GREETINGS.values())
def test_a_server_of_mail_behind_the_url_is_named(
    greeting: bytes, scheme: str, tmp_path: Path, *, in_tls: bool
) -> None:
    authority = Authority(tmp_path)
    context = authority.context("127.0.0.1")

    def answer(line: socket.socket) -> None:
        with context.wrap_socket(line, server_side=True) if in_tls else line as spoken:
            spoken.sendall(greeting + b"\r\n")
            spoken.recv(65536)

    with serving(answer) as port:
        asked = Site(WebOptions(url=f"{scheme}://127.0.0.1:{port}", timeout=1, ca_file=authority.ca_file), writes=False)
        expected = TlsFailed if scheme == "http" and in_tls else EndpointUnfit
        with pytest.raises(expected) as told:
            asked.read("GET", "books")
        asked.close()
    if expected is EndpointUnfit:
        assert f"{GREETINGS[greeting]} answers there, not a web server" in str(told.value)
