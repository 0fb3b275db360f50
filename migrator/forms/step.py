"""The `forms` step: what plugins keep of a site's form entries, table by table, from one database or dump into another.

A database is a subject, a table an action. A table is filled in the shadow, range by range, proven, and swapped; later runs bring what has
changed or come since into the table itself, as long as nobody else has changed the same rows there.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial

from pydantic import SecretStr

from migrator.engine.contract import (
    ARRIVED,
    MB,
    Account,
    Action,
    BatchLimit,
    Fate,
    Finding,
    Kind,
    Outcome,
    Reading,
    Size,
    Subject,
    Verb,
    Weight,
    Work,
)
from migrator.errors import Misbehaved, NotFound, Refused
from migrator.forms.beside import DOES, Beside
from migrator.forms.channels import strange_terms
from migrator.forms.choosing import in_order
from migrator.forms.contract import (
    FORMS,
    SHADOW,
    THE_DATABASE,
    KnowsDamage,
    KnowsRights,
    KnowsShadows,
    PutsBeside,
    RemembersSource,
    SeesOneMoment,
    TableReader,
    TableWriter,
)
from migrator.forms.flat import zones_of
from migrator.forms.found import Found, Search
from migrator.forms.labels import labels_in
from migrator.forms.leaving import ROW, TOO_LARGE, Leaving, left_before, left_behind, left_rows, told, told_together
from migrator.forms.meeting import BEHIND, Meeting, Met, Rows, belong_to_others, foreseen, missing_parents, why_behind
from migrator.forms.model import (
    EVERYTHING,
    NOTHING,
    Checksum,
    Extract,
    KeyRange,
    Paging,
    Row,
    Stored,
    StoredTable,
    Summed,
    Table,
    checksum_of,
    range_of,
)
from migrator.forms.moving import SIDES, RangeMove, fresh_ranges, in_a_chain, partly, rows_at_once, rows_in, sums_of
from migrator.forms.options import FormsOptions
from migrator.forms.plugins.detect import extract_of, present
from migrator.forms.redaction import Redaction, by_field, redaction_of
from migrator.forms.remap.book import TABLE as NUMBERS_TABLE
from migrator.forms.remap.moving import (
    GIVES,
    KEY,
    LANES,
    RENUMBERED,
    STAYS,
    NumberedMove,
    followed,
    give_numbers,
    lacking,
    made,
    page_of,
    plan_numbers,
    refuse_unnumbered,
    remember_taken,
    road,
    table_at,
    taken_by_others,
)
from migrator.forms.remap.sides import Sides
from migrator.forms.slips import absent, refuse_slips
from migrator.forms.taking import Taking, at_target, divided_for, renamed, takings, undated
from migrator.forms.together import waiting

PLACE = "place"  # a fact of an action: where its rows are, once they have left the shadow
SWAPPED, MERGED = "table", "beside others"
REMAP = "remap"  # what a plan says of `existing`
OTHERWISE = (
    "was moved in another way by an earlier run, with or without its own numbers; leave `existing` as it was, or remove at the target what "
    "was put there and begin with a new state"
)
FOUND_OTHERWISE = (
    "was found at the target under its own numbers by an earlier run, which has put nothing there; leave `existing` as it was, or begin with "
    "a new state to have these rows put there once more under new ones"
)
DIVIDED_OTHERWISE = "the key of the source's table is another than when it was moved; move it anew with a new state, into a table that is empty"
MERGING = "merging"  # a fact: how far rows are that are to be put beside the target's
BEGUN, CARRYING = "begun", "carrying"  # about to be put there; on their way into the shadow once more
ID_CURE = (
    "Choose remap, which gives ours new ids, or skip-existing, which leaves these rows and what hangs on them behind"
)
BEHIND_CURE = "Choose remap, which gives ours new ids, or copy them by hand."
FORESEEN = "behind"  # names what a preview's action says of rows that will be left behind
ASIDE = "tells what entries mean and is the site's own, so no site is given it; name it in `tables` to have it moved all the same"
COLUMNS = "columns"  # a fact: the source's columns as they were when it was begun
PLUGINS = "#plugins"  # ends the key of the action that tells what was found
HASH_KEY = "forms/hash"  # in the strongbox
PRESUMED_KEY = b"-"  # stands for it where hashed values are only counted
UNCOUNTED = Size()
PROBED = 1000  # rows read at once to see how fast the source is
LIMIT = BatchLimit(items=2)  # a range is nearly as large as a batch should be


@dataclass(frozen=True, slots=True)
class FormsStep:
    """See the module; fulfils Step, Foresees and Probes."""

    options: FormsOptions

    def subjects(self, read: Reading) -> Iterator[Subject]:  # noqa: ARG002 - a database is one thing
        yield Subject(THE_DATABASE, "database", LANES)

    # -- read and decide ---------------------------------------------------------------------------------------------------

    def plan(self, subject: Subject, read: Reading) -> Iterator[Action]:
        with read.source(FORMS, THE_DATABASE) as source, read.target(FORMS, THE_DATABASE) as target:
            tables = source.tables()
            found = present(source, self.options.plugins)
            wanted = self._wanted(source, tables, found)
            refuse_slips(tables, self.options)
            not_put = self._not_put(wanted, target)
            wanted = [one for one in wanted if one not in not_put]
            yield _found(subject, tables, found, wanted)
            if source.features.chosen:
                yield from (Action(_key(one.table.name), Verb.KEEP, one.table.name, ASIDE) for one in not_put)
            for pattern, why in absent(tables, found, self.options):
                yield Action(_key(pattern), Verb.BY_HAND, pattern, why)
            there = {one.name: one for one in target.tables()}
            damaged = _damaged(source)
            for name in damaged.keys() - {one.name for one in tables}:
                yield Action(_key(name), Verb.BY_HAND, name, damaged[name])
            damaged_there = _damaged(target)
            blocked = ""
            if self._renumbers:
                numbers = plan_numbers(subject, self._sides(source, target, wanted, found), read)
                blocked = "waits for what is told of forms" if numbers.verb is Verb.BY_HAND else ""
                yield numbers
            strange = None if self._renumbers else strange_terms(source, target, found, self.options.prefixes)
            divided = [self._divided(taking, wanted, target) for taking in wanted]
            actions = []
            for taking in divided:
                name = renamed(taking.table.name, self.options.prefixes)
                if damage := damaged.get(taking.table.name) or damaged_there.get(name):
                    about = {"table": taking.table.name, "name": name}
                    actions.append(_by_hand(_key(taking.table.name), taking.table.name, damage, about))
                elif strange and not strange.told.isdisjoint(taking.plugins):
                    about = {"table": taking.table.name, "name": name}
                    held = Size(source.count(taking.extract))
                    actions.append(_by_hand(_key(taking.table.name), taking.table.name, strange.why, about, held))
                else:
                    actions.append(self._action(taking, source, target, there, read))
            alone = self._renumbers or not target.features.merges  # into a dump goes all that can
            for action in actions if alone else self._together(divided, actions, found, source):
                if blocked and action.verb is not Verb.KEEP:
                    yield replace(action, verb=Verb.BY_HAND, why=f"{action.why}; {blocked}")
                    continue
                yield action
            yield from self._beside(PRESUMED_KEY).plan(source, target, read)

    def _together(
        self, wanted: Sequence[Taking], actions: Sequence[Action], found: Sequence[Stored], source: TableReader
    ) -> Iterator[Action]:
        """The same, but that nothing is moved of a plugin that lacks a table of its own."""
        by_name = dict(zip([one.table.name for one in wanted], actions, strict=True))
        stuck = [name for name, one in by_name.items() if one.verb is Verb.BY_HAND]
        waits_for = waiting(stuck, found, partial(_has_rows, source, _by_name(source.tables()))) if stuck else {}
        for name, one in by_name.items():
            if name in waits_for and one.verb is Verb.COPY:
                why = f"{one.why}; waits, because {waits_for[name]} of the same entries cannot be moved"
                yield _by_hand(one.key, one.label, why, one.data, one.total)
            else:
                yield one

    def _wanted(self, source: TableReader, tables: Sequence[Table], found: Sequence[Stored]) -> list[Taking]:
        """What is taken of a source. Of one that holds only what was chosen before, all of it, where the plan does not choose anew."""
        options = self.options
        chooses = options.plugins or options.tables or options.is_timed
        if source.features.chosen and not chooses:
            options = options.model_copy(update={"tables": ("*",)})
        wanted = takings(tables, found, options, zones_of(source, found) if options.is_timed else {})
        return [one for one in wanted if not self._stays_aside(one)] if self._renumbers else wanted

    def _stays_aside(self, taking: Taking) -> bool:
        return taking.aside and not any(fnmatchcase(taking.table.name, one) for one in self.options.tables)

    def _not_put(self, wanted: Sequence[Taking], target: TableReader) -> list[Taking]:
        """What goes into a dump and into no site."""
        return [one for one in wanted if self._stays_aside(one)] if target.features.merges else []

    @property
    def _renumbers(self) -> bool:
        return self.options.existing == REMAP

    def _divided(self, taking: Taking, wanted: Sequence[Taking], target: TableReader) -> Taking:
        """A taking in the ranges in which it goes to this target."""
        divided = divided_for(taking, orders_text=target.features.orders_text)
        return followed(divided, wanted) if self._renumbers else divided

    def _sides(
        self, source: TableReader, target: TableReader, wanted: Sequence[Taking], found: Sequence[Stored]
    ) -> Sides:
        return Sides(source, target, wanted, found, self.options.prefixes, self.options.forms)

    def _action(
        self, taking: Taking, source: TableReader, target: TableReader, there: Mapping[str, Table], read: Reading
    ) -> Action:
        table, key = taking.table, _key(taking.table.name)
        name = renamed(table.name, self.options.prefixes)
        redaction = self.redaction(taking, source)
        recorded = _recorded(read, key)
        place = read.remembered(key).get(PLACE, "")
        label = table.name if name == table.name else f"{table.name} -> {name}"
        rows_each, width = rows_at_once(table, target.features)
        count = source.count(taking.extract)
        left = left_rows(source, table)
        total = Size(count + len(left), width * count + sum(one.size for one in left))
        if otherwise := self.otherwise(read.remembered(key), table, recorded):
            return _by_hand(key, label, otherwise, {"table": table.name, "name": name}, total)
        if recorded and not self.goes_on(read.remembered(key), table, recorded):
            recorded = {}
        stale = _stale(source, taking.extract, recorded)
        found = None
        if not (recorded or place or self._renumbers) and name in there:
            at = at_target(taking.extract, there[name], self.options.prefixes)
            hashed = self.redaction(taking, source, _known_hash_key(read))
            found = Search(source, target, taking.extract, at, hashed).found()
        if found:
            recorded = {range_of(one.key): one for one in found.outcomes}
            stale = {among: sums_of(one)[0] for among, one in recorded.items() if one.fate not in ARRIVED}
        fresh = list(fresh_ranges(source, taking.extract, list(recorded), rows_each))
        if not (count or recorded or left or taking.extract.is_whole):
            nothing = "; ".join(
                filter(None, (f"no rows of {', '.join(taking.plugins)}", _without_date(taking, source)))
            )
            return Action(key, Verb.KEEP, label, nothing, details=_details(taking))
        merging = read.remembered(key).get(MERGING)
        to_do = bool(stale or fresh or left or left_before(read, key) or merging or not place)
        work = _Remaining.of(count, recorded, stale, fresh)
        refusal, meets, behind = "", "", ""
        if to_do and not found and not self._came_unrecorded(taking, there.get(name), target, recorded):
            refusal, meets, behind = self._in_the_way(
                taking, there.get(name), source, target, read, [*recorded, *fresh]
            )
        why = "; ".join(
            filter(
                None,
                (
                    f"{count:,} {'row' if count == 1 else 'rows'}"
                    + (f" of {', '.join(taking.plugins)}" if taking.plugins else ""),
                    _without_date(taking, source),
                    _of_lost(found) if found else work.told("" if merging else place) if recorded else "",
                    _divided(table),
                    f"changed on the way: {redaction.told}" if redaction else "",
                    told_together(left),
                    meets,
                ),
            )
        )
        if refusal:
            return _by_hand(key, label, f"{why}; {refusal}", {"table": table.name, "name": name}, total)
        return Action(
            key,
            Verb.COPY if to_do else Verb.KEEP,
            label,
            why,
            size=Size(work.rows, width * work.rows),
            total=total,
            lanes=LANES,
            after=(*((KEY,) if self._renumbers else ()), *(_key(parent) for parent in taking.parents)),
            data={"table": table.name, "name": name} | ({FORESEEN: behind} if behind else {}),
            details=(*_details(taking), *(f"! left behind: {told(one, taking.extract)}" for one in left)),
        )

    def otherwise(self, facts: Mapping[str, str], table: Table, recorded: Mapping[KeyRange, Outcome]) -> str:
        """Why what earlier runs have put at the target cannot be gone on with as the plan is now; "" if it can, or if nothing is there."""
        place = _placed(facts, recorded)
        if place and self._renumbers != (place == RENUMBERED):
            only_found = place == SWAPPED and all(one.fate is Fate.FOUND for one in recorded.values())
            return FOUND_OTHERWISE if only_found else OTHERWISE
        return DIVIDED_OTHERWISE if place and not _divides(table, recorded) else ""

    def goes_on(self, facts: Mapping[str, str], table: Table, recorded: Mapping[KeyRange, Outcome]) -> bool:
        """Whether what was recorded is gone on with. What only the shadow has is nothing to rows that get new numbers."""
        return _divides(table, recorded) and not (self._renumbers and not _placed(facts, recorded))

    def _came_unrecorded(
        self, taking: Taking, there: Table | None, target: TableReader, recorded: Mapping[KeyRange, Outcome]
    ) -> bool:
        """Whether the table itself has what was put in the shadow: a death came between swapping and its record."""
        total = _total(recorded)
        if there is None or not total.rows:
            return False
        return target.checksum(at_target(taking.extract, there, self.options.prefixes), EVERYTHING) == total

    def _in_the_way(
        self,
        taking: Taking,
        there: Table | None,
        source: TableReader,
        target: TableReader,
        read: Reading,
        ranges: Sequence[KeyRange],
    ) -> tuple[str, str, str]:
        """Why a table at the target cannot be filled as the plan is now ("" if it can), what is told of rows that are there
        already, and of those that will be left behind.
        """
        facts = read.remembered(_key(taking.table.name))
        if there is None or facts.get(PLACE) or facts.get(MERGING) or self._renumbers:
            return "", "", ""
        rows = target.count(Extract(there))
        if not rows:
            return "", "", ""
        has = f"the target has {rows:,} {'row' if rows == 1 else 'rows'} in {there.name}"
        if not target.features.merges:
            return (
                f"{has}, and rows cannot be put beside them there; name another folder in the plan, or move that one away",
                "",
                "",
            )
        if self.options.existing == "refuse":
            return f"{has}; say in `existing` what is to become of them (keep-ids, skip-existing, remap)", "", ""
        return self._meets(taking, there, source, target, read, ranges)

    def _meets(
        self,
        taking: Taking,
        there: Table,
        source: TableReader,
        target: TableReader,
        read: Reading,
        ranges: Sequence[KeyRange],
    ) -> tuple[str, str, str]:
        """The same of rows that are put beside others."""
        if not target.features.exact:  # what it makes of our rows is only known when they are put
            return "", "", ""
        redaction = self.redaction(taking, source, _known_hash_key(read))
        identity = "" if self.options.existing == "keep-ids" else taking.identity
        try:
            met = foreseen(Meeting(taking.table, there, target, identity), source, taking.extract, ranges, redaction)
        except Refused as error:  # a table of other columns is one action's trouble
            return f"{error} {error.remedy}".removesuffix("."), "", ""
        if met.taken and self.options.existing == "keep-ids":
            return f"{belong_to_others(met.taken)}. {ID_CURE}", "", ""
        found = f"{met.found:,} of them {'is' if met.found == 1 else 'are'} there already" if met.found else ""
        behind = f"{len(met.taken):,} of them will be left behind" if met.taken else ""
        return "", "; ".join(filter(None, (found, behind))), why_behind(met.taken, ())

    def redaction(self, taking: Taking, source: TableReader, key: bytes = b"") -> Redaction:
        """What the plan leaves out of a table; without a key, hashes are only told of. Raises PlanError."""
        return self._redaction(source, taking.table, [column for column, _, _ in taking.references], key)

    def _redaction(self, source: TableReader, table: Table, joined_by: Sequence[str], key: bytes) -> Redaction:
        redact = self.options.redact
        labels = labels_in(source, table) if by_field(table, redact) else None
        return redaction_of(table, redact, joined_by, key, labels)

    def _beside(self, key: bytes) -> Beside:
        return Beside(self.options, lambda source, table: self._redaction(source, table, (), key))

    # -- foresee -------------------------------------------------------------------------------------------------------------

    def foresee(self, subject: Subject, actions: Sequence[Action], read: Reading) -> Iterator[Finding]:
        """Rights that the target's user lacks, rows whose ids are others', forms and fields whose answers have no place there, and shadows that
        nothing will be done with.
        """
        to_do = [one for one in actions if one.verb not in {Verb.KEEP, Verb.BY_HAND}]
        for action in actions:
            if GIVES in action.data:
                yield from _without_counterpart(action)
            if behind := action.data.get(FORESEEN):
                text = f"{action.label}: {behind}"
                yield Finding("left-behind", Weight.WARNING, action.label, text, BEHIND_CURE)
        with read.target(FORMS, THE_DATABASE) as target:
            refusal = target.want_of_rights() if to_do and isinstance(target, KnowsRights) else None
            left = target.shadows() if isinstance(target, KnowsShadows) else ()
        if refusal is not None:
            yield Finding("will-be-refused", Weight.WARNING, subject.label, str(refusal), refusal.remedy)
        filled = () if self._renumbers else [one.data["name"] for one in to_do if "name" in one.data]
        yield from _left_over(left, filled)

    def probe(self, subject: Subject, actions: Sequence[Action], read: Reading, budget: int) -> int:
        del subject
        moved = [one for one in actions if one.verb is Verb.COPY and "table" in one.data]
        largest = max(moved, key=lambda one: one.size.bytes or 0, default=None)
        if largest is None or not largest.size.bytes:
            return 0
        with read.source(FORMS, THE_DATABASE) as source, read.target(FORMS, THE_DATABASE) as target:
            if not source.features.seeks:  # to read some of it is to read all of it
                return 0
            taking = self.taking(source, target, largest.data["table"])
            rows_each, width = rows_at_once(taking.table, target.features)
            most = min(budget, MB)
            rows = size = 0
            for among in source.ranges(taking.extract, None, min(rows_each, PROBED)):
                some = Summed.of(source.rows(taking.extract, among))
                source.checksum(taking.extract, among)
                rows, size = rows + len(some), size + some.size
                if size >= most:
                    break
            return rows * width  # as the sizes of actions are reckoned

    # -- do ------------------------------------------------------------------------------------------------------------------

    def apply(self, action: Action, work: Work) -> None:
        if DOES in action.data:
            self._beside(_hash_key(work, self.options)).apply(action, work)
            return
        with work.source(FORMS, THE_DATABASE) as source, work.target_for_writing(FORMS, THE_DATABASE) as target:
            if isinstance(target, KnowsRights) and (refusal := target.want_of_rights()):
                raise refusal
            if isinstance(source, SeesOneMoment):
                source.snapshot()
            if GIVES in action.data:
                give_numbers(action, self._both(source, target), target, work)
                return
            taking = self.taking(source, target, action.data["table"])
            if isinstance(target, RemembersSource):
                target.comes_from(source.server())
            filling = _Filling(action, taking, action.data["name"], self, source, target, work)
            if self._renumbers:
                filling.put_beside(self._both(source, target))
            else:
                filling.fill()

    def _both(self, source: TableReader, target: TableReader) -> Sides:
        found = present(source, self.options.plugins)
        return self._sides(source, target, self._wanted(source, source.tables(), found), found)

    def taking(self, source: TableReader, target: TableReader, table: str) -> Taking:
        """What is taken of a table of the source now. Raises NotFound."""
        wanted = self._wanted(source, source.tables(), present(source, self.options.plugins))
        for one in wanted:
            if one.table.name == table:
                return self._divided(one, wanted, target)
        raise NotFound(f"{table} is not at the source any more.", remedy="Run again.")

    # -- prove ---------------------------------------------------------------------------------------------------------------

    def verify(self, action: Action, read: Reading, sample: float) -> Iterator[Finding]:
        del sample  # the servers sum everything themselves; that is cheap
        if DOES in action.data:
            yield from self._beside(PRESUMED_KEY).verify(action, read)
        if "name" not in action.data:
            return
        if not read.remembered(action.key).get(PLACE):
            yield _differs(action, "not-moved", "has not been moved")
            return
        with read.source(FORMS, THE_DATABASE) as source, read.target(FORMS, THE_DATABASE) as target:
            taking = self.taking(source, target, action.data["table"])
            for left in left_rows(source, taking.table):
                yield _differs(action, "left-behind", told(left, taking.extract), TOO_LARGE)
            there = next((one for one in target.tables() if one.name == action.data["name"]), None)
            if there is None:
                yield _differs(action, "missing", "was moved and is not at the target any more")
                return
            recorded = _recorded(read, action.key)
            if otherwise := self.otherwise(read.remembered(action.key), taking.table, recorded):
                yield _differs(action, "moved-otherwise", otherwise, "Correct the plan.")
                return
            if self._renumbers:
                yield from self._compared_by_numbers(action, taking, self._both(source, target), read)
                return
            place = at_target(taking.extract, there, self.options.prefixes)
            yield from self._compared(action, taking, place, source, target, read)

    def _compared_by_numbers(self, action: Action, taking: Taking, sides: Sides, read: Reading) -> Iterator[Finding]:
        """The same where rows have other numbers at the target: through what it has written down of them."""
        there = table_at(sides, taking)
        assert there is not None
        on_road = road(taking, sides.takings, sides.stored, there, page_of(sides, read))
        redaction = self.redaction(taking, sides.source, _hash_key(read, self.options))
        recorded = _recorded(read, action.key)
        for among, outcome in recorded.items():
            if outcome.fate not in ARRIVED:
                continue
            was, put = sums_of(outcome)
            here = sides.source.checksum(taking.extract, among)
            if here != was:
                text = f"{among.label}: {_changed(here, was)}"
                yield _differs(action, "changed", text)
                continue
            at = on_road.place(among, ()) if on_road.follows is not None else None
            if at is not None and sides.target.checksum(*at) == put:
                continue
            gone = lacking(on_road, among, redaction, sides.source, sides.target)
            if gone or on_road.follows is not None:
                text = f"{among.label}: {gone:,} rows are not at the target as they were put there, or others are"
                yield _differs(action, "differs", text, "If nobody changed them on purpose, copy them by hand.")
        rows_each, _ = rows_at_once(taking.table, sides.target.features)
        for among in fresh_ranges(sides.source, taking.extract, list(recorded), rows_each):
            yield _differs(action, "not-moved", f"{among.label}: rows have come at the source since")

    def _compared(
        self, action: Action, taking: Taking, place: Extract, source: TableReader, target: TableReader, read: Reading
    ) -> Iterator[Finding]:
        """Range by range: the source now with what was recorded of it, the target now with what was put there."""
        recorded = _recorded(read, action.key)
        beside = read.remembered(action.key).get(PLACE) == MERGED
        redaction = self.redaction(taking, source, _hash_key(read, self.options)) if beside else Redaction()
        for among, outcome in recorded.items():
            if outcome.fate not in ARRIVED and not (beside and outcome.as_sent):
                continue
            was, put = sums_of(outcome)
            behind = 0 if outcome.fate in ARRIVED else outcome.things
            here = source.checksum(taking.extract, among)
            if here != was:
                text = f"{among.label}: {_changed(here, was)}"
                yield _differs(action, "changed", text)
            lacking = self._lacking(taking, place.table, among, source, target, redaction) - behind if beside else 0
            if lacking > 0:
                yield _differs(
                    action,
                    "missing",
                    f"{among.label}: {lacking:,} rows that were put beside the target's are not there as they were put",
                )
            if not beside:
                has = target.checksum(place, among)
                if has != put:
                    text = f"{among.label}: {_changed_there(has, put)}"
                    yield _differs(action, "differs", text, "If nobody changed them on purpose, copy them by hand.")
        rows_each, _ = rows_at_once(taking.table, target.features)
        for among in fresh_ranges(source, taking.extract, list(recorded), rows_each):
            yield _differs(action, "not-moved", f"{among.label}: rows have come at the source since")

    def _lacking(
        self,
        taking: Taking,
        there: Table,
        among: KeyRange,
        source: TableReader,
        target: TableReader,
        redaction: Redaction,
    ) -> int:
        """How many rows of a range the target's table does not have, whatever else it has."""
        identity = "" if self.options.existing == "keep-ids" else taking.identity
        rows = [row for page in source.rows(taking.extract, among) for row in redaction(page)]
        return len(Meeting(taking.table, there, target, identity).met(among, rows).of(Met.FRESH, Met.TAKEN))


