"""The `lists` step: every mailing list of the plan's domains from one product to another, with its settings and everybody on it, and
without a mail to anybody.

A list is a subject. Its actions go one after the other: the list is made, held and silenced; its settings are set; owners, moderators,
members and others are brought, page by page; at last what was held and silenced is as it should be. A death in between leaves the list
held; the next run fills it, and only then opens it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import field, replace
from functools import cache
from itertools import chain

from migrator.addresses import Names, ascii_domain, names_of, same_form, shown_domain, split
from migrator.engine.contract import (
    Account,
    Action,
    BatchLimit,
    Fate,
    Finding,
    Kind,
    Lane,
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
from migrator.errors import Misbehaved, NotFound, PlanError, Refused
from migrator.frozen import dataclass
from migrator.lists.calling import NameBook
from migrator.lists.contract import (
    LISTS,
    THE_LISTS,
    AsksPanel,
    KeptInFolder,
    KnowsAddresses,
    ListReader,
    ListWriter,
    MakesDomains,
    NamesLists,
    TakesPasswords,
)
from migrator.lists.decisions import (
    Decision,
    Do,
    SettingDecision,
    is_settled,
    is_settled_setting,
    reconsidered,
    title_of,
)
from migrator.lists.model import MailingList, Member, Role, settings_of
from migrator.lists.moving import (
    MADE,
    ListMove,
    MemberMove,
    SettingMove,
    everybody,
    everybody_with_twins,
    is_there,
)
from migrator.lists.naming import ListPlan, misnamed, names_missing, plan_lists, plans_gone
from migrator.lists.options import ListsOptions
from migrator.lists.telling import (
    MANY_LEFT,
    compared,
    compared_settings,
    details,
    differences_of_meaning,
    doubted,
    names_of_meaning,
    people_behind,
    setting_details,
    setting_summary,
    settings_behind,
    summary,
    taken_off,
    to_move,
    told_apart,
)
from migrator.lists.visit import (
    BEGUN,
    DOUBTS,
    EMERGENCY,
    FILLED,
    OPENED,
    QUIET,
    RELEASED,
    ROLES,
    UNPROVEN,
    Quiet,
    Roster,
    Visit,
    next_making,
    standing_of,
)
from migrator.panel.contract import PANEL, THE_PANEL, PanelReader
from migrator.panel.model import make_password

ELSEWHERE = "Give the list a place on a Mailman 3 (type: mailman3), or keep it in files (type: csv or google_csv)"
NOTHING = "no mailing list"  # the subject where no list moves
LOOK_AT_DOMAINS = "If there should be some, look at the plan's accounts, and at domains and only of the step."
MEANING = "meaning"  # in an action's data: what does not mean the same at the target
REFUSED = "refused"  # in an action's data: who will be refused, and why
BEHIND = "behind"  # in an action's data: what has no place at the target, and what to do about it
DOUBTED = (
    "doubted"  # in an action's data: that the source may not be whole, for too many have left it, with their names
)
DOUBT = "doubt"  # in an action's data: the same of all roles together, without names
HELD = {
    True: "When it is to be opened, write hold: while-filling in the step (or leave hold out), then run again.",
    False: "A run opens it once everybody is there.",
}
STAYS_HELD = "stays held"  # in an action's data: the list was held at the target before us, and at the source it is not
OPEN_IT = (
    "If that is not meant, open it at the target (emergency), or write existing: configure in the step, then run again."
)
_LANES = (Lane(Side.SOURCE, THE_LISTS), Lane(Side.TARGET, THE_LISTS))


@dataclass(frozen=True, slots=True)
class ListsStep:
    """See the module; fulfils Step and Foresees. `accounts` are by the source's address in lower case, its domain as A-label."""

    options: ListsOptions
    accounts: Mapping[str, Account]
    plans: dict[str, ListPlan] = field(default_factory=dict)  # by the subject's key, once they are known
    book: NameBook = field(default_factory=NameBook)

    # -- subjects ----------------------------------------------------------------------------------------------------------

    def subjects(self, read: Reading) -> Iterator[Subject]:
        with _reading(read, Side.SOURCE) as source:
            lists = _lists_of(source)
            plans = list(plan_lists(lists, self._domains(), self.names, self.options))
            if isinstance(source, NamesLists):
                planned = {plan.address.lower() for plan in plans}
                missing = [one for one in source.missing() if one.lower() not in planned]
                plans += names_missing(missing, self._domains(), self.options)
            if isinstance(source, KeptInFolder):
                files = ((f"file {name}", f"{name}: {why}") for name, why in source.no_lists())
                plans += [ListPlan(about, about, why, by_hand=True) for about, why in files]
            by_key = {_key(plan): plan for plan in plans}
            known = read.known_subjects()
            gone = dict(plans_gone(known, by_key.keys(), lists))
            if not plans:
                nothing = self._nothing(source, lists)
                by_key[_key(nothing)] = nothing
                gone = {} if nothing.by_hand else gone
        by_key |= gone
        self.plans.update(by_key)
        self.book.begin(by_key)
        for key, plan in by_key.items():
            label = _shown(plan.address)
            same = plan.target.lower() == plan.address.lower()
            if plan.gone:
                yield Subject(key, known[key], _LANES)
                continue
            yield Subject(key, label if same else f"{label} -> {_shown(plan.target)}", _LANES)

    def _nothing(self, source: ListReader, lists: Sequence[MailingList]) -> ListPlan:
        """What is told where no list moves: nobody is to take a wrong path or domain for a host without lists."""
        about = NOTHING
        if not lists and isinstance(source, KeptInFolder):
            try:
                source.look_for_folder()
            except NotFound as error:
                return ListPlan(about, about, f"{error} {error.remedy}", by_hand=True)
        domains = self._domains()
        if not domains:
            return ListPlan(about, about, "the source shows none")
        others = f"; lists of other domains: {len(lists):,}" if lists else ""
        return ListPlan(
            about, about, f"the source shows none of {', '.join(sorted(map(shown_domain, domains)))}{others}"
        )

    def _domains(self) -> AbstractSet[str]:
        """The domains whose lists move; none where the plan says nothing about that, and every list does."""
        of_accounts = {split(address)[1] for address in self.accounts}
        return (of_accounts | {ascii_domain(domain) for domain in self.options.domains}) - {""}

    @property
    def names(self) -> Names:
        """How the plan renames addresses: lists, and whoever is on them."""
        return names_of({address: same_form(account.target.account) for address, account in self.accounts.items()})

    # -- read and decide ---------------------------------------------------------------------------------------------------

    def plan(self, subject: Subject, read: Reading) -> Iterator[Action]:
        plan = self.plans[subject.key]
        if plan.gone:
            yield Action(f"{subject.key}#gone", Verb.KEEP, "list", plan.why)
            return
        if plan.why:
            yield self._not_moved(subject, plan)
            return
        with _reading(read, Side.SOURCE) as source, _reading(read, Side.TARGET) as target:
            earlier: tuple[str, ...] = ()
            visit = self._visit(subject.key, plan, source, target, read)
            for action in self._actions(self._planned(visit), makes_domain=self._comes_first(plan)):
                yield replace(action, after=earlier) if action.lanes else action
                earlier = (*earlier, action.key) if action.verb not in {Verb.KEEP, Verb.BY_HAND} else earlier

    def _not_moved(self, subject: Subject, plan: ListPlan) -> Action:
        if plan.by_hand:
            return Action(f"{subject.key}/list", Verb.BY_HAND, "list", plan.why, present=())
        if plan.address != NOTHING:
            return Action(f"{subject.key}/list", Verb.KEEP, "list", plan.why, present=())
        # No list is no part that could be done, and a run that moves nothing says why.
        told = (Finding("no-lists", Weight.WARNING, subject.label, plan.why, LOOK_AT_DOMAINS),)
        return Action(f"{subject.key}#list", Verb.KEEP, "list", plan.why, present=(), told=told)

    def _comes_first(self, plan: ListPlan) -> bool:
        """Whether no list of the same domain comes before this one: its domain is made with it, should it not be there."""
        domain = split(plan.target)[1]
        return plan is next(
            (one for one in self.plans.values() if not one.why and split(one.target)[1] == domain), plan
        )

    def _visit(self, key: str, plan: ListPlan, source: ListReader, target: ListReader, read: Reading) -> Visit:
        _tell_password(plan.target, target, read)
        standing = standing_of(key, plan.target, target, read)
        tell = cache(lambda: source.settings(plan.address))
        return Visit(
            key,
            plan,
            self.options,
            self.names,
            source,
            target,
            read,
            standing,
            people=lambda role: everybody_with_twins(source, plan.address, role),
            calling=lambda: self.book.calling(source, read, self.names),
            tell=tell,
            see=lambda: target.settings(plan.target),
        )

    def _planned(self, visit: Visit) -> Visit:
        """The visit of somebody who only plans: nothing is asked twice, nor what was read for the book of names."""

        def people(role: Role) -> Mapping[str, Member]:
            if visit.target.features.shares_names:
                visit.calling()
            taken = self.book.taken(visit.plan.address, role)
            return visit.people(role) if taken is None else taken

        return replace(visit, people=people, see=cache(visit.see))

    def _actions(self, visit: Visit, *, makes_domain: bool) -> Iterator[Action]:
        rosters = visit.rosters()
        writes = any(roster.writes for roster in rosters)
        quiet = visit.standing.quiet is not None
        fresh = not visit.standing.is_there
        quietens = bool(visit.waiting) if fresh else writes and not quiet and bool(visit.loud())
        members = next((len(roster.people) for roster in rosters if ROLES[roster.word] is Role.MEMBER), 0)
        making = _list_action(visit, members, quietens=quietens, makes_domain=makes_domain)
        yield making
        if making.verb is Verb.BY_HAND:
            return
        if quietens or (writes and quiet):
            why = "posts are held and nobody is written to while it is filled" if visit.holds else ""
            yield _action(visit, "hold", Verb.CHANGE, why or "nobody is written to while its members change")
        settings = _settings_action(visit, "settings")
        if settings.total.items:
            yield settings
        for roster in rosters:
            if roster.people or roster.past.outcomes:
                action = _roster_action(visit, roster)
                yield replace(action, data={**action.data, DOUBTED: doubted(roster), DOUBT: roster.doubt})
        release = _release_action(visit, quiet=quietens or quiet)
        if release.total.items or quietens or quiet:
            yield release
        elif visit.standing.opened and visit.standing.ours:
            yield replace(release, why="open: posts and notices go out")

    def foresee(self, subject: Subject, actions: Sequence[Action], read: Reading) -> Iterator[Finding]:
        """What does not pass as it is, once for each list and option, and who will be refused, one by one."""
        del read  # the plan has seen it
        for action in actions:
            if text := action.data.get(DOUBTED, ""):
                yield Finding("many-left", Weight.WARNING, f"{subject.label}: {action.label}", text, MANY_LEFT)
            for text in filter(None, action.data.get(REFUSED, "").split("\n")):
                yield Finding("will-be-refused", Weight.WARNING, f"{subject.label}: {action.label}", text)
            if held := action.data.get(STAYS_HELD):
                yield _held_before(held)
            for line in filter(None, action.data.get(BEHIND, "").split("\n")):
                text, cure = line.split("\t")
                yield Finding("left-behind", Weight.WARNING, f"{subject.label}: {action.label}", text, cure)
            for text in filter(None, action.data.get(MEANING, "").split("\n")):
                yield Finding("not-kept", Weight.NOTE, f"{subject.label}: {action.label}", text)

    # -- do ----------------------------------------------------------------------------------------------------------------

    def apply(self, action: Action, work: Work) -> None:
        plan = ListPlan(action.data["source"], action.data["target"])
        key, part = action.data["subject"], action.data["part"]
        with _reading(work, Side.SOURCE) as source, _writing(work) as target:
            if part == "list":
                self._make_list(key, plan, source, target, work)
                return
            visit = self._visit(key, plan, source, target, work)
            if not visit.standing.is_there:
                raise Refused(f"{plan.target}: the target does not have the list.", remedy="See what its making says.")
            match part:
                case "hold":
                    _hold(visit, target)
                case "settings":
                    _set(visit, part, target, work)
                case "release":
                    _open(visit, target, work)
                    if held := action.data.get(STAYS_HELD):
                        work.note(_held_before(held))
                case word:
                    _fill(visit, word, action.data[DOUBT], target, work)

    def _make_list(self, key: str, plan: ListPlan, source: ListReader, target: ListWriter, work: Work) -> None:
        before = work.settled(f"{key}/list", [MADE]).get(MADE)
        if before is not None and not is_there(target, plan.target):
            note, cure = "is not at the target any more", "It is made anew by this run."
            work.record([replace(before, fate=Fate.LEFT_BEHIND, note=note, cure=cure)])
        owners = list(everybody(source, plan.address, Role.OWNER).values())

        def make() -> None:
            policy = target.features.list_password
            password = make_password(policy) if policy else None
            if password is not None:
                work.keep_password(plan.target, password)  # first the hand-out, then the list
            target.create_list(plan.target, owners[0].address if owners else "", password)

        work.carry(ListMove(target, plan.target, next_making(before), make))
        visit = self._visit(key, plan, source, target, work)
        loud = visit.loud()
        if loud and visit.standing.quiet is None:
            last = int(work.remembered(f"{key}/release").get(RELEASED, "0"))
            work.remember({QUIET: Quiet(last + 1, visit.standing.making, loud).fact()})
        if visit.standing.making and target.features.list_password:
            text = f"{plan.target}: the list's new admin password is in the hand-out; at the source the old one holds"
            work.note(Finding("list-password", Weight.NOTE, plan.target, text, "Give it to the list's owners."))

    # -- prove -------------------------------------------------------------------------------------------------------------

    def verify(self, action: Action, read: Reading, sample: float) -> Iterator[Finding]:
        del sample  # everything is compared; lists are small
        part = action.data.get("part", "")
        if part in {"", "hold"}:
            return
        plan = ListPlan(action.data["source"], action.data["target"])
        with _reading(read, Side.SOURCE) as source, _reading(read, Side.TARGET) as target:
            visit = self._visit(action.data["subject"], plan, source, target, read)
            if not visit.standing.is_there:
                if part == "list":
                    text = f"{plan.target}: the list is not at the target"
                    yield Finding("missing", Weight.DIFFERENCE, action.label, text, "Run again.")
            elif part in ROLES:
                roster = visit.roster(part, action.data[DOUBT])
                yield from compared(plan.target, roster, target)
                if ROLES[part] is Role.MEMBER:
                    yield from _by_the_second_road(plan.target, roster, target)
            elif part == "release" and visit.standing.quiet is not None:
                yield _held(plan.target, keeps=self.options.hold == "keep")
            elif part in {"settings", "release"}:
                decisions = visit.settings(part)
                there = target.settings_as_kept(target.settings(plan.target))
                yield from compared_settings(plan.target, decisions, there, read.settled(action.key, list(decisions)))


