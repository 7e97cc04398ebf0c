"""All that a team shares at once: state in PostgreSQL, store in a bucket, units on a cluster whose workers die."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.errors import JobError
from sfnb.installation import connect
from sfnb.jobs import events
from sfnb.model import JobState
from sfnb.state import schema
from sfnb.store import store_key
from sfnb.store.files import Files
from sfnb.store.sealing import MAGIC
from sfnb.store.verify import verify
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.contracts.conftest import postgres_control
from tests.contracts.dask_cluster import DIES_AT_AN_ANSWER, DIES_WITH_A_PART, DaskCluster
from tests.contracts.demo_writes import V
from tests.contracts.s3_server import environment
from tests.faults.conftest import settings_for

OBJECTS = ["Account", "Contact", "Case", "Lead"]
ROWS = 6_000
MAXIMUM, THRESHOLD = 1_000, 500


@pytest.fixture(scope="module")
def shared(s3_address: str) -> Mapping[str, str]:
    """What every machine has: the bucket's variables and, for a sealed store, its key."""
    return environment(s3_address) | {"SFNB_STORE_KEY": store_key.new_secret()}


@pytest.fixture(scope="module")
def dask(
    tmp_path_factory: pytest.TempPathFactory, shared: Mapping[str, str]
) -> Iterator[DaskCluster]:
    """A cluster of one worker; tests start those that die."""
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"), shared)
    try:
        cluster.add("steady", threads=2)
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def org(fresh_org: Callable[..., RunningOrg]) -> RunningOrg:
    return fresh_org(objects={"Contact": ROWS, "Lead": ROWS}, max_calls=MAXIMUM)


