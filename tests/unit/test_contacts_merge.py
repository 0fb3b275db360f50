"""Two address books into one: nothing lost, nothing twice, and the same every time."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.contacts import meaning
from migrator.contacts.merge import Decision, Verdict, merge, unite
from migrator.contacts.model import Card, Property, text_property
from migrator.contacts.owners import apart
from migrator.contacts.vcard import uid_for, with_uid

WITHOUT_UID = frozenset({"UID"})


def card(name: str, *more: Property, uid: str = "", rev: str = "") -> Card:
    marks = [text_property(word, value) for word, value in (("UID", uid), ("REV", rev)) if value]
    return Card((*marks, text_property("FN", name), *more))


def email(address: str, *types: str) -> Property:
    return text_property("EMAIL", address, *types)


def tel(number: str, *types: str) -> Property:
    return text_property("TEL", number, *types)


def group(name: str, *members: str, uid: str = "") -> Card:
    return card(name, text_property("KIND", "group"), *(text_property("MEMBER", one) for one in members), uid=uid)


def applied(decisions: Sequence[Decision], target: Sequence[Card]) -> list[Card]:
    book = list(target)
    for one in decisions:
        if one.verdict is Verdict.ADD:
            book.append(one.card)
        elif one.verdict is not Verdict.KEEP:
            assert one.place is not None
            book[one.place] = one.card
    return book


def verdicts(decisions: Sequence[Decision]) -> list[Verdict]:
    return [one.verdict for one in decisions]


def test_into_an_empty_book_everything_is_added_and_nothing_is_made_one() -> None:
    source = [card("Ann", email("ann@example.com")), card("Ann", email("ann@example.com"), tel("1")), card("Ann")]
    decisions = merge(source, [])
    assert verdicts(decisions) == [Verdict.ADD] * 3
    assert [one.card.uid for one in decisions] == [uid_for(one) for one in source]


def test_a_card_without_a_uid_has_the_same_one_at_every_reading_and_another_when_it_says_otherwise() -> None:
    ours = card("Ann", tel("+49 30 1", "home"))
    assert uid_for(ours) == uid_for(card("Ann", tel("+49-30-1", "voice", "home")))
    assert uid_for(ours) != uid_for(card("Ann", tel("+49 30 2", "home")))


def test_the_same_card_under_the_same_uid_stays() -> None:
    target = [card("Ann", email("ANN@example.com"), uid="a")]
    (decision,) = merge([card("Ann", email("ann@example.com"), uid="urn:uuid:a")], target)
    assert decision.verdict is Verdict.KEEP
    assert decision.place == 0


def test_the_newer_of_two_with_one_uid_counts() -> None:
    old = card("Ann", email("old@example.com"), uid="a", rev="2020-01-01T00:00:00Z")
    new = card("Ann", email("new@example.com"), uid="a", rev="20210101T000000Z")
    assert merge([new], [old])[0].verdict is Verdict.REPLACE
    assert merge([new], [old])[0].card.text("EMAIL") == "new@example.com"
    kept = merge([old], [new])[0]
    assert kept.verdict is Verdict.KEEP
    assert "newer" in kept.why


def test_of_two_with_one_uid_and_no_known_age_both_stay_in_one() -> None:
    source = card("Ann", email("a@example.com"), tel("1", "home"), text_property("NOTE", "from the source"), uid="a")
    target = card("Ann", email("b@example.com"), tel("1", "work"), text_property("NOTE", "from the target"), uid="a")
    (decision,) = merge([source], [target])
    assert decision.verdict is Verdict.UNITE
    assert list(map(str, decision.conflicts)) == [
        "EMAIL: a@example.com is put beside b@example.com, both are kept",
        "NOTE: from the source is put beside from the target, both are kept",
    ]
    assert all(one.both for one in decision.conflicts)
    assert {one.text for one in decision.card.all("EMAIL")} == {"a@example.com", "b@example.com"}
    assert [one.types for one in decision.card.all("TEL")] == [frozenset({"home", "work"})]
    assert decision.card.text("NOTE") == "from the target\n\nfrom the source"


def test_what_a_card_can_say_only_once_stays_the_targets_and_is_named() -> None:
    source = card("Ann Doe", text_property("BDAY", "1980-04-12"), uid="a")
    target = card("Ann M. Doe", text_property("BDAY", "1981-04-12"), uid="a")
    (decision,) = merge([source], [target])
    assert decision.verdict is Verdict.KEEP
    assert decision.card == target
    assert list(map(str, decision.conflicts)) == [
        "FN: the source has Ann Doe, the target keeps Ann M. Doe",
        "BDAY: the source has 1980-04-12, the target keeps 1981-04-12",
    ]


def test_what_one_side_merely_adds_is_put_beside_nothing() -> None:
    source = card("Ann", tel("1"), tel("2"), text_property("NOTE", "short"), uid="a")
    target = card("Ann", tel("1"), email("b@example.com"), text_property("NOTE", "short and long"), uid="a")
    (decision,) = merge([source], [target])
    assert decision.verdict is Verdict.UNITE
    assert not decision.conflicts


def test_a_card_without_a_uid_becomes_one_with_its_namesake_if_an_address_is_the_same() -> None:
    target = [card("Ann Doe", email("ann@example.com"), uid="t"), card("Ann Doe", tel("7"), uid="u")]
    decisions = merge(
        [
            card("ann  doe", email("Ann@Example.com"), tel("5")),
            card("Ann Doe", tel("+49 7")),
            card("Bob", email("ann@example.com")),
        ],
        target,
    )
    assert verdicts(decisions) == [Verdict.UNITE, Verdict.ADD, Verdict.ADD]
    assert decisions[0].place == 0
    assert decisions[0].card.uid == "t"


def test_a_likeness_of_two_cards_that_both_have_uids_is_none() -> None:
    decisions = merge(
        [card("Ann", email("ann@example.com"), tel("1"), uid="s")], [card("Ann", email("ann@example.com"), uid="t")]
    )
    assert verdicts(decisions) == [Verdict.ADD]


def test_a_target_that_gives_uids_of_its_own_gets_nothing_twice() -> None:
    source = [card("Ann", tel("1"), uid="s1"), card("Ann", tel("1"), uid="s2"), card("Bob", uid="s3")]
    target = [card("Ann", tel("1"), uid="t1"), card("Bob", uid="t2"), card("Ann", tel("1"), uid="t3")]
    decisions = merge(source, target)
    assert verdicts(decisions) == [Verdict.KEEP] * 3
    assert sorted(one.place for one in decisions if one.place is not None) == [0, 1, 2]


def test_members_follow_the_cards_they_mean() -> None:
    ann = card("Ann", email("ann@example.com"))
    source = [
        group("Friends, old and new", f"urn:uuid:{uid_for(ann)}", "bob", uid="g"),
        ann,
        card("Bob", uid="bob"),
    ]
    target = [card("Ann", email("ann@example.com"), tel("5"), uid="t")]
    decisions = merge(source, target)
    assert verdicts(decisions) == [Verdict.ADD, Verdict.KEEP, Verdict.ADD]
    assert decisions[0].card.members == ("t", "bob")
    assert decisions[0].card.text("FN") == "Friends, old and new"


def test_a_group_without_a_uid_goes_into_the_group_of_its_name() -> None:
    source = [group("Choir", "a", "b"), card("A", uid="a"), card("B", uid="b")]
    target = [group("Choir", "x", uid="g"), card("X", uid="x")]
    decisions = merge(source, target)
    assert decisions[0].verdict is Verdict.UNITE
    assert decisions[0].card.members == ("x", "a", "b")


def test_two_cards_of_the_source_with_one_uid_are_written_once() -> None:
    decisions = merge([card("Ann", tel("1"), uid="a"), card("Ann", tel("2"), uid="a")], [])
    assert verdicts(decisions) == [Verdict.ADD, Verdict.KEEP]
    assert decisions[1].joins == 0
    assert [one.text for one in decisions[0].card.all("TEL")] == ["1", "2"]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (card("Ann", uid="a"), card("Ann", uid="a"), "the source has the same card twice"),
        (card("Ann"), card("Ann"), "the source has the same card twice"),
        (card("Ann", uid="a"), card("Ann", tel("1"), uid="a"), "another card of the source has its UID"),
        (
            card("Ann", tel("1"), uid=uid_for(card("Ann"))),
            card("Ann"),
            "another card of the source has the UID that is made from what it says",
        ),
    ],
)
def test_why_two_cards_of_the_source_are_one_is_told_as_it_is(first: Card, second: Card, why: str) -> None:
    for target in ([], [with_uid(first)]):
        decisions = merge([first, second], target)
        assert [one.repeats for one in decisions] == [None, 0]
        assert decisions[1].why == why


def test_what_one_card_of_the_source_says_otherwise_than_another_is_told_of_that_one_alone_and_no_word_of_the_target() -> (
    None
):
    def born(day: str, rev: str = "") -> Card:
        return card("Ann", text_property("BDAY", day), uid="1", rev=rev)

    source = [born("1980-01-01"), born("1980-01-01"), born("1979-01-01"), born("1978-01-01")]
    decisions = merge(source, [])
    counts = "another card of the source says 1980-01-01, which counts"
    assert [one.told for one in decisions] == [
        (),
        (),
        (f"BDAY: this one says 1979-01-01, {counts}",),
        (f"BDAY: this one says 1978-01-01, {counts}",),
    ]
    assert not any(one.conflicts for one in decisions)
    dated = [born("1980-01-01", "20200101"), born("1979-01-01", "20200101"), born("1977-01-01", "20210101")]
    assert [one.told for one in merge(dated, [])] == [()] * 3  # the newest counts


def test_a_card_without_a_uid_is_not_said_to_have_one() -> None:
    (decision,) = merge([card("Ann")], [with_uid(card("Ann"))])
    assert decision.why == "the target has the UID that is made from what it says"


def test_two_people_of_the_source_with_one_uid_stay_two_and_the_later_gets_a_uid_of_its_own() -> None:
    source = [
        card("Jürgen Müßig", uid="u-1"),
        card("Jürgen Doppelt", email("doppelt@example.com"), uid="u-1"),
        card("JÜRGEN MÜSSIG", tel("1"), uid="u-1"),
        group("Choir", "u-1", uid="g"),
    ]
    decisions = merge(source, [])
    assert verdicts(decisions) == [Verdict.ADD, Verdict.ADD, Verdict.KEEP, Verdict.ADD]
    assert decisions[0].card.uid == "u-1"
    assert decisions[0].card.text("TEL") == "1"
    assert decisions[0].card.first("EMAIL") is None
    assert decisions[1].card.uid not in {"", "u-1"}
    assert decisions[1].card.without("UID") == source[1].without("UID")
    assert decisions[2].joins == 0
    assert decisions[3].card.members == ("u-1",)
    book = applied(decisions, [])
    assert verdicts(merge(source, book)) == [Verdict.KEEP] * 4
    changed = [source[0], source[1].with_property(tel("2")), *source[2:]]
    assert verdicts(merge(changed, book)) == [Verdict.KEEP, Verdict.UNITE, Verdict.KEEP, Verdict.KEEP]


def test_whoever_has_a_shared_uid_at_the_target_keeps_it_in_whatever_order_the_source_tells_them() -> None:
    source = [card("Ann", tel("1"), uid="a"), card("Bob", tel("2"), uid="a")]
    for first in (source, source[::-1]):
        book = applied(merge(first, []), [])
        for second in (source, source[::-1]):
            assert verdicts(merge(second, book)) == [Verdict.KEEP, Verdict.KEEP]


def test_a_uid_that_is_given_is_nobody_elses_and_why_it_was_given_is_told() -> None:
    source = [card("Ann", uid="a"), card("Bob", uid="a")]
    ((ann, nothing), (bob, told)) = apart(source, [])
    assert (ann, nothing) == (source[0], "")
    assert told == "its UID is another card's too, Ann; it is kept under one of its own"
    assert [one for one, _ in apart([*source, bob], [])] == [ann, bob, bob]
    ((_, _), (moved, _), _) = apart([*source, card("Carl", uid=bob.uid)], [])
    assert moved.uid not in {"a", bob.uid}


def test_labels_stay_with_what_they_label() -> None:
    ours = card(
        "Ann",
        Property("URL", (("http://a.example.com",),), group="item1"),
        Property("X-ABLABEL", (("Shop",),), group="item1"),
    )
    theirs = card(
        "Ann",
        Property("URL", (("http://b.example.com",),), group="item1"),
        Property("X-ABLABEL", (("Blog",),), group="item1"),
    )
    united, _ = unite(theirs, ours)
    told = {(fact.value, fact.words) for fact in meaning.facts(united)}
    assert told == {("http://a.example.com", ("shop",)), ("http://b.example.com", ("blog",))}


# -- for all books --------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["Ann Doe", "ann doe", "Bob", "Zoë", "", "Doe, Ann"])
EMAILS = st.builds(
    email, st.sampled_from(["a@example.com", "A@example.com", "b@example.com"]), st.sampled_from(["home", "work"])
)
TELS = st.builds(tel, st.sampled_from(["1", "+49 30 1", "2"]), st.sampled_from(["cell", "voice", "home"]))
OTHERS = st.sampled_from(
    [
        text_property("NOTE", "one"),
        text_property("NOTE", "two"),
        text_property("BDAY", "1980-04-12"),
        text_property("BDAY", "--0412"),
        Property("CATEGORIES", (("x", "y, z"),)),
        Property("CATEGORIES", (("x",),)),
        Property("URL", (("http://example.com",),), group="item1"),
        Property("URL", (("http://example.com",),)),
        Property("X-ABLABEL", (("Shop",),), group="item1"),
        Property("N", (("Doe",), ("Ann",), ("",), ("",), ("",))),
        Property("N", (("",), ("",), ("",), ("",), ("",))),
        Property("PHOTO", data=b"123", media="image/png"),
        Property("EMAIL", (("a@example.com",),), preferred=1),
        Property("X-ODD", (("a", "b"), ("c",)), params=(("X-P", ("q",)),)),
    ]
)
UIDS = st.sampled_from(["", "", "u1", "u2", "urn:uuid:u1", "u3"])
CARDS = st.builds(
    lambda name, more, uid, rev: card(name, *more, uid=uid, rev=rev),
    NAMES,
    st.lists(EMAILS | TELS | OTHERS, max_size=6),
    UIDS,
    st.sampled_from(["", "", "2020-01-01", "2021-01-01"]),
)
GROUPS = st.builds(
    lambda name, members, uid: group(name, *members, uid=uid),
    st.sampled_from(["Friends", "Choir, old"]),
    st.lists(st.sampled_from(["u1", "u2", "urn:uuid:u3"]), max_size=3, unique=True),
    st.sampled_from(["", "g1", "g2"]),
)
BOOKS = st.lists(CARDS | GROUPS, max_size=7)


def as_held(cards: Sequence[Card]) -> list[Card]:
    """A target holds one card of each UID."""
    return list({with_uid(one).uid: with_uid(one) for one in cards}.values())


@given(BOOKS, BOOKS)
def test_a_second_merge_changes_nothing(source: list[Card], target: list[Card]) -> None:
    book = applied(merge(source, as_held(target)), as_held(target))
    again = merge(source, book)
    assert verdicts(again) == [Verdict.KEEP] * len(source)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param(
            [group("Friends", "u2", uid="g1"), group("Friends", uid="g1")],
            [group("Friends", "u2", uid="t")],
            id="two of one UID, the first of which the target has under another",
        ),
        pytest.param(
            [group("Choir", "u1", uid="g1"), group("Choir", "u1", "u2")],
            [group("Choir", "u1", uid="t")],
            id="one is known by a likeness that the next would change",
        ),
        pytest.param(
            [card("Ann", email("a@example.com")), card("Bob", email("a@example.com"), uid="u2", rev="2021-01-01")],
            [card("Ann", uid="u2", rev="2020-01-01")],
            id="a newer card has taken the place of a namesake",
        ),
        pytest.param(
            [
                card("Ann", email("a@example.com"), uid="u1"),
                card("Ann", email("a@example.com"), text_property("NOTE", "one")),
            ],
            [card("", uid="u1"), card("Ann", email("a@example.com"), uid="t")],
            id="after the first merge there are two namesakes",
        ),
        pytest.param(
            [
                card("Ann", text_property("NOTE", "one"), uid="u2", rev="2020-01-01"),
                card("Ann", email("a@example.com", "home")),
            ],
            [card("Ann", email("a@example.com", "work"), uid="u2", rev="2021-01-01")],
            id="the target's was newer and becomes one with another",
        ),
        pytest.param(
            [group("Choir", "u", uid="u"), group("Choir", uid="g"), card("Ann", uid="u")],
            [card("Ann", uid="u"), with_uid(group("Choir"))],
            id="a product that has groups as words has one for two of one name, which equals the first of them in the end",
        ),
        pytest.param(
            [group("Ann", uid="u"), group("Choir", "u", uid="c"), card("Ann", uid="v")],
            [card("Ann", uid="u"), group("Ann", uid="g")],
            id="the target has a group's member, a group, under another UID",
        ),
    ],
)
def test_a_second_merge_changes_nothing_either_where(source: list[Card], target: list[Card]) -> None:
    assert verdicts(merge(source, applied(merge(source, target), target))) == [Verdict.KEEP] * len(source)


# Few of everything, so that most cards have something in common with others, a UID with those of other names.
CLOSE_CARDS = st.builds(
    lambda name, uid, said, rev: Card(
        (*card(name, uid=uid, rev=rev).without(*([] if name else ["FN"])).properties, *said)
    ),
    st.sampled_from(["Ann", "Ann Doe", "Bob", ""]),
    st.sampled_from(["u", "v", ""]),
    st.lists(
        st.sampled_from([email("a@example.com"), tel("1"), text_property("NOTE", "one")]), max_size=2, unique=True
    ),
    st.sampled_from(["", "2020-01-01", "2021-01-01"]),
)
CLOSE_GROUPS = st.builds(  # of groups that are members of each other, none can be known by its members
    lambda name, uid, members: group(name, *(one for one in members if one > uid), uid=uid),
    st.sampled_from(["Choir", "Ann"]),
    st.sampled_from(["u", "g", ""]),
    st.lists(st.sampled_from(["u", "v", "g"]), max_size=2, unique=True),
)
CLOSE = st.lists(CLOSE_CARDS | CLOSE_GROUPS, max_size=5)


@settings(max_examples=300)
@given(CLOSE, CLOSE)
def test_a_second_merge_changes_nothing_though_everything_is_like_something_else(
    source: list[Card], target: list[Card]
) -> None:
    book = applied(merge(source, as_held(target)), as_held(target))
    assert verdicts(merge(source, book)) == [Verdict.KEEP] * len(source)


@settings(max_examples=300)
@given(CLOSE)
def test_a_target_that_holds_everything_under_uids_of_its_own_is_adopted(source: list[Card]) -> None:
    there = [one.card for one in merge(source, []) if one.verdict is Verdict.ADD]
    own = {one.uid: f"own-{place}" for place, one in enumerate(there)}
    assert Verdict.ADD not in verdicts(merge(source, [renamed(one, own) for one in there]))


@settings(max_examples=300)
@given(st.lists(CLOSE_CARDS, max_size=5))
def test_a_target_that_holds_everybody_without_a_uid_is_adopted(source: list[Card]) -> None:
    there = [one.card.without("UID") for one in merge(source, []) if one.verdict is Verdict.ADD]
    assert Verdict.ADD not in verdicts(merge(source, there))


def renamed(one: Card, own: Mapping[str, str]) -> Card:
    """A card as a product has it that gives UIDs of its own."""
    members = (text_property("MEMBER", own.get(member, member)) for member in one.members)
    return Card((text_property("UID", own[one.uid]), *one.without("UID", "MEMBER").properties, *members))


@pytest.mark.parametrize("there", [text_property("UID", "own"), text_property("FN", "u"), text_property("NOTE", "n")])
def test_a_card_that_names_nobody_is_known_by_what_it_says_under_any_uid(there: Property) -> None:
    nameless = Card((text_property("UID", "u"), text_property("NOTE", "n")))
    target = Card((there, text_property("NOTE", "n")))
    assert verdicts(merge([nameless], [target])) == [Verdict.KEEP]
    assert not meaning.compare(nameless, Card((text_property("UID", "own"), text_property("NOTE", "n"))), WITHOUT_UID)


@given(BOOKS, BOOKS)
def test_a_merge_is_the_same_every_time(source: list[Card], target: list[Card]) -> None:
    assert merge(source, target) == merge(list(source), list(target))


@given(BOOKS, BOOKS)
def test_no_address_number_or_word_is_lost_where_no_newer_card_counts(source: list[Card], target: list[Card]) -> None:
    source, held = [one.without("REV") for one in source], as_held([one.without("REV") for one in target])
    book = applied(merge(source, held), held)
    names = ("EMAIL", "TEL", "URL", "CATEGORIES", "PHOTO", "X-ODD")
    kept = frozenset[str]().union(*(meaning.values_of(one, names) for one in book))
    for one in [*source, *held]:
        assert meaning.values_of(one, names) <= kept
    notes = "\n".join(one.text for held in book for one in held.all("NOTE"))
    assert all(one.text in notes for card in [*source, *held] for one in card.all("NOTE"))


@given(BOOKS)
def test_into_an_empty_book_there_is_a_card_for_each_uid_and_name(source: list[Card]) -> None:
    decisions = merge(source, [])
    people = {(with_uid(one).uid, meaning.called(one), one.is_group) for one in source}
    added = [one.card.uid for one in decisions if one.verdict is Verdict.ADD]
    assert len(added) == len(set(added)) == len(people)
    assert set(added) >= {with_uid(one).uid for one in source}


@given(BOOKS, BOOKS)
def test_every_card_is_decided_and_none_of_the_target_is_taken_away(source: list[Card], target: list[Card]) -> None:
    decisions = merge(source, as_held(target))
    assert len(decisions) == len(source)
    places = [one.place for one in decisions if one.verdict in {Verdict.REPLACE, Verdict.UNITE}]
    assert len(places) == len(set(places))
