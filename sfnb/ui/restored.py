"""How a restore ended, as sentences and as HTML. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from sfnb.text import count
from sfnb.ui.folding import folded

DONE = ("undeleted", "updated", "created", "skipped", "refused")
"""What became of the records, in the order in which they are written."""

WORDS: Mapping[str, str] = {
    "undelete": "undeleted",
    "update": "updated",
    "create": "created",
    "skip": "skipped",
    "refuse": "refused",
}
"""What a plan calls it, and what people read."""

ACTIONS = tuple(WORDS)


def counts_text(counts: Mapping[str, int]) -> str:
    """``3 undeleted, 2 updated, 1 created, 0 skipped, 4 refused``."""
    return ", ".join(f"{counts.get(name, 0):,} {name}" for name in DONE)


def sentence_of(summary: Mapping[str, Any], badge: str) -> str:
    """The job in one sentence."""
    done = summary.get("restored")
    planned = {WORDS[name]: n for name, n in (summary.get("plan") or {}).items() if name in WORDS}
    if done:
        what = counts_text(done)
    elif planned:
        what = f"planned: {counts_text(planned)}"
    else:
        what = "nothing was planned yet"
    return (
        f"{badge}: {what}; {count(summary['calls']['api'], 'API call')}, from snapshot "
        f"{summary['snapshot']}."
    )


def proof_sentence(summary: Mapping[str, Any]) -> str:
    """The comparison with the snapshot; empty: there was none."""
    proof = summary.get("proof")
    if not proof:
        return ""
    compared, different = proof["compared"], proof["different"]
    if not compared:
        return "Nothing was written, so there was nothing to compare with the snapshot."
    read = f"Read back and compared with the snapshot field by field: {count(compared, 'record')}"
    if not different:
        return f"{read}, all as they were."
    return f"{read}, {different:,} of them not as they were."


def file_lines(summary: Mapping[str, Any]) -> list[str]:
    """The files that the job left for people."""
    lines = []
    if summary.get("rejects"):
        lines.append(
            f"Refused records: {summary['rejects']}. Mend the file and run "
            "`sfnb restore … --from-rejects FILE`."
        )
    if summary.get("id_map"):
        lines.append(f"Old and new Ids: {summary['id_map']}")
    return lines


def attention_of(summary: Mapping[str, Any]) -> dict[str, str]:
    """Objects that deserve a look, with the whole message."""
    return {
        name: str(entry["message"])
        for name, entry in sorted(summary["objects"].items())
        if entry.get("message")
    }


def objects_html(summary: Mapping[str, Any]) -> str:
    """By object what was written, refused and left out, folded."""
    entries = sorted(summary["objects"].items())
    lines = [
        [
            name,
            *(count((entry.get("restored") or {}).get(word, 0)) for word in DONE),
            count(entry["calls"]),
            str(entry["message"] or ""),
        ]
        for name, entry in entries
    ]
    heads = ["object", *DONE, "calls", "message"]
    parts = [folded(f"All {count(len(lines), 'object')}", heads, lines)] if lines else []
    return "".join(
        [
            *parts,
            differences_html(summary.get("differences") or ()),
            refusals_html(summary.get("refusals") or ()),
            not_written_html(summary.get("not_written") or {}),
        ]
    )


def refusals_html(refusals: Sequence[Mapping[str, Any]]) -> str:
    """What the plan refused and why, folded; empty where nothing was."""
    if not refusals:
        return ""
    lines = [
        [
            str(one["object"]),
            str(one.get("field") or ""),
            str(one["reason"]).replace("_", " "),
            count(one["rows"]) if one["rows"] else "",
            str(one.get("message") or ""),
        ]
        for one in refusals
    ]
    title = f"{count(len(lines), 'reason')} why records or fields are refused"
    return folded(title, ["object", "field", "reason", "records", "message"], lines)


def differences_html(found: Sequence[Mapping[str, Any]]) -> str:
    """Fields that are not as they were in the snapshot, folded; empty where all are."""
    if not found:
        return ""
    heads = list(dict.fromkeys(key for one in found for key in one))
    lines = [["" if one.get(key) is None else str(one[key]) for key in heads] for one in found]
    title = f"The first {count(len(lines), 'difference')} between the snapshot and the org"
    return folded(title, [head.replace("_", " ") for head in heads], lines)


def not_written_html(fields: Mapping[str, Mapping[str, str]]) -> str:
    """Fields that nobody can write (formulas, auto-numbers, audit fields), folded."""
    lines = [
        [name, field, str(why).replace("_", " ")]
        for name, found in sorted(fields.items())
        for field, why in sorted(found.items())
    ]
    if not lines:
        return ""
    return folded(
        f"{count(len(lines), 'field')} that cannot be written", ["object", "field", "why"], lines
    )


def problem(text: str) -> str:
    """A sentence that a person must not miss."""
    return f"<p class='sfnb-problem'>{escape(text)}</p>"
