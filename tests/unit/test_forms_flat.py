"""Entries as people read them: what cells say, when it was, what columns are called, and sheets that run nothing."""

from __future__ import annotations

import csv
import io
import json
import stat
import tracemalloc
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.forms import answers, fields, php, sheet
from migrator.forms.answers import Answer, Named, Reader
from migrator.forms.clocks import Clocks, moments, zone_of
from migrator.forms.fields import Field
from migrator.forms.flat import HEADER, Entry, Flat, Site, site_of
from migrator.forms.model import Clock, Column, Index, Paging, Stored, Table
from migrator.forms.plugins import detect
from migrator.forms.plugins.known import KNOWN
from migrator.forms.plugins.shape import FieldTree, InCell, InRows, Items, Spelling
from migrator.testing.memory_tables import MemoryReader, MemoryTables
from migrator.wire import table

BERLIN = Clocks(ZoneInfo("Europe/Berlin"))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)

# -- moments ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "clock", "utc", "wall"),
    [
        ("2026-01-31 10:30:00", Clock.LOCAL, "2026-01-31T09:30:00Z", "2026-01-31 10:30:00"),
        ("2026-07-31 10:30:00", Clock.LOCAL, "2026-07-31T08:30:00Z", "2026-07-31 10:30:00"),
        ("2026-01-31 09:30:00", Clock.UTC, "2026-01-31T09:30:00Z", "2026-01-31 10:30:00"),
        ("2026-01-31 09:30:00.123456", Clock.UTC, "2026-01-31T09:30:00Z", "2026-01-31 10:30:00"),
        ("1769851800.5000", Clock.UNIX, "2026-01-31T09:30:00Z", "2026-01-31 10:30:00"),
        ("0000-00-00 00:00:00", Clock.LOCAL, "", ""),
        ("2026-02-00 00:00:00", Clock.UTC, "", ""),
        ("2026-02-31 00:00:00", Clock.UTC, "", ""),
        ("", Clock.UNIX, "", ""),
        ("0", Clock.UNIX, "", ""),
        ("99999999999", Clock.UNIX, "5138-11-16T09:46:39Z", "5138-11-16 10:46:39"),
        ("0001-01-01 00:00:00", Clock.LOCAL, "", ""),
        ("9999-12-31 23:59:59", Clock.UTC, "", ""),
        ("soon", Clock.UTC, "", ""),
    ],
)
def test_a_moment_is_told_in_utc_and_on_the_wall(text, clock, utc, wall) -> None:
    assert moments(text, clock, BERLIN) == (utc, wall)


def test_where_the_zone_is_not_known_nothing_is_presumed() -> None:
    assert moments("2026-01-31 10:30:00", Clock.LOCAL, Clocks()) == ("", "2026-01-31 10:30:00")
    assert moments("2026-01-31 10:30:00", Clock.UTC, Clocks()) == ("2026-01-31T10:30:00Z", "")


def test_wall_time_in_a_timestamp_went_through_the_servers_zone() -> None:
    server = Clocks(ZoneInfo("Europe/Berlin"), timezone(timedelta(hours=-5)))
    told = moments("2026-01-31 15:30:00", Clock.LOCAL, server, is_timestamp=True)
    assert told == ("2026-01-31T09:30:00Z", "2026-01-31 10:30:00")


@pytest.mark.parametrize(
    ("name", "offset", "hours"), [("Europe/Berlin", "", 1), ("", "5.5", 5.5), ("", "-3", -3), ("", "0", 0)]
)
def test_a_sites_zone_is_a_name_or_an_offset(name, offset, hours) -> None:
    zone = zone_of(name, offset)
    assert zone is not None
    assert moments("2026-01-31 12:00:00", Clock.UTC, Clocks(zone))[1] == (
        f"2026-01-31 {12 + int(hours):02}:{'30' if hours % 1 else '00'}:00"
    )


@pytest.mark.parametrize(
    ("name", "offset"), [("Moon/Base", ""), ("../etc/passwd", ""), ("", ""), ("", "99"), ("", "nan")]
)
def test_a_zone_that_is_none_is_not_known(name, offset) -> None:
    assert zone_of(name, offset) is None


# -- cells ------------------------------------------------------------------------------------------------------------------


@given(st.text() | st.binary() | st.none(), st.sampled_from(list(Spelling)), st.booleans())
def test_no_cell_makes_the_reader_raise(cell, spelling, repair) -> None:
    reader = Reader({"&quot;": '"'}, "_file", repair, unmix=True)
    answers.told(reader.read(cell, spelling))
    for one in reader.from_cell(cell, InCell("c", spelling)):
        answers.told(one.value)
    reader.from_cell(cell, InCell("c", spelling, Items("id", "name", "value", "type", "label")))


