"""Whole commands, as a person types them: mbox files are moved into a Maildir by the real program in its own process."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.main import get_command

import migrator
from migrator.cli.app import application
from migrator.cli.console import Console
from migrator.cli.screen import Screen
from migrator.cli.status import look
from migrator.engine.ledger import Ending
from migrator.state.store import open_store, this_process

PLAN = """\
version: 1
name: example-com
endpoints:
  old:
    mail: {type: mbox, path: in}
  new:
    mail: {type: maildir, path: out}
accounts: [alice@example.com, bob@example.com]
steps: [mail]
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(migrator.__file__).parent.parent), "TZ": "UTC", "COLUMNS": "100"}


class Office:
    """A folder with a plan and mail in it, and the program to run there."""

    def __init__(self, folder):
        self.folder = folder
        self.plan = folder / "plan.yaml"
        self.plan.write_text(PLAN)

    def mail(self, who, name, count, body="hello"):
        path = self.folder / "in" / who / f"{name}.mbox"
        path.parent.mkdir(parents=True, exist_ok=True)
        messages = (
            f"From x@example.com Thu Jan  1 10:00:00 2024\nMessage-ID: <{n}.{len(name)}@example.com>\nSubject: {n}\n\n{body} {n}\n\n"
            for n in range(count)
        )
        path.write_text("".join(messages))

    def does(self, *words, **more):
        return subprocess.run(
            [sys.executable, "-m", "migrator", *words],
            cwd=self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=120,
            **more,
        )

    def begins(self, *words):
        return subprocess.Popen(
            [sys.executable, "-m", "migrator", *words],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def arrived(self):
        return sum(path.parent.name in {"cur", "new"} for path in (self.folder / "out").rglob("*") if path.is_file())


@pytest.fixture
def office(tmp_path):
    made = Office(tmp_path)
    made.mail("alice@example.com", "INBOX", 12)
    made.mail("alice@example.com", "Clients/2024", 3)
    made.mail("bob@example.com", "INBOX", 5)
    return made


@pytest.fixture
def busy_office(tmp_path):
    """Enough mail that a run can be met in the middle of it."""
    made = Office(tmp_path)
    made.mail("alice@example.com", "INBOX", 5000)
    made.mail("bob@example.com", "INBOX", 3000)
    return made


def interrupted_by(office, number):
    """A run that got the signal after its first batch was recorded; answers its exit code and what it said on stderr."""
    running = office.begins("run", "plan.yaml", "--json")
    for line in running.stdout:
        if json.loads(line)["event"] == "batch-recorded":
            break
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    return running.returncode, said


# -- help ----------------------------------------------------------------------------------------------------------------


def test_the_version_is_told_in_a_moment(office):
    began = time.perf_counter()
    told = office.does("--version")
    took = time.perf_counter() - began

    assert told.stdout == f"migrator {migrator.__version__}\n"
    assert took < 5  # 0.1 s on a machine with nothing else to do


@pytest.mark.parametrize(
    "verb", ["init", "check", "preview", "run", "status", "verify", "report", "handout", "schema", "contacts diff"]
)
def test_every_verb_explains_itself_and_its_exit_codes(office, verb):
    told = office.does(*verb.split(), "--help")

    assert told.returncode == 0
    assert "Exit codes: 0" in " ".join(told.stdout.split())
    assert "--json" in told.stdout


def test_the_help_of_a_preview_names_what_it_can_end_with(office):
    told = " ".join(office.does("preview", "--help").stdout.split())

    assert (
        "3 shown, but something could not be looked at, has to be done by hand or will not arrive as it is sent" in told
    )


def test_verbs_that_do_nothing_yet_are_not_listed(office):
    told = office.does("--help").stdout

    verbs = re.findall(r"^  ([a-z]+)  ", told.partition("Commands:")[2], re.MULTILINE)
    assert verbs == ["init", "check", "preview", "run", "status", "verify", "report", "handout", "schema", "contacts"]


def test_a_language_that_is_none_of_ours_is_told_with_those_that_are(office):
    told = office.does("report", "plan.yaml", "--language", "fr")

    assert told.returncode == 2
    assert told.stderr.splitlines()[0] == "Invalid value for '--language': 'fr' is not one of 'en', 'es'."


def test_a_wrong_option_is_a_mistake_of_usage_with_a_way_out(office):
    told = office.does("run", "--quickly", "plan.yaml")

    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == "No such option: --quickly\n`migrator run --help` tells what there is.\n"


def test_without_a_verb_the_help_is_shown(office):
    told = office.does()

    assert told.returncode == 2
    assert "Usage: migrator" in told.stderr


# -- check and schema ----------------------------------------------------------------------------------------------------


def test_check_tells_what_a_good_plan_holds(office):
    told = office.does("check", "plan.yaml")

    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == "plan.yaml is well formed: 2 endpoints, 1 step, 2 mailboxes.\n"


def test_check_tells_every_mistake_on_a_line_of_its_own(office):
    office.plan.write_text(PLAN.replace("accounts:", "acounts:").replace("maildir", "mailder"))

    told = office.does("check", "plan.yaml")

    assert (told.returncode, told.stdout) == (2, "")
    assert "plan.yaml:8:1: acounts is not known here. Did you mean accounts?" in told.stderr.splitlines()
    assert len([line for line in told.stderr.splitlines() if line.startswith("plan.yaml:")]) >= 2


def test_an_error_is_a_document_too_where_json_is_asked_for(office):
    told = office.does("check", "absent.yaml", "--json")

    assert told.returncode == 2
    assert json.loads(told.stdout)["error"]["exit_code"] == 2
    assert "absent.yaml" in json.loads(told.stdout)["error"]["text"]


def test_schema_prints_a_json_schema(office):
    assert json.loads(office.does("schema").stdout)["$schema"].startswith("https://json-schema.org/")


# -- preview -------------------------------------------------------------------------------------------------------------


def test_a_preview_lists_every_folder_and_changes_nothing(office):
    told = office.does("preview", "plan.yaml")

    assert told.returncode == 0
    assert re.search(r"^  >  INBOX +12 messages +\S+ \S+$", told.stdout, re.MULTILINE)
    assert re.search(r"^  >  Clients/2024 +3 messages", told.stdout, re.MULTILINE)
    assert "2 mailboxes, 3 folders, 20 messages to move, " in told.stdout
    assert told.stdout.endswith("\nNothing was changed.\n")
    assert sorted(path.name for path in office.folder.iterdir()) == ["in", "plan.yaml"]


def test_run_with_dry_run_is_the_same_as_preview(office):
    assert office.does("run", "--dry-run", "plan.yaml").stdout == office.does("preview", "plan.yaml").stdout


def test_a_preview_tells_by_its_exit_code_whether_changes_are_pending(office):
    before = office.does("preview", "--exit-code", "plan.yaml")
    office.does("run", "plan.yaml")
    told = json.loads(office.does("preview", "--json", "plan.yaml").stdout)

    assert before.returncode == 8
    assert told["sums"]["items"] == 0
    assert "Estimated time: nothing to do." in office.does("preview", "plan.yaml").stdout


def test_a_preview_without_any_action_has_no_legend(office):
    office.plan.write_text(PLAN.replace("[alice@example.com, bob@example.com]", "[nobody@example.com]"))

    assert "+ create" not in office.does("preview", "plan.yaml").stdout


def test_a_preview_in_json_names_every_action_by_its_mailbox(office):
    told = json.loads(office.does("preview", "--json", "plan.yaml").stdout)

    subjects = {subject["key"]: subject for subject in told["stages"][0]["subjects"]}
    copies = [action["label"] for action in subjects["alice@example.com"]["actions"] if action["verb"] == "copy"]
    assert sorted(copies) == ["Clients/2024", "INBOX"]
    assert told["changes"] is True


# -- run -----------------------------------------------------------------------------------------------------------------


def test_a_run_moves_everything_and_its_sums_add_up(office):
    told = office.does("run", "plan.yaml")

    assert told.returncode == 0
    assert told.stdout == (
        "mail, old -> new: 20 messages at the source: 20 copied; it adds up.\n"
        "For the whole story: migrator report plan.yaml\n"
    )
    assert office.arrived() == 20


def test_a_second_run_copies_nothing(office):
    office.does("run", "plan.yaml")

    events = [json.loads(line) for line in office.does("run", "--json", "plan.yaml").stdout.splitlines()]

    assert not [event for event in events if event["event"] == "batch-recorded"]
    assert events[-1]["event"] == "result"
    assert events[-1]["exit_code"] == 0
    assert office.arrived() == 20


def test_a_run_that_was_killed_is_resumed_and_says_so(busy_office):
    killed, _ = interrupted_by(busy_office, signal.SIGKILL)
    told = busy_office.does("run", "plan.yaml")

    assert (killed, told.returncode) == (-signal.SIGKILL, 0)
    first = told.stderr.splitlines()[0]
    assert re.fullmatch(
        r"Resuming run 1: \d of \d folders done, [\d,]+ messages by then, ended \d\d:\d\d without recording how; this is run 2",
        first,
    )
    assert busy_office.arrived() == 8000


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_signal_stops_at_a_safe_place_and_the_last_line_tells_how_to_go_on(busy_office, number, code, name):
    ended, said = interrupted_by(busy_office, number)

    assert ended == code
    assert "Stopping after the batches in hand; once more to stop now." in said.splitlines()
    assert said.splitlines()[-1] == f"Stopped by {name}; nothing is lost. Start again with: migrator run plan.yaml"
    again = busy_office.does("run", "plan.yaml")
    assert again.returncode == 0
    assert f"stopped by {name} " in again.stderr.splitlines()[0]
    assert busy_office.arrived() == 8000


def test_a_second_signal_ends_the_process_at_once_and_the_next_run_loses_and_doubles_nothing(busy_office):
    running = busy_office.begins("run", "plan.yaml", "--json")
    for line in running.stdout:
        if json.loads(line)["event"] == "batch-recorded":
            break
    running.send_signal(signal.SIGSTOP)  # so that both signals are there before the run can end well
    running.send_signal(signal.SIGTERM)
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGCONT)
    _, said = running.communicate(timeout=60)
    busy_office.does("run", "plan.yaml")

    assert running.returncode in {130, 143}
    assert said.splitlines()[-1] == "Stopped at once; nothing is lost. Run the same command again."
    assert busy_office.arrived() == 8000


