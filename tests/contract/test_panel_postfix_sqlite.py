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
        # sqlite numbers rows by itself and calls tiny numbers boolean.
        database.executescript(
            (FIXTURES / f"{schema}.sql").read_text().replace(" AUTO_INCREMENT", "").replace("TINYINT(1)", "BOOLEAN")
        )
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


def guides(folder: Path) -> postfix_sql.Options:
    """A database with the guides' tables."""
    path = made(folder / "guide.sqlite", "virtual_users")
    return postfix_sql.Options(schema="virtual_users", dialect="sqlite", path=path)


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
        return guides(tmp_path)


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


# -- postfixadmin's rows ------------------------------------------------------------------------------------------------


def test_the_row_for_all_domains_is_no_domain(path, reader):
    a_domain(path)
    assert [one.name for one in reader.domains()] == [HOME]


def test_a_mailbox_is_written_as_postfixadmin_writes_it(path, writer):
    a_domain(path)
    writer.create(Mailbox(f"Ann@{HOME}", quota=5 * 1024**3, name="Ann Example"), Password(hash=SecretStr(HASH)))
    rows = sql(path, "SELECT username, password, name, maildir, quota, local_part, domain, active FROM mailbox")
    assert rows == [(f"ann@{HOME}", HASH, "Ann Example", f"{HOME}/ann/", 5 * 1024**3, "ann", HOME, 1)]
    assert sql(path, "SELECT address, goto, domain, active FROM alias") == [(f"ann@{HOME}", f"ann@{HOME}", HOME, 1)]
    for table in ("mailbox", "alias"):
        ((created, modified),) = sql(path, f"SELECT created, modified FROM {table}")
        assert created == modified > "2024"


def test_the_alias_of_a_mailbox_is_no_forwarder(path, reader):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}")
    assert reader.list(Forwarder, HOME) == []


def test_an_alias_is_found_however_it_is_spelled(path, reader):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}")
    sql(path, f"UPDATE alias SET goto = ' Ann@{HOME.upper()} ,\n else@example.net,,else@example.net'")
    wanted = Forwarder(f"ann@{HOME}", (Destination("else@example.net"),), keeps_copy=True)
    assert reader.list(Forwarder, HOME) == [wanted]


def test_the_way_to_the_vacation_program_is_no_destination_and_stays(path, writer):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}")
    writer.create(Autoresponder(f"ann@{HOME}", body="Away."))
    away = f"ann#{HOME}@autoreply.example.net"
    assert sql(path, "SELECT goto FROM alias") == [(f"ann@{HOME},{away}",)]
    assert writer.list(Forwarder, HOME) == []
    wanted = Forwarder(f"ann@{HOME}", (Destination("else@example.net"),), keeps_copy=True)
    writer.create(wanted)
    assert sql(path, "SELECT goto FROM alias") == [(f"ann@{HOME},else@example.net,{away}",)]
    assert writer.list(Forwarder, HOME) == [wanted]
    writer.change(replace(wanted, keeps_copy=False), wanted)
    assert sql(path, "SELECT goto FROM alias") == [(f"else@example.net,{away}",)]


def test_inactive_aliases_are_left_out_counted_and_not_overwritten(path, writer):
    a_domain(path)
    an_alias(path, f"info@{HOME}", "else@example.net", active=0)
    assert writer.list(Forwarder, HOME) == []
    assert "1 inactive aliases" in writer.probe().notes[0]
    with pytest.raises(Refused, match="inactive"):
        writer.create(Forwarder(f"info@{HOME}", (Destination("new@example.net"),)))
    assert sql(path, "SELECT goto FROM alias") == [("else@example.net",)]


def test_an_inactive_mailbox_may_nothing_and_keeps_its_hash(path, writer):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}", active=0)
    (there,) = writer.list(Mailbox, HOME)
    assert there.holds == frozenset(Hold)
    writer.change(replace(there, holds=frozenset()), there)
    assert writer.list(Mailbox, HOME)[0].holds == frozenset()
    writer.create(Mailbox(f"bob@{HOME}", holds=frozenset(Hold)), Password(hash=SecretStr(HASH)))
    assert sql(path, "SELECT password, active FROM mailbox WHERE local_part = 'bob'") == [(HASH, 0)]


