"""What is to be done with everything a source panel keeps for a domain, decided without asking anybody: by names, rules and features.

Nothing is overwritten: what is at the target and was not put there by us is found, and told where it differs. What the target cannot
have is left behind with the reason, never left out.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum

from migrator.addresses import Names, split
from migrator.engine.contract import Fate, Outcome
from migrator.frozen import dataclass
from migrator.panel.contract import Features
from migrator.panel.model import (
    FIELDS,
    Autoresponder,
    CatchAll,
    Database,
    Destination,
    Domain,
    DomainForwarder,
    Filter,
    Forwarder,
    Hold,
    How,
    Keep,
    ListName,
    Mailbox,
    Thing,
    Way,
)
from migrator.panel.options import AccountsOptions

UNLIMITED_WORD = "unlimited"
HOLD_WORDS = {Hold.LOGIN: "suspended login", Hold.RECEIVE: "suspended receiving", Hold.SEND: "suspended sending"}
_WAYS = {Way.REJECT: "reject", Way.DISCARD: "discard", Way.PIPE: "pipe", Way.SYSTEM: "system user"}


class Do(Enum):
    """What is done with one thing."""

    CREATE = "+"
    CHANGE = "~"
    KEEP = "="
    LEAVE = "!"
    SKIP = "-"


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing of the source: what it is there, what it is to be at the target, what is done, and why."""

    key: str
    source: Thing
    wanted: Thing
    do: Do
    why: str = ""
    cure: str = ""
    there: Thing | None = None

    @property
    def digest(self) -> str:
        """Tells whether what is wanted is still what was wanted when it was recorded. Holds nothing secret."""
        return hashlib.sha256(repr(self.wanted).encode()).hexdigest()[:32]


def renamed(thing: Thing, names: Names) -> Thing:  # noqa: PLR0911 - one case for each noun
    """The thing with the names it has at the target."""
    match thing:
        case Domain():
            return replace(thing, name=names.domain(thing.name))
        case Mailbox() | Autoresponder():
            return replace(thing, address=names.address(thing.address))
        case Forwarder():
            to = tuple(sorted(_renamed_destination(one, names) for one in thing.destinations))
            return replace(thing, address=names.address(thing.address), destinations=to)
        case DomainForwarder():
            return replace(thing, domain=names.domain(thing.domain), target=names.domain(thing.target))
        case CatchAll():
            return replace(
                thing, domain=names.domain(thing.domain), destination=_renamed_destination(thing.destination, names)
            )
        case Filter():
            address = names.address(thing.address) if thing.address else ""
            return replace(thing, address=address, domain=names.domain(thing.domain))
        case _:
            return thing


def _renamed_destination(one: Destination, names: Names) -> Destination:
    return replace(one, value=names.address(one.value)) if one.way is Way.ADDRESS else one


# -- deciding ---------------------------------------------------------------------------------------------------------


def decide(
    things: Sequence[Thing],
    there: Sequence[Thing],
    recorded: Mapping[str, Outcome],
    names: Names,
    options: AccountsOptions,
    features: Features,
    chosen: Callable[[str], bool],
) -> list[Decision]:
    """A decision for each thing of one kind, in the source's order. `features` are the target's; `recorded` is what earlier runs did, by
    key; `chosen` says whether an address is among the plan's accounts.
    """
    at_target = {one.key: one for one in there}
    return [_decide(thing, at_target, recorded.get(thing.key), names, options, features, chosen) for thing in things]


def _decide(
    thing: Thing,
    at_target: Mapping[str, Thing],
    recorded: Outcome | None,
    names: Names,
    options: AccountsOptions,
    features: Features,
    chosen: Callable[[str], bool],
) -> Decision:
    wanted = as_options_say(renamed(thing, names), options)
    there = _decided_there(at_target.get(wanted.key), wanted)
    base = Decision(thing.key, thing, wanted, Do.KEEP, there=there)
    if isinstance(thing, Mailbox) and not chosen(thing.address):
        return replace(base, do=Do.SKIP, why="not among the plan's accounts")
    ours = recorded is not None and recorded.fate in {Fate.COPIED, Fate.NORMALISED, Fate.ALTERED}
    if there is None:
        refusal = why_not(wanted, features)
        if refusal:
            return replace(base, do=Do.LEAVE, why=refusal[0], cure=refusal[1])
        again = "was made by an earlier run and is gone" if ours else ""
        return replace(base, do=Do.CREATE, why=again)
    if not ours:
        return replace(base, why=found_note(wanted, there, features))
    if recorded is not None and recorded.digest != base.digest and type(thing) in features.changes:
        return replace(base, do=Do.CHANGE, why="changed at the source since it was made")
    return base


