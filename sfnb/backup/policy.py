"""
Which objects of a backup are read in full, which by their changes, and what is asked anew. Pure.

Every choice has a reason in words: the plan and the outcome say it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Literal

from sfnb.backup.marks import choose_mark, computed_fields
from sfnb.backup.plan import DESCRIBES_PER_CALL, QUERIES_PER_CALL
from sfnb.backup.schema_changes import SchemaChange, object_changes
from sfnb.model import ObjectSchema
from sfnb.org.arrow import readable_fields

SWEEP_EVERY = timedelta(days=7)
"""All Ids of an object are compared with the org's at least so often."""

REFRESH_EVERY = timedelta(days=7)
"""Computed columns of an object are read again for all rows at least so often."""

PUT_BACK = timedelta(minutes=10)
"""Clocks drift by less than this between two backups; the overlap of windows makes up for it."""

SAMPLED_OBJECTS = 10
"""
So many objects are sampled in one run, in turn, for fields that change while no stamp moves: two
calls.
"""

SAMPLED_ROWS = 50
"""Records of each of them that are read whole and compared."""

DESCRIBE_EVERY_RUNS = 7
"""Where an org does not tell whether its schema changed, each object is described every so many runs."""

FEWEST_DESCRIBES = 100
"""So many objects are described in any case then: four calls."""

MORE_CALLS = 55
"""
Changed rows are counted by queries, which see the present minute too, as long as that costs no more
calls than this, or three percent above what the change lists cost.
"""

MOST_COUNTED = 100
"""At most so many objects are counted by queries; the others go by ``/updated``."""

OLDER = "it is stored in the format of an older sfnb: `sfnb store upgrade` makes its changes enough"

RATES = ("CurrencyType", "DatedConversionRate")
"""
Exchange rates of an org with several currencies (object reference). When one is edited, formulas
and roll-ups of amounts are others, and no stamp moves but the rate's.
"""

CURRENCY_CODE = "CurrencyIsoCode"
"""The field of a record that has amounts, in such an org."""

News = Literal["same", "changed", "unknown"]
"""What the org says of its schema as a whole since the last backup."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a backup was asked for, see ``BackupRequest``."""

    full: bool = False
    sweep: bool = False
    refresh: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """
    What the store has complete of one object.

    Args:
        rows, deleted: records alive, and in the recycle bin.
        watermark: what the org has changed since then is not known (ISO); None: it has no stamps.
        describe: the answer that it was stored under.
        described_at: when the org last gave or confirmed it (HTTP date); empty: not known.
        touched: rows that were read of it in each of the last runs, newest first.
        drifting: fields that describe does not call computed, whose values were found to change
            while no stamp moved.
        is_damaged: `sfnb verify` found damage in what is stored of it.
        ahead_s: how far the org's clock was ahead of ours at the last backup of it, in seconds.
    """

    rows: int
    deleted: int
    key: str | None
    watermark: str | None
    sweep_at: str | None
    refreshed_at: str | None
    describe: Mapping[str, Any] = field(repr=False)
    described_at: str = ""
    touched: Sequence[int] = ()
    drifting: Sequence[str] = ()
    is_damaged: bool = False
    ahead_s: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """
    How one object is read.

    Args:
        why_full: why all rows are read; empty: only its changes are.
        changes: of its schema since the snapshot before.
        wants_sweep: why all Ids are compared; empty: they are not.
        refresh: fields that are read for all rows, as well as what has changed; ``why_refresh``.
    """

    why_full: str
    changes: tuple[SchemaChange, ...] = ()
    wants_sweep: str = ""
    refresh: tuple[str, ...] = ()
    why_refresh: str = ""


def choose(
    schema: ObjectSchema,
    known: Known | None,
    now: datetime,
    wishes: Wishes,
    record_count: int | None = None,
    *,
    is_older: bool = False,
    rates_at: str = "",
    ahead_s: float | None = None,
) -> Choice:
    """
    How an object is read.

    Args:
        now: the org's time.
        record_count: the org's statistic of live records. An object without a change mark of which
            nothing is stored is not read as long as that says zero.
        is_older: it is stored in the format of an older sfnb.
        rates_at: when an exchange rate was changed last (ISO); empty: not known.
        ahead_s: how far the org's clock is ahead of ours, in seconds; None: not known.
    """
    if known is None:
        return Choice(OLDER if is_older else "no snapshot has it complete")
    changes = tuple(object_changes(schema.name, known.describe, schema.raw))
    is_surely_empty = record_count == known.rows + known.deleted == 0
    if why := _why_full(schema, known, now, wishes, is_surely_empty) or _why_schema(changes):
        return Choice(why, changes)
    sweep = "due" if _age(known.sweep_at, now) >= SWEEP_EVERY else ""
    why, fields = _refresh(schema, known, changes, now, wishes, rates_at=rates_at)
    if _is_put_back(known, ahead_s):
        sweep = "the org's clock seems to have been put back"
    return Choice("", changes, "asked for" if wishes.sweep else sweep, fields, why)


def _is_put_back(known: Known, ahead_s: float | None) -> bool:
    """
    Whether what changed since the last backup may have stamps from before it: measured by our clock
    the org's has lost time. Ours may be the one that jumped; then a sweep finds nothing.
    """
    if ahead_s is None or known.ahead_s is None:
        return False
    return known.ahead_s - ahead_s > PUT_BACK.total_seconds()


