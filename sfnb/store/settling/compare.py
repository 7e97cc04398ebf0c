"""What a reading found against the state before it. Memory is bounded: keys are taken in shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from sfnb.store.keys import MASK, Words, key_hashes
from sfnb.store.layout import FieldSource
from sfnb.store.parts import IS_DELETE, IS_HARD_DELETE, IS_UPSERT, text_array
from sfnb.store.states.contents import Flags
from sfnb.store.states.versions import KEYS_AT_ONCE, Keys, Places, Versions, newest


@dataclass
class Difference:
    """
    Args:
        kept: of the rows that were read, those that the store has to keep.
        added, changed, ended, equal: as in ``Held``.
        rows, deleted: the state afterwards: records alive, and in the recycle bin.
        sums: the digest of all keys of that state, one sum for each lane.
        gone: places of records in the state before that are gone now.
        retained: places of versions before that are the newest still.
    """

    kept: Flags
    added: int = 0
    changed: int = 0
    ended: int = 0
    equal: int = 0
    rows: int = 0
    deleted: int = 0
    sums: list[int] = field(default_factory=lambda: [0, 0])
    gone: list[Places] = field(default_factory=list)
    retained: list[Places] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return f"{self.sums[0] & MASK:016x}{self.sums[1] & MASK:016x}"

    def count(self, keys: Keys, sign: int = 1) -> None:
        """Add records to the state, or take them out."""
        self.rows += sign * int(np.count_nonzero(keys.ops == IS_UPSERT))
        self.deleted += sign * int(np.count_nonzero(keys.ops == IS_DELETE))
        for lane, hashes in enumerate((keys.hashes, keys.others)):
            self.sums[lane] += sign * int(hashes.sum(dtype=np.uint64))


def compare(
    read: Versions,
    before: Versions,
    sources: Sequence[FieldSource],
    *,
    is_full: bool,
    gone: Sequence[str] = (),
    same: Callable[[Keys, Keys], None] | None = None,
) -> Difference:
    """
    Compare what was read with the state before.

    Args:
        sources: the fields that make the content of a record.
        is_full: all records were read, so those that are missing are gone. Otherwise only those
            named in ``gone`` are.
        same: told of rows whose content is equal, as they were read and as they are stored.
    """
    found = Difference(np.zeros(read.rows, bool))
    shares = max(1, -(-max(read.rows, before.rows) // KEYS_AT_ONCE))
    for share in range(shares):
        now, then = newest(read.keys(share, shares)), newest(before.keys(share, shares))
        then = then.take(then.ops != IS_HARD_DELETE)
        at, is_known = places_in(then, now.hashes, now.others)
        known = now.take(is_known)
        old = then.take(at[is_known])
        is_equal = known.ops == old.ops
        contents = read.contents(known.places[is_equal], sources)
        is_equal[is_equal] = contents == before.contents(old.places[is_equal], sources)
        found.kept[now.places[~is_known]] = True
        found.kept[known.places[~is_equal]] = True
        if same is not None:
            same(known.take(is_equal), old.take(is_equal))
        is_alive, was_alive = known.ops == IS_UPSERT, old.ops == IS_UPSERT
        found.added += int(np.count_nonzero(now.ops[~is_known] == IS_UPSERT))
        found.added += int(np.count_nonzero(is_alive & ~was_alive))
        found.changed += int(np.count_nonzero(~is_equal & is_alive & was_alive))
        found.equal += int(np.count_nonzero(is_equal))
        found.ended += int(np.count_nonzero(was_alive & ~is_alive))
        lost = _lost(then, at[is_known], is_full, gone)
        found.gone.append(lost.places)
        found.ended += int(np.count_nonzero(lost.ops == IS_UPSERT))
        is_retained = np.ones(len(then), bool)
        is_retained[at[is_known][~is_equal]] = False
        is_retained[np.isin(then.places, lost.places)] = False
        found.retained.append(then.places[is_retained])
        found.count(now)
        if not is_full:
            found.count(then)
            found.count(old, -1)
            found.count(lost, -1)
    return found


def places_in(keys: Keys, hashes: Words, others: Words) -> tuple[Places, Flags]:
    """Where each key is among some, which are in the order of their hashes, and whether it is."""
    if not len(keys):
        return np.zeros(len(hashes), np.int64), np.zeros(len(hashes), bool)
    at = np.minimum(np.searchsorted(keys.hashes, hashes), len(keys) - 1)
    is_there = (keys.hashes[at] == hashes) & (keys.others[at] == others)
    return at, np.asarray(is_there)


def _lost(then: Keys, seen: Places, is_full: bool, gone: Sequence[str]) -> Keys:
    """Of the records before, those that are gone. Who was read is not."""
    is_lost = np.ones(len(then), bool)
    if not is_full:
        named = text_array(gone)
        at, is_there = places_in(then, key_hashes(named, 0), key_hashes(named, 1))
        is_lost[:] = False
        is_lost[at[is_there]] = True
    is_lost[seen] = False
    return then.take(is_lost)
