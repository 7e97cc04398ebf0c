"""Templates of the pages: every value is escaped but our own texts."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup


@cache
def asset(name: str) -> str:
    return (files("sfnb.report") / name).read_text("utf-8")


# The Jinja environment escapes every value; the template marks nothing as safe but our own three
# texts.
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FunctionLoader(asset),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
# A name of an org in a style sheet: letters, digits and a few signs, so that no text can end the
# rule.
ENVIRONMENT.filters["css_text"] = lambda text: re.sub(r"[^A-Za-z0-9_. -]", "?", str(text))


def trusted(text: str) -> Markup:
    """
    A text of our own that the template must not escape: style, scripts, and data made by
    ``script_json``.
    """
    return Markup(text)  # noqa: S704


def sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
