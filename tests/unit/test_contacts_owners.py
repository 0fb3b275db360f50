"""Whose a UID is where cards of several names claim it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.contacts.merge import Decision, Verdict, decided
from migrator.contacts.model import Card, Property, text_property
from migrator.contacts.owners import Claim, Owners, apart, called, may_be
from migrator.contacts.vcard import with_uid


def card(name: str, uid: str, *said: str) -> Card:
    """What is said is addresses and, without an @, numbers."""
    more = (text_property("EMAIL" if "@" in one else "TEL", one) for one in said)
    named = [text_property("FN", name)] if name else []
    return Card((*([text_property("UID", uid)] if uid else []), *named, *more))


def group(name: str, uid: str, *members: str) -> Card:
    said = (text_property("UID", uid), text_property("FN", name), text_property("KIND", "group"))
    return Card((*said, *(text_property("MEMBER", f"urn:uuid:{one}") for one in members)))


def decisions_of(book: int, books: Sequence[Sequence[Card]], target: Sequence[Card]) -> list[Decision]:
    """What is decided of one of several books that come to one."""
    owners = Owners((Claim(one) for other in books for one in other), target)
    placed = [one for other in books for one, _ in owners.apart(other)]
    first = sum(map(len, books[:book]))
    return decided(placed, target, range(first, first + len(books[book])))


def written(decisions: Sequence[Decision], target: Sequence[Card]) -> list[Card]:
    there = list(target)
    for decision in decisions:
        if decision.verdict is Verdict.ADD:
            there.append(decision.card)
        elif decision.verdict is not Verdict.KEEP and decision.place is not None:
            there[decision.place] = decision.card
    return there


def filled(target: Sequence[Card], *books: Sequence[Card]) -> tuple[list[Card], list[Verdict]]:
    """The target after books have come to it one after the other, and all that was decided."""
    there, verdicts = list(target), []
    for number in range(len(books)):
        decisions = decisions_of(number, books, there)
        there = written(decisions, there)
        verdicts += [decision.verdict for decision in decisions]
    return there, verdicts


ANN, BOB = card("Ann Doe", "u", "ann@example.com"), card("Bob Roe", "u", "bob@example.com")


def test_over_all_books_the_first_has_the_uid_and_each_book_says_so() -> None:
    for books in ([ANN], [BOB]), ([BOB], [ANN]):
        owners = Owners((Claim(one) for book in books for one in book), [])
        told = [owners.apart(book)[0] for book in books]
        assert told[0] == (books[0][0], "")
        assert told[1][0].uid not in {"", "u"}
        assert books[0][0].label in told[1][1]


def test_whom_the_target_has_under_a_uid_keeps_it_and_another_gets_the_same_at_every_pass() -> None:
    ((bob, told),) = apart([BOB], [ANN])
    assert told == "its UID is another card's at the target, Ann Doe; it is kept under one of its own"
    assert apart([BOB], [ANN, bob]) == [(bob, told)]
    assert apart([BOB], [ANN, with_name(bob, "Robert")]) == [(bob, told)], "what was made for Bob is Bob's"
    ((alone, told),) = apart([BOB], [bob])
    assert (alone, told) == (bob, "its UID was another card's; it is kept under one of its own")
    assert apart([BOB], []) == [(BOB, "")]


def with_name(one: Card, name: str) -> Card:
    return one.without("FN").with_property(text_property("FN", name))


def test_what_is_on_record_of_a_card_says_that_it_is_the_targets_whatever_it_is_called_now() -> None:
    renamed = card("Zoe Poe", "u", "zoe@example.com")
    assert Owners([Claim(renamed, 0)], [ANN]).apart([renamed]) == [(renamed, "")]
    owners = Owners([Claim(BOB), Claim(renamed, 0)], [ANN])
    assert owners.apart([renamed]) == [(renamed, "")]
    assert owners.apart([BOB])[0][0].uid != "u"
    both = Owners([Claim(BOB, 0), Claim(ANN, 0)], [ANN])
    assert both.apart([ANN]) == [(ANN, "")]
    assert both.apart([BOB])[0][0].uid != "u", "the target's name says more than a record of two"


NAMED = Property("N", (("Doe",), ("Ann",), ("",), ("",), ("",)))


@pytest.mark.parametrize(
    ("source", "target", "one"),
    [
        (card("Zoe Poe", "u", "ANN@example.com", "1"), card("Ann Doe", "u", "ann@example.com"), True),
        (card("Zoe Poe", "u", "+49 30-1"), card("Ann Doe", "u", "+49301"), True),
        (card("Dr. Ann Doe", "u"), card("Ann Doe", "u"), True),
        (card("Ann", "u"), card("Ann Doe", "u"), True),
        (card("Mum", "u").with_property(NAMED), card("Ann Doe", "u"), True),
        (card("", "u", "1"), card("Ann Doe", "u", "2"), True),
        (card("Bob Doe", "u"), card("Ann Doe", "u"), False),
        (card("Zoe Poe", "u", "1"), card("Ann Doe", "u", "2"), False),
        (group("Choir", "u", "a", "b"), group("Singers", "u", "b"), True),
        (group("Choir", "u", "a"), group("Tennis", "u", "b"), False),
        (group("Choir", "u"), card("Choir", "u"), False),
    ],
)
def test_a_card_may_be_the_targets_under_another_name_only_where_something_says_so(
    source: Card, target: Card, *, one: bool
) -> None:
    assert may_be(source, target) is one
    ((placed, told),) = apart([source], [target])
    assert (placed.uid == "u", told == "") == (one, one)


def test_a_group_means_whom_its_own_book_has_under_a_uid() -> None:
    theirs, both = group("Club", "g", "u", "v"), group("All", "h", "u")
    owners = Owners(map(Claim, (ANN, BOB, theirs)), [])
    (bob, _), (club, told) = owners.apart([BOB, theirs])
    assert (club.members, told) == ((bob.uid, "v"), "")
    assert apart([ANN, BOB, both], [])[2] == (both, "")


NAMES = st.sampled_from(["Ann Doe", "Ann", "Bob", "Doe, Ann", "Zoë", ""])
SAID = st.lists(st.sampled_from(["a@example.com", "b@example.com", "1", "2"]), max_size=2, unique=True)
CARDS = st.builds(lambda name, uid, said: card(name, uid, *said), NAMES, st.sampled_from(["u", "v", "w", ""]), SAID)
GROUPS = st.builds(
    lambda name, uid, members: group(
        name, uid, *(one for one in members if one > uid)
    ),  # none is its own member's member
    st.sampled_from(["Choir", "Ann", "Tennis"]),
    st.sampled_from(["u", "g"]),
    st.lists(st.sampled_from(["u", "v", "g"]), max_size=2, unique=True),
)
BOOKS = st.lists(CARDS | GROUPS, max_size=4)


@given(BOOKS, BOOKS, BOOKS)
def test_into_one_book_several_bring_everybody_once_and_a_second_time_nobody(
    first: list[Card], second: list[Card], target: list[Card]
) -> None:
    there = list({one.uid: one for one in map(with_uid, target)}.values())
    book, _ = filled(there, first, second)
    assert len({one.uid for one in book}) == len(book)
    again, verdicts = filled(book, first, second)
    assert set(verdicts) <= {Verdict.KEEP}
    assert again == book


# Without UIDs `Doe, Ann` and `Ann Doe`, who say nothing else, cannot be told from each other.
TOLD_APART = st.lists(CARDS.filter(lambda one: one.text("FN") != "Doe, Ann"), max_size=4)


@given(TOLD_APART, TOLD_APART)
def test_a_target_that_holds_what_several_books_brought_without_their_uids_is_adopted(
    first: list[Card], second: list[Card]
) -> None:
    book, _ = filled([], first, second)
    _, verdicts = filled([one.without("UID") for one in book], first, second)
    assert Verdict.ADD not in verdicts


@given(BOOKS, BOOKS, BOOKS, st.integers(0, 6))
def test_whoever_dies_and_loses_the_state_ends_with_no_card_more(
    first: list[Card], second: list[Card], target: list[Card], many: int
) -> None:
    there = list({one.uid: one for one in map(with_uid, target)}.values())
    whole, _ = filled(there, first, second)
    changing = [one for one in decisions_of(0, (first, second), there) if one.verdict is not Verdict.KEEP]
    ended, _ = filled(written(changing[:many], there), first, second)
    assert len(ended) <= len(whole)  # in an empty book nobody without a UID is taken for a namesake


@pytest.mark.parametrize(
    ("first", "second", "target"),
    [
        pytest.param(
            [group("Choir", "u")],
            [card("Ann", "u"), group("Choir", "g", "u")],
            [group("Choir", "g")],
            id="the first book's group is the target's by what it says, until the second book's comes",
        ),
        pytest.param(
            [card("Ann", "u", "a@example.com", "1"), card("Ann", "v", "a@example.com")],
            [card("Ann", "u", "2")],
            [card("Ann", "t", "a@example.com", "1")],
            id="the same of a person",
        ),
    ],
)
def test_what_a_later_book_says_counts_when_an_earlier_one_comes(
    first: list[Card], second: list[Card], target: list[Card]
) -> None:
    book, _ = filled(target, first, second)
    assert filled(book, first, second) == (book, [Verdict.KEEP] * (len(first) + len(second)))


def test_of_several_books_the_first_writes_what_all_say_and_a_later_one_only_what_that_did_not() -> None:
    here, elsewhere = card("Ann", "u", "1"), card("Ann", "u", "2")
    (adding,), (waiting,) = (decisions_of(book, ([here], [elsewhere]), []) for book in (0, 1))
    for decision, other in ((adding, 1), (waiting, 0)):
        assert (decision.verdict, decision.joins, decision.others) == (Verdict.ADD, None, (other,))
        assert [one.text for one in decision.card.all("TEL")] == ["1", "2"]
    (uniting,) = decisions_of(1, ([here], [elsewhere]), [here])
    assert (uniting.verdict, uniting.place) == (Verdict.UNITE, 0)
    (keeping,) = decisions_of(1, ([here], [elsewhere]), [adding.card])
    assert (keeping.verdict, keeping.why, keeping.repeats) == (Verdict.KEEP, "the target has its UID", None)


@given(BOOKS, BOOKS)
def test_no_two_names_of_a_source_share_a_uid(first: list[Card], second: list[Card]) -> None:
    owners = Owners(map(Claim, [*first, *second]), [])
    placed = [one for book in (first, second) for one, _ in owners.apart(book)]
    uids: dict[str, set[object]] = {}
    for one in placed:
        uids.setdefault(with_uid(one).uid, set()).add(called(one))
    assert all(len(names) == 1 for names in uids.values())
