import pytest

from migrator.plan.people import gather
from migrator.plan.problems import Place, Problems
from migrator.plan.written import AccountsFrom


@pytest.fixture
def problems():
    return Problems("plan.yaml", lambda path, of_key: Place(1, 1))


@pytest.fixture
def accounts(tmp_path, problems):
    def read(text, mode=0o600, **written):
        path = tmp_path / "accounts.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return gather(AccountsFrom.model_validate({"from": "accounts.csv", **written}), tmp_path, problems)

    return read


def pairs(people):
    return [(person.source.address, person.target.address) for person in people]


def told(problems):
    return [f"{problem.file.rpartition('/')[2]}:{problem.place.line}: {problem.text}" for problem in problems.all()]


def test_only_the_source_is_needed(accounts, problems):
    (alice,) = accounts("source\nalice@example.com\n")
    assert (alice.source.address, alice.source.user, alice.source.password) == ("alice@example.com",) * 2 + (None,)
    assert alice.target == alice.source
    assert problems.all() == ()


def test_every_column_is_read_wherever_it_stands(accounts):
    (alice,) = accounts(
        "target_password,source,target,source_user,target_user,source_password\nnew ,alice@example.com,a@example.org,al,ali, old\n"
    )
    assert (alice.source.user, alice.source.password.get_secret_value()) == ("al", " old")
    assert (alice.target.address, alice.target.user, alice.target.password.get_secret_value()) == (
        "a@example.org",
        "ali",
        "new ",
    )


def test_passwords_do_not_show(accounts):
    people = accounts("source,source_password\nalice@example.com,hunter2\n")
    assert "hunter2" not in repr(people)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfsource;target\r\nalice@example.com;a@example.org\r\n",
        b"Source , TARGET\n\n , \nalice@example.com,a@example.org",
        b'\n"source","target",\n"alice@example.com","a@example.org",\n',
    ],
    ids=["mark, semicolons, CRLF", "blank lines and capitals", "quotes and a comma too many"],
)
def test_what_spreadsheets_write_is_understood(accounts, problems, text):
    assert pairs(accounts(text)) == [("alice@example.com", "a@example.org")]
    assert told(problems) == []


def test_a_user_name_without_a_domain_is_an_account_too(accounts):
    assert pairs(accounts("source,target\nalice,alice@example.com\n")) == [("alice", "alice@example.com")]


def test_domains_are_compared_in_lower_case(accounts):
    assert pairs(accounts("source\nAlice@Example.COM\n", domains=["EXAMPLE.com"])) == [("Alice@example.com",) * 2]


def test_domains_select_and_except_choose(accounts):
    rows = (
        "source\nalice@example.com\nbob-test@example.com\ncarmen@example.org\nadmin@example.com\ndora@sub.example.com\n"
    )
    chosen = accounts(
        rows, domains=["*example.com"], select=["*"], **{"except": ["*-test@example.com", "admin@example.com"]}
    )
    assert [source for source, _ in pairs(chosen)] == ["alice@example.com", "dora@sub.example.com"]


def test_rename_takes_stars_on_both_sides_and_plain_rules_first(accounts):
    rows = "source,target\nalice@example.com,\ninfo@example.com,\nbob@example.com,own@example.net\nx.y@example.org,\n"
    rules = {
        "*@example.com": "*@example.net",
        "info@example.com": "office@example.net",
        "*.*@example.org": "*_*@example.net",
    }
    assert [target for _, target in pairs(accounts(rows, rename=rules))] == [
        "alice@example.net",
        "office@example.net",
        "own@example.net",
        "x_y@example.net",
    ]


def test_a_renamed_account_logs_in_under_its_new_name(accounts):
    (alice,) = accounts("source\nalice@example.com\n", rename={"*@example.com": "*@example.net"})
    assert (alice.source.user, alice.target.user) == ("alice@example.com", "alice@example.net")


def test_passwords_come_from_a_second_file(accounts, tmp_path, problems):
    second = tmp_path / "secret.csv"
    second.write_text("source,source_password,target_password\nALICE@example.com,old,new\nnobody@example.com,a,b\n")
    second.chmod(0o600)
    alice, bob = accounts("source\nalice@example.com\nbob@example.com\n", passwords="secret.csv")
    assert (alice.source.password.get_secret_value(), alice.target.password.get_secret_value()) == ("old", "new")
    assert bob.source.password is None
    assert told(problems) == []


