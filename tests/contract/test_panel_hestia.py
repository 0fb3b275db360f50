"""The HestiaCP adapter: the contract of every panel, and the traps of its API.

Against a living panel instead of the emulator (its domains d1.example.com ... are made and stay):

    MIGRATOR_LIVE_HESTIA=https://panel.example.net:8083 MIGRATOR_LIVE_HESTIA_USER=acme \
    MIGRATOR_LIVE_HESTIA_KEY=ACCESS:SECRET MIGRATOR_LIVE_HESTIA_FINGERPRINT=... pytest tests/contract/test_panel_hestia.py -k TestHestia
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from migrator.errors import Dropped, EndpointRefused, Misbehaved, NoSpace, NotFound, Refused, Unavailable
from migrator.panel.adapters import hestia
from migrator.panel.adapters.hestia import HestiaReader, HestiaWriter
from migrator.panel.decisions import why_not
from migrator.panel.model import (
    UNKNOWN_PASSWORD,
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    Forwarder,
    Hold,
    Mailbox,
    Password,
    Way,
    lost,
)
from migrator.testing.panel_suite import PASSWORD, PanelContract
from migrator.testing.panels.hestia import MAIL_ACCOUNTS, Hestia, Key, hashed
from migrator.testing.panels.server import Answer, Mishap, Request

FIXTURES = Path(__file__).parents[2] / "fixtures" / "panel" / "hestia"
MB = 1024**2
GB = 1024**3
HOME = "d.example.com"
ANN = f"ann@{HOME}"
ELSE = Destination("else@example.net")


@pytest.fixture
def panel() -> Iterator[Hestia]:
    with Hestia() as running:
        running.give_domain(HOME)
        yield running


def options(panel: Hestia, access: str = Hestia.ACCESS, secret: str = Hestia.SECRET) -> hestia.Options:
    return hestia.Options(
        url=panel.url,
        user=panel.USER,
        key=SecretStr(f"{access}:{secret}"),
        tls_fingerprint=panel.fingerprint,
        timeout=5,
    )


@pytest.fixture
def reader(panel: Hestia) -> Iterator[HestiaReader]:
    session = HestiaReader(options(panel))
    yield session
    session.close()


@pytest.fixture
def writer(panel: Hestia) -> Iterator[HestiaWriter]:
    session = HestiaWriter(options(panel))
    yield session
    session.close()


class TestHestia(PanelContract):
    adapter = hestia.ADAPTER
    features = hestia.FEATURES

    @pytest.fixture
    def options(self, panel: Hestia) -> hestia.Options:
        if url := os.environ.get("MIGRATOR_LIVE_HESTIA"):
            told = {name: os.environ.get(f"MIGRATOR_LIVE_HESTIA_{name}", "") for name in ("USER", "KEY", "FINGERPRINT")}
            return hestia.Options(
                url=url,
                user=told["USER"],
                key=SecretStr(told["KEY"]),
                tls_fingerprint=told["FINGERPRINT"] or None,
            )
        return options(panel)

    @pytest.fixture
    def wrong_options(self, options: hestia.Options) -> hestia.Options:
        assert isinstance(options.key, SecretStr)
        access = options.key.get_secret_value().partition(":")[0]
        return options.model_copy(update={"key": SecretStr(f"{access}:{'x' * 40}")})


# -- the key ----------------------------------------------------------------------------------------------------------


def test_after_one_refused_key_the_session_asks_nothing_more(panel: Hestia) -> None:
    session = HestiaWriter(options(panel, secret="x" * 40))
    for _ in range(3):
        with pytest.raises(EndpointRefused):
            session.domains()
        with pytest.raises(EndpointRefused):
            session.create(Mailbox(ANN), PASSWORD)
    assert panel.attempts == len(panel.requests) == 1


def test_a_key_that_was_deleted_is_told_as_the_endpoints(panel: Hestia, reader: HestiaReader) -> None:
    reader.domains()
    del panel.keys[panel.ACCESS]
    with pytest.raises(EndpointRefused):
        reader.domains()


def test_a_secret_without_its_second_part_is_refused_before_anything_is_sent(panel: Hestia) -> None:
    with pytest.raises(EndpointRefused) as refused:
        HestiaReader(options(panel, secret=""))
    assert "ACCESS_KEY:SECRET_KEY" in refused.value.remedy
    assert not panel.requests


def test_an_address_the_api_does_not_allow_is_told_as_the_endpoints(panel: Hestia, reader: HestiaReader) -> None:
    panel.allowed_addresses = ""
    with pytest.raises(EndpointRefused) as refused:
        reader.probe()
    assert "address" in refused.value.remedy


def test_an_api_that_is_turned_off_is_told_as_the_endpoints(panel: Hestia, reader: HestiaReader) -> None:
    panel.api_system = 0
    with pytest.raises(EndpointRefused, match="disabled"):
        reader.probe()


def test_a_users_key_for_another_user_is_told_as_the_endpoints(panel: Hestia) -> None:
    wrong = options(panel, panel.USER_ACCESS).model_copy(update={"user": "other"})
    with pytest.raises(EndpointRefused):
        HestiaReader(wrong).domains()


def test_a_user_that_is_not_there_is_told_as_the_endpoints(panel: Hestia) -> None:
    with pytest.raises(EndpointRefused, match="other"):
        HestiaReader(options(panel).model_copy(update={"user": "other"})).domains()


def test_a_command_the_key_may_not_run_ends_the_endpoint_since_it_counts_as_a_failed_login(panel: Hestia) -> None:
    session = HestiaWriter(options(panel, panel.USER_ACCESS))
    for _ in range(3):
        with pytest.raises(EndpointRefused) as refused:
            session.create(Domain("new.example.com"))
    assert "v-add-mail-domain" in refused.value.remedy
    assert panel.attempts == 1


def test_a_key_for_mail_accounts_moves_mailboxes_and_forwarders(panel: Hestia) -> None:
    session = HestiaWriter(options(panel, panel.USER_ACCESS))
    session.create(Mailbox(ANN, quota=GB), PASSWORD)
    session.create(Forwarder(f"fwd@{HOME}", (ELSE,)))
    session.create(Autoresponder(ANN, "Away."))
    assert [one.address for one in session.list(Mailbox, HOME)] == [ANN]
    assert panel.attempts == 0


def test_the_secret_travels_in_the_body_alone(panel: Hestia, reader: HestiaReader) -> None:
    reader.probe()
    for request in panel.requests:
        assert panel.SECRET not in request.path + request.query + str(request.headers)


# -- exit codes decide ------------------------------------------------------------------------------------------------


def test_a_401_with_exit_code_5_is_a_suspended_domain_and_no_refused_login(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_domain("asleep.example.com", SUSPENDED="yes")
    with pytest.raises(Refused, match="suspended"):
        writer.create(Mailbox("ann@asleep.example.com"), PASSWORD)
    writer.create(Mailbox(ANN), PASSWORD)


def test_a_400_with_exit_code_4_is_something_that_is_there(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN)
    with pytest.raises(Refused, match="there already"):
        writer.create(Mailbox(ANN), PASSWORD)


def test_a_422_with_exit_code_2_is_refused_in_the_panels_words(writer: HestiaWriter) -> None:
    with pytest.raises(Refused, match="invalid email format"):
        writer.create(Forwarder(f"fwd@{HOME}", (Destination("we!rd@example.net"),)))


def test_exit_code_8_is_a_full_package(panel: Hestia, writer: HestiaWriter) -> None:
    panel.most_accounts = 0
    with pytest.raises(NoSpace, match="limit is reached"):
        writer.create(Mailbox(ANN), PASSWORD)


def test_exit_code_3_is_a_domain_that_is_not_there(reader: HestiaReader, writer: HestiaWriter) -> None:
    with pytest.raises(NotFound):
        reader.list(Mailbox, "gone.example.com")
    with pytest.raises(NotFound):
        reader.list(CatchAll, "gone.example.com")
    with pytest.raises(NotFound):
        writer.create(Mailbox("ann@gone.example.com"), PASSWORD)


@pytest.mark.parametrize("what", ["html", "redirect"])
def test_a_login_page_means_that_this_is_not_the_api(panel: Hestia, reader: HestiaReader, what: str) -> None:
    panel.mishaps.append(Mishap(what))
    with pytest.raises(EndpointRefused) as refused:
        reader.domains()
    assert "8083" in refused.value.remedy
    with pytest.raises(EndpointRefused):
        reader.domains()
    assert len(panel.requests) == 1


def test_a_url_that_is_not_the_api_is_told_as_the_endpoints(panel: Hestia) -> None:
    elsewhere = options(panel).model_copy(update={"url": f"{panel.url}/panel"})
    with pytest.raises(EndpointRefused):
        HestiaReader(elsewhere).domains()


def test_an_answer_without_an_exit_code_proves_nothing(panel: Hestia, writer: HestiaWriter) -> None:
    panel.mishaps += [Mishap("blank", about="v-add-mail-account"), Mishap("blank", about="v-list-mail-accounts")]
    with pytest.raises(Dropped, match="Hestia-Exit-Code"):
        writer.create(Mailbox(ANN), PASSWORD)
    with pytest.raises(Misbehaved, match="Hestia-Exit-Code"):
        writer.list(Mailbox, HOME)


def test_a_panel_that_fails_after_success_is_unavailable_and_the_mailbox_is_there(
    panel: Hestia, writer: HestiaWriter
) -> None:
    panel.mishaps.append(Mishap("500", about="v-add-mail-account"))
    with pytest.raises(Unavailable):
        writer.create(Mailbox(ANN), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, HOME)] == [ANN]


def test_a_lost_answer_is_an_unknown_outcome(panel: Hestia, writer: HestiaWriter) -> None:
    panel.mishaps.append(Mishap("lost", about="v-add-mail-account"))
    with pytest.raises(Dropped):
        writer.create(Mailbox(ANN), PASSWORD)
    assert [one.address for one in writer.list(Mailbox, HOME)] == [ANN]


def test_a_busy_panel_says_how_long_to_wait(panel: Hestia, reader: HestiaReader) -> None:
    panel.mishaps.append(Mishap("busy"))
    with pytest.raises(Unavailable) as busy:
        reader.domains()
    assert busy.value.wait == timedelta(seconds=1)


def test_a_listing_that_is_cut_in_half_is_no_empty_listing(panel: Hestia, reader: HestiaReader) -> None:
    panel.give_account(ANN)
    panel.mishaps.append(Mishap("garbled", about="v-list-mail-accounts"))
    with pytest.raises(Misbehaved):
        reader.list(Mailbox, HOME)


# -- listings ---------------------------------------------------------------------------------------------------------


class Recorded(Hestia):
    """Answers every listing of accounts with a recorded text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def answer(self, request: Request) -> Answer:
        if request.form.get("cmd") == "v-list-mail-accounts":
            return Answer(self.text.encode(), headers={"Hestia-Exit-Code": "0"})
        return super().answer(request)


