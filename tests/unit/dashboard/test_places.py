"""Addresses of places."""

from __future__ import annotations

import pytest

from sfnb.dashboard.places import Entry, address, place_at
from sfnb.dashboard.registry import NOTICE, PLACES
from sfnb.errors import CallerError

ORGS = ("acme", "demo")
OF_ORG = [entry for entry in PLACES if not entry.is_of_all]


@pytest.mark.parametrize("org", ["acme", "a.b-c_d", "Ünï code", "100%/50"])
@pytest.mark.parametrize("entry", OF_ORG, ids=lambda entry: entry.name)
def test_each_place_is_found_at_its_address(org: str, entry: Entry) -> None:
    """A reload, a bookmark and the back button lead to the same place, whatever the org is called."""
    place = place_at(address(org, entry.name), (*ORGS, org), PLACES)
    assert (place.org, place.name) == (org, entry.name)
    assert place.path == address(org, entry.name)
    assert place.parts[0] is NOTICE
    for kind in entry.job_kinds:
        job = place_at(address(org, kind, "J1"), (*ORGS, org), PLACES)
        assert (job.org, job.entry, job.detail) == (org, entry, "J1")
        assert job.parts == entry.job_parts


def test_no_two_places_share_an_address() -> None:
    """Neither a name nor a kind of job is taken twice."""
    for is_of_all in (False, True):
        names = [entry.name for entry in PLACES if entry.is_of_all == is_of_all]
        assert len(names) == len(set(names))
    kinds = [kind for entry in PLACES for kind in entry.job_kinds]
    assert len(kinds) == len(set(kinds))


def test_a_place_of_all_orgs_needs_no_org() -> None:
    """It has an address of its own and a link at every place; the list of orgs is in the chooser."""
    fleet = Entry("overview", "Overview", (), is_of_all=True)
    entries = (*PLACES, fleet)
    assert place_at("/overview", ORGS, entries).entry is fleet
    links = place_at("/org/acme/limits", ORGS, entries).as_json(ORGS, entries)["places"]
    assert links[-1]["path"] == "/overview"
    assert "/orgs" not in [link["path"] for link in links]
    assert [
        link["path"]
        for link in place_at("/overview", ORGS, entries).as_json(ORGS, entries)["places"]
    ][-1] == "/overview"


def test_the_only_org_is_chosen_by_itself() -> None:
    """With one org nobody has to choose; with none or several the list of orgs is shown."""
    assert place_at("/", ["acme"], PLACES).path == "/org/acme/usage"
    for path, orgs in (("/", ORGS), ("/", ()), ("/orgs", ["acme"])):
        place = place_at(path, orgs, PLACES)
        assert [part.name for part in place.parts] == ["orgs", "add_org"]
        assert place.org == ""


@pytest.mark.parametrize(
    "path",
    ["/org/gone/usage", "/org/acme/nothing", "/org/acme/usage/J1", "/nothing", "/org/", "/usage"],
)
def test_an_address_of_nothing_is_refused(path: str) -> None:
    """The sentence says what to do instead."""
    with pytest.raises(CallerError, match="Choose"):
        place_at(path, ORGS, PLACES)
