"""What is said of the two hosts before there is a plan, by flags or in a dialogue, and what is wrong with it.

The words are those of the adapters' own options; nothing here knows a panel. No message repeats what was said of a secret: it may be
the secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from migrator.errors import PlanError
from migrator.frozen import dataclass
from migrator.plan.first_plan import FirstPlan, Host, Scalar
from migrator.plan.problems import Place, Problems, listed, plain
from migrator.plan.wording import checked
from migrator.plan.written import SECRET, marked
from migrator.registry import Registry
from migrator.secrets import SecretSource

PANEL = "panel"  # the service
NONE = "none"  # instead of a panel's word: there is no panel, or it does not matter
NAMES = {"source": "old", "target": "new"}  # how the plan calls each side
FLAGS_OF_THEIR_OWN = ("url", "user")
WHERE = "takes env:NAME or file:PATH, which tell where it comes from. A password itself does not stand here."

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"[^\s/@,;'\"]+")
_DOMAIN = re.compile(r"[^\s@*?\[\]{}/\\,:;'\"]+\.[^\s@*?\[\]{}/\\,:;'\".]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of one host, as the flags have it; None is what was not said."""

    type: str | None = None
    url: str | None = None
    user: str | None = None
    secret: str | None = None
    option: tuple[str, ...] = ()
    mail_host: str | None = None

    def words(self, side: str) -> Iterator[str]:
        """The flags that say the same."""
        told = (self.type, self.url, self.user, self.secret, self.mail_host)
        for word, value in zip(("type", "url", "user", "secret", "mail-host"), told, strict=True):
            if value is not None:
                yield from (f"--{side}-{word}", value)
        for value in self.option:
            yield from (f"--{side}-option", value)


@dataclass(frozen=True, slots=True)
class Answers:
    """What is said of a move."""

    source: Answer = field(default_factory=Answer)
    target: Answer = field(default_factory=Answer)
    domains: tuple[str, ...] = ()

    def words(self) -> Iterator[str]:
        """The flags that say the same."""
        yield from self.source.words("source")
        yield from self.target.words("target")
        for name in self.domains:
            yield from ("--domain", name)


def first_plan(answers: Answers, registry: Registry) -> FirstPlan:
    """What the answers say of the move. Raises PlanError with everything that is missing or wrong, a line each."""
    mistakes = [f"--domain: {plain(name)} is no domain." for name in answers.domains if not domain_named(name)]
    source = _Reading("source", answers.source, registry)
    target = _Reading("target", answers.target, registry)
    hosts = source.host(), target.host()
    mistakes += [*source.mistakes, *target.mistakes]
    if mistakes:
        raise PlanError("\n".join(mistakes))
    return FirstPlan(*hosts, tuple(dict.fromkeys(map(domain_named, answers.domains))))


def mistakes_of(side: str, answer: Answer, registry: Registry) -> list[str]:
    """Everything that is missing or wrong in what is said of one host."""
    reading = _Reading(side, answer, registry)
    reading.host()
    return reading.mistakes


def domain_named(text: str) -> str:
    """A domain in lower case; "" for what is none."""
    name = text.strip().lower().removeprefix("@").rstrip(".")
    return name if _DOMAIN.fullmatch(name) and name.isprintable() else ""


def secret_at(text: str) -> SecretSource | None:
    """Where a secret comes from: `env:NAME`, `file:PATH`, `command:WORDS`, `ask:QUESTION`, or a path that can only be a file's. None for
    everything else: a bare word may be the secret itself, and some panels' tokens look like the names of variables.
    """
    text = text.strip()
    if text.startswith(("/", "~/", "./", "../")):
        text = f"file:{text}"
    word, colon, rest = text.partition(":")
    if not colon or word not in SecretSource.model_fields or not rest.strip() or not rest.isprintable():
        return None
    if word == "env" and not _VARIABLE.fullmatch(rest):
        return None
    return SecretSource.model_validate({word: rest})


def fields_of(options: type[BaseModel]) -> dict[str, FieldInfo]:
    """The options that are no secrets, by their words in a plan."""
    secrets = marked(options, SECRET)
    return {
        one.alias or name: one for name, one in options.model_fields.items() if name not in secrets and name != "type"
    }


def secret_words(options: type[BaseModel]) -> list[str]:
    """The options that are secrets, by their words in a plan."""
    return list(marked(options, SECRET).values())


def guessed_mail_host(panel: Mapping[str, Scalar]) -> str:
    """The name of the host a panel is on, "" where its options tell none."""
    try:
        return urlsplit(str(panel.get("url", ""))).hostname or str(panel.get("host", ""))
    except ValueError:
        return ""


