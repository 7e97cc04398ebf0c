"""jsforce against the demo org, over HTTPS with the generated CA."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.readings import TEXT_FIELDS, text_rows
from tests.conftest import RunningOrg
from tools.clients import Clients

pytestmark = pytest.mark.npm

SCRIPT = Path(__file__).with_name("jsforce_client.cjs")

Scenario = Callable[..., dict[str, Any]]


@pytest.fixture
def jsforce(living_org: RunningOrg, clients: Clients) -> Scenario:
    """Run one scenario of jsforce_client.cjs with the org; what it found."""

    def run(scenario: str, **options: Any) -> dict[str, Any]:
        org = {name: value for name, value in vars(living_org).items() if isinstance(value, str)}
        done = subprocess.run(
            [clients.node, SCRIPT],
            input=json.dumps(
                {"scenario": scenario, "folder": str(clients.folder), "org": org, **options}
            ),
            env=os.environ | {"NODE_EXTRA_CA_CERTS": living_org.ca_file},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return run


def test_soap_login(jsforce: Scenario, living_org: RunningOrg) -> None:
    """login() reads ids and host from the SOAP answer, and the fault's text becomes its error."""
    found = jsforce("login")
    assert found["user"]["organizationId"] == found["orgId"] == living_org.org_id
    assert found["user"]["id"].startswith("005")
    assert found["instanceUrl"] == living_org.https_url
    assert "INVALID_LOGIN" in found["wrong"]["message"]


def test_oauth_refresh_identity_and_logout(jsforce: Scenario, living_org: RunningOrg) -> None:
    """
    The password flow logs in, a dead token is refreshed by itself, identity answers, logout ends
    the session.
    """
    found = jsforce("oauth")
    assert found["user"]["organizationId"] == found["orgId"] == living_org.org_id
    assert found["refreshes"] == 1
    assert found["identity"]["organization_id"] == living_org.org_id
    assert found["identity"]["username"] == living_org.username
    assert found["identity"]["user_id"] == found["user"]["id"]
    assert found["afterLogout"]["errorCode"] == "INVALID_SESSION_ID"


def test_query_fetches_all_pages(jsforce: Scenario) -> None:
    """autoFetch and queryMore walk the pages of an answer that is larger than one."""
    found = jsforce("query", soql="SELECT Id FROM Contact")
    assert found["isDone"] == [False, False]
    assert len(found["first"]) == len(found["more"]) == 2_000
    assert found["fetched"] == found["records"]
    assert len(set(found["fetched"])) == len(found["fetched"]) == found["totalSize"]
    assert found["first"] + found["more"] == found["fetched"][:4_000]
    assert len(found["fetched"]) > 4_000
    assert found["built"] == 5


def test_describe_and_describe_global(jsforce: Scenario, living_org: RunningOrg) -> None:
    """describe$ gives, and keeps, what the org says; describeGlobal knows every object."""
    found = jsforce("describe", object="Contact")
    described = living_org.get("/services/data/v60.0/sobjects/Contact/describe").json()
    assert found["described"] == described
    assert found["isCached"] is True
    assert {"Account", "Contact", "User"} <= set(found["names"])


def test_limit_info_and_limits(jsforce: Scenario) -> None:
    """
    limitInfo is read from the header of each answer and rises by the calls made; limits() has the
    same maximum.
    """
    found = jsforce("limits")
    before, after = found["before"]["apiUsage"], found["after"]["apiUsage"]
    assert after == {"used": before["used"] + 1, "limit": 5_000_000}
    assert found["limits"]["DailyApiRequests"]["Max"] == 5_000_000
    assert found["limits"]["DailyBulkV2QueryJobs"]["Remaining"] > 0


def test_error_codes(jsforce: Scenario) -> None:
    """Each refusal becomes an error whose code is Salesforce's."""
    found = jsforce("errors")
    assert {
        name: found[name]["errorCode"] for name in ("field", "syntax", "object", "record", "bulk")
    } == {
        "field": "INVALID_FIELD",
        "syntax": "MALFORMED_QUERY",
        "object": "NOT_FOUND",
        "record": "NOT_FOUND",
        "bulk": "INVALID_FIELD",
    }
    assert "Naem" in found["field"]["message"]


def test_rows_live(jsforce: Scenario) -> None:
    """
    create, update, retrieve and destroy do what they say, and say it in the library's own shapes.
    """
    found = jsforce("crud")
    record_id = found["made"]["id"]
    done = {"id": record_id, "success": True, "errors": []}
    assert found["made"] == found["updated"] == found["removed"] == done
    assert (found["read"]["Name"], found["read"]["NumberOfEmployees"]) == ("Changed by jsforce", 7)
    assert found["gone"]["errorCode"] == "ENTITY_IS_DELETED"
    assert found["incomplete"]["errorCode"] == "REQUIRED_FIELD_MISSING"


def test_rows_agree_by_every_reader(jsforce: Scenario) -> None:
    """
    The same texts come by REST, Bulk 1 (XML infos, CSV rows) and Bulk 2 on one page; scanAll adds
    deleted rows.
    """
    found = jsforce("readers", soql=f"SELECT Id, {', '.join(TEXT_FIELDS)} FROM Contact")
    rest = text_rows(found["rest"]["records"])
    assert len(rest) > 4_000
    assert any("\r\n" in (text or "") for row in rest.values() for text in row.values())
    assert text_rows(found["bulk1"]) == rest
    assert text_rows(found["bulk2"]) == rest
    assert found["deletedToo"] > len(rest)


def test_tooling_switches_a_validation_rule(jsforce: Scenario) -> None:
    """A tooling query finds a rule, and an update of its Metadata switches it on and off again."""
    found = jsforce("tooling")
    assert found["on"]["success"] is True
    states = [found[name]["Metadata"]["active"] for name in ("before", "between", "after")]
    assert states == [False, True, False]
    assert found["before"]["Metadata"] == found["after"]["Metadata"]
