"""The demo org's rows: they match their describe, follow from the seed, and can be changed."""

from __future__ import annotations

import csv
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfnb_demo.data import export, ids, pools
from sfnb_demo.data.database import Database
from sfnb_demo.data.event_logs import LogFile
from sfnb_demo.errors import ApiError
from tests.unit.demo.conftest import BORN, Hand

V = "66.0"
BULK_REFUSED = (
    "CaseStatus",
    "KnowledgeArticle",
    "Attachment",
    "AccountFeed",
    "UserPermissionAccess",
    "EventLogFile",
)


def rows(org: Database, soql: str, *, all_rows: bool = False) -> list[dict[str, Any]]:
    return org.query(soql, all_rows=all_rows, version=V).rows()


def one(org: Database, name: str) -> str:
    """The id of a living record."""
    return str(rows(org, f"SELECT Id FROM {name} LIMIT 1")[0]["Id"])


def readable(org: Database) -> list[str]:
    """Objects that a query without a filter may read."""
    return [n for n, o in org.catalog.objects.items() if o.is_queryable and not o.wanted_filters]


def plain_fields(org: Database, name: str) -> list[str]:
    """The fields that Bulk exports."""
    kinds = ("address", "location", "base64")
    return [f["name"] for f in org.describe(name, V)["fields"] if f["type"] not in kinds]


# --- ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id18", ["0017Q00000AcMe1QAF", "7507Q00000JoB01QAF", "012000000000000AAA"])
def test_checksum_is_salesforces(id18: str) -> None:
    """The last three characters follow from the first fifteen."""
    assert ids.to18(id18[:15]) == id18
    assert ids.is_id(id18[:15]) and ids.is_id(id18) and not ids.is_id(id18[:17] + "0")


@given(st.lists(st.integers(0, 62**10 - 1), min_size=1, max_size=20))
def test_many_ids_at_once_equal_single_ones(numbers: list[int]) -> None:
    """
    Ids made as an array are those made one by one, carry valid checksums, count back, and sort as
    their numbers.
    """
    np = pytest.importorskip("numpy")
    made = ids.make_ids("003", np.array(numbers, dtype=np.int64)).to_pylist()
    assert made == [ids.make_id("003", n) for n in numbers]
    assert [ids.number_of(i) for i in made] == numbers
    assert all(ids.is_id(i) for i in made)
    assert sorted(i[:15] for i in made) == [ids.make_id("003", n)[:15] for n in sorted(numbers)]


def test_key_ranges_cover_all_rows_once(org: Database) -> None:
    """PK chunking's ranges share the rows out, the deleted ones too."""
    every = [r["Id"] for r in rows(org, "SELECT Id FROM Contact", all_rows=True)]
    found: list[str] = []
    for low, high in org.chunk_ranges("Contact", 100):
        page = rows(
            org, f"SELECT Id FROM Contact WHERE Id >= '{low}' AND Id < '{high}'", all_rows=True
        )
        assert len(page) <= 100
        found += [r["Id"] for r in page]
    assert sorted(found) == sorted(every) and len(set(found)) == len(found)


# --- describe -------------------------------------------------------------------------------------


def test_describe_is_truthful(org: Database) -> None:
    """
    Every field that describe lists can be queried, with all its keys there, and may be filtered if
    it says so.
    """
    for name in readable(org):
        fields = org.describe(name, V)["fields"]
        assert {len(f) for f in fields} == {57}, name
        names = ", ".join(f["name"] for f in fields)
        for record in org.query(f"SELECT {names} FROM {name}", all_rows=True, version=V).rows(0, 3):
            assert list(record)[1:] == [f["name"] for f in fields]
        for field in fields:
            soql = f"SELECT Id FROM {name} WHERE {field['name']} != null"
            if field["filterable"]:
                org.plan(soql, all_rows=False, version=V)
            else:
                with pytest.raises(ApiError, match="can not be filtered"):
                    org.plan(soql, all_rows=False, version=V)


def test_global_entry_and_describe_agree(org: Database) -> None:
    """
    Each key of the global describe says the same in the object's own one, whatever the version in
    its addresses.
    """
    for name in org.object_names():
        entry, whole = org.global_entry(name, "59.0"), org.describe(name, "59.0")
        assert {k: v for k, v in entry.items() if k != "urls"} == {
            k: whole[k] for k in entry if k != "urls"
        }
        assert entry["urls"]["sobject"] == f"/services/data/v59.0/sobjects/{name}"


