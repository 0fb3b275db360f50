"""Servers that lie, flood, stall and cheat, on loopback: what the IMAP adapter makes of them, and how little it keeps."""

from __future__ import annotations

import datetime as dt
import ipaddress
import resource
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr, ValidationError

from migrator.engine.contract import Login
from migrator.errors import (
    Dropped,
    EndpointRefused,
    EndpointUnfit,
    LoginRefused,
    Misbehaved,
    NotFound,
    PlanError,
    Refused,
    TlsFailed,
    TooManyConnections,
    Unavailable,
    Unreachable,
)
from migrator.mail.adapters.imap import ADAPTER, Options
from migrator.mail.model import Content, Header, Message
from migrator.wire import tls

ALICE = Login("alice@example.com", "alice", SecretStr("pw-alice"))
GREETING = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready"
NOW = dt.datetime.now(dt.UTC)
MB = 1024 * 1024


class Hung(Exception):
    """The client has left."""


class Client:
    """The client as a scripted server sees it."""

    def __init__(self, sock: socket.socket, heard: list[bytes]) -> None:
        self.sock, self.heard = sock, heard
        self._file = sock.makefile("rb")

    def say(self, *lines: bytes) -> None:
        self.sock.sendall(b"".join(line + b"\r\n" for line in lines))

    def hear(self) -> tuple[bytes, bytes]:
        """The next command: its tag and the rest."""
        line = self._file.readline()
        if not line:
            raise Hung
        self.heard.append(line)
        tag, _, command = line.strip().partition(b" ")
        return tag, command

    def expect(self, command: bytes, *lines: bytes, end: bytes = b"OK done") -> None:
        """Wait for this command and answer it; whatever comes before gets an empty OK."""
        while True:
            tag, heard = self.hear()
            if heard.upper().startswith(command):
                self.say(*lines, tag + b" " + end)
                return
            self.say(tag + b" OK")

    def let_in(self, capabilities: bytes = b"IMAP4rev1 UIDPLUS") -> None:
        """Greeting, login, and the questions on arrival."""
        self.say(GREETING)
        self.expect(b"AUTHENTICATE", end=b"OK [CAPABILITY " + capabilities + b"] in")
        self.expect(b'LIST "" ""', b'* LIST (\\Noselect) "/" ""')
        self.expect(b'LIST "" "%"', b'* LIST () "/" INBOX')

    def open(self, messages: int = 3, uidvalidity: int = 7, uidnext: int = 4) -> None:
        self.expect(
            b"EXAMINE",
            b"* %d EXISTS" % messages,
            b"* OK [UIDVALIDITY %d] v" % uidvalidity,
            b"* OK [UIDNEXT %d] n" % uidnext,
        )


