"""The panel contract on a real Modoboa, and what its API does that its answers do not show.

A server of one's own is taken instead when MIGRATOR_LIVE_MODOBOA is its URL and MIGRATOR_LIVE_MODOBOA_TOKEN a super administrator's
token (MIGRATOR_LIVE_MODOBOA_FINGERPRINT pins its certificate): then only the contract runs, in domains d1.example.com and so on, which
it leaves behind.
"""

from __future__ import annotations

import http.client
import itertools
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from lab import modoboa as modoboa_lab
from pydantic import SecretStr

from migrator.errors import Dropped, EndpointRefused, Misbehaved, NotFound, Refused, Unavailable
from migrator.panel.adapters import modoboa as product
from migrator.panel.model import (
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Forwarder,
    Hold,
    Mailbox,
    Password,
    with_scheme,
)
from migrator.testing.panel_suite import PASSWORD, PanelContract, panel
from migrator.testing.panels.server import Answer, Mishap, Panel, Request

HASH = with_scheme("$6$saltsalt$" + "x" * 86)
GB = 1024**3
MB = 1024**2
NUMBERS = itertools.count(1)
LIVE = os.environ.get("MIGRATOR_LIVE_MODOBOA", "")


class TestModoboa(PanelContract):
    adapter = product.ADAPTER
    features = product.FEATURES

    @pytest.fixture
    def options(self, request):
        if LIVE:
            return product.Options(
                url=LIVE,
                token=SecretStr(os.environ["MIGRATOR_LIVE_MODOBOA_TOKEN"]),
                tls_fingerprint=os.environ.get("MIGRATOR_LIVE_MODOBOA_FINGERPRINT"),
            )
        server = request.getfixturevalue("modoboa")
        return product.Options(url=server.url, token=SecretStr(server.users["token"]))

    @pytest.fixture
    def wrong_options(self, options):
        return options.model_copy(update={"token": SecretStr("0" * 40)})


# -- a front that lets things go wrong on the way -----------------------------------------------------------------------------


class Front(Panel):
    """Passes everything on to the real server, and has mishaps."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.instead: dict[str, Answer] = {}  # by a part of the path
        self._behind = urlsplit(url).netloc

    def answer(self, request: Request) -> Answer:
        for part, answer in self.instead.items():
            if part in request.path:
                return answer
        with closing(http.client.HTTPConnection(self._behind, timeout=60)) as behind:
            headers = {
                name: value for name, value in request.headers.items() if name not in {"host", "accept-encoding"}
            }
            behind.request(request.method, f"{request.path}?{request.query}", request.body, headers)
            reply = behind.getresponse()
            kind = reply.getheader("Content-Type") or "text/plain"
            return Answer(reply.read(), reply.status, kind)


@pytest.fixture
def front(modoboa) -> Iterator[Front]:
    with Front(modoboa.url) as panel:
        yield panel


@pytest.fixture
def options(modoboa, front):
    return product.Options(
        url=front.url, token=SecretStr(modoboa.users["token"]), tls_fingerprint=front.fingerprint, timeout=30
    )


@pytest.fixture
def writer(options):
    with closing(product.ADAPTER.writer(options, panel("panel"))) as session:
        yield session


@pytest.fixture
def home(writer):
    """A domain of this test's own."""
    name = f"m{next(NUMBERS)}.example.com"
    writer.create(Domain(name))
    return name


def at(modoboa, *statements: str) -> None:
    """What people did at Modoboa's pages that its API does not do."""
    with closing(sqlite3.connect(modoboa_lab.database(modoboa), timeout=20)) as database, database:
        for statement in statements:
            database.execute(statement)


def test_looking_changes_nothing(front, options, writer, home):
    writer.create(Mailbox(f"ann@{home}"), PASSWORD)
    reader = product.ADAPTER.reader(options, panel("panel"))
    before = len(front.written)
    with closing(reader):
        reader.probe()
        reader.domains()
        for noun in reader.features.lists:
            reader.list(noun, home)
        reader.password_of(f"ann@{home}")
        assert len(front.written) == before
        with pytest.raises(RuntimeError):
            reader._site.write("POST", "api/v2/domains/", json={})


