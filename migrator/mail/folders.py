"""Which folder of the source goes to which folder of the target.

Names are translated by components, never as text: the prefix and the separator are the server's, the components are the
owner's. A folder with a role (\\Sent, \\Trash ...) goes to the target's folder of that role, whatever its language; everything
else keeps its name as far as the target can spell it. A plan never lets two folders run together unless the admin's map says so.

The choice depends on names and marks first and on how full a folder is last, and what a run creates does not change what the
next one chooses; `settled` holds a choice over passes whatever happens to the counts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from unicodedata import category, combining, normalize

from migrator.errors import PlanError
from migrator.frozen import dataclass
from migrator.mail import utf7
from migrator.mail.folder_names import ROLES, folded, role_of
from migrator.mail.model import Folder, Namespace

_VIEWS = {"\\all": "all mail", "\\flagged": "flagged mail", "\\important": "important mail"}
_GMAIL_ROOTS = frozenset({"[gmail]", "[google mail]"})
_BACKSLASH = "\\"
_REPLACEMENTS = ("_", "-", "~")
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FolderRules:
    """What a plan says about folders. Patterns and names are as shown: decoded, `/` between the parts, no prefix.

    In a pattern `*` stands for any text, also across `/`, and `?` for one character; nothing else is special. Case counts,
    except for INBOX. A pattern names the folder itself: what is below it is `Name/*`.

    `only`         nothing else is moved (empty: everything is)
    `except_`      these are not moved
    `map`          pattern to target name, in which each `*` is what that of the pattern stood for. It wins over roles and names;
                   an exact name wins over a pattern, the first pattern over later ones. Two folders sent to one are merged
    `shared`       folders outside the personal namespace are moved too
    `replacement`  stands for the target's separator where a name contains it
    """

    only: tuple[str, ...] = ()
    except_: tuple[str, ...] = ()
    map: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False
    replacement: str = "_"


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """Where one folder goes. `target` is the raw name, None if the folder is left out; `why` names the rule that left it out or
    renamed it. `exists` tells that the target holds it already and it can take mail. `merged_with` are the other source
    folders, as shown, that go to the same target because the plan says so.
    """

    source: Folder
    target: str | None
    shown_source: str
    shown_target: str = ""
    exists: bool = False
    why: str = ""
    merged_with: tuple[str, ...] = ()

    @property
    def leaves_mail(self) -> bool:
        """Whether it is left out with mail of its own, which no other folder shows."""
        views = any(mark in self.source.attributes for mark in _VIEWS)
        return self.target is None and self.source.selectable and not views

    @property
    def renamed(self) -> bool:
        """Whether the owner will see another name than before."""
        return self.target is not None and self.shown_target != self.shown_source


def shown(folder: Folder | str, space: Namespace) -> str:
    """The name of a folder (or a raw name) as people read it: decoded, `/` between its parts, without the prefix."""
    return _place(folder if isinstance(folder, str) else folder.name, space).shown


def plan_folders(
    source: Sequence[Folder],
    source_space: Namespace,
    target: Sequence[Folder],
    target_space: Namespace,
    rules: FolderRules,
    settled: Mapping[str, str] = _NOTHING,
    moved: Collection[str] = (),
) -> Sequence[FolderPlan]:
    """A plan for each source folder: INBOX, then those that move, parents before children at the target, then those left out.

    `settled` are raw names chosen by an earlier pass, source to target; only the map of the plan overrules them, and that only for
    folders that are not among `moved`: what has arrived stays where it is. No two plans have
    one target, nor targets that differ in case or composition of letters alone, unless the map or `settled` sends them there
    or the target lists both. The same arguments in any order give the same plan. Raises PlanError for a map that names no target.
    """
    moving: list[_Moving] = []
    left_out: list[FolderPlan] = []
    for folder in {folder.name: folder for folder in source}.values():
        place = _place(folder.name, source_space)
        if why := next(_why_left_out(folder, place, rules), ""):
            left_out.append(FolderPlan(folder, None, place.shown, why=why))
        else:
            moving.append(_Moving(folder, place))
    # At Gmail the root holds no mail. One that does, or that has a like below it, is somebody's own and keeps its children.
    gmail_stays = any(_in_gmail(each.place) and all(map(_is_gmail_root, each.place.parts[:2])) for each in moving)
    ground = _Ground(target, target_space, rules.replacement, gmail_stays=gmail_stays)
    choices = _Choosing(ground, sorted(moving, key=_Moving.order), rules, settled, moved).choose()
    plans = _merged(
        FolderPlan(
            source=each.folder,
            target=choice.raw,
            shown_source=each.place.shown,
            shown_target=_place(choice.raw, target_space).shown,
            exists=ground.holds(choice.raw),
            why=choice.why,
        )
        for each, choice in choices
    )
    return [
        *sorted(plans, key=lambda plan: _creation_order(plan, target_space)),
        *sorted(left_out, key=lambda plan: (folded(plan.shown_source), plan.source.name)),
    ]


def repairs(name: str, space: Namespace, taken: Collection[str] = ()) -> Iterator[str]:
    """Other spellings of a raw target name that was refused at CREATE, each plainer than the one before, at most 5; the last has a
    number behind it, for a name the server keeps for something of its own.

    None of them is, whatever the case of its letters, one of `taken`: the raw names that other folders go to.
    """
    avoided = {_key(raw) for raw in taken} - {_key(name)}
    place = _place(name, space)
    mark = _mark(space)
    last = name
    for simplify in (_without_odd_blanks, _without_refused_signs, _shorter, _in_plain_letters):
        parts = (part.replace(space.separator, mark) if space.separator else part for part in simplify(place.parts))
        place = replace(place, parts=tuple(part or mark for part in parts))
        raw = _first_free(place, space, avoided)
        if raw != last:
            yield raw
        last = raw
    if place.parts:
        yield _first_free(place, space, avoided | {_key(name), _key(last)})


# -- where a folder stands --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder's parts as shown. `below_inbox`: they hang below INBOX itself; with no parts it is INBOX.

    A folder that lies in the namespace `INBOX.` is not below INBOX: there the word is only the prefix of every name.
    """

    parts: tuple[str, ...]
    below_inbox: bool = False
    personal: bool = True

    @property
    def is_inbox(self) -> bool:
        return self.below_inbox and not self.parts

    @property
    def shown(self) -> str:
        # A folder named INBOX where that word is every name's prefix would else be shown, and chosen by the plan, as INBOX itself.
        below = self.below_inbox or self.parts[:1] == ("INBOX",)
        return "/".join(("INBOX", *self.parts) if below else self.parts)

    @property
    def depth(self) -> int:
        return len(self.parts) + self.below_inbox

    @property
    def is_top(self) -> bool:
        """Whether a name here says something about its role: the top level, or just below INBOX."""
        return len(self.parts) == 1

    def above(self) -> Iterator[tuple[_Place, tuple[str, ...]]]:
        """Each place above this one, nearest first, and the parts that lead down from there."""
        for count in reversed(range(len(self.parts))):
            if count or self.below_inbox:
                yield replace(self, parts=self.parts[:count]), self.parts[count:]


