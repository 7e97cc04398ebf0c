"""
The seam to the network: every call to the org passes ``GateAdapter``, ours and those that simple-salesforce makes.

For each call: price it, ask the gate, send it, read what the org tells about its budgets, settle. A call that fails on
the way is settled too: it may have reached the org, so it counts unless it surely never left.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from sfnb.clock import Clock
from sfnb.errors import CallerError, QuotaSignal
from sfnb.model import Api, Price, Reading
from sfnb.org.limits import LIMIT_HEADER, parse_limit_header, parse_limits
from sfnb.org.prices import ONE, price_of
from sfnb.org.retry import GaugeUnreadable
from sfnb.org.session import Access
from sfnb.quota.gate import Gate, GaugeUnknown, Ticket
from sfnb.settings import LOOPBACK_HOSTS, NEWEST_API_VERSION
from sfnb.version import __version__

CONNECT_TIMEOUT_S = 20.0
READ_TIMEOUT_S = 620.0
"""Salesforce gives up on a call after ten minutes (Limits guide); waiting longer is waiting for nobody."""

MAX_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class CallContext:
    """
    Who spends, on this thread.

    Args:
        expected_mb: what the next Bulk result page is expected to hold.
        on_call: told the price of each call that was sent.
        stop: set when a person wants the job to end; waits between tries listen to it.
    """

    job_id: str = ""
    object_name: str = ""
    expected_mb: int = 0
    on_call: Callable[[Price], None] | None = None
    stop: threading.Event | None = None


_context: ContextVar[CallContext] = ContextVar("sfnb_call_context", default=CallContext())  # noqa: B039  frozen


@contextmanager
def call_context(**changes: Any) -> Iterator[CallContext]:
    """
    Calls made in this block are put down to this job and object. Blocks nest: what is not given stays.

    A thread starts without a context: open one in the thread that calls.
    """
    context = replace(_context.get(), **changes)
    token = _context.set(context)
    try:
        yield context
    finally:
        _context.reset(token)


def current_context() -> CallContext:
    """Who spends now, on this thread."""
    return _context.get()


class GateAdapter(HTTPAdapter):
    """
    A transport adapter that sends nothing the gate does not let through.

    Without a gate (before a login has told which org it is) only free calls pass. Safe for threads.

    Args:
        url: the org's origin as registered. A plain ``http://`` one on this machine is used even where the caller
            built ``https://``, as simple-salesforce always does.
        ca_file: certificate authorities to trust; empty: the usual ones, or REQUESTS_CA_BUNDLE.
    """

    def __init__(
        self,
        *,
        url: str,
        clock: Clock,
        gate: Gate | None = None,
        access: Access | None = None,
        ca_file: str = "",
    ) -> None:
        super().__init__(pool_connections=4, pool_maxsize=MAX_CONNECTIONS)
        self.gate = gate
        self._access = access
        self._clock = clock
        self._ca_file = ca_file
        parts = urlsplit(url)
        self._limits_lock = threading.Lock()
        self._plain_netloc = parts.netloc if parts.scheme == "http" else ""

    def send(  # noqa: PLR0917  the library's signature
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        is_local = self._dress(request)
        context = current_context()

        def really_send(
            this: requests.PreparedRequest, *, stream: bool, timeout: Any
        ) -> requests.Response:
            return super(GateAdapter, self).send(
                this,
                stream=stream,
                timeout=timeout or (CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                verify=self._ca_file or verify,
                cert=cert,
                # A proxy cannot reach this machine's own loopback.
                proxies={} if is_local else proxies,
            )

        price = price_of(
            request.method or "GET",
            request.url or "",
            request.body,
            expected_mb=context.expected_mb,
        )
        if not price:
            return really_send(request, stream=stream, timeout=timeout)
        try:
            ticket = self._ask(request, price, really_send)
        except _SessionEnded as ended:
            # The call itself would have met the same refusal; who made it knows how to log in again.
            return ended.response
        return self._send_counted(
            ticket, price, lambda: really_send(request, stream=stream, timeout=timeout)
        )

    def _dress(self, request: requests.PreparedRequest) -> bool:
        """Put on what each call of ours carries; True if it stays on this machine."""
        parts = urlsplit(request.url or "")
        is_local = (parts.hostname or "") in LOOPBACK_HOSTS
        if is_local and parts.scheme == "https" and parts.netloc == self._plain_netloc:
            request.url = urlunsplit(parts._replace(scheme="http"))
        elif parts.scheme == "http" and not is_local:
            raise CallerError(
                f"http://{parts.netloc} would send the session in the clear; use https."
            )
        request.headers.setdefault("Sforce-Call-Options", f"client=sfnb/{__version__}")
        # Compressing what does not leave the machine only costs both sides time.
        request.headers["Accept-Encoding"] = "identity" if is_local else "gzip"
        return is_local

    def _ask(
        self,
        request: requests.PreparedRequest,
        price: Price,
        really_send: Callable[..., requests.Response],
    ) -> Ticket:
        """
        Leave to send the call.

        Raises:
            _SessionEnded: met while reading the gauge.
            GaugeUnreadable: the org did not answer ``/limits`` sensibly just now.
            QuotaSignal: the threshold is reached, or the org does not tell how much is used.
        """
        gate, context = self._the_gate(), current_context()
        if _is_limits(request):
            return gate.ask(
                price, is_probe=True, job_id=context.job_id, object_name=context.object_name
            )

        try:
            return gate.ask(price, job_id=context.job_id, object_name=context.object_name)
        except GaugeUnknown:
            pass
        # Many threads may find the gauge unknown at once; one reads it, the others find it read.
        with self._limits_lock:
            try:
                return gate.ask(price, job_id=context.job_id, object_name=context.object_name)
            except GaugeUnknown:
                status = self._read_limits(request, really_send)
            try:
                return gate.ask(price, job_id=context.job_id, object_name=context.object_name)
            except GaugeUnknown as err:
                if status >= 500 or status in (406, 420, 429):
                    raise GaugeUnreadable(
                        f"the org's limits could not be read (HTTP {status})."
                    ) from err
                raise _unknown(err) from err

    def _read_limits(
        self, request: requests.PreparedRequest, really_send: Callable[..., requests.Response]
    ) -> int:
        """The status of one look at ``/limits``; what it tells is settled with the gate."""
        gate, context = self._the_gate(), current_context()
        look = self._limits_request(request)
        ticket = gate.ask(
            ONE, is_probe=True, job_id=context.job_id, object_name=context.object_name
        )
        try:
            response = self._send_counted(
                ticket, ONE, lambda: really_send(look, stream=False, timeout=60)
            )
        except requests.RequestException as err:
            raise GaugeUnreadable(
                f"the org's limits could not be read ({type(err).__name__})."
            ) from err
        if response.status_code == 401:
            raise _SessionEnded(response)
        return response.status_code

    def _limits_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """``/limits`` of the org that this call goes to, with its session."""
        parts = urlsplit(request.url or "")
        found = re.match(
            r"/services/(?:data/v|async/|Soap/\w/)(\d\d\.0)", parts.path, re.IGNORECASE
        )
        path = f"/services/data/v{found[1] if found else NEWEST_API_VERSION}/limits"
        url = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        look = requests.Request("GET", url, headers={"Accept": "application/json"}).prepare()
        if self._access is not None:
            self._access(look)
        self._dress(look)
        return look

    def _send_counted(
        self, ticket: Ticket, price: Price, send: Callable[[], requests.Response]
    ) -> requests.Response:
        """Send, and settle the ticket whatever happens."""
        gate, context = self._the_gate(), current_context()
        sent_at = self._clock.now()
        was_sent = True
        readings: list[Reading] = []
        try:
            response = send()
            readings = self._readings(response, sent_at)
            return response
        except requests.RequestException as err:
            was_sent = not never_left(err)
            raise
        finally:
            gate.settle(ticket, readings, was_sent=was_sent)
            if was_sent and context.on_call is not None:
                context.on_call(price)

    def _readings(self, response: requests.Response, sent_at: Any) -> list[Reading]:
        """What this answer tells: its header is exact for ``api``; a ``/limits`` body has the rest."""
        found: dict[Api, Reading] = {}
        if response.status_code == 200 and _is_limits(response.request):
            try:
                body = response.json()
            except ValueError:
                body = None  # no reading; the caller meets the same body and says so
            found = parse_limits(body, sent_at=sent_at, read_at=self._clock.now())
        if header := parse_limit_header(response.headers.get(LIMIT_HEADER)):
            found["api"] = Reading(
                "api", header[0], header[1], sent_at, self._clock.now(), "header"
            )
        return list(found.values())

    def _the_gate(self) -> Gate:
        if self.gate is None:
            raise CallerError(
                "this call counts against the org's allowance, and it is not known yet which org it is."
            )
        return self.gate


def http_session(
    url: str,
    clock: Clock,
    *,
    gate: Gate | None = None,
    access: Access | None = None,
    ca_file: str = "",
) -> requests.Session:
    """A ``requests`` session whose calls pass a ``GateAdapter``, and that keeps no cookies."""
    session = requests.Session()
    adapter = GateAdapter(url=url, clock=clock, gate=gate, access=access, ca_file=ca_file)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # One session serves many threads, and cookies would be the one thing that they change in it.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _unknown(err: GaugeUnknown) -> QuotaSignal:
    return QuotaSignal(err.apis[0], used=-1, in_flight=0, maximum=-1, threshold=-1, reason=str(err))


class _SessionEnded(Exception):
    def __init__(self, response: requests.Response) -> None:
        super().__init__("the session has ended")
        self.response = response


def _is_limits(request: requests.PreparedRequest) -> bool:
    path = urlsplit(request.url or "").path.rstrip("/")
    return (
        request.method == "GET"
        and path.startswith("/services/data/v")
        and path.lower().endswith("/limits")
    )


def never_left(err: Exception) -> bool:
    """True when no connection came about, so nothing of the call can have reached the org."""
    if isinstance(err, requests.exceptions.ConnectTimeout):
        return True
    cause = err.args[0] if err.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
