"""What the org would have answered to a row that sfnb itself does not send: its status codes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

STATUS_CODES: Mapping[str, str] = {
    # reasons of a plan
    "field_gone": "INVALID_FIELD",
    "field_not_writable": "INVALID_FIELD_FOR_INSERT_UPDATE",
    "picklist_value_retired": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    "record_type_missing": "INVALID_CROSS_REFERENCE_KEY",
    "parent_missing": "INVALID_CROSS_REFERENCE_KEY",
    "object_gone": "INVALID_TYPE",
    "no_permission": "INSUFFICIENT_ACCESS_OR_READONLY",
    "storage_full": "STORAGE_LIMIT_EXCEEDED",
    "other_org": "INVALID_CROSS_REFERENCE_KEY",
    # what became of rows while the restore ran
    "AMBIGUOUS_MATCH": "DUPLICATE_EXTERNAL_ID",
    "NOT_MADE": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    "NO_ANSWER": "UNKNOWN_EXCEPTION",
    "OUTCOME_UNKNOWN": "UNKNOWN_EXCEPTION",
    "UNKNOWN_ERROR": "UNKNOWN_EXCEPTION",
    "UNREADABLE": "INSUFFICIENT_ACCESS_OR_READONLY",
    # files and pictures
    "body_missing": "REQUIRED_FIELD_MISSING",
    "PICTURE_DIFFERS": "FIELD_INTEGRITY_EXCEPTION",
    "": "UNKNOWN_EXCEPTION",
}
"""Words of sfnb, and the status code of Salesforce nearest to each (SOAP guide, StatusCode)."""


def as_status(code: str, message: str) -> tuple[str, str]:
    """
    Salesforce's status code and the message. A word of ours begins the message, since it says more
    than the code.
    """
    status = STATUS_CODES.get(code)
    if status is None:
        return code, message
    return status, f"{code}: {message}" if code else message
