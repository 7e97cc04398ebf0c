"""
Plotly's script for bars, lines and heat maps: a third of the whole library, since a report carries it along.

Plotly is Copyright Plotly, Inc., under the MIT license, as the script's first lines say.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files


@cache
def packed_library() -> bytes:
    """The script, gzip. `tools/fetch_plotly.py` fetches it anew."""
    return (files("sfnb.report") / "plotly-cartesian.min.js.gz").read_bytes()


@cache
def library() -> str:
    """The script as text."""
    return gzip.decompress(packed_library()).decode()