_INBOX = _Place((), below_inbox=True)


def _place(raw: str, space: Namespace) -> _Place:
    """Where a raw name stands. Empty components, which servers drop or fold, are dropped here as well."""
    if raw.upper() == "INBOX":
        return _INBOX
    prefix = _prefix(space)
    # The prefix may be INBOX, which every server spells as it likes.
    personal = raw.startswith(prefix) or (_prefix_is_inbox(space) and raw.upper().startswith(prefix.upper()))
    rest = raw[len(prefix) :] if personal else raw
    parts = tuple(utf7.decode(part) for part in (rest.split(space.separator) if space.separator else [rest]) if part)
    if personal and not prefix and space.separator and parts and parts[0].upper() == "INBOX":
        return _Place(parts[1:], below_inbox=True)
    return _Place(parts, personal=personal)


def _prefix(space: Namespace) -> str:
    """The prefix, ending in the separator also where a server or an admin left that out."""
    if not space.prefix or not space.separator or space.prefix.endswith(space.separator):
        return space.prefix
    return space.prefix + space.separator


def _prefix_is_inbox(space: Namespace) -> bool:
    return bool(space.separator) and _prefix(space).upper() == f"INBOX{space.separator}"


def _spelled(place: _Place, space: Namespace, joint: str = "_") -> str:
    """The raw name of a place. Where folders cannot nest, `joint` holds the parts together.

    `encode` gives back byte for byte every legal name it came from; an illegal one (raw 8-bit, a broken shift) is refused by
    servers at CREATE and is spelled as what it shows.
    """
    if place.is_inbox:
        return "INBOX"
    separator = space.separator or joint
    below = f"INBOX{separator}" if place.below_inbox else ""
    return _prefix(space) + below + separator.join(utf7.encode(part) for part in place.parts)


