"""Birthdays and other days in all their spellings."""

from __future__ import annotations

import re
from datetime import UTC, datetime

NO_YEAR = "1604"  # what Apple writes for a day without a year, beside X-APPLE-OMIT-YEAR
_NO_YEARS = frozenset({"0000", "----"})

_DAY = re.compile(
    r"(?P<year>\d{4}|--)-?(?P<month>\d\d)-?(?P<day>\d\d)(?:[T ](?P<time>[\d:.]+)(?P<zone>Z|[+-]\d\d:?\d{0,2})?)?",
    re.ASCII,
)
_DAY_WITH_DOTS = re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4})", re.ASCII)
_MONTH = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)", re.ASCII)
_MONTH_ALONE = re.compile(r"--(?P<month>\d\d)", re.ASCII)
MONTHS, DAYS = 12, 31


def day(text: str, omit_year: str = "") -> str:
    """A day in one spelling, whatever it came in: 1980-04-12, --04-12 without a year, 1980-04 or --04 without a day. A time of zero is none;
    another is kept as 1980-04-12T08:30:00Z. `omit_year` is the year that stands for none. "" where it is no day.
    """
    text = text.strip()
    found = _DAY.fullmatch(text) or _DAY_WITH_DOTS.fullmatch(text)
    if found:
        year, month, of_month = found["year"], int(found["month"]), int(found["day"])
        if not (1 <= month <= MONTHS and 1 <= of_month <= DAYS):
            return ""
        if year == omit_year or year in _NO_YEARS:
            year = "--"
        spelt = f"{year}-{month:02}-{of_month:02}" if year != "--" else f"--{month:02}-{of_month:02}"
        return spelt + _time(found.groupdict())
    found = _MONTH.fullmatch(text) or _MONTH_ALONE.fullmatch(text)
    if found and 1 <= int(found["month"]) <= MONTHS:
        return text
    return ""


def basic(text: str) -> str:
    """A day or instant as vCard 4.0 spells it: 19800412, --0412, 19800412T083000Z. What is no day stays as it is."""
    spelt = day(text)
    if not spelt or _MONTH.fullmatch(spelt):
        return spelt or text
    date, _, time = spelt.partition("T")
    date = f"--{date[2:].replace('-', '')}" if date.startswith("--") else date.replace("-", "")
    return f"{date}T{time.replace(':', '')}" if time else date


def extended(text: str) -> str:
    """A day or instant as vCard 3.0 spells it: 1980-04-12, --04-12, 1980-04-12T08:30:00Z. What is no day stays as it is."""
    return day(text) or text


def instant(text: str) -> datetime | None:
    """A moment as a REV tells it, without a zone taken as UTC; None where it is none."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _time(found: dict[str, str | None]) -> str:
    digits = (found.get("time") or "").replace(":", "")
    if not digits.replace("0", "").replace(".", ""):
        return ""
    clock = ":".join(digits[at : at + 2] for at in range(0, min(len(digits), 6), 2))
    zone = (found.get("zone") or "").replace(":", "")
    return f"T{clock}{'Z' if zone in {'+00', '-00', '+0000', '-0000'} else zone}"
