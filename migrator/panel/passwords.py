"""Which password a mailbox has at the target. In this order: the one the plan names for the target; the one it names for the source,
verified there first where the panel can; the hash, carried over; a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from pydantic import SecretStr

from migrator.engine.contract import Login
from migrator.frozen import dataclass
from migrator.panel.model import UNKNOWN_PASSWORD, Password
from migrator.panel.options import AccountsOptions


class Source(Enum):
    """Where a password comes from; the value is said in previews and reports."""

    PLAN = "the plan's for the target"
    KNOWN = "the same as before"
    VERIFIED = "the same as before, verified at the source"
    HASH = "its hash is carried over"
    MADE = "a new one, in the hand-out"
    NONE = "none is known"


@dataclass(frozen=True, slots=True)
class Choice:
    """The password of one mailbox. `doubt` tells what was tried before and did not hold."""

    source: Source
    password: Password = UNKNOWN_PASSWORD
    doubt: str = ""

    def said(self) -> str:
        """In words: `password: its hash is carried over`."""
        return f"password: {self.source.value}{f' ({self.doubt})' if self.doubt else ''}"


def choose(
    source: Login,
    target: Login,
    hash_of: Callable[[], Password],
    verify: Callable[[SecretStr], bool | None] | None,
    schemes: frozenset[str],
    options: AccountsOptions,
) -> Choice:
    """The choice for one mailbox. `hash_of` asks the source for the hash (or the password, where it is kept in plain), `verify` whether a
    password is right there, None where that cannot be told; neither is asked unless needed. A password that is to be made is not
    made yet.
    """
    if target.password is not None:
        # One that was made is written down and was not used: the run ended in between.
        return Choice(Source.MADE if target.made else Source.PLAN, Password(plain=target.password))
    doubt = ""
    if source.password is not None and not source.made:  # one that is there for a while is nobody's
        right = verify(source.password) if verify else None
        if right is not False:
            return Choice(Source.VERIFIED if right else Source.KNOWN, Password(plain=source.password))
        doubt = "the source says that the password in the plan is wrong"
    if options.passwords == "keep-hash-or-generate":
        hashed = hash_of()
        if hashed.plain is not None:
            return Choice(Source.KNOWN, Password(plain=hashed.plain), doubt)
        if hashed.hash is not None and hashed.scheme in schemes:
            return Choice(Source.HASH, hashed, doubt)
        if hashed.hash is not None and schemes:
            doubt = doubt or f"the target takes no {hashed.scheme}"
    if options.passwords == "known":
        return Choice(Source.NONE, doubt=doubt)
    return Choice(Source.MADE, doubt=doubt)
