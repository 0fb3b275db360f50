"""The contract of address books on Outlook's CSV."""

from __future__ import annotations

import pytest

from migrator.contacts.adapters import outlook_csv
from migrator.testing.book_store import BookContract


class TestEnglish(BookContract):
    adapter = outlook_csv.ADAPTER

    @pytest.fixture
    def options(self, tmp_path):
        return outlook_csv.Options(path=tmp_path / "contacts")


class TestGerman(TestEnglish):
    @pytest.fixture
    def options(self, tmp_path):
        return outlook_csv.Options(path=tmp_path / "contacts", language="de")
