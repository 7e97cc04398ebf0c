"""SOQL: each clause does what it says, each mistake gets Salesforce's code."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from sfnb_demo.data.database import Database
from sfnb_demo.data.ids import to18
from sfnb_demo.errors import ApiError
from sfnb_demo.soql.dates import literal_range
from sfnb_demo.soql.parser import parse

V = "66.0"


def rows(org: Database, soql: str, *, all_rows: bool = False) -> list[dict[str, Any]]:
    return org.query(soql, all_rows=all_rows, version=V).rows()


def column(org: Database, soql: str, *, all_rows: bool = False) -> list[Any]:
    """The first selected field of each row."""
    return [list(r.values())[1] for r in rows(org, soql, all_rows=all_rows)]


def size(org: Database, where: str, name: str = "Account") -> int:
    return org.query(
        f"SELECT COUNT() FROM {name} WHERE {where}", all_rows=False, version=V
    ).total_size


def refusal(org: Database, soql: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        org.query(soql, all_rows=False, version=V)
    return caught.value


# --- records --------------------------------------------------------------------------------------


def test_record_begins_with_attributes_and_keeps_the_order_of_the_query(org: Database) -> None:
    """A record shows attributes first, then the fields as asked for, under their API names."""
    (record,) = rows(org, "select name, ID, createddate from account limit 1")
    assert list(record) == ["attributes", "Name", "Id", "CreatedDate"]
    assert record["attributes"] == {
        "type": "Account",
        "url": f"/services/data/v66.0/sobjects/Account/{record['Id']}",
    }
    assert record["CreatedDate"].endswith(".000+0000")


def test_parent_paths_nest_and_are_null_without_a_parent(org: Database) -> None:
    """A parent is a nested record, and null where the lookup is empty."""
    found = rows(org, "SELECT Id, ParentId, Parent.Name, Parent.Owner.Name FROM Account")
    with_parent = [r for r in found if r["ParentId"]]
    assert with_parent and len(with_parent) < len(found)
    assert all(r["Parent"]["attributes"]["url"].endswith(r["ParentId"]) for r in with_parent)
    assert all(r["Parent"]["Owner"]["Name"] for r in with_parent)
    assert all(r["Parent"] is None for r in found if not r["ParentId"])


def test_polymorphic_parent_goes_through_the_name_object(org: Database) -> None:
    """Who.Name works for contacts and leads alike, and the address tells which it is."""
    found = rows(org, "SELECT WhoId, Who.Name, Who.Type FROM Task WHERE WhoId != null")
    prefixes = {"Contact": "003", "Lead": "00Q"}
    assert {r["Who"]["Type"] for r in found} == set(prefixes)
    for record in found:
        assert record["Who"]["attributes"]["type"] == "Name"
        assert f"/{record['Who']['Type']}/{record['WhoId']}" in record["Who"]["attributes"]["url"]
        assert record["WhoId"].startswith(prefixes[record["Who"]["Type"]])


def test_subquery_gives_the_children_of_each_row(org: Database) -> None:
    """
    A child subquery shows each parent its own rows, limited for each parent, null where there are
    none.
    """
    found = rows(
        org, "SELECT Id, (SELECT Id, AccountId FROM Contacts ORDER BY Id DESC LIMIT 2) FROM Account"
    )
    counts = {
        r["n"]: r["expr0"]
        for r in rows(org, "SELECT AccountId n, COUNT(Id) FROM Contact GROUP BY AccountId")
    }
    for record in found:
        children = record["Contacts"]
        if record["Id"] not in counts:
            assert children is None
            continue
        ids = [c["Id"] for c in children["records"]]
        assert children["totalSize"] == len(ids) == min(2, counts[record["Id"]])
        assert ids == sorted(ids, reverse=True)
        assert {c["AccountId"] for c in children["records"]} == {record["Id"]}


def test_address_is_one_object(org: Database) -> None:
    """A compound address shows its parts, null when all of them are."""
    keys = [
        "city",
        "country",
        "geocodeAccuracy",
        "latitude",
        "longitude",
        "postalCode",
        "state",
        "street",
    ]
    found = rows(org, "SELECT BillingAddress, BillingCity FROM Account")
    assert all(r["BillingAddress"] is None or list(r["BillingAddress"]) == keys for r in found)
    assert any(
        r["BillingAddress"] and r["BillingAddress"]["city"] == r["BillingCity"] for r in found
    )


@pytest.mark.parametrize("which", ["ALL", "STANDARD", "CUSTOM"])
def test_fields_function_gives_what_describe_lists(org: Database, which: str) -> None:
    """FIELDS() is the list of describe, whole, standard or custom."""
    fields = org.describe("Project__c", V)["fields"]
    wanted = [f["name"] for f in fields if which == "ALL" or f["custom"] == (which == "CUSTOM")]
    (record,) = rows(org, f"SELECT FIELDS({which}) FROM Project__c LIMIT 1")
    assert list(record)[1:] == wanted


# --- conditions -----------------------------------------------------------------------------------


def test_text_compares_without_case_and_ids_with_it(org: Database) -> None:
    """
    Text equals in any case; an id of 15 characters means the same as its 18, another case does not.
    """
    name = column(org, "SELECT Name FROM Account WHERE Name LIKE 'acme%' LIMIT 1")[0]
    assert size(org, f"Name = '{name.upper()}'") == size(org, f"Name = '{name.lower()}'") > 0
    record_id = column(org, "SELECT Id FROM Account LIMIT 1")[0]
    assert size(org, f"Id = '{record_id[:15]}'") == size(org, f"Id = '{record_id}'") == 1
    other = to18(record_id[:15].swapcase())
    assert size(org, f"Id = '{other}'") == 0


@pytest.mark.parametrize(
    ("where", "complement"),
    [
        ("Industry = 'Energy'", "Industry != 'Energy'"),
        ("Industry IN ('Energy', 'Media')", "Industry NOT IN ('Energy', 'Media')"),
        ("Industry = null", "Industry != null"),
        ("Industry LIKE '%e%'", "NOT Industry LIKE '%e%'"),
        ("AnnualRevenue > 1000000000.5", "(NOT AnnualRevenue > 1000000000.5)"),
        ("NumberOfEmployees <= 4000", "(NumberOfEmployees > 4000 OR NumberOfEmployees = null)"),
        ("CreatedDate < 2025-06-01T02:00:00+02:00", "CreatedDate >= 2025-06-01T00:00:00Z"),
        ("CreatedDate = LAST_N_DAYS:600", "CreatedDate != LAST_N_DAYS:600"),
        ("Is_Large__c = true", "Is_Large__c = false"),
        ("Id IN (SELECT AccountId FROM Contact)", "Id NOT IN (SELECT AccountId FROM Contact)"),
        ("Parent.Industry = 'Energy'", "Parent.Industry <> 'Energy'"),
        (
            "(Industry = 'Energy' AND Rating = 'Hot')",
            "NOT (Industry = 'Energy' AND Rating = 'Hot')",
        ),
    ],
)
def test_condition_and_its_opposite_share_the_rows_out(
    org: Database, where: str, complement: str
) -> None:
    """Each row meets a condition or its opposite, never both, null or not."""
    some, others = size(org, where), size(org, complement)
    assert 0 < some < org.count("Account")
    assert some + others == org.count("Account")


def test_like_takes_wildcards_and_their_escapes(living: Database) -> None:
    """% and _ stand for characters unless a backslash takes that away."""
    for name in ("100% sure", "100 sure", "10_0", "10x0"):
        living.insert("Account", {"Name": name})
    assert column(living, r"SELECT Name FROM Account WHERE Name LIKE '100\% %'") == ["100% sure"]
    assert sorted(column(living, "SELECT Name FROM Account WHERE Name LIKE '10_0'")) == [
        "10_0",
        "10x0",
    ]
    assert column(living, r"SELECT Name FROM Account WHERE Name LIKE '10\_0'") == ["10_0"]


def test_string_escapes_mean_their_characters(living: Database) -> None:
    r"""\' and \n in a literal are a quote and a line feed."""
    living.insert("Account", {"Name": "O'Neil\nIreland \\ Co"})
    assert size(living, r"Name = 'O\'Neil\nIreland \\ Co'") == 1


