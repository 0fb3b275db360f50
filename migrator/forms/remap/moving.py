"""Tables beside others with new numbers (`existing: remap`): what a preview tells of it, how ranges go, how they are proven.

What surprises: since the numbers of a range are a range of numbers at the target, and nobody else's, a range is found there again without its
rows being remembered. So what a death or a lost state has left is seen, and a second run adds nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from typing import Final

from migrator.engine.contract import (
    Action,
    Fate,
    Finding,
    Intended,
    Item,
    Lane,
    Loaded,
    Outcome,
    Reading,
    Side,
    Subject,
    Verb,
    Weight,
    Work,
)
from migrator.errors import Refused
from migrator.forms.answers import text_of
from migrator.forms.contract import SHADOW, THE_DATABASE, PutsBeside, TableReader, TableWriter
from migrator.forms.fields import Field
from migrator.forms.fitting import Fitting
from migrator.forms.model import (
    EVERYTHING,
    Checksum,
    Condition,
    Extract,
    Keyed,
    KeyRange,
    Operator,
    Paging,
    Row,
    Stored,
    Table,
    checksum_of,
)
from migrator.forms.moving import (
    MOST_ROWS,
    SIDES,
    RangeMove,
    Rows,
    fresh_items,
    fresh_ranges,
    known_items,
    partly,
    rows_at_once,
    without,
)
from migrator.forms.plugins.detect import by_word
from migrator.forms.redaction import Redaction
from migrator.forms.remap import book
from migrator.forms.remap.deciding import Matched, decide
from migrator.forms.remap.giving import give, unnumbered, wishes
from migrator.forms.remap.matching import Match
from migrator.forms.remap.numbers import FieldKeys, Numbers, image
from migrator.forms.remap.recognising import known_again
from migrator.forms.remap.rewriting import Rewriting, Rewritten, Taken
from migrator.forms.remap.sides import Sides, key_of, own_number, rows_of
from migrator.forms.taking import Taking, renamed
from migrator.frozen import dataclass

NUMBERS: Final = "#numbers"  # ends the key of the action that gives numbers
ORIGIN: Final = "origin"  # a fact of it: the name under which the target knows the source
WRITTEN: Final = "written"  # another: whether anything was written down there
GIVES: Final = "numbers"  # in its data
TAKEN: Final = "taken"  # a fact of a table
STAYS: Final = "its answers stay with their entries"
GONE: Final = f"the target's table {SHADOW}{book.TABLE.name} is gone, and with it which ids were given"
PUT_BACK: Final = "Put it back out of a backup; with a new state, everything would be put once more under new ids."
UNSURE: Final = (
    f"the target's table {SHADOW}{book.TABLE.name} speaks of a source whose database has this one's name, and nothing there tells whether it is "
    "the same"
)
SURE: Final = (
    "If it is, run with the state of the earlier run. If it is another site, give its lines another origin there; that other site goes on with a "
    "new state, and is known again by its entries."
)
RENUMBERED: Final = "renumbered"  # where rows are that went with new numbers
CURE: Final = "Make what is missing at the target, or name its counterpart in the plan (forms), then run again."
CURE_OF_OTHERS: Final = "Look at both; delete at the target what is not to stay there, then run again."
LANES: Final = (Lane(Side.SOURCE, THE_DATABASE), Lane(Side.TARGET, THE_DATABASE))
KEY: Final = f"{THE_DATABASE}{NUMBERS}"

# -- the action that gives numbers -------------------------------------------------------------------------------------------


def plan_numbers(subject: Subject, sides: Sides, read: Reading) -> Action:
    """What would become of forms and numbers, told as a table."""
    key = f"{subject.key}{NUMBERS}"
    if not sides.target.features.merges:
        return Action(
            key, Verb.BY_HAND, "forms", "rows cannot be put beside others at this target; leave `existing` out"
        )
    numbering = decide(sides, read.remembered(key).get(ORIGIN, ""))
    if not numbering.origin:
        return Action(key, Verb.BY_HAND, "forms", f"{UNSURE}. {SURE}")
    if _is_gone(numbering.written, read, key):
        return Action(key, Verb.BY_HAND, "forms", f"{GONE}. {PUT_BACK}")
    details = tuple(_table(numbering.plugins))
    if any(one.rivals for one in numbering.plugins):
        why = "several forms of the target may be meant; say which in `forms: {map: ...}`"
        return Action(key, Verb.BY_HAND, "forms", why, details=details)
    fresh = list(unnumbered(sides, numbering))
    to_do = bool(fresh or wishes(sides, numbering)) or numbering.page != numbering.written
    why = _counts(numbering.plugins)
    known_there, everybody = numbering.people
    if everybody:
        why += f"; {known_there:,} of {everybody:,} users are known there by their address"
    if fresh:
        why += f"; rows of {len(fresh):,} {'table' if len(fresh) == 1 else 'tables'} get numbers at the target"
    verb = Verb.CREATE if to_do else Verb.KEEP
    return Action(key, verb, "forms", why, lanes=LANES, data={GIVES: ""}, details=details)


def give_numbers(action: Action, sides: Sides, target: TableWriter, work: Work) -> None:
    """Do it. Raises Refused where the plan has to say more first."""
    numbering = decide(sides, work.remembered(action.key).get(ORIGIN, ""))
    if not numbering.origin:
        raise Refused(f"forms: {UNSURE}.", remedy=SURE)
    if _is_gone(numbering.written, work, action.key):
        raise Refused(f"forms: {GONE}.", remedy=PUT_BACK)
    if any(one.rivals for one in numbering.plugins):
        raise Refused("several forms of the target may be meant.", remedy="Say which in `forms: {map: ...}`.")
    given = give(sides, target, numbering)
    work.remember({ORIGIN: given.origin, WRITTEN: "yes" if given.page != book.Page() else ""})
    work.note(Finding("forms-matched", Weight.NOTE, action.label, f"{action.label}: {_counts(numbering.plugins)}"))


def _is_gone(written: book.Page, read: Reading, key: str) -> bool:
    """Whether an earlier run has written down numbers that are not there now."""
    return bool(read.remembered(key).get(WRITTEN)) and written == book.Page()


def _counts(plugins: Sequence[Matched]) -> str:
    matched = sum(one.target is not None for plugin in plugins for one in plugin.matches)
    along = sum(one.target is None for plugin in plugins for one in plugin.matches if plugin.comes_along)
    parts = [f"{matched:,} {'form has' if matched == 1 else 'forms have'} a counterpart at the target"]
    if along:
        parts.append(f"{along:,} {'comes' if along == 1 else 'come'} along")
    return ", ".join(parts)


def _table(plugins: Sequence[Matched]) -> Iterator[str]:
    rows = [line for plugin in plugins for one in plugin.matches for line in _lines(plugin, one)]
    width = max((len(left) for _, left, _ in rows), default=0)
    for sign, left, right in rows:
        yield f"{sign} {left:{width}} -> {right}"


def _lines(plugin: Matched, one: Match) -> Iterator[tuple[str, str, str]]:
    left = f"{plugin.title}: {one.source.shown}"
    if one.rivals:
        yield "!", left, f"{' or '.join(rival.shown for rival in one.rivals)}? Say which in forms.map"
        return
    if one.target is None:
        yield (
            ("+", left, "comes along as a new form")
            if plugin.comes_along
            else ("!", left, "the target has no such form")
        )
        return
    yield "=", left, f"{one.target.shown}, {one.how}"
    mine, theirs, keys = plugin.fields.get(one.source.key, ((), (), FieldKeys()))
    labels = {each.key: each for each in theirs}
    for each in mine:
        into = keys.of(each.key)
        if into is None:
            yield "!", f"  field {_shown(each)}", "no counterpart: its answers are left behind"
        elif into in labels:
            yield "=", f"  field {_shown(each)}", _shown(labels[into])
        else:
            yield (
                "!",
                f"  field {_shown(each)}",
                f"no counterpart: {STAYS}, as field {into}",
            )


def _shown(one: Field) -> str:
    return f"{one.label or 'without a label'} ({one.key})"


# -- one table -----------------------------------------------------------------------------------------------------------------


def followed(taking: Taking, takings: Sequence[Taking]) -> Taking:
    """A taking as it is divided when its rows get new numbers: rows that have none of their own by those of what they hang on."""
    table = taking.table
    if len(table.page_by) < 2 or _followed_place(taking, takings) is None:  # noqa: PLR2004 - a key of several columns
        return taking
    divided = replace(table, paging=Paging.INDEX, page_by=table.page_by[:1])
    return replace(taking, extract=replace(taking.extract, table=divided))


def _followed_place(taking: Taking, takings: Sequence[Taking]) -> book.Place | None:
    """Whose numbers its ranges follow: its own, or those of what its key begins with; None where it is not divided by such."""
    if not taking.table.page_by:
        return None
    first = taking.table.page_by[0]
    own = {(one.table.name, own_number(one)) for one in takings}
    if (taking.table.name, first) in own:
        return (taking.table.name, first)
    return next(
        ((table, key) for column, table, key in taking.references if column == first and (table, key) in own), None
    )


@dataclass(frozen=True, slots=True)
class Road:
    """How the rows of one table go: what is done to them, whose numbers its ranges follow (None: they are put by what they say)."""

    taking: Taking
    there: Table
    rewriting: Rewriting
    fitting: Fitting
    follows: Numbers | None
    entries: Mapping[Keyed, tuple[Table, str, str]]  # where the form of an entry stands: table, key, column

    def place(self, among: KeyRange, rows: Sequence[Row]) -> tuple[Extract, KeyRange] | None:
        """Where a range is at the target, or where these rows would be; None for those that have come too late to have numbers."""
        whole = Extract(self.there)
        if self.follows is not None:
            at = image(self.follows, among)
            return (whole, at) if at is not None else None
        if not self.found_by or not rows:
            return replace(
                whole, conditions=() if rows else (Condition(self.there.columns[0].name, Operator.IN, ()),)
            ), EVERYTHING
        values = tuple(dict.fromkeys(row[self.there.place(self.found_by)] for row in rows))
        return replace(whole, conditions=(Condition(self.found_by, Operator.IN, values),)), EVERYTHING

    @property
    def found_by(self) -> str:
        """A column by which rows of the target are found that may be these."""
        key = key_of(self.taking.table)
        named = [column for column, _ in self.rewriting.references]
        return next(iter((*key, *named) if len(key) == 1 else (*named, *key)), "")

    def fresh(self, source: TableReader, recorded: Sequence[KeyRange], rows: int) -> Iterator[KeyRange]:
        """The ranges that no run has recorded, each within one stretch of numbers; rows that have no numbers yet are in none."""
        if self.follows is None:
            yield from fresh_ranges(source, self.taking.extract, recorded, rows)
            return
        at = recorded[-1].upto if recorded else None
        before = 0  # where the stretch before this one ends
        for stretch in self.follows.stretches:
            below = Condition(self.taking.table.page_by[0], Operator.BELOW, (str(stretch.upto + 1),))
            inside = replace(self.taking.extract, conditions=(*self.taking.extract.conditions, below))
            for among in source.ranges(inside, at, rows):
                if (int(text_of(at[0])) if at else 0) < before:
                    # Nothing is there now; what comes to light has another place than what lies in this stretch.
                    yield KeyRange(at, (str(before),))
                    at = (str(before),)
                yield KeyRange(at, among.upto)
                at = among.upto
            before = stretch.upto

    def rows(self, rows: Sequence[Row], redaction: Redaction, source: TableReader) -> Rewritten:
        """Rows as the target is to have them. What the plan hides is named by the source's own forms and fields, so it is hidden first."""
        found = self.rewriting(redaction(rows), lambda keyed, ids: self._forms(keyed, ids, source))
        found.rows = list(self.fitting(found.rows))
        return found

    def _forms(self, keyed: Keyed, ids: Sequence[str], source: TableReader) -> Mapping[str, str]:
        if keyed not in self.entries or not ids:
            return {}
        table, key, column = self.entries[keyed]
        wanted = Extract(table, (Condition(key, Operator.IN, tuple(ids)),))
        return {
            text_of(row[table.place(key)]): text_of(row[table.place(column)])
            for page in source.rows(wanted, EVERYTHING)
            for row in page
        }


