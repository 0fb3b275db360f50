"""What is to become of everybody on a list, and of every setting, decided without asking anybody: by both rosters and by what is recorded.

A run of ours changes and removes only what a run of ours has brought. What the target's own people did since (left, changed their options)
stays, and is told. Members are compared as the target keeps them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from enum import Enum
from typing import Any

from migrator.addresses import Names, same_form
from migrator.engine.contract import ARRIVED, Fate, Outcome
from migrator.frozen import dataclass
from migrator.lists.model import (
    MEMBER_OPTIONS,
    NEUTRAL_MEMBER,
    OWN,
    Features,
    HeaderRule,
    Member,
    Role,
    Settings,
    Treatment,
    settings_of,
)
from migrator.panel.model import How

BROUGHT = frozenset({Fate.COPIED, Fate.NORMALISED, Fate.ALTERED})  # by a run of ours
HALFWAY = "was being brought when a run died, and is completed"
BEFORE = "|"  # in the mark of a member who is looked at again, behind what had become of him
NAME_STAYS = "~"  # begins the mark of somebody whose name the target had before us
IN_STEP = "="  # ends the mark of a member who was there before and was as at the source
SHOWN = 60  # characters of a value in a message
MANY = 10  # fewer who leave at once are never taken for a source that was cut short
NOBODY_LEFT = "the source shows nobody at all any more; nobody is taken off for that"
NONE_LEFT = "the source shows none of the {} any more; nobody is taken off for that"
MOST_LEFT = "whom we brought have left the list at the source at once; nobody is taken off for that"
CURE_FOR_ROLE = "Tell them by hand if it matters."  # of people in a role that the target does not know
STAYS = "has left the list at the source with most others; stays"
TITLES = {
    "name": "name",
    "delivery": "delivery",
    "stopped": "delivery stopped",
    "moderation": "moderation",
    "hidden": "hidden",
    "acknowledge": "acknowledgement of posts",
    "own_posts": "own posts",
    "list_copies": "list copies",
    "language": "language",
}


class Do(Enum):
    """What is done about one member, or one setting."""

    ADD = "+"
    CHANGE = "~"
    REMOVE = "-"
    KEEP = "="
    LEAVE = "!"  # is left behind
    SKIP = "/"  # is not wanted


# -- members ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """One member of the source, or one who has left it: who he is to be at the target, what is done, and why. `there` is who he is at the
    target now; `aside` says in words what happened at the target alone, which stays; `renamed` that this list calls him otherwise than he
    is called at a target with one name for a person; `doubted` says in words that he has left, with so many others that the source may not be whole.
    """

    key: str
    wanted: Member
    do: Do
    why: str = ""
    aside: str = ""
    there: Member | None = None
    mark: str = ""
    recorded: Outcome | None = None
    renamed: str = ""
    doubted: str = ""

    @property
    def brought(self) -> bool:
        """Whether it was a run of ours that put him on the target's list."""
        return self.recorded is not None and self.recorded.fate in BROUGHT

    @property
    def in_step(self) -> bool:
        """Whether he was at the target as he was at the source, when that was recorded."""
        return self.recorded is not None and (self.brought or self.recorded.mark.endswith(IN_STEP))

    @property
    def digest(self) -> str:
        """Tells whether the source still says what it said when this was recorded."""
        return digest_of(self.wanted, self.renamed)


def digest_of(member: Member, renamed: str = "") -> str:
    """Tells members with any difference apart."""
    return hashlib.sha256(f"{member!r}{renamed}".encode()).hexdigest()[:24]


