"""What the guides promise is there: commands, plans, parts of plans, every field, every fate and every exit code."""

from __future__ import annotations

import re

import pytest
from documents import CHECKOUT, check_part, check_plan, command_lines, parts_of_plans, whole_plans, wrong_commands
from pydantic import BaseModel

from migrator.cli.exits import Exit
from migrator.cli.report_words import LANGUAGES
from migrator.engine.contract import Fate
from migrator.errors import PlanError
from migrator.mail.options import FolderOptions, MailOptions
from migrator.plan.people import COLUMNS
from migrator.plan.written import AccountsFrom, Limits, PlanFile, ReportOptions, StepWords
from migrator.registry import REGISTRY
from migrator.secrets import SecretSource

GUIDES = {name: (CHECKOUT / "docs" / f"{name}.md").read_text() for name in ("guide", "guia")}
WRITTEN: tuple[type[BaseModel], ...] = (
    *(PlanFile, SecretSource, AccountsFrom, StepWords, MailOptions, FolderOptions, Limits, ReportOptions),
    *(REGISTRY.adapter("mail", word).options for word in ("imap", "maildir", "mbox")),
)

every_guide = pytest.mark.parametrize("guide", GUIDES.values(), ids=GUIDES)


@every_guide
def test_the_guide_walks_the_whole_journey(guide):
    shown = {words[0] for words in command_lines(guide)}

    assert shown >= {"check", "preview", "run", "status", "verify", "report"}


@every_guide
def test_every_command_in_the_guide_is_understood(guide):
    assert wrong_commands(guide) == {}


@every_guide
def test_every_plan_in_the_guide_is_well_formed(guide, tmp_path):
    plans = whole_plans(guide)
    for plan in plans:
        check_plan(plan, tmp_path)

    assert len(plans) >= 3


@every_guide
def test_every_part_of_a_plan_in_the_guide_fits_into_one(guide, tmp_path):
    parts = parts_of_plans(guide)
    for part in parts:
        check_part(part, tmp_path)

    assert len(parts) >= 5


@pytest.mark.parametrize("part", ["limits: {worker: 8}", "steps: [mails]", "accounts:\n  - {source_password: nobody}"])
def test_a_part_that_fits_into_no_plan_would_be_noticed(part, tmp_path):
    with pytest.raises(PlanError):
        check_part(part, tmp_path)


@every_guide
def test_every_field_of_a_plan_is_in_the_guide(guide):
    fields = {field.alias or name for shape in WRITTEN for name, field in shape.model_fields.items()}

    assert {word for word in fields | set(COLUMNS) if not re.search(rf"\b{word}\b", guide)} == set()


@every_guide
def test_every_exit_code_is_in_the_guides_table(guide):
    rows = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", guide, re.MULTILINE) for code in row.split(",")}

    assert rows == {code.value for code in Exit}


def test_every_fate_is_in_the_guides_table():
    rows = set(re.findall(r"^\| ([a-z ]+) \|", GUIDES["guide"], re.MULTILINE))

    assert rows >= {fate.value.replace("-", " ") for fate in Fate}


def test_the_spanish_guide_calls_the_fates_as_the_spanish_report_does():
    rows = {row.lower() for row in re.findall(r"^\| ([\w ]+) \|", GUIDES["guia"], re.MULTILINE)}

    assert rows >= {LANGUAGES["es"][fate.value].lower() for fate in Fate}


@every_guide
def test_every_link_of_the_guide_leads_somewhere(guide):
    headings = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", guide, re.MULTILINE)
    }
    links = re.findall(r"\]\(([^)]+)\)", guide)
    lost = [link for link in links if link[0] == "#" and link[1:] not in headings]
    lost += [link for link in links if link[0] != "#" and not (CHECKOUT / "docs" / link).exists()]

    assert links
    assert lost == []
