"""
One contract for all executors: where units run does not show in what is stored, spent or promised.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfnb import engine
from sfnb.backup.cluster.coordinator import Cluster
from sfnb.backup.worker import ExecutorKind, WorkerSpec
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.installation import connect
from sfnb.jobs import events
from sfnb.store.verify import verify
from tests.conftest import RunningOrg
from tests.contracts.dask_cluster import DaskCluster
from tests.faults.conftest import settings_for

BIG = "Contact"
OBJECTS = ["Account", BIG, "Case", "ContentDocument", "ContentDocumentLink"]


@pytest.fixture(scope="module")
def patient() -> Iterator[None]:
    """Bulk results in several pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sfnb.backup.plan.BULK_PAGE_ROWS", 3_000)
        yield


@pytest.fixture(scope="module")
def undisturbed(
    executor_org: RunningOrg, tmp_path_factory: pytest.TempPathFactory, patient: None
) -> tuple[dict[str, pa.Table], dict[str, list[tuple[int, int, bool]]]]:
    """What threads store: rows, and each object's commits."""
    home = tmp_path_factory.mktemp("whole")
    with connect("demo", settings=settings_for(executor_org, home)) as there:
        summary = engine.run(there, backup(objects=OBJECTS))
        return rows_of(there, summary), commits_of(there, summary)


def rows_of(there: Connection, summary: dict[str, Any]) -> dict[str, pa.Table]:
    snapshot = there.snapshots[summary["snapshot"]]
    return {name: snapshot.table(name).sort_by("Id") for name in OBJECTS}


def commits_of(
    there: Connection, summary: dict[str, Any]
) -> dict[str, list[tuple[int, int, bool]]]:
    """Of each object: parts, rows and end of each commit."""
    from sfnb.store.log import read_commits
    from sfnb.store.paths import records_path

    return {
        name: [
            (len(commit.parts), commit.progress.rows, commit.progress.is_done)
            for commit in read_commits(
                there.store.files.below(records_path(name)), summary["snapshot"]
            )
        ]
        for name in OBJECTS
    }


@pytest.fixture(scope="module")
def executor_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    from sfnb_demo.server.options import Options
    from sfnb_demo.server.server import DemoServer

    options = Options(
        size="tiny",
        objects={BIG: 12_000},
        competitors="off",
        minutes_per_second=0.0,
        bulk_job_s=0.0,
        max_calls=1_000,
        header_lag_s=0.0,
    )
    with DemoServer(options, tmp_path_factory.mktemp("executor-org")) as server:
        yield RunningOrg(**server.ready(), server=server)


@pytest.fixture
def org(executor_org: RunningOrg) -> Iterator[RunningOrg]:
    yield executor_org
    executor_org.control("faults", method="DELETE")
    executor_org.control("clock", {"advance_minutes": 25 * 60})


@pytest.fixture
def there(org: RunningOrg, tmp_path: Path, patient: None) -> Iterator[Connection]:
    with connect("demo", settings=settings_for(org, tmp_path / "home")) as connection:
        yield connection


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"))
    try:
        cluster.add("one", "two")
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request: pytest.FixtureRequest, there: Connection) -> Iterator[ExecutorKind | Cluster]:
    """Where units run."""
    kind: ExecutorKind = request.param
    if request.param == "dask":
        with engine.cluster(there, request.getfixturevalue("dask").address) as cluster:
            yield cluster
    else:
        yield kind


Whole = tuple[dict[str, pa.Table], dict[str, list[tuple[int, int, bool]]]]


def check(there: Connection, org: RunningOrg, summary: dict[str, Any], whole: Whole) -> None:
    assert summary["state"] == "completed", summary
    rows, _ = whole
    for name, found in rows_of(there, summary).items():
        assert found.equals(rows[name]), name
    assert [finding for finding in verify(there.store) if finding.kind != "orphan"] == []


def test_the_same_rows_commits_and_calls(
    there: Connection, org: RunningOrg, executor: ExecutorKind | Cluster, undisturbed: Whole
) -> None:
    """P2: rows, commits and the count of calls are the same wherever units run."""
    mark = org.mark()
    summary = engine.run(there, backup(objects=OBJECTS), executor=executor, workers=2)
    check(there, org, summary, undisturbed)
    assert commits_of(there, summary) == undisturbed[1]
    spent = org.ledger(after=mark)["spent"]["api"]
    assert summary["calls"]["api"] == spent
    assert sum(entry["calls"] for entry in summary["objects"].values()) <= spent


def test_the_threshold_is_kept(
    there: Connection, org: RunningOrg, executor: ExecutorKind | Cluster, undisturbed: Whole
) -> None:
    """P1: workers anywhere keep one budget; the job pauses, and a later run ends it equal."""
    org.control("quota", {"spend": {"api": 496}})
    mark = org.mark()
    summary = engine.run(
        there, backup(objects=OBJECTS), executor=executor, workers=2, on_pause="exit"
    )
    assert summary["state"] == "paused"
    ledger = org.ledger(after=mark, threshold=500)
    assert ledger["over_threshold"] == 0 and ledger["over_reading"] == 0
    org.control("clock", {"advance_minutes": 25 * 60})
    done = engine.resume(there, summary["job_id"], executor=executor, workers=2, on_pause="exit")
    check(there, org, done, undisturbed)


def test_cancel_ends_it(
    there: Connection, org: RunningOrg, executor: ExecutorKind | Cluster
) -> None:
    """A person's cancel ends the job wherever its units run; what was read stays readable."""

    def cancel(event: events.Event) -> None:
        if isinstance(event, events.ObjectProgress) and event.rows:
            engine.control(there).cancel(event.job_id)

    summary = engine.run(there, backup(objects=OBJECTS), executor=executor, workers=2, emit=cancel)
    assert summary["state"] == "cancelled"
    assert there.snapshots[summary["snapshot"]].objects


def test_a_worker_that_dies_loses_nothing(
    there: Connection, org: RunningOrg, undisturbed: Whole
) -> None:
    """
    P2: worker processes killed amid their units: the units run again, and no row is lost or
    doubled.
    """
    killed: list[int] = []

    def kill(event: events.Event) -> None:
        is_reading = isinstance(event, events.ObjectProgress) and event.rows
        workers = multiprocessing.active_children()
        if is_reading and len(killed) < 2 and workers:
            workers[0].kill()
            killed.append(workers[0].pid or 0)

    summary = engine.run(there, backup(objects=OBJECTS), executor="processes", workers=2, emit=kill)
    assert len(killed) == 2
    check(there, org, summary, undisturbed)


def test_no_token_in_a_spec(there: Connection) -> None:
    """P7: what a worker process is given holds the session's token; its repr does not."""
    session = there.client.open_session
    config = there.settings.org("demo")
    spec = WorkerSpec(config, session, "66.0", there.settings.state_url, "ab12")
    assert session.token and session.token not in repr(spec)


def test_a_unit_that_kills_its_worker_each_time_ends_the_job(
    there: Connection, org: RunningOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A machine that kills every worker is not fought for ever: the job fails in a sentence and can be
    resumed.
    """
    monkeypatch.setattr("sfnb.backup.worker._start_worker", os._exit)
    failing: Callable[..., Any] = engine.run
    with pytest.raises(Exception, match="Check the machine's memory"):
        failing(there, backup(objects=["Account"]), executor="processes", workers=1)
    assert there.state.jobs.find()[-1].state == "failed"
