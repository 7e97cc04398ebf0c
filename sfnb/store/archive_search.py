# ruff: noqa: S608 - SQL over columns of the store, names quoted
"""
Finding archived records: by Id, by a condition, or by a text in any field.

First only what the question needs is read, one archive after another, to learn which records are
meant; then those records whole. Memory does not grow with what is archived.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.errors import CallerError
from sfnb.store.archived_rows import BATCH_ROWS, parts_dataset, select_fields
from sfnb.store.archives import (
    ArchiveRecord,
    archive_folder,
    archive_ids,
    read_archive_record,
)
from sfnb.store.columns import UPSERT
from sfnb.store.files import Files
from sfnb.store.history.scratch import NO_BAR
from sfnb.store.layout import FieldSource
from sfnb.store.parts import text_array
from sfnb.store.snapshots import Snapshot
from sfnb.store.states.records import plain_rows, value_of
from sfnb.store.translating import translated
from sfnb.store.views import quoted

if TYPE_CHECKING:
    # One record by its Id needs neither: they cost a third of a second to load.
    import pyarrow.dataset as pads

LIMIT = 1_000
IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What is looked for; all of it has to fit.

    Args:
        text: in any text field, whatever its case.
        where: an SQL condition over the object's fields.
        limit: no more records than this, those archived last first.
    """

    text: str = ""
    object_name: str = ""
    record_id: str = ""
    where: str = ""
    limit: int = LIMIT


@dataclass(frozen=True, slots=True)
class Found:
    """An archived record; moments of ``record`` are datetimes in UTC."""

    object_name: str
    id: str
    archived_at: str
    snapshot: str
    record: dict[str, Any]


def search(files: Files, asked: Asked, archives: Iterable[str] | None = None) -> Iterator[Found]:
    """
    Archived records that are no longer in the org, those archived last first.

    Args:
        files: the org's folder.
        archives: the snapshots of those to look into, oldest first; None: all.

    Cost: no calls. By Id one small file for each archive, and a row group for each that may have it;
        else one column, or those of the condition.

    Raises:
        CallerError: the condition is wrong, or names fields that none of the objects has.
        StoreError: an archive is damaged.
    """
    left = asked.limit
    refused: CallerError | None = None
    fits = False
    for snapshot in reversed(list(archive_ids(files) if archives is None else archives)):
        place = files.below(archive_folder(snapshot))
        record = read_archive_record(place)
        if record is None:
            continue  # nothing of it has been deleted yet
        for name in record.objects:
            if asked.object_name and name.lower() != asked.object_name.lower():
                continue
            try:
                for found in _in_object(place, record, name, asked, left):
                    yield found
                    left -= 1
                fits = True
            except CallerError as err:
                # A condition on fields of one object says nothing of those that lack them.
                refused = refused or err
            if left <= 0:
                return
    if refused and not fits:
        raise refused


def _in_object(
    files: Files, record: ArchiveRecord, name: str, asked: Asked, most: int
) -> Iterator[Found]:
    known, stayed = record.objects[name], set(record.stayed.get(name, ()))
    if not known.rows:
        return  # all of them were erased
    snapshot = Snapshot(files, record.snapshot)
    if asked.record_id:
        if not known.min_id <= asked.record_id <= known.max_id:
            return
        ids = [asked.record_id]
        if asked.where or asked.text:
            ids = [i for i in _matching(snapshot, name, asked, None) if i == asked.record_id]
    else:
        ids = _matching(snapshot, name, asked, most + len(stayed))
    wanted = [i for i in ids if i not in stayed][:most]
    for row in _whole(snapshot, name, wanted):
        yield Found(name, row["Id"], record.archived_at, record.snapshot, row)


