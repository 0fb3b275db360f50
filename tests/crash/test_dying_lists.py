"""The lists step dies before and after every write to state and lists, and is started again: nobody lost, nobody twice, nobody written to,
no post let through to half a list, and nothing that was held or silenced stays so.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from migrator.engine.contract import Fate
from migrator.engine.run import run, utc_now
from migrator.engine.stage import Programme, Stage, Verification
from migrator.engine.stop import Stop
from migrator.engine.walk import Surroundings
from migrator.lists.model import Delivery, Member, Role, Settings, Stopped, Treatment
from migrator.lists.options import ListsOptions
from migrator.lists.step import KIND
from migrator.state.lease import this_process
from migrator.state.store import open_store
from migrator.testing.crash import Died, FencelessStore, Mortality, MortalStore
from migrator.testing.memory_lists import ABLE, ListsRoute, MemoryLists, accounts_of

pytestmark = pytest.mark.crash
NEWS = "news@example.com"
HABITS = {"one by one": {}, "importer": {"importer": True}, "in halves": {"in_halves": True, "importer": True}}


def member(number: int, **options: object) -> Member:
    return Member(f"p{number}@example.com", f"Person {number}", moderation=Treatment.DEFER, **options)


class World:
    """Two products and a state; they outlive the process. With `delta` the first pass is over, and the source has changed since; with
    `held` it has left the list held; with `deleted` somebody has deleted the list at the target since.
    """

    def __init__(
        self, habit: str, *, delta: bool = False, existing: bool = False, held: bool = False, deleted: bool = False
    ) -> None:
        features = replace(ABLE, at_once=3)
        self.old, self.new = MemoryLists("old"), MemoryLists("new", features, **HABITS[habit])
        settings = Settings(description="News", welcomes=True, says_goodbye=False, tells_owner_of_changes=True)
        self.old.fill(NEWS, settings, Member("owner@example.com", role=Role.OWNER))
        self.old.fill(NEWS, None, *(member(n, hidden=bool(n % 2)) for n in range(7)), Member("not an address"))
        if existing:
            self.new.fill(NEWS, Settings(description="Its own", welcomes=True), member(2, hidden=True))
        self.store = open_store("sqlite://", lives=lambda _: False)
        self.options = ListsOptions(hold="keep" if held else "while-filling")
        if held or deleted:
            self.run(Mortality())
            self.options = ListsOptions()
        if deleted:
            del self.new.kept[NEWS]
            self.new.writes.clear()
        if delta:
            self.run(Mortality())
            there = self.old.people(NEWS)
            del there["p1@example.com"]
            there["p2@example.com"] = member(2, delivery=Delivery.MIME_DIGEST)
            there["p3@example.com"] = member(3, stopped=Stopped.BY_USER)
            there["p8@example.com"] = member(8)
            self.old.fill(NEWS, Settings(description="Fresh news"))

    def run(self, mortality: Mortality, store_class: type[MortalStore] = MortalStore) -> None:
        self.new.before_write = lambda what: mortality.moment(f"before {what}")
        self.new.after_write = lambda what: mortality.moment(f"after {what}")
        route = ListsRoute(self.old, self.new)
        stage = Stage("lists", "lists", KIND.build(self.options, accounts_of("ann@example.com")), route)
        programme = Programme("crash", [stage, Verification("verify")], workers=1)
        claim = self.store.claim(this_process(), utc_now(), "digest", "0")
        run(programme, store_class(self.store, mortality), claim, Surroundings(lambda _: None, Stop()), lambda _: 0)

    def contents(self) -> tuple[object, object]:
        kept = self.new.kept[NEWS]
        return kept.people, kept.settings

    def fates(self) -> Counter[Fate]:
        counts: Counter[Fate] = Counter()
        for row in self.store.actions():
            counts.update({fate: size.items for fate, size in self.store.fates(row.ledger_key).items()})
        return counts

    def additions(self) -> Counter[str]:
        """How often each was put on the list."""
        added = (what.removeprefix("add ").split(",") for what in self.new.writes if what.startswith("add "))
        return Counter(name for names in added for name in names)

    def is_half_and_open(self) -> bool:
        """Whether a list that we made lets posts through though not everybody is there."""
        kept = self.new.kept.get(NEWS)
        some = kept is not None and 0 < len(kept.people[Role.MEMBER]) < 7
        return some and kept is not None and kept.settings["emergency"] is not True


def die_and_resume(at: int, store_class: type[MortalStore] = MortalStore, **world_is: object) -> World:
    world = World(**world_is)
    with pytest.raises(Died):
        world.run(Mortality(at), store_class)
    if not {"delta", "existing"} & {name for name, is_so in world_is.items() if is_so}:
        assert not world.is_half_and_open(), f"half a list is open after dying at moment {at}"
    world.run(Mortality(), store_class)
    return world


@pytest.mark.parametrize(
    ("habit", "world_is"),
    [
        *((habit, {"delta": delta}) for habit in HABITS for delta in (False, True)),
        *(("in halves", {more: True}) for more in ("existing", "held", "deleted")),
    ],
    ids=str,
)
def test_dying_at_any_moment_loses_nobody_and_writes_to_nobody(habit: str, world_is: dict[str, bool]) -> None:
    expected, undisturbed = World(habit, **world_is), Mortality()
    expected.run(undisturbed)
    assert expected.new.mails == []
    assert len(undisturbed.moments) > (5 if world_is.get("held") else 15)
    for at in range(1, len(undisturbed.moments) + 1):
        world = die_and_resume(at, habit=habit, **world_is)
        assert world.contents() == expected.contents(), f"after dying at moment {at}"
        assert world.fates() == expected.fates(), f"after dying at moment {at}"
        assert world.new.mails == [], f"somebody was written to after dying at moment {at}"
        assert max(world.additions().values(), default=1) == 1, f"put on the list twice after dying at moment {at}"


def test_without_the_fence_what_we_brought_is_taken_for_somebody_elses() -> None:
    """The harness has teeth."""
    expected, undisturbed = World("importer"), Mortality()
    expected.run(undisturbed)
    moments = range(1, len(undisturbed.moments) + 1)
    assert any(die_and_resume(at, FencelessStore, habit="importer").fates() != expected.fates() for at in moments)
