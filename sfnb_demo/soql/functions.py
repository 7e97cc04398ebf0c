"""The functions of SOQL, and which fields can be grouped."""

from __future__ import annotations

from sfnb_demo.data.schema import Field

AGGREGATES = {
    "COUNT": "count",
    "COUNT_DISTINCT": "count",
    "SUM": "sum",
    "AVG": "avg",
    "MIN": "min",
    "MAX": "max",
}
DATE_PARTS = {
    "CALENDAR_YEAR": "year", "CALENDAR_QUARTER": "quarter", "CALENDAR_MONTH": "month", "FISCAL_YEAR": "year",
    "FISCAL_QUARTER": "quarter", "FISCAL_MONTH": "month", "DAY_IN_MONTH": "day", "DAY_IN_WEEK": "dayofweek",
    "DAY_IN_YEAR": "dayofyear", "WEEK_IN_YEAR": "week", "HOUR_IN_DAY": "hour",
}  # fmt: skip
PLAIN = ("TOLABEL", "FORMAT", "CONVERTCURRENCY", "CONVERTTIMEZONE")


def is_groupable(found: Field) -> bool:
    return found.is_filterable and found.type not in (
        "datetime",
        "double",
        "currency",
        "percent",
        "multipicklist",
        "base64",
        "address",
        "location",
    )
