"""From every kind of store to every other, by every kind of connection: what arrived is what left, or is named with a reason."""

from __future__ import annotations

import hashlib
import re
import ssl
from collections import Counter
from pathlib import Path

import pytest
from journey import (
    ODD,
    Box,
    Journey,
    contents,
    count,
    fill_with_odd_ones,
    imap,
    letters,
    secure,
    texts,
    twins,
)
from lab import road
from lab.ground import OTHER_HOST

from migrator.testing.proxy import Proxy


def fill_whole_office(server, user: str) -> int:
    """Ordinary mail, twins, folders within folders, an empty one, a name in another alphabet, and the odd messages."""
    filled = [
        server.fill(user, "INBOX", letters(20)),
        server.fill(user, server.named("Sent"), twins()),
        server.fill(user, server.named("Clientes", "2024", "Presupuestos"), letters(5, first=200)),
        server.fill(user, server.named("Facturaci&APM-n"), letters(3, first=300)),
        server.fill(user, server.named("Vac&AO0-a"), []),
        fill_with_odd_ones(server, user, server.named("Casos raros")),
    ]
    return sum(filled)


def subscribe(server, user: str, *folders: str) -> None:
    """Subscribe to folders as a mail program does."""
    with server.road(user) as connection:
        for folder in folders:
            connection.command(b"SUBSCRIBE " + road.quoted(folder))


def subscribed(server, user: str) -> set[str]:
    """The last parts of the names that LSUB tells."""
    with server.road(user) as connection:
        lines = [answer.text.decode().strip() for answer in connection.command(b'LSUB "" "*"')]
    return {line.rpartition(server.separator)[2].rpartition(" ")[2].strip('"') for line in lines}


def folders_of(server, user: str) -> list[str]:
    """The names of all folders on the wire."""
    with server.road(user) as connection:
        return connection.folders()


# -- every store to every other ----------------------------------------------------------------------------------------


def test_everything_moves_from_dots_below_inbox_to_slashes_without_a_prefix(dovecot_inbox, dovecot_slash, tmp_path):
    source, target = dovecot_inbox.fresh_user(), dovecot_slash.fresh_user()
    filled = fill_whole_office(dovecot_inbox, source)
    subscribe(dovecot_inbox, source, "INBOX", dovecot_inbox.named("Facturaci&APM-n"))
    box = Box.between(dovecot_inbox, source, dovecot_slash, target)
    journey = Journey(tmp_path, imap(dovecot_inbox), imap(dovecot_slash), [box], steps=["mail", "verify"])

    ended = journey.runs()

    assert ended.code == 0, ended
    assert contents(dovecot_slash, target) == contents(dovecot_inbox, source)
    assert ended.moved("copied") == filled
    assert "Vac&AO0-a" in folders_of(dovecot_slash, target)
    assert subscribed(dovecot_slash, target) >= {"INBOX", "Facturaci&APM-n"}
    assert "Vac&AO0-a" not in subscribed(dovecot_slash, target)


def test_what_cyrus_refuses_stays_behind_alone_with_its_words_and_a_cure(dovecot_inbox, cyrus, tmp_path):
    source, target = dovecot_inbox.fresh_user(), cyrus.fresh_user()
    filled = fill_whole_office(dovecot_inbox, source)
    box = Box.between(dovecot_inbox, source, cyrus, target)
    journey = Journey(tmp_path, imap(dovecot_inbox), imap(cyrus), [box], steps=["mail", "verify"])

    ended = journey.does("run")
    again = journey.runs()
    sums = again.result["sums"]
    before, after = contents(dovecot_inbox, source), contents(cyrus, target)

    stayed = {folder: rows - after.get(folder, Counter()) for folder, rows in before.items()}
    left_behind, altered = again.moved("left-behind"), again.moved("altered")

    assert (ended.code, again.code) == (3, 3), ended
    assert re.search(
        r"4 +left behind +the server says: Message contains invalid header\b.* Save it as a file", ended.stdout
    )
    assert re.search(r"3 +altered +the target keeps other bytes than it was sent\b.*save that as a file", ended.stdout)
    assert "it adds up." in ended.stdout
    assert {folder for folder, rows in stayed.items() if rows} == {("Casos raros",)}
    assert count(stayed) == left_behind + altered, "three have 8-bit headers, which Cyrus rewrites"
    assert (left_behind, altered) == (4, 3)
    assert count(after) + left_behind == filled == sums["total"]["items"]
    assert sums["open"] == 0


