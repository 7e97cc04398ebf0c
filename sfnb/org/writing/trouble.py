"""Which refusals pass, and what helps: sending later, or fewer rows at a time. Pure."""

from __future__ import annotations

import re
from typing import Literal

Remedy = Literal["later", "smaller", "none"]

_LOCKS = frozenset({"UNABLE_TO_LOCK_ROW", "TOO_MANY_LOCK_FAILURE", "TOOMANYLOCKFAILURE"})
_PASSING = frozenset(
    {
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        "SERVER_UNAVAILABLE",
    }
)
_LIMITS = frozenset(
    {
        "LIMIT_EXCEEDED",
        "QUERY_TIMEOUT",
        "REQUEST_RUNNING_TOO_LONG",
        "TOO_MANY_APEX_REQUESTS",
        "TXN_LIMIT_EXCEEDED",
    }
)
# Apex's limits hold for the rows of a transaction together (Apex guide, Execution Governors and
# Limits); the row's message is that of the exception.
_LIMIT_WORDS = re.compile(
    r"too many (?:soql|dml|sosl|query rows|queueable|future|callouts|email)"
    r"|limitexception|cpu time limit|heap size too large|number of iterations exceeded"
    r"|apex cpu|timed? ?out",
    re.IGNORECASE,
)

WHOLE_CALL = frozenset(
    {
        "API_CURRENTLY_DISABLED",
        "API_DISABLED_FOR_ORG",
        "FEATURENOTENABLED",
        "FORBIDDEN",
        "FUNCTIONALITY_NOT_ENABLED",
        "INSUFFICIENT_ACCESS",
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "INVALID_TYPE",
        "INVALID_OPERATION",
        "METHOD_NOT_ALLOWED",
        "NOT_FOUND",
        "READ_ONLY_MODE",
        "STORAGE_LIMIT_EXCEEDED",
    }
)
"""Refusals of a call that no smaller call would escape."""

LOCKED_TRIES, OTHER_TRIES = 8, 3
"""So often a row is sent alone before its trouble is called a refusal; locks: for four minutes."""

FIRST_WAIT_S, MAX_WAIT_S = 2.0, 60.0
"""A lock is waited for 10 s within Salesforce; whoever holds it usually ends within the minute."""


def remedy(code: str, message: str) -> Remedy:
    """What may help a refused row. Codes: SOAP guide, "Core Data Types", StatusCode."""
    code = code.upper()
    if code in _LOCKS or "unable to obtain exclusive access" in message.lower():
        return "later"
    if code in _PASSING:
        return "later"
    if code == "STORAGE_LIMIT_EXCEEDED":
        return "none"
    if code in _LIMITS or _LIMIT_WORDS.search(message):
        return "smaller"
    return "none"


def tries_alone(code: str, message: str) -> int:
    """So often a row is sent alone."""
    return LOCKED_TRIES if remedy(code, message) == "later" else OTHER_TRIES


def wait_before(attempt: int) -> float:
    """Seconds before troubled rows are sent for the ``attempt``-th time again (1: the first)."""
    return min(FIRST_WAIT_S * 2.0 ** (attempt - 1), MAX_WAIT_S)


def smaller(size: int) -> int:
    """The next size of a batch after one that was too large."""
    return max(size // 2, 1)
