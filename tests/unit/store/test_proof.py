"""P9: complete means proven. Counts agree and rows are distinct, or the manifest says what could not be known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.model import ObjectState
from sfnb.store import proof as proofs
from sfnb.store.keys import NO_KEYS, KeyDigest, add_digests, key_hashes
from sfnb.store.manifest import ObjectEntry
from sfnb.store.tables import OrgStore, open_store
from sfnb.store.writer import Writer
from tests.store_samples import SCHEMA, a_plan, a_store, a_writer, record_id, rows

EMPTY_ID = "000000000000000AAA"


def stored(store: OrgStore, *pages: pa.RecordBatch) -> Writer:
    """A snapshot with each page as a part, committed and not done."""
    writer = store.begin(a_plan())
    writer.put_schema("Account", pages[0].schema if pages else SCHEMA)
    for k, page in enumerate(pages):
        writer.commit("Account", writer.write_parts("Account", [page]), {"k": k}, is_done=False)
    return writer


def entry_of(store: OrgStore) -> ObjectEntry:
    return store.snapshots["latest"].manifest.objects["Account"]


def finished(writer: Writer, *, org_count: int | None = None) -> ObjectEntry:
    proof = writer.prove("Account", org_count=org_count)
    writer.commit("Account", [], {}, is_done=True, proof=proof)
    return writer.seal().objects["Account"]


def test_counts_and_distinct_rows_are_the_proof(tmp_path: Path) -> None:
    """The manifest keeps the org's count, ours, a digest of the Ids, and how it was proven."""
    store = a_store(tmp_path)
    entry = finished(stored(store, rows(0, 10, deleted=[3]), rows(10, 10)), org_count=20)
    assert (entry.state, entry.org_count, entry.our_count) == (ObjectState.COMPLETE, 20, 20)
    assert (entry.key, entry.proof) == ("Id", "counts and distinct")
    assert entry_of(store) == entry
    every = KeyDigest()
    every.add(pa.array([record_id(n) for n in random.sample(range(20), 20)]))
    assert entry.ids_digest == every.hex


def test_a_count_that_differs_is_not_complete(tmp_path: Path) -> None:
    """One row fewer than the org counts: partial, with both numbers in the message, whatever the caller claims."""
    writer = stored(a_store(tmp_path), rows(0, 10))
    assert writer.prove("Account", org_count=11).problem == "the org counts 11 rows, 10 are stored"
    entry = finished(writer, org_count=11)
    assert (entry.state, entry.proof, entry.watermark) == (ObjectState.PARTIAL, "", None)
    assert entry.message == "the org counts 11 rows, 10 are stored"


@pytest.mark.parametrize("at_once", [1 << 22, 4])
@pytest.mark.parametrize(
    "pages",
    [
        [(0, 10), (0, 10)],  # a page served again in place of the next
        [(0, 10), (9, 10)],  # one row twice, one missing
        [(10, 10), (0, 10), (5, 3)],
    ],
)
def test_repeated_rows_are_not_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: Sequence[tuple[int, int]], at_once: int
) -> None:
    """Rows that come twice are found though the count agrees, in memory and with more keys than fit in it."""
    monkeypatch.setattr(proofs, "KEYS_AT_ONCE", at_once)
    count = sum(n for _, n in pages)
    distinct = len({k for first, n in pages for k in range(first, first + n)})
    writer = stored(a_store(tmp_path), *(rows(first, n) for first, n in pages))
    proof = writer.prove("Account", org_count=count)
    assert (proof.rows, proof.distinct, proof.key) == (count, distinct, "Id")
    assert f"{count - distinct} of {count} stored rows are repetitions" in proof.problem
    assert finished(writer, org_count=count).state is ObjectState.PARTIAL


