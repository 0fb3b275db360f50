"""A passwd-file of Dovecot: one line a mailbox, `user:{SCHEME}hash:uid:gid:gecos:home:shell:extra`.

Format: https://doc.dovecot.org (passwd-file). Seen working with Dovecot 2.3. HestiaCP keeps one such file for each domain, with names
that lack the domain: say `domain` for those.

Dovecot reads the file anew when it changes; it is replaced whole, never written into. Lines that are not ours, comments and extra
fields stay as they are. A domain without mailboxes is kept as a comment, `# domain example.com`.

What it cannot do: forwarders, catch-alls and answers are elsewhere (Postfix, Sieve); a mailbox cannot be closed to mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar, cast

from pydantic import Field, SecretStr, model_validator

from migrator.addresses import ascii_domain, same_form, shown_domain, split
from migrator.engine.contract import Adapter, Login, Service
from migrator.errors import EndpointUnfit, Misbehaved, NotFound, Refused
from migrator.frozen import dataclass
from migrator.panel import files, hashes
from migrator.panel.contract import Features, PanelReader, PanelWriter
from migrator.panel.model import Domain, Hold, Mailbox, Password, Probe, Thing, lost

AnyThing = TypeVar("AnyThing", bound=Thing)

# -- what a plan says -------------------------------------------------------------------------------------------------


Word = Annotated[str, Field(pattern=r"^[^:\s]*$")]
Number = Annotated[int, Field(ge=0, strict=True)]  # as people write it in a plan, where 1000 needs no quotes


class Options(Service):
    """A passwd-file of Dovecot on a disk of this machine."""

    path: Path = Field(
        description="The file; made when first written to, in a folder that is there", json_schema_extra={"path": True}
    )
    domain: str = Field(
        "", description="The file is of this one domain and names its users without it, as HestiaCP's are"
    )
    uid: Number | Word = Field(
        "", description="Whom the mail of a new mailbox belongs to; empty for Dovecot's mail_uid"
    )
    gid: Number | Word = Field("", description="And which group; empty for Dovecot's mail_gid")
    home: str = Field(
        "",
        pattern=r"^[^:\s]*$",
        description="Folder of a new mailbox, such as /var/vmail/{domain}/{user}; empty for Dovecot's mail_home",
    )

    @model_validator(mode="after")
    def _readable(self) -> Options:
        try:
            self.home.format(domain="", user="")
        except (KeyError, IndexError, ValueError):
            raise ValueError("home: only {domain} and {user} may stand in braces") from None
        return self


# -- what a line can hold ----------------------------------------------------------------------------------------------

FEATURES = Features(
    title="Dovecot passwd-file",
    lists=frozenset({Domain, Mailbox}),
    creates=frozenset({Domain, Mailbox}),
    changes=frozenset({Mailbox}),
    tells={
        "domain.routing": lost("the file says who may log in, not where mail goes"),
        "domain.dkim key": lost("the file holds no keys"),
        "domain.suspended": lost("the file has no switch for a domain"),
    },
    keeps={
        "domain.routing": lost("the file says who may log in, not where mail goes"),
        "domain.dkim key": lost("the file holds no keys"),
        "domain.suspended": lost("the file has no switch for a domain"),
        "mailbox.suspended receiving": lost("a mailbox in the file gets mail"),
        "mailbox.suspended sending": lost("who may log in may send"),
    },
    schemes=hashes.CARRIED,
    reads_hashes=True,
    verifies_passwords=True,
    sets_passwords=True,
    # What Dovecot lets log in unless its auth_username_chars says otherwise.
    local_part=r"(?!\.)[A-Za-z0-9._-]{1,64}",
)
FIELDS = 8
_DOMAIN = re.compile(r"#\s*domain\s+(\S+)\s*")
_UNFIT = re.compile(r"[\x00-\x20\x7f:]+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # not splitlines, which ends lines at more than Dovecot does
_QUOTA = "userdb_quota_rule"
_RULE = re.compile(r"\*:(storage|bytes)=(\d+)([bkmgt]?)", re.IGNORECASE)
_UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
MB = 2**20


@dataclass(frozen=True, slots=True)
class Line:
    """One user's line, its fields by place."""

    fields: tuple[str, ...]

    @property
    def user(self) -> str:
        return self.fields[0]

    @property
    def password(self) -> str:
        return self.fields[1]

    @property
    def extra(self) -> tuple[str, ...]:
        """Fields beyond those of passwd(5): `name` or `name=value`."""
        return tuple(self.fields[7].split())

    def text(self) -> str:
        return ":".join(self.fields)


# -- sessions ---------------------------------------------------------------------------------------------------------


