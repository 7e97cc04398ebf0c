"""The usage report against a demo org that knows each call: eight simulated days with other apps that spend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import requests

from sfnb.clock import FakeClock
from sfnb.memory import State, open_state
from sfnb.org.client import OrgClient
from sfnb.org.opening import open_client
from sfnb.org.transport import call_context
from sfnb.report import html_report
from sfnb.settings import OrgConfig, Settings
from sfnb.usage import Review, load_history, review_of
from sfnb.usage.collect import collect
from sfnb_demo.server.other_apps import APPS
from sfnb_demo.server.usage_report import REPORT_ID
from tests.conftest import RunningOrg

START = datetime(2026, 3, 18, 7, 0, tzinfo=UTC)
DAYS = 8


@dataclass
class Scene:
    """A demo org and our side of it, on one clock that the test moves."""

    demo: RunningOrg
    org: OrgClient
    state: State
    clock: FakeClock

    def pass_time(self, minutes: int) -> None:
        assert self.demo.server is not None
        self.demo.server.org.clock.advance(minutes)
        self.clock.advance(minutes * 60)

    def review(self, days: int = DAYS) -> Review:
        history = load_history(self.state, "demo", self.org.org_id, days=days, now=self.clock.now())
        return review_of(history, ZoneInfo("Europe/Berlin"))

    def truth(self) -> dict[datetime, Counter[str]]:
        """Calls that counted, by hour and app, as the server knows them; ours under ``sfnb``."""
        assert self.demo.server is not None
        server = self.demo.server.org
        found: dict[datetime, Counter[str]] = {}
        for call in server.calls.since():
            hour_at = datetime.fromtimestamp(call.at_s // 3600 * 3600, UTC)
            found.setdefault(hour_at, Counter())["sfnb"] += call.spent.get("api", 0)
        first = int((START - timedelta(days=1)).timestamp() // 86_400)
        for day in range(first, int(self.clock.now().timestamp() // 86_400) + 1):
            for index, app in enumerate(APPS):
                calls = server.other_apps.calls(index, day)
                for hour in range(24):
                    hour_at = datetime.fromtimestamp(day * 86_400 + hour * 3600, UTC)
                    found.setdefault(hour_at, Counter())[app.name] += int(
                        calls[hour * 60 : hour * 60 + 60].sum()
                    )
        return found


@pytest.fixture
def play(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Scene]]:
    """Eight days: a sample every half hour, a job each night, the event log read each day."""
    opened: list[Scene] = []

    def played(*, has_event_log: bool, days: int = DAYS, step_minutes: int = 30) -> Scene:
        demo = fresh_org(
            competitors="on", max_calls=15_000, start_at=START, has_event_log=has_event_log
        )
        monkeypatch.setenv("T_TOKEN", demo.access_token)
        clock = FakeClock(START)
        config = OrgConfig(
            "demo",
            "token",
            instance_url=demo.url,
            secrets={"token": "env:T_TOKEN"},
            org_id=demo.org_id,
            header_lag_s=0,
        )
        settings = Settings(
            tmp_path,
            f"sqlite:///{tmp_path / 'state.db'}",
            str(tmp_path / "store"),
            orgs={"demo": config},
        )
        state = open_state(settings.state_url, clock=clock)
        scene = Scene(demo, open_client(settings, "demo", state=state, clock=clock), state, clock)
        opened.append(scene)
        for step in range(days * 24 * 60 // step_minutes):
            hour, minute = divmod(step * step_minutes, 60)
            if (hour % 24, minute) == (19, 0):
                spend(scene, calls=40)
            if (hour % 24, minute) == (4, 0):
                assert collect(scene.org, state, clock).problem == "" or not has_event_log
            scene.org.limits()
            scene.pass_time(step_minutes)
        scene.org.limits()
        collect(scene.org, state, clock)
        return scene

    yield played
    for scene in opened:
        scene.org.close()
        scene.state.close()


def spend(scene: Scene, *, calls: int) -> None:
    """A job that makes some calls, a few each minute."""
    job = scene.state.jobs.create("backup", "demo", scene.org.org_id, {}, ["Account"])
    with call_context(job_id=job.job_id, object_name="Account"):
        for _ in range(calls):
            scene.org.request("GET", "sobjects/Account/describe")
    scene.state.jobs.update(job.job_id, state="running")
    scene.state.jobs.update(job.job_id, state="completed")


def counted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["api"] == "api"].set_index("hour_at")


def test_with_the_event_log_each_hour_is_exact(play: Callable[..., Scene]) -> None:
    """Where the event log covers an hour, the report has each app's calls and the whole exactly as the server does."""
    scene = play(has_event_log=True, step_minutes=60)
    review, truth = scene.review(), scene.truth()
    hours = counted(review.hours)
    logged = hours[hours["source"] == "event log"]
    assert len(logged) >= (DAYS - 1) * 24
    for hour_at, row in logged.iterrows():
        real = truth[hour_at.to_pydatetime()]
        assert row["calls"] == real.total()
        assert row["sfnb_jobs"] + row["sfnb_other"] == real["sfnb"]
        assert row["other_apps"] == row["other_named"] == real.total() - real["sfnb"]
    by_app = review.callers.groupby(["hour_at", "app"])["calls"].sum()
    for (hour_at, app), calls in by_app.items():
        name = app if app in {one.name for one in APPS} else "sfnb"
        assert calls == truth[hour_at.to_pydatetime()][name]
    assert (review.reconciliation["difference_pct"].abs() < 1).all()
    assert not [
        notice for notice in review.notices if notice.code in ("no_event_log", "difference")
    ]


