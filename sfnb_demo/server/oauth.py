"""OAuth 2.0: the token endpoint's four flows, revoke, userinfo and the identity URL."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import jwt

from sfnb_demo.data.schema import User
from sfnb_demo.errors import ApiError
from sfnb_demo.server.clock import rest_time
from sfnb_demo.server.sessions import ConnectedApp, Session
from sfnb_demo.server.wire import Request, Response, empty_answer, json_answer, route

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

_LOGIN_HOSTS = ("https://login.salesforce.com", "https://test.salesforce.com")


class Refusal(Exception):
    """The token endpoint's answer instead of a token; always HTTP 400."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


def token(org: DemoOrg, request: Request) -> Response:
    """POST /services/oauth2/token."""
    form = (
        dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        | request.params
    )
    _read_basic_auth(request, form)
    flows = {
        "password": _password,
        "client_credentials": _client_credentials,
        "refresh_token": _refresh,
        "urn:ietf:params:oauth:grant-type:jwt-bearer": _jwt_bearer,
    }
    try:
        flow = flows.get(form.get("grant_type", ""))
        if flow is None:
            raise Refusal("unsupported_grant_type", "grant type not supported")
        return json_answer(flow(org, request, form))
    except Refusal as refusal:
        return json_answer({"error": refusal.error, "error_description": refusal.description}, 400)


def revoke(org: DemoOrg, request: Request) -> Response:
    """POST (or GET) /services/oauth2/revoke?token=…: 200, or 400 for an unknown token."""
    form = request.params | dict(parse_qsl(request.body.decode("utf-8", "replace")))
    if org.sessions.end(form.get("token", "")):
        return empty_answer(200)
    return json_answer(
        {
            "error": "unsupported_token_type",
            "error_description": "this token type is not supported",
        },
        400,
    )


def userinfo(org: DemoOrg, request: Request) -> Response:
    return json_answer(
        _person(org, request) | {"sub": _identity_url(org, request, request.user.user)}
    )


def identity(org: DemoOrg, request: Request) -> Response:
    """GET /id/{org}/{user}."""
    person = _person(org, request)
    return json_answer(
        person
        | {
            "id": _identity_url(org, request, request.user.user),
            "asserted_user": True,
            "username": request.user.user.username,
            "display_name": request.user.user.name,
            "last_modified_date": rest_time(org.clock.now()),
            "is_app_installed": True,
        }
    )


def _password(org: DemoOrg, request: Request, form: dict[str, str]) -> dict[str, Any]:
    app = _app(org, form)
    user = org.sessions.organization.find_user(form.get("username", ""))
    if user is None or not user.is_active or not org.sessions.is_password(form.get("password", "")):
        raise Refusal("invalid_grant", "authentication failure")
    return _grant(org, request, org.sessions.open(user, app))


def _client_credentials(org: DemoOrg, request: Request, form: dict[str, str]) -> dict[str, Any]:
    return _grant(org, request, org.sessions.open(org.sessions.admin, _app(org, form)))


def _refresh(org: DemoOrg, request: Request, form: dict[str, str]) -> dict[str, Any]:
    _app(org, form, is_secret_optional=True)
    session = org.sessions.refreshed(form.get("refresh_token", ""))
    if session is None:
        raise Refusal("invalid_grant", "expired access/refresh token")
    return _grant(org, request, session)


def _jwt_bearer(org: DemoOrg, request: Request, form: dict[str, str]) -> dict[str, Any]:
    try:
        # Audience by hand below: Salesforce takes the login hosts and the org's own. An exp far
        # away is fine, some clients give it in milliseconds.
        claims = jwt.decode(
            form.get("assertion", ""),
            org.keys.jwt_public_pem,
            algorithms=["RS256"],
            options={"verify_aud": False, "require": ["iss", "sub", "aud", "exp"]},
        )
    except jwt.PyJWTError as err:
        raise Refusal("invalid_grant", "invalid assertion") from err
    if claims["iss"] != org.sessions.app.client_id:
        raise Refusal("invalid_client_id", "client identifier invalid")
    if str(claims["aud"]).rstrip("/") not in (*_LOGIN_HOSTS, request.base_url, *org.base_urls):
        raise Refusal("invalid_grant", "audience is invalid")
    user = org.sessions.organization.find_user(str(claims["sub"]))
    if user is None or not user.is_active:
        raise Refusal("invalid_grant", "user hasn't approved this consumer")
    return _grant(org, request, org.sessions.open(user, org.sessions.app))