def test_a_mailbox_that_may_not_log_in_still_gets_mail(path, writer):
    a_domain(path)
    writer.create(Mailbox(f"ann@{HOME}", holds=frozenset({Hold.LOGIN})), Password(hash=SecretStr(HASH)))
    ((stored, active),) = sql(path, "SELECT password, active FROM mailbox")
    assert (stored, active) == (HASH.replace("}$", "}!"), 1)
    (there,) = writer.list(Mailbox, HOME)
    assert there.holds == {Hold.LOGIN, Hold.SEND}
    assert writer.password_of(f"ann@{HOME}") == Password()
    writer.set_password(f"ann@{HOME}", PASSWORD)
    assert writer.list(Mailbox, HOME)[0].holds == {Hold.LOGIN, Hold.SEND}
    assert PASSWORD.plain
    assert writer.verify_password(f"ann@{HOME}", PASSWORD.plain)
    writer.change(replace(there, holds=frozenset()), there)
    assert writer.list(Mailbox, HOME)[0].holds == frozenset()
    assert writer.password_of(f"ann@{HOME}").scheme == "SHA512-CRYPT"


@pytest.mark.parametrize(
    "marked", ["!$6$salt$hash", "*", "", "{SHA512-CRYPT}!$6$salt$hash", "{SHA512-CRYPT}!6$salt$hash"]
)
def test_a_password_out_of_action_is_unknown_and_told_as_a_hold(path, reader, marked):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}", password=marked)
    assert reader.list(Mailbox, HOME)[0].holds == {Hold.LOGIN, Hold.SEND}
    assert reader.password_of(f"ann@{HOME}") == Password()


@pytest.mark.parametrize(("stored", "told"), [("0", None), ("-1", None), ("5242880", 5242880)])
def test_quotas_are_read_as_people_left_them(path, reader, stored, told):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}", quota=stored)
    assert reader.list(Mailbox, HOME)[0].quota == told


def test_a_quota_that_is_no_number_is_told(path, reader):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}", quota="lots")
    with pytest.raises(Misbehaved, match=f"ann@{HOME}"):
        reader.list(Mailbox, HOME)


def test_the_space_used_is_dovecots(path, reader):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}")
    sql(path, f"INSERT INTO quota2 VALUES ('ann@{HOME}', 4711, 3)")
    assert reader.list(Mailbox, HOME)[0].used == 4711


def test_a_domain_in_letters_is_the_domain_in_its_a_label(path, writer):
    a_domain(path, "españa.example")
    a_mailbox(path, "ann@españa.example")
    assert [one.name for one in writer.domains()] == ["xn--espaa-rta.example"]
    assert [one.key for one in writer.list(Mailbox, "xn--espaa-rta.example")] == ["ann@xn--espaa-rta.example"]
    with pytest.raises(Refused):
        writer.create(Domain("xn--espaa-rta.example"))
    with pytest.raises(Refused):
        writer.create(Mailbox("ann@xn--espaa-rta.example"), PASSWORD)
    writer.create(Mailbox("bob@xn--espaa-rta.example"), PASSWORD)
    assert sql(path, "SELECT domain FROM mailbox WHERE local_part = 'bob'") == [("españa.example",)]


@pytest.mark.parametrize(
    ("goto", "way"), [("|/usr/bin/vacation", Way.PIPE), ("/dev/null", Way.DISCARD), ("acme", Way.SYSTEM)]
)
def test_destinations_that_are_no_address_are_told_as_what_they_are(path, reader, goto, way):
    a_domain(path)
    an_alias(path, f"info@{HOME}", goto)
    assert [one.way for one in reader.list(Forwarder, HOME)[0].destinations] == [way]


