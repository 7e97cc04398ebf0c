"""A Dask cluster under a backup: workers that die, what a cluster must have, and what it never sees."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import func, select

from sfnb import engine
from sfnb.backup.cluster.sealing import Reader, seal
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.errors import CallerError, JobError
from sfnb.installation import connect
from sfnb.jobs import events
from sfnb.settings import Settings
from sfnb.state import schema
from sfnb.store.verify import verify
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.contracts.dask_cluster import DIES_AT_AN_ANSWER, DIES_WITH_A_PART, DaskCluster
from tests.faults.conftest import settings_for

OBJECTS = ["Account", "Contact", "Case"]
ROWS = 12_000


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """One scheduler and one worker for the file; tests start the workers that they kill."""
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"))
    try:
        cluster.add("steady")
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def running_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    options = Options(
        size="tiny",
        objects={"Contact": ROWS},
        competitors="off",
        minutes_per_second=0.0,
        bulk_job_s=0.0,
        max_calls=1_000,
        header_lag_s=0.0,
    )
    with DemoServer(options, tmp_path_factory.mktemp("dask-org")) as server:
        yield RunningOrg(**server.ready(), server=server)


@pytest.fixture
def org(running_org: RunningOrg) -> Iterator[RunningOrg]:
    yield running_org
    running_org.control("faults", method="DELETE")
    running_org.control("clock", {"advance_minutes": 25 * 60})


def with_login(org: RunningOrg, home: Path) -> Settings:
    """An org that is logged in to, so that a session can be replaced by another one."""
    settings = settings_for(org, home)
    secret = home / "client"
    secret.write_text(org.client_secret)
    config = replace(
        settings.org("demo"),
        login="client",
        client_id=org.client_id,
        secrets={"client_secret": f"file:{secret}"},
    )
    return replace(settings, orgs={"demo": config})


@pytest.fixture
def there(org: RunningOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setattr("sfnb.backup.plan.BULK_PAGE_ROWS", 2_000)
    with connect("demo", settings=with_login(org, tmp_path / "home")) as connection:
        yield connection


def run(there: Connection, dask: DaskCluster, **options: Any) -> dict[str, Any]:
    with engine.cluster(there, dask.address) as cluster:
        return engine.run(there, backup(objects=OBJECTS), executor=cluster, **options)


def check_whole(there: Connection, summary: dict[str, Any], org: RunningOrg) -> list[Any]:
    """Every record is stored once; the orphans that lie beside them."""
    assert summary["state"] == "completed", summary
    for name in OBJECTS:
        entry = summary["objects"][name]
        assert org.server and entry["rows"] == org.server.org.database.count(name), name
        ids = there.snapshots[summary["snapshot"]].table(name).column("Id").to_pylist()
        assert len(ids) == len(set(ids)) == entry["rows"]
    found = verify(there.store)
    assert {finding.kind for finding in found} <= {"orphan"}
    return found


@pytest.mark.parametrize("moment", [DIES_AT_AN_ANSWER, DIES_WITH_A_PART], ids=["answer", "part"])
def test_a_killed_worker_loses_nothing(
    there: Connection, dask: DaskCluster, org: RunningOrg, moment: str
) -> None:
    """
    P1, P2: a worker is killed amid its unit: the unit runs again on another, what it left is not
    read, and its call counts as spent.
    """
    name = f"doomed-{'part' if moment == DIES_WITH_A_PART else 'answer'}"
    dask.add(name, preload=moment)
    mark = org.mark()
    summary = run(there, dask)
    assert dask.processes[name].wait(timeout=30) != 0
    orphans = check_whole(there, summary, org)
    assert len(orphans) == (1 if moment == DIES_WITH_A_PART else 0)
    assert summary["calls"]["api"] == org.ledger(after=mark)["spent"]["api"]
    assert 1 <= summary["workers"] <= 2
    with there.state.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.tickets)) == 0


def test_a_cluster_that_loses_its_last_worker_takes_a_new_one(
    there: Connection, dask: DaskCluster, org: RunningOrg
) -> None:
    """Units wait for a worker that comes later, and run there."""
    dask.add("only")
    steady = dask.processes.pop("steady")
    steady.kill()
    steady.wait()
    dask.wait_for(lambda names: "steady" not in names)
    done: list[str] = []

    def swap(event: events.Event) -> None:
        if isinstance(event, events.ObjectProgress) and event.rows and not done:
            done.append(event.object_name)
            dask.kill("only")
            dask.add("steady")

    summary = run(there, dask, emit=swap)
    assert done
    check_whole(there, summary, org)
    assert summary["workers"] == 2


def test_a_cluster_without_workers_ends_the_job_in_a_sentence(
    there: Connection, dask: DaskCluster, org: RunningOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever; the job can be resumed without the cluster, into the same snapshot."""
    monkeypatch.setattr("sfnb.backup.cluster.executor.WORKER_WAIT_S", 0.1)
    with DaskClusterOfOne(dask.folder / "lonely") as lonely:

        def kill(event: events.Event) -> None:
            if isinstance(event, events.JobPlanned):
                lonely.kill("one")

        with pytest.raises(JobError, match="has had no worker"):
            run(there, lonely, emit=kill)
    job = there.state.jobs.find()[-1]
    assert job.state == "failed"
    check_whole(there, engine.resume(there, job.job_id), org)