def _mark(space: Namespace, wanted: str = "") -> str:
    """What stands for the separator where a name may not contain it: as wanted, unless it holds the separator itself."""
    usable = (mark for mark in (wanted, *_REPLACEMENTS) if mark and not (space.separator and space.separator in mark))
    return next(usable)


def _key(raw: str) -> str:
    """What two raw names share when some server would take them for one."""
    return folded(utf7.decode(raw))


# -- what the target has ----------------------------------------------------------------------------------------------


class _Ground:
    """The target as it is: what it holds, how it spells names. `gmail_stays`: names keep their `[Gmail]` in any case."""

    def __init__(self, folders: Iterable[Folder], space: Namespace, replacement: str, *, gmail_stays: bool) -> None:
        self.space = space
        self.folders = sorted((folder for folder in folders), key=lambda folder: folder.name)
        self._by_name = {folder.name: folder for folder in self.folders}
        self._by_key: dict[str, str] = {}
        for folder in self.folders:
            self._by_key.setdefault(_key(folder.name), folder.name)
        self.mark = _mark(space, replacement)
        inbox = self._by_name.get(self._by_key.get("inbox", ""))
        self.nests_in_inbox = not _prefix_is_inbox(space) and not (inbox and "\\noinferiors" in inbox.attributes)
        self._has_gmail = gmail_stays or any(_in_gmail(_place(folder.name, space)) for folder in self.folders)

    def holds(self, raw: str) -> bool:
        """Whether this very folder is there and can take mail."""
        folder = self._by_name.get(raw)
        return raw == "INBOX" or (folder is not None and folder.selectable)

    def lists(self, raw: str) -> bool:
        """Whether this very name is listed, whatever it is."""
        return raw in self._by_name

    def spelling(self, raw: str) -> str:
        """The name as the target has it, if it has it in other letters; else as given."""
        return raw if raw in self._by_name else self._by_key.get(_key(raw), raw)

    def spell(self, place: _Place) -> str:
        """The raw name of a place that this target can spell."""
        return _spelled(place, self.space, self.mark)

    def beneath(self, parent: _Place, parts: Iterable[str]) -> _Place:
        """The place reached from `parent` by `parts`, in names that this target can spell."""
        place = parent
        for part in parts:
            name = self.component(part)
            if place.parts and self._takes_no_children(place):
                place = replace(place, parts=(*place.parts[:-1], f"{place.parts[-1]}{self.mark}{name}"))
            else:
                place = replace(place, parts=(*place.parts, name))
        if place.below_inbox and place.parts and not self.nests_in_inbox:
            return replace(place, below_inbox=False)
        return place

    def component(self, part: str) -> str:
        """One component without the target's separator."""
        return part.replace(self.space.separator, self.mark) if self.space.separator else part

    def natural(self, place: _Place) -> _Place:
        """Where a source folder stands here if nobody renames it or a folder above it."""
        if _in_gmail(place) and not self._has_gmail:
            place = replace(place, parts=place.parts[1:])  # all else in Gmail is a label, which stands at the top
        return self.beneath(_INBOX if place.below_inbox else _Place(()), place.parts)

    def with_role(self, role: str, taken: Collection[str]) -> tuple[list[Folder], list[Folder]]:
        """Folders that can take this role's mail: those the server marks, and those only their name tells."""
        usable = [folder for folder in self.folders if folder.selectable and _key(folder.name) not in taken]
        marked = [folder for folder in usable if role in folder.attributes]
        named = [
            folder
            for folder in usable
            if not folder.attributes.intersection(ROLES) and _role(folder, _place(folder.name, self.space)) == role
        ]
        return marked, named

    def _takes_no_children(self, place: _Place) -> bool:
        folder = self._by_name.get(self.spell(place))
        return folder is not None and "\\noinferiors" in folder.attributes


def _in_gmail(place: _Place) -> bool:
    """Whether a place is Gmail's root of its own folders, or below it."""
    return bool(place.parts) and not place.below_inbox and _is_gmail_root(place.parts[0])


def _is_gmail_root(part: str) -> bool:
    return part.lower() in _GMAIL_ROOTS


def _role(folder: Folder, place: _Place) -> str | None:
    """The role the server marks; without a mark, what the name says."""
    marks = [role for role in ROLES if role in folder.attributes]
    if marks:
        return marks[0]
    return role_of(place.parts[0]) if place.is_top else None


