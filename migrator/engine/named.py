"""Which subjects a plan names. One that earlier runs moved and the plan names no longer (an account or a whole step that was taken out
of it) keeps what is on record of it, but nobody looks at it any more: it counts in no sum, and what a verification once found of it is
told as such and holds nothing up.

A step that finds its subjects at the source draws the lost ones itself (see `Reading.known_subjects`), and so they are named.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

from migrator.engine.ledger import UNNAMED, Store
from migrator.engine.stage import Programme, Stage


def known_subjects(store: Store, stage: Stage) -> Mapping[str, str]:
    """The labels of the subjects on record for a stage's kind and route, by key."""
    ours = stage.ledger_key("")
    labels = {row.subject: row.subject_label for row in store.actions() if row.ledger_key.startswith(ours)}
    return {one.subject: one.label for one in store.troubles() if one.step == stage.name} | labels


def others_of(programme: Programme, walked: Collection[Stage]) -> AbstractSet[str]:
    """The names of the stages that go the way of one of these and are not among them: they may name what these do not."""
    ways = {(one.kind, one.route) for one in walked}
    stages = (one for one in programme.stages if isinstance(one, Stage) and one not in walked)
    return {one.name for one in stages if (one.kind, one.route) in ways}


def keep_named(store: Store, epoch: int, stage: Stage, named: AbstractSet[str], others: AbstractSet[str]) -> None:
    """Keep which subjects on record of a stage's kind and route are `named` by its stages that were walked to their end. Of those that one of
    the `others` worked on nothing is known.
    """
    ours = stage.ledger_key("")
    steps: dict[str, set[str]] = {}
    for row in store.actions():
        if row.ledger_key.startswith(ours):
            steps.setdefault(row.subject, set()).add(row.step)
    for trouble in store.troubles():
        if trouble.step == stage.name:
            steps.setdefault(trouble.subject, set()).add(trouble.step)
    for subject, worked in steps.items():
        if subject in named or not worked & others:
            mark(store, epoch, stage.ledger_key(subject), named=subject in named)


def take_out(store: Store, epoch: int, programme: Programme) -> None:
    """Keep of all that steps moved whose way no stage of the programme goes that it is not named any more."""
    ours = tuple(stage.ledger_key("") for stage in programme.stages if isinstance(stage, Stage))
    of_rows = {row.ledger_key.removesuffix(row.key) + row.subject for row in store.actions()}
    for ledger_key in of_rows | {trouble.ledger_key for trouble in store.troubles() if trouble.ledger_key}:
        if not ledger_key.startswith(ours):
            mark(store, epoch, ledger_key, named=False)


def mark(store: Store, epoch: int, ledger_key: str, *, named: bool) -> None:
    """Keep whether one subject is named."""
    if is_named(store, ledger_key) is not named:
        store.remember(epoch, ledger_key, {UNNAMED: "" if named else "yes"})


def is_named(store: Store, ledger_key: str) -> bool:
    """Whether the newest pass named a subject; `ledger_key` is the subject's own."""
    return not store.remembered(ledger_key).get(UNNAMED)
