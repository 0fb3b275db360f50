"""Reading and writing vCards, for cards nobody thought of: whatever is read is told, whatever is written comes back."""

import io
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from migrator.contacts import charsets, dates, lines, meaning, vcard
from migrator.contacts.model import COMPONENTS, LISTS, Card, Property, text_property


def cards(content: bytes, charset: str | None = None) -> list[vcard.Read]:
    return list(vcard.read(io.BytesIO(content), charset))


def one(*content: str, version: str = "3.0") -> Card:
    return vcard.parse("\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *content, "END:VCARD", ""]).encode()).card


# -- anniversaries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "X-KADDRESSBOOK-X-ANNIVERSARY"])
def test_in_4_a_wedding_day_has_the_name_that_4_gives_it(name: str) -> None:
    card = one("FN:Ann", f"{name}:2005-06-07")
    text = vcard.write(card, "4.0")
    assert "\r\nANNIVERSARY:20050607\r\n" in text
    assert name not in text
    assert meaning.differences(card, vcard.parse(text.encode()).card) == []
    assert f"\r\n{name}:2005-06-07\r\n" in vcard.write(card, "3.0")


def test_in_4_there_is_one_wedding_day_at_most() -> None:
    card = one("FN:Ann", "X-ANNIVERSARY:2005-06-07", "ANNIVERSARY:2005-06-07", "X-EVOLUTION-ANNIVERSARY:2006-01-01")
    text = vcard.write(card, "4.0")
    assert text.count("\r\nANNIVERSARY:") == 1
    assert "\r\nX-EVOLUTION-ANNIVERSARY:" in text
    assert meaning.differences(card, vcard.parse(text.encode()).card) == []


# -- names of companies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (("FN:Solo Empresa SA", "ORG:Solo Empresa SA"), ";;;;"),
        (("FN:Empresa Ibérica S.L.", "ORG:Empresa Ibérica S.L.;Ventas"), ";;;;"),
        (("ORG:Empresa Ibérica S.L.;Ventas",), ";;;;"),
        (("FN:solo empresa sa", "N:;;;;", "ORG:Solo Empresa SA"), ";;;;"),
        (("FN:Ana Peña", "ORG:Solo Empresa SA"), "Peña;Ana;;;"),
        (("FN:Solo Empresa SA", "N:SA;Solo Empresa;;;", "ORG:Solo Empresa SA"), "SA;Solo Empresa;;;"),
        (("FN:Ana Peña", "ORG:"), "Peña;Ana;;;"),
    ],
)
def test_a_company_is_given_no_persons_name(content: tuple[str, ...], name: str) -> None:
    card = one(*content)
    text = vcard.write(card, "3.0")
    (written,) = re.findall(r"^N:(.*)\r$", text, re.MULTILINE)
    assert written == name
    assert vcard.objection(text) == ""
    assert meaning.differences(card, vcard.parse(text.encode()).card) == []


# -- for all bytes --------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        b"BEGIN:VCARD\r\n", b"END:VCARD\r\n", b"VERSION:2.1\r\n", b"VERSION:4.0\n", b"AGENT:\r\n", b"AGENT:BEGIN:VCARD\\nFN:x\\n",
        b"FN:", b"N:a;b", b"PHOTO;ENCODING=b:", b"PHOTO;BASE64:", b"AAAA", b"=\r\n", b";ENCODING=QUOTED-PRINTABLE:", b"=C3=", b"=",
        b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b";", b",", b'"', b"\\", b"\0", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf",
        b"\xc3\xbc", b"\xfc", b"data:image/png;base64,", b"data:,", b"item1.", b"X-ABLabel:", b";CHARSET=UTF-16:", b";CHARSET=hex:",
        b";CHARSET=idna:", b"TYPE=", b"PREF=", b"BDAY:", b"tel:", b"GEO:geo:1,2", "BEGIN:VCARD\r\nFN:ü\r\n".encode("utf-16-le"),
        "END:VCARD\r\n".encode("utf-16-be"),
    ]
)  # fmt: skip