@dataclass(slots=True)
class _Filling:
    """One table, being moved by one try of its action."""

    action: Action
    taking: Taking
    name: str
    step: FormsStep
    source: TableReader
    target: TableWriter
    work: Work

    def fill(self) -> None:
        self._begin_anew_where_nothing_counts()
        facts = self.work.remembered(self.action.key)
        place = facts.get(PLACE, "")
        columns = repr([(one.name, one.type) for one in self.taking.table.columns])
        if place and facts.get(COLUMNS, columns) != columns:
            raise Refused(
                f"{self.taking.table.name}: the source's columns have changed since it was moved.",
                remedy="Bring the target's table into the same shape by hand, or move it anew with a new state.",
            )
        if facts.get(COLUMNS, columns) != columns:
            self.work.forget()
        self.work.remember({COLUMNS: columns})
        if not place and self._is_there_already():
            place = SWAPPED
            wanted = replace(self.taking.table, name=self.name)
            self.target.discard(wanted)
            self.target.swap(wanted)  # completes what a death left of it
            self.work.remember({PLACE: place})
        if place == SWAPPED:
            self._follow()
            return
        self._refuse_without_parents()
        if not place and not facts.get(MERGING) and not self._merged_parents() and self._is_found():
            self._follow()
            return
        if facts.get(MERGING) == BEGUN:  # a death came before anybody knew what was put: what is there is found again
            self._empty_shadow(replace(self.taking.table, name=self.name))
        if place != MERGED or facts.get(MERGING) or self._has_more():
            self._fill_shadow(place)

    def put_beside(self, sides: Sides) -> None:
        """The rows with the numbers that the target has given them."""
        self._begin_anew_where_nothing_counts()
        page = page_of(sides, self.work)
        there = made(sides, self.target, self.taking, page)
        taken = taken_by_others(sides.takings, self.work)
        on_road = road(self.taking, sides.takings, sides.stored, there, page, taken)
        refuse_unnumbered(on_road, self.source)
        recorded = _recorded(self.work, self.action.key)
        held = {among: sums_of(one)[1] for among, one in recorded.items() if one.digest}
        stale = _stale(self.source, self.taking.extract, recorded)
        redaction = self.step.redaction(self.taking, self.source, _hash_key(self.work, self.step.options))
        move = NumberedMove(
            self.source,
            self.target,
            self.taking.extract,
            Extract(on_road.there),
            recorded,
            held=held,
            road=on_road,
            redacted=redaction,
        )
        self.work.resolve(move)
        self.work.record(_reconsidered(recorded[among]) for among in stale)
        self.work.carry(self._leaving(move), LIMIT)
        remember_taken(move, self.work)
        self.work.remember({PLACE: RENUMBERED})
        self._tell_hidden(redaction, of_all=not recorded and _total(_recorded(self.work, self.action.key)).rows > 0)
        self._tell_unsure(move)
        for column, often in move.stayed.items():
            text = f"{self.action.label}: {often:,} values of {column} could not be written again as they are; numbers inside them stay"
            self.work.note(
                Finding(
                    "numbers-inside", Weight.WARNING, self.action.label, text, "Look at these forms at the new site."
                )
            )

    def _begin_anew_where_nothing_counts(self) -> None:
        """Forget what was recorded of a shadow that is of no use as the plan is now. Raises Refused where it is of the table itself."""
        facts, recorded = self.work.remembered(self.action.key), _recorded(self.work, self.action.key)
        if otherwise := self.step.otherwise(facts, self.taking.table, recorded):
            raise Refused(f"{self.action.label}: {otherwise}.", remedy="Say in the plan what it was (existing).")
        if not recorded or self.step.goes_on(facts, self.taking.table, recorded):
            return
        there, total = self._there(), _total(recorded)
        place = there and at_target(self.taking.extract, there, self.step.options.prefixes)
        if (
            place and total.rows and self.target.checksum(place, EVERYTHING) == total
        ):  # a death came between swapping and its record
            raise Refused(f"{self.action.label}: {OTHERWISE}.", remedy="Say in the plan what it was (existing).")
        self.target.discard(replace(self.taking.table, name=self.name))
        self.work.forget()

    def _leaving(self, move: RangeMove) -> Leaving:
        return Leaving(move, left_behind(self.source, self.taking.extract))

    # -- the first time --------------------------------------------------------------------------------------------------

    def _is_there_already(self) -> bool:
        """Whether the table itself holds what was put in the shadow: a death came between swapping and its record."""
        recorded = _recorded(self.work, self.action.key)
        there = self._there()
        if there is None or not recorded or any(one.fate not in ARRIVED for one in recorded.values()):
            return False
        place = at_target(self.taking.extract, there, self.step.options.prefixes)
        return all(self.target.checksum(place, among) == sums_of(one)[1] for among, one in recorded.items())

    def _is_found(self) -> bool:
        """Whether the table holds what would be put, though nothing is recorded of it; from now on it is."""
        there = self._there()
        if there is None or _recorded(self.work, self.action.key):
            return False
        redaction = self.step.redaction(self.taking, self.source, _hash_key(self.work, self.step.options))
        place = at_target(self.taking.extract, there, self.step.options.prefixes)
        as_kept = partial(self.target.as_kept, there)
        found = Search(self.source, self.target, self.taking.extract, place, redaction, as_kept).found()
        if found is None:
            return False
        self.target.discard(replace(self.taking.table, name=self.name))
        self.work.remember({PLACE: SWAPPED})
        self.work.record(found.outcomes)
        return True

    def _has_more(self) -> bool:
        recorded = _recorded(self.work, self.action.key)
        rows_each, _ = rows_at_once(self.taking.table, self.target.features)
        fresh = fresh_ranges(self.source, self.taking.extract, list(recorded), rows_each)
        left = left_behind(self.source, self.taking.extract).keys() != {
            one.key for one in left_before(self.work, self.action.key)
        }
        return left or bool(_stale(self.source, self.taking.extract, recorded)) or any(True for _ in fresh)

    def _there(self) -> Table | None:
        return next((one for one in self.target.tables() if one.name == self.name), None)

    def _fill_shadow(self, place: str) -> None:
        wanted = replace(self.taking.table, name=self.name)
        self.target.shadow(wanted)
        if not place and self._there() is None and self._merged_parents():
            # Rows that hang on rows left behind are left behind too, so they are put beside others even where there are none yet.
            self._empty_shadow(wanted)
            self.target.swap(wanted)
        shadow = Extract(self.target.shadow(wanted))
        if place:
            self.work.remember({MERGING: CARRYING})
        move = self._carry(shadow)
        recorded = _recorded(self.work, self.action.key)
        behind = sum(outcome.things for outcome in recorded.values() if outcome.fate not in ARRIVED)
        if behind:
            whole = sum(map(rows_in, recorded.values()))
            raise Misbehaved(
                f"{self.action.label}: {behind:,} of {whole:,} rows could not be moved, so the table is not put in its place.",
                remedy=f"See what is left behind, then run again: what is there is kept, in {SHADOW}{self.name} at the target; "
                "if nothing more is to be moved, drop that table.",
            )
        if not place:
            total, has = _total(recorded), self.target.checksum(shadow, EVERYTHING)
            if has != total:
                self._empty_shadow(wanted)
                raise Misbehaved(
                    f"{self.action.label}: {total.rows:,} rows were put, and the target has {has.rows:,} or others.",
                    remedy="Run again: the table is filled anew.",
                )
        self._tell_unsure(move)
        there = self._there()
        if there is None or not (place or self._merged_parents() or self.target.count(Extract(there))):
            self.target.swap(wanted)
            self.work.remember({PLACE: SWAPPED})
        else:
            self._merge(wanted, there, recorded, place)

    def _empty_shadow(self, wanted: Table) -> None:
        """Begin anew with a shadow that has no rows."""
        self.target.discard(wanted)
        self._forget()
        self.target.shadow(wanted)

    def _forget(self) -> None:
        """Forget which ranges were carried, and not where the table is."""
        facts = dict(self.work.remembered(self.action.key))
        self.work.forget()
        self.work.remember(facts)

    def _merge(self, wanted: Table, there: Table, recorded: Mapping[KeyRange, Outcome], place: str) -> None:
        """Put what is in the shadow beside the target's rows, but for what is there, what has ids of others, and what hangs on those."""
        existing = self.step.options.existing
        if existing == "refuse" or not isinstance(self.target, PutsBeside):
            self._give_up(wanted)
            raise Refused(
                f"{self.action.label}: the target has rows in {self.name}.",
                remedy="Say in the plan what is to become of them (existing), or name another target.",
            )
        begun = self.work.remembered(self.action.key).get(MERGING) == BEGUN
        met = self._met_in(Extract(self.target.shadow(wanted)), there, recorded, place)
        taken = [key for one in met.values() for key in one.keys(Met.TAKEN)]
        if taken and existing == "keep-ids" and not (place or begun):
            self._give_up(wanted)
            raise Refused(f"{self.action.label}: {belong_to_others(taken)}.", remedy=f"{ID_CURE}.")
        self.work.remember({MERGING: BEGUN})
        self.work.record(list(recorded.values())[:1])  # what is remembered is on disk with a record
        shadow = Extract(self.target.shadow(wanted))
        for among, one in met.items():
            if one.left_out:
                self.target.load(shadow, among, one.of(Met.FRESH), None)
        try:
            put = self.target.merge(Extract(there))
        except Refused:
            self._give_up(wanted)
            raise
        self.target.discard(wanted)
        self._record_met(recorded, met, place)
        self.work.remember({PLACE: MERGED, MERGING: ""})
        found = sum(len(one.of(Met.FOUND, Met.ELSEWHERE)) for one in met.values())
        if found and not place:
            text = f"{self.action.label}: {put:,} rows were put beside the target's, {found:,} were there already"
            self.work.note(Finding("there-already", Weight.NOTE, self.action.label, text))

    def _record_met(self, recorded: Mapping[KeyRange, Outcome], met: Mapping[KeyRange, Rows], place: str) -> None:
        """What became of the ranges; at first those of which some rows stay behind go down in pieces, so that each row counts as what it is."""
        if place:  # the engine counts by the ranges that it has been told of; what is found there is what was put
            self.work.record(_but_behind(recorded[among], among, one) for among, one in met.items())
            return
        others = left_before(self.work, self.action.key)
        outcomes = {among: self._pieces(recorded[among], among, one) for among, one in met.items()}
        if any(len(some) > 1 for some in outcomes.values()):
            self._forget()
        ranges = (one for among, whole in recorded.items() for one in outcomes.get(among, [whole]))
        self.work.record([*ranges, *others])

    def _pieces(self, whole: Outcome, among: KeyRange, met: Rows) -> list[Outcome]:
        pieces = met.pieces(among)
        here = [self.source.checksum(self.taking.extract, part) for part, _ in pieces] if len(pieces) > 1 else []
        if sum(here, NOTHING) != sums_of(whole)[0]:  # one piece, or the source has changed meanwhile
            return [_as_met(whole, among, met, whole.digest)]
        return [
            _as_met(
                whole,
                part,
                rows,
                f"{source}{SIDES}{checksum_of([row for row, _ in rows.each])}",
                len(rows.each) / len(met.each),
            )
            for source, (part, rows) in zip(here, pieces, strict=True)
        ]

    def _give_up(self, wanted: Table) -> None:
        """Leave nothing of ours at the target, and no word that it is there."""
        self.target.discard(wanted)
        place = self.work.remembered(self.action.key).get(PLACE, "")
        if place:
            self._forget()
        else:
            self.work.forget()

    def _met_in(
        self, shadow: Extract, there: Table, recorded: Mapping[KeyRange, Outcome], place: str
    ) -> dict[KeyRange, Rows]:
        """What becomes of the rows that wait in the shadow, range by range; ranges that meet nobody are left out."""
        identity = "" if self.step.options.existing == "keep-ids" else self.taking.identity
        meeting = Meeting(self.taking.table, there, self.target, identity)
        parents = self._merged_parents()
        found: dict[KeyRange, Rows] = {}
        for among in recorded:
            if place and not self.target.checksum(shadow, among).rows:
                continue
            if not (identity or parents or self.target.checksum(meeting.place, among).rows):
                continue
            rows = in_order(self.taking.table, [row for page in self.target.rows(shadow, among) for row in page])
            met = found[among] = meeting.met(among, rows)
            for column, one, key, redaction in parents:
                self._part_from_missing(met, column, one, key, redaction)
        return found

    def _part_from_missing(self, met: Rows, column: str, parent: Taking, key: str, redaction: Redaction) -> None:
        """Of the rows that were to be put, those that hang on a row of ours that is not at the target are left out."""
        at = self.taking.table.place(column)
        values = [value for row in met.of(Met.FRESH) if (value := row[at]) is not None]
        name = renamed(parent.table.name, self.step.options.prefixes)
        there = next((one for one in self.target.tables() if one.name == name), None)
        identity = "" if self.step.options.existing == "keep-ids" else parent.identity
        meeting = Meeting(parent.table, there, self.target, identity) if there else None
        kept = partial(_kept, self.target, parent.table, redaction)
        met.part_from(column, missing_parents(parent.extract, meeting, key, values, self.source, kept))

    def _merged_parents(self) -> list[tuple[str, Taking, str, Redaction]]:
        """The columns that name rows of tables which were put beside others, with what was taken of those, and its column that is named."""
        columns = {one.name for one in self.taking.table.columns}
        found = []
        for column, table, key in self.taking.references:
            merged = self.work.remembered(_key(table)).get(PLACE) == MERGED
            if merged and column in columns and table != self.taking.table.name:
                parent = self.step.taking(self.source, self.target, table)
                if parent.aside:
                    continue
                redaction = self.step.redaction(parent, self.source, _hash_key(self.work, self.step.options))
                found.append((column, parent, key, redaction))
        return found

    def _refuse_without_parents(self) -> None:
        """Raises Refused where rows would come before those of the same plugin that they hang on."""
        if not self.target.features.merges:  # into a dump goes all that can
            return
        tables = _by_name(self.source.tables())
        for stored in present(self.source, self.step.options.plugins):
            parts = {part.table: part for part in stored.tables if not part.aside}
            if self.taking.table.name not in parts:
                continue
            for name in self.taking.parents:
                if name not in parts or self.work.remembered(_key(name)).get(PLACE):
                    continue
                taken = self.step.taking(self.source, self.target, name)
                if _has_rows(self.source, tables, parts[name]) and self.source.count(taken.extract):
                    raise Refused(
                        f"{self.action.label}: its rows hang on those of {name}, which has not been moved.",
                        remedy=f"See what is told of {name}, then run again.",
                    )

    # -- later -------------------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """What has come or changed since, into the table itself."""
        there = self._there()
        if there is None:
            raise NotFound(
                f"{self.action.label}: was moved and is not at the target any more.",
                remedy="Move it anew with a new state.",
            )
        place = at_target(self.taking.extract, there, self.step.options.prefixes)
        recorded = _recorded(self.work, self.action.key)
        held = {among: sums_of(one)[1] for among, one in recorded.items()}
        self._tell_unsure(self._carry(place, held))

    # -- both --------------------------------------------------------------------------------------------------------------

    def _carry(self, place: Extract, held: Mapping[KeyRange, Checksum] | None = None) -> RangeMove:
        extract, redaction = (
            self.taking.extract,
            self.step.redaction(self.taking, self.source, _hash_key(self.work, self.step.options)),
        )
        recorded = _recorded(self.work, self.action.key)
        move = RangeMove(self.source, self.target, extract, place, recorded, redaction, held)
        if not recorded and (without := _without_date(self.taking, self.source)):
            text = f"{self.action.label}: {without}, since the plan names a time"
            remedy = "Move them with a step without since and older_than if they are wanted."
            self.work.note(Finding("undated", Weight.WARNING, self.action.label, text, remedy))
        self.work.resolve(move)
        recorded = _recorded(self.work, self.action.key)
        stale = _stale(self.source, extract, recorded)
        self.work.record(_reconsidered(recorded[among]) for among in stale)
        move = RangeMove(self.source, self.target, extract, place, recorded, redaction, held)
        self.work.carry(self._leaving(move), LIMIT)
        self._tell_hidden(redaction, of_all=not recorded and _total(_recorded(self.work, self.action.key)).rows > 0)
        return move

    def _tell_hidden(self, redaction: Redaction, *, of_all: bool) -> None:
        """What was hidden whole, and what the plan wanted hidden and nothing had."""
        for pattern, often in redaction.opaque.items():
            whole = (
                "value could not be looked into and was" if often == 1 else "values could not be looked into and were"
            )
            text = f"{self.action.label}: {often:,} {whole} hidden whole for {pattern}"
            remedy = "Nothing has to be done; the source has what was there."
            self.work.note(Finding("hidden-whole", Weight.WARNING, self.action.label, text, remedy))
        for pattern in redaction.fields if of_all else ():
            if not redaction.met[pattern] and not redaction.opaque[pattern]:
                text = f"{self.action.label}: no value has the field {pattern} that redact names; nothing was hidden for it"
                remedy = "If the field is called otherwise, correct the plan and move the table anew."
                self.work.note(Finding("nothing-hidden", Weight.WARNING, self.action.label, text, remedy))

    def _tell_unsure(self, move: RangeMove) -> None:
        if move.unsure:
            text = (
                f"{self.action.label}: {len(move.unsure):,} times the server gave other rows than it counts (its time limit ended an answer, "
                "or rows came meanwhile); they were read again in smaller ranges until both agreed"
            )
            self.work.note(
                Finding(
                    "read-again", Weight.NOTE, self.action.label, text, "Nothing is missing; nothing has to be done."
                )
            )


