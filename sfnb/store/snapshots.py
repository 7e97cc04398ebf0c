"""The FACE of the store for reading: an org's snapshots and what each of them holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sfnb.errors import CallerError, StoreError
from sfnb.model import ObjectState
from sfnb.store import views
from sfnb.store.archives import archive_folder, is_archive
from sfnb.store.files import Files
from sfnb.store.layout import FieldSource, sources_of, with_columns
from sfnb.store.log import read_parts
from sfnb.store.manifest import (
    SNAPSHOT_ID,
    Manifest,
    SnapshotPlan,
    Summary,
    compute_manifest,
    object_entry,
    read_committed,
    read_manifest,
    read_plan,
    read_summary,
    read_unchanged,
)
from sfnb.store.older.rows import rows_of as older_rows
from sfnb.store.parts import Part
from sfnb.store.paths import manifest_path, plan_path, schema_path
from sfnb.store.place import RECORDS_FORMAT, place_of
from sfnb.store.progress import NOTHING, Progress
from sfnb.store.schema import read_schema
from sfnb.store.states.reading import sources_before, state_at
from sfnb.store.states.records import columns_of_sources

if TYPE_CHECKING:
    import pandas as pd

LATEST = "latest"


class Snapshots(Mapping[str, "Snapshot"]):
    """
    An org's snapshots, oldest first.

    ``snapshots[key]`` takes an id, the beginning of one that no other shares, or ``latest``: the
    newest snapshot that has any data, complete or partial. An archive's snapshot is not among them;
    its whole id gives it all the same.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    def __repr__(self) -> str:
        return f"Snapshots({list(self)})"

    def __iter__(self) -> Iterator[str]:
        for name in self._files.names("snapshots", folders=True):
            if SNAPSHOT_ID.fullmatch(name) and self._is_there(name):
                yield name

    def _is_there(self, name: str) -> bool:
        """A folder without a plan is what a kill before the plan leaves."""
        return self._files.has(plan_path(name)) or self._files.has(manifest_path(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in list(self)

    def latest(self, object_name: str) -> Snapshot:
        """
        The newest snapshot that has the object complete; where none has, the newest that has some
        of it.

        An object of which nothing is stored gives ``latest``, which says why it has no rows of it.
        """
        partial = None
        for found in reversed(list(self)):
            snapshot = Snapshot(self._files, found)
            state = snapshot.state_of(object_name)
            if state is ObjectState.COMPLETE:
                return snapshot
            if state is ObjectState.PARTIAL and partial is None:
                partial = snapshot
        return partial or self[LATEST]

    def __getitem__(self, key: str) -> Snapshot:
        """
        Raises:
            CallerError: nothing, or more than one snapshot, is meant; the message lists what there
                is.
        """
        if SNAPSHOT_ID.fullmatch(key) and self._is_there(key):
            return Snapshot(self._files, key)
        if is_archive(self._files, key):
            return Snapshot(self._files.below(archive_folder(key)), key)
        ids = list(self)
        if key == LATEST:
            for found in reversed(ids):
                snapshot = Snapshot(self._files, found)
                if snapshot.has_data:
                    return snapshot
            raise CallerError("no snapshot has any data yet. Make a backup first.")
        found_ids = [found for found in ids if found == key] or [
            found for found in ids if key and found.startswith(key)
        ]
        if len(found_ids) == 1:
            return Snapshot(self._files, found_ids[0])
        there = ", ".join(reversed(ids[-10:])) or "none"
        what = (
            f"{len(found_ids)} snapshots begin with {key}"
            if found_ids
            else f"there is no snapshot {key!r}"
        )
        raise CallerError(f"{what}. Known: {there}{' and older ones' if len(ids) > 10 else ''}.")


class Snapshot:
    """
    What one backup job has stored, as of now if it is still growing.

    Records are those alive at this snapshot: of each Id the newest version, unless it was deleted.
    Fields have their API names; sfnb's own columns are left out. No calls to the org.
    """

    def __init__(self, files: Files, snapshot: str) -> None:
        self._files = files
        self.id = snapshot
        self._sealed: Manifest | None = None

    def __repr__(self) -> str:
        return f"Snapshot({self.id!r})"

    @property
    def files(self) -> Files:
        """The org's folder in the store."""
        return self._files

    @cached_property
    def plan(self) -> SnapshotPlan:
        """What was meant to be stored."""
        return read_plan(self._files, self.id)

    @property
    def manifest(self) -> Manifest:
        """The sealed manifest; before the seal, what plan and Delta logs say now."""
        return self._seal() or compute_manifest(self._files, self.plan)

    @property
    def summary(self) -> Summary:
        """The manifest without its lines. Cost: a small file, once the snapshot is sealed."""
        found = read_summary(self._files, self.id) if self.is_sealed else None
        return found or self.manifest.summary

    def _seal(self) -> Manifest | None:
        if self._sealed is None:
            self._sealed = read_manifest(self._files, self.id)
        return self._sealed

    @property
    def is_sealed(self) -> bool:
        return self._files.has(manifest_path(self.id))

    @property
    def has_data(self) -> bool:
        """Whether anything is committed; an object that proved to be empty counts."""
        if sealed := self._seal():
            return any(e.state is not ObjectState.UNTOUCHED for e in sealed.objects.values())
        return any(self._committed(name)[0].number for name in self.plan.objects)

    def state_of(self, object_name: str) -> ObjectState | None:
        """What the snapshot has of an object; None if it was not meant to be stored."""
        try:
            name = self._spelled(object_name)
        except CallerError:
            return None
        if sealed := self._seal():
            return sealed.objects[name].state
        if name in read_unchanged(self._files, self.plan):
            return ObjectState.COMPLETE
        return object_entry(*self._committed(name), None).state

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the objects that were meant to be stored."""
        return tuple((self._seal() or self.plan).objects)

    def is_complete(self, object_name: str) -> bool:
        """Whether the object was read to its end, and nothing speaks against it."""
        return self.state_of(self._spelled(object_name)) is ObjectState.COMPLETE

    def columns(self, object_name: str) -> pa.Schema:
        """
        The object's fields in this snapshot, in describe's order, with types that hold every value.
        """
        return columns_of_sources(self._sources(self._spelled(object_name)))

    def sources(self, object_name: str) -> list[FieldSource]:
        """The object's fields, and the columns that hold them."""
        return self._sources(self._spelled(object_name))

    def _sources(self, name: str) -> list[FieldSource]:
        snapshot, progress, parts = self.reading(name)
        stored = read_schema(self._files, snapshot, name)
        if stored is None:
            path = self._files.uri(schema_path(snapshot, name))
            raise StoreError(f"{path} is missing: the fields of {name} are no longer known.")
        if progress.held is not None:
            return with_columns(sources_of([stored.layout]), progress.held.columns)
        sources = sources_of([stored.layout, *(part.widened for part in parts)])
        if self.format < RECORDS_FORMAT:
            return sources
        return sources_before(self._files, snapshot, name, sources)

    def describe(self, object_name: str) -> Mapping[str, object]:
        """Salesforce's describe answer, as it was when the backup read it."""
        name = self._spelled(object_name)
        stored = read_schema(self._files, self.reading(name)[0], name)
        return dict(stored.describe) if stored else {}

    def parts(self, object_name: str) -> list[Part]:
        """The committed parts, oldest first; paths are from the table's folder."""
        return self._committed(self._spelled(object_name))[1]

    def rows(self, object_name: str) -> views.Rows:
        """The object's records, not yet read."""
        name = self._spelled(object_name)
        snapshot, progress, parts = self.reading(name)
        if progress.number == 0:
            raise CallerError(
                f"snapshot {self.id} has nothing of {name} yet; `sfnb show` lists what it has."
            )
        sources = self._sources(name)
        if self.format < RECORDS_FORMAT:
            return older_rows(self._files, self.id, name, sources, (progress, parts))
        return state_at(self._files, snapshot, name, sources, progress)

    def batches(self, object_name: str) -> Iterator[pa.RecordBatch]:
        """The records, streamed; in no order to rely on."""
        return self.rows(object_name).batches()

    def record(self, object_name: str, record_id: str) -> tuple[str, Mapping[str, Any]] | None:
        """
        One record by its Id: ``upsert`` or ``delete`` (in the recycle bin), and its fields; None: it
        is not stored.
        """
        return self.rows(object_name).one(record_id)

    def table(self, object_name: str) -> pa.Table:
        """
        The records as an Arrow table: text string, numbers double or int64, moments timestamp[us,
        UTC].
        """
        rows = self.rows(object_name)
        return pa.Table.from_batches(rows.batches(), schema=rows.columns)

    def frame(self, object_name: str) -> pd.DataFrame:
        """
        The records as a pandas frame.

        Returns:
            One row per record, one column per field: text ``string`` (absent: ``<NA>``), numbers
            ``float64`` (absent: NaN), ints ``Int64``, checkboxes ``boolean``, moments
            ``datetime64[us, UTC]``, dates ``datetime64[ms]`` without a zone. Salesforce's time
            fields are text.

        Raises:
            CallerError: the snapshot has nothing of the object; the message says why.
            StoreError: the store is damaged.
        """
        return views.as_frame(self.table(object_name))

    def sql(self, query: str) -> pd.DataFrame:
        """
        What a SELECT gives over this snapshot's objects, by DuckDB. Columns as in ``frame``.

        Objects are tables under their API names. A name that is a word of SQL needs quotes:
        ``select * from "Order"``.

        Raises:
            CallerError: the query is wrong, is not one SELECT, or names an object that the snapshot
                does not have.
        """
        return views.as_frame(self.sql_table(query))

    def sql_table(self, query: str) -> pa.Table:
        """Like ``sql``, as an Arrow table."""
        return views.select(query, self.objects, self.rows)

    def export(
        self, object_name: str, path: str | os.PathLike[str], *, overwrite: bool = False
    ) -> int:
        """
        Write the records into a ``.parquet`` or ``.csv`` file, streamed, whole or not at all.

        CSV is UTF-8 with LF, null as empty, moments as ``2026-11-09T05:12:03.118Z``, text quoted
        when needed.

        Returns:
            How many records.

        Raises:
            CallerError: the path is a folder, has another ending, or exists and ``overwrite`` is
                not given.
            StoreError: it cannot be written.
        """
        return views.export(self.rows(object_name), path, overwrite=overwrite)

    def _spelled(self, object_name: str) -> str:
        """The object in the snapshot's spelling."""
        # Before the seal the plan knows the names; the manifest would read every object's log for
        # them.
        known = self._seal() or self.plan
        for name in known.objects:
            if name.lower() == object_name.lower():
                return name
        for name, why in known.left_out.items():
            if name.lower() == object_name.lower():
                raise CallerError(f"{name} was left out of snapshot {self.id}: {why}.")
        raise CallerError(
            f"snapshot {self.id} has no object {object_name}; `sfnb show` lists them."
        )

    @cached_property
    def format(self) -> int:
        """The format that the snapshot was begun in."""
        sealed = self._seal()
        return sealed.format if sealed else self.plan.format

    def reading(self, name: str) -> tuple[str, Progress, list[Part]]:
        """The snapshot that read the object, how far it came, and the parts it brought."""
        sealed = self._seal()
        if sealed is None:
            entry = read_unchanged(self._files, self.plan).get(name)
            if entry is None:
                return self.id, *read_committed(self._files, self.plan, name)
        else:
            entry = sealed.objects[name]
        if entry.state is ObjectState.UNTOUCHED:
            return self.id, NOTHING, []
        snapshot = entry.unchanged_since or self.id
        folder = place_of(name, snapshot, self.format).folder
        return snapshot, *read_parts(self._files.below(folder), snapshot, newest=entry.version)

    def _committed(self, name: str) -> tuple[Progress, list[Part]]:
        _, progress, parts = self.reading(name)
        return progress, parts
