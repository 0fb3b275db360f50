"""A login that opens the accounts of many: one that is wrong must not be tried once for each of them, or its account is locked out.

No server has to tell a wrong login from an account that is not there, so one refusal proves nothing. Until the login has opened something it
is tried by one worker at a time, and after REFUSALS in a row no more; once it did, a refusal is the account's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from migrator.errors import LoginRefused, MigratorError, NotLetIn, Stops

REFUSALS = 2  # as many as the guards of servers (cPHulk, fail2ban) forgive everywhere


class SharedLogin:
    """One such login at one endpoint, as `name` calls it."""

    def __init__(self, name: str, endpoint: str) -> None:
        self._name = name
        self._endpoint = endpoint
        self._turn = threading.Lock()
        self._right = False
        self._refused: list[tuple[str, LoginRefused]] = []  # by whose account, before it opened any
        self._tries = 0
        self._down: MigratorError | None = None  # how the newest try ended, if nobody can be opened for that

    def open(self, account: str, open_session: Callable[[], Any]) -> Any:  # Any: a session of whatever contract
        """What `open_session` answers. Raises what it raises, and LoginRefused untried once the login is known to be refused."""
        before = self._tries
        if not self._right:
            with self._turn:
                if not self._right:
                    return self._try(account, open_session, waited=self._tries != before)
        return open_session()

    def _try(self, account: str, open_session: Callable[[], Any], *, waited: bool) -> Any:
        if waited and self._down is not None:  # nobody waits in turn for a server that does not answer
            raise type(self._down)(str(self._down), remedy=self._down.remedy, wait=self._down.wait)
        if len(self._refused) >= REFUSALS:
            raise self._not_again(account)
        self._down = None
        try:
            session = open_session()
        except NotLetIn:
            self._right = True
            raise
        except LoginRefused as refusal:
            self._refused.append((account, refusal))
            raise
        except MigratorError as error:
            self._down = error if error.stops is Stops.ENDPOINT else None
            raise
        finally:
            self._tries += 1
        self._right = True
        return session

    def _not_again(self, account: str) -> LoginRefused:
        them = " and ".join(one for one, _ in self._refused)
        advice = self._refused[-1][1].remedy
        otherwise = f"If it is right, {them} cannot be opened there: take them out of the plan."
        return LoginRefused(
            f"{account}: {self._name} was refused at {self._endpoint} for {them}, and is not tried a third time.",
            remedy=f"{advice} {otherwise}".strip(),
        )
