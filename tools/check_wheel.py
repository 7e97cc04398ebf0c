"""Builds the wheel, installs it into an environment without the checkout, and runs a backup."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, **options: object) -> str:
    done = subprocess.run(
        [str(c) for c in command], text=True, capture_output=True, check=False, **options
    )  # type: ignore[call-overload]
    if done.returncode:
        sys.exit(f"{' '.join(str(c) for c in command)}\n{done.stdout}{done.stderr}")
    return str(done.stdout)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", there, ROOT)
        wheel = next(there.glob("*.whl"))
        # The libraries are those of this environment; sfnb itself is only in the new one.
        venv.create(there / "venv", with_pip=True, system_site_packages=False)
        binaries = there / "venv" / ("Scripts" if os.name == "nt" else "bin")
        python = binaries / ("python.exe" if os.name == "nt" else "python")
        run(
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
            wheel,
        )
        site = Path(
            run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip()
        )
        libraries = [p for p in sys.path if p.endswith("site-packages")]
        (site / "libraries.pth").write_text("\n".join(libraries))
        # Borrowed libraries leave what they keep beside them, such as the templates of pages, where it was.
        share = Path(sys.prefix, "share", "jupyter")
        env = {**os.environ, "SFNB_HOME": str(there / "home"), "JUPYTER_PATH": str(share)}
        sfnb = binaries / ("sfnb.exe" if os.name == "nt" else "sfnb")
        origin = run(python, "-c", "import sfnb; print(sfnb.__file__)", cwd=there).strip()
        if not origin.startswith(str(there)):
            sys.exit(f"the new environment imports sfnb from {origin}")
        run(sfnb, "demo", "start", "--size", "tiny", env=env, cwd=there)
        try:
            summary = json.loads(
                run(
                    sfnb,
                    "backup",
                    "demo",
                    "--objects",
                    "Account,Contact",
                    "--json",
                    env=env,
                    cwd=there,
                )
            )
            run(sfnb, "run", "run_backup", "-p", "objects", "Account", env=env, cwd=there)
        finally:
            run(sfnb, "demo", "stop", env=env, cwd=there)
        print(f"{wheel.name} backs up elsewhere: {summary['state']}, {summary['rows']} rows")


if __name__ == "__main__":
    main()
