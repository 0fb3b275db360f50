"""The strongbox: secrets that will be put back, in a file that is its owner's alone."""

import stat

import pytest
from pydantic import SecretStr

from migrator.errors import PlanError, StateFull
from migrator.strongbox import FileStrongbox, strongbox_of


def test_what_was_put_in_is_there_for_the_next_process(tmp_path):
    path, heard = strongbox_of(tmp_path / "plan.yaml"), []
    FileStrongbox(path).put("ann@example.com/hash", SecretStr("$6$ñ"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = FileStrongbox(path, heard=heard.append)
    assert again.names() == ("ann@example.com/hash",)
    assert again.get("ann@example.com/hash") == SecretStr("$6$ñ")
    assert heard == ["$6$ñ"]


def test_an_empty_one_leaves_no_file(tmp_path):
    path = tmp_path / "plan.strongbox.json"
    box = FileStrongbox(path)
    box.put("a", SecretStr("x"))
    box.remove("a")
    assert not path.exists()
    assert FileStrongbox(path).get("a") is None


def test_one_that_others_may_read_or_that_is_damaged_is_refused(tmp_path):
    path = tmp_path / "plan.strongbox.json"
    FileStrongbox(path).put("a", SecretStr("x"))
    path.chmod(0o640)
    with pytest.raises(PlanError, match="may be read by others"):
        FileStrongbox(path).names()
    path.chmod(0o600)
    path.write_text("{")
    with pytest.raises(PlanError, match="cannot be read"):
        FileStrongbox(path).names()


def test_no_room_is_told_before_anything_is_changed(tmp_path):
    with pytest.raises(StateFull):
        FileStrongbox(tmp_path / "missing" / "box.json").put("a", SecretStr("x"))
