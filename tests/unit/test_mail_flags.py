import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.flags import as_mark, from_mark, is_keyword, three_way, to_send

ALL_SYSTEM = frozenset({"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"})
FLAGS = st.frozensets(st.sampled_from([*sorted(ALL_SYSTEM), "$Forwarded", "$Junk", "work", "-", "FS"]))


def flags(*names):
    return frozenset(names)


def test_system_flags_are_sent_in_the_spelling_of_the_rfc():
    assert to_send({"\\SEEN", "\\flagged"}, ALL_SYSTEM, True) == (flags("\\Seen", "\\Flagged"), flags())


def test_recent_is_neither_sent_nor_missed():
    assert to_send({"\\Recent", "\\Seen"}, ALL_SYSTEM, True) == (flags("\\Seen"), flags())


@pytest.mark.parametrize(
    ("flag", "keyword"),
    [
        ("\\Forwarded", "$Forwarded"),
        ("\\Junk", "$Junk"),
        ("\\NotJunk", "$NotJunk"),
        ("\\$NotJunk", "$NotJunk"),
        ("\\MDNSent", "$MDNSent"),
    ],
)
def test_a_system_flag_of_one_server_becomes_the_registered_keyword(flag, keyword):
    assert to_send({flag}, ALL_SYSTEM, True) == (flags(keyword), flags())


def test_an_unknown_system_flag_is_dropped_and_told():
    assert to_send({"\\Foo", "\\Seen"}, ALL_SYSTEM, True) == (flags("\\Seen"), flags("\\Foo"))


def test_a_system_flag_the_folder_does_not_keep_is_dropped():
    assert to_send({"\\Draft", "\\Seen"}, flags("\\Seen"), True) == (flags("\\Seen"), flags("\\Draft"))


def test_a_server_that_lists_no_flags_keeps_the_system_ones():
    assert to_send({"\\Draft", "\\Seen"}, flags(), False) == (flags("\\Draft", "\\Seen"), flags())


def test_without_room_for_new_keywords_only_the_listed_ones_are_sent():
    sent = to_send({"work", "play"}, ALL_SYSTEM | {"work"}, False)
    assert sent == (flags("work"), flags("play"))


def test_a_listed_keyword_is_sent_in_the_spelling_the_folder_has():
    assert to_send({"WORK"}, flags("\\Seen", "work"), True) == (flags("work"), flags())


def test_one_meaning_in_two_spellings_is_sent_once():
    assert to_send({"\\Forwarded", "$Forwarded"}, ALL_SYSTEM, True) == (flags("$Forwarded"), flags())
    assert len(to_send({"Work", "work"}, ALL_SYSTEM, True)[0]) == 1


@pytest.mark.parametrize("keyword", ["$Forwarded", "NonJunk", "$Label1", "x" * 50, "a[b", "a:b/c"])
def test_what_every_server_takes_is_a_keyword(keyword):
    assert is_keyword(keyword)


@pytest.mark.parametrize(
    "keyword", ["", "grün", "a b", "a{b", "a%b", "a]b", 'a"b', "a(b", "a\\b", "a*b", "x" * 51, "a\n"]
)
def test_what_some_server_refuses_is_no_keyword(keyword):
    assert not is_keyword(keyword)
    assert to_send({keyword}, ALL_SYSTEM, True) == (flags(), flags(keyword))


def test_a_mark_is_short_and_does_not_depend_on_order():
    assert as_mark(["work", "\\Seen", "$Forwarded", "\\Flagged", "\\Recent"]) == "FS $Forwarded work"


def test_the_mark_of_no_flags_is_not_empty():
    assert as_mark([]) == "-"
    assert from_mark("-") == flags()


def test_no_mark_means_no_flags():
    assert from_mark("") == flags()


@given(FLAGS)
def test_flags_come_back_from_their_mark(held):
    assert from_mark(as_mark(held)) == held


def test_a_flag_set_at_the_source_is_set_at_the_target():
    assert three_way(flags(), flags("\\Seen"), flags()) == flags("\\Seen")


def test_a_flag_cleared_at_the_source_is_cleared_at_an_untouched_target():
    assert three_way(flags("\\Seen", "work"), flags("work"), flags("\\Seen", "work")) == flags("work")


def test_what_the_owner_did_at_the_target_stays_when_the_source_is_unchanged():
    assert three_way(flags("\\Seen"), flags("\\Seen"), flags("\\Flagged")) == flags("\\Flagged")


def test_when_both_changed_marks_of_either_side_hold_and_the_rest_is_the_targets():
    before, source, target = flags("\\Seen", "old"), flags("\\Answered", "source"), flags("\\Flagged", "target")
    assert three_way(before, source, target) == flags("\\Answered", "\\Flagged", "target")


def test_a_deletion_at_the_source_does_not_reach_a_message_the_owner_touched():
    assert "\\Deleted" not in three_way(flags(), flags("\\Deleted"), flags("\\Flagged"))


def test_case_and_recent_are_no_change():
    assert three_way(flags("Work"), flags("work", "\\Recent"), flags("Work", "\\Seen")) == flags("Work", "\\Seen")


@given(FLAGS, FLAGS)
def test_a_target_nobody_touched_follows_the_source(before, source):
    assert three_way(before, source, before) == source


@given(FLAGS, FLAGS)
def test_a_source_nobody_touched_changes_nothing(before, target):
    assert three_way(before, before, target) == target


@given(FLAGS, FLAGS, FLAGS)
def test_seen_by_the_owner_after_the_move_is_never_undone(before, source, target):
    result = three_way(before - {"\\Seen"}, source, target | {"\\Seen"})
    assert "\\Seen" in result
