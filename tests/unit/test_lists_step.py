"""The lists step between two products in memory: everything arrives, nobody is written to, and a second pass brings what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import ValidationError

from migrator.engine.contract import Fate, Verb, Weight
from migrator.engine.events import Noted
from migrator.engine.lease import utc_now
from migrator.engine.report import report
from migrator.engine.stage import Stage
from migrator.errors import Misbehaved
from migrator.lists.model import Delivery, Joining, Member, Role, Settings, Stopped, Treatment
from migrator.lists.naming import GONE
from migrator.lists.options import ListsOptions
from migrator.lists.step import KIND
from migrator.panel.model import PasswordPolicy, changed, lost
from migrator.testing.memory_lists import ABLE, ListsRoute, MemoryLists, accounts_of
from migrator.testing.trial import Trial

NEWS = "news@example.com"
ANN = Member("ann@example.com", "Ann Doe", moderation=Treatment.DEFER)
SETTINGS = Settings(description="News", joining=Joining.CONFIRM, welcomes=True, says_goodbye=False, emergency=False)
OWNERS = (Member("owner@example.com", role=Role.OWNER), Member("mod@example.com", role=Role.MODERATOR))


def people(number: int) -> list[Member]:
    return [replace(ANN, address=f"p{n}@example.com", name=f"Person {n}") for n in range(number)]


class World:
    """Two products, a plan for the domain example.com, and a state."""

    def __init__(self, *members: Member, accounts: object = None, **options: object) -> None:
        self.old, self.new = MemoryLists("old"), MemoryLists("new")
        self.old.fill(NEWS, SETTINGS, *OWNERS)
        for one in members or people(25):
            told = one.key in self.old.people(NEWS)
            self.old.twins.setdefault(NEWS, []).append(one) if told else self.old.fill(NEWS, None, one)
        self.route = ListsRoute(self.old, self.new)
        self.accounts = accounts_of("ann@example.com") if accounts is None else accounts
        self.plan_with(**options)

    def plan_with(self, **options: object) -> None:
        step = KIND.build(ListsOptions(**options), self.accounts)
        store = {"store": self.trial.store} if hasattr(self, "trial") else {}
        self.trial = Trial([Stage("lists", "lists", step, self.route)], **store)

    def same(self, old: str = NEWS, new: str = NEWS) -> bool:
        return self.old.kept[old].people == self.new.kept[new].people

    def outcomes(self, part: str = "members", subject: str = NEWS) -> dict[str, tuple[Fate, str]]:
        key = f"lists/old>new/{subject}/{part}"
        return {one.key: (one.fate, one.note) for one in self.trial.store.outcomes(key)}

    def called(self, part: str = "members") -> dict[str, str]:
        """What each is called beside a reason that others share."""
        return {one.key: one.about for one in self.trial.store.outcomes(f"lists/old>new/{NEWS}/{part}") if one.about}

    def whys(self) -> dict[str, tuple[Verb, str]]:
        return {key.rpartition("/")[2]: (row.verb, row.why) for key, row in self.trial.actions().items()}

    def preview(self) -> dict[str, object]:
        (stage,) = self.trial.preview(self.trial.store).stages
        return {action.label: action for _, action in stage.actions}

    def done_again(self) -> list[str]:
        """What another run writes."""
        before = len(self.new.writes)
        self.trial.run()
        return self.new.writes[before:]


def test_a_list_arrives_with_everybody_and_nobody_is_written_to() -> None:
    world = World()
    result = world.trial.run()
    assert not result.codes
    assert not result.left_behind
    assert world.same()
    assert world.new.mails == []
    now = world.new.set_now(NEWS)
    assert (now["description"], now["joining"], now["welcomes"]) == ("News", Joining.CONFIRM, True)
    assert (now["says_goodbye"], now["emergency"]) == (False, False)
    assert world.trial.verify().differences == 0


def test_a_second_run_changes_nothing_and_says_so() -> None:
    world = World()
    world.trial.run()
    assert world.done_again() == []
    assert {verb for part, (verb, _) in world.whys().items() if part != f"{NEWS}#hold"} == {Verb.KEEP}
    assert world.preview()["members"].amounts == "25 as they should be"
    assert world.whys()["members"][1] == ""  # what a planning would do is no reason of what was done


def test_a_preview_counts_and_writes_nothing() -> None:
    world = World()
    actions = world.preview()
    assert world.new.writes == []
    assert [*actions] == ["list", "hold", "settings", "owners", "moderators", "members", "release"]
    assert actions["hold"].why == "posts are held and nobody is written to while it is filled"
    assert actions["list"].verb is Verb.CREATE
    assert (actions["members"].verb, actions["members"].size.items, actions["members"].amounts) == (
        Verb.COPY,
        25,
        "add 25",
    )


def test_a_release_without_settings_of_its_own_says_what_it_does_and_nothing_of_settings() -> None:
    world = World()
    world.old.kept[NEWS].settings.clear()
    assert world.preview()["release"].why == "posts and notices go out again once everybody is there"


def test_the_list_is_held_and_silent_while_it_is_filled() -> None:
    world = World()
    seen: list[tuple[object, ...]] = []

    def look(what: str) -> None:
        if what.startswith("add"):
            now = world.new.set_now(NEWS)
            seen.append((now["emergency"], now["welcomes"], now["says_goodbye"], now["tells_owner_of_changes"]))

    world.new.before_write = look
    world.trial.run()
    assert set(seen) == {(True, False, False, False)}


def test_a_run_that_breaks_off_leaves_the_list_held_and_the_next_one_opens_it() -> None:
    world = World()
    world.new.refuses = lambda _: (
        (_ for _ in ()).throw(Broken("no")) if world.new.writes.count("add p9@example.com") else ""
    )
    with pytest.raises(Broken):
        world.trial.run()
    assert world.new.set_now(NEWS)["emergency"] is True
    world.new.refuses = lambda _: ""
    world.trial.run()
    assert world.new.set_now(NEWS)["emergency"] is False
    assert world.same()


class Broken(BaseException):
    """What a test dies of."""


def test_a_list_whose_members_cannot_be_read_stays_held() -> None:
    world = World()
    world.old.miscounts.add(NEWS)
    result = world.trial.run()
    assert "misbehaved" in result.codes
    assert NEWS not in world.new.kept  # it was not even planned
    world.old.miscounts.clear()
    world.trial.run()
    assert world.same()


def test_the_hold_may_be_kept_until_a_later_step_releases_it() -> None:
    world = World(hold="keep")
    world.trial.run()
    assert world.new.set_now(NEWS)["emergency"] is True
    assert world.new.set_now(NEWS)["welcomes"] is False
    assert world.done_again() == []
    assert world.trial.verify().differences == 0
    world.plan_with(hold="while-filling")
    world.trial.run()
    assert world.new.set_now(NEWS)["emergency"] is False
    assert world.new.set_now(NEWS)["welcomes"] is True
    assert world.trial.verify().differences == 0


def fails_at(what: str) -> Callable[[str], None]:
    def fail(doing: str) -> None:
        if doing == what:
            raise Misbehaved("the target answers something else")

    return fail


def test_a_list_that_was_never_open_stays_held_while_somebody_is_missing() -> None:
    world = World()
    world.new.before_write = fails_at("add p9@example.com")
    result = world.trial.run()
    assert "misbehaved" in result.codes
    assert world.new.set_now(NEWS)["emergency"] is True
    assert "stays held: its members are not all there yet" in world.whys()["release"][1]


def test_a_list_that_people_use_already_is_not_left_silent_when_something_fails() -> None:
    world = World()
    world.new.fill(NEWS, Settings(welcomes=True, tells_owner_of_changes=True), ANN)
    world.new.before_write = fails_at("add p9@example.com")
    result = world.trial.run()
    assert "misbehaved" in result.codes
    assert world.new.set_now(NEWS)["welcomes"] is True
    assert world.new.set_now(NEWS)["tells_owner_of_changes"] is True
    world.new.before_write = lambda _: None
    world.trial.run()
    assert len(world.new.people(NEWS)) == 26
    assert world.new.mails == []


def test_a_list_held_at_the_source_is_held_at_the_target() -> None:
    world = World()
    world.old.fill(NEWS, Settings(emergency=True))
    world.trial.run()
    assert world.new.set_now(NEWS)["emergency"] is True
    assert world.trial.verify().differences == 0


# -- a second pass ------------------------------------------------------------------------------------------------------


def delta(world: World) -> None:
    """Three join, two leave, two change."""
    there = world.old.people(NEWS)
    for name in ("new1", "new2", "new3"):
        there[f"{name}@example.com"] = replace(ANN, address=f"{name}@example.com")
    del there["p3@example.com"], there["p4@example.com"]
    there["p5@example.com"] = replace(there["p5@example.com"], delivery=Delivery.MIME_DIGEST)
    there["p6@example.com"] = replace(there["p6@example.com"], stopped=Stopped.BY_USER, name="Somebody Else")


def test_what_changed_at_the_source_is_shown_and_brought() -> None:
    world = World()
    world.trial.run()
    delta(world)
    members = world.preview()["members"]
    assert members.amounts == "add 3, change 2, 21 there already; take off 2"
    assert [line for line in members.details if not line.startswith("+")] == [
        "~ p5@example.com  (delivery: regular -> MIME digest)",
        "~ p6@example.com  (name: Person 6 -> Somebody Else, delivery stopped: as the list has it -> by the member)",
        "- p3@example.com  (has left the list at the source)",
        "- p4@example.com  (has left the list at the source)",
    ]
    assert "+ new1@example.com  (joined at the source)" in members.details
    world.trial.run()
    assert world.same()
    assert world.new.mails == []
    assert world.trial.verify().differences == 0
    assert world.done_again() == []


def test_a_second_pass_holds_no_posts_and_gives_notices_back() -> None:
    world = World()
    world.trial.run()
    world.new.fill(NEWS, Settings(tells_owner_of_changes=True))
    delta(world)
    held: set[object] = set()
    world.new.before_write = lambda what: held.add(world.new.set_now(NEWS)["emergency"])
    world.trial.run()
    assert held == {False}
    assert world.new.set_now(NEWS)["tells_owner_of_changes"] is True
    assert world.new.set_now(NEWS)["welcomes"] is True
    assert world.new.mails == []


def test_who_left_at_the_target_is_not_brought_again() -> None:
    world = World()
    world.trial.run()
    del world.new.people(NEWS)["p7@example.com"]
    world.new.people(NEWS)["p8@example.com"] = replace(ANN, address="p8@example.com", name="Changed There")
    world.new.people(NEWS)["own@example.com"] = replace(ANN, address="own@example.com")
    assert world.done_again() == []
    details = world.preview()["members"].details
    assert "= p7@example.com  (has left the target's list since)" in details
    assert any(line.startswith("= p8@example.com  (changed at the target since (name:") for line in details)
    assert "= own@example.com  (on the target's list alone, and stays)" in details
    assert world.trial.verify().differences == 2


def test_nobody_who_was_there_before_is_changed_or_taken_off() -> None:
    world = World()
    there = replace(ANN, address="p1@example.com", name="As The Target Has It", hidden=True)
    same = replace(ANN, address="p2@example.com", name="Person 2")
    world.new.fill(NEWS, Settings(description="The target's own"), there, same)
    world.trial.run()
    assert world.new.people(NEWS)["p1@example.com"] == there
    assert world.outcomes()["p1@example.com"][0] is Fate.FOUND
    assert world.new.set_now(NEWS)["description"] == "The target's own"
    assert world.outcomes("settings")["description"][0] is Fate.SKIPPED
    assert world.new.mails == []
    del world.old.people(NEWS)["p1@example.com"], world.old.people(NEWS)["p2@example.com"]
    assert world.done_again() == []
    assert {"p1@example.com", "p2@example.com"} <= world.new.people(NEWS).keys()
    assert world.trial.verify().differences == 0


def test_who_was_there_before_and_was_in_step_follows_a_change_at_the_source_and_is_never_taken_off() -> None:
    world = World()
    world.new.fill(NEWS, None, world.old.people(NEWS)["p2@example.com"])
    world.trial.run()
    changed_one = replace(world.old.people(NEWS)["p2@example.com"], hidden=True)
    world.old.people(NEWS)["p2@example.com"] = changed_one
    world.trial.run()
    assert world.new.people(NEWS)["p2@example.com"] == changed_one
    assert world.outcomes()["p2@example.com"][0] is Fate.FOUND
    del world.old.people(NEWS)["p2@example.com"]
    world.trial.run()
    assert "p2@example.com" in world.new.people(NEWS)


def test_the_settings_of_a_list_that_is_there_are_made_like_the_sources_where_the_plan_says_so() -> None:
    world = World(existing="configure")
    world.new.fill(NEWS, Settings(description="The target's own"))
    world.trial.run()
    assert world.new.set_now(NEWS)["description"] == "News"


def test_members_that_are_not_moved_yet_are_one_difference_that_names_some() -> None:
    world = World(ANN)
    world.trial.run()
    world.old.fill(NEWS, None, *people(8))
    assert world.trial.verify().differences == 1
    (told,) = world.trial.findings("verify")
    assert (told.code, told.about, told.remedy) == ("not-moved", NEWS, "Run again.")
    named = "p0@example.com, p1@example.com, p2@example.com, p3@example.com, p4@example.com, ..."
    assert told.text == f"8 members are not moved yet ({named})"


def test_one_owner_that_is_not_moved_yet_is_told_in_the_singular_beside_what_differs() -> None:
    world = World(ANN)
    world.trial.run()
    world.old.fill(NEWS, None, Member("second@example.com", role=Role.OWNER))
    del world.new.people(NEWS, Role.OWNER)["owner@example.com"]
    assert world.trial.verify().differences == 2
    assert [(one.code, one.text) for one in world.trial.findings("verify")] == [
        ("not-moved", "1 owner is not moved yet (second@example.com)"),
        ("missing", "owner@example.com: was brought and is not on the target's list any more"),
    ]


def test_leavers_may_be_kept() -> None:
    world = World(leavers="keep")
    world.trial.run()
    delta(world)
    world.trial.run()
    assert "p3@example.com" in world.new.people(NEWS)
    assert any("leavers: keep" in finding.text for finding in world.trial.findings("run"))


def test_a_source_that_shows_nobody_takes_nobody_off() -> None:
    world = World()
    world.trial.run()
    everybody = dict(world.old.people(NEWS))
    world.old.people(NEWS).clear()
    assert world.done_again() == []
    assert len(world.new.people(NEWS)) == 25
    world.old.people(NEWS).update(everybody)
    assert world.done_again() == []


def test_who_left_and_joined_again_is_brought_again() -> None:
    world = World()
    world.trial.run()
    gone = world.old.people(NEWS).pop("p3@example.com")
    world.trial.run()
    assert "p3@example.com" not in world.new.people(NEWS)
    world.old.people(NEWS)["p3@example.com"] = gone
    world.trial.run()
    assert "p3@example.com" in world.new.people(NEWS)
    assert world.trial.verify().differences == 0


def test_sums_are_of_who_is_on_the_sources_list() -> None:
    world = World()
    world.trial.run()
    before = world.trial.sums()
    left = world.old.people(NEWS).pop("p3@example.com")
    for _ in range(2):
        world.trial.run()
        sums = world.trial.sums()
        assert (sums.total.items, sums.items(Fate.GONE), sums.departed, sums.open) == (before.total.items - 1, 0, 1, 0)
    world.old.people(NEWS)["p3@example.com"] = left
    world.trial.run()
    sums = world.trial.sums()
    assert (sums.total.items, sums.departed, sums.open) == (before.total.items, 0, 0)


def test_an_owner_who_left_is_taken_off_too() -> None:
    world = World()
    world.old.fill(NEWS, None, Member("second@example.com", role=Role.OWNER))
    world.trial.run()
    del world.old.people(NEWS, Role.OWNER)["second@example.com"]
    world.trial.run()
    assert [*world.new.people(NEWS, Role.OWNER)] == ["owner@example.com"]


def test_a_setting_changed_at_the_source_follows_and_one_changed_at_the_target_stays() -> None:
    world = World()
    world.trial.run()
    world.old.fill(NEWS, Settings(description="Fresh news"))
    world.new.fill(NEWS, Settings(joining=Joining.OPEN))
    world.trial.run()
    assert world.new.set_now(NEWS)["description"] == "Fresh news"
    assert world.new.set_now(NEWS)["joining"] is Joining.OPEN
    assert [one.text for one in world.trial.findings("run")] == [
        "joining: changed at the target since (open instead of confirm), which stays"
    ]


def test_a_list_that_was_deleted_at_the_target_is_made_anew_with_everybody() -> None:
    world = World()
    world.trial.run()
    del world.new.kept[NEWS]
    result = world.trial.run()
    assert not result.codes
    assert world.same()
    assert world.new.set_now(NEWS)["emergency"] is False
    assert world.trial.verify().differences == 0


def test_whoever_the_source_names_twice_is_told_and_the_sums_add_up() -> None:
    first = people(3)[1]
    shouted = replace(first, address="P1@example.com", hidden=True)
    world = World(*people(3), shouted, replace(first, name="Other"))
    members = world.preview()["members"]
    assert (members.amounts, members.total.items, members.size.items) == ("add 3, 2 passed over", 5, 3)
    assert members.details == (
        "! P1@example.com  (stands on the source's list more than once; the first counts, not this one (hidden: yes instead of no))",
        "! p1@example.com  (stands on the source's list more than once; the first counts, not this one (name: Other instead of Person 1))",
    )
    world.trial.run()
    assert Counter(fate for fate, _ in world.outcomes().values()) == {Fate.COPIED: 3, Fate.SKIPPED: 2}
    assert world.new.people(NEWS)["p1@example.com"].name == "Person 1"
    assert world.trial.verify().differences == 0
    assert world.done_again() == []
    again = world.preview()["members"]
    assert (again.verb, again.amounts) == (Verb.KEEP, "3 there already, 2 passed over")
    world.old.twins[NEWS].clear()
    world.trial.run()
    assert Counter(fate for fate, _ in world.outcomes().values()) == {Fate.COPIED: 3, Fate.GONE: 2}
    assert world.done_again() == []


def test_the_counts_of_a_second_pass_name_everybody_once_both_ways() -> None:
    world = World(*people(10), Member("not an address"))
    world.trial.run()
    there, target = world.old.people(NEWS), world.new.people(NEWS)
    there["new@example.com"] = Member("new@example.com")
    there["wrong one"] = Member("wrong one")
    there["p1@example.com"] = replace(there["p1@example.com"], hidden=True)
    for gone in ("p2@example.com", "p3@example.com"):
        del there[gone]
    for left in ("p3@example.com", "p4@example.com"):
        del target[left]
    target["p5@example.com"] = replace(target["p5@example.com"], name="Changed There")
    target["own@example.com"] = Member("own@example.com")
    members = world.preview()["members"]
    assert members.amounts == (
        "add 1, 2 will be refused, change 1, 5 there already, 1 changed at the target since, 1 left the target since; "
        "take off 1, 1 who left are off already"
    )
    assert (members.total.items, members.size.items) == (11, 3)
    assert [line for line in members.details if line.startswith(("+", "!"))] == [
        "! not an address  (will be refused: not an address)",
        "+ new@example.com  (joined at the source)",
        "! wrong one  (will be refused: not an address)",
        "! p3@example.com  (has left the list on both sides)",
    ]
    before = len(world.new.writes)
    world.trial.run()
    about_people = [one for one in world.new.writes[before:] if not one.startswith("configure")]
    assert about_people == ["add new@example.com", "update p1@example.com", "remove p2@example.com"]
    assert Counter(fate for fate, _ in world.outcomes().values()) == {
        Fate.COPIED: 9, Fate.LEFT_BEHIND: 2, Fate.GONE: 2,
    }  # fmt: skip


def test_refusals_are_foreseen_one_by_one() -> None:
    world = World(*people(3), Member("not an address"), Member("spam@example.com"))
    world.old.fill(NEWS, Settings(banned=("spam@example.com",)))
    (stage,) = world.trial.preview(world.trial.store).stages
    assert [(one.weight, one.text) for one in stage.findings] == [
        (Weight.WARNING, "not an address: not an address"),
        (Weight.WARNING, "spam@example.com: the address is banned"),
    ]
    assert world.preview()["members"].amounts == "add 3, 2 will be refused"
    world.trial.run()
    assert world.trial.fates()[Fate.LEFT_BEHIND] == 2


def test_the_bans_of_a_list_that_keeps_its_settings_are_its_own() -> None:
    world = World(*people(3), Member("spam@example.com"))
    world.old.fill(NEWS, Settings(banned=("spam@example.com",)))
    world.new.fill(NEWS, Settings(banned=("p1@*",)))
    assert world.preview()["members"].amounts == "add 3, 1 will be refused"
    world.trial.run()
    assert world.outcomes()["p1@example.com"][0] is Fate.LEFT_BEHIND
    assert world.outcomes()["spam@example.com"][0] is Fate.COPIED


def test_who_was_refused_is_told_as_left_behind_and_tried_again() -> None:
    world = World()
    world.new.refuses = lambda member: "no such domain" if member.key == "p3@example.com" else ""
    world.trial.run()
    members = world.preview()["members"]
    assert members.amounts == "1 left behind before, tried again, 24 there already"
    assert members.details == ("! p3@example.com  (left behind before, tried again: the target says: no such domain)",)
    assert members.size.items == 0


def test_a_preview_after_a_death_tells_what_is_half_done() -> None:
    world = World()
    world.new.in_halves, world.new.importer = True, True

    def die(what: str) -> None:
        if what.startswith("options p10@example.com"):
            raise Broken("no")

    world.new.before_write = die
    with pytest.raises(Broken):
        world.trial.run()
    members = world.preview()["members"]
    assert members.amounts == "add 5, complete 10, 10 there already"
    assert members.details[0] == "~ p10@example.com  (was being brought when a run died, and is completed)"
    assert len(members.details) == 10
    world.new.before_write = lambda _: None
    world.trial.run()
    assert world.same()
    assert {fate for fate, _ in world.outcomes().values()} == {Fate.COPIED}


def test_a_list_that_was_being_made_when_a_run_died_is_taken_up_as_ours() -> None:
    world = World()
    world.new.features = replace(ABLE, noisy=frozenset(), sends=False)
    world.new.after_write = fails_hard_at(f"create {NEWS}")
    with pytest.raises(Broken):
        world.trial.run()
    world.new.after_write = lambda _: None
    actions = world.preview()
    assert (actions["list"].verb, actions["list"].why) == (
        Verb.CREATE,
        "was being made when a run died, and is taken up",
    )
    assert not any("the target's own stays" in line for line in actions["settings"].details)
    world.trial.run()
    assert world.same()
    assert world.new.set_now(NEWS)["description"] == "News"
    assert world.trial.verify().differences == 0


def fails_hard_at(what: str) -> Callable[[str], None]:
    def fail(doing: str) -> None:
        if doing == what:
            raise Broken("no")

    return fail


# -- what does not go as it should --------------------------------------------------------------------------------------


def test_who_is_refused_is_left_behind_with_the_servers_words() -> None:
    world = World(*people(12), Member("not an address"), Member("spam@example.com"))
    world.old.fill(NEWS, Settings(banned=("spam@example.com",)))
    result = world.trial.run()
    assert result.left_behind == 2
    assert world.outcomes()["not an address"] == (
        Fate.LEFT_BEHIND,
        "the target says: not an address",
    )
    assert world.outcomes()["spam@example.com"] == (
        Fate.LEFT_BEHIND,
        "the target says: the address is banned",
    )
    assert world.called()["spam@example.com"] == "spam@example.com"
    assert len(world.new.people(NEWS)) == 12
    before = dict(world.new.set_now(NEWS))
    assert before["emergency"] is False
    world.trial.run()  # they are tried once more, in silence
    assert world.new.set_now(NEWS) == before
    assert len(world.new.people(NEWS)) == 12
    assert world.new.mails == []


def test_who_was_refused_and_has_left_since_is_left_behind_no_longer() -> None:
    world = World()
    world.new.refuses = lambda member: "no such domain" if member.key == people(25)[3].key else ""
    assert world.trial.run().left_behind == 1
    del world.old.people(NEWS)[people(25)[3].key]
    assert world.trial.run().left_behind == 0
    assert world.outcomes()[people(25)[3].key] == (Fate.GONE, "has left the list at the source; was never brought")
    assert world.trial.verify().differences == 0
    assert world.done_again() == []


def test_who_is_taken_and_not_kept_is_left_behind() -> None:
    world = World()
    world.new.forgets.add("p11@example.com")
    world.trial.run()
    assert world.outcomes()["p11@example.com"] == (
        Fate.LEFT_BEHIND,
        "the target took the address and does not have it on the list",
    )
    world.new.forgets.clear()
    world.trial.run()
    assert world.same()


def test_what_a_target_does_not_take_of_somebodys_options_is_altered_in_its_own_words() -> None:
    world = World()
    world.new.lacks = lambda member: "no digests here" if member.key == "p3@example.com" else ""
    world.old.people(NEWS)["p3@example.com"] = Member("p3@example.com", delivery=Delivery.MIME_DIGEST)
    assert world.trial.run().left_behind == 1
    assert world.outcomes()["p3@example.com"] == (Fate.ALTERED, "the target says: no digests here")
    assert world.called()["p3@example.com"] == "p3@example.com: delivery: regular instead of MIME digest"
    assert world.trial.verify().differences == 0
    assert world.done_again() == []


def test_what_a_target_complains_of_and_keeps_all_the_same_has_arrived() -> None:
    world = World()
    world.new.lacks = lambda member: "no digests here" if member.key == "p3@example.com" else ""
    world.old.people(NEWS)["p3@example.com"] = Member("p3@example.com")
    assert world.trial.run().left_behind == 0
    assert world.outcomes()["p3@example.com"] == (Fate.COPIED, "")


def test_a_setting_that_is_refused_is_left_behind_alone() -> None:
    world = World()
    world.new.refuses_settings.add("joining")
    result = world.trial.run()
    assert result.left_behind == 1
    assert world.outcomes("settings")["joining"] == (Fate.LEFT_BEHIND, "new does not take joining.")
    assert world.new.set_now(NEWS)["description"] == "News"


def test_nobody_is_brought_where_the_list_cannot_be_silenced() -> None:
    world = World()
    world.new.refuses_settings.add("welcomes")
    result = world.trial.run()
    assert result.codes
    assert world.new.people(NEWS) == {}
    assert world.new.mails == []


def test_what_the_target_lacks_is_told_once_a_list_and_a_setting_that_means_something_by_name() -> None:
    world = World(*(replace(one, hidden=True) for one in people(12)))
    world.old.fill(NEWS, Settings(welcome_text="Welcome to the news", goodbye_text="", header_rules=()))
    world.new.features = replace(
        ABLE,
        dialect="other",
        keeps={
            "member.hidden": lost("nobody is hidden there"),
            "list.welcome_text": lost("its texts are files of the server"),
            "list.goodbye_text": lost("its texts are files of the server"),
            "list.description": changed("it is shortened"),
            "list.subject_prefix": changed("it is shortened"),
        },
    )
    world.new.longest_description = 4
    world.old.fill(NEWS, Settings(description="What is new", subject_prefix="[N] ", own={"topics": "a, b"}))
    result = world.trial.run()
    assert [one.text for one in world.trial.findings("run") if one.code == "not-kept"] == [
        "hidden of 12 members: nobody is hidden there"
    ]
    assert world.outcomes("settings")["welcome_text"] == (
        Fate.LEFT_BEHIND,
        "welcome text: its texts are files of the server; at the source: Welcome to the news",
    )
    assert world.outcomes("settings")["own.topics"][0] is Fate.LEFT_BEHIND
    assert world.outcomes("settings")["goodbye_text"][0] is Fate.SKIPPED
    assert world.outcomes("settings")["description"] == (Fate.NORMALISED, "description: it is shortened")
    assert world.outcomes("settings")["subject_prefix"][0] is Fate.COPIED, "it was short already"
    assert result.left_behind == 2
    assert world.trial.verify().differences == 0
    assert world.done_again() == []


def test_a_product_without_moderators_leaves_them_behind_in_words() -> None:
    world = World()
    world.new.features = replace(ABLE, roles=frozenset({Role.MEMBER, Role.OWNER}))
    world.trial.run()
    assert world.outcomes("moderators") == {"mod@example.com": (Fate.LEFT_BEHIND, "Memory lists has no moderators")}


def test_members_without_a_treatment_get_one_where_the_target_wants_it() -> None:
    world = World(Member("ann@example.com"))
    world.old.fill(NEWS, Settings(member_treatment=Treatment.HOLD))
    world.new.features = replace(ABLE, inherits_moderation=False)
    world.trial.run()
    assert world.new.people(NEWS)["ann@example.com"].moderation is Treatment.HOLD


def test_a_lists_own_password_is_made_and_handed_out_and_never_set_in_silence() -> None:
    world = World()
    world.new.features = replace(ABLE, list_password=PasswordPolicy())
    world.trial.run()
    assert world.new.kept[NEWS].password == world.route.made[NEWS]
    assert any(one.code == "list-password" for one in world.trial.findings("run"))


def test_a_list_that_was_made_opens_with_its_password_in_every_session_and_run() -> None:
    world = World()
    world.new.features = replace(ABLE, list_password=PasswordPolicy())
    world.new.wants_passwords = True
    result = world.trial.run()
    assert not result.codes
    assert world.same()
    world.plan_with()  # as another process would begin
    assert world.done_again() == []
    assert world.trial.verify().differences == 0


def test_a_target_that_makes_no_lists_wants_a_hand() -> None:
    world = World()
    world.new.features = replace(ABLE, creates=False)
    world.trial.run()
    assert world.whys()["list"][0] is Verb.BY_HAND
    assert world.whys()["list"][1].startswith(
        "news@example.com: Memory lists cannot be given a new list from here. Make it"
    )
    assert [*world.whys()] == ["list"]
    world.new.fill(NEWS)
    world.trial.run()
    assert world.same()


def test_one_list_with_a_wrong_password_does_not_hinder_another() -> None:
    world = World()
    world.old.fill("other@example.com", Settings(), ANN)
    world.old.refused_lists.add(NEWS)
    result = world.trial.run()
    assert "login-refused" in result.codes
    assert [*world.new.people("other@example.com")] == ["ann@example.com"]


def test_broken_connections_cost_nobody_and_double_nobody() -> None:
    world = World()
    world.new.drops = {3: "after", 8: "before", 20: "after"}
    world.old.read_drops = {2, 5}
    result = world.trial.run()
    assert not result.codes
    assert world.same()
    assert world.outcomes().keys() == world.old.people(NEWS).keys()
    assert {fate for fate, _ in world.outcomes().values()} == {Fate.COPIED}


def test_two_spellings_of_one_member_are_one_member() -> None:
    world = World(replace(ANN, address="Ann@Example.COM"), accounts=accounts_of(("ann@example.com", "ann@example.com")))
    world.new.fill(NEWS, None, ANN)
    world.trial.run()
    assert world.new.people(NEWS) == {"ann@example.com": ANN}


# -- names --------------------------------------------------------------------------------------------------------------


def test_only_lists_of_the_plans_domains_move_and_each_has_a_reason_when_it_does_not() -> None:
    world = World(**{"except": ("private-*",)})
    world.old.fill("elsewhere@example.org", Settings(), ANN)
    world.old.fill("private-one@example.com", Settings(), ANN)
    world.old.fill("mailman@example.com", Settings(), ANN)
    world.trial.run()
    assert [*world.new.kept] == [NEWS]
    told = {row.subject: row.why for row in world.trial.actions().values() if row.subject != NEWS}
    assert told["private-one@example.com"] == "the plan leaves it out (except)"
    assert "Mailman's own" in told["mailman@example.com"]


def test_without_accounts_and_domains_every_list_moves_but_the_hosts_own() -> None:
    world = World(accounts=[])
    world.old.fill("elsewhere@example.org", Settings(), ANN)
    world.old.fill("mailman@example.com", Settings(), ANN)
    world.trial.run()
    assert {*world.new.kept} == {NEWS, "elsewhere@example.org"}


def test_without_accounts_a_domain_that_the_step_names_says_which_lists_move() -> None:
    world = World(accounts=[], domains=["example.org"])
    world.old.fill("elsewhere@example.org", Settings(), ANN)
    world.trial.run()
    assert [*world.new.kept] == ["elsewhere@example.org"]


def test_a_list_that_only_names_and_nobody_has_is_told() -> None:
    world = World(only=("nwes@example.com",))
    result = world.trial.run()
    assert "by-hand" in result.codes
    assert world.new.kept == {}


def test_a_domain_that_is_renamed_takes_its_lists_and_members_along() -> None:
    world = World(
        ANN, replace(ANN, address="else@example.org"), accounts=accounts_of(("ann@example.com", "ann@new.example"))
    )
    world.trial.run()
    assert [*world.new.kept] == ["news@new.example"]
    assert [*world.new.people("news@new.example")] == ["ann@new.example", "else@example.org"]
    assert [*world.new.people("news@new.example", Role.OWNER)] == ["owner@new.example"]
    assert world.trial.verify().differences == 0
    assert world.done_again() == []


def test_a_list_may_be_given_another_name_and_two_do_not_become_one() -> None:
    world = World(map={NEWS: "letter@example.com", "other@example.com": "letter@example.com"})
    world.old.fill("other@example.com", Settings(), ANN)
    result = world.trial.run()
    assert [*world.new.kept] == ["letter@example.com"]
    assert "by-hand" in result.codes


def test_what_does_not_pass_is_foreseen() -> None:
    world = World(*(replace(one, hidden=True) for one in people(3)))
    world.new.features = replace(ABLE, keeps={"member.hidden": lost("nobody is hidden there")})
    (stage,) = world.trial.preview(world.trial.store).stages
    assert [one.text for one in stage.findings] == ["hidden of 3 members: nobody is hidden there"]


def test_options_with_one_reason_are_told_together() -> None:
    world = World(*(replace(one, hidden=True, acknowledge=n < 1) for n, one in enumerate(people(3))))
    keeps = {f"member.{name}": lost("nobody has options there") for name in ("hidden", "acknowledge", "own_posts")}
    world.new.features = replace(ABLE, keeps=keeps)
    (stage,) = world.trial.preview(world.trial.store).stages
    text = "hidden of 3 members; acknowledgement of posts of 1 member: nobody has options there"
    assert [one.text for one in stage.findings] == [text]


def test_only_those_are_counted_whose_option_the_target_changes() -> None:
    twelve = [replace(one, language=("de", "tlh", "")[n % 3]) for n, one in enumerate(people(12))]
    world = World(*twelve)
    world.new.languages = frozenset({"", "de"})
    world.new.features = replace(ABLE, keeps={"member.language": changed("a language it does not know is the list's")})
    (stage,) = world.trial.preview(world.trial.store).stages
    assert [one.text for one in stage.findings] == ["language of 4 members: a language it does not know is the list's"]


def test_a_domain_that_is_made_with_its_first_list_is_told_before() -> None:
    world = World()
    told = {action.key: action.why for _, action in world.trial.preview(world.trial.store).stages[0].actions}
    assert told[f"{NEWS}/list"] == "example.com is made with it, a domain that Memory lists does not have"
    world.new.fill("other@example.com")
    told = {action.key: action.why for _, action in world.trial.preview(world.trial.store).stages[0].actions}
    assert told[f"{NEWS}/list"] == ""


def test_a_run_reads_no_roster_more_often_than_it_has_to() -> None:
    world = World()
    world.trial.run()
    # Read for the plan, and for filling; at the target for filling, and once more when everybody is there.
    assert (world.old.calls["roster member"], world.new.calls["roster member"]) == (2, 2)
    world.old.calls.clear()
    world.new.calls.clear()
    world.trial.run()
    assert (world.old.calls["roster member"], world.new.calls["roster member"]) == (1, 1)
    assert world.old.calls["settings"] == 1


# -- what cannot be opened, or is not there ------------------------------------------------------------------------------


def test_a_list_that_does_not_tell_its_domain_is_never_passed_over() -> None:
    world = World()
    world.old.refused_lists.add("board@lists.example.net")
    world.old.fill("board@lists.example.net", Settings(), ANN)
    world.old.somewhere.add("board@lists.example.net")
    result = world.trial.run()
    assert "login-refused" in result.codes
    assert [*world.new.kept] == [NEWS]


def test_a_list_that_does_not_tell_its_domain_is_not_told_as_missing_as_well() -> None:
    world = World(only=("board@example.com",))
    world.old.fill("board@lists.example.net", Settings(), ANN)
    world.old.somewhere.add("board@lists.example.net")
    world.old.refused_lists.add("board@lists.example.net")
    (stage,) = world.trial.preview(world.trial.store).stages
    assert [subject.label for subject, _ in stage.troubles] == ["board@lists.example.net"]
    assert stage.actions == []


def test_a_list_that_the_sources_service_names_and_has_not_is_told() -> None:
    world = World(**{"except": ("left@example.com",)})
    world.old.named = ["nwes@example.com", "else@example.org", "left@example.com"]
    result = world.trial.run()
    assert "by-hand" in result.codes
    told = {row.subject: row.why for row in world.trial.actions().values() if row.verb is Verb.BY_HAND}
    assert told == {
        "nwes@example.com": "the source has no list nwes@example.com. Correct it among the source's lists in the plan"
    }
    assert world.same()


# -- what is as usual -----------------------------------------------------------------------------------------------------


def test_a_setting_without_a_place_that_is_as_usual_is_no_loss() -> None:
    world = World()
    world.old.features = replace(
        ABLE, usual=lambda address, told: {"description": f"{address} {told['joining'].value}"}
    )
    world.new.features = replace(
        ABLE, keeps={"list.description": lost("there is none"), "list.joining": lost("everybody")}
    )
    world.old.kept[NEWS].settings["description"] = f"{NEWS} confirm"
    result = world.trial.run()
    outcomes = world.outcomes("settings")
    assert outcomes["description"] == (Fate.SKIPPED, f"there is none; at the source it is as usual ({NEWS} confirm)")
    assert outcomes["joining"][0] is Fate.LEFT_BEHIND
    assert result.left_behind


# -- many at once ------------------------------------------------------------------------------------------------------


def cut_short(world: World, left: int) -> None:
    """The source's file was cut short."""
    there = world.old.people(NEWS)
    for key in list(there)[left:]:
        del there[key]


