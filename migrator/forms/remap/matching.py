"""Which form of the target is which of the source, and which of its fields: by hand, by what an earlier run settled, by title or label, by the
plugin's own key. Pure.

What surprises: nothing is guessed. Two that might be meant are named, and the plan decides; numbers alone say nothing, for every site counts
from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from migrator.errors import PlanError
from migrator.forms.fields import Field
from migrator.frozen import dataclass
from migrator.meant import did_you_mean

BY_HAND, BEFORE, BY_TITLE, BY_KEY = "by hand", "as before", "by title", "by key"
_COUNTED: Final = re.compile(r"(?:[a-z_]+[-_])?\d{1,4}")  # a key that only says which one it was on its form
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Form:
    """A form at one side. `slug` is a name of the plugin's own for it, "" without one."""

    key: str
    title: str
    slug: str = ""

    @property
    def shown(self) -> str:
        """As an admin reads it."""
        return f"{self.title or 'without a title'} ({self.key})"


@dataclass(frozen=True, slots=True)
class Match:
    """A form of the source and its counterpart, None without one; `rivals` are those that might be meant."""

    source: Form
    target: Form | None = None
    how: str = ""
    rivals: tuple[Form, ...] = ()


def match_forms(
    source: Sequence[Form], target: Sequence[Form], by_hand: Mapping[str, str], before: Mapping[str, str]
) -> list[Match]:
    """A match for each form of the source, in order; `before` are pairs of keys of earlier runs. Only by hand can two forms become one. Raises
    PlanError where the plan names a form that the target has not, or has twice, or one other than before.
    """
    keys = {one.key: one for one in target}
    found: dict[str, Match] = {}
    for one in source:
        named = _hand(one, by_hand)
        if named is not None:
            chosen = _named(named, target)
            if before.get(one.key, chosen.key) != chosen.key:
                raise PlanError(
                    f"forms.map: {one.shown} went to form {before[one.key]} in an earlier run and cannot go to {chosen.shown} now.",
                    remedy="Leave the map as it was, or move the entries of this form by hand.",
                )
            found[one.key] = Match(one, chosen, BY_HAND)
        elif one.key in before and before[one.key] in keys:
            found[one.key] = Match(one, keys[before[one.key]], BEFORE)
    taken = {match.target.key for match in found.values() if match.target}
    open_ones = [one for one in source if one.key not in found]
    free = [one for one in target if one.key not in taken]
    for one in open_ones:
        found[one.key] = _by_itself(one, open_ones, free)
    return [found[one.key] for one in source]


@dataclass(frozen=True, slots=True)
class Known:
    """A plugin's forms at both sides. `place` tells what numbers its forms: an id is of one form there."""

    title: str
    place: tuple[str, str]
    source: Sequence[Form]
    target: Sequence[Form]


def hands(by_hand: Mapping[str, str], plugins: Sequence[Known]) -> list[dict[str, str]]:
    """For each plugin those pairs of the plan whose both forms it has. Raises PlanError for a target's form that no plugin has, and for an id that
    several have.
    """
    found: list[dict[str, str]] = [{} for _ in plugins]
    for name, into in by_hand.items():
        fit = [one for one in plugins if any(_is_called(form, name) for form in one.source)]
        has = [one for one in fit if any(_is_meant(form, into) for form in one.target)]
        if fit and not has:
            _named(into, [form for one in fit for form in one.target])
        ids = [one for one in has for form in (*one.source, *one.target) if form.key in {name, into}]
        if ids and len({one.place for one in has}) > 1:
            raise PlanError(
                f"forms.map: {name}: {into} may be a form of {' or of '.join(one.title for one in has)}.",
                remedy="Name both forms by their titles, or give each of these plugins a step of its own (plugins).",
            )
        for place, one in enumerate(plugins):
            if one in has:
                found[place][name] = into
    return found


