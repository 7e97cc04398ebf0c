"""The columns that an object has in one snapshot, and the describe answer they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sfnb.errors import StoreError
from sfnb.store.columns import columns_as_json, columns_from_json
from sfnb.store.files import Files
from sfnb.store.formats import FORMAT, check_format
from sfnb.store.manifest import schema_path


@dataclass(frozen=True)
class ObjectColumns:
    """
    What ``schema/<Object>.json`` says. Written once, before the object's first commit.

    Args:
        columns: the object's fields in describe's order, with the types of this snapshot.
        describe: Salesforce's describe answer as it was then.
    """

    object_name: str
    columns: pa.Schema
    describe: Mapping[str, Any]


def read_schema(files: Files, snapshot: str, object_name: str) -> ObjectColumns | None:
    """
    An object's columns in a snapshot, or None before they are written.

    Raises:
        StoreError: the file is damaged, or of a newer sfnb.
    """
    path = schema_path(snapshot, object_name)
    content = files.read_json(path)
    if content is None:
        return None
    check_format(content, files.uri(path))
    try:
        return ObjectColumns(
            content["object"], columns_from_json(content["columns"]), content["describe"]
        )
    except (KeyError, TypeError, AttributeError) as err:
        raise StoreError(f"{files.uri(path)} is damaged: it is not an object's schema.") from err


def put_schema(files: Files, snapshot: str, written: ObjectColumns) -> None:
    """Write an object's columns."""
    content = {
        "format": FORMAT,
        "object": written.object_name,
        "columns": columns_as_json(written.columns),
        "describe": dict(written.describe),
    }
    files.put_json(schema_path(snapshot, written.object_name), content)
