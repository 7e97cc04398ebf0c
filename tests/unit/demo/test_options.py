"""The demo org's options and fault rules can be looked up."""

from __future__ import annotations

from pathlib import Path

import pytest

import sfnb_demo
from sfnb_demo.__main__ import parser
from sfnb_demo.server import faults

PAGE = (Path(sfnb_demo.__file__).parents[1] / "docs" / "demo.md").read_text(encoding="utf-8")
SERVE = parser()._subparsers._group_actions[0].choices["serve"]  # type: ignore[union-attr,index]
OPTIONS = sorted(action.option_strings[0] for action in SERVE._actions)


@pytest.mark.parametrize("option", [name for name in OPTIONS if name != "-h"])
def test_each_option_is_documented(option: str) -> None:
    """Who starts a demo org finds what each option does."""
    assert f"`{option}`" in PAGE


@pytest.mark.parametrize("key", sorted(faults._KEYS - {"fault"}))
def test_each_key_of_a_rule_is_documented(key: str) -> None:
    """Who scripts a fault finds each condition and each setting."""
    assert key in (faults.__doc__ or "")
