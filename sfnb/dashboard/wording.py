"""Messages that name a command, in the page's own words: who sees the page need not have a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

WAYS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"[Rr]un `sfnb usage sample[^`]*`", "Press “Read again” under Usage"),
        (r"`sfnb usage sample[^`]*` reads", "“Read again” under Usage reads"),
        (r", or `sfnb usage sample[^`]*`", ", or “Read again” under Usage"),
        (r"On a schedule, that command builds", "Reading it regularly builds"),
        (r"Run `sfnb plan` or the notebook run_backup", "Press “Show the plan” under Backup"),
        (r"[Rr]aise the limit with `sfnb limit[^`]*`", "raise the limit under Limits"),
        (r"Press Resume, or run `sfnb resume[^`]*`", "Press Resume"),
        (
            r"(Start it again|[Rr]esume(?: it)?) with `sfnb resume[^`]*`",
            r"\1 with the button on the job's page",
        ),
        (r"`sfnb diff[^`]*` shows which", "“What changed since” under Snapshots shows which"),
        (r"--automation off switches", "“More options” above switches"),
        (r"; `sfnb jobs` lists them", "; they are listed under Backup"),
        (r"; `sfnb show` lists (them|what it has)", r"; Snapshots lists \1"),
    )
)
"""What a message of the rooms below says, and what the page says in its place."""

TERMINAL = re.compile(r"`(sfnb [^`]*)`(?! \(in a terminal)")
"""Any other command has to be run in a terminal, so that is said."""


def in_page(said: Any) -> Any:
    """A message, or all texts of a view, as the page says them."""
    if isinstance(said, str):
        return _in_page(said) if "`sfnb " in said or " --" in said else said
    if isinstance(said, Mapping):
        return {key: in_page(value) for key, value in said.items()}
    if isinstance(said, list | tuple):
        return [in_page(value) for value in said]
    return said


def _in_page(text: str) -> str:
    for pattern, words in WAYS:
        text = pattern.sub(words, text)
    return TERMINAL.sub(r"`\1` (in a terminal)", text)
