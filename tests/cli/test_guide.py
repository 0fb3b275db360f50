"""What the guides promise is there: commands, plans, parts of plans, every field, every fate, every exit code, and what each panel keeps."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
from documents import CHECKOUT, check_part, check_plan, command_lines, parts_of_plans, whole_plans, wrong_commands
from pydantic import BaseModel

from migrator.cli.exits import Exit
from migrator.cli.report_words import LANGUAGES
from migrator.engine.contract import Fate
from migrator.errors import PlanError
from migrator.handout import handout_of
from migrator.mail.options import FolderOptions, MailOptions
from migrator.panel.borrowing import can_borrow
from migrator.panel.contract import Features
from migrator.panel.decisions import field_table
from migrator.panel.options import AccountsOptions
from migrator.plan.people import COLUMNS
from migrator.plan.written import AccountsFrom, HandoutOptions, Limits, PlanFile, ReportOptions, StepWords
from migrator.registry import REGISTRY
from migrator.secrets import SecretSource
from migrator.strongbox import strongbox_of

GUIDES = {name: (CHECKOUT / "docs" / f"{name}.md").read_text() for name in ("guide", "guia")}
WRITTEN: tuple[type[BaseModel], ...] = (
    *(PlanFile, SecretSource, AccountsFrom, StepWords, MailOptions, FolderOptions, AccountsOptions),
    *(Limits, HandoutOptions, ReportOptions),
    *(REGISTRY.adapter("mail", word).options for word in ("imap", "maildir", "mbox")),
    *(REGISTRY.adapter("panel", word).options for word in REGISTRY.adapters("panel")),
)
PANELS: dict[str, Features] = {
    word: import_module(f"migrator.panel.adapters.{word}").FEATURES for word in REGISTRY.adapters("panel")
}
# The rows of the guides' table, as a preview calls them. What hangs on a domain itself (routing, suspension, DKIM) is not moved.
ROWS = (
    *("domain", "mailbox", "mailbox: password", "mailbox: quota", "mailbox: suspended login"),
    *("mailbox: suspended receiving", "mailbox: suspended sending", "mailbox: name"),
    *(
        "forwarder",
        "forwarder: several destinations",
        "forwarder: copy kept",
        "forwarder: reject",
        "forwarder: discard",
    ),
    *(
        "forwarder: pipe",
        "forwarder: system user",
        "domain forwarder",
        "catch-all",
        "catch-all: discard",
        "catch-all: pipe",
    ),
    *("autoresponder", "autoresponder: subject", "autoresponder: sender's name", "autoresponder: HTML"),
    *("autoresponder: interval", "autoresponder: start and stop", "filter", "filter: several conditions"),
)
SIGNS = {"kept": "=", "changed": "~", "lost": "-"}

every_guide = pytest.mark.parametrize("guide", GUIDES.values(), ids=GUIDES)


@every_guide
def test_the_guide_walks_the_whole_journey(guide):
    shown = {words[0] for words in command_lines(guide)}

    assert shown >= {"init", "check", "preview", "run", "status", "verify", "report", "handout"}


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
    files = [link for link in links if link[0] != "#" and "://" not in link]
    lost += [link for link in files if not (CHECKOUT / "docs" / link).exists()]

    assert links
    assert lost == []


# -- panels ---------------------------------------------------------------------------------------------------------------


def sign(source: Features, target: Features, row: str) -> str:
    """What becomes of a field between two panels, as the guides' table has it."""
    if ":" not in row:
        there = {noun.word for noun in source.lists} & {noun.word for noun in target.creates}
        return "=" if row in there else "-"
    how = {field: how for field, how, _ in field_table(source, target)}.get(row, "lost")
    if row == "mailbox: password":  # changed means there: another one
        return "=" if how == "kept" else "-"
    return SIGNS[how]


@every_guide
def test_the_table_of_panels_says_what_a_preview_would_say(guide):
    keeps_all = PANELS["csv"]
    [heading] = re.findall(r"^\| [\w ,]+ \|((?: `\w+` \|)+)$", guide, re.MULTILINE)
    words = re.findall(r"`(\w+)`", heading)
    rows = re.findall(r"^\| [^|`]+ \|((?: `[=~-]{2}` \|)+)$", guide, re.MULTILINE)

    assert sorted(words) == sorted(PANELS)
    expected = {
        row: [sign(PANELS[word], keeps_all, row) + sign(keeps_all, PANELS[word], row) for word in words] for row in ROWS
    }
    assert dict(zip(ROWS, (re.findall(r"`(..)`", row) for row in rows), strict=True)) == expected


@every_guide
def test_every_panel_is_in_the_guides_table_of_panels(guide):
    assert {word for word in PANELS if f"\n| `{word}` | " not in guide} == set()


@every_guide
def test_the_guide_names_the_panels_whose_passwords_can_be_changed_for_a_while(guide):
    [section] = re.findall(r"^### (?:Temporary|Contraseñas temp).*?^## ", guide, re.MULTILINE | re.DOTALL)

    assert named(section, "temporary_source_passwords: true") == {word for word in PANELS if can_borrow(PANELS[word])}


@every_guide
def test_the_guide_names_the_panels_that_are_asked_whether_a_password_is_right(guide):
    [line] = re.findall(r"^2\. .*`source_password`.*$", guide, re.MULTILINE)

    assert named(line) == {word for word in PANELS if PANELS[word].verifies_passwords}


@every_guide
def test_the_guide_names_the_panels_that_take_hashes(guide):
    [text] = re.findall(r"^3\. [^\n]*hash.*?^4\. ", guide, re.MULTILINE | re.DOTALL)

    assert named(text) == {word for word in PANELS if PANELS[word].schemes}


def named(text: str, after: str = "") -> set[str]:
    """The panels that a part of a guide names by their words in a plan."""
    return set(re.findall(r"`(\w+)`", text.partition(after)[2] if after else text)) & set(PANELS)


@every_guide
def test_the_files_beside_the_plan_are_in_the_guide(guide, tmp_path):
    plan = tmp_path / "plan.yaml"
    files = (handout_of(plan), handout_of(plan, encrypted=True), strongbox_of(plan))

    assert {path.name for path in files if f"`{path.name}`" not in guide} == set()
