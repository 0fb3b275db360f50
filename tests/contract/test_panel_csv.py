"""The panel contract on a folder of CSV files, and what people and their spreadsheets make of such files."""

from __future__ import annotations

import csv as reading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from migrator.errors import EndpointRefused, Misbehaved, NotFound, Refused
from migrator.panel.adapters import csv
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Database,
    Destination,
    Domain,
    DomainForwarder,
    Filter,
    Forwarder,
    Hold,
    Mailbox,
    Password,
    Routing,
    Rule,
    Way,
)
from migrator.testing.panel_suite import PASSWORD, PanelContract, panel

HOME = "d1.example.com"
HASH = "{SHA512-CRYPT}$6$saltsalt$" + "x" * 86


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "accounts"


@pytest.fixture
def writer(folder):
    with closing(csv.ADAPTER.writer(csv.Options(path=folder), panel("panel"))) as session:
        yield session


def by_hand(folder, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text.encode())


class TestCsv(PanelContract):
    adapter = csv.ADAPTER
    features = csv.FEATURES

    @pytest.fixture
    def options(self, folder):
        return csv.Options(path=folder)

    @pytest.fixture
    def wrong_options(self):
        return None


EVERYTHING = (
    Domain(HOME, Routing.REMOTE, "default", suspended=True),
    Mailbox(f"ann@{HOME}", quota=5_000_000_001, holds=frozenset({Hold.LOGIN, Hold.SEND}), name='Ann "the first", Example'),
    Forwarder(f"info@{HOME}", (Destination(f"ann@{HOME}"), Destination("else@example.net")), keeps_copy=True),
    Forwarder(f"gone@{HOME}", (Destination("=No; such user, here", Way.REJECT),)),
    Forwarder(f"pipe@{HOME}", (Destination('|/usr/bin/x -a "b c"', Way.PIPE),)),
    DomainForwarder(HOME, "d2.example.com"),
    CatchAll(HOME, Destination("", Way.DISCARD)),
    Autoresponder(
        f"ann@{HOME}", body="-- Fuera\n\n'=hasta el lunes'", subject="+1", from_name="@Ann", is_html=True, interval_hours=0,
        start=datetime(2025, 7, 1, 8, tzinfo=UTC), stop=datetime(2025, 7, 2, tzinfo=UTC),
    ),
    Filter(
        "", "all", (Rule("$h_X:", "is", "=1", "and"), Rule("$header_from:", "contains", " x ")),
        (("save", "/.Junk"), ("deliver", "bob@example.net")), enabled=False, domain=HOME,
    ),
)  # fmt: skip


@pytest.mark.parametrize("thing", EVERYTHING, ids=lambda thing: thing.word)
def test_every_field_comes_back(writer, thing):
    writer.create(thing, PASSWORD)
    assert list(writer.list(type(thing), HOME)) == [thing]


def test_every_kind_has_a_file_of_its_own_for_its_owner_alone(folder, writer):
    for thing in EVERYTHING:
        writer.create(thing, PASSWORD)
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.glob("*.csv")} == dict.fromkeys(
        (
            "domains.csv", "mailboxes.csv", "forwarders.csv", "domain_forwarders.csv", "catch_alls.csv",
            "autoresponders.csv", "filters.csv",
        ),
        0o600,
    )  # fmt: skip
    assert folder.stat().st_mode & 0o777 == 0o700


def test_no_cell_can_be_taken_for_a_formula(folder, writer):
    for thing in EVERYTHING:
        writer.create(thing, Password(plain=SecretStr("=cmd|'/c calc'!A0")))
    for path in folder.glob("*.csv"):
        with path.open(newline="") as file:
            assert not [cell for row in reading.reader(file) for cell in row if cell.startswith(tuple("=+-@\t\r"))]
    assert writer.password_of(f"ann@{HOME}") == Password(plain=SecretStr("=cmd|'/c calc'!A0"))


@given(st.text())
def test_a_guarded_cell_is_the_same_when_its_guard_is_gone(cell):
    assert csv.unguarded(csv.guarded(cell)) == cell
    assert not csv.guarded(cell).startswith(tuple("=+-@\t\r"))


