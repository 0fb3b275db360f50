"""Filling a mailbox over an IMAP connection that is logged in: folders, messages, flags.

A batch and the look at what became of it travel together, so that it costs one round trip. What the server does not tell of a
message (UIDPLUS) is looked for behind the fence: where the folder ended before the batch, told too low rather than too high.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from migrator.errors import Refused
from migrator.frozen import dataclass
from migrator.mail.dates import clamp, format_internaldate
from migrator.mail.flags import SYSTEM, to_send
from migrator.mail.imap.reading import COMMANDS_AT_ONCE, ROW, ROWS, ImapReader
from migrator.mail.imap.shapes import as_number, expanded, name_argument, pair_by_order, without
from migrator.mail.model import Added, Content, Message, Namespace, Opened
from migrator.wire.imap import Argument, Connection, Fetched, Literal, Spoken, uid_sets

APPENDS_AT_ONCE = 256  # commands; their answers must fit the sockets' buffers, since nobody reads while we write


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it will be sent: flags the folder takes, a date it can keep. `later` are keywords to be set one by one
    afterwards, `dropped` those left out.
    """

    content: Content
    flags: frozenset[str]
    date: datetime | None
    dropped: frozenset[str]
    later: frozenset[str] = frozenset()

    def arguments(self, *, literal8: bool) -> Iterator[Argument]:
        """What stands in an APPEND for this message."""
        marks = _flag_list(self.flags)
        if self.date:
            yield b'%s"%s"' % (marks, format_internaldate(self.date).encode("ascii"))
        elif marks:
            yield marks.rstrip()
        binary = literal8 and self.content.holds_nul
        # a refusal of a large message should not cost its transfer
        yield Literal(self.content.size, self.content.chunks(), binary=binary, ask_first=not self.content.in_memory)

    def without_keywords(self) -> Letter:
        """The same with system flags alone, its keywords for later."""
        system = self.flags & frozenset(SYSTEM)
        return replace(self, flags=system, later=self.flags - system)


@lru_cache(maxsize=1024)
def _flag_list(flags: frozenset[str]) -> bytes:
    r"""`(\Flagged \Seen) ` with a blank behind it; b"" without any."""
    return b"(%s) " % " ".join(sorted(flags)).encode("latin-1") if flags else b""


ANOTHER = "the server takes this name for another folder"


