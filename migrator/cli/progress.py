"""From events to what an admin watches: one bar on a terminal, a plain line now and then elsewhere, JSON lines for a program.

`Progress` only counts; `watching` shows it. Both may be told things from any thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from time import monotonic
from typing import Any

from migrator.cli import figures
from migrator.cli.console import Console
from migrator.cli.documents import event_document
from migrator.cli.nouns import Nouns, heading, nouns_of
from migrator.cli.screen import Bar, Screen
from migrator.engine.contract import Action, Fate, Measure, Size, Verb, Weight
from migrator.engine.events import (
    ActionBegan,
    ActionEnded,
    BatchRecorded,
    Event,
    Narrowed,
    Noted,
    RunBegan,
    StageBegan,
    SubjectFailed,
    SubjectPlanned,
    Tell,
    Verified,
    Waiting,
)
from migrator.engine.ledger import Claim, Ending, Status, Tally

WINDOW = 60.0  # seconds the rate looks back: long enough to be calm, short enough to notice a throttle
PLAIN_EVERY = 30.0  # seconds between two lines where nobody watches a bar
BAR_EVERY = 0.5
NAMED = 3  # subjects named as active; the others are counted
AT_LENGTH = frozenset({"actions", "claim"})  # parts of events that would fill the log
SAID_AGAIN = 60.0  # seconds after which the same reason for waiting is told once more
QUIETER = 5.0  # seconds; a shorter pause is nobody's business


class Progress:
    """What is planned, what is done, how fast, in the step that is at work; what was left behind, in all."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._window: deque[tuple[float, int, int]] = deque()
        self._labels: dict[str, str] = {}
        self._working: dict[str, int] = {}
        self._done: dict[tuple[str, str], Size] = {}  # of the actions in hand only
        self._left_behind = 0
        self._begin(Nouns(), Measure.BYTES, verifying=False)

    def heard(self, event: Event) -> None:
        """Count an event in."""
        with self._lock:
            match event:
                case StageBegan():
                    self._begin(nouns_of([event.kind]), event.measure, verifying=event.verifies)
                case SubjectPlanned():
                    self._labels[event.subject.key] = event.subject.label
                    for action in event.actions:
                        self._plan(action)
                case ActionBegan():
                    self._working[event.subject] = self._working.get(event.subject, 0) + 1
                case BatchRecorded():
                    self._record(event)
                case ActionEnded():
                    self._end(event)
                case Verified():
                    self._compared += event.items

    def line(self) -> str:
        """45%, 1,204 of 2,300 messages, 1.2 GB of 2.9 GB, 12.1 MB/s, 3 min 12 s left, alice@example.com, 2 left behind."""
        with self._lock:
            done, whole = self._measured()
            share = f"{100 * done // whole}%" if whole else ""
            moved = f"{figures.size(self._bytes)} of {figures.size(self._whole_bytes)}"
            sizes = moved if self._by_bytes and not self._verifying else ""
            left = f"{figures.count(self._left_behind)} left behind" if self._left_behind else ""
            return ", ".join(
                part for part in (share, self._amounts(), sizes, *self._pace(), self._active(), left) if part
            )

    def show(self, bar: Bar) -> None:
        """Draw the bar."""
        with self._lock:
            done, whole = self._measured()
            words = ", ".join(part for part in (self._amounts(), *self._pace(), self._active()) if part)
        bar.show(done, whole, words)

    def _begin(self, nouns: Nouns, measure: Measure, *, verifying: bool) -> None:
        self._nouns = nouns
        self._verifying = verifying
        self._began = self._clock()
        self._window.clear()
        self._whole_items = self._whole_bytes = 0
        self._items = self._bytes = 0
        self._by_bytes = measure is Measure.BYTES
        self._compared = self._to_compare = 0

    def _plan(self, action: Action) -> None:
        if self._verifying:
            self._to_compare += action.total.items
            return
        if action.verb in {Verb.KEEP, Verb.BY_HAND}:
            return
        self._whole_items += action.size.items
        self._whole_bytes += action.size.bytes or 0
        self._by_bytes = self._by_bytes and not (action.size.bytes is None and action.size.items)

    def _record(self, event: BatchRecorded) -> None:
        items = sum(size.items for size in event.by_fate.values())
        volume = sum(size.bytes or 0 for size in event.by_fate.values())
        self._left_behind += event.by_fate.get(Fate.LEFT_BEHIND, Size()).items
        self._advance((event.step, event.action.key), event.action.size, items, volume)

    def _end(self, event: ActionEnded) -> None:
        working = self._working.get(event.subject, 0) - 1
        if working > 0:
            self._working[event.subject] = working
        else:
            self._working.pop(event.subject, None)
        if event.status in {Status.DONE, Status.KEPT} and event.action.verb not in {Verb.KEEP, Verb.BY_HAND}:
            # Less may have been there than planning thought; the bar still has to reach its end.
            size = event.action.size
            self._advance((event.step, event.action.key), size, size.items, size.bytes or 0)
            self._done.pop((event.step, event.action.key), None)

    def _advance(self, which: tuple[str, str], size: Size, items: int, volume: int) -> None:
        # What was found or skipped may not have been planned as work, so no action counts for more than its plan.
        before = self._done.get(which, Size(0, 0))
        done = Size(min(size.items, before.items + items), min(size.bytes or 0, (before.bytes or 0) + volume))
        self._done[which] = done
        self._items += done.items - before.items
        self._bytes += (done.bytes or 0) - (before.bytes or 0)
        self._window.append((self._clock(), self._items, self._bytes))
        while self._window and self._clock() - self._window[0][0] > WINDOW:
            self._window.popleft()

    def _amounts(self) -> str:
        if self._verifying:
            return f"{figures.count(self._compared)} of {self._nouns.items(self._to_compare)} compared"
        return f"{figures.count(self._items)} of {self._nouns.items(self._whole_items)}"

    def _measured(self) -> tuple[int, int]:
        if self._verifying:
            return self._compared, self._to_compare
        if self._by_bytes and self._whole_bytes:
            return self._bytes, self._whole_bytes
        return self._items, self._whole_items

    def _pace(self) -> tuple[str, ...]:
        if self._verifying or not self._window:
            return ()
        since, items, volume = self._window[0] if len(self._window) > 1 else (self._began, 0, 0)
        span = self._clock() - since
        by_bytes = self._by_bytes and self._whole_bytes > 0
        made = self._bytes - volume if by_bytes else self._items - items
        if span <= 0 or made <= 0:
            return ()
        rate = made / span
        done, whole = self._measured()
        speed = f"{figures.size(rate)}/s" if by_bytes else f"{rate:,.1f}".removesuffix(".0") + "/s"
        return (speed, f"{figures.duration((whole - done) / rate)} left") if whole > done else (speed,)

    def _active(self) -> str:
        names = [figures.name(self._labels.get(subject, subject)) for subject in self._working]
        more = f"+{len(names) - NAMED}" if len(names) > NAMED else ""
        return " ".join(part for part in (", ".join(names[:NAMED]), more) if part)


