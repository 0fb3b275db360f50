"""The `mail` step: every folder of every account from one store to another.

A mailbox is a subject. Its first action makes folders and subscriptions; then each folder is an action of its own, so that large
mailboxes are copied over several connections. The engine does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from functools import partial

from migrator.engine.contract import (
    ARRIVED,
    Account,
    Action,
    BatchLimit,
    Fate,
    Finding,
    Kind,
    Lane,
    Outcome,
    Reading,
    Side,
    Size,
    Subject,
    Verb,
    Weight,
    Work,
)
from migrator.errors import EndpointUnfit, Misbehaved, NotFound, NotMadeYet
from migrator.frozen import dataclass
from migrator.mail.adoption import adopt
from migrator.mail.comparison import FolderComparison
from migrator.mail.contract import MAIL, KeptInFiles, MailReader, MailWriter
from migrator.mail.copying import SHARING, FolderCopy, item_key, sharing, uid_of
from migrator.mail.folders import FolderPlan, FolderRules, plan_folders, repairs, shown
from migrator.mail.following import follow_flags
from migrator.mail.foresight import folder_findings, forecast, largest_folder, probe_folder, room_findings
from migrator.mail.model import Features, Folder, Header, Namespace, Opened
from migrator.mail.options import RECOPY, MailOptions

FOLDERS = "#folders"  # ends the key of the action that makes a mailbox's folders
NAME = "name "  # a fact of that action: the raw name at the target of the source's folder named behind
REFUSED = "refused "  # likewise: the target's words where it would not create that folder, "" where it did
_DOING = frozenset({Verb.COPY, Verb.CHANGE})  # the verbs whose reasons are over once the action is done


@dataclass(frozen=True, slots=True)
class MailStep:
    """See the module; fulfils Step, Foresees and Probes."""

    options: MailOptions
    accounts: Mapping[str, Account]
    limit: BatchLimit = field(default_factory=BatchLimit)

    # -- subjects ----------------------------------------------------------------------------------------------------------

    def subjects(self, read: Reading) -> Iterator[Subject]:  # noqa: ARG002 - the plan has named them already
        for account in self.accounts.values():
            source, target = account.source.account, account.target.account
            yield Subject(
                _subject_key(account), source if source == target else f"{source} -> {target}", _lanes(account)
            )

    # -- read and decide ---------------------------------------------------------------------------------------------------

    def plan(self, subject: Subject, read: Reading) -> Iterator[Action]:
        account = self.accounts[subject.key]
        there, space = self._at_target(account, read)
        with read.source(MAIL, account.source.account) as source:
            plans = self._folder_plans(subject, source, space, there, read)
            no_folders = _no_folders(source)
        on_target = {folder.name: folder for folder in there}
        making = self._making(subject, account, plans, on_target, read)
        yield making
        filling: dict[str, list[str]] = {}
        for plan in plans:
            if plan.target is not None:
                filling.setdefault(plan.target, []).append(_folder_key(subject, plan))
        for plan in plans:
            action = self._folder_action(subject, account, plan, on_target.get(plan.target or ""), making, read)
            yield action if plan.target is None else _in_turn(action, filling[plan.target])
        for name, _, why in no_folders:
            yield Action(f"{subject.key}#file/{name}", Verb.BY_HAND, f"file {name}", why)

    def _at_target(self, account: Account, read: Reading) -> tuple[Sequence[Folder], Namespace]:
        """The target's folders and their namespace; an account that an earlier step is to make has none."""
        try:
            with read.target(MAIL, account.target.account) as target:
                return target.folders(), target.namespace
        except NotMadeYet:
            return (), Namespace()

    def _folder_plans(
        self, subject: Subject, source: MailReader, space: Namespace, there: Sequence[Folder], read: Reading
    ) -> list[FolderPlan]:
        """Where each folder goes; what an earlier run chose, or had to repair, stays."""
        wanted = self.options.folders
        rules = FolderRules(only=wanted.only, except_=wanted.except_, map=wanted.map)
        chosen = {
            fact.removeprefix(NAME): name
            for fact, name in read.remembered(subject.key + FOLDERS).items()
            if fact.startswith(NAME)
        }
        folders = source.folders()
        if not folders and source.features.nowhere:
            raise EndpointUnfit(f"{source.features.nowhere}.", remedy="Correct the endpoint's path in the plan.")
        if not folders:
            notes = [*source.features.notes, *(f"{name}: {why}" for name, _, why in _no_folders(source))]
            raise NotFound(
                f"{subject.label}: the source holds no folder of this account at all ({'; '.join(notes) or 'not even INBOX'}).",
                remedy="Check the account's name and the endpoint's path in the plan.",
            )
        moved = [name for name in chosen if _arrived(read.counts(f"{subject.key}/{name}"))]
        return list(plan_folders(folders, source.namespace, there, space, rules, chosen, moved))

    def _making(
        self,
        subject: Subject,
        account: Account,
        plans: Sequence[FolderPlan],
        there: Mapping[str, Folder],
        read: Reading,
    ) -> Action:
        missing = self._to_create(subject, plans, read)
        unsubscribed = [plan for plan in plans if self._wants_subscription(plan, there)]
        verb = Verb.CREATE if missing else Verb.CHANGE if unsubscribed else Verb.KEEP
        parts = [
            f"create {len(missing):,}" if missing else "",
            f"subscribe to {len(unsubscribed):,}" if unsubscribed else "",
        ]
        return Action(
            key=subject.key + FOLDERS,
            verb=verb,
            label="folders",
            why="" if missing or unsubscribed else "all there",
            lanes=_lanes(account),
            amounts=", ".join(filter(None, parts)),
        )

    def _to_create(self, subject: Subject, plans: Sequence[FolderPlan], read: Reading) -> list[FolderPlan]:
        """Folders the target lacks, but for those that were filled once and are gone: an empty one in their place would hide that."""
        return [
            plan
            for plan in plans
            if plan.target and not plan.exists and not self._is_gone(read.counts(_folder_key(subject, plan)))
        ]

    def _is_gone(self, fates: Mapping[Fate, Size]) -> bool:
        """Of a folder the target lacks: whether messages were copied into it, which the plan does not say to copy again."""
        return self.options.on_target_missing == "report" and _arrived(fates) > 0

    def _wants_subscription(self, plan: FolderPlan, there: Mapping[str, Folder]) -> bool:
        if not self.options.subscriptions or not plan.target or not plan.source.subscribed:
            return False
        return plan.target not in there or not there[plan.target].subscribed

    def _folder_action(
        self, subject: Subject, account: Account, plan: FolderPlan, there: Folder | None, making: Action, read: Reading
    ) -> Action:
        folder = plan.source
        key = _folder_key(subject, plan)
        total = Size(folder.messages or 0, folder.bytes)
        fates = read.counts(key)
        present = read.present_counts(key)
        gone = plan.target is not None and not plan.exists and self._is_gone(fates)
        if plan.target is None:
            # What was copied before the plan left it out stays on the books, and the books must add up.
            recorded = Size(
                sum(size.items for size in present.values()), sum(size.bytes or 0 for size in present.values())
            )
            why = "; ".join(filter(None, (plan.why, _staying(plan, recorded))))
            return Action(key, Verb.KEEP, plan.shown_source, why, total=recorded, data={"left_out": plan.why})
        left = _left(total, present, self._looked_at_again(read.remembered(key)))
        if gone:
            verb, why = (
                Verb.BY_HAND,
                f"1 message was copied here and the folder is gone. If that was not meant: {RECOPY}"
                if _arrived(fates) == 1
                else f"{_arrived(fates):,} messages were copied here and the folder is gone. If that was not meant: {RECOPY}",
            )
        else:
            verb, why = _decide(folder, there, fates, read.remembered(key), self.options, self._rules)
        doing = why if verb in _DOING else ""  # what only a planning says; once it is done it is not true any more
        if verb in _DOING:
            why = ""
            doing = _broken_off(read, key, fates, left, total) or doing
            if fates and not left.items:
                doing = doing or "something changed since the last pass; it is looked at again"
        return Action(
            key=key,
            verb=verb,
            label=_label(plan),
            why="; ".join(filter(None, (plan.why, why))),
            size=left,
            total=total,
            lanes=_lanes(account),
            after=() if making.verb is Verb.KEEP else (making.key,),
            data={"subject": subject.key, "source": folder.name, "target": plan.target},
            amounts=doing,
        )

    # -- do ----------------------------------------------------------------------------------------------------------------

    def apply(self, action: Action, work: Work) -> None:
        if action.key.endswith(FOLDERS):
            self._make_folders(action, work)
        else:
            self._copy_folder(action, work)

    def _make_folders(self, action: Action, work: Work) -> None:
        subject = Subject(action.key.removesuffix(FOLDERS), "")
        account = self.accounts[subject.key]
        with (
            work.source(MAIL, account.source.account) as source,
            work.target_for_writing(MAIL, account.target.account) as target,
        ):
            there = target.folders()
            plans = self._folder_plans(subject, source, target.namespace, there, work)
            missing = self._to_create(subject, plans, work)
            made = _create(missing, [plan.target for plan in plans if plan.target], target, work)
            work.remember(
                {NAME + plan.source.name: made.get(plan.source.name, plan.target) for plan in plans if plan.target}
            )
            on_target = {folder.name: folder for folder in there}
            wanted = [
                made.get(plan.source.name, plan.target)
                for plan in plans
                if plan.target and self._wants_subscription(plan, on_target)
            ]
            for name, words in target.subscribe(wanted).items() if wanted else ():
                work.note(_not_subscribed(_as_people_read(name, target.namespace), words))

    def _copy_folder(self, action: Action, work: Work) -> None:
        account = self.accounts[action.data["subject"]]
        made = work.remembered(action.data["subject"] + FOLDERS)
        source_name = action.data["source"]
        if words := made.get(REFUSED + source_name):
            raise NotFound(
                f"{action.label}: the target would not create this folder ({words}).",
                remedy="Give it another name with folders: map: in the plan, then run again.",
            )
        target_name = made.get(NAME + source_name) or action.data["target"]
        with (
            work.source(MAIL, account.source.account) as source,
            work.target_for_writing(MAIL, account.target.account) as target,
        ):
            opened = source.open(source_name)
            copy = FolderCopy(source, target, source_name, target_name, opened.uidvalidity, self.options)
            self._bring(action, copy, opened, work)

    def _bring(self, action: Action, copy: FolderCopy, opened: Opened, work: Work) -> None:
        """Everything for one folder, both sides open: what is known is checked, what is there is found, what is missing moves."""
        at_target = copy.target.open(copy.target_folder)
        self._check_numbering(action, opened, at_target, work)
        facts = work.remembered(action.key)
        work.remember(
            {
                "uidvalidity": str(opened.uidvalidity),
                "target_uidvalidity": str(at_target.uidvalidity),
                "began": facts.get("began", _stamp(opened)),
            }
        )
        work.resolve(copy)
        if facts.get("rules", self._rules) != self._rules:
            work.record(_reconsidered(one) for one in work.outcomes(action.key) if one.fate is Fate.SKIPPED)
        arrived = sum(_arrived(work.counts(key)) for key in sharing(action))
        if at_target.messages > arrived:
            adopt(action, copy, work)
        if arrived and (at_target.messages < arrived or self.options.on_target_missing == "recopy"):
            self._missing_at_target(action, copy, work)
        work.carry(copy, self.limit)
        last_pass = facts.get("source") or facts.get("began")  # a pass that was broken off copied flags of its own time
        if last_pass:
            follow_flags(action, copy, work, _modseq(last_pass))
        work.remember({"source": _stamp(opened), "rules": self._rules})

    def _looked_at_again(self, facts: Mapping[str, str]) -> frozenset[Fate]:
        """The fates that do not end a message of a folder of which this is remembered."""
        same = facts.get("rules", self._rules) == self._rules
        return frozenset({Fate.LEFT_BEHIND}) if same else frozenset({Fate.LEFT_BEHIND, Fate.SKIPPED})

    @property
    def _rules(self) -> str:
        """What decides which messages are skipped; when it changes, they are looked at again."""
        return f"max_size {self.options.max_size or 'any'}, deleted {self.options.deleted}"

    def _check_numbering(self, action: Action, opened: Opened, at_target: Opened, work: Work) -> None:
        """Uids hold only as long as UIDVALIDITY does. A new one at the source: everything is found again by content. A new one at
        the target: somebody replaced the folder, and only the admin knows why.
        """
        facts = work.remembered(action.key)
        if facts.get("target_uidvalidity", str(at_target.uidvalidity)) != str(at_target.uidvalidity):
            if self.options.on_target_missing == "report":
                raise NotFound(
                    f"{action.label}: the folder at the target was replaced since the last run (its UIDVALIDITY changed).",
                    remedy=f"If that was meant: {RECOPY}; what is there is found, the rest is copied.",
                )
            work.forget()
        elif facts.get("uidvalidity", str(opened.uidvalidity)) != str(opened.uidvalidity):
            work.note(
                Finding(
                    "renumbered",
                    Weight.NOTE,
                    action.label,
                    "the source numbers this folder's messages anew (UIDVALIDITY changed); they were found again by content",
                )
            )
            work.forget()

    def _missing_at_target(self, action: Action, copy: FolderCopy, work: Work) -> None:
        # The folder is read, not counted: others may fill it too, and a server may still be storing what a dead run had sent.
        there = {header.uid for header in copy.target.index(copy.target_folder)}
        lost = [
            one for one in work.outcomes(action.key) if one.fate in ARRIVED and one.ref and int(one.ref) not in there
        ]
        if self.options.on_target_missing == "recopy":
            work.record(_lost(one) for one in lost)
        elif lost:
            work.note(
                Finding(
                    "missing",
                    Weight.WARNING,
                    action.label,
                    "1 message copied earlier is not at the target any more"
                    if len(lost) == 1
                    else f"{len(lost):,} messages copied earlier are not at the target any more",
                    f"If their owner did not delete them: {RECOPY}.",
                )
            )

    # -- prove ---------------------------------------------------------------------------------------------------------------

    def verify(self, action: Action, read: Reading, sample: float) -> Iterator[Finding]:
        if "source" not in action.data:
            return
        account = self.accounts[action.data["subject"]]
        made = read.remembered(action.data["subject"] + FOLDERS)
        target_name = made.get(NAME + action.data["source"]) or action.data["target"]
        with read.source(MAIL, account.source.account) as source, read.target(MAIL, account.target.account) as target:
            yield from FolderComparison(
                action, source, target, action.data["source"], target_name, read, sample
            ).findings()

    # -- foresee -------------------------------------------------------------------------------------------------------------

    def foresee(self, subject: Subject, actions: Sequence[Action], read: Reading) -> Iterator[Finding | Action]:
        account = self.accounts[subject.key]
        features, blocked = Features(), dict[str, str]()
        try:
            with read.target(MAIL, account.target.account) as target:
                features = target.features
                blocked = {folder: why for _, folder, why in _no_folders(target) if folder}
        except NotMadeYet:  # nobody knows yet what it will take
            if not self._leaves_some:
                return
        for action in actions:
            if why := blocked.get(action.data.get("target", "")):
                yield Finding(Misbehaved.code, Weight.WARNING, f"{subject.label}: {action.label}", why)
        needed = 0
        with read.source(MAIL, account.source.account) as source:
            for action in actions:
                if action.verb is Verb.COPY and action.size.items:
                    index = source.index(action.data["source"])
                    seen = forecast(index, features.largest, self.options, partial(self._unrecorded, action, read))
                    moving = _less(action.size, seen.staying)
                    needed += moving.bytes if moving.bytes is not None else seen.bytes
                    yield replace(action, size=moving)
                    yield from folder_findings(f"{subject.label}: {action.label}", seen, features.largest)
        yield from room_findings(subject, needed, features)

    @property
    def _leaves_some(self) -> bool:
        """Whether the plan leaves messages at the source of folders that move."""
        return self.options.max_size is not None or self.options.deleted == "skip"

    def _unrecorded(self, action: Action, read: Reading, headers: Sequence[Header]) -> Sequence[Header]:
        """Those of a folder's messages that are not on record as ended; what is looked at again has not ended."""
        facts = read.remembered(action.key)
        if "uidvalidity" not in facts:
            return headers
        validity = int(facts["uidvalidity"])
        again = self._looked_at_again(facts)
        settled = read.settled(action.key, [item_key(validity, header.uid) for header in headers])
        ended = {uid_of(key) for key, outcome in settled.items() if outcome.fate not in again}
        return [header for header in headers if header.uid not in ended]

    def probe(self, subject: Subject, actions: Sequence[Action], read: Reading, budget: int) -> int:
        action = largest_folder(actions)
        if action is None:
            return 0
        with read.source(MAIL, self.accounts[subject.key].source.account) as source:
            return probe_folder(source, action.data["source"], budget)