def test_a_source_that_was_cut_short_takes_nobody_off_and_that_is_told_loudly() -> None:
    world = World()
    world.trial.run()
    cut_short(world, 3)
    (stage,) = world.trial.preview(world.trial.store).stages
    told = next(one for one in stage.findings if one.code == "many-left")
    assert (told.weight, told.about) == (Weight.WARNING, f"{NEWS}: members")
    assert told.text.startswith(
        "22 of 25 whom we brought have left the list at the source at once; nobody is taken off"
    )
    assert "leavers: remove-many" in told.remedy
    members = world.preview()["members"]
    assert members.amounts == "3 there already; 22 who left stay"
    assert "= p9@example.com  (has left the list at the source with most others; stays)" in members.details
    everybody = [*people(25)]
    for _ in range(2):  # as long as it is so
        assert world.done_again() == []
        assert [one.weight for one in world.trial.findings("run") if one.code == "many-left"] == [Weight.WARNING]
    assert len(world.new.people(NEWS)) == 25
    assert world.trial.verify().differences == 1
    (difference,) = world.trial.findings("verify")
    assert "22 members have left the list at the source, and are on the target's" in difference.text
    assert "leavers: remove-many" in difference.remedy
    world.old.fill(NEWS, None, *everybody)  # the whole file again
    assert world.done_again() == []
    assert [one for one in world.trial.findings("run") if one.code == "many-left"] == []
    assert world.trial.verify().differences == 0


