"""PHP's serialised values, for bytes nobody thought of: whatever is read is told, whatever is written comes back, nothing is built."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.forms import php
from migrator.forms.php import Array, Case, Custom, Double, Object, Packed, Reference

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(php.MIN_INT, php.MAX_INT)
    | st.floats().map(php.double)
    | st.binary(max_size=12)
)
KEYS = st.integers(-5, 2**40) | st.binary(max_size=6)
NAMES = st.sampled_from([b"stdClass", b"WP_Post", b"Acme\\Forms\\Entry", b"\xc3\x9cber"])
INERT = st.builds(Custom, NAMES, st.binary(max_size=8)) | st.just(Case(b"Acme\\Color:Red"))
REFERENCES = st.builds(Reference, st.integers(0, 9), st.booleans())


def containers(inner):
    items = st.lists(st.tuples(KEYS, inner), max_size=4).map(tuple)
    arrays = st.builds(Array, items)
    return arrays | st.builds(Object, NAMES, items) | arrays.map(Packed)


VALUES = st.recursive(SCALARS | INERT | REFERENCES, containers, max_leaves=25)


def packs(value) -> int:
    """How many serialised strings stand inside each other."""
    if isinstance(value, Packed):
        return 1 + packs(value.value)
    return max((packs(item) for _, item in value.items), default=0) if isinstance(value, Array | Object) else 0


def refused(raw: bytes) -> str:
    found = php.read(raw)
    assert found.value == raw
    assert found.broken
    return found.broken


# -- there and back -------------------------------------------------------------------------------------------------------


@given(VALUES)
def test_what_is_written_is_read_as_it_was(value) -> None:
    raw = php.written(value)
    found = php.read(raw)
    assert not found.broken
    assert php.written(found.value) == raw
    assert packs(value) > php.MOST_PACKS or repr(found.value) == repr(value)  # 1 and True are equal, but not the same


@given(FINITE)
def test_a_float_is_spelt_so_that_it_reads_back_as_the_same_number(number) -> None:
    assert float(php.double(number).text) == number
    assert not php.read(b"d:" + php.double(number).text.encode() + b";").broken


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.5, "0.5"),
        (1.0, "1"),
        (-0.0, "-0"),
        (1e25, "1.0E+25"),
        (1.5e-7, "1.5E-7"),
        (1.2e16, "12000000000000000"),
        (1e17, "1.0E+17"),
        (-math.inf, "-INF"),
    ],
)
def test_a_float_is_spelt_as_php_spells_it(number, text) -> None:
    assert php.double(number).text == text


def test_each_kind_is_read() -> None:
    raw = (
        b'a:11:{i:0;N;i:1;b:1;i:-2;i:-5;s:1:"d";d:0.10000000000000001;i:4;d:INF;i:5;d:-INF;i:6;d:NAN;i:7;s:2:"\xff\x00";'
        b'i:8;O:8:"stdClass":3:{s:1:"a";i:1;s:4:"\0*\0b";i:2;s:11:"\0stdClass\0c";i:3;}i:9;C:3:"Old":4:{i:1;}i:10;E:8:"Suit:Red";}'
    )
    value = php.read(raw).value
    assert isinstance(value, Array)
    assert value.get(0) is None
    assert value.get(1) is True
    assert value.get(-2) == -5
    assert value.get(b"d") == Double("0.10000000000000001")
    assert value.get(5) == Double("-INF")
    assert value.get(7) == b"\xff\x00"
    assert isinstance(value.get(8), Object)
    assert [value.get(8).get(name) for name in (b"a", b"b", b"c")] == [1, 2, 3]
    assert value.get(9) == Custom(b"Old", b"i:1;")
    assert value.get(10) == Case(b"Suit:Red")
    assert php.written(value) == raw


def test_lengths_are_bytes_not_letters() -> None:
    assert php.read('s:7:"Müller";'.encode()).value == "Müller".encode()
    assert php.written("😀".encode()) == b's:4:"\xf0\x9f\x98\x80";'


def test_a_string_may_hold_whatever_ends_strings() -> None:
    assert php.read(b's:9:"a";s:1:"b";').broken == ""
    assert php.read(b's:9:"a";s:1:"b";').value == b'a";s:1:"b'


# -- serialised twice -------------------------------------------------------------------------------------------------------


def test_a_string_that_is_a_serialised_array_is_told_as_one_and_its_length_follows_its_inside() -> None:
    once = php.written(Array(((b"host", b"old.example.net"),)))
    twice = php.written(once)
    value = php.read(twice).value
    assert isinstance(value, Packed)
    assert isinstance(value.value, Array)
    changed = Packed(value.value.with_value(b"host", b"new.example.com.example"))
    assert php.read(php.written(changed)).value == changed
    assert php.written(changed) == php.written(php.written(changed.value))


@pytest.mark.parametrize("text", [b"a:1:{i:0;N;} and more", b"a:2:{i:0;N;}", b"a:01:{i:0;N;}", b"i:5;", b'O:1:"A":0:{'])
def test_a_string_that_only_looks_like_one_stays_a_string(text) -> None:
    assert php.read(php.written(text)).value == text


def test_packs_inside_packs_are_unpacked_so_far_and_no_further() -> None:
    raw = b"a:1:{i:0;N;}"
    for _ in range(50):
        raw = php.written(Array(((0, raw),)))
    found = php.read(raw)
    assert not found.broken
    assert php.written(found.value) == raw


# -- what is broken -------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=60))
def test_no_bytes_make_the_reader_raise(raw) -> None:
    for found in (php.read(raw), php.decoded(raw, repair=True)):
        if found.broken:
            assert found.value == raw
        php.plain(found.value)
    php.repaired(raw)


@given(VALUES, st.data())
def test_a_value_that_was_cut_or_changed_is_told_or_means_what_it_says(value, data) -> None:
    raw = php.written(value)
    place = data.draw(st.integers(0, len(raw)))
    for hurt in (raw[:place], raw[:place] + raw[place + 1 :], raw[:place] + b"9" + raw[place:]):
        found = php.read(hurt)
        php.repaired(hurt)
        if not found.broken:
            assert not php.read(php.written(found.value)).broken


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "byte 0: it is cut off"),
        (b"a:1:{i:0;i:12;", "byte 14: it is cut off"),
        (b's:9:"abc";', "byte 5: a string of 9 bytes is announced, 5 are left"),
        (b's:2:"abc";', "byte 5: a string of 2 bytes is announced, it does not end there"),
        (b"i:1;i:2;", "byte 4: 4 bytes stand behind the end"),
        (b"a:1:{N;N;N;}", "byte 5: a key is an integer or a string"),
        (b"a:1:{i:0;N;i:1;N;}", "byte 11: no value begins or ends like this"),
        (b"a:999999:{i:0;N;}", "byte 10: 999,999 pairs are announced, 7 bytes are left"),
        (b"i:9223372036854775808;", "9223372036854775808 does not fit in 64 bits"),
        (b"d:0x1A;", "byte 0: no value"),
        (b"b:2;", "byte 0: no value"),
        (b'O:9:"stdClass":0:{}', "a class with a name of 9 bytes is announced"),
        (b'O:3:"a;b":0:{}', "a class with a name of 3 bytes is announced"),
        (b'C:1:"A":9:{x}', "cut off"),
        (b'E:3:"Red";', "a class with a name"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(raw, words) -> None:
    assert words in refused(raw)


def test_a_million_arrays_inside_each_other_are_refused_at_once() -> None:
    bomb = b"a:1:{i:0;" * 1_000_000 + b"N;" + b"}" * 1_000_000
    begun = time.perf_counter()
    assert f"deeper than {php.DEEPEST}" in refused(bomb)
    assert php.repaired(bomb) is None
    assert time.perf_counter() - begun < 5
    deep = Array()
    for _ in range(php.DEEPEST + 1):
        deep = Array(((0, deep),))
    with pytest.raises(ValueError, match="too deep"):
        php.written(deep)


def test_more_values_than_are_read_are_refused() -> None:
    assert "more values" in php.read(php.written(Array(tuple((n, None) for n in range(50)))), most_values=50).broken


def test_references_that_multiply_are_told_in_a_bounded_time() -> None:
    # each array holds the one before it twice: 2 to the power of 60 values
    doubled = [Array(((0, Reference(number + 2)), (1, Reference(number + 2)))) for number in range(60)]
    items = tuple(enumerate([Object(b"A"), *doubled]))
    begun = time.perf_counter()
    told = php.plain(Array(items))
    assert time.perf_counter() - begun < 5
    assert php.TOO_MUCH in str(told)


def test_numbers_of_thousands_of_digits_are_no_numbers() -> None:
    assert refused(b"i:" + b"9" * 5000 + b";")
    assert refused(b"s:" + b"9" * 5000 + b':"x";')


# -- references -----------------------------------------------------------------------------------------------------------


def test_a_reference_stands_for_the_value_that_php_counts_to() -> None:
    # $a = ['x' => 1, 'o' => $o, 'again' => $o, 'both' => &$a['x']]
    raw = b'a:4:{s:1:"x";i:1;s:1:"o";O:1:"A":1:{s:1:"p";i:7;}s:5:"again";r:3;s:4:"both";R:2;}'
    assert php.plain(php.read(raw).value) == {"x": 1, "o": {"p": 7}, "again": {"p": 7}, "both": 1}
    assert php.written(php.read(raw).value) == raw


def test_the_same_object_takes_a_number_and_the_same_variable_takes_none() -> None:
    raw = b'a:4:{i:0;O:1:"A":0:{}i:1;r:2;i:2;s:1:"z";i:3;R:4;}'  # 1 array, 2 A, 3 r, 4 z
    assert php.plain(php.read(raw).value) == [{}, {}, "z", "z"]


@pytest.mark.parametrize("raw", [b"a:1:{i:0;R:1;}", b'O:1:"A":1:{s:1:"a";r:1;}', b"a:1:{i:0;a:1:{i:0;R:2;}}"])
def test_a_value_that_refers_to_itself_says_so(raw) -> None:
    assert php.CIRCLE in str(php.plain(php.read(raw).value))


@pytest.mark.parametrize("raw", [b"R:1;", b"a:1:{i:0;R:9;}", b"a:1:{i:0;R:0;}", b'a:2:{i:0;C:1:"A":1:{x}i:1;R:2;}'])
def test_a_reference_to_nothing_that_can_be_counted_says_so(raw) -> None:
    assert php.UNKNOWN in str(php.plain(php.read(raw).value))


# -- repairs --------------------------------------------------------------------------------------------------------------


def test_lengths_that_count_characters_are_understood_and_the_original_is_what_was_broken() -> None:
    raw = (
        'a:2:{s:4:"Name";s:6:"Müller";s:4:"Text";s:9:"ä";s:1:"b";}'.encode()
    )  # the second string holds what ends strings
    assert php.read(raw).broken
    found = php.repaired(raw)
    assert found is not None
    assert found.repair == php.BY_CHARACTERS
    assert php.plain(found.value) == {"Name": "Müller", "Text": 'ä";s:1:"b'}
    assert not php.read(php.written(found.value)).broken


def test_a_replaced_domain_leaves_one_way_to_read_it() -> None:
    raw = b'a:2:{s:3:"url";s:20:"https://new.example.com/a";s:1:"n";i:1;}'
    found = php.repaired(raw)
    assert found is not None
    assert found.repair == php.BY_SHAPE
    assert php.plain(found.value) == {"url": "https://new.example.com/a", "n": 1}


def test_where_there_are_two_ways_nothing_is_repaired() -> None:
    two = b'a:2:{i:0;s:99:"a";i:1;s:99:"b";i:1;s:1:"c";}'
    assert php.read(two).broken
    assert php.repaired(two) is None


def test_what_is_cut_off_is_not_repaired() -> None:
    assert php.repaired(b'a:2:{i:0;s:3:"abc";i:1;s:9:"de') is None


def test_thousands_of_wrong_strings_are_given_up_in_a_bounded_time() -> None:
    raw = b"a:3000:{" + b'i:0;s:99:"x";' * 3000 + b"}"
    begun = time.perf_counter()
    php.repaired(raw)
    assert time.perf_counter() - begun < 10


@given(VALUES)
def test_a_repair_of_what_is_whole_changes_nothing(value) -> None:
    raw = php.written(Array(((0, value),)))  # nothing refers outside of an array
    assert php.written(php.decoded(raw, repair=True).value) == raw


# -- cells that may be plain -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [b"", b"hello;", b"a: b;", b"i: 5;", b"Note: a:1:{", b"s:3: yes;", b'O:"x";', b"}", b"N"]
)
def test_what_people_type_is_no_serialised_value(text) -> None:
    assert php.decoded(text) == php.Read(text)


@pytest.mark.parametrize(
    "raw", [b"N;", b"b:0;", b"i:5;", b"d:0.5;", b's:1:"x";', b"a:0:{}", b'O:1:"A":0:{}', b'E:3:"A:B";']
)
def test_what_php_wrote_is(raw) -> None:
    assert php.looks_serialised(raw)
    assert php.written(php.decoded(raw).value) == raw
