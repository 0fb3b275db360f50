"""The forms step dies before and after every write to state and database, and is started again: no row lost, none twice."""

from __future__ import annotations

from collections import Counter

import pytest

from migrator.engine.contract import Fate
from migrator.engine.run import run, utc_now
from migrator.engine.stage import Programme, Stage, Verification
from migrator.engine.stop import Stop
from migrator.engine.walk import Surroundings
from migrator.forms.model import Row
from migrator.forms.options import FormsOptions
from migrator.forms.step import KIND
from migrator.state.lease import this_process
from migrator.state.store import open_store
from migrator.testing.crash import Died, Mortality, MortalStore
from migrator.testing.form_suite import LOG, PLAIN, number, primary, table, text
from migrator.testing.memory_tables import MemoryTables, MergingWriter, TablesRoute

pytestmark = pytest.mark.crash
OPTIONS = table("wp_options", [number("option_id"), text("option_name"), text("option_value")], primary("option_id"))
POSTS = table("wp_posts", [number("ID"), text("post_type")], primary("ID"))
MANY: list[Row] = [(str(n), "5", f"said {n}", "2026-02-01 10:00:00") for n in range(1, 131)]
THEIRS: Row = ("500", "5", "theirs", "2026-01-01 00:00:00")
TWINS: list[Row] = [(f"16000000{n // 9:02}.0000", "Contact", f"answer {n % 4}", None) for n in range(40)]


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch) -> None:
    monkeypatch.setattr("migrator.forms.moving.MOST_ROWS", 20)
    monkeypatch.setattr("migrator.forms.moving.FEWEST_ROWS", 20)


class World:
    """Two databases and a state; they outlive the process."""

    def __init__(self, existing: str) -> None:
        self.existing = existing
        self.old, self.new = MemoryTables("old", page=50), MemoryTables("new", page=50)
        for one, rows in ((OPTIONS, []), (POSTS, []), (PLAIN, MANY), (LOG, TWINS)):
            self.old.fill(one, rows)
        if existing != "refuse":
            self.new.fill(PLAIN, [THEIRS])
        self.store = open_store("sqlite://", lives=lambda _: False)

    def run(self, mortality: Mortality) -> None:
        self.new.before_write = lambda what: mortality.moment(f"before {what}")
        self.new.after_write = lambda what: mortality.moment(f"after {what}")
        step = KIND.build(FormsOptions(existing=self.existing, plugins=("cfdb7",), tables=(LOG.name,)), ())
        programme = Programme(
            "crash", [Stage("forms", "forms", step, TablesRoute(self.old, self.new)), Verification("verify")], workers=1
        )
        claim = self.store.claim(this_process(), utc_now(), "digest", "0")
        run(programme, MortalStore(self.store, mortality), claim, Surroundings(lambda _: None, Stop()), lambda _: 0)

    def contents(self) -> dict[str, list[Row]]:
        return {name: sorted(kept.rows, key=repr) for name, kept in self.new.kept.items()}

    def fates(self) -> set[Fate]:
        return {fate for row in self.store.actions() for fate in self.store.fates(row.ledger_key)}


@pytest.mark.parametrize("existing", ["refuse", "keep-ids", "skip-existing"])
def test_dying_at_any_moment_loses_no_row_and_doubles_none(existing: str) -> None:
    expected, undisturbed = World(existing), Mortality()
    expected.run(undisturbed)
    assert len(expected.contents()[PLAIN.name]) == len(MANY) + (existing != "refuse")
    assert len(expected.contents()[LOG.name]) == len(TWINS)
    for at in range(1, len(undisturbed.moments) + 1):
        world = World(existing)
        with pytest.raises(Died):
            world.run(Mortality(at))
        world.run(Mortality())
        assert world.contents() == expected.contents(), f"after dying at moment {at} ({undisturbed.moments[at - 1]})"
        assert world.fates() == {Fate.COPIED}, f"after dying at moment {at}"


class Crowded(World):
    """The target has some of the ids: most of them are other rows', some are ours."""

    def __init__(self, *, goes_on: bool) -> None:
        super().__init__("skip-existing")
        self.old.fill(PLAIN, MANY[:70])
        taken = [(str(n), "5", "theirs", "2026-01-01 00:00:00") for n in (7, 8, 9, 35, 72)]
        self.new.fill(PLAIN, [*taken, *MANY[40:44], THEIRS])
        if goes_on:
            self.run(Mortality())
            self.old.fill(PLAIN, MANY[:75])

    def sums(self) -> tuple[int, int]:
        """How many rows of the source are told of, and how many of them stay behind."""
        (row,) = [one for one in self.store.actions() if one.key.endswith(PLAIN.name)]
        fates = self.store.fates(row.ledger_key)
        return sum(size.items for size in fates.values()), fates[Fate.LEFT_BEHIND].items


@pytest.mark.parametrize("goes_on", [False, True], ids=["at first", "later"])
def test_dying_among_rows_of_others_puts_each_of_ours_once_and_writes_over_none(*, goes_on: bool) -> None:
    expected, undisturbed = Crowded(goes_on=goes_on), Mortality()
    expected.run(undisturbed)
    rows, behind = (75, 5) if goes_on else (70, 4)
    assert expected.sums() == (rows, behind)
    assert len(expected.contents()[PLAIN.name]) == rows - behind + 6
    for at in range(1, len(undisturbed.moments) + 1):
        world = Crowded(goes_on=goes_on)
        with pytest.raises(Died):
            world.run(Mortality(at))
        world.run(Mortality())
        assert world.contents() == expected.contents(), f"after dying at moment {at} ({undisturbed.moments[at - 1]})"
        assert world.sums() == (rows, behind), f"after dying at moment {at}"


