"""
Places of the page: what one is, its address, and what is at an address. Pure; which places there
are is in `sfnb/dashboard/registry.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from sfnb.errors import CallerError

if TYPE_CHECKING:
    from sfnb.dashboard.parts import Here
    from sfnb.ui.screen import Screen

ORGS = "/orgs"
"""The address of the list of orgs, however many there are."""

FIRST = "usage"
"""The place that an org opens on."""


@dataclass(frozen=True, slots=True)
class Part:
    """
    A screen in a place.

    Args:
        make: makes the screen, on a thread of its own; an SfnbError that it raises is shown in its
            place as a sentence.
    """

    name: str
    make: Callable[[Here], Screen]


@dataclass(frozen=True, slots=True)
class Fold:
    """A part that opens in place when its button is pressed, above the others."""

    label: str
    part: Part


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A place that the page has, as the registry lists it.

    Args:
        name: in the address, a word in small letters.
        title: in the navigation, and the heading.
        parts: from top to bottom.
        job_kinds: jobs of these kinds have a page of their own below this place, at ``/org/<org>/<kind>/<job id>``.
        job_parts: what the page of such a job shows.
        is_of_all: a place of all orgs, at ``/<name>``; else one of each org.
        reads_event_log: opening it also has the org's event log read, at most once an hour.
    """

    name: str
    title: str
    parts: Sequence[Part]
    folds: Sequence[Fold] = ()
    job_kinds: Sequence[str] = ()
    job_parts: Sequence[Part] = ()
    job_folds: Sequence[Fold] = ()
    is_of_all: bool = False
    reads_event_log: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """
    What the page shows at one address.

    Args:
        path: the address.
        entry: the place as the registry lists it; None: there is nothing.
        org: the org's name; empty: a place of all orgs.
        detail: what of the place: the id of a job.
    """

    path: str
    entry: Entry | None = None
    org: str = ""
    detail: str = ""

    @property
    def name(self) -> str:
        return self.entry.name if self.entry else ""

    @property
    def parts(self) -> Sequence[Part]:
        """From top to bottom."""
        if self.entry is None:
            return ()
        return self.entry.job_parts if self.detail else self.entry.parts

    @property
    def folds(self) -> Sequence[Fold]:
        """Parts behind buttons."""
        if self.entry is None:
            return ()
        return self.entry.job_folds if self.detail else self.entry.folds

    @property
    def title(self) -> str:
        """The heading."""
        title = self.entry.title if self.entry else "Orgs"
        return f"{title} job" if self.detail else title

    def as_json(self, orgs: Sequence[str], entries: Sequence[Entry]) -> dict[str, Any]:
        """The place as the page takes it, with its navigation."""
        of_org = [entry for entry in entries if not entry.is_of_all and self.org]
        # The list of orgs is at hand already: in the chooser, and behind the page's name.
        of_all = [entry for entry in entries if entry.is_of_all and f"/{entry.name}" != ORGS]
        stays = self.name if self.name in [entry.name for entry in of_org] else FIRST
        return {
            "path": self.path,
            "org": self.org,
            "name": self.name,
            "title": self.title,
            "orgs": [{"name": org, "path": address(org, stays)} for org in orgs],
            "all": {"name": "All orgs, add one …", "path": ORGS},
            "places": [
                *(_link(entry, address(self.org, entry.name)) for entry in of_org),
                *(_link(entry, f"/{entry.name}") for entry in of_all if orgs),
            ],
            "report": address(self.org, "report.html") if self.name == FIRST else "",
            "folds": [{"label": fold.label, "kind": fold.part.name} for fold in self.folds],
        }


def _link(entry: Entry, path: str) -> dict[str, Any]:
    return {"name": entry.name, "title": entry.title, "path": path, "is_of_all": entry.is_of_all}


def address(org: str, place: str, detail: str = "") -> str:
    """The address of a place of an org; of a job, by its kind and its id."""
    parts = ("org", org, place, detail)
    return "/" + "/".join(quote(part, safe="") for part in parts if part)


def place_at(path: str, orgs: Sequence[str], entries: Sequence[Entry]) -> Place:
    """
    The place at an address. Where only one org is registered the list of orgs is that org's usage.

    Raises:
        CallerError: nothing is there; the sentence says what to do.
    """
    match [unquote(step) for step in path.strip("/").split("/")]:
        case [""] if len(orgs) == 1:
            return place_at(address(orgs[0], FIRST), orgs, entries)
        case [""]:
            return Place(path or "/", _of_all(ORGS.strip("/"), entries))
        case ["org", org] if org:
            return _of_org(org, FIRST, "", orgs, entries)
        case ["org", org, name]:
            return _of_org(org, name, "", orgs, entries)
        case ["org", org, name, detail]:
            return _of_org(org, name, detail, orgs, entries)
        case [name]:
            return Place(path, _of_all(name, entries))
    raise _nothing()


def _of_all(name: str, entries: Sequence[Entry]) -> Entry:
    for entry in entries:
        if entry.is_of_all and entry.name == name:
            return entry
    raise _nothing()


def _of_org(
    org: str, name: str, detail: str, orgs: Sequence[str], entries: Sequence[Entry]
) -> Place:
    for entry in entries:
        names = entry.job_kinds if detail else (entry.name,)
        if not entry.is_of_all and name in names:
            if org not in orgs:
                raise CallerError(f"There is no org named “{org}” here. Choose one of those above.")
            return Place(address(org, name, detail), entry, org, detail)
    raise _nothing()


def _nothing() -> CallerError:
    return CallerError("There is nothing at this address. Choose a place above.")