# -- choosing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Moving:
    """A source folder that is to be moved."""

    folder: Folder
    place: _Place

    def order(self) -> tuple[int, str, str]:
        """Parents first, then by name, the same for the same folders in any order."""
        return self.place.depth, folded(self.place.shown), self.folder.name

    def fullness(self) -> tuple[int, str]:
        return self.folder.messages or 0, self.folder.name


@dataclass(frozen=True, slots=True)
class _Choice:
    """A raw target name and why it is not the source's own."""

    raw: str
    why: str = ""


class _Choosing:
    """One plan in the making: who has been given which name."""

    def __init__(
        self,
        ground: _Ground,
        moving: Sequence[_Moving],
        rules: FolderRules,
        settled: Mapping[str, str],
        moved: Collection[str],
    ) -> None:
        self._ground = ground
        self._moving = moving
        self._rules = rules
        self._settled = settled
        self._kept = {name: settled[name] for name in moved if name in settled}
        self._choices: dict[str, _Choice] = {}  # by raw source name
        self._places: dict[_Place, _Place] = {}  # of the source, to where it went
        self._merging: dict[str, str] = {}  # by key: names the map sends folders to; others may join them
        self._claimed = {"INBOX"}  # names that are one folder's own
        self._claimed_keys = {"inbox"}

    def choose(self) -> Iterator[tuple[_Moving, _Choice]]:
        """A choice for each, in the order given."""
        for each in self._moving:
            if decided := self._told(each):
                self._decide(each, decided)
        for each in self._undecided():
            if each.folder.name in self._settled:
                self._claim(each, _Choice(self._settled[each.folder.name], "as in the pass before"))
            elif each.place.is_inbox:
                self._claim(each, _Choice("INBOX"))
        for role in ROLES:
            self._give_role(role)
        for depth in sorted({each.place.depth for each in self._undecided()}):
            self._place_level([each for each in self._undecided() if each.place.depth == depth])
        return ((each, self._choices[each.folder.name]) for each in self._moving)

    # The map ---------------------------------------------------------------------------------------------------------

    def _told(self, each: _Moving) -> _Choice | None:
        found = _mapped(each.place.shown, self._rules.map)
        if found is None:
            return None
        name, rule = found
        parts = [part for part in name.split("/") if part]
        if not parts:
            raise PlanError(
                f'folders.map sends "{each.place.shown}" to "{name}", which names no folder.',
                remedy="Write the name the folder shall have at the target, or list it under except to leave it out.",
            )
        inbox = parts[0].upper() == "INBOX"
        place = self._ground.beneath(_INBOX if inbox else _Place(()), parts[inbox:])
        raw = self._ground.spelling(self._ground.spell(place))
        kept = self._kept.get(each.folder.name, raw)
        if kept != raw:
            raw, rule = kept, f"as in the pass before, for its messages are there (not {rule})"
        return _Choice(self._merging.setdefault(_key(raw), raw), rule)

    # Roles ----------------------------------------------------------------------------------------------------------

    def _give_role(self, role: str) -> None:
        """One source folder takes the target's folder of this role; the others keep their names."""
        players = [each for each in self._undecided() if _role(each.folder, each.place) == role]
        if not players:
            return
        ground = self._ground
        own = {each.folder.name: _key(ground.spell(ground.natural(each.place))) for each in self._undecided()}
        marked, named = ground.with_role(role, self._claimed_keys | self._merging.keys())
        winner = max(players, key=lambda each: (role in each.folder.attributes, -each.place.depth, each.fullness()))
        if marked:
            goal = max(marked, key=_fullness)
            namesakes = [each for each in players if own[each.folder.name] == _key(goal.name)]
            if namesakes and role not in winner.folder.attributes:
                # Nothing but a count speaks for the fuller one, and the other would lose the name that fits.
                winner = max(namesakes, key=_Moving.fullness)
            self._claim(winner, _Choice(goal.name, _role_why(role)))
            return
        names = own.values()
        if any(_key(folder.name) == own[winner.folder.name] for folder in named):
            return  # by its own name it arrives where it should
        # A name that belongs to another source folder is that one's, there now or created by this run.
        free = [folder for folder in named if _key(folder.name) not in names]
        if free:
            self._claim(winner, _Choice(max(free, key=_fullness).name, _role_why(role)))

    # Names ----------------------------------------------------------------------------------------------------------

    def _place_level(self, level: Sequence[_Moving]) -> None:
        """Names for the folders of one depth: those that can have their own first, then those whose name is taken."""
        wanted = {each.folder.name: self._wanted(each) for each in level}
        raws = {name: self._ground.spell(place) for name, place in wanted.items()}

        def claim_order(each: _Moving) -> tuple[bool, bool, tuple[int, str, str]]:
            raw, place = raws[each.folder.name], wanted[each.folder.name]
            return not self._ground.lists(raw), place.parts[-1:] != each.place.parts[-1:], each.order()

        crowded = []
        for each in sorted(level, key=claim_order):
            raw = raws[each.folder.name]
            if self._is_free(raw):
                chosen = raw if raw in self._merging.values() else self._ground.spelling(raw)
                self._claim(each, _Choice(chosen, self._why(each, chosen)))
            else:
                crowded.append(each)
        for each in sorted(crowded, key=_Moving.order):  # numbers do not depend on what is listed already
            avoided = self._claimed_keys | self._merging.keys()
            place = wanted[each.folder.name]
            raw = self._ground.spelling(_first_free(place, self._ground.space, avoided, self._ground.mark))
            taken = _place(raws[each.folder.name], self._ground.space).shown
            self._claim(each, _Choice(raw, f'"{taken}" is taken by another folder'))

    def _wanted(self, each: _Moving) -> _Place:
        """Below the folder it is below at the source, wherever that went; else by its own name."""
        for above, parts in each.place.above():
            if above in self._places:
                return self._ground.beneath(self._places[above], parts)
        return self._ground.natural(each.place)

    def _is_free(self, raw: str) -> bool:
        key = _key(raw)
        if key in self._claimed_keys:
            # A target that lists both spellings tells them apart.
            told_apart = self._ground.lists(raw) and key not in {"inbox", *self._merging}
            return told_apart and raw not in self._claimed
        return key not in self._merging or raw in self._merging.values()

    def _why(self, each: _Moving, raw: str) -> str:
        """Why a folder that has its name of choice shows another one."""
        ground = self._ground
        place = _place(raw, ground.space)
        if place.shown == each.place.shown:
            return ""
        reasons = []
        if _in_gmail(each.place) and not _in_gmail(place):
            reasons.append("the target has no [Gmail] to hold it")
        if each.place.below_inbox and not ground.nests_in_inbox:
            reasons.append("INBOX cannot hold folders at the target")
        if any(ground.component(part) != part for part in each.place.parts):
            reasons.append(f'"{ground.space.separator}" separates folders at the target')
        if not ground.space.separator and each.place.depth > 1:
            reasons.append("folders do not nest at the target")
        if any(above in self._places and above.shown != self._places[above].shown for above, _ in each.place.above()):
            reasons.append("it stays below its parent folder")
        return "; ".join(reasons) or "the target spells it so"

    # Book-keeping ----------------------------------------------------------------------------------------------------

    def _undecided(self) -> list[_Moving]:
        return [each for each in self._moving if each.folder.name not in self._choices]

    def _decide(self, each: _Moving, choice: _Choice) -> None:
        place = _place(choice.raw, self._ground.space)
        same = place.shown == each.place.shown
        self._choices[each.folder.name] = replace(choice, why="") if same else choice
        self._places[each.place] = place

    def _claim(self, each: _Moving, choice: _Choice) -> None:
        self._decide(each, choice)
        self._claimed.add(choice.raw)
        self._claimed_keys.add(_key(choice.raw))


