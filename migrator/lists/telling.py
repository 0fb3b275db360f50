"""What a preview and a report say of a list, in words: counts, who joined and who left, and what does not mean the same any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum

from migrator.engine.contract import ARRIVED, Fate, Finding, Outcome, Weight
from migrator.frozen import dataclass
from migrator.lists.contract import ListReader
from migrator.lists.decisions import (
    CURE_FOR_ROLE,
    HALFWAY,
    Decision,
    Do,
    SettingDecision,
    differences,
    not_kept,
    shown,
    title_of,
)
from migrator.lists.model import Member, Settings
from migrator.lists.visit import Roster

NAMED = 5  # people named in a finding
MANY_LEFT = "If the source is whole and they are meant to go, write leavers: remove-many in the step."


class _Outlook(Enum):
    """What is to become of one person, in the words of a preview's line, in its order."""

    ADD = "add {:,}"
    REFUSED = "{:,} will be refused"
    AGAIN = "{:,} left behind before, tried again"
    COMPLETE = "complete {:,}"
    CHANGE = "change {:,}"
    THERE = "{:,} there already"
    CHANGED_THERE = "{:,} changed at the target since"
    LEFT_THERE = "{:,} left the target since"
    LEAVE = "{:,} left behind"
    OVER = "{:,} passed over"
    REMOVE = "take off {:,}"  # from here on, those who have left the source
    STAY = "{:,} who left stay"
    OFF = "{:,} who left are off already"


_BY_DEED = {
    Do.ADD: _Outlook.ADD,
    Do.CHANGE: _Outlook.CHANGE,
    Do.KEEP: _Outlook.THERE,
    Do.LEAVE: _Outlook.LEAVE,
    Do.SKIP: _Outlook.OVER,
}
_OF_LEAVERS = (_Outlook.REMOVE, _Outlook.STAY, _Outlook.OFF)
WRITTEN = frozenset({_Outlook.ADD, _Outlook.COMPLETE, _Outlook.CHANGE, _Outlook.REMOVE})


def outlook(roster: Roster, refusals: Mapping[str, str]) -> Counter[_Outlook]:
    """How many are to become what: everybody of the source once, and everybody who has left it once."""
    counts = Counter(_outlook_of(one, roster, refusals) for one in roster.decisions)
    leaving = {Do.REMOVE: _Outlook.REMOVE, Do.KEEP: _Outlook.STAY}
    return counts + Counter(leaving.get(one.do, _Outlook.OFF) for one in roster.leavers)


def _outlook_of(one: Decision, roster: Roster, refusals: Mapping[str, str]) -> _Outlook:
    match one.do:
        case Do.ADD if one.key in refusals:
            return _Outlook.REFUSED
        case Do.ADD if _was_refused(one, roster):
            return _Outlook.AGAIN
        case Do.CHANGE if one.why == HALFWAY:
            return _Outlook.COMPLETE
        case Do.KEEP if one.aside:
            return _Outlook.LEFT_THERE if one.there is None else _Outlook.CHANGED_THERE
    return _BY_DEED[one.do]


def _was_refused(one: Decision, roster: Roster) -> bool:
    outcome = roster.past.outcomes.get(one.key)
    return outcome is not None and outcome.fate is Fate.LEFT_BEHIND


def to_move(roster: Roster, refusals: Mapping[str, str]) -> int:
    """How many a run is going to write."""
    return sum(number for each, number in outlook(roster, refusals).items() if each in WRITTEN)


def summary(roster: Roster, refusals: Mapping[str, str]) -> str:
    """One line for everybody of a role: those of the source add up to their number, and those who have left it stand apart."""
    counts = outlook(roster, refusals)
    if not roster.to_do and counts.keys() <= {_Outlook.THERE}:
        return f"{len(roster.decisions):,} as they should be"
    if counts.keys() == {_Outlook.THERE}:
        return f"{len(roster.decisions):,} there already; a run takes note of it and writes nothing"
    of_source = [each.value.format(counts[each]) for each in _Outlook if counts[each] and each not in _OF_LEAVERS]
    of_leavers = [each.value.format(counts[each]) for each in _OF_LEAVERS if counts[each]]
    return "; ".join(filter(None, (", ".join(of_source), ", ".join(of_leavers))))


