import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from plan_words import GOOD, words

from migrator.plan.file import parse, read
from migrator.plan.load import check
from migrator.plan.model import StepEntry
from migrator.plan.schema import schema
from migrator.registry import REGISTRY

HOUSE = Path(__file__).parents[2]
PLANS = sorted((HOUSE / "plans").glob("*.yaml"))


@pytest.fixture(scope="module")
def ours():
    return Draft202012Validator(schema(words()))


@pytest.fixture(scope="module")
def real():
    return Draft202012Validator(schema(REGISTRY))


def test_the_schema_is_a_schema(ours, real):
    Draft202012Validator.check_schema(ours.schema)
    Draft202012Validator.check_schema(real.schema)


def test_a_good_plan_fits(ours):
    assert list(ours.iter_errors(parse(GOOD.encode(), Path("plan.yaml")).data)) == []


@pytest.mark.parametrize(
    ("find", "put"),
    [
        ("version: 1", "version: 2"),
        ("defaults:", "defautls:"),
        ("host: old", "hots: old"),
        ("type: post,", "type: pots,"),
        ("type: post, ", ""),
        ("mail: {type: post", "mial: {type: post"),
        ("master_password: master", "master_password: 5"),
        ("{env: MASTER}", "{env: A, file: b}"),
        ("  - letters\n", "  - leters\n"),
        ("  - letters\n", "  - {letters: , verify: }\n"),
        ("max_size: 50MB", "maxsize: 50MB"),
        ("sample: 5%", "sample: lots"),
        ("sample: 5%", "sampel: 5%"),
        ("old -> new, on", "old new, on"),
        ("workers: 4", "workers: 0"),
        ("  - alice@example.com", "  - {sorce: a@example.com}"),
    ],
)
def test_what_is_wrong_does_not_fit(ours, find, put):
    assert find in GOOD
    assert not ours.is_valid(parse(GOOD.replace(find, put).encode(), Path("plan.yaml")).data)


def test_every_setting_is_described(real):
    def undescribed(part, name):
        if isinstance(part, dict):
            for word, body in part.get("properties", {}).items() if isinstance(part.get("properties"), dict) else ():
                if "type" in body and "description" not in body and body["type"] != "object":
                    yield f"{name}.{word}"
            for word, body in part.items():
                yield from undescribed(body, word)
        elif isinstance(part, list):
            for body in part:
                yield from undescribed(body, name)

    assert list(undescribed(real.schema, "plan")) == []


def needs_accounts(step) -> bool:
    return isinstance(step, StepEntry) and REGISTRY.kind(step.kind).needs_accounts


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.name)
def test_every_plan_we_ship_is_right_and_fits_the_schema(path, real):
    plan, people = check(path)
    assert people or plan.asks_endpoint or not any(needs_accounts(step) for step in plan.steps)
    assert list(map(str, plan.warnings)) == []
    assert list(real.iter_errors(read(path).data)) == []
    assert path.read_text().startswith("# yaml-language-server: $schema=../docs/plan.schema.json\n")


def test_the_schema_beside_the_documentation_is_the_current_one():
    assert json.loads((HOUSE / "docs" / "plan.schema.json").read_text()) == schema(REGISTRY)
