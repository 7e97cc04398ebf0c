"""`sfnb usage` and `sfnb report`: who uses the API allowance, in words, JSON, HTML and PDF."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfnb.cli.context import App, pass_app
from sfnb.cli.names import ORG
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.errors import CallerError, JobError, QuotaSignal, SfnbError
from sfnb.model import APIS, Api
from sfnb.private import private_folder

if TYPE_CHECKING:
    import pandas as pd

    from sfnb.usage import Review

PARTLY = 3

days_option = click.option(
    "--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How far back."
)
zone_option = click.option(
    "--timezone", metavar="ZONE", help="Such as Europe/Berlin; default: this machine's."
)
offline_option = click.option(
    "--offline",
    is_flag=True,
    help="Send no call: show what is stored. Otherwise the org's event log is read first.",
)


@click.command()
@click.argument("names", nargs=-1, required=True, type=ORG, metavar="NAME | sample [NAME]...")
@days_option
@zone_option
@offline_option
@as_json_option
@pass_app
def usage(  # noqa: PLR0917 — click gives them by name
    app: App, names: tuple[str, ...], days: int, timezone: str | None, offline: bool, as_json: bool
) -> int:
    """
    Show who used org NAME's API allowance, by day and by app.

    `sfnb usage sample` reads each registered org's counter once (one call each). On a schedule it keeps
    a history when no job runs.
    """
    if names[0] == "sample":
        return _sample(app, names[1:], as_json)
    if len(names) > 1:
        raise CallerError("`sfnb usage` shows one org; `sfnb report` takes several.")
    review = _review(app, names[0], days=days, timezone=timezone, offline=offline)
    if as_json:
        print_json(usage_json(review))
    else:
        _print_usage(review)
    return 0


@click.command()
@click.argument("names", nargs=-1, required=True, type=ORG, metavar="NAME...")
@days_option
@zone_option
@offline_option
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="File of the HTML page."
)
@click.option(
    "--pdf",
    type=click.Path(dir_okay=False, path_type=Path),
    help="PDF file; needs Chromium.",
)
@click.option(
    "--csv",
    "csv_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the frames as CSV.",
)
@click.option(
    "--data",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the frames as JSON.",
)
@as_json_option
@pass_app
def report(
    app: App,
    /,
    *,
    names: tuple[str, ...],
    days: int,
    timezone: str | None,
    offline: bool,
    html: Path | None,
    pdf: Path | None,
    csv_folder: Path | None,
    data: Path | None,
    as_json: bool,
) -> int:
    """
    Write one HTML page on the API use of the orgs NAME...; it opens without a network.

    Without --html or --pdf it goes to the folder reports in SFNB_HOME. With --json the paths of the
    written files are printed as JSON.
    """
    from sfnb import report as reports

    for name in names:
        app.settings.org(name)
    if pdf:
        from sfnb.report.pdf import find_chromium

        find_chromium()  # before any call is spent
    reviews = [
        _review(app, name, days=days, timezone=timezone, offline=offline)
        for name in dict.fromkeys(names)
    ]
    written: dict[str, list[str]] = {}
    if html is None and pdf is None:
        folder = private_folder(app.settings.home / "reports")
        html = folder / f"usage-{app.clock.now():%Y%m%dT%H%M%SZ}.html"
    if html:
        _write(html, reports.html_report(reviews))
        written["html"] = [str(html)]
    if pdf:
        reports.write_pdf(reports.html_report(reviews, is_for_print=True), pdf)
        written["pdf"] = [str(pdf)]
    if csv_folder:
        paths = [path for review in reviews for path in reports.write_csv(review, csv_folder)]
        written["csv"] = [str(path) for path in paths]
    if data:
        reports.write_json(reviews, data)
        written["data"] = [str(data)]
    if as_json:
        print_json({"orgs": [review.org for review in reviews], "files": written})
        return 0
    for kind, files in written.items():
        what = files[0] if len(files) == 1 else f"{len(files)} files in {csv_folder}"
        say(f"{kind.upper()}: {what}")
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as err:
        raise JobError(
            f"{path} cannot be written ({err.strerror}); choose another place with --html."
        ) from err


def _review(app: App, name: str, *, days: int, timezone: str | None, offline: bool) -> Review:
    from sfnb.usage.reviews import look_at

    return look_at(app.installation, name, days=days, timezone=timezone, is_offline=offline)


def _sample(app: App, names: tuple[str, ...], as_json: bool) -> int:
    """Read each org's counter once. An org that fails does not keep the others from being read."""
    wanted = list(names) or app.org_names
    if not wanted:
        raise CallerError("no org is registered yet; add one with `sfnb org add NAME …`.")
    for name in wanted:
        app.settings.org(name)
    readings: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for name in wanted:
        try:
            org = app.open_client(name)
            org.limits()
            budgets = org.gate.standing()
            readings[name] = {
                api: {"used": budgets[api].used, "max": budgets[api].maximum} for api in APIS
            }
        except (SfnbError, QuotaSignal) as err:
            failed[name] = str(err)
    app.state.usage.tidy(app.clock.now())
    if as_json:
        print_json({"orgs": readings, "failed": failed})
    else:
        for name, read in readings.items():
            known = [
                f"{api} {b['used']:,} of {b['max']:,}" for api, b in read.items() if b["max"] >= 0
            ]
            say(f"{name}: {', '.join(known) or 'the org does not report its limits'}")
        for name, reason in failed.items():
            say(f"sfnb: {name}: {reason}", err=True)
    if not failed:
        return 0
    return PARTLY if readings else 1