@given(st.lists(PIECES | st.binary(max_size=5), max_size=40).map(b"".join))
@example(b"BEGIN:VCARD\nTEL;VALUE=uri:\nGEO:\nBDAY;X-APPLE-OMIT-YEAR=:\nEND:VCARD")
def test_no_bytes_make_the_reader_raise_and_what_it_gives_can_be_written(content: bytes) -> None:
    for found in cards(content):
        for version in vcard.VERSIONS:
            again = vcard.parse(vcard.write(found.card, version).encode())
            assert not again.dropped
            assert not meaning.differences(found.card, again.card)
        assert vcard.parse(found.raw).card == found.card
        assert content[found.offset : found.offset + len(found.raw)] == found.raw


@given(st.binary())
def test_no_single_card_makes_the_reader_raise(content: bytes) -> None:
    vcard.parse(content)
    vcard.parse(b"BEGIN:VCARD\r\n" + content)
    vcard.parse(content, "no such charset")


@given(st.lists(PIECES, max_size=20).map(b"".join))
def test_nothing_before_a_card_hides_it(content: bytes) -> None:
    last = b"\r\nBEGIN:VCARD\r\nVERSION:3.0\r\nFN:Last\r\nUID:last\r\nTEL:1\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:Very last\r\nEND:VCARD\r\n"
    found = cards(content.replace(b"\r\n", b"\n").replace(b"\r", b"") + last)
    assert found[-1].card.text("FN") == "Very last"


# -- for all cards --------------------------------------------------------------------------------------------------------

TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t,;:\\\"'^= äß€☂🎉שلم")
) | st.sampled_from(
    ["a, b; c: d", "\\n", "x\\", "\\,", '"', "=0D=0A", " lead", "trail ", "END:VCARD", "http://x/a,b;c", "\u2028"]
)
WORDS = (
    st.text(st.sampled_from("abcdefghijäö-x "), min_size=1, max_size=8)
    .map(str.strip)
    .filter(lambda word: word not in {"", "pref"})
)
TYPES = st.frozensets(st.sampled_from(["home", "work", "cell", "fax", "x-büro", "zweite adresse"]), max_size=2)
PARAMS = st.lists(
    st.tuples(
        st.sampled_from(["X-P", "LANGUAGE", "SORT-AS", "LABEL"]),
        st.lists(TEXTS.filter(str.strip), min_size=1, max_size=2).map(tuple),
    ),
    max_size=2,
    unique_by=lambda param: param[0],
).map(tuple)
GROUPS = st.sampled_from(["", "", "item1", "item2", "home"])
PREFERENCES = st.none() | st.sampled_from([1, 1, 2, 50])


@st.composite
def properties(draw: st.DrawFn) -> Property:
    name = draw(
        st.sampled_from(
            "EMAIL TEL ADR ORG URL NOTE TITLE CATEGORIES NICKNAME BDAY IMPP RELATED X-CUSTOM X-ABLABEL GEO KEY SOUND MEMBER LABEL "  # noqa: SIM905
            "X-ODD SORT-STRING GENDER N FN TZ REV".split()
        )
    )
    if name in {"KEY", "SOUND"} or (name == "X-CUSTOM" and draw(st.booleans())):
        return Property(
            name, data=draw(st.binary(min_size=1, max_size=200)), media=draw(st.sampled_from(["", "audio/wav"]))
        )
    if name in COMPONENTS:
        count = COMPONENTS[name] or draw(st.integers(1, 3))
        parts = tuple((draw(TEXTS),) for _ in range(count))
    elif name in LISTS:
        parts = (tuple(draw(st.lists(TEXTS, min_size=1, max_size=3))),)
    elif name == "FN":
        parts = ((draw(TEXTS.filter(str.strip)),),)
    elif name == "BDAY":
        parts = (
            (
                draw(
                    st.sampled_from(
                        ["19800412", "1980-04-12", "--0412", "1980-04", "spring, 1980", "1980-04-12T08:30:00Z"]
                    )
                ),
            ),
        )
    else:
        parts = ((draw(TEXTS),),)
    return Property(name, parts, draw(TYPES), draw(PREFERENCES), draw(PARAMS), draw(GROUPS))


