"""
When calls come back: pure functions of past use.

The limit is a rolling 24 hours, so what will come back is known: what was spent yesterday at this
time. What is not known is what the others will spend until then. Their usual day is the forecast;
their past days are taken as so many possible futures, one path for each, and the band between the
tenth and the ninetieth of a hundred says how sure it is.

Time runs in slots of ``SLOT_MINUTES``. Units are the budget's own (calls, batches, jobs, MB).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from sfnb.model import Api, Price
from sfnb.quota.policy import DEFAULT_MARGIN_PERCENT, lower_mark, threshold

SLOT_MINUTES = 10
DAY_SLOTS = 24 * 60 // SLOT_MINUTES
HORIZON_DAYS = 7
LOW, HIGH = 10, 90
MAX_PATHS = 28
RATE_PER_SLOT = 600
"""Calls that a backup makes in ten minutes when nothing stops it: about one a second."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BudgetHistory:
    """
    One budget's past, in slots that end at ``now``, oldest first.

    Args:
        used, max: as the org last told.
        others: what everybody but this sfnb spent in each slot; NaN where that is not known.
        own: what this sfnb spent in each slot; as long as ``others``.
    """

    now: datetime
    used: int
    maximum: int
    others: Floats
    own: Floats

    @property
    def days(self) -> int:
        """Whole days, back from now, of which at least nine tenths are known."""
        count = len(self.others) // DAY_SLOTS
        days = self.others[len(self.others) - count * DAY_SLOTS :].reshape(count, DAY_SLOTS)
        known = np.mean(~np.isnan(days), axis=1) >= 0.9 if count else np.zeros(0)
        return int(np.sum(known))


@dataclass(frozen=True, slots=True)
class Moment:
    """
    When something happens: on the likeliest path, and the ends of the band. None: not within the
    horizon.
    """

    at: datetime | None
    low_at: datetime | None
    high_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """
    The use to come if no job of ours runs.

    Args:
        at: the end of each slot; the first is now.
        expected, low, high: units used in the 24 hours before, at these moments.
        days: over how many past days the others' use is known; 0: only what comes back is, and the
            band is a guess.
    """

    at: tuple[datetime, ...]
    expected: Floats
    low: Floats
    high: Floats
    maximum: int
    days: int


@dataclass(frozen=True, slots=True)
class Finish:
    """
    How a planned job would go under one limit percent.

    Args:
        finish: when its last call is sent.
        pauses: on the likeliest path.
        share_finished: of the paths, 0 to 1.
    """

    limit_percent: int
    finish: Moment
    pauses: int
    share_finished: float


def outlook(history: BudgetHistory, *, hours: int = 48) -> Outlook:
    """The use of the next hours if no job of ours runs."""
    slots = hours * 60 // SLOT_MINUTES
    paths = _used_paths(history, slots)
    low, high = np.percentile(paths, [LOW, HIGH], axis=0)
    middle = paths[0]
    low, high = np.minimum(low, middle), np.maximum(high, middle)
    at = tuple(history.now + timedelta(minutes=SLOT_MINUTES * slot) for slot in range(slots + 1))
    return Outlook(at, middle, low, high, history.maximum, history.days)


