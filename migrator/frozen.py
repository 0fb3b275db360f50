"""The `dataclass` of the standard library, made in a quarter of the time and filled in two thirds of it.

Python 3.11 compiles up to six methods for every frozen class. A run has more than a hundred such classes and half a second to start in, and
makes a dozen of their objects for every message. Here one method is compiled, `__init__`, which fills the slots itself; the others are made
from functions that are compiled already. To the type checker, to `fields`, `replace` and `asdict` it is a dataclass like any other.

What surprises: only `frozen=True, slots=True` is made here. Every other wish goes to the standard library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

_MADE_HERE = {"frozen": True, "slots": True}
_MISSING = dataclasses.MISSING
_FACTORY = object()  # what a parameter holds that was not given and whose value a factory makes

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, **wishes: Any) -> Any:
        """See `dataclasses.dataclass`."""
        make = _made if wishes == _MADE_HERE else dataclasses.dataclass(**wishes)
        return make if cls is None else make(cls)


def _made(cls: type) -> type:
    own = vars(cls)
    keep_hash = own.get("__hash__") is not None
    cls.__doc__ = cls.__doc__ or cls.__name__  # the standard library would look for a signature to put there
    # It finds the fields and makes the slots, and compiles nothing for that, but for the heir of a frozen class.
    heir = any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:])
    made: type = dataclasses.dataclass(init=False, repr=False, eq=False, frozen=heir, slots=True)(cls)
    parameters: Any = vars(made)["__dataclass_params__"]
    parameters.init = parameters.repr = parameters.eq = parameters.frozen = True
    fields = dataclasses.fields(made)
    compared = [one.name for one in fields if one.compare]
    values: Callable[[Any], object] = attrgetter(*compared) if compared else type
    methods: dict[str, Any] = {
        "__init__": _init_of(made, fields),
        "__repr__": _repr_of([one.name for one in fields if one.repr]),
        "__eq__": _eq_of(values),
        "__getstate__": _state,
        "__setstate__": _set_state,
    }
    if not keep_hash:
        made.__hash__ = _hash_of(values)  # type: ignore[method-assign, assignment]
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    made.__setattr__ = _refuse_to_set  # type: ignore[method-assign, assignment]
    made.__delattr__ = _refuse_to_delete  # type: ignore[method-assign, assignment]
    return made


def _init_of(cls: type, fields: Sequence[dataclasses.Field[Any]]) -> Callable[..., None]:
    """The one method that has a shape of its own: its parameters are the fields."""
    names: dict[str, Any] = {"factory": _FACTORY}
    parameters: list[str] = []
    keywords: list[str] = []
    body: list[str] = []
    for number, one in enumerate(fields):
        names[f"set_{number}"] = getattr(cls, one.name).__set__
        parameter = value = one.name
        if one.default is not _MISSING:
            names[f"default_{number}"] = one.default
            parameter = f"{one.name}=default_{number}"
            value = value if one.init else f"default_{number}"
        elif one.default_factory is not _MISSING:
            names[f"make_{number}"] = one.default_factory
            parameter = f"{one.name}=factory"
            value = f"make_{number}() if {one.name} is factory else {one.name}" if one.init else f"make_{number}()"
        if one.init:
            (keywords if one.kw_only else parameters).append(parameter)
        if one.init or value != one.name:
            body.append(f"    set_{number}(self, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("    self.__post_init__()")
    told = ", ".join(["self", *parameters, *(["*", *keywords] if keywords else [])])
    text = "\n".join([f"def __init__({told}):", *body, "    return None"])
    exec(text, names)  # noqa: S102 - nothing in it but the names of our own fields
    init: Callable[..., None] = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _repr_of(names: Sequence[str]) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:  # noqa: N807
        told = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{type(self).__qualname__}({told})"

    return __repr__


def _eq_of(values: Callable[[Any], object]) -> Callable[[Any, object], bool]:
    def __eq__(self: Any, other: object) -> bool:  # noqa: N807
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash_of(values: Callable[[Any], object]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __hash__


def _state(self: Any) -> list[Any]:
    """What a copy or a pickle is made from."""
    return [getattr(self, one.name) for one in dataclasses.fields(self)]


def _set_state(self: Any, state: Sequence[Any]) -> None:
    for one, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)


def _refuse_to_set(_self: Any, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
