"""How numbers, sizes, spans of time and moments are written, everywhere the same.

Sizes are shown in steps of 1024.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

STEP = 1024
UNITS = ("KB", "MB", "GB", "TB", "PB")
WHOLE_FROM = 100  # from here a decimal says nothing more
LONGEST_NAME, NAME_BEGINS = 80, 50  # characters of a name that are shown, and how many of them are its beginning
ARROW = " -> "  # between a thing's name and the one it gets
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def count(number: int) -> str:
    """1204331 -> 1,204,331."""
    return f"{number:,}"


def counted(number: int, one: str, many: str) -> str:
    """1 folder, 1,204 folders."""
    return f"{number:,} {one if number == 1 else many}"


def size(number: float | None) -> str:
    """2040109466 -> 1.9 GB; an unknown size is "size unknown"."""
    if number is None:
        return "size unknown"
    if number < STEP:
        return counted(int(number), "byte", "bytes")
    value = float(number)
    unit = next(reversed(UNITS))
    for larger in UNITS:
        value /= STEP
        # 1023.96 KB would be rounded to 1,024 KB, which is 1 MB.
        if round(value) < STEP:
            unit = larger
            break
    if value >= WHOLE_FROM:
        return f"{value:,.0f} {unit}"
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"


def duration(seconds: float) -> str:
    """45 s, 3 min 12 s, 2 h 05 min, 3 days 4 h."""
    whole = max(0, round(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} min"
    return f"{counted(whole // DAY, 'day', 'days')} {whole % DAY // HOUR} h"


def moment(when: datetime, zone: tzinfo | None = None) -> str:
    """2026-11-22 02:14 UTC, in the zone given or this machine's."""
    local = when.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M} {local:%Z}".strip()


def moment_since(when: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """Only the clock (02:14) for what happened within the last twelve hours, else the whole moment."""
    if timedelta() <= now - when < timedelta(hours=12):
        return f"{when.astimezone(zone):%H:%M}"
    return moment(when, zone)


def now() -> datetime:
    """This moment, aware, UTC."""
    return datetime.now(UTC)


def name(text: str) -> str:
    """A name as the screen shows it: one that is very long loses its middle, also where it is given another (this -> that)."""
    return ARROW.join(
        one if len(one) <= LONGEST_NAME else f"{one[:NAME_BEGINS]}…{one[NAME_BEGINS + 1 - LONGEST_NAME :]}"
        for one in text.split(ARROW)
    )


def sentence(about: str, text: str, remedy: str) -> str:
    """What happened to what, and what to do: one line. A text that names its subject itself, or a part of it, is not told it again."""
    parts = [about, *re.split(r": |, ", about)]
    while named := next((part for part in parts if part and text.startswith(f"{part}: ")), None):
        text = text[len(named) + 2 :]
    return joined(f"{name(about)}: {text}", remedy)


def joined(text: str, remedy: str) -> str:
    """What happened, and what to do: two sentences in one line."""
    if not remedy:
        return text
    return f"{text} {remedy}" if text.endswith((".", "?", "!")) else f"{text}. {remedy}"
