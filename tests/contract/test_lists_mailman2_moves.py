"""A list goes from one Mailman 2.1 to another with the lists step: everything that can be the same is the same, and nobody is written to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import unescape

import pytest
from pydantic import SecretStr

from migrator.engine.contract import Fate, Login, Side
from migrator.engine.stage import Stage
from migrator.lists.adapters import mailman2
from migrator.lists.contract import ListReader, ListWriter
from migrator.lists.mailman2.spelling import name_as_shown
from migrator.lists.options import ListsOptions
from migrator.lists.step import KIND
from migrator.testing.front import Answer, Request
from migrator.testing.mailman2.lists import Member, Rule
from migrator.testing.mailman2.people import populate
from migrator.testing.mailman2.server import Mailman2
from migrator.testing.memory_lists import accounts_of
from migrator.testing.memory_strongbox import MemoryStrongbox
from migrator.testing.trial import Trial

NEWS = "news@example.com"
LEFT_TO_THE_SERVER = {
    "admin_member_chunksize",  # how the pages look
    "available_languages",  # those the server has
    "_new_volume", "_send_digest_now", "_mass_catchup",
}  # fmt: skip


@dataclass
class Route:
    """Opener between two servers."""

    old: Mailman2
    new: Mailman2
    named: tuple[str, ...] = (NEWS,)  # lists that the plan names at the target
    made: dict[str, SecretStr] = field(default_factory=dict)
    strongbox: MemoryStrongbox = field(default_factory=MemoryStrongbox)

    def endpoint(self, side: Side) -> str:
        return "old" if side is Side.SOURCE else "new"

    def connections(self, side: Side) -> tuple[int, int]:
        return (1, 1) if side is Side.SOURCE else (2, 2)

    def for_reading(self, side: Side, service: str, account: str) -> ListReader:
        assert service == "lists"
        return mailman2.ADAPTER.reader(self.options(side), Login(account, account))

    def for_writing(self, side: Side, service: str, account: str) -> ListWriter:
        assert mailman2.ADAPTER.writer is not None
        return mailman2.ADAPTER.writer(self.options(side), Login(account, account))

    def login(self, side: Side, account: str) -> Login:
        return Login(account, account, self.made.get(account) if side is Side.TARGET else None)

    def keep_password(self, account: str, password: SecretStr) -> None:
        self.made[account] = password

    def options(self, side: Side) -> mailman2.Options:
        server = self.old if side is Side.SOURCE else self.new
        secret = {"password": "list-secret"} if side is Side.SOURCE else {"site_password": server.SITE_PASSWORD}
        return mailman2.Options(
            url=server.base,
            tls_fingerprint=server.fingerprint,
            lists=(NEWS,) if side is Side.SOURCE else self.named,
            **secret,
        )


@pytest.fixture
def route() -> Iterator[Route]:
    with Mailman2() as old, Mailman2() as new:
        new.charsets = dict.fromkeys(new.charsets, "utf-8")
        yield Route(old, new)
        assert old.written == []
        assert [*old.mails, *new.mails] == []


def trial(route: Route, before: Trial | None = None, **options: object) -> Trial:
    step = KIND.build(ListsOptions(**options), accounts_of("ann@example.com"))
    kept = {"store": before.store} if before else {}
    return Trial([Stage("lists", "lists", step, route)], **kept)


def as_arrived(member: Member, language: str) -> Member:
    """A member as he can be at another 2.1: nobody but bounces and time can say that it was bounces."""
    address, _, domain = member.address.partition("@")
    status = {"B": "A", "?": "A"}.get(member.status, member.status)
    options = member.options if member.digest else member.options - {"plain"}
    return replace(
        member,
        address=f"{address}@{domain.lower()}",
        name=name_as_shown(member.name),
        status=status,
        options=options,
        language=language if member.language == language else member.language,
    )


def test_a_list_is_the_same_at_another_mailman_2(route: Route) -> None:
    one = route.old.give_list(
        "news",
        language="ru",
        description="Новости".encode("koi8-r"),
        info=b"<b>Gr&uuml;&szlig;e</b>\r\nund mehr",
        subject_prefix="[Новости] ",
        moderator=("mod@example.com",),
        welcome_msg="Добро пожаловать".encode("koi8-r"),
        send_goodbye_msg=0,
        subscribe_policy=3,
        ban_list=("spam@example.com", "^.*@spam\\.example$"),
        accept_these_nonmembers=("friend@example.org", "^.*@friends\\.example$", "@other"),
        default_member_moderation=1,
        member_moderation_action=1,
        dmarc_moderation_action=2,
        new_member_options=("hide", "ack"),
        umbrella_member_suffix="-boss",
        bounce_score_threshold=7.5,
        archive_private=1,
        filter_content=1,
        pass_mime_types=b"text/plain\nimage",
        nntp_host=b"news.example.com",
        admin_notify_mchanges=1,
    )
    one.rules = [Rule("^x-spam: yes", 3), Rule("^subject: .*offer", 7)]
    one.topics = [("cats", "cat.*\nkitten", "about cats"), ("birds", "bird", "")]
    populate(one, 330, languages=("en", "de"))
    first = trial(route)
    first.run()
    assert left_behind(first) == {}
    made = route.new.kept["news"]
    wanted = {key: as_arrived(member, "ru") for key, member in one.members.items()}
    found = {key: as_arrived(member, "ru") for key, member in made.members.items()}
    assert found == wanted
    assert made.rules == one.rules
    assert made.topics == one.topics
    differing = {
        name: (value, made.values[name])
        for name, value in one.values.items()
        if name not in LEFT_TO_THE_SERVER and text(value, "koi8-r") != text(made.values[name], "utf-8")
    }
    assert differing == {}
    assert made.password == route.made[NEWS].get_secret_value()
    assert first.verify().differences == 0

    written = len(route.new.written)
    again = trial(route, first)
    again.run()
    assert len(route.new.written) == written

    kept = route.old.kept["news"]
    gone, changed = sorted(kept.members)[:3], sorted(kept.members)[3:6]
    for key in gone:
        del kept.members[key]
    for key in changed:
        kept.members[key] = replace(kept.members[key], name="Renamed Ñandú 王", moderated=True)
    kept.add(Member("late@example.com", "Läte", language="ru"))
    third = trial(route, again)
    third.run()
    now = route.new.kept["news"].members
    assert not now.keys() & set(gone)
    assert {now[key].name for key in changed} == {"Renamed Ñandú 王"}
    assert now["late@example.com"].name == "Läte"
    assert third.verify().differences == 0


def left_behind(run: Trial) -> dict[str, str]:
    """What did not arrive, and why."""
    keys = [f"lists/old>new/{NEWS}/{part}" for part in ("settings", "members", "owners", "moderators", "nonmembers")]
    outcomes = [one for key in keys for one in run.store.outcomes(key)]
    return {one.key: one.note for one in outcomes if one.fate is Fate.LEFT_BEHIND}


def text(value: object, charset: str) -> object:
    """A setting as its page shows it; the order of addresses and patterns means nothing."""
    if isinstance(value, tuple):
        return sorted(value)
    if isinstance(value, bytes):
        return unescape(value.decode(charset)).replace("\r\n", "\n").strip()
    return value.strip() if isinstance(value, str) else value


@pytest.mark.parametrize("named", [(NEWS,), ()], ids=["named", "advertised"])
def test_a_list_whose_making_was_cut_off_before_it_had_its_domain_is_completed(
    route: Route, named: tuple[str, ...]
) -> None:
    populate(route.old.give_list("news", host_name="example.com"), 5)
    route.named = named

    def breaks(request: Request) -> Answer | None:
        """The line breaks when the new list is to get its domain."""
        general = request.path.endswith("/admin/news/general") and request.method == "POST"
        return Answer(b"", 500, "text/plain") if general and b"host_name" in request.body else None

    route.new.host = "lists.example.net"
    route.new.before = breaks
    first = trial(route)
    first.patience = 0
    assert first.run().codes
    assert route.new.kept["news"].values.get("host_name") != "example.com"
    password = route.made[NEWS]

    route.new.before = lambda _: None
    again = trial(route, first)
    told = {action.label: action.why for _, action in again.preview(again.store).stages[0].actions}
    assert told["list"].startswith("was being made when a run died, and is taken up")
    result = again.run()
    assert not result.codes
    assert route.new.kept["news"].values["host_name"] == "example.com"
    assert route.new.kept["news"].members.keys() == route.old.kept["news"].members.keys()
    assert route.new.kept["news"].password == password.get_secret_value()
    assert again.verify().differences == 0
    assert again.fates()[Fate.LEFT_BEHIND] == first.fates()[Fate.LEFT_BEHIND] == 0


def test_a_list_of_another_domain_that_has_the_name_is_never_taken_for_ours(route: Route) -> None:
    populate(route.old.give_list("news", host_name="example.com"), 5)
    theirs = route.new.give_list("news", host_name="example.org")
    route.named = ()
    for _ in range(2):
        trial(route).run()
        assert route.new.kept["news"].values["host_name"] == "example.org"
        assert route.new.kept["news"].members == theirs.members == {}
