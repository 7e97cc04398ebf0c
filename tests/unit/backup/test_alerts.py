"""Change alerts: an object that changed beyond its limit is named, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfnb.backup.alerts import ChangeLimits, ObjectChanges, mass_changes
from sfnb.errors import JobError
from sfnb.settings import load_settings


def named(changes: dict[str, ObjectChanges], limits: ChangeLimits | None = None) -> list[str]:
    return [found["object"] for found in mass_changes(changes, limits or ChangeLimits())]


def test_changed_and_deleted_records_count_together() -> None:
    """More than the limit in sum is a mass change; exactly the limit is none."""
    changes = {
        "Account": ObjectChanges(before=100, changed=11, deleted=10),
        "Contact": ObjectChanges(before=100, changed=10, deleted=10),
        "Task": ObjectChanges(before=100, changed=0, deleted=90),
    }
    assert named(changes) == ["Task", "Account"]


def test_a_handful_of_records_is_no_mass() -> None:
    """Half of a tiny object, and an object that had no record before, are not named."""
    changes = {
        "Pricebook2": ObjectChanges(before=4, changed=2, deleted=1),
        "New__c": ObjectChanges(before=0, changed=0, deleted=0),
    }
    assert named(changes) == []


def test_an_object_has_a_limit_of_its_own_in_any_spelling() -> None:
    """What people set for one object holds for it and leaves the others."""
    changes = {name: ObjectChanges(100, 30, 0) for name in ("Account", "Task", "Case")}
    assert named(changes, ChangeLimits(25, {"task": 60, "CASE": 5})) == ["Account", "Case"]
    assert named(changes, ChangeLimits(100)) == []


def test_the_warning_says_how_many_of_how_many() -> None:
    """Code, object, numbers and what to do next."""
    (found,) = mass_changes({"Account": ObjectChanges(1000, 400, 20)}, ChangeLimits())
    assert (found["code"], found["object"]) == ("mass_change", "Account")
    for piece in ("400 of 1,000", "20 deleted", "42 %", "20 %", "sfnb diff"):
        assert piece in found["message"]


def test_the_limits_come_from_the_settings(tmp_path: Path) -> None:
    """sfnb.toml sets the share of all objects and of single ones."""
    home = {"SFNB_HOME": str(tmp_path)}
    assert load_settings(home).mass_change_pct == 20
    path = tmp_path / "sfnb.toml"
    path.write_text("mass_change_pct = 15\n[mass_change]\nTask = 60\nAccount = 2.5\n")
    settings = load_settings(home)
    limits = ChangeLimits(settings.mass_change_pct, settings.mass_change)
    assert [limits.of(name) for name in ("Task", "Account", "Case")] == [60, 2.5, 15]


@pytest.mark.parametrize(
    "text", ["mass_change_pct = 0", "[mass_change]\nTask = 101", "[mass_change]\nTask = 'all'"]
)
def test_a_limit_that_is_no_percentage_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    """A mistake in the file is named where it stands."""
    (tmp_path / "sfnb.toml").write_text(text)
    with pytest.raises(JobError, match=r"line \d.*from more than 0 to 100"):
        load_settings({"SFNB_HOME": str(tmp_path)})
