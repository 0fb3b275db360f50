"""What goes wrong on the way: every trouble ends with a sentence and an exit code, and the next run finishes the journey."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from journey import Box, Journey, contents, count, fill_with_odd_ones, imap, letters, texts, twins
from lab.ground import HOST

from migrator.testing.proxy import CutAppend, CutLiteral, Proxy, Stall

PAGE = 4096
SHORT_PATIENCE = 2  # seconds of silence after which a connection counts as lost


@pytest.fixture
def office(dovecot_inbox, dovecot_slash):
    """One mailbox with several folders, and where it goes."""
    source, target = dovecot_inbox.fresh_user(), dovecot_slash.fresh_user()
    dovecot_inbox.fill(source, "INBOX", letters(25))
    dovecot_inbox.fill(source, dovecot_inbox.named("Sent"), twins())
    for number in range(1, 5):
        folder = dovecot_inbox.named("Clientes", str(2020 + number))
        dovecot_inbox.fill(source, folder, letters(10, first=number * 100, size=20_000))
    fill_with_odd_ones(dovecot_inbox, source, dovecot_inbox.named("Casos raros"))
    return Box.between(dovecot_inbox, source, dovecot_slash, target)


@pytest.fixture
def far_away(dovecot_slash):
    """A proxy before the target that makes a journey long enough to meet it under way."""
    with Proxy((dovecot_slash.host, dovecot_slash.port), delay=0.02) as proxy:
        yield proxy


@pytest.fixture
def journey(office, far_away, dovecot_inbox, tmp_path):
    return Journey(tmp_path, imap(dovecot_inbox), imap(far_away), [office])


@pytest.fixture
def arrived_whole(office, dovecot_inbox, dovecot_slash):
    """Whether the target holds exactly what the source does."""
    return lambda: contents(dovecot_slash, office.target) == contents(dovecot_inbox, office.source)


# -- two at once -------------------------------------------------------------------------------------------------------


def test_a_second_run_on_the_same_plan_leaves_at_once_and_names_the_first(journey, arrived_whole):
    first = journey.begins("run", "--json")
    first.after("run-began")

    first.process.send_signal(signal.SIGSTOP)  # or it might end before the second has begun
    second = journey.does("run")
    first.process.send_signal(signal.SIGCONT)
    ended = first.end()

    assert second.code == 9, second
    assert str(first.process.pid) in second.stderr
    assert ended.code == 0, ended
    assert arrived_whole()


# -- logins and places -------------------------------------------------------------------------------------------------


def test_a_wrong_password_for_one_of_ten_spoils_one_of_ten(dovecot_inbox, dovecot_slash, tmp_path):
    boxes = []
    for number in range(10):
        source, target = dovecot_inbox.fresh_user(), dovecot_slash.fresh_user()
        dovecot_inbox.fill(source, "INBOX", letters(4, first=number * 10))
        boxes.append(Box.between(dovecot_inbox, source, dovecot_slash, target))
    right, unlucky = list(boxes), boxes[6].source
    boxes[6] = Box(unlucky, boxes[6].target, "not the password", boxes[6].target_password)
    journey = Journey(tmp_path, imap(dovecot_inbox), imap(dovecot_slash), boxes, steps=["mail", "verify"])

    ended = journey.does("run")
    attempts = re.findall(rf"auth failed, (\d+) attempts.*user=<{unlucky}>", dovecot_log(dovecot_inbox))
    done = [box for box in boxes if contents(dovecot_slash, box.target) == contents(dovecot_inbox, box.source)]
    journey.write(boxes=right)
    mended = journey.runs()

    assert ended.code == 4, ended
    assert done == [box for box in boxes if box.source != unlucky]
    explained = [line for line in ended.stdout.splitlines() if unlucky in line]
    assert any("refused the login" in line and "run again" in line for line in explained), ended
    assert 1 <= sum(map(int, attempts)) <= 2
    assert mended.code == 0, mended
    assert mended.recorded() == 4
    assert contents(dovecot_slash, right[6].target) == contents(dovecot_inbox, unlucky)


def test_a_wrong_master_password_is_tried_twice_for_ten_and_missing_mailboxes_spoil_themselves_alone(
    lab, dovecot_inbox, tmp_path
):
    ruled = lab.mail("dovecot-slash", "--master", "admin:pw-master")
    boxes = [Box(user := dovecot_inbox.fresh_user(), ruled.fresh_user(), dovecot_inbox.users[user]) for _ in range(10)]
    for box in boxes:
        dovecot_inbox.fill(box.source, "INBOX", letters(2))
    boxes[:3] = [replace(box, target=f"missing{number}@example.com") for number, box in enumerate(boxes[:3])]
    target = imap(ruled, master_user="admin", master_password="master")
    journey = Journey(tmp_path, imap(dovecot_inbox), target, boxes, secrets={"master": "not it"})

    refused = journey.does("run")
    attempts = len(re.findall(r"auth failed, 1 attempts.*user=<admin>", dovecot_log(ruled)))
    journey.write(secrets={"master": "pw-master"})
    ended = journey.does("run")

    assert refused.code == 4, refused
    assert attempts == 2
    spared = [line for line in refused.stdout.splitlines() if "not tried a third time" in line]
    assert len(spared) == 8, refused
    assert ended.code == 4, ended
    assert all(contents(ruled, box.target) == contents(dovecot_inbox, box.source) for box in boxes[3:])


def dovecot_log(server) -> str:
    """All that Dovecot has written down."""
    return Path(server.folder, "dovecot.log").read_text()


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_port_where_nobody_answers_is_told_within_seconds(side, office, dovecot_inbox, dovecot_slash, tmp_path):
    with socket.socket() as taken:
        taken.bind((HOST, 0))  # bound but not listening: it refuses, and nobody else can take it
        port = taken.getsockname()[1]
        ends = {"source": imap(dovecot_inbox), "target": imap(dovecot_slash)}
        ends[side] = {**ends[side], "port": port}
        journey = Journey(tmp_path, ends["source"], ends["target"], [office])

        ended = journey.does("run")

    assert ended.code == 5, ended
    assert f"{HOST}:{port}" in ended.stdout or f"port {port}" in ended.stdout, ended
    assert ended.seconds < 12


# -- no room at the target ---------------------------------------------------------------------------------------------


def test_a_full_mailbox_stops_alone_and_goes_on_once_there_is_room(lab, dovecot_inbox, tmp_path):
    small = lab.mail("dovecot-slash", "--quota", "300K")
    boxes = []
    for size in (0, 0, 60_000):
        source, target = dovecot_inbox.fresh_user(), small.fresh_user()
        dovecot_inbox.fill(source, "INBOX", letters(12, size=size))
        boxes.append(Box.between(dovecot_inbox, source, small, target))
    journey = Journey(tmp_path, imap(dovecot_inbox), imap(small), boxes, steps=["mail", "verify"])

    ended = journey.does("run")
    fitting = [contents(small, box.target) == contents(dovecot_inbox, box.source) for box in boxes]
    raise_quota(small, "300K", "30M")
    mended = journey.runs()

    assert ended.code == 6, ended
    assert fitting == [True, True, False]
    assert "quota" in ended.stdout.lower()
    assert boxes[2].source in ended.stdout
    assert mended.code == 0, mended
    for box in boxes:
        assert contents(small, box.target) == contents(dovecot_inbox, box.source)


def raise_quota(server, before: str, after: str) -> None:
    """Let everybody on a Dovecot have more room, from the next login on."""
    settings = Path(server.folder, "dovecot.conf")
    text = settings.read_text()
    assert f"storage={before}" in text
    settings.write_text(text.replace(f"storage={before}", f"storage={after}"))
    os.kill(next(iter(server.server.processes)), signal.SIGHUP)


# -- asked to stop -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"])
def test_a_signal_stops_at_a_batch_edge_and_says_how_to_go_on(
    number, code, journey, office, dovecot_inbox, arrived_whole
):
    running = journey.begins("run", "--json")
    running.after("batch-recorded", 2)

    stopped = running.signal(number)
    open_batches = intended(journey)
    resumed = journey.runs()

    assert stopped.code == code, stopped
    assert stopped.stderr.splitlines()[-1].endswith("Start again with: migrator run plan.yaml")
    assert open_batches == 0
    assert stopped.recorded() + resumed.recorded() == count(contents(dovecot_inbox, office.source))
    assert resumed.code == 0, resumed
    assert arrived_whole()


def test_a_second_ctrl_c_ends_a_run_that_hangs_and_nothing_is_doubled(journey, far_away, arrived_whole):
    far_away.fail(Stall("APPEND"))
    running = journey.begins("run", "--json")
    running.after("batch-recorded", 1)
    running.process.send_signal(signal.SIGINT)
    running.says("once more to stop now")
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(1)  # the batch in hand waits for a server that says nothing

    stopped = running.signal(signal.SIGINT)
    resumed = journey.runs()

    assert stopped.code == 130, stopped
    assert resumed.code == 0, resumed
    assert arrived_whole()


def intended(journey: Journey, state: Path | None = None) -> int:
    """How many messages the state knows to be under way."""
    return _asked(state or journey.state, "SELECT coalesce(sum(json_array_length(items)), 0) FROM intents")


def recorded(state: Path) -> int:
    """How many messages the state knows to have ended."""
    return _asked(state, "SELECT count(*) FROM items")


def _asked(state: Path, question: str) -> int:
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as opened:
        return opened.execute(question).fetchone()[0]


# -- the state ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.fail(f"A small file system cannot be mounted here: {mounted.stderr.strip()}", pytrace=False)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill_up(place: Path) -> Path:
    """Leave no page free on a file system; the file that takes the room."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(PAGE))
    assert shutil.disk_usage(place).free < PAGE
    return ballast


