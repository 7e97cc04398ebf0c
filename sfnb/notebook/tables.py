"""Orgs, plans and outcomes as pandas frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfnb.settings import load_settings

if TYPE_CHECKING:
    import pandas as pd

    from sfnb.engine import Estimate


def orgs_frame() -> pd.DataFrame:
    """
    The registered orgs: ``org``, ``organization_id``, ``address`` (string). Empty if there is none.
    No API calls.
    """
    import pandas as pd

    orgs = [org for _, org in sorted(load_settings().orgs.items())]
    return pd.DataFrame(
        {
            "org": pd.Series([org.name for org in orgs], dtype="string"),
            "organization_id": pd.Series([org.org_id for org in orgs], dtype="string"),
            "address": pd.Series([org.instance_url or org.domain for org in orgs], dtype="string"),
        }
    )


def plan_frame(estimate: Estimate) -> pd.DataFrame:
    """
    One row for each object of the plan, largest first: ``object`` (string), ``rows`` (Int64, as the
    org estimates them), ``reader`` (string), ``calls`` (float64, its share of shared calls), ``mb``
    (float64).
    """
    import pandas as pd

    planned = sorted(
        estimate.plan.objects.values(), key=lambda o: (-(o.expected_rows or 0), o.name)
    )
    return pd.DataFrame(
        {
            "object": pd.Series([o.name for o in planned], dtype="string"),
            "rows": pd.Series([o.expected_rows for o in planned], dtype="Int64"),
            "reader": pd.Series([o.reader for o in planned], dtype="string"),
            "calls": pd.Series([round(o.calls, 1) for o in planned], dtype="float64"),
            "mb": pd.Series([round(o.mb, 1) for o in planned], dtype="float64"),
        }
    )


def outcome_frame(summary: dict[str, Any]) -> pd.DataFrame:
    """
    One row for each object of a job, failed and unfinished ones first: ``object`` (string),
    ``state`` (string), ``rows`` (Int64), ``calls`` (Int64), ``message`` (string).
    """
    import pandas as pd

    entries = sorted(
        summary["objects"].items(), key=lambda item: (item[1]["state"] == "complete", item[0])
    )
    columns = {"state": "string", "rows": "Int64", "calls": "Int64", "message": "string"}
    return pd.DataFrame(
        {"object": pd.Series([name for name, _ in entries], dtype="string")}
        | {
            key: pd.Series([entry.get(key) for _, entry in entries], dtype=kind)
            for key, kind in columns.items()
        }
    )