def test_a_catch_all_that_leads_to_a_domain_is_a_domain_forwarder(path, reader):
    a_domain(path)
    an_alias(path, f"@{HOME}", "@d2.example.com")
    assert reader.list(CatchAll, HOME) == []
    assert reader.list(DomainForwarder, HOME) == [DomainForwarder(HOME, "d2.example.com")]


def test_a_catch_all_with_two_destinations_is_told(path, reader):
    a_domain(path)
    an_alias(path, f"@{HOME}", f"ann@{HOME},bob@{HOME}")
    with pytest.raises(Misbehaved, match="2 destinations"):
        reader.list(CatchAll, HOME)


def test_an_inactive_domain_alias_is_none(path, reader):
    a_domain(path)
    sql(path, f"INSERT INTO alias_domain (alias_domain, target_domain, active) VALUES ('{HOME}', 'd2.example.com', 0)")
    assert reader.list(DomainForwarder, HOME) == []


def test_a_domain_forwarder_makes_postfix_take_the_domain_and_needs_its_target(path, writer):
    a_domain(path)
    with pytest.raises(NotFound):
        writer.create(DomainForwarder("old.example.com", "nowhere.example.com"))
    writer.create(DomainForwarder("old.example.com", HOME))
    assert sql(path, "SELECT transport FROM domain WHERE domain = 'old.example.com'") == [("virtual",)]
    with pytest.raises(Refused):
        writer.create(DomainForwarder("old.example.com", HOME))


def test_a_backup_domain_and_a_suspended_one_are_told(path, writer):
    writer.create(Domain("backup.example.com", routing=Routing.REMOTE))
    writer.create(Domain("off.example.com", suspended=True))
    told = {one.name: one for one in writer.domains()}
    assert told["backup.example.com"].routing is Routing.BACKUP
    assert told["off.example.com"].suspended


@pytest.mark.parametrize("local", ["../../etc", "a/b", ".hidden", "a,b", "a b", "a'; DROP--", "ñandú", "a#b", 'a"b'])
def test_local_parts_that_would_harm_folders_or_tables_are_refused(path, writer, local):
    a_domain(path)
    for thing in (Mailbox(f"{local}@{HOME}"), Forwarder(f"{local}@{HOME}", (Destination("else@example.net"),))):
        with pytest.raises(Refused):
            writer.create(thing, PASSWORD)
    assert sql(path, "SELECT count(*) FROM alias") == [(0,)]


@pytest.mark.parametrize(
    "goto", ["a,b@example.net", "a b@example.net", "nobody", "a@b@example.net", "|x@example.net", ""]
)
def test_destinations_that_would_become_others_are_refused(path, writer, goto):
    a_domain(path)
    with pytest.raises(Refused):
        writer.create(Forwarder(f"info@{HOME}", (Destination(goto),)))
    with pytest.raises(Refused):
        writer.create(Forwarder(f"info@{HOME}", ()))


def test_a_mailbox_whose_name_dovecot_would_not_let_in_is_refused_and_a_forwarder_is_not(path, writer):
    a_domain(path)
    with pytest.raises(Refused, match="auth_username_chars"):
        writer.create(Mailbox(f"ann+shop@{HOME}"), PASSWORD)
    writer.create(Forwarder(f"ann+shop@{HOME}", (Destination("else@example.net"),)))


def test_a_mailbox_differing_in_case_is_there_already(path, writer):
    a_domain(path)
    writer.create(Mailbox(f"ann@{HOME}"), PASSWORD)
    with pytest.raises(Refused):
        writer.create(Mailbox(f"ANN@{HOME}"), PASSWORD)


def test_a_mailbox_beside_an_alias_of_its_name_is_refused(path, writer):
    a_domain(path)
    an_alias(path, f"ann@{HOME}", "else@example.net")
    with pytest.raises(Refused, match="alias"):
        writer.create(Mailbox(f"ann@{HOME}"), PASSWORD)


