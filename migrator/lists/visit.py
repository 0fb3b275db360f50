"""One list with both its sides open: how far it has come, and what is to become of everybody on it and of every setting. Reads only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from typing import Any

from migrator.addresses import Names
from migrator.engine.contract import ARRIVED, Outcome, Reading
from migrator.frozen import dataclass
from migrator.lists.calling import WORDS, Calling
from migrator.lists.contract import ForeseesRefusals, KnowsNames, ListReader, MakesInSteps
from migrator.lists.decisions import (
    BROUGHT,
    Decision,
    Do,
    Ends,
    Leaving,
    Past,
    SettingDecision,
    as_before,
    as_wanted,
    decide,
    decide_leavers,
    decide_settings,
    doubt_of_list,
    in_doubt,
    is_settled,
    name_stays,
    name_told,
    named,
)
from migrator.lists.model import Member, Role, Settings, settings_of
from migrator.lists.moving import MADE, everybody, is_there
from migrator.lists.naming import ListPlan
from migrator.lists.options import ListsOptions

ROLES = WORDS
WORD_OF = {role: word for word, role in ROLES.items()}
EMERGENCY = "emergency"
# Facts of actions.
QUIET = "quiet"  # of the list: what is held and silenced, and what it was before
RELEASED = "released"  # of the release: the round of it that is over
OPENED = "opened"  # of the release: the making of the list that has been opened once
BEGUN = "begun"  # of settings and of a role: for which making of the list the records hold
FILLED = "filled"  # of a role: for which making of the list everybody has been brought once
DOUBTS = "doubts"  # of a role: so many had left the source at once that nobody was taken off, which is on record as a finding
UNPROVEN = "unproven"  # of a role: something was written that has not been read again


@dataclass(frozen=True, slots=True)
class Quiet:
    """What is held and silenced on a target's list: the round, the making of the list it belongs to, and what each setting was before."""

    round: int = 0
    making: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)  # Any: a setting's own type

    @classmethod
    def read(cls, fact: str) -> Quiet:
        """From a remembered fact; nothing is quiet without one."""
        return cls(**json.loads(fact)) if fact else cls()

    def fact(self) -> str:
        """To be remembered."""
        return json.dumps({"round": self.round, "making": self.making, "before": dict(self.before)})

    @property
    def settings(self) -> Settings:
        """What has to be set while it is quiet."""
        return settings_of({name: name == EMERGENCY for name in self.before})


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a list has come. `making` tells which making of it by a run of ours is at the target, "" for a list that was there before
    us; `quiet` what is held and silenced, None if nothing is; `opened` whether this making has been opened once. `cut_off` says that a run
    died while it made the list.
    """

    is_there: bool
    making: str
    quiet: Quiet | None
    opened: bool
    cut_off: bool = False

    @property
    def ours(self) -> bool:
        """Whether a run of ours made it, or is going to."""
        return not self.is_there or bool(self.making)


def standing_of(key: str, address: str, target: ListReader, read: Reading) -> Standing:
    """How far the list of this subject has come; `address` is the target's."""
    there = is_there(target, address)
    outcome = read.settled(f"{key}/list", [MADE]).get(MADE)
    making = outcome.mark if there and outcome is not None and outcome.fate in BROUGHT else ""
    cut_off = not making and MADE in read.intended(f"{key}/list")
    if cut_off and isinstance(target, MakesInSteps) and target.is_begun(address):
        there = False  # until it is completed
    if there and cut_off:
        making = next_making(outcome)
    facts = read.remembered(f"{key}/release")
    quiet = Quiet.read(read.remembered(f"{key}/list").get(QUIET, ""))
    is_quiet = there and quiet.round > int(facts.get(RELEASED, "0")) and quiet.making == making
    opened = there and facts.get(OPENED, "") == making
    return Standing(there, making, quiet if is_quiet else None, opened, cut_off)


def next_making(before: Outcome | None) -> str:
    """What tells the next making of a list from the one that is recorded."""
    return str(int((before.mark if before is not None else "") or "0") + 1)


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody of one role on both sides, and what is to become of them."""

    word: str
    people: Mapping[str, Member]  # as wanted, by key at the source
    there: Mapping[str, Member]
    past: Past
    decisions: Sequence[Decision]
    leavers: Sequence[Decision] = ()
    doubt: str = ""  # about the whole list: why nobody of any role is taken off

    @property
    def leaving(self) -> Leaving:
        """How many have left at once, and would be taken off if nothing were doubted."""
        going = sum(one.do is Do.REMOVE or bool(one.doubted) for one in self.leavers)
        return Leaving(self.word, len(self.people), self.past.brought, going)

    @property
    def to_do(self) -> list[Decision]:
        """What a run has to look at."""
        recorded = self.past.outcomes
        unsettled = [one for one in self.decisions if not is_settled(one, recorded.get(one.key))]
        return [*unsettled, *(one for one in self.leavers if one.do is not Do.KEEP or one.doubted)]

    @property
    def writes(self) -> bool:
        """Whether the target's roster is going to change."""
        return any(one.do in {Do.ADD, Do.CHANGE, Do.REMOVE} for one in (*self.decisions, *self.leavers))