class PasswdFileReader:
    """A passwd-file, being read."""

    features = FEATURES

    def __init__(self, options: Options, _login: Login) -> None:
        self._options = options
        self._path = options.path
        self._one_domain = ascii_domain(options.domain)
        if not self._path.parent.is_dir():
            raise EndpointUnfit(
                f"{self._path.parent}: there is no such folder.",
                remedy="Check the path in the plan, or make the folder.",
            )

    def probe(self) -> Probe:
        """How many lines there are, and how many are left out."""
        text = files.read_text(self._path)
        if text is None:
            return Probe("Dovecot passwd-file", notes=("the file is not there yet",))
        lines = [line for line in map(_line, _LINE.findall(text)) if line is not None]
        astray = sum(1 for line in lines if not split(self._address(line))[1])
        notes = [f"{astray:,} lines name no domain and are left out"] if astray else []
        return Probe("Dovecot passwd-file", notes=[f"{len(lines):,} lines", *notes])

    def domains(self) -> Sequence[Domain]:
        """The domains of all lines, and those noted down without any."""
        if self._one_domain:
            return [Domain(self._one_domain)]
        noted = (found[1] for line in _LINE.findall(self._text()) if (found := _DOMAIN.fullmatch(line)))
        named = (split(address)[1] for address in self._lines())
        return [Domain(name) for name in dict.fromkeys(filter(None, map(ascii_domain, (*noted, *named))))]

    def list(self, noun: type[AnyThing], domain: str) -> Sequence[AnyThing]:
        """The domain's mailboxes. Raises NotFound where no line is of that domain."""
        wanted = ascii_domain(domain)
        if wanted not in {one.name for one in self.domains()}:
            raise NotFound(f"{shown_domain(domain)}: no line of {self._path} is of this domain.")
        if noun is Domain:
            return cast("Sequence[AnyThing]", [Domain(wanted)])
        mailboxes = [_mailbox(address, line) for address, line in self._lines().items() if split(address)[1] == wanted]
        return cast("Sequence[AnyThing]", mailboxes)

    def password_of(self, address: str) -> Password:
        """The password in the line: a hash, or in plain where it stands there in plain."""
        return hashes.as_kept(self._found(address).password)

    def verify_password(self, address: str, password: SecretStr) -> bool:
        """Whether that is the password in the line. Raises Refused for a kind that cannot be checked here."""
        return hashes.is_right(address, password, self._found(address).password)

    def close(self) -> None:
        """Nothing is open between two questions."""

    def _text(self) -> str:
        return files.read_text(self._path) or ""

    def _address(self, line: Line) -> str:
        bare = "@" not in line.user
        return same_form(f"{line.user}@{self._one_domain}" if bare and self._one_domain else line.user).lower()

    def _lines(self) -> dict[str, Line]:
        """The users' lines by address. Of two of one name Dovecot takes the first."""
        found: dict[str, Line] = {}
        for line in map(_line, _LINE.findall(self._text())):
            if line is not None:
                found.setdefault(self._address(line), line)
        return found

    def _found(self, address: str) -> Line:
        line = self._lines().get(same_form(address).lower())
        if line is None:
            raise NotFound(f"{address}: {self._path} has no such line.")
        return line


