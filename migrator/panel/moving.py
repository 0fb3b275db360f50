"""One kind of thing of one domain on its way: the carrier the engine makes mailboxes, forwarders and all the rest with.

An item's key is the thing's key at the source. Nothing is believed: after every part the target is listed again, and what it shows is
what is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field

from pydantic import SecretStr

from migrator.addresses import same_form
from migrator.engine.contract import Account, Fate, Intended, Item, Loaded, Outcome, Reading, Side, Work
from migrator.errors import NotFound, Refused
from migrator.frozen import dataclass
from migrator.panel.borrowing import kept_hash
from migrator.panel.contract import AnyThing, PanelReader, PanelWriter, ReadsHashes, VerifiesPasswords
from migrator.panel.decisions import Decision, Do, differences, judged
from migrator.panel.model import UNKNOWN_PASSWORD, Mailbox, Password, Thing, make_password
from migrator.panel.options import AccountsOptions
from migrator.panel.passwords import Choice, Source, choose

AT_ONCE = 10  # things made before the target is listed again
WAY = ":"
CURE_FOR_ALTERED = "Correct it by hand at the target if it matters."
CURE_FOR_UNKNOWN = "Name one in the plan's accounts, or say passwords: keep-hash-or-generate."
CURE_FOR_MISSING = "Look at the target's own log, then run again."


def no_password(choice: Choice) -> str:
    """Why a mailbox is not made without a password, in words."""
    return f"no password is known{f' ({choice.doubt})' if choice.doubt else ''}"


@dataclass(frozen=True, slots=True)
class Making:
    """What is made at the target, with the password where there is one, and where that came from."""

    decision: Decision
    choice: Choice | None = None


@dataclass(slots=True)
class Passwords:
    """How passwords of a domain's mailboxes are found: asked of the plan, the hand-out and the source, each once."""

    accounts: Mapping[str, Account]
    options: AccountsOptions
    schemes: frozenset[str]
    source: PanelReader
    _hashes: dict[str, Password] = field(default_factory=dict)

    def choice(self, address: str, work: Reading) -> Choice:
        """The password for the mailbox of this address at the source. One that is to be made is not made yet."""
        account = self.accounts[same_form(address).lower()]
        return choose(
            work.login(Side.SOURCE, account.source.account),
            work.login(Side.TARGET, account.target.account),
            lambda: self._hash(address, kept_hash(work, account.source.account)),
            self._verifier(address),
            self.schemes,
            self.options,
        )

    def _hash(self, address: str, kept: Password) -> Password:
        if kept.hash is not None:
            return kept
        if address not in self._hashes:
            self._hashes[address] = UNKNOWN_PASSWORD
            if self.source.features.reads_hashes and isinstance(self.source, ReadsHashes):
                self._hashes[address] = self.source.password_of(address)
        return self._hashes[address]

    def _verifier(self, address: str) -> Callable[[SecretStr], bool | None] | None:
        source = self.source
        if not (source.features.verifies_passwords and isinstance(source, VerifiesPasswords)):
            return None

        def right(password: SecretStr) -> bool | None:
            try:
                return source.verify_password(address, password)
            except Refused:
                return None  # a table with a hash that only the mail server itself can check

        return right


