"""What each kind of part shows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from sfnb.dashboard.add_org import AddOrg
from sfnb.dashboard.backup_form import BackupForm
from sfnb.dashboard.job_parts import AttachedPanel, jobs_part, outcome_part
from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.org_list import orgs_html
from sfnb.dashboard.places import Place
from sfnb.dashboard.restore_form import RestoreForm
from sfnb.dashboard.usage_part import UsagePart, review
from sfnb.dashboard.wording import in_page
from sfnb.errors import CallerError
from sfnb.installation import Installation
from sfnb.model import RESTORE, Api
from sfnb.settings import load_settings
from sfnb.ui.browser import SnapshotBrowser
from sfnb.ui.elements import Picture
from sfnb.ui.limits import TITLES
from sfnb.ui.screen import Screen
from sfnb.ui.slider import LimitSlider

AUDIT_LINES = 100

BUDGETS = {str(api): title for api, title in TITLES.items()} | {"all": "all budgets"}

BULK: tuple[Api, ...] = ("bulk", "bulk2")


class Slider(LimitSlider):
    """
    The limit slider: shown at once by what is stored, since `PartMaker` has the org asked in the background.

    Args:
        closes: it stands in a panel that closes when it is done.
    """

    def __init__(self, org: LocalOrg, apis: tuple[Api, ...] | None = None, *, closes: bool) -> None:
        self._closes = closes
        super().__init__(org, apis=apis, is_asking=False)

    def view(self) -> dict[str, Any]:
        view = super().view()
        if self._closes:
            # Who pressed the button wants to see these budgets, used or not.
            view["budgets"] = [{**budget, "is_folded": False} for budget in view["budgets"]]
        return {**in_page(view), "closes": self._closes}


class Browser(SnapshotBrowser):
    """The snapshot browser, without the line of Python that gives the same rows."""

    def open(self, object_name: str) -> dict[str, Any]:
        return {**super().open(object_name), "code": ""}


class PartMaker:
    """Makes the parts of all pages, and keeps the orgs that they share. Safe for threads."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._orgs: dict[str, LocalOrg] = {}
        self._lock = threading.Lock()

    def org_names(self) -> list[str]:
        """The registered orgs; one that was registered a moment ago is among them."""
        with self._lock:
            self._installation.settings = load_settings()
            return sorted(self._installation.settings.orgs)

    def make(self, kind: str, place: Place) -> Screen:
        """
        The part of that kind at that place.

        Raises:
            SfnbError: it cannot be shown; a sentence for its place.
        """
        if kind == "add_org":
            return AddOrg(self._installation)
        if not place.org:
            return Picture("Orgs", lambda: orgs_html(self._all), every_s=2.0)
        org = self.org(place.org)
        if kind != place.parts[0] and not org.is_known:
            return Picture("", lambda: "", every_s=3600.0)  # the first part says why
        org.ask_soon(reads_event_log=place.name == "usage")
        return KINDS[kind](org, place.detail)

    def org(self, name: str) -> LocalOrg:
        """The org of that name as it is registered now."""
        with self._lock:
            config = self._installation.settings.org(name)
            known = self._orgs.get(name)
            if known is None or known.config != config:
                known = self._orgs[name] = LocalOrg(self._installation, name)
            return known

    def report(self, name: str) -> str:
        """
        The org's usage report as one HTML file. Costs no call.

        Raises:
            CallerError: there is no such org.
        """
        from sfnb.report.page import html_report

        return html_report([review(self.org(name))])

    def _all(self) -> list[LocalOrg]:
        return [self.org(name) for name in self.org_names()]


def _notice(org: LocalOrg, _: str) -> Screen:
    def make() -> str:
        if not org.problem:
            return ""
        below = "<p>What is stored of this org is shown below.</p>" if org.is_known else ""
        return f"<p class='sfnb-problem'>{escape(in_page(org.problem))}</p>{below}"

    return Picture(f"State of {org.name}", make, every_s=1.0)


def _bulk_limits(org: LocalOrg, _: str) -> Screen:
    budgets = org.budgets()
    apis = tuple(api for api in BULK if budgets[api].maximum > 0)
    if not apis:
        raise CallerError("This org has not reported a Bulk budget yet.")
    return Slider(org, apis, closes=True)


def _audit(org: LocalOrg, _: str) -> Screen:
    return Picture(f"Changes of {org.name}'s limits", lambda: _audit_html(org), every_s=2.0)


def _audit_html(org: LocalOrg) -> str:
    from datetime import datetime

    from sfnb.text import zoned_moment

    entries = list(org.state.audit.entries(org.org_id))[::-1]
    if not entries:
        return "<h3>Changes</h3><p>No limit has been changed yet.</p>"
    rows = "".join(
        f"<tr><td>{escape(zoned_moment(datetime.fromisoformat(e.at)))}</td><td>{escape(e.who)}</td>"
        f"<td>{escape(BUDGETS.get(e.api, e.api))}</td><td>{escape(f'{e.kind}s' if e.kind else 'all jobs')}</td>"
        f"<td>{escape(e.change)}</td><td>{escape(e.reason)}</td></tr>"
        for e in entries[:AUDIT_LINES]
    )
    return (
        "<h3>Changes</h3><table><thead><tr><th>when</th><th>who</th><th>budget</th><th>for</th><th>limit</th>"
        f"<th>reason</th></tr></thead><tbody>{rows}</tbody></table>"
    )


KINDS: Mapping[str, Callable[[LocalOrg, str], Screen]] = {
    "notice": _notice,
    "usage": lambda org, _: UsagePart(org),
    "limits": lambda org, _: Slider(org, closes=False),
    "limit_api": lambda org, _: Slider(org, ("api",), closes=True),
    "limit_bulk": _bulk_limits,
    "audit": _audit,
    "backup": lambda org, _: BackupForm(org),
    "jobs": lambda org, _: jobs_part(org),
    "job": lambda org, job_id: AttachedPanel(job_id, org),
    "outcome": lambda org, job_id: outcome_part(job_id, org),
    "snapshots": lambda org, _: Browser(org),
    "restore": lambda org, _: RestoreForm(org),
    "restores": lambda org, _: jobs_part(org, RESTORE),
}
"""How each kind of part is made, from the org and the place's detail."""
