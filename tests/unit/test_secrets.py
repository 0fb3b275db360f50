import sys
import threading
from datetime import timedelta

import pytest
from pydantic import ValidationError

from migrator.errors import PlanError
from migrator.secrets import Secrets, SecretSource


@pytest.fixture
def secrets(tmp_path):
    def make(environ=None, ask=None, patience=timedelta(seconds=30), **sources):
        found = {name: SecretSource(**source) for name, source in sources.items()}
        return Secrets(
            found, folder=tmp_path, environ={"PATH": "/usr/bin:/bin", **(environ or {})}, ask=ask, patience=patience
        )

    return make


def read(secrets, name="it"):
    return secrets.read(name).get_secret_value()


def refusal(secrets, name="it"):
    with pytest.raises(PlanError) as caught:
        secrets.read(name)
    return caught.value.sentence()


def test_a_secret_comes_from_the_environment(secrets):
    assert read(secrets({"IT": "pässword"}, it={"env": "IT"})) == "pässword"


def test_a_missing_variable_is_named(secrets):
    assert refusal(secrets(it={"env": "IT"})) == (
        "The secret it comes from the environment variable IT, which is not set. Set it (export IT=...), then start again."
    )


def test_a_secret_comes_from_a_file_beside_the_plan_without_its_line_end(secrets, tmp_path):
    (tmp_path / "it.txt").write_text(" pass word \r\n")
    (tmp_path / "it.txt").chmod(0o600)
    assert read(secrets(it={"file": "it.txt"})) == " pass word "


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_may_use_is_refused(secrets, tmp_path, mode):
    path = tmp_path / "it.txt"
    path.write_text("hunter2")
    path.chmod(mode)
    told = refusal(secrets(it={"file": "it.txt"}))
    assert told == f"The secret it comes from {path}, which others may use (mode {mode:04o}). Run: chmod 600 {path}"


def test_a_file_that_is_no_file_is_refused(secrets, tmp_path):
    assert "which is not a file" in refusal(secrets(it={"file": "."})) or "is a directory" in refusal(
        secrets(it={"file": "."})
    )
    assert "(no such file or directory)" in refusal(secrets(it={"file": "gone"}))


@pytest.mark.timeout(10)
def test_a_pipe_is_refused_without_waiting(secrets, tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "which is not a file" in refusal(secrets(it={"file": "pipe"}))


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 70_000, "larger than 64 KB")],
)
def test_a_file_that_holds_no_secret_is_told(secrets, tmp_path, content, told):
    path = tmp_path / "it.txt"
    path.write_bytes(content)
    path.chmod(0o600)
    assert told in refusal(secrets(it={"file": "it.txt"}))


def test_a_secret_comes_from_a_command_without_a_shell(secrets):
    assert read(secrets(it={"command": "echo 'a  b' $HOME ; ls"})) == "a  b $HOME ; ls"


def test_a_command_does_not_see_the_other_secrets(secrets):
    script = f"{sys.executable} -c \"import os; print(sorted(set(os.environ) & {{'IT', 'OTHER', 'KEPT'}}))\""
    found = secrets({"OTHER": "hunter2", "KEPT": "1"}, it={"command": script}, other={"env": "OTHER"})
    assert read(found) == "['KEPT']"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("no-such-command x", "cannot be started (no such file or directory)"),
        ("false", "ended with status 1"),
        ("echo 'x", "has a quote without its end"),
        ("'' x", "cannot be started"),
        ("true", "printed nothing"),
    ],
)
def test_a_command_that_gives_nothing_is_told(secrets, command, told):
    assert told in refusal(secrets(it={"command": command}))


def test_what_a_failing_command_printed_is_not_repeated(secrets):
    found = secrets(it={"command": "sh -c 'echo hunter2; echo hunter2 >&2; exit 3'"})
    assert "hunter2" not in refusal(found)


@pytest.mark.timeout(20)
def test_a_command_that_does_not_end_is_stopped_with_all_it_started(secrets, tmp_path):
    alive = tmp_path / "alive"
    found = secrets(patience=timedelta(seconds=0.3), it={"command": f"sh -c '(sleep 1; touch {alive}) & sleep 60'"})
    assert "did not end in" in refusal(found)
    threading.Event().wait(1.3)
    assert not alive.exists()


def test_a_person_is_asked_once_however_often_the_secret_is_read(secrets):
    questions = []

    def ask(question):
        questions.append(question)
        return "hunter2"

    found = secrets(ask=ask, it={"ask": "Password of alice:"})
    assert [read(found), read(found)] == ["hunter2", "hunter2"]
    assert questions == ["Password of alice: "]


def test_without_a_terminal_nobody_is_asked(secrets):
    assert "asked for at the terminal, and there is none" in refusal(secrets(it={"ask": "Password"}))


def test_a_secret_that_could_not_be_read_is_not_tried_again(secrets, tmp_path):
    found = secrets(it={"command": f"sh -c 'echo x >> {tmp_path}/tries; exit 1'"})
    assert refusal(found) == refusal(found)
    assert (tmp_path / "tries").read_text() == "x\n"


def test_threads_that_ask_together_start_one_command(secrets, tmp_path):
    found = secrets(it={"command": f"sh -c 'echo x >> {tmp_path}/tries; echo hunter2'"})
    threads = [threading.Thread(target=found.read, args=("it",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "tries").read_text() == "x\n"


def test_an_unknown_name_is_told(secrets):
    assert refusal(secrets(), "nobody") == "There is no secret called nobody. Add it under secrets in the plan."


def test_a_secret_does_not_show(secrets):
    found = secrets({"IT": "hunter2"}, it={"env": "IT"}).read("it")
    assert "hunter2" not in f"{found} {found!r}"


@pytest.mark.parametrize("source", [{}, {"env": "A", "ask": "B"}])
def test_a_source_is_exactly_one_of_four(source):
    with pytest.raises(ValidationError, match="exactly one of env, file, command and ask"):
        SecretSource(**source)


@pytest.mark.parametrize("name", ["$ALICE", "${ALICE}"])
def test_a_variable_is_named_without_the_dollar(name):
    with pytest.raises(ValidationError, match="write the name without the"):
        SecretSource(env=name)


def test_a_password_is_no_source():
    with pytest.raises(ValidationError, match="A password does not stand in the plan"):
        SecretSource.model_validate("hunter2")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            {"env": "IT"},
            "The secret it comes from the environment variable IT, which is set, but empty. Set it (export IT=...), then start again.",
        ),
        (
            {"command": "printf ''"},
            "The command printf of the secret it printed nothing. Run it by hand and see what it says.",
        ),
        ({"ask": "It"}, "Nothing was typed for the secret it. Start again."),
    ],
)
def test_an_empty_secret_says_where_it_comes_from(secrets, source, told):
    assert refusal(secrets({"IT": ""}, ask=lambda _: "", it=source)) == told


def test_a_secret_that_cannot_be_had_is_told_with_its_place_in_the_plan(tmp_path):
    found = Secrets(
        {"it": SecretSource(command="false")},
        folder=tmp_path,
        environ={},
        where=lambda name: f"plan.yaml:3:7: secrets.{name}",
    )
    assert refusal(found).startswith("plan.yaml:3:7: secrets.it: The command false of the secret it ended with status ")
