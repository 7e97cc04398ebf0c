"""Small parts: the list of orgs, an org's notice, its limits and their changes, its snapshots."""

from __future__ import annotations

from html import escape
from typing import Any

from sfnb.dashboard.add_org import AddOrg
from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.org_list import orgs_html
from sfnb.dashboard.parts import Here
from sfnb.dashboard.wording import in_page
from sfnb.errors import CallerError
from sfnb.model import Api
from sfnb.quota.policy import UNITS
from sfnb.ui.browser import SnapshotBrowser
from sfnb.ui.elements import Picture
from sfnb.ui.screen import Screen
from sfnb.ui.slider import LimitSlider

AUDIT_LINES = 100

BUDGETS = {str(api): f"{unit[0].upper()}{unit[1:]}" for api, unit in UNITS.items()} | {
    "all": "all budgets"
}

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
    """The snapshot browser, without the lines of Python that give the same."""

    def open(self, object_name: str) -> dict[str, Any]:
        return {**super().open(object_name), "code": ""}

    def compare(self, old: str) -> dict[str, Any]:
        return {**super().compare(old), "code": ""}


def orgs_part(at: Here) -> Screen:
    """All orgs, one card each."""
    return Picture("Orgs", lambda: orgs_html(at.orgs.all), every_s=2.0)


def add_org_part(at: Here) -> Screen:
    """The form that registers one more."""
    return AddOrg(at.orgs.installation)


def notice_part(at: Here) -> Screen:
    """Why the org could not be asked the last time, if so."""
    org = at.org

    def make() -> str:
        if not org.problem:
            return ""
        below = "<p>What is stored of this org is shown below.</p>" if org.is_known else ""
        return f"<p class='sfnb-problem'>{escape(in_page(org.problem))}</p>{below}"

    return Picture(f"State of {org.name}", make, every_s=1.0)


def bulk_limits_part(at: Here) -> Screen:
    """The limits of the Bulk budgets that the org has."""
    org = at.org
    budgets = org.budgets()
    apis = tuple(api for api in BULK if budgets[api].maximum > 0)
    if not apis:
        raise CallerError("This org has not reported a Bulk budget yet.")
    return Slider(org, apis, closes=True)


def audit_part(at: Here) -> Screen:
    """Who changed the org's limits, when and why."""
    org = at.org
    return Picture(f"Changes of {org.name}'s limits", lambda: _audit_html(org), every_s=2.0)


def _audit_html(org: LocalOrg) -> str:
    from datetime import datetime

    from sfnb.text import zoned_moment

    entries = org.state.audit.entries(org.org_id, ("limit",))[::-1]
    if not entries:
        return "<h3>Changes</h3><p>No limit has been changed yet.</p>"
    rows = "".join(
        f"<tr><td>{escape(zoned_moment(datetime.fromisoformat(e.at)))}</td><td>{escape(e.who)}</td>"
        f"<td>{escape(BUDGETS.get(e.api, e.api))}</td><td>{escape(f'{e.limit_of}s' if e.limit_of else 'all jobs')}</td>"
        f"<td>{escape(e.change)}</td><td>{escape(e.reason)}</td></tr>"
        for e in entries[:AUDIT_LINES]
    )
    return (
        "<h3>Changes</h3><table><thead><tr><th>when</th><th>who</th><th>budget</th><th>for</th><th>limit</th>"
        f"<th>reason</th></tr></thead><tbody>{rows}</tbody></table>"
    )
