"""`python -m migrator`, and the command `migrator`."""

import gc
from typing import NoReturn

OBJECTS_UNTIL_A_LOOK = 200_000


def main() -> NoReturn:
    """Run the command of this process, and exit with its code."""
    # Imports and batches make many objects that live; looking through them again and again costs.
    gc.set_threshold(OBJECTS_UNTIL_A_LOOK, 20, 20)
    from migrator.cli import app

    app.main()


if __name__ == "__main__":
    main()
