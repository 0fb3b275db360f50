"""Whole commands about address books, as a person types them: vCard files are moved by the real program in its own process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import migrator

PLAN = """\
version: 1
name: example-com
endpoints:
  old:
    contacts: {type: vcards, path: in}
  new:
    contacts: {type: vcards, path: out}
accounts: [ann@example.com, bob@example.com]
steps: [contacts]
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(migrator.__file__).parent.parent), "TZ": "UTC", "COLUMNS": "100"}


class Office:
    """A folder with a plan and address books in it, and the program to run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "plan.yaml").write_text(PLAN)
        self.book("ann@example.com/Friends", "Ana", "Zoe")
        self.book("bob@example.com/Work", *(f"Person {number}" for number in range(8)))

    def book(self, name: str, *people: str) -> None:
        path = self.folder / "in" / f"{name}.vcf"
        path.parent.mkdir(parents=True, exist_ok=True)
        cards = [
            f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{one}\r\nFN:{one}\r\nN:{one};;;;\r\nEND:VCARD\r\n" for one in people
        ]
        path.write_text("".join(cards))

    def does(self, *words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, sys.executable, "-m", "migrator", *words],
            cwd=self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_book_that_a_run_gave_up_is_told_by_verify_as_not_moved_once(office: Office) -> None:
    in_the_way = office.folder / "out" / "bob@example.com"
    in_the_way.parent.mkdir()
    in_the_way.write_text("no folder")
    office.does("run", "plan.yaml")
    in_the_way.unlink()

    told = office.does("verify", "plan.yaml")

    assert told.returncode == 7
    assert (
        "1 address book with 2 cards compared: 0 differences. Not moved, so not compared: 1 address book.\n"
        in told.stdout
    )
    assert told.stdout.count("\n  bob@example.com, Work: making Work.vcf of bob@example.com: ") == 1
    assert "Person" not in told.stdout


def test_a_file_without_a_card_is_told_by_check_and_by_preview_and_by_run(office: Office) -> None:
    (office.folder / "in" / "bob@example.com" / "Work.vcf").write_text("no card\n")

    checked = office.does("check", "plan.yaml")
    assert checked.returncode == 2
    assert re.fullmatch(
        r"in/bob@example\.com/Work\.vcf:1: nothing in it is a card: 1 line in it that belongs to no card\. Look at the file, or leave "
        r"it out\.\n",
        checked.stderr,
    )

    seen = office.does("preview", "plan.yaml")
    assert seen.returncode == 3
    assert "\n  !  Work      nothing in it is a card: 1 line in it that belongs to no card" in seen.stdout
    assert "\nTo be done by hand: 1 address book.\n" in seen.stdout

    done = office.does("run", "plan.yaml")
    assert done.returncode == 3
    assert "\n  bob@example.com, Work: nothing in it is a card: 1 line in it that belongs to no card" in done.stdout


def test_check_tells_of_a_source_that_is_not_there_and_of_an_empty_one_and_of_no_target(office: Office) -> None:
    (office.folder / "plan.yaml").write_text(PLAN.replace("path: in", "path: nowhere"))
    assert ": there is no folder " in office.does("check", "plan.yaml").stderr
    (office.folder / "plan.yaml").write_text(
        PLAN.replace("path: in", "path: cards.vcf").replace(", bob@example.com", "")
    )
    (office.folder / "cards.vcf").write_text("")
    assert "cards.vcf:1: it holds no card." in office.does("check", "plan.yaml").stderr
    office.book("../cards", "Ana")
    assert office.does("check", "plan.yaml").stderr == ""


def test_check_tells_every_broken_file_and_refuses_none_that_is_no_accounts(office: Office) -> None:
    (office.folder / "plan.yaml").write_text(PLAN.replace("type: vcards, path: in", "type: google_csv, path: in"))
    folder = office.folder / "in"
    (folder / "notes.csv").write_text("day;weather\n1;rain\n")
    (folder / ".trash").mkdir()
    (folder / ".trash" / "old.csv").write_text("no table\n")
    checked = office.does("check", "plan.yaml")
    assert checked.returncode == 0
    assert "in/notes.csv: its first row (day, weather) has not the columns of Google Contacts." in checked.stderr
    assert " It is read only where an account has its name.\n" in checked.stderr
    assert checked.stderr.count("\n") == 1

    for name in ("ann@example.com/a.csv", "bob@example.com/b.csv", "bob@example.com.csv"):
        (folder / name).write_text("day;weather\n1;rain\n")
    checked = office.does("check", "plan.yaml")
    assert checked.returncode == 2
    for name in ("ann@example.com/a.csv", "bob@example.com/b.csv", "bob@example.com.csv"):
        assert f"in/{name}: its first row (day, weather) has not the columns" in checked.stderr


def test_long_names_of_books_and_cards_are_cut_on_the_screen(office: Office) -> None:
    long = "Freunde " * 20
    office.book(f"ann@example.com/{long}", "Zo" * 2000)
    (office.folder / "out" / "ann@example.com").mkdir(parents=True)
    (office.folder / "out" / "ann@example.com" / f"{long}.vcf").write_text(
        f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{'Zo' * 2000}\r\nFN:{'Zo' * 2000}\r\nNOTE:more\r\nEND:VCARD\r\n"
    )
    for verb in ("preview", "run", "verify", "status"):
        told = office.does(verb, "plan.yaml")
        assert max(map(len, told.stdout.splitlines())) < 300, verb
        assert told.returncode == 0, told.stdout


def test_a_preview_that_an_error_ends_says_that_nothing_was_changed(office: Office) -> None:
    (office.folder / "plan.state.sqlite").write_text("no state")

    told = office.does("preview", "plan.yaml")

    assert told.returncode == 2
    assert told.stderr.endswith(" Nothing was changed.\n")


def test_verify_of_several_routes_tells_the_sums_of_an_account_with_each(office: Office) -> None:
    office.does("run", "plan.yaml")
    (office.folder / "plan.yaml").write_text(
        PLAN.replace("accounts:", "  copy:\n    contacts: {type: google_csv, path: google}\naccounts:").replace(
            "steps: [contacts]",
            "steps:\n  - contacts: {route: old -> new}\n  - contacts: {name: copy, route: new -> copy}",
        )
    )
    office.does("run", "plan.yaml")

    told = office.does("verify", "plan.yaml").stdout.splitlines()

    assert "ann@example.com, contacts, new -> copy: 2 cards at the source: 2 copied; it adds up." in told
    assert "ann@example.com, contacts, old -> new: 2 cards at the source: 2 copied; it adds up." in told


def test_what_is_odd_but_refused_by_nobody_is_counted_as_a_warning_of_its_own(office: Office) -> None:
    plan = office.folder / "plan.yaml"
    plan.write_text(PLAN.replace("[contacts]", "[contacts: {books: {except: [Freinds]}}]"))

    told = office.does("preview", "plan.yaml").stdout

    assert "\nRefusals foreseen: 0. Name changes: 0. Left out: 0 address books. Other warnings: 2.\n" in told


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("cp12511", "no charset is called cp12511. Did you mean cp1251?"),
        ("isso-8859-7", "no charset is called isso-8859-7. Did you mean iso-8859-7?"),
        ("base64", "no charset is called base64."),
        ('""', "no charset is called “”."),
    ],
)
def test_a_charset_that_nobody_knows_is_a_mistake_of_the_plan(office: Office, written: str, told: str) -> None:
    (office.folder / "plan.yaml").write_text(PLAN.replace("path: in", f"path: in, charset: {written}"))
    for verb in ("check", "preview", "run"):
        done = office.does(verb, "plan.yaml")
        assert done.returncode == 2
        assert done.stderr.startswith("plan.yaml:5:")
        assert f": endpoints.old.contacts.charset: {told}" in done.stderr


@pytest.mark.parametrize("side", ["in", "out"])
def test_a_path_that_leads_nowhere_is_no_refused_login(office: Office, side: str) -> None:
    (office.folder / "notes").write_text("no folder\n")
    (office.folder / "plan.yaml").write_text(PLAN.replace(f"path: {side}", "path: notes/cards"))
    for verb in ("preview", "run"):
        done = office.does(verb, "plan.yaml")
        assert done.returncode == 5
        assert "neither this nor the folder around it is there. Check the path in the plan." in done.stdout


# Root may write anywhere, unless it gives that up.
PLAIN_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("vcards", "shut"),
        ("vcards", "shut/ann.vcf"),
        ("google_csv", "shut/out"),
        ("outlook_csv", "shut/ann.csv"),
        ("thunderbird", "shut"),
    ],
)
def test_a_target_that_cannot_be_written_is_told_by_check_and_preview_as_by_the_run(
    office: Office, kind: str, path: str
) -> None:
    plan = PLAN.replace("type: vcards, path: out", f"type: {kind}, path: {path}").replace(", bob@example.com", "")
    (office.folder / "plan.yaml").write_text(plan)
    (office.folder / "shut").mkdir(mode=0o555)
    told = {}
    for verb in ("check", "preview", "run"):
        told[verb] = office.does(verb, "plan.yaml", before=PLAIN_USER)
    (office.folder / "shut").chmod(0o755)

    assert [told[verb].returncode for verb in told] == [2, 5, 5]
    why = "shut: nothing can be written there (Permission denied). Give the user who runs this the right to write there"
    assert f": endpoints.new.contacts: {why}" in told["check"].stderr
    assert "\nRefusals foreseen: 1." in told["preview"].stdout
    assert why in told["preview"].stdout
    assert why in told["run"].stdout
    assert list((office.folder / "shut").iterdir()) == []


def test_a_target_whose_file_is_no_address_book_is_left_as_it_is(office: Office) -> None:
    (office.folder / "notes").write_text("buy milk\n")
    (office.folder / "plan.yaml").write_text(PLAN.replace("path: out", "path: notes").replace(", bob@example.com", ""))
    checked = office.does("check", "plan.yaml")
    assert checked.returncode == 2
    assert [line for line in checked.stderr.splitlines() if "notes" in line] == [
        "plan.yaml:7:5: endpoints.new.contacts: notes: it is there, and it is no address book. Name another path in the plan."
    ]
    for verb in ("preview", "run"):
        done = office.does(verb, "plan.yaml")
        assert done.returncode == 5
        assert "notes: it is there, and it is no address book. Name another path in the plan." in done.stdout
    assert (office.folder / "notes").read_text() == "buy milk\n"


def test_check_tells_for_which_accounts_there_is_nothing_in_the_files(office: Office) -> None:
    (office.folder / "plan.yaml").write_text(PLAN.replace("bob@", "bobby@"))
    checked = office.does("check", "plan.yaml")
    assert checked.returncode == 2
    assert checked.stderr.startswith("plan.yaml:8:")
    assert "in: it holds neither a folder bobby@example.com nor a file bobby@example.com.vcf." in checked.stderr
    assert "ann@" not in checked.stderr

    (office.folder / "people.csv").write_text("source,target\nbob@example.com,bobby@example.com\nzoe@example.com,\n")
    (office.folder / "plan.yaml").write_text(
        re.sub("accounts: .*", "accounts: {from: people.csv}", PLAN.replace("bob@", "bobby@"))
    )
    checked = office.does("check", "plan.yaml")
    assert "plan.yaml:8:18: accounts.from: " in checked.stderr
    assert checked.stderr.count("\n") == 1
    assert "neither a folder zoe@example.com" in checked.stderr
