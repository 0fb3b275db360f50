"""Cards as rows of other programs' tables, and back: nothing that a table can keep in any form is lost."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from migrator.contacts import (
    columns,
    google,
    leftovers,
    outlook,
    outlook_titles,
    thunderbird,
    thunderbird_titles,
    vcard,
)
from migrator.contacts.meaning import differences
from migrator.contacts.model import Card, Property, text_property
from migrator.testing.book_store import CARDS, mail, person
from migrator.wire import table
from migrator.wire.table import Look

VCARDS = Path(__file__).parents[2] / "fixtures" / "vcards"

# -- cards that nobody would write ------------------------------------------------------------------------------------

NAMES = """EMAIL TEL URL NOTE TITLE ROLE ADR ORG BDAY ANNIVERSARY NICKNAME CATEGORIES X-SKYPE X-ABLABEL X-SPOUSE RELATED IMPP GENDER UID
    X-CUSTOM SORT-STRING KEY X-OUTLOOK CLASS B SOME.OTHER.VALUE X-ODD+NAME X-PARTED X-ABDATE X-ABRELATEDNAMES"""
LETTERS = st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n")
WORDS = st.one_of(
    st.sampled_from(
        [
            "Ann",
            "Doe",
            "a, b",
            "x;y",
            "=1+1",
            "'=x",
            "- -",
            "a ::: b",
            "* Home",
            "\\n",
            "(work)",
            leftovers.HEADING,
            "UID:1",
        ]
    ),
    st.text(LETTERS, min_size=1, max_size=12),
).filter(str.strip)
TYPES = st.frozensets(st.sampled_from(["home", "work", "cell", "fax", "pager", "x-odd"]), max_size=3)
PREFERRED = st.none() | st.integers(1, 3)
GROUPS = st.sampled_from(["", "", "", "item1", "item2"])


@st.composite
def properties(draw):
    name = draw(st.sampled_from(NAMES.split()))
    if name == "ADR":
        parts = tuple((draw(st.just("") | WORDS),) for _ in range(7))
    elif name in {"NICKNAME", "CATEGORIES"}:
        parts = (tuple(draw(st.lists(WORDS, min_size=1, max_size=3))),)
    elif name == "X-PARTED":
        parts = tuple(
            tuple(draw(st.lists(st.just("") | WORDS, min_size=1, max_size=2))) for _ in range(draw(st.integers(1, 3)))
        )
    elif name == "ORG":
        parts = tuple((one,) for one in draw(st.lists(WORDS, min_size=1, max_size=3)))
    elif name == "GENDER":
        parts = ((draw(st.sampled_from("MFO")),), ("",))
    elif name in {"BDAY", "ANNIVERSARY"}:
        parts = (
            (
                draw(
                    st.sampled_from(
                        ["1980-04-12", "19800412", "--04-12", "--0412", "1980-04", "circa 1800", "0099-01-02"]
                    )
                ),
            ),
        )
    else:
        parts = ((draw(WORDS),),)
    params = draw(st.sampled_from([(), (), (("X-ODD", ("a b", 'c"d')),), (("LANGUAGE", ("de",)),)]))
    return Property(name, parts, draw(TYPES) if name in {"EMAIL", "TEL", "ADR", "URL", "RELATED"} else frozenset(),
                    draw(PREFERRED), params, draw(GROUPS))  # fmt: skip


@st.composite
def cards(draw):
    name = draw(st.lists(st.just("") | WORDS, min_size=5, max_size=5))
    own = [
        *([Property("N", tuple((one,) for one in name))] if draw(st.booleans()) else []),
        *([text_property("FN", draw(WORDS))] if draw(st.booleans()) else []),
    ]
    more = draw(st.lists(properties(), max_size=8))
    # A card has one UID, one day of birth, one gender.
    once = {one.name: one for one in more if one.name in {"UID", "BDAY", "ANNIVERSARY", "GENDER", "SORT-STRING"}}
    # A group has one label: of two the table keeps the last, and the step tells of the other.
    labels = {one.group.lower(): one for one in more if one.name == columns.LABEL and one.group}
    rest = [one for one in more if one.name not in once and not (one.name == columns.LABEL and one.group)]
    return Card((*own, *once.values(), *rest, *labels.values()), "3.0")


TABLES = {
    "google": google.GoogleColumns(),
    **{f"outlook-{language}": outlook.OutlookColumns(language) for language in outlook_titles.LANGUAGES},
    "thunderbird": thunderbird.ThunderbirdColumns(),
}


def there_and_back(program, card: Card) -> Card:
    """Through the bytes of a file."""
    cells = program.cells(card)
    header = program.header([cells], ())
    raw = table.written([cells.get(name, "") for name in header], Look())
    row = next(table.rows_of(raw, Look()), None)
    if row is None:
        return Card()  # a card that says nothing is no row
    return program.card({name: cell for name, cell in zip(header, row.cells, strict=True) if cell})


@pytest.mark.parametrize("program", TABLES)
@given(card=cards())
@example(card=Card((text_property("TEL", "1", "work"), text_property("TEL", "1", "x-odd"), text_property("TEL", "1"))))
@example(card=Card((Property("N", (("",), ("",), ("",), ("",), ("Ann",))), text_property("FN", ";"))))
def test_a_card_comes_back_from_any_table_meaning_the_same(program, card):
    assert differences(card, there_and_back(TABLES[program], card), columns.LOST) == []


@pytest.mark.parametrize("program", TABLES)
@pytest.mark.parametrize("trait", sorted(set(CARDS) - {"photo"}))
def test_each_trait_comes_back_from_each_table(program, trait):
    assert differences(CARDS[trait], there_and_back(TABLES[program], CARDS[trait]), columns.LOST) == []


@pytest.mark.parametrize("program", [name for name in TABLES if not name.startswith("outlook") or name == "outlook-en"])
@pytest.mark.parametrize("path", sorted(VCARDS.glob("*.vcf")), ids=lambda path: path.name)
def test_an_odd_card_comes_back_from_any_table(program, path):
    with path.open("rb") as file:
        odd = [read.card for read in vcard.read(file) if not read.card.is_group]
    for card in odd:
        assert differences(card, there_and_back(TABLES[program], card), columns.LOST) == []


# -- cells ------------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
@example("=cmd|' /C calc'!A0")
@example("'=1")
@example("''=1")
@example("'+49 30 1")
def test_a_cell_comes_back_as_it_was_and_is_no_formula(cell):
    safe = table.guarded(cell)
    assert table.unguarded(safe) == cell
    assert not safe.startswith(("=", "@", "\t", "\r", "\n"))
    assert not safe.startswith(("+", "-")) or safe.strip("+-0123456789 ()./") == ""


@pytest.mark.parametrize("program", TABLES)
@pytest.mark.parametrize(
    "word", ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1+9)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("x")']
)
def test_no_cell_of_a_sheet_is_a_formula(program, word):
    card = Card((text_property("UID", word), text_property("FN", word), Property("N", ((word,),) * 5), text_property("NOTE", word),
                 mail(word), text_property("TEL", word), Property("ORG", ((word,), (word,))), Property("ADR", ((word,),) * 7)))  # fmt: skip
    cells = TABLES[program].cells(card)
    raw = table.written(cells.values(), Look())
    (row,) = csv.reader(io.StringIO(raw.decode(), newline=""))
    assert [cell for cell in row if cell[:1] in set("=+-@\t\r\n") and cell.strip("+-0123456789 ()./")] == []


# -- Google -----------------------------------------------------------------------------------------------------------


def test_google_s_row_says_in_its_own_columns_what_people_look_for():
    cells = google.GoogleColumns().cells(
        person(
            "u1",
            "Ann Doe",
            replace(mail("ann@example.com", "work"), preferred=1),
            mail("ann@example.org", "home"),
            text_property("TEL", "+49 30 1", "cell"),
            text_property("TEL", "+49 30 2", "work", "fax"),
            Property("ORG", (("Acme",), ("Sales",))),
            Property("CATEGORIES", (("Friends", "Work, and so on"),)),
            text_property("X-SPOUSE", "Bob"),
            text_property("ANNIVERSARY", "2001-02-03"),
        )
    )
    wanted = {
        "First Name": "Ann", "Last Name": "Doe", "E-mail 1 - Label": "* Work", "E-mail 1 - Value": "ann@example.com",
        "E-mail 2 - Label": "Home", "Phone 1 - Label": "Mobile", "Phone 2 - Label": "Work Fax", "Organization Name": "Acme",
        "Organization Department": "Sales", "Labels": "* myContacts ::: Friends ::: Work, and so on", "Relation 1 - Label": "Spouse",
        "Event 1 - Label": "Anniversary", "Event 1 - Value": "2001-02-03",
    }  # fmt: skip
    assert {name: cells[name] for name in wanted} == wanted
    fields = {cells[f"Custom Field {n} - Label"]: cells[f"Custom Field {n} - Value"] for n in (1, 2)}
    assert fields == {"UID": "u1", "CATEGORIES": "Friends,Work\\, and so on"}


def test_a_card_without_a_uid_that_google_has_columns_for_needs_no_custom_field():
    card = person(
        "u1", "Ann Doe", mail("ann@example.com", "internet"), text_property("TEL", "1", "cell", "voice")
    ).without("UID")
    assert not [name for name in google.GoogleColumns().cells(card) if name.startswith("Custom")]


# -- Outlook ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", outlook_titles.LANGUAGES)
def test_outlook_s_own_titles_are_told_by_language(language):
    titles = outlook.OutlookColumns(language).titles(outlook_titles.ENGLISH)
    assert len(titles) == 92
    found, names = outlook.OutlookColumns().recognised(titles)
    assert found.language == language
    assert names == outlook_titles.ENGLISH


@pytest.mark.parametrize("language", thunderbird_titles.LANGUAGES)
def test_thunderbird_s_titles_are_told_by_language(language):
    titles = thunderbird.ThunderbirdColumns(language).titles(thunderbird_titles.ENGLISH)
    found, names = thunderbird.ThunderbirdColumns().recognised((*titles, ""))
    assert found.language == language
    assert names == (*thunderbird_titles.ENGLISH, "")


@pytest.mark.parametrize(
    ("language", "title", "name"),
    [
        ("de", "Telefon privat", "Home Phone"),
        ("de", "STRASSE GESCHÄFTLICH", "Business Street"),
        ("de", "E-Mail 2: Adresse", "E-mail 2 Address"),
        ("fr", "Telephone (bureau) 2", "Business Phone 2"),
        ("pt", "Telefone celular", "Mobile Phone"),
        ("es", "Movil", "Mobile Phone"),
        ("it", "Citta (uff.)", "Business City"),
    ],
)
def test_a_title_is_known_in_other_spellings(language, title, name):
    assert outlook_titles.names_of([title], language) == [name]


def test_brazil_s_aniversario_is_the_birthday_and_portugal_s_is_not():
    assert outlook_titles.names_of(["Aniversário"], "pt") == ["Birthday"]
    assert outlook_titles.names_of(["Aniversário", "Data de nascimento"], "pt") == ["Anniversary", "Birthday"]


@pytest.mark.parametrize(
    ("language", "text", "day"),
    [
        ("en", "4/12/1980", "1980-04-12"),
        ("en", "25/12/1980", "1980-12-25"),
        ("de", "12.4.1980", "1980-04-12"),
        ("fr", "12/04/1980", "1980-04-12"),
        ("en", "4/12/80", "1980-04-12"),
        ("en", "4/12/05", "2005-04-12"),
        ("it", "1980-04-12", "1980-04-12"),
        ("en", "spring", "spring"),
    ],
)
def test_a_day_is_read_as_the_language_writes_it(language, text, day):
    assert outlook.OutlookColumns(language).card({"First Name": "Ann", "Birthday": text}).text("BDAY") == day


@pytest.mark.parametrize("text", ["0/0/00", "00/00/0000", "0.0.00", "0-0-0"])
def test_an_empty_date_is_none(text):
    assert outlook.OutlookColumns().card({"First Name": "Ann", "Birthday": text, "Anniversary": text}).properties == (
        text_property("FN", "Ann"),
        Property("N", (("",), ("Ann",), ("",), ("",), ("",))),
    )


def test_a_path_in_an_exchange_server_is_no_address():
    path = "/o=Acme/ou=First/cn=Recipients/cn=ann"
    cells = {
        "First Name": "Ann",
        "E-mail Address": path,
        "E-mail Type": "EX",
        "E-mail Display Name": "Ann Doe (ann@example.com)",
    }
    card = outlook.OutlookColumns().card(cells)
    assert card.text("EMAIL") == "ann@example.com"
    assert outlook.OutlookColumns().told(cells) == ()
    bare = {**cells, "E-mail Display Name": "Ann Doe"}
    assert outlook.OutlookColumns().card(bare).first("EMAIL") is None
    assert outlook.OutlookColumns().card(bare).text("X-EX-ADDRESS") == path
    assert "no address" in outlook.OutlookColumns().told(bare)[0]


def test_what_has_no_column_stands_below_the_note_for_people_to_read():
    card = person(
        "u1", "Ann Doe", text_property("NOTE", "Met in May"), text_property("X-SKYPE", "ann.doe"), *map(mail, "abcd")
    )
    cells = outlook.OutlookColumns().cells(card)
    assert cells["Notes"] == f"Met in May\n{leftovers.HEADING}\nX-SKYPE: ann.doe\nEMAIL: d"
    assert cells["User 4"] == "UID:u1"


@pytest.mark.parametrize("program", TABLES)
def test_a_key_comes_back_from_any_table(program):
    card = person(
        "u1",
        "Ann Doe",
        Property("KEY", data=b"\x30\x82 key", media="application/pgp-keys"),
        Property("X-SEAL", data=b"\0\1"),
    )
    assert differences(card, there_and_back(TABLES[program], card)) == []


def test_a_note_that_a_person_wrote_below_the_heading_stays_a_note():
    text = f"Met in May\n{leftovers.HEADING}\nand in June: twice\nX-SKYPE: x"
    assert leftovers.above(text) == (text, ())