CARDS = st.lists(properties(), max_size=8).map(lambda found: Card((text_property("FN", "Kim Beispiel"), *found)))


@given(CARDS, st.sampled_from(vcard.VERSIONS), st.booleans())
def test_a_card_that_is_written_comes_back(card: Card, version: str, fold: bool) -> None:  # noqa: FBT001
    text = vcard.write(card, version, fold=fold)
    again = vcard.parse(text.encode())
    assert not again.dropped
    assert not meaning.differences(card, again.card)
    assert meaning.digest(card) == meaning.digest(again.card)
    tidy = vcard.write(again.card, version, fold=fold)
    assert vcard.write(vcard.parse(tidy.encode()).card, version, fold=fold) == tidy


@given(CARDS)
def test_a_card_is_the_same_after_a_journey_through_both_versions(card: Card) -> None:
    there = vcard.parse(vcard.write(card, "4.0").encode()).card
    back = vcard.parse(vcard.write(there, "3.0").encode()).card
    assert not meaning.differences(card, back)


@given(CARDS)
def test_a_second_reader_takes_every_card_we_write(card: Card) -> None:
    assert vcard.objection(vcard.write(card)) == ""


@given(CARDS, st.randoms())
def test_the_order_of_lines_means_nothing(card: Card, random: object) -> None:
    shuffled = list(card.properties)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    shuffled.sort(key=lambda prop: prop.name in {"FN", "N"} and card.properties.index(prop))
    assert meaning.same(card, Card(tuple(shuffled)))


@given(TEXTS, st.integers(1, 120))
def test_folding_cuts_no_character_and_comes_back(text: str, times: int) -> None:
    card = Card((text_property("FN", "Kim"), text_property("NOTE", text * times)))
    for line in vcard.write(card).encode().split(b"\r\n"):
        assert len(line) <= 75
        line.decode()
    assert vcard.parse(vcard.write(card).encode()).card.text("NOTE") == vcard.parse(
        vcard.write(card, fold=False).encode()
    ).card.text("NOTE")


# -- streams ----------------------------------------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """A file that repeats a piece until so many bytes are read, and holds none of them."""

    def __init__(self, piece: bytes, size: int) -> None:
        self._piece, self._left, self._at = piece, size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, room: bytearray) -> int:  # type: ignore[override]
        count = min(len(room), len(self._piece) - self._at, self._left)
        room[:count] = self._piece[self._at : self._at + count]
        self._at = (self._at + count) % len(self._piece)
        self._left -= count
        return count


def peak(reads: Iterator[vcard.Read]) -> int:
    import tracemalloc

    tracemalloc.start()
    for _ in reads:
        pass
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_a_file_of_many_cards_takes_the_memory_of_one() -> None:
    piece = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Kim\r\nNOTE:" + b"x" * 70 + b"\r\n " * 200 + b"\r\nEND:VCARD\r\n"
    assert peak(vcard.read(io.BufferedReader(Endless(piece, 8_000_000)))) < 4_000_000


def test_a_card_that_never_ends_is_cut_at_a_size_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LARGEST_CARD", 100_000)
    content = b"BEGIN:VCARD\nFN:Kim\n" + b"NOTE:x\n" * 50_000 + b"END:VCARD\nBEGIN:VCARD\nFN:Next\nEND:VCARD\n"
    first, second = cards(content)
    assert first.card.text("FN") == "Kim"
    assert len(first.raw) <= 100_000
    assert any("larger than" in told for told in first.dropped)
    assert second.card.text("FN") == "Next"
    assert not second.dropped


def test_cards_in_cards_in_cards_end_somewhere() -> None:
    deep = b"BEGIN:VCARD\nFN:x\nAGENT:\n" * 200 + b"BEGIN:VCARD\nFN:y\nEND:VCARD\n" + b"END:VCARD\n" * 200
    (found,) = cards(deep)
    assert any("too deep" in told for told in found.dropped)