def _app(org: DemoOrg, form: dict[str, str], *, is_secret_optional: bool = False) -> ConnectedApp:
    app = org.sessions.app
    if form.get("client_id") != app.client_id:
        raise Refusal("invalid_client_id", "client identifier invalid")
    given = form.get("client_secret")
    if given is None and is_secret_optional:
        return app
    if not hmac.compare_digest((given or "").encode(), app.client_secret.encode()):
        raise Refusal("invalid_client", "invalid client credentials")
    return app


def _read_basic_auth(request: Request, form: dict[str, str]) -> None:
    """Take client id and secret from HTTP Basic where the form has none."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic" or "client_id" in form:
        return
    try:
        decoded = base64.b64decode(value, validate=True).decode()
    except ValueError as err:
        raise ApiError("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", 401) from err
    form["client_id"], _, form["client_secret"] = decoded.partition(":")


def _grant(org: DemoOrg, request: Request, session: Session) -> dict[str, Any]:
    """
    A token answer, with everything that any client needs. ``issued_at`` is milliseconds as text.
    """
    identity_url = _identity_url(org, request, session.user)
    issued_at = str(int(org.clock.now_s() * 1000))
    signature = hmac.new(
        session.app.client_secret.encode(), (identity_url + issued_at).encode(), hashlib.sha256
    )
    return {
        "access_token": session.token,
        "signature": base64.b64encode(signature.digest()).decode(),
        "scope": "api refresh_token",
        "instance_url": request.base_url,
        "id": identity_url,
        "token_type": "Bearer",
        "issued_at": issued_at,
    }


def _identity_url(org: DemoOrg, request: Request, user: User) -> str:
    return f"{request.base_url}/id/{org.sessions.organization.id}/{user.user_id}"


def _person(org: DemoOrg, request: Request) -> dict[str, Any]:
    user, organization, base = request.user.user, org.sessions.organization, request.base_url
    given, _, family = user.name.rpartition(" ")
    picture = f"{base}/profilephoto/005/F"
    return {
        "user_id": user.user_id,
        "organization_id": organization.id,
        "preferred_username": user.username,
        "nickname": user.username.partition("@")[0],
        "name": user.name,
        "email": user.email,
        "email_verified": True,
        "given_name": given or None,
        "family_name": family,
        "zoneinfo": "America/Los_Angeles",
        "photos": {"picture": picture, "thumbnail": picture.replace("/F", "/T")},
        "profile": f"{base}/{user.user_id}",
        "picture": picture,
        "address": {},
        "urls": {
            "enterprise": f"{base}/services/Soap/c/{{version}}/{organization.id15}",
            "metadata": f"{base}/services/Soap/m/{{version}}/{organization.id15}",
            "partner": f"{base}/services/Soap/u/{{version}}/{organization.id15}",
            "rest": f"{base}/services/data/v{{version}}/",
            "sobjects": f"{base}/services/data/v{{version}}/sobjects/",
            "search": f"{base}/services/data/v{{version}}/search/",
            "query": f"{base}/services/data/v{{version}}/query/",
            "recent": f"{base}/services/data/v{{version}}/recent/",
            "profile": f"{base}/{user.user_id}",
        },
        "active": user.is_active,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": -28800000,
        "updated_at": rest_time(org.clock.now()),
    }


ROUTES = [
    route("POST", "/services/oauth2/token", token, family="free", is_open=True),
    route("POST", "/services/oauth2/revoke", revoke, family="free", is_open=True),
    route("GET", "/services/oauth2/revoke", revoke, family="free", is_open=True),
    route("GET", "/services/oauth2/userinfo", userinfo, family="free"),
    route("POST", "/services/oauth2/userinfo", userinfo, family="free"),
    route("GET", "/id/{org}/{user}", identity, family="free"),
]