def _role_why(role: str) -> str:
    return f"it is the target's {role.lstrip(_BACKSLASH)} folder"


def _fullness(folder: Folder) -> tuple[int, str]:
    return folder.messages or 0, folder.name


def _first_free(place: _Place, space: Namespace, avoided: Collection[str], joint: str = "_") -> str:
    """The place's raw name, with the first number behind it that makes it none of `avoided`."""
    raw, number = _spelled(place, space, joint), 1
    while _key(raw) in avoided:
        number += 1
        *above, last = place.parts
        raw = _spelled(replace(place, parts=(*above, f"{last} ({number})")), space, joint)
    return raw


def _merged(plans: Iterable[FolderPlan]) -> list[FolderPlan]:
    """The plans, each knowing who shares its target."""
    listed = list(plans)
    together: dict[str | None, list[FolderPlan]] = defaultdict(list)
    for plan in listed:
        together[plan.target].append(plan)
    return [
        replace(plan, merged_with=tuple(other.shown_source for other in together[plan.target] if other is not plan))
        for plan in listed
    ]


def _creation_order(plan: FolderPlan, space: Namespace) -> tuple[bool, list[str], str]:
    place = _place(plan.target or "", space)
    return not place.is_inbox, [folded(part) for part in place.shown.split("/")], plan.source.name


