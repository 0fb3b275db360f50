"""WebDAV's XML and hrefs, without a network."""

import tracemalloc
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.contacts import dav
from migrator.contacts.dav import CARD, DAV, NotMultistatus

ETAG = f"{DAV}getetag"


def answer(inside: str, prefix: str = "d") -> bytes:
    colon = f":{prefix}" if prefix else ""
    return (
        f'<multistatus xmlns{colon}="DAV:" xmlns:k="urn:ietf:params:xml:ns:carddav">{inside}</multistatus>'.replace(
            "<multistatus", f"<{prefix}{':' if prefix else ''}multistatus"
        )
        .replace("</multistatus", f"</{prefix}{':' if prefix else ''}multistatus")
        .encode()
    )


def response(href: str, *, tag: str = '"1"', p: str = "d:") -> str:
    return (
        f"<{p}response><{p}href>{href}</{p}href><{p}propstat><{p}prop><{p}getetag>{tag}</{p}getetag></{p}prop>"
        f"<{p}status>HTTP/1.1 200 OK</{p}status></{p}propstat></{p}response>"
    )


# -- hrefs


@pytest.mark.parametrize(
    ("href", "asked", "path"),
    [
        ("/dav/u/one.vcf", "/dav/u/", "/dav/u/one.vcf"),
        ("https://dav.example.com/dav/u/one.vcf", "/dav/u/", "/dav/u/one.vcf"),
        ("HTTPS://dav.example.com:8443/dav/u/one.vcf", "/dav/u/", "/dav/u/one.vcf"),
        ("//dav.example.com/dav/u/one.vcf", "/dav/u/", "/dav/u/one.vcf"),
        ("https://dav.example.com", "/dav/u/", "/"),
        ("one.vcf", "/dav/u/", "/dav/u/one.vcf"),
        ("ann@example.com/book/one.vcf", "/ann%40example.com/book/", "/ann%40example.com/book/one.vcf"),
        ("/ann@example.com/", "/", "/ann%40example.com/"),
        ("/ann%40example.com/", "/", "/ann%40example.com/"),
        ("/b/a%2fb.vcf", "/b/", "/b/a%2Fb.vcf"),
        ("/b/ä x.vcf", "/b/", "/b/%C3%A4%20x.vcf"),
        ("/b/%c3%a4%20x.vcf", "/b/", "/b/%C3%A4%20x.vcf"),
        ("/b/100%.vcf", "/b/", "/b/100%25.vcf"),
        ("/b/contacts:family/", "/b/", "/b/contacts%3Afamily/"),
        ("  /b/one.vcf\n", "/b/", "/b/one.vcf"),
        ("/b/one.vcf?version=2", "/b/", "/b/one.vcf"),
        ("/b/http://x/y.vcf", "/b/", "/b/http%3A//x/y.vcf"),
    ],
)
def test_an_href_becomes_one_path_however_it_is_spelt(href, asked, path):
    assert dav.path_of(href, asked) == path


@given(
    st.lists(
        st.text(alphabet=st.characters(exclude_characters="%", exclude_categories=("Cs",)), min_size=1), min_size=1
    )
)
def test_a_path_that_is_spelt_once_is_not_spelt_anew(segments):
    once = dav.encoded("/" + "/".join(segments))
    assert dav.encoded(once) == once
    assert once.isascii()
    assert not set("?#: @") & set(once)


# -- what comes back


@pytest.mark.parametrize("prefix", ["d", "D", "ns0", ""])
def test_names_are_told_apart_by_namespace_not_by_prefix(prefix):
    told = dav.multistatus(answer(response("/b/one.vcf", p=f"{prefix}:" if prefix else ""), prefix), "/b/")
    assert [(one.path, one.text(ETAG)) for one in told.resources] == [("/b/one.vcf", '"1"')]


def test_a_property_of_the_same_name_in_another_namespace_is_another():
    inside = response("/b/one.vcf").replace("d:getetag", "k:getetag")
    (one,) = dav.multistatus(answer(inside), "/b/").resources
    assert one.text(ETAG) == ""
    assert one.text(f"{CARD}getetag") == '"1"'


