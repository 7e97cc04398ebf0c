"""Parts: what comes in is what is on disk, a little at a time."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnb.errors import QuotaSignal, StoreError
from sfnb.store.layout import layout_for
from sfnb.store.parts import ROW_GROUP_ROWS, RowGroupWriter, iso, regrouped
from sfnb.store.sinks import HashingSink
from tests.store_samples import BEGAN, SCHEMA, a_store, a_writer, record_id, rows


def test_a_part_says_what_is_in_its_file(tmp_path: Path) -> None:
    """Counts, range of Ids, newest SystemModstamp, size and SHA-256 of a part are those of the file."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    part = writer.write_part("Account", [rows(0, 10, deleted=[3, 4]), rows(10, 10, deleted=[19])])
    file = Path(store.root, "records", "Account", part.path)
    assert (part.rows, part.deleted) == (17, 3)
    assert (part.min_id, part.max_id) == (record_id(0), record_id(19))
    assert (part.min_modstamp, part.max_modstamp) == (
        "2026-11-02T08:00:00.000Z",
        "2026-11-02T08:00:00.019Z",
    )
    assert part.size_bytes == file.stat().st_size
    assert part.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    table = pq.read_table(file, partitioning=None)
    assert table.column("_sfnb_op").to_pylist().count("delete") == 3
    assert table.schema.field("_sfnb_op").type == pa.string()
    assert set(table.column("_sfnb_extracted_at").to_pylist()) == {BEGAN}
    assert table.select(SCHEMA.names).equals(
        pa.Table.from_batches([rows(0, 10, deleted=[3, 4]), rows(10, 10, deleted=[19])])
    )


def test_null_is_deleted_counts_as_alive(tmp_path: Path) -> None:
    """A record whose IsDeleted was not sent is alive."""
    writer = a_writer(a_store(tmp_path))
    batch = rows(0, 3, deleted=[1]).set_column(1, "IsDeleted", pa.array([None, True, None]))
    part = writer.write_part("Account", [batch])
    assert (part.rows, part.deleted) == (2, 1)


def test_small_batches_become_row_groups_without_a_copy() -> None:
    """Regrouping keeps order and every row, and points at the very buffers that came in."""
    batches = [rows(100 * k, 100) for k in range(700)]
    tables = list(regrouped([*batches[:350], rows(0, 0), *batches[350:]]))
    assert [t.num_rows for t in tables] == [65_600, 4_400]
    assert pa.concat_tables(tables).equals(pa.Table.from_batches(batches))
    assert (
        tables[0].column("Id").chunk(7).buffers()[2].address
        == batches[7].column(0).buffers()[2].address
    )


def test_a_huge_batch_is_cut_into_row_groups(tmp_path: Path) -> None:
    """A reader never has to load a row group much larger than ROW_GROUP_ROWS, even if a batch was."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    part = writer.write_part("Account", [rows(0, 3 * ROW_GROUP_ROWS)])
    meta = pq.ParquetFile(Path(store.root, "records", "Account", part.path)).metadata
    assert max(meta.row_group(i).num_rows for i in range(meta.num_row_groups)) == ROW_GROUP_ROWS
    assert meta.num_rows == 3 * ROW_GROUP_ROWS


def test_a_part_never_holds_the_whole_object(tmp_path: Path) -> None:
    """While 160 MB of rows pass by, Arrow never has more than an eighth of them in memory."""
    writer = a_writer(a_store(tmp_path))
    before = pa.total_allocated_bytes()
    seen: list[int] = []

    def pages() -> Iterator[pa.RecordBatch]:
        for k in range(160):
            names = pa.array([f"{k:04d}-{n:04d}-" + "x" * 990 for n in range(1000)])
            yield pa.RecordBatch.from_arrays(
                [pa.array([record_id(1000 * k + n) for n in range(1000)]), names], ["Id", "Name"]
            )
            seen.append(pa.total_allocated_bytes() - before)

    part = writer.write_part("Account", pages())
    assert part.rows == 160_000
    assert max(seen) < 20 << 20


def test_no_rows_no_file(tmp_path: Path) -> None:
    """An empty answer leaves no file, and its part can be committed like any other."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    part = writer.write_part("Account", [rows(0, 0)])
    assert (part.path, part.rows, part.deleted) == ("", 0, 0)
    progress = writer.commit("Account", [part], {"page": 1}, is_done=True)
    assert (progress.parts, progress.is_done) == (0, True)
    assert not list(Path(store.root).rglob("*.parquet"))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["NA", "null", "007", "a\r\nb", '"', ""]
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | TEXT,
            st.none() | st.floats(allow_nan=False),
            st.none() | st.integers(-(2**53), 2**53),
            st.none() | st.booleans(),
            st.none()
            | st.datetimes(
                datetime(1700, 1, 1),  # noqa: DTZ001 - the strategy wants naive bounds
                datetime(4000, 12, 31),  # noqa: DTZ001
            ).map(lambda d: d.replace(tzinfo=UTC)),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_values_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[object, ...]]
) -> None:
    """Text, numbers, checkboxes and moments in a file are those that were given, null and empty text apart."""
    columns = pa.schema(
        [
            ("T", pa.string()),
            ("D", pa.float64()),
            ("I", pa.int64()),
            ("IsDeleted", pa.bool_()),
            ("M", pa.timestamp("us", "UTC")),
        ]
    )
    table = pa.Table.from_arrays(
        [pa.array(c, f.type) for c, f in zip(zip(*values, strict=True), columns, strict=True)],
        schema=columns,
    )
    path = tmp_path_factory.mktemp("part") / "p.parquet"
    with path.open("wb") as file:
        writer = RowGroupWriter(
            HashingSink(file), layout_for(columns, {}), object_name="Account", extracted_at=BEGAN
        )
        writer.write(table)
        writer.close()
    assert pq.read_table(path).select(columns.names).equals(table)


