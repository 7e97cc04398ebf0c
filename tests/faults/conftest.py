"""A demo org that is also registered with sfnb, and a clock that both share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sfnb.clock import Clock, FakeClock, SystemClock
from sfnb.connection import Connection
from sfnb.installation import connect
from sfnb.settings import OrgConfig, Settings
from tests.conftest import RunningOrg


class SharedClock(FakeClock):
    """Waiting takes no time; the demo org's clock moves along."""

    def __init__(self, org: RunningOrg) -> None:
        super().__init__()
        self._org = org

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        if self._org.server is not None:
            self._org.server.org.clock.advance(seconds / 60)
        return super().wait(seconds, stop)


def settings_for(org: RunningOrg, home: Path, *, header_lag_s: float = 0) -> Settings:
    home.mkdir(parents=True, exist_ok=True)
    secret = home / "token"
    secret.write_text(org.access_token)
    config = OrgConfig(
        name="demo",
        login="token",
        instance_url=org.url,
        secrets={"token": f"file:{secret}"},
        org_id=org.org_id,
        header_lag_s=header_lag_s,
    )
    return Settings(
        home=home,
        state_url=f"sqlite:///{(home / 'state.db').as_posix()}",
        store_root=str(home / "store"),
        orgs={"demo": config},
    )


@pytest.fixture(autouse=True)
def seldom_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A paused job looks at the state database every simulated minute, so that a day passes in a second."""
    for module in ("loop", "waiting"):
        monkeypatch.setattr(f"sfnb.jobs.{module}.LOOK_S", 60.0)


Connector = Callable[..., Connection]


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[Connector]:
    """Connects sfnb to a demo org; each home is an installation of its own."""
    with ExitStack() as stack:

        def start(
            org: RunningOrg, *, home: str = "home", clock: Clock | None = None, **changes: Any
        ) -> Connection:
            settings = settings_for(org, tmp_path / home, **changes)
            connection = connect("demo", settings=settings, clock=clock or SystemClock())
            return stack.enter_context(connection)

        yield start