@given(st.text(alphabet=st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])))
def test_utf8_in_a_column_of_latin1_is_read_as_it_was_meant(text) -> None:
    stored = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode())
    assert answers.unmixed(stored) == (None if text.isascii() else text)


@pytest.mark.parametrize("text", ["Müller", "naïve café", "Ärger für £5", "日本", "x", "Âé"])
def test_a_text_that_was_meant_so_is_left_alone(text) -> None:
    assert answers.unmixed(text) is None


def test_what_a_plugin_put_in_place_of_signs_is_undone_once() -> None:
    reader = Reader({"&quot;": '"', "&#047;": "/"})
    cell = php.written(php.Array(((b"a", b"&amp;quot; &quot;&#047;&quot;"),))).decode()
    assert reader.read(cell, Spelling.PHP) == {"a": '&amp;quot; "/"'}


def test_a_deep_json_value_is_told_as_broken() -> None:
    reader = Reader()
    deep = "[" * 50_000 + "]" * 50_000
    assert reader.from_cell(deep, InCell("response", Spelling.JSON)) == [Answer("response", deep)]
    assert reader.notes == {answers.BROKEN_JSON: 1}


def test_a_visitor_who_types_json_is_not_taken_for_a_plugin_where_texts_are_texts() -> None:
    assert Reader().read('["a"]', Spelling.TEXT) == '["a"]'
    assert Reader().read('["a"]', Spelling.PHP) == '["a"]'


# -- rows ---------------------------------------------------------------------------------------------------------------------


def rows(*told: Named, choices: tuple[str, ...] = (), **where: str) -> dict[str, object]:
    found = InRows("t", "e", "n", "v", **where)
    return {one.key: one.value for one in answers.from_rows(told, found, lambda key: key in choices)}


def test_parts_repetitions_and_choices_come_together() -> None:
    parts = r"(\d+)(?:\.(\d+))?"
    assert rows(Named("1.3", "Ana"), Named("1.6", "P"), Named("x", "no"), named=parts) == {"1": {"3": "Ana", "6": "P"}}
    assert rows(Named("1.1", "a"), Named("1.3", "c"), Named("1.2", ""), named=parts, choices=("1",)) == {
        "1": ["a", "c"]
    }
    assert rows(Named("8", "a", index="_0"), Named("8", "b", index="_1")) == {"8": ["a", "b"]}
    assert rows(Named("8", "a", "x", "0"), Named("8", "b", "x", "1")) == {"8": [{"x": "a"}, {"x": "b"}]}
    assert rows(Named("c", "one"), Named("c", "two")) == {"c": ["one", "two"]}


def test_names_that_a_plugin_spells_alike_share_their_row_and_a_missing_row_is_beside_the_name() -> None:
    told = [Named("_field_a_b", "1"), Named("_fields", {"A_B": None, "a_b": None, "old": "2"}), Named("_field_x", "3")]
    assert rows(*told, named="_field_(.+)", names="_fields") == {"A_B": "1", "a_b": "1", "old": "2", "x": "3"}


def test_fields_of_a_form_are_found_at_any_depth_and_parts_below_theirs() -> None:
    tree = FieldTree(
        "t", "f", "c", Spelling.JSON, "fields", "attributes.name", ("a", "settings.label"), "element", ("fields",)
    )
    cell = """{"fields": [{"attributes": {"name": "names"}, "settings": {"label": "Name"}, "element": "input_name", "fields":
        {"first": {"attributes": {"name": "first"}, "settings": {"label": "First"}}}},
        {"columns": [{"fields": [{"attributes": {"name": "mail"}, "settings": {"label": " E-mail "}}]}]}], "settings": {"label": "no"}}"""
    assert fields.from_cell(cell, tree) == [
        Field("names", "Name", "input_name"),
        Field("names.first", "First"),
        Field("mail", "E-mail"),
    ]
    assert fields.from_cell("nonsense", tree) == []
    assert fields.from_cell(None, tree) == []


# -- columns -----------------------------------------------------------------------------------------------------------------


def headings(*entries: list[Answer], known: tuple[Field, ...] = ()) -> list[str]:
    columns = sheet.Columns(known)
    for one in entries:
        columns.cells(one)
    return list(columns.headings().values())


def test_columns_are_called_by_label_in_the_forms_order() -> None:
    known = (Field("2", "Mail"), Field("1", "Name"), Field("3", "Never filled in"))
    assert headings([Answer("9", "x"), Answer("1", "Ana"), Answer("2", "m")], known=known) == ["Mail", "Name", "9"]


