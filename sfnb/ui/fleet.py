"""All orgs beside each other, as HTML: the dashboard and notebooks show the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape

from sfnb.fleet.ranking import FleetOrg, Level
from sfnb.text import count, moment, percent, span

NONE = "<p>No org is registered yet, and none has had a job.</p>"

WORDS = {
    Level.FINE: "fine",
    Level.NOTICE: "notice",
    Level.WARNING: "look at it",
    Level.BAD: "not safe",
    Level.DAMAGED: "damaged",
}

HEADS = ("Org", "State", "Use", "Last good backup", "Next pause", "Jobs", "What is wrong")


def fleet_html(
    orgs: Sequence[FleetOrg], now: datetime, link: Callable[[FleetOrg], str] = lambda _: ""
) -> str:
    """
    A table, the worst org first as they come.

    Args:
        link: the address of an org's page; empty: none.
    """
    if not orgs:
        return NONE
    worrying = sum(org.level >= Level.WARNING for org in orgs)
    said = (
        f"{count(worrying, 'org needs', 'orgs need')} a look, of {count(len(orgs), 'org')}."
        if worrying
        else f"All {count(len(orgs), 'org')} are fine."
        if len(orgs) > 1
        else "It is fine."
    )
    heads = "".join(f"<th scope='col'>{head}</th>" for head in HEADS)
    rows = "".join(_row(org, now, link(org)) for org in orgs)
    return (
        f"<p class='sfnb-fleet-said'>{said}</p><table class='sfnb-fleet'><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _row(org: FleetOrg, now: datetime, address: str) -> str:
    name = escape(org.name)
    named = f"<a href='{escape(address)}'>{name}</a>" if address else name
    level = f"<span class='sfnb-level {org.level.word}'>{WORDS[org.level]}</span>"
    worries = "; ".join(worry.text for worry in org.worries)
    cells = (level, *map(escape, (_use(org), _good(org, now), _pause(org), _jobs(org), worries)))
    rest = "".join(
        f"<td data-head='{head}'>{cell}</td>" for head, cell in zip(HEADS[1:], cells, strict=True)
    )
    return f"<tr><th scope='row'>{named}</th>{rest}</tr>"


def _use(org: FleetOrg) -> str:
    use = org.use
    if use is None or not use.has_numbers:
        return "not known"
    said = f"{percent(use.used, use.maximum)} of {count(use.maximum)}, limit {use.limit_percent} %"
    return said if use.is_known else f"{said}, not known now"


def _good(org: FleetOrg, now: datetime) -> str:
    age_s = org.age_s(now)
    return "none" if org.good is None or age_s is None else f"{span(age_s)} ago"


def _pause(org: FleetOrg) -> str:
    return f"about {moment(org.next_pause_at)}" if org.next_pause_at is not None else "–"


def _jobs(org: FleetOrg) -> str:
    return ", ".join(f"{job.kind} {job.state.value}" for job in org.jobs) or "–"
