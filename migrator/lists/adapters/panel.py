"""What the endpoint's own panel knows of lists, where no list server can be asked: the endpoint needs a `panel` service beside this one.

As a source: a panel that tells who is on its lists (Plesk), by addresses alone. Names and options come with `type: mailman2` from the web
admin behind the panel, which cPanel opens with a one-time password.

As a target: a panel that has no lists (HestiaCP) and forwards mail. With `forwarders: true` a list of fewer than twenty members becomes a
forwarder to all of them. What surprises: such a forwarder is no list. Bounces go to whoever wrote, senders' domains with strict SPF or DMARC
are refused by some members' servers, nobody can join or leave. Until it is filled, its mail goes to postmaster of its domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from pydantic import Field, SecretStr

from migrator.addresses import ascii_domain, same_form, split
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointRefused, NotFound, Refused
from migrator.lists.contract import ListReader, ListWriter
from migrator.lists.model import (
    MEMBER_OPTIONS,
    Features,
    MailingList,
    Member,
    Put,
    Role,
    Settings,
    member_without_lost,
    without_settings,
)
from migrator.panel.contract import PANEL, PanelReader, PanelWriter, ReadsLists
from migrator.panel.model import Destination, Forwarder, ListName, Way, lost

FEWER_THAN = 20  # members; beyond that a forwarder without bounce handling does harm
KEEPER = "postmaster"  # gets the mail of a forwarder that is not filled yet (RFC 2142 wants this address everywhere)


class Options(Service):
    """The panel of the same endpoint."""

    forwarders: bool = Field(
        default=False,
        description=f"Where the panel has no mailing lists, make a forwarder of each list with fewer than {FEWER_THAN} members; larger ones "
        "are left behind. A forwarder handles no bounces, and nobody can join or leave it.",
    )


_OF_A_PANEL = {
    **without_settings("the panel keeps no settings of lists"),
    **{f"member.{name}": lost("the panel keeps addresses alone") for name in MEMBER_OPTIONS},
}
FEATURES = Features(
    title="the panel's lists",
    roles=frozenset({Role.MEMBER}),
    tells={f"member.{name}": lost("the panel tells addresses alone") for name in MEMBER_OPTIONS},
    keeps=_OF_A_PANEL,
    at_once=1000,  # a forwarder is made whole
    creates=False,
    asks_panel=True,
)
FORWARDERS = Features(
    title="a forwarder",
    roles=frozenset({Role.MEMBER}),
    keeps={
        **without_settings("a forwarder has no settings"),
        **{f"member.{name}": lost("a forwarder has addresses alone") for name in MEMBER_OPTIONS},
    },
    at_once=1000,
    asks_panel=True,
    fewer_than=FEWER_THAN,
)


class PanelLists:
    """The panel's lists, or its forwarders, being read."""

    def __init__(self, options: Options, login: Login) -> None:
        del login
        self._forwards = options.forwarders
        self._panel: PanelReader | None = None

    @property
    def features(self) -> Features:
        """What is made of a list here."""
        return FORWARDERS if self._forwards else FEATURES

    def ask(self, panel: PanelReader) -> None:
        """Ask this panel."""
        self._panel = panel

    def lists(self) -> Sequence[MailingList]:
        """Every list, or every forwarder, of every domain."""
        panel = self._asked()
        noun: type[Forwarder | ListName] = Forwarder if self._forwards else ListName
        if noun not in panel.features.lists:
            raise EndpointRefused(
                f"{panel.features.title} names no mailing lists.",
                remedy="To bring lists from there, name their own service in the plan: lists: {type: mailman2, ...}. To bring lists there, name "
                "a Mailman 3 elsewhere (type: mailman3) or files (csv, google_csv); or, for lists of a few people, say forwarders: true.",
            )
        return [
            MailingList(one.address)
            for domain in panel.domains()
            for one in panel.list(noun, ascii_domain(domain.name))
        ]

    def settings(self, address: str) -> Settings:
        """Nothing is told. Raises NotFound."""
        self._there(address)
        return Settings()

    def roster(self, address: str, role: Role) -> Iterator[Sequence[Member]]:
        """The members, by address."""
        self._there(address)
        members = [Member(same_form(one)) for one in self._members(address)] if role is Role.MEMBER else []
        return iter([members] if members else [])

    def as_kept(self, member: Member) -> Member:
        """The address."""
        return member_without_lost(member, self.features)

    def settings_as_kept(self, settings: Settings) -> Settings:
        """Nothing."""
        del settings
        return Settings()

    def close(self) -> None:
        """The panel's session is closed by whoever opened it."""

    def _members(self, address: str) -> Sequence[str]:
        panel = self._asked()
        if self._forwards:
            return [one.value for one in self._forwarder(address).destinations if one.way is Way.ADDRESS]
        if not panel.features.reads_lists or not isinstance(panel, ReadsLists):
            raise EndpointRefused(
                f"{panel.features.title} does not tell who is on its lists.",
                remedy="Name the lists' web admin in the plan: lists: {type: mailman2, url: ...}.",
            )
        return panel.members_of(address)

    def _forwarder(self, address: str) -> Forwarder:
        forwarders = self._asked().list(Forwarder, split(address)[1])
        found = next((one for one in forwarders if one.key == same_form(address).lower()), None)
        if found is None:
            raise NotFound(f"{address}: the panel has no such forwarder.")
        return found

    def _there(self, address: str) -> None:
        if self._forwards:
            self._forwarder(address)
        elif address.lower() not in {one.key for one in self._asked().list(ListName, split(address)[1])}:
            raise NotFound(f"{address}: the panel has no such list.")

    def _asked(self) -> PanelReader:
        if self._panel is None:
            raise EndpointRefused(
                "These lists are the panel's, and no panel was asked.", remedy="Report this as a bug."
            )
        return self._panel


