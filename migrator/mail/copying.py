"""One folder on its way: the carrier the engine moves messages with.

Identity is (folder, UIDVALIDITY, UID): an item's key is `<uidvalidity>/<uid>`. Content is the digest: an item's digest is
`<canonical>:<raw>`, the first part equal for all forms a server may rewrite a message into without loss, the second for the bytes
as read. A message with raw 8-bit bytes in its header has a third part: what it is known again by where a server masked them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from migrator.engine.contract import Action, Fate, Intended, Item, Loaded, Outcome
from migrator.frozen import dataclass
from migrator.mail.contract import MailReader, MailWriter
from migrator.mail.dates import clamp, fallback_date, same_instant
from migrator.mail.digest import Digests, Traits, digests, examine, masked_digest, rule, to_crlf
from migrator.mail.flags import as_mark
from migrator.mail.headers import header_block
from migrator.mail.match import pair_by_digest
from migrator.mail.model import Added, Header, Message, content_of
from migrator.mail.options import MailOptions

DELETED = "\\Deleted"
SHARING = "sharing"  # in an action's data: keys, one a line, of the others that fill the same folder of the target

ALTERED = "the target keeps other bytes than it was sent"
CURE_FOR_ALTERED = "Compare it with the original, and save that as a file from the old webmail while it is there."


def sharing(action: Action) -> tuple[str, ...]:
    """The keys of all actions, this one and others, whose messages stand in this action's target folder."""
    return action.key, *filter(None, action.data.get(SHARING, "").split("\n"))


def item_key(uidvalidity: int, uid: int) -> str:
    """The ledger's name for a message."""
    return f"{uidvalidity}/{uid}"


def uid_of(key: str) -> int:
    """The uid in an item's key, or in an outcome's ref."""
    return int(key.rpartition("/")[2])


def digest_text(content: Digests, mask: str = "") -> str:
    """The digests as the ledger keeps them."""
    return ":".join(filter(None, (content.canonical, content.raw, mask)))


def canonical(digest: str) -> str:
    """The canonical part of what the ledger keeps."""
    return _parts(digest)[0]


def masked(digest: str) -> str:
    """The part of what the ledger keeps by which a message is known again whose header was masked; "" if nothing there can be masked."""
    return _parts(digest)[2]


def _parts(digest: str) -> tuple[str, str, str]:
    first, _, rest = digest.partition(":")
    second, _, third = rest.partition(":")
    return first, second, third


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message ready to be put at the target, with what was learned of its bytes as the source gave them."""

    message: Message
    digests: Digests
    traits: Traits


@dataclass(frozen=True, slots=True)
class FolderCopy:
    """Carries the messages of one folder. `source` is used by the reading thread, `target` by the writing one."""

    source: MailReader
    target: MailWriter
    source_folder: str
    target_folder: str
    uidvalidity: int
    options: MailOptions

    # -- reading ---------------------------------------------------------------------------------------------------------

    def items(self) -> Iterator[Item]:
        for uid, size in self.source.sizes(self.source_folder):
            yield Item(item_key(self.uidvalidity, uid), size)

    def read(self, part: Sequence[Item]) -> Sequence[Loaded[Parcel] | Outcome]:
        answers: list[Loaded[Parcel] | Outcome] = [outcome for item in part if (outcome := self._unwanted(item))]
        skipped = {answer.key for answer in answers}
        uids = [uid_of(item.key) for item in part if item.key not in skipped]
        if uids:
            answers.extend(map(self._load, self.source.fetch(self.source_folder, uids)))
        return answers

    def _unwanted(self, item: Item) -> Outcome | None:
        limit = self.options.max_size
        if limit is not None and item.size > limit:
            return Outcome(
                item.key,
                Fate.SKIPPED,
                size=item.size,
                note=f"larger than max_size {limit.human_readable(decimal=True, separator=' ')}",
            )
        return None

    def _load(self, message: Message) -> Loaded[Parcel] | Outcome:
        header = message.header
        key = item_key(self.uidvalidity, header.uid)
        if not message.content.size:
            return _nothing_there(key, header)
        if DELETED in header.flags and self.options.deleted == "skip":
            return Outcome(key, Fate.SKIPPED, size=header.size, note="marked as deleted at the source (deleted: skip)")
        header = self.as_wanted(header)
        if header.date is None:  # without a date the target would say that the message arrived today
            header = replace(header, date=fallback_date(header_block(message.content.chunks())))
        seen, found = examine(message.content.chunks())
        content = message.content
        if found.bare_lf:  # RFC 3501 wants CRLF in a literal, and some servers insist
            content = content_of(to_crlf(content.chunks()), content.size + found.bare_lf)
        content.nul = bool(found.nul)
        if header is not message.header or content is not message.content:
            message = Message(header, content)
        parcel = Parcel(message, seen, found)
        hidden = masked_digest(message.content.chunks()) if found.eight_bit_header else ""
        return Loaded(key, header.size or seen.size, digest_text(seen, hidden), parcel)

    def as_wanted(self, header: Header) -> Header:
        """A header of the source with the flags that the plan wants at the target."""
        return replace(header, flags=header.flags - {DELETED}) if self.options.deleted == "unmark" else header

    # -- writing ---------------------------------------------------------------------------------------------------------

    def fence(self) -> str:
        return self.target.end_of(self.target_folder)

    def write(self, part: Sequence[Loaded[Parcel]]) -> Sequence[Outcome]:
        before = self.fence()
        added = self.target.add(self.target_folder, [loaded.content.message for loaded in part])
        if any(there.uid is None for there in added):
            added = self._named(before, part, added)
        pairs = list(zip(part, added, strict=True))
        rewritten = self._read_back([there for loaded, there in pairs if _odd(loaded.content, there)])
        outcomes = [_outcome(loaded, there, rewritten) for loaded, there in pairs]
        for loaded in part:
            loaded.content.message.content.close()
        return outcomes

    def _named(self, fence: str, part: Sequence[Loaded[Parcel]], added: Sequence[Added]) -> Sequence[Added]:
        """Uids that the target did not tell, found by content: a message whose uid we do not know would be taken for a stranger's."""
        landed = self.landed(fence, [Intended(one.key, one.size, one.digest) for one in part])
        uids = {outcome.key: int(outcome.ref) for outcome in landed}
        return [replace(there, uid=uids.get(one.key)) for one, there in zip(part, added, strict=True)]

    def _read_back(self, suspects: Sequence[Added]) -> dict[int, tuple[Digests, Traits]]:
        """Digests and traits, as the target now gives them, of messages it may have rewritten."""
        uids = [there.uid for there in suspects if there.uid is not None]
        if not uids:
            return {}
        return {
            message.header.uid: examine(message.content.chunks())
            for message in self.target.fetch(self.target_folder, uids)
        }

    # -- after a death ---------------------------------------------------------------------------------------------------

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        uidvalidity, _, uidnext = fence.partition("/")
        if self.target.end_of(self.target_folder).partition("/")[0] != uidvalidity:
            return ()
        behind = [header.uid for header in self.target.index(self.target_folder, first=int(uidnext))]
        if not behind:
            return ()
        arrived = {message.header.uid: _arrival(message) for message in self.target.fetch(self.target_folder, behind)}
        pairs = pair_by_digest(
            [(one.key, canonical(one.digest)) for one in intended],
            [(uid, seen.canonical) for uid, (seen, _) in sorted(arrived.items())],
        )
        taken = set(pairs.values())
        altered = pair_by_digest(
            [(one.key, masked(one.digest)) for one in intended if one.key not in pairs],
            [(uid, seen.canonical) for uid, (seen, _) in sorted(arrived.items()) if uid not in taken],
        )
        uids = {**pairs, **altered}
        return [_landed(one, uids[one.key], *arrived[uids[one.key]]) for one in intended if one.key in uids]


