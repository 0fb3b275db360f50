"""What the carrier of a folder makes of one message before it travels."""

from datetime import UTC, datetime

from migrator.engine.contract import Item, Loaded
from migrator.mail.copying import FolderCopy
from migrator.mail.model import Content, Header, Message
from migrator.mail.options import MailOptions

RAW = b"Received: from a by b; Tue, 02 Jan 2018 10:00:00 +0000\r\nDate: Mon, 01 Jan 2018 09:00:00 +0000\r\n\r\nbody\r\n"


class Dateless:
    """A source that tells no arrival."""

    def fetch(self, folder, uids):
        del folder
        return [Message(Header(uid, len(RAW)), Content(RAW)) for uid in uids]


def test_a_message_without_an_arrival_gets_that_of_its_newest_hop():
    copy = FolderCopy(Dateless(), Dateless(), "INBOX", "INBOX", 7, MailOptions())

    [loaded] = copy.read([Item("7/1", len(RAW))])

    assert isinstance(loaded, Loaded)
    assert loaded.content.message.header.date == datetime(2018, 1, 2, 10, tzinfo=UTC)
