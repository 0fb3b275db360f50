"""The `accounts` step: what a source panel keeps for the plan's domains, made at the target panel.

A domain is a subject. Its first action makes the domain itself; then each kind of thing (mailboxes, forwarders, ...) is an action, in
an order in which a panel can take them. The panel as a whole is one account of its endpoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from migrator.addresses import Names, ascii_domain, names_of, same_form, shown_domain, split
from migrator.engine.contract import (
    Account,
    Action,
    BatchLimit,
    Fate,
    Finding,
    Kind,
    Lane,
    Login,
    Measure,
    Outcome,
    Reading,
    Side,
    Size,
    Subject,
    Verb,
    Weight,
    Work,
)
from migrator.errors import Misbehaved, NotFound, Refused
from migrator.frozen import dataclass
from migrator.panel.borrowing import borrow, borrowed, can_borrow, give_back
from migrator.panel.contract import PANEL, THE_PANEL, PanelReader, PanelWriter, ReadsHashes
from migrator.panel.decisions import (
    Decision,
    Do,
    decide,
    differences,
    field_table,
    said,
)
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Database,
    Domain,
    DomainForwarder,
    Filter,
    Forwarder,
    ListName,
    Mailbox,
    Thing,
)
from migrator.panel.moving import AT_ONCE, CURE_FOR_UNKNOWN, Passwords, ThingMove, listed, no_password
from migrator.panel.options import AccountsOptions
from migrator.panel.passwords import Choice, Source

DOMAIN = "#domain"  # ends the key of the action that makes the domain
BORROWED = "#source-passwords"  # ends the key of the action that gives source mailboxes another password for a while
KEPT = "#kept"  # ends the key of the action that tells what is kept, changed and lost
LEFT = "left"  # in an action's data: what will be left behind, and why
PORTION = 500

# In this order a panel can take them: forwarders and answers belong to mailboxes that are there.
MOVED: tuple[tuple[type[Thing], str, Callable[[AccountsOptions], bool]], ...] = (
    (Mailbox, "mailboxes", lambda _: True),
    (Forwarder, "forwarders", lambda options: options.forwarders),
    (DomainForwarder, "domain forwarders", lambda options: options.domain_forwarders),
    (CatchAll, "catch-all", lambda options: options.catch_all),
    (Autoresponder, "autoresponders", lambda options: options.autoresponders),
    (Filter, "filters", lambda options: options.filters),
)
TOLD = (
    (ListName, "mailing lists", "members move with a lists step"),
    (Database, "databases", "form entries move with a forms step"),
)
_NOUNS = {word: noun for noun, word, _ in MOVED}
_LANES = (Lane(Side.SOURCE, THE_PANEL), Lane(Side.TARGET, THE_PANEL))
_ARRIVED = frozenset({Fate.COPIED, Fate.NORMALISED, Fate.ALTERED, Fate.FOUND})


@dataclass(frozen=True, slots=True)
class AccountsStep:
    """See the module; fulfils Step, Foresees, MakesAccounts and Restores. `accounts` are by the source's address in lower case, its domain as A-label."""

    options: AccountsOptions
    accounts: Mapping[str, Account]

    # -- subjects ----------------------------------------------------------------------------------------------------------

    def subjects(self, read: Reading) -> Iterator[Subject]:  # noqa: ARG002 - the plan's addresses name the domains
        for domain in self._domains():
            target = self.names.domain(domain)
            label = shown_domain(domain) if target == domain else f"{shown_domain(domain)} -> {shown_domain(target)}"
            yield Subject(domain, label, _LANES)

    def _domains(self) -> list[str]:
        of_accounts = (split(address)[1] for address in self.accounts)
        named = (ascii_domain(domain) for domain in self.options.domains)
        return list(dict.fromkeys(filter(None, (*of_accounts, *named))))

    @property
    def names(self) -> Names:
        """How the plan renames addresses, and domains whose addresses all go to one other domain."""
        addresses = {address: same_form(account.target.account) for address, account in self.accounts.items()}
        return names_of(addresses)

    def not_made(self, read: Reading) -> AbstractSet[str]:
        """The plan's accounts, by their address at the target, of which the target panel shows no mailbox."""
        with read.target(PANEL, THE_PANEL) as target:
            there = {key for domain in self._domains() for key in listed(target, Mailbox, self.names.domain(domain))}
        return {
            account.target.account
            for account in self.accounts.values()
            if same_form(account.target.account).lower() not in there
        }

    # -- read and decide ---------------------------------------------------------------------------------------------------

    def plan(self, subject: Subject, read: Reading) -> Iterator[Action]:
        domain, target_domain = subject.key, self.names.domain(subject.key)
        with read.source(PANEL, THE_PANEL) as source, read.target(PANEL, THE_PANEL) as target:
            if domain == self._domains()[0]:
                yield _what_is_kept(subject, source, target)
            making = _domain_action(subject, target_domain, source, target)
            yield making
            earlier = () if making.verb is Verb.KEEP else (making.key,)
            for noun, word, wanted in MOVED:
                if noun not in source.features.lists or not wanted(self.options):
                    continue
                action = self._action(subject, noun, word, earlier, source, target, read)
                if action is not None:
                    yield action
                    earlier = (*earlier, action.key)
            if self.options.temporary_source_passwords:
                yield self._borrowing(subject, source, read, earlier)
            yield from _told_only(subject, source)

    def _action(
        self,
        subject: Subject,
        noun: type[Thing],
        word: str,
        after: tuple[str, ...],
        source: PanelReader,
        target: PanelReader,
        read: Reading,
    ) -> Action | None:
        key = f"{subject.key}/{word}"
        try:
            things = listed(source, noun, subject.key)
        except Refused as refusal:
            return Action(key, Verb.BY_HAND, word, f"the source does not show them: {refusal}")
        if not things:
            return None
        recorded = _recorded(key, things, read)
        decisions = self._decisions(things, noun, subject.key, target, recorded)
        passwords = Passwords(self.accounts, self.options, target.features.schemes, source)
        choices = {
            one.key: passwords.choice(one.source.address, read)
            for one in decisions
            if one.do is Do.CREATE and isinstance(one.source, Mailbox)
        }
        decisions = [_without_password(one, choices.get(one.key)) for one in decisions]
        ended = {one.key for one in decisions if _is_settled(one, recorded.get(one.key))}
        to_do = [one for one in decisions if one.key not in ended]
        made = [one for one in to_do if one.do in {Do.CREATE, Do.CHANGE}]
        return Action(
            key=key,
            verb=Verb.COPY if to_do else Verb.KEEP,
            label=word,
            amounts=_summary(decisions, to_do),
            size=Size(len(made)),
            total=Size(len(decisions)),
            present=tuple(one.key for one in decisions),
            lanes=_LANES,
            after=after,
            data={"subject": subject.key, "word": word, **_foreseen(decisions)},
            details=(
                *(_detail(one, choices.get(one.key)) for one in decisions if one.do is not Do.KEEP or one.why),
                *(f"! {finding.text}" for finding in self._missing_at_source(noun, subject.key, decisions)),
            ),
        )

    def _borrowing(self, subject: Subject, source: PanelReader, read: Reading, after: tuple[str, ...]) -> Action:
        """The mailboxes at the source that get another password for a while: those whose own nobody knows."""
        key, label = subject.key + BORROWED, "source passwords"
        if not can_borrow(source.features):
            why = f"{source.features.title} cannot be given a password hash, so an old password could not be put back; none is changed"
            return Action(key, Verb.BY_HAND, label, why)
        addresses = [
            account.source.account
            for address, account in self.accounts.items()
            if split(address)[1] == subject.key and _is_unknown(read.login(Side.SOURCE, account.source.account))
        ]
        if not addresses:
            return Action(key, Verb.KEEP, label, "all are known")
        return Action(
            key,
            Verb.CHANGE,
            label,
            f"{len(addresses):,} get another one at the source for the time of the run; the old one is put back at its end",
            lanes=_LANES,
            after=after,  # the mailboxes' hashes are read before
            data={"subject": subject.key, "addresses": "\n".join(addresses)},
            details=tuple(f"~ {address}" for address in addresses),
        )

    def _decisions(
        self,
        things: Mapping[str, Thing],
        noun: type[Thing],
        domain: str,
        target: PanelReader,
        recorded: Mapping[str, Outcome],
    ) -> list[Decision]:
        there = listed(target, noun, self.names.domain(domain))
        return decide(
            list(things.values()),
            list(there.values()),
            recorded,
            self.names,
            self.options,
            target.features,
            lambda address: same_form(address).lower() in self.accounts,
        )

    def foresee(self, subject: Subject, actions: Sequence[Action], read: Reading) -> Iterator[Finding]:
        """What the target will not take, as far as its features tell."""
        del read
        for action in actions:
            for line in filter(None, action.data.get(LEFT, "").split("\n")):
                count, why, cure = line.split("\t")
                about = f"{subject.label}: {action.label}"
                yield Finding("left-behind", Weight.WARNING, about, f"{int(count):,} will be left behind: {why}", cure)

    # -- do ----------------------------------------------------------------------------------------------------------------

    def apply(self, action: Action, work: Work) -> None:
        if action.key.endswith(DOMAIN):
            self._make_domain(action, work)
        elif action.key.endswith(BORROWED):
            with work.source_for_writing(PANEL, THE_PANEL) as source:
                borrow(source, action.data["addresses"].split("\n"), work)
        else:
            self._make_things(action, work)

    def restore(self, work: Work) -> None:
        """Every password that was changed at the source is what it was before."""
        if borrowed(work):
            with work.source_for_writing(PANEL, THE_PANEL) as source:
                give_back(source, work)

    def _make_domain(self, action: Action, work: Work) -> None:
        domain = Domain(action.data["target"])
        with work.target_for_writing(PANEL, THE_PANEL) as target:
            if domain.name in _names_of(target):
                return
            target.create(domain)
            if domain.name not in _names_of(target):
                raise Misbehaved(
                    f"{domain.name}: the panel said that the domain was made, and does not list it.",
                    remedy="Look at the panel's own log, then run again.",
                )

    def _make_things(self, action: Action, work: Work) -> None:
        domain, noun = action.data["subject"], _NOUNS[action.data["word"]]
        with work.source(PANEL, THE_PANEL) as source, work.target_for_writing(PANEL, THE_PANEL) as target:
            things = listed(source, noun, domain)
            decisions = self._decisions(things, noun, domain, target, {})
            work.resolve(self._move(noun, domain, source, target, decisions, work))
            recorded = _recorded(action.key, things, work)
            decisions = self._decisions(things, noun, domain, target, recorded)
            # A thing that has to be looked at again counts as not settled: what the source changed, and what is gone from the target.
            again = [one for one in decisions if one.key in recorded and not _is_settled(one, recorded[one.key])]
            work.record(_reconsidered(recorded[one.key], one.why) for one in again)
            work.carry(self._move(noun, domain, source, target, decisions, work), BatchLimit(items=AT_ONCE))
            for finding in self._missing_at_source(noun, domain, decisions):
                work.note(finding)

    def _move(
        self,
        noun: type[Thing],
        domain: str,
        source: PanelReader,
        target: PanelWriter,
        decisions: Sequence[Decision],
        work: Work,
    ) -> ThingMove:
        by_key = {one.key: one for one in decisions}
        passwords = Passwords(self.accounts, self.options, target.features.schemes, source)
        return ThingMove(noun, source, target, self.names.domain(domain), by_key, self.accounts, passwords, work)

    def _missing_at_source(self, noun: type[Thing], domain: str, decisions: Sequence[Decision]) -> Iterator[Finding]:
        """Accounts the plan names and the source panel does not know."""
        if noun is not Mailbox:
            return
        there = {same_form(one.key).lower() for one in decisions}
        for address, account in self.accounts.items():
            if split(address)[1] == domain and address not in there:
                yield Finding(
                    "not-at-source",
                    Weight.WARNING,
                    account.source.account,
                    f"{account.source.account}: the source panel has no such mailbox",
                    "Correct the plan's accounts, or make the mailbox at the target by hand.",
                )

    # -- prove -------------------------------------------------------------------------------------------------------------

    def verify(self, action: Action, read: Reading, sample: float) -> Iterator[Finding]:
        del sample  # everything is compared; it is small
        if "word" not in action.data:
            return
        domain, noun = action.data["subject"], _NOUNS[action.data["word"]]
        with read.source(PANEL, THE_PANEL) as source, read.target(PANEL, THE_PANEL) as target:
            things = listed(source, noun, domain)
            recorded = _recorded(action.key, things, read)
            for decision in self._decisions(things, noun, domain, target, recorded):
                yield from _compared(decision, recorded.get(decision.key), source, target)