def _hash_key(read: Reading, options: FormsOptions) -> bytes:
    """What hashes are made with: a secret of this plan's own, made when it is first needed."""
    if not options.redact.hash:
        return b""
    known = read.strongbox.get(HASH_KEY)
    if known is None:
        known = SecretStr(secrets.token_hex(32))
        read.strongbox.put(HASH_KEY, known)
    return known.get_secret_value().encode()


def _known_hash_key(read: Reading) -> bytes:
    """The same by reading only. Where it was not made yet there is nothing of its making at the target, and any other finds that as well."""
    known = read.strongbox.get(HASH_KEY)
    return known.get_secret_value().encode() if known else PRESUMED_KEY


def _by_name(tables: Sequence[Table]) -> Mapping[str, Table]:
    return {one.name: one for one in tables}


def _has_rows(source: TableReader, tables: Mapping[str, Table], part: StoredTable) -> bool:
    """Whether a plugin has rows in a part of its own, or of a table that it shares."""
    return part.table in tables and source.count(extract_of(part, tables)) > 0


def _kept(target: TableWriter, table: Table, redaction: Redaction, rows: Sequence[Row]) -> Sequence[Row]:
    """Rows as they are put."""
    return target.as_kept(table, redaction(rows))


# -- pure ------------------------------------------------------------------------------------------------------------------


