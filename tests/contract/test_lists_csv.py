"""The lists' contract on a folder of CSV files, and what people and their spreadsheets make of such files."""

from __future__ import annotations

import csv as reading
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, Misbehaved, NotFound, PlanError, Refused
from migrator.lists.adapters import csv
from migrator.lists.contract import THE_LISTS
from migrator.lists.model import (
    MEMBER_OPTIONS,
    Archive,
    Delivery,
    HeaderRule,
    Member,
    Role,
    Settings,
    Stopped,
    Treatment,
    settings_of,
)
from migrator.lists.spelling import member_cells, member_of, setting_rows, settings_told
from migrator.testing.list_suite import ANN, MEMBERS, OWNER, SETTINGS, ListContract, everybody

NEWS = "news@example.com"
LOGIN = Login(THE_LISTS, THE_LISTS)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "lists"


@pytest.fixture
def writer(folder):
    with closing(csv.ADAPTER.writer(csv.Options(path=folder), LOGIN)) as session:
        yield session


def by_hand(folder, text: str | bytes, name: str = f"{NEWS}.csv") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


class TestCsv(ListContract):
    adapter = csv.ADAPTER
    cannot = {"banned": "a file asks nobody"}  # noqa: RUF012 - as the suite has it

    @pytest.fixture
    def options(self, folder):
        return csv.Options(path=folder)


# -- what people write --------------------------------------------------------------------------------------------------


def test_a_file_of_addresses_is_a_list(folder, writer) -> None:
    by_hand(folder, "address,name\nann@example.com,Ann Doe\nbob@example.com,\n")
    assert [one.address for one in writer.lists()] == [NEWS]
    assert everybody(writer, NEWS) == [Member("ann@example.com", "Ann Doe"), Member("bob@example.com")]
    assert writer.settings(NEWS) == Settings()


@pytest.mark.parametrize(
    "text",
    [
        "E-Mail;Name;Hidden\r\nann@example.com;Zoë;YES\r\n".encode("cp1252"),
        "\ufeffemail\tName\thidden\nann@example.com\tZoë\ttrue\n".encode(),
        "address,name,hidden\nann@example.com,Zoë,sí\n".encode("utf-16"),
        'address,"name",hidden,their own\nann@example.com,Zoë,1,kept\n'.encode(),
    ],
    ids=["windows", "tabs", "utf-16", "another-column"],
)
def test_a_file_from_a_spreadsheet_is_read_however_it_was_saved(folder, writer, text: bytes) -> None:
    by_hand(folder, text)
    assert everybody(writer, NEWS) == [Member("ann@example.com", "Zoë", hidden=True)]
    writer.update(NEWS, [Member("ann@example.com", "Zoë", hidden=False)])
    assert everybody(writer, NEWS) == [Member("ann@example.com", "Zoë")]


def test_whoever_has_two_rows_is_told_twice_and_the_first_one_counts(folder, writer) -> None:
    by_hand(folder, "address,name\nann@example.com,Ann\nANN@example.com,Shouted\n")
    assert [one.name for one in everybody(writer, NEWS)] == ["Ann", "Shouted"]
    writer.update(NEWS, [Member("ann@example.com", "Ann Doe")])
    assert [one.name for one in everybody(writer, NEWS)] == ["Ann Doe", "Shouted"]


def test_columns_of_others_stay(folder, writer) -> None:
    by_hand(folder, "address,phone\nann@example.com,+49 30 1\n")
    writer.add(NEWS, [Member("bob@example.com", "Bob")])
    with (folder / f"{NEWS}.csv").open(newline="") as file:
        rows = list(reading.DictReader(file))
    assert [(row["address"], row["phone"], row["name"]) for row in rows] == [
        ("ann@example.com", "+49 30 1", ""),
        ("bob@example.com", "", "Bob"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nAnn\n", "no line names the column address, which has to be there; the first one says: name"),
        ("ann@example.com,Ann\n", "the first one says: ann@example.com, Ann"),
        ("", "the file is empty; its first line has to name the column address"),
        (
            "PK\x03\x04\x14\x00",
            "this is a spreadsheet program's own file, whatever its name says. Save it as CSV there",
        ),
        ("address\nann\x00@example.com\n", "this is no text"),
        ("address,hidden\nann@example.com,perhaps\n", "line 2: hidden is neither yes nor no"),
        ("address,delivery\nann@example.com,hourly\n", "line 2: delivery is none of regular, mime digest"),
        ("address,role\n\nann@example.com,king\n", "role is none of member, owner"),
        ("address\nann@example.com,too,many\n", "line 2: there are more cells than columns"),
        ("address,name\n,Nobody\n", "line 2: address is empty"),
    ],
)
def test_what_cannot_be_read_is_told_with_file_and_line(folder, writer, text: str, said: str) -> None:
    by_hand(folder, text)
    with pytest.raises(Misbehaved) as raised:
        everybody(writer, NEWS)
    assert said in str(raised.value)
    assert f"{NEWS}.csv" in str(raised.value)


def test_a_settings_file_that_cannot_be_read_is_told(folder, writer) -> None:
    by_hand(folder, "address\nann@example.com\n")
    by_hand(folder, "setting,value\ncolour,red\n", f"{NEWS}.settings.csv")
    with pytest.raises(Misbehaved, match="'colour' is no setting of a list"):
        writer.settings(NEWS)


def test_one_who_is_member_and_owner_has_two_rows(writer) -> None:
    writer.create_list(NEWS, OWNER, None)
    writer.add(NEWS, [replace(ANN, role=Role.OWNER)])
    writer.add(NEWS, [ANN])
    writer.remove(NEWS, [replace(ANN, role=Role.OWNER)])
    assert everybody(writer, NEWS) == [ANN]
    assert everybody(writer, NEWS, Role.OWNER) == []