@dataclass(frozen=True, slots=True)
class ThingMove:
    """Carries the things of one kind. `decisions` are by key; `passwords` only where mailboxes are made."""

    noun: type[Thing]
    source: PanelReader
    target: PanelWriter
    target_domain: str
    decisions: Mapping[str, Decision]
    accounts: Mapping[str, Account]
    passwords: Passwords
    work: Work

    def items(self) -> Iterator[Item]:
        for key in self.decisions:
            yield Item(key)

    def read(self, part: Sequence[Item]) -> Sequence[Loaded[Making] | Outcome]:
        return [self._load(self.decisions[item.key]) for item in part]

    def _load(self, decision: Decision) -> Loaded[Making] | Outcome:
        match decision.do:
            case Do.SKIP:
                return Outcome(decision.key, Fate.SKIPPED, note=decision.why)
            case Do.LEAVE:
                return Outcome(decision.key, Fate.LEFT_BEHIND, note=decision.why, cure=decision.cure)
            case Do.KEEP:
                return Outcome(
                    decision.key, Fate.FOUND, ref=decision.wanted.key, digest=decision.digest, note=decision.why
                )
        choice = self._choice(decision)
        if choice is not None and choice.source is Source.NONE:
            return Outcome(decision.key, Fate.LEFT_BEHIND, note=no_password(choice), cure=CURE_FOR_UNKNOWN)
        # Behind the digest stands where the password came from: after a death nobody else could tell.
        way = choice.source.name if choice else ""
        return Loaded(decision.key, 0, f"{decision.digest}{WAY}{way}", Making(decision, choice))

    def _choice(self, decision: Decision) -> Choice | None:
        if decision.do is not Do.CREATE or not isinstance(decision.source, Mailbox):
            return None
        return self.passwords.choice(decision.source.address, self.work)

    def fence(self) -> str:
        """Nothing is needed: a thing is known by its name, and what was there before was never meant to be made."""
        return ""

    def write(self, part: Sequence[Loaded[Making]]) -> Sequence[Outcome]:
        refused: dict[str, Refused] = {}
        for loaded in part:
            try:
                self._make(loaded.content)
            except Refused as refusal:
                refused[loaded.key] = refusal
        there = listed(self.target, self.noun, self.target_domain)
        return [self._outcome(loaded.content, there, refused.get(loaded.key)) for loaded in part]

    def _make(self, making: Making) -> None:
        decision, choice = making.decision, making.choice
        if decision.do is Do.CHANGE and decision.there is not None:
            self.target.change(decision.wanted, decision.there)
            return
        self.target.create(decision.wanted, self._password(decision, choice) if choice else None)

    def _password(self, decision: Decision, choice: Choice) -> Password:
        if choice.source is not Source.MADE or choice.password.plain or not isinstance(decision.source, Mailbox):
            return choice.password
        made = make_password(self.target.features.policy)
        account = self.accounts[same_form(decision.source.address).lower()]
        self.work.keep_password(account.target.account, made)  # first the hand-out, then the account
        return Password(plain=made)

    def _outcome(self, making: Making, there: Mapping[str, Thing], refusal: Refused | None) -> Outcome:
        decision = making.decision
        found = there.get(decision.wanted.key)
        if refusal is not None and decision.do is Do.CREATE:
            # Refused and yet there: somebody else made it in this moment, or the panel refused only a part of it.
            how = "it is there all the same, perhaps not as it should be" if found else ""
            note = "; ".join(filter(None, (str(refusal), how)))
            return Outcome(decision.key, Fate.LEFT_BEHIND, note=note, cure=refusal.remedy)
        if found is None:
            note = "the panel said that it was made, and does not list it"
            return Outcome(decision.key, Fate.LEFT_BEHIND, note=note, cure=CURE_FOR_MISSING)
        if refusal is not None:
            note = f"the change at the source was refused: {refusal}"
            return Outcome(decision.key, Fate.ALTERED, ref=found.key, digest="", note=note, cure=refusal.remedy)
        return self._made(decision, found, making.choice)

    def _made(self, decision: Decision, found: Thing, choice: Choice | None) -> Outcome:
        fate, notes = judged(decision.wanted, decision.source, found, self.target.features, self.source.features)
        return Outcome(
            decision.key,
            fate,
            ref=found.key,
            digest=decision.digest,
            mark=choice.source.name.lower() if choice else "",
            note="; ".join(filter(None, (notes, choice.said() if choice else ""))),
            cure=CURE_FOR_ALTERED if fate is Fate.ALTERED else "",
        )

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        del fence
        wanted = [self.decisions[one.key] for one in intended if one.key in self.decisions]
        ways = {one.key: one.digest.partition(WAY)[2] for one in intended}
        there = listed(self.target, self.noun, self.target_domain)
        halves = [(one, there[one.wanted.key]) for one in wanted if self._is_half_made(one, there.get(one.wanted.key))]
        for decision, found in halves:
            self.target.change(decision.wanted, found)
        if halves:
            there = listed(self.target, self.noun, self.target_domain)
        return [
            self._made(one, there[one.wanted.key], Choice(Source[way]) if (way := ways[one.key]) else None)
            for one in wanted
            if one.wanted.key in there
        ]

    def _is_half_made(self, decision: Decision, found: Thing | None) -> bool:
        """Whether a death came between making a thing and completing it: the mailbox is there and not yet suspended."""
        if found is None or self.noun not in self.target.features.changes:
            return False
        return any(one.unforeseen for one in differences(decision.wanted, found, self.target.features))


def listed(panel: PanelReader, noun: type[AnyThing], domain: str) -> dict[str, AnyThing]:
    """Everything of one kind in a domain, by key; nothing where the panel has no such kind or no such domain."""
    if noun not in panel.features.lists:
        return {}
    try:
        return {one.key: one for one in panel.list(noun, domain)}
    except NotFound:
        return {}