# -- actions -----------------------------------------------------------------------------------------------------------------


def _action(visit: Visit, part: str, verb: Verb, why: str) -> Action:
    data = {"subject": visit.key, "source": visit.plan.address, "target": visit.plan.target, "part": part}
    parted = "#" if part == "hold" else "/"  # holding moves nothing itself
    return Action(f"{visit.key}{parted}{part}", verb, part, why, lanes=_LANES, data=data)


def _list_action(visit: Visit, members: int, *, quietens: bool, makes_domain: bool) -> Action:
    features = visit.target.features
    one = replace(_action(visit, "list", Verb.KEEP, "is there"), total=Size(1))
    if visit.standing.is_there and visit.standing.cut_off:
        return replace(one, verb=Verb.CREATE, why="was being made when a run died, and is taken up", size=Size(1))
    if visit.standing.is_there:
        if quietens:
            return replace(one, verb=Verb.CHANGE, why="is there, and is silenced for a while")
        # A list that no run has looked at is nothing to move: only what is on record counts, so that the sums add up.
        return one if visit.read.settled(one.key, [MADE]) else replace(one, total=Size())
    if not features.creates:
        why = (
            f"{visit.plan.target}: {features.title} cannot be given a new list from here. Make it there, then run again"
        )
        return replace(one, verb=Verb.BY_HAND, why=why, lanes=())
    if features.fewer_than and members >= features.fewer_than:
        why = f"{visit.plan.target}: {members:,} members are too many for {features.title}, which is for fewer than {features.fewer_than}"
        return replace(one, verb=Verb.BY_HAND, why=f"{why}. {ELSEWHERE}", lanes=())
    cut_off = ["was being made when a run died, and is taken up"] if visit.standing.cut_off else []
    reasons = ["its admin password goes into the hand-out"] if features.list_password else []
    reasons += _with_its_domain(visit) if makes_domain else ()
    return replace(one, verb=Verb.CREATE, why="; ".join([*cut_off, *reasons]), size=Size(1))


