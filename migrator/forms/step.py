"""The `forms` step: what plugins keep of a site's form entries, table by table, from one database or dump into another.

A database is a subject, a table an action. A table is filled in the shadow, range by range, proven, and swapped; later runs bring what has
changed or come since into the table itself, as long as nobody else has changed the same rows there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from fnmatch import fnmatchcase
from functools import partial

from migrator.engine.contract import (
    ARRIVED,
    MB,
    Account,
    Action,
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
from migrator.errors import NotFound, Refused
from migrator.forms.beside import DOES, Beside
from migrator.forms.channels import Strange, strange_terms
from migrator.forms.contract import (
    FORMS,
    SHADOW,
    THE_DATABASE,
    KnowsDamage,
    KnowsRights,
    KnowsShadows,
    RemembersSource,
    SeesOneMoment,
    TableReader,
)
from migrator.forms.filling import HIDES_OTHERS, Filling
from migrator.forms.flat import zones_of
from migrator.forms.found import Found, Search
from migrator.forms.labels import labels_in
from migrator.forms.leaving import TOO_LARGE, left_before, left_rows, told, told_together
from migrator.forms.meeting import Foreseen, Meeting, Met, belong_to_others, foreseen, rows_naming, why_behind
from migrator.forms.model import (
    EVERYTHING,
    Checksum,
    Extract,
    Key,
    KeyRange,
    Paging,
    Row,
    Stored,
    Summed,
    Table,
    range_of,
)
from migrator.forms.moving import fresh_ranges, rows_at_once, rows_in, sums_of
from migrator.forms.options import FormsOptions
from migrator.forms.plugins.detect import chosen
from migrator.forms.redaction import Redaction, by_field, redaction_of
from migrator.forms.remap.book import TABLE as NUMBERS_TABLE
from migrator.forms.remap.moving import (
    GIVES,
    KEY,
    LANES,
    RENUMBERED,
    STAYS,
    followed,
    give_numbers,
    lacking,
    page_of,
    plan_numbers,
    road,
    table_at,
)
from migrator.forms.remap.sides import Sides
from migrator.forms.slips import absent, refuse_slips
from migrator.forms.standing import (
    BEHIND_CURE,
    COLUMNS,
    HASH_KEY,
    HIDDEN,
    ID_CURE,
    MERGED,
    MERGING,
    OTHERWISE,
    PLACE,
    SWAPPED,
    action_key,
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
from migrator.forms.taking import Taking, at_target, divided_for, renamed, takings
from migrator.forms.together import waiting
from migrator.frozen import dataclass

REMAP = "remap"  # what a plan says of `existing`
FOUND_OTHERWISE = (
    "was found at the target under its own numbers by an earlier run, which has put nothing there; leave `existing` as it was, or begin with "
    "a new state to have these rows put there once more under new ones"
)
DIVIDED_OTHERWISE = "the key of the source's table is another than when it was moved; move it anew with a new state, into a table that is empty"
HIDDEN_OTHERWISE = (
    "the plan hides other fields than when its rows were put beside others, where they stay as they are; leave `redact` as it was, or remove at "
    "the target what was put there and begin with a new state"
)
NAMED_OTHERWISE = "was put into another table of the target by an earlier run; leave `prefixes` as they were, or begin with a new state"
NOT_THERE = "was moved and is not at the target any more"
NOT_THERE_CURE = "move it anew with a new state, or bring it back there"
FORESEEN = "behind"  # names what a preview's action says of rows that will be left behind
ASIDE = "tells what entries mean and is the site's own, so no site is given it; name it in `tables` to have it moved all the same"
PLUGINS = "#plugins"  # ends the key of the action that tells what was found
PRESUMED_KEY = b"-"  # stands for it where hashed values are only counted
NO_ENTRIES = "no plugin keeps entries in this database, so nothing moves"
CURE_FOR_NO_ENTRIES = (
    "If there should be some, look at the plan's database; tables of other plugins are named in tables."
)
NO_TABLE = "the source has not one table that this login can see; correct its path, or its database, in the plan"
UNTIMED = "since and older_than do not hold for tables that the plan names in tables"
UNCOUNTED = Size()
PROBED = 1000  # rows read at once to see how fast the source is


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
            damaged = _damaged(source)
            if not (tables or damaged):
                yield _by_hand(action_key("*"), "tables", NO_TABLE, {})
                return
            found = chosen(source, self.options)
            wanted = self._wanted(source, tables, found)
            refuse_slips(tables, self.options)
            not_put = self._not_put(wanted, target)
            wanted = [one for one in wanted if one not in not_put]
            chosen_by_name = self.options.plugins or self.options.tables or self.options.no_plugins
            is_empty = not (chosen_by_name or wanted or any(not one.silent for one in found))
            told = Finding("no-entries", Weight.WARNING, subject.label, NO_ENTRIES, CURE_FOR_NO_ENTRIES)
            untimed = [_untimed(one.table.name) for one in wanted if self._is_untimed(one)]
            yield replace(_found(subject, tables, found, wanted), told=(*((told,) if is_empty else ()), *untimed))
            if source.features.chosen:
                yield from (Action(action_key(one.table.name), Verb.KEEP, one.table.name, ASIDE) for one in not_put)
            for pattern, why in absent(tables, found, self.options):
                yield Action(action_key(pattern), Verb.BY_HAND, pattern, why)
            there = {one.name: one for one in target.tables()}
            for name in damaged.keys() - {one.name for one in tables}:
                yield Action(action_key(name), Verb.BY_HAND, name, damaged[name])
            blocked = ""
            if self._renumbers:
                numbers = plan_numbers(subject, self._sides(source, target, wanted, found), read)
                blocked = "waits for what is told of forms" if numbers.verb is Verb.BY_HAND else ""
                yield numbers
            strange = None if self._renumbers else strange_terms(source, target, found, self.options.prefixes)
            divided = [self._divided(taking, wanted, target) for taking in wanted]
            broken = self._broken(divided, damaged, _damaged(target))
            look = _Look(source, target, there, read)
            actions = [
                self._held_up(taking, source, broken, strange) or self._action(taking, look) for taking in divided
            ]
            alone = self._renumbers or not target.features.merges  # into a dump goes all that can
            for action in actions if alone else self._together(divided, actions, found, source):
                if blocked and action.verb is not Verb.KEEP:
                    yield replace(action, verb=Verb.BY_HAND, why=f"{action.why}; {blocked}")
                    continue
                yield action
            yield from self._beside(PRESUMED_KEY).plan(source, target, read)

    def _broken(self, wanted: Sequence[Taking], here: Mapping[str, str], there: Mapping[str, str]) -> Mapping[str, str]:
        """What is damaged of the tables that are taken, at either side, by their names at the source."""
        names = {one.table.name: renamed(one.table.name, self.options.prefixes) for one in wanted}
        found = {name: here.get(name) or there.get(called, "") for name, called in names.items()}
        return {name: damage for name, damage in found.items() if damage}

    def _held_up(
        self, taking: Taking, source: TableReader, broken: Mapping[str, str], strange: Strange | None
    ) -> Action | None:
        """The action of a table that nobody can look into, or whose rows name what is not there; None for any other."""
        name = taking.table.name
        about = {"table": name, "name": renamed(name, self.options.prefixes)}
        if name in broken:
            return _by_hand(action_key(name), name, broken[name], about)
        if strange and not strange.told.isdisjoint(taking.plugins):
            return _by_hand(action_key(name), name, strange.why, about, Size(source.count(taking.extract)))
        return None

    def _together(
        self, wanted: Sequence[Taking], actions: Sequence[Action], found: Sequence[Stored], source: TableReader
    ) -> Iterator[Action]:
        """The same, but that nothing is moved of a plugin that lacks a table of its own."""
        planned = dict(zip([one.table.name for one in wanted], actions, strict=True))
        stuck = [name for name, one in planned.items() if one.verb is Verb.BY_HAND]
        waits_for = waiting(stuck, found, partial(has_rows, source, by_name(source.tables()))) if stuck else {}
        for name, one in planned.items():
            if name in waits_for and one.verb is Verb.COPY:
                why = f"{one.why}; waits, because {waits_for[name]} of the same entries cannot be moved"
                yield _by_hand(one.key, one.label, why, one.data, one.total)
            else:
                yield one

    def _wanted(self, source: TableReader, tables: Sequence[Table], found: Sequence[Stored]) -> list[Taking]:
        """What is taken of a source. Of one that holds only what was chosen before, all of it, where the plan does not choose anew."""
        options = self.options
        chooses = options.plugins or options.no_plugins or options.tables or options.is_timed
        if source.features.chosen and not chooses:
            options = options.model_copy(update={"tables": ("*",)})
        wanted = takings(tables, found, options, zones_of(source, found) if options.is_timed else {})
        return [one for one in wanted if not self._stays_aside(one)] if self._renumbers else wanted

    def _stays_aside(self, taking: Taking) -> bool:
        return taking.aside and not any(fnmatchcase(taking.table.name, one) for one in self.options.tables)

    def _is_untimed(self, taking: Taking) -> bool:
        """Whether the plan wants entries of some time, and this table whole because it names it."""
        named = any(fnmatchcase(taking.table.name, one) for one in self.options.tables)
        return self.options.is_timed and named

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

    def _action(self, taking: Taking, look: _Look) -> Action:
        source, target, read = look.source, look.target, look.read
        table, key = taking.table, action_key(taking.table.name)
        name = renamed(table.name, self.options.prefixes)
        label = table.name if name == table.name else f"{table.name} -> {name}"
        _, width = rows_at_once(table, target.features)
        count, left = source.count(taking.extract), left_rows(source, table)
        total = Size(count + len(left), width * count + sum(one.size for one in left))
        data = {"table": table.name, "name": name}
        facts, recorded = self._known(taking, read)
        if otherwise := self.otherwise(facts, taking, recorded):
            return _by_hand(key, label, otherwise, data, total)
        there = look.there.get(name)
        if facts.get(PLACE) and recorded and there is None:
            return _by_hand(key, label, f"{NOT_THERE}; {NOT_THERE_CURE}", data, total)
        stands = self._stands(taking, there, look)
        if not (count or stands.recorded or left or taking.extract.is_whole):
            nothing = "; ".join(filter(None, (f"no rows of {', '.join(taking.plugins)}", without_date(taking, source))))
            return Action(key, Verb.KEEP, label, nothing, details=_details(taking))
        to_do = stands.lacks or bool(left or left_before(read, key))
        refusal, meets, behind = "", "", ""
        if to_do and not stands.found and not self._came_unrecorded(taking, there, target, stands.recorded):
            ranges = [*stands.recorded, *stands.fresh]
            refusal, meets, behind = self._in_the_way(taking, there, look, ranges)
        work = stands.remaining(count)
        why = self._why(taking, source, count, (stands.told(work), told_together(left), meets))
        if refusal:
            return _by_hand(key, label, f"{why}; {refusal}", data, total)
        return Action(
            key,
            Verb.COPY if to_do else Verb.KEEP,
            label,
            why,
            size=Size(work.rows, width * work.rows),
            total=total,
            lanes=LANES,
            after=(*((KEY,) if self._renumbers else ()), *(action_key(parent) for parent in taking.parents)),
            data=data | ({FORESEEN: behind} if behind else {}),
            details=(*_details(taking), *(f"! left behind: {told(one, taking.extract)}" for one in left)),
        )

    def _stands(self, taking: Taking, there: Table | None, look: _Look) -> _Stands:
        """How a table stands: what is on record, or what a lost state has put, and what of it is to be done."""
        source, target, read = look.source, look.target, look.read
        facts, recorded = self._known(taking, read)
        if recorded and not self.goes_on(facts, taking.table, recorded):
            recorded = {}
        anew = hidden_otherwise(facts, recorded, self.rules(taking))
        if anew and not (_placed(facts, recorded) or self._came_unrecorded(taking, there, target, recorded)):
            anew, recorded = False, {}  # the shadow is filled once more
        found = None
        if there is not None and not (recorded or facts.get(PLACE) or self._renumbers):
            at = at_target(taking.extract, there, self.options.prefixes)
            hashed = self.redaction(taking, source, _known_hash_key(read))
            found = Search(source, target, taking.extract, at, hashed).found()
        if found:
            recorded = {range_of(one.key): one for one in found.outcomes}
            stale = {among: sums_of(one)[0] for among, one in recorded.items() if one.fate not in ARRIVED}
        elif anew and facts.get(PLACE) != MERGED:
            stale = {among: source.checksum(taking.extract, among) for among in recorded}
        else:
            anew, stale = False, stale_in(source, taking.extract, recorded)
        rows_each, _ = rows_at_once(taking.table, target.features)
        fresh = list(fresh_ranges(source, taking.extract, list(recorded), rows_each))
        stays = 0
        if there is not None and facts.get(PLACE) == SWAPPED:
            stays = left_the_choice(facts, at_target(taking.extract, there, self.options.prefixes), target)
        merging = bool(facts.get(MERGING))
        return _Stands(recorded, stale, fresh, found, facts.get(PLACE, ""), merging=merging, anew=anew, stays=stays)

    def _known(self, taking: Taking, read: Reading) -> tuple[Mapping[str, str], Mapping[KeyRange, Outcome]]:
        """What is known of a table and its ranges; nothing where that is of another table at the target."""
        key, name = action_key(taking.table.name), renamed(taking.table.name, self.options.prefixes)
        facts = read.remembered(key)
        if is_elsewhere(facts, name) and not self._renumbers and facts.get(PLACE) != RENUMBERED:
            return {}, {}
        return facts, recorded_of(read, key)

    def _why(self, taking: Taking, source: TableReader, count: int, more: tuple[str, str, str]) -> str:
        """What is told of a table: how many rows, what is to do of them, what is changed on the way, and what they meet."""
        to_do, left, meets = more
        redaction = self.redaction(taking, source)
        rows = f"{count:,} {'row' if count == 1 else 'rows'}"
        parts = (
            f"{rows} of {', '.join(taking.plugins)}" if taking.plugins else rows,
            without_date(taking, source),
            UNTIMED if self._is_untimed(taking) else "",
            to_do,
            _divided(taking.table),
            f"changed on the way: {redaction.told}" if redaction else "",
            left,
            meets,
        )
        return "; ".join(filter(None, parts))

    def rules(self, taking: Taking) -> str:
        """What the plan leaves out of a table, in words that change when it does."""
        joined_by = [column for column, _, _ in taking.references]
        return ", ".join(
            sorted(word for _, word, _ in redaction_of(taking.table, self.options.redact, joined_by).rules)
        )

    def otherwise(self, facts: Mapping[str, str], taking: Taking, recorded: Mapping[KeyRange, Outcome]) -> str:
        """Why what earlier runs have put at the target cannot be gone on with as the plan is now; "" if it can, or if nothing is there."""
        table, place = taking.table, _placed(facts, recorded)
        if is_elsewhere(facts, renamed(table.name, self.options.prefixes)):
            return NAMED_OTHERWISE if place == RENUMBERED or self._renumbers else ""
        if place and self._renumbers != (place == RENUMBERED):
            only_found = place == SWAPPED and all(one.fate is Fate.FOUND for one in recorded.values())
            return FOUND_OTHERWISE if only_found else OTHERWISE
        if place and not _divides(table, recorded):
            return DIVIDED_OTHERWISE
        beside = place in {MERGED, RENUMBERED} and HIDDEN in facts
        return HIDDEN_OTHERWISE if beside and hidden_otherwise(facts, recorded, self.rules(taking)) else ""

    def goes_on(self, facts: Mapping[str, str], table: Table, recorded: Mapping[KeyRange, Outcome]) -> bool:
        """Whether what was recorded is gone on with. What only the shadow has is nothing to rows that get new numbers."""
        return _divides(table, recorded) and not (self._renumbers and not _placed(facts, recorded))

    def _came_unrecorded(
        self, taking: Taking, there: Table | None, target: TableReader, recorded: Mapping[KeyRange, Outcome]
    ) -> bool:
        """Whether the table itself has what was put in the shadow: a death came between swapping and its record."""
        total = total_of(recorded)
        if there is None or not total.rows:
            return False
        return target.checksum(at_target(taking.extract, there, self.options.prefixes), EVERYTHING) == total

    def _in_the_way(
        self, taking: Taking, there: Table | None, look: _Look, ranges: Sequence[KeyRange]
    ) -> tuple[str, str, str]:
        """Why a table at the target cannot be filled as the plan is now ("" if it can), what is told of rows that are there
        already, and of those that will be left behind.
        """
        facts, _ = self._known(taking, look.read)
        if facts.get(PLACE) or facts.get(MERGING) or self._renumbers:
            return "", "", ""
        rows = look.target.count(Extract(there)) if there else 0
        if not (rows and there):
            return self._meets(taking, None, look, ranges)
        has = f"the target has {rows:,} {'row' if rows == 1 else 'rows'} in {there.name}"
        if not look.target.features.merges:
            return (
                f"{has}, and rows cannot be put beside them there; name another folder in the plan, or move that one away",
                "",
                "",
            )
        if self.options.existing == "refuse":
            return f"{has}; say in `existing` what is to become of them (keep-ids, skip-existing, remap)", "", ""
        return self._meets(taking, there, look, ranges)

    def _meets(
        self, taking: Taking, there: Table | None, look: _Look, ranges: Sequence[KeyRange]
    ) -> tuple[str, str, str]:
        """The same of rows that are put beside others, or where there are none yet."""
        if not look.target.features.exact:  # what it makes of our rows is only known when they are put
            return "", "", ""
        met = Foreseen()
        if there is not None:
            redaction = self.redaction(taking, look.source, _known_hash_key(look.read))
            identity = "" if self.options.existing == "keep-ids" else taking.identity
            meeting = Meeting(taking.table, there, look.target, identity)
            try:
                met = foreseen(meeting, look.source, taking.extract, ranges, redaction)
            except Refused as error:  # a table of other columns is one action's trouble
                return f"{error} {error.remedy}".removesuffix("."), "", ""
        if met.taken and self.options.existing == "keep-ids":
            return f"{belong_to_others(met.taken)}. {ID_CURE}", "", ""
        hanging = look.hanging(taking, met.taken)
        left = look.left[taking.table.name] = [*met.taken, *hanging]
        found = f"{met.found:,} of them {'is' if met.found == 1 else 'are'} there already" if met.found else ""
        behind = f"{len(left):,} of them will be left behind" if left else ""
        return "", "; ".join(filter(None, (found, behind))), why_behind(met.taken, hanging)

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
            yield Finding(refusal.code, Weight.WARNING, subject.label, str(refusal), refusal.remedy)
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
            self._beside(hash_key(work, self.options)).apply(action, work)
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
            filling = Filling(action, taking, action.data["name"], self, source, target, work)
            if self._renumbers:
                filling.put_beside(self._both(source, target))
            else:
                filling.fill()

    def _both(self, source: TableReader, target: TableReader) -> Sides:
        found = chosen(source, self.options)
        return self._sides(source, target, self._wanted(source, source.tables(), found), found)

    def taking(self, source: TableReader, target: TableReader, table: str) -> Taking:
        """What is taken of a table of the source now. Raises NotFound."""
        wanted = self._wanted(source, source.tables(), chosen(source, self.options))
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
        facts = read.remembered(action.key)
        if not facts.get(PLACE) or (is_elsewhere(facts, action.data["name"]) and facts[PLACE] != RENUMBERED):
            yield _differs(action, "not-moved", "has not been moved")
            return
        with read.source(FORMS, THE_DATABASE) as source, read.target(FORMS, THE_DATABASE) as target:
            taking = self.taking(source, target, action.data["table"])
            for left in left_rows(source, taking.table):
                yield _differs(action, "left-behind", told(left, taking.extract), TOO_LARGE)
            there = next((one for one in target.tables() if one.name == action.data["name"]), None)
            if there is None:
                yield _differs(action, "missing", f"{NOT_THERE}; {NOT_THERE_CURE}")
                return
            recorded = recorded_of(read, action.key)
            if otherwise := self.otherwise(facts, taking, recorded):
                yield _differs(action, "moved-otherwise", otherwise, "Correct the plan.")
                return
            if facts[PLACE] == SWAPPED and hidden_otherwise(facts, recorded, self.rules(taking)):
                yield _differs(action, "hidden-otherwise", HIDES_OTHERS)
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
        redaction = self.redaction(taking, sides.source, hash_key(read, self.options))
        recorded = recorded_of(read, action.key)
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
                text = (
                    f"{among.label}: 1 row is not at the target as it was put there, or another is"
                    if gone == 1
                    else f"{among.label}: {gone:,} rows are not at the target as they were put there, or others are"
                )
                yield _differs(action, "differs", text, "If nobody changed them on purpose, copy them by hand.")
        rows_each, _ = rows_at_once(taking.table, sides.target.features)
        for among in fresh_ranges(sides.source, taking.extract, list(recorded), rows_each):
            yield _differs(action, "not-moved", f"{among.label}: rows have come at the source since")

    def _compared(
        self, action: Action, taking: Taking, place: Extract, source: TableReader, target: TableReader, read: Reading
    ) -> Iterator[Finding]:
        """Range by range: the source now with what was recorded of it, the target now with what was put there."""
        recorded = recorded_of(read, action.key)
        beside = read.remembered(action.key).get(PLACE) == MERGED
        redaction = self.redaction(taking, source, hash_key(read, self.options)) if beside else Redaction()
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
                    f"{among.label}: 1 row that was put beside the target's is not there as it was put"
                    if lacking == 1
                    else f"{among.label}: {lacking:,} rows that were put beside the target's are not there as they were put",
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


def _known_hash_key(read: Reading) -> bytes:
    """The same by reading only. Where it was not made yet there is nothing of its making at the target, and any other finds that as well."""
    known = read.strongbox.get(HASH_KEY)
    return known.get_secret_value().encode() if known else PRESUMED_KEY


# -- pure ------------------------------------------------------------------------------------------------------------------


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
class _Look:
    """Both sides as a planning sees them, the tables there by name, what is on record; and `left`, of each table planned so far, the ids of those
    rows of ours that will not be there.
    """

    source: TableReader
    target: TableReader
    there: Mapping[str, Table]
    read: Reading
    left: dict[str, list[Key]] = field(default_factory=dict)

    def hanging(self, taking: Taking, taken: Sequence[Key]) -> list[Key]:
        """The ids of rows that name one of those, but for rows that are `taken` themselves."""
        columns = {one.name for one in taking.table.columns}
        found: dict[Row, Key] = {}
        for column, table, _ in taking.references:
            ids = [key[0] for key in self.left.get(table, ()) if len(key) == 1]
            if ids and column in columns and table != taking.table.name:
                for page in rows_naming(self.source, taking.extract, column, ids):
                    found |= {row: taking.table.key_of(row) for row in page}
        others = set(taken)
        return [key for key in found.values() if key not in others]


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
            f"{self.new:,} new {'row' if self.new == 1 else 'rows'}" if self.new else "",
            f"{self.changed:,} looked at again because some of them have changed" if self.changed else "",
            f"{self.behind:,} left behind before" if self.behind else "",
        )
        return ", ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class _Stands:
    """How a table stands: its ranges on record, those of them that have changed or never arrived, those that no run has recorded, what of it was
    found at the target by a run without a state, and where its rows are.
    """

    recorded: Mapping[KeyRange, Outcome]
    stale: Mapping[KeyRange, Checksum]
    fresh: Sequence[KeyRange]
    found: Found | None
    place: str
    merging: bool
    anew: bool
    stays: int

    @property
    def lacks(self) -> bool:
        """Whether something is to be done."""
        return bool(self.stale or self.fresh or self.merging or not self.place)

    def remaining(self, count: int) -> _Remaining:
        """How much that is, of a table that has so many rows."""
        return _Remaining.of(count, self.recorded, self.stale, self.fresh)

    def told(self, work: _Remaining) -> str:
        """The same in words; "" for a table that nothing is known of."""
        if not self.recorded:
            return ""
        stays = "row that the plan takes no more stays" if self.stays == 1 else "rows that the plan takes no more stay"
        return "; ".join(
            filter(None, (self._to_do(work), f"{self.stays:,} {stays} at the target" if self.stays else ""))
        )

    def _to_do(self, work: _Remaining) -> str:
        if self.anew:
            fresh = f"{work.new:,} new {'row' if work.new == 1 else 'rows'}, " if work.new else ""
            return f"{fresh}{work.changed + work.behind:,} to be put anew because the plan hides other fields than when they were put"
        return _of_lost(self.found) if self.found else work.told("" if self.merging else self.place)


def _of_lost(found: Found) -> str:
    """What is to do of a table that is there, and of which nothing is recorded."""
    to_do = sum(one.fate not in ARRIVED for one in found.outcomes)
    there = (
        "1 of them is at the target already as it would be put"
        if found.rows == 1
        else f"{found.rows:,} of them are at the target already as they would be put"
    )
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


def _untimed(name: str) -> Finding:
    return Finding(
        "untimed",
        Weight.WARNING,
        name,
        f"{name}: {UNTIMED}",
        "Choose its rows with `where`, or move it in a step of its own.",
    )


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
