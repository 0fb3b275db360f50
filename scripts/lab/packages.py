"""Debian packages for the lab's servers, and Python's for those that are written in it.

Dovecot, Cyrus and Courier conflict with one another as packages. So Dovecot is installed, and the other two are only fetched:
`unpack` lays their files into the lab's folder when they start, and the system has just their libraries.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.ground import LabError, program, run

CHECKOUT = Path(__file__).resolve().parents[2]
POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True)
class Parts:
    """What a server is made of: packages to install, packages only to fetch and unpack, and Python's for an environment of its own."""

    installed: tuple[str, ...]
    fetched: tuple[str, ...] = ()
    python: tuple[str, ...] = ()


PARTS = {
    "dovecot": Parts(("dovecot-imapd", "openssl")),
    "cyrus": Parts(
        installed=(
            "openssl", "sasl2-bin", "libsasl2-modules", "libsasl2-modules-db", "libclamav12", "libical3", "libxapian30",
            "libzephyr4", "libpq5", "libpcre3", "libjansson4",
        ),
        fetched=("cyrus-imapd", "cyrus-common"),
    ),
    "courier": Parts(
        installed=("openssl", "courier-base", "courier-authlib", "courier-authdaemon", "courier-authlib-userdb", "gamin"),
        fetched=("courier-imap",),
    ),
    "phpmyadmin": Parts(
        installed=("php8.2-cli", "php8.2-mbstring", "php8.2-mysql", "php8.2-xml"),
        # PHP source too.
        fetched=(
            "phpmyadmin", "php-composer-ca-bundle", "php-fig-http-message-util", "php-getallheaders", "php-google-recaptcha",
            "php-mariadb-mysql-kbs", "php-nikic-fast-route", "php-phpmyadmin-motranslator", "php-phpmyadmin-shapefile",
            "php-phpmyadmin-sql-parser", "php-psr-cache", "php-psr-container", "php-psr-http-factory", "php-psr-http-message",
            "php-psr-log", "php-slim-psr7", "php-symfony-cache", "php-symfony-cache-contracts", "php-symfony-config",
            "php-symfony-dependency-injection", "php-symfony-deprecation-contracts", "php-symfony-expression-language",
            "php-symfony-filesystem", "php-symfony-polyfill-php80", "php-symfony-service-contracts", "php-symfony-var-exporter",
            "php-twig", "php-twig-i18n-extension", "php-webmozart-assert",
        ),
    ),
    "postgresql": Parts(("postgresql",)),
    "isync": Parts(("isync",)),
    # A driver and no server: what compiling it takes.
    "mysqlclient": Parts(("libmariadb-dev", "pkg-config", "gcc", "libc6-dev", "python3-dev")),
    "mariadb": Parts(("mariadb-server", "mariadb-client", "dovecot-mysql", "openssl")),
    "modoboa": Parts(
        # The compiler and RRDtool's headers are for a package without wheels.
        installed=("redis-server", "librrd-dev", "gcc", "libc6-dev"),
        python=("modoboa==2.12.0",),
    ),
    "lighttpd": Parts(("libnettle8", "libpcre2-8-0", "libxxhash0"), fetched=("lighttpd",)),
    "radicale": Parts((), python=("radicale==3.9.0",)),
    "xandikos": Parts(("openssl",), python=("xandikos==0.4.10",)),
    "mailman2": Parts(("openssl",)),
    # Its mail server and the client that tests compare with live in the same environment.
    "mailman3": Parts((), python=("mailman==3.3.10", "sqlalchemy==2.0.58", "mailmanclient==3.3.5", "aiosmtpd==1.4.6")),
    "roundcube": Parts(
        installed=(
            "dovecot-imapd", "openssl", "php8.2-cli", "php8.2-intl", "php8.2-mbstring", "php8.2-xml", "php8.2-sqlite3",
        ),
        # All of it is PHP source; installed, it would bring a web server along.
        fetched=(
            "roundcube-core", "php-pear", "php-auth-sasl", "php-mail-mime", "php-net-socket", "php-net-smtp", "php-net-sieve",
            "php-masterminds-html5", "php-guzzlehttp-guzzle", "php-guzzlehttp-promises", "php-guzzlehttp-psr7",
            "php-psr-http-message", "php-psr-http-factory", "php-psr-http-client", "php-getallheaders",
            "php-symfony-deprecation-contracts",
        ),
    ),
}  # fmt: skip


def larder() -> Path:
    """Where fetched packages are kept: `.servers` in the checkout, or where MIGRATOR_SERVERS says."""
    return Path(os.environ.get("MIGRATOR_SERVERS") or CHECKOUT / ".servers").absolute()


