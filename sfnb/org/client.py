"""A connected org: its session, its gate, and one way to call it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from sfnb.clock import Clock
from sfnb.errors import LimitsMissing, LoginError, ObjectError, OrgUnavailable, TransientError
from sfnb.model import Api, Reading
from sfnb.org.address import OrgAddress, Renewal, strange_address
from sfnb.org.answers import date_of, json_of
from sfnb.org.http import http_session, redirect_target
from sfnb.org.limits import parse_limits
from sfnb.org.refusals import refusal_of
from sfnb.org.retry import retry
from sfnb.org.session import Session
from sfnb.org.transport import current_context, never_left
from sfnb.quota.gate import Gate

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce

T = TypeVar("T")

CUT = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.HTTPError,
)
"""What the libraries raise when a connection is refused, cut, stalled or ends within an answer."""

Judge = Callable[[requests.Response, str], BaseException | None]
"""The error that an answer means, given what the call is named in messages; None: it is good."""

PUT_BACK = timedelta(minutes=5)
"""An answer so much earlier than another one is no late answer: the org's clock was put back."""

ROOTS = ("/composite", "/limits", "/sobjects")
"""Resources of each API version: who does not have them does not have the version."""

log = logging.getLogger("sfnb.org")


class OrgClient:
    """
    One org, connected. Safe for threads. Close it to give back its connections.

    With a closed session the first call logs in: a job waits for an org that is away.

    Its repr shows name, id and address, never the session.

    Attributes:
        name: as registered.
        org_id: 18 characters.
        address: where the org is, and with which session and API version it is asked.
        instance_url: where the API is, without a trailing slash.
        api_version: such as ``66.0``; empty until a closed session is opened, where it is unknown.
        session: a ``requests.Session`` whose calls to the org are signed and pass the gate.
        gate: decides which calls may be sent.
    """

    def __init__(
        self,
        name: str,
        opened: Session,
        *,
        renewal: Renewal,
        api_version: str,
        gate: Gate,
        clock: Clock,
        ca_file: str = "",
    ) -> None:
        self.name = name
        self.org_id = opened.org_id
        self.address = OrgAddress(name, opened, renewal=renewal, api_version=api_version)
        self.gate = gate
        self.clock = clock
        self._org_now: datetime | None = None
        self.session = http_session(
            opened.instance_url, clock, gate=gate, access=self.address.access, ca_file=ca_file
        )
        self.session.auth = self.address.access

    @property
    def instance_url(self) -> str:
        return self.address.instance_url

    @property
    def api_version(self) -> str:
        return self.address.api_version

    def __repr__(self) -> str:
        return f"<OrgClient {self.name} {self.org_id} {self.instance_url} v{self.api_version}>"

    @cached_property
    def sf(self) -> Salesforce:
        """
        simple-salesforce on this session, for analysts. Its calls pass the gate as ours do.

        Its exceptions are its own, except ``QuotaSignal`` when the gate is closed.
        """
        from simple_salesforce.api import Salesforce

        # Access replaces the session id in each call, so this stands for a renewed one too.
        token = self.address.opened().token
        return Salesforce(
            session=self.session,
            instance_url=self.instance_url,
            session_id=token,
            version=self.api_version,
        )

    @property
    def open_session(self) -> Session:
        """
        The present session, token included, for worker processes of this job; it goes nowhere else.
        """
        return self.address.opened()

    def limits(self) -> dict[Api, Reading]:
        """
        The four budgets as the org tells them now; one that it does not tell is missing.

        Cost: 1 API call, which may pass above the threshold (a probe).

        Raises:
            QuotaSignal: another probe was sent a moment ago, or the gauges cannot be read.
            ObjectError: the user may not see them (permission View Setup and Configuration).
        """
        sent_at = self.clock.now()
        body = self.fetch_json("GET", "limits", timeout_s=60)
        return parse_limits(body, sent_at=sent_at, read_at=self.clock.now())

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        judge: Judge | None = None,
        timeout_s: float | None = None,
        what: str = "",
    ) -> requests.Response:
        """
        One call, tried once. If the session has ended, it is renewed and the call repeated.

        Cost: by ``prices.price_of``.

        Args:
            path: below the API version (``sobjects/Account/describe``), or from the root
                (``/services/…``).
            stream: leave the body on the wire; the caller closes the answer.
            judge: says what an answer means, where that is not as for REST.
            timeout_s: how long to wait for the next byte.
            what: names the call in messages; default: its method and path.

        Raises:
            QuotaSignal: the gate is closed, or the org itself refuses for its allowance.
            TransientError: the same call may work soon; see ``retrying``.
            ObjectError, ResultsGone, LoginError: the org's refusal, with its code.
        """
        url = self.url_of(path)
        what = what or f"{method} {urlsplit(url).path}"

        def send() -> requests.Response:
            try:
                return self.session.request(
                    method,
                    self.url_of(path),
                    json=json,
                    data=data,
                    params=params,
                    headers=headers,
                    stream=stream,
                    timeout=(20.0, timeout_s) if timeout_s else None,
                )
            except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as err:
                raise self._not_answered(err, what) from err

        used = self.address.opened()
        try:
            response = send()
        except LimitsMissing as signal:
            if not self.address.take_older_version():
                raise
            raise _other_version(what) from signal
        if response.status_code == 401:
            self.address.renew(used, response)
            response = send()
        elif target := redirect_target(response):
            self.address.follow(used, target, what)
            response = send()
        if target := redirect_target(response):
            raise strange_address(what, target)
        if response.status_code == 410 and self.address.take_newer_version():
            raise _other_version(what)
        if _is_root_missing(response) and self.address.take_older_version():
            raise _other_version(what)
        self._note_time(response)
        refusal = judge(response, what) if judge else self._refusal(response, what, stream=stream)
        if refusal is not None:
            response.close()
            raise refusal
        return response

    def fetch_json(self, method: str, path: str, **options: Any) -> Any:
        """
        The parsed body of a call, repeated while it fails for a moment. Options: see ``request``.
        """

        def once() -> Any:
            response = self.request(method, path, **options)
            kind = response.headers.get("Content-Type", "")
            return json_of(response.content, what=f"{method} {path}", kind=kind)

        return self.retrying(once)

    def url_of(self, path: str) -> str:
        """See ``OrgAddress.url_of``."""
        return self.address.url_of(path)

    def data_path(self, path: str) -> str:
        """``/services/data/v66.0/…``, as subrequests of a composite call name it."""
        return self.address.data_path(path)

    def retrying(self, fn: Callable[[], T]) -> T:
        """What ``fn`` returns, repeated while it fails for a moment. Each try is a counted call."""
        return retry(self.clock, current_context().stop, fn)

    def org_now(self) -> datetime:
        """
        The org's time as its last answers gave it (``Date``), so never later than it is. It goes
        back only if the org's clock was put back.

        Cost: none; before the first answer one call that Salesforce does not count.

        Raises:
            ObjectError: its answers have no ``Date``.
        """
        if self._org_now is None:
            self.retrying(lambda: self.request("GET", "/services/data", timeout_s=60))
        if self._org_now is None:
            raise ObjectError(
                f"org {self.name}: its answers do not tell the time (header Date).", code="NO_DATE"
            )
        return self._org_now

    def _note_time(self, response: requests.Response) -> None:
        date_at = date_of(response.headers)
        if date_at is None:
            return
        # Answers may come in another order than they were given, by seconds.
        is_put_back = self._org_now is not None and self._org_now - date_at > PUT_BACK
        self._org_now = date_at if is_put_back else max(date_at, self._org_now or date_at)

    def close(self) -> None:
        """Give back the connections. The session stays open in the org for other processes."""
        self.session.close()

    def _refusal(
        self, response: requests.Response, what: str, *, stream: bool
    ) -> BaseException | None:
        # A streamed body is left on the wire for the caller; that of a refusal has been read.
        is_good = response.status_code < 300
        body = b"" if stream and is_good else response.content
        return refusal_of(response.status_code, response.headers, body, what=what)

    def _not_answered(self, err: Exception, what: str) -> Exception:
        """
        Our error for what the libraries raise. Their messages may quote headers, so none is kept.
        """
        kind = type(err).__name__
        if isinstance(err, requests.exceptions.SSLError):
            return LoginError(
                f"{what}: the TLS certificate of {self.instance_url} is not trusted here."
            )
        if isinstance(err, requests.exceptions.TooManyRedirects):
            return ObjectError(f"{what}: the org redirects without end.", code="REDIRECTS")
        # A connection that nobody takes says nothing about this call; one that breaks may.
        if isinstance(err, requests.exceptions.Timeout) or never_left(err):
            return OrgUnavailable(f"{what}: the org cannot be reached ({kind}).")
        if isinstance(err, CUT):
            return TransientError(f"{what}: the connection broke ({kind}).")
        return ObjectError(f"{what}: the call cannot be sent ({kind}).", code="NOT_SENT")


def _is_root_missing(response: requests.Response) -> bool:
    path = urlsplit(response.request.url or "").path.rstrip("/")
    return response.status_code == 404 and path.endswith(ROOTS)


def _other_version(what: str) -> TransientError:
    return TransientError(f"{what}: the org does not serve the API version used so far.")
