"""Mailman 2.1's config.pck out of a backup: every option, every setting, and files that are damaged or no such files."""

from __future__ import annotations

import struct
from contextlib import closing
from pathlib import Path

import pytest

from migrator.engine.contract import Login
from migrator.errors import EndpointRefused, Misbehaved, NotFound
from migrator.lists.adapters import mailman2_pck
from migrator.lists.contract import THE_LISTS
from migrator.lists.model import (
    Archive,
    Delivery,
    Dmarc,
    HeaderRule,
    Joining,
    Member,
    ReplyTo,
    Role,
    Stopped,
    Treatment,
)
from migrator.testing.list_suite import everybody

NEWS = "news@example.com"
LOGIN = Login(THE_LISTS, THE_LISTS)
BOUNCE = (
    b"(iMailman.Bouncer\n_BounceInfo\n(dU\x06memberU\x0fbob@example.comsb"  # an instance of a class, with its state
)


class Raw(bytes):
    """Opcodes as they stand."""


def pickled(value: object) -> bytes:  # noqa: PLR0911 - one for each kind
    """As Mailman writes: Python 2, protocol 1; bytes are byte strings, str are unicode."""
    match value:
        case Raw():
            return bytes(value)
        case None:
            return b"N"
        case bool():
            return b"I01\n" if value else b"I00\n"
        case int():
            return b"J" + struct.pack("<i", value)
        case float():
            return b"G" + struct.pack(">d", value)
        case bytes():
            return b"T" + struct.pack("<i", len(value)) + value
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case list():
            return b"](" + b"".join(map(pickled, value)) + b"e"
        case tuple():
            return b"(" + b"".join(map(pickled, value)) + b"t"
        case dict():
            return b"}(" + b"".join(pickled(key) + pickled(one) for key, one in value.items()) + b"u"
    raise TypeError(value)


