"""How long a backup bears with one object whose calls fail or whose rows do not agree."""

from __future__ import annotations

FAILURES_LIMIT = 2
"""
Failures in a row that one object is forgiven; a call that was repeated until its tries were spent
counts twice.
"""

RETRY_AFTER_S = 5.0
"""Before an object is tried again, for each failure."""

RESTARTS_LIMIT = 2
"""How often one object starts again because its results are gone or its rows do not agree."""
