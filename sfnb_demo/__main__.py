"""``python -m sfnb_demo serve``: run a demo org until it is stopped."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sfnb_demo.server.faults import HEADER_FORMS
from sfnb_demo.server.limit_header import RECORDED_AGE_S
from sfnb_demo.server.options import FIRST_VERSION, LAST_VERSION, Options
from sfnb_demo.server.server import DemoServer


def main(arguments: Sequence[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    options = Options(
        size=given.size,
        seed=given.seed,
        objects=dict(given.objects),
        empty_objects=given.empty_objects,
        has_oddities=given.oddities,
        features=tuple(given.feature),
        faults=given.fault,
        max_calls=given.max_calls,
        is_hard=given.hard,
        minutes_per_second=given.minutes_per_second,
        clock=given.clock,
        seconds_per_call=given.seconds_per_call,
        hours_per_wait=given.hours_per_wait,
        competitors=given.competitors,
        competitors_pct=given.competitors_pct,
        session_minutes=given.session_minutes,
        bulk_job_s=given.bulk_job_s,
        has_event_log=given.event_log,
        has_hourly_logs=given.hourly_logs,
        has_gzip=given.gzip,
        client_id=given.client_id,
        client_secret=given.client_secret,
        refresh_token=given.refresh_token,
        password=given.password,
        header_lag_s=given.header_lag_s,
        has_header_wobble=given.header_wobble,
        wide_page_rows=given.wide_page_rows,
        first_version=given.first_version,
        last_version=given.last_version,
        limits_lag_minutes=given.limits_lag_minutes,
        record_count_age_minutes=given.record_count_age_minutes,
        has_conditional_describes=given.conditional_describes,
        refused_in_composite=tuple(given.refuse_in_composite),
        replication_days=given.replication_days,
        limit_header=given.limit_header,
        start_at=given.start_at,
    )
    folder = given.folder or Path(tempfile.mkdtemp(prefix="sfnb-demo-"))
    try:
        server = DemoServer(options, folder, port=given.port, https_port=given.https_port)
    except OSError as err:
        print(  # noqa: T201
            f"The demo org cannot start: {err}. Choose another --port or --folder.", file=sys.stderr
        )
        return 1
    except ValueError as err:
        print(f"The demo org cannot be made: {err}.", file=sys.stderr)  # noqa: T201
        return 2
    with server:
        # One event for every way to stop: a signal, or POST /control/shutdown.
        stop = server.org.stopping
        _end_on_signals(stop)
        if given.ready_file:
            server.write_ready(given.ready_file)
        print(f"demo org answers at {server.url} and {server.https_url}", flush=True)  # noqa: T201
        # In short waits: on Windows a signal does not interrupt a wait without end.
        while not stop.wait(0.5):
            pass
    if given.ready_file:
        given.ready_file.unlink(missing_ok=True)
    return 0


def _end_on_signals(stop: threading.Event) -> None:
    def end(*_: object) -> None:
        stop.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, end)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sfnb_demo", description="A Salesforce org to try sfnb on."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run a demo org until it is stopped")
    flag = argparse.BooleanOptionalAction
    serve.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    serve.add_argument("--https-port", type=int, default=0)
    serve.add_argument("--folder", type=Path, help="work folder (default: a new temporary one)")
    serve.add_argument("--size", choices=("tiny", "small", "medium", "large"), default="small")
    serve.add_argument("--seed", type=int, default=1)
    serve.add_argument(
        "--objects", type=_rows, action="append", default=[], metavar="Contact=1000000"
    )
    serve.add_argument("--empty-objects", type=int, default=0)
    serve.add_argument(
        "--oddities",
        action=flag,
        default=True,
        help="have objects and values that real orgs have and careless clients stumble over",
    )
    serve.add_argument(
        "--feature",
        action="append",
        default=[],
        metavar="person-accounts",
        help="something that an admin has switched on; all: everything; may be repeated",
    )
    serve.add_argument(
        "--fault",
        type=json.loads,
        action="append",
        default=[],
        metavar="JSON",
        help="a fault rule in force from the start, as POST /control/faults takes it",
    )
    serve.add_argument("--max-calls", type=int, default=15_000, help="API calls in 24 hours")
    serve.add_argument(
        "--hard", dest="hard", action="store_true", default=True, help="refuse beyond the maximum"
    )
    serve.add_argument(
        "--soft", dest="hard", action="store_false", help="go over it, as paid production orgs do"
    )
    serve.add_argument(
        "--minutes-per-second", type=float, default=1.0, help="simulated minutes in a real second"
    )
    serve.add_argument(
        "--clock",
        choices=("wall", "calls"),
        default="wall",
        help="what moves simulated time: real time, or the calls that arrive",
    )
    serve.add_argument(
        "--seconds-per-call", type=float, default=30.0, help="with --clock calls: for each call"
    )
    serve.add_argument(
        "--hours-per-wait",
        type=float,
        default=6.0,
        help="with --clock calls: for each look at /limits that follows another one directly",
    )
    serve.add_argument(
        "--competitors", choices=("on", "off", "curve"), default="on", help="other apps that spend"
    )
    serve.add_argument(
        "--competitors-pct", type=float, default=35.0, help="their share of the calls on a weekday"
    )
    serve.add_argument(
        "--session-minutes", type=float, help="idle lifetime of a session (default: no end)"
    )
    serve.add_argument(
        "--bulk-job-s",
        type=float,
        default=2.0,
        help="simulated seconds of a Bulk query job, at least",
    )
    serve.add_argument(
        "--event-log", action=flag, default=True, help="write ApiTotalUsage log files"
    )
    serve.add_argument(
        "--hourly-logs", action=flag, default=True, help="write hourly log files too"
    )
    serve.add_argument(
        "--gzip", action=flag, default=True, help="compress for clients that ask for it"
    )
    serve.add_argument(
        "--header-lag-s",
        type=float,
        default=RECORDED_AGE_S,
        help="how old the number of Sforce-Limit-Info is, in simulated seconds; 0: exact",
    )
    serve.add_argument(
        "--header-wobble", action=flag, default=True, help="let that age wander, as recorded"
    )
    serve.add_argument(
        "--wide-page-rows",
        type=int,
        default=1000,
        help="rows to a page of a query of 20 fields or more",
    )
    serve.add_argument(
        "--first-version", type=int, default=FIRST_VERSION, help="oldest API version"
    )
    serve.add_argument("--last-version", type=int, default=LAST_VERSION, help="newest API version")
    serve.add_argument(
        "--limits-lag-minutes", type=float, default=0.0, help="how old the figures of /limits are"
    )
    serve.add_argument(
        "--record-count-age-minutes",
        type=float,
        default=0.0,
        help="how old the statistics behind /limits/recordCount may be; 0: always true",
    )
    serve.add_argument(
        "--conditional-describes",
        action=flag,
        default=True,
        help="heed If-Modified-Since on describes",
    )
    serve.add_argument(
        "--refuse-in-composite",
        action="append",
        default=[],
        metavar="updated",
        help="an sObject resource that is refused inside composite calls; may be repeated",
    )
    serve.add_argument(
        "--replication-days",
        type=float,
        help="/updated and /deleted reach back so many days before the start only",
    )
    serve.add_argument(
        "--limit-header", choices=HEADER_FORMS, default="short", help="form of Sforce-Limit-Info"
    )
    for name in ("client-id", "client-secret", "refresh-token", "password"):
        serve.add_argument(
            f"--{name}", default="", help="a fixed one (default: a new one in each run)"
        )
    serve.add_argument(
        "--start-at", type=_moment, help="where simulated time begins (default: now)"
    )
    serve.add_argument("--ready-file", type=Path, help="JSON written when the org answers")
    return parser


def _rows(text: str) -> tuple[str, int]:
    name, _, rows = text.partition("=")
    if not name or not rows.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not like Contact=1000000")
    return name, int(rows)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 2026-11-02T08:00:00Z") from err
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
