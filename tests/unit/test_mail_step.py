"""The mail step between two servers in memory: what a run makes of each kind of mailbox, and what a verification then says."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from migrator.engine.contract import Account, BatchLimit, Fate, Login, Outcome, Size, Verb
from migrator.engine.events import StageBegan
from migrator.engine.lease import utc_now
from migrator.engine.ledger import ActionRow, Ending, Status
from migrator.engine.report import added, report
from migrator.engine.stage import Stage
from migrator.engine.stop import Stop
from migrator.mail.model import Opened
from migrator.mail.options import MailOptions
from migrator.mail.step import KIND, MailStep
from migrator.panel.model import Mailbox, with_scheme
from migrator.panel.options import AccountsOptions
from migrator.panel.step import KIND as PANEL
from migrator.testing.memory_mail import (
    Manners,
    MemoryReader,
    MemoryRoute,
    MemoryServer,
    Stored,
    normalises_as_courier,
    refuses_as_cyrus,
)
from migrator.testing.memory_panel import MemoryPanel, PanelRoute, accounts_of
from migrator.testing.trial import Trial

ALICE, BOB = "alice@example.com", "bob@example.com"
OLD, NEW = Manners("old"), Manners("new")
WITHOUT_CONDSTORE = Manners("old", tells_changes=False)


def mail(n: int, body: str = "the body", *, named: bool = True) -> bytes:
    name = f"Message-ID: <{n}@example.com>\r\n" if named else ""
    return f"{name}Subject: {n}\r\n\r\n{body}\r\n".encode()


@dataclass
class Move:
    """Alice's mail on its way from one server to another; servers and state outlive each run."""

    options: dict[str, object] = field(default_factory=dict)
    source_manners: Manners = OLD
    target_manners: Manners = NEW
    items: int = 2
    people: tuple[str, ...] = (ALICE,)

    def __post_init__(self) -> None:
        self.source = MemoryServer("old", self.people, self.source_manners)
        self.target = MemoryServer("new", self.people, self.target_manners)
        self.trial = Trial([self.stage()])

    def stage(self) -> Stage:
        accounts = {person: Account(Login(person, person), Login(person, person)) for person in self.people}
        step = MailStep(MailOptions.model_validate(self.options), accounts, BatchLimit(items=self.items))
        return Stage("mail", "mail", step, MemoryRoute(self.source, self.target))

    def with_options(self, **options: object) -> "Move":
        """The admin has changed the plan between two runs."""
        self.options = options
        self.trial.stages = [self.stage()]
        return self

    def run(self, workers: int = 1) -> Ending:
        self.trial.workers = workers
        return self.trial.run().ending

    def put(self, *messages: bytes, folder: str = "INBOX", flags: tuple[str, ...] = ()) -> list[int]:
        return [self.source.put(ALICE, folder, raw, flags) for raw in messages]

    def there(self, folder: str = "INBOX") -> list[Stored]:
        return self.target.contents(ALICE)[folder]

    def texts(self, folder: str = "INBOX") -> Counter[bytes]:
        return Counter(stored.raw for stored in self.there(folder))

    def flags(self, folder: str = "INBOX") -> list[set[str]]:
        return [set(stored.flags) for stored in self.there(folder)]

    def adds(self) -> list[str]:
        return [what for what in self.target.writes if what.startswith("add")]

    def outcomes(self, folder: str = "INBOX") -> dict[int, Outcome]:
        """By the source's uid."""
        key = f"mail/old>new/{ALICE}/{folder}"
        return {int(one.key.partition("/")[2]): one for one in self.trial.store.outcomes(key)}

    def fates(self) -> Counter[Fate]:
        return self.trial.fates()

    def action(self, folder: str) -> ActionRow:
        return self.trial.actions()[f"{ALICE}/{folder}"]

    def notes(self) -> list[str]:
        return [finding.code for finding in self.trial.findings("run")]

    def foreseen(self) -> tuple[Size, list[str]]:
        """What a preview says is to be moved, and what it foresees."""
        [stage] = self.trial.preview(self.trial.store).stages
        return added(action.size for _, action in stage.actions), [finding.text for finding in stage.findings]

    def differences(self) -> list[str]:
        self.trial.verify()
        return [finding.code for finding in self.trial.findings("verify")]


# -- folders -----------------------------------------------------------------------------------------------------------


def test_every_folder_and_message_arrives_byte_for_byte_with_flags_and_date() -> None:
    move = Move()
    date = datetime(2019, 2, 3, 4, 5, 6, tzinfo=UTC)
    for n in range(5):
        move.source.put(ALICE, "Work/2024", mail(n), ["\\Seen", "$Forwarded"] if n % 2 else [], date)
    move.run()
    copied = [(stored.raw, stored.flags, stored.date) for stored in move.there("Work/2024")]
    assert copied == [(mail(n), {"\\Seen", "$Forwarded"} if n % 2 else set(), date) for n in range(5)]


def test_empty_folders_are_made_too() -> None:
    move = Move()
    move.source.make(ALICE, "Later")
    move.run()
    assert "Later" in move.target.contents(ALICE)


