"""Ranges, checksums and paging, as data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.forms.model import (
    FEW_ROWS,
    NOTHING,
    Checksum,
    Column,
    Family,
    Index,
    KeyRange,
    Paging,
    Spelt,
    Summed,
    checksum_of,
    choose_paging,
    crc_of,
    crc_of_bytes,
    family_of,
    range_of,
    row_bytes,
)

VALUES = st.one_of(st.none(), st.text(max_size=20), st.binary(max_size=20))
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=8)


@given(ROWS)
def test_a_sum_is_the_same_however_the_rows_are_given(rows) -> None:
    spelt = [
        tuple(one.encode("utf-8", "surrogatepass") if isinstance(one, str) else one for one in row) for row in rows
    ]
    total = checksum_of(rows)
    assert Summed.of([rows[:3], rows[3:]]).sum == total
    assert Summed.of([Summed.of([rows])]).sum == total
    assert checksum_of(reversed(rows)) == total
    if rows:
        assert crc_of_bytes(list(zip(*spelt, strict=True)))[0] == total.crc
        few = crc_of_bytes(list(zip(*spelt, strict=True)))
        assert crc_of_bytes(list(zip(*spelt * FEW_ROWS * 2, strict=True))) == (
            few[0] * FEW_ROWS * 2,
            few[1] * FEW_ROWS * 2,
        )
        parts = [Spelt(list(zip(*some, strict=True)), (True,) * 3) for some in (spelt[:3], spelt[3:]) if some]
        assert [Summed.of(parts).sum, Summed.of([*parts, []]).sum] == [total, total]
        assert list(Summed.of(parts)) == spelt == list(Summed.of([*parts, []]))
        assert Summed.of(parts).size == Summed.of([rows]).size
    assert sum((checksum_of([row]) for row in rows), NOTHING) == total
    assert Checksum.read(str(total)) == total


@given(st.tuples(VALUES, VALUES), st.tuples(VALUES, VALUES))
def test_rows_that_differ_are_spelt_differently(one, other) -> None:
    as_bytes = [
        tuple(v.encode("utf-8", "surrogatepass") if isinstance(v, str) else v for v in row) for row in (one, other)
    ]
    if as_bytes[0] != as_bytes[1]:
        assert row_bytes(one) != row_bytes(other)


def test_rows_as_a_server_spelt_them_are_told_as_rows() -> None:
    rows = Spelt([[b"1", b"2"], [b"M\xc3\xbcller", b"\xed\xa0\xbd"], [b"\xff", None]], (False, False, True))
    assert list(rows) == [("1", "M\u00fcller", b"\xff"), ("2", "\ud83d", None)]
    assert (len(rows), rows[-1], rows.values(1)) == (2, ("2", "\ud83d", None), ["M\u00fcller", "\ud83d"])
    assert rows.sum == checksum_of(list(rows))


def test_a_value_never_runs_into_its_neighbour() -> None:
    assert crc_of(("ab", "c")) != crc_of(("a", "bc"))
    assert crc_of((None, "")) != crc_of(("", None))
    assert crc_of(("-",)) != crc_of((None,))


@pytest.mark.parametrize(
    "among",
    [
        KeyRange(),
        KeyRange(None, ("1",)),
        KeyRange(("a\u2028'", b"\0\xff"), None),
        KeyRange(part=2, parts=5),
        KeyRange(("lone \ud83d",), None),
    ],
)
def test_a_range_is_read_back_from_its_key(among) -> None:
    assert range_of(among.key) == among
    assert "\n" not in among.key
    assert among.label


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", "[1]", "[null,1]"])
def test_what_is_no_range_is_told(text) -> None:
    with pytest.raises(ValueError):
        range_of(text)


@pytest.mark.parametrize(
    ("type_", "family"),
    [
        ("bigint(20) unsigned", Family.INTEGER), ("DECIMAL(16,4)", Family.DECIMAL), ("float unsigned", Family.FLOAT), ("varchar(10)", Family.TEXT),
        ("enum('a','b')", Family.TEXT), ("json", Family.TEXT), ("inet6", Family.TEXT), ("varbinary(16)", Family.BINARY), ("bit(1)", Family.BIT),
        ("timestamp(6)", Family.TEMPORAL), ("year(4)", Family.YEAR), ("point", Family.BINARY),
    ],
)  # fmt: skip
def test_families_are_told_by_the_types_own_words(type_, family) -> None:
    assert family_of(type_) is family


ID = Column("id", "bigint(20)", nullable=False)
NULLABLE = Column("maybe", "bigint(20)")
CODE = Column("code", "enum('b','a')", nullable=False)
TIME = Column("at", "decimal(16,4)", nullable=False)
TEXT = Column("said", "varchar(50)", nullable=False)


@pytest.mark.parametrize(
    ("indexes", "wanted"),
    [
        ([Index("PRIMARY", ("id",), unique=True)], (Paging.KEY, ("id",))),
        ([Index("two", ("said", "id"), unique=True), Index("id", ("id",), unique=True)], (Paging.KEY, ("id",))),
        ([Index("maybe", ("maybe",), unique=True)], (Paging.CONTENT, ())),
        ([Index("PRIMARY", ("code",), unique=True)], (Paging.CONTENT, ())),
        ([Index("said", ("said",), unique=True, lengths=(10,))], (Paging.CONTENT, ())),
        ([Index("at", ("at",))], (Paging.INDEX, ("at",))),
        ([Index("maybe", ("maybe",)), Index("at", ("at", "id"))], (Paging.INDEX, ("at",))),
        ([Index("words", ("said",), kind="FULLTEXT")], (Paging.CONTENT, ())),
        ([], (Paging.CONTENT, ())),
    ],
)
def test_a_table_is_divided_by_the_best_it_has(indexes, wanted) -> None:
    assert choose_paging([ID, NULLABLE, CODE, TIME, TEXT], indexes) == wanted