def test_multipicklist_includes_and_excludes(org: Database) -> None:
    """
    INCLUDES wants one of the sets, ';' inside a set means both; EXCLUDES is the rest, null among
    it.
    """
    values = column(org, "SELECT Languages__c FROM Contact")
    both = sum(1 for v in values if v and {"German", "French"} <= set(v.split(";")))
    either = sum(1 for v in values if v and {"German", "French"} & set(v.split(";")))
    assert size(org, "Languages__c INCLUDES ('German;French')", "Contact") == both > 0
    assert size(org, "Languages__c INCLUDES ('German', 'French')", "Contact") == either > both
    assert (
        size(org, "Languages__c EXCLUDES ('German', 'French')", "Contact") == len(values) - either
    )


@pytest.mark.parametrize(
    ("literal", "first", "after"),
    [
        ("TODAY", "2026-11-22", "2026-11-23"),
        ("YESTERDAY", "2026-11-21", "2026-11-22"),
        ("LAST_N_DAYS:3", "2026-11-19", "2026-11-23"),
        ("NEXT_N_DAYS:2", "2026-11-23", "2026-11-25"),
        ("THIS_WEEK", "2026-11-22", "2026-11-29"),
        ("LAST_WEEK", "2026-11-15", "2026-11-22"),
        ("THIS_MONTH", "2026-11-01", "2026-12-01"),
        ("NEXT_MONTH", "2026-12-01", "2027-01-01"),
        ("LAST_N_MONTHS:2", "2026-09-01", "2026-11-01"),
        ("THIS_QUARTER", "2026-10-01", "2027-01-01"),
        ("LAST_YEAR", "2025-01-01", "2026-01-01"),
        ("N_YEARS_AGO:2", "2024-01-01", "2025-01-01"),
        ("LAST_90_DAYS", "2026-08-24", "2026-11-23"),
    ],
)
def test_date_literals_span_their_days(literal: str, first: str, after: str) -> None:
    """A date literal is the days from its first to the day before ``after``."""
    name, _, count = literal.partition(":")
    found = literal_range(name, int(count) if count else None, date(2026, 11, 22))
    assert found == (date.fromisoformat(first), date.fromisoformat(after))


