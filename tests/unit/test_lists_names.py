"""A target that keeps one name for a person, whatever list he is on: which one stays is known before, and stays so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from migrator.engine.contract import Fate
from migrator.engine.stage import Stage
from migrator.lists.model import Member, Role, Settings
from migrator.lists.options import ListsOptions
from migrator.lists.step import KIND
from migrator.panel.model import changed
from migrator.testing.memory_lists import ABLE, ListsRoute, MemoryLists, accounts_of
from migrator.testing.trial import Trial

NEWS, TALK = "news@example.com", "talk@example.com"
ANN = "ann@example.com"
SHARING = replace(ABLE, shares_names=True, keeps={"member.name": changed("somebody has one name for all lists")})


class World:
    """Two lists that call Ann by two names, and a target that has one for her."""

    def __init__(self, **options: object) -> None:
        self.old, self.new = MemoryLists("old"), MemoryLists("new", SHARING)
        self.old.fill(NEWS, Settings(), Member(ANN, "Ann Doe"), Member("bob@example.com", "Bob"))
        self.old.fill(TALK, Settings(), Member(ANN, "Ann Roe"), Member("cy@example.com", "Cy"))
        self.plan_with(**options)

    def plan_with(self, **options: object) -> None:
        """What another process begins with."""
        stage = Stage("lists", "lists", KIND.build(ListsOptions(**options), accounts_of(ANN)), self.route)
        store = {"store": self.trial.store} if hasattr(self, "trial") else {}
        self.trial = Trial([stage], **store)

    @property
    def route(self) -> ListsRoute:
        return ListsRoute(self.old, self.new)

    def rename(self, address: str, name: str) -> None:
        self.old.people(address)[ANN] = Member(ANN, name)

    def done(self) -> list[str]:
        """What a run does to people."""
        before = len(self.new.writes)
        self.trial.run()
        return [one for one in self.new.writes[before:] if not one.startswith(("configure", "create"))]

    def settles(self, name: str) -> None:
        """Nothing differs, and another run does nothing, also in another process."""
        assert self.new.names[ANN] == name
        assert self.trial.verify().differences == 0
        self.plan_with()
        assert self.done() == []
        assert "otherwise-at-target" not in {one.code for one in self.trial.findings("run")}
        (stage,) = self.trial.preview(self.trial.store).stages
        assert {action.size.items for _, action in stage.actions} == {0}
        assert self.trial.verify().differences == 0

    def became(self, address: str) -> tuple[Fate, str]:
        (found,) = [one for one in self.trial.store.outcomes(f"lists/old>new/{address}/members") if one.key == ANN]
        return found.fate, found.note


@pytest.mark.parametrize("workers", [1, 4])
def test_the_first_list_that_has_a_name_gives_it_whichever_is_filled_first(workers: int) -> None:
    world = World()
    world.trial.workers = workers
    result = world.trial.run()
    assert not result.codes
    assert not result.left_behind
    assert world.became(NEWS) == (Fate.COPIED, "")
    assert world.became(TALK) == (
        Fate.NORMALISED,
        f"{ANN}: is called Ann Doe on all lists of the target, as another list at the source says; this one says Ann Roe",
    )
    told = [one.text for one in world.trial.findings("run") if one.code == "not-kept"]
    assert told == [f"name of 1 member: somebody has one name for all lists ({ANN})"]
    world.settles("Ann Doe")


def test_the_preview_tells_it_before() -> None:
    world = World()
    (stage,) = world.trial.preview(world.trial.store).stages
    assert [(one.about, one.text) for one in stage.findings] == [
        (f"{TALK}: members", f"name of 1 member: somebody has one name for all lists ({ANN})")
    ]
    details = [line for _, action in stage.actions for line in action.details]
    said = "is called Ann Doe on all lists of the target, as another list at the source says; this one says Ann Roe"
    assert details == [f"+ {ANN}  ({said})"]


def test_a_name_that_the_target_had_before_stays() -> None:
    world = World()
    world.new.fill("own@example.com", Settings(), Member(ANN, "Annie"))
    (stage,) = world.trial.preview(world.trial.store).stages
    assert len([one for one in stage.findings if one.code == "not-kept"]) == 2
    world.trial.run()
    for address, own in ((NEWS, "Ann Doe"), (TALK, "Ann Roe")):
        note = f"{ANN}: is called Annie on all lists of the target, as the target had it; this one says {own}"
        assert world.became(address) == (Fate.NORMALISED, note)
    world.settles("Annie")
    world.rename(NEWS, "Ann Smith")
    assert world.done() == []
    world.settles("Annie")


def test_an_option_changed_at_the_source_leaves_a_name_that_was_there_before() -> None:
    world = World()
    world.new.fill("own@example.com", Settings(), Member(ANN, "Annie"))
    world.trial.run()
    world.old.people(TALK)[ANN] = Member(ANN, "Ann Roe", hidden=True)
    assert world.done() == [f"update {ANN}"]
    assert world.new.people(TALK)[ANN].hidden
    world.settles("Annie")


def test_a_name_changed_on_all_lists_is_passed_on() -> None:
    world = World()
    world.trial.run()
    world.rename(NEWS, "Ann Smith")
    world.rename(TALK, "Ann Smith")
    assert world.done()
    assert [world.became(one) for one in (NEWS, TALK)] == [(Fate.COPIED, "")] * 2
    world.settles("Ann Smith")


def test_a_name_changed_on_one_list_stays_where_another_still_says_what_was_written() -> None:
    world = World()
    world.rename(TALK, "Ann Doe")
    world.trial.run()
    world.rename(NEWS, "Ann Smith")
    assert world.done() == []
    assert world.became(NEWS)[0] is Fate.NORMALISED
    world.settles("Ann Doe")


def test_a_list_that_comes_later_changes_no_name() -> None:
    world = World(only=(TALK,))
    world.trial.run()
    assert world.new.names[ANN] == "Ann Roe"
    world.plan_with()
    assert [one for one in world.done() if one.startswith("update")] == []
    assert world.became(NEWS)[0] is Fate.NORMALISED
    world.settles("Ann Roe")


def test_a_list_that_cannot_be_read_for_once_changes_no_name() -> None:
    world = World()
    world.trial.run()
    world.old.refused_lists.add(NEWS)
    world.plan_with()
    assert world.done() == []
    assert world.new.names[ANN] == "Ann Doe"
    world.old.refused_lists.clear()
    world.plan_with()
    world.done()
    world.settles("Ann Doe")


def test_owners_without_a_name_take_none_away() -> None:
    world = World()
    world.old.fill(TALK, None, Member(ANN, role=Role.OWNER), Member("boss@example.com", role=Role.OWNER))
    world.new.fill("own@example.com", Settings(), Member("boss@example.com", "The Boss"))
    result = world.trial.run()
    assert not result.left_behind
    world.settles("Ann Doe")
    assert world.new.names["boss@example.com"] == "The Boss"


def test_an_owner_without_a_name_who_is_there_with_one_is_as_he_should_be() -> None:
    world = World()
    world.old.fill(TALK, None, Member("boss@example.com", role=Role.OWNER))
    world.new.fill(TALK, None, Member("boss@example.com", "The Boss", role=Role.OWNER))
    world.trial.run()
    (boss,) = world.trial.store.outcomes(f"lists/old>new/{TALK}/owners")
    assert (boss.fate, boss.note) == (Fate.FOUND, "")
    world.settles("Ann Doe")


class Died(BaseException):
    """What a test dies of."""


def dying_at(moment: int) -> Callable[[str], None]:
    left = [moment]

    def look(_: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Died

    return look


@pytest.mark.parametrize("halves", [False, True])
def test_dying_between_any_two_writes_gives_the_same_name(halves: bool) -> None:  # noqa: FBT001
    for moment in range(1, 24):
        world = World()
        world.new.in_halves = halves
        world.trial.workers = 1
        world.new.after_write = dying_at(moment)
        try:
            world.trial.run()
        except Died:
            world.new.after_write = lambda _: None
            world.plan_with()
            world.trial.run()
        world.new.after_write = lambda _: None
        assert [world.became(one)[0] for one in (NEWS, TALK)] == [Fate.COPIED, Fate.NORMALISED], moment
        world.settles("Ann Doe")


def test_every_list_is_read_once_for_planning() -> None:
    world = World()
    world.trial.preview(world.trial.store)
    assert world.old.calls["roster member"] == 2
