"""Form entries out of a dump and through phpMyAdmin, by the real program: killed at moments nobody chose, resumed, proven by the servers' own
sums; and through a phpMyAdmin whose PHP ends every long answer.
"""

from __future__ import annotations

import gzip
import random
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from lab import ground
from lab import mariadb as mariadb_lab
from lab import phpmyadmin as phpmyadmin_lab
from test_journey_forms import TABLES, WHOLE, Move, Site

from migrator.engine.contract import Login
from migrator.forms.adapters.mysql import MysqlWriter
from migrator.testing.form_suite import stock

ENTRIES = (
    "CREATE TABLE wp_db7_forms (form_id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, form_post_id bigint NOT NULL, form_value longtext NOT NULL,"
    " form_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00') DEFAULT CHARSET=utf8mb4;"
    "INSERT INTO wp_db7_forms SELECT seq, seq % 3, CONCAT('it''s ', seq, REPEAT(' Gr\u00fc\u00dfe\\n', 30)), '2026-01-01' FROM seq_1_to_40000"
)


class Behind:
    """Speaks to the MariaDB behind a phpMyAdmin as the lab's own."""

    def __init__(self, server: ground.Server) -> None:
        self.server = phpmyadmin_lab.behind(server)

    def say(self, statements: str, database: str = "") -> str:
        return mariadb_lab.say(self.server, statements, database)


class WebSite(Site):
    """A database that is reached through phpMyAdmin."""

    def __init__(self, server: ground.Server) -> None:
        super().__init__(Behind(server))
        self.url = server.url

    @property
    def endpoint(self) -> str:
        return f"{{type: phpmyadmin, url: '{self.url}', database: {self.name}, user: migrator, password: db}}"


def dumped(site: Site, path: Path, *words: str) -> Path:
    """What mariadb-dump writes of a site, packed."""
    command = [
        ground.program("mariadb-dump"),
        "--no-defaults",
        f"--socket={site.mariadb.server.folder}/m.sock",
        "--user=root",
    ]
    done = subprocess.run([*map(str, command), "--hex-blob", *words, site.name], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    path.write_bytes(gzip.compress(done.stdout, 1))
    return path


@pytest.fixture(scope="module")
def web_site(phpmyadmin) -> WebSite:
    site = WebSite(phpmyadmin)
    with closing(MysqlWriter(site.options, Login("", ""))) as writer:
        stock(writer)
    # More digits than a FLOAT shows are in no dump.
    site.say("UPDATE wp_kinds SET real4 = 4.3 WHERE real4 = 16777216")
    return site


def arrives(move: Move, source: Site, target: Site, tables: list[str]) -> None:
    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert source.sums(tables) == target.sums(tables)
    verified = move.does("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_every_kind_of_table_comes_through_phpmyadmin(web_site, mariadb, tmp_path):
    target = Site(mariadb)
    arrives(Move(tmp_path, web_site.endpoint, target.endpoint, WHOLE), web_site, target, TABLES)


def test_every_kind_of_table_comes_out_of_a_dump(web_site, mariadb, tmp_path):
    target = Site(mariadb)
    dumped(web_site, tmp_path / "site.sql.gz")
    arrives(Move(tmp_path, "{type: dump, path: site.sql.gz}", target.endpoint, WHOLE), web_site, target, TABLES)


def test_every_kind_of_table_goes_into_a_site_through_phpmyadmin(web_site, phpmyadmin, tmp_path):
    target = WebSite(phpmyadmin)
    arrives(Move(tmp_path, web_site.endpoint, target.endpoint, WHOLE), web_site, target, TABLES)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("road", ["phpmyadmin", "dump"])
def test_a_killed_run_is_resumed_without_a_row_lost_or_doubled(road, seed, phpmyadmin, mariadb, tmp_path):
    source, target = WebSite(phpmyadmin), Site(mariadb)
    source.say(ENTRIES)
    endpoint = source.endpoint
    if road == "dump":
        dumped(source, tmp_path / "site.sql.gz")
        endpoint = "{type: dump, path: site.sql.gz}"
    move = Move(tmp_path, endpoint, target.endpoint)
    assert move.dies(random.Random(seed).uniform(0, 1.5)) in {-signal.SIGKILL, 0}
    arrives(move, source, target, ["wp_db7_forms"])
    assert target.say("SELECT COUNT(*), COUNT(DISTINCT form_id) FROM wp_db7_forms").split() == ["40000", "40000"]


def test_with_a_second_for_php_nothing_is_missing_and_the_admin_is_told(phpmyadmin_hasty, mariadb, tmp_path):
    source, target = WebSite(phpmyadmin_hasty), Site(mariadb)
    # The database makes no guess how long the rows are, so all 8,300 are one range: 1.4 MB, for which PHP's second is never enough.
    values = [f"(seq * {n + 7}) MOD 10" for n in range(40)]
    source.say(
        f"CREATE TABLE wp_long (id int unsigned PRIMARY KEY, {', '.join(f'c{n} tinyint NOT NULL' for n in range(40))})"
        " STATS_PERSISTENT=1 STATS_AUTO_RECALC=0;"
        f"INSERT INTO wp_long SELECT seq, {', '.join(values)} FROM seq_1_to_8300;"
    )
    move = Move(tmp_path, source.endpoint, target.endpoint, 'tables: ["wp_long"]')
    done = move.does("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert source.sums(["wp_long"]) == target.sums(["wp_long"])
    assert move.does("report").returncode == 0
    assert "time limit ended an answer" in (tmp_path / "plan.report.json").read_text()
