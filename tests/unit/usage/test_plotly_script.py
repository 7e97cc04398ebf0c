"""The script that a report carries along."""

from __future__ import annotations

from plotly.offline import get_plotlyjs_version

from sfnb.report.plotly_script import library


def test_the_script_is_of_the_version_that_makes_the_figures() -> None:
    """Figures come from Plotly's Python package, so the script is that package's; else run tools/fetch_plotly.py."""
    assert f"plotly.js (cartesian - minified) v{get_plotlyjs_version()}" in library()[:200]