def _key(table: str) -> str:
    return f"{THE_DATABASE}/{table}"


def _recorded(read: Reading, key: str) -> dict[KeyRange, Outcome]:
    """What is known of a table's ranges, in order."""
    found = {range_of(one.key): one for one in read.outcomes(key) if not one.key.startswith(ROW)}
    return {among: found[among] for among in in_a_chain(found)}


def _damaged(side: TableReader) -> Mapping[str, str]:
    return side.damaged() if isinstance(side, KnowsDamage) else {}


def _by_hand(key: str, label: str, why: str, data: Mapping[str, str], total: Size = UNCOUNTED) -> Action:
    """A table that the admin has to say something of first. It has lanes, so that `verify` does not pass over it, and its rows count, so that
    a sum without them does not add up.
    """
    return Action(key, Verb.BY_HAND, label, why, total=total, lanes=LANES, data=dict(data))


def _placed(facts: Mapping[str, str], recorded: Mapping[KeyRange, Outcome]) -> str:
    """Where what was recorded is, or may be if a death came before the last word; "" if in the shadow, or nowhere."""
    if place := facts.get(PLACE, ""):
        return place
    if facts.get(MERGING):
        return MERGED
    return RENUMBERED if recorded and not facts.get(COLUMNS) else ""  # what fills a shadow remembers columns first