def test_the_probe_tells_version_and_whose_token_it_is(writer):
    told = writer.probe()
    assert (told.product, told.version) == ("Modoboa", "2.12.0")


# -- success that is none -----------------------------------------------------------------------------------------------------


def test_an_import_that_failed_with_status_200_is_refused(writer, home, modoboa):
    at(modoboa, f"UPDATE admin_domain SET quota = 10, default_mailbox_quota = 5 WHERE name = '{home}'")
    with pytest.raises(Refused, match="quota exceeded"):
        writer.create(Mailbox(f"ann@{home}", quota=50 * MB), PASSWORD)
    assert writer.list(Mailbox, home) == []


def test_an_import_that_imported_nothing_is_refused(front, writer, home):
    front.instead["identities/import"] = Answer(b'{"status": true, "message": "0 objects imported successfully"}')
    with pytest.raises(Refused, match="0 objects"):
        writer.create(Mailbox(f"ann@{home}"), PASSWORD)


def test_unlimited_stays_unlimited_where_the_domain_has_a_default(writer, home, modoboa):
    at(modoboa, f"UPDATE admin_domain SET default_mailbox_quota = 5 WHERE name = '{home}'")
    writer.create(Mailbox(f"ann@{home}"), PASSWORD)
    assert [one.quota for one in writer.list(Mailbox, home)] == [None]
    writer.create(Mailbox(f"bob@{home}", quota=GB + 1), PASSWORD)
    assert {one.quota for one in writer.list(Mailbox, home)} == {None, GB + MB}


def test_a_forwarder_to_a_local_address_that_is_not_there_is_refused_and_leaves_nothing(writer, home):
    with pytest.raises(Refused, match="not found"):
        writer.create(Forwarder(f"info@{home}", (Destination(f"missing@{home}"),)))
    assert writer.list(Forwarder, home) == []
    with pytest.raises(Refused):
        writer.create(Forwarder(f"info@{home}", (Destination(f"info@{home}"),)))


def test_capitals_do_not_make_it_fail(writer, home):
    writer.create(Mailbox(f"Ann@{home}"), PASSWORD)
    writer.create(Forwarder(f"INFO@{home}", (Destination(f"ann@{home}"),)))
    assert [one.key for one in writer.list(Forwarder, home)] == [f"info@{home}"]
    with pytest.raises(Refused):
        writer.create(Forwarder(f"Info@{home}", (Destination(f"ann@{home}"),)))
    with pytest.raises(Refused):
        writer.create(Mailbox(f"ANN@{home}"), PASSWORD)


def test_a_domain_in_letters_and_its_a_label_are_one(writer, modoboa):
    at(modoboa, "INSERT OR IGNORE INTO admin_domain (name, quota, default_mailbox_quota, enabled, type, enable_dns_checks,"
       " enable_dkim, dkim_key_selector, dkim_public_key, dkim_private_key_path, creation, last_modification)"
       " VALUES ('peña.example', 0, 0, 1, 'domain', 0, 0, 'modoboa', '', '', '2025-01-01', '2025-01-01')",
       "INSERT INTO core_objectaccess (is_owner, object_id, content_type_id, user_id)"
       " SELECT 0, d.id, t.id, u.id FROM admin_domain d, django_content_type t, core_user u"
       " WHERE d.name = 'peña.example' AND t.app_label = 'admin' AND t.model = 'domain' AND u.username = 'admin'"
       " AND NOT EXISTS (SELECT 1 FROM core_objectaccess a WHERE a.object_id = d.id AND a.content_type_id = t.id)",
    )  # fmt: skip
    assert "xn--pea-8ma.example" in {one.name for one in writer.domains()}
    with pytest.raises(Refused):
        writer.create(Domain("xn--pea-8ma.example"))
    assert writer.list(Mailbox, "xn--pea-8ma.example") == []


