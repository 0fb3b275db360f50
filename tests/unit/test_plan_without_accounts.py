"""A plan needs accounts where a step moves what is somebody's own, and none where it does not."""

from __future__ import annotations

import pytest

from migrator.plan.load import check
from migrator.plan.problems import PlanMistakes

PLAN = """\
version: 1
endpoints:
  old: {forms: {type: files, path: dump}, lists: {type: csv, path: lists}, mail: {type: maildir, path: mail}}
  new: {forms: {type: files, path: copy}, lists: {type: csv, path: others}, mail: {type: maildir, path: copy}}
"""


@pytest.mark.parametrize("step", ["forms", "lists"])
def test_a_plan_of_what_is_nobodys_own_needs_no_accounts(tmp_path, step) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(f"{PLAN}steps: [{step}, verify]\n")
    (tmp_path / "lists").mkdir()
    plan, people = check(path)
    assert people == ()
    assert len(plan.steps) == 2


@pytest.mark.parametrize(("accounts", "words"), [("", "accounts is missing."), ("accounts: []\n", "accounts is empty")])
def test_a_plan_that_moves_mail_says_whose(tmp_path, accounts, words) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(f"{PLAN}{accounts}steps: [forms, mail]\n")
    with pytest.raises(PlanMistakes) as raised:
        check(path)
    assert words in str(raised.value)
