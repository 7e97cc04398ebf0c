"""The limit slider: the org's budgets, where jobs stop, Save and Cancel."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

from sfnb.connection import Connection
from sfnb.engine import Estimate
from sfnb.errors import CallerError, QuotaSignal, SfnbError
from sfnb.model import APIS, RESTORE, Api, JobState, Price
from sfnb.quota.limits import LimitChanged, NewLimits
from sfnb.quota.policy import UNITS
from sfnb.state.audit import LIMIT, AuditEntry
from sfnb.text import PERCENT_FORM, parse_percent, percent_refusal, zoned_moment
from sfnb.ui import limits
from sfnb.ui.kernel import Timer
from sfnb.ui.limits import Budget
from sfnb.ui.screen import Screen, picture

SHOWN_APIS: tuple[Api, ...] = ("api", "bulk", "bulk2")

LOOK_S = 2.0
"""Seconds between two looks at the state database, for what others changed; costs no call."""

FORECAST_S = 120.0
"""A forecast is shown so long; making one takes a fifth of a second and no call."""

SAVE_PATIENCE_S = 5.0
"""How long Save waits for a state database that another process holds: a person is watching."""

NOTHING_SAVED = "Nothing is saved."
REFUSED = "This is not a percentage. Enter a whole number from 1 to 100."

FRESH_S = 300.0
"""A younger reading is shown as it is; an older one is read again when the slider is made."""


class LimitSlider(Screen):
    """
    The limits of an org. Nothing changes before Save.

    Args:
        is_asking: whether it asks the org for a new reading when the stored one is old.

    Cost: one call when the org's use was not read in the last five minutes, and one for each press
    of "Read again".
    """

    script = "limit_slider"
    deeds = (("save", "limit"),)

    def __init__(
        self,
        org: Connection,
        plan: Estimate | None = None,
        apis: Sequence[Api] | None = None,
        *,
        is_asking: bool = True,
    ) -> None:
        unknown = [api for api in apis or () if api not in APIS]
        if unknown:
            raise CallerError(f"There is no API {unknown[0]!r}; choose one of {', '.join(APIS)}.")
        self._org = org
        self._apis = tuple(apis or SHOWN_APIS)
        self._plan = plan
        self._price: Price | None = None
        self._price_source = ""
        self._notice = ""
        self._tickets: set[str] = set()
        self._forecasts: dict[Api, tuple[float, int, tuple[str, ...]]] = {}
        self._budgets: list[Budget] = []
        self._audit_head: tuple[int, str] | None = None
        self._changes: dict[tuple[str, str], AuditEntry] = {}
        if is_asking and self._is_stale():
            self._read_org()
        self.refresh()
        self._timer = Timer(self._look, LOOK_S)
        self._timer.start()

    def __repr__(self) -> str:
        limits_now = ", ".join(f"{b.api} {b.percent} %" for b in self._budgets)
        return f"<limits of {self._org.name}: {limits_now}>"

    # what there is to show

    def refresh(self) -> None:
        """Read the state database again. Costs no call."""
        org, now = self._org, self._org.clock.now()
        self._refused = self.refused(org.state.team)
        budgets = org.budgets()
        own = org.state.usage.spent(org.org_id, now - timedelta(hours=24))
        reserves = org.state.ledger.reserves(org.org_id)
        self._read_changes()
        self._price, self._price_source = self._next_price(self._plan)
        shown = [api for api in self._apis if budgets[api].maximum > 0] or ["api"]
        self._budgets = [
            Budget(
                api=api,
                used=budgets[api].used,
                own=own[api],
                maximum=budgets[api].maximum,
                percent=budgets[api].limit_percent,
                is_known=budgets[api].is_known,
                read_at=budgets[api].read_at,
                last_change=_change(self._changes.get(("", api))) or limits.UNCHANGED,
                reserve=reserves.get(api, 0),
                last_reserve=_change(self._changes.get((RESTORE, api))),
                price=None if self._price is None else self._price.get(api, 0),
                price_source=self._price_source,
                finishes=self._finishes(api),
            )
            for api in shown
        ]

    def _finishes(self, api: Api) -> tuple[str, ...]:
        """
        When the next backup would end under each limit percent; worked out anew every `FORECAST_S`
        seconds.
        """
        price = (self._price or {}).get(api, 0)
        now_s = self._org.clock.monotonic()
        if price <= 0:
            return ()
        made_s, made_price, sentences = self._forecasts.get(api, (float("-inf"), 0, ()))
        if price != made_price or now_s - made_s > FORECAST_S:
            sentences = self._forecast(api, price)
            self._forecasts[api] = (now_s, price, sentences)
        return sentences

    def _forecast(self, api: Api, price: int) -> tuple[str, ...]:
        # pandas and the forecast are heavy, and only a known price needs them.
        from sfnb.quota.forecast import what_if
        from sfnb.usage.what_if import budgets_of, finish_sentence
        from sfnb.usage.zones import zone_of

        now = self._org.clock.now()
        budgets = budgets_of(self._org.state, self._org.org_id, now=now)
        found = what_if({api: price}, budgets)
        zone = zone_of(None, now=now)
        return tuple(finish_sentence(found[p], zone) for p in range(1, 101)) if found else ()

    def _read_changes(self) -> None:
        head = self._org.state.audit.head()
        if head != self._audit_head:
            for entry in self._org.state.audit.entries(self._org.org_id, (LIMIT,)):
                for api in APIS if entry.api == "all" else (entry.api,):
                    self._changes[entry.limit_of, api] = entry
            self._audit_head = head

    def _next_price(self, plan: Estimate | None) -> tuple[Price | None, str]:
        if plan is not None:
            return plan.plan.price(), "the plan"
        done = [
            job
            for job in self._org.state.jobs.find(self._org.org_id)
            if job.kind == "backup"
            and job.state in (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS)
        ]
        if not done:
            return None, ""
        last = done[-1]
        if price := last.outcome.get("next_backup_price"):
            return price, f"the backup of {zoned_moment(last.started_at)}"
        return self._org.state.usage.job_calls(
            last.job_id
        ), f"the last backup, {zoned_moment(last.started_at)}"

    def _is_first(self) -> bool:
        jobs = self._org.state.jobs.find(self._org.org_id)
        return not any(job.kind == "backup" and job.state is JobState.COMPLETED for job in jobs)

    def _is_stale(self) -> bool:
        here = self._org.budgets()["api"]
        now = self._org.clock.now()
        return (
            not here.is_known
            or here.read_at is None
            or (now - here.read_at).total_seconds() > FRESH_S
        )

    def _read_org(self) -> None:
        """
        Ask the org; that it cannot be asked is said, and the limits can be changed all the same.
        """
        try:
            self._org.limits()
            self._notice = ""
        except (SfnbError, QuotaSignal) as err:
            self._notice = f"The org did not answer, so these numbers are old: {err}"

    def _look(self) -> None:
        """
        One beat: show what changed elsewhere. A database that cannot be read now is read at the
        next beat.
        """
        before = (self._budgets, self._notice, self._refused)
        try:
            self.refresh()
        except SfnbError as err:
            self._notice = str(err)
        if (self._budgets, self._notice, self._refused) != before:
            self.show()

    def view(self) -> dict[str, Any]:
        percents = range(1, 101)
        return {
            "notice": self._notice,
            "refused": self._refused,
            "advice": limits.FIRST_BACKUP if self._is_first() else "",
            "title": f"Limits of {self._org.name}",
            "form": f"^{PERCENT_FORM}$",
            "refusals": {
                "empty": f"{percent_refusal('')} {NOTHING_SAVED}",
                "other": f"{REFUSED} {NOTHING_SAVED}",
            },
            "unit": "% used",
            "legend": limits.LEGEND,
            "reserve_legend": limits.RESERVE_LEGEND,
            "budgets": [
                {
                    "api": b.api,
                    "title": limits.TITLES[b.api],
                    "is_folded": b.is_idle,
                    "max": b.maximum,
                    "sfnb": b.sfnb,
                    "others": b.others if b.used >= 0 else 0,
                    "used": limits.use_sentence(b, zoned_moment(b.read_at)),
                    "limit": {
                        "kind": "",
                        "percent": b.percent,
                        "slider_label": f"{limits.TITLES[b.api]}: slider, percent used",
                        "field_label": f"{limits.TITLES[b.api]}, percent used",
                        "last": b.last_change,
                        "stops": [limits.stop_sentence(b, p) for p in percents],
                    },
                    "reserve": {
                        "kind": RESTORE,
                        "percent": b.reserve,
                        "titles": [limits.reserve_title(p) for p in range(101)],
                        "slider_label": f"{limits.RESERVE_TITLE}, {UNITS[b.api]}: slider, percent used",
                        "field_label": f"{limits.RESERVE_TITLE}, {UNITS[b.api]}, percent used",
                        "last": b.last_reserve,
                        "unset": limits.restore_sentence(b, 0),
                        "stops": [limits.restore_sentence(b, p) for p in percents],
                    },
                    "what_if": [limits.what_if(b, p) for p in percents],
                }
                for b in self._budgets
            ],
        }

    def html(self) -> str:
        parts = [f"<h3>Limits of {escape(self._org.name)}</h3>"]
        if self._notice:
            parts.append(f'<p class="sfnb-problem">{escape(self._notice)}</p>')
        parts += [_budget_html(b) for b in self._budgets]
        if self._is_first():
            parts.append(f"<p>{limits.FIRST_BACKUP}</p>")
        return picture("".join(parts))

    # what a person does

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        match message.get("kind"):
            case "ask":
                # The browser saves only with a ticket that it was given a moment ago. A Save that
                # waited for a lost connection to come back is thus never carried out behind the
                # person's back.
                ticket = secrets.token_hex(8)
                self._tickets.add(ticket)
                return {"ok": True, "ticket": ticket}
            case "save":
                return self._save(message)
            case "read":
                self._read_org()
                self.refresh()
                self.show()
                return {"ok": not self._notice, "says": self._notice or "Read just now."}
        return None

    def _save(self, message: dict[str, Any]) -> dict[str, Any]:
        if message.get("ticket") not in self._tickets:
            raise CallerError("This was not saved. Press Save again.")
        self._tickets.clear()
        wanted = [_wanted(change) for change in message["changes"]]
        try:
            self._org.state.ledger.change_limits(
                self._org.org_id,
                wanted,
                patience_s=SAVE_PATIENCE_S,
                reason=str(message.get("reason", "")).strip(),
                org=self._org.name,
            )
        except LimitChanged as err:
            self.refresh()
            self.show()
            change = self._changes.get((err.kind, err.api))
            who = change.who if change else "Somebody"
            what = _said(err.api, err.percent, err.kind, "to ")
            return {
                "ok": False,
                "says": f"Not saved: {who} set the limit of {what} meanwhile.",
                "view": self.view(),
            }
        self.refresh()
        self.show()
        said = ", ".join(
            _said(api, percent, change.kind)
            for change in wanted
            for api, percent in change.percents.items()
        )
        return {
            "ok": True,
            "says": f"Saved: {said}. Running jobs obey at their next call.",
            "view": self.view(),
        }


def _wanted(change: dict[str, Any]) -> NewLimits:
    """What a person typed; an empty field takes the limit of restores away."""
    kind = str(change["kind"])
    typed: dict[Api, str] = {api: str(text) for api, text in change["percents"].items()}
    percents = {
        api: 0 if kind and not text.strip() else parse_percent(text) for api, text in typed.items()
    }
    return NewLimits(percents, change["expected"], kind)


def _said(api: Api, percent: int, kind: str, to: str = "") -> str:
    whose = f"{UNITS[api]} for restores" if kind else UNITS[api]
    return f"{whose} {f'{to}{percent} %' if percent else 'as for all jobs'}"


def _change(entry: AuditEntry | None) -> str:
    if entry is None:
        return ""
    at = zoned_moment(datetime.fromisoformat(entry.at))
    return limits.change_sentence(who=entry.who, at=at, change=entry.change, reason=entry.reason)


def _budget_html(b: Budget) -> str:
    picture_html = ""
    if b.maximum > 0:
        sfnb, others = (min(100.0, 100 * n / b.maximum) for n in (b.sfnb, b.others))
        label = escape(limits.use_sentence(b, zoned_moment(b.read_at)))
        reserve = (
            f'<div class="sfnb-room" style="left:{b.percent}%;width:{max(b.reserve - b.percent, 0)}%"></div>'
            f'<div class="sfnb-reserve-mark" style="left:{b.reserve}%"></div>'
        )
        picture_html = (
            f'<div class="sfnb-gauge" role="img" aria-label="{label}">'
            f'<div class="sfnb-kept" style="left:{max(b.percent, b.reserve)}%"></div>'
            f'<div class="sfnb-own" style="width:{sfnb:.2f}%"></div>'
            f'<div class="sfnb-others" style="left:{sfnb:.2f}%;width:{min(others, 100 - sfnb):.2f}%"></div>'
            f'<div class="sfnb-stop" style="left:{b.percent}%"></div>'
            f"{reserve if b.reserve else ''}</div>{_legend(has_reserve=b.reserve > 0)}"
        )
    restores = (
        f"<p>{escape(limits.restore_sentence(b, b.reserve))} {escape(b.last_reserve)}</p>"
        if b.reserve
        else ""
    )
    return (
        f"<section><h4>{escape(limits.TITLES[b.api])}: {b.percent} % used</h4>{picture_html}"
        f"<p><strong>{escape(limits.stop_sentence(b, b.percent))}</strong></p>"
        f"<p>{escape(limits.use_sentence(b, zoned_moment(b.read_at)))}</p>"
        f"<p>{escape(limits.what_if(b, b.percent))}</p><p>{escape(b.last_change)}</p>{restores}</section>"
    )


def _legend(*, has_reserve: bool) -> str:
    marks = "".join(
        f'<span><i class="sfnb-{name}"></i>{escape(text)}</span>'
        for name, text in (*limits.LEGEND, *(limits.RESERVE_LEGEND if has_reserve else ()))
    )
    return f'<div class="sfnb-legend">{marks}</div>'
