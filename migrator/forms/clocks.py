"""The moment of an entry: in UTC, and on the site's wall clock.

What surprises: a TIMESTAMP column that was filled with the site's wall time was taken for the server's time, and is read in UTC. Only who
knows the server's zone can say what stood on the wall; where nobody does, UTC is presumed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from migrator.forms.model import Clock
from migrator.frozen import dataclass

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?|\d{4}-\d\d-\d\d")
_SECONDS = re.compile(r"\d{1,11}(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Clocks:
    """The zone of the site, None where it is not known, and that of the database's server for columns of the type TIMESTAMP."""

    site: tzinfo | None = None
    server: tzinfo = UTC


def zone_of(name: str, offset: str) -> tzinfo | None:
    """The zone a WordPress is set to (`timezone_string`, else `gmt_offset` in hours); None where it says none that is known."""
    if name:
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            return None
    try:
        return timezone(timedelta(hours=float(offset)))
    except (ValueError, OverflowError):
        return None


def moments(text: str, clock: Clock, clocks: Clocks, *, is_timestamp: bool = False) -> tuple[str, str]:
    """A moment in UTC (`2026-01-31T09:30:00Z`) and on the site's clock (`2026-01-31 10:30:00`), each "" where it cannot be told: for zero
    dates, dates that are none, and where the zone would have to be known. An hour that comes twice is taken for the first.
    """
    there = _read(text, clock)
    if there is None:
        return "", ""
    try:
        if clock is Clock.LOCAL and is_timestamp:
            there = there.replace(tzinfo=UTC).astimezone(clocks.server).replace(tzinfo=None)
        if clock is Clock.LOCAL:
            utc = there.replace(tzinfo=clocks.site).astimezone(UTC) if clocks.site else None
            return _utc(utc), _wall(there)
        utc = there.replace(tzinfo=UTC)
        return _utc(utc), _wall(utc.astimezone(clocks.site)) if clocks.site else ""
    except OverflowError:
        return "", ""


def _read(text: str, clock: Clock) -> datetime | None:
    try:
        if clock is Clock.UNIX:
            seconds = float(text) if _SECONDS.fullmatch(text) else 0.0
            return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None, microsecond=0) if seconds else None
        return datetime.fromisoformat(text).replace(microsecond=0) if _MOMENT.fullmatch(text) else None
    except (ValueError, OverflowError, OSError):
        return None


def _utc(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0") if moment else ""


def _wall(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
