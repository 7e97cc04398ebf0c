"""What an org should not do between two backups and some do: clocks, merges and Ids that go wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from sfnb.connection import Connection
from sfnb.org.changes import ChangeReader
from sfnb.store.history.record import RecordVersion, record_history
from sfnb.store.verify import verify
from sfnb_demo.soql.names import literal
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector, SharedClock
from tests.faults.test_incremental import (
    BORN,
    V,
    agrees,
    counts,
    life,
    pass_minutes,
    run,
    stored,
    truth,
)


@pytest.fixture
def org(fresh_org: Callable[..., RunningOrg]) -> RunningOrg:
    return fresh_org(start_at=BORN)


def put_back(org: RunningOrg, minutes: float) -> None:
    """The org's clock is put back, which nothing that is asked of it says."""
    assert org.server is not None
    org.server.org.clock._base_s -= minutes * 60


def sql(org: RunningOrg, text: str) -> list[tuple[Any, ...]]:
    """A change of the org's rows that none of its users could make."""
    assert org.server is not None
    database = org.server.org.database
    with database.storage.writing():
        rows = database.storage.rows(text)
    database.changes += 1
    return list(rows)


def versions(there: Connection, name: str, record: str) -> list[RecordVersion]:
    return list(record_history(there.store.files, there.snapshots, name, record))


def rows_in_bin(org: RunningOrg, name: str) -> dict[str, str | None]:
    """By Id, the MasterRecordId of each record in the recycle bin."""
    soql = f"SELECT Id, MasterRecordId FROM {name} WHERE IsDeleted = true"
    records = org.get(f"{V}/queryAll?q={quote(soql)}").json()["records"]
    return {record["Id"]: record["MasterRecordId"] for record in records}


@pytest.mark.parametrize("then", [10, 200], ids=["still behind", "ahead again"])
def test_an_org_whose_clock_was_put_back_loses_no_change(
    org: RunningOrg, connected: Connector, then: float
) -> None:
    """
    Rows are changed under stamps from before the watermark. The same backup finds them, whether the
    org's time is later than the watermark again or not.
    """
    there = connected(org, clock=SharedClock(org))
    first = run(there, ["Account", "Contact"])
    old = stored(there, first["snapshot"], "Account")
    put_back(org, 180)
    life(org, "change", "Account", rows=7, field="Description")
    life(org, "hard_delete", "Contact", rows=2)
    there.clock.wait(then * 60)
    second = run(there, ["Account", "Contact"])
    agrees(there, org, second)
    assert counts(second, "Account")[2] == 7 or second["objects"]["Account"]["mode"] == "full"
    assert stored(there, first["snapshot"], "Account") == old
    there.clock.wait(60 * 240)
    life(org, "change", "Account", rows=2, field="Description")
    agrees(there, org, run(there, ["Account", "Contact"]))


def test_a_stamp_in_the_future_hides_no_later_change(org: RunningOrg, connected: Connector) -> None:
    """
    A record from tomorrow does not move the watermark there: it is stored once, and what changes it
    today, under an earlier stamp, is a new version.
    """
    there = connected(org)
    (name,) = sql(org, 'SELECT "Id" FROM "Account" ORDER BY 1 LIMIT 1')
    tomorrow = (BORN + timedelta(days=1)).replace(tzinfo=None)
    put = f"\"SystemModstamp\" = '{tomorrow}'"
    sql(org, f'UPDATE "Account" SET {put} WHERE "Id" = {literal(name[0])}')
    run(there, ["Account"])
    pass_minutes(org, 60)
    assert counts(run(there, ["Account"]), "Account") == ("incremental", 0, 0, 0)
    today = (BORN + timedelta(minutes=60)).replace(tzinfo=None)
    put = f"\"SystemModstamp\" = '{today}', \"Description\" = 'of today'"
    sql(org, f'UPDATE "Account" SET {put} WHERE "Id" = {literal(name[0])}')
    life(org, "insert", "Account", rows=1)
    pass_minutes(org, 8)
    third = run(there, ["Account"])
    assert counts(third, "Account") == ("incremental", 1, 1, 0)
    agrees(there, org, third)
    pass_minutes(org, 3 * 1440)
    agrees(there, org, run(there, ["Account"]))