def test_names_at_the_target_come_from_a_second_file_too(accounts, tmp_path, problems):
    (tmp_path / "more.csv").write_text("source,target,target_user\nbob@example.com,robert@example.com,robert\n")
    alice, bob = accounts("source\nalice@example.com\nbob@example.com\n", passwords="more.csv")
    assert (alice.target.address, bob.target.address) == ("alice@example.com", "robert@example.com")
    assert (bob.source.user, bob.target.user) == ("bob@example.com", "robert")
    assert told(problems) == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("source,traget\na@example.com,\n", ["accounts.csv:1: the column traget is not known here. Did you mean target?"]),
        ("source,source\na@example.com,\n", ["accounts.csv:1: the column source is named twice."]),
        ("sorce\na@example.com\n", ["accounts.csv:1: the first line must name the columns, source among them, such as: source,target. sorce is not known here. Did you mean source?"]),
        ("", ["accounts.csv:1: the file is empty. Its first line names the columns, such as: source,target"]),
        ("source\na@example.com\n\nA@Example.com\n", ["accounts.csv:4: A@example.com is here twice; it was on line 2 already."]),
        ("source,target\na@example.com,c@example.com\nb@example.com,c@example.com\n", ["accounts.csv:3: the target c@example.com is here twice; it was on line 2 already. Two mailboxes cannot become one."]),
        ("source\na b@example.com\n@example.com\n*@example.com\n", ["accounts.csv:2: is not an address.", "accounts.csv:3: is not an address.", "accounts.csv:4: holds a *; wildcards work with accounts.from alone. List the addresses."]),
        ("source,target\n,a@example.com\n", ["accounts.csv:2: is empty; an address is needed."]),
        ("source\na@example.com,b,c\n", ["accounts.csv:2: this line has 3 fields, and the first line names 1 columns. Quote fields that hold the separator."]),
        ('source,target\n"a@example.com\nb@example.com,\n', ["accounts.csv:2: this line is not CSV (unexpected end of data). Is a quote missing?"]),
        (b"source\na@example.com\n\xe9@example.com\n", ["accounts.csv:3: this line is not UTF-8. Save the file as UTF-8 (in Excel: “CSV UTF-8”)."]),
        ("source,source_user\na@example.com,x\x1b[2J\n", ["accounts.csv:2: source_user holds a line break or a control character."]),
        ('source\n"a@example.com"x\n', ["accounts.csv:2: this line is not CSV (',' expected after '\"'). Is a quote missing?"]),
    ],
)  # fmt: skip
def test_each_mistake_in_a_csv_is_told_with_its_line(accounts, problems, text, lines):
    accounts(text)
    assert told(problems) == lines


def test_a_csv_with_passwords_must_be_its_owners_alone(accounts, problems):
    accounts("source,source_password\nalice@example.com,hunter2\nbob@example.com,hunter3\n", mode=0o644)
    (line,) = told(problems)
    assert line.startswith(
        "accounts.csv:2: the file holds passwords, and others may use it (mode 0644). Run: chmod 600 "
    )


def test_a_csv_without_passwords_may_be_read_by_all(accounts, problems):
    accounts("source,source_password\nalice@example.com,\n", mode=0o644)
    assert told(problems) == []


def test_choosing_nobody_is_a_mistake(accounts, problems):
    accounts("source\nalice@example.com\n", domains=["example.org"])
    assert told(problems) == [
        "plan.yaml:1: accounts leaves nobody: the one row of accounts.csv is not chosen by domains, select and except."
    ]


def test_a_csv_that_names_nobody_is_a_mistake(accounts, problems):
    accounts("source,target\n")
    assert told(problems) == [
        (
            "plan.yaml:1: accounts leaves nobody: accounts.csv names none below its first line. "
            "List them there, or leave accounts out where no step needs any."
        )
    ]


@pytest.mark.parametrize(("domains", "where"), [([], ""), (["Example.com"], " in example.com")])
def test_an_endpoint_that_shows_nobody_is_a_mistake_and_not_a_plan_without_accounts(tmp_path, problems, domains, where):
    written = AccountsFrom.model_validate({"from": "old", "domains": domains})
    assert gather(written, tmp_path, problems, residents=lambda asked: ()) == ()
    assert told(problems) == [
        (
            f"plan.yaml:1: accounts leaves nobody: old shows no mailbox{where}. "
            "Correct accounts.domains, list the accounts, or leave them out where no step needs any."
        )
    ]


def test_an_endpoint_may_show_nobody_where_a_domain_has_forwarders_alone(tmp_path, problems):
    written = AccountsFrom.model_validate({"from": "old", "domains": ["forwards.example"]})
    assert gather(written, tmp_path, problems, residents=lambda asked: (), may_be_nobody=True) == ()
    assert told(problems) == []


def test_a_file_that_is_not_there_is_told_where_the_plan_names_it(tmp_path, problems):
    gather(AccountsFrom.model_validate({"from": "gone.csv"}), tmp_path, problems)
    assert "accounts.from names" in told(problems)[0]
    assert "gone.csv, which cannot be read (no such file or directory)." in told(problems)[0]


def test_a_rule_with_more_stars_in_its_target_is_a_mistake(accounts, problems):
    accounts("source\nalice@example.com\n", rename={"*@example.com": "*.*@example.com"})
    assert any("has more * in its target than in its source." in line for line in told(problems))


def test_a_file_that_is_wrong_throughout_is_told_in_short(accounts, problems):
    accounts("source\n" + "not an address\n" * 1_000)
    lines = told(problems)
    assert len(lines) == 201
    assert lines[-1] == "accounts.csv:1: 800 more mistakes like these are not listed."


@pytest.mark.timeout(20)
def test_a_line_without_end_is_not_swallowed_whole(accounts, problems):
    accounts("source\n" + "x" * 3_000_000)
    assert told(problems)


def test_domains_are_chosen_in_either_form_of_an_international_name(tmp_path):
    (tmp_path / "accounts.csv").write_text("source\nana@xn--espaa-rta.example\nben@example.com\n")
    written = AccountsFrom.model_validate({"from": "accounts.csv", "domains": ["España.example"]})
    people = gather(written, tmp_path, Problems("plan.yaml", lambda *_: None))
    assert [person.source.address for person in people] == ["ana@xn--espaa-rta.example"]
