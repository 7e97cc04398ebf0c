"""Whether a backup can read everything in an org: permissions, limits, version, clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sfnb.errors import ObjectError, QuotaSignal
from sfnb.model import Api, Reading
from sfnb.org.answers import text_of
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubResponse
from sfnb.org.permissions import PERMISSIONS, fetch_permissions, first_record, query
from sfnb.org.secrets import clean
from sfnb.org.transport import call_context

MAX_CLOCK_SKEW_S = 60.0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """
    What a check found.

    Args:
        permissions: by Salesforce's name; None: could not be determined, ``notes`` says why.
        clock_skew_s: how far this machine's clock is ahead of the org's; None where its answer had
            no date.
        calls: API calls the check has cost.
        notes: sentences about what is uncertain or needs attention.
    """

    name: str
    org_id: str
    org_name: str
    instance_url: str
    api_version: str
    org_type: str
    is_sandbox: bool | None
    permissions: Mapping[str, bool | None]
    limits: Mapping[Api, Reading]
    clock_skew_s: float | None
    calls: int
    notes: tuple[str, ...]

    @property
    def missing(self) -> list[str]:
        """The labels of the permissions that are surely missing."""
        return [PERMISSIONS[key][0] for key, has in self.permissions.items() if has is False]


def check(org: OrgClient) -> CheckReport:
    """
    What stands in a backup's way.

    Cost: 2 API calls; up to 5 in an org that lacks some of the permissions' names.

    Raises:
        LoginError: the org does not let us use the API at all.
    """
    notes: list[str] = []
    spent: list[int] = []
    with call_context(on_call=lambda price: spent.append(price.get("api", 0))):
        skew_s = _clock_skew_s(org, notes)
        limits, has_setup = _limits(org)
        try:
            about, permissions = _ask(org, notes)
        except QuotaSignal as signal:
            # Over its limit an org is checked as far as that goes: `/limits` may be read at any
            # time.
            about, permissions = {}, dict.fromkeys(PERMISSIONS)
            notes.append(f"The permissions were not checked: {signal}")
    permissions["ApiEnabled"] = True  # the calls above have been answered
    if permissions["ViewSetup"] is None:
        permissions["ViewSetup"] = has_setup
    notes += [
        f"{PERMISSIONS[key][0]} could not be determined. Without it {PERMISSIONS[key][1]}."
        for key, has in permissions.items()
        if has is None
    ]
    is_sandbox = about.get("IsSandbox")
    return CheckReport(
        name=org.name,
        org_id=org.org_id,
        org_name=clean(text_of(about.get("Name"))),
        instance_url=org.instance_url,
        api_version=org.api_version,
        org_type=clean(text_of(about.get("OrganizationType"))),
        is_sandbox=is_sandbox if isinstance(is_sandbox, bool) else None,
        permissions=permissions,
        limits=limits,
        clock_skew_s=skew_s,
        calls=sum(spent),
        notes=tuple(notes),
    )


def _clock_skew_s(org: OrgClient, notes: list[str]) -> float | None:
    """How far our clock is ahead, seen in a call that Salesforce does not count."""
    before_at = org.clock.now()
    response = org.retrying(lambda: org.request("GET", "/services/data", timeout_s=60))
    skew_s = clock_skew_s(response.headers.get("Date"), before_at, org.clock.now())
    if skew_s is not None and abs(skew_s) > MAX_CLOCK_SKEW_S:
        way = "ahead of" if skew_s > 0 else "behind"
        notes.append(f"This machine's clock is {abs(skew_s):.0f} s {way} the org's: set it right.")
    return skew_s


def clock_skew_s(date: str | None, before_at: datetime, after_at: datetime) -> float | None:
    """
    How far our clock is ahead of an answer's ``Date``, which has whole seconds; None without one.
    """
    try:
        org_at = parsedate_to_datetime(date or "").astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    early, late = (before_at - org_at).total_seconds() - 1.0, (after_at - org_at).total_seconds()
    if early <= 0 <= late:
        return 0.0
    return round(early if early > 0 else late, 1)


def _limits(org: OrgClient) -> tuple[Mapping[Api, Reading], bool | None]:
    """The readings, and whether the user may see them."""
    try:
        readings = org.limits()
    except ObjectError as err:
        return {}, False if err.code in ("FORBIDDEN", "INSUFFICIENT_ACCESS", "NOT_FOUND") else None
    return readings, "api" in readings or None


def _ask(org: OrgClient, notes: list[str]) -> tuple[Mapping[str, Any], dict[str, bool | None]]:
    """The organization's record and the permissions: both queries ride in one composite call."""
    about: list[SubResponse] = []
    soql = "SELECT Name, InstanceName, IsSandbox, OrganizationType FROM Organization"
    permissions = fetch_permissions(
        org, tuple(PERMISSIONS), notes, beside=[query(org, "about", soql)], answers=about
    )
    return first_record(about[0], "the organization's record", notes), permissions