def recorded(name: str) -> list[Mailbox]:
    with Recorded((FIXTURES / name).read_text("utf-8")) as running:
        return list(HestiaReader(options(running)).list(Mailbox, HOME))


def test_unlimited_has_several_spellings() -> None:
    assert {one.quota for one in recorded("accounts-unlimited-spellings.json")} == {None}


def test_numbers_may_be_bare_quoted_or_null() -> None:
    told = {one.address: (one.quota, one.used) for one in recorded("accounts-numbers-bare-and-null.json")}
    assert told == {f"bare@{HOME}": (GB, 2 * MB), f"quoted@{HOME}": (GB, 2 * MB), f"null@{HOME}": (None, None)}


def test_a_quota_that_is_no_number_is_told_and_not_left_out() -> None:
    with pytest.raises(Misbehaved, match="lots"):
        recorded("accounts-quota-garbage.json")


def test_a_tab_in_the_shells_json_is_read() -> None:
    assert [one.address for one in recorded("accounts-tab-inside.json")] == [ANN]


def test_phps_empty_list_is_no_account() -> None:
    assert recorded("accounts-empty-list.json") == []


def test_a_list_of_something_else_is_told() -> None:
    with pytest.raises(Misbehaved):
        recorded("accounts-not-a-table.json")


def test_international_domains_are_listed_in_unicode_and_kept_as_a_labels(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_domain("españa.example")
    panel.give_account("ann@españa.example")
    assert "xn--espaa-rta.example" in {one.name for one in writer.domains()}
    assert [one.address for one in writer.list(Mailbox, "españa.example")] == ["ann@xn--espaa-rta.example"]
    writer.create(Mailbox("bob@xn--espaa-rta.example"), PASSWORD)
    assert len(writer.list(Mailbox, "xn--espaa-rta.example")) == 2
    with pytest.raises(NotFound):
        writer.list(Mailbox, "xn--nothing-here-c6a.example")


def test_an_international_domain_is_created_as_a_person_types_it(panel: Hestia, writer: HestiaWriter) -> None:
    writer.create(Domain("xn--caf-dma.example"))
    assert "café.example" in panel.users[panel.USER]
    with pytest.raises(Refused):
        writer.create(Domain("xn--caf-dma.example"))


def test_a_domain_tells_its_selector_and_its_suspension(panel: Hestia, reader: HestiaReader) -> None:
    panel.give_domain("asleep.example.com", SUSPENDED="yes", DKIM="no")
    told = {one.name: one for one in reader.domains()}
    assert told[HOME] == Domain(HOME, dkim_selector="mail")
    assert told["asleep.example.com"] == Domain("asleep.example.com", suspended=True)


def test_a_domain_under_no_public_suffix_is_refused_in_the_panels_words(writer: HestiaWriter) -> None:
    with pytest.raises(Refused, match="suffix"):
        writer.create(Domain("intranet.corp"))


# -- mailboxes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quota", "sent"), [(1, "1"), (MB, "1"), (MB + 1, "2"), (1536 * MB, "1536"), (None, "unlimited"), (0, "1")]
)
def test_a_quota_is_sent_in_whole_megabytes_rounded_up(
    panel: Hestia, writer: HestiaWriter, quota: int | None, sent: str
) -> None:
    writer.create(Mailbox(ANN, quota=quota), PASSWORD)
    assert panel.account(ANN)["QUOTA"] == sent