def test_a_full_disk_under_the_state_stops_the_run_before_the_next_message(
    journey, small_disk, office, far_away, dovecot_slash, arrived_whole
):
    state = small_disk / "plan.state.sqlite"
    journey.words = ["--state", str(state)]
    running = journey.begins("run", "--json")
    running.after("batch-recorded")
    ballast = fill_up(small_disk)

    stopped = running.end()
    on_target = count(contents(dovecot_slash, office.target))
    ballast.unlink()
    known = recorded(state) + intended(journey, state)
    resumed = journey.runs()

    assert stopped.code == 6, stopped
    assert "Traceback" not in stopped.stderr
    assert "room" in stopped.stderr or "space" in stopped.stderr or "full" in stopped.stderr, stopped
    assert 0 < on_target <= known, "nothing is on the target that the state does not know of"
    assert resumed.code == 0, resumed
    assert arrived_whole()


def test_a_disk_that_is_full_before_the_first_run_stops_it_before_any_login(journey, small_disk, far_away):
    journey.words = ["--state", str(small_disk / "plan.state.sqlite")]
    fill_up(small_disk)

    ended = journey.does("run")

    assert ended.code == 6, ended
    assert not far_away.connections


@pytest.mark.parametrize("damage", ["overwritten", "cut", "one-page"])
def test_a_damaged_state_is_named_and_rebuilt_from_both_servers_without_a_double(
    damage, journey, office, arrived_whole
):
    journey.succeeds("run")
    damage_file(journey.state, damage)

    refused = journey.does("run")
    rebuilt = journey.runs("--rebuild-state")

    assert refused.code == 2, refused
    assert str(journey.state.name) in refused.stderr
    assert "--rebuild-state" in refused.stderr
    assert rebuilt.code == 0, rebuilt
    assert rebuilt.moved("copied") == 0
    assert arrived_whole()


