"""Lists through the endpoint's panel: a panel that tells members, and forwarders where a panel has no lists."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from pydantic import SecretStr

from migrator.engine.contract import Fate, Login, Side, Verb
from migrator.engine.stage import Stage
from migrator.errors import EndpointRefused, NotFound, PlanError, Refused
from migrator.lists.adapters import panel as panel_lists
from migrator.lists.contract import THE_LISTS, ListWriter
from migrator.lists.model import Member, Role, Settings
from migrator.lists.options import ListsOptions
from migrator.lists.step import KIND
from migrator.panel.adapters import plesk
from migrator.panel.contract import THE_PANEL
from migrator.panel.model import Destination, Domain, Forwarder, Mailbox
from migrator.testing.list_suite import everybody
from migrator.testing.memory_lists import MemoryLists, accounts_of
from migrator.testing.memory_lists import Options as NoOptions
from migrator.testing.memory_panel import MemoryPanel
from migrator.testing.memory_panel import Options as NoPanelOptions
from migrator.testing.memory_strongbox import MemoryStrongbox
from migrator.testing.panels.plesk import KEY, Plesk
from migrator.testing.trial import Trial

NEWS = "news@example.com"
LOGIN = Login(THE_LISTS, THE_LISTS)
ASKING = panel_lists.Options(forwarders=True)


def people(number: int) -> list[Member]:
    return [Member(f"p{n:02}@example.com") for n in range(number)]


@pytest.fixture
def host() -> MemoryPanel:
    host = MemoryPanel("hestia")
    host.features = replace(host.features, changes=host.features.changes | {Forwarder})
    host.fill(Domain("example.com"))
    return host


@pytest.fixture
def forwarders(host: MemoryPanel) -> ListWriter:
    session = panel_lists.ADAPTER.writer(ASKING, LOGIN)  # type: ignore[misc]  # there is one
    session.ask(host.writer(NoPanelOptions(), LOGIN))
    return session


# -- forwarders ---------------------------------------------------------------------------------------------------------


def there(host: MemoryPanel) -> list[str]:
    (one,) = host.there(Forwarder, "example.com")
    return [str(destination) for destination in one.destinations]


def test_a_small_list_becomes_a_forwarder_to_everybody(host: MemoryPanel, forwarders: ListWriter) -> None:
    forwarders.create_list(NEWS, "owner@example.com", None)
    assert there(host) == ["postmaster@example.com"]
    puts = forwarders.add(NEWS, [*people(3), Member("no address")])
    assert [put.refused for put in puts] == ["", "", "", "this is no address"]
    assert there(host) == ["p00@example.com", "p01@example.com", "p02@example.com"]
    assert [one.address for one in everybody(forwarders, NEWS)] == there(host)
    assert [one.address for one in forwarders.lists()] == [NEWS]


def test_who_is_there_stays_and_who_leaves_goes(host: MemoryPanel, forwarders: ListWriter) -> None:
    forwarders.create_list(NEWS, "", None)
    forwarders.add(NEWS, people(3))
    assert [put.already for put in forwarders.add(NEWS, people(4))] == [True, True, True, False]
    forwarders.remove(NEWS, [people(3)[1], Member("nobody@example.com")])
    assert there(host) == ["p00@example.com", "p02@example.com", "p03@example.com"]
    forwarders.remove(NEWS, people(4))
    assert there(host) == ["postmaster@example.com"]


def test_twenty_members_are_too_many_and_then_nobody_is_added(host: MemoryPanel, forwarders: ListWriter) -> None:
    forwarders.create_list(NEWS, "", None)
    puts = forwarders.add(NEWS, people(20))
    assert {put.refused for put in puts} == {"20 members are too many for a forwarder, which is for fewer than 20"}
    assert there(host) == ["postmaster@example.com"]
    assert {put.refused for put in forwarders.add(NEWS, people(19))} == {""}
    assert len(there(host)) == 19
    assert forwarders.add(NEWS, people(20))[-1].refused
    assert len(there(host)) == 19


def test_a_forwarder_that_is_there_is_never_made_again(host: MemoryPanel, forwarders: ListWriter) -> None:
    host.fill(Forwarder(NEWS, (Destination("ann@example.com"),)))
    with pytest.raises(Refused):
        forwarders.create_list(NEWS, "", None)
    with pytest.raises(NotFound):
        forwarders.add("other@example.com", people(1))
    with pytest.raises(Refused):
        forwarders.configure(NEWS, Settings(description="x"))


def test_without_being_asked_for_no_forwarder_is_made() -> None:
    with pytest.raises(EndpointRefused) as raised:
        panel_lists.ADAPTER.writer(panel_lists.Options(), LOGIN)  # type: ignore[misc]  # there is one
    assert "forwarders: true" in raised.value.remedy


# -- a panel that tells members -----------------------------------------------------------------------------------------


def test_plesk_tells_the_addresses_of_its_lists() -> None:
    with Plesk() as server:
        server.domain("example.com", lists=["news"])
        server.list_members["news"] = ["ann@example.com", "bob@example.org"]
        options = plesk.Options(url=server.url, key=SecretStr(KEY), tls_fingerprint=server.fingerprint)
        reader = panel_lists.ADAPTER.reader(panel_lists.Options(), LOGIN)
        reader.ask(plesk.ADAPTER.reader(options, Login(THE_PANEL, THE_PANEL)))
        assert [one.address for one in reader.lists()] == [NEWS]
        assert everybody(reader, NEWS) == [Member("ann@example.com"), Member("bob@example.org")]
        assert everybody(reader, NEWS, Role.OWNER) == []
        assert reader.settings(NEWS) == Settings()
        with pytest.raises(NotFound):
            reader.settings("other@example.com")


def test_a_panel_that_tells_nobody_says_what_to_use_instead(host: MemoryPanel) -> None:
    host.features = replace(host.features, lists=host.features.lists - {panel_lists.ListName})
    reader = panel_lists.ADAPTER.reader(panel_lists.Options(), LOGIN)
    reader.ask(host.reader(NoPanelOptions(), LOGIN))
    with pytest.raises(EndpointRefused) as raised:
        reader.lists()
    assert "mailman2" in raised.value.remedy


# -- the step, with the endpoint's panel ----------------------------------------------------------------------------------


@dataclass
class Route:
    """From lists in memory to an endpoint with a panel in memory, whose `lists` are that panel's."""

    old: MemoryLists
    new: MemoryPanel
    options: panel_lists.Options = ASKING
    has_panel: bool = True
    made: dict[str, SecretStr] = field(default_factory=dict)
    strongbox: MemoryStrongbox = field(default_factory=MemoryStrongbox)

    def endpoint(self, side: Side) -> str:
        return "old" if side is Side.SOURCE else "new"

    def connections(self, side: Side) -> tuple[int, int]:
        del side
        return (2, 2)

    def for_reading(self, side: Side, service: str, account: str) -> object:
        if side is Side.SOURCE:
            return self.old.reader(NoOptions(), LOGIN)
        if service == "lists":
            return panel_lists.ADAPTER.reader(self.options, LOGIN)
        assert account == THE_PANEL
        if not self.has_panel:
            raise PlanError("The endpoint new has no panel service.", remedy="Add it under endpoints in the plan.")
        return self.new.reader(NoPanelOptions(), LOGIN)

    def for_writing(self, side: Side, service: str, account: str) -> object:
        assert side is Side.TARGET
        if service == "panel":
            assert account == THE_PANEL
            return self.new.writer(NoPanelOptions(), LOGIN)
        return panel_lists.ADAPTER.writer(self.options, LOGIN)  # type: ignore[misc]  # there is one

    def login(self, side: Side, account: str) -> Login:
        del side
        return Login(account, account)

    def keep_password(self, account: str, password: SecretStr) -> None:
        self.made[account] = password