def test_a_second_run_on_the_same_plan_names_the_first_and_leaves_in_a_moment(office):
    store = open_store(office.folder / "plan.state.sqlite")
    store.claim(this_process(), datetime.now(UTC), "digest", "0.1.0")
    try:
        began = time.perf_counter()
        told = office.does("run", "plan.yaml")
        took = time.perf_counter() - began
    finally:
        store.close()

    assert told.returncode == 9
    assert f"process {os.getpid()}" in told.stderr
    assert took < 10  # well under a second on a machine with nothing else to do
    assert office.arrived() == 0


def test_the_plan_can_be_taken_over(office):
    store = open_store(office.folder / "plan.state.sqlite")
    store.claim(this_process(), datetime.now(UTC), "digest", "0.1.0")
    try:
        told = office.does("run", "--take-over", "plan.yaml")
    finally:
        store.close()

    assert told.returncode == 0
    assert office.arrived() == 20


def test_a_run_that_is_taken_over_ends_what_it_has_under_way_before_the_other_looks(busy_office):
    running = busy_office.begins("run", "plan.yaml", "--json")
    for line in running.stdout:
        if json.loads(line)["event"] == "batch-recorded":
            break
    while not stopped_in_a_batch(busy_office, running):
        time.sleep(0.01)

    other = busy_office.begins("run", "--take-over", "plan.yaml")
    said = other.stderr.readline()
    running.send_signal(signal.SIGCONT)
    running.communicate(timeout=60)
    other.communicate(timeout=60)

    assert said == f"Waiting until process {running.pid} has ended what it has under way.\n"
    assert (running.returncode, other.returncode) == (9, 0)
    assert busy_office.arrived() == 8000