def test_upper_case_is_folded_by_us_as_the_panel_does(panel: Hestia, writer: HestiaWriter) -> None:
    writer.create(Mailbox(f"Ann.Lee@{HOME}"), PASSWORD)
    assert panel.account(f"ann.lee@{HOME}")


@pytest.mark.parametrize("local", ["with+plus", "maría", "a/b", "a&b", "-", "x" * 65, "two words"])
def test_local_parts_the_panel_does_not_take_are_refused_before_anything_is_sent(
    panel: Hestia, writer: HestiaWriter, local: str
) -> None:
    with pytest.raises(Refused, match="letters, digits"):
        writer.create(Mailbox(f"{local}@{HOME}"), PASSWORD)
    with pytest.raises(Refused, match="letters, digits"):
        writer.create(Forwarder(f"{local}@{HOME}", (ELSE,)))
    assert not panel.written


@pytest.mark.parametrize(
    ("password", "why"),
    [
        (" leading", "blank"),
        ("trailing\t", "control"),
        ("trailing ", "blank"),
        ("two\nlines", "control"),
        ("/tmp/x", "file"),
        ("", "empty"),
    ],
)
def test_a_password_the_panel_would_garble_is_never_sent(
    panel: Hestia, writer: HestiaWriter, password: str, why: str
) -> None:
    panel.give_account(ANN)
    secret = Password(plain=SecretStr(password))
    with pytest.raises(Refused, match=why):
        writer.create(Mailbox(f"bob@{HOME}"), secret)
    with pytest.raises(Refused, match=why):
        writer.set_password(ANN, secret)
    assert not panel.written


