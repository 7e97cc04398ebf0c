"""Which parts stay when a reading ends, which are written anew, and what the snapshot then holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import pyarrow as pa

from sfnb.clock import Clock
from sfnb.errors import CallerError
from sfnb.store.columns import EXTRACTED_AT
from sfnb.store.files import Files
from sfnb.store.held import Held, Mode
from sfnb.store.keys import Words
from sfnb.store.layout import FieldSource, Layout, sources_of, with_older
from sfnb.store.log import newest_moment
from sfnb.store.part_writer import part_path
from sfnb.store.parts import IS_HARD_DELETE, Part, RowGroupWriter, iso, regrouped
from sfnb.store.place import Place
from sfnb.store.proof import ID, STAMP, Proof, prove
from sfnb.store.settling.compare import Difference, compare
from sfnb.store.states.contents import Flags
from sfnb.store.states.files import VersionFile, version_file
from sfnb.store.states.records import stamp_column
from sfnb.store.states.versions import Places, Span, Versions

NO_CONTENT = STAMP
"""
Its value alone makes no new version: it moves for millions of rows although no value does, when a
roll-up is made or a picklist is edited. A version has the one under which it was read first.
"""

SMALL_ROWS = 1 << 16
"""Parts with fewer rows are written into one: a night's pages are small."""


@dataclass(frozen=True)
class Before:
    """
    An object's state before a snapshot.

    Args:
        files: all that hold versions of older snapshots.
        snapshot: the newest older snapshot whose reading of it has ended; None: none.
        key: the field that told its rows apart.
        held: what that snapshot holds of it.
        sources: the columns that its fields were in.
    """

    files: Sequence[VersionFile] = ()
    snapshot: str | None = None
    key: str | None = ID
    held: Held | None = None
    sources: Sequence[FieldSource] = ()


@dataclass(frozen=True)
class Asked:
    """What a caller says of a reading that ends; see ``Writer.settle``."""

    mode: Mode
    gone: Sequence[str] = ()
    org_count: int | None = None
    org_digest: str | None = None
    watermark: str | None = None
    is_swept: bool = False


