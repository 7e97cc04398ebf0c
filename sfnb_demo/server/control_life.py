"""
``/control/rows``, ``/control/schema`` and ``/control/access``: what happens while backups run.

Each takes one entry or a list, does them in order, and answers ``{"done": […]}``. The words of an
entry are documented in ``sfnb_demo.life``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfnb_demo.server.wire import Request

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg


def rows(org: DemoOrg, request: Request) -> dict[str, Any]:
    return {"done": [done for entry in _entries(request) for done in org.rows.do(entry)]}


def schema(org: DemoOrg, request: Request) -> dict[str, Any]:
    return {"done": [org.schema.do(entry) for entry in _entries(request)]}


def access(org: DemoOrg, request: Request) -> dict[str, Any]:
    return {"done": [org.access.do(entry) for entry in _entries(request)]}


def _entries(request: Request) -> list[dict[str, Any]]:
    given = request.json()
    entries = given if isinstance(given, list) else [given]
    if not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("an entry is a JSON object")
    return entries
