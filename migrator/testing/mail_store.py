"""The promises of `migrator/mail/contract.py` as tests, for every adapter of mail: ours and those of plug-in authors.

    class TestMaildir(MailStoreContract):
        @pytest.fixture
        def store(self, tmp_path): return MailStore(open_reader=..., open_writer=...)

`store` gives each test an empty account of its own (an INBOX and nothing in it, at most empty folders a server makes by
itself). What a product does not keep exactly is said in the MailStore; everything else is expected of all. Messages are
compared by the digest that overlooks what servers normalise, byte for byte where `exact` promises it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

import pytest

from migrator.errors import NotFound, Refused
from migrator.frozen import dataclass
from migrator.mail import utf7
from migrator.mail.contract import MailReader, MailWriter
from migrator.mail.digest import digests
from migrator.mail.model import MB, Added, Content, Folder, Header, Message

INBOX = "INBOX"
ARRIVED = datetime(2021, 3, 28, 1, 30, 15, tzinfo=timezone(timedelta(hours=2)))
NEVER_GIVEN = 4_000_000_000  # a uid no test reaches


def plain_message(number: int, body: str = "The meeting moves to Thursday.") -> bytes:
    """A message that any server takes, different for each number."""
    return (
        f"From: Alice <alice@example.com>\r\nTo: bob@example.com\r\nSubject: Message {number}\r\n"
        f"Date: Sun, 28 Mar 2021 01:30:15 +0200\r\nMessage-ID: <{number}@example.com>\r\n\r\n{body}\r\n"
    ).encode()


ODD_MESSAGES: Mapping[str, bytes] = {
    "bare-cr": b"Subject: bare CR\r\n\r\nleft\rright\r\n",
    "bare-lf": b"Subject: bare LF\n\nfirst\nsecond\n",
    "body-only": b"\r\nno header at all\r\n",
    "dot-lines": b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n",
    "eight-bit-header": b"Subject: caf\xe9 ma\xc3\xb1ana\r\n\r\nbody\r\n",
    "from-in-body": b"Subject: from\r\n\r\nFrom the top:\r\n\r\nFrom bob Thu Jan  1 00:00:00 1970\r\n>From here\r\n>>From there\r\n",
    "header-only": b"Subject: no body\r\nMessage-ID: <header-only@example.com>\r\n\r\n",
    "long-line": b"Subject: long\r\n\r\n" + b"x" * 200_000 + b"\r\n",
    "mbox-from-line-first": b"From bob@example.com Thu Jan  1 00:00:00 1970\r\nSubject: from\r\n\r\nbody\r\n",
    "no-final-newline": b"Subject: end\r\n\r\nno newline at the end",
    "no-header": b"just a line without a colon",
    "no-message-id": b"Subject: nameless\r\n\r\nbody\r\n",
    "nul-in-body": b"Subject: nul\r\n\r\na\0b\r\n",
    "one-byte": b"x",
    "zero-bytes": b"",
}


def _never(raw: bytes) -> bool:
    del raw
    return False


@dataclass(frozen=True, slots=True)
class MailStore:
    """One empty account of the product under test, and what is known of its habits.

    `exact` promises every byte back. `may_refuse` answers whether a refusal of this message is no surprise. `trace` answers
    anything that changes when the account is written to (a listing of its files, a log of writing commands).
    """

    open_reader: Callable[[], MailReader]
    open_writer: Callable[[], MailWriter]
    exact: bool = True
    may_refuse: Callable[[bytes], bool] = _never
    trace: Callable[[], object] = lambda: None


def message(raw: bytes, flags: Iterable[str] = (), date: datetime | None = ARRIVED) -> Message:
    """A message as the room hands it to a writer."""
    return Message(Header(0, len(raw), frozenset(flags), date), Content(raw))


def raw_name(session: MailReader, *parts: str) -> str:
    """The raw name of a folder in the account's namespace."""
    space = session.namespace
    return space.prefix + space.separator.join(utf7.encode(part) for part in parts)


