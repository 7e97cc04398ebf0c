"""A connected org: its session, its gate, and one way to call it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from sfnb.clock import Clock
from sfnb.errors import LoginError, OrgUnavailable, SfnbError, TransientError
from sfnb.model import Api, Reading
from sfnb.org.credentials import Credentials, RefreshCredentials, credentials_of
from sfnb.org.ids import to18
from sfnb.org.limits import fetch_limits
from sfnb.org.login import Session, login
from sfnb.org.refusals import parse_error, refusal_of
from sfnb.org.retry import TriesSpent, retry
from sfnb.org.secrets import mask, store_secret
from sfnb.org.transport import Access, GateAdapter, current_context, never_left
from sfnb.quota.gate import Gate
from sfnb.settings import NEWEST_API_VERSION, OrgConfig, Settings

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce

    from sfnb.state.database import State

T = TypeVar("T")

LOGIN_TRIES = 3
CUT = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.HTTPError,
)
"""What the libraries raise when a connection is refused, cut, stalled or ends within an answer."""

log = logging.getLogger("sfnb.org")


class OrgClient:
    """
    One org, connected. Safe for threads; close it to give back its connections.

    Its repr shows name, id and address, never the session.

    Attributes:
        name: as registered.
        org_id: 18 characters.
        instance_url: where the API is, without a trailing slash.
        api_version: such as ``66.0``.
        session: a ``requests.Session`` whose calls to the org are signed and pass the gate.
        gate: what lets calls through.
    """

    def __init__(
        self,
        config: OrgConfig,
        credentials: Credentials,
        opened: Session,
        *,
        api_version: str,
        gate: Gate,
        clock: Clock,
    ) -> None:
        self.config = config
        self.name = config.name
        self.org_id = opened.org_id
        self.instance_url = opened.instance_url
        self.api_version = api_version
        self.gate = gate
        self.clock = clock
        self._credentials = credentials
        self._access = Access(opened)
        self._login_lock = threading.Lock()
        self.session = _http(
            opened.instance_url, clock, gate=gate, access=self._access, ca_file=config.ca_file
        )
        self.session.auth = self._access

    def __repr__(self) -> str:
        return f"<OrgClient {self.name} {self.org_id} {self.instance_url} v{self.api_version}>"

    @property
    def user_id(self) -> str:
        """Who we are logged in as; 18 characters, empty when no answer told."""
        return self._access.session.user_id

    @cached_property
    def sf(self) -> Salesforce:
        """
        simple-salesforce on this session, for analysts: its calls are counted and gated as ours are.

        Its exceptions are its own, except ``QuotaSignal`` when the gate is closed.
        """
        from simple_salesforce.api import Salesforce

        # Access replaces the session id in each call, so this stands for a renewed one too.
        token = self._access.session.token
        return Salesforce(
            session=self.session,
            instance_url=self.instance_url,
            session_id=token,
            version=self.api_version,
        )

    def limits(self) -> dict[Api, Reading]:
        """The four budgets as the org tells them now. Cost: 1 API call."""
        return fetch_limits(self)

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
        timeout_s: float | None = None,
        what: str = "",
    ) -> requests.Response:
        """
        One call, tried once; a dead session is renewed and the call repeated. Cost: by ``prices.price_of``.

        Args:
            path: below the API version (``sobjects/Account/describe``), or from the root (``/services/…``).
            stream: leave the body on the wire; the caller closes the answer.
            timeout_s: how long to wait for the next byte.
            what: the call in the words of people, for messages; else its method and path.

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
                    url,
                    json=json,
                    data=data,
                    params=params,
                    headers=headers,
                    stream=stream,
                    timeout=(20.0, timeout_s) if timeout_s else None,
                )
            except requests.exceptions.SSLError as err:
                raise LoginError(
                    f"{what}: the TLS certificate of {self.instance_url} is not trusted here."
                ) from err
            except CUT as err:
                # A connection that nobody takes says nothing about this call; one that breaks may.
                is_away = isinstance(err, requests.exceptions.Timeout) or never_left(err)
                kind = OrgUnavailable if is_away else TransientError
                raise kind(f"{what}: the connection broke ({type(err).__name__}).") from err

        used = self._access.session
        response = send()
        if response.status_code == 401:
            self._renew(used, response)
            response = send()
        refusal = self._refusal(response, what, stream=stream)
        if refusal is not None:
            response.close()
            raise refusal
        return response

    def fetch_json(self, method: str, path: str, **options: Any) -> Any:
        """The parsed body of a call, tried again while it fails in a passing way. Options are those of ``request``."""

        def once() -> Any:
            response = self.request(method, path, **options)
            try:
                return response.json()
            except ValueError as err:
                kind = response.headers.get("Content-Type", "nothing").split(";")[0]
                raise TransientError(
                    f"{method} {path}: the answer is no whole JSON text but {kind}."
                ) from err

        return self.retrying(once)

    def url_of(self, path: str) -> str:
        """The address of a path below the API version, or from the root when it starts with a slash."""
        return (
            f"{self.instance_url}{path}"
            if path.startswith("/")
            else f"{self.instance_url}{self.data_path(path)}"
        )

    def data_path(self, path: str) -> str:
        """``/services/data/v66.0/…``, as subrequests of a composite call name it."""
        return f"/services/data/v{self.api_version}/{path}"

    def retrying(self, fn: Callable[[], T]) -> T:
        """What ``fn`` returns, tried again while it fails in a passing way; each try is a counted call."""
        return retry(self.clock, current_context().stop, fn)

    def close(self) -> None:
        """Give back the connections. The session stays open in the org: other processes may use it."""
        self.session.close()

    def _refusal(
        self, response: requests.Response, what: str, *, stream: bool
    ) -> BaseException | None:
        is_good = response.status_code < 300
        try:
            body = b"" if stream and is_good else response.content
        except CUT as err:
            return TransientError(f"{what}: the answer broke off ({type(err).__name__}).")
        return refusal_of(response.status_code, response.headers, body, what=what)

    def _renew(self, used: Session, refused: requests.Response) -> None:
        """Log in again, once for all threads whose calls were refused with the same session."""
        try:
            code, message = parse_error(refused.content)
        except CUT:
            code, message = "", ""  # the status has said enough
        finally:
            refused.close()
        if "not valid for use with the REST API" in message:
            raise LoginError(
                f"org {self.name}: {message} ({code}). Add the OAuth scope api to the app."
            )
        with self._login_lock:
            if self._access.session is not used:
                return
            credentials = self._credentials
            if not isinstance(credentials, RefreshCredentials):
                # Read again from where it is kept: a person may have put a new one there.
                credentials = credentials_of(self.config)
            opened = _open(self.config, credentials, self.clock)
            if opened.org_id and opened.org_id != self.org_id:
                raise _wrong_org(self.config, self.org_id, opened.org_id)
            self._credentials = _rotated(self.config, credentials, opened)
            self._access.session = replace(
                opened, instance_url=self.instance_url, org_id=self.org_id
            )
            log.info("org %s: the session had ended; logged in again", self.name)