def test_child_relations_mirror_the_lookups(org: Database) -> None:
    """
    Every lookup stands among its target's children, with master-detail as cascade. Recorded
    describes tell of standard lookups that cascade or restrict there alone, not on the field.
    """
    for name in org.object_names():
        for field in org.describe(name, V)["fields"]:
            for target in field["referenceTo"]:
                found = [
                    c
                    for c in org.describe(target, V)["childRelationships"]
                    if (c["childSObject"], c["field"]) == (name, field["name"])
                ]
                assert len(found) == 1
                for key in ("cascadeDelete", "restrictedDelete"):
                    assert found[0][key] == field[key] or (found[0][key] and not field["custom"])


def test_org_has_the_odd_objects(org: Database) -> None:
    """
    There are objects that cannot be queried, that lack a modification stamp, IsDeleted, or a key
    prefix.
    """
    assert not org.global_entry("AccountChangeEvent", V)["queryable"]
    assert org.global_entry("AccountChangeEvent", V)["associateEntityType"] == "ChangeEvent"
    assert not org.global_entry("Order_Shipped__e", V)["queryable"]
    names = {f["name"] for f in org.describe("CaseStatus", V)["fields"]}
    assert not names & {"SystemModstamp", "IsDeleted", "LastModifiedDate", "CreatedDate"}
    history = {f["name"] for f in org.describe("AccountHistory", V)["fields"]}
    assert "CreatedDate" in history and "SystemModstamp" not in history
    assert org.global_entry("ActivityHistory", V)["keyPrefix"] is None


def test_unknown_object_is_not_found(org: Database) -> None:
    """An unknown object is NOT_FOUND, 404."""
    with pytest.raises(ApiError) as caught:
        org.describe("Nope", V)
    assert (caught.value.code, caught.value.status) == ("NOT_FOUND", 404)


# --- rows -----------------------------------------------------------------------------------------


def test_same_seed_same_org(org: Database) -> None:
    """The same seed gives the same rows, another seed other ones."""
    twin, other = (Database(seed=seed, size="tiny", clock=lambda: BORN) for seed in (1, 2))
    for name in ("Account", "Contact", "Task", "Project__c", "ContentVersion"):
        soql = f"SELECT {', '.join(plain_fields(org, name))} FROM {name} ORDER BY Id"
        assert rows(org, soql, all_rows=True) == rows(twin, soql, all_rows=True)
        assert rows(org, soql, all_rows=True) != rows(other, soql, all_rows=True)
    twin.close()
    other.close()


def test_every_lookup_finds_its_row(org: Database) -> None:
    """A reference is null or the id of a row of one of its targets."""
    known = {
        n: {r["Id"] for r in rows(org, f"SELECT Id FROM {n}", all_rows=True)} for n in readable(org)
    }
    for name in readable(org):
        for field in org.describe(name, V)["fields"]:
            targets = set().union(*(known.get(t, set()) for t in field["referenceTo"]))
            if field["type"] == "reference":
                values = {
                    r[field["name"]]
                    for r in rows(org, f"SELECT {field['name']} FROM {name}", all_rows=True)
                }
                assert values - {None} <= targets, f"{name}.{field['name']}"


def test_parents_of_themselves_make_no_rings(org: Database) -> None:
    """An account's parent came before it, so no account is its own ancestor."""
    assert all(
        r["ParentId"] < r["Id"]
        for r in rows(org, "SELECT Id, ParentId FROM Account WHERE ParentId != null")
    )


def test_details_of_deleted_masters_are_deleted(org: Database) -> None:
    """A deleted master has no living details; about one row in a hundred is deleted."""
    found = rows(
        org, "SELECT IsDeleted, Opportunity.IsDeleted FROM OpportunityLineItem", all_rows=True
    )
    assert all(r["IsDeleted"] for r in found if r["Opportunity"]["IsDeleted"])
    flags = [r["IsDeleted"] for r in rows(org, "SELECT IsDeleted FROM Contact", all_rows=True)]
    assert 0.003 < sum(flags) / len(flags) < 0.03


