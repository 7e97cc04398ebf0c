"""What other files of an org's store have of erased records: restores, archives' notes, damage."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pyarrow.parquet as pq

from sfnb.store.archives import RECORD
from sfnb.store.compaction.catalog import read_catalog
from sfnb.store.encoding import decode
from sfnb.store.files import Files
from sfnb.store.formats import FORMAT
from sfnb.store.paths import records_path
from sfnb.store.plan import read_plan
from sfnb.store.snapshots import Snapshots
from sfnb.store.translating import translated

NOBODY = "000000000000000AAA"
"""Stands for an Id that was erased: Salesforce's empty one."""

OWN = ("records/", "tables/", "bodies/", "snapshots/", "metadata/")
"""What has its own way of being erased, or holds nothing of a record."""

NOTES = "erasures/"


def notes_path(job_id: str) -> str:
    """What a job is about to erase, from the org's folder; gone when it has ended."""
    return f"{NOTES}{job_id}.json"


class Elsewhere:
    """
    Takes the Ids and rows of records out of all other files of a store.

    Args:
        files: the org's folder, or an archive's.
        ids: of the records, 18 characters.
        may_touch: whether a job's folder may be changed, by the job's id: a job that can still go on
            needs it.
    """

    def __init__(
        self, files: Files, ids: Collection[str], may_touch: Callable[[str], bool]
    ) -> None:
        self._files = files
        self._ids = frozenset(ids)
        self._short = [one[:15].encode() for one in ids]
        self._may_touch = may_touch

    def waiting(self) -> list[str]:
        """Jobs that can still go on and whose folders have one of the records."""
        found = set()
        for path in self._files.walk("restores"):
            job_id = path.split("/")[1]
            if not self._may_touch(job_id) and self._names(path):
                found.add(job_id)
        # An archive is a store of its own; its job's notes are in the folder `job`.
        if self._files.names("job"):
            jobs = {read_plan(self._files, s).job_id for s in Snapshots(self._files)}
            found |= {job_id for job_id in jobs if not self._may_touch(job_id)}
        return sorted(found)

    def run(self, objects: Collection[str]) -> int:
        """Take them out; how many files were changed or removed. It can be repeated."""
        changed = 0
        for path in sorted(self._files.walk("")):
            if path.startswith(OWN) or path.startswith("archives/"):
                continue
            if path.startswith(NOTES):
                # An erasure that goes on after a kill must know what it erases.
                if self._may_touch(path.removeprefix(NOTES).partition(".")[0]):
                    self._files.delete(path)
                continue
            # A table that was moved aside because its log made no sense cannot be rewritten.
            if path.startswith("damaged/") and any(f"/{name}/" in path for name in objects):
                self._files.delete(path)
                changed += 1
            elif self._names(path):
                self._change(path)
                changed += 1
        for path in self._files.walk("bodies/damaged"):
            self._files.delete(path)
            changed += 1
        return changed

    def _names(self, path: str) -> bool:
        """Whether a file has one of the Ids, also within compressed pages."""
        if path.endswith(".parquet"):
            return self._rows_name(path)
        content = self._files.read(path) or b""
        return any(one in content for one in self._short)

    def _rows_name(self, path: str) -> bool:
        with translated(f"read {path}"), self._files.open_input(path) as source:
            for batch in pq.ParquetFile(source).iter_batches():
                for column in batch.columns:
                    for value in column.to_pylist():
                        text = value if isinstance(value, str) else ""
                        if any(one.decode() in text for one in self._short):
                            return True
        return False

    def _change(self, path: str) -> None:
        if path.endswith(".json"):
            content = self._files.read_json(path)
            if content is not None:
                content.pop("checksum", None)
                content = _replaced(content, self._ids)
                if path == RECORD:
                    content = _with_spans(self._files, content)
                self._files.put_json(path, content)
        elif path.endswith(".csv"):
            lines = (self._files.read(path) or b"").splitlines(keepends=True)
            kept = [line for line in lines if not any(one in line for one in self._short)]
            self._files.put(path, b"".join(kept))
        else:
            self._files.delete(path)  # rows of a restore that has ended


def _with_spans(files: Files, record: dict[str, Any]) -> dict[str, Any]:
    """An archive's record with the least and greatest Ids, and the rows, that its tables have now."""
    for name, known in record["objects"].items():
        live = read_catalog(files.below(records_path(name))).live.values()
        ids = [one for part in live for one in (part.min_id, part.max_id) if one]
        known |= {
            "rows": sum(part.rows for part in live),
            "min_id": min(ids, default=""),
            "max_id": max(ids, default=""),
        }
    return record


def _replaced(value: Any, ids: Collection[str]) -> Any:
    """JSON without the Ids, and without a list's or mapping's entries that name one with values."""
    if isinstance(value, str):
        if value[:18] in ids or any(one[:15] in value for one in ids):
            return NOBODY
        return value
    if isinstance(value, Mapping):
        return {str(_replaced(key, ids)): _replaced(one, ids) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, ids) for one in value if not _is_row_of(one, ids)]
    return value


def _is_row_of(value: Any, ids: Collection[str]) -> bool:
    """Whether a list's entry is a record, with values beside one of the Ids."""
    return isinstance(value, Mapping | list) and any(one[:15] in json.dumps(value) for one in ids)


def read_notes(files: Files, path: str) -> dict[str, Any] | None:
    """A note of an erasure; None where it is not there."""
    text = files.read(path)
    return None if text is None else decode(text, files.uri(path))


def put_notes(files: Files, path: str, notes: Mapping[str, Any]) -> None:
    """Write a note of an erasure."""
    files.put_json(path, {"format": FORMAT, **notes})
