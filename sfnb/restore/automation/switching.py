"""FACE of automation: triggers, validation rules and flows switched off, and on again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sfnb.errors import ObjectError, TransientError
from sfnb.org.answers import json_of
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubResponse
from sfnb.org.prices import MAX_SUBREQUESTS
from sfnb.org.retry import MAX_TRIES, wait_before
from sfnb.org.tooling import change_request, fetch_tooling, read_request, send_tooling
from sfnb.restore.automation.deciding import (
    Metadata,
    decide_on,
    is_on,
    state_of,
    switched_off,
    why_fixed,
)
from sfnb.restore.automation.items import TOOLING
from sfnb.restore.automation.journal import AutomationJournal, Entry
from sfnb.restore.automation.listing import Found
from sfnb.restore.automation.triggers import Wait, deploy_triggers, settle_deployments

DEPLOY_POLLS = 4
"""What a deployment is planned with; one that runs an org's tests takes more."""


def switching_calls(found: Found) -> int:
    """API calls that off and on again will take, as planned. Pure."""
    wanted = [i for i in found.items if i.is_active and i.kind in TOOLING]
    if not wanted:
        return 0
    reads = -(-len(wanted) // MAX_SUBREQUESTS)
    patches = -(-sum(i.kind != "trigger" for i in wanted) // MAX_SUBREQUESTS)
    deploys = 1 + DEPLOY_POLLS if any(i.kind == "trigger" for i in wanted) else 0
    return 3 * reads + 2 * (patches + deploys)


def switch_off(org: OrgClient, journal: AutomationJournal, found: Found, wait: Wait) -> None:
    """
    Switch off what is active, as far as the org lets us; each thing's end is in the journal.

    Called again after a pause or a kill, it goes on where it was.

    Cost: 1 API call for each 25 things to read them and one to switch them, and a deployment.
    """
    if not journal.is_begun:
        _begin(org, journal, found)
    unknown = [e for e in journal.entries if e.step == "switching_off"]
    if unknown:
        settle_deployments(org, journal, wait)
        _look_up(org, journal, unknown)
    waiting = [e for e in journal.entries if e.step == "waiting"]
    plain = [e for e in waiting if e.item.kind != "trigger"]
    for first in range(0, len(plain), MAX_SUBREQUESTS):
        chunk = plain[first : first + MAX_SUBREQUESTS]
        journal.move(chunk, "switching_off")
        sent = [(e, switched_off(e.item.kind, e.before)) for e in chunk]
        for entry, why in _send(org, sent, wait, is_off=True):
            entry.step, entry.note = ("left", f"it stays on: {why}") if why else ("off", "")
        journal.save()
    triggers = [e for e in waiting if e.item.kind == "trigger"]
    if triggers:
        _switch_triggers_off(org, journal, triggers, wait)


def switch_on(org: OrgClient, journal: AutomationJournal, wait: Wait) -> list[str]:
    """
    Switch on again what we have switched off, exactly as it was; sentences on what is not on.

    Safe to repeat: it looks first, so a thing is never switched twice, and what somebody else has
    switched or changed meanwhile stays.

    Cost: 1 API call for each 25 things to read them, one to switch, one to read them back; a
    deployment where there are triggers. None when nothing is off.
    """
    for entry in journal.entries:
        if entry.step == "waiting":
            entry.step = "on"
    if not journal.is_open:
        if journal.is_begun:
            journal.save()
        return []
    settle_deployments(org, journal, wait)
    for _ in range(2):
        to_send = _decide_all(org, journal, journal.open_entries)
        if not to_send:
            break
        journal.move([e for e, _ in to_send], "switching_on")
        plain = [(e, m) for e, m in to_send if e.item.kind != "trigger"]
        for first in range(0, len(plain), MAX_SUBREQUESTS):
            for entry, why in _send(
                org, plain[first : first + MAX_SUBREQUESTS], wait, is_off=False
            ):
                entry.note = why or entry.note
        _deploy(org, journal, [(e, m) for e, m in to_send if e.item.kind == "trigger"], wait)
    else:
        # What was not read back is not known.
        _decide_all(org, journal, journal.open_entries)
    journal.save()
    return [
        f"{e.item.shown} is still off ({e.note or 'the org gave no reason'}). Switch it on in Setup."
        for e in journal.open_entries
    ]


def _begin(org: OrgClient, journal: AutomationJournal, found: Found) -> None:
    """Write how everything stands, before anything is touched."""
    wanted = [i for i in found.items if i.is_active and i.kind in TOOLING]
    journal.is_production = found.is_production
    entries = []
    for item, state in zip(wanted, _states(org, wanted), strict=True):
        if state is None:
            continue  # it went while we looked
        entry = Entry(item, state)
        if why := why_fixed(item.kind, state):
            entry.step, entry.note = "left", why
        elif not is_on(item.kind, state):
            entry.step = "left"
        entries.append(entry)
    journal.entries = entries
    journal.save()


def _states(org: OrgClient, items: Sequence[Any]) -> list[dict[str, Any] | None]:
    """How each stands now, as ``state_of``; None: it is gone."""
    parts = [
        read_request(org, f"r{number}", TOOLING[item.kind], item.id)
        for number, item in enumerate(items)
    ]
    found: list[dict[str, Any] | None] = []
    for item, answer in zip(items, fetch_tooling(org, parts), strict=True):
        refused = answer.refusal(f"reading {item.shown}")
        if isinstance(refused, ObjectError) and answer.status == 404:
            found.append(None)
        elif refused is not None:
            raise refused
        else:
            found.append(state_of(item.kind, json_of(answer.body, what=item.shown)))
    return found


def _look_up(org: OrgClient, journal: AutomationJournal, unknown: Sequence[Entry]) -> None:
    """What became of a call whose answer nobody has: the org knows."""
    for entry, state in zip(unknown, _states(org, [e.item for e in unknown]), strict=True):
        is_off = state is not None and not is_on(entry.item.kind, state)
        entry.step = "off" if is_off else "waiting"
    journal.save()


def _decide_all(
    org: OrgClient, journal: AutomationJournal, entries: Sequence[Entry]
) -> list[tuple[Entry, Metadata]]:
    """What has to be sent so that each is on; the others are noted as they stand."""
    to_send = []
    states = _states(org, [e.item for e in entries])
    for entry, state in zip(entries, states, strict=True):
        decision = decide_on(entry.item.kind, entry.before, state)
        entry.note = decision.note or entry.note
        if decision.what == "send":
            to_send.append((entry, decision.metadata))
        else:
            entry.step = "on" if decision.what == "done" else "left"
    journal.save()
    return to_send


def _send(
    org: OrgClient, sent: Sequence[tuple[Entry, Metadata]], wait: Wait, *, is_off: bool
) -> list[tuple[Entry, str]]:
    """
    Each entry and why it was not switched; empty: it was.

    A call without an answer is looked up, and only what it did not reach is sent again.
    """
    done: list[tuple[Entry, str]] = []
    left = list(sent)
    for attempt in range(1, MAX_TRIES + 1):
        parts = [
            change_request(org, f"c{n}", TOOLING[e.item.kind], e.item.id, metadata)
            for n, (e, metadata) in enumerate(left)
        ]
        try:
            answers = send_tooling(org, parts)
        except TransientError as err:
            if attempt == MAX_TRIES:
                raise
            wait(wait_before(attempt, jitter=0.0, retry_after_s=err.retry_after_s))
            states = _states(org, [e.item for e, _ in left])
            reached = [
                s is not None and is_on(e.item.kind, s) is not is_off
                for (e, _), s in zip(left, states, strict=True)
            ]
            done += [(e, "") for (e, _), is_there in zip(left, reached, strict=True) if is_there]
            left = [one for one, is_there in zip(left, reached, strict=True) if not is_there]
            if not left:
                return done
            continue
        return done + [(e, _why(e, answer)) for (e, _), answer in zip(left, answers, strict=True)]
    raise AssertionError("unreachable: the last try raises")


def _why(entry: Entry, answer: SubResponse) -> str:
    refused = answer.refusal(entry.item.shown)
    if refused is None or isinstance(refused, ObjectError):
        return str(refused) if refused else ""
    raise refused


def _switch_triggers_off(
    org: OrgClient, journal: AutomationJournal, triggers: Sequence[Entry], wait: Wait
) -> None:
    journal.move(triggers, "switching_off")
    sent = [(e, switched_off("trigger", e.before)) for e in triggers]
    refused = _deploy(org, journal, sent, wait)
    for entry in triggers:
        why = refused.get(entry.item.id, "")
        entry.step, entry.note = ("left", f"it stays on: {why}") if why else ("off", "")
    journal.save()


def _deploy(
    org: OrgClient,
    journal: AutomationJournal,
    sent: Sequence[tuple[Entry, Metadata]],
    wait: Wait,
) -> Mapping[str, str]:
    """
    Deploy triggers; by Id why one was not. A deployment is all or nothing, so those that the org
    names are left out of a second one.
    """
    refused: dict[str, str] = {}
    left = list(sent)
    while left:
        status = deploy_triggers(org, journal, [metadata for _, metadata in left], wait)
        if status.is_good:
            return refused
        named = {p.full_name: p.message for p in status.problems if p.full_name}
        bad = [(e, m) for e, m in left if str(m["fullName"]) in named]
        general = "; ".join(p.message for p in status.problems) or "the deployment failed"
        for entry, metadata in bad or left:
            why = named.get(str(metadata["fullName"]), general)
            refused[entry.item.id] = entry.note = why
        left = [one for one in left if one not in bad] if bad else []
    return refused
