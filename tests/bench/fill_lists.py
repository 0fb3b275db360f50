"""How fast members go into and out of a real Mailman 3 core: migrator's adapter beside a plain loop with Mailman's own client.

    python tests/bench/fill_lists.py [--members 5000] [--slices 5] [--rtt 0] [--bare]

One core with SQLite; both fill a list of their own in turn, slice by slice, so that neither has the emptier database. Everybody has a name
and all options, which take the client's loop three requests (subscribe, read the preferences, save them) and ours three (is the address
known, subscribe, set the preferences); `--bare` adds the client's subscribing alone, into a third
list. Then both lists are read whole with everybody's options. What arrived is compared, and the mail is counted (0). `--rtt` puts core so
many milliseconds away. Nothing here fails when it is slow: it prints, and a person judges.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "scripts"), str(HERE.parent.parent)]

from copy_mail import far_away  # noqa: E402
from lab import ground, packages  # noqa: E402
from lab import mailman3 as lab  # noqa: E402

from migrator.engine.contract import Login  # noqa: E402
from migrator.lists.adapters import mailman3  # noqa: E402
from migrator.lists.contract import THE_LISTS, ListWriter  # noqa: E402
from migrator.lists.model import Delivery, Member, Role, Settings, Stopped  # noqa: E402

DOMAIN = "lists.example.com"
LOOP = """
import json, sys, time
from mailmanclient import Client
url, user, password, address, what = sys.argv[1:]
found = Client(url, user, password).get_list(address)
people = json.load(sys.stdin)
began = time.monotonic()
if what == "read":
    options = ("hide_address", "acknowledge_posts", "receive_own_postings", "receive_list_copy", "delivery_status")
    told = [(one.email, one.display_name, [one.preferences.get(name) for name in options]) for one in found.members]
    count = len(told)
else:
    for email, name, mode, status, preferences in people:
        member = found.subscribe(email, name, pre_verified=True, pre_confirmed=True, pre_approved=True,
                                 send_welcome_message=False, delivery_mode=mode, delivery_status=status)
        if what == "all":
            for option, value in preferences.items():
                member.preferences[option] = value
            member.preferences.save()
    count = len(people)
print(json.dumps([count, time.monotonic() - began]))
"""


def people(tag: str, first: int, last: int) -> list[Member]:
    """Members with a name and every option in turn."""
    return [
        Member(
            f"{tag}{n:06}@example.com",
            f"Persona Número {n}",
            delivery=(Delivery.REGULAR, Delivery.MIME_DIGEST, Delivery.PLAIN_DIGEST)[n % 3],
            stopped=Stopped.BY_USER if n % 10 == 0 else None,
            hidden=n % 2 == 0,
            acknowledge=n % 5 == 0,
            own_posts=n % 7 != 0,
            list_copies=n % 11 != 0,
        )
        for n in range(first, last)
    ]


def loop(server: ground.Server, name: str, what: str, members: list[Member]) -> float:
    """Mailman's own client; seconds without its start."""
    modes = {
        Delivery.REGULAR: "regular",
        Delivery.MIME_DIGEST: "mime_digests",
        Delivery.PLAIN_DIGEST: "plaintext_digests",
    }
    told = [
        [
            one.address,
            one.name,
            modes[one.delivery],
            "by_user" if one.stopped else "enabled",
            {
                "hide_address": one.hidden,
                "acknowledge_posts": one.acknowledge,
                "receive_own_postings": one.own_posts,
                "receive_list_copy": one.list_copies,
            },
        ]
        for one in members
    ]
    login = next(iter(server.admin.items()))
    command = [lab.python(), "-c", LOOP, server.url, *login, f"{name}@{DOMAIN}", what]
    done = subprocess.run(command, input=json.dumps(told), capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)[1])


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def fill(session: ListWriter, name: str, members: list[Member]) -> None:
    """Ours, in the batches a run makes."""
    for start in range(0, len(members), session.features.at_once):
        puts = session.add(f"{name}@{DOMAIN}", members[start : start + session.features.at_once])
        assert not [put for put in puts if put.refused or put.already], puts


def main() -> None:
    grammar = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    grammar.add_argument("--members", type=int, default=5000)
    grammar.add_argument("--slices", type=int, default=5)
    grammar.add_argument("--rtt", type=float, default=0.0, help="milliseconds of a round trip")
    grammar.add_argument("--bare", action="store_true", help="the client's subscribing without options as well")
    asked = grammar.parse_args()
    packages.install(["mailman3"])
    with tempfile.TemporaryDirectory(prefix="migrator-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = lab.start("mailman3", ground.prepare(folder))
        try:
            with far_away(server.port, asked.rtt) as port:
                there = replace(server, url=f"http://{ground.HOST}:{port}/3.1")
                measure(there, asked.members, asked.slices, ["client", "ours", *(["bare"] if asked.bare else [])])
        finally:
            ground.end(server.processes)


def measure(server: ground.Server, members: int, slices: int, ways: list[str]) -> None:
    user, password = next(iter(server.admin.items()))
    options = mailman3.Options(url=server.url, user=user, password=password)
    seconds = dict.fromkeys(ways, 0.0)
    with closing(mailman3.ADAPTER.writer(options, Login(THE_LISTS, THE_LISTS))) as session:  # type: ignore[misc]
        for name in seconds:
            session.create_list(f"{name}@{DOMAIN}", "", None)
            session.configure(f"{name}@{DOMAIN}", Settings(emergency=True))
        step = -(-members // slices)
        for first in range(0, members, step):
            last = min(first + step, members)
            if "bare" in seconds:
                seconds["bare"] += loop(server, "bare", "bare", people("bare", first, last))
            seconds["client"] += loop(server, "client", "all", people("client", first, last))
            seconds["ours"] += timed(lambda f=first, t=last: fill(session, "ours", people("ours", f, t)))
            rates = ", ".join(f"{name} {last / took:.1f}/s" for name, took in seconds.items())
            print(f"{last:,} members each: {rates}", flush=True)
        reading = {
            "client": loop(server, "client", "read", []),
            "ours": timed(lambda: [list(page) for page in session.roster(f"ours@{DOMAIN}", Role.MEMBER)]),
        }
        print(", ".join(f"read by {name}: {took:.1f} s ({members / took:.0f}/s)" for name, took in reading.items()))
        found = {one.key: one for page in session.roster(f"ours@{DOMAIN}", Role.MEMBER) for one in page}
        wanted = {one.key: one for one in people("ours", 0, members)}
        assert found == wanted, "what arrived is not what was given"
    print(f"{len(found):,} arrived as they were given; mail: {len(lab.handed_over(server)) + len(lab.waiting(server))}")


if __name__ == "__main__":
    main()