@dataclass(frozen=True, slots=True)
class Visit:
    """See the module. `key` is the subject's; `people` answers everybody of one role at the source, `calling` what they are to be called, `tell` answers what the source says of the whole list, `see` what is set for the target's. They
    are asked when that is needed: some products take as many requests for it as for hundreds of members.
    """

    key: str
    plan: ListPlan
    options: ListsOptions
    names: Names
    source: ListReader
    target: ListReader
    read: Reading
    standing: Standing
    people: Callable[[Role], Mapping[str, Member]]
    calling: Callable[[], Calling]
    tell: Callable[[], Settings]
    see: Callable[[], Settings]

    def roster(self, word: str, doubt: str = "") -> Roster:
        """Everybody of one role. With a `doubt` about the whole list nobody is taken off. Raises NotFound if the source has the list no
        longer.
        """
        role, key, target = ROLES[word], f"{self.key}/{word}", self.target
        wants_one = role is Role.MEMBER and not target.features.inherits_moderation
        rule = self.tell().member_treatment if wants_one else None
        people = {
            one: as_wanted(member, self.names, rule, target.features) for one, member in self.people(role).items()
        }
        there = self._there(role, {one.key for one in people.values()}) if self.standing.is_there else {}
        past = self._past(key)
        if role not in target.features.roles:
            why = f"{target.features.title} has no {word}"
            return Roster(word, people, there, past, [Decision(one, who, Do.LEAVE, why) for one, who in people.items()])
        leaving = self.options.leavers
        leavers = decide_leavers(word, people, there, past, removes=leaving != "keep", many=leaving == "remove-many")
        leavers = in_doubt(leavers, doubt)
        if not target.features.shares_names or not isinstance(target, KnowsNames):
            return Roster(word, people, there, past, decide(people, there, past, target.as_kept), leavers)
        called, stays = self._called(people, there, past, target)
        decisions = [
            named(one, target.as_kept(people[one.key]).name, stays=one.key in stays)
            for one in decide(called, there, past, target.as_kept)
        ]
        return Roster(word, people, there, past, decisions, leavers)

    def _there(self, role: Role, wanted: AbstractSet[str]) -> dict[str, Member]:
        """Everybody of one role at the target; who is a member there only because he has another role is told with that."""
        there = everybody(self.target, self.plan.target, role)
        if role is not Role.MEMBER or not self.target.features.staff_are_members:
            return there
        staff = {key for role in (Role.OWNER, Role.MODERATOR) for key in everybody(self.target, self.plan.target, role)}
        return {key: one for key, one in there.items() if key in wanted or key not in staff}

    def rosters(self) -> list[Roster]:
        """Everybody of every role that the source tells; nobody is taken off where the whole list is doubted."""
        found = [self.roster(word) for word, role in ROLES.items() if role in self.source.features.roles]
        doubt = doubt_of_list(
            [one.leaving for one in found],
            owners=WORD_OF[Role.OWNER],
            many=self.options.leavers == "remove-many",
        )
        return [replace(one, leavers=in_doubt(one.leavers, doubt), doubt=doubt) for one in found]

    def _called(
        self, people: Mapping[str, Member], there: Mapping[str, Member], past: Past, target: KnowsNames
    ) -> tuple[dict[str, Member], set[str]]:
        """Everybody with the name he is to have at a target that keeps one for a person; and who keeps the one he had there before us."""
        calling = self.calling()
        settled = {key for key, one in past.outcomes.items() if one.fate in ARRIVED}
        asked = [one.key for key, one in people.items() if key not in settled and one.key not in there]
        found = dict(target.names(asked)) if asked else {}
        found |= {key: one.name for key, one in there.items()}
        called, stays = {}, set[str]()
        for key, one in people.items():
            name, now = calling.names.get(one.key, one.name), found.get(one.key, "")
            before_us = name_stays(past.outcomes[key].mark) if key in settled else not calling.is_ours(one.key, now)
            if before_us and not now:
                now = name_told(past.outcomes[key].mark)
            # Who is on this very list already is told as such where he has another name.
            if before_us and now != name and (key in settled or one.key not in there or not name):
                stays.add(key)
                name = now
            called[key] = replace(one, name=name)
        return called, stays

    def _past(self, key: str) -> Past:
        """What is recorded of a role, unless it is of another making of the list."""
        if not self.holds_for_this_making(key):
            return Past({})
        unproven = bool(self.read.remembered(key).get(UNPROVEN))
        outcomes = {one.key: as_before(one) for one in self.read.outcomes(key)}
        return Past(outcomes, unproven, self.read.intended(key))

    def was_filled(self, word: str) -> bool:
        """Whether a run has been through everybody of one role to the end, so that what is new came since."""
        return self.read.remembered(f"{self.key}/{word}").get(FILLED, "") == self.making

    def was_doubted(self, word: str) -> bool:
        """Whether the newest run through one role told that the source may not be whole: what is on record of that has to be looked at anew."""
        return bool(self.read.remembered(f"{self.key}/{word}").get(DOUBTS))

    @property
    def making(self) -> str:
        """What the records of the list's parts are kept under."""
        return self.standing.making or "0"

    def holds_for_this_making(self, key: str) -> bool:
        """Whether what is recorded of an action is of the list that is at the target now, not of one that was deleted."""
        return self.standing.is_there and self.read.remembered(key).get(BEGUN, self.making) == self.making

    def settings(self, part: str) -> dict[str, SettingDecision]:
        """What becomes of the settings that belong to "settings" or, because they are held or silenced meanwhile, to "release"."""
        waiting = self.waiting
        told = self.tell().told()
        chosen = {name: value for name, value in told.items() if (name in waiting) == (part == "release")}
        there = self.see().told() if self.standing.is_there else {}
        if self.standing.quiet is not None:
            there |= self.standing.quiet.before
        key = f"{self.key}/{part}"
        recorded = self.read.settled(key, [*chosen]) if self.holds_for_this_making(key) else {}
        ours = self.standing.ours or self.options.existing == "configure"
        usual = self.source.features.usual(self.plan.address, told)
        unwanted = frozenset(self.options.settings.except_)
        ends = Ends(self.source.features, self.target.features, self.target.settings_as_kept, ours, usual, unwanted)
        return {one.name: one for one in decide_settings(chosen, there, recorded, ends)}

    def banned(self) -> Sequence[str]:
        """Whom the target's list will not take, by address or pattern, once its settings are as this step leaves them."""
        decision = self.settings("settings").get("banned")
        if decision is not None and decision.do in {Do.KEEP, Do.CHANGE} and not decision.aside:
            return tuple(decision.kept or ())
        return (self.see().banned or ()) if self.standing.is_there else ()

    def refusals(self, roster: Roster) -> dict[str, str]:
        """Who is to be added and will be refused, as far as that can be known before, by key; and why."""
        adding = [one for one in roster.decisions if one.do is Do.ADD]
        if not adding or not self.target.features.foresees_refusals or not isinstance(self.target, ForeseesRefusals):
            return {}
        banned = self.banned()
        told = {one.key: self.target.why_not(self.plan.target, one.wanted, banned) for one in adding}
        return {key: why for key, why in told.items() if why}

    def is_filled(self, word: str) -> bool:
        """Whether everybody of one role has been brought once, and what was written was read again."""
        facts = self.read.remembered(f"{self.key}/{word}")
        once = not self.standing.ours or self.standing.opened or facts.get(FILLED, "") == self.making
        return once and not facts.get(UNPROVEN)

    @property
    def holding(self) -> AbstractSet[str]:
        """The setting that holds posts, where the target has it and sends any."""
        if not self.target.features.sends:
            return frozenset()
        kept = self.target.settings_as_kept(Settings(emergency=True)).told()
        return frozenset({EMERGENCY} & kept.keys())

    @property
    def holds(self) -> bool:
        """Whether posts are to be held: on a list of ours that has not been opened yet."""
        return self.standing.ours and not self.standing.opened and self.options.hold != "never"

    @property
    def waiting(self) -> AbstractSet[str]:
        """The settings that are otherwise while a list is filled, and follow when it is released."""
        return self.target.features.noisy | self.holding

    def loud(self) -> dict[str, Any]:  # Any: a setting's own type
        """What has to be otherwise while the list changes, as it is set at the target now."""
        if not self.standing.is_there:
            return {}
        now = self.see().told()
        names = self.target.features.noisy | (self.holding if self.holds else frozenset())
        return {name: now[name] for name in sorted(names) if name in now and now[name] is not (name == EMERGENCY)}