def damage_file(path: Path, how: str) -> None:
    whole = path.read_bytes()
    middle = len(whole) // PAGE // 2 * PAGE
    path.write_bytes(
        {
            "overwritten": b"this is no database " * 400,
            "cut": whole[: middle + 100],
            "one-page": whole[:PAGE] + random.Random(1).randbytes(len(whole) - PAGE),
        }[how]
    )


def test_a_state_that_was_deleted_is_learned_anew_and_nothing_is_doubled(journey, office, dovecot_inbox, arrived_whole):
    journey.succeeds("run")
    for path in journey.folder.glob("plan.state.sqlite*"):
        path.unlink()

    again = journey.runs()

    assert again.code == 0, again
    assert again.moved("found", "normalised") == count(contents(dovecot_inbox, office.source))
    assert arrived_whole()


def test_a_database_server_keeps_the_state_as_well(journey, postgresql, arrived_whole, far_away):
    journey.words = ["--state", postgresql.fresh_database()]
    running = journey.begins("run", "--json")
    running.after("batch-recorded", 2)

    killed = running.kill()
    resumed = journey.runs()
    again = journey.runs()
    compared = journey.does("verify")

    assert killed.code == -signal.SIGKILL
    assert resumed.code == 0, resumed
    assert again.recorded() == 0
    assert compared.code == 0, compared
    assert arrived_whole()
    assert not journey.state.exists()


