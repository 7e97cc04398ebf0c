"""
The part of Plotly's script that draws our charts, from npm, packed, into sfnb/report. Run it
after an upgrade of Plotly.

The cartesian bundle (bars, lines, heat maps) is a third of the whole library that Plotly's Python package brings.
"""

from __future__ import annotations

import gzip
import subprocess
import tarfile
import tempfile
from pathlib import Path

from plotly.offline import get_plotlyjs_version

TARGET = Path(__file__).parents[1] / "sfnb" / "report" / "plotly-cartesian.min.js.gz"


def main() -> None:
    wanted = f"plotly.js-cartesian-dist-min@{get_plotlyjs_version()}"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", wanted], cwd=folder, check=True)
        (packed,) = Path(folder).glob("*.tgz")
        with tarfile.open(packed) as files:
            member = files.extractfile("package/plotly-cartesian.min.js")
            if member is None:
                raise SystemExit(f"{wanted} has no file plotly-cartesian.min.js any more")
            script = member.read()
    # A fixed time, so that the same version is the same file.
    TARGET.write_bytes(gzip.compress(script, 9, mtime=0))
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes of {len(script):,}")


if __name__ == "__main__":
    main()
