"""Environment variables that a plan's secrets come from and that are not set or hold nothing, and files with secrets that cannot be read or
hold nothing: all of them told at once, before anybody is asked.

Only those that the steps will read: a secret of a service that no step passes through may be absent. What a command or a person tells is
asked for when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import SecretStr

from migrator.errors import PlanError
from migrator.plan.load import residents_of
from migrator.plan.model import Plan, StepEntry
from migrator.plan.problems import Path, Problems, dotted
from migrator.plan.written import SECRET, AccountLine, marked
from migrator.registry import Registry
from migrator.secrets import Secrets, SecretSource


def refuse_unset(plan: Plan, registry: Registry, environ: Mapping[str, str]) -> None:
    """Raises PlanMistakes with each variable that is wanted and holds nothing in `environ`, where the plan says it, and what wants it; and with
    each file.
    """
    problems = Problems(plan.document.file, plan.document.place)
    wanted: dict[str, list[Path]] = {}
    for name, at in _used(plan, registry):
        wanted.setdefault(name, []).append(at)
    for name, uses in wanted.items():
        source = plan.written.secrets.get(name)
        if source is None:
            continue
        if source.file is not None and (refusal := _refusal(name, source, plan)):
            problems.at(("secrets", name, "file"), f": {refusal}")
        if source.env is None or environ.get(source.env):
            continue
        told = "set, but empty" if source.env in environ else "not set"
        more = f" and {len(uses) - 1:,} more" if len(uses) > 1 else ""
        problems.at(
            ("secrets", name, "env"),
            f": the environment variable {source.env} is {told}; {dotted(uses[0])} needs it{more}. "
            f"Set it (export {source.env}=...), then start again.",
        )
    problems.raise_any()


def _refusal(name: str, source: SecretSource, plan: Plan) -> str:
    """Why a secret cannot be had from its file, and what to do; "" if it can."""
    try:
        Secrets({name: source}, folder=plan.folder, environ={}).read(name)
    except PlanError as error:
        return error.sentence()
    return ""


def _used(plan: Plan, registry: Registry) -> Iterator[tuple[str, Path]]:
    """The names of secrets that the plan's steps will read, each with where it is named."""
    steps = [step for step in plan.steps if isinstance(step, StepEntry)]
    services = {(end, step.service) for step in steps for end in (step.route.source, step.route.target)}
    asked = plan.asks_endpoint
    if asked and (kind := residents_of(plan.endpoints[asked], registry)):
        services.add((asked, kind.service))
    for endpoint, service in sorted(services):
        entry = plan.endpoints[endpoint].get(service)
        if entry is None:
            continue
        for field, word in marked(type(entry.options), SECRET).items():
            if (value := getattr(entry.options, field)) is not None:
                name = value.get_secret_value() if isinstance(value, SecretStr) else value
                yield name, ("endpoints", endpoint, service, word)
    lines = plan.written.accounts
    if isinstance(lines, list | tuple) and any(step.needs_accounts for step in steps):
        for position, line in enumerate(lines):
            for field, word in marked(AccountLine, SECRET).items() if isinstance(line, AccountLine) else ():
                if name := getattr(line, field):
                    yield name, ("accounts", position, word)
