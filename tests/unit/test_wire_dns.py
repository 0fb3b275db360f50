"""DNS as services are found by it, asked of a nameserver on loopback."""

from __future__ import annotations

from collections import Counter

import pytest

from migrator.errors import Unreachable
from migrator.testing.nameserver import Nameserver
from migrator.wire.dns import Resolver, Target, read_nameserver

NAME = "_carddavs._tcp.example.com"


@pytest.fixture
def names():
    with Nameserver() as names:
        yield names


@pytest.fixture
def resolver(names):
    return Resolver(names.address, timeout=5)


def test_servers_come_in_the_order_of_their_priorities(names, resolver):
    names.add(NAME, "SRV", "20 0 443 third.example.com.", "0 5 8443 First.Example.com.", "10 0 443 second.example.com.")
    assert resolver.services(NAME) == [
        Target("first.example.com", 8443),
        Target("second.example.com", 443),
        Target("third.example.com", 443),
    ]
    assert names.asked == [(NAME, "SRV")]


def test_of_one_priority_the_heavier_is_first_more_often_and_the_lighter_is_not_forgotten(names, resolver):
    names.add(NAME, "SRV", "1 90 443 heavy.example.com.", "1 10 443 light.example.com.", "2 0 443 spare.example.com.")
    orders = [[one.host for one in resolver.services(NAME)] for _ in range(300)]
    assert all(order[2] == "spare.example.com" for order in orders)
    firsts = Counter(order[0] for order in orders)
    assert firsts["heavy.example.com"] > 4 * firsts["light.example.com"] > 0


def test_a_target_of_a_dot_says_that_there_is_no_service(names, resolver):
    names.add(NAME, "SRV", "0 0 0 .")
    assert resolver.services(NAME) == []


def test_a_name_that_is_not_there_and_one_without_such_records_say_nothing(names, resolver):
    names.add("example.com", "TXT", '"v=spf1 -all"')
    assert resolver.services(NAME) is None
    assert resolver.services("example.com") is None
    assert resolver.words(NAME) == {}


def test_the_words_of_txt_records_are_told_by_key_the_first_of_a_key(names, resolver):
    names.add(NAME, "TXT", '"PATH=/dav/a=b" "other" "path=/late"')
    assert resolver.words(NAME) == {"path": "/dav/a=b", "other": ""}


@pytest.mark.parametrize("trouble", ["broken", "silent"])
def test_a_nameserver_that_fails_is_no_answer(names, trouble):
    getattr(names, trouble).add(NAME.lower())
    with pytest.raises(Unreachable, match="DNS gives no answer") as raised:
        Resolver(names.address, timeout=0.3).services(NAME)
    assert f"the plan's nameserver {names.address} asked for {NAME}" in str(raised.value)
    assert "nameserver in the plan" in raised.value.remedy
    assert ("within 0.3 s" in str(raised.value)) is (trouble == "silent")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example.com", ".".join(["abcdefgh"] * 32)])
def test_what_is_no_name_has_no_records(names, resolver, name):
    assert resolver.services(name) is None
    assert names.asked == []


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_a_nameserver_is_an_address_maybe_with_a_port(text, read):
    assert read_nameserver(text) == read


@pytest.mark.parametrize("text", ["ns.example.com", "192.0.2.53:0", "192.0.2.53:99999", "192.0.2.53:x", "", ":53"])
def test_a_nameserver_that_is_no_address_is_a_mistake(text):
    with pytest.raises(ValueError):
        read_nameserver(text)
