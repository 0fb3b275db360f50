"""Who holds a plan, told without a database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrator.engine.ledger import Holder, RunRow
from migrator.state.lease import LEASE, held, is_held, process_lives, this_process

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
HERE = Holder(host="here", boot="kernel/1", pid=100, started="5")


def run_of(holder: Holder) -> RunRow:
    return RunRow(number=7, epoch=7, holder=holder, began=NOON - timedelta(hours=1), last_sign=NOON)


def test_this_process_lives():
    assert process_lives(this_process())


def test_a_process_that_has_ended_does_not_live():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    assert not process_lives(replace(this_process(), pid=process.pid))


def test_a_later_process_with_the_same_pid_is_another():
    assert not process_lives(replace(this_process(), started="1"))


def test_where_starts_are_unknown_the_pid_alone_decides():
    assert process_lives(replace(this_process(), started=""))


def test_a_killed_process_whose_parent_has_not_looked_yet_does_not_live():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie from here on

    assert not process_lives(replace(this_process(), pid=process.pid, started=""))
    process.wait()


def test_the_first_process_of_the_machine_lives_though_it_is_not_ours():
    assert process_lives(replace(this_process(), pid=1, started=""))


@pytest.mark.parametrize("lives", [True, False])
@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=1), timedelta(days=-1)])
def test_on_this_boot_only_the_process_decides_and_no_clock(lives, age):
    assert is_held(run_of(HERE), HERE, NOON + age, lambda _: lives) is lives


@pytest.mark.parametrize(("age", "expected"), [(LEASE, True), (LEASE + timedelta(seconds=1), False)])
def test_a_holder_elsewhere_is_believed_for_the_length_of_the_lease(age, expected):
    there = replace(HERE, host="there")

    assert is_held(run_of(there), HERE, NOON + age, lambda _: pytest.fail("its pid means nothing here")) is expected


def test_before_a_restart_nothing_is_held():
    assert not is_held(run_of(replace(HERE, boot="earlier/1")), HERE, NOON, lambda _: True)


def test_the_refusal_names_the_run_its_process_and_the_way_to_stop_it():
    refusal = held(run_of(HERE), HERE)

    assert str(refusal) == (
        "`migrator run` holds this plan: run 7, process 100 on here, since 2026-03-29 11:00:00 UTC."
    )
    assert "`kill 100`" in refusal.remedy


def test_the_refusal_for_another_host_says_when_its_hold_lapses():
    refusal = held(run_of(replace(HERE, host="there")), HERE)

    assert "lapses at 2026-03-29 12:02:00 UTC" in refusal.remedy
    assert "--take-over" in refusal.remedy
    assert "kill" not in refusal.remedy
