"""SOAP ``login()``: username, password and security token."""

from __future__ import annotations

import html
import re
from xml.sax.saxutils import escape

import requests

from sfnb.errors import CallerError
from sfnb.org.credentials import PasswordCredentials
from sfnb.org.ids import to18
from sfnb.org.login.replies import instance_of, no_sense, post, refused
from sfnb.org.session import Session
from sfnb.version import __version__

SOAP_VERSION = "64.0"
"""The last version whose partner API has ``login()``."""

_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:urn="urn:partner.soap.sforce.com">'
    "<env:Header><urn:CallOptions><urn:client>sfnb/{version}</urn:client></urn:CallOptions></env:Header>"
    "<env:Body><urn:login><urn:username>{username}</urn:username>"
    "<urn:password>{password}</urn:password></urn:login></env:Body></env:Envelope>"
)


def soap_login(credentials: PasswordCredentials, http: requests.Session) -> Session:
    """A session by SOAP; see ``login`` for what it raises."""
    secret = credentials.password + credentials.security_token
    envelope = _ENVELOPE.format(
        version=__version__, username=escape(credentials.username), password=escape(secret)
    )
    secrets = (secret, credentials.password, credentials.security_token)
    response = post(
        http,
        f"{credentials.url}/services/Soap/u/{SOAP_VERSION}",
        data=envelope.encode("utf-8", "replace"),
        headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "login"},
        secrets=secrets,
    )
    return parse_soap_login(response, credentials.url, secrets=secrets)


def parse_soap_login(
    response: requests.Response, url: str, *, secrets: tuple[str, ...] = ()
) -> Session:
    """The session in an answer of ``login()``; see ``login`` for what it raises."""
    text = response.content.decode("utf-8", "replace")
    code = _element(text, "exceptionCode")
    message = _element(text, "exceptionMessage") or _element(text, "faultstring")
    if code or message:
        raise refused(url, code or "SOAP fault", message, secrets)
    if _element(text, "passwordExpired") == "true":
        raise refused(url, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "the password has expired")
    token, server = _element(text, "sessionId"), _element(text, "serverUrl")
    if response.status_code != 200 or not token or not server:
        raise no_sense(response)
    try:
        org_id = to18(_element(text, "organizationId") or token[:15])
        instance_url = instance_of(server, url)
    except CallerError:
        raise no_sense(response) from None
    return Session(instance_url, token, org_id, _element(text, "userId"))


def _element(text: str, name: str) -> str:
    """The text of the first element of that local name; the prefix differs between servers."""
    found = re.search(rf"<(?:[\w.-]{{1,40}}:)?{name}(?:\s[^<>]*)?>([^<]*)<", text)
    return html.unescape(found[1]).strip() if found else ""
