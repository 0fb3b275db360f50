"""Rules about headers. Ours are Mailman 2.1's: a pattern that is looked for in the whole line ("^subject: .*offer"); core's name the header
and look for a pattern in its value alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from migrator.frozen import dataclass
from migrator.lists.model import HeaderRule, Treatment

_NAMED = re.compile(r"\^?(?P<header>[A-Za-z0-9](?:[A-Za-z0-9_-]|\\-)*):(?P<rest>.*)", re.DOTALL)
_BEGINNING = re.compile(r"\A(?: ?\.\*\^+)+")
_WHOLE = re.compile(r"\^\(\?:(?P<inner>.*)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Match:
    """One header match of core's. `pattern` is looked for anywhere in the header's value."""

    header: str
    pattern: str
    action: str


def matches(rules: Sequence[HeaderRule]) -> tuple[Match, ...]:
    """Core's matches for these rules, each once. A rule that names no header or is no regular expression has no place in core, and one
    that defers does nothing: it is how 2.1 switches one off.
    """
    found = (match for rule in rules for match in _of(rule))
    return tuple({(match.header, match.pattern): match for match in found}.values())


def rules(told: Sequence[Mapping[str, object]]) -> tuple[HeaderRule, ...]:
    """The rules that these matches are; one without an action does what the host's administrator has set, which is hold by itself."""
    return tuple(
        _rule(Match(str(one["header"]), str(one["pattern"]), str(one.get("action") or "hold"))) for one in told
    )


def is_pattern(text: str) -> bool:
    """Whether core takes it as a regular expression."""
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def _of(rule: HeaderRule) -> Iterator[Match]:
    if rule.treatment is Treatment.DEFER:
        return
    for line in rule.pattern.splitlines():
        named = _NAMED.fullmatch(line.strip())
        if named is None:
            continue
        pattern = _in_value(named["rest"])
        if is_pattern(pattern):
            yield Match(named["header"].replace("\\", "").lower(), pattern, rule.treatment.value)


def _in_value(rest: str) -> str:
    """What stands behind the colon, as a pattern for the value: there it begins, unless it says that anything may come before. Where
    the beginning must follow that anything (".*^"), it is the beginning all the same.
    """
    rest = _BEGINNING.sub("", rest)
    if rest.strip() in {"", ".*"}:
        return ".*"
    for anything in (" .*", ".*"):
        if rest.startswith(anything):
            return rest.removeprefix(anything)
    inner = rest.removeprefix(" ")
    return f"^(?:{inner})" if "|" in inner else f"^{inner}"


def _rule(match: Match) -> HeaderRule:
    whole = _WHOLE.fullmatch(match.pattern)
    if match.pattern == ".*":
        line = f"^{match.header}:.*"
    elif whole and "|" in whole["inner"]:
        line = f"^{match.header}: {whole['inner']}"
    elif match.pattern.startswith("^"):
        line = f"^{match.header}: {match.pattern[1:]}"
    else:
        line = f"^{match.header}: .*{match.pattern}"
    return HeaderRule(line, Treatment(match.action))
