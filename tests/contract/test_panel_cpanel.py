"""cPanel against the promises of the panel room, asked directly and through WHM, and one test for each of its traps.

The promises can be tried on a living account: MIGRATOR_LIVE_CPANEL=https://host:2083 with MIGRATOR_LIVE_CPANEL_USER and either
MIGRATOR_LIVE_CPANEL_TOKEN or MIGRATOR_LIVE_CPANEL_PASSWORD, and for WHM's port MIGRATOR_LIVE_CPANEL_VIA=whm and
MIGRATOR_LIVE_CPANEL_CPANEL_USER; MIGRATOR_LIVE_CPANEL_FINGERPRINT pins its certificate. Domains cannot be added through the API, so
MIGRATOR_LIVE_CPANEL_DOMAIN names one that serves for nothing else (and old-DOMAIN beside it, as a subdomain): EVERYTHING in it is
deleted after each test. The traps are always tried on the emulator, since no living panel can be told to misbehave.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from migrator import errors
from migrator.errors import Dropped, EndpointRefused, Misbehaved, NotFound, Refused, Unavailable
from migrator.panel import model
from migrator.panel.adapters import cpanel
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Database,
    Destination,
    Domain,
    DomainForwarder,
    Filter,
    Forwarder,
    Hold,
    ListName,
    Mailbox,
    Password,
    Routing,
    Rule,
    Way,
    with_scheme,
)
from migrator.testing.panel_suite import PASSWORD, PanelContract, panel
from migrator.testing.panels.cpanel import HASHED, CPanel, people
from migrator.testing.panels.server import Mishap

MB = 1024 * 1024
GB = 1024 * MB
LIVE = "MIGRATOR_LIVE_CPANEL"
D = "example.com"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "panel" / "cpanel"
NUMBERS = itertools.count(1)


def live(field: str) -> str | None:
    return os.environ.get(f"{LIVE}_{field}")


def options_for(emulator: CPanel, **more: object) -> cpanel.Options:
    given = {"user": emulator.user, "token": SecretStr(emulator.token), "timeout": 5, **more}
    return cpanel.Options(url=emulator.url, tls_fingerprint=emulator.fingerprint, **given)


def through_whm(emulator: CPanel, **more: object) -> cpanel.Options:
    token = SecretStr(emulator.whm_token)
    return options_for(emulator, user=emulator.whm_user, token=token, via="whm", cpanel_user=emulator.user, **more)


@pytest.fixture(scope="module")
def shared() -> Iterator[CPanel]:
    with CPanel() as emulator:
        yield emulator


@pytest.fixture
def house() -> Iterator[CPanel]:
    with CPanel() as emulator:
        yield emulator


@pytest.fixture
def reader(house: CPanel) -> Iterator[cpanel.CPanelReader]:
    session = cpanel.ADAPTER.reader(options_for(house), panel("panel"))
    yield session
    session.close()


@pytest.fixture
def writer(house: CPanel) -> Iterator[cpanel.CPanelWriter]:
    session = cpanel.ADAPTER.writer(options_for(house), panel("panel"))
    yield session
    session.close()


class TestCPanel(PanelContract):
    adapter = cpanel.ADAPTER
    features = cpanel.FEATURES

    @pytest.fixture
    def options(self, shared: CPanel) -> cpanel.Options:
        if LIVE not in os.environ:
            return options_for(shared)
        secret = {"token": live("TOKEN")} if live("TOKEN") else {"password": live("PASSWORD")}
        whm = {"via": live("VIA"), "cpanel_user": live("CPANEL_USER")} if live("VIA") else {}
        return cpanel.Options(
            url=os.environ[LIVE], user=live("USER"), tls_fingerprint=live("FINGERPRINT"), **secret, **whm
        )

    @pytest.fixture
    def wrong_options(self, options: cpanel.Options) -> cpanel.Options:
        return options.model_copy(update={"token": SecretStr("WRONGTOKEN"), "password": None})

    @pytest.fixture
    def domain(self, shared: CPanel, writer: cpanel.CPanelWriter) -> Iterator[str]:
        if LIVE in os.environ:
            name = os.environ[f"{LIVE}_DOMAIN"]
            yield name
            sweep(writer, name)
            return
        name = f"d{next(NUMBERS)}.{D}"
        shared.add_domain(name)
        shared.add_domain(f"old-{name}")
        yield name
        sweep(writer, name)
        assert not any(vars(shared.houses[name])[kind] for kind in ("boxes", "rows", "responders")), "swept clean"


class TestCPanelThroughWhm(TestCPanel):
    @pytest.fixture
    def options(self, shared: CPanel) -> cpanel.Options:
        if LIVE in os.environ:
            pytest.skip(f"{LIVE} is tried as {LIVE}_VIA says")
        return through_whm(shared)


class TestCPanelAsOtherHostsHaveIt(TestCPanel):
    """Numbers without quotes, the command line's envelope, a row for each target, megabytes only, an account's password."""

    @pytest.fixture
    def shared(self) -> Iterator[CPanel]:
        with CPanel() as emulator:
            emulator.quoted, emulator.wrapped, emulator.rows = False, True, "several"
            emulator.tells_bytes, emulator.language = False, "es"
            yield emulator

    @pytest.fixture
    def options(self, shared: CPanel) -> cpanel.Options:
        if LIVE in os.environ:
            pytest.skip("a living server has its own ways")
        return options_for(shared, token=None, password=SecretStr(shared.password))


def sweep(writer: cpanel.CPanelWriter, domain: str) -> None:
    """Delete all the suite can make. The adapter itself deletes nothing but a forwarder's destination."""
    for filter_ in writer.list(Filter, domain):
        if filter_.address:
            writer._tell("Email::delete_filter", {"filtername": filter_.name, "account": filter_.address})
    for responder in writer.list(Autoresponder, domain):
        writer._tell("Email::delete_auto_responder", {"email": responder.address})
    for row in writer._rows("Email::list_forwarders", {"domain": domain}):
        for target in row["forward"].split(", "):
            writer._tell("Email::delete_forwarder", {"address": row["dest"], "forwarder": target})
    for mailbox in writer.list(Mailbox, domain):
        writer._tell("Email::delete_pop", {"email": mailbox.address.partition("@")[0], "domain": domain})
    fail = {"domain": domain, "fwdopt": "fail", "failmsgs": "No Such User Here"}
    writer._tell("Email::set_default_address", fail)
    with suppress(NotFound):
        for forwarder in writer.list(DomainForwarder, f"old-{domain}"):
            writer._tell("Email::delete_domain_forwarder", {"domain": forwarder.domain})


