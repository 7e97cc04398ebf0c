"""
The sf command line against the demo org, over HTTPS with the generated CA.

In this version of sf ``data query`` has no ``--bulk`` any more; ``data export bulk`` is its present
form.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.readings import TEXT_FIELDS, csv_rows, text_rows
from tests.conftest import RunningOrg
from tools.clients import Clients

pytestmark = pytest.mark.npm

ALIAS = "conformance"
VERSION = "v66.0"

QUIET = {
    "SF_DISABLE_TELEMETRY": "true",
    "SF_DISABLE_AUTOUPDATE": "true",
    "SF_SKIP_NEW_VERSION_CHECK": "true",
    "SF_HIDE_RELEASE_NOTES": "true",
    "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",  # a file below HOME, not the person's keyring
    "SF_CONTAINER_MODE": "true",
    "SF_DISABLE_DNS_CHECK": "true",
    "CI": "true",
}


@dataclass(frozen=True)
class SfCli:
    """sf that is logged in to the org under ``ALIAS``; ``login`` is what the login answered."""

    command: list[str]
    environment: Mapping[str, str]
    home: Path
    login: dict[str, Any]

    def text(self, *words: str, exit_code: int = 0, **variables: str) -> str:
        done = subprocess.run(
            [*self.command, *words],
            env={**self.environment, **variables},
            cwd=self.home,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert done.returncode == exit_code, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *words: str, **options: Any) -> Any:
        """The ``result`` of a command with ``--json``."""
        answer = json.loads(self.text(*words, "--json", **options))
        assert answer["status"] == 0
        return answer["result"]

    def ask(self, *words: str, **options: Any) -> Any:
        """The result of a command about the org."""
        return self.json(*words, "--target-org", ALIAS, **options)


@pytest.fixture(scope="session")
def sf(living_org: RunningOrg, clients: Clients, tmp_path_factory: pytest.TempPathFactory) -> SfCli:
    home = tmp_path_factory.mktemp("sf-home")
    environment = {
        **os.environ,
        **QUIET,
        "SF_AUTOUPDATE_DISABLE": "true",  # else it starts `sf update` behind the tests' back
        "HOME": str(home),
        "USERPROFILE": str(home),
        "NODE_EXTRA_CA_CERTS": living_org.ca_file,
        "PATH": clients.programs + os.pathsep + os.environ["PATH"],
    }
    stranger = SfCli(clients.sf, environment, home, {})
    words = (
        "org",
        "login",
        "access-token",
        "--instance-url",
        living_org.https_url,
        "--no-prompt",
        "--alias",
        ALIAS,
    )
    login = stranger.json(*words, SF_ACCESS_TOKEN=living_org.access_token)
    return SfCli(clients.sf, environment, home, login)


def rest_records(org: RunningOrg, soql: str, *, path: str = "query") -> list[dict[str, Any]]:
    """All records of a statement, by plain HTTP."""
    answer = org.get(f"/services/data/{VERSION}/{path}", params={"q": soql}).json()
    records: list[dict[str, Any]] = answer["records"]
    while not answer["done"]:
        answer = org.get(answer["nextRecordsUrl"]).json()
        records += answer["records"]
    return records


def test_login_with_an_access_token(sf: SfCli, living_org: RunningOrg) -> None:
    """
    The login finds out user, org, edition and newest API version, and that this is no Dev Hub.
    """
    organization = rest_records(
        living_org, "SELECT Name, InstanceName, OrganizationType FROM Organization"
    )[0]
    versions = [entry["version"] for entry in living_org.get("/services/data").json()]
    expected = {
        "username": living_org.username,
        "orgId": living_org.org_id,
        "isDevHub": False,
        "isSandbox": False,
        "isScratch": False,
        "instanceApiVersion": versions[-1],
        "name": organization["Name"],
        "instanceName": organization["InstanceName"],
        "orgEdition": organization["OrganizationType"],
    }
    assert {key: sf.login[key] for key in expected} == expected
    assert sf.login["instanceUrl"].rstrip("/") == living_org.https_url


def test_org_display_and_its_token(sf: SfCli, living_org: RunningOrg) -> None:
    """
    ``org display`` says Connected, and ``org auth show-access-token`` gives the token that went in.
    """
    shown = sf.ask("org", "display")
    assert (shown["id"], shown["username"], shown["alias"]) == (
        living_org.org_id,
        living_org.username,
        ALIAS,
    )
    assert shown["connectedStatus"] == "Connected"
    assert sf.ask("org", "auth", "show-access-token")["accessToken"] == living_org.access_token


def test_data_query_reads_all_pages(sf: SfCli, living_org: RunningOrg) -> None:
    """``data query`` follows the pages to the end; values and parents are those of REST."""
    soql = "SELECT Id, LastName, Description, Account.Name FROM Contact ORDER BY Id"
    found = sf.ask("data", "query", "--query", soql)
    assert found["totalSize"] == len(found["records"]) > 4_000

    def core(record: dict[str, Any]) -> tuple[Any, ...]:
        return (
            record["Id"],
            record["LastName"],
            record["Description"],
            (record["Account"] or {}).get("Name"),
        )

    assert [core(record) for record in found["records"]] == [
        core(record) for record in rest_records(living_org, soql)
    ]


def test_data_query_knows_its_columns(sf: SfCli, living_org: RunningOrg) -> None:
    """
    As a table or CSV, ``data query`` asks for the statement's columns: fields, parents, children
    and functions.
    """
    soql = (
        "SELECT Name, Owner.Name, (SELECT LastName FROM Contacts) FROM Account ORDER BY Id LIMIT 20"
    )
    words = ("data", "query", "--target-org", ALIAS, "--result-format", "csv", "--query")
    rows = csv_rows(sf.text(*words, soql))
    records = rest_records(living_org, soql)
    assert [row["Name"] for row in rows] == [record["Name"] for record in records]
    assert [row["Owner.Name"] for row in rows] == [record["Owner"]["Name"] for record in records]
    children = [record["Contacts"]["totalSize"] if record["Contacts"] else 0 for record in records]
    assert [int(row["Contacts.totalSize"] or 0) for row in rows] == children
    assert sum(children) > 0

    groups = csv_rows(
        sf.text(*words, "SELECT Type, COUNT(Id), MAX(Name) FROM Account GROUP BY Type")
    )
    counted = rest_records(
        living_org, "SELECT Type, COUNT(Id) n, MAX(Name) last FROM Account GROUP BY Type"
    )
    assert len(counted) > 2
    assert [(row["Type"], int(row["count(Id)"]), row["max(Name)"]) for row in groups] == [
        (record["Type"] or "", record["n"], record["last"]) for record in counted
    ]


def test_a_refused_query_is_told(sf: SfCli) -> None:
    """Salesforce's code and message come through as the command's error."""
    words = (
        "data",
        "query",
        "--target-org",
        ALIAS,
        "--json",
        "--query",
        "SELECT Naem FROM Account",
    )
    answer = json.loads(sf.text(*words, exit_code=1))
    assert answer["name"] == "INVALID_FIELD"
    assert "No such column 'Naem' on entity 'Account'" in answer["message"]


def test_data_query_has_no_bulk_any_more(sf: SfCli) -> None:
    """
    ``data query --bulk`` is refused by sf itself; when it comes back, or its successor goes, this
    test says so.
    """
    words = (
        "data",
        "query",
        "--bulk",
        "--target-org",
        ALIAS,
        "--json",
        "--query",
        "SELECT Id FROM Account",
    )
    assert "Nonexistent flag: --bulk" in json.loads(sf.text(*words, exit_code=2))["message"]


def test_data_export_bulk(sf: SfCli, living_org: RunningOrg, tmp_path: Path) -> None:
    """
    ``data export bulk --all-rows`` writes every row once, deleted ones too, and the values as they
    are.
    """
    soql = f"SELECT Id, {', '.join(TEXT_FIELDS)} FROM Contact"
    file = tmp_path / "contacts.csv"
    # The line ending is that of the rows; inside of values it stays.
    words = (
        "--output-file",
        str(file),
        "--result-format",
        "csv",
        "--line-ending",
        "LF",
        "--wait",
        "5",
        "--all-rows",
    )
    result = sf.ask("data", "export", "bulk", "--query", soql, *words)
    rows = csv_rows(file.read_bytes().decode())
    rest = rest_records(living_org, soql, path="queryAll")
    assert (
        result["totalSize"] == len(rows) == len(rest) > len(rest_records(living_org, soql)) > 4_000
    )
    assert text_rows(rows) == text_rows(rest)


@pytest.mark.parametrize("words", [("limits", "api", "display"), ("org", "list", "limits")])
def test_limits(sf: SfCli, living_org: RunningOrg, words: tuple[str, ...]) -> None:
    """
    Both names of the command list the limits of /limits, API calls counted down by those made
    meanwhile.
    """
    before = living_org.get(f"/services/data/{VERSION}/limits").json()
    found = {entry["name"]: (entry["max"], entry["remaining"]) for entry in sf.ask(*words)}
    after = living_org.get(f"/services/data/{VERSION}/limits").json()
    assert {name: maximum for name, (maximum, _) in found.items()} == {
        k: v["Max"] for k, v in before.items()
    }
    remaining = found["DailyApiRequests"][1]
    assert (
        after["DailyApiRequests"]["Remaining"]
        <= remaining
        <= before["DailyApiRequests"]["Remaining"]
    )


def test_sobject_describe(sf: SfCli, living_org: RunningOrg) -> None:
    """``sobject describe`` gives the org's fields and children."""
    described = sf.ask("sobject", "describe", "--sobject", "Account", "--api-version", "66.0")
    told = living_org.get(f"/services/data/{VERSION}/sobjects/Account/describe").json()
    assert described["fields"] == told["fields"]
    assert described["childRelationships"] == told["childRelationships"]


