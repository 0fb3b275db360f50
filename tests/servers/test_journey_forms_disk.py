"""Form entries on a disk that is full, and in files that are packed and encrypted: by the real program, against a real MariaDB."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from pyrage import x25519
from test_journey_forms import ENVIRONMENT, Move, Site

IDENTITY = x25519.Identity.generate()
PAGE = 4096


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


@pytest.fixture
def full_site(mariadb) -> Site:
    """Three megabytes of entries, which shrink badly."""
    site = Site(mariadb)
    site.say(
        "CREATE TABLE wp_db7_forms (form_id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, form_post_id bigint NOT NULL, form_value longtext NOT NULL,"
        " form_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00') DEFAULT CHARSET=utf8mb4;"
        "INSERT INTO wp_db7_forms SELECT seq, seq % 3, CONCAT(SHA2(seq, 512), SHA2(seq + 1, 512), MD5(seq)), '2026-01-01' FROM seq_1_to_12000"
    )
    return site


def resize(place: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)


def fill_up(place: Path) -> Path:
    """Leave no page free on a file system; the file that takes the room."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(PAGE))
    assert shutil.disk_usage(place).free < PAGE
    return ballast


def assert_stopped_for_room(done: subprocess.CompletedProcess[str], of: str) -> None:
    told = done.stdout + done.stderr
    assert done.returncode == 6, told
    assert "Traceback" not in told
    assert "No space left on device" in told or "full" in told, told
    assert "room" in told, told
    assert of in told, told


@pytest.mark.parametrize("wrapped", ["", ", compress: zstd"], ids=["plain", "packed"])
def test_a_dump_on_a_full_disk_stops_with_its_own_code_and_is_completed_when_there_is_room(
    wrapped, full_site, mariadb, small_disk, tmp_path
) -> None:
    move = Move(tmp_path / "move", full_site.endpoint, f"{{type: files, path: ../disk/dump{wrapped}}}")

    resize(small_disk, "1m")
    stopped = move.does("run")
    there = list((small_disk / "dump").iterdir())
    resize(small_disk, "64m")
    resumed = move.does("run")

    assert_stopped_for_room(stopped, "disk/dump")
    assert [one.name for one in there] == ["_migrator_wp_db7_forms"], "nothing that is not whole has a table's name"
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert move.does("verify").returncode == 0
    target = Site(mariadb)
    back = Move(tmp_path / "back", "{type: files, path: ../disk/dump}", target.endpoint).does("run")
    assert back.returncode == 0, back.stdout + back.stderr
    assert full_site.sums(["wp_db7_forms"]) == target.sums(["wp_db7_forms"])


def test_sheets_on_a_full_disk_stop_with_the_same_code_and_are_whole_or_not_there(
    full_site, mariadb, small_disk, tmp_path
) -> None:
    target = Site(mariadb)
    move = Move(tmp_path / "move", full_site.endpoint, target.endpoint, "sheets: ../disk/sheets")

    stopped = move.does("run")
    left = [one.name for one in (small_disk / "sheets").rglob("*") if one.is_file()]
    resize(small_disk, "64m")
    resumed = move.does("run")

    assert_stopped_for_room(stopped, "sheets")
    assert not [name for name in left if name.endswith(".csv")]
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    made = sorted((small_disk / "sheets").rglob("*.csv"))
    assert (
        sum(one.read_text(encoding="utf-8-sig").count("\r\n") or one.read_text().count("\n") for one in made) == 12003
    )


def test_a_full_disk_under_the_state_stops_a_run_that_goes_on_when_there_is_room(
    full_site, mariadb, small_disk, tmp_path
) -> None:
    target = Site(mariadb)
    move = Move(tmp_path / "move", full_site.endpoint, target.endpoint)
    state = ["--state", str(small_disk / "plan.state.sqlite")]
    command = [sys.executable, "-m", "migrator", "run", "plan.yaml", "--json", *state]
    with subprocess.Popen(
        command, cwd=move.folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        said = []
        for line in run.stdout or ():
            said.append(line)
            if "batch-recorded" in line or "action-began" in line:
                break
        ballast = fill_up(small_disk)
        said += list(run.stdout or ())
    stopped = subprocess.CompletedProcess(command, run.returncode, "".join(said), "")
    ballast.unlink()

    assert_stopped_for_room(stopped, "state")
    resumed = move.does("run", *state)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert move.does("verify", *state).returncode == 0
    assert full_site.sums(["wp_db7_forms"]) == target.sums(["wp_db7_forms"])


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_run_into_encrypted_files_is_resumed_without_an_identity_and_restored_with_one(
    seed, full_site, mariadb, tmp_path
) -> None:
    chance, target = random.Random(seed), Site(mariadb)
    sealed = f"compress: zstd, encrypt: age, recipients: [{IDENTITY.to_public()}]"
    move = Move(tmp_path / "move", full_site.endpoint, f"{{type: files, path: ../dump, {sealed}}}")
    assert move.dies(chance.uniform(0, 0.4)) in {-signal.SIGKILL, 0}

    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert move.does("verify").returncode == 0
    full_site.say("INSERT INTO wp_db7_forms VALUES (70000, 1, 'new', '2026-02-02')")
    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert move.does("verify").returncode == 0
    assert {one.name.partition(".jsonl")[2] for one in (tmp_path / "dump" / "wp_db7_forms").glob("*.jsonl*")} == {
        ".zst.age"
    }

    closed = Move(tmp_path / "closed", "{type: files, path: ../dump}", target.endpoint).does("run")
    assert closed.returncode == 2, closed.stdout + closed.stderr
    assert "is encrypted" in closed.stdout + closed.stderr

    back = Move(tmp_path / "back", "{type: files, path: ../dump, identity: key}", target.endpoint)
    plan = back.folder / "plan.yaml"
    plan.write_text(plan.read_text().replace("secrets: {", "secrets: {key: {file: key.txt}, "))
    (back.folder / "key.txt").write_text(f"# an identity\n{IDENTITY}\n")
    (back.folder / "key.txt").chmod(0o600)
    done = back.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert full_site.sums(["wp_db7_forms"]) == target.sums(["wp_db7_forms"])
    assert back.does("verify").returncode == 0