class PasswdFileWriter(PasswdFileReader):
    """A passwd-file, being filled."""

    def create(self, thing: Thing, password: Password | None = None) -> None:
        """Add a line. Raises Refused where there is one of this name."""
        match thing:
            case Domain():
                self._create_domain(thing)
            case Mailbox():
                self._create_mailbox(thing, password)
            case _:
                raise Refused(f"{thing.key}: a passwd-file keeps no {thing.word}.")

    def change(self, thing: Thing, there: Thing) -> None:
        """Change a mailbox' line; its password and what else stands there stay."""
        if not isinstance(thing, Mailbox):
            raise Refused(f"{there.key}: a {thing.word} is not changed here.")

        def changed(line: Line) -> Line:
            text = line.password
            held = hashes.locked(text) if Hold.LOGIN in thing.holds else hashes.unlocked(text)
            others = [one for one in line.extra if not _names(one, _QUOTA) and not _names(one, "nologin")]
            extra = " ".join([*others, *_rule(thing.quota)])
            return Line((line.user, held, *line.fields[2:4], _fit(thing.name), *line.fields[5:7], extra))

        self._rewrite(thing.address, changed)

    def set_password(self, address: str, password: Password) -> None:
        """Another password; a mailbox that may not log in still may not."""
        text = hashes.to_store(address, password)

        def changed(line: Line) -> Line:
            kept = hashes.locked(text) if hashes.is_locked(line.password) else text
            return Line((line.user, kept, *line.fields[2:]))

        self._rewrite(address, changed)

    def _create_domain(self, domain: Domain) -> None:
        if not re.fullmatch(r"[a-z0-9.-]{1,253}", domain.name):
            raise Refused(f"{shown_domain(domain.name)}: this name cannot be written.")
        with files.held(self._path):
            if domain.name in {one.name for one in self.domains()}:
                raise Refused(f"{shown_domain(domain.name)}: the domain is in the file already.")
            if self._one_domain:
                raise Refused(
                    f"{shown_domain(domain.name)}: the plan says that the file is of {self._one_domain} alone."
                )
            self._append(f"# domain {domain.name}")

    def _create_mailbox(self, mailbox: Mailbox, password: Password | None) -> None:
        address = same_form(mailbox.address).lower()
        local, domain = split(address)
        if not re.fullmatch(FEATURES.local_part, local):
            raise Refused(
                f"{mailbox.address}: Dovecot lets nobody of this name log in unless auth_username_chars is widened."
            )
        text = hashes.to_store(address, password)
        with files.held(self._path):
            if domain not in {one.name for one in self.domains()}:
                raise NotFound(f"{mailbox.address}: the domain {shown_domain(domain)} is not in {self._path}.")
            if address in self._lines():
                raise Refused(f"{mailbox.address}: there is a line of this name already.")
            home = self._options.home.format(domain=domain, user=local)
            line = Line(
                (
                    local if self._one_domain else address,
                    hashes.locked(text) if Hold.LOGIN in mailbox.holds else text,
                    str(self._options.uid),
                    str(self._options.gid),
                    _fit(mailbox.name),
                    home,
                    "",
                    " ".join(_rule(mailbox.quota)),
                )
            )
            self._append(line.text())

    def _append(self, line: str) -> None:
        text = self._text()
        newline = "" if not text or text.endswith("\n") else "\n"
        files.replace_text(self._path, f"{text}{newline}{line}\n")

    def _rewrite(self, address: str, changed: Callable[[Line], Line]) -> None:
        wanted = same_form(address).lower()
        with files.held(self._path):
            self._found(address)
            files.replace_text(self._path, "".join(self._rewritten(wanted, changed)))

    def _rewritten(self, wanted: str, changed: Callable[[Line], Line]) -> Iterator[str]:
        done = False
        for text in _LINE.findall(self._text()):
            line = _line(text)
            if line is None or done or self._address(line) != wanted:
                yield text
            else:
                done = True
                yield changed(line).text() + "\n"


# -- lines ------------------------------------------------------------------------------------------------------------


def _line(text: str) -> Line | None:
    """A user's line; None for blank ones and comments. The last field may hold colons."""
    text = text.rstrip("\r\n")
    if not text.strip() or text.startswith(("#", ":")):
        return None
    fields = text.split(":", FIELDS - 1)
    return Line((*fields, *[""] * (FIELDS - len(fields))))


def _mailbox(address: str, line: Line) -> Mailbox:
    held = hashes.is_locked(line.password) or any(_names(one, "nologin") for one in line.extra)
    return Mailbox(
        address,
        quota=_quota(address, line),
        holds=frozenset({Hold.LOGIN, Hold.SEND}) if held else frozenset(),
        name=line.fields[4],
    )


def _names(extra: str, name: str) -> bool:
    return extra.partition("=")[0] == name


def _quota(address: str, line: Line) -> int | None:
    """Bytes; without a unit `storage` counts kilobytes. None without a rule and for 0."""
    rule = next((one.partition("=")[2] for one in line.extra if _names(one, _QUOTA)), "")
    if not rule:
        return None
    found = _RULE.fullmatch(rule)
    if found is None:
        raise Misbehaved(f"{address}: its quota rule “{rule[:60]}” is not understood.")
    unit = found[3].lower() or ("b" if found[1].lower() == "bytes" else "k")
    return int(found[2]) * _UNITS[unit] or None


def _rule(quota: int | None) -> list[str]:
    if quota is None:
        return []
    size = f"storage={quota // MB}M" if quota % MB == 0 else f"bytes={quota}"
    return [f"{_QUOTA}=*:{size}"]


def _fit(name: str) -> str:
    """A name as it can stand between colons."""
    return _UNFIT.sub(" ", name).strip()


ADAPTER: Adapter[PanelReader, PanelWriter] = Adapter(
    word="passwd_file",
    title="Dovecot passwd-file",
    options=Options,
    reader=PasswdFileReader,
    writer=PasswdFileWriter,
    connections=lambda _: (1, 1),
)
