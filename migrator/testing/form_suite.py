"""The promises of a transport of form entries, as tests: inherit the class and give the fixtures it names.

    class TestMine(TableReaderContract):
        @pytest.fixture
        def stocked(self, ...): return Stocked(make_my_database(TABLES), lambda: my_reader(...))

`TABLES` are small and awkward: every family of types, keys of one column, of several, of text, none at all, values that drivers mangle.
A transport that cannot hold a table names it in `cannot`, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from typing import ClassVar

import pytest

from migrator.errors import MigratorError, NotFound, Refused
from migrator.forms.contract import SHADOW, PutsBeside, SeesOneMoment, TableReader, TableWriter
from migrator.forms.model import (
    EVERYTHING,
    NOTHING,
    Column,
    Condition,
    Extract,
    Features,
    Index,
    KeyRange,
    Operator,
    Paging,
    Row,
    Table,
    Value,
    Within,
    checksum_of,
    choose_paging,
    range_of,
)

Opens = Callable[[], AbstractContextManager[TableReader]]
OpensWriter = Callable[[], AbstractContextManager[TableWriter]]
Content = Sequence[tuple[Table, Sequence[Row]]]
UTF8 = ("utf8mb4", "utf8mb4_general_ci")


def text(name: str, type_: str = "longtext", *, nullable: bool = True, default: str | None = None) -> Column:
    """A column of text in utf8mb4."""
    return Column(name, type_, nullable, default, charset=UTF8[0], collation=UTF8[1])


def number(name: str = "id", type_: str = "bigint(20) unsigned", extra: str = "") -> Column:
    """A column of numbers without NULL."""
    return Column(name, type_, nullable=False, extra=extra)


def table(name: str, columns: Sequence[Column], *indexes: Index) -> Table:
    """A table of InnoDB in utf8mb4, paged as its indexes allow."""
    paging, page_by = choose_paging(columns, indexes)
    return Table(name, tuple(columns), paging, page_by, tuple(indexes), "InnoDB", *UTF8)


def primary(*columns: str) -> Index:
    """A primary key."""
    return Index("PRIMARY", columns, unique=True, lengths=(None,) * len(columns))


def index(*columns: str, unique: bool = False) -> Index:
    """An index over whole columns."""
    return Index(f"by_{'_'.join(columns)}", columns, unique, (None,) * len(columns))


NESTED = 'a:2:{s:13:"cfdb7_status";s:6:"unread";s:4:"your";s:9:"M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller 1";}'
TEXTS: tuple[Value, ...] = (
    NESTED, "", None, "O'Reilly \\ \"quoted\" `ticks` %s %% :name", "line\r\nline\ttab\n", "NUL \0 and \x1a inside",
    "\N{GRINNING FACE} \N{CJK UNIFIED IDEOGRAPH-738B} \u0130\u00df", " blanks around ", "\\N", "NULL", "NaN", "0x41", "=1+1", "\u2028\ufeff",
)  # fmt: skip
PLAIN = table("wp_db7_forms", [number("form_id", extra="auto_increment"), number("form_post_id"), text("form_value"), Column("form_date", "datetime", nullable=False, default="0000-00-00 00:00:00")], primary("form_id"))  # fmt: skip
PLAIN_ROWS: list[Row] = [
    (str(3 * n + 1), str(n % 2 + 5), value, "0000-00-00 00:00:00" if n % 3 else f"2026-02-0{n % 9 + 1} 10:00:0{n % 10}")
    for n, value in enumerate(TEXTS)
]
KINDS = table(
    "wp_kinds",
    [
        number(), Column("small", "tinyint(4)"), Column("money", "decimal(30,10)"), Column("ratio", "double"), Column("real4", "float"),
        Column("day", "date"), Column("moment", "datetime(6)"), Column("stamp", "timestamp"), Column("span", "time(6)"),
        Column("of_year", "year(4)"), Column("bits", "bit(9)"), Column("raw", "longblob"), Column("fixed", "binary(4)"),
        text("choice", "enum('a','b c','d''e')"), text("several", "set('x','y','z')"), text("short", "varchar(20)"), text("code", "char(8)"),
    ],
    primary("id"),
)  # fmt: skip
KINDS_ROWS: list[Row] = [
    ("1", "-128", "12345678901234567890.0123456789", "0.1", "4.3", "2026-02-28", "2026-02-28 23:59:59.123456", "2026-02-28 23:59:59",
     "-838:59:59.000000", "2026", b"\x01\x05", bytes(range(256)), b"\0\x01\x02\xff", "b c", "x,z", "short", "code"),
    ("2", "127", "-0.0000000001", "-1.5", "-0.25", "0000-00-00", "0000-00-00 00:00:00.000000", None,
     "00:00:00.000001", "0000", b"\0\0", b"", b"\0\0\0\0", "a", "", "", ""),
    ("3", None, None, None, None, None, None, None, None, None, None, None, None, None, None, None, None),
    ("18446744073709551615", "0", "0.0000000000", "0", "16777216", "2026-02-00", "2026-00-00 00:00:00.000000", "1970-01-01 00:00:01",
     "838:59:58.999999", "1901", b"\x01\xff", b"\\x00'\"\n\r", b"'\"\\\n", "d'e", "x,y,z", "\N{GRINNING FACE}", "\N{LATIN SMALL LETTER A WITH DIAERESIS}"),
]  # fmt: skip
PAIRS = table("webform_submission_data", [Column("sid", "int(10) unsigned", nullable=False), text("name", "varchar(64)", nullable=False), Column("delta", "int(11)", nullable=False), text("value")], primary("sid", "name", "delta"))  # fmt: skip
PAIRS_ROWS: list[Row] = [
    (str(sid), name, str(delta), f"{name} {sid}")
    for sid in range(1, 6)
    for name in ("email", "it's", "zip")
    for delta in range(2)
]
LOG = table("wp_cf7dbplugin_submits", [Column("submit_time", "decimal(16,4)", nullable=False), text("form_name", "varchar(127)"), text("field_value"), Column("file", "longblob")], index("submit_time"))  # fmt: skip
LOG_ROWS: list[Row] = [
    (f"16000000{n // 4:02}.0{n // 4}50", "Contact", f"answer {n}", b"\x89PNG\r\n" if n % 4 == 3 else None)
    for n in range(14)
]
LOOSE = table("wp_loose", [text("name", "varchar(50)"), text("said")])
LOOSE_ROWS: list[Row] = [(f"name {n % 5}", f"said {n % 5}") for n in range(12)] + [(None, None), (None, None)]
CODES = table("wp_codes", [text("code", "varchar(20)", nullable=False), text("said")], primary("code"))
CODES_ROWS: list[Row] = [(f"cf{n:02}'\\", f"said {n}") for n in range(9)]
EMPTY = table("wp_empty", [number(), text("said")], primary("id"))
POSTS = table("wp_posts", [number("ID"), text("post_title"), text("post_type", "varchar(20)", nullable=False)], primary("ID"))  # fmt: skip
POSTS_ROWS: list[Row] = [(str(n), f"title {n}", ("flamingo_inbound", "post", "nf_sub")[n % 3]) for n in range(1, 10)]
META = table("wp_postmeta", [number("meta_id"), number("post_id"), text("meta_key", "varchar(255)"), text("meta_value")], primary("meta_id"))  # fmt: skip
META_ROWS: list[Row] = [
    (str(n), str(n // 2 + 1), f"_field_{n % 2}" if n % 5 else None, f"value {n}") for n in range(16)
]
TABLES: Content = (
    (PLAIN, PLAIN_ROWS), (KINDS, KINDS_ROWS), (PAIRS, PAIRS_ROWS), (LOG, LOG_ROWS), (LOOSE, LOOSE_ROWS), (CODES, CODES_ROWS),
    (EMPTY, []), (POSTS, POSTS_ROWS), (META, META_ROWS),
)  # fmt: skip
ROWS: Mapping[str, Sequence[Row]] = {one.name: rows for one, rows in TABLES}
NAMES = tuple(ROWS)


def everything(reader: TableReader, extract: Extract, among: KeyRange = EVERYTHING) -> list[Row]:
    """All rows of a range."""
    return [row for page in reader.rows(extract, among) for row in page]


def by_repr(rows: Sequence[Row]) -> list[Row]:
    """Rows in an order that does not depend on where they come from."""
    return sorted(rows, key=repr)


class _EachTable:
    """What both suites share."""

    cannot: ClassVar[Mapping[str, str]] = {}  # tables that the product cannot hold, with the reason

    @pytest.fixture(params=NAMES)
    def name(self, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> str:
        name = str(request.param)
        if name in self.cannot:
            record_property("product cannot", self.cannot[name])
            return "wp_db7_forms"
        return name

    @staticmethod
    def the_table(reader: TableReader, name: str) -> Table:
        """A table as the product describes it."""
        return next(one for one in reader.tables() if one.name == name)


class TableReaderContract(_EachTable):
    """Inherit, and give the fixture `reading`: it opens a session that reads a database with TABLES and their rows in it, and nothing else.
    One database does for all tests.
    """

    @pytest.fixture
    def reading(self) -> Opens:
        raise NotImplementedError("give the fixture `reading` in the class that inherits this suite")

    @pytest.fixture
    def reader(self, reading: Opens) -> Iterator[TableReader]:
        with reading() as session:
            yield session

    @pytest.fixture
    def extract(self, reader: TableReader, name: str) -> Extract:
        return Extract(self.the_table(reader, name))

    def expected(self, name: str) -> Sequence[Row]:
        """The rows a table has, as this product shows them."""
        return ROWS[name]

    # -- tables

    def test_every_table_is_listed_once_by_name(self, reader: TableReader) -> None:
        assert [one.name for one in reader.tables()] == sorted(set(NAMES) - set(self.cannot))

    def test_columns_are_told_in_order_with_their_families(self, extract: Extract, name: str) -> None:
        wanted = next(one for one, _ in TABLES if one.name == name)
        assert [(one.name, one.family) for one in extract.table.columns] == [
            (one.name, one.family) for one in wanted.columns
        ]

    def test_a_table_is_divided_by_columns_it_has(self, extract: Extract) -> None:
        columns = [extract.table.column(name).name for name in extract.table.page_by]
        assert bool(columns) == (extract.table.paging in {Paging.KEY, Paging.INDEX})

    def test_features_and_server_have_names(self, reader: TableReader) -> None:
        assert isinstance(reader.features, Features)
        assert reader.features.title
        assert reader.server().product

    # -- rows

    def test_every_value_is_what_was_put_in(self, reader: TableReader, extract: Extract, name: str) -> None:
        assert by_repr(everything(reader, extract)) == by_repr(self.expected(name))

    def test_rows_are_streamed_in_pages(self, reader: TableReader, extract: Extract) -> None:
        pages = reader.rows(extract, EVERYTHING)
        assert iter(pages) is pages
        assert all(len(page) > 0 for page in pages)

    def test_reading_may_stop_early_and_go_on_elsewhere(self, reader: TableReader, extract: Extract) -> None:
        pages = reader.rows(extract, EVERYTHING)
        next(pages, None)
        pages.close()  # type: ignore[attr-defined]  # a generator
        assert reader.count(extract) == len(everything(reader, extract))

    def test_the_count_is_that_of_the_rows(self, reader: TableReader, extract: Extract, name: str) -> None:
        assert reader.count(extract) == len(self.expected(name))

    def test_a_table_that_is_not_there_is_not_found(self, reader: TableReader) -> None:
        missing = Extract(replace(PLAIN, name="wp_nobody_made_this"))
        with pytest.raises(NotFound):
            everything(reader, missing)
        with pytest.raises(NotFound):
            reader.count(missing)

    # -- ranges and checksums

    @pytest.mark.parametrize("size", [1, 4, 1000])
    def test_ranges_have_every_row_exactly_once(
        self, reader: TableReader, extract: Extract, size: int, name: str
    ) -> None:
        ranges = list(reader.ranges(extract, None, size))
        assert by_repr([row for one in ranges for row in everything(reader, extract, one)]) == by_repr(
            self.expected(name)
        )

    def test_ranges_follow_each_other_without_a_gap(self, reader: TableReader, extract: Extract) -> None:
        ranges = list(reader.ranges(extract, None, 4))
        if extract.table.paging is Paging.CONTENT:
            assert [(one.part, one.parts) for one in ranges] == [(n, len(ranges)) for n in range(len(ranges))]
            return
        ends = [one.upto for one in ranges]
        assert [one.after for one in ranges] == [None, *ends][: len(ranges)]
        assert None not in ends

    def test_ranges_are_the_same_when_asked_again_and_survive_being_written(
        self, reader: TableReader, extract: Extract
    ) -> None:
        ranges = list(reader.ranges(extract, None, 4))
        assert [range_of(one.key) for one in ranges] == list(reader.ranges(extract, None, 4))

    def test_ranges_behind_a_key_are_the_rest(self, reader: TableReader, extract: Extract) -> None:
        if extract.table.paging is Paging.CONTENT:
            return
        ranges = list(reader.ranges(extract, None, 4))
        for before, one in enumerate(ranges, 1):
            assert list(reader.ranges(extract, one.upto, 4)) == ranges[before:]

    def test_a_checksum_is_that_of_the_rows(self, reader: TableReader, extract: Extract, name: str) -> None:
        assert reader.checksum(extract, EVERYTHING) == checksum_of(self.expected(name))
        for among in reader.ranges(extract, None, 4):
            assert reader.checksum(extract, among) == checksum_of(everything(reader, extract, among))

    def test_checksums_of_ranges_add_up(self, reader: TableReader, extract: Extract) -> None:
        sums = [reader.checksum(extract, one) for one in reader.ranges(extract, None, 3)]
        assert sum(sums, NOTHING) == reader.checksum(extract, EVERYTHING)

    # -- parts of tables

    @pytest.mark.parametrize(
        ("condition", "wanted"),
        [
            (Condition("meta_key", Operator.IN, ("_field_1",)), lambda row: row[2] == "_field_1"),
            (Condition("meta_key", Operator.IN, ("_field_1", None)), lambda row: row[2] in {"_field_1", None}),
            (Condition("meta_key", Operator.NOT_IN, ("_field_1",)), lambda row: row[2] != "_field_1"),
            (Condition("meta_key", Operator.NOT_IN, ("_field_1", None)), lambda row: row[2] not in {"_field_1", None}),
            (Condition("meta_id", Operator.FROM, ("9",)), lambda row: int(row[0]) >= 9),
            (Condition("meta_id", Operator.BELOW, ("9",)), lambda row: int(row[0]) < 9),
            (Condition("meta_key", Operator.STARTS, ("_field",)), lambda row: str(row[2]).startswith("_field")),
            (Condition("meta_key", Operator.STARTS, ("%ield_",)), lambda _: False),
            (Condition("meta_key", Operator.IN, ("it's \\ :one %s",)), lambda _: False),
        ],
        ids=["in", "in-null", "not-in", "not-in-null", "from", "below", "starts", "starts-wild", "quotes"],
    )  # fmt: skip
    def test_a_condition_leaves_out_what_does_not_fulfil_it(
        self, reader: TableReader, condition: Condition, wanted: Callable[[Row], bool]
    ) -> None:
        extract = Extract(self.the_table(reader, "wp_postmeta"), (condition,))
        rows = [row for row in self.expected("wp_postmeta") if wanted(row)]
        assert by_repr(everything(reader, extract)) == by_repr(rows)
        assert reader.count(extract) == len(rows)
        assert reader.checksum(extract, EVERYTHING) == checksum_of(rows)
        ranges = list(reader.ranges(extract, None, 2))
        assert by_repr([row for one in ranges for row in everything(reader, extract, one)]) == by_repr(rows)

    def test_rows_may_be_chosen_by_the_rows_they_belong_to(self, reader: TableReader) -> None:
        of_entries = Within("post_id", "wp_posts", "ID", (Condition("post_type", Operator.IN, ("nf_sub",)),))
        extract = Extract(self.the_table(reader, "wp_postmeta"), within=of_entries)
        entries = {row[0] for row in self.expected("wp_posts") if row[2] == "nf_sub"}
        rows = [row for row in self.expected("wp_postmeta") if row[1] in entries]
        assert rows
        assert by_repr(everything(reader, extract)) == by_repr(rows)
        assert reader.checksum(extract, EVERYTHING) == checksum_of(rows)

    # -- sessions

    def test_a_session_that_reads_has_no_word_for_writing(self, reader: TableReader) -> None:
        assert not [word for word in ("shadow", "load", "swap", "discard", "merge") if hasattr(reader, word)]

    def test_closing_twice_is_no_matter(self, reading: Opens) -> None:
        with reading() as session:
            session.close()
            session.close()

    def test_a_snapshot_shows_what_is_there(self, reader: TableReader, extract: Extract, name: str) -> None:
        if isinstance(reader, SeesOneMoment):
            reader.snapshot()
        assert reader.count(extract) == len(self.expected(name))


class TableWriterContract(_EachTable):
    """The same for a product that can be a target. Give `writing`, which opens a session that writes to a database without tables that no
    other test uses, and `reading`, which opens one that reads the same database. What `fill` has put there keeps TableReaderContract too.
    """

    @pytest.fixture
    def reading(self) -> Opens:
        raise NotImplementedError("give the fixture `reading` in the class that inherits this suite")

    @pytest.fixture
    def writing(self) -> OpensWriter:
        raise NotImplementedError("give the fixture `writing` in the class that inherits this suite")

    @pytest.fixture
    def vacant(self, writing: OpensWriter) -> Iterator[TableWriter]:
        """A session that writes to a database without tables."""
        with writing() as session:
            yield session

    # -- filling

    def test_a_shadow_is_seen_by_nobody_and_is_empty(self, vacant: TableWriter, reading: Opens) -> None:
        shadow = vacant.shadow(PLAIN)
        assert shadow.name.startswith(SHADOW)
        with reading() as reader:
            assert list(reader.tables()) == []
        assert vacant.count(Extract(shadow)) == 0

    def test_a_shadow_keeps_its_rows_when_it_is_asked_for_again(self, vacant: TableWriter) -> None:
        shadow = vacant.shadow(PLAIN)
        vacant.load(Extract(shadow), KeyRange(None, ("10",)), PLAIN_ROWS[:3], None)
        assert vacant.count(Extract(vacant.shadow(PLAIN))) == 3

    def test_a_shadow_of_other_columns_is_made_anew(self, vacant: TableWriter) -> None:
        shadow = vacant.shadow(PLAIN)
        vacant.load(Extract(shadow), EVERYTHING, PLAIN_ROWS, None)
        wider = replace(PLAIN, columns=(*PLAIN.columns, text("more")))
        assert vacant.count(Extract(vacant.shadow(wider))) == 0

    def test_loading_a_range_twice_is_loading_it_once(self, vacant: TableWriter) -> None:
        extract = Extract(vacant.shadow(PLAIN))
        low, high = KeyRange(None, ("13",)), KeyRange(("13",), None)
        rows = {
            low: [row for row in PLAIN_ROWS if int(str(row[0])) <= 13],
            high: [row for row in PLAIN_ROWS if int(str(row[0])) > 13],
        }
        for among in (low, high, low, high):
            vacant.load(extract, among, rows[among], None)
        assert vacant.checksum(extract, EVERYTHING) == checksum_of(vacant.as_kept(PLAIN, PLAIN_ROWS))

    def test_a_range_is_replaced_only_if_it_holds_what_is_expected(self, vacant: TableWriter) -> None:
        fill(vacant, PLAIN, PLAIN_ROWS)
        extract = Extract(self.the_table(vacant, PLAIN.name))
        among = KeyRange(("4",), ("13",))
        before = vacant.checksum(extract, among)
        changed = [(row[0], row[1], "changed", row[3]) for row in PLAIN_ROWS if 4 < int(str(row[0])) <= 13]
        vacant.load(extract, among, changed, before)
        after = vacant.checksum(extract, among)
        assert after == checksum_of(vacant.as_kept(PLAIN, changed))
        with pytest.raises(Refused):
            vacant.load(extract, among, changed[:1], before)
        assert vacant.checksum(extract, among) == after

    def test_rows_that_share_an_id_with_others_change_nothing(self, vacant: TableWriter) -> None:
        extract = Extract(vacant.shadow(PLAIN))
        vacant.load(extract, KeyRange(None, ("4",)), PLAIN_ROWS[:2], None)
        with pytest.raises(Refused) as raised:
            vacant.load(extract, KeyRange(("4",), ("10",)), [PLAIN_ROWS[2], PLAIN_ROWS[0]], NOTHING)
        assert str(PLAIN_ROWS[0][2]) not in raised.value.sentence()
        assert vacant.checksum(extract, EVERYTHING) == checksum_of(vacant.as_kept(PLAIN, PLAIN_ROWS[:2]))

    def test_loading_nothing_empties_a_range(self, vacant: TableWriter) -> None:
        extract = Extract(vacant.shadow(PLAIN))
        vacant.load(extract, EVERYTHING, PLAIN_ROWS, None)
        vacant.load(extract, KeyRange(None, ("13",)), [], None)
        assert vacant.count(extract) == sum(int(str(row[0])) > 13 for row in PLAIN_ROWS)

    # -- swapping

    def test_a_swapped_table_is_there_whole_and_its_shadow_is_gone(self, vacant: TableWriter, reading: Opens) -> None:
        fill(vacant, PLAIN, PLAIN_ROWS)
        with reading() as reader:
            (there,) = reader.tables()
            assert there.name == PLAIN.name
            assert (there.paging, there.page_by) == (PLAIN.paging, PLAIN.page_by)
            assert reader.checksum(Extract(there), EVERYTHING) == checksum_of(vacant.as_kept(PLAIN, PLAIN_ROWS))

    def test_swapping_twice_is_swapping_once(self, vacant: TableWriter) -> None:
        fill(vacant, PLAIN, PLAIN_ROWS)
        vacant.swap(PLAIN)
        assert vacant.count(Extract(self.the_table(vacant, PLAIN.name))) == len(PLAIN_ROWS)

    def test_a_table_with_rows_never_gives_way(self, vacant: TableWriter) -> None:
        fill(vacant, PLAIN, PLAIN_ROWS)
        vacant.load(Extract(vacant.shadow(PLAIN)), EVERYTHING, PLAIN_ROWS[:1], None)
        with pytest.raises(Refused) as raised:
            vacant.swap(PLAIN)
        assert PLAIN.name in str(raised.value)
        assert vacant.count(Extract(self.the_table(vacant, PLAIN.name))) == len(PLAIN_ROWS)

    def test_an_empty_table_gives_way(self, vacant: TableWriter) -> None:
        fill(vacant, PLAIN, [])
        fill(vacant, PLAIN, PLAIN_ROWS)
        assert vacant.count(Extract(self.the_table(vacant, PLAIN.name))) == len(PLAIN_ROWS)

    def test_swapping_what_was_never_filled_says_so(self, vacant: TableWriter) -> None:
        with pytest.raises(MigratorError):
            vacant.swap(PLAIN)

    def test_a_discarded_shadow_is_gone(self, vacant: TableWriter) -> None:
        vacant.load(Extract(vacant.shadow(PLAIN)), EVERYTHING, PLAIN_ROWS, None)
        vacant.discard(PLAIN)
        vacant.discard(PLAIN)
        assert vacant.count(Extract(vacant.shadow(PLAIN))) == 0

    # -- beside others

    def test_a_session_that_reads_says_whether_rows_can_be_put_beside_others(
        self, vacant: TableWriter, reading: Opens
    ) -> None:
        with reading() as reader:
            assert reader.features.merges == isinstance(vacant, PutsBeside)

    def test_merged_rows_stand_beside_others(self, vacant: TableWriter) -> None:
        if not isinstance(vacant, PutsBeside):
            return
        fill(vacant, PLAIN, PLAIN_ROWS[:4])
        vacant.load(Extract(vacant.shadow(PLAIN)), EVERYTHING, PLAIN_ROWS[4:], None)
        extract = Extract(self.the_table(vacant, PLAIN.name))
        assert vacant.merge(extract) == len(PLAIN_ROWS) - 4
        assert vacant.checksum(extract, EVERYTHING) == checksum_of(vacant.as_kept(PLAIN, PLAIN_ROWS))

    def test_merging_refuses_an_id_that_is_taken_and_puts_nothing(self, vacant: TableWriter) -> None:
        if not isinstance(vacant, PutsBeside):
            return
        fill(vacant, PLAIN, PLAIN_ROWS[:4])
        vacant.load(Extract(vacant.shadow(PLAIN)), EVERYTHING, PLAIN_ROWS[3:], None)
        extract = Extract(self.the_table(vacant, PLAIN.name))
        with pytest.raises(Refused):
            vacant.merge(extract)
        assert vacant.count(extract) == 4

    def test_numbers_that_are_reserved_change_no_row(self, vacant: TableWriter) -> None:
        if not isinstance(vacant, PutsBeside):
            return
        fill(vacant, PLAIN, PLAIN_ROWS)
        extract = Extract(self.the_table(vacant, PLAIN.name))
        before = vacant.checksum(extract, EVERYTHING)
        for upto in (1000, 5, 1000):
            vacant.reserve(extract.table, upto)
        assert vacant.checksum(extract, EVERYTHING) == before

    # -- what it keeps

    def test_as_kept_is_what_comes_back(self, vacant: TableWriter, reading: Opens, name: str) -> None:
        wanted = next(one for one, _ in TABLES if one.name == name)
        fill(vacant, wanted, ROWS[name])
        kept = vacant.as_kept(wanted, ROWS[name])
        assert vacant.as_kept(wanted, kept) == kept
        with reading() as reader:
            assert by_repr(everything(reader, Extract(self.the_table(reader, name)))) == by_repr(kept)
        if vacant.features.exact:
            assert kept == ROWS[name]


def fill(writer: TableWriter, wanted: Table, rows: Sequence[Row]) -> None:
    """Put a table into a database as the step does."""
    extract = Extract(writer.shadow(wanted))
    writer.load(extract, EVERYTHING, rows, None)
    writer.swap(wanted)


def stock(writer: TableWriter, cannot: Mapping[str, str] = {}) -> None:
    """Put all of TABLES into a database."""
    for one, rows in TABLES:
        if one.name not in cannot:
            fill(writer, one, rows)


def opens(open_session: Callable[[], TableReader]) -> Opens:
    """How a session is opened, as a fixture gives it."""
    return lambda: closing(open_session())


def opens_writer(open_session: Callable[[], TableWriter]) -> OpensWriter:
    """The same for one that writes."""
    return lambda: closing(open_session())
