"""Holds and retention on the screen: what is on hold, what a policy lets go, and pruning after a question."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from sfnb.connection import Connection
from sfnb.errors import CallerError, QuotaSignal, SfnbError
from sfnb.holds.book import Hold, HoldBook
from sfnb.holds.pruning import prune
from sfnb.holds.question import add_hold
from sfnb.org.ids import is_api_name, is_record_id, to18
from sfnb.store.pruning.keep import KeepPolicy
from sfnb.store.pruning.run import Pruned
from sfnb.store.states.everything import is_stored, stores_of
from sfnb.text import count
from sfnb.ui.kernel import Timer
from sfnb.ui.screen import Screen, picture
from sfnb.usage.zones import zone_of

LOOK_S = 0.3
MB = 1_000_000


class RetentionPanel(Screen):
    """
    The holds of an org, the policy of `sfnb.toml`, and what a prune would remove.

    Nothing goes before it has been shown and confirmed. Cost: no API calls.
    """

    script = "retention"
    deeds = (("add", "hold"), ("remove", "hold removed"), ("prune", "prune"))

    def __init__(self, org: Connection) -> None:
        self._org = org
        self._plan = ""
        self._planned: KeepPolicy | None = None
        self._removes = 0
        self._busy = ""
        self._says = ""
        self._timer = Timer(self._look, LOOK_S)

    def __repr__(self) -> str:
        return f"<holds and retention of {self._org.name}>"

    def view(self) -> dict[str, Any]:
        policy = self._policy()
        return {
            "org": self._org.name,
            "holds": [_hold_view(hold, self._org.name) for hold in self._holds()],
            "keep": {name: getattr(policy, name) for name in KeepPolicy.__slots__},
            "policy": f"sfnb.toml keeps: {policy}."
            if policy.keeps_something
            else "sfnb.toml has no policy ([keep]) for this org.",
            "plan": self._plan,
            "can_prune": self._planned is not None and self._removes > 0,
            "busy": self._busy,
            "says": self._says,
            "refused": self.refused(self._org.state.team),
        }

    def html(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{escape(hold.object_name)}</th><td>{escape(_what(hold))}</td>"
            f"<td>{escape(hold.reason)}</td></tr>"
            for hold in self._holds()
        )
        heads = "<tr><th>object</th><th>records</th><th>reason</th></tr>"
        table = f"<table><thead>{heads}</thead><tbody>{rows}</tbody></table>"
        holds = table if rows else f"<p>Nothing of {escape(self._org.name)} is on hold.</p>"
        return picture(f"<h3>Holds</h3>{holds}{self._plan}")

    def _holds(self) -> list[Hold]:
        return HoldBook(self._org.state.database).holds(self._org.org_id)

    def _policy(self) -> KeepPolicy:
        keep = self._org.settings.keep
        return KeepPolicy.of(dict(keep.get(self._org.name, keep.get("", {}))))

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        answer: dict[str, Any] = {"ok": True}
        match message.get("kind"):
            case "add":
                answer["says"] = self._add(message)
            case "remove":
                self._remove(message)
            case "plan":
                self._prune(_policy_of(message.get("keep") or {}), is_dry=True)
            case "question":
                answer["question"] = self._question()
            case "prune" if self._planned is not None:
                self._prune(self._planned, is_dry=False)
            case _:
                return None
        self.show()
        return answer

    # -- holds

    def _add(self, message: Mapping[str, Any]) -> str:
        """A new hold, and what to say of it."""
        org, name = self._org, str(message.get("object", "")).strip()
        if not is_api_name(name):
            raise CallerError("Name the object, such as Contact.")
        text, ids = str(message.get("text", "")).strip(), None
        match message.get("what"):
            case "ids":
                texts = text.replace(",", " ").split()
                wrong = [one for one in texts if not is_record_id(one)]
                if wrong or not texts:
                    raise CallerError(
                        f"“{wrong[0]}” is not a record Id." if wrong else "Enter a record Id."
                    )
                ids, text = [to18(one) for one in texts], ""
            case "all":
                text = ""
            case _ if not text:
                raise CallerError("Enter a condition, such as MailingCountry = 'FR'.")
        hold = add_hold(
            org.state,
            org.store,
            org=org.name,
            object_name=name,
            reason=str(message.get("reason", "")),
            ids=ids,
            condition=text or None,
        )
        self._forget_plan()
        said = f"{count(hold.records, 'record')} of {name} on hold."
        if any(is_stored(store, name) for store in stores_of(org.store.files)):
            return said
        return f"{said} Nothing of {name} is stored: check the name."

    def _remove(self, message: Mapping[str, Any]) -> None:
        book = HoldBook(self._org.state.database)
        book.remove(self._org.org_id, str(message.get("hold_id")), str(message.get("reason", "")))
        self._forget_plan()

    def _forget_plan(self) -> None:
        """What was shown is no longer what a prune would do."""
        self._plan, self._planned, self._removes = "", None, 0

    # -- retention

    def _question(self) -> str:
        if self._planned is None:
            raise CallerError("Look at what would go first.")
        return (
            f"This removes {count(self._removes, 'snapshot')} of {self._org.name} for good. "
            "There is no way back. Go on?"
        )

    def _prune(self, policy: KeepPolicy, *, is_dry: bool) -> None:
        if self._busy:
            return
        org = self._org

        def work() -> None:
            done = prune(
                org.state,
                org.store,
                policy,
                org.clock,
                org=org.name,
                zone=zone_of(None, now=org.clock.now()),
                is_dry=is_dry,
            )
            self._plan, self._removes = pruned_html(done, is_dry=is_dry), len(done.plan.removed)
            self._planned = policy if is_dry else None

        self._forget_plan()
        self._run("planning" if is_dry else "pruning", work)

    def _run(self, what: str, work: Callable[[], None]) -> None:
        """Do it on a thread of its own; one at a time."""
        self._busy, self._says = what, ""

        def run() -> None:
            try:
                work()
            except (SfnbError, QuotaSignal) as err:
                self._says = str(err)
            finally:
                self._busy = ""

        threading.Thread(target=run, daemon=True, name="sfnb-retention").start()
        self._timer.start()

    def _look(self) -> None:
        """One beat while something is awaited."""
        if not self._busy:
            self._timer.stop()
            self.show()


def _policy_of(numbers: Mapping[str, Any]) -> KeepPolicy:
    """
    The policy that a person has typed.

    Raises:
        CallerError: it keeps nothing, or a number is none.
    """
    texts = {name: str(numbers.get(name) or "0").strip() for name in KeepPolicy.__slots__}
    if wrong := [text for text in texts.values() if not text.isdecimal()]:
        raise CallerError(f"“{wrong[0]}” is not a number of snapshots.")
    policy = KeepPolicy.of({name: int(text) for name, text in texts.items()})
    if not policy.keeps_something:
        raise CallerError("Say what to keep: a number in at least one field.")
    return policy


def _what(hold: Hold) -> str:
    """Which records a hold is on."""
    if hold.condition is not None:
        return hold.condition
    return "all records" if hold.is_whole else count(hold.records, "record")


def _hold_view(hold: Hold, org: str) -> dict[str, str]:
    what = _what(hold)
    return {
        "id": hold.hold_id,
        "object": hold.object_name,
        "what": what,
        "reason": f"{hold.reason} ({hold.who}, {hold.created_at:%Y-%m-%d})",
        "question": f"Once it is removed, {hold.object_name} ({what}) of {org} may be pruned, archived "
        "and erased again. Remove the hold?",
    }


def pruned_html(done: Pruned, *, is_dry: bool) -> str:
    """What a prune did or would do, as a table. Pure."""
    plan = done.plan
    rows = sorted(
        [
            *((name, "kept", ", ".join(why)) for name, why in plan.kept.items()),
            *((name, "held", why) for name, why in plan.held.items()),
            *((name, "would go" if is_dry else "removed", "") for name in plan.removed),
        ]
    )
    lines = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{what}</td><td>{escape(why)}</td></tr>"
        for name, what, why in rows
    )
    freed = (done.bytes_before - done.bytes_after) / MB
    would = "would go and free" if is_dry else "removed; that freed"
    gone = count(len(plan.removed), "snapshot")
    return (
        f"<p class='sfnb-strong'>{gone} {would} {freed:,.1f} MB of {done.bytes_before / MB:,.1f}."
        f"{' Nothing was changed.' if is_dry else ''}</p><table><thead><tr><th>snapshot</th>"
        f"<th>is</th><th>why</th></tr></thead><tbody>{lines}</tbody></table>"
    )