# -- pure ------------------------------------------------------------------------------------------------------------------


def _compared(
    decision: Decision, outcome: Outcome | None, source: PanelReader, target: PanelReader
) -> Iterator[Finding]:
    """Differences between what is at the target now and what was wanted, but for those that are on record."""

    def differs(code: str, text: str, remedy: str = "Run again.") -> Finding:
        return Finding(code, Weight.DIFFERENCE, decision.key, f"{decision.key}: {text}", remedy)

    if outcome is None:
        yield differs("not-made", "is at the source, and nothing is recorded of it")
        return
    if outcome.fate not in _ARRIVED:
        return
    if decision.there is None:
        yield differs("missing", "was made and is not at the target any more", "Run again to make it anew.")
        return
    for one in differences(decision.wanted, decision.there, target.features):
        if one.unforeseen and one.text not in outcome.note:
            yield differs("differs", one.text, "Correct it at the target, if it was not meant.")
    if outcome.mark == Source.HASH.name.lower() and isinstance(decision.source, Mailbox):
        yield from _compared_hash(decision, source, target)


def _compared_hash(decision: Decision, source: PanelReader, target: PanelReader) -> Iterator[Finding]:
    if not (target.features.reads_hashes and isinstance(source, ReadsHashes) and isinstance(target, ReadsHashes)):
        return
    ours, theirs = source.password_of(decision.key), target.password_of(decision.wanted.key)
    if theirs.hash is not None and ours.hash is not None and theirs.hash != ours.hash:
        text = f"{decision.key}: the password is not the source's any more"
        yield Finding("password", Weight.NOTE, decision.key, text, "Its owner may have changed it since.")


