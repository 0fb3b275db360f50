"""Which password a mailbox gets: what a source can and cannot say about it."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from migrator.engine.contract import Login
from migrator.panel.model import UNKNOWN_PASSWORD, Password
from migrator.panel.options import AccountsOptions
from migrator.panel.passwords import Source, choose

PLAIN = SecretStr("geheim")
HASH = Password(hash=SecretStr("{SHA512-CRYPT}$6$a$b"))


def chosen(known: SecretStr | None = None, kept: Password = UNKNOWN_PASSWORD, right: bool | None = None):  # noqa: FBT001
    verify = None if right is None and known is None else lambda _: right
    source, target = Login("ann@example.com", "ann", known), Login("ann@example.com", "ann")
    return choose(source, target, lambda: kept, verify, frozenset({"SHA512-CRYPT"}), AccountsOptions())


@pytest.mark.parametrize(("right", "how"), [(True, Source.VERIFIED), (None, Source.KNOWN)])
def test_a_known_password_is_taken_also_where_the_source_cannot_tell_whether_it_is_right(right, how):
    choice = chosen(PLAIN, HASH, right)
    assert (choice.source, choice.password) == (how, Password(plain=PLAIN))


def test_a_known_password_that_is_wrong_gives_way_to_the_hash():
    assert chosen(PLAIN, HASH, right=False).source is Source.HASH


def test_a_password_that_the_source_keeps_in_plain_stays_the_same():
    choice = chosen(kept=Password(plain=PLAIN))
    assert (choice.source, choice.password) == (Source.KNOWN, Password(plain=PLAIN))
