"""Passwords at the source that are another for the time of a run, because the plan says so and nobody knows the old ones.

The old hash and the new password are in the strongbox before the panel hears of anything. They leave it when the panel shows the old
hash again. A death in between leaves them there: the next run uses what is known, and puts it back at its end.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import SecretStr

from migrator.engine.contract import Finding, Reading, Weight, Work, temporary
from migrator.errors import MigratorError, Misbehaved
from migrator.panel.contract import Features, PanelReader, ReadsHashes, SetsPasswords
from migrator.panel.model import UNKNOWN_PASSWORD, Password, make_password, with_scheme

_HASH = "/hash"


def can_borrow(features: Features) -> bool:
    """Whether a panel can give back what was changed: it shows hashes, and takes them for a mailbox that is there."""
    return features.reads_hashes and features.sets_passwords and features.sets_hashes and bool(features.schemes)


def kept_hash(read: Reading, address: str) -> Password:
    """The hash of a mailbox whose password at the source is another for the time of the run; unknown if it is its own."""
    kept = read.strongbox.get(address + _HASH)
    return with_scheme(kept.get_secret_value()) if kept else UNKNOWN_PASSWORD


def borrowed(work: Work) -> list[str]:
    """The addresses whose password at the source is not their own now."""
    return [name.removesuffix(_HASH) for name in work.strongbox.names() if name.endswith(_HASH)]


def borrow(source: PanelReader, addresses: Sequence[str], work: Work) -> None:
    """Give these mailboxes a password that is known. One whose hash is not shown, or could not be put back, is left as it is and told."""
    assert isinstance(source, ReadsHashes)
    assert isinstance(source, SetsPasswords)
    for address in addresses:
        work.edge()
        kept = kept_hash(work, address)
        old = kept if kept.hash else source.password_of(address)
        if old.hash is None or old.scheme not in source.features.schemes:
            work.note(
                Finding(
                    "not-borrowed",
                    Weight.WARNING,
                    address,
                    f"{address}: its password at the source is not changed, for the old one could not be put back",
                    "Name its password in the plan's accounts, or a master user.",
                )
            )
            continue
        new = work.strongbox.get(temporary(address)) or make_password(source.features.policy)
        work.strongbox.put(temporary(address), new)
        work.strongbox.put(address + _HASH, old.hash)
        source.set_password(address, Password(plain=new))


def give_back(source: PanelReader, work: Work) -> None:
    """Put every old hash back, and see that it is there. Goes on after one that fails, and raises the first failure at the end."""
    assert isinstance(source, ReadsHashes)
    assert isinstance(source, SetsPasswords)
    failed: list[MigratorError] = []
    for address in borrowed(work):
        old = work.strongbox.get(address + _HASH)
        try:
            _put_back(source, address, old or SecretStr(""))
        except MigratorError as error:
            failed.append(error)
            continue
        work.strongbox.remove(temporary(address))
        work.strongbox.remove(address + _HASH)  # last: as long as it is there, it is put back
    if failed:
        raise failed[0]


def _put_back(source: ReadsHashes, address: str, old: SecretStr) -> None:
    assert isinstance(source, SetsPasswords)
    source.set_password(address, Password(hash=old))
    if source.password_of(address).hash != old:
        raise Misbehaved(
            f"{address}: the source panel says that the old password is back, and shows another.",
            remedy="It is in the plan's strongbox; run again, or set it by hand.",
        )
