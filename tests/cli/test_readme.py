"""What README and the plans promise is there: every command is understood, every plan is well formed, every script can be run."""

from __future__ import annotations

import os
import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from migrator.cli.app import app
from migrator.plan.load import check
from migrator.registry import REGISTRY

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text()
PLANS = sorted((CHECKOUT / "plans").glob("*.yaml"))
SHELL = {"|", "||", "&", "&&", ";", ">", ">>", "<", "("}


def blocks(text: str) -> list[tuple[str, str]]:
    """The code blocks of a Markdown text: what kind each says it is, and what it holds."""
    return re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def command_lines(text: str) -> list[list[str]]:
    """Every line of the code blocks that calls migrator, as words, up to the first thing that is the shell's."""
    lines = [line.strip().removeprefix("$ ") for _, block in blocks(text) for line in block.splitlines()]
    return [_words(line) for line in lines if line.startswith("migrator ")]


def _words(line: str) -> list[str]:
    parts = shlex.shlex(line, posix=True, punctuation_chars=True)
    parts.whitespace_split = True
    return list(takewhile(lambda word: word not in SHELL, parts))[1:]


def misunderstood(words: list[str]) -> str:
    """Why the command line cannot be read, or nothing."""
    program = get_command(app)
    if words[0] in {"--version", "--help"}:
        return ""
    verb = program.commands.get(words[0])
    if verb is None:
        return f"there is no verb {words[0]}"
    try:
        verb.make_context(words[0], words[1:])
    except typer.TyperException as error:
        return error.format_message()
    return ""


def test_readme_shows_how_to_preview_run_and_verify():
    assert {words[0] for words in command_lines(README)} >= {"preview", "run", "verify"}


def test_every_command_in_readme_is_understood():
    wrong = {shlex.join(words): why for words in command_lines(README) if (why := misunderstood(words))}

    assert wrong == {}


@pytest.mark.parametrize(
    "line", ["migrator runn plan.yaml", "migrator run plan.yaml --quickly", "migrator run", "migrator verify --sample"]
)
def test_a_command_that_does_not_exist_would_be_noticed(line):
    [words] = command_lines(f"```sh\n$ {line}  # a comment\n```\n")

    assert misunderstood(words)


def test_a_command_that_exists_is_read_up_to_the_shells_own_signs():
    [words] = command_lines("```\nmigrator run --json 'my plan.yaml' > events.jsonl  # for another program\n```\n")

    assert words == ["run", "--json", "my plan.yaml"]
    assert misunderstood(words) == ""


def test_every_script_that_readme_names_can_be_run():
    named = set(re.findall(r"\bscripts/\w+", README))

    assert len(named) >= 2
    assert [name for name in sorted(named) if not os.access(CHECKOUT / name, os.X_OK)] == []


def test_every_plan_in_readme_is_well_formed(tmp_path):
    written = [block for kind, block in blocks(README) if kind == "yaml" and "endpoints:" in block]
    for number, text in enumerate(written):
        plan = tmp_path / f"plan{number}.yaml"
        plan.write_text(text)
        check(plan, REGISTRY)

    assert written


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.stem)
def test_every_plan_of_the_collection_is_well_formed(plan):
    found, people = check(plan, REGISTRY)

    assert [str(warning) for warning in found.warnings] == []
    assert people
    assert found.steps


def test_there_are_plans():
    assert {plan.stem for plan in PLANS} >= {"demo", "csv", "two-imap-servers", "backup-to-maildir", "mbox-to-maildir"}
