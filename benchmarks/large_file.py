"""
Memory of a backup that fetches one large file: what a body of 2 GB costs at the peak.

    python benchmarks/large_file.py --mb 2000

The demo org sends the body of an image in a rich text, block by block, at a size that no record
announces.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from demo_process import DemoProcess, sfnb_command, sfnb_home
from measured import measure

IMAGE = "0EM7Q000000AbCd"


def send(org: DemoProcess, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {org.token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(org.url + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mb", type=int, default=2000, help="size of the file, 2047 at most")
    options = parser.parse_args()
    if not 1 <= options.mb <= 2047:
        parser.error("--mb is 1 or more, and 2047 at most")
    rule = {
        "match": "richTextImageFields",
        "fault": "huge",
        "form": "line",
        "size": options.mb,
    }
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        demo = ["--size", "tiny", "--competitors", "off", "--fault", json.dumps(rule)]
        with DemoProcess(work / "org", *demo) as org:
            found = send(
                org, "GET", "/services/data/v66.0/query?q=SELECT+Id+FROM+Project__c+LIMIT+1"
            )
            record = f"/services/data/v66.0/sobjects/Project__c/{found['records'][0]['Id']}"
            html = f'<img src="https://x.example/servlet/rtaImage?eid=1&amp;refid={IMAGE}">'
            send(org, "PATCH", record, {"Rich_Notes__c": html})
            took = measure(
                sfnb_command("backup", "bench", "--objects", "Project__c", "--json"),
                environment=sfnb_home(work / "home", org),
                folder=work / "run",
            )
    if took.exit_code:
        sys.exit(f"sfnb backup ended with {took.exit_code}: {took.output[-2000:]}")
    files = json.loads(took.output)["files"]
    print(
        f"{files['bytes'] / 1e6:,.0f} MB in {files['fetched']} file; {took.wall_s:.1f} s, "
        f"{took.cpu_s:.1f} CPU s, {took.peak_mb:.0f} MB at the peak."
    )


if __name__ == "__main__":
    main()