def test_a_label_of_two_fields_or_of_the_header_is_followed_by_the_key() -> None:
    known = (Field("1", "Name"), Field("2", "Name"), Field("3", "status"))
    assert headings([Answer("1", "a"), Answer("2", "b"), Answer("3", "c")], known=known) == [
        "Name (1)",
        "Name (2)",
        "status (3)",
    ]
    assert headings([Answer("status", "c"), Answer("ip", "d")]) == ["status (2)", "ip (2)"]


@given(
    st.lists(
        st.lists(
            st.builds(
                Answer, st.sampled_from("abc") | st.sampled_from(HEADER), PLAIN, st.sampled_from(["", "a", "ip", "a.b"])
            ),
            max_size=4,
        ),
        max_size=4,
    )
)
def test_no_column_shares_its_heading_and_no_answer_is_lost(entries) -> None:
    columns = sheet.Columns()
    cells = [columns.cells(one) for one in entries]
    named = columns.headings()
    assert len({*named.values(), *HEADER}) == len(named) + len(HEADER)
    for one, answered in zip(cells, entries, strict=True):
        assert set(one) <= set(named)
        for answer in answered:
            text = answers.told(answer.value)
            assert isinstance(answer.value, dict | list) or text in " | ".join(one.values())


# -- sheets --------------------------------------------------------------------------------------------------------------------


def entry(form: str, number: int, *answered: Answer, files: tuple[str, ...] = ()) -> Entry:
    header = {**dict.fromkeys(HEADER, ""), "form_id": form, "form_title": f"Form {form}", "entry_id": str(number)}
    return Entry(header, answered, files)


def read(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_each_form_has_a_sheet_for_its_owner_alone_and_files_are_listed(tmp_path) -> None:
    told = [
        entry("1", 1, Answer("a", "=1+1"), files=("wp-content/uploads/x.pdf",)),
        entry("../2", 2, Answer("b", ["x", "y"])),
        entry("1", 3, Answer("late", "line\nbreak\udcff")),
        entry("", 4, Answer("a", "1")),
    ]
    written = {one.form: one for one in sheet.write(told, tmp_path / "out")}
    assert {one.path.parent for one in written.values()} == {tmp_path / "out"}
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == sorted(
        [*(one.path.name for one in written.values()), sheet.FILES]
    )
    assert (written["1"].entries, written["1"].files, written["../2"].joined) == (2, 1, ("b",))
    first = read(written["1"].path)
    assert first[0] == [*HEADER, "a", "late"]
    assert [row[-2:] for row in first[1:]] == [["'=1+1", ""], ["", "line\nbreak?"]]
    assert read(tmp_path / "out" / sheet.FILES) == [
        list(sheet.FILES_HEADER),
        ["Form 1", "1", "wp-content/uploads/x.pdf"],
    ]
    assert {stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "out").iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("form", "title", "wanted"),
    [
        ("5", "Contact form", "Contact form (5)"),
        ("contacto", "Contacto", "contacto"),
        ("5", "", "5"),
        ("", "All", sheet.NO_FORM),
        ("5", "../../etc/passwd", "etc passwd (5)"),
        ("5", "Año: ¿qué? (7)", "Año qué 7 (5)"),
        ("5", "\0\n", "5"),
        ("5", "a" * 300, f"{'a' * 40} (5)"),
    ],
)
def test_a_sheet_is_called_by_its_forms_title(form, title, wanted) -> None:
    assert sheet.named(form, title) == wanted


def test_a_sheet_of_an_earlier_title_is_told_and_stays(tmp_path) -> None:
    for name in ("1.csv", "Old (1).csv", "Old (2).csv", "notes.csv"):
        (tmp_path / name).write_text("earlier")
    (made,) = sheet.write([entry("1", 1, Answer("a", "first"))], tmp_path)
    assert (made.path.name, made.earlier) == ("Form 1 (1).csv", ("1.csv", "Old (1).csv"))
    assert (tmp_path / "Old (1).csv").read_text() == "earlier"


def test_a_sheet_for_machines_has_no_guard(tmp_path) -> None:
    (one,) = sheet.write([entry("1", 1, Answer("a", "=1+1"))], tmp_path, guard=False)
    assert read(one.path)[1][-1] == "=1+1"


