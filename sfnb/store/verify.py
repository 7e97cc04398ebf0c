"""Whether a store still is what was written: every log, part, plan and manifest is read and compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pyarrow.parquet as pq
from deltalake import DeltaTable

from sfnb.errors import StoreError
from sfnb.model import ObjectState
from sfnb.store.files import TEMPORARY, Files, translated
from sfnb.store.formats import NewerFormat
from sfnb.store.log import LOG, NOTHING, Commit, Progress, log_path, newest_version, parse_commit
from sfnb.store.manifest import (
    Manifest,
    manifest_path,
    object_entry,
    plan_path,
    read_manifest,
    read_plan,
    schema_path,
    table_path,
)
from sfnb.store.parts import Part
from sfnb.store.schema import read_schema
from sfnb.store.tables import OrgStore

Kind = Literal["missing", "damaged", "count", "digest", "orphan", "note"]

DAMAGE: frozenset[Kind] = frozenset({"missing", "damaged", "count", "digest"})
"""Kinds of findings that mean: something stored cannot be had as it was."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing worth knowing about a store.

    Args:
        kind: ``missing`` (a file, commit or row that must be there), ``damaged`` (it is there and is not what sfnb
            wrote), ``count`` (two counts of the same thing differ), ``digest`` (the bytes have changed), ``orphan``
            (a file that nothing names: harmless, a later prune removes it), ``note``.
        path: from the org's folder; empty when it is not about one file.
        rows: how many records are affected, 0 when that is unknown or none.
    """

    kind: Kind
    message: str
    snapshot: str = ""
    object_name: str = ""
    path: str = ""
    rows: int = 0

    @property
    def is_damage(self) -> bool:
        return self.kind in DAMAGE

    def as_json(self) -> dict[str, Any]:
        values = asdict(self)
        return {"object" if k == "object_name" else k: value for k, value in values.items()}


Wrong = tuple[Kind, str] | None
"""What is wrong with one thing, if anything."""


@dataclass
class _Table:
    """What is left of one object's table."""

    progress: dict[str, Progress] = field(default_factory=dict)
    alive: dict[str, dict[str, Part]] = field(default_factory=lambda: defaultdict(dict))
    removed: set[str] = field(default_factory=set)
    columns: frozenset[str] | None = None
    is_damaged: bool = False


def verify(store: OrgStore) -> list[Finding]:
    """
    Everything that is wrong, orphaned or unfinished in one org's store; empty when all is well.

    Damage never raises. A store that cannot be listed does (StoreError), and so does one that a newer sfnb wrote
    (NewerFormat).

    Cost: reads every byte once; no calls.
    """
    files = store.files
    findings: list[Finding] = []
    tables = {
        name: _verify_table(files, name, findings) for name in files.names("tables", folders=True)
    }
    snapshots = files.names("snapshots", folders=True)
    for snapshot in snapshots:
        _verify_snapshot(files, snapshot, tables, findings)
    for name, table in tables.items():
        for snapshot, progress in table.progress.items():
            if snapshot not in snapshots:
                message = f"rows of {name} belong to a snapshot whose folder is missing"
                records = progress.rows + progress.deleted
                findings.append(Finding("missing", message, snapshot, name, rows=records))
    return findings


# -- tables ------------------------------------------------------------------------------------------------------------


def _verify_table(files: Files, name: str, findings: list[Finding]) -> _Table:
    table = _Table()
    folder = files.below(table_path(name))

    def damage(kind: Kind, message: str, path: str, snapshot: str = "", rows: int = 0) -> None:
        table.is_damaged = True
        where = f"{table_path(name)}/{path}"
        findings.append(Finding(kind, message, snapshot, name, where, rows))

    newest = newest_version(folder)
    for version in range(newest + 1):
        try:
            text = folder.read(log_path(version))
            if text is None:
                message = "this Delta commit is missing, and with it the list of its rows"
                damage("missing", message, log_path(version))
                continue
            commit, _ = parse_commit(text, version, folder.uri(log_path(version)))
        except NewerFormat:
            raise
        except StoreError as err:
            damage("damaged", str(err), log_path(version))
            continue
        if commit is not None and (wrong := _follow(table, commit)):
            damage(*wrong, log_path(version), commit.snapshot)
    for snapshot, parts in table.alive.items():
        for part in parts.values():
            if wrong := _verify_part(folder, part):
                damage(*wrong, part.path, snapshot, part.rows + part.deleted)
    present = folder.walk("")
    if newest >= 0 and not table.is_damaged and (message := _verify_delta(folder, table)):
        damage("damaged", message, LOG)
    if newest < 0 and any(path.startswith(LOG) for path in present):
        damage("missing", "the Delta log has lost all its commits", LOG)
    named = {path for parts in table.alive.values() for path in parts}
    findings += [
        Finding("orphan", why, "", name, f"{table_path(name)}/{path}")
        for path in sorted(set(present) - named)
        if (why := _orphan(path, table, newest))
    ]
    return table


