"""
The seam to the network: every call to the org passes ``GateAdapter``, ours and simple-salesforce's.

For each call: price it, ask the gate, send it, read the org's budgets from the answer, settle. A
call that fails is settled too: it may have reached the org, so it counts unless it surely never
left.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from sfnb.addresses import LOOPBACK_HOSTS
from sfnb.clock import Clock
from sfnb.errors import CallerError, LimitsMissing, ObjectError, QuotaSignal, TransientError
from sfnb.model import Api, Price, Reading
from sfnb.org.answers import json_of
from sfnb.org.bodies import read_body
from sfnb.org.limits import LIMIT_HEADER, parse_limit_header, parse_limits
from sfnb.org.prices import ONE, price_of
from sfnb.org.refusals import is_of_all_calls
from sfnb.org.retry import GaugeUnreadable
from sfnb.org.session import Access
from sfnb.quota.gate import Gate, GaugeUnknown, Ticket
from sfnb.settings import NEWEST_API_VERSION
from sfnb.version import __version__

CONNECT_TIMEOUT_S = 20.0
READ_TIMEOUT_S = 620.0
"""Salesforce gives up on a call after ten minutes (Limits guide); no answer comes later."""

MAX_CONNECTIONS = 32

LOOKS = 3
"""At the gauge before one call, while other threads' answers make it unknown again."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """
    Who spends, on this thread.

    Args:
        expected_mb: what the next Bulk result page is expected to hold.
        on_call: called with the price of each call that was sent.
        stop: set when a person wants the job to end; waits between tries listen to it.
        kind: the kind of work, whose limits count. Calls of a job need none: the gate knows its
            kind. For calls outside a job, such as the planning of a restore.
    """

    job_id: str = ""
    object_name: str = ""
    expected_mb: int = 0
    on_call: Callable[[Price], None] | None = None
    stop: threading.Event | None = None
    kind: str = ""


_context: ContextVar[CallContext] = ContextVar("sfnb_call_context", default=CallContext())  # noqa: B039  frozen


@contextmanager
def call_context(**changes: Any) -> Iterator[CallContext]:
    """
    Calls made in this block are booked on this job and object. Blocks nest: what is not given
    stays.

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

    Without a gate (before a login has named the org) only free calls pass. Safe for threads.

    Args:
        url: the org's origin as registered. A plain ``http://`` one on this machine is used even
            where the caller built ``https://``, as simple-salesforce always does.
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

        def send() -> requests.Response:
            return really_send(request, stream=stream, timeout=timeout)

        if not price:
            response = send()
            self._read(response, is_streamed=stream)
            return response
        try:
            ticket = self._ask(request, price, really_send)
        except _Refused as refused:
            # The call itself would meet the same refusal, and its caller knows what to do about it.
            return refused.response
        return self._send_counted(ticket, price, send, is_streamed=stream)

    def _dress(self, request: requests.PreparedRequest) -> bool:
        """Put on what each call of ours carries; True if it stays on this machine."""
        parts = urlsplit(request.url or "")
        is_local = (parts.hostname or "") in LOOPBACK_HOSTS
        if is_local and parts.scheme == "https" and parts.netloc == self._plain_netloc:
            request.url = urlunsplit(parts._replace(scheme="http"))
        elif parts.scheme == "http" and not is_local:
            raise CallerError(
                f"http://{parts.netloc} would send the session unencrypted; use https."
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
            _Refused: the look at the gauge met a refusal that the call would meet too.
            GaugeUnreadable: the org did not answer ``/limits`` sensibly just now.
            QuotaSignal: the threshold is reached, or the org does not tell how much is used.
        """
        gate, context = self._the_gate(), current_context()

        def ask(*, is_probe: bool = False) -> Ticket:
            return gate.ask(
                price,
                is_probe=is_probe,
                job_id=context.job_id,
                object_name=context.object_name,
                kind=context.kind,
            )

        if _is_limits(request):
            return ask(is_probe=True)
        try:
            return ask()
        except GaugeUnknown:
            pass
        # Many threads may find the gauge unknown at once; one reads it, the others find it read.
        with self._limits_lock:
            for _ in range(LOOKS):
                try:
                    return ask()
                except GaugeUnknown as err:
                    unknown = err
                look = self._look(request, really_send)
                if not look.has_numbers:
                    break
            # The look brought numbers, but meanwhile another thread's call brought none (a 401, a
            # 503), so it was repeated. A quota pause needs a number, or an org that hides it.
            try:
                return ask()
            except GaugeUnknown as err:
                unknown = err
        if look.has_numbers or look.status >= 500 or look.status in (406, 420, 429):
            raise GaugeUnreadable(
                f"the org's limits could not be read (HTTP {look.status})."
            ) from unknown
        kind = LimitsMissing if look.status == 404 else QuotaSignal
        raise _unknown(unknown, kind) from unknown

    def _look(
        self, request: requests.PreparedRequest, really_send: Callable[..., requests.Response]
    ) -> _Look:
        """One look at ``/limits``; what it tells is settled with the gate."""
        gate, context = self._the_gate(), current_context()
        look = self._limits_request(request)
        ticket = gate.ask(
            ONE, is_probe=True, job_id=context.job_id, object_name=context.object_name
        )
        try:
            response = self._send_counted(
                ticket, ONE, lambda: really_send(look, stream=False, timeout=60), is_streamed=False
            )
        except requests.RequestException as err:
            raise GaugeUnreadable(
                f"the org's limits could not be read ({type(err).__name__})."
            ) from err
        except ObjectError as err:
            raise GaugeUnreadable(f"the org's limits could not be read: {err}") from err
        if is_of_all_calls(response.status_code, response.content):
            raise _Refused(response)
        has_numbers = response.status_code == 200 and bool(
            self._readings(response, self._clock.now())
        )
        return _Look(response.status_code, has_numbers)

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
        self,
        ticket: Ticket,
        price: Price,
        send: Callable[[], requests.Response],
        *,
        is_streamed: bool,
    ) -> requests.Response:
        """Send, and settle the ticket whatever happens."""
        gate, context = self._the_gate(), current_context()
        sent_at = self._clock.now()
        was_sent = True
        is_silent = False
        readings: list[Reading] = []
        try:
            response = send()
            is_silent = _never_tells(response)
            # The header first: it holds even when the body breaks off.
            readings = self._header_readings(response, sent_at)
            self._read(response, is_streamed=is_streamed)
            readings = self._readings(response, sent_at)
            return response
        except requests.RequestException as err:
            was_sent = not never_left(err)
            raise
        finally:
            gate.settle(ticket, readings, was_sent=was_sent, is_silent=is_silent)
            if was_sent and context.on_call is not None:
                context.on_call(price)

    def _read(self, response: requests.Response, *, is_streamed: bool) -> None:
        """Read the body within bounds; a streamed one only where it is a refusal."""
        if not is_streamed or response.status_code >= 300:
            path = urlsplit(response.url or "").path
            read_body(response, what=f"the answer of {path}", clock=self._clock)

    def _readings(self, response: requests.Response, sent_at: datetime) -> list[Reading]:
        """The readings in this answer: ``api`` by its header; the others by a ``/limits`` body."""
        found: dict[Api, Reading] = {}
        if response.status_code == 200 and _is_limits(response.request):
            try:
                body = json_of(response.content, what="/limits")
            except TransientError:
                body = None  # no reading; the caller meets the same body and says so
            found = parse_limits(body, sent_at=sent_at, read_at=self._clock.now())
        for reading in self._header_readings(response, sent_at):
            found[reading.api] = reading
        return list(found.values())

    def _header_readings(self, response: requests.Response, sent_at: datetime) -> list[Reading]:
        header = parse_limit_header(response.headers.get(LIMIT_HEADER))
        if header is None:
            return []
        return [Reading("api", header[0], header[1], sent_at, self._clock.now(), "header")]

    def _the_gate(self) -> Gate:
        if self.gate is None:
            raise CallerError(
                "this call counts against the org's allowance, but which org it is is not known yet."
            )
        return self.gate


def _unknown(err: GaugeUnknown, kind: type[QuotaSignal]) -> QuotaSignal:
    return kind(err.apis[0], used=-1, in_flight=0, maximum=-1, threshold=-1, reason=str(err))


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at ``/limits``: its status, and whether it brought numbers."""

    status: int
    has_numbers: bool


class _Refused(Exception):
    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"refused with HTTP {response.status_code}")
        self.response = response


def _is_limits(request: requests.PreparedRequest) -> bool:
    path = urlsplit(request.url or "").path.rstrip("/")
    return (
        request.method == "GET"
        and path.startswith("/services/data/v")
        and path.lower().endswith("/limits")
    )


def _never_tells(response: requests.Response) -> bool:
    """
    Whether the answer has no limit header by nature: SOAP's have none, good or bad.

    Bulk API 1 has none either (recorded answers), but only analysts use it here.
    """
    return urlsplit(response.url or "").path.lower().startswith("/services/soap/")


def never_left(err: Exception) -> bool:
    """True when no connection came about, so nothing of the call can have reached the org."""
    if isinstance(err, requests.exceptions.ConnectTimeout):
        return True
    cause = err.args[0] if err.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
