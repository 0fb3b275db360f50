"""Which lists of a source move, and what they are called at the target: decided by names alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase

from migrator.addresses import Names, same_form, split
from migrator.frozen import dataclass
from migrator.lists.model import MailingList
from migrator.lists.options import ListsOptions
from migrator.meant import nearest

GONE = "the source does not show the list any more; at the target it stays as it is"
SITE_LIST = "mailman"  # the list that Mailman 2.1 wants for itself on every host


@dataclass(frozen=True, slots=True)
class ListPlan:
    """One list of the source, and its address at the target. With `why` it does not move; `by_hand` then says that somebody has to decide,
    `gone` that the source has it no longer.
    """

    address: str
    target: str
    why: str = ""
    by_hand: bool = False
    gone: bool = False


def plan_lists(
    lists: Sequence[MailingList], domains: AbstractSet[str], names: Names, options: ListsOptions
) -> Iterator[ListPlan]:
    """A plan for every list of these domains (of all where none is named), for those that `only` names wherever they are, and for those it
    names that are not there.
    """
    mapped = {same_form(here).lower(): same_form(there) for here, there in options.map.items()}
    taken: dict[str, str] = {}
    for one in lists:
        address = same_form(one.address)
        wanted = _is_wanted(one, domains, options)
        if not wanted and address.lower() not in mapped:
            continue
        target = mapped.get(address.lower()) or names.address(address)
        why = _left_out(address, options)
        if not why:
            first = taken.setdefault(target.lower(), address)
            if first != address:
                why = f"{first} goes to {target} already; two lists cannot become one. Name another target in map"
                yield ListPlan(address, target, why, by_hand=True)
                continue
        yield ListPlan(address, target, why)
    unknown = {split(one.address)[0].lower() for one in lists if one.somewhere}
    for _, address, hint in _misnamed(options, [one.address for one in lists]):
        if split(address)[0].lower() in unknown:  # what hinders it is told of that one
            continue
        why = f"the source has no list {address}{hint}. Correct the plan's only or map"
        yield ListPlan(address, address, why, by_hand=True)


def plans_gone(
    known: Iterable[str], named: AbstractSet[str], lists: Sequence[MailingList]
) -> Iterator[tuple[str, ListPlan]]:
    """A plan by key for every list that earlier runs knew, that no plan is `named` for, and that the source does not show any more. `known`
    are keys of subjects: the address, and the target's where it is another.
    """
    shown = {same_form(one.address).lower() for one in lists}
    hidden = {split(one.address)[0].lower() for one in lists if one.somewhere}  # may be of any domain
    for key in known:
        address, _, target = key.partition(">")
        is_list = "@" in address and " " not in address  # and no file, nor that there is no list
        if key not in named and is_list and address not in shown and split(address)[0] not in hidden:
            yield key, ListPlan(address, target or address, GONE, gone=True)


def misnamed(options: ListsOptions, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options that name a list which is none of these, and a sentence about it."""
    for word, address, hint in _misnamed(options, names):
        yield word, f"the source has no list {address}{hint}."


def _misnamed(options: ListsOptions, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """The option, what it names, and which list may be meant; each name once."""
    known = [same_form(one) for one in names]
    named = {same_form(one): word for word in ("map", "only") for one in getattr(options, word)}
    for address, word in named.items():
        if not any(_fits(one, (address,)) for one in known):
            yield word, address, _perhaps(address, known)


def _perhaps(address: str, known: Sequence[str]) -> str:
    """Which of the known lists may be meant: of the same name elsewhere, or named alike in the same domain; "" if none is near."""
    name, domain = split(address)
    namesake = next((one for one in known if split(one)[0].lower() == name.lower()), None)
    alike = nearest(name.lower(), [split(one)[0].lower() for one in known if split(one)[1] == domain])
    near = namesake or (f"{alike}@{domain}" if alike else None)
    return f" (did you mean {near}?)" if near else ""


def _is_wanted(one: MailingList, domains: AbstractSet[str], options: ListsOptions) -> bool:
    """Whether a list moves by its name. One that did not tell its domain may be any of those whose name it has: it is not passed over."""
    address = same_form(one.address)
    if one.somewhere:
        names = [split(pattern)[0] for pattern in (*options.only, *options.map)]
        return not options.only or _fits(split(address)[0], names)
    return _fits(address, options.only) if options.only else not domains or split(address)[1] in domains


def names_missing(missing: Sequence[str], domains: AbstractSet[str], options: ListsOptions) -> Iterator[ListPlan]:
    """Those of the lists that the source's service names and has not, as far as they were to move."""
    for address in missing:
        if _is_wanted(MailingList(address), domains, options) and not _fits(address, options.except_):
            yield ListPlan(
                address,
                address,
                f"the source has no list {address}. Correct it among the source's lists in the plan",
                by_hand=True,
            )


def _left_out(address: str, options: ListsOptions) -> str:
    if _fits(address, options.except_):
        return "the plan leaves it out (except)"
    if split(address)[0].lower() == SITE_LIST and not _fits(address, options.only):
        return "Mailman's own list for the host, which every host has; to move it as well, name it in only"
    return ""


def _fits(address: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(address.lower(), same_form(pattern).lower()) for pattern in patterns)
