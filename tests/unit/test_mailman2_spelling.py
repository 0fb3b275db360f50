"""Names and texts as Mailman 2.1 has to be told them, against what its code makes of bytes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from migrator.lists.mailman2.spelling import as_shown, charset_of, decoded, name_as_shown, sent, ways
from migrator.testing.mailman2.lists import Bug, canonical
from migrator.testing.mailman2.people import NAMES

CHARSETS = ("us-ascii", "iso-8859-1", "iso-8859-2", "koi8-r", "euc-jp", "utf-8")


def outcomes(name: str, charset: str, *, python3: bool = False) -> list[str]:
    """What each way of writing a name becomes, as the roster shows it."""
    found = []
    for way in ways(name, charset):
        try:
            found.append(name_as_shown(canonical(way, charset, python3=python3)))
        except Bug:
            found.append("a bug")
    return found


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_out_right_in_one_of_its_ways(name: str, charset: str) -> None:
    found = outcomes(name, charset)
    impossible = {("Søren Łącki", one) for one in ("us-ascii", "iso-8859-1", "iso-8859-2", "koi8-r")}
    impossible |= {("Ælfrēd", one) for one in ("us-ascii", "iso-8859-1", "iso-8859-2", "koi8-r")}
    if (name, charset) in impossible:  # a byte of the charset beside a character above: Python 2 cannot
        assert found[-1] in {"Soren Łącki", "AElfrēd"}
    else:
        assert name_as_shown(name) in found


@pytest.mark.parametrize("name", NAMES)
def test_the_first_way_is_right_where_the_pages_are_utf_8(name: str) -> None:
    assert outcomes(name, "utf-8")[0] == name_as_shown(name)
    assert outcomes(name, "utf-8", python3=True)[0] == name_as_shown(name)


@pytest.mark.parametrize("charset", CHARSETS)
@given(name=st.text(st.characters(exclude_categories=("Cs", "Cn", "Co")), max_size=20))
@example(name="&#235;")
@example(name="Ann &amp; Bob; Söhne")
@example(name="\u0153 \u00e9")
@example(name="¥膓")
def test_whatever_the_name_the_last_way_breaks_nothing(charset: str, name: str) -> None:
    spelt = list(ways(name, charset))
    assert len(spelt) == len(set(spelt))
    assert outcomes(name, charset)[-1] != "a bug" or name_as_shown(name) in outcomes(name, charset)
    assert all(b"\n" not in one for one in spelt)


@given(st.text(max_size=30))
def test_a_name_that_was_shown_is_shown_the_same_again(name: str) -> None:
    assert name_as_shown(name_as_shown(name)) == name_as_shown(name)


def test_a_text_is_sent_in_the_pages_charset_and_the_rest_as_references() -> None:
    assert sent("Größe, 王", "iso-8859-1") == "Größe, &#29579;".encode("iso-8859-1")
    assert sent("Größe", "us-ascii") == b"Gr&#246;&#223;e"
    assert sent("Größe", "utf-8") == "Größe".encode()
    assert sent("5 ¥ 王", "euc-jp") == b"5 &#165; " + "王".encode("euc-jp")
    assert as_shown("a\r\nb &eacute; &zzz; &#8364;") == "a\nb é &zzz; €"
    assert unicodedata.is_normalized("NFC", as_shown("Anne\u0301"))


def test_a_page_is_read_in_the_charset_it_names() -> None:
    assert charset_of("text/html; charset=EUC-JP", b"") == "euc_jp"
    assert charset_of("text/html", b'<META content="text/html; charset=koi8-r">') == "koi8-r"
    assert charset_of("text/html; charset=x-nobody-knows", b"") == "iso-8859-1"
    assert decoded("Größe".encode("latin-1"), charset_of("text/html; charset=us-ascii", b"")) == "Größe"