# -- pure ----------------------------------------------------------------------------------------------------------------------


def _no_folders(mailbox: MailReader) -> list[tuple[str, str, str]]:
    return list(mailbox.no_folders()) if isinstance(mailbox, KeptInFiles) else []


def _subject_key(account: Account) -> str:
    """Both addresses where they differ: what was copied to one mailbox says nothing of another."""
    source, target = account.source.account, account.target.account
    return source if source == target else f"{source}>{target}"


def _lanes(account: Account) -> tuple[Lane, ...]:
    return Lane(Side.SOURCE, account.source.account), Lane(Side.TARGET, account.target.account)


def _label(plan: FolderPlan) -> str:
    return (
        plan.shown_source if plan.shown_source == plan.shown_target else f"{plan.shown_source} -> {plan.shown_target}"
    )


def _stamp(folder: Folder | Opened) -> str:
    """What changes when anything in a folder does, where the server counts changes."""
    return f"{folder.uidvalidity}/{folder.uidnext}/{folder.messages}/{folder.modseq}"


def _modseq(stamp: str) -> int:
    return int(stamp.rpartition("/")[2])


def _left(total: Size, fates: Mapping[Fate, Size], again: AbstractSet[Fate]) -> Size:
    """What the ledger does not know as ended yet, as far as counts can tell."""
    ended = [size for fate, size in fates.items() if fate not in again]
    return _less(total, Size(sum(size.items for size in ended), sum(size.bytes or 0 for size in ended)))


