"""All orgs beside each other, the worst first. Costs no call."""

from __future__ import annotations

from sfnb.dashboard.parts import Here
from sfnb.dashboard.places import FIRST, address
from sfnb.fleet import FleetOrg, fleet_of
from sfnb.ui.elements import Picture
from sfnb.ui.fleet import fleet_html
from sfnb.ui.screen import Screen

EVERY_S = 15.0


def fleet_part(at: Here) -> Screen:
    """The table of the fleet; each org that is registered here leads to its own places."""
    installation = at.orgs.installation

    def make() -> str:
        names = set(installation.settings.orgs)

        def link(org: FleetOrg) -> str:
            return address(org.name, FIRST) if org.name in names else ""

        return fleet_html(fleet_of(installation), installation.clock.now(), link)

    return Picture("Fleet", make, every_s=EVERY_S)