def test_subscriptions_are_carried() -> None:
    move = Move()
    move.source.make(ALICE, "Read", subscribed=True)
    move.source.make(ALICE, "Unread")
    move.run()
    assert move.target.subscriptions(ALICE) == {"Read"}


def test_a_subscription_that_came_later_is_carried_by_the_next_run() -> None:
    move = Move()
    move.source.make(ALICE, "Read")
    move.run()
    move.source.make(ALICE, "Read", subscribed=True)
    move.run()
    assert move.target.subscriptions(ALICE) == {"Read"}


def test_without_subscriptions_in_the_plan_none_is_carried() -> None:
    move = Move({"subscriptions": False})
    move.source.make(ALICE, "Read", subscribed=True)
    move.run()
    assert move.target.subscriptions(ALICE) == set()


def test_subscriptions_of_the_targets_own_user_stay() -> None:
    move = Move()
    move.target.make(ALICE, "Mine", subscribed=True)
    move.source.make(ALICE, "Read", subscribed=True)
    move.run()
    assert move.target.subscriptions(ALICE) == {"Mine", "Read"}


def a_star(folder: str) -> str:
    return "Mailbox name has a star" if "*" in folder else ""


def test_a_folder_whose_name_is_refused_arrives_under_a_repaired_one() -> None:
    move = Move(target_manners=Manners("new", refuses_folder=a_star))
    move.put(mail(1), folder="Top *")
    move.run()
    [repaired] = move.target.contents(ALICE).keys() - {"INBOX"}
    assert move.texts(repaired) == Counter([mail(1)])


def test_a_repaired_name_is_told_with_the_words_of_the_refusal() -> None:
    move = Move(target_manners=Manners("new", refuses_folder=a_star))
    move.put(mail(1), folder="Top *")
    move.run()
    [finding] = move.trial.findings("run")
    assert (finding.code, finding.about) == ("renamed", "Top *")
    assert "Mailbox name has a star" in finding.text


def test_a_repaired_name_holds_in_every_later_run() -> None:
    move = Move(target_manners=Manners("new", refuses_folder=a_star))
    move.put(mail(1), folder="Top *")
    move.run()
    folders = set(move.target.contents(ALICE))
    move.put(mail(2), folder="Top *")
    move.run()
    [repaired] = folders - {"INBOX"}
    assert set(move.target.contents(ALICE)) == folders
    assert move.texts(repaired) == Counter([mail(1), mail(2)])
    assert move.differences() == []


def no_more_folders(folder: str) -> str:
    return "" if folder == "INBOX" else "No more folders for you"


def test_a_folder_that_cannot_be_made_at_all_fails_with_the_words_of_the_refusal() -> None:
    move = Move(target_manners=Manners("new", refuses_folder=no_more_folders))
    move.put(mail(1), folder="Work")
    move.put(mail(2))
    assert move.run() is Ending.FAILED
    assert move.action("Work").status is Status.FAILED
    assert "No more folders for you" in move.action("Work").why
    assert "folders: map:" in move.action("Work").cure


def test_a_folder_that_cannot_be_made_keeps_no_other_waiting() -> None:
    move = Move(target_manners=Manners("new", refuses_folder=no_more_folders))
    move.put(mail(1), folder="Work")
    move.put(mail(2))
    move.run()
    assert move.texts() == Counter([mail(2)])


def when_adding(server: MemoryServer, does: Callable[[], object], at: int = 1) -> None:
    """Do something at the source just as the nth message is about to arrive at the target."""
    count = iter(range(1, 1000))
    server.before_write = lambda what: does() if what.startswith("add") and next(count) == at else None


def test_a_folder_that_vanishes_midway_is_failed_with_a_reason() -> None:
    move = Move(items=1)
    move.put(*(mail(n) for n in range(9)), folder="Work")
    when_adding(move.target, lambda: move.source.remove(ALICE, "Work"), at=2)
    assert move.run() is Ending.FAILED
    assert (move.action("Work").status, move.action("Work").why) == (
        Status.FAILED,
        f"{ALICE}: old has no folder Work.",
    )


def test_a_folder_whose_pass_was_broken_off_says_how_many_messages_are_open() -> None:
    move = Move(items=2)
    move.put(*(mail(n) for n in range(9)))

    def die() -> None:
        raise KeyboardInterrupt

    when_adding(move.target, die, at=3)
    with pytest.raises(KeyboardInterrupt):
        move.run()
    move.target.before_write = lambda what: None

    told = {action.label: action.amounts for _, action in move.trial.preview(move.trial.store).stages[0].actions}
    assert told["INBOX"] == (
        "a pass was broken off here: 5 of 9 messages are open, of which 2 may have arrived; that is looked into first"
    )
    move.run()
    assert move.texts() == Counter(mail(n) for n in range(9))


def test_what_was_to_be_looked_at_is_not_told_of_a_folder_that_is_done() -> None:
    move = Move()
    message, *_ = move.put(mail(1), mail(2))
    move.run()
    move.source.change_flags(ALICE, "INBOX", message, ["\\Seen"])

    told = {action.label: action.amounts for _, action in move.trial.preview(move.trial.store).stages[0].actions}
    assert told["INBOX"] == "something changed since the last pass; it is looked at again"
    move.run()
    assert (move.action("INBOX").status, move.action("INBOX").why) == (Status.DONE, "")