class _Reading:
    """One host's answers being read; what is missing or wrong is gathered in `mistakes`."""

    def __init__(self, side: str, answer: Answer, registry: Registry) -> None:
        self.side = side
        self.answer = answer
        self.registry = registry
        self.mistakes: list[str] = []

    def host(self) -> Host:
        """The host, as far as can be told beside the mistakes."""
        panel: dict[str, Scalar] = {}
        secrets: dict[str, SecretSource] = {}
        options = self._options()
        if options is not None:
            panel = self._panel(options)
            secrets = self._secrets(options, panel)
        guess = guessed_mail_host(panel)
        host = self.answer.mail_host or guess
        if not host and self.answer.type is not None:
            self._missing("mail-host", "nothing else tells where the mail is")
        elif host and not (_HOST.fullmatch(host) and host.isprintable()):
            self._says([f"--{self.side}-mail-host: {plain(host)} is no host's name."])
        return Host(NAMES[self.side], host, not self.answer.mail_host, panel, secrets)

    def _options(self) -> type[BaseModel] | None:
        word = self.answer.type
        if word is None:
            self._missing("type", f"it is one of {listed([*self.registry.adapters(PANEL), NONE], 'or')}")
            return None
        if word == NONE:
            self._says(
                f"{flag} says something of a panel, and --{self.side}-type says that there is none."
                for flag in self._of_panel()
            )
            return None
        try:
            adapter = self.registry.adapter(PANEL, word)
        except PlanError as error:
            self._says([f"--{self.side}-type: {error.sentence()}"])
            return None
        if self.side == "target" and adapter.writer is None:
            self._says([f"--target-type: {adapter.title} can only be read, so it cannot be a target."])
        return adapter.options

    def _of_panel(self) -> list[str]:
        said = {
            "url": self.answer.url,
            "user": self.answer.user,
            "secret": self.answer.secret,
            "option": self.answer.option,
        }
        return [f"--{self.side}-{word}" for word, value in said.items() if value]

    def _panel(self, options: type[BaseModel]) -> dict[str, Scalar]:
        for text in self.answer.option:
            word, sign, value = text.partition("=")
            if not sign or not value.isprintable():
                self._says([f"--{self.side}-option: write it as FIELD=VALUE."])
            elif word in secret_words(options):
                self._says(
                    [f"--{self.side}-option: {word} is a secret; say with --{self.side}-secret where it comes from."]
                )
        panel = panel_said(self.answer, options)
        for word, one in fields_of(options).items():
            if one.is_required() and word not in panel:
                self._missing(word if word in FLAGS_OF_THEIR_OWN else f"option {word}=...")
        return panel

    def _secrets(self, options: type[BaseModel], panel: Mapping[str, Scalar]) -> dict[str, SecretSource]:
        """The secret the panel is logged in with, by its option; what is wrong with the options as a whole is told here too."""
        words = secret_words(options)
        word, where = login_word(options, panel), self.answer.secret
        if where is not None and where.partition("=")[0] in words:
            word, _, where = where.partition("=")
        alone, with_secret = (
            mistakes_in(options, panel),
            mistakes_in(options, {**panel, word: "name"} if word else panel),
        )
        if where is None:
            if len(with_secret) < len(alone):
                self._missing("secret", f"it is the panel's {listed(words, 'or')}")
        elif not words:
            self._says([f"--{self.side}-secret: {self.answer.type} has no field for one."])
        elif (source := secret_at(where)) is None:
            self._says([f"--{self.side}-secret {WHERE}"])
        missing = " is missing."  # told by the flag that would say it
        wrong = alone if where is None and len(with_secret) == len(alone) else with_secret
        self._says(f"{self.side} panel: {text}" for text in wrong if not text.endswith(missing))
        return {word: source} if where is not None and words and source else {}

    def _missing(self, flag: str, why: str = "") -> None:
        self._says([f"--{self.side}-{flag} is missing{f'; {why}' if why else ''}."])

    def _says(self, mistakes: Any) -> None:  # Any: an iterable of sentences
        self.mistakes += mistakes


def login_word(options: type[BaseModel], panel: Mapping[str, Scalar]) -> str:
    """Which of the options that are secrets goes with the others: the first that makes them complete, else the first; "" without any."""
    words = secret_words(options)
    fitting = (word for word in words if not mistakes_in(options, {**panel, word: "name"}))
    return next(fitting, words[0] if words else "")


def mistakes_in(options: type[BaseModel], panel: Mapping[str, Any]) -> list[str]:
    """What is wrong with a panel's options, a sentence each. A secret may stand there by any name."""
    problems = Problems("", lambda _path, _of_key: Place())
    given = panel if "type" in options.model_fields else {word: panel[word] for word in panel if word != "type"}
    checked(options, given, (), problems, frozenset(secret_words(options)))
    return [problem.text.removeprefix(": ") for problem in problems.all()]


def panel_said(answer: Answer, options: type[BaseModel]) -> dict[str, Scalar]:
    """What is said of a panel but for its secret, each as the panel's options want it."""
    known = fields_of(options)
    pairs = (text.partition("=") for text in answer.option)
    own = {word: value for word in FLAGS_OF_THEIR_OWN if (value := getattr(answer, word))}
    more = {
        word: _meant(known.get(word), value)
        for word, sign, value in pairs
        if sign and word not in secret_words(options)
    }
    return {"type": answer.type or "", **own, **more}


def _meant(wanted: FieldInfo | None, text: str) -> Scalar:
    """A text as an option wants it: a number, or true and false, where it takes no text."""
    if wanted is None or wanted.annotation is None:
        return text
    try:
        TypeAdapter[Any](wanted.annotation).validate_python(text, strict=True)  # Any: each field has a type of its own
    except ValidationError:
        try:
            value = json.loads(text)
        except ValueError:
            return text
        return value if isinstance(value, int | float) else text
    return text