def _what_is_kept(subject: Subject, source: PanelReader, target: PanelReader) -> Action:
    """The table of fields, told once above the first domain."""
    here, there = source.probe(), target.probe()
    rows = field_table(source.features, target.features)
    wide = max((len(field) for field, _, _ in rows), default=0)
    return Action(
        key=subject.key + KEPT,
        verb=Verb.KEEP,
        label="fields",
        why=f"{f'{here.product} {here.version}'.strip()} -> {f'{there.product} {there.version}'.strip()}",
        details=tuple(f"{field:<{wide}}  {how:<7}  {why}".rstrip() for field, how, why in rows),
    )


def _domain_action(subject: Subject, target_domain: str, source: PanelReader, target: PanelReader) -> Action:
    if subject.key not in _names_of(source):
        raise NotFound(
            f"{subject.label}: the source panel has no such domain, or does not show it to this login.",
            remedy="Correct the plan's accounts, or the panel's user.",
        )
    verb, why = Verb.KEEP, "is there"
    if target_domain not in _names_of(target):
        if Domain not in target.features.creates:
            raise NotFound(
                f"{subject.label}: the target panel has no domain {shown_domain(target_domain)}, and it cannot be made from here.",
                remedy="Add it there, then run again.",
            )
        verb, why = Verb.CREATE, ""
    return Action(
        key=subject.key + DOMAIN,
        verb=verb,
        label="domain",
        why=why,
        lanes=_LANES,
        data={"subject": subject.key, "target": target_domain},
    )


