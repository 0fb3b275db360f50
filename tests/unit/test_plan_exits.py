import inspect

import pytest

from migrator import errors
from migrator.cli.exits import Exit, exit_code_of
from migrator.cli.outcome import exit_of_codes

ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.MigratorError)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PlanError, 2),
        (errors.Refused, 3),
        (errors.LoginRefused, 4),
        (errors.EndpointRefused, 4),
        (errors.EndpointUnfit, 5),
        (errors.Unreachable, 5),
        (errors.TlsFailed, 5),
        (errors.NoSpace, 6),
        (errors.StateFull, 6),
        (errors.Held, 9),
        (errors.LeaseLost, 9),
        (errors.StateError, 2),
        (errors.Interrupted, 130),
    ],
)
def test_each_error_leads_to_its_exit_code(error, code):
    assert exit_code_of(error("it happened")) == code


@pytest.mark.parametrize("error", ERRORS)
def test_no_error_of_ours_counts_as_done_or_as_a_bug(error):
    assert exit_code_of(error("it happened")) not in {Exit.DONE, Exit.BUG}


def test_every_exit_code_says_what_it_means():
    assert all(code.meaning for code in Exit)
    assert Exit.HELD == 9


def test_an_error_that_is_made_of_more_than_words_has_an_exit_code_too():
    from migrator.contacts.carddav.line import Elsewhere

    with pytest.raises(TypeError):
        Elsewhere("words alone")
    assert exit_of_codes({errors.EndpointRefused.code}) == Exit.LOGIN
