"""Die before and after every single write of a room that finds nothing again by itself: all that saves it is the fence."""

from collections import Counter
from dataclasses import dataclass

import pytest

from migrator.engine.contract import Fate
from migrator.state.store import open_store
from migrator.testing.crash import Died, FencelessStore, Mortality, MortalStore
from migrator.testing.toy_room import Shelf, stage_between
from migrator.testing.trial import Trial

pytestmark = pytest.mark.crash
ALICE, BOB = "alice@example.com", "bob@example.com"
FATES = {Fate.COPIED: 12, Fate.LEFT_BEHIND: 1, Fate.GONE: 1}


class World:
    """Two people's boxes with twins, a refused and a vanished word, on shelves that outlive every process."""

    def __init__(self) -> None:
        self.source, self.target = Shelf("old"), Shelf("new")
        self.source.fill(ALICE, "nouns", "house", "tree", "house", "sea", "house", "gone", "cat")
        self.source.fill(ALICE, "verbs", "go", "go")
        self.source.fill(BOB, "nouns", "house", "ugly", "tree", "house", "sky")
        self.source.vanished.add("gone")
        self.target.refused_words.add("ugly")
        self.store = open_store("sqlite://", lives=lambda _: False)

    def run(self, mortality: Mortality, store_class: type[MortalStore] = MortalStore) -> Trial:
        """One process, from its start to its end or its death."""
        self.target.before_write = lambda what: mortality.moment(f"before {what}")
        self.target.after_write = lambda what: mortality.moment(f"after {what}")
        stage = stage_between(self.source, self.target, ALICE, BOB, batch=2)
        trial = Trial([stage], workers=1, store=store_class(self.store, mortality))
        trial.run()
        return trial

    def contents(self) -> dict[str, Counter[str]]:
        return {
            f"{person}/{box}": Counter(words)
            for person in (ALICE, BOB)
            for box, words in self.target.contents(person).items()
        }


def undisturbed() -> tuple[World, list[str]]:
    world, mortality = World(), Mortality()
    world.run(mortality)
    return world, mortality.moments


@dataclass(frozen=True)
class Resumed:
    """A world after it died at a moment and was started again."""

    moment: str
    world: World
    trial: Trial


def resumed_after_every_death(store_class: type[MortalStore]) -> list[Resumed]:
    _, moments = undisturbed()
    resumed = []
    for at, moment in enumerate(moments, 1):
        world = World()
        with pytest.raises(Died):
            world.run(Mortality(at), store_class)
        resumed.append(Resumed(f"{moment} ({at})", world, world.run(Mortality(), store_class)))
    return resumed


@pytest.fixture(scope="module")
def expected() -> dict[str, Counter[str]]:
    return undisturbed()[0].contents()


@pytest.fixture(scope="module")
def with_the_fence() -> list[Resumed]:
    return resumed_after_every_death(MortalStore)


@pytest.fixture(scope="module")
def without_the_fence() -> list[Resumed]:
    return resumed_after_every_death(FencelessStore)


def test_dying_at_any_moment_loses_nothing_and_doubles_nothing(
    with_the_fence: list[Resumed], expected: dict[str, Counter[str]]
) -> None:
    assert len(with_the_fence) > 60
    for one in with_the_fence:
        assert one.world.contents() == expected, f"after dying {one.moment}"


def test_after_dying_at_any_moment_the_fates_add_up(with_the_fence: list[Resumed]) -> None:
    for one in with_the_fence:
        assert one.trial.fates() == FATES, f"after dying {one.moment}"


def test_dying_at_any_moment_leaves_nothing_for_verify_to_find(with_the_fence: list[Resumed]) -> None:
    for one in with_the_fence:
        stage = stage_between(one.world.source, one.world.target, ALICE, BOB)
        assert Trial([stage], store=one.world.store).verify().differences == 0, f"after dying {one.moment}"


def test_dying_twice_loses_nothing_and_doubles_nothing(expected: dict[str, Counter[str]]) -> None:
    _, moments = undisturbed()
    for first in range(3, len(moments), 7):
        for second in range(1, 30, 4):
            world = World()
            with pytest.raises(Died):
                world.run(Mortality(first))
            try:
                world.run(Mortality(second))
            except Died:
                world.run(Mortality())
            assert world.contents() == expected, f"after dying at {first} and again at {second}"


def test_without_the_fence_dying_between_a_write_and_its_record_doubles_words(
    without_the_fence: list[Resumed], expected: dict[str, Counter[str]]
) -> None:
    """The harness has teeth: the same deaths do harm as soon as intents are forgotten."""
    between = [one for one in without_the_fence if one.moment.startswith("after put")]
    assert len(between) >= 7
    for one in between:
        assert one.world.contents() != expected, f"no harm done by dying {one.moment}"


def test_without_the_fence_dying_loses_nothing_all_the_same(
    without_the_fence: list[Resumed], expected: dict[str, Counter[str]]
) -> None:
    for one in without_the_fence:
        there = one.world.contents()
        assert all(words <= there[box] for box, words in expected.items()), f"after dying {one.moment}"
