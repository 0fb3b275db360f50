"""The contract of contacts on real Radicale and Xandikos, and the traps of CardDAV that only real servers set."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from migrator.contacts.adapters import carddav
from migrator.engine.contract import Login
from migrator.testing.book_store import BookContract


def options_for(server):
    return carddav.Options(url=server.url, ca_file=server.ca_file)


def login_at(server):
    user, password = server.fresh_user()
    return Login(user, user, SecretStr(password))


class TestRadicale(BookContract):
    adapter = carddav.ADAPTER
    needs_password = True

    @pytest.fixture
    def options(self, radicale):
        return options_for(radicale)

    @pytest.fixture
    def login(self, radicale):
        return login_at(radicale)


class TestXandikos(BookContract):
    adapter = carddav.ADAPTER
    needs_password = True

    @pytest.fixture
    def options(self, xandikos):
        return options_for(xandikos)

    @pytest.fixture
    def login(self, xandikos):
        return login_at(xandikos)
