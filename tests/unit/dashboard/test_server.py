"""Who may use the dashboard, and what its answers allow a browser to do."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from tornado.httpclient import HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClientConnection, websocket_connect

from sfnb.settings import OrgConfig, load_settings, put_org
from tests.unit.dashboard.conftest import ORG_ID, Dashboard

PATHS = ("/", "/org/north/usage", "/org/north/report.html", "/static/page.js", "/socket")


@pytest.mark.parametrize("path", PATHS)
def test_without_the_key_nothing_is_served(dashboard: Dashboard, path: str) -> None:
    """Who has neither the token nor the cookie is refused, with a sentence that says where the key is."""
    for url in (dashboard.origin + path, f"{dashboard.origin}{path}?token=guessed"):
        answer = requests.get(url, timeout=30)
        assert answer.status_code == 403
        assert "sfnb dashboard" in answer.text


def cookie_of(dashboard: Dashboard) -> str:
    """What a browser that was let in sends, whatever the name by which it came."""
    return "; ".join(f"{one.name}={one.value}" for one in dashboard.let_in().cookies)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8866", "127.0.0.1.evil.example"])
def test_another_host_is_refused(dashboard: Dashboard, path: str, host: str) -> None:
    """A page whose name was pointed at this machine (DNS rebinding) gets nothing, even with the key."""
    headers = {"Host": host, "Cookie": cookie_of(dashboard)}
    answer = requests.get(dashboard.origin + path, headers=headers, timeout=30)
    assert answer.status_code == 403


def test_the_token_becomes_a_cookie(dashboard: Dashboard) -> None:
    """The token leaves the address bar; the cookie is out of reach of scripts and of other sites."""
    answer = requests.get(dashboard.address, timeout=30, allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert dashboard.address.split("token=")[1] not in cookie


def test_no_script_but_our_own_may_run(dashboard: Dashboard) -> None:
    """The page's policy lets only our own files run as scripts, and nothing be loaded from elsewhere (P8)."""
    answer = dashboard.let_in().get(f"{dashboard.origin}/org/north/usage", timeout=30)
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "<script>" not in answer.text
    assert "://" not in answer.text.replace("http://127.0.0.1", "")


def test_files_are_known_by_their_digest(dashboard: Dashboard) -> None:
    """A browser that has a file is not sent it again; a name that is no file of ours is not found."""
    session = dashboard.let_in()
    first = session.get(f"{dashboard.origin}/static/limit_slider.js", timeout=30)
    assert "export default" in first.text
    again = session.get(
        f"{dashboard.origin}/static/limit_slider.js",
        headers={"If-None-Match": first.headers["Etag"]},
        timeout=30,
    )
    assert again.status_code == 304
    assert session.get(f"{dashboard.origin}/static/nothing.js", timeout=30).status_code == 404


# ------------------------------------------------------------------------------------------------- the connection


def talk(
    dashboard: Dashboard, opened: str, count: int, *, origin: str | None = None
) -> list[dict[str, Any]]:
    """What a page hears first after it has opened an address."""
    headers = {"Cookie": cookie_of(dashboard), "Origin": origin or dashboard.origin}
    url = dashboard.origin.replace("http", "ws") + "/socket"

    async def heard() -> list[dict[str, Any]]:
        connection: WebSocketClientConnection = await websocket_connect(
            HTTPRequest(url, headers=headers)
        )
        await connection.write_message(json.dumps({"open": opened}))
        messages = [json.loads(await connection.read_message() or "{}") for _ in range(count)]
        connection.close()
        return messages

    # In a thread of its own: a browser test before this one may have left a loop in the main thread.
    def listen() -> list[dict[str, Any]]:
        return IOLoop(make_current=False).run_sync(heard, timeout=60)  # type: ignore[no-any-return]

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(listen).result()


def test_another_site_cannot_connect(dashboard: Dashboard) -> None:
    """A browser sends our cookie with other sites' WebSockets on this machine too; their Origin is refused."""
    with pytest.raises(Exception, match="403"):
        talk(dashboard, "/", 1, origin="http://127.0.0.1:1")


def test_an_unreachable_org_shows_its_limits_and_a_sentence(dashboard: Dashboard) -> None:
    """What needs no call is shown whether or not the org answers; each part arrives by itself."""
    place, *parts = talk(dashboard, "/org/north/limits", 4)
    assert place["place"]["title"] == "Limits"
    assert [org["name"] for org in place["place"]["orgs"]] == ["north", "south"]
    scripts = {part["script"]: part["view"] for part in parts if "script" in part}
    assert scripts["limit_slider"]["budgets"][0]["limit"]["percent"] == 50


def test_an_org_that_keeps_silent_holds_nothing_up(dashboard: Dashboard) -> None:
    """While the org is being asked, and does not answer, what is stored is shown."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        secrets = {"password": "env:SFNB_HOME"}
        put_org(
            load_settings(),
            OrgConfig("silent", "password", url, url, "ada", secrets=secrets, org_id=ORG_ID),
        )
        dashboard.makes.org_names()
        org = dashboard.makes.org("silent")
        org.ask_soon()
        call, _ = silent.accept()
        with call:
            _, *parts = talk(dashboard, "/org/silent/limits", 4)
            assert {part["script"] for part in parts} == {"picture", "limit_slider"}
            assert org.is_asking


def test_an_address_of_nothing_is_a_sentence(dashboard: Dashboard) -> None:
    """An org that is not registered, or a place that does not exist, says so and offers what there is."""
    (place,) = talk(dashboard, "/org/gone/usage", 1)
    assert "no org named “gone”" in place["problem"]
    assert len(place["place"]["orgs"]) == 2


def test_a_new_org_is_seen_without_a_restart(dashboard: Dashboard) -> None:
    """`sfnb org add` in another terminal is enough."""
    put_org(load_settings(), OrgConfig("east", "sf", alias="east"))
    (place,) = talk(dashboard, "/", 1)
    assert [org["name"] for org in place["place"]["orgs"]] == ["east", "north", "south"]


def test_the_report_is_one_file(dashboard: Dashboard) -> None:
    """The usage of an org can be kept or sent as a file that needs no server."""
    answer = dashboard.let_in().get(f"{dashboard.origin}/org/north/report.html", timeout=60)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="usage-north.html"'
    assert "north" in answer.text
    gone = dashboard.let_in().get(f"{dashboard.origin}/org/gone/report.html", timeout=60)
    assert gone.status_code == 404
    assert "is not registered" in gone.text
