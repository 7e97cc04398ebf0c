"""Why the gate refuses a call, in sentences for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sfnb.model import LIMIT_KEYS, RESTORE, Api, BudgetStatus, Price

UNITS: Mapping[Api, str] = {
    "api": "API calls",
    "bulk": "bulk batches",
    "bulk2": "Bulk API 2.0 query jobs",
    "bulk2_mb": "MB of Bulk API 2.0 query results",
}

RAISE = "raise the limit with `sfnb limit`"


def over_sentence(here: BudgetStatus, cost: int, wait_s: float | None = None) -> str:
    """Why a call of this cost is refused, and what to do."""
    units = UNITS[here.api]
    is_restore = here.kind == RESTORE
    limit = "the limit for restores of" if is_restore else "the limit of"
    raising = "raise it with `sfnb limit --for restore`" if is_restore else RAISE
    if here.maximum == 0:
        return (
            f"The org allows no {units} at all (its maximum is 0), "
            "so nothing that needs them can be sent."
        )
    if cost > here.threshold:
        return (
            f"The next step does not fit under {limit} {here.threshold:,} {units} "
            f"({here.limit_percent} % of {here.maximum:,}): it needs {cost:,}. {raising[0].upper()}{raising[1:]}."
        )
    recent = f", sfnb's last {here.own:,} may not be included yet" if here.own else ""
    more = "One more" if cost == 1 else f"{cost:,} more"
    advice = (
        f"Wait until use falls, or {raising}."
        if wait_s is None
        else f"The org will have counted them in {max(round(wait_s), 1)} s."
    )
    return (
        f"This org has used {here.used:,} of its {here.maximum:,} {units} (all apps together)"
        f"{recent}, and {here.in_flight:,} {'is' if here.in_flight == 1 else 'are'} in flight. "
        f"{more} could exceed {limit} {here.threshold:,} ({here.limit_percent} %). {advice}"
    )


def missing_sentence(api: Api) -> str:
    """Why a budget cannot be known although ``/limits`` was read."""
    return (
        f"The org's limits do not include {LIMIT_KEYS[api][0]} ({UNITS[api]}), "
        "so nothing that needs them is sent. "
        'Give the user the permission "View Setup and Configuration", '
        "or check that the org has this feature."
    )


def unreadable_sentence(apis: tuple[Api, ...]) -> str:
    """Why nothing is sent after ``/limits`` could not be read."""
    names = " and ".join(UNITS[api] for api in apis)
    return (
        f"The org does not report how many {names} it has used, "
        "so nothing that needs them is sent. Check that the org responds "
        'and that the user has the permission "View Setup and Configuration".'
    )


def first_pause(price: Price, standing: Mapping[Api, BudgetStatus]) -> list[str]:
    """
    Where the job will pause, one sentence per budget; empty if everything fits under the thresholds
    as use stands now.

    Other apps' future use is not in it.
    """
    sentences = []
    for api, amount in price.items():
        budget = standing.get(api)
        if not amount or budget is None:
            continue
        if not budget.is_known:
            sentences.append(
                f"{api}: the org's usage is not known yet. The job reads it first, and pauses if it cannot"
            )
        elif budget.used + budget.in_flight + amount > budget.threshold:
            left = max(0, budget.threshold - budget.used - budget.in_flight)
            sentences.append(
                f"{api}: pauses after about {left:,} of {amount:,}, when the org's use reaches "
                f"{budget.threshold:,} of {budget.maximum:,} ({budget.limit_percent} %)"
            )
    return sentences
