"""
SOAP calls on records that no other API has: ``undelete``, ``emptyRecycleBin`` and ``merge`` (SOAP
guide).

Unlike ``login`` they need a session, in the message's header, and count as a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from sfnb_demo.data.writing.incoming import Saved
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
    if name == "merge":
        return _answer(name, [_merged(org, request, e) for e in operation])
    wanted = [(e.text or "").strip() for e in operation if local(e.tag) == "ids"]
    if len(wanted) > MOST_IDS:
        raise ApiError("EXCEEDED_ID_LIMIT", f"record limit reached: at most {MOST_IDS} ids", 500)
    do = {"undelete": org.database.undelete, "emptyRecycleBin": org.database.empty_bin}[name]
    results = []
    for saved in do(wanted, write_options(request)):
        results.append(
            f"{_errors(saved)}<id>{escape(saved.record_id)}</id>"
            f"<success>{str(saved.is_good).lower()}</success>"
        )
    return _answer(name, results)


def _merged(org: DemoOrg, request: Request, given: ElementTree.Element) -> str:
    """One MergeRequest: a record with its type, Id and new values, and the Ids of others."""
    winner: dict[str, Any] = {}
    losers: list[str] = []
    for element in given:
        text = (element.text or "").strip()
        if local(element.tag) == "masterRecord":
            winner = {local(e.tag): (e.text or "").strip() for e in element}
            null = [(e.text or "").strip() for e in element if local(e.tag) == "fieldsToNull"]
            winner |= dict.fromkeys(null)
        elif local(element.tag) == "recordToMergeIds":
            losers.append(text)
    winner.pop("fieldsToNull", None)
    kind = str(winner.pop("type", ""))
    if org.object_name(kind, request.user.user.user_id) is None:
        raise ApiError("INVALID_TYPE", f"sObject type '{kind}' is not supported.", 500)
    saved, merged, moved = org.database.merge(kind, winner, losers, write_options(request))
    ids = "".join(f"<mergedRecordIds>{escape(i)}</mergedRecordIds>" for i in merged)
    related = "".join(f"<updatedRelatedIds>{escape(i)}</updatedRelatedIds>" for i in moved)
    return (
        f"{_errors(saved)}<id>{escape(saved.record_id)}</id>{ids}"
        f"<success>{str(saved.is_good).lower()}</success>{related}"
    )


def _errors(saved: Saved) -> str:
    return "".join(
        "<errors>"
        + "".join(f"<fields>{escape(field)}</fields>" for field in err.fields)
        + f"<message>{escape(err.message)}</message><statusCode>{err.code}</statusCode></errors>"
        for err in saved.errors[:1]
    )


def _answer(name: str, results: list[str]) -> Response:
    inside = "".join(f"<result>{result}</result>" for result in results)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="urn:partner.soap.sforce.com">'
        f"<soapenv:Body><{name}Response>{inside}</{name}Response></soapenv:Body>"
        "</soapenv:Envelope>"
    )
    return Response(200, body.encode(), SOAP_TYPE)


def is_data_call(request: Request) -> bool:
    """Whether the message asks for one of these; one that cannot be read does not."""
    try:
        return local(soap_body(request.body).tag) in ("undelete", "emptyRecycleBin", "merge")
    except ApiError:
        return False


ROUTE: Route = route("POST", "/services/Soap/u/{version}", call, family="soap")
