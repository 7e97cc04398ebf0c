"""
Metadata files in a form that two retrieves of an untouched org share. Pure; only for comparing.

The org may send repeated elements in another order, and a release reorders translations. Elements
that a key tells apart are sorted by it; where order means something (the fields of a layout, the
columns of a report) it is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from xml.etree import ElementTree

Element = ElementTree.Element

KEYS = (
    *("fullName", "name", "field", "object", "apexClass", "apexPage", "tab", "recordType"),
    *("application", "flow", "layout", "externalDataSource", "customPermission", "masterLabel"),
)
"""Children whose text tells elements of one tag apart; the first that all of them have."""

ORDERED = (".layout", ".flexipage", ".report", ".dashboard", ".flow", ".quickAction")
"""Files in which only the elements at the top may change places."""


def canonical(
    path: str, content: bytes, *, without: Callable[[Element], bool] | None = None
) -> bytes:
    """
    The content in its canonical form; what is no XML stays as it is.

    Args:
        without: elements at the top to leave out.
    """
    root = parsed(content)
    if root is None:
        return content
    if without is not None:
        for element in [one for one in root if without(one)]:
            root.remove(element)
    _sort(root, is_deep=not path.endswith(ORDERED))
    return ElementTree.tostring(root, encoding="unicode").encode()


def parsed(content: bytes) -> Element | None:
    """The root element; None for what is no XML, or has a document type, which no org sends."""
    head = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith(b"<") or b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        return None
    try:
        return ElementTree.fromstring(content)  # noqa: S314 - no document type, so no entities
    except (ElementTree.ParseError, LookupError, ValueError):  # also an unknown encoding
        return None


def local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def key_of(element: Element, names: Iterable[str] = KEYS) -> str | None:
    """The text of the child that tells an element from its neighbours; None: it has none."""
    texts = {local(child): child.text or "" for child in element if not len(child)}
    return next((texts[name] for name in names if name in texts), None)


def _sort(element: Element, *, is_deep: bool, depth: int = 0) -> None:
    if not len(element):
        return
    element.text = None
    for child in element:
        child.tail = None
        _sort(child, is_deep=is_deep, depth=depth + 1)
    if depth and not is_deep:
        return
    groups: dict[str, list[Element]] = {}
    for child in element:
        groups.setdefault(child.tag, []).append(child)
    element[:] = [one for tag in sorted(groups) for one in _sorted(groups[tag])]


def _sorted(group: list[Element]) -> list[Element]:
    """By their key where they all have one; those without children by their text."""
    if all(not len(one) for one in group):
        return sorted(group, key=lambda one: one.text or "")
    for name in KEYS:
        keys = [key_of(one, [name]) for one in group]
        if None not in keys and max(Counter(keys).values()) == 1:
            return [
                one
                for _, one in sorted(zip(keys, group, strict=True), key=lambda pair: str(pair[0]))
            ]
    return group


def merged(contents: Collection[bytes]) -> bytes:
    """
    One profile from several retrieves, each of which has permissions for what it was asked with.

    What is no XML, or the only one, stays as it is.
    """
    roots = [root for content in contents if (root := parsed(content)) is not None]
    if len(roots) < 2:
        return next(iter(contents))
    first, seen = roots[0], set[str]()
    found: list[Element] = []
    for root in roots:
        for child in root:
            _sort(child, is_deep=True)
            child.tail = None
            text = ElementTree.tostring(child, encoding="unicode")
            if text not in seen:
                seen.add(text)
                found.append(child)
    first[:] = sorted(found, key=lambda one: (local(one), key_of(one) or ""))
    namespace = first.tag.partition("}")[0].removeprefix("{")
    ElementTree.indent(first, "    ")
    text = ElementTree.tostring(first, encoding="unicode", default_namespace=namespace or None)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