def stopped_in_a_batch(office, running):
    """Whether the run stands still now, with a batch under way and without a lock on the state; else it goes on."""
    running.send_signal(signal.SIGSTOP)
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(office.folder / "plan.state.sqlite", 0.1)) as state,
    ):
        state.execute("BEGIN IMMEDIATE")
        if state.execute("SELECT count(*) FROM intents").fetchone()[0]:
            return True
    running.send_signal(signal.SIGCONT)
    assert running.poll() is None, "the run ended before it could be met in a batch"
    return False


def test_a_damaged_state_is_named_and_can_be_rebuilt_without_a_duplicate(office):
    office.does("run", "plan.yaml")
    state = office.folder / "plan.state.sqlite"
    state.write_bytes(b"this is no database" * 500)

    refused = office.does("run", "plan.yaml")
    rebuilt = office.does("run", "--rebuild-state", "plan.yaml")

    assert refused.returncode == 2
    assert "--rebuild-state" in refused.stderr
    assert rebuilt.returncode == 0
    assert "20 found there; it adds up." in rebuilt.stdout
    assert office.arrived() == 20


@pytest.mark.parametrize("verb", ["preview", "run", "verify"])
def test_variables_that_are_not_set_are_told_together_and_nothing_is_begun(office, verb):
    secrets = "secrets:\n  alice: {env: MIGRATOR_TEST_ALICE}\n  bob: {env: MIGRATOR_TEST_BOB}\n"
    lines = "".join(f"  - {{source: {who}@example.com, source_password: {who}}}\n" for who in ("alice", "bob"))
    office.plan.write_text(
        PLAN.replace("endpoints:", f"{secrets}endpoints:").replace(
            "accounts: [alice@example.com, bob@example.com]", f"accounts:\n{lines.rstrip()}"
        )
    )

    told = office.does(verb, "plan.yaml")

    assert told.returncode == 2
    assert [line.partition(" the environment variable")[0] for line in told.stderr.splitlines()] == [
        "plan.yaml:4:16: secrets.alice.env:",
        "plan.yaml:5:14: secrets.bob.env:",
    ]
    assert sorted(path.name for path in office.folder.iterdir()) == ["in", "plan.yaml"]


