"""What a login may do in a database, as the server tells it."""

from __future__ import annotations

import pytest

from migrator.forms.sql.rights import NEEDED, granting, lacking

WHOM = "`acme`@`%`"
USAGE = f"GRANT USAGE ON *.* TO {WHOM} IDENTIFIED BY PASSWORD '*0123'"


@pytest.mark.parametrize(
    "grants",
    [
        [USAGE, f"GRANT ALL PRIVILEGES ON `acme_wp`.* TO {WHOM}"],
        [USAGE, f"GRANT ALL PRIVILEGES ON `acme\\_wp`.* TO {WHOM} WITH GRANT OPTION"],
        [USAGE, f"GRANT ALL PRIVILEGES ON `acme%`.* TO {WHOM}"],
        ["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION", "GRANT PROXY ON ''@'%' TO 'root'@'localhost'"],
        [USAGE, f"GRANT SELECT, INSERT, DELETE, CREATE, DROP, ALTER ON `acme_wp`.* TO {WHOM}"],
        [USAGE, f"GRANT SELECT, INSERT ON *.* TO {WHOM}", f"GRANT DELETE, CREATE, DROP, ALTER ON `acme_wp`.* TO {WHOM}"],
    ],
)  # fmt: skip
def test_who_has_every_right_lacks_none(grants) -> None:
    assert lacking(grants, "acme_wp") == ()


@pytest.mark.parametrize(
    "grants",
    [
        [USAGE, f"GRANT `writer` TO {WHOM}"],
        [USAGE, f"GRANT SELECT ON `acme_wp`.* TO {WHOM}", f"GRANT `writer`@`%` TO {WHOM}"],
        [f"GRANT SELECT ON *.* TO {WHOM}", f"REVOKE SELECT ON `mysql`.* FROM {WHOM}"],
        [],
    ],
)
def test_where_rights_may_come_from_elsewhere_nothing_is_said_to_be_lacking(grants) -> None:
    assert lacking(grants, "acme_wp") == ()


@pytest.mark.parametrize(
    "there",
    [
        f"GRANT SELECT ON `acme_wp`.* TO {WHOM}",
        f"GRANT SELECT ON *.* TO {WHOM} REQUIRE SSL",
        f"GRANT SELECT, DELETE HISTORY ON `acme\\_wp`.* TO {WHOM}",
    ],
)
def test_who_may_only_look_lacks_the_others(there) -> None:
    assert lacking([USAGE, there], "acme_wp") == NEEDED[1:]


def test_rights_on_another_database_or_on_one_table_are_none_here() -> None:
    elsewhere = [f"GRANT ALL PRIVILEGES ON `acme\\_wp`.* TO {WHOM}", f"GRANT ALL PRIVILEGES ON `acmeXwp`.`wp_posts` TO {WHOM}"]  # fmt: skip
    assert lacking([USAGE, *elsewhere], "acmeXwp") == NEEDED


def test_the_statement_that_grants_them_names_user_and_database() -> None:
    told = granting(("DROP", "ALTER"), [USAGE], "acme_wp")
    assert told == "GRANT DROP, ALTER ON `acme_wp`.* TO `acme`@`%`"
    assert "0123" not in told
