"""The promises of `migrator/lists/contract.py` as tests, for every adapter of lists: ours and those of plug-in authors.

    class TestMailman3(ListContract):
        adapter = mailman3.ADAPTER
        cannot = {"language": "the server under test has English alone"}

        @pytest.fixture
        def options(self, server): return mailman3.Options(url=server.url, ...)

        @pytest.fixture
        def mails(self, sink): return lambda: sink.count

Every test has a list of its own. `mails` counts what the product has handed to a mail server: after every test it has to be what it was
before. Members and settings are compared as the product keeps them (`as_kept`). What a product cannot is said in `cannot`, by trait (a
key of MEMBERS or SETTINGS, "banned", "apart": owners are no members) with the reason; then whoever it is about still has to be there or be refused in words.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import fields, replace
from secrets import token_hex
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import NotFound, Refused
from migrator.lists.contract import THE_LISTS, ForeseesRefusals, KnowsAddresses, KnowsNames, ListReader, ListWriter
from migrator.lists.model import (
    NEUTRAL_MEMBER,
    Archive,
    Delivery,
    Dmarc,
    Features,
    HeaderRule,
    Joining,
    Member,
    Put,
    ReplyTo,
    Role,
    Settings,
    Stopped,
    Treatment,
    Visibility,
    settings_of,
)

Opens = Callable[[], closing[ListReader]]
Passes = Callable[[str], bool]
OWNER = "owner@example.com"
PASSWORD = SecretStr("Xq7-vLm.29tRz+Kd4w_Q")
_NUMBERS = itertools.count(1)
_RUN = token_hex(3)  # a living server keeps what an earlier run made

ANN = Member("ann@example.com", "Ann Doe", moderation=Treatment.DEFER)
MEMBERS: Mapping[str, Member] = {
    "plain": ANN,
    "no-name": replace(ANN, name=""),
    "umlauts": replace(ANN, name="Jürgen Größe-Maß"),
    "far-scripts": replace(ANN, name="王 小明 שלום 😀"),
    "quotes": replace(ANN, name='Ann "the list" Doe, Jr.'),
    "markup": replace(ANN, name="Ann <b>&amp; Bob</b> & Söhne"),
    "long-name": replace(ANN, name="Ann " * 50 + "Doe"),
    "mixed-case": replace(ANN, address="Ann.Doe@example.com"),
    "plus": replace(ANN, address="ann+list@example.com"),
    "odd-letters": replace(ANN, address="o'neill_#1=x@example.com"),
    "digit-first": replace(ANN, address="007@example.com"),
    "other-domain": replace(ANN, address="ann@xn--mller-kva.example"),
    "mime-digest": replace(ANN, delivery=Delivery.MIME_DIGEST),
    "plain-digest": replace(ANN, delivery=Delivery.PLAIN_DIGEST),
    "stopped-by-user": replace(ANN, stopped=Stopped.BY_USER),
    "stopped-by-admin": replace(ANN, stopped=Stopped.BY_ADMIN),
    "stopped-by-bounces": replace(ANN, stopped=Stopped.BY_BOUNCES),
    "moderated": replace(ANN, moderation=Treatment.HOLD),
    "by-the-lists-rule": replace(ANN, moderation=None),
    "hidden": replace(ANN, hidden=True),
    "acknowledge": replace(ANN, acknowledge=True),
    "no-own-posts": replace(ANN, own_posts=False),
    "no-list-copies": replace(ANN, list_copies=False),
    "language": replace(ANN, language="de"),
    "everything": Member(
        "Ann.Everything@example.com",
        "Ann Ñandú",
        delivery=Delivery.PLAIN_DIGEST,
        stopped=Stopped.BY_USER,
        moderation=Treatment.HOLD,
        hidden=True,
        acknowledge=True,
        own_posts=False,
        list_copies=False,
    ),
}
SETTINGS: Mapping[str, Settings] = {
    "display-name": Settings(display_name="Announce-Everything"),
    "description": Settings(description="News & more of 'Example', \"quoted\""),
    "description-in-umlauts": Settings(description="Neues für Größe, 王"),
    "info": Settings(info="First line.\nSecond line, with ümlauts.\n\nFourth."),
    "subject-prefix": Settings(subject_prefix="[News] "),
    "not-advertised": Settings(advertised=False),
    "members-visible": Settings(members_visible_to=Visibility.MODERATORS),
    **{f"joining-{one.name.lower()}": Settings(joining=one) for one in Joining},
    "banned": Settings(banned=("spam@example.com", "^.*@spam\\.example$")),
    **{f"member-treatment-{one.name.lower()}": Settings(member_treatment=one) for one in Treatment},
    **{f"nonmember-treatment-{one.name.lower()}": Settings(nonmember_treatment=one) for one in Treatment},
    "accepted-patterns": Settings(accepted_patterns=("^.*@friends\\.example$",)),
    "emergency": Settings(emergency=True),
    "explicit-destination": Settings(explicit_destination=False),
    "aliases": Settings(aliases=("^news@.*", "announce@example.org")),
    "administrivia": Settings(administrivia=False),
    "largest-message": Settings(largest_message=1234),
    "most-recipients": Settings(most_recipients=77),
    "header-rules": Settings(header_rules=(HeaderRule("^x-spam-flag: yes", Treatment.DISCARD),)),
    "anonymous": Settings(anonymous=True),
    "reply-to-list": Settings(reply_to=ReplyTo.LIST),
    "reply-to-address": Settings(reply_to=ReplyTo.ADDRESS, reply_to_address="answers@example.com"),
    "strips-reply-to": Settings(strips_reply_to=True),
    "list-headers": Settings(list_headers=False),
    **{f"dmarc-{one.name.lower()}": Settings(dmarc=one) for one in Dmarc},
    "filters-content": Settings(filters_content=True, pass_types=("text/plain", "multipart/alternative")),
    "digests": Settings(digests=False),
    "digest-size": Settings(digest_size=55, digest_daily=False),
    **{f"archive-{one.name.lower()}": Settings(archive=one) for one in Archive},
    "bounces": Settings(processes_bounces=False),
    "bounce-score": Settings(bounce_score=7.0, bounce_forget_days=11, bounce_warnings=2, bounce_warning_days=5),
    "welcomes": Settings(welcomes=False, says_goodbye=False),
    "tells-owner": Settings(tells_owner_of_requests=False, tells_owner_of_changes=True),
}


class ListContract:
    """Inherit, and give `adapter` and the fixture `options`."""

    adapter: Adapter[ListReader, ListWriter]
    cannot: ClassVar[Mapping[str, str]] = {}
    domain: ClassVar[str] = "example.com"

    # -- what a product's test gives

    @pytest.fixture
    def options(self) -> Service:
        """The adapter's options for the product under test."""
        raise NotImplementedError("give the fixture `options` in the class that inherits this suite")

    @pytest.fixture
    def login(self) -> Login:
        return Login(THE_LISTS, THE_LISTS)

    @pytest.fixture
    def mails(self) -> Callable[[], int]:
        """How many mails the product has handed to a mail server so far; 0 for what cannot send any (files)."""
        return lambda: 0

    @pytest.fixture
    def address(self, writer: ListWriter) -> str:
        """An empty list of this test's own."""
        made = self.fresh()
        writer.create_list(made, OWNER, PASSWORD if writer.features.list_password else None)
        self.quieten(writer, made)
        return made

    # -- sessions

    def fresh(self) -> str:
        """The address of a list that is not there."""
        return f"list{next(_NUMBERS)}-{_RUN}@{self.domain}"

    def quieten(self, writer: ListWriter, address: str) -> None:
        """As the step does: what would make the product write to people is off."""
        writer.configure(address, settings_of(dict.fromkeys(writer.features.noisy, False)))

    @pytest.fixture
    def writer(self, options: Service, login: Login) -> Iterator[ListWriter]:
        assert self.adapter.writer is not None
        with closing(self.adapter.writer(options, login)) as session:
            yield session

    @pytest.fixture
    def reading(self, options: Service, login: Login) -> Opens:
        """Opens a session that only reads: it sees what others have written before."""
        return lambda: closing(self.adapter.reader(options, login))

    @pytest.fixture
    def ours(self, record_property: Callable[[str, object], None]) -> Passes:
        """Whether a trait passes; where not, the reason is taken down for the table of adapters and promises."""

        def passes(trait: str) -> bool:
            if trait in self.cannot:
                record_property("product cannot", self.cannot[trait])
            return trait not in self.cannot

        return passes

    @pytest.fixture(autouse=True)
    def nobody_is_written_to(self, mails: Callable[[], int]) -> Iterator[None]:
        """Whatever a test does, not one mail leaves the product."""
        before = mails()
        yield
        assert mails() == before

    # -- lists

    def test_a_new_list_is_listed_and_empty(self, address: str, reading: Opens) -> None:
        with reading() as reader:
            listed = {one.key: one for one in reader.lists()}
            assert listed[address.lower()].members in {0, None}
            assert everybody(reader, address) == []

    @pytest.mark.usefixtures("address")
    def test_every_list_is_listed_once_in_a_stable_order(self, writer: ListWriter, reading: Opens) -> None:
        writer.create_list(self.fresh(), OWNER, PASSWORD if writer.features.list_password else None)
        with reading() as reader:
            keys = [one.key for one in reader.lists()]
            assert keys == [one.key for one in reader.lists()]
        assert len(keys) == len(set(keys)) >= 2

    def test_a_list_that_is_there_is_not_made_again(self, writer: ListWriter, address: str, reading: Opens) -> None:
        writer.add(address, [ANN])
        with pytest.raises(Refused) as raised:
            writer.create_list(address, OWNER, PASSWORD if writer.features.list_password else None)
        assert str(raised.value)
        with reading() as reader:
            assert [one.key for one in everybody(reader, address)] == [ANN.key]

    def test_a_list_that_is_not_there_is_not_found(self, writer: ListWriter) -> None:
        nowhere = self.fresh()
        for ask in (
            lambda: writer.settings(nowhere),
            lambda: everybody(writer, nowhere),
            lambda: writer.add(nowhere, [ANN]),
            lambda: writer.update(nowhere, [ANN]),
            lambda: writer.remove(nowhere, [ANN]),
            lambda: writer.configure(nowhere, Settings(description="x")),
        ):
            with pytest.raises(NotFound) as raised:
                ask()
            assert str(raised.value)

    # -- settings

    @pytest.mark.parametrize("trait", sorted(SETTINGS))
    def test_a_setting_comes_back(
        self, writer: ListWriter, address: str, reading: Opens, ours: Passes, trait: str
    ) -> None:
        wanted = writer.settings_as_kept(SETTINGS[trait]).told()
        if ours(trait) and wanted:
            writer.configure(address, settings_of(wanted))
            with reading() as reader:
                found = reader.settings_as_kept(reader.settings(address)).told()
            assert {name: found.get(name) for name in wanted} == wanted

    def test_what_is_not_told_stays_as_it_is(self, writer: ListWriter, address: str, reading: Opens) -> None:
        writer.configure(address, writer.settings_as_kept(Settings(description="Kept", subject_prefix="[Kept] ")))
        before = writer.settings(address).told()
        writer.configure(address, writer.settings_as_kept(Settings(subject_prefix="[Other] ")))
        writer.configure(address, Settings())
        with reading() as reader:
            after = reader.settings(address).told()
        assert {name for name in before if before[name] != after.get(name)} <= {"subject_prefix"}

    def test_every_setting_that_is_shown_can_be_set_as_shown(
        self, writer: ListWriter, address: str, reading: Opens
    ) -> None:
        shown = writer.settings_as_kept(writer.settings(address))
        writer.configure(address, shown)
        with reading() as reader:
            assert reader.settings_as_kept(reader.settings(address)) == shown

    # -- members come back

    @pytest.mark.parametrize("trait", sorted(MEMBERS))
    def test_a_member_comes_back(
        self, writer: ListWriter, address: str, reading: Opens, ours: Passes, trait: str
    ) -> None:
        sent = self.sent(writer, MEMBERS[trait])
        (put,) = writer.add(address, [sent])
        if put.refused:
            assert not ours(trait), put.refused
            return
        with reading() as reader:
            (found,) = everybody(reader, address)
            if ours(trait):
                assert reader.as_kept(found) == reader.as_kept(sent)
            assert reader.as_kept(reader.as_kept(found)) == reader.as_kept(found)
        assert found.key == sent.key

    def sent(self, writer: ListWriter, member: Member) -> Member:
        """The member as the step gives him: never without a treatment where the product wants one."""
        if member.moderation is None and not writer.features.inherits_moderation:
            return replace(member, moderation=Treatment.DEFER)
        return member

    @pytest.mark.parametrize("role", [Role.OWNER, Role.MODERATOR, Role.NONMEMBER])
    def test_people_of_other_roles_come_back_and_are_no_members(
        self, writer: ListWriter, address: str, reading: Opens, ours: Passes, role: Role
    ) -> None:
        if role not in writer.features.roles:
            return
        treatment = Treatment.DISCARD if role is Role.NONMEMBER else None
        people = [Member(f"{name}@example.com", role=role, moderation=treatment) for name in ("bo", "cy")]
        with reading() as reader:
            before = {one.key for one in everybody(reader, address, role)}
        assert [put.refused for put in writer.add(address, people)] == ["", ""]
        with reading() as reader:
            after = {one.key: one for one in everybody(reader, address, role)}
            assert after.keys() - before == {"bo@example.com", "cy@example.com"}
            assert all(after[one.key].role is role for one in people)
            if role is Role.NONMEMBER:
                assert {after[one.key].moderation for one in people} == {Treatment.DISCARD}
            assert everybody(reader, address) == [] or not ours("apart")
        assert [put.refused for put in writer.remove(address, people[:1])] == [""]
        with reading() as reader:
            assert {one.key for one in everybody(reader, address, role)} - before == {"cy@example.com"}

    def test_many_members_all_come_back_in_a_stable_order(
        self, writer: ListWriter, address: str, reading: Opens
    ) -> None:
        letters = "abcdefghijklmnopqrstuvwxyz0123456789_"
        people = [
            Member(f"{letters[n % 37]}{n}@example.com", f"Person {n}", moderation=Treatment.DEFER) for n in range(130)
        ]
        for start in range(0, len(people), writer.features.at_once):
            puts = writer.add(address, people[start : start + writer.features.at_once])
            assert {put.refused for put in puts} == {""}
        with reading() as reader:
            found = everybody(reader, address)
            assert found == everybody(reader, address)
            listed = {one.key: one.members for one in reader.lists()}[address.lower()]
            if reader.features.knows_addresses:
                assert isinstance(reader, KnowsAddresses)
                assert reader.addresses(address) == {one.key for one in people}
        assert sorted(one.key for one in found) == sorted(one.key for one in people)
        assert {one.key: one.name for one in found} == {one.key: one.name for one in map(writer.as_kept, people)}
        assert listed in {130, None}

    def test_a_roster_streams_pages(self, writer: ListWriter, address: str, reading: Opens) -> None:
        writer.add(address, [ANN])
        with reading() as reader:
            pages = reader.roster(address, Role.MEMBER)
            assert iter(pages) is pages
            assert sum(len(page) for page in pages) == 1

    # -- adding

    def test_adding_nobody_answers_nothing(self, writer: ListWriter, address: str) -> None:
        assert list(writer.add(address, [])) == []
        assert list(writer.update(address, [])) == []
        assert list(writer.remove(address, [])) == []

    def test_what_is_no_address_hinders_nobody(self, writer: ListWriter, address: str, reading: Opens) -> None:
        wrong = replace(ANN, address="no address at all")
        puts = writer.add(address, [wrong, ANN, replace(ANN, address="bob@example.com")])
        assert [bool(put.refused) for put in puts] == [True, False, False]
        with reading() as reader:
            assert {one.key for one in everybody(reader, address)} == {"ann@example.com", "bob@example.com"}

    def test_who_is_banned_is_refused_in_words_and_hinders_nobody(
        self, writer: ListWriter, address: str, reading: Opens
    ) -> None:
        bans = writer.settings_as_kept(Settings(banned=("banned@example.com",)))
        if not bans.told() or "banned" in self.cannot:
            return
        writer.configure(address, bans)
        puts = writer.add(address, [ANN, replace(ANN, address="banned@example.com")])
        assert not puts[0].refused
        assert puts[1].refused
        with reading() as reader:
            assert {one.key for one in everybody(reader, address)} == {"ann@example.com"}

    def test_who_is_foreseen_to_be_refused_is_refused_and_nobody_else_is_foreseen(
        self, writer: ListWriter, address: str
    ) -> None:
        if not writer.features.foresees_refusals:
            return
        assert isinstance(writer, ForeseesRefusals)
        bans = writer.settings_as_kept(Settings(banned=("banned@example.com", "^.*@spam\\.example$"))).banned or ()
        writer.configure(address, writer.settings_as_kept(Settings(banned=bans)))
        odd = (
            "no address at all", "ann", "ann@localhost", "@example.com", "a@b@c.example", "a|b@example.com", "ann@-x.example", "ä@example.com",
            "ann@example..com", "Banned@example.com", "ann@spam.example", "ann@spam.example.com",
        )  # fmt: skip
        people = [*(replace(ANN, address=one) for one in odd), *(self.sent(writer, one) for one in MEMBERS.values())]
        first = list({one.key: one for one in people}.values())
        for one in first:
            foreseen = writer.why_not(address, one, bans)
            (put,) = writer.add(address, [one])
            assert bool(foreseen) <= bool(put.refused), (one.address, foreseen)
        assert all(writer.why_not(address, replace(ANN, address=one), bans) for one in odd[:2])

    def test_who_is_there_already_is_never_changed(self, writer: ListWriter, address: str, reading: Opens) -> None:
        writer.add(address, [ANN])
        other = replace(
            ANN, address="ANN@example.com", name="Somebody Else", delivery=Delivery.MIME_DIGEST, hidden=True
        )
        puts = writer.add(address, [other, replace(ANN, address="bob@example.com")])
        assert [(put.already, put.refused) for put in puts] == [(True, ""), (False, "")]
        with reading() as reader:
            found = {one.key: one for one in everybody(reader, address)}
            assert reader.as_kept(found[ANN.key]) == reader.as_kept(ANN)
        assert len(found) == 2

    def test_the_lists_own_welcome_and_goodbye_reach_nobody(
        self, writer: ListWriter, address: str, reading: Opens
    ) -> None:
        loud = {"welcomes", "says_goodbye", "tells_owner_of_changes", "tells_owner_of_requests"}
        wanted = settings_of(dict.fromkeys(loud - writer.features.noisy, True))
        writer.configure(address, writer.settings_as_kept(wanted))
        writer.add(address, [Member(OWNER, role=Role.OWNER)] if Role.OWNER in writer.features.roles else [])
        writer.add(address, [self.sent(writer, one) for one in (MEMBERS["everything"], MEMBERS["plain"])])
        writer.update(address, [self.sent(writer, replace(ANN, stopped=Stopped.BY_ADMIN))])
        writer.update(address, [ANN])
        writer.remove(address, [ANN])
        with reading() as reader:
            keys = [one.key for one in everybody(reader, address)]
        assert [key for key in keys if key != OWNER or "apart" not in self.cannot] == [MEMBERS["everything"].key]

    def test_who_is_on_two_lists_has_the_name_that_he_got_first_where_names_are_shared(
        self, writer: ListWriter, address: str, reading: Opens
    ) -> None:
        if not writer.features.shares_names:
            return
        assert isinstance(writer, KnowsNames)
        keys = [f"p{n}@example.com" for n in range(60)]
        assert writer.names([*keys, "nobody@example.com"]) == {}
        writer.add(address, [replace(ANN, address=key, name=f"First {key}") for key in keys[:2]])
        other = self.fresh()
        writer.create_list(other, OWNER, PASSWORD if writer.features.list_password else None)
        self.quieten(writer, other)
        writer.add(other, [replace(ANN, address=key, name=f"Second {key}") for key in keys[:2]])
        for asked in (keys, keys[:2]):
            assert writer.names(asked) == {key: f"First {key}" for key in keys[:2]}
        assert refusals(writer.update(other, [replace(ANN, address=keys[0], name="Third")])) == [""]
        with reading() as reader:
            for one in (address, other):
                assert [member.name for member in everybody(reader, one)] == ["Third", f"First {keys[1]}"]

    # -- changing and removing

    @pytest.mark.parametrize("trait", sorted(MEMBERS))
    def test_an_update_changes_every_option_there_and_back(
        self, writer: ListWriter, address: str, reading: Opens, ours: Passes, trait: str
    ) -> None:
        if not ours(trait):
            return
        wanted = self.sent(writer, replace(MEMBERS[trait], address=ANN.address))
        writer.add(address, [ANN, replace(ANN, address="bob@example.com")])
        for sent in (wanted, ANN):
            assert refusals(writer.update(address, [sent])) == [""]
            with reading() as reader:
                found = {one.key: one for one in everybody(reader, address)}
                assert reader.as_kept(found[ANN.key]) == reader.as_kept(sent)
                assert reader.as_kept(found["bob@example.com"]) == reader.as_kept(
                    replace(ANN, address="bob@example.com")
                )

    def test_an_update_adds_nobody(self, writer: ListWriter, address: str, reading: Opens) -> None:
        writer.add(address, [ANN])
        puts = writer.update(address, [replace(ANN, address="nobody@example.com"), replace(ANN, name="Ann Roe")])
        assert [bool(put.refused) for put in puts] == [True, False]
        with reading() as reader:
            (found,) = everybody(reader, address)
            assert found.name == reader.as_kept(replace(ANN, name="Ann Roe")).name

    def test_who_is_removed_is_gone_and_nobody_else(self, writer: ListWriter, address: str, reading: Opens) -> None:
        people = [replace(ANN, address=f"{name}@example.com") for name in ("ann", "Bob", "cara+x", "dan")]
        writer.add(address, people)
        puts = writer.remove(address, [people[1], people[2], replace(ANN, address="nobody@example.com")])
        assert refusals(puts) == ["", "", ""]
        with reading() as reader:
            assert {one.key for one in everybody(reader, address)} == {"ann@example.com", "dan@example.com"}

    # -- reading and sessions

    def test_reading_changes_nothing(self, writer: ListWriter, address: str, reading: Opens) -> None:
        writer.add(address, [ANN, self.sent(writer, MEMBERS["everything"])])
        before = everybody(writer, address), writer.settings(address)
        for _ in range(2):
            with reading() as reader:
                reader.lists()
                for role in sorted(reader.features.roles, key=lambda one: one.value):
                    everybody(reader, address, role)
        assert (everybody(writer, address), writer.settings(address)) == before

    def test_a_session_that_reads_has_no_word_for_writing(self, reading: Opens) -> None:
        words = ("create_list", "configure", "add", "update", "remove")
        with reading() as reader:
            assert not [word for word in words if hasattr(reader, word)]

    def test_closing_twice_is_no_matter(self, options: Service, login: Login) -> None:
        session = self.adapter.reader(options, login)
        session.close()
        session.close()

    # -- what it says of itself

    def test_the_features_name_only_fields_there_are(self, writer: ListWriter) -> None:
        features = writer.features
        assert isinstance(features, Features)
        assert features.title
        assert Role.MEMBER in features.roles
        known = {f"member.{one.name}" for one in fields(Member)} | {f"list.{one.name}" for one in fields(Settings)}
        assert features.keeps.keys() <= known
        assert features.tells.keys() <= known
        assert all(keep.why for keep in (*features.keeps.values(), *features.tells.values()))
        assert features.noisy <= {one.name for one in fields(Settings)}

    def test_what_has_no_place_is_neutral(self, writer: ListWriter) -> None:
        for member in MEMBERS.values():
            kept = writer.as_kept(self.sent(writer, member))
            assert kept.key == member.key
            for name in (
                "delivery",
                "stopped",
                "hidden",
                "acknowledge",
                "own_posts",
                "list_copies",
                "language",
                "name",
            ):
                if writer.features.kept(f"member.{name}") == writer.features.kept("member.address"):
                    assert getattr(kept, name) == getattr(member, name)
        assert writer.as_kept(NEUTRAL_MEMBER).name == ""


def everybody(reader: ListReader, address: str, role: Role = Role.MEMBER) -> list[Member]:
    """Everybody of one role."""
    return [member for page in reader.roster(address, role) for member in page]


def refusals(puts: Sequence[Put]) -> list[str]:
    """The words of each answer."""
    return [put.refused for put in puts]


def differences(wanted: Member, found: Member) -> dict[str, tuple[Any, Any]]:  # Any: an option's own type
    """In which options two members differ."""
    names = [one.name for one in fields(Member) if getattr(wanted, one.name) != getattr(found, one.name)]
    return {name: (getattr(wanted, name), getattr(found, name)) for name in names}