def test_courier_gives_every_byte_of_a_message_that_it_cuts_for_others(courier, dovecot_slash, tmp_path):
    source, target = courier.fresh_user(), dovecot_slash.fresh_user()
    filled = fill_whole_office(courier, source)
    box = Box.between(courier, source, dovecot_slash, target)
    journey = Journey(tmp_path, imap(courier), imap(dovecot_slash), [box], steps=["mail", "verify"])

    ended = journey.runs()
    before, after = contents(courier, source), contents(dovecot_slash, target)

    assert ended.code == 0, ended
    assert after == before
    assert count(after) == filled
    nested = road.digest((ODD / "nested-parts-200.eml").read_bytes())
    assert nested in texts(after)["Casos raros",]


def test_flags_changed_at_a_source_without_condstore_follow_in_the_next_run(courier, dovecot_slash, tmp_path):
    source, target = courier.fresh_user(), dovecot_slash.fresh_user()
    courier.fill(source, "INBOX", letters(8))
    journey = Journey(
        tmp_path, imap(courier), imap(dovecot_slash), [Box.between(courier, source, dovecot_slash, target)]
    )
    journey.succeeds("run")
    with courier.road(source) as reader:
        reader.command(b"SELECT INBOX")
        reader.command(b"STORE 2:4 +FLAGS.SILENT (\\Flagged \\Answered)")

    again = journey.runs()

    assert again.code == 0, again
    assert contents(dovecot_slash, target) == contents(courier, source)
    assert again.moved("copied") == 8


def test_a_backup_in_a_maildir_comes_back_as_it_was(dovecot_inbox, dovecot_slash, tmp_path):
    source, target = dovecot_inbox.fresh_user(), dovecot_slash.fresh_user()
    fill_whole_office(dovecot_inbox, source)
    out, back = tmp_path / "out", tmp_path / "back"
    out.mkdir()
    back.mkdir()
    vault = {"type": "maildir", "path": str(tmp_path / "vault")}
    saving = Journey(out, imap(dovecot_inbox), vault, [Box(source, source, dovecot_inbox.users[source])])
    bringing = Journey(back, vault, imap(dovecot_slash), [Box(source, target, None, dovecot_slash.users[target])])

    for journey in (saving, bringing):
        journey.succeeds("run")
        journey.succeeds("verify")
    again = saving.runs()

    assert contents(dovecot_slash, target) == contents(dovecot_inbox, source)
    assert again.recorded() == 0


def test_an_mbox_arrives_whole_on_a_server(dovecot_slash, tmp_path):
    target = dovecot_slash.fresh_user()
    told = letters(25)
    archive = tmp_path / "archive" / "alice@example.com" / "INBOX.mbox"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(
        b"".join(
            b"From alice@example.com Tue Jan  2 10:00:00 2024\n" + one.content.replace(b"\r\n", b"\n") + b"\n"
            for one in told
        )
    )
    box = Box("alice@example.com", target, None, dovecot_slash.users[target])
    source = {"type": "mbox", "path": str(tmp_path / "archive")}
    journey = Journey(tmp_path, source, imap(dovecot_slash), [box], steps=["mail", "verify"])

    journey.succeeds("run")
    again = journey.runs()

    assert texts(contents(dovecot_slash, target)) == {("INBOX",): _digests(told)}
    assert (again.code, again.recorded()) == (0, 0)


def _digests(told):
    return {road.digest(one.content): 1 for one in told}


# -- by every kind of connection ---------------------------------------------------------------------------------------

WAYS = {
    "tls": secure,
    "starttls": lambda server: secure(server, security="starttls", port=server.port),
    "starttls-by-address": lambda server: secure(server, security="starttls", port=server.port, host=server.host),
}


@pytest.fixture
def small_box(dovecot_inbox, dovecot_slash):
    """One mailbox of three messages, and where it goes."""
    source, target = dovecot_inbox.fresh_user(), dovecot_slash.fresh_user()
    dovecot_inbox.fill(source, "INBOX", letters(3))
    return Box.between(dovecot_inbox, source, dovecot_slash, target)


@pytest.mark.parametrize("way", WAYS)
def test_mail_moves_over_a_safe_connection(way, small_box, dovecot_inbox, dovecot_slash, tmp_path):
    journey = Journey(tmp_path, WAYS[way](dovecot_inbox), WAYS[way](dovecot_slash), [small_box])

    journey.succeeds("run")

    assert contents(dovecot_slash, small_box.target) == contents(dovecot_inbox, small_box.source)


