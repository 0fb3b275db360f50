import pytest
from plan_words import GOOD, words
from pydantic import SecretStr

from migrator.engine.contract import Measure, Side
from migrator.engine.stage import OpensAll, Stage, Verification
from migrator.errors import LoginRefused, PlanError
from migrator.handout import Handout
from migrator.plan.bind import bind, plan_digest
from migrator.plan.load import load
from migrator.secrets import Secrets


@pytest.fixture
def bound(tmp_path):
    def make(text=GOOD, environ=None):
        path = tmp_path / "plan.yaml"
        path.write_text(text)
        plan = load(path, words())
        environ = {"MASTER": "m", "ALICE": "a"} if environ is None else environ
        secrets = Secrets(plan.written.secrets, folder=plan.folder, environ=environ)
        return bind(plan, words(), secrets, Handout(tmp_path / "plan.handout.csv"))

    return make


def test_a_plan_becomes_a_programme(bound):
    programme = bound()
    first, second, verify = programme.stages
    assert (programme.name, programme.workers, programme.patience) == ("good", 4, 900.0)
    assert isinstance(first, Stage)
    assert (first.name, first.kind, first.route, first.stop_on_error) == ("first", "letters", "old>new", False)
    assert second.name == "letters"
    assert verify == Verification("verify", {"letters": 0.05})
    assert [account.target.account for account in first.step.accounts] == ["alice@example.com", "robert@example.com"]


def test_a_session_gets_its_login_and_its_secrets_when_it_is_opened(bound):
    opener = bound().stages[0].opener
    session = opener.for_reading(Side.SOURCE, "mail", "bob@example.com")
    assert (session.login.account, session.login.user) == ("bob@example.com", "bob")
    assert session.login.password.get_secret_value() == "a"
    assert session.options.master_password == SecretStr("m")
    assert not session.writes


def test_a_login_that_opens_all_is_named_by_the_adapter_of_its_side(bound):
    opener = bound().stages[0].opener
    assert isinstance(opener, OpensAll)
    assert [opener.opens_all(side, "mail") for side in (Side.SOURCE, Side.TARGET)] == ["the postmaster", ""]


def test_the_target_is_asked_for_by_its_own_address(bound, tmp_path):
    opener = bound().stages[0].opener
    session = opener.for_writing(Side.TARGET, "mail", "robert@example.com")
    assert session.writes
    assert session.login.password is None
    assert session.options.path == str(tmp_path / "shelf")
    assert opener.for_reading(Side.TARGET, "mail", "robert@example.com").login == session.login


def test_a_refused_login_points_at_the_line_of_the_plan_that_says_how_to_log_in(bound):
    opener = bound().stages[0].opener
    line = GOOD[: GOOD.index("bob@example.com")].count("\n") + 1
    with pytest.raises(LoginRefused) as told, opener.ends[Side.SOURCE].pointing_at("bob@example.com"):
        raise LoginRefused("no.", remedy="Correct the user or the password in the plan's accounts, then run again.")
    assert told.value.remedy == f"Correct the user or the password on line {line} of plan.yaml, then run again."


def test_what_was_made_with_a_password_of_its_own_is_known_by_it_at_the_target_alone(bound):
    opener = bound().stages[0].opener
    assert opener.login(Side.TARGET, "news@example.com").password is None
    opener.keep_password("news@example.com", SecretStr("made"))
    there = opener.login(Side.TARGET, "news@example.com")
    assert (there.password, there.made) == (SecretStr("made"), True)
    assert opener.login(Side.SOURCE, "news@example.com").password is None


def test_relative_and_home_paths_are_made_absolute(bound, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/alice")
    text = GOOD.replace("path: shelf", "path: ~/shelf").replace("host: old.example.com,", "host: x, path: books,")
    opener = bound(text).stages[0].opener
    assert opener.for_writing(Side.TARGET, "mail", "alice@example.com").options.path == "/home/alice/shelf"
    assert opener.for_reading(Side.SOURCE, "mail", "alice@example.com").options.path == tmp_path / "books"


def test_binding_reads_no_secret(bound):
    opener = bound(environ={}).stages[0].opener
    with pytest.raises(PlanError, match="MASTER, which is not set"):
        opener.for_reading(Side.SOURCE, "mail", "alice@example.com")


def test_connections_are_the_adapters_word(bound):
    opener = bound().stages[0].opener
    assert (opener.endpoint(Side.SOURCE), opener.connections(Side.SOURCE)) == ("old", (6, 2))
    assert (opener.endpoint(Side.TARGET), opener.connections(Side.TARGET)) == ("new", (4, 4))


def test_a_service_the_endpoint_lacks_is_told(bound):
    with pytest.raises(PlanError, match="The endpoint old has no cards service"):
        bound().stages[0].opener.for_reading(Side.SOURCE, "cards", "alice@example.com")


def test_steps_never_see_passwords(bound):
    assert all(account.source.password is None for account in bound().stages[0].step.accounts)


def test_on_error_stop_reaches_the_stage(bound):
    first, second, _ = bound(GOOD.replace("name: first,", "name: first, on_error: stop,")).stages
    assert (first.stop_on_error, second.stop_on_error) == (True, False)


def test_what_a_kinds_progress_goes_by_reaches_the_stage(bound):
    assert [stage.measure for stage in bound().stages[:2]] == [Measure.ITEMS, Measure.ITEMS]


def test_the_digest_changes_with_the_plan_and_with_its_accounts(tmp_path):
    plan, accounts = tmp_path / "plan.yaml", tmp_path / "accounts.csv"
    plan.write_text(GOOD[: GOOD.index("accounts:")] + "accounts: {from: accounts.csv}\nsteps: [letters]\n")
    accounts.write_text("source\nalice@example.com\n")
    first = plan_digest(load(plan, words()))
    assert first == plan_digest(load(plan, words()))
    accounts.write_text("source\nbob@example.com\n")
    second = plan_digest(load(plan, words()))
    plan.write_text(plan.read_text() + "# more\n")
    assert len({first, second, plan_digest(load(plan, words()))}) == 3
