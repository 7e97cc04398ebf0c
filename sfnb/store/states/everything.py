"""Every stored version of an object's records, whatever snapshot it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.errors import CallerError, StoreError
from sfnb.store.columns import FROM, HARD_DELETE, OP, UNTIL
from sfnb.store.files import Files
from sfnb.store.layout import FieldSource, with_older
from sfnb.store.older.refusing import refuse_older
from sfnb.store.parts import text_array
from sfnb.store.paths import records_path
from sfnb.store.proof import ID
from sfnb.store.row_stream import RowStream
from sfnb.store.states.files import read_pieces
from sfnb.store.states.reading import files_of
from sfnb.store.states.records import columns_of_sources, value_of
from sfnb.store.translating import translated
from sfnb.store.views import quoted, select


class EveryVersion:
    """
    The versions of all records of an object, a row each. Implements `sfnb.store.views.Rows`.

    Args:
        sources: the fields, with every column that ever held them.
    """

    def __init__(self, files: Files, name: str, sources: Sequence[FieldSource]) -> None:
        self.name = name
        self.columns = columns_of_sources(sources)
        self._files = files
        self._sources = sources

    def batches(self, fields: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All versions, in no order; of records that are gone, none of them is one."""
        sources = [s for s in self._sources if fields is None or s.field in fields]
        columns = {column for source in sources for column, _ in source.columns}
        schema = columns_of_sources(sources)
        table = self._files.below(records_path(self.name))
        for file in files_of(self._files, self.name):
            for piece in read_pieces(table, file.path, {*columns, OP}):
                batch = _without_gone(piece.batch)
                arrays = [value_of(batch, source) for source in sources]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def recycle_bin(self, fields: Sequence[str]) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        return iter(())

    def one(self, record_id: str) -> tuple[str, dict[str, Any]] | None:  # noqa: ARG002
        return None

    def add_view(self, connection: Any, quoted_name: str) -> RowStream:
        """See ``views.Rows``."""
        source, rows = f"_sfnb_versions_of_{self.name}", RowStream(self.columns, self.batches)
        connection.register(source, rows)
        connection.execute(f'create view {quoted_name} as from "{source}"')
        return rows


def _without_gone(batch: pa.RecordBatch) -> pa.RecordBatch:
    is_gone = pc.is_in(batch.column(OP), value_set=text_array([HARD_DELETE]))
    return batch.filter(pc.invert(is_gone))


def every_version(files: Files, object_name: str) -> EveryVersion:
    """
    All versions of an object's records, with every field that a snapshot ever had.

    Raises:
        CallerError: nothing of the object is stored in today's format.
    """
    from sfnb.store.snapshots import Snapshots

    name = stored_name(files, object_name)
    sources: list[FieldSource] = []
    read = set()
    for snapshot in reversed(list(Snapshots(files).values())):
        try:
            _, progress, _ = snapshot.reading(name)
            if progress.number == 0 or progress.version in read:
                continue
            read.add(progress.version)
            found = snapshot.sources(name)
        except (CallerError, KeyError):
            continue  # the snapshot was not meant to have it
        known = {source.field.lower() for source in sources}
        sources = [
            *with_older(sources, found),
            *(source for source in found if source.field.lower() not in known),
        ]
    if not sources:
        raise CallerError(f"no snapshot has anything of {name}.")
    return EveryVersion(files, name, sources)


def stored_name(files: Files, object_name: str) -> str:
    """
    The object's name as it is stored, of a name in any case.

    Raises:
        CallerError: nothing of it is stored in today's format.
    """
    refuse_older(files, object_name)
    for name in files.names("records", folders=True):
        if name.lower() == object_name.lower():
            return name
    raise CallerError(f"nothing of {object_name} is stored.")


def stores_of(files: Files) -> Iterator[Files]:
    """The org's folder, and those of its archives, each a store of its own."""
    yield files
    for name in files.names("archives", folders=True):
        yield files.below(f"archives/{name}")


def name_anywhere(files: Files, object_name: str) -> str:
    """
    The object's name as the org's store or one of its archives has it.

    Raises:
        CallerError: nothing of it is stored in today's format.
    """
    stores = [store for store in stores_of(files) if is_stored(store, object_name)]
    return stored_name(stores[0] if stores else files, object_name)


def is_stored(files: Files, object_name: str) -> bool:
    """Whether anything of an object is in one store, in whatever format."""
    rooms = (*files.names("records", folders=True), *files.names("tables", folders=True))
    return any(name.lower() == object_name.lower() for name in rooms)


def matching_anywhere(files: Files, object_name: str, condition: str) -> frozenset[str] | None:
    """
    As ``matching_ids``, in the org's store and those of its archives; None: nothing of the object is
    stored.
    """
    stores = [store for store in stores_of(files) if is_stored(store, object_name)]
    found = [matching_ids(store, object_name, condition) for store in stores]
    return frozenset[str]().union(*found) if found else None