def road(
    taking: Taking,
    takings: Sequence[Taking],
    stored: Sequence[Stored],
    there: Table,
    page: book.Page,
    taken: Taken = MappingProxyType({}),
) -> Road:
    """How a table goes to a target that knows the source by this page. Raises Refused where it cannot."""
    if not there.steady:
        raise Refused(
            f"{there.name}: the target's table has no transactions ({there.engine}), so rows cannot be put beside others safely.",
            remedy=f"Let it be made one of InnoDB there (ALTER TABLE {there.name} ENGINE=InnoDB), then run again.",
        )
    table = taking.table
    columns = {one.name for one in table.columns}
    place = _followed_place(taking, takings)
    if place:
        there = replace(there, paging=table.paging, page_by=table.page_by)
    rewriting = Rewriting(
        table,
        page.numbers,
        own_number(taking),
        tuple((column, (to, key)) for column, to, key in taking.references if column in columns),
        frozenset(taking.describes),
        tuple(one for one in taking.links if {one.column, one.only[0]} - {""} <= columns),
        tuple(one for one in taking.keyed if {one.column, one.form, one.entry} - {""} <= columns),
        {form: keys for (of, form), keys in page.fields.items() if of == table.name},
        taken,
    )
    follows = page.numbers.get(place, Numbers()) if place else None
    return Road(taking, there, rewriting, Fitting.of(table, there), follows, _entries(taking, takings, stored))


