"""The report of a store filled by hand: its sums, its reasons, its pages."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from migrator.cli.exits import Exit
from migrator.cli.nouns import nouns_of
from migrator.cli.report import guarded, report_document, spreadsheet, write
from migrator.cli.report_page import page
from migrator.cli.report_words import LANGUAGES
from migrator.cli.status import run_sentence, waiting
from migrator.cli.summary import (
    compared,
    differed,
    difference_lines,
    findings,
    given_up,
    gone,
    left_behind,
    part_rows,
    remarks,
    subject_sums,
    sums_by_route,
    sums_sentence,
)
from migrator.engine.contract import Fate, Finding, Outcome, Size, Verb, Weight
from migrator.engine.departed import as_fact
from migrator.engine.ledger import ActionRow, Ending, Status, SubjectTrouble
from migrator.engine.report import VANISHED, Line, Part, Reason, Report, Sums, report, top_reasons
from migrator.errors import PlanError
from migrator.mail.options import MailOptions
from migrator.plan.model import Route, StepEntry, VerifyEntry
from migrator.state.store import open_store, this_process

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=7)


class Filled:
    """A store in memory and short words to fill it."""

    def __init__(self):
        self.store = open_store("sqlite://")
        self.claim = self.store.claim(this_process(), NOON, "digest", "0.1.0")
        self.epoch = self.claim.run.epoch

    def folder(self, who, name, total, fates=(), step="mail", status=Status.DONE, position=0, verb=Verb.COPY, why=""):
        key = f"mail/old>new/{who}/{name}"
        size = Size(total, total * 100)
        row = ActionRow(
            ledger_key=key,
            step=step,
            subject=who,
            subject_label=who,
            key=f"{who}/{name}",
            verb=verb,
            label=name,
            why=why,
            size=size,
            total=size,
            status=status,
            run=self.epoch,
            position=position,
        )
        self.store.planned(self.epoch, [row])
        if fates:
            self.store.record(self.epoch, key, list(fates))
        return key

    def after(self):
        """The same store in the next run."""
        self.store.end_run(self.epoch, NOON, Ending.DONE, 0, "")
        self.epoch = self.store.claim(this_process(), LATER, "digest", "0.1.0").run.epoch
        return self

    def seen(self):
        return report(self.store, LATER)


@pytest.fixture
def filled():
    made = Filled()
    yield made
    made.store.close()


def copied(*keys):
    return [Outcome(str(key), Fate.COPIED, ref=str(key), size=100) for key in keys]


def left(key, note, cure=""):
    return Outcome(str(key), Fate.LEFT_BEHIND, size=100, note=note, cure=cure)


def test_the_fates_of_a_folder_add_up_to_what_the_source_holds(filled):
    filled.folder("alice@example.com", "INBOX", 4, [*copied(1, 2, 3), left(4, "too large")])

    line = next(filled.seen().lines)

    assert (line.sums.total.items, line.sums.recorded, line.sums.open) == (4, 4, 0)
    assert line.sums.adds_up


def test_messages_without_a_fate_are_open_and_nothing_adds_up(filled):
    filled.folder("alice@example.com", "INBOX", 5, copied(1, 2), status=Status.RUNNING)

    seen = filled.seen()

    assert (seen.sums.open, seen.sums.adds_up, seen.finished) == (3, False, False)


def test_what_the_source_lost_after_it_was_moved_still_adds_up_and_is_told(filled):
    key = filled.folder("alice@example.com", "INBOX", 2, copied(1, 2, 3))
    filled.store.remember(filled.epoch, key, {"departed": as_fact({Fate.COPIED: Size(1, 100)})})

    sums = filled.seen().sums

    assert sums.adds_up
    assert sums.departed == 1
    assert sums.by_fate == {Fate.COPIED: Size(2, 200)}


def test_no_reason_is_told_of_more_than_the_source_still_has(filled):
    three = [left(number, "too large") for number in (1, 2, 3)]
    key = filled.folder("alice@example.com", "INBOX", 2, [*three, left(4, "odd")])
    filled.store.remember(filled.epoch, key, {"departed": as_fact({Fate.LEFT_BEHIND: Size(2, 200)})})

    [line] = filled.seen().lines

    assert {reason.note: reason.items for reason in line.reasons} == {"too large": 2, "odd": 1}
    filled.store.remember(filled.epoch, key, {"departed": as_fact({Fate.LEFT_BEHIND: Size(4, 400)})})
    [line] = filled.seen().lines
    assert line.reasons == ()


def test_a_state_that_knows_only_how_many_have_departed_adds_up_as_well(filled):
    key = filled.folder("alice@example.com", "INBOX", 2, copied(1, 2, 3))
    filled.store.remember(filled.epoch, key, {"departed": "1"})

    assert filled.seen().sums.adds_up


def test_more_records_than_messages_do_not_add_up(filled):
    filled.folder("alice@example.com", "INBOX", 2, copied(1, 2, 3))

    assert not filled.seen().sums.adds_up


def test_a_delta_pass_and_the_first_pass_of_one_folder_are_one_line(filled):
    filled.folder("alice@example.com", "INBOX", 2, copied(1, 2), step="first-pass")
    filled.folder("alice@example.com", "INBOX", 3, copied(3), step="delta")

    (line,) = filled.seen().lines

    assert set(line.steps) == {"first-pass", "delta"}
    assert line.sums.items(Fate.COPIED) == 3


def test_the_sums_of_a_mailbox_are_those_of_its_folders(filled):
    filled.folder("alice@example.com", "INBOX", 2, copied(1, 2))
    filled.folder("alice@example.com", "Sent", 1, copied(1), position=1)
    filled.folder("bob@example.com", "INBOX", 1, copied(1), position=2)

    seen = filled.seen()

    assert [(part.label, part.sums.total) for part in seen.parts] == [
        ("alice@example.com", Size(3, 300)),
        ("bob@example.com", Size(1, 100)),
    ]
    assert seen.sums.total == Size(4, 400)


def test_one_folder_of_unknown_size_makes_the_sum_unknown():
    sums = Sums.of([Sums(Size(2, 200)), Sums(Size(1, None))])

    assert sums.total == Size(3, None)


def test_an_empty_folder_of_unknown_size_does_not():
    assert Sums.of([Sums(Size(2, 200)), Sums(Size())]).total == Size(2, 200)


def test_a_mailbox_that_could_not_be_planned_is_in_the_report_with_its_cure(filled):
    filled.folder("alice@example.com", "INBOX", 1, copied(1))
    trouble = SubjectTrouble(
        "mail",
        "bob@example.com",
        "bob@example.com",
        "login-refused",
        "the server refused the password.",
        "Correct it.",
        1,
    )
    filled.store.trouble(filled.epoch, trouble)

    seen = filled.seen()
    bob = seen.parts[-1]

    assert (bob.label, bob.kind, bob.route, bob.troubles) == ("bob@example.com", "mail", "old>new", (trouble,))
    assert not seen.finished


def test_what_could_not_be_looked_at_is_not_said_to_add_up(filled):
    filled.store.trouble(
        filled.epoch, SubjectTrouble("mail", "bob", "bob@example.com", "unreachable", "no answer.", "", 1)
    )

    seen = filled.seen()

    assert sums_by_route(seen) == ["mail: 1 mailbox could not be looked at, so what is in there is not counted."]
    assert "class=ok>adds up" not in page(seen, "x", "en")


def test_the_commonest_reason_is_told_first_and_counted_over_all_folders(filled):
    filled.folder(
        "alice@example.com", "INBOX", 2, [left(1, "larger than 50 MB", "Raise the limit."), left(2, "a virus")]
    )
    filled.folder("bob@example.com", "INBOX", 1, [left(1, "larger than 50 MB", "Raise the limit.")], position=1)

    assert left_behind(filled.seen()) == [
        "Left behind or altered:",
        "  2  left behind  larger than 50 MB. Raise the limit.",
        "  1  left behind  a virus",
    ]


def test_what_is_to_be_said_of_copied_items_is_told_with_its_count(filled):
    note = "flags the target does not keep: $Label1"
    told = [Outcome(str(number), Fate.COPIED, size=100, note=note) for number in range(2)]
    filled.folder("alice@example.com", "INBOX", 3, [*told, Outcome("x", Fate.COPIED, size=100)])
    filled.folder("bob@example.com", "INBOX", 1, [replace(told[0], note=note.replace("1", "2"))], position=1)

    assert remarks(filled.seen()) == [
        "Copied, with a remark:",
        "  2  copied  flags the target does not keep: $Label1",
        "  1  copied  flags the target does not keep: $Label2",
    ]


def test_a_reason_that_many_share_is_told_once_and_names_some_of_them(filled):
    note, cure = "the server wants it otherwise", "Ask its admin."
    refused = [replace(left(f"{number:03}", note, cure), about=f"Ann {number:03}") for number in range(300)]
    large = replace(left("x", "too large"), about="Zoë: 5 MB")
    twice = Outcome("y", Fate.NORMALISED, size=100, note="is there twice", about="Eva")
    filled.folder("alice@example.com", "INBOX", 302, [*refused, large, twice])
    seen = filled.seen()

    assert left_behind(seen) == [
        "Left behind or altered:",
        "  300  left behind  the server wants it otherwise (Ann 000; Ann 001; Ann 002; and 297 more). Ask its admin.",
        "    1  left behind  too large (Zoë: 5 MB)",
    ]
    html = page(seen, "x", "es")
    note, cure = (f'<span lang="en">{words}</span>' for words in ("the server wants it otherwise", "Ask its admin."))
    assert f"<td>{note} (Ann 000; Ann 001; Ann 002; y 297 más)<td>{cure}" in html
    assert f"; Ann 099; y 200 más). {cure}" in html
    assert "Ann 100" not in html
    (row,) = csv.DictReader(io.StringIO(spreadsheet(seen)))
    assert (
        "; Ann 099; and 200 more); 1 left-behind: too large (Zoë: 5 MB); 1 normalised: is there twice (Eva)"
        in row["why"]
    )
    (line,) = report_document(seen)["parts"][0]["lines"]
    assert {item["about"] for item in line["items"]} == {*(one.about for one in refused), "Zoë: 5 MB", "Eva"}


def test_findings_of_a_verification_stand_beside_their_folder(filled):
    key = filled.folder("alice@example.com", "INBOX", 1, copied(1))
    missing = Finding("missing", Weight.DIFFERENCE, "INBOX", "1 message is missing.", "Run again.")
    filled.store.found(filled.epoch, "mail", key, "verify", [missing])

    seen = filled.seen()

    assert next(seen.lines).findings == (missing,)
    assert seen.differences == 1


def differing(filled, *, times=1, code=Exit.DIFFERENCES):
    """A folder of which everything was recorded, and a verification that found it different."""
    key = filled.folder("bob@example.com", "INBOX", 1, copied(1))
    filled.folder("carmen@example.com", "INBOX", 1, copied(1), position=1)
    filled.store.end_run(filled.epoch, NOON, Ending.DONE, 0, "")
    verifying = filled.store.claim(this_process(), LATER, "digest", "0.1.0", "verify").run.epoch
    missing = [
        Finding(f"missing-{n}", Weight.DIFFERENCE, "INBOX", f"message {n} is missing.", "Ask bob.")
        for n in range(times)
    ]
    filled.store.found(verifying, "mail", key, "verify", missing)
    filled.store.remember(verifying, key, {"verified": str(verifying)})
    filled.store.end_run(verifying, LATER, Ending.DONE, code, "")
    return filled.seen()


def test_a_mailbox_with_a_difference_is_not_finished_though_its_sums_add_up(filled):
    seen = differing(filled)

    assert [(part.label, part.finished, part.differences) for part in seen.parts] == [
        ("bob@example.com", False, 1),
        ("carmen@example.com", True, 0),
    ]
    assert seen.sums.adds_up
    assert not seen.finished


def test_a_mailbox_that_could_not_be_compared_is_not_finished(filled):
    filled.folder("bob@example.com", "INBOX", 1, copied(1))
    silent = Finding("not-compared", Weight.DIFFERENCE, "bob@example.com", "could not be compared: no answer.")
    filled.store.found(filled.epoch, "mail", "mail/old>new/bob@example.com", "verify", [silent])

    (bob,) = filled.seen().parts

    assert bob.findings == (silent,)
    assert not bob.finished
    assert findings(filled.seen(), Weight.DIFFERENCE) == [
        "  difference: bob@example.com: could not be compared: no answer."
    ]


def test_a_difference_is_told_with_its_mailbox_and_folder(filled):
    assert findings(differing(filled), Weight.DIFFERENCE) == [
        "  difference: bob@example.com, INBOX: message 0 is missing. Ask bob."
    ]


def trouble(step, epoch):
    return SubjectTrouble(step, "bob@example.com", "bob@example.com", "login-refused", "refused", "Mend it.", epoch)


def test_a_report_knows_the_steps_of_which_the_newest_run_has_recorded_something(filled):
    filled.folder("alice@example.com", "INBOX", 1, step="first")
    filled.after().folder("alice@example.com", "INBOX", 1, step="delta")
    filled.store.trouble(filled.epoch, trouble("contacts", filled.epoch))

    assert filled.seen().begun == {"delta", "contacts"}
    assert filled.after().seen().begun == set()


def planned(name, kind="mail", target="new"):
    return StepEntry(name, kind, kind, Route("old", target), MailOptions(), stop_on_error=False, position=0)


STEPS = (
    planned("accounts", "accounts"),
    planned("first-pass"),
    VerifyEntry("verify", {}),
    planned("contacts", "contacts", "vault"),
    planned("delta"),
    VerifyEntry("proof", {}),
)
AFTER_THE_FIRST_PASS = ["contacts, old -> vault", "delta: mail, old -> new", "proof: verify"]


def test_steps_behind_those_that_a_run_has_begun_are_waiting(filled):
    filled.folder("alice@example.com", "INBOX", 1, step="first-pass")

    assert [turn.words for turn in waiting(STEPS, filled.seen())] == ["verify", *AFTER_THE_FIRST_PASS]


def test_a_step_that_had_nothing_to_do_is_not_waiting_once_a_later_one_has_begun(filled):
    filled.folder("alice@example.com", "INBOX", 1, step="delta")

    assert [turn.words for turn in waiting(STEPS, filled.seen())] == ["proof: verify"]


def test_a_verification_that_has_compared_something_is_not_waiting(filled):
    key = filled.folder("alice@example.com", "INBOX", 1, step="first-pass")
    filled.store.remember(filled.epoch, key, {"verified": str(filled.epoch)})

    assert [turn.words for turn in waiting(STEPS, filled.seen())] == AFTER_THE_FIRST_PASS


def test_a_run_that_has_recorded_nothing_yet_has_all_steps_before_it(filled):
    filled.folder("alice@example.com", "INBOX", 1, step="delta")

    assert len(waiting(STEPS, filled.after().seen())) == len(STEPS)


def on_two_routes(**told):
    """The same subject, moved to two places."""
    return Report(
        NOON,
        Sums(),
        tuple(Part("forms", f"old>{to}", "database", "database", Sums(), **told) for to in ("new", "vault")),
        (),
        (),
    )


def test_a_difference_on_one_of_several_routes_says_on_which():
    missing = Finding("missing", Weight.DIFFERENCE, "wp_x", "1 row is missing.", "Run again.")

    assert findings(on_two_routes(findings=(missing,)), Weight.DIFFERENCE) == [
        "  difference: forms, old -> new: database: 1 row is missing. Run again.",
        "  difference: forms, old -> vault: database: 1 row is missing. Run again.",
    ]


def test_the_page_says_on_which_of_several_routes_a_thing_was_moved():
    html = page(on_two_routes(), "x", "es")

    assert "<summary>base de datos (old -&gt; new) " in html
    assert "<summary>base de datos (old -&gt; vault) " in html
    assert "<summary>carmen@example.com " in page(
        Report(NOON, Sums(), (Part("mail", "old>new", "c", "carmen@example.com", Sums()),), (), ()), "x", "es"
    )


def test_the_page_says_of_which_room_a_part_is_where_several_saw_to_one_subject():
    html = page(report_about("mail", "contacts"), "x", "en")

    assert "<summary>ann@example.com (mail) " in html
    assert "<summary>ann@example.com (contacts) " in html
    assert "<li>ann@example.com (contacts): " in html
    assert "<summary>ann@example.com <" in page(report_about("contacts"), "x", "en")


def test_the_report_says_which_of_several_steps_of_one_room_saw_to_a_thing():
    part = of_room("contacts")
    lines = tuple(replace(part.lines[0], label=name, steps=(name.lower(),)) for name in ("Friends", "Work"))
    seen = Report(NOON, part.sums, (replace(part, lines=lines),), (), ())
    html = page(seen, "x", "en")

    assert "<td>Friends <span class=soft>(friends)</span><td>" in html
    assert "<td>Work <span class=soft>(work)</span><td>" in html
    assert "class=soft>(contacts)" not in page(report_about("contacts"), "x", "en")
    assert [row["step"] for row in csv.DictReader(io.StringIO(spreadsheet(seen)))] == [
        "contacts: friends",
        "contacts: work",
    ]


def test_what_was_given_up_on_several_routes_says_on_which_and_is_not_told_twice():
    refused = SubjectTrouble(
        "forms", "database", "database", "endpoint-refused", "the password is wrong.", "Mend it.", 1
    )
    seen = on_two_routes(troubles=(refused,))
    not_compared = Finding("not-compared", Weight.DIFFERENCE, "database", f"could not be compared: {refused.text}")

    assert given_up(seen) == [
        "Given up:",
        "  forms, old -> new: database: the password is wrong. Mend it.",
        "  forms, old -> vault: database: the password is wrong. Mend it.",
    ]
    assert given_up(on_two_routes(troubles=(refused,), findings=(not_compared,))) == []


def test_a_folder_that_was_given_up_is_told_with_its_mailbox():
    part = of_room("mail")
    failed = replace(part.lines[0], label="Odd -> Other", status=Status.FAILED, why="list: the source has no list.")
    seen = Report(NOON, part.sums, (replace(part, lines=(failed,)),), (), ())

    assert given_up(seen) == ["Given up:", f"  {part.label}, Odd -> Other: list: the source has no list."]


def test_what_was_given_up_before_anything_was_planned_is_told_with_its_route(filled):
    trouble = SubjectTrouble("first-pass", "x", "bob@example.com", "unreachable", "no answer.", "", 1)
    for route in ("old>new", "old>vault"):
        filled.store.trouble(filled.epoch, replace(trouble, step=route, ledger_key=f"mail/{route}/x"))

    seen = filled.seen()

    assert [(part.kind, part.route) for part in seen.parts] == [("mail", "old>new"), ("mail", "old>vault")]
    assert given_up(seen)[1:] == [
        "  mail, old -> new: bob@example.com: no answer.",
        "  mail, old -> vault: bob@example.com: no answer.",
    ]
    assert [line for line in part_rows(seen) if not line.startswith(" ")] == ["mail, old -> new", "mail, old -> vault"]


def test_each_room_and_route_has_one_heading_and_one_sum_in_whatever_order_its_parts_come():
    mail, contacts = of_room("mail"), of_room("contacts")
    refused = SubjectTrouble("mail", "bob", "bob@example.com", "login-refused", "no.", "", 1)
    parts = (mail, contacts, replace(mail, subject="bob", label="bob", lines=(), sums=Sums(), troubles=(refused,)))

    seen = Report(NOON, Sums.of(part.sums for part in parts), parts, (), ())

    assert [line for line in part_rows(seen) if not line.startswith(" ")] == [
        "mail, old -> new",
        "contacts, old -> new",
    ]
    assert [line.partition(":")[0] for line in sums_by_route(seen)] == [
        "mail, old -> new",
        "contacts, old -> new",
        "in all",
    ]


def test_what_the_plan_names_no_more_counts_in_no_sum_and_is_named_with_what_is_on_record(filled):
    key = filled.folder("alice@example.com", "INBOX", 3, [*copied(1, 2), left(3, "too large")])
    filled.folder("bob@example.com", "INBOX", 1, copied(1), position=1)
    filled.store.remember(filled.epoch, key.removesuffix("/INBOX"), {"unnamed": "yes"})

    seen = filled.seen()

    assert sums_by_route(seen) == ["mail, old -> new: 1 message at the source: 1 copied; it adds up."]
    assert subject_sums(seen)[:-1] == ["bob@example.com: 1 message at the source: 1 copied; it adds up."]
    assert left_behind(seen) == []
    assert gone(seen)[1:] == ["  alice@example.com (3 messages on record)"]
    assert "<b>1</b>Mailbox</div>\n<div><b>1</b>Message at the source" in page(seen, "x", "en")


def test_what_the_plan_names_no_more_and_of_which_nothing_is_on_record_is_not_told(filled):
    key = filled.folder("alice@example.com", "INBOX", 3, status=Status.FAILED, why="no answer")
    filled.folder("bob@example.com", "INBOX", 1, copied(1), position=1)
    filled.store.remember(filled.epoch, key.removesuffix("/INBOX"), {"unnamed": "yes"})

    seen = filled.seen()

    assert [part.label for part in seen.parts] == ["bob@example.com"]
    assert "alice" not in page(seen, "x", "en") + spreadsheet(seen, "en")


@pytest.fixture
def refused(filled):
    """One mailbox moved and compared, and one whose password was wrong for both."""
    key = filled.folder("alice@example.com", "INBOX", 2, copied(1, 2))
    filled.store.remember(filled.epoch, key, {"verified": str(filled.epoch)})
    bob = "mail/old>new/bob@example.com"
    words = "the server refused the login."
    said = SubjectTrouble(
        "mail", "bob@example.com", "bob@example.com", "x", f"bob@example.com: {words}", "Mend it.", 1, bob
    )
    filled.store.trouble(filled.epoch, said)
    found = Finding("not-compared", Weight.DIFFERENCE, "bob@example.com", f"could not be compared: {words}", "Mend it.")
    filled.store.found(filled.epoch, "mail", bob, "verify", [found])
    filled.store.end_run(filled.epoch, LATER, Ending.FAILED, Exit.LOGIN, "")
    return filled


def test_what_could_not_be_compared_is_no_difference_between_the_sides(refused):
    seen = refused.seen()

    assert compared(seen, refused.epoch, 1, nouns_of(["mail"])) == [
        "1 folder with 2 messages compared: 0 differences. Could not be compared: 1 mailbox."
    ]
    assert sums_by_route(seen) == [
        (
            "mail, old -> new: 2 messages at the source: 2 copied; it adds up. "
            "1 mailbox could not be looked at, so what is in there is not counted."
        )
    ]
    assert given_up(seen) == []
    assert part_rows(seen)[2].endswith("0 of 0 messages  given up")
    verification = replace(seen.runs[-1], purpose="verify", ending=Ending.DONE)
    seen = replace(seen, runs=(verification,))
    told = run_sentence(verification, works=False, differences=differed(seen, verification))
    assert told.endswith(": ended with 4 (a login was refused).")
    assert findings(seen, Weight.DIFFERENCE) == [
        "  difference: bob@example.com: could not be compared: the server refused the login. Mend it."
    ]


@pytest.mark.parametrize(
    ("language", "words", "without"),
    [
        (
            "en",
            "nothing differs</span>. <b class=bad>1 mailbox could not be looked at",
            ["difference found", "1 difference"],
        ),
        (
            "es",
            "no hay diferencias</span>. <b class=bad>1 buzón no se pudo mirar",
            ["diferencia hallada", "1 diferencia"],
        ),
    ],
)
def test_the_page_tells_once_who_could_not_be_looked_at(refused, language, words, without):
    html = page(refused.seen(), "x", language)

    assert words in html
    assert [word for word in without if word in html] == []
    assert html.count("refused the login") == 2  # in the list of what needs a look, and beside the mailbox
    assert "<li>bob@example.com" not in html
    assert spreadsheet(refused.seen(), language).count("refused the login") == 1


def test_sums_that_a_comparison_contradicts_add_up_by_our_records_only(filled):
    assert sums_by_route(differing(filled)) == [
        "mail, old -> new: 2 messages at the source: 2 copied; it adds up by our records; 1 difference found by comparing."
    ]


def test_a_verification_that_found_differences_is_not_all_done(filled):
    seen = differing(filled, times=2)
    newest = seen.runs[-1]

    told = run_sentence(newest, works=False, differences=differed(seen, newest))

    assert told.endswith(": 2 differences found.")
    assert differed(seen, seen.runs[0]) is None


def test_an_older_verification_that_found_differences_is_not_all_done_either(filled):
    differing(filled)
    filled.store.claim(this_process(), LATER, "digest", "0.1.0")
    seen = filled.seen()

    told = run_sentence(seen.runs[1], works=False, differences=differed(seen, seen.runs[1]))

    assert told.endswith(": ended with differences, or with something not moved.")


def test_a_verification_that_met_something_graver_as_well_still_tells_its_differences(filled):
    seen = differing(filled, times=2, code=Exit.LOGIN)
    newest = seen.runs[-1]

    assert run_sentence(newest, works=False, differences=differed(seen, newest)).endswith(": 2 differences found.")
    spanish = page(seen, "x", "es")
    assert "Verificación: <b class=bad>2 diferencias halladas</b>" in spanish
    assert "Verificación: terminada" not in spanish


def test_a_verification_that_could_not_look_at_everything_is_not_told_as_done_on_the_page(filled):
    filled.folder("bob@example.com", "INBOX", 1, copied(1))
    filled.store.end_run(filled.epoch, NOON, Ending.DONE, 0, "")
    verifying = filled.store.claim(this_process(), LATER, "digest", "0.1.0", "verify").run.epoch
    filled.store.end_run(verifying, LATER, Ending.DONE, Exit.UNREACHABLE, "")

    assert "Verificación: no terminada: no se pudo llegar a un servidor" in page(filled.seen(), "x", "es")
    assert "Verification: not done: an endpoint cannot be reached" in page(filled.seen(), "x", "en")


@pytest.mark.parametrize(
    ("found", "heading"), [(1, "Differences found by verifying:"), (0, "Differences that an earlier")]
)
def test_a_run_that_found_differences_itself_does_not_call_them_an_earlier_ones(filled, found, heading):
    nobody_was_compared = max(run.epoch for run in differing(filled).runs) + 1

    assert difference_lines(filled.seen(), nobody_was_compared, found)[0].startswith(heading)


def test_a_database_without_a_name_is_called_so_in_the_language_and_an_account_by_its_name(filled):
    part = Part("forms", "old>new", "database", "database", Sums(Size(2, 2), {Fate.COPIED: Size(2, 2)}))
    seen = replace(filled.seen(), parts=(part, replace(part, kind="mail")))

    html = page(seen, "x", "es")

    assert "<summary>base de datos (formularios)" in html
    assert "<summary>database (correo)" in html


def test_what_a_run_compared_is_counted_at_its_end(filled):
    seen = differing(filled)

    assert compared(seen, seen.runs[-1].epoch, 1, nouns_of(["mail"])) == [
        "1 folder with 1 message compared: 1 difference."
    ]
    assert compared(seen, seen.runs[0].epoch, 0, nouns_of(["mail"])) == []


@pytest.mark.parametrize(
    ("departed", "words"),
    [(1, "1 seen earlier that is"), (2, "2 seen earlier that are")],
)
def test_what_has_left_the_source_since_is_told_beside_the_sums(departed, words):
    sums = Sums(Size(4, 400), {Fate.COPIED: Size(4, 400)}, departed)

    assert sums_sentence(sums, nouns_of(["mail"])).endswith(f"; it adds up, plus {words} not among them any more.")


def test_an_action_that_only_makes_folders_is_not_counted_as_one(filled):
    row_key = "mail/old>new/alice@example.com#folders"
    filled.store.planned(
        filled.epoch,
        [
            ActionRow(
                row_key,
                "mail",
                "alice@example.com",
                "alice@example.com",
                "alice@example.com#folders",
                Verb.CREATE,
                "folders",
                "",
                Size(),
                Size(),
                Status.DONE,
                filled.epoch,
            )
        ],
    )

    assert [line.prepares for line in filled.seen().lines] == [True]


def test_the_sums_in_words_name_every_fate_that_occurs():
    sums = Sums(Size(6, 600), {Fate.COPIED: Size(4, 400), Fate.FOUND: Size(1, 100), Fate.LEFT_BEHIND: Size(1, 100)})

    assert sums_sentence(sums, nouns_of(["mail"])) == (
        "6 messages at the source: 4 copied, 1 found there, 1 left behind; it adds up."
    )


# -- pages -----------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title><script>1</script>",
    "<style>*{display:none}",
    "{{ 7*7 }}",
    "javascript:alert(1)",
    "\u202etxt.exe",
    "\x1b[2J\x9b31m",
]


def hostile_report(filled):
    for number, name in enumerate(HOSTILE):
        key = filled.folder(
            f"{name}@example.com", name, 2, [*copied(1), left(name, name, name)], position=number, why=name
        )
        filled.store.found(filled.epoch, "mail", key, "run", [Finding("odd", Weight.WARNING, name, name, name)])
    filled.store.trouble(filled.epoch, SubjectTrouble("mail", "x", HOSTILE[0], "error", HOSTILE[1], HOSTILE[2], 1))
    return filled.seen()


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_no_name_or_reason_can_put_a_tag_into_the_page(filled, language):
    quiet = page(report(filled.store, LATER), "", language)
    allowed = {tag for tag, _ in parsed(quiet)} | {
        "li",
        "ul",
        "details",
        "summary",
        "span",
        "b",
        "td",
        "tr",
        "svg",
        "path",
    }

    tags = parsed(page(hostile_report(filled), HOSTILE[3], language))

    assert {tag for tag, _ in tags} <= allowed
    assert not [attrs for _, attrs in tags if any(name.startswith("on") or name in {"src", "href"} for name in attrs)]


def parsed(html):
    tags = Tags()
    tags.feed(html)
    return tags.tags


def test_no_name_can_turn_the_reading_order_or_move_a_cursor_in_the_page(filled):
    html = page(hostile_report(filled), "x", "en")

    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f-\x9f]", html)


def test_the_page_forbids_scripts_and_asks_nothing_of_the_network(filled):
    html = page(filled.seen(), "x", "en")

    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert "http:" not in html
    assert "https:" not in html
    assert "<script" not in html


def test_both_languages_have_the_same_words():
    assert LANGUAGES["en"].keys() == LANGUAGES["es"].keys()


def large_report(*, open_everywhere):
    """500 mailboxes with 20 folders each; one folder in two hundred left something behind."""
    parts = []
    for box in range(500):
        who = f"employee.number{box}@department.example.com"
        lines = [large_line(who, number, open_everywhere, behind=(box % 10 == number == 0)) for number in range(20)]
        parts.append(Part("mail", "old>new", who, who, Sums.of(line.sums for line in lines), tuple(lines)))
    return Report(NOON, Sums.of(part.sums for part in parts), tuple(parts), (), ())


def large_line(who, number, open_everywhere, *, behind):
    name = f"Projects/Customer {number}/2024"
    arrived = 12_000 if open_everywhere else 12_345 - behind
    fates = {Fate.COPIED: Size(arrived, 10**9)} | ({Fate.LEFT_BEHIND: Size(1, 10**8)} if behind else {})
    reasons = (
        (Reason(Fate.LEFT_BEHIND, "larger than the target takes (50 MB)", "Raise its limit.", 1),) if behind else ()
    )
    return Line(
        ledger_key=f"mail/old>new/{who}/{name}",
        steps=("mail",),
        label=name,
        verb=Verb.COPY,
        status=Status.RUNNING if open_everywhere else Status.DONE,
        why="",
        cure="",
        sums=Sums(Size(12_345, 10**9), fates),
        reasons=reasons,
    )


def test_the_page_of_five_hundred_mailboxes_with_twenty_folders_lists_them_all_below_one_mebibyte():
    html = page(large_report(open_everywhere=False), "example-com", "en")

    assert len(html.encode()) < 1024 * 1024
    assert html.count("<td>Projects/Customer 7/2024") == 500


def test_a_page_that_would_be_too_heavy_tells_less_of_single_folders():
    html = page(large_report(open_everywhere=True), "example-com", "en")

    assert len(html.encode()) < 1024 * 1024
    assert html.count("see the CSV and JSON files.") == 500


def test_the_page_tells_reason_and_cure_of_what_was_left_behind(filled):
    filled.folder("alice@example.com", "INBOX", 2, [*copied(1), left("77", "larger than 50 MB", "Raise the limit.")])

    html = page(filled.seen(), "x", "en")

    assert "<td>larger than 50 MB<td>Raise the limit." in html
    assert "77 (100 bytes)" in html


def test_the_page_names_mailbox_and_folder_of_a_difference_and_opens_the_mailbox(filled):
    html = page(differing(filled), "x", "en")

    assert "<td>bob@example.com<td>INBOX<td>message 0 is missing.<td>Ask bob." in html
    assert re.search("<details open>\n<summary>bob@example.com", html)
    assert re.search("<details>\n<summary>carmen@example.com", html)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["adds up by our records, <b class=bad>1 difference found by comparing</b>", "1 difference found</b>"]),
        ("es", ["cuadra según nuestros registros, <b class=bad>1 diferencia hallada al comparar</b>"]),
    ],
)
def test_the_page_does_not_look_green_while_a_difference_is_open(filled, language, words):
    html = page(differing(filled), "x", language)
    summary = html.partition("<h2>")[2].partition("<h2>")[0]

    assert [word for word in words if word not in html] == []
    assert "class=ok" not in summary
    assert "<path class=a" not in summary
    assert LANGUAGES[language]["nothing"] not in html


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [
        ("en", ("1</b>Mailbox<", "1</b>Copied<"), "2</b>Messages "),
        ("es", ("1</b>Buzón<", "1</b>Omitido<"), "2</b>Mensajes "),
    ],
)
def test_one_is_told_as_one_in_both_languages(filled, language, one, many):
    skipped = Outcome("2", Fate.SKIPPED, size=100, note="too large")
    filled.folder("alice@example.com", "INBOX", 2, [*copied(1), skipped])

    html = page(filled.seen(), "x", language)

    assert [words for words in (*one, many) if words not in html] == []


def test_a_share_is_written_in_the_pages_language(filled):
    filled.folder("alice@example.com", "INBOX", 2000, copied(*range(1999)))

    assert 'aria-label="100.0 %"' in page(filled.seen(), "x", "en")
    assert 'aria-label="100,0 %"' in page(filled.seen(), "x", "es")


def test_none_copied_is_a_nought_in_the_table(filled):
    filled.folder("alice@example.com", "INBOX", 0)

    assert "<tr><td>INBOX<td>0<td>0<td>0<td>" in page(filled.seen(), "x", "en")


def test_the_page_says_that_a_verification_found_nothing(filled):
    key = filled.folder("alice@example.com", "INBOX", 1, copied(1))
    filled.store.end_run(filled.epoch, NOON, Ending.DONE, 0, "")
    verifying = filled.store.claim(this_process(), LATER, "digest", "0.1.0", "verify")
    filled.store.remember(verifying.run.epoch, key, {"verified": str(verifying.run.epoch)})
    filled.store.end_run(verifying.run.epoch, LATER, Ending.DONE, 0, "")

    assert "nothing differs" in page(filled.seen(), "x", "en")


def nothing_special(html):
    """What a page folds away under "nothing special", and all the rest of it."""
    folded = re.compile("<details><summary>[^<]*(?:nothing special|nada especial).*?</details>", re.DOTALL)
    return "".join(folded.findall(html)), folded.sub("", html)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("fate", [Fate.COPIED, Fate.FOUND, Fate.SKIPPED, Fate.GONE])
def test_what_is_noted_of_an_entry_is_never_among_what_has_nothing_special(filled, language, fate):
    filled.folder(
        "alice@example.com", "members", 2, [*copied(1), Outcome("2", fate, size=100, note="Zoë is there twice")]
    )
    filled.folder("alice@example.com", "owners", 1, copied(1), position=1)

    folded, open_page = nothing_special(page(filled.seen(), "x", language))

    assert "Zoë is there twice" in open_page
    assert "members" not in folded
    assert "<td>owners<td>1<td>1<td>0<td>" in folded
    assert LANGUAGES[language]["nothing"] not in open_page


@pytest.mark.parametrize(
    ("language", "words"), [("en", VANISHED), ("es", "ya no está en el origen, o el plan ya no lo pide")]
)
def test_what_the_source_has_no_longer_is_told_openly(filled, language, words):
    filled.folder("alice@example.com", "INBOX", 1, copied(1))
    filled.folder("alice@example.com", "Old", 2, copied(1, 2), position=1)
    filled.after().folder("alice@example.com", "INBOX", 1)

    folded, open_page = nothing_special(page(filled.seen(), "x", language))

    assert f"<p>{words}" in open_page
    assert "Old" not in folded
    assert LANGUAGES[language]["nothing"] not in open_page


def test_a_folder_that_lost_messages_at_the_source_is_not_among_those_with_nothing_special(filled):
    key = filled.folder("alice@example.com", "INBOX", 2, copied(1, 2, 3))
    filled.store.remember(filled.epoch, key, {"departed": as_fact({Fate.COPIED: Size(1, 100)})})

    folded, open_page = nothing_special(page(filled.seen(), "x", "en"))

    assert folded == ""
    assert "done; <span class=ok>adds up</span>, plus 1 seen earlier" in open_page


@pytest.mark.parametrize(
    ("language", "words"), [("en", "not named by the plan any more"), ("es", "ya no figura en el plan")]
)
def test_a_mailbox_that_the_plan_names_no_longer_is_told_as_that(filled, language, words):
    key = filled.folder("alice@example.com", "INBOX", 1, copied(1))
    filled.folder("bob@example.com", "INBOX", 1, copied(1), position=1)
    filled.store.remember(filled.epoch, key.removesuffix("/INBOX"), {"unnamed": "yes"})

    html = page(filled.seen(), "x", language)

    assert re.search(f"<li>alice@example.com: .*{words}", html)
    assert html.count(words) == 2  # in the list of what needs a look, and beside the mailbox
    rows = list(csv.DictReader(io.StringIO(spreadsheet(filled.seen(), language))))
    assert [words in "".join(row.values()) for row in rows] == [True, False]


def test_the_reason_why_nothing_was_done_stands_beside_the_folder(filled):
    filled.folder("alice@example.com", "Clientes", 0, status=Status.KEPT, verb=Verb.KEEP, why="nothing new")

    folded, _ = nothing_special(page(filled.seen(), "x", "es"))

    assert "<tr><td>Clientes<td>0<td>0<td>0<td>nada nuevo" in folded


@pytest.mark.parametrize(
    ("kind", "language", "words"),
    [
        ("mail", "en", "Of these, on the target"),
        ("mail", "es", "De ellos, en el destino"),
        ("contacts", "es", "De ellas, en el destino"),
    ],
)
def test_what_arrived_of_the_source_is_not_told_as_all_that_the_target_holds(kind, language, words):
    html = page(report_about(kind), "x", language)

    assert re.search(rf"<b>2</b>[^<]*</div>\n<div><b>1</b>{words}</div>", html)


def test_the_document_is_json_with_the_same_sums(filled):
    filled.folder("alice@example.com", "INBOX", 2, copied(1, 2))

    told = json.loads(json.dumps(report_document(filled.seen())))

    assert told["sums"]["by_fate"]["copied"] == {"items": 2, "bytes": 200}
    assert told["parts"][0]["lines"][0]["sums"]["adds_up"] is True


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "x;=1+1", "\uff1d1+1", "=cmd|' /C calc'!A0"]
)
def test_no_cell_of_the_spreadsheet_is_a_formula(cell):
    assert not re.search("(^|;)[=+\\-@\uff1d\uff0b\uff0d\uff20\u2409\u240d\u240a]", guarded(cell))


def test_an_ordinary_cell_is_left_as_it_is():
    assert guarded("Clients; Dupont & Söhne -> Archive") == "Clients; Dupont & Söhne -> Archive"


def test_the_spreadsheet_has_a_row_for_every_folder_with_its_numbers(filled):
    filled.folder("alice@example.com", "INBOX", 3, [*copied(1, 2), left(3, "a virus", "Look at it.")])

    (row,) = csv.DictReader(io.StringIO(spreadsheet(filled.seen())))

    assert (row["mailbox"], row["folder"], row["at source"], row["copied"], row["left-behind"], row["open"]) == (
        "alice@example.com",
        "INBOX",
        "3",
        "2",
        "1",
        "0",
    )
    assert (row["why"], row["cure"]) == ("1 left-behind: a virus", "Look at it.")
    assert row["route"] == "old -> new"


@pytest.fixture
def with_spam(filled):
    """An empty folder, of which nought was counted, and one that the plan leaves out, of which nothing was."""
    filled.folder("alice@example.com", "Empty", 0, verb=Verb.KEEP, status=Status.KEPT, why="empty")
    key = filled.folder(
        "alice@example.com", "Spam", 0, verb=Verb.KEEP, status=Status.KEPT, position=1, why="except: Spam"
    )
    filled.store.remember(filled.epoch, key, {"uncounted": "yes"})
    return filled


def test_a_cell_of_the_spreadsheet_is_empty_where_nothing_was_counted(with_spam):
    empty, spam = csv.DictReader(io.StringIO(spreadsheet(with_spam.seen())))

    numbers = ["at source", *(fate.value for fate in Fate), "open", "bytes"]
    assert [empty[number] for number in numbers] == ["0"] * len(numbers)
    assert [spam[number] for number in numbers] == [""] * len(numbers)
    assert spam["why"] == "except: Spam"


def test_the_document_has_null_where_nothing_was_counted(with_spam):
    told = report_document(with_spam.seen())["parts"][0]
    empty, spam = told["lines"]

    assert (empty["sums"]["total"], empty["sums"]["open"]) == ({"items": 0, "bytes": 0}, 0)
    assert (spam["sums"]["total"], spam["sums"]["open"]) == (None, None)
    assert (told["sums"]["total"]["items"], told["sums"]["open"]) == (0, 0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_counts_nothing_where_nothing_was_counted(with_spam, language):
    told = page(with_spam.seen(), "x", language)

    assert "<tr><td>Empty<td>0<td>0<td>0<td>" in told
    assert "<tr><td>Spam<td><td><td><td>" in told


def test_in_the_spanish_spreadsheet_one_is_one_and_agrees_with_its_room():
    sums = Sums(Size(3, 300), {Fate.NORMALISED: Size(3, 300)})
    reasons = (
        Reason(Fate.NORMALISED, "line ends made LF", "", 2),
        Reason(Fate.NORMALISED, "line ends made CRLF", "", 1),
    )
    line = Line("contacts/old>new/ann/x", ("contacts",), "x", Verb.COPY, Status.DONE, "", "", sums, reasons)
    parts = (of_room("mail"), Part("contacts", "old>new", "ann", "ann", sums, (line,)))

    rows = list(csv.DictReader(io.StringIO(spreadsheet(Report(NOON, sums, parts, (), ()), "es"))))

    assert rows[1]["por qué"] == (
        "2 normalizadas: finales de línea pasados a LF; 1 normalizada: finales de línea pasados a CRLF"
    )


def of_room(kind):
    """A report about one room: of two things of one subject one was left behind."""
    who = "ann@example.com"
    sums = Sums(Size(2, 200), {Fate.COPIED: Size(1, 100), Fate.LEFT_BEHIND: Size(1, 100)})
    line = Line(f"{kind}/old>new/{who}/x", (kind,), "x", Verb.COPY, Status.RUNNING, "", "", sums)
    return Part(kind, "old>new", who, who, sums, (line,))


def report_about(*kinds):
    parts = tuple(map(of_room, kinds))
    return Report(NOON, Sums.of(part.sums for part in parts), parts, (), ())


NOT_OF_MAIL = ["accounts", "contacts", "lists", "forms", "words"]


@pytest.mark.parametrize("kind", NOT_OF_MAIL)
@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_report_without_mail_does_not_speak_of_mail(kind, language):
    seen = report_about(kind)
    said = re.sub("<style>.*?</style>", "", page(seen, "x", language), flags=re.DOTALL) + spreadsheet(seen, language)

    assert not re.findall("mailbox|message|folder|buz[oó]n|mensaje|carpeta", said, re.IGNORECASE)


@pytest.mark.parametrize(
    ("kind", "copied_words", "left_words"),
    [
        ("mail", "Copiado", "No trasladado"),
        ("accounts", "Copiada", "No trasladada"),
        ("contacts", "Copiada", "No trasladada"),
        ("lists", "Copiada", "No trasladada"),
        ("forms", "Copiada", "No trasladada"),
        ("words", "Copiado", "No trasladado"),
    ],
)
def test_in_spanish_what_became_of_things_agrees_with_their_gender(kind, copied_words, left_words):
    html = page(report_about(kind), "x", "es")

    assert f"</b>{copied_words}</div>" in html
    assert f"</b>{left_words}</div>" in html
    assert f"<b class=bad>1 {left_words.lower()}</b>" in html
    assert f"<th>{copied_words}s<th>" in html


def test_in_a_report_about_several_rooms_each_thing_has_the_words_of_its_room():
    html = page(report_about("mail", "contacts"), "x", "es")

    assert re.findall("<table class=f><tr><th>(.*?)<th>Origen<th>(.*?)<th>", html) == [
        ("Carpeta", "Copiados"),
        ("Libreta", "Copiadas"),
    ]
    assert "<b class=bad>1 no trasladado</b>" in html
    assert "<b class=bad>1 no trasladada</b>" in html


def test_the_titles_of_the_spreadsheet_are_in_the_reports_language_and_none_stands_twice():
    for kind in ("mail", *NOT_OF_MAIL):
        for language in LANGUAGES:
            titles = next(csv.reader(io.StringIO(spreadsheet(report_about(kind), language))))
            assert len(set(titles)) == len(titles), (kind, language)
    assert titles[:6] == ["parte", "paso", "ruta", "pieza", "estado", "en el origen"]


def test_a_report_file_is_its_owners_alone_whatever_was_there(tmp_path):
    path = tmp_path / "plan.report.html"
    path.write_text("old")
    path.chmod(0o644)

    write(path, "new")

    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PlanError, match=r"absent/plan\.report\.html could not be written"):
        write(tmp_path / "absent" / "plan.report.html", "x")


def test_what_is_left_behind_is_told_before_what_is_altered():
    line = replace(
        large_line("ann@example.com", 1, open_everywhere=False, behind=False),
        reasons=(Reason(Fate.ALTERED, "name: Ann", "", 9), Reason(Fate.LEFT_BEHIND, "banned", "", 1)),
    )
    told = top_reasons([line], frozenset({Fate.ALTERED, Fate.LEFT_BEHIND}))

    assert [reason.fate for reason in told] == [Fate.LEFT_BEHIND, Fate.ALTERED]


# -- what only prepares, one thing over two routes, and a run that was cut off ---------------------------------------------


def planned(filled, route, name, size, step="mail"):
    """An action of Alice's over some route, done."""
    row = ActionRow(
        ledger_key=f"mail/{route}/alice@example.com{name}",
        step=step,
        subject="alice@example.com",
        subject_label="alice@example.com",
        key=f"alice@example.com{name}",
        verb=Verb.CREATE,
        label=name,
        why="for people",
        size=Size(size),
        total=Size(size),
        status=Status.DONE,
        run=filled.epoch,
        position=0,
    )
    filled.store.planned(filled.epoch, [row])


