"""One call from its arrival to its answer: routed, charged, answered, logged."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field

from sfnb_demo.errors import ApiError
from sfnb_demo.server import control, fault_answers, soap, soap_data
from sfnb_demo.server.calls import Call, is_probe
from sfnb_demo.server.faults import Rule
from sfnb_demo.server.limit_header import header_age_s, limit_header
from sfnb_demo.server.org import DemoOrg
from sfnb_demo.server.refusals import async_error, total_requests
from sfnb_demo.server.routes import ALL_ROUTES
from sfnb_demo.server.sessions import Session
from sfnb_demo.server.wire import Request, Response, Route, Router, error_answer, refusing

_BROKEN_CONNECTION = ("cut", "half_body", "truncated_csv")
"""Faults that the listener carries out, since they are about the connection."""


@dataclass(slots=True)
class Exchange:
    """
    An answer, and what the listener must do to the connection: ``cut``, ``half_body`` or nothing.
    """

    response: Response
    damage: str = ""


@dataclass(slots=True)
class _Bill:
    """
    What is known of a call while it is being served.

    Args:
        spent: units charged, by budget.
        used: what the org had used after it; -1 while nothing was charged.
        reading: the last usage in an answer to this session before it arrived; -1 for none.
    """

    number: int
    at_s: float
    route: Route | None = None
    spent: dict[str, int] = field(default_factory=dict)
    used: int = -1
    reading: int = -1
    in_flight: int = 0
    fault: Rule | None = None


class Exchanger:
    """Serves the calls of one org. Called from many threads; holds no state of its own."""

    def __init__(self, org: DemoOrg) -> None:
        self.org = org
        self._router = Router(ALL_ROUTES)

    def exchange(self, request: Request) -> Exchange:
        """Serve one HTTP call."""
        org = self.org
        if request.path.startswith("/control"):
            return Exchange(control.answer(org, request))
        org.clock.note_call(is_probe=is_probe(request.target))
        org.database.commit_due()
        request.answer_inner = self._answer_inner
        bill = _Bill(org.calls.next_number(), org.clock.now_s())
        bill.fault = request.fault = org.faults.next(request.method, request.target, request.body)
        response = self._answered(request, bill)
        reading = self._add_limit_header(request, response, bill)
        if bill.fault is not None and bill.route is not None:
            response = fault_answers.changed(bill.fault, request, response, org.addresses)
        if request.session is not None:
            org.sessions.end_call(request.session, reading)
        self._log(request, response, bill)
        if bill.fault is not None:
            bill.fault.served += 1
        kind = bill.fault.fault if bill.fault else ""
        if bill.fault is not None and kind == "late_answer":
            org.stopping.wait(bill.fault.seconds)
        return Exchange(response, kind if kind in _BROKEN_CONNECTION else "")

    def _answered(self, request: Request, bill: _Bill) -> Response:
        try:
            return self._serve(request, bill)
        except ApiError as err:
            return _refusal(err, request, bill.route)
        except Exception:  # noqa: BLE001 - a bug of the demo org: shown here, and answered in Salesforce's form
            traceback.print_exc()
            message = (
                "An unexpected error occurred. "
                f"Please include this ErrorId if you contact support: {bill.number}"
            )
            return _refusal(ApiError("UNKNOWN_EXCEPTION", message, 500), request, bill.route)

    def _answer_inner(self, request: Request) -> Response:
        """
        Serve a subrequest of a composite call: no session, charge, limit header or log of its own.
        """
        org = self.org
        rule = org.faults.next(request.method, request.target, request.body, is_inside=True)
        try:
            response = self._faulty(rule, request) if rule is not None else None
            if response is None:
                found = self._router.find(request)
                self._check_version(request)
                response = found.handler(org, request)
        except ApiError as err:
            response = error_answer(err)
        if rule is not None:
            response = fault_answers.changed(rule, request, response, org.addresses)
        return response

    def _serve(self, request: Request, bill: _Bill) -> Response:
        found = bill.route = self._find(request)
        self._check_version(request)
        rule = bill.fault
        if rule is not None and rule.fault == "expire_session":
            self.org.sessions.end(_token(request))
        if not found.is_open:
            session = request.session = self._session(request)
            bill.reading, bill.in_flight = self.org.sessions.begin_call(session)
            if found.family != "free":
                self._charge(request, bill)
        faulty = self._faulty(rule, request) if rule is not None else None
        return found.handler(self.org, request) if faulty is None else faulty

    def _faulty(self, rule: Rule, request: Request) -> Response | None:
        """The answer instead of the true one; None if the client gets the true one."""
        if rule.fault == "stall" and self.org.stopping.wait(rule.seconds):
            raise ApiError("SERVER_UNAVAILABLE", "The org is going down.", 503)
        return fault_answers.instead(rule, request, self.org.addresses)

    def _find(self, request: Request) -> Route:
        """The route. A wrong path under /services/data needs a session and counts like any call."""
        try:
            found = self._router.find(request)
            is_data = found.handler is soap.call and soap_data.is_data_call(request)
            return soap_data.ROUTE if is_data else found
        except ApiError as err:
            if not request.path.lower().startswith("/services/data/v"):
                raise
            return refusing(request.method, err)

    def _check_version(self, request: Request) -> None:
        if not request.version:
            return
        version, options = float(request.version), self.org.options
        if version < options.first_version:
            raise ApiError(
                "UNSUPPORTED_API_VERSION",
                f"API version {request.version} is no longer supported",
                410,
            )
        if version > options.last_version:
            raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)

    def _charge(self, request: Request, bill: _Bill) -> None:
        """Book the call, or refuse it; a refused call is not booked."""
        if bill.fault is not None and not bill.fault.is_counted:
            return
        price = _price(request)
        is_let_through, bill.used = self.org.quota.spend("api", price, bill.at_s)
        if not is_let_through:
            raise total_requests()
        bill.spent["api"] = price

    def _session(self, request: Request) -> Session:
        session = self.org.sessions.find(_token(request))
        if session is None:
            raise ApiError("INVALID_SESSION_ID", "Session expired or invalid", 401)
        return session

    def _add_limit_header(self, request: Request, response: Response, bill: _Bill) -> int | None:
        """
        Put the limit header on every REST data answer, good or bad.

        Bulk API 1 and OAuth answers have none (recorded answers of real orgs).

        Returns:
            The number in the header; None if the client gets none.
        """
        is_rest = bill.route is not None and bill.route.family == "rest"
        if bill.route is None or bill.route.is_open or not is_rest or request.session is None:
            return None
        kind = bill.fault.fault if bill.fault else ""
        if kind in ("html", "empty406"):
            return None  # the edge answers, and knows nothing of limits
        org = self.org
        is_scripted = bill.fault is not None and kind == "limit_header"
        form = bill.fault.form if bill.fault and is_scripted else org.options.limit_header
        used = self._header_usage(bill)
        value = limit_header(used, org.quota.max("api"), form)
        if value is None:
            return None
        response.headers["Sforce-Limit-Info"] = value
        return None if form == "garbled" else used

    def _header_usage(self, bill: _Bill) -> int:
        """The usage in the header: the count of some time ago, unless that is switched off."""
        org, options = self.org, self.org.options
        age_s = header_age_s(
            bill.number,
            bill.at_s,
            median_s=options.header_lag_s,
            has_wobble=options.has_header_wobble,
        )
        if age_s == 0 and bill.used >= 0:
            return bill.used
        return org.quota.used("api", bill.at_s - age_s)

    def _log(self, request: Request, response: Response, bill: _Bill) -> None:
        session = request.session
        options = _call_options(request.headers.get("sforce-call-options", ""))
        path = request.path
        org = self.org
        org.calls.add(
            Call(
                number=bill.number,
                at_s=bill.at_s,
                method=request.method,
                target=request.target,
                status=response.status,
                spent=bill.spent,
                used=bill.used if bill.used >= 0 else org.quota.used("api", bill.at_s),
                reading=bill.reading,
                in_flight=bill.in_flight,
                app=session.app.name if session else "",
                app_id=session.app.app_id if session else "",
                client=options.get("client", ""),
                user_id=session.user.user_id if session else "",
                username=session.user.username if session else "",
                family=_logged_family(bill.route, path),
                version=request.version,
                resource=path.partition("/services/data")[2] or path,
                entity=request.args.get("object", ""),
                request_id=request.headers.get("x-sfdc-request-id", ""),
                fault=bill.fault.fault if bill.fault else "",
            )
        )


def _price(request: Request) -> int:
    """One call each; composite/batch costs one per subrequest (REST guide, Composite Batch)."""
    path = request.path.rstrip("/").lower()
    if request.method != "POST" or not path.endswith("/composite/batch"):
        return 1
    batch = request.json_object().get("batchRequests")
    return max(len(batch), 1) if isinstance(batch, list) else 1


def _refusal(err: ApiError, request: Request, found: Route | None) -> Response:
    """An error in the form of the API that was called."""
    if found is not None and found.family == "soap":
        return soap.fault(err)
    if found is not None and found.family == "async":
        is_json = "json" in request.headers.get("content-type", "").lower()
        return async_error(err, is_json=is_json)
    return error_answer(err)


def _logged_family(found: Route | None, path: str) -> str:
    """The API family as ``ApiTotalUsage`` names it."""
    family = found.family if found else ""
    return {"soap": "SOAP", "async": "BULK"}.get(family, "BULK2" if "/jobs/" in path else "REST")


def _token(request: Request) -> str:
    """The session id of a call. Bulk API 1 has a header of its own, and takes Bearer too."""
    if request.path.lower().startswith("/services/soap/"):
        return soap.session_id(request.body)  # the Metadata API takes it from the message alone
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


def _call_options(header: str) -> dict[str, str]:
    """``client=acme/1.0, defaultNamespace=ns`` as a dict."""
    pairs: Iterable[tuple[str, str, str]] = (
        part.strip().partition("=") for part in header.split(",")
    )
    return {name: value for name, sign, value in pairs if sign}
