"""The JSON Schema of a plan, for editors: completion, descriptions and red lines while typing."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from migrator.engine.contract import Adapter, Kind
from migrator.plan.load import VERIFY
from migrator.plan.written import PlanFile, Sample, StepWords
from migrator.registry import REGISTRY, Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MODE: JsonSchemaMode = "validation"

Schema = dict[str, Any]  # Any: a JSON Schema is what JSON can hold


def schema(registry: Registry = REGISTRY) -> Schema:
    """The schema of a whole plan with the options of every adapter and step the registry knows; imports all of them.

    Raises PlanError if a package that publishes one is broken.
    """
    adapters = {
        service: [registry.adapter(service, word) for word in registry.adapters(service)]
        for service in registry.services()
    }
    kinds = [registry.kind(word) for word in registry.kinds()]
    options: list[type[BaseModel]] = [adapter.options for offered in adapters.values() for adapter in offered]
    options += [kind.options for kind in kinds]
    models: dict[type[BaseModel], None] = dict.fromkeys([PlanFile, StepWords, Sample, *options])
    refs, whole = models_json_schema([(model, _MODE) for model in models])
    parts = whole["$defs"]

    def part(model: type[BaseModel]) -> Schema:
        found: Schema = parts[refs[model, _MODE]["$ref"].rpartition("/")[2]]
        return found

    common = part(StepWords)["properties"]
    plan = part(PlanFile)
    endpoint = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            service: {"oneOf": [_service(adapter, part(adapter.options)) for adapter in offered]}
            for service, offered in adapters.items()
        },
    }
    endpoints = plan["properties"]["endpoints"]
    # The names' pattern stands there already; only what a name leads to is ours to say.
    endpoints["patternProperties"] = dict.fromkeys(endpoints["patternProperties"], endpoint)
    endpoints.update(additionalProperties=False, minProperties=1)
    plan["properties"]["steps"]["minItems"] = 1
    plan["properties"]["steps"]["items"] = {
        "anyOf": [
            {"enum": [*(kind.word for kind in kinds), VERIFY]},
            *(_step(kind, part(kind.options), common) for kind in kinds),
            _verify(kinds, common, refs[Sample, _MODE]),
        ]
    }
    return {
        "$schema": DIALECT,
        **plan,
        "title": "migrator plan",
        "$defs": {name: body for name, body in parts.items() if body is not plan},
    }


def _service(adapter: Adapter[Any, Any], options: Schema) -> Schema:  # Any: the service decides what sessions can do
    """An adapter's options, told apart from the others of its service by `type`."""
    word = {"const": adapter.word, "description": adapter.title}
    required = dict.fromkeys(["type", *options.get("required", [])])
    return {
        **options,
        "title": adapter.title,
        "properties": {"type": word, **_others(options, "type")},
        "required": list(required),
    }


def _step(kind: Kind, options: Schema, common: Schema) -> Schema:
    """A step with options: a mapping with its word as the only key."""
    with_common = {**options, "type": "object", "properties": {**common, **options.get("properties", {})}}
    return _one_key(kind.word, {"anyOf": [{"type": "null"}, with_common]})


def _verify(kinds: list[Kind], common: Schema, sample: Schema) -> Schema:
    by_kind = {kind.word: sample for kind in kinds}
    body = {"type": "object", "additionalProperties": False, "properties": {"name": common["name"], **by_kind}}
    return _one_key(VERIFY, {"anyOf": [{"type": "null"}, body]})


def _one_key(word: str, body: Schema) -> Schema:
    return {"type": "object", "properties": {word: body}, "required": [word], "additionalProperties": False}


def _others(options: Schema, but: str) -> Schema:
    return {word: body for word, body in options.get("properties", {}).items() if word != but}