def details(roster: Roster, refusals: Mapping[str, str], *, delta: bool) -> Iterator[str]:
    """Both ways, one by one: who joined, left or changed at the source since the first pass (`delta`: it is over), and who at the target."""
    for one in (*roster.decisions, *roster.leavers):
        yield from _detail(one, roster, refusals, delta=delta)
    if roster.past.outcomes:
        expected = {one.wanted.key for one in (*roster.decisions, *roster.leavers)}
        expected |= {one.ref for one in roster.past.outcomes.values() if one.fate in ARRIVED}
        alone = (member for key, member in roster.there.items() if key not in expected)
        yield from (f"= {member.address}  (on the target's list alone, and stays)" for member in alone)


def _detail(one: Decision, roster: Roster, refusals: Mapping[str, str], *, delta: bool) -> Iterator[str]:
    why = "; ".join(filter(None, (one.why, one.aside)))
    match one.do:
        case Do.ADD if one.key in refusals:
            yield f"! {one.wanted.address}  (will be refused: {refusals[one.key]})"
        case Do.ADD if _was_refused(one, roster):
            yield f"! {one.wanted.address}  (left behind before, tried again: {roster.past.outcomes[one.key].note})"
        case Do.ADD:
            said = "; ".join(filter(None, ("joined at the source" if delta else "", one.renamed)))
            if said:
                yield f"+ {one.wanted.address}  ({said})"
        case Do.CHANGE | Do.REMOVE:
            yield f"{one.do.value} {one.wanted.address}  ({why})"
        case Do.LEAVE | Do.SKIP:
            yield f"! {one.wanted.address}  ({why.removeprefix(f'{one.wanted.address} ')})"
        case Do.KEEP if why:
            yield f"= {one.wanted.address}  ({why})"


def differences_of_meaning(
    about: str, word: str, people: Sequence[Member], source: ListReader, target: ListReader
) -> Iterator[Finding]:
    """What does not pass as it is, once for a list and reason, never for each member."""
    titles: dict[str, dict[int, list[str]]] = {}
    for count, title, why in not_kept(people, source.features, target.features, target.as_kept):
        titles.setdefault(why, {}).setdefault(count, []).append(title)
    for why, by_count in titles.items():
        parts = (f"{', '.join(options)} of {_counted(count, word)}" for count, options in by_count.items())
        text = f"{'; '.join(parts)}: {why}"
        yield Finding("not-kept", Weight.NOTE, about, text)


def names_of_meaning(about: str, roster: Roster, target: ListReader) -> Iterator[Finding]:
    """That a list calls people otherwise than the target will, once for all of them."""
    renamed = [one for one in roster.decisions if one.renamed]
    if renamed:
        text = f"name of {_counted(len(renamed), roster.word)}: {target.features.kept('member.name').why} ({_some(renamed)})"
        yield Finding("not-kept", Weight.NOTE, about, text)


def _counted(number: int, word: str) -> str:
    """`word` is of several."""
    return f"{number:,} {word if number != 1 else word.removesuffix('s')}"


def _some(several: Sequence[Decision]) -> str:
    addresses = [one.wanted.address for one in several]
    return ", ".join(addresses[:NAMED]) + (", ..." if len(addresses) > NAMED else "")


def taken_off(about: str, word: str, removed: Sequence[Decision]) -> Finding:
    """Who is off the list now, the one thing that a move ever takes away at a target."""
    text = f"taken off, because they have left the list at the source: {len(removed):,} ({_some(removed)})"
    return Finding("taken-off", Weight.WARNING, f"{about}: {word}", text, "Nothing, if that was meant.")


