"""All orgs beside each other: what is wrong, who is worst, and that the state alone says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from sfnb.clock import FakeClock
from sfnb.fleet import fleet_of
from sfnb.fleet.orgs import next_pause
from sfnb.fleet.ranking import FleetOrg, Level, Use, Worry, ranked, worries_of
from sfnb.installation import Installation
from sfnb.model import JobState
from sfnb.settings import OrgConfig, Settings
from sfnb.state import schema
from sfnb.state.fleet import Check, GoodBackup, LiveJob, Trouble, minute_of
from sfnb.ui.fleet import fleet_html

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def good(hours: float) -> GoodBackup:
    at = NOW - timedelta(hours=hours)
    return GoodBackup("20260302T000000Z-aaaaaa", at, at + timedelta(minutes=5))


FINE = FleetOrg("fine", "00D1", Use(10, 100, 50, 50, NOW), good(6), check=Check(NOW, 0))


def job(state: JobState, *, is_held: bool = True) -> LiveJob:
    return LiveJob("ab12", "backup", state, NOW, is_held)


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, Level.FINE, ""),
        ({"check": Check(NOW, 2, "Account part.parquet")}, Level.DAMAGED, "2 damaged places"),
        ({"good": None}, Level.BAD, "no backup of all its objects"),
        ({"good": good(30)}, Level.WARNING, "30 h old"),
        ({"good": good(24 * 8)}, Level.BAD, "8 days old"),
        ({"trouble": Trouble(3, "login refused")}, Level.BAD, "3 jobs went wrong"),
        ({"jobs": (job(JobState.RUNNING),)}, Level.FINE, ""),
        ({"jobs": (job(JobState.RUNNING, is_held=False),)}, Level.BAD, "interrupted"),
        ({"jobs": (job(JobState.PAUSED),)}, Level.WARNING, "is paused"),
        ({"jobs": (job(JobState.PAUSED, is_held=False),)}, Level.WARNING, "no process waits"),
        ({"use": None}, Level.NOTICE, "not known"),
        ({"use": Use(50, 100, 50, 50, NOW)}, Level.WARNING, "limit of 50 %"),
        ({"use": Use(9, 100, 50, 50, NOW, is_known=False)}, Level.NOTICE, "not known"),
        ({"next_pause_at": NOW + timedelta(hours=3)}, Level.NOTICE, "in 3 h"),
        ({"next_pause_at": NOW + timedelta(hours=30)}, Level.FINE, ""),
    ],
)
def test_what_is_wrong(changes: dict[str, Any], level: Level, words: str) -> None:
    """Each thing that a person would have to do something about is said, and how bad it is."""
    org = replace(FINE, **changes)
    found = worries_of(org, NOW)
    assert max((one.level for one in found), default=Level.FINE) == level
    assert words in "; ".join(one.text for one in found)
    assert bool(found) == bool(words)


levels = st.sampled_from([one for one in Level if one])
orgs = st.builds(
    lambda name, found, hours: replace(
        FINE,
        name=name,
        good=None if hours is None else good(hours),
        worries=tuple(Worry(level, "w") for level in sorted(found, reverse=True)),
    ),
    st.text("abc", min_size=1, max_size=3),
    st.lists(levels, max_size=3),
    st.none() | st.integers(1, 900),
)


@given(st.lists(orgs, max_size=8), st.randoms())
def test_the_worst_is_first(fleet: list[FleetOrg], chance: Any) -> None:
    """The order is by level, whatever order they came in; an older good backup is worse."""
    found = ranked(fleet, NOW)
    assert [org.level for org in found] == sorted((org.level for org in fleet), reverse=True)
    shuffled = list(fleet)
    chance.shuffle(shuffled)
    assert ranked(shuffled, NOW) == found
    for one, other in pairwise(found):
        same = [w.level for w in one.worries] == [w.level for w in other.worries]
        if same and one.good and other.good:
            assert one.good.started_at <= other.good.started_at


def spent_by_others(at: datetime) -> int:
    """In the ten minutes to that moment: at noon, much from Monday to Friday, little at the weekend."""
    if not 720 < at.hour * 60 + at.minute <= 780:
        return 0
    return 100 if at.weekday() < 5 else 20


def test_a_pause_is_foreseen() -> None:
    """On a Monday morning, an org whose others work from Monday to Friday reaches its limit at noon."""
    readings = []
    for slot in range(8 * 144 + 1):
        at = NOW - timedelta(days=8) + timedelta(minutes=10 * slot)
        day = [spent_by_others(at - timedelta(minutes=10 * ago)) for ago in range(144)]
        readings.append((minute_of(at), sum(day), 1_000))
    at = next_pause(readings, [], 40, NOW)
    assert at is not None and NOW + timedelta(hours=4) < at <= NOW + timedelta(hours=5)
    assert next_pause(readings, [], 95, NOW) is None
    assert next_pause([], [], 50, NOW) is None
    assert next_pause(readings[:100], [], 50, NOW) is None  # no reading of the last day


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    settings = Settings(
        home=tmp_path,
        state_url=f"sqlite:///{(tmp_path / 'state.db').as_posix()}",
        store_root=str(tmp_path / "store"),
        orgs={
            "acme": OrgConfig("acme", "token", "https://acme.example", org_id="00D000000000001AAA"),
            "new": OrgConfig("new", "token", "https://new.example"),
        },
    )
    with Installation(settings, FakeClock(start=NOW)) as here:
        yield here


Run = Callable[..., str]


@pytest.fixture
def run(installation: Installation) -> Run:
    """Lets a job begin and end."""

    def make(
        org_id: str,
        state: JobState,
        *,
        org: str = "acme",
        hours: float,
        kind: str = "backup",
        **more: Any,
    ) -> str:
        jobs = installation.state.jobs
        made = jobs.create(kind, org, org_id, {}, more.pop("objects", None), "snap-" + org)
        at = NOW - timedelta(hours=hours)
        jobs.update(made.job_id, state=JobState.RUNNING, started_at=at)
        if state is not JobState.RUNNING:
            jobs.update(made.job_id, state=state, ended_at=at, **more)
        return made.job_id

    return make


def test_the_state_alone_says_it(installation: Installation, run: Run) -> None:
    """
    Failures count since the last good backup of all objects; orgs of other homes are there, too; and
    nothing is asked of an org or its store.
    """
    acme, other = "00D000000000001AAA", "00D000000000002AAA"
    run(acme, JobState.FAILED, hours=60, error="long ago")
    run(acme, JobState.COMPLETED, hours=50)
    run(acme, JobState.COMPLETED, hours=2, objects=["Case"])
    run(acme, JobState.FAILED, hours=20, error="first")
    run(acme, JobState.COMPLETED_WITH_ERRORS, hours=10, error=None)
    run(acme, JobState.COMPLETED_WITH_ERRORS, hours=5, kind="archive")
    run(other, JobState.COMPLETED, org="elsewhere", hours=3)
    installation.state.fleet.put_check(acme, Check(NOW, 1, "Account: a byte is wrong"))
    installation.state.fleet.put_check(acme, Check(NOW, 0))
    with installation.state.database.write() as connection:
        gauge = {"own": 5, "max": 1_000, "is_known": True, "read_at": NOW, "api": "api"}
        connection.execute(insert(schema.gauges), {**gauge, "org_id": other, "used": 95})
    found = {org.name: org for org in fleet_of(installation)}
    assert set(found) == {"acme", "new", "elsewhere"}
    assert found["acme"].trouble == Trouble(2, "some objects could not be read")
    assert found["acme"].age_s(NOW) == 50 * 3600
    assert found["acme"].check == Check(NOW, 0)
    assert found["elsewhere"].use == Use(100, 1_000, 50, 500, NOW)
    assert found["elsewhere"].level == Level.FINE
    assert found["new"].level == Level.BAD
    assert [org.name for org in fleet_of(installation)][-1] == "elsewhere"


def test_a_forecast_is_kept_until_there_is_something_new(
    installation: Installation, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen that looks every few seconds costs no new forecast; a new reading does."""
    org_id = "00D000000000001AAA"
    made: list[int] = []

    def forecast(readings: list[Any], *_: Any) -> datetime:
        made.append(len(readings))
        return NOW

    monkeypatch.setattr("sfnb.fleet.orgs.next_pause", forecast)
    run(org_id, JobState.COMPLETED, hours=2)

    def read(minutes: int) -> None:
        at = NOW - timedelta(minutes=minutes)
        sample = {"org_id": org_id, "api": "api", "minute_at": at, "at": at, "source": "limits"}
        gauge = {"org_id": org_id, "api": "api", "own": 0, "is_known": True, "read_at": at}
        with installation.state.database.write() as connection:
            connection.execute(insert(schema.samples), {**sample, "used": 9, "max": 100})
            connection.execute(delete(schema.gauges))
            connection.execute(insert(schema.gauges), {**gauge, "used": 9, "max": 100})

    read(90)
    for _ in range(3):
        assert {org.next_pause_at for org in fleet_of(installation)} >= {NOW}
    assert made == [1]
    read(30)
    fleet_of(installation)
    assert made == [1, 2]


