"""The token endpoint: client credentials, JWT bearer, refresh token, and username with an app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import requests

from sfnb.clock import Clock
from sfnb.errors import CallerError, LoginError
from sfnb.org.answers import text_of
from sfnb.org.credentials import (
    ClientCredentials,
    JwtCredentials,
    PasswordCredentials,
    RefreshCredentials,
)
from sfnb.org.ids import is_record_id, to18
from sfnb.org.login.identity import with_identity
from sfnb.org.login.replies import instance_of, no_sense, object_of, post, refused
from sfnb.org.session import Session

JWT_VALID_FOR = timedelta(minutes=3)
"""Salesforce refuses assertions that live longer than five minutes (OAuth 2.0 JWT Bearer Flow)."""

OAuthCredentials = PasswordCredentials | ClientCredentials | JwtCredentials | RefreshCredentials


def oauth_login(credentials: OAuthCredentials, http: requests.Session, clock: Clock) -> Session:
    """A session from the token endpoint; see ``login`` for what it raises."""
    form = _token_form(credentials, clock)
    secrets = _secrets_in(form)
    response = post(
        http, f"{credentials.url}/services/oauth2/token", data=form, headers={}, secrets=secrets
    )
    session = parse_token_answer(response, credentials.url, secrets=secrets)
    if not isinstance(credentials, RefreshCredentials):
        session = replace(session, refresh_token="")
    return session if session.org_id else with_identity(session, http)


def parse_token_answer(
    response: requests.Response, url: str, *, secrets: tuple[str, ...] = ()
) -> Session:
    """The session in an answer of the token endpoint; see ``login`` for what it raises."""
    answer = object_of(response)
    if "error" in answer:
        raise refused(
            url, text_of(answer["error"]), text_of(answer.get("error_description")), secrets
        )
    token = text_of(answer.get("access_token"))
    if response.status_code != 200 or not token:
        raise no_sense(response)
    try:
        org_id, user_id = _identity(text_of(answer.get("id")))
        instance_url = instance_of(text_of(answer.get("instance_url")) or url, url)
    except CallerError:
        raise no_sense(response) from None
    return Session(instance_url, token, org_id, user_id, text_of(answer.get("refresh_token")))


def _token_form(credentials: OAuthCredentials, clock: Clock) -> dict[str, str]:
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
            # A public client (a PKCE app) has no secret.
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


def _identity(url: str) -> tuple[str, str]:
    """Organization and user from an identity URL: ``https://login.salesforce.com/id/00D…/005…``."""
    try:
        parts = urlsplit(url).path.strip("/").split("/")
    except ValueError:
        return "", ""
    if len(parts) < 3 or parts[-3] != "id" or not is_record_id(parts[-2]):
        return "", ""
    return to18(parts[-2]), parts[-1]


def _secrets_in(form: Mapping[str, str]) -> tuple[str, ...]:
    names = ("password", "client_secret", "refresh_token", "assertion")
    return tuple(form[name] for name in names if form.get(name))
