"""What happens when migrator itself is at fault: one sentence on the screen, the traceback in a private file."""

from __future__ import annotations

import os
import platform
import tempfile
import traceback
from pathlib import Path

from migrator import __version__
from migrator.cli.log import Redactor


def write_down(error: BaseException, command: str, redactor: Redactor) -> Path:
    """Keep the traceback in a new file that only this user can read; answers where. Without the values of variables, which
    could hold anything, and redacted.
    """
    told = "".join(traceback.format_exception(error))
    text = (
        f"migrator {__version__}, Python {platform.python_version()}, {platform.platform()}\nverb: {command}\n\n{told}"
    )
    handle, name = tempfile.mkstemp(prefix="migrator-bug-", suffix=".txt")  # 0600 from birth
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(redactor.clean(text))
    return Path(name)