@pytest.mark.parametrize("local", ["bad local", "with+plus", "a;b", "a,b", 'a"b', ".a", "ñandú"])
def test_local_parts_that_modoboa_would_take_and_nobody_could_use_are_refused(writer, home, local):
    with pytest.raises(Refused):
        writer.create(Mailbox(f"{local}@{home}"), PASSWORD)
    assert writer.list(Mailbox, home) == []


# -- what is there already, in other clothes ---------------------------------------------------------------------------------


def test_an_alias_that_is_off_is_left_out_counted_and_not_overwritten(writer, home, modoboa):
    writer.create(Forwarder(f"info@{home}", (Destination("else@example.net"),)))
    at(modoboa, f"UPDATE admin_alias SET enabled = 0 WHERE address = 'info@{home}'")
    assert writer.list(Forwarder, home) == []
    assert any("left out" in note for note in writer.probe().notes)
    with pytest.raises(Refused, match="switched off"):
        writer.create(Forwarder(f"info@{home}", (Destination("new@example.net"),)))


def test_an_alias_past_its_time_is_none(writer, home, modoboa):
    writer.create(Forwarder(f"info@{home}", (Destination("else@example.net"),)))
    at(modoboa, f"UPDATE admin_alias SET expire_at = '2020-01-01 00:00:00' WHERE address = 'info@{home}'")
    assert writer.list(Forwarder, home) == []


def test_a_domain_alias_is_no_domain_and_a_domain_no_alias(writer, home):
    writer.create(DomainForwarder(f"old-{home}", home))
    assert f"old-{home}" in {one.name for one in writer.domains()}
    with pytest.raises(Refused):
        writer.create(Domain(f"old-{home}"))
    with pytest.raises(Refused):
        writer.create(DomainForwarder(f"old-{home}", home))
    with pytest.raises(Refused, match="delete it there"):
        writer.create(DomainForwarder(home, home))
    with pytest.raises(NotFound):
        writer.create(DomainForwarder(f"older-{home}", "nowhere.example.com"))
    assert writer.list(Mailbox, f"old-{home}") == []


def test_a_forwarder_without_a_copy_beside_a_mailbox_is_refused_with_what_to_do(writer, home):
    writer.create(Mailbox(f"ann@{home}"), PASSWORD)
    with pytest.raises(Refused, match="own pages"):
        writer.create(Forwarder(f"ann@{home}", (Destination("else@example.net"),)))
    with pytest.raises(Refused, match="no mailbox"):
        writer.create(Forwarder(f"bob@{home}", (Destination("else@example.net"),), keeps_copy=True))


def test_switching_a_mailbox_off_takes_its_catch_all_along(writer, home):
    writer.create(Mailbox(f"ann@{home}"), PASSWORD)
    writer.create(CatchAll(home, Destination(f"ann@{home}")))
    (there,) = writer.list(Mailbox, home)
    writer.change(replace(there, holds=frozenset(Hold)), there)
    assert writer.list(CatchAll, home) == []
    with pytest.raises(Refused):
        writer.create(CatchAll(home, Destination("else@example.net")))


def test_a_catch_all_with_two_destinations_is_told(writer, home):
    writer.create(CatchAll(home, Destination("one@example.net")))
    row = writer._alias(f"@{home}", writer._domain_row(home))
    writer._send("PATCH", f"aliases/{row['pk']}/", {"recipients": ["one@example.net", "two@example.net"]}, home)
    with pytest.raises(Misbehaved, match="2 destinations"):
        writer.list(CatchAll, home)


