"""
Reports as files: one HTML page that stands alone (P8), the same as PDF, and its frames as CSV and JSON.

``page`` puts the HTML together, ``panels`` decides what is on it, ``pdf`` has Chromium print it, ``tables`` writes the
frames. What org, app and user names say is untrusted everywhere: they are text, whatever they look like.
"""

from sfnb.report.page import html_report
from sfnb.report.pdf import write_pdf
from sfnb.report.show import show
from sfnb.report.tables import frames_json, write_csv, write_json

__all__ = ["frames_json", "html_report", "show", "write_csv", "write_json", "write_pdf"]