def test_each_log_file_is_read_once(play: Callable[..., Scene]) -> None:
    """The event log is read incrementally: each file is downloaded once, and the second look brings nothing."""
    scene = play(has_event_log=True, days=3)
    calls = scene.demo.ledger(calls=True)["calls"]
    downloads = Counter(call["target"] for call in calls if call["target"].endswith("/LogFile"))
    assert downloads
    assert set(downloads.values()) == {1}
    before = len(scene.demo.ledger(calls=True)["calls"])
    collected = collect(scene.org, scene.state, scene.clock)
    assert (collected.files, collected.problem) == (0, "")
    assert (
        len(scene.demo.ledger(calls=True)["calls"]) == before + 2
    )  # one for the limits, one for the list


def test_with_samples_only_the_report_stays_within_one_percent(play: Callable[..., Scene]) -> None:
    """Without an event log, each hour's rolling use and each day's sum are within 1 % of the truth, and it says so."""
    scene = play(has_event_log=False)
    review, truth = scene.review(), scene.truth()
    usage = counted(review.usage)
    assert len(usage) >= DAYS * 24
    for _, row in usage.iterrows():
        at = row["at"].to_pydatetime()
        assert scene.demo.server is not None
        others = scene.demo.server.org.other_apps.used("api", at.timestamp())
        own = row["sfnb_running"] + row["sfnb_completed"] + row["sfnb_other"]
        assert abs(row["used"] - others - own) <= 0.01 * row["max"]
        assert (
            row[["sfnb_running", "sfnb_completed", "sfnb_other", "other_apps"]].sum() == row["used"]
        )
    hours = counted(review.hours)
    known = hours[hours["source"] == "counter"].loc[
        : pd.Timestamp(scene.clock.now()) - pd.Timedelta(hours=1)
    ]
    frame = pd.DataFrame({"told": known["calls"].astype(float)})
    frame["real"] = [truth[at.to_pydatetime()].total() for at in frame.index]
    days = frame.groupby(frame.index.date)[["told", "real"]].sum()[
        frame.groupby(frame.index.date).size() == 24
    ]
    assert len(days) == DAYS - 1
    assert abs(frame["told"].sum() - frame["real"].sum()) <= 0.01 * frame["real"].sum()
    assert ((days["told"] - days["real"]).abs() <= 0.01 * days["real"]).all()
    told = [notice.detail for notice in review.notices if notice.code == "no_event_log"]
    assert told
    assert "View Event Log Files" in told[0]