def open_client(settings: Settings, name: str, *, state: State, clock: Clock) -> OrgClient:
    """
    The registered org, logged in. Cost: no API calls, except 1 when no answer of the login tells the org's id.

    Raises:
        CallerError: no org of that name.
        LoginError: it did not let us in, cannot be reached, or is another org than the one registered.
    """
    config = settings.org(name)
    credentials = credentials_of(config)

    def opening() -> Session:
        return _open(config, credentials, clock)

    try:
        opened = retry(clock, current_context().stop, opening, tries=LOGIN_TRIES)
    except TriesSpent as err:
        raise LoginError(f"org {name}: {err}") from err
    credentials = _rotated(config, credentials, opened)
    version = config.api_version or fetch_api_version(opened.instance_url, config, settings, clock)
    ledger = state.ledger
    if not opened.org_id:
        opened = _with_org_id(config, credentials, opened, version, ledger, clock)
    if config.org_id and opened.org_id != config.org_id:
        raise _wrong_org(config, config.org_id, opened.org_id)
    return OrgClient(
        config,
        credentials,
        opened,
        api_version=version,
        gate=Gate(ledger, opened.org_id, clock=clock),
        clock=clock,
    )


def fetch_api_version(
    instance_url: str, config: OrgConfig, settings: Settings, clock: Clock
) -> str:
    """The newest API version that the org serves and sfnb knows. Cost: none; Salesforce does not count this call."""
    with _http(instance_url, clock, ca_file=config.ca_file) as http:
        try:
            answer = http.get(f"{instance_url}/services/data", timeout=60).json()
            served = [str(entry["version"]) for entry in answer]
        except CUT as err:
            raise LoginError(
                f"org {config.name}: {instance_url} was not reached ({type(err).__name__})."
            ) from err
        except (ValueError, KeyError, TypeError) as err:
            raise LoginError(
                f"org {config.name}: {instance_url} does not list its API versions as a Salesforce org does. "
                "Check the address, and whether a proxy or a maintenance page answers instead."
            ) from err
    wanted = min(settings.api_version, NEWEST_API_VERSION, key=float)
    usable = [version for version in served if float(version) <= float(wanted)]
    if not usable:
        raise LoginError(
            f"org {config.name}: serves API versions {', '.join(served)}, none up to {wanted}."
        )
    return max(usable, key=float)