def test_a_line_that_moves_nothing_itself_shows_no_numbers(filled):
    planned(filled, "old>new", "#sheets", 0)
    told = [Finding("sheets", Weight.NOTE, "sheets", "5 entries on 1 sheet")]
    filled.store.found(filled.epoch, "mail", "mail/old>new/alice@example.com#sheets", "run", told)

    assert re.search(r"<td>#sheets<td><td><td><td>done<p>", page(filled.seen(), "", "en"))


def test_a_finding_that_says_itself_whose_it_is_does_so_once(filled):
    planned(filled, "old>new", "#hold", 0)
    told = [Finding("held", Weight.WARNING, "alice@example.com: hold", "is held")]
    filled.store.found(filled.epoch, "mail", "mail/old>new/alice@example.com#hold", "run", told)

    assert findings(filled.seen(), Weight.WARNING) == ["  warning: alice@example.com, hold: is held"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "The newest run did not come to its end; what it had not looked at yet is not counted."),
        ("es", "La última ejecución no llegó a su fin; lo que aún no había mirado no está contado."),
    ],
)
def test_a_report_of_a_run_that_was_cut_short_says_that_more_may_be_to_come(filled, language, words):
    filled.folder("alice@example.com", "INBOX", 1, copied(1))
    assert filled.seen().cut_short
    assert words in page(filled.seen(), "x", language)
    filled.store.end_run(filled.epoch, NOON, Ending.INTERRUPTED, 143, "SIGTERM")
    assert words in page(filled.seen(), "x", language)
    verifying = filled.store.claim(this_process(), LATER, "digest", "0.1.0", "verify")
    filled.store.end_run(verifying.run.epoch, LATER, Ending.DONE, 0, "")
    assert filled.seen().cut_short
    again = filled.store.claim(this_process(), LATER, "digest", "0.1.0")
    filled.store.end_run(again.run.epoch, LATER, Ending.DONE, 0, "")
    assert words not in page(filled.seen(), "x", language)


