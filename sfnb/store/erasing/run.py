"""Erases records from one store: the org's, or that of one of its archives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pyarrow.parquet as pq

from sfnb.clock import Clock
from sfnb.errors import CallerError, JobError
from sfnb.store.bodies.index import index_paths, read_entries
from sfnb.store.erasing.elsewhere import Elsewhere
from sfnb.store.erasing.manifests import restate_manifests
from sfnb.store.erasing.tables import TableErase, find
from sfnb.store.files import Files
from sfnb.store.log import LOG
from sfnb.store.paths import records_path
from sfnb.store.pruning.bodies import BodyPrune
from sfnb.store.restating.one_at_a_time import restating
from sfnb.store.restating.readings import readings_of
from sfnb.store.snapshots import Snapshots
from sfnb.store.translating import translated

Ids = Mapping[str, Collection[str]]
"""By object as it is stored, the Ids of records."""

Tell = Callable[[str, int], None]
"""Takes an object that is done, and how many of its records were erased."""


@dataclass(frozen=True)
class Census:
    """
    What a store has of some records.

    Args:
        records: by object, the Ids that are stored.
        snapshots: in whose state one of them is.
        files: contents of bodies that they have.
    """

    records: Mapping[str, frozenset[str]]
    snapshots: frozenset[str]
    files: frozenset[str]


def census(files: Files, ids: Ids) -> Census:
    """Cost: reads the Ids of all versions of these objects."""
    records: dict[str, frozenset[str]] = {}
    snapshots: set[str] = set()
    there = {name.lower(): name for name in files.names("records", folders=True)}
    for object_name, some in ids.items():
        name = there.get(object_name.lower())
        if name is None or not some:
            continue
        found = find(files, name, some)
        if found.versions:
            records[name] = frozenset(version.id for version in found.versions)
            readings = readings_of(files.below(records_path(name)))
            touched = found.snapshots([reading.snapshot for reading in readings])
            snapshots |= touched | _unchanged_since(files, name, touched)
    contents = {
        entry.sha256
        for path, snapshot in index_paths(files)
        for entry in read_entries(files, path, snapshot)
        if entry.state == "held" and entry.id in records.get(entry.object_name, ())
    }
    return Census(records, frozenset(snapshots), frozenset(contents))


def _unchanged_since(files: Files, name: str, readings: Collection[str]) -> set[str]:
    """Snapshots whose state of an object is that of an older one's reading: it had not changed."""
    found = set()
    for snapshot in Snapshots(files).values():
        entry = snapshot.manifest.objects.get(name)
        if entry is not None and entry.unchanged_since in readings:
            found.add(snapshot.id)
    return found


def erase(
    files: Files,
    ids: Ids,
    clock: Clock,
    *,
    may_touch: Callable[[str], bool],
    tell: Tell = lambda _name, _rows: None,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """
    Take records out of everything in one store. Killed anywhere, it can be repeated.

    Args:
        ids: by object as it is stored.
        may_touch: whether a job with this id has ended for good.
        tick: called between two steps; may raise to stop.

    Raises:
        JobError: another process compacts this store, or a job that can still go on has one of the
            records.
        StoreError: the store is damaged, or the disk is full.
    """
    every = [one for some in ids.values() for one in some]
    elsewhere = Elsewhere(files, every, may_touch)
    if waiting := elsewhere.waiting():
        raise JobError(f"{waiting[0]} still works with these records. Resume or cancel it first.")
    with _one_at_a_time(files, clock):
        for name, some in ids.items():
            tick()
            TableErase(files, name, some, clock).run()
            tell(name, len(some))
        tick()
        restate_manifests(files, dict(ids))
        BodyPrune(files, {name: frozenset(some) for name, some in ids.items()}).run()
        elsewhere.run(list(ids))


@contextmanager
def _one_at_a_time(files: Files, clock: Clock) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(restating(files, clock))
        except CallerError as err:
            raise JobError(f"{err} Then resume this job.") from err
        yield


def left(files: Files, ids: Ids) -> list[str]:
    """
    Files of a store that still have an Id of the records, or a row of one; empty: the erasure is
    proven.

    Commits, checkpoints and pages of Parquet files are looked into.
    """
    found = []
    for name, some in ids.items():
        table = files.below(records_path(name))
        found += [f"{records_path(name)}/{path}" for path in find(files, name, some).paths]
        texts = [one[:15].encode() for one in some]
        for path in table.walk(LOG):
            if path.endswith(".parquet"):
                with translated(f"read {path}"), table.open_input(path) as source:
                    content = repr(pq.read_table(source).to_pylist()).encode()
            else:
                content = table.read(path) or b""
            if any(text in content for text in texts):
                found.append(f"{records_path(name)}/{path}")
    for path, snapshot in index_paths(files):
        if any(e.id in ids.get(e.object_name, ()) for e in read_entries(files, path, snapshot)):
            found.append(path)
    return found