def usage_json(review: Review) -> dict[str, Any]:
    """The review as `sfnb usage --json` prints it."""
    from sfnb.jobs.summary import iso
    from sfnb.report import frames_json

    history = review.history
    return {
        "org": review.org,
        "org_id": history.org_id,
        "from": iso(history.start_at),
        "to": iso(history.now),
        "timezone": str(review.zone),
        "notices": [asdict(notice) for notice in review.notices],
        "apis": {api: _budget_json(review, api) for api in APIS},
        **frames_json(review),
    }


def _budget_json(review: Review, api: str) -> dict[str, Any] | None:
    """Where a budget stood at its last reading; None when it was never read in this time."""
    from sfnb.report.tables import rows_json

    rows = review.usage[review.usage["api"] == api]
    return rows_json(rows.tail(1))[0] if len(rows) else None


def _print_usage(review: Review) -> None:
    history = review.history
    start, end = history.start_at.astimezone(review.zone), history.now.astimezone(review.zone)
    say(f"{review.org}: {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} ({review.zone})")
    for api in APIS:
        say(f"  {api:8} {_budget_line(review, api)}")
    for notice in review.notices:
        colour = "yellow" if notice.level == "warning" else None
        say(f"  {notice.level}: {notice.sentence}", colour=colour)
    days = review.days[review.days["api"] == "api"]
    if len(days):
        say("")
        print_table(
            ("DAY", "CALLS", "SFNB", "OTHER APPS", "NAMED"),
            [
                (
                    row.day,
                    f"{row.calls:,}",
                    f"{row.sfnb_jobs + row.sfnb_other:,}",
                    f"{row.other_apps:,}",
                    f"{row.other_named:,}",
                )
                for row in days.itertuples()
            ],
            right=(1, 2, 3, 4),
        )
    if len(review.apps):
        _print_callers("APP", review.apps)
    if review.has_reported_users:
        _print_callers("USER, BY CALENDAR DAYS", review.users)


def _budget_line(review: Review, api: Api) -> str:
    rows = review.usage[review.usage["api"] == api]
    if rows.empty:
        return f"not known yet; read it with `sfnb usage sample {review.org}`."
    last = rows.iloc[-1]
    own = int(last["sfnb_running"] + last["sfnb_completed"] + last["sfnb_other"])
    share = "its maximum is 0" if last["max"] == 0 else f"{last['used_pct']:.1f} %"
    return f"{last['used']:,} of {last['max']:,} in 24 hours ({share}), {own:,} of them by sfnb"


def _print_callers(title: str, frame: pd.DataFrame) -> None:
    say("")
    rows = [
        (row.name[:40], f"{row.calls:,}", f"{row.share_pct:.1f} %") for row in frame.itertuples()
    ]
    print_table((title, "CALLS", "SHARE"), rows, right=(1, 2))


COMMANDS: list[click.Command] = [usage, report]
