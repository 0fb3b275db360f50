"""What a product must be able to do to be a source or a target of mailing lists.

Reading and writing are two protocols; a session that reads cannot write, and its HTTP goes through a guard that refuses requests not
marked as reads. One session serves all lists of an endpoint: opening it proves nothing about any of them, and a list whose password is
wrong is told by LoginRefused when it is asked for, while the others go on.

Above all: **nothing an adapter does makes the product write to anybody.** No welcome, no goodbye, no request to confirm, no notice to
owners, no reminder of a password; not for a member, an owner, a moderator, nor for a list that is made. Where a request has a word for
that, it is always sent; where a list's own setting decides, that is named in `Features.noisy`, and the step has it off meanwhile. What
would send a mail whatever is said is not done: it is Refused. The contract suite counts what arrives at a mail server: 0.

An adapter never believes a status alone: an answer proves what it says in so many words, everything else is read back. Errors are ours
only: LoginRefused for a list's password, EndpointRefused for a login or an address that no list accepts (never tried again), Refused
with the product's own words for what it will not take, NotFound, Unavailable, Dropped when the answer was lost and the outcome is
unknown, Misbehaved for answers that are not what the product's documents say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from migrator.engine.contract import Contract
from migrator.lists.model import Features, MailingList, Member, Put, Role, Settings
from migrator.panel.contract import PanelReader

THE_LISTS = "lists"  # the account under which sessions are opened: one for all lists of an endpoint


class ListReader(Protocol):
    """The mailing lists of an endpoint, being read. Nothing this session does changes anything there."""

    @property
    def features(self) -> Features:
        """What this very endpoint can; it may be asked for that first."""

    def lists(self) -> Sequence[MailingList]:
        """Every list this login may see, each once, in a stable order. Cheap: one request, or one for each domain."""

    def settings(self, address: str) -> Settings:
        """What is set for a list; None for what the product does not tell. Raises NotFound, LoginRefused."""

    def roster(self, address: str, role: Role) -> Iterator[Sequence[Member]]:
        """Everybody of one role, page by page as the product gives them, streamed, in a stable order, each once; a file that names somebody
        twice tells him twice, the one who counts first. Only asked for roles in `features.roles`; empty where there is nobody. A nonmember
        without a treatment of his own is not told.

        Where the product states how many there are, what was read adds up to that number; else Misbehaved is raised at the end, and
        before anybody of the role could be taken for gone. Raises NotFound, LoginRefused.
        """

    def as_kept(self, member: Member) -> Member:
        """The member as this product would show him if it had him, asking nobody: what it has no place for is what NEUTRAL_MEMBER says,
        what it keeps in another form is in that form. as_kept of what the roster shows is the same again: two are compared by it.
        """

    def settings_as_kept(self, settings: Settings) -> Settings:
        """The same for settings; one that the product has no place for is None, and an `own` one that it does not know is not there."""

    def close(self) -> None:
        """End the session; never raises."""


class ListWriter(ListReader, Protocol):
    """The mailing lists of an endpoint, being filled. Everything here is done without a mail to anybody (see the module)."""

    def create_list(self, address: str, owner: str, password: SecretStr | None) -> None:
        """Make a list that is not there, with nobody on it. Only asked for with `features.creates`. `owner` is an address where the
        source has one ("" else); a product that makes it an owner does no harm. `password` is the list's where it has one
        (`features.list_password`). Raises Refused if the list is there already, or if the product does not take it.
        """

    def configure(self, address: str, settings: Settings) -> None:
        """Set what is told and leave the rest as it is. Raises Refused with the product's words, which name the setting if they can,
        unless all of it is set now. Only asked for what `settings_as_kept` lets pass.
        """

    def add(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Put people on a list, of one role and at most `features.at_once`, with all their options; an answer for each, in order. One who
        is there already is never changed. One who is refused (not an address, banned) never hinders another: the product's words are in
        his answer. What it does not take of the options of one who is there now is `lacking`. Raises what says nothing about single
        ones (Dropped, Unavailable); then some may be there, perhaps without all of their options.
        """

    def update(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Make people who are on a list, of one role and at most `features.at_once`, like these, with all their options; an answer for
        each, in order. One who is not there is refused, never added.
        """

    def remove(self, address: str, members: Sequence[Member]) -> Sequence[Put]:
        """Take people off a list, of one role and at most `features.at_once`; an answer for each, in order. One who is not there is
        removed already. Only asked for people whom a run of ours has put there.
        """


@runtime_checkable
class AsksPanel(Protocol):
    """A session that wants the endpoint's panel (`features.asks_panel`): for a list's one-time password, or for everything."""

    def ask(self, panel: PanelReader) -> None:
        """From now on, ask this session of the panel room; one that can write where this one can. Called before anything else, each time
        the session is used.
        """


@runtime_checkable
class TakesPasswords(Protocol):
    """A product whose lists have passwords (`features.list_password`): sessions that can be told one which a run of ours has made."""

    def know(self, address: str, password: SecretStr) -> None:
        """The password a list was made with, out of the hand-out. It counts where the plan says none for this list, and nobody is asked."""


@runtime_checkable
class KeptInFolder(Protocol):
    """A product that is a folder of this machine, which a plan may name wrongly and a target's may not be there yet."""

    def look_for_folder(self) -> None:
        """Raises NotFound, with what to do, where the folder is not there; to be asked of a source that shows no list."""

    def no_lists(self) -> Sequence[tuple[str, str]]:
        """The files that were meant to be a list's and are none, by name, and why, as a sentence that begins after "it"."""


@runtime_checkable
class NamesLists(Protocol):
    """A product whose options may name lists, because it does not show all it has."""

    def missing(self) -> Sequence[str]:
        """Addresses that the plan names for this service and that are not there: a mistake in a source, nothing odd in a target."""


@runtime_checkable
class KnowsAddresses(Protocol):
    """A product that tells who is on a list by a second road (`features.knows_addresses`), for verifying."""

    def addresses(self, address: str) -> AbstractSet[str]:
        """The addresses of all members, in lower case, hidden ones too, from another place than `roster`."""


@runtime_checkable
class MakesDomains(Protocol):
    """A product that has lists in domains of its own and makes one with the first list in it (`features.makes_domains`)."""

    def has_domain(self, domain: str) -> bool:
        """Whether it has the domain already."""


@runtime_checkable
class ForeseesRefusals(Protocol):
    """A product of which it is known before whom it will not take (`features.foresees_refusals`)."""

    def why_not(self, address: str, member: Member, banned: Sequence[str]) -> str:
        """Why it would not take somebody on the list of this address, which may not be there yet and bans these addresses and patterns; ""
        if nothing is known against him. Costs no request for each member.
        """


@runtime_checkable
class KnowsNames(Protocol):
    """A product that keeps one name for a person, whatever lists he is on (`features.shares_names`). It gives nobody a name with `add` who
    has one already; `update` gives it on all his lists.
    """

    def names(self, keys: Sequence[str]) -> Mapping[str, str]:
        """What people of these addresses (in lower case) are called there, whether they are on a list or not. Whoever is not known or has no
        name is not among them.
        """


@runtime_checkable
class MakesInSteps(Protocol):
    """A product that makes a list in several requests, between which a run may die. A session that reads has the two questions."""

    def is_free(self, address: str) -> bool:
        """Whether nothing stands yet where `create_list` would begin this list."""

    def is_begun(self, address: str) -> bool:
        """Whether a list stands there that is not this one yet. Only asked for one that a run of ours was making."""


@runtime_checkable
class CompletesLists(MakesInSteps, Protocol):
    """The same, to write."""

    def complete_list(self, address: str) -> None:
        """Make whole what `create_list` has begun before its run died; nothing is done where nothing was begun. Only asked for one whose
        place was free before.
        """


LISTS: Contract[ListReader, ListWriter] = Contract("lists", connects=False, of_accounts=False)
