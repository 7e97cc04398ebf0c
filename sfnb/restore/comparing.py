"""
Which records of an object differ from the snapshot, and the plan of each of them by itself.

The org is asked what changed of an object since the snapshot's watermark and for its number of records. If
the number is the one that follows, nothing else has gone; if not, all Ids are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.errors import ObjectError
from sfnb.model import ObjectSchema
from sfnb.restore.choice import rows_with
from sfnb.restore.compact import IdSet
from sfnb.restore.describes import WriteObject
from sfnb.restore.drafting import Draft, DraftRules, draft, inbound_draft
from sfnb.restore.matching import skipped
from sfnb.restore.pairing import pairs
from sfnb.restore.plan import PlannedRow
from sfnb.restore.present import PresentReader
from sfnb.restore.refusals import Fault
from sfnb.restore.rows_files import read_parquet
from sfnb.restore.wanted import Wanted, with_fields
from sfnb.store.files import Files
from sfnb.store.parts import known_true, text_array
from sfnb.store.snapshots import Snapshot

OVERLAP = timedelta(minutes=15)
"""
How long before the watermark a change may lie: a long transaction commits rows whose stamps lie in the
past (at most 10 minutes).
"""

ALWAYS = ("Id", "IsDeleted", "SystemModstamp", "LastModifiedDate")


@dataclass
class Comparing:
    """
    One object on its way into the plan.

    Args:
        source, target: its describes then and there.
        schema: the target's, for queries.
        since: changes are looked for from then on; None: all rows are read.
        ids: only these records; None: all.
        aliases: by the snapshot's Ids, other records of the target that stand for them: an earlier
            restore has made them, or a key says so. ``ambiguous``: two stand for them.
        is_compared: records of another org that are there already are compared, not just left alone.
    """

    name: str
    rules: DraftRules
    source: WriteObject
    target: WriteObject
    schema: ObjectSchema
    since: str | None
    folder: str
    ids: AbstractSet[str] | None = None
    paths: list[str] = field(default_factory=list)
    again_paths: list[str] = field(default_factory=list)
    aliases: Mapping[str, str] = field(default_factory=dict)
    ambiguous: AbstractSet[str] = frozenset()
    is_other_org: bool = False
    is_compared: bool = True

    @property
    def columns(self) -> ObjectSchema:
        """What is read of the present records."""
        names = (*ALWAYS, *self.rules.restorable.all)
        return with_fields(self.schema, names)

    def window(self) -> Wanted:
        """The query of what has changed, deleted records too."""
        stamp = "SystemModstamp" if self.schema.has("SystemModstamp") else "LastModifiedDate"
        is_known = self.since is not None and self.schema.has(stamp)
        where = f"{stamp} >= {self.since}" if is_known else ""
        return Wanted(self.columns, where, f"{self.folder}/{self.name}-window.parquet")

    def count(self) -> tuple[str, str, bool]:
        """The query that counts its live records, archived ones too."""
        where = " WHERE IsDeleted = false" if self.schema.has("IsDeleted") else ""
        return self.name, f"SELECT COUNT() FROM {self.name}{where}", True  # noqa: S608 - SOQL

    def all_ids(self) -> Wanted:
        where = "IsDeleted = false" if self.schema.has("IsDeleted") else ""
        only = with_fields(self.schema, ["Id"])
        return Wanted(only, where, f"{self.folder}/{self.name}-ids.parquet")

    def by_ids(self, reader: PresentReader) -> list[Wanted]:
        ids = sorted(self.ids or ())
        return reader.read_ids(self.columns, ids, f"{self.folder}/{self.name}-chosen-{len(ids)}")

    def again(self, reader: PresentReader) -> list[Wanted]:
        """The queries of records that stand for those of the snapshot."""
        if not self.is_compared:
            return []
        ids = sorted({self.aliases[i] for i in self.ids or () if i in self.aliases})
        return reader.read_ids(self.columns, ids, f"{self.folder}/{self.name}-again-{len(ids)}")


def since_of(watermark: str | None, created_at: datetime) -> str:
    """Where the window of changes begins, as SOQL has moments."""
    moment = datetime.fromisoformat(watermark) if watermark else created_at
    return f"{(moment - OVERLAP).astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def read_present(
    reader: PresentReader,
    objects: Sequence[Comparing],
    snapshot: Snapshot,
    beside: Sequence[Wanted] = (),
) -> dict[str, ObjectError]:
    """
    Ask the target about these objects; their rows are on disk then. Returns the objects that cannot
    be read, by folder, and why.

    Args:
        beside: other rows that are read in the same calls.

    Cost: for each two whole objects of which little has changed 1 API call; 1 for 2,000 records by
    their Ids; see `PresentReader.read`.
    """
    failed: dict[str, ObjectError] = {}
    whole = [one for one in objects if one.ids is None and not one.is_other_org]
    for one in objects:
        if one.is_other_org and one.ids is None:
            one.ids = IdSet.of_arrow(_ids(snapshot.rows(one.name).batches(["Id"])))
    wanted: dict[str, list[Wanted]] = {one.folder: [one.window()] for one in whole}
    again = {one.folder: one.again(reader) for one in objects if one.ids is not None}
    for one in objects:
        if one.folder not in wanted:
            wanted[one.folder] = [] if one.is_other_org else one.by_ids(reader)
    _read(reader, objects, wanted, again | {"": list(beside)}, failed)
    counted = [one for one in whole if one.folder not in failed]
    for one, count in zip(counted, reader.counts([o.count() for o in counted]), strict=True):
        if isinstance(count, ObjectError):
            failed[one.folder] = count
            continue
        touched, expected = _touched(one, snapshot, reader.files)
        one.ids = touched
        if count != expected:
            one.ids = _swept(one, snapshot, reader, touched, failed)
    # Only now it is known which records of whole objects are looked at.
    again = {one.folder: one.again(reader) for one in counted}
    _read(reader, counted, {}, again, failed)
    return failed


def _read(
    reader: PresentReader,
    objects: Sequence[Comparing],
    wanted: Mapping[str, list[Wanted]],
    again: Mapping[str, list[Wanted]],
    failed: dict[str, ObjectError],
) -> None:
    everything = [w for some in (wanted, again) for queries in some.values() for w in queries]
    found = reader.read(everything) if everything else {}
    for one in objects:
        if one.folder in wanted:
            one.paths = [w.path for w in wanted[one.folder]]
        if one.folder in again:
            one.again_paths = [w.path for w in again[one.folder]]
        for path in (*one.paths, *one.again_paths):
            if isinstance(outcome := found.get(path), ObjectError):
                failed[one.folder] = outcome


def _touched(one: Comparing, snapshot: Snapshot, files: Files) -> tuple[IdSet, int]:
    """The snapshot's records in the window, and how many live records follow from it."""
    stored = _ids(snapshot.rows(one.name).batches(["Id"]))
    alive, binned = [], []
    for batch in read_parquet(files, one.paths):
        ids = batch.column("Id")
        is_gone = _is_deleted(batch)
        binned.append(ids.filter(is_gone))
        alive.append(ids.filter(pc.invert(is_gone)))
    alive_ids, bin_ids = _joined(alive), _joined(binned)
    gone = bin_ids.filter(pc.is_in(bin_ids, value_set=stored))
    is_old = pc.is_in(alive_ids, value_set=stored)
    new = len(alive_ids) - (pc.sum(is_old).as_py() or 0)
    touched = IdSet.of_arrow(pa.concat_arrays([gone, alive_ids.filter(is_old)]))
    return touched, len(stored) - len(gone) + new