def test_stamps_come_in_order(org: Database) -> None:
    """Created, modified, stamped: in this order, and none after the org's birth."""
    found = rows(
        org, "SELECT CreatedDate, LastModifiedDate, SystemModstamp FROM Account", all_rows=True
    )
    for record in found:
        stamps = list(record.values())[1:]
        assert stamps == sorted(stamps) and stamps[-1] <= "2026-11-22T00:00:00.000+0000"
    assert any(r["LastModifiedDate"] < r["SystemModstamp"] for r in found)


def test_values_that_break_careless_programs_are_there() -> None:
    """
    Among a few thousand contacts are text that looks like null, line breaks, quotes, and dates far
    off.
    """
    big = Database(size="tiny", clock=lambda: BORN, overrides={"Contact": 20_000})
    found = rows(big, "SELECT LastName, Description, Birthdate FROM Contact", all_rows=True)
    names = {r["LastName"] for r in found}
    assert set(pools.NASTY) <= names
    assert any(r["Description"] and len(r["Description"]) > 30_000 for r in found)
    days = {r["Birthdate"] for r in found if r["Birthdate"]}
    assert {"1900-01-01", "4000-12-31"} <= days
    big.close()


def test_counts_and_sizes(org: Database) -> None:
    """The count is that of a query; overrides and empty objects give what they say."""
    for name in readable(org):
        total = org.query(f"SELECT COUNT() FROM {name}", all_rows=False, version=V).total_size
        assert (
            org.count(name) == (1 if name == "UserPermissionAccess" else total)
            or name in ("UserPermissionAccess", "Knowledge__kav")  # a query shows part of these
        )
    wide = Database(size="tiny", clock=lambda: BORN, overrides={"lead": 7}, empty_objects=50)
    assert len(wide.object_names()) == len(org.object_names()) + 50
    assert wide.query("SELECT COUNT() FROM Lead", all_rows=True, version=V).total_size == 7
    extra = [wide.count(n) for n in wide.object_names() if n.startswith("Extra_")]
    assert extra.count(0) > 40 and 0 < max(extra) <= 30
    wide.close()


