"""
simple-salesforce against the demo org, over HTTPS with the generated CA.

The library knows nothing of us: what it makes of an answer is what it would make of Salesforce's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SalesforceLogin
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

from tests.conformance.readings import TEXT_FIELDS, TREACHEROUS, csv_rows, expected, text_rows
from tests.conftest import RunningOrg

CONTACT_TEXT = f"SELECT Id, {', '.join(TEXT_FIELDS)} FROM Contact"


class SalesforceHosts(HTTPAdapter):
    """
    Takes calls for ``https://….salesforce.com``, where the library's OAuth logins always go, to the
    demo org.
    """

    def __init__(self, org_url: str) -> None:
        super().__init__()
        self.org_host = urlsplit(org_url).netloc

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        parts = urlsplit(str(request.url))
        if str(parts.hostname).endswith(".salesforce.com"):
            request.url = parts._replace(netloc=self.org_host).geturl()
        return super().send(request, *args, **options)


@pytest.fixture
def session(living_org: RunningOrg, monkeypatch: pytest.MonkeyPatch) -> Iterator[requests.Session]:
    """A session that trusts the org's CA the way people do it: by the environment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", living_org.ca_file)
    with requests.Session() as made:
        made.mount("https://", SalesforceHosts(living_org.https_url))
        yield made


@pytest.fixture
def sf(living_org: RunningOrg, session: requests.Session) -> Salesforce:
    return Salesforce(
        instance_url=living_org.https_url, session_id=living_org.access_token, session=session
    )


def assert_is_in(sf: Salesforce, org: RunningOrg) -> None:
    """The login opened this org: its id comes back through the session that it gave."""
    assert sf.query("SELECT Id FROM Organization")["records"][0]["Id"] == org.org_id


@pytest.mark.parametrize("way", ["token", "trusted network", "organization id"])
def test_soap_login(living_org: RunningOrg, session: requests.Session, way: str) -> None:
    """
    Each of its three SOAP envelopes logs in, and its data calls go to the host that the answer
    named.
    """
    extra: dict[str, Any] = {
        "token": {"security_token": living_org.security_token},
        "trusted network": {},
        "organization id": {"organizationId": living_org.org_id},
    }[way]
    session_id, host = SalesforceLogin(
        username=living_org.username,
        password=living_org.password,
        scratch_url=living_org.https_url,
        session=session,
        **extra,
    )
    assert host == urlsplit(living_org.https_url).netloc
    assert_is_in(Salesforce(instance=host, session_id=session_id, session=session), living_org)


def test_soap_login_by_the_constructor(living_org: RunningOrg, session: requests.Session) -> None:
    """
    ``Salesforce(username, password, security_token)`` as its README shows it is enough to read the
    org.
    """
    sf = Salesforce(
        username=living_org.username,
        password=living_org.password,
        security_token=living_org.security_token,
        session=session,
    )
    assert_is_in(sf, living_org)


def test_a_wrong_password_is_its_authentication_error(
    living_org: RunningOrg, session: requests.Session
) -> None:
    """The SOAP fault is read by the tags that the library looks for."""
    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        Salesforce(username=living_org.username, password="no", security_token="", session=session)
    assert refused.value.code == "INVALID_LOGIN"
    assert "Invalid username, password" in str(refused.value)


def test_oauth_logins(living_org: RunningOrg, session: requests.Session) -> None:
    """JWT bearer, client credentials and the password flow give a session that opens the org."""
    key, secret = living_org.client_id, living_org.client_secret
    ways: list[dict[str, str]] = [
        {
            "username": living_org.username,
            "consumer_key": key,
            "privatekey_file": living_org.jwt_private_key_file,
        },
        {"consumer_key": key, "consumer_secret": secret, "domain": "acme.my"},
        {
            "username": living_org.username,
            "password": living_org.password,
            "consumer_key": key,
            "consumer_secret": secret,
        },
    ]
    for way in ways:
        assert_is_in(Salesforce(session=session, **way), living_org)


