"""What a list and its people are in Mailman 3 core's words, and back, decided without a server."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.lists.adapters.mailman3 import FEATURES
from migrator.lists.mailman3 import headers, people, settings
from migrator.lists.model import (
    Delivery,
    HeaderRule,
    Member,
    Role,
    Settings,
    Stopped,
    Treatment,
    settings_of,
)
from migrator.panel.model import How
from migrator.testing.list_suite import MEMBERS, SETTINGS


@pytest.mark.parametrize(
    ("rule", "header", "pattern", "back"),
    [
        ("^subject: .*offer", "subject", "offer", "^subject: .*offer"),
        ("^subject:.*offer", "subject", "offer", "^subject: .*offer"),
        ("^Subject: offer", "subject", "^offer", "^subject: offer"),
        ("X-Spam-Flag: yes", "x-spam-flag", "^yes", "^x-spam-flag: yes"),
        ("^x\\-spam\\-level: \\*\\*\\*", "x-spam-level", "^\\*\\*\\*", "^x-spam-level: \\*\\*\\*"),
        ("^x-spam-flag:", "x-spam-flag", ".*", "^x-spam-flag:.*"),
        ("^subject: one|two", "subject", "^(?:one|two)", "^subject: one|two"),
        ("^subject: .*(one|two)", "subject", "(one|two)", "^subject: .*(one|two)"),
        ("^subject:.*^", "subject", ".*", "^subject:.*"),
        ("^subject: .*^offer", "subject", "^offer", "^subject: offer"),
        ("subject: a\\-b", "subject", "^a\\-b", "^subject: a\\-b"),
    ],
)
def test_a_rule_about_headers_names_the_header_and_looks_in_its_value(rule, header, pattern, back):
    (match,) = headers.matches([HeaderRule(rule, Treatment.HOLD)])
    assert (match.header, match.pattern, match.action) == (header, pattern, "hold")
    (found,) = headers.rules([{"header": header, "pattern": pattern, "action": "hold"}])
    assert found == HeaderRule(back, Treatment.HOLD)
    assert headers.matches([found]) == (match,)


@pytest.mark.parametrize("rule", ["no header at all", "^(: x", "^subject: (", "", ":"])
def test_a_rule_that_core_could_not_apply_is_not_given_to_it(rule):
    assert headers.matches([HeaderRule(rule, Treatment.HOLD)]) == ()


def test_a_rule_that_is_switched_off_is_not_given_to_core():
    assert headers.matches([HeaderRule("^subject: x", Treatment.DEFER)]) == ()


LINES = st.builds(
    "{}{}:{}".format,
    st.sampled_from(["", "^"]),
    st.from_regex(r"[A-Za-z-]{1,6}", fullmatch=True),
    st.text(" .*|()^$?:\\a-\n", max_size=9),
)


@given(
    st.one_of(st.text(max_size=40), LINES), st.sampled_from([one for one in Treatment if one is not Treatment.DEFER])
)
def test_what_core_keeps_of_a_rule_stays_what_it_is(text, treatment):
    kept = settings.as_kept(Settings(header_rules=(HeaderRule(text, treatment),)))
    assert settings.as_kept(kept) == kept


@pytest.mark.parametrize("trait", sorted(SETTINGS))
def test_settings_as_core_keeps_them_stay_what_they_are(trait):
    kept = settings.as_kept(SETTINGS[trait])
    assert settings.as_kept(kept) == kept


@pytest.mark.parametrize("trait", sorted(MEMBERS))
def test_members_as_core_keeps_them_stay_what_they_are(trait):
    kept = people.as_kept(MEMBERS[trait])
    assert people.as_kept(kept) == kept


def test_every_setting_has_a_place_or_a_reason():
    """No setting is passed over in silence: core has it, or the features say that it is lost."""
    lost = {name.removeprefix("list.") for name, keep in FEATURES.keeps.items() if keep.how is How.LOST}
    known = {one.name for one in fields(Settings)} - {"own"}
    has_place = set(settings.TABLE) | {settings.BANNED, settings.HEADER_RULES}
    assert has_place | lost == known
    assert not has_place & lost


@pytest.mark.parametrize(
    ("told", "found"), [("7d", 7), ("0d", 0), ("1w", 7), ("36h", 2), ("1d12h30m", 2), ("90d", 90), ("2w1d", 15)]
)
def test_durations_are_days_and_begun_ones_count(told, found):
    assert settings.days(told) == found


def test_only_what_a_fresh_list_has_otherwise_is_told_of_cores_own_settings():
    told = settings.from_core(
        {**settings.OWN_SETTINGS, "personalize": "full", "dmarc_addresses": ["a@b.example", "^x"]}
    )
    assert told == Settings(own={"personalize": "full", "dmarc_addresses": "a@b.example\n^x"})
    assert settings.to_core(told) == {"personalize": "full", "dmarc_addresses": ["a@b.example", "^x"]}


def test_a_setting_nobody_knows_is_not_told():
    assert settings.from_core({"subscription_policy": "by_lottery", "something_new": 7}) == Settings()


def test_a_language_core_does_not_know_is_not_set():
    assert settings.to_core(Settings(language="tlh")) == {}
    assert people.as_kept(Member("ann@example.com", language="tlh")).language == ""


def test_bans_that_core_could_not_have_are_left_out():
    assert settings.bans(("A@example.com", "a@example.com", "^(", "^.*@x$", "nobody", "")) == (
        "^.*@x$",
        "a@example.com",
    )


def test_who_was_stopped_by_bounces_arrives_as_stopped_by_an_admin_and_is_told_as_he_is():
    ann = Member("ann@example.com", stopped=Stopped.BY_BOUNCES)
    assert people.preferences(ann)["delivery_status"] == "by_moderator"
    row = {"email": "ann@example.com", "role": "member", "member_id": "1"}
    told = {**people.preferences(ann), "delivery_status": "by_bounces", "delivery_mode": "mime_digests"}
    found = people.member(row, told, "")
    assert (found.stopped, found.delivery) == (Stopped.BY_BOUNCES, Delivery.MIME_DIGEST)


def test_core_lets_every_owner_pass_which_says_nothing_of_him():
    row = {"email": "olga@example.com", "role": "owner", "member_id": "1", "moderation_action": "accept"}
    told = people.preferences(Member("olga@example.com"))
    assert people.member(row, told, "").moderation is None
    assert people.as_kept(Member("Olga@example.com", role=Role.OWNER, moderation=Treatment.HOLD)).moderation is None


def test_only_the_local_part_of_an_address_loses_its_capitals():
    assert people.as_kept(Member("Ann.Doe@xn--mller-kva.example")).address == "ann.doe@xn--mller-kva.example"
    assert people.as_kept(Member("no address at all")).address == "no address at all"


def test_settings_of_another_product_alone_are_not_said():
    assert settings.to_core(settings_of({"own.topics": "x", "own.personalize": "none"})) == {"personalize": "none"}
    assert replace(Settings(), own={"topics": "x"}) != settings.as_kept(Settings(own={"topics": "x"}))
