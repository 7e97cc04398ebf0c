"""SOAP: ``login()`` for the clients that still use it, and its faults."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from sfnb_demo.errors import ApiError
from sfnb_demo.server.sessions import Session
from sfnb_demo.server.wire import Request, Response, route

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

SOAP_TYPE = "text/xml;charset=UTF-8"
_LAST_LOGIN_VERSION = 64.0
"""``login()`` is absent from API version 65.0 on (Salesforce help, SOAP login retirement)."""


def call(org: DemoOrg, request: Request) -> Response:
    """POST /services/Soap/u/{version}: ``login``; what ``soap_data`` has does not come here."""
    texts, operation = _read(request.body)
    if operation != "login":
        raise ApiError(
            "INVALID_OPERATION",
            f"The operation {operation!r} is not served here: login, undelete, emptyRecycleBin, merge are.",
            500,
        )
    if not 31.0 <= float(request.version) <= _LAST_LOGIN_VERSION:
        raise ApiError(
            "UNSUPPORTED_API_VERSION",
            f"login() is not available in API version {request.version}; use 64.0 or older, or OAuth.",
            500,
        )
    user = org.sessions.organization.find_user(texts.get("username", ""))
    if (
        user is None
        or not user.is_active
        or not org.sessions.is_password(texts.get("password", ""))
    ):
        raise ApiError(
            "INVALID_LOGIN", "Invalid username, password, security token; or user locked out.", 500
        )  # fmt: skip
    session = org.sessions.open(user, org.sessions.soap_app)
    return Response(200, _login_result(org, request, session).encode(), SOAP_TYPE)


def fault(err: ApiError) -> Response:
    """A fault, always HTTP 500; clients look for the ``sf:`` tags, or for ``faultstring``."""
    code, message = escape(err.code), escape(err.message)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode>"
        f"<faultstring>{code}: {message}</faultstring>"
        f'<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode>'
        f"<sf:exceptionMessage>{message}</sf:exceptionMessage></sf:LoginFault></detail>"
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    )
    return Response(500, body.encode(), SOAP_TYPE)


def _read(body: bytes) -> tuple[dict[str, str], str]:
    """The operation's arguments and its name. Prefixes are ignored: each client picks its own."""
    operation = soap_body(body)
    return {local(child.tag): child.text or "" for child in operation}, local(operation.tag)


def soap_body(body: bytes) -> ElementTree.Element:
    """
    The operation of a SOAP message.

    A document type is refused, so that no entity can be expanded.
    """
    for element in _message(body).iter():
        if local(element.tag) == "Body" and len(element):
            return element[0]
    raise ApiError("INVALID_XML", "The SOAP message has no body.", 500)


def session_id(body: bytes) -> str:
    """The session of a SOAP message's header; empty: it has none."""
    found = (e.text or "" for e in _message(body).iter() if local(e.tag) == "sessionId")
    return next(found, "").strip()


def _message(body: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in body:
        raise ApiError("INVALID_XML", "A document type is not allowed in a SOAP message.", 500)
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - no document type, so no entities
    except ElementTree.ParseError as err:
        raise ApiError("INVALID_XML", f"The SOAP message cannot be parsed: {err}", 500) from err


def local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _login_result(org: DemoOrg, request: Request, session: Session) -> str:
    """The elements inside loginResponse carry no prefix: clients search for the bare tags."""
    organization, user = org.sessions.organization, session.user
    idle_s = int((org.sessions.idle_minutes or 120) * 60)
    base = escape(request.base_url)
    address = f"{request.version}/{organization.id15}"
    info = {
        "accessibilityMode": "false",
        "currencySymbol": "$",
        "orgAttachmentFileSizeLimit": "5242880",
        "orgDefaultCurrencyIsoCode": "USD",
        "orgDisallowHtmlAttachments": "false",
        "orgHasPersonAccounts": "false",
        "organizationId": organization.id,
        "organizationMultiCurrency": "false",
        "organizationName": organization.name,
        "profileId": user.profile_id,
        "roleId": None,
        "sessionSecondsValid": str(idle_s),
        "userDefaultCurrencyIsoCode": None,
        "userEmail": user.email,
        "userFullName": user.name,
        "userId": user.user_id,
        "userLanguage": "en_US",
        "userLocale": "en_US",
        "userName": user.username,
        "userTimeZone": "America/Los_Angeles",
        "userType": "Standard",
        "userUiSkin": "Theme3",
    }
    user_info = "".join(
        f'<{name} xsi:nil="true"/>' if value is None else f"<{name}>{escape(value)}</{name}>"
        for name, value in info.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        "<soapenv:Body><loginResponse><result>"
        f"<metadataServerUrl>{base}/services/Soap/m/{address}</metadataServerUrl>"
        f"<passwordExpired>false</passwordExpired><sandbox>{str(organization.is_sandbox).lower()}</sandbox>"
        f"<serverUrl>{base}/services/Soap/u/{address}</serverUrl>"
        f"<sessionId>{session.token}</sessionId><userId>{user.user_id}</userId>"
        f"<userInfo>{user_info}</userInfo></result></loginResponse></soapenv:Body></soapenv:Envelope>"
    )


ROUTES = [
    route("POST", "/services/Soap/u/{version}", call, family="soap", is_open=True),
    route("POST", "/services/Soap/u/{version}/{org}", call, family="soap", is_open=True),
]
