"""A Roundcube reached as its user reaches it: by its login form, by that of cPanel's webmail, or through a session that cPanel opens.

Sessions end (after ten minutes of rest by default) and tokens with them, and Roundcube says so with status 200. A request that was
answered with the login form had no effect, so it is made once more after a new login; a login that was refused is never repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from migrator.addresses import split
from migrator.contacts.roundcube import pages
from migrator.contacts.roundcube.pages import Told
from migrator.engine.contract import Login
from migrator.errors import Dropped, EndpointRefused, EndpointUnfit, LoginRefused, Misbehaved, Unavailable
from migrator.wire.http import Reply, Site, WebOptions

UNAUTHORIZED, FORBIDDEN, TOO_LARGE = 401, 403, 413
REDIRECTS = range(300, 400)
MOST_REDIRECTS = 3
CPANEL_ROUNDCUBE = "3rdparty/roundcube/index.php"
# In English, which is asked for: program/localization/en_US/messages.inc
_STORAGE_ERROR = "storage server"
_FORM_TOO_OLD = "Invalid request"  # its session is gone, or was never kept; no password has been tried
Form = Sequence[tuple[str, str]]


class WayIn(Protocol):
    """How a session of Roundcube begins."""

    def enter(self) -> tuple[Site, str]:
        """The site and Roundcube's path in it, logged in. Raises LoginRefused and others; called again when a session has ended."""


class ByForm:
    """The login form, with the mailbox's own password: Roundcube's, or that of cPanel's webmail (port 2096) where it stands in front."""

    def __init__(self, site: Site, login: Login) -> None:
        self._site = site
        self._login = login

    def enter(self) -> tuple[Site, str]:
        """Raises LoginRefused, Unavailable where the mail server behind does not answer, Misbehaved where there is no such form."""
        password = self._login.password
        if password is None:
            raise LoginRefused(
                f"{self._login.account}: Roundcube wants this mailbox's password, and the plan has none.",
                remedy="Add it to the accounts, or say how cPanel opens the webmail (cpanel_url, cpanel_user, cpanel_token).",
            )
        self._site.forget_cookies()
        form = self._site.read("GET", "", query={"_task": "login"}, headers=_ENGLISH)
        token = pages.login_token(form.text)
        if not token and pages.is_cpanel_login(form.text):
            return self._site, self._through_cpanel(password.get_secret_value())
        if not form.ok or not token:
            raise EndpointUnfit(
                f"{form.place}: there is no login form of Roundcube (status {form.status}).",
                remedy="Give the url of Roundcube's own folder, as it stands in the browser before the question mark.",
            )
        fields = {
            "_task": "login", "_action": "login", "_timezone": "UTC", "_url": "", "_token": token,
            "_user": self._login.user, "_pass": password.get_secret_value(),
        }  # fmt: skip
        answer = self._site.read("POST", "", query={"_task": "login"}, form=fields, headers=_ENGLISH)
        if answer.status not in REDIRECTS or "_task=login" in answer.headers.get("location", ""):
            raise self._refused(answer)
        return self._site, ""

    def _through_cpanel(self, password: str) -> str:
        """Log in to cPanel's webmail; Roundcube's path in that session. The form's script sends it so, and is answered by JSON; read in
        that script and in others' programs, not run on a real cPanel.
        """
        fields = {"user": self._login.user, "pass": password, "goto_uri": "/"}
        answer = self._site.read("POST", "login/", query={"login_only": "1"}, form=fields, headers=_ENGLISH)
        told = _object(answer)
        path = str(told.get("security_token") or answer.headers.get("location", ""))
        if found := _SESSION.match(path) if answer.status != UNAUTHORIZED else None:
            return f"{found[1]}/{CPANEL_ROUNDCUBE}"
        words = " ".join(str(told.get("message") or "").replace("_", " ").split())[: pages.LONGEST_QUOTE]
        if pages.speaks_of_code(words) or pages.asks_for_code(answer.text):
            raise second_factor(self._login.account)
        if answer.status not in {UNAUTHORIZED, FORBIDDEN} and "status" not in told:
            raise Misbehaved(
                f"{answer.place}: cPanel's webmail did not answer the login as expected (status {answer.status}).",
                remedy="Give the url of the webmail without a path, such as https://old.example.net:2096.",
            )
        said = f" (“{words}”)" if words else ""
        raise LoginRefused(
            f"{self._login.account}: cPanel's webmail at {self._login.at(self._site.name)} refused the login {self._login.user}{said}.",
            remedy="Correct the password of this account and run again; it was not tried twice.",
        )

    def _refused(self, answer: Reply) -> LoginRefused | Unavailable | EndpointRefused:
        words = pages.complaint(answer.text)
        said = f" (“{words}”)" if words else ""
        if _STORAGE_ERROR in words:
            return Unavailable(
                f"{self._login.account}: Roundcube cannot reach its mail server, so nobody can log in{said}."
            )
        if _FORM_TOO_OLD in words:
            return Unavailable(
                f"{self._login.account}: Roundcube did not keep the session of its own login form, so nobody can log in{said}."
            )
        return LoginRefused(
            f"{self._login.account}: Roundcube at {self._login.at(self._site.name)} refused the login {self._login.user}{said}.",
            remedy="Correct the password of this account and run again; it was not tried twice.",
        )


