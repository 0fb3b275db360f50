"""The house speciality: die before and after every single write, start again, compare. Nothing lost, nothing doubled."""

from collections import Counter
from dataclasses import dataclass, field

import pytest

from migrator.engine.contract import Account, BatchLimit, Fate, Login
from migrator.engine.run import run, utc_now
from migrator.engine.stage import Programme, Stage, Verification
from migrator.engine.stop import Stop
from migrator.engine.walk import Surroundings
from migrator.mail.digest import digests
from migrator.mail.options import MailOptions
from migrator.mail.step import MailStep
from migrator.state.lease import this_process
from migrator.state.store import open_store
from migrator.testing.crash import Died, FencelessStore, Mortality, MortalStore
from migrator.testing.memory_mail import (
    Manners,
    MemoryRoute,
    MemoryServer,
    masks_as_cyrus,
    normalises_as_courier,
    refuses_as_cyrus,
)

pytestmark = pytest.mark.crash
ALICE = "alice@example.com"

TARGETS = {
    "all-or-nothing": Manners("new"),
    "one-by-one": Manners("new", all_or_nothing=False),
    "without-uidplus": Manners("new", uidplus=False),
    "one-by-one-without-uidplus": Manners("new", uidplus=False, all_or_nothing=False),
    "rewriting": Manners("new", normalises=normalises_as_courier, all_or_nothing=False, uidplus=False),
    "masking": Manners("new", normalises=masks_as_cyrus),
    "masking-without-uidplus": Manners("new", normalises=masks_as_cyrus, uidplus=False),
    "refusing": Manners("new", refuses=refuses_as_cyrus),
    "refusing-a-name": Manners("new", refuses_folder=lambda name: "Reserved" if name == "Elementos enviados" else ""),
}


def mail(n: int, *, message_id: bool = True) -> bytes:
    name = b"Message-ID: <%d@example.com>\r\n" % n if message_id else b""
    return name + b"Subject: %d\r\n\r\nthe body of %d\r\n" % (n, n)


@dataclass
class World:
    """One account with awkward mail, a target with the given manners, and a state; they outlive the process."""

    manners: Manners
    source: MemoryServer = field(init=False)
    target: MemoryServer = field(init=False)

    def __post_init__(self) -> None:
        self.source = MemoryServer("old", [ALICE], Manners("old", "INBOX.", "."))
        self.target = MemoryServer("new", [ALICE], self.manners)
        self.store = open_store("sqlite://", lives=lambda _: False)
        for n in range(5):
            self.source.put(ALICE, "INBOX", mail(n), ["\\Seen"] if n % 2 else [])
        for _ in range(3):
            self.source.put(ALICE, "INBOX", mail(77, message_id=False))  # triplets without a name
        for _ in range(2):  # twins whose header some servers mask
            self.source.put(ALICE, "INBOX", b"Message-ID: <8@example.com>\r\nSubject: se\xc3\xb1or\r\n\r\n\xc3\xb1\r\n")
        self.source.put(ALICE, "INBOX", b"no header at all")
        self.source.put(ALICE, "INBOX", b"Subject: bare\n\nline ends\n")
        self.source.put(ALICE, "INBOX.Elementos enviados", mail(1))  # the same as one in INBOX
        self.source.put(ALICE, "INBOX.Elementos enviados", b"Subject: nul\r\n\r\n\0\r\n")

    def run(self, mortality: Mortality, store_class: type[MortalStore] = MortalStore) -> None:
        """One process: it runs to its end or dies."""
        self.target.before_write = lambda what: mortality.moment(f"before {what}")
        self.target.after_write = lambda what: mortality.moment(f"after {what}")
        account = Account(Login(ALICE, ALICE), Login(ALICE, ALICE))
        step = MailStep(MailOptions(), {ALICE: account}, BatchLimit(items=3))
        stage = Stage("mail", "mail", step, MemoryRoute(self.source, self.target))
        programme = Programme("crash", [stage, Verification("verify")], workers=1)
        claim = self.store.claim(this_process(), utc_now(), "digest", "0")
        around = Surroundings(lambda _: None, Stop())
        run(programme, store_class(self.store, mortality), claim, around, lambda _: 0)

    def contents(self) -> dict[str, Counter[str]]:
        return {
            name: Counter(digests([stored.raw]).canonical for stored in folder)
            for name, folder in self.target.contents(ALICE).items()
        }

    def fates(self) -> Counter[Fate]:
        counts: Counter[Fate] = Counter()
        for row in self.store.actions():
            counts.update({fate: size.items for fate, size in self.store.fates(row.ledger_key).items()})
        return counts

    def differences(self) -> list[str]:
        return [finding.text for _, _, source, finding in self.store.findings() if source == "verify"]


