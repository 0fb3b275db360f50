"""The panel contract on a passwd-file of Dovecot, and what people leave in such files. Logins at a real Dovecot are in
tests/servers/test_panel_passwd_file_login.py.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import closing
from dataclasses import replace

import pytest
from pydantic import SecretStr, ValidationError

from migrator.errors import EndpointRefused, Misbehaved, NoSpace, NotFound, Refused, Unavailable
from migrator.panel import files
from migrator.panel.adapters import passwd_file
from migrator.panel.model import Domain, Forwarder, Hold, Mailbox, Password
from migrator.testing.panel_suite import PASSWORD, PanelContract, panel

HASH = "{SHA512-CRYPT}$6$saltsalt$" + "x" * 86
HOME = "d1.example.com"
GB = 1024**3


@pytest.fixture
def path(tmp_path):
    return tmp_path / "passwd"


@pytest.fixture
def options(path):
    return passwd_file.Options(path=path)


@pytest.fixture
def writer(options):
    with closing(passwd_file.ADAPTER.writer(options, panel("panel"))) as session:
        yield session


class TestPasswdFile(PanelContract):
    adapter = passwd_file.ADAPTER
    features = passwd_file.FEATURES

    @pytest.fixture
    def options(self, path):
        return passwd_file.Options(path=path)

    @pytest.fixture
    def wrong_options(self):
        return None


def test_a_line_has_the_scheme_the_folder_and_the_quota_rule(path):
    options = passwd_file.Options(path=path, uid="vmail", gid="mail", home="/var/vmail/{domain}/{user}")
    with closing(passwd_file.ADAPTER.writer(options, panel("panel"))) as writer:
        writer.create(Domain(HOME))
        writer.create(Mailbox(f"Ann@{HOME}", quota=5 * GB, name="Ann"), Password(hash=SecretStr(HASH)))
        writer.create(Mailbox(f"bob@{HOME}", quota=1000), Password(hash=SecretStr(HASH)))
    assert path.read_text() == (
        f"# domain {HOME}\n"
        f"ann@{HOME}:{HASH}:vmail:mail:Ann:/var/vmail/{HOME}/ann::userdb_quota_rule=*:storage=5120M\n"
        f"bob@{HOME}:{HASH}:vmail:mail::/var/vmail/{HOME}/bob::userdb_quota_rule=*:bytes=1000\n"
    )


def test_uid_and_gid_may_be_numbers(path):
    options = passwd_file.Options(path=path, uid=5000, gid=0)
    with closing(passwd_file.ADAPTER.writer(options, panel("panel"))) as writer:
        writer.create(Domain(HOME))
        writer.create(Mailbox(f"ann@{HOME}"), Password(hash=SecretStr(HASH)))
    assert ":5000:0:" in path.read_text()
    with pytest.raises(ValueError, match="greater than or equal"):
        passwd_file.Options(path=path, uid=-1)


def test_hestias_own_line_is_read_and_stays_as_it_is(path, writer):
    line = "john:{BLF-CRYPT}$2y$05$abc:alice:mail::/home/alice:500:userdb_quota_rule=*:storage=500M"
    path.write_text(line)
    options = passwd_file.Options(path=path, domain=HOME)
    with closing(passwd_file.ADAPTER.writer(options, panel("panel"))) as session:
        assert session.list(Mailbox, HOME) == [Mailbox(f"john@{HOME}", quota=500 * 2**20)]
        assert session.password_of(f"john@{HOME}").scheme == "BLF-CRYPT"
        session.create(Mailbox(f"ann@{HOME}"), Password(hash=SecretStr(HASH)))
        assert path.read_text() == f"{line}\nann:{HASH}::::::\n"
        with pytest.raises(Refused):
            session.create(Domain("other.example.com"))


def test_comments_foreign_fields_and_bytes_that_are_no_utf8_stay_when_a_line_changes(path, writer):
    before = (
        b"# by hand\n\nann@d1.example.com:{SHA512-CRYPT}$6$a$b:8:8:Jos\xe9:/home::allow_nets=192.0.2.0/24 "
        b"userdb_quota_rule=*:storage=1G userdb_mail=maildir:~/Maildir\r\nbob@d1.example.com:x\n"
    )
    path.write_bytes(before)
    (ann, _bob) = writer.list(Mailbox, HOME)
    assert ann.quota == GB
    writer.change(replace(ann, quota=None, name="José"), ann)
    assert (
        path.read_bytes()
        == (
            "# by hand\n\nann@d1.example.com:{SHA512-CRYPT}$6$a$b:8:8:José:/home::allow_nets=192.0.2.0/24 "
            "userdb_mail=maildir:~/Maildir\nbob@d1.example.com:x\n"
        ).encode()
    )


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("*:storage=500M", 500 * 2**20),
        ("*:storage=2g", 2 * GB),
        ("*:storage=1024", 2**20),
        ("*:bytes=1000", 1000),
        ("*:storage=0M", None),
        ("", None),
    ],
)
def test_quota_rules_are_read_in_every_unit(path, writer, rule, told):
    path.write_text(f"ann@{HOME}:{HASH}::::::userdb_quota_rule={rule}\n" if rule else f"ann@{HOME}:{HASH}\n")
    assert writer.list(Mailbox, HOME)[0].quota == told


def test_a_quota_rule_that_is_not_understood_is_told(path, writer):
    path.write_text(f"ann@{HOME}:{HASH}::::::userdb_quota_rule=*:storage=80%\n")
    with pytest.raises(Misbehaved, match="80%"):
        writer.list(Mailbox, HOME)


def test_lines_without_a_domain_are_left_out_and_counted(path, writer):
    path.write_text(f"acme:{HASH}\nann@{HOME}:{HASH}\n")
    assert [one.name for one in writer.domains()] == [HOME]
    assert "1 lines name no domain and are left out" in writer.probe().notes


def test_of_two_lines_of_one_name_the_first_counts(path, writer):
    path.write_text(f"ann@{HOME}:{{PLAIN}}one\nAnn@{HOME}:{{PLAIN}}two\n")
    assert writer.password_of(f"ann@{HOME}") == Password(plain=SecretStr("one"))
    writer.set_password(f"ann@{HOME}", Password(hash=SecretStr(HASH)))
    assert path.read_text() == f"ann@{HOME}:{HASH}::::::\nAnn@{HOME}:{{PLAIN}}two\n"


def test_a_domain_in_letters_is_the_domain_in_its_a_label(path, writer):
    path.write_text(f"ann@españa.example:{HASH}\n")
    assert [one.key for one in writer.list(Mailbox, "xn--espaa-rta.example")] == ["ann@xn--espaa-rta.example"]
    with pytest.raises(Refused):
        writer.create(Mailbox("ann@xn--espaa-rta.example"), PASSWORD)


def test_a_colon_or_a_line_end_never_gets_into_a_value(path, writer):
    writer.create(Domain(HOME))
    writer.create(Mailbox(f"ann@{HOME}", name="Ann: the\nfirst\u2028one"), Password(hash=SecretStr(HASH)))
    assert path.read_text().split("\n")[1] == f"ann@{HOME}:{HASH}:::Ann the first\u2028one:::"
    for local in ("a:b", "a b", "a\nb", "#a", "../a", "a/b"):
        with pytest.raises(Refused):
            writer.create(Mailbox(f"{local}@{HOME}"), PASSWORD)
    with pytest.raises(Refused):
        writer.create(Mailbox(f"bob@{HOME}"), Password(hash=SecretStr("{SHA512-CRYPT}$6$a:b$c")))
    with pytest.raises(ValidationError):
        passwd_file.Options(path=path, home="/var/vmail:x")


@pytest.mark.parametrize("line", [f"ann@{HOME}:!$6$a$b", f"ann@{HOME}:{HASH}::::::nologin=y", f"ann@{HOME}:"])
def test_a_mailbox_that_may_not_log_in_is_told(path, writer, line):
    path.write_text(line + "\n")
    assert writer.list(Mailbox, HOME)[0].holds == {Hold.LOGIN, Hold.SEND}


def test_a_hold_is_put_and_taken_back_and_the_hash_is_the_same(path, writer):
    writer.create(Domain(HOME))
    writer.create(Mailbox(f"ann@{HOME}", holds=frozenset({Hold.LOGIN})), Password(hash=SecretStr(HASH)))
    (there,) = writer.list(Mailbox, HOME)
    assert there.holds == {Hold.LOGIN, Hold.SEND}
    writer.change(replace(there, holds=frozenset()), there)
    assert writer.password_of(f"ann@{HOME}") == Password(hash=SecretStr(HASH))


def test_a_new_file_is_for_its_owner_alone_and_an_old_one_keeps_its_mode(path, writer):
    writer.create(Domain(HOME))
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    writer.create(Mailbox(f"ann@{HOME}"), PASSWORD)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(path, writer, tmp_path):
    (tmp_path / "real").write_text("")
    path.symlink_to(tmp_path / "real")
    writer.create(Domain(HOME))
    assert path.is_symlink()
    assert (tmp_path / "real").read_text() == f"# domain {HOME}\n"


def test_whoever_reads_sees_the_old_file_or_the_new_one(path, writer):
    writer.create(Domain(HOME))
    with path.open() as old:
        writer.create(Mailbox(f"ann@{HOME}"), PASSWORD)
        assert old.read() == f"# domain {HOME}\n"
    assert sorted(one.name for one in path.parent.iterdir()) == ["passwd", "passwd.lock"]


def test_a_file_somebody_else_changes_is_busy(path, writer):
    writer.create(Domain(HOME))
    with (path.parent / "passwd.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Unavailable):
            writer.create(Mailbox(f"ann@{HOME}"), PASSWORD)
    writer.create(Mailbox(f"ann@{HOME}"), PASSWORD)


def test_a_full_disk_leaves_the_old_file(monkeypatch, path, writer):
    writer.create(Domain(HOME))

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoSpace) as raised:
        writer.create(Mailbox(f"ann@{HOME}"), PASSWORD)
    assert "Make room" in raised.value.remedy
    assert path.read_text() == f"# domain {HOME}\n"
    assert not list(path.parent.glob(".passwd.*"))


def test_a_reader_makes_nothing(path, options):
    reader = passwd_file.ADAPTER.reader(options, panel("panel"))
    assert reader.probe().notes == ("the file is not there yet",)
    assert list(reader.domains()) == []
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_and_so_is_a_folder_in_the_files_place(tmp_path):
    with pytest.raises(EndpointRefused):
        passwd_file.ADAPTER.reader(passwd_file.Options(path=tmp_path / "nowhere/passwd"), panel("panel"))
    with pytest.raises(EndpointRefused):
        passwd_file.ADAPTER.reader(passwd_file.Options(path=tmp_path), panel("panel")).probe()


def test_what_a_passwd_file_cannot_hold_is_refused(writer):
    with pytest.raises(Refused):
        writer.create(Forwarder(f"info@{HOME}", ()))
    with pytest.raises(NotFound):
        writer.create(Mailbox("ann@elsewhere.example.com"), PASSWORD)


@pytest.mark.parametrize("home", ["/var/{name}", "/var/{", "/var/{0}"])
def test_a_folder_pattern_nobody_can_fill_is_told(path, home):
    with pytest.raises(ValidationError, match="home"):
        passwd_file.Options(path=path, home=home)


def test_no_text_of_the_module_shows_a_hash(path, writer):
    path.write_text(f"ann@{HOME}:{{SHA512-CRYPT}}$6$salt$tooshort\n")
    with pytest.raises(Misbehaved) as told:
        writer.verify_password(f"ann@{HOME}", SecretStr("x"))
    assert "tooshort" not in told.value.sentence()
    assert files.LOCK == ".lock"
