"""`sfnb limit`, `audit`, `jobs`, `pause`, `cancel` as people type them: output and exit codes."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sfnb.cli.main import run
from sfnb.memory import State, open_state

ORG = "00D000000000001EAA"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one registered org, which nobody can reach."""
    (tmp_path / "sfnb.toml").write_text(
        '[orgs.demo]\nlogin = "token"\ninstance_url = "http://127.0.0.1:9"\n'
        f'org_id = "{ORG}"\n[orgs.demo.secrets]\ntoken = "env:NO_TOKEN"\n',
        "utf-8",
    )
    monkeypatch.setenv("SFNB_HOME", str(tmp_path))
    monkeypatch.delenv("SFNB_STATE_URL", raising=False)
    return tmp_path


@pytest.fixture
def state(home: Path) -> Any:
    with open_state(f"sqlite:///{home / 'state.db'}") as opened:
        yield opened


def test_a_limit_is_set_shown_and_audited(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """P6: what `limit` sets, `limit` shows and `audit` tells, with the reason; no call is made for it."""
    assert run(["limit", "demo", "60", "--reason", "quarter's end"]) == 0
    assert run(["limit", "demo", "30", "--api", "bulk2"]) == 0
    capsys.readouterr()
    assert run(["limit", "demo", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {row["api"]: row["percent"] for row in shown["limits"]} == {
        "api": 60,
        "bulk": 60,
        "bulk2": 30,
        "bulk2_mb": 60,
    }
    assert (shown["limits"][0]["used"], shown["limits"][0]["is_known"]) == (None, False)
    assert run(["audit", "demo", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(e["api"], e["old"], e["new"], e["reason"]) for e in told] == [
        ("all", 50, 60, "quarter's end"),
        ("bulk2", 60, 30, ""),
    ]
    assert run(["audit"]) == 0
    assert "50 % → 60 %" in capsys.readouterr().out


def test_restores_get_a_limit_of_their_own(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--for restore` sets it, `limit` shows both, the audit log says whose, `none` takes it away."""
    assert run(["limit", "demo", "90", "--for", "restore", "--api", "api", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["limits"]
    assert (row["percent"], row["restore_percent"], row["has_reserve"]) == (50, 90, True)
    assert run(["limit", "demo"]) == 0
    shown = capsys.readouterr().out
    assert "FOR RESTORES %" in shown and "90" in shown
    assert run(["audit"]) == 0
    told = capsys.readouterr().out
    assert "restores" in told and "as for all jobs → 90 %" in told
    assert run(["limit", "demo", "none", "--for", "restore"]) == 0
    capsys.readouterr()
    assert run(["limit", "demo", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["limits"]
    assert {(row["restore_percent"], row["has_reserve"]) for row in rows} == {(50, False)}
    assert run(["limit", "demo", "none"]) == 2
    assert run(["limit", "demo", "60", "--for", "backup"]) == 2
    assert run(["audit", "verify"]) == 0


@pytest.mark.parametrize("percent", ["0", "101", "abc", "-5", "50.5", "60 %%", ""])
def test_a_wrong_percent_is_wrong_usage(
    home: Path, capsys: pytest.CaptureFixture[str], percent: str
) -> None:
    """One clear sentence, exit 2, nothing changed."""
    assert run(["limit", "demo", percent]) == 2
    assert capsys.readouterr().err.count("whole number from 1 to 100") == 1
    assert run(["audit", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_an_unknown_org_is_wrong_usage(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and the name is in the sentence."""
    for command in (["limit", "nope", "60"], ["audit", "nope"]):
        assert run(command) == 2
        assert "nope" in capsys.readouterr().err
    assert run(["jobs", "nope"]) == 0
    assert "'nope', and no such org is registered" in capsys.readouterr().out


def test_audit_verify_tells_damage_by_its_exit_code(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """P6: 0 for a good log, 1 and the line for a changed one."""
    assert run(["limit", "demo", "60"]) == 0
    assert run(["audit", "verify"]) == 0
    assert "intact: 1 line, head" in capsys.readouterr().out
    raw = sqlite3.connect(home / "state.db")
    raw.execute("UPDATE audit SET who = 'nobody'")
    raw.commit()
    raw.close()
    assert run(["audit", "verify"]) == 1
    assert "line 1 was changed" in capsys.readouterr().out


def test_jobs_are_listed_paused_and_cancelled(
    home: Path, state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prefix of the id is enough; a job that runs is asked, one that nobody runs is cancelled at once."""
    job = state.jobs.create("backup", "demo", ORG, {}, ["Account"])
    with state.jobs.lease(job.job_id):
        assert run(["pause", job.job_id[:6]]) == 0
        assert state.jobs.wanted(job.job_id) == "pause"
    assert run(["pause", job.job_id]) == 0
    assert "is not running" in capsys.readouterr().out
    assert run(["cancel", job.job_id[:6]]) == 0
    assert run(["cancel", job.job_id]) == 2
    assert "is cancelled; there is nothing to cancel" in capsys.readouterr().err
    assert run(["jobs", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["job_id"], told["state"], told["calls"]["api"]) == (job.job_id, "cancelled", 0)
    assert run(["jobs"]) == 0
    assert job.job_id in capsys.readouterr().out
    assert run(["cancel", "zz"]) == 2
