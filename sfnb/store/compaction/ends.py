"""Which snapshot ended each version of a record. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfnb.store.columns import CURRENT
from sfnb.store.states.versions import Keys, Places

Codes = np.ndarray[tuple[int, ...], np.dtype[np.int32]]

MONTH = re.compile(r"\d{4}-\d{2}")

OPEN = -1
"""Stands for no snapshot: the version is current."""


@dataclass(frozen=True, slots=True)
class Era:
    """
    Snapshots whose versions follow each other by one key.

    Args:
        begins: the first snapshot; empty: the oldest.
        ends: the snapshot before whose state nothing older counts; None: the era goes on.
        key: the field that tells records apart; None: no field does.
    """

    begins: str
    ends: str | None
    key: str | None

    def has(self, snapshot: str) -> bool:
        return snapshot >= self.begins and (self.ends is None or snapshot < self.ends)


def eras_of(settled: Sequence[tuple[str, str, str | None]], key: str) -> list[Era]:
    """
    The eras of a table, oldest first.

    Args:
        settled: of each snapshot that ended its reading, oldest first: its id, the oldest snapshot
            whose versions count in its state (empty: all do), and the key of its rows.
        key: of the rows before the first.
    """
    found: list[tuple[str, str | None]] = [("", settled[0][2] if settled else key)]
    for _, starts_with, own_key in settled:
        if starts_with > found[-1][0]:
            found.append((starts_with, own_key))
    ends = [*(begins for begins, _ in found[1:]), None]
    return [Era(begins, end, own) for (begins, own), end in zip(found, ends, strict=True)]


def ended_by(keys: Keys, begun: Codes, era_end: int, stamps: Places) -> Codes:
    """
    Of each version the snapshot that ended it: that of the record's next version.

    Two versions of one record that the same snapshot brought (a page came twice): the one with the
    lesser stamp, else the first, is ended as it begins, so it is in no state.

    Args:
        keys: versions whose places rise with the snapshots that brought them.
        begun: of each place, the number of that snapshot.
        era_end: of a record's last version; ``OPEN`` if the era goes on.
        stamps: of each place, its SystemModstamp where that decides; else 0.
    """
    found = np.full(len(keys), era_end, np.int32)
    if len(keys) < 2:
        return found
    at = keys.places
    order = np.lexsort((at, stamps[at], begun[at], keys.others, keys.hashes))
    hashes, others = keys.hashes[order], keys.others[order]
    has_next = (hashes[1:] == hashes[:-1]) & (others[1:] == others[:-1])
    next_begun = begun[keys.places[order[1:]]]
    found[order[:-1]] = np.where(has_next, next_begun, era_end)
    return found


def is_compacted(generation: str) -> bool:
    """Whether compactions alone write this generation."""
    return generation == CURRENT or MONTH.fullmatch(generation) is not None


def generation_of(snapshot: str | None) -> str:
    """Where a version belongs that this snapshot ended: ``current`` or a month such as ``2026-11``."""
    return CURRENT if snapshot is None else f"{snapshot[:4]}-{snapshot[4:6]}"
