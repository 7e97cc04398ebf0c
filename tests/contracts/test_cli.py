"""The command line as other programs drive it: commands, exit codes, JSON keys, standard output and standard error."""

from __future__ import annotations

import csv
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sfnb.cli.main import run
from tests.command_line import CommandLine, Ran, Running
from tests.conftest import RunningOrg

COMMANDS = (
    *(
        "demo start",
        "demo stop",
        "demo status",
        "org add",
        "org list",
        "org check",
        "org remove",
        "limit",
        "audit",
    ),
    *(
        "plan",
        "backup",
        "resume",
        "pause",
        "cancel",
        "jobs",
        "snapshots",
        "show",
        "export",
        "diff",
        "history",
        "store compact",
        "store upgrade",
        "verify",
        "usage",
    ),
    *("report", "run"),
)
SUMMARY_KEYS = {
    *(
        "job_id",
        "kind",
        "org",
        "state",
        "snapshot",
        "started_at",
        "ended_at",
        "calls",
        "rows",
        "objects",
        "pauses",
    ),
}
OBJECTS = "Account,Contact,Case"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, demo_org: RunningOrg) -> CommandLine:
    """A home in which the demo org is known as x."""
    return CommandLine.with_org(tmp_path_factory.mktemp("home"), demo_org)


@pytest.fixture(scope="module")
def backed_up(home: CommandLine) -> Ran:
    """A backup of three objects, made by the command."""
    return home.apart("backup", "x", "--objects", OBJECTS, "--json")


