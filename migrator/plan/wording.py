"""Says in our own words what pydantic found wrong with a part of a plan.

Nothing here repeats a value: it may be a password in the wrong place. Places are taken from the plan's data, not from pydantic's
account of them, which names branches of unions as if they were keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from migrator.meant import did_you_mean, nearest
from migrator.plan.problems import Path, Problems, listed

Shape = TypeVar("Shape", bound=BaseModel)

_MUST_BE = {  # error type: what the value must be
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping (keys with values)",
    "mapping_type": "a mapping (keys with values)",
    "model_type": "a mapping (keys with values)",
    "model_attributes_type": "a mapping (keys with values)",
    "dataclass_type": "a mapping (keys with values)",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "iterable_type": "a list",
    "path_type": "a path",
    "byte_size": "a size, such as 50MB",
    "byte_size_unit": "a size, such as 50MB",
    "time_delta_type": "a duration",
    "time_delta_parsing": "a duration",
    "url_type": "an address such as https://host.example.net",
    "url_parsing": "an address such as https://host.example.net",
    "none_required": "empty",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_long": "no longer than {max_length} characters",
}
_EXTRA = "extra_forbidden"
_TEXT = {"string_type", "string_sub_type", "path_type"}
_NOT_TEXT = {"int_type", "float_type", "bool_type"}


def checked(
    shape: type[Shape], data: Mapping[str, Any], at: Path, problems: Problems, secret: AbstractSet[str] = frozenset()
) -> Shape | None:
    """`data` as a `shape`, or None after every mistake was added to `problems`. `at` is where `data` stands in the plan, `secret`
    its keys that hold names of secrets. Nothing is coerced: a number is no text and a text no number.
    """
    try:
        # By way of JSON, because strict means there what a person means: a list will do for a tuple, but "8" is no number.
        return shape.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        found = dict(_by_place(error, data))
        meant = {(*path[:-1], _meant(path, shape)) for path, told in found.items() if told[0]["type"] == _EXTRA}
        for path, told in found.items():
            if told[0]["type"] == "missing" and path in meant:
                continue  # it is there under a mistyped key, which is told
            text, of_key = _sentence(told, path, data, shape, secret)
            problems.at((*at, *path), text, of_key=of_key)
    return None


def _by_place(error: ValidationError, data: Mapping[str, Any]) -> Iterator[tuple[Path, list[ErrorDetails]]]:
    """The errors, those about the same value together: a union complains once for each of its branches."""
    found: dict[Path, list[ErrorDetails]] = {}
    for told in error.errors(include_url=False, include_input=False):
        found.setdefault(_real_path(told, data), []).append(told)
    yield from found.items()


def _real_path(told: ErrorDetails, data: Any) -> Path:  # Any: a part of the plan
    """Where the error is in the data: what is neither there nor missing there is a branch of a union and left out."""
    loc = told["loc"]
    path: list[str | int] = []
    for position, part in enumerate(loc):
        keys: Any = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if part in keys:
            data = data[part]
            path.append(part)
        elif told["type"] == "missing" and position == len(loc) - 1:
            path.append(part)
    return tuple(path)


def _sentence(
    told: list[ErrorDetails], path: Path, data: Mapping[str, Any], shape: type[BaseModel], secret: AbstractSet[str]
) -> tuple[str, bool]:
    """What is wrong with the value at `path`, and whether its key is to blame."""
    first = told[0]
    kind = first["type"]
    value = _value(data, path)
    if kind == "missing":
        return "is missing.", True
    if kind == _EXTRA:
        return _not_known(path, shape), True
    if first["loc"] and first["loc"][-1] == "[key]":
        return _own_words(first) or "cannot be a key here.", True
    if path and path[-1] in secret:
        return _about_secret(value), False
    if value is None and kind not in {"value_error", "sentence"}:
        return "is empty.", False
    return _own_words(first) or _must_be(told, value) or _does_not_fit(shape, path), False


def _meant(path: Path, shape: type[BaseModel]) -> str | None:
    """The known key that the unknown one at the end of a path was probably meant to be."""
    return nearest(str(path[-1]), _known_keys(shape, path[:-1])) if path else None


def _not_known(path: Path, shape: type[BaseModel]) -> str:
    known = _known_keys(shape, path[:-1])
    near = did_you_mean(str(path[-1]), known) if path else ""
    return f"is not known here.{near or (f' Known are {listed(sorted(known))}.' if known else '')}"


def _own_words(told: ErrorDetails) -> str:
    """The sentence of a check that was written for people: ours, or an adapter's."""
    if told["type"] == "sentence":
        return told["msg"]
    if told["type"] not in {"value_error", "assertion_error"}:
        return ""
    words = str(told.get("ctx", {}).get("error", "")).strip() or "does not fit here"
    words = words if words.endswith((".", "?")) else f"{words}."
    # "must be a share" goes on where the path ends; "a secret comes from ..." is a sentence of its own.
    return words if words.split(" ", 1)[0] in {"must", "may", "is", "needs", "cannot", "has", "holds"} else f": {words}"


