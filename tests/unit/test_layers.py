"""The plan of the house, drawn from the imports: no room leans on a higher one, and each library has its room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

import sfnb

HOUSE = Path(sfnb.__file__).parent

FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "errors",
        "model",
        "clock",
        "version",
        "text",
        "series",
        "private",
        "addresses",
        "process_memory",
    ),
    ("file_lock", "notice_settings"),
    ("quota.sentences", "quota.gauge"),
    ("settings", "quota.policy", "jobs.states"),
    ("quota.forecast", "state"),
    ("quota", "usage.store"),
    ("memory",),
    ("org", "store"),
    ("holds",),
    ("connection",),
    ("installation",),
    ("jobs",),
    ("backup", "restore", "erase"),
    ("archive",),
    ("engine",),
    ("usage", "charts", "schedule", "notices"),
    ("report", "fleet"),
    ("ui",),
    ("widgets",),
    ("notebook", "dashboard"),
    ("cli",),
    ("__main__",),
)
"""From the ground up. A room knows its own floor's rooms not at all, except those on the ground."""

LIBRARIES = {
    "requests": ("org",),
    "urllib3": ("org",),
    "simple_salesforce": ("org",),
    "jwt": ("org",),
    "keyring": ("org", "store.store_key"),
    "deltalake": ("store",),
    "duckdb": ("store",),
    "obstore": ("store",),
    # Rows go from the answer to the part as Arrow batches; these two hand them on.
    "pyarrow": (
        "store",
        "org.arrow",
        "org.events",
        "backup.fetch",
        "backup.pages",
        "backup.column_groups",
        "backup.unit_context",
        "restore",
        "archive",
    ),
    "sqlalchemy": (
        "state",
        "holds.book",
        "quota.rows",
        "quota.recent",
        "quota.ledger",
        "usage.store",
    ),
    "alembic": ("state",),
    "plotly": ("charts", "report", "dashboard"),
    "jinja2": ("report",),
    "ipywidgets": ("ui", "widgets"),
    "anywidget": ("ui", "widgets"),
    "traitlets": ("ui", "widgets"),
    "IPython": ("ui", "widgets", "notebook", "report"),
    "papermill": ("cli",),
    "apscheduler": ("schedule.cron",),
    "apprise": ("notices.sending",),
    "tornado": ("dashboard",),
    "click": ("cli",),
    "tqdm": ("cli",),
    "distributed": ("backup.cluster",),
    "tomlkit": ("settings",),
    "platformdirs": ("settings",),
    "psutil": ("state", "cli"),
}
"""Each outside library and where it may be imported. Those not named (pandas, numpy …) may be used anywhere."""

TIME_CALLS = {
    *("time.time", "time.monotonic", "time.sleep", "time.perf_counter", "time.time_ns", "sleep"),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today"),
}
TIME_KEEPERS = {"clock": "the one place that asks the operating system"}
"""Modules that may know the time by themselves, and why. The demo org keeps a time of its own."""


@dataclass(frozen=True)
class Module:
    """One file: its name below sfnb, and what it imports when it runs (not for the type checker alone)."""

    name: str
    tree: ast.Module
    is_package: bool
    top: str = "sfnb"

    @cached_property
    def imports(self) -> tuple[str, ...]:
        """Whole dotted names of modules."""
        found = []
        for node in _run_nodes(self.tree):
            if isinstance(node, ast.Import):
                found += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                for alias in node.names:
                    whole = f"{base}.{alias.name}"
                    found.append(whole if _is_module(whole) else base)
        return tuple(found)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = [self.top, *self.name.split(".")]
        kept = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*kept, node.module or ""]).rstrip(".")


@cache
def _is_module(name: str) -> bool:
    path = HOUSE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def _run_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _run_nodes(node)


def _modules(top: str) -> list[Module]:
    house, found = HOUSE.parent / top, []
    for path in sorted(house.rglob("*.py")):
        parts = path.relative_to(house).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found.append(Module(name, tree, is_package, top))
    return found


