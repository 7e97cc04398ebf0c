"""Which version of a record goes into which generation of files, and the rows of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sfnb.store.columns import CURRENT, EXTRACTED_AT, FROM, OP, UNTIL
from sfnb.store.compaction.count import indices_of
from sfnb.store.compaction.ends import OPEN, Codes, Era, ended_by, eras_of, generation_of
from sfnb.store.files import Files
from sfnb.store.parts import text_array
from sfnb.store.proof import ID, STAMP
from sfnb.store.states.contents import words_of
from sfnb.store.states.files import VersionFile, read_pieces
from sfnb.store.states.versions import KEYS_AT_ONCE, Places, Span, Versions, arrow_flags

ALL = Span("~")
"""Every snapshot's versions; a tilde sorts behind all digits."""


@dataclass(frozen=True)
class Share:
    """
    The versions of one era that go into one generation.

    Args:
        places: in the order of the files, which is that of the snapshots that brought them.
        ended: of each, the number of the snapshot that ended it.
        snapshots: by number.
    """

    versions: Versions
    places: Places
    ended: Codes
    snapshots: Sequence[str]


Shares = Mapping[str, Sequence[Share]]
"""By generation."""


class Sharing:
    """
    Deals an object's versions out.

    Args:
        files: the table's folder.
        settled: the readings that have ended, as ``Catalog.settled`` has them.
    """

    def __init__(self, files: Files, settled: Sequence[tuple[str, str, str | None]]) -> None:
        self._files = files
        self._settled = settled
        self._ended = {snapshot for snapshot, _, _ in settled}

    def shares(self, inputs: Sequence[VersionFile]) -> Shares:
        """The versions in some files, by the generation that each belongs to."""
        found: dict[str, list[Share]] = {}
        for era in eras_of(self._settled, ID):
            mine = [f for f in inputs if era.has(f.snapshot or self._brought_by(f))]
            if mine:
                for generation, share in self._of_era(mine, era):
                    found.setdefault(generation, []).append(share)
        return found

    def _brought_by(self, current: VersionFile) -> str:
        """
        A snapshot that brought some version of what is current. All of them are of one era: the
        last one when they were compacted.
        """
        for piece in read_pieces(self._files, current.path, {FROM}):
            return str(piece.batch.column(FROM).dictionary[0])
        return ""

    def _of_era(self, inputs: Sequence[VersionFile], era: Era) -> Iterator[tuple[str, Share]]:
        versions = Versions(self._files, inputs, era.key, ALL)
        begun, snapshots = self._begun(versions, era)
        era_end = OPEN if era.ends is None else snapshots.index(era.ends)
        ended = np.full(versions.rows, era_end, np.int32)
        if era.key is not None:
            stamps = self._stamps(versions)
            shares = max(1, -(-versions.rows // KEYS_AT_ONCE))
            for share in range(shares):
                keys = versions.keys(share, shares)
                ended[keys.places] = ended_by(keys, begun, era_end, stamps)
        # OPEN is -1, the last place of a list.
        generations = [*(generation_of(snapshot) for snapshot in snapshots), CURRENT]
        names = list(dict.fromkeys(generations))
        of_row = np.array([names.index(g) for g in generations], np.int32)[ended]
        for number, name in enumerate(names):
            places = np.flatnonzero(of_row == number)
            if len(places):
                yield name, Share(versions, places, ended[places], snapshots)

    def _stamps(self, versions: Versions) -> Places:
        """
        Of each version the SystemModstamp, where its snapshot may have the record twice because
        its reading never ended; else 0.
        """
        found = np.zeros(versions.rows, np.int64)
        for file, starts in zip(versions.files, versions.groups, strict=True):
            if file.snapshot and file.snapshot not in self._ended:
                for piece in read_pieces(self._files, file.path, {STAMP}):
                    first = starts[0] + piece.first
                    if STAMP in piece.batch.schema.names:
                        words = words_of(piece.batch.column(STAMP), "timestamp")
                        found[first : first + len(words)] = words.view(np.int64)
        return found

    def _begun(self, versions: Versions, era: Era) -> tuple[Codes, list[str]]:
        """Of each version the number of the snapshot that brought it, and the snapshots."""
        named = {file.snapshot for file in versions.files if file.snapshot}
        pieces: list[tuple[int, pa.Array]] = []
        for file, starts in zip(versions.files, versions.groups, strict=True):
            if not file.snapshot:
                for piece in read_pieces(self._files, file.path, {FROM}):
                    column = piece.batch.column(FROM)
                    pieces.append((starts[0] + piece.first, column))
                    named |= set(column.dictionary.to_pylist())
        snapshots = sorted(named | ({era.ends} if era.ends else set()))
        numbers = {snapshot: n for n, snapshot in enumerate(snapshots)}
        begun = np.zeros(versions.rows, np.int32)
        for file, starts in zip(versions.files, versions.groups, strict=True):
            if file.snapshot:
                begun[starts[0] : starts[-1]] = numbers[file.snapshot]
        for first, column in pieces:
            texts = column.dictionary.to_pylist()
            of_text = np.array([numbers[text] for text in texts], np.int32)
            begun[first : first + len(column)] = of_text[indices_of(column)]
        return begun, snapshots


def rows_of(share: Share, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The versions of a share with all their columns, and the snapshots that ended them."""
    texts = text_array(share.snapshots)
    done = 0
    wanted = {*columns, OP, EXTRACTED_AT, FROM}
    for batch in share.versions.batches(share.places, wanted):
        ended = share.ended[done : done + batch.num_rows]
        done += batch.num_rows
        yield batch.append_column(UNTIL, _text_of(ended, texts))


def _text_of(codes: Codes, texts: pa.Array) -> pa.Array:
    """Numbers of snapshots as their ids; ``OPEN`` as null."""
    is_open = codes == OPEN
    indices = pa.Array.from_buffers(
        pa.int32(),
        len(codes),
        [arrow_flags(~is_open).buffers()[1], pa.py_buffer(np.ascontiguousarray(codes))],
    )
    return pa.DictionaryArray.from_arrays(indices, texts).cast(pa.string())
