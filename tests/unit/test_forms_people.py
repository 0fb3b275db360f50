"""People who wrote through forms become cards: one for each address, of what was said, and nothing of what looks otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from migrator.contacts import vcard
from migrator.contacts.model import Card, text_property
from migrator.engine.contract import Login
from migrator.forms import people
from migrator.forms.answers import Answer
from migrator.forms.flat import HEADER, Entry
from migrator.testing.memory_books import MemoryBooks, Options

ANN = "ann@example.com"


def entry(*answers: Answer, status: str = "", form: str = "Contact") -> Entry:
    return Entry({**dict.fromkeys(HEADER, ""), "status": status, "form_title": form}, answers)


def one(*answers: Answer) -> Card:
    (card,) = people.cards([entry(*answers)])
    return card


def names(card: Card) -> tuple[str, str, str]:
    name = card.first("N")
    return card.text("FN"), name.component(1) if name else "", name.component(0) if name else ""


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        ([Answer("your-name", "Ann Lee")], ("Ann Lee", "", "")),
        ([Answer("1", {"First": "Ann", "Last": "Lee"}, "Name", "name")], ("Ann Lee", "Ann", "Lee")),
        ([Answer("name-1", {"first-name": "Ann", "last-name": "Lee"}, "Your name")], ("Ann Lee", "Ann", "Lee")),
        ([Answer("x", "Ann", "Vorname"), Answer("y", "Lee", "Nachname")], ("Ann Lee", "Ann", "Lee")),
        ([Answer("x", "Ann", "Nombre"), Answer("y", "Lee", "Apellidos")], ("Ann Lee", "Ann", "Lee")),
        ([Answer("x", "Ann Lee", "Prénom et nom")], (ANN, "", "")),
        ([Answer("x", "Ann", "Prénom")], ("Ann", "Ann", "")),
        ([Answer("address", {"name": "not a person", "city": "Berlin"})], (ANN, "", "")),
        ([Answer("name", "x" * 500)], (ANN, "", "")),
        ([Answer("name", "two\nlines")], (ANN, "", "")),
        ([Answer("colour", "red")], (ANN, "", "")),
    ],
)
def test_a_name_is_known_by_its_kind_its_parts_or_what_it_is_called(answers, wanted) -> None:
    assert names(one(Answer("email", ANN), *answers)) == wanted


@pytest.mark.parametrize(
    "answer",
    [
        Answer("email", ANN), Answer("your-email", f" {ANN} "), Answer("e1", ANN, "E-Mail"), Answer("2", ANN, "Correo electrónico"),
        Answer("3", ANN, kind="email"), Answer("anything", ANN), Answer("5", {"email": ANN, "confirm": ANN}),
    ],
)  # fmt: skip
def test_an_address_is_found_wherever_it_stands(answer) -> None:
    assert one(answer, Answer("message", f"Write to me at {ANN}")).text("EMAIL") == ANN


@pytest.mark.parametrize(
    "text",
    ["", "no", "a@b", "Ann <ann@example.com>", "a b@example.com", "x" * 100 + "@example.com", "a@example.com\nBcc: b"],
)
def test_what_is_no_address_makes_no_card(text) -> None:
    assert not list(people.cards([entry(Answer("email", text), Answer("name", "Ann"))]))


def test_of_two_addresses_in_fields_nobody_knows_none_is_presumed() -> None:
    assert not list(people.cards([entry(Answer("a", ANN), Answer("b", "bo@example.com"))]))


@pytest.mark.parametrize("status", ["spam", "trash", "Trashed", "flamingo-spam"])
def test_spam_and_what_was_thrown_away_makes_no_card(status) -> None:
    assert not list(people.cards([entry(Answer("email", ANN), status=status)]))


def test_entries_of_one_address_make_one_card() -> None:
    told = [
        entry(Answer("email", "Ann@Example.com"), Answer("phone", "+49 30 1234567")),
        entry(Answer("email", "bo@example.com")),
        entry(
            Answer("email", ANN),
            Answer("name", "Ann Lee"),
            Answer("tel", "0151/23456"),
            Answer("company", "Acme"),
            form="Order",
        ),
        entry(Answer("email", ANN), Answer("name", "Somebody Else"), Answer("phone", "call me")),
    ]
    ann, bo = people.cards(told)
    assert ann.text("FN") == "Ann Lee"
    assert [telephone.text for telephone in ann.all("TEL")] == ["+49 30 1234567", "0151/23456"]
    assert ann.text("ORG") == "Acme"
    assert ann.text("NOTE") == "Wrote through a form: Contact, Order"
    assert bo.text("FN") == "bo@example.com"
    assert ann.uid != bo.uid
    assert [card.uid for card in people.cards(told)] == [ann.uid, bo.uid]


TEXT = st.text(max_size=12) | st.sampled_from([ANN, "a@xn--p1ai.example", "name", "+49 30 123456"])


@given(
    st.lists(
        st.builds(Answer, TEXT, TEXT | st.lists(TEXT, max_size=2) | st.dictionaries(TEXT, TEXT, max_size=2), TEXT),
        max_size=5,
    )
)
def test_whatever_is_answered_makes_cards_that_come_back_as_they_were(answers) -> None:
    for card in people.cards([entry(Answer("email", ANN), *answers)]):
        assert card.text("EMAIL")
        assert vcard.parse(vcard.write(card, "3.0").encode("utf-8", "surrogatepass")).card.text("FN") == card.text("FN")


# -- into a book ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def books() -> MemoryBooks:
    return MemoryBooks("new")


def writer(books: MemoryBooks):
    return books.writer(Options(), Login(ANN, ANN, SecretStr("pw")))


def refusing(card: Card, words: str) -> None:
    raise AssertionError(words)


def told(*addresses: str) -> list[Card]:
    return list(people.cards([entry(Answer("email", one)) for one in addresses]))


def test_cards_go_into_a_book_that_is_made_for_them_and_twice_is_once(books) -> None:
    books.fill(ANN, "Contacts")
    session = writer(books)
    assert people.add("Website", session, told(ANN, "bo@example.com"), refusing) == 2
    assert people.add("Website", session, told(ANN, "bo@example.com", "cy@example.com"), refusing) == 1
    assert not people.missing("Website", session, told(ANN, "bo@example.com", "cy@example.com"))
    (website,) = [book for book in session.books() if book.name == "Website"]
    assert len(list(session.index(website.id))) == 3


def test_whoever_is_in_the_book_already_stays_as_he_is(books) -> None:
    books.fill(
        ANN,
        "Contacts",
        Card((text_property("UID", "1"), text_property("FN", "Bo"), text_property("EMAIL", "Bo@example.com"))),
    )
    assert not people.add("Contacts", writer(books), told("bo@example.com"), refusing)
    assert len(books.writes) == 0


def test_nobody_to_put_makes_no_book(books) -> None:
    books.fill(ANN, "Contacts")
    session = writer(books)
    assert people.add("Website", session, [], refusing) == 0
    assert [book.name for book in session.books()] == ["Contacts"]
