"""A real Mailman 3 core keeps the promises of the lists' contract, and nobody ever gets a mail from it."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from lab import mailman3 as lab

from migrator.engine.contract import Login
from migrator.lists.adapters import mailman3 as adapter
from migrator.lists.contract import THE_LISTS, ListReader, ListWriter
from migrator.lists.model import (
    Archive,
    AutoReply,
    Delivery,
    Dmarc,
    HeaderRule,
    Joining,
    Member,
    ReplyTo,
    Role,
    Settings,
    Stopped,
    Treatment,
    Visibility,
)
from migrator.testing.list_suite import ListContract

LOGIN = Login(THE_LISTS, THE_LISTS)
TREATMENTS = (None, *Treatment)
SHARED_NAME = "somebody has one name for all his lists; a list that has none for him takes none away"


@pytest.fixture
def options(mailman3) -> adapter.Options:
    user, password = mailman3.login
    return adapter.Options(url=mailman3.url, user=user, password=password)


class TestMailman3(ListContract):
    adapter = adapter.ADAPTER
    cannot: ClassVar[dict[str, str]] = {"no-name": SHARED_NAME}

    @pytest.fixture
    def options(self, options) -> adapter.Options:
        return options

    @pytest.fixture
    def mails(self, mailman3) -> Callable[[], int]:
        return lambda: len(mailman3.mail())

    @pytest.fixture(autouse=True)
    def nobody_has_been_here(self, mailman3) -> None:
        """What a test is about are lists; the people that earlier ones left would bring their names along."""
        for user in mailman3.ask("GET", "users")[1].get("entries", []):
            mailman3.ask("DELETE", f"users/{user['user_id']}")


# -- what Mailman's own client shows ----------------------------------------------------------------------------------

# Facts of the reference, not of our code: what each option of ours is in core.
MODES = {
    Delivery.REGULAR: "regular",
    Delivery.MIME_DIGEST: "mime_digests",
    Delivery.PLAIN_DIGEST: "plaintext_digests",
    Delivery.SUMMARY_DIGEST: "summary_digests",
}
STATUSES = {
    None: "enabled",
    Stopped.BY_USER: "by_user",
    Stopped.BY_ADMIN: "by_moderator",
    Stopped.BY_BOUNCES: "by_moderator",  # see the adapter: core would write to them, and take them off
    Stopped.UNKNOWN: "unknown",
}
NAMES = [
    "Ann Doe", "Zoë Müller", "王 小明", "שלום עליכם", "محمد", "Ñandú 😀 Ωmega", 'Ann "the list" Doe, Jr.', "O'Neill; <b>&amp;",
    "a+b=c&d%20e", "  spaces  kept  ", "tab\there", "Anne\u0301", "Å" * 200, "-", "ann@example.com",
]  # fmt: skip
LOCAL_PARTS = [
    "plain", "Mixed.Case", "plus+tag", "o'neill", "under_score", "a=b", "a#b", "a%b", "a&b", "a*b", "a!b", "a$b", "a?b", "a{b}",
    "a~b", "a`b", "a/b", "0digit", "_first", "dots.in.it",
]  # fmt: skip


@pytest.fixture
def session(options) -> Iterator[ListWriter]:
    with closing(adapter.ADAPTER.writer(options, LOGIN)) as opened:
        yield opened


@pytest.fixture
def address(session, mailman3) -> str:
    """A fresh list in a domain that core has not heard of."""
    made = f"news@{mailman3.fresh_domain()}"
    session.create_list(made, "", None)
    return made


def shown_by_mailmans_client(mailman3, address: str) -> dict[str, Any]:
    command = [lab.python(), Path(__file__).with_name("mailman3_client.py"), mailman3.url, *mailman3.login, address]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def everybody(session: ListReader, address: str, role: Role = Role.MEMBER) -> dict[str, Member]:
    return {one.key: one for page in session.roster(address, role) for one in page}


def odd_people(number: int) -> list[Member]:
    """People with every option in turn, and every odd name and address in turn: the same ones every time."""
    deliveries, stops, treatments = itertools.cycle(Delivery), itertools.cycle(STATUSES), itertools.cycle(TREATMENTS)
    languages = itertools.cycle(["", "de", "", "pt_BR", "fr"])
    return [
        Member(
            f"{LOCAL_PARTS[n % len(LOCAL_PARTS)]}{n}@{('Example.com', 'xn--mller-kva.example')[n % 2].lower()}",
            NAMES[n % len(NAMES)],
            delivery=next(deliveries),
            stopped=next(stops),
            moderation=next(treatments),
            hidden=bool(n & 1),
            acknowledge=bool(n & 2),
            own_posts=bool(n & 4),
            list_copies=bool(n & 8),
            language=next(languages),
        )
        for n in range(number)
    ]


def in_core(member: Member) -> dict[str, Any]:
    """What Mailman's client has to show of somebody."""
    return {
        "name": member.name,
        "as_typed": member.address,
        "moderation_action": member.moderation.value if member.moderation else None,
        "acknowledge_posts": member.acknowledge,
        "delivery_mode": MODES[member.delivery],
        "delivery_status": STATUSES[member.stopped],
        "hide_address": member.hidden,
        "preferred_language": member.language or None,
        "receive_list_copy": member.list_copies,
        "receive_own_postings": member.own_posts,
    }


