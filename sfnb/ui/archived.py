"""What an archive would take and how it ended, as sentences and as HTML. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from sfnb.text import count
from sfnb.ui.folding import folded

REASONS: Mapping[str, str] = {
    "on_hold": "on hold",
    "changed_meanwhile": "changed meanwhile",
    "refused": "refused by the org",
    "not_verified": "not whole in the store",
    "over_max_rows": "beyond the cap of one run",
}
"""Why a record stays, in words."""

MB = 1_048_576


def sentence_of(summary: Mapping[str, Any], badge: str) -> str:
    """The job in one sentence."""
    deleted = summary.get("deleted")
    rows = sum((deleted if deleted is not None else summary.get("plan") or {}).values())
    what = "archived and deleted in the org" if deleted is not None else "planned"
    return (
        f"{badge}: {count(rows, 'record')} {what}, {summary.get('storage_freed_mb', 0):,.2f} MB; "
        f"{count(summary['calls']['api'], 'API call')}, snapshot {summary['snapshot']}."
    )


def kept_sentences(said: Mapping[str, Any]) -> list[str]:
    """How many records stay, by reason."""
    counts = said.get("kept_counts") or {}
    return [f"Kept, {REASONS[why]}: {count(rows, 'record')}." for why, rows in counts.items()]


def emptied_sentences(said: Mapping[str, Any]) -> list[str]:
    """Which lookups of other records the org would empty."""
    return [
        f"{count(one['records'], 'record')} of {one['object']} would lose {one['field']}, which "
        f"refers to a {one['to']} that goes."
        for one in said.get("lookups_emptied") or ()
    ]


def kept_html(said: Mapping[str, Any]) -> str:
    """The records that stay, folded."""
    kept = said.get("kept") or []
    lines = [[one["object"], one["id"], REASONS[one["reason"]], one["message"]] for one in kept]
    if not lines:
        return ""
    heads = ["object", "Id", "reason", "message"]
    return folded(f"{count(len(lines), 'record')} kept", heads, lines)


def objects_html(summary: Mapping[str, Any]) -> str:
    """Records by object: planned, and gone from the org."""
    plan, deleted = summary.get("plan") or {}, summary.get("deleted") or {}
    lines = [
        [name, count(plan.get(name, 0)), count(deleted.get(name, 0))]
        for name in sorted({*plan, *deleted})
    ]
    table = folded(f"All {count(len(lines), 'object')}", ["object", "planned", "deleted"], lines)
    return table + kept_html(summary)


def plan_html(said: Mapping[str, Any], sizes: Mapping[str, int]) -> str:
    """
    A dry run as a table, with a bar for the storage that each object's records would free.

    Args:
        said: as `sfnb archive --dry-run --json` prints it.
        sizes: bytes of storage by object.
    """
    most = max(sizes.values(), default=0) or 1
    lines = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{count(rows)}</td>"
        f"<td>{sizes.get(name, 0) / MB:,.2f}</td><td><span class='sfnb-bar'>"
        f"<i style='width:{100 * sizes.get(name, 0) / most:.1f}%'></i></span></td></tr>"
        for name, rows in said["plan"].items()
    )
    heads = "<th>object</th><th>records</th><th>MB freed</th><td></td>"
    rows = sum(said["plan"].values())
    parts = [
        f"<p class='sfnb-strong'>{count(rows, 'record')} would go, "
        f"{said['storage_freed_mb']:,.2f} MB of storage would be freed. Nothing was changed.</p>",
        f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>" if lines else "",
        *(f"<p>{escape(text)}</p>" for text in (*emptied_sentences(said), *kept_sentences(said))),
    ]
    return "".join([*parts, kept_html(said)])
