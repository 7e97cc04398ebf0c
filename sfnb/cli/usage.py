"""`sfnb usage` and `sfnb report`: who spends the allowance, in words, JSON, HTML and PDF."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfnb.cli.context import App, pass_app
from sfnb.errors import CallerError, QuotaSignal, SfnbError
from sfnb.model import APIS

if TYPE_CHECKING:
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
    help="Ask the org nothing: only what is stored. Otherwise its log is read and counted.",
)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME | sample [NAME]...")
@days_option
@zone_option
@offline_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def usage(  # noqa: PLR0917 — click gives them by name
    app: App, names: tuple[str, ...], days: int, timezone: str | None, offline: bool, as_json: bool
) -> int:
    """
    Who used org NAME's API allowance, by the day and by app.

    `sfnb usage sample` asks each registered org once for its counter (one call each); put it on a schedule, so that
    there is a history when no job runs.
    """
    if names[0] == "sample":
        return _sample(app, names[1:], as_json)
    if len(names) > 1:
        raise CallerError("`sfnb usage` shows one org; `sfnb report` takes several.")
    review = _review(app, names[0], days=days, timezone=timezone, offline=offline)
    if as_json:
        click.echo(json.dumps(usage_json(review), indent=2, ensure_ascii=False))
    else:
        _print_usage(review)
    return 0


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@days_option
@zone_option
@offline_option
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Where the HTML page goes."
)
@click.option(
    "--pdf",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Print it to a PDF file, by Chromium.",
)
@click.option(
    "--csv",
    "csv_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Frames as CSV, in a folder.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Frames as JSON, in a file.",
)
@pass_app
def report(  # noqa: PLR0917 — click gives them by name
    app: App,
    names: tuple[str, ...],
    days: int,
    timezone: str | None,
    offline: bool,
    html: Path | None,
    pdf: Path | None,
    csv_folder: Path | None,
    json_file: Path | None,
) -> int:
    """
    One HTML page on the API use of the orgs NAME..., that opens without a network; a tab for each.

    Without --html or --pdf it goes to the folder `reports` of SFNB_HOME.
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
    if html is None and pdf is None:
        html = app.settings.home / "reports" / f"usage-{app.clock.now():%Y%m%dT%H%M%SZ}.html"
    if html:
        _write(html, reports.html_report(reviews))
    if pdf:
        reports.write_pdf(reports.html_report(reviews, is_for_print=True), pdf)
        click.echo(f"PDF: {pdf}")
    if csv_folder:
        written = [path for review in reviews for path in reports.write_csv(review, csv_folder)]
        click.echo(f"CSV: {len(written)} files in {csv_folder}")
    if json_file:
        reports.write_json(reviews, json_file)
        click.echo(f"JSON: {json_file}")
    return 0


def _write(path: Path, text: str) -> None:
    from sfnb.errors import JobError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as err:
        raise JobError(
            f"{path} cannot be written ({err.strerror}); choose another place with --html."
        ) from err
    click.echo(f"HTML: {path}")


def _review(app: App, name: str, *, days: int, timezone: str | None, offline: bool) -> Review:
    from sfnb.usage.reviews import look_at

    return look_at(app.installation, name, days=days, timezone=timezone, is_offline=offline)


def _sample(app: App, names: tuple[str, ...], as_json: bool) -> int:
    """Ask each org once; an org that does not answer does not keep the others from being asked."""
    wanted = list(names) or app.org_names
    if not wanted:
        raise CallerError("no org is registered yet; `sfnb org add NAME …` adds one.")
    for name in wanted:
        app.settings.org(name)
    told: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for name in wanted:
        try:
            org = app.open_client(name)
            org.limits()
            standing = org.gate.standing()
            told[name] = {
                api: {"used": standing[api].used, "max": standing[api].maximum} for api in APIS
            }
        except (SfnbError, QuotaSignal) as err:
            failed[name] = str(err)
    app.state.usage.tidy(app.clock.now())
    if as_json:
        click.echo(json.dumps({"orgs": told, "failed": failed}, indent=2, ensure_ascii=False))
    else:
        for name, budgets in told.items():
            known = [
                f"{api} {b['used']:,} of {b['max']:,}"
                for api, b in budgets.items()
                if b["max"] >= 0
            ]
            click.echo(f"{name}: {', '.join(known) or 'the org does not tell its limits'}")
        for name, reason in failed.items():
            click.echo(f"sfnb: {name}: {reason}", err=True)
    if not failed:
        return 0
    return PARTLY if told else 1


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
    click.echo(f"{review.org}: {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} ({review.zone})")
    for api in APIS:
        rows = review.usage[review.usage["api"] == api]
        if rows.empty:
            click.echo(f"  {api:8} not known; `sfnb usage sample {review.org}` asks the org.")
            continue
        last = rows.iloc[-1]
        own = int(last["sfnb_running"] + last["sfnb_completed"] + last["sfnb_other"])
        share = "its maximum is 0" if last["max"] == 0 else f"{last['used_pct']:.1f} %"
        click.echo(
            f"  {api:8} {last['used']:,} of {last['max']:,} in 24 hours ({share}), {own:,} of them by sfnb"
        )
    for notice in review.notices:
        click.echo(f"  {notice.level}: {notice.sentence}")
    days = review.days[review.days["api"] == "api"]
    if len(days):
        click.echo(f"\n{'day':12} {'calls':>9} {'sfnb':>9} {'other apps':>11} {'named':>11}")
        for row in days.itertuples():
            own = row.sfnb_jobs + row.sfnb_other
            click.echo(
                f"{row.day:12} {row.calls:9,} {own:9,} {row.other_apps:11,} {row.other_named:11,}"
            )
    if len(review.apps):
        click.echo(f"\n{'app':40} {'calls':>9} {'share':>8}")
        for row in review.apps.itertuples():
            click.echo(f"{row.name[:40]:40} {row.calls:9,} {row.share_pct:7.1f}%")
    if review.has_reported_users:
        click.echo(f"\n{'user, by calendar days':40} {'calls':>9} {'share':>8}")
        for row in review.users.itertuples():
            click.echo(f"{row.name[:40]:40} {row.calls:9,} {row.share_pct:7.1f}%")


COMMANDS: list[click.Command] = [usage, report]
