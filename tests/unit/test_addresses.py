"""Names in the form in which they are compared."""

import subprocess
import sys

import pytest

from migrator.addresses import ascii_domain, same_form, shown_domain, split


@pytest.mark.parametrize(
    ("name", "ascii_form"),
    [
        ("España.example", "xn--espaa-rta.example"),
        ("EXAMPLE.com.", "example.com"),
        ("xn--espaa-rta.example", "xn--espaa-rta.example"),
        ("no_such-ñame!.example", "no_such-ñame!.example"),
        ("", ""),
    ],
)
def test_a_domain_has_one_form(name, ascii_form):
    assert ascii_domain(name) == ascii_form


def test_an_international_domain_is_shown_as_people_read_it():
    assert shown_domain("xn--espaa-rta.example") == "españa.example"
    assert shown_domain("xn--broken-.example") == "xn--broken-.example"


def test_the_local_part_stays_as_it_is():
    assert split(" José@España.example ") == ("José", "xn--espaa-rta.example")
    assert same_form("Ann@EXAMPLE.com") == "Ann@example.com"
    assert split("main-account") == ("main-account", "")


def test_who_meets_no_international_name_waits_for_no_library():
    code = "import sys; from migrator.addresses import ascii_domain; ascii_domain('example.com'); sys.exit('idna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
