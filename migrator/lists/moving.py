"""A list on its way: the carriers the engine makes lists, sets settings and fills rosters with.

Nothing is believed: settings are read again after every part, a roster once after all of it (see step.py), because some products take a
minute to show one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from migrator.engine.contract import Fate, Intended, Item, Loaded, Outcome
from migrator.frozen import dataclass
from migrator.lists.contract import CompletesLists, ListReader, ListWriter
from migrator.lists.decisions import CURE_FOR_ROLE, IN_STEP, Decision, Do, SettingDecision, differences, shown, title_of
from migrator.lists.model import Member, Put, Role, settings_of
from migrator.panel.model import How

CURE = "Correct it by hand at the target if it matters."
CURE_FOR_MISSING = "Look at the target's own log, then run again."
MADE = "list"  # the item's key
FREE = "free"  # the fence of a list whose place nobody had


def everybody(session: ListReader, address: str, role: Role) -> dict[str, Member]:
    """Everybody of one role, by key, in the roster's order, of twins the first; nobody where the product has no such role. Raises NotFound."""
    found: dict[str, Member] = {}
    for one in _told(session, address, role):
        found.setdefault(one.key, one)
    return found


def everybody_with_twins(session: ListReader, address: str, role: Role) -> dict[str, Member]:
    """The same with whoever is told once more: the second time as "<key> (2)"."""
    found: dict[str, Member] = {}
    times: Counter[str] = Counter()
    for one in _told(session, address, role):
        times[one.key] += 1
        found[f"{one.key} ({times[one.key]})" if times[one.key] > 1 else one.key] = one
    return found


def _told(session: ListReader, address: str, role: Role) -> Iterator[Member]:
    if role in session.features.roles:
        for page in session.roster(address, role):
            yield from page


def is_there(session: ListReader, address: str) -> bool:
    """Whether the product has a list of this address."""
    return any(one.key == address.lower() for one in session.lists())


# -- the list itself --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListMove:
    """Makes a list: one item. `make` does it; `making` tells this making of it from earlier ones."""

    target: ListWriter
    address: str
    making: str
    make: Callable[[], None]

    def items(self) -> Iterator[Item]:
        yield Item(MADE)

    def read(self, part: Sequence[Item]) -> Sequence[Loaded[str] | Outcome]:
        if is_there(self.target, self.address):
            return [Outcome(one.key, Fate.FOUND, ref=self.address) for one in part]
        return [Loaded(one.key, 0, "", self.address) for one in part]

    def fence(self) -> str:
        """A list is known by its address, and was to be made because it was not there. Where it gets that address last, whatever stands in
        its place is ours only if the place was free.
        """
        return FREE if isinstance(self.target, CompletesLists) and self.target.is_free(self.address) else ""

    def write(self, part: Sequence[Loaded[str]]) -> Sequence[Outcome]:
        self.make()
        if is_there(self.target, self.address):
            return [Outcome(one.key, Fate.COPIED, ref=self.address, mark=self.making) for one in part]
        note = "the target said that the list was made, and does not show it"
        return [Outcome(one.key, Fate.LEFT_BEHIND, note=note, cure=CURE_FOR_MISSING) for one in part]

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        if fence == FREE and isinstance(self.target, CompletesLists):
            self.target.complete_list(self.address)
        there = is_there(self.target, self.address)
        return [Outcome(one.key, Fate.COPIED, ref=self.address, mark=self.making) for one in intended] if there else []