def second_factor(account: str) -> LoginRefused:
    """The webmail wants more than a password."""
    return LoginRefused(
        f"{account}: the webmail wants a second factor beside the password, which nobody can give while a plan runs.",
        remedy="Have it turned off for this mailbox until the move is over, or, on cPanel, open the webmail by cpanel_url, cpanel_user and "
        "cpanel_token.",
    )


class ByCpanel:
    """A webmail session that cPanel opens for a mailbox of its account (UAPI Session::create_webmail_session_for_mail_user); nobody's
    password is needed. Documented, not run on a real cPanel.
    """

    def __init__(
        self, options: WebOptions, panel: WebOptions, user: str, token: SecretStr | str, login: Login, *, writes: bool
    ) -> None:
        self._options = options
        self._writes = writes
        self._login = login
        plain = token.get_secret_value() if isinstance(token, SecretStr) else token
        self._panel = Site(panel, writes=False, headers={"Authorization": f"cpanel {user}:{plain}"})
        self._webmail: Site | None = None

    def enter(self) -> tuple[Site, str]:
        """Raises LoginRefused where cPanel has no such mailbox, EndpointRefused where the token is refused."""
        local, domain = split(self._login.account)
        answer = self._panel.read(
            "POST", "execute/Session/create_webmail_session_for_mail_user", form={"login": local, "domain": domain}
        )
        if answer.status in {UNAUTHORIZED, FORBIDDEN}:
            raise EndpointRefused(
                f"{answer.place}: cPanel refuses the API token.",
                remedy="Check cpanel_user and the secret of cpanel_token.",
            )
        told = answer.json()
        data = told.get("data") if isinstance(told, dict) else None
        if not isinstance(data, dict) or not told.get("status"):
            words = "; ".join(map(str, (told.get("errors") if isinstance(told, dict) else None) or []))
            raise LoginRefused(
                f"{self._login.account}: cPanel opens no webmail for it (“{words[: pages.LONGEST_QUOTE]}”).",
                remedy="Check that the mailbox belongs to this cPanel account.",
            )
        session, path = str(data.get("session") or ""), str(data.get("token") or "").strip("/")
        if not session or not path:
            raise Misbehaved(f"{answer.place}: cPanel named no session.")
        self._leave()
        self._webmail = Site(_at_host(self._options, str(data.get("hostname") or "")), writes=self._writes)
        entered = self._webmail.read("POST", f"{path}/login", form={"session": session})
        if not (entered.ok or entered.status in REDIRECTS):
            raise Misbehaved(
                f"{self._webmail.name}: the webmail did not take cPanel's session (status {entered.status})."
            )
        return self._webmail, f"{path}/{CPANEL_ROUNDCUBE}"

    def _leave(self) -> None:
        if self._webmail is not None:
            self._webmail.close()

    def close(self) -> None:
        """End both sessions; never raises."""
        self._leave()
        self._panel.close()


