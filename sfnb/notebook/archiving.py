"""An archive in a notebook: its checked parameters and its dry run."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import ArchiveEstimate, ArchiveRequest
from sfnb.errors import CallerError, QuotaSignal, TransientError
from sfnb.ui.archived import MB, plan_html

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def archive_request(
    *, object_name: object, where: object, max_rows: object, **switches: object
) -> ArchiveRequest:
    """
    What to archive, and how: the options of `sfnb archive`.

    Raises:
        CallerError: one of them is not what `sfnb archive` would take.
    """
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise CallerError(f"{name} must be True or False, not {value!r}.")
    if isinstance(max_rows, bool) or not isinstance(max_rows, int):
        raise CallerError(f"max_rows must be a whole number, not {max_rows!r}.")
    checked: dict[str, Any] = dict(switches)
    return engine.archive(str(object_name), str(where), max_rows=max_rows, **checked)


@dataclass(frozen=True)
class PlannedArchive:
    """
    A dry run, or why there is none now.

    Args:
        estimate: None where the org cannot be asked now: over its limit, or away.
    """

    estimate: ArchiveEstimate | None
    problem: str = ""

    def _repr_html_(self) -> str:
        if self.estimate is None:
            return f"<p>{escape(self.problem)}</p>"
        return plan_html(self.estimate.as_json(), self.estimate.bytes)

    def __repr__(self) -> str:
        return self.problem or f"<archive: {self.estimate}>"

    @property
    def frame(self) -> pd.DataFrame:
        """By object: ``object`` (string), ``records`` (Int64), ``mb`` of storage (float64)."""
        import pandas as pd

        rows = dict(self.estimate.going.rows) if self.estimate else {}
        sizes = self.estimate.bytes if self.estimate else {}
        names = sorted(rows)
        return pd.DataFrame(
            {
                "object": pd.array(names, "string"),
                "records": pd.array([rows[n] for n in names], "Int64"),
                "mb": pd.array([sizes[n] / MB for n in names], "float64"),
            }
        )

    def figure(self) -> go.Figure:
        """The storage that would be freed, as a chart."""
        from sfnb.charts import freed_figure

        return freed_figure(self.frame)


def archive_plan(org: Connection, request: ArchiveRequest) -> PlannedArchive:
    """
    What the archive would take; where the org is over its limit or away, why that cannot be said
    now. Cost: that of `engine.plan`.

    Raises:
        CallerError: no such object; the org refuses the condition.
    """
    try:
        return PlannedArchive(engine.plan(org, request))
    except (QuotaSignal, TransientError) as err:
        return PlannedArchive(None, f"The dry run could not be made now. {err}")
