"""The FACE of the store for writing one snapshot: columns, commits, the seal."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any

import pyarrow as pa

from sfnb.clock import Clock
from sfnb.errors import CallerError, ResultsGone, StoreError
from sfnb.store.comparisons import Comparisons
from sfnb.store.files import Files
from sfnb.store.held import Mode
from sfnb.store.manifest import (
    Manifest,
    ObjectEntry,
    SnapshotPlan,
    SnapshotState,
    compute_manifest,
    progress_of,
    put_first_manifest,
    put_unchanged,
    read_manifest,
    read_unchanged,
)
from sfnb.store.object_commits import OtherWriter
from sfnb.store.objects import ObjectWriter
from sfnb.store.ownership import STALE, Ownership, StaleWriter
from sfnb.store.part_writer import PartTarget
from sfnb.store.parts import NO_ROWS, Part
from sfnb.store.paths import unsealed_folders
from sfnb.store.place import RECORDS_FORMAT
from sfnb.store.progress import Progress
from sfnb.store.proof import Proof
from sfnb.store.schema import ObjectColumns, read_schema
from sfnb.store.settling.base import Base, Bases, Unchanged, unchanged_entry
from sfnb.store.settling.outcome import Settled
from sfnb.store.settling.reading import Asked
from sfnb.store.vouching import index_digests, metadata_digest


class Writer:
    """
    The deciding thread's half of writing one snapshot: columns, commits, the seal.

    The caller makes sure that each snapshot has one writer (the job's lease). Workers write parts
    with a ``part_writer.PartWriter`` made from ``target``, in any thread or process, and return
    them; only this class makes them visible. Calls for one object wait for each other. Other
    snapshots may write to the same tables meanwhile.

    Attributes:
        comparisons: what is read only to be compared with what is stored.
    """

    def __init__(self, files: Files, plan: SnapshotPlan, clock: Clock) -> None:
        self.plan = plan
        self._files = files
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, ObjectWriter] = {}
        self._bases: Bases | None = None
        self._unchanged: Mapping[str, ObjectEntry] | None = None
        self._ownership = Ownership(files, plan.snapshot, clock)
        self.comparisons = Comparisons(self._object, self.base_schema)

    @property
    def snapshot(self) -> str:
        return self.plan.snapshot

    def take_over(self) -> None:
        """
        Become the snapshot's one owner: commits of writers that took it over earlier are refused from now on.

        For a process that was stopped, lost its lease and wakes again. Call it before ``progress``.
        """
        self._ownership.take_over()

    def put_schema(
        self, object_name: str, schema: pa.Schema, describe: Mapping[str, Any] | None = None
    ) -> pa.Schema:
        """
        Store an object's columns and its describe answer with the snapshot, and prepare its table
        for them.

        Needed once per object before its first part or commit; it may be called again after a
        resume.

        Returns:
            The columns the snapshot has this object under. They are those of the first call: a
            field that appeared during a pause waits for the next snapshot.

        Raises:
            StoreError: the table cannot hold the columns without loss, or cannot be written.
        """
        return self._object(object_name).put_schema(schema, describe or {})

    def schema(self, object_name: str) -> pa.Schema | None:
        """
        What ``put_schema`` was first given, from disk; None if it was not called yet, by any
        process.
        """
        return self._object(object_name).columns()

    def progress(self, object_name: str) -> Progress:
        """How far an object has come, from the store alone."""
        if (entry := self._noted().get(object_name)) is not None:
            return progress_of(entry)
        return self._object(object_name).progress()

    def _noted(self) -> Mapping[str, ObjectEntry]:
        """The objects that were found not to have changed."""
        with self._lock:
            if self._unchanged is None:
                self._unchanged = read_unchanged(self._files, self.plan)
            return self._unchanged

    def changes(self, object_name: str) -> tuple[str, int, int] | None:
        """
        What has become of an object since its base: the base's snapshot, how many records are new,
        changed or gone, and how many there are; None: its reading has not ended, or has no base.
        """
        if (entry := self._noted().get(object_name)) is not None:
            return entry.before or "", 0, entry.rows
        if object_name not in self.plan.objects:
            return None
        held = self._object(object_name).progress().held
        if held is None or held.before is None:
            return None
        return held.before, held.added + held.changed + held.ended, held.rows

    def describe(self, object_name: str) -> dict[str, Any]:
        """The describe answer given to ``put_schema``, from disk; empty before ``put_schema``."""
        return self._object(object_name).describe()

    def ids(self, object_name: str) -> list[str]:
        """
        Ids of the records at this snapshot, those in the recycle bin too, as far as it has been
        read, in no particular order.
        """
        if self.plan.format < RECORDS_FORMAT:
            return self._object(object_name).ids()
        from sfnb.store.snapshots import Snapshot

        # A settled reading keeps only what changed: the state has the others, too.
        rows = Snapshot(self._files, self.snapshot).rows(object_name)
        batches = chain(rows.batches(["Id"]), rows.recycle_bin(["Id"]))
        return [one for batch in batches for one in batch.column(0).to_pylist()]

    def target(self, object_name: str, fields: Sequence[str] | None = None) -> PartTarget:
        """
        Where workers put the parts of an object: a plain value for ``part_writer.PartWriter``, in
        any process.

        Args:
            fields: of a refresh: the parts have only these and the Id. They are in no state until
                ``settle`` with ``columns`` puts them together with the other fields.

        Cost: the object's schema file once; a table that lacks a column gets it.
        """
        return self._object(object_name).target(fields)

    def write_parts(self, object_name: str, batches: Iterable[pa.RecordBatch]) -> list[Part]:
        """Write parts in this process; see ``PartWriter.write``."""
        return self._object(object_name).write_parts(batches)

    def write_part(self, object_name: str, batches: Iterable[pa.RecordBatch]) -> Part:
        """
        The one part of ``write_parts``; without rows a part with an empty path, which may be
        committed.
        """
        return next(iter(self.write_parts(object_name, batches)), NO_ROWS)

    def commit(
        self,
        object_name: str,
        parts: Sequence[Part],
        cursor: Mapping[str, Any] | None,
        *,
        is_done: bool,
        proof: Proof | None = None,
    ) -> Progress:
        """
        Make parts visible and move the cursor, both or neither: one Delta commit.

        Repeating it with the same parts changes nothing, so a caller whose answer was lost may ask
        again.

        Args:
            cursor: JSON; comes back from ``progress``.
            is_done: reading the object ends with this.
            proof: of ``prove``, for the object's end. Without one the rows are proven here, with no
                count of the org's.

        Raises:
            StoreError: nothing was committed; or another writer has this snapshot; or it is sealed.
        """
        self._ownership.check()
        with self._only_one_writes(object_name):
            return self._object(object_name).commit(parts, cursor, is_done=is_done, proof=proof)

    @contextmanager
    def _only_one_writes(self, object_name: str) -> Iterator[None]:
        try:
            yield
        except OtherWriter as err:
            self._ownership.check()
            if not self._ownership.is_claimed:
                raise
            # A writer that this one replaced was just about to commit: nothing is lost but its time.
            raise ResultsGone(f"{object_name}: a stopped process still wrote rows of it.") from err

    def prove(
        self, object_name: str, parts: Sequence[Part] = (), *, org_count: int | None = None
    ) -> Proof:
        """
        Whether an object is complete (P9), asked before its last commit: look at ``Proof.problem``.

        An object whose proof has a problem is ``partial`` in the manifest, even when it is
        committed as done.

        Args:
            parts: those of the last commit, not committed yet.
            org_count: how many rows the org said the object has, recycle bin included; None: it
                gave no number.

        Cost: no calls. Reads nothing where Ids rise from part to part, else one column of every
            part.
        """
        return self._object(object_name).prove(parts, org_count)

    def base(self, object_name: str) -> Base | None:
        """
        What the store has complete of an object before this snapshot, where an incremental reading
        starts; None: read it in full.

        Cost: no calls; the manifest of the newest older snapshot, once for all objects.
        """
        with self._lock:
            return self._the_bases().get(object_name)

    def _the_bases(self) -> Bases:
        if self._bases is None:
            self._bases = Bases(self._files, self.snapshot)
        return self._bases

    def base_schema(self, object_name: str) -> ObjectColumns | None:
        """The columns and the describe answer that the base was stored under; None: no base."""
        base = self.base(object_name)
        return read_schema(self._files, base.schema, object_name) if base else None

    def settle(
        self,
        object_name: str,
        parts: Sequence[Part],
        cursor: Mapping[str, Any] | None,
        *,
        mode: Mode = "full",
        fields: Sequence[str] = (),
        gone: Sequence[str] = (),
        org_count: int | None = None,
        org_digest: str | None = None,
        watermark: str | None = None,
        swept: bool = False,
        afresh: bool = False,
    ) -> Settled:
        """
        End an object's reading: compare with the state before, keep the net change, in one commit.

        Rows whose content is stored already get no new version; SystemModstamp alone is no content.
        When ``Settled.proof`` has a problem, nothing was committed.

        Args:
            parts: those of the last step, not committed yet.
            mode: ``full``: all rows were read, so those that are missing are gone. ``changes``:
                those that were not read are as they were. ``columns``: the parts of ``target`` with
                ``fields`` have all records; after another ``settle`` of this snapshot, or alone.
            fields: of ``columns``.
            gone: Ids that are gone for good, by proof.
            org_count: how many rows the org said there are, recycle bin included; None: it gave no
                number.
            org_digest: of the Ids that the org has, by a sweep; see ``Settled.ids_match``.
            watermark: what the org has changed since then is not known; None: the newest stamp
                that was read, but not later than the cursor's ``started_at``.
            swept: all Ids were compared.
            afresh: of ``full``: what older snapshots have of the object cannot be read, so it is
                compared with nothing and has no history from now on.

        Raises:
            StoreError: as ``commit``; or the state before cannot be read.
            CallerError: ``changes`` of an object of which nothing is complete, or without Ids.
            ReadByNewer: a newer snapshot has read the object already.
        """
        self._ownership.check()
        asked = Asked(mode, gone, org_count, org_digest, watermark, swept, fields, is_afresh=afresh)
        with self._only_one_writes(object_name):
            return self._object(object_name).settle(parts, cursor, asked)

    def unchanged(self, objects: Mapping[str, Unchanged]) -> None:
        """
        Note that objects have not changed since their base: one small file for all of them.

        Raises:
            CallerError: an object has no base, or was read in this snapshot.
            StoreError: as ``commit``.
        """
        self._ownership.check()
        entries = {}
        for name, said in objects.items():
            with self._lock:
                found = self._the_bases().entry(name)
            if found is None:
                raise CallerError(f"{name}: no snapshot has it complete. Read it in full.")
            entries[name] = unchanged_entry(*found, said)
        put_unchanged(self._files, self.snapshot, entries)
        noted = self._noted()
        with self._lock:
            self._unchanged = {**noted, **entries}

    def set_aside(self, object_name: str) -> bool:
        """
        Move an object's table away if its log can be read and makes no sense any more, so that a
        new one takes its place; whether it was. What older snapshots have of it stays on the disk,
        under ``damaged``, for people.

        Cost: no calls; reads the object's log.
        """
        try:
            self._ownership.check()
        except StoreError:
            return False  # it is not this table that is damaged
        return self._object(object_name).set_aside()

    def restart(self, object_name: str, cursor: Mapping[str, Any] | None = None) -> Progress:
        """Remove this snapshot's parts of an object and set its cursor, in one Delta commit."""
        self._ownership.check()
        return self._object(object_name).restart(cursor)

    def seal(
        self,
        state: SnapshotState = "complete",
        problems: Mapping[str, str] | None = None,
        left_out: Mapping[str, str] | None = None,
        *,
        is_rebuilt: bool = False,
    ) -> Manifest:
        """
        Write the manifest, a snapshot's last file. Sealing again changes nothing.

        Args:
            state: ``partial`` for a job that was cancelled or failed. With ``complete`` the
                manifest still says ``partial`` when an object is not complete: the logs decide.
            problems: by object, why it could not be read.
            left_out: by object, why it turned out not to be queryable.
            is_rebuilt: all bodies of the org's files were looked for, whatever the index lacks.
        """
        if state not in ("complete", "partial"):
            raise CallerError(f"a snapshot is sealed as complete or partial, not as {state!r}.")
        with self._lock:
            sealed = read_manifest(self._files, self.snapshot)
            if sealed is not None:
                return sealed
            manifest = compute_manifest(
                self._files,
                self.plan,
                problems=problems,
                left_out=left_out,
                sealed_at=self._clock.now(),
                claimed=state,
            )
            manifest = replace(
                manifest,
                metadata_sha256=metadata_digest(self._files, self.snapshot),
                indexes=index_digests(self._files, self.snapshot, is_rebuilt=is_rebuilt),
            )
            self._ownership.check_owner()
            if not put_first_manifest(self._files, manifest):
                raise StaleWriter(STALE)
            # What is sealed takes no commit from anybody, and the manifest has every line.
            for folder in unsealed_folders(self.snapshot):
                for path in self._files.walk(folder):
                    self._files.delete(path)
            return manifest

    def _object(self, name: str) -> ObjectWriter:
        with self._lock:
            if name not in self._objects:
                if name not in self.plan.objects:
                    raise CallerError(
                        f"{name} is not among the objects of snapshot {self.snapshot}."
                    )
                self._objects[name] = ObjectWriter(self._files, self.plan, name, self._clock)
            return self._objects[name]