def _why_full(  # noqa: PLR0911 - one for each reason
    schema: ObjectSchema, known: Known, now: datetime, wishes: Wishes, is_surely_empty: bool
) -> str:
    if known.is_damaged:
        return "`sfnb verify` found it damaged"
    if wishes.full:
        return "asked for"
    if known.key != "Id":
        return "nothing but a full reading tells its rows apart"
    if known.watermark is None:
        return "it has no watermark"
    if datetime.fromisoformat(known.watermark) > now:
        return "its watermark is later than the org's time"
    if not choose_mark(schema).is_known and not is_surely_empty:
        return "it has no change mark"
    return ""


def _why_schema(changes: Iterable[SchemaChange]) -> str:
    """A field of another type has other values in all rows, in another column of the table."""
    for change in changes:
        if change.change == "field_retyped":
            return f"field retyped: {change.field}"
    return ""


def _refresh(
    schema: ObjectSchema,
    known: Known,
    changes: Iterable[SchemaChange],
    now: datetime,
    wishes: Wishes,
    *,
    rates_at: str,
) -> tuple[str, tuple[str, ...]]:
    """
    Why some fields are read for all rows, and which; empty: none are.

    A field that is new to the store is, and one whose formula was edited: null and "not known" are
    different. So are, now and then, all that change without a stamp. These come along whenever any
    are read, since the calls are the same.
    """
    readable = {f.name for f in readable_fields(schema)}
    moving = [n for n in (*computed_fields(schema.raw), *known.drifting) if n in readable]
    news = [c for c in changes if c.change in ("field_added", "formula_changed")]
    news = [c for c in news if c.field in readable]
    if not (known.rows + known.deleted and (moving or news)):
        return "", ()
    fields = tuple(dict.fromkeys([*(c.field for c in news), *moving]))
    if news:
        return f"{news[0].change.replace('_', ' ')}: {news[0].field}", fields
    if wishes.refresh:
        return "asked for", fields
    if _follows_rates(schema, known, rates_at):
        return "an exchange rate was changed", fields
    return ("due", fields) if _age(known.refreshed_at, now) >= REFRESH_EVERY else ("", ())


def _follows_rates(schema: ObjectSchema, known: Known, rates_at: str) -> bool:
    """Whether what the org computes of amounts may be another since it was last read for all rows."""
    if not rates_at or not schema.has(CURRENCY_CODE):
        return False
    last = known.refreshed_at
    return last is None or datetime.fromisoformat(rates_at) >= datetime.fromisoformat(last)


def _age(moment: str | None, now: datetime) -> timedelta:
    """How old a moment is; for ever, where there is none."""
    return now - datetime.fromisoformat(moment) if moment else timedelta.max


def describes_wanted(
    names: Sequence[str], known: Mapping[str, Known], news: News, *, wishes: Wishes, now: datetime
) -> list[str]:
    """
    The objects whose describe is requested: those that are not known; all, where the schema changed
    or is due; else, where the org does not tell, those that were not described for longest.
    """
    if wishes.full or wishes.sweep or news == "changed":
        return list(names)
    due = {n for n in names if n not in known or _age(known[n].sweep_at, now) >= SWEEP_EVERY}
    if news == "unknown":
        most = max(FEWEST_DESCRIBES, ceil(len(names) / DESCRIBE_EVERY_RUNS)) - len(due)
        most = ceil((len(due) + max(most, 0)) / DESCRIBES_PER_CALL) * DESCRIBES_PER_CALL - len(due)
        others = [name for name in names if name not in due]
        due |= set(sorted(others, key=lambda n: _described_at(known[n]))[: max(most, 0)])
    return [name for name in names if name in due]


def _described_at(known: Known) -> datetime:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(known.described_at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def counted_first(names: Sequence[str], known: Mapping[str, Known]) -> set[str]:
    """
    Those whose changed rows are counted by a query instead of going by ``/updated``.

    A query sees what was changed in the present minute, which the lists leave out; but five ride in
    a call, not 25. Objects that changed lately come first, then those with most rows.
    """

    def rank(name: str) -> tuple[int, int]:
        return -sum(known[name].touched), -known[name].rows

    ranked = sorted(names, key=rank)
    most = max(MORE_CALLS, int(lists_calls(names, (), known) * 1.03))
    count = min(len(names), MOST_COUNTED)
    while count and lists_calls(names, ranked[:count], known) > most:
        count -= 1
    return set(ranked[:count])


def lists_calls(
    names: Collection[str], counted: Collection[str], known: Mapping[str, Known]
) -> int:
    """
    Calls that it takes to learn which objects have changed, some of them counted by queries.

    Nothing can be deleted of an object of which nothing is stored: ``/deleted`` is not requested.
    """
    deleted = sum(known[name].rows + known[name].deleted > 0 for name in names)
    lists = len(names) - len(counted) + deleted
    return ceil(len(counted) / QUERIES_PER_CALL) + ceil(lists / DESCRIBES_PER_CALL)


def sampled(names: Sequence[str], known: Mapping[str, Known], runs: int) -> set[str]:
    """
    The objects of which a sample is compared in this run, in turn: over the runs all of them.

    Args:
        names: those that can be read by their changes and in the order of Ids.
        runs: how many backups there have been.
    """
    there = sorted(name for name in names if known[name].rows + known[name].deleted)
    first = runs * SAMPLED_OBJECTS
    return {there[(first + n) % len(there)] for n in range(min(SAMPLED_OBJECTS, len(there)))}
