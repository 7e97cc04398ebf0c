"""The places of the page and their addresses. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from sfnb.errors import CallerError

TITLES = {
    "usage": "Usage",
    "limits": "Limits",
    "backup": "Backup",
    "snapshots": "Snapshots",
    "restore": "Restore",
}
"""The places of an org, in the order of the page's navigation."""

JOB_PLACES = ("backup", "restore")
"""Places whose jobs have an address of their own."""

ORGS = "/orgs"
"""The address of the list of orgs, however many there are."""

_ADDRESS = re.compile(
    rf"/org/(?P<org>[^/]+)(?:/(?P<place>{'|'.join(TITLES)})(?:/(?P<detail>[^/]+))?)?/?"
)


@dataclass(frozen=True, slots=True)
class Fold:
    """A part that opens in place when its button is pressed."""

    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Place:
    """
    What the page shows at one address.

    Args:
        path: the address.
        org: the org's name; empty: the list of orgs.
        name: a key of ``TITLES``; empty: the list of orgs.
        detail: what of the place: a job of Backup or Restore.
        parts: kinds of parts, from top to bottom.
        folds: parts behind buttons, above the others.
    """

    path: str
    org: str = ""
    name: str = ""
    detail: str = ""
    parts: Sequence[str] = ("orgs", "add_org")
    folds: Sequence[Fold] = ()

    @property
    def title(self) -> str:
        """The heading."""
        title = TITLES.get(self.name, "Orgs")
        return f"{title} job" if self.detail else title

    def as_json(self, orgs: Sequence[str]) -> dict[str, Any]:
        """The place as the page takes it, with its navigation."""
        return {
            "path": self.path,
            "org": self.org,
            "name": self.name,
            "title": self.title,
            "orgs": [{"name": org, "path": address(org, self.name or "usage")} for org in orgs],
            "all": {"name": "All orgs, add one …", "path": ORGS},
            "places": [
                {"name": name, "title": title, "path": address(self.org, name)}
                for name, title in TITLES.items()
                if self.org
            ],
            "report": address(self.org, "report.html") if self.name == "usage" else "",
            "folds": [{"label": fold.label, "kind": fold.kind} for fold in self.folds],
        }


PARTS: dict[str, Sequence[str]] = {
    "usage": ("notice", "usage"),
    "limits": ("notice", "limits", "audit"),
    "backup": ("notice", "backup", "jobs"),
    "snapshots": ("notice", "snapshots"),
    "restore": ("notice", "restore", "restores"),
}

FOLDS = (Fold("Configure limit", "limit_api"), Fold("Configure Bulk limits", "limit_bulk"))


def address(org: str, place: str, detail: str = "") -> str:
    """The address of a place of an org."""
    parts = ("org", org, place, detail)
    return "/" + "/".join(quote(part, safe="") for part in parts if part)


def place_at(path: str, orgs: Sequence[str]) -> Place:
    """
    The place at an address. Where only one org is registered the list of orgs is that org's usage.

    Raises:
        CallerError: nothing is there; the sentence says what to do.
    """
    if path in ("", "/") and len(orgs) == 1:
        return place_at(address(orgs[0], "usage"), orgs)
    if path in ("", "/", ORGS):
        return Place(path or "/")
    found = _ADDRESS.fullmatch(path)
    if found is None:
        raise CallerError("There is nothing at this address. Choose a place above.")
    org, name = unquote(found["org"]), found["place"] or "usage"
    if org not in orgs:
        raise CallerError(f"There is no org named “{org}” here. Choose one of those above.")
    if name in JOB_PLACES and found["detail"]:
        detail = unquote(found["detail"])
        parts = ("notice", "job", "outcome")
        # A paused job resumes when its limit is raised, so the limit is at hand here, too.
        return Place(address(org, name, detail), org, name, detail, parts, FOLDS)
    return Place(address(org, name), org, name, "", PARTS[name], FOLDS if name == "usage" else ())