def _http(
    url: str,
    clock: Clock,
    *,
    gate: Gate | None = None,
    access: Access | None = None,
    ca_file: str = "",
) -> requests.Session:
    session = requests.Session()
    adapter = GateAdapter(url=url, clock=clock, gate=gate, access=access, ca_file=ca_file)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # One session serves many threads, and cookies would be the one thing that they change in it.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _open(config: OrgConfig, credentials: Credentials, clock: Clock) -> Session:
    url = (
        getattr(credentials, "url", "")
        or getattr(credentials, "instance_url", "")
        or "https://login.salesforce.com"
    )
    with _http(url, clock, ca_file=config.ca_file) as http:
        # With an auth of our own, requests leaves a .netrc alone, which would replace the header of userinfo.
        http.auth = _unchanged
        opened = login(credentials, http, clock=clock)
    return opened if opened.org_id else replace(opened, org_id=config.org_id)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _with_org_id(  # noqa: PLR0917
    config: OrgConfig,
    credentials: Credentials,
    opened: Session,
    version: str,
    ledger: Any,
    clock: Clock,
) -> Session:
    """
    The session with the org's id asked by a query.

    Until the answer is here, the call is put down to the org's address: no other name for its allowance is known.
    """
    gate = Gate(ledger, urlsplit(opened.instance_url).netloc, clock=clock)
    org = OrgClient(config, credentials, opened, api_version=version, gate=gate, clock=clock)
    try:
        answer = org.fetch_json("GET", "query", params={"q": "SELECT Id FROM Organization"})
        return replace(opened, org_id=to18(answer["records"][0]["Id"]))
    except (KeyError, IndexError, TypeError) as err:
        raise LoginError(f"org {config.name}: does not tell its Organization Id.") from err
    except SfnbError as err:
        raise LoginError(
            f"org {config.name}: does not tell its Organization Id. {mask(str(err))}"
        ) from err
    finally:
        org.close()


def _rotated(config: OrgConfig, credentials: Credentials, opened: Session) -> Credentials:
    """The credentials with the refresh token that the org handed out, kept where the old one came from."""
    if not isinstance(credentials, RefreshCredentials) or opened.refresh_token in (
        "",
        credentials.refresh_token,
    ):
        return credentials
    if config.secrets.get("refresh_token") == "keyring":
        store_secret(config.name, "refresh_token", opened.refresh_token)
    else:
        log.warning(
            "org %s: the org replaced the refresh token, and sfnb cannot change %s for you. Keep it in the keyring "
            "(--store-secret), or the next login fails.",
            config.name,
            config.secrets.get("refresh_token", "the variable"),
        )
    return replace(credentials, refresh_token=opened.refresh_token)


def _wrong_org(config: OrgConfig, registered: str, found: str) -> LoginError:
    return LoginError(
        f"org {config.name} is registered as {registered}, but its login leads to {found}. If it was refreshed or "
        f"replaced, register it anew: `sfnb org remove {config.name}`, then `sfnb org add {config.name} …`."
    )
