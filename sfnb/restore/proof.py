"""
The proof of a restore: what was written is read back and compared with the snapshot, field by field.

What the plan left out on purpose is not compared (`RestorePlan.not_written`); what it had to leave
out of a record (a parent that is gone, a value that the org no longer takes) is, and shows up as
different.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.errors import ObjectError
from sfnb.model import ObjectSchema
from sfnb.org.describe import Described, fetch_schemas, parse_schema
from sfnb.org.transport import call_context
from sfnb.restore.choice import rows_with
from sfnb.restore.comparison import Difference, Rules, compare, hidden_by
from sfnb.restore.describes import write_object
from sfnb.restore.fields import restorable
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.pairing import pairs
from sfnb.restore.plan import RestorePlan
from sfnb.restore.present import BULK_FROM_ROWS, IDS_PER_QUERY, QUERIES_PER_CALL, PresentReader
from sfnb.restore.rows_files import read_parquet
from sfnb.restore.wanted import Wanted, with_fields
from sfnb.restore.written import WrittenRows
from sfnb.store.bodies.fields import image_fields
from sfnb.store.parts import text_array
from sfnb.store.snapshots import Snapshot

FORMAT = 1
MOST_LISTED = 10_000
"""Differences that ``proof.json`` names; all are counted."""

BULK_CALLS = 6
"""Of one Bulk query: its job, a few polls, its result."""

MARGIN = timedelta(hours=1)
"""How far our clock and the org's may be apart."""

OLD_ID = "sfnb_old_id"