def _swept(
    one: Comparing,
    snapshot: Snapshot,
    reader: PresentReader,
    touched: IdSet,
    failed: dict[str, ObjectError],
) -> IdSet:
    """The records of the window, and those that are nowhere any more."""
    sweep = one.all_ids()
    outcome = reader.read([sweep])[sweep.path]
    if isinstance(outcome, ObjectError):
        failed[one.folder] = outcome
        return touched
    alive = _ids(read_parquet(reader.files, [sweep.path]))
    stored = _ids(snapshot.rows(one.name).batches(["Id"]))
    missing = stored.filter(pc.invert(pc.is_in(stored, value_set=alive)))
    touched.update(IdSet.of_arrow(missing))
    return touched


def _is_deleted(batch: pa.RecordBatch) -> pa.Array:
    if "IsDeleted" not in batch.schema.names:
        return pc.is_null(batch.column("Id"))  # no bin: none of them
    return known_true(batch.column("IsDeleted"))


def _ids(batches: Iterator[pa.RecordBatch]) -> pa.Array:
    return _joined([batch.column("Id") for batch in batches])


def _joined(arrays: list[pa.Array]) -> pa.Array:
    return pa.concat_arrays(arrays) if arrays else text_array([])


def drafts(one: Comparing, snapshot: Snapshot, files: Files) -> Iterator[Draft]:
    """The plan of each record that is looked at, by itself."""
    for was, now in _pairs(one, snapshot, files):
        old_id = str(was["Id"])
        if old_id in one.ambiguous:
            fault = Fault("other_org", "", "two records of the target may be this one")
            yield Draft(PlannedRow(one.name, old_id, "refuse", reason=fault.reason), [fault])
        elif one.is_other_org and now is None and old_id in one.aliases:
            yield Draft(skipped(one.name, old_id, one.aliases[old_id]))
        else:
            yield draft(one.rules, was, now)