def test_a_plan_whose_accounts_are_wrong_gives_the_lease_back(office):
    (office.folder / "accounts.csv").write_text("source\nnot an address\n")
    office.plan.write_text(PLAN.replace("[alice@example.com, bob@example.com]", "{from: accounts.csv}"))

    wrong = office.does("run", "plan.yaml")
    (office.folder / "accounts.csv").write_text("source\nalice@example.com\n")
    right = office.does("run", "plan.yaml")

    assert wrong.returncode == 2
    assert "accounts.csv:2" in wrong.stderr
    assert right.returncode == 0


# -- status, verify, report ------------------------------------------------------------------------------------------------


def test_a_preview_refuses_a_state_that_no_run_could_make(office):
    told = office.does("preview", "plan.yaml", "--state", "nowhere/plan.state.sqlite")

    assert told.returncode == 2
    assert "There is no folder nowhere for the state." in told.stderr


def test_status_before_the_first_run_says_so_and_creates_nothing(office):
    told = office.does("status", "plan.yaml")

    assert told.returncode == 2
    assert "Nothing has been run yet" in told.stderr
    assert not (office.folder / "plan.state.sqlite").exists()


@pytest.mark.parametrize("verb", ["status", "report"])
def test_a_plan_that_is_not_there_is_named(office, verb):
    told = office.does(verb, "nope.yaml")

    assert told.returncode == 2
    assert "There is no nope.yaml here." in told.stderr


def test_status_shows_every_mailbox(office):
    office.does("run", "plan.yaml")

    told = office.does("status", "plan.yaml")

    assert told.returncode == 0
    assert "3 of 3 folders done, 20 of 20 messages on the target, 0 left behind." in told.stdout
    assert "  alice@example.com  2 of 2 folders  15 of 15 messages  done" in told.stdout
    assert re.search(r"^Run 1 began .* UTC and ended after .*: all done\.$", told.stdout, re.MULTILINE)


def test_status_during_a_run_names_its_process(office):
    office.does("run", "plan.yaml")
    store = open_store(office.folder / "plan.state.sqlite")
    store.claim(this_process(), datetime.now(UTC), "digest", "0.1.0")
    try:
        told = office.does("status", "plan.yaml")
    finally:
        store.close()

    assert "Run 2 works since" in told.stdout
    assert f"(process {os.getpid()} on " in told.stdout


def test_status_after_a_killed_run_says_that_it_died(busy_office):
    interrupted_by(busy_office, signal.SIGKILL)

    told = busy_office.does("status", "--json", "plan.yaml")

    document = json.loads(told.stdout)
    assert (document["works"], document["cut_short"]) == (False, True)
    assert all(subject["named"] and not subject["gone"] for subject in document["subjects"])
    assert "died without an end" in busy_office.does("status", "plan.yaml").stdout


