"""The first plan of a move as text: plan.yaml and accounts.csv, from what is known of the two hosts. Pure.

What comes out is a plan like any other, to be read and changed by a person. It holds no password, only where each comes from.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from migrator.frozen import dataclass
from migrator.plan.people import COLUMNS
from migrator.secrets import SecretSource

PLAN, ACCOUNTS = "plan.yaml", "accounts.csv"
NEEDS_PASSWORD = (
    f"Each mailbox needs its {{}}_password in {ACCOUNTS}, unless master_user and master_password stand here."
)
OPENS_ALL = "master_user and master_password open every mailbox, also one whose password was carried over as a hash."
Scalar = str | int | float | bool

_PLAIN_SCALAR = re.compile(r"[A-Za-z/][A-Za-z0-9_./@+-]*")
_NOT_TEXT = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})  # to one YAML or the other


@dataclass(frozen=True, slots=True)
class Host:
    """One end of the move. `panel` holds its panel's options by their words, `type` first; it is empty where there is no panel, or none
    that counts. `secrets` says for those options that are secrets where they come from.
    """

    name: str
    mail_host: str
    is_guess: bool = False
    panel: Mapping[str, Scalar] = field(default_factory=dict)
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FirstPlan:
    """What is known before the first plan is written. `empty` are those of the domains in which nobody lives."""

    source: Host
    target: Host
    domains: Sequence[str] = ()
    empty: Sequence[str] = ()

    @property
    def moves_accounts(self) -> bool:
        """Whether there is a panel at both ends."""
        return bool(self.source.panel and self.target.panel)


def plan_text(plan: FirstPlan) -> str:
    """The plan, with comments."""
    return "\n".join(_lines(plan)) + "\n"


def accounts_text(addresses: Sequence[str]) -> str:
    """accounts.csv: a row for each address, everything else to be filled in."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([address, *[""] * (len(COLUMNS) - 1)] for address in addresses)
    return out.getvalue()


def _lines(plan: FirstPlan) -> Iterator[str]:
    yield "# yaml-language-server: $schema=plan.schema.json"
    yield "#"
    yield "# Written by `migrator init`, and yours from here on. `migrator schema > plan.schema.json` lets an editor complete and check it."
    yield "#"
    yield f"#   migrator check {PLAN}      is the plan well written? asks nobody"
    yield f"#   migrator preview {PLAN}    what would happen? changes nothing"
    yield f"#   migrator run {PLAN}        do it; after any interruption the same words again"
    yield "version: 1"
    name = re.sub("[^a-z0-9-]+", "-", plan.domains[0]).strip("-") if plan.domains else ""
    if name:
        yield f"name: {scalar(name)}"
    yield ""
    secrets = [pair for host in (plan.source, plan.target) for pair in host.secrets.items()]
    if secrets:
        yield "# Passwords never stand in this file. Each has a name here, and where it comes from."
        yield "secrets:"
        for host in (plan.source, plan.target):
            for word, source in host.secrets.items():
                yield f"  {secret_name(host, word)}: {_mapping(source.model_dump(exclude_none=True))}"
        yield ""
    yield "endpoints:"
    yield from _endpoint(plan.source, NEEDS_PASSWORD.format("source"))
    yield from _endpoint(plan.target, OPENS_ALL if plan.moves_accounts else NEEDS_PASSWORD.format("target"))
    yield ""
    yield from _accounts(plan)
    yield ""
    yield f"defaults: {{route: {plan.source.name} -> {plan.target.name}, on_error: continue}}"
    yield ""
    yield "steps:"
    if plan.moves_accounts:
        options = (
            f": {{domains: {_list(plan.empty)}}} # nobody lives there; what else they have moves" if plan.empty else ""
        )
        yield "  # Where nobody knows the passwords at the source: - accounts: {temporary_source_passwords: true}"
        yield f"  - accounts{options}"
    yield "  - mail"
    yield "  - verify"


def _endpoint(host: Host, hint: str) -> Iterator[str]:
    yield f"  {host.name}:"
    if host.panel:
        named = {word: secret_name(host, word) for word in host.secrets}
        yield f"    panel: {_mapping({**host.panel, **named})}"
    if host.is_guess:
        yield "    # The host is a guess: the panel's own. It has to be the name in the mail server's certificate."
    yield f"    # {hint}"
    yield f"    mail: {_mapping({'type': 'imap', 'host': host.mail_host, 'security': 'tls'})}"


def _accounts(plan: FirstPlan) -> Iterator[str]:
    if not plan.source.panel:
        yield f"# Fill {ACCOUNTS}: a row for each mailbox. Only source is required; passwords stand there in plain, so nobody else may read it."
        yield f"accounts: {{from: {ACCOUNTS}}}"
        return
    yield "accounts:"
    yield f"  from: {plan.source.name} # its panel is asked, each time, who lives there"
    if plan.domains:
        yield f"  domains: {_list(plan.domains)}"
    yield "  # Passwords by mailbox, and other names at the target. They stand there in plain, so nobody else may read the file."
    yield f"  passwords: {ACCOUNTS}"


def secret_name(host: Host, word: str) -> str:
    """What a secret is called in the plan: old-token."""
    return f"{host.name}-{word.replace('_', '-')}"


def spelled_as(domain: str, addresses: Sequence[str]) -> str:
    """A domain in the spelling the addresses have it in: a panel may tell xn--espaa-rta.example where a person says españa.example."""
    there = dict.fromkeys(address.rpartition("@")[2] for address in addresses)
    return next((one for one in there if domain in {one, _as_read(one)}), domain)


def _as_read(domain: str) -> str:
    try:
        labels = (
            label[4:].encode().decode("punycode") if label.startswith("xn--") else label for label in domain.split(".")
        )
        return ".".join(labels)
    except UnicodeError:
        return domain


def scalar(value: Scalar) -> str:
    """A value as YAML, quoted where it would be read as something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN_SCALAR.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False)


def _mapping(values: Mapping[str, Scalar]) -> str:
    return f"{{{', '.join(f'{word}: {scalar(value)}' for word, value in values.items())}}}"


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(scalar, values))}]"
