"""The demo org's Tooling API and deployments: what an admin has set up is read, switched and acts."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg

V = "/services/data/v66.0"


@pytest.fixture
def org(tmp_path: Any) -> Iterator[RunningOrg]:
    options = Options(size="tiny", competitors="off", minutes_per_second=0.0, header_lag_s=0.0)
    with DemoServer(options, tmp_path) as server:
        yield RunningOrg(**server.ready(), server=server)


def tooling(org: RunningOrg, soql: str) -> list[dict[str, Any]]:
    answer = org.get(f"{V}/tooling/query?q={quote(soql)}")
    assert answer.ok, answer.text
    return list(answer.json()["records"])


def one(org: RunningOrg, name: str, where: str) -> dict[str, Any]:
    (found,) = tooling(org, f"SELECT Id FROM {name} WHERE {where}")
    answer = org.get(f"{V}/tooling/sobjects/{name}/{found['Id']}")
    assert answer.ok, answer.text
    return dict(answer.json())


def patch(org: RunningOrg, record: dict[str, Any], metadata: dict[str, Any]) -> requests.Response:
    path = record["attributes"]["url"]
    return org.send("PATCH", path, json={"Metadata": metadata})


def soap(org: RunningOrg, body: str) -> str:
    envelope = (
        '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="http://soap.sforce.com/2006/04/metadata"><env:Header><SessionHeader><sessionId>'
        f"{org.access_token}</sessionId></SessionHeader></env:Header><env:Body>{body}</env:Body></env:Envelope>"
    )
    headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
    url = f"{org.url}/services/Soap/m/66.0"
    return requests.post(url, data=envelope.encode(), headers=headers, timeout=60).text


def deploy(org: RunningOrg, name: str, status: str, options: str = "") -> str:
    """The last answer to a deployment of a trigger."""
    (found,) = tooling(org, f"SELECT Body FROM ApexTrigger WHERE Name = '{name}'")
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as zipped:
        path = f"triggers/{name}.trigger"
        zipped.writestr(path, found["Body"])
        zipped.writestr(f"{path}-meta.xml", f"<ApexTrigger><status>{status}</status></ApexTrigger>")
        zipped.writestr(
            "package.xml",
            f"<Package><types><members>{name}</members><name>ApexTrigger</name></types></Package>",
        )
    archive = base64.b64encode(sink.getvalue()).decode()
    started = soap(
        org,
        f"<deploy><ZipFile>{archive}</ZipFile><DeployOptions>{options}</DeployOptions></deploy>",
    )
    found_id = re.search(r"<id>(\w+)</id>", started)
    if found_id is None:
        return started
    for _ in range(5):
        told = soap(
            org,
            f"<checkDeployStatus><asyncProcessId>{found_id[1]}</asyncProcessId>"
            "<includeDetails>true</includeDetails></checkDeployStatus>",
        )
        if "<done>true</done>" in told:
            return told
    pytest.fail("the deployment does not end")


def test_a_validation_rule_switched_off_refuses_nothing(org: RunningOrg) -> None:
    """PATCH of Metadata switches a rule; a record that it refused is saved, and refused again after."""
    wrong = {"Name": "n", "StageName": "Prospecting", "CloseDate": "2026-01-01", "Amount": -1}

    def create() -> int:
        return org.send("POST", f"{V}/sobjects/Opportunity", json=wrong).status_code

    rule = one(org, "ValidationRule", "ValidationName = 'Amount_not_negative'")
    assert rule["Metadata"]["active"] is True
    assert create() == 400
    assert patch(org, rule, rule["Metadata"] | {"active": False}).status_code == 204
    (row,) = tooling(org, f"SELECT Active FROM ValidationRule WHERE Id = '{rule['Id']}'")
    assert row["Active"] is False
    assert create() == 201
    assert patch(org, rule, rule["Metadata"]).status_code == 204
    assert create() == 400
    assert patch(org, rule, {"active": False}).json()[0]["errorCode"] == "FIELD_INTEGRITY_EXCEPTION"


def test_a_flow_is_switched_by_the_number_of_its_version(org: RunningOrg) -> None:
    """activeVersionNumber 0 switches a flow off; the version that ran is not always the newest."""
    org.control("writes", {"rules": {"Account_region": True}})
    flow = one(org, "FlowDefinition", "DeveloperName = 'Account_region'")
    assert flow["Metadata"]["activeVersionNumber"] == 2
    assert patch(org, flow, {"activeVersionNumber": 0}).status_code == 204
    created = org.send("POST", f"{V}/sobjects/Account", json={"Name": "a", "Region__c": "APAC"})
    account = org.get(f"{V}/sobjects/Account/{created.json()['id']}").json()
    assert account["Region__c"] == "APAC"
    view = org.get(
        f"{V}/query?q={quote('SELECT ActiveVersionId, TriggerObjectOrEvent.QualifiedApiName FROM FlowDefinitionView')}"
    ).json()["records"][0]
    assert view["ActiveVersionId"] is None
    assert view["TriggerObjectOrEvent"]["QualifiedApiName"] == "Account"
    assert patch(org, flow, {"activeVersionNumber": 4}).status_code == 400
    assert patch(org, flow, {"activeVersionNumber": 2}).status_code == 204
    (row,) = tooling(
        org,
        "SELECT ActiveVersion.VersionNumber FROM FlowDefinition WHERE DeveloperName = 'Account_region'",
    )
    assert row["ActiveVersion"]["VersionNumber"] == 2


def test_a_trigger_is_switched_by_a_deployment(org: RunningOrg) -> None:
    """A trigger acts or does not act as deployed; production runs tests, and packages are closed."""
    assert "<status>Succeeded</status>" in deploy(org, "ContactTrigger", "Active")
    created = org.send("POST", f"{V}/sobjects/Contact", json={"LastName": "c"}).json()["id"]
    assert org.get(f"{V}/sobjects/Contact/{created}").json()["Department"] == "Stamped"
    assert "<status>Succeeded</status>" in deploy(org, "ContactTrigger", "Inactive")
    created = org.send("POST", f"{V}/sobjects/Contact", json={"LastName": "c"}).json()["id"]
    assert org.get(f"{V}/sobjects/Contact/{created}").json()["Department"] is None
    refused = deploy(org, "ContactTrigger", "Active", "<testLevel>NoTestRun</testLevel>")
    assert "cannot be used in production organizations" in refused
    requests_made = tooling(org, "SELECT Id, Status FROM DeployRequest")
    assert [row["Status"] for row in requests_made] == ["Succeeded", "Succeeded"]


def test_what_a_package_brought_cannot_be_changed(org: RunningOrg) -> None:
    """A managed rule refuses a PATCH, a managed trigger shows no code and refuses a deployment."""
    rule = one(org, "ValidationRule", "NamespacePrefix = 'pkg'")
    answer = patch(org, rule, rule["Metadata"] | {"active": False})
    assert answer.json()[0]["errorCode"] == "CANNOT_MODIFY_MANAGED_OBJECT"
    (trigger,) = tooling(org, "SELECT Body FROM ApexTrigger WHERE NamespacePrefix = 'pkg'")
    assert trigger["Body"] == "(hidden)"


def test_metadata_of_several_rows_is_refused(org: RunningOrg) -> None:
    """Metadata and FullName are given for one row at a time (Tooling API guide)."""
    answer = org.get(f"{V}/tooling/query?q={quote('SELECT Metadata FROM ValidationRule')}")
    assert answer.status_code == 400
    assert "no more than one row" in answer.json()[0]["message"]


def test_a_composite_call_of_the_tooling_api(org: RunningOrg) -> None:
    """Several tooling queries are one counted call; those of the data API are refused in it."""
    mark = org.mark()
    soql = quote("SELECT Id, EntityDefinition.QualifiedApiName FROM ValidationRule")
    asked = [
        {"method": "GET", "referenceId": "a", "url": f"{V}/tooling/query?q={soql}"},
        {"method": "GET", "referenceId": "b", "url": f"{V}/query?q=SELECT+Id+FROM+Account"},
    ]
    answer = org.send("POST", f"{V}/tooling/composite", json={"compositeRequest": asked})
    first, second = answer.json()["compositeResponse"]
    names = {r["EntityDefinition"]["QualifiedApiName"] for r in first["body"]["records"]}
    assert "Opportunity" in names
    assert second["httpStatusCode"] == 400
    assert len(org.ledger(after=mark, calls=True)["calls"]) == 1
