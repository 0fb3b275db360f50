"""What becomes of numbers, forms and fields at a target that has its own: decided without any database."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as some

from migrator.errors import PlanError, Refused
from migrator.forms import php, spelt
from migrator.forms.fields import Field
from migrator.forms.fitting import Fitting
from migrator.forms.model import Column, Keyed, KeyRange, Link, Table, Value
from migrator.forms.remap import book
from migrator.forms.remap.giving import promised
from migrator.forms.remap.matching import BEFORE, BY_HAND, BY_KEY, BY_TITLE, Form, match_fields, match_forms
from migrator.forms.remap.numbers import FieldKeys, Numbers, Stretch, image, largest_of, next_stretch, spare_above
from migrator.forms.remap.rewriting import Rewriting
from migrator.testing.form_suite import number, primary, table, text

IDS = some.sets(some.integers(1, 400), min_size=1, max_size=40)


def given_numbers(passes: list[tuple[set[int], set[int]]]) -> tuple[Numbers, set[int], dict[int, int]]:
    """Numbers for a source that grows while the target does, as many times as there are pairs: new rows here, new rows there (with
    numbers that are not reserved).
    """
    numbers, there, moved = Numbers(), set[int](), dict[int, int]()
    for fresh, theirs in passes:
        reserved = max((one.highest for one in numbers.stretches), default=0)
        there |= {one + reserved for one in theirs}
        rows = {one + numbers.upto for one in fresh}
        lowest, highest = min(rows), max(rows)
        stretch = next_stretch(numbers.stretches, lowest, highest, ceiling=max(there, default=0))
        numbers = numbers.with_stretch(stretch)
        for one in rows:
            became = numbers.of(str(one))
            assert became is not None
            assert int(became) not in there
            moved[one] = int(became)
        there |= {moved[one] for one in rows}
    return numbers, there, moved


@given(some.lists(some.tuples(IDS, some.sets(some.integers(1, 900), max_size=30)), min_size=1, max_size=4))
def test_no_two_rows_become_one_and_none_is_put_where_another_is(passes) -> None:
    numbers, _, moved = given_numbers(passes)
    assert len(set(moved.values())) == len(moved)
    assert {one: int(numbers.of(str(one)) or 0) for one in moved} == moved


@given(some.lists(some.tuples(IDS, some.sets(some.integers(1, 900), max_size=30)), min_size=1, max_size=3))
def test_a_range_of_the_source_is_a_range_at_the_target_with_nobody_elses_rows(passes) -> None:
    numbers, there, moved = given_numbers(passes)
    ordered = sorted(moved)
    for start, end in zip([None, *ordered], ordered, strict=False):
        at = image(numbers, KeyRange(None if start is None else (str(start),), (str(end),)))
        assert at is not None
        assert at.after is not None
        assert at.upto is not None
        inside = {one for one in there if int(at.after[0]) < one <= int(at.upto[0])}
        assert inside == {moved[end]}


def test_numbers_stay_above_all_that_the_target_has_given_out() -> None:
    assert next_stretch((), 7, 9, ceiling=3) == Stretch(3, 9, 0)
    assert next_stretch((), 7, 9, ceiling=0) == Stretch(0, 9, 0)  # what names 6 has a place
    assert next_stretch((), 7, 9, ceiling=7) == Stretch(0, 9, 7)
    assert next_stretch((Stretch(0, 9, 7),), 10, 12, ceiling=9) == Stretch(9, 12, 7)


@pytest.mark.parametrize("name", ["wp_db7_forms", "blog_db7_forms", "db7_forms"])
def test_what_is_promised_to_another_source_counts_however_it_calls_its_table(name: str) -> None:
    page = book.Page({(name, "form_id"): Numbers((Stretch(0, 3), Stretch(3, 7, 2)))})
    assert promised([book.Page(), page], ("wp_db7_forms", "form_id")) == 9
    assert promised([page], ("wp_gf_entry", "id")) == promised([], ("wp_db7_forms", "form_id")) == 0


def test_new_numbers_are_above_the_targets_highest() -> None:
    stretch = next_stretch((), 7, 9, ceiling=50)
    assert [Numbers((stretch,)).of(str(one)) for one in (1, 7, 9, 10)] == ["51", "57", "59", None]


def test_what_a_column_can_hold_follows_its_type() -> None:
    assert largest_of(Column("id", "mediumint(8) unsigned")) == 2**24 - 1
    assert largest_of(Column("id", "bigint(20)")) == 2**63 - 1


def test_a_key_that_is_no_number_stays() -> None:
    assert Numbers(forms={"CF5a": "CF9z"}).of("CF5a") == "CF9z"
    assert Numbers().of("CF5b") == "CF5b"
    assert Numbers(nowhere=frozenset({"CF5c"})).of("CF5c") is None


# -- forms ------------------------------------------------------------------------------------------------------------------

FORMS = some.lists(
    some.builds(Form, some.integers(1, 9).map(str), some.sampled_from(["Contact", "contact ", "Order", "", "Fax"]), some.sampled_from(["", "a", "b"])),
    max_size=5,
    unique_by=lambda one: one.key,
)  # fmt: skip


@given(FORMS, FORMS)
def test_no_two_forms_become_one_unless_the_plan_says_so(source, target) -> None:
    matches = match_forms(source, target, {}, {})
    assert [one.source for one in matches] == source
    often = Counter(one.target.key for one in matches if one.target)
    assert not [key for key, count in often.items() if count > 1]


@given(FORMS, some.randoms())
def test_forms_of_titles_of_their_own_are_found_whatever_their_numbers(source, chance) -> None:
    titled = {one.title.strip().casefold(): one for one in source if one.title}
    keys = [str(n) for n in range(100, 100 + len(titled))]
    chance.shuffle(keys)
    target = [Form(key, one.title.upper()) for key, one in zip(keys, titled.values(), strict=True)]
    chance.shuffle(target)
    for match in match_forms(list(titled.values()), target, {}, {}):
        assert match.target is not None
        assert match.target.title == match.source.title.upper()


def test_a_form_is_found_by_hand_as_before_by_title_and_by_the_plugins_own_key() -> None:
    source = [Form("1", "Contact"), Form("2", "Order"), Form("3", "Fax", "fax"), Form("4", "Jobs"), Form("5", "New")]
    target = [Form("7", "CONTACT"), Form("8", "Bestellung"), Form("9", "Telefax", "fax"), Form("10", "Stellen")]
    matches = match_forms(source, target, {"Order": "Bestellung"}, {"4": "10"})
    assert [(one.target.key if one.target else "", one.how) for one in matches] == [
        ("7", BY_TITLE), ("8", BY_HAND), ("9", BY_KEY), ("10", BEFORE), ("", ""),
    ]  # fmt: skip


def test_two_forms_of_one_title_are_told_apart_by_the_plan_or_not_at_all() -> None:
    target = [Form("7", "Contact"), Form("8", "Contact")]
    (match,) = match_forms([Form("1", "Contact")], target, {}, {})
    assert match.target is None
    assert match.rivals == tuple(target)
    (match,) = match_forms([Form("1", "Contact")], target, {"1": "8"}, {})
    assert match.target == target[1]


@pytest.mark.parametrize(
    ("by_hand", "before", "said"),
    [
        ({"Contact": "Nobody"}, {}, "no form Nobody"),
        ({"Contact": "Twice"}, {}, "several forms Twice"),
        ({"Contact": "7"}, {"1": "8"}, "went to form 8"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused_in_words(by_hand, before, said) -> None:
    target = [Form("7", "Twice"), Form("8", "Twice")]
    with pytest.raises(PlanError, match=said):
        match_forms([Form("1", "Contact")], target, by_hand, before)


# -- fields -----------------------------------------------------------------------------------------------------------------

FIELDS = some.lists(
    some.builds(Field, some.sampled_from(["1", "2", "3", "email", "phone"]), some.sampled_from(["Name", "name", "Mail", ""]), some.sampled_from(["text", "email"]), some.sampled_from(["", "a", "b"])),
    max_size=5,
    unique_by=lambda one: one.key,
)  # fmt: skip


@given(FIELDS, FIELDS)
def test_no_two_fields_become_one(source, target) -> None:
    found = match_fields(source, target, {}, {})
    assert set(found) == {one.key for one in source}
    used = [into for into in found.values() if into is not None]
    assert len(set(used)) == len(used)
    assert set(used) <= {one.key for one in target}


def test_a_field_is_found_by_its_label_and_by_a_number_alone_never() -> None:
    source = [
        Field("1", "Name"),
        Field("2", "Fax"),
        Field("3", "Phone"),
        Field("your-mail", "E-mail"),
        Field("5", "Left"),
    ]
    target = [
        Field("3", "Name"),
        Field("2", "Street"),
        Field("1", "PHONE "),
        Field("your-mail", "Address"),
        Field("9", "Telefax"),
    ]
    assert match_fields(source, target, {"Fax": "Telefax"}, {}) == {
        "1": "3", "2": "9", "3": "1", "your-mail": "your-mail", "5": None,
    }  # fmt: skip


def test_parts_of_a_field_go_with_it() -> None:
    source = [
        Field("1", "Name"),
        Field("1.3", "First"),
        Field("1.6", "Last"),
        Field("3", "Topics"),
        Field("3.1", "one"),
        Field("3.2", "two"),
    ]
    target = [
        Field("4", "Name"),
        Field("4.3", "First"),
        Field("4.6", "Last"),
        Field("5", "Topics"),
        Field("5.1", "two"),
        Field("5.2", "one"),
    ]
    found = match_fields(source, target, {}, {})
    assert found == {"1": "4", "1.3": "4.3", "1.6": "4.6", "3": "5", "3.1": "5.2", "3.2": "5.1"}
    keys = FieldKeys(found)
    assert [keys.of(one) for one in ("1.3", "1.8", "3.1", "9", "9.1")] == ["4.3", "4.8", "5.2", None, None]


def test_an_answer_without_a_field_may_be_kept_under_a_number_that_no_field_has() -> None:
    assert FieldKeys({"1": "7", "2": None}, spare_above(["7", "12"])).of("2") == "1002"


# -- rows -------------------------------------------------------------------------------------------------------------------

ANSWERS = table(
    "gf_entry_meta",
    [number(), number("entry_id"), number("form_id"), text("meta_key"), text("meta_value")],
    primary("id"),
)
TO_ENTRIES, TO_FORMS, OWN = ("gf_entry", "id"), ("gf_form", "id"), ("gf_entry_meta", "id")


def rewriting(**more) -> Rewriting:
    numbers = {
        OWN: Numbers((Stretch(0, 100, 1000),)),
        TO_ENTRIES: Numbers((Stretch(0, 100, 50),), there={"9": "3"}),
        TO_FORMS: Numbers((Stretch(0, 9, 20),), forms={"3": "7"}),
    }
    return Rewriting(ANSWERS, numbers, "id", (("entry_id", TO_ENTRIES), ("form_id", TO_FORMS)), **more)


def test_a_rows_own_number_and_those_it_names_become_the_targets() -> None:
    found = rewriting()([("5", "2", "3", "1", "said 3"), ("6", "0", "4", "1", None)], lambda *_: {})
    assert found.rows == [("1005", "52", "7", "1", "said 3"), ("1006", "0", "24", "1", None)]


def test_what_hangs_on_an_entry_that_is_there_is_there_too() -> None:
    found = rewriting()([("5", "9", "3", "1", "said")], lambda *_: {})
    assert (found.rows, found.there) == ([], 1)


def test_what_leads_nowhere_is_left_behind_and_counted() -> None:
    found = rewriting()([("5", "2", "77", "1", "said"), ("6", "2", "78", "1", "said")], lambda *_: {})
    assert not found.rows
    assert found.note == "2 rows of gf_entry_meta whose form_id names what has no counterpart in gf_form at the target"


def test_keys_of_fields_become_those_of_the_targets_form() -> None:
    fields = {"3": FieldKeys({"1": "4", "2": None})}
    keyed = (Keyed("meta_key", form="form_id", named=r"(\d+(?:\.\d+)?)"),)
    rows = [("5", "2", "3", key, "said") for key in ("1.3", "processed_feeds", "2")]
    found = rewriting(keyed=keyed, fields=fields)(rows, lambda *_: {})
    assert [row[3] for row in found.rows] == ["4.3", "processed_feeds"]
    assert found.note == "1 row with an answer in field 2 of form 3, which the target's form has not"


@given(
    some.permutations(range(1, 13)),
    some.lists(some.integers(0, 14), max_size=20),
    some.sets(some.integers(1, 30), max_size=6),
)
def test_whatever_the_ids_each_row_hangs_on_what_it_hung_on(ids, hangs, theirs) -> None:
    entries = {str(own): f"entry {place}" for place, own in enumerate(ids)}
    stretch = next_stretch((), 1, 14, ceiling=max(theirs, default=0))
    numbers = {TO_ENTRIES: Numbers((stretch,)), TO_FORMS: Numbers((Stretch(0, 9),)), OWN: Numbers((Stretch(0, 99, 7),))}
    rows = [(str(place), str(to), "1", "k", f"said {place}") for place, to in enumerate(hangs, 1)]
    whole = Rewriting(ANSWERS, numbers, "id", (("entry_id", TO_ENTRIES), ("form_id", TO_FORMS)))
    found = whole(rows, lambda *_: {})
    moved = {str(numbers[TO_ENTRIES].of(own)): name for own, name in entries.items()}
    assert len(moved) == len(entries)
    assert not set(moved) & {str(one) for one in theirs}
    joined = [(row[4], entries.get(str(row[1]), "")) for row in rows]
    assert [(row[4], moved.get(str(row[1]), "")) for row in found.rows] == joined
    assert not {row[1] for row in found.rows} & {str(one) for one in theirs}


@pytest.mark.parametrize(
    ("link", "cells", "meant"),
    [
        (Link("meta_value", "gf_form", "id", only=("meta_key", ("_form_id",))), ("_form_id", "3"), ("_form_id", "7")),
        (Link("meta_value", "gf_form", "id", only=("meta_key", ("_form_id",))), ("_other", "3"), ("_other", "3")),
        (Link("meta_key", "gf_form", "id", named=r"_field_(\d+)"), ("_field_3", "3"), ("_field_7", "3")),
        (Link("meta_key", "gf_form", "id", named=r"_field_(\d+)"), ("_field_3x", "3"), ("_field_3x", "3")),
        (Link("meta_value", "gf_form", "id", otherwise="0"), ("k", "77"), ("k", "0")),
        (Link("meta_value", "gf_form", "id", way="a.*.id"), ("k", '{"a":[{"id":3,"t":"\\u00fc"},{"id":"4"}]}'), ("k", '{"a":[{"id":7,"t":"\\u00fc"},{"id":"24"}]}')),
        (Link("meta_value", "gf_form", "id", way="id"), ("k", 'a:1:{s:2:"id";s:1:"4";}'), ("k", 'a:1:{s:2:"id";s:2:"24";}')),
    ],
)  # fmt: skip
def test_numbers_inside_of_rows_are_changed_where_they_stand(link, cells, meant) -> None:
    found = rewriting(links=(link,))([("5", "2", "3", *cells)], lambda *_: {})
    assert found.rows == [("1005", "52", "7", *meant)]
    assert not found.stayed


@pytest.mark.parametrize("broken", ['{"id": 3,"t":1}', '{"id":3', 'a:1:{s:3:"id";i:3;}'])
def test_a_value_that_cannot_be_written_again_stays_and_is_counted(broken) -> None:
    found = rewriting(links=(Link("meta_value", "gf_form", "id", way="id"),))(
        [("5", "2", "3", "k", broken)], lambda *_: {}
    )
    assert found.rows[0][4] == broken
    assert found.stayed == {"gf_entry_meta.meta_value": 1}


@given(some.dictionaries(some.integers(0, 50), some.text(max_size=5), max_size=6))
def test_answers_in_one_cell_keep_what_was_said_under_other_keys(said) -> None:
    cell = spelt.InJson(
        {str(key): {"id": key, "value": value} for key, value in said.items()}, spelt._STYLES[0]
    ).write()
    keys = FieldKeys({str(key): str(key + 1) for key in range(40)}, 1000)
    keyed = (Keyed("meta_value", form="form_id", items="id"),)
    found = rewriting(keyed=keyed, fields={"3": keys})([("5", "2", "3", "k", cell.decode())], lambda *_: {})
    value = spelt.read(str(found.rows[0][4]).encode())
    assert sorted(one for _, one in value.places(("*", "value"))) == sorted(said.values())
    ids = [(way[0], one) for way, one in value.places(("*", "id"))]
    assert all(way == one for way, one in ids)
    assert {one for _, one in ids} == {str(keys.of(str(key))) for key in said}


def test_members_of_a_serialised_array_are_renamed_with_lengths_that_fit() -> None:
    value = spelt.read(php.written(php.Array(((3, b"x"), (b"name", b"y")))))
    assert value.renamed({"3": "12", "name": "other"}).write() == b'a:2:{i:12;s:1:"x";s:5:"other";s:1:"y";}'
    assert value.renamed({"3": "name"}).write() == value.write()


# -- what is written down, and columns ----------------------------------------------------------------------------------------


@given(
    some.dictionaries(
        some.tuples(some.sampled_from(["wp_posts", "a.b"]), some.sampled_from(["ID", "id"])),
        some.builds(
            Numbers,
            some.lists(some.builds(Stretch, some.integers(0, 9), some.integers(10, 99), some.integers(0, 9), some.booleans()), max_size=1).map(tuple),
            some.dictionaries(some.text("123ab", min_size=1), some.text("123", min_size=1), min_size=1, max_size=3),
            some.dictionaries(some.text("456", min_size=1), some.text("123", min_size=1), max_size=3),
            some.frozensets(some.text("789", min_size=1), max_size=2),
        ),
        max_size=3,
    ),
    some.dictionaries(
        some.tuples(some.sampled_from(["wp_gf_entry_meta"]), some.sampled_from(["1", "CF5"])),
        some.builds(FieldKeys, some.dictionaries(some.text("12.", min_size=1), some.none() | some.text("45", min_size=1), min_size=1, max_size=3), some.none() | some.just(1000)),
        max_size=2,
    ),
)  # fmt: skip
def test_what_is_written_down_is_read_again(numbers, fields) -> None:
    page = book.Page(numbers, fields)
    rows = [*book.lines("old", page), *book.lines("other", book.Page({("x", "y"): Numbers((Stretch(0, 1),))}))]
    assert book.pages(rows).get("old", book.Page()) == page


def test_rows_fit_into_columns_of_another_order_and_more_of_them() -> None:
    here = Table("t", (Column("id", "int"), Column("said", "text")))
    there = Table(
        "t",
        (
            Column("SAID", "text"),
            Column("id", "int"),
            Column("kind", "varchar(9)", nullable=False, default="new"),
            Column("more", "int"),
        ),
    )
    wanted: list[tuple[Value, ...]] = [("x", "1", "new", None)]
    assert Fitting.of(here, there)([("1", "x")]) == wanted
    with pytest.raises(Refused, match="no column kind"):
        Fitting.of(there, here)
