"""The DirectAdmin adapter: the contract of every panel, and what real servers are known to differ in.

Against a living panel instead of the emulator (its domains d1.example.com ... are made and stay):

    MIGRATOR_LIVE_DIRECTADMIN=https://panel.example.net:2222 MIGRATOR_LIVE_DIRECTADMIN_USER=acme \
    MIGRATOR_LIVE_DIRECTADMIN_PASSWORD=... MIGRATOR_LIVE_DIRECTADMIN_FINGERPRINT=... \
    pytest tests/contract/test_panel_directadmin.py -k TestDirectAdmin
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from migrator.errors import Dropped, EndpointRefused, Misbehaved, NotFound, Refused, Unavailable
from migrator.panel.adapters import directadmin
from migrator.panel.adapters.directadmin import DirectAdminReader, DirectAdminWriter
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Forwarder,
    Hold,
    ListName,
    Mailbox,
    Password,
    Thing,
    Way,
)
from migrator.testing.panel_suite import PASSWORD, PanelContract
from migrator.testing.panels.directadmin import DirectAdmin
from migrator.testing.panels.server import Answer, Mishap, Request

FIXTURES = Path(__file__).parents[2] / "fixtures" / "panel" / "directadmin"
MB = 1024**2
GB = 1024**3
HOME = "d.example.com"
ANN = f"ann@{HOME}"
ELSE = Destination("else@example.net")
SPELLINGS = ["json", "encoded", "numbered"]


@pytest.fixture
def panel() -> Iterator[DirectAdmin]:
    with DirectAdmin() as running:
        running.give_domain(HOME)
        yield running


def options(panel: DirectAdmin, password: str = DirectAdmin.PASSWORD) -> directadmin.Options:
    return directadmin.Options(
        url=panel.url, user=panel.USER, password=SecretStr(password), tls_fingerprint=panel.fingerprint, timeout=5
    )


@pytest.fixture
def reader(panel: DirectAdmin) -> Iterator[DirectAdminReader]:
    session = DirectAdminReader(options(panel))
    yield session
    session.close()


@pytest.fixture
def writer(panel: DirectAdmin) -> Iterator[DirectAdminWriter]:
    session = DirectAdminWriter(options(panel))
    yield session
    session.close()


class TestDirectAdmin(PanelContract):
    adapter = directadmin.ADAPTER
    features = directadmin.FEATURES

    @pytest.fixture
    def options(self, panel: DirectAdmin) -> directadmin.Options:
        if url := os.environ.get("MIGRATOR_LIVE_DIRECTADMIN"):
            names = ("USER", "PASSWORD", "FINGERPRINT")
            told = {name: os.environ.get(f"MIGRATOR_LIVE_DIRECTADMIN_{name}", "") for name in names}
            return directadmin.Options(
                url=url,
                user=told["USER"],
                password=SecretStr(told["PASSWORD"]),
                tls_fingerprint=told["FINGERPRINT"] or None,
            )
        return options(panel)

    @pytest.fixture
    def wrong_options(self, options: directadmin.Options) -> directadmin.Options:
        return options.model_copy(update={"password": SecretStr("wrong-password")})


class TestUrlEncoded(PanelContract):
    """The same promises where the server does not know json=yes."""

    adapter = directadmin.ADAPTER
    features = directadmin.FEATURES

    @pytest.fixture(params=["encoded", "numbered"])
    def options(self, panel: DirectAdmin, request: pytest.FixtureRequest) -> directadmin.Options:
        panel.answers = request.param
        return options(panel)

    @pytest.fixture
    def wrong_options(self, options: directadmin.Options) -> directadmin.Options:
        return options.model_copy(update={"password": SecretStr("wrong-password")})


# -- the login --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["page", "401", "redirect"])
def test_a_refused_login_has_three_shapes_and_is_tried_once(panel: DirectAdmin, way: str) -> None:
    panel.refuses_with = way
    session = DirectAdminWriter(options(panel, "wrong"))
    for _ in range(3):
        with pytest.raises(EndpointRefused) as refused:
            session.domains()
        with pytest.raises(EndpointRefused):
            session.create(Mailbox(ANN), PASSWORD)
    assert refused.value.remedy
    assert panel.attempts == len(panel.requests) == 1


def test_a_login_page_with_status_200_is_no_empty_listing(panel: DirectAdmin, reader: DirectAdminReader) -> None:
    panel.give_mailbox(ANN)
    panel.mishaps.append(Mishap("html", about="full_list"))
    with pytest.raises(EndpointRefused, match="login page"):
        reader.list(Mailbox, HOME)


def test_a_login_key_that_expired_is_told_as_the_endpoints(panel: DirectAdmin, reader: DirectAdminReader) -> None:
    reader.domains()
    panel.key_expired = True
    with pytest.raises(EndpointRefused, match="login"):
        reader.domains()


def test_an_address_the_login_key_does_not_allow_is_told_as_the_endpoints(
    panel: DirectAdmin, reader: DirectAdminReader
) -> None:
    panel.allowed_addresses = {"192.0.2.1"}
    with pytest.raises(EndpointRefused) as refused:
        reader.probe()
    assert "address" in refused.value.remedy


def test_a_command_the_login_key_may_not_run_is_named(panel: DirectAdmin, reader: DirectAdminReader) -> None:
    panel.allowed_commands = {"CMD_API_SHOW_DOMAINS"}
    reader.probe()
    with pytest.raises(EndpointRefused) as refused:
        reader.list(CatchAll, HOME)
    assert "CMD_API_EMAIL_CATCH_ALL" in refused.value.remedy


def test_an_administrator_acts_for_the_user(panel: DirectAdmin) -> None:
    acting = options(panel).model_copy(update={"user": "admin|acme"})
    assert [one.name for one in DirectAdminReader(acting).domains()] == [HOME]


def test_a_url_that_is_not_the_panel_is_told_as_the_endpoints(panel: DirectAdmin) -> None:
    elsewhere = options(panel).model_copy(update={"url": f"{panel.url}/other"})
    with pytest.raises(EndpointRefused) as refused:
        DirectAdminReader(elsewhere).domains()
    assert "2222" in refused.value.remedy


def test_no_secret_stands_in_a_url(panel: DirectAdmin, writer: DirectAdminWriter) -> None:
    writer.create(Mailbox(ANN), PASSWORD)
    writer.set_password(ANN, Password(plain=SecretStr("another-Secret-9")))
    for request in panel.requests:
        assert PASSWORD.plain
        for secret in (PASSWORD.plain.get_secret_value(), "another-Secret-9", panel.PASSWORD):
            assert secret not in request.path + request.query


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_answer_that_tells_why_is_a_refusal_whatever_its_status(
    panel: DirectAdmin, writer: DirectAdminWriter, spelling: str, status: int
) -> None:
    panel.answers = spelling
    panel.failure_status = status
    panel.most_mailboxes = 0
    with pytest.raises(Refused, match="assigned limit"):
        writer.create(Mailbox(ANN), PASSWORD)


def test_a_password_the_panel_repeats_in_its_error_is_hidden(writer: DirectAdminWriter) -> None:
    with pytest.raises(Refused) as refused:
        writer.create(Mailbox(ANN), Password(plain=SecretStr("Zq7!x")))
    assert "Zq7!x" not in refused.value.sentence()
    assert "***" in refused.value.sentence()


def test_a_panel_that_fails_after_success_is_unavailable_and_the_mailbox_is_there(
    panel: DirectAdmin, writer: DirectAdminWriter
) -> None:
    panel.mishaps.append(Mishap("500", about="action=create"))
    with pytest.raises(Unavailable):
        writer.create(Mailbox(ANN), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, HOME)] == [ANN]


def test_a_lost_answer_is_an_unknown_outcome(panel: DirectAdmin, writer: DirectAdminWriter) -> None:
    panel.mishaps.append(Mishap("lost", about="action=create"))
    with pytest.raises(Dropped):
        writer.create(Mailbox(ANN), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, HOME)] == [ANN]


def test_a_busy_panel_says_how_long_to_wait(panel: DirectAdmin, reader: DirectAdminReader) -> None:
    panel.mishaps.append(Mishap("busy"))
    with pytest.raises(Unavailable) as busy:
        reader.domains()
    assert busy.value.wait == timedelta(seconds=1)


def test_a_listing_that_is_cut_in_half_is_no_empty_listing(panel: DirectAdmin, reader: DirectAdminReader) -> None:
    panel.give_mailbox(ANN)
    panel.mishaps.append(Mishap("garbled", about="full_list"))
    with pytest.raises(Misbehaved):
        reader.list(Mailbox, HOME)


@pytest.mark.parametrize("what", ["blank", "garbled"])
def test_a_write_whose_answer_says_nothing_is_an_unknown_outcome(
    panel: DirectAdmin, writer: DirectAdminWriter, what: str
) -> None:
    panel.mishaps.append(Mishap(what, about="action=create"))
    with pytest.raises(Dropped):
        writer.create(Mailbox(ANN), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, HOME)] == [ANN]


def test_nothing_is_an_empty_listing_only_where_the_server_speaks_no_json(
    panel: DirectAdmin, reader: DirectAdminReader
) -> None:
    reader.domains()
    panel.mishaps.append(Mishap("blank", about="full_list"))
    with pytest.raises(Misbehaved, match="empty"):
        reader.list(Mailbox, HOME)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("noun", sorted(directadmin.FEATURES.lists - {Domain}, key=lambda noun: noun.__name__))
def test_a_domain_that_is_not_there_is_told_as_such(
    panel: DirectAdmin, reader: DirectAdminReader, noun: type[Mailbox], spelling: str
) -> None:
    panel.answers = spelling
    with pytest.raises(NotFound):
        reader.list(noun, "gone.example.com")


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("local", ["error", "list", "text", "details"])
def test_things_with_the_names_of_the_answers_own_words_are_read(
    panel: DirectAdmin, reader: DirectAdminReader, local: str, spelling: str
) -> None:
    panel.answers = spelling
    panel.give_mailbox(f"{local}@{HOME}", quota="10")
    panel.give_domain(HOME).forwarders[local] = "else@example.net"
    assert [(one.address, one.quota) for one in reader.list(Mailbox, HOME)] == [(f"{local}@{HOME}", 10 * MB)]
    assert reader.list(Forwarder, HOME) == [Forwarder(f"{local}@{HOME}", (ELSE,), keeps_copy=True)]


class Recorded(DirectAdmin):
    """Answers one command with a recorded text."""

    def __init__(self, about: str, text: str) -> None:
        super().__init__()
        self.about, self.text = about, text

    def answer(self, request: Request) -> Answer:
        asked = f"{request.path}?{request.query}"
        return Answer(self.text.encode()) if self.about in asked else super().answer(request)


def recorded(about: str, name: str, noun: type[Thing]) -> list[Thing]:
    with Recorded(about, (FIXTURES / name).read_text("utf-8").strip()) as running:
        running.give_domain(HOME)
        return list(DirectAdminReader(options(running)).list(noun, HOME))


def test_unlimited_has_several_spellings() -> None:
    assert {one.quota for one in recorded("full_list", "mailboxes-unlimited-spellings.json", Mailbox)} == {None}


def test_numbers_may_be_bare_quoted_or_null() -> None:
    boxes = recorded("full_list", "mailboxes-numbers-bare-and-null.json", Mailbox)
    told = {one.key: (one.quota, one.used) for one in boxes if isinstance(one, Mailbox)}
    assert told == {f"bare@{HOME}": (GB, MB // 2), f"quoted@{HOME}": (GB, MB // 2), f"null@{HOME}": (None, None)}


def test_a_quota_that_is_no_number_is_told_and_not_left_out() -> None:
    with pytest.raises(Misbehaved, match="lots"):
        recorded("full_list", "mailboxes-quota-garbage.json", Mailbox)


def test_rows_encoded_within_json_are_read() -> None:
    (box,) = recorded("full_list", "mailboxes-rows-encoded-in-json.json", Mailbox)
    assert box == Mailbox(ANN, quota=GB, used=MB, holds=frozenset({Hold.LOGIN}))


def test_rows_of_something_else_are_told() -> None:
    with pytest.raises(Misbehaved, match="nobody knows"):
        recorded("full_list", "mailboxes-not-a-table.json", Mailbox)


def test_a_listing_that_only_says_that_it_worked_is_empty() -> None:
    assert recorded("full_list", "verdict-without-rows.txt", Mailbox) == []


def test_text_that_is_neither_spelling_is_told() -> None:
    with pytest.raises(Misbehaved, match="neither"):
        recorded("full_list", "neither-spelling.txt", Mailbox)


def test_destinations_with_commas_in_one_text_are_several() -> None:
    (forwarder,) = recorded("CMD_API_EMAIL_FORWARDERS", "forwarders-comma-texts.json", Forwarder)
    assert forwarder == Forwarder(f"all@{HOME}", (Destination("a@example.net"), Destination("b@example.net")))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_international_domains_come_in_both_forms_and_are_kept_as_a_labels(
    panel: DirectAdmin, writer: DirectAdminWriter, spelling: str
) -> None:
    panel.answers = spelling
    for form, name in (("españa.example", "xn--espaa-rta.example"), ("xn--caf-dma.example", "xn--caf-dma.example")):
        panel.give_mailbox(f"ann@{form}")
        assert name in {one.name for one in writer.domains()}
        writer.create(Mailbox(f"bob@{name}"), PASSWORD)
        assert {one.address for one in writer.list(Mailbox, name)} == {f"ann@{name}", f"bob@{name}"}


# -- mailboxes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quota", "sent"), [(1, "1"), (MB, "1"), (MB + 1, "2"), (1536 * MB, "1536"), (None, "0"), (0, "1")]
)
def test_a_quota_is_sent_in_whole_megabytes_rounded_up(
    panel: DirectAdmin, writer: DirectAdminWriter, quota: int | None, sent: str
) -> None:
    writer.create(Mailbox(ANN, quota=quota), PASSWORD)
    assert panel.mailbox(ANN)["quota"] == sent


def test_a_password_change_keeps_the_quota(panel: DirectAdmin, writer: DirectAdminWriter) -> None:
    panel.give_mailbox(ANN, quota="512")
    writer.set_password(ANN, PASSWORD)
    assert PASSWORD.plain
    assert panel.domains[HOME].passwords["ann"] == PASSWORD.plain.get_secret_value()
    assert panel.mailbox(ANN)["quota"] == "512"


def test_a_password_for_no_mailbox_is_not_found(writer: DirectAdminWriter) -> None:
    with pytest.raises(NotFound):
        writer.set_password(ANN, PASSWORD)


@pytest.mark.parametrize(
    ("password", "why"), [(" leading", "blank"), ("trailing ", "blank"), ("two\nlines", "control"), ("", "empty")]
)
def test_a_password_the_panel_might_garble_is_never_sent(
    panel: DirectAdmin, writer: DirectAdminWriter, password: str, why: str
) -> None:
    panel.give_mailbox(ANN)
    secret = Password(plain=SecretStr(password))
    with pytest.raises(Refused, match=why):
        writer.create(Mailbox(f"bob@{HOME}"), secret)
    with pytest.raises(Refused, match=why):
        writer.set_password(ANN, secret)
    assert not panel.written


def test_signs_in_a_password_arrive_whole(panel: DirectAdmin, writer: DirectAdminWriter) -> None:
    odd = "50%+& ñ=#\"'\\$x"
    writer.create(Mailbox(ANN), Password(plain=SecretStr(odd)))
    assert panel.domains[HOME].passwords["ann"] == odd


def test_a_hash_is_refused_since_there_is_no_way_to_set_one(panel: DirectAdmin, writer: DirectAdminWriter) -> None:
    with pytest.raises(Refused, match="plain"):
        writer.create(Mailbox(ANN), Password(hash=SecretStr("{SHA512-CRYPT}$6$a$b")))
    assert not panel.written


def test_a_suspension_and_a_quota_are_changed(panel: DirectAdmin, writer: DirectAdminWriter) -> None:
    panel.give_mailbox(ANN, quota="10", suspended="yes")
    (there,) = writer.list(Mailbox, HOME)
    assert there.holds == {Hold.LOGIN}
    writer.change(Mailbox(ANN, quota=GB), there)
    assert panel.mailbox(ANN) | {"usage": ""} == {"quota": "1024", "suspended": "no", "usage": ""}


def test_the_command_that_could_delete_is_not_run_where_suspensions_are_not_told(
    panel: DirectAdmin, writer: DirectAdminWriter
) -> None:
    panel.tells_suspensions = False
    with pytest.raises(Refused, match="suspensions"):
        writer.create(Mailbox(ANN, holds=frozenset({Hold.LOGIN})), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, HOME)] == [ANN]


# -- forwarders and catch-all -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("value", "destination"),
    [
        ("else@example.net", ELSE),
        ("else@españa.example", Destination("else@xn--espaa-rta.example")),
        (":blackhole:", Destination(way=Way.DISCARD)),
        (":fail: gone, sorry", Destination("gone, sorry", Way.REJECT)),
        ('":fail: gone"', Destination("gone", Way.REJECT)),
        ("|/usr/bin/vacation -a x,y", Destination("|/usr/bin/vacation -a x,y", Way.PIPE)),
        ('"|/bin/sh"', Destination("|/bin/sh", Way.PIPE)),
        ("acme", Destination("acme", Way.SYSTEM)),
    ],
)
def test_destinations_are_classified(
    panel: DirectAdmin, reader: DirectAdminReader, value: str, destination: Destination, spelling: str
) -> None:
    panel.answers = spelling
    home = panel.give_domain(HOME)
    home.forwarders["fwd"] = value
    assert reader.list(Forwarder, HOME) == [Forwarder(f"fwd@{HOME}", (destination,))]
    home.catch_all = value
    kept = [] if destination.way is Way.REJECT else [CatchAll(HOME, destination)]
    assert reader.list(CatchAll, HOME) == kept


@pytest.mark.parametrize("value", [":fail:", ":fail: no such user", '":fail: No Such User Here"', ""])
def test_no_catch_all_is_none(panel: DirectAdmin, reader: DirectAdminReader, value: str) -> None:
    panel.give_domain(HOME).catch_all = value
    assert reader.list(CatchAll, HOME) == []


def test_a_catch_all_discards_and_is_changed(panel: DirectAdmin, writer: DirectAdminWriter) -> None:
    writer.create(CatchAll(HOME, Destination(way=Way.DISCARD)))
    assert panel.domains[HOME].catch_all == ":blackhole:"
    (there,) = writer.list(CatchAll, HOME)
    writer.change(CatchAll(HOME, ELSE), there)
    assert writer.list(CatchAll, HOME) == [CatchAll(HOME, ELSE)]


@pytest.mark.parametrize("way", [Way.PIPE, Way.SYSTEM])
def test_ways_that_exist_on_the_old_machine_alone_are_refused(
    panel: DirectAdmin, writer: DirectAdminWriter, way: Way
) -> None:
    with pytest.raises(Refused) as refused:
        writer.create(Forwarder(f"fwd@{HOME}", (Destination("x", way),)))
    assert refused.value.remedy
    with pytest.raises(Refused):
        writer.create(CatchAll(HOME, Destination("x", way)))
    assert not panel.written


def test_a_rejection_with_a_comma_is_refused_since_it_would_be_cut(
    panel: DirectAdmin, writer: DirectAdminWriter
) -> None:
    with pytest.raises(Refused, match="comma"):
        writer.create(Forwarder(f"fwd@{HOME}", (Destination("gone, sorry", Way.REJECT),)))
    assert not panel.written


def test_a_copy_is_kept_where_there_is_a_mailbox_and_only_there(panel: DirectAdmin, writer: DirectAdminWriter) -> None:
    with pytest.raises(Refused, match="no mailbox"):
        writer.create(Forwarder(ANN, (ELSE,), keeps_copy=True))
    panel.give_mailbox(ANN)
    with pytest.raises(Refused, match="keeps a copy"):
        writer.create(Forwarder(ANN, (ELSE,)))
    assert not panel.written


def test_a_forwarder_that_names_itself_keeps_a_copy(panel: DirectAdmin, reader: DirectAdminReader) -> None:
    panel.give_mailbox(ANN)
    panel.give_domain(HOME).forwarders["ann"] = f"ann@{HOME},else@example.net"
    assert reader.list(Forwarder, HOME) == [Forwarder(ANN, (ELSE,), keeps_copy=True)]


def test_a_forwarder_is_changed(panel: DirectAdmin, writer: DirectAdminWriter) -> None:
    panel.give_domain(HOME).forwarders["fwd"] = "one@example.net"
    (there,) = writer.list(Forwarder, HOME)
    wanted = Forwarder(f"fwd@{HOME}", (Destination("two@example.net"),))
    writer.change(wanted, there)
    assert writer.list(Forwarder, HOME) == [wanted]


def test_local_parts_the_panel_does_not_take_are_refused(writer: DirectAdminWriter) -> None:
    with pytest.raises(Refused, match="valid user name"):
        writer.create(Mailbox(f"with+plus@{HOME}"), PASSWORD)
    with pytest.raises(Refused, match="letters"):
        writer.create(Mailbox(f"maría@{HOME}"), PASSWORD)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_pointers_and_mailing_lists_are_told(panel: DirectAdmin, reader: DirectAdminReader, spelling: str) -> None:
    panel.answers = spelling
    home = panel.give_domain(HOME)
    home.pointers, home.lists = ["old.example.com"], ["news"]
    assert reader.list(DomainForwarder, HOME) == [DomainForwarder("old.example.com", HOME)]
    assert reader.list(ListName, HOME) == [ListName(f"news@{HOME}")]


# -- autoresponders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("selects_as_html", [True, False], ids=["html", "choices"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_autoresponder_arrives_in_every_spelling(
    panel: DirectAdmin, writer: DirectAdminWriter, spelling: str, *, selects_as_html: bool
) -> None:
    panel.answers = spelling
    panel.selects_as_html = selects_as_html
    wanted = Autoresponder(ANN, "Two\nlines,\ta tab & 100% \\.", subject="Away", is_html=True, interval_hours=48)
    writer.create(wanted)
    assert writer.list(Autoresponder, HOME) == [wanted]


@pytest.mark.parametrize(("hours", "told"), [(None, 1), (1, 1), (3, 6), (24, 24), (36, 48), (1000, 168)])
def test_the_next_longer_interval_is_taken(writer: DirectAdminWriter, hours: int | None, told: int) -> None:
    writer.create(Autoresponder(ANN, "Away.", interval_hours=hours))
    assert [one.interval_hours for one in writer.list(Autoresponder, HOME)] == [told]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_autoresponder_with_dates_is_a_vacation_message(
    panel: DirectAdmin, writer: DirectAdminWriter, spelling: str
) -> None:
    panel.answers = spelling
    panel.give_mailbox(ANN)
    start, stop = datetime(2026, 12, 20, 9, 30, tzinfo=UTC), datetime(2027, 1, 7, 20, tzinfo=UTC)
    writer.create(Autoresponder(ANN, "Away.", interval_hours=24, start=start, stop=stop))
    (there,) = writer.list(Autoresponder, HOME)
    assert (there.start, there.stop) == (start.replace(hour=0, minute=0), stop.replace(hour=18))
    assert panel.domains[HOME].vacations.keys() == {"ann"}
    with pytest.raises(Refused, match="already"):
        writer.create(Autoresponder(ANN, "Other."))


def test_a_vacation_message_needs_both_ends(panel: DirectAdmin, writer: DirectAdminWriter) -> None:
    with pytest.raises(Refused, match="both"):
        writer.create(Autoresponder(ANN, "Away.", start=datetime(2026, 12, 20, tzinfo=UTC)))
    assert not panel.written


def test_an_autoresponder_is_changed_and_becomes_a_vacation_message(
    panel: DirectAdmin, writer: DirectAdminWriter
) -> None:
    panel.give_mailbox(ANN)
    writer.create(Autoresponder(ANN, "Away.", interval_hours=24))
    (there,) = writer.list(Autoresponder, HOME)
    writer.change(Autoresponder(ANN, "Back soon.", interval_hours=24), there)
    (there,) = writer.list(Autoresponder, HOME)
    assert there.body == "Back soon."
    day = datetime(2026, 12, 20, tzinfo=UTC)
    wanted = Autoresponder(ANN, "Gone.", interval_hours=24, start=day, stop=day)
    writer.change(wanted, there)
    assert writer.list(Autoresponder, HOME) == [wanted]


def test_two_answers_for_one_address_are_told(panel: DirectAdmin, reader: DirectAdminReader) -> None:
    home = panel.give_domain(HOME)
    home.responders["ann"] = {"text": "One."}
    home.vacations["ann"] = {
        "text": "Two.",
        **{f"{which}{part}": "1" for which in ("start", "end") for part in ("day", "month", "year")},
    }
    with pytest.raises(Misbehaved, match="both"):
        reader.list(Autoresponder, HOME)


def test_a_vacation_message_without_a_date_is_told(panel: DirectAdmin, reader: DirectAdminReader) -> None:
    panel.give_domain(HOME).vacations["ann"] = {
        "text": "One.",
        "startday": "31",
        "startmonth": "2",
        "startyear": "2026",
    }
    with pytest.raises(Misbehaved, match="no date"):
        reader.list(Autoresponder, HOME)


def test_where_an_autoresponder_sends_copies_is_a_forwarder(panel: DirectAdmin, reader: DirectAdminReader) -> None:
    panel.give_domain(HOME).responders["ann"] = {"text": "Away.", "email": "else@example.net"}
    assert reader.list(Forwarder, HOME) == [Forwarder(ANN, (ELSE,))]


def test_a_session_for_reading_writes_nothing(panel: DirectAdmin, reader: DirectAdminReader) -> None:
    panel.give_mailbox(ANN)
    reader.probe()
    for noun in directadmin.FEATURES.lists:
        reader.list(noun, HOME)
    assert not panel.written
    with pytest.raises(RuntimeError):
        reader._api.do("CMD_API_POP", "x", {"action": "create"})
