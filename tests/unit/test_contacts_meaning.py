"""When two cards mean the same, and what is said when they do not."""

import pytest

from migrator.contacts import meaning, vcard
from migrator.contacts.model import Card, Property, text_property


def card(*content: str, version: str = "3.0") -> Card:
    return vcard.parse("\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *content, "END:VCARD", ""]).encode()).card


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("TEL;TYPE=HOME,VOICE:+49 30 1", "TEL;TYPE=voice;TYPE=home:+49-30-1"),
        ("TEL;VALUE=uri:tel:+49-30-1", "TEL:+49 (30) 1"),
        ("TEL;TYPE=MOBILE:1", "TEL;TYPE=CELL:1"),
        ("EMAIL;TYPE=INTERNET:Kim@Example.COM", "EMAIL:kim@example.com"),
        ("BDAY:1980-04-12", "BDAY;VALUE=date:19800412"),
        ("BDAY:1980-04-12", "BDAY:1980-04-12T00:00:00Z"),
        ("BDAY:--0412", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12"),
        ("ANNIVERSARY:19990101", "X-ANNIVERSARY:1999-01-01"),
        ("UID:urn:uuid:abc", "UID:abc"),
        ("PRODID:one", "PRODID:two"),
        ("REV:2020-01-01", "TITLE:"),
        ("ORG:Acme;", "ORG:Acme"),
        ("ORG:Acme\\, Ltd.", "ORG:Acme, Ltd."),
        ("ADR:;;a\\,b;c", "ADR:;;a,b;c;;;"),
        ("NOTE:cafe\u0301  ", "NOTE:café"),
        ("NOTE:a\\nb", "NOTE:a\\Nb"),
        ("CATEGORIES:a,b", "CATEGORIES:b,a"),
        ("URL:http\\://example.com", "URL:http://example.com"),
        ("item1.URL:http://x", "item7.URL:http://x"),
        ("item1.URL:http://x\r\nitem1.X-ABLabel:_$!<HomePage>!$_", "URL;TYPE=homepage:http://x"),
        ("PHOTO;ENCODING=b;TYPE=PNG:AAEC", "PHOTO:data:image/jpeg;base64,AAEC"),
        ("KIND:individual", "X-FOO:"),
        ("KIND:group\r\nMEMBER:a", "X-ADDRESSBOOKSERVER-KIND:group\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:a"),
        ("GEO:1.5;2.5", "GEO:geo:1.5,2.5"),
        ("X-GOOGLE TALK:kim", "X-GOOGLE-TALK:kim"),
        ("X-CUSTOM:a;b;c;;", "X-CUSTOM:a\\;b\\;c\\;\\;"),
        ("X-CUSTOM:a,b", "X-CUSTOM:a\\,b"),
        ("EMAIL;TYPE=PREF:a@example.com", "EMAIL:a@example.com"),
        ("N:Doe;Ann;;;", "N:;;;;"),
        ("TEL:1\r\nTEL:1", "TEL:1"),
    ],
)
def test_spellings_of_the_same(ours: str, theirs: str) -> None:
    first, second = card("FN:Ann Doe", ours), card("FN:Ann Doe", theirs)
    assert meaning.differences(first, second) == []
    assert meaning.same(first, second)
    assert meaning.digest(first) == meaning.digest(second)


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ("TEL:1", "TEL:2", "TEL was 1 and is 2"),
        ("TEL;TYPE=HOME:1", "TEL;TYPE=WORK:1", "TEL 1: was home, is work"),
        ("TEL;TYPE=HOME:1", "TEL:1", "TEL 1: was home, is plain"),
        ("EMAIL:a@example.com", "X-FOO:", "EMAIL is missing: a@example.com"),
        ("X-FOO:", "EMAIL:a@example.com", "EMAIL is new: a@example.com"),
        ("NOTE:a\\nb", "NOTE:a b", "NOTE was a b and is a b"),
        ("PHOTO;ENCODING=b:AAEC", "PHOTO;ENCODING=b:AAEDBAUG", "PHOTO was 3 bytes and is 6 bytes"),
        ("CATEGORIES:a,b", "CATEGORIES:a", "CATEGORIES is missing: b"),
        ("N:Doe;Ann;;;", "N:Ann;Doe;;;", "N was Doe;Ann and is Ann;Doe"),
        ("N:Doe;Ann;;Dr.;", "N:;;;;", "N is missing: Doe;Ann;;Dr."),
        ("ADR;TYPE=HOME:;;1 Way;Town;;;", "ADR;TYPE=HOME:;;1 Way;City;;;", "ADR was ;;1 Way;Town and is ;;1 Way;City"),
        ("BDAY:1980-04-12", "BDAY:--04-12", "BDAY was 1980-04-12 and is --04-12"),
        (
            "TEL;TYPE=PREF:1\r\nTEL:2",
            "TEL:1\r\nTEL:2",
            "TEL 1: was preferred, is plain",
        ),
    ],
)
def test_differences_in_words(ours: str, theirs: str, told: str) -> None:
    first, second = card("FN:Ann Doe", ours), card("FN:Ann Doe", theirs)
    assert meaning.differences(first, second) == [told]
    assert not meaning.same(first, second)


