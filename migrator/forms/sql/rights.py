"""What a login may do in a database of MariaDB or MySQL, as SHOW GRANTS tells it. Pure.

What surprises: the name of a database in a grant is a pattern (`acme\\_%`), and what a role brings is not told. Where rights may come from
elsewhere, nothing is said to be lacking.

Document: https://mariadb.com/kb/en/show-grants/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

NEEDED: Final = ("SELECT", "INSERT", "DELETE", "CREATE", "DROP", "ALTER")  # of a target's user
_GRANT: Final = re.compile(r"GRANT (?P<rights>.+?) ON (?P<where>\*|`(?:[^`]|``)+`)\.(?P<what>\*|`(?:[^`]|``)+`) TO (?P<whom>.+?)( IDENTIFIED.*| REQUIRE.*| WITH.*)?")  # fmt: skip
_ELSEWHERE: Final = re.compile(r"(REVOKE|GRANT (?!PROXY)(?!.* ON )).*")  # a role, or what is taken away of the rest


def lacking(grants: Sequence[str], database: str) -> tuple[str, ...]:
    """Which of the rights that a target's user needs are granted nowhere; none where that cannot be told."""
    found = [one for line in grants if (one := _GRANT.fullmatch(line))]
    if not found or any(_ELSEWHERE.fullmatch(line) for line in grants):
        return ()
    held: set[str] = set()
    for one in found:
        if one["what"] == "*" and _means(one["where"], database):
            held |= _rights(one["rights"])
    return () if "ALL" in held else tuple(one for one in NEEDED if one not in held)


def granting(rights: Iterable[str], grants: Sequence[str], database: str) -> str:
    """The statement that grants what is lacking."""
    whom = next((one["whom"] for line in grants if (one := _GRANT.fullmatch(line))), "the user")
    return f"GRANT {', '.join(rights)} ON `{database.replace('`', '``')}`.* TO {whom}"


def _rights(words: str) -> set[str]:
    return {"ALL" if one.strip().startswith("ALL") else one.strip().upper() for one in words.split(",")}


def _means(pattern: str, database: str) -> bool:
    if pattern == "*":
        return True
    parts = re.findall(r"\\.|.", pattern[1:-1].replace("``", "`"), re.DOTALL)
    letters = {"%": ".*", "_": "."}
    said = "".join(letters.get(one, re.escape(one[-1])) for one in parts)
    return re.fullmatch(said, database, re.IGNORECASE | re.DOTALL) is not None