def _with_its_domain(visit: Visit) -> Iterator[str]:
    """That the list's domain is made as well, where it has to be."""
    target, domain = visit.target, split(visit.plan.target)[1]
    if not target.features.makes_domains or not isinstance(target, MakesDomains) or target.has_domain(domain):
        return
    yield f"{shown_domain(domain)} is made with it, a domain that {target.features.title} does not have"


def _settings_action(visit: Visit, part: str) -> Action:
    action = _action(visit, part, Verb.KEEP, "")
    decisions = visit.settings(part)
    recorded = visit.read.settled(action.key, list(decisions))
    to_do = [one for one in decisions.values() if not is_settled_setting(one, recorded.get(one.name))]
    held = _was_held(visit, decisions)
    if held:
        action = replace(
            action, data={**action.data, STAYS_HELD: visit.plan.target}, told=(_held_before(visit.plan.target),)
        )
    return replace(
        action,
        verb=Verb.COPY if to_do else Verb.KEEP,
        amounts=setting_summary(list(decisions.values()), to_do),
        size=Size(sum(one.do is Do.CHANGE for one in to_do)),
        total=Size(len(decisions)),
        present=tuple(decisions),
        details=tuple(setting_details(decisions.values(), recorded)),
        data={**action.data, BEHIND: "\n".join("\t".join(one) for one in settings_behind(decisions.values()))},
    )


