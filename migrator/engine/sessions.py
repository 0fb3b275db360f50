"""Open sessions, kept while they are useful: one is used by one job at a time, given back when the job ends well and closed when
it does not, for after an error nobody knows what the line still holds.

Idle sessions count against the server's limit too, so they give way as soon as another account needs the connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from migrator.engine.contract import Contract, Lane, MakesAccounts, Reading, Side
from migrator.engine.events import Narrowed, Tell
from migrator.engine.lanes import Lanes, account_lane, endpoint_lane
from migrator.engine.shared_logins import SharedLogin
from migrator.engine.stage import OpensAll, Stage
from migrator.errors import EndpointRefused, EndpointUnfit, LoginRefused, MigratorError, NotMadeYet, TooManyConnections
from migrator.frozen import dataclass

STALE = 45.0  # seconds; servers drop idle lines after minutes, middle boxes sooner


@dataclass(frozen=True, slots=True)
class _Key:
    lane: str
    side: Side
    account: str
    writes: bool


@dataclass(slots=True)
class _Idle:
    key: _Key
    session: Any
    since: float


class Sessions:
    """All sessions of a run."""

    def __init__(self, lanes: Lanes, tell: Tell, clock: Callable[[], float]) -> None:
        self._lanes = lanes
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []
        self._refused: dict[tuple[str, str], LoginRefused] = {}
        self._shared: dict[tuple[str, str, str], SharedLogin] = {}  # by endpoint, service and what it is called
        self._shut: dict[str, EndpointRefused] = {}  # by lane, also for the other routes that lead there
        self._reached: set[str] = set()
        self._unknown: set[str] = set()  # endpoints at which nobody knows which accounts there are
        self._absent: set[tuple[str, str]] = set()  # endpoint and account at a target
        self.down: dict[tuple[str, str], MigratorError] = {}  # by kind and route: what is not tried again in this run

    @contextmanager
    def reading(self, stage: Stage, side: Side, contract: Contract[Any, Any], account: str) -> Iterator[Any]:
        """A session that cannot write."""
        self._refuse_absent(stage, side, contract, account)
        key = self._key(stage, side, account, writes=False)
        open_one = self._in_turn(
            stage, side, contract, account, lambda: stage.opener.for_reading(side, contract.service, account)
        )
        with self._use(key, contract, open_one) as session:
            yield session

    @contextmanager
    def writing(self, stage: Stage, side: Side, contract: Contract[Any, Any], account: str) -> Iterator[Any]:
        """A session that can write."""
        self._refuse_absent(stage, side, contract, account)
        key = self._key(stage, side, account, writes=True)
        open_one = self._in_turn(
            stage, side, contract, account, lambda: stage.opener.for_writing(side, contract.service, account)
        )
        with self._use(key, contract, open_one) as session:
            yield session

    def reached(self, lane: str) -> bool:
        """Whether any session to that endpoint could be opened so far."""
        return lane in self._reached

    def learn_of(self, stage: Stage, read: Reading) -> None:
        """Ask a step that makes accounts which are not there, so that nobody tries to log in to them. Where it cannot be asked, nobody knows
        of any account there, and none is tried.
        """
        if not isinstance(stage.step, MakesAccounts):
            return
        endpoint = stage.opener.endpoint(Side.TARGET)
        self._unknown.add(endpoint)
        if (stage.kind, stage.route) not in self.down:
            with suppress(MigratorError):
                absent = {(endpoint, account) for account in stage.step.not_made(read)}
                self._absent = {one for one in self._absent if one[0] != endpoint} | absent
                self._unknown.discard(endpoint)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.session.close()

    def _refuse_absent(self, stage: Stage, side: Side, contract: Contract[Any, Any], account: str) -> None:
        endpoint = stage.opener.endpoint(side)
        if side is not Side.TARGET or not contract.of_accounts or isinstance(stage.step, MakesAccounts):
            return
        if endpoint in self._unknown:
            raise NotMadeYet(
                f"{account}: nobody knows whether the account is at {endpoint}, because that could not be asked.",
                remedy="See what the plan's earlier step says, and mend that first.",
            )
        if (endpoint, account) in self._absent:
            raise NotMadeYet(
                f"{account}: the account is not at {endpoint} yet.",
                remedy="See what the plan's earlier step says of it.",
            )

    def _in_turn(
        self, stage: Stage, side: Side, contract: Contract[Any, Any], account: str, open_session: Callable[[], Any]
    ) -> Callable[[], Any]:
        """The same, but where one login opens all accounts it is tried with the care that needs."""
        opener = stage.opener
        name = opener.opens_all(side, contract.service) if isinstance(opener, OpensAll) else ""
        if not name:
            return open_session
        endpoint = opener.endpoint(side)
        with self._lock:
            shared = self._shared.setdefault((endpoint, contract.service, name), SharedLogin(name, endpoint))
        return lambda: shared.open(account, open_session)

    def _key(self, stage: Stage, side: Side, account: str, *, writes: bool) -> _Key:
        # A step that lists its subjects may open a session before any job has named its lanes.
        self._lanes.keys(stage.kind, stage.opener, [Lane(side, account)])
        return _Key(endpoint_lane(stage.kind, stage.opener, side), side, account, writes)

    @contextmanager
    def _use(self, key: _Key, contract: Contract[Any, Any], open_session: Callable[[], Any]) -> Iterator[Any]:
        session = self._reuse(key)
        if session is None:
            self._make_room(key)
            session = self._open(key, open_session)
            if contract.connects:
                self._reached.add(key.lane)
        ended_well = False
        try:
            yield session
            ended_well = True
        finally:
            if ended_well:
                self._reached.add(key.lane)
                with self._lock:
                    self._idle.append(_Idle(key, session, self._clock()))
            else:
                session.close()

    def _reuse(self, key: _Key) -> Any | None:
        now = self._clock()
        with self._lock:
            stale = [one for one in self._idle if now - one.since > STALE]
            fresh = [one for one in self._idle if now - one.since <= STALE]
            found = next((one for one in reversed(fresh) if one.key == key), None)
            self._idle = [one for one in fresh if one is not found]
        for one in stale:
            one.session.close()
        return found.session if found else None

    def _make_room(self, key: _Key) -> None:
        """Close the longest idle sessions, of the account and then of the endpoint, until a new one fits beside those that jobs
        hold.
        """
        with self._lock:
            beside = [one for one in self._idle if one.key.lane == key.lane]
            of_account = [one for one in beside if one.key.account == key.account]
            leaving = of_account[: self._surplus(account_lane(key.lane, key.account), len(of_account))]
            rest = [one for one in beside if one not in leaving]
            leaving += rest[: self._surplus(key.lane, len(rest))]
            self._idle = [one for one in self._idle if one not in leaving]
        for one in leaving:
            one.session.close()

    def _surplus(self, lane: str, idle: int) -> int:
        return max(0, idle + self._lanes.busy(lane) - self._lanes.width(lane))

    def _open(self, key: _Key, open_session: Callable[[], Any]) -> Any:
        if refusal := self._refused.get((key.lane, key.account)):
            raise LoginRefused(str(refusal), remedy=refusal.remedy)
        if shut := self._shut.get(key.lane):
            kind = EndpointUnfit if isinstance(shut, EndpointUnfit) else EndpointRefused
            raise kind(str(shut), remedy=shut.remedy)
        try:
            session = open_session()
        except LoginRefused as refusal:
            self._refused[key.lane, key.account] = refusal
            raise
        except EndpointRefused as refusal:
            self._shut[key.lane] = refusal
            raise
        except TooManyConnections:
            self.close()
            self._tell(Narrowed(key.lane, self._lanes.narrow(key.lane)))
            raise
        return session
