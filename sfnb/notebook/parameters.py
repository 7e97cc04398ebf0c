"""
The parameters of notebooks, checked as the command line's options are: wrong usage is one sentence
and exit code 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from sfnb import engine
from sfnb.engine import BackupRequest, RestoreRequest
from sfnb.errors import CallerError
from sfnb.jobs.loop import OnPause
from sfnb.org.ids import is_record_id
from sfnb.text import span

DAY_S = 86_400.0
OFTEN_S = 300.0
"""
Checks more often than this are worth a word: the smallest allowance of a real org is 15,000 calls a
day.
"""

MAX_WORKERS = 32


def names(value: str | Sequence[str] | None) -> list[str] | None:
    """
    Names from a parameter: ``"Account,Contact"``, a list, or None.

    Raises:
        CallerError: something else.
    """
    if value is None or isinstance(value, str):
        return [name.strip() for name in (value or "").split(",") if name.strip()] or None
    if isinstance(value, Sequence) and all(isinstance(name, str) for name in value):
        return list(value)
    raise CallerError(f'{value!r} is not a list of names. Write it as "Account,Contact".')


def request(*, objects: object = None, exclude: object = None, **switches: object) -> BackupRequest:
    """
    What to back up, and how.

    Args:
        objects, exclude: as `names` takes them.
        switches: ``full``, ``sweep``, ``refresh``, ``files``, ``metadata``: true or false, as in
            `engine.backup`; ``metadata`` may be None, too.

    Raises:
        CallerError: one of them is not what `sfnb backup` would take.
    """
    checked: dict[str, Any] = {}
    for name, value in switches.items():
        if not isinstance(value, bool) and not (name == "metadata" and value is None):
            raise CallerError(f"{name} must be True or False, not {value!r}.")
        checked[name] = value
    wanted, unwanted = names(objects), names(exclude)  # type: ignore[arg-type]
    return engine.backup(objects=wanted, exclude=unwanted or (), **checked)


def restore_request(
    *, snapshot: object = "latest", source: object = None, **options: object
) -> RestoreRequest:
    """
    What to restore, and how: the options of `sfnb restore`.

    Args:
        snapshot: its id, or ``latest``.
        source: the org that the snapshot is of, where another one is written.
        options: as in `engine.restore`; lists as `names` takes them.

    Raises:
        CallerError: one of them is not what `sfnb restore` would take.
    """
    if not isinstance(snapshot, str) or not snapshot.strip():
        raise CallerError(f"snapshot must be a snapshot's id or 'latest', not {snapshot!r}.")
    checked: dict[str, Any] = {}
    for name, value in options.items():
        if name in ("objects", "ids", "fields"):
            checked[name] = names(value)  # type: ignore[arg-type]
        elif name == "files" and not isinstance(value, bool):
            raise CallerError(f"{name} must be True or False, not {value!r}.")
        elif name == "with_children" and (isinstance(value, bool) or not isinstance(value, int)):
            raise CallerError(f"{name} must be a whole number, not {value!r}.")
        else:
            checked[name] = value
    for one in checked.get("ids") or ():
        if not is_record_id(one):
            raise CallerError(f"{one!r} is not a record's Id.")
    return engine.restore(snapshot.strip(), source=str(source or ""), **checked)


def run_options(
    *,
    on_pause: object = "wait",
    poll_minutes: object = 30,
    max_wait_hours: object = None,
    workers: object = 4,
) -> dict[str, Any]:
    """
    The options of `notebook.run`. Says once what very frequent checks would cost.

    Raises:
        CallerError: one of them is not what `sfnb backup` would take.
    """
    if on_pause not in get_args(OnPause):
        raise CallerError(
            f"on_pause must be one of {', '.join(get_args(OnPause))}, not {on_pause!r}."
        )
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= MAX_WORKERS:
        raise CallerError(
            f"workers must be a whole number from 1 to {MAX_WORKERS}, not {workers!r}."
        )
    poll_s = 60 * _positive("poll_minutes", poll_minutes)
    wait_s = None if max_wait_hours is None else 3600 * _positive("max_wait_hours", max_wait_hours)
    if poll_s < OFTEN_S:
        print(  # noqa: T201 - a notebook's cell says it
            f"A check every {span(poll_s)} costs up to {DAY_S / poll_s:,.0f} API calls a day while "
            "the job is paused."
        )
    return {"on_pause": on_pause, "poll_s": poll_s, "max_wait_s": wait_s, "workers": workers}


def _positive(name: str, value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < float(value) < float("inf"):  # type: ignore[arg-type]
        raise CallerError(f"{name} must be a number above 0, not {value!r}.")
    return float(value)  # type: ignore[arg-type]
