"""The contract of address books on Thunderbird's CSV and LDIF, and what real LDIF looks like."""

from __future__ import annotations

import pytest

from migrator.contacts.adapters import thunderbird
from migrator.testing.book_store import BookContract


class TestCsv(BookContract):
    adapter = thunderbird.ADAPTER

    @pytest.fixture
    def options(self, tmp_path):
        return thunderbird.Options(path=tmp_path / "contacts", format="csv")


class TestLdif(BookContract):
    adapter = thunderbird.ADAPTER

    @pytest.fixture
    def options(self, tmp_path):
        return thunderbird.Options(path=tmp_path / "contacts", format="ldif")