def test_a_folder_that_vanishes_midway_keeps_what_was_copied_and_lets_others_go_on() -> None:
    move = Move(items=1)
    move.put(*(mail(n) for n in range(9)), folder="A")
    move.put(mail(77), folder="B")
    when_adding(move.target, lambda: move.source.remove(ALICE, "A"), at=2)
    move.run()
    assert move.there("A")
    assert move.texts("B") == Counter([mail(77)])


# -- messages that do not arrive, or not as they were --------------------------------------------------------------------


def test_a_message_larger_than_max_size_is_skipped_with_the_rule_that_says_so() -> None:
    move = Move({"max_size": "1kB"})
    move.put(mail(1), mail(2, "x" * 2000))
    assert move.run() is Ending.DONE
    assert move.fates() == {Fate.COPIED: 1, Fate.SKIPPED: 1}
    assert move.outcomes()[2].note == "larger than max_size 1.0 KB"


@pytest.mark.parametrize(
    ("policy", "arrives"),
    [("copy", [{"\\Seen", "\\Deleted"}, set()]), ("unmark", [{"\\Seen"}, set()]), ("skip", [set()])],
)
def test_messages_marked_as_deleted_are_treated_as_the_plan_says(policy: str, arrives: list[set[str]]) -> None:
    move = Move({"deleted": policy})
    move.put(mail(1), flags=("\\Deleted", "\\Seen"))
    move.put(mail(2))
    move.run()
    assert move.flags() == arrives


@pytest.mark.parametrize("policy", ["copy", "unmark", "skip"])
def test_whatever_is_done_with_deleted_messages_verify_finds_no_difference(policy: str) -> None:
    move = Move({"deleted": policy})
    move.put(mail(1), flags=("\\Deleted", "\\Seen"))
    move.run()
    assert move.differences() == []


def test_a_message_without_a_byte_is_skipped_with_a_note() -> None:
    move = Move()
    move.put(b"", mail(1))
    assert move.run() is Ending.DONE
    assert move.outcomes()[1].fate is Fate.SKIPPED
    assert "empty at the source" in move.outcomes()[1].note


def test_a_message_that_is_listed_but_not_delivered_is_left_behind_with_a_cure() -> None:
    move = Move()
    uid, _ = move.put(mail(1), mail(2))
    move.source.undeliverable.add((ALICE, "INBOX", uid))
    assert move.run() is Ending.LEFT_BEHIND
    assert move.outcomes()[uid].fate is Fate.LEFT_BEHIND
    assert "does not deliver" in move.outcomes()[uid].note
    assert move.outcomes()[uid].cure


def test_a_message_that_leaves_the_source_midway_is_gone_and_nothing_else_is_missed() -> None:
    move = Move(items=1)
    move.put(*(mail(n) for n in range(1, 6)))
    when_adding(move.target, lambda: move.source.remove(ALICE, "INBOX", 5))
    assert move.run() is Ending.DONE
    assert move.fates() == {Fate.COPIED: 4, Fate.GONE: 1}


def test_a_message_the_target_refuses_is_left_behind_with_its_words() -> None:
    move = Move(target_manners=Manners("new", refuses=refuses_as_cyrus), items=10)
    move.put(mail(1), mail(2, "a \0 b"), mail(3))
    assert move.run() is Ending.LEFT_BEHIND
    assert move.outcomes()[2].note == "Message contains NUL characters"
    assert move.texts() == Counter([mail(1), mail(3)])


def test_what_the_target_rewrites_without_loss_is_normalised_and_no_difference() -> None:
    move = Move(target_manners=Manners("new", normalises=normalises_as_courier))
    move.put(b"Subject: end\r\n\r\nno newline at the end")
    move.run()
    assert move.outcomes()[1].fate is Fate.NORMALISED
    assert move.outcomes()[1].note
    assert move.differences() == []


def test_what_the_target_spoils_is_altered_and_said() -> None:
    move = Move(target_manners=Manners("new", normalises=lambda raw: raw.replace(b"body", b"b")))
    move.put(mail(1))
    move.run()
    assert move.outcomes()[1].fate is Fate.ALTERED
    assert [one.fate for _, one in move.trial.store.left_behind()] == [Fate.ALTERED]


def test_a_full_account_is_failed_with_a_cure_and_the_others_are_done() -> None:
    move = Move(target_manners=Manners("new", quota=250), people=(ALICE, BOB), items=1)
    move.put(*(mail(n, "x" * 60) for n in range(5)))
    move.source.put(BOB, "INBOX", mail(1))
    move.run()
    [trouble] = move.trial.store.troubles()
    assert (trouble.subject, trouble.code, trouble.remedy) == (ALICE, "quota", "Raise its quota.")
    assert [stored.raw for stored in move.target.contents(BOB)["INBOX"]] == [mail(1)]


def test_after_room_was_made_a_full_account_gets_the_rest_and_nothing_twice() -> None:
    move = Move(target_manners=Manners("new", quota=250), items=1)
    messages = [mail(n, "x" * 60) for n in range(5)]
    move.put(*messages)
    move.run()
    move.target.manners = Manners("new")
    assert move.run() is Ending.DONE
    assert [stored.raw for stored in move.there()] == messages


