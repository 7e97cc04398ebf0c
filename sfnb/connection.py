"""An org as people hold it in a notebook: its API, its limits, its snapshots, and what remembers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sfnb.clock import Clock
from sfnb.memory import State
from sfnb.model import Api, BudgetStatus
from sfnb.org.client import OrgClient
from sfnb.org.ids import to18
from sfnb.quota.gate import Gate
from sfnb.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from simple_salesforce.api import Salesforce

    from sfnb.store.archived import Archives
    from sfnb.store.history.diff import Diff
    from sfnb.store.snapshots import Snapshots
    from sfnb.store.tables import OrgStore


class Connection:
    """
    A connected org. Use it as a context manager, or `close` it.

    Attributes:
        client: every call to Salesforce, through the gate.
        state: limits, audit log, jobs, usage.
    """

    def __init__(
        self, client: OrgClient, *, settings: Settings, state: State, clock: Clock
    ) -> None:
        self.client = client
        self.settings = settings
        self.state = state
        self.clock = clock
        self._open = ExitStack()

    @property
    def name(self) -> str:
        return self.client.name

    @property
    def org_id(self) -> str:
        return self.client.org_id

    @property
    def gate(self) -> Gate:
        """What every call to the org passes."""
        return self.client.gate

    @property
    def sf(self) -> Salesforce:
        """A simple-salesforce client whose calls pass the gate, as the jobs' calls do."""
        return self.client.sf

    @cached_property
    def store(self) -> OrgStore:
        """The org's tables and snapshots. Their libraries load here, not before the first call."""
        from sfnb.store.tables import open_store

        return open_store(self.settings.store_root, clock=self.clock).org(self.org_id)

    @property
    def snapshots(self) -> Snapshots:
        """What backups have stored: ``org.snapshots["latest"].frame("Account")``."""
        return self.store.snapshots

    @property
    def archives(self) -> Archives:
        """What archives have taken out of the org: ``org.archives.frame("Case")``, ``.sql(…)``."""
        from sfnb.store.archived import Archives

        return Archives(self.store.files)

    def diff(
        self, old: str, new: str, *, objects: Sequence[str] | None = None, stamps: bool = False
    ) -> Diff:
        """
        What became of the records between two snapshots: ``.frame()`` has the counts,
        ``.changes("Account")`` each change. Costs no API calls.

        Args:
            old, new: a snapshot's id, the beginning of one, or ``latest``.
            objects: names to compare; None: all.
            stamps: compare SystemModstamp, LastModifiedDate and LastModifiedById, too.

        Raises:
            CallerError: there is no such snapshot or object.
        """
        from sfnb.store.history.diff import diff

        return diff(self.snapshots, old, new, objects=objects, stamps=stamps)

    def history(self, object_name: str, record_id: str) -> pd.DataFrame:
        """
        One record's versions as a frame (``store.history.record.history_frame``). Costs no API calls.

        Args:
            record_id: 15 or 18 characters.

        Raises:
            CallerError: nothing is stored of it.
        """
        from sfnb.store.history.record import history_frame, record_history

        return history_frame(
            record_history(self.store.files, self.snapshots, object_name, to18(record_id))
        )

    def limits(self) -> dict[Api, BudgetStatus]:
        """Where each budget stands after asking the org. Cost: one call."""
        self.client.limits()
        return self.budgets()

    def budgets(self, *, kind: str = "") -> dict[Api, BudgetStatus]:
        """
        Where each budget stands by the org's last reading, by the limits of this kind of work.
        Costs no call.
        """
        return self.gate.standing(kind=kind)

    def close_also(self, closing: Callable[[], None]) -> None:
        """Have this connection close what was opened for it alone."""
        self._open.callback(closing)

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
