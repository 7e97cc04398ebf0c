"""A report as PDF, printed by the system's Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sfnb.errors import CallerError, JobError

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
PRINT_TIMEOUT_S = 120


def find_chromium() -> str:
    """
    The path of a Chromium: that in SFNB_CHROMIUM, or one that the system knows.

    Raises:
        CallerError: there is none.
    """
    if given := os.environ.get("SFNB_CHROMIUM"):
        if shutil.which(given):
            return given
        raise CallerError(
            f"SFNB_CHROMIUM is {given}, which is no program here; correct it or leave it out."
        )
    found = next((path for name in (*NAMES, *PLACES) if (path := shutil.which(name))), None)
    if found is None:
        raise CallerError(
            "a PDF is printed by Chromium, Chrome or Edge, and none was found. Install one, name "
            "it in SFNB_CHROMIUM, "
            "or open the HTML report and print it."
        )
    return found


def write_pdf(html: str, path: Path) -> None:
    """
    Print a page made with ``is_for_print`` to a PDF file. The browser has a profile of its own and
    no network to use.

    Raises:
        CallerError: no Chromium.
        JobError: it did not print.
    """
    chromium = find_chromium()
    with tempfile.TemporaryDirectory(prefix="sfnb-pdf-", ignore_cleanup_errors=True) as folder:
        page, made = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, "utf-8")
        command = [
            chromium,
            "--headless=new",
            "--disable-gpu",
            "--no-first-run",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-dev-shm-usage",
            # Nothing on the page asks for anything; were it otherwise, it would ask a proxy that is
            # not there.
            "--proxy-server=127.0.0.1:9",
            f"--user-data-dir={Path(folder) / 'profile'}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={made}",
            page.as_uri(),
        ]
        # Chromium's sandbox refuses to start for root, as in containers; the page is our own and
        # runs only our scripts.
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")
        try:
            done = subprocess.run(  # noqa: S603 - the command is ours
                command,
                capture_output=True,
                timeout=PRINT_TIMEOUT_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            raise JobError(f"{chromium} did not print the report ({type(err).__name__}).") from err
        if not made.exists():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [
                "it said nothing"
            ]
            raise JobError(f"{chromium} did not print the report: {last[0]}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(made, path)
        except OSError as err:
            raise JobError(
                f"{path} cannot be written ({err.strerror}); choose another place."
            ) from err
