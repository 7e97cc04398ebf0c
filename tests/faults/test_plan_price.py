"""What a backup is planned to cost, and what it costs."""

from __future__ import annotations

from collections.abc import Callable

from sfnb import engine
from sfnb.engine import backup
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector, SharedClock


def near(planned: int, spent: int) -> bool:
    """Within 10 percent, or two calls."""
    return abs(planned - spent) <= max(2, spent // 10)


def test_the_first_plan_and_the_price_of_the_next_backup_come_true(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """
    The plan of a first backup of the whole org, files and metadata included, and the price that a
    backup leaves for the next one (``next_backup_price``) are within 10 percent of what is spent.
    """
    org = fresh_org(max_calls=100_000)
    there = connected(org, clock=SharedClock(org))
    org.control("clock", {"advance_minutes": 30})  # no row is younger than the overlap
    planned = engine.plan(there, backup()).plan.price()
    first = engine.run(there, backup())
    assert near(planned["api"], first["calls"]["api"]), (planned, first["calls"])
    org.control("clock", {"advance_minutes": 1440})
    second = engine.run(there, backup())
    price = first["next_backup_price"]
    assert set(price) == {"api", "bulk", "bulk2", "bulk2_mb"}
    assert near(price["api"], second["calls"]["api"]), (price, second["calls"])
    assert price["api"] < first["calls"]["api"]