def not_installed(names: Sequence[str]) -> list[str]:
    """The packages of these servers that the system lacks."""
    wanted = dict.fromkeys(package for name in names for package in PARTS[name].installed)
    return [package for package in wanted if not _is_installed(package)]


def not_fetched(names: Sequence[str]) -> list[str]:
    """The packages of these servers that still have to be downloaded."""
    wanted = dict.fromkeys(package for name in names for package in PARTS[name].fetched)
    lacking = [package for name in names if not _is_filled(name) for package in PARTS[name].python]
    return [package for package in wanted if not _fetched(package)] + lacking


def environment(name: str) -> Path:
    """The folder of a server's own virtual environment, which stands for these versions of its packages."""
    return larder() / "-".join([name, *(package.partition("==")[2] for package in PARTS[name].python)])


def install(names: Sequence[str]) -> None:
    """See that these servers can be started: install and fetch what is missing. No service of the system is started.

    LabError where that is not possible here.
    """
    packages = not_installed(names)
    downloads = [package for name in names for package in PARTS[name].fetched if not _fetched(package)]
    if packages or downloads:
        _install_debian(packages, downloads)
    for name in names:
        if not _is_filled(name):
            _pip_install(name)


def _install_debian(packages: Sequence[str], downloads: Sequence[str]) -> None:
    if shutil.which("apt-get") is None:
        raise LabError(
            "There is no apt-get here; the lab's servers are Debian's packages. Use Debian or Ubuntu, or do without."
        )
    if packages:
        _apt_install(packages)
    if downloads:
        _apt_download(downloads)


def unpack(name: str, into: Path) -> Path:
    """The files of a server's fetched packages, laid out below `into`; what is returned is their root folder."""
    root = into / "root"
    for package in PARTS[name].fetched:
        deb = _fetched(package)
        if deb is None:
            raise LabError(f"The package {package} has not been fetched. Run `scripts/servers install {name}`.")
        run([program("dpkg-deb"), "-x", deb, root])
    return root


def installed_file(package: str, ending: str) -> Path:
    """The file of an installed package whose path ends so."""
    for line in run([program("dpkg"), "-L", package]).splitlines():
        if line.endswith(ending):
            return Path(line)
    raise LabError(f"The package {package} has no file {ending}. The lab was written for Debian 12.")


def _is_installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True, check=False
    )
    return asked.stdout.endswith(" installed")


def _fetched(package: str) -> Path | None:
    return next(iter(sorted(larder().glob(f"{package}_*.deb"))), None)


def _as_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise LabError(
            "Installing packages needs root, and there is no sudo here. Ask an administrator to run this command once."
        )
    return ["sudo"]


def _apt_install(packages: Sequence[str]) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    prefix = [
        *_as_root(),
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-q",
        "-y",
        "-o",
        "DPkg::Lock::Timeout=600",
    ]
    command = [*prefix, "install", "--no-install-recommends", *packages]
    with _services_stay_down():
        if subprocess.run(command, env=quiet, capture_output=True, check=False).returncode == 0:
            return
        # The list of packages may be missing or older than the archive: fetch it and try once more.
        run([*prefix, "update"], env=quiet)
        run(command, env=quiet)


def _is_filled(name: str) -> bool:
    return not PARTS[name].python or (environment(name) / "filled").exists()


def _pip_install(name: str) -> None:
    _stocked()
    where = environment(name)
    run([sys.executable, "-m", "venv", "--clear", where])
    run(
        [
            where / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *PARTS[name].python,
        ]
    )
    (where / "filled").touch()


def _stocked() -> Path:
    where = larder()
    where.mkdir(parents=True, exist_ok=True)
    (where / ".gitignore").write_text("*\n")
    return where


def _apt_download(packages: Sequence[str]) -> None:
    where = _stocked()
    # As root, apt would fetch as its own account, which may not write here.
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages]
    if subprocess.run(command, cwd=where, capture_output=True, check=False).returncode != 0:
        run([*_as_root(), "apt-get", "-q", "update"])
        run(command, cwd=where)


@contextlib.contextmanager
def _services_stay_down() -> Iterator[None]:
    """Debian starts a daemon as soon as it is installed, on the mail ports of this very machine; a policy file forbids that."""
    if POLICY.exists():
        yield
        return
    run([*_as_root(), "sh", "-c", f"printf '#!/bin/sh\\nexit 101\\n' >{POLICY} && chmod 755 {POLICY}"])
    try:
        yield
    finally:
        run([*_as_root(), "rm", "-f", str(POLICY)])