# --- order, limits, groups ------------------------------------------------------------------------


def test_order_ignores_case_and_puts_nulls_where_told(org: Database) -> None:
    """
    Nulls come first when ascending and last when descending, unless the query says otherwise; text
    sorts without case.
    """
    up = column(org, "SELECT Industry FROM Account ORDER BY Industry")
    down = column(org, "SELECT Industry FROM Account ORDER BY Industry DESC")
    last = column(org, "SELECT Industry FROM Account ORDER BY Industry NULLS LAST")
    values = [v for v in up if v]
    assert up[0] is None and down[-1] is None and last[-1] is None
    assert values == sorted(values, key=str.lower)


def test_ids_sort_by_their_bytes_and_pages_by_key_meet(org: Database) -> None:
    """Keyset pages in order of Id give every row once."""
    found: list[str] = []
    while True:
        where = f"WHERE Id > '{found[-1]}'" if found else ""
        page = column(org, f"SELECT Id FROM Contact {where} ORDER BY Id LIMIT 50")
        found += page
        if len(page) < 50:
            break
    assert found == sorted(set(found))
    assert len(found) == org.count("Contact")


def test_limit_and_offset_cut_a_window(org: Database) -> None:
    """OFFSET skips, LIMIT stops."""
    every = column(org, "SELECT Id FROM Account ORDER BY Id")
    assert column(org, "SELECT Id FROM Account ORDER BY Id LIMIT 5 OFFSET 3") == every[3:8]
    assert rows(org, "SELECT Id FROM Account LIMIT 0") == []


def test_aggregates_agree_with_the_rows(org: Database) -> None:
    """
    COUNT, COUNT_DISTINCT, SUM, AVG, MIN and MAX are those of the rows; unnamed ones are expr0,
    expr1, …
    """
    amounts = [a for a in column(org, "SELECT Amount FROM Opportunity") if a is not None]
    soql = "SELECT COUNT(Amount), SUM(Amount), AVG(Amount) mean, MIN(Amount), MAX(Amount), COUNT_DISTINCT(StageName) s"
    (record,) = rows(org, soql + " FROM Opportunity")
    assert list(record) == ["attributes", "expr0", "expr1", "mean", "expr2", "expr3", "s"]
    assert record["attributes"] == {"type": "AggregateResult"}
    assert record["expr0"] == len(amounts)
    assert record["expr1"] == pytest.approx(sum(amounts))
    assert record["mean"] == pytest.approx(sum(amounts) / len(amounts))
    assert (record["expr2"], record["expr3"]) == (min(amounts), max(amounts))
    assert record["s"] == 6