def _decided_there(there: Thing | None, wanted: Thing) -> Thing | None:
    """What somebody has set up at the target. A catch-all to a user of the machine is how cPanel makes a domain: nobody's decision, and
    `create` may replace it.
    """
    if isinstance(there, CatchAll) and isinstance(wanted, CatchAll):
        fresh = there.destination.way is Way.SYSTEM and wanted.destination.way is not Way.SYSTEM
        return None if fresh else there
    return there


def as_options_say(thing: Thing, options: AccountsOptions) -> Thing:
    """The thing with what the plan wants otherwise than at the source."""
    if not isinstance(thing, Mailbox):
        return thing
    wanted = replace(thing, used=None)
    if options.quota != "copy":
        wanted = replace(wanted, quota=None if options.quota == UNLIMITED_WORD else int(options.quota))
    return wanted if options.suspended == "copy" else replace(wanted, holds=frozenset())


def why_not(wanted: Thing, features: Features) -> tuple[str, str] | None:
    """Why the target cannot have a thing, and what to do about it; None if it can, as far as its features tell."""
    if type(wanted) not in features.creates:
        return f"{features.title} has no {wanted.word}", "Make what comes nearest by hand at the target."
    if isinstance(wanted, Mailbox | Forwarder) and not re.fullmatch(features.local_part, split(wanted.address)[0]):
        rename = (
            "Give it another name in the plan (accounts: target or rename)."
            if isinstance(wanted, Mailbox)
            else "Make another one by hand."
        )
        return f"{features.title} does not take {split(wanted.address)[0]} in front of the @", rename
    if isinstance(wanted, Autoresponder) and not wanted.body.strip():
        return "the source does not show its text", "Set it up by hand at the target."
    if field := _field_it_loses(wanted, features):
        return field, "Set it up by hand at the target."
    if way := _way_it_has_not(wanted, features):
        return way, "Decide what is to become of that mail, and set it up by hand."
    return None


def _field_it_loses(wanted: Thing, features: Features) -> str:
    """Why a thing would not be itself at the target: the one field without which it is another; "" if the target keeps it."""
    name = ""
    if isinstance(wanted, Filter) and len(wanted.rules) > 1:
        name = "filter.several conditions"
    elif isinstance(wanted, Forwarder) and wanted.keeps_copy:
        name = "forwarder.copy kept"
    keep = features.kept(name)
    return keep.why if keep.how is How.LOST else ""


def _way_it_has_not(wanted: Thing, features: Features) -> str:
    """Where a forwarder or catch-all sends mail that the target cannot send it; "" where it can."""
    if isinstance(wanted, CatchAll):
        keep = features.kept(f"catch-all.{wanted.destination.way.value}")
        return keep.why if keep.how is How.LOST else ""
    others = wanted.destinations if isinstance(wanted, Forwarder) else ()
    return next((f"{features.title} cannot {_verb(one)}" for one in others if one.way not in features.destinations), "")


def _verb(one: Destination) -> str:
    return {
        Way.REJECT: "refuse mail for single addresses",
        Way.DISCARD: "throw mail away unread",
        Way.PIPE: f"give mail to a program ({one.value.lstrip('|')[:60]})",
        Way.SYSTEM: f"deliver to a user of the machine ({one.value[:40]})",
        Way.ADDRESS: "forward to an address",
    }[one.way]


# -- comparing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as wanted. KEPT means a mere spelling, CHANGED one that was foreseen and loses nothing that matters, LOST a
    foreseen loss; `unforeseen` is what nobody had announced.
    """

    field: str
    text: str
    unforeseen: bool = False
    why: str = ""


def differences(  # noqa: PLR0911 - one case for each noun
    wanted: Thing, there: Thing, features: Features
) -> list[Difference]:
    """Where a thing at the target is not what was wanted, `features` being the target's. Empty if they mean the same."""
    match wanted, there:
        case Mailbox(), Mailbox():
            return _mailbox_differences(wanted, there, features)
        case Forwarder(), Forwarder():
            found = []
            if _folded(wanted.destinations) != _folded(there.destinations):
                found.append(
                    _field(features, "forwarder.several destinations", f"goes to {_listed(there.destinations)}")
                )
            if wanted.keeps_copy != there.keeps_copy:
                found.append(
                    _field(features, "forwarder.copy kept", "keeps a copy" if there.keeps_copy else "keeps no copy")
                )
            return found
        case CatchAll(), CatchAll() if _folded((wanted.destination,)) != _folded((there.destination,)):
            return [_field(features, "catch-all.address", f"goes to {there.destination}")]
        case DomainForwarder(), DomainForwarder() if wanted.target != there.target:
            return [_field(features, "domain forwarder.target", f"goes to {there.target}")]
        case Autoresponder(), Autoresponder():
            return _answer_differences(wanted, there, features)
        case Filter(), Filter():
            return _filter_differences(wanted, there, features)
        case _:
            return []


