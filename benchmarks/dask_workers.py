"""
What a second worker of a Dask cluster brings, and what asking the coordinator costs a call. Prints tables.

    python benchmarks/dask_workers.py --rows 12000 --late 1

The demo org, the scheduler, the coordinator and the workers share this machine's cores. With ``--late``
each result page comes so many seconds later, as it does from an org that works on it or is far away:
then the cores wait, and the org is not what the workers wait for each other at.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sfnb import engine
from sfnb.backup import plan
from sfnb.backup.cluster.far import Line
from sfnb.engine import backup
from sfnb.installation import connect
from sfnb_demo.process import start as start_org
from tests.conftest import RunningOrg
from tests.contracts.dask_cluster import DaskCluster
from tests.faults.conftest import settings_for

OBJECTS = ("Account", "Contact", "Case", "Lead")


class Echo:
    """A job that answers at once."""

    def answer(self, *question: Any) -> Any:
        return question[2]

    def came(self, worker: str, threads: int) -> None: ...

    def gone(self, worker: str) -> None: ...


def ask(coordinator: str, count: int) -> list[float]:
    """Runs on a worker: milliseconds of so many questions, one after another."""
    from distributed import get_worker

    line, found = Line(get_worker(), coordinator, "benchmark"), []
    for number in range(count):
        began_s = time.perf_counter()
        line.ask("echo", number)
        found.append((time.perf_counter() - began_s) * 1000)
    return found


def questions(there: Any, address: str, count: int) -> tuple[float, float]:
    """Milliseconds of a worker's question to the coordinator and back: median, 95th of a hundred."""
    with engine.cluster(there, address) as cluster:
        cluster.take(Echo())
        client = cluster.client
        client.submit(ask, client.id, 5, pure=False).result()
        times = client.submit(ask, client.id, count, pure=False).result()
        cluster.leave()
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def extraction(org: RunningOrg, home: Path, address: str | None) -> dict[str, Any]:
    """One full backup in a fresh home: its summary, and the seconds it took to read."""
    with connect("demo", settings=settings_for(org, home)) as there:
        request = backup(objects=OBJECTS, files=False, metadata=False)
        if address is None:
            began_s = time.perf_counter()
            summary = engine.run(there, request, workers=1)
        else:
            with engine.cluster(there, address) as cluster:
                began_s = time.perf_counter()
                summary = engine.run(there, request, executor=cluster)
        return {**summary, "took_s": time.perf_counter() - began_s}


def table(found: Mapping[str, dict[str, Any]], base: str) -> str:
    lines = [
        "| units on | workers | rows | wall s | rows/s | × one worker |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, one in found.items():
        rate, least = one["rows"] / one["took_s"], found[base]["took_s"]
        lines.append(
            f"| {name} | {one.get('workers', 1)} | {one['rows']:,} | {one['took_s']:.1f} "
            f"| {rate:,.0f} | {least / one['took_s']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=12_000, help="of each of four objects")
    parser.add_argument("--pages", type=int, default=4, help="result pages of an object")
    parser.add_argument("--late", type=float, default=1.0, help="seconds more for each result page")
    parser.add_argument("--questions", type=int, default=200)
    options = parser.parse_args()
    plan.BULK_PAGE_ROWS = -(-options.rows // options.pages)
    plan.BULK_FROM_ROWS = min(plan.BULK_FROM_ROWS, options.rows // 2)
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-") as name:
        folder = Path(name)
        sizes = [f"--objects={one}={options.rows}" for one in OBJECTS]
        process, ready = start_org(
            folder / "org", "--size", "tiny", "--competitors", "off", "--bulk-job-s", "0",
            "--max-calls", "1000000", "--minutes-per-second", "0",
            "--header-lag-s", "0", *sizes, ready_s=300,
        )  # fmt: skip
        org, cluster = RunningOrg(**ready), DaskCluster(folder / "cluster")
        try:
            if options.late:
                org.fail(fault="late_answer", match="/results", seconds=options.late)
            cluster.add("first")
            found = {"a thread of the coordinator": extraction(org, folder / "zero", None)}
            found["one Dask worker"] = extraction(org, folder / "one", cluster.address)
            cluster.add("second")
            found["two Dask workers"] = extraction(org, folder / "two", cluster.address)
            print(table(found, "one Dask worker"))
            with connect("demo", settings=settings_for(org, folder / "two")) as there:
                middle, high = questions(there, cluster.address, options.questions)
            print(f"\nA worker's question: median {middle:.1f} ms, 95 of 100 within {high:.1f} ms.")
        finally:
            cluster.close()
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
