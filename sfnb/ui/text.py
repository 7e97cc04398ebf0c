"""How moments, spans and numbers are said on the screen, and HTML around them."""

from __future__ import annotations

from datetime import datetime


def moment(at: datetime | None) -> str:
    """``22 Nov 14:05 CET`` in the kernel's time zone; "never" for None."""
    return f"{at.astimezone():%d %b %H:%M %Z}" if at else "never"


def second(at: datetime) -> str:
    """``22 Nov 14:05:09`` in the kernel's time zone."""
    return f"{at.astimezone():%d %b %H:%M:%S}"


def span(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 10 min``, ``2 days``."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(hours / 24)} days"


def count(number: int | None) -> str:
    """``12,345``; a question mark for what is not known."""
    return "?" if number is None or number < 0 else f"{number:,}"


def picture(body: str, css: str) -> str:
    """A static picture: its own style sheet and light colours, no script, nothing from the network."""
    return f'<style>{css}</style><div class="sfnb sfnb-static" data-theme="light">{body}</div>'
