"""What a row of many megabytes costs on its way from one MariaDB into another: a small multiple of itself, not one for each hand it goes through."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from migrator.forms.model import Column, Paging, Spelt, Table, crc_of
from migrator.forms.sql import spelling

LARGE = 8 * 1024 * 1024
TABLE = Table(
    "wp_db7_forms", (Column("form_id", "bigint(20)"), Column("form_value", "longtext")), Paging.KEY, ("form_id",)
)
SIZE = 1_000_000  # of a statement


def most_held(work: Callable[[], object]) -> int:
    """The most memory that something took at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_sum_of_a_large_row_is_taken_without_a_copy_of_it() -> None:
    columns = [[b"1"], [b"x" * LARGE]]
    held = most_held(lambda: Spelt(columns, (False, False)))
    assert held < LARGE / 10
    assert Spelt(columns, (False, False)).sum.crc == crc_of(("1", "x" * LARGE))


@pytest.mark.parametrize("letters", ["x" * LARGE, "it's \\" * (LARGE // 6)], ids=["plain", "with quotes"])
def test_a_large_row_is_said_with_few_copies_of_it(letters: str) -> None:
    row = Spelt([[b"1"], [letters.encode()]], (False, False))

    def say() -> None:
        for statement in spelling.inserts(TABLE, row, SIZE):
            assert len(statement) > LARGE

    assert most_held(say) < 4 * LARGE


def test_no_row_is_said_twice_or_lost_however_statements_are_cut() -> None:
    rows = [(str(n), f"said {n} ".ljust(n * 7, "x")) for n in range(1, 60)]
    for size in (1, 300, 2_000, SIZE):
        said = list(spelling.inserts(TABLE, rows, size))
        start = said[0].partition("VALUES ")[0]
        assert all(one.startswith(start) for one in said)
        lines = ",".join(one.removeprefix(f"{start}VALUES ") for one in said)
        assert lines == ",".join(f"({key},'{text}')" for key, text in rows)
        assert all(len(one) <= len(start) + 10 + size or "),(" not in one for one in said)
