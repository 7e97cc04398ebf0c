"""A sweep: the Ids that the org has against those of the stored state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfnb.store.columns import NEW
from sfnb.store.files import Files
from sfnb.store.keys import MASK
from sfnb.store.parts import IS_HARD_DELETE, Part
from sfnb.store.proof import ID, STAMP
from sfnb.store.settling.compare import places_in
from sfnb.store.settling.reading import Reading
from sfnb.store.settling.stamps import KnownStamps
from sfnb.store.states.files import VersionFile, version_file
from sfnb.store.states.versions import KEYS_AT_ONCE, Places, Span, Versions, newest

DELETED = "IsDeleted"
SWEPT = frozenset({ID, STAMP, DELETED})
"""The fields that a sweep reads."""


@dataclass(frozen=True, slots=True)
class IdDifference:
    """
    Args:
        missing: Ids that the org has and the state has not.
        stale: Ids of records that the org has changed, put into the bin or taken out of it since
            their version.
        gone: Ids that the state has, alive or in the bin, and the sweep has not. Not seen is not
            deleted: that needs proof.
        rows: Ids that the sweep has.
        digest: of them, for ``settle(org_digest=…)``.
    """

    missing: list[str]
    stale: list[str]
    gone: list[str]
    rows: int
    digest: str


def compare_ids(folder: Files, parts: Sequence[Part], reading: Reading) -> IdDifference:
    """
    Compare what a sweep read with the state now.

    Args:
        folder: of the sweep's parts.
        reading: with what this snapshot has committed so far.
    """
    files = [VersionFile(part.path, NEW, reading.snapshot) for part in parts if part.path]
    swept = Versions(folder, files, ID, Span(reading.snapshot))
    mine = [version_file(part.path) for part in reading.parts]
    span = Span(reading.snapshot, starts_with=reading.before.starts_with)
    state = Versions(reading.table, [*reading.before.files, *mine], ID, span)
    column = next((f.column for f in reading.layout if f.field == STAMP), "")
    stamps = KnownStamps(reading.table, state, reading.stamps, column)
    missing: list[Places] = []
    stale: list[Places] = []
    gone: list[Places] = []
    sums, rows = [0, 0], 0
    for share in range(shares := max(1, -(-max(swept.rows, state.rows) // KEYS_AT_ONCE))):
        theirs, ours = newest(swept.keys(share, shares)), newest(state.keys(share, shares))
        ours = ours.take(ours.ops != IS_HARD_DELETE)
        at, is_known = places_in(ours, theirs.hashes, theirs.others)
        known, stored = theirs.take(is_known), ours.take(at[is_known])
        is_other = known.ops != stored.ops
        if column:
            # An earlier one, too: the org's clock may have been put back.
            is_other |= swept.stamps(known.places, column) != stamps.of(stored)
        missing.append(theirs.places[~is_known])
        stale.append(known.places[is_other])
        is_seen = np.zeros(len(ours), bool)
        is_seen[at[is_known]] = True
        gone.append(ours.places[~is_seen])
        rows += len(theirs)
        for lane, hashes in enumerate((theirs.hashes, theirs.others)):
            sums[lane] += int(hashes.sum(dtype=np.uint64))
    digest = f"{sums[0] & MASK:016x}{sums[1] & MASK:016x}"
    return IdDifference(_ids(swept, missing), _ids(swept, stale), _ids(state, gone), rows, digest)


def _ids(versions: Versions, places: Sequence[Places]) -> list[str]:
    at = np.sort(np.concatenate([np.empty(0, np.int64), *places]))
    return [key for batch in versions.batches(at, {ID}) for key in batch.column(0).to_pylist()]