def _entries(
    taking: Taking, takings: Sequence[Taking], stored: Sequence[Stored]
) -> dict[Keyed, tuple[Table, str, str]]:
    """Where the forms of entries stand, for what does not say them itself."""
    tables = {one.table.name: one.table for one in takings}
    found: dict[Keyed, tuple[Table, str, str]] = {}
    for one in stored:
        part = next((part for part in one.tables if part.table == taking.table.name and part.keyed), None)
        view = by_word(one.plugin).view if part else None
        for keyed in part.keyed if part and view else ():
            to = next((ref for ref in part.references if ref.column == keyed.entry), None) if part else None
            if to is not None and to.table in tables and view is not None:
                found[keyed] = (tables[to.table], to.key, view.form)
    return found


@dataclass(slots=True)
class NumberedMove(RangeMove):
    """Carries the ranges of one table to where its numbers are at the target. `left` says what of a range has no place there, how many rows
    that are, and how many the target has already; `taken` are numbers of ours that strangers have there.
    """

    road: Road = field(kw_only=True)
    redacted: Redaction = field(kw_only=True)
    left: dict[str, tuple[str, int, int]] = field(default_factory=dict, kw_only=True)
    stayed: Counter[str] = field(default_factory=Counter, kw_only=True)
    taken: set[str] = field(default_factory=set, kw_only=True)
    _newest: Rewritten = field(default_factory=Rewritten, kw_only=True)

    def __post_init__(self) -> None:
        self.redaction = self._rewritten

    def items(self) -> Iterator[Item]:
        rows, width = rows_at_once(self.extract.table, self.target.features)
        fresh = self.road.fresh(self.source, list(self.known), rows)
        yield from known_items(self.known)
        yield from fresh_items(self.known, fresh, min(rows, MOST_ROWS), width, self.about)

    def _rewritten(self, rows: Sequence[Row]) -> Sequence[Row]:
        self._newest = self.road.rows(rows, self.redacted, self.source)
        return self._newest.rows

    def _load(self, item: Item) -> Loaded[Rows] | Outcome:
        loaded = super(NumberedMove, self)._load(item)  # noqa: UP008 - slots make another class of this one
        newest = self._newest
        self.left[item.key] = newest.note, sum(newest.left.values()), newest.there
        self.stayed.update(self._newest.stayed)
        return loaded

    def _put(self, loaded: Loaded[Rows]) -> Outcome:
        bundle = loaded.content
        at = self.road.place(bundle.among, bundle.rows)
        if at is None:
            return self._behind(loaded, "its rows have come too late to have numbers", "Run again.")
        place, among = at
        there = list(rows_of(self.target, place, among))
        wanted, said, others = self._wanted(bundle, there)
        changes = Counter(wanted) != Counter(there)
        if changes:
            held = self._held(bundle.among)
            try:
                self.target.load(place, among, wanted, checksum_of(there) if held is None else held)
            except Refused:  # perhaps because somebody came meanwhile
                self._clashes(bundle.rows, list(rows_of(self.target, place, among)))
                raise
        now = self.target.checksum(place, among)
        if now != checksum_of(wanted):
            words = f"{len(wanted):,} rows were put, and the target has {now.rows:,} or others"
            return self._behind(loaded, words, "Run again; if it stays so, the target changes what it is given.")
        left, rows, found = self.left.get(loaded.key, ("", 0, 0))
        # Without a digest the next run does not take for ours what is there.
        digest = "" if others else f"{bundle.source}{SIDES}{now if self.road.follows is not None else bundle.target}"
        if left or others:
            words = "; ".join(filter(None, (left, said, "the others are there")))
            behind = self._behind(loaded, words, CURE if left else CURE_OF_OTHERS)
            return replace(partly(behind, Fate.LEFT_BEHIND, rows + others), digest=digest)
        note = "; ".join(filter(None, (bundle.note, said)))
        copied = Outcome(
            loaded.key,
            Fate.COPIED,
            size=loaded.size,
            digest=digest,
            note=note,
            about=bundle.about,
            things=loaded.things,
        )
        if bundle.altered:
            return partly(copied, Fate.NORMALISED, min(loaded.things, bundle.altered))
        return partly(copied, Fate.FOUND, found if changes else loaded.things)

    def _behind(self, loaded: Loaded[Rows], words: str, cure: str) -> Outcome:
        note = f"{loaded.content.among.label}: {words}"
        return Outcome(loaded.key, Fate.LEFT_BEHIND, size=loaded.size, note=note, cure=cure, things=loaded.things)

    def _held(self, among: KeyRange) -> Checksum | None:
        """What an earlier run has put where nobody else puts anything; None where that is not known."""
        return self.held.get(among) if self.held and self.road.follows is not None else None

    def _wanted(self, bundle: Rows, there: Sequence[Row]) -> tuple[list[Row], str, int]:
        """What the target is to have where these rows are, what has to be told of it, and how many say something else there."""
        ours, has = bundle.rows, Counter(there)
        if self._held(bundle.among) is not None:
            stays = without(self.place.table, self.place.table, there, ours)
            several = f"{len(stays):,} rows that are gone from the source stay at the target" if stays else ""
            told = "1 row that is gone from the source stays at the target" if len(stays) == 1 else several
            return [*ours, *stays], told, 0
        missing = list((Counter(ours) - has).elements())
        if self.place.table.paging is not Paging.KEY:
            return [*there, *missing], "", 0
        clashes = self._clashes(missing, there)
        fresh = list((Counter(missing) - Counter(clashes)).elements())
        return [*there, *fresh], _others(len(clashes)), len(clashes)

    def _clashes(self, ours: Sequence[Row], there: Sequence[Row]) -> list[Row]:
        """Those of our rows whose key another row of the target has; numbers that strangers have by it are `taken`."""
        by_key = {self.place.table.key_of(row): row for row in there}
        found = []
        for row in ours:
            has = by_key.get(self.place.table.key_of(row))
            if has is not None and has != row:
                found.append(row)
                if self._is_strangers(has, row):
                    self.taken.add(text_of(row[self.place.table.place(self.road.rewriting.own)]))
        return found

    def _is_strangers(self, has: Row, ours: Row) -> bool:
        """Whether a row of the target is another entry than ours, and not ours as somebody has changed it: nobody changes an entry's moment."""
        moment, table = self.road.taking.moment, self.place.table
        if not (moment and self.road.rewriting.own):
            return False
        return has[table.place(moment)] != ours[table.place(moment)]

    def landed(self, fence: str, intended: Sequence[Intended]) -> Sequence[Outcome]:
        """Nothing is answered: what is there already is seen when it is written again, and what has no place has to be told."""
        del fence, intended
        return ()