def everything(session: MailReader, folder: str) -> list[tuple[Header, bytes]]:
    """Every message of a folder with its bytes, by uid."""
    headers = list(session.index(folder))
    bodies = {}
    for fetched in session.fetch(folder, [header.uid for header in headers]):
        bodies[fetched.header.uid] = fetched.content.whole()
        fetched.content.close()
    return [(header, bodies[header.uid]) for header in headers]


def folded(flags: Iterable[str]) -> set[str]:
    """Flags as they compare: without case, without \\Recent."""
    return {flag.casefold() for flag in flags} - {"\\recent"}


class MailStoreContract:
    """Inherit, give `store`, and put a folder of more odd messages into `odd_messages` if you have one."""

    odd_messages: ClassVar[Mapping[str, bytes]] = ODD_MESSAGES

    @pytest.fixture
    def store(self) -> MailStore:
        """An empty account; every adapter's test class gives its own."""
        raise NotImplementedError("give the fixture `store` in the class that inherits this suite")

    @pytest.fixture
    def writer(self, store: MailStore) -> Iterator[MailWriter]:
        """A session that can write."""
        with closing(store.open_writer()) as session:
            yield session

    # -- folders ------------------------------------------------------------------------------------------------------

    def test_an_empty_account_has_an_empty_inbox(self, writer: MailWriter) -> None:
        opened = writer.open(INBOX)
        assert opened.messages == 0
        assert opened.uidvalidity > 0
        assert list(writer.index(INBOX)) == []

    def test_the_inbox_is_listed_with_its_counts(self, store: MailStore, writer: MailWriter) -> None:
        writer.add(INBOX, [message(plain_message(1)), message(plain_message(2))])
        with closing(store.open_reader()) as reader:
            inbox = listed(reader)[INBOX]
        assert inbox.selectable
        assert inbox.messages in {2, None}
        assert inbox.bytes in {len(plain_message(1)) * 2, None}

    @pytest.mark.parametrize(
        "parts",
        [
            ("Sent",),
            ("Clients", "2024", "January"),
            ("Elementos enviados",),
            ("Entwürfe", "Größe & Maß"),
            ("会议", "日程"),
            ("mañana 😀",),
            ("two  blanks",),
            ("a-b_c+d=e",),
            ("[Gmail]",),
            ("100%",),
            ("it's",),
            ("~tilde",),
            ("#hash",),
            ("con",),
            ("INBOX",),
            ("INBOX", "x"),
            ("x" * 120,),
        ],
        ids=lambda parts: "/".join(parts)[:30],
    )
    def test_a_folder_is_listed_exactly_as_it_was_named_or_refused_with_words(
        self, store: MailStore, writer: MailWriter, parts: Sequence[str]
    ) -> None:
        names = [raw_name(writer, *parts[: depth + 1]) for depth in range(len(parts))]
        refused = writer.create(names)
        assert all(refused.values())
        with closing(store.open_reader()) as reader:
            there = {name for name, folder in listed(reader).items() if folder.selectable}
            for name in names:
                assert (name in there) != (name in refused)
                if name not in refused:
                    assert reader.open(name).messages == 0

    @pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/etc", "..", "nul\0inside", "line\r\nbreak"])
    def test_a_name_that_means_harm_makes_no_folder_elsewhere(
        self, store: MailStore, writer: MailWriter, name: str
    ) -> None:
        raw = writer.namespace.prefix + name
        refused = writer.create([raw])
        with closing(store.open_reader()) as reader:
            there = listed(reader)
        assert refused.get(raw) or raw in there or raw.removesuffix(writer.namespace.separator) in there

    def test_creating_what_is_there_is_not_refused(self, writer: MailWriter) -> None:
        name = raw_name(writer, "Sent")
        assert writer.create([name]) == {}
        writer.add(name, [message(plain_message(1))])
        assert writer.create([name, INBOX]) == {}
        assert len(list(writer.index(name))) == 1

    def test_a_refused_folder_does_not_keep_the_others_from_being_made(
        self, store: MailStore, writer: MailWriter
    ) -> None:
        separator = writer.namespace.separator
        bad = f"{writer.namespace.prefix}nul\0inside{separator}x"
        good = raw_name(writer, "Good")
        assert set(writer.create([bad, good])) == {bad}
        with closing(store.open_reader()) as reader:
            assert good in listed(reader)

    def test_a_parent_and_its_child_both_hold_mail(self, writer: MailWriter) -> None:
        parent, child = raw_name(writer, "Parent"), raw_name(writer, "Parent", "Child")
        assert writer.create([parent, child]) == {}
        writer.add(parent, [message(plain_message(1))])
        writer.add(child, [message(plain_message(2)), message(plain_message(3))])
        assert [len(everything(writer, name)) for name in (parent, child)] == [1, 2]

    def test_a_subscription_is_listed(self, store: MailStore, writer: MailWriter) -> None:
        wanted, other = raw_name(writer, "Wanted"), raw_name(writer, "Other")
        writer.create([wanted, other])
        assert writer.subscribe([wanted]) == {}
        assert writer.subscribe([wanted]) == {}
        with closing(store.open_reader()) as reader:
            there = listed(reader)
        assert (there[wanted].subscribed, there[other].subscribed) == (True, False)

    def test_a_folder_that_is_not_there_is_not_found(self, store: MailStore, writer: MailWriter) -> None:
        missing = raw_name(writer, "Missing")
        with closing(store.open_reader()) as reader, pytest.raises(NotFound):
            reader.open(missing)
        with pytest.raises(NotFound):
            writer.add(missing, [message(plain_message(1))])
        with closing(store.open_reader()) as reader:
            assert missing not in listed(reader)

    # -- reading ------------------------------------------------------------------------------------------------------

    def test_an_index_comes_by_ascending_uid_and_within_its_window(self, writer: MailWriter) -> None:
        uids = add_plain(writer, 7)
        assert [header.uid for header in writer.index(INBOX)] == uids
        assert [header.uid for header in writer.index(INBOX, uids[2], uids[4])] == uids[2:5]
        assert [header.uid for header in writer.index(INBOX, first=uids[5])] == uids[5:]
        assert [header.uid for header in writer.index(INBOX, last=uids[0])] == uids[:1]
        assert list(writer.index(INBOX, first=uids[-1] + 1)) == []

    def test_opening_counts_what_is_there_and_gives_the_next_uid(self, store: MailStore, writer: MailWriter) -> None:
        uids = add_plain(writer, 3)
        with closing(store.open_reader()) as reader:
            opened = reader.open(INBOX)
        assert opened.messages == 3
        assert opened.uidnext > uids[-1]

    def test_opening_the_open_folder_again_answers_the_first_look(self, store: MailStore, writer: MailWriter) -> None:
        add_plain(writer, 2)
        with closing(store.open_reader()) as reader:
            first = reader.open(INBOX)
            add_plain(writer, 1)
            assert reader.open(INBOX) == first

    def test_uids_and_uidvalidity_hold_between_sessions(self, store: MailStore, writer: MailWriter) -> None:
        uids = add_plain(writer, 4)
        looks = []
        for _ in range(2):
            with closing(store.open_reader()) as reader:
                looks.append((reader.open(INBOX).uidvalidity, [(h.uid, h.size, h.date) for h in reader.index(INBOX)]))
        assert looks[0] == looks[1]
        assert [uid for uid, _, _ in looks[0][1]] == uids

    def test_a_uid_that_is_gone_is_not_answered(self, writer: MailWriter) -> None:
        uids = add_plain(writer, 2)
        asked = [uids[1], NEVER_GIVEN, uids[0]]
        assert {fetched.header.uid for fetched in writer.fetch(INBOX, asked)} == set(uids)
        assert set(writer.message_ids(INBOX, asked)) == set(uids)
        assert list(writer.fetch(INBOX, [NEVER_GIVEN])) == []

    def test_the_size_in_the_index_is_the_size_that_is_fetched(self, writer: MailWriter) -> None:
        add_plain(writer, 3)
        for header, raw in everything(writer, INBOX):
            assert header.size == len(raw)

    def test_content_can_be_read_twice(self, writer: MailWriter) -> None:
        add_plain(writer, 1)
        (fetched,) = writer.fetch(INBOX, [header.uid for header in writer.index(INBOX)])
        assert fetched.content.whole() == b"".join(fetched.content.chunks(7)) == plain_message(0)

    def test_reading_leaves_no_trace(self, store: MailStore, writer: MailWriter) -> None:
        writer.create([raw_name(writer, "Sent")])
        add_plain(writer, 3)
        writer.set_flags(INBOX, {header.uid: frozenset({"\\Flagged"}) for header in writer.index(INBOX, last=1)})
        writer.close()
        before, flags_before = store.trace(), self._flags(store)
        with closing(store.open_reader()) as reader:
            for folder in reader.folders():
                if folder.selectable:
                    uids = [header.uid for header, _ in everything(reader, folder.name)]
                    reader.message_ids(folder.name, uids)
        assert store.trace() == before
        assert self._flags(store) == flags_before

    def test_a_reader_has_no_way_to_write(self, store: MailStore) -> None:
        with closing(store.open_reader()) as reader:
            assert not [verb for verb in ("create", "subscribe", "add", "set_flags") if hasattr(reader, verb)]

    def test_message_ids_are_what_stands_between_the_brackets(self, writer: MailWriter) -> None:
        sent = [
            plain_message(5),
            b"Subject: none\r\n\r\nMessage-ID: <not-a-header@example.com>\r\n",
            b"message-id:\r\n <folded@example.com>\r\nSubject: folded\r\n\r\nbody\r\n",
        ]
        added = writer.add(INBOX, [message(raw) for raw in sent])
        uids = self._uids(writer, added)
        assert writer.message_ids(INBOX, uids) == dict(
            zip(uids, ["5@example.com", "", "folded@example.com"], strict=True)
        )

    # -- adding -------------------------------------------------------------------------------------------------------

    def test_what_is_added_is_answered_in_order_and_found_again(self, store: MailStore, writer: MailWriter) -> None:
        sent = [plain_message(number, "x" * number) for number in range(12)]
        added = writer.add(INBOX, [message(raw) for raw in sent])
        assert [one.size for one in added] in ([len(raw) for raw in sent], [None] * len(sent))
        assert self._uids(writer, added) == sorted(self._uids(writer, added))
        with closing(store.open_reader()) as reader:
            assert [raw for _, raw in everything(reader, INBOX)] == sent

    def test_a_store_that_keeps_uids_tells_them(self, writer: MailWriter) -> None:
        added = writer.add(INBOX, [message(plain_message(1)), message(plain_message(2))])
        told = [one.uid for one in added]
        there = [header.uid for header in writer.index(INBOX)]
        assert told == there or (not writer.features.keeps_uids and told == [None, None])

    def test_adding_nothing_changes_nothing(self, writer: MailWriter) -> None:
        assert list(writer.add(INBOX, [])) == []
        assert list(writer.index(INBOX)) == []

    def test_the_end_of_a_folder_is_never_told_too_high(self, writer: MailWriter) -> None:
        for round_ in range(4):
            uidvalidity, uidnext = map(int, writer.end_of(INBOX).split("/"))
            here_before = len(list(writer.index(INBOX)))
            add_plain(writer, round_ + 1)
            assert writer.open(INBOX).uidvalidity == uidvalidity
            assert len([header for header in writer.index(INBOX) if header.uid >= uidnext]) >= round_ + 1
            assert here_before + round_ + 1 == len(list(writer.index(INBOX)))

    def test_what_another_session_added_is_behind_the_end(self, store: MailStore, writer: MailWriter) -> None:
        add_plain(writer, 1)
        _, uidnext = map(int, writer.end_of(INBOX).split("/"))
        with closing(store.open_writer()) as other:
            other.add(INBOX, [message(plain_message(99))])
        with closing(store.open_reader()) as reader:
            arrived = [header.uid for header in reader.index(INBOX, first=uidnext)]
            assert list(reader.message_ids(INBOX, arrived).values())[-1:] == ["99@example.com"]

    def test_twins_stay_two_messages(self, writer: MailWriter) -> None:
        twin = plain_message(1)
        writer.add(INBOX, [message(twin), message(twin)])
        writer.add(INBOX, [message(twin)])
        found = everything(writer, INBOX)
        assert [raw for _, raw in found] == [twin] * 3
        assert len({header.uid for header, _ in found}) == 3

    def test_two_writers_on_one_folder_never_share_a_uid(self, store: MailStore, writer: MailWriter) -> None:
        with closing(store.open_writer()) as other:
            for number in range(3):
                writer.add(INBOX, [message(plain_message(2 * number))])
                other.add(INBOX, [message(plain_message(2 * number + 1))])
        with closing(store.open_reader()) as reader:
            found = everything(reader, INBOX)
        assert [raw for _, raw in found] == [plain_message(number) for number in range(6)]
        assert len({header.uid for header, _ in found}) == 6

    def test_odd_messages_come_back_or_are_refused_one_by_one(self, store: MailStore, writer: MailWriter) -> None:
        kept, refused = [], {}
        for name, raw in self.odd_messages.items():
            try:
                writer.add(INBOX, [message(raw)])
            except Refused as error:
                refused[name] = str(error)
            else:
                kept.append((name, raw))
        assert all(refused.values()), "a refusal has no words"
        assert [name for name in refused if not store.may_refuse(self.odd_messages[name])] == []
        with closing(store.open_reader()) as reader:
            found = everything(reader, INBOX)
        assert len(found) == len(kept)
        for (name, raw), (_, stored) in zip(kept, found, strict=True):
            assert digests([stored]).canonical == digests([raw]).canonical, name
            if store.exact:
                assert stored == raw, name

    def test_a_large_message_travels_whole(self, store: MailStore, writer: MailWriter) -> None:
        line = b"0123456789abcdef" * 4 + b"\r\n"
        raw = plain_message(1)[:-2] + line * (3 * MB // len(line)) + b"From the last line\r\n"
        (added,) = writer.add(INBOX, [message(raw)])
        assert added.size in {len(raw), None}
        with closing(store.open_reader()) as reader:
            ((_, stored),) = everything(reader, INBOX)
        assert digests([stored]).raw == digests([raw]).raw

    # -- flags and dates ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "asked",
        [
            (),
            ("\\Seen",),
            ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted"),
            ("$Forwarded", "NonJunk"),
            ("\\Seen", "project-x", "$Label1"),
            ("\\Recent", "\\Seen"),
            ("\\Unheard", "\\Flagged"),
            ("with blank", 'quo"te', "caf\xe9", "\\Seen"),
            ("k" * 400,),
        ],
        ids=lambda asked: " ".join(asked)[:40] or "none",
    )
    def test_every_flag_is_kept_or_answered_as_dropped(self, writer: MailWriter, asked: Sequence[str]) -> None:
        (added,) = writer.add(INBOX, [message(plain_message(1), asked)])
        (header,) = writer.index(INBOX)
        assert folded(header.flags) == folded(added.flags)
        assert folded(added.dropped_flags) | folded(added.flags) >= folded(asked)
        assert not folded(added.dropped_flags) & folded(added.flags)
        assert folded(added.flags) <= folded(asked)

    def test_system_flags_are_always_kept(self, writer: MailWriter) -> None:
        asked = {"\\Seen", "\\Answered", "\\Flagged", "\\Draft"}
        writer.add(INBOX, [message(plain_message(1), asked)])
        (header,) = writer.index(INBOX)
        assert folded(header.flags) == folded(asked)

    def test_flags_are_set_to_exactly_what_is_asked(self, store: MailStore, writer: MailWriter) -> None:
        first, second, third = add_plain(writer, 3)
        writer.set_flags(INBOX, {first: frozenset({"\\Seen"}), second: frozenset({"\\Flagged", "$Forwarded"})})
        after = writer.set_flags(INBOX, {first: frozenset({"\\Answered"}), NEVER_GIVEN: frozenset({"\\Seen"})})
        assert {uid: folded(flags) for uid, flags in after.items()} == {first: {"\\answered"}}
        with closing(store.open_reader()) as reader:
            now = {header.uid: folded(header.flags) for header in reader.index(INBOX)}
            assert {fetched.header.uid for fetched in reader.fetch(INBOX, [first, second, third])} == {
                first,
                second,
                third,
            }
        assert now[first] == {"\\answered"}
        assert now[second] >= {"\\flagged"}
        assert now[third] == set()

    @pytest.mark.parametrize(
        "date",
        [
            datetime(1970, 1, 2, 0, 0, 1, tzinfo=UTC),
            datetime(1999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-11))),
            datetime(2021, 3, 28, 1, 30, tzinfo=UTC),
            datetime(2024, 2, 29, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=45))),
            datetime(2038, 1, 18, 23, 59, 59, tzinfo=UTC),
        ],
        ids=str,
    )
    def test_a_date_is_kept_as_an_instant(self, writer: MailWriter, date: datetime) -> None:
        (added,) = writer.add(INBOX, [message(plain_message(1), date=date)])
        (header,) = writer.index(INBOX)
        assert header.date is not None
        assert header.date.tzinfo is not None
        assert header.date == date
        assert added.date in {date, None}

    def test_a_message_without_a_date_gets_one(self, writer: MailWriter) -> None:
        writer.add(INBOX, [message(plain_message(1), date=None)])
        (header,) = writer.index(INBOX)
        assert header.date is not None

    def test_changed_flags_are_found_where_the_store_tells_changes(self, writer: MailWriter) -> None:
        uids = add_plain(writer, 3)
        seen = max(header.modseq for header in writer.index(INBOX))
        writer.set_flags(INBOX, {uids[1]: frozenset({"\\Flagged"})})
        changed = [header.uid for header in writer.index(INBOX, changed_since=seen)]
        assert changed == ([uids[1]] if writer.features.tells_changes else uids)

    # -- sessions -----------------------------------------------------------------------------------------------------

    def test_a_session_may_be_closed_twice(self, store: MailStore) -> None:
        for session in (store.open_reader(), store.open_writer()):
            session.open(INBOX)
            session.close()
            session.close()

    def test_one_session_reads_while_another_writes(self, store: MailStore, writer: MailWriter) -> None:
        add_plain(writer, 3)
        with closing(store.open_reader()) as reader:
            headers = reader.index(INBOX)
            first = next(headers)
            writer.add(INBOX, [message(plain_message(50))])
            writer.set_flags(INBOX, {first.uid: frozenset({"\\Seen"})})
            rest = [header.uid for header in headers]
            assert rest[:2] == [first.uid + 1, first.uid + 2]
            assert [fetched.content.whole() for fetched in reader.fetch(INBOX, [first.uid])] == [plain_message(0)]

    # -- what several tests ask ---------------------------------------------------------------------------------------

    @staticmethod
    def _flags(store: MailStore) -> list[tuple[str, list[frozenset[str]]]]:
        with closing(store.open_reader()) as reader:
            selectable = [folder.name for folder in reader.folders() if folder.selectable]
            return [(name, [header.flags for header in reader.index(name)]) for name in selectable]

    @staticmethod
    def _uids(session: MailReader, added: Sequence[Added]) -> list[int]:
        """The uids that were told, or found in the index where they are not told."""
        told = [one.uid for one in added if one.uid is not None]
        return told if len(told) == len(added) else [header.uid for header in session.index(INBOX)][-len(added) :]


def listed(session: MailReader) -> dict[str, Folder]:
    """The folders of an account by raw name, each listed once."""
    folders = list(session.folders())
    by_name = {folder.name: folder for folder in folders}
    assert len(by_name) == len(folders), "a folder is listed twice"
    return by_name


def add_plain(session: MailWriter, count: int) -> list[int]:
    """Add so many plain messages to the INBOX; answers their uids."""
    session.add(INBOX, [message(plain_message(number)) for number in range(count)])
    return [header.uid for header in session.index(INBOX)][-count:]