def _told_only(subject: Subject, source: PanelReader) -> Iterator[Action]:
    for noun, word, why in TOLD:
        try:
            there = listed(source, noun, subject.key)
        except Refused:  # a host without that feature
            continue
        if there:
            names = ", ".join(list(there)[:5]) + (", ..." if len(there) > 5 else "")  # noqa: PLR2004 - a handful
            yield Action(f"{subject.key}#{word}", Verb.KEEP, word, f"{len(there):,} ({names}): {why}")


def _names_of(panel: PanelReader) -> set[str]:
    return {ascii_domain(domain.name) for domain in panel.domains()}


def _recorded(action_key: str, things: Mapping[str, Thing], read: Reading) -> dict[str, Outcome]:
    keys = list(things)
    found: dict[str, Outcome] = {}
    for start in range(0, len(keys), PORTION):
        found.update(read.settled(action_key, keys[start : start + PORTION]))
    return found


def _is_settled(decision: Decision, outcome: Outcome | None) -> bool:
    """Whether nothing has to be done about a thing: what is recorded of it is what would be recorded now."""
    if outcome is None or outcome.fate is Fate.LEFT_BEHIND:
        return False
    if decision.do in {Do.CREATE, Do.CHANGE}:
        return False
    return (outcome.fate is Fate.SKIPPED) == (decision.do is Do.SKIP)


