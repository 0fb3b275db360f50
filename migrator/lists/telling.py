"""What a preview and a report say of a list, in words: counts, who joined and who left, and what does not mean the same any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from migrator.engine.contract import ARRIVED, Fate, Finding, Outcome, Weight
from migrator.lists.contract import ListReader
from migrator.lists.decisions import Decision, Do, SettingDecision, differences, not_kept, shown, title_of
from migrator.lists.model import Member, Settings
from migrator.lists.visit import Roster

NAMED = 5  # people named in a finding


def summary(roster: Roster) -> str:
    """One line for everybody of a role."""
    counts = Counter(one.do for one in (*roster.decisions, *roster.leavers))
    asides = sum(bool(one.aside) for one in roster.decisions)
    if not roster.to_do and not asides:
        return f"{len(roster.decisions):,} as they should be"
    words = (
        (Do.ADD, "add {:,}"),
        (Do.CHANGE, "change {:,}"),
        (Do.REMOVE, "take off {:,}"),
        (Do.KEEP, "{:,} there already"),
        (Do.LEAVE, "{:,} left behind"),
        (Do.SKIP, "{:,} passed over"),
    )
    parts = [word.format(counts[do]) for do, word in words if counts[do]]
    return ", ".join([*parts, *([f"{asides:,} otherwise at the target since"] if asides else [])])


def details(roster: Roster) -> Iterator[str]:
    """Both ways, one by one: who joined, left or changed at the source since the first pass, and who at the target."""
    delta = bool(roster.past.outcomes)
    for one in (*roster.decisions, *roster.leavers):
        yield from _detail(one, delta=delta)
    if delta:
        expected = {one.wanted.key for one in (*roster.decisions, *roster.leavers)}
        expected |= {one.ref for one in roster.past.outcomes.values() if one.fate in ARRIVED}
        alone = (member for key, member in roster.there.items() if key not in expected)
        yield from (f"= {member.address}  (on the target's list alone, and stays)" for member in alone)


def _detail(one: Decision, *, delta: bool) -> Iterator[str]:
    why = "; ".join(filter(None, (one.why, one.aside)))
    match one.do:
        case Do.ADD:
            if delta:
                yield f"+ {one.wanted.address}  (joined at the source)"
        case Do.CHANGE | Do.REMOVE:
            yield f"{one.do.value} {one.wanted.address}  ({why})"
        case Do.LEAVE | Do.SKIP:
            yield f"! {one.wanted.address}  ({why})"
        case Do.KEEP if why:
            yield f"= {one.wanted.address}  ({why})"


def differences_of_meaning(
    about: str, word: str, people: Sequence[Member], source: ListReader, target: ListReader
) -> Iterator[Finding]:
    """What does not pass as it is, once for a list and option, never for each member."""
    for count, title, why in not_kept(people, source.features, target.features, target.as_kept):
        text = f"{title} of {count:,} {word if count != 1 else word.removesuffix('s')}: {why}"
        yield Finding("not-kept", Weight.NOTE, about, text)


def told_apart(about: str, roster: Roster) -> Iterator[Finding]:
    """What is otherwise at the target since, and who stays though he has left: once for each reason."""
    by_reason: dict[str, list[str]] = {}
    for one in roster.decisions:
        if one.aside:
            reason = (
                "left the target's list since; they stay off it"
                if one.there is None
                else "changed at the target since, which stays"
            )
            by_reason.setdefault(reason, []).append(one.wanted.address)
    for one in roster.leavers:
        if one.do is Do.KEEP:
            by_reason.setdefault(one.why.removeprefix("has "), []).append(one.wanted.address)
    for reason, addresses in by_reason.items():
        named = ", ".join(addresses[:NAMED]) + (", ..." if len(addresses) > NAMED else "")
        yield Finding("otherwise-at-target", Weight.NOTE, about, f"{len(addresses):,} {reason} ({named})")


def setting_summary(decisions: Sequence[SettingDecision], to_do: Sequence[SettingDecision]) -> str:
    """One line for all settings."""
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


def compared(roster: Roster, target: ListReader) -> Iterator[Finding]:
    """What the target's roster does not say that the source's says, but for what is on record."""
    per_member = (_compared(one, roster.past.outcomes.get(one.key), roster.there, target) for one in roster.decisions)
    yield from chain.from_iterable(per_member)
    for leaver in roster.leavers:
        if leaver.do is Do.REMOVE:
            yield _differs(
                leaver.wanted.address, "not-taken-off", "has left the list at the source, and is on the target's"
            )


def _compared(
    decision: Decision, outcome: Outcome | None, there: Mapping[str, Member], target: ListReader
) -> Iterator[Finding]:
    address = decision.wanted.address
    if outcome is None:
        yield _differs(address, "not-moved", "is on the list at the source, and nothing is recorded of it")
        return
    if outcome.fate not in ARRIVED:
        return
    found = there.get(decision.wanted.key)
    if found is None:
        cure = "If they did not leave it themselves, add them by hand."
        yield _differs(address, "missing", "was brought and is not on the target's list any more", cure)
    elif not (outcome.fate is Fate.ALTERED or (outcome.fate is Fate.FOUND and outcome.note)):
        for one in differences(target.as_kept(decision.wanted), target.as_kept(found)):
            yield _differs(address, "differs", one, "Correct it at the target, if it was not meant there.")


def _differs(address: str, code: str, text: str, remedy: str = "Run again.") -> Finding:
    return Finding(code, Weight.DIFFERENCE, address, f"{address}: {text}", remedy)


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