def test_many_who_left_are_taken_off_where_the_plan_says_so() -> None:
    world = World()
    world.trial.run()
    cut_short(world, 3)
    world.plan_with(leavers="remove-many")
    assert world.preview()["members"].amounts == "3 there already; take off 22"
    world.trial.run()
    assert [*world.new.people(NEWS)] == [*world.old.people(NEWS)]
    [told] = [one for one in world.trial.findings("run") if one.code == "taken-off"]
    assert (told.weight, told.about) == (Weight.WARNING, f"{NEWS}: members")
    assert "at the source: 22 (" in told.text


def test_a_few_are_taken_off_though_they_are_most_of_a_list() -> None:
    world = World(*people(11))
    world.trial.run()
    cut_short(world, 2)
    world.trial.run()
    assert len(world.new.people(NEWS)) == 2


def staffed(**options: object) -> World:
    """A list of 25 members, three owners and three moderators, moved."""
    world = World()
    for role, name in ((Role.OWNER, "owner"), (Role.MODERATOR, "mod")):
        world.old.fill(NEWS, None, *(Member(f"{name}{n}@example.com", role=role) for n in (2, 3)))
    world.trial.run()
    world.plan_with(**options)
    return world


def leave(world: World, role: Role, *keys: str) -> None:
    for key in keys:
        del world.old.people(NEWS, role)[key]