class ImapWriter(ImapReader):
    """A mailbox on an IMAP server that is being filled; the folder being filled is SELECTed."""

    _enters = b"SELECT"

    def __init__(self, wire: Connection, server: str, namespace: Namespace | None = None) -> None:
        """As an ImapReader; `wire` lets writing commands pass."""
        super().__init__(wire, server, namespace)
        self._next = 0  # in the open folder, no message that arrives from now on has a smaller uid
        self._refused_keywords: dict[str, set[str]] = {}
        self._sendable: dict[frozenset[str], tuple[frozenset[str], frozenset[str]]] = {}

    def create(self, folders: Sequence[str]) -> Mapping[str, str]:
        """See MailWriter."""
        said, refused = self._ask_for_each(b"CREATE", folders)
        # Not every server says "exists" in a code. And Dovecot takes INBOX.INBOX for INBOX itself: OK or ALREADYEXISTS, but not listed.
        again = f"{self.namespace.prefix}INBOX".upper()
        doubtful = [
            folder for folder in folders if folder in said or (folder not in refused and folder.upper() == again)
        ]
        there = self._listed_by_name(doubtful)
        return refused | {
            folder: said[folder].words if folder in said and said[folder].code != "ALREADYEXISTS" else ANOTHER
            for folder in doubtful
            if folder not in there
        }

    def _listed_by_name(self, folders: Sequence[str]) -> set[str]:
        """Those of these folders that are there under this very name and can hold mail."""
        if not folders:
            return set()
        wire = self._wire
        answers = wire.run_all([wire.begin(b"LIST", b'""', name_argument(folder)) for folder in folders])
        return {name for name, folder in self._listed(answers[0].untagged).items() if folder.selectable}

    def subscribe(self, folders: Sequence[str]) -> Mapping[str, str]:
        """See MailWriter."""
        said, refused = self._ask_for_each(b"SUBSCRIBE", folders)
        return refused | {folder: end.words for folder, end in said.items()}

    def _ask_for_each(self, command: bytes, folders: Sequence[str]) -> tuple[dict[str, Spoken], dict[str, str]]:
        """Send a command for every folder: the server's refusals, and our own where a server could take another folder."""
        refused = {folder: words for folder in folders if (words := self._ambiguous(folder))}
        sendable = [folder for folder in folders if folder not in refused]
        said: dict[str, Spoken] = {}
        for start in range(0, len(sendable), COMMANDS_AT_ONCE):
            part = sendable[start : start + COMMANDS_AT_ONCE]
            answers = self._wire.run_all([self._wire.begin(command, name_argument(folder)) for folder in part])
            said |= {folder: answer.end for folder, answer in zip(part, answers, strict=True) if not answer.end.ok}
        return said, refused

    def _ambiguous(self, folder: str) -> str:
        """Why a name is not even sent; "" if it is."""
        if any(letter < " " or letter == "\x7f" for letter in folder):
            return "the name holds a control character"  # Courier makes a folder of another name
        separator = self.namespace.separator
        if separator and 2 * separator in folder:
            return "a part of the name is empty"  # Cyrus folds the separators and takes a folder that is there
        return ""

    def end_of(self, folder: str) -> str:
        """See MailWriter. Costs nothing while the folder stays open: uids only grow, so what we saw last is a lower bound."""
        opened = self._look_into(folder)
        return f"{opened.uidvalidity}/{self._next}"

    def _enter(self, folder: str, command: bytes) -> Opened:
        if self._open == (folder, command):
            return self._opened
        opened = super()._enter(folder, command)
        self._sendable = {}
        self._next = opened.uidnext
        return opened

    def add(self, folder: str, messages: Sequence[Message]) -> Sequence[Added]:
        """See MailWriter. With LITERAL+ a batch takes one round trip, reading back included, or two."""
        if not all(message.content.size for message in messages):
            # to MULTIAPPEND an empty literal means "never mind" (RFC 3502), and Dovecot says OK to that
            raise Refused("a message of zero bytes cannot be stored over IMAP")
        opened = self._look_into(folder)
        letters = [self._letter(folder, opened, message) for message in messages]
        if b"MULTIAPPEND" in self._wire.capabilities:
            return self._put(folder, letters) if letters else []
        added: list[Added] = []
        for start in range(0, len(letters), APPENDS_AT_ONCE):
            added += self._put(folder, letters[start : start + APPENDS_AT_ONCE])
        return added

    def _letter(self, folder: str, opened: Opened, message: Message) -> Letter:
        header = message.header
        flags = self._sendable.get(header.flags)
        if flags is None:
            flags = to_send(header.flags, opened.permanent_flags, opened.keywords_allowed)
            self._sendable[header.flags] = flags
        kept, dropped = flags
        if refused := self._refused_keywords.get(folder):
            given_up = frozenset(flag for flag in kept if flag.lower() in refused)
            kept, dropped = kept - given_up, dropped | given_up
        return Letter(message.content, kept, header.date and clamp(header.date)[0], dropped)

    def _put(self, folder: str, letters: Sequence[Letter], *, again: bool = False) -> list[Added]:
        fence = self._next
        all_or_nothing = b"MULTIAPPEND" in self._wire.capabilities or len(letters) == 1
        tags = self._append(folder, letters)
        # Dovecot often answers this before it shows what was just appended, whatever stands in between; only a SELECT would
        # hold it up, which costs more than the second look (measured: 70 ms in a Maildir of 20,000).
        look = self._wire.begin(b"UID FETCH", b"%d:*" % fence, ROW)
        arrived = self._arrivals([*tags, look], fence, len(letters))
        self._wire.end(look)
        ends = [self._wire.end(tag) for tag in tags]
        refusals = [end for end in ends if not end.ok]
        if refusals:
            if (
                all_or_nothing
                and not again
                and _may_be_the_flags(refusals[0])
                and any(letter.flags for letter in letters)
            ):
                return self._put(folder, [letter.without_keywords() for letter in letters], again=True)
            raise max((self._refusal(end, folder) for end in refusals), key=lambda error: error.stops)
        uids = self._uids_told(ends, len(letters)) or self._uids_found(letters, arrived, fence)
        self._look_again([uid for uid in uids if uid is not None and uid not in arrived], arrived)
        self._next = max(self._next, *(uid + 1 for uid in (*uids, *arrived) if uid is not None), 0)
        added = [self._added(letter, uid, arrived) for letter, uid in zip(letters, uids, strict=True)]
        return self._with_keywords(folder, letters, added) if again else added

    def _append(self, folder: str, letters: Sequence[Letter]) -> list[bytes]:
        """Send the letters; the tags of the commands, which is one for all with MULTIAPPEND. Stops at a refused literal."""
        wire = self._wire
        literal8 = b"BINARY" in wire.capabilities
        if b"MULTIAPPEND" in wire.capabilities:
            arguments = (argument for letter in letters for argument in letter.arguments(literal8=literal8))
            return [wire.begin(b"APPEND", name_argument(folder), *arguments)]
        tags: list[bytes] = []
        for letter in letters:
            tags.append(wire.begin(b"APPEND", name_argument(folder), *letter.arguments(literal8=literal8)))
            if wire.ended(tags[-1]):
                break
        return tags

    def _arrivals(self, tags: Sequence[bytes], fence: int, count: int) -> dict[int, Fetched]:
        """Rows of what is behind the fence, by uid."""
        arrived: dict[int, Fetched] = {}
        for row in self._rows(tags, rows_expected=4 * count + ROWS):
            if (row.uid or 0) >= fence:
                uid = row.uid or 0
                if known := arrived.get(uid):
                    known.merge(row)
                else:
                    arrived[uid] = row
        return {uid: row for uid, row in arrived.items() if row.size is not None}

    def _uids_told(self, ends: Sequence[Spoken], count: int) -> list[int | None]:
        """The uids by APPENDUID, in the order of sending; empty if they were not told or not believable."""
        uids: list[int | None] = []
        for end in ends:
            validity, _, told = end.arguments.partition(b" ")
            if end.code != "APPENDUID" or as_number(validity) != self._opened.uidvalidity:
                return []
            uids += expanded(told, count)
        return uids if len(uids) == count and len(set(uids)) == count else []

    def _uids_found(self, letters: Sequence[Letter], arrived: dict[int, Fetched], fence: int) -> list[int | None]:
        """The uids by what stands behind the fence now; None where that is not certain."""
        if len(arrived) < len(letters):
            noop = self._wire.begin(b"NOOP")
            look = self._wire.begin(b"UID FETCH", b"%d:*" % fence, ROW)
            arrived |= self._arrivals([noop, look], fence, len(letters))
            self._wire.end(noop)
            self._wire.end(look)
        there = [(uid, row.size or 0, self._header(row).date) for uid, row in sorted(arrived.items())]
        return pair_by_order([(letter.content.size, letter.date) for letter in letters], there)

    def _look_again(self, missing: Sequence[int], arrived: dict[int, Fetched]) -> None:
        """Ask once more for messages the server named but did not show yet."""
        if not missing:
            return
        noop = self._wire.begin(b"NOOP")
        looks = [self._wire.begin(b"UID FETCH", wanted, ROW) for wanted, _ in uid_sets(missing)]
        arrived |= self._arrivals([noop, *looks], min(missing), len(missing))
        for tag in (noop, *looks):
            self._wire.end(tag)

    def _added(self, letter: Letter, uid: int | None, arrived: Mapping[int, Fetched]) -> Added:
        row = arrived.get(uid) if uid is not None else None
        if row is None:
            return Added(uid, dropped_flags=letter.dropped)
        header = self._header(row)
        return Added(uid, row.size, header.date, header.flags, letter.dropped | without(letter.flags, header.flags))

    # -- flags

    def _with_keywords(self, folder: str, letters: Sequence[Letter], added: Sequence[Added]) -> list[Added]:
        """Set the keywords that had to wait, each for itself, and remember the refused ones for this folder."""
        flags: dict[int, frozenset[str]] = {}
        by_keyword: dict[str, list[int]] = {}
        for letter, there in zip(letters, added, strict=True):
            for keyword in letter.later:
                if there.uid is not None:
                    by_keyword.setdefault(keyword, []).append(there.uid)
        if by_keyword:
            self._add_keywords(folder, by_keyword)
            flags = self._flags_of({uid for uids in by_keyword.values() for uid in uids})
        return [
            replace(there, flags=now, dropped_flags=there.dropped_flags | without(letter.later, now))
            for letter, there in zip(letters, added, strict=True)
            for now in [flags.get(there.uid or 0, there.flags)]
        ]

    def _add_keywords(self, folder: str, by_keyword: Mapping[str, Sequence[int]]) -> None:
        wire = self._wire
        tags = [
            (keyword, wire.begin(b"UID STORE", wanted, b"+FLAGS.SILENT", b"(%s)" % keyword.encode("latin-1")))
            for keyword, uids in by_keyword.items()
            for wanted, _ in uid_sets(uids)
        ]
        answers = wire.run_all([tag for _, tag in tags])
        for (keyword, _), answer in zip(tags, answers, strict=True):
            if not answer.end.ok:
                self._refused_keywords.setdefault(folder, set()).add(keyword.lower())

    def _flags_of(self, uids: Iterable[int]) -> dict[int, frozenset[str]]:
        wanted = set(uids)
        tags = [self._wire.begin(b"UID FETCH", part, b"(UID FLAGS)") for part, _ in uid_sets(wanted)]
        flags: dict[int, frozenset[str]] = {}
        for row in self._rows(tags, rows_expected=4 * len(wanted)):
            if row.uid in wanted and row.flags is not None:
                flags[row.uid] = self._flags(row.flags)
        for tag in tags:
            self._must(tag, "show flags")
        return flags

    def set_flags(self, folder: str, flags: Mapping[int, frozenset[str]]) -> Mapping[int, frozenset[str]]:
        """See MailWriter."""
        if not flags:
            return {}
        opened = self._look_into(folder)
        refused = self._refused_keywords.get(folder, set())
        groups: dict[frozenset[str], list[int]] = {}
        for uid, wanted in flags.items():
            kept, _ = to_send(wanted, opened.permanent_flags, opened.keywords_allowed)
            groups.setdefault(frozenset(flag for flag in kept if flag.lower() not in refused), []).append(uid)
        failed = self._store(groups)
        if failed:  # one refused keyword costs the whole STORE: set what is sure, then the keywords one by one
            self._store({kept & frozenset(SYSTEM): uids for kept, uids in failed.items()})
            by_keyword: dict[str, list[int]] = {}
            for kept, uids in failed.items():
                for keyword in kept - frozenset(SYSTEM):
                    by_keyword.setdefault(keyword, []).extend(uids)
            self._add_keywords(folder, by_keyword)
        return self._flags_of(flags)

    def _store(self, groups: Mapping[frozenset[str], Sequence[int]]) -> dict[frozenset[str], Sequence[int]]:
        """Replace the flags of each group; those groups that were refused."""
        tags = [
            (
                kept,
                self._wire.begin(
                    b"UID STORE", wanted, b"FLAGS.SILENT", b"(%s)" % " ".join(sorted(kept)).encode("latin-1")
                ),
            )
            for kept, uids in groups.items()
            for wanted, _ in uid_sets(uids)
        ]
        answers = self._wire.run_all([tag for _, tag in tags])
        return {kept: groups[kept] for (kept, _), answer in zip(tags, answers, strict=True) if not answer.end.ok}


def _may_be_the_flags(end: Spoken) -> bool:
    said = end.words.lower()
    return end.word == b"BAD" or end.code == "CANNOT" or "flag" in said or "keyword" in said
