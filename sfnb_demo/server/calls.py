"""The demo org's request log: every HTTP call it received. Tests and the event log read it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


def is_probe(target: str) -> bool:
    """Whether a call asks for ``/limits``."""
    return target.partition("?")[0].rstrip("/").lower().endswith("/limits")


@dataclass(frozen=True, slots=True)
class Call:
    """
    One HTTP call.

    Args:
        at_s: simulated seconds since 1970 when it arrived.
        target: path and query string.
        spent: units of each budget it was charged with; empty when it was free or refused.
        used: what the whole org had used of ``api`` after this call.
        reading: the last ``api`` number in an answer to this session before the call arrived; -1: none
            yet.
        in_flight: other calls of the same session that were being served when it arrived.
        app: the connected app; ``client`` is the client name of Sforce-Call-Options.
    """

    number: int
    at_s: float
    method: str
    target: str
    status: int
    spent: Mapping[str, int]
    used: int
    reading: int
    in_flight: int
    app: str = ""
    app_id: str = ""
    client: str = ""
    user_id: str = ""
    username: str = ""
    family: str = "REST"
    version: str = ""
    resource: str = ""
    entity: str = ""
    request_id: str = ""
    fault: str = ""

    @property
    def is_probe(self) -> bool:
        """
        Whether it asked for ``/limits``, which a careful client does even if it may send nothing
        else.
        """
        return is_probe(self.target)

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"spent": dict(self.spent)}


class CallLog:
    """All calls, in the order in which they were answered; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._numbers = 0

    def next_number(self) -> int:
        """A call's number, given when it arrives: 1, 2, …"""
        with self._lock:
            self._numbers += 1
            return self._numbers

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)

    @property
    def last_number(self) -> int:
        return self._numbers

    def since(self, number: int = 0) -> list[Call]:
        """The calls with a higher number than ``number``, by number."""
        with self._lock:
            calls = [call for call in self._calls if call.number > number]
        return sorted(calls, key=lambda call: call.number)

    def between(self, start_s: float, end_s: float) -> list[Call]:
        """The calls that arrived in ``start_s <= at < end_s``."""
        return [call for call in self.since() if start_s <= call.at_s < end_s]


def ledger_summary(calls: list[Call], *, threshold: int | None) -> dict[str, Any]:
    """
    The calls counted: in all, by status, by app, by minute and budget; and how many came over the
    threshold.

    ``over_threshold`` counts charged calls after which the org's usage was above ``threshold``,
    whoever spent the rest. ``over_reading`` counts those that the sender could have known: the last
    number it had received, its calls in flight and this one together exceed the threshold. Neither
    counts ``/limits``, which is in ``probes``.
    """
    spent: Counter[str] = Counter()
    by_minute: dict[int, Counter[str]] = {}
    for call in calls:
        for budget, units in call.spent.items():
            spent[budget] += units
            by_minute.setdefault(int(call.at_s // 60), Counter())[budget] += units
    summary: dict[str, Any] = {
        "received": len(calls),
        "spent": dict(spent),
        "by_status": dict(Counter(str(call.status) for call in calls)),
        "by_app": dict(Counter(call.app for call in calls)),
        "by_client": dict(Counter(call.client for call in calls)),
        "by_minute": [{"minute": minute, **counts} for minute, counts in sorted(by_minute.items())],
        "probes": sum(call.is_probe for call in calls),
        "refused": sum(call.status == 403 for call in calls),
    }
    if threshold is not None:
        charged = [call for call in calls if call.spent.get("api") and not call.is_probe]
        summary["threshold"] = threshold
        summary["over_threshold"] = sum(call.used > threshold for call in charged)
        summary["over_reading"] = sum(
            call.reading >= 0 and call.reading + call.in_flight + call.spent["api"] > threshold
            for call in charged
        )
    return summary
