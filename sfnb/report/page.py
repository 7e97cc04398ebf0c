"""
The HTML page: one file, no request to anywhere, and no text of the org can run as script (P8).

Three walls stand between an app called ``<script>…`` and its running: the template escapes all
texts, the figures' data is JSON in a block that no browser executes (packed on a screen's page,
escaped on a printed one), and a content security policy lets only our own scripts run, by their
hash.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

import plotly

from sfnb.charts import TEMPLATES
from sfnb.report.panels import OrgPanel, panel_of
from sfnb.report.plotly_script import library, packed_library
from sfnb.report.template import ENVIRONMENT, asset, sha256, trusted
from sfnb.text import dated_moment, zone_name
from sfnb.usage.review import Review


def html_report(
    reviews: Sequence[Review], *, title: str = "API usage", is_for_print: bool = False
) -> str:
    """
    One HTML page with a tab for each org; under 1 MB, most of it Plotly, packed.

    Args:
        is_for_print: all orgs below each other and everything drawn before the page counts as
            loaded, for a PDF.
    """
    panels = [panel_of(review) for review in reviews]
    script = asset("chart.js") + asset("page.js")
    hashes = " ".join(f"'sha256-{sha256(text)}'" for text in (script, library()))
    data = script_json(_data(panels, is_for_print=is_for_print))
    made_at = max((review.history.now for review in reviews), default=None)
    zone = reviews[0].zone if reviews else None
    as_of = f"As of {dated_moment(made_at, zone)} ({zone_name(zone)})" if made_at and zone else ""
    return ENVIRONMENT.get_template("page.html").render(
        title=title,
        made_at=as_of,
        panels=panels,
        # Plotly puts style rules in by script; styles can load nothing, since no source is allowed.
        policy=f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'",
        style=trusted(asset("page.css")),
        script=trusted(script),
        # A chart that is printed must be there when the page has loaded: nothing is packed then.
        library=trusted(library() if is_for_print else ""),
        packed="" if is_for_print else base64.b64encode(packed_library()).decode(),
        data=trusted(data) if is_for_print else _packed(data),
        is_for_print=is_for_print,
        plotly_version=plotly.__version__,
    )


def panel_html(review: Review) -> dict[str, Any]:
    """One org's part for another page: ``html``, ``figures`` by id, ``templates`` by theme."""
    panel = panel_of(review)
    return {
        "html": str(ENVIRONMENT.get_template("org.html").module.org(panel, 0)),  # type: ignore[attr-defined]
        **_data([panel], is_for_print=False),
    }


def script_json(value: Any) -> str:
    """
    JSON that may stand inside a ``<script>`` block: no sign in it can end the block or begin a
    comment.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def figure_json(figure: Any) -> dict[str, Any]:
    """A figure as Plotly's script takes it, without theme and title: the page has both."""
    found: dict[str, Any] = json.loads(figure.to_json())
    found["layout"].pop("template", None)
    found["layout"].pop("title", None)
    found["layout"]["margin"] = {**found["layout"].get("margin", {}), "t": 12}
    return found


def _data(panels: Sequence[OrgPanel], *, is_for_print: bool) -> dict[str, Any]:
    return {
        "figures": {
            f"org{number}-{shown.key}": figure_json(shown.figure)
            for number, panel in enumerate(panels)
            for shown in (*panel.figures, *panel.more)
            if shown.figure is not None
        },
        "templates": {name: template.to_plotly_json() for name, template in TEMPLATES.items()},
        "print": is_for_print,
    }


def _packed(text: str) -> str:
    # A fixed time, so that the same report is the same file.
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
