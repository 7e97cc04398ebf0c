"""The entries that a new user wants for an org: one command sets them up. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usual:
    """
    One of them.

    Args:
        what: for people.
        command: the words after `sfnb`.
    """

    what: str
    suffix: str
    cron: str
    command: tuple[str, ...]


def usual_entries(org: str) -> list[Usual]:
    """
    Nightly backup, on Sundays as a weekly sweep, usage every fifteen minutes, a report in the
    morning, and retention on Sundays after the sweep.
    """
    backup = ("backup", org, "--on-pause", "exit")
    keep = ("--keep-last", "7", "--keep-daily", "31", "--keep-weekly", "13")
    older = ("--keep-monthly", "24", "--keep-yearly", "10")
    return [
        # A paused job leaves its process and is tried again every half hour.
        Usual("nightly backup", "backup", "0 2 * * 1-6", backup),
        Usual("weekly sweep", "sweep", "0 2 * * 0", (*backup, "--sweep")),
        Usual("usage sample", "usage", "*/15 * * * *", ("usage", "sample", org)),
        Usual("morning report", "report", "0 7 * * *", ("report", org)),
        Usual("retention", "retention", "0 5 * * 0", ("prune", org, *keep, *older, "--yes")),
    ]
