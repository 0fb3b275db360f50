"""`migrator handout`: one sheet for each mailbox owner."""

import json
import stat

import pytest
from pydantic import SecretStr
from typer.main import get_command

from migrator.cli.app import application
from migrator.cli.console import Console
from migrator.cli.screen import Screen
from migrator.handout import Handout, handout_of

PLAN = """\
version: 1
secrets: {pw: {env: PW}}
endpoints:
  old: {mail: {type: imap, host: old.example.net}}
  new: {mail: {type: imap, host: new.example.net}}
accounts:
  - {source: ann@example.com, source_password: pw, target_password: pw}
  - {source: bob@example.com, source_password: pw, target_password: pw}
steps: [mail]
report: {language: LANGUAGE}
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("LANGUAGE", "en"))
    Handout(handout_of(path)).add("ann@example.com", SecretStr("Zk4-made"))
    return path


def said(capsys, *words):
    console = Console(Screen.of_this_process())
    get_command(application()).main(["handout", *map(str, words)], obj=console, standalone_mode=False)
    return capsys.readouterr().out


def test_a_sheet_tells_the_new_server_and_the_password_if_it_changed(plan, capsys):
    told = said(capsys, plan)
    ann, bob = told.split("\n\n")
    assert ann.startswith("ann@example.com\n")
    assert "new.example.net, port 993, TLS" in ann
    assert "Zk4-made" in ann
    assert "as before" in bob


def test_it_speaks_spanish_where_the_plan_does(plan, capsys):
    plan.write_text(PLAN.replace("LANGUAGE", "es"))
    assert "la misma de antes" in said(capsys, plan)


def test_sheets_as_files_are_their_owners_alone(plan, capsys, tmp_path):
    told = said(capsys, plan, "--output", tmp_path / "sheets")
    assert "2 sheets" in told
    path = tmp_path / "sheets" / "ann@example.com.txt"
    assert "Zk4-made" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("before", "after", "english", "spanish"),
    [
        ("vieja-123", "nueva-456", "a new one, which your administrator gives you", "una nueva, que le dará"),
        ("vieja-123", "vieja-123", "as before\n", "la misma de antes\n"),
    ],
)
def test_as_before_is_said_only_of_a_password_that_is_the_same(plan, capsys, tmp_path, before, after, english, spanish):
    people = tmp_path / "people.csv"
    people.write_text(f"source,source_password,target_password\nann@example.com,{before},{after}\n")
    people.chmod(0o600)
    handout_of(plan).unlink()
    for language, words in (("en", english), ("es", spanish)):
        text = PLAN.replace("LANGUAGE", language)
        plan.write_text(
            text.partition("accounts:")[0] + "accounts: {from: people.csv}\nsteps" + text.partition("steps")[2]
        )
        told = said(capsys, plan)
        assert words in told
        assert after not in told


def test_where_nobody_knows_the_password_the_sheet_says_whom_to_ask(plan, capsys):
    plan.write_text(
        PLAN.replace("LANGUAGE", "en")
        .replace("host: new.example.net", "host: new.example.net, master_user: root, master_password: pw")
        .replace(", target_password: pw}", "}")
    )
    handout_of(plan).unlink()
    told = said(capsys, plan)
    assert "as before" not in told
    assert "the one of the mailbox on the new server; your administrator can tell" in told


def test_sheets_as_files_are_told_in_json_without_their_passwords(plan, capsys, tmp_path):
    told = said(capsys, plan, "--output", tmp_path / "sheets", "--json")
    assert "Zk4-made" not in told
    written = json.loads(told)["files"]
    assert written == [str(tmp_path / "sheets" / f"{who}@example.com.txt") for who in ("ann", "bob")]
    assert "Zk4-made" in (tmp_path / "sheets" / "ann@example.com.txt").read_text()


def test_it_answers_in_json(plan, capsys):
    (ann, bob) = json.loads(said(capsys, plan, "--json"))["mailboxes"]
    assert ann["password"] == "Zk4-made"
    assert bob["password"] is None
    assert (ann["password_is"], bob["password_is"]) == ("made", "same")


def test_what_was_made_beside_the_accounts_has_its_password_and_no_mailbox(plan, capsys):
    Handout(handout_of(plan)).add("news@example.com", SecretStr("Lst-made"))
    assert said(capsys, plan).split("\n\n")[-1] == "news@example.com\n  Password  Lst-made\n"


def test_a_plan_of_lists_alone_has_sheets_of_lists_alone(plan, capsys, tmp_path):
    (tmp_path / "lists").mkdir()
    text = plan.read_text().replace("steps: [mail]", "steps: [lists]")
    plan.write_text(
        text.replace("old: {", "old: {lists: {type: csv, path: lists}, ").replace(
            "new: {", "new: {lists: {type: csv, path: copy}, "
        )
    )
    handout_of(plan).unlink()
    Handout(handout_of(plan)).add("news@example.com", SecretStr("Lst-made"))
    assert said(capsys, plan) == "news@example.com\n  Password  Lst-made\n"