class Webmail:
    """One session. It logs in at the first question, and again whenever Roundcube has forgotten it."""

    def __init__(self, way_in: WayIn, account: str) -> None:
        self._way_in = way_in
        self._account = account
        self._site: Site | None = None
        self._path = ""
        self._refusal: LoginRefused | None = None
        self._state: Told | None = None

    def state(self) -> Told:
        """What the address book's page says of books, groups, the token. Asked once, until `forget`."""
        if self._state is None:
            if self._site is None or self._refusal is not None:
                self._enter()
            found = self._look()
            if found.get("task") != "addressbook":  # an old session
                self._enter()
                found = self._look()
            if not found.get("request_token"):
                raise EndpointUnfit(
                    f"{self._account}: after the login, {self._named} shows no address book.",
                    remedy="Log in there by hand: a second factor, a notice or another language of pages may stand in between.",
                )
            self._state = found
        return self._state

    def forget(self) -> None:
        """What the page said is out of date."""
        self._state = None

    @property
    def _named(self) -> str:
        return self._site.name if self._site else "Roundcube"

    def script(self, action: str, **fields: str) -> Told:
        """A script's question that changes nothing, and its JSON."""
        return self._json(
            action,
            lambda site, path, token: site.read(
                "GET", path, query={**_task(action), "_remote": "1", **fields}, headers={"X-Roundcube-Request": token}
            ),
        )

    def tell(self, action: str, fields: Form) -> Told:
        """A script's order, and its JSON."""
        return self._json(
            action,
            lambda site, path, token: site.write(
                "POST",
                path,
                query=_task(action),
                form=[*fields, ("_remote", "1"), ("_token", token)],
                headers={"X-Roundcube-Request": token},
            ),
        )

    def page(self, action: str, **fields: str) -> str:
        """A page that changes nothing."""
        return self._page(action, lambda site, path, _: site.read("GET", path, query={**_task(action), **fields})).text

    def post(self, action: str, fields: Form) -> str:
        """A form that is sent, and the page that answers."""
        return self._page(
            action,
            lambda site, path, token: site.write(
                "POST", path, query=_task(action), form=[*fields, ("_framed", "1"), ("_token", token)]
            ),
        ).text

    def upload(self, action: str, fields: Mapping[str, str], name: str, content: bytes) -> Reply:
        """A form with a file, and what answers it."""
        files = {"_file[]": (name, content, "text/vcard")}
        return self._page(
            action,
            lambda site, path, token: site.write(
                "POST", path, query=_task(action), form={**fields, "_framed": "1", "_token": token}, files=files
            ),
        )

    def export(self, **fields: str) -> bytes:
        """Cards as vCards. Raises Misbehaved where Roundcube answers with anything else."""
        reply = self._page(
            "export",
            lambda site, path, token: site.read("GET", path, query={**_task("export"), "_token": token, **fields}),
            good=lambda reply: "vcard" in reply.headers.get("content-type", "").lower(),
        )
        return reply.content

    def _enter(self) -> None:
        if self._refusal is not None:
            raise self._refusal
        try:
            self._site, self._path = self._way_in.enter()
        except LoginRefused as refusal:
            self._refusal = refusal
            raise
        self._state = None

    def _look(self) -> Told:
        assert self._site is not None
        path, query = self._path, {"_task": "addressbook"}
        for _ in range(MOST_REDIRECTS):
            reply = self._site.read("GET", path, query=query)
            if reply.status not in REDIRECTS:
                break
            # cPanel's Roundcube takes its user from the session and sends it to the inbox first; nothing else is followed.
            where = urlsplit(reply.headers.get("location", ""))
            if where.path.lstrip("/") not in {self._path, "", self._path.removesuffix("index.php")}:
                raise EndpointUnfit(
                    f"{reply.place}: Roundcube is somewhere else (“{reply.headers.get('location', '')[: pages.LONGEST_QUOTE]}”).",
                    remedy="Correct the url in the plan.",
                )
        found = pages.state(reply.text)
        if not found.get("request_token") and pages.asks_for_code(reply.text):
            self._refusal = second_factor(self._account)
            raise self._refusal
        return found

    def _json(self, action: str, ask: Any) -> Told:  # Any: a question to a site, a path, a token
        for again in (True, False):
            reply = self._asked(ask)
            if not again or not _is_stranger(reply):
                break
            self._enter()
        told = reply.json() if not _is_stranger(reply) else None
        if not isinstance(told, dict):
            raise Misbehaved(f"{self._account}: Roundcube did not answer to {action} with what was expected.")
        return told

    def _page(self, action: str, ask: Any, good: Any = None) -> Reply:  # Any: as above, and a test of a reply
        for again in (True, False):
            reply = self._asked(ask)
            if good is not None and reply.ok and good(reply):
                return reply
            if not _is_stranger(reply) and (good is None or not again):
                break
            if again:
                # Either the session is over or the token is old; both are had by looking at the page anew.
                self._enter() if _is_stranger(reply) else self.forget()
        if reply.status == TOO_LARGE:
            return reply
        if not reply.ok or good is not None or _is_stranger(reply):
            raise Misbehaved(
                f"{reply.place}: Roundcube did not answer to {action} with what was expected (status {reply.status})."
            )
        return reply

    def _asked(self, ask: Any) -> Reply:  # Any: as above
        token = str(self.state()["request_token"])
        assert self._site is not None
        reply: Reply = ask(self._site, self._path, token)
        if reply.status >= 500:  # noqa: PLR2004 - RFC 9110
            raise Dropped(
                f"{reply.place}: Roundcube failed (status {reply.status}); whether it had its effect is looked up."
            )
        return reply


_ENGLISH = {"Accept-Language": "en"}
_SESSION = re.compile(r"/?(cpsess\d+)(?:/|$)")


def _object(reply: Reply) -> Told:
    """A JSON object; empty where the answer is none."""
    try:
        told = json.loads(reply.content)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _task(action: str) -> dict[str, str]:
    return {"_task": "addressbook", "_action": action}


def _is_stranger(reply: Reply) -> bool:
    """Whether the answer is the login form, or a script's word for it."""
    if reply.status in {UNAUTHORIZED, FORBIDDEN}:
        return True
    kind = reply.headers.get("content-type", "")
    if "vcard" in kind:
        return False
    text = reply.text
    return "session_error(" in text or ('"task":"login"' in text and "html" in kind)


def _at_host(options: WebOptions, host: str) -> WebOptions:
    """The same service at the host that cPanel names: mailboxes may live on another machine than the panel."""
    parts = urlsplit(options.url)
    if not host or host == parts.hostname:
        return options
    netloc = f"{host}:{parts.port}" if parts.port else host
    return options.model_copy(update={"url": parts._replace(netloc=netloc).geturl()})