@dataclass
class Outcome:
    """
    Args:
        adds: parts that the last commit brings.
        removes: parts committed before that it takes out.
        orphans: paths of parts that were written and are not needed.
    """

    proof: Proof
    held: Held | None
    adds: list[Part] = field(default_factory=list)
    removes: list[Part] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Reading:
    """
    One object's reading, at its end.

    Args:
        table: the table's folder.
        committed: parts of this snapshot in the table. ``added``: those of the last step, which are
            not.
        layout: the object's fields in this snapshot, and their columns.
        began_at: when the reading began (ISO); empty: not known.
    """

    table: Files
    place: Place
    snapshot: str
    name: str
    layout: Layout
    committed: Sequence[Part]
    added: Sequence[Part]
    before: Before
    began_at: str
    clock: Clock

    @property
    def parts(self) -> list[Part]:
        return [*self.committed, *self.added]

    def settle(self, asked: Asked) -> Outcome:
        """
        Compare, and write what has to be written anew. Nothing is visible yet.

        Cost: no calls. One column of what the store has of the object is read, and all columns of
        rows that may be equal. Memory is bounded.
        """
        fields = [stored.field for stored in self.layout]
        before = self.before
        if asked.mode == "full":
            proof = prove(self.table, self.parts, fields, org_count=asked.org_count)
            if proof.problem:
                return Outcome(proof, None)
            if proof.key is None or (before.files and proof.key != before.key):
                return self._from_now_on(asked, proof)
        elif before.held is None or before.key != ID or ID not in fields:
            raise CallerError(f"{self.name}: nothing to compare with is stored. Read it in full.")
        else:
            proof = Proof(0, 0, ID, "", asked.org_count)
        if not before.files:
            return self._first(asked, proof)
        found = compare(
            self._read(proof.key or ID),
            self._before(proof.key or ID),
            self._content(),
            is_full=asked.mode == "full",
            gone=asked.gone,
        )
        if asked.mode != "full":
            rows = found.rows + found.deleted
            proof = Proof(rows, rows, ID, found.digest, asked.org_count)
            if proof.problem:
                return Outcome(proof, None)
        outcome = self._sorted(found.kept, Outcome(proof, self._held(asked, proof, found)))
        outcome.adds += self._hard_deletes(found, proof.key or ID)
        return outcome

    def _read(self, key: str) -> Versions:
        files = [version_file(part.path) for part in self.parts]
        stamp = stamp_column(sources_of([self.layout]))
        return Versions(self.table, files, key, Span(self.snapshot), stamp)

    def _before(self, key: str) -> Versions:
        starts_with = (self.before.held.starts_with if self.before.held else None) or ""
        span = Span(self.snapshot, is_before=True, starts_with=starts_with)
        return Versions(self.table, self.before.files, key, span)

    def _sources(self, *, is_full: bool = False) -> list[FieldSource]:
        """
        The fields of this snapshot, and all columns that may hold their values.

        Args:
            is_full: all rows were read, so none has its value in a column of another kind any more.
        """
        own = sources_of([self.layout, *(part.widened for part in self.parts)])
        return with_older(own, self.before.sources, is_same_kind=is_full)

    def _content(self) -> list[FieldSource]:
        return [source for source in self._sources() if source.field != NO_CONTENT]

    def _held(self, asked: Asked, proof: Proof, found: Difference | None = None) -> Held:
        """What the snapshot holds; without a difference, all that was read and nothing else."""
        now, was = self.began_at or iso(self.clock.now()), self.before.held
        alive = sum(part.rows for part in self.parts)
        deleted = sum(part.deleted for part in self.parts)
        is_full = asked.mode == "full"
        digest = asked.org_digest
        return Held(
            rows=found.rows if found else alive,
            deleted=found.deleted if found else deleted,
            mode=asked.mode,
            before=self.before.snapshot,
            added=found.added if found else alive,
            changed=found.changed if found else 0,
            ended=found.ended if found else 0,
            equal=found.equal if found else 0,
            starts_with=was.starts_with if found and was else None,
            watermark=asked.watermark or self._watermark(),
            full_at=now if is_full or was is None else was.full_at,
            sweep_at=now if is_full or asked.is_swept or was is None else was.sweep_at,
            refreshed_at=now if is_full or was is None else was.refreshed_at,
            columns=self._columns(found.retained if found else (), is_full=is_full),
            ids_match=None if digest is None else digest == proof.digest,
        )

    def _columns(
        self, retained: Sequence[Places], *, is_full: bool
    ) -> dict[str, list[tuple[str, str]]]:
        """
        The columns of fields that are not in one column of their own name.

        Args:
            retained: places of older versions that are the newest still.
        """
        own = sources_of([self.layout, *(part.widened for part in self.parts)])
        found = self._sources(is_full=is_full)
        older = {
            column
            for mine, all_of_it in zip(own, found, strict=True)
            for column, _ in all_of_it.columns
            if column not in dict(mine.columns)
        }
        empty = older - self._filled(retained, older)
        filled = {s.field: [c for c in s.columns if c[0] not in empty] for s in found}
        is_named = {s.field for mine, s in zip(own, found, strict=True) if not mine.is_plain}
        return {
            field: columns
            for field, columns in filled.items()
            if field in is_named or len(columns) > 1
        }

    def _filled(self, places: Sequence[Places], columns: set[str]) -> set[str]:
        """Which of these columns have a value in older versions that are the newest still."""
        if not columns or not places:
            return set()
        at = np.sort(np.concatenate(places))
        filled: set[str] = set()
        for batch in self._before(ID).batches(at, columns):
            names = batch.schema.names
            filled |= {n for n in names if batch.column(n).null_count < batch.num_rows}
        return filled

    def _watermark(self) -> str | None:
        """
        The newest SystemModstamp stored, but not later than the moment the reading began: a record
        that changed while it was read may have been stored in its older version.
        """
        was = self.before.held.watermark if self.before.held else None
        stamps = [part.max_modstamp for part in self.parts]
        newest = newest_moment([was, *stamps])
        if newest is None or not self.began_at:
            return newest
        return min(newest, self.began_at, key=datetime.fromisoformat)

    def _first(self, asked: Asked, proof: Proof) -> Outcome:
        """There is nothing to compare with: everything stays as it was written."""
        return Outcome(proof, self._held(asked, proof), adds=list(self.added))

    def _from_now_on(self, asked: Asked, proof: Proof) -> Outcome:
        """
        Rows that nothing tells apart, or by another field than before, have no history: versions
        of older snapshots do not count any more, unless all rows are the same.
        """
        before, held = self.before, self._held(asked, proof)
        if not before.files:
            return self._first(asked, proof)
        was = before.held
        is_alone = all(
            not f.snapshot or f.snapshot <= (before.snapshot or "") for f in before.files
        )
        if was is not None and before.key is None and proof.key is None and is_alone:
            span = Span(before.snapshot or "", starts_with=was.starts_with or "")
            then = Versions(self.table, before.files, ID, span)
            now = Versions(self.table, [version_file(p.path) for p in self.parts], ID, span)
            added, ended = _differences(self._contents(now), self._contents(then))
            if not added and not ended:
                held = replace(held, added=0, equal=held.rows, starts_with=was.starts_with)
                return self._sorted(np.zeros(now.rows, bool), Outcome(proof, held))
            held = replace(held, added=added, ended=ended)
        held = replace(held, starts_with=self.snapshot)
        return Outcome(proof, held, adds=list(self.added))

    def _contents(self, versions: Versions) -> Words:
        return np.sort(versions.contents(np.arange(versions.rows), self._sources()))

    # -- what is written anew ------------------------------------------------------------------------------------------

    def _sorted(self, kept: Flags, outcome: Outcome) -> Outcome:
        """Each part stays, goes, or is written anew with the rows that are kept."""
        committed = {part.path for part in self.committed}
        anew, first = [], 0
        is_small = int(np.count_nonzero(kept)) <= SMALL_ROWS
        is_merged = is_small and len(self.parts) > 1
        for part in self.parts:
            mine = kept[first : first + part.records]
            if mine.all() and len(mine) and not is_merged:
                if part.path not in committed:
                    outcome.adds.append(part)
            else:
                if mine.any():
                    anew.append((part, np.flatnonzero(mine) + first))
                if part.path in committed:
                    outcome.removes.append(part)
                outcome.orphans.append(part.path)
            first += part.records
        versions = self._read(ID)
        layouts: dict[Layout, list[np.ndarray]] = {}
        for part, places in anew:
            layouts.setdefault(_layout_of(self.layout, part), []).append(places)
        for layout, chosen in layouts.items():
            rows = versions.batches(
                np.concatenate(chosen), {f.column for f in layout} | {EXTRACTED_AT}
            )
            outcome.adds.append(self._written(layout, regrouped(rows)))
        return outcome

    def _written(self, layout: Layout, tables: Iterable[pa.Table], op: int | None = None) -> Part:
        path = part_path(self.place, self.name, self.snapshot)
        names = {f.column: f.field for f in layout}
        with self.table.open_new(path) as sink:
            writer = RowGroupWriter(
                sink,
                layout,
                object_name=self.name,
                extracted_at=self.clock.now(),
                constants=self.place.constants,
                op=op,
            )
            try:
                for table in tables:
                    has = [name for name in table.column_names if name in names]
                    rows = table.select(has).rename_columns([names[name] for name in has])
                    read_at = table.column(EXTRACTED_AT) if op is None else None
                    writer.write(rows, read_at)
            finally:
                writer.close()
        widened = tuple(f for f in layout if f not in self.layout)
        return replace(writer.part(path), widened=widened)

    def _hard_deletes(self, found: Difference, key: str) -> list[Part]:
        places = np.sort(np.concatenate([np.empty(0, np.int64), *found.gone]))
        if not len(places):
            return []
        column = next(f.column for f in self.layout if f.field == key)
        batches = self._before(key).batches(places, {column})
        return [self._written(self.layout, regrouped(batches), IS_HARD_DELETE)]


def _layout_of(layout: Layout, part: Part) -> Layout:
    """The columns that a part's rows are in."""
    widened = {stored.field: stored for stored in part.widened}
    return tuple(widened.get(stored.field, stored) for stored in layout)


def _differences(now: Words, then: Words) -> tuple[int, int]:
    """How many rows are in one of two lists only, where equal rows may come more than once."""
    values, counts = np.unique(np.concatenate([now, then]), return_counts=True)
    of_now, of_then = np.zeros(len(values), np.int64), np.zeros(len(values), np.int64)
    np.add.at(of_now, np.searchsorted(values, now), 1)
    np.add.at(of_then, np.searchsorted(values, then), 1)
    del counts
    more = of_now - of_then
    return int(more[more > 0].sum()), int(-more[more < 0].sum())
