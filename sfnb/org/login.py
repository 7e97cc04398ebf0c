"""
Logging in. Every way ends in a ``Session``.

Salesforce counts neither logins nor ``userinfo`` against the API allowance (SOAP ``login()`` and the token endpoint
send no limit header). We log in ourselves rather than through simple-salesforce, whose own renewal of sessions can
repeat without end.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import requests

from sfnb.clock import Clock
from sfnb.errors import LoginError, OrgUnavailable, QuotaSignal, TransientError
from sfnb.org.credentials import (
    ClientCredentials,
    Credentials,
    JwtCredentials,
    PasswordCredentials,
    RefreshCredentials,
    SfCredentials,
    TokenCredentials,
)
from sfnb.org.ids import to18
from sfnb.org.secrets import mask
from sfnb.org.session import Session
from sfnb.settings import LOOPBACK_HOSTS, parse_url
from sfnb.version import __version__

SOAP_VERSION = "64.0"
"""The last version whose partner API has ``login()``."""

LOGIN_TIMEOUT_S = 60
JWT_VALID_FOR = timedelta(
    minutes=3
)  # Salesforce refuses assertions that live longer than five minutes.

_TOKEN_WITH_ORG = re.compile(r"(00D[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?)!")
_TOKEN = re.compile(r"00D[0-9A-Za-z]{12,15}![\w.]+|eyJ[\w-]+\.[\w-]+\.[\w-]+")


def login(credentials: Credentials, http: requests.Session, *, clock: Clock) -> Session:
    """
    A session for these credentials. Cost: no API calls.

    Raises:
        LoginError: refused; the sentence says what to change.
        TransientError: nobody answered, or not sensibly; the same may work soon.
        QuotaSignal: the org refuses logins too, because its calls are used up.
    """
    match credentials:
        case TokenCredentials():
            return _with_identity(Session(credentials.instance_url, credentials.token), http)
        case SfCredentials():
            return _with_identity(_sf_session(credentials.alias), http)
        case PasswordCredentials(client_id=""):
            return _soap_login(credentials, http)
        case _:
            return _oauth_login(credentials, http, clock)


def _soap_login(credentials: PasswordCredentials, http: requests.Session) -> Session:
    envelope = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com">'
        f"<env:Header><urn:CallOptions><urn:client>sfnb/{__version__}</urn:client></urn:CallOptions></env:Header>"
        f"<env:Body><urn:login><urn:username>{escape(credentials.username)}</urn:username>"
        f"<urn:password>{escape(credentials.password + credentials.security_token)}</urn:password>"
        "</urn:login></env:Body></env:Envelope>"
    )
    response = _post(
        http,
        f"{credentials.url}/services/Soap/u/{SOAP_VERSION}",
        data=envelope.encode(),
        headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "login"},
        secrets=(
            credentials.password + credentials.security_token,
            credentials.password,
            credentials.security_token,
        ),
    )
    text = response.text
    code, message = (
        _element(text, "exceptionCode"),
        _element(text, "exceptionMessage") or _element(text, "faultstring"),
    )
    if code or message:
        raise _refused(credentials.url, code or "SOAP fault", message)
    if _element(text, "passwordExpired") == "true":
        raise _refused(
            credentials.url, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "the password has expired"
        )
    token, server = _element(text, "sessionId"), _element(text, "serverUrl")
    if response.status_code != 200 or not token or not server:
        raise _no_sense(response)
    return Session(
        _instance(server, credentials.url),
        token,
        to18(_element(text, "organizationId") or token[:15]),
        _element(text, "userId"),
    )


def _oauth_login(
    credentials: PasswordCredentials | ClientCredentials | JwtCredentials | RefreshCredentials,
    http: requests.Session,
    clock: Clock,
) -> Session:
    form = _token_form(credentials, clock)
    response = _post(
        http,
        f"{credentials.url}/services/oauth2/token",
        data=form,
        secrets=_secrets_in(form),
        headers={},
    )
    answer = _json_of(response)
    if "error" in answer:
        raise _refused(
            credentials.url, str(answer["error"]), str(answer.get("error_description", "")), form
        )
    if response.status_code != 200 or not isinstance(answer.get("access_token"), str):
        raise _no_sense(response)
    org_id, user_id = _identity(str(answer.get("id", "")))
    session = Session(
        _instance(str(answer.get("instance_url") or credentials.url), credentials.url),
        answer["access_token"],
        org_id,
        user_id,
        str(answer.get("refresh_token", "")) if isinstance(credentials, RefreshCredentials) else "",
    )
    return session if org_id else _with_identity(session, http)


def _token_form(
    credentials: PasswordCredentials | ClientCredentials | JwtCredentials | RefreshCredentials,
    clock: Clock,
) -> dict[str, str]:
    match credentials:
        case PasswordCredentials():
            return {
                "grant_type": "password",
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret,
                "username": credentials.username,
                "password": credentials.password + credentials.security_token,
            }
        case ClientCredentials():
            return {
                "grant_type": "client_credentials",
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret,
            }
        case RefreshCredentials():
            form = {
                "grant_type": "refresh_token",
                "client_id": credentials.client_id,
                "refresh_token": credentials.refresh_token,
            }
            return form | (
                {"client_secret": credentials.client_secret} if credentials.client_secret else {}
            )
        case JwtCredentials():
            return {
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": _assertion(credentials, clock),
            }


def _assertion(credentials: JwtCredentials, clock: Clock) -> str:
    claims = {
        "iss": credentials.client_id,
        "sub": credentials.username,
        "aud": credentials.audience,
        "exp": int((clock.now() + JWT_VALID_FOR).timestamp()),
    }
    import jwt  # with cryptography, a twentieth of a second that other logins need not pay

    try:
        return jwt.encode(claims, credentials.private_key, algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError) as err:
        # The library's own message may quote the key.
        raise LoginError(
            "the private key of --jwt-key is no RSA key in PEM form without a passphrase."
        ) from err


def _sf_session(alias: str) -> Session:
    """The session that the ``sf`` tool holds. Newer versions show the token only when asked for it by itself."""
    shown = _run_sf("org", "display", "--target-org", alias)
    token = str(shown.get("accessToken", ""))
    if not _TOKEN.fullmatch(token):
        answer = _run_sf("org", "auth", "show-access-token", "--target-org", alias)
        token = str(
            answer.get("accessToken") or answer.get("access_token") or answer.get("token") or ""
        )
    if not _TOKEN.fullmatch(token) or not shown.get("instanceUrl"):
        raise LoginError(
            f"sf shows no access token of {alias}; log in again with `sf org login web --alias {alias}`."
        )
    org_id = str(shown.get("id", ""))
    return Session(parse_url(str(shown["instanceUrl"])), token, to18(org_id) if org_id else "")


def _run_sf(*arguments: str) -> Mapping[str, Any]:
    program = shutil.which("sf")
    if program is None:
        raise LoginError(
            "the `sf` command line tool is not on the PATH; install it, or add the org in another way."
        )
    try:
        run = subprocess.run(  # noqa: S603  our own words and the alias, no shell
            [program, *arguments, "--json"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        answer = json.loads(run.stdout)
    except subprocess.TimeoutExpired as err:
        raise LoginError(
            f"`sf {' '.join(arguments)}` did not end within two minutes; try it by hand."
        ) from err
    except ValueError as err:
        raise LoginError(
            f"`sf {' '.join(arguments)}` gave no JSON; try it by hand, or update sf."
        ) from err
    result = answer.get("result") if isinstance(answer, dict) else None
    if isinstance(result, str):
        return {"accessToken": result}
    if not isinstance(result, dict):
        message = mask(str(answer.get("message", ""))) if isinstance(answer, dict) else ""
        raise LoginError(f"`sf {' '.join(arguments)}` was refused: {message or 'no reason given'}")
    return result


def _with_identity(session: Session, http: requests.Session) -> Session:
    """The session with org and user told by ``userinfo`` (not counted), else by the session id, which starts so."""
    org_id, user_id = session.org_id, session.user_id
    try:
        response = http.get(
            f"{session.instance_url}/services/oauth2/userinfo",
            headers={"Authorization": f"Bearer {session.token}", "Accept": "application/json"},
            timeout=LOGIN_TIMEOUT_S,
        )
    except requests.RequestException as err:
        raise _unreachable(session.instance_url, err) from err
    if response.status_code in (401, 403):
        # Salesforce answers so for a dead token; with a living one that lacks the id scope the first data call tells.
        text = mask(response.text, [session.token])[:200].strip()
        if "Bad_OAuth_Token" in text or "INVALID_SESSION_ID" in text or response.status_code == 401:
            raise LoginError(
                f"{session.instance_url} refuses the access token (expired or of another org). Get a new one."
            )
    if response.status_code == 200:
        answer = _json_of(response)
        org_id = str(answer.get("organization_id") or org_id)
        user_id = str(answer.get("user_id") or user_id)
    if not org_id and (found := _TOKEN_WITH_ORG.match(session.token)):
        org_id = found[1]
    return Session(
        session.instance_url,
        session.token,
        to18(org_id) if org_id else "",
        user_id,
        session.refresh_token,
    )


def _post(
    http: requests.Session, url: str, *, data: Any, headers: dict[str, str], secrets: Any
) -> requests.Response:
    try:
        # No redirects: a form with secrets goes to the host it was meant for, or nowhere.
        response = http.post(
            url, data=data, headers=headers, timeout=LOGIN_TIMEOUT_S, allow_redirects=False
        )
    except requests.RequestException as err:
        raise _unreachable(url, err, secrets) from err
    if response.status_code in (301, 302, 303, 307, 308):
        there = urlsplit(response.headers.get("Location", "")).netloc
        raise LoginError(
            f"{urlsplit(url).netloc} sends logins on to {there or 'another host'}; use that as --domain."
        )
    if response.status_code in (420, 429, 502, 503, 504):
        raise OrgUnavailable(
            f"{urlsplit(url).netloc} cannot log anyone in now (HTTP {response.status_code})."
        )
    return response


def _unreachable(url: str, err: Exception, secrets: Any = ()) -> Exception:
    host = urlsplit(url).netloc
    text = mask(str(err), secrets)
    if isinstance(err, requests.exceptions.SSLError):
        return LoginError(
            f"{host}: its TLS certificate is not trusted here. If your company signs its own, name its file "
            "with --ca-file or REQUESTS_CA_BUNDLE."
        )
    if isinstance(err, requests.exceptions.ProxyError):
        return OrgUnavailable(
            f"{host} was not reached: the proxy refused. Check HTTPS_PROXY and NO_PROXY."
        )
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return OrgUnavailable(f"{host} was not found. Check the address and the network.")
    return OrgUnavailable(
        f"{host} was not reached ({type(err).__name__}). Check the address and the network."
    )


_ADVICE: Mapping[str, str] = {
    "INVALID_LOGIN": "Check username, password and security token, and that the user is not locked out.",
    "LOGIN_MUST_USE_SECURITY_TOKEN": "Name the variable with the user's security token with --token-env.",
    "INVALID_OPERATION_WITH_EXPIRED_PASSWORD": "Log in with a browser and set a new password.",
    "API_DISABLED_FOR_ORG": "The org's edition or the user's profile lacks the permission API Enabled.",
    "UNSUPPORTED_API_VERSION": "This org no longer serves SOAP logins; use --client-id, --jwt-key or --sf-cli.",
    "INVALID_OPERATION": "SOAP logins may be switched off in this org; use --client-id, --jwt-key or --sf-cli.",
    "invalid_grant": "Check username, password, token or certificate, and that the user may use this app.",
    "invalid_client_id": "Check --client-id: the app's consumer key.",
    "invalid_client": "Check the client secret, and that it is this app's.",
    "unsupported_grant_type": "Enable this flow in the app's OAuth settings.",
    "inactive_user": "Activate the user.",
    "inactive_org": "The org is locked, closed or suspended.",
}


def _refused(
    url: str, code: str, message: str, form: Mapping[str, str] | None = None
) -> BaseException:
    host = urlsplit(url).netloc
    bare = code.rsplit(":", maxsplit=1)[-1]
    message = mask(message, _secrets_in(form or {})).removeprefix(f"{bare}: ").strip().rstrip(".")
    if bare == "REQUEST_LIMIT_EXCEEDED":
        reason = f"{host} refuses logins: the org's API calls are used up ({message})."
        return QuotaSignal("api", used=-1, in_flight=0, maximum=-1, threshold=-1, reason=reason)
    if bare in ("rate_limit_exceeded", "SERVER_UNAVAILABLE", "server_error"):
        return TransientError(f"{host} cannot log anyone in now: {message} ({bare}).")
    advice = _ADVICE.get(bare, "Check the login in the org's Setup, Login History.")
    return LoginError(f"{host} refused the login: {message or bare} ({bare}). {advice}")


def _no_sense(response: requests.Response) -> TransientError:
    kind = response.headers.get("Content-Type", "nothing").split(";")[0]
    host = urlsplit(response.url).netloc
    return TransientError(
        f"{host} answered a login with {kind} (HTTP {response.status_code}), as no Salesforce org does. "
        "Check the address, and whether a proxy or a maintenance page answers instead."
    )


def _json_of(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise _no_sense(response)
    return answer


def _secrets_in(form: Mapping[str, str]) -> list[str]:
    return [
        form[key]
        for key in ("password", "client_secret", "refresh_token", "assertion")
        if form.get(key)
    ]


def _element(text: str, name: str) -> str:
    """The text of the first element of that local name; the prefix differs between servers."""
    found = re.search(rf"<(?:[\w.-]+:)?{name}(?:\s[^>]*)?>([^<]*)<", text)
    return html.unescape(found[1]).strip() if found else ""


def _identity(url: str) -> tuple[str, str]:
    """Organization and user from an identity URL: ``https://login.salesforce.com/id/00D…/005…``."""
    parts = urlsplit(url).path.strip("/").split("/")
    if len(parts) < 3 or parts[-3] != "id":
        return "", ""
    return to18(parts[-2]), parts[-1]


def _instance(server: str, start: str) -> str:
    """
    The origin of the API from what the login told.

    A server on this machine may call itself by https, or by a name; it is then asked where we found it.
    """
    parts = urlsplit(start)
    if (
        parts.scheme == "http"
        and parts.hostname in LOOPBACK_HOSTS
        and urlsplit(server).port == parts.port
    ):
        return start
    # Salesforce names its oldest API hosts na1-api.salesforce.com; na1.salesforce.com serves REST.
    return re.sub(r"//(\w+)-api\.salesforce\.com", r"//\1.salesforce.com", parse_url(server))