def test_a_list_whose_name_makes_no_file_name_is_found_by_its_settings(folder, writer) -> None:
    for name in ("a/b@example.com", "..@example.com", "nul@example.com", "A+B@example.com"):
        writer.create_list(name, OWNER, None)
        writer.add(name, [ANN])
    assert {one.address for one in writer.lists()} >= {"a/b@example.com", "..@example.com", "nul@example.com"}
    assert all(path.parent == folder for path in folder.iterdir())
    assert everybody(writer, "a/b@example.com") == [ANN]


def test_no_list_is_no_folder_a_folder_elsewhere_is_refused_and_a_file_is_a_mistake_of_the_plan(
    tmp_path, writer
) -> None:
    assert list(writer.lists()) == []
    with pytest.raises(NotFound):
        writer.settings(NEWS)
    with pytest.raises(EndpointRefused):
        csv.ADAPTER.reader(csv.Options(path=tmp_path / "nowhere" / "lists"), LOGIN)
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanError, match="this is no folder"):
        csv.ADAPTER.reader(csv.Options(path=tmp_path / "file"), LOGIN)


def test_files_are_for_their_owner_alone(folder, writer) -> None:
    writer.create_list(NEWS, OWNER, None)
    writer.add(NEWS, [ANN])
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}


def test_a_formula_is_no_formula_in_a_spreadsheet(folder, writer) -> None:
    writer.create_list(NEWS, OWNER, None)
    evil = replace(ANN, name="=HYPERLINK(1)", address="+1@example.com")
    writer.add(NEWS, [evil])
    assert everybody(writer, NEWS) == [evil]
    assert "'=HYPERLINK(1)" in (folder / f"{NEWS}.csv").read_text()


def test_settings_of_another_kind_of_table_are_refused_in_words(writer) -> None:
    writer.create_list(NEWS, OWNER, None)
    with pytest.raises(Refused):
        writer.create_list(NEWS.upper(), OWNER, None)


# -- spelling -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trait", sorted(MEMBERS))
def test_a_member_is_spelt_and_read(trait: str) -> None:
    assert member_of(member_cells(MEMBERS[trait])) == MEMBERS[trait]


@pytest.mark.parametrize("trait", sorted(SETTINGS))
def test_settings_are_spelt_and_read(trait: str) -> None:
    told = SETTINGS[trait].told()
    assert settings_told(setting_rows(told)) == told


def test_nothing_and_nobody_are_two() -> None:
    told = Settings(
        banned=(), description="", header_rules=(HeaderRule("^a b: c", Treatment.HOLD),), own={"x": "1"}
    ).told()
    assert settings_told(setting_rows(told)) == told
    assert settings_of(settings_told(setting_rows(told))).archive is None
    assert settings_told([("archive", " Public ")]) == {"archive": Archive.PUBLIC}


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)


@given(
    st.builds(
        Member,
        st.from_regex(r"[a-z0-9=+'-][a-z0-9.]{0,5}@example\.(com|org)", fullmatch=True),
        TEXTS,
        st.sampled_from(Role),
        st.sampled_from(Delivery),
        st.none() | st.sampled_from(Stopped),
        st.none() | st.sampled_from(Treatment),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["", "de", "pt_BR"]),
    )
)
def test_whatever_a_member_is_comes_back(tmp_path_factory, member: Member) -> None:
    session = csv.ADAPTER.writer(csv.Options(path=tmp_path_factory.mktemp("any") / "lists"), LOGIN)
    session.create_list(NEWS, OWNER, None)
    session.add(NEWS, [member])
    (found,) = everybody(session, NEWS, member.role)
    assert {name: getattr(found, name) for name in MEMBER_OPTIONS} == {
        name: getattr(member, name) for name in MEMBER_OPTIONS
    }
    assert found.address == member.address


def test_addresses_alone_are_a_list_without_a_line_that_names_the_column(folder, writer) -> None:
    by_hand(folder, "ann@example.com\n\nBob@example.com\n")
    assert everybody(writer, NEWS) == [Member("ann@example.com"), Member("Bob@example.com")]
    writer.add(NEWS, [Member("cara@example.com", "Cara")])
    with (folder / f"{NEWS}.csv").open(newline="") as file:
        assert [(row["address"], row["name"]) for row in reading.DictReader(file)] == [
            ("ann@example.com", ""),
            ("Bob@example.com", ""),
            ("cara@example.com", "Cara"),
        ]


@pytest.mark.parametrize("last", ["bob@example.com,B", "bob@example.com", '"bob@exam', 'bob@example.com,Bob,"mem'])
def test_a_file_that_stops_in_the_middle_of_a_row_is_told_and_is_no_person_who_lost_settings(
    folder, writer, last: str
) -> None:
    by_hand(folder, f"address,name,role\nann@example.com,Ann,member\n{last}")
    with pytest.raises(Misbehaved, match="line 3: the file stops in the middle of this row"):
        everybody(writer, NEWS)


@pytest.mark.parametrize(
    "text",
    [
        "address,name,role\nann@example.com,Ann\nbob@example.com",  # cells that are left out all along
        "address,name,role\nann@example.com,Ann,member\nbob@example.com\n",
        "address,name,role\nann@example.com,Ann,member\nbob@example.com,,",
        "address\nann@example.com\nbob@example.com",
    ],
)
def test_a_last_row_that_is_whole_may_lack_its_end_or_empty_cells(folder, writer, text: str) -> None:
    by_hand(folder, text)
    assert [one.address for one in everybody(writer, NEWS)] == ["ann@example.com", "bob@example.com"]