def told_apart(about: str, roster: Roster) -> Iterator[Finding]:
    """What is otherwise at the target since, and who stays though he has left: once for each reason."""
    by_reason: dict[str, list[Decision]] = {}
    for one in roster.decisions:
        if one.aside:
            reason = (
                "left the target's list since; they stay off it"
                if one.there is None
                else "changed at the target since, which stays"
            )
            by_reason.setdefault(reason, []).append(one)
    for one in roster.leavers:
        if one.do is Do.KEEP and not one.doubted:
            by_reason.setdefault(one.why.removeprefix("has "), []).append(one)
    for reason, several in by_reason.items():
        text = f"{len(several):,} {reason} ({_some(several)})"
        yield Finding("otherwise-at-target", Weight.NOTE, about, text)


def doubted(roster: Roster) -> str:
    """That so many have left the source at once that nobody is taken off; "" where that is not so."""
    several = [one for one in roster.leavers if one.doubted]
    return f"{several[0].doubted} ({_some(several)})" if several else ""


def people_behind(roster: Roster) -> Iterator[tuple[str, str]]:
    """That the target has nothing of this role, once for each reason, and what to do."""
    for why, number in Counter(one.why for one in roster.decisions if one.do is Do.LEAVE).items():
        yield f"{_counted(number, roster.word)} will be left behind: {why}", CURE_FOR_ROLE


def settings_behind(decisions: Iterable[SettingDecision]) -> Iterator[tuple[str, str]]:
    """Which settings have no place at the target, once for all of them, and what to do; why is told with each of them (`setting_details`)."""
    behind = [one.name for one in decisions if one.do is Do.LEAVE]
    if behind:
        named, it, matters = ", ".join(behind), *(("them", "they matter") if len(behind) > 1 else ("it", "it matters"))
        cure = f"See to {it} by hand at the target if {matters}; if not, write settings: {{except: [{named}]}} in the step."
        yield f"{_counted(len(behind), 'settings')} will be left behind: {', '.join(map(title_of, behind))}", cure


def setting_summary(decisions: Sequence[SettingDecision], to_do: Sequence[SettingDecision]) -> str:
    """One line for all settings; nothing where there are none."""
    if not decisions:
        return ""
    counts = Counter(one.do for one in decisions)
    if not to_do and not counts[Do.LEAVE]:
        return f"{len(decisions):,} as they should be"
    words = (
        (Do.CHANGE, "set {:,}"),
        (Do.KEEP, "{:,} as they should be"),
        (Do.SKIP, "{:,} passed over"),
        (Do.LEAVE, "{:,} left behind"),
    )
    return ", ".join(word.format(counts[do]) for do, word in words if counts[do])


def setting_details(decisions: Iterable[SettingDecision], recorded: Mapping[str, Outcome]) -> Iterator[str]:
    """The settings that are lost, that changed since the first pass, and that stay as the target has them."""
    for one in decisions:
        title = title_of(one.name)
        if one.do is Do.LEAVE:
            yield f"! {title}  ({one.why})"
        elif one.do is Do.CHANGE and one.name in recorded:
            yield f"~ {title}  ({shown(one.kept)}, changed at the source)"
        elif one.aside or (one.do is Do.SKIP and one.kept is not None):
            yield f"= {title}  ({one.aside or one.why})"


# -- proving ----------------------------------------------------------------------------------------------------------


