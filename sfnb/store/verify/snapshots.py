"""
One snapshot: its plan, schemas and manifest against each other, the tables and what the state
expects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sfnb.errors import StoreError
from sfnb.model import ObjectState
from sfnb.store.commits import Erased
from sfnb.store.encoding import is_as_encoded
from sfnb.store.files import TEMPORARY, Files
from sfnb.store.formats import FORMAT, NewerFormat
from sfnb.store.manifest import (
    Manifest,
    ObjectEntry,
    SnapshotPlan,
    object_entry,
    progress_of,
    read_manifest,
    read_plan,
    read_summary,
    read_unchanged,
)
from sfnb.store.metadata.record import record_path
from sfnb.store.paths import (
    manifest_path,
    plan_path,
    schema_path,
    summary_path,
    unchanged_folder,
    unsealed_folders,
)
from sfnb.store.place import place_of
from sfnb.store.progress import NOTHING, Progress
from sfnb.store.schema import read_schema
from sfnb.store.verify.findings import Expected, Finding, Kind
from sfnb.store.verify.metadata import metadata_paths
from sfnb.store.verify.tables import Table
from sfnb.store.vouching import metadata_digest


class SnapshotCheck:
    """
    The check of one snapshot.

    Args:
        org_id: whose store this is.
        expected: what the state database knows of it; None: nothing.
    """

    def __init__(
        self,
        files: Files,
        org_id: str,
        snapshot: str,
        tables: Mapping[str, Table],
        expected: Expected | None,
    ) -> None:
        self._files = files
        self._org_id = org_id
        self._snapshot = snapshot
        self._tables = tables
        self._expected = expected
        self._present = set(files.walk(f"snapshots/{snapshot}"))
        self._known = {plan_path(snapshot), manifest_path(snapshot)}
        self._known |= metadata_paths(files, snapshot)
        self._format = 0
        self._touched = {
            folder.rpartition("/")[2] for folder, t in tables.items() if snapshot in t.progress
        }
        self._unchanged_entries: Mapping[str, ObjectEntry] = {}
        self.indexes: Mapping[str, str] | None = None
        self.findings: list[Finding] = []

    def run(self) -> list[Finding]:
        """What is wrong with it."""
        plan = self._plan()
        manifest = self._manifest(self._must_be_sealed(plan))
        # An upgrade changes the manifest first.
        self._format = manifest.format if manifest else plan.format if plan else FORMAT
        listed = (manifest.schemas or ()) if manifest else ()
        for name in sorted({*(plan.objects if plan else ()), *self._touched, *listed}):
            self._schema(name, is_needed=name in self._touched or name in listed)
        if plan and manifest:
            self._compare(plan, manifest)
        if manifest:
            self._summary(manifest)
            self._metadata(manifest)
            self.indexes = manifest.indexes
        self._unchanged_entries = self._entries_unchanged(plan, manifest)
        if manifest:
            for name, entry in manifest.objects.items():
                self._entry(name, entry)
        elif not self._must_be_sealed(plan):
            self._note("not sealed: its backup is not finished")
        if self._expected:
            self._against_state(self._expected)
        if not manifest:
            growing = tuple(f"{folder}/" for folder in unsealed_folders(self._snapshot))
            self._known |= {path for path in self._present if path.startswith(growing)}
        why = "a file that nothing names, left by an interrupted backup"
        for path in sorted(self._present - self._known):
            self.findings.append(Finding("orphan", why, self._snapshot, "", path))
        return self.findings

    def _folder(self, name: str) -> str:
        return place_of(name, self._snapshot, self._format).folder

    def _table(self, name: str) -> Table:
        return self._tables.get(self._folder(name), Table())

    def _damage(
        self, kind: Kind, message: str, path: str, object_name: str = "", rows: int = 0
    ) -> None:
        self.findings.append(Finding(kind, message, self._snapshot, object_name, path, rows))

    def _note(self, message: str) -> None:
        self.findings.append(Finding("note", message, self._snapshot))

    def _unreadable(self, err: StoreError, path: str, object_name: str = "") -> None:
        if isinstance(err, NewerFormat):
            raise err
        is_there = any(p == path or p.startswith(f"{path}/") for p in self._present)
        kind: Kind = "damaged" if is_there else "missing"
        self._damage(kind, str(err), path, object_name)

    # -- its files -----------------------------------------------------------------------------------------------------

    def _plan(self) -> SnapshotPlan | None:
        path = plan_path(self._snapshot)
        # A folder with nothing whole in it is what a kill before the plan leaves.
        whole = {p for p in self._present if not p.rpartition("/")[2].startswith(TEMPORARY)}
        if not (whole or self._touched or self._expected):
            return None
        try:
            plan = read_plan(self._files, self._snapshot)
        except StoreError as err:
            self._unreadable(err, path)
            return None
        self._spelling(path)
        if plan.org_id != self._org_id:
            self._damage("damaged", f"this plan belongs to the org {plan.org_id}", path)
        return plan

    def _entries_unchanged(
        self, plan: SnapshotPlan | None, manifest: Manifest | None
    ) -> Mapping[str, ObjectEntry]:
        if manifest is not None:
            return {n: e for n, e in manifest.objects.items() if e.unchanged_since is not None}
        try:
            return read_unchanged(self._files, plan) if plan else {}
        except StoreError as err:
            self._unreadable(err, unchanged_folder(self._snapshot))
            return {}

    def _must_be_sealed(self, plan: SnapshotPlan | None) -> bool:
        expected = self._expected
        if expected is None or not expected.is_sealed:
            return False
        return not (expected.is_cancelled and plan and plan.format == 1)

    def _manifest(self, must_be: bool) -> Manifest | None:
        path = manifest_path(self._snapshot)
        try:
            manifest = read_manifest(self._files, self._snapshot)
        except StoreError as err:
            self._unreadable(err, path)
            return None
        if manifest is not None:
            self._spelling(path)
        elif must_be:
            self._damage("missing", "the manifest is missing, though the backup has ended", path)
        return manifest

    def _summary(self, manifest: Manifest) -> None:
        """A kill may have left none; one that says something else would be believed by lists."""
        path = summary_path(self._snapshot)
        self._known.add(path)
        if path in self._present and read_summary(self._files, self._snapshot) != manifest.summary:
            self._damage("count", "the summary does not say what the manifest says", path)
        elif path in self._present:
            self._spelling(path)

    def _schema(self, name: str, *, is_needed: bool) -> None:
        path = schema_path(self._snapshot, name)
        self._known.add(path)
        try:
            stored = read_schema(self._files, self._snapshot, name)
        except StoreError as err:
            self._unreadable(err, path, name)
            return
        if stored is None:
            if is_needed:
                self._damage("missing", f"the fields of {name} are no longer known", path, name)
            return
        self._spelling(path, name)
        table = self._table(name)
        if table.schemas.get(self._snapshot, {stored.checksum}) != {stored.checksum}:
            self._damage("damaged", "the commits were made with another schema", path, name)
        columns = {f.column for f in stored.layout}
        # A snapshot that came too late to commit has left no columns in the table.
        has_rows = self._snapshot in table.progress and table.columns is not None
        if has_rows and not columns <= (table.columns or frozenset()):
            lost = ", ".join(sorted(columns - (table.columns or frozenset())))
            self._damage(
                "missing", f"the table has lost the fields {lost}", self._folder(name), name
            )

    def _spelling(self, path: str, object_name: str = "") -> None:
        """
        A changed blank between two words of JSON is no damage to any record, and yet not what was
        written.
        """
        text = self._files.read(path)
        if text is not None and not is_as_encoded(text):
            self._damage(
                "digest", "this file is spelled otherwise than it was written", path, object_name
            )

    # -- what they say -------------------------------------------------------------------------------------------------

    def _metadata(self, manifest: Manifest) -> None:
        """Whether the metadata is the one that was there at the seal."""
        path = record_path(self._snapshot)
        if manifest.metadata_sha256 and path not in self._present:
            self._damage("missing", "the metadata of this snapshot is missing", path)
        elif manifest.metadata_sha256 not in ("", metadata_digest(self._files, self._snapshot)):
            self._damage("digest", "the metadata has changed since the seal (SHA-256)", path)

    def _compare(self, plan: SnapshotPlan, manifest: Manifest) -> None:
        path = manifest_path(self._snapshot)
        if _origin(plan) != _origin(manifest):
            self._damage("damaged", "plan and manifest are not of the same backup", path)
        if lost := sorted(set(plan.objects) - set(manifest.objects) - set(manifest.left_out)):
            self._damage("missing", f"the manifest lacks {', '.join(lost)}", path)

    def _entry(self, name: str, entry: ObjectEntry) -> None:
        table = self._table(name)
        progress = table.progress.get(self._snapshot, NOTHING)
        parts = list(table.parts.get(self._snapshot, {}).values())
        stored = object_entry(progress, parts, entry.message)
        if not entry.commit_sha256:  # format 1
            stored = replace(stored, commit_sha256="")
        if entry.unchanged_since is not None:
            self._unchanged(name, entry, table)
            return
        if stored == entry:
            return
        path, count = manifest_path(self._snapshot), entry.rows + entry.deleted
        if replace(stored, commit_sha256=entry.commit_sha256) == entry:
            log = f"{self._folder(name)}/_delta_log/{entry.version:020d}.json"
            self._damage("digest", "this commit has changed since the seal (SHA-256)", log, name)
        elif entry.state is ObjectState.UNTOUCHED:
            self._damage(
                "count", f"the manifest has nothing of {name}, the log has rows", path, name
            )
        else:
            message = (
                f"the manifest has {entry.rows:,} rows of {name} in {entry.parts} parts ({entry.state}), "
                f"the Delta log has {progress.rows:,} in {len(parts)}"
            )
            self._damage("count", message, path, name, count)

    def _unchanged(self, name: str, entry: ObjectEntry, table: Table) -> None:
        """An object that has not changed has the state of the snapshot that read it last."""
        since = entry.unchanged_since or ""
        progress = table.progress.get(since, NOTHING)
        parts = list(table.parts.get(since, {}).values())
        stored = object_entry(progress, parts, None)
        if _state_of(stored) != _state_of(entry):
            message = f"it has {name} as of {since}, where the Delta log has something else"
            count = entry.rows + entry.deleted
            self._damage("count", message, manifest_path(self._snapshot), name, count)

    def _progress(self, name: str) -> Progress:
        """How far the snapshot has come with an object, whether it was read or has not changed."""
        if (entry := self._unchanged_entries.get(name)) is not None:
            return progress_of(entry)
        return self._table(name).progress.get(self._snapshot, NOTHING)

    def _erased(self, name: str) -> int:
        """Live records that an erasure has taken out of the state since its job counted them."""
        entry = self._unchanged_entries.get(name)
        snapshot = (entry.unchanged_since if entry else None) or self._snapshot
        return self._table(name).erased.get(snapshot, Erased()).rows

    def _against_state(self, expected: Expected) -> None:
        """
        Rows that the state saw committed and the log no longer has: its newest commits are cut off.
        """
        for name, was in expected.complete.items():
            progress, rows = self._progress(name), was - self._erased(name)
            if not progress.is_done or progress.rows != rows:
                message = f"the state has {rows:,} rows of {name}, complete; the log has {progress.rows:,}"
                self._damage("missing", message, self._folder(name), name, rows)
        for name, rows in expected.partial.items():
            progress = self._progress(name)
            # The state follows the log, so it may be behind; ahead only just after a restart.
            if progress.rows < rows - self._erased(name) and progress.since <= 1:
                message = f"the state has {rows:,} rows of {name}, the log has {progress.rows:,}"
                self._damage("missing", message, self._folder(name), name, rows - progress.rows)


def _state_of(entry: ObjectEntry) -> tuple[object, ...]:
    """What an entry says of an object's records."""
    return entry.rows, entry.deleted, entry.key, entry.ids_digest, entry.digest, entry.version


def _origin(of: SnapshotPlan | Manifest) -> tuple[object, ...]:
    return of.org_id, of.job_id, of.kind, of.created_at
