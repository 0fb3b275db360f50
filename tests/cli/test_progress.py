"""From events to the line an admin watches, with a clock that only moves when told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrator.cli.nouns import nouns_of
from migrator.cli.progress import Asides, Progress, aside, resumed
from migrator.engine.contract import Action, Fate, Finding, Measure, Size, Subject, Verb, Weight
from migrator.engine.events import (
    ActionBegan,
    ActionEnded,
    BatchRecorded,
    Narrowed,
    Noted,
    StageBegan,
    SubjectFailed,
    SubjectPlanned,
    Verified,
    Waiting,
)
from migrator.engine.ledger import Claim, Ending, Holder, RunRow, Status, Tally

MB = 1024 * 1024
NIGHT = datetime.now(UTC).replace(microsecond=0)
INBOX = Action("alice@example.com/INBOX", Verb.COPY, "INBOX", size=Size(100, 100 * MB), total=Size(100, 100 * MB))
SENT = Action("alice@example.com/Sent", Verb.KEEP, "Sent", size=Size(0, 0), total=Size(50, 50 * MB))
ALICE = Subject("alice@example.com", "alice@example.com")


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def progress(clock):
    made = Progress(clock)
    made.heard(StageBegan("mail", "mail", "old>new"))
    made.heard(SubjectPlanned("mail", ALICE, (INBOX, SENT)))
    made.heard(ActionBegan("mail", ALICE.key, INBOX, 1))
    return made


def recorded(items, size, fate=Fate.COPIED):
    return BatchRecorded("mail", ALICE.key, INBOX, {fate: Size(items, size)})


def test_the_line_tells_share_amounts_rate_time_left_and_who_is_being_moved(progress, clock):
    clock.now += 10
    progress.heard(recorded(25, 25 * MB))

    assert progress.line() == ("25%, 25 of 100 messages, 25 MB of 100 MB, 2.5 MB/s, 30 s left, alice@example.com")


def test_what_was_left_behind_is_told_at_once(progress):
    progress.heard(recorded(1, MB, Fate.LEFT_BEHIND))

    assert progress.line().endswith("1 left behind")


def test_an_action_never_counts_for_more_than_was_planned(progress):
    progress.heard(recorded(150, 150 * MB, Fate.FOUND))

    assert progress.line().startswith("100%, 100 of 100 messages")


def test_an_action_that_ends_counts_as_whole_though_less_was_there(progress):
    progress.heard(recorded(10, 10 * MB))
    progress.heard(ActionEnded("mail", ALICE.key, INBOX, Status.DONE))

    line = progress.line()

    assert line.startswith("100%, 100 of 100 messages")
    assert "alice@example.com" not in line


def test_the_rate_forgets_what_is_long_ago(progress, clock):
    clock.now += 1
    progress.heard(recorded(50, 50 * MB))
    clock.now += 600
    progress.heard(recorded(1, MB))
    clock.now += 10
    progress.heard(recorded(1, MB))

    assert "102 KB/s" in progress.line()


def test_without_sizes_messages_are_counted(clock):
    progress = Progress(clock)
    progress.heard(StageBegan("mail", "mail", "old>new"))
    unsized = replace(INBOX, size=Size(100, None))
    progress.heard(SubjectPlanned("mail", ALICE, (unsized,)))
    clock.now += 10
    progress.heard(BatchRecorded("mail", ALICE.key, unsized, {Fate.COPIED: Size(50, 5)}))

    assert progress.line() == "50%, 50 of 100 messages, 5/s, 10 s left"


def test_where_each_item_takes_the_same_time_items_are_counted_whatever_their_size(clock):
    progress = Progress(clock)
    progress.heard(StageBegan("contacts", "contacts", "old>new", measure=Measure.ITEMS))
    progress.heard(SubjectPlanned("contacts", ALICE, (INBOX,)))
    clock.now += 10
    progress.heard(BatchRecorded("contacts", ALICE.key, INBOX, {Fate.COPIED: Size(25, 90 * MB)}))

    assert progress.line() == "25%, 25 of 100 cards, 2.5/s, 30 s left"


def test_each_step_is_told_of_by_itself(progress, clock):
    progress.heard(recorded(100, 100 * MB, Fate.LEFT_BEHIND))
    progress.heard(ActionEnded("mail", ALICE.key, INBOX, Status.DONE))
    progress.heard(StageBegan("contacts", "contacts", "old>new", measure=Measure.ITEMS))
    progress.heard(SubjectPlanned("contacts", ALICE, (replace(INBOX, size=Size(4, MB)),)))
    clock.now += 10

    assert progress.line() == "0%, 0 of 4 cards, 100 left behind"


def test_only_some_of_many_mailboxes_are_named(progress):
    for number in range(5):
        who = f"user{number}@example.com"
        progress.heard(ActionBegan("mail", who, replace(INBOX, key=f"{who}/INBOX"), 1))

    assert progress.line().endswith("alice@example.com, user0@example.com, user1@example.com +3")


def test_a_verification_tells_what_it_has_compared(progress):
    progress.heard(recorded(100, 100 * MB))
    progress.heard(ActionEnded("mail", ALICE.key, INBOX, Status.DONE))
    progress.heard(StageBegan("mail", "mail", "old>new", verifies=True))
    progress.heard(SubjectPlanned("mail", ALICE, (INBOX, SENT)))
    progress.heard(Verified("mail", ALICE.key, INBOX, 100, 0))

    assert progress.line() == "66%, 100 of 150 messages compared"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (StageBegan("first-pass", "mail", "old>new"), "first-pass: mail, old -> new"),
        (
            SubjectFailed("mail", ALICE, "login-refused", "the old server refused the password.", "Correct it."),
            "alice@example.com: the old server refused the password. Correct it.",
        ),
        (ActionEnded("mail", ALICE.key, INBOX, Status.FAILED, "it is gone.", ""), "INBOX: it is gone."),
        (ActionEnded("mail", ALICE.key, INBOX, Status.DONE), ""),
        (Waiting("mail", "INBOX", 30.0, "the line broke."), "INBOX: the line broke. Trying again in 30 s."),
        (Waiting("mail", "INBOX", 0.5, "the line broke."), ""),
        (Narrowed("old", 1), "old takes fewer connections than planned; going on with 1 connection."),
        (Noted("mail", Finding("x", Weight.NOTE, "INBOX", "a note")), ""),
        (Noted("mail", Finding("x", Weight.DIFFERENCE, "INBOX", "told at the end, with its mailbox")), ""),
        (
            Noted("mail", Finding("x", Weight.WARNING, "INBOX", "1 will not fit.", "Make room.")),
            "INBOX: 1 will not fit. Make room.",
        ),
    ],
)
def test_what_an_admin_should_read_at_once_is_said_and_nothing_else(event, line):
    assert aside(event) == line


def test_a_warning_names_the_list_it_is_about_once():
    warning = Finding("x", Weight.WARNING, "news@example.com: members", "2 were taken off.")

    assert aside(Noted("lists", warning), "news@example.com") == "news@example.com, members: 2 were taken off."


def test_why_many_wait_is_told_once_a_minute_and_not_for_each_of_them():
    now = [0.0]
    asides = Asides(lambda: now[0])
    of_all = [Waiting("mail", f"u{n}@example.com, INBOX", 30.0, "new does not answer.") for n in range(3)]

    assert [asides.of(event) for event in of_all] == [
        "u0@example.com, INBOX: new does not answer. Trying again in 30 s.",
        "",
        "",
    ]
    now[0] = 59.0
    assert not asides.of(of_all[1])
    assert asides.of(Waiting("mail", "INBOX", 30.0, "old is busy.")) == "INBOX: old is busy. Trying again in 30 s."
    now[0] = 60.0
    assert asides.of(of_all[2]) == "u2@example.com, INBOX: new does not answer. Trying again in 30 s."


# -- resuming ----------------------------------------------------------------------------------------------------------

TALLY = Tally(actions=500, actions_done=312, items_arrived=1_204_331, bytes_arrived=9, left_behind=0)
HERE = Holder("mover.example.com", "boot-1/4026", 10, "1")


def claim(holder=HERE, ending=None, words=""):
    earlier = RunRow(7, 7, holder, NIGHT, NIGHT, NIGHT if ending else None, ending, None, words)
    now = RunRow(8, 8, HERE, NIGHT + timedelta(hours=1), NIGHT + timedelta(hours=1))
    return Claim(now, earlier, resumes=True)


def said(of):
    return resumed(of, TALLY, nouns_of(["mail"]), NIGHT + timedelta(hours=1))


def test_a_run_first_says_what_it_resumes_and_what_stopped_it():
    clock = f"{NIGHT.astimezone():%H:%M}"

    assert (
        said(claim(ending=Ending.INTERRUPTED, words="Ctrl-C"))
        == f"Resuming run 7: 312 of 500 folders done, 1,204,331 messages by then, stopped by Ctrl-C {clock}; this is run 8"
    )


@pytest.mark.parametrize(
    ("earlier", "cause"),
    [
        (claim(Holder("mover.example.com", "boot-0/4026", 10, "1")), "power loss or restart"),
        (claim(Holder("other.example.com", "boot-7/4026", 10, "1")), "its end on other.example.com"),
        (claim(ending=Ending.INTERRUPTED, words="Ctrl-C"), "Ctrl-C"),
        (claim(ending=Ending.FAILED, words="an error"), "an error"),
    ],
)
def test_the_cause_of_the_end_is_told_as_far_as_it_can_be_known(earlier, cause):
    assert f"stopped by {cause} " in said(earlier)


@pytest.mark.parametrize("boot", ["boot-1/4026", "boot-1/9999"])
def test_of_a_run_without_an_ending_nobody_knows_how_it_ended(boot):
    """Killed, or its disk was full: it could not record which."""
    told = said(claim(Holder("mover.example.com", boot, 10, "1")))

    assert f", ended {NIGHT.astimezone():%H:%M} without recording how; this is run 8" in told
    assert "stopped by" not in told


def test_a_run_that_was_taken_over_was_not_killed():
    assert said(replace(claim(), taken=True)).endswith(
        ", taken over from process 10 on mover.example.com; this is run 8"
    )


def test_a_run_that_came_to_its_end_was_not_stopped():
    clock = f"{NIGHT.astimezone():%H:%M}"

    assert said(claim(ending=Ending.FAILED)) == (
        "Going on after run 7: 312 of 500 folders done, 1,204,331 messages by then; "
        f"it ended {clock} and had to give something up; this is run 8"
    )


def test_a_first_run_resumes_nothing():
    assert said(Claim(claim().run, None, resumes=False)) is None


def test_a_trouble_of_a_whole_subject_is_not_told_again_for_every_action_it_takes_along():
    asides = Asides()
    lost = ActionEnded("mail", ALICE.key, INBOX, Status.FAILED, "the server has gone.", "Run again.")
    other = replace(lost, text="no room.")
    assert asides.of(SubjectFailed("mail", ALICE, "unreachable", "the server has gone.", "Run again."))
    assert [asides.of(one) for one in (lost, other)] == ["", "INBOX: no room. Run again."]


def test_a_trouble_that_an_action_met_names_its_mailbox_and_is_not_told_again_for_the_whole_of_it():
    asides = Asides()
    full = ActionEnded("mail", ALICE.key, INBOX, Status.FAILED, "the account is full.", "Make room.")
    asides.of(SubjectPlanned("mail", ALICE, (INBOX,)))

    assert asides.of(full) == "alice@example.com, INBOX: the account is full. Make room."
    assert asides.of(SubjectFailed("mail", ALICE, "quota", "the account is full.", "Make room.")) == ""
    assert asides.of(replace(full, action=replace(INBOX, label="Sent"))) == ""


def test_a_warning_names_the_mailbox_of_its_folder():
    asides = Asides()
    asides.of(SubjectPlanned("mail", ALICE, (INBOX,)))
    odd = Finding("x", Weight.WARNING, "INBOX", "2 lack flags.")

    assert asides.of(Noted("mail", odd, ALICE.key)) == "alice@example.com, INBOX: 2 lack flags."
    assert asides.of(Noted("mail", replace(odd, about=ALICE.label), ALICE.key)) == "alice@example.com: 2 lack flags."
