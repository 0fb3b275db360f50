import threading
import time

import pytest

from migrator.wire.parallel import each


@pytest.mark.parametrize("at_once", [1, 4])
def test_answers_come_in_order(at_once):
    assert each(lambda one: (time.sleep(0.001 * (5 - one % 5)), one)[1], list(range(20)), at_once) == list(range(20))


def test_no_more_than_that_many_are_under_way():
    lock, now, most = threading.Lock(), [0], [0]

    def do(_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.002)
        with lock:
            now[0] -= 1

    each(do, list(range(30)), 3)
    assert most == [3]


@pytest.mark.parametrize("at_once", [1, 4])
def test_after_an_error_no_further_one_is_begun(at_once):
    begun = []

    def do(one):
        begun.append(one)
        if one == 2:
            raise ValueError(one)
        time.sleep(0.02)  # the others of its time are under way still

    with pytest.raises(ValueError, match="2"):
        each(do, list(range(100)), at_once)
    assert len(begun) <= 2 + at_once


def test_of_several_errors_the_first_in_order_is_raised():
    together = threading.Barrier(4)

    def do(one):
        together.wait(5)
        raise ValueError(one)

    with pytest.raises(ValueError, match="0"):
        each(do, list(range(4)), 4)
