"""A sample: records as the org has them now, against their versions. It finds what no stamp tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sfnb.store.columns import NEW
from sfnb.store.files import Files
from sfnb.store.layout import sources_of
from sfnb.store.parts import IS_HARD_DELETE, Part
from sfnb.store.proof import ID, STAMP
from sfnb.store.settling.compare import places_in
from sfnb.store.settling.reading import Reading
from sfnb.store.settling.stamps import KnownStamps
from sfnb.store.states.files import VersionFile, group_starts, read_pieces, version_file
from sfnb.store.states.versions import KEYS_AT_ONCE, Span, Versions, newest


@dataclass(frozen=True, slots=True)
class Drift:
    """
    Args:
        rows: records that were compared: those whose stamp is the one that is stored.
        fields: by field, in how many of them its value is another one.
    """

    rows: int = 0
    fields: dict[str, int] = field(default_factory=dict)


def compare_sample(folder: Files, parts: Sequence[Part], reading: Reading) -> Drift:
    """
    Compare a sample with the state now.

    Args:
        folder: of the sample's parts.
        reading: with what this snapshot has committed so far.

    Cost: no calls; the Ids of the state, and all columns of the sampled records.
    """
    files = [VersionFile(part.path, NEW, reading.snapshot) for part in parts if part.path]
    sampled = Versions(folder, files, ID, Span(reading.snapshot))
    if not sampled.rows:
        return Drift()
    mine = [version_file(part.path) for part in reading.parts]
    span = Span(reading.snapshot, starts_with=reading.before.starts_with)
    state = Versions(reading.table, [*reading.before.files, *mine], ID, span)
    column = next((f.column for f in reading.layout if f.field == STAMP), "")
    stamps = KnownStamps(reading.table, state, reading.stamps, column)
    own = {s.field: s for s in sources_of([reading.layout, *(part.widened for part in parts)])}
    rows, fields = 0, dict[str, int]()
    for share in range(shares := max(1, -(-state.rows // KEYS_AT_ONCE))):
        theirs, ours = newest(sampled.keys(share, shares)), newest(state.keys(share, shares))
        ours = ours.take(ours.ops != IS_HARD_DELETE)
        at, is_known = places_in(ours, theirs.hashes, theirs.others)
        now, then = theirs.take(is_known), ours.take(at[is_known])
        is_same = now.ops == then.ops
        if column:
            is_same &= sampled.stamps(now.places, column) == stamps.of(then)
        now, then = now.take(is_same), then.take(is_same)
        rows += len(now)
        for stored in reading.content() if len(now) else ():
            if stored.field in own:
                new = sampled.contents(now.places, [own[stored.field]])
                count = int(np.count_nonzero(new != state.contents(then.places, [stored])))
                fields[stored.field] = fields.get(stored.field, 0) + count
    return Drift(rows, {name: count for name, count in fields.items() if count})


def an_id(table: Files, files: Sequence[VersionFile], seed: int) -> str:
    """Some Id that a table has, other ones for other seeds; empty: it has no rows."""
    if not files:
        return ""
    path = files[seed % len(files)].path
    group = seed // len(files) % max(1, len(group_starts(table, path)) - 1)
    ids = [
        pair
        for piece in read_pieces(table, path, {ID}, groups=[group])
        for pair in piece.batch.column(0).to_pylist()
    ]
    return str(ids[seed % len(ids)]) if ids else ""