def test_where_all_owners_have_left_the_source_nobody_is_taken_off_whatever_his_role() -> None:
    world = staffed()
    world.old.people(NEWS, Role.OWNER).clear()
    leave(world, Role.MEMBER, "p1@example.com")
    leave(world, Role.MODERATOR, "mod2@example.com")
    before = {role: dict(world.new.people(NEWS, role)) for role in Role}

    assert world.done_again() == []

    assert {role: dict(world.new.people(NEWS, role)) for role in Role} == before
    told = {one.about: one.text for one in world.trial.findings("run") if one.code == "many-left"}
    assert told.keys() == {f"{NEWS}: owners", f"{NEWS}: moderators", f"{NEWS}: members"}
    assert told[f"{NEWS}: members"] == (
        "the source shows none of the owners any more; nobody is taken off for that (p1@example.com)"
    )
    assert {one.code for one in world.trial.findings("run")} == {"many-left"}
    assert world.trial.verify().differences == 3
    world.plan_with(leavers="remove-many")
    world.trial.run()
    assert not world.new.people(NEWS, Role.OWNER)
    assert "p1@example.com" not in world.new.people(NEWS)
    assert world.trial.verify().differences == 0


def test_where_one_moderator_of_one_has_left_the_others_who_left_are_taken_off() -> None:
    world = World()
    world.trial.run()
    world.old.people(NEWS, Role.MODERATOR).clear()
    leave(world, Role.MEMBER, "p1@example.com")

    world.trial.run()

    assert "p1@example.com" not in world.new.people(NEWS)
    assert [*world.new.people(NEWS, Role.MODERATOR)] == ["mod@example.com"]


