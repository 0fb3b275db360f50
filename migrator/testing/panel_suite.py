"""The promises of the panel contract, as tests that every adapter inherits.

    class TestHestia(PanelContract):
        adapter = hestia.ADAPTER
        features = hestia.FEATURES

        @pytest.fixture
        def options(self, emulator): return hestia.Options(url=emulator.url, ...)

Each test works in a domain of its own, so that the suite runs against an emulator and against a living panel alike. What a
product cannot is taken down with its reason, for the table of adapters and promises.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from secrets import token_hex
from typing import Any

import pytest
from pydantic import SecretStr

from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointRefused, MigratorError, Misbehaved, NotFound, Refused
from migrator.panel.contract import Features, PanelReader, PanelWriter, ReadsHashes, SetsPasswords, VerifiesPasswords
from migrator.panel.model import (
    FIELDS,
    Autoresponder,
    CatchAll,
    Destination,
    Domain,
    DomainForwarder,
    Filter,
    Forwarder,
    Hold,
    How,
    Mailbox,
    Password,
    Rule,
    Way,
    with_scheme,
)

_GB = 1024**3
_SHA512 = "$6$migrator$lk5rzFzWZmSG9X0Ng5qL5Jt5a8k6Lz0oHk9bB7l3mMOrVt2cE8TQf1d0yqXJ6c7h4S9nV3uYw1eR5tA8pK2bL0"
Cannot = Callable[[str], None]
_NUMBERS = itertools.count(1)
# A living panel keeps what a test made, and must not be asked to make it again by the next run.
_RUN = f"-{token_hex(3)}" if any(name.startswith("MIGRATOR_LIVE_") for name in os.environ) else ""
PASSWORD = Password(plain=SecretStr("Xq7-vLm.29tRz+Kd4w_Q"))


def panel(name: str) -> Login:
    """The login sessions of a panel are opened with; the panel's own credentials are in its options."""
    return Login(name, name)