def _roster_action(visit: Visit, roster: Roster) -> Action:
    people = list(roster.people.values())
    meaning = [
        *differences_of_meaning("", roster.word, people, visit.source, visit.target),
        *names_of_meaning("", roster, visit.target),
    ]
    refusals = visit.refusals(roster)
    refused = (f"{one.wanted.address}: {refusals[one.key]}" for one in roster.decisions if one.key in refusals)
    todo = roster.to_do or not visit.is_filled(roster.word) or visit.was_doubted(roster.word)
    action = _action(visit, roster.word, Verb.COPY if todo else Verb.KEEP, "")
    return replace(
        action,
        amounts=summary(roster, refusals),
        size=Size(to_move(roster, refusals)),
        total=Size(len(roster.decisions)),
        present=tuple(one.key for one in roster.decisions),
        data={
            **action.data,
            MEANING: "\n".join(one.text for one in meaning),
            REFUSED: "\n".join(refused),
            BEHIND: "\n".join("\t".join(one) for one in people_behind(roster)),
        },
        details=tuple(details(roster, refusals, delta=visit.was_filled(roster.word))),
    )


def _release_action(visit: Visit, *, quiet: bool) -> Action:
    """The last action: what was held and silenced is as it should be."""
    action = _settings_action(visit, "release")
    if not quiet:
        return action
    if visit.options.hold == "keep" and visit.standing.ours:
        why = "stays held and silent (hold: keep), until a lists step of the plan says hold: while-filling"
        told = (_held(visit.plan.target, keeps=True),)
        return replace(action, verb=Verb.KEEP, why=why, amounts="", size=Size(), total=Size(), details=(), told=told)
    why = "posts and notices go out again once everybody is there"
    given_back = len(visit.standing.quiet.before) if visit.standing.quiet is not None else 0
    size = Size(max(action.size.items, given_back))
    return replace(action, verb=Verb.CHANGE, why=why, size=size)


