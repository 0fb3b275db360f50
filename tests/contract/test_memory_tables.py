"""The database in memory keeps the contract like any other transport, rich and poor."""

from __future__ import annotations

import pytest

from migrator.engine.contract import Login
from migrator.forms.model import Features
from migrator.testing.form_suite import (
    Opens,
    OpensWriter,
    TableReaderContract,
    TableWriterContract,
    opens,
    opens_writer,
    stock,
)
from migrator.testing.memory_tables import MemoryTables, Options

POOR = Features(title="Poor tables", merges=False)
LOGIN = Login("database", "database")


class TestReading(TableReaderContract):
    @pytest.fixture
    def reading(self) -> Opens:
        database = MemoryTables("memory")
        stock(database.writer(Options(), LOGIN))
        return opens(lambda: database.reader(Options(), LOGIN))


class TestRich(TableWriterContract):
    @pytest.fixture
    def database(self) -> MemoryTables:
        return MemoryTables("memory")

    @pytest.fixture
    def reading(self, database: MemoryTables) -> Opens:
        return opens(lambda: database.reader(Options(), LOGIN))

    @pytest.fixture
    def writing(self, database: MemoryTables) -> OpensWriter:
        return opens_writer(lambda: database.writer(Options(), LOGIN))


class TestPoor(TestRich):
    @pytest.fixture
    def database(self) -> MemoryTables:
        return MemoryTables("memory", POOR, steady=False)