def _about_secret(value: Any) -> str:  # Any: whatever the plan says; it is looked at, never shown
    if isinstance(value, bool | int | float):
        noun = "a truth value" if isinstance(value, bool) else "a number"
        return (
            "must be the name of a secret (see secrets:), not a password itself; "
            f"this one is read as {noun}. A name that looks like {noun} has to be quoted."
        )
    return "must be the name of a secret."


def _must_be(told: list[ErrorDetails], value: Any) -> str:  # Any: whatever the plan says
    if choices := [text for error in told for text in _choices(error)]:
        near = did_you_mean(value, choices) if isinstance(value, str) else ""
        others = [noun for error in told if (noun := _noun(error))]
        return f"must be {listed([*choices, *others], 'or')}.{near}"
    kinds = {error["type"] for error in told}
    if kinds & {"string_too_short", "too_short"}:
        return "must not be empty."
    nouns = list(dict.fromkeys(noun for error in told if (noun := _noun(error))))
    if not nouns:
        return ""
    if kinds & _TEXT and isinstance(value, bool | int | float):
        return f"must be {listed(nouns, 'or')}; quote it."
    if kinds <= _NOT_TEXT and isinstance(value, str):
        return f"must be {listed(nouns, 'or')}, without quotes."
    return f"must be {listed(nouns, 'or')}."


def _noun(error: ErrorDetails) -> str:
    return _MUST_BE.get(error["type"], "").format(**error.get("ctx", {}))


def _choices(error: ErrorDetails) -> list[str]:
    """What a closed list of words allows; pydantic has it as `'a', 'b' or 'c'`."""
    if error["type"] not in {"literal_error", "enum"}:
        return []
    return [word.strip("' ") for word in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]


def _does_not_fit(shape: type[BaseModel], path: Path) -> str:
    """For what we have no words for: the field's own description."""
    description = _at(shape.model_json_schema(), path).get("description", "")
    return f"does not fit here. It is: {description}" if description else "does not fit here."


def _value(data: Any, path: Path) -> Any:  # Any: whatever the plan says
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
    return data


def _known_keys(shape: type[BaseModel], path: Path) -> set[str]:
    """The keys that are known at a path, as the shape's JSON Schema has them."""
    return set(_at(shape.model_json_schema(), path).get("properties", {}))


def _at(schema: dict[str, Any], path: Path) -> dict[str, Any]:
    """The part of a JSON Schema about the value at `path`; of a union, all branches thrown together."""
    definitions = schema.get("$defs", {})
    here = _flat(schema, definitions)
    for part in path:
        if isinstance(part, int):
            deeper = here.get("items", {})
        else:
            # Keys that a person chooses are bound by a pattern, which was looked at before.
            others = next(iter(here.get("patternProperties", {}).values()), here.get("additionalProperties", {}))
            deeper = here.get("properties", {}).get(part, others)
        here = _flat(deeper if isinstance(deeper, dict) else {}, definitions)
    return here


def _flat(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema with its references followed and its branches merged."""
    merged = {key: value for key, value in schema.items() if key not in {"$ref", "anyOf", "oneOf", "allOf"}}
    branches = [branch for word in ("anyOf", "oneOf", "allOf") for branch in schema.get(word, ())]
    if "$ref" in schema:
        branches.append(definitions[schema["$ref"].rpartition("/")[2]])
    for branch in branches:
        for key, value in _flat(branch, definitions).items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            else:
                merged.setdefault(key, value)
    return merged
