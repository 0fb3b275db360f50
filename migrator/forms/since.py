"""A moment as a plan says it: a day, a day and an hour, or how long ago (`90d`, `2 years`).

What surprises: a moment without a zone is the site's own time, and how long ago counts whole days back from today (in UTC), so that a run and
its preview mean the same.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

_AGO: Final = re.compile(r"(\d{1,5})\s*(d|days?|w|weeks?|months?|y|years?)(?:\s+ago)?", re.IGNORECASE)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?\s?(?:Z|[+-]\d\d:?\d\d)?)?")
WORDS: Final = "must be a day (2024-06-01), a moment (2024-06-01 09:30, 2024-06-01T09:30:00Z) or how long ago (90d, 6 months, 2 years)."


def moment_of(text: str, today: date) -> datetime:
    """The moment that these words name, with a zone only if they name one. Raises ValueError, in words for the plan's author."""
    text = text.strip()
    if ago := _AGO.fullmatch(text):
        try:
            return datetime.combine(_before(today, int(ago[1]), ago[2].lower()), datetime.min.time())
        except (ValueError, OverflowError):
            raise ValueError(WORDS) from None
    if not _DAY.fullmatch(text):
        raise ValueError(WORDS)
    try:
        return datetime.fromisoformat(re.sub(r"\s(?=[Z+-])", "", text))
    except ValueError:
        raise ValueError(f"is no day of the calendar; it {WORDS}") from None


def _before(today: date, count: int, unit: str) -> date:
    if unit.startswith(("d", "w")):
        return today - timedelta(days=count if unit.startswith("d") else 7 * count)
    months = today.year * 12 + today.month - 1 - count * (12 if unit.startswith("y") else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(today.day, calendar.monthrange(year, month + 1)[1]))


def _read(value: Any) -> Any:  # Any: whatever the plan says; what is no text goes on to the field's own check
    return moment_of(value, datetime.now(UTC).date()) if isinstance(value, str) else value


Moment = Annotated[
    datetime,
    BeforeValidator(_read),
    WithJsonSchema(
        {"type": "string", "pattern": f"^({_DAY.pattern}|\\s*\\d+\\s*(d|days?|w|weeks?|months?|y|years?)(\\s+ago)?)$"}
    ),
]
