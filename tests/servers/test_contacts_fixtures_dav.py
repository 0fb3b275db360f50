"""Every card of fixtures/vcards on real servers: taken, and given back meaning the same."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from migrator.contacts import meaning, vcard
from migrator.contacts.adapters import carddav
from migrator.contacts.model import Card, text_property
from migrator.engine.contract import Login

FIXTURES = Path(__file__).parent.parent.parent / "fixtures" / "vcards"
CUT_BY_RADICALE = {  # it reads with vobject, which knows 7 components of ADR and 5 of N
    "address-of-rfc-9554": "ADR",
    "address-too-long": "ADR",
    "name-of-seven-components": "N",
}


def cards() -> dict[str, Card]:
    """Every card that says anything, under a UID of its own: several are the same person."""
    found = {}
    for path in sorted(FIXTURES.glob("*.vcf")):
        with path.open("rb") as stream:
            for number, read in enumerate(vcard.read(stream)):
                if read.card.properties:
                    uid = text_property("UID", f"{path.stem}-{number}")
                    found[f"{path.stem}-{number}"] = read.card.without("UID").with_property(uid)
    return found


@pytest.mark.parametrize(("name", "cut"), [("radicale", CUT_BY_RADICALE), ("xandikos", {})])
def test_a_server_takes_every_card_and_gives_it_back_meaning_the_same(request, name, cut):
    server = request.getfixturevalue(name)
    user, password = server.fresh_user()
    options = carddav.Options(url=server.url, ca_file=server.ca_file)
    sent = cards()
    with closing(carddav.CardDavWriter(options, Login(user, user, SecretStr(password)))) as book:
        home = book.create_book("Everything").id
        puts = dict(zip(sent, book.add(home, list(sent.values())), strict=True))
        assert not {key: put.refused for key, put in puts.items() if put.refused}
        held = {one.entry.ref: one for one in book.fetch(home, [put.ref for put in puts.values()])}
    differing = {}
    for key, put in puts.items():
        told = meaning.compare(sent[key], held[put.ref].card)
        if told or held[put.ref].dropped:
            differing[key.rpartition("-")[0]] = ", ".join([one.name for one in told] + list(held[put.ref].dropped))
    assert differing == cut
