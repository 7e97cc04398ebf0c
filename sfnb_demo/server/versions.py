"""``/services/data``: the API versions, and the resources of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfnb_demo.server.wire import Request, Response, json_answer, route

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

_SEASONS = ("Winter", "Spring", "Summer")
_RESOURCES = [
    "actions", "analytics", "appMenu", "chatter", "commerce", "compactLayouts", "composite", "connect", "consent",
    "contact-tracing", "dedupe", "event", "eventSchema", "exchange-connect", "externalDataRows", "flexipage",
    "folders", "iot", "jobs", "jsonxform", "knowledgeManagement", "licensing", "limits", "localizedvalue", "match",
    "metadata", "nouns", "parameterizedSearch", "payments", "process", "query", "queryAll", "quickActions",
    "recent", "recordsCollections", "scheduling", "search", "serviceTemplates", "sobjects", "support", "tabs",
    "theme", "tooling", "ui-api", "wave",
]  # fmt: skip


def label(version: int) -> str:
    """The release's name: 66 is Spring '26, three releases a year."""
    # Winter '26 is 65.0; winter releases carry the next year's number.
    year, season = divmod(version - 65, 3)
    return f"{_SEASONS[season]} '{26 + year:02d}"


def versions(org: DemoOrg, _request: Request) -> Response:
    """All served versions. No session needed, not counted (REST guide, Versions)."""
    return json_answer(
        [
            {"label": label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
            for number in range(org.options.first_version, org.options.last_version + 1)
        ]
    )


def resources(org: DemoOrg, request: Request) -> Response:
    """Name to path; ``identity`` is a whole address."""
    answer = {name: f"{request.data_url}/{name}" for name in _RESOURCES}
    user = request.user.user
    answer["identity"] = f"{request.base_url}/id/{org.sessions.organization.id}/{user.user_id}"
    return json_answer(answer)


ROUTES = [
    route("GET", "/services/data", versions, is_open=True),
    route("GET", "/services/data/v{version}", resources),
]