def _less(total: Size, part: Size) -> Size:
    items = max(0, total.items - part.items)
    if total.bytes is None:
        return Size(items, None)
    return Size(items, max(0, total.bytes - (part.bytes or 0)) if items else 0)


def _decide(
    folder: Folder,
    there: Folder | None,
    fates: Mapping[Fate, Size],
    facts: Mapping[str, str],
    options: MailOptions,
    rules: str,
) -> tuple[Verb, str]:
    left_behind = fates.get(Fate.LEFT_BEHIND, Size()).items
    skipped = fates.get(Fate.SKIPPED, Size()).items
    if not folder.messages and not fates:
        return Verb.KEEP, "empty"
    if skipped and facts.get("rules", rules) != rules:
        return Verb.COPY, f"the plan's rules changed; skipped before and looked at again: {skipped:,}"
    known = there is not None and facts.get("target_uidvalidity") == str(there.uidvalidity)
    if there is not None and known and facts.get("source") == _stamp(folder) and not left_behind:
        return _decide_unchanged(folder, there, fates, options)
    if left_behind:
        return Verb.COPY, f"left behind before and tried again: {left_behind:,}"
    if there is not None and there.messages and not facts:
        return Verb.COPY, f"the target holds {there.messages:,} already; what is the same is found, not copied"
    return Verb.COPY, ""


