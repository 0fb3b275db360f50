"""Mail for the demo: three invented people with the folders, flags and dates that real mailboxes have."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from lab.ground import Server
from lab.road import Letter, Road, RoadError, fill

Folder = tuple[str, ...]

# Names are as on the wire: Facturaci&APM-n is Facturación. The numbers are how many messages lie there.
MAILBOXES: Mapping[str, Mapping[Folder, int]] = {
    "alice@example.com": {
        (): 120,
        ("Elementos enviados",): 60,
        ("Borradores",): 3,
        ("Papelera",): 12,
        ("Clientes", "2024"): 80,
        ("Clientes", "2025", "Presupuestos"): 25,
        ("Facturaci&APM-n",): 40,
    },
    "bob@example.com": {(): 75, ("Sent",): 40, ("Archive", "2019"): 50, ("Listas de correo",): 30},
    "carmen@example.com": {(): 15, ("Elementos enviados",): 9, ("Vac&AO0-a",): 0},
}
SUBJECTS = ("Presupuesto", "Factura", "Reunión del lunes", "Re: pedido", "Fwd: contrato", "Quarterly figures", "Lunch?")
FLAGS = (("\\Seen",), ("\\Seen", "\\Answered"), ("\\Seen", "\\Flagged"), ("\\Seen", "$Forwarded"), ("$Label1",), ())
FIRST = datetime(2017, 1, 9, 8, 0, tzinfo=timezone(timedelta(hours=1)))
ATTACHED = 0.15  # share of messages that carry a file
ODD = ("Casos raros",)  # where the messages of fixtures/ lie


def seed(server: Server, fixtures: Path) -> int:
    """Fill the mailboxes of a server's three users; how many messages there are. `fixtures` holds further ones as .eml."""
    chance = random.Random(20240131)  # always the same mail
    count = 0
    for user, folders in MAILBOXES.items():
        with Road(server.host, server.port, user, server.users[user]) as road:
            for folder, messages in folders.items():
                count += fill(road, _named(server, folder), list(_letters(chance, user, folder, messages)))
            if user.startswith("bob@"):
                count += _odd_ones(road, _named(server, ODD), fixtures)
    return count


def _named(server: Server, folder: Folder) -> str:
    return server.prefix + server.separator.join(folder) if folder else "INBOX"


def _letters(chance: random.Random, user: str, folder: Folder, count: int) -> Iterator[Letter]:
    date = FIRST
    for number in range(count):
        date += timedelta(minutes=chance.randint(30, 60_000))
        flags = ("\\Draft", "\\Seen") if folder == ("Borradores",) else chance.choice(FLAGS)
        yield Letter(_message(chance, user, folder, number, date), flags, min(date, datetime(2025, 12, 31, tzinfo=UTC)))


def _message(chance: random.Random, user: str, folder: Folder, number: int, date: datetime) -> bytes:
    message = EmailMessage()
    other = f"{chance.choice(('david', 'elena', 'farid', 'greta'))}@example.com"
    sent = folder in {("Sent",), ("Elementos enviados",), ("Borradores",)}
    message["From"], message["To"] = (user, other) if sent else (other, user)
    message["Subject"] = f"{chance.choice(SUBJECTS)} {number + 1}"
    message["Date"] = format_datetime(date)
    message["Message-ID"] = f"<{'.'.join(folder) or 'inbox'}.{number}.{user}>".replace(" ", "-")
    message.set_content("Hola:\n\n" + "Una línea más de texto, año y señal incluidos.\n" * chance.randint(1, 40))
    if chance.random() < ATTACHED:
        message.add_attachment(
            chance.randbytes(chance.randint(2_000, 80_000)),
            maintype="application",
            subtype="pdf",
            filename=f"oferta-{number}.pdf",
        )
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _odd_ones(road: Road, folder: str, fixtures: Path) -> int:
    count = 0
    for path in sorted(fixtures.glob("*.eml")):
        try:
            count += fill(road, folder, [Letter(path.read_bytes())])
        except RoadError:
            # A message that no server takes (an empty one) is not in anybody's mailbox either.
            continue
    return count
