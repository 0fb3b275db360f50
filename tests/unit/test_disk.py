"""Names from servers and plans never become paths by themselves."""

from __future__ import annotations

import errno
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, MigratorError, Misbehaved, NoSpace, NotFound, Refused, Unavailable
from migrator.mail.adapters import maildir, mbox
from migrator.wire import disk

HARMFUL = st.sampled_from(
    ["..", ".", "/", "../", "/a" * 2500, "/etc/passwd", "\0", "con", "a" * 250, "~", ".mbox", "\u202e", "\udc80", "é"]
)
NAMES = st.lists(st.one_of(HARMFUL, st.text(max_size=8)), max_size=5).map("".join)


@given(NAMES)
def test_any_account_gets_one_harmless_folder_name(account: str) -> None:
    name = disk.account_folder(account)
    assert not disk.escapes(name)
    assert disk.refusal(name) == ""
    assert not disk.is_device(name)
    assert not name.startswith((".", "-"))
    assert name == name.lower()


@given(st.lists(NAMES, unique=True, max_size=20))
def test_no_two_accounts_share_a_folder(accounts: list[str]) -> None:
    assert len({disk.account_folder(account) for account in accounts}) == len(accounts)


def test_an_ordinary_address_is_its_own_folder_name() -> None:
    assert disk.account_folder("alice.o+lists@example.com") == "alice.o+lists@example.com"


@pytest.mark.parametrize("name", ["INBOX", "Entw&APw-rfe", "a" * 200, "\xe9", "..."])
def test_a_name_on_disk_comes_back_as_it_was(name: str) -> None:
    assert disk.from_disk(disk.to_disk(name)) == name
    assert disk.refusal(name) == ""


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "a\x1b[2J", "\x7f", "\u202eevil", "a" * 201])
def test_a_name_that_means_harm_is_refused_with_words(name: str) -> None:
    assert disk.refusal(name)


@given(st.lists(NAMES, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("adapter", [maildir.ADAPTER, mbox.ADAPTER], ids=["maildir", "mbox"])
def test_whatever_folders_are_called_nothing_appears_outside_the_account(adapter, names: list[str]) -> None:
    with TemporaryDirectory() as place:
        base = Path(place) / "vault"
        options = adapter.options(path=base)
        session = adapter.writer(options, Login("alice@example.com", "alice"))
        refused = session.create(names)
        session.subscribe(names)
        for name in names:
            if name not in refused:
                assert session.open(name).messages == 0
            else:
                assert refused[name]
                with pytest.raises(NotFound):
                    session.open(name)
        session.close()
        assert list(Path(place).iterdir()) == [base]
        assert [entry.name for entry in base.iterdir()] == ["alice@example.com"]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, NoSpace),
        (errno.EDQUOT, NoSpace),
        (errno.ENOENT, NotFound),
        (errno.EACCES, Misbehaved),
        (errno.EROFS, EndpointRefused),
        (errno.ENAMETOOLONG, NotFound),
        (errno.EFBIG, Refused),
        (errno.EMFILE, Unavailable),
        (errno.EIO, Misbehaved),
    ],
)
def test_an_error_of_the_file_system_says_what_was_being_done(number: int, kind: type[MigratorError]) -> None:
    with pytest.raises(kind, match=r"^writing to INBOX: ") as caught, disk.in_our_words("writing to INBOX"):
        raise OSError(number, "as the kernel puts it")
    assert isinstance(caught.value.__cause__, OSError)


def test_a_crash_leaves_the_file_that_was_or_the_one_that_is_to_be(tmp_path: Path) -> None:
    file = tmp_path / "list"
    disk.replace_file(file, b"first")
    disk.replace_file(file, b"second")
    assert file.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [file]
    assert file.stat().st_mode & 0o077 == 0


def test_appending_cuts_what_stood_behind_the_place(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_bytes(b"one\ntorn")
    assert disk.append_to_file(file, b"two\n", 4) == 8
    assert file.read_bytes() == b"one\ntwo\n"


def test_space_is_told_for_a_place_that_is_not_there_yet(tmp_path: Path) -> None:
    left = disk.space_left(tmp_path / "not" / "yet")
    assert left is not None
    assert left > 0