def test_a_password_with_signs_and_letters_of_the_world_arrives_whole(panel: Hestia, writer: HestiaWriter) -> None:
    odd = "50%+& ñ=#\"'\\$x"
    writer.create(Mailbox(ANN), Password(plain=SecretStr(odd)))
    assert panel.account(ANN)["MD5"] == hashed(odd)
    writer.set_password(ANN, PASSWORD)
    assert PASSWORD.plain
    assert panel.account(ANN)["MD5"] == hashed(PASSWORD.plain.get_secret_value())


def test_a_hash_is_refused_since_there_is_no_way_to_set_one(panel: Hestia, writer: HestiaWriter) -> None:
    with pytest.raises(Refused, match="plain"):
        writer.create(Mailbox(ANN), Password(hash=SecretStr("{SHA512-CRYPT}$6$a$b")))
    assert not panel.written


class Repeating(Hestia):
    """Repeats in its error the password it does not like."""

    def answer(self, request: Request) -> Answer:
        if request.form.get("cmd") == "v-add-mail-account":
            text = f"Error: invalid password format :: {request.form['arg4']}"
            return Answer(text.encode(), 422, "text/html", {"Hestia-Exit-Code": "2"})
        return super().answer(request)


def test_a_password_the_panel_repeats_in_its_error_is_hidden() -> None:
    with Repeating() as panel:
        session = HestiaWriter(options(panel))
        with pytest.raises(Refused) as refused:
            session.create(Mailbox(ANN), PASSWORD)
    assert "***" in refused.value.sentence()
    assert PASSWORD.plain
    assert PASSWORD.plain.get_secret_value() not in refused.value.sentence()


