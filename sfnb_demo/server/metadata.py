"""The Metadata API: SOAP at ``/services/Soap/m/{version}``, six of its operations."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from sfnb_demo.data.metadata import KINDS, Component
from sfnb_demo.errors import ApiError
from sfnb_demo.server.metadata_org import Result, RetrieveFailed
from sfnb_demo.server.soap import SOAP_TYPE, local, soap_body
from sfnb_demo.server.wire import Request, Response, route

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

NO_ACCESS = (
    "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions"
)

MAX_LIST_QUERIES = 3
"""Queries in one listMetadata (Metadata API guide, listMetadata)."""


def call(org: DemoOrg, request: Request) -> Response:
    """One operation; faults are made where all of SOAP's are."""
    operation = soap_body(request.body)
    name = local(operation.tag)
    if org.metadata.is_refused:
        raise ApiError("INSUFFICIENT_ACCESS", NO_ACCESS, 500)
    handlers = {
        "describeMetadata": _describe,
        "listMetadata": _list,
        "retrieve": _retrieve,
        "checkRetrieveStatus": _check,
        "checkDeployStatus": _check_deploy,
    }
    if name == "deploy":
        return _answer(name, _deploy(org, operation, request))
    if name not in handlers:
        raise ApiError("INVALID_OPERATION", f"The operation {name!r} is not served here.", 500)
    return _answer(name, handlers[name](org, operation, request.version))


def _answer(operation: str, inner: str) -> Response:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="http://soap.sforce.com/2006/04/metadata" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body><{operation}Response>{inner}</{operation}Response>"
        "</soapenv:Body></soapenv:Envelope>"
    )
    return Response(200, text.encode(), SOAP_TYPE)


def _tags(**values: Any) -> str:
    return "".join(
        f"<{name}>{escape(str(value).lower() if isinstance(value, bool) else str(value))}</{name}>"
        for name, value in values.items()
        if value is not None
    )


def _texts(element: ElementTree.Element, name: str) -> list[str]:
    return [child.text or "" for child in element if local(child.tag) == name]


def _describe(org: DemoOrg, _operation: ElementTree.Element, version: str) -> str:
    kinds = "".join(
        "<metadataObjects>"
        + "".join(_tags(childXmlNames=child) for child in kind.children)
        + _tags(
            directoryName=kind.directory,
            inFolder=kind.in_folder,
            metaFile=kind.meta_file,
            suffix=kind.suffix or None,
            xmlName=kind.name,
        )
        + "</metadataObjects>"
        for kind in KINDS
        if org.metadata.knows(kind.name, version)
    )
    more = _tags(organizationNamespace="", partialSaveAllowed=True, testRequired=False)
    return f"<result>{kinds}{more}</result>"


def _list(org: DemoOrg, operation: ElementTree.Element, version: str) -> str:
    queries = [child for child in operation if local(child.tag) == "queries"]
    if len(queries) > MAX_LIST_QUERIES:
        raise ApiError("INVALID_OPERATION", "listMetadata takes at most three queries", 500)
    found = []
    for query in queries:
        folder = next(iter(_texts(query, "folder")), "")
        found += [
            f"<result>{_properties(c, c.main_file)}</result>"
            for c in org.metadata.listed(_texts(query, "type")[0], folder, version)
        ]
    return "".join(found)


def _properties(component: Component, path: str, prefix: str = "") -> str:
    return _tags(
        createdById="005000000000001AAA",
        createdByName="Ada Admin",
        createdDate=component.modified_at,
        fileName=prefix + path,
        fullName=component.full_name,
        id=component.id,
        lastModifiedById="005000000000001AAA",
        lastModifiedByName="Ada Admin",
        lastModifiedDate=component.modified_at,
        manageableState="installed" if component.namespace else "unmanaged",
        namespacePrefix=component.namespace or None,
        type=component.kind,
    )


def _retrieve(org: DemoOrg, operation: ElementTree.Element, version: str) -> str:
    types = []
    for element in operation.iter():
        if local(element.tag) == "types":
            names = _texts(element, "name")
            if names:
                types.append((names[0], _texts(element, "members")))
    job_id = org.metadata.start(types, version)
    return f"<result>{_tags(done=False, id=job_id, state='Queued')}</result>"


def _check(org: DemoOrg, operation: ElementTree.Element, _version: str) -> str:
    texts = {local(child.tag): child.text or "" for child in operation}
    job_id = texts.get("asyncProcessId") or texts.get("id") or ""
    with_zip = texts.get("includeZip", "true").lower() == "true"
    try:
        result = org.metadata.check(job_id, with_zip=with_zip)
    except RetrieveFailed as err:
        failed = _tags(
            done=True,
            errorMessage=str(err),
            errorStatusCode=err.code,
            id=job_id,
            status="Failed",
            success=False,
        )
        return f"<result>{failed}</result>"
    if result is None:
        return (
            f"<result>{_tags(done=False, id=job_id, status='InProgress', success=False)}</result>"
        )
    return f"<result>{_done(job_id, result, with_zip=with_zip)}</result>"


def _done(job_id: str, result: Result, *, with_zip: bool) -> str:
    files = "".join(
        f"<fileProperties>{_properties(found, found.main_file, 'unpackaged/')}</fileProperties>"
        for c in result.components
        for found in [replace(c, full_name=c.wanted_as or c.full_name)]
    )
    messages = "".join(
        f"<messages>{_tags(fileName=name, problem=problem)}</messages>"
        for name, problem in result.messages
    )
    zipped = base64.b64encode(result.archive).decode() if with_zip else None
    return (
        _tags(done=True)
        + files
        + _tags(id=job_id)
        + messages
        + _tags(status="Succeeded", success=True, zipFile=zipped)
    )


def _deploy(org: DemoOrg, operation: ElementTree.Element, request: Request) -> str:
    zipped = next(iter(_texts(operation, "ZipFile")), "")
    options = {
        local(child.tag): (child.text or "").strip()
        for element in operation
        if local(element.tag) == "DeployOptions"
        for child in element
    }
    try:
        archive = base64.b64decode(zipped, validate=False)
    except ValueError as err:
        raise ApiError("INVALID_OPERATION", f"ZipFile is no Base64: {err}", 500) from err
    deploy = org.deploys.start(archive, options, request.user.user.user_id)
    return f"<result>{_tags(done=False, id=deploy.id, state='Queued')}</result>"


def _check_deploy(org: DemoOrg, operation: ElementTree.Element, _version: str) -> str:
    texts = {local(child.tag): child.text or "" for child in operation}
    deploy = org.deploys.check(texts.get("asyncProcessId") or texts.get("id") or "")
    failures = "".join(
        "<componentFailures>"
        + _tags(
            componentType=f.kind,
            fileName=f.file_name,
            fullName=f.full_name,
            problem=f.problem,
            problemType="Error",
            success=False,
        )
        + "</componentFailures>"
        for f in deploy.failures
    )
    done = _tags(
        checkOnly=deploy.is_check_only,
        done=deploy.is_done,
        id=deploy.id,
        numberComponentErrors=len(deploy.failures),
        numberComponentsDeployed=0 if deploy.failures else len(deploy.components),
        rollbackOnError=True,
        status=deploy.status,
        success=deploy.is_done and not deploy.failures,
    )
    return f"<result>{done}<details>{failures}</details></result>"


ROUTES = [
    route("POST", "/services/Soap/m/{version}", call, family="soap"),
    route("POST", "/services/Soap/m/{version}/{org}", call, family="soap"),
]
