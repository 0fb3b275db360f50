from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.match import Candidate, Group, adopt, confirm, pair_by_digest, unpaired

DIGESTS = st.lists(st.sampled_from("abcd"), max_size=12)
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def one(uid, size=100, minutes=0, message_id="x@example.com"):
    return Candidate(uid, size, NOON + timedelta(minutes=minutes), message_id)


class Mailbox:
    """The content of one side, and which of it was read."""

    def __init__(self, digests):
        self.digests = digests
        self.read = []

    def __call__(self, uids):
        self.read.extend(uids)
        return {uid: self.digests[uid] for uid in uids if uid in self.digests}


def all_pairs(source, target, content_of_source, content_of_target):
    found = adopt(source, target)
    return dict(found.certain) | confirm(found.to_confirm, content_of_source, content_of_target)


@given(DIGESTS, DIGESTS)
def test_as_many_pairs_as_both_sides_hold_of_a_digest(wanted, arrived):
    pairs = pair_by_digest(enumerate(wanted), enumerate(arrived, 100))
    found = Counter(wanted[key] for key in pairs)
    assert found == Counter(wanted) & Counter(arrived)
    assert len(set(pairs.values())) == len(pairs)
    assert all(arrived[uid - 100] == wanted[key] for key, uid in pairs.items())


def test_twins_pair_in_the_order_of_arrival():
    assert pair_by_digest([("1", "d"), ("2", "d")], [(7, "d"), (8, "d"), (9, "d")]) == {"1": 7, "2": 8}


def test_two_wanted_and_one_arrived_make_one_pair():
    assert pair_by_digest([("1", "d"), ("2", "d")], [(7, "d")]) == {"1": 7}


def test_an_unknown_digest_pairs_with_nothing():
    assert pair_by_digest([("1", "")], [(7, "")]) == {}


def test_an_arrival_told_twice_is_used_once():
    assert pair_by_digest([("1", "d"), ("2", "d")], [(7, "d"), (7, "d")]) == {"1": 7}


def test_what_is_unique_on_both_sides_needs_no_reading():
    found = adopt([one(1), one(2, message_id="y@example.com")], [one(7, message_id="y@example.com"), one(8)])
    assert found.certain == {1: 8, 2: 7}
    assert not found.to_confirm


def test_the_instant_counts_not_the_zone():
    shifted = Candidate(7, 100, NOON.astimezone(timezone(timedelta(hours=9))), "x@example.com")
    assert adopt([one(1)], [shifted]).certain == {1: 7}


def test_another_size_must_be_confirmed():
    found = adopt([one(1, size=100)], [one(7, size=104)])
    assert not found.certain
    assert confirm(found.to_confirm, Mailbox({1: "d"}), Mailbox({7: "d"})) == {1: 7}


def test_one_message_id_with_other_content_is_another_message():
    assert all_pairs([one(1)], [one(7, size=104)], Mailbox({1: "d"}), Mailbox({7: "e"})) == {}


def test_messages_without_message_id_must_be_confirmed():
    found = adopt([one(1, message_id="")], [one(7, message_id="")])
    assert not found.certain
    assert confirm(found.to_confirm, Mailbox({1: "d"}), Mailbox({7: "d"})) == {1: 7}


def test_a_message_the_other_side_does_not_know_is_not_read():
    found = adopt([one(1), one(2, message_id="new@example.com")], [one(7), one(8, message_id="other@example.com")])
    assert found.certain == {1: 7}
    assert not found.to_confirm


def test_twins_of_which_one_has_arrived_make_one_pair():
    source, target = [one(1), one(2)], [one(7)]
    assert len(all_pairs(source, target, Mailbox({1: "d", 2: "d"}), Mailbox({7: "d"}))) == 1


def test_twins_of_two_dates_pair_by_date():
    source, target = [one(1), one(2, minutes=5), one(3, minutes=9)], [one(7, minutes=5), one(8, minutes=5)]
    pairs = all_pairs(source, target, Mailbox({1: "d", 2: "d", 3: "d"}), Mailbox({7: "d", 8: "d"}))
    assert pairs[2] in {7, 8}
    assert len(pairs) == 2


def test_a_size_that_cannot_become_the_other_is_not_read():
    source, target = Mailbox({1: "a", 2: "b"}), Mailbox({7: "a"})
    found = adopt([one(1, 100, 1, ""), one(2, 9000, 2, "")], [one(7, 103, 3, "")])
    assert confirm(found.to_confirm, source, target) == {1: 7}
    assert source.read == [1]


def test_nothing_more_is_read_once_every_candidate_of_a_side_is_paired():
    source, target = Mailbox({1: "a", 2: "b"}), Mailbox({7: "a"})
    found = adopt([one(1, 100, 1, ""), one(2, 100, 2, "")], [one(7, 100, 1, "")])
    assert confirm(found.to_confirm, source, target) == {1: 7}
    assert source.read == [1]


def test_a_message_that_cannot_be_read_is_not_adopted():
    found = adopt([one(1, message_id="")], [one(7, message_id="")])
    assert confirm(found.to_confirm, Mailbox({}), Mailbox({7: "d"})) == {}


def test_messages_without_a_date_are_adopted_like_others():
    source = [Candidate(1, 100, None, "x@example.com")]
    target = [Candidate(7, 100, None, "x@example.com")]
    assert adopt(source, target).certain == {1: 7}


# A message is a content; its copy may have another size (line ends made CRLF) and another date.
CONTENTS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 2), st.integers(0, 2)),
    max_size=14,
)


def side(contents, first_uid):
    held = [
        Candidate(
            uid, 100 + ord(content) + padding, NOON + timedelta(minutes=minutes), content if content in "ab" else ""
        )
        for uid, (content, padding, minutes) in enumerate(contents, first_uid)
    ]
    return held, Mailbox({uid: content for uid, (content, _, _) in enumerate(contents, first_uid)})


@given(CONTENTS, CONTENTS)
def test_adoption_finds_exactly_what_both_sides_hold(ours, theirs):
    source, content_of_source = side(ours, 1)
    target, content_of_target = side(theirs, 1001)
    pairs = all_pairs(source, target, content_of_source, content_of_target)
    found = Counter(content_of_source.digests[uid] for uid in pairs)
    assert found == Counter(c for c, _, _ in ours) & Counter(c for c, _, _ in theirs)
    assert len(set(pairs.values())) == len(pairs)
    assert all(content_of_source.digests[mine] == content_of_target.digests[other] for mine, other in pairs.items())


@given(CONTENTS, CONTENTS)
def test_no_message_is_read_twice(ours, theirs):
    source, content_of_source = side(ours, 1)
    target, content_of_target = side(theirs, 1001)
    all_pairs(source, target, content_of_source, content_of_target)
    assert max(Counter(content_of_source.read).values(), default=0) <= 1
    assert max(Counter(content_of_target.read).values(), default=0) <= 1


def test_what_is_left_of_groups_has_both_sides():
    groups = [Group((one(1), one(2)), (one(11), one(12))), Group((one(3),), (one(13),)), Group((one(4),), (one(14),))]

    assert list(unpaired(groups, {1: 12, 3: 13})) == [Group((one(2),), (one(11),)), Group((one(4),), (one(14),))]
