"""Modoboa on loopback: its own virtual environment in the larder, a site with an SQLite database below the lab's folder, a Redis of
its own. It is Django's development server and speaks http.

The first start makes a site and keeps it in the larder, since all its migrations take half a minute; later ones copy it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from pathlib import Path

from lab import ground, packages
from lab.ground import HOST, LabError, Server

SITE = "modoboa_site"
ADMIN = "admin"
# What the lab changes: nothing leaves this machine, no log of the system is written to, and tests may ask faster than people do.
SETTINGS = f"""
import os
from {SITE}.settings import *
REDIS_URL = os.environ["LAB_REDIS"]
CACHES = {{"default": {{**CACHES["default"], "LOCATION": REDIS_URL}}}}
RQ_QUEUES = {{name: {{"URL": REDIS_URL}} for name in RQ_QUEUES}}
DATABASES = {{"default": {{**DATABASES["default"], "NAME": os.path.join(BASE_DIR, "modoboa.db"), "OPTIONS": {{
    "timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}}}}}}
ALLOWED_HOSTS = ["{HOST}", "localhost"]
MODOBOA_API_URL = "http://{HOST}:9/"
DISABLE_DASHBOARD_EXTERNAL_QUERIES = True
DOVECOT_SUPPORTED_SCHEMES = "SHA512-CRYPT SHA256-CRYPT MD5-CRYPT BLF-CRYPT"
_RATE = os.environ.get("LAB_RATE", "1000000/minute")
REST_FRAMEWORK = {{**REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {{name: _RATE for name in REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]}}}}
LOGGING = {{"version": 1, "handlers": {{"out": {{"class": "logging.StreamHandler"}}}}, "root": {{"handlers": ["out"], "level": "WARNING"}}}}
"""
TOKEN = """
from modoboa.core.models import User
from rest_framework.authtoken.models import Token
user = User.objects.get(username={user!r})
Token.objects.filter(user=user).delete()
Token.objects.create(user=user, key={key!r})
"""
PASSWORD = "user = User.objects.get(username={user!r}); user.set_password({password!r}); user.save()\n"


def start(name: str, folder: Path) -> Server:
    """Start Modoboa below `folder`. `url` is where its pages are, `admin` its administrator, whose API token is `users["token"]`."""
    missing = [*packages.not_installed(["modoboa"]), *packages.not_fetched(["modoboa"])]
    if missing:
        raise LabError(f"Modoboa needs {', '.join(missing)}. Run `scripts/servers install modoboa`.")
    instance = folder / name
    instance.mkdir(parents=True, exist_ok=True)
    port, redis_port = ground.free_ports(2)
    log, redis_log = instance / "modoboa.log", instance / "redis.log"
    ground.give(instance)
    words = ["--port", str(redis_port), "--bind", HOST, "--save", "", "--appendonly", "no", "--dir", instance]
    redis = ground.launch([ground.program("redis-server"), *words], redis_log)
    ground.wait_until(lambda: _listens(redis_port), redis, redis_log)
    site, password, token = instance / "site", "", ""
    try:
        if not site.exists():
            _fresh_site(site, redis_port)
        (site / "redis-port").write_text(str(redis_port))
        password, token = secrets.token_urlsafe(12), secrets.token_hex(20)
        said = TOKEN.format(user=ADMIN, key=token) + PASSWORD.format(user=ADMIN, password=password)
        ground.run([_python(), "manage.py", "shell", "-c", said], cwd=site, env=_environment(redis_port))
        # As root where we are root: Python itself may lie where nobody else may look.
        process = ground.launch(
            [_python(), site / "manage.py", "runserver", "--noreload", f"{HOST}:{port}"],
            log,
            env=_environment(redis_port),
            root=True,
        )
        ground.wait_until(lambda: _listens(port), process, log)
    except BaseException:
        ground.end({redis.pid: ground.started_at(redis.pid) or 0})
        raise
    return Server(
        name=name,
        kind="modoboa",
        port=port,
        folder=str(instance),
        url=f"http://{HOST}:{port}",
        users={"token": token},
        admin={ADMIN: password},
        processes={pid: ground.started_at(pid) or 0 for pid in (process.pid, redis.pid)},
    )


def token_of(server: Server, user: str) -> str:
    """An API token of this account, which has to be there."""
    key = secrets.token_hex(20)
    redis_port = int((Path(server.folder) / "site" / "redis-port").read_text())
    said = TOKEN.format(user=user, key=key)
    ground.run([_python(), "manage.py", "shell", "-c", said], cwd=f"{server.folder}/site", env=_environment(redis_port))
    return key


def database(server: Server) -> Path:
    """Its SQLite file, for what only people at its pages do."""
    return Path(server.folder) / "site" / "modoboa.db"


def _fresh_site(site: Path, redis_port: int) -> None:
    kept = packages.environment("modoboa") / "site"
    if not kept.exists():
        making = kept.with_name("making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        redis = f"redis://{HOST}:{redis_port}/0"
        url = f"default:sqlite:///{making}/modoboa.db"
        admin = packages.environment("modoboa") / "bin" / "modoboa-admin.py"
        ground.run(
            [_python(), admin, "deploy", SITE, "--dburl", url, "--domain", HOST, "--redisurl", redis],
            cwd=making,
            env={"PATH": f"{_python().parent}:{os.environ.get('PATH', '')}"},
        )
        (making / "modoboa.db").replace(making / SITE / "modoboa.db")
        (making / SITE).replace(kept)
    shutil.copytree(kept, site)
    (site / SITE / "lab.py").write_text(SETTINGS)


def _python() -> Path:
    return packages.environment("modoboa") / "bin" / "python"


def _environment(redis_port: int) -> dict[str, str]:
    return {
        "PATH": f"{_python().parent}:{os.environ.get('PATH', '')}",
        "DJANGO_SETTINGS_MODULE": f"{SITE}.lab",
        "LAB_REDIS": f"redis://{HOST}:{redis_port}/0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
