"""A mail server whose accounts are rows of a database that Postfix and Dovecot look up, reached through SQLAlchemy.

Two sets of tables: `postfixadmin` (3.2 and 3.3: https://github.com/postfixadmin/postfixadmin, which has no API for admins) and
`virtual_users` (virtual_domains, virtual_users, virtual_aliases of the classic guides), in MariaDB, MySQL, PostgreSQL or an sqlite
file. What a session does is in panel/sql/: postfixadmin.py, virtual_users.py.

Hashes are carried as they are, with Dovecot's scheme in front; a plain password is hashed to SHA512-CRYPT here. A mailbox that may
not log in but gets mail has its hash put out of action; one that gets no mail is inactive.

What it cannot do: filters, lists, DKIM keys, pipes, rejects. The limits that postfixadmin's pages enforce (mailboxes of a domain,
largest quota) are not the database's and are not looked at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field, model_validator

from migrator.addresses import ascii_domain
from migrator.engine.contract import Adapter, Login, Service
from migrator.panel import hashes
from migrator.panel.contract import Features, PanelReader, PanelWriter
from migrator.panel.model import Autoresponder, CatchAll, Domain, DomainForwarder, Forwarder, Mailbox, changed, lost
from migrator.panel.sql.gotos import LOCAL_PART
from migrator.panel.sql.postfixadmin import PostfixadminReader, PostfixadminWriter
from migrator.panel.sql.virtual_users import VirtualUsersReader, VirtualUsersWriter
from migrator.wire.sql import Database, DatabaseOptions

# -- what a plan says -------------------------------------------------------------------------------------------------


class Options(DatabaseOptions, Service):
    """Accounts in the tables that Postfix and Dovecot look up."""

    tables: Literal["postfixadmin", "virtual_users"] = Field(
        "postfixadmin",
        alias="schema",
        description="Whose tables they are: postfixadmin's, or virtual_domains, virtual_users and virtual_aliases of the guides",
    )
    scheme_in_front: bool = Field(
        True,
        description="Write {SHA512-CRYPT} before a hash, as Dovecot reads it whatever its default is; "
        "false for a column of 106 characters or a server that wants crypt's text alone",
    )
    vacation_domain: str = Field(
        "",
        description="postfixadmin only: its $CONF['vacation_domain'], such as autoreply.example.com; without it no autoresponder is made",
    )
    transport: str = Field(
        "virtual", description="postfixadmin only: what a new domain's transport is, as in $CONF['transport_default']"
    )

    @model_validator(mode="after")
    def _readable(self) -> Options:
        if self.vacation_domain and "." not in ascii_domain(self.vacation_domain):
            raise ValueError("vacation_domain: this is no domain name")
        return self


# -- what the tables can hold ------------------------------------------------------------------------------------------

_ONLY_ADDRESSES = "a virtual alias table holds addresses only"
_VIRTUAL_USERS = Features(
    title="virtual_users database",
    lists=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll}),
    creates=frozenset({Domain, Mailbox, Forwarder, DomainForwarder, CatchAll}),
    changes=frozenset({Mailbox, Forwarder, DomainForwarder, CatchAll}),
    tells={"domain.dkim key": lost("signing keys are not in the database")},
    keeps={
        "domain.routing": lost("every domain in the table is delivered here"),
        "domain.dkim key": lost("signing keys are not in the database"),
        "domain.suspended": lost("the tables have no switch for a domain"),
        "mailbox.suspended receiving": lost("the tables have no switch for a mailbox"),
        "mailbox.suspended sending": lost("who may log in may send"),
        "mailbox.name": lost("the tables have no column for it"),
        "forwarder.reject": lost(_ONLY_ADDRESSES),
        "forwarder.discard": lost(_ONLY_ADDRESSES),
        "forwarder.pipe": lost(_ONLY_ADDRESSES),
        "forwarder.system user": lost(_ONLY_ADDRESSES),
        "catch-all.discard": lost(_ONLY_ADDRESSES),
        "catch-all.pipe": lost(_ONLY_ADDRESSES),
        "catch-all.address": changed(
            "it takes the mail of mailboxes too unless Postfix looks them up as aliases of themselves (the guides' email2email)"
        ),
    },
    schemes=hashes.CARRIED,
    reads_hashes=True,
    verifies_passwords=True,
    sets_passwords=True,
    local_part=LOCAL_PART,
)
_NO_FIELD = "the answer is plain text without a sender's name"
FEATURES = replace(
    _VIRTUAL_USERS,
    title="postfixadmin database",
    lists=_VIRTUAL_USERS.lists | {Autoresponder},
    creates=_VIRTUAL_USERS.creates | {Autoresponder},
    changes=_VIRTUAL_USERS.changes | {Autoresponder},
    tells={
        **_VIRTUAL_USERS.tells,
        "autoresponder.start and stop": changed("kept without a time zone, told as if it were UTC"),
    },
    keeps={
        **{
            name: keep
            for name, keep in _VIRTUAL_USERS.keeps.items()
            if name not in {"domain.suspended", "mailbox.name", "catch-all.address"}
        },
        "domain.routing": changed("a domain whose mail is elsewhere becomes a backup, which is relayed to its MX"),
        "mailbox.suspended receiving": changed("the mailbox is made inactive: nobody logs in to it either"),
        "autoresponder.sender's name": lost(_NO_FIELD),
        "autoresponder.HTML": lost(_NO_FIELD),
        "autoresponder.start and stop": changed("kept without a time zone, in UTC"),
    },
)
VIRTUAL_USERS_FEATURES = _VIRTUAL_USERS

# -- sessions ---------------------------------------------------------------------------------------------------------


def open_reader(options: Options, _login: Login) -> PanelReader:
    """A session that cannot write. Raises EndpointRefused, Unreachable, TlsFailed, Unavailable, TooManyConnections."""
    db = Database(options, writes=False)
    if options.tables == "postfixadmin":
        return PostfixadminReader(db, FEATURES)
    return VirtualUsersReader(db, VIRTUAL_USERS_FEATURES)


def open_writer(options: Options, _login: Login) -> PanelWriter:
    """The same with the methods that write."""
    db = Database(options, writes=True)
    if options.tables == "virtual_users":
        return VirtualUsersWriter(db, VIRTUAL_USERS_FEATURES, scheme_in_front=options.scheme_in_front)
    return PostfixadminWriter(
        db,
        FEATURES,
        scheme_in_front=options.scheme_in_front,
        vacation_domain=ascii_domain(options.vacation_domain),
        transport=options.transport,
    )


ADAPTER: Adapter[PanelReader, PanelWriter] = Adapter(
    word="postfix_sql",
    title="Postfix accounts in a database (postfixadmin or virtual_users)",
    options=Options,
    reader=open_reader,
    writer=open_writer,
    connections=lambda options: (options.connections, options.connections),
)
