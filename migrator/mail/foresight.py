"""What a preview can tell before anything is written: messages the target will refuse, room that will not do, folders that stay or
change their names; and how fast the source can be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migrator.engine.contract import Action, Finding, Subject, Verb, Weight
from migrator.errors import NoSpace
from migrator.frozen import dataclass
from migrator.mail.contract import MailReader
from migrator.mail.model import Features, Header
from migrator.mail.options import MailOptions

PROBE_MESSAGES = 200


@dataclass(frozen=True, slots=True)
class FolderForecast:
    """Counts over one folder's index."""

    messages: int = 0
    bytes: int = 0
    too_large: int = 0
    empty: int = 0
    over_max_size: int = 0


def forecast(headers: Iterator[Header], largest: int | None, options: MailOptions) -> FolderForecast:
    """What an index foretells, streamed."""
    messages = size = too_large = empty = over = 0
    for header in headers:
        messages += 1
        size += header.size
        if not header.size:
            empty += 1
        elif options.max_size is not None and header.size > options.max_size:
            over += 1
        elif largest is not None and header.size > largest:
            too_large += 1
    return FolderForecast(messages, size, too_large, empty, over)


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
