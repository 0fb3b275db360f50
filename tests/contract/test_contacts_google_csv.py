"""The contract of address books on Google's CSV."""

from __future__ import annotations

import pytest

from migrator.contacts.adapters import google_csv
from migrator.testing.book_store import BookContract


class TestFolder(BookContract):
    adapter = google_csv.ADAPTER

    @pytest.fixture
    def options(self, tmp_path):
        return google_csv.Options(path=tmp_path / "contacts")
