from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.digest import ALTERED, digests, masked_digest, rule, to_crlf, traits

MESSAGES = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b"\x80", b"a", b": ", b"\xe4", b"x" * 300, b"x" * 997])
).map(b"".join)


def cut(message, places):
    edges = [0, *sorted({place % (len(message) + 1) for place in places}), len(message)]
    return [message[start:end] for start, end in pairwise(edges)]


CUTS = st.lists(st.integers(0, 10_000), max_size=8)


def explained(source, target):
    return rule(digests([source]), traits([source]), digests([target]), traits([target]))


@given(MESSAGES)
def test_the_digests_are_those_of_the_whole_message(message):
    seen = digests([message])
    text = message.replace(b"\r", b"").replace(b"\0", b"\x80").rstrip(b"\n")
    tidy = text.replace(b"\n", b"\r\n") + b"\r\n" if text else b""
    assert seen.raw == sha256(message).hexdigest()
    assert seen.canonical == sha256(tidy).hexdigest()
    assert seen.size == len(message)


@given(MESSAGES, CUTS)
def test_pieces_make_no_difference_to_digests(message, places):
    assert digests(cut(message, places)) == digests([message])


@given(MESSAGES, CUTS)
def test_pieces_make_no_difference_to_traits(message, places):
    assert traits(cut(message, places)) == traits([message])


@given(MESSAGES, CUTS)
def test_pieces_make_no_difference_to_the_digest_of_a_masked_header(message, places):
    assert masked_digest(cut(message, places)) == masked_digest([message])


def test_a_masked_header_leaves_the_body_as_it_is():
    message = b"Subject: se\xc3\xb1or\r\nTo: \xe4\r\n\r\n\xc3\xb1\r\n"
    assert masked_digest([message]) == digests([b"Subject: seXXor\r\nTo: X\r\n\r\n\xc3\xb1\r\n"]).canonical
    assert masked_digest([b"a: b\r\n\r\n\xe4\r\n"]) == digests([b"a: b\r\n\r\n\xe4\r\n"]).canonical


@given(MESSAGES, CUTS)
def test_pieces_make_no_difference_to_line_ends(message, places):
    assert b"".join(to_crlf(cut(message, places))) == b"".join(to_crlf([message]))


@given(MESSAGES)
def test_traits_count_what_is_there(message):
    seen = traits([message])
    assert seen.bare_lf == message.replace(b"\r\n", b"").count(b"\n")
    assert seen.bare_cr == message.replace(b"\r\n", b"").count(b"\r")
    assert seen.nul == message.count(b"\0")


@given(MESSAGES)
def test_line_ends_are_made_crlf_without_losing_anything(message):
    sent = b"".join(to_crlf([message]))
    seen = traits([message])
    assert traits([sent]).bare_lf == 0
    assert traits([sent]).bare_cr == seen.bare_cr
    assert len(sent) == len(message) + seen.bare_lf
    assert digests([sent]).canonical == digests([message]).canonical


def test_what_is_crlf_already_stays():
    assert b"".join(to_crlf([b"a\r\nb\r", b"\nc\rd"])) == b"a\r\nb\r\nc\rd"


def test_many_line_ends_at_the_end_of_a_piece_are_kept_in_mind():
    message = b"a" + b"\n" * 10_000
    assert digests([message, b"b"]).canonical == digests([message + b"b"]).canonical
    assert digests([message, b"b"]).canonical == sha256(b"a" + b"\r\n" * 10_000 + b"b\r\n").hexdigest()
    assert digests([message, b"\r\n" * 9]).canonical == sha256(b"a\r\n").hexdigest()


PLAIN = b"Subject: hello\r\n\r\nbody\r\n"


def test_a_plain_message_is_not_odd():
    assert not traits([PLAIN]).odd


@pytest.mark.parametrize(
    "message",
    [
        b"",
        PLAIN[:-2],
        PLAIN + b"bare\n",
        PLAIN + b"a\rb\r\n",
        PLAIN + b"\0\r\n",
        b"Subject: gr\xfcn\r\n\r\n",
    ],
)
def test_what_some_server_rewrites_is_odd(message):
    assert traits([message]).odd


def test_eight_bits_count_in_the_header_only():
    assert traits([b"Subject: gr\xfcn\r\n\r\nbody\r\n"]).eight_bit_header
    assert not traits([b"Subject: green\r\n\r\ngr\xfcn\r\n"]).eight_bit_header
    assert traits([b"a: b\n", b"\xe4: c\n\n"]).eight_bit_header


def test_an_empty_message_is_empty_and_lacks_no_newline():
    seen = traits([])
    assert seen.empty
    assert not seen.no_final_newline


@pytest.mark.parametrize(
    ("source", "target", "name"),
    [
        (PLAIN, PLAIN, ""),
        (b"a\nb\n", b"a\r\nb\r\n", "line ends made CRLF"),
        (b"a\r\nb\r\n", b"a\nb\n", "line ends made LF"),
        (b"a\rb\r\n", b"ab\r\n", "bare CR removed"),
        (b"a\0b\r\n", b"a\x80b\r\n", "NUL became 0x80"),
        (b"a", b"a\r\n", "CRLF added at the end"),
        (b"", b"\r\n", "CRLF added at the end"),
        (b"a\r\n\r\n", b"a\r\n", "line ends removed at the end"),
        (b"a\n\0", b"a\r\n\x80\r\n", "line ends made CRLF, NUL became 0x80, CRLF added at the end"),
        (b"a\rb\r\n", b"\rab\r\n", "line ends rewritten"),
        (b"a\r\n", b"b\r\n", ALTERED),
        (PLAIN, PLAIN[:10], ALTERED),
    ],
)
def test_the_rule_that_explains_a_difference_is_named(source, target, name):
    assert explained(source, target) == name


@given(MESSAGES, MESSAGES)
def test_every_difference_has_a_name_and_equal_messages_have_none(source, target):
    same_text = digests([source]).canonical == digests([target]).canonical
    name = explained(source, target)
    assert (name == "") == (source == target)
    assert (name == ALTERED) == (not same_text)
