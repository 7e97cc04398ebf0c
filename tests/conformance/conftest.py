"""A demo org of the conformance suite's own, in another process, that real clients may write to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import RunningOrg, left_out, run_process
from tools.clients import Clients, Missing, find_clients

CONTACTS = 4_400


@pytest.fixture(scope="session")
def living_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    """
    Tiny but for its contacts, which fill more than two pages of a query; soft limit, no other apps.

    The limit header is exact, since clients' readings of it are compared with ``/limits``. Tests
    make records of their own, and leave those of the org as they are.
    """
    folder = tmp_path_factory.mktemp("living-org")
    shape = ("--size", "tiny", "--objects", f"Contact={CONTACTS}", "--competitors", "off")
    process, org = run_process(
        folder, *shape, "--max-calls", "5000000", "--soft", "--header-lag-s", "0"
    )
    try:
        yield org
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def clients() -> Clients:
    """
    jsforce and sf with a Node that runs them. Their tests are skipped only where they are not
    installed.
    """
    try:
        return find_clients()
    except Missing as reason:
        left_out(f"the clients from npm are not here: {reason}")