def test_mailmans_own_client_shows_every_option_and_every_odd_name_as_it_was_given(session, address, mailman3):
    people = odd_people(140)
    for start in range(0, len(people), session.features.at_once):
        part = people[start : start + session.features.at_once]
        assert [put for put in session.add(address, part) if put.refused or put.already] == []
    owners = [Member("Olga@example.com", "Olga Ørsted", Role.OWNER)]
    moderators = [Member("mo@example.com", "", Role.MODERATOR), replace(owners[0], role=Role.MODERATOR)]
    others = [Member(f"{one.value}@example.org", "", Role.NONMEMBER, moderation=one) for one in Treatment]
    for one in (owners, moderators, others):
        assert {put.refused for put in session.add(address, one)} == {""}
    shown = shown_by_mailmans_client(mailman3, address)
    assert shown["counts"] == {"member": 140, "owner": 1, "moderator": 2, "nonmember": 5}
    assert shown["people"]["member"] == {one.key: in_core(one) for one in people}
    assert {one: told["name"] for one, told in shown["people"]["owner"].items()} == {"olga@example.com": "Olga Ørsted"}
    assert shown["people"]["moderator"].keys() == {"mo@example.com", "olga@example.com"}
    treated = {email: told["moderation_action"] for email, told in shown["people"]["nonmember"].items()}
    assert treated == {f"{one.value}@example.org": one.value for one in Treatment}
    assert mailman3.mail() == []