def _divides(table: Table, recorded: Mapping[KeyRange, Outcome]) -> bool:
    """Whether these ranges are of the key that the table is divided by now."""
    ends = {len(key) for among in recorded for key in (among.after, among.upto) if key is not None}
    return ends <= {len(table.page_by)} and bool(ends or table.paging is Paging.CONTENT or not recorded)


def _total(recorded: Mapping[KeyRange, Outcome]) -> Checksum:
    return sum((sums_of(one)[1] for one in recorded.values()), NOTHING)


def _stale(source: TableReader, extract: Extract, recorded: Mapping[KeyRange, Outcome]) -> dict[KeyRange, Checksum]:
    """Recorded ranges that the source fills otherwise now, or that never arrived, and what the source has there."""
    now = {among: source.checksum(extract, among) for among in recorded}
    return {
        among: now[among]
        for among, outcome in recorded.items()
        if outcome.fate not in ARRIVED or now[among] != sums_of(outcome)[0]
    }


def _changed(here: Checksum, was: Checksum) -> str:
    """What a comparison found at the source, in words."""
    if here.rows == was.rows:
        return f"the source has as many rows as when they were moved ({here.rows:,}), and some have changed"
    return f"the source has {here.rows:,} rows, and {was.rows:,} were moved"


def _changed_there(has: Checksum, put: Checksum) -> str:
    """What a comparison found at the target, in words."""
    if has.rows == put.rows:
        return f"the target has as many rows as were put there ({has.rows:,}), and some have changed"
    return f"the target has {has.rows:,} rows, and {put.rows:,} were put there"


