"""Whether an object's versions make the state that its newest reading says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sfnb.errors import StoreError
from sfnb.store.files import Files
from sfnb.store.keys import MASK
from sfnb.store.parts import IS_DELETE, IS_UPSERT
from sfnb.store.paths import records_path
from sfnb.store.progress import Progress
from sfnb.store.proof import ID
from sfnb.store.states.files import live_files
from sfnb.store.states.versions import Span, Versions, newest
from sfnb.store.verify.findings import Finding
from sfnb.store.verify.tables import Table


def check_states(files: Files, tables: Mapping[str, Table]) -> Iterator[Finding]:
    """
    Count the records of each object's newest state anew, from its versions, key by key.

    Older states are vouched for by their commits alone: counting each of them would read all keys
    once for every snapshot.

    Args:
        files: the org's folder.
        tables: by folder; those without damage.

    Cost: one column of each object, a bounded number of keys in memory at a time.
    """
    for folder, table in tables.items():
        name = folder.rpartition("/")[2]
        ended = [s for s, p in table.progress.items() if p.held is not None and p.is_done]
        if folder != records_path(name) or not ended:
            continue
        snapshot = max(ended)
        try:
            wrong = _wrong(files.below(folder), table, snapshot)
        except StoreError as err:
            yield Finding("damaged", str(err), snapshot, name, folder)
            continue
        if wrong:
            rows = table.progress[snapshot].rows
            yield Finding("count", wrong, snapshot, name, folder, rows)


def _wrong(files: Files, table: Table, snapshot: str) -> str:
    """What its versions say otherwise than its newest reading; empty: nothing."""
    said = table.progress[snapshot]
    key = said.proof.key if said.proof else None
    rows, deleted, digest = _counted(files, table, said, snapshot, key)
    if said.held is None or (rows, deleted) == (said.held.rows, said.held.deleted):
        is_other = key == ID and said.proof is not None and digest != said.proof.digest
        return "the records of this state have other Ids than its reading says" if is_other else ""
    return (
        f"its versions make {rows:,} records and {deleted:,} in the recycle bin, its reading says "
        f"{said.held.rows:,} and {said.held.deleted:,}"
    )


def _counted(
    files: Files, table: Table, said: Progress, snapshot: str, key: str | None
) -> tuple[int, int, str]:
    starts_with = (said.held.starts_with if said.held else None) or ""
    span = Span(snapshot, starts_with=starts_with)
    rows = deleted = 0
    sums = [0, 0]
    for keys in Versions(files, live_files(table.live), key, span).in_shares():
        now = keys if key is None else newest(keys)
        is_alive, is_deleted = now.ops == IS_UPSERT, now.ops == IS_DELETE
        rows += int(np.count_nonzero(is_alive))
        deleted += int(np.count_nonzero(is_deleted))
        there = now.take(is_alive | is_deleted)
        for lane, hashes in enumerate((there.hashes, there.others)):
            sums[lane] += int(hashes.sum(dtype=np.uint64))
    return rows, deleted, f"{sums[0] & MASK:016x}{sums[1] & MASK:016x}"
