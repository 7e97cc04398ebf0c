"""Records that planned ones refer to: are they there, and may a new record refer to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sfnb.errors import ObjectError
from sfnb.model import FieldInfo, ObjectSchema
from sfnb.restore.describes import WriteObject
from sfnb.restore.present import PresentReader
from sfnb.restore.rows_files import read_parquet
from sfnb.restore.wanted import Wanted
from sfnb.restore.wire import wire_rows

ONE_DELETION = timedelta(seconds=10)
"""What a deletion takes along has its moment; what was deleted apart from it seldom has."""


def parent_queries(
    reader: PresentReader, prefixes: Mapping[str, str], ids: Iterable[str], label: str
) -> list[Wanted]:
    """
    Queries that say which of these Ids are alive; for users also whether they are active, since
    nothing can be given to others (REST guide, INACTIVE_OWNER_OR_USER).
    """
    by_object: dict[str, set[str]] = {}
    for record_id in ids:
        if name := prefixes.get(record_id[:3]):
            by_object.setdefault(name, set()).add(record_id)
    wanted: list[Wanted] = []
    for name, some in sorted(by_object.items()):
        fields = [FieldInfo("Id", "id")]
        if name == "User":
            fields.append(FieldInfo("IsActive", "boolean"))
        path = f"{reader.folder}/{name}-parents-{label}-{len(some)}"
        schema = ObjectSchema(name, tuple(fields))
        wanted += reader.read_ids(schema, sorted(some), path, is_all=False)
    return wanted


def living(reader: PresentReader, wanted: Sequence[Wanted]) -> tuple[set[str], set[str]]:
    """
    The Ids that a new record may refer to, and the objects that cannot be asked.

    Cost: 1 API call for 2,000 Ids; none for what has been read.
    """
    found = reader.read(wanted)
    there: set[str] = set()
    unclear: set[str] = set()
    for one in wanted:
        if isinstance(found[one.path], ObjectError):
            unclear.add(one.name)
            continue
        for batch in read_parquet(reader.files, [one.path]):
            there |= {r["Id"] for r in batch.to_pylist() if r.get("IsActive") is not False}
    return there, unclear


def returning(
    reader: PresentReader,
    gone: Mapping[str, Iterable[str]],
    undeleted: Mapping[str, str],
    targets: Mapping[str, WriteObject],
    label: str,
) -> set[str]:
    """
    Of records that are not alive, those that the org brings back by itself: they went with one that
    is undeleted. Objects that nobody has backed up, too.

    Args:
        gone: Ids by object.
        undeleted: by Id, the object of each record that is undeleted.

    Cost: 2 API calls for 2,000 of them; none where nothing can come back with what is undeleted.
    """
    masters = set(undeleted.values())
    fields: dict[str, set[str]] = {}
    for name in masters & targets.keys():
        for child, field in targets[name].cascades:
            fields.setdefault(child, set()).add(field)
    wanted = {
        name: reader.read_ids(
            _stamped(name, sorted(fields[name])),
            sorted(ids),
            f"{reader.folder}/{name}-returning-{label}",
        )
        for name, ids in gone.items()
        if ids and name in fields
    }
    rows = {
        row["Id"]: (row, [row[f] for f in fields[name] if row.get(f) in undeleted])
        for name, row in _rows_of(reader, wanted)
        if row.get("IsDeleted") is True
    }
    by_master: dict[str, set[str]] = {}
    for _, found in rows.values():
        for master in found:
            by_master.setdefault(undeleted[master], set()).add(master)
    asked = {
        name: reader.read_ids(
            _stamped(name), sorted(ids), f"{reader.folder}/{name}-masters-{label}"
        )
        for name, ids in by_master.items()
    }
    stamps = {row["Id"]: row.get("SystemModstamp") for _, row in _rows_of(reader, asked)}
    return {
        record_id
        for record_id, (row, found) in rows.items()
        if any(_is_near(row.get("SystemModstamp"), stamps.get(master)) for master in found)
    }


def _stamped(name: str, references: Sequence[str] = ()) -> ObjectSchema:
    fields = (
        FieldInfo("Id", "id"),
        FieldInfo("IsDeleted", "boolean"),
        FieldInfo("SystemModstamp", "datetime"),
        *(FieldInfo(field, "reference") for field in references),
    )
    return ObjectSchema(name, fields)


def _rows_of(
    reader: PresentReader, wanted: Mapping[str, Sequence[Wanted]]
) -> list[tuple[str, dict[str, Any]]]:
    """Object and record; of an object that cannot be read nothing is known."""
    found = reader.read([one for some in wanted.values() for one in some])
    return [
        (name, row)
        for name, some in wanted.items()
        for one in some
        if not isinstance(found[one.path], ObjectError)
        for batch in read_parquet(reader.files, [one.path])
        for row in wire_rows(batch)
    ]


def _is_near(one: object, other: object) -> bool:
    try:
        moments = [datetime.fromisoformat(str(moment)) for moment in (one, other)]
    except ValueError:
        return False
    return abs(moments[0] - moments[1]) <= ONE_DELETION
