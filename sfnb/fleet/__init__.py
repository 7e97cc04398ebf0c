"""
All orgs beside each other, the worst first, from the state alone: no call to an org.

``ranking`` says what is wrong with an org, and which org is worse (pure); ``orgs`` reads what is known.

::

    for org in fleet_of(installation):
        print(org.name, org.worries[0].text if org.worries else "fine")
"""

from sfnb.fleet.orgs import fleet_of
from sfnb.fleet.ranking import FleetOrg, Level, Worry

__all__ = ["FleetOrg", "Level", "Worry", "fleet_of"]
