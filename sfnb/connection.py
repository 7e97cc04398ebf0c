"""An org as people hold it in a notebook: its API, its limits, its snapshots, and what remembers them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from sfnb.clock import Clock, SystemClock
from sfnb.model import Api, BudgetStatus
from sfnb.org.client import OrgClient
from sfnb.org.opening import open_client
from sfnb.settings import Settings, load_settings
from sfnb.state.database import State, open_state
from sfnb.store.tables import OrgStore, open_store

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce

    from sfnb.store.snapshots import Snapshots


class Connection:
    """
    A connected org. Use it as a context manager, or `close` it.

    Attributes:
        client: every call to Salesforce, through the gate.
        state: limits, audit log, jobs, usage.
        store: the org's tables and snapshots.
    """

    def __init__(
        self, client: OrgClient, *, settings: Settings, state: State, store: OrgStore, clock: Clock
    ) -> None:
        self.client = client
        self.settings = settings
        self.state = state
        self.store = store
        self.clock = clock
        self._open = ExitStack()

    @property
    def name(self) -> str:
        return self.client.name

    @property
    def org_id(self) -> str:
        return self.client.org_id

    @property
    def sf(self) -> Salesforce:
        """A simple-salesforce client whose calls pass the gate, as the jobs' calls do."""
        return self.client.sf

    @property
    def snapshots(self) -> Snapshots:
        """What backups have stored: ``org.snapshots["latest"].frame("Account")``."""
        return self.store.snapshots

    def limits(self) -> dict[Api, BudgetStatus]:
        """Where each budget stands after asking the org. Cost: one call."""
        self.client.limits()
        return self.client.gate.standing()

    def close(self) -> None:
        """Give back connections. What is stored stays."""
        self.client.close()
        self._open.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_exc: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<org {self.name} ({self.org_id})>"


def connect(
    name: str, *, settings: Settings | None = None, clock: Clock | None = None
) -> Connection:
    """
    The org registered as ``name`` (`sfnb org add`), logged in.

    Raises:
        CallerError: no org has that name.
        LoginError: the org refused the login or could not be reached.
    """
    settings = settings or load_settings()
    clock = clock or SystemClock()
    with ExitStack() as undo:
        state = open_state(settings.state_url, clock=clock)
        undo.callback(state.close)
        client = open_client(settings, name, state=state, clock=clock)
        store = open_store(settings.store_root).org(client.org_id)
        connection = Connection(client, settings=settings, state=state, store=store, clock=clock)
        connection._open = undo.pop_all()
    return connection
