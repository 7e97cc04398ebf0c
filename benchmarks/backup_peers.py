"""
One backup of N contacts by sfnb, by the floor, and by what people would take instead: time, CPU, memory, calls.

    python benchmarks/backup_peers.py --rows 1000000 --repeat 3

Every peer runs once before it is measured, so that the demo org has its results ready; then all run in turn,
``--repeat`` times, and the table has the medians. Ratios are to the floor of the same rounds. Peers that are not
installed are left out and named (see benchmarks/README.md), those that fail too. At the end sfnb's records are compared
with the floor's, value by value.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from demo_process import DemoProcess, sfnb_command, table
from measured import Measure, measure
from peer_commands import HERE, OBJECT, PEERS, Peer, Task

SLOW_FROM_ROWS = 200_000
"""Peers that take minutes for 100,000 rows are left out from here on."""

NEEDED = ("floor", "sfnb")
"""Without these there is no table."""


@dataclass(frozen=True)
class Run:
    """One measured run; ``calls`` as the org counted them."""

    took: Measure
    rows: int | None
    calls: int


class Failed(Exception):
    """A peer did not end well; one sentence."""


def run(peer: Peer, org: DemoProcess, folder: Path, peers: Path) -> Run:
    """
    Run a peer in an empty folder.

    Raises:
        Failed: it did not end well; a figure of a failed run is none.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = peer.job(Task(org, folder, peers))
    mark = org.mark()
    took = measure(
        job.command,
        environment=job.environment,
        folder=folder / "run",
        has_children=peer.has_children,
    )
    if took.exit_code:
        said = (
            (folder / "run" / "errors.txt")
            .read_text("utf-8", errors="replace")
            .strip()
            .splitlines()[-1:]
        )
        raise Failed(
            f"{peer.name}: ended with {took.exit_code} ({said[0] if said else 'it said nothing'})"
        )
    return Run(took, job.count(took), org.charged(mark))


def report(runs: Mapping[str, list[Run]]) -> str:
    """The table: medians, and each as a ratio to the floor's."""

    def middle(name: str, figure: Callable[[Run], float]) -> float:
        return median(figure(one) for one in runs[name])

    figures: dict[str, Callable[[Run], float]] = {
        "wall s": lambda one: one.took.wall_s,
        "CPU s": lambda one: one.took.cpu_s,
        "peak MB": lambda one: one.took.peak_mb,
        "calls": lambda one: one.calls,
    }
    rows = []
    for name, done in runs.items():
        row = {"peer": name, "rows": f"{done[-1].rows:,}" if done[-1].rows is not None else "?"}
        row["rows/s"] = f"{(done[-1].rows or 0) / middle(name, figures['wall s']):,.0f}"
        for title, figure in figures.items():
            own, floors = middle(name, figure), middle("floor", figure)
            row[title] = f"{own:.2f}" if title.endswith(" s") else f"{own:.0f}"
            if title != "calls":
                row[f"× ({title.split()[0]})"] = f"{own / floors:.2f}"
        rows.append(row)
    return table(rows)


def chosen_peers(names: str | None, peers: Path, rows: int) -> tuple[list[Peer], list[str]]:
    """Those to run, the floor first, and a reason for each of the others."""
    chosen, reasons = [], []
    wanted = [name.strip() for name in names.split(",")] if names else None
    for peer in PEERS:
        if (
            wanted is not None
            and peer.name != "floor"
            and not any(peer.name.startswith(name) for name in wanted)
        ):
            continue
        missing = [needed for needed in peer.needs if not (peers / needed).exists()]
        if missing:
            reasons.append(f"{peer.name}: not installed ({peers / missing[0]} is not there)")
        elif wanted is None and peer.is_slow and rows >= SLOW_FROM_ROWS:
            reasons.append(f"{peer.name}: too slow for {rows:,} rows")
        else:
            chosen.append(peer)
    return chosen, reasons


def compare(folder: Path) -> str:
    """What ``same_values.py`` says of the last runs of the floor and of sfnb."""
    exported = folder / "sfnb.parquet"
    environment = {**os.environ, "SFNB_HOME": str(folder / "sfnb" / "home")}
    export = sfnb_command("export", "bench", OBJECT, "--to", str(exported), "--force")
    subprocess.run(export, env=environment, check=True, capture_output=True)
    check = [
        sys.executable,
        str(HERE / "same_values.py"),
        str(folder / "floor" / "floor.parquet"),
        str(exported),
    ]
    ended = subprocess.run(check, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"sfnb's values are not the floor's: {ended.stderr.strip()}")
    return ended.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--only", help="beginnings of names, with commas: sfnb,aio-sf; the floor always runs"
    )
    default = os.environ.get("PEERS_HOME") or Path.home() / ".cache" / "sfnb-peers"
    parser.add_argument(
        "--peers", type=Path, default=Path(default), help="where the peers are installed"
    )
    parser.add_argument(
        "--no-compare", action="store_true", help="do not compare the values at the end"
    )
    options = parser.parse_args()
    if options.rows < 1 or options.repeat < 1:
        parser.error("--rows and --repeat are 1 or more")
    peers, reasons = chosen_peers(options.only, options.peers, options.rows)
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        began_s = time.monotonic()
        demo = ["--size", "tiny", "--objects", f"{OBJECT}={options.rows}", "--competitors", "off"]
        demo += ["--max-calls", "1000000", "--no-gzip", "--no-event-log"]
        demo += ["--client-id", "x", "--client-secret", "x", "--refresh-token", "x"]
        with DemoProcess(work / "org", *demo) as org:
            _say(
                f"demo org with {options.rows:,} contacts after {time.monotonic() - began_s:.0f} s"
            )
            runs: dict[str, list[Run]] = {peer.name: [] for peer in peers}
            for turn in range(options.repeat + 1):
                for peer in list(peers):
                    if turn == 0 and peer.is_slow:
                        continue  # what the org has to prepare is lost in its minutes
                    try:
                        done = run(peer, org, work / peer.name.split()[0], options.peers)
                    except Failed as err:
                        if peer.name in NEEDED:
                            raise SystemExit(str(err)) from None
                        reasons.append(str(err))
                        peers.remove(peer)
                        del runs[peer.name]
                        continue
                    _say(
                        f"{'warm-up' if turn == 0 else f'round {turn}'}: {peer.name} {done.took.wall_s:.2f} s"
                    )
                    if turn:
                        runs[peer.name].append(done)
            print(report(runs))
            if "sfnb" in runs and not options.no_compare:
                print(f"\nvalues: {compare(work)}")
    for reason in reasons:
        print(f"left out: {reason}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
