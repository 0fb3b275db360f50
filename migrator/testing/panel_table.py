"""The table of panels and promises, from what pytest wrote down: `python -m migrator.testing.panel_table results.xml ...`.

    pytest tests/contract tests/servers --junitxml=results.xml

A column for each class that inherits PanelContract, a row for each of its promises: ok, FAILED, `cannot` where the product has no such
thing, `in part` where that holds for some cases of it, `skipped` where this machine lacks something, `-` where it was not tried. The
reasons stand below. Exits with 1 if a promise is broken or nothing was tried.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from migrator.frozen import dataclass
from migrator.testing.panel_suite import PanelContract

OK, FAILED, CANNOT, IN_PART, SKIPPED, NOT_TRIED = "ok", "FAILED", "cannot", "in part", "skipped", "-"
PROPERTY = "product cannot"  # what the suite records a reason under
EVERY_PANEL_HAS = PanelContract.test_the_features_name_known_fields_and_say_why.__name__  # which no other suite has


@dataclass(frozen=True, slots=True)
class Tried:
    """One case of a promise at one panel: what became of it, and the reason if it was not kept. `trait` tells cases apart."""

    panel: str
    promise: str
    trait: str
    became: str
    why: str = ""


def promises() -> list[str]:
    """The names of the contract's tests, in its order."""
    return [name for name in vars(PanelContract) if name.startswith("test_")]


def results(files: Iterable[Path]) -> list[Tried]:
    """What the files say of every promise at every panel; other tests are passed over."""
    cases = [case for file in files for case in ET.parse(file).getroot().iter("testcase")]
    panels = {_class(case) for case in cases if _promise(case)[0] == EVERY_PANEL_HAS}
    titles = _titles(sorted(panels))
    known = set(promises())
    return [
        Tried(titles[_class(case)], *_promise(case), *_what_became(case))
        for case in sorted(cases, key=_place)
        if _class(case) in panels and _promise(case)[0] in known
    ]


def table(tried: Sequence[Tried]) -> Iterator[str]:
    """The table, then the reasons, line by line."""
    panels = sorted(dict.fromkeys(one.panel for one in tried))
    rows = {promise: sentence(promise) for promise in dict.fromkeys(one.promise for one in tried)}
    cases: dict[tuple[str, str], list[str]] = {}
    for one in tried:
        cases.setdefault((one.panel, one.promise), []).append(one.became)
    wide = max(map(len, rows.values()), default=0)
    widths = [max(len(panel), len(SKIPPED)) for panel in panels]
    yield _row("", panels, wide, widths)
    for promise, said in rows.items():
        yield _row(said, [cell(cases.get((panel, promise), ())) for panel in panels], wide, widths)
    for became in (FAILED, CANNOT, SKIPPED):
        yield from _reasons(became, [one for one in tried if one.became == became])


def cell(cases: Sequence[str]) -> str:
    """One word for all cases of a promise."""
    if FAILED in cases:
        return FAILED
    if not cases:
        return NOT_TRIED
    return cases[0] if len(set(cases)) == 1 else IN_PART


def _reasons(became: str, tried: Sequence[Tried]) -> Iterator[str]:
    """Why, panel by panel; cases with one reason stand on one line."""
    if not tried:
        return
    yield from ("", became)
    together: dict[tuple[str, str, str], list[str]] = {}
    for one in sorted(tried, key=lambda one: one.panel):
        together.setdefault((one.panel, one.promise, one.why), []).append(one.trait)
    for (panel, promise, why), traits in together.items():
        named = ", ".join(filter(None, traits))
        yield f"  {panel}: {sentence(promise)}{f' ({named})' if named else ''}{f': {why}' if why else ''}"


def sentence(name: str) -> str:
    """A test's name as a sentence."""
    return name.removeprefix("test_").replace("_", " ")


def main(words: Sequence[str]) -> int:
    """Print the table of the files named."""
    if not words:
        sys.stderr.write("usage: python -m migrator.testing.panel_table results.xml ...\n")
        return 2
    try:
        tried = results(map(Path, words))
    except (OSError, ET.ParseError) as error:
        sys.stderr.write(f"This is no file that pytest --junitxml wrote: {error}\n")
        return 2
    for line in table(tried):
        sys.stdout.write(f"{line}\n")
    return 0 if tried and not any(one.became == FAILED for one in tried) else 1


def _class(case: ET.Element) -> str:
    return case.get("classname", "")


def _promise(case: ET.Element) -> tuple[str, str]:
    """The test's name, and what stands in brackets behind it: `Hold.LOGIN` is login."""
    name, _, trait = case.get("name", "").partition("[")
    return name, re.sub(r"\b(?:Hold|Way)\.(\w+)", lambda found: found[1].lower(), trait.removesuffix("]"))


def _place(case: ET.Element) -> int:
    order = {name: place for place, name in enumerate(promises())}
    return order.get(_promise(case)[0], len(order))


def _what_became(case: ET.Element) -> tuple[str, str]:
    for word in ("failure", "error"):
        if (trouble := case.find(word)) is not None:
            return FAILED, trouble.get("message", "").partition("\n")[0]
    if (skipped := case.find("skipped")) is not None:
        return SKIPPED, skipped.get("message", "")
    reasons = [one.get("value", "") for one in case.iter("property") if one.get("name") == PROPERTY]
    return (CANNOT, "; ".join(reasons)) if reasons else (OK, "")


def _titles(classes: Sequence[str]) -> dict[str, str]:
    """`tests.contract.test_panel_hestia.TestHestia` is Hestia; two that would be called the same keep their module in front."""
    short = {name: name.rpartition(".")[2].removeprefix("Test") for name in classes}
    doubled = {title for title in short.values() if list(short.values()).count(title) > 1}
    return {name: name.replace(".Test", ".") if title in doubled else title for name, title in short.items()}


def _row(first: str, cells: Sequence[str], wide: int, widths: Sequence[int]) -> str:
    return "  ".join(
        [first.ljust(wide), *(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))]
    ).rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