# -- settings ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class SettingMove:
    """Sets settings; an item's key is the setting's name. `made` says that a run of ours made the list, so that nothing set there was before
    us; `resolved` that a death had left some on the way, of which this knows now.
    """

    target: ListWriter
    address: str
    decisions: Mapping[str, SettingDecision]
    made: bool = False
    resolved: bool = False

    def items(self) -> Iterator[Item]:
        for name in self.decisions:
            yield Item(name)

    def read(self, part: Sequence[Item]) -> Sequence[Loaded[SettingDecision] | Outcome]:
        return [self._load(self.decisions[one.key]) for one in part]

    def _load(self, decision: SettingDecision) -> Loaded[SettingDecision] | Outcome:
        match decision.do:
            case Do.SKIP:
                return Outcome(decision.name, Fate.SKIPPED, digest=decision.digest, note=decision.why)
            case Do.LEAVE:
                return Outcome(
                    decision.name,
                    Fate.LEFT_BEHIND,
                    digest=decision.digest,
                    note=self._named(decision),
                    cure=decision.cure,
                    about=self.address,
                )
            case Do.KEEP if self.made:
                return self._outcome(decision, decision.kept)
            case Do.KEEP:
                return Outcome(decision.name, Fate.FOUND, ref=decision.name, digest=decision.digest)
        return Loaded(decision.name, 0, decision.digest, decision)

    @staticmethod
    def _named(decision: SettingDecision) -> str:
        return f"{title_of(decision.name)}: {decision.why}"

    def fence(self) -> str:
        """Nothing is needed: a setting is what it is, and to set it twice is to set it once."""
        return ""

    def write(self, part: Sequence[Loaded[SettingDecision]]) -> Sequence[Outcome]:
        self.target.configure(self.address, settings_of({one.key: one.content.kept for one in part}))
        return self._judged([one.content for one in part])

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        del fence
        self.resolved = True
        outcomes = self._judged([self.decisions[one.key] for one in intended if one.key in self.decisions])
        return [one for one in outcomes if one.fate is not Fate.ALTERED]

    def _judged(self, decisions: Sequence[SettingDecision]) -> list[Outcome]:
        there = self.target.settings_as_kept(self.target.settings(self.address)).told()
        return [self._outcome(one, there.get(one.name)) for one in decisions]

    def _outcome(self, decision: SettingDecision, found: Any) -> Outcome:  # Any: the setting's own type
        name = decision.name
        if found != decision.kept:
            note = f"{title_of(name)}: {shown(found)} instead of {shown(decision.kept)}"
            return Outcome(name, Fate.ALTERED, ref=name, digest=decision.digest, note=note, cure=CURE)
        keep = self.target.features.kept(f"list.{name}")
        if keep.how is How.CHANGED and decision.kept != decision.value:
            note = f"{title_of(name)}: {keep.why}"
            return Outcome(name, Fate.NORMALISED, ref=name, digest=decision.digest, note=note)
        return Outcome(name, Fate.COPIED, ref=name, digest=decision.digest)


