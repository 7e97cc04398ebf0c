"""A report inside a notebook, and the file that it is written to."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfnb.errors import JobError
from sfnb.report.page import html_report
from sfnb.settings import load_settings
from sfnb.usage.review import Review

if TYPE_CHECKING:
    import pandas as pd

FIRST_HEIGHT = 900
"""Until the page reports its own height, and where scripts of a notebook may not run."""

RESIZE = """
<script>(() => {
  const frame = document.currentScript.previousElementSibling;
  addEventListener("message", (event) => {
    const height = event.source === frame.contentWindow && event.data.sfnb_height;
    if (height) frame.style.height = `${height}px`;
  });
})();</script>
"""


def show(reviews: Sequence[Review]) -> None:
    """
    Display the report, tabs and charts alive, in JupyterLab, a notebook run by papermill, or a page
    converted from one.

    It is the same page that ``html_report`` makes, in a frame as high as the page, so that nothing
    scrolls inside it. The frame runs its own scripts and reaches nothing else.
    """
    from IPython.display import HTML, display

    page = escape(html_report(reviews), quote=True)
    style = f"width: 100%; height: {FIRST_HEIGHT}px; border: 0"
    frame = f'<iframe srcdoc="{page}" sandbox="allow-scripts" title="API usage" style="{style}"></iframe>'
    names = ", ".join(review.org for review in reviews)
    display(HTML(f"<div>{frame}{RESIZE}</div>", metadata={"sfnb": f"usage report of {names}"}))  # type: ignore[no-untyped-call]


def write_html(reviews: Sequence[Review], file: str | Path | None = None) -> Path:
    """
    Write the report; where to: ``file``, or the folder ``reports`` of SFNB_HOME.

    Raises:
        JobError: it cannot be written there.
    """
    path = Path(file) if file else load_settings().home / "reports" / "usage.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html_report(reviews), "utf-8")
    except OSError as err:
        raise JobError(
            f"{path} cannot be written ({err.strerror}). Choose another html_file."
        ) from err
    return path.resolve()


def link(path: Path) -> Any:
    """The written file as a link to click and a path to copy."""
    from IPython.display import HTML

    return HTML(f'The report is <a href="{escape(path.as_uri())}">{escape(str(path))}</a>.')  # type: ignore[no-untyped-call]


def folded(title: str, frames: Sequence[pd.DataFrame]) -> Any:
    """Frames below each other, for those who unfold them."""
    import pandas as pd
    from IPython.display import HTML

    table = pd.concat(frames, ignore_index=True).to_html(index=False, escape=True, border=0)
    return HTML(f"<details><summary>{escape(title)}</summary>{table}</details>")  # type: ignore[no-untyped-call]
