"""
The schedule's figures.

``start``: seconds from `sfnb schedule serve` to the first call at the org, of a command that was due.
``campaign``: a simulated time with kills of the service, on a fast clock; with ``--url`` in any
database, else in SQLite.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def start_s() -> tuple[float, float]:
    """One start, until the org's port is connected to: seconds, and CPU time of both processes."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as org:
        org.settimeout(120)
        url = f"http://127.0.0.1:{org.getsockname()[1]}"
        env = {**os.environ, "SFNB_HOME": folder, "X_TOKEN": "00D!x", "PYTHONPATH": str(ROOT)}
        sfnb = [sys.executable, "-P", "-m", "sfnb"]
        for words in (
            [
                "org",
                "add",
                "x",
                "--no-check",
                "--instance-url",
                url,
                "--access-token-env",
                "X_TOKEN",
            ],
            ["schedule", "add", "due", "--cron", "* * * * * *", "--", "usage", "sample", "x"],
        ):
            subprocess.run([*sfnb, *words], env=env, check=True, stdout=subprocess.DEVNULL)
        time.sleep(1.1)  # it is due when the service starts
        began_s = time.monotonic()
        serve = [*sfnb, "schedule", "serve", "--port", "0"]
        service = subprocess.Popen(serve, env=env, stderr=subprocess.DEVNULL)
        try:
            caller, _ = org.accept()
            took_s = time.monotonic() - began_s
            whole = psutil.Process(service.pid)
            spent = [one.cpu_times() for one in (whole, *whole.children(recursive=True))]
            cpu_s = sum(one.user + one.system for one in spent)
            caller.close()
        finally:
            org.close()
            service.terminate()
            service.wait(60)
        return took_s, cpu_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["start", "campaign"])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--real-s", type=float, default=300.0)
    parser.add_argument("--entries", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", help="A state database; it should be empty.")
    asked = parser.parse_args()
    if asked.what == "start":
        took, cpu = zip(*(start_s() for _ in range(asked.repeat)), strict=True)
        print(
            f"start to first call: median {statistics.median(took):.2f} s, worst {max(took):.2f} s; "
            f"CPU time {statistics.median(cpu):.2f} s"
        )
        return
    from tests.schedule_campaign import campaign, lines

    few = asked.entries // 10
    with tempfile.TemporaryDirectory() as folder:
        outcome = campaign(
            asked.url or f"sqlite:///{Path(folder) / 'state.db'}",
            lines(few, few, asked.entries - 2 * few),
            days=asked.days,
            real_s=asked.real_s,
            kills=asked.kills,
            seed=asked.seed,
        )
    caught_up = sum(run.covered_by is not None for run in outcome.runs)
    refused = sum("refused" in run.note for run in outcome.runs)
    print(
        f"{asked.entries} entries, {asked.days} days, {outcome.kills} kills: "
        f"{len(outcome.expected)} due times, {len(outcome.runs)} lines, "
        f"{sum(outcome.ran.values())} attempts, {sum(outcome.paused.values())} of them paused, "
        f"{caught_up} caught up, {refused} refused; {outcome.lost} lost, {outcome.doubled} doubled"
    )
    sys.exit(bool(outcome.lost or outcome.doubled))


if __name__ == "__main__":
    main()
