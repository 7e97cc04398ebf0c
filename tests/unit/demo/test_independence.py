"""The demo org is an independent witness."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import sfnb_demo

FOLDER = Path(sfnb_demo.__file__).parent


def imports_of(path: Path) -> set[str]:
    """The modules that a file of the demo org imports when it runs: not those for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    return {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in for_types
        for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    }


def reach_of(name: str) -> set[str]:
    """All modules of the demo org that one leads to."""
    seen: set[str] = set()
    ahead = [name]
    while ahead:
        path = FOLDER.parent / (ahead.pop().replace(".", "/") + ".py")
        found = imports_of(path) - seen if path.exists() else set()
        seen |= found
        ahead += found
    return seen


def test_the_org_knows_no_route() -> None:
    """What an org holds can be understood without HTTP: ``server.org`` leads to no route and no port."""
    reached = reach_of("sfnb_demo.server.org")
    assert "sfnb_demo.server.quota" in reached
    for name in ("routes", "exchange", "listener", "query", "bulk2", "server"):
        assert f"sfnb_demo.server.{name}" not in reached


@pytest.mark.parametrize("room", ["data", "soql"])
def test_rows_and_soql_know_nothing_of_the_server(room: str) -> None:
    """Data and SOQL can be used, and tested, without a server."""
    wrong = [
        f"{path.name}: {name}"
        for path in (FOLDER / room).glob("*.py")
        for name in imports_of(path)
        if name.startswith("sfnb_demo.server")
    ]
    assert wrong == []


def test_demo_imports_nothing_else_of_sfnb() -> None:
    """No file of the demo org imports sfnb, so that it cannot share its mistakes."""
    folder = Path(sfnb_demo.__file__).parent
    wrong: list[str] = []
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                depth = len(path.relative_to(folder).parts)
                is_outside = node.level > depth
                names = (
                    ["sfnb.outside"]
                    if is_outside
                    else [node.module or ""]
                    if node.level == 0
                    else []
                )
            wrong += [f"{path.name}: {n}" for n in names if n.split(".")[0] == "sfnb"]
    assert wrong == []
