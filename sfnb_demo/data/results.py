"""The result of a query: fixed columns, from which pages of records are cut."""

from __future__ import annotations

import itertools
import weakref
from pathlib import Path
from typing import Any

import pyarrow as pa

from sfnb_demo.data.storage import Storage
from sfnb_demo.errors import ApiError
from sfnb_demo.soql.compile import MAX_GROUPS
from sfnb_demo.soql.plan import Children, Plan
from sfnb_demo.soql.records import Record, build

MEMORY_ROWS = 20_000
"""Larger results go to an Arrow file, from which single pages are read."""

_NO_MORE_GROUPS = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
_numbers = itertools.count(1)


class QueryResult:
    """
    The result of one query at the moment it ran; later changes of the org do not show. Safe for
    threads.

    Args:
        object: the object's name, ``AggregateResult`` for aggregates.
        total_size: all rows, whatever page is read.
        is_count: ``COUNT()`` alone: the number is ``total_size`` and there are no rows.
    """

    def __init__(
        self, plan: Plan, table: Any, storage: Storage, *, path: str, total_size: int
    ) -> None:
        self.object = "AggregateResult" if plan.is_aggregate or plan.is_count else plan.object.name
        self.total_size = total_size
        self.is_count = plan.is_count
        self.is_aggregate = plan.is_aggregate
        self._plan = plan
        self._table = table
        self._storage = storage
        self._path = path

    @property
    def width(self) -> int:
        """How many fields each row has."""
        return len(self._plan.header)

    def rows(self, offset: int = 0, limit: int | None = None) -> list[Record]:
        """JSON-ready records ``offset`` to ``offset + limit``, ``attributes`` first."""
        if self.is_count:
            return []
        page = self._table.slice(offset, limit)
        columns = [column.to_pylist() for column in page.columns]
        found = build(
            self._plan.root, columns, page.num_rows, path=self._path, fetch=self._children
        )
        return [record for record in found if record is not None]

    def _children(self, children: Children, parent_ids: list[str]) -> dict[str, Record]:
        plan = children.plan
        table = self._storage.arrow(plan.sql, [parent_ids])
        columns = [column.to_pylist() for column in table.columns]
        records = build(plan.root, columns, table.num_rows, path=self._path, fetch=self._children)
        grouped: dict[str, list[Record]] = {}
        for parent, record in zip(columns[-1], records, strict=True):
            if record is not None:
                grouped.setdefault(parent, []).append(record)
        found = {}
        for parent, all_records in grouped.items():
            end = None if children.limit is None else children.offset + children.limit
            some = all_records[children.offset : end]
            if some:
                found[parent] = {"totalSize": len(some), "done": True, "records": some}
        return found


def run(plan: Plan, storage: Storage, *, path: str) -> QueryResult:
    """
    Run the plan and keep its result: a small one in memory, a large one in a file.

    Raises:
        ApiError: EXCEEDED_ID_LIMIT for more than 2,000 groups.
    """
    if plan.is_count:
        return QueryResult(plan, None, storage, path=path, total_size=storage.rows(plan.sql)[0][0])
    reader = storage.cursor.sql(plan.sql).to_arrow_reader(2048)
    batches = []
    rows = 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        if rows > MEMORY_ROWS:
            break
    if plan.is_aggregate and rows > MAX_GROUPS:
        raise ApiError("EXCEEDED_ID_LIMIT", _NO_MORE_GROUPS)
    if rows <= MEMORY_ROWS:
        table = pa.Table.from_batches(batches, schema=reader.schema)
        return QueryResult(plan, table, storage, path=path, total_size=rows)
    file = storage.folder / f"query-{next(_numbers)}.arrow"
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, reader.schema) as writer:
        for batch in itertools.chain(batches, reader):
            writer.write_batch(batch)
    source = pa.memory_map(str(file))
    table = pa.ipc.open_file(source).read_all()
    result = QueryResult(plan, table, storage, path=path, total_size=table.num_rows)
    weakref.finalize(result, _discard, file)
    return result


def _discard(file: Path) -> None:
    # Windows keeps a mapped file until the map is closed. Deleting the folder removes it then.
    try:
        file.unlink(missing_ok=True)
    except PermissionError:
        return