def test_status_in_the_middle_of_a_run_tells_the_steps_that_are_waiting(office):
    plan = PLAN.replace("[mail]", "[mail: {name: first, folders: {only: [INBOX]}}, mail: {name: rest}, verify]")
    office.plan.write_text(PLAN.replace("[mail]", "[mail: {name: first, folders: {only: [INBOX]}}]"))
    assert office.does("run", "plan.yaml").returncode == 0
    assert "Waiting" not in office.does("status", "plan.yaml").stdout
    office.plan.write_text(plan)

    store = open_store(office.folder / "plan.state.sqlite")
    claim = store.claim(this_process(), datetime.now(UTC), "digest", "0.1.0")
    store.planned(claim.run.epoch, [replace(row, run=claim.run.epoch) for row in store.actions("first")])
    shown = office.does("status", "plan.yaml").stdout
    document = json.loads(office.does("status", "--json", "plan.yaml").stdout)
    store.close()
    office.plan.write_text("no plan at all")
    unread = office.does("status", "plan.yaml")

    heading = "\nWaiting, with nothing on record of run 2 yet:\n"
    assert f"{heading}  rest: mail, old -> new\n  verify\n\n" in shown
    assert document["waiting"] == [
        {"step": "rest", "kind": "mail", "route": "old>new"},
        {"step": "verify", "kind": "verify", "route": ""},
    ]
    assert not document["finished"]
    assert (unread.returncode, "Waiting" in unread.stdout) == (0, False)


def test_a_run_that_was_stopped_between_two_steps_says_how_to_go_on(office):
    office.does("run", "plan.yaml")
    store = open_store(office.folder / "plan.state.sqlite")
    epoch = store.claim(this_process(), datetime.now(UTC), "digest", "0.1.0").run.epoch
    store.planned(epoch, [replace(row, run=epoch) for row in store.actions("mail")])
    store.end_run(epoch, datetime.now(UTC), Ending.INTERRUPTED, 130, "Ctrl-C")
    store.close()
    office.plan.write_text(PLAN.replace("[mail]", "[mail, verify]"))

    shown = office.does("status", "plan.yaml").stdout

    assert "\nWaiting, with nothing on record of run 2 yet:\n  verify\n" in shown
    assert shown.endswith("To go on: migrator run plan.yaml\n")


def test_a_run_that_begins_while_status_looks_is_not_told_as_dead(office, monkeypatch, capsys):
    store = open_store(office.folder / "plan.state.sqlite")
    actions = store.actions
    begun = []

    def begins_meanwhile(*words):
        if not begun:
            begun.append(store.claim(this_process(), datetime.now(UTC), "digest", "0.1.0", "run"))
        return actions(*words)

    monkeypatch.setattr(store, "actions", begins_meanwhile)
    monkeypatch.setattr("migrator.state.store.open_for_questions", lambda _: store)
    words = ["status", str(office.plan)]
    get_command(application()).main(words, obj=Console(Screen.of_this_process()), standalone_mode=False)

    assert capsys.readouterr().out.startswith("Run 1 works since ")


def test_a_run_that_ends_while_status_looks_is_told_as_ended(office):
    store = open_store(office.folder / "plan.state.sqlite")
    claim = store.claim(this_process(), datetime.now(UTC), "digest", "0.1.0", "run")

    def leaves(_):
        store.end_run(claim.run.epoch, datetime.now(UTC), Ending.DONE, 0, "")
        return False

    seen, works = look(store, leaves)
    store.close()

    assert not works
    assert seen.runs[-1].ending is Ending.DONE


def test_watching_ends_when_no_run_is_at_work(office):
    office.does("run", "plan.yaml")

    assert office.does("status", "--watch", "plan.yaml").returncode == 0


def test_watching_before_the_first_run_waits_for_it_and_says_so_once(office):
    watching = office.begins("status", "--watch", "plan.yaml")
    told = watching.stderr.readline()
    time.sleep(2.5)  # it has looked once more, and found no state again
    office.does("run", "plan.yaml")
    shown, said = watching.communicate(timeout=60)

    assert told.startswith("Nothing has been run yet: no state at ")
    assert told.endswith(". Waiting for a run to begin; Ctrl-C ends the waiting.\n")
    assert said == ""
    assert watching.returncode == 0
    assert "3 of 3 folders done, 20 of 20 messages on the target, 0 left behind." in shown