def test_cards_without_ends_are_told_apart_however_many() -> None:
    found = cards(b"BEGIN:VCARD\nFN:x\n" * 1000)
    assert len(found) == 1000
    assert all(len(each.dropped) == 1 for each in found)


def test_a_charset_from_the_plan_is_used_where_a_card_says_nothing() -> None:
    content = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Dvořák\r\nEND:VCARD\r\n".encode("cp1250")
    assert cards(content, "windows-1250")[0].card.text("FN") == "Dvořák"
    assert cards(content, "no such charset")[0].card.text("FN") != ""
    assert cards("BEGIN:VCARD\r\nFN:Dvořák\r\nEND:VCARD\r\n".encode(), "windows-1250")[0].card.text("FN") == "Dvořák"
    quoted = b"BEGIN:VCARD\r\nVERSION:2.1\r\nFN;ENCODING=QUOTED-PRINTABLE:Dvo=F8=E1k\r\nEND:VCARD\r\n"
    assert cards(quoted, "windows-1250")[0].card.text("FN") == "Dvořák"


@pytest.mark.parametrize("label", ["rot13", "zlib", "bz2", "uu", "hex", "idna", "undefined"])
def test_a_card_labelled_with_what_is_no_charset_of_letters_is_read(label: str) -> None:
    content = f"BEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET={label}:Müller\r\nEND:VCARD\r\n".encode()
    assert cards(content)[0].card.text("FN") == "Müller"


@pytest.mark.parametrize(
    "name", ["Müller", "Núñez Peña", "Łukasz", "Søren Kjærgård", "Œuvre", "Conceição", "Þórður", "Ühü"]
)
def test_western_names_are_not_taken_for_others(name: str) -> None:
    assert charsets.guess([name.encode("cp1252", "ignore")]) == "cp1252"


# -- writing ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_what_a_server_wants_without_a_group_is_written_without_one(version: str) -> None:
    read = vcard.parse(
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nitem1.PRODID:-//x\r\nitem2.UID:abc\r\nFN:Ann\r\n"
        b"item3.EMAIL:ann@example.com\r\nitem3.X-ABLabel:Work\r\nEND:VCARD\r\n"
    ).card
    text = vcard.write(read, version)
    assert vcard.objection(text) == ""
    assert "\r\nUID:abc\r\n" in text
    assert "\r\nPRODID:-//x\r\n" in text
    assert "item3.EMAIL" in text


def test_a_group_is_written_as_apples_in_3_and_as_kind_in_4() -> None:
    card = Card((text_property("FN", "Choir, old"), text_property("KIND", "group"), text_property("MEMBER", "abc")))
    old, new = vcard.write(card, "3.0"), vcard.write(card, "4.0")
    assert "X-ADDRESSBOOKSERVER-KIND:group\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:abc\r\n" in old
    assert "KIND:group\r\nMEMBER:urn:uuid:abc\r\n" in new
    assert "N:Choir\\, old;;;;\r\n" in old
    assert "FN:Choir\\, old\r\n" in new
    for text in (old, new):
        assert vcard.parse(text.encode()).card.is_group
        assert vcard.parse(text.encode()).card.members == ("abc",)