def test_a_mailbox_whose_creation_broke_off_after_its_alias_is_made(path, writer):
    a_domain(path)
    an_alias(path, f"ann@{HOME}", f"ann@{HOME}")
    writer.create(Mailbox(f"ann@{HOME}"), PASSWORD)
    assert len(writer.list(Mailbox, HOME)) == 1


def test_a_copy_needs_a_mailbox(path, writer):
    a_domain(path)
    with pytest.raises(Refused, match="no mailbox"):
        writer.create(Forwarder(f"ann@{HOME}", (Destination("else@example.net"),), keeps_copy=True))


def test_a_mailbox_in_a_domain_that_is_not_there_is_not_made(writer):
    with pytest.raises(NotFound):
        writer.create(Mailbox("ann@nowhere.example.com"), PASSWORD)


# -- passwords ----------------------------------------------------------------------------------------------------------


def test_a_plain_password_is_hashed_and_found_right(path, writer):
    a_domain(path)
    writer.create(Mailbox(f"ann@{HOME}"), PASSWORD)
    ((stored,),) = sql(path, "SELECT password FROM mailbox")
    assert stored.startswith("{SHA512-CRYPT}$6$")
    assert len(stored) == len("{SHA512-CRYPT}") + 106
    assert writer.password_of(f"ann@{HOME}").scheme == "SHA512-CRYPT"


def test_two_mailboxes_with_one_password_have_two_hashes(path, writer):
    a_domain(path)
    writer.create(Mailbox(f"ann@{HOME}"), PASSWORD)
    writer.create(Mailbox(f"bob@{HOME}"), PASSWORD)
    ((first,), (second,)) = sql(path, "SELECT password FROM mailbox")
    assert first != second


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ("{PLAIN}geheim", "geheim"),
        ("{CLEARTEXT}geheim", "geheim"),
        ("{PLAIN.b64}Z2VoZWlt", "geheim"),
        ("{plain.hex}67656865696d", "geheim"),
    ],
)
def test_a_password_kept_in_plain_is_told_in_plain(path, reader, stored, told):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}", password=stored)
    assert reader.password_of(f"ann@{HOME}") == Password(plain=SecretStr(told))
    assert reader.verify_password(f"ann@{HOME}", SecretStr(told))
    assert not reader.verify_password(f"ann@{HOME}", SecretStr("other"))


def test_a_kind_that_cannot_be_checked_here_is_told(path, reader):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}", password="{BLF-CRYPT}$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe")
    assert reader.password_of(f"ann@{HOME}").scheme == "BLF-CRYPT"
    with pytest.raises(Refused, match="BLF-CRYPT"):
        reader.verify_password(f"ann@{HOME}", SecretStr("anything"))


def test_a_damaged_hash_is_told_without_being_shown(path, reader):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}", password="{SHA512-CRYPT}$6$salt$tooshort")
    with pytest.raises(Misbehaved) as told:
        reader.verify_password(f"ann@{HOME}", SecretStr("anything"))
    assert "tooshort" not in told.value.sentence()
    assert told.value.__cause__ is None


@pytest.mark.parametrize(
    "password",
    [
        None,
        Password(),
        Password(plain=SecretStr("")),
        Password(plain=SecretStr("line\nbreak")),
        Password(plain=SecretStr("x" * 600)),
        Password(hash=SecretStr("{DES-CRYPT}abJnggxhB/yWI")),
        Password(hash=SecretStr("{SHA512-CRYPT}$6$a:b$c")),
        Password(hash=SecretStr("{SHA512-CRYPT}$6$a\nb$c")),
    ],
)
def test_a_password_that_cannot_be_kept_is_refused_before_anything_is_written(path, writer, password):
    a_domain(path)
    with pytest.raises(Refused) as refused:
        writer.create(Mailbox(f"ann@{HOME}"), password)
    assert "$6$" not in refused.value.sentence()
    assert sql(path, "SELECT count(*) FROM alias") == [(0,)]


