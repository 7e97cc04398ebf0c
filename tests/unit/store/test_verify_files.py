"""
Each check of `verify` over plans, schemas, manifests, bodies and metadata guards something: harm that
only it finds, since all checksums are right.

Switch a check off, and the test of its name goes red.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sfnb.store.bodies.content import content_path
from sfnb.store.bodies.index import whole_path
from sfnb.store.metadata.record import record_path
from sfnb.store.paths import manifest_path, plan_path, schema_path, summary_path
from sfnb.store.tables import OrgStore
from sfnb.store.verify import Expected
from tests.store_forger import damage
from tests.store_samples import a_writer, rows
from tests.unit.store.forged_files import (
    ONE,
    SHA256,
    THREE,
    TWO,
    Harm,
    a_whole_store,
    commit_spelled_otherwise,
    copied,
    flipped,
    forged,
    garbled,
    gone,
    line_of,
    longer,
    metadata_unchanged_since_another,
    pack_with,
    sets,
    without_line,
)


@pytest.fixture
def store(copied: Callable[[Callable[[Path], OrgStore]], OrgStore]) -> OrgStore:
    return copied(a_whole_store)


UNCHANGED = f"snapshots/{THREE}/unchanged/00000001.json"
ALSO_A_SCHEMA = schema_path(TWO, "Account")

CHECKS: dict[str, tuple[Harm, str, str, str]] = {
    "plan unreadable": (garbled(plan_path(TWO)), "damaged", plan_path(TWO), "not valid"),
    "plan of another snapshot": (
        copied(plan_path(ONE), plan_path(TWO)),
        "damaged",
        plan_path(TWO),
        f"belongs to snapshot {ONE}",
    ),
    "plan of another org": (
        sets(plan_path(TWO), org_id="00D000000000009AAA"),
        "damaged",
        plan_path(TWO),
        "this plan belongs to the org",
    ),
    "manifest unreadable": (
        garbled(manifest_path(TWO)),
        "damaged",
        manifest_path(TWO),
        "not valid",
    ),
    "manifest of another snapshot": (
        copied(manifest_path(ONE), manifest_path(TWO)),
        "damaged",
        manifest_path(TWO),
        f"belongs to snapshot {ONE}",
    ),
    "list of unchanged objects unreadable": (
        garbled(UNCHANGED),
        "damaged",
        f"snapshots/{THREE}/unchanged",
        "not valid",
    ),
    "list of unchanged objects of another": (
        sets(UNCHANGED, snapshot=ONE),
        "damaged",
        f"snapshots/{THREE}/unchanged",
        f"belongs to snapshot {ONE}",
    ),
    "summary": (sets(summary_path(TWO), rows=7), "count", summary_path(TWO), "the summary"),
    "summary unreadable": (garbled(summary_path(TWO)), "count", summary_path(TWO), "the summary"),
    "schema missing": (gone(ALSO_A_SCHEMA), "missing", ALSO_A_SCHEMA, "no longer known"),
    "schema unreadable": (garbled(ALSO_A_SCHEMA), "damaged", ALSO_A_SCHEMA, "not valid"),
    "schema of another object": (
        sets(ALSO_A_SCHEMA, object="Contact"),
        "damaged",
        ALSO_A_SCHEMA,
        "belongs to Contact",
    ),
    "schema of another snapshot": (
        sets(ALSO_A_SCHEMA, snapshot=ONE),
        "damaged",
        ALSO_A_SCHEMA,
        f"of snapshot {ONE}",
    ),
    "another schema": (
        sets(ALSO_A_SCHEMA, after=-1),
        "damaged",
        ALSO_A_SCHEMA,
        "the commits were made with another schema",
    ),
    "field that the table has not": (
        forged(ALSO_A_SCHEMA, lambda content: content["columns"].update(Lost="string")),
        "missing",
        "records/Account",
        "the table has lost the fields Lost",
    ),
    "metadata missing": (gone(record_path(TWO)), "missing", record_path(TWO), "the metadata of"),
    "metadata changed": (
        sets(record_path(TWO), notes=["x"]),
        "digest",
        record_path(TWO),
        "changed since the seal",
    ),
    "manifest of another org": (
        sets(manifest_path(TWO), org_id="00D000000000009AAA"),
        "damaged",
        manifest_path(TWO),
        "not of the same backup",
    ),
    "manifest of another job": (
        sets(manifest_path(TWO), job_id="other"),
        "damaged",
        manifest_path(TWO),
        "not of the same backup",
    ),
    "manifest of another kind": (
        sets(manifest_path(TWO), kind="archive"),
        "damaged",
        manifest_path(TWO),
        "not of the same backup",
    ),
    "manifest of another time": (
        sets(manifest_path(TWO), created_at="2026-01-01T00:00:00+00:00"),
        "damaged",
        manifest_path(TWO),
        "not of the same backup",
    ),
    "object that the manifest lacks": (
        without_line,
        "missing",
        manifest_path(TWO),
        "the manifest lacks Contact",
    ),
    "commit changed since the seal": (
        commit_spelled_otherwise,
        "digest",
        "records/Account/_delta_log/00000000000000000001.json",
        "changed since the seal",
    ),
    "untouched object with rows": (
        line_of("Account", state="untouched"),
        "count",
        manifest_path(TWO),
        "the manifest has nothing of Account",
    ),
    "rows of the manifest": (
        line_of("Account", rows=11),
        "count",
        manifest_path(TWO),
        "the manifest has 11 rows of Account",
    ),
    "body's index missing": (
        gone(whole_path(TWO)),
        "missing",
        whole_path(TWO),
        "an index of bodies is missing",
    ),
    "body's index changed": (
        forged(whole_path(TWO), lambda content: content["bodies"].clear()),
        "digest",
        whole_path(TWO),
        "changed since the seal",
    ),
    "body's index unreadable": (garbled(whole_path(TWO)), "damaged", whole_path(TWO), "not valid"),
    "body's index of another snapshot": (
        sets(whole_path(TWO), snapshot=ONE),
        "damaged",
        whole_path(TWO),
        "belongs to another snapshot",
    ),
    "body missing": (
        gone(content_path(SHA256)),
        "missing",
        content_path(SHA256),
        "the body of a file is missing",
    ),
    "body's size": (
        longer(content_path(SHA256)),
        "damaged",
        content_path(SHA256),
        "bytes instead of",
    ),
    "body changed": (
        flipped(content_path(SHA256)),
        "digest",
        content_path(SHA256),
        "the body of a file has changed",
    ),
    "pack missing": (
        gone(f"metadata/{ONE}.zip"),
        "missing",
        f"metadata/{ONE}.zip",
        "a file of the metadata is missing",
    ),
    "pack of a variant missing": (
        gone(f"metadata/{ONE}-variants.zip"),
        "missing",
        f"metadata/{ONE}-variants.zip",
        "a file of the metadata is missing",
    ),
    "pack that is no zip": (garbled(f"metadata/{ONE}.zip"), "digest", f"metadata/{ONE}.zip", ""),
    "pack without a member": (
        pack_with(lambda name: f"not-{name}", None),
        "digest",
        f"metadata/{ONE}.zip",
        "is damaged",
    ),
    "pack with another content": (
        pack_with(lambda name: name, b"<something else/>"),
        "digest",
        f"metadata/{ONE}.zip",
        "is damaged",
    ),
    "record of metadata unreadable": (
        garbled(record_path(TWO)),
        "damaged",
        record_path(TWO),
        "not valid",
    ),
    "record of another snapshot's metadata": (
        sets(record_path(TWO), snapshot=ONE),
        "damaged",
        record_path(TWO),
        "belongs to another snapshot",
    ),
    "metadata of a snapshot that has none": (
        metadata_unchanged_since_another,
        "damaged",
        record_path(TWO),
        "says that it has its metadata",
    ),
}


@pytest.mark.parametrize("check", CHECKS)
def test_each_check_of_a_file_guards_something(check: str, store: OrgStore) -> None:
    """The damage is named by the check that is for it, whatever else finds it, too."""
    harm, kind, path, message = CHECKS[check]
    harm(Path(store.root))
    found = damage(store)
    assert [
        one for one in found if (one.kind, one.path) == (kind, path) and message in one.message
    ], [(one.kind, one.path, one.message) for one in found]


@pytest.mark.parametrize(
    "path",
    [
        plan_path(TWO),
        manifest_path(TWO),
        summary_path(TWO),
        schema_path(TWO, "Account"),
        whole_path(TWO),
        record_path(TWO),
    ],
)
def test_a_blank_more_is_not_what_was_written(path: str, store: OrgStore) -> None:
    """Each file of ours says the same afterwards, and is spelled otherwise."""
    file = Path(store.root, path)
    file.write_bytes(file.read_bytes().replace(b'": ', b'":  ', 1))
    found = [(one.kind, one.message) for one in damage(store) if one.path == path]
    assert ("digest", "this file is spelled otherwise than it was written") in found


@pytest.mark.parametrize(
    "values",
    [
        {"rows": 11},
        {"deleted": 1},
        {"key": "DurableId"},
        {"ids_digest": "0" * 32},
        {"digest": "0" * 64},
        {"version": 1},
    ],
    ids=lambda values: next(iter(values)),
)
def test_what_is_said_of_an_unchanged_object_is_compared(
    values: dict[str, Any], store: OrgStore
) -> None:
    """Each of its values, by the state that it refers to; nothing else finds it."""
    line_of("Contact", **values)(Path(store.root))
    assert [(one.kind, one.message) for one in damage(store)] == [
        ("count", f"it has Contact as of {ONE}, where the Delta log has something else")
    ]


SEALED = Expected(TWO, is_sealed=True, complete={"Account": 10, "Contact": 10})
GROWING = Expected(THREE, is_sealed=False, complete={"Contact": 10}, partial={"Account": 4})


@pytest.mark.parametrize(
    ("expected", "kind", "message"),
    [
        (replace(GROWING, is_sealed=True), "missing", "the manifest is missing"),
        (replace(SEALED, complete={"Account": 11}), "missing", "the log has 10"),
        (replace(GROWING, complete={"Account": 4}), "missing", "complete; the log has 4"),
        (replace(GROWING, partial={"Account": 5}), "missing", "5 rows of Account, the log has 4"),
        (Expected("20261103T090000Z-000009", is_sealed=True), "missing", "plan.json is missing"),
    ],
    ids=["manifest", "rows", "not done", "behind", "snapshot"],
)
def test_each_thing_that_the_state_knows_is_compared(
    expected: Expected, kind: str, message: str, store: OrgStore
) -> None:
    """Alone, with a store that is whole in itself."""
    assert damage(store, SEALED, GROWING) == []
    found = damage(store, expected)
    assert found and all(one.kind == kind for one in found), found
    assert any(message in one.message for one in found), found


def test_an_archive_is_looked_at_too(store: OrgStore) -> None:
    """An archive's own store within the org's: its damage is named with its folder."""
    archive = store.archive(THREE)
    writer = a_writer(archive, "Case", number=3)
    writer.commit("Case", writer.write_parts("Case", [rows(0, 3)]), {}, is_done=True)
    writer.seal()
    assert damage(store) == []
    path = Path(archive.root, manifest_path(THREE))
    path.write_text("{")
    found = [one for one in damage(store) if one.kind == "damaged"]
    assert [(one.path, one.snapshot) for one in found] == [
        (path.relative_to(store.root).as_posix(), THREE)
    ]
