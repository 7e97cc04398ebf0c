"""How a job ended, and lists of jobs, as HTML and as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from sfnb.jobs import states
from sfnb.jobs.summary import CHANGES, change_lines, counts_of, records_held, warning_lines
from sfnb.memory import State
from sfnb.model import ARCHIVE, RESTORE, JobState
from sfnb.state.job_values import Job
from sfnb.text import count, records, zoned_moment
from sfnb.ui import archived, restored
from sfnb.ui.folding import folded
from sfnb.ui.job_view import BADGES

ENDED = frozenset(state.value for state in JobState if state.is_final)

FAR, LEAST_ROWS = 2.0, 100
"""
Rows are far from the estimate when they are more or less by this factor, and by at least so many.
"""


@dataclass(frozen=True)
class Outcome:
    """
    A job's summary beside its plan.

    Args:
        summary: as `sfnb backup --json` prints it.
        expected: rows by object, as the org estimated them; None: it has no statistic.
        left_out: objects on which Salesforce allows no query, with the reason.
        is_left: whether nobody waits in its pause, so that this is how it ended for now.
    """

    summary: Mapping[str, Any]
    expected: Mapping[str, int | None] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    is_left: bool = False

    @property
    def state(self) -> str:
        return states.shown_of(self.summary)

    @property
    def is_restore(self) -> bool:
        return self.summary.get("kind") == RESTORE

    @property
    def is_archive(self) -> bool:
        return self.summary.get("kind") == ARCHIVE

    def sentence(self) -> str:
        """The job in one sentence."""
        if self.is_restore:
            return restored.sentence_of(self.summary, BADGES[self.state])
        if self.is_archive:
            return archived.sentence_of(self.summary, BADGES[self.state])
        counts = counts_of(self.summary)
        return (
            f"{BADGES[self.state]}: {counts.complete:,} of {count(counts.objects, 'object')}, "
            f"{records(counts.records, counts.in_bin)}, "
            f"{count(self.summary['calls']['api'], 'API call')}, "
            f"{'snapshot ' + self.summary['snapshot'] if self.summary['snapshot'] else 'no snapshot'}."
        )

    def attention(self) -> dict[str, str]:
        """
        Objects that deserve a look, with the whole message: failed, partial, far from the estimate.
        """
        if self.is_restore:
            return restored.attention_of(self.summary)
        if self.is_archive:
            return {}  # what was kept is said after the sentence
        found = {}
        for name, entry in sorted(self.summary["objects"].items()):
            if entry.get("left_out"):
                continue
            if entry["state"] != "complete":
                word = "failed" if entry["message"] else str(entry["state"])
                found[name] = f"{word}: {entry['message'] or records(entry['rows'], 0) + ' so far'}"
            elif entry.get("mode") != "incremental" and self._is_far(name, entry["rows"]):
                found[name] = f"{records(entry['rows'], 0)}, expected about {self.expected[name]:,}"
        return found

    def _is_far(self, name: str, rows: int) -> bool:
        expected = self.expected.get(name)
        if expected is None or abs(rows - expected) < LEAST_ROWS:
            return False
        return max(rows, expected) >= FAR * min(rows, expected)

    def lines(self) -> list[str]:
        """The same for a terminal or a log."""
        error = [self.summary["error"]] if self.summary["error"] else []
        warnings = (f"Warning: {text}" for text in warning_lines(self.summary))
        looks = (f"  {n}: {why}" for n, why in self.attention().items())
        return [*warnings, self.sentence(), *error, *self.more(), *looks]

    def more(self) -> list[str]:
        """Sentences after the first: what changed; of a restore the proof, and its files."""
        if self.is_archive:
            return archived.kept_sentences(self.summary)
        if not self.is_restore:
            return change_lines(self.summary)
        proof = restored.proof_sentence(self.summary)
        return [*([proof] if proof else []), *restored.file_lines(self.summary)]


def outcome_html(found: Outcome | Mapping[str, Any]) -> str:
    """
    How a job ended: a sentence, what deserves a look, the rest folded. Before its end: that it has
    not ended.
    """
    outcome = found if isinstance(found, Outcome) else Outcome(found)
    if outcome.state not in ENDED and not outcome.is_left:
        job_id = escape(outcome.summary["job_id"])
        return f"<p>Job {job_id} is {BADGES[outcome.state]}; its outcome appears here when it has ended.</p>"
    parts = [
        f"<p class='sfnb-problem'>{escape(text)}</p>" for text in warning_lines(outcome.summary)
    ]
    parts.append(f"<p class='sfnb-strong'>{escape(outcome.sentence())}</p>")
    if outcome.summary["error"]:
        parts.append(f"<p class='sfnb-problem'>{escape(outcome.summary['error'])}</p>")
    parts += [f"<p>{escape(text)}</p>" for text in outcome.more()]
    if looks := outcome.attention():
        items = "".join(f"<li><b>{escape(n)}</b>: {escape(why)}</li>" for n, why in looks.items())
        parts.append(f"<p>Worth a look:</p><ul>{items}</ul>")
    if outcome.is_restore:
        return "".join([*parts, restored.objects_html(outcome.summary)])
    if outcome.is_archive:
        return "".join([*parts, archived.objects_html(outcome.summary)])
    return "".join([*parts, _objects(outcome), _schema(outcome), _left_out(outcome)])


def _objects(outcome: Outcome) -> str:
    entries = {n: e for n, e in outcome.summary["objects"].items() if not e.get("left_out")}
    # The columns of what changed stand there only where an earlier backup is the measure.
    counted = [name for name in CHANGES if any(name in e for e in entries.values())]
    heads = ["object", "state", "records", "in the bin", *counted, "calls", "message"]
    lines = [
        [
            name,
            e["state"],
            count(max(e["rows"], e.get("our_count") or 0)),
            count(max(0, (e.get("our_count") or 0) - e["rows"])),
            *(count(e[key]) if e.get(key) is not None else "" for key in counted),
            count(e["calls"]),
            e["message"] or "",
        ]
        for name, e in sorted(entries.items(), key=_most_changed)
    ]
    return folded(f"All {count(len(entries), 'object')}", heads, lines)


def _most_changed(item: tuple[str, Mapping[str, Any]]) -> tuple[int, int, str]:
    name, entry = item
    return (-sum(entry.get(key) or 0 for key in CHANGES), -entry["rows"], name)


def _schema(outcome: Outcome) -> str:
    changes = outcome.summary.get("schema") or ()
    if not changes:
        return ""
    lines = [
        [
            str(one["object"]),
            str(one.get("field") or ""),
            str(one["change"]).replace("_", " "),
            str(one.get("old") or ""),
            str(one.get("new") or ""),
        ]
        for one in changes
    ]
    title = f"{count(len(lines), 'change')} of objects and fields"
    return folded(title, ["object", "field", "change", "before", "now"], lines)


def _left_out(outcome: Outcome) -> str:
    if not outcome.left_out:
        return ""
    title = f"{count(len(outcome.left_out), 'object')} left out: Salesforce allows no query on them"
    return folded(title, ["object", "reason"], sorted(outcome.left_out.items()))


def jobs_html(state: State, jobs: Iterable[Job]) -> str:
    """Jobs as a table, in the order given."""
    rows = "".join(
        "<tr><th "
        f"scope='row'>{escape(job.job_id)}</th><td>{escape(job.kind)}</td><td>{_badge(job)}</td>"
        f"<td>{zoned_moment(job.started_at)}</td><td>{zoned_moment(job.ended_at) if job.ended_at else ''}</td>"
        f"<td>{count(records_held(state, job))}</td>"
        f"<td>{escape(job.error or '')}</td></tr>"
        for job in jobs
    )
    if not rows:
        return "<h4>Jobs</h4><p>No job yet.</p>"
    return (
        "<h4>Jobs</h4><table><thead><tr><th>job</th><th>kind</th><th>state</th><th>started</th><th>ended</th>"
        f"<th>records</th><th>problem</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _badge(job: Job) -> str:
    return BADGES[states.shown(job.state, is_held=job.is_held)]
