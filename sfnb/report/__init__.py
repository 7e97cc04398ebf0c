"""
Reports as files: one HTML page that stands alone (P8), the same as PDF, and its frames as CSV and
JSON.

``page`` assembles the HTML, ``panels`` decides what is on it, ``pdf`` has Chromium print it,
``tables`` writes the frames. Names of orgs, apps and users are untrusted everywhere: they are text,
whatever they look like.
"""

from sfnb.report.page import html_report
from sfnb.report.pdf import write_pdf
from sfnb.report.show import folded, link, show, write_html
from sfnb.report.tables import frames_json, write_csv, write_json

__all__ = [
    "folded",
    "frames_json",
    "html_report",
    "link",
    "show",
    "write_csv",
    "write_html",
    "write_json",
    "write_pdf",
]
