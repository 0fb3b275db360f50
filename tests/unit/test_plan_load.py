import csv
import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_words import GOOD, found_wrong, words

from migrator.plan.file import parse
from migrator.plan.load import Examination, check, load
from migrator.plan.model import Route, StepEntry, VerifyEntry
from migrator.plan.problems import PlanMistakes


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        path = tmp_path / "plan.yaml"
        path.write_text(text)
        return path.relative_to(tmp_path)

    return write


def mistakes(path):
    with pytest.raises(PlanMistakes) as caught:
        check(path, words())
    return str(caught.value).splitlines()


def changed(find, put):
    assert find in GOOD
    return GOOD.replace(find, put)


def test_a_good_plan_is_read_whole(plan):
    found = load(plan(GOOD), words())
    assert found.name == "good"
    assert found.warnings == ()
    first, second, verify = found.steps
    assert isinstance(first, StepEntry)
    assert (first.name, second.name, first.route) == ("first", "letters", Route("old", "new"))
    assert first.options.max_size == 50_000_000
    assert first.options.folders.leave == ("Spam",)
    assert verify == VerifyEntry("verify", {"letters": 0.05})
    assert found.written.limits.patience == 900
    assert found.endpoints["old"]["mail"].options.host == "old.example.com"


def test_a_short_plan_is_enough(plan):
    text = """\
endpoints: {old: {mail: {type: archive, path: a}}, new: {mail: {type: shelf, path: b}}}
accounts: [alice@example.com]
steps: [letters, verify]
"""
    found = load(plan(text), words())
    assert found.name == "plan"
    assert found.steps[0].route == Route("old", "new")