# -- a target that holds mail already ------------------------------------------------------------------------------------


def test_messages_the_target_holds_already_are_found_and_not_added() -> None:
    move = Move()
    move.put(*(mail(n) for n in range(6)))
    for n in (1, 3):
        move.target.put(ALICE, "INBOX", mail(n))
    move.run()
    assert move.fates() == {Fate.FOUND: 2, Fate.COPIED: 4}
    assert move.texts() == Counter(mail(n) for n in range(6))


def test_of_twins_only_the_missing_ones_are_added() -> None:
    move = Move()
    move.put(*[mail(1)] * 3)
    move.target.put(ALICE, "INBOX", mail(1))
    move.run()
    assert move.fates() == {Fate.FOUND: 1, Fate.COPIED: 2}
    assert move.texts() == Counter({mail(1): 3})


def test_messages_without_message_id_are_found_by_content() -> None:
    move = Move()
    move.put(*(mail(n, named=False) for n in range(4)), b"no header at all")
    move.target.put(ALICE, "INBOX", mail(2, named=False))
    move.target.put(ALICE, "INBOX", b"no header at all")
    move.run()
    assert move.fates() == {Fate.FOUND: 2, Fate.COPIED: 3}


def test_equal_headers_with_another_body_are_another_message() -> None:
    move = Move()
    move.put(mail(1, "left hand"))
    move.target.put(ALICE, "INBOX", mail(1, "rightfoot"))  # the same size, date and Message-ID would prove nothing
    move.target.put(ALICE, "INBOX", mail(1, "left foot"))
    move.run()
    assert move.fates() == {Fate.COPIED: 1}
    assert move.texts() == Counter([mail(1, "left hand"), mail(1, "rightfoot"), mail(1, "left foot")])


def test_mail_that_arrives_at_the_target_is_left_alone() -> None:
    move = Move()
    move.put(mail(1), mail(2))
    move.run()
    new = move.target.put(ALICE, "INBOX", mail(99), ["\\Flagged"])
    move.put(mail(3))
    move.run()
    assert next(stored for stored in move.there() if stored.uid == new).flags == {"\\Flagged"}
    assert move.texts() == Counter(mail(n) for n in (1, 2, 3, 99))
    assert move.fates() == {Fate.COPIED: 3}


@pytest.mark.parametrize("workers", [1, 4])
def test_two_folders_that_the_plan_merges_keep_all_their_twins(workers: int) -> None:
    move = Move({"folders": {"map": {"Old": "Archive", "Older": "Archive"}}})
    move.put(mail(1), mail(1), mail(2), folder="Old")
    move.put(mail(1), mail(2), mail(3), folder="Older")
    move.run(workers)
    assert move.texts("Archive") == Counter({mail(1): 3, mail(2): 2, mail(3): 1})
    assert move.differences() == []


def test_merged_folders_are_not_copied_again_by_the_next_run() -> None:
    move = Move({"folders": {"map": {"Old": "Archive", "Older": "Archive"}}})
    move.put(mail(1), mail(2), folder="Old")
    move.put(mail(1), mail(3), folder="Older")
    move.run()
    before = move.adds()
    move.run()
    assert move.adds() == before
    assert move.fates() == {Fate.COPIED: 4}


@pytest.mark.parametrize("folder", ["Old", "Older"])
def test_a_twin_that_comes_to_one_of_two_merged_folders_is_not_taken_for_that_of_the_other(folder: str) -> None:
    move = Move({"folders": {"map": {"Old": "Archive", "Older": "Archive"}}})
    move.put(mail(1), folder="Old")
    move.put(mail(2), folder="Older")
    move.run()
    move.put(mail(1), mail(2), folder=folder)
    move.run()
    assert move.texts("Archive") == Counter({mail(1): 2, mail(2): 2})


def test_merged_folders_take_turns_also_when_one_of_them_has_nothing_to_do() -> None:
    move = Move({"folders": {"map": {"A": "Archive", "B": "Archive", "C": "Archive"}}})
    for folder in "ABC":
        move.put(mail(1), folder=folder)
    move.run()
    move.put(mail(2), folder="A")
    move.put(mail(2), folder="C")
    [stage] = move.trial.preview(move.trial.store).stages
    after = {action.key: action.after for _, action in stage.actions}
    assert f"{ALICE}/A" in after[f"{ALICE}/C"]


# -- the next pass -------------------------------------------------------------------------------------------------------


def test_new_mail_at_the_source_is_copied_by_the_next_pass_alone() -> None:
    move = Move()
    move.put(mail(1), mail(2))
    move.run()
    move.put(mail(3))
    move.run()
    assert move.adds()[-1] == f"add {ALICE} INBOX 1"
    assert move.texts() == Counter([mail(1), mail(2), mail(3)])


def test_a_pass_without_news_has_nothing_to_do_where_changes_are_counted() -> None:
    move = Move()
    move.put(mail(1))
    move.run()
    move.run()
    assert {row.verb for row in move.trial.actions().values()} == {Verb.KEEP}