def test_where_most_of_all_roles_have_left_nobody_is_taken_off() -> None:
    world = World(*people(12))
    for role, name in ((Role.OWNER, "owner"), (Role.MODERATOR, "mod")):
        world.old.fill(NEWS, None, *(Member(f"{name}{n}@example.com", role=role) for n in range(2, 9)))
    world.trial.run()
    for role in (Role.OWNER, Role.MODERATOR, Role.MEMBER):
        leave(world, role, *[*world.old.people(NEWS, role)][2:8])  # no role has lost ten
    assert world.done_again() == []
    told = [one.text for one in world.trial.findings("run") if one.code == "many-left"]
    assert len(told) == 3
    assert all(text.startswith("18 of 28 of all roles whom we brought have left the list") for text in told)


def test_where_most_members_have_left_no_owner_is_taken_off_either() -> None:
    world = staffed()
    cut_short(world, 3)
    leave(world, Role.OWNER, "owner2@example.com")
    assert world.done_again() == []
    assert "owner2@example.com" in world.new.people(NEWS, Role.OWNER)
    told = {one.about: one.text for one in world.trial.findings("run") if one.code == "many-left"}
    assert told[f"{NEWS}: owners"].startswith("22 of 25 members whom we brought have left the list at the source")


def test_a_source_that_shows_nobody_in_any_role_takes_nobody_off_though_the_plan_says_many() -> None:
    world = staffed(leavers="remove-many")
    for role in Role:
        world.old.people(NEWS, role).clear()
    assert world.done_again() == []
    assert len(world.new.people(NEWS)) == 25


