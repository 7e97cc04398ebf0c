"""
``/control/…``: steers the org in tests and demos. Not counted, and not part of Salesforce.

Every call needs the header ``X-Demo-Control`` with the token of the ready file.

=============================  =================================================================
POST /control/clock            ``{"minutes_per_second": n}`` and/or ``{"advance_minutes": n}``
POST /control/quota            any of ``{"max": {"api": n, …}, "spend": {"api": n, …},
                               "hard": true, "competitors": "on"|"off",
                               "limit_header": "short"|"gone"|"extended"|"garbled",
                               "header_lag_s": n, "limits_lag_minutes": n,
                               "negative_remaining": true}``; budgets: api, bulk, bulk2, bulk2_kb
GET /control/status            clock and budgets
GET /control/usage             the org's usage at the end of each of the last ``?minutes=60``
GET /control/ledger            the calls received: ``?after=N`` (call number), ``?threshold=N``;
                               ``?calls=1`` lists each
GET|POST|DELETE                list, add (one rule or a list), clear the fault rules
  /control/faults
POST /control/sessions         ``{"expire": true}`` ends all sessions; ``{"idle_minutes": n|null}``
POST /control/rows             rows that others write, delete, merge … (``sfnb_demo.life.rows``)
POST /control/schema           fields and objects that come, go, change (``sfnb_demo.life.schema``)
GET|POST /control/writes       what hinders writes, and rules on or off (``control_writes``)
POST /control/access           what users may see (``sfnb_demo.life.access``)
POST /control/metadata         components that change, retrieves that fail (``metadata_org``)
POST /control/listener         ``{"closed_s": n}``: both ports refuse connections for n real seconds
POST /control/shutdown         end the server
=============================  =================================================================
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sfnb_demo.errors import ApiError
from sfnb_demo.server import control_life, control_writes
from sfnb_demo.server.calls import ledger_summary
from sfnb_demo.server.faults import HEADER_FORMS, read_rule
from sfnb_demo.server.wire import Request, Response, json_answer

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg


def answer(org: DemoOrg, request: Request) -> Response:
    given = request.headers.get("x-demo-control", "")
    if not hmac.compare_digest(given.encode(), org.control_token.encode()):
        return json_answer(
            {"error": "X-Demo-Control is missing or wrong; the token is in the ready file."}, 401
        )
    handler = _HANDLERS.get((request.method, request.path.removeprefix("/control").strip("/")))
    if handler is None:
        return json_answer({"error": f"There is no {request.method} {request.path}."}, 404)
    try:
        return json_answer(handler(org, request))
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        return json_answer({"error": str(err)}, 400)
    except ApiError as err:
        return json_answer({"error": err.message}, 400)


def _clock(org: DemoOrg, request: Request) -> dict[str, Any]:
    given = request.json_object()
    if "minutes_per_second" in given:
        org.clock.set_speed(float(given["minutes_per_second"]))
    if "advance_minutes" in given:
        org.clock.advance(float(given["advance_minutes"]))
    return org.status()


def _quota(org: DemoOrg, request: Request) -> dict[str, Any]:
    given = request.json_object()
    for budget, units in dict(given.get("max") or {}).items():
        org.quota.set_max(str(budget), int(units))
    if "hard" in given:
        org.quota.is_hard = bool(given["hard"])
    if "competitors" in given:
        org.other_apps.switch(is_on=given["competitors"] != "off", at_s=org.clock.now_s())
    if "limit_header" in given:
        if given["limit_header"] not in HEADER_FORMS:
            raise ValueError(f"limit_header must be one of {', '.join(HEADER_FORMS)}")
        org.options.limit_header = given["limit_header"]
    if "header_lag_s" in given:
        org.options.header_lag_s = float(given["header_lag_s"])
    if "limits_lag_minutes" in given:
        org.options.limits_lag_minutes = float(given["limits_lag_minutes"])
    if "negative_remaining" in given:
        org.options.negative_remaining = bool(given["negative_remaining"])
    for budget, units in dict(given.get("spend") or {}).items():
        org.quota.spend(str(budget), int(units), org.clock.now_s(), is_forced=True)
    return org.status()


def _status(org: DemoOrg, _request: Request) -> dict[str, Any]:
    return org.status()


def _usage(org: DemoOrg, request: Request) -> dict[str, Any]:
    params = request.params
    minutes, budget = int(params.get("minutes", 60)), params.get("budget", "api")
    last = int(org.clock.now_s() // 60)
    used = [
        {
            "minute": m,
            "used": org.quota.used(budget, m * 60 + 59.999),
            "others": org.other_apps.between(budget, m - 1, m),
        }
        for m in range(last - minutes, last)
    ]
    return {"budget": budget, "max": org.quota.max(budget), "minutes": used}


def _ledger(org: DemoOrg, request: Request) -> dict[str, Any]:
    params = request.params
    calls = org.calls.since(int(params.get("after", 0)))
    threshold = int(params["threshold"]) if "threshold" in params else None
    summary = ledger_summary(calls, threshold=threshold) | {"last_call": org.calls.last_number}
    if params.get("calls"):
        summary["calls"] = [call.as_json() for call in calls]
    return summary


def _faults(org: DemoOrg, request: Request) -> dict[str, Any]:
    if request.method == "DELETE":
        org.faults.clear()
    if request.method == "POST":
        given = request.json()
        org.faults.add(
            [read_rule(rule) for rule in (given if isinstance(given, list) else [given])]
        )
    return {"rules": org.faults.listed()}


def _sessions(org: DemoOrg, request: Request) -> dict[str, Any]:
    given = request.json_object()
    if "idle_minutes" in given:
        idle = given["idle_minutes"]
        org.sessions.idle_minutes = None if idle is None else float(idle)
    return {"ended": org.sessions.end_all() if given.get("expire") else 0}


def _listener(org: DemoOrg, request: Request) -> dict[str, Any]:
    seconds = float(request.json_object()["closed_s"])
    org.close_doors(seconds)
    return {"closed_s": seconds}


def _metadata(org: DemoOrg, request: Request) -> dict[str, Any]:
    return org.metadata.change(request.json_object())


def _shutdown(org: DemoOrg, _request: Request) -> dict[str, Any]:
    org.stopping.set()
    return {"stopping": True}


_HANDLERS: dict[tuple[str, str], Callable[[DemoOrg, Request], dict[str, Any]]] = {
    ("POST", "clock"): _clock,
    ("POST", "quota"): _quota,
    ("GET", "status"): _status,
    ("GET", "ledger"): _ledger,
    ("GET", "usage"): _usage,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _faults,
    ("DELETE", "faults"): _faults,
    ("POST", "sessions"): _sessions,
    ("POST", "rows"): control_life.rows,
    ("POST", "schema"): control_life.schema,
    ("POST", "access"): control_life.access,
    ("POST", "metadata"): _metadata,
    ("GET", "writes"): control_writes.writes,
    ("POST", "writes"): control_writes.writes,
    ("POST", "listener"): _listener,
    ("POST", "shutdown"): _shutdown,
}
