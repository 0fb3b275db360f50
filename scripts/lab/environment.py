"""The virtual environment the scripts run migrator in: made once, filled from pinned requirements, filled again when they change.

It is `.venv` in the checkout, or where MIGRATOR_VENV says. Nothing outside it is changed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from lab.ground import LabError
from lab.packages import CHECKOUT

OLDEST = (3, 11)


def prepare(requirements: str) -> Path:
    """The folder of the environment's programs, with these requirements and migrator itself installed."""
    if sys.version_info < OLDEST:
        raise LabError(f"migrator needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}.")
    where = Path(os.environ.get("MIGRATOR_VENV") or CHECKOUT / ".venv").absolute()
    programs = where / "bin"
    python = programs / "python"
    if not python.exists():
        _make(where)
    pinned = CHECKOUT / requirements
    # The checkout is part of it: an environment that was filled from another copy would run that copy's code.
    wanted = hashlib.sha256(
        b"\0".join([str(CHECKOUT).encode(), pinned.read_bytes(), (CHECKOUT / "pyproject.toml").read_bytes()])
    )
    stamp = where / f".filled-from-{requirements}"
    if stamp.exists() and stamp.read_text() == wanted.hexdigest():
        return programs
    print(f"Installing {requirements} into {where}", flush=True)
    _pip(python, "--require-hashes", "-r", str(pinned))
    _pip(python, "--no-deps", "--no-build-isolation", "-e", str(CHECKOUT))
    stamp.write_text(wanted.hexdigest())
    return programs


def _make(where: Path) -> None:
    made = subprocess.run([sys.executable, "-m", "venv", str(where)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise LabError(
            f"No virtual environment could be made in {where}: {(made.stdout + made.stderr).strip()[-500:]} "
            "On Debian, install python3-venv."
        )


def _pip(python: Path, *words: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words]
    if subprocess.run(command, check=False).returncode != 0:
        raise LabError(f"pip could not install what is needed (its words are above): {' '.join(words)}")
