"""The promises of `migrator/contacts/contract.py` as tests, for every adapter of contacts: ours and those of plug-in authors.

    class TestCardDav(BookContract):
        adapter = carddav.ADAPTER
        cannot = {"photo": "the server takes no photos"}

        @pytest.fixture
        def options(self, server): return carddav.Options(url=server.url)

        @pytest.fixture
        def login(self, server): return server.fresh_login()

`login` gives each test an account of its own. `book` is an empty book in it: one that is made, or the first writable one where the
product has a fixed set; override it where that one is not empty. Cards are compared by meaning, but for what `features.lost` names.
What a product cannot is said in `cannot`, by trait (a key of CARDS) with the reason; then the card still has to be there, or refused
in words: nothing vanishes in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from migrator.contacts.contract import BookReader, BookWriter
from migrator.contacts.meaning import differences
from migrator.contacts.model import Card, Entry, Features, Held, Property, Put, text_property
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import LoginRefused, NotFound, Refused

ONE_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
NEVER_TOLD = frozenset({"REV", "PRODID"})  # a server's own stamps
Opens = Callable[[], closing[BookReader]]
Passes = Callable[[str], bool]


def person(uid: str, name: str = "Ann Doe", *more: Property) -> Card:
    """A card of a person under this UID. `name` is given and family name."""
    given, _, family = name.rpartition(" ")
    return Card(
        (
            text_property("UID", uid),
            text_property("FN", name),
            Property("N", ((family,), (given,), ("",), ("",), ("",))),
            *more,
        ),
        "3.0",
    )


def mail(address: str, *types: str) -> Property:
    """An e-mail address."""
    return text_property("EMAIL", address, *types)


def group(uid: str, name: str, *members: str) -> Card:
    """A group of contacts, its members by UID."""
    return Card(
        (
            text_property("UID", uid),
            text_property("FN", name),
            Property("N", ((name,), ("",), ("",), ("",), ("",))),
            text_property("KIND", "group"),
            *(text_property("MEMBER", f"urn:uuid:{one}") for one in members),
        ),
        "4.0",
    )


ADDRESS = ("", "Floor 2", "1, Long Street; rear", "Springfield", "North", "12345", "Germany")
CARDS: Mapping[str, Card] = {
    trait: person(f"suite-{trait}", *parts)  # type: ignore[arg-type]  # a name, then properties
    for trait, parts in {
        "plain": ("Ann Doe", mail("ann@example.com"), text_property("TEL", "+49 30 1234567", "cell")),
        "umlauts": ("Jürgen Größe-Maß", mail("juergen@example.com")),
        "far-scripts": ("王 小明", mail("wang@example.com"), text_property("NOTE", "שלום 😀 привет")),
        "punctuation": (
            "Smith, John; Jr",
            mail("smith@example.com"),
            text_property("NOTE", r"a,b;c:d\e 'f' \"g\" \n"),
        ),
        "lines": ("Line Breaker", mail("lines@example.com"), text_property("NOTE", "first\nsecond\n\n  fourth")),
        "long-note": ("Long Note", mail("long@example.com"), text_property("NOTE", "ä long story. " * 700)),
        "several-mails": (
            "Many Mails",
            mail("work@example.com", "work"),
            mail("home@example.com", "home"),
            replace(mail("best@example.com"), preferred=1),
        ),
        "several-phones": (
            "Many Phones",
            mail("phones@example.com"),
            text_property("TEL", "+1 111", "work"),
            text_property("TEL", "+1 222", "home"),
            text_property("TEL", "+1 333", "cell"),
            text_property("TEL", "+1 444", "work", "fax"),
        ),
        "address": (
            "Ann Addressed",
            mail("address@example.com"),
            Property("ADR", tuple((part,) for part in ADDRESS), frozenset({"home"})),
        ),
        "organisation": (
            "Ann Employed",
            mail("org@example.com"),
            Property("ORG", (("Acme, Inc",), ("Sales",), ("North",))),
            text_property("TITLE", "Head of Sales"),
        ),
        "birthday": ("Ann Born", mail("born@example.com"), text_property("BDAY", "1980-04-12")),
        "categories": (
            "Ann Sorted",
            mail("sorted@example.com"),
            Property("CATEGORIES", (("Friends", "Work, and so on"),)),
        ),
        "nicknames": ("Ann Nicked", mail("nick@example.com"), Property("NICKNAME", (("Annie", "Nan"),))),
        "photo": (
            "Ann Pictured",
            mail("photo@example.com"),
            Property("PHOTO", data=ONE_PIXEL, media="image/png"),
        ),
        "web-page": ("Ann Linked", mail("web@example.com"), text_property("URL", "https://example.com/a,b;c?d=e&f=<g>")),
        "unknown-property": ("Ann Strange", mail("x@example.com"), text_property("X-SHOE-SIZE", "42, wide")),
        "label": (
            "Ann Labelled",
            mail("label@example.com"),
            replace(text_property("URL", "https://example.com/own"), group="item1"),
            replace(text_property("X-ABLABEL", "Her own page"), group="item1"),
        ),
        "markup": ("<b>Ann</b> & Co", mail("markup@example.com"), text_property("NOTE", "]]> &amp; <!DOCTYPE x> %41")),
    }.items()
}  # fmt: skip

ODD_UIDS = (
    "4fbe8971-0bc3-424c-9c26-36c3e1eff6b1",
    "two blanks  inside",
    "a/b/../c",
    "50%25",
    "query?fragment#plus+",
    "ann@example.com",
    "ümläut-王",
    "semi;colon,comma:colon",
    "..",
    "u" * 150,
)


class BookContract:
    """Inherit, and give `adapter` and the fixtures `options` and `login`."""

    adapter: ClassVar[Adapter[Any, Any]]  # Any: sessions of this room, which plug-ins type in their own words
    cannot: ClassVar[Mapping[str, str]] = {}
    needs_password: ClassVar[bool] = False  # a login without a password is refused, and so is a wrong one

    # -- to override where a product needs it

    @pytest.fixture
    def options(self) -> Service:
        """The adapter's options for the product under test."""
        raise NotImplementedError("give the fixture `options` in the class that inherits this suite")

    @pytest.fixture
    def login(self) -> Login:
        """An account that no other test uses."""
        return Login("alice@example.com", "alice@example.com", SecretStr("pw-alice"))

    @pytest.fixture
    def book(self, writer: BookWriter) -> str:
        """An empty book's id."""
        try:
            return writer.create_book("Suite").id
        except Refused:
            return next(one.id for one in writer.books() if one.writable)

    # -- sessions

    @pytest.fixture
    def writer(self, options: Service, login: Login) -> Iterator[BookWriter]:
        assert self.adapter.writer is not None
        with closing(self.adapter.writer(options, login)) as session:
            yield session

    @pytest.fixture
    def reading(self, options: Service, login: Login) -> Opens:
        """Opens a session that only reads: it sees what others have written before."""
        return lambda: closing(self.adapter.reader(options, login))

    @pytest.fixture
    def ours(self, record_property: Callable[[str, object], None]) -> Passes:
        """Whether a trait passes; where not, the reason is taken down for the table of adapters and promises."""

        def passes(trait: str) -> bool:
            if trait in self.cannot:
                record_property("product cannot", self.cannot[trait])
            return trait not in self.cannot

        return passes

    # -- books

    def test_an_empty_book_is_listed_and_has_no_cards(self, book: str, reading: Opens) -> None:
        with reading() as reader:
            listed = {one.id: one for one in reader.books()}
            assert listed[book].cards in {0, None}
            assert listed[book].name
            assert listed[book].writable
            assert list(reader.index(book)) == []

    @pytest.mark.usefixtures("book")
    def test_every_book_has_an_id_of_its_own(self, writer: BookWriter) -> None:
        ids = [one.id for one in writer.books()]
        assert len(ids) == len(set(ids)) > 0

    @pytest.mark.parametrize(
        "name", ["Friends", "Friends & Family", "Größe, Maß", "王", "a/b", "100% <sure>", "two  blanks"]
    )
    def test_a_new_book_bears_its_name_and_is_empty_or_books_are_refused(
        self, writer: BookWriter, reading: Opens, name: str
    ) -> None:
        try:
            made = writer.create_book(name)
        except Refused:
            return
        assert made.name == name
        with reading() as reader:
            assert {one.id: one.name for one in reader.books()}[made.id] == name
            assert list(reader.index(made.id)) == []

    def test_two_books_made_do_not_share_their_cards(self, writer: BookWriter, reading: Opens) -> None:
        try:
            first, second = writer.create_book("Sharing!"), writer.create_book("Sharing?")
        except Refused:  # a fixed set of books
            return
        writer.add(first.id, [CARDS["plain"]])
        with reading() as reader:
            assert [len(list(reader.index(one.id))) for one in (first, second)] == [1, 0]

    def test_a_book_that_is_not_there_is_not_found(self, book: str, reading: Opens) -> None:
        with reading() as reader, pytest.raises(NotFound) as raised:
            list(reader.index(f"{book}-nobody-made-this"))
        assert str(raised.value)

    # -- cards come back

    @pytest.mark.parametrize("trait", sorted(CARDS))
    def test_a_card_comes_back_meaning_the_same(
        self, writer: BookWriter, book: str, reading: Opens, ours: Passes, trait: str
    ) -> None:
        sent = CARDS[trait]
        (put,) = writer.add(book, [sent])
        if put.refused:
            assert not ours(trait), put.refused
            return
        with reading() as reader:
            (held,) = everything(reader, book)
        assert put.ref in {"", held.entry.ref}
        if ours(trait):
            assert differences(sent, held.card, NEVER_TOLD | writer.features.lost) == []
        else:
            assert held.card.label

    def test_a_card_without_a_name_never_hides_another(self, writer: BookWriter, book: str, reading: Opens) -> None:
        phone = Card((text_property("UID", "suite-phone-only"), text_property("TEL", "+49 30 999", "cell")), "3.0")
        puts = writer.add(book, [phone, CARDS["plain"]])
        assert not puts[1].refused
        with reading() as reader:
            phones = {one.text("TEL") for one in cards(reader, book)}
        assert CARDS["plain"].text("TEL") in phones
        assert "+49 30 999" in phones or puts[0].refused or writer.features.needs_name

    @pytest.mark.parametrize("uid", ODD_UIDS, ids=range(len(ODD_UIDS)))
    def test_a_uid_of_any_shape_comes_back(self, writer: BookWriter, book: str, reading: Opens, uid: str) -> None:
        puts = writer.add(book, [person(uid), person("another", "Bob Roe", mail("bob@example.com"))])
        assert [put.refused for put in puts] == ["", ""]
        with reading() as reader:
            found = cards(reader, book)
            refs = [entry.ref for entry in reader.index(book)]
        assert {put.ref for put in puts} == set(refs)
        if "UID" not in writer.features.lost:
            assert {one.uid for one in found} == {uid, "another"}

    def test_a_group_comes_back_with_its_members(self, writer: BookWriter, book: str, reading: Opens) -> None:
        people = [
            person("suite-member-1", "Ann Doe", mail("ann@example.com")),
            person("suite-member-2", "Bob Roe", mail("bob@example.com")),
        ]
        everybody = group("suite-group", "Friends, old and new", *(one.uid for one in people))
        puts = writer.add(book, [*people, everybody])
        if not writer.features.keeps_groups:
            return
        assert [put.refused for put in puts] == ["", "", ""]
        with reading() as reader:
            found = cards(reader, book)
        (back,) = [one for one in found if one.is_group]
        assert back.label == "Friends, old and new"
        assert set(back.members) == {one.uid for one in found if not one.is_group}

    def test_many_cards_all_come_back(self, writer: BookWriter, book: str, reading: Opens) -> None:
        sent = [person(f"many-{n}", f"Person N{n}", mail(f"p{n}@example.com")) for n in range(130)]
        puts = writer.add(book, sent)
        assert [put.refused for put in puts] == [""] * len(sent)
        with reading() as reader:
            entries = list(reader.index(book))
            held = list(reader.fetch(book, [entry.ref for entry in entries]))
        assert len({entry.ref for entry in entries}) == len(sent)
        assert {put.ref for put in puts} == {entry.ref for entry in entries}
        assert sorted(one.card.text("EMAIL") for one in held) == sorted(one.text("EMAIL") for one in sent)

    # -- listing and fetching

    def test_the_listing_has_a_stable_order_and_streams(self, writer: BookWriter, book: str, reading: Opens) -> None:
        writer.add(book, [CARDS["plain"], CARDS["umlauts"], CARDS["lines"]])
        with reading() as reader:
            listing = reader.index(book)
            assert iter(listing) is listing
            assert list(listing) == list(reader.index(book))

    def test_reading_changes_nothing(self, writer: BookWriter, book: str, reading: Opens) -> None:
        writer.add(book, [CARDS["plain"], CARDS["categories"]])
        before = list(writer.index(book))
        for _ in range(2):
            with reading() as reader:
                reader.books()
                everything(reader, book)
        assert list(writer.index(book)) == before

    def test_a_card_that_is_gone_is_not_answered_and_the_others_are(
        self, writer: BookWriter, book: str, reading: Opens
    ) -> None:
        puts = writer.add(book, [CARDS["plain"], CARDS["umlauts"]])
        gone = f"{puts[0].ref}-gone"
        with reading() as reader:
            held = list(reader.fetch(book, [puts[0].ref, gone, puts[1].ref]))
            assert list(reader.fetch(book, [])) == []
        assert {one.entry.ref for one in held} == {put.ref for put in puts}

    def test_a_session_that_reads_has_no_word_for_writing(self, reading: Opens) -> None:
        with reading() as reader:
            assert not [word for word in ("add", "update", "create_book") if hasattr(reader, word)]

    def test_closing_twice_is_no_matter(self, options: Service, login: Login) -> None:
        session = self.adapter.reader(options, login)
        session.close()
        session.close()

    # -- adding

    def test_adding_nothing_answers_nothing(self, writer: BookWriter, book: str) -> None:
        assert list(writer.add(book, [])) == []

    def test_a_uid_that_is_there_is_never_overwritten(
        self, writer: BookWriter, book: str, reading: Opens, options: Service, login: Login
    ) -> None:
        if "UID" in writer.features.lost:
            return
        first = person("suite-twice", "Ann First", mail("first@example.com"))
        second = person("suite-twice", "Ann Second", mail("second@example.com"))
        assert not refusal(writer.add(book, [first]))
        assert refusal(writer.add(book, [second]))
        with closing(self.adapter.writer(options, login)) as another:  # type: ignore[misc]  # there is one
            assert refusal(another.add(book, [second]))
        with reading() as reader:
            assert [one.text("EMAIL") for one in cards(reader, book)] == ["first@example.com"]

    def test_of_two_with_one_uid_in_one_portion_the_second_is_refused(
        self, writer: BookWriter, book: str, reading: Opens
    ) -> None:
        if "UID" in writer.features.lost:
            return
        twins = [
            person("suite-twin", "Ann First", mail("first@example.com")),
            person("suite-twin", "Ann Second", mail("second@example.com")),
        ]
        puts = writer.add(book, [*twins, CARDS["plain"]])
        assert [bool(put.refused) for put in puts] == [False, True, False]
        with reading() as reader:
            assert sorted(one.text("EMAIL") for one in cards(reader, book)) == ["ann@example.com", "first@example.com"]

    # -- updating

    def test_an_update_takes_the_place_of_the_card(self, writer: BookWriter, book: str, reading: Opens) -> None:
        puts = writer.add(book, [CARDS["plain"], CARDS["umlauts"]])
        before = {entry.ref: entry for entry in writer.index(book)}
        fresh = CARDS["plain"].without("EMAIL").with_property(mail("moved@example.com"))
        put = writer.update(book, before[puts[0].ref], fresh)
        assert not put.refused
        with reading() as reader:
            after = {entry.ref: entry for entry in reader.index(book)}
            held = everything(reader, book)
        assert put.ref in after
        assert len(after) == 2
        assert after[put.ref].tag != before[puts[0].ref].tag
        assert after[puts[1].ref] == before[puts[1].ref]
        changed = next(one.card for one in held if one.entry.ref == put.ref)
        assert differences(fresh, changed, NEVER_TOLD | writer.features.lost) == []

    def test_a_card_that_is_updated_stays_in_its_groups(self, writer: BookWriter, book: str, reading: Opens) -> None:
        ann = person("suite-member-1", "Ann Doe", mail("ann@example.com"))
        bob = person("suite-member-2", "Bob Roe", mail("bob@example.com"))
        both, alone = (
            group("suite-group-1", "Friends, old and new", ann.uid, bob.uid),
            group("suite-group-2", "Ñandúes", ann.uid),
        )
        puts = writer.add(book, [ann, bob, both, alone])
        if not writer.features.keeps_groups:
            return
        there = {entry.ref: entry for entry in writer.index(book)}
        grown = ann.with_property(text_property("TEL", "+49 30 99", "cell"))
        assert not writer.update(book, there[puts[0].ref], grown).refused
        with reading() as reader:
            found = cards(reader, book)
        (its,) = [one.uid for one in found if one.text("TEL")]
        groups = {one.label: set(one.members) for one in found if one.is_group}
        assert groups == {
            "Friends, old and new": {one.uid for one in found if not one.is_group},
            "Ñandúes": {its},
        }

    def test_a_card_that_has_changed_since_is_not_written_over(
        self, writer: BookWriter, book: str, reading: Opens
    ) -> None:
        writer.add(book, [CARDS["plain"]])
        (old,) = writer.index(book)
        theirs = CARDS["plain"].without("EMAIL").with_property(mail("theirs@example.com"))
        assert not writer.update(book, old, theirs).refused
        mine = CARDS["plain"].without("EMAIL").with_property(mail("mine@example.com"))
        assert writer.update(book, old, mine).refused
        with reading() as reader:
            assert [one.text("EMAIL") for one in cards(reader, book)] == ["theirs@example.com"]

    def test_a_card_that_is_gone_is_not_updated(self, writer: BookWriter, book: str, reading: Opens) -> None:
        writer.add(book, [CARDS["plain"]])
        (there,) = writer.index(book)
        gone = Entry(f"{there.ref}-gone", there.size, there.tag)
        assert writer.update(book, gone, person("suite-gone", "Ann Gone", mail("gone@example.com"))).refused
        with reading() as reader:
            assert [one.text("EMAIL") for one in cards(reader, book)] == ["ann@example.com"]

    # -- logins

    def test_an_account_without_a_password_is_refused(self, options: Service, login: Login) -> None:
        if not self.needs_password:
            return
        with (
            pytest.raises(LoginRefused) as raised,
            closing(self.adapter.reader(options, replace(login, password=None))) as reader,
        ):
            reader.books()
        assert login.account in str(raised.value)

    def test_a_wrong_password_is_refused_and_not_repeated(self, options: Service, login: Login) -> None:
        if not self.needs_password:
            return
        wrong = replace(login, password=SecretStr("not-the-password"))
        with pytest.raises(LoginRefused) as raised, closing(self.adapter.reader(options, wrong)) as reader:
            reader.books()
        assert login.account in str(raised.value)
        assert "not-the-password" not in raised.value.sentence()

    # -- what it says of itself

    def test_the_features_name_the_product_and_a_version_of_cards(self, writer: BookWriter) -> None:
        features = writer.features
        assert isinstance(features, Features)
        assert features.title
        assert features.versions


def everything(reader: BookReader, book: str) -> list[Held]:
    """Every card of a book but those of which others tell all."""
    return list(reader.fetch(book, [entry.ref for entry in reader.index(book) if not entry.implied]))


def cards(reader: BookReader, book: str) -> list[Card]:
    """The same, only the cards."""
    return [held.card for held in everything(reader, book)]


def refusal(puts: Sequence[Put]) -> str:
    """The refusal of the only card that was put."""
    (put,) = puts
    return put.refused
