"""What archives would take, have taken, and how they ended, as sentences and as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from sfnb.errors import StoreError
from sfnb.store.archived import Archives
from sfnb.store.archives import ArchiveRecord
from sfnb.store.manifest import moment_of
from sfnb.text import count, dated_moment
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


def leaving_sentence(org: str, object_name: str, *, hard: bool) -> str:
    """What a person confirms before an archive begins. Pure."""
    where = "for good" if hard else "into its recycle bin"
    return f"Records of {object_name} leave {org}, {where}, once the store has proven to have them."


def archive_label(archive: ArchiveRecord) -> str:
    """When, of which object, how many records left the org in all, and the id. Pure."""
    parts = [
        dated_moment(moment_of(archive.snapshot)),
        f"{archive.object_name}, {count(archive.rows, 'record')}",
        *([] if archive.is_done else ["not finished"]),
        archive.snapshot,
    ]
    return " · ".join(parts)


def archive_labels(archives: Archives) -> list[tuple[str, str]]:
    """
    Each archive that has taken something, newest first, and its label. A damaged one says so.

    Cost: a small file for each.
    """
    found: list[tuple[str, str]] = []
    for snapshot in archives:
        try:
            record = archives.record(snapshot)
        except StoreError:
            found.append((snapshot, f"{snapshot} · damaged"))
            continue
        if record is not None:
            found.append((snapshot, archive_label(record)))
    return found[::-1]


def archives_view(archives: Sequence[ArchiveRecord]) -> dict[str, Any]:
    """What left the org by these archives: a sentence, and a line for each object. Pure."""
    rows: Counter[str] = Counter()
    for one in archives:
        rows.update({name: one.rows_of(name) for name in one.objects})
    what = f"{count(rows.total(), 'record')} of {count(len(rows), 'object')} left the org"
    if len(archives) == 1:
        (one,) = archives
        stayed = sum(map(len, one.stayed.values()))
        more = f"; {count(stayed, 'stored record')} stayed in it" if stayed else ""
        about = f"{one.object_name} where {one.where}: {what}{more}."
    else:
        about = f"{count(len(archives), 'archive')}: {what}."
    if not all(one.is_done for one in archives):
        about += " An archive is not finished: some records are still to be deleted."
    objects = [
        {"name": name, "rows": found, "label": f"{name}: {count(found, 'record')}"}
        for name, found in sorted(rows.items())
    ]
    return {"about": about, "objects": objects}


def archives_html(archives: Sequence[ArchiveRecord]) -> str:
    """The same as HTML."""
    shown = archives_view(archives)
    lines = "".join(
        f"<tr><th scope='row'>{escape(one['name'])}</th><td>{count(one['rows'])}</td></tr>"
        for one in shown["objects"]
    )
    heads = "<th>object</th><th>records</th>"
    return (
        f"<p>{escape(shown['about'])}</p>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
    )


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
