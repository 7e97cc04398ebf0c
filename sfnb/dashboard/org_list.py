"""All orgs, one card each; and what to do where there is none."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.places import address
from sfnb.errors import SfnbError
from sfnb.jobs import states
from sfnb.text import count, percent, zoned_moment
from sfnb.ui.job_view import BADGES

NONE = (
    "<p>No org is registered yet. Add one below, or start the demo org, a Salesforce-like org on "
    "this machine to try things on.</p>"
)


def orgs_html(orgs: Callable[[], list[LocalOrg]]) -> str:
    """A card for each org by what is stored of it. Costs no call."""
    found = orgs()
    if not found:
        return NONE
    return f"<ul class='orgs'>{''.join(_card(org) for org in found)}</ul>"


def _card(org: LocalOrg) -> str:
    link = escape(address(org.name, "usage"))
    lines = "".join(f"<p>{escape(line)}</p>" for line in _lines(org))
    return f"<li><h3><a href='{link}'>{escape(org.name)}</a></h3>{_gauge(org)}{lines}</li>"


def _gauge(org: LocalOrg) -> str:
    """Use as a bar, with a mark where jobs stop; the lines below say the same in words."""
    here = org.budgets()["api"] if org.config.org_id else None
    if here is None or not here.is_known or here.maximum <= 0:
        return ""
    width = min(100.0, 100 * here.used / here.maximum)
    is_over = here.used >= here.threshold
    return (
        f"<div class='gauge{' over' if is_over else ''}' aria-hidden='true'>"
        f"<i style='width:{width:.1f}%'></i><b style='left:{here.limit_percent}%'></b></div>"
    )


def _stops(org: LocalOrg, limit_percent: int) -> str:
    reserve = org.state.ledger.reserves(org.org_id).get("api")
    restores = f", restores at {reserve} %" if reserve else ""
    return f"jobs stop at {limit_percent} %{restores}"


def _lines(org: LocalOrg) -> list[str]:
    if not org.config.org_id:
        return ["Never reached yet."]
    try:
        here = org.budgets()["api"]
        jobs = org.state.jobs.find(org.org_id)
    except SfnbError as err:
        return [str(err)]
    lines = [org.config.instance_url or org.config.domain]
    if here.is_known and here.maximum > 0:
        used = percent(here.used, here.maximum)
        lines.append(
            f"{used} of {count(here.maximum, 'API call')} used, {zoned_moment(here.read_at)}; "
            f"{_stops(org, here.limit_percent)}."
        )
    else:
        lines.append(f"No usage reading yet; {_stops(org, here.limit_percent)}.")
    if jobs:
        last = jobs[-1]
        badge = BADGES[states.shown(last.state, is_held=last.is_held)]
        lines.append(f"Last job: {last.kind}, {zoned_moment(last.started_at)}: {badge}")
    else:
        lines.append("No backup yet.")
    return lines