@given(cells=st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_a_cell_is_never_a_formula_and_comes_back(cells, tmp_path_factory) -> None:
    told = entry("1", 1, *(Answer(str(number), cell) for number, cell in enumerate(cells)))
    (one,) = sheet.write([told], tmp_path_factory.mktemp("sheets"))
    raw = one.path.read_bytes().decode("utf-8-sig")
    (_, row) = csv.reader(io.StringIO(raw, newline=""))
    assert [table.unguarded(cell) for cell in row[len(HEADER) :]] == [
        cell.encode(errors="replace").decode() for cell in cells
    ]
    assert not [cell for cell in row if cell[:1] in {"=", "@", "\t", "\r"}]


def test_drawing_that_breaks_off_leaves_the_sheets_that_were_there_and_no_draft(tmp_path) -> None:
    list(sheet.write([entry("1", 1, Answer("a", "first"))], tmp_path))

    def broken():
        yield entry("1", 1, Answer("a", "second"))
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(sheet.write(broken(), tmp_path))
    assert [one.name for one in tmp_path.iterdir()] == ["Form 1 (1).csv"]
    assert read(tmp_path / "Form 1 (1).csv")[1][-1] == "first"


def test_what_a_death_left_is_gone_after_the_next_run(tmp_path) -> None:
    for name in ("9.csv.entries", "1.csv.entries", "1.csv.new"):
        (tmp_path / name).write_text("half of it")
    list(sheet.write([entry("1", 1, Answer("a", "first"))], tmp_path))
    assert [one.name for one in tmp_path.iterdir()] == ["Form 1 (1).csv"]
    assert read(tmp_path / "Form 1 (1).csv")[1][-1] == "first"


def test_memory_does_not_grow_with_the_entries(tmp_path) -> None:
    def many(count: int):
        return (entry("1", number, Answer("a", f"{number} " * 1_000), files=("f" * 500,)) for number in range(count))

    peaks = []
    for count in (700, 2_100):
        tracemalloc.start()
        list(sheet.write(many(count), tmp_path))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2


def test_choices_that_a_plugin_parts_by_lines_are_several_choices() -> None:
    (wpforms,) = (one for one in KNOWN if one.word == "wpforms")
    assert wpforms.view is not None
    (where,) = wpforms.view.answers
    cell = json.dumps(
        {
            "1": {"name": "Topics", "value": "one\ntwo", "id": 1, "type": "checkbox"},
            "2": {"name": "Text", "value": "one\ntwo", "id": 2, "type": "textarea"},
            "3": {"name": "Colour", "value": "red", "id": 3, "type": "select"},
        }
    )
    assert isinstance(where, InCell)
    assert [one.value for one in Reader().from_cell(cell, where)] == [["one", "two"], "one\ntwo", "red"]


# -- tables without a key of their own --------------------------------------------------------------------------------------------


def submits(paging: Paging, by: tuple[str, ...]) -> MemoryTables:
    there = MemoryTables("old")
    kinds = {"submit_time": "decimal(16,4)", "field_value": "longtext", "field_order": "int(11)", "file": "longblob"}
    names = ("submit_time", "form_name", "field_name", "field_value", "field_order", "file")
    made = Table(
        "wp_cf7dbplugin_submits",
        tuple(Column(name, kinds.get(name, "varchar(127)")) for name in names),
        paging,
        by,
        (Index("submit_time_idx", ("submit_time",)),),
    )
    there.fill(
        made,
        [
            (f"17672256{entry:02}.0000", form, field, f"{form}{entry}{field}", str(order), None)
            for field, order in (("b", 1), ("a", 0), ("c", 10), ("d", 9))
            for entry in range(7)
            for form in ("x", "y")
        ],
    )
    return there


@pytest.mark.parametrize("seeks", [True, False])
@pytest.mark.parametrize("page", [1, 3, 500])
@pytest.mark.parametrize(("paging", "by"), [(Paging.INDEX, ("submit_time",)), (Paging.CONTENT, ())])
def test_entries_of_rows_alone_come_once_and_whole(paging, by, page, seeks) -> None:
    there = submits(paging, by)
    there.features = replace(there.features, seeks=seeks)
    reader = MemoryReader(there)
    (stored,) = detect.stored(reader.tables(), ("cfdb",))
    found = list(Flat(reader, stored, Site(), page=page).entries())
    assert len({(one.form, one.header["entry_id"]) for one in found}) == len(found) == 14
    assert all([answer.key for answer in one.answers] == ["a", "b", "d", "c"] for one in found)
    assert all(str(answer.value).startswith(one.form) for one in found for answer in one.answers)


def test_a_site_without_options_has_its_prefix_for_a_name_and_no_zone() -> None:
    reader = MemoryReader(submits(Paging.CONTENT, ()))
    assert site_of(reader, Stored("cfdb", "Contact Form DB", "wp_")) == Site("wp_", Clocks(None, UTC))
