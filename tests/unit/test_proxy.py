"""The proxy before a mail server, against a small server of the test's own on loopback."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from migrator.testing.proxy import (
    HOST,
    CutAppend,
    CutLiteral,
    CutReceived,
    CutSent,
    Proxy,
    Stall,
    Talk,
    command_word,
    hiding,
    without_secrets,
)

GREETING = b"* OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS MULTIAPPEND] ready\r\n"
BODY = b"From: alice@example.com\r\n\r\n" + b"x" * 4000 + b"\r\n"


class _Mailbox(socketserver.StreamRequestHandler):
    """As much of an IMAP server as these tests need: keeps what is appended, answers FETCH with BODY."""

    def handle(self) -> None:
        self.wfile.write(GREETING)
        while line := self.rfile.readline():
            tag, word = line.split()[0], command_word(line)
            if word == "APPEND" and not self._append(tag, line):
                continue
            if word == "FETCH":
                self.wfile.write(b"* 1 FETCH (BODY[] {%d}\r\n%s)\r\n" % (len(BODY), BODY))
            code = b"[APPENDUID 7 1] " if word == "APPEND" else b""
            self.wfile.write(b"%s OK %s%s done\r\n" % (tag, code, word.encode()))

    def _append(self, tag: bytes, line: bytes) -> bool:
        kept = []
        while literal := re.search(rb"\{(\d+)(\+?)\}\r\n$", line):
            if int(literal[1]) > 100_000:
                self.wfile.write(tag + b" NO too large\r\n")
                return False
            if not literal[2]:
                self.wfile.write(b"+ go on\r\n")
            kept.append(self.rfile.read(int(literal[1])))
            line = self.rfile.readline()
        self.server.kept.extend(kept)
        return True


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    kept: list[bytes]

    def handle_error(self, request, client_address):
        """Connections end in the middle of a word here; that is what is tested."""


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server((HOST, 0), _Mailbox) as listening:
        listening.kept = []
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


class _Client:
    """Says bytes, hears bytes."""

    def __init__(self, port: int, *, greeted: bool = True) -> None:
        self.socket = socket.create_connection((HOST, port), 10)
        self.file = self.socket.makefile("rb")
        if greeted:
            self.greeting = self.file.readline()

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, tag: bytes) -> list[bytes]:
        lines = []
        while line := self.file.readline():
            lines.append(line)
            if line.startswith(tag + b" "):
                break
        return lines

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., _Client]]:
    with contextlib.ExitStack() as stack:

        def connected(port: int, *, greeted: bool = True) -> _Client:
            return stack.enter_context(contextlib.closing(_Client(port, greeted=greeted)))

        yield connected


def soon(true: Callable[[], bool]) -> bool:
    """Whether it becomes true within five seconds; what another thread does has no moment of its own."""
    deadline = time.monotonic() + 5
    while not true() and time.monotonic() < deadline:
        time.sleep(0.005)
    return true()


def append(tag: bytes, message: bytes = BODY) -> bytes:
    return b"%s APPEND INBOX {%d+}\r\n%s\r\n" % (tag, len(message), message)


def test_bytes_pass_unchanged_both_ways(server, connect):
    with Proxy(server.server_address) as proxy:
        client = connect(proxy.port)
        client.say(append(b"a"))
        assert client.greeting == GREETING
        assert client.until(b"a") == [b"a OK [APPENDUID 7 1] APPEND done\r\n"]
        assert server.kept == [BODY]


def test_commands_are_counted_by_word_for_each_connection_and_in_all(server, connect):
    with Proxy(server.server_address) as proxy:
        first, second = connect(proxy.port), connect(proxy.port)
        first.say(b"a NOOP\r\nb uid fetch 1 BODY[]\r\n")
        first.until(b"b")
        second.say(b"a NOOP\r\n")
        second.until(b"a")
        assert proxy.commands == {"NOOP": 2, "FETCH": 1}
        assert proxy.connections == [{"NOOP": 1, "FETCH": 1}, {"NOOP": 1}]


def test_commands_inside_a_literal_are_not_counted(server, connect):
    with Proxy(server.server_address) as proxy:
        client = connect(proxy.port)
        client.say(append(b"a", b"x DELETE INBOX\r\ny STORE 1 FLAGS ()\r\n"))
        client.until(b"a")
        assert proxy.commands == {"APPEND": 1}


def test_an_append_of_several_messages_is_one_command(server, connect):
    with Proxy(server.server_address) as proxy:
        client = connect(proxy.port)
        client.say(b"a APPEND INBOX {3+}\r\none {3+}\r\ntwo\r\nb NOOP\r\n")
        client.until(b"b")
        assert server.kept == [b"one", b"two"]
        assert proxy.commands == {"APPEND": 1, "NOOP": 1}


def test_counting_goes_on_after_a_literal_the_server_refused(server, connect):
    with Proxy(server.server_address) as proxy:
        client = connect(proxy.port)
        client.say(b"a APPEND INBOX {999999}\r\n")
        assert client.until(b"a") == [b"a NO too large\r\n"]
        client.say(b"b NOOP\r\n")
        client.until(b"b")
        assert proxy.commands == {"APPEND": 1, "NOOP": 1}


def test_examine_and_fetch_do_not_write_but_select_and_uid_store_do(server, connect):
    with Proxy(server.server_address) as proxy:
        client = connect(proxy.port)
        client.say(b"a EXAMINE INBOX\r\nb UID FETCH 1:* FLAGS\r\n")
        client.until(b"b")
        assert proxy.writes == 0
        client.say(b"c SELECT INBOX\r\nd UID STORE 1 +FLAGS (\\Seen)\r\n")
        client.until(b"d")
        assert proxy.writes == 2


def test_what_clients_said_is_kept_without_passwords(server, connect):
    with Proxy(server.server_address) as proxy:
        client = connect(proxy.port)
        client.say(b'a LOGIN alice "very secret"\r\nb EXAMINE INBOX\r\n')
        client.until(b"b")
        assert proxy.said == ["a LOGIN", "b EXAMINE INBOX"]


def test_hidden_capabilities_vanish_from_the_greeting_and_appenduid_from_the_answer(server, connect):
    with Proxy(server.server_address, hide={"uidplus", "LITERAL+"}) as proxy:
        client = connect(proxy.port)
        assert client.greeting == b"* OK [CAPABILITY IMAP4rev1 MULTIAPPEND] ready\r\n"
        client.say(append(b"a"))
        assert client.until(b"a") == [b"a OK APPEND done\r\n"]


def test_a_literal_is_told_from_the_lines_around_it():
    line = b"* OK [CAPABILITY IMAP4rev1 UIDPLUS] x\r\n"
    talk = Talk()
    pieces = list(talk.feed(b"* 1 FETCH (BODY[] {%d}\r\n" % len(line) + line + b")\r\n"))
    assert [piece.literal for piece in pieces] == [False, True, False]


def test_an_untagged_capability_line_is_made_poorer_and_keeps_its_end():
    line = b"* CAPABILITY IMAP4rev1 UIDPLUS IDLE\r\n"
    assert hiding(line, frozenset({b"UIDPLUS"})) == b"* CAPABILITY IMAP4rev1 IDLE\r\n"


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_lines_and_literals_come_out_the_same_however_the_bytes_arrive(step):
    spoken = b"a APPEND INBOX {5+}\r\nhello {3}\r\nyou\r\nb NOOP\r\n"
    talk = Talk()
    pieces = [piece for at in range(0, len(spoken), step) for piece in talk.feed(spoken[at : at + step])]
    assert b"".join(piece.data for piece in pieces) == spoken
    assert b"".join(piece.data for piece in pieces if piece.literal) == b"helloyou"
    assert [piece.data for piece in pieces if not piece.literal][-1] == b"b NOOP\r\n"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"a1 uid Move 1:2 Trash\r\n", "MOVE"),
        (b"a1 NOOP\r\n", "NOOP"),
        (b"DONE\r\n", ""),
        (b"\r\n", ""),
        (b"AGFsaWNlAHNlY3JldA==\r\n", ""),
    ],
)
def test_the_word_of_a_command_is_found(line, word):
    assert command_word(line) == word


def test_a_shown_authenticate_ends_before_its_mechanism():
    assert without_secrets(b"a1 AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n") == "a1 AUTHENTICATE"


def test_after_starttls_nothing_is_read_along(server, connect):
    with Proxy(server.server_address, hide={"UIDPLUS"}) as proxy:
        client = connect(proxy.port)
        client.say(b"a STARTTLS\r\n")
        client.until(b"a")
        client.say(append(b"b"))
        assert client.until(b"b") == [b"b OK [APPENDUID 7 1] APPEND done\r\n"]
        assert proxy.commands == {"STARTTLS": 1}


def test_a_round_trip_costs_twice_the_delay(server, connect):
    with Proxy(server.server_address, delay=0.05) as proxy:
        client = connect(proxy.port)
        began = time.monotonic()
        client.say(b"a NOOP\r\n")
        client.until(b"a")
        assert time.monotonic() - began >= 0.098


def test_many_requests_under_way_together_cost_one_round_trip(server, connect):
    with Proxy(server.server_address, delay=0.1) as proxy:
        client = connect(proxy.port)
        began = time.monotonic()
        for number in range(50):
            client.say(b"a%d NOOP\r\n" % number)
        assert len(client.until(b"a49")) == 50
        assert time.monotonic() - began < 1


def test_large_data_arrives_whole_and_in_order_through_a_delay(server, connect):
    message = bytes(range(256)) * 300
    with Proxy(server.server_address, delay=0.002, watch=False) as proxy:
        client = connect(proxy.port)
        for number in range(40):
            client.say(append(b"a%d" % number, message))
        client.until(b"a39")
        assert server.kept == [message] * 40
        assert not proxy.commands


def test_the_kth_append_is_stored_and_its_answer_lost(server, connect):
    with Proxy(server.server_address) as proxy:
        proxy.fail(CutAppend(number=2))
        client = connect(proxy.port)
        client.say(append(b"a", b"one") + append(b"b", b"two") + append(b"c", b"three"))
        assert client.until(b"c") == [b"a OK [APPENDUID 7 1] APPEND done\r\n"]
        assert server.kept == [b"one", b"two"]


def begin_append(proxy: Proxy, client: _Client) -> None:
    """Say the first line of an APPEND, whose message `finish_append` says; the proxy has read it on return."""
    begun = proxy.commands["APPEND"] + 1
    client.say(b"a APPEND INBOX {3+}\r\n")
    assert soon(lambda: proxy.commands["APPEND"] == begun)


def finish_append(client: _Client) -> None:
    client.say(b"one\r\n")


@pytest.mark.parametrize("ending_order", [(0, 1), (1, 0)], ids=["begun first ends first", "begun first ends last"])
def test_of_appends_open_at_once_the_kth_to_begin_loses_its_answer(server, connect, ending_order):
    with Proxy(server.server_address) as proxy:
        proxy.fail(CutAppend(number=2))
        clients = [connect(proxy.port), connect(proxy.port)]
        for client in clients:
            begin_append(proxy, client)
        heard = {}
        for place in ending_order:
            finish_append(clients[place])
            heard[place] = clients[place].until(b"a")
        assert heard == {0: [b"a OK [APPENDUID 7 1] APPEND done\r\n"], 1: []}
        assert server.kept == [b"one", b"one"]


@pytest.mark.parametrize("ending_order", [(0, 1), (1, 0)], ids=["begun first ends first", "begun first ends last"])
def test_of_commands_open_at_once_the_kth_to_begin_stalls(server, connect, ending_order):
    with Proxy(server.server_address) as proxy:
        proxy.fail(Stall("APPEND", number=2))
        clients = [connect(proxy.port), connect(proxy.port)]
        for client in clients:
            begin_append(proxy, client)
        for place in ending_order:
            finish_append(clients[place])
        assert clients[0].until(b"a") == [b"a OK [APPENDUID 7 1] APPEND done\r\n"]
        clients[1].socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            clients[1].file.readline()


def test_a_fault_happens_once(server, connect):
    with Proxy(server.server_address) as proxy:
        proxy.fail(CutAppend(number=1))
        first = connect(proxy.port)
        first.say(append(b"a"))
        assert first.until(b"a") == []
        second = connect(proxy.port)
        second.say(append(b"a"))
        assert len(second.until(b"a")) == 1


def test_a_fetched_literal_ends_at_the_asked_byte(server, connect):
    with Proxy(server.server_address) as proxy:
        proxy.fail(CutLiteral(at=100, number=2))
        client = connect(proxy.port)
        client.say(b"a FETCH 1 BODY[]\r\nb FETCH 1 BODY[]\r\n")
        whole, cut = client.file.read().split(b"a OK FETCH done\r\n")
        start = b"* 1 FETCH (BODY[] {%d}\r\n" % len(BODY)
        assert whole == start + BODY + b")\r\n"
        assert cut == start + BODY[:100]


def test_the_server_gets_exactly_the_bytes_before_the_cut(server, connect):
    spoken = append(b"a", b"one") + append(b"b", b"two")
    with Proxy(server.server_address) as proxy:
        proxy.fail(CutSent(bytes=len(append(b"a", b"one"))))
        client = connect(proxy.port)
        client.say(spoken)
        client.file.read()
        assert soon(lambda: server.kept == [b"one"])


def test_the_client_gets_exactly_the_bytes_before_the_cut(server, connect):
    with Proxy(server.server_address, watch=False) as proxy:
        proxy.fail(CutReceived(bytes=len(GREETING) + 3))
        client = connect(proxy.port)
        client.say(b"abcdef NOOP\r\n")
        assert client.file.read() == b"abc"


def test_a_stalled_connection_says_nothing_and_stays_open(server, connect):
    with Proxy(server.server_address) as proxy:
        proxy.fail(Stall("NOOP", number=2))
        client = connect(proxy.port)
        client.say(b"a NOOP\r\n")
        client.until(b"a")
        client.say(b"b NOOP\r\n")
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.file.readline()


def test_cut_breaks_every_connection_at_once(server, connect):
    with Proxy(server.server_address) as proxy:
        client = connect(proxy.port)
        proxy.cut()
        assert client.file.read() == b""


def test_a_server_that_is_not_there_ends_the_connection(connect):
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        with Proxy(unused.getsockname()) as proxy:
            client = connect(proxy.port, greeted=False)
            assert client.file.read() == b""


def test_a_port_that_is_taken_is_said_at_once(server):
    with pytest.raises(OSError, match="in use"), Proxy(server.server_address, port=server.server_address[1]):
        pass


def test_a_client_that_leaves_takes_the_servers_connection_with_it(server, connect):
    with Proxy(server.server_address) as proxy:
        client = connect(proxy.port)
        client.close()
        assert soon(lambda: not proxy.links)


def test_it_runs_as_a_command_and_prints_its_port(server, connect):
    host, port = server.server_address
    command = [sys.executable, "-m", "migrator.testing.proxy", "--to", f"{host}:{port}", "--delay-ms", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        client = connect(int(process.stdout.readline()))
        assert client.greeting == GREETING
        client.close()
        process.terminate()
