"""
CPU time until sfnb answers: imports, `sfnb --help`, `sfnb jobs`, and `sfnb backup` until its first call.

``--against CHECKOUT`` measures another version of sfnb by turns in the same run, and prints the ratio.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

ROOT = Path(__file__).resolve().parent.parent

SFNB = "from sfnb.cli import main; main()"
UNTIL_FIRST_CALL = """
import os, sys, time

def first_call(event, arguments):
    if event == "socket.connect":
        print("CPU", time.process_time(), flush=True)
        os._exit(0)

sys.addaudithook(first_call)
"""

WAYS: dict[str, tuple[str, list[str], float]] = {
    "python alone": ("", [], 0.0),
    "import sfnb": ("import sfnb", [], 0.3),
    "sfnb --help": (SFNB, ["--help"], 0.4),
    "sfnb jobs": (SFNB, ["jobs"], 0.4),
    "sfnb backup, until its first call": (UNTIL_FIRST_CALL + SFNB, ["backup", "x"], 0.8),
}
"""What is measured: the program, its arguments, and how many seconds it may take."""


def cpu_s(checkout: Path, home: str, way: str) -> float:
    """User and system time of one run, to its end or to its first call."""
    code, arguments, _ = WAYS[way]
    env = {**os.environ, "PYTHONPATH": str(checkout), "SFNB_HOME": home, "X_TOKEN": "00D!x"}
    # -P: the version in PYTHONPATH, not the one in this folder
    command = [sys.executable, "-P", "-c", code, *arguments]
    before = getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(command, env=env, text=True, capture_output=True, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    if found := re.search(r"^CPU (\S+)", done.stdout, re.MULTILINE):
        return float(found[1])
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def prepare(checkout: Path, home: str) -> None:
    """An org that nobody serves, and a state database that is up to date."""
    add = ["org", "add", "x", "--no-check", "--instance-url", "http://127.0.0.1:9"]
    for command in ([*add, "--access-token-env", "X_TOKEN"], ["jobs"]):
        env = {**os.environ, "PYTHONPATH": str(checkout), "SFNB_HOME": home}
        sfnb = [sys.executable, "-P", "-m", "sfnb", *command]
        subprocess.run(sfnb, env=env, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    options = parser.parse_args()
    checkouts = [ROOT, *([options.against] if options.against else [])]
    with tempfile.TemporaryDirectory() as folder:
        homes = [str(Path(folder) / str(n)) for n in range(len(checkouts))]
        for checkout, home in zip(checkouts, homes, strict=True):
            prepare(checkout, home)
        print(
            f"| {'what':33} | at most | CPU s, median |  least |"
            + " before | × |" * bool(checkouts[1:])
        )
        print(
            f"|{'-' * 35}|--------:|--------------:|-------:|"
            + "-------:|--:|" * bool(checkouts[1:])
        )
        for way, (*_, most) in WAYS.items():
            # By turns, so that a busy moment of the machine meets both versions alike.
            runs = [
                [
                    cpu_s(checkout, home, way)
                    for checkout, home in zip(checkouts, homes, strict=True)
                ]
                for _ in range(options.repeat)
            ]
            now, *before = (list(times) for times in zip(*runs, strict=True))
            line = (
                f"| {way:33} | {most or '':7} | {statistics.median(now):13.2f} | {min(now):6.2f} |"
            )
            for times in before:
                median = statistics.median(times)
                line += f" {median:6.2f} | {statistics.median(now) / median:.2f} |"
            print(line, flush=True)


if __name__ == "__main__":
    main()
