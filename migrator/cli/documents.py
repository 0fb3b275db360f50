"""Our data as JSON: one rule for all of it, so that every `--json` speaks the same language.

Names stay as they are in the code, times are ISO 8601 with their zone, sizes are bytes, unknown is null.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any

from migrator.engine.contract import Action, Verb, Weight
from migrator.engine.events import Event, SubjectPlanned
from migrator.errors import MigratorError


def document(value: object) -> Any:  # Any: whatever JSON can hold
    """The value in JSON's own types. Raises TypeError for what has no such form, secrets among it."""
    if isinstance(value, Enum):
        return _word(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: document(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(document(key)): document(held) for key, held in value.items()}
    if isinstance(value, Iterable):
        return [document(held) for held in value]
    return _scalar(value)


def _scalar(value: object) -> str | float | dict[str, str]:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case PurePath():
            return str(value)
        case MigratorError():
            return {"code": value.code, "text": str(value), "remedy": value.remedy}
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def event_document(event: Event, at: datetime) -> dict[str, Any]:
    """An event as one line of JSON. An action is told whole once, when it is planned, and only named from then on."""
    told: dict[str, Any] = {"event": _kebab(type(event).__name__), "at": at.isoformat()}
    for one in fields(event):
        value = getattr(event, one.name)
        if isinstance(value, Action) and not isinstance(event, SubjectPlanned):
            value = {"key": value.key, "label": value.label}
        told[one.name] = document(value)
    return told


def _word(value: Enum) -> str | int:
    # A verb's value is the sign for people and a weight's only orders; programs read their names. An exit code is a number.
    if isinstance(value, Verb | Weight):
        return value.name.lower()
    return value.value if isinstance(value.value, int) else str(value.value)


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
