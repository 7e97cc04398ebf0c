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


def fleet_frame() -> pd.DataFrame:
    """
    All orgs, the worst first: ``org``, ``level`` (string: ``fine, notice, warning, bad, damaged``),
    ``used_pct`` (Float64), ``limit_pct`` (Int64), ``last_good`` (string, a snapshot), ``age_h``
    (Float64, hours since it was begun), ``next_pause_at`` (datetime64[ns, UTC]), ``failures``,
    ``damage``, ``jobs`` (Int64), ``worries`` (string). No API calls.
    """
    import pandas as pd

    from sfnb.fleet import fleet_of
    from sfnb.installation import Installation

    with Installation() as here:
        now, orgs = here.clock.now(), fleet_of(here)
    uses = [org.use if org.use is not None and org.use.has_numbers else None for org in orgs]
    ages = [org.age_s(now) for org in orgs]
    columns: dict[str, tuple[list[Any], str]] = {
        "org": ([org.name for org in orgs], "string"),
        "level": ([org.level.word for org in orgs], "string"),
        "used_pct": ([100 * use.used / use.maximum if use else None for use in uses], "Float64"),
        "limit_pct": ([use.limit_percent if use else None for use in uses], "Int64"),
        "last_good": ([org.good.snapshot if org.good else None for org in orgs], "string"),
        "age_h": ([None if age_s is None else age_s / 3600 for age_s in ages], "Float64"),
        "next_pause_at": ([org.next_pause_at for org in orgs], "datetime64[ns, UTC]"),
        "failures": ([org.trouble.jobs if org.trouble else 0 for org in orgs], "Int64"),
        "damage": ([org.check.damage if org.check else None for org in orgs], "Int64"),
        "jobs": ([len(org.jobs) for org in orgs], "Int64"),
        "worries": (["; ".join(one.text for one in org.worries) for org in orgs], "string"),
    }
    return pd.DataFrame(
        {name: pd.Series(values, dtype=kind) for name, (values, kind) in columns.items()}
    )
