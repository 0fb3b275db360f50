"""Verification: what it finds, what it counts, and that it leaves everything but its findings as it was."""

from dataclasses import replace

import pytest

from migrator.engine.contract import Side, Weight
from migrator.engine.events import Noted, StageBegan, Verified
from migrator.engine.lease import utc_now
from migrator.engine.ledger import Ending
from migrator.engine.report import report
from migrator.engine.stage import Verification
from migrator.errors import NoSpace
from migrator.testing.toy_room import Drop, Shelf, stage_between
from migrator.testing.trial import Trial

ALICE, BOB = "alice@example.com", "bob@example.com"


def moved() -> tuple[Shelf, Shelf, Trial]:
    source, target = Shelf("old"), Shelf("new")
    for person in (ALICE, BOB):
        source.fill(person, "nouns", "house", "garden", "tree", "house")
        source.fill(person, "verbs", "go")
    trial = Trial([stage_between(source, target, ALICE, BOB)])
    trial.run()
    return source, target, trial


def test_two_equal_sides_have_no_differences() -> None:
    _, _, trial = moved()
    result = trial.verify()
    assert (result.actions, result.items, result.differences) == (4, 10, 0)
    assert trial.findings("verify") == []


def test_a_word_that_was_taken_away_is_found() -> None:
    _, target, trial = moved()
    target.take_away(ALICE, "nouns", "tree")
    assert trial.verify().differences == 1
    [finding] = trial.findings("verify")
    assert (finding.code, finding.weight, finding.about) == ("missing", Weight.DIFFERENCE, f"{ALICE}/nouns")


def test_a_word_that_came_later_is_found() -> None:
    source, _, trial = moved()
    source.fill(BOB, "verbs", "come")
    trial.verify()
    assert [finding.code for finding in trial.findings("verify")] == ["not-copied"]


def test_a_word_that_was_changed_is_found() -> None:
    _, target, trial = moved()
    change(target, ALICE, "nouns", "tree", "treason")
    trial.verify()
    assert [finding.code for finding in trial.findings("verify")] == ["content"]


def change(shelf: Shelf, person: str, box: str, before: str, after: str) -> None:
    words = shelf.words_of(person, box)
    words.update({number: after for number, text in words.items() if text == before})


def test_a_sample_of_nothing_reads_no_content() -> None:
    _, target, trial = moved()
    change(target, ALICE, "nouns", "tree", "treason")
    assert trial.verify(sample=0).differences == 0


def test_differences_are_told_and_counted_for_each_action() -> None:
    _, target, trial = moved()
    target.take_away(ALICE, "nouns", "tree")
    trial.verify()
    assert {event.action.key: event.differences for event in trial.told(Verified) if event.differences} == {
        f"{ALICE}/nouns": 1
    }
    assert [event.finding.code for event in trial.told(Noted)] == ["missing"]


def test_findings_replace_those_of_the_verification_before() -> None:
    _, target, trial = moved()
    target.take_away(ALICE, "nouns", "tree")
    trial.verify()
    trial.verify()
    assert len(trial.findings("verify")) == 1


def test_findings_go_when_there_is_no_difference_any_more() -> None:
    source, _, trial = moved()
    source.fill(BOB, "verbs", "come")
    trial.verify()
    source.take_away(BOB, "verbs", "come")
    trial.verify()
    assert trial.findings("verify") == []


def test_the_findings_of_the_run_stay() -> None:
    _, _, trial = moved()
    before = trial.findings("run")
    trial.verify()
    assert {finding.code for finding in before} == {"made"}
    assert trial.findings("run") == before


def test_verifying_writes_nothing_to_either_side() -> None:
    _, target, trial = moved()
    before, opened = list(target.writes), target.opened_for_writing
    trial.verify()
    assert (target.writes, target.opened_for_writing) == (before, opened)


def test_verifying_changes_no_outcome() -> None:
    _, target, trial = moved()
    target.take_away(ALICE, "nouns", "tree")
    before = trial.fates()
    trial.verify()
    assert trial.fates() == before


@pytest.mark.parametrize("side", Side)
def test_a_person_who_cannot_be_compared_is_a_difference(side: Side) -> None:
    source, target, trial = moved()
    (source if side is Side.SOURCE else target).refused_people.add(ALICE)
    result = trial.verify()
    assert (result.differences, result.codes) == (1, {"login-refused"})
    assert [(finding.code, finding.about) for finding in trial.findings("verify")] == [("not-compared", ALICE)]


def test_that_a_person_could_not_be_compared_is_forgotten_by_the_verification_that_compares_them() -> None:
    _, target, trial = moved()
    target.refused_people.add(ALICE)
    trial.verify()
    target.refused_people.clear()
    assert trial.verify().differences == 0
    assert trial.findings("verify") == []