def _reconsidered(outcome: Outcome) -> Outcome:
    note = outcome.note if outcome.fate is Fate.LEFT_BEHIND else "changed at the source since it was moved"
    return replace(
        outcome,
        fate=Fate.LEFT_BEHIND,
        note=note,
        cure="It is moved anew by this run.",
        things=rows_in(outcome),
        as_sent=0,
    )


def _as_met(outcome: Outcome, among: KeyRange, rows: Rows, digest: str, share: float = 1) -> Outcome:
    """What became of a range, or of a piece of one that has this share of its bytes, whose rows were put beside others."""
    if not rows.left_out and among.key == outcome.key:
        return outcome
    size = round(outcome.size * share)
    copied = replace(
        outcome, key=among.key, fate=Fate.COPIED, size=size, digest=digest, things=len(rows.each), as_sent=0
    )
    if rows.of(*BEHIND):
        return _but_behind(copied, among, rows)
    return partly(copied, Fate.FOUND, len(rows.of(Met.FOUND, Met.ELSEWHERE)))


def _but_behind(outcome: Outcome, among: KeyRange, rows: Rows) -> Outcome:
    """The outcome of a range of which some rows may have to stay behind."""
    behind = len(rows.of(*BEHIND))
    if not behind:
        return outcome
    note = f"{among.label}: {why_behind(rows.keys(Met.TAKEN), rows.keys(Met.HANGING))}"
    whole = replace(outcome, things=rows_in(outcome), as_sent=0)
    return replace(partly(whole, Fate.LEFT_BEHIND, behind), note=note, cure=BEHIND_CURE)


