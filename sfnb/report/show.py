"""A report inside a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sfnb.report.page import html_report
from sfnb.usage.review import Review


def show(reviews: Sequence[Review], *, height: int = 900) -> None:
    """
    Display the report, tabs and charts alive, in JupyterLab, a notebook run by papermill, or a page converted from one.

    It is the same page that ``html_report`` makes, in a frame that may run its own scripts and reach nothing else.
    """
    from IPython.display import HTML, display

    page = escape(html_report(reviews), quote=True)
    style = f"width: 100%; height: {height}px; border: 0"
    frame = f'<iframe srcdoc="{page}" sandbox="allow-scripts" title="API usage" style="{style}"></iframe>'
    names = ", ".join(review.org for review in reviews)
    display(HTML(f"<div>{frame}</div>", metadata={"sfnb": f"usage report of {names}"}))  # type: ignore[no-untyped-call]