def test_messages_skipped_for_their_size_are_copied_after_the_plan_allows_them() -> None:
    move = Move({"max_size": 100})
    move.put(mail(1), mail(2, "x" * 500))
    move.run()
    assert len(move.there()) == 1
    move.with_options(max_size=10_000).run()
    assert move.texts() == Counter([mail(1), mail(2, "x" * 500)])


# -- what a preview counts ---------------------------------------------------------------------------------------------

LARGE = mail(2, "x" * 500)


def test_a_preview_does_not_count_what_the_plan_leaves_at_the_source() -> None:
    move = Move({"max_size": 100, "deleted": "skip"})
    move.put(mail(1), LARGE, b"")
    move.put(mail(3), mail(4), flags=("\\Deleted",))
    counted, foreseen = move.foreseen()
    assert counted == Size(1, len(mail(1)))
    assert foreseen == [
        "1 message has no bytes at all; there is nothing to copy",
        "1 message is larger than max_size and stays",
        "2 messages are marked as deleted and stay (deleted: skip)",
    ]
    move.run()
    assert move.fates() == {Fate.COPIED: 1, Fate.SKIPPED: 4}


def test_it_counts_so_after_a_run_as_well() -> None:
    move = Move({"max_size": 100, "deleted": "skip"})
    move.put(mail(1), LARGE)
    [second] = move.put(mail(3))
    move.run()
    move.source.mailboxes[ALICE].folders["INBOX"].set_flags(second, frozenset({"\\Deleted"}))  # it was copied before
    move.put(mail(5), mail(6), LARGE)
    move.put(mail(7), flags=("\\Deleted",))
    counted, _ = move.foreseen()
    assert counted == Size(2, len(mail(5) + mail(6)))


def test_it_counts_what_was_left_behind_and_is_tried_again_unless_a_rule_skips_it_now() -> None:
    move = Move(target_manners=Manners("new", largest=100))
    move.put(mail(1), LARGE)
    move.run()
    assert move.foreseen()[0] == Size(1, len(LARGE))
    move.with_options(max_size=100)
    assert move.foreseen()[0] == Size(0, 0)


def test_it_counts_what_other_rules_skipped_before() -> None:
    move = Move({"max_size": 100})
    move.put(mail(1), LARGE, mail(3, "y" * 900))
    move.run()
    move.with_options(max_size=800)
    assert move.foreseen()[0] == Size(1, len(LARGE))
    move.run()
    assert move.fates() == {Fate.COPIED: 2, Fate.SKIPPED: 1}


@pytest.mark.parametrize(("rule", "counted"), [({"max_size": 100}, 1), ({}, 2)])
def test_it_counts_so_too_where_the_account_is_still_to_be_made(rule: dict[str, object], counted: int) -> None:
    move = Move(rule)
    move.put(mail(1), LARGE)
    old, new = MemoryPanel("old"), MemoryPanel("new")
    old.fill(Mailbox(ALICE), password=with_scheme("$6$salt$hash"))
    making = Stage("accounts", "accounts", PANEL.build(AccountsOptions(), accounts_of(ALICE)), PanelRoute(old, new))
    _, seen = Trial([making, move.stage()]).preview().stages
    assert added(action.size for _, action in seen.actions).items == counted


def test_of_many_that_stay_the_state_is_asked_in_portions() -> None:
    move = Move({"deleted": "skip"}, items=1000)
    move.put(*(mail(number) for number in range(1201)), flags=("\\Deleted",))
    move.put(mail(5000))
    assert move.foreseen()[0] == Size(1, len(mail(5000)))
    move.run()
    move.put(mail(5001))
    assert move.foreseen()[0] == Size(1, len(mail(5001)))


def test_of_a_folder_that_the_plan_leaves_out_it_is_told_how_much_stays() -> None:
    move = Move(options={"folders": {"except": ["Spam", "Empty"]}})
    move.source.make(ALICE, "Empty")
    move.put(mail(1), mail(2), folder="Spam")
    assert move.run() is Ending.DONE
    whys = {row.label: row.why for row in move.trial.actions().values()}
    assert whys["Spam"] == "except: Spam; 2 messages stay at the source"
    assert whys["Empty"] == "except: Empty"


def test_of_a_folder_that_the_plan_leaves_out_nothing_is_counted_until_it_is_asked_for() -> None:
    move = Move(options={"folders": {"except": ["Spam", "Empty"]}})
    move.source.make(ALICE, "Empty")
    move.put(mail(1), mail(2), folder="Spam")
    move.put(mail(3))

    def uncounted() -> set[str]:
        return {line.label for line in report(move.trial.store, utc_now()).lines if not line.counted}

    move.run()
    assert uncounted() == {"Spam", "Empty"}
    move.run()
    assert uncounted() == {"Spam", "Empty"}
    move.with_options().run()
    assert uncounted() == set()
    move.with_options(folders={"except": ["Spam", "Empty"]}).run()
    assert uncounted() == {"Empty"}  # what is on record of Spam is counted


def test_a_folder_left_out_after_it_was_copied_still_adds_up() -> None:
    move = Move()
    move.put(mail(1), mail(2), folder="Spam")
    move.put(mail(3))
    move.run()
    move.with_options(folders={"except": ["Spam"]}).run()
    seen = report(move.trial.store, utc_now())
    assert seen.sums.adds_up
    assert seen.sums.total.items == 3


