"""All routes of the org; the first that fits is taken."""

from __future__ import annotations

from sfnb_demo.server import (
    bulk1,
    bulk2,
    composite,
    ingest,
    limits,
    metadata,
    oauth,
    query,
    soap,
    sobject_collections,
    sobjects,
    tooling,
    tree,
    usage_report,
    versions,
)
from sfnb_demo.server.wire import Route

ALL_ROUTES: list[Route] = [
    *versions.ROUTES,
    *oauth.ROUTES,
    *soap.ROUTES,
    *metadata.ROUTES,
    *limits.ROUTES,
    *usage_report.ROUTES,
    *tooling.ROUTES,
    *query.ROUTES,
    *bulk2.ROUTES,
    *ingest.ROUTES,
    *sobject_collections.ROUTES,
    *composite.ROUTES,
    *tree.ROUTES,
    *sobjects.ROUTES,
    *bulk1.ROUTES,
]