def _is_called(one: Form, name: str) -> bool:
    return name in {one.key, one.title, one.slug}


def _is_meant(one: Form, name: str) -> bool:
    return name == one.key or _plain(name) in {_plain(one.title), _plain(one.slug)}


def are_alike(source: Form, target: Form, by_hand: Mapping[str, str]) -> bool:
    """Whether these have one title or one name of the plugin's own, or the plan says that they are one."""
    named = _hand(source, by_hand)
    if named is not None and _is_meant(target, named):
        return True
    return _plain(source.title) == _plain(target.title) or bool(source.slug and source.slug == target.slug)


def _by_itself(one: Form, source: Sequence[Form], target: Sequence[Form]) -> Match:
    def alike(forms: Iterable[Form]) -> list[Form]:
        return [other for other in forms if _plain(other.title) == _plain(one.title)]

    here, there = alike(source), alike(target) if one.title else []
    if len(here) == len(there) == 1:
        return Match(one, there[0], BY_TITLE)
    titles = {_plain(mine.title) for mine in source}
    among = there or [other for other in target if _plain(other.title) not in titles]
    by_slug = [other for other in among if one.slug and other.slug == one.slug]
    if len(by_slug) == sum(other.slug == one.slug for other in source) == 1:
        return Match(one, by_slug[0], BY_KEY)
    return Match(one, rivals=tuple(there))


def _hand(one: Form, by_hand: Mapping[str, str]) -> str | None:
    return next((by_hand[name] for name in (one.key, one.title, one.slug) if name and name in by_hand), None)


def _named(name: str, target: Sequence[Form]) -> Form:
    by_key = [one for one in target if one.key == name]
    found = by_key or [one for one in target if _plain(name) in {_plain(one.title), _plain(one.slug)}]
    if len(found) == 1:
        return found[0]
    has = ", ".join(one.shown for one in (found or target)[:20]) or "none"
    what = "several forms" if found else "no form"
    raise PlanError(f"forms.map: the target has {what} {name}.", remedy=f"Name one of these by its number: {has}.")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


# -- fields -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OfForm:
    """The fields of a form and of its counterpart. `place` tells what numbers the plugin's forms."""

    plugin: str
    place: tuple[str, str]
    form: Form
    source: Sequence[Field]
    target: Sequence[Field]

    def hand(self, by_hand: Mapping[str, str]) -> dict[str, str]:
        """Those pairs of the plan whose both fields are here."""
        mine, theirs = _tops(self.source), _tops(self.target)
        return {
            name: into
            for name, into in by_hand.items()
            if any(_names(one, name) for one in mine) and any(_means(one, into) for one in theirs)
        }


def refuse_fields(by_hand: Mapping[str, Mapping[str, str]], forms: Sequence[OfForm]) -> None:
    """Raises PlanError for a field that no form so named has at its side, and for a form's id under which several plugins have the field."""
    for name, pairs in by_hand.items():
        called = [one for one in forms if _is_called(one.form, name)]
        for field, into in pairs.items():
            has = [one for one in called if one.hand({field: into})]
            if called and not has:
                _refuse_field(name, field, into, called)
            if len({one.place for one in has}) > 1 and any(one.form.key == name for one in has):
                raise PlanError(
                    f"forms.fields: {name} may be a form of {' or of '.join(one.plugin for one in has)}.",
                    remedy="Name the form by its title, or give each of these plugins a step of its own (plugins).",
                )


def _refuse_field(name: str, field: str, into: str, forms: Sequence[OfForm]) -> None:
    mine = [each for one in forms for each in _tops(one.source)]
    if any(_names(each, field) for each in mine):
        _named_field(into, [each for one in forms for each in _tops(one.target)])
    hint = did_you_mean(field, [said for each in mine for said in (each.label, each.key, each.slug) if said])
    raise PlanError(
        f"forms.fields: form {name} of the source has no field {field}.{hint}",
        remedy="Name a field by its label or key, as the preview shows them.",
    )


