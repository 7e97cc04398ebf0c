"""A dashboard in this process, over a home with two orgs that nobody can reach."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from sfnb.dashboard.parts import PartMaker
from sfnb.dashboard.server import serve
from sfnb.installation import Installation
from sfnb.settings import OrgConfig, load_settings, put_org

ORG_ID = "00D000000000001AAA"


@dataclass
class Dashboard:
    """Where it listens, and its key."""

    address: str
    makes: PartMaker

    @property
    def origin(self) -> str:
        return self.address.split("/?")[0]

    def let_in(self) -> requests.Session:
        """A browser that was given the address with the token."""
        session = requests.Session()
        assert session.get(self.address, timeout=30).status_code == 200
        return session


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """A home of the test's own, with the orgs ``north`` and ``south``."""
    monkeypatch.setenv("SFNB_HOME", str(tmp_path / "home"))
    settings = load_settings()
    for name in ("north", "south"):
        # Port 9 (discard) is open nowhere: the org cannot be reached, at once.
        config = OrgConfig(
            name,
            "token",
            instance_url="http://127.0.0.1:9",
            secrets={"token": "env:SFNB_HOME"},
            org_id=ORG_ID,
        )
        settings = put_org(settings, config)
    with Installation(settings) as opened:
        yield opened


@pytest.fixture
def dashboard(installation: Installation) -> Iterator[Dashboard]:
    """A dashboard that is served."""
    makes = PartMaker(installation)
    addresses: queue.Queue[str] = queue.Queue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(serve(makes, port=0, ready=addresses.put))

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield Dashboard(addresses.get(timeout=30), makes)
    loop.call_soon_threadsafe(task.cancel)
    thread.join(30)