def proof_calls(rows: Mapping[str, int]) -> int:
    """API calls that the proof of so many written records by object will take, as planned. Pure."""
    queries = sum(-(-count // IDS_PER_QUERY) for count in rows.values() if count <= BULK_FROM_ROWS)
    large = sum(count > BULK_FROM_ROWS for count in rows.values())
    return -(-queries // QUERIES_PER_CALL) + large * BULK_CALLS


@dataclass
class ObjectProof:
    """
    One object's comparison, in records.

    Args:
        different: records of which at least one field is not as it was.
        fields: by field, in how many records it differs.
        written_twice: records whose last modification is the run's, because two waves wrote them;
            they do not count as different for that.
        unread: why the object could not be read back; its records count as different then.
    """

    compared: int = 0
    different: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    written_twice: int = 0
    unread: str = ""


@dataclass
class ProofResult:
    """The whole comparison. ``listed`` has the first differences with their values."""

    objects: dict[str, ObjectProof] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)

    @property
    def compared(self) -> int:
        return sum(one.compared for one in self.objects.values())

    @property
    def different(self) -> int:
        return sum(one.different for one in self.objects.values())

    def outcome(self, path: str) -> dict[str, Any]:
        """For the job's JSON."""
        return {"compared": self.compared, "different": self.different, "details": path}

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "compared": self.compared,
            "different": self.different,
            "objects": {name: asdict(one) for name, one in self.objects.items()},
            "differences": self.listed,
        }

    @classmethod
    def of(cls, saved: Mapping[str, Any] | None) -> ProofResult:
        """From its JSON; none is an empty one."""
        if saved is None or saved.get("format") != FORMAT:
            return cls()
        objects = {name: ObjectProof(**one) for name, one in saved["objects"].items()}
        return cls(objects, list(saved["differences"]))


@dataclass
class Proof:
    """
    The proof of one restore.

    Args:
        written: by object, the records that were written, by their Ids in the snapshot.
        id_of: the target's Id for one of the snapshot's.
        since: when the run began; what it wrote is not older.
        amended: object, old Id and the snapshot's values; what was restored instead of them.
    """

    reader: PresentReader
    snapshot: Snapshot
    folder: RestoreFolder
    plan: RestorePlan
    written: Mapping[str, WrittenRows]
    id_of: Callable[[str], str]
    since: datetime
    amended: Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]] | None = None

    def run(self, tick: Callable[[], None]) -> ProofResult:
        """
        The comparison, in ``proof.json`` object by object: called again, it goes on.

        Cost: 1 API call for 2,000 records; above 10,000 of an object a Bulk query.
        """
        result = ProofResult.of(self.folder.files.read_json(self.folder.proof_path))
        todo = {n: rows for n, rows in self.written.items() if rows and n not in result.objects}
        for name, rows in todo.items():
            if all(one.is_proven for one in rows.sorts):
                result.objects[name] = ObjectProof(len(rows))
        names = [n for n in todo if n not in result.objects]
        schemas = self._schemas(names)
        wanted = {n: self._wanted(n, schemas[n]) for n in names if n in schemas}
        found = self.reader.read([w for some in wanted.values() for w in some])
        for name in names:
            tick()
            if name not in wanted:
                self._unread(result, name, "the org no longer describes it")
                continue
            failed = [e for w in wanted[name] if isinstance(e := found[w.path], ObjectError)]
            if failed:
                self._unread(result, name, str(failed[0]))
                continue
            paths = [w.path for w in wanted[name]]
            self._compare(result, name, schemas[name], paths)
            self._save(result)
        self._save(result)
        self.folder.files.delete_folder(self.reader.folder)
        return result

    def _save(self, result: ProofResult) -> None:
        self.folder.files.put_json(self.folder.proof_path, result.as_json(), indent=1)

    def _unread(self, result: ProofResult, name: str, why: str) -> None:
        count = len(self.written[name])
        result.objects[name] = ObjectProof(count, count, unread=why)

    def _schemas(self, names: Sequence[str]) -> dict[str, ObjectSchema]:
        kept: dict[str, Described] = {
            n: parse_schema(n, raw) for n in names if (raw := self.folder.describe(n))
        }
        if missing := [n for n in names if n not in kept]:
            with call_context(job_id=self.reader.job_id, stop=self.reader.stop):
                kept |= fetch_schemas(self.reader.org, missing)
        return {n: schema for n, schema in kept.items() if isinstance(schema, ObjectSchema)}

    def _rules(self, name: str, schema: ObjectSchema) -> Rules:
        source, target = write_object(self.snapshot.describe(name)), write_object(schema.raw)
        fields = restorable(self.snapshot.columns(name).names, source, target)
        hidden = hidden_by(self.plan.not_written.get(name, {}), fields)
        texts = frozenset(image_fields(schema.raw))
        return Rules(target, fields, hidden, texts, self.id_of)

    def _columns(self, name: str, schema: ObjectSchema) -> ObjectSchema:
        rules = self._rules(name, schema)
        needed = {n for one in self.written[name].sorts for n in rules.fields(one)}
        return with_fields(schema, ["Id", "IsDeleted", *sorted(needed)])

    def _wanted(self, name: str, schema: ObjectSchema) -> list[Wanted]:
        """The queries that read an object's records back."""
        columns = self._columns(name, schema)
        written = self.written[name]
        path = f"{self.reader.folder}/{name}"
        if len(written) > BULK_FROM_ROWS and schema.has("SystemModstamp"):
            moment = (self.since - MARGIN).astimezone(UTC)
            where = f"SystemModstamp >= {moment:%Y-%m-%dT%H:%M:%S}.000Z"
            return [Wanted(columns, where, f"{path}-window.parquet", is_all=False)]
        ids = sorted(set(written.new_ids.to_pylist()))
        return self.reader.read_ids(columns, ids, path, is_all=False)

    def _compare(
        self, result: ProofResult, name: str, schema: ObjectSchema, paths: list[str]
    ) -> None:
        rules, written = self._rules(name, schema), self.written[name]
        columns = [f.name for f in self._columns(name, schema).fields]
        paths = [*paths, *self._missing(name, schema, paths)]
        one, fields = ObjectProof(), Counter[str]()
        old_names = self.snapshot.columns(name).names
        old = self._old(name, old_names)
        present = read_parquet(self.folder.files, paths)
        for was, now in pairs(old, present, [*old_names, OLD_ID], columns):
            record = written[was[OLD_ID]]
            old_values = self._amend(name, was)
            found = compare(rules, was[OLD_ID], record, old_values, now)
            self._note(result, name, one, fields, found)
        # A record that the snapshot no longer gives cannot be compared, and is not as it was.
        one.different += len(written) - one.compared
        one.compared = len(written)
        one.fields = dict(sorted(fields.items()))
        result.objects[name] = one

    def _amend(self, name: str, was: Mapping[str, Any]) -> Mapping[str, Any]:
        """The snapshot's values, with those of a mended rejects file in their place."""
        return was if self.amended is None else {**was, **self.amended(name, was[OLD_ID], was)}

    def _note(
        self,
        result: ProofResult,
        name: str,
        one: ObjectProof,
        fields: Counter[str],
        found: list[Difference],
    ) -> None:
        one.compared += 1
        one.written_twice += any(d.is_rewritten for d in found)
        real = [d for d in found if not d.is_rewritten]
        one.different += bool(real)
        fields.update(d.field for d in real)
        room = MOST_LISTED - len(result.listed)
        result.listed += [{"object": name, **asdict(d)} for d in found[: max(room, 0)]]

    def _missing(self, name: str, schema: ObjectSchema, paths: list[str]) -> list[str]:
        """Records that a window did not bring are read by their Ids; the files with them."""
        if len(self.written[name]) <= BULK_FROM_ROWS:
            return []
        batches = read_parquet(self.folder.files, paths)
        there = [batch.column("Id").cast(pa.string()) for batch in batches]
        wanted_ids = self.written[name].new_ids
        if there:
            is_there = pc.is_in(wanted_ids, value_set=pa.concat_arrays(there))
            wanted_ids = wanted_ids.filter(pc.invert(is_there))
        missing = sorted(set(wanted_ids.to_pylist()))
        path = f"{self.reader.folder}/{name}-missing-{len(missing)}"
        wanted = self.reader.read_ids(self._columns(name, schema), missing, path, is_all=False)
        found = self.reader.read(wanted)
        return [w.path for w in wanted if not isinstance(found[w.path], ObjectError)]

    def _old(self, name: str, fields: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The snapshot's records under their Ids in the target; the old Id stands beside."""
        written = self.written[name]
        for batch in rows_with(self.snapshot, name, "Id", written.old_ids, list(fields)):
            old_ids = batch.column("Id")
            new_ids = text_array([written.new_id(i) for i in old_ids.to_pylist()])
            place = batch.schema.get_field_index("Id")
            mapped = batch.set_column(place, pa.field("Id", pa.string()), new_ids)
            yield mapped.append_column(OLD_ID, old_ids.cast(pa.string()))