def _names(one: Field, name: str) -> bool:
    return bool(name) and name in {one.key, one.label, one.slug}


def _means(one: Field, name: str) -> bool:
    return name == one.key or _plain(name) in {_plain(one.label), _plain(one.slug)}


def match_fields(
    source: Sequence[Field], target: Sequence[Field], by_hand: Mapping[str, str], before: Mapping[str, str]
) -> dict[str, str | None]:
    """For the key of each field of a form the key of its counterpart, None without one. Parts of a field (`1.3`) are looked for in its counterpart
    alone. Raises PlanError where the plan names a field that the target's form has not, or has twice.
    """
    found: dict[str, str | None] = {}
    tops, there = _tops(source), _tops(target)
    by_key = {one.key: one for one in there}
    for one in tops:
        named = next((by_hand[name] for name in (one.key, one.label, one.slug) if name and name in by_hand), None)
        if named is not None:
            found[one.key] = _named_field(named, there).key
        elif before.get(one.key) in by_key:
            found[one.key] = before[one.key]
    taken = set(found.values())
    rest, free = ([one for one in tops if one.key not in found], [one for one in there if one.key not in taken])
    for one in rest:
        found[one.key] = _field_by_itself(one, rest, free)
    return found | _parts(source, target, found)


def _field_by_itself(one: Field, source: Sequence[Field], target: Sequence[Field]) -> str | None:
    def alike(fields: Iterable[Field]) -> list[Field]:
        return [other for other in fields if one.label and _plain(other.label) == _plain(one.label)]

    here, there = alike(source), alike(target)
    if len(here) == len(there) == 1:
        return there[0].key
    same = _of_one_name(one, target)
    if same is None or _of_one_name(same, source) is not one:
        return None
    if same in there:
        return same.key  # several are called so, and of these it is this one
    said = not (one.label and same.label) or not _COUNTED.fullmatch(_name(one))
    labelled = any(_plain(mine.label) == _plain(same.label) for mine in source if mine is not one)
    return same.key if said and not labelled and same.kind == one.kind else None


def _of_one_name(one: Field, fields: Sequence[Field]) -> Field | None:
    found = [other for other in fields if _name(other) == _name(one)]
    return found[0] if len(found) == 1 else None


def _name(one: Field) -> str:
    return one.slug or one.key


def _named_field(name: str, target: Sequence[Field]) -> Field:
    by_key = [one for one in target if one.key == name]
    found = by_key or [one for one in target if _plain(name) in {_plain(one.label), _plain(one.slug)}]
    if len(found) == 1:
        return found[0]
    has = ", ".join(f"{one.label} ({one.key})" for one in (found or target)[:30]) or "none"
    what = "several fields" if found else "no field"
    raise PlanError(
        f"forms.fields: the target's form has {what} {name}.", remedy=f"Name one of these by its key: {has}."
    )


def _tops(fields: Sequence[Field]) -> list[Field]:
    return [one for one in fields if not _part(one, fields)]


def _part(one: Field, fields: Sequence[Field]) -> bool:
    whole, dot, _ = one.key.partition(".")
    return bool(dot) and any(other.key == whole for other in fields)


def _parts(source: Sequence[Field], target: Sequence[Field], found: Mapping[str, str | None]) -> dict[str, str | None]:
    parts: dict[str, str | None] = {}
    for one in source:
        if not _part(one, source):
            continue
        whole, _, part = one.key.partition(".")
        into = found.get(whole)
        inside = [other for other in target if into is not None and other.key.startswith(f"{into}.")]
        labelled = [other for other in inside if one.label and _plain(other.label) == _plain(one.label)]
        numbered = [other for other in inside if other.key == f"{into}.{part}"]
        chosen = labelled if len(labelled) == 1 else numbered
        parts[one.key] = chosen[0].key if chosen else None
    return parts
