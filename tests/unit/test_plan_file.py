from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_words import found_wrong

from migrator.errors import PlanError
from migrator.plan.file import LARGEST_FILE, parse, read
from migrator.plan.problems import Place, PlanMistakes

PLAN = Path("plan.yaml")


def data(text):
    return parse(text.encode(), PLAN).data


def mistakes(text):
    with pytest.raises(PlanMistakes) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), PLAN)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("~", None), ("", None), ("null", None), ("Null", None),
        ("true", True), ("False", False), ("yes", "yes"), ("off", "off"), ("tRUE", "tRUE"),
        ("12", 12), ("-3", -3), ("+4", 4), ("0", 0), ("0o17", 15), ("0xfF", 255), ("1_000", "1_000"), ("1:30", "1:30"),
        ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-.inf", float("-inf")), (".INF", float("inf")), ("1.", 1.0),
        ("2024-01-01", "2024-01-01"), ("5%", "5%"), ("50MB", "50MB"), ("'12'", "12"), ('"true"', "true"), ("=", "="),
        ("|\n  two\n  lines", "two\nlines\n"), (">\n  one\n  line", "one line\n"),
    ],
)  # fmt: skip
def test_scalars_mean_what_yaml_1_2_says(written, meant):
    found = data(f"key: {written}\n")["key"]
    assert found == meant
    assert type(found) is type(meant)


def test_not_a_number_is_read_as_one():
    assert data("a: .nan")["a"] != data("a: .NaN")["a"]


def test_every_part_knows_its_line_and_column():
    document = parse(b"a:\n  b: 1\n  c: [x, {d: y}]\n", PLAN)
    assert document.place(("a", "c")) == Place(3, 6)
    assert document.place(("a", "c"), True) == Place(3, 3)
    assert document.place(("a", "c", 1, "d")) == Place(3, 14)
    assert document.place(("a", "missing", "deeper")) == Place(1, 1)
    assert document.place(()) == Place(1, 1)


def test_an_alias_stands_for_what_it_names():
    assert data("a: &x {k: [1]}\nb: *x\n") == {"a": {"k": [1]}, "b": {"k": [1]}}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "plan.yaml:3:1: a is here twice; it was given on line 1 already."),
        ("a: !!str 3\n", "plan.yaml:1:4: tags (!word) are not used in plans."),
        ("a: !thing {b: 1}\n", "plan.yaml:1:4: tags"),
        ("a: !!python/object/apply:os.system [id]\n", "plan.yaml:1:4: tags"),
        ("a: &x {k: 1}\nb: {<<: *x}\n", "plan.yaml:2:5: merge keys (<<) are not used"),
        ("a: 0123\n", "plan.yaml:1:4: a number with a leading zero"),
        ("a: 1234567890123456789012\n", "plan.yaml:1:4: this number is too long"),
        ("8: x\n", "plan.yaml:1:1: a key must be text; quote it."),
        ("true: x\n", "plan.yaml:1:1: a key must be text; quote it."),
        ("? [a]\n: x\n", "plan.yaml:1:3: a list or a mapping cannot be a key."),
        ("a: *nobody\n", "plan.yaml:1:4: *nobody refers to an anchor that is not above."),
        ("a: &x [*x]\n", "plan.yaml:1:8: *x stands inside the part it refers to."),
        ("a: 1\n---\nb: 2\n", "plan.yaml:2:1: a plan is one document."),
        ("%YAML 1.1\n---\na: 1\n", "directives (%YAML, %TAG) are not used"),
        ('a: "\\e[31m"\n', "plan.yaml:1:4: this text holds a character that no plan needs (U+001B)"),
        ('a: "\\ud800"\n', "U+D800"),
        ('a: "\\UFFFFFFFF"\n', "plan.yaml:1: this is not YAML"),
        ("a: b: c\n", "plan.yaml:1:5: a colon is not expected here"),
        ("a:\n\tb: 1\n", "plan.yaml:2:1: a tab cannot indent"),
        ("a: 'x\n", "the file ends inside quotes"),
        ("a: [1,\n", "the file ends inside brackets"),
        ("a: {*@example.com: x}\n", "A wildcard (*) must be quoted."),
        ("a: *@example.com\n", "If a wildcard is meant, quote it."),
        ("- a\n", "plan.yaml:1:1: a plan is a mapping"),
        ("", "plan.yaml:1: the plan is empty."),
        ("# nothing\n", "plan.yaml:1: the plan is empty."),
        (b"a: 1\nb: \xe9\n", "plan.yaml:2: this line is not UTF-8."),
        (b"a: 1\nb: \x00\n", "plan.yaml:2: this line holds a character that YAML does not allow (U+0000)"),
    ],
)  # fmt: skip
def test_what_a_plan_may_not_hold_is_told_with_its_place(written, told):
    assert any(told in line for line in mistakes(written))


def test_several_mistakes_are_told_at_once():
    assert len(mistakes("a: 1\na: 2\nb: !x 3\nc: 017\n")) == 3


def test_a_byte_order_mark_is_passed_over():
    assert parse(b"\xef\xbb\xbfa: 1\n", PLAN).place(("a",), True) == Place(1, 1)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "bomb",
    [
        "a: " + "[" * 100_000,
        "a:\n" + "".join(f"{'  ' * n}- \n" for n in range(1, 200)),
        "a: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"b{n}: &a{n + 1} [{','.join([f'*a{n}'] * 10)}]\n" for n in range(9)),
        "a: &a x\nb: [" + "*a ," * 2_000 + "]\n",
        "a: &a " + "x" * 100_000 + "\nb: [" + "*a ," * 500 + "]\n",
    ],
    ids=["brackets", "dashes", "billion laughs", "aliases", "long aliased text"],
)
def test_bombs_are_refused_before_they_go_off(bomb):
    assert any("deeper" in line or "alias" in line for line in mistakes(bomb))


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_bytes(b"# " + b"x" * LARGEST_FILE)
    with pytest.raises(PlanMistakes, match="larger than 4 MB"):
        read(plan)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PlanError, match=r"nothing\.yaml: the plan cannot be read \(no such file or directory\)"):
        read(tmp_path / "nothing.yaml")


@given(st.text() | st.text(alphabet="ab:-[]{}&*!|>'\"%#\n\t ,?<~01x\\U"))
def test_any_text_is_read_or_refused_with_a_place(text):
    raw = text.encode("utf-8", "surrogatepass")
    assert all(problem.place.line >= 1 for problem in found_wrong(lambda: parse(raw, PLAN)))


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw):
    assert all(problem.text for problem in found_wrong(lambda: parse(raw, PLAN)))