def as_wanted(member: Member, names: Names, rule: Treatment | None, target: Features) -> Member:
    """A member of the source as he is wanted at the target: under the name the plan gives him, and with a treatment of his own where the
    target wants one; `rule` is then the source's for members without.
    """
    wanted = replace(member, address=names.address(same_form(member.address)))
    if wanted.moderation is None and wanted.role is Role.MEMBER and not target.inherits_moderation:
        wanted = replace(wanted, moderation=rule or Treatment.DEFER)
    return wanted


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier runs recorded of one role of one list, by key at the source. `unproven` says that the newest of it was not read again
    before its run died: what is missing then may never have arrived. `halfway` are those whom it was about to write.
    """

    outcomes: Mapping[str, Outcome]
    unproven: bool = False
    halfway: AbstractSet[str] = frozenset()

    @property
    def brought(self) -> int:
        """How many a run of ours has brought."""
        return sum(one.fate in BROUGHT for one in self.outcomes.values())


def decide(
    source: Mapping[str, Member], there: Mapping[str, Member], past: Past, as_kept: Callable[[Member], Member]
) -> list[Decision]:
    """A decision for everybody of one role at the source (as wanted, by their key at the source), in its order. `there` are those at the
    target, by key.
    """
    decisions: list[Decision] = []
    taken: dict[str, str] = {}
    for key, wanted in source.items():
        first = taken.setdefault(wanted.key, key)
        if first != key:
            decisions.append(Decision(key, wanted, Do.SKIP, _told_twice(key, wanted, first, source[first])))
            continue
        decisions.append(_decide(key, wanted, there.get(wanted.key), past, as_kept))
    return decisions


def _told_twice(key: str, wanted: Member, first: str, counts: Member) -> str:
    if not key.startswith(f"{first} ("):  # two addresses that the plan makes one
        return f"{wanted.address} is on the list already, as {first}"
    differing = differences(counts, wanted)
    otherwise = f", not this one ({', '.join(differing)})" if differing else ""
    return f"{wanted.address} stands on the source's list more than once; the first counts{otherwise}"


def decide_leavers(
    word: str,
    source: Mapping[str, Member],
    there: Mapping[str, Member],
    past: Past,
    *,
    removes: bool,
    many: bool = False,
) -> list[Decision]:
    """A decision for everybody of one role (`word`) who was on the source's list when that was recorded, and is not any more. `removes` says that those whom a
    run of ours has brought are taken off, `many` that they are however many they are. Nobody at all, or less than half of those who came,
    is more often a file that was cut short than a list that people have left; see `doubt_of_list` for all roles together.
    """
    wanted = {one.key for one in source.values()}
    left = [
        _of_leaver(one, there.get(one.ref), removes=removes)
        for key, one in past.outcomes.items()
        if key not in source and one.fate is not Fate.GONE and one.ref not in wanted
    ]
    leaving = sum(one.do is Do.REMOVE for one in left)
    if many:
        return left
    if not source:
        return in_doubt(left, NONE_LEFT.format(word))
    brought = past.brought
    return in_doubt(left, f"{leaving:,} of {brought:,} {MOST_LEFT}") if _are_most(leaving, brought) else left


def _are_most(leaving: int, brought: int) -> bool:
    return leaving >= MANY and 2 * leaving > brought


def in_doubt(leavers: Sequence[Decision], doubt: str) -> list[Decision]:
    """Those who have left; where there is a doubt, nobody of them is taken off for it."""
    return [
        replace(one, do=Do.KEEP, why=STAYS, doubted=doubt) if doubt and one.do is Do.REMOVE else one for one in leavers
    ]


@dataclass(frozen=True, slots=True)
class Leaving:
    """How many of one role have left at once: of whom we `brought`, the `leaving` are still at the target, and the source shows `shown`."""

    word: str
    shown: int
    brought: int
    leaving: int


def doubt_of_list(roles: Sequence[Leaving], *, owners: str, many: bool) -> str:
    """Why nobody of any role is taken off, "" where there is no doubt. A source that has lost everybody of a role (several, or even one
    owner, without whom no list is), most of one, or most of all together, is more often a file that was cut short than a list that people
    have left. `many` says that they are meant to go: then only a source that shows nobody at all is doubted.
    """
    leaving, brought = sum(one.leaving for one in roles), sum(one.brought for one in roles)
    if not any(one.shown for one in roles):
        return NOBODY_LEFT
    if many or brought <= 1:
        return ""
    for one in roles:
        if not one.shown and one.leaving and (one.leaving > 1 or one.word == owners):
            return NONE_LEFT.format(one.word)
        if _are_most(one.leaving, one.brought):
            return f"{one.leaving:,} of {one.brought:,} {one.word} {MOST_LEFT}"
    return f"{leaving:,} of {brought:,} of all roles {MOST_LEFT}" if _are_most(leaving, brought) else ""


def _decide(
    key: str, wanted: Member, there: Member | None, past: Past, as_kept: Callable[[Member], Member]
) -> Decision:
    kept = as_kept(wanted)
    recorded = past.outcomes.get(key)
    if recorded is None or recorded.fate not in ARRIVED:
        first = _first(key, wanted, there, kept, as_kept)
        is_half = key in past.halfway and first.do is Do.KEEP and first.why
        return replace(first, do=Do.CHANGE, why=HALFWAY) if is_half else first
    in_step = IN_STEP if recorded.mark.endswith(IN_STEP) else ""
    undecided = Decision(key, wanted, Do.KEEP, there=there, mark=marked(kept) + in_step, recorded=recorded)
    if there is None:
        missing = undecided.brought and past.unproven
        return (
            replace(undecided, do=Do.ADD) if missing else replace(undecided, aside="has left the target's list since")
        )
    differing = differences(kept, as_kept(there))
    if recorded.digest != undecided.digest and undecided.mark != recorded.mark.removeprefix(NAME_STAYS):
        return _changed(undecided, recorded, differing)
    if not differing or not undecided.in_step or recorded.fate is Fate.ALTERED:
        return undecided
    if undecided.brought and past.unproven:
        return replace(undecided, do=Do.CHANGE, why="not all options arrived")
    return replace(undecided, aside=f"changed at the target since ({', '.join(differing)}), which stays")


def _changed(undecided: Decision, recorded: Outcome, differing: Sequence[str]) -> Decision:
    """Of a member whom the source has changed since."""
    change = told_change(recorded.mark, undecided.mark)
    if not undecided.in_step:
        why = f"changed at the source ({change}); was here before with options of his own, which stay"
        return replace(undecided, why=why)
    return replace(undecided, do=Do.CHANGE, why=change) if differing else undecided


def _first(
    key: str, wanted: Member, there: Member | None, kept: Member, as_kept: Callable[[Member], Member]
) -> Decision:
    mark = marked(kept)
    if there is None:
        return Decision(key, wanted, Do.ADD, mark=mark)
    differing = differences(kept, as_kept(there))
    why = f"is on the list already, with other options, which stay ({', '.join(differing)})" if differing else ""
    return Decision(key, wanted, Do.KEEP, why, there=there, mark=mark if differing else mark + IN_STEP)


def _of_leaver(outcome: Outcome, there: Member | None, *, removes: bool) -> Decision:
    left = Decision(
        outcome.key, Member(outcome.ref or outcome.key), Do.KEEP, there=there, mark=outcome.mark, recorded=outcome
    )
    if outcome.fate not in ARRIVED:
        told_twice = outcome.fate is Fate.SKIPPED
        why = "was passed over, and the source" if told_twice else "has left the list at the source; was never brought"
        return replace(left, do=Do.SKIP, why=f"{why} says it no longer" if told_twice else why)
    if there is None:
        return replace(left, do=Do.SKIP, why="has left the list on both sides")
    if not left.brought:
        return replace(left, why="has left the list at the source; was on the target's before us, and stays")
    if not removes:
        return replace(left, why="has left the list at the source; stays on the target's (leavers: keep)")
    return replace(left, do=Do.REMOVE, why="has left the list at the source")


def is_settled(decision: Decision, outcome: Outcome | None) -> bool:
    """Whether what is recorded of a member is what would be recorded now."""
    if outcome is None or outcome.fate is Fate.LEFT_BEHIND or decision.do in {Do.ADD, Do.CHANGE, Do.REMOVE}:
        return False
    if decision.do is Do.SKIP:
        return outcome.fate in {Fate.SKIPPED, Fate.GONE}
    if outcome.fate in {Fate.COPIED, Fate.NORMALISED} and (outcome.fate is Fate.NORMALISED) != bool(decision.renamed):
        return False
    return outcome.fate in ARRIVED and outcome.digest == decision.digest


def reconsidered(outcome: Outcome) -> Outcome:
    """What is recorded of a member before he is looked at again; `as_before` tells from it what was recorded until then."""
    mark = outcome.mark if outcome.fate is Fate.LEFT_BEHIND else f"{outcome.fate.value}{BEFORE}{outcome.mark}"
    return replace(
        outcome,
        fate=Fate.LEFT_BEHIND,
        digest="",
        mark=mark,
        note="is looked at again",
        cure="This run sees to it.",
        about="",
    )


def as_before(outcome: Outcome) -> Outcome:
    """What was recorded of a member before a run that died looked at him again."""
    fate, parted, mark = outcome.mark.partition(BEFORE)
    if outcome.fate is not Fate.LEFT_BEHIND or not parted:
        return outcome
    return replace(outcome, fate=Fate(fate), mark=mark, note="", cure="")


def differences(wanted: Member, found: Member) -> list[str]:
    """In which options two members differ, in words: "delivery: regular instead of MIME digest"."""
    return [
        f"{TITLES[name]}: {shown(getattr(found, name))} instead of {shown(getattr(wanted, name))}"
        for name in MEMBER_OPTIONS
        if getattr(wanted, name) != getattr(found, name)
    ]


# -- marks: what a member was when he was recorded, for telling what changed ---------------------------------------------


def marked(member: Member) -> str:
    """A member's options in few characters: those that are not neutral."""
    said = {
        name: value.value if isinstance(value, Enum) else value
        for name in MEMBER_OPTIONS
        if (value := getattr(member, name)) != getattr(NEUTRAL_MEMBER, name)
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def told_change(before: str, after: str) -> str:
    """What changed between two marks, in words: "delivery: regular -> MIME digest"."""
    old, new = _said(before), _said(after)
    changed = [name for name in MEMBER_OPTIONS if old.get(name) != new.get(name)]
    return ", ".join(f"{TITLES[name]}: {_shown_in(old, name)} -> {_shown_in(new, name)}" for name in changed)


def _said(mark: str) -> Mapping[str, Any]:  # Any: an option's own type
    try:
        said = json.loads(mark.removeprefix(NAME_STAYS).removesuffix(IN_STEP) or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def name_told(mark: str) -> str:
    """The name in a mark; "" if it tells none."""
    return str(_said(mark).get("name", ""))


def name_stays(mark: str) -> bool:
    """Whether a mark is of somebody whose name the target had before us."""
    return mark.startswith(NAME_STAYS)


def named(decision: Decision, own: str, *, stays: bool) -> Decision:
    """A decision about somebody whom his list at the source calls `own`, at a target with one name for a person; `stays` says that this is
    the one he had there before us.
    """
    name = decision.wanted.name
    whose = "as the target had it" if stays else "as another list at the source says"
    renamed = (
        f"is called {name} on all lists of the target, {whose}; this one says {own}" if own not in {"", name} else ""
    )
    return replace(decision, renamed=renamed, mark=f"{NAME_STAYS}{decision.mark}" if stays else decision.mark)


def _shown_in(said: Mapping[str, Any], name: str) -> str:
    return shown(said[name] if name in said else getattr(NEUTRAL_MEMBER, name))


def shown(value: Any) -> str:  # Any: an option or a setting of any type
    """A value as people read it."""
    match value:
        case None:
            return "as the list has it"
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case HeaderRule():
            return f"{value.pattern}: {value.treatment.value}"
        case tuple():
            said = ", ".join(shown(one) for one in value[:3]) + (", ..." if len(value) > 3 else "")  # noqa: PLR2004
            return f"{len(value):,} ({said})" if value else "nothing"
        case _:
            text = " ".join(str(value).split())
            return (text if len(text) <= SHOWN else f"{text[:SHOWN]}...") or "nothing"


# -- what is lost of all members together --------------------------------------------------------------------------------


def not_kept(
    members: Sequence[Member], source: Features, target: Features, as_kept: Callable[[Member], Member]
) -> Iterator[tuple[int, str, str]]:
    """For each option that does not pass as it is: how many members it concerns, the option, and why. `as_kept` is the target's."""
    both = [(one, as_kept(one)) for one in members]
    for name in MEMBER_OPTIONS:
        word = f"member.{name}"
        concerned = sum(getattr(kept, name) != getattr(one, name) for one, kept in both)
        if concerned and target.kept(word).how is not How.KEPT:
            yield concerned, TITLES[name], target.kept(word).why
        if source.told(word).how is How.LOST and members:
            yield len(members), TITLES[name], source.told(word).why


# -- settings ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SettingDecision:
    """One setting of the source: what is done about it, and why. `kept` is the value as the target keeps it, None where it has no place."""

    name: str
    value: Any  # Any: the setting's own type
    do: Do
    why: str = ""
    cure: str = ""
    aside: str = ""
    kept: Any = None  # Any: as above

    @property
    def digest(self) -> str:
        """Tells whether the source still says what it said when this was recorded."""
        return setting_digest(self.value)


def setting_digest(value: Any) -> str:  # Any: as above
    """Tells values apart."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:24]


def title_of(name: str) -> str:
    """A setting in words: `subject_prefix` is "subject prefix"; one of a single product keeps that product's name for it."""
    return name.removeprefix(OWN) if name.startswith(OWN) else name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Ends:
    """Both sides of a list, for deciding about its settings. `as_kept` is the target's; `ours` says that a run of ours made the list, or that
    the plan says to configure it all the same; `usual` is what the source's list would have had nobody set anything; `unwanted` are the
    settings that the plan leaves out.
    """

    source: Features
    target: Features
    as_kept: Callable[[Settings], Settings]
    ours: bool
    usual: Mapping[str, Any] = field(default_factory=dict)  # Any: as in Settings.told
    unwanted: AbstractSet[str] = frozenset()


def decide_settings(
    told: Mapping[str, Any],  # Any: as in Settings.told
    there: Mapping[str, Any],
    recorded: Mapping[str, Outcome],
    ends: Ends,
) -> list[SettingDecision]:
    """A decision for every setting the source tells. `there` is what is set at the target, empty where the list is not there yet."""
    same_family = ends.source.shares_own_with(ends.target)
    passing = {name: value for name, value in told.items() if same_family or not name.startswith(OWN)}
    kept = ends.as_kept(settings_of(passing)).told()
    there = ends.as_kept(settings_of(there)).told()
    return [
        _not_wanted(name, value, kept.get(name))
        if name in ends.unwanted
        else _decide_setting(name, value, kept, there, recorded.get(name), ends)
        if name in kept
        else _without_place(name, value, ends)
        for name, value in told.items()
    ]


def _not_wanted(name: str, value: Any, kept: Any) -> SettingDecision:  # Any: the setting's own type
    return SettingDecision(name, value, Do.SKIP, "the plan leaves it out (settings: except)", kept=kept)


def _decide_setting(
    name: str,
    value: Any,  # Any: as above
    kept: Mapping[str, Any],
    there: Mapping[str, Any],
    recorded: Outcome | None,
    ends: Ends,
) -> SettingDecision:
    wanted = kept[name]
    if not ends.ours:
        if there.get(name) == wanted:
            return SettingDecision(name, value, Do.KEEP, kept=wanted)
        why = f"the target's own stays ({shown(there.get(name))} instead of {shown(wanted)})"
        return SettingDecision(name, value, Do.SKIP, why, kept=wanted)
    if recorded is not None and recorded.fate in ARRIVED and recorded.digest == setting_digest(value):
        aside = ""
        if there and there.get(name) != wanted and recorded.fate is not Fate.ALTERED:
            aside = f"changed at the target since ({shown(there.get(name))} instead of {shown(wanted)}), which stays"
        return SettingDecision(name, value, Do.KEEP, aside=aside, kept=wanted)
    if name in there and there[name] == wanted:
        return SettingDecision(name, value, Do.KEEP, kept=wanted)
    return SettingDecision(name, value, Do.CHANGE, kept=wanted)


def _without_place(name: str, value: Any, ends: Ends) -> SettingDecision:  # Any: as above
    keep = ends.target.kept(f"list.{name}")
    why = keep.why or f"{ends.target.title} has nothing like it"
    if value in ("", (), False, 0, None) or getattr(value, "name", "") in {"NOTHING", "NONE"}:
        return SettingDecision(name, value, Do.SKIP, f"{why}; it says nothing at the source")
    if value == ends.usual.get(name):
        return SettingDecision(name, value, Do.SKIP, f"{why}; at the source it is as usual ({shown(value)})")
    cure = f"See to it by hand at the target if it matters; if not, write settings: {{except: [{name}]}} in the step."
    return SettingDecision(name, value, Do.LEAVE, f"{why}; at the source: {shown(value)}", cure)


def is_settled_setting(decision: SettingDecision, outcome: Outcome | None) -> bool:
    """Whether what is recorded of a setting is what would be recorded now."""
    if outcome is None or decision.do is Do.CHANGE:
        return False
    if decision.do is Do.LEAVE:
        return outcome.fate is Fate.LEFT_BEHIND and outcome.digest == decision.digest
    if outcome.fate is Fate.LEFT_BEHIND:
        return False
    return (outcome.fate is Fate.SKIPPED) == (decision.do is Do.SKIP)
