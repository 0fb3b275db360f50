"""The lists in memory keep the contract like any other product, rich and poor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import pytest

from migrator.lists.model import Features, Member, Settings
from migrator.panel.model import lost
from migrator.testing.list_suite import ListContract
from migrator.testing.memory_lists import ABLE, MemoryLists, Options

POOR = Features(
    title="Poor lists",
    keeps={
        "member.hidden": lost("it has no such option"),
        "member.language": lost("it speaks one language"),
        "list.welcome_text": lost("its text is fixed"),
        "list.header_rules": lost("it looks at no headers"),
    },
    noisy=ABLE.noisy,
    at_once=50,
)


class TestRich(ListContract):
    @pytest.fixture(autouse=True)
    def product(self) -> MemoryLists:
        product = MemoryLists("memory")
        type(self).adapter = product.adapter
        return product

    @pytest.fixture
    def options(self) -> Options:
        return Options()

    @pytest.fixture
    def mails(self, product: MemoryLists) -> Callable[[], int]:
        return lambda: len(product.mails)


class TestPoor(TestRich):
    @pytest.fixture(autouse=True)
    def product(self) -> MemoryLists:
        product = MemoryLists("memory", POOR, importer=True, in_halves=True)
        type(self).adapter = product.adapter
        return product


class TestSharingNames(TestRich):
    cannot: ClassVar[dict[str, str]] = {"no-name": "somebody has one name for all lists"}

    @pytest.fixture(autouse=True)
    def product(self) -> MemoryLists:
        product = MemoryLists("memory", replace(ABLE, shares_names=True))
        type(self).adapter = product.adapter
        return product


def test_it_counts_the_mails_that_a_loud_list_would_write() -> None:
    product = MemoryLists("loud")
    product.fill("news@example.com", Settings(welcomes=True, says_goodbye=True, tells_owner_of_changes=True))
    writer = product.writer(Options(), None)  # type: ignore[arg-type]  # it asks for no login
    writer.add("news@example.com", [Member("ann@example.com")])
    writer.remove("news@example.com", [Member("ann@example.com")])
    assert product.mails == [
        "welcomes: ann@example.com",
        "tells_owner_of_changes: ann@example.com",
        "says_goodbye: ann@example.com",
        "tells_owner_of_changes: ann@example.com",
    ]
