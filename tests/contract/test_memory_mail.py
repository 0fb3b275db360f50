"""The server in memory keeps the contract like any other, and misbehaves exactly as told."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.engine.contract import Login, Side
from migrator.errors import Dropped, LoginRefused, NoSpace, Refused, TooManyConnections
from migrator.testing.mail_store import MailStore, MailStoreContract, message, plain_message
from migrator.testing.memory_mail import (
    COURIER,
    CYRUS,
    DOVECOT,
    Drop,
    Manners,
    MemoryOptions,
    MemoryRoute,
    MemoryServer,
    adapter,
)

ALICE = "alice@example.com"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "messages"
ODD = {path.stem: path.read_bytes() for path in sorted(FIXTURES.glob("*.eml"))}


def store_on(server: MemoryServer, **habits: object) -> MailStore:
    return MailStore(
        open_reader=lambda: server.reader(ALICE),
        open_writer=lambda: server.writer(ALICE),
        trace=lambda: list(server.writes),
        **habits,
    )


class TestMemory(MailStoreContract):
    odd_messages = ODD

    @pytest.fixture
    def store(self) -> MailStore:
        return store_on(MemoryServer(accounts=[ALICE]))


class TestMemoryWithoutUidplus(MailStoreContract):
    @pytest.fixture
    def store(self) -> MailStore:
        return store_on(MemoryServer(accounts=[ALICE], manners=Manners(uidplus=False)))


class TestMemoryAsDovecot(MailStoreContract):
    odd_messages = ODD

    @pytest.fixture
    def store(self) -> MailStore:
        server = MemoryServer(accounts=[ALICE], manners=DOVECOT)
        return store_on(server, exact=False, may_refuse=lambda raw: not raw)


class TestMemoryAsCyrus(MailStoreContract):
    odd_messages = ODD

    @pytest.fixture
    def store(self) -> MailStore:
        server = MemoryServer(accounts=[ALICE], manners=CYRUS)
        return store_on(server, may_refuse=lambda raw: bool(CYRUS.refuses(raw)))


class TestMemoryAsCourier(MailStoreContract):
    odd_messages = ODD

    @pytest.fixture
    def store(self) -> MailStore:
        return store_on(MemoryServer(accounts=[ALICE], manners=COURIER), exact=False)


def test_a_drop_before_the_change_loses_the_message_and_one_after_it_only_the_answer() -> None:
    server = MemoryServer(accounts=[ALICE])
    server.drops = [Drop("add", 1), Drop("add", 2, after=True)]
    counts = []
    for _ in range(2):
        session = server.writer(ALICE)
        with pytest.raises(Dropped):
            session.add("INBOX", [message(plain_message(1))])
        with pytest.raises(Dropped):
            session.open("INBOX")
        session.close()
        counts.append(len(server.contents(ALICE)["INBOX"]))
    assert counts == [0, 1]


def test_without_multiappend_the_messages_before_a_refused_one_stay() -> None:
    for manners, stay in ((Manners(refuses=lambda raw: "no" if b"bad" in raw else ""), 0), (COURIER, 1)):
        server = MemoryServer(
            accounts=[ALICE], manners=replace(manners, refuses=lambda raw: "no" if b"bad" in raw else "")
        )
        with closing(server.writer(ALICE)) as session, pytest.raises(Refused, match="no"):
            session.add("INBOX", [message(plain_message(1)), message(b"bad"), message(plain_message(2))])
        assert len(server.contents(ALICE)["INBOX"]) == stay


def test_dying_at_the_hooks_leaves_the_change_unmade_or_made() -> None:
    class Died(BaseException):
        pass

    def die(what: str) -> None:
        raise Died(what)

    server = MemoryServer(accounts=[ALICE])
    with closing(server.writer(ALICE)) as session:
        server.before_write = die
        with pytest.raises(Died, match=f"add {ALICE} INBOX 1"):
            session.add("INBOX", [message(plain_message(1))])
        assert server.contents(ALICE)["INBOX"] == []
        server.before_write, server.after_write = lambda _: None, die
        with pytest.raises(Died):
            session.add("INBOX", [message(plain_message(1))])
        assert len(server.contents(ALICE)["INBOX"]) == 1
    assert server.writes == [f"add {ALICE} INBOX 1"]


def test_quota_size_and_connection_limits_are_kept() -> None:
    server = MemoryServer(accounts=[ALICE], manners=Manners(quota=300, largest=250, limit=1))
    with closing(server.writer(ALICE)) as session:
        assert session.features.quota_left == 300
        with pytest.raises(Refused):
            session.add("INBOX", [message(b"x" * 251)])
        session.add("INBOX", [message(b"x" * 200)])
        with pytest.raises(NoSpace):
            session.add("INBOX", [message(b"x" * 101)])
        with pytest.raises(TooManyConnections):
            server.reader(ALICE)
    with closing(server.reader(ALICE)) as session:
        assert session.features.quota_left == 100
    assert (server.open_sessions, server.most_sessions) == (0, 1)


def test_refused_logins_are_counted() -> None:
    server = MemoryServer(accounts=[ALICE])
    server.refused_accounts = {ALICE}
    for account in (ALICE, "nobody@example.com"):
        with pytest.raises(LoginRefused):
            server.reader(account)
    assert server.logins == {ALICE: 1, "nobody@example.com": 1}
    assert server.open_sessions == 0


def test_a_message_that_is_not_delivered_comes_empty_with_its_listed_size() -> None:
    server = MemoryServer(accounts=[ALICE])
    uid = server.put(ALICE, "INBOX", b"x" * 10)
    server.undeliverable = {(ALICE, "INBOX", uid)}
    with closing(server.reader(ALICE)) as session:
        (fetched,) = session.fetch("INBOX", [uid])
    assert (fetched.header.size, fetched.content.size) == (10, 0)


def test_renumbering_keeps_the_mail_and_changes_every_number() -> None:
    server = MemoryServer(accounts=[ALICE])
    uid = server.put(ALICE, "INBOX", b"one", {"\\Seen"})
    with closing(server.reader(ALICE)) as session:
        before = session.open("INBOX").uidvalidity
    server.renumber(ALICE, "INBOX")
    with closing(server.reader(ALICE)) as session:
        assert session.open("INBOX").uidvalidity != before
    (stored,) = server.contents(ALICE)["INBOX"]
    assert (stored.raw, stored.flags, stored.uid != uid) == (b"one", {"\\Seen"}, True)


def test_a_removed_folder_is_gone_and_a_removed_message_is_not_answered() -> None:
    server = MemoryServer(accounts=[ALICE])
    uid = server.put(ALICE, "Sent", b"one")
    server.remove(ALICE, "Sent", uid)
    with closing(server.reader(ALICE)) as session:
        assert list(session.fetch("Sent", [uid])) == []
        server.remove(ALICE, "Sent")
        assert [folder.name for folder in session.folders()] == ["INBOX"]


def test_a_route_opens_sessions_at_both_ends_and_writes_only_at_the_target() -> None:
    route = MemoryRoute(MemoryServer("old", [ALICE]), MemoryServer("new", [ALICE], Manners(connections=(2, 1))))
    assert (route.endpoint(Side.SOURCE), route.endpoint(Side.TARGET)) == ("old", "new")
    assert route.connections(Side.TARGET) == (2, 1)
    with closing(route.for_writing(Side.TARGET, "mail", ALICE)) as session:
        session.add("INBOX", [message(plain_message(1))])
    with closing(route.for_reading(Side.SOURCE, "mail", ALICE)) as source:
        assert list(source.index("INBOX")) == []
    with closing(route.for_reading(Side.TARGET, "mail", ALICE)) as target:
        assert len(list(target.index("INBOX"))) == 1


def test_its_adapter_opens_sessions_by_login() -> None:
    server = MemoryServer(accounts=[ALICE])
    memory = adapter(server)
    assert memory.writer is not None
    with closing(memory.writer(MemoryOptions(), Login("office@example.com", ALICE))) as session:
        session.add("INBOX", [message(plain_message(1))])
    with closing(memory.reader(MemoryOptions(), Login("office@example.com", ALICE))) as session:
        assert session.open("INBOX").messages == 1
