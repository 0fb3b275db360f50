"""Pickles are read without looking anything up: Python 2's of every protocol, and hostile ones, which do nothing and say why."""

from __future__ import annotations

import os
import pickle
import struct
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import Misbehaved
from migrator.lists import pickled
from migrator.lists.pickled import Inert, plain_data


def read(content: bytes) -> object:
    return plain_data(content, "config.pck")


# -- as Python 2 wrote them -----------------------------------------------------------------------------------------------


def text0(value: bytes) -> bytes:
    """A byte string of protocol 0, as Python 2's repr spells it."""
    return (
        b"S'"
        + b"".join(bytes([one]) if 32 <= one < 127 and one not in b"'\\" else b"\\x%02x" % one for one in value)
        + b"'\n"
    )


def text1(value: bytes) -> bytes:
    """A byte string of protocols 1 and 2."""
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        (b"(dp0\n" + text0(b"a") + b"p1\nI1\nsS'b'\nI01\nsS'c'\nNs.", {b"a": 1, b"b": True, b"c": None}),
        (b'(dp0\nS\'say "hi"\'\nS"it\'s"\ns.', {b'say "hi"': b"it's"}),
        (
            b"}q\x00(" + text1(b"a") + b"K\x01" + text1(b"b") + b"G" + struct.pack(">d", 1.5) + b"u.",
            {b"a": 1, b"b": 1.5},
        ),
        (b"\x80\x02}q\x00(" + text1(b"a") + b"\x88" + text1(b"b") + b"\x8a\x01\x05u.", {b"a": True, b"b": 5}),
        (b"(lp0\nI1\naL5L\na.", [1, 5]),
        (b"]q\x00(K\x01M\x00\x01J\xff\xff\xff\xffe.", [1, 256, -1]),
        (b"(K\x01K\x02t.", (1, 2)),
        (b"V\\u00e9\n.", "é"),
        (b"X\x02\x00\x00\x00\xc3\xa9.", "é"),
        (text1(b"Zo\xeb") + b".", b"Zo\xeb"),
        (text0(b"Zo\xc3\xab") + b".", "Zoë".encode()),
        (text1(b"x" * 300) + b".", b"x" * 300),
        (b"]q\x00h\x00a.", "itself"),
    ],
    ids=range(13),
)
def test_what_python_2_wrote_is_read(content: bytes, meant: object) -> None:
    found = read(content)
    if meant == "itself":
        assert isinstance(found, list)
        assert found[0] is found
        return
    assert found == meant
    assert type(found) is type(meant)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.binary() | st.integers(), inner)
        | st.tuples(inner, inner)
        | st.sets(st.integers())
    ),
    max_leaves=30,
)


@given(PLAIN, st.sampled_from([4, 5]))  # earlier ones ask for calls to make bytes and sets
def test_plain_data_comes_back(value: object, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"(iMailman.Bouncer\n_BounceInfo\np0\n(dp1\nS'member'\nS'a@example.com'\nsb.", "Mailman.Bouncer._BounceInfo"),
        (b"(cMailman.Bouncer\n_BounceInfo\noq\x00}q\x01U\x06memberU\x01asb.", "Mailman.Bouncer._BounceInfo"),
        (b"\x80\x02cMailman.Bouncer\n_BounceInfo\n)\x81}U\x06memberU\x01asb.", "Mailman.Bouncer._BounceInfo"),
    ],
    ids=["protocol-0", "protocol-1", "protocol-2"],
)
def test_a_bounce_record_is_an_inert_stand_in(content: bytes, name: str) -> None:
    before = set(sys.modules)
    found = read(content)
    assert isinstance(found, Inert)
    assert found.name == name
    assert isinstance(found.state, dict)
    assert b"member" in found.state
    assert not any(one.startswith("Mailman") for one in set(sys.modules) - before)


# -- hostile --------------------------------------------------------------------------------------------------------------


class _Evil:
    """What a pickle would do if it were loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pwned",)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_called(tmp_path, monkeypatch: pytest.MonkeyPatch, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        found = read(pickle.dumps({"a": _Evil()}, protocol))
    except Misbehaved:
        found = None
    assert not list(tmp_path.iterdir())
    if found is not None:
        assert isinstance(found, dict)


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'touch pwned'\ntR.",
        b"(S'touch pwned'\nios\nsystem\n.",
        b"(cos\nsystem\nS'touch pwned'\no.",
        b"\x80\x02cos\nsystem\nU\x0btouch pwned\x85\x81.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch pwned\x85R.",
        b'cbuiltins\neval\n(S\'__import__("os").mkdir("pwned")\'\ntR.',
    ],
    ids=range(6),
)
def test_what_would_call_something_is_a_stand_in(tmp_path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    found = read(content)
    assert isinstance(found, Inert)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "cut off"),
        (b"not a pickle at all", "no pickle"),
        (b"<html>", "no pickle"),
        (b"}q\x00(U\x01a", "cut off"),
        (b"}q\x00(U\x01au.", "lacks a value"),
        (b"U\xff" + b"short.", "damaged"),
        (b"T\xff\xff\xff\x7fx.", "damaged"),
        (b"T\xff\xff\xff\xffx.", "damaged"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fx.", "damaged"),
        (b"]r\xff\xff\xff\x7f.", None),  # a place in the memo that would take 16 GB elsewhere
        (b"h\x05.", "damaged"),
        (b"(" * 100 + b".", "nested more than"),
        (b"]" * 2 + b".", "damaged"),
        (b"t.", "damaged"),
        (b"(u.", "damaged"),
        (b"K\x01K\x02K\x03s.", "no container"),
        (b"K\x01K\x02a.", "no container"),
        (b"}]K\x01s.", "no plain value"),
        (b"})K\x01s.", "no plain value"),
        (b"}K\x01b.", "no container"),
        (b"P17\n.", "does not need"),
        (b"\x82\x01.", "does not need"),
        (b"I" + b"9" * 5000 + b"\n.", "no number"),
        (b"Iabc\n.", "damaged"),
        (b"S'open\n.", "not closed"),
        (b"S'\n.", "not closed"),
        (b"0.", "does not need"),
    ],
    ids=range(27),
)
def test_what_is_damaged_or_hostile_is_refused_in_words(content: bytes, why: str | None) -> None:
    if why is None:
        assert read(content) == []
        return
    with pytest.raises(Misbehaved, match=why) as raised:
        read(content)
    assert "config.pck" in str(raised.value)


def test_a_tuple_as_deep_as_a_well_neither_hangs_nor_crashes() -> None:
    deep = b")" + b"\x85" * 200_000
    assert isinstance(read(deep + b"."), tuple)
    with pytest.raises(Misbehaved, match="no plain value"):
        read(b"}" + deep + b"K\x01s.")


def test_too_large_and_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled, "LARGEST", 100)
    with pytest.raises(Misbehaved, match="more than such a file ever has"):
        read(b"]" * 101)
    monkeypatch.setattr(pickled, "MOST_OPCODES", 10)
    with pytest.raises(Misbehaved, match="more instructions"):
        read(b"]" * 50 + b".")


@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_read_or_refused(content: bytes) -> None:
    with suppress(Misbehaved):
        read(content)
