"""A preview tells what a run would do and leaves no trace, at the shelves or in the state."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from migrator.cli.exits import Exit
from migrator.cli.outcome import exit_of_codes, exit_of_run
from migrator.cli.preview import summary
from migrator.engine.contract import Action, Fate, Reading, Size, Subject, Verb
from migrator.engine.events import SubjectFailed, SubjectPlanned
from migrator.engine.ledger import Status
from migrator.engine.report import report
from migrator.errors import LoginRefused, NotFound
from migrator.testing.toy_room import Drop, Shelf, stage_between
from migrator.testing.trial import Trial

ALICE, BOB = "alice@example.com", "bob@example.com"


def two_shelves() -> tuple[Shelf, Shelf]:
    source, target = Shelf("old"), Shelf("new")
    source.fill(ALICE, "nouns", "house", "garden")
    source.fill(BOB, "verbs", "go")
    return source, target


def trial_of(source: Shelf, target: Shelf) -> Trial:
    return Trial([stage_between(source, target, ALICE, BOB)])


def test_a_preview_writes_nothing_and_opens_no_session_that_could() -> None:
    source, target = two_shelves()
    trial_of(source, target).preview()
    assert target.tries.total() > 0
    assert target.opened_for_writing == source.opened_for_writing == 0
    assert target.writes == source.writes == []


def test_a_preview_leaves_the_state_as_it_was() -> None:
    source, target = two_shelves()
    trial = trial_of(source, target)
    trial.run()
    before = state_of(trial)
    source.fill(ALICE, "nouns", "late")
    trial.preview(trial.store)
    assert state_of(trial) == before


def test_a_step_that_reads_what_an_earlier_one_would_write_says_so_until_that_has_run() -> None:
    source, target = two_shelves()
    middle = Shelf("middle")
    stages = [
        stage_between(source, middle, ALICE, BOB, name="first"),
        stage_between(middle, target, ALICE, BOB, name="second"),
        stage_between(source, target, ALICE, name="third"),
    ]
    trial = Trial(stages)
    assert [stage.awaits for stage in trial.preview().stages] == ["", "first", ""]
    Trial(stages[:1], store=trial.store).run()
    assert [stage.awaits for stage in trial.preview(trial.store).stages] == ["", "", ""]


def test_what_two_steps_of_one_route_move_is_counted_once_as_the_report_does() -> None:
    source, target = two_shelves()
    trial = Trial([stage_between(source, target, ALICE, BOB, name=name) for name in ("first", "delta")])
    assert summary(trial.preview())[0].startswith("2 subjects, 2 parts, 3 items to move")
    trial.run()
    assert report(trial.store, datetime.now(UTC)).sums.total.items == 3


def test_what_an_earlier_step_has_yet_to_write_is_not_missed() -> None:
    source, target = two_shelves()
    middle = Shelf("middle")
    second = stage_between(middle, target, ALICE, BOB, name="second")
    step = second.step

    class Missing(type(step)):  # type: ignore[misc]
        def plan(self, subject: Subject, read: Reading) -> Iterator[Action]:
            raise NotFound(f"{subject.key}: there is nothing of this name.")

    second = replace(second, step=Missing(step.accounts, step.options, step.limit))
    alone = Trial([second]).preview()
    assert (len(alone.stages[0].troubles), alone.codes) == (2, {"not-found"})
    trial = Trial([stage_between(source, middle, ALICE, BOB, name="first"), second])
    seen = trial.preview()
    assert (seen.stages[1].awaits, seen.stages[1].troubles, seen.codes) == ("first", [], frozenset())
    assert trial.told(SubjectFailed) == []


def state_of(trial: Trial) -> object:
    store = trial.store
    return list(store.actions()), trial.fates(), list(store.findings()), store.runs(), store.troubles(), store.tally()


def test_a_preview_closes_its_sessions() -> None:
    source, target = two_shelves()
    trial_of(source, target).preview()
    assert source.open_sessions.total() == target.open_sessions.total() == 0


def test_a_preview_lists_the_actions_of_a_run_in_the_order_of_the_subjects() -> None:
    source, target = two_shelves()
    [stage] = trial_of(source, target).preview().stages
    assert [(action.key, action.verb, action.size) for _, action in stage.actions] == [
        (f"{ALICE}#boxes", Verb.CREATE, Size()),
        (f"{ALICE}/nouns", Verb.COPY, Size(2, 11)),
        (f"{BOB}#boxes", Verb.CREATE, Size()),
        (f"{BOB}/verbs", Verb.COPY, Size(1, 2)),
    ]


def test_what_a_preview_lists_is_what_the_run_then_does() -> None:
    source, target = two_shelves()
    trial = trial_of(source, target)
    [stage] = trial.preview(trial.store).stages
    trial.run()
    assert {action.key for _, action in stage.actions} == set(trial.actions())
    assert {row.status for row in trial.actions().values()} == {Status.DONE}
    assert trial.fates()[Fate.COPIED] == sum(action.size.items for _, action in stage.actions)


def test_with_the_state_at_hand_only_what_is_left_is_listed_as_work() -> None:
    source, target = two_shelves()
    trial = trial_of(source, target)
    trial.run()
    source.fill(ALICE, "nouns", "late")
    [stage] = trial.preview(trial.store).stages
    assert {action.key: action.size.items for _, action in stage.actions if action.verb is Verb.COPY} == {
        f"{ALICE}/nouns": 1
    }


def test_after_a_complete_run_nothing_is_pending() -> None:
    source, target = two_shelves()
    trial = trial_of(source, target)
    assert trial.preview(trial.store).changes
    trial.run()
    assert not trial.preview(trial.store).changes


def test_what_the_target_will_refuse_is_foreseen() -> None:
    source, target = two_shelves()
    target.longest = 5
    [stage] = trial_of(source, target).preview().stages
    assert [(finding.code, finding.about) for finding in stage.findings] == [("will-be-refused", f"{ALICE}/nouns")]


def test_a_preview_that_foresees_a_refusal_ends_as_the_run_will() -> None:
    source, target = two_shelves()
    trial = trial_of(source, target)
    assert exit_of_codes(trial.preview().codes) is Exit.DONE
    target.longest = 5
    assert exit_of_codes(trial.preview().codes) is Exit.LEFT_BEHIND
    assert exit_of_run(trial.run(), None) is Exit.LEFT_BEHIND


def test_one_wrong_password_spoils_one_subject_of_the_preview() -> None:
    source, target = two_shelves()
    source.refused_people.add(ALICE)
    preview = trial_of(source, target).preview()
    [stage] = preview.stages
    assert [(subject.key, type(error)) for subject, error in stage.troubles] == [(ALICE, LoginRefused)]
    assert {subject.key for subject, _ in stage.actions} == {BOB}
    assert preview.codes == {"login-refused"}


def test_a_preview_survives_a_broken_line() -> None:
    source, target = two_shelves()
    source.drops += [Drop("boxes", 1), Drop("index", 1)]
    target.longest = 5
    [stage] = trial_of(source, target).preview().stages
    assert len(stage.actions) == 4
    assert not stage.troubles


def test_subjects_are_told_as_they_are_planned() -> None:
    trial = trial_of(*two_shelves())
    trial.preview()
    assert {event.subject.key for event in trial.told(SubjectPlanned)} == {ALICE, BOB}


def test_the_time_of_a_run_is_estimated_from_a_probe_of_the_source() -> None:
    source, target = Shelf("old"), Shelf("new")
    source.fill(ALICE, "nouns", *["word"] * 1000)

    def every_read_takes_two_seconds() -> float:
        return 1000.0 + 2.0 * source.calls["read"]

    trial = Trial([stage_between(source, target, ALICE)], clock=every_read_takes_two_seconds)
    assert trial.preview().seconds == 2.0


def test_a_time_is_estimated_for_what_was_not_probed_too() -> None:
    source, target = Shelf("old"), Shelf("new")
    source.fill(ALICE, "nouns", *["word"] * 1000)
    source.fill(BOB, "nouns", *["word"] * 3000)

    def every_read_takes_two_seconds() -> float:
        return 1000.0 + 2.0 * source.calls["read"]

    stage = stage_between(source, target, ALICE, BOB)
    assert Trial([stage], workers=1, clock=every_read_takes_two_seconds).preview().seconds == 8.0


def test_without_anything_to_read_no_time_is_estimated() -> None:
    source, target = Shelf("old"), Shelf("new")
    source.fill(ALICE, "nouns")
    assert Trial([stage_between(source, target, ALICE)]).preview().seconds is None