# -- fields -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holds", "told"),
    [
        (frozenset(Hold), frozenset(Hold)),
        (frozenset({Hold.LOGIN, Hold.RECEIVE}), frozenset({Hold.LOGIN, Hold.RECEIVE})),
        (frozenset({Hold.RECEIVE}), frozenset({Hold.LOGIN, Hold.RECEIVE})),
        (frozenset({Hold.SEND}), frozenset()),
    ],
)
def test_holds_are_told_as_modoboa_has_them(writer, home, holds, told):
    writer.create(Mailbox(f"ann@{home}", quota=GB, holds=holds), HASH)
    (there,) = writer.list(Mailbox, home)
    assert (there.holds, there.quota) == (told, GB)
    assert writer.password_of(f"ann@{home}") == HASH
    writer.change(replace(there, holds=frozenset(), quota=None, name="Ann Maria Example"), there)
    assert writer.list(Mailbox, home) == [Mailbox(f"ann@{home}", name="Ann Maria Example")]


def test_a_mailbox_that_may_not_log_in_has_its_hash_out_of_action(writer, home):
    writer.create(Mailbox(f"ann@{home}", holds=frozenset({Hold.LOGIN})), HASH)
    assert writer.password_of(f"ann@{home}") == Password()
    assert writer._stored()[f"ann@{home}"].startswith("{SHA512-CRYPT}!6$")


def test_names_and_hashes_pass_the_import_whole(writer, home):
    name = '=Ann; "the first" O\'Example'
    writer.create(Mailbox(f"ann@{home}", name=name), HASH)
    (there,) = writer.list(Mailbox, home)
    assert there.name == name
    assert writer.password_of(f"ann@{home}") == HASH
    with pytest.raises(Refused, match="longer"):
        writer.create(Mailbox(f"bob@{home}", name="x" * 151), HASH)


def test_a_known_password_that_breaks_the_rules_for_new_ones_is_kept(writer, home):
    writer.create(Mailbox(f"ann@{home}"), Password(plain=SecretStr("weak")))
    assert writer.password_of(f"ann@{home}").scheme == "SHA512-CRYPT"


def test_changes_arrive(writer, home):
    writer.create(Forwarder(f"info@{home}", (Destination("one@example.net"),)))
    writer.create(CatchAll(home, Destination("one@example.net")))
    writer.create(DomainForwarder(f"old-{home}", home))
    (forwarder,), (catch_all,) = writer.list(Forwarder, home), writer.list(CatchAll, home)
    writer.change(replace(forwarder, destinations=(Destination("two@example.net"),)), forwarder)
    writer.change(replace(catch_all, destination=Destination("two@example.net")), catch_all)
    writer.create(Domain(f"new-{home}"))
    writer.change(DomainForwarder(f"old-{home}", f"new-{home}"), DomainForwarder(f"old-{home}", home))
    assert [str(one.destinations[0]) for one in writer.list(Forwarder, home)] == ["two@example.net"]
    assert [str(one.destination) for one in writer.list(CatchAll, home)] == ["two@example.net"]
    assert writer.list(DomainForwarder, f"old-{home}") == [DomainForwarder(f"old-{home}", f"new-{home}")]
    with pytest.raises(NotFound):
        writer.change(Forwarder(f"gone@{home}", (Destination("two@example.net"),)), forwarder)


def test_an_answer_is_told_as_it_is_sent_and_cannot_be_made(writer, home, modoboa):
    writer.create(Mailbox(f"ann@{home}", name="Ann Example"), PASSWORD)
    pk = writer._account(f"ann@{home}", writer._domain_row(home))["mailbox"]["pk"]
    at(
        modoboa,
        "INSERT INTO postfix_autoreply_armessage (subject, content, enabled, mbox_id, fromdate) VALUES"
        f" ('Away', 'Back soon, 100%% sure.' || char(13, 10) || '%(name)s' || char(10), 1, {pk}, '2026-01-01 00:00:00')",
    )
    (there,) = writer.list(Autoresponder, home)
    assert (there.key, there.subject, there.body) == (
        f"ann@{home}",
        "Away",
        "Back soon, 100% sure.\nAnn Example",
    )
    assert Autoresponder not in writer.features.creates
    with pytest.raises(Refused):
        writer.create(Autoresponder(f"bob@{home}", body="x"))


