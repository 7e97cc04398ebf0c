"""Compacts the tables of an org."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sfnb.clock import Clock
from sfnb.errors import CallerError, StoreError
from sfnb.store.compaction.compact import Compacted, compact_object
from sfnb.store.files import Files


def compact_org(
    files: Files, clock: Clock, *, objects: Iterable[str] | None = None, force: bool = False
) -> Iterator[Compacted]:
    """
    Compact one object after the other; gives those that were compacted.

    Args:
        files: the org's folder.
        objects: names, in any case; None: all.
        force: also where it is not worth it yet.

    Raises:
        CallerError: the store has no such object.
        StoreError: a table is damaged, or the disk is full. What was compacted before stays so.
    """
    known = {name.lower(): name for name in files.names("records", folders=True)}
    names = list(known) if objects is None else [name.lower() for name in objects]
    for name in names:
        if name not in known:
            raise CallerError(f"the store has no versions of {name}.")
    for name in names:
        if done := compact_object(files, known[name], clock, force=force):
            yield done


def compact_after(files: Files, clock: Clock, objects: Iterable[str]) -> list[str]:
    """
    Compact, after a backup, the objects for which it is worth it. Never raises a StoreError.

    Returns:
        What went wrong, a sentence for each object; the next backup tries again.
    """
    problems = []
    for name in objects:
        try:
            compact_object(files, name, clock)
        except StoreError as err:
            problems.append(f"{name} was not compacted: {err}")
    return problems
