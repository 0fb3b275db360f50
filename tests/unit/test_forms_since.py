"""Moments as people write them in a plan, and as columns hold them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from migrator.engine.events import Noted
from migrator.engine.stage import Stage
from migrator.forms.model import Column, Table
from migrator.forms.options import FormsOptions
from migrator.forms.since import moment_of
from migrator.forms.step import KIND
from migrator.testing.form_suite import PLAIN, number, primary, table, text
from migrator.testing.memory_tables import MemoryTables, TablesRoute
from migrator.testing.trial import Trial

TODAY = date(2026, 3, 31)
OPTIONS = table("wp_options", [number("option_id"), text("option_name"), text("option_value")], primary("option_id"))
POSTS = table(
    "wp_posts",
    [number("ID"), text("post_type"), text("post_title")],
    primary("ID"),
)
SENT = Column("date", "datetime", nullable=False)
WPFORMS = table(
    "wp_wpforms_entries", [number("entry_id"), number("form_id"), text("fields"), SENT], primary("entry_id")
)


class Site:
    """A site in Madrid with an entry at each of these moments, and what a step moves of them."""

    def __init__(self, of: Table, moments: Sequence[str], zone: str = "Europe/Madrid", **options: object) -> None:
        old, self.new = MemoryTables("old"), MemoryTables("new")
        old.fill(OPTIONS, [("1", "timezone_string", zone), ("2", "home", "https://acme.example.com")])
        old.fill(POSTS, [])
        old.fill(of, [(str(place), "5", "a:0:{}", moment) for place, moment in enumerate(moments, 1)])
        self.of = of
        self.trial = Trial(
            [Stage("forms", "forms", KIND.build(FormsOptions(**options), ()), TablesRoute(old, self.new))]
        )

    def moved(self) -> list[object]:
        """The moments of the entries that a run moves."""
        self.trial.run()
        return [row[3] for row in self.new.rows(self.of.name)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2024-06-01", "2024-06-01 00:00:00"),
        ("2024-06-01 09:30", "2024-06-01 09:30:00"),
        ("2024-06-01T09:30:15", "2024-06-01 09:30:15"),
        ("2024-06-01T00:00:00Z", "2024-06-01 00:00:00+00:00"),
        ("2024-06-01 00:00 +02:00", "2024-06-01 00:00:00+02:00"),
        ("90d", "2025-12-31 00:00:00"),
        ("90 days ago", "2025-12-31 00:00:00"),
        ("2 weeks", "2026-03-17 00:00:00"),
        ("1 month", "2026-02-28 00:00:00"),
        ("2 years", "2024-03-31 00:00:00"),
        ("1y", "2025-03-31 00:00:00"),
    ],
)
def test_a_moment_is_what_people_write(text, wanted) -> None:
    assert str(moment_of(text, TODAY)) == wanted


@pytest.mark.parametrize("text", ["", "yesterday", "01/06/2024", "90", "5m", "3000 years", "2024-6-1"])
def test_what_is_no_moment_is_told_with_what_would_be(text) -> None:
    with pytest.raises(ValueError, match=r"must be a day .* how long ago"):
        moment_of(text, TODAY)


def test_a_day_that_is_not_in_the_calendar_is_told() -> None:
    with pytest.raises(ValueError, match="no day of the calendar"):
        moment_of("2024-06-31", TODAY)


def test_a_plan_takes_them_as_they_stand_in_its_file() -> None:
    found = FormsOptions.model_validate_json('{"since": "2024-06-01", "older_than": "90d"}', strict=True)
    assert str(found.since) == "2024-06-01 00:00:00"
    assert found.older_than is not None
    today = datetime.now(UTC).date()
    assert today - timedelta(days=91) <= found.older_than.date() <= today - timedelta(days=90)


def test_a_time_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match="nothing would be moved"):
        FormsOptions(since="2024-06-01", older_than="2024-05-01")


# -- columns and their clocks ----------------------------------------------------------------------------------------------

WALL = ["2024-06-01 01:59:59", "2024-06-01 02:00:00", "2024-06-02 00:00:00"]  # Madrid is two hours before UTC
UTC_S = ["2024-05-31 21:59:59", "2024-05-31 22:00:00", "2024-06-02 00:00:00"]


def test_a_column_of_the_sites_clock_is_compared_with_the_sites_clock() -> None:
    assert Site(PLAIN, WALL, since="2024-06-01T00:00:00Z").moved() == WALL[1:]
    assert Site(PLAIN, WALL, since="2024-06-01T02:00:00+02:00").moved() == WALL[1:]
    assert Site(PLAIN, WALL, since="2024-06-01").moved() == WALL


def test_a_day_begins_when_it_does_at_the_site_where_the_column_is_in_utc() -> None:
    assert Site(WPFORMS, UTC_S, since="2024-06-01").moved() == UTC_S[1:]
    assert Site(WPFORMS, UTC_S, older_than="2024-06-01").moved() == UTC_S[:1]
    assert Site(WPFORMS, UTC_S, since="2024-05-31T22:00:00Z").moved() == UTC_S[1:]


def test_a_site_whose_zone_is_not_told_is_taken_for_one_in_utc() -> None:
    assert Site(PLAIN, WALL, zone="", since="2024-06-01T02:00:00Z").moved() == WALL[1:]


def test_entries_without_a_date_are_told_when_a_time_is_wanted() -> None:
    site = Site(PLAIN, ["0000-00-00 00:00:00", *WALL], since="2024-06-01")
    (stage,) = site.trial.preview().stages
    (told,) = [one.why for _, one in stage.actions if one.label == PLAIN.name]
    assert "3 rows of Contact Form CFDB7; 1 without a date is left out" in told
    assert site.moved() == WALL
    (noted,) = [one.finding for one in site.trial.told(Noted) if one.finding.code == "undated"]
    assert "1 without a date" in noted.text
