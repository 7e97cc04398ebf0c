"""The columns that an object has in one snapshot, and the describe answer they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from sfnb.errors import StoreError
from sfnb.store.columns import columns_as_json, columns_from_json
from sfnb.store.encoding import content_checksum
from sfnb.store.files import Files
from sfnb.store.formats import FORMAT, check_format
from sfnb.store.layout import Layout, StoredField
from sfnb.store.paths import schema_path


@dataclass(frozen=True)
class ObjectColumns:
    """
    What ``schema/<Object>.json`` says. Written once, before the object's first commit.

    Args:
        columns: the object's fields in describe's order, with the types of this snapshot.
        describe: Salesforce's describe answer as it was then.
        layout: the columns of the table that hold them.
        after: the version of the table when this was written: the snapshot's commits are newer. -1:
            no table yet.
        checksum: of the file; each commit names it.
    """

    snapshot: str
    object_name: str
    columns: pa.Schema
    describe: Mapping[str, Any]
    layout: Layout
    after: int = -1
    checksum: str = ""


def read_schema(files: Files, snapshot: str, object_name: str) -> ObjectColumns | None:
    """
    An object's columns in a snapshot, or None before they are written.

    Raises:
        StoreError: the file is damaged, of another object or snapshot, or of a newer sfnb.
    """
    path = schema_path(snapshot, object_name)
    content = files.read_json(path)
    if content is None:
        return None
    what = files.uri(path)
    check_format(content, what)
    # Format 1 does not name the snapshot, nor the table's version.
    named = (content.get("object"), content.get("snapshot", snapshot))
    if named != (object_name, snapshot):
        raise StoreError(f"{what} is damaged: it belongs to {named[0]} of snapshot {named[1]}.")
    try:
        return ObjectColumns(
            snapshot,
            object_name,
            columns_from_json(content["columns"]),
            content["describe"],
            _layout(content["columns"], content.get("stored", {})),
            content.get("after", -1),
            content["checksum"],
        )
    except (KeyError, TypeError, AttributeError) as err:
        raise StoreError(f"{what} is damaged: it is not an object's schema.") from err


def _layout(columns: Mapping[str, str], stored: Mapping[str, str]) -> Layout:
    return tuple(StoredField(name, stored.get(name, name), kind) for name, kind in columns.items())


def put_schema(files: Files, written: ObjectColumns) -> ObjectColumns:
    """Write an object's columns; returns them with their checksum."""
    content = {
        "format": FORMAT,
        "snapshot": written.snapshot,
        "object": written.object_name,
        "columns": columns_as_json(written.columns),
        "stored": {f.field: f.column for f in written.layout if f.column != f.field},
        "describe": dict(written.describe),
        "after": written.after,
    }
    files.put_json(schema_path(written.snapshot, written.object_name), content)
    return replace(written, checksum=content_checksum(content))


def committed_after(files: Files, snapshot: str, object_name: str) -> int | None:
    """
    The table's version before the snapshot's first commit; None: without a schema there is no
    commit either.
    """
    stored = read_schema(files, snapshot, object_name)
    return stored.after if stored else None