def moments_of(manners: Manners) -> tuple[World, int]:
    """A world after an undisturbed run, and how many moments that had."""
    world, mortality = World(manners), Mortality()
    world.run(mortality)
    return world, len(mortality.moments)


def die_and_resume(manners: Manners, at: int, store_class: type[MortalStore] = MortalStore) -> World:
    world = World(manners)
    with pytest.raises(Died):
        world.run(Mortality(at), store_class)
    world.run(Mortality(), store_class)
    return world


@pytest.mark.parametrize("name", TARGETS)
def test_dying_at_any_moment_loses_nothing_and_doubles_nothing(name: str) -> None:
    expected, moments = moments_of(TARGETS[name])
    assert moments > 40
    assert not expected.differences()
    for at in range(1, moments + 1):
        world = die_and_resume(TARGETS[name], at)
        assert world.contents() == expected.contents(), f"after dying at moment {at}"
        assert sum(world.fates().values()) == 14, f"after dying at moment {at}"
        assert world.fates()[Fate.FOUND] == 0, (
            f"a message of ours was taken for a stranger's after dying at moment {at}"
        )
        assert world.fates()[Fate.ALTERED] == expected.fates()[Fate.ALTERED], f"after dying at moment {at}"
        assert world.differences() == [], f"after dying at moment {at}"


def test_dying_again_while_resuming_does_no_harm_either() -> None:
    manners = TARGETS["one-by-one-without-uidplus"]
    expected, moments = moments_of(manners)
    for first in range(2, moments + 1, 5):
        for second in range(1, 40, 9):
            world = World(manners)
            with pytest.raises(Died):
                world.run(Mortality(first))
            try:
                world.run(Mortality(second))
            except Died:
                world.run(Mortality())
            assert world.contents() == expected.contents(), f"after dying at {first} and again at {second}"
            assert world.fates()[Fate.FOUND] == 0, f"after dying at {first} and again at {second}"


@pytest.mark.parametrize("name", ["all-or-nothing", "one-by-one-without-uidplus"])
def test_without_the_fence_dying_does_harm(name: str) -> None:
    """The harness has teeth: what the fence resolves is taken for somebody else's mail as soon as intents are forgotten."""
    expected, moments = moments_of(TARGETS[name])
    assert any(
        (world := die_and_resume(TARGETS[name], at, FencelessStore)).contents() != expected.contents()
        or world.fates() != expected.fates()
        for at in range(1, moments + 1)
    )


def test_a_second_run_writes_nothing_to_the_target() -> None:
    world, _ = moments_of(TARGETS["all-or-nothing"])
    before = list(world.target.writes)
    world.run(Mortality())
    assert world.target.writes == before


def test_an_empty_state_adopts_everything_and_doubles_nothing() -> None:
    world, _ = moments_of(TARGETS["rewriting"])
    expected = world.contents()
    world.store = open_store("sqlite://", lives=lambda _: False)
    world.run(Mortality())
    assert world.contents() == expected
    assert world.fates()[Fate.COPIED] == 0


def test_an_empty_state_knows_masked_twins_again_and_says_that_they_are_altered() -> None:
    world, _ = moments_of(TARGETS["masking"])
    expected = world.contents()
    world.store = open_store("sqlite://", lives=lambda _: False)
    world.run(Mortality())
    assert world.contents() == expected
    assert world.fates()[Fate.COPIED] == 0
    assert world.fates()[Fate.ALTERED] == 2
    assert world.differences() == []


def test_a_masked_message_that_is_there_once_too_often_is_a_difference() -> None:
    world, _ = moments_of(TARGETS["masking"])
    masked = next(stored for stored in world.target.contents(ALICE)["INBOX"] if b"XX" in stored.raw)
    world.target.put(ALICE, "INBOX", masked.raw)
    world.run(Mortality())
    assert any("more than once" in text for text in world.differences())