class Asides:
    """What an admin should read at once, each trouble of a subject told once and not again for every action it takes along, and why many
    wait told once a minute and not for each of them.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}  # why something waits, and when that was last told
        self._told: set[tuple[str, str, str]] = set()
        self._labels: dict[str, str] = {}

    def of(self, event: Event) -> str:
        """The line for an event, "" if there is nothing to say."""
        whose = ""
        match event:
            case SubjectPlanned():
                self._labels[event.subject.key] = event.subject.label
            case SubjectFailed() if self._is_told(event.step, event.subject.key, event.text):
                return ""  # one of its actions met it first; that it was given up is told at the end
            case Waiting() if event.seconds >= QUIETER and self._is_said(event.text):
                return ""
            case ActionEnded(status=Status.FAILED) if self._is_told(event.step, event.subject, event.text):
                return ""
            case ActionEnded() | Noted():
                whose = self._labels.get(event.subject, "")
        return aside(event, whose)

    def _is_said(self, why: str) -> bool:
        now = self._clock()
        lately = now - self._said.get(why, -SAID_AGAIN) < SAID_AGAIN
        if not lately:
            self._said[why] = now
        return lately

    def _is_told(self, step: str, subject: str, text: str) -> bool:
        before = (step, subject, text) in self._told
        self._told.add((step, subject, text))
        return before


def aside(event: Event, whose: str = "") -> str:
    """What an admin should read at once, "" if the event is no such thing: a failure, a long pause, a narrowed endpoint. `whose` is the label
    of the subject that an action is of, where its own does not say it.
    """
    line = ""
    match event:
        case StageBegan():
            line = heading(event.step, "verifying" if event.verifies else event.kind, event.route)
        case SubjectFailed():
            line = figures.sentence(event.subject.label, event.text, event.remedy)
        case ActionEnded(status=Status.FAILED):
            line = figures.sentence(_placed(whose, event.action.label), event.text, event.remedy)
        case Waiting() if event.seconds >= QUIETER:
            line = f"{event.about}: {event.text} Trying again in {figures.duration(event.seconds)}."
        case Narrowed():
            held = figures.counted(event.width, "connection", "connections")
            line = f"{event.endpoint} takes fewer connections than planned; going on with {held}."
        case Noted() if event.finding.weight is Weight.WARNING:  # a difference is told at the end, with its mailbox
            line = figures.sentence(_placed(whose, event.finding.about), event.finding.text, event.finding.remedy)
    return line.rstrip()


def _placed(whose: str, about: str) -> str:
    """bob@example.com, INBOX; once what is both, and what says itself whose it is does so once."""
    words = (whose, about.removeprefix(f"{whose}: "))
    return ", ".join(dict.fromkeys(word for word in words if word))


def resumed(claim: Claim, tally: Tally, nouns: Nouns, now: datetime) -> str | None:
    """Resuming run 7: 312 of 500 folders done, 1,204,331 messages by then, stopped by SIGTERM 02:14; this is run 8. None where nothing is
    resumed. A run that came to its end although it had to give something up was not stopped. "By then": what the source has lost since is not
    known before it is looked at.
    """
    earlier = claim.previous
    if earlier is None or not claim.resumes:
        return None
    done = f"{figures.count(tally.actions_done)} of {nouns.actions(tally.actions)} done"
    when = figures.moment_since(earlier.ended or earlier.last_sign, now)
    so_far = f"{done}, {nouns.items(tally.items_arrived)} by then"
    this = f"this is run {claim.run.number}"  # as status calls it
    if earlier.ending is Ending.FAILED and not earlier.words:
        return f"Going on after run {earlier.number}: {so_far}; it ended {when} and had to give something up; {this}"
    by = stopped_by(claim)
    how = f"stopped by {by} {when}" if by else f"ended {when} without recording how"
    if claim.taken:
        how = f"taken over from process {earlier.holder.pid} on {earlier.holder.host}"
    return f"Resuming run {earlier.number}: {so_far}, {how}; {this}"


def stopped_by(claim: Claim) -> str:
    """What ended the earlier run, as far as that is known. One without an ending on a machine that did not go down was killed, or could not
    record its end (no room for the state): "".
    """
    earlier = claim.previous
    assert earlier is not None
    if earlier.ending is not None:
        return earlier.words or "an error"
    if earlier.holder.host != claim.run.holder.host:
        return f"its end on {earlier.holder.host}"
    # A boot may be told with more (a container's namespace) behind a slash; the machine went down only if the first part differs.
    here, there = (run.holder.boot.partition("/")[0] for run in (claim.run, earlier))
    return "" if here == there else "power loss or restart"


def log_event(log: Any, event: Event) -> None:  # Any: structlog's loggers are what they were configured to be
    """One line of the log for an event: batches only with -vv, the rest with -v."""
    told = event_document(event, figures.now())
    del told["at"]
    name = told.pop("event")
    brief = {word: value.get("key", value) if isinstance(value, dict) else value for word, value in told.items()}
    loud = {word: value for word, value in brief.items() if word not in AT_LENGTH}
    (log.debug if isinstance(event, BatchRecorded) else log.info)(name, **loud)


@contextmanager
def watching(console: Console, progress: Progress, *, as_json: bool, kinds: list[str]) -> Iterator[Tell]:
    """A teller of events for as long as the work lasts. With `as_json` every event is a line of the answer; else people read
    along on stderr.
    """
    screen = console.screen
    asides = Asides()

    def tell(event: Event) -> None:
        progress.heard(event)
        if console.log is not None:
            log_event(console.log, event)
        if as_json:
            screen.json_line(event_document(event, figures.now()))
            return
        if isinstance(event, RunBegan):
            line = resumed(event.claim, event.tally, nouns_of(kinds), figures.now())
        else:
            line = asides.of(event)
        if line:
            screen.say(line)

    with nullcontext() if as_json else _showing(screen, progress):
        yield tell


@contextmanager
def _showing(screen: Screen, progress: Progress) -> Iterator[None]:
    """The bar where there is a terminal, else a plain line now and then."""
    over = threading.Event()
    bar = screen.bar()

    def keep_showing() -> None:
        while not over.wait(BAR_EVERY if screen.is_terminal else PLAIN_EVERY):
            if screen.is_terminal:
                progress.show(bar)
            else:
                screen.say(progress.line())

    shown = threading.Thread(target=keep_showing, name="progress", daemon=True)
    shown.start()
    try:
        yield
    finally:
        over.set()
        shown.join()
        screen.close()