def _reconsidered(outcome: Outcome, why: str) -> Outcome:
    return Outcome(outcome.key, Fate.LEFT_BEHIND, note=why or "looked at again", cure="It is done by this run.")


def _detail(decision: Decision, choice: Choice | None) -> str:
    """One line of a preview about one thing."""
    shown = said(decision.wanted if decision.do is not Do.SKIP else decision.source)
    why = "; ".join(filter(None, (choice.said() if choice and decision.do is Do.CREATE else "", decision.why)))
    return f"{decision.do.value} {shown}{f'  ({why})' if why else ''}"


def _without_password(decision: Decision, choice: Choice | None) -> Decision:
    """A mailbox that the plan makes only with a known password is left behind where none is known."""
    if choice is None or choice.source is not Source.NONE:
        return decision
    return replace(decision, do=Do.LEAVE, why=no_password(choice), cure=CURE_FOR_UNKNOWN)


def _foreseen(decisions: Sequence[Decision]) -> dict[str, str]:
    """What will be left behind, for `foresee`: one line for each reason, with how many it concerns."""
    reasons = Counter((one.why, one.cure) for one in decisions if one.do is Do.LEAVE)
    return {LEFT: "\n".join(f"{count}\t{why}\t{cure}" for (why, cure), count in reasons.items())} if reasons else {}


def _summary(decisions: Sequence[Decision], to_do: Sequence[Decision]) -> str:
    counts = {do: sum(one.do is do for one in decisions) for do in Do}
    words = {
        Do.CREATE: "create",
        Do.CHANGE: "change",
        Do.KEEP: "there already",
        Do.LEAVE: "left behind",
        Do.SKIP: "not meant by the plan",
    }
    parts = [
        f"{words[do]} {count:,}" if do in {Do.CREATE, Do.CHANGE} else f"{count:,} {words[do]}"
        for do, count in counts.items()
        if count
    ]
    return ", ".join(parts) if to_do else f"{len(decisions):,} as they should be"


def residents(session: PanelReader, domains: Sequence[str]) -> Iterator[str]:
    """The addresses of all mailboxes of these domains, or of all domains the panel has."""
    for domain in [ascii_domain(name) for name in domains] or [one.name for one in session.domains()]:
        for mailbox in session.list(Mailbox, domain):
            yield mailbox.address


def _build(options: AccountsOptions, accounts: Sequence[Account]) -> AccountsStep:
    return AccountsStep(options, {same_form(account.source.account).lower(): account for account in accounts})


def _is_unknown(login: Login) -> bool:
    return login.password is None or login.made


def _supplies_logins(options: AccountsOptions) -> frozenset[Side]:
    return frozenset(Side) if options.temporary_source_passwords else frozenset({Side.TARGET})


KIND = Kind(
    word="accounts",
    service=PANEL.service,
    options=AccountsOptions,
    build=_build,
    supplies_logins=_supplies_logins,
    residents=residents,
    measure=Measure.ITEMS,
)