def _was_held(visit: Visit, decisions: Mapping[str, SettingDecision]) -> bool:
    """Whether a list that is not ours is held at the target, which the source's is not: its owners may have done that, or a run whose state
    was lost.
    """
    decision = decisions.get(EMERGENCY)
    if decision is None or decision.value is not False or decision.do is Do.CHANGE:
        return False
    return not visit.standing.ours and visit.standing.quiet is None and visit.see().emergency is True


def _held_before(address: str) -> Finding:
    """That no post goes out, and did not before us."""
    text = f"{address} was held at the target before this run, and stays so: no post goes out"
    return Finding("held", Weight.WARNING, address, text, OPEN_IT)


def _held(address: str, *, keeps: bool) -> Finding:
    """That no post goes out, and what opens the list."""
    return Finding("held", Weight.WARNING, address, f"{address} stays held and silent: no post goes out", HELD[keeps])


# -- doing -------------------------------------------------------------------------------------------------------------------


def _hold(visit: Visit, target: ListWriter) -> None:
    if visit.standing.quiet is not None:
        target.configure(visit.plan.target, visit.standing.quiet.settings)
        _refuse_noise(visit)


def _refuse_noise(visit: Visit) -> None:
    """Raise Misbehaved unless everything is silent that has to be."""
    quiet = visit.standing.quiet
    wanted = dict.fromkeys(visit.target.features.noisy, False) | (quiet.settings.told() if quiet else {})
    if not wanted:
        return
    now = visit.target.settings(visit.plan.target).told()
    loud = [title_of(name) for name in sorted(wanted) if name in now and now[name] is not wanted[name]]
    if loud:
        raise Misbehaved(
            f"{visit.plan.target}: nobody is brought, because the target has not taken what keeps it silent ({', '.join(loud)}).",
            remedy="Switch these by hand at the target, then run again.",
        )


