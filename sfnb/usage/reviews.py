"""From names of orgs to their reviews: the way of the command line and the notebook."""

from __future__ import annotations

from collections.abc import Sequence

from sfnb.clock import Clock
from sfnb.errors import CallerError, QuotaSignal, SfnbError
from sfnb.installation import Installation
from sfnb.settings import Settings
from sfnb.usage.collect import collect
from sfnb.usage.history import load_history
from sfnb.usage.review import Review, review_of
from sfnb.usage.zones import zone_of

MAX_DAYS = 90


def look(
    orgs: str | Sequence[str] | None = None,
    *,
    days: int = 7,
    timezone: str | None = None,
    is_offline: bool = False,
    settings: Settings | None = None,
    clock: Clock | None = None,
) -> list[Review]:
    """
    A review of each org, in the order named.

    Args:
        orgs: names, as a list or in one text with commas; None: all that are registered.
        days: 1 to 90.
        timezone: such as ``Europe/Berlin``; None: this machine's.
        is_offline: ask the orgs nothing; only what is stored.

    Cost: see ``collect``; nothing when offline.

    Raises:
        CallerError: no such org, days or zone.
    """
    if isinstance(orgs, str):
        orgs = [name.strip() for name in orgs.split(",") if name.strip()]
    with Installation(settings, clock) as installation:
        known = installation.settings
        names = list(dict.fromkeys(orgs or sorted(known.orgs)))
        if not names:
            raise CallerError(
                "No org is registered yet. `sfnb org add NAME …` adds one, "
                "`sfnb demo start` makes one."
            )
        for name in names:
            known.org(name)
        return [
            look_at(installation, name, days=days, timezone=timezone, is_offline=is_offline)
            for name in names
        ]


def look_at(
    installation: Installation,
    name: str,
    *,
    days: int,
    timezone: str | None,
    is_offline: bool,
) -> Review:
    """
    One org's review. An org that cannot be reached now is reviewed by what is stored, and a notice
    says why.

    Raises:
        CallerError: no such org, days or zone.
        LoginError: it cannot be reached, and it never told its Organization Id, so nothing is
            stored.
    """
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
        raise CallerError(f"days must be a whole number from 1 to {MAX_DAYS}, not {days!r}.")
    state, clock = installation.state, installation.clock
    zone = zone_of(timezone, now=clock.now())
    org_id = installation.settings.org(name).org_id
    if not is_offline or not org_id:
        try:
            org = installation.open_client(name)
            try:
                org_id = org.org_id
                if not is_offline:
                    collect(org, state, clock)
            finally:
                org.close()
        except (SfnbError, QuotaSignal) as err:
            if not org_id:
                raise
            state.event_log.note_event_read(
                org_id, clock.now(), f"the org could not be asked: {err}"
            )
    return review_of(load_history(state, name, org_id, days=days, now=clock.now()), zone)
