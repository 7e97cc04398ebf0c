"""The scripted org of the org room's tests, for units that ask it."""

from tests.unit.org.conftest import clock, org, scripted, state

__all__ = ["clock", "org", "scripted", "state"]