def _decide_unchanged(
    folder: Folder, there: Folder, fates: Mapping[Fate, Size], options: MailOptions
) -> tuple[Verb, str]:
    """For a folder of the source that is as the last pass left it: the target may not be."""
    if options.on_target_missing == "recopy":
        return Verb.CHANGE, "nothing new; what is missing at the target is copied again"
    if there.messages is not None and there.messages < _arrived(fates):
        return Verb.CHANGE, "nothing new; messages copied earlier are not at the target any more"
    return (Verb.KEEP, "nothing new") if folder.modseq else (Verb.CHANGE, "nothing new; flags are compared")


def _staying(plan: FolderPlan, recorded: Size) -> str:
    """How many messages of a folder that is left out stay behind with it, "" if none."""
    stay = max(0, (plan.source.messages or 0) - recorded.items) if plan.leaves_mail else 0
    several = f"{stay:,} messages stay at the source" if stay else ""
    return "1 message stays at the source" if stay == 1 else several


def _broken_off(read: Reading, key: str, fates: Mapping[Fate, Size], left: Size, total: Size) -> str:
    """Of a folder that a run began and did not end, how many messages are open, "" of any other."""
    uncertain = len(read.intended(key))
    if not uncertain and ("source" in read.remembered(key) or not fates):
        return ""
    open_ = f"{left.items:,} of {total.items:,} messages are open" if left.items else "every message is on record"
    looked = f", of which {uncertain:,} may have arrived; that is looked into first" if uncertain else ""
    return f"a pass was broken off here: {open_}{looked}"


