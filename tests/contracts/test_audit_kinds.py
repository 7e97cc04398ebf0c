"""P6: one chain for all that is audited, also where an older sfnb wrote its beginning."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select, update

from sfnb.clock import FakeClock
from sfnb.memory import State, open_state
from sfnb.model import JobState
from sfnb.state import schema
from tests.command_line import CommandLine

ORG = "00D000000000001EAA"
AUDIT = schema.audit
FIXTURES = Path(__file__).parents[1] / "fixtures"
OLD_HEAD = "7b2a43ed0481bb56bd27ff5664a9e60dc02505cc7baaf0ed1401c83396597f6f"
"""What `sfnb audit verify` printed when state-0007.sql was written, by sfnb at revision 0007."""


@pytest.fixture
def log(state: State) -> State:
    """A line of each form: two limits, a job from start to end, a hold."""
    state.ledger.set_limits(ORG, 60, who="ada", org="demo")
    state.ledger.set_limits(ORG, 90, who="ada", org="demo", kind="restore")
    job = state.jobs.create("restore", "demo", ORG, {}, ["Account"], "20261101T000000Z-000000")
    state.jobs.update(job.job_id, state=JobState.RUNNING)
    state.jobs.add_outcome(job.job_id, restored={"created": 3, "refused": 1}, rejects="x.csv")
    state.jobs.update(job.job_id, state=JobState.COMPLETED_WITH_ERRORS)
    state.audit.record(
        "hold", "added", org="demo", org_id=ORG, subject="h1", reason="case 7", details={"n": 2}
    )
    return state


def test_a_restore_writes_a_line_when_it_is_made_and_when_it_ends(log: State) -> None:
    """P6: the lines name the job, the snapshot and the counts; kinds filter, orgs filter."""
    first, second = log.audit.entries(kinds=["restore"])
    assert (first.action, first.facts()["snapshot"]) == ("started", "20261101T000000Z-000000")
    assert (second.action, second.subject) == ("completed_with_errors", first.subject)
    assert second.facts() == {"restored": {"created": 3, "refused": 1}}
    assert [e.kind for e in log.audit.entries("demo", ["hold", "limit"])] == [
        *("limit", "limit"),
        "hold",
    ]
    assert log.audit.entries("other", ["hold"]) == [] and log.audit.verify() == []


def test_a_backup_is_no_matter_of_the_audit_log(log: State) -> None:
    """It changes nothing that was there."""
    before = log.audit.head()
    job = log.jobs.create("backup", "demo", ORG, {}, ["Contact"])
    log.jobs.update(job.job_id, state=JobState.CANCELLED)
    assert log.audit.head() == before


def test_any_field_of_any_kind_of_line_is_in_the_chain(log: State) -> None:
    """P6: a limit made into another kind, an action, a subject or a detail that was changed is found."""
    missed = []
    for seq in range(1, 6):
        for column in (c for c in AUDIT.columns if c.name != "seq"):
            here = AUDIT.c.seq == seq
            with log.database.write() as connection:
                before = connection.execute(select(column).where(here)).scalar_one()
                values = {column: 99 if isinstance(before, int) else "hold"}
                if before == "hold":
                    values = {column: "limit"}
                connection.execute(update(AUDIT).where(here).values(values))
            if not any(f"line {seq}" in finding for finding in log.audit.verify()):
                missed.append((seq, column.name))
            with log.database.write() as connection:
                connection.execute(update(AUDIT).where(here).values({column: before}))
    assert missed == [] and log.audit.verify() == []


def test_a_line_of_another_kind_does_not_set_a_limit(log: State) -> None:
    """The limits in force are compared with the lines about limits alone."""
    log.audit.record("schedule", "added", org="demo", org_id=ORG, subject="nightly")
    assert log.audit.verify() == []
    with pytest.raises(ValueError, match="known kind"):
        log.audit.record("nonsense", "added", org="demo", org_id=ORG)


def test_what_fails_leaves_no_line(log: State) -> None:
    """A line says what was done, so what was not done has none."""
    before = log.audit.head()
    with (
        pytest.raises(OSError, match="full"),
        log.audit.recorded("org", org="x", org_id=ORG, action="added"),
    ):
        raise OSError("disk full")
    assert log.audit.head() == before


def test_the_log_of_an_older_sfnb_stays_verifiable_byte_for_byte(tmp_path: Path) -> None:
    """P6: the migration keeps each hash; a line that was changed before it is found after it."""
    for name, tampering in (("good", ""), ("bad", "UPDATE audit SET kind = '' WHERE seq = 2")):
        path = tmp_path / f"{name}.db"
        database = sqlite3.connect(path)
        database.executescript((FIXTURES / "state-0007.sql").read_text(encoding="utf-8"))
        database.executescript(tampering)
        database.close()
        with open_state(f"sqlite:///{path}", clock=FakeClock()) as state:
            assert state.audit.head() == (4, OLD_HEAD)
            found = state.audit.verify()
            if name == "bad":
                assert any("line 2 was changed" in says for says in found)
                continue
            assert found == []
            assert [(e.kind, e.limit_of) for e in state.audit.entries()][:2] == [
                ("limit", ""),
                ("limit", "restore"),
            ]
            state.audit.record("hold", "added", org="demo", org_id=ORG, subject="h1")
            state.ledger.set_limits(ORG, 70, org="demo")
            entries = state.audit.entries()
            assert entries[4].previous_hash == OLD_HEAD and state.audit.verify() == []


def test_registering_and_removing_an_org_is_audited(tmp_path: Path) -> None:
    """`sfnb audit --kind org` tells who did it, and no secret (P7)."""
    home = CommandLine(tmp_path / "home", NIGHT_TOKEN="very-secret-token")
    add = ("org", "add", "acme", "--no-check", "--instance-url", "https://acme.example.com")
    assert home(*add, "--access-token-env", "NIGHT_TOKEN").code == 0
    assert home(*add, "--access-token-env", "NIGHT_TOKEN").code == 2
    assert home("org", "remove", "acme").code == 0
    lines = home("audit", "--kind", "org", "--json").json
    assert [(e["action"], e["subject"], e["kind"]) for e in lines] == [
        ("added", "acme", "org"),
        ("removed", "acme", "org"),
    ]
    assert "secret" not in json.dumps(lines) and lines[0]["details"]["login"] == "token"
    assert home("audit", "--kind", "prune", "--json").json == []
    assert home("audit", "--kind", "nonsense").code == 2
    assert "acme" in home("audit").out and home("audit", "verify").code == 0