def _begin(visit: Visit, key: str, work: Work) -> None:
    """Strike what is recorded of a list that is not there any more."""
    if not visit.holds_for_this_making(key):
        facts = {name: value for name, value in work.remembered(key).items() if name in {RELEASED, OPENED}}
        work.forget()
        work.remember(facts)
    work.remember({BEGUN: visit.making})


def _set(visit: Visit, part: str, target: ListWriter, work: Work) -> None:
    key = f"{visit.key}/{part}"
    _begin(visit, key, work)
    made = bool(visit.standing.making)
    move = SettingMove(target, visit.plan.target, visit.settings(part), made)
    work.resolve(move)
    if move.resolved:
        move = SettingMove(target, visit.plan.target, visit.settings(part), made)
    recorded = work.settled(key, list(move.decisions))
    again = [one for name, one in recorded.items() if not is_settled_setting(move.decisions[name], one)]
    note, cure = "is looked at again", "This run sees to it."
    work.record(replace(one, fate=Fate.LEFT_BEHIND, note=note, cure=cure) for one in again)
    work.carry(move, BatchLimit(items=target.features.configures_at_once))
    for one in move.decisions.values():
        if one.aside:
            about = visit.plan.target
            work.note(Finding("otherwise-at-target", Weight.NOTE, about, f"{title_of(one.name)}: {one.aside}"))


