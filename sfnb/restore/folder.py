"""
A restore's folder in the target's store: the plan, the rows of each wave, and what the run notes.

::

    restores/<job id>/plan.json               the plan, written last of the planning
                      rows/<wave>.parquet     a wave's rows, in the order to send
                      refused/<Object>.parquet   rows that are not written, with the reason
                      matched/<Object>.parquet   old Id and the target's Id, of what exists already
                      describes/<Object>.json the target's describes of the objects that are written
                      journal/<n>.json        what was about to be sent, and what came of it
                      id_map.csv              object,old_id,new_id
                      automation.json         what was switched off
                      proof.json              the comparison with the snapshot
                      describes/<Object>.json what the target says of an object that is written
                      planning/               notes of a planning that has not ended
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sfnb.errors import StoreError
from sfnb.restore.plan import PlannedRow, RestorePlan
from sfnb.store.files import Files
from sfnb.store.parts import text_array
from sfnb.store.translating import translated

RESTORES = "restores"

GROUP_ROWS = 2_000
"""Rows written and read at a time: what a reader holds in memory, 2 KB of JSON for each."""

ROWS = pa.schema(
    [
        (name, pa.string())
        for name in ("old_id", "action", "target_id", "values", "reason", "field", "with_parent")
    ]
)
"""Columns of a file of rows. ``values`` is JSON."""

MATCHED = pa.schema([("old_id", pa.string()), ("target_id", pa.string())])


@dataclass(frozen=True)
class RestoreFolder:
    """
    One restore job's folder.

    Args:
        files: the target org's folder in the store; of a dry run, a temporary one.
        target: of a dry run, the target org's folder in the store.
    """

    files: Files
    job_id: str
    target: Files | None = None

    def earlier(self) -> Iterator[RestoreFolder]:
        """The folders of the target's other restores."""
        files = self.target or self.files
        for job_id in files.names(RESTORES, folders=True):
            if job_id != self.job_id:
                yield RestoreFolder(files, job_id)

    @property
    def path(self) -> str:
        return f"{RESTORES}/{self.job_id}"

    @property
    def plan_path(self) -> str:
        return f"{self.path}/plan.json"

    @property
    def journal_path(self) -> str:
        return f"{self.path}/journal"

    @property
    def id_map_path(self) -> str:
        return f"{self.path}/id_map.csv"

    @property
    def automation_path(self) -> str:
        return f"{self.path}/automation.json"

    @property
    def proof_path(self) -> str:
        return f"{self.path}/proof.json"

    @property
    def planning_path(self) -> str:
        return f"{self.path}/planning"

    def rows_path(self, wave: int) -> str:
        return f"{self.path}/rows/{wave}.parquet"

    def refused_path(self, object_name: str) -> str:
        return f"{self.path}/refused/{object_name}.parquet"

    def matched_path(self, object_name: str) -> str:
        return f"{self.path}/matched/{object_name}.parquet"

    # -- the plan ------------------------------------------------------------------------------------------------

    def write_plan(self, plan: RestorePlan) -> None:
        """The planning's last write: with it, the plan is whole."""
        self.files.put_json(self.plan_path, plan.as_json(), indent=1)

    def plan(self) -> RestorePlan | None:
        """
        The plan; None while there is none.

        Raises:
            StoreError: it is damaged.
        """
        saved = self.files.read_json(self.plan_path)
        return None if saved is None else RestorePlan.of(saved, self.files.uri(self.plan_path))

    # -- describes -----------------------------------------------------------------------------------------------

    def write_describe(self, name: str, described: Mapping[str, Any]) -> None:
        """Keep what the target says of an object, so that nobody has to ask again."""
        self.files.put_json(f"{self.path}/describes/{name}.json", {"describe": dict(described)})

    def describe(self, name: str) -> Mapping[str, Any] | None:
        """The target's describe of an object as the planning read it; None: it was not kept."""
        saved = self.files.read_json(f"{self.path}/describes/{name}.json")
        return None if saved is None else saved["describe"]

    # -- rows ----------------------------------------------------------------------------------------------------

    def write_rows(self, path: str, rows: Iterable[PlannedRow]) -> int:
        """Stream rows into a file, whole or not at all; how many they were."""
        return self._write(path, ROWS, map(_as_columns, rows))

    def rows(self, path: str, object_name: str) -> Iterator[PlannedRow]:
        """The rows of a file in their order, a few thousand in memory."""
        for saved in self._read(path):
            values = json.loads(saved.pop("values"))
            yield PlannedRow(object_name, values=values, **saved)

    def wave_rows(self, wave: int, object_name: str) -> Iterator[PlannedRow]:
        """A wave's rows, in the order to send."""
        return self.rows(self.rows_path(wave), object_name)

    def refused_objects(self) -> list[str]:
        """The objects that have refused rows."""
        return _stems(self.files.names(f"{self.path}/refused"))

    def refused_rows(self, object_name: str) -> Iterator[PlannedRow]:
        """The rows of an object that are not written, with the reason and their values."""
        return self.rows(self.refused_path(object_name), object_name)

    def write_matched(self, object_name: str, pairs: Iterable[tuple[str, str]]) -> int:
        """Old Ids and the target's Ids of records that are there already."""
        found = ({"old_id": old, "target_id": new} for old, new in pairs)
        return self._write(self.matched_path(object_name), MATCHED, found)

    def matched(self) -> Iterator[tuple[str, str, str]]:
        """Object, old Id and the target's Id of what was found there: where the id map begins."""
        for name in _stems(self.files.names(f"{self.path}/matched")):
            for saved in self._read(self.matched_path(name)):
                yield name, saved["old_id"], saved["target_id"]

    def _write(self, path: str, schema: pa.Schema, rows: Iterable[Mapping[str, Any]]) -> int:
        count = 0
        with (
            self.files.open_new(path) as sink,
            pq.ParquetWriter(sink, schema, compression="zstd") as out,
        ):
            for group in _groups(rows):
                # Arrow's own conversion of Python values would load pandas (50 MB).
                columns = [text_array([row[n] for row in group]) for n in schema.names]
                out.write_table(pa.Table.from_arrays(columns, schema=schema))
                count += len(group)
        return count

    def _read(self, path: str) -> Iterator[dict[str, Any]]:
        with _opened(self.files, path) as stored:
            for batch in stored.iter_batches(batch_size=GROUP_ROWS):
                yield from batch.to_pylist()


@contextmanager
def _opened(files: Files, path: str) -> Iterator[pq.ParquetFile]:
    with translated(f"read {files.uri(path)}"):
        if not files.has(path):
            raise StoreError(f"{files.uri(path)} is missing; the restore has to be planned again.")
        with files.open_input(path) as source:
            yield pq.ParquetFile(source)


def _as_columns(row: PlannedRow) -> dict[str, Any]:
    return {
        "old_id": row.old_id,
        "action": row.action,
        "target_id": row.target_id,
        "values": json.dumps(dict(row.values), ensure_ascii=False),
        "reason": row.reason,
        "field": row.field,
        "with_parent": row.with_parent,
    }


def _groups(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    group: list[Mapping[str, Any]] = []
    for row in rows:
        group.append(row)
        if len(group) == GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group


def _stems(names: Iterable[str]) -> list[str]:
    return [name.removesuffix(".parquet") for name in names]
