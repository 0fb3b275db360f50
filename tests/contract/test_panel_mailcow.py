"""The mailcow adapter against the emulator.

Against a living server instead: MIGRATOR_LIVE_MAILCOW=https://host and MIGRATOR_LIVE_MAILCOW_KEY with a read-write key;
MIGRATOR_LIVE_MAILCOW_FINGERPRINT where its certificate is self-signed. The suite creates domains below example.com there. Tests of
one trap always use the emulator.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from migrator.errors import Dropped, EndpointRefused, Misbehaved, NotFound, Refused, Unavailable
from migrator.panel.adapters import mailcow
from migrator.panel.contract import PanelReader, PanelWriter, SetsPasswords
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Forwarder,
    Hold,
    Mailbox,
    Password,
    Routing,
    Way,
)
from migrator.testing.panel_suite import PASSWORD, PanelContract, panel
from migrator.testing.panels.mailcow import KEY, READ_ONLY_KEY, Mailcow
from migrator.testing.panels.server import Answer, Mishap

GB = 1024**3
MB = 1024**2
LIVE = os.environ.get("MIGRATOR_LIVE_MAILCOW", "")


def options_for(server: Mailcow, **more: object) -> mailcow.Options:
    told = {"url": server.url, "tls_fingerprint": server.fingerprint, "key": SecretStr(KEY), **more}
    return mailcow.Options.model_validate(told)


@pytest.fixture
def server() -> Iterator[Mailcow]:
    with Mailcow() as running:
        yield running


class TestMailcow(PanelContract):
    adapter = mailcow.ADAPTER
    features = mailcow.FEATURES

    @pytest.fixture
    def options(self, server: Mailcow) -> mailcow.Options:
        if not LIVE:
            return options_for(server)
        fingerprint = os.environ.get("MIGRATOR_LIVE_MAILCOW_FINGERPRINT")
        key = SecretStr(os.environ["MIGRATOR_LIVE_MAILCOW_KEY"])
        return mailcow.Options.model_validate({"url": LIVE, "tls_fingerprint": fingerprint, "key": key})

    @pytest.fixture
    def wrong_options(self, options: mailcow.Options) -> mailcow.Options:
        return options.model_copy(update={"key": SecretStr("wrong")})


@pytest.fixture
def writer(server: Mailcow) -> Iterator[PanelWriter]:
    assert mailcow.ADAPTER.writer is not None
    session = mailcow.ADAPTER.writer(options_for(server), panel("mailcow"))
    yield session
    session.close()


@pytest.fixture
def reader(server: Mailcow) -> Iterator[PanelReader]:
    session = mailcow.ADAPTER.reader(options_for(server), panel("mailcow"))
    yield session
    session.close()


@pytest.fixture
def example(server: Mailcow) -> str:
    server.domain("example.com", quota=1024 * 100, maxquota=1024 * 100, mailboxes=100)
    return "example.com"


# -- the key --------------------------------------------------------------------------------------------------------------


def key_expires(server: Mailcow) -> None:
    server.key_expired = True


def address_is_not_allowed(server: Mailcow) -> None:
    server.address_allowed = False


def login_page(server: Mailcow) -> None:
    server.mishaps.append(Mishap("html"))


def redirect(server: Mailcow) -> None:
    server.mishaps.append(Mishap("redirect"))


@pytest.mark.parametrize("trouble", [key_expires, address_is_not_allowed, login_page, redirect])
def test_a_refused_key_is_told_in_whatever_dress_and_tried_once(
    server: Mailcow, reader: PanelReader, trouble: Callable[[Mailcow], None]
) -> None:
    trouble(server)
    with pytest.raises(EndpointRefused) as refused:
        reader.domains()
    assert refused.value.remedy
    assert KEY not in refused.value.sentence()
    assert len(server.requests) == 1


def test_an_address_that_is_not_allowed_is_told_as_the_panel_says_it(server: Mailcow, reader: PanelReader) -> None:
    server.address_allowed = False
    with pytest.raises(EndpointRefused, match="not allowed for ip"):
        reader.probe()


def test_a_read_only_key_reads_and_ends_a_writing_run(server: Mailcow, example: str) -> None:
    assert mailcow.ADAPTER.writer is not None
    session = mailcow.ADAPTER.writer(options_for(server, key=SecretStr(READ_ONLY_KEY)), panel("mailcow"))
    assert [one.name for one in session.domains()] == [example]
    with pytest.raises(EndpointRefused, match="read/write access denied") as refused:
        session.create(Mailbox("ann@example.com"), PASSWORD)
    assert "read-write" in refused.value.remedy
    session.close()


# -- answers that are none ------------------------------------------------------------------------------------------------


def test_200_with_a_danger_in_it_is_a_refusal(writer: PanelWriter, example: str) -> None:
    writer.create(Mailbox("ann@example.com"), PASSWORD)
    with pytest.raises(Refused, match="object_exists"):
        writer.create(Mailbox("ann@example.com"), PASSWORD)


def test_a_danger_beside_a_success_is_a_refusal_that_says_so(
    server: Mailcow, writer: PanelWriter, example: str
) -> None:
    to = (Destination("bad@localhost"), Destination("good@example.net"))
    with pytest.raises(Refused, match="a part of it may have been made"):
        writer.create(Forwarder("fwd@example.com", to))
    assert [one.goto for one in server.aliases.values()] == ["good@example.net"]


def test_task_completed_is_no_success(
    server: Mailcow, writer: PanelWriter, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_add_alias", lambda _asked, _said: None)
    with pytest.raises(Refused, match="did nothing"):
        writer.create(Forwarder("fwd@example.com", (Destination("x@example.net"),)))


def test_an_alias_to_itself_is_refused_before_it_is_passed_over(
    server: Mailcow, writer: PanelWriter, example: str
) -> None:
    to = (Destination("Fwd@example.com"), Destination("x@example.net"))
    with pytest.raises(Refused, match="Sieve"):
        writer.create(Forwarder("fwd@example.com", to))
    assert not server.written


@pytest.mark.parametrize("body", ['[{"type":"success"', "[]", "[1]", '"done"', '{"version":"2026"}'])
def test_an_answer_that_does_not_say_what_became_of_it_is_misbehaviour(
    server: Mailcow, writer: PanelWriter, example: str, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(server, "answer", lambda _: Answer(body.encode()))
    with pytest.raises(Misbehaved):
        writer.create(Mailbox("ann@example.com"), PASSWORD)


def test_a_failure_in_plain_words_is_carried(
    server: Mailcow, writer: PanelWriter, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"type":"danger","msg":"mailbox_invalid"}'  # not even in a list
    monkeypatch.setattr(server, "answer", lambda _: Answer(body))
    with pytest.raises(Refused, match="mailbox_invalid"):
        writer.create(Mailbox("ann@example.com"), PASSWORD)


def test_an_empty_answer_to_a_question_is_a_fault_not_an_empty_list(
    server: Mailcow, reader: PanelReader, example: str
) -> None:
    server.mishaps.append(Mishap("blank"))
    with pytest.raises(Misbehaved, match="without a word"):
        reader.list(Mailbox, "example.com")


def test_an_empty_answer_to_a_write_has_an_unknown_outcome(server: Mailcow, writer: PanelWriter, example: str) -> None:
    server.mishaps.append(Mishap("blank", "add/mailbox"))
    with pytest.raises(Dropped):
        writer.create(Mailbox("ann@example.com"), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, "example.com")] == ["ann@example.com"]


def test_a_lost_answer_has_an_unknown_outcome(server: Mailcow, writer: PanelWriter, example: str) -> None:
    server.mishaps.append(Mishap("lost", "add/mailbox"))
    with pytest.raises(Dropped):
        writer.create(Mailbox("ann@example.com"), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, "example.com")] == ["ann@example.com"]


def test_500_after_success_is_a_failure_that_leaves_the_mailbox_findable(
    server: Mailcow, writer: PanelWriter, example: str
) -> None:
    server.mishaps.append(Mishap("500", "add/mailbox"))
    with pytest.raises(Unavailable):
        writer.create(Mailbox("ann@example.com"), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, "example.com")] == ["ann@example.com"]


def test_half_an_answer_is_misbehaviour(server: Mailcow, reader: PanelReader, example: str) -> None:
    server.mishaps.append(Mishap("garbled"))
    with pytest.raises(Misbehaved):
        reader.domains()


def test_a_busy_panel_asks_for_a_pause(server: Mailcow, reader: PanelReader) -> None:
    server.mishaps.append(Mishap("busy"))
    with pytest.raises(Unavailable) as busy:
        reader.domains()
    assert busy.value.wait == timedelta(seconds=1)


def test_a_route_an_old_version_lacks_is_misbehaviour(
    server: Mailcow, reader: PanelReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "answer", lambda _: Answer(b'{"type":"error","msg":"route not found"}', 404))
    with pytest.raises(Misbehaved, match="route not found"):
        reader.domains()


def test_a_failure_where_a_list_was_asked_for_is_no_empty_list(
    server: Mailcow, reader: PanelReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "answer", lambda _: Answer(b'{"type":"danger","msg":"access_denied"}'))
    with pytest.raises(Refused, match="access_denied"):
        reader.domains()


# -- reading --------------------------------------------------------------------------------------------------------------


def test_nothing_is_an_empty_object(reader: PanelReader, example: str) -> None:
    for noun in mailcow.FEATURES.lists - {Domain}:
        assert not reader.list(noun, example)


@pytest.mark.parametrize("noun", [Mailbox, Forwarder, CatchAll])
def test_a_domain_that_is_not_there_is_not_an_empty_one(reader: PanelReader, noun: type[Mailbox]) -> None:
    with pytest.raises(NotFound):
        reader.list(noun, "d9.example.com")


@pytest.mark.parametrize("spelling", ["numbers", "words", "ticks"])
def test_numbers_are_read_in_every_spelling(server: Mailcow, reader: PanelReader, example: str, spelling: str) -> None:
    server.spelling = spelling  # type: ignore[assignment]
    server.domain("example.net", active=0, backupmx=1)
    server.mailbox("ann@example.com", quota=GB, used=4711, name="Ann")
    server.mailbox("bob@example.com", quota=0, active=2)
    server.mailbox("eve@example.com", quota=0, active=0)
    server.alias("off@example.com", "ann@example.com", active=0)
    server.alias("info@example.com", "ann@example.com")
    assert reader.domains() == [
        Domain("example.com", Routing.LOCAL),
        Domain("example.net", Routing.BACKUP, suspended=True),
    ]
    assert reader.list(Mailbox, "example.com") == [
        Mailbox("ann@example.com", quota=GB, used=4711, name="Ann"),
        Mailbox("bob@example.com", used=0, holds=frozenset({Hold.LOGIN})),
        Mailbox("eve@example.com", used=0, holds=frozenset({Hold.LOGIN, Hold.RECEIVE})),
    ]
    assert reader.list(Forwarder, "example.com") == [Forwarder("info@example.com", (Destination("ann@example.com"),))]


def test_a_state_nobody_knows_is_told(server: Mailcow, reader: PanelReader, example: str) -> None:
    server.mailbox("ann@example.com", active=7)
    with pytest.raises(Misbehaved, match=r"ann@example\.com"):
        reader.list(Mailbox, "example.com")


def test_a_number_that_is_none_is_told(server: Mailcow, reader: PanelReader, example: str) -> None:
    server.mailbox("ann@example.com", active="maybe")
    with pytest.raises(Misbehaved, match="maybe"):
        reader.list(Mailbox, "example.com")


def test_special_destinations_are_classified(server: Mailcow, reader: PanelReader, example: str) -> None:
    server.alias("null@example.com", "null@localhost")
    server.alias("spam@example.com", "spam@localhost")
    server.alias("self@example.com", "self@example.com")
    server.alias("kept@example.com", "kept@example.com,x@example.net")
    server.alias("two@example.com", "zoe@example.net,adam@example.net")
    assert reader.list(Forwarder, "example.com") == [
        Forwarder("null@example.com", (Destination("", Way.DISCARD),)),
        Forwarder("spam@example.com", (Destination("spam", Way.SYSTEM),)),
        Forwarder("kept@example.com", (Destination("x@example.net"),), keeps_copy=True),
        Forwarder("two@example.com", (Destination("adam@example.net"), Destination("zoe@example.net"))),
    ]


def test_a_catch_all_is_no_forwarder(server: Mailcow, reader: PanelReader, example: str) -> None:
    server.alias("@example.com", "ann@example.com")
    server.alias("@example.net", "bob@example.com")
    assert not reader.list(Forwarder, "example.com")
    assert reader.list(CatchAll, "example.com") == [CatchAll("example.com", Destination("ann@example.com"))]


def test_a_catch_all_to_several_is_told(server: Mailcow, reader: PanelReader, example: str) -> None:
    server.alias("@example.com", "ann@example.com,bob@example.com")
    with pytest.raises(Misbehaved, match="2 addresses"):
        reader.list(CatchAll, "example.com")


def test_alias_domains_are_told_from_both_ends(server: Mailcow, reader: PanelReader, example: str) -> None:
    server.alias_domain("example.net", "example.com")
    server.alias_domain("off.example.net", "example.com", active=0)
    wanted = [DomainForwarder("example.net", "example.com")]
    assert reader.list(DomainForwarder, "example.com") == wanted
    assert reader.list(DomainForwarder, "example.net") == wanted


@pytest.mark.parametrize("spelt", ["españa.example", "xn--espaa-rta.example"])
def test_an_idn_is_read_in_either_form(server: Mailcow, reader: PanelReader, spelt: str) -> None:
    server.domain("xn--espaa-rta.example")
    server.alias(f"info@{spelt}", f"ann@{spelt}")
    (there,) = reader.list(Forwarder, "xn--espaa-rta.example")
    assert there == Forwarder("info@xn--espaa-rta.example", (Destination("ann@xn--espaa-rta.example"),))


# -- writing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hashed", ["{SHA512-CRYPT}$6$salt$hash", "{BLF-CRYPT}$2y$05$hash", "{ARGON2ID}$argon2id$v=19$hash"]
)
def test_a_hash_is_stored_verbatim(server: Mailcow, writer: PanelWriter, example: str, hashed: str) -> None:
    writer.create(Mailbox("ann@example.com"), Password(hash=SecretStr(hashed)))
    assert server.mailboxes["ann@example.com"].stored == hashed


def test_a_password_that_looks_like_a_hash_is_refused(server: Mailcow, writer: PanelWriter, example: str) -> None:
    for plain in ("{PLAIN}secret-1", "{SHA512-CRYPT}really", "with\nbreak-1", "with\x00nul-1"):
        with pytest.raises(Refused) as refused:
            writer.create(Mailbox("ann@example.com"), Password(plain=SecretStr(plain)))
        assert plain not in refused.value.sentence()
    assert not server.written


def test_a_hash_nobody_knows_is_refused_before_it_is_sent(server: Mailcow, writer: PanelWriter, example: str) -> None:
    with pytest.raises(Refused, match="CRAM-MD5"):
        writer.create(Mailbox("ann@example.com"), Password(hash=SecretStr("{CRAM-MD5}abc")))
    with pytest.raises(Refused, match="no password"):
        writer.create(Mailbox("ann@example.com"))
    assert not server.written


def test_a_password_is_set_and_nothing_else(server: Mailcow, writer: PanelWriter, example: str) -> None:
    assert isinstance(writer, SetsPasswords)
    writer.create(Mailbox("ann@example.com", quota=GB, name="Ann", holds=frozenset({Hold.LOGIN})), PASSWORD)
    before = replace(server.mailboxes["ann@example.com"])
    writer.set_password("ann@example.com", Password(hash=SecretStr("{SHA512-CRYPT}$6$a$b")))
    assert server.mailboxes["ann@example.com"] == replace(before, stored="{SHA512-CRYPT}$6$a$b")


def test_a_quota_is_rounded_up_and_never_to_unlimited(writer: PanelWriter, example: str) -> None:
    writer.create(Mailbox("ann@example.com", quota=1), PASSWORD)
    writer.create(Mailbox("bob@example.com", quota=GB + 1), PASSWORD)
    assert [one.quota for one in writer.list(Mailbox, "example.com")] == [MB, GB + MB]


@pytest.mark.parametrize(
    ("holds", "wanted"),
    [
        ({Hold.LOGIN}, {Hold.LOGIN}),
        ({Hold.RECEIVE}, {Hold.LOGIN, Hold.RECEIVE}),
        ({Hold.LOGIN, Hold.RECEIVE, Hold.SEND}, {Hold.LOGIN, Hold.RECEIVE}),
        ({Hold.SEND}, set()),
    ],
)
def test_suspensions_become_one_of_three_states(
    writer: PanelWriter, example: str, holds: set[Hold], wanted: set[Hold]
) -> None:
    writer.create(Mailbox("ann@example.com", holds=frozenset(holds)), PASSWORD)
    (there,) = writer.list(Mailbox, "example.com")
    assert there.holds == wanted
    writer.change(replace(there, holds=frozenset()), there)
    (there,) = writer.list(Mailbox, "example.com")
    assert not there.holds


@pytest.mark.parametrize("full", ["mailbox", "domain", "number"])
def test_a_domain_without_room_refuses_what_does_not_fit_and_no_more(
    server: Mailcow, writer: PanelWriter, full: str
) -> None:
    limits = {"mailbox": {"maxquota": 1024}, "domain": {"quota": 2048}, "number": {"mailboxes": 1}}[full]
    server.domain("example.com", **limits)
    writer.create(Mailbox("ann@example.com", quota=GB), PASSWORD)
    with pytest.raises(Refused, match="limits") as refused:
        writer.create(Mailbox("bob@example.com", quota=2 * GB), PASSWORD)
    assert "Raise" in refused.value.remedy


def test_a_new_domain_gets_the_room_the_plan_says(server: Mailcow) -> None:
    assert mailcow.ADAPTER.writer is not None
    session = mailcow.ADAPTER.writer(options_for(server, domain_quota="2GB", domain_mailboxes=7), panel("mailcow"))
    session.create(Domain("example.com", Routing.BACKUP, suspended=True))
    session.close()
    made = server.domains["example.com"]
    assert (made.quota, made.maxquota, made.mailboxes, made.active, made.backupmx) == (1908, 1908, 7, 0, 1)


@pytest.mark.parametrize("address", ["a;b@example.com", "a b@example.com", "a,b@example.com"])
def test_an_address_mailcow_would_cut_in_two_is_refused(
    server: Mailcow, writer: PanelWriter, example: str, address: str
) -> None:
    with pytest.raises(Refused):
        writer.create(Mailbox(address), PASSWORD)
    with pytest.raises(Refused):
        writer.create(Forwarder(address, (Destination("x@example.net"),)))
    with pytest.raises(Refused):
        writer.create(Forwarder("fwd@example.com", (Destination(address),)))
    assert not server.written


def test_a_made_alias_is_on(server: Mailcow, writer: PanelWriter, example: str) -> None:
    writer.create(Forwarder("fwd@example.com", (Destination("x@example.net"),)))
    assert [one.active for one in server.aliases.values()] == [1]


def test_a_forwarder_of_a_mailbox_is_refused_with_what_to_do(
    server: Mailcow, writer: PanelWriter, example: str
) -> None:
    server.mailbox("ann@example.com")
    with pytest.raises(Refused, match="Sieve"):
        writer.create(Forwarder("ann@example.com", (Destination("x@example.net"),), keeps_copy=True))
    with pytest.raises(Refused, match="is_alias_or_mailbox"):
        writer.create(Forwarder("ann@example.com", (Destination("x@example.net"),)))
    assert not server.aliases


def test_a_mailbox_never_overwrites_an_alias(server: Mailcow, writer: PanelWriter, example: str) -> None:
    server.alias("info@example.com", "x@example.net")
    with pytest.raises(Refused, match="is there already"):
        writer.create(Mailbox("info@example.com"), PASSWORD)


def test_a_catch_all_can_throw_away(writer: PanelWriter, example: str) -> None:
    wanted = CatchAll("example.com", Destination("", Way.DISCARD))
    writer.create(wanted)
    assert writer.list(CatchAll, "example.com") == [wanted]


def test_forwarders_and_catch_alls_are_changed_in_place(server: Mailcow, writer: PanelWriter, example: str) -> None:
    first, all_ = (
        Forwarder("fwd@example.com", (Destination("x@example.net"),)),
        CatchAll(example, Destination("a@example.net")),
    )
    writer.create(first)
    writer.create(all_)
    writer.change(replace(first, destinations=(Destination("y@example.net"),)), first)
    writer.change(replace(all_, destination=Destination("", Way.DISCARD)), all_)
    assert [(one.address, one.goto) for one in server.aliases.values()] == [
        ("fwd@example.com", "y@example.net"),
        ("@example.com", "null@localhost"),
    ]


def test_changing_what_is_gone_is_not_found(writer: PanelWriter, example: str) -> None:
    gone = Forwarder("fwd@example.com", (Destination("x@example.net"),))
    with pytest.raises(NotFound):
        writer.change(gone, gone)


@pytest.mark.parametrize("thing", [Mailbox("ann@d9.example.com"), DomainForwarder("example.net", "d9.example.com")])
def test_without_its_domain_a_thing_cannot_be_made(writer: PanelWriter, thing: Mailbox | DomainForwarder) -> None:
    with pytest.raises(NotFound):
        writer.create(thing, PASSWORD if isinstance(thing, Mailbox) else None)


def test_an_alias_domain_is_not_overwritten(server: Mailcow, writer: PanelWriter, example: str) -> None:
    server.alias_domain("example.net", "example.com")
    server.domain("other.example.com")
    with pytest.raises(Refused):
        writer.create(DomainForwarder("example.net", "other.example.com"))
    assert server.alias_domains["example.net"] == ("example.com", 1)


def test_things_mailcow_does_not_have_are_refused_with_what_to_do(writer: PanelWriter, example: str) -> None:
    answer = Autoresponder("ann@example.com", "Hola.")
    with pytest.raises(Refused) as refused:
        writer.create(answer)
    assert refused.value.remedy
    with pytest.raises(Refused) as refused:
        writer.change(answer, answer)
    assert refused.value.remedy


def test_a_plus_arrives_as_a_plus(server: Mailcow, writer: PanelWriter, example: str) -> None:
    writer.create(Mailbox("ann+list@example.com"), Password(plain=SecretStr("a+b %2B&c=d")))
    assert server.mailboxes["ann+list@example.com"].stored.endswith("a+b %2B&c=d")


def test_a_reader_writes_nothing_and_no_secret_is_in_a_url(server: Mailcow, reader: PanelReader, example: str) -> None:
    reader.probe()
    reader.domains()
    for noun in reader.features.lists:
        reader.list(noun, example)
    assert not server.written
    assert not [one for one in server.requests if one.query or KEY in one.path]