# --------------------------------------------------------------------------------------------------------- commands


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_contract_is_there(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command explains itself, which costs nothing and exits 0."""
    assert run([*command.split(), "--help"]) == 0
    assert f"sfnb {command}" in capsys.readouterr().out


def test_a_backup_prints_its_summary_and_nothing_else(backed_up: Ran) -> None:
    """Exit code 0; standard output is one JSON object with the contract's keys; progress is on standard error."""
    assert backed_up.code == 0, backed_up.err
    summary = backed_up.json
    assert summary.keys() >= SUMMARY_KEYS
    assert summary["state"] == "completed" and summary["org"] == "x" and summary["kind"] == "backup"
    assert (
        summary["calls"].keys() == {"api", "bulk", "bulk2", "bulk2_mb"}
        and summary["calls"]["api"] > 0
    )
    assert set(summary["objects"]) == set(OBJECTS.split(","))
    assert all(entry.keys() >= {"state", "rows", "calls"} for entry in summary["objects"].values())
    assert summary["rows"] == sum(entry["rows"] for entry in summary["objects"].values()) > 0
    assert summary["pauses"] == []
    assert "Account:" in backed_up.err and "completed" in backed_up.err


def test_without_json_the_backup_speaks_in_plain_lines(home: CommandLine) -> None:
    """Not on a terminal, progress is a line for each step and the last line is the outcome."""
    done = home("backup", "x", "--objects", "Account", "--full", "--workers", 1)
    assert done.code == 0 and done.err == ""
    assert "1 of 1 object," in done.out.splitlines()[-1] and "\r" not in done.out


def test_objects_may_be_named_in_any_case(home: CommandLine) -> None:
    """Salesforce's names have no case; the summary has them in the org's own spelling."""
    done = home("backup", "x", "--objects", " account , CASE", "--json")
    assert done.code == 0 and set(done.json["objects"]) == {"Account", "Case"}


def test_objects_may_be_excluded(home: CommandLine) -> None:
    """`--exclude` leaves objects out of all there are, in a plan and in a backup."""
    whole, less = (
        home("plan", "x", "--json").json,
        home("plan", "x", "--exclude", "contact,Lead", "--json").json,
    )
    assert set(whole["objects"]) - set(less["objects"]) == {"Contact", "Lead"}
    done = home(
        "backup", "x", "--exclude", ",".join(set(whole["objects"]) - {"Account", "User"}), "--json"
    )
    assert done.code == 0 and set(done.json["objects"]) == {"Account", "User"}


def test_a_plan_tells_rows_calls_and_pauses(home: CommandLine) -> None:
    """`sfnb plan --json` has the price of the backup and stores nothing."""
    before = home("snapshots", "x", "--json").json
    planned = home("plan", "x", "--objects", OBJECTS, "--json")
    assert planned.code == 0 and planned.err == ""
    assert planned.json.keys() >= {"org", "calls", "rows", "objects", "left_out", "pauses"}
    assert set(planned.json["objects"]) == set(OBJECTS.split(","))
    assert home("snapshots", "x", "--json").json == before


def test_jobs_are_listed(home: CommandLine, backed_up: Ran) -> None:
    """`sfnb jobs --json` is a list of summaries, the same as the backup printed."""
    jobs = home("jobs", "--json").json
    assert next(job for job in jobs if job["job_id"] == backed_up.json["job_id"]) == backed_up.json
    assert backed_up.json["job_id"] in home("jobs", "x").out
    assert home("jobs", "nobody", "--json").json == []


def test_orgs_are_listed_checked_and_removed(tmp_path: Path, demo_org: RunningOrg) -> None:
    """`org list` asks nobody, `org check` says what is missing, `org remove` forgets the org and keeps its backups."""
    home = CommandLine.with_org(tmp_path / "home", demo_org)
    listed = home("org", "list", "--json").json
    assert [(org["name"], org["org_id"]) for org in listed] == [("x", demo_org.org_id)]
    checked = home("org", "check", "x", "--json")
    assert (
        checked.code == 0
        and checked.json["missing"] == []
        and checked.json["limits"]["api"]["max"] == 5_000_000
    )
    again = home("org", "add", "x", "--instance-url", demo_org.url, "--access-token-env", "X_TOKEN")
    assert again.code == 2 and again.is_one_sentence() and "--replace" in again.err
    assert home("org", "remove", "x").code == 0
    assert home("org", "list", "--json").json == []
    gone = home("org", "remove", "x")
    assert gone.code == 2 and gone.is_one_sentence()


def test_two_names_of_one_org_are_reported(tmp_path: Path, demo_org: RunningOrg) -> None:
    """Who registers an org a second time learns that both names share limits and backups."""
    home = CommandLine.with_org(tmp_path / "home", demo_org, "first")
    add = ("org", "add", "second", "--instance-url", demo_org.url, "--access-token-env", "X_TOKEN")
    told = home(*add)
    assert told.code == 0 and "first and second are names of the same org" in told.out
    assert home(*add, "--replace", "--json").json["same_org"] == ["first"]


def test_an_org_over_its_limit_is_checked_as_far_as_possible(
    nearly_spent: tuple[RunningOrg, CommandLine],
) -> None:
    """`org check` shows the use that stops everything else, and says what it could not ask."""
    org, home = nearly_spent
    org.control("quota", {"spend": {"api": 100}})
    checked = home("org", "check", "x", "--json")
    assert checked.code == 0, checked.err
    assert checked.json["limits"]["api"]["used"] >= 590
    assert any("were not checked" in note and "limit" in note for note in checked.json["notes"])
    assert "were not checked" in home("org", "check", "x").out


# ---------------------------------------------------------------------------------------------------- limit and audit


def test_limits_are_set_shown_and_audited(tmp_path: Path, demo_org: RunningOrg) -> None:
    """P6: who changed which limit why is kept, and a changed line of the log is found: exit code 1."""
    home = CommandLine.with_org(tmp_path / "home", demo_org)
    assert {entry["percent"] for entry in home("limit", "x", "--json").json["limits"]} == {50}
    assert home("limit", "x", 60).code == 0
    one = home(
        "limit", "x", 20, "--api", "bulk2", "--reason", "month's end — the ERP needs it", "--json"
    )
    assert one.code == 0 and [entry["percent"] for entry in one.json["limits"]] == [20]
    percents = {
        entry["api"]: entry["percent"] for entry in home("limit", "x", "--json").json["limits"]
    }
    assert percents == {"api": 60, "bulk": 60, "bulk2": 20, "bulk2_mb": 60}
    entries = home("audit", "x", "--json").json
    last = entries[-1]
    assert (last["api"], last["old"], last["new"]) == ("bulk2", 60, 20)
    assert last["reason"] == "month's end — the ERP needs it" and last["who"]
    assert home("audit", "verify").code == 0
    with sqlite3.connect(home.home / "state.db") as database:
        database.execute("UPDATE audit SET reason = 'nothing to see' WHERE seq = ?", (last["seq"],))
    database.close()
    found = home("audit", "verify", "--json")
    assert found.code == 1 and found.json["is_good"] is False and found.json["findings"]


@pytest.mark.parametrize("percent", ["0", "101", "abc", "-5", "50.5", "", "5_0", "٥٠"])
def test_a_limit_that_is_no_percent_is_refused(home: CommandLine, percent: str) -> None:
    """1 to 100, whole: anything else is one sentence, exit code 2, and changes nothing."""
    before = home("limit", "x", "--json").json["limits"]
    refused = home("limit", "x", percent)
    assert (
        refused.code == 2
        and refused.is_one_sentence()
        and "1 to 100" in refused.err
        and refused.out == ""
    )
    assert home("limit", "x", "--json").json["limits"] == before


# ------------------------------------------------------------------------------------------------------- reading back


def test_snapshots_can_be_listed_shown_and_exported(
    home: CommandLine, backed_up: Ran, tmp_path: Path
) -> None:
    """What the backup stored is listed, and exported as Parquet and CSV under the fields' API names."""
    summary = backed_up.json
    listed = {entry["snapshot"]: entry for entry in home("snapshots", "x", "--json").json}
    assert (
        listed[summary["snapshot"]]["state"] == "complete"
        and listed[summary["snapshot"]]["rows"] == summary["rows"]
    )
    shown = home("show", "x", summary["snapshot"], "--json").json
    assert shown["objects"]["Contact"]["rows"] == summary["objects"]["Contact"]["rows"]
    assert home("show", "x", "latest").code == 0
    for path in (tmp_path / "contacts.parquet", tmp_path / "contacts.csv"):
        done = home("export", "x", "Contact", "--as-of", summary["snapshot"], "--to", path)
        assert done.code == 0, done.err
    table = pq.read_table(tmp_path / "contacts.parquet")
    assert table.num_rows == summary["objects"]["Contact"]["rows"]
    assert {"Id", "LastName", "AccountId"} <= set(table.column_names)
    assert not [name for name in table.column_names if name.startswith("_sfnb")]
    with (tmp_path / "contacts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["Id"] for row in rows) == sorted(table.column("Id").to_pylist())
    assert sorted(row["LastName"] for row in rows) == sorted(table.column("LastName").to_pylist())


def test_an_export_that_cannot_be_is_one_sentence(
    home: CommandLine, backed_up: Ran, tmp_path: Path
) -> None:
    """An unknown object, snapshot, form of file, or a file in the way: nothing is overwritten."""
    there = tmp_path / "there.csv"
    there.write_text("precious")
    for arguments in (
        ("Contcat", "--to", tmp_path / "a.csv"),
        ("Contact", "--to", tmp_path / "a.xlsx"),
        ("Contact", "--to", there),
        ("Contact", "--as-of", "2001", "--to", tmp_path / "a.csv"),
        ("Contact", "--to", tmp_path / "no" / "folder" / "a.csv"),
    ):
        refused = home("export", "x", *arguments)
        assert refused.code in (1, 2) and refused.is_one_sentence(), (arguments, refused)
    assert there.read_text() == "precious" and not (tmp_path / "a.csv").exists()


def test_a_damaged_part_is_found_and_named(tmp_path: Path, demo_org: RunningOrg) -> None:
    """One flipped byte: `verify` exits 1 and names the object, and reading it back is refused, not wrong."""
    home = CommandLine.with_org(tmp_path / "home", demo_org)
    assert home("backup", "x", "--objects", "Account,Case").code == 0
    assert home("verify", "x").code == 0
    part = next((home.home / "store").rglob("records/Account/**/*.parquet"))
    body = bytearray(part.read_bytes())
    body[len(body) // 2] ^= 0xFF
    part.chmod(0o644)
    part.write_bytes(body)
    found = home("verify", "x", "--json")
    assert found.code == 1 and {f["object"] for f in found.json if f["kind"] == "digest"} == {
        "Account"
    }
    told = home("verify", "x")
    assert told.code == 1 and "Account" in told.out and "next backup reads again" in told.err
    assert home("export", "x", "Case", "--to", tmp_path / "case.csv").code == 0, (
        "the others stay good"
    )
    part.unlink()
    refused = home("export", "x", "Account", "--to", tmp_path / "account.csv")
    assert refused.code == 1 and refused.is_one_sentence()
    assert not (tmp_path / "account.csv").exists()


# --------------------------------------------------------------------------------------------------- pause and resume


SOME = "Account,Asset,Campaign,Case,Contact,Contract,Event,Lead,Opportunity,Order,Product2,Task"


@pytest.fixture
def nearly_spent(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path
) -> tuple[RunningOrg, CommandLine]:
    """An org with room for a few calls, which come back when its clock is pushed a day."""
    org = fresh_org(max_calls=1000)
    home = CommandLine.with_org(tmp_path / "home", org)
    org.control("quota", {"spend": {"api": 494}})
    return org, home


def a_day_later(org: RunningOrg) -> None:
    org.control("clock", {"advance_minutes": 25 * 60})


def test_a_pause_ends_with_75_and_resume_goes_on(
    nearly_spent: tuple[RunningOrg, CommandLine],
) -> None:
    """P4: `--on-pause exit` exits 75; `resume` goes on in the same snapshot, by the job's id or with --all."""
    org, home = nearly_spent
    mark = org.mark()
    paused = home.apart("backup", "x", "--objects", SOME, "--on-pause", "exit", "--json")
    assert paused.code == 75 and paused.json["state"] == "paused", paused.err
    pause = paused.json["pauses"][0]
    assert (
        pause["api"] == "api"
        and pause["max"] == 1000
        and pause["used"] <= 500
        and pause["resumed_at"] is None
    )
    still = home("resume", paused.json["job_id"][:4], "--on-pause", "exit", "--json")
    assert still.code == 75 and still.json["snapshot"] == paused.json["snapshot"]
    assert org.ledger(after=mark, threshold=500)["over_threshold"] == 0
    a_day_later(org)
    done = home("resume", "--all", "--json")
    assert done.code == 0 and len(done.json) == 1, done.err
    summary = done.json[0]
    assert summary["state"] == "completed" and summary["snapshot"] == paused.json["snapshot"]
    assert all(pause["resumed_at"] for pause in summary["pauses"])
    assert summary["calls"]["api"] == org.ledger(after=mark)["spent"]["api"]
    nothing = home("resume", "--all", "--json")
    assert nothing.code == 0 and nothing.json == [] and "No job is waiting" in nothing.err
    again = home("resume", paused.json["job_id"])
    assert again.code == 2 and again.is_one_sentence()
    assert home("resume").code == 2 and home("resume", "abc", "--all").code == 2


def waiting(home: CommandLine, *more: object) -> tuple[Running, str]:
    """A backup that waits at its limit, and its job's id."""
    running = home.start("backup", "x", "--objects", SOME, "--json", *more)
    running.wait_for("paused: ")
    return running, home("jobs", "--json").json[-1]["job_id"]


def test_a_waiting_backup_goes_on_by_itself(nearly_spent: tuple[RunningOrg, CommandLine]) -> None:
    """P4: waiting, the command asks again after `--poll-seconds` and finishes with 0."""
    org, home = nearly_spent
    running, _ = waiting(home, "--poll-seconds", 1)
    running.wait_for("still paused")
    a_day_later(org)
    done = running.ended()
    assert done.code == 0 and done.json["state"] == "completed"
    assert [bool(pause["resumed_at"]) for pause in done.json["pauses"]] == [True]


def test_a_raised_limit_is_obeyed_by_a_waiting_backup(
    nearly_spent: tuple[RunningOrg, CommandLine],
) -> None:
    """`sfnb limit` in another process lets a paused job go on at once."""
    _, home = nearly_spent
    running, _ = waiting(home)
    assert home("limit", "x", 100, "--reason", "first backup").code == 0
    assert running.ended().code == 0


def test_a_waiting_backup_can_be_cancelled_from_elsewhere(
    nearly_spent: tuple[RunningOrg, CommandLine],
) -> None:
    """`sfnb cancel` in another process ends the waiting one with 130; what it has read can be read."""
    _, home = nearly_spent
    running, job_id = waiting(home)
    assert home("cancel", job_id).code == 0
    done = running.ended()
    assert done.code == 130 and done.json["state"] == "cancelled"
    assert (
        home("resume", job_id).code == 2
        and home("pause", job_id).code == 2
        and home("cancel", job_id).code == 2
    )
    shown = home("show", "x", "latest", "--json").json
    assert shown["state"] == "partial" and shown["sealed_at"]
    assert home("verify", "x").code == 0


def test_a_waiting_backup_can_be_paused_from_elsewhere(
    nearly_spent: tuple[RunningOrg, CommandLine],
) -> None:
    """`sfnb pause` holds a job that waits for calls, even when they have come back, until `sfnb cancel` ends it."""
    org, home = nearly_spent
    running, job_id = waiting(home, "--poll-seconds", 1)
    assert home("pause", job_id).code == 0
    a_day_later(org)
    running.wait_for("still paused")
    running.wait_for("still paused")
    assert running.process.poll() is None
    assert home("cancel", job_id).code == 0
    assert running.ended().code == 130


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_job_that_can_be_resumed(
    nearly_spent: tuple[RunningOrg, CommandLine], sign: int
) -> None:
    """P2: stopped while it waits, the command exits 130; `resume` finishes the same snapshot."""
    org, home = nearly_spent
    running, job_id = waiting(home)
    running.process.send_signal(sign)
    stopped = running.ended()
    assert stopped.code == 130 and "sfnb resume" in stopped.err
    assert home("jobs", "--json").json[-1]["state"] == "paused"
    a_day_later(org)
    done = home("resume", job_id, "--json")
    assert done.code == 0 and done.json["state"] == "completed"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_amid_reading_leaves_a_job_that_can_be_resumed(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, sign: int
) -> None:
    """P2: stopped while calls are under way, the command ends within their time with 130, and loses nothing."""
    org = fresh_org()
    home = CommandLine.with_org(tmp_path / "home", org)
    # Long enough for a slow machine to send the signal while calls are under way.
    org.fail(fault="stall", match="POST .*/composite", body="queryAll", times=8, seconds=2.0)
    running = home.start("backup", "x", "--json", "--objects", SOME)
    running.wait_for("records")  # the plan
    running.wait_for("records")
    running.process.send_signal(sign)
    stopped = running.ended()
    assert stopped.code == 130, stopped.err
    org.control("faults", method="DELETE")
    job = home("jobs", "--json").json[-1]
    assert job["state"] == "paused"
    done = home("resume", job["job_id"], "--json")
    assert (
        done.code == 0
        and done.json["state"] == "completed"
        and done.json["snapshot"] == job["snapshot"]
    )
    assert home("verify", "x").code == 0


# --------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("backup nobody", "sfnb org add nobody"),
        ("plan nobody", "sfnb org add nobody"),
        ("limit nobody", "sfnb org add nobody"),
        ("snapshots nobody", "sfnb org add nobody"),
        ("verify nobody", "sfnb org add nobody"),
        ("org check nobody", "sfnb org add nobody"),
        ("audit nobody", "sfnb org list"),
        ("backup x --objects Acount", "Did you mean Account"),
        ("backup x --objects Account,Nonsense__c", "Nonsense__c"),
        ("plan x --exclude Contcat", "Did you mean Contact"),
        ("show x 1999", "Known: 2"),
        ("resume zzzz", "sfnb jobs"),
        ("pause zzzz", "sfnb jobs"),
        ("cancel zzzz", "sfnb jobs"),
    ],
)
def test_a_name_that_nobody_has_is_one_sentence(
    home: CommandLine, backed_up: Ran, arguments: str, says: str
) -> None:
    """An unknown org, object, snapshot or job: exit code 2, one sentence that names what to do."""
    refused = home(*arguments.split())
    assert refused.code == 2 and refused.is_one_sentence() and says in refused.err, refused
    assert refused.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        "nonsense",
        "backup",
        "backup x --objects",
        "backup x --objects ,",
        "backup x --on-pause sleep",
        "backup x --poll-seconds 0",
        "backup x --poll-seconds soon",
        "backup x --workers 0",
        "limit x 50 --api soap",
        "export x Account",
        "org add y",
    ],
)
def test_wrong_usage_exits_2(home: CommandLine, arguments: str) -> None:
    """What cannot be meant is refused before anything is asked of the org."""
    refused = home(*arguments.split())
    assert refused.code == 2 and refused.err and refused.out == "", refused


