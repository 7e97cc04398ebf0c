"""One installation of sfnb: what the settings name, opened once and closed together."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

from sfnb.clock import Clock, SystemClock
from sfnb.settings import Settings, load_settings

if TYPE_CHECKING:
    from sfnb.connection import Connection
    from sfnb.memory import State
    from sfnb.org.client import OrgClient
    from sfnb.store.tables import OrgStore


class Installation:
    """
    Settings, state and store of one SFNB_HOME, and the orgs connected from here. Each is opened when first used.

    Use it as a context manager, or `close` it: that closes all it has opened. Safe for threads once its state is open.
    """

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None) -> None:
        self.settings = settings or load_settings()
        self._clock: Clock = clock or SystemClock()
        self._open = ExitStack()

    # Imports stand where they are used: a command that only reads the state needs no HTTP and no Delta.

    @property
    def clock(self) -> Clock:
        """This machine's, until the state is open: from then on the one that all its users share."""
        return self.state.database.clock if "state" in self.__dict__ else self._clock

    @cached_property
    def state(self) -> State:
        """
        Limits, audit log, jobs, usage.

        Raises:
            StoreError: the state database cannot be opened.
        """
        from sfnb.memory import open_state

        return self._open.enter_context(open_state(self.settings.state_url, clock=self._clock))

    def store(self, org_id: str) -> OrgStore:
        """The tables and snapshots of one org."""
        from sfnb.store.tables import open_store

        return open_store(self.settings.store_root, clock=self.clock).org(org_id)

    def open_client(self, name: str, *, may_be_away: bool = False) -> OrgClient:
        """
        The org's API, logged in; closed with the installation, or earlier by its own ``close``.

        Args:
            may_be_away: an org that answers nobody now is opened too; its first call logs in.

        Raises:
            CallerError: no org has that name.
            LoginError: the org refused the login or could not be reached.
        """
        from sfnb.org.opening import open_client

        state = self.state  # from here on its clock is everybody's
        client = open_client(
            self.settings, name, state=state, clock=self.clock, may_be_away=may_be_away
        )
        self._open.callback(client.close)
        return client

    def connect_unasked(self, name: str) -> Connection:
        """
        The org for work on what is stored: nobody logs in, whether it answers or not. Cost: no
        calls.

        Raises:
            CallerError: no org has that name, or no login to it has succeeded yet.
        """
        from sfnb.connection import Connection
        from sfnb.org.opening import closed_client

        state = self.state  # from here on its clock is everybody's
        client = closed_client(self.settings, name, state=state, clock=self.clock)
        self._open.callback(client.close)
        return Connection(client, settings=self.settings, state=state, clock=self.clock)

    def connect(self, name: str, *, may_be_away: bool = True) -> Connection:
        """
        The org as people hold it; closed with the installation, or earlier by its own ``close``.

        An org that answers nobody now is connected too, unless ``may_be_away`` is False: what is
        stored can be read, and a job waits for it.

        Raises:
            CallerError: no org has that name.
            LoginError: the org refused the login. Without ``may_be_away``, or where no login has
                succeeded yet, also: it could not be reached.
        """
        from sfnb.connection import Connection

        client = self.open_client(name, may_be_away=may_be_away)
        return Connection(client, settings=self.settings, state=self.state, clock=self.clock)

    def close(self) -> None:
        """Give back connections. What is stored stays."""
        self._open.close()

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Installation({str(self.settings.home)!r})"


def connect(
    name: str, *, settings: Settings | None = None, clock: Clock | None = None
) -> Connection:
    """
    The org registered as ``name`` (`sfnb org add`), logged in, in an installation of its own.

    An org that answers nobody now is connected too: a job waits for it in the state ``paused``.

    Raises:
        CallerError: no org has that name.
        LoginError: the org refused the login.
    """
    with ExitStack() as undo:
        installation = undo.enter_context(Installation(settings, clock))
        connection = installation.connect(name)
        connection.close_also(undo.pop_all().close)
    return connection