def test_a_suspension_and_a_quota_are_changed(panel: Hestia, writer: HestiaWriter) -> None:
    held = Mailbox(ANN, quota=GB, holds=frozenset({Hold.LOGIN}))
    writer.create(held, PASSWORD)
    (there,) = writer.list(Mailbox, HOME)
    assert there.holds == held.holds
    writer.change(Mailbox(ANN, quota=2 * GB, holds=held.holds), there)  # a suspended account takes no quota
    assert (panel.account(ANN)["QUOTA"], panel.account(ANN)["SUSPENDED"]) == ("2048", "yes")
    (there,) = writer.list(Mailbox, HOME)
    writer.change(Mailbox(ANN, quota=2 * GB), there)
    assert panel.account(ANN)["SUSPENDED"] == "no"


# -- password hashes --------------------------------------------------------------------------------------------------


def test_an_administrators_key_reads_hashes(panel: Hestia, reader: HestiaReader) -> None:
    panel.give_account(ANN, password="secret", SUSPENDED="yes")
    told = reader.password_of(ANN)
    assert told.scheme == "BLF-CRYPT"
    assert told.hash
    assert told.hash.get_secret_value() == panel.account(ANN)["MD5"]
    assert reader.features.reads_hashes


def test_a_hash_of_early_versions_is_md5_crypt(panel: Hestia, reader: HestiaReader) -> None:
    panel.give_account(ANN, MD5="{MD5}$1$salt$abcdefghijklmnopqrstu.")
    assert reader.password_of(ANN).scheme == "MD5-CRYPT"


def test_a_users_key_reads_no_hashes_and_finding_out_counts_as_no_failed_login(panel: Hestia) -> None:
    panel.give_account(ANN)
    session = HestiaReader(options(panel, panel.USER_ACCESS))
    assert session.probe().notes
    assert session.password_of(ANN) == UNKNOWN_PASSWORD
    assert not session.features.reads_hashes
    assert session.features.told("mailbox.password") == lost("only an administrator's key may read password hashes")
    assert panel.attempts == 0
    assert [one.address for one in session.list(Mailbox, HOME)] == [ANN]


def test_an_administrators_narrow_key_is_asked_for_a_hash_once(panel: Hestia) -> None:
    panel.give_account(ANN)
    panel.keys["NARROW"] = Key("s", "admin", MAIL_ACCOUNTS)
    session = HestiaReader(options(panel, "NARROW", "s"))
    for _ in range(3):
        assert session.password_of(ANN) == UNKNOWN_PASSWORD
    assert panel.attempts == 1


# -- forwarders -------------------------------------------------------------------------------------------------------


def test_a_forwarder_without_a_mailbox_is_an_account_that_nobody_sees_as_a_mailbox(
    panel: Hestia, writer: HestiaWriter
) -> None:
    wanted = Forwarder(f"fwd@{HOME}", (ELSE,))
    writer.create(wanted)
    row = panel.account(wanted.address)
    assert (row["FWD"], row["FWD_ONLY"], row["QUOTA"]) == ("else@example.net", "yes", "1")
    assert writer.list(Forwarder, HOME) == [wanted]
    assert writer.list(Mailbox, HOME) == []


