"""What the notebooks share: parameters, the plan, the outcome."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sfnb import notebook
from sfnb.errors import CallerError
from sfnb.ui.outcome import Outcome, outcome_html
from sfnb.ui.planned import LastRun, Planned


@pytest.mark.parametrize(
    "wrong",
    [
        {"poll_minutes": 0},
        {"poll_minutes": -1},
        {"poll_minutes": "30"},
        {"poll_minutes": float("nan")},
        {"max_wait_hours": 0},
        {"on_pause": "maybe"},
        {"workers": 0},
        {"workers": 2.5},
        {"workers": True},
    ],
)
def test_a_wrong_parameter_is_refused(wrong: dict[str, Any]) -> None:
    """Zero or less, or another word, is refused in one sentence that names the parameter, before any call."""
    with pytest.raises(CallerError, match=f"^{next(iter(wrong))} must be"):
        notebook.run_options(**wrong)


def test_switches_are_true_or_false() -> None:
    """The parameters of a backup become its request; a word in place of true or false is refused."""
    asked = notebook.request(objects="Account", full=True, files=False)
    assert (asked.objects, asked.full, asked.sweep, asked.files) == (
        ("Account",),
        True,
        False,
        False,
    )
    with pytest.raises(CallerError, match=r"^full must be True or False"):
        notebook.request(full="yes")


def test_checks_in_seconds_are_allowed_and_their_cost_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An org with a fast clock may be checked every second; what that costs in a day is said once."""
    assert notebook.run_options(poll_minutes=1 / 60)["poll_s"] == 1
    assert capsys.readouterr().out.count("86,400 API calls a day") == 1
    notebook.run_options(poll_minutes=30)
    assert capsys.readouterr().out == ""


def test_names_are_a_text_a_list_or_none() -> None:
    """Objects may be written in one text; what is no list of names is refused."""
    assert notebook.names("Account, Contact,") == ["Account", "Contact"]
    assert notebook.names(["Account"]) == ["Account"]
    assert notebook.names(None) is None and notebook.names("") is None
    with pytest.raises(CallerError, match="not a list of names"):
        notebook.names(5)  # type: ignore[arg-type]


def test_a_plan_that_cannot_be_made_says_why_and_what_it_estimates_from() -> None:
    """Over the limit the plan is the last backup's: its price, its sizes, and that the job starts paused."""
    last = LastRun(
        "ab12", datetime(2026, 11, 3, 12, tzinfo=UTC), {"api": 112}, {"Account": 900}, {}
    )
    plan = Planned(None, "One more call would exceed the limit.", last)
    assert "could not be made now. One more call" in repr(plan)
    assert "job ab12" in repr(plan) and "112 API calls" in repr(plan)
    assert "starts paused" in repr(plan) and "<td>900</td>" in plan._repr_html_()
    assert "no completed backup to estimate from" in repr(Planned(None, "Away.", None))


def entry(state: str, rows: int, message: str | None = None, in_bin: int = 0) -> dict[str, Any]:
    counted = {"our_count": rows + in_bin}
    return {"state": state, "rows": rows, "calls": 1, "message": message} | counted


def test_welcome_lists_all_notebooks() -> None:
    """Whoever opens `welcome` finds each of the others."""
    folder = Path(__file__).parents[3] / "notebooks"
    said = (folder / "welcome.ipynb").read_text("utf-8")
    names = {path.name for path in folder.glob("*.ipynb")} - {"welcome.ipynb"}
    assert {name for name in names if f"({name})" not in said} == set()


def test_an_outcome_is_a_sentence_and_what_deserves_a_look() -> None:
    """Failed, partial and far from the estimate come first, with the whole message; all the rest is folded."""
    message = "the user may not read <Case>: " + "details " * 40
    found = Outcome(
        {
            "job_id": "ab12", "state": "completed_with_errors", "rows": 84_841, "error": None,
            "calls": {"api": 1120}, "snapshot": "20261103T130509Z-1a2b3c",
            "objects": {
                "Account": entry("complete", 82_061, in_bin=927), "Case": entry("untouched", 0, message),
                "Lead": entry("complete", 1_841), "Task": entry("partial", 12),
                "Tag": {**entry("untouched", 0, "nobody may query it"), "left_out": True},
            },
        },
        expected={"Account": 82_900, "Lead": 400},
        left_out={"Vote": "wants a filter"},
    )  # fmt: skip
    assert (
        "2 of 4 objects, 84,841 records, 927 in the recycle bin, 1,120 API calls"
        in found.sentence()
    )
    assert list(found.attention()) == ["Case", "Lead", "Task"]
    assert found.attention()["Case"] == f"failed: {message}"
    html = outcome_html(found)
    shown, _, folded = html.partition("<details>")
    assert "Vote" not in shown and "Account" not in shown and "Vote" in folded
    assert "&lt;Case&gt;" in shown and "<Case>" not in html


def test_an_outcome_says_what_changed_with_the_alerts_on_top() -> None:
    """Of an incremental backup: alerts, then how many records were added, changed, deleted, in all and by object."""
    account = entry("complete", 900) | {
        "added": 40,
        "changed": 3,
        "deleted": 1,
        "mode": "incremental",
    }
    idle = entry("complete", 12_000) | {
        "added": 0,
        "changed": 0,
        "deleted": 0,
        "mode": "incremental",
    }
    alert = {"code": "mass_change", "object": "Account", "message": "Account: 3 of 900 <b> records"}
    found = Outcome(
        {
            "job_id": "ab12", "state": "completed", "rows": 12_900, "error": None,
            "calls": {"api": 74}, "snapshot": "20261103T130509Z-1a2b3c",
            "objects": {"Contact": idle, "Account": account},
            "schema": [
                {"object": "Lead", "field": "N__c", "change": "field_retyped", "old": "int", "new": "text"}
            ],
            "warnings": [alert],
            "files": {"known": 5, "fetched": 2, "bytes": 3_400_000, "missing": 1},
        }
    )  # fmt: skip
    html = outcome_html(found)
    assert html.startswith("<p class='sfnb-problem'>Account: 3 of 900 &lt;b&gt; records</p>")
    shown, _, folded = html.partition("<details>")
    assert (
        "Since the last backup: 40 records added, 3 changed, 1 deleted; 1 object unchanged."
        in shown
    )
    assert "2 fetched now (3.4 MB), 1 missing" in shown
    assert folded.index("Account") < folded.index("Contact")
    assert "<td>40</td><td>3</td><td>1</td>" in folded and "<td>field retyped</td>" in folded
    assert found.lines()[0] == "Warning: Account: 3 of 900 <b> records"
