"""Mailman 2.1's own files out of a backup: config.pck of each list, where no web admin answers any more. To be read from alone.

    <path>/NAME/config.pck        as in Mailman's folder `lists` (cPanel: mailman/lists below the account's home or /usr/local/cpanel/3rdparty)
    <path>                        may be one config.pck as well

A file is read opcode by opcode: no class that it names is looked up, and nothing in it is called. Texts are bytes of the list's charset in
files of Python 2, and characters in cPanel's, whose Mailman runs on Python 3. Members' and owners' passwords stand in the file, and are
passed over. What web pages show in days stands here in seconds.

What it cannot tell: nothing of a member is lost but which topics he wants. The archive stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from migrator.addresses import same_form
from migrator.engine.contract import Adapter, Contents, Login, Mistake, Service
from migrator.errors import EndpointUnfit, Misbehaved, NotFound
from migrator.lists.contract import ListReader, ListWriter
from migrator.lists.mailman2 import settings as pages_of
from migrator.lists.mailman2.pages import Form
from migrator.lists.mailman2.settings import GENERAL, LANGUAGE, NONMEMBERS, SENDER, SPAM, is_pattern, moderation
from migrator.lists.mailman2.spelling import as_shown, name_as_shown
from migrator.lists.model import Delivery, Features, MailingList, Member, Role, Settings, Stopped, Treatment
from migrator.lists.pickled import LARGEST, plain_data
from migrator.wire import disk

FILE = "config.pck"
PAGE = 1000
DAY = 24 * 60 * 60  # seconds
IN_DAYS = frozenset({"bounce_info_stale_after", "bounce_you_are_disabled_warnings_interval"})
# Bits of a member's options (Defaults.py).
NO_OWN_POSTS, ACKNOWLEDGE, PLAIN_DIGEST, HIDDEN, MODERATED, NO_DUPLICATES = 2, 4, 8, 16, 128, 256
_NEW_MEMBER_BITS = {"hide": HIDDEN, "ack": ACKNOWLEDGE, "notmetoo": NO_OWN_POSTS, "nodupes": NO_DUPLICATES}
_STOPPED = {1: Stopped.UNKNOWN, 2: Stopped.BY_USER, 3: Stopped.BY_ADMIN, 4: Stopped.BY_BOUNCES}


class Options(Service):
    """Mailman 2.1's lists in a backup on a disk of this machine."""

    path: Path = Field(
        description="Mailman's folder `lists`, which holds one folder with a config.pck for each list; or one config.pck",
        json_schema_extra={"path": True},
    )
    domain: str | None = Field(
        default=None, description="The domain of lists whose file names none, or another than the one meant."
    )


FEATURES = Features(
    title="Mailman 2.1 backup", dialect="mailman2", creates=False, inherits_moderation=False, usual=pages_of.USUAL
)


class BackupReader:
    """The lists of a backup, being read."""

    features = FEATURES

    def __init__(self, options: Options, login: Login) -> None:
        del login
        self._options = options
        self._known: dict[str, Path] | None = None
        self._read: tuple[Path, Config] | None = None  # the newest: a list is asked for several times in a row

    def lists(self) -> Sequence[MailingList]:
        """One for each file."""
        return [MailingList(address) for address in self._files()]

    def contents(self) -> Contents:
        """The lists, and the files that cannot be read. Raises NotFound where there is no such file or folder."""
        if not self._options.path.exists():
            raise NotFound(
                f"{self._options.path}: there is no such file or folder.", remedy="Check the path in the plan."
            )
        names: list[str] = []
        mistakes: list[Mistake] = []
        for file in self._found():
            try:
                _config_in(file)
                names.append(self._address(file))
            except Misbehaved as error:
                mistakes.append(Mistake(file, 0, error.sentence().removeprefix(f"{file}: ")))
        if not names and not mistakes:
            where = self._options.path
            text = f"no folder in it holds a {FILE}: this is not Mailman's folder of lists."
            mistakes.append(Mistake(where, 0, text))
        return Contents(tuple(names), tuple(mistakes))

    def settings(self, address: str) -> Settings:
        """What the file says."""
        return pages_of.told_by(self._config(address).forms())

    def roster(self, address: str, role: Role) -> Iterator[Sequence[Member]]:
        """Everybody of one role, members in the order of the alphabet."""
        config = self._config(address)
        everybody = list({one.key: one for one in config.people(role)}.values())
        return (everybody[start : start + PAGE] for start in range(0, len(everybody), PAGE))

    def as_kept(self, member: Member) -> Member:
        """As it is: nothing is kept here that was not there."""
        return member

    def settings_as_kept(self, settings: Settings) -> Settings:
        """The same."""
        return settings

    def close(self) -> None:
        """Nothing is open between two questions."""

    # -- files

    def _files(self) -> Mapping[str, Path]:
        """The files by their lists' addresses."""
        if self._known is None:
            self._known = {self._address(file): file for file in self._found()}
        return self._known

    def _found(self) -> Sequence[Path]:
        path = self._options.path
        with disk.in_our_words(f"listing {path}"):
            if path.is_file():
                return [path]
            if path.is_dir():
                return sorted(one / FILE for one in path.iterdir() if (one / FILE).is_file())
        raise EndpointUnfit(f"{path}: there is no such file or folder.", remedy="Check the path in the plan.")

    def _address(self, file: Path) -> str:
        """The list's address: the folder's name at the host of its mail. cPanel joins both in the folder's name, so that the list of a file
        which cannot be read is known all the same.
        """
        name = file.parent.name.lower()
        try:
            config = _config_in(file)
        except Misbehaved:
            local, _, domain = name.rpartition("_")
            domain = self._options.domain or domain
            if not domain:
                raise
            return same_form(f"{local or name}@{domain}")
        host = self._options.domain or config.text("host_name") or "localhost"
        if file == self._options.path:
            name = config.text("real_name").lower() or name
        return same_form(f"{name.removesuffix(f'_{host.lower()}')}@{host}")

    def _config(self, address: str) -> Config:
        file = {one.lower(): path for one, path in self._files().items()}.get(address.lower())
        if file is None:
            raise NotFound(f"{address}: {self._options.path} has no such list.")
        if self._read is None or self._read[0] != file:
            self._read = (file, _config_in(file))
        return self._read[1]


