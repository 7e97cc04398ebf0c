"""One object's share of a snapshot's writer: its table, its parts, its commits."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from sfnb.clock import Clock
from sfnb.errors import StoreError
from sfnb.store.columns import SNAPSHOT, TYPES, stored_columns, table_schema
from sfnb.store.delta import (
    CHECKPOINT_EVERY,
    NO_STATISTICS,
    TABLE_PROPERTIES,
    as_in_table,
    missing_columns,
)
from sfnb.store.files import Files, encode, make_folder, translated
from sfnb.store.formats import NewerFormat
from sfnb.store.layout import (
    Known,
    Layout,
    StoredField,
    columns_of,
    known_columns,
    layout_for,
)
from sfnb.store.log import (
    LOG,
    NOTHING,
    Commit,
    Progress,
    advanced,
    log_path,
    metadata,
    newest_version,
    parse_commit,
    read_commits,
)
from sfnb.store.manifest import SnapshotPlan, read_committed
from sfnb.store.part_writer import PartTarget, PartWriter
from sfnb.store.parts import Part, alive_ids
from sfnb.store.paths import table_path
from sfnb.store.proof import Proof, prove
from sfnb.store.schema import ObjectColumns, put_schema, read_schema

ATTEMPTS = 5
"""
Tries of one commit while other snapshots write to the table; Delta itself repeats those that do not
conflict.
"""


class OtherWriter(StoreError):
    """The log has a commit of this snapshot that this writer has not made."""


class ObjectWriter:
    """
    Writes one object of one snapshot.

    ``_lock`` guards everything that changes. Parts are written outside of it, so several threads
    can do so at once.
    """

    def __init__(self, files: Files, plan: SnapshotPlan, name: str) -> None:
        self._root = files
        self._files = files.below(table_path(name))
        self._plan = plan
        self._snapshot = plan.snapshot
        self._name = name
        self._lock = threading.RLock()
        self._schema: ObjectColumns | None = None
        self._columns: pa.Schema | None = None
        self._target: PartTarget | None = None
        self._table: DeltaTable | None = None
        self._last: Commit | None = None
        self._is_read = False
        self._parts: list[Part] | None = None

    def columns(self) -> pa.Schema | None:
        """The object's columns in this snapshot, or None before ``put_schema``."""
        with self._lock:
            if self._columns is None:
                self._schema = read_schema(self._root, self._snapshot, self._name)
                if self._schema is not None:
                    self._columns = self._schema.columns
            return self._columns

    def describe(self) -> dict[str, Any]:
        """See ``Writer.describe``."""
        stored = read_schema(self._root, self._snapshot, self._name)
        return dict(stored.describe) if stored else {}

    def put_schema(self, schema: pa.Schema, describe: Mapping[str, Any]) -> pa.Schema:
        """See ``Writer.put_schema``."""
        with self._lock:
            if (kept := self.columns()) is not None:
                return kept
            columns = stored_columns(schema, self._name)
            after = newest_version(self._files)
            self._refuse_newer(after)
            layout = layout_for(columns, self._known_in_table())
            self._fit(layout)
            stored = ObjectColumns(self._snapshot, self._name, columns, describe, layout, after)
            self._schema = put_schema(self._root, stored)
            self._columns = columns
            return columns

    def _refuse_newer(self, version: int) -> None:
        """
        Nothing is added to a table that a newer sfnb has written to: it may have rules that this
        one would break.
        """
        text = self._files.read(log_path(version)) if version >= 0 else None
        if text is None:
            return
        try:
            parse_commit(text, version, self._files.uri(log_path(version)))
        except NewerFormat:
            raise
        except StoreError:
            return  # `verify` names this damage; Delta decides whether the table can still be written

    def _known_in_table(self) -> Known:
        with translated(f"open the table of {self._name}"):
            table = self._open()
            return known_columns(columns_of(pa.schema(table.schema().to_arrow())) if table else ())

    def _fit(self, layout: Iterable[StoredField]) -> None:
        """
        Add to the table, if it exists, the columns that it lacks for these fields.

        Raises:
            StoreError: the table has such a column with another type, because another backup was
                faster.
        """
        wanted = {stored.column: stored.kind for stored in layout}
        with translated(f"open the table of {self._name}"):
            for attempt in range(ATTEMPTS):
                table = self._open()
                if table is None:
                    return
                missing = missing_columns(wanted, self._known_in_table(), self._name)
                is_readable = NO_STATISTICS.items() <= table.metadata().configuration.items()
                if not missing and is_readable:
                    return
                try:
                    if not is_readable:  # made by sfnb 0.1
                        table.alter.set_table_properties(NO_STATISTICS)
                    else:
                        table.alter.add_columns(list(DeltaSchema.from_arrow(missing).fields))
                except DeltaError:
                    # Another snapshot has changed the table meanwhile, most likely by the same
                    # columns: try again.
                    if attempt == ATTEMPTS - 1:
                        raise
                self._table = None
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _open(self) -> DeltaTable | None:
        """The table as it is now, or None if it does not exist yet: its first commit creates it."""
        if self._table is not None:
            self._table.update_incremental()
        elif newest_version(self._files) >= 0:
            self._table = DeltaTable(self._uri)
        return self._table

    @property
    def _uri(self) -> str:
        return self._files.uri("").rstrip("/\\")

    def _known_layout(self) -> Layout:
        self.columns()
        if self._schema is None:
            raise StoreError(f"{self._name}: its columns are not known yet; call put_schema first.")
        return self._schema.layout

    def progress(self) -> Progress:
        """
        See ``Writer.progress``. Read once: from then on nobody else writes this object of this
        snapshot.
        """
        with self._lock:
            last = self._last if self._is_read else self._read_last()
            return last.progress if last else NOTHING

    def _read_last(self) -> Commit | None:
        self.columns()
        self._last = None
        if self._schema is not None:
            commits = read_commits(self._files, self._snapshot, after=self._schema.after)
            self._last = next(commits, None)
        self._is_read = True
        if self._last is None:
            self._parts = []
        return self._last

    def _live_parts(self) -> list[Part]:
        """The parts committed since the last restart."""
        if self._parts is None:
            _, self._parts = read_committed(self._root, self._snapshot, self._name)
        return self._parts

    def prove(self, parts: Sequence[Part], org_count: int | None) -> Proof:
        """See ``Writer.prove``."""
        with self._lock:
            self.progress()
            committed = self._live_parts()
            names = {part.path for part in committed}
            added = [part for part in parts if part.path and part.path not in names]
            fields = [stored.field for stored in self._known_layout()]
            return prove(self._files, [*committed, *added], fields, org_count=org_count)

    def ids(self) -> list[str]:
        """See ``Writer.ids``."""
        _, parts = read_committed(self._root, self._snapshot, self._name)
        found: list[str] = []
        for part in parts:
            with (
                translated(f"read {self._files.uri(part.path)}"),
                self._files.open_input(part.path) as source,
            ):
                found += alive_ids(source)
        return found

    def target(self) -> PartTarget:
        """See ``Writer.target``."""
        with self._lock:
            if self._target is None:
                known = self._known_in_table()
                layout = tuple(as_in_table(stored, known) for stored in self._known_layout())
                self._fit(layout)
                own = {stored.column for stored in layout}
                others = tuple(column for column in known.values() if column[0] not in own)
                self._target = PartTarget(
                    self._root.root, self._snapshot, self._name, layout, others
                )
            return self._target

    def write_parts(self, batches: Iterable[pa.RecordBatch], clock: Clock) -> list[Part]:
        """See ``Writer.write_parts``."""
        return PartWriter(self.target(), clock, files=self._root).write(batches)

    def commit(
        self,
        parts: Sequence[Part],
        cursor: Mapping[str, Any] | None,
        *,
        is_done: bool,
        proof: Proof | None,
    ) -> Progress:
        """See ``Writer.commit``."""
        written = [part for part in parts if part.path]
        with self._lock:
            before = self.progress()
            if written and self._last is not None and list(self._last.parts) == written:
                return before
            if is_done and proof is None:
                proof = self.prove(written, None)
            after = advanced(before, written, cursor, is_done=is_done, proof=proof)
            return self._put(after, written)

    def restart(self, cursor: Mapping[str, Any] | None, clock: Clock) -> Progress:
        """See ``Writer.restart``."""
        with self._lock:
            self._read_last()
            before, alive = read_committed(self._root, self._snapshot, self._name)
            number = before.number + 1
            after = replace(
                NOTHING,
                cursor=None if cursor is None else dict(cursor),
                number=number,
                since=number,
            )
            now_ms = int(clock.now().timestamp() * 1000)
            removes = [
                RemoveAction(p.path, True, now_ms, p.size_bytes, {SNAPSHOT: self._snapshot})
                for p in alive
            ]
            return self._put(after, [], removes)

    def _put(
        self, after: Progress, parts: Sequence[Part], removes: Sequence[RemoveAction] = ()
    ) -> Progress:
        """One Delta commit, whose number in this snapshot is ``after.number``."""
        adds = [
            AddAction(
                p.path,
                p.size_bytes,
                {SNAPSHOT: self._snapshot},
                0,
                True,
                json.dumps(p.delta_stats()),
            )
            for p in parts
        ]
        layout = {*self._known_layout(), *(f for part in parts for f in part.widened)}
        if any(part.widened for part in parts):
            self._fit(layout)
        with translated(f"commit rows of {self._name}"):
            for attempt in range(ATTEMPTS):
                table = self._open()
                there = table.transaction_version(self._snapshot) if table is not None else None
                if there is not None and there >= after.number:
                    return self._settled(after, parts)
                if (there or 0) != after.number - 1:
                    raise StoreError(
                        f"{self._name}: the table has lost commits of {self._snapshot}. Run `sfnb verify`."
                    )
                before = -1 if table is None else table.version()
                properties = self._entry(after, parts, before)
                try:
                    if table is None:
                        self._create(adds, properties, parts)
                    else:
                        table.create_write_transaction(
                            [*adds, *removes],
                            mode="append",
                            schema=table.schema(),
                            partition_by=[SNAPSHOT],
                            commit_properties=properties,
                        )
                except DeltaError:
                    # Another snapshot has changed or created the table meanwhile, or this very
                    # commit worked and its answer was lost: open the table again, and decide again.
                    self._table = None
                    if attempt == ATTEMPTS - 1:
                        raise
                    # It may lack our columns.
                    self._fit(layout)
                    continue
                settled = self._settled(after, parts)
                versions = range(before + 1, settled.version + 1)
                self._files.sync([log_path(version) for version in versions])
                if any(version % CHECKPOINT_EVERY == 0 for version in versions):
                    self._files.make_private(LOG)
                return settled
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _entry(self, after: Progress, parts: Sequence[Part], base: int) -> CommitProperties:
        """What goes into the commit beside Delta's own actions."""
        base_sha256 = ""
        if self._last is not None and self._last.progress.version == base:
            base_sha256 = self._last.progress.file_sha256
        elif base >= 0:
            _, base_sha256 = self._files.digest(log_path(base)) or (0, "")
        commit = Commit(
            snapshot=self._snapshot,
            progress=after,
            parts=tuple(parts),
            object_name=self._name,
            schema=self._schema.checksum if self._schema else "",
            base=base,
            base_sha256=base_sha256,
        )
        return CommitProperties(
            custom_metadata={"sfnb": encode(metadata(commit)).decode()},
            app_transactions=[Transaction(self._snapshot, after.number)],
        )

    def _create(
        self, adds: list[AddAction], properties: CommitProperties, parts: Sequence[Part]
    ) -> None:
        """The table and its first commit in one, which halves the cost of an empty object."""
        layout = [*self._known_layout(), *(f for part in parts for f in part.widened)]
        columns = {stored.column: TYPES[stored.kind] for stored in layout}
        if self._files.local:
            make_folder(self._files.local / LOG)
        create_table_with_add_actions(
            self._uri,
            DeltaSchema.from_arrow(table_schema(pa.schema(columns))),
            adds,
            mode="error",
            partition_by=[SNAPSHOT],
            name=self._name,
            configuration=TABLE_PROPERTIES,
            commit_properties=properties,
        )

    def _settled(self, after: Progress, parts: Sequence[Part]) -> Progress:
        """The progress as the log has it now, provided that the log has this commit."""
        last = self._read_last()
        if last is None or last.progress.number != after.number or list(last.parts) != list(parts):
            raise OtherWriter(
                f"{self._name}: another process writes snapshot {self._snapshot} as well. "
                "End one of them and resume."
            )
        if self._parts is not None:
            self._parts = [] if after.since == after.number else self._parts
            if self._parts[-len(parts) :] != list(parts):
                self._parts += parts
        return last.progress
