"""What the state knows of each org, as ``FleetOrg``. No call to an org, and no look into the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from sfnb.fleet.ranking import FleetOrg, Use, ranked, worries_of
from sfnb.installation import Installation
from sfnb.memory import State
from sfnb.quota.forecast import outlook
from sfnb.quota.policy import DEFAULT_LIMIT_PERCENT, threshold
from sfnb.state.fleet import SLOT_MINUTES, GaugeLine, Reading, minute_of
from sfnb.usage.history import OrgHistory, Samples, Spent
from sfnb.usage.past import budget_history

API = "api"

DAYS = 8
"""How far back the forecast looks here: a week, and the day before it. A fleet is many orgs."""

TROUBLE_DAYS = 90


def fleet_of(installation: Installation) -> list[FleetOrg]:
    """
    All orgs that are registered here or have had a job in the shared state, the worst first.

    Costs no API call; half a dozen statements however many orgs there are, and some milliseconds of
    arithmetic an org.
    """
    now = installation.clock.now()
    registered = {config.org_id: name for name, config in installation.settings.orgs.items()}
    unreached = [name for name, config in installation.settings.orgs.items() if not config.org_id]
    found = orgs_of(installation.state, registered, now)
    found += [_judged(FleetOrg(name, ""), now) for name in unreached]
    return ranked(found, now)


def orgs_of(state: State, registered: Mapping[str, str], now: datetime) -> list[FleetOrg]:
    """Each org of the state, in no particular order; ``registered``: names by Organization Id."""
    book, since = state.fleet, now - timedelta(days=DAYS)
    names = {**book.names(), **{key: name for key, name in registered.items() if key}}
    gauges, good, live = book.gauges(), book.good_backups(), book.live_jobs()
    trouble, checks = book.trouble(now - timedelta(days=TROUBLE_DAYS)), book.checks()
    readings, spent = book.readings(API, names, since), book.spent(API, names, since)
    found = []
    for org_id, name in names.items():
        use = _use(gauges.get((org_id, API)))
        org = FleetOrg(
            name,
            org_id,
            use,
            good.get(org_id),
            trouble.get(org_id),
            checks.get(org_id),
            live.get(org_id, ()),
        )
        if use is not None and use.has_numbers and use.is_known:
            past = (readings.get(org_id, ()), spent.get(org_id, ()))
            org = replace(org, next_pause_at=_foreseen(org_id, *past, use.limit_percent, now))
        found.append(_judged(org, now))
    return found


_forecasts: dict[str, tuple[object, datetime | None]] = {}
"""The last one of each org: a screen looks every few seconds, and a forecast moves in ten minutes."""


def _foreseen(
    org_id: str,
    readings: Sequence[Reading],
    spent: Sequence[Reading],
    limit_percent: int,
    now: datetime,
) -> datetime | None:
    known_by = (readings[-1:], spent[-1:], limit_percent, minute_of(now) // SLOT_MINUTES)
    found = _forecasts.get(org_id)
    if found is None or found[0] != known_by:
        found = _forecasts[org_id] = known_by, next_pause(readings, spent, limit_percent, now)
    return found[1]


def next_pause(
    readings: Sequence[Reading], spent: Sequence[Reading], limit_percent: int, now: datetime
) -> datetime | None:
    """
    When use is expected to reach the limit if no job of ours runs: a job that runs then pauses.
    None: not within two days, or there is no reading of the last day.
    """
    if not readings or 2 * max(used for _, used, _ in readings) < threshold(
        max(maximum for _, _, maximum in readings), limit_percent
    ):
        return None  # a forecast is at most twice what there was (``quota.forecast``)
    samples, calls = np.asarray(readings, dtype=np.int64), np.asarray(spent, dtype=np.int64)
    calls = calls.reshape(-1, 3)
    history = OrgHistory(
        org="",
        org_id="",
        start_at=now - timedelta(days=DAYS),
        now=now,
        samples={"api": Samples(samples[:, 0], samples[:, 1], samples[:, 2])},
        spent={"api": Spent(calls[:, 0], np.zeros(len(calls), dtype=np.int64), calls[:, 1])},
    )
    if minute_of(now) - int(samples[-1, 0]) < 0:
        return None  # the clock has gone back
    budget = budget_history(history, "api")
    if budget is None or budget.maximum <= 0:
        return None
    ahead = outlook(budget)
    over = np.flatnonzero(ahead.expected >= threshold(budget.maximum, limit_percent))
    return ahead.at[int(over[0])] if len(over) else None


def _use(gauge: GaugeLine | None) -> Use | None:
    if gauge is None:
        return None
    percent = DEFAULT_LIMIT_PERCENT if gauge.percent is None else gauge.percent
    stops = threshold(gauge.maximum, percent) if gauge.maximum > 0 else -1
    return Use(gauge.used, gauge.maximum, percent, stops, gauge.read_at, gauge.is_known)


def _judged(org: FleetOrg, now: datetime) -> FleetOrg:
    return replace(org, worries=tuple(worries_of(org, now)))