@contextmanager
def serving(
    script: Callable[[Client], None], context: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """A server on loopback that plays the script to every client: its port, and what it heard."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def play(sock: socket.socket) -> None:
        with suppress(OSError, Hung), sock:
            sock.settimeout(10)
            client = sock if context is None else context.wrap_socket(sock, server_side=True)
            with client:
                script(Client(client, heard))
                while client.recv(65536):  # until the client leaves
                    pass

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=play, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def options(port: int, **more) -> Options:
    return Options(**{"host": "127.0.0.1", "port": port, "security": "none", "timeout": 5, **more})


@contextmanager
def reading(script: Callable[[Client], None], **more):
    with serving(script) as (port, _):
        session = ADAPTER.reader(options(port, **more), ALICE)
        try:
            yield session
        finally:
            session.close()


def refused_at_the_door(script: Callable[[Client], None], error, match: str, **more) -> None:
    with serving(script) as (port, _), pytest.raises(error, match=match):
        ADAPTER.reader(options(port, **more), ALICE)


@contextmanager
def little_memory():
    """Fails when what is inside needs more than 64 MB beyond what was used before."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024, f"memory grew by {grown // 1024} MB"


# -- floods and announcements -----------------------------------------------------------------------------------------


def test_a_huge_literal_announced_in_the_greeting_is_not_waited_for():
    with little_memory():
        refused_at_the_door(lambda client: client.say(b"* LIST () {6000000000}"), Misbehaved, "6,000,000,000")


def test_a_huge_literal_announced_at_login_is_not_waited_for():
    def script(client):
        client.say(GREETING)
        client.hear()
        client.say(b'* LIST () "/" {6000000000}')

    with little_memory():
        refused_at_the_door(script, Misbehaved, "6,000,000,000")


def test_a_huge_literal_announced_in_a_listing_is_not_waited_for():
    def script(client):
        client.let_in()
        client.expect(b'LIST "" "*"', b'* LIST () "/" {6000000000}')

    with little_memory(), reading(script) as reader, pytest.raises(Misbehaved, match="6,000,000,000"):
        reader.folders()


def test_a_message_announced_beyond_the_limit_is_not_waited_for():
    def script(client):
        client.let_in()
        client.open()
        client.expect(b"UID FETCH", b"* 1 FETCH (UID 1 BODY[] {6000000000}")

    with little_memory(), reading(script) as reader, pytest.raises(Misbehaved, match="6,000,000,000"):
        list(reader.fetch("INBOX", [1]))


def test_a_large_message_that_never_comes_costs_no_memory():
    def script(client):
        client.let_in()
        client.open()
        client.hear()
        client.say(b"* 1 FETCH (UID 1 BODY[] {1900000000}", b"that was all")
        client.sock.shutdown(socket.SHUT_RDWR)

    with little_memory(), reading(script) as reader, pytest.raises(Dropped):
        list(reader.fetch("INBOX", [1]))


@pytest.mark.parametrize("where", ["greeting", "listing"])
def test_an_endless_line_ends_at_a_limit(where):
    def script(client):
        if where == "listing":
            client.let_in()
            client.hear()
        client.sock.sendall(b"* OK ")
        for _ in range(64):
            client.sock.sendall(b"x" * MB)

    with little_memory():
        if where == "greeting":
            refused_at_the_door(script, Misbehaved, "line longer than 1,048,576")
        else:
            with reading(script) as reader, pytest.raises(Misbehaved, match="line longer"):
                reader.folders()


@pytest.mark.parametrize(
    "line",
    [b"* 1 EXISTS", b'* LIST () "/" "some folder"', b"* 1 FETCH (UID 1 FLAGS ())", b"* OK noise"],
    ids=bytes.decode,
)
def test_millions_of_lines_end_at_a_limit(line):
    def script(client):
        client.let_in()
        client.hear()
        for _ in range(200):
            client.sock.sendall((line + b"\r\n") * 10_000)

    with reading(script) as reader, pytest.raises(Misbehaved, match="lines nobody asked for"):
        reader.folders()


def test_lines_without_end_before_the_login_end_at_a_limit():
    def script(client):
        for _ in range(1_000):
            client.say(*[b"* OK ready"] * 100)

    # The first line is a whole greeting; the flood reaches the question for capabilities.
    refused_at_the_door(script, Misbehaved, "lines before the login")


def test_a_window_with_more_rows_than_are_held_is_cut_and_asked_for_again():
    asked = []

    def script(client):
        client.let_in()
        client.open(messages=25_000, uidnext=25_001)
        with suppress(Hung):
            while True:
                tag, command = client.hear()
                if not command.startswith(b"UID FETCH"):
                    return
                first, _, last = command.split()[2].partition(b":")
                asked.append((int(first), last))
                upto = 25_000 if last == b"*" else int(last)
                rows = [b'* %d FETCH (UID %d FLAGS () INTERNALDATE "01-Jan-2020 00:00:00 +0000" RFC822.SIZE 5)' % (n, n)
                        for n in range(int(first), upto + 1)]  # fmt: skip
                client.say(*rows, tag + b" OK")

    with reading(script) as reader:
        uids = [header.uid for header in reader.index("INBOX")]
    assert uids == list(range(1, 25_001))
    assert len(asked) == 3


def test_an_index_that_comes_from_its_end_is_walked_all_the_same():
    def script(client):
        client.let_in()
        client.open(messages=12_000, uidnext=2)  # a lie
        while True:
            tag, command = client.hear()
            if not command.startswith(b"UID FETCH"):
                return
            first, _, last = command.split()[2].partition(b":")
            upto = 12_000 if last == b"*" else min(int(last), 12_000)
            client.say(
                *[b"* %d FETCH (UID %d FLAGS () RFC822.SIZE 5)" % (n, n) for n in range(upto, int(first) - 1, -1)],
                tag + b" OK",
            )

    with reading(script) as reader:
        assert [header.uid for header in reader.index("INBOX")] == list(range(1, 12_001))


# -- nonsense ---------------------------------------------------------------------------------------------------------


def at_listing(*lines: bytes) -> Callable[[Client], None]:
    def script(client: Client) -> None:
        client.let_in()
        client.hear()
        client.say(*lines)

    return script


@pytest.mark.parametrize(
    "line",
    [b"zz9 OK somebody else's", b"hello", b"* ", b"* 5", b"+ send me more", b"\x1b[2J", b"* LIST (((", b"* LIST )"],
    ids=repr,
)
def test_lines_that_are_no_answer_are_refused_in_clean_words(line):
    with reading(at_listing(line, b"m4 OK", b"m5 OK")) as reader:
        with pytest.raises(Misbehaved) as refused:
            reader.folders()
        assert str(refused.value).isprintable()


def test_an_answer_nobody_knows_is_passed_over():
    with reading(at_listing(b"* XWEATHER sunny", b'* LIST () "/"', b"m4 OK", b"m5 OK")) as reader:
        assert list(reader.folders()) == []


def test_a_wrong_tag_ends_the_connection():
    with reading(at_listing(b"m4711 OK not yours")) as reader:
        with pytest.raises(Misbehaved, match="m4711"):
            reader.folders()
        with pytest.raises(Dropped):
            reader.folders()


def test_a_farewell_in_the_middle_is_a_drop_with_the_servers_words():
    with reading(at_listing(b'* LIST () "/" INBOX', b"* BYE \x1b]0;boom\x07 going down")) as reader:
        with pytest.raises(Dropped, match="going down") as dropped:
            reader.folders()
        assert "\x1b" not in str(dropped.value)


def test_an_ok_without_data_is_a_folder_without_counts():
    def script(client):
        client.let_in()
        client.expect(b'LIST "" "*"', b'* LIST () "/" INBOX')
        client.expect(b"STATUS")

    with reading(script) as reader:
        (folder,) = reader.folders()
    assert (folder.name, folder.messages, folder.uidvalidity) == ("INBOX", None, 0)


def test_an_ok_without_messages_means_that_they_are_gone():
    def script(client):
        client.let_in()
        client.open()
        client.expect(b"UID FETCH")

    with reading(script) as reader:
        assert list(reader.fetch("INBOX", [1, 2, 3])) == []


def test_bodies_that_are_nil_missing_or_empty_come_as_nothing_with_the_size_as_listed():
    def script(client):
        client.let_in()
        client.open()
        client.expect(
            b"UID FETCH",
            b"* 1 FETCH (UID 1 RFC822.SIZE 10 FLAGS (\\Seen) BODY[] NIL)",
            b'* 2 FETCH (UID 2 RFC822.SIZE 20 BODY[] "")',
            b"* 3 FETCH (UID 3 RFC822.SIZE 30)",
        )

    with reading(script) as reader:
        found = {one.header.uid: (one.content.size, one.header.size) for one in reader.fetch("INBOX", [1, 2, 3])}
    assert found == {1: (0, 10), 2: (0, 20), 3: (0, 30)}


def test_messages_nobody_asked_for_and_messages_given_twice_are_passed_over():
    row = b'* %d FETCH (UID %d FLAGS () INTERNALDATE "01-Jan-2020 00:00:00 +0000" RFC822.SIZE 2 BODY[] {2}\r\nok)'

    def script(client):
        client.let_in()
        client.open()
        client.expect(b"UID FETCH", *[row % (n, n) for n in (9, 2, 2, 0, 4294967295, 1)])

    with reading(script) as reader:
        assert [one.header.uid for one in reader.fetch("INBOX", [1, 2])] == [2, 1]


def test_an_index_ignores_uids_out_of_range_and_rows_that_tell_nothing():
    def script(client):
        client.let_in()
        client.open(messages=2, uidnext=12)
        client.expect(
            b"UID FETCH",
            b"* 1 FETCH (UID 9 RFC822.SIZE 1 FLAGS ())",
            b"* 1 FETCH (FLAGS (\\Seen))",
            b'* 2 FETCH (UID 11 FLAGS (\\Recent) INTERNALDATE "31-Feb-2020 00:00:00 +0000" RFC822.SIZE 5)',
            b"* 2 FETCH (UID 11 FLAGS (\\Seen))",
            b"* 3 FETCH (UID 10 FLAGS ())",
        )

    with reading(script) as reader:
        (header,) = reader.index("INBOX", first=10)
    assert (header.uid, header.size, header.flags, header.date) == (11, 5, {"\\Seen"}, None)


def test_a_folder_numbered_anew_while_it_is_read_is_not_mixed_up():
    def script(client):
        client.let_in()
        client.open(uidvalidity=7)
        client.expect(b"EXAMINE", b"* 0 EXISTS", b"* OK [UIDVALIDITY 1] v", b"* OK [UIDNEXT 1] n")
        client.open(uidvalidity=8)

    with reading(script) as reader:
        assert reader.open("INBOX").uidvalidity == 7
        reader.open("Other")
        with pytest.raises(Misbehaved, match="number the folder anew"):
            list(reader.fetch("INBOX", [1]))


def test_a_folder_that_does_not_open_is_not_found_in_clean_words():
    def script(client):
        client.let_in()
        client.expect(b"EXAMINE", end=b"NO \x1b[31m[no such\x07 folder")

    with reading(script) as reader, pytest.raises(NotFound) as missing:
        reader.open("Entw&APw-rfe")
    assert "Entwürfe: the folder cannot be opened" in str(missing.value)
    assert str(missing.value).isprintable()


def test_an_odd_folder_name_comes_as_a_literal_and_goes_back_byte_for_byte():
    name = b'a "b" \\c\xe9\t'

    def script(client):
        client.let_in()
        client.expect(b'LIST "" "*"', b'* LIST () "/" {%d}\r\n%s' % (len(name), name))
        client.expect(b"LSUB")
        tag, command = client.hear()
        assert command == b"STATUS {%d}" % len(name)
        client.say(b"+ go")
        assert client._file.read(len(name)) == name
        client._file.readline()
        client.say(b"* STATUS {%d}\r\n%s (MESSAGES 5 UIDNEXT 6 UIDVALIDITY 7)" % (len(name), name), tag + b" OK")

    with reading(script) as reader:
        (folder,) = reader.folders()
    assert (folder.name.encode("latin-1"), folder.messages) == (name, 5)


def test_an_appenduid_that_can_not_be_is_not_believed():
    def script(client):
        client.let_in(b"IMAP4rev1 UIDPLUS LITERAL+ MULTIAPPEND")
        client.expect(b"SELECT", b"* 0 EXISTS", b"* OK [UIDVALIDITY 7] v", b"* OK [UIDNEXT 4] n")
        tag, _ = client.hear()
        client._file.read(10)
        client._file.readline()
        client.say(tag + b" OK [APPENDUID 7 1:4000000000] done")
        client.expect(b"UID FETCH")
        client.expect(b"UID FETCH")

    with serving(script) as (port, _):
        writer = ADAPTER.writer(options(port), ALICE)
        (added,) = writer.add("INBOX", [Message(Header(1, 10), Content(b"0123456789"))])
        writer.close()
    assert added.uid is None


def test_a_message_of_no_bytes_is_refused_before_anything_is_sent():
    with serving(Client.let_in) as (port, heard):
        writer = ADAPTER.writer(options(port), ALICE)
        with pytest.raises(Refused, match="zero bytes"):
            writer.add("INBOX", [Message(Header(1, 10), Content(b""))])
        writer.close()
    assert not [line for line in heard if b"APPEND" in line]


def test_a_session_for_reading_has_no_way_to_send_a_writing_command():
    with serving(Client.let_in) as (port, heard):
        reader = ADAPTER.reader(options(port), ALICE)
        with pytest.raises(RuntimeError):
            reader._wire.begin(b"APPEND", b"INBOX")
        reader.close()
    assert not [line for line in heard if b"APPEND" in line]


# -- at the door ------------------------------------------------------------------------------------------------------


def test_a_greeting_that_says_too_many_connections_narrows_the_lane():
    refused_at_the_door(
        lambda client: client.say(b"* BYE Too many connections from your address"), TooManyConnections, "Too many"
    )


def test_a_greeting_that_says_good_bye_asks_for_patience():
    refused_at_the_door(lambda client: client.say(b"* BYE shutting down"), Unavailable, "shutting down")


def test_a_door_that_closes_at_once_counts_as_too_many():
    refused_at_the_door(
        lambda client: client.sock.shutdown(socket.SHUT_RDWR), TooManyConnections, "closed the connection"
    )


def test_a_server_that_does_not_greet_is_told():
    refused_at_the_door(lambda client: client.hear(), TlsFailed, "took the connection and said nothing", timeout=0.2)


@pytest.mark.parametrize("told", [b"\xff\xfe", b"{3}\r\nabc"], ids=repr)
def test_capabilities_that_are_no_words_are_survived(told):
    def script(client):
        client.say(b"* OK ready")
        client.expect(b"CAPABILITY", b"* CAPABILITY " + told)

    refused_at_the_door(script, Misbehaved, "does not speak IMAP")


OTHERS = {
    b"220 smtp.example.com ESMTP Postfix": "an SMTP server",
    b"220 files.example.com FTP server ready": "an FTP server",
    b"+OK Dovecot ready.": "a POP3 server",
    b"SSH-2.0-OpenSSH_9.6": "an SSH server",
    b'"IMPLEMENTATION" "Dovecot Pigeonhole"': "a ManageSieve server",
    b"220 welcome": "an SMTP or FTP server",
    b"220---------- Welcome to Pure-FTPd ----------": "an FTP server",
    b"\x6e\x00\x00\x00\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\x00\x24\x00\x00\x00mysql_native_password\x00": "a MariaDB server",
    b"\x4a\x00\x00\x00\x0a8.0.36\x00\x09\x00\x00\x00caching_sha2_password\x00": "a MySQL server",
    b"\x45\x00\x00\x00\xff\x6a\x04Host '192.0.2.1' is not allowed to connect to this MariaDB server": "a MariaDB server",
}


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize("greeting", OTHERS, ids=[f"{what} {len(said)}" for said, what in OTHERS.items()])
def test_another_service_behind_the_port_is_named(greeting, security):
    refused_at_the_door(
        lambda client: client.say(greeting),
        EndpointUnfit,
        f"{OTHERS[greeting]} answers there, not an IMAP server",
        security=security,
    )


def web(client):
    """What a web server does: it waits for a line, and answers it."""
    client.hear()
    client.say(b"HTTP/1.1 400 Bad Request", b"Content-Length: 0", b"")


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_web_server_behind_the_port_is_named_whatever_the_plan_says_of_tls(security):
    match = "a web server answers there, not an IMAP server"
    refused_at_the_door(web, EndpointUnfit, match, security=security, timeout=0.3)


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_web_server_with_tls_behind_the_port_is_named(security, tmp_path):
    context, ca_file, _ = certified(tmp_path, "127.0.0.1")
    with (
        serving(web, context) as (port, _),
        pytest.raises(EndpointUnfit, match="a web server answers there, not an IMAP server"),
    ):
        ADAPTER.reader(options(port, security=security, timeout=0.5, ca_file=ca_file), ALICE)


def test_a_port_for_tls_that_is_spoken_to_in_the_clear_is_told_with_what_to_write(tmp_path):
    context, _, _ = certified(tmp_path, "127.0.0.1")
    with (
        serving(lambda client: client.say(GREETING), context) as (port, _),
        pytest.raises(TlsFailed, match="IMAP is spoken there inside TLS alone") as told,
    ):
        ADAPTER.reader(options(port, security="starttls", timeout=0.5), ALICE)
    assert told.value.remedy == "Write security: tls for it."


def test_something_unknown_behind_the_port_is_told():
    refused_at_the_door(lambda client: client.say(b"Hello, who are you?"), Misbehaved, "does not speak IMAP")


def test_nothing_behind_the_port_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="does not answer"):
        ADAPTER.reader(options(port), ALICE)


def test_a_server_that_claims_to_know_us_already_is_refused():
    refused_at_the_door(
        lambda client: client.say(b"* PREAUTH [CAPABILITY IMAP4rev1] hello root"), EndpointRefused, "logged in already"
    )


def test_a_refused_login_is_told_in_clean_words():
    def script(client):
        client.say(GREETING)
        client.expect(b"AUTHENTICATE", end=b"NO [AUTHENTICATIONFAILED] \x1b[2Jsorry")

    refused_at_the_door(script, LoginRefused, r"alice@example\.com: 127\.0\.0\.1:\d+ refused the login: \[2Jsorry$")


def test_an_account_without_a_password_is_told_without_a_connection():
    with pytest.raises(LoginRefused, match="no password"):
        ADAPTER.reader(options(1), Login("alice@example.com", "alice"))


# -- what a plan may say ----------------------------------------------------------------------------------------------


def test_clear_text_is_for_this_machine_unless_the_plan_insists():
    with pytest.raises(ValidationError, match="allow_cleartext"):
        Options(host="mail.example.com", security="none")
    assert Options(host="mail.example.com", security="none", allow_cleartext=True).where == ("mail.example.com", 143)
    assert [Options(host=host, security="none").where[1] for host in ("localhost", "127.8.0.1", "::1")] == [143] * 3
    assert Options(host="mail.example.com").where[1] == 993


def test_a_fingerprint_is_read_as_people_write_it_and_refused_when_it_is_none():
    written = ":".join(["AB"] * 32)
    assert Options(host="x", tls_fingerprint=written).tls_fingerprint == "ab" * 32
    with pytest.raises(ValidationError, match="64 hexadecimal digits"):
        Options(host="x", tls_fingerprint="AB:CD")


def test_every_option_is_described_and_unknown_ones_are_refused():
    assert [name for name, one in Options.model_fields.items() if not one.description] == []
    with pytest.raises(ValidationError):
        Options(host="x", colour="blue")


# -- TLS --------------------------------------------------------------------------------------------------------------


def certified(
    folder: Path, *names: str, days: tuple[int, int] = (-10, 10), self_signed: bool = False
) -> tuple[ssl.SSLContext, Path, str]:
    """A server's context, the file of its authority and its certificate's fingerprint."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])

    def begun(subject, public_key, valid):
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + dt.timedelta(days=valid[0]))
            .not_valid_after(NOW + dt.timedelta(days=valid[1]))
        )

    authority = (
        begun(authority_name, authority_key.public_key(), (-20, 20))
        .issuer_name(authority_name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    alternatives = [
        x509.IPAddress(ipaddress.ip_address(one)) if one[0].isdigit() else x509.DNSName(one) for one in names
    ]
    certificate = (
        begun(name, key.public_key(), days)
        .issuer_name(name if self_signed else authority_name)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key if self_signed else authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "server.pem").write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, folder / "ca.pem", tls.fingerprint(certificate.public_bytes(serialization.Encoding.DER))


def over_tls(context: ssl.SSLContext, **more):
    with serving(Client.let_in, context) as (port, heard):
        try:
            ADAPTER.reader(options(port, security="tls", **more), ALICE).close()
        finally:
            over_tls.heard = heard


def test_a_certificate_of_a_known_authority_with_the_right_name_is_trusted(tmp_path):
    context, ca_file, _ = certified(tmp_path, "127.0.0.1")
    over_tls(context, ca_file=ca_file)
    assert any(b"AUTHENTICATE" in line for line in over_tls.heard)


@pytest.mark.parametrize(
    ("certificate", "trusted", "match"),
    [
        ({"days": (-20, -1)}, True, "has expired"),
        ({"days": (1, 9)}, True, "not valid yet"),
        ({"self_signed": True}, False, "is self-signed"),
        ({}, False, "issuer that is not known"),
    ],
)
def test_an_untrusted_certificate_is_refused_before_anything_is_sent(tmp_path, certificate, trusted, match):
    context, ca_file, fingerprint = certified(tmp_path, "127.0.0.1", **certificate)
    with pytest.raises(TlsFailed, match=match) as failed:
        over_tls(context, **({"ca_file": ca_file} if trusted else {}))
    assert over_tls.heard == []
    assert fingerprint in failed.value.remedy or "clock" in failed.value.remedy


def test_a_certificate_for_another_name_is_refused_with_the_names_it_carries(tmp_path):
    context, ca_file, _ = certified(tmp_path, "mail.example.com", "smtp.example.com")
    with pytest.raises(
        TlsFailed, match=r"not valid for the name 127\.0\.0\.1\. It is valid for mail\.example\.com, smtp\.example\.com"
    ):
        over_tls(context, ca_file=ca_file)
    assert over_tls.heard == []


def test_a_pinned_certificate_is_trusted_and_any_other_is_not(tmp_path):
    context, _, fingerprint = certified(tmp_path, "elsewhere.example.com", days=(-20, -1), self_signed=True)
    over_tls(context, tls_fingerprint=fingerprint)
    with pytest.raises(TlsFailed, match=f"fingerprint {fingerprint}, which is not the pinned one"):
        over_tls(context, tls_fingerprint="00" * 32)
    assert over_tls.heard == []


def test_a_port_that_does_not_speak_tls_is_told():
    with (
        serving(lambda client: client.say(GREETING)) as (port, _),
        pytest.raises(TlsFailed, match="does not speak TLS"),
    ):
        ADAPTER.reader(options(port, security="tls"), ALICE)


def test_tls_older_than_1_2_is_refused():
    assert tls.context().minimum_version >= ssl.TLSVersion.TLSv1_2
    assert tls.context(pin="00" * 32).minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_ca_file_without_certificates_is_the_plans_mistake(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing here")
    with pytest.raises(PlanError, match=r"ca\.pem"):
        ADAPTER.reader(options(1, security="tls", ca_file=tmp_path / "ca.pem"), ALICE)


def starttls_script(context: ssl.SSLContext, injected: bytes = b""):
    def script(client: Client) -> None:
        client.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready")
        tag, _ = client.hear()
        client.sock.sendall(tag + b" OK go on\r\n" + injected)
        with context.wrap_socket(client.sock, server_side=True) as safe:
            inside = Client(safe, client.heard)
            inside.expect(b"CAPABILITY", b"* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN")
            inside.expect(b"AUTHENTICATE", end=b"OK [CAPABILITY IMAP4rev1] in")
            inside.expect(b'LIST "" ""', b'* LIST (\\Noselect) "/" ""')
            inside.expect(b'LIST "" "%"', b'* LIST () "/" INBOX')
            inside.hear()

    return script


def test_starttls_asks_for_the_capabilities_again_behind_the_handshake(tmp_path):
    context, ca_file, _ = certified(tmp_path, "127.0.0.1")
    with serving(starttls_script(context)) as (port, heard):
        ADAPTER.reader(options(port, security="starttls", ca_file=ca_file), ALICE).close()
    assert [line.split()[1] for line in heard][:3] == [b"STARTTLS", b"CAPABILITY", b"AUTHENTICATE"]


def test_answers_injected_before_the_handshake_are_not_heard(tmp_path):
    context, ca_file, _ = certified(tmp_path, "127.0.0.1")
    injected = b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 LITERAL+\r\n* PREAUTH welcome\r\n"
    with serving(starttls_script(context, injected)) as (port, _):
        reader = ADAPTER.reader(options(port, security="starttls", ca_file=ca_file), ALICE)
        assert reader._wire.capabilities == {b"IMAP4REV1"}
        assert reader.namespace.separator == "/"
        reader.close()


@pytest.mark.parametrize(
    ("greeting", "match"),
    [
        (b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready", "does not offer STARTTLS"),
        (b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello", "rules STARTTLS out"),
    ],
)
def test_a_stripped_starttls_is_refused_and_nothing_secret_is_sent(greeting, match):
    with serving(lambda client: client.say(greeting)) as (port, heard), pytest.raises(TlsFailed, match=match):
        ADAPTER.reader(options(port, security="starttls"), ALICE)
    assert heard == []


def test_a_starttls_that_is_refused_is_told_and_nothing_secret_is_sent():
    def script(client):
        client.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready")
        client.expect(b"STARTTLS", end=b"NO not today")

    with serving(script) as (port, heard), pytest.raises(TlsFailed, match="refused STARTTLS"):
        ADAPTER.reader(options(port, security="starttls"), ALICE)
    assert [line.split()[1] for line in heard] == [b"STARTTLS"]
