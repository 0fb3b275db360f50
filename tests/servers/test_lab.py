"""The lab itself: what the other tests of this floor believe about the servers is true."""

from __future__ import annotations

import imaplib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from lab import ground
from lab import mailman3 as mailman3_lab
from lab import mariadb as mariadb_lab
from lab.road import Letter, Road, RoadError, digest, read_date, wire_date

from migrator.testing.proxy import Proxy

COMMAND = Path(__file__).resolve().parents[2] / "scripts" / "servers"
MAIL = b"From: alice@example.com\r\nSubject: lab\r\n\r\nHello.\r\n"
EVERY_SERVER = pytest.mark.parametrize("name", ["dovecot_inbox", "dovecot_slash", "cyrus", "courier"])


@pytest.fixture
def server(request, name):
    return request.getfixturevalue(name)


@EVERY_SERVER
@pytest.mark.parametrize("way", ["clear", "starttls", "tls"])
def test_a_user_logs_in_over_clear_text_starttls_and_tls(server, way):
    trust = ssl.create_default_context(cafile=server.ca_file)
    if way == "tls":
        client = imaplib.IMAP4_SSL("localhost", server.tls_port, ssl_context=trust, timeout=10)
    else:
        client = imaplib.IMAP4("localhost", server.port, timeout=10)
    with client:
        if way == "starttls":
            client.starttls(trust)
        assert client.login("alice@example.com", server.users["alice@example.com"])[0] == "OK"


@EVERY_SERVER
def test_a_client_that_does_not_know_the_labs_authority_is_warned(server):
    with pytest.raises(ssl.SSLCertVerificationError):
        imaplib.IMAP4_SSL("localhost", server.tls_port, ssl_context=ssl.create_default_context(), timeout=10)


def test_dovecots_other_address_shows_a_certificate_for_another_name(dovecot_inbox):
    trust = ssl.create_default_context(cafile=dovecot_inbox.ca_file)
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        imaplib.IMAP4_SSL(ground.OTHER_HOST, dovecot_inbox.tls_port, ssl_context=trust, timeout=10)


@EVERY_SERVER
def test_a_wrong_password_is_refused(server):
    with pytest.raises(RoadError):
        Road(server.host, server.port, "alice@example.com", "wrong")


def test_a_refused_login_does_not_delay_the_next_one(dovecot_inbox):
    for _ in range(3):
        with pytest.raises(RoadError):
            Road(dovecot_inbox.host, dovecot_inbox.port, "alice@example.com", "wrong")
    began = time.monotonic()
    dovecot_inbox.contents("alice@example.com")
    assert time.monotonic() - began < 2


@EVERY_SERVER
def test_the_namespace_is_as_told(server):
    with server.road(server.fresh_user()) as road:
        answer = road.command(b"NAMESPACE")[0].text.decode()
    assert answer.startswith(f'* NAMESPACE (("{server.prefix}" "{server.separator}"))')


@EVERY_SERVER
def test_fresh_users_have_empty_mailboxes_of_their_own(server):
    first, second = server.fresh_user(), server.fresh_user()
    server.fill(first, "INBOX", [MAIL])
    assert server.contents(first)["INBOX"].total() == 1
    assert server.contents(second) == {"INBOX": Counter()}


@EVERY_SERVER
def test_what_is_filled_in_is_found_with_flags_and_date_and_twins(server):
    user, folder = server.fresh_user(), server.named("Clientes", "2024")
    date = datetime(2019, 3, 31, 2, 30, tzinfo=timezone(timedelta(hours=2)))
    letter = Letter(MAIL, ("\\Seen", "$Forwarded"), date)
    assert server.fill(user, folder, [letter, letter, MAIL]) == 3
    found = server.contents(user)[folder]
    assert found[digest(MAIL), frozenset({"\\Seen", "$Forwarded"}), date.astimezone(UTC)] == 2
    assert found.total() == 3


@EVERY_SERVER
def test_looking_changes_nothing(server):
    user = server.fresh_user()
    server.fill(user, "INBOX", [MAIL])
    assert server.contents(user) == server.contents(user)
    ((_, flags, _),) = server.contents(user)["INBOX"]
    assert flags == frozenset()


def test_dovecot_takes_odd_bytes_and_the_digest_sees_through_what_it_does_to_them(dovecot_inbox):
    user = dovecot_inbox.fresh_user()
    odd = [
        b"Subject: bare\n\nlines\n",
        b"Subject: nul\r\n\r\na\0b\r\n",
        b"no header at all",
        b"Subject: \xe1\r\n\r\n\xff\r\n",
    ]
    dovecot_inbox.fill(user, "INBOX", odd)
    assert {found.digest for found in dovecot_inbox.contents(user)["INBOX"]} == {digest(message) for message in odd}


@pytest.mark.parametrize(
    "message", [b"Subject: bare\n\nlines\n", b"Subject: nul\r\n\r\na\0b\r\n", b"not a header\r\n\r\nx\r\n"]
)
def test_cyrus_refuses_what_is_not_clean(cyrus, message):
    with pytest.raises(RoadError, match=r"Message contains"):
        cyrus.fill(cyrus.fresh_user(), "INBOX", [message])