def test_what_was_copied_to_one_mailbox_says_nothing_of_another() -> None:
    move = Move(people=(ALICE, BOB))
    move.put(mail(1))
    route = MemoryRoute(move.source, move.target)
    for other in (ALICE, BOB):
        [account] = [Account(Login(ALICE, ALICE), Login(other, other))]
        move.trial.stages = [Stage("mail", "mail", KIND.build(MailOptions(), [account]), route)]
        move.run()
    assert [stored.raw for stored in move.target.contents(BOB)["INBOX"]] == [mail(1)]


@pytest.mark.parametrize("manners", [Manners("old"), WITHOUT_CONDSTORE], ids=["with-condstore", "without-condstore"])
class TestFlagsThatChange:
    def test_a_change_at_the_source_follows(self, manners: Manners) -> None:
        move = Move(source_manners=manners)
        uid, _ = move.put(mail(1), mail(2), flags=("\\Seen",))
        move.run()
        move.source.change_flags(ALICE, "INBOX", uid, ["\\Seen", "\\Answered", "work"])
        move.run()
        assert move.flags() == [{"\\Seen", "\\Answered", "work"}, {"\\Seen"}]

    def test_a_flag_taken_off_at_the_source_is_taken_off_at_the_target(self, manners: Manners) -> None:
        move = Move(source_manners=manners)
        [uid] = move.put(mail(1), flags=("\\Seen", "\\Flagged"))
        move.run()
        move.source.change_flags(ALICE, "INBOX", uid, ["\\Seen"])
        move.run()
        assert move.flags() == [{"\\Seen"}]

    def test_what_the_user_changed_at_the_target_stays(self, manners: Manners) -> None:
        move = Move(source_manners=manners)
        move.put(mail(1))
        move.run()
        move.target.change_flags(ALICE, "INBOX", 1, ["\\Seen", "done"])
        move.run()
        assert move.flags() == [{"\\Seen", "done"}]

    def test_what_both_sides_changed_is_joined_and_nothing_the_user_did_is_undone(self, manners: Manners) -> None:
        move = Move(source_manners=manners)
        [uid] = move.put(mail(1), flags=("\\Flagged",))
        move.run()
        move.target.change_flags(ALICE, "INBOX", 1, ["\\Seen"])
        move.source.change_flags(ALICE, "INBOX", uid, ["\\Flagged", "\\Answered"])
        move.run()
        assert move.flags() == [{"\\Seen", "\\Answered", "\\Flagged"}]

    def test_a_change_is_followed_once(self, manners: Manners) -> None:
        move = Move(source_manners=manners)
        [uid] = move.put(mail(1))
        move.run()
        move.source.change_flags(ALICE, "INBOX", uid, ["\\Seen"])
        move.run()
        move.target.change_flags(ALICE, "INBOX", 1, [])
        move.run()
        assert move.flags() == [set()]

    def test_a_change_made_while_the_first_pass_was_interrupted_follows_too(self, manners: Manners) -> None:
        move = Move(source_manners=manners, items=1)
        uid, _ = move.put(mail(1), mail(2))
        when_adding(move.target, lambda: move.trial.stop.ask("Ctrl-C"), at=1)
        assert move.run() is Ending.INTERRUPTED
        move.source.change_flags(ALICE, "INBOX", uid, ["\\Seen"])
        move.trial.stop = Stop()
        move.run()
        assert move.flags() == [{"\\Seen"}, set()]

    def test_a_flag_the_target_cannot_keep_is_no_change_for_ever(self, manners: Manners) -> None:
        move = Move(source_manners=manners, target_manners=Manners("new", keywords_allowed=False))
        move.put(mail(1), flags=("\\Seen", "work"))
        move.run()
        before = list(move.target.writes)
        move.run()
        move.run()
        assert move.target.writes == before

    def test_the_unmarked_stay_unmarked(self, manners: Manners) -> None:
        move = Move({"deleted": "unmark"}, source_manners=manners)
        move.put(mail(1), flags=("\\Deleted", "\\Seen"))
        move.run()
        move.put(mail(2))
        move.run()
        assert move.flags() == [{"\\Seen"}, set()]


# -- numbers that begin anew ---------------------------------------------------------------------------------------------


def test_messages_the_source_numbers_anew_are_found_again_and_not_doubled() -> None:
    move = Move()
    move.put(mail(1), mail(2), mail(2), mail(3, named=False))
    move.run()
    move.source.renumber(ALICE, "INBOX")
    assert move.run() is Ending.DONE
    assert move.texts() == Counter([mail(1), mail(2), mail(2), mail(3, named=False)])
    assert move.fates() == {Fate.FOUND: 4}
    assert "renumbered" in move.notes()


def test_new_mail_among_messages_numbered_anew_is_copied() -> None:
    move = Move()
    move.put(mail(1), mail(2))
    move.run()
    move.source.renumber(ALICE, "INBOX")
    move.put(mail(3))
    move.run()
    assert move.fates() == {Fate.FOUND: 2, Fate.COPIED: 1}
    assert move.differences() == []


