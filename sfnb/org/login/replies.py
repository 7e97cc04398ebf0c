"""Sending secrets to the host they are meant for, and what its refusals mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from sfnb.addresses import LOOPBACK_HOSTS, parse_url
from sfnb.errors import (
    CallerError,
    LoginError,
    ObjectError,
    OrgUnavailable,
    QuotaSignal,
    TransientError,
)
from sfnb.org.answers import json_of
from sfnb.org.http import redirect_target
from sfnb.org.secrets import clean, mask

LOGIN_TIMEOUT_S = 60

_AWAY_STATUS = (420, 429, 502, 503, 504)
_AWAY_CODES = (
    "rate_limit_exceeded",
    "SERVER_UNAVAILABLE",
    "server_error",
    "temporarily_unavailable",
)

_ADVICE: Mapping[str, str] = {
    "INVALID_LOGIN": (
        "Check username, password and security token, and that the user is not locked out."
    ),
    "LOGIN_MUST_USE_SECURITY_TOKEN": (
        "Name the variable with the user's security token with --token-env."
    ),
    "INVALID_OPERATION_WITH_EXPIRED_PASSWORD": "Log in with a browser and set a new password.",
    "PASSWORD_LOCKOUT": "Wait until the lock ends, or have an admin unlock the user.",
    "TOTP_REQUIRED": (
        "API logins need multi-factor authentication; use --client-id, --jwt-key or --sf-cli."
    ),
    "IDENTITY_VERIFICATION_REQUIRED": (
        "Use --client-id, --jwt-key or --sf-cli, which need no verification code."
    ),
    "LOGIN_DURING_RESTRICTED_DOMAIN": (
        "Allow this machine's address in the profile's Login IP Ranges."
    ),
    "LOGIN_DURING_RESTRICTED_TIME": "Log in within the profile's Login Hours.",
    "RESTRICTED_IP": "Allow this machine's address in the org's or the profile's IP ranges.",
    "ORG_LOCKED": "The org is locked; ask Salesforce.",
    "TRIAL_EXPIRED": "The org's trial has ended.",
    "API_DISABLED_FOR_ORG": (
        "The org's edition or the user's profile lacks the permission API Enabled."
    ),
    "API_CURRENTLY_DISABLED": "Give the user the permission API Enabled.",
    "UNSUPPORTED_API_VERSION": (
        "This org no longer serves SOAP logins; use --client-id, --jwt-key or --sf-cli."
    ),
    "INVALID_OPERATION": (
        "SOAP logins may be switched off in this org; use --client-id, --jwt-key or --sf-cli."
    ),
    "INVALID_SSO_GATEWAY_URL": (
        "The user must log in by single sign-on; use --client-id, --jwt-key or --sf-cli."
    ),
    "invalid_grant": (
        "Check username, password, token or certificate, and that the user may use this app."
    ),
    "invalid_client_id": "Check --client-id: the app's consumer key.",
    "invalid_client": "Check the client secret, and that it is this app's.",
    "invalid_app_access": "Approve the user for this app: Setup, Connected Apps, Manage.",
    "unsupported_grant_type": "Enable this flow in the app's OAuth settings.",
    "inactive_user": "Activate the user.",
    "inactive_org": "The org is locked, closed or suspended.",
}
"""What to do, by code: SOAP guide, ExceptionCode; OAuth 2.0 error codes of Salesforce's help."""


def post(
    http: requests.Session,
    url: str,
    *,
    data: Any,
    headers: dict[str, str],
    secrets: Iterable[str],
) -> requests.Response:
    """
    The answer to a form with secrets, which goes to the host it was meant for, or nowhere.

    Raises:
        LoginError: the host redirects, or its certificate is not trusted.
        OrgUnavailable: nobody answers, or the host cannot log anyone in now.
    """
    host = urlsplit(url).netloc
    try:
        response = http.post(
            url, data=data, headers=headers, timeout=LOGIN_TIMEOUT_S, allow_redirects=False
        )
    except (requests.RequestException, ValueError) as err:
        raise unreachable(url, err, secrets) from err
    except ObjectError as err:
        raise LoginError(f"{host}: {err}") from err
    if target := redirect_target(response):
        there = clean(urlsplit(target).netloc)[:200]
        raise LoginError(
            f"{host} redirects logins to {there or 'no address'}. If that is the org's address, "
            "use it as --domain."
        )
    if response.status_code in _AWAY_STATUS:
        raise OrgUnavailable(f"{host} cannot log anyone in now (HTTP {response.status_code}).")
    return response


def unreachable(url: str, err: Exception, secrets: Iterable[str] = ()) -> Exception:
    """Our error for a call that got no answer."""
    host = urlsplit(url).netloc
    text = mask(str(err), secrets)
    if isinstance(err, requests.exceptions.SSLError):
        return LoginError(
            f"{host}: its TLS certificate is not trusted here. If your company signs its own, "
            "name its file with --ca-file or REQUESTS_CA_BUNDLE."
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


def refused(url: str, code: str, message: str, secrets: Iterable[str] = ()) -> BaseException:
    """Our error for a login that the org refused."""
    host = urlsplit(url).netloc
    bare = mask(code.rsplit(":", maxsplit=1)[-1], secrets)[:80] or "no code"
    message = " ".join(mask(message, secrets).split())[:500]
    message = message.removeprefix(f"{bare}: ").strip().rstrip(".")
    if bare == "REQUEST_LIMIT_EXCEEDED":
        reason = f"{host} refuses logins: the org's API calls are used up ({message})."
        return QuotaSignal("api", used=-1, in_flight=0, maximum=-1, threshold=-1, reason=reason)
    if bare in _AWAY_CODES:
        return OrgUnavailable(f"{host} cannot log anyone in now: {message} ({bare}).")
    advice = _ADVICE.get(bare, "Check the login in the org's Setup, Login History.")
    return LoginError(f"{host} refused the login: {message or bare} ({bare}). {advice}")


def no_sense(response: requests.Response) -> TransientError:
    """
    Our error for an answer that no Salesforce org gives. Maintenance pages and failing servers come
    with 200 or 5xx: an org that is known is away then, and waited for.
    """
    kind = clean(response.headers.get("Content-Type", "nothing")).split(";")[0][:60]
    host = urlsplit(response.url).netloc
    status = response.status_code
    is_of_the_call = 300 <= status < 500
    return (TransientError if is_of_the_call else OrgUnavailable)(
        f"{host} answered a login with {kind} (HTTP {status}), as no Salesforce org "
        "does. Check the address, and whether a proxy or a maintenance page answers."
    )


def object_of(response: requests.Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises TransientError when it is none."""
    try:
        answer = json_of(response.content, what="login")
    except TransientError:
        answer = None
    if not isinstance(answer, dict):
        raise no_sense(response)
    return answer


def instance_of(server: str, start: str) -> str:
    """
    The origin of the API from what the login answered.

    A server on this machine may call itself by https or by a name; we stay where we found it.

    Raises:
        CallerError: it is no address.
    """
    parts = urlsplit(start)
    if parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS and _port(server) == parts.port:
        return start
    # Salesforce names its oldest API hosts na1-api.salesforce.com; na1.salesforce.com serves REST.
    try:
        origin = parse_url(server)
    except ValueError as err:
        raise CallerError("the address cannot be read.") from err
    return re.sub(r"//(\w+)-api\.salesforce\.com", r"//\1.salesforce.com", origin)


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError as err:
        raise CallerError("the address has no port that is one.") from err
