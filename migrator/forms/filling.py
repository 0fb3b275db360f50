"""One table on its way: into the shadow range by range, proven, swapped or put beside the target's rows; and what has changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from migrator.engine.contract import (
    ARRIVED,
    Action,
    BatchLimit,
    Fate,
    Finding,
    Outcome,
    Weight,
    Work,
)
from migrator.errors import Misbehaved, NotFound, Refused
from migrator.forms.choosing import in_order
from migrator.forms.contract import SHADOW, PutsBeside, TableReader, TableWriter
from migrator.forms.found import Search
from migrator.forms.leaving import Leaving, left_before, left_behind
from migrator.forms.meeting import BEHIND, Meeting, Met, Rows, belong_to_others, missing_parents
from migrator.forms.model import (
    EVERYTHING,
    NOTHING,
    Checksum,
    Extract,
    KeyRange,
    Row,
    Table,
    checksum_of,
)
from migrator.forms.moving import SIDES, RangeMove, fresh_ranges, partly, rows_at_once, rows_in, sums_of
from migrator.forms.options import FormsOptions
from migrator.forms.plugins.detect import chosen
from migrator.forms.redaction import Redaction
from migrator.forms.remap.moving import (
    RENUMBERED,
    NumberedMove,
    made,
    page_of,
    refuse_unnumbered,
    remember_taken,
    road,
    taken_by_others,
)
from migrator.forms.remap.sides import Sides
from migrator.forms.standing import (
    BEGUN,
    CARRYING,
    CHOSEN,
    COLUMNS,
    HIDDEN,
    ID_CURE,
    MERGED,
    MERGING,
    NAMED,
    OTHERWISE,
    PLACE,
    SWAPPED,
    action_key,
    but_behind,
    by_name,
    has_rows,
    hash_key,
    hidden_otherwise,
    is_elsewhere,
    left_the_choice,
    recorded_of,
    stale_in,
    total_of,
    without_date,
)
from migrator.forms.taking import Taking, at_target, choice_of, chosen_so, renamed

HIDES_OTHERS = "the plan hides other fields than when it was moved"
LIMIT = BatchLimit(items=2)  # a range is nearly as large as a batch should be


class Planned(Protocol):
    """What filling asks of the step."""

    @property
    def options(self) -> FormsOptions:
        """What the plan says."""

    def redaction(self, taking: Taking, source: TableReader, key: bytes = b"") -> Redaction:
        """What the plan leaves out of a table."""

    def rules(self, taking: Taking) -> str:
        """What the plan leaves out of a table, in words that change when it does."""

    def otherwise(self, facts: Mapping[str, str], taking: Taking, recorded: Mapping[KeyRange, Outcome]) -> str:
        """Why what earlier runs have put at the target cannot be gone on with; "" if it can."""

    def goes_on(self, facts: Mapping[str, str], table: Table, recorded: Mapping[KeyRange, Outcome]) -> bool:
        """Whether what was recorded is gone on with."""

    def taking(self, source: TableReader, target: TableReader, table: str) -> Taking:
        """What is taken of a table of the source now. Raises NotFound."""


@dataclass(slots=True)
class Filling:
    """One table, being moved by one try of its action."""

    action: Action
    taking: Taking
    name: str
    step: Planned
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
        self.work.remember({COLUMNS: columns, NAMED: self.name})
        if not place and self._is_there_already():
            place = SWAPPED
            wanted = replace(self.taking.table, name=self.name)
            self.target.discard(wanted)
            self.target.swap(wanted)  # completes what a death left of it
            self.work.remember({PLACE: place})
        if place == SWAPPED:
            self._follow()
            return
        self._hide_as_the_plan_says()
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
        self.work.remember({NAMED: self.name, HIDDEN: self.step.rules(self.taking)})
        page = page_of(sides, self.work)
        there = made(sides, self.target, self.taking, page)
        taken = taken_by_others(sides.takings, self.work)
        on_road = road(self.taking, sides.takings, sides.stored, there, page, taken)
        refuse_unnumbered(on_road, self.source)
        recorded = recorded_of(self.work, self.action.key)
        held = {among: sums_of(one)[1] for among, one in recorded.items() if one.digest}
        stale = stale_in(self.source, self.taking.extract, recorded)
        redaction = self.step.redaction(self.taking, self.source, hash_key(self.work, self.step.options))
        move = NumberedMove(
            self.source,
            self.target,
            self.taking.extract,
            Extract(on_road.there),
            recorded,
            held=held,
            about=self.action.total.items,
            road=on_road,
            redacted=redaction,
        )
        self.work.resolve(move)
        self.work.record(_reconsidered(recorded[among]) for among in stale)
        self.work.carry(self._leaving(move), LIMIT)
        remember_taken(move, self.work)
        self.work.remember({PLACE: RENUMBERED})
        self._tell_hidden(redaction, of_all=not recorded and total_of(recorded_of(self.work, self.action.key)).rows > 0)
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
        facts, recorded = self.work.remembered(self.action.key), recorded_of(self.work, self.action.key)
        if otherwise := self.step.otherwise(facts, self.taking, recorded):
            raise Refused(f"{self.action.label}: {otherwise}.", remedy="Correct the plan.")
        if is_elsewhere(facts, self.name):
            self.work.forget()
            return
        if not recorded or self.step.goes_on(facts, self.taking.table, recorded):
            return
        there, total = self._there(), total_of(recorded)
        place = there and at_target(self.taking.extract, there, self.step.options.prefixes)
        if (
            place and total.rows and self.target.checksum(place, EVERYTHING) == total
        ):  # a death came between swapping and its record
            raise Refused(f"{self.action.label}: {OTHERWISE}.", remedy="Say in the plan what it was (existing).")
        self.target.discard(replace(self.taking.table, name=self.name))
        self.work.forget()

    def _hide_as_the_plan_says(self) -> None:
        """Begin anew with a shadow whose rows were put under other rules of what is hidden."""
        facts, recorded = self.work.remembered(self.action.key), recorded_of(self.work, self.action.key)
        rules = self.step.rules(self.taking)
        if hidden_otherwise(facts, recorded, rules) and not facts.get(PLACE):
            self._empty_shadow(replace(self.taking.table, name=self.name))
        choice = choice_of(at_target(self.taking.extract, self.taking.table, self.step.options.prefixes))
        self.work.remember({HIDDEN: rules, CHOSEN: choice})

    def _leaving(self, move: RangeMove) -> Leaving:
        return Leaving(move, left_behind(self.source, self.taking.extract))

    # -- the first time --------------------------------------------------------------------------------------------------

    def _is_there_already(self) -> bool:
        """Whether the table itself holds what was put in the shadow: a death came between swapping and its record."""
        recorded = recorded_of(self.work, self.action.key)
        there = self._there()
        if there is None or not recorded or any(one.fate not in ARRIVED for one in recorded.values()):
            return False
        place = at_target(self.taking.extract, there, self.step.options.prefixes)
        return all(self.target.checksum(place, among) == sums_of(one)[1] for among, one in recorded.items())

    def _is_found(self) -> bool:
        """Whether the table holds what would be put, though nothing is recorded of it; from now on it is."""
        there = self._there()
        if there is None or recorded_of(self.work, self.action.key):
            return False
        redaction = self.step.redaction(self.taking, self.source, hash_key(self.work, self.step.options))
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
        recorded = recorded_of(self.work, self.action.key)
        rows_each, _ = rows_at_once(self.taking.table, self.target.features)
        fresh = fresh_ranges(self.source, self.taking.extract, list(recorded), rows_each)
        left = left_behind(self.source, self.taking.extract).keys() != {
            one.key for one in left_before(self.work, self.action.key)
        }
        return left or bool(stale_in(self.source, self.taking.extract, recorded)) or any(True for _ in fresh)

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
        recorded = recorded_of(self.work, self.action.key)
        behind = sum(outcome.things for outcome in recorded.values() if outcome.fate not in ARRIVED)
        if behind:
            whole = sum(map(rows_in, recorded.values()))
            raise Misbehaved(
                f"{self.action.label}: {behind:,} of {whole:,} rows could not be moved, so the table is not put in its place.",
                remedy=f"See what is left behind, then run again: what is there is kept, in {SHADOW}{self.name} at the target; "
                "if nothing more is to be moved, drop that table.",
            )
        if not place:
            total, has = total_of(recorded), self.target.checksum(shadow, EVERYTHING)
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
            self.work.record(but_behind(recorded[among], among, one) for among, one in met.items())
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
            merged = self.work.remembered(action_key(table)).get(PLACE) == MERGED
            if merged and column in columns and table != self.taking.table.name:
                parent = self.step.taking(self.source, self.target, table)
                if parent.aside:
                    continue
                redaction = self.step.redaction(parent, self.source, hash_key(self.work, self.step.options))
                found.append((column, parent, key, redaction))
        return found

    def _refuse_without_parents(self) -> None:
        """Raises Refused where rows would come before those of the same plugin that they hang on."""
        if not self.target.features.merges:  # into a dump goes all that can
            return
        tables = by_name(self.source.tables())
        for stored in chosen(self.source, self.step.options):
            parts = {part.table: part for part in stored.tables if not part.aside}
            if self.taking.table.name not in parts:
                continue
            for name in self.taking.parents:
                if name not in parts or self.work.remembered(action_key(name)).get(PLACE):
                    continue
                taken = self.step.taking(self.source, self.target, name)
                if has_rows(self.source, tables, parts[name]) and self.source.count(taken.extract):
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
        recorded = recorded_of(self.work, self.action.key)
        held = self._held(place, recorded)
        self._tell_what_stays(place)
        rules = self.step.rules(self.taking)
        anew = hidden_otherwise(self.work.remembered(self.action.key), recorded, rules)
        self._tell_unsure(self._carry(place, held, anew=anew))
        if not anew or all(one.fate in ARRIVED for one in recorded_of(self.work, self.action.key).values()):
            self.work.remember({HIDDEN: rules})
        if all(one.fate in ARRIVED for one in recorded_of(self.work, self.action.key).values()):
            self.work.remember({CHOSEN: choice_of(place)})

    def _held(self, place: Extract, recorded: Mapping[KeyRange, Outcome]) -> dict[KeyRange, Checksum]:
        """What the target has of each range if nobody else has changed it; where the plan takes other rows now, of those that it takes."""
        held = {among: sums_of(one)[1] for among, one in recorded.items()}
        before = self.work.remembered(self.action.key).get(CHOSEN)
        if before is None or before == choice_of(place):
            return held
        return {among: self._rebased(chosen_so(before, place.table), place, among, put) for among, put in held.items()}

    def _rebased(self, old: Extract, place: Extract, among: KeyRange, put: Checksum) -> Checksum:
        """What a range of other rows must hold so that nobody else has changed it: all of them are among those that were put."""
        if self.target.checksum(place, among) == put or self.target.checksum(old, among) != put:
            return put
        before = {row for page in self.target.rows(old, among) for row in page}
        now = [row for page in self.target.rows(place, among) for row in page]
        return checksum_of(now) if before.issuperset(now) else put

    def _tell_what_stays(self, place: Extract) -> None:
        if stays := left_the_choice(self.work.remembered(self.action.key), place, self.target):
            text = (
                f"{self.action.label}: 1 row that the plan takes no more stays at the target"
                if stays == 1
                else f"{self.action.label}: {stays:,} rows that the plan takes no more stay at the target"
            )
            self.work.note(
                Finding("stays", Weight.WARNING, self.action.label, text, "Remove there what should not stay.")
            )

    # -- both --------------------------------------------------------------------------------------------------------------

    def _carry(
        self, place: Extract, held: Mapping[KeyRange, Checksum] | None = None, *, anew: bool = False
    ) -> RangeMove:
        extract, redaction = (
            self.taking.extract,
            self.step.redaction(self.taking, self.source, hash_key(self.work, self.step.options)),
        )
        recorded = recorded_of(self.work, self.action.key)
        move = RangeMove(self.source, self.target, extract, place, recorded, redaction, held, self.action.total.items)
        if not recorded and (without := without_date(self.taking, self.source)):
            text = f"{self.action.label}: {without}, since the plan names a time"
            remedy = "Move them with a step without since and older_than if they are wanted."
            self.work.note(Finding("undated", Weight.WARNING, self.action.label, text, remedy))
        self.work.resolve(move)
        recorded = recorded_of(self.work, self.action.key)
        stale = stale_in(self.source, extract, recorded)
        self.work.record(_reconsidered(recorded[among]) for among in stale)
        if anew:
            self.work.record(_reconsidered(one, HIDES_OTHERS) for among, one in recorded.items() if among not in stale)
        about = self.action.total.items
        move = RangeMove(self.source, self.target, extract, place, recorded, redaction, held, about, anew=anew)
        self.work.carry(self._leaving(move), LIMIT)
        self._tell_hidden(redaction, of_all=not recorded and total_of(recorded_of(self.work, self.action.key)).rows > 0)
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


def _reconsidered(outcome: Outcome, why: str = "changed at the source since it was moved") -> Outcome:
    note = outcome.note if outcome.fate is Fate.LEFT_BEHIND else why
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
        return but_behind(copied, among, rows)
    return partly(copied, Fate.FOUND, len(rows.of(Met.FOUND, Met.ELSEWHERE)))


def _kept(target: TableWriter, table: Table, redaction: Redaction, rows: Sequence[Row]) -> Sequence[Row]:
    """Rows as they are put."""
    return target.as_kept(table, redaction(rows))
