"""
What a restore has switched, on disk before the call that switches it: ``automation.json``.

A step says how far a thing has come: ``waiting`` (to be switched off), ``switching_off`` (the call
may have been sent), ``off``, ``switching_on``, ``on`` (as it was), ``left`` (not touched, or left as
somebody else has it, and ``note`` says why).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sfnb.errors import StoreError
from sfnb.restore.automation.items import Item
from sfnb.store.files import Files

FORMAT = 1

Step = Literal["waiting", "switching_off", "off", "switching_on", "on", "left"]
OPEN: tuple[Step, ...] = ("switching_off", "off", "switching_on")
"""Steps in which a thing may be off because of us."""


@dataclass
class Entry:
    """
    One thing.

    Args:
        before: its exact state before it was touched: a rule's Metadata, a flow's
            ``activeVersionNumber``, a trigger's status and code.
        note: what people should know of it.
    """

    item: Item
    before: Mapping[str, Any]
    step: Step = "waiting"
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "item": asdict(self.item),
            "before": dict(self.before),
            "step": self.step,
            "note": self.note,
        }


@dataclass
class Deployment:
    """
    One deployment of triggers.

    Args:
        at: the org's time before it was sent, as ISO text.
        id: as soon as known; empty: it was sent, or was about to be.
    """

    at: str
    id: str = ""
    is_done: bool = False


@dataclass
class AutomationJournal:
    """For the deciding thread. ``save`` after each change, before the call that it is about."""

    files: Files
    path: str
    entries: list[Entry] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    is_production: bool = True
    is_begun: bool = False

    @classmethod
    def of(cls, files: Files, path: str) -> AutomationJournal:
        """
        The journal as it is on disk; an empty one where nothing was switched.

        Raises:
            StoreError: it is damaged.
        """
        saved = files.read_json(path)
        journal = cls(files, path)
        if saved is None:
            return journal
        if saved.get("format") != FORMAT:
            raise StoreError(
                f"{files.uri(path)} has a format that this sfnb does not know; upgrade sfnb."
            )
        try:
            journal.entries = [
                Entry(Item(**one["item"]), one["before"], one["step"], one["note"])
                for one in saved["entries"]
            ]
            journal.deployments = [Deployment(**one) for one in saved["deployments"]]
            journal.is_production = saved["is_production"]
            journal.is_begun = True
        except (KeyError, TypeError) as err:
            raise StoreError(
                f"{files.uri(path)} is damaged: what was switched off has to be switched on by hand."
            ) from err
        return journal

    def save(self) -> None:
        """All of it on disk when this returns, whole or as it was."""
        self.is_begun = True
        content = {
            "format": FORMAT,
            "is_production": self.is_production,
            "entries": [entry.as_json() for entry in self.entries],
            "deployments": [asdict(one) for one in self.deployments],
        }
        self.files.put_json(self.path, content, indent=1)

    def move(self, entries: Iterable[Entry], step: Step, note: str = "") -> None:
        """These are at that step now, on disk."""
        for entry in entries:
            entry.step = step
            entry.note = note or entry.note
        self.save()

    @property
    def open_entries(self) -> list[Entry]:
        """Those that may be off because of us."""
        return [entry for entry in self.entries if entry.step in OPEN]

    @property
    def is_open(self) -> bool:
        """Something has to be switched on again, or a deployment may still run."""
        return bool(self.open_entries)

    def notes(self) -> list[str]:
        """A sentence on each thing that is not as the restore wanted it, or was changed by others."""
        return [f"{entry.item.shown}: {entry.note}" for entry in self.entries if entry.note]

    def outcome(self) -> list[dict[str, Any]]:
        """For the job's JSON: each thing that was to be switched off, and where it stands."""
        return [
            {
                "kind": entry.item.kind,
                "object": entry.item.object_name,
                "name": entry.item.name,
                "state": entry.step,
                "note": entry.note or None,
            }
            for entry in self.entries
        ]