# -- told once for several ---------------------------------------------------------------------------------------------


def test_what_several_have_in_common_is_one_difference_that_names_some() -> None:
    world = World()
    world.trial.run()
    there = world.new.people(NEWS)
    for n in range(7):
        del there[f"p{n}@example.com"]
    for n in range(7, 9):
        there[f"p{n}@example.com"] = replace(there[f"p{n}@example.com"], hidden=True, name="X")
    for n in range(11, 13):
        del world.old.people(NEWS)[f"p{n}@example.com"]
    assert world.trial.verify().differences == 4
    told = {one.text: one.about for one in world.trial.findings("verify")}
    some = "; ".join(f"p{n}@example.com" for n in range(5))
    assert told == dict.fromkeys(
        [
            f"7 members were brought and are not on the target's list any more ({some}; ...)",
            "2 members differ in name (p7@example.com: name: X instead of Person 7; p8@example.com: name: X instead of Person 8)",
            "2 members differ in hidden (p7@example.com: hidden: yes instead of no; p8@example.com: hidden: yes instead of no)",
            "2 members have left the list at the source, and are on the target's (p11@example.com; p12@example.com)",
        ],
        NEWS,
    )


# -- what stays behind as the plan says, and what was set by itself ------------------------------------------------------


def test_a_setting_without_a_place_is_no_loss_once_the_plan_leaves_it_out() -> None:
    world = World()
    world.new.features = replace(ABLE, keeps={"list.description": lost("there is none")})
    assert world.trial.run().left_behind == 1
    (told,) = [one for one in world.trial.store.outcomes(f"lists/old>new/{NEWS}/settings") if one.key == "description"]
    assert told.cure.endswith("if not, write settings: {except: [description]} in the step.")
    world.plan_with(settings={"except": ["description", "joining"]})
    assert not world.trial.run().left_behind
    assert world.outcomes("settings")["description"] == (
        Fate.SKIPPED, "the plan leaves it out (settings: except)",
    )  # fmt: skip
    assert world.done_again() == []
    assert world.trial.verify().differences == 0