def test_a_backup_of_an_unknown_object_leaves_no_snapshot(home: CommandLine) -> None:
    """A job refused for its names is ended, not left to be resumed."""
    before = home("snapshots", "x", "--json").json
    assert home("backup", "x", "--objects", "Nonsense__c").code == 2
    assert home("snapshots", "x", "--json").json == before
    job = home("jobs", "--json").json[-1]
    assert job["state"] == "failed" and "Nonsense__c" in job["error"]


def test_an_object_cannot_be_wanted_and_excluded(home: CommandLine) -> None:
    """Nothing left to back up is said, not done."""
    refused = home("backup", "x", "--objects", "Account", "--exclude", "account")
    assert refused.code == 2 and "no object is left" in refused.err and refused.is_one_sentence()


def sentence_of(ran: Ran, code: int) -> str:
    assert ran.code == code and ran.is_one_sentence() and ran.out == "", ran
    return ran.err


def test_a_config_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """Bad TOML, a wrong value, bytes that are no text, a folder in its place: the file and the line are named."""
    home = CommandLine(tmp_path / "home")
    home.home.mkdir()
    config = home.home / "sfnb.toml"
    bad: dict[str, Any] = {
        "line 2": b"workers = 2\npoll_s = = 3\n",
        "line 1": b"workers = 'many'\n",
        "not UTF-8": b"\xff\xfe\x00\x01binary\x00",
        "login must be one of": b"[orgs.x]\nlogin = 'magic'\n",
        "never the secret itself": b"[orgs.x]\nlogin = 'token'\n[orgs.x.secrets]\ntoken = 'hunter2hunter2'\n",
    }
    for says, body in bad.items():
        config.write_bytes(body)
        for command in ("jobs", "backup x", "org list"):
            told = sentence_of(home(*command.split()), 1)
            assert says in told and "sfnb.toml" in told and "hunter2" not in told
        assert config.read_bytes() == body
    config.unlink()
    config.mkdir()
    assert "sfnb.toml" in sentence_of(home("jobs"), 1)


