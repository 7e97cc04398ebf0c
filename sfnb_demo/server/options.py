"""The options of one demo org."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sfnb_demo.server.limit_header import RECORDED_AGE_S

FIRST_VERSION, LAST_VERSION = 31, 68
"""API versions served by default; older ones were retired in Summer '25, and 68.0 is Winter '27."""


@dataclass(slots=True)
class Options:
    """
    Args:
        has_oddities: what real orgs have and careless clients stumble over (see ``data.oddities``).
        features: what an admin has switched on, such as ``person-accounts``; ``all`` (see
            ``data.features``).
        faults: fault rules in force from the start (see ``faults``).
        max_calls: calls in 24 hours; 15,000 is a Developer Edition's.
        is_hard: refuse calls beyond it (Developer Edition, sandbox, trial); False: allow them (paid
            production).
        minutes_per_second: simulated minutes in a real second; 1/60 is real time.
        clock: what moves simulated time: ``wall`` (real time, ``minutes_per_second`` fast) or
            ``calls`` (each call ``seconds_per_call``, each look of a waiting client
            ``hours_per_wait``).
        competitors: other apps spend: ``off``, ``curve``, or ``on`` (curve and bursts).
        competitors_pct: what they spend on a weekday, in percent of ``max_calls``.
        session_minutes: idle lifetime of a session in simulated minutes; None: sessions never
            expire.
        bulk_job_s: the least simulated seconds that a Bulk query job takes.
        header_lag_s: the median age of the number in the limit header, in simulated seconds; 0:
            exact.
        has_header_wobble: let the age wander, as in recorded answers; False: always the median.
        wide_page_rows: rows to a page of a query that selects many fields (see ``query``).
        limits_lag_minutes: age of the numbers in ``/limits``.
        record_count_age_minutes: how old the statistics behind ``/limits/recordCount`` may be; 0:
            always true.
        has_conditional_describes: describes have a Last-Modified and heed If-Modified-Since.
        refused_in_composite: sObject resources that are refused inside composite calls, such as
            ``updated``, ``deleted`` or ``describe``.
        replication_days: ``/updated`` and ``/deleted`` reach back to so many days before the org's
            start, as in a young sandbox; None: as far as Salesforce allows.
        limit_header: form of ``Sforce-Limit-Info``: short, gone, extended, garbled.
        negative_remaining: let ``/limits`` show less than 0 in a soft org over its maximum.
        has_event_log: write ApiTotalUsage log files.
        has_hourly_logs: write hourly log files; EventLogFile has a field Interval only then.
        has_gzip: compress answers for clients that ask for it.
        client_id, client_secret, refresh_token, password: fixed credentials, for tools that bring
            their own. Empty: new ones in each run.
        first_version, last_version: the API versions that the org serves; older ones answer 410.
        start_at: where simulated time begins; None: now.
    """

    size: str = "small"
    seed: int = 1
    objects: Mapping[str, int] = field(default_factory=dict)
    empty_objects: int = 0
    has_oddities: bool = True
    features: Sequence[str] = ()
    faults: Sequence[Mapping[str, Any]] = ()
    max_calls: int = 15_000
    is_hard: bool = True
    minutes_per_second: float = 1.0
    clock: Literal["wall", "calls"] = "wall"
    seconds_per_call: float = 30.0
    hours_per_wait: float = 6.0
    competitors: Literal["on", "off", "curve"] = "on"
    competitors_pct: float = 35.0
    session_minutes: float | None = None
    bulk_job_s: float = 2.0
    header_lag_s: float = RECORDED_AGE_S
    has_header_wobble: bool = True
    wide_page_rows: int = 1000
    limits_lag_minutes: float = 0.0
    record_count_age_minutes: float = 0.0
    has_conditional_describes: bool = True
    refused_in_composite: Sequence[str] = ()
    replication_days: float | None = None
    limit_header: str = "short"
    negative_remaining: bool = False
    has_event_log: bool = True
    has_hourly_logs: bool = True
    has_gzip: bool = True
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    first_version: int = FIRST_VERSION
    last_version: int = LAST_VERSION
    start_at: datetime | None = None

    @property
    def first_moment(self) -> datetime:
        return self.start_at or datetime.now(UTC)