@pytest.mark.parametrize("options", [{"size": "huge"}, {"overrides": {"Nope": 1}}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """A size or an object that does not exist is refused in one sentence."""
    with pytest.raises(ValueError, match=r"size is 'huge'|there is no object Nope"):
        Database(clock=lambda: BORN, **options)


# --- Bulk -----------------------------------------------------------------------------------------


def as_csv(value: Any) -> str:
    """A REST value as Bulk writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace(".000+0000", ".000Z") if isinstance(value, str) else str(value)


def test_export_equals_the_rows_of_rest(org: Database, tmp_path: Path) -> None:
    """
    For every object that Bulk reads, the CSV holds the same records as the query, value by value.
    """
    for name in readable(org):
        if not org.catalog.objects[name].has_bulk:
            continue
        fields = plain_fields(org, name)
        soql = f"SELECT {', '.join(fields)} FROM {name} ORDER BY {fields[0]}"
        done = org.export_csv(soql, tmp_path, all_rows=True, version=V)
        text = (done.header + done.path.read_bytes()).decode()
        header, *found = list(csv.reader(io.StringIO(text, newline="")))
        assert header == fields
        expected = [
            [as_csv(v) for v in list(r.values())[1:]] for r in rows(org, soql, all_rows=True)
        ]
        numbers = {
            i
            for i, f in enumerate(org.catalog.objects[name].find(n) for n in fields)
            if f and f.column_type == "DOUBLE"
        }
        same = [[float(v) if i in numbers and v else v for i, v in enumerate(r)] for r in found]
        assert same == [
            [float(v) if i in numbers and v else v for i, v in enumerate(r)] for r in expected
        ], name
        assert done.rows == len(found)


def test_export_quotes_everything_and_follows_the_query(org: Database, tmp_path: Path) -> None:
    """
    Header and values are quoted, parents stand under their dotted path, null is an empty pair of
    quotes.
    """
    soql = "SELECT id, Owner.Name, Parent.Name, IsDeleted, AnnualRevenue FROM Account ORDER BY Id LIMIT 3"
    done = org.export_csv(soql, tmp_path, all_rows=False, version=V)
    assert done.header == b'"Id","Owner.Name","Parent.Name","IsDeleted","AnnualRevenue"\n'
    first = done.path.read_bytes().split(b"\n")[0]
    assert first.count(b'"') == 10 and b',"",' in first and b',"false",' in first


def test_export_takes_delimiter_and_line_ending(org: Database, tmp_path: Path) -> None:
    """
    Delimiter and line ending are as asked for; columns are in alphabetical order up to version 49.
    """
    soql = "SELECT Name, Id FROM Account ORDER BY Id"
    done = org.export_csv(
        soql, tmp_path, all_rows=False, version="49.0", delimiter="^", line_ending="\r\n"
    )
    assert done.header == b'"Id"^"Name"\r\n'
    text = done.path.read_bytes().decode()
    found = list(csv.reader(io.StringIO(text, newline=""), delimiter="^"))
    assert found == [[r["Id"], r["Name"]] for r in rows(org, soql)]
    assert text.endswith('"\r\n')
    chunk = done.span(done.rows - 1, 5)
    last = done.path.read_bytes()[chunk.offset : chunk.offset + chunk.length].decode()
    assert chunk.rows == 1 and next(csv.reader([last], delimiter="^"))[0] == found[-1][0]


@given(
    st.lists(st.lists(st.text('a"\n\r,é', max_size=6), min_size=2, max_size=2), max_size=30),
    st.integers(1, 7),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_record_index_finds_every_boundary(table: list[list[str]], page_rows: int) -> None:
    """
    Whatever is inside the values, pages cut by the index are whole records, in order, each once.
    """
    lines = [",".join('"' + v.replace('"', '""') + '"' for v in row) + "\n" for row in table]
    data = "".join(lines).encode()
    starts = export.record_starts(io.BytesIO(data))
    whole = export.CsvExport("X", Path("x"), b"", starts, page_rows)
    pages = [data[c.offset : c.offset + c.length] for c in whole.chunks]
    assert b"".join(pages) == data
    assert sum(c.rows for c in whole.chunks) == whole.rows == len(table)
    found = [r for page in pages for r in csv.reader(io.StringIO(page.decode(), newline=""))]
    assert found == table


def test_record_index_does_not_care_where_blocks_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quoted line break across two blocks of the file is still inside its value."""
    monkeypatch.setattr(export, "_BLOCK_BYTES", 3)
    data = b'"a\nb","""\n"\n"","c"\n'
    assert export.record_starts(io.BytesIO(data)).tolist() == [0, 12, len(data)]


@pytest.mark.parametrize("name", BULK_REFUSED)
def test_bulk_refuses_some_objects(org: Database, name: str) -> None:
    """An object outside the Bulk API is INVALIDENTITY when the job is made."""
    with pytest.raises(
        ApiError, match=f"Entity '{name}' is not supported by the Bulk API."
    ) as caught:
        org.check_bulk(f"SELECT Id FROM {name}", all_rows=False, version=V)
    assert caught.value.code == "INVALIDENTITY"


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT StageName FROM Opportunity GROUP BY StageName", "FEATURENOTENABLED"),
        ("SELECT COUNT() FROM Account", "FEATURENOTENABLED"),
        ("SELECT COUNT(Id) FROM Account", "FEATURENOTENABLED"),
        ("SELECT Id FROM Account LIMIT 5 OFFSET 5", "FEATURENOTENABLED"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "FEATURENOTENABLED"),
        ("SELECT BillingAddress FROM Account", "INVALID_FIELD"),
        ("SELECT Site__c FROM Project__c", "INVALID_FIELD"),
        ("SELECT VersionData FROM ContentVersion", "FEATURENOTENABLED"),
        ("SELECT Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Id FROM ContentDocumentLink", "MALFORMED_QUERY"),
    ],
)
def test_bulk_refuses_some_queries(org: Database, soql: str, code: str) -> None:
    """What Bulk cannot do is refused when the job is made, with a code that says why."""
    with pytest.raises(ApiError) as caught:
        org.check_bulk(soql, all_rows=False, version=V)
    assert caught.value.code == code


def test_bulk_one_json_counts_milliseconds(org: Database) -> None:
    """In Bulk API 1.0's JSON a datetime is a number of milliseconds."""
    soql = "SELECT CreatedDate FROM Account ORDER BY Id LIMIT 1"
    text = rows(org, soql)[0]["CreatedDate"]
    number = org.query(soql, all_rows=False, version=V, flavour="epoch").rows()[0]["CreatedDate"]
    assert datetime.fromtimestamp(number / 1000, UTC) == datetime.fromisoformat(
        text.replace("+0000", "+00:00")
    )


