"""simple-salesforce against the demo org, over HTTPS with the generated CA: it is nobody's mirror."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
import requests
from simple_salesforce import Salesforce, SalesforceLogin
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound

from tests.conftest import RunningOrg


@pytest.fixture
def session(demo_org: RunningOrg, monkeypatch: pytest.MonkeyPatch) -> Iterator[requests.Session]:
    """A session that trusts the org's CA the way people do it: by the environment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", demo_org.ca_file)
    with requests.Session() as made:
        yield made


@pytest.fixture
def sf(demo_org: RunningOrg, session: requests.Session) -> Salesforce:
    return Salesforce(
        instance_url=demo_org.https_url, session_id=demo_org.access_token, session=session
    )


def test_soap_login_then_data_over_https(demo_org: RunningOrg, session: requests.Session) -> None:
    """The library's own SOAP login gives a session and a host that it then calls over https on the same port."""
    session_id, host = SalesforceLogin(
        username=demo_org.username,
        password=demo_org.password,
        security_token=demo_org.security_token,
        scratch_url=demo_org.url,
        session=session,
    )
    sf = Salesforce(instance=host, session_id=session_id, session=session)
    assert sf.query("SELECT Id FROM Organization")["records"][0]["Id"] == demo_org.org_id


def test_query_all_describe_and_rows(sf: Salesforce) -> None:
    """query_all pages to the end, describe and get work, limit usage is read from the header."""
    found = sf.query_all("SELECT Id, Name, Owner.Name FROM Account")
    assert found["done"] is True
    assert len(found["records"]) == found["totalSize"] > 100
    record = found["records"][0]
    assert sf.Account.get(record["Id"])["Name"] == record["Name"]
    assert {field["name"] for field in sf.Account.describe()["fields"]} > {
        "Id",
        "Name",
        "SystemModstamp",
    }
    assert "Account" in {entry["name"] for entry in sf.describe()["sobjects"]}
    assert sf.api_usage["api-usage"].total == 5_000_000
    assert sf.limits()["DailyApiRequests"]["Max"] == 5_000_000


def test_errors_become_its_exceptions(sf: Salesforce) -> None:
    """400 and 404 are the library's own exceptions, with Salesforce's array inside."""
    with pytest.raises(SalesforceMalformedRequest) as malformed:
        sf.query("SELECT Naem FROM Account")
    assert malformed.value.content[0]["errorCode"] == "INVALID_FIELD"
    with pytest.raises(SalesforceResourceNotFound):
        sf.Account.get("0017Q00000ZZZZZ")


def test_bulk2_query_equals_rest(sf: Salesforce) -> None:
    """bulk2 reads every row in pages of any size."""
    pages = list(
        sf.bulk2.Contact.query("SELECT Id, LastName FROM Contact ORDER BY Id", max_records=100)
    )
    assert len(pages) > 1
    ids = [row["Id"] for page in pages for row in csv.DictReader(io.StringIO(page, newline=""))]
    assert ids == [
        record["Id"] for record in sf.query_all("SELECT Id FROM Contact ORDER BY Id")["records"]
    ]


def test_bulk1_query_has_epoch_datetimes(sf: Salesforce) -> None:
    """bulk (version 1, JSON) gives rows with attributes and datetimes as epoch milliseconds."""
    rows = sf.bulk.Account.query(
        "SELECT Id, Name, CreatedDate FROM Account LIMIT 10", lazy_operation=False, wait=0.05
    )
    assert len(rows) == 10
    assert rows[0]["attributes"]["type"] == "Account"
    assert isinstance(rows[0]["CreatedDate"], int)


def test_restful_composite(sf: Salesforce) -> None:
    """restful reaches every path."""
    body = {
        "compositeRequest": [
            {
                "method": "GET",
                "url": "/services/data/v59.0/sobjects/Account/describe",
                "referenceId": "a",
            }
        ]
    }
    answer = sf.restful("composite", method="POST", json=body)
    assert answer["compositeResponse"][0]["httpStatusCode"] == 200


def test_rows_live(fresh_org: Callable[..., RunningOrg], monkeypatch: pytest.MonkeyPatch) -> None:
    """create, update, updated, delete and deleted as the library sends them."""
    org = fresh_org(own_data=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", org.ca_file)
    with requests.Session() as session:
        sf = Salesforce(instance_url=org.https_url, session_id=org.access_token, session=session)
        record_id = sf.Account.create({"Name": "Made here"})["id"]
        assert sf.Account.update(record_id, {"Name": "Changed here"}) == 204
        assert sf.Account.get(record_id)["Name"] == "Changed here"
        org.control("clock", {"advance_minutes": 2})
        now = datetime.fromisoformat(org.control("status")["now"])
        assert record_id in sf.Account.updated(now - timedelta(hours=1), now)["ids"]
        assert sf.Account.delete(record_id) == 204
        org.control("clock", {"advance_minutes": 2})
        deleted = sf.Account.deleted(now - timedelta(hours=1), now + timedelta(minutes=2))[
            "deletedRecords"
        ]
        assert record_id in [record["id"] for record in deleted]
        with pytest.raises(SalesforceResourceNotFound):
            sf.Account.get(record_id)
