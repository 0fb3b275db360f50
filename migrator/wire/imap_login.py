"""Logging in to an IMAP server: which way to take, what to say, and what a refusal means.

Passwords travel by SASL PLAIN where it is offered, since it takes every byte a password can have. Nothing of them is ever part of
an error.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import field
from datetime import timedelta

from migrator.errors import EndpointRefused, LoginRefused, MigratorError, NotLetIn, TooManyConnections, Unavailable
from migrator.frozen import dataclass
from migrator.wire.imap import Answer, Connection, SaidBye, Spoken, plain, string

_BACKOFF = re.compile(r"backoff time: (\d{1,9}) ?milliseconds", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in. `account` is what messages speak of, `user` whose password it is, `authzid` whose mailbox is to be opened if
    that is another's (only PLAIN can say so), `master` that the password is a master user's.
    """

    account: str
    user: str
    password: str = field(repr=False)
    authzid: str = ""
    master: bool = False


def log_in(wire: Connection, credentials: Credentials, way: str = "auto") -> None:
    """Log in and learn the capabilities that hold from here on. `way` is auto, plain, login, cram-md5, xoauth2 or oauthbearer.

    Raises LoginRefused (never to be tried again), TooManyConnections, Unavailable, or EndpointRefused when there is no way in.
    """
    if "\0" in credentials.user + credentials.password + credentials.authzid:
        raise LoginRefused(f"{credentials.account}: a user name or password with a NUL character cannot be sent.")
    if way == "auto":
        way = _best_way(wire, credentials)
    try:
        answer = _exchange(wire, credentials, way)
    except SaidBye as bye:
        raise (refused_otherwise(wire.peer, credentials.account, bye.spoken) or bye) from bye
    if not answer.end.ok:
        trouble = refused_otherwise(wire.peer, credentials.account, answer.end)
        raise trouble or _refused(wire.peer, credentials, answer.end)
    announced = [answer.end.arguments] if answer.end.code == "CAPABILITY" else _capabilities(answer)
    # many servers show a short list before the login
    announced = announced or _capabilities(wire.run(b"CAPABILITY"))
    if announced:
        wire.capabilities = frozenset(announced[-1].upper().split())


def _capabilities(answer: Answer) -> list[bytes]:
    return [b"".join(response.pieces) for response in answer.of(b"CAPABILITY")]


def _best_way(wire: Connection, credentials: Credentials) -> str:
    offers = wire.capabilities
    if b"AUTH=PLAIN" in offers or credentials.authzid:
        return "plain"
    if b"AUTH=CRAM-MD5" in offers:
        return "cram-md5"
    if b"LOGINDISABLED" not in offers:
        return "login"
    shown = ", ".join(sorted(plain(word) for word in offers if word.startswith(b"AUTH="))) or "none"
    raise EndpointRefused(
        f"{wire.peer}: the server offers no way to log in that is known here (it offers: {shown}).",
        remedy="Many servers take passwords only on a safe connection: use security: tls or starttls. If it wants a token, say auth: "
        "xoauth2 or oauthbearer and give the token as the password.",
    )


def _exchange(wire: Connection, credentials: Credentials, way: str) -> Answer:
    user, password = credentials.user.encode(), credentials.password.encode()
    if way == "login":
        return wire.run(b"LOGIN", string(user), string(password))
    mechanism, respond = _mechanism(way, user, password, credentials.authzid.encode())
    # with CRAM-MD5 the server speaks first
    return wire.authenticate(mechanism, respond, at_once=b"SASL-IR" in wire.capabilities and way != "cram-md5")


def _mechanism(way: str, user: bytes, password: bytes, authzid: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The SASL mechanism's name, and what to say to its challenges."""
    if way == "cram-md5":
        return b"CRAM-MD5", lambda challenge: user + b" " + hmac.new(password, challenge, "md5").hexdigest().encode()
    if way == "xoauth2":
        return b"XOAUTH2", _once(b"user=%s\1auth=Bearer %s\1\1" % (user, password), afterwards=b"")
    if way == "oauthbearer":
        escaped = user.replace(b"=", b"=3D").replace(b",", b"=2C")
        return b"OAUTHBEARER", _once(b"n,a=%s,\1auth=Bearer %s\1\1" % (escaped, password), afterwards=b"\1")
    return b"PLAIN", _once(b"%s\0%s\0%s" % (authzid, user, password), afterwards=b"")


def _once(response: bytes, afterwards: bytes) -> Callable[[bytes], bytes]:
    """Say it once; a further challenge (an OAuth server explains its refusal in one) gets the answer that ends the exchange."""
    left = [response]
    return lambda _challenge: left.pop() if left else afterwards


# -- refusals ---------------------------------------------------------------------------------------------------------


def asks_for_patience(end: Spoken) -> bool:
    """Whether the server means that the same would work later."""
    said = end.words.lower()
    return end.code in ("UNAVAILABLE", "INUSE", "SERVERBUG") or any(
        hint in said for hint in ("try again", "throttled", "backoff time")
    )


def unavailable(peer: str, end: Spoken) -> Unavailable:
    """The error for that, with the pause the server asked for. A fault of its own (RFC 5530, SERVERBUG) is what Dovecot answers, too, whose
    disk is full.
    """
    if end.code == "SERVERBUG":
        return Unavailable(f"{peer} meets a fault of its own; its log says which, and a full disk is one: {end.words}")
    asked = _BACKOFF.search(end.words)
    wait = timedelta(milliseconds=int(asked[1])) if asked else None
    return Unavailable(f"{peer} asks for patience: {end.words}", wait=wait)


def refused_otherwise(peer: str, account: str, end: Spoken) -> MigratorError | None:
    """A refusal at greeting or login that is not about a password, or None. `account` may be empty."""
    said = end.words.lower()
    about = f"{account}: " if account else ""
    if "authenticated but not connected" in said:
        return NotLetIn(
            f"{about}{peer} knows the account but does not open its mailbox: {end.words}",
            remedy="The account may lack a licence, or IMAP may be switched off for it there.",
        )
    if end.code == "LIMIT" or "too many" in said or "maximum number of connections" in said:
        return TooManyConnections(f"{about}{peer} allows no further connection: {end.words}")
    if asks_for_patience(end) or "temporar" in said:
        return unavailable(peer, end)
    if end.word == b"BYE" and (end.code == "AUTHENTICATIONFAILED" or "fail" in said):
        return LoginRefused(f"{about}{peer} refused the login and hung up: {end.words}")
    return None


def _refused(peer: str, credentials: Credentials, end: Spoken) -> LoginRefused:
    said = end.words.lower()
    if credentials.master and end.code == "AUTHORIZATIONFAILED":
        # RFC 5530, section 3. Dovecot says so of a mailbox that is not there, once the master's password was right.
        return NotLetIn(
            f"{credentials.account}: {peer} takes the master user's login, but does not open this mailbox with it: {end.words}",
            remedy="See whether the mailbox is there, and whether the master user may open it.",
        )
    if credentials.master:
        remedy = (
            "Correct master_user, master_password or master_style of the endpoint, then run again; nothing was changed."
        )
    elif "application-specific" in said or "app password" in said:
        remedy = "This service wants an app password, made in the account's own settings, instead of the ordinary one."
    else:
        remedy = "Correct the user or the password in the plan's accounts, then run again; nothing was changed."
    return LoginRefused(f"{credentials.account}: {peer} refused the login: {end.words}", remedy=remedy)
