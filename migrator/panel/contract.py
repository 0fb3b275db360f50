"""What a panel must be able to do to be a source or a target of accounts.

The core is small: probe, domains, list, create, change. What only some panels can do is a Protocol of its own, and `Features` says
which of them a panel fulfils, so that the step asks the features and never which product it is. Reading and writing are two
protocols: what a preview holds has no method that writes, and its HTTP goes through a guard that refuses requests not marked as reads.

An adapter never believes a status alone: what was written is listed again by the step and compared, whatever the panel said.
Errors are ours only: EndpointRefused for a login or an address the panel does not accept (never tried again: lock-outs follow), Refused
with the panel's own words for what it will not take, NotFound, Unavailable (429, 503, maintenance; with the pause asked for), Dropped
when the answer was lost and the outcome is unknown, Misbehaved for answers that are not what the product's documents say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol, TypeVar, runtime_checkable

from pydantic import SecretStr

from migrator.engine.contract import Contract
from migrator.frozen import dataclass
from migrator.panel.model import (
    KEPT,
    Domain,
    Keep,
    Password,
    PasswordPolicy,
    Probe,
    Thing,
    Way,
)

AnyThing = TypeVar("AnyThing", bound=Thing)
THE_PANEL = "panel"  # the account under which sessions to a panel are opened: there is one login for all it keeps


@dataclass(frozen=True, slots=True)
class Features:
    """What a product can do. An adapter has one as FEATURES; a session's may say less (a panel on another system, a weaker key).

    `lists`, `creates` and `changes` are nouns (classes of model.py). `tells` and `keeps` name the fields ("mailbox.quota") that do not
    simply pass: what the panel cannot tell as a source, what it does not keep as a target. `schemes` are the password hashes it takes
    when a mailbox is created, and with `sets_hashes` for one that is there as well. `quota_unit` is in bytes; a quota is rounded up to it. `local_part` is a regular expression for the local
    parts it takes. `opens_lists`, `makes_lists` and `reads_lists` say which of the protocols for mailing lists it fulfils.
    """

    title: str
    lists: frozenset[type[Thing]]
    creates: frozenset[type[Thing]]
    changes: frozenset[type[Thing]] = frozenset()
    tells: Mapping[str, Keep] = field(default_factory=dict)
    keeps: Mapping[str, Keep] = field(default_factory=dict)
    destinations: frozenset[Way] = frozenset({Way.ADDRESS})
    schemes: frozenset[str] = frozenset()
    reads_hashes: bool = False
    verifies_passwords: bool = False
    sets_passwords: bool = False
    sets_hashes: bool = True
    opens_lists: bool = False
    makes_lists: bool = False
    reads_lists: bool = False
    quota_unit: int = 1
    local_part: str = r"[^\s@]{1,64}"
    policy: PasswordPolicy = field(default_factory=PasswordPolicy)

    def told(self, field_name: str) -> Keep:
        """What becomes of a field when this panel is the source."""
        return self.tells.get(field_name, KEPT)

    def kept(self, field_name: str) -> Keep:
        """What becomes of a field when this panel is the target."""
        return self.keeps.get(field_name, KEPT)


class PanelReader(Protocol):
    """A panel that is being asked. Nothing this session does changes anything there."""

    @property
    def features(self) -> Features:
        """What this very panel can, with this login; it may be asked for that first."""

    def probe(self) -> Probe:
        """Who answers, which proves the login. Raises EndpointRefused when it does not hold."""

    def domains(self) -> Sequence[Domain]:
        """Every domain with mail that this login may see."""

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        """Everything of one kind in a domain (in A-label form); empty where there is nothing. Only asked for nouns in `features.lists`.
        A thing that cannot be read is told by Misbehaved, never left out. A DomainForwarder is listed under the domain whose mail goes
        elsewhere. Raises NotFound if the domain is not there.
        """

    def close(self) -> None:
        """End the session; never raises."""


class PanelWriter(PanelReader, Protocol):
    """A panel that is being filled."""

    def create(self, thing: Thing, password: Password | None = None) -> None:
        """Make something that is not there. Raises Refused if it is there already, also where the product itself would overwrite it
        without a word, and if the panel does not take it. A Mailbox comes with a password in plain or with a hash in one of
        `features.schemes`. Only asked for nouns in `features.creates`.
        """

    def change(self, thing: Thing, there: Thing) -> None:
        """Make what is `there` like `thing` (both have the same key). Only asked for nouns in `features.changes`, and only for things
        that a run of ours has created.
        """


@runtime_checkable
class ReadsHashes(Protocol):
    """A panel that shows password hashes (`features.reads_hashes`)."""

    def password_of(self, address: str) -> Password:
        """The mailbox's password as a hash, in plain where the product keeps it so; unknown where this login may not see it."""


@runtime_checkable
class VerifiesPasswords(Protocol):
    """A panel that says whether a password is right (`features.verifies_passwords`)."""

    def verify_password(self, address: str, password: SecretStr) -> bool:
        """Whether that is the mailbox's password. Counts as a failed login at some products: ask once. Raises Refused where it cannot be
        told (a hash of a kind that cannot be checked from here).
        """


@runtime_checkable
class SetsPasswords(Protocol):
    """A panel that can give a mailbox another password (`features.sets_passwords`)."""

    def set_password(self, address: str, password: Password) -> None:
        """From now on this is the mailbox's password: in plain, or with `features.sets_hashes` a hash in one of `features.schemes`."""


@runtime_checkable
class OpensLists(Protocol):
    """A panel that opens the web admin of its mailing lists (`features.opens_lists`)."""

    def one_time_password(self, address: str) -> SecretStr:
        """A password with which the list's web admin lets somebody in once; the list's own stays as it is. Raises NotFound, Refused."""


@runtime_checkable
class MakesLists(Protocol):
    """A panel that makes mailing lists (`features.makes_lists`): sessions that write."""

    def make_list(self, address: str, owner: str, password: SecretStr) -> None:
        """Make a list that nobody is on, with this password for its web admin, and tell nobody. `owner` is an address, "" where none is
        known. Raises Refused if it is there already, and if the panel does not take it.
        """


@runtime_checkable
class ReadsLists(Protocol):
    """A panel that tells who is on its mailing lists (`features.reads_lists`)."""

    def members_of(self, address: str) -> Sequence[str]:
        """The addresses of a list's members, in a stable order. Raises NotFound."""


PANEL: Contract[PanelReader, PanelWriter] = Contract("panel", connects=False, of_accounts=False)
