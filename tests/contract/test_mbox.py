"""The mbox adapter: the contract of every mail store, files of other programs, and dying in the middle."""

from __future__ import annotations

import errno
import io
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.engine.contract import Login
from migrator.errors import Misbehaved, NotFound
from migrator.mail.adapters.mbox import ADAPTER, MboxOptions, _quoted, _unquoted
from migrator.mail.model import MB, Content, Message
from migrator.testing.mail_store import MailStore, MailStoreContract, everything, message, plain_message

ODD = {
    path.stem: path.read_bytes() for path in sorted((Path(__file__).parents[2] / "fixtures" / "messages").glob("*.eml"))
}
ALICE = Login("alice@example.com", "alice")


def reader(path: Path, login: Login = ALICE):
    return ADAPTER.reader(MboxOptions(path=path), login)


def writer(path: Path, login: Login = ALICE):
    assert ADAPTER.writer
    return ADAPTER.writer(MboxOptions(path=path), login)


def tree(path: Path) -> list[tuple[str, int, int]]:
    """Every file and folder with its size and time of change."""
    facts = []
    for entry in sorted(path.rglob("*")):
        stat = entry.lstat()
        facts.append((str(entry.relative_to(path)), stat.st_size if entry.is_file() else 0, stat.st_mtime_ns))
    return facts


class TestMbox(MailStoreContract):
    odd_messages = ODD

    @pytest.fixture
    def store(self, tmp_path: Path) -> MailStore:
        writer(tmp_path).close()
        return MailStore(lambda: reader(tmp_path), lambda: writer(tmp_path), trace=lambda: tree(tmp_path))


def single(path: Path, text: bytes) -> Path:
    """One file of another program."""
    file = path / "export.mbox"
    file.write_bytes(text)
    return file


def read_single(path: Path, text: bytes):
    with closing(reader(single(path, text))) as session:
        return everything(session, "INBOX")


FROM = b"From alice@example.com Sun Mar 28 01:30:15 2021\n"

# -- files of other programs ------------------------------------------------------------------------------------------