def test_a_live_job_is_shown(installation: Installation, run: Run) -> None:
    """What runs, and what was killed."""
    job_id = run("00D000000000001AAA", JobState.RUNNING, hours=1)
    with installation.state.jobs.lease(job_id):
        running = next(org for org in fleet_of(installation) if org.name == "acme")
    assert [(one.job_id, one.is_held) for one in running.jobs] == [(job_id, True)]


def test_html_holds_no_markup_of_names() -> None:
    """P8's kind: a name or an error from elsewhere cannot run as script."""
    nasty = replace(FINE, name="<script>x</script>", trouble=Trouble(1, "<img onerror=y>"))
    nasty = replace(nasty, worries=tuple(worries_of(nasty, NOW)))
    text = fleet_html([nasty], NOW, lambda _: "/org/'onclick='x")
    assert "<script" not in text and "<img" not in text and "'onclick" not in text
    assert "No org is registered yet" in fleet_html([], NOW)


def test_the_command(installation: Installation, run: Run, capsys: Any, monkeypatch: Any) -> None:
    """The words of `sfnb fleet --json` are fixed; the table has the same orgs."""
    from sfnb.cli.main import run as command

    monkeypatch.setenv("SFNB_HOME", str(installation.settings.home))
    assert command(["fleet"]) == 0
    assert "No org is registered yet" in capsys.readouterr().out
    run("00D000000000002AAA", JobState.COMPLETED, org="elsewhere", hours=3)
    assert command(["fleet", "--json"]) == 0
    (org,) = json.loads(capsys.readouterr().out)
    assert org["last_good"]["snapshot"] == "snap-elsewhere" and org["last_good"]["age_s"] > 0
    assert set(org) == {
        *("org", "org_id", "level", "worries", "use", "last_good", "next_pause_at", "failures"),
        *("last_error", "damage", "verified_at", "jobs"),
    }
    assert command(["fleet"]) == 0
    assert "elsewhere" in capsys.readouterr().out
