"""
The table of a restore's kinds of write against the demo org's faults: what is damaged, which call
meets the fault, and which faults there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Rule = Mapping[str, Any]
Entry = tuple[str, str]
"""What is done to five records of an object, and the object."""

FAULTS: Mapping[str, Rule] = {
    "cut": {"fault": "cut"},
    "half_body": {"fault": "half_body"},
    "stall": {"fault": "stall", "seconds": 0.1},
    "late_answer": {"fault": "late_answer", "seconds": 0.1},
    "status503": {"fault": "status503"},
    "html": {"fault": "html"},
    "html_200": {"fault": "html", "status": 200},
    "empty406": {"fault": "empty406"},
    "expire_session": {"fault": "expire_session"},
    "concurrent_limit": {"fault": "concurrent_limit"},
    "header_gone": {"fault": "limit_header", "form": "gone"},
    "header_garbled": {"fault": "limit_header", "form": "garbled"},
    "header_huge": {"fault": "huge", "form": "header", "size": 100},
    "line_huge": {"fault": "huge", "form": "line", "size": 1},
    "deep": {"fault": "huge", "form": "deep", "size": 2000},
    "locked": {"fault": "error", "code": "UNABLE_TO_LOCK_ROW"},
    "unavailable": {"fault": "error", "code": "SERVER_UNAVAILABLE"},
    "too_long": {"fault": "error", "code": "REQUEST_RUNNING_TOO_LONG"},
    "unknown_exception": {"fault": "error", "code": "UNKNOWN_EXCEPTION"},
    "locator": {"fault": "locator_expired"},
    "not_found": {"fault": "error", "code": "NOT_FOUND"},
    "no_access": {"fault": "error", "code": "INSUFFICIENT_ACCESS"},
    "storage": {"fault": "error", "code": "STORAGE_LIMIT_EXCEEDED", "status": 400},
    "redirect": {"fault": "redirect", "to": "http://127.0.0.1:9/elsewhere"},
    "nothing": {"fault": "rewrite", "replace": [[r"(?s)\A.*\Z", ""]]},
    "empty_list": {"fault": "rewrite", "replace": [[r"(?s)\A.*\Z", "[]"]]},
    "no_success": {"fault": "rewrite", "replace": [["success", "succeeded"]]},
    "no_ids": {"fault": "rewrite", "replace": [[r"\b[a-zA-Z0-9]{15}[A-Z0-5]{3}\b", "none"]]},
    "replay": {"fault": "replay"},
}
"""Of a query's own faults (Bulk query jobs, cursors) only those that a write can meet are here."""

RESULTS: Mapping[str, Rule] = {
    "gone": {"fault": "bulk_results_expired"},
    "truncated": {"fault": "truncated_csv"},
    "first_missing": {"fault": "rewrite", "drop": [0]},
    "last_missing": {"fault": "rewrite", "drop": [-1]},
    "first_twice": {"fault": "rewrite", "repeat": [0]},
    "only_head": {"fault": "rewrite", "keep": 0},
}
"""Faults of a result file."""


@dataclass(frozen=True)
class Kind:
    """
    A kind of write.

    Args:
        match: the call that meets the fault.
        damage: what is lost before the restore.
        body: what the call's body has.
        is_bulk: rows go by Bulk API 2.0, however few they are.
        has_files: a document with two versions and two links, and an attachment, are lost, too.
    """

    match: str
    damage: tuple[Entry, ...] = ()
    body: str | None = None
    is_bulk: bool = False
    has_files: bool = False

    @property
    def faults(self) -> Mapping[str, Rule]:
        return {**FAULTS, **RESULTS} if "Results" in self.match else FAULTS


KEYLESS = (("hard_delete", "Invoice_Line__c"),)
"""Lines of invoices have no unique key: one that is sent twice is there twice."""

INGEST = "/jobs/ingest"

KINDS: Mapping[str, Kind] = {
    "undelete": Kind("POST .*/services/Soap/u/", (("delete", "Project__c"),)),
    "insert": Kind("POST .*/composite/sobjects", KEYLESS, body="Invoice_Line__c"),
    "insert with a key": Kind(
        "POST .*/composite/sobjects", (("hard_delete", "Contact"),), body='"Contact"'
    ),
    "update": Kind("PATCH .*/composite/sobjects", (("change", "Account"),)),
    "bulk create": Kind(f"POST .*{INGEST}/?$", KEYLESS, is_bulk=True),
    "bulk upload": Kind(f"PUT .*{INGEST}/", KEYLESS, is_bulk=True),
    "bulk close": Kind(f"PATCH .*{INGEST}/", KEYLESS, is_bulk=True),
    "bulk look": Kind(rf"GET .*{INGEST}/\w+/?$", KEYLESS, is_bulk=True),
    "bulk results": Kind(rf"GET .*{INGEST}/\w+/successfulResults", KEYLESS, is_bulk=True),
    "bulk update upload": Kind(f"PUT .*{INGEST}/", (("change", "Account"),), is_bulk=True),
    "bulk update results": Kind(
        rf"GET .*{INGEST}/\w+/successfulResults", (("change", "Account"),), is_bulk=True
    ),
    "version": Kind("POST .*/sobjects/ContentVersion", has_files=True),
    "attachment": Kind("POST .*/sobjects/Attachment", has_files=True),
    "link": Kind("POST .*/composite/sobjects", body="ContentDocumentLink", has_files=True),
}