@pytest.mark.parametrize(
    ("find", "put", "told"),
    [
        ("defaults: {route", "defautls: {route", "plan.yaml:14:1: defautls is not known here. Did you mean defaults?"),
        ("version: 1", "version: 2", "plan.yaml:1:10: version must be 1."),
        ("name: good", "name: 2024", "plan.yaml:2:7: name must be text; quote it."),
        ("name: good", "name: a>b", "plan.yaml:2:7: name may hold letters, digits, dots, - and _"),
        ("{env: MASTER}", "{env: 12}", "plan.yaml:4:17: secrets.master.env must be text; quote it."),
        ("{env: MASTER}", "{env: A, file: b}", "plan.yaml:4:11: secrets.master: a secret comes from exactly one of env, file, command and ask; here are env and file."),
        ("{env: MASTER}", "hunter2", "plan.yaml:4:11: secrets.master holds text. A password does not stand in the plan; say where it comes from: {env: NAME}, {file: PATH}, {command: ...} or {ask: QUESTION}."),
        ("{env: MASTER}", "123456", "plan.yaml:4:11: secrets.master holds a number. A password does not stand in the plan; say where it comes from: {env: NAME}, {file: PATH}, {command: ...} or {ask: QUESTION}."),
        ("{env: MASTER}", "[a]", "plan.yaml:4:11: secrets.master must be a mapping (keys with values)."),
        ("{env: MASTER}", "{env: $MASTER}", "plan.yaml:4:17: secrets.master.env: write the name without the $."),
        ("master_password: master", "master_password: 123456", "plan.yaml:8:64: endpoints.old.mail.master_password must be the name of a secret (see secrets:), not a password itself; this one is read as a number. A name that looks like a number has to be quoted."),
        ("master_password: master", "master_password: true", "not a password itself; this one is read as a truth value. A name that looks like a truth value has to be quoted."),
        ("alices: {env: ALICE}", "alices: {evn: ALICE}", "plan.yaml:5:12: secrets.alices.evn is not known here. Did you mean env?"),
        ("master_password: master", "master_password: maste", "plan.yaml:8:64: endpoints.old.mail.master_password names a secret that is not defined under secrets. Did you mean master? A password itself does not stand here."),
        ("source_password: alices", "source_password: 1.5", "accounts.source_password must be the name of a secret (see secrets:), not a password itself; this one is read as a number."),
        ("source_password: alices", "source_password: bobs", "plan.yaml:13:94: accounts.source_password names a secret that is not defined under secrets. Defined are master and alices. A password itself does not stand here."),
        ("type: post,", "type: pots,", "plan.yaml:8:18: endpoints.old.mail.type: there is no mail adapter called pots. Did you mean post?"),
        ("type: post, ", "", "plan.yaml:8:5: endpoints.old.mail.type is missing. It is one of archive, post or shelf."),
        ("type: post,", "type: 5,", "plan.yaml:8:18: endpoints.old.mail.type must be text; quote it."),
        ("mail: {type: post", "mial: {type: post", "plan.yaml:8:5: endpoints.old.mial is no service. Did you mean mail?"),
        ("host: old.example.com,", "hots: old.example.com,", "plan.yaml:8:24: endpoints.old.mail.hots is not known here. Did you mean host?"),
        ("host: old.example.com,", "host: x, conn: 3,", "endpoints.old.mail.conn is not known here. Did you mean connections?"),
        ("host: old.example.com,", "host: x, seal: gone.pem,", "plan.yaml:8:39: endpoints.old.mail.seal names gone.pem, and there is no such file. A relative path starts at the plan's folder."),
        ("host: old.example.com,", "host: x, seal: ~nobody-here/seal,", "endpoints.old.mail.seal names ~nobody-here/seal, and there is no such file."),
        ("host: old.example.com,", f"host: x, seal: {'long' * 100},", f"endpoints.old.mail.seal names {'long' * 15}..., and there is no such file."),
        (", master_password: master", "", "plan.yaml:12:5: accounts: alice@example.com has no password for the source (source_password)."),
        ("host: old.example.com, ", "", "plan.yaml:8:5: endpoints.old.mail.host is missing."),
        ("host: old.example.com,", "host: ,", "endpoints.old.mail.host is empty."),
        ("host: old.example.com,", "host: x, port: '25',", "endpoints.old.mail.port must be a whole number, without quotes."),
        ("host: old.example.com,", "host: x, port: 70000,", "endpoints.old.mail.port must be at most 65535."),
        ("host: old.example.com,", "host: x, security: tsl,", "endpoints.old.mail.security must be tls, starttls or none. Did you mean tls?"),
        ("host: old.example.com,", "host: x, security: none,", "endpoints.old.mail: security: none sends passwords in clear text"),
        ("host: old.example.com,", "host: x, allow_cleartext: yes,", "endpoints.old.mail.allow_cleartext must be true or false, without quotes."),
        ("path: shelf", "path: 7", "endpoints.new.mail.path must be text; quote it."),
        ("  - alice@example.com", "  - 7", "plan.yaml:12:5: accounts must be an address, or a mapping with source and target."),
        ("  - alice@example.com", "  - {sorce: a@example.com}", "plan.yaml:12:6: accounts.sorce is not known here. Did you mean source?"),
        ("  - alice@example.com", "  - '*@example.com'", "plan.yaml:12:5: accounts holds a *; wildcards work with accounts.from alone."),
        ("  - alice@example.com", "  - BOB@example.com", "plan.yaml:13:5: accounts: bob@example.com is here twice; it was on line 12 already."),
        ("  - alice@example.com", "  - robert@example.com", "the target robert@example.com is here twice; it was on line 12 already."),
        ("target: robert@example.com", "target: ''", "accounts.target is empty; an address is needed."),
        ("old -> new, on", "old => new, on", "defaults.route must be two endpoints with an arrow between them"),
        ("old -> new, on", "old -> nwe, on", "plan.yaml:14:19: defaults.route names nwe, which is not among the endpoints. Did you mean new?"),
        ("on_error: continue", "on_error: halt", "defaults.on_error must be continue or stop."),
        ("  - letters\n", "  - leters\n", "plan.yaml:17:5: steps.leters: there is no step called leters. Did you mean letters?"),
        ("  - letters\n", "  - verfy\n", "there is no step called verfy. Did you mean verify?"),
        ("  - letters\n", "  - {letters: , name: x}\n", "plan.yaml:17:5: steps must be a word such as mail, or one word with its options below it."),
        ("  - letters\n", "  - letters: fast\n", "steps.letters must be a mapping of options."),
        ("name: first", "name: letters", "plan.yaml:17:5: steps.letters: two steps are called letters, here and on line 16."),
        ("except: [Spam]", "ecxept: [Spam]", "plan.yaml:16:38: steps.letters.folders.ecxept is not known here. Did you mean except?"),
        ("except: [Spam]", "except: [7]", "plan.yaml:16:47: steps.letters.folders.except must be text; quote it."),
        ("max_size: 50MB", "max_size: fifty", "steps.letters.max_size must be a size, such as 50MB."),
        ("max_size: 50MB", "how: slow", "steps.letters.how must be fast or a whole number."),
        ("max_size: 50MB", "route: new -> old", "plan.yaml:16:5: steps.letters"),
        ("max_size: 50MB", "roote: x", "steps.letters.roote is not known here."),
        ("letters: {sample", "leters: {sample", "plan.yaml:18:14: steps.verify.leters is not a step before this one. Did you mean letters?"),
        ("sample: 5%", "sample: 500%", "steps.verify.letters.sample must be a share of the items"),
        ("sample: 5%", "sampel: 5%", "steps.verify.letters.sampel is not known here. Did you mean sample?"),
        ("workers: 4", "workers: 0", "limits.workers must be at least 1."),
        ("patience: 15m", "patience: soon", "limits.patience must be a duration, such as 90s, 15m or 2h."),
        ("patience: 15m", "patience: .inf", "limits.patience must be a finite number."),
        ("patience: 15m", "deletions: 3", "limits.deletions must be 0."),
        ("language: es", "language: se", "report.language must be en or es."),
        ("type: shelf", "type: archive", "archive can only be read, so new cannot be a target."),
        ("type: shelf, path: shelf", "type: post, host: old.example.com", "would copy alice@example.com onto itself: old -> new are the same place."),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_place_path_and_cure(plan, find, put, told):
    if "new -> old" in put:
        told = "goes new -> old"
        text = changed(find, put).replace(
            "{type: post, host: old.example.com, master_password: master}", "{type: archive, path: x}"
        )
        text = text.replace("  master: {env: MASTER}\n", "")
    else:
        text = changed(find, put)
    assert any(told in line for line in mistakes(plan(text))), mistakes(plan(text))


@pytest.mark.parametrize(
    ("find", "put", "told"),
    [
        ("endpoints:", "endpoint:", "plan.yaml:6:1: endpoint is not known here. Did you mean endpoints?"),
        ("accounts:", "account:", "plan.yaml:11:1: account is not known here. Did you mean accounts?"),
        ("host: old", "hots: old", "plan.yaml:8:24: endpoints.old.mail.hots is not known here. Did you mean host?"),
    ],
)
def test_a_mistyped_key_is_not_told_as_missing_too(plan, find, put, told):
    lines = mistakes(plan(changed(find, put)))
    assert [line for line in lines if "names a secret" not in line] == [told]


def test_a_required_key_that_nothing_comes_near_is_missing(plan):
    lines = mistakes(plan(changed("host: old.example.com", "volume: 1")))
    assert "plan.yaml:8:5: endpoints.old.mail.host is missing." in lines


def test_a_file_beside_the_plan_is_found(plan, tmp_path):
    (tmp_path / "seal.pem").write_text("seal")
    assert load(plan(changed("host: old.example.com,", "host: x, seal: seal.pem,")), words()).warnings == ()


def test_an_endpoint_that_no_route_uses_needs_no_passwords(plan):
    text = changed("endpoints:\n", "endpoints:\n  spare:\n    mail: {type: post, host: spare.example.com}\n")
    assert load(plan(text), words()).warnings == ()


CSV_PLAN = """\
endpoints: {old: {mail: {type: post, host: old.example.com}}, new: {mail: {type: post, host: new.example.com}}}
accounts: {from: accounts.csv}
steps: [letters]
"""


def test_a_row_without_a_needed_password_is_told_with_its_line(plan, tmp_path):
    rows = tmp_path / "accounts.csv"
    rows.write_text(
        "source,source_password,target_password\nalice@example.com,hunter2\nbob@example.com\nc@example.com,x,y\n"
    )
    rows.chmod(0o600)
    expected = [
        "accounts.csv:2: alice@example.com has no password for the target.",
        "accounts.csv:3: bob@example.com has no password for the source and the target.",
    ]
    assert mistakes(plan(CSV_PLAN)) == expected
    with pytest.raises(PlanMistakes) as caught:
        load(plan(CSV_PLAN), words()).accounts()
    assert str(caught.value).splitlines() == expected


def test_a_blank_around_a_password_is_kept_and_only_a_warning(plan, tmp_path):
    rows = tmp_path / "accounts.csv"
    rows.write_text(
        "source,source_password,target_password\nalice@example.com, hunter2,hunter 3\nbob@example.com,a,b \n"
    )
    rows.chmod(0o600)
    found, (alice, _) = check(plan(CSV_PLAN), words())
    assert alice.source.password.get_secret_value() == " hunter2"
    assert list(map(str, found.warnings)) == [
        "accounts.csv:2: source_password begins or ends with a blank.",
        "accounts.csv:3: target_password begins or ends with a blank.",
    ]


def test_warnings_about_one_file_come_to_an_end(plan, tmp_path):
    rows = tmp_path / "accounts.csv"
    people = "".join(f"user{n}@example.com, x,y\n" for n in range(1_000))
    rows.write_text(f"source,source_password,target_password\n{people}")
    rows.chmod(0o600)
    found, _ = check(plan(CSV_PLAN), words())
    assert len(found.warnings) == 201
    assert str(found.warnings[-1]) == "accounts.csv:202: from here on, more warnings like these are not listed."


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(plan):
    text = GOOD
    for find, put in (
        ("version: 1", "version: one"),
        ("host: old", "hots: old"),
        ("  - alice@example.com", "  - {sorce: alice@example.com}"),
        ("  - letters\n", "  - leters\n"),
        ("patience: 15m", "patience: soon"),
    ):
        text = text.replace(find, put)
    lines = mistakes(plan(text))
    places = [int(line.split(":")[1]) for line in lines]
    assert places == sorted(places)
    assert {1, 8, 12, 17, 19} <= set(places)


@pytest.mark.parametrize("secret", ["hunter2-s3cret", "987654321", "0x7b", "hunter2: x"])
def test_a_password_in_the_wrong_place_is_never_repeated(plan, secret):
    text = changed("master_password: master", f"master_password: {secret}").replace(": alices", f": {secret}")
    text = text.replace("env: MASTER", f"env: [{secret}]").replace("{env: ALICE}", secret)
    told = "\n".join(mistakes(plan(text)))
    assert "hunter2" not in told
    assert "987654321" not in told


def test_a_step_needs_its_service_at_both_ends(plan):
    lines = mistakes(plan(changed("  - letters\n", "  - cards\n")))
    assert "plan.yaml:17:5: steps.cards goes old -> new, but the endpoint old has no cards service." in lines
    assert "plan.yaml:17:5: steps.cards goes old -> new, but the endpoint new has no cards service." in lines


def test_a_route_that_cannot_be_guessed_is_asked_for(plan):
    text = changed("defaults: {route: old -> new, on_error: continue}", "").replace("  old:", "  here:")
    assert any(
        "has no route. Give one here or in defaults, such as: route: here -> new" in line
        for line in mistakes(plan(text))
    )


def test_a_verify_with_nothing_before_it_is_a_mistake(plan):
    text = GOOD[: GOOD.index("steps:")] + "steps: [verify]\n"
    assert mistakes(plan(text)) == ["plan.yaml:15:9: steps.verify has nothing to verify: no step stands before it."]


@pytest.mark.parametrize(("section", "told"), [("accounts", "accounts is empty"), ("steps", "steps is empty"), ("endpoints", "endpoints is empty")])  # fmt: skip
def test_empty_sections_are_told(plan, section, told):
    document = parse(GOOD.encode(), plan(GOOD)).data
    document[section] = {} if section == "endpoints" else []
    assert any(told in line for line in mistakes(plan(json.dumps(document))))


def test_an_unused_secret_is_only_a_warning(plan):
    found = load(plan(changed("secrets:\n", "secrets:\n  spare: {ask: Spare}\n")), words())
    assert list(map(str, found.warnings)) == ["plan.yaml:4:3: secrets.spare is not used."]


def test_asking_a_panel_for_accounts_is_refused_clearly(plan):
    text = GOOD[: GOOD.index("accounts:")] + "accounts: {from: old}\nsteps: [letters]\n"
    assert any(
        "accounts.from: old has no service that could tell who lives there, such as a panel. List the accounts or name a CSV."
        in line
        for line in mistakes(plan(text))
    )


def test_an_origin_that_is_neither_csv_nor_endpoint_is_told(plan):
    text = GOOD[: GOOD.index("accounts:")] + "accounts: {from: odl}\nsteps: [letters]\n"
    told = mistakes(plan(text))
    assert any(
        "accounts.from names odl, which is neither a CSV nor an endpoint. Did you mean old?" in line for line in told
    )


def test_mistakes_of_the_csv_are_told_beside_those_of_the_plan(plan, tmp_path):
    (tmp_path / "accounts.csv").write_text("source\nalice@example.com\nalice@example.com\n")
    text = GOOD[: GOOD.index("accounts:")] + "accounts: {from: accounts.csv}\nsteps: [leters]\n"
    told = mistakes(plan(text))
    assert "there is no step called leters" in "\n".join(told)
    assert "accounts.csv:3: alice@example.com is here twice; it was on line 2 already." in told


def test_load_leaves_the_csv_unread_until_the_accounts_are_asked_for(plan, tmp_path):
    (tmp_path / "accounts.csv").write_text("wrong\n")
    text = GOOD[: GOOD.index("accounts:")] + "accounts: {from: accounts.csv}\nsteps: [letters]\n"
    found = load(plan(text), words())
    with pytest.raises(PlanMistakes, match=r"accounts\.csv:1: the first line must name the columns"):
        found.accounts()


def test_a_mailbox_may_move_within_one_server_under_another_name(plan):
    text = changed("route: old -> new", "route: old -> old").replace("  - alice@example.com\n", "")
    text = text.replace("source_user: bob, ", "")
    assert load(plan(text), words()).steps[0].route == Route("old", "old")


PARTS = [
    "accounts",
    "steps",
    "endpoints",
    "secrets",
    "old",
    "mail",
    "type",
    "letters",
    "verify",
    "name",
    "from",
    "route",
    "sample",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([*PARTS, "old -> new", "post", ""]) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARTS) | st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@st.composite
def mutated_plans(draw):
    """The good plan with a few parts anywhere replaced, removed or added to."""
    document = parse(GOOD.encode(), Path("plan.yaml")).data
    for _ in range(draw(st.integers(1, 3))):
        here = document
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(here[key], dict | list) and draw(st.booleans()):
                here = here[key]
                continue
            if draw(st.integers(0, 3)) == 0:
                del here[key]
            else:
                here[key] = draw(VALUES)
            break
    return document


def examine(text):
    return Examination(parse(text.encode(), Path("plan.yaml")), words()).plan()


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=200)
@given(mutated_plans())
def test_any_mutation_of_a_plan_loads_or_is_refused_with_a_place(document):
    text = json.dumps(document).replace("Infinity", ".inf").replace("NaN", ".nan")
    problems = found_wrong(lambda: examine(text))
    assert all(problem.place.line >= 1 and problem.text for problem in problems)
    assert "pydantic" not in "".join(map(str, problems))


@settings(deadline=None)
@given(st.data())
def test_any_cut_or_splice_of_a_plan_loads_or_is_refused(data):
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 40)))
    text = GOOD[:start] + data.draw(st.text(alphabet=" \n:-{}[]&*'\"ab1", max_size=5)) + GOOD[end:]
    assert all(problem.place.line >= 1 for problem in found_wrong(lambda: examine(text)))