def _arrived(fates: Mapping[Fate, Size]) -> int:
    return sum(size.items for fate, size in fates.items() if fate in ARRIVED)


def _folder_key(subject: Subject, plan: FolderPlan) -> str:
    return f"{subject.key}/{plan.source.name}"


def _in_turn(action: Action, filling: Sequence[str]) -> Action:
    """Folders that the plan sends into one target folder go one after the other: two at once would find each other's messages
    behind their fences. Each knows of all the others, so that none takes their messages for strangers'.
    """
    others = [key for key in filling if key != action.key]
    if not others:
        return action
    earlier = filling[: filling.index(action.key)]
    return replace(action, after=(*action.after, *earlier), data={**action.data, SHARING: "\n".join(others)})


def _as_people_read(name: str, space: Namespace) -> str:
    return shown(Folder(name, space.separator), space)


def _create(missing: Sequence[FolderPlan], wanted: Sequence[str], target: MailWriter, work: Work) -> Mapping[str, str]:
    """Make folders; answers the names at the target by the source's where they had to be repaired. One that cannot be made is
    remembered with the server's words. A repaired name is none of those `wanted` for folders of the source; it may be there
    already, as a run left it that died before it could say so.
    """
    names = {plan.source.name: plan.target for plan in missing if plan.target}
    refused = target.create(list(names.values())) if names else {}
    made: dict[str, str] = {}
    words = dict.fromkeys((REFUSED + name for name in names), "")
    for plan in missing:
        name = names[plan.source.name]
        if name not in refused:
            continue
        other = next(
            (
                one
                for one in repairs(name, target.namespace, [*wanted, *made.values()])
                if one not in target.create([one])
            ),
            None,
        )
        if other is None:
            words[REFUSED + plan.source.name] = refused[name]
        else:
            made[plan.source.name] = other
            work.note(_renamed(plan, _as_people_read(other, target.namespace), refused[name]))
    work.remember(words)
    return made


def _renamed(plan: FolderPlan, name: str, words: str) -> Finding:
    return Finding(
        "renamed",
        Weight.NOTE,
        plan.shown_source,
        f"is called {name} at the target, which would not create it as it is ({words})",
    )


def _not_subscribed(name: str, words: str) -> Finding:
    return Finding("not-subscribed", Weight.NOTE, name, f"the target would not subscribe to it ({words})")


def _lost(one: Outcome) -> Outcome:
    return replace(
        one, fate=Fate.LEFT_BEHIND, ref="", note="not at the target any more", cure="It is copied again by this run."
    )


def _reconsidered(one: Outcome) -> Outcome:
    return replace(
        one,
        fate=Fate.LEFT_BEHIND,
        note="skipped by earlier rules of the plan",
        cure="It is looked at again by this run.",
    )


def _build(options: MailOptions, accounts: Sequence[Account]) -> MailStep:
    return MailStep(options, {_subject_key(account): account for account in accounts})


KIND = Kind(word="mail", service="mail", options=MailOptions, build=_build)