@contextmanager
def opened(options: cpanel.Options) -> Iterator[cpanel.CPanelReader]:
    session = cpanel.ADAPTER.reader(options, panel("panel"))
    try:
        yield session
    finally:
        session.close()


def first(session: cpanel.CPanelReader, noun: type, domain: str = D):
    (one,) = session.list(noun, domain)
    return one


# -- the login --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", ["401", "403", "redirect", "page"])
def test_a_refused_login_in_any_shape_is_one_try_and_ends_the_endpoint(house: CPanel, refusal: str) -> None:
    house.refusal = refusal
    with (
        pytest.raises(EndpointRefused, match="login was refused") as refused,
        opened(options_for(house, token=SecretStr("WRONGTOKEN"))) as session,
    ):
        session.probe()
    assert house.attempts == len(house.requests) == 1
    assert "WRONGTOKEN" not in refused.value.sentence()


@pytest.mark.parametrize("cause", ["token_expired", "address_allowed"])
def test_an_expired_token_and_an_address_not_allowed_are_told_with_what_to_do(house: CPanel, cause: str) -> None:
    setattr(house, cause, cause == "token_expired")
    with pytest.raises(EndpointRefused) as refused, opened(options_for(house)) as session:
        session.domains()
    assert "expired" in refused.value.remedy
    assert "address" in refused.value.remedy
    assert house.attempts == 1


@pytest.mark.parametrize("what", ["html", "redirect"])
def test_a_login_page_in_the_middle_of_the_work_means_that_nobody_is_logged_in(
    house: CPanel, reader: cpanel.CPanelReader, what: str
) -> None:
    reader.probe()
    house.mishaps.append(Mishap(what))
    with pytest.raises(EndpointRefused):
        reader.list(Mailbox, D)


def test_whm_that_does_not_know_the_account_is_the_endpoints_trouble(house: CPanel) -> None:
    options = through_whm(house).model_copy(update={"cpanel_user": "nobody"})
    with pytest.raises(EndpointRefused, match="nobody") as refused, opened(options) as session:
        session.probe()
    assert "cpanel_user" in refused.value.remedy


def test_through_whm_the_inner_failure_is_seen_behind_the_outer_success(house: CPanel) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte")
    session = cpanel.ADAPTER.writer(through_whm(house), panel("panel"))
    house.lacking.add("popaccts")
    with pytest.raises(Refused, match="popaccts"):
        session.create(Mailbox(f"bob@{D}"), PASSWORD)
    session.close()