def test_courier_lacks_what_the_other_servers_have(courier):
    with courier.road(courier.fresh_user()) as road:
        offered = road.command(b"CAPABILITY")[0].text.split()
    assert b"UIDPLUS" in offered
    assert not {b"MULTIAPPEND", b"LITERAL+", b"CONDSTORE"} & set(offered)


def test_dovecot_writes_down_what_a_watched_user_says(dovecot_slash):
    user, other = dovecot_slash.fresh_user(), dovecot_slash.fresh_user()
    dovecot_slash.watch(user)
    dovecot_slash.fill(user, "INBOX", [MAIL])
    dovecot_slash.fill(other, "INBOX", [MAIL])
    assert b"APPEND" in dovecot_slash.said(user)
    assert dovecot_slash.said(other) == b""


def test_dovecot_plays_poorer_fuller_and_narrower_when_asked(lab):
    tight = lab.mail(
        "dovecot-slash", "--quota", "20K", "--largest", "8K", "--connections", "1", "--capability", "IMAP4rev1 QUOTA",
        "--master", "admin:pw-master", "--auto-folders",
    )  # fmt: skip
    user = tight.fresh_user()
    with tight.road(user) as road:
        assert road.command(b"CAPABILITY")[0].text == b"* CAPABILITY IMAP4rev1 QUOTA\r\n"
        assert set(road.folders()) == {"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"}
        with pytest.raises(RoadError, match=r"\[LIMIT\]"):
            road.append("INBOX", Letter(MAIL + b"x" * 9000))
        road.append("INBOX", Letter(MAIL + b"x" * 7000))
        road.append("INBOX", Letter(MAIL + b"x" * 7000))
        with pytest.raises(RoadError, match=r"\[OVERQUOTA\]"):
            road.append("INBOX", Letter(MAIL + b"x" * 7000))
        with pytest.raises(RoadError, match="Maximum number of connections"):
            tight.road(user)
    with Road(tight.host, tight.port, f"{tight.fresh_user()}*admin", "pw-master") as road:
        assert "INBOX" in road.folders()


def test_a_proxy_shows_that_looking_writes_nothing_and_hides_what_it_should(dovecot_inbox):
    user = dovecot_inbox.fresh_user()
    dovecot_inbox.fill(user, "INBOX", [MAIL])
    with Proxy((dovecot_inbox.host, dovecot_inbox.port), hide={"UIDPLUS"}) as proxy:
        with Road(proxy.host, proxy.port, user, dovecot_inbox.users[user]) as road:
            assert b"UIDPLUS" not in road.command(b"CAPABILITY")[0].text.split()
            assert len(list(road.messages("INBOX"))) == 1
            assert proxy.writes == 0
            road.append("INBOX", Letter(MAIL))
        assert proxy.writes == 1


def test_fresh_databases_are_empty_and_apart(postgresql):
    first, second = (url.replace("+psycopg", "") for url in (postgresql.fresh_database(), postgresql.fresh_database()))
    with psycopg.connect(first) as connection:
        connection.execute("create table seen (word text)")
    with psycopg.connect(second) as connection:
        assert connection.execute("select to_regclass('seen')").fetchone() == (None,)
    assert os.environ["MIGRATOR_TEST_POSTGRESQL"] == postgresql.url


def _servers(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, COMMAND, *words], capture_output=True, text=True, timeout=180)


def test_two_dovecots_start_within_three_seconds_and_stop_without_a_trace(lab):
    folder = lab.folder / "life"
    began = time.monotonic()
    assert (
        _servers(
            "start", "dovecot-inbox", "dovecot-slash", "--folder", folder, "--user", "dora@example.com:a:b"
        ).returncode
        == 0
    )
    assert time.monotonic() - began < 3
    running = ground.recorded(folder)
    with Road(running["dovecot-inbox"].host, running["dovecot-inbox"].port, "dora@example.com", "a:b") as road:
        assert road.folders() == ["INBOX"]
    assert _servers("status", "--folder", folder).returncode == 0
    again = _servers("start", "dovecot-slash", "--folder", folder)
    assert (again.returncode, "runs already" in again.stderr) == (1, True)
    assert _servers("stop", "--folder", folder).returncode == 0
    assert not any(server.running for server in running.values())
    assert not ground.record(folder).exists()
    assert _servers("status", "--folder", folder).returncode == 1


@pytest.mark.parametrize(
    "name",
    [
        "dovecot-slash",
        "cyrus",
        "courier",
        "postgresql",
        "mariadb",
        "modoboa",
        "radicale",
        "xandikos",
        "mailman3",
        "phpmyadmin",
    ],
)
def test_a_server_starts_again_in_the_same_folder(lab, name):
    folder = lab.folder / f"again-{name}"
    for _ in range(2):
        started = _servers("start", name, "--folder", folder)
        assert (started.returncode, started.stderr) == (0, "")
        assert ground.recorded(folder)[name].running
        assert _servers("stop", "--folder", folder).returncode == 0


