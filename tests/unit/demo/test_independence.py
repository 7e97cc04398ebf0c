"""The demo org is an independent witness."""

from __future__ import annotations

import ast
from pathlib import Path

import sfnb_demo


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
