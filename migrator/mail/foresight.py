"""What a preview can tell before anything is written: messages the target will refuse, room that will not do, folders that stay or
change their names; and how fast the source can be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from migrator.engine.contract import Action, Finding, Size, Subject, Verb, Weight
from migrator.errors import NoSpace
from migrator.frozen import dataclass
from migrator.mail.contract import MailReader
from migrator.mail.copying import DELETED
from migrator.mail.model import Features, Header
from migrator.mail.options import MailOptions

PROBE_MESSAGES = 200
PORTION = 500  # messages looked up in the state at once
_EMPTY, _OVER_MAX_SIZE, _MARKED_DELETED, _TOO_LARGE = "empty", "over-max-size", "marked-deleted", "too-large"
_STAYING = frozenset({_EMPTY, _OVER_MAX_SIZE, _MARKED_DELETED})


@dataclass(frozen=True, slots=True)
class FolderForecast:
    """Counts over one folder's index. `staying` are those of its messages that the plan leaves at the source and that nobody has recorded yet."""

    bytes: int = 0
    too_large: int = 0
    empty: int = 0
    over_max_size: int = 0
    marked_deleted: int = 0
    staying: Size = Size(0, 0)


Unrecorded = Callable[
    [Sequence[Header]], Sequence[Header]
]  # of some hundred messages, those that are not on record as ended


def forecast(
    headers: Iterator[Header], largest: int | None, options: MailOptions, unrecorded: Unrecorded
) -> FolderForecast:
    """What an index foretells, streamed."""
    kinds: Counter[str] = Counter()
    size = staying = staying_bytes = 0
    while portion := list(islice(headers, PORTION)):
        told = [(_kind(header, largest, options), header) for header in portion]
        kinds.update(kind for kind, _ in told)
        size += sum(header.size for header in portion)
        left = [header for kind, header in told if kind in _STAYING]
        new = unrecorded(left) if left else ()
        staying += len(new)
        staying_bytes += sum(header.size for header in new)
    return FolderForecast(
        size,
        kinds[_TOO_LARGE],
        kinds[_EMPTY],
        kinds[_OVER_MAX_SIZE],
        kinds[_MARKED_DELETED],
        Size(staying, staying_bytes),
    )


def _kind(header: Header, largest: int | None, options: MailOptions) -> str:
    """What becomes of a message, "" if it moves; a run decides in the same order (FolderCopy)."""
    if not header.size:
        return _EMPTY
    if options.max_size is not None and header.size > options.max_size:
        return _OVER_MAX_SIZE
    if options.deleted == "skip" and DELETED in header.flags:
        return _MARKED_DELETED
    return _TOO_LARGE if largest is not None and header.size > largest else ""


def folder_findings(label: str, seen: FolderForecast, largest: int | None) -> Iterator[Finding]:
    """One finding for each kind of message that will not move."""
    if seen.too_large:
        yield Finding(
            "will-be-refused",
            Weight.WARNING,
            label,
            f"1 message is larger than the target takes ({largest:,} bytes)"
            if seen.too_large == 1
            else f"{seen.too_large:,} messages are larger than the target takes ({largest:,} bytes)",
            "Raise the limit at the target for the time of the move, or expect them in the report as left behind.",
        )
    if seen.empty:
        yield Finding(
            "empty-message",
            Weight.NOTE,
            label,
            "1 message has no bytes at all; there is nothing to copy"
            if seen.empty == 1
            else f"{seen.empty:,} messages have no bytes at all; there is nothing to copy",
        )
    if seen.over_max_size:
        yield Finding(
            "over-max-size",
            Weight.NOTE,
            label,
            "1 message is larger than max_size and stays"
            if seen.over_max_size == 1
            else f"{seen.over_max_size:,} messages are larger than max_size and stay",
        )
    if seen.marked_deleted:
        yield Finding(
            "marked-deleted",
            Weight.NOTE,
            label,
            "1 message is marked as deleted and stays (deleted: skip)"
            if seen.marked_deleted == 1
            else f"{seen.marked_deleted:,} messages are marked as deleted and stay (deleted: skip)",
        )


def room_findings(subject: Subject, needed: int, features: Features) -> Iterator[Finding]:
    """Whether the target account has room for what is to come."""
    if features.quota_left is not None and needed > features.quota_left:
        yield Finding(
            NoSpace.code,
            Weight.WARNING,
            subject.label,
            f"{needed:,} bytes are to come, and the target account has room for {features.quota_left:,}",
            f"Raise its quota by at least {needed - features.quota_left:,} bytes before the run.",
        )


def largest_folder(actions: Sequence[Action]) -> Action | None:
    """The folder with the most to read, if any."""
    copies = [action for action in actions if action.verb is Verb.COPY and action.size.items]
    return max(copies, key=lambda action: action.size.bytes or action.size.items, default=None)


def probe_folder(source: MailReader, folder: str, budget: int) -> int:
    """Read messages of a folder, in order, until `budget` bytes are read; answers how many were."""
    uids: list[int] = []
    planned = 0
    for header in source.index(folder):
        uids.append(header.uid)
        planned += header.size
        if planned >= budget or len(uids) >= PROBE_MESSAGES:
            break
    return sum(message.content.size for message in source.fetch(folder, uids)) if uids else 0
