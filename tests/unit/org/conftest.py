"""Fixtures of the org room's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from sfnb.clock import FakeClock
from sfnb.memory import State, open_state
from sfnb.org.client import OrgClient
from sfnb.org.opening import Opener
from sfnb.org.session import Session
from sfnb.quota.gate import Gate
from sfnb.quota.policy import Rules
from sfnb.settings import OrgConfig, Settings
from tests.unit.org.scripted import ORG_ID, TOKEN, ScriptedOrg

# A test that is slow on a busy machine has not failed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def scripted() -> Iterator[ScriptedOrg]:
    server = ScriptedOrg()
    yield server
    server.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def state(tmp_path: Path, clock: FakeClock) -> Iterator[State]:
    opened = open_state(f"sqlite:///{(tmp_path / 'state.db').as_posix()}", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def org(
    scripted: ScriptedOrg,
    state: State,
    clock: FakeClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[OrgClient]:
    """An org at the scripted server, logged in with a token from the variable TOKEN."""
    monkeypatch.setenv("TOKEN", TOKEN)
    config = OrgConfig(
        "acme",
        "token",
        instance_url=scripted.url,
        secrets={"token": "env:TOKEN"},
        org_id=ORG_ID,
        header_lag_s=0,
    )
    settings = Settings(tmp_path, "", "", orgs={"acme": config})
    opened = OrgClient(
        config.name,
        Session(scripted.url, TOKEN, ORG_ID),
        renewal=Opener(settings, config, clock),
        api_version="66.0",
        gate=Gate(state.ledger, ORG_ID, clock=clock, rules=Rules(header_lag_s=0)),
        clock=clock,
    )
    yield opened
    opened.close()


@pytest.fixture
def used(org: OrgClient) -> Callable[[], int]:
    """What the gate believes to be used of ``api``."""
    return lambda: org.gate.standing()["api"].used