MODULES = _modules("sfnb")
DEMO_MODULES = _modules("sfnb_demo")
ABOVE = [module for module in MODULES if module.name]


def is_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def floor_of(name: str) -> int | None:
    """The number of the floor; the longest room's name that fits decides."""
    fitting = [
        (len(room), number)
        for number, floor in enumerate(FLOORS)
        for room in floor
        if is_in(name, room)
    ]
    return max(fitting)[1] if fitting else None


def room_of(name: str) -> str:
    return max((room for floor in FLOORS for room in floor if is_in(name, room)), key=len)


def test_each_module_has_a_place_in_the_house() -> None:
    """A new room is put on a floor here, on purpose."""
    assert [module.name for module in ABOVE if floor_of(module.name) is None] == []


@pytest.mark.parametrize("module", ABOVE, ids=lambda module: module.name)
def test_no_room_leans_on_a_higher_one(module: Module) -> None:
    """What decides knows nothing of what acts, and neither knows the screen."""
    own = floor_of(module.name)
    assert own is not None
    for imported in module.imports:
        if not imported.startswith("sfnb."):
            continue
        there = imported.removeprefix("sfnb.")
        floor = floor_of(there)
        if floor is None or room_of(there) == room_of(module.name):
            continue
        is_below = floor < own or own == 0
        assert is_below, f"{module.name} imports {there}, which is not below it"


def test_no_import_goes_round_in_a_circle() -> None:
    """Files that import each other can only be understood together; the demo org is drawn, too."""
    graph = {
        f"{top}.{module.name}".rstrip("."): set(module.imports)
        for top, modules in (("sfnb", MODULES), ("sfnb_demo", DEMO_MODULES))
        for module in modules
    }
    assert circles_of(graph) == []


def circles_of(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules of which each reaches each other one by imports."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            for name in graph[ahead.pop()] & graph.keys() - seen:
                seen.add(name)
                ahead.append(name)
        reach[start] = seen
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in graph
        if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


def test_the_drawing_finds_circles() -> None:
    """A circle is found however long it is, and a way that ends is none."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set()}
    assert circles_of(graph) == [["a", "b", "c"]]
    assert circles_of(graph | {"c": {"d"}}) == []


def test_quota_decides_without_a_database() -> None:
    """The quota rule is a pure function of values: it imports the ground floor only."""
    for module in ABOVE:
        if module.name in ("quota.gauge", "quota.policy", "quota.forecast"):
            rooms = {
                room_of(name.removeprefix("sfnb."))
                for name in module.imports
                if name.startswith("sfnb.")
            }
            assert rooms <= {
                "errors",
                "model",
                "quota.sentences",
                "quota.gauge",
                "quota.policy",
                "quota.forecast",
            }, module.name


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_library_has_its_room(library: str) -> None:
    """One outside library, one room: what changes with it is in one place."""
    strangers = [
        module.name
        for module in ABOVE
        if any(is_in(name, library) for name in module.imports)
        and not any(is_in(module.name, room) for room in LIBRARIES[library])
    ]
    assert strangers == []


def test_the_table_of_libraries_is_true() -> None:
    """A library that nobody imports any more leaves the table."""
    used = {name.split(".")[0] for module in ABOVE for name in module.imports}
    assert set(LIBRARIES) - used == set()


def test_nothing_in_sfnb_knows_the_demo_org() -> None:
    """Nothing works with the demo org alone. The other direction: ``demo/test_independence.py``."""
    for module in MODULES:
        assert not any(is_in(name, "sfnb_demo") for name in module.imports), module.name


def test_only_the_clock_asks_what_time_it_is() -> None:
    """Time is injected, so that a pause of fourteen hours takes a millisecond in a test."""
    found = {
        f"{module.name}:{node.lineno} {ast.unparse(node.func)}"
        for module in ABOVE
        if module.name not in TIME_KEEPERS
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in TIME_CALLS
    }
    assert found == set()


def test_nothing_is_caught_without_a_word() -> None:
    """No bare ``except``, and none that catches everything and says nothing."""
    silent = [
        f"{module.name}:{node.lineno}"
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
    ]
    assert silent == []
