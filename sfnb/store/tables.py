"""The FACE of the store for writing: a store of orgs, and the writer of one snapshot."""

from __future__ import annotations

import itertools
import os
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from sfnb.clock import Clock, SystemClock
from sfnb.errors import CallerError, StoreError
from sfnb.store.columns import (
    added_columns,
    columns_as_json,
    columns_from_json,
    part_columns,
    stored_columns,
    table_schema,
)
from sfnb.store.files import Files, encode, translated
from sfnb.store.log import NOTHING, Commit, Progress, log_path, metadata, newest_version, read_commits, read_parts
from sfnb.store.manifest import (
    FORMAT,
    Manifest,
    SnapshotPlan,
    SnapshotState,
    compute_manifest,
    manifest_path,
    plan_path,
    read_manifest,
    read_plan,
    schema_path,
    table_path,
)
from sfnb.store.parts import SNAPSHOT, Part, PartWriter, regrouped

if TYPE_CHECKING:
    from sfnb.store.snapshots import Snapshots

TABLE_PROPERTIES: Mapping[str, str | None] = {
    # Cursors and digests live in the log: nothing may tidy it away.
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    "delta.checkpointInterval": "100",
}

ATTEMPTS = 5
"""Tries of one commit while other snapshots write to the table; Delta itself repeats those that do not conflict."""


def open_store(root: str | os.PathLike[str], *, clock: Clock | None = None) -> Store:
    """A store at a folder or an ``s3://``, ``gs://`` or ``az://`` address; it comes to be with its first snapshot."""
    return Store(Files(root), clock or SystemClock())


class Store:
    """All orgs' snapshots below one root."""

    def __init__(self, files: Files, clock: Clock) -> None:
        self._files = files
        self._clock = clock

    @property
    def root(self) -> str:
        return self._files.root

    def org(self, org_id: str) -> OrgStore:
        if not org_id.isalnum():
            raise CallerError(f"{org_id!r} is not an Organization Id.")
        return OrgStore(self._files.below(org_id), org_id, self._clock)


class OrgStore:
    """One org's tables and snapshots."""

    def __init__(self, files: Files, org_id: str, clock: Clock) -> None:
        self.files = files
        self.org_id = org_id
        self._clock = clock

    @property
    def root(self) -> str:
        return self.files.root

    @property
    def snapshots(self) -> Snapshots:
        from sfnb.store.snapshots import Snapshots

        return Snapshots(self.files)

    def begin(self, plan: SnapshotPlan) -> Writer:
        """
        A writer for a new snapshot; its plan is on disk when this returns.

        Raises:
            CallerError: there is a snapshot of this id already.
            StoreError: the store cannot be written.
        """
        path = plan_path(plan.snapshot)
        if self.files.has(path):
            raise CallerError(f"snapshot {plan.snapshot} exists already; reopen it, or take another id.")
        self.files.put_json(path, plan.as_json(), indent=1)
        return Writer(self.files, plan, self._clock)

    def reopen(self, snapshot: str) -> Writer:
        """
        A writer that goes on with a snapshot, whatever happened to the last one.

        Raises:
            CallerError: there is no such snapshot.
            StoreError: its plan is damaged.
        """
        if not self.files.has(plan_path(snapshot)):
            raise CallerError(f"there is no snapshot {snapshot} in {self.root}.")
        return Writer(self.files, read_plan(self.files, snapshot), self._clock)


