"""Fixtures that need a running demo org."""

from __future__ import annotations

import ast
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
from hypothesis import HealthCheck, settings

from sfnb_demo.data.database import Database
from sfnb_demo.process import start as start_process
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer

if sys.version_info < (3, 11, 8):
    # Up to 3.11.7 all threads count the depth of trees in one place, so two that parse at once end
    # with "AST constructor recursion depth mismatch" (gh-106905). Hypothesis and pytest parse
    # sources, and Hypothesis' callback of the garbage collector lets another thread in between.
    _parsing, _parse = threading.RLock(), ast.parse

    @functools.wraps(_parse)
    def _parse_alone(*arguments: Any, **options: Any) -> Any:
        with _parsing:
            return _parse(*arguments, **options)

    ast.parse = _parse_alone  # type: ignore[assignment]

READY_S = 90.0

# A machine that is busy makes an example slow, and no example wrong.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

LAB = "browser with a lab"
DASHBOARD = "browser with a dashboard"
CLIENTS = "clients of others"

TOGETHER = {
    "browser/test_accessibility.py": LAB,
    "browser/test_job_panel.py": LAB,
    "browser/test_limit_slider.py": LAB,
    "browser/test_dashboard.py": DASHBOARD,
    "browser/test_headless.py": DASHBOARD,
    "browser/test_report.py": DASHBOARD,
    "conformance/test_jsforce.py": CLIENTS,
    "conformance/test_sf.py": CLIENTS,
    "conformance/test_sf_writes.py": CLIENTS,
    "conformance/test_simple_salesforce.py": CLIENTS,
    "conformance/test_singer.py": CLIENTS,
}
"""
Files that one worker runs, because they share what takes long to start: a JupyterLab with its kernel,
a home with its demo org, an org of thousands of contacts. All others are by themselves.
"""

LONG = (
    LAB,
    DASHBOARD,
    CLIENTS,
    "faults/test_backup_faults.py",
    "contracts/test_cli.py",
    "contracts/test_cli_run.py",
    "faults/test_field_cases_reading.py",
    "faults/test_healing.py",
    "faults/test_incremental.py",
    "contracts/test_dask_shared.py",
    "contracts/test_dask.py",
    "contracts/test_executors.py",
    "contracts/test_history_json.py",
    "faults/test_incremental_machine.py",
    "faults/test_restore_campaign.py",
    "contracts/test_restore_plan.py",
    "contracts/test_archive.py",
    "contracts/test_schedule_kills.py",
    "faults/test_cancel.py",
    "contracts/test_gate.py",
    "faults/test_store_damage.py",
    "faults/test_kill.py",
    "faults/test_bodies.py",
    "faults/test_lean_orgs.py",
    "faults/test_incremental_refresh.py",
    "contracts/test_usage_history.py",
    "faults/test_kill_after_rows.py",
    "faults/test_gate_processes.py",
    "store/upgrade/test_upgrade.py",
)
"""
What takes long, the longest first: what is begun last would leave the other workers with nothing to
do.
"""


def left_out(why: str) -> NoReturn:
    """
    Leave a test out for want of a browser, a database or another client. Where all of these are
    (``tools/test.py`` looks, in CI above all), that is a failure.
    """
    if os.environ.get("SFNB_TEST_ALL"):
        pytest.fail(f"what this test wants is installed, and yet: {why}")
    pytest.skip(why)