def _whole(snapshot: Snapshot, name: str, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    """These records with all their fields, in the order of their Ids."""
    if len(ids) == 1:
        found = snapshot.record(name, ids[0])
        if found is not None and found[0] == UPSERT:
            yield dict(found[1])
        return
    sources, dataset = snapshot.sources(name), parts_dataset(snapshot, name)
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = sorted(ids[start : start + IDS_AT_ONCE])
        # The bounds let row groups be passed over; the list alone does not.
        near = (pc.field("Id") >= some[0]) & (pc.field("Id") <= some[-1])
        wanted = near & pc.field("Id").isin(text_array(some))
        with translated(f"read {name}"):
            table = dataset.to_table(columns=_columns(dataset, sources), filter=wanted)
        for batch in table.to_batches():
            yield from _rows(batch, sources)


def _rows(batch: pa.RecordBatch, sources: Sequence[FieldSource]) -> Iterator[dict[str, Any]]:
    columns = {source.field: value_of(batch, source) for source in sources}
    yield from plain_rows(pa.RecordBatch.from_pydict(columns))


def _columns(dataset: pads.Dataset, sources: Sequence[FieldSource]) -> list[str]:
    there = set(dataset.schema.names)
    return [c for source in sources for c, _ in source.columns if c in there]


def _matching(snapshot: Snapshot, name: str, asked: Asked, most: int | None) -> list[str]:
    """The Ids of an object's records that fit, in no order to rely on."""
    dataset, sources = parts_dataset(snapshot, name), snapshot.sources(name)
    found = None
    if asked.where:
        enough = None if asked.text else most
        found = _by_condition(dataset, sources, name, asked.where, enough)
    if asked.text:
        return _by_text(dataset, sources, asked.text, most, found)
    return _first(dataset, most) if found is None else found


def _first(dataset: pads.Dataset, most: int | None) -> list[str]:
    ids: list[str] = []
    for batch in dataset.to_batches(columns=["Id"], batch_size=BATCH_ROWS):
        ids += batch.column(0).to_pylist()
        if most is not None and len(ids) >= most:
            return ids[:most]
    return ids


def _by_condition(
    dataset: pads.Dataset, sources: Sequence[FieldSource], name: str, where: str, most: int | None
) -> list[str]:
    import duckdb

    connection = duckdb.connect(config={"enable_external_access": "false", "threads": "2"})
    connection.execute(NO_BAR)
    try:
        connection.execute("set TimeZone = 'UTC'")
        query = f'select "Id" from {quoted(name)} where ({where})'
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise CallerError("--where takes one condition, as after WHERE.")
        connection.register("_sfnb_parts", dataset)
        fields = select_fields(dataset, sources, "_sfnb_parts")
        connection.execute(f"create view {quoted(name)} as {fields}")
        limit = f" limit {most}" if most is not None else ""
        rows = connection.execute(query + limit).fetchall()
        return [record_id for (record_id,) in rows]
    except duckdb.Error as err:
        words = " ".join(str(err).split())[:300]
        raise CallerError(f"the condition cannot be used on {name}: {words}") from err
    finally:
        connection.close()


def _by_text(
    dataset: pads.Dataset,
    sources: Sequence[FieldSource],
    text: str,
    most: int | None,
    among: Sequence[str] | None,
) -> list[str]:
    names = [
        name
        for name in _columns(dataset, sources)
        if pa.types.is_string(dataset.schema.field(name).type)
        or pa.types.is_large_string(dataset.schema.field(name).type)
    ]
    pattern, known = re.escape(text), None if among is None else set(among)
    ids: list[str] = []
    for batch in dataset.to_batches(columns=list(dict.fromkeys(("Id", *names)))):
        hits = None
        for name in names:
            one = pc.fill_null(
                pc.match_substring_regex(batch.column(name), pattern, ignore_case=True), False
            )
            hits = one if hits is None else pc.or_(hits, one)
        if hits is None:
            return []
        found = batch.column("Id").filter(hits).to_pylist()
        ids += found if known is None else [i for i in found if i in known]
        if most is not None and len(ids) >= most:
            return ids[:most]
    return ids
