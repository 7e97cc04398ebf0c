"""From the planned records to waves: which rows go together, in which order, by which writer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import ceil
from operator import itemgetter

from sfnb.model import Price
from sfnb.restore.describes import WriteObject
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.plan import PlannedRow, Wave, WaveKind, WriterName
from sfnb.restore.workspace import Workspace

COLLECTION_ROWS = 200
"""Records of one call of sObject collections, and of one undelete (REST and SOAP guides)."""

BULK_CALLS = 8
"""
Of one ingest job: created, uploaded, closed, asked for about twice, three results (Bulk API 2.0 guide).
"""

BATCH_ROWS = 10_000
"""Rows of an internal batch of Bulk API 2.0, each of which counts (Bulk API 2.0 guide)."""

PROVEN_ROWS = 2_000
"""Records that one call reads back."""

BULK_JOB_ROWS = 400_000
"""About what fits into the 100 MB that an upload should have, at 250 bytes a record."""


def writer_of(kind: WaveKind, rows: int) -> tuple[WriterName, int]:
    """The cheaper way to send so many rows, and its calls. Pure."""
    small = ceil(rows / COLLECTION_ROWS)
    if kind == "undelete":
        return "undelete", small
    large = BULK_CALLS * ceil(rows / BULK_JOB_ROWS)
    return ("bulk2", large) if large < small else ("collections", small)


def price_of(waves: Sequence[Wave]) -> Price:
    """What the waves cost, and looking at what came back from the bin. Pure."""
    undeleted = sum(wave.rows for wave in waves if wave.kind == "undelete")
    batches = sum(ceil(w.sent / BATCH_ROWS) for w in waves if w.writer == "bulk2")
    calls = sum(wave.calls for wave in waves) + ceil(undeleted / PROVEN_ROWS)
    return {"api": calls, "bulk": batches, "bulk2": 0, "bulk2_mb": 0}


@dataclass
class WaveWriter:
    """Writes the rows of waves into the job's folder, numbered in the order to send."""

    workspace: Workspace
    folder: RestoreFolder
    targets: Mapping[str, WriteObject]
    waves: list[Wave] = field(default_factory=list)

    def write_all(self) -> list[Wave]:
        """Undeletes, updates, inserts by level, what refers to the inserted."""
        self._undeletes()
        late = (
            "exists (select 1 from links l join rows p on p.old_id = l.parent "
            "where l.old_id = r.old_id and p.action = 'create' and not exists "
            "(select 1 from left_out o where o.old_id = l.old_id and o.field = l.field))"
        )
        for name in self._objects("update"):
            self._wave(name, "update", f"r.action = 'update' and not {late}", level=0)
        levels = self.workspace.all(
            "select distinct level, object from placed join rows using (old_id) "
            "where action = 'create' order by 1, 2"
        )
        for level, name in levels:
            self._wave(
                name,
                "insert",
                f"r.action = 'create' and r.old_id in (select old_id from placed where level = {level})",
                level=level + 1,
            )
        last = max((level for level, _ in levels), default=0) + 2
        for name in self._objects("update"):
            self._wave(name, "update", f"r.action = 'update' and {late}", level=last)
        self._relinks(last)
        self._late(last + 1)
        return self.waves

    def _objects(self, action: str) -> list[str]:
        query = "select distinct object from rows where action = ? order by 1"
        return [row[0] for row in self.workspace.all(query, [action])]

    def _undeletes(self) -> None:
        """Parents first: an undeleted record may refer to nothing that is still in the bin."""
        groups = self.workspace.all(
            "select distinct d.level, r.object from rows r join undeletes d using (old_id) "
            "where r.action = 'undelete' order by 1, 2"
        )
        for level, name in groups:
            condition = (
                "r.action = 'undelete' and r.old_id in "
                f"(select old_id from undeletes where level = {level})"
            )
            self._wave(name, "undelete", condition, level=0)

    def _wave(self, name: str, kind: WaveKind, condition: str, *, level: int) -> None:
        target = self.targets[name]
        where = f"r.object = '{name}' and {condition}"
        skewed = self.workspace.all(
            "select l.field, count(*) * 1.0 / count(distinct l.parent) as skew from links l "
            f"join rows r using (old_id) where {where} group by 1 having skew > 1 "
            "order by skew desc, 1 limit 1"
        )
        query = f"select r.*, '' as skewed from rows r where {where}"
        if skewed:
            query = (
                "select r.*, coalesce(l.parent, '') as skewed from rows r left join links l "
                f"on l.old_id = r.old_id and l.field = '{skewed[0][0]}' where {where}"
            )
        rows = self.workspace.planned(query, order="r.skewed, r.old_id")
        self._write(name, kind, rows, target, level)

    def _relinks(self, level: int) -> None:
        names = self.workspace.all(
            "select distinct r.object from rows r join left_out o using (old_id) "
            "where o.is_later and r.action in ('create', 'undelete') order by 1"
        )
        for (name,) in names:
            self._write(name, "relink", self._relink_rows(name), self.targets[name], level)

    def _relink_rows(self, name: str) -> Iterator[PlannedRow]:
        """Only the references that were left empty at first."""
        query = (
            "select r.old_id, r.action, l.field, l.parent from rows r join left_out o using (old_id) "
            "join links l on l.old_id = o.old_id and l.field = o.field left join rows p "
            "on p.old_id = l.parent where r.object = ? and o.is_later and r.action in "
            "('create', 'undelete') and coalesce(p.action, '') <> 'refuse' order by 1, 3"
        )
        records = groupby(self.workspace.each(query, [name]), key=itemgetter(0, 1))
        for (old_id, action), links in records:
            target = old_id if action == "undelete" else ""
            values = {field: parent for _, _, field, parent in links}
            yield PlannedRow(name, old_id, "update", target, values)

    def _late(self, level: int) -> None:
        """What new records get when everything else is there, such as an order its activation."""
        query = "select distinct object from rows join late using (old_id) where action = 'create'"
        for (name,) in self.workspace.all(f"{query} order by 1"):
            self._write(name, "late", self._late_rows(name), self.targets[name], level)

    def _late_rows(self, name: str) -> Iterator[PlannedRow]:
        query = (
            "select old_id, l.vals from rows r join late l using (old_id) "
            "where r.object = ? and r.action = 'create' order by 1"
        )
        for old_id, content in self.workspace.each(query, [name]):
            yield PlannedRow(name, old_id, "update", "", json.loads(content))

    def _write(
        self,
        name: str,
        kind: WaveKind,
        rows: Iterator[PlannedRow],
        target: WriteObject,
        level: int,
    ) -> None:
        number = len(self.waves) + 1
        columns: dict[str, None] = {}
        sent = 0

        def noted() -> Iterator[PlannedRow]:
            nonlocal sent
            for row in rows:
                columns.update(dict.fromkeys(row.values))
                sent += not row.with_parent
                yield row

        path = self.folder.rows_path(number)
        count = self.folder.write_rows(path, noted())
        if not count:
            self.folder.files.delete(path)
            return
        writer, calls = writer_of(kind, sent)
        links = tuple(c for c in columns if c in target.fields and target.fields[c].is_reference)
        self.waves.append(
            Wave(number, name, kind, count, writer, calls, tuple(columns), links, sent, level)
        )