def test_a_merge_of_a_merge_and_a_loser_that_comes_back(
    org: RunningOrg, connected: Connector
) -> None:
    """
    A is merged into B, B into C: each loser keeps its master, in one backup or in two. The one
    that is undeleted is alive again in the next snapshot and says nothing of a master.
    """
    there = connected(org)
    first = run(there, ["Account", "Contact"])
    kept = stored(there, first["snapshot"], "Account")
    a, b, c, d = sorted(kept)[:4]
    pass_minutes(org, 60)
    life(org, "merge", "Account", ids=[a], into=b)
    life(org, "merge", "Account", ids=[b], into=c)
    pass_minutes(org, 8)
    second = run(there, ["Account", "Contact"])
    agrees(there, org, second)
    life(org, "merge", "Account", ids=[c], into=d)
    pass_minutes(org, 8)
    third = run(there, ["Account", "Contact"])
    agrees(there, org, third)
    masters = rows_in_bin(org, "Account")
    for record, expected in ((a, b), (b, c), (c, d)):
        last = versions(there, "Account", record)[-1]
        assert last.op == "delete" and masters[record] == last.merged_into == expected
    pass_minutes(org, 60)
    life(org, "undelete", "Account", ids=[b])
    pass_minutes(org, 8)
    fourth = run(there, ["Account", "Contact"])
    agrees(there, org, fourth)
    assert b in stored(there, fourth["snapshot"], "Account")
    assert a not in stored(there, fourth["snapshot"], "Account")
    assert [v.op for v in versions(there, "Account", b)] == ["upsert", "delete", "upsert"]
    assert stored(there, first["snapshot"], "Account") == kept


@pytest.mark.parametrize("has_run_between", [False, True])
def test_an_id_that_is_used_again_is_a_record(
    org: RunningOrg, connected: Connector, has_run_between: bool
) -> None:
    """
    Salesforce gives no Id twice; a copy of an org may. ``/deleted`` names it and a query finds it:
    it is alive.
    """
    there = connected(org)
    first = run(there, ["Lead"])
    kept = stored(there, first["snapshot"], "Lead")
    record = sorted(kept)[0]
    columns = sql(org, f'SELECT * FROM "Lead" WHERE "Id" = {literal(record)}')
    assert columns
    sql(org, f'CREATE TEMP TABLE again AS SELECT * FROM "Lead" WHERE "Id" = {literal(record)}')
    pass_minutes(org, 60)
    life(org, "hard_delete", "Lead", ids=[record])
    if has_run_between:
        pass_minutes(org, 8)
        gone = run(there, ["Lead"])
        assert record not in stored(there, gone["snapshot"], "Lead")
    pass_minutes(org, 8)
    sql(org, 'INSERT INTO "Lead" SELECT * FROM again')
    life(org, "change", "Lead", ids=[record], field="Description", value="another record")
    pass_minutes(org, 8)
    second = run(there, ["Lead"])
    agrees(there, org, second)
    assert stored(there, second["snapshot"], "Lead")[record]["Description"] == "another record"
    assert stored(there, first["snapshot"], "Lead") == kept
    assert [f for f in verify(there.store) if f.kind not in ("note", "orphan")] == []


