"""
Calls by the hour, worked out of a counter that only tells the sum of the last 24 hours. Pure.

Between two readings the counter changes by what was spent and by what came back: ``U(t2) - U(t1) =
x(t1..t2) - x(t1-24h..t2-24h)``. So each hour follows from the same hour of the day before. Only the
first day has to be guessed, and even there an hour cannot have had less than later days show to
have come back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sfnb.usage.history import DAY_MINUTES, Ints

Floats = npt.NDArray[np.float64]

MAX_GAP_MINUTES = DAY_MINUTES
"""
Between readings at most so far apart the counter is taken to have moved evenly; further apart is a
new start.
"""

EVENT_LOG, COUNTER, ESTIMATE, UNKNOWN = "event log", "counter", "estimate", ""


@dataclass(frozen=True, slots=True)
class Steps:
    """
    Units spent by slot.

    Args:
        units: in each slot; NaN where nothing is known.
        sources: ``event log``, ``counter`` or ``estimate`` (only their sum is known), empty where
            nothing is.
    """

    units: Floats
    sources: npt.NDArray[np.str_]


def window_sum(minutes: Ints, units: Ints, at: Ints) -> Ints:
    """Units in the 24 hours up to and including each minute of ``at``; ``minutes`` sorted."""
    total = np.concatenate([[0], np.cumsum(units)]).astype(np.int64)
    upto = np.searchsorted(minutes, at, side="right")
    before = np.searchsorted(minutes, at - DAY_MINUTES, side="right")
    return total[upto] - total[before]


def span_sum(minutes: Ints, units: Ints, edges: Ints) -> Ints:
    """Units from each edge (included) to the next one (left out); ``minutes`` sorted."""
    total = np.concatenate([[0], np.cumsum(units)]).astype(np.int64)
    return np.diff(total[np.searchsorted(minutes, edges, side="left")])


def counter_at(minutes: Ints, used: Floats, at: Ints) -> Floats:
    """
    The counter at these minutes, straight between its readings; NaN beyond them and in gaps of over
    a day.
    """
    if not len(minutes):
        return np.full(len(at), np.nan)
    found = np.interp(at, minutes, used, left=np.nan, right=np.nan)
    after = np.clip(np.searchsorted(minutes, at, side="left"), 0, len(minutes) - 1)
    before = np.clip(np.searchsorted(minutes, at, side="right") - 1, 0, len(minutes) - 1)
    found[minutes[after] - minutes[before] > MAX_GAP_MINUTES] = np.nan
    # A reading a few minutes beside the edge of all readings will do: else the present hour would
    # be lost.
    for index, near in ((0, at < minutes[0]), (-1, at > minutes[-1])):
        found[near & (np.abs(at - minutes[index]) <= 60)] = used[index]
    return found


def steps_of(counter: Floats, known: Floats, per_day: int) -> Steps:
    """
    What was spent in each slot.

    Args:
        counter: units in the last 24 hours, at each edge of the slots (one more than slots); NaN:
            not read.
        known: units known from elsewhere (the event log), by slot; NaN: not known.
        per_day: slots in 24 hours.
    """
    units = known.astype(np.float64).copy()
    sources = np.where(np.isnan(units), UNKNOWN, EVENT_LOG).astype("<U9")
    edges = np.flatnonzero(~np.isnan(counter))
    if not len(edges):
        return Steps(units, sources)
    for run in np.split(edges, np.flatnonzero(np.diff(edges) > 1) + 1):
        _fill(units, sources, counter, int(run[0]), int(run[-1]), per_day)
    return Steps(np.maximum(units, 0.0), sources)


def _fill(  # noqa: PLR0917
    units: Floats,
    sources: npt.NDArray[np.str_],
    counter: Floats,
    first: int,
    last: int,
    per_day: int,
) -> None:
    """Fill the slots of one unbroken run of readings, edge ``first`` to edge ``last``."""
    change = np.full(len(units), np.nan)
    change[first:last] = np.diff(counter[first : last + 1])
    begin = first - per_day  # the first reading sums up the day before it
    if np.isnan(units[max(begin, 0) : last]).all():
        _fill_unknown(units, sources, counter[first], change, begin, first, last, per_day)
        return
    chains = {slot % per_day: range(slot, last, per_day) for slot in range(begin, first)}
    loose: list[
        tuple[int, float]
    ] = []  # slots of the first day that nothing fixes, and the least they can be
    for chain in chains.values():
        slots = [slot for slot in chain if slot >= 0]
        offsets = _offsets(slots, change, has_start=chain[0] >= 0)
        fixed = [i for i, slot in enumerate(slots) if not np.isnan(units[slot])]
        if fixed:
            # Each slot follows from the nearest known one before it, or else from the first one
            # after it.
            anchors = [
                max((f for f in fixed if f <= i), default=fixed[0]) for i in range(len(slots))
            ]
            starts = np.array([units[slots[a]] - offsets[a] for a in anchors])
            _put(units, sources, slots, starts + offsets, COUNTER)
        elif chain[0] >= 0 or slots:
            least = max(0.0, -float(np.min(offsets))) if slots else 0.0
            loose.append((chain[0], least))
    # What the first reading says in all, less what is known of its day, is shared out among the
    # loose slots.
    own_day = [units[slot] for slot in range(max(begin, 0), first) if not np.isnan(units[slot])]
    spare = counter[first] - sum(own_day) - sum(least for _, least in loose)
    share = max(spare, 0.0) / len(loose) if loose else 0.0
    for start, least in loose:
        slots = [slot for slot in range(start, last, per_day) if slot >= 0]
        offsets = _offsets(slots, change, has_start=start >= 0)
        _put(units, sources, slots, least + share + offsets, COUNTER, guess_before=first)


def _fill_unknown(  # noqa: PLR0917
    units: Floats,
    sources: npt.NDArray[np.str_],
    total: float,
    change: Floats,
    begin: int,
    first: int,
    last: int,
    per_day: int,
) -> None:
    """
    As ``_fill`` where no slot is known, which is the rule: all chains at once, a column each. It is
    many times faster, and a fleet is many orgs.
    """
    end = begin + -(-(last - begin) // per_day) * per_day
    slots = np.arange(begin, end).reshape(-1, per_day)
    is_there = (slots >= 0) & (slots < last)
    steps = np.where(is_there, change[np.clip(slots, 0, len(change) - 1)], 0.0)
    steps[0] = 0.0  # the start of each chain
    offsets = np.cumsum(steps, axis=0)
    is_loose = is_there.any(axis=0)
    least = np.maximum(0.0, -np.where(is_there, offsets, np.inf).min(axis=0))[is_loose]
    share = max(total - float(least.sum()), 0.0) / len(least) if len(least) else 0.0
    starts = np.zeros(per_day)
    starts[is_loose] = least + share
    found = slots[is_there]
    units[found] = (starts + offsets)[is_there]
    sources[found] = np.where(found < first, ESTIMATE, COUNTER)


def _offsets(slots: list[int], change: Floats, *, has_start: bool) -> Floats:
    """How much more each slot of a chain has than its start, one day further on each."""
    steps = change[slots] if slots else np.zeros(0)
    if has_start and len(slots):
        steps = np.concatenate([[0.0], steps[1:]])
    return np.cumsum(steps)


def _put(  # noqa: PLR0917
    units: Floats,
    sources: npt.NDArray[np.str_],
    slots: list[int],
    values: Floats,
    source: str,
    guess_before: int = -1,
) -> None:
    for slot, value in zip(slots, values, strict=True):
        if np.isnan(units[slot]):
            units[slot] = value
            sources[slot] = ESTIMATE if slot < guess_before else source
