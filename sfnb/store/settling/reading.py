"""One object's reading at its end: its parts, and the state before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from sfnb.clock import Clock
from sfnb.store.columns import COLUMNS_ONLY, GENERATION, NEW, STAMPS
from sfnb.store.files import Files
from sfnb.store.held import Held, Mode
from sfnb.store.layout import FieldSource, Layout, sources_of, with_older
from sfnb.store.part_writer import PartTarget
from sfnb.store.parts import Part
from sfnb.store.progress import newest_moment
from sfnb.store.proof import ID, STAMP, Proof
from sfnb.store.states.files import VersionFile, version_file
from sfnb.store.states.records import stamp_column
from sfnb.store.states.versions import Places, Span, Versions

NO_CONTENT = STAMP
"""
Its value alone makes no new version: it moves for millions of rows although no value does, when a
roll-up is made or a picklist is edited. A version has the one under which it was read first.
"""


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
        stamps: files that say which stamps moved although the content stayed.
    """

    files: Sequence[VersionFile] = ()
    snapshot: str | None = None
    key: str | None = ID
    held: Held | None = None
    sources: Sequence[FieldSource] = ()
    stamps: Sequence[VersionFile] = ()

    @property
    def starts_with(self) -> str:
        return (self.held.starts_with if self.held else None) or ""


@dataclass(frozen=True)
class Asked:
    """
    What a caller says of a reading that ends; see ``Writer.settle``.

    Args:
        is_exact: SystemModstamp is content, too.
        is_afresh: versions of older snapshots do not count from now on: they cannot be read.
    """

    mode: Mode
    gone: Sequence[str] = ()
    org_count: int | None = None
    org_digest: str | None = None
    watermark: str | None = None
    is_swept: bool = False
    fields: Sequence[str] = ()
    is_exact: bool = False
    is_afresh: bool = False


@dataclass
class Outcome:
    """
    Args:
        adds: parts that the last commit brings.
        removes: parts committed before that it takes out.
        orphans: paths of parts that were written and are not needed.
        refreshed: records with a new version for no other reason than a refresh.
    """

    proof: Proof
    held: Held | None
    adds: list[Part] = field(default_factory=list)
    removes: list[Part] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    refreshed: int = 0


@dataclass(frozen=True)
class Reading:
    """
    Args:
        root: the org's folder. ``table``: the table's.
        target: where parts of whole records go.
        committed: parts of this snapshot in the table. ``added``: those of the last step, which are
            not.
        began_at: when the reading began (ISO); empty: not known.
        held, proof: what the snapshot holds already, when a refresh comes after the reading.
    """

    root: Files
    table: Files
    target: PartTarget
    committed: Sequence[Part]
    added: Sequence[Part]
    before: Before
    began_at: str
    clock: Clock
    held: Held | None = None
    proof: Proof | None = None

    @property
    def snapshot(self) -> str:
        return self.target.snapshot

    @property
    def name(self) -> str:
        return self.target.object_name

    @property
    def layout(self) -> Layout:
        """The object's fields in this snapshot, and their columns."""
        return self.target.layout

    @property
    def parts(self) -> list[Part]:
        """Those with whole records."""
        return [part for part in (*self.committed, *self.added) if _is_in(part, NEW)]

    @property
    def stamps(self) -> list[VersionFile]:
        """Files that say which stamps moved although the content stayed, up to now."""
        mine = [version_file(part.path) for part in self.committed if _is_in(part, STAMPS)]
        return [*self.before.stamps, *mine]

    @property
    def staged(self) -> list[Part]:
        """Those with some fields only."""
        return [part for part in (*self.committed, *self.added) if is_staged(part)]

    def read(self, key: str | None = ID, *, is_distinct: bool = False) -> Versions:
        """
        What was read.

        Args:
            is_distinct: no record was read twice; else the newest stamp counts.
        """
        files = [version_file(part.path) for part in self.parts]
        has_stamp = key is not None and not is_distinct
        stamp = stamp_column(sources_of([self.layout])) if has_stamp else ""
        return Versions(self.table, files, key, Span(self.snapshot), stamp)

    def versions_before(self, key: str | None = ID) -> Versions:
        """The state before."""
        span = Span(self.snapshot, is_before=True, starts_with=self.before.starts_with)
        return Versions(self.table, self.before.files, key, span)

    def own_sources(self) -> list[FieldSource]:
        """The fields of this snapshot in the columns that it writes."""
        return sources_of([self.layout, *(part.widened for part in self.parts)])

    def sources(self, *, is_full: bool = False) -> list[FieldSource]:
        """
        The fields of this snapshot, and all columns that may hold their values.

        Args:
            is_full: all rows were read, so none has its value in a column of another kind any more.
        """
        return with_older(self.own_sources(), self.before.sources, is_same_kind=is_full)

    def content(self, *, is_exact: bool = False) -> list[FieldSource]:
        """The fields that make a record's content."""
        return [s for s in self.sources() if is_exact or s.field != NO_CONTENT]

    def beginning(self) -> str:
        """
        The oldest snapshot whose versions count from a first reading on: an upgrade may put older
        ones below.
        """
        return min((f.snapshot for f in self.before.files if f.snapshot), default=self.snapshot)

    def columns(
        self, retained: Sequence[Places], *, is_full: bool
    ) -> dict[str, list[tuple[str, str]]]:
        """
        The columns of fields that are not in one column of their own name.

        Args:
            retained: places of older versions that are the newest still.
        """
        own, found = self.own_sources(), self.sources(is_full=is_full)
        older = {
            column
            for mine, whole in zip(own, found, strict=True)
            for column, _ in whole.columns
            if column not in dict(mine.columns)
        }
        empty = older - self._filled(retained, older)
        filled = {s.field: [c for c in s.columns if c[0] not in empty] for s in found}
        is_named = {source.field for source in own if not source.is_plain}
        return {f: cols for f, cols in filled.items() if f in is_named or len(cols) > 1}

    def _filled(self, places: Sequence[Places], columns: set[str]) -> set[str]:
        """Which of these columns have a value in older versions that are the newest still."""
        if not columns or not places:
            return set()
        filled: set[str] = set()
        at = np.sort(np.concatenate(places))
        for batch in self.versions_before().batches(at, columns):
            names = batch.schema.names
            filled |= {n for n in names if batch.column(n).null_count < batch.num_rows}
        return filled

    def watermark(self) -> str | None:
        """
        The newest SystemModstamp stored, but not later than the moment the reading began: a record
        that changed while it was read may have been stored in its older version.
        """
        was = self.before.held.watermark if self.before.held else None
        newest = newest_moment([was, *(part.max_modstamp for part in self.parts)])
        if newest is None or not self.began_at:
            return newest
        return min(newest, self.began_at, key=datetime.fromisoformat)


def is_staged(part: Part) -> bool:
    """Whether a part has some fields only, between two steps of a refresh."""
    return _is_in(part, COLUMNS_ONLY)


def _is_in(part: Part, generation: str) -> bool:
    return part.path.startswith(f"{GENERATION}={generation}/")
