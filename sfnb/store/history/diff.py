"""Two snapshots compared: what was added, changed and deleted, object by object."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sfnb.errors import CallerError
from sfnb.model import ObjectState
from sfnb.store.history.compare import Comparison, ObjectDiff, Side
from sfnb.store.history.fields import KnownFields, pair_fields
from sfnb.store.history.lines import CHANGES
from sfnb.store.manifest import Manifest, ObjectEntry
from sfnb.store.parts import text_array
from sfnb.store.proof import DURABLE_ID, ID
from sfnb.store.snapshots import Snapshot, Snapshots
from sfnb.store.states.records import Records
from sfnb.store.text import csv_lines
from sfnb.store.views import as_frame, whole_file

if TYPE_CHECKING:
    import pandas as pd

CSV_COLUMNS = ("id", "change", "field", "old", "new")


@dataclass(frozen=True, slots=True)
class _Known:
    """A snapshot with its manifest, which is computed at each look while it is not sealed."""

    snapshot: Snapshot
    manifest: Manifest

    def entry(self, object_name: str) -> tuple[str, ObjectEntry] | None:
        """The object in the snapshot's spelling, with what it has of it; None: nothing."""
        for name, entry in self.manifest.objects.items():
            if name.lower() == object_name.lower():
                return None if entry.state is ObjectState.UNTOUCHED else (name, entry)
        return None

    def side(self, name: str, entry: ObjectEntry) -> Side:
        return Side(self.snapshot.id, entry.state, self.snapshot.rows(name))

    def fields(self, name: str) -> KnownFields:
        return KnownFields(self.snapshot.columns(name), self.snapshot.describe(name))


