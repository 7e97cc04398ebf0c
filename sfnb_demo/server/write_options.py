"""How a request wants its records written, and how the outcome of each is written back."""

from __future__ import annotations

import re
from typing import Any

from sfnb_demo.data.writing.incoming import Saved, WriteOptions
from sfnb_demo.errors import ApiError
from sfnb_demo.server.wire import Request

_ALLOW_SAVE = re.compile(r"allowSave\s*=\s*true", re.IGNORECASE)


class RolledBack(Exception):
    """Raised inside a transaction to undo it; the answer has been made already."""


def write_options(request: Request) -> WriteOptions:
    """
    From the headers ``Sforce-Duplicate-Rule-Header: allowSave=true`` and ``Sforce-Auto-Assign:
    FALSE`` (REST guide, Headers).
    """
    return WriteOptions(
        user_id=request.user.user.user_id,
        allows_duplicates=bool(
            _ALLOW_SAVE.search(request.headers.get("sforce-duplicate-rule-header", ""))
        ),
        has_assignment=request.headers.get("sforce-auto-assign", "").strip().lower() != "false",
    )


def save_result(saved: Saved, *, has_created: bool = False) -> dict[str, Any]:
    """A save result; in these the key of an error is ``statusCode``, not ``errorCode``."""
    if saved.errors:
        return failure(saved.errors[0], saved.record_id if not saved.is_created else "")
    result: dict[str, Any] = {"id": saved.record_id, "success": True, "errors": []}
    return result | ({"created": saved.is_created} if has_created else {})


def failure(err: ApiError, record_id: str = "") -> dict[str, Any]:
    entry = {"statusCode": err.code, "message": err.message, "fields": err.fields}
    return ({"id": record_id} if record_id else {}) | {"success": False, "errors": [entry]}