def test_without_the_scheme_in_front_only_crypts_own_hashes_are_written(path, options):
    a_domain(path)
    bare = options.model_copy(update={"scheme_in_front": False})
    with closing(postfix_sql.ADAPTER.writer(bare, panel("panel"))) as writer:
        writer.create(Mailbox(f"ann@{HOME}"), Password(hash=SecretStr(HASH)))
        assert sql(path, "SELECT password FROM mailbox") == [(HASH.partition("}")[2],)]
        assert writer.password_of(f"ann@{HOME}").scheme == "SHA512-CRYPT"
        with pytest.raises(Refused, match="scheme_in_front"):
            writer.create(Mailbox(f"bob@{HOME}"), Password(hash=SecretStr("{SSHA512}c2FsdA==")))


# -- answers ------------------------------------------------------------------------------------------------------------


def test_an_answer_keeps_its_interval_and_its_days(path, writer):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}")
    wanted = Autoresponder(
        f"ann@{HOME}", body="Away.\nBack soon.", subject="Away", interval_hours=24,
        start=datetime(2025, 7, 1, tzinfo=UTC), stop=datetime(2025, 7, 31, 12, tzinfo=UTC),
    )  # fmt: skip
    writer.create(wanted)
    assert writer.list(Autoresponder, HOME) == [wanted]
    assert sql(path, "SELECT interval_time, cache FROM vacation") == [(86400, "")]
    writer.change(replace(wanted, interval_hours=0, stop=None), wanted)
    assert writer.list(Autoresponder, HOME) == [replace(wanted, interval_hours=0, stop=None)]


def test_an_answer_as_postfixadmins_page_wrote_it_is_read(path, reader):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}")
    sql(
        path,
        "INSERT INTO vacation (email, subject, body, cache, domain, active, interval_time)"
        f" VALUES ('ann@{HOME}', 'Away', 'One.' || char(13, 10) || 'Two.' || char(13, 10), '', '{HOME}', 1, 0)",
    )
    assert reader.list(Autoresponder, HOME) == [Autoresponder(f"ann@{HOME}", body="One.\nTwo.", subject="Away")]


def test_an_answer_put_away_for_later_is_none_and_is_not_overwritten(path, writer):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}")
    sql(
        path,
        "INSERT INTO vacation (email, subject, body, cache, domain, active)"
        f" VALUES ('ann@{HOME}', 'Away', 'Kept for next year.', '', '{HOME}', 0)",
    )
    assert writer.list(Autoresponder, HOME) == []
    with pytest.raises(Refused):
        writer.create(Autoresponder(f"ann@{HOME}", body="New."))
    assert sql(path, "SELECT body FROM vacation") == [("Kept for next year.",)]


def test_without_a_vacation_domain_no_answer_is_made_and_the_features_say_so(path, options):
    a_domain(path)
    a_mailbox(path, f"ann@{HOME}")
    without = options.model_copy(update={"vacation_domain": ""})
    with closing(postfix_sql.ADAPTER.writer(without, panel("panel"))) as writer:
        assert Autoresponder not in writer.features.creates
        assert Autoresponder in writer.features.lists
        with pytest.raises(Refused, match="vacation_domain"):
            writer.create(Autoresponder(f"ann@{HOME}", body="New."))


# -- the guides' tables ---------------------------------------------------------------------------------------------------


@pytest.fixture
def guide(tmp_path):
    with closing(postfix_sql.ADAPTER.writer(guides(tmp_path), panel("panel"))) as session:
        session.create(Domain(HOME))
        yield session, tmp_path / "guide.sqlite"


def test_a_forwarder_in_several_rows_and_a_row_with_several_destinations_are_one(guide):
    session, path = guide
    for destination in ("one@example.net", "two@example.net, three@example.net", "One@example.net"):
        sql(
            path,
            f"INSERT INTO virtual_aliases (domain_id, source, destination) VALUES (1, 'all@{HOME}', '{destination}')",
        )
    (there,) = session.list(Forwarder, HOME)
    assert {str(one) for one in there.destinations} >= {"one@example.net", "two@example.net", "three@example.net"}
    session.change(Forwarder(f"all@{HOME}", (Destination("four@example.net"),)), there)
    assert sql(path, "SELECT source, destination FROM virtual_aliases") == [(f"all@{HOME}", "four@example.net")]


