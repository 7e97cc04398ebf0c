"""Teams of accounts: a new owner takes them away, and only SOAP has a header that keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.installation import connect
from tests.faults.conftest import settings_for
from tests.faults.restore_world import DATA, World
from tests.restore_campaign.campaign import demo_org


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with demo_org(tmp_path / "org", features=("all",)) as org:
        settings = settings_for(org, tmp_path / "home")
        with connect("demo", settings=settings, clock=FakeClock()) as mine:
            yield World(org, mine)


def test_a_team_that_an_owner_change_takes_away_is_named(world: World) -> None:
    """
    Somebody gave an account another owner. The plan says that giving it back removes the team, and
    how it comes back; the second restore brings each member back once.
    """
    (account,) = world.ids("Account", limit=1, where="IsPersonAccount = false")
    users = world.ids("User", limit=5)
    (now,) = world.rows(f"SELECT OwnerId FROM Account WHERE Id = '{account}'")
    for user in users[:2]:
        answer = world.org.send(
            "POST",
            f"{DATA}/sobjects/AccountTeamMember",
            json={"AccountId": account, "UserId": user, "TeamMemberRole": "Sales Rep"},
        )
        assert answer.status_code == 201, answer.text
    team = f"SELECT UserId, TeamMemberRole FROM AccountTeamMember WHERE AccountId = '{account}'"
    before = sorted(map(str, world.rows(team)))
    assert len(before) >= 2
    world.org.control("clock", {"advance_minutes": 30})
    world.backup("Account", "AccountTeamMember")
    world.org.control("clock", {"advance_minutes": 30})
    other = next(one for one in users if one != now["OwnerId"])
    world.update("Account", account, OwnerId=other)
    assert not world.rows(team), "the owner change took the team"
    plan = engine.plan(world.mine, engine.restore(objects=["Account"])).plan
    (warning,) = [one for one in plan.warnings if one.code == "account_team"]
    assert "AccountTeamMember" in warning.message
    world.restore(objects=["Account"])
    assert world.rows(f"SELECT OwnerId FROM Account WHERE Id = '{account}'") == [now]
    summary = world.restore(objects=["AccountTeamMember"])
    assert summary["restored"]["refused"] == 0, summary
    assert sorted(map(str, world.rows(team))) == before
