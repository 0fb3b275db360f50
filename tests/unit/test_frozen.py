"""Our frozen dataclasses do what those of the standard library do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from migrator.frozen import dataclass as ours

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """A class of the standard library."""

    name: str
    size: int = 3
    marks: list[str] = dataclasses.field(default_factory=list)
    secret: str = dataclasses.field(default="s", repr=False)
    seen: int = dataclasses.field(default=0, compare=False)
    made: tuple[str, ...] = dataclasses.field(init=False, default=())
    limit: ClassVar[int] = 7
    loud: bool = dataclasses.field(default=False, kw_only=True)


@ours(frozen=True, slots=True)
class Ours:
    """The same, made by us."""

    name: str
    size: int = 3
    marks: list[str] = dataclasses.field(default_factory=list)
    secret: str = dataclasses.field(default="s", repr=False)
    seen: int = dataclasses.field(default=0, compare=False)
    made: tuple[str, ...] = dataclasses.field(init=False, default=())
    limit: ClassVar[int] = 7
    loud: bool = dataclasses.field(default=False, kw_only=True)


@ours(frozen=True, slots=True)
class Heir(Ours):
    """Inherits fields."""

    more: str = "m"


@ours(frozen=True, slots=True)
class Empty:
    pass


@ours(frozen=True, slots=True)
class Held(Generic[T]):
    """Holds anything, and says so in its own words."""

    content: T
    doubled: T | None = dataclasses.field(init=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "doubled", self.content)

    def __repr__(self) -> str:
        return f"<{self.content}>"


BOTH = pytest.mark.parametrize("kind", [Theirs, Ours])


def told(value: object) -> str:
    return repr(value).replace("Theirs", "X").replace("Ours", "X")


@pytest.mark.parametrize(
    ("words", "named"), [(("a",), {}), (("a", 5), {}), (("a", 5, ["x"], "t", 9), {"loud": True}), ((), {"name": "a"})]
)
def test_filled_and_shown_alike(words: tuple[Any, ...], named: dict[str, Any]) -> None:
    mine, other = Ours(*words, **named), Theirs(*words, **named)

    assert told(mine) == told(other)
    assert dataclasses.asdict(mine) == dataclasses.asdict(other)
    assert [one.name for one in dataclasses.fields(mine)] == [one.name for one in dataclasses.fields(other)]
    assert Ours.__match_args__ == Theirs.__match_args__


@BOTH
def test_equal_by_what_is_compared(kind: type[Any]) -> None:
    assert kind("a", seen=1) == kind("a", seen=2)
    assert kind("a") != kind("b")
    assert kind("a") != ("a",)
    assert Ours("a") != Theirs("a")


@BOTH
def test_hashed_where_its_fields_can_be(kind: type[Any]) -> None:
    assert hash(kind("a", marks=())) == hash(kind("a", marks=(), seen=4))
    with pytest.raises(TypeError):
        hash(kind("a"))


@BOTH
def test_nothing_can_be_set_or_deleted(kind: type[Any]) -> None:
    one = kind("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.name
    assert one.name == "a"
    assert not hasattr(one, "__dict__")


def test_a_new_name_is_refused_too() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Ours("a").other = "b"  # type: ignore[attr-defined]


@BOTH
def test_what_a_factory_makes_is_made_anew(kind: type[Any]) -> None:
    assert kind("a").marks is not kind("a").marks


@BOTH
def test_replaced_copied_and_pickled(kind: type[Any]) -> None:
    one = kind("a", 4, ["x"], loud=True)

    assert dataclasses.replace(one, name="b") == kind("b", 4, ["x"], loud=True)
    assert copy.copy(one) == one
    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one


@BOTH
@pytest.mark.parametrize(("words", "named"), [((), {}), (("a", 1, [], "s", 0, "too many"), {}), (("a",), {"nme": 1})])
def test_wrong_arguments_are_refused_with_the_class_named(
    kind: type[Any], words: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=rf"{kind.__name__}\.__init__\(\)"):
        kind(*words, **named)


def test_fields_are_inherited() -> None:
    assert Heir("a", more="x") == Heir("a", more="x")
    assert Heir("a").more == "m"
    assert Heir("a") != Ours("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        Heir("a").more = "y"  # type: ignore[misc]


def test_a_class_of_the_standard_library_may_inherit() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Later(Ours):
        more: str = "m"

    assert Later("a").more == "m"
    with pytest.raises(TypeError, match="non-frozen"):

        @dataclasses.dataclass
        class Open(Ours):
            more: str = "m"


def test_a_class_without_fields() -> None:
    assert Empty() == Empty()
    assert hash(Empty()) == hash(Empty())
    assert repr(Empty()) == "Empty()"


def test_what_the_class_says_itself_stays() -> None:
    assert repr(Held("a")) == "<a>"
    assert Held("a").doubled == "a"


def test_other_wishes_go_to_the_standard_library() -> None:
    @ours(slots=True)
    class Open:
        name: str

    one = Open("a")
    one.name = "b"
    assert one == Open("b")


def test_a_field_after_a_default_needs_one_too() -> None:
    with pytest.raises(SyntaxError):

        @ours(frozen=True, slots=True)
        class Wrong:
            size: int = 1
            name: str  # type: ignore[misc]