def test_a_scheduler_that_ends_ends_the_job_in_a_sentence(
    there: Connection, dask: DaskCluster, org: RunningOrg
) -> None:
    """The coordinator hears that nobody carries its units any more; what it has committed stays."""
    killed: list[str] = []
    with DaskClusterOfOne(dask.folder / "headless") as headless:

        def kill(event: events.Event) -> None:
            if isinstance(event, events.ObjectProgress) and event.rows and not killed:
                killed.append(event.object_name)
                headless.kill("scheduler")

        with pytest.raises(JobError, match="does not answer any more"):
            run(there, headless, emit=kill)
    assert killed
    check_whole(there, engine.resume(there, there.state.jobs.find()[-1].job_id), org)


class DaskClusterOfOne(DaskCluster):
    def __enter__(self) -> DaskClusterOfOne:
        self.add("one")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# -- the session


def test_a_new_session_reaches_the_workers(
    there: Connection, dask: DaskCluster, org: RunningOrg
) -> None:
    """A session that ends is renewed by the coordinator, once, and the workers go on with the new one."""
    ended: list[int] = []

    def end(event: events.Event) -> None:
        if isinstance(event, events.ObjectProgress) and event.rows and not ended:
            ended.append(event.rows)
            org.control("sessions", {"expire": True})

    before = there.client.open_session
    summary = run(there, dask, emit=end)
    assert ended
    check_whole(there, summary, org)
    assert there.client.open_session is not before


def test_no_session_lies_about_on_the_cluster(
    there: Connection, dask: DaskCluster, org: RunningOrg
) -> None:
    """
    P7: while a job runs and afterwards, no token and no secret is in the scheduler's memory, in a
    log, or in a file of a worker. The same search finds the token in the memory of a worker.
    """
    secrets = {org.client_secret}
    seen: dict[str, bool] = {}

    def look(event: events.Event) -> None:
        secrets.add(there.client.open_session.token)
        if isinstance(event, events.ObjectProgress) and event.rows == ROWS and not seen:
            for name in ("scheduler", "steady"):
                seen[name] = holds(dask.processes[name].pid, secrets)

    check_whole(there, run(there, dask, emit=look), org)
    assert len(secrets) == 2
    if sys.platform == "linux":  # where another process's memory can be read
        assert seen == {"scheduler": False, "steady": True}
        assert not holds(dask.processes["scheduler"].pid, secrets)
    files = [path for path in dask.folder.rglob("*") if path.is_file()]
    assert any(path.name == "steady.log" for path in files)
    assert [p for p in files if any(one.encode() in p.read_bytes() for one in secrets)] == []