def _fill(visit: Visit, word: str, doubt: str, target: ListWriter, work: Work) -> None:
    """Bring everybody of one role, and take off who has left, unless the planning saw a `doubt` about the whole list."""
    key = f"{visit.key}/{word}"
    _begin(visit, key, work)
    roster = visit.roster(word, doubt)
    move = _member_move(roster, visit, target)
    work.resolve(move)
    if move.written:  # a death had left some on the way, and they have arrived
        roster = visit.roster(word, doubt)
        move = _member_move(roster, visit, target)
    if roster.writes:
        _refuse_noise(visit)
        work.remember({UNPROVEN: "yes"})
    recorded = roster.past.outcomes
    unsettled = [one.key for one in roster.decisions if not is_settled(one, recorded.get(one.key))]
    work.record(reconsidered(recorded[one]) for one in unsettled if one in recorded)
    work.carry(move, BatchLimit(items=target.features.at_once))
    removed = list(_take_off(roster, visit.plan.target, target, work))
    if move.written or removed:
        there = everybody(target, visit.plan.target, ROLES[word])
        work.record(move.proven_in(there))
        work.record(_still_there(removed, there))
    doubts = doubted(roster)
    work.remember({UNPROVEN: "", FILLED: visit.making, DOUBTS: "yes" if doubts else ""})
    people, about = list(roster.people.values()), visit.plan.target
    meaning = differences_of_meaning(about, word, people, visit.source, target)
    for finding in chain(meaning, names_of_meaning(about, roster, target), told_apart(about, roster)):
        work.note(finding)
    if removed:
        work.note(taken_off(about, word, removed))
    if doubts:
        work.note(Finding("many-left", Weight.WARNING, f"{about}: {word}", doubts, MANY_LEFT))


def _member_move(roster: Roster, visit: Visit, target: ListWriter) -> MemberMove:
    decisions = {one.key: one for one in roster.decisions}
    role, made = ROLES[roster.word], bool(visit.standing.making)
    made_with = made and role is Role.OWNER and not visit.was_filled(roster.word)
    return MemberMove(target, visit.plan.target, role, decisions, made_with)


def _take_off(roster: Roster, address: str, target: ListWriter, work: Work) -> Iterator[Decision]:
    """Take those off the list who have left it at the source and whom we had brought; answers who was."""
    work.record(_left(one) for one in roster.leavers if one.do is Do.SKIP)
    leaving = [one for one in roster.leavers if one.do is Do.REMOVE]
    staying: dict[tuple[str, str], list[str]] = {}  # by the target's words and what to do
    for start in range(0, len(leaving), target.features.at_once):
        work.edge()
        part = leaving[start : start + target.features.at_once]
        answers = target.remove(address, [replace(one.wanted, role=ROLES[roster.word]) for one in part])
        put = list(zip(part, answers, strict=True))
        work.record(_left(one) for one, answer in put if not answer.refused)
        for one, answer in put:
            if answer.refused:
                key = answer.refused, answer.remedy or "Do it by hand."
                staying.setdefault(key, []).append(one.wanted.address)
        yield from (one for one, answer in put if not answer.refused)
    for (words, remedy), several in staying.items():
        text = f"left at the source, and the target does not take off ({words}): {', '.join(several)}"
        work.note(Finding("not-taken-off", Weight.WARNING, address, text, remedy))


def _left(decision: Decision) -> Outcome:
    return Outcome(decision.key, Fate.GONE, ref=decision.wanted.key, note=decision.why)


def _still_there(removed: Sequence[Decision], there: Mapping[str, Member]) -> Iterator[Outcome]:
    """What is recorded of those who were taken off and are there all the same: what it was before."""
    for decision in removed:
        if decision.wanted.key in there and decision.recorded is not None:
            yield decision.recorded


def _open(visit: Visit, target: ListWriter, work: Work) -> None:
    """What was held and silenced is as it should be. Raises Refused where a list that was never open would be opened by that, and somebody
    is not there yet.
    """
    standing = visit.standing
    if standing.ours and not standing.opened and (unfilled := _unfilled(visit)):
        raise Refused(
            f"{visit.plan.target} stays held: its {' and '.join(unfilled)} are not all there yet.",
            remedy="See to what stopped them, then run again; the list is opened once they are there.",
        )
    if standing.quiet is not None:
        target.configure(visit.plan.target, settings_of(standing.quiet.before))
        work.remember(
            {RELEASED: str(standing.quiet.round), OPENED: standing.making}
        )  # on disk before anything more is set
    _set(replace(visit, standing=replace(standing, quiet=None)), "release", target, work)