def test_a_row_that_leads_a_mailbox_to_itself_is_no_forwarder(guide):
    session, path = guide
    session.create(Mailbox(f"ann@{HOME}"), PASSWORD)
    sql(path, f"INSERT INTO virtual_aliases (domain_id, source, destination) VALUES (1, 'ann@{HOME}', 'ann@{HOME}')")
    assert session.list(Forwarder, HOME) == []
    wanted = Forwarder(f"ann@{HOME}", (Destination("else@example.net"),), keeps_copy=True)
    session.create(wanted)
    assert session.list(Forwarder, HOME) == [wanted]


def test_tables_of_another_kind_are_told_with_the_columns_they_lack(tmp_path):
    path = tmp_path / "other.sqlite"
    sql(path, "CREATE TABLE virtual_domains (id INTEGER, name TEXT)", "CREATE TABLE virtual_aliases (id INTEGER)")
    sql(path, "CREATE TABLE virtual_users (id INTEGER, user TEXT)")
    options = postfix_sql.Options(schema="virtual_users", dialect="sqlite", path=path)
    with pytest.raises(EndpointRefused, match=r"virtual_users\.email") as refused:
        postfix_sql.ADAPTER.reader(options, panel("panel"))
    assert "schema" in refused.value.remedy


# -- the database ---------------------------------------------------------------------------------------------------------


def test_a_session_for_reading_cannot_write_whatever_it_tries(path, reader):
    a_domain(path)
    with pytest.raises(RuntimeError), reader._db.writing():
        pass
    with pytest.raises(EndpointRefused), reader._db.reading() as connection:
        connection.exec_driver_sql("DELETE FROM domain")


def test_a_file_that_is_not_there_is_not_made(tmp_path, options):
    missing = tmp_path / "missing.sqlite"
    with pytest.raises(EndpointRefused):
        postfix_sql.ADAPTER.writer(options.model_copy(update={"path": missing}), panel("panel"))
    assert not missing.exists()


def test_the_other_schema_is_told_with_what_to_check(tmp_path, path):
    options = postfix_sql.Options(schema="virtual_users", dialect="sqlite", path=path)
    with pytest.raises(EndpointRefused, match="virtual_domains") as refused:
        postfix_sql.ADAPTER.reader(options, panel("panel"))
    assert "schema" in refused.value.remedy


def test_a_database_somebody_else_is_writing_to_is_busy(path, options):
    impatient = options.model_copy(update={"timeout": 1})
    with (
        closing(postfix_sql.ADAPTER.writer(impatient, panel("panel"))) as writer,
        closing(sqlite3.connect(path)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            writer.create(Domain(HOME))
        other.rollback()
        writer.create(Domain(HOME))


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"dialect": "sqlite"}, "path"),
        ({"dialect": "mysql", "database": "postfix"}, "database, user and password"),
        ({"database": "p", "user": "u", "password": "s", "path": "/tmp/x"}, "path"),
        (
            {"dialect": "postgresql", "database": "p", "user": "u", "password": "s", "tls_fingerprint": "ab" * 32},
            "pinned",
        ),
        ({"database": "p", "user": "u", "password": "s", "vacation_domain": "autoreply"}, "vacation_domain"),
        ({"database": "p", "user": "u", "password": "s", "schema": "iredmail"}, "postfixadmin"),
    ],
)
def test_options_that_do_not_fit_together_are_told(fields, about):
    with pytest.raises(ValidationError, match=about):
        postfix_sql.Options(**fields)


def test_the_password_is_in_no_representation_of_the_options():
    options = postfix_sql.Options(database="p", user="u", password=SecretStr("geheim"))
    assert "geheim" not in f"{options!r}{options.place}"
