"""Commands at set times: when each is due, and how its last run ended. Costs no call."""

from __future__ import annotations

from sfnb.dashboard.parts import Here
from sfnb.dashboard.wording import in_page
from sfnb.ui.elements import Picture
from sfnb.ui.schedule import schedule_html
from sfnb.ui.screen import Screen

EVERY_S = 2.0


def schedule_part(at: Here) -> Screen:
    """The table of the schedule, as the state database has it, whichever host runs the service."""
    installation = at.orgs.installation

    def make() -> str:
        entries = installation.state.schedule.entries()
        shown: str = in_page(schedule_html(entries, installation.clock.now()))
        return shown

    return Picture("Schedule", make, every_s=EVERY_S)
