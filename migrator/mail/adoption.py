"""Messages that are at the target already: brought by another tool, or by a run whose state was lost. They are found, recorded, and
never added again.

Only what the ledger does not know is looked at on either side. Cheap keys first (Message-ID, size, arrival); where they are not
certain the bytes of both sides decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from migrator.engine.contract import ARRIVED, Action, Fate, Outcome, Work
from migrator.mail import match
from migrator.mail.contract import MailReader
from migrator.mail.copying import ALTERED, CURE_FOR_ALTERED, FolderCopy, item_key, sharing, uid_of
from migrator.mail.digest import digests, masked_digest, traits
from migrator.mail.flags import as_mark
from migrator.mail.model import Header

PORTION = 500


def adopt(action: Action, copy: FolderCopy, work: Work) -> int:
    """Record as FOUND every message without an outcome that the target holds already, as ALTERED one whose header was masked there; answers
    how many.
    """
    known = {
        uid_of(one.ref) for key in sharing(action) for one in work.outcomes(key) if one.ref and one.fate in ARRIVED
    }
    foreign = [header for header in copy.target.index(copy.target_folder) if header.uid not in known]
    ours = list(_unsettled(action, copy, work)) if foreign else []
    if not ours:
        return 0
    adoption = match.adopt(
        _candidates(copy.source, copy.source_folder, ours), _candidates(copy.target, copy.target_folder, foreign)
    )
    of_target = _digests(copy.target, copy.target_folder)
    pairs = {
        **adoption.certain,
        **match.confirm(adoption.to_confirm, _digests(copy.source, copy.source_folder), of_target),
    }
    doubtful = match.unpaired(adoption.to_confirm, pairs)
    altered = match.confirm(doubtful, _masked_digests(copy.source, copy.source_folder), of_target)
    there = {header.uid: header for header in foreign}
    found = [_found(copy, header, there[pairs[header.uid]]) for header in ours if header.uid in pairs]
    found += [_altered(copy, header, there[altered[header.uid]]) for header in ours if header.uid in altered]
    for start in range(0, len(found), PORTION):
        work.edge()
        work.record(found[start : start + PORTION])
    return len(found)


def _unsettled(action: Action, copy: FolderCopy, work: Work) -> Iterator[Header]:
    stream = iter(copy.source.index(copy.source_folder))
    while portion := list(islice(stream, PORTION)):
        settled = work.settled(action.key, [item_key(copy.uidvalidity, header.uid) for header in portion])
        for header in portion:
            outcome = settled.get(item_key(copy.uidvalidity, header.uid))
            if outcome is None or outcome.fate is Fate.LEFT_BEHIND:
                yield header


def _candidates(store: MailReader, folder: str, headers: Sequence[Header]) -> Iterator[match.Candidate]:
    for start in range(0, len(headers), PORTION):
        portion = headers[start : start + PORTION]
        names = store.message_ids(folder, [header.uid for header in portion])
        for header in portion:
            if header.uid in names:
                yield match.Candidate(header.uid, header.size, header.date, names[header.uid])


def _digests(store: MailReader, folder: str) -> Callable[[Sequence[int]], Mapping[int, str]]:
    """Canonical digests of messages, read one portion at a time."""

    def read(uids: Sequence[int]) -> Mapping[int, str]:
        return {
            message.header.uid: digests(message.content.chunks()).canonical for message in store.fetch(folder, uids)
        }

    return read


def _masked_digests(store: MailReader, folder: str) -> Callable[[Sequence[int]], Mapping[int, str]]:
    """By what messages are known again that a server masked; those that hold nothing to mask are absent."""

    def read(uids: Sequence[int]) -> Mapping[int, str]:
        return {
            message.header.uid: masked_digest(message.content.chunks())
            for message in store.fetch(folder, uids)
            if traits(message.content.chunks()).eight_bit_header
        }

    return read


def _found(copy: FolderCopy, header: Header, there: Header) -> Outcome:
    lacking = as_mark(header.flags | there.flags) != as_mark(there.flags)
    return Outcome(
        item_key(copy.uidvalidity, header.uid),
        Fate.FOUND,
        ref=str(there.uid),
        size=header.size,
        mark=as_mark(header.flags),
        note="lacks flags it has at the source; left as it is" if lacking else "",
    )


def _altered(copy: FolderCopy, header: Header, there: Header) -> Outcome:
    found = _found(copy, header, there)
    return replace(found, fate=Fate.ALTERED, note="; ".join(filter(None, (ALTERED, found.note))), cure=CURE_FOR_ALTERED)