# -- the connection ----------------------------------------------------------------------------------------------------

FAULTS = {
    "cut-in-the-first-fetched-literal": ("source", CutLiteral(at=100)),
    "cut-in-a-later-fetched-literal": ("source", CutLiteral(at=10_000, number=5)),
    "cut-after-the-mail-before-its-answer": ("target", CutAppend()),
    "cut-after-later-mail-before-its-answer": ("target", CutAppend(number=4)),
    "the-source-falls-silent": ("source", Stall("FETCH", number=3)),
    "the-target-falls-silent": ("target", Stall("APPEND", number=2)),
}


@pytest.mark.parametrize("hidden", [frozenset(), frozenset({"UIDPLUS", "MULTIAPPEND"})], ids=["rich", "poor"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_connection_that_breaks_costs_no_message_and_doubles_none(
    fault, hidden, office, dovecot_inbox, dovecot_slash, arrived_whole, tmp_path
):
    with (
        Proxy((dovecot_inbox.host, dovecot_inbox.port)) as at_source,
        Proxy((dovecot_slash.host, dovecot_slash.port), hide=hidden) as at_target,
    ):
        source, target = imap(at_source, timeout=SHORT_PATIENCE), imap(at_target, timeout=SHORT_PATIENCE)
        journey = Journey(tmp_path, source, target, [office])
        side, breaking = FAULTS[fault]
        proxy = at_source if side == "source" else at_target
        proxy.fail(breaking)

        ended = journey.runs()

        assert not proxy.pending(type(breaking)), "it did break"
        assert ended.code == 0, ended
        assert arrived_whole()
        assert ended.result["sums"]["open"] == 0


def test_a_server_that_allows_two_connections_gets_no_more_and_everything_arrives(lab, office, dovecot_inbox, tmp_path):
    narrow = lab.mail("dovecot-slash", "--connections", "2")
    target = narrow.fresh_user()
    box = Box.between(dovecot_inbox, office.source, narrow, target)
    end = imap(narrow, connections=6, connections_per_account=5)
    journey = Journey(tmp_path, imap(dovecot_inbox, connections=6, connections_per_account=5), end, [box])

    ended = journey.runs()

    assert ended.code == 0, ended
    assert texts(contents(narrow, target)) == texts(contents(dovecot_inbox, office.source))
    assert any(event["event"] == "narrowed" for event in ended.events)
