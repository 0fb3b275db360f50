"""Content sealed for its readers with age (https://age-encryption.org/v1): whoever seals it cannot read it, whoever holds an identity can.

pyrage is an extra, asked for when it is first needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import cast

from migrator.errors import PlanError

_IDENTITY = "AGE-SECRET-KEY-"


def checked(recipient: str) -> str:
    """The same. Raises ValueError if it is no age public key, PlanError where pyrage is not installed."""
    _recipients([recipient])
    return recipient


def sealed(content: bytes, recipients: Sequence[str], *, armored: bool = False) -> bytes:
    """One message to all of these public keys (`age1...`); `armored` is text. Raises as `checked`."""
    return cast("bytes", _age().encrypt(content, _recipients(recipients), armored=armored))


def opened(message: bytes, identity: str) -> bytes:
    """What was sealed, armored or not. `identity` is the text of an identity file: one or more secret keys, a line each, and comments.
    Raises ValueError if it holds none, or none that opens this; PlanError where pyrage is not installed.
    """
    pyrage = _age()
    keys = [line.strip() for line in identity.splitlines() if line.strip().startswith(_IDENTITY)]
    if not keys:
        raise ValueError("no age identity")
    try:
        return cast("bytes", pyrage.decrypt(message, [pyrage.x25519.Identity.from_str(key) for key in keys]))
    except (pyrage.IdentityError, pyrage.DecryptError) as error:
        raise ValueError("not sealed for this identity, or damaged") from error


def _recipients(words: Sequence[str]) -> list[object]:
    pyrage = _age()
    try:
        return [pyrage.x25519.Recipient.from_str(word) for word in words]
    except pyrage.RecipientError as error:
        raise ValueError("no age public key (age1...)") from error


def _age() -> ModuleType:
    try:
        import pyrage
    except ImportError as error:
        raise PlanError(
            "What is encrypted with age needs a package that is not installed.",
            remedy="Install it with `pip install '.[age]'` in the checkout of migrator.",
        ) from error
    return cast("ModuleType", pyrage)
