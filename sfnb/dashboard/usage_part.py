"""An org's usage: the report's verdict, cards, charts and tables, kept up to date in the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.wording import in_page
from sfnb.ui.kernel import Timer
from sfnb.ui.screen import Screen

if TYPE_CHECKING:
    from sfnb.usage.review import Review

LOOK_S = 1.0
"""So often it is looked whether there is something new; that costs no call."""

RENEW_S = 60.0
"""The report is made anew after so long, or when a limit was changed or a job changed its state."""

MOVED_S, BUSY = 5.0, 10
"""Use that moved is shown after so many seconds, and after so many times what making the report takes."""

DAYS = 7


class UsagePart(Screen):
    """The last seven days of an org. Costs no call: the org is asked in the background, see `LocalOrg`."""

    script = "usage"

    def __init__(self, org: LocalOrg) -> None:
        self._org = org
        self._made_s = float("-inf")
        self._took_s = 0.0
        self._seen: object = None
        self._seen_use: object = None
        self._shown: dict[str, Any] = {}
        self._make()
        self._timer = Timer(self._look, LOOK_S)
        self._timer.start()

    def __repr__(self) -> str:
        return f"<usage of {self._org.name}>"

    def view(self) -> dict[str, Any]:
        return self._shown

    def html(self) -> str:
        return str(self._shown["html"])

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        if message.get("kind") != "read":
            return None
        self._org.ask_soon(reads_event_log=True, is_wanted=True)
        return {"ok": True}

    def _look(self) -> None:
        age_s = self._org.clock.monotonic() - self._made_s
        # Use moves with each call of a running job; the report follows it within seconds, so that
        # it and the slider in the same page say the same.
        has_moved = age_s > max(MOVED_S, BUSY * self._took_s) and self._use() != self._seen_use
        if age_s > RENEW_S or has_moved or self._state() != self._seen:
            self._make()
            self.show()

    def _use(self) -> object:
        return {api: budget.used for api, budget in self._org.budgets().items()}

    def _state(self) -> object:
        """What makes the report a different one: a limit, a job's state, what was asked of the org."""
        org = self._org
        jobs = [(job.job_id, job.state) for job in org.state.jobs.find(org.org_id)]
        return (org.state.audit.head(), jobs, org.is_asking)

    def _make(self) -> None:
        # pandas and Plotly load here, on the part's thread, not before the page is shown.
        from sfnb.report.page import panel_html

        org = self._org
        self._seen, self._seen_use, began_s = self._state(), self._use(), org.clock.monotonic()
        made = panel_html(review(org))
        self._shown = {
            **made,
            "html": in_page(made["html"]),
            "org": org.name,
            "is_asking": org.is_asking,
        }
        self._made_s = org.clock.monotonic()
        self._took_s = self._made_s - began_s


def review(org: LocalOrg) -> Review:
    """The last seven days by what is stored. Costs no call."""
    from sfnb.usage.history import load_history
    from sfnb.usage.review import review_of
    from sfnb.usage.zones import zone_of

    now = org.clock.now()
    history = load_history(org.state, org.name, org.org_id, days=DAYS, now=now)
    return review_of(history, zone_of(None, now=now))
