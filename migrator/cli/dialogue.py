"""The questions of `migrator init`: what the flags have not said, asked of the person at the terminal.

Which questions there are follows from the panel's own options. No answer is ever a password.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel

from migrator.cli.screen import Screen
from migrator.errors import PlanError
from migrator.frozen import dataclass
from migrator.plan.answers import (
    FLAGS_OF_THEIR_OWN,
    NAMES,
    NONE,
    PANEL,
    WHERE,
    Answer,
    Answers,
    domain_named,
    fields_of,
    guessed_mail_host,
    login_word,
    mistakes_in,
    mistakes_of,
    panel_said,
    secret_at,
    secret_words,
)
from migrator.registry import Registry

T = TypeVar("T")
SOURCES = "env:NAME, file:PATH, command:WORDS or ask:QUESTION; never the secret itself"


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Asks for what is missing, until it is right."""

    screen: Screen
    registry: Registry

    def complete(self, given: Answers) -> Answers:
        """The answers with everything that is needed."""
        source = self._host("source", given.source)
        target = self._host("target", given.target)
        domains = given.domains
        if not domains and source.type != NONE:
            domains = self._domains()
        return Answers(source, target, domains)

    def agrees(self, question: str) -> bool:
        """Yes or no; yes for a mere Enter."""
        return self._until(
            f"{question} [Y/n] ",
            lambda text: {"": True, "y": True, "yes": True, "n": False, "no": False}.get(text.lower()),
            "y or n?",
        )

    def _host(self, side: str, given: Answer) -> Answer:
        while True:
            answer = self._completed(side, given)
            mistakes = mistakes_of(side, answer, self.registry)
            if not mistakes:
                return answer
            for line in mistakes:
                self.screen.say(line)
            given = Answer()  # what was given is not right either: everything once more

    def _completed(self, side: str, answer: Answer) -> Answer:
        self.screen.say(
            f"The host things {'come from' if side == 'source' else 'go to'}, called {NAMES[side]} in the plan"
        )
        if answer.type is None:
            answer = replace(answer, type=self._one_of("panel", [*self.registry.adapters(PANEL), NONE]))
        guess = ""
        if answer.type != NONE:
            try:
                options = self.registry.adapter(PANEL, answer.type or "").options
            except PlanError:
                return answer  # a type given by a flag; what is wrong with it is told
            answer = self._panel(options, answer)
            guess = guessed_mail_host(panel_said(answer, options))
        if answer.mail_host is None:
            answer = replace(answer, mail_host=self._mail_host(guess))
        return answer

    def _one_of(self, what: str, words: Sequence[str], default: str = "") -> str:
        def taken(text: str) -> str | None:
            return text if text in words else (not text and default) or None

        shown = f" [{default}]" if default else ""
        return self._until(f"  {what} ({', '.join(words)}){shown}: ", taken, f"It is one of {', '.join(words)}.")

    def _panel(self, options: type[BaseModel], answer: Answer) -> Answer:
        known = fields_of(options)
        given = {text.partition("=")[0] for text in answer.option}
        for word, one in known.items():
            needed = one.is_required()
            if word == "url" and answer.url is None:
                answer = replace(answer, url=self._field(word, one.description or "", needed=needed))
            elif word == "user" and answer.user is None:
                answer = replace(answer, user=self._field(word, one.description or "", needed=needed))
            elif needed and word not in (*FLAGS_OF_THEIR_OWN, *given):
                more = f"{word}={self._field(word, one.description or '', needed=True)}"
                answer = replace(answer, option=(*answer.option, more))
        if "url" not in known and not answer.option:
            answer = replace(answer, option=self._options(list(known)))
        if answer.secret is None and secret_words(options):
            answer = replace(answer, secret=self._secret(options, answer))
        return answer

    def _field(self, word: str, description: str, *, needed: bool) -> str | None:
        if needed:
            return self._until(f"  {word} ({description}): ", lambda text: text or None, f"{word} is needed.")
        return self.screen.ask(f"  {word} ({description}; Enter for none): ") or None

    def _options(self, known: Sequence[str]) -> tuple[str, ...]:
        def taken(text: str) -> tuple[str, ...] | None:
            pairs = tuple(text.split())
            return pairs if all("=" in one and one.partition("=")[0] in known for one in pairs) else None

        wanted = ", ".join(known)
        question = f"  other fields, as FIELD=VALUE with blanks between ({wanted}; Enter for none): "
        return self._until(question, taken, f"Write host=old.example.net, for example. Known are {wanted}.")

    def _secret(self, options: type[BaseModel], answer: Answer) -> str | None:
        words, panel = secret_words(options), panel_said(answer, options)
        likely = login_word(options, panel)
        word = self._one_of("log in with", words, likely) if len(words) > 1 else likely
        needed = bool(mistakes_in(options, panel))

        def taken(text: str) -> str | None:
            return text if secret_at(text) or not (text or needed) else None

        where = self._until(
            f"  where the {word} comes from ({SOURCES}{'' if needed else '; Enter for none'}): ", taken, f"This {WHERE}"
        )
        return (where if word == likely else f"{word}={where}") if where else None

    def _mail_host(self, guess: str) -> str | None:
        if guess:
            return self.screen.ask(f"  IMAP server [{guess}]: ") or None
        return self._until("  IMAP server: ", lambda text: text or None, "The name of the server is needed.")

    def _domains(self) -> tuple[str, ...]:
        return self._until(
            f"Domains to move, with blanks between (Enter: all that the {NAMES['source']} panel has): ",
            lambda text: tuple(text.split()) if all(map(domain_named, text.split())) else None,
            "Write example.com, for example.",
        )

    def _until(self, question: str, taken: Callable[[str], T | None], otherwise: str) -> T:
        while True:
            found = taken(self.screen.ask(question))
            if found is not None:
                return found
            self.screen.say(otherwise)
