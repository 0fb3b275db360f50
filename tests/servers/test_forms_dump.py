"""What mariadb-dump writes of a real MariaDB is read back to the last byte, however it was told to write it."""

from __future__ import annotations

import gzip
import itertools
import subprocess
import sys
from contextlib import closing

import pytest
from lab import ground

from migrator.engine.contract import Login
from migrator.errors import Misbehaved
from migrator.forms.adapters.dump import DumpReader, Options
from migrator.forms.adapters.mysql import MysqlWriter
from migrator.forms.adapters.mysql import Options as MysqlOptions
from migrator.forms.model import EVERYTHING, Extract, Paging, checksum_of
from migrator.testing.form_suite import PLAIN_ROWS, ROWS, Opens, TableReaderContract, everything, opens, stock

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LOGIN = Login("database", "database")
NUMBERS = itertools.count(1)
WAYS = {
    "as-it-comes": [],
    "hex-blob": ["--hex-blob", "--skip-comments"],
    "row-by-row": ["--skip-extended-insert", "--complete-insert", "--skip-opt", "--hex-blob"],
    "replace": ["--replace", "--order-by-primary", "--no-autocommit", "--skip-disable-keys"],
    "ansi": ["--compatible=ansi", "--default-character-set=utf8mb4"],
    "databases": ["--databases"],
}


@pytest.fixture(scope="session")
def database(mariadb) -> str:
    name = "dumped"
    mariadb.say(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    options = MysqlOptions(port=mariadb.server.port, database=name, user="migrator", password="pw-migrator")
    with closing(MysqlWriter(options, LOGIN)) as writer:
        stock(writer)
    return name


def dumped(mariadb, words: list[str]) -> bytes:
    command = [
        ground.program("mariadb-dump"),
        "--no-defaults",
        f"--socket={mariadb.server.folder}/m.sock",
        "--user=root",
    ]
    # Not as text: some values are no letters of any charset.
    done = subprocess.run([*map(str, command), *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class _Dump(TableReaderContract):
    def expected(self, name):
        if name != "wp_kinds":
            return ROWS[name]
        # mariadb-dump writes a FLOAT with six digits.
        return [tuple("16777200" if value == "16777216" else value for value in row) for row in ROWS[name]]


class TestMariadbDump(_Dump):
    @pytest.fixture(scope="class", params=WAYS)
    @classmethod
    def path(cls, request, mariadb, database, tmp_path_factory):
        path = tmp_path_factory.mktemp("dump") / "site.sql"
        path.write_bytes(dumped(mariadb, [*WAYS[request.param], database]))
        return path

    @pytest.fixture
    def reading(self, path) -> Opens:
        return opens(lambda: DumpReader(Options(path=path), LOGIN))


class TestPacked(_Dump):
    @pytest.fixture(scope="class", params=["gz", "zst"])
    @classmethod
    def path(cls, request, mariadb, database, tmp_path_factory):
        pack = {"gz": gzip.compress, "zst": zstd.compress}[request.param]
        path = tmp_path_factory.mktemp("dump") / f"site.sql.{request.param}"
        path.write_bytes(pack(dumped(mariadb, ["--hex-blob", database])))
        return path

    @pytest.fixture
    def reading(self, path) -> Opens:
        return opens(lambda: DumpReader(Options(path=path), LOGIN))


def test_a_table_in_the_order_of_its_key_is_divided_by_it(mariadb, database, tmp_path):
    path = tmp_path / "site.sql"
    path.write_bytes(dumped(mariadb, [database]))
    with closing(DumpReader(Options(path=path), LOGIN)) as reader:
        paging = {table.name: table.paging for table in reader.tables()}
    assert paging["wp_db7_forms"] is Paging.KEY
    assert paging["wp_codes"] is Paging.CONTENT  # a server orders text otherwise


def test_latin1_files_and_wrong_words_about_them(mariadb, tmp_path):
    name = f"latin{next(NUMBERS)}"
    mariadb.say(f"CREATE DATABASE {name}")
    mariadb.say(
        "CREATE TABLE t (id int primary key, x varchar(20) character set latin1); INSERT INTO t VALUES (1,'Müller €'),(2,'a');",
        name,
    )
    told = dumped(mariadb, ["--default-character-set=latin1", name])
    lying = told.replace(b"SET NAMES latin1", b"SET NAMES utf8mb4")
    for number, (text, charset) in enumerate([(told, ""), (lying, "latin1")]):
        path = tmp_path / f"{number}.sql"
        path.write_bytes(text)
        with closing(DumpReader(Options(path=path, charset=charset), LOGIN)) as reader:
            (table,) = reader.tables()
            assert everything(reader, Extract(table)) == [("1", "Müller €"), ("2", "a")]
    with (
        closing(DumpReader(Options(path=path), LOGIN)) as reader,
        pytest.raises(Misbehaved, match="not in utf8mb4") as said,
    ):
        everything(reader, Extract(reader.tables()[0]))
    assert "charset: latin1" in said.value.remedy


def test_a_dump_that_was_cut_is_refused_unless_the_plan_takes_it(mariadb, database, tmp_path):
    path = tmp_path / "site.sql"
    whole = dumped(mariadb, [database])
    path.write_bytes(whole[: whole.index(b"INSERT INTO `wp_db7_forms`") + 300])
    with (
        closing(DumpReader(Options(path=path), LOGIN)) as reader,
        pytest.raises(Misbehaved, match=r"cut short: .* line \d+") as said,
    ):
        reader.tables()
    assert "accept_cut" in said.value.remedy
    with closing(DumpReader(Options(path=path, accept_cut=True), LOGIN)) as reader:
        table = next(one for one in reader.tables() if one.name == "wp_db7_forms")
        rows = everything(reader, Extract(table))
        assert rows == PLAIN_ROWS[: len(rows)]
        assert reader.checksum(Extract(table), EVERYTHING) == checksum_of(rows)
