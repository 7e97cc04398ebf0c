"""One object of a job as the screen shows it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sfnb.text import count, span

ObjectStatus = Literal["failed", "running", "waiting", "complete", "left_out"]


@dataclass(frozen=True, slots=True)
class Group:
    """One kind of objects, in the order in which the panel shows them."""

    kind: ObjectStatus
    sign: str
    title: str
    is_open: bool = False
    has_bar: bool = True

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "sign": self.sign,
            "is_open": self.is_open,
            "has_bar": self.has_bar,
        }


GROUPS: Mapping[ObjectStatus, Group] = {
    group.kind: group
    for group in (
        Group("failed", "✗", "failed", is_open=True, has_bar=False),
        Group("running", "▶", "running", is_open=True),
        Group("waiting", "…", "waiting"),
        Group("complete", "✓", "complete"),
        Group("left_out", "–", "left out: Salesforce allows no query on them", has_bar=False),
    )
}


@dataclass
class ObjectView:
    """One object of a job. ``expected`` is None where the org has no statistic of it."""

    name: str
    status: ObjectStatus = "waiting"
    rows: int = 0
    expected: int | None = None
    calls: int = 0
    message: str = ""
    began_at: datetime | None = None
    began_rows: int = 0
    at: datetime | None = None

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where it is not known."""
        if self.status == "complete":
            return 1.0
        if not self.expected:
            return 0.0 if self.status == "waiting" else None
        # The statistic is an estimate: an incomplete object is never shown as done.
        return min(0.99, self.rows / self.expected)

    @property
    def rate(self) -> float | None:
        """Rows per second since it began."""
        if (
            self.began_at is None
            or self.at is None
            or self.at <= self.began_at
            or self.rows <= self.began_rows
        ):
            return None
        return (self.rows - self.began_rows) / (self.at - self.began_at).total_seconds()

    def text(self) -> str:
        """Records, calls, rate and time left, as far as they are known."""
        if self.status in ("failed", "left_out"):
            return self.message
        if self.status == "waiting":
            return (
                f"waiting, about {count(self.expected, 'record')}" if self.expected else "waiting"
            )
        calls = count(self.calls, "call")
        if self.status == "complete":
            return f"{count(self.rows, 'record')}, {calls}"
        of = f" of about {self.expected:,}" if self.expected else ""
        said = f"{self.rows:,}{of} records" if of else count(self.rows, "record")
        parts = [said, calls]
        if rate := self.rate:
            parts.append(f"{rate:,.0f} records/s")
            if self.expected and self.expected > self.rows:
                parts.append(f"about {span((self.expected - self.rows) / rate)} left")
        return ", ".join(parts)

    def as_json(self) -> list[Any]:
        """``[name, status, share, text]``."""
        return [self.name, self.status, self.share, self.text()]
