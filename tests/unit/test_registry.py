import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import plan_words
import pytest

from migrator.errors import PlanError
from migrator.registry import ADAPTERS, KINDS, Registry


def published(*entries):
    return lambda: EntryPoints(EntryPoint(name=name, value=value, group=group) for name, value, group in entries)


def test_our_words_are_found():
    registry = plan_words.words()
    assert registry.kind("letters") is plan_words.LETTERS
    assert registry.adapter("mail", "post") is plan_words.POST
    assert registry.kinds() == ("cards", "letters")
    assert registry.adapters("mail") == ("archive", "post", "shelf")
    assert registry.services() == ("cards", "mail")


def test_an_unknown_word_is_told_with_the_nearest_one():
    with pytest.raises(PlanError, match=r"there is no step called leters\. Did you mean letters\?"):
        plan_words.words().kind("leters")
    with pytest.raises(PlanError, match=r"there is no mail adapter called xyz\. Known are archive, post, shelf\."):
        plan_words.words().adapter("mail", "xyz")


def test_another_name_of_a_product_is_told_as_the_word_of_ours():
    with pytest.raises(PlanError, match=r"there is no forms adapter called mariadb\. Did you mean mysql\?"):
        Registry().adapter("forms", "mariadb")


def test_what_others_publish_is_found_and_ours_cannot_be_taken():
    registry = Registry(
        kinds={"cards": "plan_words:CARDS"},
        adapters={},
        published=published(
            ("letters", "plan_words:LETTERS", "migrator.steps.v1"),
            ("cards", "plan_words:LETTERS", "migrator.steps.v1"),
            ("shelf", "plan_words:SHELF", "migrator.books.v1"),
            ("shelf", "plan_words:SHELF", "migrator.books.v2"),
            ("x", "y:z", "console_scripts"),
        ),
    )
    assert registry.kind("letters") is plan_words.LETTERS
    assert registry.kind("cards") is plan_words.CARDS
    assert registry.adapter("books", "shelf") is plan_words.SHELF
    assert registry.services() == ("books",)
    assert registry.adapters("books") == ("shelf",)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no_such_module_here:X", "cannot be loaded"),
        ("plan_words:NOTHING", "cannot be loaded"),
        ("plan_words:POST", "offers something else under this word"),
        ("plan_words:CARDS", "offers something else under this word"),
    ],
)
def test_a_broken_package_is_named(value, told):
    registry = Registry({}, {}, published(("letters", value, "migrator.steps.v1")))
    with pytest.raises(PlanError, match=told):
        registry.kind("letters")


def test_importing_the_registry_and_listing_words_imports_no_room():
    code = (
        "import sys; from migrator.registry import REGISTRY; REGISTRY.kinds(), REGISTRY.adapters('mail'), REGISTRY.services();"
        "print([name for name in sys.modules if name.startswith('migrator.mail')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_word_of_ours_has_something_behind_it():
    registry = Registry(published=published())
    assert [registry.kind(word).word for word in KINDS] == list(KINDS)
    assert [(service, registry.adapter(service, word).word) for service, word in ADAPTERS] == list(ADAPTERS)
