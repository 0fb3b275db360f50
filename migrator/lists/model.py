"""A mailing list as data, in words that fit Mailman 2.1, Mailman 3 and plain tables.

Addresses are kept as they were typed, but for the domain, which is an A-label (`xn--...`) in lower case; two are the same if they differ
only in case. A setting that is None is not told: as a source's it says nothing, in `configure` it stays as it is at the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields, replace
from enum import Enum
from typing import Any

from migrator.frozen import dataclass
from migrator.panel.model import KEPT, How, Keep, PasswordPolicy, lost

EVERY_DIALECT = "*"  # of a product that keeps whatever only others have, such as a file
OWN = "own."  # before the name of a setting that only one product has

# -- people -----------------------------------------------------------------------------------------------------------


class Role(Enum):
    """How somebody belongs to a list."""

    MEMBER = "member"
    OWNER = "owner"
    MODERATOR = "moderator"
    NONMEMBER = "nonmember"  # is no member and has a treatment of his own all the same


class Delivery(Enum):
    """How a member gets what is posted."""

    REGULAR = "regular"
    MIME_DIGEST = "MIME digest"
    PLAIN_DIGEST = "plain digest"
    SUMMARY_DIGEST = "summary digest"


class Stopped(Enum):
    """Who stopped the delivery to a member."""

    BY_USER = "by the member"
    BY_ADMIN = "by an admin"
    BY_BOUNCES = "by bounces"
    UNKNOWN = "nobody knows by whom"


class Treatment(Enum):
    """What becomes of a post. DEFER leaves it to the list's other rules, which then let it pass; ACCEPT lets it pass before them."""

    DEFER = "defer"
    ACCEPT = "accept"
    HOLD = "hold"
    REJECT = "reject"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody on a list. The defaults are what a product without such an option does.

    `stopped` is None while mail is delivered. `moderation` is None where the list's own rule for members (or for others) holds; one that
    works out to the list's rule at a product which keeps it with every member is told as it works out. `language` is "" where it is the
    list's. `own_posts`: gets his own posts back. `list_copies`: gets the list's copy of what was addressed to him as well (Mailman 2.1's
    "nodupes", turned around).
    """

    address: str
    name: str = ""
    role: Role = Role.MEMBER
    delivery: Delivery = Delivery.REGULAR
    stopped: Stopped | None = None
    moderation: Treatment | None = None
    hidden: bool = False
    acknowledge: bool = False
    own_posts: bool = True
    list_copies: bool = True
    language: str = ""

    @property
    def key(self) -> str:
        """What tells one from others of the same role."""
        return self.address.lower()


NEUTRAL_MEMBER = Member("")
MEMBER_OPTIONS = tuple(one.name for one in fields(Member) if one.name not in {"address", "role"})


@dataclass(frozen=True, slots=True)
class Put:
    """What became of somebody who was put on a list, changed or removed: done, or `refused` in the product's words. `lacking` are its words
    about options it did not take of somebody who is on the list now. `already` says that he was there before and was left as he is.
    """

    refused: str = ""
    lacking: str = ""
    remedy: str = ""
    already: bool = False


# -- the list ---------------------------------------------------------------------------------------------------------


class Joining(Enum):
    """What somebody has to pass who joins or leaves."""

    OPEN = "open"
    CONFIRM = "confirm"
    MODERATE = "moderate"
    CONFIRM_THEN_MODERATE = "confirm, then moderate"


class Archive(Enum):
    """Who reads the archive."""

    NEVER = "never"
    PRIVATE = "private"
    PUBLIC = "public"


class ReplyTo(Enum):
    """Where answers go. ADDRESS adds `reply_to_address` to the poster's own, ADDRESS_ONLY puts it in its place."""

    POSTER = "poster"
    LIST = "list"
    ADDRESS = "address"
    ADDRESS_ONLY = "address only"


class Visibility(Enum):
    """Who may see the members."""

    PUBLIC = "public"
    MEMBERS = "members"
    MODERATORS = "moderators"


class Dmarc(Enum):
    """What is done for posters whose domain's DMARC policy forbids what a list does."""

    NOTHING = "nothing"
    MUNGE_FROM = "munge From"
    WRAP = "wrap"
    REJECT = "reject"
    DISCARD = "discard"


class Frequency(Enum):
    """How often a digest's volume number grows."""

    YEARLY = "yearly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    WEEKLY = "weekly"
    DAILY = "daily"


class AutoReply(Enum):
    """Whether the list answers by itself, and whether what it answers goes on then."""

    NONE = "none"
    AND_DISCARD = "and discard"
    AND_CONTINUE = "and continue"