def _mailbox_differences(wanted: Mailbox, there: Mailbox, features: Features) -> list[Difference]:
    found = []
    if wanted.quota != there.quota:
        unit = features.quota_unit
        rounded = wanted.quota is not None and there.quota == math.ceil(wanted.quota / unit) * unit
        text = f"quota is {quota_words(there.quota)}, not {quota_words(wanted.quota)}"
        rounding = Difference("mailbox.quota", f"{text} (rounded up)")
        found.append(rounding if rounded else _field(features, "mailbox.quota", text))
    for hold, word in HOLD_WORDS.items():
        if (hold in wanted.holds) != (hold in there.holds):
            if hold in wanted.holds:
                found.append(_field(features, f"mailbox.{word}", f"not {word}"))
            else:
                found.append(Difference(f"mailbox.{word}", f"also {word}", unforeseen=True))
    if wanted.name and wanted.name != there.name:
        found.append(_field(features, "mailbox.name", "the person's name"))
    return found


def _answer_differences(wanted: Autoresponder, there: Autoresponder, features: Features) -> list[Difference]:
    pairs = (
        ("body", wanted.body.rstrip(), there.body.rstrip()),
        ("subject", wanted.subject, there.subject),
        ("sender's name", wanted.from_name, there.from_name),
        ("HTML", wanted.is_html, there.is_html),
        ("interval", wanted.interval_hours, there.interval_hours),
        ("start and stop", (wanted.start, wanted.stop), (there.start, there.stop)),
    )
    empty = ("", None, False, (None, None))
    return [
        _field(features, f"autoresponder.{name}", f"{name} differs")
        for name, left, right in pairs
        if left != right and left not in empty
    ]


def _filter_differences(wanted: Filter, there: Filter, features: Features) -> list[Difference]:
    ours = [(rule.part, rule.match, rule.value) for rule in wanted.rules]
    theirs = [(rule.part, rule.match, rule.value) for rule in there.rules]
    found = []
    if ours != theirs or wanted.enabled != there.enabled:
        several = "several conditions" if len(ours) > 1 else "one condition"
        found.append(_field(features, f"filter.{several}", "conditions differ"))
    if [what for what, _ in wanted.actions] != [what for what, _ in there.actions]:
        found.append(_field(features, "filter.forward", "actions differ"))
    return found


def _field(features: Features, name: str, text: str) -> Difference:
    keep = features.kept(name)
    if keep.how is How.KEPT:
        return Difference(name, text, unforeseen=True)
    return Difference(name, text, why=keep.why)


def _folded(destinations: Sequence[Destination]) -> list[tuple[str, str]]:
    """Where mail goes to, without what panels spell in their own way: the words of a rejection."""
    return sorted(
        (one.way.value, "" if one.way in {Way.REJECT, Way.DISCARD} else one.value.lower()) for one in destinations
    )


def _listed(destinations: Sequence[Destination]) -> str:
    return ", ".join(map(str, destinations))[:200]


def found_note(wanted: Thing, there: Thing, features: Features) -> str:
    """How a thing that was at the target before us differs; "" if it does not."""
    told = [one.text for one in differences(wanted, there, features)]
    return f"was there already and is left as it is: {', '.join(told)}" if told else ""


def judged(wanted: Thing, source: Thing, there: Thing, target: Features, origin: Features) -> tuple[Fate, str]:
    """What became of a thing that was made, with what was changed or lost on the way in words."""
    found = differences(wanted, there, target)
    unforeseen = [one.text for one in found if one.unforeseen]
    foreseen = _by_reason([one for one in found if not one.unforeseen])
    untold = [f"{name} is not told by {origin.title}" for name in untold_fields(source, origin)]
    if unforeseen:
        return Fate.ALTERED, "; ".join([*unforeseen, *foreseen])
    lost = any(target.kept(one.field).how is How.LOST for one in found)
    notes = "; ".join([*foreseen, *untold])
    if lost:
        return Fate.ALTERED, notes
    return (Fate.NORMALISED, notes) if foreseen else (Fate.COPIED, notes)


