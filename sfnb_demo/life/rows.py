# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""Rows that others write, delete, merge and bring back while a backup runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sfnb_demo.data import custom
from sfnb_demo.data.database import Database
from sfnb_demo.data.late_commits import OpenTransaction
from sfnb_demo.data.recycle_bin import AMONG
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.values import stored_value
from sfnb_demo.data.writing.merging import merge
from sfnb_demo.life import new_rows
from sfnb_demo.life.given import Given, check_keys, field_of, object_of
from sfnb_demo.life.new_values import free_field, new_value_sql
from sfnb_demo.soql.names import literal, quote

MOST_IDS = 1000
"""Ids that an answer lists; counts are always whole."""

_KEYS = frozenset(
    {
        "do", "object", "rows", "ids", "field", "value",
        "late_s", "is_known", "spread_s", "into", "older_than_s",
    }
)  # fmt: skip


class RowLife:
    """
    Does to rows what people, apps and Salesforce itself do. Fast: one statement for any number.

    An entry has ``do`` and ``object`` (``*``: each object that has rows), and chooses by ``ids`` or
    ``rows`` (how many; default 1). All rows of an entry get the same SystemModstamp unless
    ``spread_s`` spreads them over the seconds before now. With ``late_s`` they are written now, with
    the stamp of now, and become visible so many simulated seconds later; with ``is_known`` false
    ``/updated`` calls that time covered all the same.

    ================  ===========================================================================
    insert            new rows
    change            another value in ``field`` (default: a plain one), or ``value`` in it
    touch             a new SystemModstamp alone, as a mass update of the org leaves it
    delete            into the recycle bin with their details; objects without one: gone
    undelete          rows of the bin, with the details that went with them
    hard_delete       gone for good, with their details
    purge             empty the bin of the object (``older_than_s``: of what is older)
    merge             ``rows`` others into one: losers go to the bin with MasterRecordId, children
                      point to the winner (``into``)
    drift             another value of ``field`` and no new stamp; of a formula: all rows
    commit            make visible now what is late
    forget            empty the log that ``/deleted`` answers from
    ================  ===========================================================================
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._storage = database.storage
        self._numbers = itertools.count(1)

    def do(self, given: Given) -> list[dict[str, Any]]:
        """
        Do what one entry says.

        Returns:
            For each object what was done: ``do``, ``object``, ``rows``, ``ids`` (at most 1,000),
            ``stamp``, and ``visible_at`` for what is late.

        Raises:
            ValueError: for an entry that makes no sense. Nothing is done then.
        """
        check_keys(given, _KEYS)
        done: list[dict[str, Any]]
        if given.get("do") == "commit":
            done = [{"do": "commit", "rows": self._database.late.commit(None)}]
        elif given.get("do") == "forget":
            with self._storage.writing():
                self._database.recycle_bin.forget()
            self._database.replication.log_begins = self._database.clock()
            done = [{"do": "forget", "rows": 0}]
        elif given.get("object") == "*":
            done = [self._one(obj, given) for obj in self._with_rows()]
        else:
            done = [self._one(object_of(self._database, given), given)]
        self._database.changes += 1
        return done

    def _with_rows(self) -> list[ObjectDef]:
        found = [
            o for o in self._database.catalog.objects.values() if o.is_queryable and o.is_writable
        ]
        return [o for o in found if self._database.count(o.name) and not new_rows.is_special(o)]

    def _one(self, obj: ObjectDef, given: Given) -> dict[str, Any]:
        ways: dict[str, Callable[[ObjectDef, Given], list[str]]] = {
            "insert": self._insert,
            "change": partial(self._change, is_touch=False),
            "touch": partial(self._change, is_touch=True),
            "delete": self._delete,
            "undelete": self._undelete,
            "hard_delete": self._hard_delete,
            "purge": self._purge,
            "merge": self._merge,
            "drift": self._drift,
        }
        way = ways.get(str(given.get("do")))
        if way is None:
            raise ValueError(f"do must be one of {', '.join(ways)}, commit, forget")
        with self._storage.writing():
            ids = way(obj, given)
        done = {"do": given["do"], "object": obj.name, "rows": len(ids), "ids": ids[:MOST_IDS]}
        late_s = float(given.get("late_s") or 0)
        stamp = self._now()
        done["stamp"] = stamp.isoformat() + "+00:00"
        if late_s:
            done["visible_at"] = (stamp + timedelta(seconds=late_s)).isoformat() + "+00:00"
        return done

    # --- each way ---------------------------------------------------------------------------------

    def _insert(self, obj: ObjectDef, given: Given) -> list[str]:
        table = new_rows.make(self._database, obj, self._wanted(given), self._now())
        ids: list[str] = table["Id"].to_pylist()

        def write(_stamp: datetime) -> None:
            self._storage.load(obj, [table])
            self._spread(obj, ids, given)

        return self._write(given, write, ids)

    def _change(self, obj: ObjectDef, given: Given, *, is_touch: bool) -> list[str]:
        ids = self._chosen(obj, given)
        field = None if is_touch else field_of(obj, given) if "field" in given else free_field(obj)
        if field is not None and not field.is_stored:
            raise ValueError(f"{obj.name}.{field.name} is computed; use drift")
        number = next(self._numbers)

        def write(stamp: datetime) -> None:
            changes = self._stamps(obj, stamp)
            if field is not None:
                changes.append((field.name, self._new_value(field, given, number)))
            self._set(obj, ids, changes, before=stamp)
            self._spread(obj, ids, given)
            self._roll_up(obj, stamp)

        return self._write(given, write, ids)

    def _delete(self, obj: ObjectDef, given: Given) -> list[str]:
        ids = self._deletable(obj, given)

        def write(stamp: datetime) -> None:
            living = self._ids(obj, f'"Id" {AMONG} AND {_alive(obj)}', [ids])
            stamps = self._database.saver.storing.stamps(self._database.admin_id, stamp)
            self._database.recycle_bin.bury(obj, living, stamps)
            self._roll_up(obj, stamp)

        return self._write(given, write, ids)

    def _undelete(self, obj: ObjectDef, given: Given) -> list[str]:
        went = f"SELECT id FROM _went_with WHERE object = {literal(obj.name)}"
        ids = self._chosen(obj, given, f'"IsDeleted" AND "Id" NOT IN ({went})')

        def write(stamp: datetime) -> None:
            stamps = self._database.saver.storing.stamps(self._database.admin_id, stamp)
            self._database.recycle_bin.bring_back(obj, ids, stamps)
            self._roll_up(obj, stamp)

        return self._write(given, write, ids)

    def _hard_delete(self, obj: ObjectDef, given: Given) -> list[str]:
        ids = self._deletable(obj, given)

        def write(stamp: datetime) -> None:
            self._database.recycle_bin.remove(obj, ids, stamp)
            self._roll_up(obj, stamp)

        return self._write(given, write, ids)

    def _purge(self, obj: ObjectDef, given: Given) -> list[str]:
        older_s = given.get("older_than_s")
        before = None if older_s is None else self._now() - timedelta(seconds=float(older_s))
        gone = self._ids(obj, '"IsDeleted"', []) if obj.has("IsDeleted") else []
        self._database.recycle_bin.purge(obj, before)
        left = set(self._ids(obj, '"IsDeleted"', [])) if gone else set()
        return [i for i in gone if i not in left]

    def _merge(self, obj: ObjectDef, given: Given) -> list[str]:
        if not obj.has("MasterRecordId"):
            raise ValueError(f"{obj.name} cannot be merged: it has no MasterRecordId")
        winner = given.get("into") or self._chosen(obj, {"rows": 1})[0]
        losers = [i for i in self._chosen(obj, given, _alive(obj), spare=1) if i != winner]
        losers = losers[: self._wanted(given)] if "ids" not in given else losers

        def write(stamp: datetime) -> None:
            database = self._database
            stamps = database.saver.storing.stamps(database.admin_id, stamp)
            merge(database.catalog, self._storage, obj, winner=winner, losers=losers, stamps=stamps)

        return self._write(given, write, losers)

    def _drift(self, obj: ObjectDef, given: Given) -> list[str]:
        field = field_of(obj, given)
        if not field.is_stored:
            if field.formula is None:
                raise ValueError(f"{obj.name}.{field.name} has no values that could drift")
            drifted = (f.changed(drift=f.drift + 1) if f == field else f for f in obj.fields)
            self._database.catalog.put(obj.renamed(fields=tuple(drifted)))
            return self._ids(obj, _alive(obj), [])
        ids = self._chosen(obj, given)
        value = self._new_value(field, given, next(self._numbers))
        self._set(obj, ids, [(field.name, value)])
        return ids

    # --- what they share --------------------------------------------------------------------------

    def _write(self, given: Given, write: Callable[[datetime], None], ids: list[str]) -> list[str]:
        """Write now; or keep it for later, with the stamp of now."""
        now = self._now()
        late_s = float(given.get("late_s") or 0)
        if not late_s:
            write(now)
            return ids

        def commit() -> None:
            with self._storage.writing():
                write(now)

        ends = now.replace(tzinfo=UTC) + timedelta(seconds=late_s)
        is_known = str(given.get("is_known", True)).lower() != "false"
        self._database.late.add(OpenTransaction(now.replace(tzinfo=UTC), ends, commit, is_known))
        return ids

    def _now(self) -> datetime:
        return self._database.clock().astimezone(UTC).replace(tzinfo=None, microsecond=0)

    @staticmethod
    def _wanted(given: Given) -> int:
        rows = int(given.get("rows", 1))
        if rows < 0:
            raise ValueError("rows must be 0 or more")
        return rows

    def _chosen(
        self, obj: ObjectDef, given: Given, where: str = "", *, spare: int = 0
    ) -> list[str]:
        """The rows that an entry names, or so many of those that fit, in an order of no meaning."""
        where = where or _alive(obj)
        if "ids" in given:
            wanted = [str(i) for i in given["ids"]]
            found = set(self._ids(obj, f'"Id" {AMONG} AND {where}', [wanted]))
            if missing := [i for i in wanted if i not in found]:
                raise ValueError(f"{obj.name} has no such rows: {', '.join(missing[:5])}")
            return wanted
        order = f'hash("Id" || {next(self._numbers)})'
        return self._ids(obj, f"{where} ORDER BY {order} LIMIT {self._wanted(given) + spare}", [])

    def _deletable(self, obj: ObjectDef, given: Given) -> list[str]:
        """The rows that an entry names; or so many that nothing keeps alive, as far as there are."""
        blocked = self._database.recycle_bin.blocked
        if "ids" in given:
            ids = self._chosen(obj, given)
            if kept := blocked(obj, ids):
                said = "; ".join(f"{i} is associated with {why}" for i, why in kept.items())
                raise ValueError(f"{obj.name}: {said}")
            return ids
        wanted, free = self._wanted(given), list[str]()
        candidates = self._chosen(obj, {"rows": self._database.count(obj.name)})
        step = max(wanted, 1000)
        for start in range(0, len(candidates), step):
            some = candidates[start : start + step]
            kept = blocked(obj, some)
            free += [i for i in some if i not in kept]
            if len(free) >= wanted:
                break
        # What would go together may stay when only some of it goes.
        while kept := blocked(obj, free[:wanted]):
            free = [i for i in free if i not in kept]
        return free[:wanted]

    def _ids(self, obj: ObjectDef, where: str, parameters: list[Any]) -> list[str]:
        sql = f'SELECT "Id" FROM {quote(obj.name)} WHERE {where}'
        return [i for (i,) in self._storage.rows(sql, parameters)]

    def _new_value(self, field: Field, given: Given, number: int) -> str:
        if "value" not in given:
            return new_value_sql(field, number)
        value = stored_value(field, given["value"])
        return "NULL" if value is None else f"CAST({literal(str(value))} AS {field.column_type})"

    def _stamps(self, obj: ObjectDef, stamp: datetime) -> list[tuple[str, str]]:
        touched = self._database.saver.storing.touched(obj, self._database.admin_id, stamp)
        return [
            (n, literal(v) if isinstance(v, str) else f"TIMESTAMP '{v}'")
            for n, v in touched.items()
        ]

    def _set(
        self,
        obj: ObjectDef,
        ids: Sequence[str],
        changes: Sequence[tuple[str, str]],
        *,
        before: datetime | None = None,
    ) -> None:
        """
        Change rows, but none that somebody else has written after ``before``: in a real org its
        lock would have kept the other one out, and a stamp never goes back.
        """
        if not (ids and changes):
            return
        later = (
            f" AND \"SystemModstamp\" <= TIMESTAMP '{before}'"
            if before is not None and obj.has("SystemModstamp")
            else ""
        )
        sets = ", ".join(f"{quote(name)} = {sql}" for name, sql in changes)
        self._storage.rows(
            f'UPDATE {quote(obj.name)} SET {sets} WHERE "Id" {AMONG}{later}', [list(ids)]
        )

    def _spread(self, obj: ObjectDef, ids: Sequence[str], given: Given) -> None:
        """Put the stamps of rows just written over the seconds before."""
        spread_s = int(given.get("spread_s") or 0)
        stamps = [n for n in ("SystemModstamp", "LastModifiedDate") if obj.has(n)]
        back = f'INTERVAL (CAST(hash("Id") % {spread_s + 1} AS INTEGER)) SECOND'
        if spread_s:
            self._set(obj, ids, [(n, f"{quote(n)} - {back}") for n in stamps])

    def _roll_up(self, obj: ObjectDef, stamp: datetime) -> None:
        for rollup in custom.ROLLUPS:
            if rollup.child == obj.name:
                changed = f"p.{quote(rollup.field)} IS DISTINCT FROM {rollup.count_sql}"
                self._storage.rows(
                    rollup.sql(also=f"\"SystemModstamp\" = TIMESTAMP '{stamp}'", where=changed)
                )


def _alive(obj: ObjectDef) -> str:
    return 'NOT "IsDeleted"' if obj.has("IsDeleted") else "true"
