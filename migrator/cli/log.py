"""The log: structlog to stderr, more of it with each -v, and the redaction that every sink passes through.

Redaction is the second line of defence. The first is that secrets travel as SecretStr and are never put into a message; here
go the values that were resolved in this run, in the forms they take on the wire, and whatever looks like a login.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote, quote_plus

from migrator.cli.screen import Screen

HIDDEN = "***"
SHORTEST = 4  # a shorter secret would black out half of every line; it is still caught by the shapes below

_SHAPES = (
    # https://user:password@host
    re.compile(r"(?P<kept>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)", re.IGNORECASE),
    # a1 LOGIN user password: an IMAP line is a tag, then the command
    re.compile(r'(?P<kept>\b[A-Za-z]*\d+\s+LOGIN\s+(?:"(?:[^"\\]|\\.)*"|[^\s"]+)\s+)(?:"(?:[^"\\]|\\.)*"|[^\s"]+)'),
    re.compile(r"(?P<kept>\bAUTHENTICATE\s+[A-Z0-9_-]+\s+)\S+", re.IGNORECASE),
    re.compile(r"(?P<kept>\bAUTH\s+(?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER)\s+)\S+", re.IGNORECASE),
    # Authorization: Basic ..., Bearer ..., and the forms the panels use: cpanel user:token
    re.compile(r"(?P<kept>\bAuthorization['\"]?\s*[:=]\s*['\"]?\w+\s+)[^\s'\",]+", re.IGNORECASE),
    re.compile(
        r"(?P<kept>\b(?:password|passwd|token|secret|api[_-]?key)['\"]?\s*[:=]\s*['\"]?)[^\s'\",;&]+", re.IGNORECASE
    ),
)


class Redactor:
    """Knows the secrets of this run and takes them out of any text."""

    def __init__(self) -> None:
        self._forms: dict[str, None] = {}  # longest first once sorted: a secret may be a part of another
        self._sorted = True
        self._more: list[Callable[[], Iterable[str]]] = []

    def learn_when_needed(self, secrets: Callable[[], Iterable[str]]) -> None:
        """Learn these when there is text to clean: a plan may hold a hundred thousand passwords, and most runs print nothing."""
        self._more.append(secrets)

    def learn(self, secret: str) -> None:
        """Never let this value through again, in any form it may take."""
        if len(secret) >= SHORTEST:
            self._forms.update(dict.fromkeys(_forms(secret)))
            self._sorted = False

    def clean(self, text: str) -> str:
        """The text with every known secret, and every argument that looks like one, replaced by three stars."""
        while self._more:
            for secret in self._more.pop()():
                self.learn(secret)
        if not self._sorted:
            self._forms = dict.fromkeys(sorted(self._forms, key=len, reverse=True))
            self._sorted = True
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        for shape in _SHAPES:
            text = shape.sub(rf"\g<kept>{HIDDEN}", text)
        return text

    def __call__(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """As a processor of structlog."""
        return {key: self.clean(value) if isinstance(value, str) else value for key, value in line.items()}


def set_up(
    screen: Screen, verbose: int, redactor: Redactor
) -> Any:  # Any: structlog's loggers are what they were configured to be
    """A logger that speaks on stderr: with -v what happens, with -vv every detail. None without -v: what people must know is said
    by the verbs, and structlog is slow to import.
    """
    if not verbose:
        return None
    import logging

    import structlog

    level = logging.INFO if verbose == 1 else logging.DEBUG
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            redactor,
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Printed(screen),
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger()


class _Printed:
    """What structlog hands finished lines to."""

    def __init__(self, screen: Screen) -> None:
        self.msg = screen.say
        self.debug = self.info = self.warning = self.error = self.critical = self.msg


def _line(_logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
    head = [str(line.pop(name)) for name in ("timestamp", "level", "event")]
    return " ".join([*head, *(f"{key}={_short(value)}" for key, value in line.items())])


def _short(value: object) -> str:
    return value if isinstance(value, str) and value and " " not in value else json.dumps(value, default=str)


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    yield secret
    yield quote(secret, safe="", errors="surrogateescape")
    yield quote_plus(secret, errors="surrogateescape")
    yield json.dumps(secret)[1:-1]
    yield html.escape(secret)
    # In base64 a text reads three ways, as its place in what surrounds it shifts; the ends that depend on the neighbours go.
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + raw).decode().rstrip("=")
        middle = coded[(0, 2, 3)[shift] : len(coded) - (0 if (len(raw) + shift) % 3 == 0 else 1)]
        if len(middle) >= 2 * SHORTEST:
            yield middle
