"""What the passwd-file adapter writes logs in at a real Dovecot that reads the file."""

from __future__ import annotations

import re
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from lab import ground
from lab.road import Road, RoadError
from pydantic import SecretStr

from migrator.panel.adapters import passwd_file
from migrator.panel.model import Domain, Hold, Mailbox, Password
from migrator.testing.panel_suite import PASSWORD, panel

HOME = "d1.example.com"
GB = 1024**3


@pytest.fixture(scope="module")
def house(lab):
    """A passwd-file and the Dovecot that reads it. The file is Dovecot's, and stays so when it is replaced."""
    folder = lab.folder / "passwd-file"
    folder.mkdir(mode=0o755)
    path = folder / "users"
    path.touch(mode=0o600)
    ground.give(path)
    server = lab.start("dovecot-slash", "--passwd-file", str(path), "--quota", "10M")
    with closing(passwd_file.ADAPTER.writer(passwd_file.Options(path=path), panel("panel"))) as writer:
        writer.create(Domain(HOME))
        yield writer, server, path


def logs_in(server, address: str, password: str) -> bool:
    with suppress(RoadError), Road(server.host, server.port, address, password):
        return True
    return False


def soon(server, address: str, password: str) -> bool:
    """Dovecot looks at most once a second whether the file has changed."""
    deadline = time.monotonic() + 15
    while not (there := logs_in(server, address, password)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return there


def test_a_mailbox_made_with_a_password_logs_in_and_has_its_quota(house):
    writer, server, path = house
    writer.create(Mailbox(f"ann@{HOME}", quota=3 * GB), PASSWORD)
    writer.create(Mailbox(f"bob@{HOME}", quota=1_000_000_000), PASSWORD)
    assert Path(path).stat().st_uid == ground.account().pw_uid
    assert PASSWORD.plain
    for address, kilobytes in ((f"ann@{HOME}", 3 * GB // 1024), (f"bob@{HOME}", 976_563)):
        assert soon(server, address, PASSWORD.plain.get_secret_value())
        with Road(server.host, server.port, address, PASSWORD.plain.get_secret_value()) as road:
            said = b"".join(answer.text for answer in road.command(b'GETQUOTAROOT "INBOX"'))
        assert re.search(rb"STORAGE \d+ %d" % kilobytes, said)
    assert not logs_in(server, f"ann@{HOME}", "wrong")


@pytest.mark.parametrize("scheme", ["SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "SSHA512", "BLF-CRYPT"])
def test_a_mailbox_made_with_a_hash_logs_in_with_the_old_password(house, scheme):
    writer, server, _ = house
    made = ground.run([ground.program("doveadm"), "-O", "pw", "-s", scheme, "-p", "old-Passw0rd"]).strip()
    address = f"{scheme.lower()}@{HOME}"
    writer.create(Mailbox(address), Password(hash=SecretStr(made)))
    assert soon(server, address, "old-Passw0rd")
    assert not logs_in(server, address, "another")


def test_a_mailbox_that_may_not_log_in_does_not_until_it_may_again(house):
    writer, server, _ = house
    held = Mailbox(f"held@{HOME}", holds=frozenset({Hold.LOGIN}))
    writer.create(held, PASSWORD)
    writer.create(Mailbox(f"last@{HOME}"), PASSWORD)
    assert PASSWORD.plain
    assert soon(server, f"last@{HOME}", PASSWORD.plain.get_secret_value())
    for attempt in (PASSWORD.plain.get_secret_value(), "", "!"):
        assert not logs_in(server, held.address, attempt)
    (there,) = [one for one in writer.list(Mailbox, HOME) if one.key == held.key]
    writer.change(replace(held, quota=GB, holds=frozenset()), there)
    assert soon(server, held.address, PASSWORD.plain.get_secret_value())


def test_another_password_of_the_same_length_in_the_same_second_is_noticed(house):
    writer, server, _ = house
    writer.create(Mailbox(f"new@{HOME}"), PASSWORD)
    assert PASSWORD.plain
    assert soon(server, f"new@{HOME}", PASSWORD.plain.get_secret_value())
    for number in range(3):
        writer.set_password(f"new@{HOME}", Password(plain=SecretStr(f"Another-{number}")))
        assert soon(server, f"new@{HOME}", f"Another-{number}")