def test_watching_waits_for_a_run_also_where_its_state_is_made_already(office):
    store = open_store(office.folder / "plan.state.sqlite")
    watching = office.begins("status", "--watch", "plan.yaml")
    told = watching.stderr.readline()
    claim = store.claim(this_process(), datetime.now(UTC), "digest", "0.1.0", "run")
    store.end_run(claim.run.epoch, datetime.now(UTC), Ending.DONE, 0, "")
    store.close()
    shown, _ = watching.communicate(timeout=60)

    assert told.startswith("Nothing has been run yet")
    assert shown.startswith("Run 1 began ")


@pytest.mark.parametrize("words", [["nope.yaml"], ["plan.yaml", "--state", "nowhere/plan.state.sqlite"]])
def test_watching_does_not_wait_for_what_no_run_could_make(office, words):
    assert office.does("status", "--watch", *words).returncode == 2


def test_verify_of_an_honest_copy_finds_nothing(office):
    office.does("run", "plan.yaml")

    told = office.does("verify", "plan.yaml")

    assert told.returncode == 0
    assert "alice@example.com: 15 messages at the source: 15 copied; it adds up." in told.stdout
    assert "with 20 messages compared: 0 differences." in told.stdout


def test_verify_before_any_run_says_whose_and_that_nothing_was_compared(office):
    told = office.does("verify", "plan.yaml")

    assert told.returncode == 7
    assert "  difference: bob@example.com, INBOX: could not be compared: " in told.stdout
    assert "\n0 folders with 0 messages compared: 0 differences. Could not be compared: 3 folders.\n" in told.stdout


def test_two_steps_that_cannot_look_at_a_mailbox_are_one_mailbox(office):
    office.plan.write_text(
        PLAN.replace("[mail]", "[mail: {name: first, folders: {only: [INBOX]}}, mail: {name: rest}]")
    )
    for path in (office.folder / "in").rglob("*.mbox"):
        path.write_text("no mbox at all\n")

    assert "Could not be looked at: 2 mailboxes." in office.does("preview", "plan.yaml").stdout


def test_files_that_are_no_folders_are_told_and_do_not_stop_the_others(office):
    alice = office.folder / "in" / "alice@example.com"
    (alice / "Sent").write_text("From x@example.com Thu Jan  1 10:00:00 2024\nSubject: x\n\nhello\n")
    (alice / "Clientes.mbox").write_text("this is no mbox\n")
    (alice / "Sent.msf").write_text("// an index of another program\n")

    checked = office.does("check", "plan.yaml")
    seen = office.does("preview", "plan.yaml")
    ran = office.does("run", "plan.yaml")

    assert checked.returncode == 2
    assert (
        "plan.yaml:8:12: accounts: alice@example.com: in/alice@example.com/Clientes.mbox is not an mbox file: "
        in checked.stderr
    )
    assert "So it is with 1 more of its files." in checked.stderr
    not_read = (
        "its name does not end in .mbox, so it is not read. Add .mbox to its name, or take it out of this folder."
    )
    assert (seen.returncode, ran.returncode) == (3, 3)
    assert re.search(f"! +file Sent +{re.escape(not_read)}", seen.stdout)
    assert f"  alice@example.com, file Sent: {not_read}\n" in ran.stdout
    assert "  alice@example.com, file Clientes.mbox: " in ran.stdout
    assert "Sent.msf" not in seen.stdout + ran.stdout
    assert office.arrived() == 20

    for name in ("Sent", "Clientes.mbox"):
        (alice / name).unlink()
    assert office.does("check", "plan.yaml").returncode == 0
    assert office.does("run", "plan.yaml").returncode == 0
    assert office.does("verify", "plan.yaml").returncode == 0


def test_a_file_at_the_target_that_is_no_mbox_is_foreseen(office):
    office.plan.write_text(PLAN.replace("maildir", "mbox"))
    there = office.folder / "out" / "bob@example.com"
    there.mkdir(parents=True)
    (there / "INBOX.mbox").write_text("this is no mbox\n")
    (there / "Other.mbox").write_text("")

    seen = office.does("preview", "plan.yaml")
    ran = office.does("run", "plan.yaml")

    assert (seen.returncode, ran.returncode) == (3, 3)
    assert re.search(r"warning: bob@example.com: INBOX: \S+INBOX.mbox is not an mbox file", seen.stdout)
    assert "Refusals foreseen: 1." in seen.stdout
    assert re.search(r"  bob@example.com, INBOX: \S+INBOX.mbox is not an mbox file", ran.stdout)
    assert (there / "INBOX.mbox").read_text() == "this is no mbox\n"


