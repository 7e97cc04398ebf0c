"""Whole backups into an object store: two in a row, busy, killed in mid-upload, shared by two homes, restored."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.connection import Connection
from sfnb.engine import backup, restore
from sfnb.errors import StoreError
from sfnb.installation import connect
from sfnb.model import APIS
from sfnb.store.compaction.org import compact_org
from sfnb.store.verify import verify
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.contracts.demo_writes import V, records
from tests.contracts.s3_server import SLOW_DOWN, Refusal, S3Door, environment, s3_door
from tests.faults.conftest import settings_for

OBJECTS = ["Account", "Contact", "ContentDocument", "ContentVersion"]


@pytest.fixture
def door(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Door]:
    """What this test's requests pass through."""
    with s3_door(s3_address) as opened:
        for name, value in environment(opened.address).items():
            monkeypatch.setenv(name, value)
        yield opened


@pytest.fixture
def root(door: S3Door) -> str:
    """The address of a store in a bucket of its own."""
    return f"s3://sfnb-{secrets.token_hex(4)}/salesforce"


def at(org: RunningOrg, home: Path, root: str) -> Connection:
    """The org, connected from a home, with its store in the bucket."""
    settings = replace(settings_for(org, home), store_root=root)
    return connect("demo", settings=settings, clock=FakeClock())


def ids(org: RunningOrg, name: str) -> set[str]:
    return {row["Id"] for row in records(org, f"SELECT Id FROM {name}")}


def test_a_whole_backup_comes_and_goes(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, root: str, door: S3Door
) -> None:
    """
    Rows, bodies and metadata, through a busy time; then the changes; compacted; another home finds
    it sound and restores from it.
    """
    org = fresh_org(objects={"Account": 20, "Contact": 40, "ContentVersion": 4}, own_data=True)

    puts: list[str] = []

    def busy(method: str, path: str, _headers: dict[str, str]) -> Refusal | None:
        puts.extend([path] * (method == "PUT"))
        is_turn = method == "PUT" and len(puts) % 3 == 0 and door.refused < 10
        return SLOW_DOWN if is_turn else None

    door.refuse = busy
    with at(org, tmp_path / "one", root) as there:
        first = engine.run(there, backup(objects=OBJECTS, metadata=True))
        assert first["state"] == "completed", first
        assert door.refused == 10
        gone, changed, *_ = sorted(ids(org, "Contact"))
        org.send("DELETE", f"{V}/sobjects/Contact/{gone}")
        org.send("PATCH", f"{V}/sobjects/Contact/{changed}", json={"LastName": "Changed"})
        second = engine.run(there, backup(objects=OBJECTS, metadata=True))
        counts = second["objects"]["Contact"]
        assert (counts["mode"], counts["deleted"]) == ("incremental", 1) and counts["changed"] >= 1
        assert first["files"]["fetched"] > 0 and first["metadata"]["components"] > 0
        list(compact_org(there.store.files, FakeClock(), objects=None, force=True))
    with at(org, tmp_path / "two", root) as other:
        assert [f.message for f in verify(other.store) if f.is_damage] == []
        before, after = (other.snapshots[s["snapshot"]].table("Contact") for s in (first, second))
        assert set(after["Id"].to_pylist()) == ids(org, "Contact")
        assert set(before["Id"].to_pylist()) - set(after["Id"].to_pylist()) == {gone}
        done = engine.run(other, restore(first["snapshot"], objects=["Contact"]))
        assert done["restored"]["undeleted"] + done["restored"]["created"] == 1, done
        assert done["restored"]["updated"] >= 1


def test_killed_in_mid_upload(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, root: str, door: S3Door
) -> None:
    """P2: the process is killed while a part goes up; another one resumes, nothing is lost or twice."""
    org = fresh_org(objects={"Account": 30, "Contact": 50, "Case": 30})
    stored = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    home = CommandLine.with_org(tmp_path / "home", org)
    home.environ.update(stored | {"SFNB_STORE": root})
    running = home.start("backup", "x", "--objects", "Account,Contact,Case")
    parts: list[str] = []

    def kill(method: str, path: str, _headers: dict[str, str]) -> Refusal | None:
        if method == "PUT" and path.partition("?")[0].endswith(".parquet"):
            parts.append(path)
            if len(parts) == 2:
                running.process.kill()
                return SLOW_DOWN  # nobody hears it
        return None

    door.refuse = kill
    assert running.ended().code not in (0, 1, 3, 75)
    resumed = home("resume", "--all", "--json")
    assert resumed.code == 0, resumed.err
    (done,) = resumed.json
    assert {name: one["rows"] for name, one in done["objects"].items()} == {
        name: len(ids(org, name)) for name in ("Account", "Contact", "Case")
    }
    assert home("verify", "x").code == 0


def test_a_bucket_without_conditions_costs_no_call(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, root: str, door: S3Door
) -> None:
    """It is refused before the job is made, and before the org is called for it."""
    org = fresh_org(objects={"Account": 3})
    door.forgets_conditions = True
    with at(org, tmp_path / "home", root) as there:
        with pytest.raises(StoreError, match="If-None-Match"):
            engine.run(there, backup(objects=["Account"]))
        assert there.state.jobs.find() == []
        assert there.state.usage.job_calls("") == dict.fromkeys(APIS, 0)
