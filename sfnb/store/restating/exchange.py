"""Exchanges files of a table in one commit that restates its readings, and tidies up after it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError

from sfnb.clock import Clock
from sfnb.errors import StoreError
from sfnb.store.commits import Commit, restating_entry
from sfnb.store.delta import ATTEMPTS, Table
from sfnb.store.encoding import encode
from sfnb.store.files import Files
from sfnb.store.log import LOG, log_path, newest_version
from sfnb.store.parts import Part
from sfnb.store.place import RECORDS_FORMAT, place_of
from sfnb.store.translating import translated

RESTATES = b'\\"readings\\":'


def exchange(
    table: Files,
    name: str,
    clock: Clock,
    *,
    kind: str,
    adds: Sequence[Part],
    removes: Sequence[Part],
    live: Sequence[Part],
    readings: Sequence[Commit],
    seen: int,
) -> int:
    """
    Commit new files for old ones.

    Args:
        table: the table's folder.
        kind: ``prune`` or ``erase``.
        live: all parts of the table after it.
        readings: those that still count.
        seen: the version that all of this was read from.

    Returns:
        The version of the commit.

    Raises:
        StoreError: somebody else has committed meanwhile; the new files are orphans.
    """
    opened = Table(table, name, place_of(name, "", RECORDS_FORMAT))
    with translated(f"rewrite {name}"):
        for _ in range(ATTEMPTS):
            delta = opened.open()
            if delta is None or delta.version() != seen:
                break
            _, base_sha256 = table.digest(log_path(seen)) or (0, "")
            entry = restating_entry(
                kind,
                name,
                adds,
                removed=[part.path for part in removes],
                live=live,
                readings=readings,
                base=seen,
                base_sha256=base_sha256,
            )
            properties = CommitProperties(
                custom_metadata={"sfnb": encode(entry).decode()}, max_commit_retries=0
            )
            at_ms = int(clock.now().timestamp() * 1000)
            try:
                opened.append(adds, removes, (), properties, at_ms=at_ms, is_change=False)
            except DeltaError:
                opened.forget()
                continue
            return seen + 1
    raise StoreError(f"{name} was changed by another process meanwhile. Run it again.")


def restated_at(table: Files) -> int:
    """The version of the newest restating commit; -1: there is none."""
    for version in range(newest_version(table), -1, -1):
        path = log_path(version)
        text = table.read(path)
        if text is None:
            return -1
        # Its entry is JSON within JSON. No other commit has that key, and a damaged one is for
        # whoever reads it to name.
        if RESTATES in text:
            return version
    return -1


def tidy_log(table: Files, name: str) -> None:
    """
    Remove the commits before the newest one that restates them. Does nothing where there is none.

    Delta begins to read at a checkpoint, so one must be there before.
    """
    version = restated_at(table)
    if version < 0:
        return
    names = table.names(LOG)
    older = [n for n in names if n[:20].isdigit() and int(n[:20]) < version]
    if not older:
        return
    with translated(f"rewrite {name}"):
        newest = newest_version(table)
        if not any(
            n.endswith(".parquet") and int(n[:20]) >= version for n in names if n[:20].isdigit()
        ):
            DeltaTable(table.uri("").rstrip("/\\")).create_checkpoint()
            table.sync([f"{LOG}/{newest:020d}.checkpoint.parquet", f"{LOG}/_last_checkpoint"])
            table.make_private(LOG)
    # The newest first: what is left of them is whole from its beginning on, and the commit that
    # comes after one that is gone is the one that restates it.
    for one in sorted(older, reverse=True):
        table.delete(f"{LOG}/{one}")


def delete_files(table: Files, paths: Collection[str]) -> None:
    """Remove files of a table that no commit names any more."""
    for path in sorted(paths):
        table.delete(path)
