"""What Bulk API 1.0 and 2.0 queries read of ``Database``."""
# ruff: noqa: S608 - names come from the catalogue and are quoted

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from pathlib import Path

from sfnb_demo.data import export, ids
from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.soql.names import Scope, quote
from sfnb_demo.soql.parser import parse
from sfnb_demo.soql.plan import Flavour, Plan

_exports = itertools.count(1)


class BulkDatabase(ABC):
    """What ``Database`` inherits beside ``WritingDatabase``."""

    storage: Storage

    @abstractmethod
    def catalog_of(self, user_id: str | None) -> Catalog:
        """The objects and fields that a user may see."""

    @abstractmethod
    def plan(
        self,
        soql: str,
        *,
        all_rows: bool,
        version: str,
        flavour: Flavour = "json",
        user_id: str | None = None,
    ) -> Plan:
        """The statement, checked and compiled."""

    @abstractmethod
    def _readable(self, name: str, user_id: str | None = None) -> ObjectDef:
        """The object, if it can be queried; ``ApiError`` NOT_FOUND otherwise."""

    def chunk_ranges(self, name: str, chunk_size: int) -> list[tuple[str, str]]:
        """
        Bulk API 1.0 PK chunking: the id ranges, ``from <= Id < to``, that cover the object's rows.
        """
        obj = self._readable(name)
        first, last = self.storage.rows(f'SELECT min("Id"), max("Id") FROM {quote(obj.name)}')[0]
        return [] if first is None else list(ids.chunk_ranges(first, last, chunk_size))

    def check_bulk(
        self, soql: str, *, all_rows: bool, version: str, user_id: str | None = None
    ) -> ObjectDef:
        """
        The object that a Bulk query reads, after every check that Bulk makes when a job is created.

        Raises:
            ApiError: INVALIDENTITY, FEATURENOTENABLED, INVALID_FIELD, and whatever ``query``
                raises.
        """
        query = parse(soql)
        catalog = self.catalog_of(user_id)
        obj = catalog.find(query.object)
        if obj is not None and obj.is_queryable:
            export.check_bulk(query, obj, Scope(catalog, obj, soql, "t", query.alias))
        return self.plan(
            soql, all_rows=all_rows, version=version, flavour="csv", user_id=user_id
        ).object

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
        user_id: str | None = None,
    ) -> export.CsvExport:
        """
        Run a Bulk query into a file in ``folder``. ``CsvExport.span`` serves pages of any size from
        it.

        Args:
            delimiter: the character itself; ``export.DELIMITERS`` has them by Salesforce's names.
            line_ending: ``\\n`` or ``\\r\\n``; ``export.LINE_ENDINGS``.

        Raises:
            ApiError: as ``check_bulk``.
        """
        self.check_bulk(soql, all_rows=all_rows, version=version, user_id=user_id)
        plan = self.plan(soql, all_rows=all_rows, version=version, flavour="csv", user_id=user_id)
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
