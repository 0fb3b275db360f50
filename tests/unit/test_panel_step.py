"""The accounts step between two panels in memory."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from migrator.engine.contract import Fate, Login, Side, Verb
from migrator.engine.stage import Stage
from migrator.panel.decisions import Do, Names, decide
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Database,
    Destination,
    Domain,
    DomainForwarder,
    Filter,
    Forwarder,
    Hold,
    ListName,
    Mailbox,
    Password,
    Rule,
    Way,
    lost,
    with_scheme,
)
from migrator.panel.options import AccountsOptions
from migrator.panel.step import KIND
from migrator.testing.memory_panel import ABLE, MemoryPanel, PanelRoute, accounts_of
from migrator.testing.trial import Trial

GB = 1024**3
HASH = with_scheme("$6$salt$abcdefghijklmnopqrstuvwxyz")
OLD_HASH = with_scheme("$1$salt$abcdefghijklmnop")
ANN, BOB, CID = "ann@example.com", "bob@example.com", "cid@example.com"


class World:
    """Two panels, a plan for some addresses, and a state."""

    def __init__(self, *addresses: str | tuple[str, str], **options: object) -> None:
        self.old, self.new = MemoryPanel("old"), MemoryPanel("new")
        self.route = PanelRoute(self.old, self.new)
        step = KIND.build(AccountsOptions(**options), accounts_of(*(addresses or (ANN, BOB, CID))))
        self.trial = Trial([Stage("accounts", "accounts", step, self.route)])

    def fill(self) -> "World":
        self.old.fill(Mailbox(ANN, quota=GB, used=4711), password=HASH)
        self.old.fill(Mailbox(BOB), password=OLD_HASH)
        self.old.fill(
            Mailbox(CID, quota=5 * GB, holds=frozenset({Hold.LOGIN})), password=Password(plain=SecretStr("x"))
        )
        self.old.fill(
            Forwarder("info@example.com", (Destination(ANN), Destination(BOB))),
            Forwarder("gone@example.com", (Destination("gone", Way.REJECT),)),
            CatchAll("example.com", Destination(ANN)),
            DomainForwarder("example.com", "example.net"),
            Autoresponder(BOB, "Away.", subject="Fuera"),
            Filter(
                ANN,
                "ofertas",
                (Rule("$header_subject:", "contains", "oferta"),),
                (("discard", ""),),
                domain="example.com",
            ),
            ListName("news@example.com"),
            Database("acme_wp"),
        )
        return self

    def outcome(self, kind: str, key: str) -> tuple[Fate, str]:
        found = self.trial.store.settled(f"accounts/old>new/example.com/{kind}", [key])[key]
        return found.fate, found.note

    def details(self, kind: str) -> list[str]:
        (stage,) = self.trial.preview(self.trial.store).stages
        return [line for _, action in stage.actions if action.label == kind for line in action.details]


def test_everything_of_a_domain_arrives_and_the_sums_add_up() -> None:
    world = World().fill()
    result = world.trial.run()
    assert not result.codes
    assert world.trial.fates() == {Fate.COPIED: 9}
    for noun in (Mailbox, Forwarder, CatchAll, DomainForwarder, Autoresponder, Filter):
        wanted = [
            replace(one, used=None) if isinstance(one, Mailbox) else one for one in world.old.there(noun, "example.com")
        ]
        assert world.new.there(noun, "example.com") == wanted
    assert world.trial.verify().differences == 0


def test_a_second_run_changes_nothing() -> None:
    world = World().fill()
    world.trial.run()
    before = list(world.new.writes)
    result = world.trial.run()
    assert world.new.writes == before
    assert not result.codes
    assert {row.verb for row in world.trial.actions().values()} == {Verb.KEEP}


def test_a_preview_writes_nothing_and_tells_the_password_of_each_account() -> None:
    world = World().fill()
    lines = world.details("mailboxes")
    assert lines == [
        "+ ann@example.com  1 GB  (password: its hash is carried over)",
        "+ bob@example.com  unlimited  (password: a new one, in the hand-out (the target takes no MD5-CRYPT))",
        "+ cid@example.com  5 GB, suspended login  (password: a new one, in the hand-out)",
    ]
    assert not world.new.writes
    assert not world.route.made


def test_a_preview_tells_field_by_field_what_is_kept_changed_and_lost() -> None:
    world = World().fill()
    world.new.features = replace(
        ABLE,
        title="Poor panel",
        creates=ABLE.creates - {Filter},
        schemes=frozenset(),
        destinations=frozenset({Way.ADDRESS}),
    )
    lines = world.details("fields")
    assert any(
        line.startswith("mailbox: password") and "changed" in line and "takes no hashes" in line for line in lines
    )
    assert any(line.startswith("mailbox: quota") and "kept" in line for line in lines)
    assert any(line.startswith("filter") and "lost" in line for line in lines)
    assert any(line.startswith("forwarder: reject") and "lost" in line for line in lines)


def test_a_new_password_is_written_down_before_the_account_is_made() -> None:
    world = World().fill()
    seen: list[bool] = []
    world.new.before_write = lambda what: (
        seen.append(BOB in world.route.made) if what == f"create mailbox {BOB}" else None
    )
    world.trial.run()
    assert seen == [True]
    assert world.new.passwords[BOB].plain == world.route.made[BOB]
    assert world.new.passwords[ANN] == HASH


def test_the_plans_password_for_the_target_goes_first() -> None:
    world = World().fill()
    world.route.logins[Side.TARGET, ANN] = Login(ANN, ANN, SecretStr("chosen"))
    world.trial.run()
    assert world.new.passwords[ANN].plain == SecretStr("chosen")
    assert ANN not in world.route.made


def test_a_known_password_is_verified_at_the_source_before_it_is_used() -> None:
    world = World().fill()
    world.route.logins[Side.SOURCE, CID] = Login(CID, CID, SecretStr("x"))
    world.route.logins[Side.SOURCE, BOB] = Login(BOB, BOB, SecretStr("wrong"))
    world.trial.run()
    assert world.new.passwords[CID].plain == SecretStr("x")
    assert world.outcome("mailboxes", CID)[1] == "password: the same as before, verified at the source"
    assert world.new.passwords[BOB].plain == world.route.made[BOB]
    assert "wrong" in world.outcome("mailboxes", BOB)[1]


def test_without_a_known_password_an_account_is_left_behind_when_the_plan_says_so() -> None:
    world = World(passwords="known").fill()
    world.trial.run()
    assert world.outcome("mailboxes", ANN)[0] is Fate.LEFT_BEHIND
    assert not world.new.there(Mailbox, "example.com")


def test_what_is_at_the_target_is_found_and_never_overwritten() -> None:
    world = World().fill()
    world.new.fill(Mailbox(ANN, quota=2 * GB), Forwarder("info@example.com", (Destination("else@example.net"),)))
    before = dict(world.new.things)
    world.trial.run()
    assert {key: world.new.things[key] for key in before} == before
    assert world.outcome("mailboxes", ANN) == (
        Fate.FOUND,
        "was there already and is left as it is: quota is 2 GB, not 1 GB",
    )
    assert world.outcome("forwarders", "info@example.com")[0] is Fate.FOUND


def test_a_fresh_default_of_the_target_is_nobodys_catch_all() -> None:
    fresh = CatchAll("example.com", Destination("newuser", Way.SYSTEM))
    ours = CatchAll("example.com", Destination(ANN))
    for source, expected in ((ours, Do.CREATE), (CatchAll("example.com", Destination("olduser", Way.SYSTEM)), Do.KEEP)):
        (decision,) = decide([source], [fresh], {}, Names({}, {}), AccountsOptions(), ABLE, lambda _: True)
        assert decision.do is expected


def test_a_success_that_is_none_is_found_out() -> None:
    world = World().fill()
    world.new.forgets.add(ANN)
    world.trial.run()
    fate, note = world.outcome("mailboxes", ANN)
    assert (fate, note) == (Fate.LEFT_BEHIND, "the panel said that it was made, and does not list it")
    world.new.forgets.clear()
    world.trial.run()
    assert world.outcome("mailboxes", ANN)[0] is Fate.COPIED


def test_one_refused_mailbox_costs_nothing_else_and_is_tried_again() -> None:
    world = World().fill()
    world.new.refused_keys.add(BOB)
    result = world.trial.run()
    assert result.left_behind == 2  # bob, and his answer, which the panel refuses by the same name
    assert world.outcome("mailboxes", BOB) == (Fate.LEFT_BEHIND, "new says: bob@example.com is not allowed.")
    assert world.outcome("mailboxes", CID)[0] is Fate.COPIED
    world.new.refused_keys.clear()
    assert world.trial.run().left_behind == 0


def test_a_rounded_quota_is_told_and_is_no_loss() -> None:
    world = World().fill()
    world.old.fill(Mailbox(ANN, quota=GB + 1), password=HASH)
    world.new.features = replace(ABLE, quota_unit=1024**2)
    world.new.rounds = lambda thing: replace(thing, quota=GB + 1024**2) if thing.key == ANN else thing
    world.trial.run()
    fate, note = world.outcome("mailboxes", ANN)
    assert fate is Fate.NORMALISED
    assert "1,025 MB, not 1,024.00 MB (rounded up)" in note


def test_a_quota_the_panel_clamps_in_silence_is_told_as_altered() -> None:
    world = World().fill()
    world.new.rounds = lambda thing: replace(thing, quota=GB) if thing.key == CID else thing
    world.trial.run()
    assert world.outcome("mailboxes", CID)[0] is Fate.ALTERED
    assert world.trial.verify().differences == 0  # it is on record, with its cure


def test_a_change_at_the_source_follows_for_what_we_made() -> None:
    world = World().fill()
    world.trial.run()
    world.old.fill(Mailbox(ANN, quota=3 * GB), password=HASH)
    world.trial.run()
    assert world.new.things["mailbox", ANN] == Mailbox(ANN, quota=3 * GB)


def test_mailboxes_outside_the_plan_are_counted_and_not_made() -> None:
    world = World(ANN).fill()
    world.trial.run()
    assert [one.key for one in world.new.there(Mailbox, "example.com")] == [ANN]
    assert world.outcome("mailboxes", BOB) == (Fate.SKIPPED, "not among the plan's accounts")


def test_an_account_the_source_does_not_know_is_told() -> None:
    world = World(ANN, "nobody@example.com").fill()
    world.trial.run()
    (finding,) = world.trial.findings("run")
    assert finding.text == "nobody@example.com: the source panel has no such mailbox"


def test_renamed_addresses_are_renamed_wherever_they_stand() -> None:
    world = World((ANN, "anna@example.net"), (BOB, "bob@example.net"), (CID, "cid@example.net")).fill()
    world.trial.run()
    assert sorted(one.key for one in world.new.there(Mailbox, "example.net")) == [
        "anna@example.net",
        "bob@example.net",
        "cid@example.net",
    ]
    assert world.new.things["forwarder", "info@example.net"] == Forwarder(
        "info@example.net", (Destination("anna@example.net"), Destination("bob@example.net"))
    )
    assert world.new.things["catch-all", "example.net"] == CatchAll("example.net", Destination("anna@example.net"))


def test_what_the_target_cannot_have_is_left_behind_with_a_reason() -> None:
    world = World().fill()
    world.new.features = replace(
        ABLE, creates=ABLE.creates - {Filter}, destinations=frozenset({Way.ADDRESS}), title="Poor"
    )
    world.trial.run()
    assert world.outcome("filters", "ann@example.com: ofertas") == (Fate.LEFT_BEHIND, "Poor has no filter")
    assert world.outcome("forwarders", "gone@example.com") == (
        Fate.LEFT_BEHIND,
        "Poor cannot refuse mail for single addresses",
    )


def test_a_missing_domain_that_cannot_be_made_is_told_and_nothing_is_tried() -> None:
    world = World().fill()
    world.new.features = replace(ABLE, creates=ABLE.creates - {Domain})
    result = world.trial.run()
    assert result.codes == {"not-found"}
    assert not world.new.writes


def test_a_refused_token_ends_the_endpoint_with_one_try() -> None:
    world = World(ANN, "x@example.net", "y@example.org").fill()
    world.new.login_refused = True
    result = world.trial.run()
    assert result.codes == {"endpoint-refused"}
    assert world.new.calls["login"] == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 11))
def test_an_answer_that_was_lost_is_looked_up(number: int, moment: str) -> None:
    world = World().fill()
    world.new.drops[number] = moment
    result = world.trial.run()
    assert not result.codes
    assert sum(world.trial.fates().values()) == 9
    assert world.trial.fates()[Fate.FOUND] == 0, "what we made is not taken for somebody else's"
    assert sum(what.startswith("create mailbox") for what in world.new.writes) == 3


def test_lists_and_databases_are_named() -> None:
    world = World().fill()
    world.trial.run()
    told = {row.label: row.why for row in world.trial.actions().values()}
    assert told["mailing lists"] == "1 (news@example.com): members move with a lists step"
    assert told["databases"] == "1 (acme_wp): form entries move with a forms step"


# -- passwords that are another for the time of a run --------------------------------------------------------------------


def test_source_passwords_are_changed_only_when_the_plan_says_so() -> None:
    world = World().fill()
    world.trial.run()
    assert not world.old.writes


def test_unknown_source_passwords_are_known_for_the_run_and_put_back_at_its_end() -> None:
    world = World(ANN, BOB, temporary_source_passwords=True).fill()
    world.old.features = replace(ABLE, schemes=frozenset({"SHA512-CRYPT", "MD5-CRYPT"}))
    world.route.logins[Side.SOURCE, BOB] = Login(BOB, BOB, SecretStr("known"))
    seen: list[str] = []
    world.old.before_write = lambda what: seen.append(f"{what}: {sorted(world.route.strongbox.held)}")
    world.trial.run()
    held = "['ann@example.com/hash', 'ann@example.com/temporary']"
    assert seen == [f"password {ANN}: {held}", f"password {ANN}: {held}"], "it is written down before it is changed"
    assert world.new.passwords[ANN] == HASH, "the one for a while goes nowhere else"
    assert world.old.passwords[ANN] == HASH
    assert not world.route.strongbox.held


def test_a_run_that_is_stopped_puts_source_passwords_back() -> None:
    world = World(ANN, temporary_source_passwords=True).fill()
    world.old.after_write = lambda _: world.trial.stop.ask("Ctrl-C")
    world.trial.run()
    assert world.old.passwords[ANN] == HASH
    assert not world.route.strongbox.held


@pytest.mark.parametrize("lacking", [{"schemes": frozenset()}, {"sets_hashes": False}])
def test_a_source_that_cannot_be_given_a_hash_back_is_never_changed(lacking: dict[str, Any]) -> None:
    world = World(ANN, temporary_source_passwords=True).fill()
    world.old.features = replace(ABLE, **lacking)
    result = world.trial.run()
    assert "by-hand" in result.codes
    assert not world.old.writes


def test_a_password_that_cannot_be_put_back_is_told_and_kept_for_the_next_run() -> None:
    world = World(ANN, temporary_source_passwords=True).fill()
    world.old.drops[2] = "before"
    result = world.trial.run()
    assert result.codes == {"dropped"}
    assert world.old.passwords[ANN] != HASH
    assert world.route.strongbox.held["ann@example.com/hash"] == HASH.hash
    world.trial.run()
    assert world.old.passwords[ANN] == HASH
    assert not world.route.strongbox.held


def test_a_preview_tells_who_is_left_behind_without_a_password_and_who_is_not_at_the_source() -> None:
    world = World(ANN, "nobody@example.com", passwords="known").fill()
    lines = world.details("mailboxes")
    assert lines[0] == "! ann@example.com  1 GB  (no password is known)"
    assert lines[-1] == "! nobody@example.com: the source panel has no such mailbox"


def test_a_forwarder_whose_copy_would_be_lost_is_left_behind_before_it_is_tried() -> None:
    world = World().fill()
    world.old.fill(Forwarder(ANN, (Destination("else@example.net"),), keeps_copy=True))
    world.new.features = replace(ABLE, keeps={"forwarder.copy kept": lost("it forwards without a copy")})
    world.trial.run()
    assert world.outcome("forwarders", ANN) == (Fate.LEFT_BEHIND, "it forwards without a copy")
