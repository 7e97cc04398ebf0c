"""What a report says of an org's jobs: which wait, for what or whom, and what the newest one warned of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from sfnb.model import APIS, Api, JobWarning
from sfnb.quota import forecast
from sfnb.quota.forecast import BudgetHistory
from sfnb.quota.policy import UNITS
from sfnb.text import moment
from sfnb.usage.history import JobLine, OrgHistory, PauseLine
from sfnb.usage.what_if import when_sentence


@dataclass(frozen=True, slots=True)
class Notice:
    """
    One sentence for people. ``warning``: trouble is there or coming; ``note``: helps to read the
    report.

    Args:
        code: for programs: ``use_high``, ``use_will_be_high``, ``job_will_pause``, ``job_paused``,
            ``job_interrupted``, ``app_doubled``; ``no_history``, ``one_reading``, ``max_changed``, ``max_zero``,
            ``over_max``, ``clock_back``, ``stale``, ``no_event_log``, ``difference``,
            ``uncounted``, ``usage_report``, ``no_usage_report``, and the codes of jobs' warnings.
        sentence: one line.
        detail: more, for those who ask; may be empty.
    """

    level: Literal["warning", "note"]
    code: str
    api: Api | None
    sentence: str
    detail: str = ""


def open_jobs(
    history: OrgHistory, budgets: Mapping[Api, BudgetHistory], zone: tzinfo
) -> Iterable[Notice]:
    """A job that waits in a process resumes by itself; one that no process runs waits for a person."""
    pauses = {pause.job_id: pause for pause in history.pauses if pause.resumed_at is None}
    for job in history.jobs:
        named = f"{job.kind.capitalize()} {job.job_id}"
        if job.is_interrupted:
            yield Notice(
                "warning", "job_interrupted", None,
                f"{named} was interrupted: no process runs it any more.",
                f"Resume it with `sfnb resume {job.job_id}`; it goes on where it stopped.",
            )  # fmt: skip
        elif job.state == "paused":
            yield _paused(history, budgets, zone, job, pauses.get(job.job_id), named)


def _paused(  # noqa: PLR0917 - what the sentence says
    history: OrgHistory,
    budgets: Mapping[Api, BudgetHistory],
    zone: tzinfo,
    job: JobLine,
    pause: PauseLine | None,
    named: str,
) -> Notice:
    since = f" since {moment(pause.at, zone)}" if pause else ""
    api = next((one for one in APIS if pause and one == pause.api), None)
    detail = (
        f"The org had used {pause.used:,} of its {pause.maximum:,} {UNITS[api]} when the job paused."
        if api and pause
        else ""
    )
    if not job.is_held:
        return Notice(
            "warning", "job_paused", api,
            f"{named} has been paused{since}, and no process waits to resume it.",
            f"Resume it with `sfnb resume {job.job_id}`; otherwise only a schedule does. {detail}".rstrip(),
        )  # fmt: skip
    if api is None:
        expected = "It resumes when somebody resumes it."
    elif api in budgets:
        resumes = forecast.resumes(budgets[api], history.percent(api))
        expected = f"It can resume {when_sentence(resumes, zone)}."
    else:
        expected = "There is no forecast yet of when it can resume."
    return Notice("note", "job_paused", api, f"{named} has been paused{since}. {expected}", detail)


def warned(history: OrgHistory) -> Iterable[Notice]:
    """What the newest backup warned of: one notice for each kind of warning."""
    by_code: dict[str, list[JobWarning]] = {}
    for warning in history.warnings:
        by_code.setdefault(warning.code, []).append(warning)
    for code, found in by_code.items():
        detail = " ".join(one.text for one in found)
        first, _, rest = detail.partition(". ")
        yield Notice("warning", code, None, f"The last backup: {first.rstrip('.')}.", rest)