@pytest.mark.parametrize(
    ("line", "in_3", "in_4"),
    [
        ("TEL;TYPE=HOME,PREF:+1 5", "TEL;TYPE=HOME,PREF:+1 5", "TEL;TYPE=home;PREF=1:+1 5"),
        ("TEL;VALUE=uri:tel:+1-5", "TEL:+1-5", "TEL:+1-5"),
        ("BDAY:19800412", "BDAY:1980-04-12", "BDAY:19800412"),
        ("BDAY:--0412", "BDAY:--04-12", "BDAY:--0412"),
        ("BDAY:circa 1800", "BDAY:circa 1800", "BDAY;VALUE=text:circa 1800"),
        ("PHOTO;ENCODING=b;TYPE=JPEG:AAEC", "PHOTO;ENCODING=b;TYPE=JPEG:AAEC", "PHOTO:data:image/jpeg;base64,AAEC"),
        (
            "PHOTO:https://example.com/a,b",
            "PHOTO;VALUE=uri:https://example.com/a\\,b",
            "PHOTO:https://example.com/a,b",
        ),
        ("GEO:1.5;2.5", "GEO:1.5;2.5", "GEO:geo:1.5,2.5"),
        ("X-messaging/xmpp-All:a;b\\;c", "X-MESSAGING-XMPP-ALL:a;b\\;c", "X-MESSAGING-XMPP-ALL:a;b\\;c"),
        ("X-CUSTOM:one, two;three", "X-CUSTOM:one\\, two;three", "X-CUSTOM:one, two;three"),
        ("item1.X-ABLabel:_$!<Home>!$_", "item1.X-ABLabel:_$!<Home>!$_", "item1.X-ABLabel:_$!<Home>!$_"),
        ('ADR;LABEL="a, b^nc":;;s', 'ADR;LABEL="a, b^nc":;;s;;;;', 'ADR;LABEL="a, b^nc":;;s;;;;'),
        ("RELATED;VALUE=text:Robin", "RELATED:Robin", "RELATED;VALUE=text:Robin"),
    ],
)
def test_each_version_spells_a_line_in_its_way(line: str, in_3: str, in_4: str) -> None:
    card = one("FN:Kim", line)
    assert in_3 in vcard.write(card, "3.0", fold=False).split("\r\n")
    assert in_4 in vcard.write(card, "4.0", fold=False).split("\r\n")


def test_a_version_nobody_writes_any_more_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("2.1")):
        vcard.write(Card(), "2.1")


@pytest.mark.parametrize(
    ("card", "formatted", "structured"),
    [
        (one("FN:Ann Doe"), "Ann Doe", "Doe;Ann;;;"),
        (one("FN:Doe\\, Ann"), "Doe, Ann", "Doe;Ann;;;"),
        (one("FN:Cher"), "Cher", ";Cher;;;"),
        (one("N:Doe;Ann;;Dr.;"), "Ann Doe", "Doe;Ann;;Dr.;"),
        (one("EMAIL:kim@example.com"), "kim@example.com", "kim@example.com;;;;"),
        (one("ORG:Acme;Sales"), "Acme;Sales", ";;;;"),
        (one("KIND:org", "FN:Acme Ltd."), "Acme Ltd.", "Acme Ltd.;;;;"),
    ],
)
def test_what_3_requires_of_names_is_made_of_what_there_is(card: Card, formatted: str, structured: str) -> None:
    text = vcard.write(card)
    assert vcard.parse(text.encode()).card.text("FN") == formatted
    assert f"\r\nN:{structured}\r\n" in text
    assert meaning.same(card, vcard.parse(text.encode()).card)


def test_an_objection_names_what_a_strict_reader_minds() -> None:
    assert "more than 1 N" in vcard.objection("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nN:a\r\nN:b\r\nEND:VCARD\r\n")


# -- days -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelt", "means"),
    [
        ("19800412", "1980-04-12"),
        ("1980-04-12", "1980-04-12"),
        ("12.4.1980", "1980-04-12"),
        ("1980-04-12T00:00:00.000Z", "1980-04-12"),
        ("19800412T000000+0200", "1980-04-12"),
        ("--0412", "--04-12"),
        ("--04-12", "--04-12"),
        ("0000-04-12", "--04-12"),
        ("1980-04", "1980-04"),
        ("--04", "--04"),
        ("1980-04-12T08:30:00Z", "1980-04-12T08:30:00Z"),
        ("19800412T083000-0000", "1980-04-12T08:30:00Z"),
        ("1980-13-12", ""),
        ("in spring", ""),
        ("", ""),
    ],
)
def test_a_day_has_one_spelling_here(spelt: str, means: str) -> None:
    assert dates.day(spelt) == means
    if means:
        assert dates.day(dates.basic(spelt)) == means
        assert dates.day(dates.extended(spelt)) == means
    else:
        assert dates.basic(spelt) == spelt


def test_a_year_that_stands_for_none_is_none() -> None:
    assert dates.day("1604-04-12", "1604") == "--04-12"
    assert dates.day("1604-04-12") == "1604-04-12"
