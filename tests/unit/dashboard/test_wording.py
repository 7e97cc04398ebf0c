"""Messages that name a command, as the page says them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sfnb
from sfnb.dashboard.wording import WAYS, in_page


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "No usage reading of API calls yet. Run `sfnb usage sample acme`.",
            "No usage reading of API calls yet. Press “Read again” under Usage.",
        ),
        (
            "Wait until use falls, or raise the limit with `sfnb limit`.",
            "Wait until use falls, or raise the limit under Limits.",
        ),
        (
            "No process is running this job. Press Resume, or run `sfnb resume`.",
            "No process is running this job. Press Resume.",
        ),
        ("Resume with `sfnb resume ab12`.", "Resume with the button on the job's page."),
        (
            "the file is damaged; see `sfnb verify`.",
            "the file is damaged; see `sfnb verify` (in a terminal).",
        ),
        ("Account: 12 records", "Account: 12 records"),
    ],
)
def test_a_command_becomes_a_way_in_the_page(said: str, shown: str) -> None:
    """What can be done in the page is named by its button; what cannot is said to need a terminal."""
    assert in_page(said) == shown
    assert in_page({"view": [said, 5, None]}) == {"view": [shown, 5, None]}
    assert in_page(shown) == shown


def test_each_way_is_for_a_message_that_exists() -> None:
    """A message that was reworded takes its way along: each pattern's command still stands in the code."""
    files = [p for p in Path(sfnb.__file__).parent.rglob("*.py") if p.name != "wording.py"]
    code = "".join(path.read_text("utf-8") for path in files)
    code = re.sub(r'"\s*f?"', "", code.replace("{review.org}", "x").replace("{history.org}", "x"))
    assert [pattern.pattern for pattern, _ in WAYS if len(pattern.findall(code)) == 0] == []