def test_a_404_inside_is_that_of_its_resource_alone():
    gone = "<d:response><d:href>/b/gone.vcf</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>"
    told = dav.multistatus(answer(gone + response("/b/one.vcf")), "/b/")
    assert [(one.status, bool(one.found)) for one in told.resources] == [(404, False), (200, True)]


def test_a_property_that_is_missing_is_not_found_empty():
    inside = (
        "<d:response><d:href>/b/</d:href><d:propstat><d:prop><d:getetag/></d:prop>"
        "<d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>"
    )
    (one,) = dav.multistatus(answer(inside), "/b/").resources
    assert one.missing == {ETAG: 404}
    assert one.found == {}


def test_the_token_for_changes_is_read_wherever_it_stands():
    token = "<d:sync-token> http://example.com/7 </d:sync-token>"
    assert dav.multistatus(answer(token + response("/b/one.vcf")), "/b/").token == "http://example.com/7"
    assert dav.multistatus(answer(response("/b/one.vcf") + token), "/b/").token == "http://example.com/7"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><body>Login</body></html>",
        b"<!DOCTYPE html><html></html>",
        b'{"ok": true}',
        b'<?xml version="1.0" encoding="nobody-knows"?><multistatus xmlns="DAV:"/>',
        b'<multistatus xmlns="DAV:"><response>',
        b'<multistatus xmlns="DAV:">\x0b</multistatus>',
        b'<multistatus xmlns="DAV:">\xff</multistatus>',
        b"<multistatus/>",
    ],
)
def test_what_is_no_multistatus_is_said_to_be_none(content):
    with pytest.raises(NotMultistatus):
        dav.multistatus(content, "/")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "entities",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">',
        '<!ENTITY c SYSTEM "file:///etc/hostname">',
        "",
    ],
)
def test_a_doctype_is_refused_in_any_encoding_before_an_entity_grows(encoding, entities):
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE m [{entities}]><multistatus xmlns="DAV:">&c;</multistatus>'
    with pytest.raises(NotMultistatus, match="DOCTYPE"):
        dav.multistatus(text.encode(encoding), "/")
    assert dav.conditions(text.encode(encoding)) == frozenset()


def test_a_card_that_speaks_of_a_doctype_is_read():
    inside = response("/b/one.vcf", tag="<![CDATA[<!DOCTYPE x [<!ENTITY y>]>]]>")
    (one,) = dav.multistatus(answer(inside), "/b/").resources
    assert one.text(ETAG) == "<!DOCTYPE x [<!ENTITY y>]>"


def test_the_listing_of_a_large_book_does_not_stand_in_memory_as_a_tree():
    padding = "<d:x/>" * 50
    content = answer(
        "".join(response(f"/b/{n}.vcf").replace("<d:propstat>", f"{padding}<d:propstat>", 1) for n in range(5_000))
    )
    tracemalloc.start()
    told = dav.multistatus(content, "/b/")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(told.resources) == 5_000
    assert peak < 15_000_000  # the whole tree: 35 MB


# -- what is asked, and what errors say


@pytest.mark.parametrize("name", ["Friends & <Family>", 'a "b"', "ctrl\x0b\x00\x1f", "\ufffe\ufdd0", "王"])
def test_any_name_of_a_book_makes_well_formed_xml(name):
    for body in (dav.make_book(name), dav.rename(name)):
        (told,) = ET.fromstring(body).iter(f"{DAV}displayname")
        assert (told.text or "").strip() == "".join(
            one if one >= " " and one != "\ufffe" else " " for one in name
        ).strip()


def test_hrefs_are_escaped_in_what_is_asked():
    hrefs = [one.text for one in ET.fromstring(dav.multiget(["/b/a&b<c>.vcf"])).iter(f"{DAV}href")]
    assert hrefs == ["/b/a&b<c>.vcf"]


def test_the_conditions_of_an_error_and_its_words_are_read():
    body = b'<D:error xmlns:D="DAV:" xmlns:C="urn:x"><C:no-uid-conflict/><D:responsedescription> Not this one </D:responsedescription></D:error>'
    assert "no-uid-conflict" in dav.conditions(body)
    assert dav.described(body) == "Not this one"
    assert dav.conditions(b"Bad Request") == frozenset()
    assert dav.described(b"") == ""