def compared(about: str, roster: Roster, target: ListReader) -> Iterator[Finding]:
    """What the target's roster does not say that the source's says, but for what is on record; those of whom nothing is, in one finding."""
    yield from _not_moved(about, roster.word, [one for one in roster.decisions if one.key not in roster.past.outcomes])
    found: dict[_Difference, list[tuple[Decision, str]]] = {}
    for one in roster.decisions:
        if outcome := roster.past.outcomes.get(one.key):
            for kind, words in _compared(one, outcome, roster.there, target):
                found.setdefault(kind, []).append((one, words))
    for leaver in roster.leavers:
        if leaver.do is Do.REMOVE or leaver.doubted:
            kind = replace(_NOT_OFF, remedy=MANY_LEFT) if leaver.doubted else _NOT_OFF
            found.setdefault(kind, []).append((leaver, ""))
    for kind, several in found.items():
        yield _differs(about, roster.word, kind, several)


def _not_moved(about: str, word: str, several: Sequence[Decision]) -> Iterator[Finding]:
    if several:
        are = "is" if len(several) == 1 else "are"
        text = f"{_counted(len(several), word)} {are} not moved yet ({_some(several)})"
        yield Finding("not-moved", Weight.DIFFERENCE, about, text, "Run again.")


@dataclass(frozen=True, slots=True)
class _Difference:
    """A kind of difference: in words for one person and for several, and what to do about it."""

    code: str
    of_one: str
    of_several: str
    remedy: str = "Run again."


_NOT_OFF = _Difference(
    "not-taken-off",
    "has left the list at the source, and is on the target's",
    "have left the list at the source, and are on the target's",
)
_MISSING = _Difference(
    "missing",
    "was brought and is not on the target's list any more",
    "were brought and are not on the target's list any more",
    "If they did not leave it themselves, add them by hand.",
)


def _differing(option: str) -> _Difference:
    return _Difference("differs", "", f"differ in {option}", "Correct it at the target, if it was not meant there.")


def _compared(
    decision: Decision, outcome: Outcome, there: Mapping[str, Member], target: ListReader
) -> Iterator[tuple[_Difference, str]]:
    """What is otherwise with one person, and how: "delivery: regular instead of MIME digest"."""
    if outcome.fate not in ARRIVED:
        return
    found = there.get(decision.wanted.key)
    if found is None:
        yield _MISSING, ""
    elif not (outcome.fate is Fate.ALTERED or (outcome.fate is Fate.FOUND and outcome.note)):
        for one in differences(target.as_kept(decision.wanted), target.as_kept(found)):
            yield _differing(one.partition(":")[0]), one


def _differs(about: str, word: str, kind: _Difference, several: Sequence[tuple[Decision, str]]) -> Finding:
    """One finding for everybody of whom the same is to be said."""
    one, words = several[0]
    if len(several) == 1:
        address = one.wanted.address
        text = f"{address}: {words or kind.of_one}"
        return Finding(kind.code, Weight.DIFFERENCE, address, text, kind.remedy)
    named = [f"{each.wanted.address}{f': {said}' if said else ''}" for each, said in several]
    names = f"{'; '.join(named[:NAMED])}{'; ...' if len(named) > NAMED else ''}"
    remedy = f"{kind.remedy}{' The preview names each.' if len(named) > NAMED else ''}"
    return Finding(
        kind.code, Weight.DIFFERENCE, about, f"{_counted(len(several), word)} {kind.of_several} ({names})", remedy
    )


def compared_settings(
    address: str, decisions: Mapping[str, SettingDecision], there: Settings, recorded: Mapping[str, Outcome]
) -> Iterator[Finding]:
    """What is set otherwise at the target than it was set by us; `there` as the target keeps it."""
    found = there.told()
    for name, decision in decisions.items():
        outcome, about = recorded.get(name), f"{address}: {title_of(name)}"
        if outcome is None:
            yield Finding("not-moved", Weight.DIFFERENCE, about, f"{about}: nothing is recorded of it", "Run again.")
        elif outcome.fate in ARRIVED - {Fate.ALTERED} and found.get(name) != decision.kept:
            text = f"{about}: {shown(found.get(name))} instead of {shown(decision.kept)}"
            yield Finding("differs", Weight.DIFFERENCE, about, text, "Correct it at the target, if it was not meant.")