def test_a_wrong_client_secret_is_its_authentication_error(
    living_org: RunningOrg, session: requests.Session
) -> None:
    """The token endpoint's error and description reach the caller."""
    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        Salesforce(
            consumer_key=living_org.client_id,
            consumer_secret="no",
            domain="acme.my",
            session=session,
        )
    assert refused.value.code == "invalid_client"


def test_query_pages(sf: Salesforce) -> None:
    """query_all, query_all_iter and query_more by URL and by id walk the same pages."""
    soql = "SELECT Id, Name, Account.Name FROM Contact"
    whole = sf.query_all(soql)
    assert whole["done"] is True
    assert (
        len(whole["records"])
        == whole["totalSize"]
        == sf.query("SELECT COUNT() FROM Contact")["totalSize"]
    )
    ids = [record["Id"] for record in whole["records"]]
    assert len(set(ids)) == len(ids) > 4_000

    first = sf.query(soql)
    assert (first["done"], len(first["records"])) == (False, 2_000)
    by_url = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    by_id = sf.query_more(first["nextRecordsUrl"].rpartition("/")[2])
    for page in (by_url, by_id):
        assert [record["Id"] for record in page["records"]] == ids[2_000:4_000]

    # A smaller page is a wish that the library passes on in the header.
    small = sf.query(soql, headers={"Sforce-Query-Options": "batchSize=200"})
    assert [record["Id"] for record in small["records"]] == ids[:200]
    assert [record["Id"] for record in sf.query_all_iter(soql)] == ids


def test_query_all_with_deleted_rows(sf: Salesforce) -> None:
    """include_deleted reads the recycle bin too, by every reader that has it."""
    alive = {r["Id"] for r in sf.query_all_iter("SELECT Id FROM Contact")}
    everything = {
        r["Id"] for r in sf.query_all_iter("SELECT Id FROM Contact", include_deleted=True)
    }
    bin_ids = {
        r["Id"]
        for r in sf.query_all_iter(
            "SELECT Id FROM Contact WHERE IsDeleted = true", include_deleted=True
        )
    }
    assert bin_ids
    assert everything == alive | bin_ids
    assert {
        row["Id"] for row in sf.bulk.Contact.query_all("SELECT Id FROM Contact", wait=0.05)
    } == everything
    pages = sf.bulk2.Contact.query_all("SELECT Id FROM Contact", wait=0.05)
    assert {row["Id"] for page in pages for row in csv_rows(page)} == everything


def test_describe(sf: Salesforce) -> None:
    """describe and metadata say of each field what the library's users build on."""
    names = {entry["name"] for entry in sf.describe()["sobjects"]}
    assert {"Account", "Contact", "User", "ContentVersion"} <= names
    fields = {field["name"]: field for field in sf.Contact.describe()["fields"]}
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    assert fields["AccountId"]["relationshipName"] == "Account"
    assert fields["Id"]["type"] == "id"
    assert sf.Contact.metadata()["objectDescribe"]["keyPrefix"] == "003"
    assert sf.is_sandbox() is False


def test_usage_is_read_from_the_header(sf: Salesforce) -> None:
    """Its own parser of ``Sforce-Limit-Info`` gives the same numbers as /limits."""
    maximum = sf.limits()["DailyApiRequests"]["Max"]
    usage = sf.api_usage["api-usage"]
    assert usage.total == maximum == 5_000_000
    before = usage.used
    sf.query("SELECT Id FROM Organization")
    assert sf.api_usage["api-usage"].used == before + 1


def test_bulk1_query(sf: Salesforce) -> None:
    """bulk (version 1, JSON) gives rows with attributes, and datetimes as epoch milliseconds."""
    soql = "SELECT Id, Name, CreatedDate FROM Account ORDER BY Id LIMIT 10"
    bulk = sf.bulk.Account.query(soql, wait=0.05)
    rest = sf.query_all(soql)["records"]
    assert [(r["Id"], r["Name"]) for r in bulk] == [(r["Id"], r["Name"]) for r in rest]
    assert all(row["attributes"]["type"] == "Account" for row in bulk)
    moments = [int(datetime.fromisoformat(r["CreatedDate"]).timestamp() * 1000) for r in rest]
    assert [row["CreatedDate"] for row in bulk] == moments
    lazy = sf.bulk.Account.query(soql, lazy_operation=True, wait=0.05)
    assert [row["Id"] for page in lazy for row in page] == [r["Id"] for r in rest]