def test_a_listing_of_several_pages_is_read_whole(monkeypatch, writer, home):
    monkeypatch.setattr(product, "PAGE", 2)
    for number in range(5):
        writer.create(Forwarder(f"info{number}@{home}", (Destination("else@example.net"),)))
    assert len(writer.list(Forwarder, home)) == 5


# -- the way there ------------------------------------------------------------------------------------------------------------


def test_a_refused_token_is_told_once_and_not_shown(front, options):
    wrong = options.model_copy(update={"token": SecretStr("f" * 40)})
    with closing(product.ADAPTER.reader(wrong, panel("panel"))) as reader, pytest.raises(EndpointRefused) as refused:
        reader.domains()
    assert "f" * 40 not in refused.value.sentence()
    assert len(front.requests) == 1


def test_a_token_without_the_rights_is_the_endpoints_trouble(modoboa, options, writer, home):
    writer._import(
        ["account", f"boss@{home}", "{SHA512-CRYPT}$6$a$b", "", "", "True", "DomainAdmins", f"boss@{home}", "5", home],
        "boss",
    )
    weaker = options.model_copy(update={"token": SecretStr(modoboa_lab.token_of(modoboa, f"boss@{home}"))})
    with closing(product.ADAPTER.writer(weaker, panel("panel"))) as session:
        assert [one.name for one in session.domains()] == [home]
        assert any("DomainAdmins" in note for note in session.probe().notes)
        with pytest.raises(EndpointRefused) as refused:
            session.create(Domain(f"new-{home}"))
        with pytest.raises(NotFound):
            session.list(Mailbox, "d1.example.com")
    assert "super administrator" in refused.value.remedy


@pytest.mark.parametrize("mishap", ["html", "redirect"])
def test_a_login_page_in_the_apis_place_is_told(front, writer, mishap):
    front.mishaps.append(Mishap(mishap))
    with pytest.raises(EndpointRefused) as refused:
        writer.domains()
    assert "url" in refused.value.remedy
    assert "<" not in refused.value.sentence()


def test_another_path_than_modoboas_is_told(options):
    elsewhere = options.model_copy(update={"url": options.url + "/webmail"})
    with closing(product.ADAPTER.reader(elsewhere, panel("panel"))) as reader, pytest.raises(EndpointRefused):
        reader.domains()


@pytest.mark.parametrize("mishap", ["500", "lost"])
def test_a_mailbox_that_was_made_although_the_answer_was_lost_is_refused_the_second_time(front, writer, home, mishap):
    front.mishaps.append(Mishap(mishap, "identities/import"))
    with pytest.raises((Unavailable, Dropped)):
        writer.create(Mailbox(f"ann@{home}", quota=GB), PASSWORD)
    assert [one.key for one in writer.list(Mailbox, home)] == [f"ann@{home}"]
    with pytest.raises(Refused, match="already"):
        writer.create(Mailbox(f"ann@{home}", quota=GB), PASSWORD)


@pytest.mark.parametrize("mishap", ["garbled", "blank"])
def test_half_an_answer_is_told_without_its_text(front, writer, mishap):
    front.mishaps.append(Mishap(mishap))
    with pytest.raises(Misbehaved) as told:
        writer.domains()
    assert '"' not in told.value.sentence()


def test_a_busy_server_is_told_with_the_pause_it_asks_for(front, writer, home):
    front.mishaps.append(Mishap("busy", "identities/import"))
    with pytest.raises(Unavailable) as busy:
        writer.create(Mailbox(f"ann@{home}"), PASSWORD)
    assert busy.value.wait == timedelta(seconds=1)
    writer.create(Mailbox(f"ann@{home}"), PASSWORD)


def test_no_password_and_no_hash_is_in_what_is_said(writer, home, modoboa):
    at(modoboa, f"UPDATE admin_domain SET quota = 10 WHERE name = '{home}'")
    with pytest.raises(Refused) as refused:
        writer.create(Mailbox(f"ann@{home}", quota=GB), HASH)
    assert "$6$" not in refused.value.sentence()