def falls_under(history: BudgetHistory, units: int, *, hours: int = 72) -> Moment:
    """When use falls to ``units`` or below, if no job of ours runs."""
    return _moment(history, _used_paths(history, hours * 60 // SLOT_MINUTES), units)


def resumes(
    history: BudgetHistory,
    limit_percent: int,
    *,
    margin_percent: int = DEFAULT_MARGIN_PERCENT,
    price: int = 1,
) -> Moment:
    """When a job paused under this limit percent may go on: use has fallen under the lower mark."""
    top, mark = (
        threshold(history.maximum, limit_percent),
        lower_mark(history.maximum, limit_percent, margin_percent),
    )
    return falls_under(history, (mark if price <= top - mark else top) - price)


def what_if(
    price: Price,
    histories: Mapping[Api, BudgetHistory],
    limit_percents: Iterable[int] = range(1, 101),
    *,
    start_at: datetime | None = None,
    rate_per_slot: float = RATE_PER_SLOT,
    margin_percent: int = DEFAULT_MARGIN_PERCENT,
) -> dict[int, Finish]:
    """
    How a job of this price would go under each limit percent: when it ends and how often it pauses.

    Each budget is played through by itself, and the one that ends last decides; a job that needs a
    budget of which nothing is known is not foretold by it. Plays 7 days for each percent and past
    day; some 0.2 s for all 100.

    Args:
        price: units of each budget the job needs.
        histories: by budget; see ``BudgetHistory``.
        start_at: when the job is to begin; None: now.
        rate_per_slot: units it spends in ten minutes when nothing stops it.
    """
    percents = [int(percent) for percent in limit_percents]
    found: dict[int, Finish] = {}
    for api, amount in price.items():
        history = histories.get(api)
        if amount <= 0 or history is None or history.maximum < 0:
            continue
        rate = max(rate_per_slot, amount / DAY_SLOTS)
        for finish in _play(history, amount, percents, start_at, rate, margin_percent):
            before = found.get(finish.limit_percent)
            if before is None or _is_later(finish, before):
                found[finish.limit_percent] = finish
    return found


# -- paths


def future_paths(history: BudgetHistory, slots: int) -> Floats:
    """
    Possible futures of the others: one row per path, one column per slot from now on. The first row
    is the likeliest.

    Each past day of which nine tenths are known is a path. A day to come is played by a past day of
    the same kind (from Monday to Thursday, Friday, Saturday, Sunday, by the day it begins on), the
    newest first; the first path is the mean of these days, bursts cut off, since nobody knows when
    the next one comes. All are scaled half way to how the last hours compare with what is usual.
    Without such a day: from none at all to twice the mean of the last day.
    """
    count = len(history.others) // DAY_SLOTS
    past = history.others[len(history.others) - count * DAY_SLOTS :].reshape(count, DAY_SLOTS)
    known = [index for index in range(count) if np.mean(~np.isnan(past[index])) >= 0.9]
    if not known:
        level = _level_unknown(history)
        return np.repeat(np.array([1.0, *np.linspace(0.0, 2.0, 9)])[:, None] * level, slots, axis=1)
    past = _filled(past, known)
    calm = _without_bursts(past, known)
    kinds = [_kind(history.now - timedelta(days=count - index)) for index in range(count)]

    def days_like(kind: int) -> list[int]:
        return [index for index in reversed(known) if kinds[index] == kind] or known[::-1]

    wanted = [
        days_like(_kind(history.now + timedelta(days=ahead)))
        for ahead in range(-(-slots // DAY_SLOTS))
    ]
    # The last day is no witness of what is usual for itself.
    usual = [index for index in days_like(kinds[-1]) if index != count - 1]
    level = _level(calm[-1], np.mean(calm[usual], axis=0)) if usual else 1.0
    rows = [np.concatenate([np.mean(calm[choice], axis=0) for choice in wanted])]
    rows += [
        np.concatenate([past[choice[number % len(choice)]] for choice in wanted])
        for number in range(min(MAX_PATHS, max(len(choice) for choice in wanted)))
    ]
    paths: Floats = np.asarray(rows)[:, :slots] * level
    return paths


def _filled(past: Floats, known: list[int]) -> Floats:
    """
    The days with the slots that are not known as on the other days at that time, or as on average.
    """
    counts = np.sum(~np.isnan(past[known]), axis=0)
    sums = np.nansum(past[known], axis=0)
    usual = np.where(counts > 0, sums / np.maximum(counts, 1), np.sum(sums) / np.sum(counts))
    filled: Floats = np.where(np.isnan(past), usual, past)
    return filled


def _kind(begins_at: datetime) -> int:
    """
    0 Monday to Thursday, 1 Friday, 2 Saturday, 3 Sunday: a day that begins at noon is half of the
    next one.
    """
    return max(begins_at.weekday() - 3, 0)


def _level_unknown(history: BudgetHistory) -> float:
    """
    The others' mean per slot when not one full day is known: of the known slots, or of what the
    counter leaves.
    """
    spent = history.others[-DAY_SLOTS:]
    if np.any(~np.isnan(spent)):
        return float(np.nanmean(spent))
    return max(history.used - float(np.sum(history.own[-DAY_SLOTS:])), 0.0) / DAY_SLOTS


def _without_bursts(past: Floats, known: list[int]) -> Floats:
    """
    The days with each slot cut down to twice what is usual at that time of day, and some noise.
    """
    usual = np.median(past[known], axis=0)
    around = np.mean([np.roll(usual, shift) for shift in range(-3, 4)], axis=0)
    calm: Floats = np.minimum(past, 2 * around + 4 * np.sqrt(around) + 2)
    return calm


def _level(recent: Floats, usual: Floats, *, hours: int = 3) -> float:
    """
    How much busier the last hours were than is usual for them, half way to 1, within 0.5 to 2.
    """
    slots = hours * 60 // SLOT_MINUTES
    now, then = float(np.sum(recent[-slots:])), float(np.sum(usual[-slots:]))
    return float(np.clip(np.sqrt(now / then), 0.5, 2.0)) if now > 0 and then > 0 else 1.0


def last_day(history: BudgetHistory) -> Floats:
    """
    What comes back in each slot of the next 24 hours: what was spent in the last ones, adding up to
    ``used``.

    Where the others' slots are not known, or do not add up, the difference is spread over those not
    known, or over all of theirs in proportion.
    """
    own = _tail(history.own, 0.0)
    others = _tail(history.others, np.nan)
    unknown = np.isnan(others)
    filled = np.where(unknown, 0.0, others)
    rest = history.used - float(np.sum(own) + np.sum(filled))
    if unknown.any() and rest > 0:
        filled[unknown] = rest / int(unknown.sum())
    elif np.sum(filled) > 0:
        filled = filled * max(1.0 + rest / float(np.sum(filled)), 0.0)
    elif rest > 0:
        filled = np.full(DAY_SLOTS, rest / DAY_SLOTS)
    return own + filled


def _tail(values: Floats, missing: float) -> Floats:
    found = np.full(DAY_SLOTS, missing)
    tail = values[-DAY_SLOTS:]
    if len(tail):
        found[-len(tail) :] = tail
    return found


def _used_paths(history: BudgetHistory, slots: int) -> Floats:
    """Use in the 24 hours before, now and at the end of each slot to come; one row per path."""
    future = future_paths(history, slots)
    spent = np.concatenate(
        [np.repeat(last_day(history)[None, :], len(future), axis=0), future], axis=1
    )
    total = np.concatenate([np.zeros((len(future), 1)), np.cumsum(spent, axis=1)], axis=1)
    used: Floats = total[:, DAY_SLOTS:] - total[:, :-DAY_SLOTS]
    return used


def _moment(history: BudgetHistory, used: Floats, units: int) -> Moment:
    """
    When use first is at ``units`` or below; a path on which it never is counts as later than all.
    """
    is_there = used <= units
    first = np.where(is_there.any(axis=1), is_there.argmax(axis=1), -1)
    at = np.full(len(used), np.inf)
    for path, slot in enumerate(first):
        if slot == 0:
            at[path] = 0.0
        elif slot > 0:
            # Within the slot use moves evenly.
            before, after = used[path, slot - 1], used[path, slot]
            at[path] = slot - 1 + (before - units) / (before - after)
    return _band(history.now, at)


def _band(now: datetime, slots: Floats) -> Moment:
    """
    From the slot at which something happens on each path, the likeliest first; infinite: not within
    the horizon.
    """
    order = np.sort(slots[1:])

    def at(slot: float) -> datetime | None:
        return now + timedelta(minutes=SLOT_MINUTES * slot) if np.isfinite(slot) else None

    low, high = (order[round(share / 100 * (len(order) - 1))] for share in (LOW, HIGH))
    return Moment(at(slots[0]), at(min(low, slots[0])), at(max(high, slots[0])))


# -- what if


def _play(  # noqa: PLR0917
    history: BudgetHistory,
    amount: int,
    percents: list[int],
    start_at: datetime | None,
    rate: float,
    margin_percent: int,
) -> list[Finish]:
    """The job played through for each percent (rows) and path (columns) at once, slot by slot."""
    slots = HORIZON_DAYS * DAY_SLOTS
    future = future_paths(history, slots)
    base = _used_paths(history, slots)
    tops = np.array(
        [threshold(history.maximum, percent) for percent in percents], dtype=np.float64
    )[:, None]
    marks = np.array(
        [lower_mark(history.maximum, p, margin_percent) for p in percents], dtype=np.float64
    )[:, None]
    shape = (len(percents), len(future))
    spent = np.zeros((slots, *shape), dtype=np.float32)
    left, own = np.full(shape, float(amount)), np.zeros(shape)
    is_paused, pauses = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=np.int64)
    done_in = np.full(shape, np.inf)
    delay_s = max((start_at - history.now).total_seconds(), 0.0) if start_at else 0.0
    start = delay_s / (60 * SLOT_MINUTES)
    for slot in range(min(int(start), slots), slots):
        if slot >= DAY_SLOTS:
            own -= spent[slot - DAY_SLOTS]
        used = base[:, slot][None, :] + own
        is_paused &= used > np.maximum(marks - 1, 0)
        room = np.where(is_paused, 0.0, np.clip(np.floor(tops - used), 0.0, None))
        now_spent = np.minimum(np.minimum(room, rate), left)
        is_stopped = ~is_paused & (left > 0) & (room < np.minimum(rate, left))
        pauses += is_stopped
        is_paused |= is_stopped
        spent[slot] = now_spent
        own += now_spent
        is_done = (left > 0) & (left - now_spent <= 0)
        left -= now_spent
        # It starts within its first slot, not with it.
        done_in[is_done] = max(slot, start) + np.broadcast_to(now_spent, shape)[is_done] / rate
        if not (left > 0).any():
            break
    found = []
    for row, percent in enumerate(percents):
        finish = _band(history.now, done_in[row])
        found.append(
            Finish(percent, finish, int(pauses[row, 0]), float(np.mean(left[row, 1:] <= 0)))
        )
    return found


def _is_later(one: Finish, other: Finish) -> bool:
    if one.finish.at is None or other.finish.at is None:
        return one.finish.at is None and other.finish.at is not None
    return one.finish.at > other.finish.at