def _unfilled(visit: Visit) -> list[str]:
    """The roles of which not everybody has been brought."""
    asked = (word for word, role in ROLES.items() if role in visit.source.features.roles and not visit.is_filled(word))
    return [word for word in asked if everybody(visit.source, visit.plan.address, ROLES[word])]


# -- proving -----------------------------------------------------------------------------------------------------------------


def _by_the_second_road(address: str, roster: Roster, target: ListReader) -> Iterator[Finding]:
    if not target.features.knows_addresses or not isinstance(target, KnowsAddresses):
        return
    second = target.addresses(address)
    for one in sorted(second ^ roster.there.keys()):
        where = "by its second road alone" if one in second else "in the roster alone"
        text = f"{one}: the target shows the member {where}"
        yield Finding("roads-differ", Weight.DIFFERENCE, one, text, "Look at the list at the target.")


def _lists_of(source: ListReader) -> Sequence[MailingList]:
    """The source's lists. Raises PlanError, before anything moves, where a file does not even tell which list it is about."""
    try:
        return source.lists()
    except Misbehaved as error:
        if not isinstance(source, KeptInFolder):
            raise
        raise PlanError(str(error), remedy=error.remedy) from error


# -- sessions ----------------------------------------------------------------------------------------------------------------


@contextmanager
def _reading(read: Reading, side: Side) -> Iterator[ListReader]:
    """A session that reads, with the endpoint's panel where it asks for that."""
    at_source = side is Side.SOURCE
    with (read.source if at_source else read.target)(LISTS, THE_LISTS) as session:
        if not session.features.asks_panel or not isinstance(session, AsksPanel):
            yield session
            return
        with ExitStack() as stack:
            opened = (read.source if at_source else read.target)(PANEL, THE_PANEL)
            session.ask(_panel_of(stack, opened))
            yield session


@contextmanager
def _writing(work: Work) -> Iterator[ListWriter]:
    """The same, at the target, to write."""
    with work.target_for_writing(LISTS, THE_LISTS) as session:
        if not session.features.asks_panel or not isinstance(session, AsksPanel):
            yield session
            return
        with ExitStack() as stack:
            opened = work.target_for_writing(PANEL, THE_PANEL)
            session.ask(_panel_of(stack, opened))
            yield session


def _panel_of(stack: ExitStack, opened: AbstractContextManager[PanelReader]) -> PanelReader:
    """The endpoint's panel. Raises PlanError, which says what it is wanted for, if the plan has none."""
    try:
        return stack.enter_context(opened)
    except PlanError as error:
        what = f"{error} It opens the lists there, for which the plan has no passwords."
        remedy = f"{error.remedy} Or name the secret of a password in the endpoint's lists (password, passwords, site_password)."
        raise PlanError(what, remedy=remedy) from error


def _tell_password(address: str, target: ListReader, read: Reading) -> None:
    """A list that we made opens with the password we made for it, in whatever session."""
    if target.features.list_password and isinstance(target, TakesPasswords):
        made = read.login(Side.TARGET, address).password
        if made is not None:
            target.know(address, made)


def _key(plan: ListPlan) -> str:
    """The subject's key: the list's address, and the target's where it is another."""
    source, target = plan.address.lower(), plan.target.lower()
    return source if source == target else f"{source}>{target}"


def _shown(address: str) -> str:
    """An address as people read it."""
    local, domain = split(address)
    return f"{local}@{shown_domain(domain)}" if domain else local


def _build(options: ListsOptions, accounts: Sequence[Account]) -> ListsStep:
    return ListsStep(options, {same_form(account.source.account).lower(): account for account in accounts})


KIND = Kind(
    word="lists",
    service=LISTS.service,
    options=ListsOptions,
    build=_build,
    needs_accounts=False,
    measure=Measure.ITEMS,
    misnamed=misnamed,
)