def test_large_result_pages_from_a_file() -> None:
    """
    A result too large for memory gives the same pages, and its file goes when nobody holds it.
    """
    big = Database(size="tiny", clock=lambda: BORN, overrides={"Lead": 25_000})
    result = big.query("SELECT Id, Name FROM Lead ORDER BY Id", all_rows=True, version=V)
    assert result.total_size == 25_000
    found = [r["Id"] for offset in range(0, 25_000, 2_000) for r in result.rows(offset, 2_000)]
    assert found == sorted(set(found)) and len(found) == 25_000
    big.close()


# --- a living org ---------------------------------------------------------------------------------


def test_writes_move_the_stamps(living: Database, clock: Hand) -> None:
    """
    A new record carries the clock's time; a change moves SystemModstamp and leaves CreatedDate.
    """
    record_id = living.insert("Account", {"Name": "New", "External_Id__c": "X-1"})
    clock.move(minutes=3)
    living.update("Account", record_id[:15], {"Name": "Newer"})
    record = living.retrieve("Account", record_id)
    assert record["Name"] == "Newer"
    assert record["CreatedDate"] == "2026-11-22T09:30:00.000+0000"
    assert record["SystemModstamp"] == record["LastModifiedDate"] == "2026-11-22T09:33:00.000+0000"
    assert record["OwnerId"] == living.organization.users[0].user_id
    assert living.by_external_id("Account", "External_Id__c", "x-1") == [record_id]


def test_formulas_follow_without_a_stamp(living: Database, clock: Hand) -> None:
    """A formula shows its parent's new name at once, and the record's SystemModstamp stays."""
    account = living.insert("Account", {"Name": "Before"})
    project = living.insert("Project__c", {"Name": "P", "Account__c": account})
    before = living.retrieve("Project__c", project)
    clock.move(hours=1)
    living.update("Account", account, {"Name": "After"})
    after = living.retrieve("Project__c", project)
    assert (before["Account_Name__c"], after["Account_Name__c"]) == ("Before", "After")
    assert before["SystemModstamp"] == after["SystemModstamp"]


def test_roll_ups_follow_their_details(living: Database, clock: Hand) -> None:
    """A roll-up counts the living details, and its change moves the master's SystemModstamp."""
    project = living.insert("Project__c", {"Name": "P"})
    clock.move(hours=1)
    first, _ = (living.insert("Milestone__c", {"Project__c": project}) for _ in range(2))
    record = living.retrieve("Project__c", project)
    assert (
        record["Milestones__c"] == 2.0
        and record["SystemModstamp"] == "2026-11-22T10:30:00.000+0000"
    )
    living.delete("Milestone__c", first)
    assert living.retrieve("Project__c", project)["Milestones__c"] == 1.0


def test_delete_takes_the_details_along(living: Database, clock: Hand) -> None:
    """
    A deleted master and its details lie in the bin: gone for query, there for queryAll, listed by
    deleted().
    """
    project = living.insert("Project__c", {"Name": "P"})
    milestone = living.insert("Milestone__c", {"Project__c": project})
    clock.move(minutes=10)
    living.delete("Project__c", project)
    clock.move(minutes=10)
    soql = f"SELECT Id, IsDeleted FROM Milestone__c WHERE Id = '{milestone}'"
    assert rows(living, soql) == []
    assert rows(living, soql, all_rows=True)[0]["IsDeleted"] is True
    found, _, latest = living.deleted("Milestone__c", clock.now - timedelta(hours=1), clock.now)
    assert found == [(milestone, BORN + timedelta(minutes=10))]
    assert latest == clock.now
    with pytest.raises(ApiError) as caught:
        living.update("Project__c", project, {"Name": "Q"})
    assert (caught.value.code, caught.value.status) == ("ENTITY_IS_DELETED", 404)


def test_updated_tells_new_and_changed(living: Database, clock: Hand) -> None:
    """updated() gives what was written since its start, and nothing else."""
    old = one(living, "Contact")
    clock.move(minutes=5)
    new = living.insert("Contact", {"LastName": "New"})
    living.update("Contact", old, {"Title": "CEO"})
    clock.move(minutes=5)
    found, latest = living.updated(
        "Contact", clock.now - timedelta(minutes=8), clock.now + timedelta(days=1)
    )
    assert found == sorted([old, new]) and latest == clock.now