def test_a_box_that_cannot_be_compared_is_a_difference_and_the_others_are_compared() -> None:
    _, target, trial = moved()
    del target._boxes[ALICE]["verbs"]
    target.take_away(BOB, "nouns", "tree")
    trial.verify()
    assert sorted((finding.code, finding.about) for finding in trial.findings("verify")) == [
        ("missing", f"{BOB}/nouns"),
        ("not-compared", "verbs"),
    ]


def test_a_box_that_cannot_be_compared_does_not_say_twice_whose_it_is() -> None:
    _, target, trial = moved()
    del target._boxes[ALICE]["verbs"]
    trial.verify()
    placed = report(trial.store, utc_now()).placed
    told = [(one.place, one.finding.text) for one in placed if one.finding.code == "not-compared"]
    assert told == [(f"{ALICE}, verbs", "could not be compared: new has no box verbs.")]


def test_a_broken_line_is_no_difference() -> None:
    _, target, trial = moved()
    target.drops += [Drop("index", target.calls["index"] + at) for at in (1, 3)]
    assert trial.verify().differences == 0


def test_two_steps_of_one_kind_and_route_are_compared_once() -> None:
    _, _, trial = moved()
    first = trial.stages[0]
    again = Trial([first, replace(first, name="delta")], store=trial.store)
    assert again.verify().actions == 4
    assert [event.step for event in again.told(StageBegan)] == ["delta"]


def test_a_verification_within_a_plan_compares_the_steps_before_it() -> None:
    source, _, _ = moved()
    fresh = Shelf("fresh")
    stage = stage_between(source, fresh, ALICE, BOB)
    trial = Trial([stage, Verification("verify")])
    fresh.after_write = lambda what: fresh.take_away(ALICE, "verbs", "go") if what == f"put {ALICE} verbs 1" else None
    result = trial.run()
    assert result.differences == 1
    assert [finding.code for finding in trial.findings("verify")] == ["missing"]


def test_a_verification_gives_the_lease_back() -> None:
    _, _, trial = moved()
    trial.verify()
    assert trial.store.current() is None
    assert [(row.purpose, row.ending) for row in trial.store.runs()] == [
        ("run", Ending.DONE),
        ("verify", Ending.DONE),
    ]


def test_a_verification_that_was_stopped_says_so() -> None:
    _, _, trial = moved()
    trial.stop.ask("Ctrl-C")
    trial.verify()
    assert (trial.store.runs()[-1].ending, trial.store.runs()[-1].words) == (Ending.INTERRUPTED, "Ctrl-C")


# -- what was given up -------------------------------------------------------------------------------------------------


def test_a_person_who_was_given_up_is_not_moved_and_that_is_counted_not_told_word_by_word() -> None:
    source, target = Shelf("old"), Shelf("new")
    for person in (ALICE, BOB):
        source.fill(person, "nouns", "house", "garden")
    target.refused_people.add(ALICE)
    trial = Trial([stage_between(source, target, ALICE, BOB)])
    trial.run()
    target.refused_people.clear()
    result = trial.verify()
    assert (result.actions, result.items, result.differences, result.not_moved) == (1, 2, 0, 1)
    assert trial.findings("verify") == []
    assert [event.finding.code for event in trial.told(Noted)] == ["not-moved"]


def test_a_box_that_was_given_up_untouched_is_not_moved_and_one_that_was_begun_is_compared() -> None:
    source, target = Shelf("old"), Shelf("new")
    source.fill(ALICE, "nouns", *(f"noun{number}" for number in range(6)))
    source.fill(ALICE, "verbs", "go")
    puts = []

    def refuse_the_second(_: str) -> None:
        puts.append(1)
        if len(puts) == 2:
            raise NoSpace("the shelf is full")

    target.before_write = lambda what: refuse_the_second(what) if what.startswith("put") else None
    trial = Trial([stage_between(source, target, ALICE)], workers=1)
    trial.run()
    target.before_write = None
    result = trial.verify()
    assert (result.actions, result.not_moved) == (1, 1)
    assert [(one.code, one.about) for one in trial.findings("verify")] == [("not-copied", f"{ALICE}/nouns")]


def test_what_was_given_up_and_moved_by_a_later_run_is_compared() -> None:
    source, target = Shelf("old"), Shelf("new")
    source.fill(ALICE, "nouns", "house")
    target.refused_people.add(ALICE)
    trial = Trial([stage_between(source, target, ALICE)])
    trial.run()
    target.refused_people.clear()
    trial.run()
    result = trial.verify()
    assert (result.actions, result.differences, result.not_moved) == (1, 0, 0)


# -- what is not named any more ----------------------------------------------------------------------------------------


def standing(trial: Trial) -> list[tuple[Weight, str]]:
    """What a report tells of what verifying found, and where."""
    placed = report(trial.store, utc_now()).placed
    return [(one.finding.weight, one.place) for one in placed if one.finding.weight is not Weight.NOTE]


