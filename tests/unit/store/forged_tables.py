"""Tables to be harmed, and the harm: commits and parts that say something else, all checksums right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from sfnb.clock import FakeClock
from sfnb.store.compaction.compact import compact_object
from sfnb.store.pruning.keep import KeepPolicy
from sfnb.store.settling.base import Unchanged
from sfnb.store.tables import OrgStore
from tests.store_forger import Entry, ForgedLog, Lines, body_of
from tests.store_samples import BEGAN, a_snapshot, a_store, a_writer, record_id, rows
from tests.unit.store.history.test_diff import a_state, record
from tests.unit.store.pruning.test_prune import prune

Make = Callable[[Path], OrgStore]
Harm = Callable[[ForgedLog], object]
STRANGER = "20261101T090000Z-000009"


def a_history(root: Path) -> OrgStore:
    """Two snapshots: the second has changes of Account (commit 2), and Contact unchanged."""
    store = a_store(root)
    a_snapshot(store, "Account", "Contact", number=1)
    writer = a_writer(store, "Account", "Contact", number=2)
    parts = writer.write_parts("Account", [rows(0, 3, name="Another"), rows(40, 5)])
    writer.settle("Account", parts, {}, mode="changes", gone=[record_id(7)])
    writer.unchanged({"Contact": Unchanged()})
    writer.seal()
    return store


def compacted(root: Path) -> OrgStore:
    """The same, and its versions of Account rewritten (commit 3)."""
    store = a_history(root)
    compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    return store


def pruned(root: Path) -> OrgStore:
    """Two of three snapshots are pruned: the log begins with a commit that restates."""
    store = a_store(root)
    for number in range(3):
        a_state(store, 1 + 24 * number, [record(n, Name=f"v{number}") for n in range(1, 9)])
    prune(store, KeepPolicy(last=1))
    return store


def restarted(root: Path) -> OrgStore:
    """One snapshot of Account that began again after two parts (commit 2), beside an older one."""
    store = a_history(root)
    writer = a_writer(store, "Account", number=3)
    for k in range(2):
        part = writer.write_part("Account", [rows(10 * k, 10)])
        writer.commit("Account", [part], {"k": k}, is_done=False)
    writer.restart("Account")
    return store


def older(root: Path) -> OrgStore:
    """Two snapshots of format 2."""
    store = a_store(root)
    for number in (1, 2):
        a_state(store, number, [record(n) for n in range(1, 2 + number)], number_of_format=2)
    return store


# -- harm --------------------------------------------------------------------------------------------------------------


def entry_of(version: int, change: Callable[[Entry], object]) -> Harm:
    """What a commit says of itself is another thing."""
    return lambda log: log.forge(version, lambda entry, _lines: change(entry))


def part_says(version: int, **values: Any) -> Harm:
    """A commit says something else of its first part; its actions and totals say so, too."""

    def change(entry: Entry, lines: Lines) -> None:
        part = entry["parts"][0]
        before = dict(part)
        part.update(values)
        add = body_of(lines, "add")
        stats = json.loads(add["stats"])
        stats["numRecords"] += part["rows"] - before["rows"]
        add.update(size=part["size_bytes"], stats=json.dumps(stats))
        for name in ("rows", "size_bytes"):
            if "total" in entry:
                entry["total"][name] += part[name] - before[name]

    return lambda log: log.forge(version, change)


def removes(version: int, path: Callable[[ForgedLog], str]) -> Harm:
    """A commit takes out one file more."""

    def harm(log: ForgedLog) -> None:
        gone = path(log)

        def change(entry: Entry, lines: Lines) -> None:
            entry["removed"] = sorted([*entry["removed"], gone])
            lines.append({"remove": {"path": gone, "dataChange": True, "deletionTimestamp": 1}})

        log.forge(version, change)

    return harm


def keeps_one(version: int) -> Harm:
    """A commit does not take out the last of the files that it should."""

    def change(entry: Entry, lines: Lines) -> None:
        kept = entry["removed"].pop()
        lines[:] = [line for line in lines if line.get("remove", {}).get("path") != kept]

    return lambda log: log.forge(version, change)


def first_part(log: ForgedLog) -> str:
    return str(log.entry(0)["parts"][0]["path"])


def part_file(log: ForgedLog, version: int = 0) -> Path:
    path: str = log.entry(version)["parts"][0]["path"]
    return log.path(version).parents[1] / path


def rewritten(change: Callable[[Path], object]) -> Harm:
    """The file of the newest reading's first part is another one, and its commit says so."""

    def harm(log: ForgedLog) -> None:
        path = part_file(log, 2)
        change(path)
        content = path.read_bytes()
        values = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        part_says(2, **values)(log)

    return harm


def without_column(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns([name]), path)

    return change


def no_parquet(path: Path) -> None:
    path.write_bytes(b"PAR1 and nothing else")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[99] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def by_another_program(kind: str) -> Harm:
    def harm(log: ForgedLog) -> None:
        body = {"path": first_part(log), "size": 1, "partitionValues": {}, "dataChange": True}
        log.put(log.newest + 1, [{"commitInfo": {}}, {kind: body}])

    return harm


def spelled_otherwise(version: int) -> Harm:
    """A blank more in a commit: it says the same, and is not what the next one saw."""
    return lambda log: log.path(version).write_bytes(log.path(version).read_bytes() + b"\n")


def renumbered(entry: Entry, lines: Lines) -> None:
    entry["number"] += 1
    body_of(lines, "txn")["version"] += 1


def of_an_older_snapshot(entry: Entry, lines: Lines) -> None:
    entry["snapshot"] = STRANGER
    body_of(lines, "txn")["appId"] = STRANGER


def checkpoint_without_a_part(log: ForgedLog) -> None:
    """Delta's checkpoint has lost a line; Delta believes it, and we read the commits."""
    table = log.path(0).parents[1]
    DeltaTable(str(table)).create_checkpoint()
    (path,) = table.glob("_delta_log/*.checkpoint.parquet")
    lines = pq.read_table(path)
    is_kept = [
        not (row["add"] and row["add"]["path"] == first_part(log)) for row in lines.to_pylist()
    ]
    assert is_kept.count(False) == 1
    pq.write_table(lines.filter(pa.array(is_kept)), path)


def without_log(log: ForgedLog) -> None:
    for path in log.path(0).parent.iterdir():
        path.unlink()
