"""The demo org: what one HTTP call costs, whether it may pass, and who answers it."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfnb_demo.data import ids
from sfnb_demo.data.database import Database
from sfnb_demo.errors import ApiError
from sfnb_demo.server import fault_answers, soap
from sfnb_demo.server.calls import Call, CallLog
from sfnb_demo.server.certificates import Keys, make_keys
from sfnb_demo.server.clock import SimulatedClock
from sfnb_demo.server.faults import Faults, Rule
from sfnb_demo.server.limits import limit_header
from sfnb_demo.server.options import Options
from sfnb_demo.server.other_apps import OtherApps
from sfnb_demo.server.quota import Quota
from sfnb_demo.server.refusals import async_error, total_requests
from sfnb_demo.server.sessions import Session, Sessions, random_text
from sfnb_demo.server.wire import Request, Response, Route, Router, error_answer, refusing

FIRST_VERSION, LAST_VERSION = 31, 68
"""Older ones were retired in Summer '25; 68.0 is Winter '27."""


@dataclass(slots=True)
class Exchange:
    """A call and its answer, with what the listener must do to the connection: ``cut``, ``half_body`` or nothing."""

    response: Response
    damage: str = ""


@dataclass(slots=True)
class _Bill:
    """What is known of a call while it is being served."""

    number: int
    at_s: float
    route: Route | None = None
    spent: dict[str, int] = field(default_factory=dict)
    used: int = -1
    told: int = -1
    in_flight: int = 0
    fault: Rule | None = None


class DemoOrg:
    """
    One org with its data, quota, sessions, clock and faults. Called from many threads.

    Args:
        folder: keys, job results and log files; its content is the demo org's own.
        database: one made before; None makes one as the options say.
    """

    def __init__(self, options: Options, folder: Path, *, database: Database | None = None) -> None:
        self.options = options
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = SimulatedClock(
            options.first_moment, minutes_per_second=options.minutes_per_second
        )
        self._owns_database = database is None
        self.database = database or Database(
            seed=options.seed,
            size=options.size,
            clock=self.clock.now,
            overrides=dict(options.objects),
            empty_objects=options.empty_objects,
        )
        # A database that was made before its org tells the org's time from now on.
        self.database.clock = self.clock.now
        self.other_apps = OtherApps(
            seed=options.seed,
            daily_calls=options.max_calls * options.competitors_pct / 100,
            has_bursts=options.competitors == "on",
            is_on=options.competitors != "off",
        )
        self.quota = Quota(
            self.other_apps, is_hard=options.is_hard, max_units={"api": options.max_calls}
        )
        self.sessions = Sessions(
            self.database.organization,
            now_s=self.clock.now_s,
            idle_minutes=options.session_minutes,
            password=options.password,
            client_id=options.client_id,
            client_secret=options.client_secret,
        )
        self.calls = CallLog()
        self.faults = Faults(
            now_s=self.clock.now_s, job_object=self._job_object, formulas=self._formulas
        )
        self.keys: Keys = make_keys(folder)
        self.control_token = random_text(40)
        self.base_urls: list[str] = []
        self.catalogue_changed_at = self.clock.now().replace(microsecond=0)
        self._names = {name.lower(): name for name in self.database.object_names()}
        self.stopping = threading.Event()
        self.close_doors: Callable[[float], None] = lambda _seconds: None

        from sfnb_demo.server.bulk1 import Bulk1Jobs
        from sfnb_demo.server.bulk2 import Bulk2Jobs
        from sfnb_demo.server.event_log import EventLog
        from sfnb_demo.server.query import Cursors
        from sfnb_demo.server.routes import ALL_ROUTES

        self.cursors = Cursors()
        self.bulk2 = Bulk2Jobs(self)
        self.bulk1 = Bulk1Jobs(self)
        self.event_log = EventLog(self)
        if options.has_event_log:
            self.database.set_event_log(self.event_log)
        self._router = Router(ALL_ROUTES)

    def close(self) -> None:
        """Stop what runs in the background."""
        self.stopping.set()
        self.bulk2.close()
        self.bulk1.close()
        if self._owns_database:
            self.database.close()

    # -- one call -----------------------------------------------------------------------------------------------------

    def exchange(self, request: Request) -> Exchange:
        """Serve one HTTP call: route, fault, session, quota, answer, log."""
        if request.path.startswith("/control"):
            return Exchange(self._control(request))
        bill = _Bill(self.calls.next_number(), self.clock.now_s())
        bill.fault = request.fault = self.faults.next(request.method, request.target, request.body)
        try:
            response = self._serve(request, bill)
        except ApiError as err:
            response = self._refusal(err, request, bill.route)
        except Exception:  # noqa: BLE001 - a bug of the demo org: shown here, and told as Salesforce tells its own
            traceback.print_exc()
            message = f"An unexpected error occurred. Please include this ErrorId if you contact support: {bill.number}"
            response = self._refusal(
                ApiError("UNKNOWN_EXCEPTION", message, 500), request, bill.route
            )
        told = self._tell_limit(request, response, bill)
        if bill.fault is not None and bill.route is not None:
            response = fault_answers.changed(bill.fault, request, response, self.addresses)
        if request.session is not None:
            self.sessions.end_call(request.session, told)
        self._log(request, response, bill)
        damage = (
            bill.fault.fault
            if bill.fault and bill.fault.fault in ("cut", "half_body", "truncated_csv")
            else ""
        )
        return Exchange(response, damage)

    def answer_inner(self, request: Request) -> Response:
        """Serve a subrequest of a composite call: no session, quota, limit header or log of its own."""
        rule = self.faults.next(request.method, request.target, request.body, is_inside=True)
        try:
            response = self._faulty(rule, request) if rule is not None else None
            if response is None:
                found = self._router.find(request)
                _check_version(request)
                response = found.handler(self, request)
        except ApiError as err:
            response = error_answer(err)
        if rule is not None:
            response = fault_answers.changed(rule, request, response, self.addresses)
        return response

    def _serve(self, request: Request, bill: _Bill) -> Response:
        found = bill.route = self._find(request)
        _check_version(request)
        rule = bill.fault
        if rule is not None and rule.fault == "expire_session":
            self.sessions.end(_token(request))
        if not found.is_open:
            session = request.session = self._session(request)
            bill.told, bill.in_flight = self.sessions.begin_call(session)
            if found.family != "free":
                self._charge(request, bill)
        faulty = self._faulty(rule, request) if rule is not None else None
        return found.handler(self, request) if faulty is None else faulty

    def _faulty(self, rule: Rule, request: Request) -> Response | None:
        """What the client gets instead of the true answer, None if it may have that."""
        if rule.fault == "stall":
            self.stopping.wait(rule.seconds)
        return fault_answers.instead(rule, request, self.addresses)

    def _find(self, request: Request) -> Route:
        """The route; a wrong path under /services/data is a call like any other: it wants a session and counts."""
        try:
            return self._router.find(request)
        except ApiError as err:
            if not request.path.lower().startswith("/services/data/v"):
                raise
            return refusing(request.method, err)

    def _charge(self, request: Request, bill: _Bill) -> None:
        """Book the call, or refuse it; a refused one is not booked."""
        if bill.fault is not None and not bill.fault.is_counted:
            return
        price = self._price(request)
        is_let_through, bill.used = self.quota.spend("api", price, bill.at_s)
        if not is_let_through:
            raise total_requests()
        bill.spent["api"] = price

    def _price(self, request: Request) -> int:
        """One call each; composite/batch costs one for each subrequest (REST guide, Composite Batch)."""
        if request.method == "POST" and request.path.rstrip("/").lower().endswith(
            "/composite/batch"
        ):
            batch = request.json_object().get("batchRequests")
            return max(len(batch), 1) if isinstance(batch, list) else 1
        return 1

    def _session(self, request: Request) -> Session:
        token = _token(request)
        session = self.sessions.find(token)
        if session is None:
            raise ApiError("INVALID_SESSION_ID", "Session expired or invalid", 401)
        return session

    def _refusal(self, err: ApiError, request: Request, found: Route | None) -> Response:
        if found is not None and found.family == "soap":
            return soap.fault(err)
        if found is not None and found.family == "async":
            return async_error(
                err, is_json="json" in request.headers.get("content-type", "").lower()
            )
        return error_answer(err)

    def _tell_limit(self, request: Request, response: Response, bill: _Bill) -> int | None:
        """
        Put the limit header on every REST data answer, good or bad; Bulk API 1 and OAuth have none.

        Returns:
            The figure told, None if the client learns none.
        """
        if (
            bill.route is None
            or bill.route.is_open
            or bill.route.family != "rest"
            or request.session is None
        ):
            return None
        rule = bill.fault
        if rule is not None and rule.fault in ("html", "empty406"):
            return None  # the edge answers, and knows nothing of limits
        form = (
            rule.form
            if rule is not None and rule.fault == "limit_header"
            else self.options.limit_header
        )
        used = bill.used if bill.used >= 0 else self.quota.used("api", bill.at_s)
        value = limit_header(used, self.quota.max("api"), form)
        if value is None:
            return None
        response.headers["Sforce-Limit-Info"] = value
        return None if form == "garbled" else used

    def _log(self, request: Request, response: Response, bill: _Bill) -> None:
        session = request.session
        options = _call_options(request.headers.get("sforce-call-options", ""))
        family = bill.route.family if bill.route else ""
        path = request.path
        self.calls.add(
            Call(
                number=bill.number,
                at_s=bill.at_s,
                method=request.method,
                target=request.target,
                status=response.status,
                spent=bill.spent,
                used=bill.used if bill.used >= 0 else self.quota.used("api", bill.at_s),
                told=bill.told,
                in_flight=bill.in_flight,
                app=session.app.name if session else "",
                app_id=session.app.app_id if session else "",
                client=options.get("client", ""),
                user_id=session.user.user_id if session else "",
                username=session.user.username if session else "",
                family={"soap": "SOAP", "async": "BULK"}.get(
                    family, "BULK2" if "/jobs/" in path else "REST"
                ),
                version=request.version,
                resource=path.partition("/services/data")[2] or path,
                entity=request.args.get("object", ""),
                request_id=request.headers.get("x-sfdc-request-id", ""),
                fault=bill.fault.fault if bill.fault else "",
            )
        )

    def _control(self, request: Request) -> Response:
        from sfnb_demo.server import control

        return control.answer(self, request)

    @property
    def addresses(self) -> dict[str, str]:
        return dict(zip(("url", "https_url"), self.base_urls, strict=False))

    def _job_object(self, job_id: str) -> str:
        job = self.bulk2.get(job_id)
        return job.object_name if job else ""

    def _formulas(self, name: str) -> frozenset[str]:
        """The formula fields of an object, in lower case."""
        known = self.object_name(name)
        if known is None:
            return frozenset()
        fields = self.database.describe(known, f"{LAST_VERSION}.0")["fields"]
        return frozenset(field["name"].lower() for field in fields if field["calculated"])

    # -- for the control endpoint and the ready file -------------------------------------------------------------------

    def object_name(self, name: str) -> str | None:
        """The object's own spelling of a name in any case, None if the org has no such object."""
        return self._names.get(name.lower())

    def object_of_id(self, record_id: str) -> str | None:
        """The object whose key prefix an id has, None if it is no id or nobody's."""
        if ids.normal(record_id) is None:
            return None
        for name in self.database.object_names():
            if self.database.global_entry(name, "66.0")["keyPrefix"] == record_id[:3]:
                return name
        return None

    def spend_bulk(self, budget: str, units: int, *, is_forced: bool = False) -> bool:
        """Book units of a Bulk budget now; False if the org has no more of it."""
        return self.quota.spend(budget, units, self.clock.now_s(), is_forced=is_forced)[0]

    def status(self) -> dict[str, Any]:
        now_s = self.clock.now_s()
        return {
            "now": self.clock.now().isoformat(),
            "minutes_per_second": self.clock.minutes_per_second,
            "is_hard": self.quota.is_hard,
            "competitors": self.other_apps.is_on,
            "last_call": self.calls.last_number,
            "budgets": {
                budget: {"used": self.quota.used(budget, now_s), "max": self.quota.max(budget)}
                for budget in ("api", "bulk", "bulk2", "bulk2_kb")
            },
        }


def _token(request: Request) -> str:
    """The session id of a call; Bulk API 1 has a header of its own, and takes Bearer too."""
    own = request.headers.get("x-sfdc-session")
    if own:
        return own
    header = request.headers.get("authorization", "")
    kind, _, token = header.partition(" ")
    if not header:
        raise ApiError("INVALID_SESSION_ID", "Session expired or invalid", 401)
    if kind.lower() not in ("bearer", "oauth") or not token.strip():
        raise ApiError("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", 401)
    return token.strip()


def _check_version(request: Request) -> None:
    if not request.version:
        return
    version = float(request.version)
    if version < FIRST_VERSION:
        raise ApiError(
            "UNSUPPORTED_API_VERSION", f"API version {request.version} is no longer supported", 410
        )
    if version > LAST_VERSION:
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)


def _call_options(header: str) -> dict[str, str]:
    """``client=acme/1.0, defaultNamespace=ns`` as a dict."""
    pairs: Iterable[tuple[str, str, str]] = (
        part.strip().partition("=") for part in header.split(",")
    )
    return {name: value for name, sign, value in pairs if sign}
