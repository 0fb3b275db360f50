"""The site's own mail: which of its settings name the old host, and that changing them changes nothing else, to the last byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.engine.contract import Weight
from migrator.errors import NotFound, Refused
from migrator.forms import php, senders, spelt
from migrator.forms.model import Column, Paging, Table
from migrator.forms.php import Array, Packed
from migrator.forms.senders import SENDERS, Sender
from migrator.testing.memory_tables import MemoryReader, MemoryTables, MemoryWriter

OLD = "old.example.net"
NEW = "mail.new-host.example.com"
BY_OPTION = {one.option: one for one in reversed(SENDERS)}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def serialised(value: object) -> bytes:
    return php.written(of(value))


def of(value: object) -> php.Value:
    if isinstance(value, dict):
        return Array(tuple((key.encode(), of(one)) for key, one in value.items()))
    return value.encode() if isinstance(value, str) else value  # type: ignore[return-value]


def changed(option: str, raw: bytes, port: int | None = 587) -> bytes:
    return senders.changed(raw, BY_OPTION[option], [OLD], NEW, port)


# -- values that are changed inside -----------------------------------------------------------------------------------------------


@given(JSON.filter(lambda one: isinstance(one, dict | list)), st.booleans(), st.booleans(), st.sampled_from([None, 4]))
def test_json_is_written_again_in_the_style_it_came_in(value, ascii_only, slashes, indent) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=(",", ": " if indent else ":"))
    raw = (text.replace("/", "\\/") if slashes else text).encode()
    assert isinstance(spelt.read(raw), spelt.InJson)
    assert spelt.read(raw).write() == raw


@pytest.mark.parametrize(
    "raw", [b'{"a":1.0e5}', b'{ "a" : 1 }', b'{"a":1,"a":2}', b"{broken}", b"", b"text", b'a:1:{i:0;s:9:"x";}']
)
def test_what_cannot_be_written_again_is_left_as_a_text(raw) -> None:
    assert spelt.read(raw) == spelt.InText(raw)
    assert spelt.faithful(spelt.read(raw), raw)


@given(st.binary(max_size=80))
def test_no_bytes_make_the_reader_raise_and_all_come_back(raw) -> None:
    value = spelt.read(raw)
    list(value.texts())
    list(value.places([spelt.ANY, "host"]))
    assert spelt.faithful(value, raw) or isinstance(value, spelt.InPhp)


@pytest.mark.parametrize("value", [{"a": {"host": "x", "n": 5}}, {"a": {"host": "x", "n": True}}])
def test_a_member_is_changed_as_the_kind_it_is(value) -> None:
    for raw in (serialised(value), json.dumps(value, separators=(",", ":")).encode()):
        there = spelt.read(raw)
        assert list(there.places(["*", "host"])) == [(("a", "host"), "x")]
        assert "yy" in there.put(("a", "host"), "yy").write().decode()
        with pytest.raises(ValueError, match="no elsewhere"):
            there.put(("a", "elsewhere"), "yy")
        if value["a"]["n"] is True:
            assert not list(there.places(["a", "n"]))
            with pytest.raises(ValueError, match="neither"):
                there.put(("a", "n"), "7")
        else:
            assert list(spelt.read(there.put(("a", "n"), "7").write()).places(["a", "n"])) == [(("a", "n"), "7")]
            with pytest.raises(ValueError, match="invalid literal"):
                there.put(("a", "n"), "many")


# -- changing -----------------------------------------------------------------------------------------------------------------------


def test_host_and_port_are_changed_and_nothing_else() -> None:
    value = {
        "mail": {"from_name": "Jürgen's 😀"},
        "smtp": {"host": OLD, "port": 25, "user": OLD, "pass": "s:3:x"},
        "last": OLD,
    }
    wanted = {"mail": value["mail"], "smtp": {**value["smtp"], "host": NEW, "port": 587}, "last": OLD}
    assert changed("wp_mail_smtp", serialised(value)) == serialised(wanted)
    assert changed("wp_mail_smtp", serialised(value), None) == serialised(
        {**wanted, "smtp": {**wanted["smtp"], "port": 25}}
    )


def test_the_port_stays_the_text_or_the_number_it_was() -> None:
    assert serialised({"hostname": NEW, "port": "587"}) == changed(
        "postman_options", serialised({"hostname": OLD, "port": "25"})
    )
    assert serialised({"hostname": NEW, "port": 587}) == changed(
        "postman_options", serialised({"hostname": OLD, "port": 25})
    )
    assert serialised({"hostname": NEW}) == changed("postman_options", serialised({"hostname": OLD}))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("OLD.example.net", NEW),
        ("old.example.net.", NEW),
        ("ssl://old.example.net", f"ssl://{NEW}"),
        (f"tls://{OLD}:465", f"tls://{NEW}:587"),
        (f"{OLD}:25", f"{NEW}:587"),
    ],
)
def test_scheme_and_place_of_the_port_stay(was, becomes) -> None:
    assert changed("smtp_host", was.encode()) == becomes.encode()
    assert changed("postman_options", serialised({"hostname": was})) == serialised({"hostname": becomes})


@pytest.mark.parametrize(
    "host",
    ["smtp.example.org", "xold.example.net", "old.example.net.evil.example", "", f"{OLD} {OLD}", f"https://{OLD}"],
)
def test_another_host_stays(host) -> None:
    raw = serialised({"hostname": host, "port": "25"})
    assert changed("postman_options", raw) == raw


def test_what_was_serialised_twice_is_changed_inside_with_both_lengths() -> None:
    inner = of({"smtp_host": OLD, "smtp_port": "25"})
    raw = php.written(Packed(inner))
    assert changed("smtp_mailer_options", raw) == php.written(php.written(of({"smtp_host": NEW, "smtp_port": "587"})))


def test_each_connection_of_several_is_asked_by_itself() -> None:
    value = {
        "connections": {"a": {"smtp": {"host": OLD, "port": 1}}, "b": {"smtp": {"host": "other.example", "port": 2}}}
    }
    sender = next(one for one in SENDERS if one.host.startswith("connections.*.smtp"))
    wanted = {"connections": {**value["connections"], "a": {"smtp": {"host": NEW, "port": 587}}}}
    assert senders.changed(serialised(value), sender, [OLD], NEW, 587) == serialised(wanted)


def test_references_in_a_value_still_count_right_when_it_has_changed() -> None:
    raw = b'a:3:{s:8:"hostname";s:15:"old.example.net";s:1:"o";O:1:"A":1:{s:1:"x";i:1;}s:1:"p";r:3;}'
    assert php.plain(php.read(changed("postman_options", raw)).value)["p"] == {"x": 1}


@pytest.mark.parametrize(
    "raw", [b'a:01:{s:8:"hostname";s:15:"old.example.net";}', b'a:1:{s:8:"hostname";s:015:"old.example.net";}']
)
def test_what_php_would_spell_otherwise_is_refused(raw) -> None:
    with pytest.raises(Refused, match="cannot be written again as it is"):
        changed("postman_options", raw)


# -- finding --------------------------------------------------------------------------------------------------------------------------

OPTIONS = (Column("option_id", "bigint(20)"), Column("option_name", "varchar(191)"), Column("option_value", "longtext"))


def site(**options: bytes) -> MemoryTables:
    there = MemoryTables("site")
    rows = [(str(number), name, raw.decode()) for number, (name, raw) in enumerate(options.items())]
    there.fill(Table("wp_options", OPTIONS, Paging.KEY, ("option_id",)), rows)
    there.fill(Table("wp_posts", ()), [])
    return there


def test_findings_say_what_where_and_what_to_do_with_no_secret() -> None:
    there = site(
        wp_mail_smtp=serialised({"smtp": {"host": OLD, "port": 587, "pass": "hidden"}}),
        mailserver_url=OLD.encode(),
        smtp_port=b"465",
        smtp_host=f"ssl://{OLD}".encode(),
    )
    told = list(senders.findings(senders.settings(MemoryReader(there), [OLD.upper()]), NEW))
    assert [(one.code, one.weight) for one in told] == [
        (senders.CODE, Weight.WARNING),
        ("names-old-host", Weight.NOTE),
        (senders.CODE, Weight.WARNING),
    ]
    assert "old.example.net:587 (WP Mail SMTP, option wp_mail_smtp in wp_options)" in told[0].text
    assert "WPMS_SMTP_HOST" in told[0].remedy
    assert NEW in told[0].remedy
    assert "ssl://old.example.net:465" in told[2].text
    assert "hidden" not in str(told)
    asked = list(senders.findings(senders.settings(MemoryReader(there), [OLD]), NEW, asked=True))
    assert asked[0].remedy.startswith("A run changes it where the target has it (senders: {change: true}): once it is")
    assert "WPMS_SMTP_HOST" in asked[0].remedy


def test_a_setting_that_is_broken_is_told_and_not_touched() -> None:
    broken = b'a:1:{s:8:"hostname";s:99:"old.example.net";}'
    there = site(postman_options=broken)
    (setting,) = senders.settings(MemoryReader(there), [OLD])
    assert setting.known is None
    assert changed("postman_options", broken) == broken


def test_a_site_that_sends_elsewhere_is_not_spoken_of() -> None:
    there = site(
        wp_mail_smtp=serialised({"smtp": {"host": "smtp.example.org"}}),
        blogname=b"Old",
        text=f"https://{OLD}/x".encode(),
    )
    assert not list(senders.settings(MemoryReader(there), [OLD]))


def test_a_setting_is_changed_once_and_a_port_of_its_own_with_it() -> None:
    there = site(smtp_host=OLD.encode(), smtp_port=b"25", other=b"stays")
    (setting,) = senders.settings(MemoryReader(there), [OLD])
    writer = MemoryWriter(there)
    assert senders.change(writer, setting, [OLD], NEW, 465)
    assert [row[2] for row in there.rows("wp_options")] == [NEW, "465", "stays"]
    writes = len(there.writes)
    assert not senders.change(writer, setting, [OLD], NEW, 465)
    assert len(there.writes) == writes


def test_a_death_between_port_and_host_leaves_something_to_do() -> None:
    there = site(smtp_host=OLD.encode(), smtp_port=b"25")
    (setting,) = senders.settings(MemoryReader(there), [OLD])

    def die(_: str) -> None:
        raise KeyboardInterrupt

    there.after_write = die
    with pytest.raises(KeyboardInterrupt):
        senders.change(MemoryWriter(there), setting, [OLD], NEW, 465)
    there.after_write = lambda _: None
    (setting,) = senders.settings(MemoryReader(there), [OLD])
    assert senders.change(MemoryWriter(there), setting, [OLD], NEW, 465)
    assert [row[2] for row in there.rows("wp_options")] == [NEW, "465"]


def test_a_port_option_that_is_missing_is_told_before_anything_is_changed() -> None:
    there = site(smtp_host=OLD.encode())
    (setting,) = senders.settings(MemoryReader(there), [OLD])
    with pytest.raises(NotFound, match="smtp_port"):
        senders.change(MemoryWriter(there), setting, [OLD], NEW, 465)
    assert not there.writes


def test_what_is_gone_or_nobody_knows_is_refused() -> None:
    there = site(mailserver_url=OLD.encode())
    (setting,) = senders.settings(MemoryReader(there), [OLD])
    with pytest.raises(Refused, match="nobody knows"):
        senders.change(MemoryWriter(there), setting, [OLD], NEW, None)
    there = site(postman_options=serialised({"hostname": OLD}))
    (setting,) = senders.settings(MemoryReader(there), [OLD])
    with pytest.raises(NotFound, match="not in wp_options"):
        senders.change(MemoryWriter(site(x=b"")), setting, [OLD], NEW, None)


@pytest.mark.parametrize("sender", SENDERS, ids=lambda one: one.title)
def test_an_entry_of_data_leads_to_a_host_and_a_port(sender: Sender) -> None:
    if not sender.host:
        assert sender.port_option
        return
    inner: object = {sender.way[-1]: OLD, sender.port: "25"}
    for name in reversed(sender.way[:-1]):
        inner = {"member" if name == spelt.ANY else name: inner}
    there = site(**{sender.option: serialised(inner)})
    assert [(one.host, one.port) for one in senders.settings(MemoryReader(there), [OLD])] == [(OLD, "25")]
    raw = senders.changed(serialised(inner), sender, [OLD], NEW, 587)
    assert raw == serialised(inner).replace(b's:15:"old.example.net"', f's:{len(NEW)}:"{NEW}"'.encode()).replace(
        b's:2:"25"', b's:3:"587"'
    )