def inbound_drafts(
    one: Comparing,
    snapshot: Snapshot,
    files: Files,
    brought: Mapping[str, str],
) -> Iterator[Draft]:
    """What happens to records that referred to those which are brought back."""
    for was, now in _pairs(one, snapshot, files):
        if (found := inbound_draft(one.rules, was, now, brought)) is not None:
            yield found


def _pairs(
    one: Comparing, snapshot: Snapshot, files: Files
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Each record that is looked at, in the snapshot and now."""
    if not one.ids:
        return
    ids = one.ids.arrow() if isinstance(one.ids, IdSet) else text_array(sorted(one.ids))
    fields = snapshot.columns(one.name).names
    old = rows_with(snapshot, one.name, "Id", ids, None)
    used = _stand_ins(one, files)
    present = _present(one, files, ids, used)
    for was, now in pairs(old, present, fields, [f.name for f in one.columns.fields]):
        if now is not None and was["Id"] in used:
            now["Id"] = one.aliases[was["Id"]]
        yield was, now


def _stand_ins(one: Comparing, files: Files) -> set[str]:
    """
    The snapshot's Ids for which another record stands: one that is alive, or one in the bin where
    nothing is left of the first.
    """
    if not one.again_paths:
        return set()
    own = set(_ids(read_parquet(files, one.paths)).to_pylist())
    used: set[str] = set()
    for batch in _translated(one, files):
        for old_id, gone in zip(
            batch.column("Id").to_pylist(), _is_deleted(batch).to_pylist(), strict=True
        ):
            if not gone or old_id not in own:
                used.add(old_id)
    return used


def _present(
    one: Comparing, files: Files, ids: pa.Array, used: set[str]
) -> Iterator[pa.RecordBatch]:
    """The target's records, under the snapshot's Ids."""
    stand_ins = text_array(sorted(used))
    for batch in _only(read_parquet(files, one.paths), ids):
        kept = batch.filter(pc.invert(pc.is_in(batch.column("Id"), value_set=stand_ins)))
        if kept.num_rows:
            yield kept
    for batch in _translated(one, files):
        kept = batch.filter(pc.is_in(batch.column("Id"), value_set=stand_ins))
        if kept.num_rows:
            yield kept


def _translated(one: Comparing, files: Files) -> Iterator[pa.RecordBatch]:
    """Records that stand for others, with the Ids of those."""
    known = sorted((i, one.aliases[i]) for i in one.ids or () if i in one.aliases)
    old = text_array([old_id for old_id, _ in known])
    new = text_array([new_id for _, new_id in known])
    for batch in read_parquet(files, one.again_paths):
        places = pc.index_in(batch.column("Id"), value_set=new)
        at = batch.schema.get_field_index("Id")
        yield batch.set_column(at, batch.schema.field(at), old.take(places))


def _only(batches: Iterator[pa.RecordBatch], ids: pa.Array) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        found = batch.filter(pc.is_in(batch.column("Id"), value_set=ids))
        if found.num_rows:
            yield found


def kinds_of(target: WriteObject, draft_of: Draft) -> Mapping[str, str]:
    """How much a planned record needs each of its references, by field."""
    is_new = draft_of.row.action in ("create", "undelete")
    kinds: dict[str, str] = {}
    for name in draft_of.links:
        found = target.fields[name]
        is_optional = found.is_nillable or found.has_default or not is_new
        is_optional = is_optional and name not in draft_of.keys
        if is_optional and found.is_updateable and found.is_nillable:
            kinds[name] = "cuttable"
        else:
            kinds[name] = "optional" if is_optional and found.is_nillable else "required"
    return kinds
