"""What becomes of rows that are at the target when the plan says something else of them later."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from migrator.engine.contract import Action, Fate, Login, Side, Verb
from migrator.engine.stage import Stage
from migrator.forms.adapters.files import FilesReader, FilesWriter
from migrator.forms.adapters.files import Options as FileOptions
from migrator.forms.model import Condition, Extract, Operator, Row, Table, Within
from migrator.forms.options import FormsOptions
from migrator.forms.step import KIND
from migrator.forms.taking import choice_of, chosen_so
from migrator.testing.form_suite import LOG, LOOSE, number, primary, table, text
from migrator.testing.memory_tables import MemoryTables, TablesRoute
from migrator.testing.trial import Trial

PEOPLE = table("people", [number("id"), text("name"), text("phone")], primary("id"))
ROWS: list[Row] = [(str(n), f"Ann {n}", f"600 100 {n:03}") for n in range(1, 161)]
HIDES = {"redact": {"mask": ("*.phone",)}}


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch) -> None:
    """Ranges of fifty rows."""
    monkeypatch.setattr("migrator.forms.moving.MOST_ROWS", 50)


class Site:
    """A database, one it moves to, a state, and a plan that may say something else from one run to the next."""

    def __init__(self, one: Table = PEOPLE, rows: list[Row] = ROWS) -> None:
        self.name = one.name
        self.old, self.new = MemoryTables("old", page=50), MemoryTables("new", page=50)
        self.old.fill(one, rows)
        self.trial = Trial([])

    def plan(self, **said: object) -> Site:
        step = KIND.build(FormsOptions(plugins=(), tables=("*",), **said), ())
        self.trial.stages = [Stage("forms", "forms", step, TablesRoute(self.old, self.new))]
        return self

    def run(self, **said: object) -> set[str]:
        return self.plan(**said).trial.run().codes

    def told(self, **said: object) -> Action:
        (stage,) = self.plan(**said).trial.preview(self.trial.store).stages
        (action,) = [one for _, one in stage.actions if one.data.get("table") == self.name]
        return action

    @property
    def differences(self) -> int:
        result = self.trial.verify()
        return result.differences + result.not_moved

    @property
    def left(self):
        outcomes = self.trial.store.outcomes(f"forms/old>new/database/{self.name}")
        return [one for one in outcomes if one.fate is Fate.LEFT_BEHIND]

    def phones(self, name: str = "") -> set[object]:
        return {row[-1] for row in self.new.rows(name or self.name)}


MASKED = {"000 000 000"}


def test_what_a_plan_hides_only_later_is_hidden_in_the_rows_that_are_there() -> None:
    site = Site()
    site.run()
    assert "600 100 001" in site.phones()
    action = site.told(**HIDES)
    assert (action.verb, action.size.items) == (Verb.COPY, 160)
    assert "160 to be put anew because the plan hides other fields than when they were put" in action.why
    assert site.differences > 0
    assert not site.run(**HIDES)
    assert site.phones() == MASKED
    assert site.differences == 0
    writes = len(site.new.writes)
    assert site.told(**HIDES).verb is Verb.KEEP
    site.run(**HIDES)
    assert len(site.new.writes) == writes


def test_what_a_plan_hides_no_longer_is_put_as_it_is() -> None:
    site = Site()
    site.run(**HIDES)
    site.run()
    assert site.new.rows("people") == ROWS
    assert site.differences == 0


def test_rows_that_are_gone_from_the_source_are_hidden_too() -> None:
    site = Site()
    site.run()
    del site.old.kept["people"].rows[10:13]
    site.run(**HIDES)
    assert len(site.new.rows("people")) == 160
    assert site.phones() == MASKED
    assert site.differences == 0


def test_rows_that_somebody_changed_at_the_target_are_not_written_over_and_told_each_time() -> None:
    site = Site()
    site.run()
    rows = site.new.kept["people"].rows
    rows[60] = ("61", "of the new site", "700")
    for _ in range(2):
        site.run(**HIDES)
        assert ("61", "of the new site", "700") in site.new.rows("people")
        assert len(site.left) == 1
        assert site.differences > 0


@pytest.mark.parametrize("moment", range(1, 9))
def test_a_death_while_rows_are_put_anew_leaves_none_as_they_were(moment: int) -> None:
    site = Site()
    site.run()
    del site.old.kept["people"].rows[10]
    count = 0

    def dies(_: str) -> None:
        nonlocal count
        count += 1
        if count == moment:
            raise KeyboardInterrupt

    site.new.before_write = site.new.after_write = dies
    with suppress(KeyboardInterrupt):
        site.run(**HIDES)
    site.new.before_write = site.new.after_write = lambda _: None
    site.run(**HIDES)
    assert site.phones() == MASKED
    assert len(site.new.rows("people")) == 160
    assert site.differences == 0


def test_what_only_the_shadow_has_is_put_there_anew() -> None:
    site = Site()
    site.new.refuses = lambda row: "no" if row[0] == "160" else ""
    site.run()
    assert site.name not in site.new.kept
    site.new.refuses = lambda _: ""
    site.run(**HIDES)
    assert site.phones() == MASKED
    assert site.differences == 0


def test_a_death_between_the_swap_and_its_record_hides_nothing_from_the_next_plan() -> None:
    site = Site()

    def dies(what: str) -> None:
        if what.startswith("swap"):
            raise KeyboardInterrupt

    site.new.after_write = dies
    with pytest.raises(KeyboardInterrupt):
        site.run()
    site.new.after_write = lambda _: None
    assert "anew" in site.told(**HIDES).why
    site.run(**HIDES)
    assert site.phones() == MASKED


@pytest.mark.parametrize("one", [replace(LOG, name="people"), LOOSE], ids=["index", "content"])
def test_rows_without_a_key_are_put_anew_and_stay_as_many(one: Table) -> None:
    rows: list[Row] = [
        tuple(f"{n // 3:07}.0000" if column.name == "submit_time" else f"said {n // 2}" for column in one.columns)
        for n in range(40)
    ]
    if one.name == "people":
        rows = [(*row[:-1], None) for row in rows]
    site = Site(one, rows)
    site.run()
    hides = {"redact": {"mask": (f"{one.name}.{one.columns[1].name}",)}}
    assert not site.run(**hides)
    assert {row[1] for row in site.new.rows(one.name)} == {"xxxx 0", "xxxx 00"}
    assert len(site.new.rows(one.name)) == 40
    assert site.differences == 0


def test_rows_without_a_key_that_have_changed_meanwhile_are_left_as_they_are_and_told() -> None:
    site = Site(LOOSE, [(f"name {n}", f"said {n}") for n in range(40)])
    site.run()
    del site.old.kept[LOOSE.name].rows[3]
    for _ in range(2):
        site.run(redact={"mask": ("wp_loose.said",)})
        assert len(site.new.rows(LOOSE.name)) == 40
        assert "without a key" in site.left[0].note
        assert site.differences > 0


@pytest.mark.parametrize("existing", ["keep-ids", "skip-existing"])
def test_rows_that_stand_beside_others_are_left_and_told_with_what_to_do(existing: str) -> None:
    site = Site()
    site.new.fill(PEOPLE, [("500", "theirs", "700")])
    site.run(existing=existing)
    assert site.differences == 0
    action = site.told(existing=existing, **HIDES)
    assert action.verb is Verb.BY_HAND
    assert "the plan hides other fields than when its rows were put beside others" in action.why
    assert site.run(existing=existing, **HIDES) == {"by-hand"}
    assert site.differences > 0
    assert not site.run(existing=existing)
    assert site.differences == 0


# -- another place at the target ---------------------------------------------------------------------------------------------


def test_another_name_at_the_target_is_another_table_to_fill() -> None:
    site = Site()
    site.run()
    moved = {"prefixes": {"peo": "new_peo"}}
    action = site.told(**moved)
    assert (action.verb, action.size.items, action.why) == (Verb.COPY, 160, "160 rows")
    assert site.differences > 0
    assert not site.run(**moved)
    assert site.new.rows("new_people") == ROWS
    assert site.new.rows("people") == ROWS
    assert site.differences == 0
    assert site.told(**moved).verb is Verb.KEEP


def test_a_table_that_is_gone_from_the_target_is_told_by_the_preview_with_what_to_do() -> None:
    site = Site()
    site.run()
    del site.new.kept["people"]
    action = site.told()
    assert action.verb is Verb.BY_HAND
    assert (
        action.why
        == "was moved and is not at the target any more; move it anew with a new state, or bring it back there"
    )
    assert site.run() == {"by-hand"}
    assert site.differences > 0


# -- a dump ------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class DumpRoute(TablesRoute):
    """To a dump on disk."""

    path: Path = Path()

    def for_reading(self, side: Side, service: str, account: str):
        if side is Side.SOURCE:
            return TablesRoute.for_reading(self, side, service, account)
        return FilesReader(FileOptions(path=self.path), Login(account, account))

    def for_writing(self, side: Side, service: str, account: str):
        del side, service
        return FilesWriter(FileOptions(path=self.path), Login(account, account))


def test_what_a_plan_hides_only_later_is_in_no_file_of_a_dump(tmp_path: Path) -> None:
    site = Site()
    for said in ({}, HIDES):
        site.plan(**said)
        (stage,) = site.trial.stages
        site.trial.stages = [replace(stage, opener=DumpRoute(site.old, site.new, path=tmp_path / "dump"))]
        assert not site.trial.run().codes
    written = b"".join(one.read_bytes() for one in (tmp_path / "dump").rglob("*") if one.is_file())
    assert b"Ann 160" in written
    assert b"600 1" not in written
    assert site.differences == 0


# -- other rows ------------------------------------------------------------------------------------------------------------


def taking(*names: str) -> dict[str, object]:
    return {"where": {"people": {"name": names}}}


def test_rows_that_a_plan_takes_no_more_stay_and_are_told() -> None:
    site = Site()
    site.run()
    assert "158 rows that the plan takes no more stay at the target" in site.told(**taking("Ann 1", "Ann 2")).why
    assert not site.run(**taking("Ann 1", "Ann 2"))
    (found,) = [one for one in site.trial.findings("run") if one.code == "stays"]
    assert found.text == "people: 158 rows that the plan takes no more stay at the target"
    assert site.new.rows("people") == ROWS
    assert site.differences == 0


def test_rows_that_a_plan_takes_instead_of_others_arrive_beside_them() -> None:
    site = Site()
    site.run(**taking("Ann 150", "Ann 151"))
    for name in ("Ann 3", "Ann 4", "Ann 151"):
        site.run(**taking(name))
        assert not site.left
        assert site.differences == 0
    assert [row[1] for row in site.new.rows("people")] == ["Ann 3", "Ann 4", "Ann 150", "Ann 151"]


def test_rows_that_a_plan_takes_as_well_arrive() -> None:
    site = Site()
    site.run(**taking("Ann 150"))
    assert not site.run()
    assert site.new.rows("people") == ROWS
    assert not [one for one in site.trial.findings("run") if one.code == "stays"]
    assert site.differences == 0


@pytest.mark.parametrize("name", ["of the new site", "Ann 3"])
def test_what_somebody_put_at_the_target_is_not_written_over_for_other_rows(name: str) -> None:
    site = Site()
    site.run(**taking("Ann 150", "Ann 151"))
    site.new.kept["people"].rows = [("3", name, "700"), *site.new.kept["people"].rows]
    site.run(**taking("Ann 3"))
    assert ("3", name, "700") in site.new.rows("people")
    assert site.left


def test_a_choice_is_read_back_as_it_was_kept() -> None:
    inner = Within("b", "wp_c", "d", (Condition("e", Operator.FROM, (b"\x00\xff", None)),))
    extract = Extract(PEOPLE, (Condition("name", Operator.IN, ("Ann", None)),), Within("id", "wp_b", "a", (), inner))
    assert chosen_so(choice_of(extract), PEOPLE) == extract
    assert chosen_so(choice_of(Extract(PEOPLE)), PEOPLE) == Extract(PEOPLE)


def test_a_time_does_not_hold_for_tables_that_are_named_and_that_is_told() -> None:
    site = Site()
    options = FormsOptions(tables=("*",), since="2024-06-01")
    stage = Stage("forms", "forms", KIND.build(options, ()), TablesRoute(site.old, site.new))
    site.trial.stages = [stage]
    (seen,) = site.trial.preview().stages
    words = "since and older_than do not hold for tables that the plan names in tables"
    assert [words in one.why for _, one in seen.actions if one.label == "people"] == [True]
    site.trial.run()
    assert [one.text for one in site.trial.findings("run") if one.code == "untimed"] == [f"people: {words}"]
    with pytest.raises(ValidationError, match="choose rows of `tables` with `where`"):
        FormsOptions(plugins=(), tables=("*",), since="2024-06-01")