def test_a_setting_that_the_plan_leaves_out_is_not_set() -> None:
    world = World(settings={"except": ["joining", "welcomes"]})
    world.old.set_now(NEWS)["welcomes"] = False
    world.trial.run()
    assert "joining" not in world.new.set_now(NEWS)
    assert world.new.set_now(NEWS)["welcomes"] is True  # as the product has it by itself, and not while it is filled
    assert world.new.mails == []
    assert world.trial.verify().differences == 0


def test_a_setting_to_leave_out_that_no_list_has_is_a_mistake_of_the_plan() -> None:
    with pytest.raises(ValidationError, match=r"langages is no setting of a list \(did you mean languages\?\)"):
        ListsOptions(settings={"except": ["langages"]})


def test_what_a_list_that_we_made_has_by_itself_is_not_told_as_found() -> None:
    world = World()
    world.new.features = replace(ABLE, noisy=frozenset())
    world.trial.run()
    assert {fate for part in ("settings", "release") for fate, _ in world.outcomes(part).values()} == {Fate.COPIED}
    again = World()
    again.new, again.route.new = world.new, world.new
    again.trial.run()
    assert {fate for fate, _ in again.outcomes("settings").values()} == {Fate.FOUND}


def test_a_domain_is_told_with_the_first_of_its_lists_alone() -> None:
    world = World()
    world.old.fill("board@example.com", None, ANN)
    (stage,) = world.trial.preview().stages
    told = [action.why for _, action in stage.actions if action.label == "list"]
    assert sorted(told) == ["", "example.com is made with it, a domain that Memory lists does not have"]