def test_groups_with_having_and_order(org: Database) -> None:
    """GROUP BY with HAVING keeps the groups that are large enough, in the order asked for."""
    soql = "SELECT StageName, COUNT(Id) n FROM Opportunity GROUP BY StageName"
    soql += " HAVING COUNT(Id) > 10 ORDER BY COUNT(Id) DESC"
    found = rows(org, soql)
    counts = [r["n"] for r in found]
    assert counts == sorted(counts, reverse=True) and min(counts) > 10
    assert counts[0] == size(org, f"StageName = '{found[0]['StageName']}'", "Opportunity")


def test_groups_by_date_function(org: Database) -> None:
    """CALENDAR_YEAR groups by the year in UTC."""
    found = rows(
        org,
        "SELECT CALENDAR_YEAR(CreatedDate) y, COUNT(Id) n FROM Lead GROUP BY CALENDAR_YEAR(CreatedDate)",
    )
    years = [d[:4] for d in column(org, "SELECT CreatedDate FROM Lead")]
    assert {str(r["y"]): r["n"] for r in found} == {y: years.count(y) for y in years}


def test_query_hides_what_query_all_shows(org: Database) -> None:
    """Deleted rows and archived activities show in queryAll alone."""
    assert not any(column(org, "SELECT IsDeleted FROM Contact"))
    assert any(column(org, "SELECT IsDeleted FROM Contact", all_rows=True))
    assert not any(column(org, "SELECT IsArchived FROM Task"))
    assert any(column(org, "SELECT IsArchived FROM Task", all_rows=True))


def test_ignored_clauses_change_nothing(org: Database) -> None:
    """USING SCOPE and FOR VIEW are read and have no effect; ALL ROWS is queryAll in words."""
    plain = column(org, "SELECT Id FROM Contact ORDER BY Id")
    assert (
        column(org, "SELECT Id FROM Contact USING SCOPE everything ORDER BY Id FOR VIEW") == plain
    )
    assert len(column(org, "SELECT Id FROM Contact ALL ROWS")) > len(plain)


def test_keywords_may_name_objects(org: Database) -> None:
    """Order, Group, Case and Event are objects as well as words of the language."""
    for name in ("Order", "Group", "Case", "Event"):
        assert size(org, "Id != null", name) == org.count(name)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("soql", "code", "words"),
    [
        ("", "MALFORMED_QUERY", "SOQL statements cannot be empty or null"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FORM Account", "MALFORMED_QUERY", "unexpected token: 'Account'"),
        (
            "SELECT Id FROM Account WHERE Name='a' AND Name='b' OR Name='c'",
            "MALFORMED_QUERY",
            "unexpected token: 'OR'",
        ),
        ("SELECT Naem FROM Account", "INVALID_FIELD", "No such column 'Naem' on entity 'Account'"),
        ("SELECT Boss.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Boss'"),
        (
            "SELECT Id, (SELECT Id FROM Nephews) FROM Account",
            "INVALID_FIELD",
            "relationship 'Nephews'",
        ),
        ("SELECT Id, Id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        (
            "SELECT Id FROM ScratchOrgInfo",
            "INVALID_TYPE",
            "sObject type 'ScratchOrgInfo' is not supported.",
        ),
        ("SELECT Id FROM ActivityHistory", "INVALID_TYPE_FOR_OPERATION", "does not support query"),
        (
            "SELECT Id FROM AccountChangeEvent",
            "INVALID_TYPE_FOR_OPERATION",
            "does not support query",
        ),
        (
            "SELECT Id FROM Account LIMIT 5 OFFSET 2001",
            "NUMBER_OUTSIDE_VALID_RANGE",
            "offset allowed is 2000",
        ),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "must have a LIMIT of at most 200"),
        (
            "SELECT FIELDS(CUSTOM) FROM Account LIMIT 201",
            "MALFORMED_QUERY",
            "must have a LIMIT of at most 200",
        ),
        (
            "SELECT FIELDS(ALL), Id FROM Account LIMIT 5",
            "INVALID_FIELD",
            "duplicate field selected: Id",
        ),
        (
            "SELECT Id FROM ContentDocumentLink",
            "MALFORMED_QUERY",
            "requires a filter by a single Id",
        ),
        ("SELECT Id FROM Vote", "MALFORMED_QUERY", "ParentId = [single ID]"),
        ("SELECT Label FROM FieldDefinition", "MALFORMED_QUERY", "reified column is required"),
        (
            "SELECT Name, COUNT(Id) FROM Account",
            "MALFORMED_QUERY",
            "Field must be grouped or aggregated: Name",
        ),
        (
            "SELECT Id FROM Account WHERE Description = 'x'",
            "INVALID_FIELD",
            "can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Account ORDER BY Description",
            "MALFORMED_QUERY",
            "can not be sorted in a query call",
        ),
        (
            "SELECT Id FROM Account WHERE Id = 'abc'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid ID field: abc",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed",
        ),
        (
            "SELECT Id FROM Account WHERE AnnualRevenue = '5'",
            "INVALID_FIELD",
            "must be of type double",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > '2026'",
            "INVALID_FIELD",
            "must be of type dateTime",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > NEVER",
            "MALFORMED_QUERY",
            "unexpected token: 'NEVER'",
        ),
        (
            "SELECT Id FROM Account WHERE IsDeleted > true",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > 2026-13-01T00:00:00Z",
            "MALFORMED_QUERY",
            "no viable alternative",
        ),
        ("SELECT TYPEOF What FROM Task", "MALFORMED_QUERY", "unexpected token"),
    ],
)
def test_mistakes_get_salesforces_code(org: Database, soql: str, code: str, words: str) -> None:
    """Each mistake is refused with Salesforce's errorCode and words."""
    error = refusal(org, soql)
    assert error.code == code
    assert words in error.message
    assert error.status == 400