def test_a_file_with_lf_is_read_as_mail_with_crlf_and_left_as_it_was(tmp_path: Path) -> None:
    text = FROM + b"Subject: one\n\nfirst\n\n" + FROM + b"Subject: two\n\nsecond\n\n"
    found = read_single(tmp_path, text)
    assert [(header.uid, header.size, raw) for header, raw in found] == [
        (1, 23, b"Subject: one\r\n\r\nfirst\r\n"),
        (2, 24, b"Subject: two\r\n\r\nsecond\r\n"),
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["export.mbox"]
    assert (tmp_path / "export.mbox").read_bytes() == text


def test_a_file_with_crlf_is_read_byte_for_byte(tmp_path: Path) -> None:
    from_line = FROM.replace(b"\n", b"\r\n")
    mail = b"Subject: one\r\n\r\nfirst\r\n"
    found = read_single(tmp_path, (from_line + mail + b"\r\n") * 2)
    assert [raw for _, raw in found] == [mail, mail]


@pytest.mark.parametrize(
    ("end", "raw"),
    [
        (b"body", b"\r\nbody"),
        (b"body\n", b"\r\nbody\r\n"),
        (b"body\n\n", b"\r\nbody\r\n"),
        (b"body\n\n\n", b"\r\nbody\r\n\r\n"),
    ],
)
def test_only_the_blank_line_that_separates_is_taken_from_the_end(tmp_path: Path, end: bytes, raw: bytes) -> None:
    ((_, found),) = read_single(tmp_path, FROM + b"\n" + end)
    assert found == raw


def test_a_message_begins_only_after_a_blank_line_and_at_a_dated_from_line(tmp_path: Path) -> None:
    body = (
        b"\n\nFrom the top of the page:\nFrom bob@example.com Sun Mar 28 01:30:15 2021\n\nFrom now on 12:30 is late\n"
    )
    found = read_single(tmp_path, FROM + body + b"\n" + FROM + b"\nsecond\n")
    assert [raw for _, raw in found] == [body.replace(b"\n", b"\r\n"), b"\r\nsecond\r\n"]


def test_one_mark_of_quoting_is_taken_away(tmp_path: Path) -> None:
    ((_, raw),) = read_single(tmp_path, FROM + b"\n>From me\n>>From you\n >From them\n>Frost\n\n")
    assert raw == b"\r\nFrom me\r\n>From you\r\n >From them\r\n>Frost\r\n"


def test_content_length_is_not_believed(tmp_path: Path) -> None:
    found = read_single(tmp_path, FROM + b"Content-Length: 9999\n\nfirst\n\n" + FROM + b"\nsecond\n\n")
    assert len(found) == 2


def test_a_from_line_is_found_wherever_the_pieces_of_a_large_file_are_cut(tmp_path: Path) -> None:
    sizes = [256 * 1024 - len(FROM) - 60 + shift for shift in range(0, 120, 7)]
    bodies = [b"\n" + b"x" * size + b"\n" for size in sizes]
    found = read_single(tmp_path, b"".join(FROM + body + b"\n" for body in bodies))
    assert [header.size for header, _ in found] == [len(body) + 2 for body in bodies]


@pytest.mark.parametrize(
    ("line", "date"),
    [
        (b"From a@example.com Sun Mar 28 01:30:15 2021", datetime(2021, 3, 28, 1, 30, 15, tzinfo=UTC)),
        (b"From a@example.com  Thu Jan  1 00:00:00 1970", datetime(1970, 1, 1, tzinfo=UTC)),
        (b"From - Wed Dec 31 23:59:59 1969", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (
            b"From 17@xxx Sun Mar 28 01:30:15 +0200 2021",
            datetime(2021, 3, 28, 1, 30, 15, tzinfo=timezone(timedelta(hours=2))),
        ),
        (b"From a@example.com Sun Mar 28 01:30 CEST 2021", datetime(2021, 3, 28, 1, 30, tzinfo=UTC)),
        (b"From a@example.com Sun Foo 28 01:30:15 2021", None),
        (b"From a@example.com Sun Feb 31 01:30:15 2021", None),
    ],
)
def test_the_date_is_that_of_the_from_line(tmp_path: Path, line: bytes, date: datetime | None) -> None:
    ((header, _),) = read_single(tmp_path, line + b"\n\nbody\n")
    assert header.date == date


@pytest.mark.parametrize(
    ("headers", "flags"),
    [
        (b"Status: RO\n", {"\\Seen"}),
        (b"Status: O\nX-Status: AFTD\n", {"\\Answered", "\\Flagged", "\\Draft", "\\Deleted"}),
        (b"X-Keywords: $Label1, NonJunk   $Forwarded\n", {"$Label1", "NonJunk", "$Forwarded"}),
        (b"X-Mozilla-Status: 1003\n", {"\\Seen", "\\Answered", "$Forwarded"}),
        (b"X-Mozilla-Status: no number\n", set()),
        (b"Subject: none\n", set()),
    ],
)
def test_flags_are_read_from_the_header_which_stays_as_it_is(tmp_path: Path, headers: bytes, flags: set[str]) -> None:
    ((header, raw),) = read_single(tmp_path, FROM + headers + b"\nbody\n")
    assert header.flags == flags
    assert raw == (headers + b"\nbody\n").replace(b"\n", b"\r\n")


def test_without_an_index_any_change_of_the_file_declares_the_numbering_new(tmp_path: Path) -> None:
    looks = set()
    for count in (3, 2, 4):
        with closing(reader(single(tmp_path, (FROM + b"\nbody\n\n") * count))) as session:
            looks.add(session.open("INBOX").uidvalidity)
    assert len(looks) == 3


@pytest.mark.parametrize("text", [b"", b"\n", b"\r\n\r\n"])
def test_an_empty_file_is_an_empty_folder(tmp_path: Path, text: bytes) -> None:
    assert read_single(tmp_path, text) == []


@pytest.mark.parametrize(
    "text", [b"Subject: a bare message\n\nbody\n", b"SQLite format 3\0", b"From a file without a line end"]
)
def test_a_file_that_is_no_mbox_is_named(tmp_path: Path, text: bytes) -> None:
    with (
        closing(reader(single(tmp_path, text))) as session,
        pytest.raises(Misbehaved, match=r"export\.mbox is not an mbox"),
    ):
        session.open("INBOX")


def test_a_single_file_holds_the_inbox_alone(tmp_path: Path) -> None:
    with closing(writer(tmp_path / "vault" / "export.mbox")) as session:
        session.add("INBOX", [message(plain_message(1))])
        assert set(session.create(["Sent", "INBOX"])) == {"Sent"}
        with pytest.raises(NotFound):
            session.open("Sent")
        assert [folder.name for folder in session.folders()] == ["INBOX"]
    assert sorted(file.name for file in (tmp_path / "vault").iterdir()) == ["export.mbox", "export.mbox.index"]


def test_a_mailbox_that_is_not_there_has_no_folders_and_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "vault", tmp_path / "vault.mbox"):
        with closing(reader(path)) as session:
            assert session.folders() == []
            assert "no mailbox of alice@example.com" in session.features.notes[0]
            with pytest.raises(NotFound):
                session.open("INBOX")
    assert list(tmp_path.iterdir()) == []


# -- what is written --------------------------------------------------------------------------------------------------


def test_folders_are_files_in_folders_readable_by_their_owner_only(tmp_path: Path) -> None:
    with closing(writer(tmp_path)) as session:
        assert session.create(["Clients/2024"]) == {}
        session.add("Clients/2024", [message(plain_message(1))])
        assert set(session.create(["aux", "a.mbox/b", "b.INDEX"])) == {"aux", "a.mbox/b", "b.INDEX"}
    file = tmp_path / "alice@example.com" / "Clients" / "2024.mbox"
    assert file.read_bytes() == b"From MAILER-DAEMON Sat Mar 27 23:30:15 2021\n" + plain_message(1) + b"\n"
    assert file.stat().st_mode & 0o077 == file.parent.stat().st_mode & 0o077 == 0


def test_other_programs_read_what_was_written(tmp_path: Path) -> None:
    sent = [plain_message(1, "From me\r\n\r\nFrom you Sun Mar 28 01:30:15 2021\r\n>From all"), plain_message(2)]
    with closing(writer(tmp_path)) as session:
        session.add("INBOX", [message(raw) for raw in sent])
    (tmp_path / "alice@example.com" / "INBOX.mbox.index").unlink()
    with closing(reader(tmp_path)) as session:
        assert [raw for _, raw in everything(session, "INBOX")] == sent


def test_adding_to_a_file_of_another_program_keeps_its_messages(tmp_path: Path) -> None:
    file = single(tmp_path, FROM + b"Status: R\n\nfirst, without a blank line at the end\n")
    with closing(writer(file)) as session:
        session.add("INBOX", [message(b"\nbare LF stays bare\n", {"\\Flagged"})])
    with closing(reader(file)) as session:
        found = everything(session, "INBOX")
    assert [raw for _, raw in found] == [
        b"Status: R\r\n\r\nfirst, without a blank line at the end\r\n",
        b"\nbare LF stays bare\n",
    ]
    assert [(header.uid, header.flags) for header, _ in found] == [(1, {"\\Seen"}), (2, {"\\Flagged"})]


def test_mail_that_another_program_appends_gets_the_next_uids(tmp_path: Path) -> None:
    file = tmp_path / "export.mbox"
    with closing(writer(file)) as session:
        session.add("INBOX", [message(plain_message(1))])
        with file.open("ab") as appended:
            appended.write(FROM + b"Subject: delivered\n\nbody\n\n")
        with closing(reader(file)) as other:
            assert [header.uid for header in other.index("INBOX")] == [1, 2]
        session.add("INBOX", [message(plain_message(3))])
        found = everything(session, "INBOX")
    assert [(header.uid, raw) for header, raw in found] == [
        (1, plain_message(1)),
        (2, b"Subject: delivered\r\n\r\nbody\r\n"),
        (3, plain_message(3)),
    ]


def test_an_index_that_does_not_fit_its_file_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "export.mbox"
    with closing(writer(file)) as session:
        session.add("INBOX", [message(plain_message(number)) for number in (1, 2)])
        before = session.open("INBOX").uidvalidity
    file.write_bytes(file.read_bytes().replace(b"Subject:", b"Status: RO\r\nSubject:"))
    for opened in (reader, writer):
        with closing(opened(file)) as session:
            assert session.open("INBOX").uidvalidity != before
            assert [header.flags for header in session.index("INBOX")] == [{"\\Seen"}, {"\\Seen"}]


@pytest.mark.parametrize(
    "text", [b"", b"not json\n", b'{"uidvalidity":7}\n{"message":[1,2]}\n', b"[]\n", b'{"unheard":1}\n']
)
def test_a_damaged_index_is_not_used(tmp_path: Path, text: bytes) -> None:
    file = single(tmp_path, FROM + b"\nbody\n\n")
    file.with_name("export.mbox.index").write_bytes(text)
    for opened in (reader, writer):
        with closing(opened(file)) as session:
            assert [raw for _, raw in everything(session, "INBOX")] == [b"\r\nbody\r\n"]


def test_a_large_message_of_another_program_is_read_from_a_temporary_file(tmp_path: Path) -> None:
    body = b"\n" + b"0123456789\n" * (2 * MB // 11)
    with closing(reader(single(tmp_path, FROM + body + b"\n"))) as session:
        (fetched,) = session.fetch("INBOX", [1])
        assert not fetched.content.in_memory
        assert fetched.content.size == fetched.header.size == len(body.replace(b"\n", b"\r\n"))
        assert fetched.content.whole() == body.replace(b"\n", b"\r\n")
        fetched.content.close()


# -- dying in the middle ----------------------------------------------------------------------------------------------


def test_what_a_crash_left_of_a_batch_is_not_read_and_cut_at_the_next_writing(tmp_path: Path) -> None:
    file, index = tmp_path / "export.mbox", tmp_path / "export.mbox.index"
    with closing(writer(file)) as session:
        session.add("INBOX", [message(plain_message(1))])
        fence = session.end_of("INBOX")
        mail_before, index_before = file.read_bytes(), index.read_bytes()
        session.add("INBOX", [message(plain_message(2)), message(plain_message(3))])
        mail_after, index_after = file.read_bytes(), index.read_bytes()
    announced = index_after.index(b"\n", len(index_before)) + 1
    listed_one = index_after.index(b"\n", announced) + 1
    for mail_end in range(len(mail_before), len(mail_after) + 1, 17):
        file.write_bytes(mail_after[:mail_end])
        index.write_bytes(index_after[:announced])
        with closing(reader(file)) as session:
            assert [raw for _, raw in everything(session, "INBOX")] == [plain_message(1)]
        with closing(writer(file)) as session:
            assert session.end_of("INBOX") == fence
            assert file.read_bytes() == mail_before
            session.add("INBOX", [message(plain_message(2))])
            assert [raw for _, raw in everything(session, "INBOX")] == [plain_message(1), plain_message(2)]
    for index_end in range(listed_one, len(index_after)):
        file.write_bytes(mail_after)
        index.write_bytes(index_after[:index_end])
        with closing(reader(file)) as session:
            seen = everything(session, "INBOX")
        with closing(writer(file)) as session:
            assert everything(session, "INBOX") == seen
        assert [raw for _, raw in seen] in (
            [plain_message(1), plain_message(2)],
            [plain_message(1), plain_message(2), plain_message(3)],
        )


def test_a_batch_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    class FailingDisk(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    file = tmp_path / "export.mbox"
    with closing(writer(file)) as session:
        session.add("INBOX", [message(plain_message(1))])
        before = file.read_bytes()
        with pytest.raises(Misbehaved, match=r"writing to INBOX of alice@example\.com: Input/output error"):
            session.add(
                "INBOX", [message(plain_message(2)), Message(message(b"").header, Content(file=FailingDisk(), size=9))]
            )
        assert file.read_bytes() == before
        session.add("INBOX", [message(plain_message(3))])
        assert [raw for _, raw in everything(session, "INBOX")] == [plain_message(1), plain_message(3)]


# -- quoting ----------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from([b"From ", b">", b"\n", b"\r\n", b"F", b"ro", b"m", b" x", b"\n>From "]), max_size=30).map(
        b"".join
    ),
    st.integers(1, 9),
)
@settings(max_examples=300)
def test_quoting_is_undone_exactly_and_does_not_depend_on_how_the_bytes_are_cut(text: bytes, step: int) -> None:
    pieces = [text[at : at + step] for at in range(0, len(text), step)]
    quoted = b"".join(_quoted(pieces))
    assert quoted == b"".join(_quoted([text]))
    assert not any(line.startswith(b"From ") for line in quoted.split(b"\n"))
    assert b"".join(_unquoted([quoted[at : at + step] for at in range(0, len(quoted), step)])) == text
