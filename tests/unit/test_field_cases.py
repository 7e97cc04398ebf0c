"""Each condition from the field has a test that is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.field_cases import CASES

TESTS = Path(__file__).parents[1]


def page() -> Path | None:
    """``shared/field-cases.md`` beside the checkout, or beside a folder that holds it."""
    places = (above / "shared" / "field-cases.md" for above in TESTS.parents)
    return next((place for place in places if place.is_file()), None)


def rows() -> dict[str, list[str]]:
    """By table, the first column of each row."""
    found: dict[str, list[str]] = {}
    table = ""
    there = page()
    for line in there.read_text("utf-8").splitlines() if there else ():
        if heading := re.match(r"## ([A-F])\. ", line):
            table = heading[1]
            found[table] = []
        elif line.startswith("| ") and table:
            found[table].append(line.split("|")[1].strip())
    return {name: cells[1:] for name, cells in found.items()}


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))


@pytest.mark.skipif(page() is None, reason="no shared/field-cases.md beside the checkout")
def test_each_row_of_the_page_has_its_tests() -> None:
    """Not one row without a test, and no row named that the page does not have."""
    there = rows()
    assert {table: len(cells) for table, cells in there.items()} == {
        table: len(cases) for table, cases in CASES.items()
    }
    for table, cells in there.items():
        named = {words: [c for c in cells if words in c] for words in CASES[table]}
        assert all(len(found) == 1 for found in named.values()), named
        assert {found[0] for found in named.values()} == set(cells)


@pytest.mark.parametrize("table", CASES)
def test_the_tests_are_there(table: str) -> None:
    """A test that is renamed or removed takes its row along."""
    named = [test for tests in CASES[table].values() for test in tests]
    missing = [t for t in named if t.partition("::")[2] not in names_in(t.partition("::")[0])]
    assert missing == [] and all(CASES[table].values())
