"""The panel contract on postfixadmin's tables and on the guides' tables, each in an sqlite file of its own. The same on MariaDB, with
logins at a real Dovecot, is in tests/servers/test_panel_postfix_sql.py.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from migrator.errors import EndpointRefused, Misbehaved, NotFound, Refused, Unavailable
from migrator.panel.adapters import postfix_sql
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Forwarder,
    Hold,
    Mailbox,
    Password,
    Routing,
    Way,
)
from migrator.panel.sql.virtual_users import NO_QUOTA
from migrator.testing.panel_suite import PASSWORD, PanelContract, panel

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/panel/postfix_sql"
HASH = "{SHA512-CRYPT}$6$saltsalt$" + "x" * 86
HOME = "d1.example.com"


def made(path: Path, schema: str) -> Path:
    """An sqlite file with the tables of a fixture."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript((FIXTURES / f"{schema}.sql").read_text().replace(" AUTO_INCREMENT", ""))
    return path


def sql(path: Path, *statements: str) -> list[tuple]:
    """What somebody did or asked at the database itself."""
    with closing(sqlite3.connect(path)) as database, database:
        rows: list[tuple] = []
        for statement in statements:
            rows = database.execute(statement).fetchall()
        return rows


def a_domain(path: Path, name: str = HOME) -> None:
    sql(path, f"INSERT INTO domain (domain, description, transport) VALUES ('{name}', '', 'virtual')")


def an_alias(path: Path, address: str, goto: str, active: int = 1) -> None:
    domain = address.rpartition("@")[2]
    sql(path, f"INSERT INTO alias (address, goto, domain, active) VALUES ('{address}', '{goto}', '{domain}', {active})")


def a_mailbox(path: Path, address: str, password: str = HASH, quota: object = 0, active: int = 1) -> None:
    local, _, domain = address.rpartition("@")
    sql(
        path,
        "INSERT INTO mailbox (username, password, name, maildir, quota, local_part, domain, active)"
        f" VALUES ('{address}', '{password}', '', '{domain}/{local}/', '{quota}', '{local}', '{domain}', {active})",
    )
    an_alias(path, address, address)


@pytest.fixture
def path(tmp_path):
    return made(tmp_path / "mail.sqlite", "postfixadmin")


@pytest.fixture
def options(path):
    return postfix_sql.Options(
        schema="postfixadmin", dialect="sqlite", path=path, vacation_domain="autoreply.example.net"
    )


@pytest.fixture
def reader(options):
    with closing(postfix_sql.ADAPTER.reader(options, panel("panel"))) as session:
        yield session


@pytest.fixture
def writer(options):
    with closing(postfix_sql.ADAPTER.writer(options, panel("panel"))) as session:
        yield session


class _OnFiles:
    adapter = postfix_sql.ADAPTER

    @pytest.fixture
    def wrong_options(self, options, tmp_path):
        return options.model_copy(update={"path": tmp_path / "elsewhere.sqlite"})


class TestPostfixadmin(_OnFiles, PanelContract):
    features = postfix_sql.FEATURES


class TestVirtualUsers(_OnFiles, PanelContract):
    features = postfix_sql.VIRTUAL_USERS_FEATURES

    @pytest.fixture
    def options(self, tmp_path):
        made(tmp_path / "mail.sqlite", "virtual_users")
        return postfix_sql.Options(schema="virtual_users", dialect="sqlite", path=tmp_path / "mail.sqlite")


class TestVirtualUsersWithoutQuota(_OnFiles, PanelContract):
    features = replace(
        postfix_sql.VIRTUAL_USERS_FEATURES,
        keeps={**postfix_sql.VIRTUAL_USERS_FEATURES.keeps, "mailbox.quota": NO_QUOTA},
        tells={**postfix_sql.VIRTUAL_USERS_FEATURES.tells, "mailbox.quota": NO_QUOTA},
    )

    @pytest.fixture
    def options(self, tmp_path):
        made(tmp_path / "mail.sqlite", "virtual_users-without-quota")
        return postfix_sql.Options(schema="virtual_users", dialect="sqlite", path=tmp_path / "mail.sqlite")
