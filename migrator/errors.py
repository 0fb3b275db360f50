"""The errors of the whole house. Two facts on the class decide everything the engine does with one.

`retry`  may waiting and trying again help?
`stops`  how far the trouble reaches: the item alone, its action, the subject, the endpoint, the whole run.

A message says what happened, to what; the remedy says what to do now. Neither ever holds a secret. No text is parsed
above the adapter that raised it.
"""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum
from typing import ClassVar


class Stops(IntEnum):
    """How far an error reaches; a larger value reaches farther."""

    ITEM = 1
    ACTION = 2
    SUBJECT = 3
    ENDPOINT = 4
    RUN = 5


class MigratorError(Exception):
    """Every error we raise on purpose. `str(error)` is the sentence; `remedy` what to do; `code` for `migrator explain`."""

    retry: ClassVar[bool] = False
    stops: ClassVar[Stops] = Stops.ACTION
    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, remedy: str = "", wait: timedelta | None = None) -> None:
        """`wait` is a pause the server itself asked for."""
        super().__init__(what)
        self.remedy = remedy
        self.wait = wait

    def sentence(self) -> str:
        """What happened and what to do, in one line."""
        told = str(self)
        stop = "" if not self.remedy or told.endswith((".", "?", "!")) else "."  # words of others may end without one
        return f"{told}{stop} {self.remedy}".strip()


# -- the plan and the command line -----------------------------------------------------------------------------------


class PlanError(MigratorError):
    """The plan, a file it names, or a secret it names cannot be used."""

    stops = Stops.RUN
    code = "plan"


# -- endpoints -------------------------------------------------------------------------------------------------------


class LoginRefused(MigratorError):
    """The server refused this account's credentials. Never tried again: lock-outs follow (cPHulk, fail2ban)."""

    stops = Stops.SUBJECT
    code = "login-refused"


class NotLetIn(LoginRefused):
    """The login is right and does not open this account: there is no such account, or it is closed to that login. Tells nothing of others."""


class NotMadeYet(MigratorError):
    """The account is not at the target: an earlier step of the plan makes it, or could not. The server is not asked."""

    stops = Stops.SUBJECT
    code = "not-made"


class EndpointRefused(MigratorError):
    """The endpoint refuses all of us, whichever account (wrong panel token, address not allowed)."""

    stops = Stops.ENDPOINT
    code = "endpoint-refused"


class EndpointUnfit(EndpointRefused):
    """What the plan names is not there, or is something else: a path or a url that leads nowhere, another product, a disk that cannot be
    written, a user who may not write. No login was refused, and waiting does not help.
    """

    code = "endpoint-unfit"


class Unreachable(MigratorError):
    """Nothing answers there (DNS, refused, timed out at connecting)."""

    retry = True
    stops = Stops.ENDPOINT
    code = "unreachable"


class TlsFailed(MigratorError):
    """The connection is not safe: certificate, name, protocol, or STARTTLS is missing. We never fall back to clear text."""

    stops = Stops.ENDPOINT
    code = "tls"


class Dropped(MigratorError):
    """The connection broke in the middle; what was under way has an unknown outcome that the fence resolves."""

    retry = True
    code = "dropped"


class Unavailable(MigratorError):
    """The server asks for patience ([UNAVAILABLE], [INUSE], throttling, a restart)."""

    retry = True
    code = "unavailable"


class TooManyConnections(MigratorError):
    """The server holds as many of our connections as it allows; the engine narrows that lane and tries again."""

    retry = True
    code = "too-many-connections"


class NoSpace(MigratorError):
    """The target account is full. Its other actions stop, other accounts go on."""

    stops = Stops.SUBJECT
    code = "quota"


class Misbehaved(MigratorError):
    """The server broke the protocol or a limit of ours (announced literal, line, number of untagged lines)."""

    stops = Stops.ACTION
    code = "misbehaved"


class NotFound(MigratorError):
    """What the action is about is not there any more (folder deleted during the run)."""

    stops = Stops.ACTION
    code = "not-found"


class Refused(MigratorError):
    """The target refused what was sent, for good. A refused batch is split until the guilty item stands alone."""

    stops = Stops.ITEM
    code = "refused"


# -- our own side ----------------------------------------------------------------------------------------------------


class StateError(MigratorError):
    """The state cannot be used: damaged, newer than this program, not ours."""

    stops = Stops.RUN
    code = "state"


class NothingRun(StateError):
    """There is no state yet where a run would make one."""


class StateFull(StateError):
    """No room to record. The run stops before the next write to a server."""

    code = "state-full"


class Held(StateError):
    """Another run holds this plan; the message names it."""

    code = "held"


class LeaseLost(StateError):
    """This run's lease was taken by another; nothing more may be recorded or written by it."""

    code = "lease-lost"


class Interrupted(MigratorError):
    """The admin asked to stop; raised at a batch edge, where stopping is safe."""

    stops = Stops.RUN
    code = "interrupted"