def test_what_a_verification_found_as_a_run_did_is_told_once(filled):
    key = filled.folder("alice@example.com", "INBOX", 2, copied(1, 2))
    warned = Finding("missing", Weight.WARNING, "INBOX", "1 message copied earlier is not there.", "Ask.")
    other = Finding("date", Weight.WARNING, "INBOX", "a date is another.", "")
    filled.store.found(filled.epoch, "mail", key, "run", [warned, other])
    assert findings(filled.seen(), Weight.WARNING)[0].startswith("  warning: alice@example.com, INBOX: 1 message")

    filled.store.found(
        filled.epoch, "mail", key, "verify", [replace(warned, weight=Weight.DIFFERENCE, text="1 is missing.")]
    )

    assert findings(filled.seen(), Weight.WARNING) == [
        "  difference: alice@example.com, INBOX: 1 is missing. Ask.",
        "  warning: alice@example.com, INBOX: a date is another.",
    ]


@pytest.mark.parametrize(("language", "words"), [("en", "by our records"), ("es", "según nuestros registros")])
def test_while_a_difference_stands_what_is_on_the_target_is_so_by_our_records(filled, language, words):
    html = page(differing(filled), "x", language)

    assert re.search(f"<div><b>2</b>[^<]*, {words}</div>", html)


