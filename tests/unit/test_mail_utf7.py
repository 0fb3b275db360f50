import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.utf7 import decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("INBOX.Sent", "INBOX.Sent"),
        ("Entw&APw-rfe", "Entwürfe"),
        ("&ZeVnLIqe-", "日本語"),
        ("Tom &- Ann", "Tom & Ann"),
        ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
        ("&2D3cqQ-", "\U0001f4a9"),
        ("a&AAk-b", "a\tb"),
    ],
)
def test_legal_names_are_read_and_spelled_both_ways(raw, text):
    assert decode(raw) == text
    assert encode(text) == raw


@pytest.mark.parametrize("raw", ["R&D", "a&b-", "&AOQ", "&A-", "&2D0-", "&*-", "50 & more", "&AOQA-"])
def test_a_broken_sequence_is_shown_as_it_stands(raw):
    assert decode(raw) == raw


def test_a_broken_sequence_does_not_spoil_its_neighbours():
    assert decode("R&D Entw&APw-rfe") == "R&D Entwürfe"


def test_raw_utf8_of_a_server_is_shown_as_utf8():
    assert decode("Entwürfe".encode().decode("latin-1")) == "Entwürfe"


def test_raw_8_bit_that_is_no_utf8_is_shown_as_latin_1():
    assert decode("Entw\xfcrfe") == "Entwürfe"


@given(TEXT)
def test_any_text_comes_back_from_its_spelling(text):
    assert decode(encode(text)) == text


@given(TEXT)
def test_a_spelling_is_printable_ascii(text):
    assert all(" " <= sign <= "~" for sign in encode(text))


@given(st.text())
def test_nothing_a_server_sends_makes_decoding_fail(raw):
    assert isinstance(decode(raw), str)


@given(st.text("&-,+/AZaz09 Ü"))
def test_a_shown_name_can_be_spelled_so_that_it_shows_the_same(raw):
    assert decode(encode(decode(raw))) == decode(raw)