class _SayFailuresAtOnce:
    """Prints a failure when it happens: a run that is stopped from outside has no summary."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.write_line(f"\nFAILED {report.when} of {report.nodeid}")
            self._terminal.write_line(report.longreprtext[-4000:])


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Only where reports are printed: xdist's workers have no terminal."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_SayFailuresAtOnce(terminal))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long groups first; see ``tools/test.py``."""
    order = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(_group(item.nodeid), len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """``--dist loadfile`` keeps together what ``TOGETHER`` names, too."""
    from xdist.scheduler import LoadFileScheduling

    class ByGroup(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return ByGroup(config, log) if config.getvalue("dist") == "loadfile" else None


def _group(nodeid: str) -> str:
    file = nodeid.split("::", 1)[0].removeprefix("tests/").removeprefix("unit/")
    return TOGETHER.get(file, file)


@dataclass(frozen=True)
class RunningOrg:
    """
    A demo org that answers: what its ready file says, and its control endpoint.

    ``server`` is set when it runs in this process, so that a test may look inside.
    """

    url: str
    https_url: str
    ca_file: str
    org_id: str
    username: str
    password: str
    security_token: str
    client_id: str
    client_secret: str
    jwt_private_key_file: str
    refresh_token: str
    access_token: str
    limited_username: str
    pid: int
    control_token: str
    server: DemoServer | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}

    def headers_of(self, username: str) -> dict[str, str]:
        """The headers of a new session of another user; all have the same password."""
        form = {
            "grant_type": "password",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "username": username,
            "password": self.password,
        }
        answer = requests.post(f"{self.url}/services/oauth2/token", data=form, timeout=60)
        assert answer.ok, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def control(self, path: str, body: Any = None, *, method: str | None = None) -> dict[str, Any]:
        """Call ``/control/{path}``; POST when there is a body, GET otherwise. Fails the test on an error."""
        answer = requests.request(
            method or ("GET" if body is None else "POST"),
            f"{self.url}/control/{path}",
            json=body,
            headers={"X-Demo-Control": self.control_token},
            timeout=60,
        )
        assert answer.ok, answer.text
        return dict(answer.json())

    def ledger(
        self, *, after: int = 0, threshold: int | None = None, calls: bool = False
    ) -> dict[str, Any]:
        """The org's truth about the calls it received since call number ``after``."""
        query = f"ledger?after={after}" + (
            f"&threshold={threshold}" if threshold is not None else ""
        )
        return self.control(query + ("&calls=1" if calls else ""))

    def mark(self) -> int:
        """The number of the last call, for ``ledger(after=…)``."""
        return int(self.control("status")["last_call"])

    def fail(self, **rule: Any) -> None:
        """Script a fault; see ``sfnb_demo.server.faults``."""
        self.control("faults", rule)

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET a path with the org's access token."""
        headers = self.headers | options.pop("headers", {})
        return requests.get(self.url + path, headers=headers, timeout=60, **options)

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = self.headers | options.pop("headers", {})
        return requests.request(method, self.url + path, headers=headers, timeout=60, **options)


def run_process(folder: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], RunningOrg]:
    """Start ``python -m sfnb_demo serve`` and wait until it answers."""
    process, ready = start_process(folder, *arguments, ready_s=READY_S)
    return process, RunningOrg(**ready)


@pytest.fixture(scope="session")
def demo_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    """
    One demo org in its own process for the whole session: tiny, soft limit of 5,000,000 calls, no other apps.

    For reading. Tests that script faults, change data or count calls from zero take ``fresh_org``.
    """
    folder = tmp_path_factory.mktemp("demo-org")
    process, org = run_process(
        folder,
        "--size",
        "tiny",
        "--competitors",
        "off",
        "--max-calls",
        "5000000",
        "--minutes-per-second",
        "1",
    )
    try:
        yield org
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def tiny_database() -> Iterator[Database]:
    """The rows of a tiny org, made once for all ``fresh_org`` that only read."""
    database = Database(size="tiny", clock=lambda: datetime.now(UTC))
    yield database
    database.close()


@pytest.fixture
def fresh_org(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., RunningOrg]]:
    """
    A factory of demo orgs of the test's own, in this process; ``Options`` as keywords.

    Without options: tiny, hard limit of 15,000 calls, no other apps, a clock that stands still until
    it is advanced, Bulk jobs that take no simulated time, and an exact limit header: the header's age
    is measured on the org's clock, so on one that stands still its number would never move. Tests
    about the age say ``header_lag_s``. Orgs of the default data share it, so a test that writes rows
    says ``own_data=True``.
    """
    with ExitStack() as stack:
        numbers = iter(range(1000))

        def start(*, own_data: bool = False, **options: Any) -> RunningOrg:
            chosen = {
                "size": "tiny",
                "competitors": "off",
                "minutes_per_second": 0.0,
                "bulk_job_s": 0.0,
                "header_lag_s": 0.0,
            } | options
            folder = tmp_path / f"demo-org-{next(numbers)}"
            is_default = not own_data and not {
                "size",
                "seed",
                "objects",
                "empty_objects",
                "has_oddities",
                "has_hourly_logs",
                "features",
                "start_at",
                "replication_days",
            } & set(options)
            database = request.getfixturevalue("tiny_database") if is_default else None
            server = stack.enter_context(DemoServer(Options(**chosen), folder, database=database))
            return RunningOrg(**server.ready(), server=server)

        yield start
