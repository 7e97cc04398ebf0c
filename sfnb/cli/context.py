"""What every command gets: settings, state, store and connections, each opened when first asked for."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

import click

from sfnb.clock import Clock, SystemClock
from sfnb.errors import CallerError
from sfnb.settings import Settings, load_settings

if TYPE_CHECKING:
    from sfnb.org.client import OrgClient
    from sfnb.state.database import State
    from sfnb.store.tables import OrgStore


class App:
    """One run of the command line. Close it to give back connections."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self._open = ExitStack()

    @cached_property
    def settings(self) -> Settings:
        return load_settings()

    @cached_property
    def state(self) -> State:
        from sfnb.state.database import open_state

        state = open_state(self.settings.state_url, clock=self.clock)
        self._open.callback(state.close)
        return state

    @property
    def org_names(self) -> list[str]:
        return sorted(self.settings.orgs)

    def org_id(self, name: str) -> str:
        """The Organization Id of a registered org; asks the org once if it is not known yet."""
        return self.settings.org(name).org_id or self.connect(name).org_id

    def connect(self, name: str) -> OrgClient:
        from sfnb.org.opening import open_client

        org = open_client(self.settings, name, state=self.state, clock=self.clock)
        self._open.callback(org.close)
        return org

    def store(self, name: str) -> OrgStore:
        from sfnb.store.tables import open_store

        return open_store(self.settings.store_root).org(self.org_id(name))

    def job_id(self, prefix: str) -> str:
        """The one job whose id starts so."""
        found = [job.job_id for job in self.state.jobs.find() if job.job_id.startswith(prefix)]
        if len(found) != 1:
            what = "no job" if not found else f"{len(found)} jobs"
            raise CallerError(f"{what} found for {prefix!r}; `sfnb jobs` lists them.")
        return found[0]

    def close(self) -> None:
        self._open.close()


pass_app = click.make_pass_decorator(App)
