"""How fast entries become sheets, and in how much memory: CFDB7 (one cell each) and Gravity Forms (eight rows each) in a real MariaDB.

python tests/bench/write_sheets.py [entries of each]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "scripts"))

from lab import ground  # noqa: E402
from lab import mariadb as mariadb_lab  # noqa: E402

from migrator.engine.contract import Login  # noqa: E402
from migrator.forms import sheet  # noqa: E402
from migrator.forms.adapters.mysql import MysqlReader, Options  # noqa: E402
from migrator.forms.flat import Flat, site_of  # noqa: E402
from migrator.forms.plugins import detect  # noqa: E402

MB = 1024 * 1024


def filled(server: ground.Server, count: int) -> Options:
    """A site with so many entries of two plugins."""
    mariadb_lab.create_database(
        server,
        "bench",
        [CHECKOUT / "fixtures" / "forms" / f"{one}.sql" for one in ("wordpress", "cfdb7", "gravity-forms")],
    )
    said = (
        'CONCAT(\'a:4:{s:12:"cfdb7_status";s:6:"unread";s:9:"your-name";s:\',9 + LENGTH(seq),\':"Müller \',seq,\'!";'
        's:5:"topic";a:1:{i:0;s:5:"Sales";}s:7:"message";s:400:"\',REPEAT(\'x\',400),\'";}\')'
    )
    mariadb_lab.say(
        server,
        f"INSERT INTO wp_db7_forms SELECT seq + 10, 101, {said}, '2026-03-02 09:15:00' FROM seq_1_to_{count}",
        "bench",
    )
    mariadb_lab.say(
        server,
        f"INSERT INTO wp_gf_entry (id, form_id, date_created, ip, status) SELECT seq + 10, 1, '2026-03-02', '', 'active' FROM seq_1_to_{count};"
        "INSERT INTO wp_gf_entry_meta (form_id, entry_id, meta_key, meta_value, item_index) SELECT 1, e.seq + 10, k.meta_key, k.meta_value, '' "
        f"FROM seq_1_to_{count} e JOIN wp_gf_entry_meta k WHERE k.entry_id = 1 AND k.item_index = '' LIMIT {count * 8}",
        "bench",
    )
    return Options(port=server.port, database="bench", user="reader", password="pw-reader")


def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="migrator-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's own account goes through it
        server = mariadb_lab.start("mariadb", folder)
        try:
            options = filled(server, count)
            for word in ("cfdb7", "gravity-forms"):
                with closing(MysqlReader(options, Login("database", "database"))) as reader:
                    (stored,) = detect.present(reader, (word,))
                    flat = Flat(reader, stored, site_of(reader, stored))
                    begun = time.perf_counter()
                    made = list(sheet.write(flat.entries(), folder / word, flat.fields))
                    seconds = time.perf_counter() - begun
                entries, size = sum(one.entries for one in made), sum(one.path.stat().st_size for one in made)
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(
                    f"{word}: {entries:,} entries, {size / MB:.0f} MB in {seconds:.1f} s: {entries / seconds:,.0f} a second; at most {peak:.0f} MiB"
                )
        finally:
            ground.end(server.processes)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 50_000)
