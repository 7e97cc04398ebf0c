"""What a job that began with an older sfnb has to have in the end."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.errors import CallerError
from sfnb.store.snapshots import Snapshot


def stored(snapshot: Snapshot, names: Iterable[str]) -> dict[str, pa.Table]:
    """What the fixture's paused snapshot has of each object that it has begun, by Id."""
    found = {}
    for name in names:
        with suppress(CallerError):  # nothing yet
            found[name] = snapshot.table(name).sort_by("Id")
    return found


def check_resumed(
    names: Iterable[str], before: dict[str, pa.Table], found: Snapshot, today: Snapshot
) -> None:
    """
    Each record is there once: as the fixture stored it before the pause, and else as the org has it
    today. (The demo org of today gives some fields other values than that of the fixture.)
    """
    kept = 0
    for name in names:
        rows, others = found.table(name).sort_by("Id"), today.table(name).sort_by("Id")
        assert rows.num_rows > 0 and rows.column("Id").equals(others.column("Id")), name
        assert len(set(rows.column("Id").to_pylist())) == rows.num_rows, name
        old = before.get(name, rows.slice(0, 0)).select(rows.column_names)
        kept += old.num_rows
        is_old = pc.is_in(rows.column("Id"), value_set=old.column("Id").combine_chunks())
        assert rows.filter(is_old).equals(old), name
        # The org of today has fields that it had not when the fixture was made.
        new = others.select(rows.column_names).filter(pc.invert(is_old))
        assert rows.filter(pc.invert(is_old)).equals(new), name
    assert kept > 0, "the fixture had stored something before its pause"