def test_a_folder_replaced_at_the_target_is_explained_and_left_alone() -> None:
    move = Move()
    move.put(mail(1))
    move.run()
    move.target.renumber(ALICE, "INBOX")
    before = list(move.target.writes)
    assert move.run() is Ending.FAILED
    assert "UIDVALIDITY changed" in move.action("INBOX").why
    assert "on_target_missing: recopy" in move.action("INBOX").cure
    assert move.target.writes == before


def test_a_folder_replaced_at_the_target_gets_what_it_lacks_when_the_plan_says_so() -> None:
    move = Move()
    move.put(mail(1), mail(2), mail(2))
    move.run()
    move.target.renumber(ALICE, "INBOX")
    move.target.remove(ALICE, "INBOX", 8)
    assert move.with_options(on_target_missing="recopy").run() is Ending.DONE
    assert move.texts() == Counter([mail(1), mail(2), mail(2)])


def test_what_was_copied_stays_where_it_is_when_the_map_changes() -> None:
    move = Move({"folders": {"map": {"Odd": "Odds"}}})
    move.put(mail(1), folder="Odd")
    move.run()
    move.with_options(folders={"map": {"Odd": "Ends", "New": "Ends"}})
    move.put(mail(2), folder="Odd")
    move.put(mail(3), folder="New")
    [preview] = move.trial.preview(move.trial.store).stages
    why = {action.label: action.why for _, action in preview.actions}["Odd -> Odds"]
    assert why == "as in the pass before, for its messages are there (not map: Odd to Ends)"
    assert move.run() is Ending.DONE
    assert (move.texts("Odds"), move.texts("Ends")) == (Counter([mail(1), mail(2)]), Counter([mail(3)]))
    assert move.differences() == []


def test_a_folder_that_is_gone_from_the_target_is_left_to_the_admin_and_not_made_anew() -> None:
    move = Move()
    move.put(mail(1), mail(2), folder="Work")
    move.run()
    move.target.remove(ALICE, "Work")
    [preview] = move.trial.preview(move.trial.store).stages
    assert {action.label: action.verb for _, action in preview.actions}["Work"] is Verb.BY_HAND
    assert move.run() is Ending.FAILED
    assert "Work" not in move.target.contents(ALICE)
    move.with_options(on_target_missing="recopy").run()
    assert move.texts("Work") == Counter([mail(1), mail(2)])


def test_of_two_folders_that_go_to_one_the_one_whose_messages_are_gone_is_told() -> None:
    move = Move({"folders": {"map": {"Work": "All", "Sent": "All"}}})
    move.put(mail(1), mail(2), folder="Work")
    move.put(mail(3), mail(4), folder="Sent")
    move.run()
    for stored in move.there("All"):
        if stored.raw in {mail(1), mail(2)}:
            move.target.remove(ALICE, "All", stored.uid)
    move.put(mail(5), folder="Work")
    move.put(mail(6), folder="Sent")
    move.run()
    [finding] = move.trial.findings("run")
    assert (finding.code, finding.about) == ("missing", "Work -> All")
    assert finding.text.startswith("2 messages copied earlier")


def test_a_count_of_yesterday_makes_no_message_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    move = Move()
    move.put(mail(1), mail(2))
    move.run()
    move.put(mail(3))
    look = MemoryReader.open

    def a_moment_ago(reader: MemoryReader, folder: str) -> Opened:
        """As of a server that was still storing what a dead run had sent."""
        opened = look(reader, folder)
        return replace(opened, messages=opened.messages - 1)

    monkeypatch.setattr(MemoryReader, "open", a_moment_ago)
    move.run()
    assert move.notes() == []


def test_found_messages_that_lack_flags_are_told_and_left_as_they_are() -> None:
    move = Move()
    move.put(mail(1), mail(2), flags=("\\Seen",))
    for n in (1, 2):
        move.target.put(ALICE, "INBOX", mail(n), ["\\Seen"] if n == 1 else [])
    move.run()
    assert sorted(one.note for one in move.outcomes().values()) == [
        "",
        "lacks flags it has at the source; left as it is",
    ]
    assert move.trial.verify().differences == 0
    assert [finding.code for _, _, _, finding in move.trial.store.findings()] == ["found-flags"]


def test_messages_missing_at_the_target_are_reported_and_not_copied_again() -> None:
    move = Move()
    move.put(mail(1), mail(2))
    move.run()
    move.target.remove(ALICE, "INBOX", 1)
    move.put(mail(3))
    move.run()
    assert move.notes() == ["missing"]
    assert move.texts() == Counter([mail(2), mail(3)])


def test_messages_missing_at_the_target_are_copied_again_when_the_plan_says_so() -> None:
    move = Move({"on_target_missing": "recopy"})
    move.put(mail(1), mail(2), mail(2))
    move.run()
    move.target.remove(ALICE, "INBOX", 2)
    move.put(mail(3))
    move.run()
    assert move.texts() == Counter([mail(1), mail(2), mail(2), mail(3)])
    assert move.fates() == {Fate.COPIED: 4}