class Diff:
    """
    What became of an org's records between two snapshots. Costs no API calls.

    An object is compared when it is first asked for, record by record; nothing is held in memory
    but counts.

    Args:
        old, new: snapshots; ``old`` is normally the older one.
        objects: names to compare; None: all that either snapshot holds.
        stamps: compare SystemModstamp, LastModifiedDate and LastModifiedById, too. Without, a
            record of which only these moved is not changed.

    Raises:
        CallerError: neither snapshot has such an object.
    """

    def __init__(
        self,
        old: Snapshot,
        new: Snapshot,
        *,
        objects: Sequence[str] | None = None,
        stamps: bool = False,
    ) -> None:
        self._old, self._new = (_Known(s, s.manifest) for s in (old, new))
        self._stamps = stamps
        known = {n.lower(): n for side in (self._old, self._new) for n in side.manifest.objects}
        if objects is None:
            self.objects: tuple[str, ...] = tuple(sorted(known.values()))
        else:
            for name in objects:
                if name.lower() not in known:
                    raise CallerError(
                        f"neither {old.id} nor {new.id} has an object {name}; "
                        "`sfnb show` lists what a snapshot has."
                    )
            self.objects = tuple(dict.fromkeys(known[name.lower()] for name in objects))

    @property
    def org(self) -> str:
        return self._new.manifest.org

    @property
    def old(self) -> str:
        return self._old.snapshot.id

    @property
    def new(self) -> str:
        return self._new.snapshot.id

    def __repr__(self) -> str:
        return f"<diff of {self.org}: {self.old} → {self.new}, {len(self.objects)} objects>"

    @cached_property
    def counts(self) -> Mapping[str, ObjectDiff]:
        """Each object's counts, by name. Cost: reads both snapshots."""
        return {one.name: one for one, _ in self.each()}

    def each(self) -> Iterator[tuple[ObjectDiff, Iterator[pa.RecordBatch]]]:
        """
        Each object's counts, with its changes (``lines.CHANGES``), which can be read until the
        next object.
        """
        for name in self.objects:
            with self.one(name) as found:
                yield found

    @contextmanager
    def one(self, object_name: str) -> Iterator[tuple[ObjectDiff, Iterator[pa.RecordBatch]]]:
        """One object's counts, and its changes (``lines.CHANGES``), to read within the block."""
        comparison = self._comparison(self._spelled(object_name))
        if isinstance(comparison, ObjectDiff):
            yield comparison, iter(())
            return
        with comparison:
            yield comparison.diff, comparison.changes()

    def frame(self) -> pd.DataFrame:
        """
        The counts.

        Returns:
            One row per object: ``object`` (string), ``added``, ``changed``, ``deleted``,
            ``undeleted`` (part of added), ``merged`` (part of deleted) (Int64), ``notes`` (string,
            what could not be compared).
        """
        names = ("added", "changed", "deleted", "undeleted", "merged")
        diffs = list(self.counts.values())
        columns: dict[str, pa.Array] = {"object": pa.array([d.name for d in diffs], pa.string())}
        for name in names:
            columns[name] = pa.array([getattr(d, name) for d in diffs], pa.int64())
        columns["notes"] = pa.array([" ".join(d.notes) for d in diffs], pa.string())
        return as_frame(pa.table(columns))

    def fields_frame(self) -> pd.DataFrame:
        """
        Which fields changed.

        Returns:
            One row per object and field that differs in a record: ``object``, ``field`` (string),
            ``changed`` (Int64, records).
        """
        rows = [(d.name, f, n) for d in self.counts.values() for f, n in d.fields.items()]
        schema = {"object": pa.string(), "field": pa.string(), "changed": pa.int64()}
        columns = [pa.array([r[n] for r in rows], kind) for n, kind in enumerate(schema.values())]
        return as_frame(pa.table(columns, names=list(schema)))

    def changes(self, object_name: str) -> pd.DataFrame:
        """
        Each change of one object, ordered by Id and field.

        Returns:
            One row per added or deleted record and per changed field: ``id``, ``change``
            (``added``, ``deleted``, ``changed``), ``field``, ``old``, ``new`` (values as text, as in
            a CSV export), ``merged_into`` (of a deleted record), all string. Memory: all of them.
        """
        with self.one(object_name) as (_, batches):
            return as_frame(pa.Table.from_batches(batches, CHANGES))

    def write_csv(
        self, path: str | os.PathLike[str], *, overwrite: bool = False
    ) -> dict[str, ObjectDiff]:
        """
        Write each change as a line ``object,id,change,field,old,new``, streamed, whole or not at
        all; the counts.

        Raises:
            CallerError: the path cannot be used.
            StoreError: it cannot be written.
        """
        found: dict[str, ObjectDiff] = {}
        with whole_file(path, (".csv",), overwrite=overwrite) as file:
            file.write(b"object,id,change,field,old,new\n")
            for diff, batches in self.each():
                found[diff.name] = diff
                for batch in batches:
                    name = text_array([diff.name] * batch.num_rows)
                    columns = [name, *(batch.column(c) for c in CSV_COLUMNS)]
                    names = ["object", *CSV_COLUMNS]
                    file.write(csv_lines(pa.RecordBatch.from_arrays(columns, names=names)))
        return found

    def as_json(self, counts: Mapping[str, ObjectDiff] | None = None) -> dict[str, Any]:
        """
        What ``sfnb diff --json`` prints.

        Args:
            counts: those that were counted already.
        """
        counts = self.counts if counts is None else counts
        return {
            "org": self.org,
            "old": self.old,
            "new": self.new,
            "objects": {
                name: {
                    "added": diff.added,
                    "changed": diff.changed,
                    "deleted": diff.deleted,
                    "undeleted": diff.undeleted,
                    "merged": diff.merged,
                    "fields": dict(diff.fields),
                }
                for name, diff in counts.items()
            },
            "schema": [change.as_json() for diff in counts.values() for change in diff.schema],
            "notes": [
                {"object": name, "message": note}
                for name, diff in counts.items()
                for note in diff.notes
            ],
        }

    # within

    def _spelled(self, object_name: str) -> str:
        for name in self.objects:
            if name.lower() == object_name.lower():
                return name
        raise CallerError(f"{object_name} is not compared here: {', '.join(self.objects)} are.")

    @staticmethod
    def _origin(known: _Known, entry: ObjectEntry) -> tuple[str, int]:
        """The snapshot and the commit whose state an entry names."""
        return entry.unchanged_since or known.snapshot.id, entry.version

    def _comparison(self, name: str) -> Comparison | ObjectDiff:
        """The comparison of an object, not yet begun; its diff where there is nothing to compare."""
        older, newer = self._old.entry(name), self._new.entry(name)
        if older is None or newer is None:
            # Which of the two lacks it; where both do, there is nothing to say.
            lacking = self.old if older is None else self.new
            notes = (f"Not compared: {lacking} has nothing of it.",) if older or newer else ()
            return ObjectDiff(name, notes=notes)
        (old_name, before), (new_name, after) = older, newer
        if self._origin(self._old, before) == self._origin(self._new, after):
            return ObjectDiff(new_name)
        old, new = self._old.fields(old_name), self._new.fields(new_name)
        pairs = pair_fields(new_name, old, new, stamps=self._stamps)
        key = _shared_key((before, old), (after, new))
        return Comparison(
            *_apart(self._old.side(old_name, before), self._new.side(new_name, after)), pairs, key
        )


def diff(
    snapshots: Snapshots,
    old: str,
    new: str,
    *,
    objects: Sequence[str] | None = None,
    stamps: bool = False,
) -> Diff:
    """See `Diff`; snapshots by id, the beginning of one, or ``latest``."""
    return Diff(snapshots[old], snapshots[new], objects=objects, stamps=stamps)


def _apart(old: Side, new: Side) -> tuple[Side, Side]:
    """Two sides without the versions that both have: a day's change is found in a day's versions."""
    if isinstance(old.rows, Records) and isinstance(new.rows, Records):
        rows = old.rows.apart_from(new.rows), new.rows.apart_from(old.rows)
        return replace(old, rows=rows[0]), replace(new, rows=rows[1])
    return old, new


def _shared_key(*sides: tuple[ObjectEntry, KnownFields]) -> str | None:
    """The field that tells records apart in both snapshots; None: no field does."""
    keys = {_key(entry, known) for entry, known in sides}
    if len(keys) == 1:
        return keys.pop()
    return None if None in keys else DURABLE_ID


def _key(entry: ObjectEntry, known: KnownFields) -> str | None:
    if entry.key or "no key" in entry.proof:
        return entry.key
    # Without a proof (unfinished, or of format 1).
    return ID if ID in known.columns.names else None
