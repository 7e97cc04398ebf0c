"""
FACE of the demo org's data: everything that its HTTP half asks for.

All reading may happen in any number of threads at once; writing takes a lock of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sfnb.demo.data import describe as describing
from sfnb.demo.data import content, custom, export, generate, people, sales, service
from sfnb.demo.data.catalog import Catalog
from sfnb.demo.data.results import QueryResult, run
from sfnb.demo.data.schema import ObjectDef, Organization, User
from sfnb.demo.data.storage import Storage
from sfnb.demo.errors import ApiError
from sfnb.demo.soql.compile import Compiler, Flavour, Plan
from sfnb.demo.soql.names import Scope, quote
from sfnb.demo.soql.parser import parse

_exports = itertools.count(1)

SIZES: Mapping[str, float] = {"tiny": 1 / 15, "small": 1, "medium": 10, "large": 100}


class Database:
    """
    One org: its catalogue, its rows, its people.

    Args:
        seed: same seed, size and day of the clock, same org.
        size: ``tiny`` (some 2,000 records), ``small`` (30,000), ``medium`` (300,000) or ``large`` (3,000,000).
        clock: tells the time, aware; system fields of written rows come from it.
        overrides: rows of single objects, ``{"Contact": 1_000_000}``.
        empty_objects: how many mostly empty custom objects to add.
        folder: where the files go, None: a temporary folder that goes with the org.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        size: str = "small",
        clock: Callable[[], datetime],
        overrides: Mapping[str, int] | None = None,
        empty_objects: int = 0,
        folder: Path | None = None,
    ) -> None:
        if size not in SIZES:
            raise ValueError(f"size is {size!r}, but must be one of {', '.join(SIZES)}")
        self.clock = clock
        self.catalog = Catalog(
            [*people.objects(), *sales.objects(), *service.objects(), *content.objects(), *custom.objects()]
            + custom.empty_objects(empty_objects)
        )
        self.storage = Storage(folder)
        self.rows = self._plan_rows(SIZES[size], overrides or {})
        self._generate(seed)
        self.organization = self._organization()

    def close(self) -> None:
        """Delete the org's files."""
        self.storage.close()

    # --- birth ---------------------------------------------------------------------------------------------------

    def _plan_rows(self, factor: float, overrides: Mapping[str, int]) -> dict[str, int]:
        unknown = [name for name in overrides if self.catalog.find(name) is None]
        if unknown:
            raise ValueError(f"there is no object {', '.join(unknown)} in the demo org")
        rows = {
            n: o.rows if o.is_fixed else (max(1, round(o.rows * factor)) if o.rows else 0)
            for n, o in self.catalog.objects.items()
        }
        return rows | {self._object(name).name: count for name, count in overrides.items()}

    def _generate(self, seed: int) -> None:
        # The org was born at midnight, so that "a day ago" has rows whatever the clock says, and the same ones all day.
        born = self.clock().replace(hour=0, minute=0, second=0, microsecond=0)
        for obj in self.catalog.objects.values():
            if not obj.is_queryable:
                continue
            self.storage.create(obj)
            tables = generate.batches(obj, seed=seed, now=born, rows=self.rows, objects=self.catalog.objects)
            self.storage.load(obj, tables)

    def _organization(self) -> Organization:
        (record,) = self.query("SELECT Id, Name FROM Organization", all_rows=False, version="66.0").rows()
        users = tuple(
            User(r["Id"], f"user{n}@acme.test", r["Name"], "u@acme.test", "", "", is_active=True)
            for n, r in enumerate(self.query("SELECT Id, Name FROM User", all_rows=False, version="66.0").rows())
        )
        return Organization(
            record["Id"], record["Id"][:15], record["Name"], "DEM1", "Enterprise Edition", is_sandbox=False, users=users
        )

    # --- what there is -------------------------------------------------------------------------------------------

    def _object(self, name: str) -> ObjectDef:
        obj = self.catalog.find(name)
        if obj is None:
            raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
        return obj

    def object_names(self) -> list[str]:
        return sorted(self.catalog.objects)

    def global_entry(self, name: str, version: str) -> dict[str, Any]:
        """One entry of the global describe, all keys."""
        return describing.global_entry(self._object(name), version)

    def describe(self, name: str, version: str) -> dict[str, Any]:
        """The whole describe: all top-level keys, all 57 keys on each field."""
        return describing.describe(self._object(name), self.catalog, version, [])

    def count(self, name: str) -> int:
        """Rows alive, without archived ones: what ``/limits/recordCount`` tells."""
        obj = self._object(name)
        if not obj.is_queryable:
            return 0
        flags = [f"NOT {quote(f)}" for f in ("IsDeleted", "IsArchived") if Compiler._hides(obj, f)]
        where = f" WHERE {' AND '.join(flags)}" if flags else ""
        return int(self.storage.rows(f"SELECT count(*) FROM {quote(obj.name)}{where}")[0][0])

    # --- reading -------------------------------------------------------------------------------------------------

    def plan(self, soql: str, *, all_rows: bool, version: str, flavour: Flavour = "json") -> Plan:
        """The statement checked and compiled, nothing read yet."""
        compiler = Compiler(
            self.catalog, all_rows=all_rows, today=self.clock().date(), flavour=flavour, version=version
        )
        return compiler.compile(parse(soql))

    def query(self, soql: str, *, all_rows: bool, version: str, flavour: Flavour = "json") -> QueryResult:
        """
        Run a statement.

        Args:
            all_rows: deleted rows and archived activities too (``queryAll``).
            flavour: ``epoch`` gives datetimes as epoch milliseconds, as JSON jobs of Bulk API 1.0 do.

        Raises:
            ApiError: with Salesforce's code and frame.
        """
        plan = self.plan(soql, all_rows=all_rows, version=version, flavour=flavour)
        return run(plan, self.storage, path=f"/services/data/v{version.removeprefix('v')}")

    def check_bulk(self, soql: str, *, all_rows: bool, version: str) -> ObjectDef:
        """
        The object that a Bulk query reads, after everything has been checked that Bulk would refuse when the job is made.

        Raises:
            ApiError: INVALIDENTITY, FEATURENOTENABLED, INVALID_FIELD, and whatever ``query`` raises.
        """
        query = parse(soql)
        obj = self.catalog.find(query.object)
        if obj is not None and obj.is_queryable:
            export.check_bulk(query, obj, Scope(self.catalog, obj, soql, "t", query.alias))
        return self.plan(soql, all_rows=all_rows, version=version, flavour="csv").object

    def export_csv(
        self,
        soql: str,
        folder: Path,
        *,
        all_rows: bool,
        version: str,
        delimiter: str = ",",
        line_ending: str = "\n",
        rows_per_chunk: int = 250_000,
    ) -> export.CsvExport:
        """
        Run a Bulk query into a file in ``folder``; from ``CsvExport.span`` pages of any size can be served.

        Args:
            delimiter: the character itself; ``export.DELIMITERS`` has them by Salesforce's names.
            line_ending: ``\\n`` or ``\\r\\n``; ``export.LINE_ENDINGS``.

        Raises:
            ApiError: as ``check_bulk``.
        """
        self.check_bulk(soql, all_rows=all_rows, version=version)
        plan = self.plan(soql, all_rows=all_rows, version=version, flavour="csv")
        folder.mkdir(parents=True, exist_ok=True)
        return export.write(
            plan,
            self.storage,
            folder / f"result-{next(_exports)}.csv",
            delimiter=delimiter,
            line_ending=line_ending,
            rows_per_chunk=rows_per_chunk,
            is_sorted=float(version.removeprefix("v")) < 50,
        )