def _by_reason(several: Sequence[Difference]) -> list[str]:
    """What differs as announced, those with one reason in one breath: `subject and HTML differ (the panel has a message and no more)`."""
    reasons: dict[str, list[str]] = {}
    for one in several:
        reasons.setdefault(one.why, []).append(one.text)
    return [f"{', '.join(texts)} ({why})" if why else ", ".join(texts) for why, texts in reasons.items()]


def untold_fields(source: Thing, origin: Features) -> list[str]:
    """Fields that the source panel does not tell and that hold nothing for that reason."""
    if not isinstance(source, Autoresponder):
        return []
    held = {"subject": source.subject, "sender's name": source.from_name, "interval": source.interval_hours}
    return [name for name, value in held.items() if not value and origin.told(f"autoresponder.{name}").how is How.LOST]


# -- words ------------------------------------------------------------------------------------------------------------


def quota_words(quota: int | None) -> str:
    """A quota as people say it: `1 GB`, `1,025 MB`, `unlimited`."""
    if quota is None:
        return UNLIMITED_WORD
    for size, unit in ((1024**4, "TB"), (1024**3, "GB"), (1024**2, "MB"), (1024, "KB")):
        if quota >= size and quota % size == 0:
            return f"{quota // size:,} {unit}"
    return f"{quota / 1024**2:,.2f} MB"


def said(thing: Thing) -> str:
    """A thing in a few words, as a line of a preview: its name, and what there is to know of it."""
    match thing:
        case Mailbox():
            held = ", ".join(HOLD_WORDS[hold] for hold in Hold if hold in thing.holds)
            return ", ".join(filter(None, (f"{thing.address}  {quota_words(thing.quota)}", held)))
        case Forwarder():
            return f"{thing.address} -> {_listed(thing.destinations)}{' and a copy here' if thing.keeps_copy else ''}"
        case DomainForwarder():
            return f"{thing.domain} -> {thing.target}"
        case CatchAll():
            return f"*@{thing.domain} -> {thing.destination}"
        case Autoresponder():
            return f"{thing.address}  {thing.subject}".rstrip()
        case _:
            return thing.key


def field_table(source: Features, target: Features) -> list[tuple[str, str, str]]:
    """Field by field what a move between two panels keeps, changes and loses, and why; only for kinds that the source has."""
    rows = []
    nouns = sorted(source.lists - {ListName, Database}, key=lambda noun: list(FIELDS).index(noun.word))
    for noun in nouns:
        if noun is Domain:
            told = ", ".join(FIELDS[noun.word])
            rows.append((f"{noun.word}: {told}", How.LOST.value, "not carried over; the target has its own"))
            continue
        if noun not in target.creates:
            rows.append(
                (
                    noun.word,
                    How.LOST.value,
                    f"{target.title} has none, or none that can be made from here",
                )
            )
            continue
        for field in FIELDS[noun.word]:
            keep = _worse(source, target, f"{noun.word}.{field}")
            rows.append((f"{noun.word}: {field}", keep.how.value, keep.why))
    return rows


def _worse(source: Features, target: Features, name: str) -> Keep:
    if name == "mailbox.password":
        return _password_keep(source, target)
    told, kept = source.told(name), target.kept(name)
    noun, _, field = name.partition(".")
    way = next((way for way, word in _WAYS.items() if word == field), None)
    if noun == "forwarder" and way is not None and way not in target.destinations:
        kept = Keep(How.LOST, f"{target.title} cannot; such forwarders are left behind")
    order = (How.LOST, How.CHANGED, How.KEPT)
    return min(told, kept, key=lambda keep: order.index(keep.how))


def _password_keep(source: Features, target: Features) -> Keep:
    if source.reads_hashes and target.schemes:
        return Keep(How.KEPT, f"as a hash, if it is one of {', '.join(sorted(target.schemes))}; else a new one is made")
    why = f"{source.title} shows no hashes" if not source.reads_hashes else f"{target.title} takes no hashes"
    return Keep(How.CHANGED, f"{why}: a password the plan knows is kept, else a new one is made")
