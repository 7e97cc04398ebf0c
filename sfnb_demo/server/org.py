"""
One demo org: its data, quota, sessions, clock, jobs and faults. It knows no route and no HTTP.

``exchange`` serves calls with it, ``server`` opens the ports.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sfnb_demo.data import ids
from sfnb_demo.data.database import Database
from sfnb_demo.life.access import Access
from sfnb_demo.life.rows import RowLife
from sfnb_demo.life.schema import SchemaLife
from sfnb_demo.server.bulk1_jobs import Bulk1Jobs
from sfnb_demo.server.bulk2_jobs import Bulk2Jobs
from sfnb_demo.server.calls import CallLog
from sfnb_demo.server.certificates import Keys, make_keys
from sfnb_demo.server.clock import SimulatedClock, Steps
from sfnb_demo.server.cursors import Cursors
from sfnb_demo.server.deploys import Deploys
from sfnb_demo.server.event_log import EventLog
from sfnb_demo.server.faults import Faults, read_rule
from sfnb_demo.server.ingest_jobs import IngestJobs
from sfnb_demo.server.metadata_org import MetadataOrg
from sfnb_demo.server.options import Options
from sfnb_demo.server.other_apps import OtherApps
from sfnb_demo.server.quota import BUDGETS, Quota
from sfnb_demo.server.record_counts import RecordCounts
from sfnb_demo.server.sessions import Sessions, random_text
from sfnb_demo.server.setup import Setup


class DemoOrg:
    """
    All that one org holds. Called from many threads; each part locks for itself.

    Args:
        folder: keys, job results and log files; its content is the demo org's own.
        database: an existing one; None: make one from the options.
    """

    def __init__(self, options: Options, folder: Path, *, database: Database | None = None) -> None:
        self.options = options
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = SimulatedClock(
            options.first_moment,
            minutes_per_second=options.minutes_per_second,
            steps=Steps(options.seconds_per_call, options.hours_per_wait * 3600)
            if options.clock == "calls"
            else None,
        )
        self._owns_database = database is None
        self.database = database or _made_database(options, self.clock)
        # An existing database uses this org's clock from now on.
        self.database.clock = self.clock.now
        if options.replication_days is not None:
            since = self.clock.now() - timedelta(days=options.replication_days)
            self.database.replication.replicates_since = since
        self.other_apps = _other_apps(options)
        self.quota = Quota(
            self.other_apps, is_hard=options.is_hard, max_units={"api": options.max_calls}
        )
        self.sessions = Sessions(
            self.database.organization,
            now_s=self.clock.now_s,
            idle_minutes=options.session_minutes,
            password=options.password,
            client_id=options.client_id,
            client_secret=options.client_secret,
        )
        self.rows = RowLife(self.database)
        self.schema = SchemaLife(self.database, self.rows)
        self.access = Access(self.database)
        self.record_counts = RecordCounts(
            self.database.count,
            self.database.object_names,
            now_s=self.clock.now_s,
            age_s=lambda: options.record_count_age_minutes * 60,
        )
        if options.record_count_age_minutes:
            self.record_counts.take()
        self.metadata = MetadataOrg(self._describes)
        rules = self.database.saver.rules
        self.deploys = Deploys(
            self.metadata,
            rules,
            self.clock.now,
            is_sandbox=lambda: self.database.organization.is_sandbox,
        )
        self.setup = Setup(rules, self.metadata, self.deploys, self.clock.now)
        self.calls = CallLog()
        self.cursors = Cursors()
        self.bulk2 = Bulk2Jobs(self)
        self.ingest = IngestJobs(self)
        self.bulk1 = Bulk1Jobs(self)
        self.event_log = EventLog(self)
        if options.has_event_log:
            self.database.set_event_log(self.event_log)
        self.faults = Faults(
            now_s=self.clock.now_s, job_object=self.bulk2.object_of, formulas=self._formulas
        )
        self.faults.add([read_rule(rule) for rule in options.faults])
        self.keys: Keys = make_keys(folder)
        self.control_token = random_text(40)
        self.base_urls: list[str] = []
        self.stopping = threading.Event()
        self.close_doors: Callable[[float], None] = lambda _seconds: None

    def close(self) -> None:
        """Stop what runs in the background."""
        self.stopping.set()
        self.bulk2.close()
        self.ingest.close()
        self.bulk1.close()
        if self._owns_database:
            self.database.close()

    @property
    def addresses(self) -> dict[str, str]:
        """The org's two addresses, as fault rules name them."""
        return dict(zip(("url", "https_url"), self.base_urls, strict=False))

    def object_name(self, name: str, user_id: str | None = None) -> str | None:
        """
        The exact name of an object from a name in any case; None if this user sees no such object.
        """
        found = self.database.catalog_of(user_id).find(name)
        return found.name if found else None

    def object_of_id(self, record_id: str) -> str | None:
        """
        The object whose key prefix an Id has, None if it is no Id or no object has the prefix.
        """
        if ids.normal(record_id) is None:
            return None
        found = self.database.catalog.by_prefix(record_id)
        return found[0].name if found else None

    def spend_bulk(self, budget: str, units: int, *, is_forced: bool = False) -> bool:
        """Book units of a Bulk budget now; False if not enough are left."""
        return self.quota.spend(budget, units, self.clock.now_s(), is_forced=is_forced)[0]

    def status(self) -> dict[str, Any]:
        """Clock and budgets, for the control endpoint."""
        now_s = self.clock.now_s()
        return {
            "now": self.clock.now().isoformat(),
            "minutes_per_second": self.clock.minutes_per_second,
            "is_hard": self.quota.is_hard,
            "competitors": self.other_apps.is_on,
            "last_call": self.calls.last_number,
            "budgets": {
                budget: {"used": self.quota.used(budget, now_s), "max": self.quota.max(budget)}
                for budget in BUDGETS
            },
        }

    def _describes(self) -> list[dict[str, Any]]:
        """Each object's describe answer, for its metadata."""
        version = str(self.options.last_version)
        return [self.database.describe(name, version) for name in self.database.object_names()]

    def _formulas(self, name: str) -> frozenset[str]:
        """The formula fields of an object, in lower case."""
        known = self.object_name(name)
        if known is None:
            return frozenset()
        fields = self.database.catalog.objects[known].fields
        return frozenset(field.name.lower() for field in fields if field.is_calculated)


def _made_database(options: Options, clock: SimulatedClock) -> Database:
    return Database(
        seed=options.seed,
        size=options.size,
        clock=clock.now,
        overrides=dict(options.objects),
        empty_objects=options.empty_objects,
        has_oddities=options.has_oddities,
        features=options.features,
        has_hourly_logs=options.has_hourly_logs,
    )


def _other_apps(options: Options) -> OtherApps:
    return OtherApps(
        seed=options.seed,
        daily_calls=options.max_calls * options.competitors_pct / 100,
        has_bursts=options.competitors == "on",
        is_on=options.competitors != "off",
    )