class FilterAction(Enum):
    """What becomes of a post of which the content filter leaves nothing."""

    DISCARD = "discard"
    REJECT = "reject"
    FORWARD = "forward"
    PRESERVE = "preserve"


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """A pattern that is looked for in a post's header, and what becomes of a post in which it is found."""

    pattern: str
    treatment: Treatment


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is set for a whole list. Owners and moderators are people of these roles, and so are nonmembers with a treatment of their
    own; here stand only the patterns (`^...`, `@another-list`) of the same four kinds.

    `own` holds what only one product has (Mailman 2.1's topics), under that product's own name and in its own spelling, as far as it is
    not as the product has it by itself. It goes to another product of the same `Features.dialect` alone.
    """

    # what it says of itself
    display_name: str | None = None
    description: str | None = None
    info: str | None = None
    subject_prefix: str | None = None
    language: str | None = None
    languages: tuple[str, ...] | None = None
    advertised: bool | None = None
    members_visible_to: Visibility | None = None
    # who may join, leave and post
    joining: Joining | None = None
    leaving: Joining | None = None
    joins_unmoderated: tuple[str, ...] | None = None  # subscribe_auto_approval
    banned: tuple[str, ...] | None = None  # addresses and ^patterns
    member_treatment: Treatment | None = None  # of members without one of their own
    nonmember_treatment: Treatment | None = None
    accepted_patterns: tuple[str, ...] | None = None
    held_patterns: tuple[str, ...] | None = None
    rejected_patterns: tuple[str, ...] | None = None
    discarded_patterns: tuple[str, ...] | None = None
    member_rejection_text: str | None = None
    nonmember_rejection_text: str | None = None
    emergency: bool | None = None  # every post is held
    explicit_destination: bool | None = None  # the list has to stand in To or Cc
    aliases: tuple[str, ...] | None = None  # or one of these
    administrivia: bool | None = None  # posts that look like commands are held
    largest_message: int | None = None  # KB, 0 without a limit
    most_recipients: int | None = None  # 0 without a limit
    header_rules: tuple[HeaderRule, ...] | None = None
    days_to_hold: int | None = None  # 0 for ever
    # what becomes of a post
    anonymous: bool | None = None
    reply_to: ReplyTo | None = None
    reply_to_address: str | None = None
    strips_reply_to: bool | None = None
    list_headers: bool | None = None  # RFC 2369
    list_post_header: bool | None = None
    dmarc: Dmarc | None = None
    dmarc_always: bool | None = None  # whatever the poster's domain says
    dmarc_rejection_text: str | None = None
    dmarc_wrapping_text: str | None = None
    header: str | None = None
    footer: str | None = None
    filters_content: bool | None = None
    filter_types: tuple[str, ...] | None = None
    pass_types: tuple[str, ...] | None = None
    filter_extensions: tuple[str, ...] | None = None
    pass_extensions: tuple[str, ...] | None = None
    collapses_alternatives: bool | None = None
    html_to_text: bool | None = None
    filter_action: FilterAction | None = None
    # digests and archive
    digests: bool | None = None
    digest_by_default: bool | None = None
    digest_size: int | None = None  # KB, 0 without a limit
    digest_daily: bool | None = None  # also before it is full
    digest_volume: Frequency | None = None
    digest_header: str | None = None
    digest_footer: str | None = None
    archive: Archive | None = None
    # bounces
    processes_bounces: bool | None = None
    bounce_score: float | None = None
    bounce_forget_days: int | None = None
    bounce_warnings: int | None = None
    bounce_warning_days: int | None = None
    tells_owner_of_strange_bounces: bool | None = None
    tells_owner_of_stopped: bool | None = None
    tells_owner_of_bounced_off: bool | None = None
    # what it writes to people by itself
    welcomes: bool | None = None
    welcome_text: str | None = None
    says_goodbye: bool | None = None
    goodbye_text: str | None = None
    tells_owner_of_requests: bool | None = None
    tells_owner_of_changes: bool | None = None  # somebody joined or left
    tells_owner_of_discards: bool | None = None
    tells_poster_of_hold: bool | None = None
    replies_to_posts: AutoReply | None = None
    reply_to_posts_text: str | None = None
    replies_to_owner_mail: AutoReply | None = None
    reply_to_owner_mail_text: str | None = None
    replies_to_requests: AutoReply | None = None
    reply_to_requests_text: str | None = None
    reply_again_after_days: int | None = None
    own: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:  # Any: the field's own type
        """What is told, by the name of the field; `own` settings as `own.<name>`."""
        values = {name: getattr(self, name) for name in SETTINGS}
        given = {name: value for name, value in values.items() if value is not None}
        return given | {f"{OWN}{name}": value for name, value in self.own.items()}


SETTINGS = tuple(one.name for one in fields(Settings) if one.name != "own")


def settings_of(told: Mapping[str, Any]) -> Settings:  # Any: as in told()
    """The settings of which `told` tells these."""
    given = {name: value for name, value in told.items() if not name.startswith(OWN)}
    return Settings(
        **given, own={name.removeprefix(OWN): value for name, value in told.items() if name.startswith(OWN)}
    )


@dataclass(frozen=True, slots=True)
class MailingList:
    """A list as a listing shows it. `members` is how many it has, None where the listing does not tell. `somewhere` says that its name is
    known and its domain is not, because it could not be opened.
    """

    address: str
    members: int | None = None
    somewhere: bool = False

    @property
    def key(self) -> str:
        """What tells it from others."""
        return self.address.lower()


@dataclass(frozen=True, slots=True)
class Features:
    """What a product does with lists. An adapter has one as FEATURES; a session's may say less.

    `tells` and `keeps` name the fields ("member.hidden", "list.welcome_text") that do not simply pass: what the product cannot tell as a
    source, what it has no place for (lost) or keeps in another form (changed) as a target, and why. They are told once for each list.
    `dialect` names the family that shares `Settings.own`, EVERY_DIALECT what keeps everybody's. `noisy` are settings that make the product
    write to people when members are added or removed through this adapter, so that they have to be off meanwhile; `sends` says that it
    sends mail at all, so that posts can be held. `at_once` is how many members one request can bring; `configures_at_once` how many
    settings. `creates` says that lists can be made; where they have a password, `list_password` says what it has to look like. `asks_panel`
    says that the session wants the endpoint's panel (see AsksPanel), `knows_addresses` that it fulfils KnowsAddresses, `makes_domains`
    MakesDomains, `foresees_refusals` ForeseesRefusals. `shares_names` says that somebody has one name, whatever lists he is on, and that the
    session fulfils KnowsNames; `staff_are_members` that whoever is owner or moderator is among the members as well. `fewer_than` says that only lists of fewer members are made there, 0
    that it does not matter. `usual(address, told)` is what a list of that name has where nobody has set anything.
    """

    title: str
    dialect: str = ""
    roles: frozenset[Role] = frozenset(Role)
    tells: Mapping[str, Keep] = field(default_factory=dict)
    keeps: Mapping[str, Keep] = field(default_factory=dict)
    noisy: frozenset[str] = frozenset()
    sends: bool = True
    at_once: int = 100
    configures_at_once: int = 200
    creates: bool = True
    list_password: PasswordPolicy | None = None
    inherits_moderation: bool = True
    asks_panel: bool = False
    knows_addresses: bool = False
    makes_domains: bool = False
    foresees_refusals: bool = False
    fewer_than: int = 0
    shares_names: bool = False
    staff_are_members: bool = False
    usual: Callable[[str, Mapping[str, Any]], Mapping[str, Any]] = (
        lambda _address, _told: {}
    )  # Any: a setting's own type

    def shares_own_with(self, other: Features) -> bool:
        """Whether what only this product has (`Settings.own`) can go to the other one."""
        dialects = {self.dialect, other.dialect}
        return "" not in dialects and (len(dialects) == 1 or EVERY_DIALECT in dialects)

    def told(self, field_name: str) -> Keep:
        """What becomes of a field when this product is the source."""
        return self.tells.get(field_name, KEPT)

    def kept(self, field_name: str) -> Keep:
        """What becomes of a field when this product is the target."""
        return self.keeps.get(field_name, KEPT)


def member_without_lost(member: Member, features: Features) -> Member:
    """The member without the options that the product has no place for (`member.<option>` among `features.keeps`): the greater part of
    most adapters' `as_kept`.
    """
    if not features.keeps:
        return member
    gone = {name for name in MEMBER_OPTIONS if features.kept(f"member.{name}").how is How.LOST}
    return replace(member, **{name: getattr(NEUTRAL_MEMBER, name) for name in gone}) if gone else member


def settings_without_lost(settings: Settings, features: Features) -> Settings:
    """The settings without those the product has no place for (`list.<setting>` among `features.keeps`)."""
    told = settings.told()
    return settings_of({name: told[name] for name in told if features.kept(f"list.{name}").how is not How.LOST})


def without_settings(why: str) -> dict[str, Keep]:
    """For `Features.keeps` of a product that has members alone: no setting of a list has a place, and why."""
    return {f"list.{name}": lost(why) for name in SETTINGS}