def _config_in(file: Path) -> Config:
    """What is in a file. Raises Misbehaved where it is none of Mailman's."""
    with disk.in_our_words(f"reading {file}"):
        if file.stat().st_size > LARGEST:
            raise Misbehaved(f"{file}: it is larger than such a file ever is.", remedy="Take it from another backup.")
        content = file.read_bytes()
    data = plain_data(content, str(file))
    if not isinstance(data, dict):
        raise Misbehaved(f"{file}: this is no config.pck of Mailman's.", remedy="Check the path in the plan.")
    said = {_decoded(name, "ascii"): value for name, value in data.items() if isinstance(name, bytes | str)}
    if not isinstance(said.get("members"), dict) or not isinstance(said.get("digest_members"), dict):
        raise Misbehaved(f"{file}: this is no config.pck of Mailman's.", remedy="Check the path in the plan.")
    return Config(said)


class Config:
    """One list's dictionary."""

    def __init__(self, said: Mapping[str, Any]) -> None:  # Any: plain data
        self._said = said
        self._charset = _CHARSETS.get(self._plain("preferred_language"), "cp1252")

    def text(self, name: str) -> str:
        """A text; "" where there is none."""
        return self._plain(name)

    def forms(self) -> dict[str, Form]:
        """What the settings pages of this list would show."""
        forms: dict[str, dict[str, tuple[str, ...]]] = {page: {} for page in pages_of.PAGES}
        for page, name in _FIELDS:
            value = self._said.get(name)
            if name in self._said and value is not None:
                forms[page][name] = self._values(name, value)
        forms[SPAM] |= self._header_rules()
        return {page: Form(values) for page, values in forms.items()}

    def _values(self, name: str, value: Any) -> tuple[str, ...]:  # Any: plain data, here and below
        if name == "new_member_options":
            bits = _number(value)
            return tuple(word for word, bit in _NEW_MEMBER_BITS.items() if bits & bit) or ("ignore",)
        if name == "available_languages":
            return tuple(self._word(one) for one in _parts(value))
        if name in IN_DAYS:
            return (str(round(_number(value) / DAY)),)
        if isinstance(value, list | tuple):
            return ("\n".join(self._word(one) for one in value),)
        if isinstance(value, bool | int | float):
            return (str(int(value)) if float(value).is_integer() else str(value),)
        return (self._word(value),)

    def _header_rules(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        fields: dict[str, tuple[str, ...]] = {}
        for number, rule in enumerate(_parts(self._said.get("header_filter_rules")), 1):
            if isinstance(rule, list | tuple) and len(rule) >= 2:  # noqa: PLR2004 - pattern, action, empty
                fields[f"hdrfilter_rebox_{number:02d}"] = (self._word(rule[0]),)
                fields[f"hdrfilter_action_{number:02d}"] = (str(_number(rule[1])),)
        return iter(fields.items())

    def people(self, role: Role) -> Iterator[Member]:
        """Everybody of one role."""
        if role is Role.MEMBER:
            yield from self._members()
        elif role is Role.NONMEMBER:
            taken: set[str] = set()
            for treatment, name in NONMEMBERS.items():
                for line in map(self._word, _parts(self._said.get(name))):
                    if (
                        line.strip() and not is_pattern(line) and line.lower() not in taken
                    ):  # the first counts (Moderate.py)
                        taken.add(line.lower())
                        yield Member(same_form(line), role=role, moderation=treatment)
        else:
            addresses = map(self._word, _parts(self._said.get(role.value)))
            yield from (Member(same_form(address), role=role) for address in addresses if address.strip())

    def _members(self) -> Iterator[Member]:
        treatment = moderation(
            Form({"member_moderation_action": (str(_number(self._said.get("member_moderation_action"))),)})
        )
        names, options = self._by_address("usernames"), self._by_address("user_options")
        stopped, languages = self._by_address("delivery_status"), self._by_address("language")
        usual = self._plain("preferred_language")
        everybody = {**self._by_address("members"), **self._by_address("digest_members")}
        digests = self._by_address("digest_members")
        for key in sorted(everybody):
            typed = self._word(everybody[key]) if isinstance(everybody[key], bytes | str) else ""
            bits = _number(options.get(key))
            digest = Delivery.PLAIN_DIGEST if bits & PLAIN_DIGEST else Delivery.MIME_DIGEST
            reason = stopped.get(key, (0,))
            language = self._word(languages[key]) if key in languages else ""
            yield Member(
                same_form(typed or key),
                name_as_shown(self._word(names.get(key, ""))),
                delivery=digest if key in digests else Delivery.REGULAR,
                stopped=_STOPPED.get(_number(reason[0] if isinstance(reason, list | tuple) and reason else reason)),
                moderation=treatment if bits & MODERATED else Treatment.DEFER,
                hidden=bool(bits & HIDDEN),
                acknowledge=bool(bits & ACKNOWLEDGE),
                own_posts=not bits & NO_OWN_POSTS,
                list_copies=not bits & NO_DUPLICATES,
                language="" if language == usual else language,
            )

    def _by_address(self, name: str) -> dict[str, Any]:
        held = self._said.get(name)
        if not isinstance(held, dict):
            return {}
        return {self._word(key).lower(): value for key, value in held.items() if isinstance(key, bytes | str)}

    def _plain(self, name: str) -> str:
        value = self._said.get(name)
        return _decoded(value, "cp1252") if isinstance(value, bytes | str) else ""

    def _word(self, value: Any) -> str:
        return as_shown(_decoded(value, self._charset)) if isinstance(value, bytes | str) else ""


_FIELDS: Sequence[tuple[str, str]] = (
    *((one.page, one.field) for one in pages_of.PLAIN.values()),
    *((page, name) for name, (page, _) in pages_of.OWN_FIELDS.items()),
    *((SENDER, name) for name in NONMEMBERS.values()),
    (LANGUAGE, "available_languages"),
    (pages_of.SUBSCRIBING, "subscribe_policy"),
    (SENDER, "default_member_moderation"),
    (SENDER, "dmarc_moderation_action"),
    (GENERAL, "from_is_list"),
    (pages_of.ARCHIVE, "archive"),
    (pages_of.ARCHIVE, "archive_private"),
)
# Charsets of Mailman 2.1's languages where they are not Western (Defaults.py).
_CHARSETS: Mapping[str, str] = {
    "ar": "utf-8", "cs": "iso-8859-2", "el": "iso-8859-7", "eo": "utf-8", "fa": "utf-8", "he": "utf-8", "hr": "iso-8859-2",
    "hu": "iso-8859-2", "ja": "euc-jp", "ko": "euc-kr", "lt": "iso-8859-13", "pl": "iso-8859-2", "ro": "utf-8", "ru": "utf-8",
    "sk": "utf-8", "sl": "iso-8859-2", "sr": "utf-8", "tr": "iso-8859-9", "uk": "utf-8", "vi": "utf-8", "zh_CN": "utf-8",
    "zh_TW": "utf-8",
}  # fmt: skip


def _decoded(value: bytes | str, charset: str) -> str:
    """A text: what is UTF-8 is hardly anything else, the rest is what the list's language says."""
    if isinstance(value, str):
        return value
    for candidate in ("utf-8", charset):
        try:
            return value.decode(candidate)
        except UnicodeDecodeError:
            continue
    return value.decode("latin-1")


def _parts(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _read(options: Options, login: Login) -> ListReader:
    return BackupReader(options, login)


def _contents(options: Options) -> Contents:
    return BackupReader(options, Login("", "")).contents()


ADAPTER: Adapter[ListReader, ListWriter] = Adapter(
    word="mailman2_pck",
    title="Mailman 2.1 backup",
    options=Options,
    reader=_read,
    writer=None,
    connections=lambda _: (4, 4),
    contents=_contents,
)
