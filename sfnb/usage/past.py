"""What an org's past says of a budget, slot by slot, for the forecast and for frames. Pure, without pandas."""

from __future__ import annotations

import numpy as np

from sfnb.model import Api
from sfnb.quota.forecast import DAY_SLOTS, SLOT_MINUTES, BudgetHistory
from sfnb.usage.counter import Steps, counter_at, span_sum, steps_of, window_sum
from sfnb.usage.history import DAY_MINUTES, PATTERN_DAYS, Ints, OrgHistory, Samples


def budget_history(history: OrgHistory, api: Api) -> BudgetHistory | None:
    """A budget's past as the forecast takes it, or None without a reading in the last day."""
    samples = history.samples.get(api) or no_samples()
    end = history.end_minute + 1
    if not len(samples) or end - samples.minutes[-1] > DAY_MINUTES:
        return None
    first = min(
        int(samples.minutes[0]),
        *(int(array[0]) for array in (history.log_minutes,) if len(array)),
        end,
    )
    days = min((end - first) // DAY_MINUTES + 2, PATTERN_DAYS)
    edges = end - SLOT_MINUTES * np.arange(days * DAY_SLOTS, -1, -1, dtype=np.int64)
    steps = others_steps(history, api, edges)
    own = span_sum(*own_units(history, api), edges)
    # What we have spent since the last reading is not in it yet.
    since = int(
        np.sum(own_units(history, api)[1][own_units(history, api)[0] > samples.minutes[-1]])
    )
    used = int(samples.used[-1]) + since
    return BudgetHistory(
        history.now, used, int(samples.maximum[-1]), steps.units, own.astype(np.float64)
    )


def others_steps(history: OrgHistory, api: Api, edges: Ints) -> Steps:
    """
    What everybody but this sfnb spent between these edges (evenly spaced minutes since 1970).

    Known from the event log where it covers a slot, else worked out of the counter.
    """
    samples = history.samples.get(api) or no_samples()
    own = own_units(history, api)
    others = samples.used - window_sum(*own, samples.minutes)
    # A call is counted in the minute in which it ends, so an edge stands for the end of the minute
    # before it.
    counter = counter_at(samples.minutes + 1, others.astype(np.float64), edges)
    known = np.full(len(edges) - 1, np.nan)
    if api == "api" and len(history.covered):
        is_known = np.isin(edges[:-1] // 60, history.covered) & np.isin(
            (edges[1:] - 1) // 60, history.covered
        )
        total = span_sum(history.log_minutes, history.log_calls, edges)
        known[is_known] = np.maximum(total - span_sum(*own, edges), 0)[is_known]
    return steps_of(counter, known, DAY_MINUTES // int(edges[1] - edges[0]))


def own_units(history: OrgHistory, api: Api) -> tuple[Ints, Ints]:
    spent = history.spent.get(api)
    return (spent.minutes, spent.units) if spent else (ints([]), ints([]))


def no_samples() -> Samples:
    return Samples(ints([]), ints([]), ints([]))


def ints(values: object) -> Ints:
    return np.asarray(values, dtype=np.int64)