def test_verify_of_a_copy_that_lost_a_message_exits_with_7(office):
    office.does("run", "plan.yaml")
    lost = next(path for path in (office.folder / "out" / "bob@example.com").rglob("*") if path.parent.name == "cur")
    lost.unlink()

    told = office.does("verify", "plan.yaml")

    assert told.returncode == 7
    assert "\n  difference: bob@example.com, INBOX: " in told.stdout
    assert "bob@example.com, INBOX" not in told.stderr
    shown = office.does("status", "plan.yaml").stdout
    assert re.search(r"^Verification 2 began .*: \d+ differences? found\.$", shown, re.MULTILINE)
    assert re.search(r"^  bob@example.com .* \d differences? found$", shown, re.MULTILINE)
    assert shown.endswith(
        "To go on: do as each difference says, then migrator run plan.yaml, then migrator verify plan.yaml\n"
    )


def test_a_run_that_ends_with_a_verify_step_says_how_much_was_compared(office):
    office.plan.write_text(PLAN.replace("[mail]", "[mail, verify]"))

    told = office.does("run", "plan.yaml")

    assert told.returncode == 0
    assert "\n3 folders with 20 messages compared: 0 differences.\n" in told.stdout


def test_verify_before_the_first_run_speaks_of_folders(office):
    for box in (office.folder / "in").iterdir():
        box.rename(office.folder / f"{box.name} elsewhere")
    office.does("verify", "plan.yaml")

    assert "0 of 0 folders done, 0 of 0 messages on the target" in office.does("status", "plan.yaml").stdout


@pytest.mark.parametrize("sample", ["5", "101%", "-1%", "some", "%", ""])
def test_a_sample_that_is_no_share_is_a_mistake_of_usage(office, sample):
    told = office.does("verify", f"--sample={sample}", "plan.yaml")

    assert told.returncode == 2
    assert "5% or all" in told.stderr


def test_a_report_is_three_private_files_beside_the_plan(office):
    office.does("run", "plan.yaml")

    told = office.does("report", "plan.yaml")

    assert told.returncode == 0
    assert told.stdout.split() == ["plan.report.html", "plan.report.json", "plan.report.csv"]
    assert {(office.folder / name).stat().st_mode & 0o777 for name in told.stdout.split()} == {0o600}
    assert json.loads((office.folder / "plan.report.json").read_text())["sums"]["adds_up"] is True


def test_a_report_speaks_the_language_asked_for_and_goes_where_it_is_sent(office):
    office.does("run", "plan.yaml")
    (office.folder / "for the customer").mkdir()

    office.does("report", "--language", "es", "--folder", "for the customer", "plan.yaml")

    assert '<html lang="es">' in (office.folder / "for the customer" / "plan.report.html").read_text()


def test_a_report_of_a_plan_that_has_mistakes_by_now_is_still_written(office):
    office.does("run", "plan.yaml")
    office.plan.write_text("version: 7\n")

    told = office.does("report", "plan.yaml")

    assert told.returncode == 0
    assert "plan.yaml" in told.stderr


# -- manners ---------------------------------------------------------------------------------------------------------------


def test_a_reader_who_goes_away_is_no_error(office):
    for number in range(400):
        office.mail("alice@example.com", f"Folder with a long name, number {number}", 1)
    running = office.begins("preview", "plan.yaml")
    running.stdout.close()
    said = running.stderr.read()

    assert running.wait(60) == 0
    assert "Traceback" not in said
    assert "Broken" not in said


def test_a_mistake_of_ours_is_one_sentence_and_a_private_file(office, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import migrator.plan.load\ndef check(*_):\n    raise RuntimeError('password=hunter2')\nmigrator.plan.load.check = check\n"
    )
    told = subprocess.run(
        [sys.executable, "-m", "migrator", "check", "plan.yaml"],
        cwd=office.folder,
        env={**ENVIRONMENT, "PYTHONPATH": f"{broken}:{ENVIRONMENT['PYTHONPATH']}", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    (written,) = tmp_path.glob("migrator-bug-*.txt")
    assert told.returncode == 1
    assert told.stderr.startswith("migrator met a bug (RuntimeError)")
    assert str(written) in told.stderr
    assert "Traceback" not in told.stderr
    assert "hunter2" not in written.read_text() + told.stderr
    assert written.stat().st_mode & 0o777 == 0o600
