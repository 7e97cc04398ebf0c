"""Stamps that moved although the content stayed: kept beside the versions, so that sweeps know them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfnb.store.columns import STAMPS
from sfnb.store.files import Files
from sfnb.store.parts import Part, regrouped
from sfnb.store.place import aside_place
from sfnb.store.proof import ID, STAMP
from sfnb.store.settling.compare import places_in
from sfnb.store.settling.reading import Reading
from sfnb.store.settling.writing import written
from sfnb.store.states.files import VersionFile
from sfnb.store.states.versions import Keys, Places, Span, Versions, newest


class KnownStamps:
    """
    The newest stamp of each record, whether its content changed with it or not.

    Args:
        column: of SystemModstamp; empty: the object has none, and all stamps are 0.
    """

    def __init__(
        self, table: Files, versions: Versions, files: Sequence[VersionFile], column: str
    ) -> None:
        self._versions = versions
        self._column = column
        at = max((file.snapshot for file in files), default="")
        self._aside = Versions(table, files, ID, Span(at)) if files and column else None

    def of(self, keys: Keys) -> Places:
        """The newest stamp of these versions, in microseconds."""
        if not self._column:
            return np.zeros(len(keys), np.int64)
        found = self._versions.stamps(keys.places, self._column)
        if self._aside is not None:
            aside = newest(self._aside.keys())
            at, is_there = places_in(aside, keys.hashes, keys.others)
            later = self._aside.stamps(aside.places[at[is_there]], self._column)
            found[is_there] = np.maximum(found[is_there], later)
        return found


class Moved:
    """Rows that were read whose stamp is newer than the one that is known, and nothing else."""

    def __init__(self, reading: Reading, read: Versions, before: Versions) -> None:
        self._reading = reading
        self._read = read
        self._column = next((f.column for f in reading.layout if f.field == STAMP), "")
        self._known = KnownStamps(reading.table, before, reading.before.stamps, self._column)
        self._places: list[Places] = []

    def note(self, now: Keys, then: Keys) -> None:
        """Told of rows whose content is equal."""
        if self._column and len(now):
            is_newer = self._read.stamps(now.places, self._column) > self._known.of(then)
            self._places.append(now.places[is_newer])

    def parts(self) -> list[Part]:
        """A part with their Ids and stamps; none without any."""
        places = np.sort(np.concatenate([np.empty(0, np.int64), *self._places]))
        if not len(places):
            return []
        reading = self._reading
        layout = tuple(f for f in reading.layout if f.field in (ID, STAMP))
        rows = regrouped(self._read.batches(places, {f.column for f in layout}))
        place = aside_place(reading.name, reading.snapshot, STAMPS)
        return [written(reading, layout, rows, place=place)]
