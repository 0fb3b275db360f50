"""The first plan as text: whatever people are called, it is read back as it was said."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.plan.answers import Answer, Answers, domain_named, secret_at
from migrator.plan.file import parse
from migrator.plan.first_plan import FirstPlan, Host, accounts_text, plan_text, spelled_as
from migrator.plan.written import PlanFile
from migrator.secrets import SecretSource

NEW = Host("new", "new.example.net")


def written(plan):
    return parse(plan_text(plan).encode(), Path("plan.yaml")).data


@pytest.mark.parametrize(
    "user",
    ["acme", "007", "1e3", "true", "No", "null", "~", "o'hara", 'a "b" c', "ñandú", "{x}", "a: b", "# x", "*", "a,b"],
)
def test_any_name_is_read_back_as_it_was_said(user):
    old = Host("old", "old.example.net", panel={"type": "acme", "url": "https://old.example.net:2083", "user": user})

    data = written(FirstPlan(old, NEW))

    assert data["endpoints"]["old"]["panel"] == old.panel
    assert data["endpoints"]["old"]["mail"]["host"] == "old.example.net"


def test_numbers_and_truths_stay_what_they_are():
    old = Host("old", "old.example.net", panel={"type": "acme", "connections": 2, "timeout": 1.5, "is_reseller": True})

    assert written(FirstPlan(old, NEW))["endpoints"]["old"]["panel"] == old.panel


@pytest.mark.parametrize(
    "source",
    [
        SecretSource(env="TOKEN"),
        SecretSource(file="~/my keys/a.key"),
        SecretSource(command="pass show 'a: b' # c"),
        SecretSource(ask="What is it, {you}?"),
    ],
)
def test_where_a_secret_comes_from_is_read_back(source):
    old = Host("old", "old.example.net", panel={"type": "acme"}, secrets={"api_key": source})

    data = written(FirstPlan(old, NEW))

    assert SecretSource.model_validate(data["secrets"]["old-api-key"]) == source
    assert data["endpoints"]["old"]["panel"]["api_key"] == "old-api-key"


@pytest.mark.parametrize(
    "domain", ["example.com", "ñ.ñ", "123.example", "xn--espaa-rta.example", "españa.example", "-.x.example"]
)
def test_a_plan_is_named_after_its_first_domain(domain):
    data = written(FirstPlan(Host("old", "h", panel={"type": "acme"}), NEW, [domain, "other.example"]))

    PlanFile.model_validate(data)
    assert data["accounts"]["domains"] == [domain, "other.example"]


def test_accounts_without_anybody_name_the_columns():
    assert accounts_text([]) == "source,target,source_user,source_password,target_user,target_password\n"


def test_an_address_with_a_comma_stays_in_its_column():
    assert accounts_text(["a,b@example.com"]).splitlines()[1] == '"a,b@example.com",,,,,'


@pytest.mark.parametrize(
    ("said", "there", "written"),
    [
        ("españa.example", "ann@xn--espaa-rta.example", "xn--espaa-rta.example"),
        ("straße.example", "ann@xn--strae-oqa.example", "xn--strae-oqa.example"),
        ("xn--espaa-rta.example", "ann@xn--espaa-rta.example", "xn--espaa-rta.example"),
        ("españa.example", "ann@example.com", "españa.example"),
        ("example.com", "ann@xn--\u00e9.example", "example.com"),
    ],
)
def test_a_domain_is_written_as_the_addresses_have_it(said, there, written):
    assert spelled_as(said, [there]) == written


@pytest.mark.parametrize(
    "text", ["", "hunter2", "TOKEN", "ABCDEF0123456789", "env:", "env:a b", "env:$X", "pass:x", "file: ", "file:a\nb"]
)
def test_what_may_be_the_secret_itself_is_not_taken_for_its_source(text):
    assert secret_at(text) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("env:TOKEN", SecretSource(env="TOKEN")),
        ("file:new.key", SecretSource(file="new.key")),
        ("~/new.key", SecretSource(file="~/new.key")),
        ("command:pass show a:b", SecretSource(command="pass show a:b")),
        ("ask:Token?", SecretSource(ask="Token?")),
    ],
)
def test_where_a_secret_comes_from_has_a_word_in_front(text, meant):
    assert secret_at(text) == meant


@pytest.mark.parametrize(
    "text", ["", "example", "*.example.com", "a b.example", "ann@example.com", "example.com/x", "a[b].example"]
)
def test_what_is_no_domain_is_not_taken_for_one(text):
    assert domain_named(text) == ""


def test_a_domain_is_kept_in_lower_case_without_its_signs():
    assert domain_named(" @Example.COM. ") == "example.com"


def test_answers_are_told_as_the_flags_that_say_the_same():
    answers = Answers(
        Answer("none", mail_host="a.example"), Answer("acme", user="", option=("x=1", "y=2")), ("example.com",)
    )

    assert list(answers.words()) == [
        *("--source-type", "none", "--source-mail-host", "a.example"),
        *("--target-type", "acme", "--target-user", ""),
        *("--target-option", "x=1", "--target-option", "y=2", "--domain", "example.com"),
    ]
