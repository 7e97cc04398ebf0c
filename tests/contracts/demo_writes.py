"""The ways to write to a demo org that several tests share."""

from __future__ import annotations

import csv
import io
import re
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.conftest import RunningOrg

V = "/services/data/v66.0"
NOWHERE = "001000000000000AAA"


def records(org: RunningOrg, soql: str, road: str = "query") -> list[dict[str, Any]]:
    answer = org.get(f"{V}/{road}?q={quote(soql)}")
    assert answer.ok, answer.text
    return list(answer.json()["records"])


def create(org: RunningOrg, name: str, **values: Any) -> str:
    answer = org.send("POST", f"{V}/sobjects/{name}", json=values)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def refusal(
    org: RunningOrg, name: str, headers: Any = None, **values: Any
) -> tuple[str, list[str]]:
    """Code and fields of a refused insert."""
    answer = org.send("POST", f"{V}/sobjects/{name}", json=values, headers=headers or {})
    assert answer.status_code >= 400, answer.text
    error = answer.json()[0]
    return error["errorCode"], error.get("fields", [])


def collection(org: RunningOrg, method: str, path: str, rows: list[Any], **more: Any) -> list[Any]:
    answer = org.send(method, f"{V}/composite/sobjects{path}", json={"records": rows, **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def row(name: str, **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": name}, **values}


KINDS = ("successfulResults", "failedResults", "unprocessedrecords")


def ended(org: RunningOrg, path: str) -> dict[str, Any]:
    """A Bulk 2.0 job once it has ended; no simulated time passes here, so it soon has."""
    for _ in range(5000):
        info: dict[str, Any] = org.get(path).json()
        if info["state"] in ("JobComplete", "Failed", "Aborted"):
            return info
    pytest.fail(f"the job has not ended: {info}")


def ingest(org: RunningOrg, operation: str, name: str, text: str, **more: Any) -> dict[str, Any]:
    """Run a Bulk 2.0 job to its end: its info and its three files."""
    job = org.send(
        "POST", f"{V}/jobs/ingest", json={"operation": operation, "object": name, **more}
    )
    assert (job.status_code, job.json()["state"]) == (200, "Open"), job.text
    base = f"{V}/jobs/ingest/{job.json()['id']}"
    put = org.send(
        "PUT",
        "/" + job.json()["contentUrl"],
        data=text.encode(),
        headers={"Content-Type": "text/csv"},
    )
    assert (put.status_code, put.content) == (201, b"")
    assert (
        org.send("PATCH", base, json={"state": "UploadComplete"}).json()["state"]
        == "UploadComplete"
    )
    info = ended(org, base)
    files = {
        kind: list(csv.DictReader(io.StringIO(org.get(f"{base}/{kind}").text))) for kind in KINDS
    }
    return {**files, "info": info}


def soap(org: RunningOrg, operation: str, *ids: str) -> list[tuple[str, str]]:
    """What an undelete or emptyRecycleBin says of each Id: success, and the code of its error."""
    inside = "".join(f"<urn:ids>{i}</urn:ids>" for i in ids)
    message = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com">'
        f"<e:Header><urn:SessionHeader><urn:sessionId>{org.access_token}</urn:sessionId></urn:SessionHeader></e:Header>"
        f"<e:Body><urn:{operation}>{inside}</urn:{operation}></e:Body></e:Envelope>"
    )
    answer = requests.post(f"{org.url}/services/Soap/u/66.0", data=message, timeout=60)
    assert answer.status_code == 200, answer.text
    results = re.findall(r"<result>(.*?)</result>", answer.text)
    code = re.compile(r"<statusCode>(\w+)<")
    return [
        ("true" if "<success>true" in r else "false", "".join(code.findall(r))) for r in results
    ]
