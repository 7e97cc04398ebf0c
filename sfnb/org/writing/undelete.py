"""
The recycle bin: records come out of it with their Ids and with the details deleted with them, or
leave it for good.

Only SOAP has it (SOAP guide, ``undelete()`` and ``emptyRecycleBin()``: up to 200 Ids in a call).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

import requests

from sfnb.errors import AnswerLost, SfnbError, TransientError
from sfnb.org.client import OrgClient
from sfnb.org.metadata.api import SessionEnded, fault_error, fault_of
from sfnb.org.metadata.xml import Tree, XmlReader, child, children, text
from sfnb.org.refusals import refusal_of
from sfnb.org.writing.calls import RowResult, lost_or, results_of, write

MOST_IDS = 200

_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns="urn:partner.soap.sforce.com">'
    "<env:Header><SessionHeader><sessionId>{session}</sessionId></SessionHeader>"
    "<AllOrNoneHeader><allOrNone>false</allOrNone></AllOrNoneHeader></env:Header>"
    "<env:Body><{operation}>{ids}</{operation}></env:Body></env:Envelope>"
)


class _SessionEnded(SfnbError):
    """The session of the call has ended before it did anything."""


def undelete(org: OrgClient, record_ids: Sequence[str]) -> list[RowResult]:
    """
    Take records out of the recycle bin; a result for each, in their order.

    Cost: 1 API call. Name parents only: what went with them comes back with them, and is refused
    where it is named itself.

    Raises:
        AnswerLost: the org may have undeleted any of them.
        ObjectError: the call as a whole was refused; nothing was undeleted.
    """
    return _each(org, "undelete", record_ids)


def empty_bin(org: OrgClient, record_ids: Sequence[str]) -> list[RowResult]:
    """
    Take records out of the recycle bin for good; a result for each, in their order.

    Cost: 1 API call. Name parents only: what went with them goes with them, and is refused where it
    is named itself. Whoever deleted a record may do so; others need Modify All Data. Queries with
    what is deleted may show the records for another day.

    Raises:
        AnswerLost: any of them may be gone.
        ObjectError: the call as a whole was refused.
    """
    return _each(org, "emptyRecycleBin", record_ids)


def _each(org: OrgClient, operation: str, record_ids: Sequence[str]) -> list[RowResult]:
    if not 0 < len(record_ids) <= MOST_IDS:
        raise ValueError(f"a call takes 1 to {MOST_IDS} Ids, not {len(record_ids)}")
    used = org.open_session
    try:
        answer = _send(org, operation, record_ids)
    except _SessionEnded:
        org.address.log_in_again(used)
        answer = _send(org, operation, record_ids)
    found = child(answer, "Envelope", "Body", f"{operation}Response")
    results = [_as_rest(one) for one in children(found, "result")]
    return results_of(results, len(record_ids), f"SOAP, {operation}")


def _send(org: OrgClient, operation: str, record_ids: Sequence[str]) -> Tree:
    # The session goes in the message: SOAP looks at no header (SOAP guide, SessionHeader).
    session = escape(org.open_session.token)
    ids = "".join(f"<ids>{escape(one)}</ids>" for one in record_ids)
    response = write(
        org,
        "POST",
        f"/services/Soap/u/{org.api_version}",
        data=_ENVELOPE.format(session=session, operation=operation, ids=ids).encode(),
        headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'},
        judge=_judge,
        what=f"SOAP, {operation}",
    )
    try:
        return XmlReader().read([response.content])
    except TransientError as err:
        raise AnswerLost(f"SOAP, {operation}: {err}") from err


def _judge(response: requests.Response, what: str) -> BaseException | None:
    """A fault comes with HTTP 500; its code is that of REST, or has a prefix (``sf:``)."""
    kind = response.headers.get("Content-Type", "")
    if response.status_code == 200 and "xml" in kind:
        return None
    code, message = fault_of(response.content) if "xml" in kind else ("", "")
    if code:
        refusal = fault_error(code, message, what)
        if isinstance(refusal, SessionEnded):
            return _SessionEnded(str(refusal))
        return lost_or(refusal, response.status_code)
    refused = refusal_of(response.status_code, response.headers, response.content, what=what)
    if refused is None:
        return AnswerLost(f"{what}: expected XML, received {kind[:60]}.")
    return lost_or(refused, response.status_code)


def _as_rest(result: Any) -> dict[str, Any]:
    """A result in the shape of REST's, where the names are the same and the types are not."""
    errors = [
        {
            "statusCode": text(one, "statusCode"),
            "message": text(one, "message"),
            "fields": [name for name in children(one, "fields") if isinstance(name, str)],
        }
        for one in children(result, "errors")
        if isinstance(one, dict)
    ]
    success = {"true": True, "false": False}.get(text(result, "success"))
    return {"id": text(result, "id"), "success": success, "errors": errors}
