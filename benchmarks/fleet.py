"""
The view of many orgs: backs up so many demo orgs one after another, gives each a past, and measures
`sfnb fleet` when none of them runs any more. Prints a table.

    python benchmarks/fleet.py --orgs 100

The past: a reading each quarter of an hour and a backup each night. No call can be made meanwhile.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from measured import measure
from sqlalchemy import delete, insert

from sfnb import engine
from sfnb.engine import backup
from sfnb.fleet import fleet_of
from sfnb.installation import Installation
from sfnb.memory import State
from sfnb.model import JobState
from sfnb.settings import OrgConfig, Settings, put_org
from sfnb.state import schema
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for


def back_up(number: int, folder: Path, home: Path) -> OrgConfig:
    """A demo org that is started, backed up and stopped; as it is registered."""
    options = Options(
        size="tiny", seed=number, objects={"Contact": 20}, competitors="off",
        minutes_per_second=0.0, header_lag_s=0.0,
    )  # fmt: skip
    with DemoServer(options, folder / f"org{number}") as server:
        org = RunningOrg(**server.ready(), server=server)
        settings = settings_for(org, home)
        config = replace(settings.org("demo"), name=f"org{number:03}")
        settings = replace(settings, orgs={config.name: config})
        with Installation(settings) as here, here.connect(config.name) as there:
            engine.run(there, backup(objects=["Account"], files=False, metadata=False))
        return config


def give_past(state: State, config: OrgConfig, number: int, days: int, now: datetime) -> None:
    """Readings of so many days that go up and down with the day, and a backup each night."""
    name, org_id = config.name, config.org_id
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    samples = []
    for back in range(days * 96):
        at = quarter - timedelta(minutes=15 * back + 15)
        wave = math.sin(2 * math.pi * (at.hour + at.minute / 60 + number) / 24)
        samples.append({
            "org_id": org_id, "api": "api", "minute_at": at, "at": at, "source": "limits",
            "used": round(6_000 + 3_000 * wave + 20 * number), "max": 15_000,
        })  # fmt: skip
    jobs = [
        {
            "job_id": f"{number:04x}{night:04x}", "kind": "backup", "org": name, "org_id": org_id,
            "state": JobState.FAILED if night < number % 3 else JobState.COMPLETED, "options": {},
            "snapshot": f"s{night}", "started_at": now - timedelta(days=night, hours=5), "rows": 1,
            "ended_at": now - timedelta(days=night, hours=4), "outcome": {"schema": [], "warnings": []},
        }
        for night in range(days)
    ]  # fmt: skip
    calls = [
        {"org_id": org_id, "api": "api", "minute_at": job["started_at"], "job_id": job["job_id"],
         "object": "Account", "calls": 200}
        for job in jobs
    ]  # fmt: skip
    gauge = {
        "org_id": org_id, "api": "api", "used": samples[0]["used"], "max": 15_000, "own": 0,
        "since": now, "heard_from": now, "read_at": now, "is_known": True, "missing_at": None,
    }  # fmt: skip
    with state.database.write() as connection:
        connection.execute(delete(schema.gauges).where(schema.gauges.c.org_id == org_id))
        connection.execute(insert(schema.gauges), gauge)
        for table, rows in ((schema.samples, samples), (schema.jobs, jobs), (schema.calls, calls)):
            connection.execute(insert(table), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orgs", type=int, default=100)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--real", type=int, default=None, help="orgs that are real demo orgs; all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-") as name:
        folder = Path(name)
        home = folder / "home"
        settings = Settings(
            home, f"sqlite:///{(home / 'state.db').as_posix()}", str(home / "store")
        )
        real = options.orgs if options.real is None else options.real
        for number in range(options.orgs):
            org_id = f"00D{number:012}AAA"
            config = OrgConfig(f"org{number:03}", "token", "https://gone.example", org_id=org_id)
            if number < real:
                config = back_up(number, folder, home)
            home.mkdir(parents=True, exist_ok=True)
            settings = put_org(settings, config)
            with Installation(settings) as here:
                now = here.clock.now()
                give_past(here.state, config, number, options.days, now)
        with Installation(settings) as here:
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            found = fleet_of(here)
            first_s, first_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
            began_s = time.perf_counter()
            fleet_of(here)
            again_s = time.perf_counter() - began_s
        ran = measure(
            [sys.executable, "-m", "sfnb", "fleet"],
            environment={**os.environ, "SFNB_HOME": str(home)},
            folder=folder / "command",
        )
        if ran.exit_code:
            raise SystemExit(ran.output)
        print(
            "| orgs | readings | jobs | view s | its CPU s | again s | `sfnb fleet` s | its CPU s |"
        )
        print("|--:|--:|--:|--:|--:|--:|--:|--:|")
        print(
            f"| {len(found)} | {options.orgs * options.days * 96:,} | {options.orgs * options.days:,} "
            f"| {first_s:.2f} | {first_cpu_s:.2f} | {again_s:.2f} | {ran.wall_s:.2f} | {ran.cpu_s:.2f} |"
        )
        foreseen = sum(org.next_pause_at is not None for org in found)
        print(f"\n{foreseen} pauses foreseen; the worst: {ran.output.splitlines()[1]}")


if __name__ == "__main__":
    main()
