"""What README, CONTRIBUTING and the plans promise is there: every command is understood, every plan is well formed, every script can be
run, every proof is where it is said to be.
"""

from __future__ import annotations

import os
import re

import pytest
from documents import CHECKOUT, check_plan, command_lines, misunderstood, whole_plans, wrong_commands

from migrator.plan.load import check
from migrator.plan.model import StepEntry
from migrator.registry import REGISTRY

README = (CHECKOUT / "README.md").read_text()
CONTRIBUTING = (CHECKOUT / "CONTRIBUTING.md").read_text()
PLANS = sorted((CHECKOUT / "plans").glob("*.yaml"))


def test_readme_shows_how_to_preview_run_and_verify():
    assert {words[0] for words in command_lines(README)} >= {"preview", "run", "verify"}


def test_every_command_in_readme_is_understood():
    assert wrong_commands(README) == {}


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


def test_every_place_that_readme_and_contributing_name_is_there():
    named = set(re.findall(r"`((?:migrator|tests|docs|fixtures|plans|scripts)/[\w./-]*)", README + CONTRIBUTING))

    assert len(named) >= 20
    assert [path for path in sorted(named) if not (CHECKOUT / path).exists()] == []


def test_every_variable_for_a_living_panel_is_read_by_the_tests_beside_it():
    rows = re.findall(r"^\| .*MIGRATOR_LIVE_[A-Z]+_.*$", CONTRIBUTING, re.MULTILINE)
    lost = []
    for row in rows:
        [path] = re.findall(r"`(tests/\S+\.py)", row)
        text = (CHECKOUT / path).read_text()
        lost += [word for word in re.findall(r"`(?:MIGRATOR_LIVE_[A-Z]+)?_([A-Z_]+)", row) if word not in text]

    assert len(rows) >= 6
    assert lost == []


def test_every_plan_in_readme_is_well_formed(tmp_path):
    plans = whole_plans(README)
    for plan in plans:
        check_plan(plan, tmp_path)

    assert plans


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.stem)
def test_every_plan_of_the_collection_is_well_formed(plan):
    found, people = check(plan, REGISTRY)

    assert [str(warning) for warning in found.warnings] == []
    kinds = {step.kind for step in found.steps if isinstance(step, StepEntry)}
    assert people or found.asks_endpoint or not any(REGISTRY.kind(kind).needs_accounts for kind in kinds)
    assert found.steps


def test_there_are_plans():
    assert {plan.stem for plan in PLANS} >= {
        *("demo", "csv", "two-imap-servers", "backup-to-maildir", "mbox-to-maildir"),
        *("cpanel-to-hestia", "cpanel-to-plesk", "accounts-to-sql"),
        *("vcards-to-carddav", "vcards-to-google", "vcards-to-outlook"),
    }