def _found(subject: Subject, tables: Sequence[Table], found: Sequence[Stored], wanted: Sequence[Taking]) -> Action:
    """What was found at the source, told once above the tables."""
    keeping = [one for one in found if not one.silent]
    there = {one.name for one in tables}
    lines = []
    for one in found:
        where = f"{one.prefix}*" + (f", site {one.site}" if one.site else "")
        held = len({part.table for part in one.tables if not part.aside} & there)
        told = one.silent or f"{held} {'table' if held == 1 else 'tables'}"
        lines.append(
            f"{'!' if one.silent else '='} {one.title} ({where}): {told}"
            + "".join(f". {note.removesuffix('.')}" for note in one.notes)
        )
    plugins = len({one.plugin for one in keeping})
    named = sum(not one.plugins for one in wanted)
    why = (
        f"{plugins:,} {'plugin keeps' if plugins == 1 else 'plugins keep'} entries; "
        f"{len(wanted):,} of {len(tables):,} tables are moved"
        + (f", {named:,} of them because the plan names {'it' if named == 1 else 'them'}" if named else "")
    )
    return Action(subject.key + PLUGINS, Verb.KEEP, "plugins", why, details=tuple(lines))


@dataclass(frozen=True, slots=True)
class _Remaining:
    """What is still to do of a table, in rows: those that have come, those among which something has changed, and those left behind before."""

    new: int
    changed: int
    behind: int

    @classmethod
    def of(
        cls,
        count: int,
        recorded: Mapping[KeyRange, Outcome],
        stale: Mapping[KeyRange, Checksum],
        fresh: Sequence[KeyRange],
    ) -> _Remaining:
        """Of a table that has so many rows at the source now."""
        known = sum(stale[among].rows if among in stale else rows_in(one) for among, one in recorded.items())
        behind = sum(now.rows for among, now in stale.items() if recorded[among].fate not in ARRIVED)
        return cls(max(0, count - known) if fresh else 0, sum(now.rows for now in stale.values()) - behind, behind)

    @property
    def rows(self) -> int:
        """All that will travel."""
        return self.new + self.changed + self.behind

    def told(self, place: str) -> str:
        """The same in words, of a table that was begun."""
        if not self.rows:
            return "all there" if place else "all there, to be put in its place"
        parts = (
            f"{self.new:,} new" if self.new else "",
            f"{self.changed:,} looked at again because some of them have changed" if self.changed else "",
            f"{self.behind:,} left behind before" if self.behind else "",
        )
        return ", ".join(filter(None, parts))


