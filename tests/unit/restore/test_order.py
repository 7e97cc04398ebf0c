"""Records are made parents first, each once, and a circle is cut only where it may be."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfnb.restore.order import Edges, order

BUSY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A test machine may be busy with others."""


Graph = tuple[int, list[tuple[int, int, bool, bool]]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 12))
    node = st.integers(0, count - 1)
    # Cuttable fields are nillable, so optional, too.
    kinds = st.sampled_from([(False, False), (True, False), (True, True)])
    pairs = draw(st.lists(st.tuples(node, node, kinds), max_size=30))
    return count, [(child, parent, *kind) for child, parent, kind in pairs]


def has_path(edges: list[tuple[int, int]], start: int, goal: int) -> bool:
    seen, waiting = set[int](), [start]
    while waiting:
        at = waiting.pop()
        if at == goal:
            return True
        if at not in seen:
            seen.add(at)
            waiting += [parent for child, parent in edges if child == at]
    return False


@BUSY
@given(graph=graphs(), data=st.data())
def test_parents_come_first(graph: Graph, data: st.DataObject) -> None:
    """Every kept reference leads to a lower level; every record has one level or is refused."""
    count, edges = graph
    unwanted = data.draw(st.lists(st.integers(0, count - 1), max_size=2))
    found = order(count, Edges.of(edges), unwanted)
    refused = set(found.refused)
    assert len(found.levels) == count
    assert set(unwanted) <= refused
    cut, dropped = set(found.cut), set(found.dropped)
    assert not cut & dropped
    for place, (child, parent, is_optional, is_cuttable) in enumerate(edges):
        if child in refused:
            continue
        if place in cut:
            assert is_cuttable
        elif place in dropped:
            assert is_optional
            assert parent in refused
        elif parent in refused:
            raise AssertionError("a record was made whose parent is refused")
        else:
            assert found.levels[parent] < found.levels[child]


@BUSY
@given(graph=graphs())
def test_only_true_circles_are_cut(graph: Graph) -> None:
    """A reference is left empty first only if the records of it lie on a circle; else none is."""
    count, edges = graph
    found = order(count, Edges.of(edges))
    pairs = [(child, parent) for child, parent, *_ in edges]
    for place in found.cut:
        child, parent = pairs[place]
        assert has_path(pairs, parent, child)
    is_acyclic = not any(has_path(pairs, parent, child) for child, parent in pairs)
    if is_acyclic:
        assert not found.cut
        assert not found.refused


@BUSY
@given(graph=graphs())
def test_a_circle_is_refused_only_without_a_cut(graph: Graph) -> None:
    """Refused are records of a circle of references that cannot be cut, and those in need of them."""
    count, edges = graph
    found = order(count, Edges.of(edges))
    firm = [(child, parent) for child, parent, _, is_cuttable in edges if not is_cuttable]
    needed = [(child, parent) for child, parent, is_optional, _ in edges if not is_optional]
    for node in found.circles:
        assert any(c == node and has_path(firm, p, node) for c, p in firm)
    for node in set(found.refused) - set(found.circles):
        assert any(has_path(needed, node, bad) for bad in found.circles)


def test_one_edge_of_a_circle_is_cut() -> None:
    """A ring of records loses one reference for a while, the one that allows it."""
    ring = [(0, 1, False, False), (1, 2, True, True), (2, 0, False, False)]
    found = order(3, Edges.of(ring))
    assert found.cut == [1]
    assert found.levels == [1, 0, 2]


def test_many_records_in_one_chain() -> None:
    """A long chain needs no recursion."""
    chain = [(n, n - 1, True, True) for n in range(1, 20_000)]
    found = order(20_000, Edges.of(chain))
    assert found.levels == list(range(20_000))
    ring = [*chain, (0, 19_999, True, True)]
    assert len(order(20_000, Edges.of(ring)).cut) == 1
