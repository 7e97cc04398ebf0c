"""An older sfnb refuses what a newer one wrote, in one sentence, and adds nothing to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfnb.errors import StoreError
from sfnb.store.encoding import decode, encode
from sfnb.store.formats import NewerFormat
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from tests.store_samples import a_plan, a_snapshot, a_store, a_writer, rows

NEWER = r"was written by a newer sfnb \(format 99; this one reads up to \d+\)\. Update sfnb\."


def newer_file(path: Path) -> None:
    content = decode(path.read_bytes(), str(path))
    path.write_bytes(encode({**content, "format": 99}))


def newer_commit(path: Path) -> None:
    """The commit as a newer sfnb writes it: with a format number and a key that we do not know."""

    def renewed(line: dict[str, Any]) -> dict[str, Any]:
        if info := line.get("commitInfo"):
            told = decode(info["sfnb"], "")
            told = {k: v for k, v in told.items() if k != "total"} | {
                "format": 99,
                "kind": "compact",
            }
            info["sfnb"] = encode(told).decode()
        return line

    lines = [json.dumps(renewed(json.loads(line))) for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))


def last_commit(store: OrgStore) -> Path:
    return sorted(Path(store.root).glob("records/Account/_delta_log/*.json"))[-1]


def the(name: str) -> Callable[[OrgStore], Path]:
    return lambda store: next(Path(store.root).glob(f"snapshots/*/{name}"))


def test_a_newer_commit_is_refused(tmp_path: Path) -> None:
    """Reading, verifying and writing on all stop with one sentence at a commit of a newer sfnb."""
    store = a_store(tmp_path)
    a_snapshot(store)
    newer_commit(last_commit(store))
    for reading in (
        lambda: store.snapshots["latest"].table("Account"),
        lambda: verify(store),
        lambda: a_writer(store, number=2).commit("Account", [], {}, is_done=True),
    ):
        with pytest.raises(NewerFormat, match=NEWER):
            reading()


@pytest.mark.parametrize("file", ["plan.json", "manifest.json", "schema/Account.json"])
def test_a_newer_file_is_refused(tmp_path: Path, file: str) -> None:
    """The same for plan, manifest and schema: verify calls none of them damaged."""
    store = a_store(tmp_path)
    a_snapshot(store)
    newer_file(the(file)(store))
    with pytest.raises(NewerFormat, match=NEWER):
        verify(store)


def test_a_newer_store_gets_no_new_snapshot(tmp_path: Path) -> None:
    """A backup stops before its plan is written when the newest snapshot is a newer sfnb's."""
    store = a_store(tmp_path)
    a_snapshot(store, number=1)
    newer_file(the("plan.json")(store))
    with pytest.raises(NewerFormat, match=NEWER):
        store.begin(a_plan(number=2))
    assert len(list(Path(store.root, "snapshots").iterdir())) == 1


def test_a_format_that_is_no_number_is_damage(tmp_path: Path) -> None:
    """Only a higher number means a newer sfnb; anything else was not written by sfnb."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    writer.commit("Account", writer.write_parts("Account", [rows(0, 5)]), {}, is_done=True)
    path = the("plan.json")(store)
    path.write_bytes(encode({**decode(path.read_bytes(), ""), "format": "1"}))
    with pytest.raises(StoreError, match="is damaged: '1' is not a format"):
        _ = store.snapshots["latest"].plan