# -- with new numbers --------------------------------------------------------------------------------------------------------------

ENTRIES = table("wp_gf_entry", [number("id"), number("form_id"), text("ip"), text("date_created")], primary("id"))
ANSWERS = table("wp_gf_entry_meta", [number("id"), number("form_id"), number("entry_id"), text("meta_key"), text("meta_value")], primary("id"))  # fmt: skip
GRAVITY = table("wp_gf_form", [number("id"), text("title")], primary("id"))
DESCRIBED = table("wp_gf_form_meta", [number("form_id"), text("display_meta")], primary("form_id"))


class Numbered(World):
    """Two sites with entries of the same numbers; between runs both go on."""

    def __init__(self, name: str = "old", year: int = 2026) -> None:
        super().__init__("remap")
        self.old.name = name
        for site, count, forms in (
            (self.old, 22, [("1", "Order"), ("2", "Survey")]),
            (self.new, 5, [("1", "Other"), ("7", "Order")]),
        ):
            site.fill(GRAVITY, forms)
            site.fill(DESCRIBED, [(key, "{}") for key, _ in forms])
            site.fill(
                ENTRIES,
                [(str(n), forms[n % 2][0], site.name, f"{year}-01-01 10:00:{n:02}") for n in range(1, count + 1)],
            )
            site.fill(
                ANSWERS, [(str(n), forms[n % 2][0], str(n), "1", f"{site.name} {n}") for n in range(1, count + 1)]
            )

    def run(self, mortality: Mortality) -> None:
        self.new.before_write = lambda what: mortality.moment(f"before {what}")
        self.new.after_write = lambda what: mortality.moment(f"after {what}")
        step = KIND.build(FormsOptions(existing="remap", plugins=("gravity-forms",)), ())
        stages = [Stage("forms", "forms", step, TablesRoute(self.old, self.new)), Verification("verify")]
        claim = self.store.claim(this_process(), utc_now(), "digest", "0")
        programme = Programme("crash", stages, workers=1)
        run(programme, MortalStore(self.store, mortality), claim, Surroundings(lambda _: None, Stop()), lambda _: 0)

    def said(self) -> list[tuple[str, str, str]]:
        """Each answer, with the moment of the entry and the title of the form it hangs on: what numbers are for."""
        titles, moments = (
            dict(self.new.rows(GRAVITY.name)),
            {row[0]: (row[1], row[3]) for row in self.new.rows(ENTRIES.name)},
        )
        return sorted(
            (str(row[4]), str(moments[row[2]][1]), str(titles[row[1]]))
            for row in self.new.rows(ANSWERS.name)
            if moments[row[2]][0] == row[1]
        )


@pytest.mark.parametrize(("state", "every"), [("kept", 1), ("lost", 3)])
def test_dying_at_any_moment_joins_no_two_entries_and_doubles_none(state: str, every: int) -> None:
    expected, undisturbed = Numbered(), Mortality()
    expected.run(undisturbed)
    assert len(expected.said()) == 27
    assert {title for _, _, title in expected.said()} == {"Order", "Survey", "Other"}
    for at in range(1, len(undisturbed.moments) + 1, every):
        world = Numbered()
        with pytest.raises(Died):
            world.run(Mortality(at))
        where = f"after dying at moment {at} ({undisturbed.moments[at - 1]})"
        world.new.before_write = world.new.after_write = lambda _: None
        if state == "lost":
            world.store = open_store("sqlite://", lives=lambda _: False)
        world.run(Mortality())
        assert world.contents() == expected.contents(), where
        assert Fate.LEFT_BEHIND not in world.fates(), where


@pytest.mark.parametrize("state", ["kept", "lost"])
def test_who_takes_a_number_between_a_death_and_the_next_run_keeps_it_and_loses_us_nothing(state: str) -> None:
    undisturbed = Mortality()
    Numbered().run(undisturbed)
    promised = 1 + next(
        at for at, what in enumerate(undisturbed.moments) if what.startswith("after load _migrator_numbers given")
    )
    world = Numbered()
    with pytest.raises(Died):
        world.run(Mortality(promised))
    world.new.kept[ENTRIES.name].rows.append(("9", "7", "new", "2026-05-01 10:00:00"))
    if state == "lost":
        world.store = open_store("sqlite://", lives=lambda _: False)
    world.run(Mortality())
    assert Fate.LEFT_BEHIND not in world.fates()
    assert Counter(row[2] for row in world.new.rows(ENTRIES.name)) == {"old": 22, "new": 6}
    assert ("9", "7", "new", "2026-05-01 10:00:00") in world.new.rows(ENTRIES.name)
    assert len(world.said()) == 27


def test_another_site_that_comes_where_one_has_died_gets_none_of_its_numbers(monkeypatch) -> None:
    monkeypatch.setattr(MergingWriter, "reserve", lambda *_: None)  # a counter that cannot be moved on
    undisturbed = Mortality()
    Numbered().run(undisturbed)
    for at in range(1, len(undisturbed.moments) + 1, 4):
        one, two = Numbered(), Numbered("other", 2025)
        two.new = one.new
        with pytest.raises(Died):
            one.run(Mortality(at))
        where = f"after dying at moment {at} ({undisturbed.moments[at - 1]})"
        for world in (two, one, two):
            world.run(Mortality())
            assert Fate.LEFT_BEHIND not in world.fates(), where
        said = Counter((answer.split()[0], title) for answer, _, title in one.said())
        assert said == {
            ("old", "Order"): 11, ("old", "Survey"): 11, ("other", "Order"): 11, ("other", "Survey"): 11, ("new", "Other"): 2, ("new", "Order"): 3,
        }, where  # fmt: skip