@pytest.mark.parametrize("at_once", [1 << 22, 4])
def test_pages_in_any_order_are_distinct(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Bulk pages come in no order: their rows are compared, and found distinct."""
    monkeypatch.setattr(proofs, "KEYS_AT_ONCE", at_once)
    pages = [rows(20, 10), rows(0, 5), rows(10, 10)]
    mixed = pa.Table.from_batches([rows(5, 5)]).sort_by([("Id", "descending")]).to_batches()[0]
    entry = finished(stored(a_store(tmp_path), *pages, mixed), org_count=30)
    assert (entry.state, entry.proof) == (ObjectState.COMPLETE, "counts and distinct")


def test_keyset_pages_are_proven_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages whose Ids rise cost nothing to prove, whichever process wrote them."""
    writer = stored(a_store(tmp_path), rows(0, 10), rows(10, 10))

    def never(*_args: Any) -> None:
        raise AssertionError("a part was read")

    monkeypatch.setattr(proofs, "column", never)
    again = a_store(tmp_path).reopen(writer.snapshot)
    assert again.prove("Account", again.write_parts("Account", [rows(20, 5)])).distinct == 25


def shared(ids: Sequence[str | None], **columns: Sequence[Any]) -> pa.RecordBatch:
    return pa.record_batch({"Id": pa.array(ids, pa.string()), **columns})


@pytest.mark.parametrize(
    ("page", "key", "words"),
    [
        (shared([EMPTY_ID] * 3, DurableId=["a", "b", "c"]), "DurableId", "no count given"),
        (shared([EMPTY_ID] * 3, Label=["x", "x", "z"]), None, "no count given, no key"),
        (
            shared([EMPTY_ID] * 3, DurableId=["a", "a", "c"], Label=["x", "y", "z"]),
            None,
            "no count given, no key",
        ),
        (shared([None, None, ""], Label=["x", "y", "z"]), None, "no count given, no key"),
        (shared(["0Xx1", "0Xx1", "0Xx2"], Label=["x", "y", "z"]), None, "no count given, no key"),
    ],
)
def test_rows_that_share_an_id_are_kept_and_said(
    tmp_path: Path, page: pa.RecordBatch, key: str | None, words: str
) -> None:
    """DurableId tells rows apart where Id does not; where nothing does, the manifest says so. All are exported."""
    store = a_store(tmp_path)
    entry = finished(stored(store, page))
    assert (entry.state, entry.key, entry.proof) == (ObjectState.COMPLETE, key, words)
    assert store.snapshots["latest"].table("Account").num_rows == 3
    assert len(store.snapshots["latest"].sql("select * from Account")) == 3


@pytest.mark.parametrize(
    "page",
    [
        shared(["0011", "0011", "0012"], Label=["x", "x", "z"]),
        shared(["0011", "0011", "0012"], SystemModstamp=["2026", "2027", "2026"]),
        shared(["0011", "0011", "0012"], DurableId=["a", "a", "c"]),
    ],
)
def test_the_same_row_twice_is_a_repetition(tmp_path: Path, page: pa.RecordBatch) -> None:
    """Equal rows, or two versions of one record, are no records of their own."""
    proof = stored(a_store(tmp_path), page).prove("Account")
    assert (proof.key, proof.distinct) == ("Id", 2)
    assert proof.problem


def test_a_row_twice_among_rows_that_share_an_id_is_a_repetition(tmp_path: Path) -> None:
    """The same in every field, its DurableId too: it came in place of another, though the count agrees."""
    page = shared([EMPTY_ID] * 3, DurableId=["a", "a", "c"], Label=["x", "x", "z"])
    entry = finished(stored(a_store(tmp_path), page), org_count=3)
    assert entry.state is ObjectState.PARTIAL and "repetition" in (entry.message or "")


def test_an_object_without_rows_or_ids_is_proven_too(tmp_path: Path) -> None:
    """No rows where the org counts none is a proof; rows without an Id field can only be counted."""
    empty = finished(stored(a_store(tmp_path / "a")), org_count=0)
    assert (empty.state, empty.proof, empty.ids_digest) == (
        ObjectState.COMPLETE,
        "counts and distinct",
        NO_KEYS,
    )
    page = pa.record_batch({"Name": ["a", "a"]})
    entry = finished(stored(a_store(tmp_path / "b"), page), org_count=2)
    assert (entry.state, entry.proof) == (ObjectState.COMPLETE, "no key")


def test_a_commit_that_ends_an_object_proves_it_by_itself(tmp_path: Path) -> None:
    """Who forgets to ask for a proof gets one without the org's count, and repetitions are still found."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    parts = writer.write_parts("Account", [rows(0, 5), rows(0, 5)])
    progress = writer.commit("Account", parts, {}, is_done=True)
    assert progress.proof is not None
    assert progress.proof.problem == "5 of 10 stored rows are repetitions"
    assert store.reopen(writer.snapshot).progress("Account") == progress


def test_a_snapshot_of_the_first_sfnb_is_resumed_and_proven(format1_store: Path) -> None:
    """Parts of format 1 have no digests: their Ids are read once, and the object is proven like any other."""
    store = open_store(format1_store).org("00D7Q00000A0000UAB")
    writer = store.reopen("20261127T060313Z-b76a48")
    name = next(n for n in writer.plan.objects if writer.progress(n).parts)
    progress = writer.progress(name)
    assert progress.proof is None
    proof = writer.prove(name)
    assert (proof.rows, proof.distinct) == (progress.rows + progress.deleted,) * 2
    ids = KeyDigest()
    ids.add(pa.array(writer.ids(name)))
    assert progress.deleted or proof.digest == ids.hex


KEY = st.text(st.characters(codec="utf-8"), max_size=24)


@given(st.lists(KEY, max_size=30), st.randoms())
def test_a_digest_depends_on_the_keys_alone(keys: list[str], chance: random.Random) -> None:
    """Any order, any cut into pieces, any mixture of lengths: the same keys give the same digest."""
    whole = KeyDigest()
    whole.add(pa.array(keys, pa.string()))
    mixed = chance.sample(keys, len(keys))
    cut = chance.randint(0, len(keys))
    pieces = []
    for piece in (mixed[:cut], mixed[cut:]):
        one = KeyDigest()
        one.add(pa.array(["pad", *piece], pa.string()).slice(1))
        pieces.append(one.hex)
    assert add_digests(pieces) == whole.hex
    assert whole.is_ordered == all(a.encode() < b.encode() for a, b in pairwise(keys))


def test_an_absent_key_counts_as_an_empty_one() -> None:
    """Absent keys have a hash too, whatever else is in the column, and are never in order."""
    keys = ["0011", None, "", "001000000000001AAA", None]
    for lane in (0, 1):
        given = key_hashes(pa.array(keys, pa.string()).slice(1), lane)
        assert given.tolist() == key_hashes(pa.array([k or "" for k in keys[1:]]), lane).tolist()
    digest = KeyDigest()
    digest.add(pa.array([None, "a"], pa.string()))
    assert not digest.is_ordered


@given(st.sets(KEY, min_size=2, max_size=30))
def test_different_keys_have_different_hashes(keys: set[str]) -> None:
    """No two different keys meet, a longer one of zero bytes included."""
    text = pa.array(sorted(keys), pa.string())
    for lane in (0, 1):
        assert len(set(key_hashes(text, lane).tolist())) == len(keys)