class PanelContract:
    """Inherit, and give `adapter`, `features` and the fixture `options`."""

    adapter: Adapter[PanelReader, PanelWriter]
    features: Features

    # -- to override where a product needs it

    # `options` (a fixture): the adapter's options for the panel under test.
    # `wrong_options` (a fixture): the same with credentials that are refused; None where there is nothing to refuse (a file).

    @pytest.fixture
    def domain(self, writer: PanelWriter) -> str:
        """A domain of this test's own, empty."""
        name = f"d{next(_NUMBERS)}{_RUN}.example.com"
        if Domain in self.features.creates:
            writer.create(Domain(name))
        return name

    # -- sessions

    @pytest.fixture
    def reader(self, options: Service) -> Iterator[PanelReader]:
        with self.opened(options) as session:
            yield session

    @pytest.fixture
    def writer(self, options: Service) -> Iterator[PanelWriter]:
        assert self.adapter.writer is not None
        session = self.adapter.writer(options, panel("panel"))
        yield session
        session.close()

    @contextmanager
    def opened(self, options: Service) -> Iterator[PanelReader]:
        session = self.adapter.reader(options, panel("panel"))
        try:
            yield session
        finally:
            session.close()

    @pytest.fixture
    def cannot(self, record_property: Callable[[str, object], None]) -> Cannot:
        """Takes down, for the table of adapters and promises, why a promise is none of this product's."""
        return lambda why: record_property("product cannot", why)

    def lacks(self, noun: type[Any], cannot: Cannot) -> bool:
        """Whether the product has no such thing to create, which is then taken down."""
        if noun in self.features.creates:
            return False
        cannot(f"{self.features.title} has no {noun.word} to create")
        return True

    def loses(self, field: str, cannot: Cannot) -> bool:
        """Whether a field does not simply pass, which is then taken down with the features' own reason."""
        odd = [keep for keep in (self.features.kept(field), self.features.told(field)) if keep.how is not How.KEPT]
        if odd:
            cannot(odd[0].why)
        return bool(odd)

    def keeps(self, field: str) -> bool:
        return self.features.kept(field).how is How.KEPT and self.features.told(field).how is How.KEPT

    def told_quota(self, given: int) -> int | None:
        """What a quota that was given is listed as: nothing where the product has none."""
        ways = {self.features.kept("mailbox.quota").how, self.features.told("mailbox.quota").how}
        return None if How.LOST in ways else given

    # -- the features are honest

    def test_the_features_name_known_fields_and_say_why(self) -> None:
        known = {f"{word}.{field}" for word, fields in FIELDS.items() for field in fields}
        for told in (self.features.tells, self.features.keeps):
            assert told.keys() <= known, told.keys() - known
            assert all(keep.why for keep in told.values()), "what is changed or lost has a reason"

    def test_what_is_created_can_be_listed(self) -> None:
        assert self.features.creates <= self.features.lists, "what cannot be listed again cannot be proven"

    def test_the_optional_abilities_are_there(self, writer: PanelWriter) -> None:
        assert isinstance(writer, ReadsHashes) or not writer.features.reads_hashes
        assert isinstance(writer, VerifiesPasswords) or not writer.features.verifies_passwords
        assert isinstance(writer, SetsPasswords) or not writer.features.sets_passwords

    # -- asking

    def test_the_probe_names_the_product(self, reader: PanelReader) -> None:
        assert reader.probe().product

    def test_a_reader_has_no_way_to_write(self, reader: PanelReader) -> None:
        assert not hasattr(reader, "create")
        assert not hasattr(reader, "change")
        assert not hasattr(reader, "set_password")

    def test_a_refused_login_is_told_as_the_endpoints_and_tried_once(
        self, wrong_options: Service | None, cannot: Cannot
    ) -> None:
        if wrong_options is None:
            cannot("a file refuses no login")
            return
        with pytest.raises(EndpointRefused) as refused, self.opened(wrong_options) as reader:
            reader.probe()
        assert refused.value.remedy

    def test_an_empty_domain_is_empty(self, domain: str, reader: PanelReader) -> None:
        for noun in self.features.lists - {Domain}:
            there = reader.list(noun, domain)
            assert not [one for one in there if getattr(one, "address", "") or noun is CatchAll], noun

    def test_a_domain_is_listed(self, domain: str, reader: PanelReader, cannot: Cannot) -> None:
        if self.lacks(Domain, cannot):
            return
        assert domain in {one.name for one in reader.domains()}

    # -- mailboxes

    def test_a_created_mailbox_is_listed_as_it_was_given(self, domain: str, writer: PanelWriter) -> None:
        wanted = Mailbox(f"ann@{domain}", quota=_GB)
        writer.create(wanted, PASSWORD)
        (there,) = writer.list(Mailbox, domain)
        assert (there.key, there.quota, there.holds) == (wanted.key, self.told_quota(_GB), frozenset())

    def test_an_unlimited_mailbox_stays_unlimited(self, domain: str, writer: PanelWriter, cannot: Cannot) -> None:
        if self.loses("mailbox.quota", cannot):
            return
        writer.create(Mailbox(f"free@{domain}"), PASSWORD)
        (there,) = writer.list(Mailbox, domain)
        assert there.quota is None

    def test_many_mailboxes_are_listed_in_full(self, domain: str, writer: PanelWriter) -> None:
        names = {f"box{number}@{domain}" for number in range(12)}
        for name in sorted(names):
            writer.create(Mailbox(name, quota=_GB), PASSWORD)
        assert {one.key for one in writer.list(Mailbox, domain)} == names

    def test_a_mailbox_that_is_there_is_refused_and_stays_as_it_was(self, domain: str, writer: PanelWriter) -> None:
        writer.create(Mailbox(f"ann@{domain}", quota=_GB), PASSWORD)
        with pytest.raises(Refused):
            writer.create(Mailbox(f"ann@{domain}", quota=2 * _GB), PASSWORD)
        (there,) = writer.list(Mailbox, domain)
        assert there.quota == self.told_quota(_GB)

    @pytest.mark.parametrize("hold", Hold)
    def test_a_suspended_mailbox_is_created_suspended(
        self, domain: str, writer: PanelWriter, hold: Hold, cannot: Cannot
    ) -> None:
        word = {Hold.LOGIN: "login", Hold.RECEIVE: "receiving", Hold.SEND: "sending"}[hold]
        if self.loses(f"mailbox.suspended {word}", cannot):
            return
        writer.create(Mailbox(f"held@{domain}", quota=_GB, holds=frozenset({hold})), PASSWORD)
        (there,) = writer.list(Mailbox, domain)
        assert hold in there.holds

    def test_a_quota_is_changed(self, domain: str, writer: PanelWriter, cannot: Cannot) -> None:
        if Mailbox not in self.features.changes:
            cannot(f"{self.features.title} has no mailbox to change")
            return
        if self.loses("mailbox.quota", cannot):
            return
        writer.create(Mailbox(f"ann@{domain}", quota=_GB), PASSWORD)
        (there,) = writer.list(Mailbox, domain)
        writer.change(replace(there, quota=3 * _GB), there)
        (there,) = writer.list(Mailbox, domain)
        assert there.quota == 3 * _GB

    @pytest.mark.parametrize("local", ["o.connor", "maria_jose", "first-last", "a1", "x" * 40])
    def test_usual_local_parts_are_taken(self, domain: str, writer: PanelWriter, local: str) -> None:
        writer.create(Mailbox(f"{local}@{domain}", quota=_GB), PASSWORD)
        assert [one.key for one in writer.list(Mailbox, domain)] == [f"{local}@{domain}"]

    @pytest.mark.parametrize("local", ["with+plus", "50%off", "o'hara", "a&b"])
    def test_odd_local_parts_arrive_whole_or_are_refused(self, domain: str, writer: PanelWriter, local: str) -> None:
        try:
            writer.create(Mailbox(f"{local}@{domain}", quota=_GB), PASSWORD)
        except Refused:
            assert not writer.list(Mailbox, domain)
        else:
            assert [one.key for one in writer.list(Mailbox, domain)] == [f"{local}@{domain}"]

    def test_mailboxes_of_a_domain_that_is_not_there_are_told_as_such(self, reader: PanelReader) -> None:
        try:
            there = reader.list(Mailbox, "nobody-here.example.com")
        except NotFound:
            return
        assert not there

    # -- passwords

    def test_a_known_hash_is_carried_over(self, domain: str, writer: PanelWriter, cannot: Cannot) -> None:
        hashed = with_scheme(_SHA512)
        if hashed.scheme not in self.features.schemes:
            cannot(f"{self.features.title} takes no {hashed.scheme}")
            return
        writer.create(Mailbox(f"ann@{domain}", quota=_GB), hashed)
        assert [one.key for one in writer.list(Mailbox, domain)] == [f"ann@{domain}"]
        if self.features.reads_hashes:
            assert isinstance(writer, ReadsHashes)
            told = writer.password_of(f"ann@{domain}")
            assert told.hash is not None
            assert told.hash.get_secret_value() == "{SHA512-CRYPT}" + _SHA512

    def test_a_password_is_verified(self, domain: str, writer: PanelWriter, cannot: Cannot) -> None:
        if not self.features.verifies_passwords:
            cannot(f"{self.features.title} verifies no passwords")
            return
        assert isinstance(writer, VerifiesPasswords)
        writer.create(Mailbox(f"ann@{domain}", quota=_GB), PASSWORD)
        assert PASSWORD.plain
        assert writer.verify_password(f"ann@{domain}", PASSWORD.plain)
        assert not writer.verify_password(f"ann@{domain}", SecretStr("another-one-7"))

    def test_no_password_is_seen_in_an_error(self, domain: str, writer: PanelWriter) -> None:
        writer.create(Mailbox(f"ann@{domain}", quota=_GB), PASSWORD)
        with pytest.raises(Refused) as refused:
            writer.create(Mailbox(f"ann@{domain}", quota=_GB), PASSWORD)
        assert PASSWORD.plain
        assert PASSWORD.plain.get_secret_value() not in refused.value.sentence()

    # -- forwarders

    @pytest.mark.parametrize("way", Way)
    def test_a_forwarder_arrives(self, domain: str, writer: PanelWriter, way: Way, cannot: Cannot) -> None:
        if self.lacks(Forwarder, cannot):
            return
        value = {Way.ADDRESS: "else@example.net", Way.REJECT: "gone", Way.PIPE: "|/usr/bin/true", Way.SYSTEM: "acme"}
        wanted = Forwarder(f"fwd@{domain}", (Destination(value.get(way, ""), way),))
        if way not in self.features.destinations:
            cannot(f"{self.features.title} takes no {way.value} as a destination")
            with pytest.raises(Refused):
                writer.create(wanted)
            assert not writer.list(Forwarder, domain)
            return
        writer.create(wanted)
        (there,) = writer.list(Forwarder, domain)
        assert (there.key, [one.way for one in there.destinations]) == (wanted.key, [way])
        if way is Way.ADDRESS:
            assert there.destinations == wanted.destinations

    def test_a_forwarder_to_several_arrives_whole(self, domain: str, writer: PanelWriter, cannot: Cannot) -> None:
        if self.lacks(Forwarder, cannot):
            return
        to = tuple(sorted(Destination(f"{name}@example.net") for name in ("zoe", "adam", "with+plus")))
        writer.create(Forwarder(f"all@{domain}", to))
        (there,) = writer.list(Forwarder, domain)
        assert there == Forwarder(f"all@{domain}", to)

    def test_a_forwarder_beside_a_mailbox_keeps_a_copy(self, domain: str, writer: PanelWriter, cannot: Cannot) -> None:
        if self.lacks(Forwarder, cannot):
            return
        if self.loses("forwarder.copy kept", cannot):
            return
        writer.create(Mailbox(f"ann@{domain}", quota=_GB), PASSWORD)
        wanted = Forwarder(f"ann@{domain}", (Destination("else@example.net"),), keeps_copy=True)
        writer.create(wanted)
        assert list(writer.list(Forwarder, domain)) == [wanted]
        assert [one.key for one in writer.list(Mailbox, domain)] == [f"ann@{domain}"]

    def test_a_forwarder_to_a_mailbox_of_the_domain_is_an_alias(
        self, domain: str, writer: PanelWriter, cannot: Cannot
    ) -> None:
        if self.lacks(Forwarder, cannot):
            return
        writer.create(Mailbox(f"ann@{domain}", quota=_GB), PASSWORD)
        wanted = Forwarder(f"info@{domain}", (Destination(f"ann@{domain}"),))
        writer.create(wanted)
        assert list(writer.list(Forwarder, domain)) == [wanted]
        assert [one.key for one in writer.list(Mailbox, domain)] == [f"ann@{domain}"]

    def test_a_forwarder_that_is_there_is_not_overwritten(
        self, domain: str, writer: PanelWriter, cannot: Cannot
    ) -> None:
        if self.lacks(Forwarder, cannot):
            return
        first = Forwarder(f"fwd@{domain}", (Destination("one@example.net"),))
        writer.create(first)
        with pytest.raises(Refused):
            writer.create(Forwarder(f"fwd@{domain}", (Destination("two@example.net"),)))
        assert list(writer.list(Forwarder, domain)) == [first]

    # -- what a domain has as a whole

    def test_a_catch_all_arrives_and_is_not_overwritten(self, domain: str, writer: PanelWriter, cannot: Cannot) -> None:
        if self.lacks(CatchAll, cannot):
            return
        writer.create(Mailbox(f"ann@{domain}", quota=_GB), PASSWORD)
        wanted = CatchAll(domain, Destination(f"ann@{domain}"))
        writer.create(wanted)
        assert list(writer.list(CatchAll, domain)) == [wanted]
        with pytest.raises(Refused):
            writer.create(CatchAll(domain, Destination(f"bob@{domain}")))
        assert list(writer.list(CatchAll, domain)) == [wanted]
        assert [one.key for one in writer.list(Mailbox, domain)] == [f"ann@{domain}"]

    def test_a_domain_forwarder_arrives(self, domain: str, writer: PanelWriter, cannot: Cannot) -> None:
        if self.lacks(DomainForwarder, cannot):
            return
        source = f"old-{domain}"
        writer.create(DomainForwarder(source, domain))
        assert DomainForwarder(source, domain) in writer.list(DomainForwarder, source)

    # -- autoresponders

    def test_an_autoresponder_arrives_and_is_not_overwritten(
        self, domain: str, writer: PanelWriter, cannot: Cannot
    ) -> None:
        if self.lacks(Autoresponder, cannot):
            return
        writer.create(Mailbox(f"ann@{domain}", quota=_GB), PASSWORD)
        wanted = Autoresponder(
            f"ann@{domain}", body='Estoy de viaje.\nVuelvo el lunes: 100% seguro & "contento".', subject="Fuera"
        )
        writer.create(wanted)
        (there,) = writer.list(Autoresponder, domain)
        assert (there.key, there.body) == (wanted.key, wanted.body)
        if self.keeps("autoresponder.subject"):
            assert there.subject == wanted.subject
        with pytest.raises(Refused):
            writer.create(replace(wanted, body="Other."))
        (there,) = writer.list(Autoresponder, domain)
        assert there.body == wanted.body

    # -- filters

    def test_a_filter_with_one_condition_arrives(self, domain: str, writer: PanelWriter, cannot: Cannot) -> None:
        if self.lacks(Filter, cannot):
            return
        writer.create(Mailbox(f"ann@{domain}", quota=_GB), PASSWORD)
        rule = Rule("$header_subject:", "contains", "oferta 100%")
        wanted = Filter(f"ann@{domain}", "ofertas", (rule,), (("deliver", "bob@example.net"),), domain=domain)
        writer.create(wanted)
        (there,) = writer.list(Filter, domain)
        assert (there.name, there.enabled) == ("ofertas", True)
        assert [(one.part, one.match, one.value) for one in there.rules] == [(rule.part, rule.match, rule.value)]
        with pytest.raises(Refused):
            writer.create(replace(wanted, actions=(("fail", ""),)))


def refusing(error: type[MigratorError] = Misbehaved) -> Any:  # Any: pytest's own type
    """For tests of one adapter: whatever is inside ends in that error, whose sentence holds no markup and no secret."""
    return pytest.raises(error)
