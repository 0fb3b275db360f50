"""Whatever people do on both sides between the runs, the step does what a plain account of its rules says, and never anything else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrator.engine.stage import Stage
from migrator.lists.model import Member, Settings
from migrator.lists.options import ListsOptions
from migrator.lists.step import KIND
from migrator.testing.memory_lists import ListsRoute, MemoryLists, accounts_of
from migrator.testing.trial import Trial

NEWS = "news@example.com"
KEYS = [f"{name}@example.com" for name in ("ann", "bob", "cara", "dan")]


@dataclass
class Known:
    """What the account remembers of one member: what the source said last, whether a run brought him, whether both sides were alike."""

    seen: Member
    brought: bool
    in_step: bool


class Account:
    """The rules, told plainly: who is at the target after each run."""

    def __init__(self, target: dict[str, Member]) -> None:
        self.target = target
        self.known: dict[str, Known] = {}

    def run(self, source: dict[str, Member]) -> None:
        for key, wanted in source.items():
            known = self.known.get(key)
            if known is None:
                there = self.target.get(key)
                self.known[key] = Known(wanted, there is None, there is None or there == wanted)
                self.target.setdefault(key, wanted)
            elif wanted != known.seen:
                if known.in_step and key in self.target:
                    self.target[key] = wanted
                known.seen = wanted  # also of one who has left the target: how he comes back there is his own affair
        for key in [one for one in self.known if one not in source]:
            if key not in self.target:
                del self.known[key]
            elif self.known[key].brought and source:
                del self.target[key], self.known[key]


PERSON = st.none() | st.tuples(st.booleans(), st.sampled_from(["", "Ann", "Anna"]))
EDITS = st.tuples(st.sampled_from(["source", "target"]), st.sampled_from(KEYS), PERSON)


@settings(max_examples=150, deadline=None)
@example(
    [
        [("source", KEYS[0], (False, ""))],
        [("target", KEYS[0], None), ("source", KEYS[0], (True, ""))],
        [("target", KEYS[0], (False, ""))],
    ],
    False,
)
@given(
    st.lists(st.lists(EDITS, max_size=6), min_size=1, max_size=5),
    st.booleans(),
)
def test_whatever_happens_on_both_sides(rounds: list[list[tuple[str, str, object]]], importer: bool) -> None:  # noqa: FBT001
    old, new = MemoryLists("old"), MemoryLists("new", importer=importer)
    old.fill(NEWS, Settings(welcomes=True))
    new.fill(NEWS, Settings(welcomes=True, says_goodbye=True))
    account = Account({})
    step = KIND.build(ListsOptions(), accounts_of("ann@example.com"))
    trial = Trial([Stage("lists", "lists", step, ListsRoute(old, new))], workers=1)
    for edits in rounds:
        for side, key, person in edits:
            both = {"source": [old.people(NEWS)], "target": [new.people(NEWS), account.target]}
            for people in both[side]:
                if person is None:
                    people.pop(key, None)
                else:
                    people[key] = Member(key, person[1], hidden=person[0])  # type: ignore[index]  # a pair
        trial.run()
        account.run(dict(old.people(NEWS)))
        assert new.people(NEWS) == account.target
        before = list(new.writes)
        trial.run()
        account.run(dict(old.people(NEWS)))
        assert new.writes == before, "a second run without any change wrote something"
        assert new.people(NEWS) == account.target
        assert new.mails == []
        assert new.set_now(NEWS)["welcomes"] is True
        assert new.set_now(NEWS)["says_goodbye"] is True


def test_the_account_itself_has_teeth() -> None:
    account = Account({"own@example.com": Member("own@example.com")})
    ann = Member(KEYS[0])
    account.run({KEYS[0]: ann})
    account.run({KEYS[0]: replace(ann, hidden=True), KEYS[1]: Member(KEYS[1])})
    assert account.target[KEYS[0]].hidden
    account.run({KEYS[1]: Member(KEYS[1])})
    assert [*account.target] == ["own@example.com", KEYS[1]]
