"""Mailing lists between folders of CSV files with the real program in its own process, as a person moves them."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import migrator

PLAN = """\
version: 1
endpoints:
  old: {lists: {type: csv, path: old}}
  new: {lists: {type: csv, path: new}}
accounts: [ann@example.com]
steps: [lists, verify]
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(migrator.__file__).parent.parent), "TZ": "UTC", "COLUMNS": "100"}
NEWS = "news@example.com.csv"


class Office:
    """A folder with a plan and lists in it, and the program to run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "plan.yaml").write_text(PLAN)
        (folder / "old").mkdir()
        people = [f"p{n}@example.com,Person {n},,{'MIME digest' if n % 7 == 0 else ''}" for n in range(40)]
        self.write(NEWS, "address,name,role,delivery", "owner@example.com,,owner,", *people)
        self.write("news@example.com.settings.csv", "setting,value", "description,News for all", "banned,x@example.org")
        self.write("board@example.com.csv", "address", "ann@example.com", "bob@example.com")

    def write(self, name: str, *lines: str) -> None:
        (self.folder / "old" / name).write_text("".join(f"{line}\n" for line in lines))

    def edit(self, side: str, change: Callable[[list[str]], list[str]]) -> None:
        """Somebody changes the members of a list by hand."""
        path = self.folder / side / NEWS
        path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))

    def does(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "migrator", *words]
        return subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)

    def rows(self, side: str, name: str = NEWS) -> dict[str, dict[str, str]]:
        with (self.folder / side / name).open(newline="") as file:
            return {row["address"]: row for row in csv.DictReader(file)}

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.folder / "new").iterdir())}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_lists_are_checked_previewed_moved_and_verified(office: Office) -> None:
    assert office.does("check", "plan.yaml").returncode == 0
    shown = office.does("preview", "plan.yaml")
    assert shown.returncode == 0
    assert "2 lists, 6 parts, 47 entries to move." in shown.stdout
    assert "unknown" not in shown.stdout  # of what nobody has measured no time is told
    assert not (office.folder / "new").exists()
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 0, ran
    assert "47 entries at the source: 47 copied; it adds up." in ran.stdout
    assert "6 parts with 47 entries compared: 0 differences." in ran.stdout
    assert office.rows("new").keys() == office.rows("old").keys()
    assert office.rows("new")["p7@example.com"]["delivery"] == "MIME digest"
    assert "description,News for all" in (office.folder / "new" / "news@example.com.settings.csv").read_text()


def test_a_second_run_changes_not_one_byte(office: Office) -> None:
    office.does("run", "plan.yaml")
    before = office.contents()
    again = office.does("run", "plan.yaml", "--json")
    assert again.returncode == 0
    assert office.contents() == before
    preview = office.does("preview", "plan.yaml", "--exit-code")
    assert preview.returncode == 0, preview


def test_a_second_pass_shows_both_ways_and_brings_what_changed(office: Office) -> None:
    office.does("run", "plan.yaml")
    office.edit(
        "old", lambda lines: [*(one for one in lines if not one.startswith("p3@")), "fresh@example.com,Fresh,,"]
    )
    office.edit(
        "old", lambda lines: [one.replace("p5@example.com,Person 5", "p5@example.com,Person Five") for one in lines]
    )
    office.edit("new", lambda lines: [one for one in lines if not one.startswith("p9@")])
    office.edit("new", lambda lines: [*lines, "theirs@example.com,Theirs,member"])
    shown = office.does("preview", "plan.yaml").stdout
    for line in (
        "add 1, change 1, 37 there already, 1 left the target since; take off 1",
        "+ fresh@example.com  (joined at the source)",
        "- p3@example.com  (has left the list at the source)",
        "~ p5@example.com  (name: Person 5 -> Person Five)",
        "= p9@example.com  (has left the target's list since)",
        "= theirs@example.com  (on the target's list alone, and stays)",
    ):
        assert line in shown, line
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 7, ran  # p9 is not there any more, which somebody should look at
    there = office.rows("new")
    assert "p3@example.com" not in there
    assert "p9@example.com" not in there
    assert {"fresh@example.com", "theirs@example.com"} <= there.keys()
    assert there["p5@example.com"]["name"] == "Person Five"
    assert "p9@example.com: was brought and is not on the target's list any more" in ran.stdout


def test_a_file_that_cannot_be_read_costs_its_own_list_alone(office: Office) -> None:
    office.write("bad@example.com.csv", "address,delivery", "x@example.com,sometimes")
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 7
    assert "bad@example.com.csv, line 2: delivery is none of regular" in ran.stdout
    assert "Traceback" not in ran.stderr
    assert len(office.rows("new")) == 41


def test_somebody_who_cannot_be_added_is_named_in_the_report(office: Office) -> None:
    office.edit("old", lambda lines: [*lines, "not an address,Odd,,"])
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 3
    assert "1  left behind  the target says: this is no address (not an address)." in ran.stdout
    office.does("report", "plan.yaml")
    assert "not an address" in (office.folder / "plan.report.json").read_text()
    assert (
        "1 left-behind: the target says: this is no address (not an address)"
        in (office.folder / "plan.report.csv").read_text()
    )
    assert "this is no address (not an address)" in office.does("status", "plan.yaml").stdout
    page = (office.folder / "plan.report.html").read_text()
    assert "<h2>Lists</h2>" in page
    assert "not an address" in page


def test_a_preview_ends_as_the_run_will_where_somebody_will_be_refused(office: Office) -> None:
    office.edit("old", lambda lines: [*lines, "not an address,Odd,,"])
    assert office.does("check", "plan.yaml").returncode == 2  # the file has a mistake, whatever a run makes of it
    shown = office.does("preview", "plan.yaml")
    assert "not an address: this is no address" in shown.stdout
    assert "Refusals foreseen: 1." in shown.stdout
    assert shown.returncode == office.does("run", "plan.yaml").returncode == 3
    assert office.does("preview", "plan.yaml").returncode == 3


def test_a_preview_ends_as_the_run_will_where_settings_stay_behind(office: Office) -> None:
    plan = PLAN.replace("new: {lists: {type: csv", "new: {lists: {type: google_csv")
    (office.folder / "plan.yaml").write_text(plan)
    shown = office.does("preview", "plan.yaml")
    assert "2 settings will be left behind: description, banned." in shown.stdout
    remedy = "See to them by hand at the target if they matter; if not, write settings: {except: [description, banned]} in the step."
    assert remedy in shown.stdout
    assert shown.returncode == office.does("run", "plan.yaml").returncode == 3
    assert office.does("preview", "plan.yaml").returncode == 3
    agreed = plan.replace("[lists, verify]", "[{lists: {settings: {except: [description, banned]}}}, verify]")
    (office.folder / "plan.yaml").write_text(agreed)
    assert office.does("preview", "plan.yaml").returncode == office.does("run", "plan.yaml").returncode == 0


def test_a_list_that_the_plan_names_and_nobody_has_is_told(office: Office) -> None:
    (office.folder / "plan.yaml").write_text(PLAN.replace("[lists, verify]", "[{lists: {only: [nwes@example.com]}}]"))
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 3
    assert "the source has no list nwes@example.com (did you mean news@example.com?)" in ran.stdout
    assert "Traceback" not in ran.stderr


def test_lists_that_the_target_has_already_add_up(office: Office) -> None:
    shutil.copytree(office.folder / "old", office.folder / "new")
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 0, ran
    assert "it adds up" in ran.stdout
    assert "still open" not in ran.stdout
    again = office.does("run", "plan.yaml")
    assert "it adds up" in again.stdout


def test_a_pattern_that_no_list_fits_is_told(office: Office) -> None:
    (office.folder / "plan.yaml").write_text(PLAN.replace("[lists, verify]", '[{lists: {only: ["nwes@*"]}}]'))
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 3
    assert "the source has no list nwes@*" in ran.stdout


def test_a_folder_that_is_not_there_is_no_host_without_lists(office: Office) -> None:
    for path in (office.folder / "old").iterdir():
        path.unlink()
    shown = office.does("preview", "plan.yaml")
    assert shown.returncode == 0
    assert "the source shows none of example.com" in shown.stdout
    assert office.does("run", "plan.yaml").returncode == 0
    (office.folder / "old").rmdir()
    for verb in ("preview", "run"):
        told = office.does(verb, "plan.yaml")
        assert "old: there is no such folder. Correct the path in the plan." in told.stdout, told
    assert told.returncode == 3


@pytest.mark.parametrize("given", ['"*@example.com": "*@example.net"', "news: letters@example.com"])
def test_a_map_is_of_whole_addresses(office: Office, given: str) -> None:
    (office.folder / "plan.yaml").write_text(PLAN.replace("[lists, verify]", f"[{{lists: {{map: {{{given}}}}}}}]"))
    ran = office.does("check", "plan.yaml")
    assert ran.returncode == 2
    assert "is not the whole address of a list" in ran.stdout + ran.stderr


def test_options_that_are_wrong_are_told_with_their_line(office: Office) -> None:
    (office.folder / "plan.yaml").write_text(PLAN.replace("[lists, verify]", "[{lists: {hold: always, onyl: [x]}}]"))
    told = office.does("check", "plan.yaml")
    assert told.returncode == 2
    assert "plan.yaml:6:24: steps.lists.hold must be while-filling, keep or never." in told.stdout + told.stderr
    assert "Did you mean only?" in told.stdout + told.stderr


def test_a_killed_run_goes_on_and_nobody_is_there_twice(office: Office) -> None:
    people = [f"m{n}@example.com,Member {n},," for n in range(8_000)]
    office.write(NEWS, "address,name,role,delivery", *people)
    command = [sys.executable, "-m", "migrator", "run", "plan.yaml", "--json"]
    running = subprocess.Popen(command, cwd=office.folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    for line in running.stdout:  # the first pages of members are there
        event = json.loads(line)
        if event["event"] == "batch-recorded" and sum(one["items"] for one in event["by_fate"].values()) > 500:
            break
    running.send_signal(signal.SIGKILL)
    running.wait(30)
    running.stdout.close()
    assert 0 < len(office.rows("new")) < 8_000
    time.sleep(0.1)
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 0, ran
    text = (office.folder / "new" / NEWS).read_text()
    assert text.count("\n") == 8_001
    assert len(office.rows("new")) == 8_000


def test_a_usual_list_goes_into_googles_file_and_nothing_is_left_behind(office: Office) -> None:
    (office.folder / "plan.yaml").write_text(PLAN.replace("new: {lists: {type: csv", "new: {lists: {type: google_csv"))
    settings = [
        "setting,value",
        "display_name,News",
        "subject_prefix,[News] ",
        "joining,confirm",
        "archive,public",
        "digests,yes",
        "language,en",
    ]
    office.write("news@example.com.settings.csv", *settings)
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 0, ran
    office.write("news@example.com.settings.csv", *settings, "description,All that is new")
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 3
    assert (
        "1  left behind  description: the file holds members alone; at the source: All that is new (news@example.com)."
        in ran.stdout
    )


def test_a_step_that_goes_on_from_where_an_earlier_one_fills_previews_without_alarm(office: Office) -> None:
    way = "{lists: {name: copy, route: old -> new}}, {lists: {name: move, route: new -> last, only: [news@example.com]}}, verify"
    plan = PLAN.replace("steps: [lists, verify]", f"steps: [{way}]").replace(
        "accounts:", "  last: {lists: {type: csv, path: last}}\naccounts:"
    )
    (office.folder / "plan.yaml").write_text(plan)
    shown = office.does("preview", "plan.yaml")
    assert shown.returncode == 0, shown
    assert 'It reads what the step "copy" has still to write' in shown.stdout
    assert "the source has no list" not in shown.stdout
    assert office.does("run", "plan.yaml").returncode == 0
    assert len(office.rows("last")) == 41
    again = office.does("preview", "plan.yaml")
    assert "It reads what" not in again.stdout
    assert again.returncode == 0


def test_owners_in_googles_file_are_not_told_as_members_of_the_target_alone(office: Office) -> None:
    office.folder.joinpath("plan.yaml").write_text(
        PLAN.replace("{type: csv, path: new}", "{type: google_csv, path: new}")
    )
    assert office.does("run", "plan.yaml").returncode in {0, 3}
    shown = office.does("preview", "plan.yaml").stdout
    assert "members" in shown
    assert "on the target's list alone" not in shown
    office.edit("old", lambda lines: [*lines, "owner@example.com,Owner,member,"])
    office.does("run", "plan.yaml")
    office.edit(
        "old", lambda lines: lines[:-1]
    )  # an owner who is a member no longer stays an owner there, and so a member
    office.does("run", "plan.yaml")
    assert "owner@example.com" not in office.does("preview", "plan.yaml").stdout
    assert "owner@example.com,USER,OWNER" in (office.folder / "new" / NEWS).read_text()


def test_a_file_that_makes_no_list_is_told_by_preview_and_run_too(office: Office) -> None:
    office.write("notes.csv", "address", "ann@example.com")
    office.write("bored@example.com.settings.csv", "setting,value", "description,Board")
    assert office.does("check", "plan.yaml").returncode == 2
    shown = office.does("preview", "plan.yaml")
    assert shown.returncode == 3
    assert "notes.csv: its name is no address of a list. Call it like news@example.com.csv" in shown.stdout
    assert "(did you mean board@example.com.csv?)" in shown.stdout
    ran = office.does("run", "plan.yaml")
    assert ran.returncode == 3
    assert "notes.csv: its name is no address of a list" in ran.stdout
    assert "47 copied; it adds up." in ran.stdout
    (office.folder / "old" / "notes.csv").unlink()
    (office.folder / "old" / "bored@example.com.settings.csv").unlink()
    again = office.does("run", "plan.yaml")
    assert (again.returncode, "notes" in again.stdout, "bored" in again.stdout) == (0, False, False)


def test_what_was_no_list_and_is_gone_is_not_told_any_more(office: Office) -> None:
    for path in (office.folder / "old").iterdir():
        path.rename(office.folder / path.name)
    ran = office.does("run", "plan.yaml")
    why = "no mailing list: the source shows none of example.com. If there should be some, look at the plan's accounts"
    assert why in ran.stdout
    shown = office.does("status", "plan.yaml").stdout
    assert "0 of 0 parts done" in shown
    assert re.search("no mailing list .*the source shows none of example.com", shown)
    (office.folder / NEWS).rename(office.folder / "old" / NEWS)
    office.write("notes.csv", "address", "ann@example.com")
    assert office.does("run", "plan.yaml").returncode == 3
    (office.folder / "old" / "notes.csv").unlink()
    assert office.does("run", "plan.yaml").returncode == 0
    office.does("report", "plan.yaml")
    told = office.does("status", "plan.yaml").stdout + (office.folder / "plan.report.html").read_text()
    assert [word for word in ("no mailing list", "notes.csv", "not named") if word in told] == []


def test_settings_that_do_not_even_tell_their_list_are_told_before_anything_moves(office: Office) -> None:
    office.write("news@example.com.settings.csv", "foo,bar", "description,News")
    for verb in ("check", "preview", "run"):
        said = office.does(verb, "plan.yaml")
        assert said.returncode == 2, (verb, said)
        assert "no line names the columns setting and value" in said.stderr
    assert not (office.folder / "new").exists()
