"""The registered orgs as the page has them, and how a part of a place is made for one."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.places import Part, Place
from sfnb.errors import CallerError
from sfnb.installation import Installation
from sfnb.settings import load_settings
from sfnb.ui.elements import Picture
from sfnb.ui.screen import Screen


@dataclass(frozen=True, slots=True)
class Here:
    """
    Where a part is made.

    Args:
        orgs: all orgs, and what is shared by them.
        place: what the page shows.
        one: the org of the place, if it is one of an org.
    """

    orgs: PartMaker
    place: Place
    one: LocalOrg | None = None

    @property
    def org(self) -> LocalOrg:
        """The org of the place."""
        if self.one is None:
            raise CallerError("Choose an org first.")
        return self.one

    @property
    def detail(self) -> str:
        """What of the place: the id of a job."""
        return self.place.detail


class PartMaker:
    """Makes the parts of all pages, and keeps the orgs that they share. Safe for threads."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self._orgs: dict[str, LocalOrg] = {}
        self._lock = threading.Lock()

    def org_names(self) -> list[str]:
        """The registered orgs; one that was registered a moment ago is among them."""
        with self._lock:
            self.installation.settings = load_settings()
            return sorted(self.installation.settings.orgs)

    def make(self, part: Part, place: Place) -> Screen:
        """
        The part, for that place.

        Raises:
            SfnbError: it cannot be shown; a sentence for its place.
        """
        if not place.org or place.entry is None:
            return part.make(Here(self, place))
        org = self.org(place.org)
        if part is not place.parts[0] and not org.is_known:
            return Picture("", lambda: "", every_s=3600.0)  # the first part says why
        org.ask_soon(reads_event_log=place.entry.reads_event_log)
        return part.make(Here(self, place, org))

    def org(self, name: str) -> LocalOrg:
        """The org of that name as it is registered now."""
        with self._lock:
            config = self.installation.settings.org(name)
            known = self._orgs.get(name)
            if known is None or known.config != config:
                known = self._orgs[name] = LocalOrg(self.installation, name)
            return known

    def all(self) -> list[LocalOrg]:
        """Every registered org."""
        return [self.org(name) for name in self.org_names()]

    def report(self, name: str) -> str:
        """
        The org's usage report as one HTML file. Costs no call.

        Raises:
            CallerError: there is no such org.
        """
        from sfnb.dashboard.usage_part import review
        from sfnb.report.page import html_report

        return html_report([review(self.org(name))])