def test_records_that_are_purged_between_two_calls_are_gone_and_none_else(
    org: RunningOrg, connected: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``/deleted`` names what is in the bin; when the rows are asked for, the bin is empty."""
    there = connected(org)
    first = run(there, ["Account", "Contact"])
    kept = stored(there, first["snapshot"], "Contact")
    pass_minutes(org, 60)
    deleted = life(org, "delete", "Contact", rows=5)["rows"]
    life(org, "change", "Contact", rows=3, field="Description")
    pass_minutes(org, 8)
    fetch, purged = ChangeReader.fetch, list[int]()

    def and_purge(self: ChangeReader, queries: Any) -> Any:
        answers = fetch(self, queries)
        purged.append(life(org, "purge", "Contact")["rows"])
        return answers

    monkeypatch.setattr(ChangeReader, "fetch", and_purge)
    second = run(there, ["Account", "Contact"])
    assert purged[0] >= deleted == 5
    agrees(there, org, second)
    mode, added, changed, ended = counts(second, "Contact")
    # Who reported to one that was purged reports to nobody now.
    assert (mode, added, ended) == ("incremental", 0, 5) and changed >= 3
    gone = set(kept) - set(truth(org, "Contact"))
    assert {versions(there, "Contact", record)[-1].op for record in gone} == {"hard_delete"}
    assert stored(there, first["snapshot"], "Contact") == kept


def test_lists_that_end_before_they_were_asked_to_are_asked_again_from_there(
    org: RunningOrg, connected: Connector
) -> None:
    """
    ``latestDateCovered`` lies an hour back: what the lists may have left out by then is in the next
    window, and nothing is taken for covered.
    """
    there = connected(org)
    first = run(there, ["Contact", "CampaignMember"])
    pass_minutes(org, 120)
    life(org, "hard_delete", "CampaignMember", rows=2)
    life(org, "change", "Contact", rows=4, field="Description")
    pass_minutes(org, 30)
    assert org.server is not None
    org.server.org.options.record_count_age_minutes = 10_000.0
    early = (BORN + timedelta(minutes=60)).strftime("%Y-%m-%dT%H:%M:00.000+0000")
    lists = {"deletedRecords": [], "latestDateCovered": early}
    hidden = [
        [r'"deletedRecords": ?\[[^\]]*\]', '"deletedRecords": []'],
        [r'"ids": ?\[[^\]]*\]', '"ids": []'],
        [r'"latestDateCovered": ?"[^"]*"', f'"latestDateCovered": "{lists["latestDateCovered"]}"'],
    ]
    org.fail(match="/(updated|deleted)/", inside="both", fault="rewrite", replace=hidden)
    second = run(there, ["Contact", "CampaignMember"])
    org.control("faults", method="DELETE")
    pass_minutes(org, 30)
    third = run(there, ["Contact", "CampaignMember"])
    agrees(there, org, third)
    both = [counts(s, "CampaignMember")[3] for s in (second, third)]
    assert sum(both) == 2, both
    assert sum(counts(s, "Contact")[2] for s in (second, third)) == 4
    assert first["snapshot"]


def test_an_object_whose_whole_rows_are_refused_is_named_and_nothing_of_it_is_deleted(
    org: RunningOrg, connected: Connector
) -> None:
    """
    The org refuses queryAll for one object. What `query` would tell is no state of it, without the
    recycle bin and archived records: the object is not complete, what was stored stays, and the
    next backup that is let has all of it.
    """
    there = connected(org)
    first = run(there, ["Campaign", "Lead"])
    kept = stored(there, first["snapshot"], "Campaign")
    pass_minutes(org, 60)
    life(org, "change", "Campaign", rows=2)
    life(org, "change", "Lead", rows=2, field="Description")
    pass_minutes(org, 8)
    refused = {"fault": "error", "code": "INSUFFICIENT_ACCESS", "status": 403}
    org.fail(match="/queryAll", object="Campaign", inside="both", **refused)
    org.fail(match="POST .*/jobs/query", object="Campaign", inside="both", **refused)
    second = run(there, ["Campaign", "Lead"])
    entry = second["objects"]["Campaign"]
    assert second["state"] == "completed_with_errors" and entry["state"] != "complete"
    assert "INSUFFICIENT_ACCESS" in entry["message"], entry
    assert counts(second, "Lead") == ("incremental", 0, 2, 0)
    assert stored(there, first["snapshot"], "Campaign") == kept
    org.control("faults", method="DELETE")
    pass_minutes(org, 8)
    third = run(there, ["Campaign", "Lead"])
    agrees(there, org, third)
    assert counts(third, "Campaign")[2:] == (2, 0)