def test_how_a_run_ended_and_that_it_found_differences_are_two_things(filled):
    filled.folder("alice@example.com", "INBOX", 1, copied(1))
    filled.store.end_run(filled.epoch, NOON, Ending.FAILED, Exit.DIFFERENCES, "")
    runs = (*filled.seen().runs, replace(filled.seen().runs[0], number=2))

    assert "failed; <span class=bad>ended with differences" in page(replace(filled.seen(), runs=runs), "", "en")


def test_what_goes_over_two_routes_is_one_thing(filled):
    filled.folder("alice@example.com", "INBOX", 1, copied(1))
    planned(filled, "old>vault", "/INBOX", 1, step="copy")

    assert "<b>1</b>Mailbox<" in page(filled.seen(), "", "en")


def test_a_run_after_which_another_one_began_did_not_end(filled):
    runs = [replace(filled.seen().runs[0], ending=None, ended=None)]
    one, two = (replace(filled.seen(), runs=(*runs, *more)) for more in ((), (replace(runs[0], number=2),)))

    assert page(one, "", "en").count("died before its end") == 0
    assert page(two, "", "en").count("died before its end") == 1


@pytest.mark.parametrize(("code", "words"), [(0, "all done"), (4, "ended with 4 (a login was refused)")])
def test_a_verification_that_could_not_look_is_not_told_as_all_done(filled, code, words):
    filled.store.end_run(filled.epoch, NOON, Ending.DONE, code, "")

    assert run_sentence(filled.seen().runs[-1], works=False).endswith(f": {words}.")
