"""Through which server a site sends its mail: settings of SMTP plugins in its options, found, and changed in host and port alone.

What surprises: after the mailboxes have moved, a site goes on logging in at the old host until that is switched off, and only then is silent.
Constants in wp-config.php count for more than an option, and no database holds them: that is told, not changed. A value is changed only
where it can be written again to the last byte as it was; in PHP's spelling lengths follow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from migrator.engine.contract import Finding, Weight
from migrator.errors import NotFound, Refused
from migrator.forms import spelt
from migrator.forms.answers import bytes_of, text_of
from migrator.forms.contract import TableReader, TableWriter
from migrator.forms.model import EVERYTHING, Condition, Extract, Operator, Row, Value, checksum_of
from migrator.forms.plugins.detect import Site, sites
from migrator.forms.spelt import Spelt, Way
from migrator.frozen import dataclass

THE_OPTION: Final = ""  # the option's own value, not something inside it
CODE: Final = "sends-through-old-host"

# -- what is known ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sender:
    """Where a plugin keeps its server: in which option, and by which ways in it the host and, beside it, the port. With `port_option` the
    port is an option of its own. `constants` of wp-config.php that count for more.
    """

    title: str
    option: str
    host: str
    port: str
    port_option: str = ""
    constants: tuple[str, ...] = ()

    @property
    def way(self) -> Way:
        """The way to the host inside the option."""
        return tuple(self.host.split(".")) if self.host else ()


SENDERS: Final = (
    Sender("WP Mail SMTP", "wp_mail_smtp", "smtp.host", "port", constants=("WPMS_ON", "WPMS_SMTP_HOST", "WPMS_SMTP_PORT")),
    Sender("WP Mail SMTP, further connections", "wp_mail_smtp", "connections.*.smtp.host", "port"),
    Sender("WP Mail SMTP before 1.0", "smtp_host", THE_OPTION, THE_OPTION, "smtp_port", ("WPMS_ON", "WPMS_SMTP_HOST", "WPMS_SMTP_PORT")),
    Sender("Easy WP SMTP", "easy_wp_smtp", "smtp.host", "port"),
    Sender("Easy WP SMTP before 2.0", "swpsmtp_options", "smtp_settings.host", "port"),
    Sender("Post SMTP", "postman_options", "hostname", "port"),
    Sender("SMTP Mailer", "smtp_mailer_options", "smtp_host", "smtp_port"),
    Sender("WP SMTP", "wp_smtp_options", "host", "port"),
    Sender("FluentSMTP", "fluentmail-settings", "connections.*.provider_settings.host", "port"),
    Sender("SureMail", "suremails_connections", "connections.*.host", "port"),
    Sender("YaySMTP", "yaysmtp_settings", "smtp.host", "port"),
)  # fmt: skip
_SCHEME: Final = re.compile(
    r"(?P<scheme>(?:ssl|tls|smtps?|tcp)://)?(?P<host>[^:/\s]+)(?::(?P<port>\d+))?/?", re.IGNORECASE
)

# -- what is found ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that names an old host: whose, at which site, in which option, what it says. `known` is what knows how to change it; None for
    an option that names the host somewhere, of a plugin nobody knows.
    """

    title: str
    site: Site
    option: str
    host: str
    port: str = ""
    known: Sender | None = None

    @property
    def table(self) -> str:
        """The table it stands in."""
        return f"{self.site.prefix}options"


def settings(reader: TableReader, hosts: Collection[str]) -> Iterator[Setting]:
    """Every setting of every WordPress in a database that names one of these hosts, compared without case. Reads the options of each once."""
    wanted = _plain(hosts)
    tables = {one.name: one for one in reader.tables()}
    for site in sites(tables):
        table = tables[f"{site.prefix}options"]
        if not {"option_name", "option_value"} <= {one.name for one in table.columns}:
            continue
        name, value = table.place("option_name"), table.place("option_value")
        ports: dict[str, str] = {}
        found: list[Setting] = []
        for page in reader.rows(Extract(table), EVERYTHING):
            for row in page:
                ports |= {
                    text_of(row[name]): text_of(row[value]) for one in SENDERS if text_of(row[name]) == one.port_option
                }
                found += _in_option(site, text_of(row[name]), bytes_of(row[value]), wanted)
        for one in found:
            yield (
                replace(one, port=ports.get(one.known.port_option, "")) if one.known and one.known.port_option else one
            )


def findings(found: Iterable[Setting], target: str = "", *, asked: bool = False) -> Iterator[Finding]:
    """These settings in words, with what to do; `target` is the host to send through from now on, "" where the plan does not tell. `asked`
    says that the plan has them changed.
    """
    for one in found:
        told = _SCHEME.fullmatch(one.host.strip())
        through = f"{one.host}:{one.port}" if one.port and not (told and told["port"]) else one.host
        if one.known is None:
            text = f"an option of the site, {one.option} in {one.table}, names the old host {one.host}"
            yield Finding(
                "names-old-host",
                Weight.NOTE,
                one.table,
                text,
                "See in the site's settings whether it sends or reads mail there.",
            )
            continue
        constants = ""
        if one.known.constants:
            constants = f" If wp-config.php defines {', '.join(one.known.constants)}, these count and have to be changed in that file."
        text = (
            f"the site sends its mail through the old host {through} ({one.title}, option {one.option} in {one.table})"
        )
        remedy = f"Set the SMTP host to {target or 'the new host'} there once the mailboxes have moved, or ask for it in the plan (senders: {{change: true}})."
        if asked:
            remedy = "A run changes it where the target has it (senders: {change: true}): once it is there, run again."
        yield Finding(CODE, Weight.WARNING, one.table, text, f"{remedy}{constants}")