def test_a_name_of_another_is_another() -> None:
    assert meaning.differences(card("FN:Ann Doe"), card("FN:Ann Roe")) == ["FN was Ann Doe and is Ann Roe"]
    assert meaning.digest(card("FN:Ann Doe")) != meaning.digest(card("FN:Ann Roe"))


def test_a_name_made_of_what_there_was_is_no_difference() -> None:
    assert meaning.same(card("N:Doe;Ann;;;"), card("N:Doe;Ann;;;", "FN:Ann Doe"))
    assert meaning.same(card("EMAIL:kim@example.com"), card("EMAIL:kim@example.com", "FN:kim@example.com"))
    assert meaning.same(card("FN:Ann Maria Doe"), card("FN:Ann Maria Doe", "N:Maria Doe;Ann;;;"))


def test_properties_that_are_not_asked_for_do_not_differ() -> None:
    ours, theirs = card("FN:Ann", "UID:1", "PHOTO;ENCODING=b:AAEC"), card("FN:Anna", "UID:2")
    ignoring = frozenset({"UID", "PHOTO", "FN"})
    assert meaning.same(ours, theirs, ignoring)
    assert meaning.digest(ours, ignoring) == meaning.digest(theirs, ignoring)


def test_long_texts_are_shortened_in_words() -> None:
    (told,) = meaning.differences(card("FN:A", "NOTE:" + "x" * 500), card("FN:A"))
    assert len(told) < 100


def test_a_card_without_anything_means_the_same_as_itself() -> None:
    assert meaning.same(Card(), Card())
    assert meaning.same(Card(), Card((Property("TEL", (("",),)), text_property("NOTE", " "))))


@pytest.mark.parametrize("name", ["EMAIL", "ORG", "X-OTHER"])
@pytest.mark.parametrize("empty", ["", " ", ";;;;"])
def test_what_a_card_prefers_does_not_count_where_there_is_nothing_in_it(name: str, empty: str) -> None:
    parts = tuple((part,) for part in empty.split(";"))
    one = Card((Property(name, parts, preferred=1), text_property(name, "filled")))
    assert one.first(name) is one.properties[1]
    assert one.text(name) == "filled"


def test_an_empty_name_that_is_preferred_hides_no_other() -> None:
    one = card("FN;PREF=1: ", "FN:Kim", "N;PREF=1:;;;;", "N:Beispiel;Kim;;;", version="4.0")
    assert (one.text("FN"), one.text("N")) == ("Kim", "Beispiel;Kim;;;")


def test_of_empty_ones_the_preferred_is_the_first_and_a_photo_is_not_empty() -> None:
    empty = Card((text_property("TITLE", ""), Property("TITLE", ((" ",),), preferred=1)))
    assert empty.first("TITLE") is empty.properties[1]
    assert empty.first("ROLE") is None
    photos = Card((Property("PHOTO", ((" ",),)), Property("PHOTO", data=b"x")))
    assert photos.first("PHOTO") is photos.properties[1]