@pytest.fixture
def root(
    request: pytest.FixtureRequest, shared: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """The address of a store in a bucket of its own; sealed where the test says so."""
    for name, value in shared.items():
        monkeypatch.setenv(name, value)
    address = f"s3://sfnb-{secrets.token_hex(4)}/team"
    if getattr(request, "param", "plain") == "sealed":
        store_key.encrypt(address, shared["SFNB_STORE_KEY"])
    return address


def at(org: RunningOrg, home: Path, state_url: str, root: str) -> Connection:
    """The org as one machine of the team has it."""
    settings = replace(settings_for(org, home), state_url=state_url, store_root=root)
    return connect("demo", settings=settings)


def check_whole(there: Connection, org: RunningOrg, summary: dict[str, Any]) -> None:
    """Every record is stored once, nothing is damaged, no ticket is left."""
    assert summary["state"] == "completed", summary
    for name in OBJECTS:
        rows = summary["objects"][name]["rows"]
        ids = there.snapshots[summary["snapshot"]].table(name).column("Id").to_pylist()
        assert org.server and rows == org.server.org.database.count(name), name
        assert len(ids) == len(set(ids)) == rows
    assert [found for found in verify(there.store) if found.kind != "orphan"] == []
    with there.state.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.tickets)) == 0


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("root", ["plain", "sealed"], indirect=True)
def test_workers_die_and_another_machine_goes_on(  # noqa: PLR0917 - pytest gives them by name
    org: RunningOrg,
    tmp_path: Path,
    state_url: str,
    root: str,
    dask: DaskCluster,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """
    P1, P2: one worker is killed with an answer that nobody heard, one with a part that nobody knows;
    the job pauses at its limit, and another machine ends it on the cluster. No row is lost or twice, no
    call is over the threshold or goes uncounted; a sealed store has no part in the open.
    """
    monkeypatch.setattr("sfnb.backup.plan.BULK_PAGE_ROWS", 2_000)
    kind = request.node.callspec.params["root"]
    doomed = {f"{kind}-answer": DIES_AT_AN_ANSWER, f"{kind}-part": DIES_WITH_A_PART}
    for name, moment in doomed.items():
        dask.add(name, preload=moment)
    org.control("quota", {"spend": {"api": THRESHOLD - 10}})
    mark = org.mark()
    with at(org, tmp_path / "ann", state_url, root) as ann:
        with engine.cluster(ann, dask.address) as cluster:
            paused = engine.run(ann, backup(objects=OBJECTS), executor=cluster, on_pause="exit")
        assert paused["state"] == "paused", paused
    told = org.ledger(after=mark, threshold=THRESHOLD)
    assert (told["over_threshold"], told["over_reading"]) == (0, 0)
    org.control("clock", {"advance_minutes": 25 * 60})
    with at(org, tmp_path / "ben", state_url, root) as ben:
        with engine.cluster(ben, dask.address) as cluster:
            done = engine.resume(ben, paused["job_id"], executor=cluster)
        check_whole(ben, org, done)
        assert done["snapshot"] == paused["snapshot"]
        assert done["calls"]["api"] == org.ledger(after=mark)["spent"]["api"]
    for name in doomed:
        assert dask.processes.pop(name).wait(timeout=30) != 0
    files = Files(root)
    parts = [files.read(path) or b"" for path in files.walk("") if path.endswith(".parquet")]
    assert parts and all(part.startswith(MAGIC) == (kind == "sealed") for part in parts)


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_a_killed_coordinator_is_followed_by_another(
    org: RunningOrg, tmp_path: Path, state_url: str, root: str, dask: DaskCluster
) -> None:
    """
    P2: the command that drives the cluster is killed; its workers forget it and send no more for it.
    Another machine resumes its job on the same cluster, into the same snapshot.
    """
    homes = {who: CommandLine.with_org(tmp_path / who, org) for who in ("ann", "ben")}
    for home in homes.values():
        home.environ |= {"SFNB_STATE_URL": state_url, "SFNB_STORE": root}
        home.environ |= {name: os.environ[name] for name in environment("")}
    org.fail(fault="late_answer", match="/(query|results)", seconds=1)
    words = ("--objects", ",".join(OBJECTS), "--no-files", "--json")
    running = homes["ann"].start("backup", "x", *words, "--dask", dask.address)
    try:
        running.wait_for(" so far")
    finally:
        running.process.kill()
        running.ended()
    org.control("faults", method="DELETE")
    ran = homes["ben"]("resume", "--all", "--dask", dask.address, "--json")
    assert ran.code == 0, ran.err
    (done,) = ran.json
    (job,) = homes["ann"]("jobs", "--json").json
    assert (job["job_id"], job["state"]) == (done["job_id"], JobState.COMPLETED)
    assert {name: one["rows"] for name, one in done["objects"].items()} == {
        name: org.get(f"{V}/query", params={"q": f"SELECT COUNT() FROM {name}"}).json()["totalSize"]
        for name in OBJECTS
    }
    assert homes["ben"]("verify", "x").code == 0


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_a_state_that_is_restarted_pauses_the_cluster(
    org: RunningOrg, tmp_path: Path, state_url: str, root: str, dask: DaskCluster
) -> None:
    """
    P1: PostgreSQL is restarted while workers read. None sends a call that no gate has allowed; the job
    pauses, says why, and goes on by itself on the same cluster.
    """
    mark, restarted = org.mark(), list[str]()
    with at(org, tmp_path / "home", state_url, root) as there:
        with there.state.database.read() as connection:
            folder = connection.execute(text("SHOW data_directory")).scalar_one()
        control = postgres_control(folder)

        def restart(event: events.Event) -> None:
            if isinstance(event, events.ObjectProgress) and event.rows and not restarted:
                restarted.append(event.object_name)
                control("restart", "-m", "immediate")

        with engine.cluster(there, dask.address) as cluster:
            summary = engine.run(there, backup(objects=OBJECTS), executor=cluster, emit=restart)
        check_whole(there, org, summary)
        (pause,) = summary["pauses"]
        assert pause["api"] == "state" and "cannot be used" in pause["reason"]
        assert pause["resumed_at"]
        assert summary["calls"]["api"] >= org.ledger(after=mark)["spent"]["api"]


@pytest.mark.parametrize("root", ["sealed"], indirect=True)
def test_workers_without_the_key_get_no_unit(
    org: RunningOrg, tmp_path: Path, root: str, dask: DaskCluster, s3_address: str
) -> None:
    """P7: the key is never sent to a worker; one that lacks it is left out in a sentence, before any call."""
    keyless = environment(s3_address) | {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    other = DaskCluster(dask.folder / "keyless", keyless)
    try:
        other.add("keyless")
        with at(org, tmp_path / "home", f"sqlite:///{tmp_path / 'state.db'}", root) as there:
            mark = org.mark()
            with pytest.raises(
                JobError, match=r"cannot run units: .*encrypted, and its key .* is not here"
            ):
                engine.cluster(there, other.address)
            assert org.mark() == mark
    finally:
        other.close()
    held = [path for path in other.folder.rglob("*") if path.is_file()]
    assert held and not any(os.environ["SFNB_STORE_KEY"].encode() in p.read_bytes() for p in held)


@pytest.mark.parametrize("root", ["sealed"], indirect=True)
def test_worker_processes_seal_what_they_write(org: RunningOrg, tmp_path: Path, root: str) -> None:
    """A sealed store is the same whether threads or processes of this machine fill it."""
    with at(org, tmp_path / "home", f"sqlite:///{tmp_path / 'state.db'}", root) as there:
        summary = engine.run(there, backup(objects=OBJECTS), executor="processes", workers=2)
        check_whole(there, org, summary)
    files = Files(root)
    parts = [files.read(path) or b"" for path in files.walk("") if path.endswith(".parquet")]
    assert parts and all(part.startswith(MAGIC) for part in parts)