def test_a_pause_in_the_middle_of_a_page_leaves_nothing(tmp_path: Path) -> None:
    """A QuotaSignal while a page is read comes out as it is, and the half part is gone."""
    store = a_store(tmp_path)
    writer = a_writer(store)

    def page() -> Iterator[pa.RecordBatch]:
        yield rows(0, 2 * ROW_GROUP_ROWS)
        raise QuotaSignal("api", used=50, in_flight=0, maximum=100, threshold=50, reason="reached")

    with pytest.raises(QuotaSignal):
        writer.write_part("Account", page())
    assert [
        p
        for p in Path(store.root).rglob("*")
        if p.is_file() and ("parquet" in p.name or ".tmp" in p.name)
    ] == []
    assert writer.progress("Account").number == 0


def test_a_field_that_nobody_described_is_refused(tmp_path: Path) -> None:
    """Rows with a field that the object's schema does not have are an error that names the field."""
    writer = a_writer(a_store(tmp_path))
    strange = pa.RecordBatch.from_arrays([pa.array(["001"]), pa.array([1.5])], ["Id", "Nope__c"])
    with pytest.raises(StoreError, match="columns that the table lacks: Nope__c"):
        writer.write_part("Account", [strange])


def test_threads_write_parts_of_one_object_at_once(tmp_path: Path) -> None:
    """Eight threads write parts of the same object; each has its own file, and one commit takes them all."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    parts, lock = [], threading.Lock()

    def work(k: int) -> None:
        part = writer.write_part("Account", [rows(100 * k, 100)])
        with lock:
            parts.append(part)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({part.path for part in parts}) == 8
    writer.commit("Account", parts, None, is_done=True)
    ids = store.snapshots["latest"].table("Account").column("Id").to_pylist()
    assert sorted(ids) == [record_id(n) for n in range(800)]


def test_moments_as_text() -> None:
    """Milliseconds as Salesforce writes them; microseconds only where there are any."""
    assert iso(datetime(2026, 11, 9, 5, 12, 3, 118000, tzinfo=UTC)) == "2026-11-09T05:12:03.118Z"
    assert iso(datetime(2026, 11, 9, 5, 12, 3, 118001, tzinfo=UTC)) == "2026-11-09T05:12:03.118001Z"


WRITING = """
import sys, datetime
import pyarrow as pa, pyarrow.csv, io
from sfnb.store.tables import open_store
import sfnb.store.snapshots, sfnb.store.verify
from sfnb.store.manifest import SnapshotPlan, new_snapshot_id
now = datetime.datetime.now(datetime.UTC)
store = open_store(sys.argv[1]).org("00D000000000001AAA")
plan = SnapshotPlan(snapshot=new_snapshot_id(now), org="o", org_id="00D", job_id="j", created_at=now, objects={"A": {}})
writer = store.begin(plan)
rows = pyarrow.csv.open_csv(io.BytesIO(b"Id,IsDeleted\\n1,true\\n2,false\\n"))
writer.put_schema("A", rows.schema)
writer.commit("A", [writer.write_part("A", rows)], {}, is_done=False)
writer.commit("A", [], {}, is_done=True)
writer.ids("A")
writer.seal()
print(sorted({"pandas", "duckdb", "IPython"} & set(sys.modules)))
"""


def test_writing_a_snapshot_loads_neither_pandas_nor_duckdb(tmp_path: Path) -> None:
    """A backup stays small: importing the store and writing a snapshot loads no frame library."""
    done = subprocess.run(
        [sys.executable, "-c", WRITING, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