def test_without_an_event_log_the_usage_report_tells_the_users(play: Callable[..., Scene]) -> None:
    """Each user's calls of each whole day are the server's, asked for once a day, and the difference is shown."""
    scene = play(has_event_log=False, days=3, step_minutes=60)
    runs = [
        call
        for call in scene.demo.ledger(calls=True)["calls"]
        if "/analytics/reports/00O" in call["target"]
    ]
    assert (
        len(runs) == 3
    )  # at 04:00 of each of three days; the look at the end comes too early for another
    assert all(call["spent"] == {"api": 1} for call in runs)
    collect(scene.org, scene.state, scene.clock)
    asked = [
        call for call in scene.demo.ledger(calls=True)["calls"] if "/analytics/" in call["target"]
    ]
    assert len(asked) == 2 * len(runs)  # the list, and the report
    review = scene.review(days=7)
    assert review.has_reported_users
    server = scene.demo.server
    assert server is not None
    users = server.org.sessions.organization.users
    whole = {line.day.isoformat() for line in scene.review().history.user_days if line.is_whole}
    assert len(whole) >= 6
    told = review.user_days.groupby(["day", "user"])["calls"].sum()
    for day in sorted(whole & set(review.user_days["day"])):
        start = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
        real: Counter[str] = Counter()
        for index, app in enumerate(APPS):
            real[users[app.user].username] += int(
                server.org.other_apps.calls(index, int(start // 86_400)).sum()
            )
        for call in server.org.calls.between(start, start + 86_400):
            real[call.username] += call.spent.get("api", 0)
        assert dict(told[day]) == {user: calls for user, calls in real.items() if calls}
    compared = review.reported[review.reported["difference"].notna()]
    assert len(compared)
    assert ((compared["report"] + compared["difference"]) == compared["counter"]).all()
    codes = {notice.code: f"{notice.sentence} {notice.detail}" for notice in review.notices}
    assert "a difference of" in codes["usage_report"]
    assert "no_event_log" in codes
    page = html_report([review])
    assert users[APPS[0].user].username in page
    assert "Calls by user and calendar day" in page


def test_the_usage_report_wants_permissions(play: Callable[..., Scene]) -> None:
    """Who may not see the report is told so in a sentence, and the org is not asked again on the same day."""
    scene = play(has_event_log=False, days=1, step_minutes=60)
    assert scene.demo.server is not None
    server = scene.demo.server.org
    admin = server.sessions.admin
    other = next(
        user for user in server.sessions.organization.users if user.profile_id != admin.profile_id
    )
    token = server.sessions.open(other, server.sessions.app).token
    scene.demo.server.org.clock.advance(24 * 60)
    scene.clock.advance(24 * 3600)
    url = f"{scene.demo.url}/services/data/v66.0/analytics/reports"
    listed = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert listed.json() == []
    refused = requests.get(
        f"{url}/{REPORT_ID}", headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS")
    scene.demo.control(
        "faults", {"match": "/analytics/reports/", "fault": "error", "code": "INSUFFICIENT_ACCESS"}
    )
    for _ in range(2):
        collect(scene.org, scene.state, scene.clock)
    calls = [call for call in scene.demo.ledger(calls=True)["calls"] if call["fault"] == "error"]
    assert len(calls) == 1
    told = [
        f"{notice.sentence} {notice.detail}"
        for notice in scene.review(days=7).notices
        if notice.code == "no_usage_report"
    ]
    assert len(told) == 1
    assert "Manage Users" in told[0]


def test_a_closed_gate_leaves_a_report(play: Callable[..., Scene]) -> None:
    """P1: when the threshold is reached the log is not read, and the report says so instead of failing."""
    scene = play(has_event_log=True, days=1)
    scene.state.ledger.set_limits(scene.org.org_id, 1, who="test")
    scene.pass_time(24 * 60)
    collected = collect(scene.org, scene.state, scene.clock)
    assert collected.files == 0
    assert "to spare its allowance" in collected.problem
    review = scene.review(days=7)
    assert any("to spare its allowance" in notice.sentence for notice in review.notices)
    assert len(review.usage)
