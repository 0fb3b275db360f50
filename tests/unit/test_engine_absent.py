"""Nobody logs in to accounts that are not at the target, nor to any while nobody knows which there are."""

from migrator.engine.contract import Verb
from migrator.engine.stage import Stage
from migrator.lists.model import Member
from migrator.lists.options import ListsOptions
from migrator.lists.step import KIND as LISTS_KIND
from migrator.panel.model import Mailbox, with_scheme
from migrator.panel.options import AccountsOptions
from migrator.panel.step import KIND
from migrator.testing.memory_lists import ListsRoute, MemoryLists
from migrator.testing.memory_panel import MemoryPanel, PanelRoute, accounts_of
from migrator.testing.toy_room import KIND as WORDS_KIND
from migrator.testing.toy_room import Shelf as ToyShelf
from migrator.testing.toy_room import ToyOptions, ToyRoute
from migrator.testing.trial import Trial

ANN = "ann@example.com"


class World:
    """An accounts stage, and behind it one of another room that logs in to the same endpoints."""

    def __init__(self) -> None:
        self.old, self.new = MemoryPanel("old"), MemoryPanel("new")
        self.old.fill(Mailbox(ANN), password=with_scheme("$6$salt$hash"))
        self.here, self.there = ToyShelf("old"), ToyShelf("new")
        self.here.fill(ANN, "nouns", "one", "two")
        accounts = accounts_of(ANN)
        panels = Stage("accounts", "accounts", KIND.build(AccountsOptions(), accounts), PanelRoute(self.old, self.new))
        route = ToyRoute(self.here, self.there)
        route_of_words = Stage("words", "words", WORDS_KIND.build(ToyOptions(), accounts), route)
        self.trial = Trial([panels, route_of_words])


def test_an_account_that_is_to_be_made_is_not_logged_in_to_by_a_preview() -> None:
    world = World()
    seen = world.trial.preview()
    assert world.there.tries[ANN] == 0
    assert seen.codes <= {"not-made"}


def test_after_it_was_made_the_next_stage_goes_on() -> None:
    world = World()
    assert not world.trial.run().codes
    assert world.there.contents(ANN) == {"nouns": ["one", "two"]}


def test_a_panel_that_refuses_costs_no_login_of_anybody() -> None:
    world = World()
    world.new.login_refused = True
    result = world.trial.run()
    assert "endpoint-refused" in result.codes
    assert world.there.tries[ANN] == 0
    assert Verb.CREATE not in {row.verb for row in world.trial.actions().values()}


def test_lists_are_no_accounts_and_move_though_nobody_knows_which_accounts_there_are() -> None:
    panels = World()
    panels.new.login_refused = True
    old, new = MemoryLists("old"), MemoryLists("new")
    old.fill("news@example.com", None, Member(ANN))
    step = LISTS_KIND.build(ListsOptions(), accounts_of(ANN))
    trial = Trial([panels.trial.stages[0], Stage("lists", "lists", step, ListsRoute(old, new))])
    result = trial.run()
    assert "endpoint-refused" in result.codes
    assert [*new.people("news@example.com")] == [ANN]
