"""The answer to ``columns=true``, on which ``sf data query`` builds its tables."""

from __future__ import annotations

from typing import Any

import pytest

from sfnb_demo.data.database import Database
from sfnb_demo.errors import ApiError


def columns(database: Database, soql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = database.columns(soql, all_rows=False, version="66.0")[
        "columnMetadata"
    ]
    return found


def test_fields_and_the_statement(tiny_database: Database) -> None:
    """
    A field says its Apex type and whether it may be written; the whole says object, key prefix and
    Id.
    """
    found = tiny_database.columns("SELECT Id, Name FROM Account", all_rows=False, version="66.0")
    record_id, name = found.pop("columnMetadata")
    assert found == {
        "entityName": "Account",
        "groupBy": False,
        "idSelected": True,
        "keyPrefix": "001",
    }
    assert record_id == {
        "aggregate": False,
        "apexType": "Id",
        "booleanType": False,
        "columnName": "Id",
        "custom": False,
        "displayName": "Id",
        "foreignKeyName": None,
        "insertable": False,
        "joinColumns": [],
        "numberType": False,
        "textType": False,
        "updatable": False,
    }
    assert (name["apexType"], name["textType"], name["updatable"]) == ("String", True, True)


def test_parents_gather_their_fields(tiny_database: Database) -> None:
    """
    Fields of one parent are one column with its foreign key; a parent's parent lies inside it.
    """
    soql = "SELECT account.name, LastName, Account.Owner.Name, Account.Type FROM Contact"
    account, last_name = columns(tiny_database, soql)
    assert (account["columnName"], account["foreignKeyName"], account["aggregate"]) == (
        "Account",
        "AccountId",
        False,
    )
    assert [column["columnName"] for column in account["joinColumns"]] == ["Name", "Owner", "Type"]
    owner = account["joinColumns"][1]
    assert owner["foreignKeyName"] == "OwnerId"
    assert [column["columnName"] for column in owner["joinColumns"]] == ["Name"]
    assert last_name["columnName"] == "LastName"


def test_children_and_functions_are_aggregates(tiny_database: Database) -> None:
    """A subquery holds its columns; functions are numbered, or called by their alias."""
    (contacts,) = columns(tiny_database, "SELECT (SELECT LastName FROM Contacts) FROM Account")
    assert (contacts["columnName"], contacts["aggregate"], contacts["foreignKeyName"]) == (
        "Contacts",
        True,
        None,
    )
    assert [column["columnName"] for column in contacts["joinColumns"]] == ["LastName"]

    soql = "SELECT Type, AVG(AnnualRevenue), COUNT(Id) n, MAX(Name) FROM Account GROUP BY Type"
    kind, *functions = columns(tiny_database, soql)
    assert (kind["columnName"], kind["aggregate"]) == ("Type", False)
    told = [(f["columnName"], f["displayName"], f["numberType"], f["aggregate"]) for f in functions]
    assert told == [
        ("expr0", "avg(AnnualRevenue)", True, True),
        ("n", "count(Id)", True, True),
        ("expr1", "max(Name)", False, True),
    ]


def test_a_bad_statement_is_refused(tiny_database: Database) -> None:
    """Asking for the columns refuses what asking for the rows would refuse."""
    with pytest.raises(ApiError, match="No such column 'Naem'"):
        columns(tiny_database, "SELECT Naem FROM Account")
    assert columns(tiny_database, "SELECT COUNT() FROM Account") == []
