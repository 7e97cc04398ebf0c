"""Each condition from the field has a test that is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests import field_cases, history_cases, restore_cases

TESTS = Path(__file__).parents[1]


PAGES = {
    "field-cases.md": field_cases.CASES,
    "field-cases-history.md": history_cases.CASES,
    "field-cases-restore.md": restore_cases.CASES,
}
TABLES = [(name, table) for name, cases in PAGES.items() for table in cases]


def page(name: str) -> Path | None:
    """A page in ``shared`` beside the checkout, or beside a folder that holds it."""
    places = (above / "shared" / name for above in TESTS.parents)
    return next((place for place in places if place.is_file()), None)


def rows(name: str) -> dict[str, list[str]]:
    """By table, the first column of each row."""
    found: dict[str, list[str]] = {}
    table = ""
    there = page(name)
    for line in there.read_text("utf-8").splitlines() if there else ():
        if heading := re.match(r"## ([A-I])\. ", line):
            table = heading[1]
            found[table] = []
        elif line.startswith("| ") and table:
            found[table].append(line.split("|")[1].strip())
    return {name: cells[1:] for name, cells in found.items()}


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text("utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))


@pytest.mark.parametrize("name", PAGES)
def test_each_row_of_the_page_has_its_tests(name: str) -> None:
    """Not one row is left out, and no row named that the page does not have."""
    if page(name) is None:
        pytest.skip(f"no shared/{name} beside the checkout")
    there, known = rows(name), PAGES[name]
    assert {table: len(cells) for table, cells in there.items()} == {
        table: len(cases) for table, cases in known.items()
    }
    for table, cells in there.items():
        named = {words: [c for c in cells if words in c] for words in known[table]}
        assert all(len(found) == 1 for found in named.values()), named
        assert {found[0] for found in named.values()} == set(cells)


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_the_tests_are_there(name: str, table: str) -> None:
    """A test that is renamed or removed takes its row along."""
    named = [test for tests in PAGES[name][table].values() for test in tests]
    missing = [t for t in named if t.partition("::")[2] not in names_in(t.partition("::")[0])]
    # Of the other pages some rows are still without a test, which is to be seen there.
    is_whole = name == "field-cases.md"
    assert missing == [] and (not is_whole or all(PAGES[name][table].values()))
