"""The IMAP adapter on real servers: every promise of the mail contract, on rich servers and on the same ones made poor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

import pytest
from lab.ground import OTHER_HOST
from lab.road import Letter
from pydantic import SecretStr

from migrator.engine.contract import Login
from migrator.errors import LoginRefused, NoSpace, NotFound, NotLetIn, Refused, TlsFailed, TooManyConnections
from migrator.mail.adapters.imap import ADAPTER, Options
from migrator.mail.imap.reading import ImapReader
from migrator.mail.imap.writing import ImapWriter
from migrator.mail.model import MB, Content, Header, Message
from migrator.testing.mail_store import ODD_MESSAGES, MailStore, MailStoreContract, message, plain_message
from migrator.testing.proxy import Proxy

MAIL = b"From: alice@example.com\r\nSubject: one\r\nMessage-ID: <one@example.com>\r\n\r\nHello.\r\n"
DATE = datetime(2019, 3, 31, 0, 30, tzinfo=UTC)
ONE_BY_ONE = frozenset({"MULTIAPPEND"})
WAITING = ONE_BY_ONE | {"LITERAL+"}
POOREST = WAITING | {
    "UIDPLUS", "LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE", "CONDSTORE", "QRESYNC", "STATUS=SIZE", "SASL-IR",
    "BINARY", "QUOTA",
}  # fmt: skip


def login(server, user: str, password: str | None = None) -> Login:
    return Login(user, user, SecretStr(server.users[user] if password is None else password))


def plain_options(server, **more) -> Options:
    return Options(host=server.host, port=server.port, security="none", **more)


@pytest.fixture
def sessions():
    """Opens sessions and closes them after the test."""
    opened = []

    def open_session(opener, options, account):
        opened.append(opener(options, account))
        return opened[-1]

    yield open_session
    for session in opened:
        session.close()


def refuses_nothing(_raw: bytes) -> bool:
    return False


class OnAServer(MailStoreContract):
    """The contract on a server of the lab; `hidden` capabilities are kept from us by a proxy."""

    server = ""
    hidden: frozenset[str] = frozenset()
    exact = False

    def may_refuse(self, raw: bytes) -> bool:
        return not raw

    @pytest.fixture
    def store(self, request) -> Iterator[MailStore]:
        server = request.getfixturevalue(self.server)
        account = login(server, user := server.fresh_user())
        with Proxy((server.host, server.port), hide=self.hidden) as proxy:
            options = Options(host=proxy.host, port=proxy.port, security="none")
            yield MailStore(
                open_reader=lambda: ADAPTER.reader(options, account),
                open_writer=lambda: ADAPTER.writer(options, account),
                exact=self.exact,
                may_refuse=self.may_refuse,
                trace=lambda: server.contents(user),
            )


class OnDovecot(OnAServer):
    """Dovecot takes a date that lies ahead for a mistake and stores the present time."""

    @pytest.mark.parametrize(
        "date",
        [
            datetime(1970, 1, 2, 0, 0, 1, tzinfo=UTC),
            datetime(1999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-11))),
            datetime(2024, 2, 29, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        ],
        ids=str,
    )
    def test_a_date_is_kept_as_an_instant(self, writer, date) -> None:
        super().test_a_date_is_kept_as_an_instant(writer, date)

    def test_a_date_that_lies_ahead_is_answered_as_stored(self, writer) -> None:
        (added,) = writer.add("INBOX", [message(plain_message(1), date=datetime(2038, 1, 1, tzinfo=UTC))])
        (header,) = writer.index("INBOX")
        assert added.date == header.date < datetime(2038, 1, 1, tzinfo=UTC)


class TestDovecotWithAPrefix(OnDovecot):
    server = "dovecot_inbox"


class TestDovecotWithSlashes(OnDovecot):
    server = "dovecot_slash"


class TestDovecotWithoutMultiappend(OnDovecot):
    server = "dovecot_slash"
    hidden = ONE_BY_ONE


class TestDovecotMadePoor(OnDovecot):
    server = "dovecot_inbox"
    hidden = POOREST


class TestCyrus(OnAServer):
    server = "cyrus"
    # unless told otherwise (munge8bit), it writes X for every 8-bit byte of a header
    odd_messages: ClassVar = {name: raw for name, raw in ODD_MESSAGES.items() if name != "eight-bit-header"}

    def may_refuse(self, raw: bytes) -> bool:
        header = raw.partition(b"\r\n\r\n")[0]
        bare = raw.replace(b"\r\n", b"")
        return not raw or b"\0" in raw or b"\n" in bare or any(b":" not in line for line in header.split(b"\r\n"))


class TestCourier(OnAServer):
    server = "courier"


# -- filling a folder -------------------------------------------------------------------------------------------------


def made(number: int, size: int = 0, flags=()) -> Message:
    raw = plain_message(number) + b"x" * size + b"\r\n"
    return Message(Header(number, len(raw), frozenset(flags), DATE), Content(raw))


@pytest.mark.parametrize(
    "hidden", [frozenset(), ONE_BY_ONE, WAITING, POOREST], ids=["rich", "one-by-one", "waiting", "poorest"]
)
def test_messages_are_named_and_read_back_whatever_the_server_offers(dovecot_inbox, sessions, hidden):
    account = login(dovecot_inbox, dovecot_inbox.fresh_user())
    with Proxy((dovecot_inbox.host, dovecot_inbox.port), hide=hidden) as proxy:
        writer = sessions(ADAPTER.writer, plain_options(proxy), account)
        fence = writer.end_of("INBOX")
        sent = [
            made(number, size=number * 700, flags=["\\Seen", "Junk"] if number % 2 else []) for number in range(300)
        ]
        added = writer.add("INBOX", sent)
        assert [one.uid for one in added] == list(range(1, 301))
        assert [one.size for one in added] == [one.content.size for one in sent]
        assert {one.date for one in added} == {DATE}
        assert [one.flags for one in added] == [one.header.flags for one in sent]
        assert fence.endswith("/1")
        assert writer.end_of("INBOX").endswith("/301")


def test_a_stranger_in_between_is_not_taken_for_ours(dovecot_inbox, sessions):
    user = dovecot_inbox.fresh_user()
    with Proxy((dovecot_inbox.host, dovecot_inbox.port), hide={"UIDPLUS"}) as proxy:
        writer = sessions(ADAPTER.writer, plain_options(proxy), login(dovecot_inbox, user))
        writer.end_of("INBOX")
        dovecot_inbox.fill(user, "INBOX", [Letter(MAIL)])
        added = writer.add("INBOX", [made(1), made(2, size=5)])
    assert [one.uid for one in added] == [2, 3]


def test_a_large_message_goes_both_ways_through_a_file(dovecot_inbox, dovecot_slash, sessions):
    body = MAIL + b"0123456789abcdef" * (3 * MB // 16) + b"\r\n"
    user = dovecot_inbox.fresh_user()
    dovecot_inbox.fill(user, "INBOX", [body])
    reader = sessions(ADAPTER.reader, plain_options(dovecot_inbox), login(dovecot_inbox, user))
    (large,) = reader.fetch("INBOX", [1])
    assert not large.content.in_memory
    writer = sessions(ADAPTER.writer, plain_options(dovecot_slash), login(dovecot_slash, dovecot_slash.fresh_user()))
    (added,) = writer.add("INBOX", [large])
    assert added.size == len(body)
    (back,) = writer.fetch("INBOX", [1])
    assert back.content.whole() == body


def test_keywords_cyrus_has_no_room_for_are_dropped_and_never_cost_the_message(cyrus, sessions):
    writer = sessions(ADAPTER.writer, plain_options(cyrus), login(cyrus, cyrus.fresh_user()))
    for number in range(100):
        writer.add("INBOX", [made(number, flags=[f"word{number}"])])
    added = writer.add("INBOX", [made(200, flags=["\\Seen", "one-too-many", "word5"]), made(201)])
    assert [one.dropped_flags for one in added] == [frozenset({"one-too-many"}), frozenset()]
    assert added[0].flags == {"\\Seen", "word5"}
    (later,) = writer.add("INBOX", [made(202, flags=["one-too-many"])])
    assert later.dropped_flags == {"one-too-many"}


def test_a_refused_message_alone_says_why_and_the_others_arrive(cyrus, sessions):
    writer = sessions(ADAPTER.writer, plain_options(cyrus), login(cyrus, cyrus.fresh_user()))
    bad = message(b"no header\r\n\r\nx\r\n")
    with pytest.raises(Refused, match="invalid header"):
        writer.add("INBOX", [made(1), bad, made(2)])
    assert list(writer.index("INBOX")) == []
    assert len(writer.add("INBOX", [made(1), made(2)])) == 2


def test_a_full_account_and_a_large_message_are_told_apart(lab, sessions):
    tight = lab.mail("dovecot-slash", "--quota", "20K", "--largest", "8K", "--connections", "2")
    account = login(tight, tight.fresh_user())
    writer = sessions(ADAPTER.writer, plain_options(tight), account)
    assert writer.features.quota_left == 20 * 1024
    with pytest.raises(Refused, match="larger than") as refused:
        writer.add("INBOX", [made(1, size=9000)])
    assert "Raise its limit" in refused.value.remedy
    writer.add("INBOX", [made(2, size=7000), made(3, size=7000)])
    with pytest.raises(NoSpace):
        writer.add("INBOX", [made(4, size=7000)])
    sessions(ADAPTER.reader, plain_options(tight), account)
    with pytest.raises(TooManyConnections):
        ADAPTER.reader(plain_options(tight), account)


def test_adding_to_a_folder_that_is_gone_is_told(dovecot_slash, sessions):
    writer = sessions(ADAPTER.writer, plain_options(dovecot_slash), login(dovecot_slash, dovecot_slash.fresh_user()))
    with pytest.raises(NotFound, match="Nowhere"):
        writer.add("Nowhere", [made(1)])


def test_a_folder_is_created_once_and_a_refusal_is_told(dovecot_slash, sessions):
    writer = sessions(ADAPTER.writer, plain_options(dovecot_slash), login(dovecot_slash, dovecot_slash.fresh_user()))
    assert writer.create(["Clientes", "Clientes/2024", "Clientes"]) == {}
    assert set(writer.create(["raw & ampersand", "INBOX"])) == {"raw & ampersand"}
    assert writer.subscribe(["Clientes"]) == {}
    assert {folder.name for folder in writer.folders() if folder.subscribed} == {"Clientes"}


def test_folders_of_courier_have_counts_and_subscriptions_without_any_extension(courier, sessions):
    user = courier.fresh_user()
    courier.fill(user, courier.named("Clientes"), [MAIL, MAIL])
    writer = sessions(ADAPTER.writer, plain_options(courier), login(courier, user))
    writer.subscribe([courier.named("Clientes")])
    folders = {folder.name: folder for folder in writer.folders()}
    clientes = folders[courier.named("Clientes")]
    assert (clientes.messages, clientes.uidnext, clientes.subscribed) == (2, 3, True)
    assert clientes.uidvalidity > 0
    assert writer.namespace.prefix == "INBOX."


def test_courier_gives_deeply_nested_messages_whole_and_unread(courier, sessions):
    parts = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (depth, depth) for depth in range(200)
    )
    nested = b"Subject: nested\r\nMIME-Version: 1.0\r\n" + parts + b"Content-Type: text/plain\r\n\r\nthe heart\r\n"
    user = courier.fresh_user()
    courier.fill(user, "INBOX", [nested])
    writer = sessions(ADAPTER.writer, plain_options(courier), login(courier, user))
    writer.open("INBOX")
    (whole,) = writer.fetch("INBOX", [1])
    assert whole.content.whole() == nested
    (header,) = writer.index("INBOX")
    assert header.flags == frozenset()


# -- getting in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dovecot_inbox", "dovecot_slash", "cyrus", "courier"])
@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_session_is_safe_with_the_authority_or_the_fingerprint(request, sessions, name, security):
    server = request.getfixturevalue(name)
    port = server.tls_port if security == "tls" else server.port
    account = login(server, server.fresh_user())
    trusting = Options(host="localhost", port=port, security=security, ca_file=server.ca_file)
    assert sessions(ADAPTER.reader, trusting, account).open("INBOX").messages == 0
    with pytest.raises(TlsFailed) as failed:
        ADAPTER.reader(Options(host="localhost", port=port, security=security), account)
    pin = failed.value.remedy.partition("tls_fingerprint: ")[2].split()[0]
    pinned = Options(host="localhost", port=port, security=security, tls_fingerprint=pin)
    assert sessions(ADAPTER.reader, pinned, account).open("INBOX").messages == 0


def test_a_wrong_name_is_told_with_the_names_the_certificate_carries(dovecot_inbox):
    options = Options(host=OTHER_HOST, port=dovecot_inbox.tls_port, ca_file=dovecot_inbox.ca_file)
    with pytest.raises(TlsFailed, match=r"not valid for the name 127\.0\.0\.2\. It is valid for other\.example\.com"):
        ADAPTER.reader(options, login(dovecot_inbox, "alice@example.com"))


@pytest.mark.parametrize("name", ["dovecot_inbox", "cyrus", "courier"])
def test_a_wrong_password_is_refused_in_the_servers_words(request, name):
    server = request.getfixturevalue(name)
    with pytest.raises(LoginRefused, match=r"alice@example\.com") as refused:
        ADAPTER.reader(plain_options(server), login(server, "alice@example.com", "not it, señor"))
    assert "señor" not in refused.value.sentence()


def test_a_master_user_opens_any_mailbox(lab, sessions):
    server = lab.mail("dovecot-slash", "--master", "admin:pw-master")
    account = Login(user := server.fresh_user(), user)
    options = plain_options(server, master_user="admin", master_password=SecretStr("pw-master"))
    assert isinstance(sessions(ADAPTER.reader, options, account), ImapReader)
    by_sasl = options.model_copy(update={"master_style": "authzid"})
    assert isinstance(sessions(ADAPTER.writer, by_sasl, account), ImapWriter)


@pytest.mark.parametrize("style", ["separator", "authzid"])
def test_a_wrong_master_user_and_a_mailbox_that_is_not_there_are_told_apart(lab, style):
    server = lab.mail("dovecot-slash", "--master", "admin:pw-master")
    right = plain_options(server, master_user="admin", master_password=SecretStr("pw-master"), master_style=style)
    wrong = right.model_copy(update={"master_password": SecretStr("not it")})
    for options, error in ((right, NotLetIn), (wrong, LoginRefused)):
        with pytest.raises(LoginRefused) as refused:
            ADAPTER.reader(options, Login("nobody@example.com", "nobody@example.com"))
        assert type(refused.value) is error


def test_reading_sends_no_writing_command(dovecot_inbox, sessions):
    user = dovecot_inbox.fresh_user()
    dovecot_inbox.fill(user, "INBOX", [MAIL, MAIL])
    with Proxy((dovecot_inbox.host, dovecot_inbox.port)) as proxy:
        with closing(ADAPTER.reader(plain_options(proxy), login(dovecot_inbox, user))) as reader:
            reader.folders()
            uids = [header.uid for header in reader.index("INBOX")]
            assert [one.content.whole() for one in reader.fetch("INBOX", uids)] == [MAIL, MAIL]
            assert set(reader.message_ids("INBOX", uids).values()) == {"one@example.com"}
        assert proxy.writes == 0