@pytest.mark.parametrize(
    ("name", "days", "code"),
    [
        ("Account", 31, "INVALID_REPLICATION_DATE"),
        ("Account", -1, "INVALID_REPLICATION_DATE"),
        ("CaseStatus", 1, "INVALID_TYPE_FOR_OPERATION"),
    ],
)
def test_updated_refuses(org: Database, name: str, days: int, code: str) -> None:
    """Too far back, the wrong way round, or an object that is not replicated."""
    with pytest.raises(ApiError) as caught:
        org.updated(name, BORN - timedelta(days=days), BORN)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "values", "code", "fields"),
    [
        ("Contact", {"FirstName": "A"}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ("Account", {"Name": "A", "Nope__c": 1}, "INVALID_FIELD", []),
        (
            "Account",
            {"Name": "A", "CreatedDate": "2026-01-01T00:00:00Z"},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            ["CreatedDate"],
        ),
        (
            "Account",
            {"Name": "A", "Is_Large__c": True},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            ["Is_Large__c"],
        ),
        ("Account", {"Name": "x" * 256}, "STRING_TOO_LONG", ["Name"]),
        ("Account", {"Name": "A", "ParentId": "what"}, "MALFORMED_ID", ["ParentId"]),
        (
            "Account",
            {"Name": "A", "ParentId": ids.make_id("003", ids.FIRST)},
            "FIELD_INTEGRITY_EXCEPTION",
            ["ParentId"],
        ),
        (
            "Account",
            {"Name": "A", "ParentId": ids.make_id("001", 5)},
            "INVALID_CROSS_REFERENCE_KEY",
            ["ParentId"],
        ),
        (
            "Account",
            {"Name": "A", "External_Id__c": "acc-0000001"},
            "DUPLICATE_VALUE",
            ["External_Id__c"],
        ),
        ("Account", {"Name": "A", "AnnualRevenue": "much"}, "JSON_PARSER_ERROR", []),
        ("Account", {"Name": "A", "AnnualRevenue": "1,5"}, "JSON_PARSER_ERROR", []),
        ("Account", {"Name": 5}, "JSON_PARSER_ERROR", []),
        (
            "Project__c",
            {"Name": "A", "Phase__c": "Nap"},
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            ["Phase__c"],
        ),
        ("Project__c", {"Name": "A", "Due__c": "soon"}, "JSON_PARSER_ERROR", []),
        ("AccountHistory", {}, "INVALID_TYPE_FOR_OPERATION", []),
    ],
)
def test_insert_refuses(
    org: Database, name: str, values: dict[str, Any], code: str, fields: list[str]
) -> None:
    """
    A record that Salesforce would refuse is refused with its code and fields, and nothing is
    written.
    """
    before = org.query(f"SELECT COUNT() FROM {name}", all_rows=True, version=V).total_size
    with pytest.raises(ApiError) as caught:
        org.insert(name, values)
    assert (caught.value.code, caught.value.fields) == (code, fields)
    assert org.query(f"SELECT COUNT() FROM {name}", all_rows=True, version=V).total_size == before


@pytest.mark.parametrize(
    ("record_id", "code", "status"),
    [
        ("abc", "MALFORMED_ID", 400),
        (ids.make_id("003", 1), "MALFORMED_ID", 400),
        (ids.make_id("001", 1), "NOT_FOUND", 404),
    ],
)
def test_retrieve_refuses(org: Database, record_id: str, code: str, status: int) -> None:
    """An id that is none, of another object, or of no record."""
    with pytest.raises(ApiError) as caught:
        org.retrieve("Account", record_id)
    assert (caught.value.code, caught.value.status) == (code, status)


def test_file_bodies_are_true_to_their_records(org: Database) -> None:
    """
    Length and MD5 in the record are those of the bytes; every document's latest version says so.
    """
    query = "SELECT Id, ContentSize, Checksum, ContentLocation FROM ContentVersion"
    for record in rows(org, query):
        body = org.body("ContentVersion", record["Id"], "VersionData")
        if record["ContentLocation"] == "E":  # kept outside: there is nothing here
            assert not body and record["ContentSize"] == 0 and record["Checksum"] is None
            continue
        assert len(body) == record["ContentSize"]
        assert hashlib.md5(body, usedforsecurity=False).hexdigest() == record["Checksum"]
    for record in rows(org, "SELECT Id, BodyLength, Body FROM Attachment"):
        assert len(org.body("Attachment", record["Id"], "Body")) == record["BodyLength"]
        assert record["Body"] == f"/services/data/v66.0/sobjects/Attachment/{record['Id']}/Body"
    latest = {
        r["ContentDocumentId"]: r["Id"]
        for r in rows(org, "SELECT Id, ContentDocumentId FROM ContentVersion WHERE IsLatest = true")
    }
    documents = rows(org, "SELECT Id, LatestPublishedVersionId FROM ContentDocument")
    assert {d["Id"]: d["LatestPublishedVersionId"] for d in documents} == latest