class Writer:
    """
    Writes one snapshot. The caller sees to it that there is one writer per snapshot (the job's lease).

    Threads: any number may use ``write_part`` at once, for different objects or the same. Commits of one object
    exclude each other; commits of different objects do not. Other snapshots may write to the same tables meanwhile.
    """

    def __init__(self, files: Files, plan: SnapshotPlan, clock: Clock) -> None:
        self.plan = plan
        self._files = files
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, _ObjectWriter] = {}

    @property
    def snapshot(self) -> str:
        return self.plan.snapshot

    def put_schema(self, object_name: str, schema: pa.Schema, describe: Mapping[str, Any] | None = None) -> pa.Schema:
        """
        Keep an object's columns and its describe answer with the snapshot, and make its table ready for them.

        Needed once per object before its first part or commit; after a resume it may be given again.

        Returns:
            The columns the snapshot has this object under. They are those of the first call: a field that appeared
            during a pause waits for the next snapshot.

        Raises:
            StoreError: the table cannot hold the columns without loss, or cannot be written.
        """
        return self._object(object_name).put_schema(schema, describe or {})

    def schema(self, object_name: str) -> pa.Schema | None:
        """What ``put_schema`` was first given, from disk; None if it was not called yet, by any process."""
        return self._object(object_name).columns()

    def progress(self, object_name: str) -> Progress:
        """How far an object has come, from the Delta log alone."""
        return self._object(object_name).progress()

    def write_part(self, object_name: str, batches: Iterable[pa.RecordBatch]) -> Part:
        """
        Stream batches into one Parquet file, durable but not yet visible when this returns.

        Holds one row group in memory. No rows: no file, and a part with an empty path that may be committed.
        An exception of ``batches`` comes out as it is, and the half file is taken away.

        Raises:
            StoreError: the disk is full or cannot be written, or a value does not fit its column.
        """
        return self._object(object_name).write_part(batches, self._clock)

    def commit(
        self, object_name: str, parts: Sequence[Part], cursor: Mapping[str, Any] | None, *, is_done: bool
    ) -> Progress:
        """
        Make parts visible and move the cursor, both or neither: one Delta commit.

        Given again with the same parts (because it was not known whether it had worked), it changes nothing.

        Args:
            cursor: JSON; comes back from ``progress``.
            is_done: the object is complete with this.

        Raises:
            StoreError: nothing was committed; or another writer has this snapshot; or it is sealed.
        """
        self._refuse_if_sealed()
        return self._object(object_name).commit(parts, cursor, is_done=is_done)

    def restart(self, object_name: str, cursor: Mapping[str, Any] | None = None) -> Progress:
        """Take this snapshot's parts of an object out again and set its cursor, in one Delta commit."""
        self._refuse_if_sealed()
        return self._object(object_name).restart(cursor, self._clock)

    def seal(self, state: SnapshotState = "complete", problems: Mapping[str, str] | None = None) -> Manifest:
        """
        Write the manifest, the last thing a snapshot gets. Sealing again changes nothing.

        Args:
            state: ``partial`` for a job that was cancelled or failed. With ``complete`` the manifest still says
                ``partial`` when an object is not complete: the logs decide.
            problems: of each object that could not be read, why.
        """
        if state not in ("complete", "partial"):
            raise CallerError(f"a snapshot is sealed as complete or partial, not as {state!r}.")
        with self._lock:
            sealed = read_manifest(self._files, self.snapshot)
            if sealed is not None:
                return sealed
            manifest = compute_manifest(
                self._files, self.plan, problems=problems, sealed_at=self._clock.now(), claimed=state
            )
            self._files.put_json(manifest_path(self.snapshot), manifest.as_json(), indent=1)
            return manifest

    def _refuse_if_sealed(self) -> None:
        if self._files.has(manifest_path(self.snapshot)):
            raise StoreError(f"snapshot {self.snapshot} is sealed; start a new backup.")

    def _object(self, name: str) -> _ObjectWriter:
        with self._lock:
            if name not in self._objects:
                if name not in self.plan.objects:
                    raise CallerError(f"{name} is not among the objects of snapshot {self.snapshot}.")
                self._objects[name] = _ObjectWriter(self._files, self.plan, name)
            return self._objects[name]


