"""``/limits`` and ``/limits/recordCount``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfnb_demo.server.other_apps import APPS
from sfnb_demo.server.wire import Request, Response, json_answer, route

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

# Budgets that nothing in the demo org uses: Max and Remaining (REST guide, Limits; typical
# figures).
_QUIET: dict[str, tuple[int, int]] = {
    "ActiveScratchOrgs": (3, 3),
    "AnalyticsExternalDataSizeMB": (40960, 40960),
    "ConcurrentAsyncGetReportInstances": (200, 200),
    "ConcurrentEinsteinDataInsightsStoryCreation": (5, 5),
    "ConcurrentEinsteinDiscoveryStoryCreation": (2, 2),
    "ConcurrentSyncReportRuns": (20, 20),
    "DailyAnalyticsDataflowJobExecutions": (60, 60),
    "DailyAnalyticsUploadedFilesSizeMB": (51200, 51200),
    "DailyAsyncApexExecutions": (250000, 249990),
    "DailyDeliveredPlatformEvents": (10000, 10000),
    "DailyDurableGenericStreamingApiEvents": (10000, 10000),
    "DailyDurableStreamingApiEvents": (10000, 10000),
    "DailyGenericStreamingApiEvents": (10000, 10000),
    "DailyScratchOrgs": (6, 6),
    "DailyStandardVolumePlatformEvents": (25000, 25000),
    "DailyStreamingApiEvents": (10000, 10000),
    "DailyWorkflowEmails": (1005, 1005),
    "DataStorageMB": (10240, 2115),
    "DurableStreamingApiConcurrentClients": (20, 20),
    "FileStorageMB": (10240, 7340),
    "HourlyAsyncReportRuns": (1200, 1200),
    "HourlyDashboardRefreshes": (200, 200),
    "HourlyDashboardResults": (5000, 5000),
    "HourlyDashboardStatuses": (999999999, 999999999),
    "HourlyLongTermIdMapping": (100000, 100000),
    "HourlyManagedContentPublicRequests": (50000, 50000),
    "HourlyODataCallout": (20000, 19998),
    "HourlyPublishedPlatformEvents": (50000, 50000),
    "HourlyPublishedStandardVolumePlatformEvents": (1000, 1000),
    "HourlyShortTermIdMapping": (100000, 100000),
    "HourlySyncReportRuns": (500, 500),
    "HourlyTimeBasedWorkflow": (1000, 1000),
    "MassEmail": (5000, 5000),
    "MonthlyEinsteinDiscoveryStoryCreation": (500, 500),
    "Package2VersionCreates": (6, 6),
    "Package2VersionCreatesWithoutValidation": (500, 500),
    "PermissionSets": (1500, 1499),
    "PlatformEventTriggersWithParallelProcessing": (5, 5),
    "PrivateConnectOutboundCalloutHourlyLimitMB": (0, 0),
    "SingleEmail": (5000, 5000),
    "StreamingApiConcurrentClients": (20, 20),
}
_WITH_APPS = ("DailyApiRequests", "DailyBulkApiBatches", "DailyBulkApiRequests", "DailyGenericStreamingApiEvents",
              "DailyStreamingApiEvents")  # fmt: skip


def limits(org: DemoOrg, request: Request) -> Response:
    """
    All limits of the org; costs one call like any other.

    The numbers may lag: Salesforce refreshes them "within minutes" (REST guide, Limits).
    """
    version = float(request.version)
    at_s = org.clock.now_s() - org.options.limits_lag_minutes * 60

    def entry(budget: str, unit: int = 1) -> tuple[int, int]:
        most = org.quota.max(budget) // unit
        used = -(-org.quota.used(budget, at_s) // unit)
        remaining = most - used
        return most, remaining if org.options.negative_remaining else max(remaining, 0)

    shown = dict(_QUIET)
    shown["DailyApiRequests"] = entry("api")
    shown["DailyBulkApiBatches" if version >= 49 else "DailyBulkApiRequests"] = entry("bulk")
    shown["MonthlyPlatformEvents" if version < 48 else "MonthlyPlatformEventsUsageEntitlement"] = (
        0,
        0,
    )
    if version >= 47:
        shown["DailyBulkV2QueryJobs"] = entry("bulk2")
        shown["DailyBulkV2QueryFileStorageMB"] = entry("bulk2_kb", 1024)
    if version >= 53:
        shown["DailyFunctionsApiCallLimit"] = (235000, 235000)
    if version >= 56:
        shown["DailyAsyncApexTests"] = (500, 500)
    answer: dict[str, dict[str, object]] = {
        name: {"Max": most, "Remaining": remaining}
        for name, (most, remaining) in sorted(shown.items())
    }
    for name in _WITH_APPS:
        if name in answer:
            answer[name] |= {app.name: {"Max": 0, "Remaining": 0} for app in APPS}
    if (room := org.database.saver.hindrances.free_rows) is not None:
        # 2 kB of data storage for each record, in whole MB.
        answer["DataStorageMB"]["Remaining"] = room * 2 // 1024
    answer["PermissionSets"]["CreateCustom"] = {"Max": 1000, "Remaining": 999}
    return json_answer(answer)


def record_count(org: DemoOrg, request: Request) -> Response:
    """
    Rows of the named objects; of all if none is named. Unknown names are left out, and objects of
    which the org has no statistic yet (REST guide; recorded answers).
    """
    wanted = next(
        (value for name, value in request.params.items() if name.lower() == "sobjects"), ""
    )
    database, user_id = org.database, request.user.user.user_id
    by_lower = {name.lower(): name for name in database.object_names(user_id)}
    asked = [name.strip().lower() for name in wanted.split(",")] if wanted else list(by_lower)
    names = [by_lower[name] for name in asked if name in by_lower]
    counts = org.record_counts.of(
        [name for name in names if database.catalog.objects[name].is_queryable]
    )
    return json_answer({"sObjects": [{"count": n, "name": name} for name, n in counts.items()]})


ROUTES = [
    route("GET", "/services/data/v{version}/limits", limits),
    route("GET", "/services/data/v{version}/limits/recordCount", record_count),
]
