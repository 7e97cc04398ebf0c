"""`sfnb dashboard`: one page for people who never see Python."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sfnb.cli.dashboard import way_in
from sfnb.dashboard.registry import PLACES
from tests.browser.conftest import Home, Server, end, serve, started
from tests.browser.test_accessibility import axe

TITLES = [entry.title for entry in PLACES if not entry.is_of_all]

OF_ALL = [entry.title for entry in PLACES if entry.is_of_all and entry.name != "orgs"]
"""Places of all orgs: from there no place of an org can be reached but by its name."""

NewPage = Callable[..., Page]


RING = """
import json, os, pathlib
import keyring.backend

class Ring(keyring.backend.KeyringBackend):
    priority = 1
    path = pathlib.Path(__file__).with_name("ring.json")

    def _held(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def get_password(self, service, username):
        return self._held().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self.path.write_text(json.dumps(self._held() | {f"{service} {username}": password}))

    def delete_password(self, service, username):
        held = self._held()
        held.pop(f"{service} {username}", None)
        self.path.write_text(json.dumps(held))
"""
"""A keyring in a file, for a machine that has none."""


def start_dashboard(home: Home, folder: Path) -> Server:
    """`sfnb dashboard`; its ``url`` is the address without the token, which ``token`` is."""
    command = [sys.executable, "-m", "sfnb", "dashboard", "--no-browser", "--port", "0"]
    pattern = r"(http://127\.0\.0\.1:\d+/\?token=\S+)"
    server = serve(command, home, folder, folder / "dashboard.log", pattern)
    server.url, server.token = server.url.split("/?token=")
    return server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home of these tests' own: nothing has been used or backed up yet."""
    with started(tmp_path_factory.mktemp("home")) as home:
        yield home


@pytest.fixture(scope="module")
def dashboard(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard for the tests of this file."""
    server = start_dashboard(home, tmp_path_factory.mktemp("dashboard"))
    try:
        yield server
    finally:
        end(server)


@pytest.fixture
def open_place(dashboard: Server, open_page: NewPage) -> Callable[..., Page]:
    """Opens an address of the dashboard in a browser that was given the key, and waits until it has loaded."""

    def opened(path: str = "/", *, dark: bool = False, server: Server | None = None) -> Page:
        page = open_page(dark=dark)
        at = server or dashboard
        page.goto(f"{at.url}{path}?token={at.token}")
        loaded(page)
        return page

    return opened


def loaded(page: Page) -> None:
    """Until every part of the place is there."""
    expect(page.locator("main h1")).to_be_visible(timeout=60_000)
    expect(page.locator(".loading")).to_have_count(0, timeout=60_000)


def jobs(home: Home) -> list[dict[str, Any]]:
    return list(json.loads(home.sfnb("jobs", "--json") or "[]"))


def test_from_the_front_door_to_a_finished_backup(
    home: Home, open_place: Callable[..., Page]
) -> None:
    """The only org is chosen by itself; Start runs a backup to its end; its rows can be looked at; no code is seen."""
    page = open_place()
    assert page.url.endswith("/org/demo/usage")
    expect(page.get_by_role("link", name="Download the report")).to_be_visible()
    page.get_by_role("link", name="Backup").click()
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator(".sfnb-strong")).to_contain_text("API calls")
    assert jobs(home) == []
    page.get_by_role("button", name="Start the backup").click()
    expect(page.locator(".sfnb-panel .sfnb-badge")).to_contain_text("completed", timeout=90_000)
    (job,) = jobs(home)
    assert page.url.endswith(f"/org/demo/backup/{job['job_id']}")
    page.get_by_role("link", name="Snapshots").click()
    page.get_by_label("Object", exact=True).select_option("Contact")
    expect(page.locator(".sfnb-grid tbody td").first).to_be_visible()
    for code in ("import ", "org.snapshots", "DataFrame", "Traceback"):
        expect(page.get_by_text(code)).to_have_count(0)


def test_from_a_damage_to_a_restore(home: Home, open_place: Callable[..., Page]) -> None:
    """
    The preview shows what the org has beside the snapshot; nothing is written before Yes; the job's
    page says what was brought back.
    """
    home.sfnb("backup", "demo", "--objects", "Account", "--no-files", "--no-metadata")
    for field, value in (("Name", "Damaged"), ("Phone", "000")):
        home.sfnb("demo", "rows", "change", "Account", "rows=3", f"field={field}", f"value={value}")
    page = open_place("/org/demo/restore")
    page.get_by_text("More options").click()
    page.get_by_label("Only these fields").fill("Name")
    page.get_by_role("button", name="Show the preview").click()
    preview = page.locator(".sfnb-restore-preview")
    expect(preview.locator(".sfnb-strong").first).to_contain_text("3 updated", timeout=90_000)
    expect(preview.locator(".sfnb-strong").first).to_contain_text(" into demo: ")
    preview.get_by_label("Object", exact=True).select_option("Account")
    preview.locator(".sfnb-records button").first.click()
    changes = preview.locator(".sfnb-changes tbody")
    expect(changes).to_contain_text("Damaged", timeout=60_000)
    expect(changes).not_to_contain_text("000")
    before = len(jobs(home))
    start = page.get_by_role("button", name="Start the restore")
    start.click()
    expect(page.locator(".sfnb-question")).to_contain_text(
        "This writes into demo. By the preview: "
    )
    assert axe(page, "body") == []
    page.get_by_role("button", name="No, not now").click()
    expect(page.locator(".sfnb-question")).to_be_hidden()
    assert len(jobs(home)) == before
    start.click()
    page.get_by_role("button", name="Yes, write into the org").click()
    expect(page.locator(".sfnb-panel .sfnb-badge")).to_contain_text("completed", timeout=120_000)
    job = jobs(home)[-1]
    assert page.url.endswith(f"/org/demo/restore/{job['job_id']}") and job["kind"] == "restore"
    expect(page.get_by_text("0 undeleted, 3 updated, 0 created")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Restore", exact=True).click()
    expect(page.get_by_role("link", name=f"restore {job['job_id']}")).to_be_visible(timeout=60_000)


def test_from_a_hold_to_an_archive_and_a_prune(home: Home, open_place: Callable[..., Page]) -> None:
    """
    A dry run has its table and bars; nothing is deleted before Yes; what is on hold stays and is named;
    a prune is shown, asked and done.
    """
    backup = ("backup", "demo", "--objects", "Account", "--no-files", "--no-metadata")
    for _ in range(2):
        home.sfnb(*backup)
    before = json.loads(home.sfnb("snapshots", "demo", "--json"))
    page = open_place("/org/demo/archive")
    form = page.locator(".sfnb-archive-form")
    form.get_by_label("Object", exact=True).fill("Task")
    page.get_by_label("Which of its records may leave").fill("Status = 'Completed'")
    page.get_by_label("At most so many").fill("3")
    page.get_by_role("button", name="Dry run").click()
    expect(form.locator(".sfnb-strong")).to_contain_text("would be freed", timeout=90_000)
    expect(form.locator(".sfnb-bar i").first).to_be_visible()
    panel = page.locator(".sfnb-retention")
    panel.get_by_text("New hold").click()
    panel.get_by_label("Object", exact=True).fill("Account")
    panel.get_by_label("Which of its records").select_option("where")
    panel.get_by_label("Record Ids, or a condition").fill("Name = 'nobody'")
    panel.get_by_role("button", name="Put on hold").click()
    expect(panel.locator(".sfnb-status").first).to_contain_text("give a reason")
    panel.get_by_role("textbox", name="Reason").fill("audit")
    panel.get_by_role("button", name="Put on hold").click()
    expect(panel.get_by_role("row").filter(has_text="Name = 'nobody'")).to_be_visible()
    assert axe(page, "body") == []
    (hold,) = json.loads(home.sfnb("hold", "list", "demo", "--json"))
    panel.get_by_role("button", name=f"Remove … {hold['hold_id']}").click()
    question = panel.locator(".sfnb-question:visible")
    expect(question).to_contain_text("may be pruned, archived and erased again")
    question.get_by_label("Reason").fill("over")
    question.get_by_role("button", name="Yes, remove the hold").click()
    expect(panel.get_by_text("Nothing is on hold.")).to_be_visible()
    panel.get_by_label("newest").fill("1")
    expect(panel.get_by_role("button", name="Prune …")).to_be_disabled()
    panel.get_by_role("button", name="Show what would go").click()
    expect(panel.locator(".sfnb-strong")).to_contain_text("would go and free", timeout=60_000)
    panel.get_by_role("button", name="Prune …").click()
    expect(panel.locator(".sfnb-question:visible")).to_contain_text("There is no way back")
    assert json.loads(home.sfnb("snapshots", "demo", "--json")) == before
    panel.get_by_role("button", name="Yes, remove them for good").click()
    expect(panel.locator(".sfnb-strong")).to_contain_text("that freed", timeout=60_000)
    left = {one["snapshot"] for one in json.loads(home.sfnb("snapshots", "demo", "--json"))}
    # Of the backups of this one object the newest; one of the whole org is no older copy of them.
    assert before[-1]["snapshot"] in left and before[-2]["snapshot"] not in left
    known = len(jobs(home))
    form.get_by_role("button", name="Archive and delete …").click()
    expect(form.locator(".sfnb-question")).to_contain_text("By the dry run: ")
    assert len(jobs(home)) == known
    form.get_by_role("button", name="Yes, delete in demo").click()
    badge = page.locator(".sfnb-panel .sfnb-badge")
    expect(badge).to_contain_text("completed", timeout=120_000)
    job = jobs(home)[-1]
    assert page.url.endswith(f"/org/demo/archive/{job['job_id']}") and job["kind"] == "archive"
    assert job["deleted"]["Task"] == 3
    page.get_by_role("link", name="Snapshots", exact=True).click()
    snapshots = page.get_by_label("Snapshot", exact=True)
    expect(snapshots.locator("optgroup")).to_have_count(2)
    snapshots.select_option(job["snapshot"])
    expect(page.get_by_text("left the org")).to_be_visible()
    expect(page.get_by_role("heading", name="What changed since")).to_be_hidden()
    page.get_by_label("Object", exact=True).select_option("Task")
    expect(page.locator(".sfnb-browser .sfnb-status").first).to_have_text("3 records")
    page.get_by_label("filter Id").fill("no such Id")
    expect(page.locator(".sfnb-browser .sfnb-status").first).to_have_text("0 records")
    page.get_by_role("link", name="Restore", exact=True).click()
    choice = page.locator(f"main option[value='{job['snapshot']}']")
    expect(choice).to_contain_text("archive · ")


def test_the_command_opens_the_page(dashboard: Server, open_page: NewPage, tmp_path: Path) -> None:
    """The file that the command opens in the browser leads in, and the key leaves the address."""
    page = open_page()
    page.goto(way_in(tmp_path, f"{dashboard.url}/?token={dashboard.token}").as_uri())
    loaded(page)
    assert page.evaluate("location.href") == f"{dashboard.url}/org/demo/usage"


def test_places_have_addresses(open_place: Callable[..., Page]) -> None:
    """The back button leads back, a reload stays, and the place in front is marked."""
    page = open_place("/org/demo/limits")
    expect(page.locator("nav [aria-current=page]")).to_have_text("Limits")
    page.get_by_role("link", name="Backup").click()
    expect(page.get_by_role("heading", name="New backup")).to_be_visible()
    page.get_by_role("link", name="Snapshots").click()
    expect(page.locator("h1")).to_have_text("Snapshots")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Backup")
    page.reload()
    loaded(page)
    expect(page.locator("h1")).to_have_text("Backup")
    assert page.url.endswith("/org/demo/backup")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Limits")


def test_limits_are_configured_above_the_chart(home: Home, open_place: Callable[..., Page]) -> None:
    """Cancel closes the panel and changes nothing; the chart follows what is saved; a reason is only text."""
    page = open_place("/org/demo/usage")
    expect(page.locator(".plot .main-svg").first).to_be_visible()
    configure = page.get_by_role("button", name="Configure limit")
    configure.click()
    page.locator(".fold .sfnb-percent").fill("33")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator(".fold .sfnb-slider")).to_have_count(0)
    expect(configure).to_be_focused()
    expect(page.locator(".verdict")).to_contain_text("50 %")
    expect(page.locator("#org0-usage-api .yaxislayer-above")).not_to_contain_text("60 %")
    configure.click()
    page.locator(".fold .sfnb-percent").fill("62")
    page.get_by_label("Reason").fill("<img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#says")).to_contain_text("62 %")
    expect(page.locator(".fold .sfnb-slider")).to_have_count(0)
    expect(page.locator(".verdict")).to_contain_text("62 %")
    # The axis reaches as high as the limit's line.
    expect(page.locator("#org0-usage-api .yaxislayer-above")).to_contain_text("60 %")
    page.get_by_role("button", name="Configure Bulk limits").click()
    expect(page.locator(".fold .sfnb-percent").first).to_be_visible()
    expect(page.locator(".fold")).to_have_count(2)
    page.get_by_role("link", name="Limits").click()
    expect(page.get_by_label("Changes of demo's limits")).to_contain_text("<img src=x")
    expect(page.locator("img")).to_have_count(0)
    home.sfnb("limit", "demo", "50")


def test_a_job_outlives_page_and_dashboard(
    home: Home, open_place: Callable[..., Page], tmp_path: Path
) -> None:
    """Over the limit a job starts paused; it waits without the dashboard; a new page attaches, and raises the limit."""
    home.sfnb("limit", "demo", "50")
    home.tell("quota", {"spend": {"api": 7_600}})
    server = start_dashboard(home, tmp_path / "first")
    try:
        page = open_place("/org/demo/backup", server=server)
        page.get_by_label("Only these objects").check()
        page.get_by_label("Names of the objects").fill("Account, Contact")
        page.get_by_role("button", name="Start the backup").click()
        badge = page.locator(".sfnb-panel .sfnb-badge")
        expect(badge).to_contain_text("paused", timeout=60_000)
        address = page.url.removeprefix(server.url)
        page.goto("about:blank")
    finally:
        end(server)
    page = open_place(address)
    expect(page.locator(".sfnb-panel .sfnb-badge")).to_contain_text("paused")
    page.get_by_role("button", name="Configure limit").click()
    page.locator(".fold .sfnb-percent").fill("90")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".sfnb-panel .sfnb-badge")).to_contain_text("completed", timeout=60_000)
    job = jobs(home)[-1]
    assert sorted(job["objects"]) == ["Account", "Contact"]
    home.sfnb("limit", "demo", "50")
    home.tell("clock", {"advance_minutes": 25 * 60})


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(home: Home, open_place: Callable[..., Page], dark: bool) -> None:
    """Names, roles and contrast of the whole page are in order at every place, in both themes."""
    if not jobs(home):
        home.sfnb("backup", "demo", "--objects", "Account")
    page = open_place("/org/demo/usage", dark=dark)
    page.get_by_role("button", name="Configure limit").click()
    expect(page.locator(".fold .sfnb-percent")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark" if dark else "light")
    assert axe(page, "body") == []
    for title in TITLES[1:]:
        page.get_by_role("link", name=title, exact=True).click()
        expect(page.locator("h1")).to_have_text(title)
        loaded(page)
        assert axe(page, "body") == []
    page.get_by_role("link", name="Backup").click()
    page.get_by_role("link", name=re.compile("^backup ")).first.click()
    expect(page.locator(".sfnb-panel")).to_be_visible()
    assert axe(page, "body") == []
    for title in OF_ALL:
        page.get_by_role("link", name=title, exact=True).click()
        expect(page.locator("h1")).to_have_text(title)
        loaded(page)
        assert axe(page, "body") == []


def test_a_telephone_shows_every_place(open_place: Callable[..., Page]) -> None:
    """At 390 pixels no place is wider than the page."""
    page = open_place("/org/demo/usage")
    page.set_viewport_size({"width": 390, "height": 800})
    for title in [*TITLES, *OF_ALL]:
        page.get_by_role("link", name=title, exact=True).click()
        expect(page.locator("h1")).to_have_text(title)
        loaded(page)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{title} is {width} pixels wide"


def test_several_orgs(home: Home, open_place: Callable[..., Page]) -> None:
    """Of several orgs one is chosen; an org that cannot be reached, or refuses the login, is a sentence in the page."""
    config = home.folder / "sfnb.toml"
    before = config.read_text("utf-8")
    url = json.loads((home.folder / "demo" / "ready.json").read_text("utf-8"))["url"]
    more = "".join(
        f'\n[orgs.{name}]\nlogin = "token"\ninstance_url = "{at}"\norg_id = "{org_id}"\n'
        f'[orgs.{name}.secrets]\ntoken = "env:HOME"\n'
        for name, at, org_id in (
            ("lost", "http://127.0.0.1:9", "00D000000000001AAA"),
            ("refused", url, "00D000000000002AAA"),
        )
    )
    page = open_place("/org/demo/backup")
    config.write_text(before + more, "utf-8")
    try:
        page.get_by_role("link", name="sfnb").click()
        for name in ("demo", "lost", "refused"):
            expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
        page.get_by_role("link", name="lost", exact=True).click()
        expect(page.locator(".sfnb-problem")).to_contain_text("was not reached")
        page.get_by_role("link", name="Backup").click()
        page.get_by_role("button", name="Start the backup").click()
        badge = page.locator(".sfnb-panel .sfnb-badge")
        expect(badge).to_contain_text("paused", timeout=60_000)  # it waits for the org
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("button", name="Yes, cancel the job").click()
        expect(badge).to_contain_text("cancelled", timeout=60_000)
        page.get_by_label("Org").select_option(label="refused")
        expect(page).to_have_url(re.compile("/org/refused/backup$"))
        expect(page.locator(".sfnb-problem")).to_contain_text("access token")
        page.get_by_role("button", name="Start the backup").click()
        expect(page.locator(".sfnb-status")).to_contain_text("did not start", timeout=60_000)
        page.get_by_role("link", name="Limits").click()
        expect(page.get_by_role("slider").first).to_be_visible()
    finally:
        config.write_text(before, "utf-8")


def test_what_is_typed_outlives_a_lost_connection(
    home: Home, dashboard: Server, open_page: NewPage
) -> None:
    """The connection drops and comes back: what was typed and not saved is still there, and Save then saves it."""
    page = open_page()
    routes: list[Any] = []

    def through(route: Any) -> None:
        routes.append((route, route.connect_to_server()))

    page.route_web_socket(re.compile("/socket$"), through)
    page.goto(f"{dashboard.url}/org/demo/usage?token={dashboard.token}")
    loaded(page)
    page.get_by_role("button", name="Configure limit").click()
    page.locator(".fold .sfnb-percent").fill("64")
    page.get_by_label("Reason").fill("typed before")

    def drop() -> None:
        before = len(routes)
        for side in routes[-1]:
            side.close()
        expect(page.locator("#lost")).to_be_visible()
        expect(page.locator("#lost")).to_be_hidden()
        assert len(routes) > before

    drop()
    expect(page.locator(".fold .sfnb-percent")).to_have_value("64")
    expect(page.get_by_label("Reason")).to_have_value("typed before")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#says")).to_contain_text("64 %")
    expect(page.locator(".verdict")).to_contain_text("64 %")
    page.get_by_role("link", name="Backup").click()
    page.get_by_label("Only these objects").check()
    page.get_by_label("Names of the objects").fill("Account")
    drop()
    expect(page.get_by_label("Names of the objects")).to_have_value("Account")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator(".sfnb-backup .sfnb-strong")).to_contain_text("1 object,")
    home.sfnb("limit", "demo", "50")


def test_from_nothing_to_a_report_without_a_terminal(
    home: Home, open_place: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home without orgs: the page registers one under another name, backs it up, and gives its report as a file."""
    (tmp_path / "filering.py").write_text(RING, "utf-8")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "filering.Ring")
    ready = json.loads((home.folder / "demo" / "ready.json").read_text("utf-8"))
    empty = Home(tmp_path / "empty")
    empty.folder.mkdir()
    server = start_dashboard(empty, tmp_path / "dashboard")
    try:
        page = open_place(server=server)
        expect(page.get_by_text("No org is registered yet")).to_be_visible()
        page.get_by_label("Name of the org here").fill("acme")
        page.get_by_label("Address of the org").fill(ready["url"])
        page.get_by_label("User name", exact=True).fill(ready["username"])
        page.get_by_label("Password", exact=True).fill("wrong")
        page.get_by_role("button", name="Add this org").click()
        expect(page.locator(".sfnb-add .sfnb-status")).to_contain_text("password", timeout=60_000)
        page.get_by_label("Password", exact=True).fill(ready["password"])
        page.get_by_role("button", name="Add this org").click()
        expect(page).to_have_url(re.compile("/org/acme/usage$"), timeout=60_000)
        assert ready["password"] not in (empty.folder / "sfnb.toml").read_text("utf-8")
        for log in (empty.folder / "dashboard" / "jobs").iterdir():
            assert ready["password"] not in log.read_text("utf-8")
        page.get_by_role("link", name="Backup").click()
        page.get_by_label("Only these objects").check()
        page.get_by_label("Names of the objects").fill("Account, Contact")
        page.get_by_role("button", name="Start the backup").click()
        expect(page.locator(".sfnb-panel .sfnb-badge")).to_contain_text("completed", timeout=90_000)
        expect(page.get_by_label("Outcome")).to_contain_text("2 of 2 objects")
        page.get_by_role("link", name="Usage").click()
        loaded(page)
        with page.expect_download() as coming:
            page.get_by_role("link", name="Download the report").click()
        report = Path(coming.value.path()).read_text("utf-8")
        assert coming.value.suggested_filename == "usage-acme.html" and "acme" in report
    finally:
        end(server)