def _follow(table: _Table, commit: Commit) -> Wrong:
    """Apply one commit, oldest first; what does not follow from those before it."""
    now, before = commit.progress, table.progress.get(commit.snapshot, NOTHING)
    alive = table.alive[commit.snapshot]
    wrong: Wrong = None
    if now.number != before.number + 1:
        span = f"commits {before.number + 1} to {now.number - 1} of the snapshot"
        wrong = ("missing", f"{span} are missing before this one")
    if now.since == now.number:
        if now.number > 1 and commit.removed != set(alive) and not wrong:
            wrong = ("damaged", "this restart removed other files than those that were there")
        table.removed |= set(alive)
        alive.clear()
    alive.update({part.path: part for part in commit.parts})
    table.progress[commit.snapshot] = now
    counted = (
        len(alive),
        sum(p.rows for p in alive.values()),
        sum(p.deleted for p in alive.values()),
    )
    if counted != (now.parts, now.rows, now.deleted) and not wrong:
        wrong = ("count", "its totals are not the sum of its parts")
    return wrong


def _verify_part(folder: Files, part: Part) -> Wrong:
    records = part.rows + part.deleted
    try:
        found = folder.digest(part.path)
        if found is None:
            return "missing", f"this part is missing, and with it {records:,} records"
        size_bytes, sha256 = found
        if size_bytes != part.size_bytes:
            return "damaged", f"this part has {size_bytes:,} bytes instead of {part.size_bytes:,}"
        if sha256 != part.sha256:
            return "digest", "the content of this part has changed since it was written (SHA-256)"
        with translated(f"open {folder.uri(part.path)}"), folder.open_input(part.path) as source:
            rows = pq.ParquetFile(source).metadata.num_rows
        if rows != records:
            return "count", f"this part has {rows:,} rows instead of {records:,}"
    except StoreError as err:
        return "damaged", str(err)
    return None


def _verify_delta(folder: Files, table: _Table) -> str:
    """Whether Delta itself (its checkpoints too) sees the same files as our reading of the log."""
    try:
        with translated(f"open {folder.uri('')} with Delta"):
            delta = DeltaTable(folder.uri("").rstrip("/\\"))
            seen = set(delta.get_add_actions().column("path").to_pylist())
            table.columns = frozenset(field.name for field in delta.schema().fields)
    except StoreError as err:
        return str(err)
    named = {path for parts in table.alive.values() for path in parts}
    return "" if seen == named else "the checkpoint of this log names other files than its commits"


def _orphan(path: str, table: _Table, newest: int) -> str:
    """Why a file that no commit names is there; empty for one of Delta's own."""
    if path.startswith(f"{LOG}/"):
        name = path.removeprefix(f"{LOG}/")
        is_delta = (name[:20].isdigit() and int(name[:20]) <= newest) or name == "_last_checkpoint"
        return "" if is_delta and TEMPORARY not in path else "an unfinished Delta file"
    if path in table.removed:
        return "a part that a restart of its object removed"
    return "a file that no commit names, left by an interrupted backup"


# -- snapshots ---------------------------------------------------------------------------------------------------------


def _verify_snapshot(
    files: Files, snapshot: str, tables: Mapping[str, _Table], findings: list[Finding]
) -> None:
    folder = f"snapshots/{snapshot}"
    present = set(files.walk(folder))
    touched = sorted(name for name, table in tables.items() if snapshot in table.progress)
    known = {plan_path(snapshot), manifest_path(snapshot)}

    def damage(
        err: str | StoreError, path: str, object_name: str = "", kind: Kind = "damaged"
    ) -> None:
        if isinstance(err, NewerFormat):
            raise err
        is_missing = isinstance(err, StoreError) and path not in present
        found = "missing" if is_missing else kind
        findings.append(Finding(found, str(err), snapshot, object_name, path))

    planned: Iterable[str] = ()
    if plan_path(snapshot) in present or touched or manifest_path(snapshot) in present:
        try:
            planned = read_plan(files, snapshot).objects
        except StoreError as err:
            damage(err, plan_path(snapshot))
    for name in sorted({*planned, *touched}):
        path = schema_path(snapshot, name)
        known.add(path)
        try:
            stored = read_schema(files, snapshot, name)
            if stored is None and name in touched:
                raise StoreError(f"the fields of {name} are no longer known")
            columns = tables[name].columns if name in tables else None
            lost = (
                sorted(set(stored.columns.names) - columns)
                if stored and columns is not None
                else ()
            )
            if lost:
                message = f"the table has lost the fields {', '.join(lost)}"
                damage(message, table_path(name), name, "missing")
        except StoreError as err:
            damage(err, path, name)
    try:
        manifest = read_manifest(files, snapshot)
        if manifest is None:
            findings.append(Finding("note", "not sealed: its backup is not finished", snapshot))
        else:
            _verify_manifest(manifest, tables, damage_of=damage)
    except StoreError as err:
        damage(err, manifest_path(snapshot))
    findings += [
        Finding(
            "orphan", "a file that nothing names, left by an interrupted backup", snapshot, "", path
        )
        for path in sorted(present - known)
    ]


def _verify_manifest(manifest: Manifest, tables: Mapping[str, _Table], *, damage_of: Any) -> None:
    path = manifest_path(manifest.snapshot)
    for name, entry in manifest.objects.items():
        table = tables.get(name, _Table())
        if entry.state is ObjectState.UNTOUCHED and manifest.snapshot not in table.progress:
            continue
        progress = table.progress.get(manifest.snapshot, NOTHING)
        parts = list(table.alive.get(manifest.snapshot, {}).values())
        if object_entry(progress, parts, entry.message) != entry:
            damage_of(
                f"the manifest has {entry.rows:,} rows of {name} in {entry.parts} parts ({entry.state}), the Delta log "
                f"has {progress.rows:,} in {len(parts)}",
                path,
                name,
                "count",
            )