def trial_of(route: Route) -> Trial:
    step = KIND.build(ListsOptions(), accounts_of("ann@example.com"))
    return Trial([Stage("lists", "lists", step, route)])


def test_the_step_makes_forwarders_of_small_lists_and_makes_nothing_of_large_ones(host: MemoryPanel) -> None:
    old = MemoryLists("old")
    old.fill(NEWS, Settings(description="News"), Member("owner@example.com", role=Role.OWNER), *people(5))
    old.fill("big@example.com", Settings(), *people(25))
    trial = trial_of(Route(old, host))
    trial.run()
    by_key = {one.key: one for one in host.there(Forwarder, "example.com")}
    assert len(by_key[NEWS].destinations) == 5
    assert "big@example.com" not in by_key
    told = {row.subject: row.why for row in trial.actions().values() if row.verb is Verb.BY_HAND}
    assert [*told] == ["big@example.com"]
    assert told["big@example.com"].startswith(
        "big@example.com: 25 members are too many for a forwarder, which is for fewer than 20. Give"
    )
    assert trial.verify().differences == 0
    del old.people(NEWS)["p03@example.com"]
    trial.run()
    (one,) = [one for one in host.there(Forwarder, "example.com") if one.key == NEWS]
    assert [str(destination) for destination in one.destinations] == [f"p0{n}@example.com" for n in (0, 1, 2, 4)]
    assert trial.fates()[Fate.GONE] == 1


def test_an_endpoint_without_a_panel_is_told_in_a_sentence(host: MemoryPanel) -> None:
    old = MemoryLists("old")
    old.fill(NEWS, Settings(), *people(2))
    route = Route(old, host, has_panel=False)
    host.fill(Mailbox("ann@example.com"))
    with pytest.raises(PlanError, match="has no panel service"):
        trial_of(route).run()
