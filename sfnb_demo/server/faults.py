"""
Scripted faults: a small list of rules that says which calls go wrong, and how.

A rule in JSON::

    {"match": "^GET .*/query", "body": "Contact", "nth": 3, "times": 2, "probability": 0.1, "seed": 7,
     "fault": "stall", "seconds": 2, "counted": true}

``match`` is searched in ``METHOD /path?query``, ``body`` in the request's body. ``nth`` skips the matches before it,
``times`` ends the rule after so many hits (none: no end), ``probability`` draws for each match.

======================  ============================================================================================
fault                   what the client sees
======================  ============================================================================================
status503               503 with Salesforce's SERVER_UNAVAILABLE body
html                    an HTML page from the edge instead of JSON; ``status`` (503)
empty406                406 without a body
cut                     the connection closes without an answer; the call was carried out
half_body               the head promises more than is sent, then the connection closes
stall                   nothing for ``seconds``, then the true answer
expire_session          the session ends before this call: 401 (Bulk API 1: 400 InvalidSessionId)
bulk_job_failed         the Bulk query job created by this call will fail; ``message``
bulk_results_expired    the results asked for here are gone: 404
limit_header            the limit header is ``form``: gone, extended or garbled
error                   ``code``, ``message``, ``status`` (400) in Salesforce's error form
locator_expired         400 INVALID_QUERY_LOCATOR, and the cursor is gone for good
truncated_csv           the answer's body ends in the middle of a record, with a head that fits it
concurrent_limit        403 REQUEST_LIMIT_EXCEEDED of the concurrency kind
======================  ============================================================================================
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = (
    "status503",
    "html",
    "empty406",
    "cut",
    "half_body",
    "stall",
    "expire_session",
    "bulk_job_failed",
    "bulk_results_expired",
    "limit_header",
    "error",
    "locator_expired",
    "truncated_csv",
    "concurrent_limit",
)
HEADER_FORMS = ("short", "gone", "extended", "garbled")
_KEYS = {
    *("match", "body", "nth", "times", "probability", "seed"),
    *("fault", "counted", "inside", "seconds", "status", "code", "message", "form"),
}


@dataclass(slots=True)
class Rule:
    """
    One rule, and how often it matched and hit.

    Args:
        is_counted: whether a call that it answers is charged; the harder case for a client is True.
        is_inside: apply it to the subrequests of composite calls, not to the calls themselves (``error`` only).
    """

    fault: str
    match: re.Pattern[str]
    body: re.Pattern[bytes] | None = None
    nth: int = 1
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    is_counted: bool = True
    is_inside: bool = False
    seconds: float = 1.0
    status: int | None = None
    code: str = "UNKNOWN_EXCEPTION"
    message: str = ""
    form: str = "gone"
    matched: int = 0
    hit: int = 0
    _random: random.Random = field(default_factory=random.Random)

    def as_json(self) -> dict[str, Any]:
        return {
            "fault": self.fault,
            "match": self.match.pattern,
            "matched": self.matched,
            "hit": self.hit,
        }


def read_rule(given: Mapping[str, Any]) -> Rule:
    """A rule from JSON; ``ValueError`` says what is wrong with it."""
    unknown = set(given) - _KEYS
    if unknown:
        raise ValueError(
            f"a fault rule knows no {', '.join(sorted(unknown))}; it may have {', '.join(sorted(_KEYS))}"
        )
    kind = str(given.get("fault", ""))
    if kind not in KINDS:
        raise ValueError(f"there is no fault {kind!r}; use one of {', '.join(KINDS)}")
    form = str(given.get("form", "gone"))
    if form not in HEADER_FORMS:
        raise ValueError(f"there is no header form {form!r}; use one of {', '.join(HEADER_FORMS)}")
    is_inside = bool(given.get("inside", False))
    if is_inside and kind != "error":
        raise ValueError("only the fault 'error' can hit a subrequest inside a composite call")
    try:
        match = re.compile(str(given.get("match", ".")))
        body = re.compile(str(given["body"]).encode()) if given.get("body") else None
    except re.error as err:
        raise ValueError(f"the rule's pattern is no regular expression: {err}") from err
    seed = int(given.get("seed", 0))
    return Rule(
        fault=kind,
        match=match,
        body=body,
        nth=int(given.get("nth", 1)),
        times=None if given.get("times") is None else int(given["times"]),
        probability=float(given.get("probability", 1.0)),
        seed=seed,
        is_counted=bool(given.get("counted", True)),
        is_inside=is_inside,
        seconds=float(given.get("seconds", 1.0)),
        status=None if given.get("status") is None else int(given["status"]),
        code=str(given.get("code", "UNKNOWN_EXCEPTION")),
        message=str(given.get("message", "")),
        form=form,
        _random=random.Random(seed),  # noqa: S311 - a draw that must be the same in every run
    )


class Faults:
    """The rules in force; safe for threads. The first rule that hits is the fault of a call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(self, rules: list[Rule]) -> None:
        with self._lock:
            self._rules.extend(rules)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [rule.as_json() for rule in self._rules]

    def next(
        self, method: str, target: str, body: bytes, *, is_inside: bool = False
    ) -> Rule | None:
        """The rule that hits this call, None if it goes well."""
        if not self._rules:
            return None
        text = f"{method} {target}"
        with self._lock:
            for rule in self._rules:
                if rule.is_inside is not is_inside or (
                    rule.times is not None and rule.hit >= rule.times
                ):
                    continue
                if not rule.match.search(text) or (
                    rule.body is not None and not rule.body.search(body)
                ):
                    continue
                rule.matched += 1
                if rule.matched < rule.nth or rule._random.random() >= rule.probability:
                    continue
                rule.hit += 1
                return rule
        return None