def _outcome(loaded: Loaded[Parcel], there: Added, rewritten: dict[int, tuple[Digests, Traits]]) -> Outcome:
    parcel = loaded.content
    header = parcel.message.header
    fate, notes = Fate.COPIED, []
    if there.uid in rewritten:
        fate, note = _judge(parcel, *rewritten[there.uid])
        notes.append(note)
    notes += _marks_changed(header, there)
    return Outcome(
        loaded.key,
        fate,
        ref="" if there.uid is None else str(there.uid),
        size=loaded.size,
        digest=loaded.digest,
        mark=as_mark(header.flags),
        note="; ".join(filter(None, notes)),
        cure=CURE_FOR_ALTERED if fate is Fate.ALTERED else "",
    )


def _nothing_there(key: str, header: Header) -> Outcome:
    if not header.size:
        return Outcome(key, Fate.SKIPPED, note="empty at the source: there is nothing to copy")
    return Outcome(
        key,
        Fate.LEFT_BEHIND,
        size=header.size,
        note=f"the source lists {header.size:,} bytes but does not deliver them",
        cure="Open the message in the old webmail; if it cannot be read there either, it is damaged on the old server.",
    )


def _odd(parcel: Parcel, there: Added) -> bool:
    """Whether the target may hold other bytes than were read: worth one look."""
    return parcel.traits.odd or (there.size is not None and there.size != parcel.message.content.size)


def _judge(parcel: Parcel, seen: Digests, found: Traits) -> tuple[Fate, str]:
    if seen.raw == parcel.digests.raw:
        return Fate.COPIED, ""
    if seen.canonical != parcel.digests.canonical:
        return Fate.ALTERED, ALTERED
    return Fate.NORMALISED, rule(parcel.digests, parcel.traits, seen, found)


def _marks_changed(header: Header, there: Added) -> list[str]:
    """What the target made of flags and date, in words that are the same for all messages alike."""
    notes = []
    if there.dropped_flags:
        notes.append("flags the target does not keep: " + " ".join(sorted(there.dropped_flags)))
    if header.date is not None and there.date is not None and not same_instant(header.date, there.date):
        _, clamped = clamp(header.date)
        notes.append(
            "arrival date outside what servers keep: moved to the nearest that is"
            if clamped
            else "arrival date changed by the target"
        )
    return notes


def _arrival(message: Message) -> tuple[Digests, Header]:
    return digests(message.content.chunks()), message.header


def _landed(one: Intended, uid: int, seen: Digests, header: Header) -> Outcome:
    fate, note = _fate_of(one.digest, seen)
    return Outcome(
        one.key,
        fate,
        ref=str(uid),
        size=one.size,
        digest=one.digest,
        mark=as_mark(header.flags),
        note=note,
        cure=CURE_FOR_ALTERED if fate is Fate.ALTERED else "",
    )


def _fate_of(digest: str, seen: Digests) -> tuple[Fate, str]:
    """What became of a message of that digest which the target now shows as this, and the note on it."""
    if seen.canonical != canonical(digest):
        return Fate.ALTERED, ALTERED
    if seen.raw == _parts(digest)[1]:
        return Fate.COPIED, ""
    return Fate.NORMALISED, "rewritten by the target without loss"