def test_a_home_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, demo_org: RunningOrg
) -> None:
    """A file where the folder should be: each command says so and asks the org for nothing."""
    in_the_way = tmp_path / "home"
    in_the_way.write_text("precious")
    home = CommandLine(in_the_way / "deeper", X_TOKEN=demo_org.access_token)
    before = demo_org.mark()
    for command in (
        "jobs",
        "audit",
        f"org add x --instance-url {demo_org.url} --access-token-env X_TOKEN",
    ):
        assert "SFNB_HOME" in sentence_of(home(*command.split()), 1)
    assert demo_org.ledger(after=before)["spent"] == {} and in_the_way.read_text() == "precious"


def test_a_state_database_that_is_none_is_one_sentence(
    tmp_path: Path, demo_org: RunningOrg
) -> None:
    """A damaged state database, or an address of none, is told by name and left as it is."""
    home = CommandLine.with_org(tmp_path / "home", demo_org)
    for path in home.home.glob("state.db*"):
        path.unlink()
    (home.home / "state.db").write_bytes(b"this is no database" * 100)
    for command in ("jobs", "limit x", "backup x --objects Account"):
        assert "state.db" in sentence_of(home(*command.split()), 1)
    assert (home.home / "state.db").read_bytes().startswith(b"this is no database")
    told = home("jobs", SFNB_STATE_URL="nonsense")
    assert told.code in (1, 2) and told.is_one_sentence()


