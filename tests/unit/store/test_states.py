"""States at snapshots: whatever was read in which way, each snapshot has what the org had, for ever."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sfnb.model import ObjectState
from sfnb.store.part_writer import PartWriter
from sfnb.store.settling.base import Unchanged
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from sfnb.store.writer import Writer
from tests.store_samples import BEGAN, a_plan, a_store, record_id

COLUMNS = pa.schema(
    [
        ("Id", pa.string()),
        ("IsDeleted", pa.bool_()),
        ("Name", pa.string()),
        ("Amount", pa.float64()),
        ("Formula__c", pa.string()),
        ("SystemModstamp", pa.timestamp("us", "UTC")),
    ]
)
NAME = "Account"
EXAMPLES = 400 if os.environ.get("SFNB_CAMPAIGN") == "full" else 12


@dataclass(frozen=True)
class Row:
    name: str | None
    amount: float | None
    formula: str | None
    stamp: int
    deleted: bool = False

    @property
    def content(self) -> tuple[Any, ...]:
        return (self.name or None, self.amount, self.formula, self.deleted)


State = dict[int, Row]


def batch(rows: Iterable[tuple[int, Row]]) -> pa.RecordBatch:
    listed = list(rows)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([record_id(n) for n, _ in listed], pa.string()),
            pa.array([row.deleted for _, row in listed], pa.bool_()),
            pa.array([row.name for _, row in listed], pa.string()),
            pa.array([row.amount for _, row in listed], pa.float64()),
            pa.array([row.formula for _, row in listed], pa.string()),
            pa.array([BEGAN + timedelta(seconds=row.stamp) for _, row in listed], COLUMNS[5].type),
        ],
        schema=COLUMNS,
    )


@dataclass
class Org:
    """What the org has, and what was done to it since the last complete backup."""

    rows: State = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    is_drifted: bool = False
    clock: int = 0

    def do(self, what: str, number: int, value: int) -> None:
        self.clock += 1
        row = self.rows.get(number)
        if what == "drift":
            self.is_drifted = True
            self.rows = {n: replace(r, formula=f"f{value}") for n, r in self.rows.items()}
        elif what == "purge":
            if self.rows.pop(number, None) is not None:
                self.changed.discard(number)
                self.gone.add(number)
        elif what == "insert" or row is None:
            self.rows[number] = Row(f"n{value}", value / 4, "f0", self.clock)
            self.changed.add(number)
            self.gone.discard(number)
        else:
            new = {
                "update": replace(row, name=f"n{value}" if value else ""),
                "delete": replace(row, deleted=True),
                "undelete": replace(row, deleted=False),
                "touch": row,
            }[what]
            self.rows[number] = replace(new, stamp=self.clock)
            self.changed.add(number)

    def is_backed_up(self) -> None:
        self.changed.clear()
        self.gone.clear()


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "delete", "undelete", "touch", "purge", "drift"]),
        st.integers(0, 9),
        st.integers(0, 3),
    ),
    max_size=6,
)
WAYS = st.sampled_from(["full", "changes", "abandoned", "abandoned changes", "killed"])


@given(st.lists(st.tuples(CHANGES, WAYS, st.integers(1, 4), st.booleans()), max_size=6))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
def test_each_snapshot_has_what_the_org_had(
    steps: list[tuple[list[tuple[str, int, int]], str, int, bool]],
) -> None:
    """
    Inserts, updates, deletions, purges, moved stamps and drifting formulas; read in full, by changes
    or not to the end: after each backup every snapshot so far has the state that it had.
    """
    with tempfile.TemporaryDirectory() as folder:
        store, org = a_store(Path(folder)), Org()
        truth: dict[str, State] = {}
        state: State = {}
        for number, (changes, way, pages, is_swept) in enumerate(steps, 1):
            for change in changes:
                org.do(*change)
            backup = Backup(store, org, number, pages)
            state = backup.run(way, state, is_swept=is_swept)
            truth[backup.writer.snapshot] = dict(state)
            for snapshot, expected in truth.items():
                check(store, snapshot, expected)
        assert [finding for finding in verify(store) if finding.is_damage] == []


def alive(state: State) -> int:
    return sum(not row.deleted for row in state.values())


@dataclass
class Backup:
    store: OrgStore
    org: Org
    number: int
    pages: int

    def __post_init__(self) -> None:
        self.plan = a_plan(NAME, number=self.number)
        self.writer = self.store.begin(self.plan)

    def run(self, way: str, state: State, *, is_swept: bool) -> State:
        """Back up; the state that the snapshot then has."""
        org, base = self.org, self.writer.base(NAME)
        is_same = not (org.changed or org.gone or org.is_drifted)
        if is_same and base is not None and state == org.rows and way == "changes":
            self.writer.unchanged({NAME: Unchanged()})
            self.writer.seal()
            return state
        self.writer.put_schema(NAME, COLUMNS)
        read = dict(org.rows)
        if base is not None and "changes" in way and not org.is_drifted:
            read = {n: r for n, r in org.rows.items() if n in org.changed or n % self.pages == 0}
        pages = [batch(list(read.items())[at :: self.pages]) for at in range(self.pages)]
        for page in pages[:-1]:
            self.put(page)
        if way.startswith("abandoned"):
            self.writer.seal("partial", {NAME: "cancelled"})
            seen = [n for at in range(self.pages - 1) for n in list(read)[at :: self.pages]]
            return {**state, **{n: read[n] for n in seen}}
        writer = self.store.reopen(self.plan.snapshot) if way == "killed" else self.writer
        mode = "changes" if "changes" in way and base else "full"
        self.settle(writer, pages[-1], mode, state, is_swept=is_swept)
        self.writer.seal()
        org.is_backed_up()
        return dict(org.rows)

    def put(self, page: pa.RecordBatch) -> None:
        self.writer.commit(NAME, self.writer.write_parts(NAME, [page]), {}, is_done=False)

    def settle(
        self, writer: Writer, page: pa.RecordBatch, mode: Any, before: State, *, is_swept: bool
    ) -> None:
        org = self.org
        parts = writer.write_parts(NAME, [page])
        if mode == "changes" and org.is_drifted:
            mode = "full"
        gone = [record_id(n) for n in org.gone]
        ended = writer.settle(
            NAME,
            parts,
            {},
            mode=mode,
            gone=gone if mode == "changes" else (),
            org_count=len(org.rows),
        )
        assert ended.proof.problem == ""
        # Who comes out of the recycle bin is added, as who goes into it is deleted.
        assert alive(org.rows) == alive(before) + ended.added - ended.deleted
        if org.is_drifted:
            org.is_drifted = False
        if is_swept:
            self.sweep(writer, ended.proof.digest)

    def sweep(self, writer: Writer, digest: str) -> None:
        target = writer.comparisons.sweep_target(NAME)
        page = batch(self.org.rows.items()).select(["Id", "IsDeleted", "SystemModstamp"])
        parts = PartWriter(target, writer._clock).write([page])
        found = writer.comparisons.compare_ids(NAME, parts)
        assert (found.missing, found.stale, found.gone) == ([], [], [])
        assert (found.rows, found.digest) == (len(self.org.rows), digest)


def check(store: OrgStore, snapshot: str, expected: State) -> None:
    seen = store.snapshots[snapshot]
    alive = {n: row for n, row in expected.items() if not row.deleted}
    found = (
        {
            row["Id"]: (row["Name"] or None, row["Amount"], row["Formula__c"], row["IsDeleted"])
            for row in seen.table(NAME).to_pylist()
        }
        if seen.state_of(NAME) is not ObjectState.UNTOUCHED
        else {}
    )
    if seen.state_of(NAME) is ObjectState.UNTOUCHED:
        return
    assert found == {record_id(n): row.content for n, row in alive.items()}, snapshot
    entry = seen.manifest.objects[NAME]
    if entry.state is ObjectState.COMPLETE:
        assert (entry.rows, entry.deleted) == (len(alive), len(expected) - len(alive))
