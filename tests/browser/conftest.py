"""
A real browser on a real JupyterLab or dashboard, real kernels, and a demo org in its own process.

What the tests need beside Python packages is the system's Chromium (Debian: ``apt-get install chromium``), or another
one named by SFNB_CHROMIUM. Screenshots are kept in the folder SFNB_ARTEFACTS (default: ``build/screens``).
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
import requests

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: pip install 'sfnb[dev]'"
)

from playwright.sync_api import Browser, Page, expect  # noqa: E402 - after the line that says that it is missing

from sfnb.cli.main import run  # noqa: E402
from tests.conftest import left_out  # noqa: E402

START_S = 60.0
QUICK = ("limit", "audit", "jobs")
SWITCHES = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=20_000)


def find_chromium() -> str | None:
    """The browser that is there, or None."""
    named = os.environ.get("SFNB_CHROMIUM")
    return named or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


def launch(playwright: Any) -> Browser:
    """Start the system's Chromium, headless."""
    switches = (
        [*SWITCHES, "--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else SWITCHES
    )
    chromium: Browser = playwright.chromium.launch(executable_path=find_chromium(), args=switches)
    return chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the whole session; each test gets a profile of its own."""
    if find_chromium() is None:
        left_out(
            "there is no Chromium: install the Debian package chromium, or name one in SFNB_CHROMIUM"
        )
    with sync_api.sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots go."""
    folder = Path(os.environ.get("SFNB_ARTEFACTS", "build/screens"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass
class Home:
    """An SFNB_HOME of a session's own, with the demo org running and registered as ``demo``."""

    folder: Path
    config: str = ""

    @property
    def environ(self) -> dict[str, str]:
        jupyter = self.folder / "jupyter"
        return os.environ | {
            "SFNB_HOME": str(self.folder),
            "PYTHONUTF8": "1",
            "JUPYTER_CONFIG_DIR": str(jupyter),
            "JUPYTERLAB_SETTINGS_DIR": str(jupyter / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(jupyter / "workspaces"),
        }

    def quiet_lab(self) -> None:
        """JupyterLab's question whether to fetch news would lie on top of what we look at."""
        folder = self.folder / "jupyter" / "settings" / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True)
        (folder / "notification.jupyterlab-settings").write_text(
            '{"fetchNews": "false", "checkForUpdates": false}'
        )

    def sfnb(self, *arguments: str, check: bool = True) -> str:
        """What `sfnb …` prints."""
        if arguments[0] in QUICK:
            return self._here(arguments)
        done = subprocess.run(
            [sys.executable, "-m", "sfnb", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _here(self, arguments: Sequence[str]) -> str:
        """A command that only looks into the state takes longer to start than to run."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
            patch.setenv("SFNB_HOME", str(self.folder))
            code = run(list(arguments))
        assert code == 0, said.getvalue()
        return said.getvalue()

    def code(self, *arguments: str) -> int:
        """The exit code of `sfnb …`."""
        command = [sys.executable, "-m", "sfnb", *arguments]
        done = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, check=False
        )
        return done.returncode

    def tell(
        self, path: str, body: dict[str, Any] | None = None, *, method: str = ""
    ) -> dict[str, Any]:
        """Call the demo org's control endpoint; POST when there is a body, GET otherwise."""
        ready = json.loads((self.folder / "demo" / "ready.json").read_text("utf-8"))
        headers = {"X-Demo-Control": ready["control_token"]}
        url = f"{ready['url']}/control/{path}"
        method = method or ("GET" if body is None else "POST")
        answer = requests.request(method, url, json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return dict(answer.json())


DEMO_OPTIONS = (
    *("--size", "tiny", "--competitors", "off", "--max-calls", "15000"),
    # Pages of contacts, one after another: the limit header is old, and has to catch up.
    *("--minutes-per-second", "1", "--option", "objects=Contact=9000"),
)


@contextmanager
def started(folder: Path) -> Iterator[Home]:
    """A home with its demo org, until the end of the block."""
    home = Home(folder)
    home.sfnb("demo", "start", *DEMO_OPTIONS)
    home.quiet_lab()
    home.config = (folder / "sfnb.toml").read_text("utf-8")
    try:
        yield home
    finally:
        home.sfnb("demo", "stop", check=False)


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for all files: a demo org and a JupyterLab take long to start."""
    with started(tmp_path_factory.mktemp("home")) as home:
        yield home


@pytest.fixture(scope="module")
def home(shared_home: Home) -> Home:
    """The home of all files as a file's tests find it: one org, its limit 50 %, none of it used."""
    (shared_home.folder / "sfnb.toml").write_text(shared_home.config, "utf-8")
    shared_home.tell("clock", {"advance_minutes": 25 * 60})
    shared_home.sfnb("limit", "demo", "50")
    return shared_home


@pytest.fixture(autouse=True)
def healed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Faults that a test scripted end with it."""
    yield
    if "home" in request.fixturenames:
        request.getfixturevalue("home").tell("faults", method="DELETE")


@dataclass
class Server:
    """A JupyterLab or a dashboard that answers. ``folder`` holds its notebooks."""

    url: str
    token: str
    folder: Path
    process: subprocess.Popen[bytes]

    def put(self, name: str, *cells: str, **metadata: Any) -> str:
        """Write a notebook of these code cells; its name."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            }
            | metadata,
        )
        nbformat.write(notebook, self.folder / name)
        return name


def serve(command: list[str], home: Home, folder: Path, log: Path, pattern: str) -> Server:
    """Start a server on a port of the system's choice; it tells its address in its log, where ``pattern`` finds it."""
    folder.mkdir(exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=home.environ, cwd=folder, stdout=out, stderr=out)
    for _ in range(int(START_S / 0.1)):
        text = log.read_text("utf-8", errors="replace")
        if found := re.search(pattern, text):
            return Server(found[1].rstrip("/"), "", folder, process)
        if process.poll() is not None:
            pytest.fail(f"{command[2]} ended at once: {text[-2000:]}")
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"{command[2]} did not answer within {START_S:.0f} s: {log.read_text()[-2000:]}")


def end(server: Server) -> None:
    """End a server and its kernels."""
    server.process.terminate()
    try:
        server.process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


def start_lab(home: Home, folder: Path) -> Server:
    """A JupyterLab whose notebooks are in ``folder``."""
    folder.mkdir(exist_ok=True)
    token = secrets.token_hex(16)
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--port=0",
        f"--IdentityProvider.token={token}",
    ]
    command += [
        "--allow-root",
        "--LabApp.expose_app_in_browser=True",
        f"--ServerApp.root_dir={folder / 'notebooks'}",
    ]
    server = serve(
        command, home, folder / "notebooks", folder / "lab.log", r"(http://127\.0\.0\.1:\d+)/lab"
    )
    server.token = token
    return server


@pytest.fixture(scope="session")
def lab(shared_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One JupyterLab for all files."""
    server = start_lab(shared_home, tmp_path_factory.mktemp("lab"))
    try:
        yield server
    finally:
        end(server)


OpenNotebook = Callable[..., Page]


@pytest.fixture
def open_page(
    browser: Browser, artefacts: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """A factory of pages, each of a person of its own; what they show at the test's end is kept as a screenshot."""
    with ExitStack() as stack:
        pages: list[Page] = []

        def new(*, dark: bool = False) -> Page:
            context = browser.new_context(
                viewport={"width": 1280, "height": 1000}, color_scheme="dark" if dark else "light"
            )
            stack.callback(context.close)
            page = context.new_page()
            pages.append(page)
            return page

        yield new
        name = re.sub(r"\W+", "_", request.node.name)
        for number, page in enumerate(pages):
            page.screenshot(path=artefacts / f"{name}{f'_{number}' if number else ''}.png")


class Desk:
    """
    A person's JupyterLab and its kernel, kept from test to test: to load the one and to start and
    warm the other takes ten times as long as what most tests look at.
    """

    def __init__(self, browser: Browser, lab: Server) -> None:
        self._lab = lab
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        self.page = context.new_page()
        self._is_dark = False
        self._kernel = ""

    def open(self, name: str, *, dark: bool) -> Page:
        """Open a notebook, and nothing beside it."""
        page = self.page
        if not self._kernel:
            workspace = secrets.token_hex(4)
            page.goto(
                f"{self._lab.url}/lab/workspaces/{workspace}/tree/{name}?token={self._lab.token}"
            )
            wait_for_kernel(page)
            self._kernel = page.evaluate(
                "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
            )
        else:
            page.evaluate(OPEN_ALONE, [name, self._kernel])
            wait_for_kernel(page)
        if dark != self._is_dark:
            page.emulate_media(color_scheme="dark" if dark else "light")
            theme = "JupyterLab Dark" if dark else "JupyterLab Light"
            command(page, "apputils:change-theme", {"theme": theme})
            self._is_dark = dark
        return page

    def close(self) -> None:
        self.page.context.close()


OPEN_ALONE = """async ([path, id]) => {
    const { shell, commands } = window.jupyterapp;
    for (const widget of [...shell.widgets("main")]) {
        if (widget.context) widget.context.model.dirty = false; // nobody is asked whether to save
        widget.close();
    }
    await commands.execute("docmanager:open", { path, factory: "Notebook", kernel: { id } });
}"""


@pytest.fixture(scope="session")
def desks(browser: Browser, lab: Server) -> Iterator[list[Desk]]:
    """The desks that tests have used, the first one first."""
    kept: list[Desk] = []
    yield kept
    for desk in kept:
        desk.close()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Notes that a test has failed, for what is kept from test to test."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture
def open_lab(
    browser: Browser,
    lab: Server,
    desks: list[Desk],
    artefacts: Path,
    request: pytest.FixtureRequest,
) -> Iterator[OpenNotebook]:
    """
    Opens a notebook of the lab and, unless told otherwise, runs all its cells. Each call within a
    test is another person's: a page and a kernel of its own.
    """
    used: list[Desk] = []

    def opened(name: str, *, run: bool = True, dark: bool = False) -> Page:
        if len(used) == len(desks):
            desks.append(Desk(browser, lab))
        desk = desks[len(used)]
        used.append(desk)
        page = desk.open(name, dark=dark)
        if run:
            command(page, "notebook:run-all-cells")
        return page

    yield opened
    node = re.sub(r"\W+", "_", request.node.name)
    for number, desk in enumerate(used):
        desk.page.screenshot(path=artefacts / f"{node}{f'_{number}' if number else ''}.png")
        if request.node.stash.get(
            FAILED, False
        ):  # whatever state it is in, the next test has another
            desks.remove(desk)
            desk.close()


def command(page: Page, name: str, arguments: dict[str, Any] | None = None) -> None:
    """Run a command of JupyterLab's palette, without waiting for its end."""
    page.evaluate(
        "([n, a]) => { window.jupyterapp.commands.execute(n, a); }", [name, arguments or {}]
    )


def wait_for_kernel(page: Page) -> None:
    """Until the notebook in front has a kernel that is idle."""
    page.locator(".jp-NotebookPanel .jp-Notebook").first.wait_for(timeout=60_000)
    page.wait_for_function(
        """() => {
            const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
            const session = panel && panel.sessionContext && panel.sessionContext.session;
            return session && session.kernel && session.kernel.status === "idle";
        }""",
        timeout=60_000,
    )