def _without_date(taking: Taking, source: TableReader) -> str:
    """What limits of time leave out for want of a date."""
    count = sum(source.count(one) for one in undated(taking))
    return f"{count:,} without a date {'is' if count == 1 else 'are'} left out" if count else ""


def _of_lost(found: Found) -> str:
    """What is to do of a table that is there, and of which nothing is recorded."""
    to_do = sum(one.fate not in ARRIVED for one in found.outcomes)
    there = f"{found.rows:,} of them are at the target already as they would be put"
    return f"{there}; {to_do:,} of {len(found.outcomes):,} ranges lack some" if to_do else there


def _divided(table: Table) -> str:
    if table.paging is Paging.CONTENT:
        return "has no key, so each range is a reading of the whole table"
    return "" if table.steady else f"{table.engine} shows changes at once, so it is not one moment"


def _details(taking: Taking) -> tuple[str, ...]:
    lines = [
        f"{one.column} {one.operator.value} {', '.join(_said(value) for value in one.values)}"
        for one in taking.extract.conditions
    ]
    if taking.extract.within is not None:
        within = taking.extract.within
        lines.append(f"{within.column} of rows taken of {within.table}")
    return tuple(f"only where {line}" for line in lines)


def _said(value: str | bytes | None) -> str:
    return "NULL" if value is None else value.hex() if isinstance(value, bytes) else value


def _without_counterpart(action: Action) -> Iterator[Finding]:
    """Forms and fields that have none, each once. Those that wait for a word of the admin are told as that."""
    if action.verb is Verb.BY_HAND:
        return
    form = ""
    for line in action.details:
        words = " ".join(line[2:].partition(" -> ")[0].split())
        is_field = line[2:].startswith(" ")
        form = form if is_field else words
        if line.startswith("! ") and STAYS not in line:
            text = (
                f"{form}: {words} has no counterpart at the target"
                if is_field
                else f"{words}: the target has no such form"
            )
            remedy = "Make it there, or name its counterpart in the plan (forms); else its entries or answers are left behind."
            yield Finding("left-behind", Weight.WARNING, action.label, text, remedy)


def _left_over(shadows: Sequence[str], filled: Sequence[str]) -> Iterator[Finding]:
    """Shadows that a run of this plan will not put in their place."""
    going = {SHADOW + one for one in filled} | {SHADOW + NUMBERS_TABLE.name}
    for name in shadows:
        if name not in going:
            text = "a table at the target that was filled by a run which could not put it in its place"
            remedy = "A run of the plan that filled it goes on with it; drop it if no such run is to come."
            yield Finding("left-over", Weight.NOTE, name, text, remedy)


def _differs(action: Action, code: str, text: str, remedy: str = "Run again.") -> Finding:
    return Finding(code, Weight.DIFFERENCE, action.label, f"{action.label}: {text}", remedy)


def _build(options: FormsOptions, accounts: Sequence[Account]) -> FormsStep:
    del accounts  # a database is nobody's
    return FormsStep(options)


KIND = Kind(word="forms", service=FORMS.service, options=FormsOptions, build=_build, needs_accounts=False)
