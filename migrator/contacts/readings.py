"""What was read of books that go to one, for the sake of each other.

Whose a UID is and what is written is decided over all of them, for each of them anew: without a memory each would be read as often as there
are others. It is a run's and goes no further than a few accounts; what is not in it is read again. A planning begins with it empty.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from migrator.contacts.model import Held

ACCOUNTS = 8  # whose books are kept: those that are seen to now, for they are seen to one book after the other


class Readings:
    """By account: the cards of its books, photos set aside, by the keys of their actions. Any thread may ask."""

    def __init__(self, accounts: int = ACCOUNTS) -> None:
        self._most = accounts
        self._kept: dict[str, dict[str, Sequence[Held]]] = {}  # the account seen to last at the end
        self._lock = threading.Lock()

    def of(self, account: str) -> Mapping[str, Sequence[Held]]:
        """What is kept of an account's books."""
        with self._lock:
            return dict(self._kept.get(account, {}))

    def keep(self, account: str, books: Mapping[str, Sequence[Held]]) -> None:
        """Keep what was read of an account's books; what is kept of the account that nobody has seen to for longest makes room."""
        with self._lock:
            self._kept[account] = {**self._kept.pop(account, {}), **books}
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]

    def forget(self, account: str) -> None:
        """Have an account's books read again."""
        with self._lock:
            self._kept.pop(account, None)