UNSAFE = {
    "a-name-that-is-not-in-the-certificate": {"host": OTHER_HOST},
    "an-authority-nobody-vouches-for": {"ca_file": None},
    "another-certificate-than-the-pinned-one": {"tls_fingerprint": "00" * 32},
}


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("danger", UNSAFE)
def test_no_password_is_sent_over_a_connection_that_is_not_safe(
    danger, security, small_box, dovecot_inbox, dovecot_slash, tmp_path
):
    port = dovecot_inbox.tls_port if security == "tls" else dovecot_inbox.port
    wanted = {"security": security, "port": port, **UNSAFE[danger]}
    unsafe = {word: value for word, value in secure(dovecot_inbox, **wanted).items() if value is not None}
    journey = Journey(tmp_path, unsafe, imap(dovecot_slash), [small_box])
    log = Path(dovecot_inbox.folder, "dovecot.log")
    said_before = len(log.read_text())

    ended = journey.does("run")

    assert ended.code == 5, ended
    assert "certificate" in ended.stdout
    assert f"Login: user=<{small_box.source}>" not in log.read_text()[said_before:]
    assert "no auth attempts" in log.read_text()[said_before:]
    assert contents(dovecot_slash, small_box.target) == {}
    assert ended.seconds < 10


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_stripped_starttls_is_refused_before_the_password(side, small_box, dovecot_inbox, dovecot_slash, tmp_path):
    server = dovecot_inbox if side == "source" else dovecot_slash
    with Proxy((server.host, server.port), hide={"STARTTLS"}) as proxy:
        stripped = imap(proxy, security="starttls", ca_file=server.ca_file)
        ends = {"source": imap(dovecot_inbox), "target": imap(dovecot_slash), side: stripped}
        journey = Journey(tmp_path, ends["source"], ends["target"], [small_box])

        ended = journey.does("run")

        assert ended.code == 5, ended
        assert "STARTTLS" in ended.stdout
        assert proxy.connections
        assert proxy.commands["LOGIN"] + proxy.commands["AUTHENTICATE"] == 0


def test_a_pinned_certificate_is_enough_whoever_signed_it(small_box, dovecot_inbox, dovecot_slash, tmp_path):
    other = Path(dovecot_inbox.folder, "other.pem").read_text()
    pinned = hashlib.sha256(ssl.PEM_cert_to_DER_cert(other)).hexdigest()
    source = imap(dovecot_inbox, host=OTHER_HOST, port=dovecot_inbox.tls_port, security="tls", tls_fingerprint=pinned)
    journey = Journey(tmp_path, source, imap(dovecot_slash), [small_box])

    journey.succeeds("run")

    assert contents(dovecot_slash, small_box.target) == contents(dovecot_inbox, small_box.source)


@pytest.mark.parametrize(
    "hidden", [("MULTIAPPEND",), ("LITERAL+",), ("MULTIAPPEND", "LITERAL+", "UIDPLUS")], ids=" ".join
)
def test_a_target_that_can_do_less_gets_everything_too(hidden, dovecot_inbox, dovecot_slash, tmp_path):
    source, target = dovecot_inbox.fresh_user(), dovecot_slash.fresh_user()
    fill_whole_office(dovecot_inbox, source)
    with Proxy((dovecot_slash.host, dovecot_slash.port), hide=set(hidden)) as proxy:
        box = Box.between(dovecot_inbox, source, dovecot_slash, target)
        journey = Journey(tmp_path, imap(dovecot_inbox), imap(proxy), [box])

        journey.succeeds("run")
        again = journey.runs()

        assert contents(dovecot_slash, target) == contents(dovecot_inbox, source)
        assert again.recorded() == 0
        waited = [line for line in proxy.said if " APPEND " in line and line.endswith("+}")]
        assert bool(waited) is ("LITERAL+" not in hidden)


def test_a_master_user_opens_every_mailbox_without_its_password(lab, tmp_path):
    server = lab.mail("dovecot-slash", "--master", "admin:the master's own")
    source, target = server.fresh_user(), server.fresh_user()
    server.fill(source, "INBOX", letters(4))
    end = imap(server, master_user="admin", master_password="master")
    journey = Journey(tmp_path, end, end, [Box(source, target)], secrets={"master": "the master's own"})

    ended = journey.succeeds("run")

    assert contents(server, target) == contents(server, source)
    assert "the master's own" not in ended.stdout + ended.stderr
