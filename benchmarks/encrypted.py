"""
What a store under a key of one's own costs: CPU seconds of the same commands on the same org, with it
and without it. Prints a table.

    python benchmarks/encrypted.py --rows 300000 --mb 500 --repeat 3

One backup reads contacts, another one large file; then all rows are exported, and the store is verified.
The commands of both stores take turns, so that a busy machine is as busy for the one as for the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from demo_process import DemoProcess, sfnb_command, sfnb_home, table
from large_file import IMAGE, send
from measured import Measure, measure

COMMANDS = {
    "backup of the rows": ("backup", "bench", "--objects", "Contact", "--no-files"),
    "backup of the file": ("backup", "bench", "--objects", "Project__c"),
    "export of the rows": ("export", "bench", "Contact", "--to", "rows.parquet"),
    "verify": ("verify", "bench"),
}


def run(folder: Path, org: DemoProcess, *, is_sealed: bool) -> dict[str, Measure]:
    """Each command once, on a new store."""
    environment = sfnb_home(folder / "home", org)
    if is_sealed:
        key = folder / "key"
        made = measure(
            sfnb_command("store", "encrypt", "--key-file", str(key)),
            environment=environment,
            folder=folder / "made",
        )
        if made.exit_code:
            sys.exit(f"sfnb store encrypt ended with {made.exit_code}")
        environment["SFNB_STORE_KEY_FILE"] = str(key)
    found = {}
    for name, words in COMMANDS.items():
        found[name] = measure(sfnb_command(*words), environment=environment, folder=folder / "run")
        if found[name].exit_code:
            sys.exit(f"{name} ended with {found[name].exit_code}: {found[name].output[-2000:]}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--mb", type=int, default=500, help="size of the file, 2047 at most")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rule = {"match": "richTextImageFields", "fault": "huge", "form": "line", "size": options.mb}
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        demo = [
            *("--size", "tiny", "--competitors", "off", "--max-calls", "1000000"),
            *(f"--objects=Contact={options.rows}", "--fault", json.dumps(rule)),
        ]
        with DemoProcess(work / "org", *demo) as org:
            query = "/services/data/v66.0/query?q=SELECT+Id+FROM+Project__c+LIMIT+1"
            record = send(org, "GET", query)["records"][0]["Id"]
            html = f'<img src="https://x.example/servlet/rtaImage?eid=1&amp;refid={IMAGE}">'
            path = f"/services/data/v66.0/sobjects/Project__c/{record}"
            send(org, "PATCH", path, {"Rich_Notes__c": html})
            runs = [
                {
                    kind: run(work / f"{kind}-{number}", org, is_sealed=kind == "sealed")
                    for kind in ("open", "sealed")
                }
                for number in range(options.repeat)
            ]
    rows = []
    for command in COMMANDS:
        cpu_s = {
            kind: statistics.median(one[kind][command].cpu_s for one in runs)
            for kind in ("open", "sealed")
        }
        peak_mb = max(one["sealed"][command].peak_mb for one in runs)
        rows.append({
            "what": command,
            "open, CPU s": f"{cpu_s['open']:.2f}",
            "under a key, CPU s": f"{cpu_s['sealed']:.2f}",
            "×": f"{cpu_s['sealed'] / cpu_s['open']:.2f}",
            "under a key, peak MB": f"{peak_mb:.0f}",
        })  # fmt: skip
    print(table(rows))


if __name__ == "__main__":
    main()
