"""Each action of a commit is compared with what sfnb says of it, and each value of the action."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sfnb.errors import StoreError
from sfnb.store.commits import parse_commit
from sfnb.store.encoding import decode
from sfnb.store.tables import OrgStore
from tests.store_forger import Entry, ForgedLog, Lines, body_of
from tests.store_samples import record_id
from tests.unit.store.forged_tables import STRANGER, Make, a_history, older


def on(kind: str, **values: Any) -> Callable[[Entry, Lines], object]:
    return lambda _entry, lines: body_of(lines, kind).update(values)


def in_stats(_entry: Entry, lines: Lines) -> None:
    add = body_of(lines, "add")
    stats = json.loads(add["stats"])
    stats["minValues"]["Id"] = record_id(999)
    add["stats"] = json.dumps(stats)


def another(kind: str, **body: Any) -> Callable[[Entry, Lines], object]:
    return lambda _entry, lines: lines.append({kind: body})


def part_slipped_in(_entry: Entry, lines: Lines) -> None:
    lines.append({"add": dict(body_of(lines, "add"))})


def removed_twice(entry: Entry, lines: Lines) -> None:
    entry["removed"] = ["x"]
    lines += [{"remove": {"path": "x"}}, {"remove": {"path": "x"}}]


def of_no_kind(entry: Entry, lines: Lines) -> None:
    """Its actions are those of a commit that is no reading."""
    entry["kind"] = "other"
    lines.remove({"txn": body_of(lines, "txn")})
    body_of(lines, "add")["dataChange"] = False


ACTIONS: dict[str, tuple[Make, Callable[[Entry, Lines], object]]] = {
    "a kind that is not ours": (a_history, another("metaData", id="x")),
    "no transaction": (
        a_history,
        lambda _e, lines: lines.remove({"txn": body_of(lines, "txn")}),
    ),
    "another part": (a_history, part_slipped_in),
    "another snapshot's transaction": (a_history, on("txn", appId=STRANGER)),
    "another transaction's number": (a_history, on("txn", version=9)),
    "another path": (a_history, on("add", path="_sfnb_generation=new/Account-other.parquet")),
    "another size": (a_history, on("add", size=1)),
    "no change of data": (a_history, on("add", dataChange=False)),
    "another partition": (a_history, on("add", partitionValues={"_sfnb_generation": "current"})),
    "another partition's column": (a_history, on("add", partitionValues={"_sfnb_x": "new"})),
    "another snapshot's partition": (
        older,
        on("add", partitionValues={"_sfnb_snapshot": STRANGER}),
    ),
    "other statistics": (a_history, in_stats),
    "a file removed twice": (a_history, removed_twice),
    "a file removed that its entry does not name": (a_history, another("remove", path="x")),
    "a file removed in format 2 by no restart": (older, another("remove", path="x")),
    "a kind of commit that is none": (a_history, of_no_kind),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_of_a_commit_is_compared(
    action: str, copied: Callable[[Make], OrgStore]
) -> None:
    """Alone, with every checksum right: the commit itself is refused."""
    make, change = ACTIONS[action]
    log = ForgedLog(copied(make), "tables/Account" if make is older else "records/Account")
    version = 1
    assert parse_commit(log.path(version).read_bytes(), version, "it") is not None
    log.forge(version, change)
    with pytest.raises(StoreError, match="is damaged"):
        parse_commit(log.path(version).read_bytes(), version, "it")


@pytest.mark.parametrize(
    "text", ['{"format": 3, "checksum": "0"}', '{"format": 3}', "[]", "7", "{"]
)
def test_what_sfnb_did_not_write_is_not_read(text: str) -> None:
    """JSON without the checksum of its content, or that is no object."""
    with pytest.raises(StoreError, match="is damaged"):
        decode(text, "it")