# -- rules of the plan ------------------------------------------------------------------------------------------------


def _why_left_out(folder: Folder, place: _Place, rules: FolderRules) -> Iterator[str]:
    """What speaks against moving a folder."""
    if not folder.selectable:
        yield "it holds folders only, no mail"
    if not place.depth:
        yield "it is the root of all folders, not one of them"
    if not place.personal and not rules.shared:
        yield "it is shared by others; the plan does not ask for shared folders"
    if pattern := _first_match(place.shown, rules.except_):
        yield f"except: {pattern}"
    if rules.only and not _first_match(place.shown, rules.only):
        yield "it is not among only"
    view = next((mark for mark in _VIEWS if mark in folder.attributes), None)
    if view and _mapped(place.shown, rules.map) is None:
        yield f"it shows {_VIEWS[view]} of other folders and holds none of its own"


def _first_match(name: str, patterns: Iterable[str]) -> str:
    return next((pattern for pattern in patterns if _match(pattern, name)), "")


def _mapped(name: str, rules: Mapping[str, str]) -> tuple[str, str] | None:
    """The name the map gives, and the rule as written; None if it says nothing about this one."""
    exact_first = sorted(rules.items(), key=lambda rule: "*" in rule[0] or "?" in rule[0])
    for pattern, goal in exact_first:
        if match := _match(pattern, name):
            wildcards = [sign for sign in pattern if sign in "*?"]
            texts = (text for text, sign in zip(match.groups(), wildcards, strict=True) if sign == "*")
            return _filled(goal, texts), f"map: {pattern} to {goal}"
    return None


def _filled(goal: str, texts: Iterable[str]) -> str:
    """The goal with each `*` replaced by its text; one that has none is left out."""
    remaining = iter(texts)
    return "".join(next(remaining, "") if sign == "*" else sign for sign in goal)


def _match(pattern: str, name: str) -> re.Match[str] | None:
    expression = "".join({"*": "(.*)", "?": "(.)"}.get(sign, re.escape(sign)) for sign in _inbox_in_capitals(pattern))
    return re.fullmatch(expression, normalize("NFC", name), re.DOTALL)


def _inbox_in_capitals(pattern: str) -> str:
    text = normalize("NFC", pattern)
    first, slash, rest = text.partition("/")
    return f"INBOX{slash}{rest}" if first.upper() == "INBOX" else text


# -- repairs ----------------------------------------------------------------------------------------------------------

# Each refused by Cyrus, Courier, Gmail or Exchange; `_` is taken everywhere.
_REFUSED_SIGNS = re.compile(r'["\\%*^,;{}<>|&/]')
_ALL_BUT_PLAIN = re.compile(r"[^A-Za-z0-9 ()_-]")
_LONGEST_PART = 40  # letters, Gmail's web interface
_DEEPEST = 3  # levels, GMX and WEB.DE


def _without_odd_blanks(parts: Iterable[str]) -> Iterator[str]:
    """No control characters, no blanks at the edges or in a row; letters composed."""
    for part in parts:
        plain = "".join(" " if category(sign) in {"Cc", "Cf", "Zs", "Zl", "Zp"} else sign for sign in part)
        yield " ".join(normalize("NFC", plain).split())


def _without_refused_signs(parts: Iterable[str]) -> Iterator[str]:
    """No sign that some server refuses in a name."""
    return (_REFUSED_SIGNS.sub("_", part) for part in parts)


def _shorter(parts: Sequence[str]) -> Iterator[str]:
    """No more levels, no longer parts, than the strictest servers take; what lies deeper is joined into one."""
    near, deep = parts[: _DEEPEST - 1], parts[_DEEPEST - 1 :]
    return (part[:_LONGEST_PART].rstrip() for part in (*near, "_".join(deep)) if part)


def _in_plain_letters(parts: Iterable[str]) -> Iterator[str]:
    """Letters of English, digits, and the few signs nobody objects to; letters lose their accents."""
    for part in parts:
        bare = "".join(sign for sign in normalize("NFKD", part) if not combining(sign))
        yield _ALL_BUT_PLAIN.sub("_", bare).strip()
