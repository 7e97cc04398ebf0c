"""Compacts the tables of an org."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sfnb.clock import Clock
from sfnb.errors import CallerError, StoreError
from sfnb.store.columns import GENERATION, NEW
from sfnb.store.compaction.compact import Compacted, compact_object
from sfnb.store.compaction.policy import FEWEST_FILES
from sfnb.store.files import Files
from sfnb.store.paths import records_path


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


def compact_after(files: Files, clock: Clock, objects: Iterable[str]) -> Iterator[tuple[str, str]]:
    """
    Compact, after a backup, the objects for which it is worth it.

    Never raises: the backup is complete, and the next one tries again.

    Returns:
        The objects that were not compacted for a reason that a person should know, and the reason.

    Cost: a listing of a folder for each object whose parts are few.
    """
    for name in objects:
        try:
            if len(files.names(f"{records_path(name)}/{GENERATION}={NEW}")) >= FEWEST_FILES:
                compact_object(files, name, clock)
        except StoreError as err:
            yield name, f"{name} was not compacted: {err}"
        except Exception as err:  # noqa: BLE001 - nothing that happens here may fail a backup
            yield name, f"{name} was not compacted ({type(err).__name__}: {err})."