def test_the_throw_away_passwords_differ_and_are_sent_nowhere_else(panel: Hestia, writer: HestiaWriter) -> None:
    for name in ("one", "two"):
        writer.create(Forwarder(f"{name}@{HOME}", (ELSE,)))
    assert panel.account(f"one@{HOME}")["MD5"] != panel.account(f"two@{HOME}")["MD5"]


def test_a_forwarder_to_one_mailbox_of_the_domain_is_an_alias(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN)
    wanted = Forwarder(f"info@{HOME}", (Destination(ANN),))
    writer.create(wanted)
    assert panel.account(ANN)["ALIAS"] == "info"
    assert writer.list(Forwarder, HOME) == [wanted]
    with pytest.raises(Refused, match="alias"):
        writer.create(Forwarder(f"info@{HOME}", (ELSE,)))


def test_a_forwarder_to_a_mailbox_of_the_domain_and_another_is_no_alias(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN)
    wanted = Forwarder(f"info@{HOME}", tuple(sorted((Destination(ANN), ELSE))))
    writer.create(wanted)
    assert panel.account(ANN)["ALIAS"] == ""
    assert writer.list(Forwarder, HOME) == [wanted]


def test_people_s_forward_only_accounts_are_forwarders_unless_they_hold_mail(
    panel: Hestia, reader: HestiaReader
) -> None:
    both = {"FWD": "x@example.net,:blackhole:", "FWD_ONLY": "yes"}
    panel.give_account(f"empty@{HOME}", **both)
    panel.give_account(f"full@{HOME}", **both, U_DISK="12")
    panel.give_account(f"roomy@{HOME}", **both, QUOTA="500")
    assert {one.address for one in reader.list(Mailbox, HOME)} == {f"full@{HOME}", f"roomy@{HOME}"}
    forwarders = reader.list(Forwarder, HOME)
    assert len(forwarders) == 3
    assert {one.way for one in forwarders[0].destinations} == {Way.ADDRESS, Way.DISCARD}
    assert not any(one.keeps_copy for one in forwarders)


def test_a_mailbox_that_keeps_a_copy_has_no_forward_only(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN)
    writer.create(Forwarder(ANN, (ELSE,), keeps_copy=True))
    assert panel.account(ANN)["FWD_ONLY"] == ""


def test_a_mailbox_with_room_may_forward_without_a_copy_and_stays_a_mailbox(
    panel: Hestia, writer: HestiaWriter
) -> None:
    panel.give_account(ANN, QUOTA="1024")
    wanted = Forwarder(ANN, (ELSE,))
    writer.create(wanted)
    assert writer.list(Forwarder, HOME) == [wanted]
    assert [one.address for one in writer.list(Mailbox, HOME)] == [ANN]


def test_a_mailbox_that_would_look_like_a_mere_forwarder_is_refused(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN)
    with pytest.raises(Refused) as refused:
        writer.create(Forwarder(ANN, (ELSE,)))
    assert "quota" in refused.value.remedy
    assert panel.account(ANN)["FWD"] == ""
    writer.create(Forwarder(ANN, (ELSE,), keeps_copy=True))
    (there,) = writer.list(Forwarder, HOME)
    with pytest.raises(Refused):
        writer.change(Forwarder(ANN, (ELSE,)), there)
    assert panel.account(ANN)["FWD_ONLY"] == ""


def test_a_copy_needs_a_mailbox_to_be_kept_in(writer: HestiaWriter) -> None:
    with pytest.raises(Refused, match="no mailbox"):
        writer.create(Forwarder(f"fwd@{HOME}", (ELSE,), keeps_copy=True))


def test_mail_is_discarded_by_the_panels_black_hole(panel: Hestia, writer: HestiaWriter) -> None:
    wanted = Forwarder(f"noreply@{HOME}", (Destination(way=Way.DISCARD),))
    writer.create(wanted)
    assert panel.account(wanted.address)["FWD"] == ":blackhole:"
    assert writer.list(Forwarder, HOME) == [wanted]


