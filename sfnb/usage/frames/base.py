"""What the frames share: moments, sums and percent of arrays. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from sfnb.model import Api
from sfnb.usage.counter import window_sum
from sfnb.usage.history import Ints, OrgHistory
from sfnb.usage.past import own_units

NOT_NAMED = "not named in the event log"


def percent(units: pd.Series, of: pd.Series) -> pd.Series:
    """``100 × units / of``, Float64; missing where ``of`` is missing, 0 or less."""
    whole = pd.to_numeric(of).astype("Float64")
    return (pd.to_numeric(units).astype("Float64") * 100 / whole.where(whole > 0)).astype("Float64")


def moments(minutes: Ints) -> pd.Series:
    """Minutes since 1970 as datetime64[ns, UTC]."""
    return pd.Series(minutes.astype("datetime64[m]").astype("datetime64[ns]")).dt.tz_localize("UTC")


def own_sum(history: OrgHistory, api: Api, at: Ints) -> Ints:
    return window_sum(*own_units(history, api), at)


def is_covered(history: OrgHistory, at: Ints) -> npt.NDArray[np.bool_]:
    """Whether the event log covers the whole 24 hours before each moment."""
    hours = at // 60
    # The window of 14:35 reaches from 14:35 yesterday to 14:35 today: it touches 25 hours.
    upto = np.searchsorted(history.covered, hours, side="right")
    before = np.searchsorted(history.covered, hours - 24, side="left")
    is_whole: npt.NDArray[np.bool_] = (upto - before) == 25
    return is_whole


def days_of(hour_at: pd.Series, zone: tzinfo) -> pd.Series:
    return hour_at.dt.tz_convert(zone).dt.strftime("%Y-%m-%d").astype("string")


def stamps(values: Iterable[object]) -> pd.Series:
    return pd.to_datetime(pd.Series(list(values), dtype="object"), utc=True).astype(
        "datetime64[ns, UTC]"
    )