def test_mailmans_own_client_shows_the_settings_as_they_were_given(session, address, mailman3):
    session.configure(
        address,
        session.settings_as_kept(
            Settings(
                display_name="Große Neuigkeiten",
                description="News\r\nof 'Example'",
                info="Line one\nLine two",
                subject_prefix="[News] ",
                language="de",
                members_visible_to=Visibility.MEMBERS,
                joining=Joining.CONFIRM_THEN_MODERATE,
                leaving=Joining.OPEN,
                banned=("Spam@example.com", "^.*@spam\\.example$", "one@spam.example"),
                nonmember_treatment=Treatment.DISCARD,
                accepted_patterns=("^.*@friends\\.example$", "@other@example.com", "^(", "@short"),
                aliases=("News-Alias", "announce@example.org", "^x@"),
                header_rules=(
                    HeaderRule("^subject: .*offer", Treatment.HOLD),
                    HeaderRule("X-Spam-Flag: yes\n^list-id:.*(a|b)", Treatment.DISCARD),
                    HeaderRule("^received: never", Treatment.DEFER),
                    HeaderRule("names no header", Treatment.REJECT),
                ),
                most_recipients=0,
                reply_to=ReplyTo.ADDRESS_ONLY,
                reply_to_address="answers@example.com",
                dmarc=Dmarc.MUNGE_FROM,
                archive=Archive.PRIVATE,
                bounce_score=4.5,
                bounce_forget_days=0,
                bounce_warning_days=30,
                replies_to_posts=AutoReply.AND_CONTINUE,
                reply_to_posts_text="Thank you.\nWe read it.",
                reply_again_after_days=90,
                welcome_text="Welcome!",
                own={"personalize": "individual", "dmarc_addresses": "^.*@yahoo\\.example$\na@b.example"},
            )
        ),
    )
    shown = shown_by_mailmans_client(mailman3, address)
    wanted = {
        "display_name": "Große Neuigkeiten",
        "description": "News of 'Example'",
        "info": "Line one\nLine two",
        "subject_prefix": "[News] ",
        "preferred_language": "de",
        "member_roster_visibility": "members",
        "subscription_policy": "confirm_then_moderate",
        "unsubscription_policy": "open",
        "default_nonmember_action": "discard",
        "accept_these_nonmembers": ["^.*@friends\\.example$", "@other@example.com"],
        "acceptable_aliases": ["^news-alias", "^x@", "announce@example.org"],
        "max_num_recipients": 0,
        "reply_goes_to_list": "explicit_header_only",
        "reply_to_address": "answers@example.com",
        "dmarc_mitigate_action": "munge_from",
        "archive_policy": "private",
        "bounce_score_threshold": 5,
        "bounce_info_stale_after": "0d",
        "bounce_you_are_disabled_warnings_interval": "30d",
        "autorespond_postings": "respond_and_continue",
        "autoresponse_postings_text": "Thank you.\nWe read it.",
        "autoresponse_grace_period": "90d",
        "personalize": "individual",
        "dmarc_addresses": ["^.*@yahoo\\.example$", "a@b.example"],
    }
    assert {name: shown["settings"][name] for name in wanted} == wanted
    assert shown["bans"] == ["^.*@spam\\.example$", "one@spam.example", "spam@example.com"]
    assert shown["header_matches"] == [
        ["subject", "offer", "hold"],
        ["x-spam-flag", "^yes", "discard"],
        ["list-id", "(a|b)", "discard"],
    ]


# -- refusals and traps -----------------------------------------------------------------------------------------------


def test_who_is_refused_is_named_with_mailmans_words_and_the_others_arrive(session, address, mailman3):
    mailman3.ask("POST", "bans", email="banned-everywhere@example.com")
    session.configure(address, Settings(banned=("banned@example.com", "^.*@spam\\.example$")))
    refused = [
        "no at sign", "blank in@example.com", '"quoted local"@example.com', "ünï@example.com", "a@nodot", "a@[192.0.2.1]",
        "pipe|d@example.com", "banned@example.com", "x@spam.example", "banned-everywhere@example.com", address,
    ]  # fmt: skip
    puts = session.add(address, [Member(one) for one in (*refused, "fine@example.com")])
    assert [bool(put.refused) for put in puts] == [True] * len(refused) + [False]
    assert all("no address Mailman takes" in put.refused and put.remedy for put in puts[:7])
    assert {put.refused for put in puts[7:10]} == {"Membership is banned"}
    assert puts[10].refused == "List posting address cannot subscribe"
    assert everybody(session, address).keys() == {"fine@example.com"}


def test_a_request_that_waits_for_the_moderator_is_told_apart_from_a_member(session, address, mailman3):
    list_id = address.replace("@", ".")
    mailman3.ask("PATCH", f"lists/{list_id}/config", subscription_policy="moderate", admin_immed_notify="false")
    status, _ = mailman3.ask("POST", "members", list_id=list_id, subscriber="ann@example.com", pre_verified="true")
    assert status == 202
    (put,) = session.add(address, [Member("ann@example.com")])
    assert (put.already, put.refused) == (False, "Subscription request already pending")
    assert "waits at Mailman" in put.remedy


