"""Flags that changed after a message was copied. What changed at the source since the last pass goes to the target, unless the
target's own user changed the same message too: then both keep what they marked (see flags.three_way).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from migrator.engine.contract import ARRIVED, Action, Outcome, Work
from migrator.mail.copying import FolderCopy, item_key
from migrator.mail.flags import as_mark, from_mark, three_way, to_send
from migrator.mail.model import Header, Opened

PORTION = 500


def follow_flags(action: Action, copy: FolderCopy, work: Work, changed_since: int) -> int:
    """Bring changed flags to the target; answers for how many messages. `changed_since` is the source's modseq at the last pass,
    0 to look at every message.
    """
    stream = iter(copy.source.index(copy.source_folder, changed_since=changed_since))
    count = 0
    while portion := list(islice(stream, PORTION)):
        work.edge()
        count += _follow(action, copy, work, portion)
    return count


def _follow(action: Action, copy: FolderCopy, work: Work, portion: Sequence[Header]) -> int:
    headers = {item_key(copy.uidvalidity, header.uid): copy.as_wanted(header) for header in portion}
    changed = {
        int(outcome.ref): outcome
        for key, outcome in work.settled(action.key, list(headers)).items()
        if outcome.fate in ARRIVED and outcome.ref and as_mark(headers[key].flags) != outcome.mark
    }
    if not changed:
        return 0
    there = {
        header.uid: header.flags
        for header in copy.target.index(copy.target_folder, first=min(changed), last=max(changed))
        if header.uid in changed
    }
    opened = copy.target.open(copy.target_folder)
    wanted = {uid: _wanted(changed[uid], headers[changed[uid].key], flags, opened) for uid, flags in there.items()}
    different = {uid: flags for uid, flags in wanted.items() if flags != there[uid] - {"\\Recent"}}
    if different:
        copy.target.set_flags(copy.target_folder, different)
    work.record(replace(outcome, mark=as_mark(headers[outcome.key].flags)) for outcome in changed.values())
    return len(different)


def _wanted(outcome: Outcome, header: Header, there: frozenset[str], opened: Opened) -> frozenset[str]:
    """What the target should have. A flag it cannot keep counts on neither side: its absence is nobody's doing."""

    def kept(flags: Iterable[str]) -> frozenset[str]:
        return to_send(flags, opened.permanent_flags, opened.keywords_allowed)[0]

    return three_way(kept(from_mark(outcome.mark)), kept(header.flags), there)