CONFIG: dict[bytes, object] = {
    b"real_name": b"News",
    b"host_name": b"example.com",
    b"password": b"5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
    b"passwords": {b"ann@example.com": b"hers-in-plain"},
    b"preferred_language": b"en",
    b"available_languages": [b"en", b"de"],
    b"description": b"News for \xc3\xa4ll",
    b"info": b"First.\nSecond, in the code page: \xe9.",
    b"subject_prefix": b"[News] ",
    b"owner": [b"owner@example.com", b"second@example.com"],
    b"moderator": [b"mod@example.com"],
    b"members": {
        b"ann@example.com": 0,
        b"bob@example.com": b"Bob@Example.com",
        b"cara@example.com": 0,
        b"dan@example.com": 0,
    },
    b"digest_members": {b"eve@example.com": 0, b"fay@example.com": b"Fay@example.com"},
    b"usernames": {b"ann@example.com": "Zoë Müller", b"bob@example.com": b"Bob &#8364;", b"eve@example.com": b""},
    b"user_options": {
        b"ann@example.com": 256,
        b"bob@example.com": 2 | 4 | 16 | 128,
        b"fay@example.com": 8 | 256,
    },
    b"delivery_status": {
        b"ann@example.com": (2, 1234567890.5),
        b"bob@example.com": (3, 1234567890.5),
        b"cara@example.com": (4, 1234567890.5),
        b"dan@example.com": (1, 0),
    },
    b"language": {b"bob@example.com": b"de", b"ann@example.com": b"en"},
    b"bounce_info": {b"bob@example.com": Raw(BOUNCE)},
    b"member_moderation_action": 1,
    b"default_member_moderation": 0,
    b"subscribe_policy": 3,
    b"unsubscribe_policy": 0,
    b"private_roster": 2,
    b"advertised": True,
    b"archive": True,
    b"archive_private": 1,
    b"reply_goes_to_list": 2,
    b"reply_to_address": b"answers@example.com",
    b"generic_nonmember_action": 1,
    b"accept_these_nonmembers": [b"friend@example.org", b"^.*@friends\\.example$"],
    b"discard_these_nonmembers": [b"Spam@example.net", b"friend@example.org"],
    b"ban_list": [b"^.*@spam\\.example$", b"troll@example.net"],
    b"dmarc_moderation_action": 1,
    b"from_is_list": 0,
    b"max_message_size": 40,
    b"bounce_score_threshold": 5.0,
    b"bounce_info_stale_after": 604800,
    b"bounce_you_are_disabled_warnings_interval": 604800,
    b"header_filter_rules": [(b"^x-spam-flag: yes", 3, False)],
    b"emergency": 0,
    b"send_welcome_msg": 1,
    b"welcome_msg": b"Welcome, you",
    b"topics_enabled": 1,
    b"new_member_options": 256,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lists"


def backup(folder: Path, config: dict[bytes, object], name: str = "news", content: bytes = b"") -> Path:
    (folder / name).mkdir(parents=True)
    path = folder / name / "config.pck"
    path.write_bytes(content or pickled(config) + b".")
    return path


def opened(path: Path, **options: object):
    return closing(mailman2_pck.ADAPTER.reader(mailman2_pck.Options(path=path, **options), LOGIN))


def test_every_member_comes_with_every_option(folder: Path) -> None:
    backup(folder, CONFIG)
    with opened(folder) as reader:
        assert [one.address for one in reader.lists()] == [NEWS]
        assert everybody(reader, NEWS) == [
            Member(
                "ann@example.com", "Zoë Müller", stopped=Stopped.BY_USER, moderation=Treatment.DEFER, list_copies=False
            ),
            Member(
                "Bob@example.com",
                "Bob €",
                stopped=Stopped.BY_ADMIN,
                moderation=Treatment.REJECT,
                hidden=True,
                acknowledge=True,
                own_posts=False,
                language="de",
            ),
            Member("cara@example.com", stopped=Stopped.BY_BOUNCES, moderation=Treatment.DEFER),
            Member("dan@example.com", stopped=Stopped.UNKNOWN, moderation=Treatment.DEFER),
            Member("eve@example.com", delivery=Delivery.MIME_DIGEST, moderation=Treatment.DEFER),
            Member("Fay@example.com", delivery=Delivery.PLAIN_DIGEST, moderation=Treatment.DEFER, list_copies=False),
        ]


def test_people_of_other_roles_come_without_patterns_and_once(folder: Path) -> None:
    backup(folder, CONFIG)
    with opened(folder) as reader:
        assert [one.address for one in everybody(reader, NEWS, Role.OWNER)] == [
            "owner@example.com",
            "second@example.com",
        ]
        assert [one.address for one in everybody(reader, NEWS, Role.MODERATOR)] == ["mod@example.com"]
        assert [(one.address, one.moderation) for one in everybody(reader, NEWS, Role.NONMEMBER)] == [
            ("friend@example.org", Treatment.ACCEPT),
            ("Spam@example.net", Treatment.DISCARD),
        ]


def test_the_settings_are_those_that_the_web_pages_would_show(folder: Path) -> None:
    backup(folder, CONFIG)
    with opened(folder) as reader:
        settings = reader.settings(NEWS)
    assert (settings.display_name, settings.description, settings.subject_prefix) == ("News", "News for äll", "[News] ")
    assert settings.info == "First.\nSecond, in the code page: é."
    assert (settings.joining, settings.leaving) == (Joining.CONFIRM_THEN_MODERATE, Joining.CONFIRM)
    assert (settings.archive, settings.dmarc, settings.dmarc_always) == (Archive.PRIVATE, Dmarc.MUNGE_FROM, False)
    assert (settings.reply_to, settings.reply_to_address) == (ReplyTo.ADDRESS, "answers@example.com")
    assert (settings.banned, settings.accepted_patterns) == (
        ("^.*@spam\\.example$", "troll@example.net"),
        ("^.*@friends\\.example$",),
    )
    assert (settings.bounce_score, settings.bounce_forget_days, settings.bounce_warning_days) == (5.0, 7, 7)
    assert settings.header_rules == (HeaderRule("^x-spam-flag: yes", Treatment.DISCARD),)
    assert (settings.member_treatment, settings.nonmember_treatment) == (Treatment.DEFER, Treatment.HOLD)
    assert (settings.emergency, settings.welcomes, settings.welcome_text) == (False, True, "Welcome, you")
    assert settings.languages == ("en", "de")
    assert settings.own == {"member_moderation_action": "1", "topics_enabled": "1"}
    assert settings.footer is None


def test_no_password_leaves_the_file(folder: Path) -> None:
    backup(folder, CONFIG)
    with opened(folder) as reader:
        told = repr((reader.settings(NEWS), *(everybody(reader, NEWS, role) for role in Role)))
    assert "hers-in-plain" not in told
    assert "5baa61e4" not in told


def test_cpanels_folder_names_hold_the_domain_and_its_python_writes_characters(folder: Path) -> None:
    config = {key.decode(): value for key, value in CONFIG.items()} | {
        "description": "News for äll",
        "members": {"ann@example.com": 0},
    }
    backup(folder, config, "news_example.com")
    with opened(folder) as reader:
        assert [one.address for one in reader.lists()] == [NEWS]
        assert reader.settings(NEWS).description == "News for äll"
        assert len(everybody(reader, NEWS)) == 3


def test_one_file_may_be_named_and_its_domain_corrected(folder: Path, tmp_path: Path) -> None:
    path = backup(folder, CONFIG)
    alone = path.rename(tmp_path / "config.pck")
    with opened(alone) as reader:
        assert [one.address for one in reader.lists()] == [NEWS]
    with opened(alone, domain="lists.example.org") as reader:
        assert [one.address for one in reader.lists()] == ["news@lists.example.org"]


def test_a_name_in_another_script_is_read_by_the_lists_language(folder: Path) -> None:
    names = {b"ann@example.com": "Łukasz".encode("iso-8859-2")}
    backup(folder, CONFIG | {b"preferred_language": b"pl", b"usernames": names})
    with opened(folder) as reader:
        assert everybody(reader, NEWS)[0].name == "Łukasz"


@pytest.mark.parametrize(
    "content",
    [b"not a pickle", b"", b"].", b"}.", pickled(CONFIG)[:-300] + b".", b"cos\nsystem\n(S'true'\ntR."],
    ids=["text", "empty", "a list", "no members", "cut", "a call"],
)
def test_what_is_no_config_is_told_when_its_list_is_asked_for(folder: Path, content: bytes) -> None:
    backup(folder, CONFIG)
    path = backup(folder, {}, "broken_example.com", content or b" ")
    with opened(folder) as reader:
        assert {one.address for one in reader.lists()} == {NEWS, "broken@example.com"}
        assert len(everybody(reader, NEWS)) == 6
        with pytest.raises(Misbehaved) as raised:
            reader.settings("broken@example.com")
    assert str(path) in str(raised.value)


def test_a_folder_that_is_not_there_and_a_list_that_is_not_in_it(folder: Path) -> None:
    with opened(folder) as reader, pytest.raises(EndpointRefused):
        reader.lists()
    folder.mkdir()
    with opened(folder) as reader:
        assert reader.lists() == []
        with pytest.raises(NotFound):
            reader.settings(NEWS)


def test_values_of_odd_kinds_hide_nobody(folder: Path) -> None:
    odd: dict[bytes, object] = {
        b"user_options": None,
        b"delivery_status": [],
        b"usernames": {b"ann@example.com": 7},
        b"language": {},
        b"owner": None,
        b"header_filter_rules": [None, (b"x",)],
        b"ban_list": 3,
        b"max_message_size": b"forty",
    }
    backup(folder, CONFIG | odd)
    with opened(folder) as reader:
        assert len(everybody(reader, NEWS)) == 6
        assert everybody(reader, NEWS, Role.OWNER) == []
        assert reader.settings(NEWS).largest_message is None
