"""The hand-out keeps what was made, for the admin's eyes only."""

import os
import stat

import pytest
from pydantic import SecretStr
from pyrage import x25519

from migrator.errors import PlanError, StateFull
from migrator.handout import Handout, handout_of, passwords_in

ODD = SecretStr('co,m"ma and\ttab ñ')


def test_it_lies_beside_the_plan(tmp_path):
    assert handout_of(tmp_path / "plan.yaml") == tmp_path / "plan.handout.csv"
    assert handout_of(tmp_path / "plan.yaml", encrypted=True) == tmp_path / "plan.handout.age"


def test_a_password_is_on_disk_before_add_returns_and_only_its_owner_may_read_it(tmp_path):
    path = tmp_path / "plan.handout.csv"
    old = os.umask(0)
    try:
        Handout(path).add("Ann@example.com", ODD)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Handout(path).password_of("ann@example.com") == ODD


def test_the_last_password_of_an_address_counts(tmp_path):
    path = tmp_path / "plan.handout.csv"
    Handout(path).add("ann@example.com", SecretStr("first"))
    Handout(path).add("ann@example.com", SecretStr("second"))
    assert Handout(path).password_of("ann@example.com") == SecretStr("second")
    assert Handout(path).password_of("bob@example.com") is None


def test_every_password_is_heard_so_that_no_output_shows_it(tmp_path):
    path, heard = tmp_path / "plan.handout.csv", []
    Handout(path, heard=heard.append).add("ann@example.com", SecretStr("made"))
    Handout(path, heard=heard.append).password_of("bob@example.com")
    assert heard == ["made", "made"]


def test_an_encrypted_one_is_read_with_the_identity_alone(tmp_path):
    identity = x25519.Identity.generate()
    path, key = tmp_path / "plan.handout.age", tmp_path / "key.txt"
    key.write_text(f"# a comment\n{identity}\n")
    sealed = Handout(path, str(identity.to_public()))
    sealed.add("ann@example.com", ODD)
    sealed.add("bob@example.com", SecretStr("other"))
    assert "other" not in path.read_text()
    assert Handout(path, str(identity.to_public())).holds("BOB@example.com"), "whose they are is no secret"
    assert Handout(path, str(identity.to_public())).password_of("bob@example.com") is None
    assert sealed.password_of("ann@example.com") == ODD, "what this process made it still knows"
    assert dict(passwords_in(path, key)) == {"ann@example.com": ODD, "bob@example.com": SecretStr("other")}
    with pytest.raises(PlanError, match="is encrypted"):
        list(passwords_in(path))
    key.write_text(str(x25519.Identity.generate()))
    with pytest.raises(PlanError, match="cannot be opened"):
        list(passwords_in(path, key))


def test_one_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "plan.handout.csv"
    Handout(path).add("ann@example.com", ODD)
    path.chmod(0o644)
    with pytest.raises(PlanError, match="may be read by others") as refused:
        Handout(path).password_of("ann@example.com")
    assert "chmod 600" in refused.value.remedy


def test_no_room_for_a_password_stops_the_run_before_an_account_is_made(tmp_path):
    with pytest.raises(StateFull, match="no account was made"):
        Handout(tmp_path / "missing" / "plan.handout.csv").add("ann@example.com", ODD)


def test_a_recipient_that_is_none_is_told(tmp_path):
    with pytest.raises(PlanError, match="no age public key"):
        Handout(tmp_path / "plan.handout.age", "age1wrong").add("ann@example.com", ODD)
