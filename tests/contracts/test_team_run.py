"""Two analysts and a scheduler: three processes, three homes, one PostgreSQL, one bucket, one org."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from sfnb.clock import SystemClock
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.contracts.demo_writes import records
from tests.contracts.s3_server import SLOW_DOWN, environment, s3_door

PEOPLE = ("ann", "ben", "night")


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_three_homes_share_all_but_their_logins(
    fresh_org: Callable[..., RunningOrg], state_url: str, s3_address: str, tmp_path: Path
) -> None:
    """
    They start together on an empty database, which is made once. What one sets, starts or stores,
    the others see; a viewer among them changes nothing; a job of a killed scheduler is finished by
    another; two may not back up the same objects at once.
    """
    org = fresh_org(objects={"Account": 30, "Contact": 60})
    shared = environment(s3_address) | {
        "SFNB_STATE_URL": state_url,
        "SFNB_STORE": f"s3://sfnb-{secrets.token_hex(4)}/team",
    }
    homes = {
        who: CommandLine(tmp_path / who, X_TOKEN=org.access_token, SFNB_USER=who, **shared)
        for who in PEOPLE
    }
    starting = [
        home.start("org", "add", "x", "--instance-url", org.url, "--access-token-env", "X_TOKEN")
        for home in homes.values()
    ]
    assert [one.ended().code for one in starting] == [0, 0, 0]
    ann, ben, night = (homes[who] for who in PEOPLE)
    assert ann("team", "role", "night", "operator").code == 0
    assert ann("team", "role", "ben", "viewer").code == 0
    assert ann("limit", "x", "60", "--reason", "night run").code == 0
    refused = ben("limit", "x", "90")
    assert (refused.code, refused.is_one_sentence()) == (1, True), refused.err
    assert {row["percent"] for row in ben("limit", "x", "--json").json["limits"]} == {60}

    with s3_door(s3_address) as door:
        # The bucket takes no part of the scheduler's, so it is still at it.
        door.refuse = lambda _, path, __: SLOW_DOWN if ".parquet" in path else None
        night.environ.update(environment(door.address))
        running = night.start("backup", "x", "--objects", "Account,Contact", "--json")
        clock = SystemClock()
        while not door.refused and running.process.poll() is None:
            clock.wait(0.05)
        overlapping = ann("backup", "x", "--objects", "Contact")
        running.process.kill()
        running.ended()
    assert overlapping.code == 2 and "already backing up Contact" in overlapping.err
    (job,) = ben("jobs", "--json").json
    assert (job["state"], job["interrupted"]) == ("running", True), job
    (done,) = ann("resume", "--all", "--json").json
    assert done["state"] == "completed", done
    assert done["objects"]["Contact"]["rows"] == len(records(org, "SELECT Id FROM Contact"))
    assert [s["snapshot"] for s in ben("snapshots", "x", "--json").json] == [done["snapshot"]]
    assert ben("verify", "x").code == 0
    whos = {line["who"].partition("(")[2].rstrip(")") for line in ben("audit", "--json").json}
    assert whos == {"ann", "ben", "night"}
    assert ben("audit", "verify").code == 0
