"""The Maildir++ adapter: the contract of every mail store, what other programs left on disk, and dying in the middle."""

from __future__ import annotations

import errno
import io
import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.engine.contract import Login
from migrator.errors import Misbehaved, NotFound
from migrator.mail.adapters.maildir import ADAPTER, MaildirOptions
from migrator.mail.model import Content, Message
from migrator.testing.mail_store import MailStore, MailStoreContract, everything, message, plain_message

ODD = {
    path.stem: path.read_bytes() for path in sorted((Path(__file__).parents[2] / "fixtures" / "messages").glob("*.eml"))
}
ALICE = Login("alice@example.com", "alice")


def reader(path: Path, login: Login = ALICE):
    return ADAPTER.reader(MaildirOptions(path=path), login)


def writer(path: Path, login: Login = ALICE):
    assert ADAPTER.writer
    return ADAPTER.writer(MaildirOptions(path=path), login)


def tree(path: Path) -> list[tuple[str, int, int]]:
    """Every file and folder with its size and time of change."""
    facts = []
    for entry in sorted(path.rglob("*")):
        stat = entry.lstat()
        facts.append((str(entry.relative_to(path)), stat.st_size if entry.is_file() else 0, stat.st_mtime_ns))
    return facts


class TestMaildir(MailStoreContract):
    odd_messages = ODD

    @pytest.fixture
    def store(self, tmp_path: Path) -> MailStore:
        writer(tmp_path).close()
        return MailStore(lambda: reader(tmp_path), lambda: writer(tmp_path), trace=lambda: tree(tmp_path))


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A Maildir as a delivery agent leaves it: two seen messages, one new, no list of uids."""
    root = tmp_path / "alice@example.com"
    for sub in ("cur", "new", "tmp"):
        (root / sub).mkdir(parents=True)
    (root / "cur" / "1600000001.M1P1.mx:2,RS").write_bytes(plain_message(1))
    (root / "cur" / "1600000002.M2P1.mx,S=5:2,FPTa").write_bytes(plain_message(2))
    (root / "new" / "1600000003.M3P1.mx").write_bytes(plain_message(3))
    (root / "dovecot-keywords").write_text("0 $Label1\n")
    return tmp_path


def root_of(path: Path) -> Path:
    return path / "alice@example.com"


# -- what other programs left -----------------------------------------------------------------------------------------


def test_a_maildir_without_a_list_is_read_in_order_of_its_names_and_left_as_it_was(foreign: Path) -> None:
    before = tree(foreign)
    with closing(reader(foreign)) as session:
        found = everything(session, "INBOX")
    assert [(header.uid, raw) for header, raw in found] == [(number, plain_message(number)) for number in (1, 2, 3)]
    assert [header.flags for header, _ in found] == [
        {"\\Answered", "\\Seen"},
        {"\\Flagged", "$Forwarded", "\\Deleted", "$Label1"},
        set(),
    ]
    assert tree(foreign) == before


def test_without_a_list_a_removed_message_declares_the_numbering_new(foreign: Path) -> None:
    with closing(reader(foreign)) as session:
        before = session.open("INBOX").uidvalidity
    (root_of(foreign) / "new" / "1600000003.M3P1.mx").rename(root_of(foreign) / "cur" / "1600000003.M3P1.mx:2,S")
    with closing(reader(foreign)) as session:
        assert session.open("INBOX").uidvalidity == before
    (root_of(foreign) / "cur" / "1600000001.M1P1.mx:2,RS").unlink()
    with closing(reader(foreign)) as session:
        assert session.open("INBOX").uidvalidity != before


def test_a_list_of_dovecot_gives_the_uids_and_is_not_written_to(foreign: Path) -> None:
    listed = "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n25006 W9 :1600000002.M2P1.mx,S=5\n25010 :1600000001.M1P1.mx:2,S\n"
    uid_list = root_of(foreign) / "dovecot-uidlist"
    uid_list.write_text(listed)
    with closing(reader(foreign)) as session:
        opened = session.open("INBOX")
        assert (opened.uidvalidity, opened.uidnext) == (1275660208, 25023)
        assert [header.uid for header in session.index("INBOX")] == [25006, 25010, 25022]
        assert [raw for _, raw in everything(session, "INBOX")] == [plain_message(number) for number in (2, 1, 3)]
    with closing(writer(foreign)) as session:
        session.add("INBOX", [message(plain_message(4))])
    with closing(reader(foreign)) as session:
        assert [header.uid for header in session.index("INBOX")] == [25006, 25010, 25022, 25023]
        assert session.open("INBOX").uidvalidity == 1275660208
    assert uid_list.read_text() == listed


def test_a_list_of_courier_gives_the_uids(foreign: Path) -> None:
    (root_of(foreign) / "courierimapuiddb").write_text(
        "1 1600000000 9\n4 1600000002.M2P1.mx,S=5\n8 1600000001.M1P1.mx\n"
    )
    with closing(reader(foreign)) as session:
        assert session.open("INBOX").uidvalidity == 1600000000
        assert [header.uid for header in session.index("INBOX")] == [4, 8, 9]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("subscriptions", "Sent\nClients.2024\n"),
        ("subscriptions", "V\t2\n\nSent\nClients\t2024\n"),
        ("courierimapsubscribed", "INBOX.Sent\nINBOX.Clients.2024\n"),
    ],
)
def test_subscriptions_of_dovecot_and_courier_are_read(foreign: Path, name: str, text: str) -> None:
    with closing(writer(foreign)) as session:
        session.create(["Sent", "Clients.2024", "Other"])
    (root_of(foreign) / name).write_text(text)
    with closing(reader(foreign)) as session:
        assert {folder.name for folder in session.folders() if folder.subscribed} == {"Sent", "Clients.2024"}


def test_a_file_renamed_after_the_listing_is_still_read(foreign: Path) -> None:
    with closing(reader(foreign)) as session:
        session.open("INBOX")
        (root_of(foreign) / "new" / "1600000003.M3P1.mx").rename(root_of(foreign) / "cur" / "1600000003.M3P1.mx:2,S")
        (fetched,) = session.fetch("INBOX", [3])
    assert (fetched.header.flags, fetched.content.whole()) == ({"\\Seen"}, plain_message(3))


def test_a_file_removed_after_the_listing_is_not_answered(foreign: Path) -> None:
    with closing(reader(foreign)) as session:
        session.open("INBOX")
        (root_of(foreign) / "cur" / "1600000002.M2P1.mx,S=5:2,FPTa").unlink()
        assert [fetched.header.uid for fetched in session.fetch("INBOX", [1, 2, 3])] == [1, 3]
        assert [header.uid for header in session.index("INBOX")] == [1, 3]


def test_a_message_left_under_two_names_is_one_message(foreign: Path) -> None:
    (root_of(foreign) / "new" / "1600000001.M1P1.mx").write_bytes(plain_message(1))
    with closing(reader(foreign)) as session:
        assert session.open("INBOX").messages == 3


def test_a_mailbox_that_is_not_there_has_no_folders_and_says_so(tmp_path: Path) -> None:
    with closing(reader(tmp_path / "vault")) as session:
        assert session.folders() == []
        assert "no mailbox of alice@example.com" in session.features.notes[0]
        with pytest.raises(NotFound):
            session.open("INBOX")
    assert list(tmp_path.iterdir()) == []


# -- what is written --------------------------------------------------------------------------------------------------


def test_files_are_named_as_servers_name_them_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    with closing(writer(tmp_path / "vault")) as session:
        session.create(["Entw&APw-rfe"])
        session.add("Entw&APw-rfe", [message(plain_message(1), {"\\Seen", "\\Flagged", "$Label1"})])
    folder = root_of(tmp_path / "vault") / ".Entw&APw-rfe"
    (file,) = (folder / "cur").iterdir()
    assert re.fullmatch(rf"\d+\.M\d+P\d+R\w+Q\d+\.[^:,]+,S={len(plain_message(1))}:2,FSa", file.name)
    assert file.read_bytes() == plain_message(1)
    assert file.stat().st_mode & 0o077 == folder.stat().st_mode & 0o077 == 0
    assert (folder / "dovecot-keywords").read_text() == "0 $Label1\n"
    assert (folder / "maildirfolder").exists()
    assert list((folder / "tmp").iterdir()) == []


def test_the_27th_keyword_of_a_folder_is_dropped_and_the_message_kept(tmp_path: Path) -> None:
    keywords = [f"word-{number:02}" for number in range(28)]
    with closing(writer(tmp_path)) as session:
        (added,) = session.add("INBOX", [message(plain_message(1), keywords)])
        assert session.open("INBOX").keywords_allowed is False
        (again,) = session.add("INBOX", [message(plain_message(2), ["WORD-03", "other"])])
    assert (len(added.flags), added.dropped_flags) == (26, {"word-26", "word-27"})
    assert (again.flags, again.dropped_flags) == ({"word-03"}, {"other"})


def test_a_date_before_1970_is_kept(tmp_path: Path) -> None:
    date = datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC)
    with closing(writer(tmp_path)) as session:
        (added,) = session.add("INBOX", [message(plain_message(1), date=date)])
    assert added.date == date


def test_accounts_never_share_a_folder_nor_leave_the_base(tmp_path: Path) -> None:
    names = [
        "alice@example.com",
        "Alice@example.com",
        "../alice@example.com",
        "a/b@example.com",
        "..",
        "con",
        "x" * 300,
    ]
    base = tmp_path / "vault"
    for name in names:
        with closing(writer(base, Login(name, name))) as session:
            session.add("INBOX", [message(plain_message(1))])
    for name in names:
        with closing(reader(base, Login(name, name))) as session:
            assert session.open("INBOX").messages == 1
    assert len(list(base.iterdir())) == len(names)
    assert list(tmp_path.iterdir()) == [base]


def test_a_link_out_of_the_base_is_not_followed(tmp_path: Path) -> None:
    base, outside = tmp_path / "vault", tmp_path / "outside"
    writer(outside).close()
    with closing(writer(base)) as session:
        session.create(["Real"])
        (root_of(base) / ".Linked").symlink_to(root_of(outside))
        assert "Linked" in {folder.name for folder in session.folders()}
        for attempt in (session.open, session.end_of, lambda name: session.add(name, [message(plain_message(1))])):
            with pytest.raises(Misbehaved, match="link that leads out"):
                attempt("Linked")
    (base / "bob@example.com").symlink_to(root_of(outside))
    with pytest.raises(Misbehaved, match="link that leads out"):
        reader(base, Login("bob@example.com", "bob"))


def test_a_file_where_the_folder_should_be_is_told_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("a file where the folder should be")
    with pytest.raises(Misbehaved, match=r"making the mailbox of alice@example\.com") as caught:
        writer(tmp_path / "vault")
    assert caught.value.remedy


# -- dying in the middle ----------------------------------------------------------------------------------------------


def test_messages_shown_but_not_listed_before_a_crash_are_behind_the_fence(tmp_path: Path) -> None:
    with closing(writer(tmp_path)) as session:
        session.add("INBOX", [message(plain_message(1))])
        uidvalidity, uidnext = map(int, session.end_of("INBOX").split("/"))
        uid_list = root_of(tmp_path) / "migrator-uidlist"
        before = uid_list.read_bytes()
        session.add("INBOX", [message(plain_message(number)) for number in (2, 3, 4)])
        uid_list.write_bytes(before)  # as if the machine had stopped between showing and listing
    with closing(reader(tmp_path)) as session:
        seen = [(header.uid, raw) for header, raw in everything(session, "INBOX")]
    with closing(writer(tmp_path)) as session:
        assert session.open("INBOX").uidvalidity == uidvalidity
        arrived = [header.uid for header in session.index("INBOX", first=uidnext)]
        assert session.end_of("INBOX") == f"{uidvalidity}/{uidnext + 3}"
        assert [(header.uid, raw) for header, raw in everything(session, "INBOX")] == seen
    assert arrived == [uidnext, uidnext + 1, uidnext + 2]
    assert [raw for _, raw in seen] == [plain_message(number) for number in (1, 2, 3, 4)]


def test_a_torn_line_of_the_list_is_no_line(tmp_path: Path) -> None:
    with closing(writer(tmp_path)) as session:
        session.add("INBOX", [message(plain_message(number)) for number in (1, 2)])
    uid_list = root_of(tmp_path) / "migrator-uidlist"
    for cut in range(1, len(uid_list.read_bytes().splitlines()[-1])):
        whole = uid_list.read_bytes()
        uid_list.write_bytes(whole[:-cut])
        with closing(writer(tmp_path)) as session:
            found = everything(session, "INBOX")
        assert [raw for _, raw in found] == [plain_message(1), plain_message(2)]
        assert uid_list.read_bytes() == whole


def test_a_torn_line_whose_message_is_gone_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    with closing(writer(tmp_path)) as session:
        session.add("INBOX", [message(plain_message(1))])
    uid_list = root_of(tmp_path) / "migrator-uidlist"
    uid_list.write_bytes(uid_list.read_bytes() + b"2 17000")
    with closing(writer(tmp_path)) as session:
        session.add("INBOX", [message(plain_message(2))])
    with closing(reader(tmp_path)) as session:
        assert [(header.uid, raw) for header, raw in everything(session, "INBOX")] == [
            (1, plain_message(1)),
            (2, plain_message(2)),
        ]


def test_a_batch_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    class FailingDisk(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    broken = Message(message(b"").header, Content(file=FailingDisk(), size=10))
    with closing(writer(tmp_path)) as session:
        before = tree(tmp_path / "alice@example.com" / "cur")
        with pytest.raises(Misbehaved, match=r"writing to INBOX of alice@example\.com: Input/output error"):
            session.add("INBOX", [message(plain_message(1)), broken])
        assert session.open("INBOX").messages == 0
    assert tree(tmp_path / "alice@example.com" / "cur") == before
    assert list((root_of(tmp_path) / "tmp").iterdir()) == []