def test_a_login_that_sees_blanks_with_status_1_is_refused(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.blank = True
    for ask in (reader.probe, reader.domains, lambda: reader.list(Mailbox, D)):
        with pytest.raises(EndpointRefused, match="no domains") as refused:
            ask()
        assert "token" in refused.value.remedy


def test_a_url_that_is_no_cpanel_is_told(house: CPanel) -> None:
    options = options_for(house).model_copy(update={"url": f"{house.url}/elsewhere"})
    with pytest.raises(EndpointRefused, match="404"), opened(options) as session:
        session.probe()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "either token or password"),
        ({"token": "a", "password": "b"}, "either token or password"),
        ({"token": "a", "via": "whm"}, "cpanel_user"),
        ({"token": "a", "cpanel_user": "acme"}, "cpanel_user"),
        ({"token": "a", "url": "https://old.example.net:2087"}, "WHM's port"),
        ({"token": "a", "via": "whm", "cpanel_user": "ACME"}, "pattern"),
        ({"token": "a", "url": "http://old.example.net:2082"}, "https"),
    ],
)
def test_options_that_cannot_work_are_refused_in_the_plan(given: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        cpanel.Options(**{"url": "https://old.example.net:2083", "user": "acme", **given})


# -- the wire ---------------------------------------------------------------------------------------------------------


def test_nothing_secret_stands_in_a_url(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    writer.create(Mailbox(f"ann@{D}"), PASSWORD)
    writer.verify_password(f"ann@{D}", PASSWORD.plain)
    writer.set_password(f"ann@{D}", PASSWORD)
    assert {(request.method, request.query) for request in house.requests} == {("POST", "")}


def test_plus_percent_and_blanks_survive_the_way(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    odd = Password(plain=SecretStr("a+b %41&c=d;é#"))
    writer.create(Mailbox(f"ann@{D}"), odd)
    assert house.houses[D].boxes["ann"].password == "a+b %41&c=d;é#"
    writer.create(Forwarder(f"info@{D}", (Destination("with+plus@example.net"),)))
    assert first(writer, Forwarder).destinations == (Destination("with+plus@example.net"),)


def test_success_with_a_status_of_0_is_none_whatever_its_language(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    house.language = "es"
    with pytest.raises(Refused, match="no es un nombre"):
        writer.create(Mailbox(f"o'hara@{D}"), PASSWORD)


def test_the_panels_words_are_quoted_without_markup_and_without_the_password(
    house: CPanel, writer: cpanel.CPanelWriter
) -> None:
    with pytest.raises(Refused) as refused:
        writer.create(Mailbox(f"ann@{D}"), Password(plain=SecretStr("Kurz-1")))
    assert "too weak" in str(refused.value)
    assert "Kurz-1" not in refused.value.sentence()
    assert cpanel._quote(["<b>no</b>\x07 way", None, "x" * 900]).startswith("no way xxx")


@pytest.mark.parametrize("what", ["garbled", "blank"])
def test_broken_json_is_told_as_such(house: CPanel, reader: cpanel.CPanelReader, what: str) -> None:
    reader.probe()
    house.mishaps.append(Mishap(what, "list_pops"))
    with pytest.raises(Misbehaved):
        reader.list(Mailbox, D)


def test_a_busy_panel_asks_for_a_pause(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.mishaps.append(Mishap("busy"))
    with pytest.raises(Unavailable) as busy:
        reader.list(Mailbox, D)
    assert busy.value.wait == timedelta(seconds=1)


@pytest.mark.parametrize(("what", "error"), [("500", Unavailable), ("lost", Dropped), ("garbled", Misbehaved)])
def test_a_mailbox_made_with_a_failure_is_there_and_not_made_twice(
    house: CPanel, writer: cpanel.CPanelWriter, what: str, error: type[Exception]
) -> None:
    house.mishaps.append(Mishap(what, "add_pop"))
    with pytest.raises(error):
        writer.create(Mailbox(f"ann@{D}", quota=GB), PASSWORD)
    assert first(writer, Mailbox).key == f"ann@{D}"
    with pytest.raises(Refused, match="already"):
        writer.create(Mailbox(f"ann@{D}", quota=2 * GB), PASSWORD)
    assert house.houses[D].boxes["ann"].quota == 1024


def test_a_lost_request_that_had_no_effect_can_be_sent_again(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    house.mishaps.append(Mishap("before", "add_pop"))
    with pytest.raises(Dropped):
        writer.create(Mailbox(f"ann@{D}"), PASSWORD)
    writer.create(Mailbox(f"ann@{D}"), PASSWORD)
    assert first(writer, Mailbox).key == f"ann@{D}"


def test_a_preview_writes_nothing(house: CPanel) -> None:
    house.fill(accounts=8, forwarders=10, autoresponders=3)
    with opened(options_for(house)) as session:
        for noun in session.features.lists:
            session.list(noun, D)
        session.password_of(f"{people(1)[0]}@{D}")
        session.verify_password(f"{people(1)[0]}@{D}", SecretStr("Verano-2019.norte"))
        with pytest.raises(RuntimeError):
            session._site.write("POST", "execute/Email/add_pop")
    assert not house.written


def test_what_the_package_lacks_is_told_before_it_is_tried(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    house.lacking |= {"autoresponders", "blockers"}
    assert cpanel.FEATURES.creates - writer.features.creates == {Autoresponder, Filter}
    assert writer.features.lists == cpanel.FEATURES.lists


# -- recorded answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recorded", sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_answer_is_understood(house: CPanel, reader: cpanel.CPanelReader, recorded: Path) -> None:
    case = json.loads(recorded.read_text("utf-8"))
    house.recorded = case["answers"]
    noun = getattr(model, case["noun"])
    if "error" in case:
        with pytest.raises(getattr(errors, case["error"])):
            reader.list(noun, D)
        return
    there = reader.list(noun, D)
    assert len(there) == len(case["told"])
    for thing, told in zip(there, case["told"], strict=True):
        assert {name: plainly(getattr(thing, name)) for name in told} == told


def plainly(value: object) -> object:
    """A field as a fixture writes it."""
    match value:
        case Rule():
            return [value.part, value.match, value.value, value.join]
        case Destination():
            return str(value)
        case Hold():
            return value.value
        case frozenset():
            return sorted(str(plainly(one)) for one in value)
        case tuple():
            return [plainly(one) for one in value]
    return value


# -- domains ----------------------------------------------------------------------------------------------------------


def test_domains_come_with_routing_and_the_selector_of_their_key(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.add_domain("shop.example.com").routing = "remote"
    house.add_domain("backup.example.com").routing = "secondary"
    house.add_domain("plain.example.com").dkim = "NOPUB"
    assert list(reader.domains()) == [
        Domain(D, Routing.AUTO, "default"),
        Domain("shop.example.com", Routing.REMOTE, "default"),
        Domain("backup.example.com", Routing.BACKUP, "default"),
        Domain("plain.example.com", Routing.AUTO, ""),
    ]


def test_a_login_that_may_not_see_the_routing_says_so(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.lacking |= {"changemx", "emailauth"}
    assert list(reader.domains()) == [Domain(D)]
    assert "routing" in reader.features.told("domain.routing").why


def test_a_domain_that_is_not_there_is_told_for_every_noun(reader: cpanel.CPanelReader) -> None:
    for noun in cpanel.FEATURES.creates:
        with pytest.raises(NotFound, match=r"gone\.example\.com") as missing:
            reader.list(noun, "gone.example.com")
        assert "Domains" in missing.value.remedy


@pytest.mark.parametrize("spelled", ["müller.example.com", "xn--mller-kva.example.com"])
def test_an_idn_is_found_in_whichever_form_the_panel_keeps_it(
    house: CPanel, writer: cpanel.CPanelWriter, spelled: str
) -> None:
    house.add_domain(spelled)
    name = "xn--mller-kva.example.com"
    assert name in {one.name for one in writer.domains()}
    writer.create(Mailbox(f"ann@{name}", quota=GB), PASSWORD)
    writer.create(Forwarder(f"info@{name}", (Destination(f"ann@{name}"),)))
    writer.create(CatchAll(name, Destination(f"ann@{name}")))
    writer.create(Autoresponder(f"ann@{name}", "Fuera.", "Fuera"))
    rule = Rule("$header_subject:", "contains", "x")
    writer.create(Filter(f"ann@{name}", "x", (rule,), (("save", "/.X"),), domain=name))
    assert first(writer, Mailbox, name).address == f"ann@{name}"
    assert first(writer, Forwarder, "müller.example.com") == Forwarder(f"info@{name}", (Destination(f"ann@{name}"),))
    assert first(writer, CatchAll, name) == CatchAll(name, Destination(f"ann@{name}"))
    assert first(writer, Autoresponder, name).address == f"ann@{name}"
    assert first(writer, Filter, name).actions == (("save", "/.X"),)
    assert writer.password_of(f"ann@{name}").scheme == "SHA512-CRYPT"
    assert writer.verify_password(f"ann@{name}", PASSWORD.plain)


# -- mailboxes --------------------------------------------------------------------------------------------------------


def test_the_main_account_without_an_at_sign_is_no_mailbox(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte")
    assert [one.key for one in reader.list(Mailbox, D)] == [f"ann@{D}"]


def test_a_quota_is_rounded_up_to_megabytes(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    writer.create(Mailbox(f"ann@{D}", quota=MB + 1), PASSWORD)
    assert house.houses[D].boxes["ann"].quota == 2


def test_a_quota_that_the_panel_clamps_without_a_word_is_seen_in_the_list(
    house: CPanel, writer: cpanel.CPanelWriter
) -> None:
    house.largest_quota = 500
    writer.create(Mailbox(f"ann@{D}", quota=100 * MB), PASSWORD)
    there = first(writer, Mailbox)
    writer.change(Mailbox(f"ann@{D}", quota=GB), there)
    assert first(writer, Mailbox).quota == 500 * MB


def test_sent_mail_held_in_the_queue_counts_as_suspended_sending(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte", holds=["hold_outgoing"])
    there = first(writer, Mailbox)
    assert there.holds == {Hold.SEND}
    writer.change(Mailbox(f"ann@{D}"), there)
    assert not house.houses[D].boxes["ann"].holds


def test_a_mailbox_that_was_left_half_made_is_completed_by_a_change(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    wanted = Mailbox(f"ann@{D}", quota=GB, holds=frozenset({Hold.LOGIN, Hold.SEND}))
    house.mishaps.append(Mishap("before", "suspend_outgoing"))
    with pytest.raises(Dropped):
        writer.create(wanted, PASSWORD)
    there = first(writer, Mailbox)
    assert there.holds == {Hold.LOGIN}
    for _ in range(2):
        writer.change(wanted, there)
    assert first(writer, Mailbox).holds == wanted.holds


@pytest.mark.parametrize("local", ["cpanel", "o'hara", "with+plus", "a b", "ümlaut"])
def test_a_local_part_the_panel_refuses_is_refused_and_not_made(
    house: CPanel, writer: cpanel.CPanelWriter, local: str
) -> None:
    with pytest.raises(Refused):
        writer.create(Mailbox(f"{local}@{D}"), PASSWORD)
    assert not house.houses[D].boxes


def test_a_full_package_is_refused_in_the_panels_words(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    house.most_accounts = 1
    writer.create(Mailbox(f"ann@{D}"), PASSWORD)
    with pytest.raises(Refused, match="limit"):
        writer.create(Mailbox(f"bob@{D}"), PASSWORD)


# -- passwords --------------------------------------------------------------------------------------------------------


def test_hashes_old_and_new_are_read_from_the_shadow_file(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte")
    house.add_mailbox(f"bob@{D}", "correo1998")
    assert reader.password_of(f"Ann@{D}") == with_scheme(HASHED["Verano-2019.norte"])
    assert reader.password_of(f"bob@{D}").scheme == "MD5-CRYPT"
    assert reader.password_of(f"nobody@{D}") == Password()
    assert len([request for request in house.requests if "get_file_content" in request.path]) == 1


def test_a_hash_put_out_of_action_is_unknown_and_not_mended(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte", holds=["suspended_login"])
    assert reader.password_of(f"ann@{D}") == Password()


@pytest.mark.parametrize("closed", ["permission", "feature"])
def test_a_closed_file_manager_leaves_passwords_unknown_after_one_question(
    house: CPanel, reader: cpanel.CPanelReader, closed: str
) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte")
    house.shadow_readable = closed != "permission"
    house.lacking |= {"filemanager"} if closed == "feature" else set()
    assert reader.password_of(f"ann@{D}") == reader.password_of(f"bob@{D}") == Password()
    assert len([request for request in house.requests if "get_file_content" in request.path]) == 1


@pytest.mark.parametrize("hashed", ["{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuv", "{ARGON2ID}$argon2id$v=19$m=1$a$b"])
def test_a_hash_cpanel_does_not_take_is_refused_before_it_is_sent(
    house: CPanel, writer: cpanel.CPanelWriter, hashed: str
) -> None:
    with pytest.raises(Refused, match="hash"):
        writer.create(Mailbox(f"ann@{D}"), with_scheme(hashed))
    with pytest.raises(Refused, match="no password"):
        writer.create(Mailbox(f"ann@{D}"))
    assert not house.written


@pytest.mark.parametrize("plain", ["", " leading-1", "trailing-1 ", "with\nnewline", "with\x00nul"])
def test_a_password_that_would_not_arrive_whole_is_not_sent(
    house: CPanel, writer: cpanel.CPanelWriter, plain: str
) -> None:
    with pytest.raises(Refused):
        writer.create(Mailbox(f"ann@{D}"), Password(plain=SecretStr(plain)))
    assert not house.written


def test_a_password_is_set_in_plain_only(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte")
    before = writer.password_of(f"ann@{D}")
    writer.set_password(f"ann@{D}", PASSWORD)
    assert writer.verify_password(f"ann@{D}", PASSWORD.plain)
    assert writer.password_of(f"ann@{D}") not in {before, Password()}
    assert not writer.features.sets_hashes
    with pytest.raises(Refused, match="in plain only"):
        writer.set_password(f"ann@{D}", before)


def test_a_wrong_password_is_asked_once(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte")
    assert not reader.verify_password(f"ann@{D}", SecretStr("another-one-7"))
    assert len([request for request in house.requests if "verify_password" in request.path]) == 1


# -- where mail goes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "way", "value"),
    [
        (":fail: gone, for good", Way.REJECT, "gone, for good"),
        ('":fail: No Such User Here"', Way.REJECT, "No Such User Here"),
        (":fail:", Way.REJECT, ""),
        (":blackhole:", Way.DISCARD, ""),
        ("/dev/null", Way.DISCARD, ""),
        ("|/home/acme/bin/ticket.sh --to a,b", Way.PIPE, "|/home/acme/bin/ticket.sh --to a,b"),
        ('"|/home/acme/bin/ticket.sh --to a,b"', Way.PIPE, "|/home/acme/bin/ticket.sh --to a,b"),
        (":include:/home/acme/list.txt", Way.PIPE, ":include:/home/acme/list.txt"),
        ("acme", Way.SYSTEM, "acme"),
        ("Else@MÜLLER.example.net", Way.ADDRESS, "Else@xn--mller-kva.example.net"),
    ],
)
@pytest.mark.parametrize("rows", ["joined", "several"])
def test_every_kind_of_destination_is_told_apart(
    house: CPanel, reader: cpanel.CPanelReader, stored: str, way: Way, value: str, rows: str
) -> None:
    house.rows = rows
    house.add_forwarder(f"info@{D}", stored)
    assert first(reader, Forwarder) == Forwarder(f"info@{D}", (Destination(value, way),))


@pytest.mark.parametrize("rows", ["joined", "several"])
def test_several_targets_in_one_row_or_in_several_are_one_forwarder(
    house: CPanel, reader: cpanel.CPanelReader, rows: str
) -> None:
    house.rows = rows
    house.add_forwarder(f"info@{D}", "zoe@example.net", "adam@example.net", '"|/bin/x a, b"', "acme")
    assert first(reader, Forwarder).destinations == (
        Destination("adam@example.net"),
        Destination("zoe@example.net"),
        Destination("|/bin/x a, b", Way.PIPE),
        Destination("acme", Way.SYSTEM),
    )


@pytest.mark.parametrize("rows", ["joined", "several"])
def test_the_pipe_of_an_autoresponder_is_no_forwarder(house: CPanel, writer: cpanel.CPanelWriter, rows: str) -> None:
    house.rows = rows
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte")
    house.add_autoresponder(f"ann@{D}", "Fuera.", "Fuera")
    assert not writer.list(Forwarder, D)
    wanted = Forwarder(f"ann@{D}", (Destination("else@example.net"),), keeps_copy=True)
    writer.create(wanted)
    assert first(writer, Forwarder) == wanted


@pytest.mark.parametrize("quote", ['"', ""])
def test_what_stands_beside_the_pipe_of_an_autoresponder_is_kept(quote: str) -> None:
    pipe = f"{quote}|/usr/local/cpanel/bin/autorespond ann@{D} /home/acme/.autorespond{quote}"
    other = Destination("|/bin/x", Way.PIPE)
    for row in (f'{pipe}, "|/bin/x"', f'"|/bin/x", {pipe}'):
        assert list(cpanel._destinations(row)) == [other]
    assert list(cpanel._destinations(f"{pipe}, else@example.net")) == [Destination("else@example.net")]
    assert list(cpanel._destinations(r'"|/bin/x \"a, b\""')) == [Destination('|/bin/x "a, b"', Way.PIPE)]


def test_a_row_that_leads_back_to_its_own_address_is_no_destination(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte")
    house.add_forwarder(f"ann@{D}", f"Ann@{D}", "else@example.net")
    assert first(reader, Forwarder) == Forwarder(f"ann@{D}", (Destination("else@example.net"),), keeps_copy=True)


def test_a_forwarder_that_is_to_keep_no_copy_is_refused_beside_a_mailbox(
    house: CPanel, writer: cpanel.CPanelWriter
) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte")
    with pytest.raises(Refused, match="always leaves a copy"):
        writer.create(Forwarder(f"ann@{D}", (Destination("else@example.net"),)))
    with pytest.raises(Refused, match="no mailbox here"):
        writer.create(Forwarder(f"bob@{D}", (Destination("else@example.net"),), keeps_copy=True))
    assert not house.written


def test_what_only_the_old_machine_knows_is_refused_with_what_to_do(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    pipe, user = Destination("|/bin/x", Way.PIPE), Destination("olduser", Way.SYSTEM)
    reject = (Destination("else@example.net"), Destination("gone", Way.REJECT))
    for destinations in ((pipe,), (user,), reject):
        with pytest.raises(Refused, match=f"info@{D}"):
            writer.create(Forwarder(f"info@{D}", destinations))
    with pytest.raises(Refused, match="Default Address"):
        writer.create(CatchAll(D, pipe))
    assert not house.written


def test_a_forwarder_left_half_made_is_completed_and_corrected_by_a_change(
    house: CPanel, writer: cpanel.CPanelWriter
) -> None:
    wanted = Forwarder(f"info@{D}", tuple(sorted([Destination("else@example.net"), Destination("acme", Way.SYSTEM)])))
    house.mishaps.append(Mishap("before", "fwdsystem"))
    with pytest.raises(Dropped):
        writer.create(wanted)
    house.rows = "several"
    house.add_forwarder(f"info@{D}", "stray@example.net")
    for _ in range(2):
        writer.change(wanted, first(writer, Forwarder))
    assert first(writer, Forwarder) == wanted


@pytest.mark.parametrize("stored", ['":fail: No Such User Here"', ":fail: no", ":fail:", ""])
def test_refusing_unknown_addresses_is_no_catch_all(house: CPanel, reader: cpanel.CPanelReader, stored: str) -> None:
    house.houses[D].default = stored
    assert not reader.list(CatchAll, D)


@pytest.mark.parametrize(
    ("stored", "destination"),
    [
        ("acme", Destination("acme", Way.SYSTEM)),
        (":blackhole:", Destination("", Way.DISCARD)),
        ('"|/bin/x"', Destination("|/bin/x", Way.PIPE)),
        (f"ann@{D}", Destination(f"ann@{D}")),
    ],
)
def test_a_default_address_of_every_kind_is_told(
    house: CPanel, reader: cpanel.CPanelReader, stored: str, destination: Destination
) -> None:
    house.add_domain("other.example.com").default = "else@example.net"
    house.houses[D].default = stored
    assert first(reader, CatchAll) == CatchAll(D, destination)


def test_the_account_as_a_fresh_default_gives_way_to_a_catch_all(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    house.houses[D].default = house.user
    writer.create(CatchAll(D, Destination("", Way.DISCARD)))
    assert first(writer, CatchAll).destination.way is Way.DISCARD
    with pytest.raises(Refused, match="already"):
        writer.create(CatchAll(D, Destination("acme", Way.SYSTEM)))


def test_what_a_domain_has_as_a_whole_is_changed_where_we_made_it(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    writer.create(CatchAll(D, Destination("else@example.net")))
    writer.change(CatchAll(D, Destination("new@example.net")), first(writer, CatchAll))
    assert first(writer, CatchAll).destination == Destination("new@example.net")
    writer.create(DomainForwarder(D, "new.example.com"))
    writer.change(DomainForwarder(D, "newer.example.com"), first(writer, DomainForwarder))
    assert first(writer, DomainForwarder).target == "newer.example.com"


def test_a_domain_forwarder_is_not_overwritten(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    writer.create(DomainForwarder(D, "new.example.com"))
    with pytest.raises(Refused, match="already"):
        writer.create(DomainForwarder(D, "other.example.com"))
    assert first(writer, DomainForwarder) == DomainForwarder(D, "new.example.com")


# -- autoresponders ---------------------------------------------------------------------------------------------------


def test_an_autoresponder_that_looks_present_is_proven_by_the_list(house: CPanel, reader: cpanel.CPanelReader) -> None:
    assert reader._ask("Email::get_auto_responder", {"email": f"ann@{D}"}) == {"charset": "utf-8"}
    assert not reader.list(Autoresponder, D)


def test_an_autoresponder_arrives_in_all_its_fields(house: CPanel, writer: cpanel.CPanelWriter) -> None:
    wanted = Autoresponder(
        f"ann@{D}",
        "<p>50% + más\n\nAdiós</p>",
        "Fuera: %subject%",
        "Ann",
        is_html=True,
        interval_hours=0,
        start=datetime(2026, 12, 1, tzinfo=UTC),
        stop=datetime(2027, 1, 7, tzinfo=UTC),
    )
    writer.create(wanted)
    assert first(writer, Autoresponder) == wanted


def test_an_autoresponder_without_a_name_gets_none(writer: cpanel.CPanelWriter) -> None:
    writer.create(Autoresponder(f"ann@{D}", "Fuera.", ""))
    assert first(writer, Autoresponder) == Autoresponder(
        f"ann@{D}", "Fuera.", cpanel.DEFAULT_SUBJECT, interval_hours=24
    )


def test_an_autoresponder_written_on_windows_is_told_with_plain_line_ends(
    house: CPanel, reader: cpanel.CPanelReader
) -> None:
    house.add_autoresponder(f"ann@{D}", "A\r\nB\r\n\n", "Fuera")
    assert first(reader, Autoresponder).body == "A\nB"


# -- filters ----------------------------------------------------------------------------------------------------------

SUBJECT = ("$header_subject:", "contains", "x")
RULE = Rule(*SUBJECT)


def test_filters_of_mailboxes_and_of_the_account_are_told_apart(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.add_domain("other.example.com")
    house.add_mailbox("ann@other.example.com", "Verano-2019.norte")
    house.add_filter("", "all", [SUBJECT], [("save", "$home/mail/.Junk")])
    folder = "$home/mail/other.example.com/ann/.Junk"
    house.add_filter("ann@other.example.com", "hers", [SUBJECT], [("save", folder), ("finish", None)], enabled=False)
    assert first(reader, Filter) == Filter("", "all", (RULE,), (("save", "/.Junk"),), domain=D)
    assert first(reader, Filter, "other.example.com") == Filter(
        "ann@other.example.com",
        "hers",
        (RULE,),
        (("save", "/.Junk"), ("finish", "")),
        enabled=False,
        domain="other.example.com",
    )


def test_the_folder_of_another_mailbox_is_not_taken_for_ones_own() -> None:
    assert cpanel._place("save", f"$home/mail/{D}/ann/.Junk", f"Ann@{D}") == "/.Junk"
    assert cpanel._place("save", f"$home/mail/{D}/ann2/.Junk", f"ann@{D}") == f"$home/mail/{D}/ann2/.Junk"
    assert cpanel._place("save", f"/{D}/ann", f"ann@{D}") == "/"


@pytest.mark.parametrize("address", ["", f"ann@{D}"])
def test_a_filter_that_saves_discards_or_is_off_arrives(
    house: CPanel, writer: cpanel.CPanelWriter, address: str
) -> None:
    house.add_mailbox(f"ann@{D}", "Verano-2019.norte")
    wanted = Filter(
        address, "uno", (RULE,), (("save", "/.Ofertas 50%"), ("save", "/dev/null")), enabled=False, domain=D
    )
    writer.create(wanted)
    assert first(writer, Filter) == wanted
    changed = Filter(address, "uno", (RULE,), (("fail", ""),), domain=D)
    writer.change(changed, wanted)
    assert first(writer, Filter) == changed


def test_a_filter_that_is_not_there_looks_present_and_is_made_all_the_same(writer: cpanel.CPanelWriter) -> None:
    told = writer._ask("Email::get_filter", {"filtername": "Rule 1"})
    assert told["filtername"] == "Rule 1"
    writer.create(Filter("", "Rule 1", (RULE,), (("finish", ""),), domain=D))
    assert first(writer, Filter).name == "Rule 1"


def test_a_filter_with_several_conditions_is_told_with_unknown_joins_and_not_made(
    house: CPanel, writer: cpanel.CPanelWriter
) -> None:
    house.add_filter("", "two", [SUBJECT, ("$header_from:", "is", "y")], [("finish", None)])
    there = first(writer, Filter)
    assert [rule.join for rule in there.rules] == ["", ""]
    with pytest.raises(Refused, match="by hand"):
        writer.create(Filter("", "copy", there.rules, there.actions, domain=D))
    with pytest.raises(Refused, match="program"):
        writer.create(Filter("", "pipe", (RULE,), (("pipe", "/bin/x"),), domain=D))


# -- lists and databases ----------------------------------------------------------------------------------------------


def test_lists_and_databases_are_named(house: CPanel, reader: cpanel.CPanelReader) -> None:
    house.houses[D].lists.append("news")
    house.databases["acme_web"] = 4711
    assert first(reader, ListName) == ListName(f"news@{D}")
    assert first(reader, Database) == Database("acme_web", 4711)


def test_a_server_without_mailing_lists_is_told_and_not_taken_for_one_with_none(
    house: CPanel, reader: cpanel.CPanelReader
) -> None:
    house.lacking.add("lists")
    with pytest.raises(Refused, match="list_lists"):
        reader.list(ListName, D)


def test_a_mailbox_list_or_database_is_not_made_here(writer: cpanel.CPanelWriter) -> None:
    for thing in (ListName(f"news@{D}"), Database("acme_web"), Domain("new.example.com")):
        with pytest.raises(Refused, match="by hand"):
            writer.create(thing)


# -- the house that the big journey starts from -----------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["joined", "several"])
def test_a_filled_house_is_listed_in_full(house: CPanel, reader: cpanel.CPanelReader, rows: str) -> None:
    house.rows = rows
    house.fill(idn_domain="müller.example.com")
    boxes = reader.list(Mailbox, D)
    assert len(boxes) == len({one.key for one in boxes}) == 200
    assert {hold for one in boxes for hold in one.holds} == set(Hold)
    assert {one.quota for one in boxes} >= {None, 250 * MB, 5120 * MB}
    forwarders = reader.list(Forwarder, D)
    assert len(forwarders) == len({one.key for one in forwarders}) == 60
    assert {to.way for one in forwarders for to in one.destinations} == set(Way)
    assert any(one.keeps_copy for one in forwarders)
    assert any(len(one.destinations) > 2 for one in forwarders)
    assert len(reader.list(Autoresponder, D)) == 10
    assert first(reader, CatchAll).destination.way is Way.ADDRESS
    schemes = {reader.password_of(one.address).scheme for one in boxes}
    assert schemes == {"SHA512-CRYPT", "MD5-CRYPT", ""}
    assert all(reader.verify_password(one.address, SecretStr(house.known[one.key])) for one in boxes[:9])
    assert len(reader.list(Mailbox, "xn--mller-kva.example.com")) == 3


def test_two_houses_are_filled_alike() -> None:
    one, two = CPanel(), CPanel()
    for emulator in (one, two):
        emulator.fill(accounts=30, forwarders=12, autoresponders=3)
        emulator._server.server_close()
    assert (one.houses, one.filters, one.known) == (two.houses, two.filters, two.known)


# -- mailing lists, for the lists step ----------------------------------------------------------------------------------


def test_a_list_is_made_with_its_password_and_opened_with_another_that_holds_once(
    house: CPanel, writer: cpanel.CPanelWriter
) -> None:
    writer.make_list("news@example.com", "owner@example.com", SecretStr("Qx7-list.Pass_1"))
    assert [one.address for one in writer.list(ListName, D)] == ["news@example.com"]
    first, second = (writer.one_time_password("news@example.com").get_secret_value() for _ in range(2))
    assert first != second
    assert house.list_passwords == {"news@example.com": "Qx7-list.Pass_1"}


def test_a_list_that_is_there_is_not_made_again_and_one_that_is_not_is_not_opened(
    house: CPanel, writer: cpanel.CPanelWriter
) -> None:
    writer.make_list("news@example.com", "", SecretStr("Qx7-list.Pass_1"))
    with pytest.raises(Refused, match="has this mailing list already"):
        writer.make_list("News@example.com", "", SecretStr("Qx7-list.Pass_2"))
    with pytest.raises(NotFound, match="no such mailing list"):
        writer.one_time_password("other@example.com")
    assert house.list_passwords == {"news@example.com": "Qx7-list.Pass_1"}
