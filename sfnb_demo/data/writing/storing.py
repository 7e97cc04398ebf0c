# ruff: noqa: S608 - names come from the catalogue and are quoted, values are parameters
"""Rows put into the tables, with all that the org itself writes into them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from sfnb_demo.data import custom, ids
from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.generate import arrow_type
from sfnb_demo.data.recycle_bin import AMONG
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.writing.incoming import Batch, Incoming, good
from sfnb_demo.soql.names import quote


class Storing:
    """
    Ids, stamps, defaults and roll-ups. The caller holds ``Storage.writing``.

    Args:
        admin_id: who writes what nobody has asked for.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        clock: Callable[[], datetime],
        admin_id: str,
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._clock = clock
        self._admin_id = admin_id
        self._next: dict[str, int] = {}

    def reserve(self, obj: ObjectDef, rows: int) -> int:
        """The first counter of so many new ids, which nobody else gets."""
        with self._storage.write_lock:
            if obj.name not in self._next:
                known = f'SELECT "Id" FROM {quote(obj.name)} UNION ALL SELECT id FROM _gone WHERE object = ?'
                ((last,),) = self._storage.rows(f'SELECT max("Id") FROM ({known})', [obj.name])
                self._next[obj.name] = obj.id_start if last is None else ids.number_of(last) + 1
            first = self._next[obj.name]
            self._next[obj.name] = first + rows
            return first

    def stamps(self, user_id: str, at: datetime | None = None) -> dict[str, Any]:
        """What a write leaves in a row; ``at`` is its moment, without a zone; None: now."""
        now = at or self.now()
        return {"LastModifiedDate": now, "LastModifiedById": user_id, "SystemModstamp": now}

    def touched(self, obj: ObjectDef, user_id: str, at: datetime | None = None) -> dict[str, Any]:
        """The stamps for an object that may lack some."""
        return {n: value for n, value in self.stamps(user_id, at).items() if obj.has(n)}

    def load(self, obj: ObjectDef, rows: list[dict[str, Any]]) -> None:
        if rows:
            table = {
                f.name: pa.array([_fit(f, row.get(f.name)) for row in rows], arrow_type(f))
                for f in obj.stored
            }
            self._storage.load(obj, [pa.table(table)])

    def change(self, obj: ObjectDef, records: list[Incoming]) -> None:
        """Update rows; those that change the same columns go together."""
        by_columns: dict[tuple[str, ...], list[Incoming]] = defaultdict(list)
        for incoming in records:
            by_columns[tuple(sorted(incoming.row))].append(incoming)
        for names, some in by_columns.items():
            if not names:
                continue
            fields = [obj.by_lower_name[name.lower()] for name in names]
            data = {
                f.name: pa.array([_fit(f, i.row[f.name]) for i in some], arrow_type(f))
                for f in fields
            }
            table = pa.table({"_id": pa.array([i.record_id for i in some]), **data})
            sets = ", ".join(f"{quote(f.name)} = u.{quote(f.name)}" for f in fields)
            self._storage.join(
                table, f'UPDATE {quote(obj.name)} t SET {sets} FROM {{}} u WHERE t."Id" = u._id'
            )

    def roll_up(self, obj: ObjectDef, batch: Batch) -> None:
        """
        Recount the roll-ups over these records; a changed count moves the master's SystemModstamp.
        """
        for rollup in custom.ROLLUPS:
            if rollup.child != obj.name:
                continue
            masters = {i.row.get(rollup.key) for i in good(batch)}
            masters |= {i.old.get(rollup.key) for i in good(batch)}
            wanted = [m for m in masters if m is not None]
            changed = f"p.{quote(rollup.field)} IS DISTINCT FROM {rollup.count_sql}"
            stamp = f"\"SystemModstamp\" = TIMESTAMP '{self.now()}'"
            self._storage.rows(
                rollup.sql(also=stamp, where=f'p."Id" {AMONG} AND {changed}'), [wanted]
            )

    def now(self) -> datetime:
        return self._clock().astimezone(UTC).replace(tzinfo=None, microsecond=0)

    def new_row(self, obj: ObjectDef, row: dict[str, Any], user_id: str = "") -> str:
        record_id = ids.make_id(obj.prefix or "000", self.reserve(obj, 1))
        whole = row | self.defaults(obj, row, record_id, user_id or self._admin_id)
        self.load(obj, [whole])
        return record_id

    def touch(self, obj: ObjectDef, record_id: str, row: dict[str, Any]) -> None:
        changed = Incoming({}, record_id, row=row | self.touched(obj, self._admin_id))
        self.change(obj, [changed])

    def defaults(
        self, obj: ObjectDef, row: dict[str, Any], record_id: str, user_id: str
    ) -> dict[str, Any]:
        system: dict[str, Any] = {
            "Id": record_id,
            "CreatedDate": self.now(),
            "CreatedById": user_id,
            **self.touched(obj, user_id),
        }
        if row.get("OwnerId") is None:
            system["OwnerId"] = user_id
        defaults = {name: value for name, value in system.items() if obj.has(name)}
        for field in obj.stored:
            if field.type == "boolean" and row.get(field.name) is None:
                defaults[field.name] = False
            if field.is_auto_number:
                # The counter follows the Id's own, so numbers never repeat. Gaps are allowed.
                width = 8 if field.name.endswith("Number") else 6
                defaults[field.name] = f"{ids.number_of(record_id) - obj.id_start + 1:0{width}}"
        return defaults


def _fit(field: Field, value: Any) -> Any:
    """A value as the column's type holds it."""
    if value is None:
        return None
    if field.column_type == "BIGINT":
        return int(value)
    return float(value) if field.column_type == "DOUBLE" else value
