"""The FACE for reading what archives have taken out of an org: frames, SQL, search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sfnb.errors import CallerError
from sfnb.store import views
from sfnb.store.archive_search import LIMIT, Asked, search
from sfnb.store.archived_rows import ArchivedRows
from sfnb.store.archives import (
    ArchiveRecord,
    archive_folder,
    archive_ids,
    read_archive_record,
)
from sfnb.store.files import Files
from sfnb.store.snapshots import Snapshot

if TYPE_CHECKING:
    import pandas as pd

ID_CHARS = 18

Whole = tuple[ArchiveRecord, Snapshot]


class Archives:
    """
    An org's archived records, of all its archives or, by ``archives[id]``, of one.

    Records that are in an archive's snapshot and were not deleted after all are left out; the
    snapshot itself (``org.snapshots[id]``) has them, too. While an archive is not finished, there
    are also records whose deletion is still to come. No calls to the org.
    """

    def __init__(self, files: Files, chosen: Sequence[str] | None = None) -> None:
        self._files = files
        self._chosen = chosen

    def __repr__(self) -> str:
        return f"Archives({list(self)})"

    def __iter__(self) -> Iterator[str]:
        """The archives' snapshots, oldest first."""
        return iter(self._chosen) if self._chosen is not None else archive_ids(self._files)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        return key in list(self)

    def __getitem__(self, key: str) -> Archives:
        """
        One archive.

        Raises:
            CallerError: there is none of this snapshot; the message lists the newest.
        """
        there = list(self)
        if key in there:
            return Archives(self._files, [key])
        known = ", ".join(there[:-11:-1]) or "none"
        older = " and older ones" if len(there) > 10 else ""
        raise CallerError(f"there is no archive {key!r}. Known: {known}{older}.")

    def record(self, snapshot: str) -> ArchiveRecord | None:
        """
        What one archive is; None while it is still being stored: nothing of it is gone yet.

        Raises:
            StoreError: it is damaged.
        """
        return read_archive_record(self._files.below(archive_folder(snapshot)))

    def records(self) -> list[ArchiveRecord]:
        """
        What each archive is, oldest first, but for those that are still being stored.

        Cost: a small file for each.

        Raises:
            StoreError: one is damaged.
        """
        return [record for record, _ in self._whole()]

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the objects of which records are archived."""
        return tuple(sorted({name for record in self.records() for name in record.objects}))

    def rows(self, object_name: str) -> ArchivedRows:
        """
        An object's archived records, not yet read.

        Raises:
            CallerError: none of them is archived.
        """
        meant = object_name.lower()
        found: list[Whole] = []
        name = object_name
        for record, snapshot in self._whole():
            if spelled := next((n for n in record.objects if n.lower() == meant), ""):
                name = spelled
                found.append((record, snapshot))
        if not found:
            there = ", ".join(self.objects) or "nothing yet"
            raise CallerError(f"no record of {object_name} is archived. Archived: {there}.")
        return ArchivedRows(name, found)

    def frame(self, object_name: str) -> pd.DataFrame:
        """
        An object's archived records as a pandas frame; dtypes as in ``Snapshot.frame``. The last
        columns, ``_archive`` and ``_archived_at``, say which archive took a record, and when.

        Raises:
            CallerError: none of them is archived.
            StoreError: an archive is damaged.
        """
        rows = self.rows(object_name)
        return views.as_frame(pa.Table.from_batches(rows.batches(), schema=rows.columns))

    def sql(self, query: str) -> pd.DataFrame:
        """
        What a SELECT gives over the archived records, by DuckDB: objects are tables under their API
        names, with the columns of ``frame``. A name that is a word of SQL needs quotes:

            org.archives.sql('select year("ClosedDate") y, count(*) n from "Case" group by y')

        Raises:
            CallerError: the query is wrong, is not one SELECT, or names an object of which nothing
                is archived.
        """
        return views.as_frame(views.select(query, self.objects, self.rows))

    def search(
        self,
        text: str = "",
        *,
        object_name: str = "",
        record_id: str = "",
        where: str = "",
        limit: int = LIMIT,
    ) -> list[dict[str, Any]]:
        """
        As `sfnb archive search`: each record with ``object``, ``id``, ``archived_at``, ``snapshot``
        and ``record``, those archived last first.

        Args:
            text: in any text field, whatever its case.
            record_id: 18 characters.
            where: an SQL condition over the object's fields.

        Raises:
            CallerError: the condition is wrong, or names fields that none of the objects has.
        """
        if record_id and len(record_id) != ID_CHARS:
            raise CallerError(f"{record_id!r} is not an Id of {ID_CHARS} characters.")
        asked = Asked(text, object_name, record_id, where, limit)
        return [
            {
                "object": one.object_name,
                "id": one.id,
                "archived_at": one.archived_at,
                "snapshot": one.snapshot,
                "record": one.record,
            }
            for one in search(self._files, asked, self)
        ]

    def _whole(self) -> Iterator[Whole]:
        for one in self:
            record = self.record(one)
            if record is not None:
                yield record, Snapshot(self._files.below(archive_folder(one)), one)
