"""`migrator init`: a first plan from flags, from a dialogue at a terminal, and from what a panel says who lives there.

The panel is one in memory, published by a throw-away package as anybody's would be.
"""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import migrator
from migrator.plan.people import COLUMNS

CHECKOUT = Path(migrator.__file__).parent.parent
ACME = '''\
"""A panel in memory with three mailboxes, which wants the token `open sesame`."""

from pydantic import Field, SecretStr

from migrator.engine.contract import Adapter
from migrator.errors import EndpointRefused
from migrator.panel.model import Mailbox
from migrator.testing.memory_panel import MemoryPanel
from migrator.wire.http import WebOptions
from migrator.engine.contract import Service

PANEL = MemoryPanel("acme")
PANEL.fill(*map(Mailbox, ("ann@example.com", "bob@example.com", "eva@xn--espaa-rta.example")))
PANEL.fill(*map(Mailbox, ("zoe@forwards.example",)))
del PANEL.things["mailbox", "zoe@forwards.example"]


class Options(WebOptions, Service):
    user: str = Field(min_length=1, description="Whose mail it is")
    token: SecretStr | str | None = Field(None, description="Name of the secret with a token", json_schema_extra={"secret": True})
    password: SecretStr | str | None = Field(None, description="Name of the secret with a password", json_schema_extra={"secret": True})


def reader(options, login):
    if options.token is None or options.token.get_secret_value() != "open sesame":
        raise EndpointRefused("acme: the panel refuses the token.", remedy="Make a new one.")
    return PANEL.reader(options, login)


ADAPTER = Adapter("acme", "Acme Panel", Options, reader, PANEL.writer)
'''
FLAGS = (
    *("--source-type", "acme", "--source-url", "https://old.example.net:2083", "--source-user", "acme"),
    *("--source-secret", "env:OLD_TOKEN"),
    *("--target-type", "acme", "--target-url", "https://new.example.net:8083", "--target-user", "acme"),
    *("--target-secret", "file:~/new.key"),
)
MAIL_ONLY = (
    *("--source-type", "none", "--source-mail-host", "mail.old.example.net"),
    *("--target-type", "none", "--target-mail-host", "mail.new.example.net"),
)


