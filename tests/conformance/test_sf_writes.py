"""The sf command line writes by Bulk API 2.0: import, upsert and delete in bulk."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.test_sf import ALIAS, SfCli, sf

__all__ = ["sf"]


def test_sf_imports_upserts_and_deletes_in_bulk(sf: SfCli, tmp_path: Path) -> None:
    """Its three bulk commands end as completed jobs with the counts that were sent."""
    key = "External_Id__c"
    (tmp_path / "new.csv").write_text(f"LastName,{key}\nA,sfw-1\nB,sfw-2\n", "utf-8")
    (tmp_path / "old.csv").write_text(f"LastName,{key}\nUno,sfw-1\nC,sfw-3\n", "utf-8")
    bulk = ("--sobject", "Contact", "--wait", "2", "--target-org", ALIAS, "--line-ending", "LF")
    made = sf.json("data", "import", "bulk", "--file", str(tmp_path / "new.csv"), *bulk)
    assert (made["processedRecords"], made["failedRecords"]) == (2, 0)
    changed = sf.json(
        *("data", "upsert", "bulk", "--file", str(tmp_path / "old.csv"), "--external-id", key),
        *bulk,
    )
    assert changed["jobInfo"]["numberRecordsProcessed"] == 2
    soql = f"SELECT Id, LastName FROM Contact WHERE {key} LIKE 'sfw-%' ORDER BY {key}"
    rows = sf.json("data", "query", "--query", soql, "--target-org", ALIAS)["records"]
    assert [row["LastName"] for row in rows] == ["Uno", "B", "C"]
    ids = "\n".join(["Id", *(row["Id"] for row in rows)])
    (tmp_path / "gone.csv").write_text(ids + "\n", "utf-8")
    sf.json("data", "delete", "bulk", "--file", str(tmp_path / "gone.csv"), *bulk)
    assert sf.json("data", "query", "--query", soql, "--target-org", ALIAS)["records"] == []
