"""Mailman 2.1 over its web administration keeps the contract's promises, in every charset its pages come in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import ClassVar

import pytest
from pydantic import SecretStr

from migrator.addresses import same_form
from migrator.engine.contract import Login, Service
from migrator.errors import (
    Dropped,
    EndpointRefused,
    LoginRefused,
    Misbehaved,
    NotFound,
    PlanError,
    Refused,
    Unavailable,
)
from migrator.lists.adapters import mailman2
from migrator.lists.contract import THE_LISTS
from migrator.lists.mailman2.spelling import name_as_shown
from migrator.lists.model import (
    AutoReply,
    Delivery,
    Dmarc,
    HeaderRule,
    Joining,
    Member,
    Role,
    Settings,
    Stopped,
    Treatment,
)
from migrator.panel.adapters import cpanel
from migrator.testing.list_suite import ListContract, everybody
from migrator.testing.mailman2.lists import MailingList, Rule
from migrator.testing.mailman2.lists import Member as Kept
from migrator.testing.mailman2.people import NAMES, populate
from migrator.testing.mailman2.server import Mailman2
from migrator.testing.mailman2.words import CHARSETS, words
from migrator.testing.panels.cpanel import CPanel
from migrator.testing.panels.server import Answer, Mishap, Request

NO_LANGUAGE = "a new list offers its own language alone"
CAPITALS = "Mailman 2.1 takes another name only if it differs in capitals"


class TestMailman2(ListContract):
    adapter = mailman2.ADAPTER
    cannot: ClassVar = {"language": NO_LANGUAGE, "display-name": CAPITALS}

    @pytest.fixture
    def mailman(self) -> Iterator[Mailman2]:
        with Mailman2() as server:
            server.open_allowed = True
            yield server

    @pytest.fixture
    def options(self, mailman: Mailman2) -> Service:
        return mailman2.Options(
            url=mailman.base, tls_fingerprint=mailman.fingerprint, site_password=mailman.SITE_PASSWORD
        )

    @pytest.fixture
    def mails(self, mailman: Mailman2) -> Callable[[], int]:
        return lambda: len(mailman.mails)


class TestInRussianOnAnOldServer(TestMailman2):
    """KOI8-R, other letters for why delivery is off, no open lists; a GET with a letter complains, blank fields of plain forms get lost."""

    cannot: ClassVar = {
        **TestMailman2.cannot,
        "umlauts": "ß is not in KOI8-R, and Python 2 takes no such letter beside others",
        "joining-open": "the server allows no open lists",
    }

    @pytest.fixture(autouse=True)
    def old(self, mailman: Mailman2) -> None:
        mailman.language = "ru"
        mailman.open_allowed = mailman.knows_letters = False
        mailman.drops_blank = True


class TestAsAtCPanel(TestMailman2):
    """The port to Python 3: UTF-8, and references in values made safe a second time."""

    @pytest.fixture(autouse=True)
    def ported(self, mailman: Mailman2) -> None:
        mailman.python3 = True
        mailman.charsets = dict.fromkeys(mailman.charsets, "utf-8")


# -- what only this adapter has to get right ---------------------------------------------------------------------------

NEWS = "news@example.com"
LOGIN = Login(THE_LISTS, THE_LISTS)
STOPPED = {
    "enabled": None, "U": Stopped.BY_USER, "A": Stopped.BY_ADMIN, "B": Stopped.BY_BOUNCES, "?": Stopped.UNKNOWN,
}  # fmt: skip


@pytest.fixture
def mailman() -> Iterator[Mailman2]:
    with Mailman2() as server:
        yield server
        assert server.mails == []


def options_for(mailman: Mailman2, **more: object) -> mailman2.Options:
    given = {"lists": (NEWS,), "password": "list-secret", **more}
    return mailman2.Options(url=mailman.base, tls_fingerprint=mailman.fingerprint, **given)


@pytest.fixture
def reading(mailman: Mailman2) -> Callable[..., closing[mailman2.Mailman2Reader]]:
    return lambda **more: closing(mailman2.Mailman2Reader(options_for(mailman, **more), LOGIN))


@pytest.fixture
def writing(mailman: Mailman2) -> Callable[..., closing[mailman2.Mailman2Writer]]:
    return lambda **more: closing(mailman2.Mailman2Writer(options_for(mailman, **more), LOGIN))


def as_model(kept: Kept, one: MailingList) -> Member:
    """What a member of the emulator is in our nouns."""
    digest = Delivery.PLAIN_DIGEST if "plain" in kept.options else Delivery.MIME_DIGEST
    return Member(
        same_form(kept.address),
        name_as_shown(kept.name),
        delivery=digest if kept.digest else Delivery.REGULAR,
        stopped=STOPPED[kept.status],
        moderation=Treatment.HOLD if kept.moderated else Treatment.DEFER,
        hidden="hide" in kept.options,
        acknowledge="ack" in kept.options,
        own_posts="notmetoo" not in kept.options,
        list_copies="nodupes" not in kept.options,
        language="" if kept.language == one.language else kept.language,
    )


@pytest.mark.parametrize("language", ["en", "es", "de", "ru", "ja", "pl", "utf-8", "python3"])
def test_2500_members_of_every_option_are_read_as_they_are_in_any_language(mailman, reading, language: str) -> None:
    if language in {"utf-8", "python3"}:
        mailman.charsets = dict.fromkeys(mailman.charsets, "utf-8")
        mailman.python3 = language == "python3"
    one = mailman.give_list("news", language=language if language in CHARSETS else "de")
    populate(one, 2500 if language == "ru" else 700, languages=("en", "de"))
    with reading() as reader:
        found = everybody(reader, NEWS)
        assert reader.addresses(NEWS) == set(one.members)
    assert {member.key: member for member in found} == {key: as_model(kept, one) for key, kept in one.members.items()}
    assert len(found) == len(one.members)
    assert mailman.written == []


@pytest.mark.parametrize("size", [1, 2, 29, 30, 31, 5000])
def test_a_roster_is_whole_however_large_a_page_is(mailman, reading, size: int) -> None:
    one = mailman.give_list("news", admin_member_chunksize=size)
    for n in range(30):
        one.add(Kept(f"{'abc#+_&%'[n % 8]}{n}@example.com"))
    with reading() as reader:
        assert {member.key for member in everybody(reader, NEWS)} == set(one.members)


# -- names --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ru", "ja", "pl", "utf-8", "python3"])
def test_names_of_all_scripts_arrive_or_are_told(mailman, writing, language: str) -> None:
    if language in {"utf-8", "python3"}:
        mailman.charsets = dict.fromkeys(mailman.charsets, "utf-8")
        mailman.python3 = language == "python3"
    mailman.give_list("news", language=language if language in CHARSETS else "de")
    people = [
        Member(f"p{n}@example.com", name, moderation=Treatment.DEFER, list_copies=False) for n, name in enumerate(NAMES)
    ]
    with writing() as writer:
        puts = writer.add(NEWS, people)
        found = {member.key: member for member in everybody(writer, NEWS)}
    assert found.keys() == {member.key for member in people}  # also those whose name is impossible there
    for put, wanted in zip(puts, people, strict=True):
        same = found[wanted.key].name == name_as_shown(wanted.name)
        assert not put.refused
        assert same != bool(put.lacking), (wanted.name, put.lacking)
    assert len([put for put in puts if put.lacking]) <= (2 if language in {"en", "ru", "pl"} else 0)
    assert {kept.name for kept in mailman.kept["news"].members.values()} >= {
        "Ann Doe",
        "王 小明",
        "Иван Петров",
        "O'Neill; Sons & Co",
    }


# -- pages that are not what they should be ----------------------------------------------------------------------------


def test_a_total_that_is_not_what_was_shown_is_an_error(mailman, reading) -> None:
    populate(mailman.give_list("news"), 100)
    mailman.rewrite = lambda _, page: page.replace(b"100 members total", b"101 members total")
    with reading() as reader, pytest.raises(Misbehaved, match="101 members are stated, and 100 were shown"):
        everybody(reader, NEWS)


def test_a_page_that_shows_fewer_than_it_says_is_an_error(mailman, reading) -> None:
    populate(mailman.give_list("news"), 20)
    row = re.compile(rb'<tr>\n<td><center><INPUT name="plus2%2Btag.*?</tr>', re.DOTALL)
    mailman.rewrite = lambda _, page: row.sub(b"", page)
    with reading() as reader, pytest.raises(Misbehaved, match="says that it shows 20 members, and shows 19"):
        everybody(reader, NEWS)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_page_that_is_cut_off_is_an_error(mailman, reading, share: float) -> None:
    populate(mailman.give_list("news"), 20)

    def cut(request: Request, page: bytes) -> bytes:
        return page[: int(len(page) * share)] if "members/list" in request.path else page

    mailman.rewrite = cut
    with reading() as reader, pytest.raises(Misbehaved, match="cut off"):
        everybody(reader, NEWS)


def test_another_page_in_place_of_the_roster_is_an_error(mailman, reading) -> None:
    populate(mailman.give_list("news"), 20)
    away = Answer(b"<html><body>Under maintenance</body></html>", 200, "text/html")
    mailman.before = lambda request: away if "members" in request.path else None
    with reading() as reader, pytest.raises(Misbehaved, match="no table of members"):
        everybody(reader, NEWS)


def test_somebody_who_joins_meanwhile_makes_it_read_again_later(mailman, reading) -> None:
    one = mailman.give_list("news")
    populate(one, 100)

    def join(request: Request) -> None:
        if "letter=" in request.query:
            mailman.kept["news"].add(Kept(f"late{len(mailman.requests)}@example.com"))

    mailman.before = join
    with reading() as reader, pytest.raises(Unavailable, match="read anew"):
        everybody(reader, NEWS)
    assert Unavailable.retry


def test_a_session_that_ended_is_begun_anew(mailman, reading) -> None:
    one = mailman.give_list("news")
    populate(one, 100)

    def end(_: Request) -> None:
        if len(mailman.requests) % 7 == 0:
            mailman.end_sessions()

    mailman.before = end
    with reading() as reader:
        assert len(everybody(reader, NEWS)) == 100
    assert mailman.attempts == 0


def test_a_cookie_that_never_comes_back_is_told(mailman, reading) -> None:
    mailman.give_list("news")
    mailman.before = lambda request: mailman.end_sessions() if request.method == "GET" else None
    with reading() as reader, pytest.raises(Misbehaved, match="asks for it again"):
        reader.settings(NEWS)


def test_a_server_that_is_no_mailman_is_told(mailman, reading) -> None:
    mailman.before = lambda _: Answer(b"<html><body>It works!</body></html>", 200, "text/html")
    with reading() as reader, pytest.raises(EndpointRefused, match="no web administration of Mailman"):
        reader.settings(NEWS)


def test_a_server_that_moved_is_told_where(mailman, reading) -> None:
    mailman.before = lambda _: Answer(b"", 301, "text/html", {"Location": "https://elsewhere.example.net/mailman/"})
    with reading() as reader, pytest.raises(EndpointRefused, match=r"elsewhere\.example\.net"):
        reader.lists()


@pytest.mark.parametrize("what", ["500", "lost", "before"])
def test_an_answer_that_is_lost_is_looked_up_by_doing_it_again(mailman, writing, what: str) -> None:
    mailman.give_list("news")
    people = [Member(f"p{n}@example.com", moderation=Treatment.DEFER, hidden=True) for n in range(5)]
    with writing() as writer:
        mailman.mishaps.append(Mishap(what, "subscribees"))
        with pytest.raises(Dropped):
            writer.add(NEWS, people)
        puts = writer.add(NEWS, people)
        assert {put.refused for put in puts} == {""}
        assert {put.already for put in puts} == {what != "before"}
        assert [put.refused for put in writer.update(NEWS, people)] == [""] * 5
        assert {member.hidden for member in everybody(writer, NEWS)} == {True}


# -- passwords and lists -------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_once_and_concerns_its_list_alone(mailman, reading, tmp_path) -> None:
    mailman.give_list("news", password="one")
    mailman.give_list("talk", password="two")
    file = tmp_path / "lists.csv"
    file.write_text("list,password\nnews@example.com,wrong\ntalk@example.com,two\n", encoding="utf-8")
    file.chmod(0o600)
    with reading(lists=(), password=None, passwords=file) as reader:
        assert [one.address for one in reader.lists()] == [NEWS, "talk@example.com"]
        for _ in range(3):
            with pytest.raises(LoginRefused, match=r"news@example\.com"):
                reader.settings(NEWS)
        assert everybody(reader, "talk@example.com") == []
    assert mailman.attempts == 1


def test_a_wrong_password_of_the_site_is_called_that(mailman, reading) -> None:
    mailman.give_list("news")
    with (
        reading(password=None, site_password="wrong") as reader,
        pytest.raises(LoginRefused, match="the site's password"),
    ):
        reader.settings(NEWS)


def test_a_file_of_passwords_that_others_may_read_is_not_used(mailman, reading, tmp_path) -> None:
    file = tmp_path / "lists.csv"
    file.write_text("list,password\nnews@example.com,one\n", encoding="utf-8")
    file.chmod(0o644)
    with pytest.raises(PlanError, match="others may read"):
        reading(passwords=file)


def test_no_password_is_ever_in_a_url(mailman, writing) -> None:
    mailman.give_list("news")
    with writing() as writer:
        writer.add(NEWS, [Member("ann@example.com", moderation=Treatment.DEFER)])
        everybody(writer, NEWS)
    assert not [request for request in mailman.requests if "secret" in request.query + request.path]


def test_a_list_at_cpanel_is_found_under_its_name_with_the_domain(mailman, reading) -> None:
    one = mailman.give_list("news_example.com")
    one.add(Kept("ann@example.com"))
    with reading(lists=()) as reader:
        assert [found.address for found in reader.lists()] == [NEWS]
        assert [member.key for member in everybody(reader, NEWS)] == ["ann@example.com"]


def test_a_list_of_the_same_name_in_another_domain_is_another_list(mailman, writing) -> None:
    one = mailman.give_list("news", host_name="lists.example.org")
    with writing() as writer, pytest.raises(NotFound, match=r"it is news@lists\.example\.org"):
        writer.add(NEWS, [Member("ann@example.com")])
    assert one.members == {}


def test_an_old_mailman_says_with_status_200_that_there_is_no_such_list(mailman, reading) -> None:
    mailman.give_list("news")
    mailman.not_found = 200
    with reading(lists=(NEWS, "nothing@example.com")) as reader:
        assert [one.address for one in reader.lists()] == [NEWS]
        with pytest.raises(NotFound):
            reader.settings("nothing@example.com")


def test_lists_that_are_not_advertised_are_those_the_plan_names(mailman, reading) -> None:
    mailman.give_list("news", advertised=0)
    mailman.give_list("talk")
    with reading(lists=()) as reader:
        assert [one.address for one in reader.lists()] == ["talk@example.com"]
    with reading(lists=(NEWS, "nothing@example.com")) as reader:
        assert [one.address for one in reader.lists()] == [NEWS]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "https://old.example.net/mailman/admin/news"}, "the folder above /admin"),
        ({"url": "https://old.example.net/mailman/listinfo"}, "the folder above /listinfo"),
        ({"lists": ("news",)}, "news is no whole address"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_asked(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mailman2.Options(**{"url": "https://old.example.net/mailman", **given})


@pytest.fixture
def house(mailman: Mailman2) -> Iterator[CPanel]:
    """A cPanel whose lists are those of the Mailman: what is made in one is there in the other, and its passwords are good once."""
    with CPanel() as emulator:
        lists = emulator.houses["example.com"].lists
        made = 0

        def follow(_: Request) -> None:
            nonlocal made
            for local in lists:
                name, own = f"{local}_example.com", emulator.list_passwords.get(f"{local}@example.com", "its own")
                one = mailman.kept.get(name) or mailman.give_list(name, password=own)
                if made < emulator.list_passwords_made:
                    one.one_time = f"once-{emulator.list_passwords_made}-{local}"
            made = emulator.list_passwords_made

        mailman.before = follow
        yield emulator


def test_a_panel_names_the_lists_opens_them_and_makes_them(mailman, house, writing) -> None:
    house.houses["example.com"].lists.append("news")
    options = cpanel.Options(
        url=house.url, tls_fingerprint=house.fingerprint, user=house.user, token=SecretStr(house.token)
    )
    with closing(cpanel.CPanelWriter(options)) as panel, writing(lists=(), password=None) as writer:
        assert writer.features.asks_panel
        writer.ask(panel)
        assert [one.address for one in writer.lists()] == [NEWS]
        (put,) = writer.add(NEWS, [Member("ann@example.com", "Ann", moderation=Treatment.DEFER)])
        assert not put.refused
        mailman.end_sessions()
        assert [member.name for member in everybody(writer, NEWS)] == ["Ann"]
        assert writer.features.creates
        writer.create_list("talk@example.com", "boss@example.com", SecretStr("Abc-123456-xyz"))
        assert everybody(writer, "talk@example.com") == []
    assert mailman.kept["news_example.com"].password == "its own"
    assert mailman.attempts == 0


def test_a_list_that_was_made_opens_with_the_password_of_the_hand_out(mailman, reading) -> None:
    mailman.give_list("news", password="made-for-it")
    with reading(password=None) as reader:
        reader.know("News@example.com", SecretStr("made-for-it"))
        assert everybody(reader, NEWS) == []
    with reading() as reader:  # the plan's own goes first
        reader.know(NEWS, SecretStr("long since another"))
        with pytest.raises(LoginRefused):
            reader.settings(NEWS)
    assert mailman.attempts == 1


def test_without_any_password_and_without_a_panel_nothing_is_sent(mailman, reading) -> None:
    mailman.give_list("news")
    with reading(password=None) as reader, pytest.raises(LoginRefused, match="no password for this list"):
        reader.settings(NEWS)
    assert mailman.attempts == 0


# -- writing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ru", "ja"])
def test_refused_addresses_come_with_the_words_of_the_list(mailman, writing, language: str) -> None:
    mailman.give_list("news", language=language, ban_list=("^.*@spam\\.example$",))
    people = [
        Member(address, moderation=Treatment.DEFER)
        for address in ("ann@example.com", "eve@spam.example", "-dash@example.com", "bob@localhost", "a(b)@example.com")
    ]
    with writing() as writer:
        puts = writer.add(NEWS, people)
        assert {member.key for member in everybody(writer, NEWS)} == {"ann@example.com"}
    said = words(language)
    assert [put.refused for put in puts[:4]] == [
        "", said["banned"].format(pattern="^.*@spam\\.example$"), said["hostile"], said["bad address"],
    ]  # fmt: skip
    assert "takes no such address" in puts[4].refused


def test_a_form_whose_time_is_over_is_refused_in_mailmans_words(mailman, writing) -> None:
    mailman.give_list("news")

    def late(request: Request) -> None:
        mailman.now += 7200 if request.method == "POST" and b"subscribees" in request.body else 0

    mailman.before = late
    with writing() as writer:
        (put,) = writer.add(NEWS, [Member("ann@example.com", moderation=Treatment.DEFER)])
    assert "form lifetime has expired" in put.refused


def test_what_is_configured_leaves_everything_else_byte_for_byte(mailman, writing) -> None:
    one = mailman.give_list(
        "news", info=b"\n&eacute; stays typed", welcome_msg=b"Gr\xfc\xdfe", member_moderation_notice=b"\r\nNo.\r\n"
    )
    one.rules = [Rule("^x-spam: yes\n^x-virus: yes", 3)]
    one.topics = [("cats", "cat.*", "about cats")]
    populate(one, 5)
    before = dict(one.values)
    with writing() as writer:
        writer.configure(NEWS, Settings(description="New", joining=Joining.MODERATE, emergency=True, bounce_score=6.0))
        writer.configure(NEWS, Settings(own={"topics_bodylines_limit": "7", "bounce_matching_headers": "to: x"}))
        writer.add(NEWS, [Member("bo@example.com", role=Role.NONMEMBER, moderation=Treatment.HOLD)])
    after = mailman.kept["news"]
    changed = {name for name in before if before[name] != after.values[name]}
    assert changed == {
        "description", "subscribe_policy", "emergency", "bounce_score_threshold", "topics_bodylines_limit",
        "bounce_matching_headers", "hold_these_nonmembers",
    }  # fmt: skip
    assert after.values["subscribe_policy"] == 2  # what Mailman itself counts from, though its page has three buttons
    assert after.rules == [Rule("^x-spam: yes\n^x-virus: yes", 3)]
    assert after.topics == [("cats", "cat.*", "about cats")]


def test_rules_and_topics_are_made_like_the_wanted_ones(mailman, writing) -> None:
    one = mailman.give_list("news")
    one.rules = [Rule("^a", 3), Rule("^b", 2), Rule("^c", 6)]
    one.topics = [("cats", "cat", "1"), ("dogs", "dog", "2"), ("birds", "bird", "3")]
    with writing() as writer:
        writer.configure(
            NEWS, Settings(header_rules=(HeaderRule("^x", Treatment.HOLD),), own={"topics": '[["fish", "fish", ""]]'})
        )
        assert writer.settings(NEWS).own["topics"] == '[["fish", "fish", ""]]'
        assert mailman.kept["news"].rules == [Rule("^x", 7)]
        writer.configure(NEWS, Settings(header_rules=(), own={"topics": "[]"}))
        assert "topics" not in writer.settings(NEWS).own
    assert mailman.kept["news"].rules == []
    assert mailman.kept["news"].topics == []


def test_the_footer_that_every_list_has_is_not_told(mailman, reading) -> None:
    mailman.give_list("news", digest_footer=b"Our own words")
    with reading() as reader:
        told = reader.settings(NEWS)
    assert (told.footer, told.digest_footer) == (None, "Our own words")


def test_what_mailman_does_not_take_is_refused_by_name_and_the_rest_is_set(mailman, writing) -> None:
    one = mailman.give_list("news")
    with writing() as writer, pytest.raises(Refused) as raised:
        writer.configure(NEWS, Settings(display_name="Other", description="New", joining=Joining.OPEN))
    assert "real_name" in str(raised.value)
    assert "joining" in str(raised.value)
    assert mailman.kept["news"].values["description"] == b"New"
    assert one.name == "news"


def test_one_wrong_owner_hinders_no_other(mailman, writing) -> None:
    mailman.give_list("news")
    people = [Member(address, role=Role.OWNER) for address in ("bo@example.com", "no address", "cy@example.com")]
    with writing() as writer:
        puts = writer.add(NEWS, people)
        assert [bool(put.refused) for put in puts] == [False, True, False]
        found = {member.key for member in everybody(writer, NEWS, Role.OWNER)}
    assert found == {"boss@example.com", "bo@example.com", "cy@example.com"}


def test_a_member_who_stopped_his_delivery_himself_is_stopped_as_himself(mailman, writing) -> None:
    one = mailman.give_list("news")
    one.add(Kept("by-admin@example.com", status="A"))
    wanted = [
        Member(f"{name}@example.com", moderation=Treatment.DEFER, stopped=Stopped.BY_USER, list_copies=False)
        for name in ("by-admin", "new")
    ]
    with writing() as writer:
        assert [put.refused for put in writer.add(NEWS, wanted[1:])] == [""]
        assert [put.refused for put in writer.update(NEWS, wanted)] == ["", ""]
    assert {kept.status for kept in mailman.kept["news"].members.values()} == {"U"}


def test_moderated_members_are_treated_as_their_list_says(mailman, reading) -> None:
    one = mailman.give_list("news", member_moderation_action=2, default_member_moderation=1)
    one.add(Kept("ann@example.com", moderated=True))
    with reading() as reader:
        assert everybody(reader, NEWS)[0].moderation is Treatment.DISCARD
        assert reader.settings(NEWS).member_treatment is Treatment.DISCARD


def test_a_page_of_an_old_mailman_without_tokens_will_do(mailman, writing) -> None:
    mailman.give_list("news")
    token = re.compile(rb'<input type="hidden" name="csrf_token"[^>]*>')
    mailman.rewrite = lambda _, page: token.sub(b"", page)
    mailman.asks_tokens = False
    with writing() as writer:
        (put,) = writer.add(NEWS, [Member("ann@example.com", "Ann", moderation=Treatment.DEFER, hidden=True)])
        writer.configure(NEWS, Settings(description="x"))
        assert not put.refused
        assert everybody(writer, NEWS)[0].hidden


def test_a_list_that_is_made_belongs_to_its_domain_and_nobody_hears_of_it(mailman, writing) -> None:
    with writing(lists=(), password=None, site_password=mailman.SITE_PASSWORD) as writer:
        writer.create_list("news@lists.example.org", "boss@example.com", SecretStr("Abc-123456"))
        assert [one.address for one in writer.lists()] == ["news@lists.example.org"]
    assert mailman.kept["news"].values["host_name"] == "lists.example.org"
    assert mailman.kept["news"].password == "Abc-123456"


def test_the_emulator_does_send_mail_where_a_form_says_so(mailman, writing) -> None:
    """So that 0 mails elsewhere means something."""
    one = mailman.give_list("news", send_goodbye_msg=1, admin_notify_mchanges=1)
    one.add(Kept("ann@example.com"))
    with writing() as writer:
        admin = writer._admin(NEWS)
        page = admin.page("members/list")
        fields = [("csrf_token", page.token), ("user", "ann%40example.com"), ("ann%40example.com_unsub", "on")]
        admin.change("members/list", [(name, value.encode()) for name, value in [*fields, ("setmemberopts_btn", "1")]])
    assert [mail.kind for mail in mailman.mails] == ["goodbye", "notice"]
    mailman.mails.clear()


def test_a_list_that_does_not_open_says_that_its_domain_is_not_known(mailman) -> None:
    mailman.give_list("news", advertised=1)
    mailman.give_list("board_example.org", advertised=1)
    with closing(mailman2.ADAPTER.reader(options_for(mailman, lists=(), password="wrong"), LOGIN)) as session:
        shown = {one.address: one.somewhere for one in session.lists()}
    assert shown == {"board@example.org": False, "news@127.0.0.1": True}
    with closing(mailman2.ADAPTER.reader(options_for(mailman, lists=()), LOGIN)) as session:
        assert ("news@example.com", False) in {(one.address, one.somewhere) for one in session.lists()}


def test_lists_that_the_plan_names_and_mailman_has_not_are_told(mailman) -> None:
    mailman.give_list("news")
    named = options_for(mailman, lists=(NEWS, "nwes@example.com"))
    with closing(mailman2.ADAPTER.reader(named, LOGIN)) as session:
        assert [one.address for one in session.lists()] == [NEWS]
        assert list(session.missing()) == ["nwes@example.com"]


@pytest.mark.parametrize("name", ["news", "a.b-c"])
def test_what_a_new_list_has_is_as_usual(mailman, name: str) -> None:
    mailman.give_list(name)
    address = f"{name}@example.com"
    with closing(mailman2.ADAPTER.reader(options_for(mailman, lists=(address,)), LOGIN)) as session:
        told = session.settings(address).told()
    usual = mailman2.FEATURES.usual(address, told)
    nothing = ("", (), False, 0, Dmarc.NOTHING, AutoReply.NONE)
    assert {word: value for word, value in told.items() if value not in nothing and usual.get(word) != value} == {}


MAINTENANCE = "<html><title>メンテナンス中</title><body>しばらくお待ちください。</body></html>".encode("euc-jp")


@pytest.mark.parametrize("named", [(), (NEWS,)], ids=["advertised", "named"])
def test_a_page_that_is_none_of_mailmans_is_no_host_without_lists(mailman, named) -> None:
    mailman.give_list("news", advertised=1)
    mailman.before = lambda _: Answer(MAINTENANCE, 200, "text/html; charset=euc-jp")
    with (
        closing(mailman2.ADAPTER.reader(options_for(mailman, lists=named), LOGIN)) as session,
        pytest.raises(EndpointRefused, match="there is no web administration of Mailman"),
    ):
        session.lists()


def test_an_overview_without_lists_is_one() -> None:
    with Mailman2() as mailman, closing(mailman2.ADAPTER.reader(options_for(mailman, lists=()), LOGIN)) as session:
        assert list(session.lists()) == []


@pytest.mark.parametrize("named", [(), (NEWS, "board@example.com")], ids=["advertised", "named"])
def test_one_list_that_has_moved_costs_itself_alone(mailman, named) -> None:
    mailman.give_list("news", advertised=1)
    mailman.give_list("board", advertised=1)
    there = "https://lists.example.net/mailman/admin/news"

    def moved(request: Request) -> Answer | None:
        return Answer(b"", 301, "text/html", {"Location": there}) if request.path == "/mailman/admin/news" else None

    mailman.before = moved
    with closing(mailman2.ADAPTER.reader(options_for(mailman, lists=named), LOGIN)) as session:
        shown = {one.address.partition("@")[0]: one.address for one in session.lists()}
        assert shown.keys() == {"news", "board"}
        assert session.settings("board@example.com").display_name == "Board"
        with pytest.raises(NotFound, match=f"this list has moved to “{there}”"):
            session.settings(shown["news"])