def matching_ids(files: Files, object_name: str, condition: str) -> frozenset[str]:
    """
    Ids of the records that an SQL condition matches in any stored version.

    Raises:
        CallerError: nothing of the object is stored, or the condition is none.
    """
    rows = every_version(files, object_name)
    # A condition is SQL by its nature; `select` takes one SELECT, and lets it see these rows alone.
    query = f"select distinct {quoted(ID)} from {quoted(rows.name)} where ({condition}\n)"  # noqa: S608
    found = select(query, [rows.name], lambda _: rows)
    return frozenset(found.column(0).to_pylist())


def stored_ids(files: Files, object_name: str) -> frozenset[str]:
    """
    Ids of all records of an object that are stored in any version; none: nothing is stored.

    Raises:
        CallerError: it is stored in an older format.
    """
    if not is_stored(files, object_name):
        return frozenset()
    name = stored_name(files, object_name)
    table = files.below(records_path(name))
    return ids_of_files([(table, file.path) for file in files_of(files, name)])


def stored_anywhere(files: Files, object_name: str) -> frozenset[str]:
    """As ``stored_ids``, in the org's store and those of its archives, in whatever format."""
    found: set[str] = set()
    for store in stores_of(files):
        try:
            found |= stored_ids(store, object_name)
        except CallerError:
            found |= _ids_in_snapshots(store, object_name)
    return frozenset(found)


def check_ids(files: Files, object_name: str, ids: Collection[str]) -> None:
    """
    Refuse Ids of another object: whoever protects or erases records by them would do nothing, and
    believe that it was done.

    An Id's first three characters say its object (REST guide, sObject Describe: ``keyPrefix``).
    Where one is stored as this object's all the same, it is.

    Raises:
        CallerError: one is another object's.
    """
    stores = (store for store in stores_of(files) if is_stored(store, object_name))
    prefix = next(filter(None, (_prefix(store, object_name) for store in stores)), "")
    strange = {one for one in ids if not one.startswith(prefix)}
    if strange and (strange := strange - stored_anywhere(files, object_name)):
        raise CallerError(
            f"{min(strange)} is no Id of {object_name}: those begin with {prefix}. Name the object "
            "that it is of; nothing was done."
        )


def _prefix(files: Files, object_name: str) -> str:
    from sfnb.store.snapshots import Snapshots

    try:
        described = Snapshots(files).latest(object_name).describe(object_name)
    except (CallerError, KeyError):
        return ""
    return str(described.get("keyPrefix") or "")


def _ids_in_snapshots(files: Files, object_name: str) -> set[str]:
    """Ids of the living records of each snapshot."""
    from sfnb.store.snapshots import Snapshots

    found: set[str] = set()
    for snapshot in Snapshots(files).values():
        for name in (one for one in snapshot.objects if one.lower() == object_name.lower()):
            try:
                batches = snapshot.rows(name).batches([ID])
            except CallerError:
                continue  # the snapshot has nothing of it yet
            for batch in batches:
                found |= set(batch.column(ID).to_pylist())
    return found


def ids_of_files(paths: Iterable[tuple[Files, str]]) -> frozenset[str]:
    """Ids of the records that some files of tables have in any version."""
    found: set[str] = set()
    for table, path in paths:
        for piece in read_pieces(table, path, {ID, OP}):
            if ID in piece.batch.schema.names:
                found |= set(_without_gone(piece.batch).column(ID).to_pylist())
    return frozenset(found)


def snapshots_of(
    files: Files, object_name: str, ids: Collection[str] | None, snapshots: Collection[str]
) -> set[str]:
    """
    Those of some snapshots in whose state one of these records is, alive or in the recycle bin.

    A record whose set was replaced as a whole counts as there until it comes again: rather one
    snapshot too many.

    Args:
        ids: 18-character Ids; None: any record.

    Raises:
        CallerError: the object is stored in an older format.
    """
    if not is_stored(files, object_name):
        return set()
    name = stored_name(files, object_name)
    table = files.below(records_path(name))
    wanted = None if ids is None else text_array(sorted(ids))
    lives: dict[str, list[tuple[str, str | None, bool]]] = defaultdict(list)
    with translated(f"read {name}"):
        for file in files_of(files, name):
            for piece in read_pieces(table, file.path, {ID, OP, FROM, UNTIL}):
                batch = piece.batch
                if ID not in batch.schema.names:
                    raise StoreError(f"{name} has no Ids, so nobody knows what a hold is on.")
                if wanted is not None:
                    batch = batch.filter(pc.is_in(batch.column(ID), value_set=wanted))
                ends = [None] * len(batch)
                if UNTIL in batch.schema.names:
                    ends = batch.column(UNTIL).to_pylist()
                rows = (batch.column(n).to_pylist() for n in (ID, FROM, OP))
                for one, begun, op, end in zip(*rows, ends, strict=True):
                    lives[one].append((begun, end, op != HARD_DELETE))
    found: set[str] = set()
    for versions in lives.values():
        versions.sort(key=lambda version: version[0])
        nexts = [*(begun for begun, _, _ in versions[1:]), None]
        for (begun, end, is_there), after in zip(versions, nexts, strict=True):
            until = end or after
            if is_there:
                found |= {s for s in snapshots if begun <= s and (until is None or s < until)}
        if len(found) == len(snapshots):
            break
    return found
