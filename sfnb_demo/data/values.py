"""Values from callers, checked against the field and converted for its column."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, date, datetime
from typing import Any

from sfnb_demo.data import ids
from sfnb_demo.data.fields import label_of
from sfnb_demo.data.schema import ID_TYPES, NUMBER_TYPES, Field
from sfnb_demo.errors import ApiError

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d{1,3})?Z?")


def stored_value(field: Field, value: Any) -> Any:  # noqa: PLR0911, PLR0912 - a table of types
    """
    The value as the column stores it; empty text is null.

    Raises:
        ApiError: with the code that Salesforce gives for such a value.
    """
    if value is None or value == "":
        return None
    kind = field.type
    if kind in ID_TYPES:
        return _id(field, value)
    if kind == "boolean":
        if isinstance(value, bool):
            return value
        raise _unreadable("boolean", value)
    if kind in NUMBER_TYPES:
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            # sf sends every value as text, so a text that reads as a number counts as one.
            return float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _unreadable("double", value)
        return value
    if kind == "date":
        try:
            return date.fromisoformat(str(value)[:10])
        except ValueError as err:
            raise _unreadable("date", value) from err
    if kind == "datetime":
        return _moment(value)
    if not isinstance(value, str):
        raise _unreadable("string", value)
    if kind == "time" and not _TIME.fullmatch(value):
        raise _unreadable("time", value)
    if field.length and len(value) > field.length:
        label = field.label or label_of(field.name)
        message = f"{label}: data value too large: {value[:255]} (max length={field.length})"
        raise ApiError("STRING_TOO_LONG", message, fields=[field.name])
    if (
        field.is_restricted
        and field.values
        and (value not in field.values or value in field.retired)
    ):
        message = f"{field.label or label_of(field.name)}: bad value for restricted picklist field: {value}"
        raise ApiError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, fields=[field.name])
    return value


def _id(field: Field, value: Any) -> str:
    found = ids.normal(value) if isinstance(value, str) else None
    if found is None:
        message = f"{field.label or label_of(field.name)}: id value of incorrect type: {value}"
        raise ApiError("MALFORMED_ID", message, fields=[field.name])
    return found


def _moment(value: Any) -> datetime:
    text = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", str(value).replace("Z", "+0000"))
    try:
        found = datetime.fromisoformat(text)
    except ValueError as err:
        raise _unreadable("datetime", value) from err
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(tzinfo=None, microsecond=0)


def decoded(field: Field, value: Any) -> bytes:
    """The bytes of a base64 field."""
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error as err:
        raise _unreadable("base64Binary", field.name) from err


def _unreadable(kind: str, value: Any) -> ApiError:
    shown = (
        "VALUE_STRING"
        if isinstance(value, str)
        else "VALUE_NUMBER"
        if isinstance(value, int | float)
        else "START_OBJECT"
    )
    message = (
        f"Cannot deserialize instance of {kind} from {shown} value {value} or request may be missing a required field "
        "at [line:1, column:2]"
    )
    return ApiError("JSON_PARSER_ERROR", message)
