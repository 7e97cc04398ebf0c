"""
Sends notices to any address that apprise knows: mail, chat, telephone, ``json://`` and a hundred more.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from sfnb.errors import JobError, LoginError, SfnbError, StateUnavailable
from sfnb.memory import State
from sfnb.notice_settings import SUMMARY
from sfnb.notices.collect import collect
from sfnb.org.secrets import mask, read_secret, store_secret
from sfnb.settings import Settings
from sfnb.state.notices import Notice

MOST_LINES = 20
"""A message has so many notices; how many more there are is said."""

RANK = {
    kind: rank for rank, kind in enumerate((SUMMARY, "failed", "mass_change", "limit", "usage"))
}
"""What stands first in a message, whenever it happened; all else comes after it, by its time."""


def addresses(settings: Settings) -> list[str]:
    """
    Where notices go; each may hold a secret. Empty: nowhere is set.

    Raises:
        JobError: the setting names a place, and nothing is there.
    """
    reference = settings.notices.url
    if reference.startswith("env:") and not os.environ.get(reference.removeprefix("env:")):
        return []
    try:
        return read_secret("notices", "url", reference).split()
    except LoginError as err:
        if reference == "keyring":
            way = "put it there with `sfnb notices address`, or name another place in `url`"
            raise JobError(f"The keyring has no address for notices; {way}.") from err
        raise JobError(
            f"The address for notices cannot be read from {reference.partition(':')[2]}; put it "
            "there, or name another place in `url` under [notices]."
        ) from err


def keep_address(address: str) -> None:
    """
    Put the address into the keyring, where ``addresses`` finds it.

    Raises:
        JobError: this machine has none.
    """
    try:
        store_secret("notices", "url", address)
    except LoginError as err:
        raise JobError(
            "This machine has no keyring that sfnb can use; set SFNB_NOTICE_URL, or "
            '`url = "file:PATH"` under [notices].'
        ) from err


def deliver(state: State, settings: Settings) -> int:
    """
    Send what is to be sent now, all in one message; how many notices that were.

    Raises:
        JobError: it did not arrive; what was to be sent is tried again after ten minutes.
    """
    targets = addresses(settings)
    kinds = settings.notices.kinds_now(state.database.clock.now()) if targets else ()
    notices = state.notices.claim(kinds) if kinds else []
    if not notices:
        return 0
    send(targets, title_of(notices), body_of(notices, secrets=targets))
    state.notices.sent(notices)
    return len(notices)


def title_of(notices: Sequence[Notice]) -> str:
    """One line on all of them."""
    kinds = {one.kind for one in notices}
    if len(notices) > 1:
        return f"sfnb: {len(notices)} notices" + (", something failed" if "failed" in kinds else "")
    return f"sfnb: {notices[0].kind.replace('_', ' ')} {notices[0].org}".rstrip()


def body_of(notices: Sequence[Notice], *, secrets: Sequence[str] = ()) -> str:
    """A line for each, what matters most first; what looks like a secret is masked."""
    ordered = sorted(notices, key=lambda one: RANK.get(one.kind, len(RANK)))
    lines = [one.text for one in ordered[:MOST_LINES]]
    if (more := len(notices) - MOST_LINES) > 0:
        lines.append(f"and {more:,} more: `sfnb notices list`")
    return mask("\n".join(lines), secrets)


def send(targets: Sequence[str], title: str, body: str) -> None:
    """
    One message to all addresses.

    Raises:
        JobError: an address is none that apprise knows, or did not take it. The addresses are not
            named: they may hold secrets.
    """
    with warnings.catch_warnings():
        # One of its plug-ins imports a module that Python 3.13 has no more, and copes without it.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        outbox = apprise.Apprise()
        accepted = [outbox.add(target) for target in targets]
    # What it would log may hold an address; what failed is what we raise.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    for number, is_accepted in enumerate(accepted, 1):
        if not is_accepted:
            raise JobError(
                f"Address {number} of the notices is none that apprise knows; see its list of "
                "services."
            )
    if not outbox.notify(title=title, body=body):
        raise JobError(
            "A notice could not be sent: an address did not answer or refused it. It is tried again."
        )


class Notifier:
    """Collects and delivers, again and again, beside the service. One thread at a time."""

    def __init__(self, state: State, settings: Settings, say: Callable[[str], None]) -> None:
        self._state, self._settings, self._say = state, settings, say
        self._trouble = ""

    def look(self) -> None:
        """Once; what goes wrong is said once, and does not end the service."""
        try:
            collect(self._state, self._settings)
            deliver(self._state, self._settings)
        except StateUnavailable:
            return  # the service says so
        except SfnbError as err:
            if str(err) != self._trouble:
                self._say(str(err))
            self._trouble = str(err)
            return
        self._trouble = ""


def keyring_hint(home: Path) -> str:
    """Where the address goes, for people."""
    return f'write `url = "keyring"` under [notices] in {home / "sfnb.toml"}'
