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


def test_it_answers_in_json(plan, capsys):
    (ann, bob) = json.loads(said(capsys, plan, "--json"))["mailboxes"]
    assert ann["password"] == "Zk4-made"
    assert bob["password"] is None


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