def test_a_destination_that_ends_like_another_is_not_lost(writer: HestiaWriter) -> None:
    # The panel takes smith@example.net for a repetition of john.smith@example.net, which comes first by the alphabet.
    to = tuple(Destination(f"{name}@example.net") for name in ("a.smith", "john.smith", "smith"))
    writer.create(Forwarder(f"all@{HOME}", to))
    assert writer.list(Forwarder, HOME) == [Forwarder(f"all@{HOME}", to)]


@pytest.mark.parametrize(
    "stop", ["v-add-mail-account-forward", "v-add-mail-account-fwd-only", "cmd=v-add-mail-account&"]
)
@pytest.mark.parametrize("how", ["lost", "before", "500"])
def test_a_forwarder_that_was_left_unfinished_is_finished_by_creating_it_again(
    panel: Hestia, writer: HestiaWriter, stop: str, how: str
) -> None:
    wanted = Forwarder(f"all@{HOME}", (Destination("adam@example.net"), Destination("zoe@example.net")))
    panel.mishaps.append(Mishap(how, about=stop))
    with pytest.raises((Dropped, Unavailable)):
        writer.create(wanted)
    if writer.list(Forwarder, HOME) != [wanted]:
        writer.create(wanted)
    assert writer.list(Forwarder, HOME) == [wanted]
    assert writer.list(Mailbox, HOME) == []
    with pytest.raises(Refused):
        writer.create(wanted)


def test_a_forwarder_beside_a_mailbox_that_was_left_unfinished_is_finished(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN)
    wanted = Forwarder(ANN, (Destination("adam@example.net"), Destination("zoe@example.net")), keeps_copy=True)
    panel.mishaps.append(Mishap("lost", about="zoe%40"))
    with pytest.raises(Dropped):
        writer.create(wanted)
    writer.create(wanted)
    assert writer.list(Forwarder, HOME) == [wanted]


@pytest.mark.parametrize("way", [Way.REJECT, Way.PIPE, Way.SYSTEM])
def test_ways_the_panel_does_not_have_are_refused_before_anything_is_sent(
    panel: Hestia, writer: HestiaWriter, way: Way
) -> None:
    with pytest.raises(Refused) as refused:
        writer.create(Forwarder(f"fwd@{HOME}", (Destination("x", way),)))
    assert refused.value.remedy
    assert not panel.written


def test_a_suspended_mailbox_takes_forwards_and_stays_suspended(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN, SUSPENDED="yes")
    writer.create(Forwarder(ANN, (ELSE,), keeps_copy=True))
    writer.create(Forwarder(f"info@{HOME}", (Destination(ANN),)))
    row = panel.account(ANN)
    assert (row["FWD"], row["ALIAS"], row["SUSPENDED"]) == ("else@example.net", "info", "yes")


def test_a_suspended_mailbox_is_suspended_again_when_its_forward_is_refused(
    panel: Hestia, writer: HestiaWriter
) -> None:
    panel.give_account(ANN, SUSPENDED="yes")
    with pytest.raises(Refused):
        writer.create(Forwarder(ANN, (Destination("we!rd@example.net"),), keeps_copy=True))
    assert panel.account(ANN)["SUSPENDED"] == "yes"


def test_a_forwarder_is_changed_without_ever_being_empty(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN, FWD="one@example.net", FWD_ONLY="yes", QUOTA="100")
    (there,) = writer.list(Forwarder, HOME)
    wanted = Forwarder(ANN, (Destination("two@example.net"),), keeps_copy=True)
    writer.change(wanted, there)
    assert writer.list(Forwarder, HOME) == [wanted]


def test_an_alias_is_changed_into_a_forwarder(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN, ALIAS="info")
    (there,) = writer.list(Forwarder, HOME)
    wanted = Forwarder(f"info@{HOME}", (ELSE,))
    writer.change(wanted, there)
    assert writer.list(Forwarder, HOME) == [wanted]


# -- catch-all and autoresponders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "destination"),
    [
        ("ann@d.example.com", Destination(ANN)),
        ("ann@españa.example", Destination("ann@xn--espaa-rta.example")),
        (":blackhole:", Destination(way=Way.DISCARD)),
    ],
)
def test_a_catch_all_is_classified(panel: Hestia, reader: HestiaReader, value: str, destination: Destination) -> None:
    panel.give_domain(HOME, CATCHALL=value)
    assert reader.list(CatchAll, HOME) == [CatchAll(HOME, destination)]