class Office:
    """A folder, and a machine on which the package with the Acme panel is installed."""

    def __init__(self, folder, packages):
        self.folder = folder
        self.plan, self.accounts = folder / "plan.yaml", folder / "accounts.csv"
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(packages), str(CHECKOUT)]),
            "OLD_TOKEN": "open sesame",
            "COLUMNS": "100",
        }

    def does(self, *words):
        return subprocess.run(
            [sys.executable, "-m", "migrator", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def files(self):
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    place = tmp_path_factory.mktemp("packages")
    (place / "acme_panel.py").write_text(ACME)
    about = place / "acme_panel-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-panel\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[migrator.panel.v1]\nacme = acme_panel:ADAPTER\n")
    return place


@pytest.fixture
def office(tmp_path, packages):
    return Office(tmp_path, packages)


# -- with flags ------------------------------------------------------------------------------------------------------------


def test_both_files_are_written_from_what_the_panel_says(office):
    told = office.does("init", *FLAGS, "--domain", "example.com", "--yes")

    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("plan.yaml and accounts.csv are written with 2 mailboxes.\n")
    with office.accounts.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [list(COLUMNS), ["ann@example.com", *[""] * 5], ["bob@example.com", *[""] * 5]]
    assert office.accounts.stat().st_mode & 0o777 == 0o600


def test_the_written_plan_is_well_formed(office):
    office.does("init", *FLAGS, "--domain", "example.com", "--yes")

    told = office.does("check", "plan.yaml")

    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("plan.yaml is well formed: 2 endpoints, 3 steps, ")


def test_the_written_plan_has_the_hint_for_editors_the_steps_and_the_secrets_by_name(office):
    office.does("init", *FLAGS, "--domain", "example.com", "--yes")

    text = office.plan.read_text()
    assert text.startswith("# yaml-language-server: $schema=plan.schema.json\n")
    assert re.findall(r"^  - (\w+)", text, re.MULTILINE) == ["accounts", "mail", "verify"]
    assert "  old-token: {env: OLD_TOKEN}\n" in text
    assert '  new-token: {file: "~/new.key"}\n' in text
    assert "open sesame" not in text


def test_the_mail_servers_are_guessed_from_the_panels_and_the_guess_is_marked(office):
    told = office.does("init", *FLAGS, "--target-mail-host", "imap.example.net", "--yes")

    lines = [line.strip() for line in office.plan.read_text().splitlines()]
    old = lines.index("mail: {type: imap, host: old.example.net, security: tls}")
    new = lines.index("mail: {type: imap, host: imap.example.net, security: tls}")
    assert any("guess" in line for line in lines[lines.index("old:") : old])
    assert not any("guess" in line for line in lines[lines.index("new:") : new])
    assert "The mail servers (old.example.net) are guessed" in told.stdout


def test_without_a_domain_all_that_the_panel_has_are_meant(office):
    told = json.loads(office.does("init", *FLAGS, "--yes", "--json").stdout)

    assert told["mailboxes"] == 3
    assert "domains:" not in office.plan.read_text()


def test_a_domain_in_its_own_letters_is_written_as_the_panel_has_it(office):
    told = office.does("init", *FLAGS, "--domain", "España.example", "--yes")

    assert told.returncode == 0, told.stderr
    assert "  domains: [xn--espaa-rta.example]\n" in office.plan.read_text()


def test_a_domain_in_which_nobody_lives_still_moves(office):
    office.does("init", *FLAGS, "--domain", "example.com", "--domain", "forwards.example", "--yes")

    assert "  - accounts: {domains: [forwards.example]}" in office.plan.read_text()
    assert office.does("check", "plan.yaml").returncode == 0


def test_without_panels_mail_alone_is_planned(office):
    told = office.does("init", *MAIL_ONLY, "--yes")

    assert (told.returncode, told.stdout.splitlines()[0]) == (0, "plan.yaml and accounts.csv are written.")
    assert re.findall(r"^  - (\w+)", office.plan.read_text(), re.MULTILINE) == ["mail", "verify"]
    assert office.accounts.read_text() == ",".join(COLUMNS) + "\n"
    checked = office.does("check", "plan.yaml")
    assert checked.returncode == 2
    assert "accounts.csv names none below its first line. List them there" in checked.stderr
    office.accounts.write_text(office.accounts.read_text() + "ann@example.com,,,one,,two\n")
    assert office.does("check", "plan.yaml").returncode == 0


def test_passwords_filled_into_the_file_reach_the_plan(office):
    office.does("init", *FLAGS, "--domain", "example.com", "--yes")
    text = office.accounts.read_text()
    office.accounts.write_text(text.replace("ann@example.com,,,,,", "ann@example.com,anna@example.com,,one,,"))

    office.plan.write_text(office.plan.read_text().replace('file: "~/new.key"', "env: OLD_TOKEN"))

    told = office.does("preview", "plan.yaml")

    assert told.returncode == 2
    assert "bob@example.com has no password for the source." in told.stderr
    assert "ann@example.com" not in told.stderr


def test_another_folder_can_be_named(office):
    (office.folder / "moves").mkdir()

    told = office.does("init", *MAIL_ONLY, "--folder", "moves", "--yes")

    assert told.stdout.startswith("moves/plan.yaml and moves/accounts.csv are written.")
    assert sorted(path.name for path in (office.folder / "moves").iterdir()) == ["accounts.csv", "plan.yaml"]


@pytest.mark.parametrize("there", ["plan.yaml", "accounts.csv"])
def test_a_file_that_is_there_is_never_overwritten(office, there):
    (office.folder / there).write_text("mine")

    told = office.does("init", *MAIL_ONLY, "--yes")

    assert told.returncode == 2
    assert told.stderr.startswith(f"{there} is there already; nothing was written.")
    assert office.files() == [there]
    assert (office.folder / there).read_text() == "mine"


def test_a_folder_that_is_not_there_is_told(office):
    told = office.does("init", *MAIL_ONLY, "--folder", "nowhere", "--yes")

    assert told.returncode == 2
    assert told.stderr.startswith("There is no folder nowhere.")


def test_a_full_disk_leaves_nothing_half_written(office):
    limit = "ulimit -f 0; trap '' XFSZ; exec \"$@\""

    told = subprocess.run(
        ["bash", "-c", limit, "-", sys.executable, "-m", "migrator", "init", *MAIL_ONLY, "--yes"],
        cwd=office.folder,
        env={**office.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert told.returncode == 2
    assert told.stderr.startswith("accounts.csv cannot be written (file too large).")
    assert office.files() == []


# -- what is missing or wrong ----------------------------------------------------------------------------------------------


def test_without_a_terminal_every_missing_flag_is_named(office):
    told = office.does("init", "--source-type", "acme", "--target-type", "none")

    assert (told.returncode, told.stdout) == (2, "")
    missing = re.findall(r"^(--[\w-]+) is missing", told.stderr, re.MULTILINE)
    assert missing == ["--source-url", "--source-user", "--source-mail-host", "--target-mail-host"]
    assert office.files() == []


def test_without_any_flag_the_known_panels_are_named(office):
    told = office.does("init")

    assert "--source-type is missing; it is one of acme, cpanel, " in told.stderr
    assert told.stderr.splitlines()[0].endswith(" or none.")


def test_a_missing_secret_is_named_where_the_panel_needs_one(office):
    words = ("--source-type", "cpanel", "--source-url", "https://old.example.net:2083", "--source-user", "acme")

    told = office.does("init", *words, *MAIL_ONLY[4:])

    assert told.stderr == "--source-secret is missing; it is the panel's token or password.\n"


@pytest.mark.parametrize("secret", ["open-sesame", "env:open sesame", "password=open-sesame"])
def test_a_password_in_the_place_of_its_source_is_refused_and_not_repeated(office, secret):
    words = [secret if word == "env:OLD_TOKEN" else word for word in FLAGS]

    told = office.does("init", *words, "--yes")

    assert told.returncode == 2
    assert "--source-secret takes env:NAME or file:PATH" in told.stderr
    assert "sesame" not in told.stdout + told.stderr
    assert office.files() == []


def test_the_password_can_be_chosen_instead_of_the_token(office):
    words = ["password=env:OLD_TOKEN" if word == "env:OLD_TOKEN" else word for word in FLAGS]

    told = office.does("init", *words, "--yes")

    assert told.returncode == 4  # our panel wants the token
    assert office.files() == []


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--source-type", "acne", "--source-type: there is no panel adapter called acne. Did you mean acme?"),
        ("--source-url", "http://old.example.net", "source panel: url: http would send the login"),
        ("--source-mail-host", "imap://x", "--source-mail-host: imap://x is no host's name."),
        ("--source-option", "port", "--source-option: write it as FIELD=VALUE."),
        ("--source-option", "tokens=x", "source panel: tokens is not known here. Did you mean token?"),
        ("--source-option", "token=x", "--source-option: token is a secret;"),
        ("--source-option", "connections=many", "source panel: connections must be a whole number"),
        ("--domain", "*.example.com", "--domain: *.example.com is no domain."),
    ],
)
def test_a_wrong_flag_is_told_by_its_name(office, flag, value, said):
    told = office.does("init", *FLAGS, flag, value, "--yes")

    assert told.returncode == 2
    assert said in told.stderr
    assert office.files() == []


def test_numbers_among_the_options_are_written_as_numbers(office):
    told = office.does("init", *FLAGS, "--source-option", "connections=2", "--yes")

    assert told.returncode == 0, told.stderr
    assert "connections: 2" in office.plan.read_text()


def test_a_secret_that_is_not_set_is_named_and_nothing_is_written(office):
    del office.environment["OLD_TOKEN"]

    told = office.does("init", *FLAGS, "--yes")

    assert told.returncode == 2
    assert "environment variable OLD_TOKEN, which is not set" in told.stderr
    assert office.files() == []


def test_a_refused_login_ends_with_4_and_nothing_is_written(office):
    office.environment["OLD_TOKEN"] = "open barley"

    told = office.does("init", *FLAGS, "--yes")

    assert told.returncode == 4
    assert "the panel refuses the token" in told.stderr
    assert "barley" not in told.stderr
    assert office.files() == []


def test_a_domain_the_panel_does_not_have_is_told(office):
    told = office.does("init", *FLAGS, "--domain", "other.example", "--yes")

    assert told.returncode == 2
    assert "acme has no domain other.example." in told.stderr
    assert office.files() == []


def test_mistakes_are_a_document_where_json_is_asked_for(office):
    told = office.does("init", "--json", "--yes")

    assert json.loads(told.stdout)["error"]["exit_code"] == 2


# -- the dialogue ----------------------------------------------------------------------------------------------------------


class Terminal:
    """The program at a terminal: what it asks is read there, what is answered is typed there, and stdout goes to a pipe."""

    def __init__(self, office, *words):
        self.ours, theirs = pty.openpty()
        self.program = subprocess.Popen(
            [sys.executable, "-m", "migrator", *words],
            cwd=office.folder,
            env=office.environment,
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            text=True,
            # What starts the tests in the background may have Ctrl-C ignored, which a child inherits.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
        )
        os.close(theirs)
        self.seen = ""
        self.read = 0

    def asked(self, question):
        """Waits until the question stands there."""
        until = time.monotonic() + 30
        while question not in self.seen[self.read :]:
            assert time.monotonic() < until, f"never asked {question!r}; seen: {self.seen}"
            ready, _, _ = select.select([self.ours], [], [], 0.2)
            if ready:
                try:
                    self.seen += os.read(self.ours, 4096).decode()
                except OSError as error:  # EIO: the program ended
                    raise AssertionError(f"never asked {question!r}; seen: {self.seen}") from error
        self.read = self.seen.index(question, self.read) + len(question)

    def types(self, text):
        os.write(self.ours, f"{text}\n".encode())

    def dialogue(self, *pairs):
        for question, answer in pairs:
            self.asked(question)
            self.types(answer)

    def ends(self):
        answer, _ = self.program.communicate(timeout=30)
        os.close(self.ours)
        return self.program.returncode, answer


QUESTIONS_OF_THE_OLD = (
    ("panel (acme, ", "acme"),
    ("url (Where it is", "https://old.example.net:2083"),
    ("user (Whose mail it is): ", "acme"),
    ("log in with (token, password) [token]: ", ""),
    ("where the token comes from (env:NAME", "env:OLD_TOKEN"),
    ("IMAP server [old.example.net]: ", ""),
)
QUESTIONS_OF_THE_NEW = (
    ("panel (acme, ", "none"),
    ("IMAP server: ", "imap.new.example.net"),
)


def test_at_a_terminal_what_is_missing_is_asked(office):
    terminal = Terminal(office, "init")
    terminal.dialogue(*QUESTIONS_OF_THE_OLD, *QUESTIONS_OF_THE_NEW, ("Domains to move", "example.com"))
    terminal.dialogue(("Write plan.yaml and accounts.csv? [Y/n] ", ""))
    code, answer = terminal.ends()

    assert code == 0, terminal.seen
    assert answer.startswith("plan.yaml and accounts.csv are written with 2 mailboxes.")
    assert "  old-token: {env: OLD_TOKEN}\n" in office.plan.read_text()
    assert office.does("check", "plan.yaml").returncode == 0


def test_a_dialogue_can_be_repeated_by_the_flags_it_names(office):
    terminal = Terminal(office, "init")
    terminal.dialogue(*QUESTIONS_OF_THE_OLD, *QUESTIONS_OF_THE_NEW, ("Domains to move", "example.com"))
    terminal.dialogue(("Write ", "n"))
    code, answer = terminal.ends()
    flags = re.search(r"^The same without questions: migrator (.+)$", terminal.seen.replace("\r", ""), re.MULTILINE)[1]

    assert (code, answer) == (0, "")
    assert office.files() == []
    assert office.does(*flags.split(), "--yes").returncode == 0


def test_what_a_flag_says_is_not_asked(office):
    terminal = Terminal(office, "init", *FLAGS, "--domain", "example.com", "--source-mail-host", "imap.old.example.net")
    terminal.dialogue(("IMAP server [new.example.net]: ", ""), ("Write ", "y"))
    code, _ = terminal.ends()

    assert code == 0
    assert "panel (" not in terminal.seen
    assert "host: imap.old.example.net" in office.plan.read_text()


def test_a_wrong_answer_is_asked_again(office):
    terminal = Terminal(office, "init")
    terminal.dialogue(
        ("panel (", "acne"),
        ("It is one of acme, ", "acme"),
        ("url (", "http://old.example.net"),
        ("user (", ""),
        ("user is needed.", "acme"),
        ("log in with", "pin"),
        ("It is one of token, password.", "token"),
        ("where the token", "open sesame"),
        ("A password itself does not stand here.", "env:OLD_TOKEN"),
        ("IMAP server", ""),
        ("url: http would send the login", ""),  # and all of it once more
        ("It is one of ", "acme"),
    )
    terminal.asked("url (")
    time.sleep(0.3)  # no person interrupts between a question's last letter and the wait for the answer
    terminal.program.send_signal(signal.SIGINT)
    code, _ = terminal.ends()

    assert code == 130
    assert office.files() == []


def test_a_dialogue_that_is_left_writes_nothing(office):
    terminal = Terminal(office, "init")
    terminal.asked("panel (")
    os.write(terminal.ours, b"\x04")  # Ctrl-D

    code, answer = terminal.ends()

    assert (code, answer) == (130, "")
    assert office.files() == []


def test_with_yes_nothing_is_asked_at_a_terminal_either(office):
    terminal = Terminal(office, "init", *FLAGS, "--yes")
    code, _ = terminal.ends()

    assert code == 0
    assert office.files() == ["accounts.csv", "plan.yaml"]