def test_an_apostrophe_that_guards_nothing_is_the_cells_own():
    assert csv.unguarded("'tis") == "'tis"
    assert csv.unguarded("'") == "'"


# -- files by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_from_a_spreadsheet_is_read_and_keeps_its_ways(folder, writer, delimiter):
    lines = [
        "\ufeffName,Address,QUOTA,Phone,password",
        "Ann,Ann@d1.example.com,1.5 GB,123,=geheim",
        ",,,,",
        "",
        "Bob,bob@d1.example.com",
    ]
    by_hand(folder, "mailboxes.csv", "\r\n".join(lines).replace(",", delimiter) + "\r\n")
    ann, bob = writer.list(Mailbox, HOME)
    assert (ann.key, ann.name, ann.quota) == (f"ann@{HOME}", "Ann", 1610612736)
    assert (bob.key, bob.quota, bob.holds) == (f"bob@{HOME}", None, frozenset())
    assert writer.password_of(f"ann@{HOME}") == Password(plain=SecretStr("=geheim"))
    writer.create(Mailbox(f"carmen@{HOME}"), PASSWORD)
    head, first, *_ = (folder / "mailboxes.csv").read_text().splitlines()
    assert head.split(delimiter)[:5] == ["name", "address", "quota", "phone", "password"]
    assert first.split(delimiter)[:5] == ["Ann", "Ann@d1.example.com", "1.5 GB", "123", "'=geheim"]
    assert len(writer.list(Mailbox, HOME)) == 3


def test_a_domain_needs_no_file_of_its_own(folder, writer):
    by_hand(folder, "forwarders.csv", "address,destination\ninfo@españa.example,else@example.net\n")
    assert [one.name for one in writer.domains()] == ["xn--espaa-rta.example"]
    assert [one.key for one in writer.list(Forwarder, "xn--espaa-rta.example")] == ["info@xn--espaa-rta.example"]
    assert writer.list(Mailbox, "españa.example") == []
    with pytest.raises(NotFound):
        writer.list(Mailbox, HOME)


