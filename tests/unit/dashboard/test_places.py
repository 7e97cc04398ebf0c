"""Addresses of places."""

from __future__ import annotations

import pytest

from sfnb.dashboard.places import TITLES, address, place_at
from sfnb.errors import CallerError

ORGS = ("acme", "demo")


@pytest.mark.parametrize("org", ["acme", "a.b-c_d", "Ünï code", "100%/50"])
@pytest.mark.parametrize("name", TITLES)
def test_each_place_is_found_at_its_address(org: str, name: str) -> None:
    """A reload, a bookmark and the back button lead to the same place, whatever the org is called."""
    place = place_at(address(org, name), (*ORGS, org))
    assert (place.org, place.name) == (org, name)
    assert place.path == address(org, name)


def test_the_only_org_is_chosen_by_itself() -> None:
    """With one org nobody has to choose; with none or several the list of orgs is shown."""
    assert place_at("/", ["acme"]).path == "/org/acme/usage"
    assert place_at("/", ORGS).org == ""
    assert place_at("/", []).parts == ("orgs", "add_org")
    assert place_at("/orgs", ["acme"]).parts == ("orgs", "add_org")


@pytest.mark.parametrize("path", ["/org/gone/usage", "/org/acme/nothing", "/nothing", "/org/"])
def test_an_address_of_nothing_is_refused(path: str) -> None:
    """The sentence says what to do instead."""
    with pytest.raises(CallerError, match="Choose"):
        place_at(path, ORGS)
