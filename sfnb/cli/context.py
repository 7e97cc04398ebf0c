"""What every command gets: one installation, opened when first needed; and the form of its groups."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import click

from sfnb.clock import Clock, SystemClock
from sfnb.errors import CallerError
from sfnb.installation import Installation
from sfnb.settings import Settings, load_settings

if TYPE_CHECKING:
    from sfnb.jobs.control import Control
    from sfnb.memory import State
    from sfnb.org.client import OrgClient
    from sfnb.store.tables import OrgStore


class App:
    """One run of the command line. Its installation opens when a command first needs it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()

    @cached_property
    def installation(self) -> Installation:
        return Installation(load_settings(), self._clock)

    @property
    def clock(self) -> Clock:
        """This machine's; once the state is open, the one that its users share."""
        return self.installation.clock if "installation" in self.__dict__ else self._clock

    @property
    def settings(self) -> Settings:
        return self.installation.settings

    @settings.setter
    def settings(self, changed: Settings) -> None:
        self.installation.settings = changed

    @property
    def state(self) -> State:
        return self.installation.state

    @property
    def org_names(self) -> list[str]:
        return sorted(self.settings.orgs)

    def org_id(self, name: str) -> str:
        """The Organization Id of a registered org; asks the org once if it is not known yet."""
        return self.settings.org(name).org_id or self.open_client(name).org_id

    def open_client(self, name: str) -> OrgClient:
        return self.installation.open_client(name)

    def store(self, name: str, root: str | None = None) -> OrgStore:
        """
        What is stored of an org, without a call to it: by its registration, or by what the store itself says.

        Args:
            name: of a registered org, or as it was backed up; or an Organization Id.
            root: another store than the installation's.
        """
        from sfnb.store.tables import open_store

        org = self.settings.orgs.get(name)
        store = open_store(root or self.settings.store_root)
        return store.org(org.org_id) if org and org.org_id and root is None else store.find(name)

    @property
    def control(self) -> Control:
        """Pause, resume and cancel of all orgs' jobs."""
        from sfnb.engine import control_of

        return control_of(self.installation)

    def job_id(self, prefix: str) -> str:
        """The one job whose id starts so."""
        found = [job.job_id for job in self.state.jobs.find() if job.job_id.startswith(prefix)]
        if len(found) != 1:
            what = "no job" if not found else f"{len(found)} jobs"
            raise CallerError(f"{what} found for {prefix!r}; `sfnb jobs` lists them.")
        return found[0]

    def close(self) -> None:
        if "installation" in self.__dict__:
            self.installation.close()


pass_app = click.make_pass_decorator(App)


class Group(click.Group):
    """A group that guesses what a mistyped command was meant to be."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as err:
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not close:
                raise
            raise click.UsageError(f"{err.message} Did you mean {close[0]!r}?", ctx) from err