def test_a_name_is_given_where_there_is_none_and_never_taken_from_another_list(session, mailman3):
    first, second = (f"{name}@{mailman3.fresh_domain()}" for name in ("one", "two"))
    for one in (first, second):
        session.create_list(one, "", None)
    session.add(first, [Member("eva1@names.example", "Eva One"), Member("eva2@names.example")])
    session.add(second, [Member("eva1@names.example"), Member("eva2@names.example", "Eva Two")])
    session.update(second, [Member("eva1@names.example")])
    for one in (first, second):
        assert [member.name for member in everybody(session, one).values()] == ["Eva One", "Eva Two"]


def test_what_somebody_prefers_for_all_his_lists_is_told_of_each(session, address, mailman3):
    session.add(address, [Member("ann@prefers.example", "Ann")])
    other = f"other@{mailman3.fresh_domain()}"
    session.create_list(other, "", None)
    agreed = dict.fromkeys(("pre_verified", "pre_confirmed", "pre_approved"), "true") | {
        "send_welcome_message": "false"
    }
    mailman3.ask(
        "POST", "members", list_id=other.replace("@", "."), subscriber="ann@prefers.example", **agreed
    )  # as Mailman's own pages do: the membership itself prefers nothing
    preferred = {"delivery_status": "by_user", "receive_own_postings": "false", "preferred_language": "fr"}
    mailman3.ask("PATCH", "addresses/ann@prefers.example/preferences", **preferred)
    (ann,) = everybody(session, other).values()
    assert (ann.stopped, ann.own_posts, ann.language, ann.hidden) == (Stopped.BY_USER, False, "fr", True)
    # One that we brought keeps what was said of that list.
    assert everybody(session, address)["ann@prefers.example"] == Member("ann@prefers.example", "Ann")


def test_who_is_there_twice_is_told_once(session, address, mailman3):
    session.add(address, [Member("ann@twice.example", "Ann")])
    list_id = address.replace("@", ".")
    user = mailman3.ask("GET", "addresses/ann@twice.example/user")[1]["user_id"]
    mailman3.ask("POST", f"users/{user}/preferred_address", email="ann@twice.example")
    agreed = dict.fromkeys(("pre_verified", "pre_confirmed", "pre_approved"), "true") | {
        "send_welcome_message": "false"
    }
    mailman3.ask("POST", "members", list_id=list_id, subscriber=user, **agreed)
    rows = mailman3.ask("GET", f"lists/{list_id}/roster/member")[1]["entries"]
    assert everybody(session, address).keys() == {"ann@twice.example"}
    assert session.addresses(address) == {"ann@twice.example"}
    session.remove(address, [Member("ann@twice.example")])
    assert everybody(session, address) == {}, rows


def test_patterns_for_nonmembers_are_set_beside_addresses_that_stand_there(session, address, mailman3):
    list_id = address.replace("@", ".")
    mailman3.ask("PATCH", f"lists/{list_id}/config", hold_these_nonmembers=["ann@old.example", "^.*@held\\.example$"])
    assert everybody(session, address, Role.NONMEMBER) == {
        "ann@old.example": Member("ann@old.example", role=Role.NONMEMBER, moderation=Treatment.HOLD)
    }
    session.configure(address, Settings(held_patterns=("^.*@other\\.example$",)))
    told = mailman3.ask("GET", f"lists/{list_id}/config/hold_these_nonmembers")[1]["hold_these_nonmembers"]
    assert told == ["^.*@other\\.example$", "ann@old.example"]


def test_a_roster_of_many_pages_adds_up(session, address, monkeypatch):
    monkeypatch.setattr(adapter, "PAGE", 7)
    session.add(address, [Member(f"p{n}@example.com") for n in range(30)])
    pages = list(session.roster(address, Role.MEMBER))
    assert [len(page) for page in pages] == [7, 7, 7, 7, 2]
    assert len({one.key for page in pages for one in page}) == 30


def test_after_all_of_this_not_one_mail_has_left(mailman3):
    # Longer than the bounce runner sleeps in the lab.
    time.sleep(3)
    assert mailman3.mail() == []
