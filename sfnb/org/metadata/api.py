"""Operations of the Metadata API (Metadata API Developer Guide), each one call through the gate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import requests

from sfnb.errors import LoginError, ObjectError, QuotaSignal, SfnbError, TransientError
from sfnb.org.bodies import BodyStream
from sfnb.org.client import OrgClient
from sfnb.org.metadata.xml import Tree, XmlReader, child, children, text
from sfnb.org.refusals import refusal_of
from sfnb.org.secrets import clean

LIST_QUERIES = 3
"""Queries in one listMetadata (Metadata API guide, listMetadata)."""

_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns="http://soap.sforce.com/2006/04/metadata">'
    "<env:Header><SessionHeader><sessionId>{session}</sessionId></SessionHeader></env:Header>"
    "<env:Body>{body}</env:Body></env:Envelope>"
)
_CHUNK_BYTES = 1 << 18
_MAX_ANSWER_BYTES = 512 << 20

Package = Mapping[str, Sequence[str]]
"""Full names of components by type."""


class SessionEnded(TransientError):
    """The session of a SOAP call has ended; the same call works with a new one."""


class RetrieveGone(ObjectError):
    """The result of a retrieve has been deleted, because it was fetched once. Start a new one."""


@dataclass(frozen=True, slots=True)
class MetadataType:
    """One type of the org: see describeMetadata. ``suffix`` is empty for documents."""

    name: str
    directory: str
    suffix: str
    in_folder: bool
    has_meta_file: bool


@dataclass(frozen=True, slots=True)
class Component:
    """
    What the org says of one component. ``full_name`` may lack a package's namespace.

    Args:
        modified_at: as the org tells it. It may be the epoch, empty, or that of an inner part only.
    """

    type: str
    full_name: str
    file_name: str
    id: str = ""
    modified_at: str = ""
    modified_by: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class RetrieveStatus:
    """
    How a retrieve stands.

    Args:
        error: its code and message, when the whole retrieve failed.
        components: what the zip has.
        messages: what the org says about files that it could not give.
    """

    is_done: bool
    error: tuple[str, str] | None = None
    components: tuple[Component, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()


def describe_types(org: OrgClient) -> list[MetadataType]:
    """The types of metadata that the org has. Cost: 1 API call."""
    answer = call(org, "describeMetadata", tags(asOfVersion=org.api_version))
    found = children(child(answer, "result"), "metadataObjects")
    return [
        MetadataType(
            clean(text(one, "xmlName")),
            clean(text(one, "directoryName")),
            clean(text(one, "suffix")),
            text(one, "inFolder") == "true",
            text(one, "metaFile") == "true",
        )
        for one in found
        if text(one, "xmlName")
    ]


def list_components(org: OrgClient, queries: Sequence[tuple[str, str]]) -> list[Component]:
    """
    The components of up to three types, each with a folder or an empty text.

    Cost: 1 API call.
    """
    asked = "".join(
        f"<queries>{tags(folder=folder or None, type=name)}</queries>" for name, folder in queries
    )
    answer = call(org, "listMetadata", asked + tags(asOfVersion=org.api_version))
    return [_component(one) for one in children(answer, "result")]


def start_retrieve(org: OrgClient, package: Package) -> str:
    """Ask for components; the Id of the retrieve. Cost: 1 API call."""
    types = "".join(
        f"<types>{''.join(tags(members=name) for name in names)}{tags(name=kind)}</types>"
        for kind, names in package.items()
    )
    version = tags(version=org.api_version)
    request = (
        f"<retrieveRequest>{tags(apiVersion=org.api_version, singlePackage='true')}"
        f"<unpackaged>{types}{version}</unpackaged></retrieveRequest>"
    )
    return text(child(call(org, "retrieve", request), "result"), "id")


def check_retrieve(org: OrgClient, retrieve_id: str, sink: Any) -> RetrieveStatus:
    """
    How a retrieve stands; where it is done, its zip goes into ``sink``, once.

    Cost: 1 API call.

    Raises:
        RetrieveGone: its result was fetched before, or is too old.
    """
    body = tags(asyncProcessId=retrieve_id, includeZip="true")
    result = child(call(org, "checkRetrieveStatus", body, sink=sink), "result")
    if text(result, "done") != "true":
        return RetrieveStatus(is_done=False)
    error = None
    if text(result, "success") != "true":
        message = clean(text(result, "errorMessage"))[:500]
        error = clean(text(result, "errorStatusCode"))[:100], message
    return RetrieveStatus(
        True,
        error,
        tuple(_component(one) for one in children(result, "fileProperties")),
        tuple(
            (clean(text(one, "fileName")), clean(text(one, "problem"))[:500])
            for one in children(result, "messages")
        ),
    )


def _component(one: Any) -> Component:
    return Component(
        text(one, "type"),
        text(one, "fullName"),
        text(one, "fileName"),
        text(one, "id"),
        text(one, "lastModifiedDate"),
        text(one, "lastModifiedByName"),
        text(one, "namespacePrefix"),
    )


def tags(**values: str | None) -> str:
    """XML elements of these texts; of None there is none."""
    return "".join(
        f"<{name}>{escape(value)}</{name}>" for name, value in values.items() if value is not None
    )


def call(org: OrgClient, operation: str, inner: str, *, sink: Any = None) -> Tree:
    """One call, repeated once with a new session where the present one has ended."""
    used = org.open_session
    try:
        return _send(org, operation, inner, sink)
    except SessionEnded:
        org.address.log_in_again(used)
        return _send(org, operation, inner, sink)


def _send(org: OrgClient, operation: str, inner: str, sink: Any) -> Tree:
    # The session goes in the message: the Metadata API looks at no header (Metadata API guide).
    session = escape(org.open_session.token)
    body = f"<{operation}>{inner}</{operation}>"
    envelope = _ENVELOPE.format(session=session, body=body)
    what = f"Metadata API, {operation}"
    response = org.request(
        "POST",
        f"/services/Soap/m/{org.api_version}",
        data=envelope.encode(),
        headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'},
        stream=True,
        judge=_judge,
        what=what,
    )
    with response:
        stream = BodyStream(response, what=what, clock=org.clock, max_bytes=_MAX_ANSWER_BYTES)
        answer = XmlReader(sink=sink).read(_chunks(stream))
    found = child(answer, "Envelope", "Body", f"{operation}Response")
    if not isinstance(found, dict) and operation != "listMetadata":
        raise TransientError(f"{what}: the answer has no result.")
    return found if isinstance(found, dict) else {}


def _chunks(stream: BodyStream) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _judge(response: requests.Response, what: str) -> BaseException | None:
    """A fault comes with HTTP 500; its code is that of REST, or has a prefix (``sf:``)."""
    kind = response.headers.get("Content-Type", "")
    if response.status_code == 200 and "xml" in kind:
        return None
    code, message = fault_of(response.content) if "xml" in kind else ("", "")
    if not code:
        body = b"" if response.status_code == 200 else response.content
        refusal = refusal_of(response.status_code, response.headers, body, what=what)
        return refusal or TransientError(f"{what}: expected XML, received {kind[:60]}.")
    return fault_error(code, message, what)


def fault_of(body: bytes) -> tuple[str, str]:
    """Code and message of a SOAP fault; empty where it is none."""
    try:
        fault = child(XmlReader().read([body]), "Envelope", "Body", "Fault")
    except TransientError:
        return "", ""
    code = text(fault, "faultcode").rpartition(":")[2]
    message = text(fault, "faultstring")
    return clean(code)[:100], clean(message.removeprefix(f"{code}: "))[:500]


def fault_error(code: str, message: str, what: str) -> SfnbError | QuotaSignal:
    """The error that a fault means. Pure."""
    said = f"{what}: {message or 'no reason given'} ({code})."
    if code == "INVALID_SESSION_ID":
        return SessionEnded(said)
    if code == "INVALID_LOCATOR":
        return RetrieveGone(said, code=code)
    # The codes are those of REST, where they come with a status that says more than SOAP's 500.
    body = json.dumps([{"errorCode": code, "message": message}]).encode()
    refusal = refusal_of(400, {}, body, what=what)
    if isinstance(refusal, SfnbError | QuotaSignal | LoginError):
        return refusal
    return ObjectError(said, code=code)
