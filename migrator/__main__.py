"""`python -m migrator`, and the command `migrator`."""

import gc
import os
import sys
from typing import NoReturn

OBJECTS_UNTIL_A_LOOK = 200_000
TURN = 0.001  # seconds


def main() -> NoReturn:
    """Run the command of this process, and exit with its code."""
    # Imports and batches make many objects that live; looking through them again and again costs.
    gc.set_threshold(OBJECTS_UNTIL_A_LOOK, 20, 20)
    # Who has an answer of a server in hand waits so long at most for who is computing; the interpreter's own 5 ms leave servers idle.
    sys.setswitchinterval(TURN)
    # Or pydantic reads the files of every package that is installed, to see whether one of them wants to watch it.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    from migrator.cli import app

    app.main()


if __name__ == "__main__":
    main()
