"""A real Roundcube 1.6 keeps the promises of an address book over its own pages; what its importer does to cards, and what we make of it."""

from __future__ import annotations

import itertools
from contextlib import closing

import pytest
from lab import dovecot as dovecot_lab
from pydantic import SecretStr

from migrator.contacts.adapters import roundcube as product
from migrator.contacts.adapters.roundcube import Options
from migrator.engine.contract import Login
from migrator.testing.book_store import BookContract

NUMBERS = itertools.count(1)


def a_login() -> Login:
    address = f"rc{next(NUMBERS)}@{dovecot_lab.FRESH_DOMAIN}"
    return Login(address, address, SecretStr(dovecot_lab.fresh_password(address)))


@pytest.fixture
def options(roundcube):
    return Options(url=roundcube.url)


@pytest.fixture
def login():
    return a_login()


class TestRoundcube(BookContract):
    adapter = product.ADAPTER
    needs_password = True

    @pytest.fixture
    def options(self, roundcube):
        return Options(url=roundcube.url)

    @pytest.fixture
    def login(self):
        return a_login()


@pytest.fixture
def writer(options, login):
    with closing(product.ADAPTER.writer(options, login)) as session:
        yield session
