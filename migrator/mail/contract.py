"""What a product must be able to do to be a source or a target of mail.

Two protocols: a `MailReader` cannot write by construction (it has no such method, and its adapter holds folders open read-only);
a `MailWriter` is a reader that can also put mail away. A session belongs to one job at a time; during a copy the engine reads the
source in one thread and writes the target in another, each with its own session.

Uids are 32-bit numbers that name a message within (folder, UIDVALIDITY) for as long as it is there; a store without them (a
Maildir, an mbox) makes its own that hold between sessions. All folder names are raw (see model.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from migrator.engine.contract import Contract
from migrator.mail.model import Added, Features, Folder, Header, Message, Namespace, Opened


class MailReader(Protocol):
    """A mailbox that is being read; nothing this session does leaves a trace in it (no \\Seen, no \\Recent taken, no folder)."""

    features: Features
    namespace: Namespace

    def folders(self) -> Sequence[Folder]:
        """Every folder of the personal namespace, with counts where the server can give them in the same breath, else asked
        one by one; the virtual ones (\\All, \\Flagged, \\Important) too, so that the room can say why they stay.
        """

    def open(self, folder: str) -> Opened:
        """Open a folder for reading (EXAMINE). Opening the one that is open costs nothing but answers the first look again.

        Raises NotFound if it is not there.
        """

    def index(self, folder: str, first: int = 1, last: int | None = None, changed_since: int = 0) -> Iterator[Header]:
        """The messages with uids first..last, by ascending uid, streamed in windows; with `changed_since` (a modseq, only where
        features.tells_changes) only those whose flags changed after it.
        """

    def sizes(self, folder: str) -> Iterator[tuple[int, int]]:
        """Uid and size of every message, by ascending uid, streamed: what planning a copy needs, for less than an index costs."""

    def fetch(self, folder: str, uids: Sequence[int]) -> Iterator[Message]:
        """Messages with every byte as stored, in any order. A uid that is gone is not answered. A message the server lists but
        does not deliver (NIL, an empty answer for a size above 0) comes with `content.size` 0 and header.size as listed.
        """

    def message_ids(self, folder: str, uids: Sequence[int]) -> Mapping[int, str]:
        """The Message-ID of each message, as written between the angle brackets; "" where there is none."""

    def close(self) -> None:
        """End the session; never raises."""


class MailWriter(MailReader, Protocol):
    """A mailbox that is being filled."""

    def create(self, folders: Sequence[str]) -> Mapping[str, str]:
        """Make folders, parents first as given. Answers the refused ones with the server's words; one that is there already is
        not refused. What is not refused is listed under this very name, and is no other folder.
        """

    def subscribe(self, folders: Sequence[str]) -> Mapping[str, str]:
        """Subscribe to folders; answers the refused ones with the server's words."""

    def end_of(self, folder: str) -> str:
        """Where the folder ends now, as "UIDVALIDITY/UIDNEXT": what arrives later has a uid of at least UIDNEXT. A number that
        is too low is allowed, one too high never.
        """

    def add(self, folder: str, messages: Sequence[Message]) -> Sequence[Added]:
        """Put messages at the end of a folder with flags and date, and read back what the server made of them; one answer each,
        in order. All or nothing where the server can (MULTIAPPEND); else those before a refusal stay, and `Refused` is raised.

        Flags that the folder does not keep are left out and answered as dropped; they never cost the message. Raises Refused
        (the server's words) for a message it will not take, NoSpace when the account is full, Dropped when the outcome is
        unknown, NotFound when the folder is gone.
        """

    def set_flags(self, folder: str, flags: Mapping[int, frozenset[str]]) -> Mapping[int, frozenset[str]]:
        """Make each message's flags exactly these (\\Recent aside); answers what each has afterwards."""


@runtime_checkable
class KeptInFiles(Protocol):
    """A mailbox whose folders are files of this machine, among which there may be others."""

    def no_folders(self) -> Iterator[tuple[str, str, str]]:
        """The files that seem to hold mail and are not among the folders: the file's name, the folder that it keeps from being there ("" if
        none), and the reason with what to do.
        """


MAIL: Contract[MailReader, MailWriter] = Contract("mail")