def test_a_list_that_stays_held_is_a_warning_until_it_is_open() -> None:
    world = World(hold="keep")
    world.old.kept[NEWS].settings.clear()
    world.trial.run()
    world.trial.verify()
    (held,) = [one for one in world.trial.findings("verify") if one.code == "held"]
    assert (held.weight, held.text) == (Weight.WARNING, f"{NEWS} stays held and silent: no post goes out")
    assert "hold: while-filling" in held.remedy
    world.plan_with()
    world.trial.run()
    assert world.new.set_now(NEWS)["emergency"] is False
    world.trial.verify()
    assert world.trial.findings("verify") == []
    assert world.preview()["release"].why == "open: posts and notices go out"
    assert world.done_again() == []


def test_the_owner_whom_a_list_was_made_with_is_not_told_as_found() -> None:
    world = World()

    def make(what: str) -> None:
        if what == f"create {NEWS}":
            world.new.fill(NEWS, None, OWNERS[0])

    world.new.after_write = make
    world.trial.run()
    assert world.outcomes("owners")["owner@example.com"] == (Fate.COPIED, "")
    assert world.done_again() == []
    del world.old.people(NEWS, Role.OWNER)["owner@example.com"]
    world.old.fill(NEWS, None, Member("second@example.com", role=Role.OWNER))
    world.trial.run()
    assert [*world.new.people(NEWS, Role.OWNER)] == ["second@example.com"]


def test_words_that_end_in_a_full_stop_are_told_before_the_names_without_it() -> None:
    world = World()
    world.new.refuses = lambda member: "No such domain." if member.key == "p3@example.com" else ""
    world.trial.run()
    assert world.outcomes()["p3@example.com"] == (Fate.LEFT_BEHIND, "the target says: No such domain")


# -- lists that leave the source ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("also", ["run", "verify"])
def test_a_list_that_the_source_has_no_more_counts_no_more_and_is_told_as_gone(also: str) -> None:
    world = World()
    world.old.fill("board@example.com", None, ANN)
    world.new.refuses = lambda member: "banned" if member.key == "p3@example.com" else ""
    world.trial.run()
    del world.new.people(NEWS)["p4@example.com"]
    assert world.trial.verify().differences == 1
    world.old.kept.pop(NEWS)
    there = dict(world.new.people(NEWS))

    (before,) = world.trial.preview(world.trial.store).stages
    assert [action.why for subject, action in before.actions if subject.key == NEWS] == [GONE]
    assert not before.changes
    if also == "verify":
        assert world.trial.verify().differences == 0
        assert [one.code for one in world.trial.findings("verify")] == ["gone"]
    result = world.trial.run()

    assert (result.left_behind, result.codes) == (0, frozenset())
    seen = report(world.trial.store, utc_now())
    assert (seen.sums.total.items, seen.sums.by_fate.keys(), seen.sums.open) == (6, {Fate.COPIED}, 0)
    assert seen.differences == 0
    [gone] = [part for part in seen.parts if part.gone]
    assert gone.subject == NEWS
    assert world.trial.verify().differences == 0
    finished = {part.subject for part in report(world.trial.store, utc_now()).parts if part.finished}
    assert finished == {"board@example.com", NEWS}
    assert world.new.people(NEWS) == there


def test_a_list_that_comes_back_to_the_source_counts_again() -> None:
    world = World()
    world.trial.run()
    kept = world.old.kept.pop(NEWS)
    world.trial.run()
    assert world.trial.sums().total.items == 0
    world.old.kept[NEWS] = kept

    world.trial.run()

    sums = world.trial.sums()
    assert (sums.total.items, sums.departed, sums.open) == (34, 0, 0)


def test_a_list_that_the_plan_leaves_out_since_is_not_told_as_gone() -> None:
    world = World()
    world.trial.run()
    world.plan_with(**{"except": [NEWS]})

    world.trial.run()

    sums = world.trial.sums()
    assert (sums.total.items, sums.open) == (0, 0)
    assert world.whys()["list"] == (Verb.KEEP, "the plan leaves it out (except)")


def test_a_list_that_stays_held_is_told_by_the_run_itself_until_it_is_open() -> None:
    world = World()
    world.plan_with(hold="keep")
    for _ in range(2):
        world.trial.run()
        (held,) = [one for one in world.trial.findings("run") if one.code == "held"]
        assert (held.weight, held.about) == (Weight.WARNING, NEWS)
        assert held in [event.finding for event in world.trial.told(Noted)]
    world.trial.verify()
    told = [placed.finding.code for placed in report(world.trial.store, utc_now()).placed]
    assert told.count("held") == 1
    world.plan_with()
    world.trial.run()
    assert [one for one in world.trial.findings("run") if one.code == "held"] == []


def test_a_release_alone_is_something_to_do() -> None:
    world = World()
    world.plan_with(hold="keep")
    world.trial.run()
    world.plan_with()
    release = world.preview()["release"]
    assert (release.verb, release.size.items > 0) == (Verb.CHANGE, True)
    world.trial.run()
    assert world.preview()["release"].size.items == 0


def test_a_list_that_a_run_has_left_held_and_whose_state_is_lost_is_told_as_held() -> None:
    world = World()
    world.new.refuses = lambda _: (
        (_ for _ in ()).throw(Broken("no")) if world.new.writes.count("add p9@example.com") else ""
    )
    with pytest.raises(Broken):
        world.trial.run()
    assert world.new.set_now(NEWS)["emergency"] is True
    world.new.refuses = lambda _: ""
    del world.trial  # and with it the state
    world.plan_with()
    told = f"{NEWS} was held at the target before this run, and stays so: no post goes out"
    assert [one.text for one in world.trial.preview(world.trial.store).stages[0].findings if one.code == "held"] == [
        told
    ]
    for _ in range(2):
        world.trial.run()
        assert [one.text for one in world.trial.findings("run") if one.code == "held"] == [told]
    world.plan_with(existing="configure")
    world.trial.run()
    assert world.new.set_now(NEWS)["emergency"] is False
    assert not [one for one in world.trial.findings("run") if one.code == "held"]


def test_who_is_there_already_is_told_as_nothing_to_write() -> None:
    world = World()
    for one in people(25):
        world.new.fill(NEWS, None, one)
    members = world.preview()["members"]
    assert members.amounts == "25 there already; a run takes note of it and writes nothing"
    assert world.preview()["members"].size.items == 0