def test_a_store_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, demo_org: RunningOrg
) -> None:
    """A file where the store should be fails the job, which can be resumed once it is out of the way."""
    home = CommandLine.with_org(tmp_path / "home", demo_org)
    store = home.home / "store"
    store.write_text("in the way")
    failed = home("backup", "x", "--objects", "Account", "--json")
    assert (
        failed.code == 1 and str(store) in failed.sentence and failed.sentence.startswith("sfnb: ")
    )
    store.unlink()
    done = home("resume", home("jobs", "--json").json[-1]["job_id"], "--json")
    assert done.code == 0 and done.json["state"] == "completed"


ADD = ("org", "add", "y")


@pytest.fixture
def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_login_that_is_refused_is_one_sentence(tmp_path: Path, demo_org: RunningOrg) -> None:
    """A wrong password, a dead token, a missing variable: what to change is said, and nothing is registered."""
    home = CommandLine(tmp_path / "home", BAD="not-the-password", EMPTY="")
    by_password = ("--username", demo_org.username, "--domain", demo_org.url, "--password-env")
    by_token = ("--instance-url", demo_org.url, "--access-token-env")
    assert "username, password" in sentence_of(home(*ADD, *by_password, "BAD"), 1)
    assert "Get a new one" in sentence_of(home(*ADD, *by_token, "BAD"), 1)
    assert "MISSING" in sentence_of(home(*ADD, *by_token, "MISSING"), 1)
    assert "EMPTY" in sentence_of(home(*ADD, *by_token, "EMPTY"), 1)
    assert home("org", "list", "--json").json == []


