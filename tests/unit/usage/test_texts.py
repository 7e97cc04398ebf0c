"""Untrusted texts in charts, CSV and the page's data: they are texts, whatever they look like."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb import charts
from sfnb.errors import CallerError
from sfnb.org.events import tally_events
from sfnb.report import write_csv
from sfnb.report.cards import verdict_of
from sfnb.report.page import script_json
from sfnb.report.tables import FORMULA_SIGNS, csv_cell
from sfnb.usage import review_of
from sfnb.usage.history import JobLine, PauseLine
from sfnb.usage.store.values import EventFile
from sfnb.usage.zones import zone_of
from tests.unit.usage.histories import END, NOW, history


@given(st.text())
def test_no_text_is_a_formula(text: str) -> None:
    """No cell of the CSV begins as a spreadsheet's formula does, even after spaces."""
    cell = csv_cell(text)
    assert not cell.lstrip(" ").startswith(FORMULA_SIGNS)
    assert text in cell


def test_numbers_stay_numbers() -> None:
    """A negative number is no formula, a moment is ISO 8601, what is missing is empty."""
    assert csv_cell(-5) == -5
    assert csv_cell(pd.NA) == ""
    assert csv_cell(pd.Timestamp("2026-11-01T10:00:00Z")) == "2026-11-01T10:00:00Z"


@given(st.text())
def test_nothing_ends_the_data_block(text: str) -> None:
    """No text in the page's data can end its script block or begin a comment, and it is read back as it was."""
    written = script_json({"name": text})
    assert not {"<", ">", "&"} & set(written)
    assert json.loads(written) == {"name": text}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>bold</b>", "&lt;b&gt;bold&lt;/b&gt;"),
        ("a\u202egnp.exe\x00", "a gnp.exe "),
        ("x" * 200, "x" * 59 + "…"),
        ("$x$ %{y}", "&#36;x&#36; &#37;{y}"),
    ],
)
def test_a_chart_shows_markup_as_text(text: str, shown: str) -> None:
    """Names reach Plotly without markup, direction signs, MathJax or templates, and not too long."""
    assert charts.plain(text) == shown


def test_csv_files_are_written(tmp_path: Path) -> None:
    """Each frame is a CSV file of its own that reads back with its columns and rows."""
    review = review_of(
        history(
            [(30, 100, 1000), (5, 120, 1000)], log=[(60, 9, 4)], covered=[("Hourly", END // 60 - 1)]
        ),
        UTC,
    )
    written = write_csv(review, tmp_path / "out")
    assert {path.name for path in written} >= {"acme-usage.csv", "acme-hours.csv", "acme-apps.csv"}
    back = pd.read_csv(tmp_path / "out" / "acme-apps.csv", encoding="utf-8-sig")
    assert list(back["name"]) == ["ERP", "sfnb"]


def test_figures_know_light_and_dark() -> None:
    """Each figure comes in both themes, and says in words when there is nothing to draw."""
    review = review_of(history([(90, 100, 1000), (5, 120, 1000)]), UTC)
    for theme in ("light", "dark"):
        figure = charts.usage_figure(
            review.usage, thresholds=review.thresholds, pauses=review.pauses, theme=theme
        )
        assert (
            figure.layout.template.layout.paper_bgcolor
            == charts.TEMPLATES[theme].layout.paper_bgcolor
        )
        assert [trace.name for trace in figure.data] == ["other apps", "limit: jobs stop here"]
    empty = charts.usage_figure(review.usage, api="bulk")
    assert "No usage reading" in empty.layout.annotations[0].text


def test_an_unknown_zone_is_refused() -> None:
    """A zone that does not exist costs one sentence."""
    with pytest.raises(CallerError, match="no time zone 'Mars/Olympus'"):
        zone_of("Mars/Olympus", now=NOW)


HEAD = "TIMESTAMP,REQUEST_ID,API_FAMILY,CLIENT_NAME,CONNECTED_APP_NAME,COUNTS_AGAINST_API_LIMIT,ENTITY_NAME,USER_NAME\n"
FILE = EventFile(
    "0AT1",
    "Hourly",
    datetime(2026, 11, 9, 5, tzinfo=UTC),
    1,
    datetime(2026, 11, 9, 9, tzinfo=UTC),
    0,
)


def test_an_event_log_is_tallied() -> None:
    """Calls that count and calls that do not, by hour and caller; missing columns and odd rows cost nothing."""
    text = HEAD + (
        '"20261109051203.118","r1","REST","sfnb/1.0","","1","Account","u@acme.test"\n'
        '"20261109051259.000","r2","REST","","ERP, the ""big"" one","true","Order",""\n'
        '"20261109055959.999","r3","SOAP","","ERP, the ""big"" one","0","Order",""\n'
        '"not a time","r4","REST","","","1","",""\n'
    )
    found = tally_events(io.BytesIO(text.encode()), FILE)
    hour = FILE.log_hour
    assert found.rows == 4
    assert found.minutes == {hour * 60 + 12: (2, 1), hour * 60: (1, 0), hour * 60 + 59: (0, 0)}
    by_app = {(caller.app, caller.family): calls for (_, caller), calls in found.hours.items()}
    assert by_app == {
        ("sfnb", "REST"): (1, 0),
        ('ERP, the "big" one', "REST"): (1, 0),
        ('ERP, the "big" one', "SOAP"): (0, 1),
        ("", "REST"): (1, 0),
    }
    assert sum(caller.is_sfnb for _, caller in found.hours) == 1


def test_a_late_file_counts_only_what_is_new() -> None:
    """A second file of an hour that repeats rows of the first brings only the others; an empty one brings none."""
    rows = [
        '"20261109051203.118","r1","REST","","A","1","",""\n',
        '"20261109051204.118","r2","REST","","A","1","",""\n',
    ]
    first = tally_events(io.BytesIO((HEAD + rows[0]).encode()), FILE)
    second = tally_events(io.BytesIO((HEAD + "".join(rows)).encode()), FILE, seen=first.row_hashes)
    assert (first.rows, second.rows) == (1, 1)
    assert tally_events(io.BytesIO(b""), FILE).rows == 0
    assert tally_events(io.BytesIO(HEAD.encode()), FILE).rows == 0


@pytest.mark.parametrize(
    ("state", "is_held", "api", "said", "noted"),
    [
        ("paused", True, "api", "1 job is paused. Nothing needs attention.", "It can resume"),
        ("paused", True, "", "1 job is paused. Nothing needs attention.", "when somebody resumes"),
        ("paused", False, "api", "1 job is paused. 1 warning.", "no process waits to resume it"),
        (
            "running",
            False,
            "api",
            "1 job is interrupted. 1 warning.",
            "no process runs it any more",
        ),
    ],
)
def test_a_job_that_waits_for_a_person_needs_attention(
    state: str, is_held: bool, api: str, said: str, noted: str
) -> None:
    """A report never says that nothing needs attention while a job waits that nobody resumes."""
    at = NOW - timedelta(minutes=30)
    made = review_of(
        history(
            samples=[(600, 10, 1000), (20, 10, 1000)],
            jobs=[JobLine("j1", "backup", state, at, None, is_held=is_held)],
            pauses=[PauseLine("j1", api, at, None, 10, 1000)] if state == "paused" else [],
        ),
        UTC,
    )
    verdict = verdict_of(made)
    assert verdict.sentence.endswith(said)
    assert verdict.level == ("warning" if "warning" in said else "good")
    assert any(noted in notice.sentence for notice in made.notices)