def test_bulk2_query_in_pages(sf: Salesforce) -> None:
    """bulk2 gives every row once, in pages of at most the size asked for."""
    pages = [
        csv_rows(page)
        for page in sf.bulk2.Contact.query("SELECT Id FROM Contact", max_records=1_500, wait=0.05)
    ]
    ids = [row["Id"] for page in pages for row in page]
    assert len(pages) == 3
    assert max(len(page) for page in pages) <= 1_500
    assert sorted(ids) == sorted(r["Id"] for r in sf.query_all_iter("SELECT Id FROM Contact"))


def test_bulk2_download(sf: Salesforce, tmp_path: Path) -> None:
    """download writes one file a page, and the counts it reports are those of the files."""
    parts = sf.bulk2.Contact.download(
        CONTACT_TEXT, path=str(tmp_path), max_records=1_500, wait=0.05
    )
    texts = [Path(part["file"]).read_bytes().decode() for part in parts]
    assert len(parts) == 3
    assert [part["number_of_records"] for part in parts] == [len(csv_rows(text)) for text in texts]
    rows = [row for text in texts for row in csv_rows(text)]
    assert text_rows(rows) == text_rows(sf.query_all_iter(CONTACT_TEXT))


def test_restful_composite(sf: Salesforce) -> None:
    """restful posts a composite call; a later part uses what an earlier one answered."""
    base = f"/services/data/v{sf.sf_version}"
    parts = [
        {"method": "GET", "url": f"{base}/sobjects/Account/describe", "referenceId": "described"},
        {
            "method": "GET",
            "url": f"{base}/query?q=SELECT+Id+FROM+Contact+LIMIT+1",
            "referenceId": "found",
        },
        {
            "method": "GET",
            "url": f"{base}/sobjects/Contact/@{{found.records[0].Id}}",
            "referenceId": "read",
        },
        {"method": "GET", "url": f"{base}/sobjects/Nothing__c/describe", "referenceId": "wrong"},
    ]
    answer = sf.restful(
        "composite", method="POST", json={"allOrNone": False, "compositeRequest": parts}
    )
    by_name = {part["referenceId"]: part for part in answer["compositeResponse"]}
    assert by_name["described"]["body"]["name"] == "Account"
    assert by_name["read"]["body"]["Id"] == by_name["found"]["body"]["records"][0]["Id"]
    assert by_name["wrong"]["httpStatusCode"] == 404
    assert by_name["wrong"]["body"][0]["errorCode"] == "NOT_FOUND"


def test_errors_become_its_exceptions(
    living_org: RunningOrg, sf: Salesforce, session: requests.Session
) -> None:
    """400, 404 and 401 are the library's own exceptions, with Salesforce's array inside."""
    with pytest.raises(SalesforceMalformedRequest) as malformed:
        sf.query("SELECT Naem FROM Account")
    assert malformed.value.content[0]["errorCode"] == "INVALID_FIELD"
    with pytest.raises(SalesforceMalformedRequest) as no_object:
        sf.query("SELECT Id FROM Nothing__c")
    assert no_object.value.content[0]["errorCode"] == "INVALID_TYPE"
    with pytest.raises(SalesforceResourceNotFound):
        sf.Account.get("0017Q00000ZZZZZ")
    stranger = Salesforce(
        instance_url=living_org.https_url, session_id="00D000000000000!no", session=session
    )
    with pytest.raises(SalesforceExpiredSession) as expired:
        stranger.query("SELECT Id FROM Account")
    assert expired.value.content[0]["errorCode"] == "INVALID_SESSION_ID"