class _ObjectWriter:
    """One object's share of a Writer. ``_lock`` guards everything that changes; files are written outside of it."""

    def __init__(self, files: Files, plan: SnapshotPlan, name: str) -> None:
        self._root = files
        self._files = files.below(table_path(name))
        self._plan = plan
        self._snapshot = plan.snapshot
        self._name = name
        self._lock = threading.RLock()
        self._table: DeltaTable | None = None
        self._columns: pa.Schema | None = None
        self._part_columns: pa.Schema | None = None
        self._last: Commit | None = None
        self._is_read = False
        self._numbers: Iterable[int] | None = None

    # -- columns ---------------------------------------------------------------------------------------------------

    def columns(self) -> pa.Schema | None:
        with self._lock:
            if self._columns is None:
                told = self._root.read_json(schema_path(self._snapshot, self._name))
                if told is not None:
                    self._columns = columns_from_json(told["columns"])
            return self._columns

    def put_schema(self, schema: pa.Schema, describe: Mapping[str, Any]) -> pa.Schema:
        with self._lock:
            columns = self.columns()
            if columns is None:
                columns = stored_columns(schema, self._name)
                self._fit_table(columns)
                told = {
                    "format": FORMAT,
                    "object": self._name,
                    "columns": columns_as_json(columns),
                    "describe": dict(describe),
                }
                self._root.put_json(schema_path(self._snapshot, self._name), told)
                self._columns = columns
            return columns

    def _fit_table(self, columns: pa.Schema) -> DeltaTable:
        """The table, made or widened so that it can hold the columns."""
        with translated(f"open the table of {self._name}"):
            for attempt in range(ATTEMPTS):
                table = self._table or self._open_or_create(columns)
                present = pa.schema(table.schema().to_arrow())
                present = pa.schema([field.with_type(_plain(field.type)) for field in present])
                missing = added_columns(present, columns, self._name)
                if not missing:
                    break
                try:
                    table.alter.add_columns(list(DeltaSchema.from_arrow(pa.schema(missing)).fields))
                except DeltaError:
                    # Another snapshot has changed the table meanwhile, most likely by the same columns: look again.
                    if attempt == ATTEMPTS - 1:
                        raise
                self._table = None
            self._table = table
            self._part_columns = part_columns(present, columns)
            return table

    def _open_or_create(self, columns: pa.Schema) -> DeltaTable:
        uri = self._files.uri("").rstrip("/\\")
        if newest_version(self._files) < 0:
            try:
                if self._files.local:
                    self._files.local.mkdir(parents=True, exist_ok=True)
                return DeltaTable.create(
                    uri,
                    schema=table_schema(columns),
                    partition_by=[SNAPSHOT],
                    name=self._name,
                    configuration=TABLE_PROPERTIES,
                )
            except DeltaError:
                # Another snapshot was first.
                if newest_version(self._files) < 0:
                    raise
        return DeltaTable(uri)

    def _ready(self) -> DeltaTable:
        """The opened table, and ``_part_columns`` set."""
        if self._table is None or self._part_columns is None:
            columns = self.columns()
            if columns is None:
                raise StoreError(f"{self._name}: its columns are not known yet; put_schema comes first.")
            return self._fit_table(columns)
        return self._table

    # -- progress --------------------------------------------------------------------------------------------------

    def progress(self) -> Progress:
        with self._lock:
            if not self._is_read:
                self._read_last()
            return self._last.progress if self._last else NOTHING

    def _read_last(self) -> None:
        commits = read_commits(self._files, self._snapshot, not_before=self._plan.created_at)
        self._last = next(commits, None)
        self._is_read = True

    # -- parts -----------------------------------------------------------------------------------------------------

    def write_part(self, batches: Iterable[pa.RecordBatch], clock: Clock) -> Part:
        with self._lock:
            self._ready()
            columns = self._part_columns
            if self._numbers is None:
                self._numbers = itertools.count(self.progress().parts + 1)
            number = next(iter(self._numbers))
        name = f"{self._name}-{self._snapshot}-{number:06d}-{secrets.token_hex(4)}.parquet"
        path = f"{SNAPSHOT}={self._snapshot}/{name}"
        tables = regrouped(batches)
        first = next(tables, None)
        if first is None:
            return Part(path="", rows=0, deleted=0, size_bytes=0, sha256="")
        with self._files.open_new(path) as sink:
            writer = PartWriter(sink, columns, object_name=self._name, extracted_at=clock.now())
            try:
                for table in itertools.chain([first], tables):
                    writer.write(table)
            finally:
                writer.close()
        return writer.part(path)

    # -- commits ---------------------------------------------------------------------------------------------------

    def commit(self, parts: Sequence[Part], cursor: Mapping[str, Any] | None, *, is_done: bool) -> Progress:
        written = [part for part in parts if part.path]
        with self._lock:
            before = self.progress()
            if written and self._last is not None and list(self._last.parts) == written:
                return before
            stamps = [s for s in (before.max_modstamp, *(p.max_modstamp for p in written)) if s is not None]
            after = Progress(
                parts=before.parts + len(written),
                rows=before.rows + sum(p.rows for p in written),
                deleted=before.deleted + sum(p.deleted for p in written),
                cursor=None if cursor is None else dict(cursor),
                is_done=is_done,
                size_bytes=before.size_bytes + sum(p.size_bytes for p in written),
                max_modstamp=max(stamps, key=datetime.fromisoformat, default=None),
                number=before.number + 1,
                since=before.since,
            )
            adds = [
                AddAction(p.path, p.size_bytes, {SNAPSHOT: self._snapshot}, 0, True, p.delta_stats()) for p in written
            ]
            return self._put(after, written, adds)

    def restart(self, cursor: Mapping[str, Any] | None, clock: Clock) -> Progress:
        with self._lock:
            self._read_last()
            before, alive = read_parts(self._files, self._snapshot, not_before=self._plan.created_at)
            after = Progress(
                cursor=None if cursor is None else dict(cursor), number=before.number + 1, since=before.number + 1
            )
            now_ms = int(clock.now().timestamp() * 1000)
            removes = [RemoveAction(p.path, True, now_ms, p.size_bytes, {SNAPSHOT: self._snapshot}) for p in alive]
            return self._put(after, [], removes)

    def _put(self, after: Progress, parts: Sequence[Part], actions: list[AddAction | RemoveAction]) -> Progress:
        """One Delta commit, whose number in this snapshot is ``after.number``."""
        told = metadata(self._snapshot, after, parts)
        properties = CommitProperties(
            custom_metadata={"sfnb": encode(told).decode()},
            app_transactions=[Transaction(self._snapshot, after.number)],
        )
        with translated(f"commit rows of {self._name}"):
            for attempt in range(ATTEMPTS):
                table = self._ready()
                if (there := table.transaction_version(self._snapshot)) is not None and there >= after.number:
                    return self._settled(after, parts)
                if (there is None and after.number > 1) or (there is not None and there < after.number - 1):
                    raise StoreError(
                        f"{self._name}: the table has lost commits of {self._snapshot}; see `sfnb verify`."
                    )
                version = table.version()
                try:
                    table.create_write_transaction(
                        actions,
                        mode="append",
                        schema=table.schema(),
                        partition_by=[SNAPSHOT],
                        commit_properties=properties,
                    )
                except (DeltaError, TableNotFoundError, OSError) as err:
                    # Refused because another snapshot changed the table, or because this very commit had worked
                    # before and its answer was lost: look at the table afresh, and decide again.
                    self._table = None
                    if attempt == ATTEMPTS - 1 or isinstance(err, OSError):
                        raise
                    continue
                table.update_incremental()
                for written in range(version + 1, table.version() + 1):
                    self._files.sync(log_path(written))
                return self._settled(after, parts)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _settled(self, after: Progress, parts: Sequence[Part]) -> Progress:
        """The progress as the log now has it, if it is this commit that the log has."""
        self._read_last()
        last = self._last
        if last is None or last.progress.number != after.number or list(last.parts) != list(parts):
            raise StoreError(
                f"{self._name}: another process writes snapshot {self._snapshot} too; end one of them and resume."
            )
        return last.progress


def _plain(kind: pa.DataType) -> pa.DataType:
    """Delta's schema comes over the Arrow interface with view or large strings, depending on the version."""
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return kind
