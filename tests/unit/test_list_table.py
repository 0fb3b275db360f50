"""The page of a list's settings is what the adapters go by, and names fields that Mailman has."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import migrator
from migrator.lists.model import MEMBER_OPTIONS, Settings
from migrator.testing import list_table
from migrator.testing.mailman2.lists import PAGES

DOCS = Path(migrator.__file__).parent.parent / "docs"
NUMBERED = {"hdrfilter_rebox", "hdrfilter_action", "available_languages"}  # on the page for as many as there are


def test_the_page_says_what_the_adapters_go_by() -> None:
    assert (DOCS / "list-settings.md").read_text() == list_table.page()


def test_every_setting_and_option_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", list_table.page(), re.MULTILINE)
    assert rows == [*(one.name for one in fields(Settings) if one.name != "own"), *MEMBER_OPTIONS]


def test_every_field_of_mailman_2_is_on_its_page() -> None:
    there = {page: {one.name for one in settings} for page, settings in PAGES.items()}
    named = re.findall(r"(\w+(?:/\w+)?): ((?:\w+(?:, )?)+)", "\n".join(row.split(" | ")[2] for row in _rows()))
    assert len(named) > 60
    for page, names in named:
        assert set(names.removesuffix(", but for addresses").split(", ")) - {"but"} <= there[page] | NUMBERED, page


def _rows() -> list[str]:
    settings = list_table.page().partition("## Options of a member")[0]
    return [line for line in settings.splitlines() if line.startswith("| `")]


def test_both_guides_lead_to_the_page() -> None:
    for name in ("guide.md", "guia.md"):
        assert "(list-settings.md)" in (DOCS / name).read_text()