def holds(pid: int, secrets: set[str]) -> bool:
    """Whether one of the secrets is in the memory of the process, as text of one or two bytes a letter."""
    wanted = [one.encode(coding) for one in secrets for coding in ("ascii", "utf-16-le")]
    if sys.platform != "linux":
        return False
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for begin, end in resident(pid):
            memory.seek(begin)
            try:
                body = memory.read(end - begin)
            except OSError:  # given back meanwhile
                continue
            if any(one in body for one in wanted):
                return True
    return False


def resident(pid: int) -> Iterator[tuple[int, int]]:
    """
    The stretches of memory that the process may write and has in use. Allocators reserve gigabytes
    and use little of them.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    with Path(f"/proc/{pid}/pagemap").open("rb", buffering=0) as pagemap:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if found is None:
                continue
            begin, end = (int(text, 16) for text in found.groups())
            pagemap.seek(begin // page * 8)
            entries = np.frombuffer(pagemap.read((end - begin) // page * 8), dtype="<u8")
            # The two highest bits: in memory, or swapped out.
            is_used = np.concatenate(([False], entries >> np.uint64(62) > 0, [False]))
            for first, last in np.flatnonzero(is_used[1:] != is_used[:-1]).reshape(-1, 2).tolist():
                yield begin + first * page, begin + last * page


def test_what_is_sealed_only_its_reader_opens() -> None:
    """P7: neither who carries a sealed session nor another worker can read or change it."""
    reader, other = Reader(), Reader()
    sealed = seal(b"00D!token", reader.public)
    assert reader.open(sealed) == b"00D!token"
    assert b"token" not in sealed
    with pytest.raises(InvalidTag):
        other.open(sealed)
    with pytest.raises(InvalidTag):
        reader.open(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert "token" not in repr(reader)


# -- what a cluster must have


def test_workers_that_cannot_do_the_work(
    there: Connection, dask: DaskCluster, org: RunningOrg, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker without sfnb, with another one, or with another store gets no unit; each is named."""
    bad = DaskCluster(dask.folder / "bad")
    try:
        bad.start("without", preload="import sys\nsys.modules['sfnb'] = None\n")
        bad.start("older", preload="import sfnb.version\nsfnb.version.__version__ = '0.0.1'\n")
        bad.start("elsewhere", cwd=dask.folder)
        bad.wait_for(lambda names: len(names) == 3)
        settings = replace(there.settings, store_root="a-store-of-here")
        mark = org.mark()
        with caplog.at_level(logging.WARNING, "sfnb.backup"), pytest.MonkeyPatch.context() as patch:
            patch.chdir(Path(there.settings.home))
            with pytest.raises(JobError, match="cannot run units"):
                engine.cluster(FakePlace(settings), bad.address)
        assert org.mark() == mark
        for problem in ("no sfnb", "sfnb 0.0.1 instead of", "another folder there"):
            assert sum(problem in one.getMessage() for one in caplog.records) == 1, problem
        assert list(dask.folder.rglob("a-store-of-here")) == []
    finally:
        bad.close()


class FakePlace:
    """What `engine.cluster` needs of a place: its settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        ("tcp://127.0.0.1:1", JobError, "no Dask scheduler answers at tcp://127.0.0.1:1"),
        ("127.0.0.1", CallerError, "no address of a Dask scheduler"),
        ("http://127.0.0.1:8786", CallerError, "no address of a Dask scheduler"),
    ],
)
def test_a_cluster_that_is_none(
    there: Connection, org: RunningOrg, address: str, kind: type[Exception], words: str
) -> None:
    """A wrong address is a sentence before the first call."""
    mark = org.mark()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(kind, match=words):
        patch.setattr("sfnb.backup.cluster.coordinator.CONNECT_S", 1.0)
        engine.cluster(there, address)
    assert org.mark() == mark and there.state.jobs.find() == []


def test_a_cluster_without_any_worker(there: Connection, dask: DaskCluster) -> None:
    """A scheduler alone is no cluster."""
    empty = DaskCluster(dask.folder / "empty")
    try:
        with pytest.raises(JobError, match="has no workers"):
            engine.cluster(there, empty.address)
    finally:
        empty.close()
