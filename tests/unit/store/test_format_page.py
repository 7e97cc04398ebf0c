"""docs/format.md is true: what it says of files and keys is on disk, and its examples run as they stand."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfnb.store.keys import LANES, KeyDigest
from sfnb.store.tables import open_store
from tests.store_samples import a_snapshot, a_store, record_id

PAGE = (Path(__file__).parents[3] / "docs" / "format.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python (\w+)\n(.*?)```", PAGE, re.DOTALL))


@pytest.mark.parametrize("tool", ["pandas", "polars", "duckdb"])
def test_other_tools_read_the_records_alive(tmp_path: Path, tool: str) -> None:
    """Each example gives exactly the records alive in the snapshot, with another snapshot in the table."""
    store = a_store(tmp_path)
    snapshot = a_snapshot(store, number=1)
    a_snapshot(store, number=2, parts=3)
    known = {"path": str(Path(store.root, "records", "Account")), "snapshot": snapshot}
    exec(EXAMPLES[tool], known)  # noqa: S102 (our own page)
    found = known["frame"]["Id"]
    assert sorted(found) == [record_id(n) for n in range(20) if n not in (0, 10)]  # type: ignore[call-overload]


def test_a_table_of_the_first_sfnb_can_be_filtered_again(format1_store: Path) -> None:
    """
    Tables made by sfnb 0.1 answered every WHERE on a field with no rows at all, without an error.

    The first commit of a newer sfnb mends the table, older snapshots included.
    """
    store = open_store(format1_store).org("00D7Q00000A0000UAB")
    old = store.snapshots["20261127T060309Z"]
    path = Path(store.root, "tables", "ContentDocumentLink")
    known = {"path": str(path), "snapshot": old.id}
    exec(EXAMPLES["older"], known)  # noqa: S102 (our own page)
    assert len(known["frame"]) == 0, "delta-rs reads such statistics now: the property can go"
    writer = store.begin(
        replace(old.plan, snapshot="20261128T000000Z-000001", objects={"ContentDocumentLink": {}})
    )
    writer.put_schema("ContentDocumentLink", old.columns("ContentDocumentLink"))
    exec(EXAMPLES["older"], known)  # noqa: S102
    assert len(known["frame"]) == len(old.frame("ContentDocumentLink")) > 0


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def named(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def files_of(root: Path) -> dict[str, dict[str, object]]:
    commit = sorted(root.glob("records/Account/_delta_log/*.json"))[-1]
    info = json.loads(commit.read_text().splitlines()[0])["commitInfo"]
    texts = {
        "plan.json": next(root.glob("snapshots/*/plan.json")).read_text(),
        "schema/&lt;Object&gt;.json": next(
            root.glob("snapshots/*/schema/Account.json")
        ).read_text(),
        "manifest.json": next(root.glob("snapshots/*/manifest.json")).read_text(),
        "Commits": info["sfnb"],
        "summary.json": next(root.glob("snapshots/*/summary.json")).read_text(),
    }
    return {name: json.loads(text) for name, text in texts.items()}


@pytest.mark.parametrize(
    "name", ["plan.json", "schema/&lt;Object&gt;.json", "manifest.json", "Commits", "summary.json"]
)
def test_every_key_is_on_the_page(tmp_path: Path, name: str) -> None:
    """No key is on disk that its section does not name; format and checksum are named once for all."""
    store = a_store(tmp_path)
    a_snapshot(store)
    content = files_of(Path(store.root))[name]
    where = "manifest.json" if name == "summary.json" else name
    known = named(section(where)) | named(section("Checksums and format numbers"))
    if name == "manifest.json":
        known |= named(section("plan.json"))
        objects = content["objects"]
        assert isinstance(objects, dict)
        assert set(objects["Account"]) <= known
    if name == "Commits":
        known |= named(section("Proof"))
        known |= named(section("Commits").split("### Held")[1])
        parts, total, proof = content["parts"], content["total"], content["proof"]
        held = content["held"]
        assert isinstance(held, dict)
        assert set(held) <= known
        assert isinstance(parts, list)
        assert isinstance(total, dict)
        assert isinstance(proof, dict)
        assert {*parts[0], *total, *proof} <= known
    assert set(content) <= known


def test_the_checksum_is_as_described(tmp_path: Path) -> None:
    """Anyone can check a file: SHA-256 of the other keys as compact JSON."""
    store = a_store(tmp_path)
    a_snapshot(store)
    for content in files_of(Path(store.root)).values():
        others = {k: v for k, v in content.items() if k != "checksum"}
        text = json.dumps(others, separators=(",", ":"), ensure_ascii=False)
        assert content["checksum"] == hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_is_as_described() -> None:
    """Anyone can check a digest of Ids: the page's few lines give the same as our arrays do."""
    known: dict[str, Any] = {}
    exec(EXAMPLES["digest"], known)  # noqa: S102
    keys = ["0017Q00000A0000QAB", "", "short", "Zoë", "x" * 33]
    digest = KeyDigest()
    digest.add(pa.array(keys))
    sums = [sum(known["id_hash"](key, lane) for key in keys) % 2**64 for lane in LANES]
    assert digest.hex == f"{sums[0]:016x}{sums[1]:016x}"
