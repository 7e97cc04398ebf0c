"""
SOAP calls on records that no other API has: ``undelete`` and ``emptyRecycleBin`` (SOAP guide).

Unlike ``login`` they need a session, in the message's header, and count as a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from sfnb_demo.errors import ApiError
from sfnb_demo.server.soap import SOAP_TYPE, local, soap_body
from sfnb_demo.server.wire import Request, Response, Route, route
from sfnb_demo.server.write_options import write_options

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

MOST_IDS = 200


def call(org: DemoOrg, request: Request) -> Response:
    operation = soap_body(request.body)
    name = local(operation.tag)
    wanted = [(e.text or "").strip() for e in operation if local(e.tag) == "ids"]
    if len(wanted) > MOST_IDS:
        raise ApiError("EXCEEDED_ID_LIMIT", f"record limit reached: at most {MOST_IDS} ids", 500)
    do = {"undelete": org.database.undelete, "emptyRecycleBin": org.database.empty_bin}[name]
    results = []
    for saved in do(wanted, write_options(request)):
        errors = "".join(
            "<errors>"
            + "".join(f"<fields>{escape(field)}</fields>" for field in err.fields)
            + f"<message>{escape(err.message)}</message><statusCode>{err.code}</statusCode></errors>"
            for err in saved.errors[:1]
        )
        results.append(
            f"<result>{errors}<id>{escape(saved.record_id)}</id>"
            f"<success>{str(saved.is_good).lower()}</success></result>"
        )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="urn:partner.soap.sforce.com">'
        f"<soapenv:Body><{name}Response>{''.join(results)}</{name}Response></soapenv:Body>"
        "</soapenv:Envelope>"
    )
    return Response(200, body.encode(), SOAP_TYPE)


def is_data_call(request: Request) -> bool:
    """Whether the message asks for one of these; one that cannot be read does not."""
    try:
        return local(soap_body(request.body).tag) in ("undelete", "emptyRecycleBin")
    except ApiError:
        return False


ROUTE: Route = route("POST", "/services/Soap/u/{version}", call, family="soap")