def test_an_org_that_is_not_there_is_one_sentence(
    tmp_path: Path, demo_org: RunningOrg, closed_port: int
) -> None:
    """A closed port, a certificate that nobody vouches for, an address that is none, a web site that is no org."""
    home = CommandLine(tmp_path / "home", TOKEN="00D000000000001!x")
    for url, says, code in (
        (f"http://127.0.0.1:{closed_port}", "not reached", 1),
        (demo_org.https_url, "--ca-file", 1),
        ("http://example.com", "unencrypted", 2),
        ("http://[2001:db8::1]:80", "use https://[2001:db8::1]", 2),
        ("https://", "not the address", 2),
        ("https://acme.lightning.force.com", "my.salesforce.com", 2),
    ):
        assert says in sentence_of(
            home(*ADD, "--instance-url", url, "--access-token-env", "TOKEN"), code
        )


def test_an_org_that_answers_with_a_web_page_is_one_sentence(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path
) -> None:
    """A maintenance page instead of a login: said so after three tries, and nothing is registered."""
    org = fresh_org()
    home = CommandLine(tmp_path / "home", PASSWORD=org.password)
    org.fail(fault="html", status=200)
    by_password = ("--username", org.username, "--domain", org.url, "--password-env", "PASSWORD")
    assert "maintenance page" in sentence_of(home(*ADD, *by_password), 1)
    assert home("org", "list", "--json").json == []