def test_an_ended_session_is_opened_again(
    living_org: RunningOrg, session: requests.Session
) -> None:
    """On 401 the library logs in once more by itself and repeats the call."""
    sf = Salesforce(
        username=living_org.username,
        password=living_org.password,
        security_token=living_org.security_token,
        session=session,
    )
    first = sf.session_id
    session.post(
        f"{living_org.https_url}/services/oauth2/revoke", data={"token": first}
    ).raise_for_status()
    assert_is_in(sf, living_org)
    assert sf.session_id != first


def test_rows_live(living_org: RunningOrg, sf: Salesforce) -> None:
    """
    create, get, update, updated, upsert's refusal, delete and deleted as the library sends them.
    """
    made = sf.Account.create({"Name": "Made here", "NumberOfEmployees": 7})
    assert made["success"] is True
    record_id = made["id"]
    assert sf.Account.update(record_id, {"Name": "Changed here"}) == 204
    record = sf.Account.get(record_id)
    assert (record["Name"], record["NumberOfEmployees"], record["IsDeleted"]) == (
        "Changed here",
        7,
        False,
    )
    with pytest.raises(SalesforceMalformedRequest) as incomplete:
        sf.Contact.create({"FirstName": "nobody"})
    assert incomplete.value.content[0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert incomplete.value.content[0]["fields"] == ["LastName"]

    living_org.control("clock", {"advance_minutes": 2})
    now = datetime.fromisoformat(living_org.control("status")["now"])
    assert record_id in sf.Account.updated(now - timedelta(hours=1), now)["ids"]
    assert sf.Account.delete(record_id) == 204
    living_org.control("clock", {"advance_minutes": 2})
    deleted = sf.Account.deleted(now - timedelta(hours=1), now + timedelta(minutes=2))[
        "deletedRecords"
    ]
    assert record_id in [entry["id"] for entry in deleted]
    with pytest.raises(SalesforceResourceNotFound) as gone:
        sf.Account.get(record_id)
    assert gone.value.content[0]["errorCode"] == "ENTITY_IS_DELETED"


@pytest.fixture
def treacherous(sf: Salesforce) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """Id to the values of contacts that break careless programs; deleted afterwards."""
    made = {sf.Contact.create(dict(row))["id"]: row for row in TREACHEROUS}
    yield made
    for record_id in made:
        sf.Contact.delete(record_id)


def test_values_are_exact_by_every_reader(
    sf: Salesforce, treacherous: Mapping[str, Mapping[str, str]]
) -> None:
    """
    Unicode, CR LF, "NA", leading zeros and long text come out as they went in by REST, Bulk 1 and
    Bulk 2.
    """
    ids = ", ".join(f"'{record_id}'" for record_id in treacherous)
    soql = f"{CONTACT_TEXT} WHERE Id IN ({ids})"
    rest = sf.query_all(soql)["records"]
    bulk1 = sf.bulk.Contact.query(soql, wait=0.05)
    bulk2 = [
        row
        for page in sf.bulk2.Contact.query(soql, max_records=2, wait=0.05)
        for row in csv_rows(page)
    ]
    assert text_rows(rest) == expected(treacherous)
    assert text_rows(bulk1) == expected(treacherous)
    assert text_rows(bulk2) == expected(treacherous)


def test_all_seeded_texts_agree(sf: Salesforce) -> None:
    """
    The org's own records hold the same texts by REST, Bulk 1 and Bulk 2, and some of them are
    treacherous.
    """
    rest = text_rows(sf.query_all_iter(CONTACT_TEXT))
    bulk1 = text_rows(sf.bulk.Contact.query(CONTACT_TEXT, wait=0.05))
    bulk2 = text_rows(
        row for page in sf.bulk2.Contact.query(CONTACT_TEXT, wait=0.05) for row in csv_rows(page)
    )
    assert bulk1 == rest
    assert bulk2 == rest
    texts = {text for row in rest.values() for text in row.values() if text}
    assert any("\r\n" in text for text in texts)
    assert any(not text.isascii() for text in texts)