def test_rows_live(sf: SfCli, living_org: RunningOrg) -> None:
    """
    ``data create record`` and ``data delete record`` do so; sf sends numbers as text, and a number
    is kept.
    """
    account = ("record", "--sobject", "Account")
    record_id = sf.ask(
        "data", "create", *account, "--values", "Name='Made by sf' NumberOfEmployees=7"
    )["id"]
    path = f"/services/data/{VERSION}/sobjects/Account/{record_id}"
    record = living_org.get(path).json()
    assert (record["Name"], record["NumberOfEmployees"]) == ("Made by sf", 7)
    assert sf.ask("data", "delete", *account, "--record-id", record_id)["success"] is True
    assert living_org.get(path).status_code == 404


@pytest.mark.parametrize("is_token_shown", [False, True], ids=["token hidden", "token shown"])
def test_sfnb_takes_the_login_of_sf(
    sf: SfCli, living_org: RunningOrg, tmp_path: Path, is_token_shown: bool
) -> None:
    """
    ``sfnb org add --sf-cli`` finds the real sf, and gets in whether ``org display`` shows the token
    or not (P7).
    """
    env = {
        **sf.environment,
        "SFNB_HOME": str(tmp_path),
        "SF_TEMP_SHOW_SECRETS": str(is_token_shown).lower(),
    }

    words = ("org", "add", "ours", "--sf-cli", ALIAS, "--ca-file", living_org.ca_file)
    command = [sys.executable, "-c", "from sfnb.cli import main; main()", *words]
    done = subprocess.run(
        command, env=env, capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert living_org.org_id in done.stdout
    assert living_org.access_token not in done.stdout + done.stderr
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert living_org.access_token.encode() not in file.read_bytes(), f"the token is in {file}"


def test_project_retrieve_start_takes_the_metadata_apart(sf: SfCli) -> None:
    """
    ``project retrieve start`` lists, retrieves, polls and unpacks: objects by name with their
    fields, classes with their bytes, and what cannot be found is told.
    """
    (sf.home / "force-app").mkdir()
    project = {"packageDirectories": [{"path": "force-app", "default": True}]}
    (sf.home / "sfdx-project.json").write_text(json.dumps(project | {"sourceApiVersion": "66.0"}))
    wanted = (
        "ApexClass:Invoices1",
        "CustomObject:Invoice__c",
        "Layout",
        "StandardValueSet:Industry",
    )
    flags = [flag for name in (*wanted, "ApexClass:Nobody") for flag in ("--metadata", name)]
    found = sf.ask("project", "retrieve", "start", *flags)
    names = {(file["type"], file["fullName"]) for file in found["files"]}
    assert {("ApexClass", "Invoices1"), ("CustomObject", "Invoice__c")} <= names
    assert ("StandardValueSet", "Industry") in names
    assert any("Nobody" in message["problem"] for message in found["messages"])
    classes = sf.home / "force-app" / "main" / "default" / "classes"
    assert "größer" in (classes / "Invoices1.cls").read_text(encoding="utf-8")
    types = sf.ask("org", "list", "metadata-types")
    assert "CustomObject" in {entry["xmlName"] for entry in types["metadataObjects"]}
    reports = sf.ask("org", "list", "metadata", "--metadata-type", "Report", "--folder", "Sales")
    assert [entry["fullName"] for entry in reports] == ["Sales/Open_Deals"]
