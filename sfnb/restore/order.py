"""
In which order records are made: parents first, and a circle is cut at one edge that allows it. Pure.

Records are numbers here, so that 200,000 of them fit into a few arrays. Order goes by rows, not by
objects: two objects that refer to each other need no cut unless two of their records do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Edges:
    """
    References among records that are to be made, one place of each array per reference.

    Args:
        child, parent: numbers of records.
        is_optional: the child can be made without it.
        is_cuttable: and it can be filled in later: the field is nillable and updateable.
    """

    child: Ints
    parent: Ints
    is_optional: Flags
    is_cuttable: Flags

    @classmethod
    def of(cls, edges: Sequence[tuple[int, int, bool, bool]]) -> Edges:
        """From tuples of child, parent, is_optional, is_cuttable."""
        columns = list(zip(*edges, strict=True)) or [(), (), (), ()]
        return cls(
            np.array(columns[0], np.int64),
            np.array(columns[1], np.int64),
            np.array(columns[2], np.bool_),
            np.array(columns[3], np.bool_),
        )

    def __len__(self) -> int:
        return len(self.child)


@dataclass(frozen=True)
class Order:
    """
    Levels of records: each is made after all those of lower levels.

    Args:
        levels: by record, from 0; -1: it is refused.
        cut: references (their places) that are left empty first and filled in later.
        dropped: references that are left empty for good, since their parent is refused.
        circles: records of circles that can be cut nowhere. Refused are these, and those that
            cannot be without them.
    """

    levels: list[int]
    cut: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    circles: list[int] = field(default_factory=list)

    @property
    def refused(self) -> list[int]:
        return [number for number, level in enumerate(self.levels) if level < 0]


def order(count: int, edges: Edges, refused: Sequence[int] = ()) -> Order:
    """
    The levels of ``count`` records.

    Args:
        refused: records that are not made, for other reasons.
    """
    return _Ordering(count, edges).run(refused)


class _Ordering:
    def __init__(self, count: int, edges: Edges) -> None:
        self._count = count
        self._edges = edges
        self._is_open = [True] * len(edges)
        self._waits = np.bincount(edges.child, minlength=count).tolist()
        self._levels = [0] * count
        self._is_placed = [False] * count
        self._by_parent = _Lists(edges.parent, count)
        self._by_child = _Lists(edges.child, count)
        self._child, self._parent = edges.child.tolist(), edges.parent.tolist()
        self._result = Order(self._levels)

    def run(self, refused: Sequence[int]) -> Order:
        for edge, child in enumerate(self._child):
            if child == self._parent[edge] and self._edges.is_cuttable[edge]:
                self._cut(edge)
        for node in refused:
            self._refuse(node)
        ready = [n for n in range(self._count) if not self._waits[n] and not self._is_placed[n]]
        while True:
            self._place(ready)
            left = [n for n in range(self._count) if not self._is_placed[n]]
            if not left:
                return self._result
            ready = self._open_circles(left)

    def _place(self, ready: list[int]) -> None:
        while ready:
            node = ready.pop()
            if self._is_placed[node]:
                continue
            self._is_placed[node] = True
            for edge in self._by_parent[node]:
                child = self._child[edge]
                if self._is_open[edge] and not self._is_placed[child]:
                    self._levels[child] = max(self._levels[child], self._levels[node] + 1)
                    if self._close(edge):
                        ready.append(child)

    def _close(self, edge: int) -> bool:
        """The child no longer waits for this; whether it waits for nothing now."""
        self._is_open[edge] = False
        child = self._child[edge]
        self._waits[child] -= 1
        return not self._waits[child] and not self._is_placed[child]

    def _cut(self, edge: int) -> bool:
        self._result.cut.append(edge)
        return self._close(edge)

    def _refuse(self, node: int) -> None:
        """This record is not made, nor those that cannot be without it."""
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if self._is_placed[node]:
                continue
            self._is_placed[node], self._levels[node] = True, -1
            for edge in self._by_parent[node]:
                child = self._child[edge]
                if self._is_placed[child] or not self._is_open[edge]:
                    continue
                if self._edges.is_optional[edge]:
                    self._result.dropped.append(edge)
                    self._close(edge)
                else:
                    waiting.append(child)

    def _open_circles(self, left: list[int]) -> list[int]:
        """Cut once in each circle; the records that can be placed then."""
        ready: list[int] = []
        for circle in self._circles(left):
            inside = set(circle)
            edges = {
                n: [e for e in self._by_child[n] if self._is_open[e] and self._parent[e] in inside]
                for n in circle
            }
            free = [n for n in circle if all(self._edges.is_cuttable[e] for e in edges[n])]
            if free:
                # The record that costs the fewest cuts.
                node = min(free, key=lambda n: (len(edges[n]), n))
                for edge in edges[node]:
                    self._cut(edge)
                if not self._waits[node]:
                    ready.append(node)
                continue
            cuttable = [e for n in circle for e in edges[n] if self._edges.is_cuttable[e]]
            if cuttable:
                self._cut(cuttable[0])
            else:
                self._result.circles.extend(circle)
                for node in circle:
                    self._refuse(node)
        # A refusal or a cut may have freed others than those that were cut.
        return ready or [n for n in left if not self._waits[n] and not self._is_placed[n]]

    def _circles(self, left: list[int]) -> Iterator[list[int]]:
        """The strongly connected components of more than one record, or that refer to themselves."""
        for component in _components(left, self._open_parents):
            if len(component) > 1 or component[0] in self._open_parents(component[0]):
                yield component

    def _open_parents(self, node: int) -> list[int]:
        return [self._parent[e] for e in self._by_child[node] if self._is_open[e]]


class _Lists:
    """The places of an array by their value, without a list for each."""

    def __init__(self, values: Ints, count: int) -> None:
        self._places = np.argsort(values, kind="stable")
        self._starts = np.searchsorted(values[self._places], np.arange(count + 1))

    def __getitem__(self, value: int) -> list[int]:
        found: list[int] = self._places[self._starts[value] : self._starts[value + 1]].tolist()
        return found


def _components(nodes: list[int], parents: Callable[[int], list[int]]) -> Iterator[list[int]]:
    """Tarjan's strongly connected components, without recursion."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for root in nodes:
        if root in index:
            continue
        work = [(root, iter(parents(root)))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, following = work[-1]
            for parent in following:
                if parent not in index:
                    index[parent] = low[parent] = len(index)
                    stack.append(parent)
                    on_stack.add(parent)
                    work.append((parent, iter(parents(parent))))
                    break
                if parent in on_stack:
                    low[node] = min(low[node], index[parent])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    yield component
