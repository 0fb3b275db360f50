"""Verification of one folder: both sides are read anew and held against the ledger.

The source's messages, window by window: each must have an outcome; each outcome that says "arrived" must have its message at the
target, with the same arrival, at least the same flags, and, for the share that is read whole, the digest the source's bytes
had. What the target holds beyond that is looked at too: a message of ours that is there twice is a difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from migrator.engine.contract import ARRIVED, Action, Fate, Finding, Outcome, Reading, Weight
from migrator.mail.contract import MailReader
from migrator.mail.copying import canonical, item_key, masked, sharing
from migrator.mail.dates import clamp, same_instant
from migrator.mail.digest import digests
from migrator.mail.flags import from_mark, to_send
from migrator.mail.model import Header
from migrator.mail.options import RECOPY

PORTION = 500
NAMED = 5  # examples named in a finding
FOREIGN = 2_000  # messages at the target that are not ours, up to which each is read to find doubles


@dataclass(slots=True)
class FolderComparison:
    """One folder being compared. `sample` is the share of messages whose bytes are read, 0 to 1."""

    action: Action
    source: MailReader
    target: MailReader
    source_folder: str
    target_folder: str
    read: Reading
    sample: float
    troubles: dict[str, list[str]] = field(default_factory=dict)
    fates: Counter[Fate] = field(default_factory=Counter)
    ours: set[int] = field(default_factory=set)
    total: int = 0
    compared: int = 0

    def findings(self) -> Iterator[Finding]:
        """Compare everything, then tell: one finding a kind of trouble with how many and some examples."""
        opened = self.source.open(self.source_folder)
        self.target.open(self.target_folder)
        stream = iter(self.source.index(self.source_folder))
        while portion := list(islice(stream, PORTION)):
            self._compare({item_key(opened.uidvalidity, header.uid): header for header in portion})
        self._look_for_doubles()
        for code, about in self.troubles.items():
            yield self._finding(code, about)

    def _compare(self, headers: Mapping[str, Header]) -> None:
        outcomes = self.read.settled(self.action.key, list(headers))
        self.total += len(headers)
        for key, header in headers.items():
            if key not in outcomes:
                self._trouble("not-copied", f"uid {header.uid}")
            else:
                self.fates[outcomes[key].fate] += 1
        arrived = {int(one.ref): one for one in outcomes.values() if one.fate in ARRIVED and one.ref}
        self.ours |= arrived.keys()
        if not arrived:
            return
        there = {
            header.uid: header
            for header in self.target.index(self.target_folder, first=min(arrived), last=max(arrived))
            if header.uid in arrived
        }
        for uid, outcome in arrived.items():
            if uid in there:
                self._compare_marks(headers[outcome.key], there[uid], outcome)
            else:
                self._trouble("missing", f"uid {headers[outcome.key].uid}")
        self._compare_bytes({uid: one for uid, one in arrived.items() if uid in there and self._sampled(uid)})

    def _compare_marks(self, source: Header, target: Header, outcome: Outcome) -> None:
        """Arrival and flags; what the note tells is known. A FOUND message came by another way and keeps what it has: told, no more."""
        lost = _plain(from_mark(outcome.mark)) - _plain(target.flags)
        if outcome.fate is Fate.FOUND:
            if lost:
                self._trouble("found-flags", f"uid {source.uid}: {' '.join(sorted(lost))}")
            return
        if "arrival date" not in outcome.note and _moved_in_time(source, target):
            self._trouble("date", f"uid {source.uid}")
        if lost and "flags" not in outcome.note:
            self._trouble("flags", f"uid {source.uid}: {' '.join(sorted(lost))}")

    def _sampled(self, uid: int) -> bool:
        # Spread over the folder and the same in every run: a message that was sampled once stays sampled.
        return uid * 2654435761 % 2**32 < self.sample * 2**32

    def _compare_bytes(self, outcomes: Mapping[int, Outcome]) -> None:
        unknown = {int(one.key.rpartition("/")[2]): one.key for one in outcomes.values() if not one.digest}
        wanted = {one.key: canonical(one.digest) for one in outcomes.values()}
        for uid, digest in _digests(self.source, self.source_folder, list(unknown)):
            wanted[unknown[uid]] = digest
        for uid, digest in _digests(self.target, self.target_folder, list(outcomes)):
            self.compared += 1
            outcome = outcomes[uid]
            if digest != wanted[outcome.key] and outcome.fate is not Fate.ALTERED:
                code = "found-content" if outcome.fate is Fate.FOUND else "content"
                self._trouble(code, f"uid {outcome.key.rpartition('/')[2]}")

    def _look_for_doubles(self) -> None:
        foreign = [header.uid for header in self.target.index(self.target_folder) if header.uid not in self.ours]
        if not foreign:
            return
        outcomes = [one for key in sharing(self.action) for one in self.read.outcomes(key)]
        recorded = {digest for one in outcomes for digest in (canonical(one.digest), masked(one.digest)) if digest}
        known = {int(one.ref) for one in outcomes if one.ref}  # also of messages that left the source since
        for uid, digest in _digests(self.target, self.target_folder, foreign[:FOREIGN]):
            if uid not in known and digest in recorded:
                self._trouble("double", f"target uid {uid}")

    def _trouble(self, code: str, about: str) -> None:
        self.troubles.setdefault(code, []).append(about)

    def _finding(self, code: str, about: Sequence[str]) -> Finding:
        one, several, remedy = TROUBLES[code]
        examples = ", ".join(about[:NAMED]) + (", ..." if len(about) > NAMED else "")
        weight = Weight.WARNING if code in ONLY_TOLD else Weight.DIFFERENCE
        return Finding(
            code,
            weight,
            self.action.label,
            f"{f'1 {one}' if len(about) == 1 else f'{len(about):,} {several}'} ({examples})",
            remedy,
        )


ONLY_TOLD = frozenset({"found-flags"})
TROUBLES = {
    "found-flags": (
        "message that was at the target already lacks flags it has at the source; it was left as it is",
        "messages that were at the target already lack flags they have at the source; they were left as they are",
        "If the source is right, set them at the target by hand.",
    ),
    "not-copied": (
        "message at the source is not recorded as moved",
        "messages at the source are not recorded as moved",
        "Run again: migrator run copies what is new.",
    ),
    "missing": (
        "message that was copied is not at the target any more",
        "messages that were copied are not at the target any more",
        f"If their owner did not delete them: {RECOPY}.",
    ),
    "date": (
        "message has another arrival date at the target",
        "messages have another arrival date at the target",
        "Nothing is lost; the target does not keep arrival dates as sent.",
    ),
    "flags": (
        "message lacks flags it was copied with",
        "messages lack flags they were copied with",
        "Ask whether the owner changed them at the target since; if not, set them there by hand.",
    ),
    "content": (
        "message has other bytes at the target",
        "messages have other bytes at the target",
        "Compare one by hand and report it: this must not happen.",
    ),
    "found-content": (
        "message that was found at the target has other bytes there",
        "messages that were found at the target have other bytes there",
        "They were known by Message-ID, size and date. Compare one with its original: some servers write other bytes where a header holds raw 8-bit characters.",
    ),
    "double": (
        "message is at the target more than once",
        "messages are at the target more than once",
        "Remove the surplus copies at the target; the others are recorded.",
    ),
}


def _moved_in_time(source: Header, target: Header) -> bool:
    if source.date is None or target.date is None:
        return False
    return not same_instant(clamp(source.date)[0], target.date)


def _plain(flags: frozenset[str]) -> set[str]:
    """Flags as they compare: mapped as a copy maps them, whatever their case."""
    kept, _ = to_send(flags, frozenset(), keywords_allowed=True)
    return {flag.lower() for flag in kept}


def _digests(store: MailReader, folder: str, uids: Sequence[int]) -> Iterator[tuple[int, str]]:
    for start in range(0, len(uids), PORTION):
        for message in store.fetch(folder, uids[start : start + PORTION]):
            yield message.header.uid, digests(message.content.chunks()).canonical
