"""What documents promise: the commands and the plans in their code blocks, and whether the program would take them."""

from __future__ import annotations

import json
import re
import shlex
from itertools import takewhile
from pathlib import Path
from shutil import copytree

import typer
from ruamel.yaml import YAML
from typer.main import get_command

from migrator.cli.app import application
from migrator.plan.load import check
from migrator.registry import REGISTRY

CHECKOUT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = {"|", "||", "&", "&&", ";", ">", ">>", "<", "("}


def blocks(text: str) -> list[tuple[str, str]]:
    """The code blocks of a Markdown text, also those inside a list: what kind each says it is, and what it holds."""
    return BLOCK.findall(text)


def command_lines(text: str) -> list[list[str]]:
    """Every call of migrator as words, up to the first thing that is the shell's: the lines of the code blocks, and in sentences
    what is more than a verb's name.
    """
    lines = [line.strip().removeprefix("$ ") for _, block in blocks(text) for line in block.splitlines()]
    sentences = re.findall(r"`(migrator [^\s`]+ [^`\n]+)`", BLOCK.sub("", text))
    return [_words(line) for line in (*lines, *sentences) if line.startswith("migrator ")]


def _words(line: str) -> list[str]:
    parts = shlex.shlex(line, posix=True, punctuation_chars=True)
    parts.whitespace_split = True
    return list(takewhile(lambda word: word not in SHELL, parts))[1:]


def misunderstood(words: list[str]) -> str:
    """Why the command line cannot be read, or nothing."""
    program = get_command(application())
    if words[0] in {"--version", "--help"}:
        return ""
    verb = program.commands.get(words[0])
    if verb is None:
        return f"there is no verb {words[0]}"
    try:
        verb.make_context(words[0], words[1:])
    except typer.TyperException as error:
        return error.format_message()
    return ""


def wrong_commands(text: str) -> dict[str, str]:
    """The commands of a text that the program would not understand, each with the reason."""
    return {shlex.join(words): why for words in command_lines(text) if (why := misunderstood(words))}


def yaml_blocks(text: str) -> list[str]:
    """The blocks that say they are YAML."""
    return [block for kind, block in blocks(text) if kind == "yaml"]


def whole_plans(text: str) -> list[str]:
    """The blocks that are plans from `endpoints:` on."""
    return [block for block in yaml_blocks(text) if "endpoints:" in block]


def parts_of_plans(text: str) -> list[str]:
    """The blocks that show a part of a plan alone."""
    return [block for block in yaml_blocks(text) if "endpoints:" not in block]


def check_plan(text: str, folder: Path) -> None:
    """Raises PlanMistakes unless the text is a well-formed plan, which may read `accounts.csv` and address books in `cards` beside it."""
    copytree(CHECKOUT / "plans" / "cards", folder / "cards", dirs_exist_ok=True)
    (folder / "accounts.csv").write_text((CHECKOUT / "plans" / "accounts.csv").read_text())
    plan = folder / "plan.yaml"
    plan.write_text(text)
    check(plan, REGISTRY)


def check_part(text: str, folder: Path) -> None:
    """Raises PlanMistakes unless the part fits into a plan between two hosts with a panel and a master user. Secrets it names are those of
    the guides.
    """
    mail = {"type": "imap", "host": "mail.example.net", "master_user": "admin", "master_password": "admin"}
    panel = {"type": "cpanel", "url": "https://old.example.net:2083", "user": "acme", "token": "admin"}
    secrets = {name: {"env": "SECRET"} for name in ("admin", "carmen-old", "carmen-new")}
    plan = {
        "version": 1,
        "endpoints": {
            "old": {"mail": mail, "panel": panel},
            "new": {"mail": {**mail, "port": 1993}, "panel": {**panel, "url": "https://new.example.net:2083"}},
        },
        "accounts": ["alice@example.com"],
        "steps": ["mail"],
    }
    part = YAML(typ="safe").load(text)
    check_plan(json.dumps({**plan, **part, "secrets": {**secrets, **part.get("secrets", {})}}), folder)
