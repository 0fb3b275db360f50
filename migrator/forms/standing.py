"""How a table stands that is being moved: the facts that are kept of it, what is on record, and how the source agrees with that now."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import SecretStr

from migrator.engine.contract import ARRIVED, Fate, Outcome, Reading
from migrator.forms.contract import THE_DATABASE, TableReader
from migrator.forms.leaving import ROW
from migrator.forms.meeting import BEHIND, Met, Rows, why_behind
from migrator.forms.model import NOTHING, Checksum, Extract, KeyRange, StoredTable, Table, range_of
from migrator.forms.moving import in_a_chain, partly, rows_in, sums_of
from migrator.forms.options import FormsOptions
from migrator.forms.plugins.detect import extract_of
from migrator.forms.taking import Taking, choice_of, chosen_so, undated

PLACE = "place"  # a fact of an action: where its rows are, once they have left the shadow
SWAPPED, MERGED = "table", "beside others"
OTHERWISE = (
    "was moved in another way by an earlier run, with or without its own numbers; leave `existing` as it was, or remove at the target what "
    "was put there and begin with a new state"
)
MERGING = "merging"  # a fact: how far rows are that are to be put beside the target's
BEGUN, CARRYING = "begun", "carrying"  # about to be put there; on their way into the shadow once more
ID_CURE = (
    "Choose remap, which gives ours new ids, or skip-existing, which leaves these rows and what hangs on them behind"
)
BEHIND_CURE = "Choose remap, which gives ours new ids, or copy them by hand."
COLUMNS = "columns"  # a fact: the source's columns as they were when it was begun
NAMED = "name"  # a fact: what the table was called at the target when it was begun
CHOSEN = "chosen"  # a fact: which of its rows were taken, as the target tells them
HIDDEN = "hidden"  # a fact: what was hidden of it on the way
HASH_KEY = "forms/hash"  # in the strongbox


def is_elsewhere(facts: Mapping[str, str], name: str) -> bool:
    """Whether what is known of a table is of another one at the target than the plan names now."""
    return facts.get(NAMED, name) != name


def hidden_otherwise(facts: Mapping[str, str], recorded: Mapping[KeyRange, Outcome], rules: str) -> bool:
    """Whether rows on record were put under other rules of what is hidden; where nobody knows, they are taken for put as they are."""
    return bool(recorded) and facts.get(HIDDEN, "") != rules


def left_the_choice(facts: Mapping[str, str], place: Extract, target: TableReader) -> int:
    """How many rows stand at the target that were put there, and that the plan takes no more."""
    before = facts.get(CHOSEN)
    if before is None or before == choice_of(place):
        return 0
    old = chosen_so(before, place.table)
    if old.within == place.within:
        place = replace(place, conditions=(*place.conditions, *old.conditions))
    return max(0, target.count(old) - target.count(place))


def action_key(table: str) -> str:
    """The key of the action that moves a table of the source."""
    return f"{THE_DATABASE}/{table}"


def recorded_of(read: Reading, key: str) -> dict[KeyRange, Outcome]:
    """What is known of a table's ranges, in order."""
    found = {range_of(one.key): one for one in read.outcomes(key) if not one.key.startswith(ROW)}
    return {among: found[among] for among in in_a_chain(found)}


def stale_in(source: TableReader, extract: Extract, recorded: Mapping[KeyRange, Outcome]) -> dict[KeyRange, Checksum]:
    """Recorded ranges that the source fills otherwise now, or that never arrived, and what the source has there."""
    now = {among: source.checksum(extract, among) for among in recorded}
    return {
        among: now[among]
        for among, outcome in recorded.items()
        if outcome.fate not in ARRIVED or now[among] != sums_of(outcome)[0]
    }


def total_of(recorded: Mapping[KeyRange, Outcome]) -> Checksum:
    """What the ranges have put at the target, all together."""
    return sum((sums_of(one)[1] for one in recorded.values()), NOTHING)


def but_behind(outcome: Outcome, among: KeyRange, rows: Rows) -> Outcome:
    """The outcome of a range of which some rows may have to stay behind."""
    behind = len(rows.of(*BEHIND))
    if not behind:
        return outcome
    note = f"{among.label}: {why_behind(rows.keys(Met.TAKEN), rows.keys(Met.HANGING))}"
    whole = replace(outcome, things=rows_in(outcome), as_sent=0)
    return replace(partly(whole, Fate.LEFT_BEHIND, behind), note=note, cure=BEHIND_CURE)


def by_name(tables: Sequence[Table]) -> Mapping[str, Table]:
    """The tables by their names."""
    return {one.name: one for one in tables}


def has_rows(source: TableReader, tables: Mapping[str, Table], part: StoredTable) -> bool:
    """Whether a plugin has rows in a part of its own, or of a table that it shares."""
    return part.table in tables and source.count(extract_of(part, tables)) > 0


def hash_key(read: Reading, options: FormsOptions) -> bytes:
    """What hashes are made with: a secret of this plan's own, made when it is first needed."""
    if not options.redact.hash:
        return b""
    known = read.strongbox.get(HASH_KEY)
    if known is None:
        known = SecretStr(secrets.token_hex(32))
        read.strongbox.put(HASH_KEY, known)
    return known.get_secret_value().encode()


def without_date(taking: Taking, source: TableReader) -> str:
    """What limits of time leave out for want of a date."""
    count = sum(source.count(one) for one in undated(taking))
    return f"{count:,} without a date {'is' if count == 1 else 'are'} left out" if count else ""
