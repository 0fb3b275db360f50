"""The Plesk adapter against the emulator.

Against a living server instead: MIGRATOR_LIVE_PLESK=https://host:8443, and either MIGRATOR_LIVE_PLESK_KEY, or
MIGRATOR_LIVE_PLESK_USER and MIGRATOR_LIVE_PLESK_PASSWORD; MIGRATOR_LIVE_PLESK_FINGERPRINT where its certificate is self-signed.
The suite creates domains below example.com there. Tests of one trap always use the emulator.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr, ValidationError

from migrator.errors import Dropped, EndpointRefused, Misbehaved, NotFound, Refused, Unavailable
from migrator.panel.adapters import plesk
from migrator.panel.contract import MakesLists, PanelReader, PanelWriter, ReadsLists, SetsPasswords
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Forwarder,
    Hold,
    How,
    ListName,
    Mailbox,
    Password,
    Way,
)
from migrator.testing.panel_suite import PASSWORD, PanelContract, panel
from migrator.testing.panels import plesk as emulator
from migrator.testing.panels.plesk import AGENT, KEY, USER, Plesk
from migrator.testing.panels.plesk import PASSWORD as ADMIN
from migrator.testing.panels.plesk import Site as Website
from migrator.testing.panels.server import Answer, Mishap
from migrator.wire.http import Site

GB = 1024**3
LIVE = os.environ.get("MIGRATOR_LIVE_PLESK", "")


def options_for(server: Plesk, **more: object) -> plesk.Options:
    login: dict[str, object] = {"key": SecretStr(KEY)} if "user" not in more else {}
    return plesk.Options.model_validate({"url": server.url, "tls_fingerprint": server.fingerprint, **login, **more})


@pytest.fixture
def server() -> Iterator[Plesk]:
    with Plesk() as running:
        yield running


class TestPlesk(PanelContract):
    adapter = plesk.ADAPTER
    features = plesk.FEATURES

    @pytest.fixture
    def options(self, server: Plesk) -> plesk.Options:
        if not LIVE:
            return options_for(server)
        told = {
            word: os.environ[f"MIGRATOR_LIVE_PLESK_{word.upper()}"]
            for word in ("key", "user", "password")
            if f"MIGRATOR_LIVE_PLESK_{word.upper()}" in os.environ
        }
        fingerprint = os.environ.get("MIGRATOR_LIVE_PLESK_FINGERPRINT")
        return plesk.Options.model_validate({"url": LIVE, "tls_fingerprint": fingerprint, **told})

    @pytest.fixture
    def wrong_options(self, options: plesk.Options) -> plesk.Options:
        return options.model_copy(update={"key": SecretStr("wrong"), "user": None, "password": None})


class TestPleskForWindows(TestPlesk):
    """The same promises, with what is left of the features."""

    features = plesk.on_windows(plesk.FEATURES)

    @pytest.fixture
    def options(self, server: Plesk) -> plesk.Options:
        if LIVE:
            pytest.skip("the living server is tested as it is")
        server.platform = "Windows"
        return options_for(server)


@pytest.fixture
def writer(server: Plesk) -> Iterator[PanelWriter]:
    assert plesk.ADAPTER.writer is not None
    session = plesk.ADAPTER.writer(options_for(server), panel("plesk"))
    yield session
    session.close()


@pytest.fixture
def reader(server: Plesk) -> Iterator[PanelReader]:
    session = plesk.ADAPTER.reader(options_for(server), panel("plesk"))
    yield session
    session.close()


@pytest.fixture
def site(server: Plesk) -> Website:
    return server.domain("example.com")


# -- logging in -----------------------------------------------------------------------------------------------------------


def test_options_want_exactly_one_login() -> None:
    url = "https://old.example.net:8443"
    for login in ({}, {"key": "k", "user": "admin", "password": "p"}, {"user": "admin"}, {"password": "p"}):
        with pytest.raises(ValidationError):
            plesk.Options.model_validate({"url": url, **login})


def test_a_user_and_password_log_in_at_both_doors(server: Plesk) -> None:
    session = plesk.ADAPTER.reader(options_for(server, user=USER, password=SecretStr(ADMIN)), panel("plesk"))
    server.domain("example.com")
    assert session.probe().version == "18.0.74"
    assert [one.name for one in session.domains()] == ["example.com"]
    assert server.attempts == 0


def key_expires(server: Plesk) -> None:
    server.key_expired = True


def address_is_not_allowed(server: Plesk) -> None:
    server.address_allowed = False


def login_page(server: Plesk) -> None:
    server.mishaps.append(Mishap("html"))


def redirect(server: Plesk) -> None:
    server.mishaps.append(Mishap("redirect"))


@pytest.mark.parametrize("trouble", [key_expires, address_is_not_allowed, login_page, redirect])
@pytest.mark.parametrize("ask", [lambda one: one.probe(), lambda one: one.domains(), lambda one: one.features])
def test_a_refused_login_is_told_in_whatever_dress_and_tried_once(
    server: Plesk, reader: PanelReader, trouble: Callable[[Plesk], None], ask: Callable[[PanelReader], object]
) -> None:
    trouble(server)
    with pytest.raises(EndpointRefused) as refused:
        ask(reader)
    assert refused.value.remedy
    assert KEY not in refused.value.sentence()
    assert len(server.requests) == 1


def test_a_login_without_a_right_to_the_command_line_is_not_refused(server: Plesk, reader: PanelReader) -> None:
    server.gateway = "closed"
    assert ListName not in reader.features.lists
    assert server.attempts == 0


# -- answers that are none ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", ["<!DOCTYPE packet [<!ENTITY a 'aaaa'>]><packet>&a;</packet>", "<!entity x>", "<packet>", ""]
)
def test_an_answer_with_a_document_type_or_broken_xml_is_misbehaviour(
    server: Plesk, reader: PanelReader, site: Website, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(server, "answer", lambda _: Answer(body.encode(), kind="text/xml"))
    with pytest.raises(Misbehaved):
        reader.list(Mailbox, site.name)


def test_an_answer_in_another_encoding_hides_no_document_type(
    server: Plesk, reader: PanelReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE packet><packet/>".encode("utf-16")
    monkeypatch.setattr(server, "answer", lambda _: Answer(hidden, kind="text/xml"))
    with pytest.raises(Misbehaved):
        reader.list(Mailbox, "example.com")


@pytest.mark.parametrize("what", ["garbled", "blank"])
def test_half_an_answer_is_misbehaviour(server: Plesk, writer: PanelWriter, site: Website, what: str) -> None:
    writer.list(Mailbox, site.name)
    server.mishaps.append(Mishap(what, "<create>"))  # type: ignore[arg-type]
    with pytest.raises(Misbehaved):
        writer.create(Mailbox("ann@example.com"), PASSWORD)


def test_nodes_in_a_wrong_order_are_refused_by_the_panel(server: Plesk, site: Website) -> None:
    wrong = "<password><value>x</value></password><name>ann</name>"
    packet = f"<packet><mail><create><filter><site-id>1</site-id><mailname>{wrong}</mailname></filter></create></mail></packet>"
    door = Site(options_for(server), writes=True, headers={"KEY": KEY})
    told = door.write("POST", AGENT, content=packet.encode(), headers={"Content-Type": "text/xml"})
    door.close()
    assert "<errcode>1014</errcode>" in told.text
    assert not site.accounts


def test_a_request_the_panel_cannot_parse_is_our_fault_not_the_things(
    server: Plesk, writer: PanelWriter, site: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(emulator._ORDER, "mailname", "name ")
    with pytest.raises(Misbehaved, match="1014"):
        writer.create(Mailbox("ann@example.com"), PASSWORD)


def test_500_after_success_is_a_failure_that_leaves_the_mailbox_findable(
    server: Plesk, writer: PanelWriter, site: Website
) -> None:
    server.mishaps.append(Mishap("500", "<create>"))
    with pytest.raises(Unavailable):
        writer.create(Mailbox("ann@example.com"), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, "example.com")] == ["ann@example.com"]


def test_a_lost_answer_has_an_unknown_outcome(server: Plesk, writer: PanelWriter, site: Website) -> None:
    server.mishaps.append(Mishap("lost", "<create>"))
    with pytest.raises(Dropped):
        writer.create(Mailbox("ann@example.com"), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, "example.com")] == ["ann@example.com"]


def test_a_busy_panel_asks_for_a_pause(server: Plesk, reader: PanelReader) -> None:
    server.mishaps.append(Mishap("busy"))
    with pytest.raises(Unavailable) as busy:
        reader.domains()
    assert busy.value.wait == timedelta(seconds=1)


# -- reading --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one_result", [True, False])
def test_accounts_are_read_from_one_result_or_many(
    server: Plesk, reader: PanelReader, site: Website, *, one_result: bool
) -> None:
    server.one_result = one_result
    server.account(site, "ann", mailbox=True, quota="1073741824", used="4711")
    server.account(site, "bob", mailbox=True, description="Bob")
    assert reader.list(Mailbox, "example.com") == [
        Mailbox("ann@example.com", quota=GB, used=4711),
        Mailbox("bob@example.com", used=0, name="Bob"),
    ]


@pytest.mark.parametrize("quota", ["-1", "0", ""])
def test_every_spelling_of_unlimited_is_none(server: Plesk, reader: PanelReader, site: Website, quota: str) -> None:
    server.account(site, "ann", mailbox=True, quota=quota)
    assert reader.list(Mailbox, "example.com")[0].quota is None


def test_a_quota_that_is_no_number_is_told_with_its_address(server: Plesk, reader: PanelReader, site: Website) -> None:
    server.account(site, "ann", mailbox=True, quota="lots")
    with pytest.raises(Misbehaved, match=r"ann@example\.com"):
        reader.list(Mailbox, "example.com")


def test_one_account_that_cannot_be_told_is_never_left_out(server: Plesk, reader: PanelReader, site: Website) -> None:
    server.account(site, "ann", mailbox=True)
    server.account(site, "bob", mailbox=True, broken=True)
    with pytest.raises(Misbehaved, match=r"bob@example\.com"):
        reader.list(Mailbox, "example.com")


def test_an_empty_domain_is_a_result_without_an_account(reader: PanelReader, site: Website) -> None:
    assert not reader.list(Mailbox, site.name)
    assert not reader.list(Forwarder, site.name)


def test_a_panel_without_a_domain_is_empty(reader: PanelReader) -> None:
    assert not reader.domains()


def test_a_mail_name_is_mailbox_forwarder_and_aliases_in_one(server: Plesk, reader: PanelReader, site: Website) -> None:
    server.account(
        site, "ann", mailbox=True, forwards=True, addresses=["zoe@example.net", "a@example.net"], aliases=["info"]
    )
    server.account(site, "sales", forwards=True, addresses=["ann@example.com"])
    server.account(site, "was", mailbox=True, forwards=False, addresses=["x@example.net"])
    server.account(site, "dead")
    assert [one.address for one in reader.list(Mailbox, "example.com")] == ["ann@example.com", "was@example.com"]
    assert reader.list(Forwarder, "example.com") == [
        Forwarder("ann@example.com", (Destination("a@example.net"), Destination("zoe@example.net")), keeps_copy=True),
        Forwarder("info@example.com", (Destination("ann@example.com"),)),
        Forwarder("sales@example.com", (Destination("ann@example.com"),)),
    ]


def test_forwarding_to_nobody_is_told(server: Plesk, reader: PanelReader, site: Website) -> None:
    server.account(site, "ann", mailbox=True, forwards=True)
    with pytest.raises(Misbehaved, match=r"ann@example\.com"):
        reader.list(Forwarder, "example.com")


@pytest.mark.parametrize(
    "unknown", [("bounce", "this address no longer accepts mail"), ("bounce", "gone"), ("reject", "")]
)
def test_refusing_unknown_users_is_no_catch_all(reader: PanelReader, site: Website, unknown: tuple[str, str]) -> None:
    site.unknown = unknown
    assert not reader.list(CatchAll, "example.com")


def test_a_catch_all_that_is_not_one_address_is_told(reader: PanelReader, site: Website) -> None:
    site.unknown = ("forward", "a@example.com,b@example.com")
    with pytest.raises(Misbehaved):
        reader.list(CatchAll, "example.com")


def test_an_autoresponder_that_is_off_answers_nothing(server: Plesk, reader: PanelReader, site: Website) -> None:
    server.account(site, "ann", answer={"enabled": "false", "subject": "Fuera", "text": "Vuelvo."})
    assert not reader.list(Autoresponder, "example.com")


def test_an_autoresponder_is_read_with_its_end(server: Plesk, reader: PanelReader, site: Website) -> None:
    told = {
        "enabled": "true",
        "subject": "Fuera",
        "content_type": "text/html",
        "text": "<p>Hola</p>\n",
        "end_date": "2026-12-24",
    }
    server.account(site, "ann", answer=told)
    stop = datetime(2026, 12, 24, tzinfo=UTC)
    wanted = Autoresponder("ann@example.com", "<p>Hola</p>", subject="Fuera", is_html=True, stop=stop)
    assert reader.list(Autoresponder, "example.com") == [wanted]


@pytest.mark.parametrize("knows", ["unicode", "ascii", "both"])
def test_an_idn_is_found_in_whichever_form_the_panel_knows(server: Plesk, reader: PanelReader, knows: str) -> None:
    server.filter_knows = knows  # type: ignore[assignment]
    site = server.domain("españa.example")
    server.account(site, "ann", mailbox=True, forwards=True, addresses=["bob@españa.example"])
    assert [one.name for one in reader.domains()] == ["xn--espaa-rta.example"]
    (there,) = plesk.ADAPTER.reader(options_for(server), panel("plesk")).list(Forwarder, "xn--espaa-rta.example")
    assert there.address == "ann@xn--espaa-rta.example"
    assert there.destinations == (Destination("bob@xn--espaa-rta.example"),)


def test_an_idn_is_created_once_in_either_form(server: Plesk, writer: PanelWriter) -> None:
    writer.create(Domain("xn--espaa-rta.example"))
    assert [one.name for one in server.sites.values()] == ["españa.example"]
    with pytest.raises(Refused):
        writer.create(Domain("xn--espaa-rta.example"))


def test_a_suspended_domain_is_told(server: Plesk, reader: PanelReader, site: Website) -> None:
    server.domain("d1.example.com", status="16")
    assert {one.name: one.suspended for one in reader.domains()} == {"example.com": False, "d1.example.com": True}


def test_a_domain_that_is_not_there_is_not_found(reader: PanelReader) -> None:
    with pytest.raises(NotFound):
        reader.list(Mailbox, "d9.example.com")


@pytest.mark.parametrize("tells", [True, False])
def test_a_domain_alias_that_takes_mail_is_a_domain_forwarder(
    server: Plesk, reader: PanelReader, *, tells: bool
) -> None:
    server.tells_aliases = tells
    server.domain("example.com", aliases=[("example.net", True), ("d1.example.com", False)])
    wanted = [DomainForwarder("example.net", "example.com")] if tells else []
    assert reader.list(DomainForwarder, "example.com") == wanted
    assert reader.list(DomainForwarder, "example.net") == wanted


def test_lists_are_named_by_the_gateway_though_nothing_is_written(
    server: Plesk, reader: PanelReader, site: Website
) -> None:
    site.lists = ["friends", "news@example.com"]
    assert [one.address for one in reader.list(ListName, "example.com")] == ["friends@example.com", "news@example.com"]
    assert not server.written


def test_200_from_the_gateway_is_no_success(
    server: Plesk, reader: PanelReader, site: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_maillist", lambda _: {"code": 1, "stdout": "", "stderr": "Mailman is not there"})
    with pytest.raises(Refused, match="Mailman is not there"):
        reader.list(ListName, "example.com")


def test_a_line_of_the_gateway_that_names_no_list_is_told(reader: PanelReader, site: Website) -> None:
    site.lists = ["Mailing lists: 2"]
    with pytest.raises(Misbehaved):
        reader.list(ListName, "example.com")


def test_without_the_gateways_utility_lists_are_no_feature(server: Plesk, reader: PanelReader, site: Website) -> None:
    server.gateway = "no lists"
    assert ListName not in reader.features.lists
    assert any("mailing lists" in note for note in reader.probe().notes)


# -- writing --------------------------------------------------------------------------------------------------------------


def test_a_hash_arrives_as_crypt_and_without_its_scheme(server: Plesk, writer: PanelWriter, site: Website) -> None:
    hashed = SecretStr("{MD5-CRYPT}$1$salt$WIYGpWq9ULMuwuPS3xDTr0")
    writer.create(Mailbox("ann@example.com"), Password(hash=hashed))
    account = site.accounts["ann"]
    assert (account.password, account.password_type) == ("$1$salt$WIYGpWq9ULMuwuPS3xDTr0", "crypt")


def test_a_hash_of_another_scheme_is_refused_before_anything_is_sent(
    server: Plesk, writer: PanelWriter, site: Website
) -> None:
    with pytest.raises(Refused, match="BLF-CRYPT"):
        writer.create(Mailbox("ann@example.com"), Password(hash=SecretStr("{BLF-CRYPT}$2y$05$abc")))
    assert not server.written


@pytest.mark.parametrize(
    "plain", [" blank-in-front", "blank-behind ", "with\nbreak-1", "with\x00nul-123", "with\ttab-1234"]
)
def test_a_password_the_panel_might_garble_is_never_sent(
    server: Plesk, writer: PanelWriter, site: Website, plain: str
) -> None:
    with pytest.raises(Refused):
        writer.create(Mailbox("ann@example.com"), Password(plain=SecretStr(plain)))
    assert not server.written


def test_a_password_with_markup_arrives_whole(writer: PanelWriter, site: Website) -> None:
    plain = "<&>\"'+%ñ-Zq7"
    writer.create(Mailbox("ann@example.com"), Password(plain=SecretStr(plain)))
    assert site.accounts["ann"].password == plain


def test_a_password_repeated_by_the_panel_is_not_told(writer: PanelWriter, site: Website) -> None:
    with pytest.raises(Refused, match="not complex enough") as refused:
        writer.create(Mailbox("ann@example.com"), Password(plain=SecretStr("s3cr3t!")))
    assert "s3cr3t!" not in refused.value.sentence()


def test_a_password_is_set_and_nothing_else(writer: PanelWriter, site: Website) -> None:
    assert isinstance(writer, SetsPasswords)
    writer.create(Mailbox("ann@example.com", quota=GB, name="Ann"), PASSWORD)
    writer.create(Forwarder("ann@example.com", (Destination("x@example.net"),), keeps_copy=True))
    before = replace(site.accounts["ann"])
    writer.set_password("ann@example.com", Password(plain=SecretStr("another-Secret-1")))
    assert site.accounts["ann"] == replace(before, password="another-Secret-1")


def test_a_mailbox_gives_no_login_to_the_panel(writer: PanelWriter, site: Website) -> None:
    writer.create(Mailbox("ann@example.com"), PASSWORD)
    assert not site.accounts["ann"].panel_login


def test_a_mailbox_never_overwrites_a_forwarder_or_an_alias(server: Plesk, writer: PanelWriter, site: Website) -> None:
    server.account(site, "sales", forwards=True, addresses=["x@example.net"])
    server.account(site, "ann", mailbox=True, aliases=["info"])
    for name in ("sales", "info"):
        with pytest.raises(Refused):
            writer.create(Mailbox(f"{name}@example.com"), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, "example.com")] == ["ann@example.com"]


def test_a_quota_beyond_the_subscription_is_refused_in_the_panels_words(
    server: Plesk, writer: PanelWriter, site: Website
) -> None:
    server.largest_quota = GB
    with pytest.raises(Refused, match="exceeds the limit"):
        writer.create(Mailbox("ann@example.com", quota=2 * GB), PASSWORD)


def test_a_forwarder_beside_a_mailbox_without_a_copy_is_refused(
    server: Plesk, writer: PanelWriter, site: Website
) -> None:
    server.account(site, "ann", mailbox=True)
    with pytest.raises(Refused, match="copy"):
        writer.create(Forwarder("ann@example.com", (Destination("x@example.net"),)))
    assert site.accounts["ann"].mailbox
    assert not site.accounts["ann"].addresses


def test_a_copy_without_a_mailbox_is_refused(server: Plesk, writer: PanelWriter, site: Website) -> None:
    server.account(site, "dead")
    for name in ("dead", "nobody"):
        with pytest.raises(Refused, match="no mailbox"):
            writer.create(Forwarder(f"{name}@example.com", (Destination("x@example.net"),), keeps_copy=True))


def test_forwarding_switched_off_is_not_overwritten(server: Plesk, writer: PanelWriter, site: Website) -> None:
    server.account(site, "ann", mailbox=True, addresses=["old@example.net"])
    with pytest.raises(Refused, match="switched off"):
        writer.create(Forwarder("ann@example.com", (Destination("x@example.net"),), keeps_copy=True))
    assert site.accounts["ann"].addresses == ["old@example.net"]


def test_an_alias_is_made_of_a_forwarder_to_a_mailbox_of_the_domain(
    server: Plesk, writer: PanelWriter, site: Website
) -> None:
    server.account(site, "ann", mailbox=True)
    writer.create(Forwarder("info@example.com", (Destination("Ann@example.com"),)))
    assert site.accounts["ann"].aliases == ["info"]
    assert "info" not in site.accounts


def test_where_aliases_are_refused_it_is_told(server: Plesk, writer: PanelWriter, site: Website) -> None:
    server.platform, server.provider_refuses_aliases = "Windows", True
    server.account(site, "ann", mailbox=True)
    with pytest.raises(Refused, match="aliases are not supported"):
        writer.create(Forwarder("info@example.com", (Destination("ann@example.com"),)))


def test_forwarders_are_changed_but_for_aliases(server: Plesk, writer: PanelWriter, site: Website) -> None:
    first = Forwarder("sales@example.com", (Destination("x@example.net"),))
    writer.create(first)
    writer.change(replace(first, destinations=(Destination("y@example.net"),)), first)
    assert site.accounts["sales"].addresses == ["y@example.net"]
    server.account(site, "ann", mailbox=True, aliases=["info"])
    alias = Forwarder("info@example.com", (Destination("ann@example.com"),))
    with pytest.raises(Refused, match="alias"):
        writer.change(replace(alias, destinations=(Destination("x@example.net"),)), alias)
    with pytest.raises(Refused, match="copy"):
        writer.change(Forwarder("ann@example.com", (Destination("x@example.net"),)), alias)


def test_a_catch_all_that_throws_away_is_refused(writer: PanelWriter, site: Website) -> None:
    with pytest.raises(Refused):
        writer.create(CatchAll("example.com", Destination(way=Way.DISCARD)))
    assert site.unknown[0] == "bounce"


def test_a_catch_all_is_changed(writer: PanelWriter, site: Website) -> None:
    first = CatchAll("example.com", Destination("ann@example.com"))
    writer.create(first)
    writer.change(CatchAll("example.com", Destination("bob@example.com")), first)
    assert site.unknown == ("forward", "bob@example.com")


def test_an_autoresponder_without_a_mailbox_gets_a_mail_name(writer: PanelWriter, site: Website) -> None:
    stop = datetime(2026, 12, 24, 12, tzinfo=UTC)
    wanted = Autoresponder("info@example.com", "Hola.\nAdiós.", subject="Fuera", stop=stop)
    writer.create(wanted)
    assert not site.accounts["info"].mailbox
    assert writer.list(Autoresponder, "example.com") == [replace(wanted, stop=stop.replace(hour=0))]
    writer.change(replace(wanted, body="Otra."), wanted)
    assert site.accounts["info"].answer["text"] == "Otra."


def test_a_text_of_an_autoresponder_that_is_off_is_not_overwritten(
    server: Plesk, writer: PanelWriter, site: Website
) -> None:
    server.account(site, "ann", mailbox=True, answer={"enabled": "false", "text": "Mine."})
    with pytest.raises(Refused, match="switched off"):
        writer.create(Autoresponder("ann@example.com", "Other."))
    assert site.accounts["ann"].answer["text"] == "Mine."


def test_a_text_xml_cannot_carry_is_refused_before_it_is_sent(
    server: Plesk, writer: PanelWriter, site: Website
) -> None:
    server.account(site, "ann", mailbox=True)
    with pytest.raises(Refused, match="control character"):
        writer.create(Autoresponder("ann@example.com", "bell \x07"))
    assert not server.written


def test_things_plesk_does_not_have_are_refused_with_what_to_do(writer: PanelWriter, site: Website) -> None:
    with pytest.raises(Refused) as refused:
        writer.create(DomainForwarder("example.net", "example.com"))
    assert refused.value.remedy


def test_a_domain_is_made_in_the_plans_service_plan(server: Plesk) -> None:
    assert plesk.ADAPTER.writer is not None
    session = plesk.ADAPTER.writer(options_for(server, plan="Unlimited"), panel("plesk"))
    session.create(Domain("example.com"))
    assert [one.plan for one in server.sites.values()] == ["Unlimited"]
    session.create(Mailbox("ann@example.com"), PASSWORD)
    session.close()


def test_a_reader_writes_nothing_whatever_it_is_asked(server: Plesk, reader: PanelReader, site: Website) -> None:
    server.account(site, "ann", mailbox=True)
    reader.probe()
    for noun in reader.features.lists:
        reader.list(noun, "example.com")
    assert not server.written


def test_no_secret_travels_in_a_url(server: Plesk, writer: PanelWriter, site: Website) -> None:
    writer.probe()
    writer.create(Mailbox("ann@example.com"), PASSWORD)
    assert PASSWORD.plain
    for request in server.requests:
        assert not {KEY, PASSWORD.plain.get_secret_value()} & {request.path, request.query}
        assert request.query == ""


# -- Windows --------------------------------------------------------------------------------------------------------------


def test_on_windows_the_session_says_less(server: Plesk, writer: PanelWriter, site: Website) -> None:
    server.platform = "Windows"
    assert not writer.features.schemes
    assert writer.features.kept("mailbox.quota").how is How.CHANGED
    assert any("plain" in note for note in writer.probe().notes)
    with pytest.raises(Refused, match="Plesk for Windows takes no SHA512-CRYPT"):
        writer.create(Mailbox("ann@example.com"), Password(hash=SecretStr("{SHA512-CRYPT}$6$abc$def")))
    assert not server.written


def test_on_windows_a_quota_comes_back_rounded_up(server: Plesk, writer: PanelWriter, site: Website) -> None:
    server.platform = "Windows"
    writer.create(Mailbox("ann@example.com", quota=GB + 1), PASSWORD)
    assert writer.list(Mailbox, "example.com")[0].quota == GB + 1024**2


def test_a_suspended_mailbox_arrives_active_as_the_features_say(writer: PanelWriter, site: Website) -> None:
    writer.create(Mailbox("ann@example.com", holds=frozenset(Hold)), PASSWORD)
    assert not writer.list(Mailbox, "example.com")[0].holds
    assert writer.features.kept("mailbox.suspended login").how is How.LOST


# -- mailing lists, for the lists step ----------------------------------------------------------------------------------


def test_a_list_is_made_without_a_word_to_its_owner(server: Plesk, site: Website, writer: PanelWriter) -> None:
    assert isinstance(writer, MakesLists)
    writer.make_list("news@example.com", "owner@example.com", SecretStr("Qx7-list.Pass_1"))
    assert site.lists == ["news"]
    assert server.list_passwords == {"news": "Qx7-list.Pass_1"}
    assert server.mails == []
    with pytest.raises(Refused):
        writer.make_list("news@example.com", "", SecretStr("Qx7-list.Pass_2"))
    assert server.list_passwords == {"news": "Qx7-list.Pass_1"}


def test_the_members_of_a_list_are_told_by_address(server: Plesk, site: Website, reader: PanelReader) -> None:
    assert isinstance(reader, ReadsLists)
    site.lists.append("news")
    server.list_members["news"] = ["ann@example.com", "Bob@Example.org", "ann@example.com"]
    assert reader.members_of("news@example.com") == ["ann@example.com", "Bob@Example.org"]
    site.lists.append("empty")
    assert reader.members_of("empty@example.com") == []
    with pytest.raises(NotFound):
        reader.members_of("other@example.com")
