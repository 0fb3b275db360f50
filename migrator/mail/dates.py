"""When a message arrived: INTERNALDATE read, written, kept within what servers can store.

Servers answer OK and store another date when one is outside their range (1969 became 2038, 2038-01-19 became now), so dates are
clamped before they are sent, and compared as instants afterwards. The zone is kept as given; it never decides a comparison.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_tz
from functools import lru_cache

EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
LATEST = datetime(2038, 1, 18, 23, 59, 59, tzinfo=UTC)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}

_INTERNALDATE = re.compile(
    r'"? *(\d{1,2})-([A-Za-z]{3})-(\d{4}|\d{2}) +(\d{1,2}):(\d{2}):(\d{2})(?: *([+-]\d{2}:?\d{2})| +[A-Za-z]+)? *"?',
    re.ASCII,
)
_HEADER_END = re.compile(rb"(?:\A|\n)\r?\n")
_RECEIVED = re.compile(rb"^received[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_DATE = re.compile(rb"^date[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_FIRST_YEAR_OF_TWO_DIGITS = 69  # 69..99 are of the last century, as in POSIX


@lru_cache(maxsize=4096)  # a copy reads each date twice: from the source, and back from the target
def parse_internaldate(text: str) -> datetime | None:
    """The date, aware, with the zone as given; None if it cannot be read or does not exist (31-Feb).

    Forgiven: quotes, a blank or one digit for the day, two digits for the year, a second 60 (it becomes 59), a zone that is
    missing, named or impossible (it counts as UTC, as RFC 5322 reads unknown zones).
    """
    match = _INTERNALDATE.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second, zone = match.groups()
    try:
        return datetime(
            _full_year(year),
            _MONTH_NUMBERS[month.lower()],
            int(day),
            int(hour),
            int(minute),
            59 if second == "60" else int(second),
            tzinfo=_zone(zone),
        )
    except (KeyError, ValueError):
        return None


def format_internaldate(date: datetime) -> str:
    """`17-Jul-1996 02:44:25 -0700`, English whatever the locale. Raises ValueError for a date without a zone."""
    offset = date.utcoffset()
    if offset is None:
        raise ValueError(f"{date} has no zone, so it names no instant")
    zone = _zone_words(offset)
    if not zone:
        return format_internaldate(date.astimezone(UTC))
    return f"{date.day:02}-{_MONTHS[date.month - 1]}-{date.year:04} {date.hour:02}:{date.minute:02}:{date.second:02} {zone}"


@lru_cache(maxsize=256)
def _zone_words(offset: timedelta) -> str:
    """`+0100`; "" for local mean time, since the wire has no seconds in a zone."""
    minutes, rest = divmod(offset, timedelta(minutes=1))
    hours, beyond = divmod(abs(minutes), 60)
    return "" if rest else f"{'-' if minutes < 0 else '+'}{hours:02}{beyond:02}"


def clamp(date: datetime) -> tuple[datetime, bool]:
    """The date, or the nearest one that every server keeps (1970-01-02 to 2038-01-18), and whether it had to change."""
    if date < EARLIEST:
        return EARLIEST, True
    if date > LATEST:
        return LATEST, True
    return date, False


def fallback_date(header: bytes) -> datetime | None:
    """When a message arrived by its own word: the newest hop (Received) that can be read, else Date, else None.

    `header` may be the whole message; what follows the header is not looked at.
    """
    end = _HEADER_END.search(header)
    head = header[: end.start() + 1] if end else header
    return next(_readable_dates(head), None)


def same_instant(date: datetime, other: datetime) -> bool:
    """Whether two aware dates name the same second, whatever their zones; IMAP knows no fractions."""
    return date is other or date.timestamp() // 1 == other.timestamp() // 1


def _readable_dates(head: bytes) -> Iterator[datetime]:
    """Newest first: every server that handles a message puts its Received on top."""
    for received in _RECEIVED.finditer(head):
        if date := _mail_date(received[1].rpartition(b";")[2]):
            yield date
    for written in _DATE.finditer(head):
        if date := _mail_date(written[1]):
            yield date


def _mail_date(text: bytes) -> datetime | None:
    try:
        fields = parsedate_tz(text.decode("latin-1"))
        if fields is None:
            return None
        year, month, day, hour, minute, second, *_, offset = fields
        zone = timezone(timedelta(seconds=offset or 0))
        return datetime(year, month, day, hour, minute, 59 if second == 60 else second, tzinfo=zone)  # noqa: PLR2004
    except (ValueError, IndexError, TypeError, OverflowError):  # the library stumbles over some nonsense
        return None


def _full_year(digits: str) -> int:
    year = int(digits)
    if len(digits) > 2:  # noqa: PLR2004
        return year
    return year + (1900 if year >= _FIRST_YEAR_OF_TWO_DIGITS else 2000)


@lru_cache(maxsize=256)
def _zone(offset: str | None) -> tzinfo:
    if offset is None:
        return UTC
    minutes = int(offset[1:3]) * 60 + int(offset[-2:])
    if not minutes or minutes >= 24 * 60:
        return UTC
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