def test_frame_points_at_the_mistake(org: Database) -> None:
    """The message shows the line, a caret below the wrong name, the row and the column."""
    message = refusal(org, "SELECT Id, Naem FROM Account").message
    hint = (
        "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. "
        "Please reference your WSDL or the describe call for the appropriate names."
    )
    assert message == (
        "\nSELECT Id, Naem FROM Account\n           ^\nERROR at Row:1:Column:12\n"
        f"No such column 'Naem' on entity 'Account'. {hint}"
    )


def test_frame_counts_lines() -> None:
    """In a statement of several lines the row is the line's number."""
    with pytest.raises(ApiError, match="ERROR at Row:2:Column:6"):
        parse("SELECT Id\nFROM Account WHERE ,".replace("Account WHERE", ","))


def test_too_many_groups_cannot_page(living: Database) -> None:
    """
    More than 2,000 groups in one answer are refused, since aggregates have no second page; LIMIT
    helps.
    """
    big = Database(size="tiny", clock=living.clock, overrides={"Contact": 2_200})
    soql = "SELECT External_Id__c, COUNT(Id) FROM Contact GROUP BY External_Id__c"
    error = refusal(big, soql)
    assert error.code == "EXCEEDED_ID_LIMIT"
    assert "does not support queryMore()" in error.message
    assert len(rows(big, soql + " LIMIT 2000")) == 2_000
    big.close()


def test_restricted_objects_answer_to_their_filter(org: Database) -> None:
    """
    ContentDocumentLink, Vote and FieldDefinition give their rows to a query that filters as they
    want.
    """
    documents = column(org, "SELECT Id FROM ContentDocument LIMIT 3")
    among = ", ".join(f"'{d}'" for d in documents)
    links = rows(
        org,
        f"SELECT ContentDocumentId FROM ContentDocumentLink WHERE ContentDocumentId IN ({among})",
    )
    assert {r["ContentDocumentId"] for r in links} == set(documents)
    assert size(org, "EntityDefinitionId = 'Account'", "FieldDefinition") == len(
        org.describe("Account", V)["fields"]
    )
    parents = {
        name: column(org, f"SELECT Id FROM {name}", all_rows=True) for name in ("Account", "Case")
    }
    for name, ids in parents.items():
        votes = [size(org, f"ParentId = '{one}' AND IsDeleted = false", "Vote") for one in ids]
        assert sum(votes) == size(org, f"Parent.Type = '{name}' AND IsDeleted = false", "Vote")
    assert sum(size(org, f"Parent.Type = '{name}'", "Vote") for name in parents) > 5
