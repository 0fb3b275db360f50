"""A source's path that leads nowhere, and what a later step names wrongly, as whole commands end with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import migrator

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(migrator.__file__).parent.parent), "TZ": "UTC", "COLUMNS": "100"}


def does(folder: Path, verb: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "migrator", verb, "plan.yaml"]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("verify", ["", ", verify"])
@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        ("{mail: {type: maildir, path: nowhere}}", "{mail: {type: maildir, path: out}}", "mail"),
        ("{mail: {type: mbox, path: nowhere}}", "{mail: {type: maildir, path: out}}", "mail"),
        ("{forms: {type: dump, path: nowhere.sql.gz}}", "{forms: {type: files, path: out}}", "forms"),
    ],
    ids=["maildir", "mbox", "dump"],
)
def test_a_path_of_the_source_that_leads_nowhere_ends_preview_and_run_with_5(
    tmp_path: Path, old: str, new: str, step: str, verify: str
) -> None:
    accounts = "accounts: [alice@example.com, bob@example.com]\n" if step == "mail" else ""
    (tmp_path / "plan.yaml").write_text(
        f"version: 1\nname: nowhere\nendpoints:\n  old: {old}\n  new: {new}\n{accounts}steps: [{step}{verify}]\n"
    )
    for verb in ("preview", "run"):
        told = does(tmp_path, verb)
        assert told.returncode == 5, (verb, told.stdout, told.stderr)
        assert "nowhere" in told.stdout + told.stderr
        assert "is not there" in told.stdout + told.stderr


def test_a_slip_in_a_second_step_says_of_that_step_alone_that_it_has_moved_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.sql").write_text(
        "CREATE TABLE `contacto` (`id` int(11) NOT NULL, `telefono` varchar(50), PRIMARY KEY (`id`)) DEFAULT CHARSET=utf8mb4;\n"
        "INSERT INTO `contacto` VALUES (1,'600 100 200');\n"
    )
    (tmp_path / "plan.yaml").write_text(
        "version: 1\nname: slip\nendpoints:\n"
        "  old: {forms: {type: dump, path: old.sql}}\n  new: {forms: {type: files, path: one}}\n"
        "  other: {forms: {type: files, path: two}}\n"
        "steps:\n  - forms: {name: one, route: old -> new, tables: [contacto]}\n"
        "  - forms: {name: two, route: old -> other, tables: [contacto], redact: {mask: [contacto.telefon]}}\n"
    )
    told = does(tmp_path, "run")
    assert told.returncode == 2
    assert (
        "redact.mask: no column of the source's tables is contacto.telefon; this run has moved nothing of this step."
        in told.stderr
    )
    assert (tmp_path / "one").is_dir()
    assert not (tmp_path / "two").exists()