def _others(count: int) -> str:
    if not count:
        return ""
    told = "row is at the target and says" if count == 1 else "rows are at the target and say"
    return f"{count:,} {told} something else by now; what is there stays"


# -- doing it, and proving it ----------------------------------------------------------------------------------------------------


def page_of(sides: Sides, read: Reading) -> book.Page:
    """What the target has written down of this source."""
    pages = book.read(sides.target)
    origin = read.remembered(KEY).get(ORIGIN, "") or known_again(sides, pages)
    return pages.get(origin, book.Page())


def taken_by_others(takings: Sequence[Taking], read: Reading) -> Taken:
    """Numbers of entries that were promised and that strangers have by now, as it was seen when these entries were put."""
    found = {}
    for one in takings:
        if said := read.remembered(f"{THE_DATABASE}/{one.table.name}").get(TAKEN, ""):
            found[one.table.name, own_number(one)] = frozenset(said.split())
    return found


def remember_taken(move: NumberedMove, work: Work) -> None:
    """Have it seen by what hangs on these entries."""
    work.remember({TAKEN: " ".join(sorted(move.taken))})


def table_at(sides: Sides, taking: Taking) -> Table | None:
    """The target's table; None where it has none."""
    return sides.there().get(taking.table.name)


def made(sides: Sides, target: TableWriter, taking: Taking, page: book.Page) -> Table:
    """The target's table, made where there is none; it gives nobody the numbers that are promised to the source's rows."""
    highest = page.numbers.get((taking.table.name, own_number(taking)), Numbers()).highest
    there = table_at(sides, taking)
    if there is None:
        name = renamed(taking.table.name, sides.prefixes)
        wanted = replace(taking.table, name=name, rows=None, bytes=None, next_number=highest + 1 if highest else None)
        target.discard(wanted)
        target.shadow(wanted)
        target.swap(wanted)
        there = table_at(sides, taking)
        assert there is not None
    if highest and (there.next_number or 1) <= highest:
        assert isinstance(target, PutsBeside)  # no other is given rows with new numbers
        target.reserve(there, highest)
    return there


def refuse_unnumbered(one: Road, source: TableReader) -> None:
    """Raises Refused where rows wait for numbers that were not given."""
    own = one.rewriting.own
    numbers = one.rewriting.numbers.get((one.taking.table.name, own), Numbers()) if own else one.follows
    lacks = numbers is not None and not numbers.stretches
    if (lacks or not one.rewriting.is_sure) and source.count(one.taking.extract):
        raise Refused(
            f"{one.taking.table.name}: its rows have no numbers at the target yet.",
            remedy="See what is told of forms above, then run again.",
        )


def lacking(one: Road, among: KeyRange, redaction: Redaction, source: TableReader, target: TableReader) -> int:
    """How many rows of a range the target has not as they were to be put there."""
    rows: list[Row] = []
    for page in source.rows(one.taking.extract, among):
        rows += one.rows(page, redaction, source).rows
    at = one.place(among, rows)
    if at is None:
        return len(rows)
    ours = Counter(rows)
    for page in target.rows(*at):
        ours.subtract(page)
    return sum(count for count in ours.values() if count > 0)
