"""Cards in Roundcube's words and back, without a Roundcube: what its reader and its export do is modelled here, from its source."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.contacts import vcard
from migrator.contacts.meaning import differences
from migrator.contacts.model import Card, Property, text_property
from migrator.contacts.roundcube import mending, pages
from migrator.contacts.roundcube.columns import columns, normal
from migrator.contacts.roundcube.dialect import (
    KEPT,
    from_roundcube,
    instead_of,
    meant,
    takes_email,
    to_roundcube,
    uid_in,
)
from migrator.contacts.roundcube.groups import categories, group_card, in_groups, told_by_categories

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=120)
WORDS = st.sampled_from(["home", "work", "cell", "fax", "pager", "voice", "other", "internet", "x-own", "main"])
TYPES = st.frozensets(WORDS, max_size=3)
PREFERRED = st.sampled_from([None, None, None, 1, 2])
EMAILS = st.sampled_from(["ann@example.com", "b@example.com", "no address", "a@@b", "ü@example.com", "x@localhost"])
PLAIN = st.sampled_from(
    ["TITLE", "ROLE", "NOTE", "URL", "X-OWN", "X-SKYPE", "X-JABBER", "X-SPOUSE", "IMPP", "GEO", "TZ"]
)


@st.composite
def cards(draw: st.DrawFn) -> Card:
    found = [text_property("UID", draw(TEXT).strip() or "u"), text_property("FN", draw(TEXT).strip() or "n")]
    several = st.integers(0, 3)
    found += [Property("EMAIL", ((draw(EMAILS),),), draw(TYPES), draw(PREFERRED)) for _ in range(draw(several))]
    found += [Property("TEL", ((draw(TEXT),),), draw(TYPES), draw(PREFERRED)) for _ in range(draw(several))]
    found += [text_property(draw(PLAIN), draw(TEXT)) for _ in range(draw(several))]
    if draw(st.booleans()):
        found.append(Property("ADR", tuple((draw(TEXT),) for _ in range(7)), draw(TYPES)))
    if draw(st.booleans()):
        found.append(Property("ORG", tuple((draw(TEXT),) for _ in range(draw(st.integers(1, 3))))))
    if draw(st.booleans()):
        found.append(Property("NICKNAME", (tuple(draw(st.lists(TEXT, min_size=1, max_size=3))),)))
    if draw(st.booleans()):
        found.append(text_property("BDAY", draw(st.sampled_from(["1980-04-12", "--0412", "1980", "19800412T120000Z"]))))
    if draw(st.booleans()):
        found += [
            Property("URL", (("https://example.com",),), group="item1"),
            Property("X-ABLABEL", ((draw(TEXT),),), group="item1"),
        ]
    return Card(tuple(found), "3.0")


@given(cards())
def test_every_card_comes_back_as_it_was(card):
    assert differences(card, from_roundcube(to_roundcube(card).text().encode()).card) == []


@given(cards())
def test_a_card_that_came_from_roundcube_goes_there_and_comes_back_the_same(card):
    once = from_roundcube(to_roundcube(card).text().encode()).card
    assert differences(once, from_roundcube(to_roundcube(once).text().encode()).card) == []


@given(cards())
def test_the_uid_in_a_text_is_the_cards(card):
    text = to_roundcube(card).text()
    assert uid_in(text) == from_roundcube(text.encode()).card.uid


# -- what the export breaks -------------------------------------------------------------------------------------------------------


def folded(line: str) -> str:
    """rcube_vcard::rfc2425_fold for one line with its CR, as Roundcube 1.6 has it."""
    octets = line.encode()
    if len(octets) < 72:
        return line
    out, n = bytearray(octets[:71]), 71
    for octet in octets[71:]:
        if n > 75 or (n > 71 and octet >> 6 == 3):
            out += b"\r\n "
            n = 0
        out.append(octet)
        n += 1
    return out.decode()


def exported(text: str) -> bytes:
    """What actions/contacts/export.php makes of a stored card: it folds, takes the folds away with all that is white, folds again."""
    once = "\n".join(map(folded, text.split("\n")))
    bare = re.sub(r"\r|\n\s+", "", once).replace("\n", "\r\n")
    return ("\n".join(map(folded, bare.split("\n"))) + "\r\n").encode()


@given(
    st.lists(st.sampled_from(["a", "word", "ä", "  ", " ", "x" * 30, "Z:", "TEL:"]), min_size=20, max_size=200).map(
        "".join
    )
)
def test_texts_that_the_export_breaks_are_mended_from_the_form(text):
    text = text.strip() or "x"
    stored = Card(
        (
            text_property("UID", "u"),
            Property("ADR", (("",), ("",), (text,), ("City",), ("",), ("",), ("",))),
            text_property("NOTE", text),
            text_property("EMAIL", "ann@example.com"),
            text_property("FN", "Ann"),
        )
    )
    raw = exported(to_roundcube(stored).text())
    (one,) = mending.cards(raw)
    whole, left = mending.mended(one, [text, "City", "Ann", "ann@example.com", ""])
    assert left == ()
    assert differences(stored, meant(vcard.parse(whole)).card) == []


def test_a_kept_line_never_ends_where_a_fold_does():
    for length in range(1, 200):
        sent = to_roundcube(Card((text_property("FN", "Ann"), text_property("EMAIL", "x" * length))))
        (kept,) = [one for one in sent.rest if one.name == KEPT]
        line = f"{KEPT}:{kept.text}"
        assert len(line) % 76
        assert mending.cards(exported(sent.text())) == [exported(sent.text())]
        assert (
            differences(
                Card((text_property("FN", "Ann"), text_property("EMAIL", "x" * length))),
                from_roundcube(exported(sent.text())).card,
            )
            == []
        )


# -- what a person changes there ----------------------------------------------------------------------------------------------------


def test_what_a_person_changed_in_roundcube_counts():
    card = Card((text_property("FN", "Ann"), Property("TEL", (("+1 111",),), frozenset({"cell", "work"}), 1)))
    text = to_roundcube(card).text()
    changed = from_roundcube(text.replace("TEL;TYPE=cell:+1 111", "TEL;TYPE=cell:+1 222").encode()).card
    assert [(one.text, one.types) for one in changed.all("TEL")] == [("+1 222", {"cell"})]
    deleted = from_roundcube(text.replace("TEL;TYPE=cell:+1 111\r\n", "").encode()).card
    assert list(deleted.all("TEL")) == []


@pytest.mark.parametrize("name", ["TEL", "URL"])
@pytest.mark.parametrize("label", ["Móvil", "Segunda casa", "movil2"])
def test_a_label_of_the_persons_own_comes_back_as_one(name, label):
    said = Property(name, (("https://example.com/1",),), group="item1")
    card = Card((text_property("FN", "Ann"), said, Property("X-ABLABEL", ((label,),), group="item1")))
    back = from_roundcube(to_roundcube(card).text().encode()).card
    (one,) = back.all(name)
    assert not one.types
    assert [each.text for each in back.all("X-ABLABEL") if each.group == one.group] == [label]


def test_a_label_that_is_a_word_of_everybodys_is_not_kept_twice():
    said = Property("TEL", (("+34 1",),), group="item1")
    card = Card((text_property("FN", "Ann"), said, Property("X-ABLABEL", (("_$!<Home>!$_",),), group="item1")))
    assert KEPT not in to_roundcube(card).text()


def test_a_kept_property_that_was_damaged_is_told():
    read = from_roundcube(f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\n{KEPT}:%5Bbroken\r\nEND:VCARD".encode())
    assert read.card.label == "Ann"
    assert "cannot be read" in read.dropped[0]


@pytest.mark.parametrize(
    ("stored", "types"),
    [("workfax", {"work", "fax"}), ("homefax", {"home", "fax"}), ("mobile", {"cell"}), ("work2", {"work"})],
)
def test_roundcubes_own_words_are_read_as_everybodys(stored, types):
    read = from_roundcube(f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nTEL;TYPE={stored}:1\r\nEND:VCARD".encode())
    assert read.card.first("TEL").types == types


@pytest.mark.parametrize(
    "good",
    ["a@example.com", "a.b+c@x.example", "ü@example.com", "a@bücher.example", '"a b"@example.com', "a@[192.0.2.1]"],
)
def test_an_address_that_roundcube_takes(good):
    assert takes_email(good)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "a",
        "a@b",
        "a@@example.com",
        ".a@example.com",
        "a b@example.com",
        "a@example.1",
        "a@-x.example",
        "a\n@example.com",
    ],
)
def test_an_address_for_which_roundcube_drops_the_card(bad):
    assert not takes_email(bad)


# -- groups, columns, pages -----------------------------------------------------------------------------------------------------------


def test_a_group_is_told_by_its_members_or_is_a_card():
    ann = Card((text_property("UID", "a"), Property("CATEGORIES", (("Friends", "Work"),))))
    bob = Card((text_property("UID", "b"),))
    assert told_by_categories("Friends", [ann])
    assert not told_by_categories("Friends", [ann, bob])
    assert not told_by_categories("Friends", [])
    assert categories(in_groups(ann, frozenset({"Work"}))) == ("Work",)
    assert group_card("Friends", [ann, bob]).members == ("a", "b")
    assert group_card("Friends", [ann]).uid == group_card("Friends", []).uid


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("Jürgen Größe", "jurgen grosse"),
        ("Łukasz Żółć", "lukasz zolc"),
        ("O'Neil, Tim/Q", "neil tim"),
        ("+49 (30) 12-34", "49 (30) 1234"),
        ("Großer Müeller 王小", "großer müeller 王小"),
        ("王 a Ab", "a ab"),
    ],
)
def test_the_search_index_folds_as_roundcube_does(text, index):
    assert normal(text) == index


def test_columns_are_cut_where_the_card_is_not():
    sent = to_roundcube(Card((text_property("FN", "Ann " * 60), text_property("EMAIL", "a@example.com"))))
    assert len(columns(sent)["name"]) == 128
    assert len(next(one.text for one in sent.shown if one.name == "FN")) > 200


def test_calls_of_a_script_are_read_as_data():
    script = 'this.set_rowcount("1 - 2 of 2");\nthis.add_contact_row("7",{"name":"A (B)"},"person",{"name":"A (B)","email":"a@b.example","ID":"7"});'
    assert pages.rows(script) == [pages.Row("7", "A (B)", "a@b.example")]
    assert pages.complaint('rcmail.display_message("<b>Oh<\\/b> no","error",0)') == "Oh no"
    assert list(pages.calls("this.x(alert(1))", "x")) == [[]]
    assert pages.state('rcmail.set_env({"a":1});rcmail.set_env({"b":{"c":[2]}});') == {"a": 1, "b": {"c": [2]}}


def test_whose_place_a_contact_takes_is_no_part_of_what_it_says() -> None:
    card = Card((text_property("UID", "u1"), text_property("FN", "Ann Doe"), text_property("X-SHOE-SIZE", "37")))
    plain = to_roundcube(card)
    text = plain.instead_of("57").text().encode()
    assert instead_of(text) == "57"
    assert from_roundcube(text).card == from_roundcube(plain.text().encode()).card
    assert instead_of(plain.text().encode()) == ""