@pytest.mark.parametrize(
    ("name", "text", "about"),
    [
        ("mailboxes.csv", "address\nann@d1.example.com\nno address\n", r"mailboxes\.csv, line 3: address"),
        ("mailboxes.csv", "address,quota\nann@d1.example.com,lots\n", "line 2: quota"),
        ("mailboxes.csv", "address,suspended\nann@d1.example.com,perhaps\n", "line 2: suspended"),
        ("mailboxes.csv", "address\nann@d1.example.com,x,y\n", "line 2: there are more cells"),
        ("mailboxes.csv", "mail\nann@d1.example.com\n", "no column address"),
        ("mailboxes.csv", 'address,name\nann@d1.example.com,"open\n', "mailboxes"),
        ("forwarders.csv", "address,destination,kind\ninfo@d1.example.com,x,letter\n", "line 2: kind"),
        ("forwarders.csv", "address,destination\ninfo@d1.example.com,nobody\n", "line 2: destination"),
        (
            "forwarders.csv",
            "address,destination,keeps_copy\ni@d1.example.com,x@example.net,maybe\n",
            "neither yes nor no",
        ),
        (
            "catch_alls.csv",
            "domain,destination\nd1.example.com,a@example.net\nd1.example.com,b@example.net\n",
            "several",
        ),
        ("autoresponders.csv", "address,body,start\nann@d1.example.com,x,monday\n", "line 2: start"),
        ("autoresponders.csv", "address,body,interval_hours\nann@d1.example.com,x,a day\n", "interval_hours"),
        ("filters.csv", "address,name,line,part\nann@d1.example.com,f,if,$header_subject:\n", "rows with then"),
        ("domains.csv", "domain,routing\nd1.example.com,sideways\n", "routing"),
        ("domain_forwarders.csv", "domain,target\nd1.example.com,ann@d2.example.com\n", "target"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_with_file_and_line(folder, writer, name, text, about):
    by_hand(folder, name, text)
    with pytest.raises(Misbehaved, match=about):
        writer.domains()


def test_no_cell_with_a_password_is_in_what_is_said(folder, writer):
    by_hand(folder, "mailboxes.csv", "address,password,quota\nann@d1.example.com,geheim,lots\n")
    with pytest.raises(Misbehaved) as told:
        writer.list(Mailbox, HOME)
    assert "geheim" not in told.value.sentence()


@pytest.mark.parametrize(
    ("said", "holds"), [("yes", frozenset(Hold)), ("login; send", {Hold.LOGIN, Hold.SEND}), ("no", set())]
)
def test_suspension_is_read_in_peoples_words(folder, writer, said, holds):
    by_hand(folder, "mailboxes.csv", f'address,suspended\nann@d1.example.com,"{said}"\n')
    assert writer.list(Mailbox, HOME)[0].holds == holds


def test_a_password_in_plain_and_a_hash_are_both_told(folder, writer):
    rows = f"ann@{HOME},geheim,\nbob@{HOME},,{HASH}\ncarmen@{HOME},,\n"
    by_hand(folder, "mailboxes.csv", "address,password,password_hash\n" + rows)
    assert writer.password_of(f"ann@{HOME}") == Password(plain=SecretStr("geheim"))
    assert writer.password_of(f"bob@{HOME}") == Password(hash=SecretStr(HASH))
    assert writer.password_of(f"carmen@{HOME}") == Password()
    assert writer.verify_password(f"ann@{HOME}", SecretStr("geheim"))
    assert not writer.verify_password(f"bob@{HOME}", SecretStr("geheim"))
    with pytest.raises(Refused):
        writer.verify_password(f"carmen@{HOME}", SecretStr("geheim"))


# -- changes ------------------------------------------------------------------------------------------------------------------


def test_a_change_keeps_the_password_the_place_and_columns_of_others(folder, writer):
    by_hand(folder, "mailboxes.csv", f"address,password,phone\nann@{HOME},geheim,1\nbob@{HOME},anders,2\n")
    ann, _ = writer.list(Mailbox, HOME)
    writer.change(replace(ann, quota=1000), ann)
    assert (folder / "mailboxes.csv").read_text().splitlines()[1:] == [
        f"ann@{HOME},geheim,1,1000,,,",
        f"bob@{HOME},anders,2,,,,",
    ]
    writer.set_password(f"bob@{HOME}", Password(hash=SecretStr(HASH)))
    assert writer.password_of(f"bob@{HOME}") == Password(hash=SecretStr(HASH))


def test_a_forwarder_of_several_rows_is_changed_as_one(writer):
    to = tuple(Destination(f"{name}@example.net") for name in ("a", "b", "c"))
    for name in ("all", "other"):
        writer.create(Forwarder(f"{name}@{HOME}", to))
    there = writer.list(Forwarder, HOME)[0]
    writer.change(replace(there, destinations=to[:1]), there)
    assert [one.destinations for one in writer.list(Forwarder, HOME)] == [to[:1], to]
    with pytest.raises(NotFound):
        writer.change(Forwarder(f"gone@{HOME}", to), there)


def test_what_no_row_can_hold_is_refused(writer):
    for thing in (Database("shop"), Forwarder(f"info@{HOME}", ()), Filter(f"ann@{HOME}", "f", (), (("save", "x"),))):
        with pytest.raises(Refused):
            writer.create(thing)
    for password in (None, Password(), Password(plain=SecretStr("a\nb"))):
        with pytest.raises(Refused):
            writer.create(Mailbox(f"ann@{HOME}"), password)


def test_a_reader_makes_nothing(folder):
    reader = csv.ADAPTER.reader(csv.Options(path=folder), panel("panel"))
    assert reader.probe().notes == ["no file is there yet"]
    assert reader.domains() == []
    assert not folder.exists()


def test_a_path_that_cannot_be_the_folder_is_told(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "nowhere" / "deeper"):
        with pytest.raises(EndpointRefused):
            csv.ADAPTER.reader(csv.Options(path=path), panel("panel"))