def test_uploaded_file_makes_its_document(living: Database) -> None:
    """
    A new ContentVersion brings its document and its link, and a second one becomes the latest.
    """
    account = one(living, "Account")
    values = {"PathOnClient": "a.txt", "VersionData": "aGk=", "FirstPublishLocationId": account}
    first = living.retrieve("ContentVersion", living.insert("ContentVersion", values))
    document = first["ContentDocumentId"]
    assert (first["ContentSize"], first["Title"], first["VersionNumber"]) == (2, "a", "1")
    assert living.body("ContentVersion", first["Id"], "VersionData") == b"hi"
    links = rows(
        living,
        f"SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'",
    )
    assert account in {r["LinkedEntityId"] for r in links}
    again = {"PathOnClient": "a.txt", "VersionData": "aGkh", "ContentDocumentId": document}
    second = living.insert("ContentVersion", again)
    assert living.retrieve("ContentDocument", document)["LatestPublishedVersionId"] == second
    soql = f"SELECT Id, IsLatest FROM ContentVersion WHERE ContentDocumentId = '{document}' ORDER BY Id"
    assert [r["IsLatest"] for r in rows(living, soql)] == [False, True]


def test_event_logs_come_from_their_provider(living: Database, clock: Hand) -> None:
    """EventLogFile shows what the provider offers now, and gives its bytes."""
    assert rows(living, "SELECT Id FROM EventLogFile") == []
    files = [
        LogFile(
            "ApiTotalUsage",
            BORN.replace(hour=8, minute=0),
            "Hourly",
            1,
            BORN,
            b'"EVENT_TYPE","METHOD"\n"x","GET"\n',
        )
    ]
    living.set_event_log(lambda start, end: [f for f in files if start <= f.log_at < end])
    soql = "SELECT Id, LogFileLength, Interval, LogFile FROM EventLogFile WHERE EventType = 'ApiTotalUsage'"
    (record,) = rows(living, soql)
    assert record["LogFileLength"] == float(len(files[0].body)) and record["Interval"] == "Hourly"
    assert record["LogFile"] == f"/services/data/v66.0/sobjects/EventLogFile/{record['Id']}/LogFile"
    assert living.body("EventLogFile", record["Id"], "LogFile") == files[0].body
    files.append(LogFile("ApiTotalUsage", BORN - timedelta(days=1), "Daily", 0, BORN, b"x\n"))
    assert len(rows(living, soql)) == 2


def test_permissions_are_those_of_the_one_who_asks(org: Database) -> None:
    """UserPermissionAccess is one row: what the asking user may do."""
    soql = "SELECT PermissionsApiEnabled, PermissionsViewAllData, PermissionsQueryAllFiles FROM UserPermissionAccess"
    found = []
    for user in org.organization.users[:3]:
        (record,) = org.query(soql, all_rows=False, version=V, user_id=user.user_id).rows()
        found.append(tuple(list(record.values())[1:]))
    assert found == [(True, True, True), (True, False, False), (False, False, False)]


def test_readers_and_writers_share_the_org(living: Database) -> None:
    """
    While records are written by several threads, readers in others never fail and never see half of
    a write.
    """
    project = living.insert("Project__c", {"Name": "P"})

    def write(_: int) -> str:
        return living.insert("Milestone__c", {"Project__c": project})

    def read(_: int) -> bool:
        soql = f"SELECT Milestones__c, (SELECT Id FROM Milestones__r) FROM Project__c WHERE Id = '{project}'"
        return bool(rows(living, soql))

    with ThreadPoolExecutor(6) as pool:
        written = pool.map(write, range(20))
        seen = pool.map(read, range(40))
        assert len(set(written)) == 20 and all(seen)
    assert living.retrieve("Project__c", project)["Milestones__c"] == 20.0