class PanelForwarders(PanelLists):
    """The panel's forwarders, being made of lists."""

    def create_list(self, address: str, owner: str, password: SecretStr | None) -> None:
        """A forwarder to postmaster, until its members come."""
        del owner, password
        self._writer().create(Forwarder(same_form(address), (self._keeper(address),)))

    def configure(self, address: str, settings: Settings) -> None:
        """There is nothing to set."""
        self._there(address)
        if settings.told():
            raise Refused(f"{address}: a forwarder has no settings.")

    def add(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """All of them, or nobody where that would be too many for a forwarder."""
        there = self._forwarder(address)
        known = {one.value.lower() for one in there.destinations}
        fresh = {one.key: one for one in members if one.key not in known}
        stay = [one for one in there.destinations if one != self._keeper(address) or not fresh]
        if len(stay) + len(fresh) >= FEWER_THAN:
            total = (
                f"{len(stay) + len(fresh):,} members are too many for a forwarder, which is for fewer than {FEWER_THAN}"
            )
            refused = Put(refused=total, remedy="Give the list a place on a Mailman 3, or keep it as CSV.")
            return [Put(already=True) if one.key in known else refused for one in members]
        wrong = {key: Put(refused="this is no address") for key in fresh if not all(split(key)) or " " in key}
        coming = tuple(Destination(same_form(one.address)) for key, one in fresh.items() if key not in wrong)
        if coming:
            wanted = Forwarder(there.address, tuple(sorted((*stay, *coming))), there.keeps_copy)
            self._writer().change(wanted, there)
        return [wrong.get(one.key) or Put(already=one.key in known) for one in members]

    def update(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """There is nothing to change of an address."""
        known = {one.value.lower() for one in self._forwarder(address).destinations}
        return [Put() if one.key in known else Put(refused="mail is not forwarded there") for one in members]

    def remove(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """They get no mail any more; where nobody is left, postmaster does."""
        there = self._forwarder(address)
        leaving = {one.key for one in members}
        stay = tuple(one for one in there.destinations if one.value.lower() not in leaving)
        if stay != there.destinations:
            wanted = Forwarder(there.address, stay or (self._keeper(address),), there.keeps_copy)
            self._writer().change(wanted, there)
        return [Put() for _ in members]

    @staticmethod
    def _keeper(address: str) -> Destination:
        return Destination(f"{KEEPER}@{split(address)[1]}")

    def _writer(self) -> PanelWriter:
        panel = self._asked()
        if not {Forwarder} <= panel.features.creates & panel.features.changes:
            raise Refused(f"{panel.features.title} cannot be given forwarders.")
        return cast("PanelWriter", panel)  # a session that writes is given one that writes


def _read(options: Options, login: Login) -> ListReader:
    return PanelLists(options, login)


def _fill(options: Options, login: Login) -> ListWriter:
    if not options.forwarders:
        raise EndpointRefused(
            "A panel's lists are filled through their web admin.",
            remedy="Say lists: {type: mailman2, url: ...} for this endpoint. Where the panel has no lists: type: mailman3 for a Mailman elsewhere, "
            "csv or google_csv for files; or, for lists of a few people, forwarders: true.",
        )
    return PanelForwarders(options, login)


ADAPTER: Adapter[ListReader, ListWriter] = Adapter(
    word="panel",
    title="the panel's lists",
    options=Options,
    reader=_read,
    writer=_fill,
    connections=lambda _: (1, 1),
    leans_on=lambda _: (
        PANEL.service,
        "the endpoint has no panel service, which tells of the lists. Add one beside it",
    ),
)