def test_a_mariadb_whose_making_was_broken_off_is_made_anew_and_keeps_to_its_own_folder(lab):
    folder = lab.folder / "half"
    data = folder / "mariadb" / "data"
    data.mkdir(parents=True)
    (data / "ibdata1").write_bytes(b"half")
    (data.parent / mariadb_lab.HALF_MADE).touch()
    started = _servers("start", "mariadb", "--folder", folder)
    assert (started.returncode, started.stderr) == (0, "")
    server = ground.recorded(folder)["mariadb"]
    try:
        users, place = mariadb_lab.say(
            server, "SELECT COUNT(*) FROM mysql.user WHERE user = 'migrator'; SELECT @@tmpdir"
        ).split()
        assert (users, place) == ("2", str(data.parent / "tmp"))
        assert not (data.parent / mariadb_lab.HALF_MADE).exists()
    finally:
        assert _servers("stop", "--folder", folder).returncode == 0


def test_a_mailman_that_is_let_writes_to_people_and_that_is_counted(lab):
    """What tests of the lists' adapter count to be nothing is something: the welcome, and a warning that delivery is stopped."""
    talkative = lab.mailman3()
    talkative.ask("POST", "domains", mail_host="example.com")
    talkative.ask("POST", "lists", fqdn_listname="news@example.com")
    agreed = dict.fromkeys(("pre_verified", "pre_confirmed", "pre_approved", "send_welcome_message"), "true")
    status, _ = talkative.ask("POST", "members", list_id="news.example.com", subscriber="dora@example.com", **agreed)
    assert (status, len(talkative.mail())) == (201, 1)
    _, member = talkative.ask("GET", "lists/news.example.com/member/dora@example.com")
    talkative.ask("PATCH", f"members/{member['member_id']}/preferences", delivery_status="by_bounces")
    deadline = time.monotonic() + 60
    while len(mailman3_lab.handed_over(talkative.server)) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    welcome, warning = mailman3_lab.handed_over(talkative.server)
    assert (welcome.recipients, "Welcome" in welcome.subject) == (["dora@example.com"], True)
    assert (warning.recipients, "disabled" in warning.subject) == (["dora@example.com"], True)


def test_stopping_takes_the_runners_of_a_mailman_whose_master_was_killed(lab):
    folder = lab.folder / "headless"
    assert _servers("start", "mailman3", "--folder", folder).returncode == 0
    (running,) = ground.recorded(folder).values()
    master, *others = running.processes
    assert len(others) > 10
    os.kill(master, signal.SIGKILL)
    assert any(ground.started_at(pid) for pid in others)
    assert _servers("stop", "--folder", folder).returncode == 0
    assert not any(ground.started_at(pid) == began for pid, began in running.processes.items())
    assert not ground.record(folder).exists()


def test_two_emulated_mailmans_start_with_and_without_lists_and_end_with_the_lab(lab):
    folder = lab.folder / "old-lists"
    assert _servers("start", "mailman2", "mailman2-empty", "--folder", folder).returncode == 0
    running = ground.recorded(folder)
    shown = {}
    for name, server in running.items():
        trust = ssl.create_default_context(cafile=server.ca_file)
        with urllib.request.urlopen(f"{server.url}/admin", context=trust, timeout=10) as page:
            shown[name] = b"/mailman/admin/announce" in page.read()
    assert shown == {"mailman2": True, "mailman2-empty": False}
    assert running["mailman2"].users["announce@example.com"] == "list-secret"
    assert _servers("stop", "--folder", folder).returncode == 0
    assert not any(server.running for server in running.values())


def test_stopping_leaves_a_process_alone_that_only_inherited_the_number(lab):
    folder = lab.folder / "inherited"
    folder.mkdir()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        row = {"name": "cyrus", "kind": "cyrus", "port": 1, "folder": str(folder), "processes": {stranger.pid: 1}}
        ground.record(folder).write_text(json.dumps({"cyrus": row}))
        assert _servers("stop", "--folder", folder).returncode == 0
        assert stranger.poll() is None
        stranger.send_signal(signal.SIGTERM)


def test_the_record_is_for_its_owner_alone(lab, dovecot_inbox):
    assert {path.stat().st_mode & 0o777 for path in lab.folder.glob("*/servers.json")} == {0o600}


def test_a_server_that_is_not_known_is_refused_with_the_list_of_those_that_are():
    answer = _servers("install", "exchange")
    assert answer.returncode == 2
    told = set(answer.stderr.partition("is not one of")[2].replace(",", " ").split())
    assert {"dovecot", "cyrus", "courier", "postgresql", "isync", "mailman3", "phpmyadmin", "lighttpd"} <= told


@pytest.mark.parametrize("shown", [" 1-Feb-2020 03:04:05 +0100", "01-Feb-2020 02:04:05 +0000"])
def test_dates_are_read_as_each_server_writes_them(shown):
    assert read_date(shown) == datetime(2020, 2, 1, 2, 4, 5, tzinfo=UTC)
    assert read_date(wire_date(read_date(shown))) == read_date(shown)