def _in_option(site: Site, name: str, raw: bytes, hosts: Collection[str]) -> list[Setting]:
    known = [one for one in SENDERS if one.option == name]
    if not known and not any(host.encode() in raw.lower() for host in hosts):
        return []
    value = spelt.read(raw)
    found = [
        Setting(one.title, site, name, host, _port_beside(value, way, one), one)
        for one in known
        for way, host in value.places(one.way)
        if _host_of(host) in hosts
    ]
    if known and not found and isinstance(value, spelt.InText) and value.raw[:1] in b"aO{[":
        # Broken, so that nobody can say where in it; told all the same.
        return [Setting("", site, name, host) for host in hosts if host.encode() in raw.lower()]
    if known:
        return found
    named = dict.fromkeys(text for text in value.texts() if _host_of(text) in hosts)
    return [Setting("", site, name, text) for text in named]


def _port_beside(value: Spelt, way: Way, sender: Sender) -> str:
    return next((port for _, port in value.places((*way[:-1], sender.port))), "") if sender.port else ""


def _plain(hosts: Collection[str]) -> frozenset[str]:
    return frozenset(host.lower().rstrip(".") for host in hosts)


def _host_of(text: str) -> str:
    found = _SCHEME.fullmatch(text.strip())
    return found["host"].lower().rstrip(".") if found else ""


# -- what is changed ------------------------------------------------------------------------------------------------------------


def changed(raw: bytes, sender: Sender, hosts: Collection[str], host: str, port: int | None) -> bytes:
    """An option's value with the host, and the port where one is given, in place of old ones; nothing else is another byte, but lengths that
    follow. A value that names no old host comes back as it is. Raises Refused where it cannot be written again as it is.
    """
    wanted = _plain(hosts)
    value = spelt.read(raw)
    places = [(way, was) for way, was in value.places(sender.way) if _host_of(was) in wanted]
    if not places:
        return raw
    if not spelt.faithful(value, raw):
        raise Refused(
            f"option {sender.option}: it cannot be written again as it is.",
            remedy=f"Change its SMTP host to {host} by hand, in the settings of {sender.title}.",
        )
    for way, was in places:
        value = value.put(way, _with_host(was, host, port))
        beside = (*way[:-1], sender.port)
        if port is not None and sender.port and any(True for _ in value.places(beside)):
            value = value.put(beside, str(port))
    return value.write()


def change(writer: TableWriter, setting: Setting, hosts: Collection[str], host: str, port: int | None) -> bool:
    """Change a setting at the target, at once or not at all; whether there was anything to change. Raises Refused where somebody changes
    it at the same moment or it cannot be changed, NotFound where it is gone.
    """
    sender = setting.known
    if sender is None:
        raise Refused(f"option {setting.option}: nobody knows how it is read.", remedy="Change it by hand.")
    wanted = _change_of(writer, setting, setting.option, lambda raw: changed(raw, sender, hosts, host, port))
    if not wanted.is_one:
        return False
    if sender.port_option and port is not None:
        # First the port: as long as the host is the old one, whoever comes after a death sees that there is something to do.
        _change_of(writer, setting, sender.port_option, lambda _: str(port).encode()).make(writer)
    wanted.make(writer)
    return True


@dataclass(frozen=True, slots=True)
class _Change:
    """Rows of an option, as they are and as they are to be."""

    extract: Extract
    rows: Sequence[Row]
    fresh: Sequence[Row]

    @property
    def is_one(self) -> bool:
        return self.fresh != self.rows

    def make(self, writer: TableWriter) -> None:
        if self.is_one:
            writer.load(self.extract, EVERYTHING, self.fresh, checksum_of(self.rows))


def _change_of(writer: TableWriter, setting: Setting, option: str, change_of: Callable[[bytes], bytes]) -> _Change:
    table = next((one for one in writer.tables() if one.name == setting.table), None)
    if table is None:
        raise NotFound(f"{setting.table} is not there any more.", remedy="Run again.")
    place = table.place("option_value")
    extract = Extract(table, (Condition("option_name", Operator.IN, (option,)),))
    rows = [row for page in writer.rows(extract, EVERYTHING) for row in page]
    if not rows:
        raise NotFound(f"option {option} is not in {setting.table} any more.", remedy="Run again.")
    fresh = [(*row[:place], _as_there(row[place], change_of(bytes_of(row[place]))), *row[place + 1 :]) for row in rows]
    return _Change(extract, rows, fresh)


def _as_there(was: Value, raw: bytes) -> Value:
    return raw if isinstance(was, bytes) else raw.decode("utf-8", "surrogatepass")


def _with_host(was: str, host: str, port: int | None) -> str:
    """The host where one stood, with the scheme that was before it, and with a port where one stood behind it."""
    found = _SCHEME.fullmatch(was.strip())
    if found is None:
        return host
    behind = f":{port or found['port']}" if found["port"] else ""
    return f"{found['scheme'] or ''}{host}{behind}"