@pytest.mark.parametrize("manners", [OLD, WITHOUT_CONDSTORE], ids=["with-condstore", "without-condstore"])
def test_messages_missing_at_the_target_are_noticed_when_the_source_has_nothing_new(manners: Manners) -> None:
    move = Move(source_manners=manners)
    move.put(mail(1), mail(2))
    move.run()
    move.target.remove(ALICE, "INBOX", 1)
    move.run()
    assert move.notes() == ["missing"]


def test_messages_missing_at_the_target_are_copied_again_when_the_source_has_nothing_new() -> None:
    move = Move()
    move.put(mail(1), mail(2))
    move.run()
    move.target.remove(ALICE, "INBOX", 1)
    move.target.put(ALICE, "INBOX", mail(99))
    move.with_options(on_target_missing="recopy").run()
    assert move.texts() == Counter(mail(n) for n in (1, 2, 99))


def test_copying_missing_messages_again_writes_nothing_when_none_is_missing() -> None:
    move = Move({"on_target_missing": "recopy"})
    move.put(mail(1), mail(2))
    move.run()
    before = list(move.target.writes)
    move.run()
    assert move.target.writes == before


def test_a_missing_message_is_copied_again_although_another_one_came_to_the_target() -> None:
    move = Move({"on_target_missing": "recopy"})
    move.put(mail(1), mail(2))
    move.run()
    move.target.remove(ALICE, "INBOX", 1)
    move.target.put(ALICE, "INBOX", mail(99))
    move.put(mail(3))
    move.run()
    assert move.texts() == Counter(mail(n) for n in (1, 2, 3, 99))


# -- verify --------------------------------------------------------------------------------------------------------------


def copied() -> Move:
    move = Move(items=10)
    move.put(mail(1), mail(2), mail(2), flags=("\\Seen",))
    move.put(mail(4))
    move.run()
    return move


def test_verify_finds_nothing_where_all_arrived() -> None:
    assert copied().differences() == []


def test_verify_finds_a_removed_message() -> None:
    move = copied()
    move.target.remove(ALICE, "INBOX", 1)
    assert move.differences() == ["missing"]


def test_verify_finds_a_doubled_message() -> None:
    move = copied()
    move.target.put(ALICE, "INBOX", mail(4))
    assert move.differences() == ["double"]


def test_verify_takes_no_strangers_mail_for_a_double() -> None:
    move = copied()
    move.target.put(ALICE, "INBOX", mail(99))
    assert move.differences() == []


def test_verify_finds_a_message_with_other_bytes() -> None:
    move = copied()
    spoil(move, 4, mail(4, "another body"))
    assert move.differences() == ["content"]


def spoil(move: Move, uid: int, raw: bytes) -> None:
    messages = move.target.mailboxes[ALICE].folders["INBOX"].messages
    messages[uid] = Stored(uid, raw, messages[uid].flags, messages[uid].date)


def test_verify_finds_a_missing_flag() -> None:
    move = copied()
    move.target.change_flags(ALICE, "INBOX", 1, [])
    assert move.differences() == ["flags"]


def test_verify_finds_a_message_that_came_after_the_run() -> None:
    move = copied()
    move.put(mail(5))
    assert move.differences() == ["not-copied"]


def test_verify_names_each_kind_of_trouble_once_with_its_count() -> None:
    move = copied()
    for uid in (1, 2):
        move.target.remove(ALICE, "INBOX", uid)
    move.differences()
    [finding] = move.trial.findings("verify")
    assert finding.text.startswith("2 messages")


def test_verify_reads_messages_that_were_found_from_both_sides() -> None:
    move = Move()
    move.put(mail(1, "left"))
    move.target.put(ALICE, "INBOX", mail(1, "left"))
    move.run()
    spoil(move, 1, mail(1, "otherwise"))
    assert move.differences() == ["found-content"]


# -- two steps that share the folders ----------------------------------------------------------------------------------


def shared_out() -> Move:
    """A move of two steps: the inbox first, then all the rest."""
    move = Move({"folders": {"only": ["INBOX"]}})
    first = move.stage()
    move.with_options(folders={"except": ["INBOX"]})
    move.trial.stages = [first, replace(move.stage(), name="rest")]
    move.put(mail(1), mail(2))
    move.put(mail(3), folder="Work")
    move.run()
    return move


def test_a_verification_compares_what_each_of_two_steps_has_moved() -> None:
    move = shared_out()
    assert move.differences() == []

    move.target.remove(ALICE, "INBOX", move.there()[0].uid)
    move.target.remove(ALICE, "Work", move.there("Work")[0].uid)

    assert move.differences() == ["missing", "missing"]
    assert move.trial.verify().actions == 2


def test_the_sums_of_two_steps_that_share_the_folders_add_up() -> None:
    move = shared_out()

    for _ in range(2):
        seen = report(move.trial.store, utc_now())
        assert (seen.sums.total.items, seen.sums.by_fate[Fate.COPIED].items, seen.sums.open) == (3, 3, 0)
        move.run()


def test_a_delta_is_compared_once_with_its_first_pass() -> None:
    move = Move()
    move.trial.stages = [move.stage(), replace(move.stage(), name="delta")]
    move.put(mail(1), mail(2))
    move.run()

    assert move.trial.verify().items == 2
    assert [event.step for event in move.trial.told(StageBegan) if event.verifies] == ["delta"]
