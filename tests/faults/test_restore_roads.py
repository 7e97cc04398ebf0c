"""Values arrive as they were, by each road and wherever the process runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfnb.clock import FakeClock
from sfnb.installation import connect
from tests.faults.conftest import settings_for
from tests.faults.restore_world import World
from tests.restore_campaign.campaign import demo_org

TEXTS = (
    'say "hi", you',
    " spaces at both ends ",
    "line\nfeed",
    "carriage\r\nreturn",
    "tab\tand; semicolon",
    "#N/A",
    "=1+1",
    "Zoë 東京 😀",
)
FIELDS = "Id, LastName, Description, Birthdate, Email, HasOptedOutOfEmail, Department, Phone"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with demo_org(tmp_path / "org") as org:
        settings = settings_for(org, tmp_path / "home")
        with connect("demo", settings=settings, clock=FakeClock()) as mine:
            yield World(org, mine)


def contacts(world: World, ids: list[str]) -> list[dict[str, Any]]:
    among = ", ".join(f"'{one}'" for one in ids)
    return world.rows(f"SELECT {FIELDS} FROM Contact WHERE Id IN ({among}) ORDER BY Id")


@pytest.mark.parametrize("is_bulk", [False, True], ids=["collections", "bulk"])
def test_null_absent_and_text_mean_the_same_by_each_road(
    world: World, monkeypatch: pytest.MonkeyPatch, *, is_bulk: bool
) -> None:
    """
    What was empty is cleared, what others have not touched is not sent, each text comes back to the
    letter: by collections and by a Bulk job.
    """
    ids = world.ids("Contact", limit=len(TEXTS))
    for number, (one, text) in enumerate(zip(ids, TEXTS, strict=True)):
        empty = (
            {"Phone": None, "Email": None} if number % 2 else {"Phone": "1", "Email": "a@b.example"}
        )
        world.update("Contact", one, Description=text, Birthdate="1999-12-31", **empty)
    world.org.control("clock", {"advance_minutes": 30})
    world.backup("Contact")
    before = contacts(world, ids)
    world.org.control("clock", {"advance_minutes": 30})
    for number, one in enumerate(ids):
        changed = {"Phone": "2"} if number % 3 else {"Description": None}
        world.update("Contact", one, Birthdate=None, Email="other@b.example", **changed)
    if is_bulk:
        monkeypatch.setattr("sfnb.restore.waves.BULK_CALLS", 0)
        monkeypatch.setattr("sfnb.restore.wave_run.FEW_ROWS", 0)
    summary = world.restore(ids=ids)
    assert summary["state"] == "completed", summary
    assert bool(summary["calls"]["bulk"]) is is_bulk
    assert summary["proof"]["different"] == 0
    assert contacts(world, ids) == before


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="a process has its time zone from Windows")
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
def test_a_day_stays_that_day_in_each_time_zone(
    world: World, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """Dates are text from the snapshot to the wire, also on the days when clocks change."""
    days = ("2026-03-08", "2026-11-01", "1970-01-01", "1899-12-31")
    ids = world.ids("Contact", limit=len(days))
    for one, day in zip(ids, days, strict=True):
        world.update("Contact", one, Birthdate=day)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        world.org.control("clock", {"advance_minutes": 30})
        world.backup("Contact")
        world.org.control("clock", {"advance_minutes": 30})
        for one in ids:
            world.update("Contact", one, Birthdate="2000-01-01")
        assert world.restore(ids=ids)["restored"]["updated"] == len(days)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [row["Birthdate"] for row in contacts(world, ids)] == list(days)
