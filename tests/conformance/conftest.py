"""A demo org of the conformance suite's own, in another process, that real clients may write to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import RunningOrg, run_process


@pytest.fixture(scope="session")
def living_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    """Tiny, soft limit, no other apps. Tests make records of their own, and leave those of the org as they are."""
    folder = tmp_path_factory.mktemp("living-org")
    process, org = run_process(folder, "--size", "tiny", "--competitors", "off", "--max-calls", "5000000", "--soft")
    try:
        yield org
    finally:
        process.terminate()
        process.wait(timeout=30)
