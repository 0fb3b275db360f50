"""The accounts step dies before and after every write to state, hand-out and panel, and is started again: nothing lost, nothing made
twice, and no mailbox whose password nobody knows.
"""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from migrator.engine.contract import Fate
from migrator.engine.run import run, utc_now
from migrator.engine.stage import Programme, Stage, Verification
from migrator.engine.stop import Stop
from migrator.engine.walk import Surroundings
from migrator.panel.model import Destination, Forwarder, Hold, Mailbox, with_scheme
from migrator.panel.options import AccountsOptions
from migrator.panel.step import KIND
from migrator.state.lease import this_process
from migrator.state.store import open_store
from migrator.testing.crash import Died, FencelessStore, Mortality, MortalStore
from migrator.testing.memory_panel import MemoryPanel, PanelRoute, accounts_of
from migrator.testing.memory_strongbox import MemoryStrongbox

pytestmark = pytest.mark.crash
ADDRESSES = [f"box{number}@example.com" for number in range(4)]


@dataclass
class MortalRoute(PanelRoute):
    """Writing a password down is two moments as well."""

    mortality: Mortality = field(default_factory=Mortality)

    def keep_password(self, account: str, password: SecretStr) -> None:
        self.mortality.moment("before password")
        super().keep_password(account, password)
        self.mortality.moment("after password")


class World:
    """Two panels and a state; they outlive the process."""

    def __init__(self, **options: object) -> None:
        self.options = AccountsOptions(**options)
        self.strongbox = MemoryStrongbox()
        self.old, self.new = MemoryPanel("old"), MemoryPanel("new")
        self.made: dict[str, SecretStr] = {}
        self.store = open_store("sqlite://", lives=lambda _: False)
        for number, address in enumerate(ADDRESSES):
            holds = frozenset({Hold.SEND}) if number == 1 else frozenset()
            password = with_scheme("$6$salt$hash") if number % 2 else None
            self.old.fill(Mailbox(address, quota=1024**3, holds=holds), password=password)
        self.old.fill(Forwarder("info@example.com", (Destination(ADDRESSES[0]),)))

    def run(self, mortality: Mortality, store_class: type[MortalStore] = MortalStore) -> None:
        self.new.before_write = lambda what: mortality.moment(f"before {what}")
        self.new.after_write = lambda what: mortality.moment(f"after {what}")
        self.old.before_write, self.old.after_write = self.new.before_write, self.new.after_write
        self.strongbox.moment = mortality.moment
        route = MortalRoute(self.old, self.new, made=self.made, mortality=mortality, strongbox=self.strongbox)
        stage = Stage("accounts", "accounts", KIND.build(self.options, accounts_of(*ADDRESSES)), route)
        programme = Programme("crash", [stage, Verification("verify")], workers=1)
        claim = self.store.claim(this_process(), utc_now(), "digest", "0")
        run(programme, store_class(self.store, mortality), claim, Surroundings(lambda _: None, Stop()), lambda _: 0)

    def fates(self) -> Counter[Fate]:
        counts: Counter[Fate] = Counter()
        for row in self.store.actions():
            counts.update({fate: size.items for fate, size in self.store.fates(row.ledger_key).items()})
        return counts

    def creations(self) -> Counter[str]:
        return Counter(what for what in self.new.writes if what.startswith("create"))


def die_and_resume(at: int, store_class: type[MortalStore] = MortalStore) -> World:
    world = World()
    with pytest.raises(Died):
        world.run(Mortality(at), store_class)
    world.run(Mortality(), store_class)
    return world


def test_dying_at_any_moment_loses_nothing_and_makes_nothing_twice() -> None:
    expected, undisturbed = World(), Mortality()
    expected.run(undisturbed)
    assert expected.fates() == {Fate.COPIED: 5}
    assert len(undisturbed.moments) > 30
    for at in range(1, len(undisturbed.moments) + 1):
        world = die_and_resume(at)
        assert world.new.things == expected.new.things, f"after dying at moment {at}"
        assert world.fates() == expected.fates(), f"after dying at moment {at}"
        assert max(world.creations().values()) == 1, f"made twice after dying at moment {at}"
        for address in ADDRESSES[::2]:
            known = world.new.passwords[address].plain
            assert known == world.made[address], f"nobody knows the password of {address} after dying at moment {at}"


def test_without_the_fence_what_we_made_is_taken_for_somebody_elses() -> None:
    """The harness has teeth."""
    expected, undisturbed = World(), Mortality()
    expected.run(undisturbed)
    moments = range(1, len(undisturbed.moments) + 1)
    assert any(die_and_resume(at, FencelessStore).fates() != expected.fates() for at in moments)


def test_dying_at_any_moment_leaves_no_source_password_changed_after_the_next_run() -> None:
    undisturbed = Mortality()
    World(temporary_source_passwords=True).run(undisturbed)
    for at in range(1, len(undisturbed.moments) + 1):
        world = World(temporary_source_passwords=True)
        before = dict(world.old.passwords)
        with pytest.raises(Died):
            world.run(Mortality(at))
        world.run(Mortality())
        assert world.old.passwords == before, f"after dying at moment {at}"
        assert not world.strongbox.held, f"after dying at moment {at}"