# -- people -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class MemberMove:
    """Carries everybody of one role. `decisions` are by key at the source; `written` are those whom this carrier has put on the list or
    changed, who are still to be read again, `lacking` the target's answers about options that it did not take of them. `made_with` says that
    who stands there already came with our making of the list, as the owner whom a product wants for that.
    """

    target: ListWriter
    address: str
    role: Role
    decisions: Mapping[str, Decision]
    made_with: bool = False
    written: dict[str, Decision] = field(default_factory=dict)
    lacking: dict[str, Put] = field(default_factory=dict)

    def items(self) -> Iterator[Item]:
        for key in self.decisions:
            yield Item(key)

    def read(self, part: Sequence[Item]) -> Sequence[Loaded[Decision] | Outcome]:
        return [self._load(self.decisions[one.key]) for one in part]

    def _load(self, decision: Decision) -> Loaded[Decision] | Outcome:
        match decision.do:
            case Do.SKIP:
                return Outcome(decision.key, Fate.SKIPPED, note=decision.why)
            case Do.LEAVE:
                about = decision.wanted.address
                return Outcome(decision.key, Fate.LEFT_BEHIND, note=decision.why, cure=CURE_FOR_ROLE, about=about)
            case Do.KEEP:
                return self._arrived(decision, self._kept_fate(decision))
        return Loaded(decision.key, 0, decision.digest, decision)

    def _arrived(self, decision: Decision, fate: Fate, note: str = "", about: str = "") -> Outcome:
        altered = fate is Fate.ALTERED
        return Outcome(
            decision.key,
            fate,
            ref=decision.wanted.key,
            digest=decision.digest,
            mark=decision.mark,
            note=note or self._note(decision, fate),
            cure=CURE if altered else "",
            about=about,
        )

    @staticmethod
    def _note(decision: Decision, fate: Fate) -> str:
        renamed = f"{decision.wanted.address}: {decision.renamed}" if decision.renamed else ""
        if fate is Fate.FOUND:
            return decision.why or renamed
        return decision.why if fate is Fate.ALTERED else renamed

    def _kept_fate(self, decision: Decision) -> Fate:
        """What somebody has met who is left as he is."""
        new = Fate.COPIED if self.made_with and not decision.why else Fate.FOUND
        fate = decision.recorded.fate if decision.recorded else new
        if fate not in {Fate.COPIED, Fate.NORMALISED}:
            return fate
        return Fate.NORMALISED if decision.renamed else Fate.COPIED

    def fence(self) -> str:
        """Nothing is needed: somebody is known by his address, and was to be added because he was not there."""
        return ""

    def write(self, part: Sequence[Loaded[Decision]]) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        for do, put in ((Do.ADD, self.target.add), (Do.CHANGE, self.target.update)):
            chosen = [one.content for one in part if one.content.do is do]
            if chosen:
                answers = put(self.address, [one.wanted for one in chosen])
                outcomes += [self._outcome(one, answer) for one, answer in zip(chosen, answers, strict=True)]
        return outcomes

    def _outcome(self, decision: Decision, put: Put) -> Outcome:
        if put.refused and decision.do is Do.CHANGE and decision.recorded is not None:
            about = f"{decision.wanted.address}: {decision.why}"
            refused = self._arrived(
                decision, Fate.ALTERED, f"the change at the source was refused: {put.refused.rstrip('.')}", about
            )
            return replace(refused, cure=put.remedy or CURE)
        if put.refused:
            return Outcome(
                decision.key,
                Fate.LEFT_BEHIND,
                note=f"the target says: {put.refused.rstrip('.')}",
                about=decision.wanted.address,
                cure=put.remedy or "Add them by hand, under an address that the target takes, if they are still meant.",
            )
        if put.already:
            return self._arrived(decision, Fate.FOUND, "joined the target's list by himself meanwhile")
        self.written[decision.key] = decision
        if put.lacking:
            self.lacking[decision.key] = put
            lacking = self._arrived(
                decision, Fate.ALTERED, f"the target says: {put.lacking.rstrip('.')}", decision.wanted.address
            )
            return replace(lacking, cure=put.remedy or CURE)
        return self._arrived(decision, self._fate(decision))

    @staticmethod
    def _fate(decision: Decision) -> Fate:
        """What was found and is in step stays found when it is changed: a run of ours did not bring it."""
        was = decision.recorded
        if was is not None and was.fate is Fate.FOUND:
            return Fate.FOUND
        return Fate.NORMALISED if decision.renamed else Fate.COPIED

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        """Who stands on the list now, was meant to be put there; options that a death has cut off are completed."""
        del fence
        there = everybody(self.target, self.address, self.role)
        meant = [self.decisions[one.key] for one in intended if one.key in self.decisions]
        arrived = [one for one in meant if one.wanted.key in there]
        halves = [one for one in arrived if self._differing(one, there)]
        for start in range(0, len(halves), self.target.features.at_once):
            part = halves[start : start + self.target.features.at_once]
            self.target.update(self.address, [one.wanted for one in part])
        if halves:
            there = everybody(self.target, self.address, self.role)
        self.written |= {one.key: one for one in arrived}
        return [self._proven(one, there) for one in arrived if one.wanted.key in there]

    def _differing(self, decision: Decision, there: Mapping[str, Member]) -> list[str]:
        kept = self.target.as_kept
        return differences(kept(decision.wanted), kept(there[decision.wanted.key]))

    def _proven(self, decision: Decision, there: Mapping[str, Member]) -> Outcome:
        differing = self._differing(decision, there)
        if differing:
            put = self.lacking.get(decision.key, Put())
            note = f"the target says: {put.lacking.rstrip('.')}" if put.lacking else "is otherwise on the target's list"
            about = f"{decision.wanted.address}: {', '.join(differing)}"
            altered = self._arrived(decision, Fate.ALTERED, note, about)
            return replace(altered, cure=put.remedy or altered.cure)
        fate = self._fate(decision)
        mark = decision.mark if fate is Fate.FOUND else decision.mark.removesuffix(IN_STEP)
        return replace(self._arrived(decision, fate), mark=mark)

    def proven_in(self, there: Mapping[str, Member]) -> Iterator[Outcome]:
        """Those whom the target took and does not show in its roster, or shows otherwise, to be recorded anew."""
        for decision in self.written.values():
            if decision.wanted.key not in there:
                note, about = "the target took the address and does not have it on the list", decision.wanted.address
                yield Outcome(decision.key, Fate.LEFT_BEHIND, note=note, cure=CURE_FOR_MISSING, about=about)
            elif decision.key in self.lacking or self._differing(decision, there):
                yield self._proven(decision, there)
