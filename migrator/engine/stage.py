"""A plan made ready to be worked: what `plan/bind.py` makes of the file and what preview, run and verify walk through.

The engine opens sessions only through an `Opener`; it never learns what stands behind one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol, runtime_checkable

from pydantic import SecretStr

from migrator.engine.contract import Login, Measure, Side, Step, Strongbox
from migrator.frozen import dataclass


class Opener(Protocol):
    """Opens sessions at the two endpoints of a stage's route."""

    def endpoint(self, side: Side) -> str:
        """The endpoint's name in the plan."""

    def connections(self, side: Side) -> tuple[int, int]:
        """How many sessions the endpoint's service allows in all, and for one account."""

    def for_reading(self, side: Side, service: str, account: str) -> Any:  # Any: the contract's type is the asker's
        """A new session that cannot write, with a `close()`. Raises LoginRefused, Unreachable, TlsFailed, ..."""

    def for_writing(self, side: Side, service: str, account: str) -> Any:
        """A new session that can write; at the source only for what is put back."""

    @property
    def strongbox(self) -> Strongbox:
        """Where secrets are kept that will be put back."""

    def login(self, side: Side, account: str) -> Login:
        """The account's way in at one side, its password read now if there is one. Raises PlanError for a secret that cannot be had."""

    def keep_password(self, account: str, password: SecretStr) -> None:
        """Put a password made for an account at the target into the hand-out, on disk before this returns."""


@runtime_checkable
class OpensAll(Protocol):
    """An opener that may have one login for all accounts of an endpoint."""

    def opens_all(self, side: Side, service: str) -> str:
        """What that login is called in messages; "" where each account has its own."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the plan, bound to its route. `name` is unique in the plan; `kind` is the step's word, `measure` its kind's."""

    name: str
    kind: str
    step: Step
    opener: Opener
    stop_on_error: bool = False  # on_error: stop: no later stage begins when something failed in this one
    measure: Measure = Measure.BYTES

    @property
    def route(self) -> str:
        """The two endpoints, as the ledger files them."""
        return f"{self.opener.endpoint(Side.SOURCE)}>{self.opener.endpoint(Side.TARGET)}"

    def ledger_key(self, action_key: str) -> str:
        """Where the ledger files an action of this stage."""
        return f"{self.kind}/{self.route}/{action_key}"


@dataclass(frozen=True, slots=True)
class Verification:
    """A `verify` in the plan: compare the stages before it. `samples` is by kind, the share of items read whole, 0 to 1."""

    name: str
    samples: Mapping[str, float] = field(default_factory=dict)
    default_sample: float = 1.0


@dataclass(frozen=True, slots=True)
class Programme:
    """All stages of a plan in order, and the limits that are the engine's business."""

    name: str
    stages: Sequence[Stage | Verification]
    workers: int = 8  # jobs at once, in all; lanes narrow them further
    patience: float = 900.0  # seconds an action may spend waiting for a server to come back, in all
