"""
Scripted faults: a list of rules that says which calls go wrong, and how.

A rule in JSON::

    {"match": "^GET .*/query", "object": "Contact", "nth": 3, "times": 2, "fault": "stall", "seconds": 2}

Which calls a rule hits (all conditions must hold; without any, every call):

======================  ============================================================================
match                   a regular expression, searched in ``METHOD /path?query`` as it was sent
body                    one searched in the request's body
soql                    one searched in the decoded query text (REST query, Bulk job or batch)
object                  the object of the path, the query, the Bulk job or its result pages
field                   a field that the query selects
fields_over             the query selects more than so many fields
formulas_over           the query selects more than so many formula fields
nth                     skip the matches before this one
times                   the rule ends after so many hits (default: never)
for_s                   the rule ends so many seconds of the org's clock after its first hit
probability, seed       draw for each match
inside                  true: hit subrequests of composite calls instead of calls; ``"both"``: either
counted                 false: a call answered by the rule is free (default: it is charged)
======================  ============================================================================

The first rule that hits is the fault of a call.

======================  ============================================================================
fault                   what the client sees
======================  ============================================================================
status503               503 with Salesforce's SERVER_UNAVAILABLE body
html                    an HTML page from the edge instead of JSON; ``status`` (503)
empty406                406 without a body
cut                     the connection closes without an answer; the call was carried out
half_body               the head promises more than is sent, then the connection closes
stall                   nothing for ``seconds``, then the call is carried out and answered
late_answer             the call is carried out; its true answer comes ``seconds`` later
expire_session          the session ends before this call: 401 (Bulk API 1: 400 InvalidSessionId)
bulk_job_failed         the Bulk query job created by this call will fail; ``message``
bulk_results_expired    the requested results are gone: 404
limit_header            the limit header is ``form``: gone, extended or garbled
error                   ``code``, ``message``, ``status`` in Salesforce's error form; known codes
                        default to Salesforce's own status and words
locator_expired         400 INVALID_QUERY_LOCATOR, and the cursor is gone for good
truncated_csv           the answer's body ends in the middle of a record, with a head that fits it
concurrent_limit        403 REQUEST_LIMIT_EXCEEDED of the concurrency kind
rewrite                 the true answer, changed (see below)
replay                  the answer to the rule's first hit on a path, again at each later hit,
                        whatever the query string, as a bad cache does; ``own_headers``: with the
                        true answer's headers
redirect                ``status`` (302) to ``to``, an address with placeholders
huge                    200 with an oversized body of ``form``: ``line`` (``size`` MB without line
                        end), ``gzip`` (``size`` MB, packed), ``deep`` (JSON nested ``size``
                        levels), ``header`` (one header of ``size`` KB)
======================  ============================================================================

``rewrite`` changes JSON lists of rows and CSV pages alike:

======================  ============================================================================
drop, repeat            places of rows to leave out, to send twice (negative: from the end)
keep                    send at most so many rows
add                     rows to append, each a copy of the page's last row with these values changed
set, remove             JSON values by dotted path: ``{"totalSize": 9, "sObjects.0.count": 3}``
headers                 headers to set; null removes one (with any fault: a 503's Retry-After)
replace                 ``[[regular expression, text], …]`` on the body, of any type
======================  ============================================================================

Texts in ``to``, ``set``, ``headers`` and ``replace`` may hold placeholders: ``{target}`` path and
query of this call, ``{path}`` its path, ``{host}`` the org's host and port, ``{url}`` and
``{https_url}`` the org's two addresses, ``{last:NAME}`` the header or top-level JSON value NAME of
the last answer that the rule changed.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sfnb_demo.server import oversize
from sfnb_demo.server.asked import Asked
from sfnb_demo.server.rewriting import KEYS as REWRITE_KEYS
from sfnb_demo.server.rewriting import Rewrite, read_rewrite
from sfnb_demo.server.wire import Response

KINDS = (
    *("status503", "html", "empty406", "cut", "half_body", "stall", "late_answer"),
    *(
        "expire_session",
        "bulk_job_failed",
        "bulk_results_expired",
        "limit_header",
        "error",
        "locator_expired",
    ),
    *("truncated_csv", "concurrent_limit", "rewrite", "replay", "redirect", "huge"),
)
INSIDE_KINDS = ("error", "rewrite", "replay", "status503", "html", "stall")
"""Faults that a subrequest of a composite call can have."""

HEADER_FORMS = ("short", "gone", "extended", "garbled")
_KEYS = {
    *("match", "body", "soql", "object", "field", "fields_over", "formulas_over"),
    *("nth", "times", "for_s", "probability", "seed", "fault", "counted", "inside"),
    *("seconds", "status", "code", "message", "form", "to", "size", "own_headers"),
    *REWRITE_KEYS,
}


@dataclass(slots=True)
class Rule:
    """
    One rule, how often it matched and hit, and how many of those calls the org is done with
    (``served``: what it was to do is done, whether or not the answer has left).

    Args:
        is_counted: whether a call that it answers is charged; the harder case for a client is True.
        inside: False for calls, True for subrequests of composite calls, None for both.
        kept: the answers that ``replay`` gives again, by path.
        last: headers and top-level values of the answer that ``rewrite`` changed last.
    """

    fault: str
    match: re.Pattern[str]
    body: re.Pattern[bytes] | None = None
    soql: re.Pattern[str] | None = None
    object_name: str = ""
    field_name: str = ""
    fields_over: int | None = None
    formulas_over: int | None = None
    nth: int = 1
    times: int | None = None
    for_s: float | None = None
    probability: float = 1.0
    seed: int = 0
    is_counted: bool = True
    inside: bool | None = False
    seconds: float = 1.0
    status: int | None = None
    code: str = "UNKNOWN_EXCEPTION"
    message: str = ""
    form: str = "gone"
    to: str = ""
    size: float = 300.0
    has_own_headers: bool = False
    rewrite: Rewrite = field(default_factory=Rewrite)
    matched: int = 0
    hit: int = 0
    served: int = 0
    first_hit_s: float | None = None
    kept: dict[str, Response] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    _random: random.Random = field(default_factory=random.Random)

    def is_over(self, now_s: float) -> bool:
        if self.times is not None and self.hit >= self.times:
            return True
        if self.for_s is None or self.first_hit_s is None:
            return False
        return now_s >= self.first_hit_s + self.for_s

    def fits(self, asked: Asked, formulas: Callable[[Asked], int]) -> bool:
        """Whether the conditions hold; the cheap ones are looked at first."""
        conditions = (
            lambda: self.match.search(asked.text),
            lambda: self.body is None or self.body.search(asked.body),
            lambda: self.soql is None or self.soql.search(asked.soql),
            lambda: not self.object_name or asked.object_name.lower() == self.object_name.lower(),
            lambda: (
                not self.field_name
                or self.field_name.lower() in (name.lower() for name in asked.fields)
            ),
            lambda: self.fields_over is None or len(asked.fields) > self.fields_over,
            lambda: self.formulas_over is None or formulas(asked) > self.formulas_over,
        )
        return all(holds() for holds in conditions)

    def as_json(self) -> dict[str, Any]:
        return {
            "fault": self.fault,
            "match": self.match.pattern,
            "matched": self.matched,
            "hit": self.hit,
            "served": self.served,
        }


def read_rule(given: Mapping[str, Any]) -> Rule:
    """A rule from JSON; ``ValueError`` says what is wrong with it."""
    unknown = set(given) - _KEYS
    if unknown:
        raise ValueError(
            f"a fault rule knows no {', '.join(sorted(unknown))}; "
            f"it may have {', '.join(sorted(_KEYS))}"
        )
    kind = str(given.get("fault", ""))
    if kind not in KINDS:
        raise ValueError(f"there is no fault {kind!r}; use one of {', '.join(KINDS)}")
    inside = None if given.get("inside") == "both" else bool(given.get("inside", False))
    if inside is not False and kind not in INSIDE_KINDS:
        raise ValueError(
            f"the fault {kind!r} cannot hit a subrequest inside a composite call; "
            f"only {', '.join(INSIDE_KINDS)} can"
        )
    try:
        match = re.compile(str(given.get("match", ".")))
        body = re.compile(str(given["body"]).encode()) if given.get("body") else None
        soql = re.compile(str(given["soql"])) if given.get("soql") else None
        rewrite = read_rewrite(given)
    except re.error as err:
        raise ValueError(f"the rule's pattern is no regular expression: {err}") from err
    seed = int(given.get("seed", 0))
    return Rule(
        fault=kind,
        match=match,
        body=body,
        soql=soql,
        object_name=str(given.get("object", "")),
        field_name=str(given.get("field", "")),
        fields_over=_whole(given, "fields_over"),
        formulas_over=_whole(given, "formulas_over"),
        nth=int(given.get("nth", 1)),
        times=_whole(given, "times"),
        for_s=_number(given, "for_s"),
        probability=float(given.get("probability", 1.0)),
        seed=seed,
        is_counted=bool(given.get("counted", True)),
        inside=inside,
        seconds=float(given.get("seconds", 1.0)),
        status=_whole(given, "status"),
        code=str(given.get("code", "UNKNOWN_EXCEPTION")),
        message=str(given.get("message", "")),
        form=_form(kind, given),
        to=str(given.get("to", "")),
        size=float(given.get("size", 300.0)),
        has_own_headers=bool(given.get("own_headers", False)),
        rewrite=rewrite,
        _random=random.Random(seed),  # noqa: S311 - a draw that must be the same in every run
    )


def _whole(given: Mapping[str, Any], name: str) -> int | None:
    return None if given.get(name) is None else int(given[name])


def _number(given: Mapping[str, Any], name: str) -> float | None:
    return None if given.get(name) is None else float(given[name])


def _form(kind: str, given: Mapping[str, Any]) -> str:
    forms = oversize.FORMS if kind == "huge" else HEADER_FORMS
    form = str(given.get("form", "line" if kind == "huge" else "gone"))
    if form not in forms:
        what = "form of a huge answer" if kind == "huge" else "header form"
        raise ValueError(f"there is no {what} {form!r}; use one of {', '.join(forms)}")
    return form


class Faults:
    """
    The rules in force; safe for threads.

    Args:
        now_s: the org's clock.
        job_object: the object of a Bulk 2.0 query job by its Id.
        formulas: the formula fields of an object, in lower case.
    """

    def __init__(
        self,
        *,
        now_s: Callable[[], float] = lambda: 0.0,
        job_object: Callable[[str], str] = lambda _job_id: "",
        formulas: Callable[[str], frozenset[str]] = lambda _name: frozenset(),
    ) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._now_s = now_s
        self._job_object = job_object
        self._formulas = formulas

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
        asked = Asked(method, target, body, job_object=self._job_object)
        now_s = self._now_s()
        with self._lock:
            for rule in self._rules:
                if rule.inside is not None and rule.inside is not is_inside:
                    continue
                if rule.is_over(now_s) or not rule.fits(asked, self._formula_count):
                    continue
                rule.matched += 1
                if rule.matched < rule.nth or rule._random.random() >= rule.probability:
                    continue
                rule.hit += 1
                if rule.first_hit_s is None:
                    rule.first_hit_s = now_s
                return rule
        return None

    def _formula_count(self, asked: Asked) -> int:
        formulas = self._formulas(asked.object_name)
        return sum(name.lower() in formulas for name in asked.fields)