def test_a_hundred_thousand_accounts_are_read_in_moments(plan, tmp_path):
    with (tmp_path / "accounts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["source", "target"])
        rows.writerows((f"user{n}@example.com", f"user{n}@example.org") for n in range(100_000))
    text = GOOD[: GOOD.index("accounts:")] + "accounts: {from: accounts.csv, except: ['*-test@*']}\nsteps: [letters]\n"
    found = load(plan(text), words())
    began = time.process_time()
    assert len(found.accounts()) == 100_000
    assert time.process_time() - began < 5


def test_a_broken_account_does_not_hide_the_unknown_secret_of_another(plan):
    text = changed("  - alice@example.com", "  - {sorce: a@example.com}").replace(": alices}", ": nobodys}")
    told = "\n".join(mistakes(plan(text)))
    assert "accounts.sorce is not known here" in told
    assert "accounts.source_password names a secret that is not defined" in told


@pytest.mark.parametrize("route", ["new -> old", "old -> new"])
def test_one_file_is_one_account_s_whichever_side_it_is_on(plan, tmp_path, route):
    text = f"""\
endpoints:
  old: {{mail: {{type: shelf, path: all.book}}}}
  new: {{mail: {{type: shelf, path: b}}}}
accounts: [alice@example.com, bob@example.com]
defaults: {{route: {route}}}
steps: [letters]
"""
    wrong = (
        "plan.yaml:2:35: endpoints.old.mail.path is one file, which can be one account's, and the plan has 2. "
        "Name a folder: it holds one folder for each account, named by its address."
    )
    assert wrong in mistakes(plan(text))
    assert check(plan(text.replace(", bob@example.com", "")), words())
    (tmp_path / "all.book").mkdir()
    assert check(plan(text), words())
