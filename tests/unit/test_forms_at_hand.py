"""Sheets from what can only be read through: each table once, whatever is asked, and the same entries as from a server."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.engine.contract import Login
from migrator.errors import NoSpace
from migrator.forms import at_hand
from migrator.forms.adapters.dump import DumpReader, Options
from migrator.forms.at_hand import AtHand
from migrator.forms.choosing import chooser
from migrator.forms.flat import Flat, Site
from migrator.forms.model import Column, Condition, Extract, Operator, Paging, Table
from migrator.forms.plugins import detect
from migrator.testing.memory_tables import MemoryReader, MemoryTables

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "forms"
TABLE = Table("t", (Column("n", "int(11)"), Column("text", "longtext"), Column("raw", "blob")), Paging.CONTENT)


class Counting(DumpReader):
    """Counts how often a table is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(Options(path=path), Login("database", "database"))
        self.readings: Counter[str] = Counter()

    def rows(self, extract, among):
        self.readings[extract.table.name] += 1
        return super().rows(extract, among)


def gravity(folder: Path, entries: int, *, shuffled: bool) -> Path:
    numbers = list(range(10, 10 + entries))
    if shuffled:
        random.Random(3).shuffle(numbers)  # then no key ascends, and the tables are divided by content
    dump = folder / "dump.sql"
    parents = ",".join(f"({n},1,'2026-03-02','','','','active')" for n in numbers)
    children = ",".join(f"({n * 2 + at},1,{n},'1.{3 + 3 * at}','x{n}','')" for n in numbers for at in (0, 1))
    dump.write_text(
        (FIXTURES / "gravity-forms.sql").read_text("utf-8")
        + "INSERT INTO `wp_gf_entry` (`id`, `form_id`, `date_created`, `ip`, `source_url`, `user_agent`, `status`) VALUES "
        + f"{parents};\nINSERT INTO `wp_gf_entry_meta` (`id`, `form_id`, `entry_id`, `meta_key`, `meta_value`, `item_index`) VALUES {children};\n",
        "utf-8",
    )
    return dump


@pytest.mark.parametrize("shuffled", [False, True])
def test_each_table_of_a_dump_is_read_once_for_all_pages(tmp_path, shuffled) -> None:
    reader = Counting(gravity(tmp_path, 120, shuffled=shuffled))
    (stored,) = [one for one in detect.present(reader, ("gravity-forms",)) if one.tables]
    reader.readings.clear()
    found = list(Flat(reader, stored, Site(), page=10).entries())
    assert len(found) == 122
    assert {one.header["entry_id"]: [a.value for a in one.answers] for one in found}["77"] == [
        {"First": "x77", "Last": "x77"}
    ]
    assert set(reader.readings.values()) == {1}, reader.readings


@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.sampled_from(["1", "01", "1.0", "-0", "0", "7"]),
            st.none() | st.sampled_from(["", "a", "A", "\ud800", "ü"]),
            st.none() | st.sampled_from([b"", b"a", b"\xff"]),
        ),
        max_size=12,
    ),
    column=st.sampled_from(["n", "text", "raw"]),
    values=st.lists(st.none() | st.sampled_from(["1", "0", "a", "", "ü", b"a", b""]), max_size=4),
)
def test_what_is_at_hand_is_what_the_reader_would_have_told(rows, column, values) -> None:
    there = MemoryTables("memory")
    there.fill(TABLE, rows)
    wanted = Extract(TABLE, (Condition(column, Operator.IN, tuple(values)), Condition("n", Operator.NOT_IN, ("7",))))
    belongs = chooser(wanted, lambda _: ())
    found = [row for page in AtHand(MemoryReader(there)).rows(wanted) for row in page]
    assert Counter(found) == Counter(filter(belongs, rows))


def test_a_full_disk_is_told_with_what_to_do(monkeypatch) -> None:
    monkeypatch.setattr(at_hand, "_AT_RISK", (*at_hand._AT_RISK, "PRAGMA max_page_count = 2"))
    there = MemoryTables("memory")
    there.fill(TABLE, [(str(n), "x" * 4000, None) for n in range(50)])
    with pytest.raises(NoSpace, match="t: its rows cannot be kept"):
        list(AtHand(MemoryReader(there)).rows(Extract(TABLE, (Condition("n", Operator.IN, ("1",)),))))
