"""The archives of an org in the page: what left it, when, how to find it again; and what must not go."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.wording import in_page
from sfnb.store.archives import ArchiveRecord, archive_folder, archive_ids, read_archive_record
from sfnb.text import count, zoned_moment
from sfnb.ui.elements import Picture
from sfnb.ui.retention import RetentionPanel

SHOWN = 50
EVERY_S = 20.0


class Retention(RetentionPanel):
    """Holds and retention in the page's own words."""

    def view(self) -> dict[str, Any]:
        shown: dict[str, Any] = in_page(super().view())
        return shown


def archives_part(org: LocalOrg) -> Picture:
    """The newest archives as a table. Cost: no calls; a small file for each."""

    def make() -> str:
        shown: str = in_page(archives_html(org.name, _newest(org)))
        return shown

    return Picture("Archives", make, every_s=EVERY_S)


def _newest(org: LocalOrg) -> list[ArchiveRecord]:
    files = org.store.files
    newest = list(reversed(list(archive_ids(files))))[:SHOWN]
    found = (read_archive_record(files.below(archive_folder(one))) for one in newest)
    return [one for one in found if one is not None]


def archives_html(name: str, archives: list[ArchiveRecord]) -> str:
    """Archives, newest first. Pure."""
    how = (
        "<p class='sfnb-quiet'>See and filter their records under Snapshots, or search all of them: "
        f"<code>sfnb archive search {escape(name)} TEXT</code> (in a terminal).</p>"
    )
    if not archives:
        return f"<h4>Archives</h4><p>Nothing was archived yet.</p>{how}"
    rows = "".join(
        f"<tr><th scope='row'>{escape(one.snapshot)}</th>"
        f"<td>{zoned_moment(datetime.fromisoformat(one.archived_at))}</td>"
        f"<td>{escape(one.object_name)}</td><td>{escape(one.where)}</td>"
        f"<td>{count(one.rows)}</td><td>{'yes' if one.is_done else 'not yet'}</td></tr>"
        for one in archives
    )
    heads = "".join(
        f"<th>{text}</th>"
        for text in ("snapshot", "archived", "object", "condition", "records", "ended")
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<h4>Archives</h4>{table}{how}"
