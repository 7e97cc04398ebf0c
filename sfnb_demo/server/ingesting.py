"""Rows that come in bulk, for both Bulk APIs: read from text, and written in batches."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.writing.finding import external_id_field
from sfnb_demo.data.writing.incoming import Saved, WriteOptions
from sfnb_demo.errors import ApiError

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
BATCH_ROWS = 10_000
"""Bulk 2.0 cuts a file into batches of so many records; each is one of the daily batches."""

Row = dict[str, Any]


def read_csv(text: str, delimiter: str = ",") -> tuple[list[str], list[list[str]]]:
    """Header and rows."""
    csv.field_size_limit(1 << 30)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines = [line for line in reader if line]
    except csv.Error as err:
        raise ApiError("InvalidBatch", f"Failed to parse CSV: {err}") from err
    if not lines:
        raise ApiError("InvalidBatch", "The CSV has no header")
    return lines[0], lines[1:]


def check_header(obj: ObjectDef, header: Sequence[str], operation: str) -> None:
    """
    Raises:
        ApiError: InvalidBatch for a column that is no field: it fails the whole job.
    """
    relations = obj.parents
    for name in header:
        first = name.rpartition(":")[2].partition(".")[0].lower()
        if not obj.has(name) and not ("." in name and first in relations):
            raise ApiError("InvalidBatch", f"Field name not found : {name}")
    if operation in ("update", "delete", "hardDelete") and "id" not in map(str.lower, header):
        raise ApiError("InvalidBatch", "Id column is required")
    if operation in ("delete", "hardDelete") and len(header) > 1:
        raise ApiError("InvalidBatch", "Only the Id column is allowed for delete")


def values_of(obj: ObjectDef, header: Sequence[str], line: Sequence[str]) -> Row:
    """
    The values of a CSV row: an empty cell is no value at all, ``#N/A`` is null (Bulk API 2.0 guide,
    Prepare CSV files).
    """
    found: Row = {}
    for name, text in zip(header, line, strict=False):
        field = obj.find(name)
        if text == "#N/A":
            found[name] = None
        elif text == "":
            continue
        elif field is not None and field.type == "boolean":
            lower = text.lower()
            found[name] = {"true": True, "1": True, "false": False, "0": False}.get(lower, text)
        else:
            found[name] = text
    return found


def write_rows(
    org: DemoOrg,
    obj: ObjectDef,
    operation: str,
    rows: Sequence[Row],
    *,
    key: str,
    options: WriteOptions,
) -> Iterator[tuple[int, list[Saved]]]:
    """
    Write rows batch by batch.

    Yields:
        For each batch the place of its first row, and what became of each.
    """
    database = org.database
    for start, end in _batches(rows, "Id" if operation == "update" else key):
        some = rows[start:end]
        if operation == "insert":
            saved = database.insert_many(obj.name, some, options)
        elif operation == "update":
            pairs = [(str(_id_of(row) or ""), row) for row in some]
            saved = database.update_many(obj.name, pairs, options)
        elif operation == "upsert":
            saved = database.upsert_many(obj.name, key, some, options)
        else:
            ids = [str(_id_of(row) or "") for row in some]
            is_hard = operation == "hardDelete"
            saved = database.delete_many(obj.name, ids, options, is_hard=is_hard)
        yield start, saved


def check_operation(org: DemoOrg, name: str, operation: str, key: str, user_id: str) -> ObjectDef:
    """
    The object of a new job.

    Raises:
        ApiError: for an operation, object or external id that there is not, or that this user may
            not use.
    """
    if operation not in OPERATIONS:
        raise ApiError("INVALIDJOB", f"InvalidJob : Unsupported operation: {operation}")
    obj = org.database.catalog_of(user_id).find(name)
    if obj is None:
        raise ApiError("INVALIDJOB", f"InvalidJob : Unable to find object: {name}")
    if not obj.has_bulk:
        raise ApiError(
            "INVALIDENTITY", f"InvalidEntity : Entity '{name}' is not supported by the Bulk API."
        )
    if operation == "upsert":
        try:
            external_id_field(obj, key)
        except ApiError as err:
            said = f"InvalidJob : External ID was blank or no such field: {key}"
            raise ApiError("INVALIDJOB", said) from err
    if operation == "hardDelete" and not org.database.has_permission(user_id, "BulkApiHardDelete"):
        raise ApiError(
            "FEATURENOTENABLED",
            "FeatureNotEnabled : hardDelete operation requires special user profile permission, "
            "please contact your system administrator",
        )
    return obj


def _batches(rows: Sequence[Row], key: str) -> Iterator[tuple[int, int]]:
    """Where batches begin and end: none has one key twice in it, unless within a trigger's 200."""
    start, places = 0, dict[str, int]()
    for place, row in enumerate(rows):
        value = str(row.get(key) or "")
        again = places.get(value) if value else None
        is_far = again is not None and (place - start) // 200 != (again - start) // 200
        if place - start >= BATCH_ROWS or is_far:
            yield start, place
            start, places = place, {}
        places[value] = place
    if start < len(rows):
        yield start, len(rows)


def _id_of(row: Row) -> Any:
    return next((value for name, value in row.items() if name.lower() == "id"), None)
