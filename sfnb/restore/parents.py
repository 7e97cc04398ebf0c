"""Records that planned ones refer to: are they there, and may a new record refer to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sfnb.errors import ObjectError
from sfnb.model import FieldInfo, ObjectSchema
from sfnb.restore.present import PresentReader
from sfnb.restore.rows_files import read_parquet
from sfnb.restore.wanted import Wanted


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
