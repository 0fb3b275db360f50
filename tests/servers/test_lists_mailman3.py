"""A real Mailman 3 core keeps the promises of the lists' contract, and nobody ever gets a mail from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest

from migrator.lists.adapters import mailman3 as adapter
from migrator.testing.list_suite import ListContract

SHARED_NAME = "somebody has one name for all his lists; a list that has none for him takes none away"


@pytest.fixture
def options(mailman3) -> adapter.Options:
    user, password = mailman3.login
    return adapter.Options(url=mailman3.url, user=user, password=password)


class TestMailman3(ListContract):
    adapter = adapter.ADAPTER
    cannot: ClassVar[dict[str, str]] = {"no-name": SHARED_NAME}

    @pytest.fixture
    def options(self, options) -> adapter.Options:
        return options

    @pytest.fixture
    def mails(self, mailman3) -> Callable[[], int]:
        return lambda: len(mailman3.mail())

    @pytest.fixture(autouse=True)
    def nobody_has_been_here(self, mailman3) -> None:
        """What a test is about are lists; the people that earlier ones left would bring their names along."""
        for user in mailman3.ask("GET", "users")[1].get("entries", []):
            mailman3.ask("DELETE", f"users/{user['user_id']}")