def test_what_was_found_of_a_box_that_has_left_the_source_is_over_and_the_box_is_told_as_gone() -> None:
    source, target, trial = moved()
    target.take_away(ALICE, "verbs", "go")
    assert trial.verify().differences == 1
    source.remove(ALICE, "verbs")

    assert trial.verify().differences == 0

    [finding] = trial.findings("verify")
    assert (finding.code, finding.weight, finding.about) == ("gone", Weight.NOTE, ALICE)
    assert finding.text.startswith("verbs: ")
    trial.run()
    trial.verify()
    assert trial.findings("verify") == []
    assert [line.label for line in report(trial.store, utc_now()).lines if line.vanished] == ["verbs"]


def test_what_was_found_of_a_box_that_an_earlier_run_has_missed_already_is_over_as_well() -> None:
    source, target, trial = moved()
    target.take_away(ALICE, "verbs", "go")
    assert trial.verify().differences == 1
    source.remove(ALICE, "verbs")
    trial.run()

    result = trial.verify()

    assert (result.differences, result.standing) == (0, 0)
    assert [one for one in trial.findings("verify") if one.weight is Weight.DIFFERENCE] == []


def test_what_was_found_under_a_steps_earlier_name_is_over_once_it_is_compared_again() -> None:
    _, target, trial = moved()
    words = dict(target.words_of(ALICE, "verbs"))
    target.take_away(ALICE, "verbs", "go")
    assert trial.verify().differences == 1
    target.words_of(ALICE, "verbs").update(words)
    renamed = Trial([replace(trial.stages[0], name="delta")], store=trial.store)
    renamed.run()

    renamed.verify()

    assert [one.code for one in renamed.findings("verify") if one.weight is Weight.DIFFERENCE] == []


@pytest.mark.parametrize("verb", ["run", "verify"])
def test_what_was_found_of_a_person_whom_the_plan_names_no_more_is_told_as_found_before(verb: str) -> None:
    source, target, trial = moved()
    target.take_away(ALICE, "verbs", "go")
    trial.verify()
    assert standing(trial) == [(Weight.DIFFERENCE, f"{ALICE}, verbs")]
    without = Trial([stage_between(source, target, BOB)], store=trial.store)

    getattr(without, verb)()

    assert standing(without) == [(Weight.WARNING, f"{ALICE}, verbs")]
    seen = report(without.store, utc_now())
    assert [part.subject for part in seen.parts if not part.named] == [ALICE]
    assert (seen.differences, seen.finished, seen.sums.total.items) == (0, True, 5)
    assert [part.sums.total.items for part in seen.parts] == [5, 5]
    assert trial.store.tally().items_arrived == 5
    trial.verify()
    assert standing(trial) == [(Weight.DIFFERENCE, f"{ALICE}, verbs")]
    assert all(part.named for part in report(trial.store, utc_now()).parts)


def test_a_person_whom_another_step_names_is_named() -> None:
    source, target, trial = moved()
    target.take_away(ALICE, "verbs", "go")
    trial.verify()
    first, second = stage_between(source, target, ALICE), stage_between(source, target, BOB, name="delta")
    both = Trial([first, second], store=trial.store)
    both.run()

    result = both.verify()

    assert (result.differences, result.standing) == (1, 0)
    assert standing(both) == [(Weight.DIFFERENCE, f"{ALICE}, verbs")]


@pytest.mark.parametrize("verb", ["run", "verify"])
def test_what_a_step_moved_that_was_taken_out_of_the_plan_counts_no_more_and_is_told_as_that(verb: str) -> None:
    source, _, trial = moved()
    vault = Shelf("vault")
    both = Trial([trial.stages[0], stage_between(source, vault, ALICE, BOB, name="copy")], store=trial.store)
    both.run()
    vault.take_away(ALICE, "verbs", "go")
    both.verify()
    assert report(both.store, utc_now()).sums.total.items == 20

    getattr(trial, verb)()

    seen = report(trial.store, utc_now())
    named = {part.route: part.named for part in seen.parts if part.subject == ALICE}
    assert named == {"old>new": True, "old>vault": False}
    assert (seen.differences, seen.finished, seen.sums.total.items) == (0, True, 10)
    assert trial.store.tally().items_arrived == 10
    both.run()
    assert report(both.store, utc_now()).sums.total.items == 20


def test_what_was_left_behind_of_a_person_whom_the_plan_names_no_more_is_nobodys_concern() -> None:
    source, target, trial = moved()
    source.fill(ALICE, "verbs", "x" * 30)
    target.refused_words.add("x" * 30)
    trial.run()
    assert trial.store.tally().left_behind == 1

    result = Trial([stage_between(source, target, BOB)], store=trial.store).run()

    assert (result.left_behind, result.ending) == (0, Ending.DONE)


def test_a_run_that_was_stopped_does_not_say_who_is_named_no_more() -> None:
    source, target, trial = moved()
    without = Trial([stage_between(source, target, BOB)], store=trial.store)
    without.stop.ask("Ctrl-C")

    without.run()

    assert all(part.named for part in report(trial.store, utc_now()).parts)
