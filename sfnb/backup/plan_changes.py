"""The plan of an incremental backup: which objects are read by their changes, and the price. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from math import ceil
from statistics import median

from sfnb.backup.marks import OVERLAP, choose_mark
from sfnb.backup.plan import (
    DESCRIBES_PER_CALL,
    QUERIES_PER_CALL,
    ObjectPlan,
    Plan,
    plan_object,
)
from sfnb.backup.policy import Choice, Known, counted_first, sampled
from sfnb.model import ObjectSchema
from sfnb.store.settling.sweeps import SWEPT


def plan_changes(
    plan: Plan,
    choices: Mapping[str, Choice],
    known: Mapping[str, Known],
    schemas: Mapping[str, ObjectSchema],
    *,
    runs: int = 0,
    damaged: Collection[str] = (),
    spent: Mapping[str, int] | None = None,
    counted: Mapping[str, int | None] | None = None,
) -> Plan:
    """
    The plan of a full backup, with those objects read by their changes that allow it.

    The price of changes is that of asking, of the rows that changed in the last runs, and of their
    count. Where no run tells, an object is taken to be unchanged.

    Args:
        runs: how many backups there have been.
        spent: calls of the last full reading of objects that are read by their parents: whether the
            org takes lists of these is not known before.
        counted: the org's statistic of records when the last backup was planned.
        damaged: objects of which what is stored cannot be relied on.
    """
    by_changes = [n for n, o in plan.objects.items() if n in choices and not choices[n].why_full]
    markable = [name for name in by_changes if choose_mark(schemas[name]).field]
    by_query = counted_first(markable, known)
    some = sampled([n for n in markable if not choices[n].changes], known, runs)
    objects = {}
    for name, planned in plan.objects.items():
        choice = choices.get(name)
        if choice is None or choice.why_full or name not in known:
            why = choice.why_full if choice else ""
            rows = planned.expected_rows
            if (
                name in known
                and rows is not None
                and (was := (counted or {}).get(name)) is not None
            ):
                # The statistic counts what this user does not see, and lags: its change tells more.
                rows = max(0, known[name].rows + known[name].deleted + rows - was)
            objects[name] = replace(
                planned,
                expected_rows=rows,
                why=why,
                record_count=planned.expected_rows,
                is_afresh=name in damaged,
            )
            if planned.reader == "by_parent" and spent and name in spent:
                objects[name] = replace(objects[name], calls=float(spent[name]))
        else:
            objects[name] = _changes(
                planned, schemas[name], known[name], choice, is_counted=name in by_query
            )
            if name in some:
                calls = objects[name].calls + 1 / QUERIES_PER_CALL
                objects[name] = replace(objects[name], is_sampled=True, calls=calls)
    return replace(plan, objects=objects)


def _changes(
    planned: ObjectPlan, schema: ObjectSchema, known: Known, choice: Choice, *, is_counted: bool
) -> ObjectPlan:
    since = datetime.fromisoformat(known.watermark or "") - OVERLAP
    lists = (not is_counted) + (known.rows + known.deleted > 0)
    has_lists = choose_mark(schema).has_lists
    calls = lists / DESCRIBES_PER_CALL if has_lists else 0.0
    is_asked = is_counted or (not has_lists and bool(choose_mark(schema).field))
    calls += 1 / QUERIES_PER_CALL if is_asked else 0.0
    rows = expected_rows(known)
    reading = plan_object(schema, rows)
    mb, jobs = 0.0, 0
    # Many objects change now and then: each weighs as often as it did, and the sum is right.
    calls += change_share(known) * (reading.calls + 1 / QUERIES_PER_CALL)
    if rows:
        mb, jobs = reading.mb, reading.bulk2_jobs
    if choice.wants_sweep or choice.refresh:
        fields = tuple(f for f in schema.fields if f.name in SWEPT or f.name in choice.refresh)
        few = replace(schema, fields=fields)
        sweep = plan_object(few, known.rows + known.deleted)
        calls, jobs = calls + sweep.calls, jobs + sweep.bulk2_jobs
        mb += sweep.mb
    return replace(
        planned,
        reader=reading.reader,
        expected_rows=rows,
        calls=calls,
        bulk2_jobs=jobs,
        mb=mb,
        mode="incremental",
        since=since.isoformat(timespec="seconds").replace("+00:00", "Z"),
        is_counted=is_counted,
        wants_sweep=choice.wants_sweep,
        record_count=planned.expected_rows,
        has_new_schema=bool(choice.changes),
        refresh=choice.refresh,
        why_refresh=choice.why_refresh,
    )


def expected_rows(known: Known) -> int:
    """Rows that will have changed, as far as the last runs tell: their median."""
    return ceil(median(known.touched)) if known.touched else 0


def change_share(known: Known) -> float:
    """In what share of the last runs it had changed rows; 0 where no run tells."""
    return sum(map(bool, known.touched)) / len(known.touched) if known.touched else 0.0