@pytest.mark.parametrize("value", ["", ":fail:"])
def test_no_catch_all_is_none(panel: Hestia, reader: HestiaReader, value: str) -> None:
    panel.give_domain(HOME, CATCHALL=value)
    assert reader.list(CatchAll, HOME) == []


def test_a_catch_all_that_is_no_address_is_refused(panel: Hestia, writer: HestiaWriter) -> None:
    with pytest.raises(Refused, match="an address"):
        writer.create(CatchAll(HOME, Destination(way=Way.DISCARD)))
    assert not panel.written


def test_a_catch_all_is_changed(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_domain(HOME, CATCHALL="one@example.net")
    (there,) = writer.list(CatchAll, HOME)
    writer.change(CatchAll(HOME, ELSE), there)
    assert writer.list(CatchAll, HOME) == [CatchAll(HOME, ELSE)]


@pytest.mark.parametrize("keeps_lines", [True, False])
@pytest.mark.parametrize(
    "body", ["One line.", "Two\nlines.", "A\ttab.", 'Quotes "and" \\ strokes: C:\\temp', "  50% + ñ &c.\n\nBye".strip()]
)
def test_an_autoresponders_text_arrives_whole_in_both_spellings_of_line_breaks(
    panel: Hestia, writer: HestiaWriter, body: str, *, keeps_lines: bool
) -> None:
    panel.plain_keeps_lines = keeps_lines
    panel.give_account(ANN)
    writer.create(Autoresponder(ANN, body))
    assert writer.list(Autoresponder, HOME) == [Autoresponder(ANN, body)]


def test_an_autoresponder_the_panel_would_overwrite_silently_stays(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN)
    panel.give_autoreply(ANN, "Mine.")
    with pytest.raises(Refused, match="already"):
        writer.create(Autoresponder(ANN, "Other."))
    assert not panel.written
    (there,) = writer.list(Autoresponder, HOME)
    writer.change(Autoresponder(ANN, "Other."), there)
    assert writer.list(Autoresponder, HOME) == [Autoresponder(ANN, "Other.")]


def test_an_autoresponder_that_is_too_long_is_refused(panel: Hestia, writer: HestiaWriter) -> None:
    panel.give_account(ANN)
    with pytest.raises(Refused, match="10,240"):
        writer.create(Autoresponder(ANN, "x" * 10_240))
    writer.create(Autoresponder(ANN, "x" * 10_239))


def test_an_autoresponder_needs_a_mailbox_and_a_text(panel: Hestia, writer: HestiaWriter) -> None:
    with pytest.raises(Refused, match="no mailbox"):
        writer.create(Autoresponder(ANN, "Away."))
    panel.give_account(ANN)
    with pytest.raises(Refused, match="text"):
        writer.create(Autoresponder(ANN, " \n"))


def test_an_autoresponder_of_a_suspended_mailbox_is_told_without_its_text_and_moved_nowhere(
    panel: Hestia, reader: HestiaReader
) -> None:
    panel.give_account(ANN, SUSPENDED="yes")
    panel.give_autoreply(ANN, "Away.")
    (hidden,) = reader.list(Autoresponder, HOME)
    assert hidden == Autoresponder(ANN, "")
    assert why_not(hidden, hestia.FEATURES)
    assert why_not(replace(hidden, body="Away."), hestia.FEATURES) is None


def test_an_autoresponder_of_a_suspended_mailbox_is_refused_since_nobody_could_see_it(
    panel: Hestia, writer: HestiaWriter
) -> None:
    panel.give_account(ANN, SUSPENDED="yes")
    with pytest.raises(Refused, match="suspended"):
        writer.create(Autoresponder(ANN, "Away."))
    assert not panel.written


def test_a_session_for_reading_writes_nothing(panel: Hestia, reader: HestiaReader) -> None:
    panel.give_account(ANN, FWD="x@example.net")
    reader.probe()
    for noun in hestia.FEATURES.lists:
        reader.list(noun, HOME)
    reader.password_of(ANN)
    assert not panel.written
    with pytest.raises(RuntimeError):
        reader._api.do("v-add-mail-domain", "acme", "x.example.com", about="x")
