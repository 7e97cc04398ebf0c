"""Bulk API 1 batches that write: their rows in three formats, and their results in the same order."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.writing.incoming import Saved, WriteOptions
from sfnb_demo.errors import ApiError
from sfnb_demo.server.bulk1_results import xml_text
from sfnb_demo.server.ingest_jobs import row_error
from sfnb_demo.server.ingesting import Row, check_header, read_csv, values_of, write_rows
from sfnb_demo.server.refusals import ASYNC_NAMESPACE
from sfnb_demo.server.wire import json_bytes

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

MOST_ROWS = 10_000


def write_batch(
    org: DemoOrg, obj: ObjectDef, operation: str, content_type: str, data: bytes, *, key: str,
    user_id: str,
) -> tuple[bytes, int, int]:  # fmt: skip
    """
    Write the rows of a batch.

    Returns:
        The result in the job's format, the rows, and how many were refused.

    Raises:
        ApiError: InvalidBatch for a batch that cannot be read as a whole.
    """
    rows = _rows(obj, operation, content_type, data)
    if len(rows) > MOST_ROWS:
        raise ApiError("InvalidBatch", f"Records exceed the maximum of {MOST_ROWS}")
    saved: list[Saved] = []
    options = WriteOptions(user_id, has_assignment=False)
    for _, some in write_rows(org, obj, operation, rows, key=key, options=options):
        saved += some
    result = {"CSV": _csv, "JSON": _json, "XML": _xml}[content_type](saved)
    return result, len(saved), sum(not s.is_good for s in saved)


def _rows(obj: ObjectDef, operation: str, content_type: str, data: bytes) -> list[Row]:
    if content_type == "CSV":
        header, lines = read_csv(data.decode("utf-8-sig", "replace"))
        check_header(obj, header, operation)
        return [values_of(obj, header, line) for line in lines]
    if content_type == "JSON":
        try:
            rows = json.loads(data)
        except ValueError as err:
            raise ApiError("InvalidBatch", f"Failed to parse the batch: {err}") from err
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ApiError("InvalidBatch", "A JSON batch is an array of records")
        return rows
    if b"<!DOCTYPE" in data:
        raise ApiError("InvalidBatch", "A document type is not allowed")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - no document type, so no entities
    except ElementTree.ParseError as err:
        raise ApiError("InvalidBatch", f"Failed to parse the batch: {err}") from err
    return [{_local(cell.tag): cell.text or "" for cell in record} for record in root]


def _csv(saved: list[Saved]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["Id", "Success", "Created", "Error"])
    for one in saved:
        error = row_error(one.errors[0]) if one.errors else ""
        flags = str(one.is_good).lower(), str(one.is_created).lower()
        writer.writerow([_id(one), *flags, error])
    return out.getvalue().encode()


def _json(saved: list[Saved]) -> bytes:
    return json_bytes(
        [
            {
                "success": one.is_good,
                "created": one.is_created,
                "id": _id(one) or None,
                "errors": [_error(err) for err in one.errors[:1]],
            }
            for one in saved
        ]
    )


def _xml(saved: list[Saved]) -> bytes:
    parts = []
    for one in saved:
        errors = "".join(
            "<errors>"
            + "".join(f"<fields>{xml_text(name)}</fields>" for name in err.fields)
            + f"<message>{xml_text(err.message)}</message><statusCode>{err.code}</statusCode></errors>"
            for err in one.errors[:1]
        )
        record_id = f"<id>{_id(one)}</id>" if _id(one) else '<id xsi:nil="true"/>'
        parts.append(
            f"<result>{errors}{record_id}<success>{xml_text(one.is_good)}</success>"
            f"<created>{xml_text(one.is_created)}</created></result>"
        )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><results xmlns="{ASYNC_NAMESPACE}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"{''.join(parts)}</results>"
    ).encode()


def _id(one: Saved) -> str:
    """A refused record has no Id here: only its place tells which one it was."""
    return one.record_id if one.is_good else ""


def _error(err: ApiError) -> dict[str, Any]:
    return {
        "statusCode": err.code,
        "message": err.message,
        "fields": err.fields,
        "extendedErrorDetails": None,
    }


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
